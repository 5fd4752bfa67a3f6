//! Doing without UDP: when a TCP relay stands in for it.
//!
//! The relay is one more socket, [`SocketId::TCP_RELAY`], and any path by it is worse than any by
//! UDP. While it is in use, what leaves from all sockets leaves through it too; all else follows
//! from paths: roots answer by it and are used by it, as are peers to whom roots introduce this
//! node. UDP is tried all the while, and as soon as a root answers by it, paths through the relay
//! are forgotten.
//!
//! Who runs the relay sees from where to where datagrams go, and can make up both. So what it says
//! stays with it: nothing is sent by UDP to an address only the relay has named, no path by UDP is
//! proven by it, and it has no say in where this node is.
//!
//! Source: spec 02 §9.4. There, any datagram shows that UDP gets through; here, a root's answer.
//!
//! [`SocketId::TCP_RELAY`]: crate::endpoint::SocketId::TCP_RELAY

use core::time::Duration;

use crate::address::Address;
use crate::command::TcpRelayUse;
use crate::event::Event;
use crate::outbox::{Ctx, Received};
use crate::peer::Peers;
use crate::roots::Roots;
use crate::status::TcpRelayStatus;
use crate::time::Instant;
use crate::verb::Verb;

/// How long no root has answered by UDP, from the start on, when the relay is resorted to.
const SILENCE: Duration = Duration::from_secs(60);

/// A look that is so late means that the device slept.
const LATE: Duration = Duration::from_secs(10);

/// How long the connection is kept after a root has answered by UDP: that long others may send to
/// where the relay stood for this node.
const DRAIN: Duration = Duration::from_secs(30);

/// Where a node stands with its relay.
///
/// |            | `Silence` | `Connected` | `Lost`    | `Heard`   | `Drained` |
/// |------------|-----------|-------------|-----------|-----------|-----------|
/// | `Standby`  | `Wanted`  |             |           |           |           |
/// | `Wanted`   |           | `InUse`     |           | `Standby` |           |
/// | `InUse`    |           |             | `Wanted`  | `Draining`|           |
/// | `Draining` |           |             | `Standby` |           | `Standby` |
///
/// An empty cell changes nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// UDP does, or it is not known yet that it does not.
    Standby,
    /// There shall be a connection.
    Wanted,
    /// It stands in for UDP.
    InUse,
    /// UDP does again; what still comes through the relay is taken in, and answered by UDP.
    Draining,
}

/// What changes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Input {
    /// No root has answered by UDP for [`SILENCE`].
    Silence,
    /// There is a connection.
    Connected,
    /// There is none any more.
    Lost,
    /// A root has answered by UDP.
    Heard,
    /// [`DRAIN`] has passed since.
    Drained,
}

impl Phase {
    /// Returns the phase after `input`.
    const fn after(self, input: Input) -> Self {
        match (self, input) {
            (Self::Standby, Input::Silence) | (Self::InUse, Input::Lost) => Self::Wanted,
            (Self::Wanted, Input::Connected) => Self::InUse,
            (Self::InUse, Input::Heard) => Self::Draining,
            (Self::Wanted, Input::Heard) | (Self::Draining, Input::Lost | Input::Drained) => {
                Self::Standby
            }
            (
                unchanged,
                Input::Silence | Input::Connected | Input::Lost | Input::Heard | Input::Drained,
            ) => unchanged,
        }
    }
}

/// Whether and when the relay stands in for UDP.
#[derive(Debug)]
pub(super) struct Fallback {
    usage: TcpRelayUse,
    phase: Phase,
    /// When to see whether UDP has failed, or, while draining, when that is over.
    due: Instant,
}

impl Fallback {
    pub(super) const fn new() -> Self {
        Self { usage: TcpRelayUse::Never, phase: Phase::Standby, due: Instant::FAR_FUTURE }
    }

    /// Returns whether what is sent here by UDP is taken in, so that it is worth saying where to.
    pub(super) fn takes_udp(&self) -> bool {
        self.usage != TcpRelayUse::Always
    }

    /// Returns when it is due to be looked at.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let is_waiting = matches!(self.phase, Phase::Standby | Phase::Draining);
        (self.usage == TcpRelayUse::Fallback && is_waiting).then_some(self.due)
    }

    /// Gives UDP its chance in another network, if it has not failed before.
    pub(super) fn network_changed(&mut self, now: Instant) {
        if self.phase == Phase::Standby {
            self.due = now + SILENCE;
        }
    }
}

impl Peers {
    /// Uses a TCP relay so, from here on.
    pub fn set_tcp_relay(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, usage: TcpRelayUse) {
        if self.fallback.usage == usage {
            return;
        }
        self.enter(ctx, roots, Phase::Standby);
        self.fallback.usage = usage;
        self.fallback.due = ctx.now + SILENCE;
        if usage == TcpRelayUse::Always {
            self.enter(ctx, roots, Phase::Wanted);
        }
    }

