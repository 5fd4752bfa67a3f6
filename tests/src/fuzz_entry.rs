//! What the fuzzers in `tests/fuzz` feed, and the ordinary tests feed their corpora.
//!
//! Each entry takes any bytes. It returns, unless the node breaks a promise: then it panics.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use zt_protocol::address::{Address, NetworkId};
use zt_protocol::compress;
use zt_protocol::config::NetworkConfig;
use zt_protocol::credential::{Capability, Membership, Ownership, Revocation, Tag};
use zt_protocol::dictionary::Dictionary;
use zt_protocol::endpoint::Path;
use zt_protocol::identity::{Identity, SecretIdentity};
use zt_protocol::limits::{BODY_LEN_MAX, CONFIG_RULES_MAX, NETWORK_MTU_MAX, PHYSICAL_MTU};
use zt_protocol::node::Command;
use zt_protocol::rules::{Rule, codec, json};
use zt_protocol::time::{Instant, UnixMillis};
use zt_protocol::transmit::PortMode;
use zt_protocol::wire::credentials::Credentials;
use zt_protocol::wire::netconf;
use zt_protocol::world::{Root, World, WorldKind};

use crate::identities;
use crate::rules::oracle::{Case, Holds};
use crate::rules::random::NODES;
use crate::rules::{node, oracle};
use crate::vector_node::{SOCKET, START_MS, VectorNode};
use crate::wires::{Port, Wires};

/// An entry, under the name of its fuzz target and of its corpus.
pub type Entry = fn(&[u8]);

/// All of them.
pub const ENTRIES: [(&str, Entry); 9] = [
    ("config_chunks", config_chunks),
    ("credentials", credentials),
    ("dictionary", dictionary),
    ("identity", identity),
    ("intake", intake),
    ("lz4", lz4),
    ("rules", rules),
    ("rules_json", rules_json),
    ("world", world),
];

/// Rules and a frame: whatever is read can be written and read again, and means what the
/// specification says.
///
/// The input is flags (1 inbound, 2 unknown matches are true), the ethertype (2), the length of the
/// rules (2), the rules and the frame.
pub fn rules(input: &[u8]) {
    let [flags, type_high, type_low, len_high, len_low, rest @ ..] = input else {
        return;
    };
    let len = usize::from(u16::from_be_bytes([*len_high, *len_low])).min(rest.len());
    let (rules, frame) = rest.split_at(len);
    let Ok(list) = codec::read_list(rules, CONFIG_RULES_MAX) else {
        return;
    };
    let mut written = Vec::new();
    list.iter().for_each(|rule| codec::write(rule, &mut written));
    assert_eq!(codec::read_list(&written, CONFIG_RULES_MAX).as_ref(), Ok(&list));
    list.iter().for_each(assert_json_is_stable);

    let [me, other] = NODES;
    let inbound = flags & 1 != 0;
    let case = Case {
        inbound,
        sender: if inbound { other } else { me },
        receiver: if inbound { me } else { other },
        local: Holds::default(),
        remote: Holds::default(),
        to: [2, 0, 0, 0, 0, 1],
        from: [2, 0, 0, 0, 0, 2],
        ethertype: u16::from_be_bytes([*type_high, *type_low]),
        frame: frame[..frame.len().min(usize::from(NETWORK_MTU_MAX))].to_vec(),
        unknown_is_true: flags & 2 != 0,
        chance: Vec::new(),
    };
    assert_eq!(node::judge(&case, &written), oracle::judge(&case, &written));
}

/// Rules as the controller's API has them: one, or a list.
pub fn rules_json(input: &[u8]) {
    let values = match serde_json::from_slice(input) {
        Ok(Value::Array(values)) => values,
        Ok(value) => vec![value],
        Err(_) => return,
    };
    for rule in values.iter().filter_map(json::read) {
        assert_json_is_stable(&rule);
        let mut written = Vec::new();
        codec::write(&rule, &mut written);
        assert!(codec::read_list(&written, 1).is_ok(), "{rule:?} cannot be sent");
    }
}

/// JSON leaves out what has no meaning, but only once.
fn assert_json_is_stable(rule: &Rule) {
    if let Some(read) = json::read(&json::write(rule)) {
        assert_eq!(json::read(&json::write(&read)), Some(read));
    }
}

/// Credentials a peer shows, as they are and as if the controller had signed them.
pub fn credentials(input: &[u8]) {
    let (shown, _) = Credentials::read(input);
    for body in shown.write() {
        let (again, whole) = Credentials::read(&body);
        assert_eq!(whole, Ok(()));
        assert!(again.tags.iter().all(|tag| shown.tags.contains(tag)));
        assert!(again.capabilities.iter().all(|held| shown.capabilities.contains(held)));
    }
    let mut bench = Bench::new();
    bench.hear_sealed(PEER, NETWORK_CREDENTIALS, input);
    bench.pass(Duration::from_millis(1_100));
    for body in bench.signed(shown).write() {
        bench.hear_sealed(PEER, NETWORK_CREDENTIALS, &body);
        bench.pass(Duration::from_millis(1_100));
    }
    bench.pass(Duration::from_secs(60));
}

