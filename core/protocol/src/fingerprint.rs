//! Fingerprints: what people compare to be sure that a node is the one they mean.
//!
//! An address has 40 bits, so for some ten thousand core-years anybody can make a second identity
//! that has it. A fingerprint is SHA-384 over address and public key, which nobody can make two
//! identities share. It is told by other ways than the network, in any of these forms:
//!
//! | form | length | example |
//! |---|---|---|
//! | full | 96 hexadecimal digits | `e9994e84f39…` |
//! | short | 32 characters of base32 in groups of four | `5gmu-5bht-…` |
//! | for a QR code | 91 characters of its alphanumeric mode | `ZT:8E4DF28B72:5GMU…` |
//!
//! The short form is the first 160 bits. Whoever wants to pass for another under it has to find a
//! key that agrees in those and in the 40 bits of the address as well; even if the latter came for
//! free, and any of 2³² pinned nodes would do, 2¹²⁸ keys remain to be tried. Nothing shorter is
//! read.
//!
//! Source: spec 01 §2.7.

use core::fmt;
use core::str::FromStr;

use thiserror::Error;

use crate::address::{Address, NetworkId, ParseError};

/// Length of a fingerprint, in bytes.
pub const FINGERPRINT_LEN: usize = 48;

/// How much of it the short form has, in bytes.
const SHORT_LEN: usize = 20;

/// How many characters the forms have, without separators.
const HEX_DIGITS: usize = 2 * FINGERPRINT_LEN;
const SHORT_CHARACTERS: usize = base32_len(SHORT_LEN);
const LONG_CHARACTERS: usize = base32_len(FINGERPRINT_LEN);

/// RFC 4648 §6, in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// SHA-384 of address and public key: names an identity for good.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Fingerprint(pub [u8; FINGERPRINT_LEN]);

impl Fingerprint {
    /// Returns the short form.
    #[must_use]
    pub fn short(&self) -> String {
        grouped(&self.0[..SHORT_LEN])
    }

    /// Returns what a QR code says of the node at `address`; [`Claim`] reads it.
    #[must_use]
    pub fn qr(&self, address: Address) -> String {
        format!("{QR_PREFIX}{address}:{}", base32(&self.0)).to_uppercase()
    }
}

/// Prints the full form.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What somebody says a fingerprint is, in full or in short.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Expected {
    /// All of it.
    Full(Fingerprint),
    /// Its first 160 bits.
    Short([u8; SHORT_LEN]),
}

impl Expected {
    /// Returns whether `fingerprint` is the one that is meant.
    #[must_use]
    pub fn matches(&self, fingerprint: &Fingerprint) -> bool {
        match self {
            Self::Full(expected) => expected == fingerprint,
            Self::Short(expected) => fingerprint.0.starts_with(expected),
        }
    }
}

impl From<Fingerprint> for Expected {
    fn from(fingerprint: Fingerprint) -> Self {
        Self::Full(fingerprint)
    }
}

/// Prints the form it was given in.
impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(fingerprint) => fingerprint.fmt(f),
            Self::Short(bytes) => f.write_str(&grouped(bytes)),
        }
    }
}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads any form, in either case, with or without `-` and blanks.
impl FromStr for Expected {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let is_separator = |c: &char| *c == '-' || c.is_ascii_whitespace();
        let digits: Vec<char> = text.chars().filter(|c| !is_separator(c)).collect();
        match digits.len() {
            HEX_DIGITS => read_hex(&digits).map(|bytes| Self::Full(Fingerprint(bytes))),
            LONG_CHARACTERS => read_base32(&digits).map(|bytes| Self::Full(Fingerprint(bytes))),
            SHORT_CHARACTERS => read_base32(&digits).map(Self::Short),
            others => Err(FingerprintError::Length(others)),
        }
    }
}

/// A node, and what its fingerprint is said to be. Written `address@fingerprint`; read from that
/// and from what a [QR code](Fingerprint::qr) says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Claim {
    /// The node.
    pub address: Address,
    /// Its fingerprint.
    pub expected: Expected,
}

const QR_PREFIX: &str = "zt:";

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.address, self.expected)
    }
}

