//! Datagrams in a stream of bytes that passes for TLS.
//!
//! ```text
//!  0          3          5
//!  +----------+----------+---------------------------------------
//!  | 17 03 03 | length   | version (4), or
//!  |          |          | 04, IPv4 (4), port (2), datagram, or
//!  |          |          | 06, IPv6 (16), port (2), datagram, or
//!  |          |          | 00, and nothing that counts
//!  +----------+----------+---------------------------------------
//! ```
//!
//! All integers are big-endian. The address is the datagram's destination on the way to the relay
//! and its source on the way back.
//!
//! Source: spec 02 §9.4.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use zt_protocol::wire::hello::Version;

/// What every record starts with: application data in TLS 1.2, one would think.
const MAGIC: [u8; 3] = [0x17, 0x03, 0x03];

/// Length of a record before what it carries, in bytes.
const PREFIX_LEN: usize = 5;

/// Length of what a greeting carries, in bytes.
const GREETING_LEN: usize = 4;

/// Length of an IPv4 address in a record, with its type and port, in bytes.
const IPV4_LEN: usize = 7;

/// The same for IPv6.
const IPV6_LEN: usize = 19;

/// Length of everything before a datagram on the way to the relay, in bytes.
pub(super) const HEADER_LEN: usize = PREFIX_LEN + IPV4_LEN;

/// Longest record, in bytes.
pub(super) const RECORD_LEN_MAX: usize = PREFIX_LEN + u16::MAX as usize;

/// Why what the relay says cannot be understood. There is no telling where the next record starts,
/// so the connection is of no more use.
#[derive(Clone, Copy, Debug, Eq, thiserror::Error, PartialEq)]
pub(super) enum Malformed {
    /// It does not speak this protocol.
    #[error("the TCP relay does not speak the protocol: a record starts with {0:#04x}")]
    Magic(u8),
    /// No such kind of address is defined.
    #[error("the TCP relay names a source of undefined type {0}")]
    AddressType(u8),
    /// The record ends within the address.
    #[error("the TCP relay sends a record of {0} bytes, too few for an address")]
    Truncated(usize),
}

/// A record from the relay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Record {
    /// How long it is, in bytes.
    pub(super) len: usize,
    /// Where the datagram in it came from; `None` if there is none.
    pub(super) source: Option<SocketAddr>,
    /// Where in the record that datagram begins.
    pub(super) datagram_at: usize,
}

/// Returns the first record this node sends, which has the relay expect addresses.
pub(super) const fn greeting() -> [u8; PREFIX_LEN + GREETING_LEN] {
    let Version { major, minor, revision, .. } = Version::OURS;
    let [high, low] = revision.to_be_bytes();
    [MAGIC[0], MAGIC[1], MAGIC[2], 0, GREETING_LEN as u8, major, minor, high, low]
}

/// Returns what precedes a datagram of `len` bytes to `destination`; `None` if it is too long.
pub(super) fn header(destination: SocketAddrV4, len: usize) -> Option<[u8; HEADER_LEN]> {
    let len = u16::try_from(len + IPV4_LEN).ok()?;

    let mut header = [0; HEADER_LEN];
    header[..3].copy_from_slice(&MAGIC);
    header[3..5].copy_from_slice(&len.to_be_bytes());
    header[5] = 4;
    header[6..10].copy_from_slice(&destination.ip().octets());
    header[10..].copy_from_slice(&destination.port().to_be_bytes());
    Some(header)
}

/// Reads the record at the beginning of `bytes`; `None` if there is more of it to come.
///
/// # Errors
///
/// [`Malformed`], as soon as it can be told.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Record>, Malformed> {
    if let Some((&wrong, _)) = bytes.iter().zip(&MAGIC).find(|(byte, magic)| byte != magic) {
        return Err(Malformed::Magic(wrong));
    }
    let Some((&[_, _, _, high, low], rest)) = bytes.split_first_chunk::<PREFIX_LEN>() else {
        return Ok(None);
    };
    let carried_len = usize::from(u16::from_be_bytes([high, low]));
    let Some(carried) = rest.get(..carried_len) else { return Ok(None) };

    let len = PREFIX_LEN + carried_len;
    if carried_len == GREETING_LEN {
        return Ok(Some(Record { len, source: None, datagram_at: len }));
    }
    let truncated = Malformed::Truncated(carried_len);
    let (source, address_len) = match carried {
        [] => return Err(truncated),
        [0, ..] => (None, carried_len),
        [4, address @ ..] => (Some(source::<4, Ipv4Addr>(address).ok_or(truncated)?), IPV4_LEN),
        [6, address @ ..] => (Some(source::<16, Ipv6Addr>(address).ok_or(truncated)?), IPV6_LEN),
        [other, ..] => return Err(Malformed::AddressType(*other)),
    };
    Ok(Some(Record { len, source, datagram_at: PREFIX_LEN + address_len }))
}

