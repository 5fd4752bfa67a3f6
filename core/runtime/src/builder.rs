//! Starting a node.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use zt_protocol::bonding::Bonding;
use zt_protocol::event::StoreKey;
use zt_protocol::identity::SecretIdentity;
use zt_protocol::node::{Config, Node};
use zt_protocol::nonce::Epoch;
use zt_protocol::path_rules::PathRules;
use zt_protocol::pins::Pins;
use zt_protocol::rng::Rng;
use zt_protocol::world::World;

use crate::clock::Clock;
use crate::driver::{Driver, Surroundings, first_look, warn_of_trusted_paths};
use crate::events::Events;
use crate::handle::{Handle, Shared};
use crate::host::{Host, Machine};
use crate::interfaces::Avoided;
use crate::limits::REQUESTS_MAX;
use crate::mapping::Mapping;
use crate::reconfigure::{ByProgram, Configured};
use crate::store::{Home, HomeError, LocalConf, Records, Storage, StorageKey, Watch};
use crate::tcp_relay::TcpRelay;
use crate::udp::{Bind, BindError, Outfit, Sockets, ports};

/// The port nodes use unless told otherwise (spec 02 §9.1).
pub const DEFAULT_PORT: u16 = 9_993;

/// The TCP relay the reference uses unless told otherwise (spec 02 §9.4).
pub const DEFAULT_TCP_RELAY: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(204, 80, 128, 1)), 443);

/// Why a node did not start. Nothing of it is running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The home directory, or a file in it, cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// No socket can be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system has no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Randomness(getrandom::Error),
    /// The tokio runtime is shutting down.
    #[error("the runtime is shutting down")]
    Runtime,
}

/// How a node shall run.
#[derive(Debug)]
pub struct Builder {
    home: Home,
    bind: Bind,
    planet: Option<World>,
    controller: bool,
    allow_loopback: bool,
    map_ports: bool,
    /// Where a TCP relay is, and whether it is used in place of UDP.
    tcp_relay: (Option<SocketAddr>, bool),
    /// 0 for one of the node's own choice.
    secondary_port: Option<u16>,
    /// The port to have mapped; 0 for one of the node's own choice.
    mapped_port: u16,
    outfit: Outfit,
    avoided_interfaces: Vec<String>,
    path_rules: Option<PathRules>,
    low_bandwidth: bool,
    bonding: Option<Bonding>,
    memory_budget: Option<usize>,
}

