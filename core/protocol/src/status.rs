//! What a node says about itself when asked.

use core::net::SocketAddr;
use core::time::Duration;

use crate::address::Address;
use crate::time::UnixMillis;

/// How a node is doing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeStatus {
    /// This node.
    pub address: Address,
    /// Whether a root was heard recently, or this node is one.
    pub online: bool,
    /// The ID of the planet in force.
    pub planet_id: u64,
    /// Its timestamp.
    pub planet_timestamp: UnixMillis,
}

/// What a peer is to this node.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Role {
    /// A root of the planet.
    Planet,
    /// A root of a moon only.
    Moon,
    /// Any other node.
    Leaf,
}

/// How a peer is doing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerStatus {
    /// The peer.
    pub address: Address,
    /// What it is to us.
    pub role: Role,
    /// Protocol, major, minor, revision; `None` before it has said.
    pub version: Option<(u8, u8, u8, u16)>,
    /// Round-trip time of the path in use.
    pub latency: Option<Duration>,
    /// The path in use; `None` if packets are relayed.
    pub path: Option<SocketAddr>,
    /// Every unexpired path.
    pub paths: Vec<SocketAddr>,
}
