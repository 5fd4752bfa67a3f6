//! What handles ask of the driver.

use tokio::sync::oneshot;
use zt_protocol::address::{Address, MoonId, MulticastGroup, NetworkId};
use zt_protocol::command::{Command, CommandError};
use zt_protocol::error::Rejected;
use zt_protocol::event::NetworkStatus;
use zt_protocol::fingerprint::{Fingerprint, Invitation};
use zt_protocol::outbox::OwnedFrame;
use zt_protocol::pins::Pins;
use zt_protocol::plan::TunPlan;
use zt_protocol::rules::{Direction, Explanation};
use zt_protocol::settings::Settings;
use zt_protocol::status::{NodeStatus, PathExplanation, PeerStatus, WorldsStatus};
use zt_protocol::world::World;

use crate::hints::Hint;
use crate::packets::Packets;
use crate::port::Port;
use crate::statistics::Statistics;
use crate::store::{Changed, HomeError};
use crate::tun::PortError;

/// Why a node did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
    /// The node refuses.
    #[error(transparent)]
    Refused(#[from] CommandError),
    /// The network's interface cannot be had.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The home directory cannot be read or written.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The frame would be dropped before rules are asked.
    #[error("rules are not asked about such a frame: {0}")]
    Rejected(#[from] Rejected),
    /// The network was not joined with [`Port::Packets`] or [`Port::Frames`].
    #[error("network {0} was not joined to exchange packets with this program")]
    NotPackets(NetworkId),
    /// The host refused to protect a socket, which is closed.
    #[error("the host refuses to protect a socket, which is not used any more")]
    Unprotected,
}

pub(crate) type Reply<T> = oneshot::Sender<T>;

/// What was stored about a network that is to be joined.
pub(crate) struct StoredNetwork {
    /// Its configuration, if it was joined before.
    pub(crate) cached: Option<Vec<u8>>,
    /// What the user allows it.
    pub(crate) settings: Settings,
}

/// A request, and where the answer goes.
pub(crate) enum Request {
    Join {
        invitation: Invitation,
        port: Port,
        stored: StoredNetwork,
        reply: Reply<Result<(), RequestError>>,
    },
    /// Another port for a network that is joined.
    Attach {
        network: NetworkId,
        port: Port,
        reply: Reply<Result<(), RequestError>>,
    },
    Leave {
        network: NetworkId,
        reply: Reply<Result<(), RequestError>>,
    },
    Packets {
        network: NetworkId,
        reply: Reply<Result<Packets, RequestError>>,
    },
    /// A command about pins or bonding.
    Settle {
        command: Box<Command>,
        reply: Reply<Result<(), RequestError>>,
    },
    Fingerprint {
        address: Address,
        reply: Reply<Option<Fingerprint>>,
    },
    Pins(Reply<Pins>),
    Orbit {
        moon: MoonId,
        seed: Option<Address>,
        definition: Option<Box<World>>,
        reply: Reply<Result<(), RequestError>>,
    },
    Deorbit {
        moon: MoonId,
        reply: Reply<Result<(), RequestError>>,
    },
    Subscribe {
        network: NetworkId,
        group: MulticastGroup,
        reply: Reply<Result<(), RequestError>>,
    },
    Unsubscribe {
        network: NetworkId,
        group: MulticastGroup,
        reply: Reply<Result<(), RequestError>>,
    },
    /// What the user allows a network, if it is joined.
    Settings {
        network: NetworkId,
        reply: Reply<Option<Settings>>,
    },
    Plan {
        network: NetworkId,
        reply: Reply<Result<TunPlan, RequestError>>,
    },
    WouldAllow {
        frame: OwnedFrame,
        peer: Address,
        direction: Direction,
        reply: Reply<Result<Explanation, RequestError>>,
    },
    /// A piece of state was edited, and is this.
    TakeIn {
        changed: Changed,
        reply: Reply<()>,
    },
    Status(Reply<NodeStatus>),
    Worlds(Reply<WorldsStatus>),
    Peers(Reply<Vec<PeerStatus>>),
    Explain {
        address: Address,
        reply: Reply<Option<PathExplanation>>,
    },
    Networks(Reply<Vec<NetworkStatus>>),
    Statistics(Reply<Statistics>),
    /// What the host knows of the machine.
    Hint {
        hint: Hint,
        reply: Reply<Result<(), RequestError>>,
    },
    Stop,
}
