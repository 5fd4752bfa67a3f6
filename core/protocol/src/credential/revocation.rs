//! Revocations (spec 03 §7.5).
use crate::address::{Address, NetworkId};
use crate::credential::CredentialError;
use crate::error::Malformed;
use crate::identity::Directory;
use crate::identity::SecretIdentity;

/// Which credential is revoked.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum CredentialKind {
    Membership,
    Capability,
    Tag,
    Ownership,
    Other(u8),
}
/// Says that a member's credentials up to a time no longer count.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revocation {
    pub id: u32,
    pub network: NetworkId,
    pub credential_id: u32,
    pub threshold: u64,
    pub flags: u64,
    pub target: Address,
    pub signer: Address,
    pub kind: CredentialKind,
    pub signature: Option<[u8; 96]>,
}
impl Revocation {
    pub const FAST_PROPAGATE: u64 = 1;
    pub fn read_prefix(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        todo!()
    }
    pub fn write(&self, out: &mut Vec<u8>) {
        todo!()
    }
    /// Signs a revocation of `target`'s membership, to be propagated fast.
    pub fn issue(
        controller: &SecretIdentity,
        network: NetworkId,
        target: Address,
        id: u32,
        threshold: u64,
    ) -> Self {
        todo!()
    }
    pub fn verify(&self, directory: &dyn Directory) -> Result<(), CredentialError> {
        todo!()
    }
}
