//! Other nodes: who they are, how they are reached, and when they were last heard.
//!
//! By file:
//!
//! - [`path`]: the ways to one peer,
//! - `hello`: getting to know each other,
//! - `answer`: ECHO and WHOIS,
//! - `punch`: addresses peers and roots name, and those this node names,
//! - `leads`: what came of trying them, `probed`: how often an address is tried at all,
//! - `configured`: what the user says about physical addresses,
//! - [`explain`]: why a peer is reached the way it is,
//! - `introduce`: RENDEZVOUS between peers this node relays for,
//! - `keepalive`: everything that happens because time passes,
//! - `reliance`: leaving a path that dies while it is used,
//! - `bond`: having other paths stand by,
//! - `fallback`: doing without UDP, through a TCP relay,
//! - `record`: what is saved of a peer,
//! - `acquaintances`: those who were validated once and are no peers at the moment,
//! - `pinning`: pins, first use, and what contradicts them,
//! - `strangers`: what those cost who are not known yet,
//! - `upstream`: which root is the best, and who is asked for moons,
//! - `registration`: whether roots take this node for the holder of its address,
//! - `surroundings`: what the host says about the machine's networks,
//! - `memory`: what all this takes, and whom the node can do without,
//! - [`gates`]: how often others may make this node work.
//!
//! Source: spec 02 §3, §4.

mod acquaintances;
mod answer;
mod bond;
mod configured;
pub mod explain;
mod fallback;
pub mod gates;
mod hello;
mod introduce;
mod keepalive;
mod leads;
mod memory;
pub mod path;
mod pinning;
mod probed;
mod punch;
mod record;
mod registration;
mod reliance;
mod strangers;
mod surroundings;
#[cfg(test)]
mod tests;
mod upstream;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::address::Address;
use crate::bonding::{Bonding, Policy};
use crate::command::Conditions;
use crate::endpoint::{Path, is_usable_endpoint};
use crate::error::Rejected;
use crate::event::Event;
use crate::fastpath::tables::{PeerView, Tables};
use crate::fingerprint::Fingerprint;
use crate::identity::Identity;
use crate::limits::{
    ANSWERS_AT_ONCE, ANSWERS_PER_SECOND, CONFIRMATIONS_PER_SECOND, GATE_KEYS_MAX,
    IDENTITY_ALARM_PERIOD, PEER_RULES_MAX, PEERS_MAX, PEERS_MAX_ROOT, PROBES_AT_ONCE,
    PROBES_PER_SECOND,
};
use crate::outbox::{Ctx, Directory, Received};
use crate::peer::acquaintances::Acquaintances;
use crate::peer::bond::Bond;
use crate::peer::fallback::Fallback;
use crate::peer::gates::{Budget, Gate, PushGate};
use crate::peer::hello::Asked;
use crate::peer::introduce::Introductions;
use crate::peer::keepalive::Schedule;
use crate::peer::leads::{Leads, Retries};
use crate::peer::path::{Arrival, Paths};
use crate::peer::probed::Probed;
use crate::peer::record::save;
use crate::peer::registration::Registration;
use crate::peer::reliance::{Evidence, Watches};
use crate::peer::strangers::Strangers;
use crate::peer::surroundings::Pace;
use crate::pins::Pins;
use crate::roots::Roots;
use crate::status::PeerStatus;
use crate::suite::PeerKeys;
use crate::surface::Surface;
use crate::time::{Instant, UnixMillis};
use crate::verb::Verb;
use crate::wire::hello::Version;

/// How long a silent peer counts as there, and how long one without traffic is kept alive.
const ACTIVITY: Duration = Duration::from_secs(500);

/// How long a packet that passed a network's gate vouches for its sender.
const TRUST: Duration = Duration::from_secs(600);

/// A peer heard within this time does not make room for a newcomer.
const EVICTABLE: Duration = Duration::from_secs(60);

