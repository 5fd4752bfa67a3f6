//! A node: how it starts, what it says, how it stops.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use zeroize::Zeroizing;
use zt_protocol::address::Address;
use zt_protocol::identity::SecretIdentity;
use zt_protocol::limits::MEMORY_BUDGET_MIN;
use zt_protocol::path_rules::TrustedPathId;
use zt_protocol::status;
use zt_protocol::world::WorldKind;
use zt_runtime::store::{Home, StorageKey};
use zt_runtime::{Builder, Handle};

use super::config::{Config, Profile, TcpRelay};
use super::error::ZtError;
use super::events::Event;
use super::hooks::Hooks;
use super::networks::Prefix;
use super::runtime::{Runtime, is_asynchronous};
use super::storage::OfHost;
use super::worlds::read_world;

/// How long a node may take to save its state and to take away its interfaces.
///
/// It takes milliseconds, unless a disk hangs.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// What the tables of a node on a phone may take, in bytes, unless its host says otherwise: a VPN's
/// process has 50 MiB on iOS, for all it does.
const PHONE_MEMORY_BUDGET: u64 = 16 * 1024 * 1024;

/// A running node.
///
/// Whoever holds it keeps it running. When the last lets go of it, it is stopped as by
/// [`stop`](Self::stop).
#[cfg_attr(feature = "uniffi", derive(uniffi::Object))]
pub struct Node {
    pub(crate) handle: Handle,
    pub(crate) runtime: Arc<Runtime>,
    is_stopped: AtomicBool,
}

/// How a node is doing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct NodeStatus {
    /// This node.
    pub address: Address,
    /// Whether a root was heard recently, or this node is one.
    pub online: bool,
    /// The ID of the planet in force.
    pub planet_id: u64,
    /// Its revision: when it was made, in ms since the Unix epoch.
    pub planet_timestamp: u64,
    /// Whether a TCP relay stands in for UDP.
    pub tcp_relay: TcpRelayStatus,
    /// Where packets are not encrypted, because the user's `local.conf` trusts whoever has an address
    /// there.
    pub trusted_paths: Vec<TrustedPath>,
}

/// Whether a TCP relay stands in for UDP.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum TcpRelayStatus {
    /// None is configured.
    Off,
    /// UDP does.
    Standby,
    /// No root answers by UDP, and there is no connection to the relay yet.
    Connecting,
    /// It does.
    InUse,
}

/// A physical network packets go through in clear.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct TrustedPath {
    /// The network.
    pub prefix: Prefix,
    /// What both ends call it.
    pub id: u64,
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Node {
    /// Starts a node. One without an identity makes one, which takes a second or two.
    ///
    /// # Errors
    ///
    /// [`ZtError`]; nothing of the node is running then.
    #[cfg_attr(feature = "uniffi", uniffi::constructor)]
    pub async fn start(config: Config) -> Result<Arc<Self>, ZtError> {
        Self::start_with(config, Hooks::default()).await
    }

    /// Starts a node that asks its host what `hooks` say.
    ///
    /// # Errors
    ///
    /// As of [`start`](Self::start); [`ZtError::Bind`] if no socket is left to use.
    #[cfg_attr(feature = "uniffi", uniffi::constructor)]
    pub async fn start_with(config: Config, hooks: Hooks) -> Result<Arc<Self>, ZtError> {
        let runtime = Runtime::shared()?;
        let handle = runtime.run(start(config, hooks)).await??;
        Ok(Arc::new(Self { handle, runtime, is_stopped: AtomicBool::new(false) }))
    }

    /// Stops the node and waits until its state is saved and its interfaces are gone. Once it has
    /// stopped, this does nothing.
    ///
    /// # Errors
    ///
    /// [`ZtError::Timeout`] if that takes longer than 10 s. The node goes on stopping.
    pub async fn stop(&self) -> Result<(), ZtError> {
        let handle = self.handle.clone();
        let stopped = async move { tokio::time::timeout(STOP_PATIENCE, handle.shutdown()).await };
        self.runtime.run(stopped).await?.map_err(|_| ZtError::Timeout)?;
        self.is_stopped.store(true, Ordering::Release);
        Ok(())
    }

    /// Returns the node's address.
    pub fn address(&self) -> Address {
        self.handle.address()
    }

    /// Returns the node's identity without its private key, as text.
    pub fn identity(&self) -> String {
        self.handle.identity().to_string()
    }

    /// Returns where the node's sockets are bound.
    pub fn bound(&self) -> Vec<SocketAddr> {
        self.handle.bound().to_vec()
    }

    /// Returns how the node is doing.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn status(&self) -> Result<NodeStatus, ZtError> {
        let status = self.handle.status().await?;
        Ok(NodeStatus {
            address: status.address,
            online: status.online,
            planet_id: status.planet_id,
            planet_timestamp: status.planet_timestamp.0,
            tcp_relay: status.tcp_relay.into(),
            trusted_paths: status.trusted_paths.into_iter().map(TrustedPath::from).collect(),
        })
    }

    /// Reads `local.conf` and `trustedpaths` again, after the user has edited them, and goes by what has
    /// changed in them: rules for physical addresses, bonding, low-bandwidth mode.
    ///
    /// What takes effect at the next start only, such as a port, and what cannot be understood, is a
    /// warning in the log that names its key; the rest counts. What the program has configured itself
    /// goes before the files.
    ///
    /// # Errors
    ///
    /// [`ZtError::CorruptState`] if `local.conf` is no JSON object, or it is not clear what it wants
    /// avoided, and [`ZtError::Storage`] if it cannot be read: the node goes on as before.
    /// [`ZtError::Stopped`].
    pub async fn reload_local_conf(&self) -> Result<(), ZtError> {
        Ok(self.handle.reload_local_conf().await?)
    }

    /// Waits for the next event; `None` once the node has stopped and there are no more.
    ///
    /// Each event is given to one caller. There are at most 1024; when more come, the oldest are
    /// forgotten, which [`statistics`](Self::statistics) count.
    pub async fn next_event(&self) -> Option<Event> {
        loop {
            // What a host does not know it cannot act on.
            if let Some(event) = Event::of(self.handle.next_event().await?) {
                return Some(event);
            }
        }
    }

    /// Takes the next event, if there is one.
    pub fn try_next_event(&self) -> Option<Event> {
        loop {
            if let Some(event) = Event::of(self.handle.try_next_event()?) {
                return Some(event);
            }
        }
    }
}

