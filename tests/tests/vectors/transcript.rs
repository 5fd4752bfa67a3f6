//! The first minute of a root and two members of the reference, played again: each node is ours in
//! turn and hears what the reference's heard (spec 02 §16).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zt_protocol::address::{Address, Mac, NetworkId};
use zt_protocol::error::Rejected;
use zt_protocol::node::{Command, Config};
use zt_protocol::path_rules::PathRules;
use zt_protocol::pins::Pins;
use zt_protocol::transmit::{Frame, PortMode};
use zt_protocol::world::World;
use zt_tests::vector_node::{Reply, VectorNode, verbs};

use crate::bench::{address, described, endpoint, secret, verb_number};
use crate::fields::{bytes, cases, number, text};
use crate::report::Report;

/// One-way delays between the nodes, in milliseconds.
const DELAYS: [(&str, u64); 3] = [("AR", 15), ("BR", 20), ("AB", 25)];

/// What each node's host does: when, in milliseconds, and what.
const JOINS: [(&str, u64); 2] = [("A", 1_000), ("B", 1_500)];
const FIRST_FRAMES: [(&str, u64); 2] = [("A", 6_000), ("B", 6_200)];

/// transcript_bootstrap.json
pub(crate) fn run(file: &Value, report: &mut Report) {
    let mut heard: Vec<_> = cases(file).iter().enumerate().collect();
    heard.sort_by_key(|(index, case)| (arrival(case), *index));
    let mut stage = Stage::new(file);
    for (index, case) in heard {
        let decoded = &case["decoded"];
        let verb = decoded["verb"].as_str().unwrap_or("junk");
        let (from, to) = (text(case, "from"), text(case, "to"));
        let title = format!("{index}: {verb} from {from} to {to} at {} ms", number(case, "t_ms"));
        if verb == "junk" {
            report.not_run(&title, "it does not arrive, and is not meant to");
            continue;
        }
        report.case(&title, || stage.hear(case));
    }
}

fn arrival(case: &Value) -> u64 {
    let mut ends = [text(case, "from"), text(case, "to")];
    ends.sort_unstable();
    let delay = DELAYS.iter().find(|(pair, _)| *pair == ends.concat()).unwrap().1;
    number(case, "t_ms") + delay
}

/// Our three nodes, which never hear each other, only the recording.
struct Stage<'a> {
    file: &'a Value,
    network: NetworkId,
    nodes: BTreeMap<&'static str, Actor>,
}

struct Actor {
    bench: VectorNode,
    /// The ID of the last packet it sent to each, by verb.
    sent: BTreeMap<(Address, u8), [u8; 8]>,
    joins_at: Option<u64>,
    frame_at: Option<u64>,
    /// Whether a frame it heard waits for the identity of its sender.
    frame_waits: bool,
}

impl<'a> Stage<'a> {
    fn new(file: &'a Value) -> Self {
        let network: NetworkId = text(file, "network_id").parse().unwrap();
        let (planet, _) = World::read_prefix(&bytes(file, "planet_hex")).unwrap();
        assert_eq!(planet.roots, crate::bench::planet(file).roots);
        let nodes = ["R", "A", "B"].map(|letter| {
            let at = endpoint(text(&file["nodes"][letter], "physical"));
            let config = Config {
                planet: planet.clone(),
                moons: Vec::new(),
                pins: Pins::new(),
                path_rules: PathRules::default(),
                low_bandwidth: false,
                controller: letter == "R",
                epoch: None,
                platform: "linux/x86_64",
                memory_budget: None,
                allow_loopback: false,
            };
            let mut bench = VectorNode::with_config(secret(file, letter), at, config);
            for other in ["R", "A", "B"].into_iter().filter(|&other| other != letter) {
                bench.play(secret(file, other));
            }
            let time_of = |times: [(&str, u64); 2]| {
                times.into_iter().find(|(who, _)| *who == letter).map(|(_, at)| at)
            };
            let (joins_at, frame_at) = (time_of(JOINS), time_of(FIRST_FRAMES));
            (letter, Actor { bench, sent: BTreeMap::new(), joins_at, frame_at, frame_waits: false })
        });
        let mut stage = Self { file, network, nodes: nodes.into() };
        stage.load_network();
        stage
    }

    /// Gives R the network it controls.
    fn load_network(&mut self) {
        let record = json!({
            "id": self.network.to_string(),
            "nwid": self.network.to_string(),
            "private": false,
            "rules": [{ "type": "ACTION_ACCEPT", "not": false, "or": false }],
        });
        let command = Command::LoadControllerNetwork {
            network: self.network,
            json: record.to_string().into_bytes(),
        };
        let root = self.nodes.get_mut("R").unwrap();
        root.bench.command(command).unwrap();
    }

    /// Lets the node a datagram arrived at hear it, and compares what it does upon it with what
    /// the reference did.
    fn hear(&mut self, case: &Value) {
        let now = arrival(case);
        let network = self.network;
        let actor = self.nodes.get_mut(text(case, "to")).unwrap();
        actor.live_until(now, network, self.file);
        actor.bench.take_delivered();

        let datagram = actor.as_said_to_us(case, self.file);
        let outcome = actor.bench.offer(endpoint(text(case, "from_addr")), &datagram);
        let replies = actor.bench.take();
        actor.note(&replies);

        // An answer to what our node had no reason to ask is the one thing it may refuse.
        let unexpected = outcome == Err(Rejected::UnexpectedReply);
        assert!(outcome.is_ok() || unexpected, "{outcome:?}");
        if unexpected {
            assert_eq!(datagram, bytes(case, "wire"), "we did ask");
        }
        actor.compare_frame(case, &replies);
        self.compare_answers(case, &datagram, &replies);
    }

