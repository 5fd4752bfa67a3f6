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
    /// There is no tail without a planet. Callers have at most a few hundred moons.
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