impl Node {
    /// Waits for `future` on this thread.
    ///
    /// # Errors
    ///
    /// [`ZtError::WouldDeadlock`] on a thread that must not wait, and what the future says.
    pub fn block_on<T>(
        &self,
        future: impl Future<Output = Result<T, ZtError>>,
    ) -> Result<T, ZtError> {
        self.runtime.block_on(future)?
    }

    /// Starts a node and waits for it on this thread.
    ///
    /// # Errors
    ///
    /// As of [`start`](Self::start), and [`ZtError::WouldDeadlock`].
    pub fn start_blocking(config: Config) -> Result<Arc<Self>, ZtError> {
        Self::start_blocking_with(config, Hooks::default())
    }

    /// Starts a node that asks its host what `hooks` say, and waits for it on this thread.
    ///
    /// # Errors
    ///
    /// As of [`start_with`](Self::start_with), and [`ZtError::WouldDeadlock`].
    pub fn start_blocking_with(config: Config, hooks: Hooks) -> Result<Arc<Self>, ZtError> {
        Runtime::shared()?.block_on(Self::start_with(config, hooks))?
    }

    /// Waits for the next event on this thread, for at most `patience`.
    ///
    /// # Errors
    ///
    /// [`ZtError::Timeout`], [`ZtError::WouldDeadlock`], and [`ZtError::Stopped`] once there are no
    /// more.
    pub fn next_event_blocking(&self, patience: Option<Duration>) -> Result<Event, ZtError> {
        if let Some(event) = self.try_next_event() {
            return Ok(event);
        }
        if patience == Some(Duration::ZERO) {
            let has_ended = self.handle.has_stopped();
            return Err(if has_ended { ZtError::Stopped } else { ZtError::Timeout });
        }
        let next = async {
            match patience {
                Some(patience) => tokio::time::timeout(patience, self.next_event())
                    .await
                    .map_err(|_| ZtError::Timeout),
                None => Ok(self.next_event().await),
            }
        };
        self.block_on(next)?.ok_or(ZtError::Stopped)
    }

    /// Returns a descriptor to wait on: it is readable while there is an event to take, and once the
    /// node has stopped. The caller closes it, and must not read from it.
    ///
    /// # Errors
    ///
    /// [`ZtError::OutOfResources`].
    pub fn events_descriptor(&self) -> Result<OwnedFd, ZtError> {
        let descriptor = self.handle.events_descriptor();
        descriptor.map_err(|error| ZtError::OutOfResources(error.to_string()))
    }
}

impl From<status::TcpRelayStatus> for TcpRelayStatus {
    fn from(status: status::TcpRelayStatus) -> Self {
        match status {
            status::TcpRelayStatus::Off => Self::Off,
            status::TcpRelayStatus::Standby => Self::Standby,
            status::TcpRelayStatus::Connecting => Self::Connecting,
            status::TcpRelayStatus::InUse => Self::InUse,
        }
    }
}

