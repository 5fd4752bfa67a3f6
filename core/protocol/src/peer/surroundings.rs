//! What the host says about the machine's networks: sockets that are gone, another network, a costly
//! one, none.
//!
//! Source: spec 02 §9.1, §14; what a node does about a costly network is its own affair.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeSet;

use crate::address::Address;
use crate::command::Conditions;
use crate::endpoint::{Path, SocketId};
use crate::outbox::Ctx;
use crate::peer::path::HEARTBEAT;
use crate::peer::{ACTIVITY, Peers};
use crate::roots::Roots;
use crate::status::NamedBy;

/// How much is done to be reachable, and to be better off than that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long after a probe a path wants the next one, so that NATs keep it open.
    pub(super) heartbeat: Duration,
    /// How often a peer or a root that answers is greeted, so that both sides learn of changes.
    pub(super) greeting: Duration,
    /// How long after its last use the path to a peer is kept open.
    pub(super) activity: Duration,
    /// How often this node's addresses are pushed to a peer that is reached directly.
    pub(super) push: Duration,
    /// Whether other ways to a peer are kept open and looked for besides the one in use.
    pub(super) alternatives: bool,
}

impl Pace {
    const USUAL: Self = Self {
        heartbeat: HEARTBEAT,
        greeting: Duration::from_secs(60),
        activity: ACTIVITY,
        push: Duration::from_secs(120),
        alternatives: true,
    };

    /// What the advice of spec 02 §5.1 allows at most for the best root, and for the others what
    /// the reference does.
    const THRIFTY: Self = Self {
        heartbeat: Duration::from_secs(25),
        greeting: Duration::from_secs(225),
        activity: Duration::from_secs(60),
        push: Duration::from_secs(1_920),
        alternatives: false,
    };

    /// Returns the pace under these conditions; `low_bandwidth` if the user wants it low whatever
    /// they are.
    pub(super) const fn of(conditions: Conditions, low_bandwidth: bool) -> Self {
        if low_bandwidth || conditions.is_costly() { Self::THRIFTY } else { Self::USUAL }
    }
}

impl Peers {
    /// Forgets every path from one of these sockets, and looks for whoever was reached by one.
    pub fn close_sockets(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, closed: &[SocketId]) {
        let mut lost = BTreeSet::new();
        for (&address, peer) in &mut self.peers {
            peer.leads.close(closed);
            lost.extend(peer.paths.close(closed).into_iter().map(|remote| (address, remote)));
        }
        self.try_again(ctx, roots, lost);
        self.schedule.wake_now();
    }

    /// Doubts every path and tries it at once, and greets everybody as if for the first time.
    pub fn network_changed(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        if self.conditions.offline {
            return;
        }
        let mut doubtful = BTreeSet::new();
        for (&address, peer) in &mut self.peers {
            let by_udp = peer.paths.doubt(|_| true).into_iter();
            let by_udp = by_udp.filter(|path| !path.is_through_tcp_relay());
            doubtful.extend(by_udp.map(|path| (address, path.remote)));
            (peer.greeted, peer.probed, peer.told) = (None, None, None);
            (peer.unanswered, peer.relied_on) = (0, None);
        }
        self.try_again(ctx, roots, doubtful);
        self.fallback.network_changed(ctx.now);
        self.schedule.wake_now();
    }

    /// Goes by what the network is like.
    pub fn set_conditions(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, conditions: Conditions) {
        let before = core::mem::replace(&mut self.conditions, conditions);
        if conditions.offline && !before.offline {
            // Whatever roots said before says nothing about what comes after.
            for root in roots.upstreams().keys() {
                if let Some(peer) = self.peers.get_mut(root) {
                    peer.heard = None;
                }
            }
            self.refresh_upstreams(ctx, roots);
        }
        if before.offline {
            self.network_changed(ctx, roots);
        }
        // What was not due may be so by the other measure.
        self.schedule.wake_now();
    }

    /// Sends as little as can be without being asked to from here on, or as much as usual.
    pub fn set_low_bandwidth(&mut self, low: bool) {
        self.low_bandwidth = low;
        self.schedule.wake_now();
    }

    /// Returns whether the host said that there is no network.
    #[must_use]
    pub const fn is_parked(&self) -> bool {
        self.conditions.offline
    }

    /// Asks peers to answer where they were reached, from whichever socket leads there by now or in
    /// a moment.
    fn try_again(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        places: BTreeSet<(Address, SocketAddr)>,
    ) {
        let changed: BTreeSet<Address> = places.iter().map(|&(address, _)| address).collect();
        for address in changed {
            self.refresh(ctx, roots, address);
        }
        for (address, remote) in places {
            self.follow(ctx, roots, address, Path::from_all(remote), NamedBy::Nobody);
        }
    }
}
