//! The only code that sees keys: how packets are sealed and opened.
//!
//! Source: spec 01 §6, §7.

use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arrayvec::ArrayVec;
use zeroize::Zeroizing;
use zt_crypto::{Encrypt, GmacSiv, NotAuthentic, PeerKey};
use zt_crypto::{salsa12_poly1305_open, salsa12_poly1305_seal, salsa12_xor};

use crate::error::Rejected;
use crate::limits::{FRAGMENTS_MAX, HEADER_LEN, KEYS_EXPANDED_ANEW_MAX};
use crate::wire::header::{Cipher, FLAGS_AT, Header, MAC_AT, VERB_AT};

/// The bytes of the tag, or of the second half of suite 3's opaque block.
const TAG: core::ops::Range<usize> = MAC_AT..VERB_AT;

/// Bits of the flags byte that relays may change.
const HOPS_MASK: u8 = 0b0000_0111;

/// A peer's keys. They depend on the two identities only and never change.
///
/// Suite 3 needs them expanded, which takes ten times the room and some microseconds. So that a
/// hundred thousand idle peers do not fill the memory of a root, and a busy one costs nothing more,
/// they are expanded for each packet by itself until a peer has used them
/// [so often](KEYS_EXPANDED_ANEW_MAX), and are kept expanded from then on.
pub struct PeerKeys {
    key: PeerKey,
    /// How often the keys were expanded for one packet.
    uses: AtomicU8,
    expanded: OnceLock<Box<Expanded>>,
    expansions: Expansions,
}

/// How many keys are kept expanded of those that were made with the same count, and how many may be.
#[derive(Clone, Debug)]
pub struct Expansions {
    count: Arc<AtomicUsize>,
    max: usize,
}

/// Keys that are kept expanded.
struct Expanded {
    keys: GmacSiv,
    /// One of these.
    expansions: Expansions,
}

impl Expansions {
    /// Counts from 0 up to what fits so many bytes. Keys beyond are expanded for each packet.
    #[must_use]
    pub fn within(bytes: usize) -> Self {
        Self { count: Arc::default(), max: bytes / size_of::<Expanded>() }
    }

    fn is_full(&self) -> bool {
        self.count.load(Ordering::Relaxed) >= self.max
    }

    /// Returns what they take, in bytes.
    pub(crate) fn footprint(&self) -> usize {
        self.count.load(Ordering::Relaxed) * size_of::<Expanded>()
    }
}

impl Expanded {
    fn new(keys: GmacSiv, expansions: &Expansions) -> Self {
        expansions.count.fetch_add(1, Ordering::Relaxed);
        Self { keys, expansions: expansions.clone() }
    }
}

