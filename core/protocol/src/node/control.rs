//! Everything of a node but the intake of datagrams: the subsystems and what they share.

use std::collections::VecDeque;

use crate::address::{Address, NetworkId};
use crate::controller::Controller;
use crate::error::{Drops, Rejected};
use crate::event::{Event, NetworkStatus, StoreKey};
use crate::fastpath::tables::{Admission, Tables};
use crate::fingerprint::Fingerprint;
use crate::identity::{Identity, SecretIdentity};
use crate::limits::{
    ALLOWANCES_MAX, EXPANSIONS_SHARE, EXPECTED_REPLIES_MAX, MEMORY_BUDGET_MIN, REPLAY_TOTAL_MAX,
    pool_within,
};
use crate::network::Networks;
use crate::node::allowances::Allowances;
use crate::node::recent::Recent;
use crate::node::replays::Replays;
use crate::node::{
    Command, CommandError, Config, NodeStatus, PathExplanation, PeerStatus, Wakeup, WorldsStatus,
};
use crate::nonce::Nonces;
use crate::outbox::{Ctx, Directory, Outbox};
use crate::peer::Peers;
use crate::pins::Pins;
use crate::rng::Rng;
use crate::roots::Roots;
use crate::rules::{Direction, Explanation};
use crate::suite::Expansions;
use crate::surface::Surface;
use crate::time::{Instant, UnixMillis};
use crate::transmit::Frame;
use crate::whois::{WaitingPacket, Whois};

/// The subsystems of a node. None of them knows another.
pub(super) struct Control {
    pub(super) shared: Shared,
    pub(super) roots: Roots,
    pub(super) peers: Peers,
    pub(super) surface: Surface,
    pub(super) whois: Whois,
    /// What may be said to whoever has proven nothing.
    pub(super) allowances: Allowances,
    /// Whether the packet at hand was relayed to this node.
    pub(super) at_hand_relayed: bool,
    /// Packets whose answers are believed.
    pub(super) expected: Recent,
    /// Packets that were taken in.
    pub(super) replays: Replays,
    pub(super) networks: Networks,
    pub(super) controller: Option<Controller>,
    /// Packets that waited for an identity that has arrived.
    pub(super) ready: VecDeque<WaitingPacket>,
    /// How many bytes all tables may take.
    pub(super) memory_budget: Option<usize>,
    /// Whether a table may have grown since that was last seen to.
    pub(super) has_grown: bool,
    /// When it is tried again to give something back, after there was not enough.
    pub(super) next_retry: Instant,
    drops: Drops,
}

/// What every subsystem is lent for the length of a call.
pub(super) struct Shared {
    pub(super) me: SecretIdentity,
    pub(super) rng: Rng,
    nonces: Nonces,
    pub(super) tables: Tables,
    pub(super) out: Outbox,
    /// Whether memory is short.
    pub(super) is_full: bool,
    /// A moment on both clocks.
    anchor: (Instant, UnixMillis),
}

impl Shared {
    /// Returns a packet ID that was never used.
    pub(super) fn nonce(&mut self) -> u64 {
        let nonce = self.nonces.draw(&mut self.rng);
        if let Some(epoch) = self.nonces.take_reservation() {
            let (key, value) = (StoreKey::Epoch, Some(epoch.to_text().into_bytes()));
            self.out.events.push_back(Event::Store { key, value });
        }
        nonce
    }

    pub(super) fn ctx(&mut self, now: Instant) -> Ctx<'_> {
        let (then, unix) = self.anchor;
        Ctx {
            now,
            unix: unix + now.since(then),
            is_full: self.is_full,
            rng: &mut self.rng,
            me: &self.me,
            tables: &mut self.tables,
            out: &mut self.out,
        }
    }
}

/// Everybody whose identity is known: peers and this node.
pub(super) struct Known<'a> {
    pub(super) me: &'a Identity,
    pub(super) peers: &'a Peers,
}

impl Directory for Known<'_> {
    fn identity(&self, address: Address) -> Option<&Identity> {
        if address == self.me.address() {
            return Some(self.me);
        }
        self.peers.identity(address)
    }
}

