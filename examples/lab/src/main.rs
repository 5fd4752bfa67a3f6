//! A whole private ZeroTier network in one process, to be watched.
//!
//! Starts a root, a controller and two members that talk real UDP over 127.0.0.1, makes a planet
//! and a private network for them, and lets the members ping each other and exchange as many bytes
//! by TCP as get through. Needs no rights, no configuration and no other machine.
//!
//! [`run`] is the story. The nodes are in [`network`], the members' TCP/IP in [`stack`] and what
//! they do with it in [`traffic`].

mod capture;
mod network;
mod report;
mod stack;
mod traffic;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use tokio::sync::oneshot;
use zt_protocol::address::NetworkId;
use zt_protocol::event::Standing;
use zt_protocol::world::World;

use crate::capture::Capture;
use crate::network::{AnyError, Family, LabNode, Member, Role, Site};
use crate::report::{Failure, PathReport, PingReport, Progress, Report, TransferReport, millis};
use crate::stack::Closed;

/// How long a step may take. All of them take milliseconds unless something is wrong, but for
/// making identities, which is a matter of luck.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long to wait for the members to talk directly before being content with the relay.
const DIRECT_PATIENCE: Duration = Duration::from_secs(5);

/// Pings that make up a report.
const PINGS: usize = 20;

/// The port bulk transfers go to.
const BULK_PORT: u16 = 5001;

/// A whole private ZeroTier network in one process: root, controller and two members.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// How long each of the two bulk transfers takes, in seconds.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,

    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,

    /// Write what the members see of their network to a file, for Wireshark. Of each packet, the
    /// first 256 bytes are kept.
    #[arg(long, value_name = "FILE.pcapng")]
    capture: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let options = Options::parse();
    let progress = Progress::start(options.json);

    match run(&options, &progress).await {
        Ok(report) => {
            progress.report(&report);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            progress.failure(&failure);
            ExitCode::FAILURE
        }
    }
}

/// The story, step by step.
async fn run(options: &Options, progress: &Progress) -> Result<Report, Failure> {
    let capture = open_capture(options.capture.as_deref())?;

    let [root, controller, alice, bob] = make_identities(progress).await?;
    let (root, planet) = start_root(progress, root).await?;
    let controller = start_controller(progress, controller, &planet).await?;
    let network = make_network(progress, &controller).await?;
    let (mut alice, mut bob) = tokio::try_join!(
        start_member(progress, alice, &planet, &controller, network, capture.as_ref()),
        start_member(progress, bob, &planet, &controller, network, capture.as_ref()),
    )?;

    greet(progress, &mut alice, &mut bob, Family::V4).await?;
    greet(progress, &mut bob, &mut alice, Family::V6).await?;
    let path = find_path(progress, &mut alice, &mut bob).await?;
    let pings = vec![
        measure_pings(&mut alice, &mut bob, Family::V4).await?,
        measure_pings(&mut bob, &mut alice, Family::V6).await?,
    ];

    let lasting = Duration::from_secs(options.seconds);
    let (alice, bob, there) = transfer(progress, alice, bob, Family::V4, lasting).await?;
    let (bob, alice, back) = transfer(progress, bob, alice, Family::V6, lasting).await?;

    let nodes = step("asking the nodes", async {
        let (root, controller) = (root.report().await?, controller.report().await?);
        Ok::<_, AnyError>(vec![root, controller, alice.report().await?, bob.report().await?])
    });
    let nodes = nodes.await?;
    for node in [&alice.node, &bob.node, &controller, &root] {
        let stopped = tokio::time::timeout(PATIENCE, node.handle.shutdown()).await;
        stopped.map_err(|elapsed| Failure::new(format!("stopping {}", node.name), elapsed))?;
    }
    if let Some(capture) = capture {
        capture.finish().map_err(|error| Failure::new("writing the capture", error))?;
    }

    let (network, transfers) = (network.to_string(), vec![there, back]);
    Ok(Report { network, nodes, path, pings, transfers })
}

fn open_capture(path: Option<&Path>) -> Result<Option<Capture>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let capture = Capture::create(path);
    let step = || format!("creating {}", path.display());
    capture.map(Some).map_err(|error| Failure::new(step(), error))
}

