//! What users say about physical addresses: blacklists, trusted paths, MTUs and addresses to try.

use serde_json::json;
use zt_protocol::error::Rejected;
use zt_protocol::path_rules::{PathRules, PeerRule, PhysicalRule, TrustedPathId};
use zt_protocol::prefix::Prefix;
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{Access, NodeId, PORT_RESTRICTED_CONE, Route, World};

use super::scene::Scene;

/// The private addresses of every LAN there is.
const LAN: &str = "192.168.1.0/24";

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// Returns the rules that say this about one prefix.
fn physical(text: &str, rule: PhysicalRule) -> PathRules {
    let mut rules = PathRules::default();
    rules.set(prefix(text), rule).unwrap();
    rules
}

fn blacklisted() -> PhysicalRule {
    PhysicalRule { blacklisted: true, ..PhysicalRule::default() }
}

fn trusted(id: u64) -> PhysicalRule {
    PhysicalRule { trusted: TrustedPathId::new(id), ..PhysicalRule::default() }
}

/// Returns the addresses of `node` and no others, as a prefix.
fn where_is(world: &World, node: NodeId) -> String {
    format!("{}/32", world.sockets_of(node)[0].ip())
}

/// Two members of one LAN.
fn neighbours(seed: u64) -> Scene {
    let mut world = World::seeded(seed);
    world.latency(millis(10)..=millis(40));
    let root = world.root();
    let controller = world.controller();
    let network = world.network(controller, Access::Public);
    let lan = world.lan(PORT_RESTRICTED_CONE);
    let [alice, bob] = [world.node_in(lan), world.node_in(lan)];
    world.join(network, &[alice, bob]);
    let mut scene = Scene { world, root, controller, network, alice, bob };
    scene.await_up();
    scene
}

/// Returns how many datagrams of suite 2 were recorded from `from` to `to`.
fn in_clear(world: &World, from: NodeId, to: NodeId) -> usize {
    let datagrams = world.datagrams_between(from, to);
    let is_packet = |datagram: &&Vec<u8>| datagram.len() >= 28 && datagram[13] != 0xff;
    datagrams.iter().filter(is_packet).filter(|datagram| datagram[18] >> 3 & 7 == 2).count()
}

#[test]
fn a_blacklisted_address_is_left_at_once_and_neither_used_nor_answered() {
    let mut scene = Scene::public(400);
    let (alice, bob) = (scene.alice, scene.bob);
    scene.await_ping();
    scene.world.ping_every(secs(1), alice, bob);
    scene.world.run_for(secs(30));
    assert_eq!(scene.world.route(alice, bob), Route::Direct);

    let rules = physical(&where_is(&scene.world, bob), blacklisted());
    scene.world.set_path_rules(alice, rules);
    scene.world.run_for(secs(1));

    let (before, pongs) = (scene.world.datagrams(alice, bob), scene.world.pongs(alice));
    scene.world.run_for(secs(600));
    assert_eq!(scene.world.datagrams(alice, bob), before);
    assert_eq!(scene.world.route(alice, bob), Route::Relayed);
    assert_eq!(scene.world.route(bob, alice), Route::Relayed);
    assert!(scene.world.pongs(alice) >= pongs + 590, "{}", scene.world.pongs(alice) - pongs);
    assert!(scene.world.dropped(alice, Rejected::Blacklisted) > 0);

    scene.world.set_path_rules(alice, PathRules::default());
    scene.world.run_for(secs(60));
    assert_eq!(scene.world.route(alice, bob), Route::Direct);
}

#[test]
fn a_root_is_not_looked_for_where_nothing_may_go() {
    let mut world = World::seeded(401);
    let [used, avoided] = [world.root(), world.root()];
    let member = world.member();
    let rules = physical(&where_is(&world, avoided), blacklisted());
    world.set_path_rules(member, rules);

    world.run_for(secs(600));

    assert!(world.is_online(member));
    assert!(world.datagrams(member, used) > 0);
    assert_eq!(world.datagrams(member, avoided), 0);
}

