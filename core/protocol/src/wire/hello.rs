//! HELLO: who I am, what I speak, where I think you are; and the OK that answers it.
//!
//! ```text
//!  0          1       3          5           13         84          .. +0      +16     +18
//!  +----------+-------+----------+-----------+----------+-----------+----------+-------+---------
//!  | protocol | major | revision | timestamp | identity | sent to   | planet   | count | moons ..
//!  |          | minor |          |           |          | (inet)    | id, time | N     | N × 17
//!  +----------+-------+----------+-----------+----------+-----------+----------+-------+---------
//!                                                                              |<-- masked tail
//! ```
//!
//! The body may end after the identity, after the physical address, or after the planet: older
//! versions stop there. A moon is `u8 0x7f, u64 id, u64 timestamp`; other types are skipped. The
//! answer, after the header of an OK:
//!
//! ```text
//!  0           8          9       11         13                 .. +0    +2
//!  +-----------+----------+-------+----------+------------------+--------+-----------
//!  | timestamp | protocol | major | revision | you are at       | length | worlds ..
//!  | (copied)  |          | minor |          | (inet)           |        |
//!  +-----------+----------+-------+----------+------------------+--------+-----------
//! ```
//!
//! Source: spec 02 §2.1, §2.2.

use core::net::SocketAddr;

use crate::error::Malformed;
use crate::identity::Identity;
use crate::limits::{PROTOCOL_VERSION, SOFTWARE_VERSION};
use crate::time::UnixMillis;
use crate::verb::Verb;
use crate::wire::cursor::{Put, Reader};
use crate::wire::{inet, reply};

const MOON: u8 = 0x7f;
const MOON_LEN: usize = 17;
const PLANET_LEN: usize = 16;

/// Which protocol and software a node runs. Only the protocol decides anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Version {
    /// Version of the protocol.
    pub protocol: u8,
    /// Version of the software.
    pub major: u8,
    /// Version of the software.
    pub minor: u8,
    /// Version of the software.
    pub revision: u16,
}

/// A world someone has: which, and how recent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WorldRevision {
    /// Names the world.
    pub id: u64,
    /// Its revision; 0 if the world is wanted and not there.
    pub timestamp: UnixMillis,
}

/// The clear part of a HELLO's body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hello {
    /// What the sender runs.
    pub version: Version,
    /// The sender's clock, copied into the answer.
    pub timestamp: UnixMillis,
    /// Who the sender claims to be.
    pub identity: Identity,
    /// The physical address this copy was sent to, if known.
    pub sent_to: Option<SocketAddr>,
    /// The planet in force at the sender. Without it there is no tail.
    pub planet: Option<WorldRevision>,
}

impl Version {
    /// What this node announces.
    pub const OURS: Self = Self {
        protocol: PROTOCOL_VERSION,
        major: SOFTWARE_VERSION.0,
        minor: SOFTWARE_VERSION.1,
        revision: SOFTWARE_VERSION.2,
    };

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            protocol: reader.u8()?,
            major: reader.u8()?,
            minor: reader.u8()?,
            revision: reader.u16()?,
        })
    }

    fn write(self, out: &mut Vec<u8>) {
        out.put(&[self.protocol, self.major, self.minor]);
        out.put_u16(self.revision);
    }
}

impl WorldRevision {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { id: reader.u64()?, timestamp: UnixMillis(reader.u64()?) })
    }

    fn write(self, out: &mut Vec<u8>) {
        out.put_u64(self.id);
        out.put_u64(self.timestamp.0);
    }
}

impl Hello {
    /// Reads the clear part of a HELLO's body.
    ///
    /// Also returns where the masked tail begins, which is the end of the body if there is none.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if a field that has begun does not end, or the identity or address cannot be.
    pub fn read(body: &[u8]) -> Result<(Self, usize), Malformed> {
        let mut reader = Reader::new("HELLO", body);
        let version = Version::read(&mut reader)?;
        let timestamp = UnixMillis(reader.u64()?);
        let identity = reader.value(Identity::read_prefix)?;
        let sent_to = if reader.is_empty() { None } else { inet::read(&mut reader)? };
        // Fewer bytes are neither planet nor tail.
        let planet = if reader.remaining() < PLANET_LEN {
            reader.rest();
            None
        } else {
            Some(WorldRevision::read(&mut reader)?)
        };

        Ok((Self { version, timestamp, identity, sent_to, planet }, reader.position()))
    }

    /// Returns the body with its tail of `moons` not yet masked, and where the tail begins.
    ///
    /// There is no tail without a planet. Moons beyond 65,535 are left out.
    #[must_use]
    pub fn write(&self, moons: &[WorldRevision]) -> (Vec<u8>, usize) {
        let mut out = Vec::new();
        self.version.write(&mut out);
        out.put_u64(self.timestamp.0);
        out.put(&self.identity.to_bytes());
        inet::write(&mut out, self.sent_to);
        let Some(planet) = self.planet else {
            let end = out.len();
            return (out, end);
        };
        planet.write(&mut out);

        let tail_at = out.len();
        let moons = &moons[..moons.len().min(usize::from(u16::MAX))];
        out.put_u16(u16::try_from(moons.len()).expect("cut to what the count can say"));
        for moon in moons {
            out.put_u8(MOON);
            moon.write(&mut out);
        }
        (out, tail_at)
    }
}