/// Everything known of one other node.
pub struct Peer {
    identity: Identity,
    paths: Paths,
    /// The path the data plane was told to use.
    selected: Option<Path>,
    /// What speaks against that path.
    evidence: Option<Evidence>,
    /// Set while other paths stand by.
    bond: Option<Box<Bond>>,
    /// When it proved a path that was not known, while it is asked about the others.
    moved: Option<Instant>,
    leads: Leads,
    /// What it announced in HELLO or OK(HELLO).
    version: Option<Version>,
    /// The HELLO whose answer lacked worlds, because its path had proven nothing.
    owed_worlds: Option<Box<Asked>>,
    /// The latest time a HELLO of it was written, by its own clock.
    hello_at: Option<UnixMillis>,
    known_since: Instant,
    /// It was silent for so long that it has been saved and is only remembered.
    is_asleep: bool,
    /// When any packet of it was received, directly or relayed.
    heard: Option<Instant>,
    /// When one was received that shows that the peer is in use.
    busy: Option<Instant>,
    /// When one was received that passed a network's gate.
    trusted: Option<Instant>,
    /// When HELLO was last sent on all its paths.
    greeted: Option<Instant>,
    /// When a root was last probed, and how often since it was last heard directly.
    probed: Option<Instant>,
    unanswered: u32,
    /// When something was sent to a root or through it, since it was last heard or probed.
    relied_on: Option<Instant>,
    /// When it was last saved, and the path that was in use then.
    saved: Option<(Instant, Option<Path>)>,
    /// When this node's addresses were last pushed to it.
    told: Option<Instant>,
    pushes: PushGate,
    asked_whois: Option<Instant>,
    /// What all this holds besides, in bytes, when that was last looked at.
    held: usize,
}

impl Peer {
    fn new(now: Instant, identity: Identity) -> Self {
        Self {
            identity,
            paths: Paths::default(),
            selected: None,
            evidence: None,
            bond: None,
            moved: None,
            leads: Leads::default(),
            version: None,
            owed_worlds: None,
            hello_at: None,
            known_since: now,
            is_asleep: false,
            heard: None,
            busy: None,
            trusted: None,
            greeted: None,
            probed: None,
            unanswered: 0,
            relied_on: None,
            saved: None,
            told: None,
            pushes: PushGate::default(),
            asked_whois: None,
            held: 0,
        }
    }

    /// Returns since when nothing was heard of the peer.
    fn silent_since(&self) -> Instant {
        self.heard.unwrap_or(self.known_since)
    }

    /// Returns whether the path to the peer is kept open, for it is in use.
    fn is_active(&self, now: Instant, pace: Pace) -> bool {
        self.busy.is_some_and(|busy| now.since(busy) < pace.activity)
    }

    fn is_trusted(&self, now: Instant) -> bool {
        self.trusted.is_some_and(|trusted| now.since(trusted) < TRUST)
    }
}

/// Every known peer.
pub struct Peers {
    /// Each by itself, because the tree's nodes are half empty.
    peers: BTreeMap<Address, Box<Peer>>,
    /// What they hold together, as noted with each of them.
    held: usize,
    acquaintances: Acquaintances,
    pins: Pins,
    /// Identities refused because their addresses are others', of which the host was told.
    alarms: Gate<Fingerprint>,
    /// How many of those loaded were greeted.
    greeted_at_start: usize,
    /// This machine's own physical addresses.
    local_addresses: BTreeSet<SocketAddr>,
    schedule: Schedule,
    watches: Watches,
    retries: Retries,
    registration: Registration,
    fallback: Fallback,
    introductions: Introductions,
    /// ECHOs answered, by path.
    echoes: Gate<Path>,
    /// HELLOs sent to confirm a path that is not known.
    confirmations: Gate<Path>,
    /// Peers tried where the user says they may be.
    configured: Gate<Address>,
    strangers: Strangers,
    answers: Budget,
    probes: Budget,
    probed: Probed,
    is_online: bool,
    conditions: Conditions,
    /// Whether the user wants little to be sent.
    low_bandwidth: bool,
    bonding: Bonding,
}

