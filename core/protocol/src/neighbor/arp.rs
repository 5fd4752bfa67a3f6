//! ARP for IPv4 over Ethernet: 28 bytes, ethertype 0x0806.
//!
//! ```text
//!  0       2       4  5  6       8            14        18           24        28
//!  +-------+-------+--+--+-------+------------+---------+------------+---------+
//!  | 0001  | 0800  |06|04| 1 or 2| sender MAC | sender  | target MAC | target  |
//!  +-------+-------+--+--+-------+------------+---------+------------+---------+
//! ```
//!
//! Source: RFC 826, spec 03 §10.2.

use core::net::Ipv4Addr;

use crate::address::Mac;
use crate::error::Malformed;
use crate::wire::cursor::{Put as _, Reader};

/// Ethernet, IPv4, and the lengths of their addresses.
const HEADER: [u8; 6] = [0x00, 0x01, 0x08, 0x00, 6, 4];

/// What an ARP packet says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arp {
    /// Who has `target`? Tell `sender`.
    Request {
        /// Who asks.
        sender: (Mac, Ipv4Addr),
        /// Whose MAC is wanted.
        target: Ipv4Addr,
    },
    /// `sender`'s IP is at its MAC.
    Reply {
        /// Who answers.
        sender: (Mac, Ipv4Addr),
    },
}

impl Arp {
    /// Reads an ARP packet; padding after it is ignored.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if it is shorter than 28 bytes, not for IPv4 over Ethernet, or neither
    /// request nor reply.
    pub fn read(payload: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("ARP packet", payload);
        let header = reader.array::<6>()?;
        let operation = reader.u16()?;
        let sender = (reader.mac()?, Ipv4Addr::from(*reader.array()?));
        let _target_mac = reader.mac()?;
        let target = Ipv4Addr::from(*reader.array()?);

        match (header, operation) {
            (&HEADER, 1) => Ok(Self::Request { sender, target }),
            (&HEADER, 2) => Ok(Self::Reply { sender }),
            (&HEADER, _) => {
                Err(Malformed::Undefined { field: "ARP operation", value: u64::from(operation) })
            }
            _ => Err(Malformed::Inconsistent { what: "ARP header" }),
        }
    }
}

/// Returns whom an ARP request asks for, as senders of multicasts find out (spec 03 §9.5).
///
/// Less strict than [`Arp::read`]: whoever answers decides what a request is, and it has to reach
/// them first.
#[must_use]
pub fn target_of_request(payload: &[u8]) -> Option<Ipv4Addr> {
    match payload.first_chunk::<28>()? {
        [_, _, 0x08, 0x00, 6, 4, _, 1, .., a, b, c, d] => Some(Ipv4Addr::new(*a, *b, *c, *d)),
        _ => None,
    }
}

/// Returns a request for `target` by the holder of `mac` and `ip`.
#[must_use]
pub fn request(mac: Mac, ip: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    packet(1, (mac, ip), (Mac::ZERO, target))
}

/// Returns the answer to `asker` that `ip` is at `mac`.
#[must_use]
pub fn reply(mac: Mac, ip: Ipv4Addr, asker: (Mac, Ipv4Addr)) -> Vec<u8> {
    packet(2, (mac, ip), asker)
}

fn packet(operation: u16, sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr)) -> Vec<u8> {
    let mut out = Vec::with_capacity(28);
    out.put(&HEADER);
    out.put_u16(operation);
    for (mac, ip) in [sender, target] {
        out.put_mac(mac);
        out.put(&ip.octets());
    }
    out
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    const ASKER: [u8; 6] = hex!("02c602cb5a2f");
    const OURS: [u8; 6] = hex!("026e43f147f7");

    /// From `arp.json`.
    const REQUEST: [u8; 28] = hex!(
        "0001 0800 06 04 0001"    // Ethernet, IPv4, request
        "02c602cb5a2f" "0a931106" // who asks
        "000000000000" "0a931105" // for whom
    );

    #[test]
    fn a_request_is_read_and_answered() {
        let asker = (Mac::from(ASKER), Ipv4Addr::new(10, 147, 17, 6));
        let target = Ipv4Addr::new(10, 147, 17, 5);

        assert_eq!(Arp::read(&REQUEST), Ok(Arp::Request { sender: asker, target }));
        assert_eq!(target_of_request(&REQUEST), Some(target));
        assert_eq!(request(asker.0, asker.1, target), REQUEST);
        assert_eq!(
            reply(OURS.into(), target, asker),
            hex!("0001080006040002026e43f147f70a93110502c602cb5a2f0a931106")
        );
    }

    #[test]
    fn every_prefix_is_refused() {
        for len in 0..REQUEST.len() {
            assert!(Arp::read(&REQUEST[..len]).is_err(), "{len}");
            assert_eq!(target_of_request(&REQUEST[..len]), None, "{len}");
        }
    }

    #[test]
    fn only_ipv4_over_ethernet_is_read() {
        for at in 0..8 {
            let mut packet = REQUEST;
            packet[at] ^= 0x40;

            assert!(Arp::read(&packet).is_err(), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn no_packet_panics(payload: Vec<u8>) {
            let _ = Arp::read(&payload);
            let _ = target_of_request(&payload);
        }

        #[test]
        fn what_is_written_is_read_back(mac: [u8; 6], ip: [u8; 4], target: [u8; 4]) {
            let sender = (Mac::from(mac), Ipv4Addr::from(ip));
            let target = Ipv4Addr::from(target);

            prop_assert_eq!(
                Arp::read(&request(sender.0, sender.1, target)),
                Ok(Arp::Request { sender, target })
            );
            prop_assert_eq!(
                Arp::read(&reply(sender.0, sender.1, (Mac::BROADCAST, target))),
                Ok(Arp::Reply { sender })
            );
        }
    }
}