impl Control {
    pub(super) fn new(
        me: SecretIdentity,
        config: Config,
        seed: [u8; 32],
        now: Instant,
        unix: UnixMillis,
    ) -> Self {
        let budget = config.memory_budget.map(|budget| budget.max(MEMORY_BUDGET_MIN));
        let mut rng = Rng::from_seed(seed);
        let mut tables = Tables::new(me.address(), rng.u64());
        tables.allow_loopback = config.allow_loopback;
        tables.path_rules = config.path_rules;
        if let Some(budget) = budget {
            tables.expansions = Expansions::within(budget / EXPANSIONS_SHARE);
        }
        let expected = Recent::new(rng.u64(), pool_within(budget, EXPECTED_REPLIES_MAX));
        let replays = Replays::new(rng.u64(), pool_within(budget, REPLAY_TOTAL_MAX));
        let nonces = Nonces::new(&me, config.epoch, &mut rng);
        let roots = Roots::new(me.address(), config.planet, config.moons);
        let shared = Shared {
            me,
            rng,
            nonces,
            tables,
            out: Outbox::default(),
            is_full: false,
            anchor: (now, unix),
        };
        let mut control = Self {
            shared,
            roots,
            peers: Peers::new(config.pins),
            surface: Surface::new(),
            whois: Whois::new(),
            expected,
            replays,
            allowances: Allowances::new(pool_within(budget, ALLOWANCES_MAX)),
            at_hand_relayed: false,
            networks: Networks::new(config.platform),
            controller: config.controller.then(Controller::new),
            ready: VecDeque::new(),
            memory_budget: budget,
            has_grown: false,
            next_retry: now,
            drops: Drops::default(),
        };
        control.peers.narrow_pools(budget);
        control.peers.set_low_bandwidth(config.low_bandwidth);
        control.networks.set_low_bandwidth(config.low_bandwidth);
        let ctx = &mut control.shared.ctx(now);
        control.roots.publish(ctx.tables);
        control.peers.learn_roots(ctx, &control.roots);
        control
    }

