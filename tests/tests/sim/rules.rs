//! What rules let pass, between whom, and who gets to see it.

use serde_json::{Value, json};
use zt_protocol::address::{Mac, NetworkId};
use zt_protocol::credential::Revocation;
use zt_protocol::credential::revocation::CredentialKind;
use zt_protocol::error::Rejected;
use zt_protocol::event::Standing;
use zt_protocol::rules::{DecidedBy, Decision, Direction, Explanation, List, TagValues};
use zt_protocol::transmit::Frame;
use zt_protocol::verb::Verb;
use zt_protocol::wire::credentials::Credentials;
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{NodeId, World};

use super::scene::Scene;

/// The tag most stories are about.
const TAG: u32 = 1_000;

/// The port that [`World::send_data`] sends to.
const PORT: u16 = 8_080;

const TCP: u8 = 6;
const UDP: u8 = 17;

fn rule(kind: &str, mut fields: Value) -> Value {
    fields["type"] = kind.into();
    fields["not"] = fields["not"].as_bool().unwrap_or_default().into();
    fields["or"] = fields["or"].as_bool().unwrap_or_default().into();
    fields
}

fn accept() -> Value {
    rule("ACTION_ACCEPT", json!({}))
}

fn drop() -> Value {
    rule("ACTION_DROP", json!({}))
}

fn protocol(number: u8) -> Value {
    rule("MATCH_IP_PROTOCOL", json!({ "ipProtocol": number }))
}

fn port(number: u16) -> Value {
    rule("MATCH_IP_DEST_PORT_RANGE", json!({ "start": number, "end": number }))
}

fn copy(action: &str, world: &World, to: NodeId, length: u16) -> Value {
    rule(action, json!({ "address": world.address_of(to).to_string(), "length": length }))
}

impl Scene {
    /// Gives the network other rules, and its members time to hear of them.
    fn set_rules(&mut self, rules: Value) {
        self.world.edit_network(self.network, json!({ "rules": rules }));
        self.world.run_for(secs(2));
    }

    /// Adds a third member.
    fn carol(&mut self) -> NodeId {
        let carol = self.world.member();
        self.world.join(self.network, &[carol]);
        let network = self.network;
        self.world.run_until(secs(15), |world| world.are_up(network, &[carol])).unwrap();
        carol
    }

    /// Sends `count` different data from one host to another; returns how many arrive.
    fn count_data(&mut self, from: NodeId, to: NodeId, count: u64) -> usize {
        let before = self.world.data_received(to);
        let first = before as u64;
        for number in first..first + count {
            self.world.send_data(from, to, number, 100);
            self.world.run_for(millis(300));
        }
        self.world.data_received(to) - before
    }

    /// Returns whether a ping is answered, of three.
    fn can_ping(&mut self, from: NodeId, to: NodeId) -> bool {
        let before = self.world.pongs(from);
        for _ in 0..3 {
            self.world.ping(from, to);
            self.world.run_for(millis(500));
        }
        self.world.pongs(from) > before
    }

    /// Asks `at` what it would do with a packet that goes between it and `peer`.
    fn would_allow(
        &self,
        at: NodeId,
        peer: NodeId,
        direction: Direction,
        (ethertype, payload): (u16, &[u8]),
    ) -> Result<Explanation, Rejected> {
        let [here, there] = [at, peer].map(|node| self.world.address_of(node));
        let [here_mac, there_mac] = [here, there].map(|node| Mac::of_member(node, self.network));
        let (source, destination) = match direction {
            Direction::Inbound => (there_mac, here_mac),
            Direction::Outbound => (here_mac, there_mac),
        };
        let frame = Frame { destination, source, ethertype, payload };
        self.world.node(at).would_allow(self.network, there, frame, direction)
    }
}

/// Returns an IPv4 packet to a port.
fn segment(protocol: u8, port: u16) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, protocol, 0, 0];
    packet.extend([10, 147, 1, 1, 10, 147, 1, 2, 0, 9]);
    packet.extend(port.to_be_bytes());
    packet.extend([0; 16]);
    packet
}

