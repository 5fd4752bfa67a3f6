//! `key=value` lines with escaped values: how configurations and request metadata travel.
//!
//! ```text
//! nwid=8056c2e21c000001\n
//! n=a name with \= escaped as \\e\n
//! mtu=0000000000000af0
//! ```
//!
//! Keys are plain; in values NUL, LF, CR, `\` and `=` are escaped by a backslash. A raw NUL ends
//! the dictionary, a raw CR or LF ends a line. Reading is lenient: lines without `=` and unknown
//! keys are ignored, and of a key that occurs twice the first counts.
//!
//! Source: spec 01 §17.

use crate::address::Address;

/// A dictionary being read: borrowed bytes, looked up by key, first match wins.
///
/// Each lookup scans the bytes from the start, so its cost is their length.
#[derive(Clone, Copy, Debug)]
pub struct Dictionary<'a>(&'a [u8]);

impl<'a> Dictionary<'a> {
    /// Wraps `bytes`; nothing is checked, everything is lenient as the specification says.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        Self(&bytes[..end])
    }

    /// Returns the unescaped value of `key`, empty if there is nothing after the `=`.
    ///
    /// The value is at most as long as the dictionary.
    #[must_use]
    pub fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        Some(self.value(key)?.collect())
    }

    /// Returns the value of `key` as text, invalid UTF-8 replaced.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        Some(String::from_utf8_lossy(&self.bytes(key)?).into_owned())
    }

    /// Returns the value of `key` as a number; `None` if missing or empty.
    ///
    /// Read like C `strtoull` in base 16: blanks, a sign and `0x` may precede the digits, whatever
    /// follows them is ignored, no digits are 0, too many are `u64::MAX`, and a minus wraps.
    #[must_use]
    pub fn hex(&self, key: &str) -> Option<u64> {
        let number = self.number(key)?;
        Some(match number.magnitude {
            Some(magnitude) if number.negative => magnitude.wrapping_neg(),
            Some(magnitude) => magnitude,
            None => u64::MAX,
        })
    }

    /// As [`hex`](Self::hex), but read like C `strtoll`: too large is `i64::MAX` or `i64::MIN`.
    #[must_use]
    pub fn signed_hex(&self, key: &str) -> Option<i64> {
        let number = self.number(key)?;
        let magnitude = i128::from(number.magnitude.unwrap_or(u64::MAX));
        let value = if number.negative { -magnitude } else { magnitude };
        Some(i64::try_from(value).unwrap_or(if number.negative { i64::MIN } else { i64::MAX }))
    }

    /// Returns whether the value of `key` begins with `1`, `t` or `T`.
    #[must_use]
    pub fn bool(&self, key: &str) -> Option<bool> {
        Some(matches!(self.value(key)?.next(), Some(b'1' | b't' | b'T')))
    }

    fn value(&self, key: &str) -> Option<Unescape<'a>> {
        self.0
            .split(|byte| matches!(byte, b'\r' | b'\n'))
            .find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b"="))
            .map(Unescape)
    }

    fn number(&self, key: &str) -> Option<Number> {
        let value = self.value(key)?;
        let is_empty = value.clone().next().is_none();
        (!is_empty).then(|| Number::read(value))
    }
}

/// The bytes of a value, escapes undone.
#[derive(Clone)]
struct Unescape<'a>(&'a [u8]);

impl Iterator for Unescape<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = match self.0 {
            [b'\\', b'0', rest @ ..] => (0, rest),
            [b'\\', b'n', rest @ ..] => (b'\n', rest),
            [b'\\', b'r', rest @ ..] => (b'\r', rest),
            [b'\\', b'e', rest @ ..] => (b'=', rest),
            [b'\\', other, rest @ ..] => (*other, rest),
            [b'\\'] | [] => return None,
            [plain, rest @ ..] => (*plain, rest),
        };
        self.0 = rest;
        Some(byte)
    }
}

/// A number as C reads it, before the sign is applied.
struct Number {
    negative: bool,
    /// `None` if it does not fit.
    magnitude: Option<u64>,
}

impl Number {
    fn read(text: impl Iterator<Item = u8> + Clone) -> Self {
        let mut rest = text.skip_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).peekable();
        let sign = rest.next_if(|byte| matches!(byte, b'+' | b'-'));

        // A `0x` that no digit follows is a plain 0, which is what is left if it is skipped.
        let mut behind_prefix = rest.clone();
        if behind_prefix.next() == Some(b'0') && matches!(behind_prefix.next(), Some(b'x' | b'X')) {
            rest = behind_prefix;
        }

        let magnitude = rest
            .map_while(|byte| char::from(byte).to_digit(16))
            .try_fold(0_u64, |sum, digit| Some(sum.checked_mul(16)? | u64::from(digit)));
        Self { negative: sign == Some(b'-'), magnitude }
    }
}

