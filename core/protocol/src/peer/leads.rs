//! Addresses somebody says a peer may be reached at, and what came of trying them.
//!
//! Where a translator lets in only whom its host has sent to, the first probe of one side opens the
//! way for the other's and is lost itself. So what a root names is tried again a moment later; and so
//! is where a peer was reached until this node's own network changed, which takes moments to be of use.
//! What the peer names itself is tried once each time: it could be anybody's address. How often an
//! address is tried whoever names it, `probed` says.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};

use crate::address::Address;
use crate::endpoint::{Path, SocketId};
use crate::limits::{LEADS_PER_PEER_MAX, PATHS_PER_PEER_FULL, PROBES_PER_ADDRESS_MAX};
use crate::memory;
use crate::outbox::Ctx;
use crate::peer::Peers;
use crate::peer::surroundings::Pace;
use crate::roots::Roots;
use crate::status::NamedBy;
use crate::time::Instant;

/// How long after a probe of an address that is tried again the next is sent.
const RETRY: Duration = Duration::from_millis(500);

/// An address a peer may be reached at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lead {
    pub(super) path: Path,
    pub(super) named_by: NamedBy,
    /// Since when it is remembered.
    since: Instant,
    /// When the peer was last asked to answer there, and how often in a row.
    pub(super) probed: Instant,
    pub(super) probes: u32,
}

/// The latest leads to one peer, oldest first.
#[derive(Debug, Default)]
pub(super) struct Leads(VecDeque<Lead>);

impl Leads {
    /// Takes note that the peer was asked to answer on `path`, for the `probes`th time in a row by
    /// that word. The oldest lead makes room, those the peer itself named first.
    /// While memory `is_full`, that goes for few.
    pub(super) fn add(
        &mut self,
        now: Instant,
        is_full: bool,
        path: Path,
        (named_by, probes): (NamedBy, u32),
    ) {
        if let Some(known) = self.0.iter_mut().find(|lead| lead.path.remote == path.remote) {
            if matches!(named_by, NamedBy::Root | NamedBy::Nobody) {
                (known.path, known.named_by) = (path, named_by);
            }
            (known.probed, known.probes) = (now, probes);
            return;
        }
        let max = if is_full { PATHS_PER_PEER_FULL } else { LEADS_PER_PEER_MAX };
        if self.0.len() >= max {
            let index = self.0.iter().position(|lead| lead.named_by == NamedBy::Peer);
            self.0.remove(index.unwrap_or(0));
        }
        self.0.push_back(Lead { path, named_by, since: now, probed: now, probes });
    }

    /// Returns those that are due another probe.
    fn due(&self, now: Instant) -> impl Iterator<Item = &Lead> {
        self.0.iter().filter(move |lead| lead.next().is_some_and(|next| next <= now))
    }

    /// Takes note that `path` was probed again, for the `probes`th time, or that it may not be.
    fn tried_again(&mut self, now: Instant, path: Path, probes: Option<u32>) {
        if let Some(lead) = self.0.iter_mut().find(|lead| lead.path == path) {
            lead.probed = if probes.is_some() { now } else { lead.probed };
            lead.probes = probes.unwrap_or(PROBES_PER_ADDRESS_MAX);
        }
    }

    fn next(&self) -> Option<Instant> {
        self.0.iter().filter_map(Lead::next).min()
    }

    /// Follows leads that named one of these sockets, which are gone, from all others.
    pub(super) fn close(&mut self, closed: &[SocketId]) {
        for lead in self.0.iter_mut().filter(|lead| closed.contains(&lead.path.local)) {
            lead.path.local = SocketId::ALL;
        }
    }

    /// Returns since when there are any.
    pub(super) fn since(&self) -> Option<Instant> {
        self.0.iter().map(|lead| lead.since).min()
    }

    /// Forgets those to addresses that are not `usable`.
    pub(super) fn keep(&mut self, usable: impl Fn(IpAddr) -> bool) {
        self.0.retain(|lead| usable(lead.path.remote.ip()));
    }

