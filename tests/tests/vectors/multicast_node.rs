//! Multicast groups and frames (spec 03 §9.2, §9.5).

use std::net::Ipv6Addr;
use std::time::Duration;

use serde_json::Value;
use zt_protocol::address::{Address, Mac, MulticastGroup};
use zt_protocol::transmit::Frame;
use zt_protocol::wire::multicast::Gathered;
use zt_tests::vector_node::{Reply, verbs};

use crate::bench::described;
use crate::fields::{array, bytes, cases, list, name, number, text};
use crate::frames::assert_delivered;
use crate::member_node::{self, BRIDGE, Member, REPLICATOR, Setting, expected, letter, listed};
use crate::report::Report;

/// The group 33:33:ff:00:00:05.
const GROUP: MulticastGroup = MulticastGroup {
    mac: Mac::of_ipv6_group(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 5)),
    adi: 0,
};

const LIKE: u8 = 0x09;
const GATHER: u8 = 0x0d;
const CAST: u8 = 0x0e;

/// multicast.json
pub(crate) fn run(file: &Value, report: &mut Report) {
    let mut story = Story { file, a: public(file, "a"), b: public(file, "b") };
    for case in cases(file) {
        report.case(name(case), || story.tell(case));
    }
}

/// Returns a member of the public network that was announced.
fn public(file: &Value, letter: &str) -> Member {
    let mut member = Member::new(file, letter);
    let sent = member.configure(&Setting::public());
    member.bench.answer(sent);
    member.bench.live_for(Duration::from_secs(2));
    member
}

/// Members a and b, each with a story of its own.
struct Story<'a> {
    file: &'a Value,
    a: Member,
    b: Member,
}

