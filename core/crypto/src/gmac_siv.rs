//! AES-GMAC-SIV: cipher suite 3, between nodes of protocol 12 and later (spec 01 §7.4).
//!
//! A synthetic IV: GMAC of the message, encrypted together with the sender's IV, is at once the
//! tag and the start of the counter. Should an IV ever repeat, two equal messages are seen to be
//! equal and nothing else is lost.
//!
//! ```text
//!  fold  = left and right half of GMAC(k0, IV, aad ‖ message), XORed
//!  T     = AES(k1, IV ‖ fold)                     the tag, 16 bytes
//!  body  = AES-CTR(k1, from T with the top bit of its last 4 bytes clear, message)
//! ```
//!
//! Verifying takes the message in clear, so [`GmacSiv::open`] decrypts before it knows whether it
//! may. What turns out not to be authentic is wiped.
//!
//! A message is given as `pieces`: consecutive slices of *one* message that need not be adjacent
//! in memory, such as the fragments of a packet. Where it is cut changes nothing.

use core::fmt;

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, InnerIvInit, KeyInit, StreamCipher};
use aes::{Aes256, Aes256Enc};
use ctr::{CtrCore, flavors};
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::NotAuthentic;
use crate::agreement::PEER_KEY_LEN;
use crate::blocks::{Block, absorb};
use crate::kbkdf::{LABEL_ENCRYPTION, LABEL_GMAC, kbkdf};

/// Length of a tag in bytes.
pub const TAG_LEN: usize = 16;

/// Length of the additional data in bytes: destination, source and flags of a packet.
pub const AAD_LEN: usize = 11;

type Aes256Ctr<'a> = aes::cipher::StreamCipherCoreWrapper<CtrCore<&'a Aes256, flavors::Ctr32BE>>;

/// The two keys of one peer, expanded once and good for every packet, on every thread.
pub struct GmacSiv {
    /// k0, for the mask that turns GHASH into GMAC.
    gmac: Aes256Enc,
    /// k0, as GHASH wants it, with nothing hashed yet.
    ghash: GHash,
    /// k1.
    encryption: Aes256,
}

impl GmacSiv {
    /// Derives and expands the keys of the peer with whom we share `key`.
    #[must_use]
    pub fn new(key: &[u8; PEER_KEY_LEN]) -> Self {
        let k0 = kbkdf(key, LABEL_GMAC, 0, 0);
        let k1 = kbkdf(key, LABEL_ENCRYPTION, 0, 0);
        let expects = "an AES-256 key has 32 bytes";
        let gmac = Aes256Enc::new_from_slice(&k0[..32]).expect(expects);
        let encryption = Aes256::new_from_slice(&k1[..32]).expect(expects);

        let mut h = Block::default();
        gmac.encrypt_block(&mut h);
        let ghash = GHash::new(&h);
        h.zeroize();

        Self { gmac, ghash, encryption }
    }

    /// Seals the message in place and returns its tag.
    ///
    /// `iv` should not repeat. The receiver learns it from the tag.
    #[must_use]
    pub fn seal(
        &self,
        iv: &[u8; 8],
        aad: &[u8; AAD_LEN],
        pieces: &mut [&mut [u8]],
    ) -> [u8; TAG_LEN] {
        let mut tag = Block::default();
        tag[..8].copy_from_slice(iv);
        tag[8..].copy_from_slice(&self.fold(iv, aad, pieces));
        self.encryption.encrypt_block(&mut tag);

        self.apply_keystream(&tag, pieces);
        tag.into()
    }

    /// Opens the message in place.
    ///
    /// # Errors
    ///
    /// [`NotAuthentic`] if `tag` is not that of this message with this `aad`. The pieces are then
    /// all zero.
    pub fn open(
        &self,
        tag: &[u8; TAG_LEN],
        aad: &[u8; AAD_LEN],
        pieces: &mut [&mut [u8]],
    ) -> Result<(), NotAuthentic> {
        let mut iv_and_fold = Block::from(*tag);
        self.apply_keystream(&iv_and_fold, pieces);
        self.encryption.decrypt_block(&mut iv_and_fold);
        let (iv, claimed) = iv_and_fold.split_at(8);
        let iv = iv.try_into().expect("half a block has 8 bytes");

        if bool::from(self.fold(iv, aad, pieces).ct_eq(claimed)) {
            return Ok(());
        }
        for piece in pieces {
            piece.fill(0);
        }
        Err(NotAuthentic)
    }

