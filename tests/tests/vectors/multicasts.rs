//! Multicast, told as one story of nodes a and b (spec 03 §9.5 to §9.7).
//!
//! The file says what happens, not what has to be the case for it to happen; that is in
//! [`Story::prepare`]. Who is in a group shows in whom later steps send to.

use std::time::Duration;

use serde_json::Value;
use zt_protocol::address::{Address, Mac, MulticastGroup};
use zt_protocol::config::{NetworkConfig, Specialist};
use zt_protocol::outbox::OwnedFrame;
use zt_protocol::transmit::{Frame, PortMode};
use zt_protocol::verb::Verb;
use zt_protocol::wire::multicast::{Gather, Gathered};
use zt_protocol::wire::reply;

use crate::fields::{array, bytes, cases, has, list, name, number, text};
use crate::member::Member;
use crate::report::Report;

/// What the story is about; what else members send has its own files.
const VERBS: [Verb; 6] = [
    Verb::MulticastLike,
    Verb::MulticastGather,
    Verb::MulticastFrame,
    Verb::NetworkCredentials,
    Verb::Ok,
    Verb::Error,
];

/// multicast.json
pub(crate) fn run(file: &Value, report: &mut Report) {
    let mut story = Story::new(file);
    for case in cases(file) {
        if name(case).contains("unexpected packet id") {
            report.not_run(name(case), "the node stops replies that nobody asked for by itself");
            continue;
        }
        story.prepare(case);
        report.case(name(case), || match text(case, "kind") {
            "receive" => story.receive(case),
            _ => story.send(case),
        });
    }
}

struct Story<'f> {
    file: &'f Value,
    a: Member,
    b: Member,
}

/// Returns a node on the network.
fn member(file: &Value, letter: &str) -> Member {
    let mut member = Member::new(file, letter);
    member.join(PortMode::L2);
    member.configure(&member.config());
    member
}

fn group(mac: &str, adi: u32) -> MulticastGroup {
    let mac: [u8; 6] = hex::decode(mac).unwrap().try_into().unwrap();
    MulticastGroup { mac: Mac::from(mac), adi }
}

/// Has a node learn from its controller that somebody is in a group.
fn tell(member: &mut Member, group: MulticastGroup, who: Address) {
    let network = member.network;
    let told = Gathered { network, group, total: 1, members: &[who] }.write(1);
    let packet = (network.controller(), Verb::Ok, 1);
    member
        .receive(packet, &told[9..], |networks, ctx, _, rx| networks.handle_ok_gather(ctx, rx))
        .unwrap();
}

/// Gives a node another configuration.
fn reconfigure(member: &mut Member, change: impl FnOnce(&mut NetworkConfig)) {
    let mut config = member.config();
    config.revision = member.networks.config(member.network).map_or(0, |held| held.revision) + 1;
    change(&mut config);
    member.configure(&config);
}

impl<'f> Story<'f> {
    fn new(file: &'f Value) -> Self {
        let (mut a, b) = (member(file, "a"), member(file, "b"));
        // a has something to do with b already.
        let network = a.network;
        a.call(|networks, ctx, _| networks.push_credentials(ctx, network, b.me()));
        Self { file, a, b }
    }

    fn address(&self, letter: &str) -> Address {
        text(&self.file["identities"][letter], "address").parse().unwrap()
    }

    /// Sets the scene for a case.
    fn prepare(&mut self, case: &Value) {
        let (me, b, c) = (self.address("a"), self.address("b"), self.address("c"));
        let network = self.a.network;
        let bridge = |address| vec![Specialist { address, roles: Specialist::ACTIVE_BRIDGE }];
        let replicator = |address| vec![Specialist { address, roles: Specialist::REPLICATOR }];
        match name(case) {
            it if it.contains("responder is itself subscribed") => {
                let group = group("3333ff000005", 0);
                self.b.call(|networks, ctx, _| networks.subscribe(ctx, network, group)).unwrap();
            }
            it if it.contains("multicast limit 0") => {
                reconfigure(&mut self.b, |config| config.multicast_limit = 0);
                self.b.now = self.b.now + Duration::from_secs(61);
            }
            it if it.contains("OK(MULTICAST_GATHER) to an expected") => {
                reconfigure(&mut self.b, |_| {});
            }
            it if it.starts_with("private network multicast") => {
                let gather = Gather::read(&bytes(&list(case, "packets")[0], "payload")).unwrap();
                reconfigure(&mut self.a, |config| {
                    config.public = false;
                    config.membership = gather.membership;
                });
            }
            it if it.starts_with("broadcast disabled: non-ARP") => {
                reconfigure(&mut self.a, |config| config.flags = NetworkConfig::NDP_EMULATION);
            }
            it if it.starts_with("replicator configured") => {
                reconfigure(&mut self.a, |config| config.specialists = replicator(b));
            }
            it if it.contains("replicate flag at replicator b") => {
                reconfigure(&mut self.b, |config| config.specialists = replicator(b));
                self.b.now = self.b.now + Duration::from_secs(61);
                tell(&mut self.b, group("01005e0000fa", 0), c);
            }
            it if it.starts_with("active bridge, multicast") => {
                self.a = member(self.file, "a");
                reconfigure(&mut self.a, |config| config.specialists = bridge(me));
                tell(&mut self.a, group("01005e0000f9", 0), b);
            }
            it if it.starts_with("active bridges always") => {
                reconfigure(&mut self.a, |config| config.specialists = bridge(b));
            }
            _ => {}
        }
        self.a.sent();
        self.b.sent();
    }

