//! What the host asks of a node.

use core::net::SocketAddr;

use crate::address::{Address, MoonId, MulticastGroup, NetworkId};
use crate::bonding::Bonding;
use crate::endpoint::SocketId;
use crate::fingerprint::Expected;
use crate::path_rules::PathRules;
use crate::transmit::PortMode;
use crate::world::{World, WorldRefused};

/// Something the host asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Command {
    /// Join a network, or start from its cached configuration. Joining twice changes only the mode.
    Join {
        /// Which network.
        network: NetworkId,
        /// What its port exchanges.
        mode: PortMode,
        /// The configuration saved under [`StoreKey::Network`](crate::event::StoreKey::Network), if any.
        cached: Option<Vec<u8>>,
    },
    /// Leave a network and forget its configuration.
    Leave(NetworkId),
    /// Have multicast frames to a group sent to this node. Needed for what the host's applications
    /// listen to; the groups in which its managed addresses are resolved need no subscription, nor
    /// do those every host is in.
    Subscribe {
        /// On which network.
        network: NetworkId,
        /// To which group.
        group: MulticastGroup,
    },
    /// No longer have them sent. It takes the others minutes to forget.
    Unsubscribe {
        /// On which network.
        network: NetworkId,
        /// To which group.
        group: MulticastGroup,
    },
    /// Use the roots of a moon beside those of the planet (spec 02 §1.6).
    ///
    /// A moon that is in force already stays as it is, unless `definition` is a later revision.
    Orbit {
        /// Which moon.
        moon: MoonId,
        /// Who to ask for it: a root of the moon that other roots can find. Naming several, one
        /// command each, has all of them asked.
        seed: Option<Address>,
        /// The moon, if the host has it: a file is trusted whoever signed it.
        definition: Option<World>,
    },
    /// Do without a moon, and forget that it was asked for.
    Deorbit(MoonId),
    /// Let only the identity of this fingerprint hold the address, from whatever source. Whoever is
    /// known under it and is another is forgotten.
    Pin {
        /// Which address; a peer's, or a controller's before its network is joined.
        address: Address,
        /// Its fingerprint.
        expected: Expected,
    },
    /// Take a pin back, or forget who was first seen at the address.
    Unpin(Address),
    /// Have nobody but roots for a peer who is not pinned, or anybody again. Controllers are to be
    /// pinned as well then.
    RequirePinned(bool),
    /// Go by these rules for physical addresses instead of those before. Paths they forbid are left
    /// at once.
    PathRules(PathRules),
    /// Keep paths open with as little as on a [metered](Conditions::metered) network, whatever the
    /// network is like, and look after networks less often, or no longer (spec 02 §14).
    LowBandwidth(bool),
    /// Use several paths to one peer so, from here on. Without this, paths are not bonded.
    Bonding(Bonding),
    /// The machine's own physical addresses, with the port peers reach them at: what
    /// PUSH_DIRECT_PATHS offers. Replaces the previous list.
    LocalAddresses(Vec<SocketAddr>),
    /// Do without these sockets, which are gone, and without every path from them. Peers that were
    /// reached by one are looked for from all others at once.
    SocketsClosed(Vec<SocketId>),
    /// Trust no path until it has answered again, and try all of them at once: the machine may be
    /// in another network. Roots are greeted as if the node had just started.
    NetworkChanged,
    /// Go by what the machine's network is like, until told otherwise.
    SetConditions(Conditions),
    /// Remember a peer saved under [`StoreKey::Peer`](crate::event::StoreKey::Peer).
    LoadPeer(Vec<u8>),
    /// Take in a network this node controls: the JSON saved under
    /// [`StoreKey::ControllerNetwork`](crate::event::StoreKey::ControllerNetwork), at start or because an operator changed it.
    LoadControllerNetwork {
        /// Which network.
        network: NetworkId,
        /// The record.
        json: Vec<u8>,
    },
    /// Take in a member record likewise. What changed takes effect at once: a member admitted is
    /// sent its configuration, one no longer authorized is revoked.
    LoadControllerMember {
        /// Which network.
        network: NetworkId,
        /// Which member.
        member: Address,
        /// The record.
        json: Vec<u8>,
    },
    /// Use a TCP relay so, from here on.
    TcpRelay(TcpRelayUse),
    /// The connection to the TCP relay that was asked for was made, or was lost.
    TcpRelayConnected(bool),
    /// Give back all memory that can be done without: whatever is found again when it is needed, and
    /// the room tables have grown. Connections in use go on. For hosts that are told that memory is
    /// short.
    TrimMemory,
    /// Save everything that is saved at shutdown: known peers.
    Flush,
}

