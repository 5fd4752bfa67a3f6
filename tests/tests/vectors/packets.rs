//! Packets sealed, masked and compressed (spec 01 §7, §9).

use serde_json::Value;
use zt_crypto::PeerKey;
use zt_protocol::compress::decompress;
use zt_protocol::suite::{self, PeerKeys};

use crate::fields::{array, bytes, cases, flag, has, name, number, text};
use crate::report::Report;

/// Where a packet's fields begin (spec 01 §5).
const FLAGS: usize = 18;
const VERB: usize = 27;

/// salsa_poly_packets.json and aes_gmac_siv_packets.json
pub(crate) fn sealed(file: &Value, report: &mut Report) {
    for case in cases(file) {
        report.case(name(case), || {
            let keys = keys(case, "key_48");
            let armored = bytes(case, "armored_packet");

            let mut packet = plaintext(case, &keys, &armored);
            suite::seal(&keys, &mut packet, Default::default()).unwrap();
            assert_eq!(hex::encode(&packet), hex::encode(&armored));

            let as_received = "armored_packet_after_relay_hops";
            let as_received = if has(case, as_received) { as_received } else { "armored_packet" };
            let mut received = bytes(case, as_received);
            assert_eq!(suite::open(&keys, &mut received).is_ok(), flag(case, "dearmor_ok"));
            assert_eq!(hex::encode(&received), text(case, "dearmored_packet"));

            // Any bit changed outside the hop count is noticed.
            for at in [0, 8, 13, FLAGS, 19, VERB, armored.len() - 1] {
                let mut forged = armored.clone();
                forged[at] ^= if at == FLAGS { 0x80 } else { 1 };
                assert!(suite::open(&keys, &mut forged).is_err(), "byte {at}");
            }
        });
    }
}

/// Returns the packet as it is given to [`suite::seal`]: in clear, flags final, HELLO's tail masked.
fn plaintext(case: &Value, keys: &PeerKeys, armored: &[u8]) -> Vec<u8> {
    let mut packet = bytes(case, "plaintext_packet");
    let unmasked = "plaintext_packet_before_crypt_field";
    if has(case, unmasked) {
        let masked = packet;
        packet = bytes(case, unmasked);
        let id = u64::from_be_bytes(*packet.first_chunk().unwrap());
        let start = number(case, "crypt_field_start") as usize;
        let len = number(case, "crypt_field_length") as usize;
        suite::mask_hello_tail(keys, id, &mut packet[start..start + len]);
        assert_eq!(packet, masked);
    }
    packet[FLAGS] = armored[FLAGS];
    packet
}

/// lz4_packets.json
pub(crate) fn compressed(file: &Value, report: &mut Report) {
    for case in cases(file) {
        if !has(case, "compressed_payload") {
            report.not_run(name(case), "nothing is compressed here: the reference found it not worth while, and we never do");
            continue;
        }
        let mut plain = Vec::new();
        let outcome = decompress(&bytes(case, "compressed_payload"), &mut plain);
        let stricter = match name(case) {
            "empty-compressed-payload" => Some("nothing at all is no LZ4 block"),
            "quirk-offset-zero" => Some("a match at distance 0 is no LZ4"),
            _ => None,
        };
        if let Some(reason) = stricter {
            report.stricter(name(case), reason, || assert!(outcome.is_err()));
            continue;
        }
        report.case(name(case), || {
            assert_eq!(outcome.is_ok(), flag(case, "decompress_ok"));
            if outcome.is_ok() {
                assert_eq!(plain.len() as u64, number(case, "payload_length"));
            }
            if outcome.is_ok() && has(case, "payload") {
                assert_eq!(hex::encode(&plain), text(case, "payload"));
            }
        });
    }
}

/// Returns the keys that a case gives as a peer key.
pub(crate) fn keys(case: &Value, field: &str) -> PeerKeys {
    PeerKeys::new(PeerKey::from_bytes(array(case, field)))
}
