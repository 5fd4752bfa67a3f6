//! What happens because time passes: heartbeats, finding roots, forgetting the silent.
//!
//! Roots are looked after one by one, the sooner the less is known of them. All other peers are
//! looked after together, at multiples of five seconds, so that a device sleeps in between.
//!
//! Source: spec 02 §4.5, §5.1, §11.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeSet;

use crate::address::Address;
use crate::endpoint::Path;
use crate::event::{Event, IdentitySource};
use crate::limits::SILENT_PEERS_MAX;
use crate::outbox::Ctx;
use crate::peer::record::save;
use crate::peer::surroundings::Pace;
use crate::peer::{ACTIVITY, Peer, Peers, hello};
use crate::roots::Roots;
use crate::surface::Surface;
use crate::time::Instant;

/// What is not urgent happens at multiples of this.
const GRID: Duration = Duration::from_secs(5);

/// How often a peer that is always wanted but has no path is greeted through a root.
const RELAYED_GREETING: Duration = Duration::from_secs(28);

/// How long a root may take to answer on a path that is known.
const ANSWER: Duration = Duration::from_secs(1);

/// How long after something was sent to a root or through it a sign of life is asked for, unless
/// there was one. With the probes that may stay unanswered this is less than five seconds.
const RELIANCE: Duration = Duration::from_millis(1_500);

/// How long the first HELLO to a root may take; each further one twice as long.
const FIRST_ANSWER: Duration = Duration::from_millis(250);

/// The longest pause between HELLOs to a root that does not answer: while no other does, and
/// while one does.
const RETRY_OFFLINE: Duration = Duration::from_secs(5);
const RETRY_ONLINE: Duration = Duration::from_secs(30);

/// When peers want to be looked after.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Where the grid begins, once the clock has been seen.
    origin: Option<Instant>,
    /// When some peer that is no root is due.
    peers: Option<Instant>,
    /// When some root is due.
    upstreams: Option<Instant>,
    /// Peers to be kept in contact with whether there is traffic or not.
    wanted: BTreeSet<Address>,
}

impl Schedule {
    pub(super) const fn new() -> Self {
        Self { origin: None, peers: None, upstreams: Some(Instant::ZERO), wanted: BTreeSet::new() }
    }

    /// Has peers looked after at the first opportunity not before `at`.
    pub(super) fn wake(&mut self, at: Instant) {
        let at = self.aligned(at);
        self.peers = Some(self.peers.map_or(at, |peers| peers.min(at)));
    }

    /// Returns whether `address` is to be kept in contact with, whatever there is to say.
    pub(super) fn wants(&self, address: Address) -> bool {
        self.wanted.contains(&address)
    }

    /// Has everybody looked after without delay.
    pub(super) fn wake_now(&mut self) {
        self.peers = Some(Instant::ZERO);
        self.upstreams = Some(Instant::ZERO);
    }

    /// Has roots looked after at `at` or sooner.
    pub(super) fn wake_upstreams(&mut self, at: Instant) {
        self.upstreams = Some(self.upstreams.map_or(at, |upstreams| upstreams.min(at)));
    }

    /// Returns the first point of the grid not before `at`.
    fn aligned(&self, at: Instant) -> Instant {
        let since = at.since(self.origin.unwrap_or(at));
        let late = Duration::new(since.as_secs() % GRID.as_secs(), since.subsec_nanos());
        if late.is_zero() { at } else { at + (GRID - late) }
    }
}

impl Peer {
    /// Returns when a peer that is no root next wants something: to be probed, to lose a path, to
    /// fall asleep.
    fn next_due(&self, now: Instant, pace: Pace, is_wanted: bool) -> Instant {
        let asleep = self.silent_since() + ACTIVITY;
        let asleep = if self.is_asleep { Instant::FAR_FUTURE } else { asleep };
        let expiry = self.selected.and_then(|path| self.paths.expiry_of(path));
        let is_kept = is_wanted || self.is_active(now, pace);
        let probe = if is_kept && self.paths.any_unexpired(now) {
            let greeting = self.greeted.map_or(now, |greeted| greeted + pace.greeting);
            let heartbeat = self.paths.next_probe(now, pace.heartbeat, self.kept_open(pace));
            Some(heartbeat.map_or(greeting, |heartbeat| heartbeat.min(greeting)))
        } else if is_wanted {
            Some(self.greeted.map_or(now, |greeted| greeted + RELAYED_GREETING))
        } else {
            None
        };
        [expiry, probe].into_iter().flatten().fold(asleep, Instant::min)
    }