/// What the machine's network is like, as the host knows it and the node cannot.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Conditions {
    /// Traffic is counted: the node sends what keeps it reachable and nothing to be better off.
    ///
    /// Of the roots, the best is probed each 25 s, the others each 225 s. The path to a peer is
    /// kept open while the two use it and a minute longer, and no second path is, nor looked for.
    /// A peer that is relayed is still looked for, for a direct path costs no more than a relay.
    pub metered: bool,
    /// Traffic or the radio costs more than elsewhere, in money or power. Means the same to the
    /// node as `metered`; hosts say whichever word their system has.
    pub expensive: bool,
    /// There is no network. The node sends nothing, takes nothing in and never wants to be woken;
    /// what is given to it is dropped as `offline`. When this ends it does as for
    /// [`Command::NetworkChanged`].
    pub offline: bool,
}

impl Conditions {
    /// Returns whether the node sends no more than it must.
    #[must_use]
    pub const fn is_costly(self) -> bool {
        self.metered || self.expensive
    }
}

/// When a TCP relay stands in for UDP (spec 02 §9.4).
///
/// What goes through it leaves and arrives on
/// [`SocketId::TCP_RELAY`](crate::endpoint::SocketId::TCP_RELAY), whoever is at the other end of
/// it. The host makes the connection when
/// [`Event::TcpRelay`](crate::event::Event::TcpRelay) asks for it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum TcpRelayUse {
    /// Never.
    #[default]
    Never,
    /// While no root answers by UDP.
    Fallback,
    /// Always. The host sends nothing by UDP and takes nothing in.
    Always,
}

/// Why a command was refused. Nothing has changed.
#[derive(Clone, Copy, Debug, Eq, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum CommandError {
    /// No controller can be asked for the network's configuration.
    #[error("no node can be the controller of network {0}")]
    InvalidNetwork(NetworkId),
    /// The network is not joined.
    #[error("network {0} is not joined")]
    NotJoined(NetworkId),
    /// Neither is the moon there nor is there anybody to ask for it.
    #[error("moon {0} is not here: give its file, or name one of its roots")]
    NobodyToAsk(MoonId),
    /// The moon is neither in force nor asked for.
    #[error("moon {0} is not orbited")]
    NotOrbiting(MoonId),
    /// The moon given is not accepted.
    #[error("the moon given is not accepted: {0}")]
    World(#[from] WorldRefused),
    /// Nobody can have the address: it is reserved, or that of a network without a controller.
    #[error("nobody can have the address {0}")]
    ReservedAddress(Address),
    /// The address is this node's own, and its fingerprint is another.
    #[error("{0} is this node's own address, and its fingerprint is another")]
    WrongFingerprint(Address),
    /// Nothing is settled about the address.
    #[error("{0} is not pinned")]
    NotPinned(Address),
    /// This node is not the network's controller, or no controller at all.
    #[error("this node does not control network {0}")]
    NotController(NetworkId),
    /// The bytes given are not what they should be.
    #[error("the {0} given is malformed")]
    Malformed(&'static str),
    /// A bounded table is full.
    #[error("too many {0}")]
    TooMany(&'static str),
}
