//! Devices that are no members and take part by a bridge.

use serde_json::json;
use zt_protocol::address::{Mac, MulticastGroup};
use zt_protocol::error::Rejected;
use zt_protocol::outbox::OwnedFrame;
use zt_protocol::verb::Verb;
use zt_protocol::wire::frame::ExtFrame;
use zt_protocol::wire::multicast::{Gather, MulticastFrame};
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{Access, NodeId, World};

use super::scene::Scene;

const PRINTER_V4: &str = "10.147.1.200";
const PRINTER_V6: &str = "fd00:b::11";
const CAMERA_V4: &str = "10.147.1.201";

/// Returns the MAC of a device that is no member.
fn mac(n: u32) -> Mac {
    let [a, b, c, d] = n.to_be_bytes();
    Mac::from([0x0a, 0x00, a, b, c, d])
}

fn printer() -> Mac {
    mac(0x11)
}

fn camera() -> Mac {
    mac(0x22)
}

impl Scene {
    /// Alice is an ordinary member; bob is on Ethernet and a bridge, with a printer behind it.
    fn bridged(seed: u64, access: Access) -> Self {
        let mut scene = Self::with(seed, access, World::member, on_ethernet);
        let on_link = json!([
            { "target": "10.147.1.0/24", "via": null },
            { "target": "fd00:b::/64", "via": null },
        ]);
        scene.world.edit_network(scene.network, json!({ "routes": on_link }));
        scene.make_bridge(scene.bob);
        scene.world.plug(scene.bob, scene.network, printer(), &[PRINTER_V4, PRINTER_V6]);
        scene
    }

    /// Adds a second bridge, with a camera behind it.
    fn add_bridge(&mut self) -> NodeId {
        let carol = self.add_on_ethernet();
        self.make_bridge(carol);
        self.world.plug(carol, self.network, camera(), &[CAMERA_V4]);
        carol
    }

    /// Adds a member on Ethernet that is no bridge.
    fn add_on_ethernet(&mut self) -> NodeId {
        let member = on_ethernet(&mut self.world);
        self.world.join(self.network, &[member]);
        let network = self.network;
        self.world.run_until(secs(15), |world| world.are_up(network, &[member])).unwrap();
        member
    }

    /// Makes a member a bridge. The others hear of it when they next ask, within a minute.
    fn make_bridge(&mut self, member: NodeId) {
        self.world.edit_member(self.network, member, json!({ "activeBridge": true }));
        self.world.run_for(secs(70));
    }

    /// Has alice ping a device; returns whether it answers.
    fn alice_reaches(&mut self, ip: &str) -> bool {
        let before = self.world.pongs(self.alice);
        self.world.ping_address(self.alice, self.network, ip.parse().unwrap());
        self.world.run_for(secs(1));
        self.world.pongs(self.alice) > before
    }

    /// Has a device ping an address; returns whether it is answered.
    fn device_reaches(&mut self, bridge: NodeId, device: Mac, ip: &str) -> bool {
        let before = self.world.pongs_of_device(bridge, device);
        self.world.ping_from_device(bridge, device, ip);
        self.world.run_for(secs(1));
        self.world.pongs_of_device(bridge, device) > before
    }

    /// Returns the address of alice, of one family.
    fn alices(&self, v4: bool) -> String {
        let addresses = self.world.addresses(self.network, self.alice);
        addresses.iter().find(|ip| ip.is_ipv4() == v4).unwrap().to_string()
    }

    /// Returns how many frames to `mac` have reached the port of `node` since this was last asked.
    fn frames_to(&mut self, node: NodeId, mac: Mac) -> usize {
        let frames = self.world.take_frames(node);
        frames.iter().filter(|frame| frame.destination == mac).count()
    }

    fn mac_of(&self, node: NodeId) -> Mac {
        Mac::of_member(self.world.address_of(node), self.network)
    }

    fn frame(&self, destination: Mac, source: Mac, payload: &[u8]) -> OwnedFrame {
        let (network, payload) = (self.network, payload.to_vec());
        OwnedFrame { network, destination, source, ethertype: 0x88b5, payload }
    }
}

fn on_ethernet(world: &mut World) -> NodeId {
    let member = world.member();
    world.use_ethernet(member);
    member
}

#[test]
fn a_device_behind_a_bridge_is_reached_by_arp_and_reaches_others() {
    let mut scene = Scene::bridged(700, Access::Public);
    let alices = scene.alices(true);

    assert!(scene.alice_reaches(PRINTER_V4));
    assert!(scene.device_reaches(scene.bob, printer(), &alices));
}

