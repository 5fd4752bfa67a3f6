//! How the outside sees this node: the physical addresses others report.
//!
//! Source: spec 02 §8.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::endpoint::{Path, Scope, SocketId};
use crate::limits::{PORTS_AHEAD, PORTS_BEHIND, SURFACE_REPORTS_MAX};
use crate::memory;
use crate::status::Mapping;
use crate::time::Instant;

/// How long a report is believed.
const LIFETIME: Duration = Duration::from_secs(600);

/// How far apart ports may be that a translator is believed to have given one after the other:
/// others behind it take some in between.
const STRIDE_MAX: u16 = 8;

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

    /// Returns what it takes, in bytes.
    #[must_use]
    pub fn footprint(&self) -> usize {
        memory::of_tree(&self.reports)
    }

    /// Forgets what is no longer believed.
    pub fn expire(&mut self, now: Instant) {
        self.reports.retain(|_, report| report.is_current(now));
    }

    /// Forgets what was seen of these sockets, which are gone.
    pub fn close(&mut self, closed: &[SocketId]) {
        self.reports.retain(|reporter, _| !closed.contains(&reporter.path.local));
    }

    /// Returns the addresses this node was seen at lately, in ascending order.
    #[must_use]
    pub fn addresses(&self, now: Instant) -> BTreeSet<SocketAddr> {
        let current = self.reports.values().filter(|report| report.is_current(now));
        current.map(|report| report.mine).collect()
    }

    /// Returns how this node's ports look from outside, in one family.
    ///
    /// The worst of what the sockets are behind, as a path may need any of them.
    #[must_use]
    pub fn mapping(&self, now: Instant, is_ipv6: bool) -> Mapping {
        let seen = self.seen(now);
        let of_family = seen.iter().filter(|((_, ip), _)| ip.is_ipv6() == is_ipv6);
        of_family.map(|(_, (places, ports))| mapping(*places, ports)).max().unwrap_or_default()
    }

    /// Returns addresses this node may have for those who have not seen it: where a translator
    /// gives each far end the port after the last, those around the last that was seen.
    #[must_use]
    pub fn foretold(&self, now: Instant) -> Vec<SocketAddr> {
        let mut foretold = Vec::new();
        for ((_, ip), (places, ports)) in self.seen(now) {
            let Some(&last) = ports.last() else { continue };
            if mapping(places, &ports) != Mapping::Sequential {
                continue;
            }
            let is_free = |port: &u16| !ports.contains(port);
            let ahead = (last..=u16::MAX).filter(is_free).take(PORTS_AHEAD);
            let behind = (1_024..last).rev().filter(is_free).take(PORTS_BEHIND);
            foretold.extend(ahead.chain(behind).map(|port| SocketAddr::new(ip, port)));
        }
        foretold
    }

    /// Returns, for each socket and each global address it was seen at, how many places saw it
    /// there and at which ports.
    fn seen(&self, now: Instant) -> BTreeMap<(SocketId, IpAddr), (usize, BTreeSet<u16>)> {
        let mut seen: BTreeMap<_, (usize, BTreeSet<u16>)> = BTreeMap::new();
        let current = self.reports.iter().filter(|(_, report)| report.is_current(now));
        for (reporter, report) in current.filter(|(reporter, _)| reporter.scope == Scope::Global) {
            let entry = seen.entry((reporter.path.local, report.mine.ip())).or_default();
            entry.0 += 1;
            entry.1.insert(report.mine.port());
        }
        seen
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

/// Returns what a translator does to a socket that so many places saw at these ports.
fn mapping(places: usize, ports: &BTreeSet<u16>) -> Mapping {
    let gaps = ports.iter().zip(ports.iter().skip(1)).map(|(low, high)| high - low);
    match gaps.max() {
        None if places < 2 => Mapping::Unknown,
        None => Mapping::Same,
        Some(gap) if gap <= STRIDE_MAX => Mapping::Sequential,
        Some(_) => Mapping::Random,
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

    /// Returns what is known of a socket after places far apart have seen it at these ports.
    fn seen_at(ports: &[u16]) -> Surface {
        let mut surface = Surface::new();
        for (index, port) in (1..).zip(ports) {
            let reporter = Address::from_u64(index);
            let mine = SocketAddr::new([5, 2, 0, 1].into(), *port);
            surface.report(at(0), reporter, path(&format!("5.3.0.{index}:9993")), mine, false);
        }
        surface
    }

    #[test]
    fn how_a_translator_maps_shows_in_the_ports_that_places_see() {
        let cases: [(&[u16], Mapping); 6] = [
            (&[], Mapping::Unknown),
            (&[50_001], Mapping::Unknown),
            (&[50_001, 50_001], Mapping::Same),
            (&[50_001, 50_002], Mapping::Sequential),
            (&[50_009, 50_001, 50_004], Mapping::Sequential),
            (&[50_001, 50_002, 7_000], Mapping::Random),
        ];
        for (ports, expected) in cases {
            assert_eq!(seen_at(ports).mapping(at(1), false), expected, "{ports:?}");
            assert_eq!(seen_at(ports).mapping(at(1), true), Mapping::Unknown);
            assert_eq!(seen_at(ports).mapping(at(600), false), Mapping::Unknown);
        }
    }

    #[test]
    fn ports_are_foretold_only_of_translators_that_count() {
        let foretold = |ports: &[u16]| -> Vec<u16> {
            seen_at(ports).foretold(at(1)).iter().map(SocketAddr::port).collect()
        };

        assert_eq!(foretold(&[50_001]), [0; 0]);
        assert_eq!(foretold(&[50_001, 50_001]), [0; 0]);
        assert_eq!(foretold(&[50_001, 9_000]), [0; 0]);
        assert_eq!(foretold(&[50_001, 50_003]), [50_004, 50_005, 50_006, 50_007, 50_002, 50_000]);
        assert_eq!(foretold(&[65_534, 65_533]), [65_535, 65_532, 65_531]);
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
