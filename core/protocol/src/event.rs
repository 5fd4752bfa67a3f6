//! What the node tells its host.

use core::net::{IpAddr, SocketAddr};

use crate::address::{Address, Mac, MoonId, MulticastGroup, NetworkId};
pub use crate::config::{Dns, Route, Sso};
use crate::fingerprint::{Expected, Fingerprint};
use crate::memory;

/// Something the host should know or do.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A root answered, or none has for a while.
    Online(bool),
    /// A network's status or what it asks of the host changed.
    Network(Box<NetworkStatus>),
    /// The network was left; its port should go.
    NetworkLeft(NetworkId),
    /// The way to a peer changed, or it was first heard through a root.
    Peer {
        /// The peer.
        address: Address,
        /// The path in use, `None` if packets are relayed.
        path: Option<SocketAddr>,
    },
    /// The roots in force changed: the planet or a moon was updated, a moon was learned or given
    /// up.
    Worlds,
    /// A connection to the TCP relay is wanted and shall be kept up, or is not wanted any more.
    ///
    /// The host answers with
    /// [`Command::TcpRelayConnected`](crate::command::Command::TcpRelayConnected) whenever it has
    /// one and when it has lost it.
    TcpRelay(bool),
    /// Another identity holds this node's address, say roots. Not said again until it changes.
    IdentityCollision {
        /// Whether several say so and fewer contradict: the node is of no use before it has
        /// another identity. Otherwise it is the only root there is that says so, or the only one
        /// that answers, and the node goes on asking.
        is_confirmed: bool,
    },
    /// Somebody showed a valid identity whose address is another's, as far as this node knows. It
    /// was refused. That cannot happen by mistake: either it is an attack, or what is known is one.
    /// Not said of the same identity again for an hour.
    IdentityConflict {
        /// The address.
        address: Address,
        /// The fingerprint its holder has, by what is pinned or known.
        known: Expected,
        /// That of the other.
        offered: Fingerprint,
        /// Where it came from.
        source: IdentitySource,
    },
    /// State to save (`Some`) or remove (`None`).
    Store {
        /// What it is.
        key: StoreKey,
        /// The bytes to keep.
        value: Option<Vec<u8>>,
    },
}

/// Where an identity came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum IdentitySource {
    /// A HELLO from this physical address.
    Hello(SocketAddr),
    /// The answer of this root to WHOIS.
    Whois(Address),
    /// A planet or moon.
    World,
    /// What was saved of peers.
    Saved,
    /// It was known already when the address was pinned.
    Known,
}

/// Names a piece of state that outlives the node.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum StoreKey {
    /// The planet in force: a serialized world.
    Planet,
    /// A moon: a serialized world.
    Moon(MoonId),
    /// Who is asked for a moon that is not here yet: an address a line, as text.
    WantedMoon(MoonId),
    /// A network's cached configuration: a dictionary, or one newline while there is none.
    Network(NetworkId),
    /// What the user allows a network: [`Settings`](crate::settings::Settings) as text. A node
    /// leaves reading and writing them to its host, and removes them when the network is left.
    NetworkSettings(NetworkId),
    /// A peer's identity and addresses (spec 02 §12).
    Peer(Address),
    /// Which packet IDs were not used yet: an [`Epoch`](crate::nonce::Epoch) as text. To be kept
    /// before anything is sent.
    Epoch,
    /// A pin: a fingerprint as text.
    Pin(Address),
    /// Who was first seen at an address: a fingerprint as text.
    FirstSeen(Address),
    /// There while peers have to be pinned: an empty line.
    RequirePinned,
    /// A network this node controls: JSON (spec 04 §6.1).
    ControllerNetwork(NetworkId),
    /// A member of such a network: JSON (spec 04 §6.3).
    ControllerMember(NetworkId, Address),
}

/// Where a network stands (spec 03 §2.5).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Standing {
    /// The controller has not answered.
    RequestingConfiguration,
    /// Configured.
    Ok,
    /// The controller refuses this member.
    AccessDenied,
    /// The controller knows no such network, or is none.
    NotFound,
    /// The user has to log in.
    AuthenticationRequired,
    /// The host has no port for it. Only the host can tell: a node by itself never does.
    PortError,
    /// Not configured, and whoever is found at the controller's address is another than is pinned, or
    /// was there first; [`Event::IdentityConflict`] says who. Somebody has the fingerprint wrong, or is
    /// an impostor: compare it, and pin the right one.
    IdentityConflict,
}

impl Standing {
    /// Returns the name the reference's API uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RequestingConfiguration => "REQUESTING_CONFIGURATION",
            Self::Ok => "OK",
            Self::AccessDenied => "ACCESS_DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::AuthenticationRequired => "AUTHENTICATION_REQUIRED",
            Self::PortError => "PORT_ERROR",
            // The reference has none for it: there nobody pins a controller.
            Self::IdentityConflict => "IDENTITY_CONFLICT",
        }
    }
}

/// What the host needs to know of a network.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkStatus {
    /// Which network.
    pub id: NetworkId,
    /// Where it stands.
    pub standing: Standing,
    /// Who may take part; private while unknown.
    pub kind: NetworkKind,
    /// Its name, empty while unknown.
    pub name: String,
    /// The controller's revision of the network, 0 while unknown.
    pub revision: u64,
    /// This node's MAC on it.
    pub mac: Mac,
    /// The MTU of its port, in bytes.
    pub mtu: u16,
    /// Devices behind this node may take part with MACs of their own.
    pub bridge: bool,
    /// Frames to ff:ff:ff:ff:ff:ff may be sent.
    pub broadcast: bool,
    /// This node's managed addresses, with prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Managed routes.
    pub routes: Vec<Route>,
    /// Managed name servers, if there are any.
    pub dns: Option<Dns>,
    /// How the user logs in, and until when they are, if the network wants them to. Where to go is
    /// of interest while the network stands at [`Standing::AuthenticationRequired`].
    pub login: Option<Box<Sso>>,
    /// The multicast groups this node is subscribed to, ascending: those of its addresses, those
    /// its host asked for, and those of devices behind it.
    pub groups: Vec<MulticastGroup>,
}

/// Who may take part in a network.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum NetworkKind {
    /// Whoever the controller admits.
    Private,
    /// Everybody.
    Public,
}

impl NetworkStatus {
    /// Returns what it holds, in bytes.
    pub(crate) fn footprint(&self) -> usize {
        let Self { name, addresses, routes, dns, login, groups, .. } = self;
        let servers =
            dns.as_ref().map_or(0, |dns| memory::of_list(&dns.servers) + dns.domain.capacity());
        name.capacity()
            + memory::of_list(addresses)
            + memory::of_list(routes)
            + servers
            + login.as_ref().map_or(0, |sso| size_of::<Sso>() + sso.footprint())
            + memory::of_list(groups)
    }
}

impl NetworkKind {
    /// Returns the name the reference's API uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Private => "PRIVATE",
            Self::Public => "PUBLIC",
        }
    }
}
