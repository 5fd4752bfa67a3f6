//! Rules: what a network lets through.
//!
//! A list of rules is read left to right. Matches narrow down the frames that the next action is
//! for; an action ends the run of matches before it. [`codec`] reads and writes lists as
//! configurations and capabilities carry them, [`json`] as the controller's API does, and
//! [`Filter`] says what a list means for frames.
//!
//! ```text
//!  Filter      the lists, in order                eval
//!    Subject   is a match true of a frame?        matching
//!      Ip      what the frame's headers say       headers
//!  Passage     a frame between two nodes
//!    Holdings  what each of them holds
//! ```
//!
//! Source: spec 03 §8.

pub mod codec;
mod eval;
mod explain;
mod headers;
mod holdings;
pub mod json;
mod matching;
mod passage;

use core::net::{Ipv4Addr, Ipv6Addr};

pub use self::eval::{Copied, Decision, Filter, Purpose, Verdict};
pub use self::explain::{DecidedBy, Explanation, List, TagValues};
pub use self::holdings::{Grant, Holdings};
pub use self::passage::{Direction, Party, Passage};
use crate::address::{Address, Mac};
use crate::memory;
pub use crate::prefix::Prefix;

/// One entry of a list: an action or a match.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// The match's result is inverted, except where the protocol says that it never is.
    pub not: bool,
    /// The match widens what those before it narrowed.
    pub or: bool,
    /// What it does. On actions `not` and `or` have no effect, but are kept: they are signed.
    pub kind: Kind,
}

impl Rule {
    /// Returns the rule that accepts whatever gets to it.
    #[must_use]
    pub const fn accept() -> Self {
        Self { not: false, or: false, kind: Kind::Accept }
    }
}

/// Returns what a list of rules takes, in bytes.
pub(crate) fn footprint(rules: &Vec<Rule>) -> usize {
    let values = rules.iter().map(|rule| match &rule.kind {
        Kind::Unknown { value, .. } => memory::of_list(value),
        _ => 0,
    });
    memory::of_list(rules) + values.sum::<usize>()
}

impl From<Kind> for Rule {
    fn from(kind: Kind) -> Self {
        Self { not: false, or: false, kind }
    }
}

/// What a rule does: actions first, then matches, in the order of their codes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Drop the frame.
    Drop,
    /// Let the frame pass.
    Accept,
    /// Send a copy to a node.
    Tee(Forward),
    /// As [`Tee`](Self::Tee), asking for acknowledgement.
    Watch(Forward),
    /// Send the frame to a node instead of to its destination.
    Redirect(Forward),
    /// End the list without a decision.
    Break,
    /// Let the frame pass with a priority, which does not travel.
    Priority,

    /// The sending node.
    SourceAddress(Address),
    /// The receiving node.
    DestinationAddress(Address),
    /// The VLAN's ID.
    VlanId(u16),
    /// The VLAN's priority code point.
    VlanPcp(u8),
    /// The VLAN's drop-eligible indicator.
    VlanDei(u8),
    /// The source MAC.
    SourceMac(Mac),
    /// The destination MAC.
    DestinationMac(Mac),
    /// The source IPv4 prefix.
    SourceIpv4(Prefix<Ipv4Addr>),
    /// The destination IPv4 prefix.
    DestinationIpv4(Prefix<Ipv4Addr>),
    /// The source IPv6 prefix.
    SourceIpv6(Prefix<Ipv6Addr>),
    /// The destination IPv6 prefix.
    DestinationIpv6(Prefix<Ipv6Addr>),
    /// The masked type of service or traffic class lies in a range.
    TypeOfService {
        /// The bits that count.
        mask: u8,
        /// The range.
        range: Range<u8>,
    },
    /// The IP protocol.
    IpProtocol(u8),
    /// The Ethernet type.
    Ethertype(u16),
    /// An ICMP message.
    Icmp {
        /// Its type.
        kind: u8,
        /// Its code, which counts if bit 0x01 of `flags` is set.
        code: u8,
        /// Flags.
        flags: u8,
    },
    /// The source port lies in a range.
    SourcePort(Range<u16>),
    /// The destination port lies in a range.
    DestinationPort(Range<u16>),
    /// One of some characteristics of the frame (spec 03 §8.4).
    Characteristics(u64),
    /// The length of the frame's payload lies in a range, in bytes.
    FrameSize(Range<u16>),
    /// A uniform number of 32 bits is at most this.
    Random(u32),
    /// The two nodes' tags differ by at most the value.
    TagsDifference(Tagged),
    /// The two nodes' tags, ANDed, are the value.
    TagsAnd(Tagged),
    /// The two nodes' tags, ORed, are the value.
    TagsOr(Tagged),
    /// The two nodes' tags, XORed, are the value.
    TagsXor(Tagged),
    /// Both nodes' tags are the value.
    TagsEqual(Tagged),
    /// The sender's tag is the value.
    TagSender(Tagged),
    /// The receiver's tag is the value.
    TagReceiver(Tagged),
    /// A number in the frame lies in a range.
    Integer {
        /// The range.
        range: Range<u64>,
        /// Where the number begins, in bytes.
        index: u16,
        /// Number of bits less one, and bit 0x80 if it is little-endian.
        format: u8,
    },

    /// An action or match of a later version, which has a meaning all the same (spec 03 §8.3).
    Unknown {
        /// Its code, below 64; actions are below 16.
        code: u8,
        /// Its value, at most 255 bytes.
        value: Vec<u8>,
    },
}

impl Kind {
    /// Returns whether it is an action, not a match.
    #[must_use]
    pub const fn is_action(&self) -> bool {
        const FIRST_MATCH: u8 = 16;
        codec::code(self) < FIRST_MATCH
    }
}

/// Where a frame or its copy is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Forward {
    /// To which node: the low 40 bits are its address, the rest is kept because it is signed.
    pub target: u64,
    /// Flags, of which none is defined.
    pub flags: u32,
    /// How much of the frame is copied, in bytes; 0 for all.
    pub len: u16,
}

/// A range that includes both ends; empty if they are in the wrong order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Range<T> {
    /// The first number.
    pub start: T,
    /// The last number.
    pub end: T,
}

impl<T: PartialOrd> Range<T> {
    /// Returns whether `number` lies in the range.
    #[must_use]
    pub fn contains(&self, number: T) -> bool {
        self.start <= number && number <= self.end
    }
}

/// A tag's ID and what its values are compared with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tagged {
    /// Which tag.
    pub id: u32,
    /// The value.
    pub value: u32,
}
