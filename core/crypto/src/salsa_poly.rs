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

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;
    use crate::blocks::cuts::{any_cut_message, cut};

    // From vectors/salsa_poly_packets.json, salsa2012-poly1305-43. The key is the mangled one.
    const KEY: [u8; 32] = hex!("ecedcd99f61db4bd6ee194464aff31803cb4eea656a5bc47f8d30c5ff457bc94");
    const NONCE: [u8; 8] = hex!("7e5b4b9fdf3397c6");
    const CLEAR: [u8; 16] = hex!("08b21e001b5a08816835a203931afbca");
    const SEALED: [u8; 16] = hex!("20932a093d6b87bbdc1ae395478a9af0");
    const TAG: [u8; TAG_LEN] = hex!("ee8828aa8b01774c");

    #[test]
    fn a_message_is_sealed_and_opened_as_the_reference_does() {
        let mut message = CLEAR;

        let tag = salsa12_poly1305_seal(&KEY, &NONCE, Encrypt::Yes, &mut [&mut message]);
        assert_eq!((tag, message), (TAG, SEALED));

        let opened = salsa12_poly1305_open(&KEY, &NONCE, Encrypt::Yes, &tag, &mut [&mut message]);
        assert_eq!((opened, message), (Ok(()), CLEAR));
    }

    /// From vectors/salsa_poly_packets.json, poly1305-none-28.
    #[test]
    fn a_message_can_be_authenticated_without_being_encrypted() {
        let key = hex!("9bc8f9d5cda7c7ba6ee194464aff31803cb4669156a5bc47f8d30c5ff457bc94");
        let nonce = hex!("097e7fd3e489e4c1");
        let mut message = hex!("01");

        let tag = salsa12_poly1305_seal(&key, &nonce, Encrypt::No, &mut [&mut message]);

        assert_eq!((tag, message), (hex!("c5226fdf40141414"), hex!("01")));
        let opened = salsa12_poly1305_open(&key, &nonce, Encrypt::No, &tag, &mut [&mut message]);
        assert_eq!((opened, message), (Ok(()), hex!("01")));
    }

    /// From vectors/salsa_poly_packets.json, hello-with-crypt-field-v6.
    #[test]
    fn masking_twice_unmasks() {
        let key = hex!("92b68606292e237b9731c9cf91717c72b7c6668d56a5bc47f8d30c5ff457bc94");
        let nonce = hex!("ebc58d44c829c4b8");
        let clear = hex!(
            "00027f000000000000100000000000000015b37f000000000000100100000000"
            "000015b4"
        );
        let masked = hex!(
            "ce4b7a7cad4c027b1c5da6e2a9255944d81f8faaf60aee9ea8093591a832a02a"
            "36b124a0"
        );
        let mut tail = clear;

        salsa12_xor(&key, &nonce, &mut tail);
        assert_eq!(tail, masked);

        salsa12_xor(&key, &nonce, &mut tail);
        assert_eq!(tail, clear);
    }

    #[test]
    fn any_flipped_bit_is_refused_and_the_message_left_alone() {
        for bit in 0..(TAG_LEN + SEALED.len()) * 8 {
            let (mut tag, mut message) = (TAG, SEALED);
            let byte = bit / 8;
            let target = if byte < TAG_LEN { &mut tag[byte] } else { &mut message[byte - TAG_LEN] };
            *target ^= 1 << (bit % 8);
            let received = message;

            let opened =
                salsa12_poly1305_open(&KEY, &NONCE, Encrypt::Yes, &tag, &mut [&mut message]);

            assert_eq!((opened, message), (Err(NotAuthentic), received), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn cuts_do_not_change_a_message(
            (clear, lens) in any_cut_message(),
            key: [u8; 32],
            nonce: [u8; 8],
            encrypted: bool,
        ) {
            let encrypt = if encrypted { Encrypt::Yes } else { Encrypt::No };
            let mut whole = clear.clone();
            let mut in_pieces = clear.clone();

            let tag = salsa12_poly1305_seal(&key, &nonce, encrypt, &mut [&mut whole]);
            let pieces = &mut cut(&mut in_pieces, &lens);
            prop_assert_eq!(salsa12_poly1305_seal(&key, &nonce, encrypt, pieces), tag);
            prop_assert_eq!(&in_pieces, &whole);

            let pieces = &mut cut(&mut in_pieces, &lens);
            prop_assert_eq!(salsa12_poly1305_open(&key, &nonce, encrypt, &tag, pieces), Ok(()));
            prop_assert_eq!(&in_pieces, &clear);
        }
    }
}
