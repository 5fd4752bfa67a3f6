//! Every primitive against the real outputs of the reference, every case of every file.
//!
//! Cases whose name begins with `quirk-` are things the reference tolerates and we refuse.
#![allow(clippy::unwrap_used, reason = "all of this file is tests")]

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use zt_crypto::{Encrypt, GmacSiv, derivation};

/// Where a packet's fields begin (spec 01 §5).
const SOURCE_END: usize = 18;
const FLAGS: usize = 18;
const MAC: usize = 19;
const VERB: usize = 27;

#[derive(Deserialize)]
struct File<T> {
    cases: Vec<T>,
}

#[derive(Deserialize)]
struct Agreement {
    name: String,
    my_private_key: Hex,
    their_public_key: Hex,
    derived_32: Hex,
    derived_48_peer_key: Hex,
    derived_64: Hex,
    derived_150: Hex,
}

#[test]
fn keys_agree_with_the_references() {
    for case in cases::<Agreement>("agreement.json") {
        let secret = array(&case.my_private_key[..32]);
        let public = array(&case.their_public_key[..32]);

        let key = zt_crypto::agree(&secret, &public).unwrap();

        assert_eq!(key.as_bytes()[..], case.derived_48_peer_key[..], "{}", case.name);
        for expected in [&case.derived_32, &case.derived_64, &case.derived_150] {
            let mut material = vec![0; expected.len()];
            zt_crypto::agree_into(&secret, &public, &mut material).unwrap();
            assert_eq!(material, expected[..], "{}", case.name);
        }
    }
}

#[derive(Deserialize)]
struct Derived {
    key_48: Hex,
    label_byte: u8,
    context_byte: u8,
    iteration: u32,
    output_48: Hex,
}

#[test]
fn derived_keys_are_the_references() {
    for case in cases::<Derived>("kbkdf.json") {
        let key = array(&case.key_48);

        let derived = zt_crypto::kbkdf(&key, case.label_byte, case.context_byte, case.iteration);

        assert_eq!(derived[..], case.output_48[..]);
    }
}

#[derive(Deserialize)]
struct Signature {
    name: String,
    private_key: Option<Hex>,
    public_key: Hex,
    message: Hex,
    signature: Hex,
    valid: bool,
}

#[test]
fn signatures_are_judged_as_the_reference_does_but_for_its_quirks() {
    for case in cases::<Signature>("signatures.json") {
        let public = array(&case.public_key[32..]);
        let expected = case.valid && !case.name.starts_with("quirk-");

        let valid = zt_crypto::verify(&public, &[&case.message], &case.signature);

        assert_eq!(valid, expected, "{}", case.name);
        if let Some(private_key) = case.private_key {
            let seed = array(&private_key[32..]);
            let signature = zt_crypto::sign(&seed, &public, &[&case.message]);
            assert_eq!(zt_crypto::ed25519_public(&seed), public, "{}", case.name);
            assert_eq!(signature[..], case.signature[..], "{}", case.name);
        }
    }
}

#[derive(Deserialize)]
struct Identity {
    name: String,
    address: Option<String>,
    public_key: Option<Hex>,
    input_binary: Option<Hex>,
    private_x25519: Option<Hex>,
    private_ed25519_seed: Option<Hex>,
    initial_sha512_of_public_key: Option<Hex>,
    final_digest: Option<Hex>,
    sha384_of_address_and_public_key: Option<Hex>,
}

#[test]
fn addresses_are_derived_as_the_reference_does() {
    let mut derived = 0;
    for case in cases::<Identity>("identity.json") {
        let Some(expected) = case.final_digest else { continue };
        let public = match (&case.public_key, &case.input_binary) {
            (Some(public), _) => &public[..],
            // In the binary form the key follows the address and the type.
            (None, Some(binary)) => &binary[6..70],
            (None, None) => panic!("{} has a digest but no key", case.name),
        };

        let digest = derivation::derive(&array(public));

        assert_eq!(digest[..], expected[..], "{}", case.name);
        assert!(derivation::is_proof_of_work(&digest), "{}", case.name);
        derived += 1;

        let Some(address) = case.address else { continue };
        let address = hex::decode(address).unwrap();
        assert_eq!(derivation::address(&digest)[..], address, "{}", case.name);
        if let Some(seed) = case.initial_sha512_of_public_key {
            assert_eq!(zt_crypto::sha512(&[public])[..], seed[..], "{}", case.name);
        }
        if let Some(fingerprint) = case.sha384_of_address_and_public_key {
            let hash = zt_crypto::sha384(&[&address, public]);
            assert_eq!(hash[..], fingerprint[..], "{}", case.name);
        }
        if let Some(secret) = case.private_x25519 {
            let x25519 = zt_crypto::x25519_public(&array(&secret));
            assert_eq!(x25519[..], public[..32], "{}", case.name);
        }
        if let Some(seed) = case.private_ed25519_seed {
            let ed25519 = zt_crypto::ed25519_public(&array(&seed));
            assert_eq!(ed25519[..], public[32..], "{}", case.name);
        }
    }
    assert!(derived >= 8, "only {derived} identities carry a digest");
}

