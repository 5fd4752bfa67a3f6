//! Whether a match is true of a frame.
//!
//! Source: spec 03 §8.1, §8.3, §8.4.

use core::cell::OnceCell;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::explain::Witness;
use super::headers::{Claim, Ip, Port, claim};
use super::passage::{Direction, Passage};
use super::{Kind, Prefix, Range, Tagged};
use crate::address::Mac;

/// What NOT does with a match's result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// It inverts it.
    Plain(bool),
    /// Nothing: the frame lacks what the match is about.
    HardNo,
    /// Nothing: the match is given the benefit of the doubt.
    HardYes,
}

impl Answer {
    /// Returns the result, inverted if it is to be and may be.
    pub(super) const fn holds(self, not: bool) -> bool {
        match self {
            Self::Plain(holds) => holds != not,
            Self::HardNo => false,
            Self::HardYes => true,
        }
    }
}

/// What matches change besides being true or false.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leniency {
    /// A rule would have sent this node the frame had its matches been true: tags that are not
    /// known are no obstacle, and accepting lets frames pass that are not for this node.
    pub(super) targeted: bool,
    /// The receiver's tags are not known: the next DROP is left to the receiver.
    pub(super) spare: bool,
}

/// A frame that matches are asked about, with what was found out about it so far.
pub(super) struct Subject<'a, W> {
    passage: &'a Passage<'a>,
    ip: Option<Ip<'a>>,
    owns_ip: OnceCell<bool>,
    unknown_matches: bool,
    random: &'a mut dyn FnMut() -> u32,
    witness: &'a mut W,
}

/// The characteristics of a frame beside its TCP flags, which are the lowest twelve.
mod characteristics {
    pub(super) const INBOUND: u64 = 1 << 63;
    pub(super) const MULTICAST: u64 = 1 << 62;
    pub(super) const BROADCAST: u64 = 1 << 61;
    pub(super) const OWNS_IP: u64 = 1 << 60;
    pub(super) const OWNS_MAC: u64 = 1 << 59;
}

/// Set in the flags of an ICMP match whose code counts.
const ICMP_CODE_COUNTS: u8 = 0x01;

/// Set in the format of an integer that is little-endian.
const LITTLE_ENDIAN: u8 = 0x80;

impl<'a, W: Witness> Subject<'a, W> {
    pub(super) fn new(
        passage: &'a Passage<'a>,
        unknown_matches: bool,
        random: &'a mut dyn FnMut() -> u32,
        witness: &'a mut W,
    ) -> Self {
        let ip = Ip::read(&passage.frame);
        Self { passage, ip, owns_ip: OnceCell::new(), unknown_matches, random, witness }
    }

    /// Returns whether the match `kind` is true. Actions are never asked.
    pub(super) fn answer(&mut self, kind: &Kind, leniency: &mut Leniency) -> Answer {
        let Passage { sender, receiver, frame, .. } = self.passage;
        let is = Answer::Plain;
        match kind {
            Kind::SourceAddress(node) => is(sender.address == *node),
            Kind::DestinationAddress(node) => is(receiver.address == *node),
            // Frames come without a VLAN's tag.
            Kind::VlanId(id) => is(*id == 0),
            Kind::VlanPcp(bits) | Kind::VlanDei(bits) => is(*bits == 0),
            Kind::SourceMac(mac) => is(frame.source == *mac),
            Kind::DestinationMac(mac) => is(frame.destination == *mac),
            Kind::SourceIpv4(prefix) => self.ipv4(|ip| ip.source, prefix),
            Kind::DestinationIpv4(prefix) => self.ipv4(|ip| ip.destination, prefix),
            Kind::SourceIpv6(prefix) => self.ipv6(|ip| ip.source, prefix),
            Kind::DestinationIpv6(prefix) => self.ipv6(|ip| ip.destination, prefix),
            Kind::TypeOfService { mask, range } => match &self.ip {
                Some(ip) => is(range.contains(ip.service & mask)),
                None => Answer::HardNo,
            },
            Kind::IpProtocol(protocol) => match self.ip.as_ref().and_then(|ip| ip.transport) {
                Some(transport) => is(transport.protocol == *protocol),
                None => Answer::HardNo,
            },
            Kind::Ethertype(ethertype) => is(frame.ethertype == *ethertype),
            Kind::Icmp { kind, code, flags } => self.icmp(*kind, *code, *flags),
            Kind::SourcePort(range) => self.port(Port::Source, range),
            Kind::DestinationPort(range) => self.port(Port::Destination, range),
            Kind::Characteristics(mask) => is(self.has_any_of(*mask)),
            Kind::FrameSize(range) => {
                // Frames are shorter than 2¹⁶ bytes: packets are.
                is(u16::try_from(frame.payload.len()).is_ok_and(|len| range.contains(len)))
            }
            Kind::Random(at_most) => is((self.random)() <= *at_most),
            Kind::TagsDifference(tag) => {
                self.tags(tag, leniency, |ours, theirs| ours.abs_diff(theirs) <= tag.value)
            }
            Kind::TagsAnd(tag) => {
                self.tags(tag, leniency, |ours, theirs| ours & theirs == tag.value)
            }
            Kind::TagsOr(tag) => {
                self.tags(tag, leniency, |ours, theirs| ours | theirs == tag.value)
            }
            Kind::TagsXor(tag) => {
                self.tags(tag, leniency, |ours, theirs| ours ^ theirs == tag.value)
            }
            Kind::TagsEqual(tag) => {
                self.tags(tag, leniency, |ours, theirs| ours == tag.value && theirs == tag.value)
            }
            Kind::TagSender(tag) => self.tag_of_sender(tag, leniency),
            Kind::TagReceiver(tag) => self.tag_of_receiver(tag, leniency),
            Kind::Integer { range, index, format } => {
                is(contains_wrapped(range, integer(frame.payload, *index, *format)))
            }
            Kind::Drop
            | Kind::Accept
            | Kind::Tee(_)
            | Kind::Watch(_)
            | Kind::Redirect(_)
            | Kind::Break
            | Kind::Priority
            | Kind::Unknown { .. } => is(self.unknown_matches),
        }
    }

