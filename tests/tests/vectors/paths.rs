//! Finding and testing paths: RENDEZVOUS, PUSH_DIRECT_PATHS, ECHO (spec 02 §2.6 to §2.12), and
//! what others say where this node is (§8).

use serde_json::Value;
use zt_protocol::event::Event;
use zt_protocol::time::Instant;
use zt_tests::packet::Packet;
use zt_tests::persona::Persona;
use zt_tests::vector_node::{Reply, VectorNode, verbs};

use crate::bench::{
    A_AT, R_AT, address, assert_all_sent, assert_sends, case_time, described, endpoint, leaf,
    lone_leaf, node, root, secret, stimulate,
};
use crate::fields::{bytes, cases, flag, has, list, name, text};
use crate::report::Report;

/// rendezvous.json
pub(crate) fn rendezvous(file: &Value, report: &mut Report) {
    for case in cases(file) {
        report.case(name(case), || {
            let mut leaf = if name(case).contains("only by WHOIS") {
                let mut leaf = lone_leaf(file);
                leaf.learn_by_whois(endpoint(R_AT), address(file, "B"));
                leaf
            } else {
                leaf(file)
            };

            let sent = stimulate(&mut leaf, case);

            assert_sends(&leaf, case, sent);
        });
    }
}

/// push_direct_paths.json
pub(crate) fn push_direct_paths(file: &Value, report: &mut Report) {
    let mut burst = leaf(file);
    for case in cases(file) {
        if name(case) == "flag 0x02 cluster redirect" {
            let reason = "no server known to redirect is left; the path is probed like any other";
            report.stricter(name(case), reason, || redirect(file, case));
            continue;
        }
        if name(case) == "port 0" {
            report.stricter(name(case), "nobody can be reached at port 0", || {
                let mut leaf = leaf(file);
                let sent = stimulate(&mut leaf, case);
                assert!(sent.is_empty(), "{:?}", sent.iter().map(described).collect::<Vec<_>>());
            });
            continue;
        }
        report.case(name(case), || {
            // A burst is one story; every other case is one of its own.
            if !has(case, "receiver_paths_to_sender_after") {
                let sent = stimulate(&mut burst, case);
                assert_sends(&burst, case, sent);
                return;
            }
            let mut leaf = leaf(file);
            let sent = stimulate(&mut leaf, case);
            assert_sends(&leaf, case, sent);
            assert_paths_to_sender(&leaf, file, case);
        });
    }
}

/// The path in use stays in use until the other is confirmed.
fn redirect(file: &Value, case: &Value) {
    let mut leaf = leaf(file);

    let sent = stimulate(&mut leaf, case);

    let [probe] = &sent[..] else {
        panic!("sent {:?}", sent.iter().map(described).collect::<Vec<_>>());
    };
    assert_eq!(probe.path.remote, endpoint("5.7.0.1/1111"));
    assert_eq!(probe.packet.as_ref().unwrap().verb, verbs::ECHO);
    let peer = leaf.peer(address(file, text(case, "from"))).unwrap();
    assert_eq!(peer.path, Some(endpoint(text(case, "from_addr"))));
}

fn assert_paths_to_sender(leaf: &VectorNode, file: &Value, case: &Value) {
    let sender = address(file, text(case, "from"));
    let peer = leaf.peer(sender).unwrap();
    let expected = list(case, "receiver_paths_to_sender_after").iter();
    let expected: Vec<_> = expected.map(|path| endpoint(path.as_str().unwrap())).collect();
    assert_eq!(peer.paths, expected);
}

/// echo.json
pub(crate) fn echo(file: &Value, report: &mut Report) {
    let mut root = root(file);
    for case in cases(file) {
        match name(case) {
            beacon if beacon.starts_with("legacy LAN beacon") => {
                report.not_run(beacon, "beacons of releases before 1.2 are not answered");
            }
            "the root answers" => {}
            asks if asks.starts_with("ECHO to leaf A from a sender unknown") => {
                let answer = cases(file).last().unwrap();
                report.case(asks, || waits_for_an_identity(file, case, None));
                let reason = "what little has come is worth an answer, and not a HELLO besides";
                report.stricter(name(answer), reason, || {
                    waits_for_an_identity(file, case, Some(answer));
                });
            }
            elsewhere @ "ECHO from a new IP" => {
                let reason = "so few bytes are worth an answer and an ECHO, and no HELLO besides";
                report.stricter(elsewhere, reason, || {
                    let mut sent = stimulate(&mut root, case);
                    let asks_back = sent.pop().unwrap().packet.unwrap();
                    assert_eq!((asks_back.verb, asks_back.payload.len()), (verbs::ECHO, 0));
                    assert_all_sent(&root, &list(case, "sends")[..1], sent);
                });
            }
            other => report.case(other, || {
                let sent = stimulate(&mut root, case);
                assert_sends(&root, case, sent);
            }),
        }
    }
}

/// A leaf gets a packet of an unknown sender and asks the root; `answer` is what the root says,
/// sealed anew with the ID of our request.
fn waits_for_an_identity(file: &Value, case: &Value, answer: Option<&Value>) {
    let mut leaf = lone_leaf(file);
    let asked = stimulate(&mut leaf, case);
    let Some(answer) = answer else {
        return assert_sends(&leaf, case, asked);
    };
    let mut payload = bytes(&answer["decoded"], "payload");
    payload[1..9].copy_from_slice(&asked[0].packet.as_ref().unwrap().id);
    leaf.live_until(case_time(answer));
    let datagram = leaf.seal(address(file, "R"), 3, verbs::OK, &payload);

    let sent = leaf.feed(endpoint(text(answer, "from_addr")), &datagram);

    assert_all_sent(&leaf, &list(answer, "sends")[..1], sent);
}