/// Rules come and go with the configuration, and the network is in order all the while.
#[test]
fn a_network_drops_what_goes_to_one_port() {
    let mut scene = Scene::public(300);
    scene.await_ping();
    let (alice, bob) = (scene.alice, scene.bob);
    assert_eq!(scene.count_data(alice, bob, 3), 3);

    scene.set_rules(json!([protocol(UDP), port(PORT), drop(), accept()]));
    assert_eq!(scene.world.standing(scene.network, alice), Some(Standing::Ok));
    assert_eq!(scene.count_data(alice, bob, 3), 0);
    assert_eq!(scene.count_pings(3), 3);
    assert!(scene.world.dropped(alice, Rejected::Filtered) >= 3);

    scene.set_rules(json!([protocol(UDP), port(PORT + 1), drop(), accept()]));
    assert_eq!(scene.count_data(alice, bob, 3), 3);
}

#[test]
fn an_app_is_told_which_rule_drops_a_packet() {
    let mut scene = Scene::public(301);
    scene.set_rules(json!([protocol(UDP), port(PORT), drop(), accept()]));
    let [dropped, accepted] = [PORT, PORT + 1].map(|port| {
        let packet = segment(UDP, port);
        scene.would_allow(scene.alice, scene.bob, Direction::Outbound, (0x0800, &packet)).unwrap()
    });

    assert_eq!(dropped.verdict.decision, Decision::Drop);
    assert_eq!(dropped.decided_by, Some(DecidedBy { list: List::Base, index: 2 }));
    assert_eq!(accepted.verdict.decision, Decision::Accept);
    assert_eq!(accepted.decided_by, Some(DecidedBy { list: List::Base, index: 3 }));
}

/// Tags that controllers have for departments: whoever is in the same one may talk.
#[test]
fn members_with_equal_tags_talk_and_others_do_not() {
    let mut scene = Scene::public(302);
    let carol = scene.carol();
    let (network, alice, bob) = (scene.network, scene.alice, scene.bob);
    for (member, value) in [(alice, 7), (bob, 7), (carol, 8)] {
        scene.world.edit_member(network, member, json!({ "tags": [[TAG, value]] }));
    }
    let same = rule("MATCH_TAGS_DIFFERENCE", json!({ "id": TAG, "value": 0, "not": true }));
    scene.set_rules(json!([protocol(1), same, drop(), accept()]));

    assert!(scene.can_ping(alice, bob));
    assert!(!scene.can_ping(alice, carol));
    let packet = segment(1, 0);
    let told = scene.would_allow(alice, carol, Direction::Outbound, (0x0800, &packet)).unwrap();
    assert_eq!(told.tags, [TagValues { id: TAG, sender: Some(7), receiver: Some(8) }]);

    scene.world.edit_member(network, carol, json!({ "tags": [[TAG, 7]] }));
    scene.world.run_for(secs(2));
    assert!(scene.can_ping(carol, alice));
    assert!(scene.can_ping(alice, carol));
}

#[test]
fn a_capability_lets_its_holder_send_what_others_may_not() {
    let mut scene = Scene::public(303);
    scene.await_ping();
    let (alice, bob) = (scene.alice, scene.bob);
    let to_port =
        json!([{ "id": 5, "default": false, "rules": [protocol(UDP), port(PORT), accept()] }]);
    scene.world.edit_network(scene.network, json!({ "capabilities": to_port }));
    scene.world.edit_member(scene.network, alice, json!({ "capabilities": [5] }));
    let udp = rule("MATCH_IP_PROTOCOL", json!({ "ipProtocol": UDP, "not": true }));
    scene.set_rules(json!([udp, accept()]));

    assert_eq!(scene.count_data(alice, bob, 3), 3);
    assert_eq!(scene.count_data(bob, alice, 3), 0);
    let packet = segment(UDP, PORT);
    for (at, peer, direction) in
        [(alice, bob, Direction::Outbound), (bob, alice, Direction::Inbound)]
    {
        let told = scene.would_allow(at, peer, direction, (0x0800, &packet)).unwrap();
        let granted = DecidedBy { list: List::Capability(5), index: 2 };
        assert_eq!(told.decided_by, Some(granted), "{direction:?}");
    }
}

