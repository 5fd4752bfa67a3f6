//! What a node has counted since it started, and what it takes.

use std::collections::BTreeMap;

use zt_protocol::error::Drops;
use zt_protocol::memory::MemoryUse;

/// What a node has counted since it started, and what it takes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Statistics {
    /// What the node has dropped, by reason.
    pub drops: Drops,
    /// What was lost around it.
    pub losses: Losses,
    /// What its tables take of memory, and may take.
    pub memory: MemoryUse,
    /// What has woken it, the question included.
    pub wakeups: Wakeups,
}

/// How many datagrams and frames were lost outside the node, for want of room or a way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Losses {
    /// Datagrams the system or the connection to the TCP relay did not take, and those that came in
    /// from a virtual network.
    pub datagrams: u64,
    /// Frames the host did not take.
    pub frames: u64,
    /// Events nobody took.
    pub events: u64,
}

/// How often a node's task was woken, by what.
///
/// On a phone each costs power. Timers are the node's own doing; who else sends to it or asks it
/// decides the rest.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Wakeups {
    /// Timers of the node's, by what they were for: names of the core's
    /// ([`Wakeup::why`](zt_protocol::node::Wakeup::why)), and of the driver's own. Only those that
    /// have elapsed.
    pub timers: BTreeMap<&'static str, u64>,
    /// Datagrams arrived.
    pub datagrams: u64,
    /// The host has sent to a network.
    pub frames: u64,
    /// Somebody asked something of a [`Handle`](crate::Handle).
    pub requests: u64,
    /// The machine's interfaces, its gateway, or files of the node changed.
    pub changes: u64,
}
