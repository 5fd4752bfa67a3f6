//! Multicast: who listens, who shall hear it, and the frames.
//!
//! ```text
//!  MULTICAST_LIKE     (network (8), group (10)), ..
//!
//!  MULTICAST_GATHER   network (8), flags (1), group (10), limit (4), [01: membership]
//!  its OK             network (8), group (10), members
//!
//!  MULTICAST_FRAME    network (8), flags (1), [01: membership], [02: limit (4)], [04: source (6)],
//!                     group (10), ethertype (2), payload ..      08: please replicate
//!  its OK             network (8), group (10), flags (1), [01: membership], [02: members]
//!
//!  group   = MAC (6), ADI (4)
//!  members = total known (4), n (2), address (5) × n
//! ```
//!
//! Source: spec 03 §9.2, §9.5–9.7.

use zerocopy::FromBytes;

use crate::address::{Address, Mac, MulticastGroup, NetworkId};
use crate::credential::Membership;
use crate::error::Malformed;
use crate::limits::BODY_LEN_SENT_MAX;
use crate::verb::Verb;
use crate::wire::cursor::{Put, Reader};
use crate::wire::reply;

const MEMBERSHIP_ATTACHED: u8 = 0x01;
const GATHER_LIMIT: u8 = 0x02;
const SOURCE_GIVEN: u8 = 0x04;
const REPLICATE: u8 = 0x08;

/// In the OK to a MULTICAST_FRAME: members follow.
const MEMBERS_FOLLOW: u8 = 0x02;

const LIKE_LEN: usize = 18;
const LIKES_PER_PACKET: usize = BODY_LEN_SENT_MAX / LIKE_LEN;

fn read_group(reader: &mut Reader<'_>) -> Result<MulticastGroup, Malformed> {
    Ok(MulticastGroup { mac: reader.mac()?, adi: reader.u32()? })
}

fn put_group(out: &mut Vec<u8>, group: MulticastGroup) {
    out.put_mac(group.mac);
    out.put_u32(group.adi);
}

/// Returns what the sender of a MULTICAST_LIKE listens to. An incomplete last one is ignored.
pub fn read_likes(body: &[u8]) -> impl Iterator<Item = (NetworkId, MulticastGroup)> + '_ {
    body.as_chunks::<LIKE_LEN>().0.iter().filter_map(|like| {
        let mut reader = Reader::new("MULTICAST_LIKE", like);
        Some((reader.network().ok()?, read_group(&mut reader).ok()?))
    })
}

/// Returns the bodies of as many MULTICAST_LIKEs as it takes to announce `likes`.
pub fn write_likes(likes: &[(NetworkId, MulticastGroup)]) -> impl Iterator<Item = Vec<u8>> + '_ {
    likes.chunks(LIKES_PER_PACKET).map(|likes| {
        let mut out = Vec::with_capacity(likes.len() * LIKE_LEN);
        for &(network, group) in likes {
            out.put_network(network);
            put_group(&mut out, group);
        }
        out
    })
}

/// The body of a MULTICAST_GATHER.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gather {
    /// The network.
    pub network: NetworkId,
    /// Whose members are wanted.
    pub group: MulticastGroup,
    /// How many at most.
    pub limit: u32,
    /// The sender's certificate, so that it can be served before credentials were pushed.
    pub membership: Option<Membership>,
}

