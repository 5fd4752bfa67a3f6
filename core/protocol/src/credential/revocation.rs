//! Revocations: credentials that no longer count.
//!
//! ```text
//!  0   4    8         16  20              24          32      40       45       50     51
//!  +---+----+---------+---+---------------+-----------+-------+--------+--------+------+--------------+
//!  | 0 | id | network | 0 | credential id | threshold | flags | target | signer | kind | signature .. |
//!  +---+----+---------+---+---------------+-----------+-------+--------+--------+------+--------------+
//! ```
//!
//! What is 0 is ignored when it is read and taken to be 0 when the signature is checked.
//!
//! Source: spec 03 §7.5.

use super::{CredentialError, signed};
use crate::address::{Address, NetworkId};
use crate::error::Malformed;
use crate::identity::{Directory, SecretIdentity};
use crate::wire::cursor::{Put, Reader};

/// Which kind of credential is revoked.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum CredentialKind {
    /// Certificates of membership.
    Membership,
    /// A capability.
    Capability,
    /// A tag.
    Tag,
    /// A certificate of ownership.
    Ownership,
    /// Nothing that can be revoked.
    Other(u8),
}

impl CredentialKind {
    const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Membership,
            2 => Self::Capability,
            3 => Self::Tag,
            4 => Self::Ownership,
            other => Self::Other(other),
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Membership => 1,
            Self::Capability => 2,
            Self::Tag => 3,
            Self::Ownership => 4,
            Self::Other(code) => code,
        }
    }
}

/// Says that a member's credentials up to a time no longer count.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revocation {
    /// Its own ID, drawn at random.
    pub id: u32,
    /// The network it is for.
    pub network: NetworkId,
    /// Which credential is revoked; 0 for certificates of membership.
    pub credential_id: u32,
    /// Credentials issued up to this time are revoked, in milliseconds of the controller's clock.
    pub threshold: u64,
    /// Flags, such as [`FAST_PROPAGATE`](Self::FAST_PROPAGATE).
    pub flags: u64,
    /// The member.
    pub target: Address,
    /// Who claims to have signed it.
    pub signer: Address,
    /// Which kind of credential is revoked.
    pub kind: CredentialKind,
    /// The signature; `None` if it is of a type this version does not know.
    pub signature: Option<[u8; 96]>,
}

impl Revocation {
    /// Flag: whoever learns something from it passes it on.
    pub const FAST_PROPAGATE: u64 = 1;

    /// Revokes a credential of `target`, to be propagated fast; `id` is drawn at random.
    #[must_use]
    pub fn issue(
        controller: &SecretIdentity,
        network: NetworkId,
        target: Address,
        (kind, credential_id): (CredentialKind, u32),
        id: u32,
        threshold: u64,
    ) -> Self {
        let mut revocation = Self {
            id,
            network,
            credential_id,
            threshold,
            flags: Self::FAST_PROPAGATE,
            target,
            signer: controller.address(),
            kind,
            signature: None,
        };
        revocation.signature = Some(signed::sign(&revocation.body(), controller));
        revocation
    }

    /// Reads a revocation from the start of `bytes`; returns it and its length.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the bytes end early or the signature has an odd length.
    pub fn read_prefix(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        let mut reader = Reader::new("revocation", bytes);
        reader.bytes(4)?;
        let id = reader.u32()?;
        let network = reader.network()?;
        reader.bytes(4)?;
        let revocation = Self {
            id,
            network,
            credential_id: reader.u32()?,
            threshold: reader.u64()?,
            flags: reader.u64()?,
            target: reader.address()?,
            signer: reader.address()?,
            kind: CredentialKind::from_code(reader.u8()?),
            signature: signed::read_signature(&mut reader)?,
        };
        signed::skip_more(&mut reader)?;
        Ok((revocation, reader.position()))
    }

    /// Appends the revocation to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put(&self.body());
        signed::write_signature(self.signature.as_ref(), out);
        signed::write_no_more(out);
    }

    /// Returns whether the network's controller signed the revocation.
    ///
    /// # Errors
    ///
    /// [`CredentialError`]; [`UnknownSigner`](CredentialError::UnknownSigner) may pass.
    pub fn verify(&self, directory: &dyn Directory) -> Result<(), CredentialError> {
        signed::check_signer(self.signer, self.network)?;
        signed::check(&self.body(), self.signer, self.signature.as_ref(), directory)
    }

    /// Returns whether whoever learns something from it passes it on.
    #[must_use]
    pub const fn propagates(&self) -> bool {
        self.flags & Self::FAST_PROPAGATE != 0
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(51);
        body.put_u32(0);
        body.put_u32(self.id);
        body.put_network(self.network);
        body.put_u32(0);
        body.put_u32(self.credential_id);
        body.put_u64(self.threshold);
        body.put_u64(self.flags);
        body.put_address(self.target);
        body.put_address(self.signer);
        body.put_u8(self.kind.code());
        body
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{Known, network, node};
    use super::*;

    fn revocation(controller: &SecretIdentity) -> Revocation {
        let what = (CredentialKind::Membership, 0);
        Revocation::issue(controller, network(controller), Address::from([2; 5]), what, 77, 9)
    }

    fn written(revocation: &Revocation) -> Vec<u8> {
        let mut out = Vec::new();
        revocation.write(&mut out);
        out
    }

    #[test]
    fn an_issued_revocation_verifies_until_it_is_changed() {
        let (controller, other) = (node(1), node(2));
        let revocation = revocation(&controller);
        let changed = Revocation { threshold: 10, ..revocation.clone() };
        let foreign = Revocation { signer: other.address(), ..revocation.clone() };
        let known = Known(&[&controller, &other]);

        assert_eq!(revocation.verify(&known), Ok(()));
        assert!(revocation.propagates());
        assert_eq!(
            revocation.verify(&Known(&[])),
            Err(CredentialError::UnknownSigner(controller.address()))
        );
        assert_eq!(changed.verify(&known), Err(CredentialError::BadSignature));
        assert_eq!(foreign.verify(&known), Err(CredentialError::WrongSigner(other.address())));
    }

    #[test]
    fn what_is_reserved_takes_no_part() {
        let controller = node(1);
        let mut bytes = written(&revocation(&controller));
        bytes[..4].fill(7);
        bytes[16..20].fill(7);

        let (read, _) = Revocation::read_prefix(&bytes).unwrap();

        assert_eq!(read.verify(&Known(&[&controller])), Ok(()));
    }

    #[test]
    fn a_revocation_is_read_back_and_none_of_its_proper_prefixes_is_one() {
        let revocation = revocation(&node(1));
        let bytes = written(&revocation);

        assert_eq!(bytes.len(), 152);
        assert_eq!(Revocation::read_prefix(&bytes), Ok((revocation, bytes.len())));
        for end in 0..bytes.len() {
            assert!(Revocation::read_prefix(&bytes[..end]).is_err(), "{end} bytes");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..180)) {
            if let Ok((revocation, len)) = Revocation::read_prefix(&bytes) {
                prop_assert!(len <= bytes.len());
                let reread = Revocation::read_prefix(&written(&revocation));
                prop_assert_eq!(reread.map(|(reread, _)| reread), Ok(revocation));
            }
        }
    }
}
