//! The loop: all input and output of a node, and no decisions.
//!
//! One task owns the node. It waits for whatever comes first, hands it to the node, and carries
//! out what the node says, before it waits again. What comes in is taken in batches, and the
//! sources take turns, so that none of them waits for more than one batch of each other.

mod datagrams;
mod memory;
mod stored;
mod surroundings;
mod timer;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use zt_protocol::address::{Address, Mac, MoonId, NetworkId};
use zt_protocol::bonding::Bonding;
use zt_protocol::command::{Command, CommandError};
use zt_protocol::event::{self, NetworkStatus, Standing, StoreKey};
use zt_protocol::fingerprint::Invitation;
use zt_protocol::node::Node;
use zt_protocol::plan::PlanChange;
use zt_protocol::time::Instant;
use zt_protocol::transmit::PortMode;
use zt_protocol::world::World;

use crate::clock::Clock;
use crate::events::{Closing, Event, Events};
use crate::host::{Host, Wishes};
use crate::limits::GROUPS_REFRESH;
use crate::mapping::Mapping;
use crate::plans::Plans;
use crate::port::{Attached, HostBatch, Port, Ports};
use crate::request::{Request, RequestError, StoredNetwork};
use crate::statistics::{Losses, Statistics, Wakeups};
use crate::store::{Changed, Reader, Records, Saver, Watch};
use crate::tcp_relay::{News, TcpRelay};
use crate::tun::parse_ethernet;
use crate::udp::{GsoQueue, ReceiveBatch, Sockets};

pub(crate) use surroundings::{Surroundings, first_look, warn_of_trusted_paths};
use timer::Timer;

/// Everything that drives one node.
pub(crate) struct Driver {
    pub(crate) node: Node,
    pub(crate) clock: Clock,
    pub(crate) sockets: Sockets,
    pub(crate) surroundings: Surroundings,
    /// `None` if no gateway is asked for a port.
    pub(crate) mapping: Option<Mapping>,
    pub(crate) tcp_relay: TcpRelay,
    pub(crate) host: Host,
    pub(crate) records: Arc<Records>,
    /// `None` if files that others edit go unnoticed.
    pub(crate) watch: Option<Watch>,
    /// Whether the node controls the networks there are records of.
    pub(crate) controller: bool,
    pub(crate) bonding: Bonding,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) events: Arc<Events>,
}

/// A driver at work.
struct Running {
    node: Node,
    clock: Clock,
    sockets: Sockets,
    tcp_relay: TcpRelay,
    received: ReceiveBatch,
    out: GsoQueue,
    ports: Ports,
    plans: Plans,
    from_host: HostBatch,
    host: Host,
    mapping: Option<Mapping>,
    records: Arc<Records>,
    reader: Reader,
    saver: Saver,
    watch: Option<Watch>,
    controller: bool,
    requests: mpsc::Receiver<Request>,
    events: Arc<Events>,
    timer: Timer,
    surroundings: Surroundings,
    wakeups: Wakeups,
    /// When to look for multicast groups, if there is an interface to look at.
    groups_due: Instant,
    /// Which source is asked first next time.
    turn: usize,
}

