//! Why a peer is reached the way it is, told to the user.

use std::time::Duration;

use serde_json::{Value, json};
use zt_protocol::status::{Candidate, Mapping, NamedBy, Outcome, PathExplanation, Reason};

use super::report::endpoint;

/// Returns an explanation as an object for programs; durations are in milliseconds.
pub(super) fn to_json(explanation: &PathExplanation) -> Value {
    let PathExplanation { address, reason, relay, mapping: [ipv4, ipv6], .. } = explanation;
    let relay = relay.map(|(root, at)| json!({ "root": root.to_string(), "path": endpoint(at) }));
    json!({
        "event": "explanation",
        "address": address.to_string(),
        "reason": reason_name(*reason),
        "relay": relay,
        "ports": { "ipv4": mapping_name(*ipv4), "ipv6": mapping_name(*ipv6) },
        "candidates": explanation.candidates.iter().map(candidate_to_json).collect::<Vec<_>>(),
        "nextTry": explanation.next_try.map(millis),
    })
}

/// Returns an explanation in a line for people.
pub(super) fn to_line(explanation: &PathExplanation) -> String {
    let PathExplanation { address, reason, candidates, .. } = explanation;
    let why = match reason {
        Reason::Direct => "reached directly",
        Reason::TcpRelay => "reached through the TCP relay, for no root answers by UDP",
        Reason::NoRoot => "not reached: no root answers, is UDP blocked?",
        Reason::NoCandidates => "relayed: nobody has said yet where it is",
        Reason::Trying => "relayed: it is being tried",
        Reason::PathLost => "relayed: it does not answer where it was heard before",
        Reason::Unpredictable => {
            "relayed: the router here gives every peer another port, and the peer's wants to know it"
        }
        Reason::NoAnswer => "relayed: it does not answer where it is said to be",
    };
    let tried = candidates.iter().map(|candidate| endpoint(candidate.endpoint));
    format!("{address} is {why}; tried {:?}", tried.collect::<Vec<_>>())
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

        let object = to_json(&explanation);

        assert_eq!(object["reason"], "no answer");
        assert_eq!(object["relay"], json!({ "root": "d5b4deab9d", "path": "5.1.0.1/9993" }));
        assert_eq!(object["ports"], json!({ "ipv4": "same", "ipv6": "unknown" }));
        assert_eq!(object["candidates"][0]["unanswered"], 3);
        assert_eq!(object["candidates"][1]["latency"], 40);
        assert_eq!(object["nextTry"], 1_500);
        assert_eq!(
            to_line(&explanation),
            "8056c2e21c is relayed: it does not answer where it is said to be; \
             tried [\"5.3.0.1/9993\", \"5.3.0.2/9993\"]"
        );
    }
}
