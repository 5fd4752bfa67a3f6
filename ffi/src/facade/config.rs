//! How a node shall run.

use std::fmt;
use std::net::SocketAddr;

/// How a node shall run.
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Config {
    /// The directory everything that outlives the node is kept in. It is made if it does not exist.
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
        }
    }
}

/// Shows no private key.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("home", &self.home).finish_non_exhaustive()
    }
}
