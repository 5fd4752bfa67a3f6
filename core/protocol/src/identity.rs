//! Who a node is: its keys and the address hashed from them.
//!
//! ```text
//!  0         5      6                                70       71
//!  +---------+------+----------------+----------------+--------+------------+
//!  | address | type | X25519 public  | Ed25519 public | length | secret ..  |
//!  +---------+------+----------------+----------------+--------+------------+
//!              `- 0                                     `- 0, or 64 with secret
//! ```
//!
//! In packets and worlds only the public form travels. In files an identity is a line of text,
//! `address:0:public` or `address:0:public:secret`, keys in hexadecimal.
//!
//! Source: spec 01 §2.

use core::fmt;
use core::str::FromStr;

use thiserror::Error;
use zeroize::Zeroizing;
use zt_crypto::derivation;

use crate::address::Address;
use crate::error::Malformed;
use crate::fingerprint::Fingerprint;
use crate::rng::Rng;
use crate::secret_key::{self, SecretKey};
use crate::wire::cursor::Reader;

/// Length of an identity's binary public form, in bytes (spec 01 §2.6).
pub const IDENTITY_LEN: usize = 71;

/// Length of a private key, in bytes, and what the length byte says if one follows.
const SECRET_LEN: usize = 64;

/// A node's public identity: address and both public keys.
///
/// Nothing about an `Identity` is proven by its existence: [`is_valid`](Self::is_valid) checks
/// that the address is derived from the keys, which costs milliseconds.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Identity {
    address: Address,
    public: [u8; 64],
}

impl Identity {
    /// Returns an identity of unchecked parts.
    #[must_use]
    pub const fn from_parts(address: Address, public: [u8; 64]) -> Self {
        Self { address, public }
    }

    /// Reads the binary form from the start of `bytes`; returns the identity and its length
    /// (71, or 135 if a private key is there, which is ignored).
    ///
    /// Reserved addresses are not refused here but by [`is_valid`](Self::is_valid).
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the bytes end early, the type is not 0, or the length byte is neither 0
    /// nor 64.
    pub fn read_prefix(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        let mut reader = Reader::new("identity", bytes);
        let address = reader.address()?;
        let kind = reader.u8()?;
        if kind != 0 {
            return Err(Malformed::Undefined { field: "identity type", value: u64::from(kind) });
        }
        let public = *reader.array()?;
        let secret_len = reader.u8()?;
        if !matches!(usize::from(secret_len), 0 | SECRET_LEN) {
            let field = "identity private key length";
            return Err(Malformed::Undefined { field, value: u64::from(secret_len) });
        }
        reader.bytes(usize::from(secret_len))?;

        Ok((Self { address, public }, reader.position()))
    }

    /// Returns the binary public form.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; IDENTITY_LEN] {
        let mut bytes = [0; IDENTITY_LEN];
        bytes[..5].copy_from_slice(&self.address.to_bytes());
        bytes[6..70].copy_from_slice(&self.public);
        bytes
    }

    /// Returns the address the identity claims.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Returns the 64-byte public key: X25519, then Ed25519.
    #[must_use]
    pub const fn public_key(&self) -> &[u8; 64] {
        &self.public
    }

    /// Returns whether the address is derived from the keys and not reserved (spec 01 §2.4).
    ///
    /// Costs milliseconds and 2 MiB, so do not let strangers ask for it as often as they like.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        if self.address.is_reserved() {
            return false;
        }
        let digest = derivation::derive(&self.public);
        derivation::is_proof_of_work(&digest)
            && derivation::address(&digest) == self.address.to_bytes()
    }

    /// Returns whether `signature` (any length) is this identity's over the concatenated `parts`.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], signature: &[u8]) -> bool {
        secret_key::verify(&self.public, parts, signature)
    }

    /// Returns the identity's fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(zt_crypto::sha384(&[&self.address.to_bytes(), &self.public]))
    }
}

/// Prints the address alone: keys make logs unreadable.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// Prints the text form, 141 characters.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:0:{}", self.address, hex::encode(self.public))
    }
}

/// Reads the text form, strictly: 141 characters, or 270 with a private key, which is ignored.
impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let (identity, secret) = Fields::split(text)?.read_public()?;
        if let Some(secret) = secret {
            read_key(secret)?;
        }
        Ok(identity)
    }
}

/// A node's identity with its private keys. Wiped when dropped, never printed.
pub struct SecretIdentity {
    public: Identity,
    secret: SecretKey,
}

