//! The 28 bytes every packet starts with.
//!
//! ```text
//!  0          8             13         18   19       27     28
//!  +----------+-------------+----------+----+--------+------+--------
//!  | id       | destination | source   |    | mac    | verb | body ..
//!  +----------+-------------+----------+----+--------+------+--------
//!                                       |             `- encrypted from here on
//!                                       `- encrypted:1 fragmented:1 cipher:3 hops:3
//! ```
//!
//! The verb byte is `compressed:1 unused:2 verb:5`. Relays may change the three hop bits and
//! nothing else.
//!
//! Source: spec 01 §5, §6.

use core::mem::{offset_of, size_of};

use zerocopy::byteorder::big_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::address::Address;
use crate::error::{Malformed, Rejected};
use crate::limits::HEADER_LEN;
use crate::verb::Verb;

/// Where the byte of flags, cipher and hops is in a packet.
pub const FLAGS_AT: usize = offset_of!(Header, flags_cipher_hops);

/// Where the authentication tag is in a packet.
pub const MAC_AT: usize = offset_of!(Header, mac);

/// Where the verb byte is in a packet, from which on it is encrypted.
pub const VERB_AT: usize = offset_of!(Header, verb);

/// Set by a sender of protocol ≤ 12 exactly with [`Cipher::Salsa`]. Means nothing to a receiver,
/// but is authenticated.
const ENCRYPTED: u8 = 0x80;
const FRAGMENTED: u8 = 0x40;
const CIPHER_SHIFT: u32 = 3;
const CIPHER_MASK: u8 = 0x38;
const HOPS_MASK: u8 = 0x07;

const COMPRESSED: u8 = 0x80;
const VERB_MASK: u8 = 0x1f;

/// How a packet is protected.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Cipher {
    /// Poly1305 over clear text: HELLO, and the bonding verbs.
    Authenticated = 0,
    /// Salsa20/12 and Poly1305: for peers of protocol below 12.
    Salsa = 1,
    /// Nothing, on a path both ends were told to trust. The tag holds the path's ID.
    TrustedPath = 2,
    /// AES-GMAC-SIV: for peers of protocol 12 and up.
    AesGmacSiv = 3,
}

/// A packet's fixed header, read in place.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    /// Names the packet to whoever reassembles or answers it, and is the cipher's nonce.
    pub id: U64,
    /// Who the packet is for.
    pub destination: Address,
    /// Who claims to have sealed it.
    pub source: Address,
    flags_cipher_hops: u8,
    /// Authentication tag. What it covers depends on the cipher; never the hops.
    pub mac: [u8; 8],
    verb: u8,
}

const _: () = assert!(size_of::<Header>() == HEADER_LEN);

impl Header {
    /// Returns the header of a packet that was never relayed, whose tag is still to be made.
    #[must_use]
    pub const fn new(
        id: u64,
        destination: Address,
        source: Address,
        cipher: Cipher,
        verb: Verb,
    ) -> Self {
        let encrypted = match cipher {
            Cipher::Salsa => ENCRYPTED,
            Cipher::Authenticated | Cipher::TrustedPath | Cipher::AesGmacSiv => 0,
        };
        Self {
            id: U64::new(id),
            destination,
            source,
            flags_cipher_hops: encrypted | (cipher as u8) << CIPHER_SHIFT,
            mac: [0; 8],
            verb: verb as u8,
        }
    }

    /// Splits `packet` into its header and body without copying.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`] if `packet` is shorter than [`HEADER_LEN`].
    pub fn split(packet: &[u8]) -> Result<(&Self, &[u8]), Malformed> {
        Self::ref_from_prefix(packet).map_err(|_| truncated(packet.len()))
    }

    /// As [`split`](Self::split), to change both.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`] if `packet` is shorter than [`HEADER_LEN`].
    pub fn split_mut(packet: &mut [u8]) -> Result<(&mut Self, &mut [u8]), Malformed> {
        let got = packet.len();
        Self::mut_from_prefix(packet).map_err(|_| truncated(got))
    }

    /// Says whether this packet is only the first of several datagrams.
    ///
    /// The bit is authenticated, so it is set before the packet is sealed.
    pub const fn set_fragmented(&mut self, fragmented: bool) {
        self.flags_cipher_hops &= !FRAGMENTED;
        if fragmented {
            self.flags_cipher_hops |= FRAGMENTED;
        }
    }

    /// Sets how often the packet was relayed, modulo 8.
    pub const fn set_hops(&mut self, hops: u8) {
        self.flags_cipher_hops = self.flags_cipher_hops & !HOPS_MASK | hops & HOPS_MASK;
    }

    /// Returns the cipher the sender chose.
    ///
    /// # Errors
    ///
    /// [`Rejected::UnknownCipher`] for the four codes the protocol leaves unassigned.
    pub const fn cipher(&self) -> Result<Cipher, Rejected> {
        match (self.flags_cipher_hops & CIPHER_MASK) >> CIPHER_SHIFT {
            0 => Ok(Cipher::Authenticated),
            1 => Ok(Cipher::Salsa),
            2 => Ok(Cipher::TrustedPath),
            3 => Ok(Cipher::AesGmacSiv),
            _ => Err(Rejected::UnknownCipher),
        }
    }

