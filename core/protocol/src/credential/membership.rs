//! Certificates of membership.
//!
//! ```text
//!  0      1     3                               3 + 24 n   8 + 24 n
//!  +------+-----+----+-------+-----------+------+----------+-----------+
//!  | 1    | n   | id | value | max delta |  ..  | signer   | signature |
//!  +------+-----+----+-------+-----------+------+----------+-----------+
//!                 `- n qualifiers, 24 bytes each  `- 0 if unsigned, then nothing follows
//! ```
//!
//! Two members admit each other if their certificates agree: every qualifier of one's own is also
//! in the other's, with a value that is near enough.
//!
//! Source: spec 03 §7.1, spec 04 §3.3.

use arrayvec::ArrayVec;

use super::{CredentialError, signed};
use crate::address::{Address, NetworkId};
use crate::error::Malformed;
use crate::identity::{Directory, Identity, SecretIdentity};
use crate::limits::QUALIFIERS_MAX;
use crate::time::UnixMillis;
use crate::wire::cursor::{Put, Reader};

/// First byte of every certificate.
const VERSION: u8 = 1;

/// ID of the qualifier that holds the time of issue.
const TIMESTAMP: u64 = 0;
/// ID of the qualifier that holds the network.
const NETWORK: u64 = 1;
/// ID of the qualifier that holds the member's address.
const ISSUED_TO: u64 = 2;
/// IDs of the qualifiers that hold the first 32 bytes of the member's fingerprint.
const FINGERPRINT: [u64; 4] = [3, 4, 5, 6];

/// One qualifier: two certificates agree on it if their values differ by at most `max_delta`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Qualifier {
    /// What it is about.
    pub id: u64,
    /// Its value.
    pub value: u64,
    /// How far another certificate's value may be from it.
    pub max_delta: u64,
}

/// A certificate of membership.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Membership {
    qualifiers: ArrayVec<Qualifier, QUALIFIERS_MAX>,
    /// [`Address::NULL`] if unsigned; the signature is then all zero and does not travel.
    signer: Address,
    signature: [u8; 96],
}

impl Membership {
    /// Issues the standard certificate of seven qualifiers (spec 04 §3.3).
    ///
    /// `window_ms` is how far apart the times of issue of two members' certificates may be.
    #[must_use]
    pub fn issue(
        controller: &SecretIdentity,
        network: NetworkId,
        member: &Identity,
        timestamp: UnixMillis,
        window_ms: u64,
    ) -> Self {
        let any = u64::MAX;
        let mut qualifiers = ArrayVec::from_iter([
            Qualifier { id: TIMESTAMP, value: timestamp.0, max_delta: window_ms },
            Qualifier { id: NETWORK, value: network.0, max_delta: 0 },
            Qualifier { id: ISSUED_TO, value: member.address().to_u64(), max_delta: any },
        ]);
        qualifiers.extend(
            FINGERPRINT.into_iter().zip(fingerprint(member)).map(|(id, value)| Qualifier {
                id,
                value,
                max_delta: any,
            }),
        );

        let mut certificate = Self { qualifiers, signer: controller.address(), signature: [0; 96] };
        certificate.signature = controller.sign(&[&certificate.signed_message()]);
        certificate
    }

    /// Reads a certificate from the start of `bytes`; returns it and its length.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the bytes end early, the first one is not 1, there are more than 8
    /// qualifiers, or their IDs decrease.
    pub fn read_prefix(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        let mut reader = Reader::new("certificate of membership", bytes);
        let version = reader.u8()?;
        if version != VERSION {
            let field = "certificate of membership version";
            return Err(Malformed::Undefined { field, value: u64::from(version) });
        }

        let count = reader.u16()?;
        if usize::from(count) > QUALIFIERS_MAX {
            return Err(Malformed::TooLong { what: "list of qualifiers", max: QUALIFIERS_MAX });
        }
        let mut qualifiers = ArrayVec::<Qualifier, QUALIFIERS_MAX>::new();
        for _ in 0..count {
            let qualifier =
                Qualifier { id: reader.u64()?, value: reader.u64()?, max_delta: reader.u64()? };
            if qualifiers.last().is_some_and(|last| last.id > qualifier.id) {
                return Err(Malformed::Inconsistent { what: "order of qualifiers" });
            }
            qualifiers.push(qualifier);
        }

        let signer = reader.address()?;
        let signature = if signer == Address::NULL { [0; 96] } else { *reader.array()? };
        Ok((Self { qualifiers, signer, signature }, reader.position()))
    }

