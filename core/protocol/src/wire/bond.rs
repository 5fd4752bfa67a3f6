//! What peers that bond say about their paths.
//!
//! ```text
//! PATH_NEGOTIATION_REQUEST   utility (2, signed)
//! QOS_MEASUREMENT            packet ID (8) | holding time in ms (2) | … both as the sender's
//!                            processor writes integers
//! ```
//!
//! Source: spec 02 §2.12.

use crate::error::Malformed;
use crate::wire::cursor::Reader;

/// The least and the most bytes of a QOS_MEASUREMENT.
const MEASUREMENT_LEN: core::ops::RangeInclusive<usize> = 9..=1_400;

/// Reads how much the sender wants the path to be used that it writes on.
///
/// # Errors
///
/// [`Malformed`] unless these are exactly two bytes.
pub fn read_negotiation(body: &[u8]) -> Result<i16, Malformed> {
    let mut reader = Reader::new("PATH_NEGOTIATION_REQUEST", body);
    let utility = reader.u16()?.cast_signed();
    if reader.peek().is_empty() {
        Ok(utility)
    } else {
        Err(Malformed::TooLong { what: "PATH_NEGOTIATION_REQUEST", max: 2 })
    }
}

/// Writes how much this node wants the path to be used that it writes on.
#[must_use]
pub fn write_negotiation(utility: i16) -> Vec<u8> {
    utility.to_be_bytes().to_vec()
}

/// Checks that this may be a QOS_MEASUREMENT. Its records are not read: they are about packets the
/// receiver has kept book of, and this node keeps none.
///
/// # Errors
///
/// [`Malformed`] if it is too short or too long.
pub fn check_measurement(body: &[u8]) -> Result<(), Malformed> {
    if MEASUREMENT_LEN.contains(&body.len()) {
        Ok(())
    } else {
        Err(Malformed::Inconsistent { what: "the length of the QOS_MEASUREMENT" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_utility_is_two_bytes_the_higher_first() {
        assert_eq!(read_negotiation(&[0x01, 0x02]), Ok(258));
        assert_eq!(read_negotiation(&[0xff, 0xfe]), Ok(-2));
        assert_eq!(write_negotiation(-2), [0xff, 0xfe]);
    }

    #[test]
    fn a_negotiation_of_another_length_is_refused() {
        for body in [&[][..], &[1], &[1, 2, 3]] {
            assert!(read_negotiation(body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_measurement_is_9_to_1400_bytes_long() {
        let lengths = (0..2_000).filter(|&len| check_measurement(&vec![0; len]).is_ok());

        assert!(lengths.eq(9..=1_400));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(utility: i16) {
            prop_assert_eq!(read_negotiation(&write_negotiation(utility)), Ok(utility));
        }

        #[test]
        fn no_input_panics(body: Vec<u8>) {
            let _ = (read_negotiation(&body), check_measurement(&body));
        }
    }
}