    /// Returns how often the packet was relayed, 0 to 7.
    #[must_use]
    pub const fn hops(&self) -> u8 {
        self.flags_cipher_hops & HOPS_MASK
    }

    /// Returns whether this packet is only the first of several datagrams.
    #[must_use]
    pub const fn is_fragmented(&self) -> bool {
        self.flags_cipher_hops & FRAGMENTED != 0
    }

    /// Returns what the packet asks for, `None` if the number is unassigned.
    ///
    /// Meaningless while the packet is encrypted.
    #[must_use]
    pub const fn verb(&self) -> Option<Verb> {
        Verb::from_u8(self.verb & VERB_MASK)
    }

    /// Returns whether the body is compressed. Meaningless while the packet is encrypted.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.verb & COMPRESSED != 0
    }
}

const fn truncated(got: usize) -> Malformed {
    Malformed::Truncated { what: "packet header", need: HEADER_LEN, got }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// From hello.json, "HELLO from A to root R, no moons, same planet", cut after the first
    /// byte of the body.
    #[test]
    fn a_header_is_read_in_place() {
        let packet = hex!(
            "cb94fa4caa3f39fa" // id
            "d5b4deab9d"       // destination
            "9cf5fc3d2f"       // source
            "00"               // no flags, cipher 0, hops 0
            "9b071f62164b9fad" // mac
            "01"               // HELLO
            "0c"               // body
        );

        let (header, body) = Header::split(&packet).unwrap();

        assert_eq!(header.id.get(), 0xcb94_fa4c_aa3f_39fa);
        assert_eq!(header.destination.to_string(), "d5b4deab9d");
        assert_eq!(header.source.to_string(), "9cf5fc3d2f");
        assert_eq!(header.cipher(), Ok(Cipher::Authenticated));
        assert_eq!(header.hops(), 0);
        assert_eq!(header.mac, hex!("9b071f62164b9fad"));
        assert_eq!(header.verb(), Some(Verb::Hello));
        assert_eq!(body, [0x0c]);
    }

    #[test]
    fn every_proper_prefix_is_refused() {
        let packet = [0; HEADER_LEN];

        for len in 0..HEADER_LEN {
            assert!(Header::split(&packet[..len]).is_err(), "{len}");
        }
    }

    /// The values of spec 01 §5.2.
    #[test]
    fn flags_are_those_seen_on_the_wire() {
        let flags = |cipher, fragmented| {
            let mut header = Header::new(0, Address::NULL, Address::NULL, cipher, Verb::Nop);
            header.set_fragmented(fragmented);
            header.as_bytes()[FLAGS_AT]
        };

        assert_eq!((flags(Cipher::Authenticated, false), flags(Cipher::Salsa, false)), (0, 0x88));
        assert_eq!(
            (flags(Cipher::TrustedPath, false), flags(Cipher::AesGmacSiv, false)),
            (0x10, 0x18)
        );
        assert_eq!((flags(Cipher::Authenticated, true), flags(Cipher::Salsa, true)), (0x40, 0xc8));
        assert_eq!(
            (flags(Cipher::TrustedPath, true), flags(Cipher::AesGmacSiv, true)),
            (0x50, 0x58)
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            id: u64,
            destination: [u8; 5],
            source: [u8; 5],
            cipher in prop::sample::select(vec![
                Cipher::Authenticated,
                Cipher::Salsa,
                Cipher::TrustedPath,
                Cipher::AesGmacSiv,
            ]),
            fragmented: bool,
            hops in 0_u8..8,
        ) {
            let (destination, source) = (Address::from(destination), Address::from(source));

            let mut written = Header::new(id, destination, source, cipher, Verb::Echo);
            written.set_fragmented(fragmented);
            written.set_hops(hops);
            let (read, _) = Header::split(written.as_bytes()).unwrap();

            prop_assert_eq!(read.id.get(), id);
            prop_assert_eq!((read.destination, read.source), (destination, source));
            prop_assert_eq!(read.cipher(), Ok(cipher));
            prop_assert_eq!(read.is_fragmented(), fragmented);
            prop_assert_eq!(read.hops(), hops);
            prop_assert_eq!(read.verb(), Some(Verb::Echo));
            prop_assert!(!read.is_compressed());
        }

        #[test]
        fn relays_change_the_hop_bits_alone(mut bytes: [u8; HEADER_LEN], hops: u8) {
            let before = bytes;
            let (header, _) = Header::split_mut(&mut bytes).unwrap();

            header.set_hops(hops);

            prop_assert_eq!(header.hops(), hops % 8);
            bytes[FLAGS_AT] = bytes[FLAGS_AT] & 0xf8 | before[FLAGS_AT] & 0x07;
            prop_assert_eq!(bytes, before);
        }

        #[test]
        fn no_header_panics(bytes: [u8; HEADER_LEN]) {
            let (header, body) = Header::split(&bytes).unwrap();

            prop_assert_eq!(header.cipher().is_err(), bytes[FLAGS_AT] & 0x20 != 0);
            prop_assert!(header.verb().is_none_or(|verb| verb as u8 == bytes[VERB_AT] & 0x1f));
            prop_assert!(body.is_empty());
        }
    }
}