impl Story<'_> {
    fn tell(&mut self, case: &Value) {
        let name = name(case);
        match name {
            _ if name.starts_with("subscribe") => self.subscribe(case),
            _ if name.starts_with("periodic announcement:") => self.announce(case),
            _ if name.starts_with("periodic announcement within") => self.announced(case),
            _ if name.starts_with("member b becomes known") => self.becomes_known(case),
            _ if name.starts_with("OK(MULTICAST_GATHER) to an expected") => self.gathered(case),
            _ if name.starts_with("OK(MULTICAST_GATHER) to an unexpected") => self.not_asked(case),
            _ if name.starts_with("ERROR UNWANTED_MULTICAST") => self.unwanted(case),
            _ if case["kind"] == "send" => self.send(case),
            _ => self.receive(case),
        }
    }

    /// The host of a subscribes to a group.
    fn subscribe(&mut self, case: &Value) {
        let group = if name(case).contains("33:33:ff") {
            // That b is a member shows in its frames.
            self.hear("a", "b", 0x06, &[0x08, 0x00, 0x45]);
            GROUP
        } else {
            MulticastGroup::resolving("10.147.17.5".parse().unwrap())
        };

        let sent = self.a.subscribe(group);

        assert_same(list(case, "packets"), &sent, &[LIKE]);
    }

    /// All groups are told again a minute after they were last told.
    fn announce(&mut self, case: &Value) {
        let sent = self.a.bench.pass_until(self.a.bench.now_ms() + 65_000);

        assert_same(list(case, "packets"), &sent, &[LIKE]);
    }

    fn announced(&mut self, case: &Value) {
        let sent = self.a.bench.pass_until(self.a.bench.now_ms() + 50_000);

        assert_same(list(case, "packets"), &sent, &[LIKE]);
        self.a = public(self.file, "a");
    }

    /// Member b says it is in the group that a frame is waiting to be sent to.
    fn becomes_known(&mut self, case: &Value) {
        let sent = self.like("a", "b", "ffffffffffff0a931106");

        assert_same(list(case, "packets"), &sent, &[CAST]);
    }

    /// Member a has asked for a group; the controller's answer is told with the ID it asked with.
    fn gathered(&mut self, case: &Value) {
        self.a = public(self.file, "a");
        let request = self.cast_and_gather("333300000001");
        let mut answer = bytes(case, "payload");
        answer[1..9].copy_from_slice(&request);

        let sent = self.hear_answer(&answer);

        // The frame that was waiting goes to those named.
        assert_eq!(receivers(&sent), group_members(case));
        let sent = self.cast("333300000001");
        assert_eq!(receivers(&sent), group_members(case));
    }

    /// The same answer to a member that asked nothing.
    fn not_asked(&mut self, case: &Value) {
        let mut stranger =
            Story { file: self.file, a: public(self.file, "a"), b: public(self.file, "b") };

        let sent = stranger.hear_answer(&bytes(case, "payload"));

        assert!(sent.is_empty());
        assert_eq!(receivers(&stranger.cast("333300000001")), [""; 0]);
    }

    fn unwanted(&mut self, case: &Value) {
        let error = self.a.bench.seal(
            member_node::address(self.file, "b"),
            3,
            0x02,
            &bytes(case, "payload"),
        );
        self.a.feed_from("b", &error);

        let sent = self.cast("333300000001");

        assert_eq!(receivers(&sent), group_members(case));
    }

    /// The host of a sends a frame to a group.
    fn send(&mut self, case: &Value) {
        self.prepare_sender(case);
        let payload = bytes(case, "frame");
        let frame = Frame {
            destination: Mac::from(array(case, "dest_mac")),
            source: Mac::from(array(case, "source_mac")),
            ethertype: number(case, "ethertype") as u16,
            payload: &payload,
        };

        let sent = self.a.bench.send_frame(self.a.network, frame);

        assert_same(list(case, "packets"), &sent, &[LIKE, GATHER, CAST]);
        assert_delivered(list(case, "looped_back"), &self.a.bench.take_delivered());
    }

    /// Gives a the configuration a case that sends is about.
    fn prepare_sender(&mut self, case: &Value) {
        let [me, b] = ["a", "b"].map(|letter| member_node::address(self.file, letter));
        let (setting, knows_b) = match name(case) {
            it if it.starts_with("private network") => (Setting::private(), false),
            it if it.starts_with("broadcast disabled") => {
                (Setting { flags: 4, ..Setting::public() }, true)
            }
            it if it.starts_with("replicator configured but not alive") => {
                let specialists = vec![(b, REPLICATOR)];
                (Setting { specialists, ..Setting::public() }, false)
            }
            it if it.starts_with("active bridge, multicast") => {
                (Setting { specialists: vec![(me, BRIDGE)], ..Setting::public() }, false)
            }
            it if it.starts_with("active bridges always") => {
                (Setting { specialists: vec![(b, BRIDGE)], ..Setting::public() }, false)
            }
            _ => return,
        };
        self.a = Member::new(self.file, "a");
        let sent = self.a.configure(&Setting { revision: 3, ..setting });
        self.a.bench.answer(sent);
        self.a.bench.live_for(Duration::from_secs(2));
        if name(case).starts_with("active bridge, multicast") {
            self.learn_from_controller("01005e0000f9", b);
        }
        if knows_b {
            // Members of the group were gathered less than a minute ago.
            self.like("a", "b", "ffffffffffff0a931106");
            self.arp();
        }
        if name(case).contains("not alive") {
            // Long enough that the path to b expires, too short to forget b.
            self.a.bench.silence(member_node::whereabouts("b"));
            self.a.bench.live_for(Duration::from_secs(300));
        }
    }

    /// Member b gets a packet of another.
    fn receive(&mut self, case: &Value) {
        self.prepare_receiver(case);
        let from = letter(self.file, text(case, "from")).to_owned();
        let verb = u8::try_from(number(case, "verb")).unwrap();

        let sent = self.hear_whole("b", &from, verb, &bytes(case, "payload"));

        let announced = list(case, "packets");
        let announced: Vec<_> =
            announced.iter().filter(|packet| packet["verb"] != LIKE).cloned().collect();
        assert_same(&announced, &sent, &[GATHER, CAST]);
        let answers: Vec<_> = listed(&sent, &[verbs::OK])
            .into_iter()
            .map(|(to, _, payload)| (to, after_id(&payload)))
            .collect();
        let expected = expected(list(case, "replies")).into_iter();
        let expected: Vec<_> = expected.map(|(to, _, payload)| (to, after_id(&payload))).collect();
        assert_eq!(answers, expected);
        assert_delivered(list(case, "delivered"), &self.b.bench.take_delivered());
    }

    /// Gives b the configuration a case that receives is about.
    fn prepare_receiver(&mut self, case: &Value) {
        let b = member_node::address(self.file, "b");
        let setting = match name(case) {
            it if it.contains("responder is itself subscribed") => {
                self.b.subscribe(GROUP);
                return;
            }
            it if it.contains("multicast limit 0") => {
                Setting { multicast_limit: 0, ..Setting::public() }
            }
            it if it.contains("at replicator b") => {
                self.like("b", "c", "01005e0000fa00000000");
                Setting { specialists: vec![(b, REPLICATOR)], ..Setting::public() }
            }
            _ => return,
        };
        let revision = self.b.bench.now_ms();
        let sent = self.b.configure(&Setting { revision, ..setting });
        self.b.bench.answer(sent);
        self.b.bench.live_for(Duration::from_secs(1));
    }
}

