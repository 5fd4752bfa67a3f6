//! `zt node`: a node in the foreground.

mod mapping;
mod report;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use log::LevelFilter;
use tokio::runtime::Builder as RuntimeBuilder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use zt_protocol::address::{Address, MoonId, ParseError};
use zt_protocol::fingerprint::Invitation;
use zt_protocol::world::WorldKind;
use zt_runtime::store::{Home, read_world};
use zt_runtime::{Builder, DEFAULT_PORT, Event, Handle, Port, RequestError};
use zt_service::Api;

use crate::failure::Failure;
use report::Report;

/// How often `local.conf` is looked at (spec 02 §11).
const LOCAL_CONF_PERIOD: Duration = Duration::from_secs(10);

/// Run a node in the foreground until SIGINT or SIGTERM.
///
/// On SIGUSR1 it says what it has dropped since it started, by reason, and why each peer is reached
/// the way it is. On SIGHUP, and soon after it was edited, it reads local.conf again; ports and the
/// like change at the next start only.
#[derive(Args, Debug)]
pub(crate) struct Node {
    /// Where the node keeps its identity and state; made if it does not exist.
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// UDP port at every local address; 0 is any free one.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_PORT)]
    port: u16,
    /// While no root answers by UDP, have this TCP relay stand in for it; 204.80.128.1:443 is
    /// ZeroTier's.
    #[arg(long, value_name = "ADDR:PORT")]
    tcp_relay: Option<SocketAddr>,
    /// The roots to use instead of those in the home directory.
    #[arg(long, value_name = "FILE")]
    planet: Option<PathBuf>,
    /// Use this moon's roots too, beside the moons orbited before; may be repeated.
    ///
    /// SEED is the address of a root of it, which is asked for the moon unless its file is in
    /// moons.d of the home directory.
    #[arg(long = "orbit", value_name = "MOON[:SEED]")]
    moons: Vec<Orbit>,
    /// Join this network, beside those joined before; may be repeated.
    ///
    /// With the fingerprint of its controller, as `zt id fingerprint` prints it there, nobody else
    /// can pass for the controller.
    #[arg(long = "join", value_name = "NWID[@FINGERPRINT]")]
    networks: Vec<Invitation>,
    /// Name the interface of the first network; others are named after their networks.
    #[arg(long, value_name = "NAME", group = "interface")]
    tun: Option<String>,
    /// The same, but for Ethernet frames instead of IP packets.
    #[arg(long, value_name = "NAME", group = "interface")]
    tap: Option<String>,
    /// Take part in networks without an interface; needs no rights.
    #[arg(long, group = "interface")]
    no_tun: bool,
    /// Do not ask the gateway to map a port to this node.
    #[arg(long)]
    no_port_mapping: bool,
    /// Serve the networks made by `zt network create` with this home directory.
    #[arg(long)]
    controller: bool,
    /// Print events as one JSON object per line, and log only warnings.
    #[arg(long)]
    json: bool,
}

impl Node {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let level = if self.json { LevelFilter::Warn } else { LevelFilter::Info };
        env_logger::Builder::new()
            .filter_level(level)
            .format_timestamp_millis()
            .parse_default_env()
            .init();