/// Something to do.
enum Ready {
    /// It is time for this.
    Timeout(&'static str),
    /// This socket has datagrams.
    Datagrams(usize),
    /// The host sends to this network.
    Frames(NetworkId),
    Request(Request),
    /// All handles are gone.
    Abandoned,
    /// Records and settings somebody may have written.
    Touched(Vec<StoreKey>),
    /// What they have written was read.
    Changed(Vec<Changed>),
    /// The machine's interfaces have changed.
    Interfaces,
    /// The gateway maps another port to this node, or none.
    Mapped,
    /// The TCP relay has something to tell.
    TcpRelay(News),
}

/// How many kinds of sources [`Running::poll_source`] knows.
const SOURCES: usize = 10;

impl Driver {
    /// Drives the node until it is asked to stop or the last handle is gone.
    pub(crate) async fn run(self) {
        let saver = Saver::new(Arc::clone(&self.records));
        let mut running = Running {
            node: self.node,
            clock: self.clock,
            sockets: self.sockets,
            tcp_relay: self.tcp_relay,
            received: ReceiveBatch::new(),
            out: GsoQueue::default(),
            ports: Ports::default(),
            plans: Plans::default(),
            from_host: HostBatch::new(),
            host: self.host,
            mapping: self.mapping,
            reader: Reader::new(Arc::clone(&self.records)),
            records: self.records,
            saver,
            watch: self.watch,
            controller: self.controller,
            requests: self.requests,
            events: self.events,
            timer: Timer::new(),
            surroundings: self.surroundings,
            wakeups: Wakeups::default(),
            groups_due: Instant::FAR_FUTURE,
            turn: 0,
        };

        // Whatever happens to this task, nobody waits for its events in vain.
        let _closing = Closing(Arc::clone(&running.events));
        running.load(self.bonding).await;
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
            self.wakeups.count(&ready);
            if self.timer.is_late(now) {
                self.wake_late(now);
            }

            match ready {
                Ready::Timeout(why) => {
                    log::trace!(why; "woken");
                    self.pass_time(now);
                }
                Ready::Datagrams(socket) => self.take_datagrams(now, socket).await,
                Ready::Frames(network) => self.take_frames(now, network).await,
                Ready::Touched(keys) => self.reader.read(keys),
                Ready::Changed(changed) => self.take_all_in(now, changed),
                Ready::Interfaces => self.surroundings.changed(now),
                Ready::Mapped => self.look_around(now),
                Ready::TcpRelay(news) => self.follow_tcp_relay(now, news).await,
                Ready::Request(Request::Stop) | Ready::Abandoned => return,
                Ready::Request(request) => self.answer(now, request),
            }
        }
    }

    /// Saves what the node knows and takes away what it made.
    async fn stop(mut self) {
        let now = self.clock.now();
        self.command(now, Command::Flush);
        self.settle().await;
        if let Some(mapping) = self.mapping.take() {
            mapping.finish().await;
        }
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
        self.transmit().await;
        self.ports.flush().await;
    }

    fn carry_out(&mut self, event: event::Event) {
        match event {
            event::Event::Store { key, value } => self.saver.save(key, value),
            event::Event::Network(status) => {
                let change = self.plans.ask(&status);
                self.replan(status.id, change);
                self.report(*status);
            }
            event::Event::NetworkLeft(network) => {
                self.ports.detach(network);
                self.plans.remove(network);
                self.ports_changed();
                self.events.push(Event::NetworkLeft(network));
            }
            event::Event::Online(online) => {
                self.ports.set_online(online);
                self.surroundings.set_online(self.clock.now(), online);
                self.ports_changed();
                self.events.push(Event::Online(online));
            }
            event::Event::Peer { address, path } => self.events.push(Event::Peer { address, path }),
            event::Event::IdentityCollision { is_confirmed } => {
                self.events.push(Event::IdentityCollision { is_confirmed });
            }
            event::Event::IdentityConflict { address, known, offered, source } => {
                self.events.push(Event::IdentityConflict { address, known, offered, source });
            }
            event::Event::TcpRelay(is_wanted) => self.want_tcp_relay(is_wanted),
            event::Event::Worlds => self.events.push(Event::Worlds),
            // The enum may grow; what a host cannot act on yet it need not see.
            _ => log::debug!(event:?; "an event is not passed on"),
        }
    }

    /// Carries out a plan as far as it is news, and tells the host.
    fn replan(&mut self, network: NetworkId, change: PlanChange) {
        if change == PlanChange::Nothing {
            return;
        }
        if let Some(plan) = self.plans.plan(network) {
            self.ports.configure(network, plan);
            let plan = Box::new(plan.clone());
            self.events.push(Event::Plan { network, plan, change });
        }
        self.ports_changed();
    }

    /// Tells those who depend on the networks' interfaces, addresses and routes about them.
    fn ports_changed(&mut self) {
        self.sockets.set_virtual_addresses(self.ports.addresses());
        let own_ports = self.sockets.bound().iter().map(SocketAddr::port).collect();
        self.host.set(Wishes { own_ports, ..self.ports.wishes() });
        if let Some(mapping) = &self.mapping {
            mapping.set_networks(self.plans.subnets());
        }
    }

    fn report(&self, status: NetworkStatus) {
        self.events.push(Event::Network(Box::new(self.as_seen(status))));
    }

    /// Returns a network's status with what only the host can know.
    fn as_seen(&self, status: NetworkStatus) -> NetworkStatus {
        let lost = self.ports.is_lost(status.id);
        let standing = if lost { Standing::PortError } else { status.standing };
        NetworkStatus { standing, ..status }
    }

    /// Returns what the node knows of a network, if it is joined.
    fn network(&self, network: NetworkId) -> Option<NetworkStatus> {
        self.node.networks().into_iter().find(|status| status.id == network)
    }

