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
    read_prefix: impl Fn(&'a [u8]) -> Result<(T, usize), Malformed>,
    into: &mut Vec<T>,
) -> Result<(), Malformed> {
    if reader.is_empty() {
        return Ok(());
    }
    for _ in 0..reader.u16()? {
        into.push(reader.value(&read_prefix)?);
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

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;
    use crate::vectors::{bytes, case, load};

    /// From credentials.json, "one tag, all sections".
    const ONE_TAG: [u8; 144] = hex!(
        "00"                                // no memberships
        "0000"                              // no capabilities
        "0001"                              // one tag
        "3f6ea8ef00000001 0000018bcfe56800" // network, timestamp
        "00000001 00000007"                 // id, value
        "c602cbb587 3f6ea8ef00"             // issued to, signer
        "01 0060"                           // signature
        "942bd57c33294a6e56c3e65f97a2eb82c62c8dd593728308a8a557ee71a8c72e"
        "27e1f16386fa90dd9f59617ab26bb8eec93c05ad7b006fe8a5f932630fee0108"
        "1a404d21c50108690b12276690599dda55a01289c14f5cbb29d7ce18d37260d5"
        "0000"                              // nothing additional
        "0000"                              // no revocations
        "0000"                              // no ownerships
    );

    #[test]
    fn the_references_body_is_read_and_written() {
        let (credentials, whole) = Credentials::read(&ONE_TAG);

        assert_eq!(whole, Ok(()));
        assert_eq!((credentials.tags[0].id, credentials.tags[0].value), (1, 7));
        assert_eq!(credentials.tags.len(), 1);
        assert_eq!(credentials.write(), [ONE_TAG]);
    }

    #[test]
    fn every_packet_the_reference_pushes_is_read_and_written() {
        let vectors = load("credentials.json");

        for name in ["COM only", "COM, capability, tags, ownership in one packet"] {
            let body = bytes(&case(&vectors, name)["packets"][0]["payload"]);

            let (credentials, whole) = Credentials::read(&body);

            assert_eq!(whole, Ok(()), "{name}");
            assert_eq!(credentials.memberships.len(), 1, "{name}");
            assert_eq!(credentials.write(), [body], "{name}");
        }
    }

    /// What the reference needs two packets for takes two here, but not cut at the same place.
    #[test]
    fn what_is_too_much_for_a_packet_takes_several() {
        let vectors = load("credentials.json");
        let case = case(&vectors, "nine capabilities, eight of them large: two packets");
        let mut all = Credentials::default();
        for packet in case["packets"].as_array().unwrap() {
            let (part, whole) = Credentials::read(&bytes(&packet["payload"]));
            assert_eq!(whole, Ok(()));
            all.memberships.extend(part.memberships);
            all.capabilities.extend(part.capabilities);
        }
        assert_eq!(all.capabilities.len(), 9);

        let packets = all.write();

        assert_eq!(packets.len(), 2);
        assert!(packets.iter().all(|body| body.len() <= BODY_LEN_SENT_MAX));
        let parts: Vec<_> = packets.iter().map(|body| Credentials::read(body).0).collect();
        assert_eq!(parts[0].memberships, all.memberships);
        assert_eq!([&parts[0].capabilities[..], &parts[1].capabilities].concat(), all.capabilities);
        assert!(parts[1].memberships.is_empty());
    }

    /// From credentials.json: "COM, end mark, nothing else", "COM without end mark", "packet ends
    /// after tags".
    #[test]
    fn a_body_may_end_after_a_section_and_counts_until_it_breaks_off() {
        for len in 0..ONE_TAG.len() {
            let (credentials, whole) = Credentials::read(&ONE_TAG[..len]);

            let ends_after_section = [0, 1, 3, 140, 142].contains(&len);
            assert_eq!(whole.is_ok(), ends_after_section, "{len}");
            assert_eq!(credentials.tags.len(), usize::from(len >= 140), "{len}");
        }
    }

    #[test]
    fn nothing_takes_no_packet() {
        assert!(Credentials::default().write().is_empty());
    }

    proptest! {
        #[test]
        fn no_input_panics(body: Vec<u8>, at in 0..ONE_TAG.len(), flip: u8) {
            let mut flipped = ONE_TAG;
            flipped[at] ^= flip;

            for body in [&body[..], &flipped, &[&ONE_TAG[..at], &body].concat()] {
                let _ = Credentials::read(body);
            }
        }

        #[test]
        fn what_is_written_is_read_back(tags in 0_usize..200) {
            let (one, _) = Credentials::read(&ONE_TAG);
            let all = Credentials { tags: vec![one.tags[0].clone(); tags], ..Credentials::default() };

            let mut read = Vec::new();
            for body in all.write() {
                let (part, whole) = Credentials::read(&body);
                prop_assert_eq!(whole, Ok(()));
                prop_assert!(body.len() <= BODY_LEN_SENT_MAX);
                read.extend(part.tags);
            }
            prop_assert_eq!(read, all.tags);
        }
    }
}
