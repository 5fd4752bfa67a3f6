//! HELLO and its answer (spec 02 §2.1, §2.2).

use serde_json::Value;
use zt_protocol::address::{Address, MoonId};
use zt_protocol::node::{Command, Config};
use zt_protocol::path_rules::PathRules;
use zt_protocol::pins::Pins;
use zt_protocol::time::UnixMillis;
use zt_protocol::world::{World, WorldKind};
use zt_tests::persona::ok_hello;
use zt_tests::vector_node::{Reply, VectorNode, verbs};

use crate::bench::{A_AT, R_AT, assert_all_sent, endpoint, node, planet, secret};
use crate::fields::{bytes, cases, flag, has, list, name, number, text};
use crate::report::Report;

/// hello.json
pub(crate) fn hello(file: &Value, report: &mut Report) {
    let [sent, answered, with_moons, with_updates, received @ ..] = cases(file) else {
        panic!("the file begins with two exchanges");
    };
    report.case(name(sent), || first_hello(file, sent));
    report.case(name(answered), || answer_to_hello(file, sent, answered));
    report.case(name(with_moons), || hello_with_moons(file, with_moons));
    let reason = "worlds wait until the path is proven if the HELLO was not worth them";
    report.stricter(name(with_updates), reason, || {
        answer_with_worlds(file, with_moons, with_updates);
    });
    for case in received {
        let carries_worlds =
            |reply: &Value| reply["decoded"]["fields"]["world_updates_length"].as_u64() > Some(0);
        if case["replies"].as_array().into_iter().flatten().any(carries_worlds) {
            report.stricter(name(case), reason, || received_hello(file, case));
        } else {
            report.case(name(case), || received_hello(file, case));
        }
    }
}

/// A's first HELLO, which goes out at once.
fn first_hello(file: &Value, case: &Value) {
    let mut leaf = node(file, "A");

    let sent = leaf.pass_until(0);

    assert_all_sent(&leaf, std::slice::from_ref(case), sent);
}

/// R's answer to A's first HELLO, which is all it knows of A.
fn answer_to_hello(file: &Value, hello: &Value, answer: &Value) {
    let mut root = node(file, "R");
    root.pass_until(number(answer, "t_ms"));

    let sent = root.feed(endpoint(A_AT), &bytes(hello, "wire"));

    let answers = sent.into_iter().filter(|reply| reply.packet.as_ref().unwrap().verb == 3);
    assert_all_sent(&root, std::slice::from_ref(answer), answers.collect());
}

/// A's first HELLO when it has one moon and wants another.
fn hello_with_moons(file: &Value, case: &Value) {
    let moon = |entry: &Value| {
        let id = u64::from_str_radix(text(entry, "id"), 16).unwrap();
        (id, UnixMillis(number(entry, "timestamp")))
    };
    let announced = list(&case["decoded"]["fields"], "moons");
    let [(known, timestamp), (wanted, UnixMillis(0))] = [moon(&announced[0]), moon(&announced[1])]
    else {
        panic!("the second moon is wanted");
    };
    // What A announces of a moon is only how recent it is.
    let known = World { kind: WorldKind::Moon, id: known, timestamp, ..planet(file) };
    let config = Config {
        planet: planet(file),
        moons: vec![known],
        pins: Pins::new(),
        path_rules: PathRules::default(),
        low_bandwidth: false,
        controller: false,
        epoch: None,
        platform: "linux/x86_64",
        memory_budget: None,
        allow_loopback: false,
    };
    let mut leaf = VectorNode::with_config(secret(file, "A"), endpoint(A_AT), config);
    leaf.play(secret(file, "R"));
    let (moon, seed) = (MoonId(wanted), Some(Address::from_u64(wanted)));
    leaf.command(Command::Orbit { moon, seed, definition: None }).unwrap();

    let sent = leaf.pass_until(0);

    assert_all_sent(&leaf, std::slice::from_ref(case), sent);
}