#[test]
fn what_is_blacklisted_for_one_peer_is_as_usual_for_others() {
    let mut scene = Scene::public(402);
    let (alice, bob) = (scene.alice, scene.bob);
    let carol = scene.world.member();
    scene.world.join(scene.network, &[carol]);
    scene.world.run_until(secs(15), |world| world.are_up(scene.network, &[carol])).unwrap();
    let mut rules = PathRules::default();
    let rule = PeerRule { blacklist: vec![prefix("5.0.0.0/8")], ..PeerRule::default() };
    rules.set_peer(scene.world.address_of(bob), rule).unwrap();
    scene.world.set_path_rules(alice, rules);

    scene.world.ping_every(secs(1), alice, bob);
    scene.world.ping_every(secs(1), alice, carol);
    scene.world.run_for(secs(120));

    assert_eq!(scene.world.datagrams(alice, bob), 0);
    assert_eq!(scene.world.route(bob, alice), Route::Relayed);
    assert_eq!(scene.world.route(alice, carol), Route::Direct);
    assert!(scene.world.pongs(alice) >= 230, "{}", scene.world.pongs(alice));
}

#[test]
fn a_path_that_both_ends_trust_carries_frames_in_clear() {
    let mut scene = neighbours(403);
    let (alice, bob) = (scene.alice, scene.bob);
    for node in [alice, bob] {
        scene.world.set_path_rules(node, physical(LAN, trusted(0x1234)));
    }
    scene.world.ping_every(secs(1), alice, bob);
    scene.world.run_for(secs(60));
    let sent = scene.world.pongs(alice);
    scene.world.start_recording();

    scene.world.run_for(secs(60));

    assert!(scene.world.pongs(alice) >= sent + 59);
    for (from, to) in [(alice, bob), (bob, alice)] {
        assert!(in_clear(&scene.world, from, to) >= 59);
        assert_eq!(scene.world.dropped(to, Rejected::UntrustedPath), 0);
    }
    // What goes to others does so as ever.
    assert_eq!(in_clear(&scene.world, alice, scene.root), 0);
    let status = scene.world.node(alice).status(scene.world.now());
    let id = TrustedPathId::new(0x1234).unwrap();
    assert_eq!(status.trusted_paths, [(prefix(LAN), id)]);
    let peers = scene.world.node(alice).peers(scene.world.now());
    let trusted: Vec<_> = peers.iter().filter(|peer| peer.trusted == Some(id)).collect();
    assert_eq!(trusted.len(), 1);
    assert_eq!(trusted[0].address, scene.world.address_of(bob));
}

#[test]
fn who_does_not_trust_a_path_takes_nothing_in_that_is_not_sealed() {
    for (seed, rules) in
        [(404, PathRules::default()), (405, physical(LAN, trusted(2))), (406, elsewhere())]
    {
        let mut scene = neighbours(seed);
        let (alice, bob) = (scene.alice, scene.bob);
        scene.world.ping_every(secs(1), alice, bob);
        scene.world.run_for(secs(60));
        scene.world.stop_pings();
        scene.world.set_path_rules(bob, rules);
        scene.world.set_path_rules(alice, physical(LAN, trusted(1)));

        for number in 0..20 {
            scene.world.send_data(alice, bob, number, 100);
            scene.world.run_for(millis(100));
        }

        assert_eq!(scene.world.data_received(bob), 0, "seed {seed}");
        assert!(scene.world.dropped(bob, Rejected::UntrustedPath) >= 20, "seed {seed}");
    }
}

fn elsewhere() -> PathRules {
    physical("10.0.0.0/8", trusted(1))
}

#[test]
fn packets_are_cut_as_the_user_says_for_the_path() {
    for (seed, mtu, datagrams) in [(407, 1_400, 3), (408, 1_432, 2), (409, 9_000, 1)] {
        let mut scene = Scene::public(seed);
        let (alice, bob) = (scene.alice, scene.bob);
        let rule = PhysicalRule { mtu: Some(mtu), ..PhysicalRule::default() };
        scene.world.set_path_rules(alice, physical("5.0.0.0/8", rule));
        scene.world.ping_every(secs(1), alice, bob);
        scene.world.run_for(secs(60));
        scene.world.stop_pings();
        scene.world.run_for(secs(1));
        scene.world.start_recording();

        scene.world.send_data(alice, bob, 1, 2_772);
        scene.world.run_for(secs(1));

        let sent = scene.world.datagrams_between(alice, bob);
        let long: Vec<_> = sent.iter().map(Vec::len).filter(|&len| len > 700).collect();
        assert_eq!(long.len(), datagrams, "an MTU of {mtu}: {long:?}");
        assert!(long.iter().all(|&len| len <= usize::from(mtu)), "an MTU of {mtu}: {long:?}");
        assert_eq!(scene.world.data_received(bob), 1);
    }
}