impl Builder {
    /// Returns a node with its state in directory `home`, which is made if it does not exist.
    ///
    /// Without further ado it uses port 9993 of every local address and the planet stored, or
    /// that of Earth.
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self::at(Home::new(home))
    }

    /// Returns a node with its state in `storage`, and nothing in any directory.
    ///
    /// It changes nothing on this machine that would outlive a crash, for want of a place to write
    /// that down: default routes and name servers of networks are the program's business.
    pub fn in_storage(storage: Arc<dyn Storage>) -> Self {
        Self::at(Home::in_storage(storage))
    }

    /// Returns a node with its state there.
    #[must_use]
    pub fn at(home: Home) -> Self {
        Self {
            home,
            bind: Bind::Everywhere(DEFAULT_PORT),
            planet: None,
            controller: false,
            allow_loopback: false,
            // Phones are behind translators of a carrier's, which nobody can ask.
            map_ports: !cfg!(any(target_os = "android", target_os = "ios")),
            tcp_relay: (None, false),
            secondary_port: Some(0),
            mapped_port: 0,
            avoided_interfaces: Vec::new(),
            outfit: Outfit::default(),
            path_rules: None,
            low_bandwidth: false,
            bonding: None,
            memory_budget: None,
        }
    }

    /// Seals what is secret under `key` before it is stored. What is stored in clear is sealed at the
    /// start; a node whose secrets are sealed starts with the same key only.
    #[must_use]
    pub fn storage_key(self, key: StorageKey) -> Self {
        Self { home: self.home.sealed_with(key), ..self }
    }

    /// Uses this UDP port of every local address, IPv4 and IPv6; any free one if 0.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.bind = Bind::Everywhere(port);
        self
    }

    /// Uses this UDP port as well, of every local address; one that follows from the node's address
    /// if 0, which is what it does unless told otherwise, and none besides the primary if `None`.
    ///
    /// A second port gets through where a translator mishandles the first. One of the node's own
    /// choice is exchanged when the node is offline for two minutes, and when the machine has slept.
    /// Where the node is given addresses or sockets, it uses no others.
    #[must_use]
    pub const fn secondary_port(mut self, port: Option<u16>) -> Self {
        self.secondary_port = port;
        self
    }

    /// Has `protect` look at each socket before it is used, also later on when there are new ones.
    ///
    /// For VPN services, which must keep the node's own datagrams out of the tunnel (Android's
    /// `VpnService.protect`), or bind them to a network. It returns whether that worked: a socket
    /// for which it did not is not used. It is called by the node's task and must not block for
    /// long.
    #[must_use]
    pub fn protect(mut self, protect: impl Fn(RawFd) -> bool + Send + Sync + 'static) -> Self {
        self.outfit.protect = Some(Arc::new(protect));
        self
    }

    /// Uses the interface of this name and no other; see [`Handle::bind_to_interface`].
    #[must_use]
    pub fn bind_to_interface(mut self, name: impl Into<String>) -> Self {
        self.outfit.interface = Some(name.into());
        self
    }

    /// Uses these addresses and no others. A port of 0 is any free one.
    #[must_use]
    pub fn bind(mut self, addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.bind = Bind::At(addresses.into_iter().collect());
        self
    }

    /// Uses these sockets, bound already, and no others.
    ///
    /// For whoever must know the port before the node runs, or prepare the socket, as VPN services
    /// of phones must.
    #[must_use]
    pub fn sockets(mut self, sockets: impl IntoIterator<Item = UdpSocket>) -> Self {
        self.bind = Bind::On(sockets.into_iter().collect());
        self
    }

    /// Uses this planet, whatever its signature, unless a later revision of it is stored.
    #[must_use]
    pub fn planet(mut self, planet: World) -> Self {
        self.planet = Some(planet);
        self
    }

    /// Sets whether the node serves the networks in its home directory as their controller.
    #[must_use]
    pub const fn controller(mut self, controller: bool) -> Self {
        self.controller = controller;
        self
    }

    /// Sets whether peers may be reached at loopback addresses, which the protocol forbids.
    ///
    /// For a laboratory on one machine: [`bind`](Self::bind) to 127.0.0.1, and nothing leaves it.
    #[must_use]
    pub const fn allow_loopback(mut self, allow: bool) -> Self {
        self.allow_loopback = allow;
        self
    }

    /// Sets whether the gateway is asked to let strangers' datagrams through to this node, by PCP,
    /// NAT-PMP or UPnP; see [`Handle::port_mapping`]. So it is unless said otherwise, but not on
    /// phones, and never for sockets that are bound to loopback.
    #[must_use]
    pub const fn map_ports(mut self, map: bool) -> Self {
        self.map_ports = map;
        self
    }

    /// Uses the TCP relay at this address while no root answers by UDP, or none, as is usual.
    ///
    /// If it is `forced`, it is used always, and nothing is sent or taken in by UDP. It only
    /// forwards to IPv4 addresses of the Internet. Whoever runs it sees with whom the node speaks,
    /// but not what.
    #[must_use]
    pub const fn tcp_relay(mut self, relay: Option<SocketAddr>, forced: bool) -> Self {
        self.tcp_relay = (relay, forced);
        self
    }

    /// Goes by these rules for physical addresses, not by those in the `local.conf` of the home
    /// directory.
    #[must_use]
    pub fn path_rules(mut self, rules: PathRules) -> Self {
        self.path_rules = Some(rules);
        self
    }

    /// Sets whether paths are kept open with as little as on a metered network. `local.conf` may
    /// ask for it as well.
    #[must_use]
    pub const fn low_bandwidth(mut self, low: bool) -> Self {
        self.low_bandwidth = low;
        self
    }

    /// Uses several paths to one peer so, not as the `local.conf` of the home directory says; see
    /// [`Handle::set_bonding`].
    #[must_use]
    pub fn bonding(mut self, bonding: Bonding) -> Self {
        self.bonding = Some(bonding);
        self
    }

    /// Sets how many bytes the node's tables may take, at least
    /// [`MEMORY_BUDGET_MIN`](zt_protocol::limits::MEMORY_BUDGET_MIN); a smaller number counts as that.
    /// Unless said otherwise, only the tables' own limits bound them.
    ///
    /// At the budget, what costs least to lose makes room: what is found again when it is needed
    /// first, and peers that are in use never. While nothing is left to give, newcomers are refused. The
    /// driver's buffers come on top; see [`Handle::trim_memory`].
    #[must_use]
    pub const fn memory_budget(mut self, bytes: usize) -> Self {
        self.memory_budget = Some(bytes);
        self
    }

    /// Does what `local.conf` says, which goes before what the program says, as in the reference.
    fn go_by(mut self, conf: LocalConf) -> Self {
        for problem in &conf.problems {
            log::warn!("local.conf: {problem}");
        }
        if let Bind::Everywhere(port) = &mut self.bind {
            *port = conf.primary_port.unwrap_or(*port);
            let port = *port;
            if !conf.bind.is_empty() {
                self.bind = Bind::At(conf.bind.iter().map(|&ip| (ip, port).into()).collect());
            }
        }
        self.secondary_port = match conf.secondary_port_allowed {
            Some(false) => None,
            _ => conf.secondary_port.or(self.secondary_port),
        };
        self.mapped_port = conf.tertiary_port.unwrap_or(self.mapped_port);
        self.avoided_interfaces = conf.avoided_interfaces;
        self.map_ports = conf.map_ports.unwrap_or(self.map_ports);
        if conf.tcp_relay_allowed || conf.tcp_relay_forced {
            let relay = conf.tcp_relay.or(self.tcp_relay.0).unwrap_or(DEFAULT_TCP_RELAY);
            self.tcp_relay = (Some(relay), conf.tcp_relay_forced || self.tcp_relay.1);
        }
        self.low_bandwidth |= conf.low_bandwidth;
        self.path_rules.get_or_insert(conf.path_rules);
        self.bonding.get_or_insert(conf.bonding);
        self
    }

    /// Starts the node on the current tokio runtime, whose IO and timers must be enabled.
    ///
    /// A node without identity makes one, which takes a moment.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn start(self) -> Result<Handle, StartError> {
        let home = self.home.clone();
        let conf = tokio::task::spawn_blocking(move || home.local_conf());
        let conf = conf.await.map_err(|_| StartError::Runtime)??;
        let by_program = ByProgram {
            path_rules: self.path_rules.is_some(),
            low_bandwidth: self.low_bandwidth,
            bonding: self.bonding.is_some(),
        };
        let configured = Configured::new(conf.clone(), by_program);
        self.go_by(conf).start_configured(configured).await
    }

    async fn start_configured(self, configured: Configured) -> Result<Handle, StartError> {
        let path_rules = self.path_rules.unwrap_or_default();
        warn_of_trusted_paths(&path_rules);
        let avoided = Avoided { interfaces: self.avoided_interfaces, rules: path_rules.clone() };
        let only = self.outfit.interface.as_deref();
        let addresses = first_look(only, self.allow_loopback, &avoided);
        let mut sockets = Sockets::bind(self.bind, self.outfit, &addresses)?;
        let (home, planet) = (self.home.clone(), self.planet);
        let state = tokio::task::spawn_blocking(move || State::load(&home, planet));
        let state = state.await.map_err(|_| StartError::Runtime)??;
        let identity = *state.identity.public();
        let chosen = match self.secondary_port {
            Some(0) => sockets.add_port(ports::derived(identity.address()), &addresses),
            Some(port) => {
                sockets.add_exact_port(port, &addresses);
                None
            }
            None => None,
        };
        // A port of its own, as the gateway's translator is to treat it otherwise.
        match self.mapped_port {
            _ if !self.map_ports => {}
            0 => drop(sockets.add_port(ports::random(), &addresses)),
            port => sockets.add_exact_port(port, &addresses),
        }
        let surroundings = Surroundings::new(&sockets, chosen, self.allow_loopback, avoided);
        let (journal, bound) = (self.home.host_journal(), sockets.bound());
        let machine = tokio::task::spawn_blocking(move || Machine::take_over(journal, &bound));
        let machine = machine.await.map_err(|_| StartError::Runtime)?;

        let records = Arc::new(Records::new(self.home.clone()));
        let watch = watch(&records, self.controller)?;
        let (requests, received) = mpsc::channel(REQUESTS_MAX);
        let (alive, running) = watch::channel(());
        let events = Arc::new(Events::default());
        let mapping = match port_to_map(&sockets.bound()).filter(|_| self.map_ports) {
            Some(port) => {
                let mapping = Mapping::start(identity.address(), port, Arc::clone(&events));
                Some(mapping.map_err(StartError::Randomness)?)
            }
            None => None,
        };
        let shared = Shared {
            identity,
            records: Arc::clone(&records),
            bound: surroundings.bound(),
            events: Arc::clone(&events),
            mapping: mapping.as_ref().map(Mapping::watch),
            running,
            settings: tokio::sync::Mutex::default(),
            runtime: tokio::runtime::Handle::current(),
            configured,
        };

        let clock = Clock::start();
        let (now, unix) = clock.anchor();
        let config = Config {
            planet: state.planet,
            moons: state.moons,
            epoch: Some(state.epoch),
            path_rules,
            low_bandwidth: self.low_bandwidth,
            pins: state.pins,
            controller: self.controller,
            memory_budget: self.memory_budget,
            allow_loopback: self.allow_loopback,
            platform: PLATFORM,
        };
        let node = Node::new(state.identity, config, seed()?, now, unix);
        let host = Host::start(machine);
        let (relay, is_forced) = self.tcp_relay;
        let driver = Driver {
            node,
            tcp_relay: TcpRelay::new(relay, is_forced, sockets.outfit().clone()),
            clock,
            sockets,
            surroundings,
            mapping,
            host,
            records,
            watch,
            controller: self.controller,
            bonding: self.bonding.unwrap_or_default(),
            requests: received,
            events,
        };
        tokio::spawn(async move {
            driver.run().await;
            drop(alive);
        });
        Ok(Handle::new(Arc::new(shared), requests))
    }
}

