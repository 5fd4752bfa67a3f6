//! Frames between members, and what members have to show for them (spec 03 §6, §9.3, §9.4).

use std::time::Duration;

use serde_json::Value;
use zt_protocol::address::Mac;
use zt_protocol::outbox::OwnedFrame;
use zt_protocol::transmit::Frame;
use zt_tests::vector_node::{Reply, verbs};

use crate::bench::described;
use crate::fields::{array, bytes, cases, list, name, number, text};
use crate::member_node::{self, BRIDGE, Member, Setting, expected, letter, listed};
use crate::report::Report;

/// frames.json
///
/// The cases are one story of members a and b, whose configuration changes now and then.
pub(crate) fn run(file: &Value, report: &mut Report) {
    let mut story =
        Story { file, a: Member::new(file, "a"), b: Member::new(file, "b"), setting: None };
    for case in cases(file) {
        report.case(name(case), || story.tell(case));
    }
}

struct Story<'a> {
    file: &'a Value,
    a: Member,
    b: Member,
    setting: Option<Setting>,
}

impl Story<'_> {
    fn tell(&mut self, case: &Value) {
        self.configure(self.setting_of(case));
        for member in [&mut self.a, &mut self.b] {
            // What credentials and errors are limited to is one a second.
            member.bench.live_for(Duration::from_secs(2));
        }
        match text(case, "kind") {
            "send" => self.send(case),
            "receive" => {
                for wire in ["wire_aes_gmac_siv", "wire_salsa2012_poly1305"] {
                    self.receive(case, &bytes(case, wire));
                }
            }
            "error_received" => self.error(case),
            other => panic!("unknown kind {other}"),
        }
    }

    /// Returns the configuration in force, worked out from the order and names of the cases.
    fn setting_of(&self, case: &Value) -> Setting {
        let names: Vec<_> = cases(self.file).iter().map(name).collect();
        let at = |start: &str| names.iter().position(|name| name.starts_with(start)).unwrap();
        let this = at(name(case));
        let bridged = at("a is active bridge")..=at("to bridge a");
        let specialists = vec![(member_node::address(self.file, "a"), BRIDGE)];
        if name(case).contains("multicast limit 0") {
            Setting { multicast_limit: 0, ..Setting::public() }
        } else if bridged.contains(&this) {
            Setting { specialists, ..Setting::public() }
        } else if name(case).contains("b is TEE target") {
            Setting { rules: copying(self.file, 2), ..Setting::public() }
        } else if name(case).contains("b is WATCH target") {
            Setting { rules: copying(self.file, 3), ..Setting::public() }
        } else if this >= at("private network") {
            Setting::private()
        } else {
            Setting::public()
        }
    }

    fn configure(&mut self, setting: Setting) {
        if self.setting.as_ref() != Some(&setting) {
            let mut setting_of_a = setting.clone();
            if !setting.public {
                setting_of_a.entries = credentials_of_a(self.file);
            }
            self.a.configure(&setting_of_a);
            self.b.configure(&setting);
            for member in [&mut self.a, &mut self.b] {
                member.bench.take_delivered();
            }
            self.setting = Some(setting);
        }
    }

    fn member(&mut self, address: &str) -> &mut Member {
        if letter(self.file, address) == "a" { &mut self.a } else { &mut self.b }
    }

    /// The host of a member sends a frame.
    fn send(&mut self, case: &Value) {
        let member = self.member(text(case, "node"));
        let payload = bytes(case, "frame");
        let frame = Frame {
            destination: Mac::from(array(case, "dest_mac")),
            source: Mac::from(array(case, "source_mac")),
            ethertype: number(case, "ethertype") as u16,
            payload: &payload,
        };

        let sent = member.bench.send_frame(member.network, frame);

        assert_packets(list(case, "packets"), &sent, &[0x06, 0x07, 0x0a]);
        assert_delivered(list(case, "looped_back"), &member.bench.take_delivered());
    }

    /// A member gets a packet of another.
    fn receive(&mut self, case: &Value, wire: &[u8]) {
        let from = letter(self.file, text(case, "from")).to_owned();
        let member = self.member(text(case, "to"));
        member.bench.live_for(Duration::from_secs(2));

        let sent = member.feed_from(&from, wire);

        // Answers name the packet they answer, which is the one listed in suite 3.
        let listed_id = &text(case, "wire_aes_gmac_siv")[..16];
        let this_id = hex::encode(&wire[..8]);
        let replies = serde_json::to_string(&case["replies"]).unwrap().replace(listed_id, &this_id);
        let replies: Vec<Value> = serde_json::from_str(&replies).unwrap();
        assert_packets(&replies, &sent, &[0x02, verbs::OK]);
        assert_delivered(list(case, "delivered"), &member.bench.take_delivered());
    }

    /// Member a is told by b that it lacks a certificate.
    fn error(&mut self, case: &Value) {
        let b = member_node::address(self.file, "b");
        let error = self.a.bench.seal(b, 3, 0x02, &bytes(case, "payload"));

        let sent = self.a.feed_from("b", &error);

        assert_packets(list(case, "packets"), &sent, &[0x06, 0x07, 0x0a]);
    }
}

/// Returns rules that have every frame copied to b by this action.
fn copying(file: &Value, action: u8) -> Vec<u8> {
    let target = member_node::address(file, "b").to_u64().to_be_bytes();
    [&[action, 14][..], &target, &[0; 6], &[1, 0]].concat()
}

/// Returns what a's private configuration holds: the credentials it pushes later.
fn credentials_of_a(file: &Value) -> Vec<(&'static str, Vec<u8>)> {
    let pushes = cases(file).iter().find(|case| name(case).contains("first unicast pushes"));
    member_node::entries_of_push(&bytes(&list(pushes.unwrap(), "packets")[0], "payload"))
}

/// Holds what was sent, of these verbs, to a list, in order.
fn assert_packets(packets: &[Value], sent: &[Reply], verbs: &[u8]) {
    let said: Vec<_> = sent.iter().map(described).collect();
    assert_eq!(listed(sent, verbs), expected(packets), "sent {said:?}");
}

/// Holds the frames for the host to a list, in order.
pub(crate) fn assert_delivered(frames: &[Value], delivered: &[OwnedFrame]) {
    let expected: Vec<_> = frames
        .iter()
        .map(|frame| OwnedFrame {
            network: text(frame, "network_id").parse().unwrap(),
            destination: Mac::from(array(frame, "dest_mac")),
            source: Mac::from(array(frame, "source_mac")),
            ethertype: number(frame, "ethertype") as u16,
            payload: bytes(frame, "frame"),
        })
        .collect();
    assert_eq!(delivered, expected);
}
