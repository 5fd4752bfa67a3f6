//! The ways to one peer: how they are learned, judged and forgotten.
//!
//! A way is learned only when a reply to something this node asked comes over it. So a source
//! address that was forged or replayed never receives traffic.
//!
//! Source: spec 02 §4.1, §4.3, §4.6.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::endpoint::{Path, Scope, SocketId};
use crate::limits::{PATHS_PER_PEER_FULL, PATHS_PER_PEER_MAX};
use crate::memory;
use crate::time::Instant;

/// How long a path that was heard counts as alive.
pub const ALIVE: Duration = Duration::from_secs(19);

/// How long a path may be used after it was last heard.
pub const EXPIRY: Duration = Duration::from_secs(243);

/// How long after a probe a path wants the next one, so that NATs keep it open.
pub const HEARTBEAT: Duration = Duration::from_secs(14);

/// How long after a probe that is not answered.
const REPEAT: Duration = Duration::from_secs(5);

/// Probes in a row that may stay unanswered; when another has to be sent, nobody seems to be
/// there.
pub const UNANSWERED_MAX: u32 = 3;

/// How long a probe may take before the path it went by is in doubt.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// The latency of a path that was never measured, in milliseconds.
pub const LATENCY_UNKNOWN: u64 = 65_535;

/// What makes any path through the TCP relay worse than any other.
const TCP_RELAY_PENALTY: u64 = 1 << 32;

/// Age beyond which an even older path is no worse, in milliseconds.
const AGE_MAX: u64 = 140_000;

/// One way to a peer.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    path: Path,
    /// When the peer was last heard on it; `None` if it is in doubt since the network changed.
    heard: Option<Instant>,
    /// When it was last probed, learning it included.
    probed: Instant,
    /// How often it was probed since the peer was heard on it.
    unanswered: u32,
    /// Too many of them were not answered.
    has_failed: bool,
    /// Round trip in milliseconds.
    latency: Option<u64>,
}

impl Known {
    /// Returns the path itself.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.path
    }

    /// Returns the measured round trip in milliseconds.
    #[must_use]
    pub const fn latency(&self) -> Option<u64> {
        self.latency
    }

    /// Returns when the peer was last heard on it; `None` if the network has changed since.
    #[must_use]
    pub const fn heard(&self) -> Option<Instant> {
        self.heard
    }

    /// Returns how long nothing was heard of the peer on it.
    #[must_use]
    pub fn silence(&self, now: Instant) -> Duration {
        self.heard.map_or(Duration::MAX, |heard| now.since(heard))
    }

    /// Returns how often the peer was probed on it since it was heard.
    #[must_use]
    pub const fn unanswered(&self) -> u32 {
        self.unanswered
    }

    /// Returns when the peer was last asked to answer on it, or proved it by answering.
    #[must_use]
    pub const fn probed(&self) -> Instant {
        self.probed
    }

    /// Returns until when the answer to a probe is waited for; `None` if the last was answered.
    #[must_use]
    pub fn awaited_until(&self) -> Option<Instant> {
        (self.unanswered > 0).then(|| self.probed + PATIENCE)
    }

    /// Returns whether the answer to a probe is overdue.
    fn is_in_doubt(&self, now: Instant) -> bool {
        self.unanswered > 1 || self.awaited_until().is_some_and(|until| until <= now)
    }

    /// Returns whether the peer was heard on it a moment ago.
    #[must_use]
    pub fn is_alive(&self, now: Instant) -> bool {
        self.heard.is_some_and(|heard| now.since(heard) < ALIVE)
    }

    /// Returns whether it keeps other ports of the same host from being learned.
    fn is_live(&self, now: Instant) -> bool {
        self.is_alive(now) && !self.is_in_doubt(now)
    }

    /// Returns whether it may be used.
    #[must_use]
    pub fn is_unexpired(&self, now: Instant) -> bool {
        self.heard.is_some_and(|heard| now.since(heard) < EXPIRY)
    }

    /// Returns whether the peer does not answer on it.
    ///
    /// A router that forgot its mappings makes a path useless long before it expires. Meanwhile
    /// packets are relayed, and the relay introduces the two again.
    #[must_use]
    pub const fn is_failing(&self) -> bool {
        self.has_failed
    }

    /// Takes note that the peer is probed on it.
    fn ask(&mut self, now: Instant) {
        self.probed = now;
        self.unanswered = self.unanswered.saturating_add(1);
    }

    /// Returns when the path wants the next probe, a `heartbeat` after the last if that was
    /// answered.
    fn next_probe(&self, heartbeat: Duration) -> Instant {
        let is_repeated = self.unanswered > 0 && !self.is_failing();
        self.probed + if is_repeated { REPEAT } else { heartbeat }
    }

    /// Returns whether it is watched so that it can take over.
    fn stands_by(&self, now: Instant) -> bool {
        self.is_alive(now) && !self.path.is_through_tcp_relay()
    }

    /// Returns when the peer is to be asked for a sign of life, a `period` after the last or after it
    /// was asked.
    fn next_heartbeat(&self, period: Duration) -> Option<Instant> {
        self.heard.map(|heard| heard.max(self.probed) + period)
    }

    /// Returns how bad the path is: the smaller, the better (spec 02 §4.6).
    ///
    /// A private address thus beats a global one of the same latency by a factor of four, and
    /// anything a path through the TCP relay.
    #[must_use]
    pub fn quality(&self, now: Instant) -> u64 {
        let age = self.heard.map_or(AGE_MAX, |heard| millis(now.since(heard)).min(AGE_MAX));
        let silence = if self.is_alive(now) { 0 } else { LATENCY_UNKNOWN + age };
        let reach = Scope::of(self.path.remote.ip()) as u64;
        let detour = if self.path.is_through_tcp_relay() { TCP_RELAY_PENALTY } else { 0 };
        (self.latency.unwrap_or(LATENCY_UNKNOWN) + silence) * (8 - reach) + detour
    }
}