impl Drop for Expanded {
    fn drop(&mut self) {
        self.expansions.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl PeerKeys {
    /// What the keys of a peer take while they are not expanded, counts of references included, in
    /// bytes.
    pub(crate) const FOOTPRINT: usize = size_of::<Self>() + 2 * size_of::<usize>();

    /// Takes the key agreed on with a peer.
    #[must_use]
    pub fn new(key: PeerKey) -> Self {
        Self::counted(key, &Expansions::within(usize::MAX))
    }

    /// As [`new`](Self::new), and counts the keys among these while they are kept expanded.
    #[must_use]
    pub fn counted(key: PeerKey, expansions: &Expansions) -> Self {
        let expansions = expansions.clone();
        Self { key, uses: AtomicU8::new(0), expanded: OnceLock::new(), expansions }
    }

    /// Returns the same keys as if they had not been used yet.
    #[must_use]
    pub fn folded(&self) -> Self {
        Self::counted(PeerKey::from_bytes(*self.key.as_bytes()), &self.expansions)
    }

    /// Returns whether they are kept expanded.
    #[must_use]
    pub fn is_expanded(&self) -> bool {
        self.expanded.get().is_some()
    }

    /// Calls `with` with the keys of suite 3.
    fn expanded<T>(&self, with: impl FnOnce(&GmacSiv) -> T) -> T {
        if let Some(expanded) = self.expanded.get() {
            return with(&expanded.keys);
        }
        let expand = || GmacSiv::new(self.key.as_bytes());
        // Threads that count at once may miss one another, which costs an expansion or two.
        let uses = self.uses.load(Ordering::Relaxed);
        if uses < KEYS_EXPANDED_ANEW_MAX {
            self.uses.store(uses + 1, Ordering::Relaxed);
            return with(&expand());
        }
        if self.expansions.is_full() {
            return with(&expand());
        }
        let kept = || Box::new(Expanded::new(expand(), &self.expansions));
        with(&self.expanded.get_or_init(kept).keys)
    }

    /// Returns the key of the Salsa20 suites.
    fn salsa(&self) -> &[u8; 32] {
        self.key.as_bytes().first_chunk().expect("48 bytes begin with 32")
    }

    /// Returns the per-packet key of suites 0 and 1 (spec 01 §7.1).
    fn mangled(&self, clear: &[u8; VERB_AT], packet_len: usize) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new(*self.salsa());
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
/// parts of the packet that follow `head`, wherever they lie. Under suite 2 they stay in clear, and
/// the tag is the ID of the trusted path, which is there already.
///
/// # Errors
///
/// [`Rejected::UnknownCipher`] for suites nothing is sealed with, [`Rejected::TooShort`] if `head`
/// is no header.
pub fn seal(
    keys: &PeerKeys,
    head: &mut [u8],
    rest: ArrayVec<&mut [u8], FRAGMENTS_MAX>,
) -> Result<u64, Rejected> {
    let packet_len = head.len() + rest.iter().map(|part| part.len()).sum::<usize>();
    let cipher = Header::split(head)?.0.cipher()?;
    let (clear, armored) = split(head);
    if cipher == Cipher::TrustedPath {
        return Ok(u64::from_be_bytes(id_of(clear)));
    }
    let mut pieces: ArrayVec<&mut [u8], { FRAGMENTS_MAX + 1 }> = ArrayVec::new();
    pieces.push(armored);
    pieces.extend(rest);

    match encrypt(cipher)? {
        None => {
            let seal = |aes: &GmacSiv| aes.seal(&id_of(clear), &associated(clear), &mut pieces);
            let block = keys.expanded(seal);
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
/// [`Rejected::UntrustedPath`] for suite 2, which no key opens.
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
            keys.expanded(|aes| aes.open(&block, &associated(clear), pieces))
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
    salsa12_xor(keys.salsa(), &nonce, tail);
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

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;
    use zerocopy::IntoBytes as _;

    use super::*;
    use crate::address::Address;
    use crate::verb::Verb;

    const KEY: [u8; 48] = hex!(
        "92b68606292e237b9731c9cf91717c72b7c6668d56a5bc47f8d30c5ff457bc94"
        "241305fe6e2ffdebe5b808fb6bf93f8e"
    );

    fn keys() -> PeerKeys {
        PeerKeys::new(PeerKey::from_bytes(KEY))
    }

    /// Returns the clear packet of both vectors below: an empty ECHO.
    fn echo(nonce: u64, cipher: Cipher) -> Vec<u8> {
        let to = Address::from(hex!("f9d05d89db"));
        let from = Address::from(hex!("8e4df28b72"));
        Header::new(nonce, to, from, cipher, Verb::Echo).as_bytes().to_vec()
    }

    /// `aes-gmac-siv-28` of aes_gmac_siv_packets.json.
    #[test]
    fn suite_3_seals_as_the_reference_does() {
        let mut packet = echo(0x74a6_1706_0ae2_069e, Cipher::AesGmacSiv);

        let wire_id = seal(&keys(), &mut packet, ArrayVec::new()).unwrap();

        assert_eq!(packet, hex!("d92fa3cd45922945f9d05d89db8e4df28b7218b5b1f5bc78ef34a99f"));
        assert_eq!(wire_id, 0xd92f_a3cd_4592_2945);
    }

    /// `salsa2012-poly1305-28` of salsa_poly_packets.json.
    #[test]
    fn suite_1_seals_as_the_reference_does() {
        let mut packet = echo(0xb7cb_cb36_1445_9f26, Cipher::Salsa);

        seal(&keys(), &mut packet, ArrayVec::new()).unwrap();

        assert_eq!(packet, hex!("b7cbcb3614459f26f9d05d89db8e4df28b7288d43fd3546a876c5540"));
    }

    #[test]
    fn no_key_opens_what_bears_the_id_of_a_trusted_path() {
        let mut packet = echo(1, Cipher::TrustedPath);

        assert_eq!(seal(&keys(), &mut packet, ArrayVec::new()), Ok(1));
        assert_eq!(packet, echo(1, Cipher::TrustedPath));
        assert_eq!(open(&keys(), &mut packet), Err(Rejected::UntrustedPath));
    }

    #[test]
    fn keys_are_kept_expanded_from_when_they_are_used_much_until_they_are_folded() {
        let keys = keys();
        let sealed = |keys: &PeerKeys| {
            let mut packet = echo(1, Cipher::AesGmacSiv);
            seal(keys, &mut packet, ArrayVec::new()).unwrap();
            packet
        };
        let first = sealed(&keys);

        for _ in 1..KEYS_EXPANDED_ANEW_MAX {
            assert_eq!(sealed(&keys), first);
        }
        assert!(keys.expanded.get().is_none());
        assert_eq!(sealed(&keys), first);
        assert!(keys.expanded.get().is_some());

        let folded = keys.folded();
        assert_eq!(sealed(&folded), first);
        assert!(folded.expanded.get().is_none());
    }

    #[test]
    fn a_mask_applied_twice_is_none() {
        let mut tail = *b"moons";

        mask_hello_tail(&keys(), 0x0123_4567_89ab_cdef, &mut tail);
        assert_ne!(&tail, b"moons");
        // The low bits of the ID are left out: old senders counted in them.
        mask_hello_tail(&keys(), 0x0123_4567_89ab_cde8, &mut tail);

        assert_eq!(&tail, b"moons");
    }

    fn any_sealing_cipher() -> impl Strategy<Value = Cipher> {
        prop::sample::select(vec![Cipher::Authenticated, Cipher::Salsa, Cipher::AesGmacSiv])
    }

    proptest! {
        #[test]
        fn what_is_sealed_in_parts_is_opened_whole_after_any_relay(
            cipher in any_sealing_cipher(),
            nonce: u64,
            body in prop::collection::vec(any::<u8>(), 3..400),
            cut in 1_usize..400,
            hops in 0_u8..8,
        ) {
            let cut = cut % body.len();
            let (first, second) = body.split_at(cut);
            let mut head = echo(nonce, cipher);
            head.extend_from_slice(first);
            let mut tail = second.to_vec();

            seal(&keys(), &mut head, [&mut tail[..]].into_iter().collect()).unwrap();
            let mut packet = [head, tail].concat();
            Header::split_mut(&mut packet).unwrap().0.set_hops(hops);
            open(&keys(), &mut packet).unwrap();

            prop_assert_eq!(&packet[HEADER_LEN..], body);
        }

        #[test]
        fn a_packet_changed_in_any_other_bit_is_refused(
            cipher in any_sealing_cipher(),
            body in prop::collection::vec(any::<u8>(), 0..100),
            at: prop::sample::Index,
            bit in 0_u8..8,
        ) {
            let mut packet = echo(7, cipher);
            packet.extend_from_slice(&body);
            seal(&keys(), &mut packet, ArrayVec::new()).unwrap();
            let at = at.index(packet.len());
            let mask = 1_u8 << bit;
            prop_assume!(at != FLAGS_AT || bit > 2);

            packet[at] ^= mask;

            prop_assert!(open(&keys(), &mut packet).is_err());
        }

        #[test]
        fn no_packet_panics(mut packet in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = open(&keys(), &mut packet);
        }
    }

    #[test]
    fn so_many_keys_are_kept_expanded_and_no_more() {
        let expansions = Expansions::within(2 * size_of::<Expanded>());
        let make = || PeerKeys::counted(PeerKey::from_bytes(KEY), &expansions);
        let peers = [make(), make(), make()];
        for keys in &peers {
            for nonce in 0..100 {
                let mut packet = echo(nonce, Cipher::AesGmacSiv);
                seal(keys, &mut packet, ArrayVec::new()).unwrap();
                assert_eq!(open(keys, &mut packet), Ok(()));
            }
        }

        assert_eq!(peers.each_ref().map(PeerKeys::is_expanded), [true, true, false]);
        assert_eq!(expansions.footprint(), 2 * size_of::<Expanded>());
        assert!(!peers[0].folded().is_expanded());
        drop(peers);
        assert_eq!(expansions.footprint(), 0);
    }
}
