//! How a node shall run.

use std::fmt;
use std::net::SocketAddr;

use zt_protocol::bonding::Policy;

/// How a node shall run.
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Config {
    /// The directory everything that outlives the node is kept in. It is made if it does not exist.
    /// Empty if the host keeps all that itself ([`Hooks`](super::Hooks)).
    #[cfg_attr(feature = "uniffi", uniffi(default = ""))]
    pub home: String,
    /// The planet, as in a planet file; the one stored, or that of Earth, if `None`.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub planet: Option<Vec<u8>>,
    /// The UDP port to use at every local address; any free one if 0; 9993 if `None`.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub port: Option<u16>,
    /// The addresses to bind instead, and no others. Then `port` has to be `None`.
    #[cfg_attr(feature = "uniffi", uniffi(default = []))]
    pub bind: Vec<SocketAddr>,
    /// The identity with its private key, as text. It is stored if there is none, and has to be the
    /// one that is stored if there is. Without it, and with none stored, the node makes one.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub identity: Option<String>,
    /// What kind of machine this is.
    pub profile: Profile,
    /// Whether the node serves networks of its own as their controller.
    #[cfg_attr(feature = "uniffi", uniffi(default = false))]
    pub controller: bool,
    /// Whether peers may be reached at loopback addresses, which the protocol forbids: for a
    /// laboratory on one machine, with `bind` at 127.0.0.1.
    #[cfg_attr(feature = "uniffi", uniffi(default = false))]
    pub allow_loopback: bool,
    /// A second UDP port at every local address, for translators that mishandle the first: none if 0;
    /// one of the node's own choice if `None`. Not used with `bind`.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub secondary_port: Option<u16>,
    /// Whether the gateway is asked to let strangers' datagrams through, by PCP, NAT-PMP or UPnP;
    /// if `None`, unless this is a phone. Never for sockets bound to loopback.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub map_ports: Option<bool>,
    /// What stands in for UDP where none gets through. None does if `None`.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub tcp_relay: Option<TcpRelay>,
    /// How several paths to one peer are used; as `local.conf` says, or [`Bonding::Off`], if `None`.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub bonding: Option<Bonding>,
    /// Whether paths are kept open with as little as on a metered network, always.
    #[cfg_attr(feature = "uniffi", uniffi(default = false))]
    pub low_bandwidth: bool,
    /// 32 bytes the host keeps, in its Keychain or Keystore, under which secrets, that is the private keys
    /// of identities, are sealed before they are stored, by XChaCha20-Poly1305. What is stored in clear
    /// is sealed at the start; what is sealed is opened with the same key only.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub storage_key: Option<Vec<u8>>,
    /// How many bytes the node's tables may take, 4 MiB at least. If `None`, 16 MiB on a phone, and
    /// elsewhere whatever their own limits allow. At the budget, what costs least to lose makes room;
    /// peers in use never do.
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub memory_budget: Option<u64>,
}

/// A relay that carries datagrams over TCP. Whoever runs it sees with whom the node speaks, but not
/// what.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct TcpRelay {
    /// Where it is.
    pub address: SocketAddr,
    /// Whether it is used always, and UDP never; else only while no root answers by UDP.
    #[cfg_attr(feature = "uniffi", uniffi(default = false))]
    pub forced: bool,
}

/// How several paths to one peer are used.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Bonding {
    /// Packets go on the best, whichever that is at the moment.
    #[default]
    Off,
    /// Packets go on one as long as it is well; all are watched, so that another can take over within
    /// seconds.
    ActiveBackup,
}

/// What kind of machine a node runs on.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Profile {
    /// A phone: memory and wake-ups are dear.
    Phone,
    /// A machine on somebody's desk.
    #[default]
    Desktop,
    /// A machine that serves others, on an address of its own.
    Server,
}

impl Config {
    /// Returns the configuration of a member with its state in directory `home`.
    pub fn new(home: impl Into<String>) -> Self {
        Self {
            home: home.into(),
            planet: None,
            port: None,
            bind: Vec::new(),
            identity: None,
            profile: Profile::default(),
            controller: false,
            allow_loopback: false,
            secondary_port: None,
            map_ports: None,
            tcp_relay: None,
            bonding: None,
            low_bandwidth: false,
            storage_key: None,
            memory_budget: None,
        }
    }
}

impl From<Bonding> for zt_protocol::bonding::Bonding {
    fn from(bonding: Bonding) -> Self {
        Self::new(match bonding {
            Bonding::Off => Policy::None,
            Bonding::ActiveBackup => Policy::ActiveBackup,
        })
    }
}

/// Shows no private key.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("home", &self.home).finish_non_exhaustive()
    }
}