/// What a packet that came straight from the peer makes of the way it came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// The path was known and is fresh again.
    Refreshed,
    /// A path that is alive and answers leads to another port of the same host; nothing is learned,
    /// or the two would take turns for ever.
    Redundant,
    /// No path may lead there.
    Refused,
    /// The path has been proven by a reply and is known from here on.
    Learned,
    /// The peer has to answer on it before it is used.
    Unconfirmed,
}

/// Every way to one peer, at most [`PATHS_PER_PEER_MAX`].
#[derive(Clone, Debug, Default)]
pub struct Paths {
    known: Vec<Known>,
}

impl Paths {
    /// Takes note that an authentic packet came straight from the peer on `path` (spec 02 §4.3).
    ///
    /// |                                    | OK          | any other verb |
    /// |------------------------------------|-------------|----------------|
    /// | the path is known                  | `Refreshed` | `Refreshed`    |
    /// | known and live but for the port    | `Redundant` | `Redundant`    |
    /// | not usable for this peer           | `Refused`   | `Refused`      |
    /// | none of these                      | `Learned`   | `Unconfirmed`  |
    ///
    /// While memory `is_full`, further paths than a [few](PATHS_PER_PEER_FULL) displace others.
    pub fn arrived(
        &mut self,
        now: Instant,
        path: Path,
        is_ok: bool,
        is_full: bool,
        is_usable: impl FnOnce() -> bool,
    ) -> Arrival {
        if self.refresh(now, path) {
            return Arrival::Refreshed;
        }
        if self.known.iter().any(|known| known.path.is_rival(path) && known.is_live(now)) {
            return Arrival::Redundant;
        }
        if !is_usable() {
            return Arrival::Refused;
        }
        if !is_ok {
            return Arrival::Unconfirmed;
        }
        self.learn(now, path, if is_full { PATHS_PER_PEER_FULL } else { PATHS_PER_PEER_MAX });
        Arrival::Learned
    }

    /// Takes note that the peer was heard on `path`; returns whether it is known.
    pub fn refresh(&mut self, now: Instant, path: Path) -> bool {
        let known = self.known.iter_mut().find(|known| known.path == path);
        known.is_some_and(|known| {
            known.heard = Some(now);
            known.unanswered = 0;
            known.has_failed = false;
            true
        })
    }

