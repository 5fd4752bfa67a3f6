//! NETWORK_CREDENTIALS: certificates and revocations, shown or passed on.
//!
//! ```text
//!  +-----------------+----+-------+-----------------+-------+---------+----
//!  | memberships ..  | 00 | count | capabilities .. | count | tags .. |
//!  +-----------------+----+-------+-----------------+-------+---------+----
//!                    +-------+----------------+-------+-------------------+
//!                    | count | revocations .. | count | ownerships ..     |
//!                    +-------+----------------+-------+-------------------+
//! ```
//!
//! The body may end after the 0 or after any section, and before the 0 if memberships are all
//! there is. What was read before an error counts.
//!
//! Source: spec 03 §6.5.

use crate::credential::{Capability, Membership, Ownership, Revocation, Tag};
use crate::error::Malformed;
use crate::limits::BODY_LEN_SENT_MAX;
use crate::wire::cursor::{Put, Reader};

/// What precedes the sections: the end of the memberships.
const END_OF_MEMBERSHIPS: u8 = 0;

/// The end of the memberships and four counts.
const EMPTY_LEN: usize = 9;

/// What one NETWORK_CREDENTIALS packet brings. Nothing in it is verified.
///
/// Every credential takes bytes of the packet, which bounds them all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Credentials {
    /// Certificates of membership.
    pub memberships: Vec<Membership>,
    /// Capabilities.
    pub capabilities: Vec<Capability>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Revocations.
    pub revocations: Vec<Revocation>,
    /// Certificates of ownership.
    pub ownerships: Vec<Ownership>,
}

impl Credentials {
    /// Reads a body as far as it can be read.
    ///
    /// Returns what was read, and why the rest could not be.
    #[must_use]
    pub fn read(body: &[u8]) -> (Self, Result<(), Malformed>) {
        let mut credentials = Self::default();
        let whole = credentials.read_all(Reader::new("NETWORK_CREDENTIALS", body));
        (credentials, whole)
    }

    fn read_all(&mut self, mut reader: Reader<'_>) -> Result<(), Malformed> {
        while let Some(&next) = reader.peek().first() {
            if next == END_OF_MEMBERSHIPS {
                reader.u8()?;
                break;
            }
            self.memberships.push(reader.value(Membership::read_prefix)?);
        }
        read_section(&mut reader, Capability::read_prefix, &mut self.capabilities)?;
        read_section(&mut reader, Tag::read_prefix, &mut self.tags)?;
        read_section(&mut reader, Revocation::read_prefix, &mut self.revocations)?;
        read_section(&mut reader, Ownership::read_prefix, &mut self.ownerships)
    }

    /// Returns the bodies of as few packets as it takes to send all this, none if there is nothing.
    ///
    /// Receivers ignore all but the first packet of a sender in a second, so several have to be
    /// sent more than a second apart.
    #[must_use]
    pub fn write(&self) -> Vec<Vec<u8>> {
        let mut packets = Packets::default();
        for membership in &self.memberships {
            packets.add(Section::Memberships, |out| membership.write(out));
        }
        for capability in &self.capabilities {
            packets.add(Section::Capabilities, |out| capability.write(out));
        }
        for tag in &self.tags {
            packets.add(Section::Tags, |out| tag.write(out));
        }
        for revocation in &self.revocations {
            packets.add(Section::Revocations, |out| revocation.write(out));
        }
        for ownership in &self.ownerships {
            packets.add(Section::Ownerships, |out| ownership.write(out));
        }
        packets.finish()
    }
}

/// Reads a section, which is empty if the body is over.
fn read_section<'a, T>(
    reader: &mut Reader<'a>,
    read_prefix: fn(&'a [u8]) -> Result<(T, usize), Malformed>,
    into: &mut Vec<T>,
) -> Result<(), Malformed> {
    if reader.is_empty() {
        return Ok(());
    }
    for _ in 0..reader.u16()? {
        into.push(reader.value(read_prefix)?);
    }
    Ok(())
}

/// The sections in their order.
#[derive(Clone, Copy)]
enum Section {
    Memberships,
    Capabilities,
    Tags,
    Revocations,
    Ownerships,
}

/// Credentials in as many packets as they take.
#[derive(Default)]
struct Packets {
    done: Vec<Vec<u8>>,
    /// Count and bytes of each section of the packet that is being filled.
    filling: [(u16, Vec<u8>); 5],
}

impl Packets {
    fn add(&mut self, section: Section, write: impl FnOnce(&mut Vec<u8>)) {
        let mut credential = Vec::new();
        write(&mut credential);
        let filled: usize = self.filling.iter().map(|(_, bytes)| bytes.len()).sum();
        if EMPTY_LEN + filled + credential.len() > BODY_LEN_SENT_MAX {
            self.close();
        }

        let (count, bytes) = &mut self.filling[section as usize];
        *count += 1;
        bytes.append(&mut credential);
    }

    fn close(&mut self) {
        let filling = core::mem::take(&mut self.filling);
        if filling.iter().all(|&(count, _)| count == 0) {
            return;
        }
        let [(_, memberships), sections @ ..] = filling;
        let mut body = memberships;
        body.put_u8(END_OF_MEMBERSHIPS);
        for (count, bytes) in sections {
            body.put_u16(count);
            body.put(&bytes);
        }
        self.done.push(body);
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        self.close();
        self.done
    }
}