async fn make_identities(progress: &Progress) -> Result<[Site; 4], Failure> {
    let names = ["root", "controller", "alice", "bob"];
    let sites = step("making identities", async {
        let [a, b, c, d] = names.map(|name| tokio::task::spawn_blocking(move || Site::make(name)));
        let (a, b, c, d) = tokio::try_join!(a, b, c, d)?;
        Ok::<_, AnyError>([a?, b?, c?, d?])
    });
    let sites = sites.await?;

    let addresses = sites.each_ref().map(|site| format!("{} {}", site.name, site.address()));
    let words = format!("identities made: {}", addresses.join(", "));
    progress.say("identities", &words, json!({ "identities": addresses }));
    Ok(sites)
}

async fn start_root(progress: &Progress, root: Site) -> Result<(LabNode, World), Failure> {
    let (root, planet) = step("starting the root", async {
        let at = network::unused_address()?;
        let planet = network::planet_of(&root, at)?;
        Ok::<_, AnyError>((root.start(&planet, Role::Root(at)).await?, planet))
    })
    .await?;

    let at = root.handle.bound()[0];
    let words = format!("root runs at {at}, alone on a planet of its own");
    progress.say("root", &words, json!({ "endpoint": at }));
    Ok((root, planet))
}

async fn start_controller(
    progress: &Progress,
    controller: Site,
    planet: &World,
) -> Result<LabNode, Failure> {
    let (controller, online) = step("starting the controller", async {
        let mut controller = controller.start(planet, Role::Controller).await?;
        let online = controller.online().await?;
        Ok::<_, AnyError>((controller, online))
    })
    .await?;

    let words = format!("controller is online, {} ms after its start", millis(online));
    progress.say("controller", &words, json!({ "online_ms": millis(online) }));
    Ok(controller)
}

async fn make_network(progress: &Progress, controller: &LabNode) -> Result<NetworkId, Failure> {
    let settings = network::settings();
    let network = step("making a network", controller.handle.create_network(settings)).await?;

    let words = format!("network {network} made: private, with IPv4 and IPv6 addresses");
    progress.say("network_made", &words, json!({ "network": network.to_string() }));
    Ok(network)
}

/// Brings up a member: it is online, asks for the network, is refused, is allowed, and is on it.
async fn start_member(
    progress: &Progress,
    site: Site,
    planet: &World,
    controller: &LabNode,
    network: NetworkId,
    capture: Option<&Capture>,
) -> Result<Member, Failure> {
    let (name, address) = (site.name, site.address());
    let tap = capture.map(|capture| capture.tap(name));

    let mut node = step(format!("starting {name}"), site.start(planet, Role::Member)).await?;
    let online = step(format!("{name} getting online"), node.online()).await?;
    let words = format!("{name} is online, {} ms after its start", millis(online));
    progress.say("online", &words, json!({ "node": name, "online_ms": millis(online) }));

    let refused = async {
        node.join(network).await?;
        node.standing(network, Standing::AccessDenied).await
    };
    step(format!("the controller refusing {name}"), refused).await?;
    let words = format!("{name} asks for the network and is refused: nobody has allowed it");
    progress.say("refused", &words, json!({ "node": name }));

    let allowed = controller.handle.allow(network, address);
    step(format!("the controller allowing {name}"), allowed).await?;
    let on_network = node.standing(network, Standing::Ok);
    let status = step(format!("{name} getting onto the network"), on_network).await?;
    let member = Member::new(node, &status, tap);
    let member = step(format!("{name} taking its addresses"), member).await?;
    let words = format!("{name} is allowed and on the network as {} and {}", member.v4, member.v6);
    let details = json!({ "node": name, "addresses": [member.v4, member.v6] });
    progress.say("network_ok", &words, details);
    Ok(member)
}

/// Waits for the first reply to a ping.
async fn greet(
    progress: &Progress,
    from: &mut Member,
    to: &mut Member,
    family: Family,
) -> Result<(), Failure> {
    let step_name = format!("{} pinging {}", from.node.name, to.node.name);
    let address = to.address(family);
    let round_trip = step(step_name, ping(from, to, address)).await?;
    let age = from.node.age();
    from.first_reply.get_or_insert(age);

    let (name, other) = (from.node.name, to.node.name);
    let words = format!(
        "{name} pings {other} at {address}: first reply after {} ms, {} ms after {name}'s start",
        millis(round_trip),
        millis(age)
    );
    progress.say(
        "first_reply",
        &words,
        json!({ "node": name, "to": address, "since_start_ms": millis(age) }),
    );
    Ok(())
}

