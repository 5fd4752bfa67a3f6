//! Everything that can go wrong, in one enumeration, with numbers that are never reused.

use zt_protocol::address::{Address, NetworkId};
use zt_protocol::command::CommandError;
use zt_protocol::error::Rejected;
use zt_runtime::controller::ControllerError;
use zt_runtime::packets::SendError;
use zt_runtime::store::HomeError;
use zt_runtime::{BindError, PortError, RequestError, StartError};

/// Why something was not done. Whatever was asked for has then not happened at all, except where the
/// description says otherwise.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Error), uniffi(flat_error))]
#[non_exhaustive]
pub enum ZtError {
    // 1xx: the caller's fault.
    /// An argument means nothing.
    #[error("{0}")]
    InvalidArgument(String),
    /// The call waits, and was made on a thread that must not: from a callback of the library, or
    /// within an asynchronous runtime.
    #[error("this call waits and must not be made on a thread of the library")]
    WouldDeadlock,
    /// The descriptor is not open, or none packets can be exchanged by.
    #[error("the descriptor cannot be used: {0}")]
    InvalidDescriptor(String),
    /// This system or this build has no such thing.
    #[error("{0}")]
    Unsupported(String),

    // 2xx: not in this state.
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
    /// It took too long. What was begun goes on by itself.
    #[error("it took too long")]
    Timeout,
    /// There is nothing to take, or no room.
    #[error("there is nothing, or no room, at the moment")]
    WouldBlock,
    /// The network is not joined.
    #[error("network {0} is not joined")]
    NotJoined(NetworkId),
    /// The node does not control the network.
    #[error("network {network} belongs to controller {}, this node is {me}", .network.controller())]
    NotController {
        /// Which network.
        network: NetworkId,
        /// This node.
        me: Address,
    },
    /// The node controls no such network.
    #[error("this node controls no network {0}")]
    UnknownNetwork(NetworkId),
    /// The network's packets go elsewhere.
    #[error("network {0} exchanges no packets with this program")]
    NotPackets(NetworkId),
    /// There is no such moon, pin or peer.
    #[error("{0}")]
    NotFound(String),
    /// A bounded table is full.
    #[error("{0}")]
    TooMany(String),

