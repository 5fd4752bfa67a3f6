//! Addresses somebody says a peer may be reached at, and what came of trying them.
//!
//! Where a translator lets in only whom its host has sent to, the first probe of one side opens the
//! way for the other's and is lost itself. So what a root names is tried again a moment later; and so
//! is where a peer was reached until this node's own network changed, which takes moments to be of use.
//! What the peer names itself is tried once each time: it could be anybody's address.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};

use crate::address::Address;
use crate::endpoint::{Path, SocketId};
use crate::limits::{LEADS_PER_PEER_MAX, PROBES_PER_LEAD_MAX};
use crate::outbox::Ctx;
use crate::peer::Peers;
use crate::peer::surroundings::Pace;
use crate::roots::Roots;
use crate::status::NamedBy;
use crate::time::Instant;

/// How long after a probe of an address that is tried again the next is sent.
const RETRY: Duration = Duration::from_millis(500);

/// How long after its last probe an address that is named again may be probed as if for the first
/// time. Doubles whenever as many probes in a row as are allowed have come to nothing.
const PAUSE: Duration = Duration::from_secs(5);

/// The longest such pause: shorter than what is between two introductions by the same root, so that
/// each of an honest one is heeded.
const PAUSE_MAX: Duration = Duration::from_secs(20);

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
    /// How long it is left alone before the next row of probes.
    pause: Duration,
}

/// The latest leads to one peer, oldest first.
#[derive(Debug, Default)]
pub(super) struct Leads(VecDeque<Lead>);

impl Leads {
    /// Takes note that `path` was named; returns whether it is to be probed. The oldest lead makes
    /// room, those the peer itself named first.
    pub(super) fn add(&mut self, now: Instant, path: Path, named_by: NamedBy) -> bool {
        if let Some(known) = self.0.iter_mut().find(|lead| lead.path.remote == path.remote) {
            if matches!(named_by, NamedBy::Root | NamedBy::Nobody) {
                (known.path, known.named_by) = (path, named_by);
            }
            return known.probe(now);
        }
        if self.0.len() >= LEADS_PER_PEER_MAX {
            let index = self.0.iter().position(|lead| lead.named_by == NamedBy::Peer);
            self.0.remove(index.unwrap_or(0));
        }
        let (since, probed, pause) = (now, now, PAUSE);
        self.0.push_back(Lead { path, named_by, since, probed, probes: 1, pause });
        true
    }

    /// Returns those that are due another probe, and takes it as sent.
    fn take_due(&mut self, now: Instant) -> Vec<Path> {
        let due = self.0.iter_mut().filter(|lead| lead.next().is_some_and(|next| next <= now));
        due.filter_map(|lead| lead.probe(now).then_some(lead.path)).collect()
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

    pub(super) fn iter(&self) -> impl Iterator<Item = &Lead> {
        self.0.iter()
    }
}

impl Lead {
    /// Returns whether it may be probed, and takes it as done.
    fn probe(&mut self, now: Instant) -> bool {
        if now.since(self.probed) >= self.pause {
            if self.probes >= PROBES_PER_LEAD_MAX {
                self.pause = (2 * self.pause).min(PAUSE_MAX);
            }
            self.probes = 0;
        }
        let may = self.probes < PROBES_PER_LEAD_MAX;
        if may {
            self.probed = now;
            self.probes += 1;
        }
        may
    }

    /// Returns when it is to be tried again.
    pub(super) fn next(&self) -> Option<Instant> {
        let is_repeated = matches!(self.named_by, NamedBy::Root | NamedBy::Nobody)
            && self.probes < PROBES_PER_LEAD_MAX;
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
    /// Asks a peer to answer on `path`, which leads to where somebody says it is, unless it was
    /// asked there often, or somewhere all too often; returns whether it was asked.
    pub(super) fn follow(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        to: Address,
        path: Path,
        named_by: NamedBy,
    ) -> bool {
        let Some(peer) = self.peers.get_mut(&to) else { return false };
        let pace = Pace::of(self.conditions, self.low_bandwidth);
        let is_wanted = peer.selected.is_none() || pace.alternatives;
        let is_elsewhere = !self.local_addresses.contains(&path.remote);
        if !is_wanted || !is_elsewhere || !peer.leads.add(ctx.now, path, named_by) {
            return false;
        }
        self.retries.0.extend(peer.leads.next().map(|next| (next, to)));
        self.attempt(ctx, roots, to, path)
    }

    /// Tries again what is due, unless the peer is reached by now.
    pub(super) fn follow_again(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        while let Some(address) = self.retries.take_due(ctx.now) {
            let Some(peer) = self.peers.get_mut(&address) else { continue };
            if peer.selected.is_some() {
                continue;
            }
            let due = peer.leads.take_due(ctx.now);
            self.retries.0.extend(peer.leads.next().map(|next| (next, address)));
            for path in due {
                self.attempt(ctx, roots, address, path);
            }
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

    /// Names one address at these times, and returns when it is probed, looking each 100 ms.
    fn probes(named_by: NamedBy, named: &[u64]) -> Vec<u64> {
        let mut leads = Leads::default();
        let mut probes = Vec::new();
        for millis in (0..20_000).step_by(100) {
            if named.contains(&millis) && leads.add(at(millis), path(1), named_by) {
                probes.push(millis);
            }
            probes.extend(leads.take_due(at(millis)).iter().map(|_| millis));
        }
        probes
    }

    #[test]
    fn what_a_root_names_is_tried_thrice_and_what_the_peer_names_once() {
        assert_eq!(probes(NamedBy::Root, &[0]), [0, 500, 1_500]);
        assert_eq!(probes(NamedBy::Nobody, &[0]), [0, 500, 1_500]);
        assert_eq!(probes(NamedBy::Peer, &[0]), [0]);
    }

    #[test]
    fn an_address_is_probed_thrice_in_a_row_at_most_however_often_it_is_named() {
        let often: Vec<u64> = (0..40).map(|tenth| tenth * 100).collect();

        assert_eq!(probes(NamedBy::Root, &often).len(), 3);
        assert_eq!(probes(NamedBy::Peer, &often).len(), 3);
        assert_eq!(probes(NamedBy::Root, &[0, 6_500]), [0, 500, 1_500, 6_500, 7_000, 8_000]);
    }

    #[test]
    fn an_address_that_is_named_again_and_again_is_left_alone_for_longer_and_longer() {
        let mut leads = Leads::default();
        let probed = |secs: &u64| leads.add(at(1_000 * secs), path(1), NamedBy::Peer);

        let probes: Vec<u64> = (0..90).filter(probed).collect();

        // It is 5 s, 10 s, and 20 s from then on.
        let rows = [0, 7, 19, 41, 63, 85];
        assert_eq!(probes, rows.map(|start| [start, start + 1, start + 2]).concat());
    }

    #[test]
    fn what_the_peer_names_does_not_displace_what_a_root_names() {
        let mut leads = Leads::default();
        leads.add(at(0), path(0), NamedBy::Root);
        for host in 1..100 {
            leads.add(at(1), path(host), NamedBy::Peer);
        }
        leads.add(at(2), path(0), NamedBy::Peer);

        assert_eq!(leads.0.len(), LEADS_PER_PEER_MAX);
        assert_eq!(leads.0[0].path, path(0));
        assert_eq!(leads.0[0].named_by, NamedBy::Root);
    }
}
