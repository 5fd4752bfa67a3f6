//! RENDEZVOUS: a relay says where a peer may be reached.
//!
//! ```text
//!  0       1      6      8        9
//!  +-------+------+------+--------+--------------------
//!  | flags | peer | port | length | IP address (4 or 16)
//!  +-------+------+------+--------+--------------------
//! ```
//!
//! Source: spec 02 §2.6.

use core::net::{IpAddr, SocketAddr};

use crate::address::Address;
use crate::error::Malformed;
use crate::wire::cursor::{Put, Reader};

/// The body of a RENDEZVOUS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rendezvous {
    /// Who.
    pub peer: Address,
    /// Where. The port may be 0, which is nowhere.
    pub endpoint: SocketAddr,
}

impl Rendezvous {
    /// Reads a RENDEZVOUS body.
    ///
    /// Bytes after the last known field are ignored: later protocol versions append.
    ///
    /// # Errors
    ///
    /// [`Malformed::Undefined`] if the address is neither IPv4 nor IPv6, [`Malformed::Truncated`].
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("RENDEZVOUS", body);
        let _flags = reader.u8()?;
        let peer = reader.address()?;
        let port = reader.u16()?;
        let ip = match reader.u8()? {
            4 => IpAddr::from(*reader.array::<4>()?),
            16 => IpAddr::from(*reader.array::<16>()?),
            len => {
                return Err(Malformed::Undefined {
                    field: "RENDEZVOUS address length",
                    value: u64::from(len),
                });
            }
        };

        Ok(Self { peer, endpoint: SocketAddr::new(ip, port) })
    }

    /// Returns the body.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = vec![0];
        out.put_address(self.peer);
        out.put_u16(self.endpoint.port());
        match self.endpoint.ip() {
            IpAddr::V4(v4) => {
                out.put_u8(4);
                out.put(&v4.octets());
            }
            IpAddr::V6(v6) => {
                out.put_u8(16);
                out.put(&v6.octets());
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// From rendezvous.json, "IPv4, peer version known".
    const V4: [u8; 13] = hex!(
        "00"         // flags
        "59e3777b55" // peer
        "10e1"       // port
        "04"         // IPv4
        "05030009"
    );

    /// From rendezvous.json, "IPv6".
    const V6: [u8; 25] = hex!("00 59e3777b55 10e1 10 2a010db8000000000000000000000009");

    #[test]
    fn the_references_bodies_are_read_and_written() {
        let peer = "59e3777b55".parse().unwrap();

        for (body, endpoint) in [(&V4[..], "5.3.0.9:4321"), (&V6, "[2a01:db8::9]:4321")] {
            let rendezvous = Rendezvous { peer, endpoint: endpoint.parse().unwrap() };

            assert_eq!(Rendezvous::read(body), Ok(rendezvous));
            assert_eq!(rendezvous.write(), body);
        }
    }

    /// From rendezvous.json: "flags byte 0xff", "trailing bytes", "address length 6".
    #[test]
    fn flags_and_appended_bytes_are_ignored_but_not_unknown_addresses() {
        let odd = hex!("ff 59e3777b55 10e1 04 05030009 7a7a");
        let unknown = hex!("00 59e3777b55 10e1 06 616263646566");

        assert_eq!(Rendezvous::read(&odd), Rendezvous::read(&V4));
        assert!(matches!(Rendezvous::read(&unknown), Err(Malformed::Undefined { value: 6, .. })));
    }

    #[test]
    fn every_proper_prefix_is_refused() {
        for body in [&V4[..], &V6] {
            for len in 0..body.len() {
                assert!(Rendezvous::read(&body[..len]).is_err(), "{len}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(peer: [u8; 5], ip: IpAddr, port: u16) {
            let rendezvous = Rendezvous { peer: peer.into(), endpoint: SocketAddr::new(ip, port) };

            prop_assert_eq!(Rendezvous::read(&rendezvous.write()), Ok(rendezvous));
        }

        #[test]
        fn no_input_panics(body: Vec<u8>) {
            let _ = Rendezvous::read(&body);
        }
    }
}
