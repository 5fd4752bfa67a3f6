//! How a program talks to the node it runs.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use zt_protocol::address::{Address, MoonId, MulticastGroup, NetworkId};
use zt_protocol::bonding::Bonding;
use zt_protocol::command::Command;
use zt_protocol::event::{NetworkStatus, StoreKey};
use zt_protocol::fingerprint::{Expected, Fingerprint, Invitation};
use zt_protocol::identity::Identity;
use zt_protocol::outbox::OwnedFrame;
use zt_protocol::pins::Pins;
use zt_protocol::plan::TunPlan;
use zt_protocol::rules::{Direction, Explanation};
use zt_protocol::settings::Settings;
use zt_protocol::status::{NodeStatus, PathExplanation, PeerStatus, WorldsStatus};
use zt_protocol::transmit::Frame;
use zt_protocol::world::World;

use crate::controller::{self, ControllerError, NetworkSettings};
use crate::events::{Event, Events};
use crate::mapping::PortMapping;
use crate::packets::Packets;
use crate::port::Port;
use crate::reconfigure::Configured;
use crate::request::{Reply, Request, RequestError, StoredNetwork};
use crate::statistics::Statistics;
use crate::store::{Home, Records};

/// A running node.
///
/// Handles are cheap to clone and may be used by any task. When the last one is dropped the node
/// stops as if [`shutdown`](Self::shutdown) had been called, but nobody can wait for it.
#[derive(Clone, Debug)]
pub struct Handle {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
}

/// What all handles to one node have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) identity: Identity,
    pub(crate) records: Arc<Records>,
    /// Where the sockets are, as the driver has bound them last.
    pub(crate) bound: watch::Receiver<Vec<SocketAddr>>,
    pub(crate) events: Arc<Events>,
    /// `None` if no gateway is asked for a port.
    pub(crate) mapping: Option<watch::Receiver<PortMapping>>,
    /// Closed once the driver is gone.
    pub(crate) running: watch::Receiver<()>,
    /// Held from when settings are read or written until the driver has taken them in.
    pub(crate) settings: tokio::sync::Mutex<()>,
    /// Where the node runs: who asks may be on a thread of another runtime, or of none.
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) configured: Configured,
}

impl Handle {
    pub(crate) const fn new(shared: Arc<Shared>, requests: mpsc::Sender<Request>) -> Self {
        Self { shared, requests }
    }

