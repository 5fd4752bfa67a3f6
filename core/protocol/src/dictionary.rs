//! `key=value` lines with escaped values: how configurations and request metadata travel.
//!
//! Source: spec 01 §17.

use crate::address::Address;

/// A dictionary being read: borrowed bytes, looked up by key, first match wins.
#[derive(Clone, Copy, Debug)]
pub struct Dictionary<'a>(&'a [u8]);

impl<'a> Dictionary<'a> {
    /// Wraps `bytes`; nothing is checked, everything is lenient as the specification says.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
    /// Returns the unescaped value of `key`.
    pub fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        todo!()
    }
    /// Returns the value as text, invalid UTF-8 replaced.
    pub fn text(&self, key: &str) -> Option<String> {
        todo!()
    }
    /// Returns the value as a number, read like C `strtoull` base 16; `None` if missing or empty.
    pub fn hex(&self, key: &str) -> Option<u64> {
        todo!()
    }
    /// As `hex`, read like `strtoll`.
    pub fn signed_hex(&self, key: &str) -> Option<i64> {
        todo!()
    }
    /// Returns whether the value begins with `1`, `t` or `T`.
    pub fn bool(&self, key: &str) -> Option<bool> {
        todo!()
    }
}

/// A dictionary being written, entries in the order they are added.
#[derive(Clone, Debug, Default)]
pub struct DictionaryWriter(Vec<u8>);

impl DictionaryWriter {
    /// Adds an escaped value.
    pub fn bytes(&mut self, key: &str, value: &[u8]) -> &mut Self {
        todo!()
    }
    /// Adds a text.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        todo!()
    }
    /// Adds 16 lower-case hex digits.
    pub fn hex(&mut self, key: &str, value: u64) -> &mut Self {
        todo!()
    }
    /// Adds an address, as 10 hex digits. (check the vectors which width the reference uses where)
    pub fn address(&mut self, key: &str, value: Address) -> &mut Self {
        todo!()
    }
    /// Adds `1` or `0`.
    pub fn bool(&mut self, key: &str, value: bool) -> &mut Self {
        todo!()
    }
    /// Returns the bytes, without a terminator.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}