impl FromStr for Claim {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let scanned = text.get(..QR_PREFIX.len()).filter(|p| p.eq_ignore_ascii_case(QR_PREFIX));
        let parts = match scanned {
            Some(prefix) => text[prefix.len()..].split_once(':'),
            None => text.split_once('@'),
        };
        let (address, expected) = parts.ok_or(FingerprintError::Form("address@fingerprint"))?;
        Ok(Self { address: address.parse()?, expected: expected.parse()? })
    }
}

/// A network to join, and what the fingerprint of its controller is said to be, if anybody said
/// so. Written `network` or `network@fingerprint`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Invitation {
    /// The network.
    pub network: NetworkId,
    /// The fingerprint of its controller.
    pub controller: Option<Expected>,
}

impl From<NetworkId> for Invitation {
    fn from(network: NetworkId) -> Self {
        Self { network, controller: None }
    }
}

impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.controller {
            Some(expected) => write!(f, "{}@{expected}", self.network),
            None => self.network.fmt(f),
        }
    }
}

impl FromStr for Invitation {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let (network, controller) = match text.split_once('@') {
            Some((network, expected)) => (network, Some(expected.parse()?)),
            None => (text, None),
        };
        Ok(Self { network: network.parse()?, controller })
    }
}

/// Why a text is no fingerprint.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum FingerprintError {
    /// It is of no form's length.
    #[error(
        "a fingerprint has {HEX_DIGITS} hexadecimal digits, or {SHORT_CHARACTERS} characters in \
         short, and this has {0}: some are missing or too many"
    )]
    Length(usize),
    /// A character is in no fingerprint of this length.
    #[error("there is no {0:?} in a fingerprint of this length, only a to f and 0 to 9")]
    NotHex(char),
    /// The same in base32.
    #[error(
        "there is no {0:?} in a fingerprint of this length, only a to z and 2 to 7: what looks like \
         0 and 1 is o, i or l"
    )]
    NotBase32(char),
    /// The last character has bits that no fingerprint has.
    #[error("the last character of the fingerprint is wrong")]
    Excess,
    /// The text has not the parts it should.
    #[error("the form is {0}")]
    Form(&'static str),
    /// The node or network is none.
    #[error(transparent)]
    Name(#[from] ParseError),
}

/// Returns how many characters of base32 `len` bytes make.
const fn base32_len(len: usize) -> usize {
    (8 * len).div_ceil(5)
}

/// Writes base32 without padding.
fn base32(bytes: &[u8]) -> String {
    let character = |index: usize| {
        let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
        let value = (5 * index..5 * index + 5).fold(0, |value, at| value << 1 | bit(at));
        char::from(ALPHABET[usize::from(value)])
    };
    (0..base32_len(bytes.len())).map(character).collect()
}

/// Writes base32 in groups of four characters.
fn grouped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, character) in base32(bytes).chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            text.push('-');
        }
        text.push(character);
    }
    text
}

/// Reads base32 in either case; the caller has counted the characters.
fn read_base32<const N: usize>(characters: &[char]) -> Result<[u8; N], FingerprintError> {
    let mut bytes = [0; N];
    let values = characters.iter().map(|&character| {
        let lower = character.to_ascii_lowercase();
        let value = ALPHABET.iter().position(|&known| char::from(known) == lower);
        value.ok_or(FingerprintError::NotBase32(character))
    });
    for (index, value) in values.enumerate() {
        let value = value?;
        for at in 0..5 {
            let bit = u8::from(value >> (4 - at) & 1 == 1);
            let place = 5 * index + at;
            match bytes.get_mut(place / 8) {
                Some(byte) => *byte |= bit << (7 - place % 8),
                None if bit == 0 => {}
                None => return Err(FingerprintError::Excess),
            }
        }
    }
    Ok(bytes)
}