    /// Puts `path` in place of a dead one of the same host, else into a free slot, else in place
    /// of the one silent longest.
    fn learn(&mut self, now: Instant, path: Path, max: usize) {
        let learned = Known {
            path,
            heard: Some(now),
            probed: now,
            unanswered: 0,
            has_failed: false,
            latency: None,
        };
        let dead = self.known.iter().position(|old| old.path.is_rival(path) && !old.is_live(now));
        if dead.is_none() && self.known.len() < max {
            // Most peers have one path, and roots have many peers.
            self.known.reserve_exact(1);
            self.known.push(learned);
            return;
        }
        let silent = || (0..self.known.len()).min_by_key(|&i| self.known[i].heard);
        if let Some(slot) = dead.or_else(silent) {
            self.known[slot] = learned;
        }
    }

    /// Averages a round trip into the latency of `path` (spec 02 §4.5).
    pub fn measured(&mut self, path: Path, round_trip: Duration) {
        let sample = millis(round_trip).min(LATENCY_UNKNOWN - 1);
        if let Some(known) = self.known.iter_mut().find(|known| known.path == path) {
            known.latency = Some(known.latency.map_or(sample, |old| (old + sample) / 2));
        }
    }

    /// Returns the usable paths among those `of_interest` that want a probe, or all of them, and
    /// takes it as sent.
    pub fn take_probes(
        &mut self,
        now: Instant,
        heartbeat: Duration,
        all: bool,
        of_interest: impl Fn(Path) -> bool,
    ) -> Vec<Path> {
        let usable = self.known.iter_mut().filter(|known| known.is_unexpired(now));
        usable
            .filter(|known| of_interest(known.path))
            .filter(|known| all || known.next_probe(heartbeat) <= now)
            .map(|known| {
                known.ask(now);
                known.has_failed |= known.unanswered > UNANSWERED_MAX;
                known.path
            })
            .collect()
    }

    /// Returns the paths on which the peer was heard a moment ago but not for a `period`, nor asked,
    /// and takes it as asked. Those through the TCP relay are left alone.
    pub fn take_heartbeats(&mut self, now: Instant, period: Duration) -> Vec<Path> {
        let standing_by = self.known.iter_mut().filter(|known| known.stands_by(now));
        let due = standing_by.filter(|known| known.next_heartbeat(period) <= Some(now));
        due.map(|known| {
            known.ask(now);
            known.path
        })
        .collect()
    }

    /// Returns when the next of those paths is due.
    #[must_use]
    pub fn next_heartbeat(&self, now: Instant, period: Duration) -> Option<Instant> {
        let standing_by = self.known.iter().filter(|known| known.stands_by(now));
        standing_by.filter_map(|known| known.next_heartbeat(period)).min()
    }

    /// Returns what is known of `path`.
    #[must_use]
    pub fn find(&self, path: Path) -> Option<&Known> {
        self.known.iter().find(|known| known.path == path)
    }

    /// Takes note that the peer is probed on `path`.
    pub fn ask(&mut self, now: Instant, path: Path) {
        if let Some(known) = self.known.iter_mut().find(|known| known.path == path) {
            known.ask(now);
        }
    }

    /// Takes note that the peer is probed on every path in use on which it was heard before this
    /// very moment; returns those paths.
    pub fn ask_silent(&mut self, now: Instant) -> Vec<Path> {
        let usable = self.known.iter_mut().filter(|known| known.is_unexpired(now));
        let silent = usable.filter(|known| !known.has_failed && known.heard < Some(now));
        silent
            .map(|known| {
                known.ask(now);
                known.path
            })
            .collect()
    }

    /// Does without every path on which the peer was asked, and not heard since then, until it is.
    pub fn give_up_silent(&mut self, since: Instant) {
        for known in self.known.iter_mut().filter(|known| known.heard < Some(since)) {
            known.has_failed |= known.unanswered > 0;
        }
    }

    /// Does without `path` until the peer is heard on it.
    pub fn give_up(&mut self, path: Path) {
        if let Some(known) = self.known.iter_mut().find(|known| known.path == path) {
            known.has_failed = true;
        }
    }