impl SecretIdentity {
    /// Makes an identity.
    ///
    /// Takes 15 [derivations](Identity::is_valid) on average, so about a second (spec 01 §2.3).
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        loop {
            let mut secret = SecretKey::random(rng);
            let signing_public = secret.signing_public();
            let (public, digest) = loop {
                secret.vary_agreement();
                let public = secret_key::join(&secret.agreement_public(), &signing_public);
                let digest = derivation::derive(&public);
                if derivation::is_proof_of_work(&digest) {
                    break (public, digest);
                }
            };

            let address = Address::from(derivation::address(&digest));
            if !address.is_reserved() {
                return Self { public: Identity { address, public }, secret };
            }
        }
    }

    /// Reads the text form with private key (270 characters), checking that the keys match.
    ///
    /// That the address is derived from the keys is not checked; see [`Identity::is_valid`].
    ///
    /// # Errors
    ///
    /// [`IdentityError`], which never shows any of the text.
    pub fn from_text(text: &str) -> Result<Self, IdentityError> {
        let (public, secret) = Fields::split(text)?.read_public()?;
        let secret = secret.ok_or(IdentityError::Syntax("the private key is missing"))?;
        let secret = SecretKey::from_bytes(read_key(secret)?);
        if secret.public() != public.public {
            return Err(IdentityError::KeyMismatch);
        }
        Ok(Self { public, secret })
    }

    /// Returns the text form with the private key, 270 characters.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut digits = Zeroizing::new([0; 2 * SECRET_LEN]);
        hex::encode_to_slice(self.secret.as_bytes(), digits.as_mut_slice())
            .expect("two digits per byte");

        let mut text = Zeroizing::new(String::with_capacity(270));
        text.push_str(&self.public.to_string());
        text.push(':');
        text.extend(digits.iter().map(|&digit| char::from(digit)));
        text
    }

    /// Returns the public part.
    #[must_use]
    pub const fn public(&self) -> &Identity {
        &self.public
    }

    /// Returns the address.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.public.address
    }

    /// Agrees on the peer key with `other` (spec 01 §4.1); `None` if their key is degenerate.
    #[must_use]
    pub fn agree(&self, other: &Identity) -> Option<zt_crypto::PeerKey> {
        self.secret.agree(&other.public)
    }

    /// Returns a key for this node's own use, which nobody else can work out.
    #[must_use]
    pub fn derive(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        let digest =
            Zeroizing::new(zt_crypto::sha512(&[b"libzt ", purpose, self.secret.as_bytes()]));
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&digest[..32]);
        key
    }

    /// Signs the concatenated `parts` (spec 01 §3). Equal messages give equal signatures.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 96] {
        self.secret.sign(&self.public.public, parts)
    }
}

/// Prints the address alone.
impl fmt::Debug for SecretIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.public.fmt(f)
    }
}

/// Why a text is not an identity.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum IdentityError {
    /// The text is not of the form `address:0:public[:private]`.
    #[error("not an identity: {0}")]
    Syntax(&'static str),
    /// The address is reserved.
    #[error("the identity's address is reserved")]
    ReservedAddress,
    /// The private key does not belong to the public one.
    #[error("the identity's private key does not belong to its public key")]
    KeyMismatch,
}

/// The fields of an identity's text form.
struct Fields<'a> {
    address: &'a str,
    public: &'a str,
    secret: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn split(text: &'a str) -> Result<Self, IdentityError> {
        let mut fields = text.split(':');
        let (Some(address), Some("0"), Some(public), secret, None) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(IdentityError::Syntax("the form is address:0:public[:private]"));
        };
        Ok(Self { address, public, secret })
    }

    /// Reads the public fields; returns the identity and the text of the private key, if any.
    fn read_public(self) -> Result<(Identity, Option<&'a str>), IdentityError> {
        let address: Address = self
            .address
            .parse()
            .map_err(|_| IdentityError::Syntax("the address is not 10 hexadecimal digits"))?;
        if address.is_reserved() {
            return Err(IdentityError::ReservedAddress);
        }
        let public = *read_key(self.public)?;
        Ok((Identity { address, public }, self.secret))
    }
}

/// Reads a key of 64 bytes, which may be private.
fn read_key(digits: &str) -> Result<Zeroizing<[u8; 64]>, IdentityError> {
    let mut key = Zeroizing::new([0; 64]);
    hex::decode_to_slice(digits, key.as_mut_slice())
        .map_err(|_| IdentityError::Syntax("a key is not 128 hexadecimal digits"))?;
    Ok(key)
}