fn read_hex(digits: &[char]) -> Result<[u8; FINGERPRINT_LEN], FingerprintError> {
    let mut bytes = [0; FINGERPRINT_LEN];
    for (index, &digit) in digits.iter().enumerate() {
        let value = digit.to_digit(16).and_then(|value| u8::try_from(value).ok());
        let value = value.ok_or(FingerprintError::NotHex(digit))?;
        if let Some(byte) = bytes.get_mut(index / 2) {
            *byte = *byte << 4 | value;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FULL: &str = "4b0a1b0bd5aa6fad3e9f0c7e9ab2be1e7a4f3cc2cb0c4e7b2b4a66cd3a0b3c55\
                        00112233445566778899aabbccddeeff";
    const ADDRESS: Address = Address::from_u64(0x8e_4df2_8b72);

    fn fingerprint() -> Fingerprint {
        match FULL.parse() {
            Ok(Expected::Full(fingerprint)) => fingerprint,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn base32_is_that_of_the_rfc() {
        assert_eq!(base32(b"foobar"), "mzxw6ytboi");
        assert_eq!(base32(b"f"), "my");
        assert_eq!(read_base32::<6>(&Vec::from_iter("MZXW6ytboi".chars())), Ok(*b"foobar"));
    }

    #[test]
    fn every_form_is_read_however_people_write_it() {
        let whole = fingerprint();
        let short = whole.short();

        assert_eq!(whole.to_string(), FULL);
        assert_eq!(short.len(), 39);
        let read: Expected = short.parse().unwrap();
        assert_eq!(read.to_string(), short);
        assert_eq!(short.to_uppercase().replace('-', " ").parse(), Ok(read));
        assert_eq!(short.replace('-', "").parse(), Ok(read));
        assert_eq!(FULL.to_uppercase().parse(), Ok(Expected::Full(whole)));
    }

    #[test]
    fn the_short_form_is_a_prefix_of_one_fingerprint() {
        let whole = fingerprint();
        let short: Expected = whole.short().parse().unwrap();
        let changed = |at: usize| {
            let mut other = whole;
            other.0[at] ^= 1;
            other
        };

        assert!(short.matches(&whole) && Expected::Full(whole).matches(&whole));
        assert!(short.matches(&changed(SHORT_LEN)));
        assert!((0..SHORT_LEN).all(|at| !short.matches(&changed(at))));
        assert!((0..FINGERPRINT_LEN).all(|at| !Expected::Full(whole).matches(&changed(at))));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let short = fingerprint().short();
        let parse = |text: &str| text.parse::<Expected>().unwrap_err();

        assert_eq!(parse(&FULL[..95]), FingerprintError::Length(95));
        assert_eq!(parse(&short[..38]), FingerprintError::Length(31));
        assert_eq!(parse(""), FingerprintError::Length(0));
        assert_eq!(parse(&format!("{}g", &FULL[..95])), FingerprintError::NotHex('g'));
        assert_eq!(parse(&format!("{}0", &short[..38])), FingerprintError::NotBase32('0'));
        assert_eq!(parse(&"7".repeat(77)), FingerprintError::Excess);
        let form = FingerprintError::Form("address@fingerprint");
        assert_eq!("8e4df28b72".parse::<Claim>(), Err(form));
        assert!(matches!("8e4d@".parse::<Claim>(), Err(FingerprintError::Name(_))));
    }

    #[test]
    fn a_qr_code_says_all_in_its_alphanumeric_set() {
        let whole = fingerprint();
        let claim = Claim { address: ADDRESS, expected: Expected::Full(whole) };

        let text = whole.qr(ADDRESS);

        assert_eq!(text.len(), 91);
        let in_set = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b':';
        assert!(text.bytes().all(in_set));
        assert_eq!(text.parse(), Ok(claim));
        assert_eq!(claim.to_string().parse(), Ok(claim));
    }

    #[test]
    fn a_network_may_come_with_its_controllers_fingerprint() {
        let network = NetworkId(0x8e4d_f28b_7200_0001);
        let controller = Some(Expected::Full(fingerprint()));
        let confirmed = Invitation { network, controller };

        assert_eq!("8e4df28b72000001".parse(), Ok(Invitation::from(network)));
        assert_eq!(confirmed.to_string().parse(), Ok(confirmed));
        assert!("8e4df28b72000001@".parse::<Invitation>().is_err());
        assert!(format!("8e4df28b72@{FULL}").parse::<Invitation>().is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes: [u8; FINGERPRINT_LEN]) {
            let whole = Fingerprint(bytes);
            prop_assert_eq!(whole.to_string().parse(), Ok(Expected::Full(whole)));
            prop_assert!(whole.short().parse::<Expected>().unwrap().matches(&whole));
            prop_assert_eq!(whole.qr(ADDRESS).parse::<Claim>().unwrap().expected, Expected::Full(whole));
        }

        #[test]
        fn no_text_panics(text in "\\PC*", base32 in "[a-zA-Z0-9-]{30,100}") {
            for text in [text, base32] {
                let _ = (text.parse::<Expected>(), text.parse::<Claim>(), text.parse::<Invitation>());
            }
        }
    }
}
