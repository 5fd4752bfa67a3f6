//! What a host is told about the port mapping.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use zt_protocol::time::UnixMillis;

/// How the mapping of this node's port at the gateway stands.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PortMapping {
    /// The mapping in force, if there is one.
    pub mapped: Option<MappedPort>,
    /// Why the last attempt to make or keep one failed; `None` if it did not.
    pub error: Option<MappingError>,
    /// What came from the gateway's address and was ignored.
    pub ignored: IgnoredAnswers,
}

/// A port of the gateway's that leads to this node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MappedPort {
    /// How it was asked for.
    pub method: MappingMethod,
    /// Who was asked.
    pub gateway: IpAddr,
    /// Where it leads.
    pub internal: SocketAddr,
    /// Where anybody may reach this node.
    pub external: SocketAddr,
    /// Until when it is granted; renewed long before. `None` if for ever.
    pub expires: Option<UnixMillis>,
}

/// How a gateway is asked for a port.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum MappingMethod {
    /// The Port Control Protocol, RFC 6887.
    Pcp,
    /// The NAT Port Mapping Protocol, RFC 6886.
    NatPmp,
    /// The Internet Gateway Device of UPnP.
    Upnp,
}

impl MappingMethod {
    /// Returns its name, as reports and settings write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcp => "pcp",
            Self::NatPmp => "nat-pmp",
            Self::Upnp => "upnp",
        }
    }
}

impl fmt::Display for MappingMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why there is no mapping.
#[derive(Clone, Copy, Debug, Eq, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum MappingError {
    /// There is no default route through a gateway.
    #[error("there is no gateway to ask")]
    NoGateway,
    /// The system cannot send to the gateway.
    #[error("the gateway cannot be asked: {0}")]
    Unreachable(io::ErrorKind),
    /// The gateway answers by no method.
    #[error("the gateway answers by none of pcp, nat-pmp and upnp: switch one of them on there")]
    NoAnswer,
    /// The gateway says no.
    #[error("the gateway refuses to map a port by {method}, with code {code}")]
    Refused {
        /// How it was asked.
        method: MappingMethod,
        /// The result code of that protocol; 0 if it gave none.
        code: u16,
    },
    /// The gateway says something else than an answer.
    #[error("the gateway does not speak {0} correctly")]
    Unintelligible(MappingMethod),
    /// The mapping would end before it could be renewed in peace.
    #[error("the gateway grants a port by {method} for {lifetime:?} only")]
    TooShort {
        /// How it was asked.
        method: MappingMethod,
        /// For how long it would.
        lifetime: Duration,
    },
    /// The address the gateway has itself cannot be reached from everywhere.
    #[error("the gateway's own address {0} is not public, so there is another translator beyond")]
    NotPublic(IpAddr),
}

impl MappingError {
    /// Returns how much this says about the gateway: of several methods' errors, the one that says
    /// most is reported.
    pub(super) const fn weight(self) -> u8 {
        match self {
            Self::NoGateway => 0,
            Self::NoAnswer => 1,
            Self::Unreachable(_) => 2,
            Self::Unintelligible(_) => 3,
            Self::Refused { .. } => 4,
            Self::TooShort { .. } => 5,
            Self::NotPublic(_) => 6,
        }
    }
}

/// Datagrams from the gateway's address that were no answers to what was asked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct IgnoredAnswers {
    /// Those that are no message of the protocol.
    pub malformed: u64,
    /// Well-formed answers to something else.
    pub unexpected: u64,
}

impl std::ops::AddAssign for IgnoredAnswers {
    fn add_assign(&mut self, more: Self) {
        self.malformed += more.malformed;
        self.unexpected += more.unexpected;
    }
}