    /// Puts every path to an address for which `is_doubtful` into doubt and returns them.
    pub fn doubt(&mut self, is_doubtful: impl Fn(IpAddr) -> bool) -> Vec<Path> {
        let doubtful = self.known.iter_mut().filter(|known| is_doubtful(known.path.remote.ip()));
        doubtful
            .map(|known| {
                known.heard = None;
                known.path
            })
            .collect()
    }

    /// Forgets every path from one of these sockets; returns where those led.
    pub fn close(&mut self, closed: &[SocketId]) -> Vec<SocketAddr> {
        let lost = self.known.extract_if(.., |known| closed.contains(&known.path.local));
        lost.map(|known| known.path.remote).collect()
    }

    /// Forgets paths to addresses that are not `usable`.
    pub fn keep(&mut self, usable: impl Fn(IpAddr) -> bool) {
        self.known.retain(|known| usable(known.path.remote.ip()));
    }

    /// Forgets paths that have expired.
    pub fn expire(&mut self, now: Instant) {
        self.known.retain(|known| known.is_unexpired(now));
    }

    /// Forgets paths through the TCP relay; returns whether there were any.
    pub fn forget_tcp_relay(&mut self) -> bool {
        let before = self.known.len();
        self.known.retain(|known| !known.path.is_through_tcp_relay());
        self.known.len() < before
    }

    /// Returns what they take, in bytes.
    #[must_use]
    pub fn footprint(&self) -> usize {
        memory::of_list(&self.known)
    }

    /// Gives back the room of paths that were forgotten.
    pub fn shrink(&mut self) {
        self.known.shrink_to_fit();
    }

    /// Returns every path, expired ones included, in the order they were learned.
    pub fn iter(&self) -> impl Iterator<Item = &Known> + Clone {
        self.known.iter()
    }

    /// Returns every path that may be used.
    pub fn unexpired(&self, now: Instant) -> impl Iterator<Item = &Known> {
        self.known.iter().filter(move |known| known.is_unexpired(now))
    }

    /// Returns whether some path may be used.
    #[must_use]
    pub fn any_unexpired(&self, now: Instant) -> bool {
        self.unexpired(now).next().is_some()
    }

    /// Returns the best path that may be used and on which the peer answers.
    #[must_use]
    pub fn selected(&self, now: Instant) -> Option<&Known> {
        best(now, self.unexpired(now).filter(|known| !known.is_failing()))
    }

    /// Returns the best path of those that are `acceptable`.
    pub fn best_of(&self, now: Instant, acceptable: impl Fn(&Known) -> bool) -> Option<&Known> {
        best(now, self.iter().filter(|known| acceptable(known)))
    }

    /// Returns the best path, however old.
    #[must_use]
    pub fn best(&self, now: Instant) -> Option<&Known> {
        best(now, self.iter())
    }

    /// Returns the best path to an address of this scope and family, however old.
    #[must_use]
    pub fn best_within(&self, now: Instant, scope: Scope, is_ipv6: bool) -> Option<&Known> {
        let within = |known: &&Known| {
            let ip = known.path.remote.ip();
            ip.is_ipv6() == is_ipv6 && Scope::of(ip) == scope
        };
        best(now, self.iter().filter(within))
    }

    /// Returns when `path` expires unless it is heard again.
    #[must_use]
    pub fn expiry_of(&self, path: Path) -> Option<Instant> {
        Some(self.find(path)?.heard? + EXPIRY)
    }

    /// Returns when the next usable path among those `of_interest` wants a probe.
    #[must_use]
    pub fn next_probe(
        &self,
        now: Instant,
        heartbeat: Duration,
        of_interest: impl Fn(Path) -> bool,
    ) -> Option<Instant> {
        let interesting = self.unexpired(now).filter(|known| of_interest(known.path));
        interesting.map(|known| known.next_probe(heartbeat)).min()
    }
}

