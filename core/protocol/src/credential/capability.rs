//! Capabilities (spec 03 §7.3).
use crate::address::{Address, NetworkId};
use crate::credential::CredentialError;
use crate::error::Malformed;
use crate::identity::Directory;
use crate::identity::SecretIdentity;
use crate::rules::Rule;
use crate::time::UnixMillis;

/// A set of rules a member carries with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Capability {
    pub network: NetworkId,
    pub timestamp: UnixMillis,
    pub id: u32,
    pub rules: Vec<Rule>,
    pub max_custody: u8,
    pub custody: Vec<Custody>,
}
/// One handover of a capability.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Custody {
    pub to: Address,
    pub from: Address,
    pub signature: Option<[u8; 96]>,
}
impl Capability {
    pub fn read_prefix(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        todo!()
    }
    pub fn write(&self, out: &mut Vec<u8>) {
        todo!()
    }
    pub fn issue(
        controller: &SecretIdentity,
        network: NetworkId,
        member: Address,
        timestamp: UnixMillis,
        id: u32,
        rules: Vec<Rule>,
    ) -> Self {
        todo!()
    }
    pub fn verify(&self, directory: &dyn Directory) -> Result<(), CredentialError> {
        todo!()
    }
    pub fn issued_to(&self) -> Address {
        todo!()
    }
}
