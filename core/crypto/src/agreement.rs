//! X25519 key agreement: the secret two identities share (spec 01 §2.1, §4.1).
//!
//! Identities store their X25519 secret unclamped; it is clamped at each use.

use core::fmt;

use sha2::{Digest, Sha512};
use x25519_dalek::{PublicKey, SharedSecret, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::WeakKey;

/// Length of a [`PeerKey`] in bytes.
pub const PEER_KEY_LEN: usize = 48;

/// The key two identities share, from which all keys for their packets are made.
///
/// It depends on the two identities alone and never changes, so it is worth keeping: agreeing
/// costs tens of microseconds.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PeerKey([u8; PEER_KEY_LEN]);

impl PeerKey {
    /// Takes a key agreed on earlier.
    #[must_use]
    pub fn from_bytes(bytes: [u8; PEER_KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// Returns the key. Its first 32 bytes are all that the Salsa20 suites use.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; PEER_KEY_LEN] {
        &self.0
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerKey(..)")
    }
}

/// Returns the key we share with the owner of `their_public`.
///
/// Bit 255 of `their_public` is ignored.
///
/// # Errors
///
/// [`WeakKey`] if the shared secret is all zero, whatever our own secret.
pub fn agree(secret_unclamped: &[u8; 32], their_public: &[u8; 32]) -> Result<PeerKey, WeakKey> {
    let mut key = PeerKey([0; PEER_KEY_LEN]);
    agree_into(secret_unclamped, their_public, &mut key.0)?;
    Ok(key)
}

/// Fills `material` with what we share with the owner of `their_public`.
///
/// Shorter material is a prefix of longer material.
///
/// # Errors
///
/// As [`agree`]; `material` is then unchanged.
pub fn agree_into(
    secret_unclamped: &[u8; 32],
    their_public: &[u8; 32],
    material: &mut [u8],
) -> Result<(), WeakKey> {
    let shared = shared_secret(secret_unclamped, their_public)?;

    let mut link = Zeroizing::new([0; 64]);
    Sha512::new_with_prefix(shared.as_bytes()).finalize_into((&mut *link).into());
    for chunk in material.chunks_mut(link.len()) {
        chunk.copy_from_slice(&link[..chunk.len()]);
        let digest = Sha512::new_with_prefix(link.as_slice());
        digest.finalize_into((&mut *link).into());
    }

    Ok(())
}

/// Returns the X25519 public key that belongs to `secret_unclamped`.
#[must_use]
pub fn x25519_public(secret_unclamped: &[u8; 32]) -> [u8; 32] {
    PublicKey::from(&StaticSecret::from(*secret_unclamped)).to_bytes()
}

fn shared_secret(
    secret_unclamped: &[u8; 32],
    their_public: &[u8; 32],
) -> Result<SharedSecret, WeakKey> {
    let secret = StaticSecret::from(*secret_unclamped);
    let shared = secret.diffie_hellman(&PublicKey::from(*their_public));

    if shared.was_contributory() { Ok(shared) } else { Err(WeakKey) }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    // From vectors/agreement.json, pair-0-forward and pair-0-reverse.
    const ALICE_SECRET: [u8; 32] =
        hex!("bd8dd6e4ce7022d2f812797a80c6ee8ad180dc4ebf301dec8b06d1be08832bdd");
    const ALICE_PUBLIC: [u8; 32] =
        hex!("ac3d46abe0c21f3cfe7a6c8d6a85cfcffcb82fbd55af6a4d6350657c68200843");
    const BOB_SECRET: [u8; 32] =
        hex!("d2ec8ddd8d2ecdca0b886e028253bed6f1ac927b948c8f8edfe9cbd00bb27948");
    const BOB_PUBLIC: [u8; 32] =
        hex!("a677b90d3b7668f638b6a6e324c6695e8da6f8e5272ca4d3a7f7cf814f974742");
    const SHARED: [u8; PEER_KEY_LEN] = hex!(
        "92b68606292e237b9731c9cf91717c72b7c6668d56a5bc47f8d30c5ff457bc94"
        "241305fe6e2ffdebe5b808fb6bf93f8e"
    );

    #[test]
    fn both_sides_agree_on_the_reference_key() {
        assert_eq!(agree(&ALICE_SECRET, &BOB_PUBLIC).unwrap().as_bytes(), &SHARED);
        assert_eq!(agree(&BOB_SECRET, &ALICE_PUBLIC).unwrap().as_bytes(), &SHARED);
    }

    #[test]
    fn public_keys_follow_from_secrets() {
        assert_eq!(x25519_public(&ALICE_SECRET), ALICE_PUBLIC);
        assert_eq!(x25519_public(&BOB_SECRET), BOB_PUBLIC);
    }

    #[test]
    fn material_of_any_length_continues_the_peer_key() {
        let mut long = [0; 150];
        agree_into(&ALICE_SECRET, &BOB_PUBLIC, &mut long).unwrap();
        assert_eq!(long[..PEER_KEY_LEN], SHARED);

        for len in 0..long.len() {
            let mut material = vec![0; len];
            agree_into(&ALICE_SECRET, &BOB_PUBLIC, &mut material).unwrap();
            assert_eq!(material, long[..len]);
        }
    }

    #[test]
    fn small_order_public_keys_are_refused() {
        let one = {
            let mut bytes = [0; 32];
            bytes[0] = 1;
            bytes
        };

        for weak in [[0; 32], one] {
            assert_eq!(agree(&ALICE_SECRET, &weak).unwrap_err(), WeakKey);
        }
    }

    #[test]
    fn debug_does_not_show_the_key() {
        assert_eq!(format!("{:?}", PeerKey::from_bytes(SHARED)), "PeerKey(..)");
    }
}
