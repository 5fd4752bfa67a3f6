//! What a node tells its host.

use std::net::SocketAddr;

use zt_protocol::address::{Address, NetworkId};
use zt_protocol::event::{Event as NodeEvent, IdentitySource};
use zt_runtime::Event as RuntimeEvent;

use super::networks::{NetworkStatus, PlanChange, TunPlan};

/// Something a host may want to know.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[allow(clippy::large_enum_variant, reason = "events are few, and other languages have no boxes")]
#[non_exhaustive]
pub enum Event {
    /// A root answered, or none has for a while.
    Online {
        /// Which of the two.
        online: bool,
    },
    /// A network's status changed. An interface of the node's own is configured already.
    Network {
        /// How it stands.
        status: NetworkStatus,
    },
    /// What a network means for this machine changed. An interface of the node's own is configured
    /// already; whoever made another carries the plan out.
    Plan {
        /// Which network.
        network: NetworkId,
        /// The plan, default routes included, which count only while the node is online.
        plan: TunPlan,
        /// How much of it is news.
        change: PlanChange,
    },
    /// The network was left.
    NetworkLeft {
        /// Which network.
        network: NetworkId,
    },
    /// The way to a peer changed.
    Peer {
        /// The peer.
        address: Address,
        /// The path in use; `None` if packets are relayed.
        path: Option<SocketAddr>,
    },
    /// The roots in force changed: a planet or moon was updated, learned or given up.
    Worlds,
    /// Another node has this node's address, say roots. If it is confirmed, this one is of no use
    /// before it has another identity.
    IdentityCollision {
        /// Whether several roots say so, and fewer contradict.
        is_confirmed: bool,
    },
    /// Somebody showed a valid identity whose address is another's, and was refused. Either that is
    /// an attack, or what is known is one: compare fingerprints by other ways than the network, and
    /// pin the right one.
    IdentityConflict {
        /// The address.
        address: Address,
        /// The fingerprint its holder has, in full or in short, as it was told.
        known: String,
        /// That of the other, in full.
        offered: String,
        /// Where it came from, for people to read.
        source: String,
    },
    /// The network's interface is gone, or its descriptor was closed. The node goes on without it,
    /// until it is attached anew.
    InterfaceLost {
        /// Which network.
        network: NetworkId,
    },
}

impl Event {
    /// Translates an event, if hosts know of its kind.
    pub(super) fn of(event: RuntimeEvent) -> Option<Self> {
        Some(match event {
            RuntimeEvent::Online(online) => Self::Online { online },
            RuntimeEvent::Network(status) => Self::Network { status: (*status).into() },
            RuntimeEvent::Plan { network, plan, change } => {
                Self::Plan { network, plan: (*plan).into(), change: change.into() }
            }
            RuntimeEvent::NetworkLeft(network) => Self::NetworkLeft { network },
            RuntimeEvent::Peer { address, path } => Self::Peer { address, path },
            RuntimeEvent::Worlds => Self::Worlds,
            RuntimeEvent::IdentityCollision { is_confirmed } => {
                Self::IdentityCollision { is_confirmed }
            }
            RuntimeEvent::IdentityConflict { address, known, offered, source } => {
                Self::IdentityConflict {
                    address,
                    known: known.to_string(),
                    offered: offered.to_string(),
                    source: told(source),
                }
            }
            RuntimeEvent::InterfaceLost(network) => Self::InterfaceLost { network },
            _ => return None,
        })
    }
}

impl Event {
    /// Translates an event of a node without a runtime. What such a network means for the machine the
    /// program works out of its status.
    pub(super) fn of_node(event: NodeEvent) -> Option<Self> {
        Self::of(match event {
            NodeEvent::Online(online) => RuntimeEvent::Online(online),
            NodeEvent::Network(status) => RuntimeEvent::Network(status),
            NodeEvent::NetworkLeft(network) => RuntimeEvent::NetworkLeft(network),
            NodeEvent::Peer { address, path } => RuntimeEvent::Peer { address, path },
            NodeEvent::Worlds => RuntimeEvent::Worlds,
            NodeEvent::IdentityCollision { is_confirmed } => {
                RuntimeEvent::IdentityCollision { is_confirmed }
            }
            NodeEvent::IdentityConflict { address, known, offered, source } => {
                RuntimeEvent::IdentityConflict { address, known, offered, source }
            }
            _ => return None,
        })
    }
}

fn told(source: IdentitySource) -> String {
    match source {
        IdentitySource::Hello(endpoint) => format!("it said so itself, from {endpoint}"),
        IdentitySource::Whois(root) => format!("root {root} said so"),
        IdentitySource::World => "a planet or moon".to_owned(),
        IdentitySource::Saved => "saved peers".to_owned(),
        IdentitySource::Known => "it was known when the address was pinned".to_owned(),
        _ => "elsewhere".to_owned(),
    }
}