/// What happens to a member.
impl Story<'_> {
    fn member(&mut self, letter: &str) -> &mut Member {
        if letter == "a" { &mut self.a } else { &mut self.b }
    }

    /// Lets a member hear a packet whose payload begins with the network.
    fn hear(&mut self, who: &str, from: &str, verb: u8, after_network: &[u8]) -> Vec<Reply> {
        let network = self.a.network.to_bytes();
        self.hear_whole(who, from, verb, &[&network[..], after_network].concat())
    }

    fn hear_whole(&mut self, who: &str, from: &str, verb: u8, payload: &[u8]) -> Vec<Reply> {
        let sender = member_node::address(self.file, from);
        let member = self.member(who);
        let datagram = member.bench.seal(sender, 3, verb, payload);
        member.feed_from(from, &datagram)
    }

    /// Lets a member hear that another is in a group.
    fn like(&mut self, who: &str, from: &str, group: &str) -> Vec<Reply> {
        self.hear(who, from, LIKE, &hex::decode(group).unwrap())
    }

    /// Lets a learn that `who` is in a group, when it has nothing to send to it.
    fn learn_from_controller(&mut self, group: &str, who: Address) {
        let request = self.cast_and_gather(group);
        self.a.bench.live_for(Duration::from_secs(6));
        let mac: [u8; 6] = hex::decode(group).unwrap().try_into().unwrap();
        let (network, group) = (self.a.network, MulticastGroup::of_mac(Mac::from(mac)));
        let answer = Gathered { network, group, total: 1, members: &[who] };
        self.hear_answer(&answer.write(u64::from_be_bytes(request)));
        // It may gather again.
        self.a.bench.live_for(Duration::from_secs(61));
    }

    /// Has the host of a send a frame to a group; returns the ID with which a asks the controller
    /// who is in it.
    fn cast_and_gather(&mut self, group: &str) -> [u8; 8] {
        let asked = self.cast(group);
        let packets = asked.iter().filter_map(|reply| reply.packet.as_ref());
        let mut gathers = packets.filter(|packet| packet.verb == GATHER);
        let request = gathers.find(|packet| packet.to == self.a.controller.address);
        request.unwrap().id
    }

    /// Lets a hear the controller answer.
    fn hear_answer(&mut self, payload: &[u8]) -> Vec<Reply> {
        self.hear_whole("a", "controller", verbs::OK, payload)
    }

    /// Lets the host of a ask who has 10.147.17.6.
    fn arp(&mut self) {
        let mac = Mac::of_member(self.a.bench.me.address, self.a.network);
        let request = [
            &[0, 1, 8, 0, 6, 4, 0, 1][..],
            &mac.to_bytes(),
            &[10, 147, 17, 5, 0, 0, 0, 0, 0, 0, 10, 147, 17, 6],
        ]
        .concat();
        let destination = Mac::BROADCAST;
        let frame = Frame { destination, source: mac, ethertype: 0x0806, payload: &request };
        self.a.bench.send_frame(self.a.network, frame);
        self.a.bench.live_for(Duration::from_secs(1));
    }

    /// Lets the host of a send a frame to a group.
    fn cast(&mut self, group: &str) -> Vec<Reply> {
        let destination: [u8; 6] = hex::decode(group).unwrap().try_into().unwrap();
        let source = Mac::of_member(self.a.bench.me.address, self.a.network);
        let destination = Mac::from(destination);
        let frame = Frame { destination, source, ethertype: 0x86dd, payload: &[0x60] };
        self.a.bench.send_frame(self.a.network, frame)
    }
}

/// Returns who was sent a multicast frame, in order of address.
fn receivers(sent: &[Reply]) -> Vec<String> {
    let mut receivers: Vec<_> = listed(sent, &[CAST]).into_iter().map(|(to, ..)| to).collect();
    receivers.sort();
    receivers
}

/// Returns who is in the group 33:33:00:00:00:01 after a case.
fn group_members(case: &Value) -> Vec<String> {
    let members = list(&case["receiver_group_members_after"], "333300000001/0").iter();
    members.map(|member| member.as_str().unwrap().to_owned()).collect()
}

/// Returns what follows the packet ID in an answer.
fn after_id(payload: &str) -> String {
    payload[18..].to_owned()
}

/// Holds what was sent, of these verbs, to a list, in any order.
fn assert_same(packets: &[Value], sent: &[Reply], verbs: &[u8]) {
    let (mut ours, mut theirs) = (listed(sent, verbs), expected(packets));
    ours.sort();
    theirs.sort();
    let said: Vec<_> = sent.iter().map(described).collect();
    assert_eq!(ours, theirs, "sent {said:?}");
}
