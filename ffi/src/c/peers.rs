//! Peers, and how they are reached.

use std::ffi::c_char;

use super::boundary::boundary;
use super::hosting::address;
use super::node::{wait, zt_node};
use super::result::{Failure, zt_result};
use super::structs::{Growing, ZT_ENDPOINT_LEN, endpoint, fill, output, write_slice, write_struct};
use crate::facade::{Mapping, NamedBy, Outcome, PathExplanation, PeerStatus, Reason, Role};

/// The peer is a root of the planet.
pub const ZT_ROLE_PLANET: u32 = 0;
/// The peer is a root of a moon only.
pub const ZT_ROLE_MOON: u32 = 1;
/// The peer is any other node.
pub const ZT_ROLE_LEAF: u32 = 2;

/// There is a direct path.
pub const ZT_REASON_DIRECT: u32 = 0;
/// Nobody is there to relay: no root answers, as if UDP were blocked.
pub const ZT_REASON_NO_ROOT: u32 = 1;
/// Nobody has named an address of the peer this node could try.
pub const ZT_REASON_NO_CANDIDATES: u32 = 2;
/// Addresses were tried a moment ago.
pub const ZT_REASON_TRYING: u32 = 3;
/// There were direct paths; the peer does not answer on them any more.
pub const ZT_REASON_PATH_LOST: u32 = 4;
/// Both translators are in the way: this one's ports nobody can foretell, the other lets in only whom
/// it knows.
pub const ZT_REASON_UNPREDICTABLE: u32 = 5;
/// Nobody answers where the peer is said to be.
pub const ZT_REASON_NO_ANSWER: u32 = 6;
/// Nothing comes by UDP, so everything goes by TCP through a relay.
pub const ZT_REASON_TCP_RELAY: u32 = 7;

/// Fewer than two places have seen this node.
pub const ZT_MAPPING_UNKNOWN: u32 = 0;
/// Every place sees the same port.
pub const ZT_MAPPING_SAME: u32 = 1;
/// Every place sees another port, each close to the one before.
pub const ZT_MAPPING_SEQUENTIAL: u32 = 2;
/// Every place sees another port, and nobody can foretell which.
pub const ZT_MAPPING_RANDOM: u32 = 3;

/// A root sees the peer there.
pub const ZT_NAMED_BY_ROOT: u32 = 0;
/// The peer said so.
pub const ZT_NAMED_BY_PEER: u32 = 1;
/// Nobody did: the peer was heard from there.
pub const ZT_NAMED_BY_NOBODY: u32 = 2;
/// The user wants it tried.
pub const ZT_NAMED_BY_USER: u32 = 3;

/// The peer is heard there.
pub const ZT_OUTCOME_ANSWERS: u32 = 0;
/// It has not answered yet.
pub const ZT_OUTCOME_AWAITED: u32 = 1;
/// It did not answer.
pub const ZT_OUTCOME_SILENT: u32 = 2;

/// Candidates an explanation has at most.
pub const ZT_CANDIDATES_MAX: usize = 32;

/// A peer. Elements of an array, so it never grows.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_peer {
    /// Its address.
    pub address: u64,
    /// One of `ZT_ROLE_*`.
    pub role: u32,
    /// Round-trip time of the path in use, in ms; -1 if it was not measured.
    pub latency_ms: i32,
    /// Protocol, major, minor, revision; all 0 before it has said.
    pub version: [u16; 4],
    /// How many paths there are.
    pub path_count: u32,
    /// The path in use; empty if packets are relayed.
    pub path: [c_char; ZT_ENDPOINT_LEN],
}

/// An address a peer was or may be at.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_candidate {
    /// Where.
    pub endpoint: [c_char; ZT_ENDPOINT_LEN],
    /// One of `ZT_NAMED_BY_*`.
    pub named_by: u32,
    /// One of `ZT_OUTCOME_*`.
    pub outcome: u32,
    /// With `ZT_OUTCOME_ANSWERS` the round-trip time in ms, or -1; with `ZT_OUTCOME_SILENT` how many
    /// times in a row.
    pub value: i64,
    /// How long ago the peer was last asked to answer there, in ms; -1 if it was not.
    pub probed_ms_ago: i64,
}

/// Why packets get to a peer the way they do.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_explanation {
    /// `sizeof(zt_explanation)`.
    pub struct_size: u32,
    /// One of `ZT_REASON_*`.
    pub reason: u32,
    /// The root that relays what has no direct path; 0 if there is none.
    pub relay: u64,
    /// Where that root is.
    pub relay_endpoint: [c_char; ZT_ENDPOINT_LEN],
    /// What is between this node and the Internet by IPv4: one of `ZT_MAPPING_*`.
    pub mapping_v4: u32,
    /// The same by IPv6.
    pub mapping_v6: u32,
    /// How long until a candidate is tried again, in ms; -1 if that is not certain.
    pub next_try_ms: i64,
    /// How many candidates follow.
    pub candidate_count: u32,
    /// Where the peer was or may be: paths first, then addresses that were only tried.
    pub candidates: [zt_candidate; ZT_CANDIDATES_MAX],
}