/// Watches what others may edit. In a storage of the program's nobody does.
fn watch(records: &Arc<Records>, controller: bool) -> Result<Option<Watch>, StartError> {
    let Some(root) = records.home().dir() else { return Ok(None) };
    match Watch::start(Arc::clone(records), root, controller) {
        Ok(watch) => Ok(Some(watch)),
        Err(error) if controller => Err(error.into()),
        Err(error) => {
            log::warn!(error:%; "edited settings of networks take effect at the next start");
            Ok(None)
        }
    }
}

/// Returns the port a gateway is to map: that of the last IPv4 socket strangers could reach.
fn port_to_map(bound: &[SocketAddr]) -> Option<u16> {
    let reachable = bound.iter().rfind(|at| at.is_ipv4() && !at.ip().is_loopback());
    reachable.map(SocketAddr::port)
}

/// Operating system and architecture in the words controllers know (spec 03 §2.2).
const PLATFORM: &str = platform();

const fn platform() -> &'static str {
    const ANDROID: bool = cfg!(target_os = "android");
    const LINUX: bool = cfg!(target_os = "linux");
    const MACOS: bool = cfg!(target_os = "macos");
    const X86_64: bool = cfg!(target_arch = "x86_64");
    const ARM64: bool = cfg!(target_arch = "aarch64");

    match (LINUX, ANDROID, MACOS, X86_64, ARM64) {
        (true, _, _, true, _) => "linux/x86_64",
        (true, _, _, _, true) => "linux/arm64",
        (_, true, _, true, _) => "android/x86_64",
        (_, true, _, _, true) => "android/arm64",
        (_, _, true, true, _) => "macos/x86_64",
        (_, _, true, _, true) => "macos/arm64",
        (true, ..) => "linux/unknown",
        (_, true, ..) => "android/unknown",
        _ => "unknown/unknown",
    }
}

