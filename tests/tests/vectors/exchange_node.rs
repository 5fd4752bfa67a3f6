//! A controller and two members for a while, each of ours a whole node on a bench of its own that
//! hears what was captured: what is asked, what is answered, and what members then say of their
//! networks (spec 03 §2, §3, spec 04 §2).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zt_protocol::address::NetworkId;
use zt_protocol::error::Rejected;
use zt_protocol::event::NetworkStatus;
use zt_protocol::node::{Command, Config};
use zt_protocol::path_rules::PathRules;
use zt_protocol::pins::Pins;
use zt_protocol::transmit::PortMode;
use zt_protocol::world::World;
use zt_tests::vector_node::{Reply, VectorNode, verbs};

use crate::bench::{described, endpoint, verb_number};
use crate::fields::{bytes, list, number, text};
use crate::report::Report;

/// Where everybody is.
const PLACES: [(&str, &str); 4] = [
    ("root", "10.4.0.4/9993"),
    ("controller", "10.4.0.5/9993"),
    ("member_m", "10.4.0.6/9993"),
    ("member_n", "10.4.0.7/9993"),
];

const STORED: &str = "operators remove records from the store, which no command does yet";
const EFFECT: &str = "a step whose effects are compared";

/// controller_exchange.json
pub(crate) fn run(file: &Value, report: &mut Report) {
    let mut stage = Stage::new(file);
    for entry in list(file, "timeline") {
        stage.play(entry, report);
    }
    for part in ["request_gate", "multi_chunk_example"] {
        report.not_run(part, "it has no part for other nodes");
    }
}

struct Stage<'a> {
    file: &'a Value,
    nodes: BTreeMap<&'static str, Actor>,
    /// Whether the operator has removed something, which our controller keeps.
    removed: bool,
}

struct Actor {
    bench: VectorNode,
    /// The payload and packet ID of its last request for each network.
    requests: BTreeMap<NetworkId, (Vec<u8>, [u8; 8])>,
    /// What it sent upon the last thing it heard.
    said: Vec<Reply>,
}

fn place(name: &str) -> std::net::SocketAddr {
    endpoint(PLACES.iter().find(|(who, _)| *who == name).unwrap().1)
}

impl<'a> Stage<'a> {
    fn new(file: &'a Value) -> Self {
        let names = ["controller", "member_m", "member_n"];
        let nodes = names.map(|name| (name, Actor::new(file, name))).into();
        Self { file, nodes, removed: false }
    }

    fn play(&mut self, entry: &Value, report: &mut Report) {
        let now = (entry["t"].as_f64().unwrap() * 1_000.0) as u64 + 1_000;
        for actor in self.nodes.values_mut() {
            actor.live_until(now);
        }
        match text(entry, "kind") {
            "packet" => self.packet(entry, report),
            _ if text(entry, "node") == "controller" => self.operate(entry, report),
            _ => self.member(entry, report),
        }
    }

    /// The operator changes what the controller has stored, or looks at it.
    fn operate(&mut self, entry: &Value, report: &mut Report) {
        let name = format!("{} s, {}", entry["t"], text(entry, "step"));
        let record = &entry["result"];
        match text(entry, "method") {
            "GET" => report.not_run(&name, "what is stored is compared without the node"),
            "DELETE" => {
                self.removed = true;
                report.not_run(&name, STORED);
            }
            _ => {
                let json = record.to_string().into_bytes();
                let network = text(record, "nwid").parse().unwrap();
                let command = match record["address"].as_str() {
                    None => Command::LoadControllerNetwork { network, json },
                    Some(member) => {
                        let member = member.parse().unwrap();
                        Command::LoadControllerMember { network, member, json }
                    }
                };
                let controller = self.nodes.get_mut("controller").unwrap();
                report.case(&name, || controller.said = controller.bench.command(command).unwrap());
            }
        }
    }

