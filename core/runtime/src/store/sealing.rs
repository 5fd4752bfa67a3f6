//! Secrets under a key the program keeps, in the key store of a phone for instance, so that whoever
//! reads what is stored learns nothing.
//!
//! ```text
//!  0            8         9        33
//!  +------------+---------+--------+---------------------+----------+
//!  | "ztsealed" | version | nonce  | ciphertext          | tag      |
//!  | (8)        | (1)     | (24)   | (as long as it was) | (16)     |
//!  +------------+---------+--------+---------------------+----------+
//! ```
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03). Its associated data are the first nine bytes and
//! the name it is stored under, so that nothing sealed can be put in the place of something else. The
//! nonce is drawn anew each time; with 192 bits no two are ever the same.
//!
//! What is sealed: `identity.secret` and `identity.*.retired`. Nothing else a node keeps is secret:
//! worlds, configurations and certificates are signed and told to peers, and it keeps no private key
//! of a world.

use std::fmt;

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

const MAGIC: [u8; 8] = *b"ztsealed";
const VERSION: u8 = 1;
const HEADER_LEN: usize = MAGIC.len() + 1;
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;

/// A key secrets are sealed under. It is wiped when it is dropped, and never shown.
#[derive(Clone)]
pub struct StorageKey(Zeroizing<[u8; Self::LEN]>);

/// Why something sealed cannot be opened. It is left as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// It is sealed, and there is no key.
    #[error("it is sealed: give the storage key it was sealed with")]
    NoKey,
    /// It is sealed with another key, under another name, or not as it was.
    #[error(
        "it is sealed with another storage key, or damaged: give the key it was sealed with, or \
         restore it from a backup"
    )]
    NotOpened,
    /// A later version of the library has sealed it.
    #[error("it is sealed in a way this version does not know ({0}): use a later one")]
    UnknownVersion(u8),
    /// The system has no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Randomness(getrandom::Error),
}

impl StorageKey {
    /// Its length, in bytes.
    pub const LEN: usize = 32;

    /// Takes a key of [`LEN`](Self::LEN) bytes; `None` if it has another length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// Seals `secret`, which is to be stored under `name`.
    pub(super) fn seal(&self, name: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(SealError::Randomness)?;
        Ok(self.seal_with(nonce, name, secret))
    }

    fn seal_with(&self, nonce: [u8; NONCE_LEN], name: &str, secret: &[u8]) -> Vec<u8> {
        let header = header(VERSION);
        let mut body = secret.to_vec();
        let tag = self
            .cipher()
            .encrypt_inout_detached(
                &XNonce::from(nonce),
                &associated(header, name),
                body.as_mut_slice().into(),
            )
            .expect("a secret is shorter than 256 GiB");
        [&header[..], &nonce, &body, &tag].concat()
    }

    /// Opens what was sealed under `name`.
    fn open(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (header, rest) =
            sealed.split_first_chunk::<HEADER_LEN>().ok_or(SealError::NotOpened)?;
        if header[MAGIC.len()] != VERSION {
            return Err(SealError::UnknownVersion(header[MAGIC.len()]));
        }
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealError::NotOpened)?;
        let (body, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(SealError::NotOpened)?;

        let mut secret = Zeroizing::new(body.to_vec());
        self.cipher()
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                &associated(*header, name),
                secret.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| SealError::NotOpened)?;
        Ok(secret)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

/// Shows nothing of the key.
impl fmt::Debug for StorageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorageKey")
    }
}

/// Returns the secret in what was stored under `name`, sealed or not.
pub(super) fn open(
    key: Option<&StorageKey>,
    name: &str,
    stored: Zeroizing<Vec<u8>>,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    match key {
        _ if !is_sealed(&stored) => Ok(stored),
        Some(key) => key.open(name, &stored),
        None => Err(SealError::NoKey),
    }
}

/// Returns whether this was sealed, whenever and however.
///
/// No identity begins like that: its text begins with digits.
pub(super) fn is_sealed(stored: &[u8]) -> bool {
    stored.starts_with(&MAGIC)
}

