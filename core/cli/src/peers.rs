//! `zt peers`: whom a running node knows, and why it reaches them the way it does.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use tokio::runtime::Builder as RuntimeBuilder;

use crate::failure::Failure;

/// Print the peers of the node that runs in a home directory.
#[derive(Args, Debug)]
pub(crate) struct Peers {
    /// The node's home directory.
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// Say of each why it is relayed or direct, what was tried, and what is tried next.
    #[arg(long)]
    explain: bool,
    /// Print one array of JSON, explanations included; durations are in ms.
    #[arg(long)]
    json: bool,
}

impl Peers {
    pub(crate) fn run(self) -> Result<String, Failure> {
        let runtime = RuntimeBuilder::new_current_thread().enable_all().build();
        let asked = zt_service::ask(&self.home, "/libzt/peers");
        let peers = runtime.map_err(Failure::Runtime)?.block_on(asked)?;
        if self.json {
            return Ok(format!("{peers}\n"));
        }
        Ok(to_text(&peers, self.explain))
    }
}

/// Returns a line for each peer, and what explains it below if that is wanted.
fn to_text(peers: &Value, explain: bool) -> String {
    let mut text =
        format!("{:<10}  {:<6}  {:<8}  {:>7}  path\n", "address", "role", "version", "latency");
    for peer in peers.as_array().into_iter().flatten() {
        let field = |name: &str| peer[name].as_str().unwrap_or("-").to_owned();
        let latency = peer["latency"].as_u64().map_or("-".to_owned(), |ms| format!("{ms} ms"));
        let (address, role, version) = (field("address"), field("role"), field("version"));
        let path = peer["path"].as_str().unwrap_or("relayed");
        let _ = writeln!(text, "{address:<10}  {role:<6}  {version:<8}  {latency:>7}  {path}");
        if explain {
            explain_into(&mut text, &peer["explanation"]);
        }
    }
    text
}

fn explain_into(text: &mut String, explanation: &Value) {
    let _ = writeln!(text, "    {}", why(explanation));
    let is_relayed = explanation["reason"] != "direct";
    if let (true, Some(root), Some(path)) =
        (is_relayed, explanation["relay"]["root"].as_str(), explanation["relay"]["path"].as_str())
    {
        let _ = writeln!(text, "    root {root} at {path} relays");
    }
    for (name, key) in [("IPv4", "ipv4"), ("IPv6", "ipv6")] {
        let ports = match explanation["ports"][key].as_str() {
            Some("same") => "every place outside sees the same port of this node",
            Some("sequential") => "every place outside sees another port, next to the last",
            Some("random") => "every place outside sees another port, which nobody can foretell",
            _ => continue,
        };
        let _ = writeln!(text, "    {name}: {ports}");
    }
    for candidate in explanation["candidates"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "    {}", candidate_to_text(candidate));
    }
    if let Some(next) = explanation["nextTry"].as_u64() {
        let _ = writeln!(text, "    the next try is in {}", seconds(next));
    }
}

fn candidate_to_text(candidate: &Value) -> String {
    let path = candidate["path"].as_str().unwrap_or_default();
    let named_by = match candidate["namedBy"].as_str() {
        Some("root") => "named by a root",
        Some("peer") => "named by the peer",
        Some("user") => "named by the user",
        _ => "heard there",
    };
    let probed = candidate["probed"].as_u64();
    let probed = probed.map_or(String::new(), |ago| format!(", asked {} ago", seconds(ago)));
    let outcome = match candidate["outcome"].as_str() {
        Some("answers") => "answers".to_owned(),
        Some("awaited") => "may still answer".to_owned(),
        _ => match candidate["unanswered"].as_u64() {
            Some(times @ 1..) => format!("silent {times} times"),
            _ => "silent".to_owned(),
        },
    };
    format!("{path}  {named_by}{probed}: {outcome}")
}

/// Returns why a peer is reached the way it is, in words that follow "it is".
pub(crate) fn why(explanation: &Value) -> &'static str {
    match explanation["reason"].as_str() {
        Some("direct") => "reached directly",
        Some("tcp relay") => "reached through the TCP relay, for no root answers by UDP",
        Some("no root") => "not reached: no root answers, is UDP blocked?",
        Some("no candidates") => "relayed: nobody has said yet where it is",
        Some("trying") => "relayed: it is being tried",
        Some("path lost") => "relayed: it does not answer where it was heard before",
        Some("unpredictable ports") => {
            "relayed: the router here gives every peer another port, and the peer's wants to know it"
        }
        Some("no answer") => "relayed: it does not answer where it is said to be",
        _ => "reached in a way this program does not know",
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_explanation_says_what_was_tried_what_came_of_it_and_what_is_next() {
        let peers = json!([{
            "address": "8056c2e21c", "role": "LEAF", "version": null, "latency": null, "path": null,
            "explanation": {
                "reason": "no answer",
                "relay": { "root": "d5b4deab9d", "path": "5.1.0.1/9993" },
                "ports": { "ipv4": "same", "ipv6": "unknown" },
                "candidates": [{
                    "path": "5.3.0.1/9993", "namedBy": "root", "probed": 3_000,
                    "outcome": "silent", "unanswered": 3, "latency": null,
                }],
                "nextTry": 1_500,
            },
        }]);
        assert_eq!(
            to_text(&peers, true),
            "address     role    version   latency  path\n\
             8056c2e21c  LEAF    -               -  relayed\n\
             \u{20}   relayed: it does not answer where it is said to be\n\
             \u{20}   root d5b4deab9d at 5.1.0.1/9993 relays\n\
             \u{20}   IPv4: every place outside sees the same port of this node\n\
             \u{20}   5.3.0.1/9993  named by a root, asked 3.0 s ago: silent 3 times\n\
             \u{20}   the next try is in 1.5 s\n"
        );
    }
}