    /// Waits for something to do.
    async fn ready(&mut self) -> Ready {
        let wakeup = self.node.poll_timeout();
        let groups =
            if self.surroundings.is_parked() { Instant::FAR_FUTURE } else { self.groups_due };
        let own = (groups, "interface_groups").min((self.surroundings.next_due(), "interfaces"));
        let (at, why) = wakeup.map_or(own, |wakeup| own.min((wakeup.at, wakeup.why)));
        self.timer.set(self.clock.now(), at, why);
        poll_fn(|cx| self.poll_ready(cx)).await
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
            0 => self.timer.poll_elapsed(cx).map(Ready::Timeout),
            // What comes while there is no network is not worth waking for.
            1 | 2 | 4 if self.surroundings.is_parked() => Poll::Pending,
            1 if self.tcp_relay.replaces_udp() => Poll::Pending,
            1 => self.sockets.poll_readable(cx).map(Ready::Datagrams),
            2 => self.ports.poll_readable(cx).map(Ready::Frames),
            3 => self
                .requests
                .poll_recv(cx)
                .map(|request| request.map_or(Ready::Abandoned, Ready::Request)),
            4 => self.tcp_relay.poll(cx).map(Ready::TcpRelay),
            5 => self.saver.poll_superseded(cx).map(Ready::Touched),
            6 => match &mut self.mapping {
                Some(mapping) => mapping.poll_changed(cx).map(|()| Ready::Mapped),
                None => Poll::Pending,
            },
            7 => self.reader.poll_changed(cx).map(Ready::Changed),
            8 => self.surroundings.poll_changed(cx).map(|()| Ready::Interfaces),
            _ => match &mut self.watch {
                Some(watch) => watch.poll_touched(cx).map(Ready::Touched),
                None => Poll::Pending,
            },
        }
    }

    fn pass_time(&mut self, now: Instant) {
        self.node.handle_timeout(now, &mut self.out, &mut self.ports);
        self.look_after_surroundings(now);
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

    async fn take_frames(&mut self, now: Instant, network: NetworkId) {
        let Some(mode) = self.ports.read(network, &mut self.from_host) else {
            self.lose(network);
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
        self.from_host.clear();
    }

    /// Takes in that the interface of a network is gone.
    fn lose(&mut self, network: NetworkId) {
        self.ports_changed();
        self.events.push(Event::InterfaceLost(network));
        if let Some(status) = self.network(network) {
            self.report(status);
        }
    }

    fn answer(&mut self, now: Instant, request: Request) {
        // Whoever does not wait for the answer does not get it.
        match request {
            Request::Join { invitation, port, stored, reply } => {
                let _ = reply.send(self.join(now, invitation, port, stored));
            }
            Request::Attach { network, port, reply } => {
                let _ = reply.send(self.attach(now, network, port));
            }
            Request::Settle { command, reply } => {
                let settled = self.try_command(now, *command);
                let _ = reply.send(settled.map_err(RequestError::Refused));
            }
            Request::Fingerprint { address, reply } => {
                let _ = reply.send(self.node.fingerprint(address));
            }
            Request::Pins(reply) => drop(reply.send(self.node.pins().clone())),
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
            Request::Subscribe { network, group, reply } => {
                let subscribed = self.try_command(now, Command::Subscribe { network, group });
                let _ = reply.send(subscribed.map_err(RequestError::Refused));
            }
            Request::Unsubscribe { network, group, reply } => {
                let ended = self.try_command(now, Command::Unsubscribe { network, group });
                let _ = reply.send(ended.map_err(RequestError::Refused));
            }
            Request::Settings { network, reply } => {
                let _ = reply.send(self.plans.settings(network).cloned());
            }
            Request::Plan { network, reply } => {
                let plan = self.plans.plan(network).cloned();
                let _ = reply.send(plan.ok_or(CommandError::NotJoined(network).into()));
            }
            Request::WouldAllow { frame, peer, direction, reply } => {
                let (network, frame) = (frame.network, frame.as_frame());
                let explained = self.node.would_allow(network, peer, frame, direction);
                let _ = reply.send(explained.map_err(RequestError::Rejected));
            }
            Request::Packets { network, reply } => {
                let packets = self.ports.open_packets(network);
                let _ = reply.send(packets.ok_or(RequestError::NotPackets(network)));
            }
            Request::TakeIn { changed, reply } => {
                self.take_in(now, changed);
                let _ = reply.send(());
            }
            Request::Status(reply) => drop(reply.send(self.node.status(now))),
            Request::Worlds(reply) => drop(reply.send(self.node.worlds(now))),
            Request::Peers(reply) => drop(reply.send(self.node.peers(now))),
            Request::Explain { address, reply } => {
                drop(reply.send(self.node.explain(now, address)));
            }
            Request::Networks(reply) => {
                let statuses = self.node.networks().into_iter();
                let _ = reply.send(statuses.map(|status| self.as_seen(status)).collect());
            }
            Request::Hint { hint, reply } => drop(reply.send(self.take_hint(now, hint))),
            Request::Statistics(reply) => drop(reply.send(self.statistics())),
            Request::Stop => {}
        }
    }

    fn join(
        &mut self,
        now: Instant,
        invitation: Invitation,
        port: Port,
        stored: StoredNetwork,
    ) -> Result<(), RequestError> {
        let Invitation { network, controller } = invitation;
        let StoredNetwork { mut cached, settings } = stored;
        if let Some(expected) = controller {
            let address = network.controller();
            // What somebody else may have configured does not count.
            cached.take_if(|_| self.node.pins().expected(address) != Some(expected));
            self.try_command(now, Command::Pin { address, expected })?;
        }
        self.open_port(now, network, port, StoredNetwork { cached, settings })
    }

    fn attach(&mut self, now: Instant, network: NetworkId, port: Port) -> Result<(), RequestError> {
        let Some(settings) = self.plans.settings(network).cloned() else {
            return Err(CommandError::NotJoined(network).into());
        };
        self.open_port(now, network, port, StoredNetwork { cached: None, settings })
    }

    /// Joins a network by a port, or changes the port of one that is joined.
    fn open_port(
        &mut self,
        now: Instant,
        network: NetworkId,
        port: Port,
        stored: StoredNetwork,
    ) -> Result<(), RequestError> {
        let StoredNetwork { cached, settings } = stored;
        let mac = Mac::of_member(self.node.status(now).address, network);
        // An interface is of no use to a network that is not joined, but a network joined without
        // the interface asked for would be a surprise.
        let was_lost = self.ports.is_lost(network);
        for change in self.ports.forget_groups(network) {
            self.command(now, change);
        }
        let makes_interface = port.makes_interface();
        if makes_interface {
            // It may have the name of the one there is.
            self.ports.detach(network);
        }
        let attached = match Attached::open(port, network, mac) {
            Ok(attached) => attached,
            Err(error) => {
                if makes_interface && self.plans.plan(network).is_some() {
                    self.ports.attach(network, Attached::lost());
                    self.lose(network);
                }
                return Err(error.into());
            }
        };
        let mode = attached.mode();
        self.try_command(now, Command::Join { network, mode, cached })?;
        self.ports.attach(network, attached);
        if let Some(status) = self.network(network) {
            self.plans.insert(status.clone(), settings);
            self.replan(network, PlanChange::Reestablish);
            if was_lost {
                self.report(status);
            }
        }
        self.follow_groups(now);
        Ok(())
    }

    /// Orbits a moon, which nobody has told this node of if there is no definition.
    fn orbit(
        &mut self,
        now: Instant,
        moon: MoonId,
        seed: Option<Address>,
        definition: Option<Box<World>>,
    ) -> Result<(), RequestError> {
        let definition = definition.map(|world| *world);
        Ok(self.try_command(now, Command::Orbit { moon, seed, definition })?)
    }

    fn statistics(&self) -> Statistics {
        Statistics {
            drops: self.node.drops().clone(),
            losses: Losses {
                datagrams: self.sockets.dropped() + self.tcp_relay.dropped(),
                frames: self.ports.dropped(),
                events: self.events.forgotten(),
            },
            memory: self.node.memory(),
            wakeups: self.wakeups.clone(),
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

impl Wakeups {
    fn count(&mut self, ready: &Ready) {
        let counter = match ready {
            Ready::Timeout(why) => self.timers.entry(why).or_default(),
            Ready::Datagrams(_) => &mut self.datagrams,
            Ready::Frames(_) => &mut self.frames,
            Ready::Request(_) | Ready::Abandoned => &mut self.requests,
            Ready::Touched(_) | Ready::Changed(_) | Ready::Interfaces | Ready::Mapped => {
                &mut self.changes
            }
            Ready::TcpRelay(_) => &mut self.datagrams,
        };
        *counter += 1;
    }
}