fn header(version: u8) -> [u8; HEADER_LEN] {
    let mut header = [version; HEADER_LEN];
    header[..MAGIC.len()].copy_from_slice(&MAGIC);
    header
}

fn associated(header: [u8; HEADER_LEN], name: &str) -> Vec<u8> {
    [&header[..], name.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "identity.secret";

    /// The example of draft-irtf-cfrg-xchacha-03, appendix A.3.1, whose associated data are not ours.
    #[test]
    fn the_cipher_is_that_of_the_draft() {
        let key: [u8; 32] = std::array::from_fn(|i| 0x80 + i as u8);
        let nonce: [u8; 24] = std::array::from_fn(|i| 0x40 + i as u8);
        let aad = hex("50515253c0c1c2c3c4c5c6c7");
        let mut text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one \
                         tip for the future, sunscreen would be it."
            .to_vec();

        let tag = StorageKey::from_bytes(&key)
            .unwrap()
            .cipher()
            .encrypt_inout_detached(&XNonce::from(nonce), &aad, text.as_mut_slice().into())
            .unwrap();

        assert_eq!(text[..16], hex("bd6d179d3e83d43b9576579493c0e939")[..]);
        assert_eq!(tag[..], hex("c0875924c1c7987947deafd8780acf49")[..]);
    }

    /// What was sealed once has to be opened by every later version.
    #[test]
    fn what_is_stored_is_opened_for_ever() {
        let sealed = key(7).seal_with([9; NONCE_LEN], NAME, b"secret");

        assert_eq!(to_hex(&sealed), EXAMPLE);
        assert_eq!(key(7).open(NAME, &hex(EXAMPLE)).unwrap()[..], b"secret"[..]);
    }

    const EXAMPLE: &str = "7a747365616c656401090909090909090909090909090909090909090909090909cd17\
                           81f819defd293ced61a46f09ee24ac483052af18";

    #[test]
    fn no_two_are_sealed_alike() {
        assert_ne!(key(7).seal(NAME, b"secret").unwrap(), key(7).seal(NAME, b"secret").unwrap());
    }

    #[test]
    fn neither_another_key_nor_another_name_opens_it() {
        let sealed = key(7).seal(NAME, b"secret").unwrap();

        assert_eq!(key(8).open(NAME, &sealed).unwrap_err(), SealError::NotOpened);
        let elsewhere = key(7).open("identity.0102030405.retired", &sealed);
        assert_eq!(elsewhere.unwrap_err(), SealError::NotOpened);
    }

    #[test]
    fn every_part_of_it_and_every_bit_of_it_counts() {
        let sealed = key(7).seal(NAME, b"secret").unwrap();

        for len in MAGIC.len()..sealed.len() {
            assert_eq!(key(7).open(NAME, &sealed[..len]).unwrap_err(), SealError::NotOpened);
        }
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(key(7).open(NAME, &changed).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_later_version_is_named() {
        let mut sealed = key(7).seal(NAME, b"secret").unwrap();
        sealed[MAGIC.len()] = 2;

        assert_eq!(key(7).open(NAME, &sealed).unwrap_err(), SealError::UnknownVersion(2));
    }

    #[test]
    fn a_key_shows_nothing_of_itself_and_has_one_length() {
        assert_eq!(format!("{:?}", key(0xab)), "StorageKey");
        assert!(StorageKey::from_bytes(&[0; 31]).is_none());
        assert!(StorageKey::from_bytes(&[0; 33]).is_none());
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened(bytes: Vec<u8>, name in "[a-z.]{0,40}") {
            let sealed = key(7).seal(&name, &bytes).unwrap();

            prop_assert!(is_sealed(&sealed));
            prop_assert_eq!(&key(7).open(&name, &sealed).unwrap()[..], &bytes[..]);
        }

        #[test]
        fn nothing_that_is_stored_panics(bytes: Vec<u8>, magic: bool) {
            let stored = if magic { [&MAGIC[..], &bytes].concat() } else { bytes };
            let _ = open(Some(&key(7)), NAME, stored.into());
        }
    }

    fn key(byte: u8) -> StorageKey {
        StorageKey::from_bytes(&[byte; 32]).unwrap()
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<_> = text.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    fn to_hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
