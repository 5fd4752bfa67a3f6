//! The only code that sees keys: how packets are sealed and opened.
//!
//! Source: spec 01 §6, §7.

use arrayvec::ArrayVec;
use zeroize::Zeroizing;
use zt_crypto::{Encrypt, GmacSiv, NotAuthentic, PeerKey};
use zt_crypto::{salsa12_poly1305_open, salsa12_poly1305_seal, salsa12_xor};

use crate::error::Rejected;
use crate::limits::{FRAGMENTS_MAX, HEADER_LEN};
use crate::wire::header::{Cipher, FLAGS_AT, Header, MAC_AT, VERB_AT};

/// The bytes of the tag, or of the second half of suite 3's opaque block.
const TAG: core::ops::Range<usize> = MAC_AT..VERB_AT;

/// Bits of the flags byte that relays may change.
const HOPS_MASK: u8 = 0b0000_0111;

/// A peer's keys, expanded once. They depend on the two identities only and never change.
pub struct PeerKeys {
    salsa: Zeroizing<[u8; 32]>,
    aes: GmacSiv,
}

impl PeerKeys {
    /// Expands the key agreed on with a peer.
    #[must_use]
    pub fn new(key: &PeerKey) -> Self {
        let mut salsa = Zeroizing::new([0; 32]);
        salsa.copy_from_slice(&key.as_bytes()[..32]);
        Self { salsa, aes: GmacSiv::new(key.as_bytes()) }
    }

    /// Returns the per-packet key of suites 0 and 1 (spec 01 §7.1).
    fn mangled(&self, clear: &[u8; VERB_AT], packet_len: usize) -> Zeroizing<[u8; 32]> {
        let mut key = self.salsa.clone();
        for (byte, clear) in key.iter_mut().zip(&clear[..FLAGS_AT]) {
            *byte ^= clear;
        }
        let [low, high, ..] = packet_len.to_le_bytes();
        key[FLAGS_AT] ^= clear[FLAGS_AT] & !HOPS_MASK;
        key[FLAGS_AT + 1] ^= low;
        key[FLAGS_AT + 2] ^= high;
        key
    }
}

/// Seals a packet in place and returns its ID as it appears on the wire.
///
/// `head` begins with the header, whose ID is the nonce and whose flags are final. `rest` are the
/// parts of the packet that follow `head`, wherever they lie.
///
/// # Errors
///
/// [`Rejected::UntrustedPath`] and [`Rejected::UnknownCipher`] for the suites nothing is sealed
/// with, [`Rejected::TooShort`] if `head` is no header.
pub fn seal(
    keys: &PeerKeys,
    head: &mut [u8],
    rest: ArrayVec<&mut [u8], FRAGMENTS_MAX>,
) -> Result<u64, Rejected> {
    let packet_len = head.len() + rest.iter().map(|part| part.len()).sum::<usize>();
    let cipher = Header::split(head)?.0.cipher()?;
    let (clear, armored) = split(head);
    let mut pieces: ArrayVec<&mut [u8], { FRAGMENTS_MAX + 1 }> = ArrayVec::new();
    pieces.push(armored);
    pieces.extend(rest);

    match encrypt(cipher)? {
        None => {
            let block = keys.aes.seal(&id_of(clear), &associated(clear), &mut pieces);
            clear[..8].copy_from_slice(&block[..8]);
            clear[TAG].copy_from_slice(&block[8..]);
        }
        Some(encrypt) => {
            let key = keys.mangled(clear, packet_len);
            let tag = salsa12_poly1305_seal(&key, &id_of(clear), encrypt, &mut pieces);
            clear[TAG].copy_from_slice(&tag);
        }
    }
    Ok(u64::from_be_bytes(id_of(clear)))
}

/// Opens a whole packet in place.
///
/// On success everything from the verb byte on is clear text; the header is as it was. On failure
/// no clear text is left in `packet`.
///
/// # Errors
///
/// [`Rejected::NotAuthentic`], [`Rejected::UnknownCipher`], [`Rejected::TooShort`], and
/// [`Rejected::UntrustedPath`] for suite 2, which nothing here trusts.
pub fn open(keys: &PeerKeys, packet: &mut [u8]) -> Result<(), Rejected> {
    let packet_len = packet.len();
    let cipher = Header::split(packet)?.0.cipher()?;
    let (clear, armored) = split(packet);
    let pieces = &mut [armored];
    let opened = match encrypt(cipher)? {
        None => {
            let mut block = [0; 16];
            block[..8].copy_from_slice(&clear[..8]);
            block[8..].copy_from_slice(&clear[TAG]);
            keys.aes.open(&block, &associated(clear), pieces)
        }
        Some(encrypt) => {
            let key = keys.mangled(clear, packet_len);
            salsa12_poly1305_open(&key, &id_of(clear), encrypt, &tag_of(clear), pieces)
        }
    };
    opened.map_err(|NotAuthentic| Rejected::NotAuthentic)
}

/// Masks or unmasks the tail of a HELLO (spec 01 §7.5). Applied before sealing, after opening.
pub fn mask_hello_tail(keys: &PeerKeys, packet_id: u64, tail: &mut [u8]) {
    let nonce = (packet_id & !0b111).to_be_bytes();
    salsa12_xor(&keys.salsa, &nonce, tail);
}

/// Returns whether a Salsa suite encrypts; `None` for suite 3.
const fn encrypt(cipher: Cipher) -> Result<Option<Encrypt>, Rejected> {
    match cipher {
        Cipher::Authenticated => Ok(Some(Encrypt::No)),
        Cipher::Salsa => Ok(Some(Encrypt::Yes)),
        Cipher::AesGmacSiv => Ok(None),
        Cipher::TrustedPath => Err(Rejected::UntrustedPath),
    }
}

/// Splits a packet into its clear header and its armored section.
fn split(packet: &mut [u8]) -> (&mut [u8; VERB_AT], &mut [u8]) {
    const { assert!(VERB_AT < HEADER_LEN) };
    packet.split_first_chunk_mut().expect("a header was read from these bytes")
}

fn id_of(clear: &[u8; VERB_AT]) -> [u8; 8] {
    *clear.first_chunk().expect("27 bytes begin with 8")
}

fn tag_of(clear: &[u8; VERB_AT]) -> [u8; 8] {
    *clear.last_chunk().expect("27 bytes end with 8")
}

/// Returns what suite 3 authenticates of the header: destination, source and flags without hops.
fn associated(clear: &[u8; VERB_AT]) -> [u8; 11] {
    let mut data = [0; 11];
    data.copy_from_slice(&clear[8..=FLAGS_AT]);
    data[10] &= !HOPS_MASK;
    data
}