    /// Finds what the reference said upon this packet and looks for it in what ours said.
    fn compare_answers(&self, case: &Value, datagram: &[u8], replies: &[Reply]) {
        let decoded = &case["decoded"];
        let id = text(decoded, "packet_id");
        let answered = cases(self.file).iter().filter(|answer| {
            answer["from"] == case["to"] && answer["decoded"]["fields"]["in_re_packet_id"] == id
        });
        for answer in answered.map(|answer| &answer["decoded"]) {
            let (answers, mut payload) = (bytes(answer, "payload"), Vec::new());
            payload.extend(&answers[..1]);
            payload.extend(&datagram[..8]);
            payload.extend(&answers[9..]);
            // Our controller's configuration is compared elsewhere.
            let is_config = payload[0] == verb_number("NETWORK_CONFIG_REQUEST");
            let found = replies.iter().filter_map(|reply| reply.packet.as_ref()).any(|packet| {
                packet.verb == verbs::OK
                    && u64::from(packet.cipher) == number(answer, "cipher")
                    && if is_config {
                        packet.payload[..9] == payload[..9]
                    } else {
                        packet.payload == payload
                    }
            });
            let said: Vec<_> = replies.iter().map(described).collect();
            assert!(found, "no answer {}: {said:?}", hex::encode(&payload));
        }
        // What is relayed goes on as it is.
        let on_its_way = cases(self.file).iter().filter(|other| {
            other["from"] == case["to"]
                && other["decoded"]["packet_id"] == id
                && other["t_ms"] != case["t_ms"]
        });
        for relayed in on_its_way {
            let wire = bytes(relayed, "wire");
            assert!(replies.iter().any(|reply| reply.bytes == wire), "not relayed");
        }
    }
}

impl Actor {
    /// Lets time pass, with what the host wants in between.
    fn live_until(&mut self, now: u64, network: NetworkId, file: &Value) {
        if let Some(at) = self.joins_at.take_if(|at| *at <= now) {
            self.pass_until(at);
            let join = Command::Join { network, mode: PortMode::L2, cached: None };
            let sent = self.bench.command(join).unwrap();
            self.note(&sent);
        }
        if let Some(at) = self.frame_at.take_if(|at| *at <= now) {
            self.pass_until(at);
            let me = self.bench.me.address;
            let [a, b] = ["A", "B"].map(|letter| address(file, letter));
            let other = if me == a { b } else { a };
            let frame = Frame {
                destination: Mac::of_member(other, network),
                source: Mac::of_member(me, network),
                ethertype: 0x0800,
                payload: &[0x45; 24],
            };
            let sent = self.bench.send_frame(network, frame);
            self.note(&sent);
        }
        self.pass_until(now);
    }

    /// A frame for this node is delivered, at once or as soon as its sender is known.
    fn compare_frame(&mut self, case: &Value, replies: &[Reply]) {
        let delivered = self.bench.take_delivered();
        let decoded = &case["decoded"];
        let is_ours = text(decoded, "dest") == self.bench.me.address.to_string();
        if decoded["verb"] != "FRAME" || !is_ours {
            self.frame_waits &= delivered.is_empty();
            return;
        }
        assert!(!self.frame_waits, "an earlier frame was not delivered");
        if self.bench.peer(text(decoded, "source").parse().unwrap()).is_none() {
            let packets = replies.iter().filter_map(|reply| reply.packet.as_ref());
            assert_eq!(packets.map(|packet| packet.verb).collect::<Vec<_>>(), [verbs::WHOIS]);
            self.frame_waits = true;
            return;
        }
        let payloads: Vec<_> = delivered.iter().map(|frame| &frame.payload[..]).collect();
        assert_eq!(payloads, [&bytes(decoded, "payload")[10..]]);
    }

    fn pass_until(&mut self, now: u64) {
        let sent = self.bench.pass_until(now);
        self.note(&sent);
    }

    fn note(&mut self, sent: &[Reply]) {
        let packets = sent.iter().filter_map(|reply| reply.packet.as_ref());
        self.sent.extend(packets.map(|packet| ((packet.to, packet.verb), packet.id)));
    }

    /// Returns the datagram of a case; an answer is sealed anew, with the ID our node asked with.
    fn as_said_to_us(&mut self, case: &Value, file: &Value) -> Vec<u8> {
        let decoded = &case["decoded"];
        let recorded = bytes(case, "wire");
        if decoded["verb"] != "OK" {
            return recorded;
        }
        let mut payload = bytes(decoded, "payload");
        let from = address(file, text(case, "from"));
        let Some(id) = self.sent.get(&(from, payload[0])) else {
            return recorded;
        };
        payload[1..9].copy_from_slice(id);
        let cipher = u8::try_from(number(decoded, "cipher")).unwrap();
        self.bench.seal(from, cipher, verbs::OK, &payload)
    }
}