/// Reads an address of `N` bytes and a port.
fn source<const N: usize, T: From<[u8; N]> + Into<IpAddr>>(bytes: &[u8]) -> Option<SocketAddr> {
    let (&ip, rest) = bytes.split_first_chunk::<N>()?;
    let (&port, _) = rest.split_first_chunk::<2>()?;
    Some(SocketAddr::new(T::from(ip).into(), u16::from_be_bytes(port)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DATAGRAM: &[u8] = b"0123456789abcdef";

    /// A record from 5.1.0.1, port 9993.
    const RECORD: [u8; 28] = [
        0x17, 0x03, 0x03, 0, 23, // seven bytes and sixteen
        4, 5, 1, 0, 1, 0x27, 0x09, // 5.1.0.1/9993
        b'0', b'1', b'2', b'3', b'4', b'5', b'6', b'7', //
        b'8', b'9', b'a', b'b', b'c', b'd', b'e', b'f',
    ];

    /// The bytes of spec 02 §9.4.
    #[test]
    fn the_greeting_is_the_references() {
        assert_eq!(greeting(), [0x17, 0x03, 0x03, 0x00, 0x04, 0x01, 0x0e, 0x00, 0x01]);
    }

    #[test]
    fn a_datagram_is_read_with_its_source() {
        let record = read(&RECORD).unwrap().unwrap();

        assert_eq!(record.source, Some(([5, 1, 0, 1], 9_993).into()));
        assert_eq!(record.len, RECORD.len());
        assert_eq!(&RECORD[record.datagram_at..], DATAGRAM);
        assert_eq!(
            header(SocketAddrV4::new([5, 1, 0, 1].into(), 9_993), 16).unwrap(),
            RECORD[..12]
        );
    }

    #[test]
    fn a_source_may_have_an_ipv6_address() {
        let ip = "2001:db8::1".parse::<Ipv6Addr>().unwrap();
        let mut record = vec![0x17, 3, 3, 0, 20, 6];
        record.extend(ip.octets());
        record.extend([0x27, 0x09, 0xff]);

        let read = read(&record).unwrap().unwrap();

        assert_eq!(read.source, Some(SocketAddr::new(ip.into(), 9_993)));
        assert_eq!(record[read.datagram_at..], [0xff]);
    }

    #[test]
    fn greetings_and_records_without_a_source_are_passed_over() {
        for record in [&[0x17, 3, 3, 0, 4, 1, 14, 0, 1][..], &[0x17, 3, 3, 0, 3, 0, 9, 9]] {
            let read = read(record).unwrap().unwrap();

            assert_eq!((read.len, read.source), (record.len(), None));
        }
    }

    #[test]
    fn of_a_record_that_is_cut_the_rest_is_waited_for() {
        for len in 0..RECORD.len() {
            assert_eq!(read(&RECORD[..len]), Ok(None), "{len}");
        }
    }

    #[test]
    fn what_is_no_record_is_refused_by_name() {
        assert_eq!(read(b"HTTP/1.1 400"), Err(Malformed::Magic(b'H')));
        assert_eq!(read(&[0x17, 3, 1]), Err(Malformed::Magic(1)));
        assert_eq!(read(&[0x17, 3, 3, 0, 0]), Err(Malformed::Truncated(0)));
        assert_eq!(read(&[0x17, 3, 3, 0, 1, 5]), Err(Malformed::AddressType(5)));
        assert_eq!(read(&[0x17, 3, 3, 0, 6, 4, 0, 0, 0, 0, 0]), Err(Malformed::Truncated(6)));
        assert_eq!(read(&[0x17, 3, 3, 0, 7, 6, 0, 0, 0, 0, 0, 0]), Err(Malformed::Truncated(7)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_within_their_bounds(
            mut bytes in prop::collection::vec(any::<u8>(), 0..200),
            is_framed: bool,
        ) {
            if is_framed && bytes.len() >= 5 {
                bytes[..4].copy_from_slice(&[0x17, 3, 3, 0]);
            }
            if let Ok(Some(record)) = read(&bytes) {
                prop_assert!(record.datagram_at <= record.len && record.len <= bytes.len());
                prop_assert!(record.len >= PREFIX_LEN, "a reader would not get on");
            }
        }

        #[test]
        fn what_is_written_is_read_back(ip: u32, port: u16, datagram in prop::collection::vec(any::<u8>(), 0..3_000)) {
            let remote = SocketAddrV4::new(ip.into(), port);
            let mut bytes = header(remote, datagram.len()).unwrap().to_vec();
            bytes.extend(&datagram);

            let record = read(&bytes).unwrap().unwrap();

            prop_assert_eq!(record.source, Some(remote.into()));
            prop_assert_eq!(&bytes[record.datagram_at..record.len], &datagram[..]);
        }
    }

    #[test]
    fn a_datagram_longer_than_a_record_is_not_written() {
        const DATAGRAM_LEN_MAX: usize = u16::MAX as usize - IPV4_LEN;
        let remote = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);

        assert!(header(remote, DATAGRAM_LEN_MAX).is_some());
        assert!(header(remote, DATAGRAM_LEN_MAX + 1).is_none());
    }
}
