//! Tags: numbers that rules compare.
//!
//! ```text
//!  0         8           16   20      24          29       34
//!  +---------+-----------+----+-------+-----------+--------+--------------+
//!  | network | timestamp | id | value | issued to | signer | signature .. |
//!  +---------+-----------+----+-------+-----------+--------+--------------+
//! ```
//!
//! Source: spec 03 §7.2.

use super::{CredentialError, signed};
use crate::address::{Address, NetworkId};
use crate::error::Malformed;
use crate::identity::{Directory, SecretIdentity};
use crate::time::UnixMillis;
use crate::wire::cursor::{Put, Reader};

/// A number a controller attached to a member.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tag {
    /// The network it is for.
    pub network: NetworkId,
    /// When it was issued, by the controller's clock.
    pub timestamp: UnixMillis,
    /// Which tag it is.
    pub id: u32,
    /// Its value.
    pub value: u32,
    /// The member.
    pub issued_to: Address,
    /// Who claims to have signed it.
    pub signer: Address,
    /// The signature; `None` if it is of a type this version does not know.
    pub signature: Option<[u8; 96]>,
}

impl Tag {
    /// Issues a tag to `member`.
    #[must_use]
    pub fn issue(
        controller: &SecretIdentity,
        network: NetworkId,
        member: Address,
        timestamp: UnixMillis,
        id: u32,
        value: u32,
    ) -> Self {
        let signer = controller.address();
        let mut tag =
            Self { network, timestamp, id, value, issued_to: member, signer, signature: None };
        tag.signature = Some(signed::sign(&tag.body(), controller));
        tag
    }

    /// Reads a tag from the start of `bytes`; returns it and its length.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the bytes end early or the signature has an odd length.
    pub fn read_prefix(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        let mut reader = Reader::new("tag", bytes);
        let tag = Self {
            network: reader.network()?,
            timestamp: UnixMillis(reader.u64()?),
            id: reader.u32()?,
            value: reader.u32()?,
            issued_to: reader.address()?,
            signer: reader.address()?,
            signature: signed::read_signature(&mut reader)?,
        };
        signed::skip_more(&mut reader)?;
        Ok((tag, reader.position()))
    }

    /// Appends the tag to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put(&self.body());
        signed::write_signature(self.signature.as_ref(), out);
        signed::write_no_more(out);
    }

    /// Returns whether the network's controller signed the tag.
    ///
    /// # Errors
    ///
    /// [`CredentialError`]; [`UnknownSigner`](CredentialError::UnknownSigner) may pass.
    pub fn verify(&self, directory: &dyn Directory) -> Result<(), CredentialError> {
        signed::check_signer(self.signer, self.network)?;
        signed::check(&self.body(), self.signer, self.signature.as_ref(), directory)
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(34);
        body.put_network(self.network);
        body.put_u64(self.timestamp.0);
        body.put_u32(self.id);
        body.put_u32(self.value);
        body.put_address(self.issued_to);
        body.put_address(self.signer);
        body
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{Known, network, node};
    use super::*;

    fn tag(controller: &SecretIdentity) -> Tag {
        let member = Address::from([2; 5]);
        Tag::issue(controller, network(controller), member, UnixMillis(9), 1_000, 42)
    }

    fn written(tag: &Tag) -> Vec<u8> {
        let mut out = Vec::new();
        tag.write(&mut out);
        out
    }

    #[test]
    fn an_issued_tag_verifies_until_it_is_changed() {
        let (controller, other) = (node(1), node(2));
        let tag = tag(&controller);
        let changed = Tag { value: 43, ..tag.clone() };
        let foreign = Tag { signer: other.address(), ..tag.clone() };
        let unsigned = Tag { signature: None, ..tag.clone() };
        let known = Known(&[&controller, &other]);

        assert_eq!(tag.verify(&known), Ok(()));
        assert_eq!(
            tag.verify(&Known(&[])),
            Err(CredentialError::UnknownSigner(controller.address()))
        );
        assert_eq!(changed.verify(&known), Err(CredentialError::BadSignature));
        assert_eq!(foreign.verify(&known), Err(CredentialError::WrongSigner(other.address())));
        assert_eq!(unsigned.verify(&known), Err(CredentialError::BadSignature));
    }

    #[test]
    fn a_tag_is_read_back_and_none_of_its_proper_prefixes_is_one() {
        let tag = tag(&node(1));
        let bytes = written(&tag);

        assert_eq!(bytes.len(), 135);
        assert_eq!(Tag::read_prefix(&bytes), Ok((tag, bytes.len())));
        for end in 0..bytes.len() {
            assert!(Tag::read_prefix(&bytes[..end]).is_err(), "{end} bytes");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..160)) {
            if let Ok((tag, len)) = Tag::read_prefix(&bytes) {
                prop_assert!(len <= bytes.len());
                prop_assert_eq!(Tag::read_prefix(&written(&tag)).map(|(tag, _)| tag), Ok(tag));
            }
        }
    }
}
