//! Active-backup: one of several paths to a peer is used, and the others stand by.
//!
//! | a path                                | what happens                                       |
//! |---------------------------------------|----------------------------------------------------|
//! | silent for a third of the interval    | is asked for a sign of life                        |
//! | in use, silent for the whole interval | another takes over, the best of those that are well |
//! | given up while it carries frames      | likewise, see `reliance`                           |
//! | well again                            | stands by until the one in use fails               |
//!
//! In the first moments of a bond, while paths are still being found, the best of them is used. Two
//! peers that bond may come to use different paths, each the one it prefers; then the one for whom
//! its own is better, or no worse, asks the other to come over.
//!
//! Bonds are made with members of this node's networks only, who are in use, and are no roots. A
//! path through the TCP relay is none to stand by, and on a costly network none does.
//!
//! Source: spec 02 §2.12, §13.

use core::time::Duration;

use crate::address::Address;
use crate::bonding::{Bonding, Policy};
use crate::command::CommandError;
use crate::endpoint::Path;
use crate::error::Rejected;
use crate::limits::{MEASUREMENTS_IN_A_ROW_MAX, NEGOTIATIONS_IN_A_ROW_MAX, PEER_RULES_MAX};
use crate::outbox::{Ctx, Received};
use crate::peer::gates::RowGate;
use crate::peer::path::Known;
use crate::peer::reliance::Cause;
use crate::peer::surroundings::Pace;
use crate::peer::{Peer, Peers};
use crate::roots::Roots;
use crate::time::Instant;
use crate::verb::Verb;
use crate::wire::bond;

/// How long the best path is used, whatever was used before.
const TRIAL: Duration = Duration::from_secs(15);

/// How often a peer is asked to use another path at most: three times a minute.
const NEGOTIATION_PERIOD: Duration = Duration::from_secs(20);

/// Requests to change the path that follow each other no closer than this are not counted.
const NEGOTIATION_PAUSE: Duration = Duration::from_millis(937);

/// What is kept of a peer with whom paths are bonded.
#[derive(Debug)]
pub(super) struct Bond {
    /// The path in use, or the one the peer has asked for.
    active: Option<Path>,
    /// Until when the best path is used.
    trial_until: Instant,
    /// How long the path in use may be silent.
    failover: Duration,
    inbound: Inbound,
    /// When the peer was last asked to use another path.
    asked: Option<Instant>,
    negotiations: RowGate,
    measurements: RowGate,
}

/// Which path most packets of the peer come by.
#[derive(Debug)]
struct Inbound {
    since: Instant,
    /// The path of the majority, if there is one.
    path: Option<Path>,
    /// How many packets more came by it than by others, at least.
    lead: u32,
}

impl Inbound {
    const fn new(since: Instant) -> Self {
        Self { since, path: None, lead: 0 }
    }

    /// Counts a packet that came by `path`: what comes by another takes a vote back.
    fn count(&mut self, path: Path) {
        if self.lead == 0 {
            self.path = Some(path);
        }
        self.lead =
            if self.path == Some(path) { self.lead.saturating_add(1) } else { self.lead - 1 };
    }
}

impl Bond {
    /// Makes a bond whose path in use is `active`.
    fn new(now: Instant, active: Option<Path>, failover: Duration) -> Self {
        Self {
            active,
            trial_until: now + TRIAL,
            failover,
            inbound: Inbound::new(now),
            asked: None,
            negotiations: RowGate::new(),
            measurements: RowGate::new(),
        }
    }

    /// How long a path may be silent before the peer is asked for a sign of life on it.
    fn heartbeat(&self) -> Duration {
        self.failover / 3
    }

    /// Returns whether a path can carry what there is.
    fn is_well(&self, now: Instant, known: &Known) -> bool {
        known.silence(now) < self.failover
            && !known.is_failing()
            && !known.path().is_through_tcp_relay()
    }
}

impl Peer {
    /// Returns the path to use: the best, or by a bond the one in use as long as it is well.
    pub(super) fn preferred(&self, now: Instant) -> Option<&Known> {
        let Some(bond) = &self.bond else { return self.paths.selected(now) };
        let is_well = |known: &&Known| bond.is_well(now, known);
        let active = bond.active.filter(|_| bond.trial_until <= now);
        let active = active.and_then(|path| self.paths.find(path)).filter(is_well);
        active
            .or_else(|| self.paths.best_of(now, |known| bond.is_well(now, known)))
            .or_else(|| self.paths.selected(now))
    }