    /// Has node a do something, which the case's name says unless it is to send a frame.
    fn send(&mut self, case: &Value) {
        let b = self.address("b");
        let network = self.a.network;
        let subscribe = |member: &mut Member, group| {
            member.call(|networks, ctx, _| networks.subscribe(ctx, network, group)).unwrap();
        };
        match name(case) {
            _ if has(case, "frame") => send_frame(&mut self.a, case),
            it if it.starts_with("subscribe 33") => {
                subscribe(&mut self.a, group("3333ff000005", 0));
            }
            it if it.starts_with("subscribe ff") => {
                subscribe(&mut self.a, group("ffffffffffff", 0x0a93_1105));
            }
            it if it.ends_with("within 60 s: nothing") => self.a.pass(50_000),
            it if it.starts_with("periodic announcement") => self.a.pass(60_000),
            it if it.starts_with("member b becomes known") => {
                self.a.now = self.a.now + Duration::from_secs(4);
                tell(&mut self.a, group("ffffffffffff", 0x0a93_1106), b);
            }
            other => panic!("nobody says how to do: {other}"),
        }
        assert_sent(&mut self.a, list(case, "packets"));
    }

    fn receive(&mut self, case: &Value) {
        let from = text(case, "from").parse().unwrap();
        let to_b = text(case, "to") == self.address("b").to_string();
        let member = if to_b { &mut self.b } else { &mut self.a };
        let payload = bytes(case, "payload");
        let verb = Verb::from_u8(number(case, "verb") as u8).unwrap();

        // An answer names the packet it answers, which is all the case says about its ID.
        let answer = list(case, "replies").first().map(|answer| bytes(answer, "payload"));
        let id = answer.map_or(1, |answer| u64::from_be_bytes(answer[1..9].try_into().unwrap()));
        // What is refused is refused silently, but for our counters.
        let _ = member.receive((from, verb, id), &payload, |networks, ctx, known, rx| match verb {
            Verb::MulticastLike => networks.handle_like(ctx, rx, &|_| false),
            Verb::MulticastGather => networks.handle_gather(ctx, known, rx, &|_| false),
            Verb::MulticastFrame => networks.handle_multicast_frame(ctx, known, rx),
            Verb::Error => {
                let (in_re, code, body) = reply::read_error(rx.body).unwrap();
                let rx = &zt_protocol::outbox::Received { body, ..*rx };
                networks.handle_error(
                    ctx,
                    rx,
                    (in_re.verb.unwrap(), in_re.packet_id),
                    code.unwrap(),
                )
            }
            _ => {
                let (_, body) = reply::read_ok(rx.body).unwrap();
                let rx = &zt_protocol::outbox::Received { body, ..*rx };
                networks.handle_ok_gather(ctx, rx)
            }
        });

        let expected: Vec<_> =
            list(case, "packets").iter().chain(list(case, "replies")).cloned().collect();
        assert_sent(member, &expected);
        let delivered = member.delivered();
        let expected = list(case, "delivered");
        assert_eq!(delivered.len(), expected.len(), "{delivered:?}");
        for (frame, expected) in delivered.iter().zip(expected) {
            compare_frame(frame, expected);
        }
    }
}

fn send_frame(member: &mut Member, case: &Value) {
    let (network, payload) = (member.network, bytes(case, "frame"));
    let frame = Frame {
        destination: Mac::from(array(case, "dest_mac")),
        source: Mac::from(array(case, "source_mac")),
        ethertype: number(case, "ethertype") as u16,
        payload: &payload,
    };
    // What is dropped is counted.
    let _ = member.call(|networks, ctx, _| networks.send_multicast(ctx, network, frame));
}

fn compare_frame(frame: &OwnedFrame, expected: &Value) {
    assert_eq!(frame.source.to_bytes(), array(expected, "source_mac"));
    assert_eq!(frame.destination.to_bytes(), array(expected, "dest_mac"));
    assert_eq!(u64::from(frame.ethertype), number(expected, "ethertype"));
    assert_eq!(hex::encode(&frame.payload), text(expected, "frame"));
}

/// Holds what was sent to what should have been, in any order.
fn assert_sent(member: &mut Member, expected: &[Value]) {
    let sent = member.sent().into_iter().filter(|packet| VERBS.contains(&packet.verb));
    let sent =
        sent.map(|packet| (packet.verb as u64, packet.to.to_string(), hex::encode(packet.body)));
    let mut sent: Vec<_> = sent.collect();
    let expected = expected
        .iter()
        .map(|it| (number(it, "verb"), text(it, "to").to_owned(), text(it, "payload").to_owned()));
    let mut expected: Vec<_> = expected.collect();
    sent.sort();
    expected.sort();
    assert_eq!(sent, expected);
}
