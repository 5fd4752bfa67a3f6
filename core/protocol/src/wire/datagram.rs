//! What a UDP datagram is, told by its length and one byte.
//!
//! | length | byte 13 | is |
//! |---|---|---|
//! | 13 | | a beacon of protocol ≤ 12 |
//! | up to 16 | | noise, or a NAT being opened |
//! | 17 to 10024 | 0xff | a fragment |
//! | 17 to 27 | other | noise |
//! | 28 to 10024 | other | a packet, or the head of a fragmented one |
//! | above | | noise |
//!
//! Source: spec 01 §11.1.

use crate::address::Address;
use crate::error::Rejected;
use crate::limits::{FRAGMENT_HEADER_LEN, HEADER_LEN, PACKET_LEN_MAX};
use crate::wire::fragment::FRAGMENT_INDICATOR;

const INDICATOR_AT: usize = 13;

/// What a datagram is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Datagram {
    /// A node on the same link says that it is there. Nothing vouches for it.
    Beacon(Address),
    /// A part of a packet, to be read as [`FragmentHeader`](crate::wire::fragment::FragmentHeader).
    Fragment,
    /// A packet or the head of one, to be read as [`Header`](crate::wire::header::Header).
    Packet,
}

impl Datagram {
    /// Tells what `datagram` is.
    ///
    /// # Errors
    ///
    /// [`Rejected::TooShort`] or [`Rejected::TooLong`].
    pub fn classify(datagram: &[u8]) -> Result<Self, Rejected> {
        match datagram {
            &[_, _, _, _, _, _, _, _, a, b, c, d, e] => Ok(Self::Beacon([a, b, c, d, e].into())),
            _ if datagram.len() <= FRAGMENT_HEADER_LEN => Err(Rejected::TooShort),
            _ if datagram.len() > PACKET_LEN_MAX => Err(Rejected::TooLong),
            _ if datagram[INDICATOR_AT] == FRAGMENT_INDICATOR => Ok(Self::Fragment),
            _ if datagram.len() < HEADER_LEN => Err(Rejected::TooShort),
            _ => Ok(Self::Packet),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_told_by_its_length_and_one_byte() {
        let fragment = |len| Datagram::classify(&vec![0xff; len]);
        let packet = |len| Datagram::classify(&vec![0x01; len]);
        let too_short = Err(Rejected::TooShort);
        let too_long = Err(Rejected::TooLong);

        assert_eq!(packet(13), Ok(Datagram::Beacon(Address::from([1; 5]))));
        for len in [0, 1, 4, 12, 14, 16] {
            assert_eq!((fragment(len), packet(len)), (too_short, too_short), "{len}");
        }
        for len in [17, 27] {
            assert_eq!((fragment(len), packet(len)), (Ok(Datagram::Fragment), too_short), "{len}");
        }
        for len in [28, 10_024] {
            assert_eq!(
                (fragment(len), packet(len)),
                (Ok(Datagram::Fragment), Ok(Datagram::Packet))
            );
        }
        assert_eq!((fragment(10_025), packet(10_025)), (too_long, too_long));
    }
}
