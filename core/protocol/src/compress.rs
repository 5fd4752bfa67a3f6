//! LZ4, in which a packet's body may come.
//!
//! A compressed body is one raw LZ4 block, without frame or size. This node takes such bodies and
//! sends none: its bulk, frames, is encrypted or compressed already.
//!
//! Source: spec 01 §9.

use crate::error::Rejected;
use crate::limits::BODY_LEN_MAX;

/// Decompresses `body` into `plain`, whose former content is lost.
///
/// # Errors
///
/// [`Rejected::BadCompression`] if `body` is not an LZ4 block of 1 to [`BODY_LEN_MAX`] bytes;
/// `plain` is then empty.
pub fn decompress(body: &[u8], plain: &mut Vec<u8>) -> Result<(), Rejected> {
    plain.resize(BODY_LEN_MAX, 0);
    match lz4_flex::block::decompress_into(body, plain) {
        Ok(len @ 1..) => {
            plain.truncate(len);
            Ok(())
        }
        Ok(0) | Err(_) => {
            plain.clear();
            Err(Rejected::BadCompression)
        }
    }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;
    use crate::vectors::{bytes, load};

    fn decompressed(body: &[u8]) -> Result<Vec<u8>, Rejected> {
        let mut plain = vec![0xaa; 3];
        decompress(body, &mut plain).map(|()| plain)
    }

    /// From lz4_packets.json: "run-100", "truncated", "offset-before-start", "quirk-offset-zero",
    /// "trailing-garbage-after-end".
    #[test]
    fn only_whole_blocks_are_decompressed() {
        let run = [&[b'a'; 95], &b"bcdef"[..]].concat();

        assert_eq!(decompressed(&hex!("1f61 0100 4b 506263646566")), Ok(run));
        for bad in [
            &hex!("1f61 0100 4b 5062636465")[..],
            &hex!("1f61 0900 4b 506263646566"),
            &hex!("1f61 0000 4b 506263646566"),
            &hex!("5068656c6c6f 78797a"),
            &hex!("00"),
            &[],
        ] {
            assert_eq!(decompressed(bad), Err(Rejected::BadCompression), "{bad:02x?}");
        }
    }

    /// Every block in lz4_packets.json gets the reference's verdict, but for the offset of 0 that
    /// only the reference lets pass and the empty body that is none.
    #[test]
    fn the_references_blocks_are_judged_as_by_the_reference() {
        let mut judged = 0;

        for case in load("lz4_packets.json")["cases"].as_array().unwrap() {
            let (name, block) = (case["name"].as_str().unwrap(), &case["compressed_payload"]);
            if block.is_null() || ["empty-compressed-payload", "quirk-offset-zero"].contains(&name)
            {
                continue;
            }
            let verdict = decompressed(&bytes(block));

            judged += 1;
            assert_eq!(verdict.is_ok(), case["decompress_ok"], "{name}");
            if let Ok(plain) = verdict {
                assert_eq!(plain.len() as u64, case["payload_length"], "{name}");
                assert!(case["payload"].is_null() || plain == bytes(&case["payload"]), "{name}");
            }
        }
        assert_eq!(judged, 17);
    }

    proptest! {
        #[test]
        fn what_is_compressed_is_decompressed(
            plain in prop::collection::vec(0_u8..4, 1..=BODY_LEN_MAX),
        ) {
            let mut body = vec![0; lz4_flex::block::get_maximum_output_size(plain.len())];
            let len = lz4_flex::block::compress_into(&plain, &mut body).unwrap();

            prop_assert_eq!(decompressed(&body[..len]), Ok(plain));
        }

        #[test]
        fn no_input_panics_or_grows_beyond_the_bound(
            body: Vec<u8>,
            runs in prop::collection::vec(prop::sample::select(vec![0x1f, 0xff, 0xf1, 0, 1]), 0..99),
        ) {
            for body in [body, runs] {
                let mut plain = Vec::new();
                let verdict = decompress(&body, &mut plain);

                prop_assert_eq!(verdict.is_ok(), !plain.is_empty());
                prop_assert!(plain.len() <= BODY_LEN_MAX);
            }
        }
    }
}