/// Returns the path of the smallest quality; of several, the one learned last.
fn best<'a>(now: Instant, paths: impl Iterator<Item = &'a Known>) -> Option<&'a Known> {
    paths.reduce(|best, next| if next.quality(now) <= best.quality(now) { next } else { best })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::SocketId;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn path(remote: &str) -> Path {
        Path { local: SocketId(0), remote: remote.parse().unwrap() }
    }

    /// Returns paths that were learned at time zero, in this order.
    fn known(remotes: &[&str]) -> Paths {
        let mut paths = Paths::default();
        for remote in remotes {
            assert_eq!(paths.arrived(at(0), path(remote), true, false, || true), Arrival::Learned);
        }
        paths
    }

    fn remotes(paths: &Paths) -> Vec<String> {
        paths.iter().map(|known| known.path.remote.to_string()).collect()
    }

    /// The table of [`Paths::arrived`], cell by cell.
    #[test]
    fn a_path_is_learned_only_from_a_reply() {
        let cases = [
            ("5.3.0.1:9993", true, Arrival::Refreshed),
            ("5.3.0.1:9993", false, Arrival::Refreshed),
            ("5.3.0.1:7777", true, Arrival::Redundant),
            ("5.3.0.1:7777", false, Arrival::Redundant),
            ("5.4.0.1:9993", true, Arrival::Learned),
            ("5.4.0.1:9993", false, Arrival::Unconfirmed),
        ];
        for (remote, is_ok, expected) in cases {
            let mut paths = known(&["5.3.0.1:9993"]);

            assert_eq!(
                paths.arrived(at(1), path(remote), is_ok, false, || true),
                expected,
                "{remote}"
            );
            let learned = usize::from(expected == Arrival::Learned);
            assert_eq!(paths.known.len(), 1 + learned, "{remote}");
        }
        for is_ok in [true, false] {
            let mut paths = known(&["5.3.0.1:9993"]);

            let arrival = paths.arrived(at(1), path("127.0.0.1:1"), is_ok, false, || false);

            assert_eq!(arrival, Arrival::Refused);
        }
    }

    #[test]
    fn another_port_replaces_a_dead_one() {
        let mut paths = known(&["5.3.0.1:9993", "5.9.0.1:9993"]);

        let alive = paths.arrived(at(18_999), path("5.3.0.1:7777"), true, false, || true);
        let dead = paths.arrived(at(19_000), path("5.3.0.1:7777"), true, false, || true);

        assert_eq!((alive, dead), (Arrival::Redundant, Arrival::Learned));
        assert_eq!(remotes(&paths), ["5.3.0.1:7777", "5.9.0.1:9993"]);
    }

    #[test]
    fn another_socket_is_another_path() {
        let mut paths = known(&["5.3.0.1:9993"]);
        let other = Path { local: SocketId(1), ..path("5.3.0.1:9993") };

        assert_eq!(paths.arrived(at(1), other, true, false, || true), Arrival::Learned);
    }

    #[test]
    fn a_full_table_gives_up_the_path_silent_longest() {
        let mut paths = Paths::default();
        for i in 0..PATHS_PER_PEER_MAX {
            let remote = format!("5.3.0.{i}:9993");
            paths.arrived(at(1_000 - i as u64), path(&remote), true, false, || true);
        }

        paths.arrived(at(2_000), path("5.4.0.1:9993"), true, false, || true);

        assert_eq!(paths.known.len(), PATHS_PER_PEER_MAX);
        assert_eq!(remotes(&paths).last().map(String::as_str), Some("5.4.0.1:9993"));
    }

    #[test]
    fn a_private_address_beats_a_global_one_of_thrice_the_speed() {
        let mut paths = known(&["192.168.1.2:9993", "5.3.0.1:9993"]);
        paths.measured(path("192.168.1.2:9993"), Duration::from_millis(30));
        paths.measured(path("5.3.0.1:9993"), Duration::from_millis(10));

        assert_eq!(paths.selected(at(1)).unwrap().path, path("192.168.1.2:9993"));
    }

    #[test]
    fn a_silent_path_loses_to_one_that_is_heard() {
        let mut paths = known(&["192.168.1.2:9993", "5.3.0.1:9993"]);
        paths.measured(path("192.168.1.2:9993"), Duration::from_millis(1));
        paths.measured(path("5.3.0.1:9993"), Duration::from_millis(300));

        paths.arrived(at(18_999), path("5.3.0.1:9993"), false, false, || true);

        assert_eq!(paths.selected(at(18_999)).unwrap().path, path("192.168.1.2:9993"));
        assert_eq!(paths.selected(at(19_000)).unwrap().path, path("5.3.0.1:9993"));
    }

    #[test]
    fn of_equal_paths_the_later_is_selected() {
        let paths = known(&["5.3.0.1:9993", "5.4.0.1:9993"]);

        assert_eq!(paths.selected(at(1)).unwrap().path, path("5.4.0.1:9993"));
    }

    #[test]
    fn an_expired_path_is_kept_for_want_of_a_better_one_but_not_selected() {
        let mut paths = known(&["5.3.0.1:9993"]);

        assert_eq!(paths.expiry_of(path("5.3.0.1:9993")), Some(at(243_000)));
        assert!(paths.selected(at(242_999)).is_some());
        assert!(paths.selected(at(243_000)).is_none());
        assert!(paths.best(at(243_000)).is_some());
        paths.expire(at(243_000));
        assert!(paths.best(at(243_000)).is_none());
    }

    #[test]
    fn a_path_in_doubt_waits_until_it_is_heard() {
        let mut paths = known(&["5.3.0.1:9993", "192.168.1.2:9993"]);

        let doubtful = paths.doubt(|ip| Scope::of(ip) == Scope::Global);

        assert_eq!(doubtful, [path("5.3.0.1:9993")]);
        assert_eq!(paths.unexpired(at(1)).count(), 1);
        assert_eq!(
            paths.arrived(at(2), path("5.3.0.1:9993"), true, false, || true),
            Arrival::Refreshed
        );
        assert_eq!(paths.unexpired(at(2)).count(), 2);
    }

    #[test]
    fn a_path_without_answers_is_not_selected_until_it_is_heard_again() {
        let mut paths = known(&["5.3.0.1:9993"]);
        let mut probed = Vec::new();
        for second in 0..60 {
            if !paths.take_probes(at(second * 1_000), HEARTBEAT, false, |_| true).is_empty() {
                probed.push((second, paths.selected(at(second * 1_000)).is_some()));
            }
        }

        assert_eq!(
            probed,
            [(14, true), (19, true), (24, true), (29, false), (43, false), (57, false)]
        );
        assert!(paths.best(at(60_000)).is_some());
        paths.arrived(at(60_000), path("5.3.0.1:9993"), false, false, || true);
        assert!(paths.selected(at(60_000)).is_some());
    }

    #[test]
    fn another_port_replaces_one_that_owes_an_answer_but_not_one_that_has_given_it() {
        let [old, new] = ["5.3.0.1:9993", "5.3.0.1:7777"].map(path);
        let mut paths = known(&["5.3.0.1:9993"]);
        let mut arrived = |millis, asks, path, is_ok| {
            if asks {
                paths.ask(at(millis), old);
            }
            paths.arrived(at(millis), path, is_ok, false, || true)
        };

        assert_eq!(arrived(2_000, true, new, true), Arrival::Redundant);
        assert_eq!(arrived(2_499, false, new, true), Arrival::Redundant);
        assert_eq!(arrived(2_500, false, new, false), Arrival::Unconfirmed);
        assert_eq!(arrived(2_600, false, old, true), Arrival::Refreshed);
        assert_eq!(arrived(3_000, false, new, true), Arrival::Redundant);
        assert_eq!(arrived(4_000, true, new, true), Arrival::Redundant);
        assert_eq!(arrived(4_500, true, new, true), Arrival::Learned);
        assert_eq!(remotes(&paths), ["5.3.0.1:7777"]);
    }

    #[test]
    fn latency_is_the_first_sample_then_the_mean_of_old_and_new() {
        let mut paths = known(&["5.3.0.1:9993"]);
        let mut after = |millis| {
            paths.measured(path("5.3.0.1:9993"), Duration::from_millis(millis));
            paths.known[0].latency
        };

        assert_eq!([after(61), after(30), after(1_000_000)], [Some(61), Some(45), Some(32_789)]);
    }
}