/// Both the sender and the receiver make a copy.
#[test]
fn a_third_member_sees_what_is_copied_to_it() {
    let mut scene = Scene::public(304);
    let carol = scene.carol();
    scene.await_ping();
    let tee = copy("ACTION_TEE", &scene.world, carol, 64);
    scene.set_rules(json!([protocol(UDP), tee, accept()]));
    let before = scene.world.strange_frames(carol);

    let (alice, bob) = (scene.alice, scene.bob);
    assert_eq!(scene.count_data(alice, bob, 4), 4);
    scene.world.run_for(secs(2));

    assert_eq!(scene.world.strange_frames(carol) - before, 2 * 4);
    assert_eq!(scene.count_pings(3), 3);
    assert_eq!(scene.world.strange_frames(carol) - before, 2 * 4);
}

#[test]
fn what_is_redirected_reaches_the_third_member_instead() {
    let mut scene = Scene::public(305);
    let carol = scene.carol();
    scene.await_ping();
    let redirect = copy("ACTION_REDIRECT", &scene.world, carol, 0);
    scene.set_rules(json!([protocol(UDP), redirect, accept()]));
    let before = scene.world.strange_frames(carol);

    let (alice, bob) = (scene.alice, scene.bob);
    assert_eq!(scene.count_data(alice, bob, 4), 0);
    scene.world.run_for(secs(2));

    assert_eq!(scene.world.strange_frames(carol) - before, 4);
    assert_eq!(scene.count_pings(3), 3);
}

/// The controller tells bob alone; alice and bob are cut apart at once, and carol, whom nobody but
/// bob told, knows as well.
#[test]
fn a_tag_that_is_revoked_counts_no_more() {
    let mut scene = Scene::private(306);
    let carol = scene.world.member();
    scene.world.allow(scene.network, carol);
    scene.world.join(scene.network, &[carol]);
    let (network, alice, bob) = (scene.network, scene.alice, scene.bob);
    for member in [alice, bob, carol] {
        scene.world.edit_member(network, member, json!({ "tags": [[TAG, 7]] }));
    }
    let tagged = rule("MATCH_TAGS_EQUAL", json!({ "id": TAG, "value": 7 }));
    let arp = rule("MATCH_ETHERTYPE", json!({ "etherType": 0x0806 }));
    scene.set_rules(json!([arp, accept(), tagged, accept()]));
    for (from, to) in [(alice, bob), (alice, carol), (carol, bob)] {
        assert!(scene.can_ping(from, to), "{from:?} {to:?}");
    }

    let revocation = Revocation::issue(
        &scene.world.identity_of(scene.controller),
        network,
        scene.world.address_of(alice),
        (CredentialKind::Tag, TAG),
        1,
        u64::MAX >> 1,
    );
    let shown = Credentials { revocations: vec![revocation], ..Credentials::default() };
    let body = shown.write().remove(0);
    scene.world.say(scene.controller, bob, Verb::NetworkCredentials, &body);
    scene.world.run_for(secs(2));

    assert!(!scene.can_ping(alice, bob));
    assert!(!scene.can_ping(alice, carol));
    assert!(scene.can_ping(carol, bob));
}

/// No controller, no multicast: members find each other by their computed addresses, and the rules
/// open one port.
#[test]
fn a_network_that_configures_itself_opens_a_range_of_ports() {
    let mut scene = Scene::public(307);
    let (alice, bob) = (scene.alice, scene.bob);
    let network = NetworkId(0xff1f_901f_9000_0000);
    for member in [alice, bob] {
        scene.world.leave(scene.network, member);
    }
    scene.network = network;
    scene.world.join(network, &[alice, bob]);
    scene.await_up();

    scene.world.ping_v6(alice, bob);
    scene.world.run_until(secs(5), |world| world.pongs(alice) == 1).unwrap();

    let opens = |port: u16| {
        let mut packet = vec![0x60, 0, 0, 0, 0, 20, TCP, 64];
        packet.extend([0xfc; 32]);
        packet.extend([0, 9]);
        packet.extend(port.to_be_bytes());
        packet.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x02, 0, 0, 0, 0, 0, 0]);
        let told = scene.would_allow(bob, alice, Direction::Inbound, (0x86dd, &packet)).unwrap();
        told.verdict.passes()
    };
    assert!(opens(8_080));
    assert!(!opens(8_081));
}