    /// Appends the certificate to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_u8(VERSION);
        out.put_u16(self.qualifiers.len() as u16);
        out.put(&self.signed_message());
        out.put_address(self.signer);
        if self.signer != Address::NULL {
            out.put(&self.signature);
        }
    }

    /// Returns whether the network's controller signed the certificate.
    ///
    /// # Errors
    ///
    /// [`CredentialError`]; [`UnknownSigner`](CredentialError::UnknownSigner) may pass.
    pub fn verify(&self, directory: &dyn Directory) -> Result<(), CredentialError> {
        signed::check_signer(self.signer, self.network())?;
        let message = self.signed_message();
        signed::check_parts(&[&message], self.signer, Some(&self.signature), directory)
    }

    /// Returns whether this certificate (ours) agrees with `theirs`, shown by `holder`.
    ///
    /// Not symmetric: our differences are the ones that count. Says nothing about signatures.
    #[must_use]
    pub fn agrees_with(&self, theirs: &Self, holder: &Identity) -> bool {
        if self.qualifiers.is_empty() {
            return false;
        }
        let is_near = |ours: &Qualifier| {
            let theirs = theirs.value(ours.id);
            theirs.is_some_and(|value| value.abs_diff(ours.value) <= ours.max_delta)
        };
        // The fingerprint ties the certificate to a key; the address alone would not (spec 03 §7.1).
        let names_keys = self.qualifiers.iter().any(|ours| FINGERPRINT.contains(&ours.id));
        let is_holders = || FINGERPRINT.map(|id| theirs.value(id)) == fingerprint(holder).map(Some);

        self.qualifiers.iter().all(is_near) && (!names_keys || is_holders())
    }

    /// Returns the time of issue by the controller's clock, 0 if there is none.
    #[must_use]
    pub fn timestamp(&self) -> UnixMillis {
        UnixMillis(self.value(TIMESTAMP).unwrap_or(0))
    }

    /// Returns the network, 0 if there is none.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        NetworkId(self.value(NETWORK).unwrap_or(0))
    }

    /// Returns the member, [`Address::NULL`] if there is none.
    #[must_use]
    pub fn issued_to(&self) -> Address {
        Address::from_u64(self.value(ISSUED_TO).unwrap_or(0))
    }

    /// Returns the qualifiers by ascending ID.
    #[must_use]
    pub fn qualifiers(&self) -> &[Qualifier] {
        &self.qualifiers
    }

    /// Returns who claims to have signed, [`Address::NULL`] if nobody.
    #[must_use]
    pub const fn signer(&self) -> Address {
        self.signer
    }

    /// Returns the value of a qualifier, the last one if the ID is repeated.
    fn value(&self, id: u64) -> Option<u64> {
        self.qualifiers.iter().rfind(|qualifier| qualifier.id == id).map(|found| found.value)
    }

    /// Returns what is signed: the qualifiers as they are written.
    fn signed_message(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(24 * self.qualifiers.len());
        for qualifier in &self.qualifiers {
            message.put_u64(qualifier.id);
            message.put_u64(qualifier.value);
            message.put_u64(qualifier.max_delta);
        }
        message
    }
}

