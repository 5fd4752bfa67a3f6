//! Whom a root introduces to whom, and where it says they can meet.
//!
//! Source: spec 02 §6.2.

use core::time::Duration;

use crate::address::Address;
use crate::endpoint::{Path, Scope};
use crate::limits::INTRODUCTIONS_MAX;
use crate::outbox::Ctx;
use crate::peer::Peers;
use crate::peer::gates::Gate;
use crate::peer::path::Paths;
use crate::time::Instant;
use crate::verb::Verb;
use crate::wire::rendezvous::Rendezvous;

/// How often the same two peers are introduced to each other.
const INTERVAL: Duration = Duration::from_secs(30);

/// The pairs of peers that were introduced lately.
#[derive(Debug)]
pub(super) struct Introductions(Gate<(Address, Address)>);

impl Introductions {
    pub(super) const fn new() -> Self {
        Self(Gate::new(INTERVAL, INTRODUCTIONS_MAX))
    }

    /// Introduces at most so many pairs from here on before any of them again.
    pub(super) const fn narrow(&mut self, pairs_max: usize) {
        self.0.narrow(pairs_max);
    }

    /// Forgets pairs that may be introduced again.
    pub(super) fn lapse(&mut self, now: Instant) {
        self.0.lapse(now);
    }

    /// Returns what they take, in bytes.
    pub(super) fn footprint(&self) -> usize {
        self.0.footprint()
    }

    /// Returns whether two peers are due to be introduced; asking counts as doing it.
    fn take_turn(&mut self, now: Instant, a: Address, b: Address) -> bool {
        self.0.pass(now, (a.min(b), a.max(b)))
    }
}

impl Peers {
    /// Introduces two peers between whom a packet was relayed, if they are known, could meet, and
    /// were not introduced in the last 30 s.
    pub fn introduce(&mut self, ctx: &mut Ctx<'_>, source: Address, destination: Address) {
        let (Some(a), Some(b)) = (self.peers.get(&source), self.peers.get(&destination)) else {
            return;
        };
        if !self.introductions.take_turn(ctx.now, source, destination) {
            return;
        }
        let Some((to_a, to_b)) = meeting_point(ctx.now, &a.paths, &b.paths) else { return };
        let mut parties = [(source, to_a, destination, to_b), (destination, to_b, source, to_a)];
        // Whoever hears first sends first, and no side shall always be the one whose NAT is
        // still closed.
        ctx.rng.shuffle(&mut parties);
        for (to, path, peer, meet) in parties {
            let body = Rendezvous { peer, endpoint: meet.remote }.write();
            ctx.out.send_on(path, to, Verb::Rendezvous, body);
        }
    }
}

/// Returns the paths to two peers by which they could reach each other directly: those of the
/// best scope both have one in, IPv6 before IPv4.
fn meeting_point(now: Instant, a: &Paths, b: &Paths) -> Option<(Path, Path)> {
    const DESCENDING: [Scope; 8] = [
        Scope::Private,
        Scope::Shared,
        Scope::LinkLocal,
        Scope::Global,
        Scope::PseudoPrivate,
        Scope::Loopback,
        Scope::Multicast,
        Scope::None,
    ];
    DESCENDING.iter().flat_map(|&scope| [(scope, true), (scope, false)]).find_map(
        |(scope, is_ipv6)| {
            let a = a.best_within(now, scope, is_ipv6)?;
            let b = b.best_within(now, scope, is_ipv6)?;
            Some((a.path(), b.path()))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::SocketId;

    fn paths(remotes: &[&str]) -> Paths {
        let mut paths = Paths::default();
        for remote in remotes {
            let path = Path { local: SocketId(1), remote: remote.parse().unwrap() };
            paths.arrived(Instant::ZERO, path, true, false, || true);
        }
        paths
    }

    fn meeting(a: &[&str], b: &[&str]) -> Option<(String, String)> {
        let point = meeting_point(Instant::ZERO, &paths(a), &paths(b));
        point.map(|(a, b)| (a.remote.to_string(), b.remote.to_string()))
    }

    /// The cases of relay_unite.json.
    #[test]
    fn peers_meet_in_the_best_scope_both_are_in() {
        let meet = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));

        assert_eq!(
            meeting(&["192.168.5.10:1", "5.2.0.1:1"], &["192.168.5.11:1", "5.3.0.1:1"]),
            meet("192.168.5.10:1", "192.168.5.11:1")
        );
        assert_eq!(meeting(&["192.168.5.10:1"], &["5.3.0.1:1"]), None);
        assert_eq!(
            meeting(&["5.2.0.1:1", "[2a01:db8::a]:1"], &["5.3.0.1:1", "[2a01:db8::b]:1"]),
            meet("[2a01:db8::a]:1", "[2a01:db8::b]:1")
        );
        assert_eq!(meeting(&["5.2.0.1:1"], &["[2a01:db8::b]:1"]), None);
    }

    #[test]
    fn a_pair_is_introduced_once_in_thirty_seconds_whoever_sends() {
        let mut introductions = Introductions::new();
        let [a, b, c] = [1, 2, 3].map(Address::from_u64);
        let at = |secs: u64| Instant::from_millis(secs * 1_000);

        assert!(introductions.take_turn(at(25), a, b));
        assert!(!introductions.take_turn(at(26), b, a));
        assert!(introductions.take_turn(at(26), a, c));
        assert!(introductions.take_turn(at(55), b, a));
    }
}
