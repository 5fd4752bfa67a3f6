//! Packets sealed and opened from the specification, sharing no code with the node.
//!
//! Were the node's packets opened by the node's own code, a mistake made on both sides would go
//! unnoticed. Only the primitives of zt-crypto are shared, which have vectors of their own.
//!
//! Source: spec 01 §5 to §10.

use std::collections::BTreeMap;

use zt_crypto::{Encrypt, GmacSiv, salsa12_poly1305_open, salsa12_poly1305_seal, salsa12_xor};
use zt_protocol::address::Address;

/// Length of the header before the verb.
const VERB_AT: usize = 27;

/// The key two nodes share.
pub type Key = [u8; 48];

/// A packet in clear.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Packet {
    /// Its ID as on the wire. For suite 3, sealing replaces what is here.
    pub id: [u8; 8],
    /// Who for.
    pub to: Address,
    /// Who from.
    pub from: Address,
    /// Cipher suite.
    pub cipher: u8,
    /// How often it was relayed.
    pub hops: u8,
    /// The verb without its flags.
    pub verb: u8,
    /// Whether the payload was compressed.
    pub compressed: bool,
    /// What follows the verb, decompressed.
    pub payload: Vec<u8>,
}

impl Packet {
    /// Opens a whole packet.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong with it.
    pub fn open(key: &Key, packet: &[u8]) -> Result<Self, String> {
        if packet.len() <= VERB_AT {
            return Err(format!("{} bytes are no packet", packet.len()));
        }
        let (header, sealed) = packet.split_at(VERB_AT);
        let mut clear = sealed.to_vec();
        let cipher = header[18] >> 3 & 7;
        open_in_place(key, header, &mut clear).map_err(|()| format!("suite {cipher}: forged"))?;

        let compressed = clear[0] & 0x80 != 0;
        let payload = if compressed { decompress(&clear[1..])? } else { clear[1..].to_vec() };
        Ok(Self {
            id: array(&header[..8]),
            to: Address::from(array(&header[8..13])),
            from: Address::from(array(&header[13..18])),
            cipher,
            hops: header[18] & 7,
            verb: clear[0] & 0x1f,
            compressed,
            payload,
        })
    }

    /// Seals the packet, whole and uncompressed.
    #[must_use]
    pub fn seal(&self, key: &Key) -> Vec<u8> {
        let mut packet = self.id.to_vec();
        packet.extend(self.to.to_bytes());
        packet.extend(self.from.to_bytes());
        let encrypted = if self.cipher == 1 { 0x80 } else { 0 };
        packet.push(encrypted | self.cipher << 3);
        packet.extend([0; 8]);
        packet.push(self.verb);
        packet.extend(&self.payload);

        let (header, body) = packet.split_at_mut(VERB_AT);
        if self.cipher == 3 {
            let aad = array(&header[8..19]);
            let tag = GmacSiv::new(key).seal(&self.id, &aad, &mut [body]);
            header[..8].copy_from_slice(&tag[..8]);
            header[19..].copy_from_slice(&tag[8..]);
        } else {
            let mangled = mangled_key(key, header, VERB_AT + body.len());
            let encrypt = if self.cipher == 1 { Encrypt::Yes } else { Encrypt::No };
            let tag = salsa12_poly1305_seal(&mangled, &self.id, encrypt, &mut [body]);
            header[19..].copy_from_slice(&tag);
        }
        packet[18] |= self.hops;
        packet
    }
}

fn decompress(body: &[u8]) -> Result<Vec<u8>, String> {
    let mut plain = vec![0; 10_024];
    let len = lz4_flex::block::decompress_into(body, &mut plain).map_err(|e| e.to_string())?;
    plain.truncate(len);
    Ok(plain)
}

/// Decrypts what follows the header if it is authentic.
fn open_in_place(key: &Key, header: &[u8], sealed: &mut [u8]) -> Result<(), ()> {
    let nonce: [u8; 8] = array(&header[..8]);
    let encrypt = match header[18] >> 3 & 7 {
        0 => Encrypt::No,
        1 => Encrypt::Yes,
        3 => {
            let mut aad: [u8; 11] = array(&header[8..19]);
            aad[10] &= 0xf8;
            let tag: [u8; 16] = array(&[&header[..8], &header[19..27]].concat());
            return GmacSiv::new(key).open(&tag, &aad, &mut [sealed]).map_err(|_| ());
        }
        _ => return Err(()),
    };
    let mangled = mangled_key(key, header, VERB_AT + sealed.len());
    let tag = array(&header[19..27]);
    salsa12_poly1305_open(&mangled, &nonce, encrypt, &tag, &mut [sealed]).map_err(|_| ())
}

/// Returns the key of suites 0 and 1 for a packet of `len` bytes with this header.
fn mangled_key(key: &Key, header: &[u8], len: usize) -> [u8; 32] {
    let mut mangled: [u8; 32] = array(&key[..32]);
    let [.., high, low] = len.to_be_bytes();
    let mixed = header[..18].iter().copied().chain([header[18] & 0xf8, low, high]);
    for (byte, mixed) in mangled.iter_mut().zip(mixed) {
        *byte ^= mixed;
    }
    mangled
}

/// Masks the tail of a HELLO, or unmasks it.
pub fn mask_hello_tail(key: &Key, packet_id: [u8; 8], tail: &mut [u8]) {
    let mut nonce = packet_id;
    nonce[7] &= 0xf8;
    salsa12_xor(&array(&key[..32]), &nonce, tail);
}

/// Puts datagrams together: each whole packet among them, in the order their heads came.
///
/// # Panics
///
/// If fragments are missing or belong to no packet.
#[must_use]
pub fn reassemble(datagrams: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut fragments: BTreeMap<Vec<u8>, BTreeMap<u8, &[u8]>> = BTreeMap::new();
    for datagram in datagrams.iter().filter(|datagram| is_fragment(datagram)) {
        let of_packet = fragments.entry(datagram[..8].to_vec()).or_default();
        of_packet.insert(datagram[14] & 0x0f, datagram);
    }
    let heads = datagrams.iter().filter(|datagram| !is_fragment(datagram));
    let packets = heads
        .map(|head| {
            let mut packet = head.clone();
            if head.len() > 18 && head[18] & 0x40 != 0 {
                let rest = fragments.remove(&head[..8]).expect("a fragmented head has fragments");
                let total = rest.values().next().map_or(0, |fragment| fragment[14] >> 4);
                assert_eq!(rest.len() + 1, usize::from(total), "fragments are missing");
                packet.extend(rest.values().flat_map(|fragment| &fragment[16..]));
            }
            packet
        })
        .collect();
    assert!(fragments.is_empty(), "fragments without a head");
    packets
}

/// Returns whether a datagram is a fragment other than the head.
#[must_use]
pub fn is_fragment(datagram: &[u8]) -> bool {
    datagram.len() > 16 && datagram[13] == 0xff
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the slice was cut to this length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_and_forgeries_are_not() {
        let key = [7; 48];
        for cipher in [0, 1, 3] {
            let packet = Packet {
                id: [1, 2, 3, 4, 5, 6, 7, 8],
                to: Address::from([1; 5]),
                from: Address::from([2; 5]),
                cipher,
                hops: 2,
                verb: 8,
                compressed: false,
                payload: b"anybody?".to_vec(),
            };

            let mut sealed = packet.seal(&key);
            let opened = Packet::open(&key, &sealed).unwrap();

            assert_eq!(Packet { id: packet.id, ..opened }, packet);
            sealed[30] ^= 1;
            assert!(Packet::open(&key, &sealed).is_err());
        }
    }
}
