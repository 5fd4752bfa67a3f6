//! PCP, NAT-PMP's successor on the same port (RFC 6887).
//!
//! ```text
//!  request   2 │ operation     │ 0  0       │ lifetime │ client's address                  24 bytes
//!  answer    2 │ 128+operation │ 0 │ result │ lifetime │ seconds up │ 0 ..                 24 bytes
//!
//!  of MAP    nonce, 12 bytes │ 17 0 0 0 │ internal port │ external port │ external address     + 36
//! ```
//!
//! All integers are big-endian, lifetimes are in seconds, IPv4 addresses are written as IPv6-mapped
//! ones. A lifetime of 0 takes the mapping back. The nonce, which only who made the mapping knows,
//! makes it theirs to change, and an answer hard to forge.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::exchange::{Answer, Misfit};
use super::nat_pmp::seconds;

const VERSION: u8 = 2;
const ANNOUNCE: u8 = 0;
const MAP: u8 = 1;
const IS_ANSWER: u8 = 0x80;
const UDP: u8 = 17;
const HEADER_LEN: usize = 24;
const MAP_LEN: usize = HEADER_LEN + 36;

/// The result code of servers that do not know this version of the protocol.
const UNSUPPORTED_VERSION: u16 = 1;

/// Tells our mapping from others, and answers to us from forgeries.
pub(super) type Nonce = [u8; 12];

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) nonce: Nonce,
    /// This node's address as the gateway sees it.
    pub(super) client: Ipv4Addr,
    pub(super) internal_port: u16,
    /// Which external endpoint would be welcome; zeros if any.
    pub(super) external: (Ipv4Addr, u16),
    pub(super) lifetime: Duration,
}

/// A port the gateway grants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Grant {
    pub(super) up: Duration,
    pub(super) external: SocketAddr,
    pub(super) lifetime: Duration,
}

impl Request {
    /// Writes the request.
    pub(super) fn to_bytes(self) -> [u8; MAP_LEN] {
        let mut bytes = [0; MAP_LEN];
        bytes[..HEADER_LEN].copy_from_slice(&header(MAP, self.lifetime, self.client));
        bytes[24..36].copy_from_slice(&self.nonce);
        bytes[36] = UDP;
        bytes[40..42].copy_from_slice(&self.internal_port.to_be_bytes());
        bytes[42..44].copy_from_slice(&self.external.1.to_be_bytes());
        bytes[44..60].copy_from_slice(&self.external.0.to_ipv6_mapped().octets());
        bytes
    }

    /// Reads an answer to this request.
    ///
    /// # Errors
    ///
    /// [`Misfit`] if it is none.
    pub(super) fn read(&self, datagram: &[u8]) -> Result<Answer<Grant>, Misfit> {
        let answer = read_header(datagram, MAP)?;
        let body = datagram.get(HEADER_LEN..MAP_LEN);
        let is_ours = body.map(|body| {
            body.starts_with(&self.nonce)
                && body[12] == UDP
                && body[16..18] == self.internal_port.to_be_bytes()
        });
        match (answer, is_ours) {
            (_, Some(false)) => Err(Misfit::Unexpected),
            (Answer::Yes(_), None) => Err(Misfit::Malformed),
            (Answer::No(code), _) => Ok(Answer::No(code)),
            (Answer::Yes(header), Some(true)) => {
                let mut ip = [0; 16];
                ip.copy_from_slice(&datagram[44..60]);
                let ip = IpAddr::from(Ipv6Addr::from(ip)).to_canonical();
                let port = u16::from_be_bytes([datagram[42], datagram[43]]);
                Ok(Answer::Yes(Grant {
                    up: header.up,
                    external: SocketAddr::new(ip, port),
                    lifetime: header.lifetime,
                }))
            }
        }
    }
}

/// Writes a request that asks for nothing but an answer.
pub(super) fn ask_up(client: Ipv4Addr) -> [u8; HEADER_LEN] {
    header(ANNOUNCE, Duration::ZERO, client)
}

/// Reads the answer to [`ask_up`]: how long the gateway has known what it knows.
///
/// # Errors
///
/// [`Misfit`] if it is none.
pub(super) fn read_up(datagram: &[u8]) -> Result<Answer<Duration>, Misfit> {
    Ok(match read_header(datagram, ANNOUNCE)? {
        Answer::Yes(header) => Answer::Yes(header.up),
        Answer::No(code) => Answer::No(code),
    })
}

fn header(operation: u8, lifetime: Duration, client: Ipv4Addr) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[0] = VERSION;
    bytes[1] = operation;
    bytes[4..8].copy_from_slice(&seconds(lifetime).to_be_bytes());
    bytes[8..24].copy_from_slice(&client.to_ipv6_mapped().octets());
    bytes
}