/// Pings until the members talk directly, as they do once the root has introduced them.
async fn find_path(
    progress: &Progress,
    alice: &mut Member,
    bob: &mut Member,
) -> Result<PathReport, Failure> {
    let (from, peer) = (alice.node.handle.bound()[0], bob.node.handle.address());
    let deadline = tokio::time::Instant::now() + DIRECT_PATIENCE;
    let direct = step("looking for a direct path", async {
        while tokio::time::Instant::now() < deadline {
            if let Some(to) = alice.node.path_to(peer).await? {
                return Ok::<_, AnyError>(Some(to));
            }
            ping(alice, bob, bob.v4).await?;
        }
        Ok(None)
    });
    let path = match direct.await? {
        Some(to) => PathReport::Direct { from, to },
        None => PathReport::Relayed,
    };

    let words = format!("alice and bob talk: {path}");
    progress.say("path", &words, json!({ "path": path }));
    Ok(path)
}

async fn measure_pings(
    from: &mut Member,
    to: &mut Member,
    family: Family,
) -> Result<PingReport, Failure> {
    let address = to.address(family);
    let round_trips = step("measuring pings", async {
        let mut round_trips = Vec::with_capacity(PINGS);
        for _ in 0..PINGS {
            round_trips.push(ping(from, to, address).await?);
        }
        Ok::<_, Closed>(round_trips)
    })
    .await?;
    Ok(PingReport::new(from.node.name, address, round_trips))
}

/// Lets one member ping while the other answers.
async fn ping(from: &mut Member, to: &mut Member, address: IpAddr) -> Result<Duration, Closed> {
    tokio::select! {
        round_trip = from.stack.ping(address) => round_trip,
        closed = to.stack.answer() => Err(closed),
    }
}

/// Sends bytes from one member to the other for so long, each on a task of its own.
async fn transfer(
    progress: &Progress,
    mut from: Member,
    mut to: Member,
    family: Family,
    lasting: Duration,
) -> Result<(Member, Member, TransferReport), Failure> {
    let (name, other, address) = (from.node.name, to.node.name, to.address(family));
    let words = format!("{name} sends to {other} at {address} by TCP for {} s", lasting.as_secs());
    progress.say("transfer_started", &words, json!({ "from": name, "to": address }));

    let (finished, sender_finished) = oneshot::channel::<()>();
    let sending = tokio::spawn(async move {
        let sent = from.stack.send(SocketAddr::new(address, BULK_PORT), lasting).await;
        drop(finished);
        (from, sent)
    });
    let receiving = tokio::spawn(async move {
        let received = to.stack.receive(BULK_PORT).await;
        // The sender may not have heard yet that everything has arrived.
        tokio::select! {
            _ = sender_finished => {}
            _ = to.stack.answer() => {}
        }
        (to, received)
    });
    let (from, to, sent, received) = within(lasting + PATIENCE, "the bulk transfer", async {
        let ((from, sent), (to, received)) = tokio::try_join!(sending, receiving)?;
        Ok::<_, AnyError>((from, to, sent?, received?))
    })
    .await?;

    if received.bytes != sent {
        let why = format!("{sent} bytes were sent and {} received", received.bytes);
        return Err(Failure::new("the bulk transfer", why));
    }
    let report = TransferReport::new(name, address, received);
    let words = format!("{other} has received it, every byte as it was sent: {report}");
    progress.say("transfer_finished", &words, json!({ "transfer": report }));
    Ok((from, to, report))
}

/// Awaits `work`, which is part of a step of this name, but not for ever.
async fn step<T, E: Into<AnyError>>(
    name: impl Into<String>,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    within(PATIENCE, name, work).await
}

async fn within<T, E: Into<AnyError>>(
    patience: Duration,
    name: impl Into<String>,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(patience, work).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(error)) => Err(Failure::new(name, error)),
        Err(_elapsed) => {
            Err(Failure::new(name, format!("nothing happened within {} s", patience.as_secs())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole story, told in a second per transfer; what is captured can be read back.
    #[tokio::test(flavor = "multi_thread")]
    async fn members_of_a_private_network_talk_directly_and_nothing_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("lab.pcapng");
        let options = Options { seconds: 1, json: false, capture: Some(file.clone()) };

        let report = run(&options, &Progress::start(false)).await.unwrap();

        let drops = |index: usize| &report.nodes[index].drops;
        assert!(!drops(0).contains_key("rate_limited"), "members wait for each other: {report}");
        assert!(matches!(report.path, PathReport::Direct { .. }), "{report}");
        assert!(report.transfers.iter().all(|transfer| transfer.bytes > 1_000_000), "{report}");
        assert!(std::fs::metadata(file).unwrap().len() > 100_000, "{report}");
    }
}
