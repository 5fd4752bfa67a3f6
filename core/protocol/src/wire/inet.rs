//! Physical addresses, as packets and worlds carry them.
//!
//! | type | size | content after the type byte |
//! |---|---|---|
//! | 0 | 1 | none: no address |
//! | 1, 2 | 7 | reserved, skipped |
//! | 3 | 3 + n | u16 n, n bytes: reserved, skipped |
//! | 4 | 7 | IPv4 address (4), port (2) |
//! | 6 | 19 | IPv6 address (16), port (2) |
//!
//! Network configurations put a prefix length or a metric where the port is. RENDEZVOUS and
//! PUSH_DIRECT_PATHS have layouts of their own.
//!
//! Source: spec 01 §18.1.

use core::net::{IpAddr, SocketAddr};

use crate::error::Malformed;
use crate::wire::cursor::{Put, Reader};

/// Reads an address and its port; `None` if the sender names none or one of a reserved kind.
///
/// # Errors
///
/// [`Malformed::Undefined`] for another type, [`Malformed::Truncated`].
pub fn read(reader: &mut Reader<'_>) -> Result<Option<SocketAddr>, Malformed> {
    Ok(read_with_number(reader)?.map(SocketAddr::from))
}

/// Reads an address and the 16-bit number beside it, which is not a port.
///
/// # Errors
///
/// As [`read`].
pub fn read_with_number(reader: &mut Reader<'_>) -> Result<Option<(IpAddr, u16)>, Malformed> {
    let ip = match reader.u8()? {
        0 => return Ok(None),
        1 | 2 => {
            reader.bytes(6)?;
            return Ok(None);
        }
        3 => {
            let len = reader.u16()?;
            reader.bytes(usize::from(len))?;
            return Ok(None);
        }
        4 => IpAddr::from(*reader.array::<4>()?),
        6 => IpAddr::from(*reader.array::<16>()?),
        kind => {
            return Err(Malformed::Undefined {
                field: "physical address type",
                value: u64::from(kind),
            });
        }
    };
    Ok(Some((ip, reader.u16()?)))
}

/// Writes an address and its port, or that there is none.
pub fn write(out: &mut Vec<u8>, address: Option<SocketAddr>) {
    match address {
        Some(address) => write_with_number(out, address.ip(), address.port()),
        None => out.put_u8(0),
    }
}

/// Writes an address and the number beside it.
pub fn write_with_number(out: &mut Vec<u8>, ip: IpAddr, number: u16) {
    match ip {
        IpAddr::V4(v4) => {
            out.put_u8(4);
            out.put(&v4.octets());
        }
        IpAddr::V6(v6) => {
            out.put_u8(6);
            out.put(&v6.octets());
        }
    }
    out.put_u16(number);
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    fn read_all(bytes: &[u8]) -> Result<(Option<SocketAddr>, usize), Malformed> {
        let mut reader = Reader::new("test", bytes);
        let address = read(&mut reader)?;
        Ok((address, reader.position()))
    }

    /// From inetaddress.json.
    #[test]
    fn addresses_are_those_of_the_reference() {
        let v4 = hex!("04 c0a80102 2709");
        let v6 = hex!("06 20010db8000000000000000000000001 2709");

        assert_eq!(read_all(&v4), Ok((Some("192.168.1.2:9993".parse().unwrap()), 7)));
        assert_eq!(read_all(&v6), Ok((Some("[2001:db8::1]:9993".parse().unwrap()), 19)));
        assert_eq!(read_all(&hex!("00ff")), Ok((None, 1)));
        assert_eq!(read_all(&hex!("02020304050607")), Ok((None, 7)));
        assert_eq!(read_all(&hex!("030004aabbccdd")), Ok((None, 7)));
        assert!(read_all(&hex!("07")).is_err());
        assert!(read_all(&hex!("ff")).is_err());
    }

    #[test]
    fn every_proper_prefix_is_refused() {
        let whole = [
            hex!("01 020304050607").as_slice(),
            &hex!("03 0002 aabb"),
            &hex!("04 c0a80102 2709"),
            &hex!("06 20010db8000000000000000000000001 2709"),
        ];

        for bytes in whole {
            assert!(read_all(bytes).is_ok());
            for len in 0..bytes.len() {
                assert!(read_all(&bytes[..len]).is_err(), "{len} of {bytes:02x?}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(address: Option<SocketAddr>) {
            // Flow and scope of an IPv6 socket address mean nothing to the other end.
            let address = address.map(|address| SocketAddr::new(address.ip(), address.port()));

            let mut bytes = Vec::new();
            write(&mut bytes, address);

            prop_assert_eq!(read_all(&bytes), Ok((address, bytes.len())));
        }

        #[test]
        fn no_input_panics(bytes: Vec<u8>) {
            if let Ok((_, len)) = read_all(&bytes) {
                prop_assert!(len <= bytes.len());
            }
        }
    }
}
