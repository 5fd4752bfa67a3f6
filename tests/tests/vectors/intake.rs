//! Which datagrams a running node takes, and in how many pieces (spec 01 §10, §11).

use serde_json::Value;
use zt_protocol::address::Address;
use zt_protocol::error::Rejected;
use zt_protocol::node::Command;
use zt_protocol::path_rules::{PathRules, PhysicalRule, TrustedPathId};
use zt_protocol::transmit::PortMode;
use zt_protocol::world::World;
use zt_tests::vector_node::{Reply, VectorNode, verbs};

use crate::bench::{described, endpoint};
use crate::fields::{bytes, cases, flag, has, list, name, number, text};
use crate::report::Report;

/// packet_reject.json
pub(crate) fn packet_reject(file: &Value, report: &mut Report) {
    for case in cases(file) {
        match name(case) {
            trusted if trusted.starts_with("cipher2-") => {
                report.case(trusted, || on_trusted_path(file, case));
            }
            "frag-total-mismatch-first-larger" => {
                let reason = "part 1 says how many parts there are, not whichever came last";
                report.stricter(name(case), reason, || {
                    let (mut node, _) = receiver(file, case);
                    assert!(feed(&mut node, file, &datagrams(case)).is_empty());
                });
            }
            "frag-total-mismatch-larger" => report.case(name(case), || unspoiled(file, case)),
            "length-10025" => report.case(name(case), || too_long(file, case)),
            "frag-2-large-parts" => report.not_run(name(case), "its datagrams are not in the file"),
            "replay-accepted" => report.case(name(case), || replayed(file, case)),
            "hello-identity-collision" => report.case(name(case), || collision(file, case)),
            fragmented if fragmented.starts_with("frag-") || fragmented == "compressed-echo" => {
                report.case(fragmented, || answered_on_proven_path(file, case));
            }
            _ => report.case(name(case), || {
                let (mut node, _) = receiver(file, case);

                let sent = feed(&mut node, file, &datagrams(case));

                assert_replies(case, &sent);
            }),
        }
    }
}

/// The receiver trusts the network the packet comes from, or another one.
fn on_trusted_path(file: &Value, case: &Value) {
    let (mut node, _) = receiver(file, case);
    if has(case, "receiver_trusted_path_id_for_source") {
        let id = text(case, "receiver_trusted_path_id_for_source");
        let trusted = TrustedPathId::new(u64::from_str_radix(id, 16).unwrap());
        let is_elsewhere = name(case) == "cipher2-trusted-path-other-source";
        let network = if is_elsewhere { "198.51.100.0/24" } else { "192.0.2.0/24" };
        let mut rules = PathRules::default();
        let rule = PhysicalRule { trusted, ..PhysicalRule::default() };
        rules.set(network.parse().unwrap(), rule).unwrap();
        node.command(Command::PathRules(rules)).unwrap();
        node.take();
    }

    let sent = feed(&mut node, file, &datagrams(case));

    assert_replies(case, &sent);
    let refused = u64::from(!flag(case, "accepted"));
    assert_eq!(node.node.drops().of(Rejected::UntrustedPath), refused);
}

/// Returns the receiver of a file, which has had a HELLO of the sender if the case says so; the
/// path it came by is not confirmed.
fn receiver(file: &Value, case: &Value) -> (VectorNode, Address) {
    let at = endpoint("192.0.2.40/9993");
    // Its roots are far away and never answer.
    let planet = World::default_planet();
    let mut node = VectorNode::new(text(file, "receiver_identity_secret"), at, planet);
    let sender = node.play(text(file, "peer_identity_secret"));
    let known = case["sender_known"].as_bool().unwrap_or(false);
    if known {
        let announced = case["sender_announced_protocol"].as_u64().unwrap_or(12);
        let hello = node.hello(sender, u8::try_from(announced).unwrap());
        node.feed(endpoint(text(file, "source_endpoint")), &hello);
    }
    node.pass_until(5_000);
    (node, sender)
}

