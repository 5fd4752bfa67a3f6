//! Which root is the best, and whether any is there.
//!
//! Source: spec 02 §5.2.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::BTreeSet;

use crate::address::Address;
use crate::event::Event;
use crate::outbox::Ctx;
use crate::peer::keepalive::greet_through_root;
use crate::peer::path::{LATENCY_UNKNOWN, UNANSWERED_MAX};
use crate::peer::{ACTIVITY, Peer, Peers, hello};
use crate::roots::Roots;
use crate::status::{Contact, Role};
use crate::time::Instant;

/// Every so long of silence a root counts as once more as far away.
const PATIENCE: Duration = Duration::from_secs(61);

impl Peer {
    /// Returns whether a root has left too many probes in a row unanswered.
    pub(super) const fn is_failing(&self) -> bool {
        self.unanswered > UNANSWERED_MAX
    }

    /// Returns whether the peer was heard lately and answers.
    pub(super) fn is_live(&self, now: Instant) -> bool {
        !self.is_failing() && self.heard.is_some_and(|heard| now.since(heard) < ACTIVITY)
    }

    /// Returns how bad a root is as a relay: the smaller, the better.
    fn relay_quality(&self, now: Instant) -> u64 {
        if !self.is_live(now) {
            return u64::MAX;
        }
        let latency = self.paths.selected(now).and_then(|known| known.latency());
        let silence = now.since(self.silent_since()).as_secs() / PATIENCE.as_secs();
        // A root on this very machine is measured as zero, which is not unknown but very near.
        latency.unwrap_or(LATENCY_UNKNOWN).max(1) * (silence + 1)
    }
}

impl Peers {
    /// Makes the data plane use the best root, and tells the host when the last one goes or the
    /// first one comes.
    pub(super) fn refresh_upstreams(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        let (now, defers) = (ctx.now, roots.is_moon_root());
        let ways = roots.upstreams().keys().filter_map(|&address| {
            let peer = self.peers.get(&address)?;
            let path = peer.paths.selected(now).or_else(|| peer.paths.best(now))?.path();
            let is_of_use = !self.registration.is_disputed_by(address);
            let quality = if is_of_use { peer.relay_quality(now) } else { u64::MAX };
            // Roots of moons that ask each other would never ask the planet's, who know everybody.
            let is_second = defers && roots.role(address) != Role::Planet;
            let rank = (quality == u64::MAX, is_second, quality);
            Some((rank, Reverse(address), path))
        });
        ctx.tables.upstream = ways.min().map(|(_, Reverse(address), path)| (address, path));

        let is_online = self.is_online(now, roots);
        ctx.tables.is_online = is_online;
        if self.is_online != is_online {
            self.is_online = is_online;
            ctx.out.events.push_back(Event::Online(is_online));
        }
        self.schedule_upstreams(ctx, roots);
    }

    /// Goes by the worlds in force from here on.
    pub fn worlds_changed(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        self.learn_roots(ctx, roots);
        self.cut_off_unpinned(ctx, roots);
        self.registration.keep(|address| roots.is_upstream(address));
        self.refresh_upstreams(ctx, roots);
        // Whoever is no root any more may be due to be forgotten.
        self.schedule.wake(ctx.now);
    }

    /// Asks everybody who is asked for a moon, without waiting for their turn.
    pub fn ask_seeds(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        for seed in BTreeSet::from_iter(roots.seeds()) {
            self.ask_seed(ctx, roots, seed);
        }
    }

    /// Greets a seed wherever it can be, or finds out who it is.
    pub(super) fn ask_seed(&self, ctx: &mut Ctx<'_>, roots: &Roots, seed: Address) {
        match self.peers.get(&seed) {
            None => ctx.out.whois.push_back(seed),
            Some(peer) => match peer.paths.selected(ctx.now) {
                Some(known) => hello::greet_along(ctx, roots, seed, known.path()),
                None => greet_through_root(ctx, roots, seed),
            },
        }
    }

    /// Returns how a root is reached.
    #[must_use]
    pub fn contact(&self, now: Instant, address: Address) -> Contact {
        match self.peers.get(&address) {
            _ if self.registration.is_disputed_by(address) => Contact::Disputes,
            Some(peer) if peer.is_live(now) => {
                Contact::Answers(peer.paths.selected(now).map(|known| known.path().remote))
            }
            Some(_) | None => Contact::Silent,
        }
    }

    /// Returns whether a root answers, or this node is one, and there is a network.
    #[must_use]
    pub fn is_online(&self, now: Instant, roots: &Roots) -> bool {
        let undisputed = |root: &&Address| !self.registration.is_disputed_by(**root);
        let upstreams = roots.upstreams().keys().filter(undisputed);
        let mut upstreams = upstreams.filter_map(|address| self.peers.get(address));
        let is_reached = roots.lists_me() || upstreams.any(|peer| peer.is_live(now));
        is_reached && !self.conditions.offline
    }
}