#[test]
fn a_device_behind_a_bridge_is_reached_by_neighbor_discovery_and_reaches_others() {
    let mut scene = Scene::bridged(701, Access::Public);
    let alices = scene.alices(false);

    assert!(scene.alice_reaches(PRINTER_V6));
    assert!(scene.device_reaches(scene.bob, printer(), &alices));
}

/// Frames to and from devices have certificates to back them like all others.
#[test]
fn a_private_network_has_bridges_too() {
    let mut scene = Scene::bridged(702, Access::Private);
    let alices = scene.alices(true);

    assert!(scene.alice_reaches(PRINTER_V4));
    assert!(scene.device_reaches(scene.bob, printer(), &alices));
    for _ in 0..4 {
        scene.world.run_for(secs(20 * 60));
        scene.alice_reaches(PRINTER_V4);
        assert!(scene.alice_reaches(PRINTER_V4));
    }
}

/// The bridge has a host of its own, whose frames go as any member's.
#[test]
fn a_bridge_is_a_member_like_any_other() {
    let mut scene = Scene::bridged(703, Access::Public);

    scene.await_ping();
    let (alice, bob) = (scene.alice, scene.bob);
    scene.world.ping(bob, alice);
    scene.world.run_until(secs(5), |world| world.pongs(bob) == 1).unwrap();
}

/// An L3 port has nothing behind it, so what is meant for devices ends there.
#[test]
fn a_bridge_with_a_port_for_packets_works_as_a_member_does() {
    let mut scene = Scene::public(704);
    scene.make_bridge(scene.bob);

    scene.await_ping();
    let sender = scene.add_on_ethernet();
    let (alice, bob) = (scene.alice, scene.bob);
    let lost = scene.frame(printer(), scene.mac_of(sender), b"for somebody");
    scene.world.send_frame(sender, lost);
    scene.world.run_for(secs(1));

    assert_eq!(scene.world.dropped(bob, Rejected::BadFrameAddress), 1);
    assert_eq!(scene.world.strange_frames(bob), 0);
    scene.world.ping(bob, alice);
    scene.world.run_until(secs(5), |world| world.pongs(bob) == 1).unwrap();
}

/// Devices behind different bridges talk; each frame reaches the other side once, and no bridge
/// sends back what came from the network.
#[test]
fn two_bridges_join_their_lans_without_a_loop() {
    let mut scene = Scene::bridged(705, Access::Public);
    let (bob, carol) = (scene.bob, scene.add_bridge());
    assert!(scene.device_reaches(bob, printer(), CAMERA_V4));
    assert!(scene.device_reaches(carol, camera(), PRINTER_V4));

    for node in [bob, carol] {
        scene.world.take_frames(node);
    }
    for (destination, reach) in [(camera(), [0, 1]), (Mac::BROADCAST, [0, 1]), (mac(99), [0, 1])] {
        let frame = scene.frame(destination, printer(), b"once");
        scene.world.send_frame(bob, frame);
        scene.world.run_for(secs(10));
        assert_eq!([bob, carol].map(|node| scene.frames_to(node, destination)), reach);
    }
}

#[test]
fn frames_to_a_known_device_go_to_its_bridge_alone() {
    let mut scene = Scene::bridged(706, Access::Public);
    let (bob, carol) = (scene.bob, scene.add_bridge());
    assert!(scene.alice_reaches(PRINTER_V4));
    scene.world.take_frames(carol);

    for _ in 0..5 {
        assert!(scene.alice_reaches(PRINTER_V4));
    }
    assert_eq!(scene.frames_to(carol, printer()), 0);

    // Nobody has heard of this one.
    scene.world.take_frames(bob);
    let sender = scene.add_on_ethernet();
    let unknown = scene.frame(mac(99), scene.mac_of(sender), b"anybody?");
    scene.world.send_frame(sender, unknown);
    scene.world.run_for(secs(1));
    assert_eq!([bob, carol].map(|node| scene.frames_to(node, mac(99))), [1, 1]);
}

#[test]
fn a_device_that_moves_is_found_behind_its_new_bridge_when_it_speaks() {
    let mut scene = Scene::bridged(707, Access::Public);
    let (bob, carol) = (scene.bob, scene.add_bridge());
    let alices = scene.alices(true);
    assert!(scene.alice_reaches(PRINTER_V4));

    for (from, to) in [(bob, carol), (carol, bob)] {
        scene.world.replug(printer(), from, to);
        assert!(!scene.alice_reaches(PRINTER_V4));
        assert!(scene.device_reaches(to, printer(), &alices));
        assert!(scene.alice_reaches(PRINTER_V4));
    }
}

