//! What controllers sign about members.
//!
//! Members show these to each other; nobody asks the controller. Each kind can be
//!
//! - read from the start of some bytes (`read_prefix`), which checks its form and nothing else,
//! - written as it was read (`write`),
//! - verified against the identities one knows (`verify`), and only then believed,
//! - issued by a controller (`issue`).
//!
//! Source: spec 03 §7.

pub mod capability;
pub mod membership;
pub mod ownership;
pub mod revocation;
mod signed;
pub mod tag;

use thiserror::Error;

pub use self::capability::Capability;
pub use self::membership::Membership;
pub use self::ownership::Ownership;
pub use self::revocation::Revocation;
pub use self::tag::Tag;
use crate::address::Address;

/// Why a credential is not valid.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum CredentialError {
    /// The signer is not the network's controller, or there is none.
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

#[cfg(test)]
mod fixtures {
    //! Who signs, verifies and holds the credentials of the tests.

    use crate::address::{Address, NetworkId};
    use crate::identity::{Directory, Identity, SecretIdentity};
    use crate::rng::Rng;

    /// A directory of the identities it is made of.
    pub(super) struct Known<'a>(pub(super) &'a [&'a SecretIdentity]);

    impl Directory for Known<'_> {
        fn identity(&self, address: Address) -> Option<&Identity> {
            self.0.iter().map(|secret| secret.public()).find(|known| known.address() == address)
        }
    }

    /// Returns an identity, the same for the same `seed`.
    pub(super) fn node(seed: u8) -> SecretIdentity {
        SecretIdentity::generate(&mut Rng::from_seed([seed; 32]))
    }

    /// Returns a network of `controller`.
    pub(super) fn network(controller: &SecretIdentity) -> NetworkId {
        NetworkId::new(controller.address(), 1)
    }
}
