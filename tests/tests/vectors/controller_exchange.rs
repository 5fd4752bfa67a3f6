//! A controller at work for a while (spec 04 §2): every packet and every step of its operator.
//!
//! The members' side is not run here: their requests are given to the controller as they were
//! captured, and what it sends is held against what the reference sent.

use std::time::Duration;

use serde_json::Value;
use zt_protocol::address::{Address, NetworkId};
use zt_protocol::config::NetworkConfig;
use zt_protocol::controller::{CapabilityRecord, Controller, NetworkRecord};
use zt_protocol::credential::Revocation;
use zt_protocol::error::Rejected;
use zt_protocol::identity::Identity;
use zt_protocol::outbox::Ctx;
use zt_protocol::time::{Instant, UnixMillis};
use zt_protocol::verb::Verb;
use zt_protocol::wire::credentials::Credentials;
use zt_protocol::wire::netconf::Chunk;

use crate::controller::{Office, Sent};
use crate::fields::{bytes, hex_number, list, number, text};
use crate::report::Report;

const ANSWERED: &str = "who is answered is not pushed the same configuration as well";
const MEMBERS_SIDE: &str = "what members do and show is for tests of whole nodes";
const OPERATOR: &str = "a step of the operator, whose effects are compared";

/// What we send at once where the reference lets members find out by asking again.
const AT_ONCE: &[(&str, Verb, &str)] = &[
    ("b: authorize m", Verb::NetworkConfig, "a member is sent its configuration when authorized"),
    ("b: authorize n", Verb::NetworkConfig, "a member is sent its configuration when authorized"),
    ("b: de-authorize m", Verb::Error, "a member is told when it is no longer authorized"),
    ("b: delete authorised member n", Verb::Error, "a member is told when it is removed"),
];

/// controller_exchange.json
pub(crate) fn run(file: &Value, report: &mut Report) {
    let mut replay = Replay::new(file);
    for (index, entry) in list(file, "timeline").iter().enumerate() {
        replay.step(file, index, entry, report);
    }
    report.case("nothing else is sent", || replay.finish());
    report.case("request_gate", || gate(file));
    report.case("multi_chunk_example", || multi_chunk(file));
}

/// The controller as the timeline goes on, and what it sent that no entry has accounted for yet.
struct Replay {
    office: Office,
    /// The time at which the timeline begins.
    start: u64,
    sent: Vec<Sent>,
    revocations: Vec<(Address, Revocation)>,
}

impl Replay {
    fn new(file: &Value) -> Self {
        let office = Office::new(text(&file["identities"], "controller"));
        let start = number(&list(file, "timeline")[0]["result"], "creationTime");
        Self { office, start, sent: Vec::new(), revocations: Vec::new() }
    }

    fn step(&mut self, file: &Value, index: usize, entry: &Value, report: &mut Report) {
        let elapsed = (entry["t"].as_f64().unwrap() * 1_000.0) as u64;
        self.office.now = Instant::from_millis(elapsed) + Duration::from_secs(1_000);
        self.office.unix = UnixMillis(clock(file, index).unwrap_or(self.start + elapsed));

        match (text(entry, "kind"), is_input(entry)) {
            ("operator", true) => self.operate(entry, report),
            ("operator", false) => self.look(entry, report),
            (_, true) => self.receive(file, entry, report),
            (_, false) if text(entry, "from") == "controller" => self.compare(file, entry, report),
            (_, false) => report.not_run(&name(entry), MEMBERS_SIDE),
        }
    }

    fn keep(&mut self, sent: Vec<Sent>) {
        for packet in sent {
            if packet.verb == Verb::NetworkCredentials {
                let (credentials, whole) = Credentials::read(&packet.body);
                whole.unwrap();
                let revocations = credentials.revocations.into_iter();
                self.revocations.extend(revocations.map(|revocation| (packet.to, revocation)));
            } else {
                self.sent.push(packet);
            }
        }
    }

