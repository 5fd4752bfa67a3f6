//! What controllers sign about members.
//!
//! Source: spec 03 §7.

pub mod capability;
pub mod membership;
pub mod ownership;
pub mod revocation;
pub mod tag;

pub use capability::Capability;
pub use membership::Membership;
pub use ownership::Ownership;
pub use revocation::Revocation;
pub use tag::Tag;

use crate::address::Address;
use crate::identity::Directory;

/// Why a credential is not valid.
#[derive(Clone, Copy, Debug, Eq, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum CredentialError {
    /// The signer is not the network's controller.
    #[error("signed by {0}, which is not the network's controller")]
    WrongSigner(Address),
    /// The signer's identity is not known yet: ask for it and try again.
    #[error("the identity of the signer {0} is not known yet")]
    UnknownSigner(Address),
    /// The signature does not match.
    #[error("the signature is not valid")]
    BadSignature,
    /// The chain of custody is broken or empty.
    #[error("the chain of custody is broken")]
    BrokenCustody,
}

// Each credential has: read_prefix(&[u8]) -> Result<(Self, usize), Malformed>, to_bytes()/write(&mut Vec<u8>),
// verify(&self, &dyn Directory) -> Result<(), CredentialError>, and sign constructors for controllers.
