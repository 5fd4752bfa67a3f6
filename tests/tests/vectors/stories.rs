//! What the reference did in simulated worlds, and what ours do in the same situations.

use std::time::Duration;

use serde_json::Value;
use zt_protocol::time::Instant;
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{
    ADDRESS_RESTRICTED_CONE, Access, FULL_CONE, Nat, NodeId, PORT_RESTRICTED_CONE, Route,
    SYMMETRIC, World,
};

use crate::bench::verb_number;
use crate::fields::{cases, list, name, number, text};
use crate::report::Report;

/// How much longer than the reference two nodes may take to find each other.
const SLACK: Duration = Duration::from_millis(500);

/// When the first frame is sent in every situation of nat_traversal.json.
const FIRST_FRAME: Duration = Duration::from_secs(6);

/// nat_traversal.json
///
/// Ours must get as far as the reference, and about as fast.
pub(crate) fn nat_traversal(file: &Value, report: &mut Report) {
    for (seed, case) in (1_000..).zip(cases(file)) {
        report.case(name(case), || traversed(seed, case));
    }
}

fn traversed(seed: u64, case: &Value) {
    let mut world = World::seeded(seed);
    world.latency(millis(20)..=millis(20));
    world.root();
    let controller = world.controller();
    let network = world.network(controller, Access::Public);
    let [a, b] = place(&mut world, name(case));
    world.join(network, &[a, b]);
    world.run_until(FIRST_FRAME, |world| world.are_up(network, &[a, b])).unwrap();

    world.ping_every(millis(500), a, b);
    let is_direct =
        |world: &World| [(a, b), (b, a)].iter().all(|&(a, b)| world.route(a, b) == Route::Direct);
    let took = world.run_until(secs(160), is_direct);

    if text(case, "result").starts_with("relayed") {
        assert!(took.is_err(), "the two are direct");
        // All but the one under way.
        assert!(world.pongs(a) >= 319, "{} of 320 pings answered", world.pongs(a));
        return;
    }
    let expected = millis(number(case, "first_direct_frame_t_ms")) - FIRST_FRAME + SLACK;
    let took = took.unwrap();
    assert!(took <= expected, "direct after {took:?}, the reference after {expected:?}");
    world.run_for(secs(120));
    assert!(is_direct(&world), "not direct for long");
    if name(case).contains("one LAN") {
        let path = world.path(a, b).unwrap().ip().to_string();
        assert!(path.starts_with("192.168."), "{path}");
    }
}

/// Adds A and B where the name of a case says they are.
fn place(world: &mut World, name: &str) -> [NodeId; 2] {
    if name.contains("one LAN") {
        let lan = world.lan(Nat { hairpin: true, ..PORT_RESTRICTED_CONE });
        return [world.node_in(lan), world.node_in(lan)];
    }
    let (a, b) = name.split_once(", ").unwrap();
    [("A ", a), ("B ", b)].map(|(who, place)| match place.strip_prefix(who).unwrap() {
        "none" => world.member(),
        "full cone" => world.node_behind(FULL_CONE),
        "address-restricted cone" => world.node_behind(ADDRESS_RESTRICTED_CONE),
        "port-restricted cone" => world.node_behind(PORT_RESTRICTED_CONE),
        "symmetric" => world.node_behind(SYMMETRIC),
        other => panic!("unknown place {other}"),
    })
}

/// keepalive.json
///
/// The periods of ours are held to those of the reference, not its phases.
pub(crate) fn keepalive(file: &Value, report: &mut Report) {
    let quiet = QuietMinutes::pass();
    for case in cases(file) {
        report.case(name(case), || match name(case) {
            "between A and B" => quiet.compare_members(case),
            "between A and R, without WHOIS" => quiet.compare_with_root(case),
            _ => quiet.compare_peer_table(case),
        });
    }
}

/// 25 minutes in which two members do nothing, after three seconds in which they did.
struct QuietMinutes {
    world: World,
    root: NodeId,
    a: NodeId,
    b: NodeId,
    begin: Instant,
    /// When A had no path to B any more, in seconds since the beginning.
    path_ended: u64,
    /// When A did not know B any more.
    forgotten: u64,
}

