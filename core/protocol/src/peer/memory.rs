//! What peers take, and whom the node can do without when memory is short.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::limits::{CONFIRMATIONS_PER_SECOND, GATE_KEYS_MAX, INTRODUCTIONS_MAX, pool_within};
use crate::memory;
use crate::outbox::Ctx;
use crate::peer::bond::Bond;
use crate::peer::hello::Asked;
use crate::peer::{EVICTABLE, Peer, Peers};
use crate::time::Instant;

impl Peer {
    /// Returns what is kept of the peer besides its record, in bytes.
    fn holds(&self) -> usize {
        self.paths.footprint()
            + self.leads.footprint()
            + self.bond.as_ref().map_or(0, |_| size_of::<Bond>())
            + self.owed_worlds.as_ref().map_or(0, |asked| Asked::footprint(asked))
    }
}

impl Peers {
    /// Lets the pools that only traffic fills have their share of a memory budget.
    pub fn narrow_pools(&mut self, budget: Option<usize>) {
        self.echoes.narrow(pool_within(budget, GATE_KEYS_MAX));
        self.confirmations.narrow(pool_within(budget, CONFIRMATIONS_PER_SECOND));
        self.introductions.narrow(pool_within(budget, INTRODUCTIONS_MAX));
    }

    /// Returns what is known of peers and kept for their sake takes, in bytes, without what the data
    /// plane keeps of them.
    #[must_use]
    pub fn footprint(&self) -> usize {
        let gates = self.alarms.footprint()
            + self.echoes.footprint()
            + self.confirmations.footprint()
            + self.configured.footprint()
            + self.introductions.footprint();
        let schedules = memory::of_tree_set(&self.watches.0) + self.retries.footprint();
        memory::of_tree(&self.peers)
            + self.peers.len() * size_of::<Peer>()
            + self.held
            + self.acquaintances.footprint()
            + self.pins.footprint()
            + self.probed.footprint()
            + self.strangers.footprint()
            + gates
            + schedules
    }

    /// Takes note of what a peer holds, which may have changed.
    pub(super) fn weigh(&mut self, address: Address) {
        if let Some(peer) = self.peers.get_mut(&address) {
            let before = peer.held;
            peer.held = peer.holds();
            self.held = self.held - before + peer.held;
        }
    }

    /// Forgets what is too old to limit anybody.
    pub fn lapse(&mut self, now: Instant) {
        self.alarms.lapse(now);
        self.echoes.lapse(now);
        self.confirmations.lapse(now);
        self.configured.lapse(now);
        self.introductions.lapse(now);
        self.strangers.lapse(now);
    }

    /// Forgets those who are no peers, until so many bytes are given back or nobody is left.
    pub fn give_back_acquaintances(&mut self, surplus: usize) {
        self.acquaintances.shrink_to(self.acquaintances.footprint().saturating_sub(surplus));
    }

    /// Folds the keys of peers that were not heard for a minute, and gives back the room of paths
    /// they had.
    pub fn fold_idle(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now;
        let is_idle = |peer: &Peer| now.since(peer.silent_since()) >= EVICTABLE;
        let idle = self.peers.iter_mut().filter(|(_, peer)| is_idle(peer));
        let mut folded = Vec::new();
        for (&address, peer) in idle {
            peer.paths.shrink();
            folded.push(address);
            if let Some(view) = ctx.tables.peer_mut(address)
                && view.keys.is_expanded()
            {
                view.fold_keys();
            }
        }
        for address in folded {
            self.weigh(address);
        }
    }

    /// Forgets peers that were not heard for a minute, having them saved, until so many bytes are
    /// given back: strangers before members of this node's networks, those silent longest first.
    ///
    /// Roots and those in `kept` stay, as do those the networks want to be in contact with.
    pub fn give_back_silent(
        &mut self,
        ctx: &mut Ctx<'_>,
        kept: &BTreeSet<Address>,
        surplus: usize,
    ) {
        let (now, upstreams) = (ctx.now, &ctx.tables.upstreams);
        let may_go = |(address, peer): &(&Address, &Peer)| {
            now.since(peer.silent_since()) >= EVICTABLE
                && upstreams.binary_search(address).is_err()
                && !kept.contains(address)
                && !self.schedule.wants(**address)
        };
        let silent = self.each().filter(may_go);
        let mut silent: Vec<(bool, Instant, Address)> = silent
            .map(|(&address, peer)| (peer.is_trusted(now), peer.silent_since(), address))
            .collect();
        silent.sort_unstable();
        let goal = self.footprint().saturating_sub(surplus);
        for (_, _, address) in silent {
            if self.footprint() <= goal {
                break;
            }
            self.forget(ctx, address);
            // It is saved, and found again by asking a root.
            self.acquaintances.remove(address);
        }
        ctx.tables.shrink_peers();
    }
}
