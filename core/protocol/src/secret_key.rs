//! The private halves of the combined key pairs that identities and worlds are signed with.
//!
//! Source: spec 01 §2.1.

use zeroize::Zeroizing;

use crate::rng::Rng;

/// A private key: X25519 scalar (32 bytes, unclamped), then Ed25519 seed (32 bytes).
///
/// Wiped when dropped; never printed, compared or cloned.
pub(crate) struct SecretKey(Zeroizing<[u8; 64]>);

impl SecretKey {
    /// Draws a key.
    pub(crate) fn random(rng: &mut Rng) -> Self {
        Self(Zeroizing::new(rng.bytes()))
    }

    /// Wraps the 64 bytes of a key, which may be any.
    pub(crate) const fn from_bytes(bytes: Zeroizing<[u8; 64]>) -> Self {
        Self(bytes)
    }

    /// Returns the 64 bytes.
    pub(crate) fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// Moves on to another X25519 scalar, as the reference does while it searches for an address;
    /// the Ed25519 seed stays.
    pub(crate) fn vary_agreement(&mut self) {
        let word = |at: usize| -> [u8; 8] { std::array::from_fn(|i| self.0[at + i]) };
        let up = u64::from_le_bytes(word(8)).wrapping_add(1);
        let down = u64::from_le_bytes(word(16)).wrapping_sub(1);
        self.0[8..16].copy_from_slice(&up.to_le_bytes());
        self.0[16..24].copy_from_slice(&down.to_le_bytes());
    }

    /// Returns the X25519 public key.
    pub(crate) fn agreement_public(&self) -> [u8; 32] {
        zt_crypto::x25519_public(self.agreement())
    }

    /// Returns the Ed25519 public key.
    pub(crate) fn signing_public(&self) -> [u8; 32] {
        zt_crypto::ed25519_public(self.signing())
    }

    /// Returns the whole public key: X25519, then Ed25519.
    pub(crate) fn public(&self) -> [u8; 64] {
        join(&self.agreement_public(), &self.signing_public())
    }

    /// Signs the concatenated `parts`; `public` is this key's whole public key.
    pub(crate) fn sign(&self, public: &[u8; 64], parts: &[&[u8]]) -> [u8; 96] {
        zt_crypto::sign(self.signing(), halves(public).1, parts)
    }

    /// Agrees on the peer key with the holder of `public`; `None` if that key is degenerate.
    pub(crate) fn agree(&self, public: &[u8; 64]) -> Option<zt_crypto::PeerKey> {
        zt_crypto::agree(self.agreement(), halves(public).0).ok()
    }

    fn agreement(&self) -> &[u8; 32] {
        halves(&self.0).0
    }

    fn signing(&self) -> &[u8; 32] {
        halves(&self.0).1
    }
}

/// Joins an X25519 and an Ed25519 key.
pub(crate) fn join(agreement: &[u8; 32], signing: &[u8; 32]) -> [u8; 64] {
    let mut joined = [0; 64];
    joined[..32].copy_from_slice(agreement);
    joined[32..].copy_from_slice(signing);
    joined
}

/// Returns whether `signature` is the one of `public`'s holder over the concatenated `parts`.
pub(crate) fn verify(public: &[u8; 64], parts: &[&[u8]], signature: &[u8]) -> bool {
    zt_crypto::verify(halves(public).1, parts, signature)
}

/// Splits a combined key into its X25519 and Ed25519 halves.
fn halves(key: &[u8; 64]) -> (&[u8; 32], &[u8; 32]) {
    let (agreement, rest) = key.split_first_chunk().expect("64 bytes hold the first 32");
    let signing = rest.first_chunk().expect("64 bytes hold the last 32");
    (agreement, signing)
}
