//! Which root is the best, and whether any is there.
//!
//! Source: spec 02 §5.2.

use core::cmp::Reverse;
use core::time::Duration;

use crate::event::Event;
use crate::outbox::Ctx;
use crate::peer::path::{LATENCY_UNKNOWN, UNANSWERED_MAX};
use crate::peer::{ACTIVITY, Peer, Peers};
use crate::roots::Roots;
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
        let now = ctx.now;
        let ways = roots.upstreams().keys().filter_map(|&address| {
            let peer = self.peers.get(&address)?;
            let path = peer.paths.selected(now).or_else(|| peer.paths.best(now))?.path();
            Some((peer.relay_quality(now), Reverse(address), path))
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

    /// Returns whether a root answers, or this node is one.
    #[must_use]
    pub fn is_online(&self, now: Instant, roots: &Roots) -> bool {
        let mut upstreams = roots.upstreams().keys().filter_map(|address| self.peers.get(address));
        roots.lists_me() || upstreams.any(|peer| peer.is_live(now))
    }
}