    /// Does what the operator did. The answer to each change is the record as it was stored.
    fn operate(&mut self, entry: &Value, report: &mut Report) {
        let path = text(entry, "path").trim_start_matches("/controller/network");
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        let result = &entry["result"];
        let sent = match (text(entry, "method"), names.as_slice()) {
            ("POST", [] | [_]) => self.office.load_network(result),
            ("POST", [_, "member", _]) => self.office.load_member(result),
            ("DELETE", [network, "member", member]) => {
                let (network, member) = (network.parse().unwrap(), member.parse().unwrap());
                let remove = |controller: &mut Controller, ctx: &mut Ctx<'_>| {
                    controller.remove_member(ctx, network, member)
                };
                self.office.call(remove).1
            }
            ("DELETE", [network]) => {
                let network = network.parse().unwrap();
                let remove = |controller: &mut Controller, ctx: &mut Ctx<'_>| {
                    controller.remove_network(ctx, network)
                };
                self.office.call(remove).1
            }
            other => panic!("an operator's step {other:?}"),
        };
        self.keep(sent);

        match AT_ONCE.iter().find(|(step, ..)| *step == text(entry, "step")) {
            Some((_, verb, reason)) => report.stricter(&name(entry), reason, || {
                let packet = self.sent.pop().unwrap();
                assert_eq!(packet.verb, *verb);
            }),
            None => report.not_run(&name(entry), OPERATOR),
        }
    }

    /// Compares a record the operator looked at.
    fn look(&self, entry: &Value, report: &mut Report) {
        if text(entry, "node") != "controller" {
            report.not_run(&name(entry), MEMBERS_SIDE);
            return;
        }
        report.case(&name(entry), || {
            let record = &entry["result"];
            let network = text(record, "nwid").parse().unwrap();
            let member = text(record, "id").parse().unwrap();
            let mut stored = self.office.stored(network, member).unwrap().clone();
            for field in ["creationTime", "lastAuthorizedTime"] {
                let difference = number(&stored, field).abs_diff(number(record, field));
                assert!(difference < 500, "{field} differs by {difference} ms");
                stored[field] = record[field].clone();
            }
            // Authorizing and configuring are one change of the record there and two here.
            assert!(number(&stored, "revision").abs_diff(number(record, "revision")) <= 1);
            stored["revision"] = record["revision"].clone();
            assert_eq!(&stored, record);
        });
    }

    fn receive(&mut self, file: &Value, entry: &Value, report: &mut Report) {
        let from = identity(file, text(entry, "from"));
        let packet_id = hex_number(entry, "packet_id");
        let (result, sent) = self.office.receive(from, packet_id, &bytes(entry, "payload"));
        report.case(&name(entry), || assert_eq!((result, sent.len()), (Ok(()), 1)));
        self.keep(sent);
    }

    /// Finds what we sent where the reference's controller sent `entry`, and compares.
    fn compare(&mut self, file: &Value, entry: &Value, report: &mut Report) {
        let to = identity(file, text(entry, "to")).address();
        let payload = bytes(entry, "payload");
        let (verb, same) = match text(entry, "verb") {
            "NETWORK_CREDENTIALS" => {
                report.case(&name(entry), || self.find_revocation(to, &payload));
                return;
            }
            "NETWORK_CONFIG" => (Verb::NetworkConfig, 8),
            // They answer the same packet.
            "OK" => (Verb::Ok, 9),
            "ERROR" => (Verb::Error, 9),
            other => panic!("a packet {other}"),
        };
        let position = self.sent.iter().position(|sent| {
            (sent.to, sent.verb) == (to, verb) && sent.body[..same] == payload[..same]
        });
        match position.map(|position| self.sent.remove(position)) {
            Some(ours) => report.case(&name(entry), || match verb {
                Verb::Ok => compare_chunks(&self.office, &ours.body[9..], &payload[9..]),
                Verb::Error => assert_eq!(ours.body, payload),
                _ => compare_chunks(&self.office, &ours.body, &payload),
            }),
            None if verb == Verb::NetworkConfig => report.not_run(&name(entry), ANSWERED),
            None => report.case(&name(entry), || panic!("nothing like it was sent")),
        }
    }

    /// Finds the revocation the reference sent in `payload` among ours, which may have come
    /// together with others.
    fn find_revocation(&mut self, to: Address, payload: &[u8]) {
        let (theirs, _) = Credentials::read(payload);
        let [theirs] = theirs.revocations.as_slice() else { panic!("{theirs:?}") };
        let position = self.revocations.iter().position(|(member, ours)| {
            (*member, ours.target, ours.network) == (to, theirs.target, theirs.network)
        });
        let (_, ours) = self.revocations.remove(position.unwrap());

        assert!(ours.threshold.abs_diff(theirs.threshold) < 20);
        let (id, threshold, signature) = (theirs.id, theirs.threshold, theirs.signature);
        assert_eq!(&Revocation { id, threshold, signature, ..ours.clone() }, theirs);
        self.office.verify(&ours);
    }

    /// Whatever we sent has been accounted for.
    fn finish(&self) {
        assert!(self.sent.is_empty() && self.revocations.is_empty());
    }
}

/// Names an entry of the timeline.
fn name(entry: &Value) -> String {
    let time = &entry["t"];
    match text(entry, "kind") {
        "operator" => format!("{time} s, {}", text(entry, "step")),
        _ => format!("{time} s, {} to {}", text(entry, "verb"), text(entry, "to")),
    }
}