impl Peers {
    /// Makes a table without anybody in it, who has to agree with `pins`.
    #[must_use]
    pub const fn new(pins: Pins) -> Self {
        Self {
            peers: BTreeMap::new(),
            held: 0,
            acquaintances: Acquaintances::new(),
            pins,
            alarms: Gate::new(IDENTITY_ALARM_PERIOD, GATE_KEYS_MAX),
            greeted_at_start: 0,
            local_addresses: BTreeSet::new(),
            schedule: Schedule::new(),
            watches: Watches::new(),
            retries: Retries::new(),
            registration: Registration::new(),
            fallback: Fallback::new(),
            introductions: Introductions::new(),
            echoes: Gate::new(Duration::from_millis(166), GATE_KEYS_MAX),
            confirmations: Gate::new(Duration::from_secs(1), CONFIRMATIONS_PER_SECOND),
            configured: Gate::new(configured::INTERVAL, PEER_RULES_MAX),
            strangers: Strangers::new(),
            answers: Budget::new(ANSWERS_PER_SECOND, ANSWERS_AT_ONCE),
            probes: Budget::new(PROBES_PER_SECOND, PROBES_AT_ONCE),
            probed: Probed::new(),
            is_online: false,
            conditions: Conditions { metered: false, expensive: false, offline: false },
            low_bandwidth: false,
            bonding: Bonding::new(Policy::None),
        }
    }

    /// Makes the holder of `identity` a peer. Whoever is known stays.
    ///
    /// The caller vouches that the identity is valid.
    ///
    /// # Errors
    ///
    /// What [`Pins::check`] says; [`Rejected::IdentityCollision`] if another identity holds the
    /// address, [`Rejected::InvalidIdentity`] if the address is reserved or no key can be agreed on,
    /// [`Rejected::Full`].
    pub fn learn(&mut self, ctx: &mut Ctx<'_>, identity: &Identity) -> Result<(), Rejected> {
        if self.knows(ctx, identity)? && self.acquaintances.get(identity.address()).is_none() {
            return Ok(());
        }
        check_room(ctx, identity.address())?;
        let key = ctx.me.agree(identity).ok_or(Rejected::InvalidIdentity)?;
        self.insert(ctx, identity, Arc::new(PeerKeys::counted(key, &ctx.tables.expansions)))
    }

    /// Returns whether exactly this identity is known already, this node's own included.
    fn knows(&self, ctx: &Ctx<'_>, identity: &Identity) -> Result<bool, Rejected> {
        let address = identity.address();
        if address.is_reserved() {
            return Err(Rejected::InvalidIdentity);
        }
        let me = (address == ctx.me.address()).then_some(ctx.me.public());
        match me.or_else(|| self.identity(address)) {
            Some(known) if known == identity => Ok(true),
            Some(_) => Err(Rejected::IdentityCollision),
            None => {
                let is_root = ctx.tables.upstreams.binary_search(&address).is_ok();
                self.pins.check(identity, is_root).map(|()| false)
            }
        }
    }

    /// Adds a peer that is not known.
    fn insert(
        &mut self,
        ctx: &mut Ctx<'_>,
        identity: &Identity,
        keys: Arc<PeerKeys>,
    ) -> Result<(), Rejected> {
        let address = identity.address();
        self.make_room(ctx)?;
        self.acquaintances.remove(address);
        self.peers.insert(address, Box::new(Peer::new(ctx.now, *identity)));
        ctx.tables.insert_peer(address, PeerView::new(keys));
        self.schedule.wake(ctx.now + ACTIVITY);
        Ok(())
    }