    /// Takes note of a packet of the peer's.
    pub(super) fn count_inbound(&mut self, rx: &Received<'_>) {
        if let Some(bond) = &mut self.bond
            && rx.hops == 0
            && rx.verb.is_nontrivial()
        {
            bond.inbound.count(rx.path);
        }
    }

    /// Takes note of the path that is used from here on.
    pub(super) fn settle_on(&mut self, now: Instant, path: Option<Path>) {
        self.selected = path;
        if let Some(bond) = &mut self.bond {
            bond.active = path;
            bond.inbound = Inbound::new(now);
        }
    }

    /// Returns how much better the path in use is than `other`, in milliseconds of its round trip.
    fn utility(&self, other: Path) -> i16 {
        let latency = |path| Some(self.paths.find(path)?.latency()?.cast_signed());
        let advantage = latency(other).zip(self.selected.and_then(latency));
        let advantage = advantage.map_or(0, |(other, ours)| other - ours);
        i16::try_from(advantage).unwrap_or(if advantage < 0 { i16::MIN } else { i16::MAX })
    }
}

impl Peers {
    /// Bonds paths to peers so from here on.
    ///
    /// # Errors
    ///
    /// [`CommandError::TooMany`] peers have a policy of their own; nothing has changed.
    pub fn set_bonding(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        bonding: Bonding,
    ) -> Result<(), CommandError> {
        if bonding.peers.len() > PEER_RULES_MAX {
            return Err(CommandError::TooMany("peers with a bonding policy of their own"));
        }
        if self.bonding == bonding {
            return Ok(());
        }
        self.bonding = bonding;
        self.watches.0.retain(|&(.., cause)| cause != Cause::Bond);
        for peer in self.peers.values_mut() {
            peer.bond = None;
        }
        let reached: Vec<Address> = self.peers.keys().copied().collect();
        for address in reached {
            self.refresh(ctx, roots, address);
        }
        Ok(())
    }

    /// Returns whether paths to a peer are bonded, as far as that is not up to the paths.
    fn is_bonded(&self, now: Instant, roots: &Roots, address: Address) -> bool {
        let pace = Pace::of(self.conditions, self.low_bandwidth);
        let Some(peer) = self.peers.get(&address) else { return false };
        self.bonding.policy(address) == Policy::ActiveBackup
            && pace.alternatives
            && !roots.is_upstream(address)
            && peer.is_trusted(now)
            && peer.is_active(now, pace)
    }

    /// Makes a bond with a peer if there is to be one and it answers on some path.
    pub(super) fn bond(&mut self, now: Instant, roots: &Roots, address: Address) {
        if self.bonding.policy(address) == Policy::None || !self.is_bonded(now, roots, address) {
            return;
        }
        let failover = self.bonding.failover.clamp(Bonding::FAILOVER_MIN, Bonding::FAILOVER_MAX);
        let Some(peer) = self.peers.get_mut(&address) else { return };
        if peer.bond.is_none() && peer.paths.iter().any(|known| known.is_alive(now)) {
            peer.bond = Some(Box::new(Bond::new(now, peer.selected, failover)));
            self.watches.0.insert((now, address, Cause::Bond));
        }
    }

    /// Asks a peer for signs of life where it is silent, and leaves the path in use if that is;
    /// returns when to look again, or `None` if there is no bond any more.
    pub(super) fn look_after_bond(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        address: Address,
    ) -> Option<Instant> {
        let now = ctx.now;
        if !self.is_bonded(now, roots, address) {
            return None;
        }
        let peer = self.peers.get_mut(&address)?;
        let heartbeat = peer.bond.as_ref()?.heartbeat();
        let silent = peer.paths.take_heartbeats(now, heartbeat);
        for path in silent {
            self.probe(ctx, roots, address, path);
        }
        self.refresh(ctx, roots, address);
        self.negotiate(ctx, address);
        let peer = self.peers.get(&address)?;
        let bond = peer.bond.as_ref()?;
        let in_use = peer.selected.and_then(|path| peer.paths.find(path)?.heard());
        let failure = in_use.map(|heard| heard + bond.failover);
        let events = [failure, peer.paths.next_heartbeat(now, heartbeat)].into_iter().flatten();
        Some(events.filter(|&at| at > now).fold(now + bond.failover, Instant::min))
    }