#[test]
fn a_device_that_moves_in_silence_is_found_when_the_old_place_is_forgotten() {
    let mut scene = Scene::bridged(708, Access::Public);
    let (bob, carol) = (scene.bob, scene.add_bridge());
    assert!(scene.alice_reaches(PRINTER_V4));

    scene.world.replug(printer(), bob, carol);
    scene.world.run_for(secs(6 * 60));

    assert!(scene.alice_reaches(PRINTER_V4));
}

/// Carol is a bridge that makes devices up. Alice's frames to the printer go to bob alone as before.
#[test]
fn a_bridge_that_floods_costs_the_others_nothing() {
    let mut scene = Scene::bridged(709, Access::Public);
    let carol = scene.add_bridge();
    assert!(scene.alice_reaches(PRINTER_V4));

    let alice = scene.mac_of(scene.alice);
    for n in 0..20_000 {
        let made_up = scene.frame(alice, mac(0x1000 + n), b"flood");
        scene.world.send_frame(carol, made_up);
        if n % 100 == 0 {
            scene.world.run_for(millis(10));
        }
    }
    scene.world.run_for(secs(1));
    scene.world.take_frames(carol);

    assert!(scene.alice_reaches(PRINTER_V4));
    assert_eq!(scene.frames_to(carol, printer()), 0);
    assert!(scene.alice_reaches(CAMERA_V4));
}

/// Neither does its own node send them, nor does another believe them that come all the same.
#[test]
fn a_node_that_is_no_bridge_cannot_speak_for_devices() {
    let mut scene = Scene::bridged(710, Access::Public);
    let mallory = scene.add_on_ethernet();
    let (network, alice) = (scene.network, scene.alice);
    assert!(scene.alice_reaches(PRINTER_V4));
    let alices = scene.mac_of(alice);

    let spoofed = scene.frame(alices, printer(), b"spoof");
    scene.world.send_frame(mallory, spoofed);
    assert_eq!(scene.world.dropped(mallory, Rejected::ForeignSource), 1);

    let header = ExtFrame::header(network, alices, printer(), 0x0800);
    let unicast = [&header[..], b"spoof"].concat();
    let multicast = MulticastFrame {
        network,
        membership: None,
        gather_limit: 0,
        source: Some(printer()),
        replicate: false,
        group: MulticastGroup::BROADCAST,
        ethertype: 0x0800,
        payload: b"spoof",
    };
    scene.world.say(mallory, alice, Verb::ExtFrame, &unicast);
    scene.world.say(mallory, alice, Verb::MulticastFrame, &multicast.write());
    scene.world.run_for(secs(1));

    assert_eq!(scene.world.dropped(alice, Rejected::ForeignSource), 2);
    assert_eq!(scene.world.strange_frames(alice), 0);
    assert!(scene.alice_reaches(PRINTER_V4));
}

/// Alice does not ask who is in the group; its bridge gets what others who did not join do not.
#[test]
fn a_bridge_gets_multicasts_it_has_not_subscribed_to() {
    let mut scene = Scene::bridged(711, Access::Public);
    let other = scene.add_on_ethernet();
    let sender = scene.add_on_ethernet();
    for node in [scene.bob, other] {
        scene.world.take_frames(node);
    }

    let group = Mac::of_ipv4_group([239, 1, 2, 3].into());
    let frame = scene.frame(group, scene.mac_of(sender), b"to all who want it");
    scene.world.send_frame(sender, frame);
    scene.world.run_for(secs(2));

    assert_eq!(scene.frames_to(scene.bob, group), 1);
    assert_eq!(scene.frames_to(other, group), 0);
}

/// The bridge answers for the groups of its devices. Alice has not asked, so she counts the answer
/// as one that nobody waits for.
#[test]
fn a_bridge_is_in_the_groups_of_its_devices() {
    let mut scene = Scene::bridged(712, Access::Public);
    let (network, alice, bob) = (scene.network, scene.alice, scene.bob);
    let mac = Mac::of_ipv4_group([239, 1, 2, 3].into());
    let group = MulticastGroup::of_mac(mac);
    let gather = Gather { network, group, limit: 9, membership: None }.write();
    let answers = |scene: &mut Scene| {
        scene.world.say(alice, bob, Verb::MulticastGather, &gather);
        scene.world.run_for(secs(1));
        scene.world.dropped(alice, Rejected::UnexpectedReply)
    };

    assert_eq!(answers(&mut scene), 0);
    let frame = scene.frame(mac, printer(), b"from a device");
    scene.world.send_frame(bob, frame);
    scene.world.run_for(secs(1));
    assert_eq!(answers(&mut scene), 1);
}
