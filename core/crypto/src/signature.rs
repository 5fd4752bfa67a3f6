//! 96-byte signatures: Ed25519 over half a SHA-512, and that half itself (spec 01 §3).
//!
//! ```text
//!  0        32       64                     96
//!  +--------+--------+----------------------+
//!  | R      | S      | SHA-512(message)[..32]
//!  +--------+--------+----------------------+
//!  `- Ed25519 (RFC 8032, not "ph") of the 32 bytes that follow it
//! ```

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use subtle::ConstantTimeEq;

use crate::hash::sha512;

/// Length of a signature in bytes. The protocol knows no other.
pub const SIGNATURE_LEN: usize = 96;

const ED25519_LEN: usize = 64;
const HASH_LEN: usize = 32;

/// Signs the concatenation of `parts`. Equal messages give equal signatures.
///
/// `public` must be [`ed25519_public`] of `seed`. It goes into the signature, and a signature
/// made under somebody else's public key gives the seed away; therefore it is derived from the
/// seed and not taken from here.
#[must_use]
pub fn sign(seed: &[u8; 32], public: &[u8; 32], parts: &[&[u8]]) -> [u8; SIGNATURE_LEN] {
    let key = SigningKey::from_bytes(seed);
    debug_assert_eq!(key.verifying_key().as_bytes(), public, "the key pair does not match");
    let hash = signed_hash(parts);

    let mut signature = [0; SIGNATURE_LEN];
    signature[..ED25519_LEN].copy_from_slice(&key.sign(&hash).to_bytes());
    signature[ED25519_LEN..].copy_from_slice(&hash);
    signature
}

/// Returns whether `signature` is that of the owner of `public` under the concatenation of
/// `parts`.
///
/// Takes any bytes. Stricter than the reference where honest signers never go: S must be
/// canonical, and neither R nor the public key may be of small order.
#[must_use]
pub fn verify(public: &[u8; 32], parts: &[&[u8]], signature: &[u8]) -> bool {
    let Ok(signature) = <&[u8; SIGNATURE_LEN]>::try_from(signature) else {
        return false;
    };
    let (ed25519, claimed_hash) = signature.split_at(ED25519_LEN);
    let hash = signed_hash(parts);
    if !bool::from(hash.ct_eq(claimed_hash)) {
        return false;
    }

    match (VerifyingKey::from_bytes(public), Signature::from_slice(ed25519)) {
        (Ok(key), Ok(signature)) => key.verify_strict(&hash, &signature).is_ok(),
        _ => false,
    }
}

/// Returns the Ed25519 public key that belongs to `seed`.
#[must_use]
pub fn ed25519_public(seed: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

/// Returns what Ed25519 signs in place of the message.
fn signed_hash(parts: &[&[u8]]) -> [u8; HASH_LEN] {
    let mut hash = [0; HASH_LEN];
    hash.copy_from_slice(&sha512(parts)[..HASH_LEN]);
    hash
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    // From vectors/signatures.json, sign-len-31-b.
    const SEED: [u8; 32] = hex!("6442e5b076cd626682fde3c4d43f4c3bbcff4fae5132a32546abaa2cf0cdf862");
    const PUBLIC: [u8; 32] =
        hex!("2765124862df3bfb97d582af86406944d2a560a3d14ae7f535a0b55190992a59");
    const MESSAGE: [u8; 31] =
        hex!("5b29cf786435fbfec5234db3ce5e26d1384b60b76570802512d82e9908f305");
    const SIGNATURE: [u8; SIGNATURE_LEN] = hex!(
        "066512676a67e575b0081bbecc1a7bbbe2c0e7ea2dcd1faf8470509f052e43cc" // R
        "d00dcd759f6d46c46422af7871076d7e5154737231e4e98dfefaa133946e830d" // S
        "544c955fcbd91b5ccbc23edd35f11b8454a470b6087e11bd67d934206dc7a992" // hash
    );

    #[test]
    fn signing_gives_the_reference_signature_however_the_message_is_cut() {
        assert_eq!(ed25519_public(&SEED), PUBLIC);
        for cut in 0..=MESSAGE.len() {
            let (head, tail) = MESSAGE.split_at(cut);

            assert_eq!(sign(&SEED, &PUBLIC, &[head, tail]), SIGNATURE);
            assert!(verify(&PUBLIC, &[head, tail], &SIGNATURE));
        }
    }

    #[test]
    fn any_flipped_bit_voids_a_signature() {
        for bit in 0..SIGNATURE_LEN * 8 {
            let mut signature = SIGNATURE;
            signature[bit / 8] ^= 1 << (bit % 8);

            assert!(!verify(&PUBLIC, &[&MESSAGE], &signature), "bit {bit}");
        }
        assert!(!verify(&PUBLIC, &[&MESSAGE, &[0]], &SIGNATURE));
    }

    #[test]
    fn any_other_length_is_refused() {
        let longer = [SIGNATURE.as_slice(), &[0]].concat();

        assert!(!verify(&PUBLIC, &[&MESSAGE], &longer));
        for len in 0..SIGNATURE_LEN {
            assert!(!verify(&PUBLIC, &[&MESSAGE], &SIGNATURE[..len]), "length {len}");
        }
    }

    /// From vectors/signatures.json, quirk-small-order-public-key: under the neutral element as
    /// public key one signature fits every message, and the reference accepts it.
    #[test]
    fn a_public_key_anybody_can_sign_for_is_refused() {
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut signature = [0; SIGNATURE_LEN];
        signature[..32].copy_from_slice(&neutral);
        signature[64..].copy_from_slice(&signed_hash(&[&MESSAGE]));

        assert!(!verify(&neutral, &[&MESSAGE], &signature));
    }

    proptest! {
        #[test]
        fn no_key_and_no_signature_panics(public: [u8; 32], mut signature: Vec<u8>) {
            let _ = verify(&public, &[&MESSAGE], &signature);

            signature.resize(SIGNATURE_LEN, 0);
            signature[ED25519_LEN..].copy_from_slice(&signed_hash(&[&MESSAGE]));
            prop_assert!(!verify(&public, &[&MESSAGE], &signature));
        }
    }
}