/// Returns where the masked tail of a HELLO's body begins, `None` if it has no tail.
#[must_use]
pub fn tail_offset(body: &[u8]) -> Option<usize> {
    let (_, tail_at) = Hello::read(body).ok()?;
    (tail_at < body.len()).then_some(tail_at)
}

/// Returns the moons in a tail whose mask is off. A tail too short for a count has none.
///
/// # Errors
///
/// [`Malformed::Truncated`] if there are fewer entries than the tail says.
pub fn read_moons(tail: &[u8]) -> Result<impl Iterator<Item = WorldRevision> + '_, Malformed> {
    let mut reader = Reader::new("HELLO moons", tail);
    let count = if reader.remaining() < 2 { 0 } else { reader.u16()? };
    let entries = reader.bytes(usize::from(count) * MOON_LEN)?;

    Ok(entries.as_chunks::<MOON_LEN>().0.iter().filter_map(|entry| {
        let (&kind, moon) = entry.split_first()?;
        let moon = WorldRevision::read(&mut Reader::new("HELLO moon", moon)).ok()?;
        (kind == MOON).then_some(moon)
    }))
}

/// The answer to a HELLO.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HelloReply<'a> {
    /// The HELLO's timestamp.
    pub timestamp: UnixMillis,
    /// What the responder runs.
    pub version: Version,
    /// Where the HELLO came from, as the responder saw it.
    pub seen_at: Option<SocketAddr>,
    /// Worlds newer than the HELLO's, one after the other.
    pub worlds: &'a [u8],
}

impl<'a> HelloReply<'a> {
    /// Reads what follows the header of an OK(HELLO).
    ///
    /// # Errors
    ///
    /// [`Malformed`] if a field that has begun does not end, or the address cannot be.
    pub fn read(answer: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("OK(HELLO)", answer);
        let timestamp = UnixMillis(reader.u64()?);
        let version = Version::read(&mut reader)?;
        let seen_at = if reader.is_empty() { None } else { inet::read(&mut reader)? };
        let worlds = if reader.is_empty() {
            &[]
        } else {
            let len = reader.u16()?;
            reader.bytes(usize::from(len))?
        };

        Ok(Self { timestamp, version, seen_at, worlds })
    }

    /// Returns the body of the OK that answers the HELLO `packet_id`.
    ///
    /// # Panics
    ///
    /// If there are more than 65,535 bytes of worlds.
    #[must_use]
    pub fn write(&self, packet_id: u64) -> Vec<u8> {
        let mut out = reply::ok(Verb::Hello, packet_id);
        out.put_u64(self.timestamp.0);
        self.version.write(&mut out);
        inet::write(&mut out, self.seen_at);
        out.put_u16(u16::try_from(self.worlds.len()).expect("a packet's worth of worlds"));
        out.put(self.worlds);
        out
    }
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// From hello.json, "HELLO from A to root R with one known moon and one wanted moon", with the
    /// mask off.
    const BODY: [u8; 143] = hex!(
        "0c 01 0e 0001"     // protocol 12, version 1.14.1
        "0000018bcfe56800"  // timestamp
        "9cf5fc3d2f" "00"   // identity
        "712c556f12709c19210eb118342dfd34ed00f817254a0415bb21549b18ae5a38"
        "0ad6bf8c83b5ffd8c7e6a3b2d6e593d2d91aa7a2a0c829e3d68c3997a11d3582"
        "00"
        "04 05010001 2709"  // sent to 5.1.0.1:9993
        "00000000000f4241"  // planet
        "0000018bcfe56800"
        "0002"              // moons
        "7f 000000b510a9c2e3 0000018bcfe569f4"
        "7f 00000059e3777b55 0000000000000000"
    );

    const TAIL_AT: usize = 107;

    /// From hello.json, "OK(HELLO) from R to A, nothing to update".
    const REPLY: [u8; 31] = hex!(
        "01 cb94fa4caa3f39fa" // OK to this HELLO
        "0000018bcfe56800"    // its timestamp
        "0c 01 0e 0001"       // protocol 12, version 1.14.1
        "04 05020001 2709"    // you are at 5.2.0.1:9993
        "0000"                // no worlds
    );

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
    const OURS: Version = Version { protocol: 12, major: 1, minor: 14, revision: 1 };

    fn moons() -> [WorldRevision; 2] {
        [
            WorldRevision { id: 0xb5_10a9_c2e3, timestamp: UnixMillis(1_700_000_000_500) },
            WorldRevision { id: 0x59_e377_7b55, timestamp: UnixMillis(0) },
        ]
    }