/// Returns whether an entry makes the controller act.
fn is_input(entry: &Value) -> bool {
    match text(entry, "kind") {
        "operator" => text(entry, "node") == "controller" && text(entry, "method") != "GET",
        _ => text(entry, "verb") == "NETWORK_CONFIG_REQUEST",
    }
}

/// Returns the time the controller wrote into what it sent in answer to an input.
fn clock(file: &Value, index: usize) -> Option<u64> {
    let rest = &list(file, "timeline")[index..];
    let (input, following) = rest.split_first().filter(|(input, _)| is_input(input))?;
    let answers = following.iter().take_while(|entry| !is_input(entry));
    let is_request = text(input, "kind") == "packet";
    // A request may be answered by a push as well, which comes later and may overtake.
    let mut answers = answers.filter(|entry| entry["from"] == "controller");
    let answer = answers.find(|answer| !is_request || answer["verb"] == "OK")?;
    match &answer["dictionary"]["ts"] {
        Value::String(ts) => Some(u64::from_str_radix(ts, 16).unwrap()),
        _ => answer["decoded"]["revocation"]["threshold"].as_u64(),
    }
}

fn identity(file: &Value, name: &str) -> Identity {
    text(&file["identities"], name).parse().unwrap()
}

/// Compares a whole configuration. Signatures in it are deterministic; its update ID and thus the
/// signature around it are not.
fn compare_chunks(office: &Office, ours: &[u8], theirs: &[u8]) {
    assert_eq!(office.assemble([ours]), office.assemble([theirs]));
}

/// request_gate: which requests are served, and that pushes do not count.
fn gate(file: &Value) {
    let me = text(&file["identities"], "controller");
    let member = identity(file, "member_m");
    let mut office = Office::new(me);
    let network = NetworkId::new(office.me.address(), 1);
    let mut record = NetworkRecord::new(network, UnixMillis(1));
    record.private = false;
    assert!(office.load_record(&record).is_empty());
    let body = |network: NetworkId| [&network.to_bytes()[..], &[0, 0]].concat();

    for (index, step) in list(&file["request_gate"], "steps").iter().enumerate() {
        office.now = office.now + Duration::from_millis(number(step, "after_ms"));
        let sent = match text(step, "kind") {
            "wire request" => office.receive(member, 7, &body(network)).1,
            "push (packet id 0)" => {
                record.name.push('x');
                office.load_record(&record)
            }
            _ => {
                let elsewhere = NetworkId(network.0 ^ 1 << 40);
                let (result, sent) = office.receive(member, 7, &body(elsewhere));
                assert_eq!(result, Err(Rejected::NotServed));
                sent
            }
        };
        // Who is answered is not pushed the same configuration as well.
        let extra_pushes = if index == 0 { 1 } else { 0 };
        assert_eq!(sent.len() as u64, number(step, "replies") - extra_pushes, "{index}");
    }
}

/// multi_chunk_example: the same network gives the same dictionary, cut at the same place.
fn multi_chunk(file: &Value) {
    let mut office = Office::new(text(&file["identities"], "controller"));
    let [request, answers @ ..] = list(&file["multi_chunk_example"], "packets") else { panic!() };
    let payloads: Vec<Vec<u8>> = answers.iter().map(|packet| bytes(packet, "payload")).collect();
    let dictionary = office.assemble(payloads.iter().map(|payload| &payload[9..]));
    let config = NetworkConfig::from_dictionary(&dictionary).unwrap();

    office.unix = config.timestamp;
    let mut record = NetworkRecord::new(config.network, config.timestamp);
    record.private = !config.public;
    record.name = config.name.clone();
    record.revision = config.revision;
    record.routes = config.routes.clone();
    record.rules = config.rules.clone();
    record.tags = config.tags.iter().map(|tag| (tag.id, Some(tag.value))).collect();
    let capabilities = config.capabilities.iter();
    record.capabilities = capabilities
        .map(|it| (it.id, CapabilityRecord { default: true, rules: it.rules.clone() }))
        .collect();
    assert!(office.load_record(&record).is_empty());

    let from = identity(file, text(request, "from"));
    let (result, sent) = office.receive(from, 7, &bytes(request, "payload"));
    assert_eq!(result, Ok(()));
    let lengths = |bodies: &[&[u8]]| {
        bodies.iter().map(|body| Chunk::read(&body[9..], 0).unwrap().data.len()).collect::<Vec<_>>()
    };
    let ours: Vec<&[u8]> = sent.iter().map(|packet| &packet.body[..]).collect();
    let theirs: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    assert_eq!(lengths(&ours), lengths(&theirs));
    assert_eq!(office.assemble(ours.iter().map(|body| &body[9..])), dictionary);
}