    /// Returns the two halves of the message's GMAC, XORed.
    fn fold(&self, iv: &[u8; 8], aad: &[u8; AAD_LEN], pieces: &[&mut [u8]]) -> [u8; 8] {
        let mut padded_aad = Block::default();
        padded_aad[..AAD_LEN].copy_from_slice(aad);
        let len = padded_aad.len() + pieces.iter().map(|piece| piece.len()).sum::<usize>();
        let mut lengths = Block::default();
        lengths[..8].copy_from_slice(&(8 * len as u64).to_be_bytes());
        let mut mask = Block::default();
        mask[..8].copy_from_slice(iv);
        mask[15] = 1;

        let mut ghash = self.ghash.clone();
        ghash.update(&[padded_aad]);
        let tail = absorb(&mut ghash, pieces);
        ghash.update_padded(tail.as_bytes());
        ghash.update(&[lengths]);
        let hash = ghash.finalize();
        self.gmac.encrypt_block(&mut mask);

        core::array::from_fn(|i| hash[i] ^ mask[i] ^ hash[i + 8] ^ mask[i + 8])
    }

    /// Encrypts or decrypts the message whose tag is `tag`.
    fn apply_keystream(&self, tag: &Block, pieces: &mut [&mut [u8]]) {
        let mut start = *tag;
        // Room to count 2^31 blocks without a carry out of the last four bytes.
        start[12] &= 0x7f;

        let core = CtrCore::inner_iv_init(&self.encryption, &start);
        let mut ctr = Aes256Ctr::from_core(core);
        for piece in pieces {
            ctr.apply_keystream(piece);
        }
    }
}

impl fmt::Debug for GmacSiv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GmacSiv(..)")
    }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;
    use crate::blocks::cuts::{any_cut_message, cut};

    // From vectors/aes_gmac_siv_packets.json, aes-gmac-siv-43.
    const KEY: [u8; PEER_KEY_LEN] = hex!(
        "92b68606292e237b9731c9cf91717c72b7c6668d56a5bc47f8d30c5ff457bc94"
        "241305fe6e2ffdebe5b808fb6bf93f8e"
    );
    const IV: [u8; 8] = hex!("db67696b75ec1445");
    const AAD: [u8; AAD_LEN] = hex!("f9d05d89db8e4df28b7218");
    const CLEAR: [u8; 16] = hex!("082ff7a09ead38ce80f932a60a214176");
    const SEALED: [u8; 16] = hex!("686219db17792d828db9c56b7d9d0b75");
    const TAG: [u8; TAG_LEN] = hex!("a684f4c428085eafd72435eae928508c");

    #[test]
    fn a_message_is_sealed_and_opened_as_the_reference_does() {
        let keys = GmacSiv::new(&KEY);
        let mut message = CLEAR;

        let tag = keys.seal(&IV, &AAD, &mut [&mut message]);
        assert_eq!((tag, message), (TAG, SEALED));

        let opened = keys.open(&tag, &AAD, &mut [&mut message]);
        assert_eq!((opened, message), (Ok(()), CLEAR));
    }

    #[test]
    fn any_flipped_bit_is_refused_and_nothing_is_given_out() {
        let keys = GmacSiv::new(&KEY);
        let sealed = [TAG.as_slice(), &AAD, &SEALED].concat();

        for bit in 0..sealed.len() * 8 {
            let mut sealed = sealed.clone();
            sealed[bit / 8] ^= 1 << (bit % 8);
            let (tag, rest) = sealed.split_first_chunk().unwrap();
            let (aad, message) = rest.split_first_chunk().unwrap();
            let mut message = message.to_vec();
            let (head, tail) = message.split_at_mut(5);

            assert_eq!(keys.open(tag, aad, &mut [head, tail]), Err(NotAuthentic), "bit {bit}");
            assert_eq!(message, [0; SEALED.len()], "bit {bit}");
        }
    }

    #[test]
    fn keys_are_shared_between_threads_and_not_shown() {
        fn is_shared<T: Send + Sync>(_: &T) {}
        let keys = GmacSiv::new(&KEY);

        is_shared(&keys);
        assert_eq!(format!("{keys:?}"), "GmacSiv(..)");
    }

    proptest! {
        #[test]
        fn cuts_do_not_change_a_message(
            (clear, lens) in any_cut_message(),
            iv: [u8; 8],
            aad: [u8; AAD_LEN],
        ) {
            let keys = GmacSiv::new(&KEY);
            let mut whole = clear.clone();
            let mut in_pieces = clear.clone();

            let tag = keys.seal(&iv, &aad, &mut [&mut whole]);
            prop_assert_eq!(keys.seal(&iv, &aad, &mut cut(&mut in_pieces, &lens)), tag);
            prop_assert_eq!(&in_pieces, &whole);

            prop_assert_eq!(keys.open(&tag, &aad, &mut cut(&mut in_pieces, &lens)), Ok(()));
            prop_assert_eq!(&in_pieces, &clear);
        }
    }
}