/// What a node starts with.
struct State {
    identity: SecretIdentity,
    planet: World,
    moons: Vec<World>,
    epoch: Epoch,
    pins: Pins,
}

impl State {
    /// Reads a home directory, and makes what is missing in it.
    fn load(home: &Home, planet: Option<World>) -> Result<Self, StartError> {
        // Whatever is wrong is found before anything is written.
        let identity = home.identity()?;
        let stored = home.planet()?;
        let moons = home.moons()?;
        let pins = home.pins()?;

        home.create()?;
        let identity = match identity {
            Some(identity) => identity,
            None => {
                let identity = SecretIdentity::generate(&mut Rng::from_seed(seed()?));
                home.save_identity(&identity)?;
                identity
            }
        };
        let planet = planet_in_force(planet, stored);
        home.save(StoreKey::Planet, Some(&planet.to_bytes()))?;

        let (_, unix) = Clock::start().anchor();
        let epoch = Epoch::after(home.load(StoreKey::Epoch)?.as_deref(), unix);
        home.save(StoreKey::Epoch, Some(epoch.successor().to_text().as_bytes()))?;

        Ok(Self { identity, planet, moons, pins, epoch })
    }
}

/// Chooses among the planet asked for, the one stored and the one compiled in (spec 02 §1.4).
fn planet_in_force(given: Option<World>, stored: Option<World>) -> World {
    let built_in = World::default_planet();
    let planet = match (given, stored) {
        (Some(given), Some(stored)) => match stored.supersedes(&given) {
            // The roots have published a revision of it since.
            Ok(()) => {
                log::info!("planet {:016x}: the one stored is a later revision", given.id);
                stored
            }
            Err(why) => {
                if stored != given {
                    log::info!(why:%; "planet {:016x} was stored and is not used", stored.id);
                }
                given
            }
        },
        (Some(given), None) => given,
        (None, Some(stored)) => stored,
        (None, None) => return built_in,
    };
    if built_in.supersedes(&planet).is_ok() { built_in } else { planet }
}

