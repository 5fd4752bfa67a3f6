//! The loop: all input and output of a node, and no decisions.
//!
//! One task owns the node. It waits for whatever comes first, hands it to the node, and carries
//! out what the node says, before it waits again. What comes in is taken in batches, and the
//! sources take turns, so that none of them waits for more than one batch of each other.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Sleep;
use zt_protocol::address::{Address, Mac, MoonId, NetworkId};
use zt_protocol::command::{Command, CommandError};
use zt_protocol::event::{self, StoreKey};
use zt_protocol::node::Node;
use zt_protocol::plan::TunPlan;
use zt_protocol::settings::Settings;
use zt_protocol::time::Instant;
use zt_protocol::transmit::PortMode;
use zt_protocol::world::World;

use crate::clock::Clock;
use crate::events::{Closing, Event, Events};
use crate::host::Host;
use crate::limits::{GROUPS_REFRESH, LOCAL_ADDRESSES_REFRESH};
use crate::port::{Attached, HostBatch, Port, Ports};
use crate::request::{Losses, Request, RequestError};
use crate::store::{Records, Saver, Watch};
use crate::tun::parse_ethernet;
use crate::udp::{GsoQueue, ReceiveBatch, Sockets};

/// Everything that drives one node.
pub(crate) struct Driver {
    pub(crate) node: Node,
    pub(crate) clock: Clock,
    pub(crate) sockets: Sockets,
    pub(crate) host: Host,
    pub(crate) records: Arc<Records>,
    /// `None` if this node controls no networks.
    pub(crate) watch: Option<Watch>,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) events: Arc<Events>,
}

/// A driver at work.
struct Running {
    node: Node,
    clock: Clock,
    sockets: Sockets,
    received: ReceiveBatch,
    out: GsoQueue,
    ports: Ports,
    from_host: HostBatch,
    host: Host,
    records: Arc<Records>,
    saver: Saver,
    watch: Option<Watch>,
    requests: mpsc::Receiver<Request>,
    events: Arc<Events>,
    timer: Timer,
    local_addresses_due: Instant,
    /// When to look for multicast groups, if there is an interface to look at.
    groups_due: Instant,
    /// Which source is asked first next time.
    turn: usize,
}

/// Something to do.
enum Ready {
    Timeout,
    /// This socket has datagrams.
    Datagrams(usize),
    /// The host sends to this network.
    Frames(NetworkId),
    Request(Request),
    /// All handles are gone.
    Abandoned,
    /// Records somebody may have written.
    Touched(Vec<StoreKey>),
}

/// How many kinds of sources [`Running::poll_source`] knows.
const SOURCES: usize = 6;

impl Driver {
    /// Drives the node until it is asked to stop or the last handle is gone.
    pub(crate) async fn run(self) {
        let saver = Saver::new(Arc::clone(&self.records));
        let mut running = Running {
            node: self.node,
            clock: self.clock,
            sockets: self.sockets,
            received: ReceiveBatch::new(),
            out: GsoQueue::default(),
            ports: Ports::default(),
            from_host: HostBatch::new(),
            host: self.host,
            records: self.records,
            saver,
            watch: self.watch,
            requests: self.requests,
            events: self.events,
            timer: Timer::new(),
            local_addresses_due: Instant::ZERO,
            groups_due: Instant::FAR_FUTURE,
            turn: 0,
        };

        // Whatever happens to this task, nobody waits for its events in vain.
        let _closing = Closing(Arc::clone(&running.events));
        running.load();
        running.drive().await;
        running.stop().await;
    }
}

impl Running {
    async fn drive(&mut self) {
        loop {
            self.settle().await;

            let ready = self.ready().await;
            let now = self.clock.now();
            if let Some(unix) = self.clock.reanchor(now) {
                self.node.set_unix_time(now, unix);
            }

            match ready {
                Ready::Timeout => self.pass_time(now),
                Ready::Datagrams(socket) => self.take_datagrams(now, socket).await,
                Ready::Frames(network) => self.take_frames(now, network).await,
                Ready::Touched(keys) => self.reload(now, &keys),
                Ready::Request(Request::Stop) | Ready::Abandoned => return,
                Ready::Request(request) => self.answer(now, request),
            }
        }
    }