    /// The user of a member joins a network, or looks at one.
    fn member(&mut self, entry: &Value, report: &mut Report) {
        let node = text(entry, "node");
        let name = format!("{} s, {} at {node}", entry["t"], text(entry, "step"));
        let actor = self.nodes.get_mut(node).unwrap();
        let network = text(&entry["result"], "id").parse().unwrap();
        report.case(&name, || {
            if entry["method"] == "POST" {
                let join = Command::Join { network, mode: PortMode::L2, cached: None };
                let sent = actor.bench.command(join).unwrap();
                actor.note(sent);
            }
            let networks = actor.bench.node.networks();
            let status = networks.iter().find(|status| status.id == network).unwrap();
            let expected = &entry["result"];
            assert_eq!(status.standing.name(), text(expected, "status"));
            if text(expected, "status") == "OK" {
                assert_eq!(brief(status), listed(expected));
            }
        });
    }

    fn packet(&mut self, entry: &Value, report: &mut Report) {
        let (from, to, verb) = (text(entry, "from"), text(entry, "to"), text(entry, "verb"));
        let name = format!("{} s, {verb} from {from} to {to}", entry["t"]);
        match (from, verb) {
            ("controller", _) => report.case(&name, || self.controller_says(entry)),
            (_, "NETWORK_CONFIG_REQUEST") if self.removed => report.not_run(&name, STORED),
            (_, "NETWORK_CONFIG_REQUEST") => report.case(&name, || self.member_asks(entry)),
            // Members acknowledge what they are pushed; it was compared when they were.
            _ => report.not_run(&name, EFFECT),
        }
    }

    /// A member asks as ours would ask, and our controller answers as theirs did.
    fn member_asks(&mut self, entry: &Value) {
        let payload = bytes(entry, "payload");
        let network = NetworkId(u64::from_be_bytes(*payload.first_chunk().unwrap()));
        let asking = &self.nodes[text(entry, "from")];
        // The last 16 bytes say which configuration is held, which theirs got by other pushes.
        let (ours, _) = &asking.requests[&network];
        assert_eq!(ours[..payload.len() - 16], payload[..payload.len() - 16]);

        let sender = asking.bench.me.address;
        let cipher = u8::try_from(number(entry, "cipher")).unwrap();
        let controller = self.nodes.get_mut("controller").unwrap();
        let from =
            if number(entry, "hops_at_controller") == 0 { text(entry, "from") } else { "root" };
        let datagram = controller.bench.seal(sender, cipher, 0x0b, &payload);
        let id = hex::encode(&datagram[..8]);
        controller.said = controller.bench.feed(place(from), &datagram);

        let theirs = list(self.file, "timeline").iter().find(|answer| {
            answer["decoded"]["in_re_packet_id"] == entry["packet_id"]
                && answer["from"] == "controller"
        });
        let theirs = theirs.unwrap();
        let beginning = bytes(theirs, "payload");
        let packets = controller.said.iter().filter_map(|reply| reply.packet.as_ref());
        let found = packets.filter(|packet| packet.to == sender).any(|packet| {
            packet.verb == verb_number(text(theirs, "verb"))
                && hex::encode(&packet.payload[1..9]) == id
                && packet.payload[9..18.min(packet.payload.len())]
                    == beginning[9..18.min(beginning.len())]
        });
        let said: Vec<_> = controller.said.iter().map(described).collect();
        assert!(found, "answered {said:?}");
    }

