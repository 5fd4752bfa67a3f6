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
use crate::transmit::Frame;
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
    /// Returns the Ethernet frame that the packet's source, whose MAC is `sender`, sends.
    #[must_use]
    pub fn frame(&self, sender: Mac) -> Frame<'a> {
        Frame {
            destination: self.group.mac,
            source: self.source.unwrap_or(sender),
            ethertype: self.ethertype,
            payload: self.payload,
        }
    }

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

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;
    use crate::vectors::{bytes, case, load};

    const NETWORK: NetworkId = NetworkId(0x3f6e_a8ef_0000_0001);

    /// From multicast.json, the packet of "ARP request again, one member known".
    const FRAME: [u8; 53] = hex!(
        "3f6ea8ef00000001"      // network
        "02"                    // a gather limit
        "00000020"
        "ffffffffffff 0a931106" // group
        "0806"                  // ARP
        "0001080006040001026e43f147f70a9311050000000000000a931106"
    );

    /// From multicast.json, the packet of "ARP request broadcast from a, no known member".
    const GATHER: [u8; 23] = hex!(
        "3f6ea8ef00000001"      // network
        "00"                    // flags
        "ffffffffffff 0a931106" // group
        "00000021"              // limit
    );

    /// From multicast.json, the reply to "MULTICAST_GATHER c->b: responder is itself subscribed".
    const GATHERED: [u8; 43] = hex!(
        "0d a36b833282c016a4"   // OK to this MULTICAST_GATHER
        "3f6ea8ef00000001"      // network
        "3333ff000005 00000000" // group
        "00000002"              // two are known
        "0002"                  // and both told
        "c602cbb587 6e43f1a85f"
    );

    /// From multicast.json, the reply to "MULTICAST_FRAME with gather limit 5".
    const GATHERED_BY_FRAME: [u8; 44] = hex!(
        "0e 51e76882621e361d"   // OK to this MULTICAST_FRAME
        "3f6ea8ef00000001"      // network
        "3333ff000005 00000000" // group
        "02"                    // members follow
        "00000002 0002"
        "c602cbb587 6e43f1a85f"
    );

    fn group(mac: [u8; 6], adi: u32) -> MulticastGroup {
        MulticastGroup { mac: mac.into(), adi }
    }

    /// From multicast.json, "periodic announcement: all groups incl. broadcast", the packet's
    /// first two of three.
    #[test]
    fn the_references_announcement_is_read_and_written() {
        let body = hex!(
            "3f6ea8ef00000001 3333ff000005 00000000"
            "3f6ea8ef00000001 ffffffffffff 0a931105"
        );
        let likes =
            [(NETWORK, group(hex!("3333ff000005"), 0)), (NETWORK, group([0xff; 6], 0x0a93_1105))];

        assert!(write_likes(&likes).eq([body]));
        assert!(read_likes(&body).eq(likes));
        for len in 0..body.len() {
            assert_eq!(read_likes(&body[..len]).count(), len / LIKE_LEN, "{len}");
        }
    }

    #[test]
    fn announcements_too_many_for_a_packet_take_several() {
        let likes = vec![(NETWORK, MulticastGroup::BROADCAST); LIKES_PER_PACKET + 1];

        let lens: Vec<_> = write_likes(&likes).map(|body| body.len()).collect();

        assert_eq!(lens, [LIKES_PER_PACKET * LIKE_LEN, LIKE_LEN]);
        assert!(lens[0] <= BODY_LEN_SENT_MAX);
    }

    #[test]
    fn the_references_frame_is_read_and_written() {
        let frame = MulticastFrame {
            network: NETWORK,
            membership: None,
            gather_limit: 0x20,
            source: None,
            replicate: false,
            group: group([0xff; 6], 0x0a93_1106),
            ethertype: 0x0806,
            payload: &FRAME[25..],
        };

        assert_eq!(frame.write(), FRAME);
        for len in 0..25 {
            assert!(MulticastFrame::read(&FRAME[..len]).is_err(), "{len}");
        }
        assert_eq!(MulticastFrame::read(&FRAME), Ok(frame));
    }

    /// From multicast.json, "MULTICAST_FRAME with replicate flag at replicator b".
    #[test]
    fn a_frame_may_name_its_source_and_ask_for_replication() {
        let body = hex!("3f6ea8ef00000001 0c 026e43f147f7 01005e0000fa 00000000 0800 4500");

        let frame = MulticastFrame::read(&body).unwrap();

        assert_eq!(frame.source, Some(Mac::from(hex!("026e43f147f7"))));
        assert!(frame.replicate);
        assert_eq!((frame.gather_limit, frame.payload), (0, hex!("4500").as_slice()));
        assert_eq!(frame.write(), body);
    }

    #[test]
    fn the_references_gather_is_read_and_written() {
        let gather = Gather {
            network: NETWORK,
            group: group([0xff; 6], 0x0a93_1106),
            limit: 0x21,
            membership: None,
        };

        assert_eq!(gather.write(), GATHER);
        for len in 0..GATHER.len() {
            assert!(Gather::read(&GATHER[..len]).is_err(), "{len}");
        }
        assert_eq!(Gather::read(&GATHER), Ok(gather));
    }

    #[test]
    fn a_gather_brings_a_certificate_which_may_be_bad() {
        let vectors = load("multicast.json");
        let case =
            case(&vectors, "private network multicast: MULTICAST_GATHER carries COM (flag 0x01)");
        let body = bytes(&case["packets"][0]["payload"]);

        let gather = Gather::read(&body).unwrap();
        let cut = Gather::read(&body[..body.len() - 1]).unwrap();

        assert_eq!(gather.membership.as_ref().unwrap().network(), NETWORK);
        assert_eq!(gather.write(), body);
        assert_eq!(cut, Gather { membership: None, ..gather });
    }

    #[test]
    fn the_references_members_are_read_and_written() {
        let gathered = Gathered {
            network: NETWORK,
            group: group(hex!("3333ff000005"), 0),
            total: 2,
            members: &[Address::from_u64(0xc6_02cb_b587), Address::from_u64(0x6e_43f1_a85f)],
        };

        assert_eq!(Gathered::read(&GATHERED[9..]), Ok(gathered));
        assert_eq!(gathered.write(0xa36b_8332_82c0_16a4), GATHERED);
        assert_eq!(Gathered::read_from_frame(&GATHERED_BY_FRAME[9..]), Ok((gathered, None)));
        assert_eq!(gathered.write_to_frame(0x51e7_6882_621e_361d), GATHERED_BY_FRAME);
        for len in 9..GATHERED.len() {
            assert!(Gathered::read(&GATHERED[9..len]).is_err(), "{len}");
        }
        for len in 9..GATHERED_BY_FRAME.len() {
            assert!(Gathered::read_from_frame(&GATHERED_BY_FRAME[9..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn members_beyond_a_packet_are_left_out() {
        let members = vec![Address::NULL; Gathered::MEMBERS_MAX + 1];
        let gathered =
            Gathered { network: NETWORK, group: group([1; 6], 0), total: 9, members: &members };

        let body = gathered.write_to_frame(0);

        assert!(body.len() <= BODY_LEN_SENT_MAX && body.len() + Address::LEN > BODY_LEN_SENT_MAX);
        let (read, _) = Gathered::read_from_frame(&body[9..]).unwrap();
        assert_eq!(read.members.len(), Gathered::MEMBERS_MAX);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            network in any::<u64>().prop_map(NetworkId),
            group in any::<([u8; 6], u32)>().prop_map(|(mac, adi)| group(mac, adi)),
            number: u32,
            source in prop::option::of(any::<[u8; 6]>().prop_map(Mac::from)),
            replicate: bool,
            ethertype: u16,
            payload: Vec<u8>,
            members: Vec<[u8; 5]>,
        ) {
            let frame = MulticastFrame {
                network,
                membership: None,
                gather_limit: number,
                source,
                replicate,
                group,
                ethertype,
                payload: &payload,
            };
            let body = frame.write();
            prop_assert_eq!(MulticastFrame::read(&body), Ok(frame));

            let gather = Gather { network, group, limit: number, membership: None };
            prop_assert_eq!(Gather::read(&gather.write()), Ok(gather));

            let members: Vec<_> = members.into_iter().map(Address::from).collect();
            let gathered = Gathered { network, group, total: number, members: &members };
            let (plain, of_frame) = (gathered.write(0), gathered.write_to_frame(0));
            prop_assert_eq!(Gathered::read(&plain[9..]), Ok(gathered));
            prop_assert_eq!(Gathered::read_from_frame(&of_frame[9..]), Ok((gathered, None)));

            let likes = vec![(network, group); members.len()];
            let body = write_likes(&likes).collect::<Vec<_>>().concat();
            prop_assert!(read_likes(&body).eq(likes));
        }

        #[test]
        fn no_input_panics(body: Vec<u8>) {
            let _ = read_likes(&body).count();
            let _ = Gather::read(&body);
            let _ = Gathered::read(&body);
            let _ = Gathered::read_from_frame(&body);
            let _ = MulticastFrame::read(&body);
        }
    }
}
