//! NAT-PMP, the older and simpler of the two datagram protocols (RFC 6886).
//!
//! ```text
//!  external address   0 │ 0 │                                                         request, 2 bytes
//!                     0 │128│ result │ seconds up │ IPv4                              answer, 12 bytes
//!  map a UDP port     0 │ 1 │ 0  0   │ internal port │ external port │ lifetime       request, 12 bytes
//!                     0 │129│ result │ seconds up │ internal │ external │ lifetime    answer, 16 bytes
//! ```
//!
//! All integers are big-endian; the lifetime is in seconds, and 0 of it takes the mapping back.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::exchange::{Answer, Misfit};

const VERSION: u8 = 0;
const EXTERNAL_ADDRESS: u8 = 0;
const MAP_UDP: u8 = 1;
const IS_ANSWER: u8 = 0x80;

/// A request for the gateway's own address.
pub(super) const ASK_ADDRESS: [u8; 2] = [VERSION, EXTERNAL_ADDRESS];

/// The gateway's own address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Address {
    pub(super) up: Duration,
    pub(super) external: Ipv4Addr,
}

/// A port the gateway grants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Grant {
    pub(super) up: Duration,
    pub(super) external_port: u16,
    pub(super) lifetime: Duration,
}

/// Writes a request to map UDP port `internal`, preferably to `external`.
pub(super) fn ask_port(internal: u16, external: u16, lifetime: Duration) -> [u8; 12] {
    let [i0, i1] = internal.to_be_bytes();
    let [e0, e1] = external.to_be_bytes();
    let [l0, l1, l2, l3] = seconds(lifetime).to_be_bytes();
    [VERSION, MAP_UDP, 0, 0, i0, i1, e0, e1, l0, l1, l2, l3]
}

/// Reads the answer to [`ASK_ADDRESS`].
///
/// # Errors
///
/// [`Misfit`] if it is none.
pub(super) fn read_address(datagram: &[u8]) -> Result<Answer<Address>, Misfit> {
    let body = match body(datagram, EXTERNAL_ADDRESS)? {
        Answer::Yes(body) => body,
        Answer::No(code) => return Ok(Answer::No(code)),
    };
    let [u0, u1, u2, u3, a, b, c, d, ..] = *body else { return Err(Misfit::Malformed) };
    let up = Duration::from_secs(u32::from_be_bytes([u0, u1, u2, u3]).into());
    Ok(Answer::Yes(Address { up, external: Ipv4Addr::new(a, b, c, d) }))
}

/// Reads the answer to [`ask_port`] for port `internal`.
///
/// # Errors
///
/// [`Misfit`] if it is none.
pub(super) fn read_port(datagram: &[u8], internal: u16) -> Result<Answer<Grant>, Misfit> {
    let body = match body(datagram, MAP_UDP)? {
        Answer::Yes(body) => body,
        Answer::No(code) => return Ok(Answer::No(code)),
    };
    let [u0, u1, u2, u3, i0, i1, e0, e1, l0, l1, l2, l3, ..] = *body else {
        return Err(Misfit::Malformed);
    };
    if u16::from_be_bytes([i0, i1]) != internal {
        return Err(Misfit::Unexpected);
    }
    Ok(Answer::Yes(Grant {
        up: Duration::from_secs(u32::from_be_bytes([u0, u1, u2, u3]).into()),
        external_port: u16::from_be_bytes([e0, e1]),
        lifetime: Duration::from_secs(u32::from_be_bytes([l0, l1, l2, l3]).into()),
    }))
}

/// Returns what follows the result code of an answer to `operation`.
fn body(datagram: &[u8], operation: u8) -> Result<Answer<&[u8]>, Misfit> {
    let [version, answered, r0, r1, body @ ..] = datagram else { return Err(Misfit::Malformed) };
    if *version != VERSION || *answered != operation | IS_ANSWER {
        return Err(Misfit::Unexpected);
    }
    Ok(match u16::from_be_bytes([*r0, *r1]) {
        0 => Answer::Yes(body),
        code => Answer::No(code),
    })
}

/// Returns a lifetime as the protocols write it.
pub(super) fn seconds(lifetime: Duration) -> u32 {
    u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ADDRESS: [u8; 12] = [0, 128, 0, 0, 0, 0, 0x0e, 0x10, 5, 2, 0, 1];
    const GRANT: [u8; 16] =
        [0, 129, 0, 0, 0, 0, 0x0e, 0x10, 0x27, 0x09, 0x9c, 0x40, 0, 0, 0x02, 0x58];

    #[test]
    fn a_request_is_as_the_rfc_draws_it() {
        let request = ask_port(9_993, 40_000, Duration::from_secs(600));

        assert_eq!(request, [0, 1, 0, 0, 0x27, 0x09, 0x9c, 0x40, 0, 0, 0x02, 0x58]);
    }

    #[test]
    fn answers_are_read() {
        let up = Duration::from_secs(3_600);
        let external = Ipv4Addr::new(5, 2, 0, 1);
        let lifetime = Duration::from_secs(600);

        assert_eq!(read_address(&ADDRESS), Ok(Answer::Yes(Address { up, external })));
        let grant = Grant { up, external_port: 40_000, lifetime };
        assert_eq!(read_port(&GRANT, 9_993), Ok(Answer::Yes(grant)));
    }

    #[test]
    fn every_proper_prefix_is_refused() {
        for len in 0..ADDRESS.len() {
            assert_eq!(read_address(&ADDRESS[..len]), Err(Misfit::Malformed), "{len}");
        }
        for len in 0..GRANT.len() {
            assert_eq!(read_port(&GRANT[..len], 9_993), Err(Misfit::Malformed), "{len}");
        }
    }

    #[test]
    fn what_answers_something_else_is_no_answer() {
        let request = ask_port(9_993, 0, Duration::ZERO);

        assert_eq!(read_port(&request, 9_993), Err(Misfit::Unexpected));
        assert_eq!(read_port(&ADDRESS, 9_993), Err(Misfit::Unexpected));
        assert_eq!(read_port(&GRANT, 9_994), Err(Misfit::Unexpected));
        assert_eq!(read_address(&GRANT), Err(Misfit::Unexpected));
    }

    #[test]
    fn a_refusal_needs_no_more_than_its_code() {
        assert_eq!(read_port(&[0, 129, 0, 2], 9_993), Ok(Answer::No(2)));
        assert_eq!(read_address(&[0, 128, 0, 3, 0, 0, 0, 0]), Ok(Answer::No(3)));
    }

    proptest! {
        #[test]
        fn no_datagram_panics(datagram: Vec<u8>, port: u16) {
            let _ = read_address(&datagram);
            let _ = read_port(&datagram, port);
        }
    }
}