fn seed() -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(StartError::Randomness)?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use zt_protocol::time::UnixMillis;
    use zt_protocol::world::{Root, WorldKey, WorldKind};

    use super::*;

    #[test]
    fn without_any_other_the_planet_is_earth() {
        assert_eq!(planet_in_force(None, None), World::default_planet());
    }

    #[test]
    fn a_private_planet_stays_in_force() {
        let private = planet(1, 1);

        assert_eq!(planet_in_force(None, Some(private.clone())), private);
        assert_eq!(planet_in_force(Some(private.clone()), Some(World::default_planet())), private);
    }

    #[test]
    fn a_later_revision_of_the_planet_asked_for_stays_in_force() {
        let (old, new) = (planet(1, 1), planet(1, 2));

        assert_eq!(planet_in_force(Some(old.clone()), Some(new.clone())), new);
        assert_eq!(planet_in_force(Some(new.clone()), Some(old)), new);
    }

    fn planet(id: u64, timestamp: u64) -> World {
        let key = WorldKey::generate(&mut Rng::from_seed([3; 32]));
        let identity = *SecretIdentity::generate(&mut Rng::from_seed([1; 32])).public();
        let root = Root { identity, endpoints: vec![([192, 0, 2, 1], 9_993).into()] };
        let timestamp = UnixMillis(timestamp);
        World::sign(WorldKind::Planet, id, timestamp, vec![root], &key, key.public()).unwrap()
    }
}
