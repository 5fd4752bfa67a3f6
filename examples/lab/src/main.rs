//! A whole private ZeroTier network in one process, to be watched.
//!
//! Starts a root, a controller and two members that talk real UDP over 127.0.0.1, makes a planet
//! and a private network for them, and lets the members ping each other and exchange as many bytes
//! by TCP as get through. Needs no rights, no configuration and no other machine.
//!
//! [`tell`] is the story. The nodes are in [`network`], the members' TCP/IP in [`stack`], and what
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
use tokio::task::JoinHandle;
use zt_protocol::address::NetworkId;
use zt_protocol::event::Standing;
use zt_protocol::world::World;

use crate::capture::Capture;
use crate::network::{AnyError, Family, LabNode, Member, Role, Site};
use crate::report::{Failure, Millis, PathReport, PingReport, Progress, Report, TransferReport};
use crate::stack::Closed;
use crate::traffic::TransferError;

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
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,

    /// Print one JSON object per line.
    #[arg(long)]
    json: bool,

    /// Write what the members see of their network to a file, for Wireshark. Of each packet, the
    /// first 128 bytes are kept.
    #[arg(long, value_name = "FILE.pcapng")]
    capture: Option<PathBuf>,
}

fn main() -> ExitCode {
    let filter = env_logger::Env::default().default_filter_or("warn");
    env_logger::Builder::from_env(filter).format_timestamp_millis().init();
    let options = Options::parse();
    let progress = Progress::start(options.json);

    match run(&options, &progress) {
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

fn run(options: &Options, progress: &Progress) -> Result<Report, Failure> {
    let homes = tempfile::Builder::new().prefix("lab-").tempdir();
    let homes = homes.map_err(|error| Failure::new("making a temporary directory", error))?;
    let capture = options.capture.as_deref().map(create_capture).transpose()?;

    // The directories are removed after the runtime and all it ran are gone, so nobody is writing.
    let report = tell(options, progress, homes.path(), capture.as_ref())?;
    if let Some(capture) = capture {
        capture.finish().map_err(|error| Failure::new("writing the capture", error))?;
    }
    Ok(report)
}

fn create_capture(path: &Path) -> Result<Capture, Failure> {
    let failed = |error| Failure::new(format!("creating {}", path.display()), error);
    Capture::create(path).map_err(failed)
}

/// The story, step by step.
#[tokio::main]
async fn tell(
    options: &Options,
    progress: &Progress,
    homes: &Path,
    capture: Option<&Capture>,
) -> Result<Report, Failure> {
    let [root, controller, alice, bob] = make_identities(progress, homes).await?;
    let (root, planet) = start_root(progress, root).await?;
    let controller = start_controller(progress, controller, &planet).await?;
    let network = make_network(progress, &controller).await?;
    let mut bob = start_member(progress, bob, &planet, &controller, network, capture).await?;
    let mut alice = start_member(progress, alice, &planet, &controller, network, capture).await?;

    greet(progress, &mut alice, &mut bob).await?;
    let path = find_path(progress, &mut alice, &mut bob).await?;
    let pings = vec![
        measure_pings(&mut alice, &mut bob, Family::V4).await?,
        measure_pings(&mut bob, &mut alice, Family::V6).await?,
    ];

    let lasting = Duration::from_secs(options.seconds);
    let (alice, bob, there) = transfer(progress, alice, bob, Family::V4, lasting).await?;
    let (bob, alice, back) = transfer(progress, bob, alice, Family::V6, lasting).await?;

    let nodes = step("asking the nodes how they did", async {
        let (root, controller) = (root.report().await?, controller.report().await?);
        Ok::<_, AnyError>(vec![root, controller, alice.report().await?, bob.report().await?])
    })
    .await?;
    for node in [&alice.node, &bob.node, &controller, &root] {
        let stopping = async {
            node.handle.shutdown().await;
            Ok::<_, AnyError>(())
        };
        step(format!("stopping {}", node.name), stopping).await?;
    }

    let (network, transfers) = (network.to_string(), vec![there, back]);
    Ok(Report { network, nodes, path, pings, transfers })
}

async fn make_identities(progress: &Progress, homes: &Path) -> Result<[Site; 4], Failure> {
    let making = ["root", "controller", "alice", "bob"].map(|name| {
        let home = homes.join(name);
        tokio::task::spawn_blocking(move || Site::make(name, &home))
    });
    let sites = step("making identities", async {
        let [root, controller, alice, bob] = making;
        let made = tokio::try_join!(root, controller, alice, bob)?;
        Ok::<_, AnyError>([made.0?, made.1?, made.2?, made.3?])
    })
    .await?;

    let addresses = sites.each_ref().map(|site| format!("{} {}", site.name, site.address()));
    progress.say(
        "identities",
        json!({ "identities": addresses }),
        format_args!("identities made: {}", addresses.join(", ")),
    );
    Ok(sites)
}

async fn start_root(progress: &Progress, root: Site) -> Result<(LabNode, World), Failure> {
    let (root, planet) = step("starting the root", async {
        let planet = network::planet_of(&root)?;
        Ok::<_, AnyError>((root.start(&planet, Role::Root).await?, planet))
    })
    .await?;

    let endpoint = root.endpoint();
    progress.say(
        "root",
        json!({ "endpoint": endpoint }),
        format_args!("root runs at {endpoint}, alone on a planet of its own"),
    );
    Ok((root, planet))
}

async fn start_controller(
    progress: &Progress,
    controller: Site,
    planet: &World,
) -> Result<LabNode, Failure> {
    let starting = controller.start(planet, Role::Controller);
    let mut controller = step("starting the controller", starting).await?;
    get_online(progress, &mut controller).await?;
    Ok(controller)
}

async fn get_online(progress: &Progress, node: &mut LabNode) -> Result<(), Failure> {
    let name = node.name;
    let online = Millis::from(step(format!("{name} getting online"), node.online()).await?);
    progress.say(
        "online",
        json!({ "node": name, "online_ms": online }),
        format_args!("{name} is online after {online}"),
    );
    Ok(())
}

async fn make_network(progress: &Progress, controller: &LabNode) -> Result<NetworkId, Failure> {
    let making = controller.handle.create_network(network::settings());
    let network = step("making a network", making).await?;
    progress.say(
        "network_made",
        json!({ "network": network.to_string() }),
        format_args!("private network {network} is made"),
    );
    Ok(network)
}

/// Brings up a member: it is online, asks to join, is refused, is allowed, and is on the network.
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
    get_online(progress, &mut node).await?;

    let asking = async {
        node.join(network).await?;
        node.standing(network, Standing::AccessDenied).await
    };
    step(format!("{name} being refused"), asking).await?;
    progress.say(
        "refused",
        json!({ "node": name }),
        format_args!("{name} asks to join and is refused, for nobody has allowed it"),
    );

    let allowing = controller.handle.allow(network, address);
    step(format!("allowing {name}"), allowing).await?;
    let joining = async {
        let status = node.standing(network, Standing::Ok).await?;
        Member::new(node, &status, tap).await
    };
    let member = step(format!("{name} joining"), joining).await?;
    progress.say(
        "network_ok",
        json!({ "node": name, "addresses": [member.v4, member.v6] }),
        format_args!("{name} is allowed and joins, as {} and {}", member.v4, member.v6),
    );
    Ok(member)
}

/// Lets a newcomer ping a member that was there before, until there is a reply.
async fn greet(progress: &Progress, newcomer: &mut Member, to: &mut Member) -> Result<(), Failure> {
    let (name, address) = (newcomer.node.name, to.v4);
    let pinging = ping(newcomer, to, address);
    let round_trip = Millis::from(step(format!("{name} pinging {address}"), pinging).await?);
    let age = newcomer.node.age();
    newcomer.first_reply = Some(age);

    let age = Millis::from(age);
    progress.say(
        "first_reply",
        json!({ "node": name, "to": address, "round_trip_ms": round_trip, "since_start_ms": age }),
        format_args!(
            "{name} pings {address}: reply after {round_trip}, {age} after {name} started"
        ),
    );
    Ok(())
}

/// Pings until the members talk directly, as they do once the root has introduced them.
async fn find_path(
    progress: &Progress,
    from: &mut Member,
    to: &mut Member,
) -> Result<PathReport, Failure> {
    let (peer, address) = (to.node.handle.address(), to.v4);
    let deadline = tokio::time::Instant::now() + DIRECT_PATIENCE;
    let direct = step("looking for a direct path", async {
        while tokio::time::Instant::now() < deadline {
            if let Some(path) = from.node.path_to(peer).await? {
                return Ok::<_, AnyError>(Some(path));
            }
            ping(from, to, address).await?;
        }
        Ok(None)
    })
    .await?;

    let path = match direct {
        Some(to) => PathReport::Direct { from: from.node.endpoint(), to },
        None => PathReport::Relayed,
    };
    progress.say("path", json!({ "path": path }), format_args!("the path between them: {path}"));
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
    progress.say(
        "transfer_started",
        json!({ "from": name, "to": address, "seconds_planned": lasting.as_secs() }),
        format_args!("{name} sends to {address} by TCP for {} s", lasting.as_secs()),
    );

    let (finished, sender_finished) = oneshot::channel::<()>();
    let sending = tokio::spawn(async move {
        let sent = from.stack.send(SocketAddr::new(address, BULK_PORT), lasting).await;
        drop(finished);
        sent.map(|sent| (from, sent))
    });
    let receiving = tokio::spawn(async move {
        let received = to.stack.receive(BULK_PORT).await?;
        // The sender may not have heard yet that everything has arrived.
        tokio::select! {
            _ = sender_finished => Ok((to, received)),
            closed = to.stack.answer() => Err(TransferError::Closed(closed)),
        }
    });
    let (from, to, report) = within(PATIENCE + lasting, "the bulk transfer", async {
        let ((from, sent), (to, received)) =
            tokio::try_join!(outcome(sending), outcome(receiving))?;
        if received.bytes != sent {
            return Err(format!("{sent} bytes were sent, {} received", received.bytes).into());
        }
        Ok::<_, AnyError>((from, to, TransferReport::new(name, address, received)))
    })
    .await?;

    progress.say(
        "transfer_finished",
        json!({ "transfer": report }),
        format_args!("{other} has received every byte as it was sent: {}", report.amount()),
    );
    Ok((from, to, report))
}

/// Awaits a task; returns what it says, or that it panicked.
async fn outcome<T>(task: JoinHandle<Result<T, TransferError>>) -> Result<T, AnyError> {
    Ok(task.await??)
}

/// Does `work`, which is the step of this name, but not for ever.
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
            let why = format!("not done after {patience:?}; RUST_LOG=debug shows what nodes do");
            Err(Failure::new(name, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole story, with a second per transfer.
    #[test]
    fn members_of_a_private_network_reach_each_other_directly() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("lab.pcapng");
        let options = Options { seconds: 1, json: false, capture: Some(file.clone()) };

        let report = run(&options, &Progress::start(false)).unwrap();

        assert!(matches!(report.path, PathReport::Direct { .. }), "{report}");
        assert!(report.transfers.iter().all(|transfer| transfer.bytes > 1_000_000), "{report}");
        assert!(std::fs::metadata(file).unwrap().len() > 100_000, "{report}");
    }

    #[tokio::test]
    async fn a_step_that_never_ends_fails_by_name() {
        let never = std::future::pending::<Result<(), AnyError>>();

        let failure = within(Duration::from_millis(10), "waiting", never).await.unwrap_err();

        assert!(failure.to_string().starts_with("waiting: not done after 10ms"), "{failure}");
    }
}