    /// Takes note of an authentic packet, after it was acted upon (spec 02 §4.3).
    ///
    /// `trusted`: it passed the gate of a network.
    pub fn received(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        surface: &Surface,
        rx: &Received<'_>,
        trusted: bool,
    ) {
        let Some(peer) = self.peers.get_mut(&rx.from) else { return };
        let is_first = peer.heard.replace(ctx.now).is_none();
        if core::mem::take(&mut peer.is_asleep) {
            self.schedule.wake(ctx.now + ACTIVITY);
        }
        if rx.verb.is_nontrivial() {
            if !peer.is_active(ctx.now, Pace::of(self.conditions, self.low_bandwidth)) {
                self.schedule.wake(ctx.now);
            }
            peer.busy = Some(ctx.now);
        }
        let mut is_new_member = false;
        if trusted {
            is_new_member = peer.trusted.replace(ctx.now).is_none();
        }
        peer.count_inbound(rx);
        // A frame on the path in use, which is nearly every packet there is, changes nothing else.
        let is_settled = rx.hops == 0
            && peer.selected == Some(rx.path)
            && !peer.is_due_a_push(ctx.now, Pace::of(self.conditions, self.low_bandwidth), rx.hops)
            && !roots.is_upstream(rx.from)
            && peer.paths.refresh(ctx.now, rx.path);
        if is_new_member {
            self.see(ctx, rx.from);
        }
        if is_settled {
            return;
        }
        if rx.hops == 0 {
            self.arrived(ctx, roots, rx);
            self.heard_root(ctx, roots, rx);
        } else if rx.verb.is_nontrivial() {
            self.suspect(ctx.now, rx.from, None);
        }
        self.push_addresses(ctx, surface, rx);
        self.refresh(ctx, roots, rx.from);
        let is_reached = ctx.tables.peer(rx.from).is_some_and(|view| view.path.is_some());
        if is_first && rx.hops > 0 && !is_reached {
            ctx.out.events.push_back(Event::Peer { address: rx.from, path: None });
        }
    }

    /// Learns from a packet that came straight from the peer, or asks it to confirm the path.
    fn arrived(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, rx: &Received<'_>) {
        let Some(peer) = self.peers.get_mut(&rx.from) else { return };
        peer.unanswered = 0;
        peer.relied_on = None;
        let is_usable = || is_usable_path(ctx.tables, roots, rx.from, rx.path);
        match peer.paths.arrived(ctx.now, rx.path, rx.verb == Verb::Ok, ctx.is_full, is_usable) {
            Arrival::Refreshed | Arrival::Refused => {}
            Arrival::Redundant => self.suspect(ctx.now, rx.from, Some(rx.path)),
            Arrival::Learned => {
                self.schedule.wake(ctx.now);
                self.suspect_move(ctx, roots, rx.from);
                self.pay_worlds(ctx, roots, rx);
            }
            Arrival::Unconfirmed => self.confirm(ctx, roots, rx),
        }
    }

    /// Asks a peer to answer on a path that is not known.
    fn confirm(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, rx: &Received<'_>) {
        if self.confirmations.pass(ctx.now, rx.path) {
            let body = hello::write(ctx, roots, rx.path.remote);
            ctx.out.answer_on(rx.path, rx.from, Verb::Hello, body);
        }
    }

    /// Returns whether the peer at `to`, or a root that relays for it, has answered from the far end
    /// of `path`.
    ///
    /// What the TCP relay names for a source, nobody has proven to hear what UDP brings there.
    #[must_use]
    pub fn is_proven(&self, tables: &Tables, to: Address, path: Path, relayed: bool) -> bool {
        let relays = tables.upstreams.iter().filter(|_| relayed);
        let is_proof = |known: Path| {
            known.remote == path.remote
                && known.is_through_tcp_relay() == path.is_through_tcp_relay()
        };
        core::iter::once(&to)
            .chain(relays)
            .filter_map(|address| self.peers.get(address))
            .any(|peer| peer.paths.iter().any(|known| is_proof(known.path())))
    }

    /// Tells the data plane and the host how `address` is reached, if that has changed.
    fn refresh(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, address: Address) {
        self.bond(ctx.now, roots, address);
        let Some(peer) = self.peers.get_mut(&address) else { return };
        let selected = peer.preferred(ctx.now).map(|known| known.path());
        if peer.selected != selected {
            peer.settle_on(ctx.now, selected);
            if let Some(view) = ctx.tables.peer_mut(address) {
                view.path = selected;
            }
            let path = selected.map(|path| path.remote);
            ctx.out.events.push_back(Event::Peer { address, path });
        }
        if peer.take_saving(ctx.now, ctx.tables.is_upstream) {
            save(ctx, address, peer);
        }
        self.weigh(address);
        if roots.is_upstream(address) {
            self.refresh_upstreams(ctx, roots);
        }
    }

    /// Takes note of what a peer says it runs.
    fn announced(&mut self, ctx: &mut Ctx<'_>, address: Address, version: Version) {
        if let Some(peer) = self.peers.get_mut(&address) {
            peer.version = Some(version);
        }
        if let Some(view) = ctx.tables.peer_mut(address) {
            view.takes_aes = version.protocol >= 12;
        }
    }