    fn ipv4(&self, end: impl Fn(&Ip<'_>) -> IpAddr, prefix: &Prefix<Ipv4Addr>) -> Answer {
        match self.ip.as_ref().map(end) {
            Some(IpAddr::V4(address)) => Answer::Plain(prefix.contains(address)),
            Some(IpAddr::V6(_)) | None => Answer::HardNo,
        }
    }

    fn ipv6(&self, end: impl Fn(&Ip<'_>) -> IpAddr, prefix: &Prefix<Ipv6Addr>) -> Answer {
        match self.ip.as_ref().map(end) {
            Some(IpAddr::V6(address)) => Answer::Plain(prefix.is_network_of(address)),
            Some(IpAddr::V4(_)) | None => Answer::HardNo,
        }
    }

    fn icmp(&self, kind: u8, code: u8, flags: u8) -> Answer {
        match self.ip.as_ref().and_then(Ip::icmp) {
            Some((of_frame, code_of_frame)) if of_frame == kind => {
                if flags & ICMP_CODE_COUNTS != 0 {
                    Answer::Plain(code_of_frame == code)
                } else {
                    Answer::HardYes
                }
            }
            Some(_) | None => Answer::HardNo,
        }
    }

    fn port(&self, which: Port, range: &Range<u16>) -> Answer {
        match &self.ip {
            Some(ip) if ip.transport.is_some() => {
                Answer::Plain(ip.port(which).is_some_and(|port| range.contains(port)))
            }
            Some(_) | None => Answer::HardNo,
        }
    }

    /// Returns whether the frame has one of the characteristics in `mask`.
    fn has_any_of(&self, mask: u64) -> bool {
        use characteristics::{BROADCAST, INBOUND, MULTICAST, OWNS_IP, OWNS_MAC};

        let Passage { direction, sender, frame, .. } = self.passage;
        let tcp_flags = u64::from(self.ip.as_ref().map_or(0, Ip::tcp_flags));
        let asks = |bit| mask & bit != 0;
        asks(tcp_flags)
            || asks(INBOUND) && *direction == Direction::Inbound
            || asks(MULTICAST) && frame.destination.is_multicast()
            || asks(BROADCAST) && frame.destination == Mac::BROADCAST
            || asks(OWNS_IP) && self.sender_owns_ip()
            || asks(OWNS_MAC) && sender.holdings.owns_mac(frame.source)
    }

    fn sender_owns_ip(&self) -> bool {
        *self.owns_ip.get_or_init(|| match claim(&self.passage.frame, self.ip.as_ref()) {
            Claim::None => false,
            Claim::Address(ip) => self.passage.sender.holdings.owns_ip(ip),
            Claim::Question => true,
        })
    }

    /// Compares both nodes' tags.
    fn tags(
        &mut self,
        tag: &Tagged,
        leniency: &mut Leniency,
        compare: impl FnOnce(u32, u32) -> bool,
    ) -> Answer {
        self.witness.consulted(tag.id, self.passage);
        let local = self.passage.local().holdings.tag(tag.id);
        let remote = self.passage.remote().holdings.tag(tag.id);
        match (local, remote) {
            (None, _) => Answer::HardNo,
            (Some(local), Some(remote)) => Answer::Plain(compare(local, remote)),
            (Some(_), None)
                if self.passage.direction == Direction::Inbound && !leniency.targeted =>
            {
                Answer::HardNo
            }
            (Some(_), None) => leniency.doubt(),
        }
    }

    fn tag_of_sender(&mut self, tag: &Tagged, leniency: &mut Leniency) -> Answer {
        self.witness.consulted(tag.id, self.passage);
        if leniency.targeted {
            return leniency.doubt();
        }
        match self.passage.sender.holdings.tag(tag.id) {
            Some(value) => Answer::Plain(value == tag.value),
            None => Answer::HardNo,
        }
    }

    fn tag_of_receiver(&mut self, tag: &Tagged, leniency: &mut Leniency) -> Answer {
        self.witness.consulted(tag.id, self.passage);
        if leniency.targeted {
            return leniency.doubt();
        }
        match (self.passage.receiver.holdings.tag(tag.id), self.passage.direction) {
            (Some(value), _) => Answer::Plain(value == tag.value),
            (None, Direction::Outbound) => leniency.doubt(),
            (None, Direction::Inbound) => Answer::HardNo,
        }
    }
}

impl Leniency {
    /// Gives the benefit of the doubt, once: to the match and against the next DROP.
    const fn doubt(&mut self) -> Answer {
        self.spare = true;
        Answer::HardYes
    }
}

/// Reads the integer that `format` describes; 0 if it reaches beyond the end.
fn integer(payload: &[u8], index: u16, format: u8) -> u64 {
    let bits = usize::from(format & 0x3f) + 1;
    let len = bits.div_ceil(8);
    let little_endian = format & LITTLE_ENDIAN != 0;

    let start = usize::from(index) + if little_endian { 0 } else { 8 - len };
    let Some(field) = payload.get(start..start + len) else { return 0 };
    let mut octets = [0; 8];
    if little_endian {
        octets[..len].copy_from_slice(field);
        u64::from_le_bytes(octets) >> (8 * len - bits)
    } else {
        octets[8 - len..].copy_from_slice(field);
        u64::from_be_bytes(octets) & (u64::MAX >> (64 - bits))
    }
}

/// Returns whether `integer` lies in `range`, of whose length the low 32 bits count.
const fn contains_wrapped(range: &Range<u64>, integer: u64) -> bool {
    let len = range.end.wrapping_sub(range.start) as u32;
    let end = range.start.wrapping_add(len as u64);
    range.start <= integer && integer <= end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_in_either_order_and_of_any_width() {
        let payload: Vec<u8> = (1..=16).collect();
        let read = |index, format| integer(&payload, index, format);

        assert_eq!(read(0, 63), 0x0102_0304_0506_0708);
        assert_eq!(read(2, 15), 0x090a);
        assert_eq!(read(2, 11), 0x090a & 0xfff);
        assert_eq!(read(2, 0), 0);
        assert_eq!(read(2, LITTLE_ENDIAN | 15), 0x0403);
        assert_eq!(read(2, LITTLE_ENDIAN | 11), 0x0403 >> 4);
        assert_eq!(read(8, 63), 0x090a_0b0c_0d0e_0f10);
        assert_eq!(read(9, 7), 0);
        assert_eq!(read(15, LITTLE_ENDIAN | 7), 16);
        assert_eq!(read(15, LITTLE_ENDIAN | 8), 0);
        assert_eq!(read(u16::MAX, 63), 0);
    }

    /// The length of the range is kept in 32 bits.
    #[test]
    fn ranges_of_integers_are_at_most_four_gigabytes_long() {
        let range = |start, end| Range { start, end };

        assert!(contains_wrapped(&range(5, 9), 9));
        assert!(!contains_wrapped(&range(5, 9), 10));
        assert!(contains_wrapped(&range(0, (1 << 32) + 3), 3));
        assert!(!contains_wrapped(&range(0, (1 << 32) + 3), 4));
        assert!(!contains_wrapped(&range(u64::MAX, 3), u64::MAX));
    }
}