/// A network configuration's dictionary: whatever is read can be written and read again.
pub fn dictionary(input: &[u8]) {
    let dictionary = Dictionary::new(input);
    for key in ["nwid", "n", "R", "a", ""] {
        let value = dictionary.bytes(key);
        assert!(value.is_none_or(|value| value.len() <= input.len()));
        let _ = (dictionary.text(key), dictionary.hex(key), dictionary.signed_hex(key));
        let _ = dictionary.bool(key);
    }
    if let Ok(config) = NetworkConfig::from_dictionary(input) {
        // The first writing leaves out what does not count, such as log-in texts of other versions.
        let again = |config: &NetworkConfig| {
            NetworkConfig::from_dictionary(&config.to_dictionary())
                .expect("what was read is written")
        };
        let written = again(&config);
        assert_eq!(again(&written), written);
    }
}

/// Identities, binary and in text form, with and without private key.
pub fn identity(input: &[u8]) {
    if let Ok((identity, len)) = Identity::read_prefix(input) {
        assert!(len <= input.len());
        assert_eq!(
            Identity::read_prefix(&identity.to_bytes()),
            Ok((identity, identity.to_bytes().len()))
        );
        // The text form refuses reserved addresses, the binary form does not (spec 01 §2.5, §2.6).
        let parsed = identity.to_string().parse().ok();
        assert_eq!(parsed, (!identity.address().is_reserved()).then_some(identity));
    }
    let text = String::from_utf8_lossy(input);
    if let Ok(identity) = text.parse::<Identity>() {
        assert_eq!(identity.to_string().parse(), Ok(identity));
    }
    if let Ok(secret) = SecretIdentity::from_text(&text) {
        let again = SecretIdentity::from_text(&secret.to_text()).expect("it was read before");
        assert_eq!(again.public(), secret.public());
    }
}

/// Planets and moons.
pub fn world(input: &[u8]) {
    let Ok((world, len)) = World::read_prefix(input) else {
        return;
    };
    assert!(len <= input.len());
    let bytes = world.to_bytes();
    let (again, _) = World::read_prefix(&bytes).expect("what was read can be written");
    assert!(again == world);
    let _ = again.supersedes(&world);
    let _ = world.is_signed_by(&world.updates_signed_by);
}

/// LZ4: a body by itself, and as an authentic packet of a peer.
pub fn lz4(input: &[u8]) {
    let mut plain = Vec::new();
    if compress::decompress(input, &mut plain).is_ok() {
        assert!((1..=BODY_LEN_MAX).contains(&plain.len()));
    }
    let Some((verb, body)) = input.split_first() else {
        return;
    };
    let mut bench = Bench::new();
    bench.hear_sealed(PEER, verb | COMPRESSED, body);
    bench.pass(Duration::from_secs(1));
}

/// Chunks of a configuration, signed by the controller, of any shape and in any order.
pub fn config_chunks(input: &[u8]) {
    let mut bench = Bench::new();
    for piece in Pieces(input) {
        let [update, total_high, total_low, index_high, index_low, data @ ..] = piece.bytes else {
            continue;
        };
        let [total, index] = [[*total_high, *total_low], [*index_high, *index_low]]
            .map(|number| u32::from(u16::from_be_bytes(number)));
        let chunk = bench.chunk(u64::from(*update), total, index, data);
        bench.hear_sealed(
            if piece.kind & 1 == 0 { CONTROLLER } else { PEER },
            NETWORK_CONFIG,
            &chunk,
        );
    }
    bench.pass(Duration::from_secs(60));
}

/// A member of a network through whatever may happen to it: datagrams of strangers, authentic
/// packets of a peer, its root and its controller, packets of its host, and time.
pub fn intake(input: &[u8]) {
    let mut bench = Bench::new();
    for piece in Pieces(input) {
        let who = [ROOT, PEER, CONTROLLER][usize::from(piece.kind >> 4) % 3];
        match piece.kind & 0x0f {
            0..=3 => bench.hear(who, piece.bytes),
            4..=9 => {
                if let Some((verb, body)) = piece.bytes.split_first() {
                    bench.hear_sealed(who, *verb, body);
                }
            }
            10..=12 => bench.send(piece.bytes),
            _ => bench.pass(Duration::from_millis(piece.bytes.len() as u64 * 250)),
        }
    }
}