    pub(super) fn handle_command(
        &mut self,
        now: Instant,
        command: Command,
    ) -> Result<(), CommandError> {
        let ctx = &mut self.shared.ctx(now);
        match command {
            Command::Join { network, mode, cached } => {
                self.networks.join(ctx, network, mode, cached.as_deref())
            }
            Command::Leave(network) => self.networks.leave(ctx, network),
            Command::Subscribe { network, group } => self.networks.subscribe(ctx, network, group),
            Command::Unsubscribe { network, group } => self.networks.unsubscribe(network, group),
            Command::Orbit { moon, seed, definition } => {
                self.roots.orbit(ctx, moon, seed, definition)?;
                self.peers.worlds_changed(ctx, &self.roots);
                self.peers.ask_seeds(ctx, &self.roots);
                Ok(())
            }
            Command::Deorbit(moon) => {
                self.roots.deorbit(ctx, moon)?;
                self.peers.worlds_changed(ctx, &self.roots);
                Ok(())
            }
            Command::Pin { address, expected } => {
                if self.peers.pin(ctx, &self.roots, address, expected)? {
                    self.networks.disown(ctx, address);
                } else {
                    self.networks.look_again(ctx, address);
                }
                Ok(())
            }
            Command::Unpin(address) => {
                self.peers.unpin(ctx, &self.roots, address)?;
                self.networks.look_again(ctx, address);
                Ok(())
            }
            Command::RequirePinned(required) => {
                self.peers.require_pinned(ctx, &self.roots, required);
                Ok(())
            }
            Command::PathRules(rules) => {
                ctx.tables.path_rules = rules;
                self.peers.path_rules_changed(ctx, &self.roots);
                Ok(())
            }
            Command::LowBandwidth(low) => {
                self.peers.set_low_bandwidth(low);
                self.networks.set_low_bandwidth(low);
                Ok(())
            }
            Command::Bonding(bonding) => self.peers.set_bonding(ctx, &self.roots, bonding),
            Command::LocalAddresses(addresses) => {
                self.peers.set_local_addresses(addresses);
                Ok(())
            }
            Command::SocketsClosed(closed) => {
                self.surface.close(&closed);
                self.peers.close_sockets(ctx, &self.roots, &closed);
                Ok(())
            }
            Command::NetworkChanged => {
                self.peers.network_changed(ctx, &self.roots);
                Ok(())
            }
            Command::SetConditions(conditions) => {
                self.peers.set_conditions(ctx, &self.roots, conditions);
                Ok(())
            }
            Command::LoadPeer(record) => self
                .peers
                .load(ctx, &self.roots, &record)
                .map_err(|_| CommandError::Malformed("peer record")),
            Command::LoadControllerNetwork { network, json } => match &mut self.controller {
                Some(controller) => controller.load_network(ctx, network, &json),
                None => Err(CommandError::NotController(network)),
            },
            Command::LoadControllerMember { network, member, json } => match &mut self.controller {
                Some(controller) => controller.load_member(ctx, network, member, &json),
                None => Err(CommandError::NotController(network)),
            },
            Command::TcpRelay(usage) => {
                self.peers.set_tcp_relay(ctx, &self.roots, usage);
                Ok(())
            }
            Command::TcpRelayConnected(is_connected) => {
                self.peers.tcp_relay_connected(ctx, &self.roots, is_connected);
                Ok(())
            }
            // Done by the node, as the intake has something to give back as well.
            Command::TrimMemory => Ok(()),
            Command::Flush => {
                self.peers.save_all(ctx);
                Ok(())
            }
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let ctx = &mut self.shared.ctx(now);
        for _ in 0..self.whois.handle_timeout(ctx) {
            self.drops.count(Rejected::NoPath);
        }
        let mut always = self.networks.always_contact();
        always.extend(self.roots.seeds());
        self.peers.handle_timeout(ctx, &self.roots, &mut self.surface, &always);
        let me = *ctx.me.public();
        self.networks.handle_timeout(ctx, &Known { me: &me, peers: &self.peers });
        if let Some(controller) = &mut self.controller {
            controller.handle_timeout(ctx);
        }
    }

    /// Returns when each subsystem next has something to do.
    pub(super) fn poll_timeout(&self) -> impl Iterator<Item = Wakeup> {
        let whois = self.whois.poll_timeout().map(|at| (at, "whois"));
        let controller = self.controller.as_ref().and_then(Controller::poll_timeout);
        [whois, self.peers.poll_timeout(), self.networks.poll_timeout(), controller]
            .into_iter()
            .flatten()
            .map(|(at, why)| Wakeup { at, why })
    }

    pub(super) fn set_unix_time(&mut self, now: Instant, unix: UnixMillis) {
        self.shared.anchor = (now, unix);
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.shared.out.events.pop_front()
    }

    /// Returns the oldest packet that waited for an identity that has arrived.
    pub(super) fn take_ready(&mut self) -> Option<WaitingPacket> {
        self.ready.pop_front()
    }

    pub(super) const fn tables(&self) -> &Tables {
        &self.shared.tables
    }

    /// Returns whether the node shall do nothing, for there is no network.
    pub(super) const fn is_parked(&self) -> bool {
        self.peers.is_parked()
    }

    /// Refuses, and counts, what there is no network for.
    pub(super) const fn check_network(&mut self) -> Result<(), Rejected> {
        if self.is_parked() {
            self.count(Rejected::Offline);
            return Err(Rejected::Offline);
        }
        Ok(())
    }

    pub(super) const fn count(&mut self, rejected: Rejected) {
        self.drops.count(rejected);
    }

    pub(super) const fn drops(&self) -> &Drops {
        &self.drops
    }

    pub(super) const fn identity(&self) -> &Identity {
        self.shared.me.public()
    }

    pub(super) fn status(&self, now: Instant) -> NodeStatus {
        let planet = self.roots.planet();
        NodeStatus {
            trusted_paths: self.shared.tables.path_rules.trusted_paths().collect(),
            address: self.shared.me.address(),
            online: self.peers.is_online(now, &self.roots),
            planet_id: planet.id,
            planet_timestamp: planet.timestamp,
            tcp_relay: self.peers.tcp_relay(),
        }
    }

    pub(super) fn worlds(&self, now: Instant) -> WorldsStatus {
        self.roots.status(|root| self.peers.contact(now, root))
    }

    pub(super) fn peers(&self, now: Instant) -> Vec<PeerStatus> {
        self.peers.statuses(now, &self.shared.tables, &self.roots)
    }

    pub(super) const fn pins(&self) -> &Pins {
        self.peers.pins()
    }

    pub(super) fn fingerprint(&self, address: Address) -> Option<Fingerprint> {
        let known = Known { me: self.shared.me.public(), peers: &self.peers };
        known.identity(address).map(Identity::fingerprint)
    }

    pub(super) fn explain(&self, now: Instant, address: Address) -> Option<PathExplanation> {
        self.peers.explain(now, &self.shared.tables, &self.roots, &self.surface, address)
    }

    pub(super) fn would_allow(
        &self,
        network: NetworkId,
        peer: Address,
        frame: Frame<'_>,
        direction: Direction,
    ) -> Result<Explanation, Rejected> {
        let tables = &self.shared.tables;
        let view = tables.network(network).ok_or(Rejected::UnknownNetwork)?;
        let admitted = match direction {
            Direction::Inbound => view.admits(peer),
            Direction::Outbound => view.admission != Admission::Nobody && !view.is_revoked(peer),
        };
        if !admitted {
            return Err(Rejected::NotAMember);
        }
        let passage = view.passage(tables.me, direction, peer, frame);
        Ok(view.filter.explain(&passage, &mut || 0))
    }

    pub(super) fn networks(&self) -> Vec<NetworkStatus> {
        self.networks.statuses()
    }
}
