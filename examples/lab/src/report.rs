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

/// How it went. Durations are in milliseconds.
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
    pub(crate) online_ms: Option<f64>,
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
    pub(crate) network_ok_ms: f64,
    /// From its start until the other member had answered its first ping.
    pub(crate) first_reply_ms: Option<f64>,
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
    pub(crate) min_ms: f64,
    pub(crate) median_ms: f64,
    pub(crate) max_ms: f64,
}

/// A bulk transfer from one member to the other.
#[derive(Debug, Serialize)]
pub(crate) struct TransferReport {
    pub(crate) from: &'static str,
    pub(crate) to: IpAddr,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
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

    /// Says that `event` has happened: in words, or by its details (a JSON object).
    pub(crate) fn say(&self, event: &str, words: &str, details: Value) {
        let seconds = self.started.elapsed().as_secs_f64();
        if self.json {
            self.print_json(json!({ "event": event, "seconds": round(seconds) }), details);
        } else {
            print(format_args!("{seconds:9.3} s  {words}"));
        }
    }

    /// Prints the report.
    pub(crate) fn report(&self, report: &Report) {
        if self.json {
            let details = serde_json::to_value(report).unwrap_or_default();
            self.print_json(json!({ "event": "report", "ok": true }), details);
        } else {
            print(format_args!("\n{report}"));
            print(format_args!("lab: ok"));
        }
    }

    /// Prints what went wrong.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            let details = json!({ "step": failure.step, "why": failure.why });
            self.print_json(json!({ "event": "failed", "ok": false }), details);
        }
        let _ = writeln!(io::stderr(), "lab: failed: {failure}");
    }

    fn print_json(&self, mut object: Value, details: Value) {
        if let (Value::Object(object), Value::Object(details)) = (&mut object, details) {
            object.extend(details);
        }
        print(format_args!("{object}"));
    }
}

/// Prints a line. Whoever has closed the pipe does not want to know.
fn print(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Returns a duration in milliseconds, to the microsecond.
pub(crate) fn millis(duration: Duration) -> f64 {
    round(duration.as_secs_f64() * 1e3)
}

fn round(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
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
    /// Returns the report of some round trips, at least one.
    pub(crate) fn new(from: &'static str, to: IpAddr, mut round_trips: Vec<Duration>) -> Self {
        round_trips.sort_unstable();
        let at = |index: usize| round_trips.get(index).copied().map_or(f64::NAN, millis);
        let count = round_trips.len();
        Self {
            from,
            to,
            count,
            min_ms: at(0),
            median_ms: at(count / 2),
            max_ms: at(count.saturating_sub(1)),
        }
    }
}

impl TransferReport {
    pub(crate) fn new(from: &'static str, to: IpAddr, received: Received) -> Self {
        Self { from, to, bytes: received.bytes, seconds: received.elapsed.as_secs_f64() }
    }

    /// Returns the throughput in 10⁹ bits of payload per second.
    pub(crate) fn gigabits_per_second(&self) -> f64 {
        self.bytes as f64 * 8e-9 / self.seconds
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "network     {}", self.network)?;
        writeln!(f, "path        {}", self.path)?;
        for ping in &self.pings {
            writeln!(f, "ping        {ping}")?;
        }
        for transfer in &self.transfers {
            writeln!(f, "throughput  {transfer}")?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "node        address     udp               online      network ok  first reply"
        )?;
        for node in &self.nodes {
            writeln!(f, "{node}")?;
        }
        writeln!(f)?;
        writeln!(f, "node        packets out  packets in   dropped")?;
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
        write!(f, "{from} to {to}: {count} replies after ")?;
        write!(f, "{min_ms:.2} / {median_ms:.2} / {max_ms:.2} ms (min / median / max)")
    }
}

impl fmt::Display for TransferReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, bytes, seconds } = self;
        let megabytes = *bytes as f64 / 1e6;
        let rate = self.gigabits_per_second();
        write!(f, "{from} to {to}: {rate:.2} Gbit/s, {megabytes:.0} MB by TCP in {seconds:.2} s")
    }
}

impl fmt::Display for NodeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |ms: Option<f64>| ms.map_or_else(String::new, |ms| format!("{ms:.1} ms"));
        let member = self.member.as_ref();
        let endpoint = self.endpoint.to_string();
        let line = format!(
            "{:<10}  {}  {endpoint:<16}  {:<10}  {:<10}  {}",
            self.name,
            self.address,
            ms(self.online_ms),
            ms(member.map(|member| member.network_ok_ms)),
            ms(member.and_then(|member| member.first_reply_ms)),
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