/// The two know each other's keys, but not any more where they are, and there is nobody to ask.
#[test]
fn members_meet_where_the_user_says_with_no_root_left() {
    for (seed, names) in [(410, true), (411, false)] {
        let mut scene = Scene::public(seed);
        let (alice, bob) = (scene.alice, scene.bob);
        scene.await_ping();
        scene.world.run_for(secs(30));
        for node in [scene.root, scene.controller, alice, bob] {
            scene.world.switch_off(node);
        }
        for node in [alice, bob] {
            scene.world.roam(node);
        }
        if names {
            let mut rules = PathRules::default();
            let endpoints = scene.world.sockets_of(bob);
            let rule = PeerRule { endpoints, ..PeerRule::default() };
            rules.set_peer(scene.world.address_of(bob), rule).unwrap();
            scene.world.set_path_rules(alice, rules);
        }
        for node in [alice, bob] {
            scene.world.switch_on(node);
        }

        let before = scene.world.pongs(alice);
        scene.world.ping_every(secs(1), alice, bob);
        scene.world.run_for(secs(120));

        assert_eq!(scene.world.pongs(alice) > before, names, "seed {seed}");
    }
}

/// A root is pinged each 25 s instead of each 15 s, and all else comes by still longer: HELLOs each
/// 225 s instead of each 60 s (spec 02 §14), groups each 150 s instead of each 60 s.
#[test]
fn with_low_bandwidth_an_idle_member_and_its_root_exchange_less_than_half() {
    let sent = |low: bool| {
        let mut scene = Scene::private(413);
        if low {
            scene.world.save_bandwidth(scene.alice);
        }
        scene.world.run_for(secs(1_800));
        scene.world.start_recording();
        scene.world.run_for(secs(2 * 3_600));
        let sent = scene.world.datagrams_between(scene.alice, scene.root);
        assert!(scene.world.is_online(scene.alice));
        scene.await_ping();
        sent.iter().map(Vec::len).sum::<usize>()
    };

    let (usual, low) = (sent(false), sent(true));

    assert!(2 * low < usual, "{low} of {usual} bytes");
}

/// Nobody has heard of the other for an hour, and whoever is in a group is forgotten after ten
/// minutes of silence. So the first ping shows that its addresses are still announced, and that its
/// certificate is renewed within the shortest window a controller gives.
#[test]
fn a_member_with_low_bandwidth_is_found_after_an_hour_and_its_credentials_never_lapse() {
    let mut world = World::seeded(414);
    world.latency(millis(10)..=millis(40));
    let root = world.root();
    let controller = world.controller();
    let network =
        world.network_with(controller, json!({ "certificateTimeoutWindowSize": 300_000 }));
    let [alice, bob] = [world.member(), world.member()];
    for member in [alice, bob] {
        world.allow(network, member);
    }
    world.save_bandwidth(bob);
    world.join(network, &[alice, bob]);
    let mut scene = Scene { world, root, controller, network, alice, bob };
    scene.await_up();

    scene.world.run_for(secs(3_600));
    scene.await_ping();

    let before = scene.world.pongs(alice);
    scene.world.ping_every(secs(1), alice, bob);
    scene.world.run_for(secs(1_800));
    assert!(scene.world.pongs(alice) >= before + 1_798, "{}", scene.world.pongs(alice) - before);
}

/// The peer was switched off when its address was first tried.
#[test]
fn an_address_the_user_names_is_tried_again_as_long_as_packets_are_for_the_peer() {
    let mut scene = Scene::public(412);
    let (alice, bob) = (scene.alice, scene.bob);
    scene.await_ping();
    scene.world.run_for(secs(30));
    for node in [scene.root, scene.controller, bob] {
        scene.world.switch_off(node);
    }
    scene.world.roam(bob);
    let mut rules = PathRules::default();
    let rule = PeerRule { endpoints: scene.world.sockets_of(bob), ..PeerRule::default() };
    rules.set_peer(scene.world.address_of(bob), rule).unwrap();
    scene.world.set_path_rules(alice, rules);
    scene.world.ping_every(secs(1), alice, bob);
    scene.world.run_for(secs(600));

    scene.world.switch_on(bob);

    let before = scene.world.pongs(alice);
    scene.world.run_until(secs(40), |world| world.pongs(alice) > before).unwrap();
    let tried = scene.world.datagrams(alice, bob);
    assert!(tried < 100, "{tried}");
}