    /// Returns the node's address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.shared.identity.address()
    }

    /// Returns the node's identity.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// Returns where the node's sockets are bound at the moment, at the primary port first.
    ///
    /// They follow the machine's addresses, unless the node was given some.
    #[must_use]
    pub fn bound(&self) -> Vec<SocketAddr> {
        self.shared.bound.borrow().clone()
    }

    /// Returns the UDP ports the node uses, in ascending order.
    #[must_use]
    pub fn local_ports(&self) -> Vec<u16> {
        let mut ports: Vec<_> = self.bound().iter().map(SocketAddr::port).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// Returns whether the gateway maps a port to this node, where, by which method and until when,
    /// or what came of asking; `None` if it is not asked
    /// ([`Builder::map_ports`](crate::Builder::map_ports)).
    #[must_use]
    pub fn port_mapping(&self) -> Option<PortMapping> {
        self.shared.mapping.as_ref().map(|mapping| mapping.borrow().clone())
    }

    /// Joins a network, or changes the port of one that is joined.
    ///
    /// Returns once the interface is open; the controller's answer follows as
    /// [`Event::Network`]. The membership outlives the node; see [`Home::networks`].
    ///
    /// An [`Invitation`] with a fingerprint pins the controller before anything is asked of it. A
    /// bare network ID takes whoever configures the network first for its controller, from then on.
    ///
    /// # Errors
    ///
    /// [`RequestError`]; the network is then not joined. Joined before, it stays so, by the port it
    /// had; if an interface was to be made, that had to go first, and it stands at `PORT_ERROR`.
    pub async fn join(
        &self,
        invitation: impl Into<Invitation>,
        port: Port,
    ) -> Result<(), RequestError> {
        let invitation = invitation.into();
        let network = invitation.network;
        let _settings = self.shared.settings.lock().await;
        let stored = self.blocking(move |records| {
            let cached = records.home().load(StoreKey::Network(network))?;
            Ok::<_, RequestError>(StoredNetwork { cached, settings: records.settings(network) })
        });
        let stored = stored.await?;
        self.ask(|reply| Request::Join { invitation, port, stored, reply }).await?
    }

    /// Leaves a network and forgets everything about it: its configuration, what the user allowed
    /// it, its interface and the groups subscribed to.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn leave(&self, network: NetworkId) -> Result<(), RequestError> {
        self.ask(|reply| Request::Leave { network, reply }).await?
    }

    /// Gives a joined network another port.
    ///
    /// If it is a [`Port::Descriptor`] and replaces one, nothing is lost: what the host has put into
    /// the old one is sent before that is closed.
    ///
    /// # Errors
    ///
    /// [`RequestError`]; as of [`join`](Self::join).
    pub async fn attach(&self, network: NetworkId, port: Port) -> Result<(), RequestError> {
        self.ask(|reply| Request::Attach { network, port, reply }).await?
    }

    /// Returns the packets or frames of a network joined with [`Port::Packets`] or [`Port::Frames`]. Those returned by an earlier
    /// call end.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn packets(&self, network: NetworkId) -> Result<Packets, RequestError> {
        self.ask(|reply| Request::Packets { network, reply }).await?
    }

    /// Returns what the user allows a network, joined or not.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn settings(&self, network: NetworkId) -> Result<Settings, RequestError> {
        match self.ask(|reply| Request::Settings { network, reply }).await? {
            Some(settings) => Ok(settings),
            None => self.edit(move |home| Ok(home.settings(network)?)).await,
        }
    }

    /// Allows a network this much and no more, at once and from now on, until it is left.
    ///
    /// Settings can be made before the network is joined.
    ///
    /// # Errors
    ///
    /// [`RequestError::Home`] if they cannot be saved; they are then as they were.
    pub async fn set_settings(
        &self,
        network: NetworkId,
        settings: Settings,
    ) -> Result<(), RequestError> {
        let _settings = self.shared.settings.lock().await;
        self.edit(move |home| Ok::<_, RequestError>(home.save_settings(network, &settings)?))
            .await?;
        self.reload(StoreKey::NetworkSettings(network)).await
    }

    /// Returns what a network means for this machine, as [`Event::Plan`] says when it changes.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn plan(&self, network: NetworkId) -> Result<TunPlan, RequestError> {
        self.ask(|reply| Request::Plan { network, reply }).await?
    }

    /// Has multicast frames to `group` sent to this node. Twice is once.
    ///
    /// The groups in which managed addresses are resolved need no subscription; neither do those
    /// the kernel has joined on an interface of the node's own.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn subscribe(
        &self,
        network: NetworkId,
        group: MulticastGroup,
    ) -> Result<(), RequestError> {
        self.ask(|reply| Request::Subscribe { network, group, reply }).await?
    }

    /// Has them no longer sent. It takes the others minutes to forget.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn unsubscribe(
        &self,
        network: NetworkId,
        group: MulticastGroup,
    ) -> Result<(), RequestError> {
        self.ask(|reply| Request::Unsubscribe { network, group, reply }).await?
    }

    /// Returns whether the rules of a network let a frame pass between this node and `peer`, and
    /// why, without sending anything ([`Node::would_allow`](zt_protocol::node::Node::would_allow)).
    ///
    /// # Errors
    ///
    /// [`RequestError::Rejected`] if rules are not even asked.
    pub async fn would_allow(
        &self,
        network: NetworkId,
        peer: Address,
        frame: Frame<'_>,
        direction: Direction,
    ) -> Result<Explanation, RequestError> {
        let frame = OwnedFrame::new(network, frame);
        self.ask(|reply| Request::WouldAllow { frame, peer, direction, reply }).await?
    }

    /// Waits for the next event; `None` once the node has stopped.
    ///
    /// Each event is given to one caller. Who does not ask misses the oldest.
    pub async fn next_event(&self) -> Option<Event> {
        self.shared.events.next().await
    }

    /// Takes the oldest event, if there is one.
    #[must_use]
    pub fn try_next_event(&self) -> Option<Event> {
        self.shared.events.try_next()
    }

    /// Returns a descriptor to wait on: it is readable while there is an event to take, and once the
    /// node has stopped. It is not to be read from.
    ///
    /// # Errors
    ///
    /// There are no descriptors left.
    pub fn events_descriptor(&self) -> io::Result<OwnedFd> {
        self.shared.events.signal()
    }

    /// Returns how the node is doing.
    ///
    /// # Errors
    ///
    /// [`RequestError::Stopped`].
    pub async fn status(&self) -> Result<NodeStatus, RequestError> {
        self.ask(Request::Status).await
    }

    /// Uses the roots of a moon beside those of the planet; asks `seed`, one of its roots, for it.
    ///
    /// Without a seed the moon must be among the files in the home directory. Returns at once; when
    /// the seed has answered, [`Event::Worlds`] follows. The moon, and the wish for it, outlive the
    /// node.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn orbit(&self, moon: MoonId, seed: Option<Address>) -> Result<(), RequestError> {
        let stored = self.edit(move |home| Ok::<_, RequestError>(home.moon(moon)?)).await?;
        let definition = stored.map(Box::new);
        self.ask(|reply| Request::Orbit { moon, seed, definition, reply }).await?
    }

    /// Uses the roots of this moon beside those of the planet. It is trusted as it is, unless it
    /// would replace a moon that is orbited already: then it has to be a later revision of it.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn orbit_moon(&self, moon: World) -> Result<(), RequestError> {
        let (id, definition) = (MoonId(moon.id), Some(Box::new(moon)));
        self.ask(|reply| Request::Orbit { moon: id, seed: None, definition, reply }).await?
    }

    /// Does without a moon, or no longer asks for it.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn deorbit(&self, moon: MoonId) -> Result<(), RequestError> {
        self.ask(|reply| Request::Deorbit { moon, reply }).await?
    }

    /// Returns the fingerprint of whoever is known at `address`, this node included, for people to
    /// compare.
    ///
    /// # Errors
    ///
    /// [`RequestError::Stopped`].
    pub async fn fingerprint(&self, address: Address) -> Result<Option<Fingerprint>, RequestError> {
        self.ask(|reply| Request::Fingerprint { address, reply }).await
    }

    /// Lets only the identity of this fingerprint hold an address, from whatever source, until that
    /// is taken back. Whoever is known under it and is another is cut off at once, and
    /// [`Event::IdentityConflict`] says so.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn pin(&self, address: Address, expected: Expected) -> Result<(), RequestError> {
        self.settle(Command::Pin { address, expected }).await
    }

    /// Uses several paths to one peer so, from here on. Unless told so, the best is used and the
    /// others are looked at now and then.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn set_bonding(&self, bonding: Bonding) -> Result<(), RequestError> {
        self.settle(Command::Bonding(bonding)).await
    }

    /// Takes a pin back, or forgets who was first seen at an address.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn unpin(&self, address: Address) -> Result<(), RequestError> {
        self.settle(Command::Unpin(address)).await
    }

    /// Has nobody but roots for a peer who is not pinned, or anybody again. Controllers are to be
    /// pinned as well then.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn require_pinned(&self, required: bool) -> Result<(), RequestError> {
        self.settle(Command::RequirePinned(required)).await
    }

    /// Returns what is pinned, who was first seen at other addresses, and whether pins are required.
    ///
    /// # Errors
    ///
    /// [`RequestError::Stopped`].
    pub async fn pins(&self) -> Result<Pins, RequestError> {
        self.ask(Request::Pins).await
    }

    /// Returns which planet and moons are in force and how their roots are reached, which moons are
    /// waited for, and what was offered of them and refused.
    ///
    /// # Errors
    ///
    /// [`RequestError::Stopped`].
    pub async fn worlds(&self) -> Result<WorldsStatus, RequestError> {
        self.ask(Request::Worlds).await
    }

    /// Returns every known peer, by ascending address.
    ///
    /// # Errors
    ///
    /// [`RequestError::Stopped`].
    pub async fn peers(&self) -> Result<Vec<PeerStatus>, RequestError> {
        self.ask(Request::Peers).await
    }

    /// Returns why packets get to the peer at `address` the way they do and what is done to find a
    /// better one; `None` if no such peer is known.
    ///
    /// # Errors
    ///
    /// [`RequestError::Stopped`].
    pub async fn explain(&self, address: Address) -> Result<Option<PathExplanation>, RequestError> {
        self.ask(|reply| Request::Explain { address, reply }).await
    }

    /// Returns whether the node has stopped.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.shared.running.has_changed().is_err()
    }

    /// Returns the networks there are memberships of, joined since the node started or not, by
    /// ascending ID.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn memberships(&self) -> Result<Vec<NetworkId>, RequestError> {
        // What was joined a moment ago may not have been saved.
        let joined: Vec<_> = self.networks().await?.iter().map(|status| status.id).collect();
        let mut all = self.edit(|home| Ok::<_, RequestError>(home.networks()?)).await?;
        all.extend(joined);
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    /// Returns every joined network, by ascending ID.
    ///
    /// # Errors
    ///
    /// [`RequestError::Stopped`].
    pub async fn networks(&self) -> Result<Vec<NetworkStatus>, RequestError> {
        self.ask(Request::Networks).await
    }

    /// Returns what the node has counted since it started, and what it takes of memory.
    ///
    /// # Errors
    ///
    /// [`RequestError::Stopped`].
    pub async fn statistics(&self) -> Result<Statistics, RequestError> {
        self.ask(Request::Statistics).await
    }

    /// Makes a network that this node controls; returns its ID.
    ///
    /// # Errors
    ///
    /// [`ControllerError`].
    pub async fn create_network(
        &self,
        settings: NetworkSettings,
    ) -> Result<NetworkId, ControllerError> {
        let address = self.address();
        let network =
            self.edit(move |home| controller::create_network(home, address, &settings)).await?;
        self.reload(StoreKey::ControllerNetwork(network)).await?;
        Ok(network)
    }

    /// Lets a member onto a network this node controls.
    ///
    /// # Errors
    ///
    /// [`ControllerError`].
    pub async fn allow(&self, network: NetworkId, member: Address) -> Result<(), ControllerError> {
        self.edit(move |home| controller::allow(home, network, member)).await?;
        Ok(self.reload(StoreKey::ControllerMember(network, member)).await?)
    }

    /// Takes a member off a network this node controls.
    ///
    /// # Errors
    ///
    /// [`ControllerError`].
    pub async fn deny(&self, network: NetworkId, member: Address) -> Result<(), ControllerError> {
        self.edit(move |home| controller::deny(home, network, member)).await?;
        Ok(self.reload(StoreKey::ControllerMember(network, member)).await?)
    }

    /// Stops the node and waits until its state is saved and its interfaces are gone.
    ///
    /// Any number of handles may call this at any time.
    pub async fn shutdown(&self) {
        // A driver that is gone already needs no telling.
        let _ = self.requests.send(Request::Stop).await;
        let mut running = self.shared.running.clone();
        while running.changed().await.is_ok() {}
    }

    pub(crate) fn configured(&self) -> &Configured {
        &self.shared.configured
    }

    pub(crate) async fn ask<T>(
        &self,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, RequestError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| RequestError::Stopped)?;
        answer.await.map_err(|_| RequestError::Stopped)
    }

    /// Reads or edits what is stored on a thread that may wait for the disk.
    pub(crate) async fn edit<T: Send + 'static, E: From<RequestError> + Send + 'static>(
        &self,
        edit: impl FnOnce(&Home) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        self.blocking(move |records| edit(records.home())).await
    }

    async fn blocking<T: Send + 'static, E: From<RequestError> + Send + 'static>(
        &self,
        ask: impl FnOnce(&Records) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let records = Arc::clone(&self.shared.records);
        let asked = self.shared.runtime.spawn_blocking(move || ask(&records)).await;
        asked.unwrap_or_else(|_| Err(RequestError::Stopped.into()))
    }

    pub(crate) async fn settle(&self, command: Command) -> Result<(), RequestError> {
        let command = Box::new(command);
        self.ask(|reply| Request::Settle { command, reply }).await?
    }

    async fn reload(&self, key: StoreKey) -> Result<(), RequestError> {
        let looked = self.blocking(move |records| Ok::<_, RequestError>(records.look(key)?));
        match looked.await? {
            Some(changed) => self.ask(|reply| Request::TakeIn { changed, reply }).await,
            // The driver has noticed by itself.
            None => Ok(()),
        }
    }
}