/// One thing that happens.
struct Piece<'a> {
    kind: u8,
    bytes: &'a [u8],
}

/// Reads pieces, each a kind (1), a length (2) and so many bytes, or as many as there are.
struct Pieces<'a>(&'a [u8]);

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let [kind, high, low, rest @ ..] = self.0 else {
            return None;
        };
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (bytes, rest) = rest.split_at(len);
        self.0 = rest;
        Some(Piece { kind: *kind, bytes })
    }
}

/// Bit of the verb byte that says that the body is compressed.
const COMPRESSED: u8 = 0x80;
/// Verb that shows credentials.
const NETWORK_CREDENTIALS: u8 = 0x0a;
/// Verb that pushes a configuration.
const NETWORK_CONFIG: u8 = 0x0c;

/// Whom the test plays: the number of its identity, and its endpoint.
#[derive(Clone, Copy)]
struct Who(usize, &'static str);

const MEMBER: Who = Who(0, "5.1.0.1:9993");
const ROOT: Who = Who(1, "5.2.0.1:9993");
const PEER: Who = Who(2, "5.3.0.1:9993");
const CONTROLLER: Who = Who(3, "5.4.0.1:9993");

impl Who {
    fn endpoint(self) -> SocketAddr {
        self.1.parse().expect("a constant")
    }

    fn identity(self) -> SecretIdentity {
        identities::identity(self.0)
    }

    fn address(self) -> Address {
        self.identity().address()
    }

    /// Returns what is saved of it as a peer (spec 02 §12).
    fn record(self) -> Vec<u8> {
        let SocketAddr::V4(endpoint) = self.endpoint() else {
            panic!("all endpoints are IPv4");
        };
        let mut record = vec![2];
        record.extend(self.identity().public().to_bytes());
        record.extend([0, 12, 0, 1, 0, 14, 0, 1]);
        record.extend([0, 1, 4]);
        record.extend(endpoint.ip().octets());
        record.extend(endpoint.port().to_be_bytes());
        record
    }
}

/// A member of a public network that knows its root, a peer and its controller.
struct Bench {
    host: VectorNode,
    network: NetworkId,
    now: Instant,
    wires: Wires,
    port: Port,
    /// How many frames the host was given.
    delivered: usize,
}

impl Bench {
    fn new() -> Self {
        let identity = *ROOT.identity().public();
        let planet = World {
            kind: WorldKind::Planet,
            id: 1,
            timestamp: UnixMillis(START_MS),
            updates_signed_by: [0; 64],
            signature: [0; 96],
            roots: vec![Root { identity, endpoints: vec![ROOT.endpoint()] }],
        };
        let mut host = VectorNode::new(identities::text(MEMBER.0), MEMBER.endpoint(), planet);
        for who in [ROOT, PEER, CONTROLLER] {
            host.play(identities::text(who.0));
            host.answer_from(who.endpoint(), who.address(), 12);
        }
        // Peers that are remembered are not validated, which would take most of the fuzzer's time.
        for who in [PEER, CONTROLLER] {
            let replies = host.command(Command::LoadPeer(who.record())).expect("a valid record");
            host.answer(replies);
        }
        host.live_for(Duration::from_secs(1));
        let network = NetworkId(CONTROLLER.address().to_u64() << 24 | 1);
        let join = Command::Join { network, mode: PortMode::L3, cached: None };
        host.command(join).expect("a controller is named");

        let now = Instant::from_millis(host.now_ms());
        let mut bench = Self {
            host,
            network,
            now,
            wires: Wires::default(),
            port: Port::default(),
            delivered: 0,
        };
        bench.configure();
        bench
    }

    /// Has the controller admit the member to a network that accepts every frame.
    fn configure(&mut self) {
        let member = MEMBER.address();
        let text = format!("v=7\nnwid={}\nid={member}\nml=20\nf=6\nt=1\nR=\u{1}\\0", self.network);
        let mut config = NetworkConfig::from_dictionary(text.as_bytes()).expect("a constant");
        config.timestamp = UnixMillis(self.host.unix_ms());
        config.addresses = vec![([10, 0, 0, 1].into(), 24)];
        let dictionary = config.to_dictionary();
        let sign = |message: &[u8]| CONTROLLER.identity().sign(&[message]);
        for chunk in netconf::write_chunks(self.network, u64::MAX, &dictionary, sign) {
            self.hear_sealed(CONTROLLER, NETWORK_CONFIG, &chunk);
        }
        let networks = self.host.node.networks();
        assert_eq!(networks[0].addresses, config.addresses, "the member was not configured");
    }

    /// Returns `shown` as if the controller had issued it on the member's network.
    fn signed(&self, shown: Credentials) -> Credentials {
        let (network, by) = (self.network, &CONTROLLER.identity());
        let Credentials { memberships, capabilities, tags, revocations, ownerships } = shown;
        let peer = *PEER.identity().public();
        Credentials {
            memberships: memberships
                .into_iter()
                .map(|held| Membership::issue(by, network, &peer, held.timestamp(), u64::MAX))
                .collect(),
            capabilities: capabilities
                .into_iter()
                .map(|Capability { timestamp, id, rules, ref custody, .. }| {
                    let holder = custody.last().map_or(peer.address(), |last| last.to);
                    Capability::issue(by, network, holder, timestamp, id, rules)
                })
                .collect(),
            tags: tags
                .into_iter()
                .map(|Tag { issued_to, timestamp, id, value, .. }| {
                    Tag::issue(by, network, issued_to, timestamp, id, value)
                })
                .collect(),
            revocations: revocations
                .into_iter()
                .map(|Revocation { target, kind, credential_id, id, threshold, .. }| {
                    Revocation::issue(by, network, target, (kind, credential_id), id, threshold)
                })
                .collect(),
            ownerships: ownerships
                .into_iter()
                .map(|Ownership { issued_to, timestamp, id, things, .. }| {
                    Ownership::issue(by, network, issued_to, timestamp, id, things)
                })
                .collect(),
        }
    }

    /// Returns a chunk as the controller signs it.
    fn chunk(&self, update_id: u64, total: u32, index: u32, data: &[u8]) -> Vec<u8> {
        let mut chunk = self.network.0.to_be_bytes().to_vec();
        chunk.extend(u16::try_from(data.len()).expect("a piece is below 64 KiB").to_be_bytes());
        chunk.extend(data);
        chunk.push(0);
        chunk.extend(update_id.to_be_bytes());
        chunk.extend(total.to_be_bytes());
        chunk.extend(index.to_be_bytes());
        let signature = CONTROLLER.identity().sign(&[&chunk]);
        chunk.extend([1, 0, 96]);
        chunk.extend(signature);
        chunk
    }

    /// Hands the node a datagram.
    fn hear(&mut self, from: Who, datagram: &[u8]) {
        let path = Path { local: SOCKET, remote: from.endpoint() };
        let mut bytes = datagram.to_vec();
        let node = &mut self.host.node;
        // Rejections are the node's to count.
        let _ = node.handle_datagram(self.now, path, &mut bytes, &mut self.wires, &mut self.port);
        self.drain(datagram.len());
    }

    /// Hands the node an authentic packet.
    fn hear_sealed(&mut self, from: Who, verb: u8, body: &[u8]) {
        let packet = self.host.seal(from.address(), 3, verb, body);
        self.hear(from, &packet);
    }

    /// Lets the host send an IP packet.
    fn send(&mut self, packet: &[u8]) {
        let Self { host, network, now, wires, port, .. } = self;
        // Rejections are the node's to count.
        let _ = host.node.handle_packet(*now, *network, packet, wires, port);
        self.drain(0);
    }

    /// Lets time pass, waking the node whenever it wants to be.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut wakeups = BTreeMap::<_, u32>::new();
        while let Some(wakeup) = self.host.node.poll_timeout().filter(|wakeup| wakeup.at <= end) {
            self.now = self.now.max(wakeup.at);
            self.host.node.handle_timeout(self.now, &mut self.wires, &mut self.port);
            self.drain(0);
            let woken = wakeups.entry(wakeup.why).or_default();
            *woken += 1;
            assert!(*woken < 100_000, "the node is woken for {} for ever", wakeup.why);
        }
        self.now = end;
    }

    /// Takes what the node sent and said. Only what is relayed may be longer than an MTU.
    fn drain(&mut self, heard_len: usize) {
        while self.host.node.poll_event().is_some() {}
        self.delivered += self.port.take().len();
        for sent in self.wires.take() {
            assert!(sent.bytes.len() <= PHYSICAL_MTU.max(heard_len), "a datagram is too long");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, every input would be refused at the door and nothing would be fuzzed.
    #[test]
    fn the_peer_on_the_bench_gets_a_frame_through() {
        let mut bench = Bench::new();
        let mut frame = bench.network.0.to_be_bytes().to_vec();
        frame.extend([0x08, 0x00]);
        frame.extend([0x45, 0, 0, 20, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1]);

        bench.hear_sealed(PEER, 0x06, &frame);

        assert_eq!(bench.delivered, 1);
    }

    #[test]
    fn pieces_end_with_the_input() {
        let pieces: Vec<_> =
            Pieces(b"\x01\0\x02ab\x02\0\x05c").map(|piece| (piece.kind, piece.bytes)).collect();

        assert_eq!(pieces, [(1, &b"ab"[..]), (2, b"c")]);
    }
}