    /// Forgets whoever was silent longest if the table is full.
    fn make_room(&mut self, ctx: &mut Ctx<'_>) -> Result<(), Rejected> {
        let max = if ctx.tables.is_upstream { PEERS_MAX_ROOT } else { PEERS_MAX };
        if self.peers.len() < max {
            return Ok(());
        }
        let upstreams = &ctx.tables.upstreams;
        let silent = self.peers.iter().filter(|(address, peer)| {
            !peer.is_trusted(ctx.now) && upstreams.binary_search(address).is_err()
        });
        let (&address, peer) =
            silent.min_by_key(|(_, peer)| peer.silent_since()).ok_or(Rejected::Full)?;
        if ctx.now.since(peer.silent_since()) < EVICTABLE {
            return Err(Rejected::Full);
        }
        self.forget(ctx, address);
        Ok(())
    }

    /// Returns the best path to a peer, however long ago it was heard there.
    #[must_use]
    pub fn any_path(&self, now: Instant, address: Address) -> Option<Path> {
        self.peers.get(&address)?.paths.best(now).map(|known| known.path())
    }

    fn each(&self) -> impl Iterator<Item = (&Address, &Peer)> {
        self.peers.iter().map(|(address, peer)| (address, &**peer))
    }

    /// Returns how every peer is doing that was not silent for long or is a root, by ascending
    /// address.
    #[must_use]
    pub fn statuses(&self, now: Instant, tables: &Tables, roots: &Roots) -> Vec<PeerStatus> {
        let status = |(&address, peer): (&Address, &Peer)| {
            let selected = peer.preferred(now);
            PeerStatus {
                address,
                role: roots.role(address),
                version: peer.version.map(|v| (v.protocol, v.major, v.minor, v.revision)),
                latency: selected.and_then(|known| known.latency()).map(Duration::from_millis),
                path: selected.map(|known| known.path().remote),
                trusted: tables
                    .peer(address)
                    .and_then(|view| tables.way(view, view.path?)?.trusted),
                paths: peer.paths.unexpired(now).map(|known| known.path().remote).collect(),
            }
        };
        let is_there =
            |(address, peer): &(&Address, &Peer)| !peer.is_asleep || roots.is_upstream(**address);
        self.each().filter(is_there).map(status).collect()
    }
}

impl Default for Peers {
    fn default() -> Self {
        Self::new(Pins::new())
    }
}

impl Directory for Peers {
    fn identity(&self, address: Address) -> Option<&Identity> {
        let peer = self.peers.get(&address).map(|peer| &peer.identity);
        peer.or_else(|| self.acquaintances.get(address))
    }
}

/// Refuses newcomers other than roots while memory is short: whoever could be forgotten for them has
/// been.
///
/// # Errors
///
/// [`Rejected::Full`].
fn check_room(ctx: &Ctx<'_>, newcomer: Address) -> Result<(), Rejected> {
    let is_root = || ctx.tables.upstreams.binary_search(&newcomer).is_ok();
    if ctx.is_full && !is_root() { Err(Rejected::Full) } else { Ok(()) }
}

/// Returns whether a path to the peer at `address` may lead to `ip` (spec 02 §4.2).
fn is_usable(tables: &Tables, roots: &Roots, address: Address, ip: IpAddr) -> bool {
    // As IPv4-mapped IPv6 addresses, those of IPv4 would look like anybody's.
    let ip = ip.to_canonical();
    let is_place = is_usable_endpoint(ip) || tables.allow_loopback && ip.is_loopback();
    let is_wanted = !tables.path_rules.forbids(address, ip);
    is_wanted && is_place && roots.allows_endpoint(address, ip) && !tables.is_managed(ip)
}

/// Returns whether `path` may be learned for the peer at `address`.
fn is_usable_path(tables: &Tables, roots: &Roots, address: Address, path: Path) -> bool {
    // What still comes through the TCP relay while UDP does shall not be relied on.
    let leads_there = !path.is_through_tcp_relay() || tables.uses_tcp_relay;
    leads_there && is_usable(tables, roots, address, path.remote.ip())
}
