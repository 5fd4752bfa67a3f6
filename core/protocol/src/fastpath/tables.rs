//! What the data plane reads: peers' keys and routes, networks' members and neighbours.
//!
//! Written only by the control plane, between packets. Kept apart from the subsystems' own state
//! so that it can be published to shards on other cores as a value.

use core::net::IpAddr;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::address::{Address, Mac, NetworkId};
use crate::endpoint::Path;
use crate::suite::PeerKeys;
use crate::time::Instant;
use crate::transmit::PortMode;

/// Peers and networks as the data plane sees them.
pub struct Tables {
    /// This node.
    pub me: Address,
    /// Whether this node is a root of a world it knows, and so relays for anybody.
    pub is_upstream: bool,
    /// Where packets go for whom there is no direct path: the best root and the way to it.
    pub upstream: Option<(Address, Path)>,
    peers: HashMap<Address, PeerView, FixedState>,
    networks: HashMap<NetworkId, NetworkView, FixedState>,
}

/// A peer as the data plane sees it.
pub struct PeerView {
    /// Expanded keys; they never change.
    pub keys: Arc<PeerKeys>,
    /// Whether the peer announced a protocol that takes suite 3.
    pub takes_aes: bool,
    /// The direct path to use, if there is an unexpired one.
    pub path: Option<Path>,
}

/// Which peers may exchange frames with this node on a network (spec 03 §6.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// No configuration, or rules this version cannot evaluate: nobody, in neither direction.
    Nobody,
    /// A public network: everybody.
    Everybody,
    /// A private network: those whose certificate agrees with this node's.
    Members,
}

/// A network as the data plane sees it.
pub struct NetworkView {
    /// Who may exchange frames.
    pub admission: Admission,
    /// What the host's port exchanges.
    pub mode: PortMode,
    /// This node's MAC.
    pub mac: Mac,
    /// Longest payload the port takes, in bytes.
    pub mtu: u16,
    /// Most recipients of a multicast; 0 disables multicast.
    pub multicast_limit: u32,
    /// Whether frames to ff:ff:ff:ff:ff:ff other than ARP are allowed.
    pub broadcast: bool,
    /// Members that may send frames of devices behind them.
    pub bridges: BTreeSet<Address>,
    /// What is known of other members, admitted or not.
    pub members: HashMap<Address, MemberView, FixedState>,
    /// Resolved next hops of an L3 port.
    pub neighbors: HashMap<IpAddr, Mac, FixedState>,
}

/// A member as the data plane sees it.
#[derive(Clone, Copy, Debug)]
pub struct MemberView {
    /// Whether its certificate agrees with ours. Irrelevant on public networks.
    pub admitted: bool,
    /// From when on our credentials are due to be pushed before the next frame to it.
    pub push_due: Instant,
    /// From when on our multicast groups are due to be announced when it is heard.
    pub announce_due: Instant,
}
