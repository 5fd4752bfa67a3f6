//! Relaying and introducing (spec 01 §12, spec 02 §6).

use std::time::Duration;

use serde_json::Value;
use zt_protocol::identity::Identity;
use zt_protocol::time::UnixMillis;
use zt_protocol::world::{Root, World, WorldKind};
use zt_tests::identities;
use zt_tests::vector_node::VectorNode;

use crate::bench::{B_AT, address, assert_sends, case_time, endpoint, leaf, node, root, stimulate};
use crate::fields::{bytes, cases, flag, has, list, name, number, text};
use crate::report::Report;

/// relay_unite.json
pub(crate) fn unite(file: &Value, report: &mut Report) {
    let mut root = root(file);
    for case in cases(file) {
        report.case(name(case), || {
            if has(case, "paths_of_A") {
                several_paths(file, case);
            } else if text(case, "receiver") == "A" {
                let mut leaf = leaf(file);
                let sent = stimulate(&mut leaf, case);
                assert_sends(&leaf, case, sent);
            } else if name(case) == "A only private, B only global" {
                only_private(file, case);
            } else {
                let sent = stimulate(&mut root, case);
                assert_sends(&root, case, sent);
            }
        });
    }
}

/// A and B are known on several paths each; the case names the best first.
fn several_paths(file: &Value, case: &Value) {
    let mut root = node(file, "R");
    root.live_until(case_time(case) - 10_000);
    for (letter, paths) in [("A", "paths_of_A"), ("B", "paths_of_B")] {
        // Strangers from one site are looked into one each two seconds.
        root.live_for(Duration::from_secs(2));
        for path in list(case, paths) {
            root.meet(address(file, letter), endpoint(path.as_str().unwrap()), 12);
        }
    }

    let sent = stimulate(&mut root, case);

    assert_sends(&root, case, sent);
}

fn only_private(file: &Value, case: &Value) {
    let mut root = node(file, "R");
    root.live_until(0);
    root.meet(address(file, "A"), endpoint(text(case, "from_addr")), 12);
    root.meet(address(file, "B"), endpoint(B_AT), 12);

    let sent = stimulate(&mut root, case);

    assert_sends(&root, case, sent);
}

/// The relay and the sender of relay.json, whose secrets are in packet_reject.json.
const RELAY: &str = "8e4df28b72:0:ac3d46abe0c21f3cfe7a6c8d6a85cfcffcb82fbd55af6a4d6350657c68200843fa2e16f9418bbd9702cae365f2af5fb4c420908b803a681d4daef6114d78a2d7:bd8dd6e4ce7022d2f812797a80c6ee8ad180dc4ebf301dec8b06d1be08832bddd63a2f1cfa7b2c504474c75bdc8898ba476ef92e8e2d0509f8441985171ff16e";
const SENDER: &str = "f9d05d89db:0:a677b90d3b7668f638b6a6e324c6695e8da6f8e5272ca4d3a7f7cf814f9747422765124862df3bfb97d582af86406944d2a560a3d14ae7f535a0b55190992a59:d2ec8ddd8d2ecdca0b886e028253bed6f1ac927b948c8f8edfe9cbd00bb279486442e5b076cd626682fde3c4d43f4c3bbcff4fae5132a32546abaa2cf0cdf862";

/// relay.json
///
/// Nobody knows the keys of the node the datagrams are for, so another takes its place: relays
/// look at nothing but the address.
pub(crate) fn relay(file: &Value, report: &mut Report) {
    for case in cases(file) {
        report.case(name(case), || relayed(case));
    }
}

fn relayed(case: &Value) {
    let is_upstream = name(case).ends_with("relay-is-upstream");
    let relay_at = endpoint("192.0.2.40/9993");
    let relay: Identity = RELAY.parse().unwrap();
    let roots = vec![Root { identity: relay, endpoints: vec![relay_at] }];
    let planet = World { roots: if is_upstream { roots } else { Vec::new() }, ..empty_planet() };
    let mut relay = VectorNode::new(RELAY, relay_at, planet);
    let (sender_at, target_at) = (endpoint("192.0.2.50/9993"), endpoint("192.0.2.60/9993"));
    let sender = relay.play(SENDER);
    let target = relay.play(identities::text(0));
    relay.meet(sender, sender_at, 12);
    // Strangers from one site are looked into one each two seconds.
    relay.live_for(Duration::from_secs(2));
    relay.meet(target, target_at, 12);

    let readdressed = |mut datagram: Vec<u8>| {
        datagram[8..13].copy_from_slice(&target.to_bytes());
        datagram
    };
    let sent = relay.feed(sender_at, &readdressed(bytes(case, "input")));

    let (forwarded, introductions): (Vec<_>, Vec<_>) =
        sent.iter().partition(|reply| reply.packet.is_none());
    assert_eq!(forwarded.len(), usize::from(flag(case, "relayed")));
    for (ours, expected) in forwarded.iter().zip(list(case, "output")) {
        assert_eq!(ours.path.remote, endpoint(text(expected, "to")));
        assert_eq!(hex::encode(&ours.bytes), hex::encode(readdressed(bytes(expected, "data"))));
    }
    assert!(introductions.iter().all(|reply| reply.packet.as_ref().unwrap().verb == 0x05));
    assert_eq!(introductions.len() as u64, number(case, "rendezvous_sent"));
}

/// Returns a planet without roots.
fn empty_planet() -> World {
    World {
        kind: WorldKind::Planet,
        id: 1,
        timestamp: UnixMillis(1),
        updates_signed_by: [0; 64],
        signature: [0; 96],
        roots: Vec::new(),
    }
}