impl QuietMinutes {
    fn pass() -> Self {
        let mut world = World::seeded(2_000);
        world.latency(millis(20)..=millis(20));
        let root = world.root();
        let controller = world.controller();
        let network = world.network(controller, Access::Public);
        let [a, b] = [world.member(), world.member()];
        world.join(network, &[a, b]);
        world.run_until(secs(15), |world| world.are_up(network, &[a, b])).unwrap();
        world.start_recording();
        let begin = world.now();
        world.ping_every(millis(500), a, b);
        world.run_for(secs(3));
        world.stop_pings();
        world.run_for(secs(1));
        // Members tell each other their multicast groups each minute, which the file leaves out.
        world.leave(network, a);
        world.leave(network, b);

        let (mut path_ended, mut forgotten) = (0, 0);
        for elapsed in (30..=1_500).step_by(30) {
            let passed = world.now().since(begin);
            world.run_for(secs(elapsed) - passed);
            let peer = world.peer(a, b);
            if peer.as_ref().is_some_and(|peer| !peer.paths.is_empty()) {
                path_ended = elapsed + 30;
            }
            if peer.is_some() {
                forgotten = elapsed + 30;
            }
        }
        Self { world, root, a, b, begin, path_ended, forgotten }
    }

    /// Returns when packets of these verbs arrived, in seconds since the beginning.
    fn times(&self, from: NodeId, to: NodeId, verbs: &[&str]) -> Vec<f64> {
        let numbers: Vec<_> = verbs.iter().map(|verb| verb_number(verb)).collect();
        let packets = self.world.packets(from, to).into_iter();
        packets
            .filter(|(_, packet)| numbers.contains(&packet.verb))
            .map(|(at, _)| at.since(self.begin).as_secs_f64())
            .collect()
    }

    /// Probes each 15 s and a HELLO each 60 s, until nothing was said for 500 s.
    fn compare_members(&self, case: &Value) {
        for (from, to, letter) in [(self.a, self.b, "A"), (self.b, self.a, "B")] {
            for (verbs, period) in [(&["ECHO", "HELLO"][..], 20.0), (&["HELLO"], 65.0)] {
                let ours = self.times(from, to, verbs);
                let theirs = events(case, letter, verbs);
                let (first, last) = (ours.first().unwrap(), ours.last().unwrap());
                assert!(ours.len() <= theirs.len() * 5 / 4 + 2, "{verbs:?}: {}", ours.len());
                assert!(ours.len() * 5 / 4 + 2 >= theirs.len(), "{verbs:?}: {}", ours.len());
                assert!(longest_gap(&ours) <= period, "{verbs:?}: {ours:?}");
                assert!(*first < 10.0 && (430.0..530.0).contains(last), "{verbs:?}: {ours:?}");
            }
        }
    }

    /// The root is never left alone for long, and not burdened more than by the reference.
    fn compare_with_root(&self, case: &Value) {
        let ours: Vec<f64> = self.times(self.a, self.root, &["HELLO", "ECHO", "WHOIS", "OK"]);
        let theirs = events(case, "A", &["HELLO", "OK"]).len() as u64;
        // Half of the WHOIS datagrams are answers.
        let theirs = theirs + number(case, "whois_datagrams") / 2;

        assert!(ours.len() as u64 <= theirs, "{} packets, not {theirs}", ours.len());
        assert!(longest_gap(&ours) <= 30.0, "{ours:?}");
        assert!(*ours.last().unwrap() > 1_470.0, "{ours:?}");
    }

    /// Keepalive ends 500 s after the last frame, the path 243 s after that, and what is known of
    /// the peer when it was not heard for 500 s.
    fn compare_peer_table(&self, case: &Value) {
        let [_, path_ended, forgotten] = list(case, "states") else {
            panic!("the peer table changes twice");
        };
        for (ours, theirs) in [(self.path_ended, path_ended), (self.forgotten, forgotten)] {
            let theirs = number(theirs, "t_ms") / 1_000 - 6;
            assert!(ours.abs_diff(theirs) <= 60, "after {ours} s, the reference after {theirs} s");
        }
    }
}

/// Returns when the reference sent packets of these verbs, in seconds since the first frame.
fn events(case: &Value, from: &str, verbs: &[&str]) -> Vec<f64> {
    let events = list(case, "events").iter();
    events
        .filter(|event| event[1] == from && verbs.iter().any(|verb| event[3] == *verb))
        .map(|event| event[0].as_f64().unwrap() / 1_000.0 - 6.0)
        .collect()
}

fn longest_gap(times: &[f64]) -> f64 {
    times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}