/// What the header of an answer says.
struct Header {
    lifetime: Duration,
    up: Duration,
}

fn read_header(datagram: &[u8], operation: u8) -> Result<Answer<Header>, Misfit> {
    // What knows NAT-PMP alone says so in that protocol's form: version 0, and 16 bits of result.
    if let [0, IS_ANSWER..=u8::MAX, 0, 1, ..] = datagram {
        return Ok(Answer::No(UNSUPPORTED_VERSION));
    }
    let Some(header) = datagram.first_chunk::<HEADER_LEN>() else { return Err(Misfit::Malformed) };
    if header[0] != VERSION || header[1] != operation | IS_ANSWER {
        return Err(Misfit::Unexpected);
    }
    if header[3] != 0 {
        return Ok(Answer::No(header[3].into()));
    }
    let [.., l0, l1, l2, l3, u0, u1, u2, u3, _, _, _, _, _, _, _, _, _, _, _, _] = *header;
    Ok(Answer::Yes(Header {
        lifetime: Duration::from_secs(u32::from_be_bytes([l0, l1, l2, l3]).into()),
        up: Duration::from_secs(u32::from_be_bytes([u0, u1, u2, u3]).into()),
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REQUEST: Request = Request {
        nonce: [7; 12],
        client: Ipv4Addr::new(192, 168, 1, 2),
        internal_port: 9_993,
        external: (Ipv4Addr::UNSPECIFIED, 40_000),
        lifetime: Duration::from_secs(600),
    };

    /// What a gateway answers to [`REQUEST`].
    fn granted() -> [u8; MAP_LEN] {
        let mut answer = REQUEST.to_bytes();
        answer[1] |= IS_ANSWER;
        answer[8..24].copy_from_slice(&[0, 0, 0x0e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        answer[56..60].copy_from_slice(&[5, 2, 0, 1]);
        answer
    }

    #[test]
    fn a_request_is_as_the_rfc_draws_it() {
        let mut expected = vec![2, 1, 0, 0, 0, 0, 0x02, 0x58];
        expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168, 1, 2]);
        expected.extend([7; 12]);
        expected.extend([17, 0, 0, 0, 0x27, 0x09, 0x9c, 0x40]);
        expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0]);

        assert_eq!(REQUEST.to_bytes().as_slice(), expected);
    }

    #[test]
    fn an_answer_is_read() {
        let grant = Grant {
            up: Duration::from_secs(3_600),
            external: "5.2.0.1:40000".parse().unwrap(),
            lifetime: Duration::from_secs(600),
        };

        assert_eq!(REQUEST.read(&granted()), Ok(Answer::Yes(grant)));
        let mut up = granted();
        up[1] = IS_ANSWER;
        assert_eq!(read_up(&up[..24]), Ok(Answer::Yes(grant.up)));
    }

    #[test]
    fn every_proper_prefix_is_refused() {
        for len in 0..MAP_LEN {
            assert_eq!(REQUEST.read(&granted()[..len]), Err(Misfit::Malformed), "{len}");
        }
    }

    #[test]
    fn what_answers_something_else_is_no_answer() {
        let other = Request { nonce: [8; 12], ..REQUEST };
        let elsewhere = Request { internal_port: 9_994, ..REQUEST };

        assert_eq!(other.read(&granted()), Err(Misfit::Unexpected));
        assert_eq!(elsewhere.read(&granted()), Err(Misfit::Unexpected));
        assert_eq!(REQUEST.read(&REQUEST.to_bytes()), Err(Misfit::Unexpected));
        assert_eq!(read_up(&granted()), Err(Misfit::Unexpected));
    }

    #[test]
    fn a_refusal_counts_only_if_it_refuses_this_request() {
        let mut refusal = granted();
        refusal[3] = 2;

        assert_eq!(REQUEST.read(&refusal), Ok(Answer::No(2)));
        assert_eq!(REQUEST.read(&refusal[..HEADER_LEN]), Ok(Answer::No(2)));
        let other = Request { nonce: [8; 12], ..REQUEST };
        assert_eq!(other.read(&refusal), Err(Misfit::Unexpected));
    }

    #[test]
    fn a_gateway_that_knows_nat_pmp_alone_is_understood() {
        assert_eq!(REQUEST.read(&[0, 0x81, 0, 1, 0, 0, 0, 9]), Ok(Answer::No(1)));
    }

    proptest! {
        #[test]
        fn no_datagram_panics(datagram: Vec<u8>) {
            let _ = REQUEST.read(&datagram);
            let _ = read_up(&datagram);
        }

        #[test]
        fn no_damaged_answer_panics(at in 0..MAP_LEN, with: u8, len in 0..=MAP_LEN) {
            let mut answer = granted();
            answer[at] = with;
            let _ = REQUEST.read(&answer[..len]);
        }
    }
}