#[derive(Deserialize)]
struct Packet {
    name: String,
    cipher: u8,
    key_48: Hex,
    plaintext_packet: Hex,
    armored_packet: Hex,
    plaintext_packet_before_crypt_field: Option<Hex>,
    crypt_field_start: Option<usize>,
    crypt_field_length: Option<usize>,
}

#[test]
fn salsa_poly_packets_are_sealed_and_opened_as_the_reference_does() {
    for case in cases::<Packet>("salsa_poly_packets.json") {
        let encrypt = if case.cipher == 1 { Encrypt::Yes } else { Encrypt::No };
        let armored = &case.armored_packet;
        let key = mangled(&case.key_48, armored);
        let id = array(&armored[..8]);
        let expected_tag = array(&armored[MAC..VERB]);

        let mut body = case.plaintext_packet[VERB..].to_vec();
        let tag = zt_crypto::salsa12_poly1305_seal(&key, &id, encrypt, &mut [&mut body]);
        assert_eq!(tag, expected_tag, "{}", case.name);
        assert_eq!(body, armored[VERB..], "{}", case.name);

        let opened = zt_crypto::salsa12_poly1305_open(&key, &id, encrypt, &tag, &mut [&mut body]);
        assert_eq!(opened, Ok(()), "{}", case.name);
        assert_eq!(body, case.plaintext_packet[VERB..], "{}", case.name);
    }
}

#[test]
fn the_tail_of_a_hello_is_masked_as_the_reference_does() {
    let mut masked = 0;
    for case in cases::<Packet>("salsa_poly_packets.json") {
        let (Some(plain), Some(start), Some(len)) = (
            case.plaintext_packet_before_crypt_field,
            case.crypt_field_start,
            case.crypt_field_length,
        ) else {
            continue;
        };
        let mut nonce: [u8; 8] = array(&plain[..8]);
        nonce[7] &= 0xf8;

        let mut tail = plain[start..][..len].to_vec();
        zt_crypto::salsa12_xor(&array(&case.key_48[..32]), &nonce, &mut tail);

        assert_eq!(tail, case.plaintext_packet[start..][..len], "{}", case.name);
        masked += 1;
    }
    assert!(masked > 0, "no case has a masked tail");
}

#[test]
fn gmac_siv_packets_are_sealed_and_opened_as_the_reference_does() {
    for case in cases::<Packet>("aes_gmac_siv_packets.json") {
        let keys = GmacSiv::new(&array(&case.key_48));
        let armored = &case.armored_packet;
        let iv = array(&case.plaintext_packet[..8]);
        let aad = array(&armored[8..MAC]);
        let expected_tag: Vec<u8> = [&armored[..8], &armored[MAC..VERB]].concat();

        let mut body = case.plaintext_packet[VERB..].to_vec();
        let tag = keys.seal(&iv, &aad, &mut [&mut body]);
        assert_eq!(tag[..], expected_tag, "{}", case.name);
        assert_eq!(body, armored[VERB..], "{}", case.name);

        assert_eq!(keys.open(&tag, &aad, &mut [&mut body]), Ok(()), "{}", case.name);
        assert_eq!(body, case.plaintext_packet[VERB..], "{}", case.name);
    }
}

/// Returns the key of one packet of suite 0 or 1 (spec 01 §7.1).
fn mangled(key: &[u8], packet: &[u8]) -> [u8; 32] {
    let mut mangled: [u8; 32] = array(&key[..32]);
    for (byte, header) in mangled.iter_mut().zip(&packet[..SOURCE_END]) {
        *byte ^= header;
    }
    let [high, low] = u16::try_from(packet.len()).unwrap().to_be_bytes();
    mangled[18] ^= packet[FLAGS] & 0xf8;
    mangled[19] ^= low;
    mangled[20] ^= high;
    mangled
}

fn cases<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(file);
    let text = fs::read_to_string(&path).unwrap();
    let file: File<T> = serde_json::from_str(&text).unwrap();
    assert!(!file.cases.is_empty());
    file.cases
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap()
}

/// Bytes written as hex digits.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Hex(Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = hex::FromHexError;

    fn try_from(digits: String) -> Result<Self, Self::Error> {
        hex::decode(digits).map(Self)
    }
}

impl std::ops::Deref for Hex {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
