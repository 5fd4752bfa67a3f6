//! Nodes on benches as the vectors have them, and what they send compared with what they should.

use std::net::SocketAddr;

use serde_json::Value;
use zt_protocol::address::Address;
use zt_protocol::endpoint::SocketId;
use zt_protocol::identity::Identity;
use zt_protocol::time::UnixMillis;
use zt_protocol::world::{Root, World, WorldKind};
use zt_tests::packet::mask_hello_tail;
use zt_tests::vector_node::{Reply, SOCKET, START_MS, VectorNode, verbs};

use crate::fields::{bytes, has, list, text};

/// Where A, B, C and R are unless a case says otherwise.
pub(crate) const A_AT: &str = "5.2.0.1/9993";
pub(crate) const B_AT: &str = "5.3.0.1/9993";
pub(crate) const R_AT: &str = "5.1.0.1/9993";

/// Reads `ip/port`.
pub(crate) fn endpoint(text: &str) -> SocketAddr {
    let (ip, port) = text.split_once('/').unwrap();
    SocketAddr::new(ip.parse().unwrap(), port.parse().unwrap())
}

/// Returns the text of an identity in a file, by its letter.
pub(crate) fn secret<'a>(file: &'a Value, letter: &str) -> &'a str {
    text(&file["identities_secret"], letter)
}

/// Returns the planet of the vectors, whose only root is R.
pub(crate) fn planet(file: &Value) -> World {
    let root: Identity = secret(file, "R").parse().unwrap();
    World {
        kind: WorldKind::Planet,
        id: 1_000_001,
        timestamp: UnixMillis(START_MS),
        updates_signed_by: [0; 64],
        signature: [0; 96],
        roots: vec![Root { identity: root, endpoints: vec![endpoint(R_AT)] }],
    }
}

/// Returns node `letter` on a bench, at the usual place; the test plays everybody else.
pub(crate) fn node(file: &Value, letter: &str) -> VectorNode {
    let at = match letter {
        "A" => A_AT,
        "B" => B_AT,
        "R" => R_AT,
        other => panic!("nobody says where {other} is"),
    };
    let mut node = VectorNode::new(secret(file, letter), endpoint(at), planet(file));
    for (other, identity) in file["identities_secret"].as_object().unwrap() {
        if other != letter {
            node.play(identity.as_str().unwrap());
        }
    }
    node
}

/// Returns root R, which knows A and B as protocol 12 with confirmed direct paths.
pub(crate) fn root(file: &Value) -> VectorNode {
    let mut root = node(file, "R");
    root.live_until(0);
    for (letter, at) in [("A", A_AT), ("B", B_AT)] {
        if has(&file["identities_secret"], letter) {
            root.meet(address(file, letter), endpoint(at), 12);
        }
    }
    root
}

/// Returns leaf A, which is online through R and knows nobody else.
pub(crate) fn lone_leaf(file: &Value) -> VectorNode {
    let mut leaf = node(file, "A");
    leaf.answer_from(endpoint(R_AT), address(file, "R"), 12);
    leaf.live_until(10);
    leaf
}

/// Returns leaf A, which knows B as protocol 12 with a confirmed direct path.
pub(crate) fn leaf(file: &Value) -> VectorNode {
    let mut leaf = lone_leaf(file);
    leaf.meet(address(file, "B"), endpoint(B_AT), 12);
    leaf
}

/// Returns the address of an identity in a file, by its letter.
pub(crate) fn address(file: &Value, letter: &str) -> Address {
    secret(file, letter).split(':').next().unwrap().parse().unwrap()
}

/// Returns the time of a case, in milliseconds since the start.
pub(crate) fn case_time(case: &Value) -> u64 {
    case["receiver_time_ms"].as_u64().unwrap() - START_MS
}

/// Lets the case's time come and hands the node its datagram.
pub(crate) fn stimulate(node: &mut VectorNode, case: &Value) -> Vec<Reply> {
    node.live_until(case_time(case));
    node.feed(endpoint(text(case, "from_addr")), &bytes(case, "wire"))
}

/// Holds what the node sent to what the case lists, in any order.
pub(crate) fn assert_sends(node: &VectorNode, case: &Value, replies: Vec<Reply>) {
    assert_all_sent(node, list(case, "sends"), replies);
}

/// Holds what the node sent to a list, in any order.
pub(crate) fn assert_all_sent(node: &VectorNode, expected: &[Value], replies: Vec<Reply>) {
    let mut replies = replies;
    for send in expected {
        let checked: Vec<_> = replies.iter().map(|reply| agrees(node, send, reply)).collect();
        let Some(at) = checked.iter().position(Result::is_ok) else {
            panic!("did not send {}: {checked:?}", summary(send));
        };
        replies.remove(at);
    }
    let more: Vec<_> = replies.iter().map(described).collect();
    assert!(more.is_empty(), "sent also {more:?}");
}

