//! Certificates of membership (spec 03 §7.1).

use crate::address::{Address, NetworkId};
use crate::credential::CredentialError;
use crate::error::Malformed;
use crate::identity::Directory;
use crate::identity::{Identity, SecretIdentity};
use crate::time::UnixMillis;

/// One qualifier: two certificates agree on it if their values differ by at most `max_delta`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Qualifier {
    pub id: u64,
    pub value: u64,
    pub max_delta: u64,
}

/// A certificate of membership.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Membership {
    qualifiers: Vec<Qualifier>, /* ≤ 8, use ArrayVec */
    signer: Address,
    signature: [u8; 96],
}

impl Membership {
    pub fn read_prefix(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        todo!()
    }
    pub fn write(&self, out: &mut Vec<u8>) {
        todo!()
    }
    /// Issues the standard certificate of seven qualifiers (spec 04 §3.3).
    pub fn issue(
        controller: &SecretIdentity,
        network: NetworkId,
        member: &Identity,
        timestamp: UnixMillis,
        window_ms: u64,
    ) -> Self {
        todo!()
    }
    pub fn verify(&self, directory: &dyn Directory) -> Result<(), CredentialError> {
        todo!()
    }
    /// Returns whether this certificate (ours) agrees with `theirs`, shown by `holder`.
    pub fn agrees_with(&self, theirs: &Self, holder: &Identity) -> bool {
        todo!()
    }
    pub fn timestamp(&self) -> UnixMillis {
        todo!()
    }
    pub fn network(&self) -> NetworkId {
        todo!()
    }
    pub fn issued_to(&self) -> Address {
        todo!()
    }
}
