//! What the lab tells its reader: a line per step, and a report at the end. Machines get the same
//! as one JSON object per line.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};
use zt_protocol::error::Drops;
use zt_runtime::Losses;

use crate::network::AnyError;
use crate::traffic::Received;

/// Says what happens, as it happens.
pub(crate) struct Progress {
    started: Instant,
    json: bool,
}

/// What did not work.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {why}")]
pub(crate) struct Failure {
    /// The step that was under way.
    step: String,
    /// What went wrong with it.
    why: String,
}

/// A duration, given in milliseconds and to the microsecond.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Millis(f64);

/// How it went.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) network: String,
    pub(crate) nodes: Vec<NodeReport>,
    pub(crate) path: PathReport,
    pub(crate) pings: Vec<PingReport>,
    pub(crate) transfers: Vec<TransferReport>,
}

/// How one node did.
#[derive(Debug, Serialize)]
pub(crate) struct NodeReport {
    pub(crate) name: &'static str,
    pub(crate) address: String,
    pub(crate) endpoint: SocketAddr,
    /// From its start until a root answered it; `None` for the root.
    pub(crate) online_ms: Option<Millis>,
    /// What members have besides.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<MemberReport>,
    /// Packets dropped by the node, by reason.
    pub(crate) drops: BTreeMap<&'static str, u64>,
}

/// How one member did.
#[derive(Debug, Serialize)]
pub(crate) struct MemberReport {
    pub(crate) virtual_addresses: [IpAddr; 2],
    /// From its start until it had its configuration.
    pub(crate) network_ok_ms: Millis,
    /// From its start until a member that was there before answered its first ping.
    pub(crate) first_reply_ms: Option<Millis>,
    /// IP packets its stack sent into the network.
    pub(crate) packets_sent: u64,
    /// IP packets its stack received from the network.
    pub(crate) packets_received: u64,
}

/// How the members' packets travelled in the end.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum PathReport {
    Direct { from: SocketAddr, to: SocketAddr },
    Relayed,
}

/// Round trips from one member to the other.
#[derive(Debug, Serialize)]
pub(crate) struct PingReport {
    pub(crate) from: &'static str,
    pub(crate) to: IpAddr,
    pub(crate) count: usize,
    pub(crate) min_ms: Millis,
    pub(crate) median_ms: Millis,
    pub(crate) max_ms: Millis,
}

/// A bulk transfer from one member to the other.
#[derive(Debug, Serialize)]
pub(crate) struct TransferReport {
    pub(crate) from: &'static str,
    pub(crate) to: IpAddr,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    /// In 10⁹ bits of payload per second.
    pub(crate) gigabits_per_second: f64,
}

impl Failure {
    pub(crate) fn new(step: impl Into<String>, why: impl Into<AnyError>) -> Self {
        Self { step: step.into(), why: why.into().to_string() }
    }
}

impl Progress {
    /// Starts counting time.
    pub(crate) fn start(json: bool) -> Self {
        Self { started: Instant::now(), json }
    }

    /// Says that `event` has happened: in words, or by its details, which are a JSON object.
    pub(crate) fn say(&self, event: &str, details: Value, words: fmt::Arguments<'_>) {
        let seconds = self.started.elapsed().as_secs_f64();
        if self.json {
            print(&object(json!({ "event": event, "seconds": rounded(seconds) }), details));
        } else {
            print(&format_args!("{seconds:9.3} s  {words}"));
        }
    }

    /// Prints the report.
    pub(crate) fn report(&self, report: &Report) {
        if self.json {
            let details = serde_json::to_value(report).unwrap_or_default();
            print(&object(json!({ "event": "report", "ok": true }), details));
        } else {
            print(&format_args!("\n{report}\nlab: ok"));
        }
    }

    /// Prints what went wrong.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            let Failure { step, why } = failure;
            print(&json!({ "event": "failed", "ok": false, "step": step, "why": why }));
        }
        let _ = writeln!(io::stderr(), "lab: failed: {failure}");
    }
}