impl From<(zt_protocol::prefix::Prefix, TrustedPathId)> for TrustedPath {
    fn from((prefix, id): (zt_protocol::prefix::Prefix, TrustedPathId)) -> Self {
        Self { prefix: (prefix.address, prefix.bits).into(), id: id.get() }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node").field(&self.address()).finish()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if *self.is_stopped.get_mut() {
            return;
        }
        let (handle, runtime) = (self.handle.clone(), Arc::clone(&self.runtime));
        let stop = move || {
            let stopped = async { tokio::time::timeout(STOP_PATIENCE, handle.shutdown()).await };
            // Nobody is there to be told that it takes long.
            let _ = runtime.block_on(stopped);
        };
        if is_asynchronous() {
            // This thread must not wait, and the runtime must not end before the state is saved.
            let _ = std::thread::Builder::new().name("zt-stop".to_owned()).spawn(stop);
        } else {
            stop();
        }
    }
}

/// Starts a node on the current runtime.
async fn start(mut config: Config, hooks: Hooks) -> Result<Handle, ZtError> {
    let identity = config.identity.take().map(Zeroizing::new);
    let home = home(&mut config, &hooks)?;
    let builder = hooks.install(configure(Builder::at(home.clone()), config)?);
    if let Some(text) = identity {
        let stored = tokio::task::spawn_blocking(move || store_identity(&home, &text));
        stored.await.map_err(|_| ZtError::Panic)??;
    }
    Ok(builder.start().await?)
}

/// Returns where the node's state is, and takes the key it is sealed under.
fn home(config: &mut Config, hooks: &Hooks) -> Result<Home, ZtError> {
    let key = config.storage_key.take().map(Zeroizing::new);
    let home = match (config.home.is_empty(), &hooks.storage) {
        (false, None) => Home::new(&config.home),
        (true, Some(storage)) => Home::in_storage(Arc::new(OfHost(Arc::clone(storage)))),
        (true, None) => {
            let text = "a home directory is needed, or a storage";
            return Err(ZtError::InvalidArgument(text.to_owned()));
        }
        (false, Some(_)) => {
            let text = "give a home directory or a storage, not both";
            return Err(ZtError::InvalidArgument(text.to_owned()));
        }
    };
    let Some(key) = key else { return Ok(home) };
    let Some(key) = StorageKey::from_bytes(&key) else {
        let text = format!("a storage key has {} bytes", StorageKey::LEN);
        return Err(ZtError::InvalidArgument(text));
    };
    Ok(home.sealed_with(key))
}

/// Says how a node shall run, but for where its state is.
fn configure(builder: Builder, config: Config) -> Result<Builder, ZtError> {
    let mut builder = builder
        .controller(config.controller)
        .allow_loopback(config.allow_loopback)
        .low_bandwidth(config.low_bandwidth);
    if let Some(bytes) = config.planet {
        builder = builder.planet(read_world(&bytes, WorldKind::Planet)?);
    }
    builder = match (config.port, config.bind.is_empty()) {
        (Some(port), true) => builder.port(port),
        (None, true) => builder,
        (None, false) => builder.bind(config.bind),
        (Some(_), false) => {
            let text = "give a port or addresses to bind, not both";
            return Err(ZtError::InvalidArgument(text.to_owned()));
        }
    };
    if let Some(port) = config.secondary_port {
        builder = builder.secondary_port((port != 0).then_some(port));
    }
    // A carrier's translator, which phones are behind, cannot be asked.
    let is_phone = config.profile == Profile::Phone;
    if let Some(map) = config.map_ports.or(is_phone.then_some(false)) {
        builder = builder.map_ports(map);
    }
    if let Some(TcpRelay { address, forced }) = config.tcp_relay {
        builder = builder.tcp_relay(Some(address), forced);
    }
    if let Some(bonding) = config.bonding {
        builder = builder.bonding(bonding.into());
    }
    if let Some(bytes) = config.memory_budget.or(is_phone.then_some(PHONE_MEMORY_BUDGET)) {
        builder = builder.memory_budget(memory_budget(bytes)?);
    }
    Ok(builder)
}

/// Returns a budget a node can do with.
pub(super) fn memory_budget(bytes: u64) -> Result<usize, ZtError> {
    // More than can be addressed is as much as there is.
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    if bytes < MEMORY_BUDGET_MIN {
        let text = format!("a memory budget is at least {MEMORY_BUDGET_MIN} bytes");
        return Err(ZtError::InvalidArgument(text));
    }
    Ok(bytes)
}

/// Sees to it that the identity in the home directory is this one.
fn store_identity(home: &Home, text: &str) -> Result<(), ZtError> {
    let given = SecretIdentity::from_text(text.trim())
        .map_err(|why| ZtError::InvalidArgument(why.to_string()))?;
    if !given.public().is_valid() {
        let text = "the identity's address is not derived from its keys";
        return Err(ZtError::InvalidArgument(text.to_owned()));
    }
    match home.identity()? {
        None => Ok(home.save_identity(&given)?),
        Some(stored) if stored.public() == given.public() => Ok(()),
        Some(stored) => Err(ZtError::CorruptIdentity(format!(
            "what is stored is that of {}, not of {}",
            stored.address(),
            given.address()
        ))),
    }
}
