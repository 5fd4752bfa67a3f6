//! PUSH_DIRECT_PATHS: where the sender may be reached.
//!
//! ```text
//!  0       2
//!  +-------+-----------+----
//!  | count | record ..      record = flags (1), x (2), attributes (x), type (1), l (1), address (l)
//!  +-------+-----------+----
//! ```
//!
//! Type 4 has an address of IPv4 (4) and port (2), type 6 of IPv6 (16) and port (2).
//!
//! Source: spec 02 §2.8.

use core::net::{IpAddr, SocketAddr};

use crate::error::Malformed;
use crate::wire::cursor::{Put, Reader};

const FORGET: u8 = 0x01;
const CLUSTER_REDIRECT: u8 = 0x02;

/// One record of a PUSH_DIRECT_PATHS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PushedPath {
    /// Where the sender is. The port may be 0.
    pub endpoint: SocketAddr,
    /// The sender asks not to use it.
    pub forget: bool,
    /// Legacy: the sender asks to use it rather than any other.
    pub cluster_redirect: bool,
}

/// Returns the paths a PUSH_DIRECT_PATHS body has, in order, without those of unknown types.
///
/// Ends after the first record that is malformed; those before it count.
///
/// # Errors
///
/// [`Malformed::Truncated`] if there is not even a count.
pub fn read(
    body: &[u8],
) -> Result<impl Iterator<Item = Result<PushedPath, Malformed>> + '_, Malformed> {
    let mut reader = Reader::new("PUSH_DIRECT_PATHS", body);
    let mut left = reader.u16()?;

    Ok(core::iter::from_fn(move || {
        // A record takes a byte at least, so this ends with the body at the latest.
        while left > 0 {
            left -= 1;
            match read_record(&mut reader) {
                Ok(None) => {}
                Ok(Some(path)) => return Some(Ok(path)),
                Err(malformed) => {
                    left = 0;
                    return Some(Err(malformed));
                }
            }
        }
        None
    }))
}

fn read_record(reader: &mut Reader<'_>) -> Result<Option<PushedPath>, Malformed> {
    let flags = reader.u8()?;
    let attributes_len = reader.u16()?;
    reader.bytes(usize::from(attributes_len))?;
    let kind = reader.u8()?;
    let len = reader.u8()?;

    // An address is as long as its type says; the length only says where the next record begins.
    let mut address = *reader;
    reader.bytes(usize::from(len))?;
    let ip = match kind {
        4 => IpAddr::from(*address.array::<4>()?),
        6 => IpAddr::from(*address.array::<16>()?),
        _ => return Ok(None),
    };

    Ok(Some(PushedPath {
        endpoint: SocketAddr::new(ip, address.u16()?),
        forget: flags & FORGET != 0,
        cluster_redirect: flags & CLUSTER_REDIRECT != 0,
    }))
}

/// Returns a body that pushes `endpoints`, at most 65,535.
#[must_use]
pub fn write(endpoints: &[SocketAddr]) -> Vec<u8> {
    let endpoints = &endpoints[..endpoints.len().min(usize::from(u16::MAX))];
    let mut out = Vec::new();
    out.put_u16(u16::try_from(endpoints.len()).expect("cut to what the count can say"));
    for endpoint in endpoints {
        out.put_u8(0);
        out.put_u16(0);
        match endpoint.ip() {
            IpAddr::V4(v4) => {
                out.put(&[4, 6]);
                out.put(&v4.octets());
            }
            IpAddr::V6(v6) => {
                out.put(&[6, 18]);
                out.put(&v6.octets());
            }
        }
        out.put_u16(endpoint.port());
    }
    out
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// From push_direct_paths.json, "one IPv4 and one IPv6".
    const TWO: [u8; 36] = hex!(
        "0002"                                                    // count
        "00 0000 04 06 05070001 0457"                             // 5.7.0.1:1111
        "00 0000 06 12 2a010db8000000000000000000000007 08ae" // [2a01:db8::7]:2222
    );

    fn read_all(body: &[u8]) -> (Vec<PushedPath>, Result<(), Malformed>) {
        let mut paths = Vec::new();
        let whole = read(body).and_then(|records| {
            for record in records {
                paths.push(record?);
            }
            Ok(())
        });
        (paths, whole)
    }

    fn plain(endpoint: &str) -> PushedPath {
        PushedPath { endpoint: endpoint.parse().unwrap(), forget: false, cluster_redirect: false }
    }

    #[test]
    fn the_references_body_is_read_and_written() {
        let paths = vec![plain("5.7.0.1:1111"), plain("[2a01:db8::7]:2222")];

        assert_eq!(write(&[paths[0].endpoint, paths[1].endpoint]), TWO);
        assert_eq!(read_all(&TWO), (paths, Ok(())));
    }

    /// From push_direct_paths.json: the flags, "extended attributes are skipped", "unknown address
    /// type is skipped by its length", "IPv4 type with declared length 8".
    #[test]
    fn records_are_as_long_as_they_say() {
        let forget = PushedPath { forget: true, ..plain("5.7.0.1:1111") };
        let redirect = PushedPath { cluster_redirect: true, ..plain("5.7.0.1:1111") };
        let cases = [
            (&hex!("0001 01 0000 04 06 050700010457")[..], vec![forget]),
            (&hex!("0001 02 0000 04 06 050700010457"), vec![redirect]),
            (&hex!("0001 00 0004 01020304 04 06 050700010457"), vec![plain("5.7.0.1:1111")]),
            (
                &hex!("0002 00 0000 09 03 616263 00 0000 04 06 050700010457"),
                vec![plain("5.7.0.1:1111")],
            ),
            (
                &hex!("0002 00 0000 04 08 0507000104577a7a 00 0000 04 06 050700020457"),
                vec![plain("5.7.0.1:1111"), plain("5.7.0.2:1111")],
            ),
        ];

        for (body, paths) in cases {
            assert_eq!(read_all(body), (paths, Ok(())));
        }
    }

    #[test]
    fn every_proper_prefix_is_refused_but_whole_records_count() {
        for len in 0..TWO.len() {
            let (paths, whole) = read_all(&TWO[..len]);

            assert!(whole.is_err(), "{len}");
            assert_eq!(paths.len(), usize::from(len >= 13), "{len}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(endpoints: Vec<(IpAddr, u16)>) {
            let endpoints: Vec<_> = endpoints.into_iter().map(SocketAddr::from).collect();

            let (read, whole) = read_all(&write(&endpoints));

            prop_assert_eq!(whole, Ok(()));
            prop_assert!(read.iter().all(|path| !path.forget && !path.cluster_redirect));
            prop_assert_eq!(read.iter().map(|path| path.endpoint).collect::<Vec<_>>(), endpoints);
        }

        #[test]
        fn no_input_panics(body: Vec<u8>) {
            let _ = read_all(&body);
        }
    }
}