    /// Gives the node what was saved.
    fn load(&mut self) {
        let now = self.clock.now();
        self.refresh_local_addresses(now);
        for (moon, seeds) in self.records.home().wanted_moons().unwrap_or_default() {
            for seed in seeds {
                self.command(now, Command::Orbit { moon, seed: Some(seed), definition: None });
            }
        }
        for peer in self.records.home().peers() {
            self.command(now, Command::LoadPeer(peer));
        }
        if self.watch.is_some() {
            let keys = self.records.list().unwrap_or_else(|error| {
                log::error!(error:%; "the controller's networks cannot be read");
                Vec::new()
            });
            self.reload(now, &keys);
        }
    }

    /// Saves what the node knows and takes away what it made.
    async fn stop(mut self) {
        let now = self.clock.now();
        self.command(now, Command::Flush);
        self.settle().await;
        // What depends on the interfaces goes before them.
        self.host.finish().await;
        self.ports.clear();
        self.saver.finish().await;
    }

    /// Carries out everything the node has said.
    async fn settle(&mut self) {
        while let Some(event) = self.node.poll_event() {
            self.carry_out(event);
        }
        self.sockets.send(&mut self.out).await;
        self.ports.flush().await;
    }

    fn carry_out(&mut self, event: event::Event) {
        match event {
            event::Event::Store { key, value } => self.saver.save(key, value),
            event::Event::Network(status) => {
                let plan = TunPlan::new(&status, &Settings::default());
                self.ports.configure(status.id, &plan);
                self.ports_changed();
                self.events.push(Event::Network(status));
            }
            event::Event::NetworkLeft(network) => {
                self.ports.detach(network);
                self.ports_changed();
                self.events.push(Event::NetworkLeft(network));
            }
            event::Event::Online(online) => {
                self.ports.set_online(online);
                self.ports_changed();
                self.events.push(Event::Online(online));
            }
            event::Event::Peer { address, path } => self.events.push(Event::Peer { address, path }),
            event::Event::IdentityCollision { is_confirmed } => {
                self.events.push(Event::IdentityCollision { is_confirmed });
            }
            event::Event::Worlds => self.events.push(Event::Worlds),
            // The enum may grow; what a host cannot act on yet it need not see.
            _ => log::debug!(event:?; "an event is not passed on"),
        }
    }

    /// Tells those who depend on the networks' interfaces, addresses and routes about them.
    fn ports_changed(&mut self) {
        self.sockets.set_virtual_addresses(self.ports.addresses());
        self.host.set(self.ports.wishes());
    }

