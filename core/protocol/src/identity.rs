//! Who a node is: its keys and the address hashed from them.
//!
//! Source: spec 01 §2.

use crate::address::Address;
use crate::error::Malformed;
use crate::rng::Rng;

/// Length of an identity's binary public form, in bytes (spec 01 §2.6).
pub const IDENTITY_LEN: usize = 71;

/// A node's public identity: address and both public keys.
///
/// Nothing about an `Identity` is proven by its existence: [`is_valid`](Self::is_valid) checks
/// that the address is derived from the keys, which costs milliseconds.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Identity {
    address: Address,
    public: [u8; 64],
}

/// SHA-384 of address and public key: names an identity out of band (spec 01 §2.7).
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Fingerprint(pub [u8; 48]);

/// A node's identity with its private keys. Zeroized on drop, never printed.
pub struct SecretIdentity {
    public: Identity,
    secret: zeroize::Zeroizing<[u8; 64]>,
}

/// Why a text is not an identity.
#[derive(Clone, Copy, Debug, Eq, thiserror::Error, PartialEq)]
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

impl core::fmt::Debug for Identity {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.address.fmt(f)
    }
}

impl Identity {
    /// Reads the binary form from the start of `bytes`; returns the identity and its length
    /// (71, or 135 if a private key is there, which is ignored).
    ///
    /// # Errors
    ///
    /// [`Malformed`] as spec 01 §2.6 says. Reserved addresses are not refused here.
    pub fn read_prefix(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        todo!()
    }
    /// Returns the binary public form.
    pub fn to_bytes(&self) -> [u8; IDENTITY_LEN] {
        todo!()
    }
    /// Returns an identity of unchecked parts.
    pub const fn from_parts(address: Address, public: [u8; 64]) -> Self {
        Self { address, public }
    }
    /// Returns the address the identity claims.
    pub const fn address(&self) -> Address {
        self.address
    }
    /// Returns the 64-byte public key: X25519, then Ed25519.
    pub const fn public_key(&self) -> &[u8; 64] {
        &self.public
    }
    /// Returns whether the address is derived from the keys (spec 01 §2.4). Costs milliseconds and 2 MiB.
    pub fn is_valid(&self) -> bool {
        todo!()
    }
    /// Returns whether `signature` (any length) is this identity's over the concatenated `parts`.
    pub fn verify(&self, parts: &[&[u8]], signature: &[u8]) -> bool {
        todo!()
    }
    /// Returns the identity's fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        todo!()
    }
}
// plus: Display/FromStr text form (141 chars; strict parsing; a text with a secret parses as its public part), Debug = address only.

impl SecretIdentity {
    /// Makes an identity; takes 15 derivations on average (spec 01 §2.3).
    pub fn generate(rng: &mut Rng) -> Self {
        todo!()
    }
    /// Reads the text form with private key (270 characters), checking that the keys match.
    pub fn from_text(text: &str) -> Result<Self, IdentityError> {
        todo!()
    }
    /// Returns the text form with the private key.
    pub fn to_text(&self) -> zeroize::Zeroizing<String> {
        todo!()
    }
    /// Returns the public part.
    pub const fn public(&self) -> &Identity {
        &self.public
    }
    /// Returns the address.
    pub const fn address(&self) -> Address {
        self.public.address
    }
    /// Agrees on the peer key with `other` (spec 01 §4.1); `None` if their key is degenerate.
    pub fn agree(&self, other: &Identity) -> Option<zt_crypto::PeerKey> {
        todo!()
    }
    /// Signs the concatenated `parts` (spec 01 §3).
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 96] {
        todo!()
    }
}