// SAFETY: integers and arrays of such only, the first of which is the size.
unsafe impl Growing for zt_explanation {
    const NAME: &'static str = "zt_explanation";
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// Writes the known peers by ascending address, `capacity` of them at most; `*count` is how many there
/// are.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `peers` is null or has room for `capacity` peers; `count` is null or points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_peer_list(
    node: zt_node,
    peers: *mut zt_peer,
    capacity: usize,
    count: *mut usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (peers, count) =
            unsafe { (write_slice(peers, capacity, "peers")?, output(count, "count")?) };
        let known = wait(node, |node| async move { node.peers().await })?;
        let known: Vec<_> = known.iter().map(zt_peer::from).collect();
        *count = fill(&known, peers);
        Ok(())
    })
}

/// Writes why packets get to a peer the way they do. `ZT_ERROR_NOT_FOUND` if no such peer is known.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `out` is null or points to a `zt_explanation` whose `struct_size` is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_peer_explain(
    node: zt_node,
    peer: u64,
    out: *mut zt_explanation,
) -> zt_result {
    boundary(|| {
        let peer = address(peer)?;
        let explained = wait(node, |node| async move { node.explain(peer).await })?;
        let unknown = || Failure::new(zt_result::ZT_ERROR_NOT_FOUND, "no such peer is known");
        let explanation = zt_explanation::from(&explained.ok_or_else(unknown)?);
        // SAFETY: as the caller promises.
        unsafe { write_struct(out, &explanation) }
    })
}

impl From<&PeerStatus> for zt_peer {
    fn from(peer: &PeerStatus) -> Self {
        let version = peer.version.map_or([0; 4], |version| {
            let (protocol, major) = (version.protocol.into(), version.major.into());
            [protocol, major, version.minor.into(), version.revision]
        });
        Self {
            address: peer.address.to_u64(),
            role: match peer.role {
                Role::Planet => ZT_ROLE_PLANET,
                Role::Moon => ZT_ROLE_MOON,
                Role::Leaf => ZT_ROLE_LEAF,
            },
            latency_ms: peer.latency_ms.and_then(|ms| i32::try_from(ms).ok()).unwrap_or(-1),
            version,
            path_count: u32::try_from(peer.paths.len()).unwrap_or(u32::MAX),
            path: endpoint(peer.path),
        }
    }
}

impl From<&PathExplanation> for zt_explanation {
    fn from(explanation: &PathExplanation) -> Self {
        // SAFETY: of integers and arrays of such zeroes are a value.
        let mut to: Self = unsafe { std::mem::zeroed() };
        to.reason = match explanation.reason {
            Reason::Direct => ZT_REASON_DIRECT,
            Reason::NoRoot => ZT_REASON_NO_ROOT,
            Reason::NoCandidates => ZT_REASON_NO_CANDIDATES,
            Reason::Trying => ZT_REASON_TRYING,
            Reason::PathLost => ZT_REASON_PATH_LOST,
            Reason::Unpredictable => ZT_REASON_UNPREDICTABLE,
            Reason::NoAnswer => ZT_REASON_NO_ANSWER,
            Reason::TcpRelay => ZT_REASON_TCP_RELAY,
        };
        to.relay = explanation.relay.map_or(0, |relay| relay.to_u64());
        to.relay_endpoint = endpoint(explanation.relay_endpoint);
        to.mapping_v4 = mapping(explanation.mapping_v4);
        to.mapping_v6 = mapping(explanation.mapping_v6);
        to.next_try_ms = or_minus_one(explanation.next_try_ms);
        let candidates = explanation.candidates.iter().map(|candidate| {
            let (outcome, value) = match candidate.outcome {
                Outcome::Answers { latency_ms } => {
                    (ZT_OUTCOME_ANSWERS, latency_ms.map_or(-1, i64::from))
                }
                Outcome::Awaited => (ZT_OUTCOME_AWAITED, 0),
                Outcome::Silent { times } => (ZT_OUTCOME_SILENT, times.into()),
            };
            let named_by = match candidate.named_by {
                NamedBy::Root => ZT_NAMED_BY_ROOT,
                NamedBy::Peer => ZT_NAMED_BY_PEER,
                NamedBy::Nobody => ZT_NAMED_BY_NOBODY,
                NamedBy::User => ZT_NAMED_BY_USER,
            };
            let probed_ms_ago = or_minus_one(candidate.probed_ms_ago);
            let endpoint = endpoint(Some(candidate.endpoint));
            zt_candidate { endpoint, named_by, outcome, value, probed_ms_ago }
        });
        let candidates: Vec<_> = candidates.take(ZT_CANDIDATES_MAX).collect();
        to.candidate_count = u32::try_from(fill(&candidates, &mut to.candidates)).unwrap_or(0);
        to
    }
}

const fn mapping(mapping: Mapping) -> u32 {
    match mapping {
        Mapping::Unknown => ZT_MAPPING_UNKNOWN,
        Mapping::Same => ZT_MAPPING_SAME,
        Mapping::Sequential => ZT_MAPPING_SEQUENTIAL,
        Mapping::Random => ZT_MAPPING_RANDOM,
    }
}

fn or_minus_one(value: Option<u64>) -> i64 {
    value.and_then(|value| i64::try_from(value).ok()).unwrap_or(-1)
}