    /// Waits for something to do.
    async fn ready(&mut self) -> Ready {
        let wakeup = self.node.poll_timeout();
        let at = wakeup.map_or(Instant::FAR_FUTURE, |wakeup| wakeup.at);
        self.timer.set(self.clock.now(), at.min(self.local_addresses_due).min(self.groups_due));

        let ready = poll_fn(|cx| self.poll_ready(cx)).await;
        if let Ready::Timeout = ready {
            log::trace!(reason = wakeup.map_or("the host", |wakeup| wakeup.why); "woken");
        }
        ready
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Ready> {
        for turn in 0..SOURCES {
            let source = (self.turn + turn) % SOURCES;
            if let Poll::Ready(ready) = self.poll_source(source, cx) {
                self.turn = source + 1;
                return Poll::Ready(ready);
            }
        }
        Poll::Pending
    }

    fn poll_source(&mut self, source: usize, cx: &mut Context<'_>) -> Poll<Ready> {
        match source {
            0 => self.timer.poll_elapsed(cx).map(|()| Ready::Timeout),
            1 => self.sockets.poll_readable(cx).map(Ready::Datagrams),
            2 => self.ports.poll_readable(cx).map(Ready::Frames),
            3 => self
                .requests
                .poll_recv(cx)
                .map(|request| request.map_or(Ready::Abandoned, Ready::Request)),
            4 => self.saver.poll_superseded(cx).map(Ready::Touched),
            _ => match &mut self.watch {
                Some(watch) => watch.poll_touched(cx).map(Ready::Touched),
                None => Poll::Pending,
            },
        }
    }

    fn pass_time(&mut self, now: Instant) {
        self.node.handle_timeout(now, &mut self.out, &mut self.ports);
        if now >= self.local_addresses_due {
            self.refresh_local_addresses(now);
        }
        if now >= self.groups_due {
            self.follow_groups(now);
        }
    }

    /// Tells the node which multicast groups the host has joined and left.
    fn follow_groups(&mut self, now: Instant) {
        for change in self.ports.follow_groups() {
            self.command(now, change);
        }
        let watching = !self.ports.interfaces().is_empty();
        self.groups_due = if watching { now + GROUPS_REFRESH } else { Instant::FAR_FUTURE };
    }

    fn refresh_local_addresses(&mut self, now: Instant) {
        self.local_addresses_due = now + LOCAL_ADDRESSES_REFRESH;
        let addresses = self.sockets.refresh(&self.ports.interfaces());
        self.command(now, Command::LocalAddresses(addresses));
    }

    async fn take_datagrams(&mut self, now: Instant, socket: usize) {
        self.sockets.receive(socket, &mut self.received);
        while let Some((path, datagram)) = self.received.next() {
            let (out, ports) = (&mut self.out, &mut self.ports);
            if let Err(rejected) = self.node.handle_datagram(now, path, datagram, out, ports) {
                log::trace!(rejected:%; "dropped a datagram");
            }
            self.make_room().await;
        }
    }

    async fn take_frames(&mut self, now: Instant, network: NetworkId) {
        let Some(mode) = self.ports.read(network, &mut self.from_host) else {
            self.events.push(Event::InterfaceLost(network));
            return;
        };
        while let Some(bytes) = self.from_host.next() {
            let (node, out, ports) = (&mut self.node, &mut self.out, &mut self.ports);
            let result = match mode {
                PortMode::L3 => node.handle_packet(now, network, bytes, out, ports),
                PortMode::L2 => parse_ethernet(bytes)
                    .map_or(Ok(()), |frame| node.handle_frame(now, network, frame, out, ports)),
            };
            if let Err(rejected) = result {
                log::trace!(rejected:%; "dropped a frame");
            }
            self.make_room().await;
        }
    }

    /// Sends and delivers early if a batch gives much to send and deliver.
    async fn make_room(&mut self) {
        if self.out.is_filling() {
            self.sockets.send(&mut self.out).await;
        }
        if self.ports.is_filling() {
            self.ports.flush().await;
        }
    }

    /// Hands the node those records that others have written.
    fn reload(&mut self, now: Instant, keys: &[StoreKey]) {
        for &key in keys {
            match self.records.changed(key) {
                Ok(Some(json)) => self.load_record(now, key, json),
                Ok(None) => {}
                Err(error) => log::warn!(error:%; "a record cannot be read"),
            }
        }
    }

    fn load_record(&mut self, now: Instant, key: StoreKey, json: Vec<u8>) {
        let command = match key {
            StoreKey::ControllerNetwork(network) => {
                Command::LoadControllerNetwork { network, json }
            }
            StoreKey::ControllerMember(network, member) => {
                Command::LoadControllerMember { network, member, json }
            }
            // Nobody but the node writes these.
            StoreKey::Planet
            | StoreKey::Moon(_)
            | StoreKey::WantedMoon(_)
            | StoreKey::Network(_)
            | StoreKey::Peer(_) => return,
        };
        if let Err(error) = self.try_command(now, command) {
            let file = self.records.home().path(key);
            log::warn!(file:? = file, error:%; "a record is ignored and left as it is");
        }
    }

    fn answer(&mut self, now: Instant, request: Request) {
        // Whoever does not wait for the answer does not get it.
        match request {
            Request::Join { network, port, reply } => {
                let _ = reply.send(self.join(now, network, port));
            }
            Request::Leave { network, reply } => {
                let left = self.try_command(now, Command::Leave(network));
                let _ = reply.send(left.map_err(RequestError::Refused));
            }
            Request::Orbit { moon, seed, definition, reply } => {
                let _ = reply.send(self.orbit(now, moon, seed, definition));
            }
            Request::Deorbit { moon, reply } => {
                let left = self.try_command(now, Command::Deorbit(moon));
                let _ = reply.send(left.map_err(RequestError::Refused));
            }
            Request::Packets { network, reply } => {
                let packets = self.ports.open_packets(network);
                let _ = reply.send(packets.ok_or(RequestError::NotPackets(network)));
            }
            Request::Reload { key, reply } => {
                self.reload(now, &[key]);
                let _ = reply.send(Ok(()));
            }
            Request::Status(reply) => drop(reply.send(self.node.status(now))),
            Request::Worlds(reply) => drop(reply.send(self.node.worlds(now))),
            Request::Peers(reply) => drop(reply.send(self.node.peers(now))),
            Request::Networks(reply) => drop(reply.send(self.node.networks())),
            Request::Drops(reply) => drop(reply.send((self.node.drops().clone(), self.losses()))),
            Request::Stop => {}
        }
    }

    fn join(&mut self, now: Instant, network: NetworkId, port: Port) -> Result<(), RequestError> {
        let cached = self.records.home().load(StoreKey::Network(network))?;
        let mac = Mac::of_member(self.node.status(now).address, network);
        // An interface is of no use to a network that is not joined, but a network joined without
        // the interface asked for would be a surprise.
        for change in self.ports.forget_groups(network) {
            self.command(now, change);
        }
        self.ports.detach(network);
        let attached = Attached::open(port, network, mac)?;
        let mode = attached.mode();
        self.try_command(now, Command::Join { network, mode, cached })?;
        self.ports.attach(network, attached);
        if let Some(status) = self.node.networks().iter().find(|status| status.id == network) {
            self.ports.configure(network, &TunPlan::new(status, &Settings::default()));
        }
        self.ports_changed();
        self.follow_groups(now);
        Ok(())
    }

    /// Orbits a moon; the file in the home directory counts unless the caller brings one.
    fn orbit(
        &mut self,
        now: Instant,
        moon: MoonId,
        seed: Option<Address>,
        definition: Option<Box<World>>,
    ) -> Result<(), RequestError> {
        let definition = match definition {
            Some(world) => Some(*world),
            None => self.records.home().moon(moon)?,
        };
        Ok(self.try_command(now, Command::Orbit { moon, seed, definition })?)
    }

    fn losses(&self) -> Losses {
        Losses {
            datagrams: self.sockets.dropped(),
            frames: self.ports.dropped(),
            events: self.events.forgotten(),
        }
    }

    fn try_command(&mut self, now: Instant, command: Command) -> Result<(), CommandError> {
        self.node.handle_command(now, command, &mut self.out, &mut self.ports)
    }

    /// Gives a command that is the driver's own idea.
    fn command(&mut self, now: Instant, command: Command) {
        if let Err(error) = self.try_command(now, command) {
            log::debug!(error:%; "the node refuses a command");
        }
    }
}

/// Wakes the driver at a time of its own clock.
struct Timer {
    sleep: Pin<Box<Sleep>>,
    at: Instant,
}

impl Timer {
    fn new() -> Self {
        Self { sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), at: Instant::ZERO }
    }

    fn set(&mut self, now: Instant, at: Instant) {
        if at != self.at {
            self.at = at;
            self.sleep.as_mut().reset(tokio::time::Instant::now() + at.since(now));
        }
    }

    /// Waits for the time set.
    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let elapsed = self.sleep.as_mut().poll(cx);
        if elapsed.is_ready() {
            // Asked again without being set anew, it would elapse for ever.
            self.at = Instant::ZERO;
        }
        elapsed
    }
}
