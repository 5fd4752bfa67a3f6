//! Peers, and why each is reached the way it is, as objects for programs.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use zt_protocol::status::{
    Candidate, Mapping, NamedBy, Outcome, PathExplanation, PeerStatus, Reason, Role,
};

/// Returns a peer and why it is reached the way it is.
///
/// | field | value |
/// |---|---|
/// | `address` | ten hexadecimal digits |
/// | `role` | `PLANET`, `MOON` or `LEAF` |
/// | `version` | of its program, `"1.14.1"`; null before it has said |
/// | `latency` | of the path in use, in ms; null if it was not measured |
/// | `path` | the one in use, `"192.0.2.1/9993"`; null if packets are relayed |
/// | `explanation` | see [`explanation_to_json`] |
#[must_use]
pub fn to_json(peer: &PeerStatus, explanation: &PathExplanation) -> Value {
    json!({
        "address": peer.address.to_string(),
        "role": role_name(peer.role),
        "version": peer.version.map(|(_, major, minor, revision)| format!("{major}.{minor}.{revision}")),
        "latency": peer.latency.map(millis),
        "path": peer.path.map(endpoint),
        "explanation": explanation_to_json(explanation),
    })
}

/// Returns an explanation; all durations are in ms, and null if nobody can say.
///
/// | field | value |
/// |---|---|
/// | `reason` | one of [`Reason`], in lower case |
/// | `relay` | `root` and `path`: who relays what has no direct path; or null |
/// | `ports` | `ipv4`, `ipv6`: what a translator here does to ports, one of [`Mapping`] |
/// | `candidates` | where the peer was or may be: `path`, `namedBy`, `probed` (how long ago), `outcome`, `latency`, `unanswered` (how often in a row) |
/// | `nextTry` | how long until one of them is tried again |
#[must_use]
pub fn explanation_to_json(explanation: &PathExplanation) -> Value {
    let PathExplanation { reason, relay, mapping: [ipv4, ipv6], .. } = explanation;
    let relay = relay.map(|(root, at)| json!({ "root": root.to_string(), "path": endpoint(at) }));
    json!({
        "reason": reason_name(*reason),
        "relay": relay,
        "ports": { "ipv4": mapping_name(*ipv4), "ipv6": mapping_name(*ipv6) },
        "candidates": explanation.candidates.iter().map(candidate_to_json).collect::<Vec<_>>(),
        "nextTry": explanation.next_try.map(millis),
    })
}

fn candidate_to_json(candidate: &Candidate) -> Value {
    let (outcome, latency, times) = match candidate.outcome {
        Outcome::Answers(latency) => ("answers", latency.map(millis), None),
        Outcome::Awaited => ("awaited", None, None),
        Outcome::Silent(times) => ("silent", None, Some(times)),
    };
    json!({
        "path": endpoint(candidate.endpoint),
        "namedBy": named_by_name(candidate.named_by),
        "probed": candidate.probed.map(millis),
        "outcome": outcome,
        "latency": latency,
        "unanswered": times,
    })
}

/// Writes an endpoint as ZeroTier's tools do.
#[must_use]
pub fn endpoint(path: SocketAddr) -> String {
    format!("{}/{}", path.ip(), path.port())
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Planet => "PLANET",
        Role::Moon => "MOON",
        Role::Leaf => "LEAF",
    }
}

const fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::Direct => "direct",
        Reason::TcpRelay => "tcp relay",
        Reason::NoRoot => "no root",
        Reason::NoCandidates => "no candidates",
        Reason::Trying => "trying",
        Reason::PathLost => "path lost",
        Reason::Unpredictable => "unpredictable ports",
        Reason::NoAnswer => "no answer",
    }
}

const fn mapping_name(mapping: Mapping) -> &'static str {
    match mapping {
        Mapping::Unknown => "unknown",
        Mapping::Same => "same",
        Mapping::Sequential => "sequential",
        Mapping::Random => "random",
    }
}

const fn named_by_name(named_by: NamedBy) -> &'static str {
    match named_by {
        NamedBy::Root => "root",
        NamedBy::Peer => "peer",
        NamedBy::User => "user",
        NamedBy::Nobody => "nobody",
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use zt_protocol::address::Address;

    use super::*;

    #[test]
    fn an_explanation_says_what_was_tried_and_what_came_of_it() {
        let (peer, root) = (Address::from_u64(0x80_56c2_e21c), Address::from_u64(0xd5_b4de_ab9d));
        let candidate = |host, outcome| Candidate {
            endpoint: ([5, 3, 0, host], 9993).into(),
            named_by: NamedBy::Root,
            probed: Some(Duration::from_secs(3)),
            outcome,
        };
        let explanation = PathExplanation {
            address: peer,
            reason: Reason::NoAnswer,
            relay: Some((root, ([5, 1, 0, 1], 9993).into())),
            mapping: [Mapping::Same, Mapping::Unknown],
            candidates: vec![
                candidate(1, Outcome::Silent(3)),
                candidate(2, Outcome::Answers(Some(Duration::from_millis(40)))),
            ],
            next_try: Some(Duration::from_millis(1_500)),
        };

        let object = explanation_to_json(&explanation);

        assert_eq!(object["reason"], "no answer");
        assert_eq!(object["relay"], json!({ "root": "d5b4deab9d", "path": "5.1.0.1/9993" }));
        assert_eq!(object["ports"], json!({ "ipv4": "same", "ipv6": "unknown" }));
        assert_eq!(object["candidates"][0]["unanswered"], 3);
        assert_eq!(object["candidates"][1]["latency"], 40);
        assert_eq!(object["nextTry"], 1_500);
    }
}
