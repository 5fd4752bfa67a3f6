//! WHOIS and its answer (spec 02 §2.4, §2.5, §3).

use serde_json::Value;
use zt_protocol::address::{Address, NetworkId};
use zt_protocol::node::Command;
use zt_protocol::transmit::PortMode;
use zt_tests::vector_node::{Reply, VectorNode, verbs};

use crate::bench::{
    R_AT, address, assert_all_sent, assert_sends, case_time, endpoint, leaf, lone_leaf, node, root,
    stimulate,
};
use crate::fields::{bytes, cases, flag, has, name, number, text};
use crate::report::Report;

/// whois.json
pub(crate) fn run(file: &Value, report: &mut Report) {
    let mut root = root(file);
    let mut leaf = leaf(file);
    for case in cases(file) {
        let name = name(case);
        if name == "requester known as protocol 11" {
            report.case(name, || old_requester(file, case));
        } else if name.starts_with("leaf needs") {
            report.case(name, || needs_an_identity(file, case));
        } else if name.contains("fails the address derivation") {
            let reason = "identities are verified, whoever vouches for them";
            report.stricter(name, reason, || invalid_identity(file, case));
        } else if name.starts_with("OK(WHOIS)") {
            report.case(name, || answered_whois(file, case));
        } else {
            let asked = if text(case, "receiver") == "R" { &mut root } else { &mut leaf };
            report.case(name, || {
                let sent = stimulate(asked, case);
                assert_sends(asked, case, sent);
            });
        }
    }
}

/// The root knows the requester by a HELLO whose path was never confirmed.
fn old_requester(file: &Value, case: &Value) {
    let mut root = node(file, "R");
    root.meet(address(file, "B"), endpoint("5.3.0.1/9993"), 12);
    let requester = address(file, "A");
    let hello = root.hello(requester, 11);
    root.feed(endpoint(text(case, "from_addr")), &hello);

    let sent = stimulate(&mut root, case);

    assert_sends(&root, case, sent);
}

/// Lets a leaf want something of an unknown node; returns what it sends at once.
///
/// The reference was given a message for it. Ours joins a network that the node would control.
fn want(leaf: &mut VectorNode, unknown: Address) -> Vec<Reply> {
    let network = NetworkId::new(unknown, 1);
    leaf.command(Command::Join { network, mode: PortMode::L3, cached: None }).unwrap()
}

fn needs_an_identity(file: &Value, case: &Value) {
    let mut leaf = leaf(file);
    leaf.live_until(number(case, "t_ms"));

    let sent = want(&mut leaf, address(file, "C"));

    assert_all_sent(&leaf, std::slice::from_ref(case), sent);
}

/// The leaf has asked for C; the answer of the case is sealed anew with the ID it asked with.
fn answered_whois(file: &Value, case: &Value) {
    let mut leaf = if has(case, "receiver_knows_B_after") { lone_leaf(file) } else { leaf(file) };
    let unknown = address(file, "C");
    leaf.live_until(case_time(case) - 20);
    let asked = want(&mut leaf, unknown);
    let request = asked[0].packet.as_ref().unwrap();
    assert_eq!(request.verb, verbs::WHOIS);

    let mut payload = bytes(&case["decoded"], "payload");
    if !name(case).contains("unexpected") {
        payload[1..9].copy_from_slice(&request.id);
    }
    let sender = address(file, text(case, "from"));
    let answer = leaf.seal(sender, 3, verbs::OK, &payload);
    let sent = leaf.feed(endpoint(text(case, "from_addr")), &answer);

    let knows = leaf.peer(unknown).is_some();
    assert_eq!(knows, flag(case, "receiver_knows_C_after"));
    if knows {
        // What waited goes out by way of the root, in the suite for unknown versions.
        let waited = sent.iter().find(|reply| reply.path.remote == endpoint(R_AT)).unwrap();
        let packet = waited.packet.as_ref().unwrap();
        assert_eq!((packet.to, packet.cipher, packet.hops), (unknown, 1, 0));
    } else {
        assert!(sent.is_empty());
    }
}

fn invalid_identity(file: &Value, case: &Value) {
    let mut leaf = lone_leaf(file);
    let mut payload = bytes(&case["decoded"], "payload");
    let unknown = Address::from(<[u8; 5]>::try_from(&payload[9..14]).unwrap());
    leaf.live_until(case_time(case) - 20);
    let asked = want(&mut leaf, unknown);
    payload[1..9].copy_from_slice(&asked[0].packet.as_ref().unwrap().id);

    let answer = leaf.seal(address(file, "R"), 3, verbs::OK, &payload);
    leaf.feed(endpoint(R_AT), &answer);

    assert!(leaf.peer(unknown).is_none());
}