    /// Returns what they take, in bytes.
    pub(super) fn footprint(&self) -> usize {
        memory::of_queue(&self.0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Lead> {
        self.0.iter()
    }
}

impl Lead {
    /// Returns when it is to be tried again.
    pub(super) fn next(&self) -> Option<Instant> {
        let is_repeated = matches!(self.named_by, NamedBy::Root | NamedBy::Nobody)
            && self.probes < PROBES_PER_ADDRESS_MAX;
        is_repeated.then(|| self.probed + RETRY * self.probes)
    }
}

/// Who has leads that are to be tried again, and when.
#[derive(Debug)]
pub(super) struct Retries(BTreeSet<(Instant, Address)>);

impl Retries {
    pub(super) const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Returns what they take, in bytes.
    pub(super) fn footprint(&self) -> usize {
        memory::of_tree_set(&self.0)
    }

    /// Returns when the next is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.0.first().map(|&(at, _)| at)
    }

    fn take_due(&mut self, now: Instant) -> Option<Address> {
        let first = *self.0.first().filter(|(at, _)| *at <= now)?;
        self.0.remove(&first);
        Some(first.1)
    }
}

impl Peers {
    /// Asks a peer to answer on `path`, which leads to where somebody says it is, unless the address
    /// was probed often, or so many all too often; returns whether it was asked.
    pub(super) fn follow(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        to: Address,
        path: Path,
        named_by: NamedBy,
    ) -> bool {
        let Some(peer) = self.peers.get(&to) else { return false };
        let pace = Pace::of(self.conditions, self.low_bandwidth);
        let is_wanted = peer.selected.is_none() || pace.alternatives;
        if !is_wanted {
            return false;
        }
        let Some(probes) = self.may_probe(ctx.now, to, path.remote, named_by) else { return false };
        let Some(peer) = self.peers.get_mut(&to) else { return false };
        peer.leads.add(ctx.now, ctx.is_full, path, (named_by, probes));
        self.retries.0.extend(peer.leads.next().map(|next| (next, to)));
        self.weigh(to);
        self.probe(ctx, roots, to, path);
        true
    }

    /// Tries again what is due, unless the peer is reached by now.
    pub(super) fn follow_again(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        while let Some(address) = self.retries.take_due(ctx.now) {
            let Some(peer) = self.peers.get(&address) else { continue };
            if peer.selected.is_some() {
                continue;
            }
            let due: Vec<Lead> = peer.leads.due(ctx.now).copied().collect();
            for Lead { path, named_by, .. } in due {
                let probes = self.may_probe(ctx.now, address, path.remote, named_by);
                let Some(peer) = self.peers.get_mut(&address) else { continue };
                peer.leads.tried_again(ctx.now, path, probes);
                if probes.is_some() {
                    self.probe(ctx, roots, address, path);
                }
            }
            let next = self.peers.get(&address).and_then(|peer| peer.leads.next());
            self.retries.0.extend(next.map(|next| (next, address)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn path(host: usize) -> Path {
        Path::from_all(format!("5.3.0.{host}:9993").parse().unwrap())
    }

    #[test]
    fn what_a_root_names_is_due_again_and_what_the_peer_names_is_not() {
        let next = |named_by, probes| {
            let mut leads = Leads::default();
            leads.add(at(1_000), false, path(1), (named_by, probes));
            leads.next()
        };

        for named_by in [NamedBy::Root, NamedBy::Nobody] {
            assert_eq!(next(named_by, 1), Some(at(1_500)));
            assert_eq!(next(named_by, 2), Some(at(2_000)));
            assert_eq!(next(named_by, 3), None);
        }
        assert_eq!(next(NamedBy::Peer, 1), None);
    }

    #[test]
    fn what_the_peer_names_does_not_displace_what_a_root_names() {
        let mut leads = Leads::default();
        leads.add(at(0), false, path(0), (NamedBy::Root, 1));
        for host in 1..100 {
            leads.add(at(1), false, path(host), (NamedBy::Peer, 1));
        }
        leads.add(at(2), false, path(0), (NamedBy::Peer, 1));

        assert_eq!(leads.0.len(), LEADS_PER_PEER_MAX);
        assert_eq!(leads.0[0].path, path(0));
        assert_eq!(leads.0[0].named_by, NamedBy::Root);
    }
}