    /// Asks a peer to use the path this node uses if it mostly uses another, and no better one.
    fn negotiate(&mut self, ctx: &mut Ctx<'_>, address: Address) {
        let now = ctx.now;
        let Some(peer) = self.peers.get_mut(&address) else { return };
        let Some(bond) = &peer.bond else { return };
        if now.since(bond.inbound.since) < 2 * bond.failover {
            return;
        }
        let theirs = bond.inbound.path.filter(|_| bond.inbound.lead > 0);
        let theirs = theirs
            .filter(|&path| peer.paths.find(path).is_some_and(|known| bond.is_well(now, known)));
        let may_ask = now.is_due(bond.asked, NEGOTIATION_PERIOD);
        let utility = theirs.map(|path| peer.utility(path));
        let (selected, Some(bond)) = (peer.selected, &mut peer.bond) else { return };
        bond.inbound = Inbound::new(now);
        if let Some(utility) = utility.filter(|&utility| utility >= 0 && may_ask)
            && let Some(path) = selected.filter(|_| theirs != selected)
        {
            bond.asked = Some(now);
            let body = bond::write_negotiation(utility);
            ctx.out.send_on(path, address, Verb::PathNegotiationRequest, body);
        }
    }

    /// Takes in what a peer that bonds says about its paths.
    ///
    /// # Errors
    ///
    /// [`Rejected::NotServed`] if there is no bond with it, so that it does not even count as a sign
    /// of life; [`Rejected::RateLimited`], [`Rejected::Malformed`].
    pub fn handle_bond(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        rx: &Received<'_>,
    ) -> Result<(), Rejected> {
        let peer = self.peers.get_mut(&rx.from).ok_or(Rejected::NotServed)?;
        let bond = peer.bond.as_mut().ok_or(Rejected::NotServed)?;
        match rx.verb {
            Verb::QosMeasurement => {
                let pause = 2 * bond.failover / 64;
                if !bond.measurements.pass(ctx.now, pause, MEASUREMENTS_IN_A_ROW_MAX) {
                    return Err(Rejected::RateLimited);
                }
                Ok(bond::check_measurement(rx.body)?)
            }
            Verb::PathNegotiationRequest => {
                let max = NEGOTIATIONS_IN_A_ROW_MAX;
                if !bond.negotiations.pass(ctx.now, NEGOTIATION_PAUSE, max) {
                    return Err(Rejected::RateLimited);
                }
                let theirs = bond::read_negotiation(rx.body)?;
                self.negotiated(ctx, roots, rx, theirs);
                Ok(())
            }
            // ACK, which nobody sends.
            _ => Ok(()),
        }
    }

    /// Comes over to the path a peer asks for on it, if it wants it more than this node wants the
    /// one in use; of two who want theirs as much, the higher address has its way.
    fn negotiated(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, rx: &Received<'_>, theirs: i16) {
        let Some(peer) = self.peers.get_mut(&rx.from) else { return };
        let ours = peer.utility(rx.path);
        let gives_way = theirs > ours || theirs == ours && rx.from > ctx.me.address();
        let is_known = rx.hops == 0 && peer.paths.find(rx.path).is_some();
        if let Some(bond) = &mut peer.bond
            && gives_way
            && is_known
        {
            bond.active = Some(rx.path);
            bond.trial_until = ctx.now;
            self.refresh(ctx, roots, rx.from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_most_packets_come_by_is_found() {
        let path = |port| Path::from_all(([192, 0, 2, 1], port).into());
        for (ports, most) in [
            (&[1, 1, 1, 2, 2][..], Some(1)),
            (&[2, 2, 1, 1, 1], Some(1)),
            (&[1, 2, 1, 3, 1], Some(1)),
            (&[1, 2, 1, 2], None),
            (&[], None),
        ] {
            let mut inbound = Inbound::new(Instant::ZERO);
            for &port in ports {
                inbound.count(path(port));
            }
            let found = inbound.path.filter(|_| inbound.lead > 0);
            assert_eq!(found, most.map(path), "{ports:?}");
        }
    }
}
