//! What a node has dropped, why it woke, and what it takes of memory.

use super::error::ZtError;
use super::node::Node;

/// What a node has counted since it started.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Statistics {
    /// Packets and frames dropped, by reason; only reasons that happened.
    pub drops: Vec<DropCount>,
    /// Datagrams the system did not send, and those that came in from a virtual network.
    pub lost_datagrams: u64,
    /// Frames the host did not take.
    pub lost_frames: u64,
    /// Events nobody took.
    pub lost_events: u64,
    /// What the node's tables take of memory, and may take.
    pub memory: MemoryUse,
    /// What has woken the node, this question included. On a phone each time costs power.
    pub wakeups: Wakeups,
}

/// How often something was dropped for a reason.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct DropCount {
    /// The reason's name, for instance `not_authentic`; the same in every language.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// What the tables of a node take of memory, in bytes. Buffers for packets on their way, of a fixed
/// size, and the code come on top.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct MemoryUse {
    /// What all together may take; `None` if only their own limits bound them.
    pub budget: Option<u64>,
    /// What all together take.
    pub total: u64,
    /// Who is known: peers with their paths and keys, and pins.
    pub peers: u64,
    /// The networks that are joined: configurations, members, multicast groups.
    pub networks: u64,
    /// Packets that wait or are being put together.
    pub packets: u64,
    /// Which packets were taken in lately, so that none counts twice.
    pub replays: u64,
    /// The networks this node controls, with their members.
    pub controller: u64,
}

/// How often a node was woken, by what.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Wakeups {
    /// By timers of its own, by what they were for; only those that have elapsed.
    pub timers: Vec<TimerCount>,
    /// By datagrams.
    pub datagrams: u64,
    /// By what the host sent to a network.
    pub frames: u64,
    /// By calls.
    pub requests: u64,
    /// By changes of the machine's interfaces, its gateway, or files of the node.
    pub changes: u64,
}

/// How often a timer has woken a node.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct TimerCount {
    /// What for, for instance `peer_probe`; the same in every language.
    pub reason: String,
    /// How often.
    pub count: u64,
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Node {
    /// Returns what the node has counted since it started.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn statistics(&self) -> Result<Statistics, ZtError> {
        let zt_runtime::Statistics { drops, losses, memory, wakeups, .. } =
            self.handle.statistics().await?;
        let drop = |(reason, count): (zt_protocol::error::Rejected, u64)| DropCount {
            reason: reason.name().to_owned(),
            count,
        };
        Ok(Statistics {
            drops: drops.iter().map(drop).collect(),
            lost_datagrams: losses.datagrams,
            lost_frames: losses.frames,
            lost_events: losses.events,
            memory: memory.into(),
            wakeups: wakeups.into(),
        })
    }
}

impl From<zt_protocol::memory::MemoryUse> for MemoryUse {
    fn from(memory: zt_protocol::memory::MemoryUse) -> Self {
        // Nobody has more than 2^64 bytes.
        Self {
            budget: memory.budget.map(|bytes| bytes as u64),
            total: memory.total() as u64,
            peers: memory.peers as u64,
            networks: memory.networks as u64,
            packets: memory.packets as u64,
            replays: memory.replays as u64,
            controller: memory.controller as u64,
        }
    }
}

impl From<zt_runtime::Wakeups> for Wakeups {
    fn from(woken: zt_runtime::Wakeups) -> Self {
        let timer = |(why, count): (&str, u64)| TimerCount { reason: why.to_owned(), count };
        Self {
            timers: woken.timers.into_iter().map(timer).collect(),
            datagrams: woken.datagrams,
            frames: woken.frames,
            requests: woken.requests,
            changes: woken.changes,
        }
    }
}
