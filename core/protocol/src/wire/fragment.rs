//! The 16 bytes every datagram of a packet but the first starts with.
//!
//! ```text
//!  0           8             13     14               15     16
//!  +-----------+-------------+------+----------------+------+--------
//!  | packet id | destination | 0xff | total:4 part:4 | hops | data ..
//!  +-----------+-------------+------+----------------+------+--------
//! ```
//!
//! The first datagram, part 0, has the packet's own header, which does not say how many there are.
//! No address begins with 0xff, so byte 13 tells the two apart.
//!
//! Source: spec 01 §10.2, §10.3.

use core::mem::size_of;

use zerocopy::byteorder::big_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::address::Address;
use crate::error::{Malformed, Rejected};
use crate::limits::{FRAGMENT_HEADER_LEN, FRAGMENTS_MAX};

/// What a fragment has where a packet has the first byte of its source.
pub const FRAGMENT_INDICATOR: u8 = 0xff;

/// A fragment's fixed header, read in place.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FragmentHeader {
    /// The sealed packet's ID.
    pub packet_id: U64,
    /// Who the packet is for.
    pub destination: Address,
    indicator: u8,
    total_part: u8,
    /// How often the fragment was relayed. Not authenticated.
    pub hops: u8,
}

const _: () = assert!(size_of::<FragmentHeader>() == FRAGMENT_HEADER_LEN);

/// Which part of its packet a fragment is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part {
    /// This part, 1 to `total` - 1.
    pub number: u8,
    /// How many datagrams the packet was cut into, 2 to [`FRAGMENTS_MAX`].
    pub total: u8,
}

impl FragmentHeader {
    /// Returns the header of a fragment that was never relayed.
    #[must_use]
    pub const fn new(packet_id: u64, destination: Address, part: Part) -> Self {
        debug_assert!(part.is_valid());
        Self {
            packet_id: U64::new(packet_id),
            destination,
            indicator: FRAGMENT_INDICATOR,
            total_part: part.total << 4 | part.number & 0x0f,
            hops: 0,
        }
    }

    /// Splits `datagram` into its fragment header and data without copying.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`] if there is not a byte of data.
    pub fn split(datagram: &[u8]) -> Result<(&Self, &[u8]), Malformed> {
        match Self::ref_from_prefix(datagram) {
            Ok((header, data)) if !data.is_empty() => Ok((header, data)),
            _ => Err(Malformed::Truncated {
                what: "fragment",
                need: FRAGMENT_HEADER_LEN + 1,
                got: datagram.len(),
            }),
        }
    }

    /// Returns which part of its packet this is.
    ///
    /// # Errors
    ///
    /// [`Rejected::BadFragment`] if the packet has no such part, or more than [`FRAGMENTS_MAX`].
    pub const fn part(&self) -> Result<Part, Rejected> {
        let part = Part { number: self.total_part & 0x0f, total: self.total_part >> 4 };
        if part.is_valid() { Ok(part) } else { Err(Rejected::BadFragment) }
    }
}

impl Part {
    const fn is_valid(self) -> bool {
        1 <= self.number && self.number < self.total && self.total as usize <= FRAGMENTS_MAX
    }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// From fragments.json, "size-1433-mtu-1432-cipher-3".
    #[test]
    fn a_fragment_is_read_in_place() {
        let datagram = hex!(
            "e172e7e1d4381b83" // packet id
            "f9d05d89db"       // destination
            "ff"               // fragment
            "21"               // 2 in all, this is 1
            "00"               // hops
            "af"               // data
        );

        let (header, data) = FragmentHeader::split(&datagram).unwrap();

        assert_eq!(header.packet_id.get(), 0xe172_e7e1_d438_1b83);
        assert_eq!(header.destination.to_string(), "f9d05d89db");
        assert_eq!(header.part(), Ok(Part { number: 1, total: 2 }));
        assert_eq!(header.hops, 0);
        assert_eq!(data, hex!("af"));
    }

    #[test]
    fn a_fragment_without_data_is_refused() {
        for len in 0..=FRAGMENT_HEADER_LEN {
            assert!(FragmentHeader::split(&[0xff; FRAGMENT_HEADER_LEN][..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn parts_are_between_the_head_and_the_total() {
        let part = |number, total| {
            let mut datagram = [0xff; 17];
            datagram[14] = total << 4 | number;
            FragmentHeader::split(&datagram).unwrap().0.part()
        };

        for (number, total) in [(1, 2), (1, 7), (6, 7)] {
            assert_eq!(part(number, total), Ok(Part { number, total }));
        }
        for (number, total) in [(0, 2), (1, 0), (1, 1), (2, 2), (3, 2), (7, 7), (1, 8), (15, 15)] {
            assert_eq!(part(number, total), Err(Rejected::BadFragment), "{number} of {total}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(id: u64, to: [u8; 5], total in 2_u8..=7, number in 1_u8..7) {
            prop_assume!(number < total);
            let part = Part { number, total };

            let mut datagram = FragmentHeader::new(id, to.into(), part).as_bytes().to_vec();
            datagram.push(0);
            let (read, _) = FragmentHeader::split(&datagram).unwrap();

            prop_assert_eq!(datagram[13], FRAGMENT_INDICATOR);
            prop_assert_eq!((read.packet_id.get(), read.destination), (id, Address::from(to)));
            prop_assert_eq!((read.part(), read.hops), (Ok(part), 0));
        }
    }
}