/// Returns what a list entry says in short.
fn summary(send: &Value) -> String {
    format!("{} to {}", send["decoded"]["verb"], text(send, "to_addr"))
}

/// Returns what a reply is in short.
pub(crate) fn described(reply: &Reply) -> String {
    let to = reply.path.remote;
    match &reply.packet {
        Some(packet) => {
            let payload = hex::encode(&packet.payload);
            format!("verb {:#x} in suite {} to {to}: {payload}", packet.verb, packet.cipher)
        }
        None => format!("{} bytes to {to}", reply.bytes.len()),
    }
}

/// Says in what a reply differs from what should have been sent.
fn agrees(node: &VectorNode, send: &Value, reply: &Reply) -> Result<(), String> {
    same("destination", endpoint(text(send, "to_addr")), reply.path.remote)?;
    // Where a packet came by a path that is not known, the reference asks back from all sockets,
    // ours from the one it came to.
    let asks_back = send["decoded"]["verb"] == "HELLO" && reply.path.local == SOCKET;
    if let Some(socket) = send["sock"].as_i64().filter(|_| !asks_back) {
        same("socket", if socket == 1 { SOCKET } else { SocketId::ALL }, reply.path.local)?;
    }
    same("TTL", send["ttl"].as_u64(), reply.ttl.map(u64::from))?;

    let decoded = &send["decoded"];
    if decoded["kind"] == "junk" {
        return same("length of junk", 4, reply.bytes.len());
    }
    if decoded["kind"] == "fragment" || decoded["source"] != node.me.address.to_string() {
        return same("relayed bytes", text(send, "wire"), hex::encode(&reply.bytes));
    }
    if decoded["verb"].is_null() {
        // Whoever it is for has no key, so that nobody can open it.
        return same("receiver", text(decoded, "dest"), hex::encode(&reply.bytes[8..13]));
    }
    packet_agrees(node, decoded, reply)
}

fn packet_agrees(node: &VectorNode, decoded: &Value, reply: &Reply) -> Result<(), String> {
    let packet = reply.packet.as_ref().ok_or("cannot be opened")?;
    same("suite", decoded["cipher"].as_u64(), Some(u64::from(packet.cipher)))?;
    same("hops", decoded["hops"].as_u64(), Some(u64::from(packet.hops)))?;
    same("receiver", text(decoded, "dest"), packet.to.to_string())?;
    same("verb", verb_number(text(decoded, "verb")), packet.verb)?;
    if packet.verb == verbs::HELLO {
        let (clear, tail) = split_hello(&bytes(decoded, "payload"));
        let (our_clear, mut our_tail) = split_hello(&packet.payload);
        mask_hello_tail(&node.key(packet.to), packet.id, &mut our_tail);
        same("HELLO", hex::encode(clear), hex::encode(our_clear))?;
        let expected = text(&decoded["fields"], "tail_plain");
        same("tail", expected, hex::encode(our_tail))?;
        return same("length of tail", tail.len() * 2, expected.len());
    }
    same("payload", text(decoded, "payload"), hex::encode(&packet.payload))
}

/// Returns a HELLO up to its masked tail, and that. The address in it is an IP address.
fn split_hello(payload: &[u8]) -> (Vec<u8>, Vec<u8>) {
    const ADDRESS_AT: usize = 84;
    let address = match payload[ADDRESS_AT] {
        0 => 1,
        4 => 7,
        _ => 19,
    };
    let (clear, tail) = payload.split_at(ADDRESS_AT + address + 16);
    (clear.to_vec(), tail.to_vec())
}

fn same<T: std::fmt::Debug + PartialEq<U>, U: std::fmt::Debug>(
    what: &str,
    expected: T,
    ours: U,
) -> Result<(), String> {
    if expected == ours { Ok(()) } else { Err(format!("{what}: {ours:?}, not {expected:?}")) }
}

/// Returns the number of a verb the vectors call by its name.
pub(crate) fn verb_number(name: &str) -> u8 {
    match name {
        "NOP" => 0x00,
        "HELLO" => 0x01,
        "ERROR" => 0x02,
        "OK" => 0x03,
        "WHOIS" => 0x04,
        "RENDEZVOUS" => 0x05,
        "FRAME" => 0x06,
        "EXT_FRAME" => 0x07,
        "ECHO" => 0x08,
        "MULTICAST_LIKE" => 0x09,
        "NETWORK_CREDENTIALS" => 0x0a,
        "NETWORK_CONFIG_REQUEST" => 0x0b,
        "NETWORK_CONFIG" => 0x0c,
        "MULTICAST_GATHER" => 0x0d,
        "MULTICAST_FRAME" => 0x0e,
        "PUSH_DIRECT_PATHS" => 0x10,
        "USER_MESSAGE" => 0x14,
        other => panic!("unknown verb {other}"),
    }
}
