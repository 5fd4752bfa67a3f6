//! Reading front to back, and writing.
//!
//! The order of the calls is the layout: nobody computes an offset.

use crate::address::{Address, Mac, NetworkId};
use crate::error::Malformed;

/// Bytes being read, front to back.
///
/// Every method returns a piece that borrows from the bytes, or [`Malformed::Truncated`].
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    /// Begins to read `bytes`; `what` they are is what errors will say.
    #[must_use]
    pub const fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, position: 0 }
    }

    /// Reads the next `len` bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`] if fewer are left.
    pub const fn bytes(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let rest = self.peek();
        let Some((piece, _)) = rest.split_at_checked(len) else {
            return Err(Malformed::Truncated { what: self.what, need: len, got: rest.len() });
        };
        self.position += len;
        Ok(piece)
    }

    /// Reads the next `N` bytes as an array.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`] if fewer are left, as for every read below.
    pub const fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let rest = self.peek();
        let Some(array) = rest.first_chunk() else {
            return Err(Malformed::Truncated { what: self.what, need: N, got: rest.len() });
        };
        self.position += N;
        Ok(array)
    }

    /// Reads one byte.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`].
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|&[byte]| byte)
    }

    /// Reads a 16-bit integer.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`].
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(|&bytes| u16::from_be_bytes(bytes))
    }

    /// Reads a 32-bit integer.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`].
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(|&bytes| u32::from_be_bytes(bytes))
    }

    /// Reads a 64-bit integer.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`].
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(|&bytes| u64::from_be_bytes(bytes))
    }

    /// Reads a node's address, five bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`]. Reserved addresses are not refused.
    pub fn address(&mut self) -> Result<Address, Malformed> {
        self.array::<5>().map(|&bytes| Address::from(bytes))
    }

    /// Reads a network ID, eight bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`].
    pub fn network(&mut self) -> Result<NetworkId, Malformed> {
        self.u64().map(NetworkId)
    }

    /// Reads an Ethernet address, six bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`].
    pub fn mac(&mut self) -> Result<Mac, Malformed> {
        self.array::<6>().map(|&bytes| Mac::from(bytes))
    }

    /// Reads a value by a function that is given what is left and returns the value and its length.
    ///
    /// # Errors
    ///
    /// Those of `read_prefix`, and [`Malformed::Truncated`] if it claims more than there is.
    pub fn value<T>(
        &mut self,
        read_prefix: impl FnOnce(&'a [u8]) -> Result<(T, usize), Malformed>,
    ) -> Result<T, Malformed> {
        let (value, len) = read_prefix(self.peek())?;
        self.bytes(len)?;
        Ok(value)
    }

    /// Reads all that is left, which may be nothing.
    pub const fn rest(&mut self) -> &'a [u8] {
        let rest = self.peek();
        self.position = self.bytes.len();
        rest
    }

    /// Returns what is left without reading it.
    #[must_use]
    pub const fn peek(&self) -> &'a [u8] {
        // The position never passes the end, so the split never fails.
        match self.bytes.split_at_checked(self.position) {
            Some((_, rest)) => rest,
            None => &[],
        }
    }

    /// Returns what has been read so far.
    #[must_use]
    pub fn consumed(&self) -> &'a [u8] {
        &self.bytes[..self.position]
    }

    /// Returns how many bytes have been read.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Returns how many bytes are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// Returns whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.remaining() == 0
    }
}

/// Bytes being written, front to back.
pub trait Put {
    /// Appends `bytes`.
    fn put(&mut self, bytes: &[u8]);

    /// Appends one byte.
    fn put_u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    /// Appends a 16-bit integer.
    fn put_u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    /// Appends a 32-bit integer.
    fn put_u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// Appends a 64-bit integer.
    fn put_u64(&mut self, value: u64) {
        self.put(&value.to_be_bytes());
    }

    /// Appends a node's address.
    fn put_address(&mut self, address: Address) {
        self.put(&address.to_bytes());
    }

    /// Appends a network ID.
    fn put_network(&mut self, network: NetworkId) {
        self.put(&network.to_bytes());
    }

    /// Appends an Ethernet address.
    fn put_mac(&mut self, mac: Mac) {
        self.put(&mac.to_bytes());
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    #[test]
    fn the_order_of_the_calls_is_the_layout() {
        let bytes = hex!("01 0203 04050607 08090a0b0c0d0e0f a1a2a3a4a5 b1b2b3b4b5b6 c1c2");
        let mut reader = Reader::new("test", &bytes);

        assert_eq!(reader.u8(), Ok(0x01));
        assert_eq!(reader.u16(), Ok(0x0203));
        assert_eq!(reader.u32(), Ok(0x0405_0607));
        assert_eq!(reader.u64(), Ok(0x0809_0a0b_0c0d_0e0f));
        assert_eq!(reader.address().map(Address::to_bytes), Ok(hex!("a1a2a3a4a5")));
        assert_eq!(reader.mac().map(Mac::to_bytes), Ok(hex!("b1b2b3b4b5b6")));
        assert_eq!((reader.position(), reader.remaining()), (26, 2));
        assert_eq!(reader.rest(), hex!("c1c2"));
        assert!(reader.is_empty());
    }

    #[test]
    fn what_was_put_is_read_back() {
        let mut out = Vec::new();
        out.put_u8(1);
        out.put_u16(2);
        out.put_u32(3);
        out.put_u64(4);
        out.put_address(Address::from_u64(5));
        out.put_network(NetworkId(6));
        out.put_mac(Mac::BROADCAST);
        let mut reader = Reader::new("test", &out);

        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(2));
        assert_eq!(reader.u32(), Ok(3));
        assert_eq!(reader.u64(), Ok(4));
        assert_eq!(reader.address(), Ok(Address::from_u64(5)));
        assert_eq!(reader.network(), Ok(NetworkId(6)));
        assert_eq!(reader.mac(), Ok(Mac::BROADCAST));
        assert!(reader.is_empty());
    }

    #[test]
    fn a_read_past_the_end_reads_nothing() {
        let mut reader = Reader::new("test", &[7, 8]);

        assert_eq!(reader.u32(), Err(Malformed::Truncated { what: "test", need: 4, got: 2 }));
        assert_eq!(reader.bytes(usize::MAX).map(<[u8]>::len).ok(), None);
        assert_eq!(reader.u16(), Ok(0x0708));
    }

    #[test]
    fn a_value_that_claims_more_than_there_is_is_refused() {
        let mut reader = Reader::new("test", &[1, 2]);

        assert!(reader.value(|_| Ok(((), 3))).is_err());
        assert_eq!(reader.value(|bytes| Ok((bytes[0], 1))), Ok(1));
        assert_eq!(reader.peek(), [2]);
    }
}