    /// Takes note that there is a connection to the relay, or is none any more.
    pub fn tcp_relay_connected(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, is_connected: bool) {
        let input = if is_connected { Input::Connected } else { Input::Lost };
        self.enter(ctx, roots, self.fallback.phase.after(input));
    }

    /// Returns whether the relay stands in for UDP.
    #[must_use]
    pub const fn tcp_relay(&self) -> TcpRelayStatus {
        match (self.fallback.usage, self.fallback.phase) {
            (TcpRelayUse::Never, _) => TcpRelayStatus::Off,
            (_, Phase::Standby | Phase::Draining) => TcpRelayStatus::Standby,
            (_, Phase::Wanted) => TcpRelayStatus::Connecting,
            (_, Phase::InUse) => TcpRelayStatus::InUse,
        }
    }

    /// Takes note that a packet came straight from a peer: if it is a root's answer by UDP, UDP
    /// gets through.
    pub(super) fn heard_root(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, rx: &Received<'_>) {
        let is_answer = rx.verb == Verb::Ok && roots.is_upstream(rx.from);
        let is_by_udp = !rx.path.is_through_tcp_relay();
        let watches = self.fallback.usage == TcpRelayUse::Fallback;
        if !watches || !is_answer || !is_by_udp || !ctx.tables.is_outside(rx.path.remote.ip()) {
            return;
        }
        let phase = self.fallback.phase.after(Input::Heard);
        let wait = if phase == Phase::Draining { DRAIN } else { SILENCE };
        // What is heard while draining does not prolong it.
        if phase == Phase::Standby || phase != self.fallback.phase {
            self.fallback.due = ctx.now + wait;
        }
        self.enter(ctx, roots, phase);
    }

    /// Resorts to the relay, or ends its use, if that is due.
    pub(super) fn fall_back(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        let Some(due) = self.fallback.poll_timeout().filter(|&due| due <= ctx.now) else { return };
        let input = match self.fallback.phase {
            Phase::Draining => Some(Input::Drained),
            // After a sleep UDP gets its chance first.
            _ if ctx.now.since(due) > LATE => None,
            _ => self.is_udp_failing(ctx, roots).then_some(Input::Silence),
        };
        self.fallback.due = ctx.now + SILENCE;
        if let Some(input) = input {
            self.enter(ctx, roots, self.fallback.phase.after(input));
        }
    }

    /// Returns whether a root that the relay could reach does not answer what it is asked. One that
    /// nobody asks, as while the device is offline, says nothing about UDP.
    fn is_udp_failing(&self, ctx: &Ctx<'_>, roots: &Roots) -> bool {
        roots.upstreams().iter().any(|(address, endpoints)| {
            let is_failing = self.peers.get(address).is_some_and(|peer| peer.is_failing());
            is_failing && endpoints.iter().any(|&at| ctx.tables.is_tcp_relayable(at))
        })
    }

    /// Goes over to `phase` and does what that means.
    fn enter(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, phase: Phase) {
        let before = core::mem::replace(&mut self.fallback.phase, phase);
        let (was_wanted, is_wanted) = (before != Phase::Standby, phase != Phase::Standby);
        if was_wanted != is_wanted {
            ctx.out.events.push_back(Event::TcpRelay(is_wanted));
        }
        ctx.tables.uses_tcp_relay = phase == Phase::InUse;
        if before == Phase::InUse && phase != Phase::InUse {
            self.forget_tcp_relay(ctx, roots);
        }
        if before != Phase::InUse && phase == Phase::InUse {
            self.greet_roots(ctx, roots);
        }
    }

    /// Has every root greeted anew.
    fn greet_roots(&mut self, ctx: &Ctx<'_>, roots: &Roots) {
        for root in roots.upstreams().keys() {
            if let Some(peer) = self.peers.get_mut(root) {
                peer.greeted = None;
            }
        }
        self.schedule.wake_upstreams(ctx.now);
    }

    /// Forgets every path through the relay.
    fn forget_tcp_relay(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        let forgetting = self.peers.iter_mut();
        let left: Vec<Address> = forgetting
            .filter_map(|(&address, peer)| peer.paths.forget_tcp_relay().then_some(address))
            .collect();
        for address in left {
            self.refresh(ctx, roots, address);
        }
        self.schedule.wake_upstreams(ctx.now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of [`Phase`], cell by cell.
    #[test]
    fn phases_follow_each_other_as_the_table_says() {
        let inputs = [Input::Silence, Input::Connected, Input::Lost, Input::Heard, Input::Drained];
        let [standby, wanted, in_use, draining] =
            [Phase::Standby, Phase::Wanted, Phase::InUse, Phase::Draining];
        let table = [
            (standby, [wanted, standby, standby, standby, standby]),
            (wanted, [wanted, in_use, wanted, standby, wanted]),
            (in_use, [in_use, in_use, wanted, draining, in_use]),
            (draining, [draining, draining, standby, draining, standby]),
        ];

        for (phase, expected) in table {
            assert_eq!(inputs.map(|input| phase.after(input)), expected, "{phase:?}");
        }
    }
}