/// R's answer to a HELLO that announces an older planet, an older moon and a moon it lacks.
fn answer_with_worlds(file: &Value, hello: &Value, answer: &Value) {
    let payload = bytes(&answer["decoded"], "payload");
    // The answer has 24 bytes before the address and 9 up to the worlds.
    let (planet, len) = World::read_prefix(&payload[31..]).unwrap();
    let (moon, _) = World::read_prefix(&payload[31 + len..]).unwrap();
    assert_eq!(planet.timestamp.0, number(answer, "planet_timestamp_of_A_after"));
    assert_eq!(moon.timestamp.0, number(answer, "moon_timestamp_of_A_after"));
    let config = Config {
        planet,
        moons: vec![moon],
        pins: Pins::new(),
        path_rules: PathRules::default(),
        low_bandwidth: false,
        controller: false,
        epoch: None,
        platform: "linux/x86_64",
        memory_budget: None,
        allow_loopback: false,
    };
    let mut root = VectorNode::with_config(secret(file, "R"), endpoint(R_AT), config);
    root.play(secret(file, "A"));
    root.pass_until(number(answer, "t_ms"));

    let sent = root.feed(endpoint(A_AT), &bytes(hello, "wire"));

    worlds_follow(&mut root, &payload, sent);
}

/// Checks that A is answered without worlds and, when it has answered R's HELLO, with them.
fn worlds_follow(root: &mut VectorNode, expected: &[u8], sent: Vec<Reply>) {
    let [without, hello] = sent.try_into().expect("an OK and a HELLO are sent");
    let [without, hello] = [without, hello].map(|reply| reply.packet.unwrap());
    assert_eq!(without.payload, [&expected[..29], &[0, 0]].concat());

    let payload = ok_hello(hello.id, &hello.payload[5..13], 12, endpoint(R_AT));
    let proof = root.seal(hello.to, 1, verbs::OK, &payload);
    let sent = root.feed(endpoint(A_AT), &proof);

    assert!(sent.iter().any(|reply| reply.packet.as_ref().unwrap().payload == expected));
}

/// R gets a HELLO from A, of whom it knows nothing unless the case says so.
fn received_hello(file: &Value, case: &Value) {
    // The planet of R is in the answers that push it; its own key signs nothing here.
    let mut root = VectorNode::new(secret(file, "R"), endpoint(R_AT), signed_planet(file));
    let sender = root.play(secret(file, "A"));
    let claimed = match case["sender_identity_secret"].as_str() {
        Some(claimed) => root.play(claimed),
        None => sender,
    };
    root.pass_until(3000);
    if text(case, "expected").contains("had processed a valid HELLO") {
        let hello = root.hello(sender, 12);
        // From elsewhere, so that the path of the case is still to be confirmed.
        root.feed(endpoint("5.2.0.77/9993"), &hello);
        root.pass_until(3010);
    }

    let from = if has(case, "from_addr") { text(case, "from_addr") } else { A_AT };
    let sent = root.feed(endpoint(from), &bytes(case, "wire"));

    let replies = list(case, "replies");
    let with_worlds = replies
        .iter()
        .find(|reply| reply["decoded"]["fields"]["world_updates_length"].as_u64() > Some(0));
    match with_worlds {
        Some(reply) => worlds_follow(&mut root, &bytes(&reply["decoded"], "payload"), sent),
        None => assert_all_sent(&root, replies, sent),
    }
    let knows = root.peer(claimed).is_some();
    assert_eq!(knows, flag(case, "receiver_knows_sender_after"));
}

/// Returns the planet with its genuine signature, from an answer that carries it.
fn signed_planet(file: &Value) -> World {
    let pushed =
        cases(file).iter().flat_map(|case| case["replies"].as_array().into_iter().flatten());
    let carries = |reply: &&Value| reply["decoded"]["fields"]["world_updates_length"] == 257;
    let reply = pushed.into_iter().find(carries).unwrap();
    let payload = bytes(&reply["decoded"], "payload");
    World::read_prefix(&payload[31..]).unwrap().0
}