    /// A member of ours hears what the controller of theirs said.
    fn controller_says(&mut self, entry: &Value) {
        let member = self.nodes.get_mut(text(entry, "to")).unwrap();
        let controller = self.file["identities"]["controller"].as_str().unwrap();
        let controller = controller.split(':').next().unwrap().parse().unwrap();
        let mut payload = bytes(entry, "payload");
        let verb = verb_number(text(entry, "verb"));
        if verb == verbs::OK {
            let network = NetworkId(u64::from_be_bytes(payload[9..17].try_into().unwrap()));
            payload[1..9].copy_from_slice(&member.requests[&network].1);
        }
        if verb == verbs::ERROR && payload[0] == verbs::CONFIG_REQUEST {
            payload[1..9].copy_from_slice(&member.bench.last_request[&controller]);
        }
        let cipher = u8::try_from(number(entry, "cipher")).unwrap();
        let datagram = member.bench.seal(controller, cipher, verb, &payload);

        let outcome = member.bench.offer(place("controller"), &datagram);

        // Credentials are heard once a second from each (spec 03 §6.5).
        let is_limited = verb == verbs::CREDENTIALS && outcome == Err(Rejected::RateLimited);
        assert!(outcome.is_ok() || is_limited, "{outcome:?}");

        let said = member.bench.take();
        let acknowledged: Vec<_> = said
            .iter()
            .filter_map(|reply| reply.packet.as_ref())
            .filter(|packet| packet.verb == verbs::OK)
            .map(|packet| hex::encode(&packet.payload[1..]))
            .collect();
        let expected = (verb == verb_number("NETWORK_CONFIG")).then(|| {
            let decoded = &entry["decoded"];
            let id = hex::encode(&datagram[..8]);
            format!("{id}{}{}", text(decoded, "network_id"), text(decoded, "update_id"))
        });
        assert_eq!(acknowledged, expected.into_iter().collect::<Vec<_>>());
        member.note(said);
    }
}

impl Actor {
    fn new(file: &Value, name: &str) -> Self {
        let (planet, _) = World::read_prefix(&bytes(file, "planet")).unwrap();
        let identities = &file["identities"];
        let config = Config {
            planet,
            moons: Vec::new(),
            pins: Pins::new(),
            path_rules: PathRules::default(),
            low_bandwidth: false,
            controller: name == "controller",
            epoch: None,
            platform: "linux/x86_64",
            memory_budget: None,
            allow_loopback: false,
        };
        let mut bench = VectorNode::with_config(text(identities, name), place(name), config);
        for (other, _) in PLACES.iter().filter(|(other, _)| *other != name) {
            let address = bench.play(text(identities, other));
            bench.meet(address, place(other), 12);
        }
        Self { bench, requests: BTreeMap::new(), said: Vec::new() }
    }

    /// Lets time pass; everybody but controllers answers.
    fn live_until(&mut self, now: u64) {
        while self.bench.now_ms() < now {
            let step = self.bench.now_ms() + 500;
            let sent = self.bench.pass_until(step.min(now));
            self.note(sent);
        }
    }

    fn note(&mut self, sent: Vec<Reply>) {
        let packets = sent.iter().filter_map(|reply| reply.packet.as_ref());
        for packet in packets.filter(|packet| packet.verb == verb_number("NETWORK_CONFIG_REQUEST"))
        {
            let network = NetworkId(u64::from_be_bytes(*packet.payload.first_chunk().unwrap()));
            self.requests.insert(network, (packet.payload.clone(), packet.id));
        }
        self.bench.answer(sent);
    }
}

/// Returns what the reference's API and ours both say of a network.
fn brief(status: &NetworkStatus) -> Value {
    let mut addresses: Vec<_> =
        status.addresses.iter().map(|(ip, bits)| format!("{ip}/{bits}")).collect();
    addresses.sort();
    let routes: Vec<_> = status
        .routes
        .iter()
        .map(|route| json!({ "target": format!("{}/{}", route.target, route.bits), "via": route.via }))
        .collect();
    json!({ "name": status.name, "mtu": status.mtu, "addresses": addresses, "routes": routes })
}

fn listed(result: &Value) -> Value {
    let mut addresses: Vec<_> = list(result, "assignedAddresses")
        .iter()
        .map(|it| it.as_str().unwrap().to_owned())
        .collect();
    addresses.sort();
    let routes: Vec<_> = list(result, "routes")
        .iter()
        .map(|route| json!({ "target": route["target"], "via": route["via"] }))
        .collect();
    json!({
        "name": result["name"],
        "mtu": result["mtu"],
        "addresses": addresses,
        "routes": routes,
    })
}