/// A dictionary being written, entries in the order they are added.
///
/// Keys must be free of NUL, CR, LF and `=`; they are constants of the protocol. The same key
/// added twice is written twice, and readers take the first.
#[derive(Clone, Debug, Default)]
pub struct DictionaryWriter(Vec<u8>);

impl DictionaryWriter {
    /// Adds a value of any bytes.
    pub fn bytes(&mut self, key: &str, value: &[u8]) -> &mut Self {
        debug_assert!(!key.bytes().any(|byte| matches!(byte, 0 | b'\r' | b'\n' | b'=')));
        if !self.0.is_empty() {
            self.0.push(b'\n');
        }
        self.0.extend_from_slice(key.as_bytes());
        self.0.push(b'=');
        for &byte in value {
            match byte {
                0 => self.0.extend_from_slice(b"\\0"),
                b'\n' => self.0.extend_from_slice(b"\\n"),
                b'\r' => self.0.extend_from_slice(b"\\r"),
                b'\\' => self.0.extend_from_slice(b"\\\\"),
                b'=' => self.0.extend_from_slice(b"\\e"),
                plain => self.0.push(plain),
            }
        }
        self
    }

    /// Adds a text.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.bytes(key, value.as_bytes())
    }

    /// Adds a number, as 16 lower-case hex digits.
    pub fn hex(&mut self, key: &str, value: u64) -> &mut Self {
        self.text(key, &format!("{value:016x}"))
    }

    /// Adds an address, as the reference does: a number of 16 digits.
    pub fn address(&mut self, key: &str, value: Address) -> &mut Self {
        self.hex(key, value.to_u64())
    }

    /// Adds `1` or `0`.
    pub fn bool(&mut self, key: &str, value: bool) -> &mut Self {
        self.text(key, if value { "1" } else { "0" })
    }

    /// Returns the length so far, in bytes, without a terminator.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the bytes, without a terminator.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(key: &str, value: &[u8]) -> Vec<u8> {
        let mut writer = DictionaryWriter::default();
        writer.bytes(key, value);
        writer.finish()
    }

    #[test]
    fn what_would_break_a_line_is_escaped() {
        let bytes = written("x", b"\0\r\n\\=z");

        assert_eq!(bytes, b"x=\\0\\r\\n\\\\\\ez");
        assert_eq!(Dictionary::new(&bytes).bytes("x").unwrap(), b"\0\r\n\\=z");
    }

    #[test]
    fn the_first_of_two_equal_keys_counts() {
        let dictionary = Dictionary::new(b"k=first\nk=second");

        assert_eq!(dictionary.text("k").as_deref(), Some("first"));
        assert_eq!(dictionary.text("missing"), None);
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        let hex = |text: &str| Dictionary::new(&written("n", text.as_bytes())).hex("n");

        assert_eq!(hex(""), None);
        assert_eq!(hex("00000000000000ff"), Some(0xff));
        assert_eq!(hex(" \t+0Xfz"), Some(15));
        assert_eq!(hex("0x"), Some(0));
        assert_eq!(hex("zz"), Some(0));
        assert_eq!(hex("-1"), Some(u64::MAX));
        assert_eq!(hex("10000000000000000"), Some(u64::MAX));
        assert_eq!(hex("-10000000000000000"), Some(u64::MAX));
    }

    #[test]
    fn signed_numbers_stop_at_their_bounds() {
        let signed = |text: &str| Dictionary::new(&written("n", text.as_bytes())).signed_hex("n");

        assert_eq!(signed("-ff"), Some(-255));
        assert_eq!(signed("ffffffffffffffff"), Some(i64::MAX));
        assert_eq!(signed("-ffffffffffffffff"), Some(i64::MIN));
        assert_eq!(signed("-8000000000000000"), Some(i64::MIN));
    }

    #[test]
    fn a_backslash_does_not_protect_a_raw_line_end() {
        assert_eq!(Dictionary::new(b"a=1\\\nb=2").text("a").as_deref(), Some("1"));
        assert_eq!(Dictionary::new(b"a=1\\\nb=2").text("b").as_deref(), Some("2"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            value in proptest::collection::vec(any::<u8>(), 0..64),
            other in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut writer = DictionaryWriter::default();
            writer.bytes("other", &other).bytes("key", &value);
            let bytes = writer.finish();

            prop_assert!(!bytes.contains(&0));
            prop_assert_eq!(Dictionary::new(&bytes).bytes("key"), Some(value));
            prop_assert_eq!(Dictionary::new(&bytes).bytes("other"), Some(other));
        }

        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let dictionary = Dictionary::new(&bytes);
            let _ = (dictionary.bytes(""), dictionary.hex(""), dictionary.signed_hex(""));
            let _ = (dictionary.text(""), dictionary.bool(""));
        }
    }
}
