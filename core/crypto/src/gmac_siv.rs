//! AES-GMAC-SIV: cipher suite 3, between nodes of protocol 12 and later (spec 01 §7.4).
//!
//! A synthetic IV: GMAC of the message, encrypted together with the sender's IV, is at once the
//! tag and the start of the counter. Should an IV ever repeat, two equal messages are seen to be
//! equal and nothing else is lost.
//!
//! ```text
//!  fold  = left and right half of GMAC(k0, IV, aad ‖ message), XORed
//!  T     = AES(k1, IV ‖ fold)                     the tag, 16 bytes
//!  body  = AES-CTR(k1, T with bit 31 clear, message)
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
        h.fill(0);

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