    #[test]
    fn the_references_hello_is_read_and_written() {
        let (hello, tail_at) = Hello::read(&BODY).unwrap();

        assert_eq!(hello.version, OURS);
        assert_eq!(hello.timestamp, NOW);
        assert_eq!(hello.identity.address().to_string(), "9cf5fc3d2f");
        assert_eq!(hello.sent_to, Some("5.1.0.1:9993".parse().unwrap()));
        assert_eq!(hello.planet, Some(WorldRevision { id: 1_000_001, timestamp: NOW }));
        assert_eq!((tail_at, tail_offset(&BODY)), (TAIL_AT, Some(TAIL_AT)));
        assert!(read_moons(&BODY[tail_at..]).unwrap().eq(moons()));
        assert_eq!(hello.write(&moons()), (BODY.to_vec(), TAIL_AT));
    }

    /// From hello.json, the cases "ends after …" and "tail of one byte".
    #[test]
    fn a_hello_may_end_where_older_versions_did() {
        let (identity_end, address_end) = (84, 91);

        for len in 0..BODY.len() {
            let body = &BODY[..len];
            let read = Hello::read(body);

            let ends_in_a_field = len < identity_end || (identity_end < len && len < address_end);
            assert_eq!(read.is_err(), ends_in_a_field, "{len}");
            assert_eq!(tail_offset(body), (len > TAIL_AT).then_some(TAIL_AT), "{len}");
            if let Ok((hello, tail_at)) = read {
                assert_eq!(hello.sent_to.is_some(), len >= address_end, "{len}");
                assert_eq!(hello.planet.is_some(), len >= TAIL_AT, "{len}");
                assert_eq!(tail_at, len.min(TAIL_AT), "{len}");
            }
        }
    }

    #[test]
    fn moons_are_as_many_as_the_tail_says() {
        let tail = &BODY[TAIL_AT..];
        let mut of_unknown_type = tail.to_vec();
        of_unknown_type[2] = 0x01;

        let count = |tail| read_moons(tail).map(Iterator::count).ok();

        assert_eq!(count(tail), Some(2));
        assert_eq!(count(&of_unknown_type), Some(1));
        assert_eq!(count(&tail[..1]), Some(0));
        for len in 2..tail.len() {
            assert_eq!(count(&tail[..len]), None, "{len}");
        }
    }

    #[test]
    fn the_references_reply_is_read_and_written() {
        let reply = HelloReply {
            timestamp: NOW,
            version: OURS,
            seen_at: Some("5.2.0.1:9993".parse().unwrap()),
            worlds: &[],
        };

        assert_eq!(HelloReply::read(&REPLY[9..]), Ok(reply));
        assert_eq!(reply.write(0xcb94_fa4c_aa3f_39fa), REPLY);
    }

    #[test]
    fn a_reply_may_end_after_version_or_address() {
        let answer = &REPLY[9..];

        for len in 0..answer.len() {
            let ends_between_fields = [13, 20].contains(&len);
            assert_eq!(HelloReply::read(&answer[..len]).is_ok(), ends_between_fields, "{len}");
        }
    }

    fn any_version() -> impl Strategy<Value = Version> {
        any::<(u8, u8, u8, u16)>().prop_map(|(protocol, major, minor, revision)| Version {
            protocol,
            major,
            minor,
            revision,
        })
    }

    fn any_revision() -> impl Strategy<Value = WorldRevision> {
        (any::<u64>(), any::<u64>())
            .prop_map(|(id, time)| WorldRevision { id, timestamp: UnixMillis(time) })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            version in any_version(),
            timestamp: u64,
            address: [u8; 5],
            key: u8,
            sent_to in any::<Option<(IpAddr, u16)>>(),
            planet in prop::option::of(any_revision()),
            moons in prop::collection::vec(any_revision(), 0..20),
            packet_id: u64,
            worlds: Vec<u8>,
        ) {
            let timestamp = UnixMillis(timestamp);
            let identity = Identity::from_parts(address.into(), [key; 64]);
            let sent_to = sent_to.map(SocketAddr::from);

            let hello = Hello { version, timestamp, identity, sent_to, planet };
            let (body, tail_at) = hello.write(&moons);
            prop_assert_eq!(Hello::read(&body), Ok((hello, tail_at)));
            let read: Vec<_> = read_moons(&body[tail_at..]).unwrap().collect();
            prop_assert_eq!(read, if planet.is_some() { moons } else { Vec::new() });

            let reply = HelloReply { timestamp, version, seen_at: sent_to, worlds: &worlds };
            let body = reply.write(packet_id);
            prop_assert_eq!(HelloReply::read(&body[9..]), Ok(reply));
        }

        #[test]
        fn no_input_panics(body: Vec<u8>, at in 0..BODY.len()) {
            // Most random bytes end before the identity does, so some follow a good beginning.
            for body in [&body, &[&BODY[..at], &body].concat()] {
                let tail = Hello::read(body).map_or(body.len(), |(_, tail_at)| tail_at);
                prop_assert!(tail <= body.len());
                let _ = read_moons(body).map(Iterator::count);
                let _ = HelloReply::read(body);
            }
        }
    }
}
