//! What a packet asks for: its verb, and the codes an ERROR may carry.
//!
//! Source: spec 01 §13, §14.

/// What a packet asks for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Verb {
    /// Nothing; counts as a sign of life.
    Nop = 0x00,
    /// Announces an identity and asks for OK.
    Hello = 0x01,
    /// Reports that a request failed.
    Error = 0x02,
    /// Answers a request.
    Ok = 0x03,
    /// Asks for identities by address.
    Whois = 0x04,
    /// Introduces a peer at a physical address.
    Rendezvous = 0x05,
    /// An Ethernet frame between two members' own MACs.
    Frame = 0x06,
    /// An Ethernet frame with explicit MACs.
    ExtFrame = 0x07,
    /// Asks for its payload back.
    Echo = 0x08,
    /// Announces multicast subscriptions.
    MulticastLike = 0x09,
    /// Carries certificates and revocations.
    NetworkCredentials = 0x0a,
    /// Asks a controller for a network's configuration.
    NetworkConfigRequest = 0x0b,
    /// Pushes a chunk of a network's configuration.
    NetworkConfig = 0x0c,
    /// Asks for the members of a multicast group.
    MulticastGather = 0x0d,
    /// A multicast Ethernet frame.
    MulticastFrame = 0x0e,
    /// Pushes the sender's own physical addresses.
    PushDirectPaths = 0x10,
    /// Bonding: acknowledges bytes.
    Ack = 0x12,
    /// Bonding: measures a path.
    QosMeasurement = 0x13,
    /// Data for the application.
    UserMessage = 0x14,
    /// Diagnostics for the application.
    RemoteTrace = 0x15,
    /// Bonding: negotiates a path.
    PathNegotiationRequest = 0x16,
}

impl Verb {
    /// Returns the verb with this number, `None` if it is unassigned.
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            0x00 => Self::Nop,
            0x01 => Self::Hello,
            0x02 => Self::Error,
            0x03 => Self::Ok,
            0x04 => Self::Whois,
            0x05 => Self::Rendezvous,
            0x06 => Self::Frame,
            0x07 => Self::ExtFrame,
            0x08 => Self::Echo,
            0x09 => Self::MulticastLike,
            0x0a => Self::NetworkCredentials,
            0x0b => Self::NetworkConfigRequest,
            0x0c => Self::NetworkConfig,
            0x0d => Self::MulticastGather,
            0x0e => Self::MulticastFrame,
            0x10 => Self::PushDirectPaths,
            0x12 => Self::Ack,
            0x13 => Self::QosMeasurement,
            0x14 => Self::UserMessage,
            0x15 => Self::RemoteTrace,
            0x16 => Self::PathNegotiationRequest,
            _ => return None,
        })
    }

    /// Returns whether a packet of this verb shows that the peer is in use, not just alive
    /// (spec 02 §2.0).
    #[must_use]
    pub const fn is_nontrivial(self) -> bool {
        matches!(
            self,
            Self::Frame
                | Self::ExtFrame
                | Self::NetworkConfigRequest
                | Self::NetworkConfig
                | Self::MulticastFrame
        )
    }
}

/// Why a request failed, as an ERROR says it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum ErrorCode {
    /// The request was not understood.
    InvalidRequest = 0x01,
    /// The sender's protocol is too old.
    BadProtocolVersion = 0x02,
    /// No such network.
    ObjectNotFound = 0x03,
    /// Another identity holds this address.
    IdentityCollision = 0x04,
    /// The node does not serve such requests.
    UnsupportedOperation = 0x05,
    /// Show a membership certificate first.
    NeedMembershipCertificate = 0x06,
    /// The controller does not admit the member.
    NetworkAccessDenied = 0x07,
    /// Legacy: not interested in the group.
    UnwantedMulticast = 0x08,
    /// The user has to log in first.
    NetworkAuthenticationRequired = 0x09,
}

impl ErrorCode {
    /// Returns the code with this number, `None` if it is unassigned.
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            0x01 => Self::InvalidRequest,
            0x02 => Self::BadProtocolVersion,
            0x03 => Self::ObjectNotFound,
            0x04 => Self::IdentityCollision,
            0x05 => Self::UnsupportedOperation,
            0x06 => Self::NeedMembershipCertificate,
            0x07 => Self::NetworkAccessDenied,
            0x08 => Self::UnwantedMulticast,
            0x09 => Self::NetworkAuthenticationRequired,
            _ => return None,
        })
    }
}
