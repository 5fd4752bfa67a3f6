//! What a node says about itself when asked.

use core::net::SocketAddr;
use core::time::Duration;

use crate::address::{Address, MoonId};
use crate::identity::Identity;
use crate::path_rules::TrustedPathId;
use crate::prefix::Prefix;
use crate::time::UnixMillis;
use crate::world::WorldRefused;

/// How a node is doing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeStatus {
    /// This node.
    pub address: Address,
    /// Where packets are not encrypted, because the user trusts whoever has an address there.
    pub trusted_paths: Vec<(Prefix, TrustedPathId)>,
    /// Whether a root was heard recently, or this node is one.
    pub online: bool,
    /// The ID of the planet in force.
    pub planet_id: u64,
    /// Its timestamp.
    pub planet_timestamp: UnixMillis,
    /// Whether the node does without UDP.
    pub tcp_relay: TcpRelayStatus,
}

/// Whether a TCP relay stands in for UDP.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum TcpRelayStatus {
    /// None is configured.
    #[default]
    Off,
    /// UDP does.
    Standby,
    /// No root answers by UDP, and there is no connection to the relay yet.
    Connecting,
    /// It does.
    InUse,
}

/// The worlds a node goes by, and those it waits for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WorldsStatus {
    /// The planet in force.
    pub planet: WorldStatus,
    /// Moons in force, by ascending ID.
    pub moons: Vec<WorldStatus>,
    /// Moons asked for that nobody has told this node of yet, by ascending ID.
    pub wanted: Vec<WantedMoon>,
}

/// A world in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WorldStatus {
    /// Its ID.
    pub id: u64,
    /// Its timestamp, which serves as revision number.
    pub timestamp: UnixMillis,
    /// The roots it lists, in its order.
    pub roots: Vec<RootStatus>,
    /// The last other revision of it that was offered and not accepted.
    pub refused: Option<RefusedWorld>,
}

/// A root that a world in force lists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RootStatus {
    /// Who it is.
    pub identity: Identity,
    /// Where the world says it is found; it may be anywhere if it says nothing.
    pub endpoints: Vec<SocketAddr>,
    /// How it is reached.
    pub contact: Contact,
}

/// How a root is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Contact {
    /// It is this node.
    Me,
    /// It answers; on this path, or through another root.
    Answers(Option<SocketAddr>),
    /// It has not answered yet, or not for a while.
    Silent,
    /// It says that another node has this node's address, so it is of no use as a root.
    Disputes,
}

/// A moon asked for that is not there yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WantedMoon {
    /// Which.
    pub id: MoonId,
    /// Who is asked for it.
    pub seeds: Vec<Address>,
    /// The last one offered under this ID that was not accepted.
    pub refused: Option<RefusedWorld>,
}

/// A world that was offered and not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RefusedWorld {
    /// Its timestamp.
    pub timestamp: UnixMillis,
    /// Who offered it; `None` if the host did.
    pub from: Option<Address>,
    /// Why it was not accepted.
    pub why: WorldRefused,
}

/// What a peer is to this node.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Role {
    /// A root of the planet.
    Planet,
    /// A root of a moon only.
    Moon,
    /// Any other node.
    Leaf,
}

/// What is between this node and the Internet, judging by the ports that places outside see.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Mapping {
    /// Fewer than two places have seen this node.
    #[default]
    Unknown,
    /// Every place sees the same port: no translator, or one others can be let in by.
    Same,
    /// Every place sees another port, each close to the one before.
    Sequential,
    /// Every place sees another port, and nobody can foretell which.
    Random,
}

/// Who said that a peer may be reached at an address.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum NamedBy {
    /// A root, which sees it there.
    Root,
    /// The peer.
    Peer,
    /// The user.
    User,
    /// Nobody: the peer was heard from there.
    Nobody,
}

/// Why packets get to a peer the way they do, and what is done to find a better one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathExplanation {
    /// The peer.
    pub address: Address,
    /// The short answer.
    pub reason: Reason,
    /// What relays what has no direct path: the best root, and where it is.
    pub relay: Option<(Address, SocketAddr)>,
    /// What is between this node and the Internet, by IPv4 and by IPv6.
    pub mapping: [Mapping; 2],
    /// Where the peer was or may be: paths first, then addresses that were only tried.
    pub candidates: Vec<Candidate>,
    /// How long until one of them is tried again, if that is certain. Besides, a root that relays
    /// names addresses every 30 s and the peer every 15 s.
    pub next_try: Option<Duration>,
}

/// Why packets get to a peer the way they do.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Reason {
    /// There is a direct path.
    Direct,
    /// There is a direct path but for the TCP relay: no root answers by UDP.
    TcpRelay,
    /// Nobody is there to relay: no root answers, as if UDP were blocked.
    NoRoot,
    /// Nobody has named an address of the peer this node could try.
    NoCandidates,
    /// Addresses were tried a moment ago.
    Trying,
    /// There were direct paths; the peer does not answer on them any more.
    PathLost,
    /// This node's translator gives each far end a port nobody can foretell, and the peer does not
    /// answer from where it was named: its own lets in only whom it knows, as does this node's.
    Unpredictable,
    /// Nobody answers where the peer is said to be.
    NoAnswer,
}

/// An address a peer was or may be at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Candidate {
    /// Where.
    pub endpoint: SocketAddr,
    /// Who said so.
    pub named_by: NamedBy,
    /// How long ago the peer was last asked to answer there.
    pub probed: Option<Duration>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of asking a peer to answer somewhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is heard there; with the round-trip time if that was measured.
    Answers(Option<Duration>),
    /// It has not answered yet.
    Awaited,
    /// It did not answer so many times in a row.
    Silent(u32),
}

/// How a peer is doing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerStatus {
    /// The peer.
    pub address: Address,
    /// What it is to us.
    pub role: Role,
    /// Protocol, major, minor, revision; `None` before it has said.
    pub version: Option<(u8, u8, u8, u16)>,
    /// Round-trip time of the path in use.
    pub latency: Option<Duration>,
    /// The path in use; `None` if packets are relayed.
    pub path: Option<SocketAddr>,
    /// What the path in use is called if it is trusted, so that packets are not encrypted.
    pub trusted: Option<TrustedPathId>,
    /// Every unexpired path.
    pub paths: Vec<SocketAddr>,
}