/// Who is known, for subsystems that check signatures.
pub trait Directory {
    /// Returns the identity that holds `address`, if it is known.
    fn identity(&self, address: Address) -> Option<&Identity>;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rng::Rng;

    /// Case `valid-0` of identity.json.
    const SECRET_TEXT: &str = concat!(
        "8e4df28b72:0:",
        "ac3d46abe0c21f3cfe7a6c8d6a85cfcffcb82fbd55af6a4d6350657c68200843",
        "fa2e16f9418bbd9702cae365f2af5fb4c420908b803a681d4daef6114d78a2d7:",
        "bd8dd6e4ce7022d2f812797a80c6ee8ad180dc4ebf301dec8b06d1be08832bdd",
        "d63a2f1cfa7b2c504474c75bdc8898ba476ef92e8e2d0509f8441985171ff16e",
    );

    fn secret() -> SecretIdentity {
        SecretIdentity::from_text(SECRET_TEXT).unwrap()
    }

    #[test]
    fn the_text_forms_are_read_and_written() {
        let secret = secret();

        assert_eq!(secret.to_text().as_str(), SECRET_TEXT);
        assert_eq!(secret.public().to_string(), SECRET_TEXT[..141]);
        assert_eq!(SECRET_TEXT[..141].parse(), Ok(*secret.public()));
        assert_eq!(SECRET_TEXT.parse(), Ok(*secret.public()));
        assert!(secret.public().is_valid());
    }

    #[test]
    fn debug_shows_the_address_and_no_key() {
        assert_eq!(format!("{:?} {:?}", secret(), secret().public()), "8e4df28b72 8e4df28b72");
    }

    #[test]
    fn a_private_key_of_somebody_else_is_refused() {
        let foreign = SECRET_TEXT.replace(":bd8d", ":bd8e");

        let error = SecretIdentity::from_text(&foreign).map(|_| ()).unwrap_err();

        assert_eq!(error, IdentityError::KeyMismatch);
    }

    #[test]
    fn a_public_text_has_no_secret_to_read() {
        assert!(SecretIdentity::from_text(&SECRET_TEXT[..141]).is_err());
    }

    #[test]
    fn no_proper_prefix_of_a_text_is_an_identity() {
        for end in (0..SECRET_TEXT.len()).filter(|&end| end != 141) {
            assert!(SECRET_TEXT[..end].parse::<Identity>().is_err(), "{end} characters");
        }
    }

    #[test]
    fn no_proper_prefix_of_the_binary_form_is_an_identity() {
        let mut bytes = secret().public().to_bytes().to_vec();
        assert_eq!(Identity::read_prefix(&bytes), Ok((*secret().public(), 71)));
        for end in 0..bytes.len() {
            assert!(Identity::read_prefix(&bytes[..end]).is_err(), "{end} bytes");
        }

        // With a private key behind it, it is 135 bytes and no fewer.
        *bytes.last_mut().unwrap() = 64;
        bytes.extend([0; 64]);
        assert_eq!(Identity::read_prefix(&bytes), Ok((*secret().public(), 135)));
        for end in 0..bytes.len() {
            assert!(Identity::read_prefix(&bytes[..end]).is_err(), "{end} bytes");
        }
    }

    #[test]
    fn a_generated_identity_is_valid_and_survives_a_file() {
        let secret = SecretIdentity::generate(&mut Rng::from_seed([7; 32]));

        assert!(secret.public().is_valid());
        let reread = SecretIdentity::from_text(&secret.to_text()).unwrap();
        assert_eq!(reread.public(), secret.public());
    }

    #[test]
    fn what_is_signed_verifies_and_nothing_else_does() {
        let secret = secret();
        let signature = secret.sign(&[b"a", b"bc"]);

        assert!(secret.public().verify(&[b"abc"], &signature));
        assert!(!secret.public().verify(&[b"abd"], &signature));
        assert!(!secret.public().verify(&[b"abc"], &signature[..95]));
    }

    #[test]
    fn a_fingerprint_is_shown_whole_and_short() {
        let fingerprint = secret().public().fingerprint();

        let whole = fingerprint.to_string();
        assert!(whole.starts_with("e9994e84f3977ec3b4b7a70a8df7e25ad48b8f4c"));
        // As `xxd -r -p | base32` of those twenty bytes.
        assert_eq!(fingerprint.short(), "5gmu-5bht-s57m-hnfx-u4fi-357c-llki-xd2m");
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..140), text: String) {
            let _ = Identity::read_prefix(&bytes);
            let _ = text.parse::<Identity>();
        }
    }
}