/// As [`receiver`], but the sender has answered on its path, so that long answers go there.
fn proven_receiver(file: &Value, case: &Value) -> (VectorNode, Address) {
    let (mut node, sender) = receiver(file, case);
    let announced = case["sender_announced_protocol"].as_u64().unwrap_or(12);
    let announced = u8::try_from(announced).unwrap();
    node.meet(sender, endpoint(text(file, "source_endpoint")), announced);
    (node, sender)
}

/// The answer is longer than an address is sent that has proven nothing. Where it has, it is not
/// asked to again.
fn answered_on_proven_path(file: &Value, case: &Value) {
    let (mut node, _) = proven_receiver(file, case);

    let sent = feed(&mut node, file, &datagrams(case));

    let mut ours: Vec<_> = sent.iter().map(brief).collect();
    let expected = case["replies"].as_array().into_iter().flatten().map(listed);
    let mut expected: Vec<_> =
        expected.filter(|reply| reply.0 != u64::from(verbs::HELLO)).collect();
    ours.sort();
    expected.sort();
    assert_eq!(ours, expected);
}

fn datagrams(case: &Value) -> Vec<Vec<u8>> {
    let datagrams = list(case, "datagrams").iter();
    datagrams.map(|datagram| hex::decode(datagram.as_str().unwrap()).unwrap()).collect()
}

fn feed(node: &mut VectorNode, file: &Value, datagrams: &[Vec<u8>]) -> Vec<Reply> {
    let from = endpoint(text(file, "source_endpoint"));
    datagrams.iter().flat_map(|datagram| node.feed(from, datagram)).collect()
}

/// Holds what was sent to the replies a case lists, in any order.
fn assert_replies(case: &Value, sent: &[Reply]) {
    let mut ours: Vec<_> = sent.iter().map(brief).collect();
    let expected = case["replies"].as_array().into_iter().flatten();
    let mut expected: Vec<_> = expected.map(listed).collect();
    ours.sort();
    expected.sort();
    let said: Vec<_> = sent.iter().map(described).collect();
    assert_eq!(ours, expected, "sent {said:?}");
}

/// Verb, suite, length and the packet it answers.
type Brief = (u64, u64, u64, Option<(u64, String)>);

fn brief(reply: &Reply) -> Brief {
    let packet = reply.packet.as_ref().unwrap();
    let answers = (packet.verb == verbs::OK)
        .then(|| (u64::from(packet.payload[0]), hex::encode(&packet.payload[1..9])));
    (u64::from(packet.verb), u64::from(packet.cipher), reply.bytes.len() as u64, answers)
}

fn listed(reply: &Value) -> Brief {
    let answers = has(reply, "in_re_verb")
        .then(|| (number(reply, "in_re_verb"), text(reply, "in_re_packet_id").to_owned()));
    (number(reply, "verb"), number(reply, "cipher"), number(reply, "length"), answers)
}

/// Only the beginning is in the file; the rest cannot matter.
fn too_long(file: &Value, case: &Value) {
    let (mut node, _) = receiver(file, case);
    let said = list(case, "datagrams_abbreviated")[0].as_str().unwrap();
    let (_, prefix) = said.split_once("prefix=").unwrap();
    let mut datagram = hex::decode(prefix).unwrap();
    datagram.resize(10_025, 0);

    let sent = feed(&mut node, file, &[datagram]);

    assert_replies(case, &sent);
    assert_eq!(node.node.drops().of(Rejected::TooLong), 1);
}

/// The reference gives up a packet when a later fragment, which anybody could have forged, says
/// that there are more; ours takes it.
fn unspoiled(file: &Value, case: &Value) {
    let (mut node, _) = proven_receiver(file, case);

    let sent = feed(&mut node, file, &datagrams(case));

    let answers = |reply: &&Reply| reply.packet.as_ref().unwrap().verb == verbs::OK;
    assert_eq!(sent.iter().filter(answers).count(), 1);
    assert!(!flag(case, "accepted"));
}

