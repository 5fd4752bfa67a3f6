//! Peers, and how they are reached.

use std::net::SocketAddr;
use std::time::Duration;

use zt_protocol::address::Address;
use zt_protocol::status;

use super::error::ZtError;
use super::node::Node;

/// How a peer is doing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct PeerStatus {
    /// The peer.
    pub address: Address,
    /// What it is to this node.
    pub role: Role,
    /// Its version; `None` before it has said.
    pub version: Option<Version>,
    /// Round-trip time of the path in use, in ms.
    pub latency_ms: Option<u32>,
    /// The path in use; `None` if packets are relayed.
    pub path: Option<SocketAddr>,
    /// Every unexpired path.
    pub paths: Vec<SocketAddr>,
}

/// A peer's version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Version {
    /// Of the protocol.
    pub protocol: u8,
    /// Of the program.
    pub major: u8,
    /// Of the program.
    pub minor: u8,
    /// Of the program.
    pub revision: u16,
}

/// What a peer is to this node.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Role {
    /// A root of the planet.
    Planet,
    /// A root of a moon only.
    Moon,
    /// Any other node.
    Leaf,
}

/// Why packets get to a peer the way they do, and what is done to find a better one.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct PathExplanation {
    /// The peer.
    pub address: Address,
    /// The short answer.
    pub reason: Reason,
    /// The root that relays what has no direct path.
    pub relay: Option<Address>,
    /// Where that root is.
    pub relay_endpoint: Option<SocketAddr>,
    /// What is between this node and the Internet by IPv4.
    pub mapping_v4: Mapping,
    /// The same by IPv6.
    pub mapping_v6: Mapping,
    /// Where the peer was or may be: paths first, then addresses that were only tried.
    pub candidates: Vec<Candidate>,
    /// How long until one of them is tried again, in ms, if that is certain.
    pub next_try_ms: Option<u64>,
}

/// Why packets get to a peer the way they do.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Reason {
    /// There is a direct path.
    Direct,
    /// Nobody is there to relay: no root answers, as if UDP were blocked.
    NoRoot,
    /// Nobody has named an address of the peer this node could try.
    NoCandidates,
    /// Addresses were tried a moment ago.
    Trying,
    /// There were direct paths; the peer does not answer on them any more.
    PathLost,
    /// This node's translator gives each far end a port nobody can foretell, and the peer's lets in
    /// only whom it knows.
    Unpredictable,
    /// Nobody answers where the peer is said to be.
    NoAnswer,
    /// Nothing comes by UDP, so everything goes by TCP through a relay.
    TcpRelay,
}

/// What is between this node and the Internet, judging by the ports that places outside see.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Mapping {
    /// Fewer than two places have seen this node.
    Unknown,
    /// Every place sees the same port.
    Same,
    /// Every place sees another port, each close to the one before.
    Sequential,
    /// Every place sees another port, and nobody can foretell which.
    Random,
}

/// An address a peer was or may be at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Candidate {
    /// Where.
    pub endpoint: SocketAddr,
    /// Who said so.
    pub named_by: NamedBy,
    /// How long ago the peer was last asked to answer there, in ms.
    pub probed_ms_ago: Option<u64>,
    /// What came of it.
    pub outcome: Outcome,
}

/// Who said that a peer may be reached at an address.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum NamedBy {
    /// A root, which sees it there.
    Root,
    /// The peer.
    Peer,
    /// The user, who wants it tried.
    User,
    /// Nobody: the peer was heard from there.
    Nobody,
}

/// What came of asking a peer to answer somewhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Outcome {
    /// It is heard there.
    Answers {
        /// The round-trip time in ms, if it was measured.
        latency_ms: Option<u32>,
    },
    /// It has not answered yet.
    Awaited,
    /// It did not answer.
    Silent {
        /// So many times in a row.
        times: u32,
    },
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Node {
    /// Returns every known peer, by ascending address.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn peers(&self) -> Result<Vec<PeerStatus>, ZtError> {
        Ok(self.handle.peers().await?.into_iter().map(PeerStatus::from).collect())
    }

    /// Returns why packets get to a peer the way they do; `None` if no such peer is known.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn explain(&self, peer: Address) -> Result<Option<PathExplanation>, ZtError> {
        Ok(self.handle.explain(peer).await?.map(PathExplanation::from))
    }
}

/// Whole milliseconds, as many as there is room for.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn latency(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

impl From<status::PeerStatus> for PeerStatus {
    fn from(peer: status::PeerStatus) -> Self {
        let version =
            |(protocol, major, minor, revision)| Version { protocol, major, minor, revision };
        Self {
            address: peer.address,
            role: peer.role.into(),
            version: peer.version.map(version),
            latency_ms: peer.latency.map(latency),
            path: peer.path,
            paths: peer.paths,
        }
    }
}

impl From<status::Role> for Role {
    fn from(role: status::Role) -> Self {
        match role {
            status::Role::Planet => Self::Planet,
            status::Role::Moon => Self::Moon,
            status::Role::Leaf => Self::Leaf,
        }
    }
}

impl From<status::PathExplanation> for PathExplanation {
    fn from(explanation: status::PathExplanation) -> Self {
        let (relay, relay_endpoint) = explanation.relay.unzip();
        let [mapping_v4, mapping_v6] = explanation.mapping.map(Mapping::from);
        Self {
            address: explanation.address,
            reason: explanation.reason.into(),
            relay,
            relay_endpoint,
            mapping_v4,
            mapping_v6,
            candidates: explanation.candidates.into_iter().map(Candidate::from).collect(),
            next_try_ms: explanation.next_try.map(millis),
        }
    }
}

impl From<status::Reason> for Reason {
    fn from(reason: status::Reason) -> Self {
        match reason {
            status::Reason::Direct => Self::Direct,
            status::Reason::NoRoot => Self::NoRoot,
            status::Reason::NoCandidates => Self::NoCandidates,
            status::Reason::Trying => Self::Trying,
            status::Reason::PathLost => Self::PathLost,
            status::Reason::Unpredictable => Self::Unpredictable,
            status::Reason::NoAnswer => Self::NoAnswer,
            status::Reason::TcpRelay => Self::TcpRelay,
        }
    }
}

impl From<status::Mapping> for Mapping {
    fn from(mapping: status::Mapping) -> Self {
        match mapping {
            status::Mapping::Unknown => Self::Unknown,
            status::Mapping::Same => Self::Same,
            status::Mapping::Sequential => Self::Sequential,
            status::Mapping::Random => Self::Random,
        }
    }
}

impl From<status::Candidate> for Candidate {
    fn from(candidate: status::Candidate) -> Self {
        Self {
            endpoint: candidate.endpoint,
            named_by: match candidate.named_by {
                status::NamedBy::Root => NamedBy::Root,
                status::NamedBy::Peer => NamedBy::Peer,
                status::NamedBy::User => NamedBy::User,
                status::NamedBy::Nobody => NamedBy::Nobody,
            },
            probed_ms_ago: candidate.probed.map(millis),
            outcome: match candidate.outcome {
                status::Outcome::Answers(time) => {
                    Outcome::Answers { latency_ms: time.map(latency) }
                }
                status::Outcome::Awaited => Outcome::Awaited,
                status::Outcome::Silent(times) => Outcome::Silent { times },
            },
        }
    }
}
