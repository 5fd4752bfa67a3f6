//! The node: who tells whom.
//!
//! A [`Node`] is a `Control`, which owns every subsystem, and an intake of the
//! data plane, which opens packets by the tables control keeps. `dispatch` carries what was opened
//! to the subsystem it concerns, `sending` carries what subsystems said to the wire, `host` does
//! the same for frames of the host.

mod allowances;
mod control;
mod dispatch;
mod host;
mod memory;
mod recent;
mod replays;
mod sending;

use crate::address::{Address, NetworkId};
use crate::endpoint::Path;
use crate::error::{Drops, Rejected};
use crate::event::{Event, NetworkStatus};
use crate::fastpath::inbound::Intake;
use crate::fingerprint::Fingerprint;
use crate::identity::{Identity, SecretIdentity};
use crate::nonce::Epoch;
use crate::outbox::Received;
use crate::path_rules::PathRules;
use crate::pins::Pins;
use crate::rules::{Direction, Explanation};
use crate::time::{Instant, UnixMillis};
use crate::transmit::{Frame, FrameSink, Transmit};
use crate::whois::{Content, WaitingPacket};
use crate::world::World;

use self::control::Control;
pub use crate::command::{Command, CommandError, TcpRelayUse};
pub use crate::status::{
    Candidate, Mapping, NamedBy, NodeStatus, Outcome, PathExplanation, PeerStatus, Reason, Role,
    TcpRelayStatus, WorldsStatus,
};

/// What a node needs to know before it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// The planet in force, whatever its signature: the local file is trusted (spec 02 §1.4).
    pub planet: World,
    /// Moons accepted earlier.
    pub moons: Vec<World>,
    /// Which keys hold which addresses, as far as that was settled.
    pub pins: Pins,
    /// Whether this node serves networks of its own as a controller.
    pub controller: bool,
    /// The packet IDs to use: [`Epoch::after`](crate::nonce::Epoch::after) what was stored under
    /// [`StoreKey::Epoch`](crate::event::StoreKey::Epoch), where its successor has been stored by
    /// the time the node starts. `None` if nothing is ever stored.
    pub epoch: Option<Epoch>,
    /// Operating system and architecture as `platform/arch`, told to controllers (spec 03 §2.2).
    pub platform: &'static str,
    /// What the user says about physical addresses.
    pub path_rules: PathRules,
    /// Whether paths are kept open with as little as on a metered network, whatever the network is
    /// like, and networks looked after less often (spec 02 §14).
    pub low_bandwidth: bool,
    /// How many bytes the node's tables may take, at least
    /// [`MEMORY_BUDGET_MIN`](crate::limits::MEMORY_BUDGET_MIN); a smaller number counts as that.
    /// `None` leaves them to the bounds of [`limits`](crate::limits).
    pub memory_budget: Option<usize>,
    /// Whether paths to this machine's own loopback addresses are used.
    ///
    /// The protocol forbids them (spec 01 §18.3). Set only in a laboratory whose nodes all run on
    /// one machine.
    pub allow_loopback: bool,
}

/// When the driver shall call [`Node::handle_timeout`] next, and why.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Wakeup {
    /// When.
    pub at: Instant,
    /// For what: a name, by which drivers count what wakes them.
    pub why: &'static str,
}

/// One ZeroTier node, without its sockets, its clock or its threads.
///
/// Whatever happens to the node is a call of one of
///
/// - [`handle_datagram`](Self::handle_datagram): the network delivered something,
/// - [`handle_frame`](Self::handle_frame) or [`handle_packet`](Self::handle_packet): the host sent
///   something,
/// - [`handle_timeout`](Self::handle_timeout): time passed,
/// - [`handle_command`](Self::handle_command): the host wants something.
///
/// Whatever the node does about it comes back through the [`Transmit`] and [`FrameSink`] passed
/// in, [`poll_event`](Self::poll_event) and [`poll_timeout`](Self::poll_timeout).
///
/// After every call, drain `poll_event` until it returns `None` and then ask `poll_timeout` anew:
/// a call may move the next wakeup either way.
///
/// Two nodes built from equal arguments and fed equal calls behave identically, down to the last
/// byte they send.
pub struct Node {
    intake: Intake,
    control: Control,
}