fn replayed(file: &Value, case: &Value) {
    let known = serde_json::json!({ "sender_known": true });
    let (mut node, _) = receiver(file, &known);
    let mut accepted = 0;
    for datagram in datagrams(case) {
        let sent = feed(&mut node, file, &[datagram]);
        let answers = sent.iter().filter(|reply| reply.packet.as_ref().unwrap().verb == verbs::OK);
        accepted += answers.count() as u64;
        node.pass_until(node.now_ms() + 20_000);
    }
    assert_eq!(accepted, number(case, "accept_count"));
}

/// The reference answers with keys the claimant lacks; ours answers so that it can hear, which
/// leaves the length.
fn collision(file: &Value, case: &Value) {
    let (mut node, _) = receiver(file, case);

    let sent = feed(&mut node, file, &datagrams(case));

    let [reply] = &sent[..] else {
        panic!("sent {} packets", sent.len());
    };
    assert_eq!(reply.bytes.len() as u64, number(&list(case, "replies")[0], "length"));
    assert!(!flag(case, "accepted"));
}

/// Longest packet that is sent: what seven datagrams carry (spec 01 §5).
const PACKET_LEN_SENT_MAX: u64 = 9_928;

/// fragments_even.json
pub(crate) fn fragments_even(file: &Value, report: &mut Report) {
    for case in cases(file) {
        report.case(name(case), || {
            for order in list(case, "orders") {
                let datagrams = datagrams(case);
                let order_of: Vec<_> =
                    list(order, "order").iter().map(|at| at.as_u64().unwrap()).collect();
                let arriving: Vec<_> =
                    order_of.iter().map(|&at| datagrams[at as usize].clone()).collect();
                assert_eq!(
                    is_taken(file, case, &arriving),
                    flag(order, "accepted"),
                    "in the order {order_of:?}"
                );
            }
        });
    }
}

/// Returns whether a fresh node takes the packet in these datagrams exactly once.
fn is_taken(file: &Value, case: &Value, datagrams: &[Vec<u8>]) -> bool {
    let known = serde_json::json!({ "sender_known": true });
    let is_answered = verb(case) == verbs::ECHO && number(case, "size") + 9 <= PACKET_LEN_SENT_MAX;
    let receiver = if is_answered { proven_receiver } else { receiver };
    let (mut node, _) = receiver(file, &known);
    let network = text(file, "receiver_network").parse().unwrap();
    node.command(Command::Join { network, mode: PortMode::L2, cached: None }).unwrap();
    node.pass_until(node.now_ms() + 5_000);

    let from = endpoint(text(file, "source_endpoint"));
    for datagram in datagrams {
        let _ = node.offer(from, datagram);
    }
    let sent = node.take();
    match verb(case) {
        verbs::ECHO if is_answered => echoed(case, &sent),
        0x06 | 0x07 => {
            let frames = node.take_delivered();
            assert!(frames.len() <= 1, "delivered {} times", frames.len());
            frames.iter().any(|frame| bytes(case, "plaintext_packet").ends_with(&frame.payload))
        }
        // Messages for the application are not delivered, and the answer to the longest ECHO would
        // be too long. But both count as signs of life, upon which their path is confirmed.
        _ => sent.iter().any(|reply| reply.packet.as_ref().unwrap().verb == verbs::HELLO),
    }
}

fn verb(case: &Value) -> u8 {
    u8::try_from(number(case, "verb")).unwrap()
}

/// Returns whether exactly one answer has the case's payload and packet ID.
fn echoed(case: &Value, sent: &[Reply]) -> bool {
    let answers: Vec<_> = sent
        .iter()
        .filter_map(|reply| reply.packet.as_ref())
        .filter(|packet| packet.verb == verbs::OK)
        .collect();
    let [answer] = &answers[..] else {
        assert!(answers.is_empty(), "answered {} times", answers.len());
        return false;
    };
    assert_eq!(hex::encode(&answer.payload[1..9]), hex::encode(&datagrams(case)[0][..8]));
    let payload = &answer.payload[9..];
    if case["plaintext_packet"].is_string() {
        assert_eq!(payload, &bytes(case, "plaintext_packet")[28..]);
    } else {
        assert_eq!(payload.len() as u64 + 28, number(case, "size"));
    }
    true
}
