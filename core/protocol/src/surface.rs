//! How the outside sees this node: the physical addresses others report.
//!
//! Source: spec 02 §8.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::endpoint::{Path, Scope};
use crate::limits::SURFACE_REPORTS_MAX;
use crate::time::Instant;

/// How long a report is believed.
const LIFETIME: Duration = Duration::from_secs(600);

/// Who reports, and from where. Behind a NAT every place may see another address.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Reporter {
    address: Address,
    path: Path,
    scope: Scope,
}

#[derive(Clone, Copy, Debug)]
struct Report {
    mine: SocketAddr,
    at: Instant,
}

/// The addresses under which this node was seen, by who saw it.
#[derive(Debug, Default)]
pub struct Surface {
    reports: BTreeMap<Reporter, Report>,
}

impl Surface {
    /// Makes an empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { reports: BTreeMap::new() }
    }

    /// Takes note that `reporter`, at the far end of `path`, sees this node at `mine`.
    ///
    /// Returns whether this node has moved: one it trusts saw it at another IP a moment ago. Then
    /// what others in that scope saw is forgotten, and paths there are to be doubted.
    pub fn report(
        &mut self,
        now: Instant,
        reporter: Address,
        path: Path,
        mine: SocketAddr,
        is_trusted: bool,
    ) -> bool {
        let scope = Scope::of(mine.ip());
        let is_outside = !matches!(scope, Scope::None | Scope::Loopback | Scope::Multicast);
        if !is_outside || scope != Scope::of(path.remote.ip()) {
            return false;
        }
        let key = Reporter { address: reporter, path, scope };
        let before = self.reports.get(&key).filter(|report| report.is_current(now));
        let has_moved = is_trusted && before.is_some_and(|report| report.mine.ip() != mine.ip());
        if has_moved {
            self.reports
                .retain(|other, _| other.scope != scope || other.path.remote == path.remote);
        }
        self.make_room_for(key);
        self.reports.insert(key, Report { mine, at: now });
        has_moved
    }

    /// Forgets what is no longer believed.
    pub fn expire(&mut self, now: Instant) {
        self.reports.retain(|_, report| report.is_current(now));
    }

    /// Returns the addresses this node was seen at lately, in ascending order.
    #[must_use]
    pub fn addresses(&self, now: Instant) -> BTreeSet<SocketAddr> {
        let current = self.reports.values().filter(|report| report.is_current(now));
        current.map(|report| report.mine).collect()
    }

    fn make_room_for(&mut self, key: Reporter) {
        if self.reports.len() < SURFACE_REPORTS_MAX || self.reports.contains_key(&key) {
            return;
        }
        let oldest = self.reports.iter().min_by_key(|(_, report)| report.at).map(|(key, _)| *key);
        if let Some(oldest) = oldest {
            self.reports.remove(&oldest);
        }
    }
}

impl Report {
    fn is_current(&self, now: Instant) -> bool {
        now.since(self.at) < LIFETIME
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::SocketId;

    const ROOT: Address = Address::from_u64(0xd5_b4de_ab9d);
    const LEAF: Address = Address::from_u64(0x59_e377_7b55);

    fn at(secs: u64) -> Instant {
        Instant::from_millis(secs * 1_000)
    }

    fn path(remote: &str) -> Path {
        Path { local: SocketId(1), remote: remote.parse().unwrap() }
    }

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// Returns what a root has reported, and whether the next report means that this node moved.
    fn after_root_said_so(
        reporter: Address,
        from: &str,
        mine: &str,
        trusted: bool,
    ) -> (bool, Surface) {
        let mut surface = Surface::new();
        surface.report(at(0), reporter, path(from), addr("5.2.0.1:9993"), true);
        let moved = surface.report(at(80), reporter, path(from), addr(mine), trusted);
        (moved, surface)
    }

    fn seen(surface: &Surface, now: Instant) -> Vec<String> {
        surface.addresses(now).iter().map(ToString::to_string).collect()
    }

    /// The four cases of self_awareness.json.
    #[test]
    fn only_another_ip_from_a_root_means_that_this_node_moved() {
        let (moved, surface) = after_root_said_so(ROOT, "5.1.0.1:9993", "5.2.9.9:9993", true);
        assert_eq!((moved, seen(&surface, at(80))), (true, vec!["5.2.9.9:9993".to_owned()]));

        let (moved, surface) = after_root_said_so(ROOT, "5.1.0.1:9993", "5.2.0.1:1234", true);
        assert_eq!((moved, seen(&surface, at(80))), (false, vec!["5.2.0.1:1234".to_owned()]));

        let (moved, surface) = after_root_said_so(LEAF, "5.3.0.1:9993", "5.2.9.9:9993", false);
        assert_eq!((moved, seen(&surface, at(80))), (false, vec!["5.2.9.9:9993".to_owned()]));

        let (moved, surface) = after_root_said_so(ROOT, "5.1.0.1:9993", "192.168.1.1:9993", true);
        assert_eq!((moved, seen(&surface, at(80))), (false, vec!["5.2.0.1:9993".to_owned()]));
    }

    #[test]
    fn a_move_discredits_what_other_places_saw_in_that_scope() {
        let mut surface = Surface::new();
        surface.report(at(0), ROOT, path("5.1.0.1:9993"), addr("5.2.0.1:9993"), true);
        surface.report(at(0), LEAF, path("5.3.0.1:9993"), addr("5.2.0.1:5555"), false);
        surface.report(at(0), LEAF, path("10.0.0.3:9993"), addr("10.0.0.2:9993"), false);

        assert!(surface.report(at(1), ROOT, path("5.1.0.1:9993"), addr("5.2.9.9:9993"), true));

        assert_eq!(seen(&surface, at(1)), ["5.2.9.9:9993", "10.0.0.2:9993"]);
    }

    #[test]
    fn reports_are_believed_for_ten_minutes() {
        let mut surface = Surface::new();
        surface.report(at(0), ROOT, path("5.1.0.1:9993"), addr("5.2.0.1:9993"), true);

        assert_eq!(surface.addresses(at(599)).len(), 1);
        assert_eq!(surface.addresses(at(600)).len(), 0);
        assert!(!surface.report(at(600), ROOT, path("5.1.0.1:9993"), addr("5.2.9.9:9993"), true));
    }

    #[test]
    fn strangers_cannot_fill_the_table_for_good() {
        let mut surface = Surface::new();

        for i in 0..2 * SURFACE_REPORTS_MAX as u64 {
            let reporter = Address::from_u64(i + 1);
            surface.report(at(i), reporter, path("5.3.0.1:9993"), addr("5.2.0.1:9993"), false);
        }

        assert_eq!(surface.reports.len(), SURFACE_REPORTS_MAX);
        assert!(
            surface.reports.keys().all(|key| key.address.to_u64() > SURFACE_REPORTS_MAX as u64)
        );
    }
}