impl Node {
    /// Makes a node that knows the time and the roots of its worlds.
    ///
    /// `seed` is the source of every choice: a real driver draws it from the operating system, anew
    /// for every start.
    #[must_use]
    pub fn new(
        identity: SecretIdentity,
        config: Config,
        seed: [u8; 32],
        now: Instant,
        unix: UnixMillis,
    ) -> Self {
        Self { intake: Intake::new(), control: Control::new(identity, config, seed, now, unix) }
    }

    /// Takes in one datagram that arrived on `path`.
    ///
    /// `datagram` is decrypted in place, so it is clobbered whatever the outcome.
    ///
    /// # Errors
    ///
    /// [`Rejected`] says why the datagram was dropped. The node has already counted it and is
    /// otherwise as before: callers log at `trace` and carry on.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &mut [u8],
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) -> Result<(), Rejected> {
        self.control.check_network()?;
        self.control.allowances.earn(path, datagram.len());
        let tables = self.control.tables();
        let outcome = match self.intake.take(tables, now, path, datagram, transmit) {
            Ok(inbound) => self.control.dispatch(now, inbound, transmit, sink),
            Err(rejected) => Err(rejected),
        };
        self.settle(now, transmit, sink);
        outcome.inspect_err(|rejected| self.control.count(*rejected))
    }

    /// Takes in an Ethernet frame the host sends to a network joined in
    /// [`PortMode::L2`](crate::transmit::PortMode::L2).
    ///
    /// # Errors
    ///
    /// [`Rejected`] says why the frame was dropped; it is counted already.
    pub fn handle_frame(
        &mut self,
        now: Instant,
        network: NetworkId,
        frame: Frame<'_>,
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) -> Result<(), Rejected> {
        self.control.check_network()?;
        let outcome = self.control.host_frame(now, network, frame, transmit);
        self.settle(now, transmit, sink);
        outcome.inspect_err(|rejected| self.control.count(*rejected))
    }

    /// Takes in an IP packet the host sends to a network joined in
    /// [`PortMode::L3`](crate::transmit::PortMode::L3).
    ///
    /// # Errors
    ///
    /// [`Rejected`] says why the packet was dropped; it is counted already.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        network: NetworkId,
        packet: &[u8],
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) -> Result<(), Rejected> {
        self.control.check_network()?;
        let outcome = self.control.host_packet(now, network, packet, transmit);
        self.settle(now, transmit, sink);
        outcome.inspect_err(|rejected| self.control.count(*rejected))
    }

    /// Lets time pass up to `now`.
    ///
    /// Calling early or twice is harmless. Calling late delays keepalives and retries by as much.
    pub fn handle_timeout(
        &mut self,
        now: Instant,
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) {
        if self.control.is_parked() {
            return;
        }
        for _ in 0..self.intake.expire(now) {
            self.control.count(Rejected::ReassemblyOverflow);
        }
        self.control.handle_timeout(now);
        self.control.has_grown = true;
        self.settle(now, transmit, sink);
    }

    /// Does what the host asks. What follows from it goes to `transmit` and `sink` like all else.
    ///
    /// # Errors
    ///
    /// [`CommandError`] says what was wrong with the command; nothing has changed.
    pub fn handle_command(
        &mut self,
        now: Instant,
        command: Command,
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) -> Result<(), CommandError> {
        let outcome = match command {
            Command::TrimMemory => {
                self.give_back(now, 0);
                Ok(())
            }
            command => self.control.handle_command(now, command),
        };
        self.control.has_grown = true;
        self.settle(now, transmit, sink);
        outcome
    }

    /// Tells the node the wall clock's time, which may have jumped.
    pub fn set_unix_time(&mut self, now: Instant, unix: UnixMillis) {
        self.control.set_unix_time(now, unix);
    }

    /// Returns the oldest event not yet taken.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.control.poll_event()
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout) next, and why; `None` if
    /// only a datagram, a frame or a command can change anything.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wakeup> {
        if self.control.is_parked() {
            return None;
        }
        let reassembly = self.intake.poll_timeout().map(|at| Wakeup { at, why: "reassembly" });
        reassembly.into_iter().chain(self.control.poll_timeout()).min()
    }

    /// Returns how often anything was dropped, by reason.
    #[must_use]
    pub const fn drops(&self) -> &Drops {
        self.control.drops()
    }

    /// Returns this node's public identity.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        self.control.identity()
    }

    /// Returns how the node is doing.
    #[must_use]
    pub fn status(&self, now: Instant) -> NodeStatus {
        self.control.status(now)
    }

    /// Returns which planet and moons are in force, which are waited for, and how their roots are
    /// reached.
    #[must_use]
    pub fn worlds(&self, now: Instant) -> WorldsStatus {
        self.control.worlds(now)
    }

    /// Returns the fingerprint of whoever is known at `address`, this node included.
    #[must_use]
    pub fn fingerprint(&self, address: Address) -> Option<Fingerprint> {
        self.control.fingerprint(address)
    }

    /// Returns which keys hold which addresses, as far as that is settled.
    #[must_use]
    pub const fn pins(&self) -> &Pins {
        self.control.pins()
    }

    /// Returns every known peer, by ascending address.
    #[must_use]
    pub fn peers(&self, now: Instant) -> Vec<PeerStatus> {
        self.control.peers(now)
    }

    /// Returns why packets get to `address` the way they do and what is done to find a better one;
    /// `None` if no such peer is known.
    ///
    /// Nothing is tried: this says what is known already.
    #[must_use]
    pub fn explain(&self, now: Instant, address: Address) -> Option<PathExplanation> {
        self.control.explain(now, address)
    }

    /// Returns every joined network, by ascending ID.
    #[must_use]
    pub fn networks(&self) -> Vec<NetworkStatus> {
        self.control.networks()
    }

    /// Returns whether the rules of a network let a frame pass between this node and `peer`, and
    /// why, without sending anything.
    ///
    /// `peer` is [`Address::NULL`] for a frame to a group, before it is judged for each receiver.
    /// Matches that are left to chance count as true.
    ///
    /// # Errors
    ///
    /// [`Rejected::UnknownNetwork`], and [`Rejected::NotAMember`] if rules are not even asked:
    /// there is no configuration, or the frame comes from one who has not shown a certificate.
    pub fn would_allow(
        &self,
        network: NetworkId,
        peer: Address,
        frame: Frame<'_>,
        direction: Direction,
    ) -> Result<Explanation, Rejected> {
        self.control.would_allow(network, peer, frame, direction)
    }

    /// Carries out what the last call led to: sends, deliveries, and packets that were waiting
    /// for somebody who has become known.
    fn settle(&mut self, now: Instant, transmit: &mut impl Transmit, sink: &mut impl FrameSink) {
        self.control.drain(now, transmit, sink);
        self.keep_to_budget(now);
        while let Some(WaitingPacket { path, content, .. }) = self.control.take_ready() {
            let outcome = match content {
                Content::Sealed(mut packet) => {
                    self.control.allowances.earn(path, packet.len());
                    self.intake
                        .retry(self.control.tables(), path, &mut packet)
                        .and_then(|inbound| self.control.dispatch(now, inbound, transmit, sink))
                }
                Content::Opened { from, hops, verb, packet_id, body } => {
                    let rx = Received { from, path, hops, verb, packet_id, body: &body };
                    self.control.act_on(now, rx, transmit, sink)
                }
            };
            if let Err(rejected) = outcome {
                self.control.count(rejected);
            }
            self.control.drain(now, transmit, sink);
            self.keep_to_budget(now);
        }
    }
}