    /// Returns when a peer in use is next probed on a path that is kept open.
    pub(super) fn next_heartbeat(&self, now: Instant, pace: Pace) -> Option<Instant> {
        let next = self.paths.next_probe(now, pace.heartbeat, self.kept_open(pace));
        next.filter(|_| self.is_active(now, pace))
    }

    /// Returns which paths are kept open.
    fn kept_open(&self, pace: Pace) -> impl Fn(Path) -> bool + use<> {
        let selected = self.selected;
        move |path| pace.alternatives || selected.is_none() || selected == Some(path)
    }

    /// Returns when a root next wants to be probed.
    fn next_probe(&self, now: Instant, pace: Pace, is_best: bool, is_online: bool) -> Instant {
        let (Some(probed), Some(greeted)) = (self.probed, self.greeted) else { return now };
        if self.is_failing() || !self.paths.any_unexpired(now) {
            let longest = if is_online { RETRY_ONLINE } else { RETRY_OFFLINE };
            let doublings = self.unanswered.saturating_sub(1).min(8);
            return probed + (FIRST_ANSWER * (1 << doublings)).min(longest);
        }
        if self.unanswered > 0 {
            return probed + ANSWER;
        }
        let heartbeat = self.paths.next_probe(now, pace.heartbeat, self.kept_open(pace));
        let heartbeat = heartbeat.filter(|_| is_best);
        let reliance = self.relied_on.map(|since| since + RELIANCE);
        [heartbeat, reliance].into_iter().flatten().fold(greeted + pace.greeting, Instant::min)
    }

    /// Returns whether a root owes this node an answer, so that the next probe cannot wait.
    const fn owes_answer(&self) -> bool {
        self.unanswered > 0 || self.relied_on.is_some()
    }
}

