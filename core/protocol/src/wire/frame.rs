//! FRAME and EXT_FRAME: one Ethernet frame.
//!
//! ```text
//!  FRAME       0         8           10
//!              +---------+-----------+------------
//!              | network | ethertype | payload ..     between the two nodes' own MACs
//!              +---------+-----------+------------
//!
//!  EXT_FRAME   0         8       9              .. +0          +6       +12         +14
//!              +---------+-------+--------------+-------------+--------+-----------+------------
//!              | network | flags | (membership) | destination | source | ethertype | payload ..
//!              +---------+-------+--------------+-------------+--------+-----------+------------
//!                         01 a membership certificate is there (legacy)
//!                         0e why rules had the frame sent to a node it is not for
//!                         10 an OK is wanted
//! ```
//!
//! The payload is without Ethernet header and padding.
//!
//! Source: spec 03 §8.7, §9.1.

use crate::address::{Mac, NetworkId};
use crate::credential::Membership;
use crate::error::Malformed;
use crate::rules::{Direction, Purpose};
use crate::transmit::Frame;
use crate::verb::Verb;
use crate::wire::cursor::{Put, Reader};
use crate::wire::reply;

/// Length of what precedes the payload of a FRAME, in bytes.
pub const PLAIN_HEADER_LEN: usize = 10;

/// Length of what precedes the payload of an EXT_FRAME without certificate, in bytes.
pub const EXT_HEADER_LEN: usize = 23;

const MEMBERSHIP_ATTACHED: u8 = 0x01;
const ACK_WANTED: u8 = 0x10;

/// The body of a FRAME.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PlainFrame<'a> {
    /// The network it is on.
    pub network: NetworkId,
    /// What the payload is.
    pub ethertype: u16,
    /// What follows the Ethernet header.
    pub payload: &'a [u8],
}

impl<'a> PlainFrame<'a> {
    /// Reads a FRAME body.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`].
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("FRAME", body);
        Ok(Self { network: reader.network()?, ethertype: reader.u16()?, payload: reader.rest() })
    }

    /// Returns what precedes the payload.
    #[must_use]
    pub fn header(network: NetworkId, ethertype: u16) -> [u8; PLAIN_HEADER_LEN] {
        let mut out = [0; PLAIN_HEADER_LEN];
        out[..8].copy_from_slice(&network.to_bytes());
        out[8..].copy_from_slice(&ethertype.to_be_bytes());
        out
    }
}

/// The body of an EXT_FRAME.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExtFrame<'a> {
    /// The network it is on.
    pub network: NetworkId,
    flags: u8,
    /// The sender's membership certificate, which old nodes attach.
    pub membership: Option<Membership>,
    /// Who the frame is for.
    pub destination: Mac,
    /// Who the frame is from.
    pub source: Mac,
    /// What the payload is.
    pub ethertype: u16,
    /// What follows the Ethernet header.
    pub payload: &'a [u8],
}

impl<'a> ExtFrame<'a> {
    /// Reads an EXT_FRAME body.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if it is truncated or the certificate cannot be read.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("EXT_FRAME", body);
        let network = reader.network()?;
        let flags = reader.u8()?;
        let membership = if flags & MEMBERSHIP_ATTACHED != 0 {
            Some(reader.value(Membership::read_prefix)?)
        } else {
            None
        };

        Ok(Self {
            network,
            flags,
            membership,
            destination: reader.mac()?,
            source: reader.mac()?,
            ethertype: reader.u16()?,
            payload: reader.rest(),
        })
    }

    /// Returns what precedes the payload of a frame with no flags set.
    #[must_use]
    pub fn header(
        network: NetworkId,
        destination: Mac,
        source: Mac,
        ethertype: u16,
    ) -> [u8; EXT_HEADER_LEN] {
        let mut out = [0; EXT_HEADER_LEN];
        out[..8].copy_from_slice(&network.to_bytes());
        out[9..15].copy_from_slice(&destination.to_bytes());
        out[15..21].copy_from_slice(&source.to_bytes());
        out[21..].copy_from_slice(&ethertype.to_be_bytes());
        out
    }

    /// Returns what precedes the payload of a frame that rules have sent to a third node on its
    /// way in or out (spec 03 §8.7).
    #[must_use]
    pub fn copy_header(
        network: NetworkId,
        direction: Direction,
        purpose: Purpose,
        frame: &Frame<'_>,
    ) -> [u8; EXT_HEADER_LEN] {
        let mut out = Self::header(network, frame.destination, frame.source, frame.ethertype);
        out[8] = match (purpose, direction) {
            (Purpose::Tee, Direction::Outbound) => 0x02,
            (Purpose::Tee, Direction::Inbound) => 0x08,
            (Purpose::Watch, Direction::Outbound) => ACK_WANTED | 0x06,
            (Purpose::Watch, Direction::Inbound) => ACK_WANTED | 0x0c,
            (Purpose::Redirect, Direction::Outbound) => 0x04,
            (Purpose::Redirect, Direction::Inbound) => 0x0a,
        };
        out
    }

    /// Returns whether the sender wants an OK.
    #[must_use]
    pub const fn wants_ack(&self) -> bool {
        self.flags & ACK_WANTED != 0
    }
}