/// self_awareness.json
pub(crate) fn self_awareness(file: &Value, report: &mut Report) {
    for case in cases(file) {
        report.case(name(case), || reported_elsewhere(file, case));
    }
}

/// A reporter answers our last HELLO to it once more and says we are elsewhere than it said before.
fn reported_elsewhere(file: &Value, case: &Value) {
    let mut leaf = leaf(file);
    let reporter = address(file, text(case, "from"));
    leaf.live_until(case_time(case));
    let mut payload = bytes(&case["decoded"], "payload");
    payload[1..9].copy_from_slice(&leaf.last_hello[&reporter]);

    let answer = leaf.seal(reporter, 3, verbs::OK, &payload);
    let sent = leaf.feed(endpoint(text(case, "from_addr")), &answer);

    assert_sends(&leaf, case, sent);
    let b = address(file, "B");
    let peer = leaf.peer(b).unwrap();
    assert_eq!(peer.path.is_some(), flag(case, "active_path_to_B_after"));
}

/// error.json
pub(crate) fn error(file: &Value, report: &mut Report) {
    let mut leaf = leaf(file);
    let mut collided = None;
    for case in cases(file) {
        match name(case) {
            first if first.ends_with("known as protocol 11") => report.case(first, || {
                let (root, sent) = collision(file, case, 11);
                assert_newcomer_is_told(file, case, &sent);
                collided = Some(root);
            }),
            again if again.starts_with("the same again") => {
                report.case(again, || bounded_work(collided.as_mut().unwrap(), case));
            }
            known if known.ends_with("known as protocol 12") => report.case(known, || {
                // The reference uses keys the newcomer lacks; ours tells it so that it can hear.
                let (_, sent) = collision(file, case, 12);
                assert_newcomer_is_told(file, case, &sent);
            }),
            request if request.starts_with("NETWORK_CONFIG_REQUEST") => {
                report.case(request, || {
                    let mut root = root(file);
                    let sent = stimulate(&mut root, case);
                    assert_sends(&root, case, sent);
                });
            }
            dispute if dispute.starts_with("ERROR(IDENTITY_COLLISION) in-re HELLO from a root") => {
                let reason = "a root disputes an address in answer to a HELLO, and not alone";
                report.stricter(dispute, reason, || disputed(file, case));
            }
            received => report.case(received, || {
                let sent = stimulate(&mut leaf, case);
                assert_sends(&leaf, case, sent);
                let is_told = |event: &Event| matches!(event, Event::IdentityCollision { .. });
                assert!(!leaf.events.iter().any(is_told));
            }),
        }
    }
}

/// A's only root says that another node has A's address: once out of the blue, then to a HELLO.
fn disputed(file: &Value, case: &Value) {
    let mut leaf = leaf(file);
    let sent = stimulate(&mut leaf, case);
    assert_sends(&leaf, case, sent);
    let told = Event::IdentityCollision { is_confirmed: false };
    assert!(!leaf.events.contains(&told));

    let root = address(file, "R");
    let mut payload = bytes(&case["decoded"], "payload");
    payload[1..9].copy_from_slice(&leaf.last_hello[&root]);
    let error = leaf.seal(root, 1, verbs::ERROR, &payload);
    leaf.feed(endpoint(R_AT), &error);

    assert!(leaf.events.contains(&told));
    assert!(!leaf.node.status(Instant::from_millis(leaf.now_ms())).online);
}

/// R knows A as `protocol` and gets a HELLO under A's address with another key.
fn collision(file: &Value, case: &Value, protocol: u8) -> (VectorNode, Vec<Reply>) {
    let mut root = node(file, "R");
    root.meet(address(file, "A"), endpoint(A_AT), protocol);
    let sent = stimulate(&mut root, case);
    (root, sent)
}

/// The reference looks into one stranger of a site each two seconds. Ours share a budget, so that
/// the machines of a site may start together; what is shown is that it ends.
fn bounded_work(root: &mut VectorNode, case: &Value) {
    root.live_until(case_time(case));
    let from = endpoint(text(case, "from_addr"));

    let answered = (0..1_000).filter(|_| !root.feed(from, &bytes(case, "wire")).is_empty()).count();

    assert!(answered < 100, "{answered} of 1000 answered");
}

/// The ERROR opens with the key of the newcomer, which is who has to hear it.
fn assert_newcomer_is_told(file: &Value, case: &Value, sent: &[Reply]) {
    let [reply] = sent else {
        panic!("sent {} packets", sent.len());
    };
    assert_eq!(reply.path.remote, endpoint(text(case, "from_addr")));
    let newcomer = Persona::from_text(text(case, "newcomer_identity_secret"));
    let key = newcomer.key_with(&Persona::from_text(secret(file, "R")));

    let packet = Packet::open(&key, &reply.bytes).unwrap();

    let send = &list(case, "sends")[0];
    let payload = send["payload"].as_str().unwrap_or_else(|| text(&send["decoded"], "payload"));
    assert_eq!(hex::encode(&packet.payload), payload);
    assert_eq!(packet.verb, verbs::ERROR);
}