impl Peers {
    /// Does what is due.
    ///
    /// `always_contact`: peers to be kept in contact with whether there is traffic or not.
    pub fn handle_timeout(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        surface: &mut Surface,
        always_contact: &[Address],
    ) {
        self.schedule.origin.get_or_insert(ctx.now);
        let wanted = BTreeSet::from_iter(always_contact.iter().copied());
        if self.schedule.wanted != wanted {
            self.schedule.wanted = wanted;
            self.schedule.wake(ctx.now);
        }
        if self.registration.poll_timeout().is_some_and(|due| due <= ctx.now) {
            self.decide(ctx, roots);
        }
        self.fall_back(ctx, roots);
        self.look_at_paths(ctx, roots);
        self.follow_again(ctx, roots);
        if self.schedule.upstreams.is_some_and(|due| due <= ctx.now) {
            self.learn_roots(ctx, roots);
            self.look_after_roots(ctx, roots);
        }
        if self.schedule.peers.is_some_and(|due| due <= ctx.now) {
            surface.expire(ctx.now);
            self.look_after_peers(ctx, roots);
        }
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) next has something to do, and what.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let upstreams = self.schedule.upstreams.map(|at| (at, "root_probe"));
        let peers = self.schedule.peers.map(|at| (at, "peer_probe"));
        let registration = self.registration.poll_timeout();
        let registration = registration.map(|at| (at, "registration"));
        let watches = self.watches.poll_timeout().map(|at| (at, "path_in_use"));
        let retries = self.retries.poll_timeout().map(|at| (at, "address_retry"));
        let fallback = self.fallback.poll_timeout().map(|at| (at, "udp_blocked"));
        [upstreams, peers, registration, watches, retries, fallback].into_iter().flatten().min()
    }

    /// Takes note that something was sent to a root or through it: if the root does not show soon
    /// that it is there, it is asked, and left if it does not answer.
    pub fn rely_on(&mut self, now: Instant, root: Address) {
        let Some(peer) = self.peers.get_mut(&root) else { return };
        if peer.relied_on.is_none() {
            peer.relied_on = Some(now);
            self.schedule.wake_upstreams(now + RELIANCE);
        }
    }

    /// Makes every root a peer, so that it can be greeted.
    pub fn learn_roots(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        for identity in roots.identities() {
            if let Err(rejected) = self.learn_from(ctx, identity, IdentitySource::World) {
                log::warn!("root {} cannot be a peer: {rejected}", identity.address());
            }
        }
    }

    /// Probes the roots that are due.
    fn look_after_roots(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        let best = ctx.tables.upstream.map(|(address, _)| address);
        let pace = Pace::of(self.conditions, self.low_bandwidth);
        for (&address, endpoints) in roots.upstreams() {
            let Some(peer) = self.peers.get(&address) else { continue };
            if peer.next_probe(ctx.now, pace, best == Some(address), self.is_online) <= ctx.now {
                self.contact_root(ctx, roots, address, endpoints);
                self.refresh(ctx, roots, address);
            }
        }
        self.refresh_upstreams(ctx, roots);
    }

    /// Works out when the next root is due.
    pub(super) fn schedule_upstreams(&mut self, ctx: &Ctx<'_>, roots: &Roots) {
        let best = ctx.tables.upstream.map(|(address, _)| address);
        let pace = Pace::of(self.conditions, self.low_bandwidth);
        let due = roots.upstreams().keys().filter_map(|address| {
            let peer = self.peers.get(address)?;
            let due = peer.next_probe(ctx.now, pace, best == Some(*address), self.is_online);
            let is_urgent = due <= ctx.now || peer.owes_answer() && due < ctx.now + GRID;
            Some(if is_urgent { due } else { self.schedule.aligned(due) })
        });
        self.schedule.upstreams = due.min();
    }

    /// Probes a root: with HELLO at its paths and at a random endpoint of every family it has no
    /// path in if that is due or it does not answer, else with ECHO at its paths.
    pub(super) fn contact_root(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        address: Address,
        endpoints: &[SocketAddr],
    ) {
        let (now, pace) = (ctx.now, Pace::of(self.conditions, self.low_bandwidth));
        let Some(peer) = self.peers.get_mut(&address) else { return };
        let is_sought = peer.is_failing() || !peer.paths.any_unexpired(now);
        let greets = is_sought || now.is_due(peer.greeted, pace.greeting);
        if peer.paths.any_unexpired(now) {
            peer.paths.expire(now);
        }
        let all = greets || peer.owes_answer();
        let kept_open = peer.kept_open(pace);
        let is_of_interest = |path| is_sought || peer.unanswered > 0 || kept_open(path);
        let paths = peer.paths.take_probes(now, pace.heartbeat, all, is_of_interest);
        peer.relied_on = None;
        peer.probed = Some(now);
        peer.unanswered = peer.unanswered.saturating_add(1);
        if greets {
            peer.greeted = Some(now);
        }
        self.probe_all(ctx, roots, address, &paths, greets);
        if greets && (is_sought || pace.alternatives) {
            self.greet_endpoints(ctx, roots, address, &paths, endpoints);
        }
    }

    /// Greets a root at a random endpoint of every family it has no path in, or through another
    /// root if it has neither paths nor endpoints.
    fn greet_endpoints(
        &self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        address: Address,
        paths: &[Path],
        endpoints: &[SocketAddr],
    ) {
        for is_ipv6 in [false, true] {
            // Behind a TCP relay, UDP is tried all the time.
            let mut paths = paths.iter().filter(|path| !path.is_through_tcp_relay());
            if paths.any(|path| path.remote.is_ipv6() == is_ipv6) {
                continue;
            }
            let rules = &ctx.tables.path_rules;
            let is_of_use =
                |at: &SocketAddr| at.is_ipv6() == is_ipv6 && !rules.forbids(address, at.ip());
            let family: Vec<SocketAddr> = endpoints.iter().copied().filter(is_of_use).collect();
            if let Some(&remote) = family.get(ctx.rng.below(family.len())) {
                hello::greet(ctx, roots, address, remote);
            }
        }
        if paths.is_empty() && endpoints.is_empty() {
            greet_through_root(ctx, roots, address);
        }
    }

    /// Looks after every peer that is due and is no root.
    fn look_after_peers(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        let pace = Pace::of(self.conditions, self.low_bandwidth);
        let is_due = |(address, peer): &(&Address, &Peer)| {
            let is_wanted = self.schedule.wanted.contains(address);
            !roots.is_upstream(**address) && peer.next_due(ctx.now, pace, is_wanted) <= ctx.now
        };
        let due: Vec<Address> = self.each().filter(is_due).map(|(a, _)| *a).collect();
        for address in due {
            self.look_after(ctx, roots, address);
        }
        self.forget_surplus(ctx, roots);
        let is_unknown = |wanted: &&Address| !self.peers.contains_key(wanted);
        let unknown: Vec<Address> =
            self.schedule.wanted.iter().filter(is_unknown).copied().collect();

        let peers = self.each().filter(|(address, _)| !roots.is_upstream(**address));
        let next = peers.map(|(address, peer)| {
            peer.next_due(ctx.now, pace, self.schedule.wanted.contains(address))
        });
        let next = next.chain(unknown.first().map(|_| ctx.now)).min();
        ctx.out.whois.extend(unknown);
        let next = next.filter(|&next| next < Instant::FAR_FUTURE);
        self.schedule.peers = next.map(|next| self.schedule.aligned(next.max(ctx.now + GRID)));
    }

    /// Keeps a peer's paths open if it is in use, and has it saved if it has fallen silent.
    fn look_after(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, address: Address) {
        let (now, pace) = (ctx.now, Pace::of(self.conditions, self.low_bandwidth));
        let is_wanted = self.schedule.wanted.contains(&address);
        let Some(peer) = self.peers.get_mut(&address) else { return };
        if !peer.is_asleep && now.since(peer.silent_since()) >= ACTIVITY {
            peer.is_asleep = true;
            save(ctx, address, peer);
            if let Some(view) = ctx.tables.peer_mut(address) {
                view.fold_keys();
            }
        }
        if is_wanted || peer.is_active(now, pace) {
            peer.paths.expire(now);
            let has_path = peer.paths.any_unexpired(now);
            let period = if has_path { pace.greeting } else { RELAYED_GREETING };
            let greets = now.is_due(peer.greeted, period);
            if greets {
                peer.greeted = Some(now);
            }
            let kept_open = peer.kept_open(pace);
            let paths = peer.paths.take_probes(now, pace.heartbeat, greets, kept_open);
            self.probe_all(ctx, roots, address, &paths, greets);
            if is_wanted && greets && !has_path {
                greet_through_root(ctx, roots, address);
            }
        }
        self.refresh(ctx, roots, address);
    }

    /// Probes a peer on paths of its, with HELLO or with the least it understands.
    fn probe_all(
        &self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        address: Address,
        paths: &[Path],
        greets: bool,
    ) {
        if greets && !Pace::of(self.conditions, self.low_bandwidth).alternatives {
            for &path in paths {
                hello::greet_on(ctx, roots, address, path);
            }
        } else if greets {
            // HELLO leaves from all sockets, so that paths that differ in the socket share one.
            let way = |&path: &Path| {
                if path.is_through_tcp_relay() { path } else { Path::from_all(path.remote) }
            };
            for path in BTreeSet::from_iter(paths.iter().map(way)) {
                hello::greet_along(ctx, roots, address, path);
            }
        } else {
            for &path in paths {
                self.probe(ctx, roots, address, path);
            }
        }
    }

    /// Forgets those silent longest if too many are.
    fn forget_surplus(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        let is_asleep =
            |(address, peer): &(&Address, &Peer)| peer.is_asleep && !roots.is_upstream(**address);
        let asleep = self.each().filter(is_asleep);
        let mut asleep: Vec<(Instant, Address)> =
            asleep.map(|(&address, peer)| (peer.silent_since(), address)).collect();
        asleep.sort_unstable();
        let surplus = asleep.len().saturating_sub(SILENT_PEERS_MAX);
        for &(_, address) in asleep.iter().take(surplus) {
            self.forget(ctx, address);
        }
    }

    /// Forgets a peer, having it saved.
    pub(super) fn forget(&mut self, ctx: &mut Ctx<'_>, address: Address) {
        let Some(peer) = self.peers.remove(&address) else { return };
        ctx.tables.remove_peer(address);
        self.held -= peer.held;
        self.acquaintances.add(peer.identity, ctx.tables.is_upstream);
        if !peer.is_asleep {
            save(ctx, address, &peer);
        }
        if peer.selected.is_some() {
            ctx.out.events.push_back(Event::Peer { address, path: None });
        }
    }
}

/// Greets a peer no path leads to through the best root.
pub(super) fn greet_through_root(ctx: &mut Ctx<'_>, roots: &Roots, address: Address) {
    if let Some((root, path)) = ctx.tables.upstream
        && root != address
    {
        hello::greet_along(ctx, roots, address, path);
    }
}