        // One thread drives the node; disks are waited for on others.
        let runtime = RuntimeBuilder::new_current_thread().enable_all().build();
        runtime.map_err(Failure::Runtime)?.block_on(self.run_until_signal())
    }

    async fn run_until_signal(self) -> Result<(), Failure> {
        let mut signals = Signals::listen().map_err(Failure::Runtime)?;
        let mut asked = signal(SignalKind::user_defined1()).map_err(Failure::Runtime)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(Failure::Runtime)?;
        let report = Report::new(self.json);
        let mut is_renewed = false;
        loop {
            let networks = self.networks_to_join()?;
            let node = self.start().await?;
            // Whoever has no port left for it still has a node.
            let api = Api::start(&self.home, node.clone()).await;
            let _api = api.inspect_err(|error| log::warn!("no local API: {error}"));
            report.started(&node);
            if let Ok(status) = node.status().await {
                report.trusted_paths(&status);
            }

            let result = tokio::select! {
                result = self.serve(&node, &networks, &report) => result,
                () = report_when_asked(&node, &mut asked, &report) => Ok(Ended::AsTold),
                () = follow_local_conf(&node, &self.home, &mut hangup) => Ok(Ended::AsTold),
                () = signals.received() => Ok(Ended::AsTold),
            };
            tokio::select! {
                () = node.shutdown() => {}
                // Whoever insists does not wait for the disk.
                () = signals.received() => {}
            }
            if let Ok(Ended::AddressLost) = result {
                // No two addresses are taken by chance: whoever says so again makes it up.
                if std::mem::replace(&mut is_renewed, true) {
                    report.stopped();
                    return Err(Failure::LyingRoots(node.address()));
                }
                let retired = Home::new(&self.home).retire_identity()?;
                log::warn!(file:? = retired; "starting again as a new node; the old identity is kept");
                continue;
            }
            report.stopped();
            return result.map(drop);
        }
    }

    /// Returns the networks named on the command line, then those joined before.
    fn networks_to_join(&self) -> Result<Vec<Invitation>, Failure> {
        let mut networks = self.networks.clone();
        networks.extend(Home::new(&self.home).networks()?.into_iter().map(Invitation::from));
        let mut seen = std::collections::BTreeSet::new();
        networks.retain(|invitation| seen.insert(invitation.network));
        Ok(networks)
    }

    async fn start(&self) -> Result<Handle, Failure> {
        let mut builder = Builder::new(&self.home).port(self.port).controller(self.controller);
        if self.no_port_mapping {
            builder = builder.map_ports(false);
        }
        if self.tcp_relay.is_some() {
            builder = builder.tcp_relay(self.tcp_relay, false);
        }
        if let Some(file) = &self.planet {
            builder = builder.planet(read_world(file, WorldKind::Planet)?);
        }
        Ok(builder.start().await?)
    }

    /// Joins the networks and reports what happens, until the node stops or cannot go on.
    async fn serve(
        &self,
        node: &Handle,
        networks: &[Invitation],
        report: &Report,
    ) -> Result<Ended, Failure> {
        for &Orbit { moon, seed } in &self.moons {
            let orbited = node.orbit(moon, seed).await;
            orbited.map_err(|error| Failure::Orbit(moon, error))?;
        }
        for (index, &invitation) in networks.iter().enumerate() {
            let joined = node.join(invitation, self.port_of(index)).await;
            joined.map_err(|error| Failure::Join(invitation.network, error))?;
        }
        while let Some(event) = node.next_event().await {
            report.event(node.address(), &event);
            if matches!(event, Event::Worlds | Event::Online(true))
                && let Ok(worlds) = node.worlds().await
            {
                report.worlds(&worlds);
            }
            if event == (Event::IdentityCollision { is_confirmed: true }) {
                // Its networks are named after its address, and whoever is on them would be lost.
                let is_bound = self.controller;
                let failure = Failure::Collision(node.address());
                return if is_bound { Err(failure) } else { Ok(Ended::AddressLost) };
            }
        }
        Ok(Ended::AsTold)
    }

    /// Returns the port of the network that is joined as number `index`, counted from 0.
    fn port_of(&self, index: usize) -> Port {
        let name = |name: &Option<String>| name.clone().filter(|_| index == 0);
        if self.no_tun {
            Port::None
        } else if self.tap.is_some() {
            Port::Tap { name: name(&self.tap) }
        } else {
            Port::Tun { name: name(&self.tun) }
        }
    }
}

/// Reports what was dropped, and why each peer is reached the way it is, whenever the signal comes.
async fn report_when_asked(node: &Handle, asked: &mut Signal, report: &Report) {
    while asked.recv().await.is_some() {
        let Ok(statistics) = node.statistics().await else { return };
        report.drops(&statistics.drops, &statistics.losses);
        let Ok(peers) = node.peers().await else { return };
        for peer in peers {
            // A peer may have been forgotten in between.
            if let Ok(Some(explanation)) = node.explain(peer.address).await {
                report.explanation(&explanation);
            }
        }
    }
}

/// Has the node go by `local.conf` whenever that is edited or the signal comes, until it stops.
async fn follow_local_conf(node: &Handle, home: &Path, hangup: &mut Signal) {
    let modified = || {
        let modified = |name| home.join(name).metadata().and_then(|file| file.modified()).ok();
        ["local.conf", "trustedpaths"].map(modified)
    };
    let mut known = modified();
    loop {
        tokio::select! {
            _ = hangup.recv() => {}
            () = tokio::time::sleep(LOCAL_CONF_PERIOD) => {
                if known == modified() {
                    continue;
                }
            }
        }
        known = modified();
        match node.reload_local_conf().await {
            Ok(()) => log::info!("local.conf was read again"),
            Err(RequestError::Stopped) => return,
            Err(error) => log::warn!(error:%; "local.conf is not gone by as it is"),
        }
    }
}

/// A moon as named on the command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Orbit {
    moon: MoonId,
    seed: Option<Address>,
}

impl FromStr for Orbit {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (moon, seed) = match text.split_once(':') {
            Some((moon, seed)) => (moon, Some(seed.parse()?)),
            None => (text, None),
        };
        Ok(Self { moon: moon.parse()?, seed })
    }
}

/// Why a node has ended that did not fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    AsTold,
    /// Its address is another's, and it needs a new identity.
    AddressLost,
}

/// The signals that end a program.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