impl Gather {
    /// Reads a MULTICAST_GATHER body. A certificate that cannot be read counts as missing.
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`].
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("MULTICAST_GATHER", body);
        let network = reader.network()?;
        let flags = reader.u8()?;
        let group = read_group(&mut reader)?;
        let limit = reader.u32()?;
        let membership = if flags & MEMBERSHIP_ATTACHED != 0 {
            reader.value(Membership::read_prefix).ok()
        } else {
            None
        };

        Ok(Self { network, group, limit, membership })
    }

    /// Returns the body.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_network(self.network);
        out.put_u8(if self.membership.is_some() { MEMBERSHIP_ATTACHED } else { 0 });
        put_group(&mut out, self.group);
        out.put_u32(self.limit);
        if let Some(membership) = &self.membership {
            membership.write(&mut out);
        }
        out
    }
}

/// Members of a group, as the OKs to MULTICAST_GATHER and MULTICAST_FRAME tell them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gathered<'a> {
    /// The network.
    pub network: NetworkId,
    /// The group.
    pub group: MulticastGroup,
    /// How many members the responder knows, itself and the one who asks included.
    pub total: u32,
    /// Those it tells.
    pub members: &'a [Address],
}

impl<'a> Gathered<'a> {
    /// How many members an OK has room for.
    pub const MEMBERS_MAX: usize = (BODY_LEN_SENT_MAX - (9 + 8 + 10 + 1 + 6)) / Address::LEN;

    /// Reads what follows the header of an OK(MULTICAST_GATHER).
    ///
    /// # Errors
    ///
    /// [`Malformed::Truncated`].
    pub fn read(answer: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("OK(MULTICAST_GATHER)", answer);
        let network = reader.network()?;
        let group = read_group(&mut reader)?;
        Self::read_members(&mut reader, network, group)
    }

    /// Reads what follows the header of an OK(MULTICAST_FRAME), and the certificate that old
    /// nodes attach to it. There may be no members.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if it is truncated or the certificate cannot be read.
    pub fn read_from_frame(answer: &'a [u8]) -> Result<(Self, Option<Membership>), Malformed> {
        let mut reader = Reader::new("OK(MULTICAST_FRAME)", answer);
        let network = reader.network()?;
        let group = read_group(&mut reader)?;
        let flags = reader.u8()?;
        let membership = if flags & MEMBERSHIP_ATTACHED != 0 {
            Some(reader.value(Membership::read_prefix)?)
        } else {
            None
        };
        let gathered = if flags & MEMBERS_FOLLOW != 0 {
            Self::read_members(&mut reader, network, group)?
        } else {
            Self { network, group, total: 0, members: &[] }
        };
        Ok((gathered, membership))
    }

    fn read_members(
        reader: &mut Reader<'a>,
        network: NetworkId,
        group: MulticastGroup,
    ) -> Result<Self, Malformed> {
        let total = reader.u32()?;
        let count = reader.u16()?;
        let members = reader.bytes(usize::from(count) * Address::LEN)?;
        let members = <[Address]>::ref_from_bytes(members).expect("as long as so many addresses");
        Ok(Self { network, group, total, members })
    }

    /// Returns the body of the OK to the MULTICAST_GATHER `packet_id`.
    ///
    /// Members beyond [`MEMBERS_MAX`](Self::MEMBERS_MAX) are left out.
    #[must_use]
    pub fn write(&self, packet_id: u64) -> Vec<u8> {
        let mut out = self.begin(Verb::MulticastGather, packet_id);
        self.put_members(&mut out);
        out
    }

    /// Returns the body of the OK to the MULTICAST_FRAME `packet_id`.
    ///
    /// Members beyond [`MEMBERS_MAX`](Self::MEMBERS_MAX) are left out.
    #[must_use]
    pub fn write_to_frame(&self, packet_id: u64) -> Vec<u8> {
        let mut out = self.begin(Verb::MulticastFrame, packet_id);
        out.put_u8(MEMBERS_FOLLOW);
        self.put_members(&mut out);
        out
    }

    fn begin(&self, in_re: Verb, packet_id: u64) -> Vec<u8> {
        let mut out = reply::ok(in_re, packet_id);
        out.put_network(self.network);
        put_group(&mut out, self.group);
        out
    }

    fn put_members(&self, out: &mut Vec<u8>) {
        let members = &self.members[..self.members.len().min(Self::MEMBERS_MAX)];
        out.put_u32(self.total);
        out.put_u16(members.len() as u16);
        for &member in members {
            out.put_address(member);
        }
    }
}

// The count of members is 16 bits.
const _: () = assert!(Gathered::MEMBERS_MAX <= u16::MAX as usize);

/// The body of a MULTICAST_FRAME.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MulticastFrame<'a> {
    /// The network it is on.
    pub network: NetworkId,
    /// The sender's certificate, which old nodes attach.
    pub membership: Option<Membership>,
    /// How many members of the group the sender wants to be told, 0 if none.
    pub gather_limit: u32,
    /// Who the frame is from, if not the packet's source.
    pub source: Option<Mac>,
    /// The receiver shall send it on to the group's other members.
    pub replicate: bool,
    /// Who the frame is for.
    pub group: MulticastGroup,
    /// What the payload is.
    pub ethertype: u16,
    /// What follows the Ethernet header.
    pub payload: &'a [u8],
}

impl<'a> MulticastFrame<'a> {
    /// Reads a MULTICAST_FRAME body.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if it is truncated or the certificate cannot be read.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("MULTICAST_FRAME", body);
        let network = reader.network()?;
        let flags = reader.u8()?;
        let membership = if flags & MEMBERSHIP_ATTACHED != 0 {
            Some(reader.value(Membership::read_prefix)?)
        } else {
            None
        };
        let gather_limit = if flags & GATHER_LIMIT != 0 { reader.u32()? } else { 0 };
        let source = if flags & SOURCE_GIVEN != 0 { Some(reader.mac()?) } else { None };

        Ok(Self {
            network,
            membership,
            gather_limit,
            source,
            replicate: flags & REPLICATE != 0,
            group: read_group(&mut reader)?,
            ethertype: reader.u16()?,
            payload: reader.rest(),
        })
    }

    /// Returns the body.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let flag = |flag, set| if set { flag } else { 0 };
        let mut out = Vec::with_capacity(self.payload.len() + 40);
        out.put_network(self.network);
        out.put_u8(
            flag(MEMBERSHIP_ATTACHED, self.membership.is_some())
                | flag(GATHER_LIMIT, self.gather_limit > 0)
                | flag(SOURCE_GIVEN, self.source.is_some())
                | flag(REPLICATE, self.replicate),
        );
        if let Some(membership) = &self.membership {
            membership.write(&mut out);
        }
        if self.gather_limit > 0 {
            out.put_u32(self.gather_limit);
        }
        if let Some(source) = self.source {
            out.put_mac(source);
        }
        put_group(&mut out, self.group);
        out.put_u16(self.ethertype);
        out.put(self.payload);
        out
    }
}
