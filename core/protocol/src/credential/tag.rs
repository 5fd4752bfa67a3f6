//! Tags (spec 03 §7.2).
use crate::address::{Address, NetworkId};
use crate::credential::CredentialError;
use crate::error::Malformed;
use crate::identity::Directory;
use crate::identity::SecretIdentity;
use crate::time::UnixMillis;

/// A number a controller attached to a member.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tag {
    pub network: NetworkId,
    pub timestamp: UnixMillis,
    pub id: u32,
    pub value: u32,
    pub issued_to: Address,
    pub signer: Address,
    pub signature: Option<[u8; 96]>,
}
impl Tag {
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
        value: u32,
    ) -> Self {
        todo!()
    }
    pub fn verify(&self, directory: &dyn Directory) -> Result<(), CredentialError> {
        todo!()
    }
}
