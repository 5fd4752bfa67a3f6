//! Salsa20/12 and Poly1305: cipher suites 0 and 1, and the mask on HELLO's tail (spec 01 §7.1 to
//! §7.3, §7.5).
//!
//! ```text
//!  keystream of Salsa20/12(key, nonce):
//!
//!  0               32              64
//!  +---------------+---------------+-----------------------
//!  | Poly1305 key  | unused        | XORed onto the message ..
//!  +---------------+---------------+-----------------------
//! ```
//!
//! The tag covers the message as it is on the wire. The caller mixes the packet's header into the
//! key (spec 01 §7.1) and thereby authenticates it too.
//!
//! A message is given as `pieces`: consecutive slices of *one* message that need not be adjacent
//! in memory, such as the fragments of a packet. Where it is cut changes nothing.

use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit;
use salsa20::Salsa12;
use salsa20::cipher::{KeyIvInit, StreamCipher};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::NotAuthentic;
use crate::blocks::absorb;

/// Length of a tag in bytes: half of what Poly1305 gives.
pub const TAG_LEN: usize = 8;

/// Whether the message is encrypted, or authenticated only.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encrypt {
    /// Cipher suite 1.
    Yes,
    /// Cipher suite 0: the message stays readable.
    No,
}

/// Seals the message in place and returns its tag.
///
/// `key` and `nonce` together must never meet a second message.
#[must_use]
pub fn salsa12_poly1305_seal(
    key: &[u8; 32],
    nonce: &[u8; 8],
    encrypt: Encrypt,
    pieces: &mut [&mut [u8]],
) -> [u8; TAG_LEN] {
    let (mut cipher, poly1305) = start(key, nonce);
    if encrypt == Encrypt::Yes {
        apply(&mut cipher, pieces);
    }

    tag(poly1305, pieces)
}

/// Opens the message in place.
///
/// # Errors
///
/// [`NotAuthentic`] if `tag` is not the message's. The message is then untouched.
pub fn salsa12_poly1305_open(
    key: &[u8; 32],
    nonce: &[u8; 8],
    encrypt: Encrypt,
    tag: &[u8; TAG_LEN],
    pieces: &mut [&mut [u8]],
) -> Result<(), NotAuthentic> {
    let (mut cipher, poly1305) = start(key, nonce);
    let expected = self::tag(poly1305, pieces);
    if !bool::from(expected.ct_eq(tag)) {
        return Err(NotAuthentic);
    }

    if encrypt == Encrypt::Yes {
        apply(&mut cipher, pieces);
    }
    Ok(())
}

/// XORs Salsa20/12 onto `data`, from the first byte of the keystream on.
///
/// This masks the tail of a HELLO, and unmasks it when applied again.
pub fn salsa12_xor(key: &[u8; 32], nonce: &[u8; 8], data: &mut [u8]) {
    Salsa12::new(key.into(), nonce.into()).apply_keystream(data);
}

/// Returns the cipher, standing where the message begins, and the authenticator.
fn start(key: &[u8; 32], nonce: &[u8; 8]) -> (Salsa12, Poly1305) {
    let mut cipher = Salsa12::new(key.into(), nonce.into());
    let mut first_block = Zeroizing::new([0; 64]);
    cipher.write_keystream(first_block.as_mut_slice());

    let (poly1305_key, _unused) = first_block.split_at(32);
    let poly1305 = Poly1305::new_from_slice(poly1305_key).expect("a Poly1305 key has 32 bytes");
    (cipher, poly1305)
}

fn apply(cipher: &mut Salsa12, pieces: &mut [&mut [u8]]) {
    for piece in pieces {
        cipher.apply_keystream(piece);
    }
}

fn tag(mut poly1305: Poly1305, pieces: &[&mut [u8]]) -> [u8; TAG_LEN] {
    let tail = absorb(&mut poly1305, pieces);
    let full = poly1305.compute_unpadded(tail.as_bytes());

    let mut tag = [0; TAG_LEN];
    tag.copy_from_slice(&full[..TAG_LEN]);
    tag
}