    // 3xx: the network, peers and what they are called.
    /// Nobody can be the controller of such a network.
    #[error("no node can be the controller of network {0}")]
    InvalidNetwork(NetworkId),
    /// Rules are not even asked about such a packet.
    #[error("rules are not asked about such a packet: {0}")]
    Rejected(&'static str),
    /// The UDP port, or the address, cannot be had.
    #[error("{0}")]
    Bind(String),
    /// The planet or moon is not accepted.
    #[error("{0}")]
    World(String),
    /// The address or fingerprint cannot be that of the node meant.
    #[error("{0}")]
    WrongPeer(String),

    // 4xx: what is stored.
    /// The home directory, or what the host gave in its place, cannot be read or written.
    #[error("{0}")]
    Storage(String),
    /// The identity stored is none, or another than the one given.
    #[error("{0}")]
    CorruptIdentity(String),
    /// Something else that is stored cannot be understood.
    #[error("{0}")]
    CorruptState(String),
    /// A secret is sealed, and there is no storage key, another one, or it is damaged. It is left as it
    /// is.
    #[error("{0}")]
    Sealed(String),

    // 5xx: the system, and the library itself.
    /// The library has failed; that is a defect of it.
    #[error("the library has failed: please report this")]
    Panic,
    /// The system has no more threads, descriptors or random numbers.
    #[error("the system is out of resources: {0}")]
    OutOfResources(String),
    /// The process lacks the right to make an interface, or the host refused a socket.
    #[error("{0}")]
    NotPermitted(String),
    /// The interface cannot be had.
    #[error("{0}")]
    Interface(String),
}

impl ZtError {
    /// Returns the number of the error, which is that of `zt_result` in C.
    #[must_use]
    pub const fn code(&self) -> i32 {
        match self {
            Self::InvalidArgument(_) => 102,
            Self::WouldDeadlock => 106,
            Self::InvalidDescriptor(_) => 107,
            Self::Unsupported(_) => 108,
            Self::Stopped => 200,
            Self::Timeout => 201,
            Self::WouldBlock => 202,
            Self::NotJoined(_) => 203,
            Self::NotController { .. } => 204,
            Self::UnknownNetwork(_) => 205,
            Self::NotPackets(_) => 206,
            Self::NotFound(_) => 207,
            Self::TooMany(_) => 208,
            Self::InvalidNetwork(_) => 300,
            Self::Rejected(_) => 301,
            Self::Bind(_) => 302,
            Self::World(_) => 303,
            Self::WrongPeer(_) => 304,
            Self::Storage(_) => 400,
            Self::CorruptIdentity(_) => 401,
            Self::CorruptState(_) => 402,
            Self::Sealed(_) => 403,
            Self::Panic => 500,
            Self::OutOfResources(_) => 501,
            Self::NotPermitted(_) => 502,
            Self::Interface(_) => 503,
        }
    }
}

impl From<CommandError> for ZtError {
    fn from(error: CommandError) -> Self {
        let text = error.to_string();
        match error {
            CommandError::InvalidNetwork(network) => Self::InvalidNetwork(network),
            CommandError::NotJoined(network) => Self::NotJoined(network),
            CommandError::NotController(network) => Self::UnknownNetwork(network),
            CommandError::NobodyToAsk(_)
            | CommandError::NotOrbiting(_)
            | CommandError::NotPinned(_) => Self::NotFound(text),
            CommandError::World(_) => Self::World(text),
            CommandError::ReservedAddress(_) | CommandError::WrongFingerprint(_) => {
                Self::WrongPeer(text)
            }
            CommandError::TooMany(_) => Self::TooMany(text),
            // Malformed, and what may be added.
            _ => Self::InvalidArgument(text),
        }
    }
}

impl From<HomeError> for ZtError {
    fn from(error: HomeError) -> Self {
        let text = error.to_string();
        match error {
            HomeError::CorruptIdentity { .. }
            | HomeError::ForgedIdentity { .. }
            | HomeError::NoIdentity { .. } => Self::CorruptIdentity(text),
            HomeError::Io { .. } | HomeError::Storage { .. } => Self::Storage(text),
            HomeError::Sealed { .. } => Self::Sealed(text),
            HomeError::TooManyPins(_) => Self::TooMany(text),
            // The files that cannot be understood, and what may be added.
            _ => Self::CorruptState(text),
        }
    }
}

impl From<PortError> for ZtError {
    fn from(error: PortError) -> Self {
        let text = error.to_string();
        match error {
            PortError::NotPermitted => Self::NotPermitted(text),
            PortError::BadName(_) => Self::InvalidArgument(text),
            PortError::NoTun | PortError::Unsupported => Self::Unsupported(text),
            _ => Self::Interface(text),
        }
    }
}

impl From<Rejected> for ZtError {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected.name())
    }
}

impl From<RequestError> for ZtError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Stopped => Self::Stopped,
            RequestError::Refused(error) => error.into(),
            RequestError::Port(error) => error.into(),
            RequestError::Home(error) => error.into(),
            RequestError::Rejected(rejected) => rejected.into(),
            RequestError::NotPackets(network) => Self::NotPackets(network),
            error @ RequestError::Unprotected => Self::NotPermitted(error.to_string()),
            other => Self::InvalidArgument(other.to_string()),
        }
    }
}

impl From<ControllerError> for ZtError {
    fn from(error: ControllerError) -> Self {
        let text = error.to_string();
        match error {
            ControllerError::Home(error) => error.into(),
            ControllerError::Request(error) => error.into(),
            ControllerError::NotOurs { network, me } => Self::NotController { network, me },
            ControllerError::UnknownNetwork(network) => Self::UnknownNetwork(network),
            ControllerError::NoNumber => Self::TooMany(text),
            ControllerError::Randomness(_) => Self::OutOfResources(text),
            // Corrupt, and what may be added.
            _ => Self::CorruptState(text),
        }
    }
}

impl From<StartError> for ZtError {
    fn from(error: StartError) -> Self {
        let text = error.to_string();
        match error {
            StartError::Home(error) => error.into(),
            StartError::Bind(BindError::PortInUse(_) | BindError::Refused { .. }) => {
                Self::Bind(text)
            }
            StartError::Runtime => Self::Stopped,
            _ => Self::OutOfResources(text),
        }
    }
}

impl From<SendError> for ZtError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Full => Self::WouldBlock,
            _ => Self::Stopped,
        }
    }
}