/// Returns two JSON objects as one.
fn object(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

/// Prints a line. Whoever has closed the pipe does not want to know.
fn print(line: &impl fmt::Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn rounded(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

impl From<Duration> for Millis {
    fn from(duration: Duration) -> Self {
        Self(rounded(duration.as_secs_f64() * 1e3))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = if self.0 < 1.0 { 3 } else { 1 };
        f.pad(&format!("{:.precision$} ms", self.0))
    }
}

impl NodeReport {
    /// Returns the losses of a node, inside it and around it, by reason.
    pub(crate) fn drops(drops: &Drops, losses: Losses) -> BTreeMap<&'static str, u64> {
        let around = [("datagrams_lost", losses.datagrams), ("frames_lost", losses.frames)];
        let inside = drops.iter().map(|(reason, count)| (reason.name(), count));
        inside.chain(around).filter(|&(_, count)| count > 0).collect()
    }
}

impl PingReport {
    /// Returns the report of some round trips.
    pub(crate) fn new(from: &'static str, to: IpAddr, mut round_trips: Vec<Duration>) -> Self {
        round_trips.sort_unstable();
        let count = round_trips.len();
        let at = |index: usize| round_trips.get(index).copied().unwrap_or_default().into();
        let (min_ms, median_ms, max_ms) = (at(0), at(count / 2), at(count.saturating_sub(1)));
        Self { from, to, count, min_ms, median_ms, max_ms }
    }
}

impl TransferReport {
    pub(crate) fn new(from: &'static str, to: IpAddr, received: Received) -> Self {
        let (bytes, seconds) = (received.bytes, received.elapsed.as_secs_f64());
        let gigabits_per_second = rounded(bytes as f64 * 8e-9 / seconds);
        Self { from, to, bytes, seconds: rounded(seconds), gigabits_per_second }
    }

    /// Returns how much it was, in words.
    pub(crate) fn amount(&self) -> String {
        let megabytes = self.bytes as f64 / 1e6;
        format!(
            "{:.2} Gbit/s, {megabytes:.0} MB in {:.2} s",
            self.gigabits_per_second, self.seconds
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "network     {}", self.network)?;
        for node in &self.nodes {
            if let Some(MemberReport { virtual_addresses: [v4, v6], .. }) = node.member {
                writeln!(f, "{:<10}  {v4} and {v6}", node.name)?;
            }
        }
        writeln!(f, "path        {}", self.path)?;
        for ping in &self.pings {
            writeln!(f, "ping        {ping}")?;
        }
        for transfer in &self.transfers {
            writeln!(f, "throughput  {transfer}")?;
        }

        f.write_str(
            "\nnode        address     udp               online      network ok  first reply\n",
        )?;
        for node in &self.nodes {
            writeln!(f, "{node}")?;
        }

        f.write_str("\nnode        packets out  packets in   dropped\n")?;
        for node in &self.nodes {
            writeln!(f, "{}", Traffic(node))?;
        }
        Ok(())
    }
}

impl fmt::Display for PathReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct { from, to } => write!(f, "direct, {from} to {to}"),
            Self::Relayed => f.write_str("relayed by the root"),
        }
    }
}

impl fmt::Display for PingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, count, min_ms, median_ms, max_ms } = self;
        write!(f, "{from} to {to}: median {median_ms}, {min_ms} to {max_ms}, of {count}")
    }
}

impl fmt::Display for TransferReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}: {}", self.from, self.to, self.amount())
    }
}

impl fmt::Display for NodeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |ms: Option<Millis>| ms.map_or_else(String::new, |ms| ms.to_string());
        let member = self.member.as_ref();
        let line = format!(
            "{:<10}  {}  {:<16}  {:<10}  {:<10}  {}",
            self.name,
            self.address,
            self.endpoint.to_string(),
            shown(self.online_ms),
            shown(member.map(|member| member.network_ok_ms)),
            shown(member.and_then(|member| member.first_reply_ms)),
        );
        f.write_str(line.trim_end())
    }
}

/// A node's line in the table of packets.
struct Traffic<'a>(&'a NodeReport);

impl fmt::Display for Traffic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(node) = self;
        let member = node.member.as_ref();
        let count = |count: Option<u64>| count.map_or_else(String::new, |count| count.to_string());
        let drops: Vec<_> =
            node.drops.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        write!(
            f,
            "{:<10}  {:<11}  {:<11}  {}",
            node.name,
            count(member.map(|member| member.packets_sent)),
            count(member.map(|member| member.packets_received)),
            if drops.is_empty() { "nothing".to_owned() } else { drops.join(", ") },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_json_objects_become_one() {
        let line = object(json!({ "event": "online" }), json!({ "node": "alice" }));

        assert_eq!(line, json!({ "event": "online", "node": "alice" }));
    }

    #[test]
    fn round_trips_are_reported_by_least_middle_and_most() {
        let round_trips = [5, 1, 40, 2, 3].map(Duration::from_millis).to_vec();

        let report = PingReport::new("alice", [10, 0, 0, 2].into(), round_trips);

        assert_eq!(report.to_string(), "alice to 10.0.0.2: median 3.0 ms, 1.0 ms to 40.0 ms, of 5");
    }
}