/// Returns the part of an identity's fingerprint that certificates hold, as four numbers.
fn fingerprint(identity: &Identity) -> [u64; 4] {
    let bytes = identity.fingerprint().0;
    let (words, _) = bytes.as_chunks();
    core::array::from_fn(|index| u64::from_be_bytes(words[index]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{Known, network, node};
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
    const WINDOW: u64 = 1_000;

    fn certificate(controller: &SecretIdentity, member: &SecretIdentity, at: u64) -> Membership {
        let timestamp = UnixMillis(NOW.0 + at);
        Membership::issue(controller, network(controller), member.public(), timestamp, WINDOW)
    }

    fn written(certificate: &Membership) -> Vec<u8> {
        let mut out = Vec::new();
        certificate.write(&mut out);
        out
    }

    #[test]
    fn an_issued_certificate_says_what_it_is_for_and_verifies() {
        let (controller, member) = (node(1), node(2));

        let issued = certificate(&controller, &member, 0);

        assert_eq!(issued.verify(&Known(&[&controller])), Ok(()));
        assert_eq!(issued.timestamp(), NOW);
        assert_eq!(issued.network(), network(&controller));
        assert_eq!(issued.issued_to(), member.address());
    }

    #[test]
    fn only_the_controller_of_its_network_signs_a_certificate() {
        let (controller, member) = (node(1), node(2));
        let issued = certificate(&controller, &member, 0);
        let foreign =
            Membership::issue(&member, network(&controller), member.public(), NOW, WINDOW);
        let mut forged = issued.clone();
        forged.qualifiers[0].value += 1;
        let unsigned = Membership { signer: Address::NULL, signature: [0; 96], ..issued.clone() };

        let known = Known(&[&controller, &member]);
        let unknown = CredentialError::UnknownSigner(controller.address());
        assert_eq!(issued.verify(&Known(&[&member])), Err(unknown));
        assert_eq!(foreign.verify(&known), Err(CredentialError::WrongSigner(member.address())));
        assert_eq!(forged.verify(&known), Err(CredentialError::BadSignature));
        assert_eq!(unsigned.verify(&known), Err(CredentialError::WrongSigner(Address::NULL)));
    }

    #[test]
    fn certificates_agree_within_the_window_of_ours() {
        let (controller, ours, theirs) = (node(1), node(2), node(3));
        let our = certificate(&controller, &ours, WINDOW);

        for (at, agrees) in [(0, true), (2 * WINDOW, true), (2 * WINDOW + 1, false)] {
            let their = certificate(&controller, &theirs, at);
            assert_eq!(our.agrees_with(&their, theirs.public()), agrees, "{at} ms");
        }
    }

    #[test]
    fn a_certificate_is_worth_nothing_in_the_hands_of_another_key() {
        let (controller, ours, theirs) = (node(1), node(2), node(3));
        let our = certificate(&controller, &ours, 0);
        let their = certificate(&controller, &theirs, 0);
        let thief = Identity::from_parts(theirs.address(), *ours.public().public_key());

        assert!(our.agrees_with(&their, theirs.public()));
        assert!(!our.agrees_with(&their, &thief));
    }

    #[test]
    fn a_certificate_is_read_back_and_none_of_its_proper_prefixes_is_one() {
        let certificate = certificate(&node(1), &node(2), 0);
        let bytes = written(&certificate);

        assert_eq!(bytes.len(), 272);
        assert_eq!(Membership::read_prefix(&bytes), Ok((certificate, bytes.len())));
        for end in 0..bytes.len() {
            assert!(Membership::read_prefix(&bytes[..end]).is_err(), "{end} bytes");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_read_back(count in 0..10_u16, tail: [u8; 32], tails in 0..20_usize) {
            let mut bytes = vec![VERSION];
            bytes.put_u16(count);
            bytes.extend(tail.repeat(tails));
            if let Ok((certificate, len)) = Membership::read_prefix(&bytes) {
                prop_assert_eq!(written(&certificate), &bytes[..len]);
            }
        }
    }
}