/// Returns the body of the OK to the EXT_FRAME `packet_id`.
#[must_use]
pub fn acknowledge(packet_id: u64, network: NetworkId) -> Vec<u8> {
    let mut out = reply::ok(Verb::ExtFrame, packet_id);
    out.put_network(network);
    out
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;
    use crate::vectors::{bytes, case, load};

    const NETWORK: NetworkId = NetworkId(0x3f6e_a8ef_0000_0001);

    /// From frames.json, "FRAME a->b", the payload cut short.
    #[test]
    fn a_plain_frame_is_read() {
        let body = hex!(
            "3f6ea8ef00000001" // network
            "0800"             // IPv4
            "4500001c"         // payload
        );

        let frame = PlainFrame::read(&body).unwrap();

        assert_eq!(frame.network, NETWORK);
        assert_eq!(frame.ethertype, 0x0800);
        assert_eq!(frame.payload, hex!("4500001c"));
        for len in 0..PLAIN_HEADER_LEN {
            assert!(PlainFrame::read(&body[..len]).is_err(), "{len}");
        }
    }

    /// From frames.json, "EXT_FRAME with ACK requested", the payload cut short.
    #[test]
    fn an_extended_frame_is_read() {
        let body = hex!(
            "3f6ea8ef00000001" // network
            "10"               // an OK is wanted
            "02c602cb5a2f"     // destination
            "026e43f147f7"     // source
            "0800"             // IPv4
            "4500001c"         // payload
        );

        let frame = ExtFrame::read(&body).unwrap();

        assert_eq!(frame.network, NETWORK);
        assert!(frame.wants_ack());
        assert_eq!(frame.membership, None);
        assert_eq!(frame.destination.to_string(), "02:c6:02:cb:5a:2f");
        assert_eq!(frame.source.to_string(), "02:6e:43:f1:47:f7");
        assert_eq!(frame.ethertype, 0x0800);
        assert_eq!(frame.payload, hex!("4500001c"));
        for len in 0..EXT_HEADER_LEN {
            assert!(ExtFrame::read(&body[..len]).is_err(), "{len}");
        }
    }

    /// From frames.json, "EXT_FRAME with inline COM".
    #[test]
    fn an_extended_frame_may_bring_a_certificate() {
        let name = "EXT_FRAME with inline COM (flag 0x01, deprecated): COM learned, frame accepted";
        let vectors = load("frames.json");
        let body = bytes(&case(&vectors, name)["payload"]);
        let certificate_end = 9 + 272;

        let frame = ExtFrame::read(&body).unwrap();

        assert_eq!(frame.membership.unwrap().network(), NETWORK);
        assert_eq!(frame.payload, &body[certificate_end + 14..]);
        for len in 0..certificate_end + 14 {
            assert!(ExtFrame::read(&body[..len]).is_err(), "{len}");
        }
    }

    /// From frames.json, the reply to "EXT_FRAME with ACK requested".
    #[test]
    fn an_extended_frame_is_acknowledged_as_the_reference_does() {
        assert_eq!(
            acknowledge(0xecc2_c98f_1ee5_1dde, NETWORK),
            hex!("07 ecc2c98f1ee51dde 3f6ea8ef00000001")
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            network: u64,
            destination: [u8; 6],
            source: [u8; 6],
            ethertype: u16,
            payload: Vec<u8>,
        ) {
            let network = NetworkId(network);
            let (destination, source) = (Mac::from(destination), Mac::from(source));

            let plain = [&PlainFrame::header(network, ethertype), &payload[..]].concat();
            let ext_header = ExtFrame::header(network, destination, source, ethertype);
            let ext = [&ext_header, &payload[..]].concat();

            let expected = PlainFrame { network, ethertype, payload: &payload };
            prop_assert_eq!(PlainFrame::read(&plain), Ok(expected));
            let expected = ExtFrame {
                network,
                flags: 0,
                membership: None,
                destination,
                source,
                ethertype,
                payload: &payload,
            };
            prop_assert_eq!(ExtFrame::read(&ext), Ok(expected));
        }

        #[test]
        fn no_input_panics(body: Vec<u8>) {
            let _ = PlainFrame::read(&body);
            let _ = ExtFrame::read(&body);
        }
    }
}
