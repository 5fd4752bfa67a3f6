//! Keys derived from the peer key with HMAC-SHA-384 (spec 01 §4.2; NIST SP 800-108 in counter
//! mode).

use hmac::digest::FixedOutput;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha384;
use zeroize::Zeroizing;

use crate::agreement::PEER_KEY_LEN;

/// Label of the AES-256 key that GMAC uses.
pub const LABEL_GMAC: u8 = b'0';

/// Label of the AES-256 key that encrypts, both the tag block and in counter mode.
pub const LABEL_ENCRYPTION: u8 = b'1';

/// Returns the key that `key` yields for one purpose, named by the other three arguments.
///
/// Context and iteration are zero in everything a V1 node sends. AES-256 takes the first 32 bytes.
#[must_use]
pub fn kbkdf(
    key: &[u8; PEER_KEY_LEN],
    label: u8,
    context: u8,
    iteration: u32,
) -> Zeroizing<[u8; 48]> {
    const OUTPUT_BITS: u32 = 48 * 8;

    let mut hmac = Hmac::<Sha384>::new_from_slice(key).expect("HMAC takes keys of every length");
    hmac.update(&iteration.to_be_bytes());
    hmac.update(&[b'Z', b'T', label, 0, context]);
    hmac.update(&OUTPUT_BITS.to_be_bytes());

    let mut derived = Zeroizing::new([0; 48]);
    hmac.finalize_into((&mut *derived).into());
    derived
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    /// From vectors/kbkdf.json, first two cases, and one made with every argument in use.
    #[test]
    fn derived_keys_are_the_references() {
        let zero = [0; 48];

        assert_eq!(
            *kbkdf(&zero, LABEL_GMAC, 0, 0),
            hex!(
                "81cdb35bde2891c0b46e382b91144eecd5657b2096cc03c02a5f0308a0e6ca25"
                "70a49b1e147a64e87a3ae24604eec668"
            )
        );
        assert_eq!(
            *kbkdf(&zero, LABEL_ENCRYPTION, 0, 0),
            hex!(
                "efb0e7a591c16fc55b8167a1284d7cc07db663ed87ded80547f56d9cd9d4877b"
                "416e5cdb17d94fb5a33d2a4ce20d9caf"
            )
        );

        let key = hex!(
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
            "202122232425262728292a2b2c2d2e2f"
        );
        assert_eq!(
            *kbkdf(&key, b'1', 127, 0x1020304),
            hex!(
                "e019819c1c39d67a0a64277dd12c5b6e3e006a53a3558129ff76431ea461beff"
                "04751fe274841996049b938489f43488"
            )
        );
    }
}
