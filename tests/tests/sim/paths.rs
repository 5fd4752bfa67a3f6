//! How paths are found, kept and changed.

use std::net::IpAddr;

use zt_protocol::event::Event;
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{Access, PORT_RESTRICTED_CONE, Route, World};

use super::scene::Scene;

#[test]
fn a_blocked_pair_is_relayed_and_goes_direct_when_the_way_is_free() {
    let mut scene = Scene::public(80);
    scene.world.block(scene.alice, scene.bob);
    scene.world.ping_every(secs(1), scene.alice, scene.bob);
    scene.world.run_for(secs(120));
    assert_eq!(scene.world.route(scene.alice, scene.bob), Route::Relayed);
    assert!(scene.world.pongs(scene.alice) >= 119);

    scene.world.unblock(scene.alice, scene.bob);

    scene
        .world
        .run_until(secs(60), |world| world.route(scene.alice, scene.bob) == Route::Direct)
        .unwrap();
}

/// Nothing tells the two that their path is dead but silence, so some pings are lost.
#[test]
fn a_path_that_dies_is_replaced_by_the_relay() {
    let mut scene = Scene::public(81);
    scene.await_ping();
    scene.world.run_for(secs(5));
    assert_eq!(scene.world.route(scene.alice, scene.bob), Route::Direct);
    scene.world.ping_every(secs(1), scene.alice, scene.bob);

    scene.world.block(scene.alice, scene.bob);
    scene.world.run_for(secs(60));

    let before = scene.world.pongs(scene.alice);
    scene.world.run_for(secs(20));
    assert!(scene.world.pongs(scene.alice) >= before + 19);
}

#[test]
fn a_member_that_roams_is_reached_at_its_next_address() {
    let mut scene = Scene::public(82);
    scene.await_ping();
    scene.world.ping_every(secs(1), scene.alice, scene.bob);
    scene.world.run_for(secs(30));

    scene.world.roam_behind(scene.alice, PORT_RESTRICTED_CONE);
    scene.world.run_for(secs(60));

    let before = scene.world.pongs(scene.alice);
    scene.world.run_for(secs(20));
    assert!(scene.world.pongs(scene.alice) >= before + 19);
    assert_eq!(scene.world.route(scene.bob, scene.alice), Route::Direct);
}

#[test]
fn a_member_that_slept_an_hour_is_back_within_seconds() {
    let mut scene = Scene::private(83);
    scene.await_ping();
    scene.world.sleep(scene.alice);
    scene.world.run_for(secs(3600));

    scene.world.wake(scene.alice);

    scene.await_ping();
}

/// After hours the network wants fresh certificates, and the next hop is asked for again.
#[test]
fn a_member_that_wakes_in_another_network_is_back_at_once() {
    for (seed, asleep, patience) in
        [(90, secs(100), secs(2)), (91, secs(400), secs(2)), (92, secs(3 * 3_600), secs(5))]
    {
        let mut scene = Scene::private(seed);
        let alice = scene.alice;
        scene.await_ping();
        scene.world.run_for(secs(60));
        scene.world.sleep(alice);
        scene.world.run_for(asleep);
        scene.world.roam_behind(alice, PORT_RESTRICTED_CONE);

        scene.world.wake(alice);
        scene.world.ping_every(millis(200), alice, scene.bob);

        let before = scene.world.pongs(alice);
        scene.world.run_until(secs(2), |world| world.is_online(alice)).unwrap();
        scene.world.run_until(patience, |world| world.pongs(alice) > before).unwrap();
    }
}

#[test]
fn two_members_with_ipv6_alone_in_common_use_it() {
    let with_ipv6 = |world: &mut World| {
        let member = world.node_behind(PORT_RESTRICTED_CONE);
        world.use_ipv6(member);
        member
    };
    let mut world = World::seeded(84);
    let root = world.root();
    world.use_ipv6(root);
    let controller = world.controller();
    let network = world.network(controller, Access::Public);
    let alice = with_ipv6(&mut world);
    let bob = with_ipv6(&mut world);
    world.join(network, &[alice, bob]);
    world.run_until(secs(15), |world| world.are_up(network, &[alice, bob])).unwrap();

    world.ping_every(millis(500), alice, bob);

    world.run_until(secs(60), |world| world.route(alice, bob) == Route::Direct).unwrap();
    world.run_for(secs(60));
    assert_eq!(world.route(alice, bob), Route::Direct);
}

#[test]
fn a_dead_root_is_replaced_by_the_other() {
    let mut world = World::seeded(85);
    world.latency(millis(10)..=millis(40));
    let roots = [world.root(), world.root()];
    let controller = world.controller();
    let network = world.network(controller, Access::Public);
    let [alice, bob] = [world.member(), world.member()];
    world.block(alice, bob);
    world.join(network, &[alice, bob]);
    world.run_until(secs(15), |world| world.are_up(network, &[alice, bob])).unwrap();
    world.ping_every(secs(1), alice, bob);
    world.run_for(secs(30));

    for dead in roots {
        world.switch_off(dead);
        world.run_for(secs(60));

        let before = world.pongs(alice);
        world.run_for(secs(20));
        assert!(world.pongs(alice) >= before + 19);
        world.switch_on(dead);
        world.run_for(secs(300));
    }
}

/// The reference needs four minutes.
#[test]
fn a_dead_root_costs_relayed_traffic_less_than_five_seconds() {
    let mut world = World::seeded(88);
    world.latency(millis(10)..=millis(40));
    let roots = [world.root(), world.root()];
    let controller = world.controller();
    let network = world.network(controller, Access::Public);
    let [alice, bob] = [world.member(), world.member()];
    world.block(alice, bob);
    world.join(network, &[alice, bob]);
    world.run_until(secs(15), |world| world.are_up(network, &[alice, bob])).unwrap();
    world.ping_every(millis(100), alice, bob);
    world.run_for(secs(30));

    for dead in roots {
        world.switch_off(dead);
        let before = world.pongs(alice);
        world.run_for(secs(20));
        assert!(world.pongs(alice) >= before + 149, "{} in 20 s", world.pongs(alice) - before);
        world.switch_on(dead);
        world.run_for(secs(60));
    }
}

/// Even if nothing is relayed: who asks a root for an identity hears soon from another.
#[test]
fn a_question_a_dead_root_leaves_unanswered_is_answered_by_the_other_within_five_seconds() {
    let mut world = World::seeded(89);
    let roots = [world.root(), world.root()];
    let controller = world.controller();
    let network = world.network(controller, Access::Public);
    let [alice, bob, carol] = [world.member(), world.member(), world.member()];
    world.join(network, &[alice, bob, carol]);
    world.run_until(secs(15), |world| world.are_up(network, &[alice, bob, carol])).unwrap();
    world.run_for(secs(60));

    for (dead, peer) in roots.into_iter().zip([bob, carol]) {
        world.switch_off(dead);
        world.ping_every(millis(500), alice, peer);
        let before = world.pongs(alice);
        world.run_until(millis(5_500), |world| world.pongs(alice) > before).unwrap();
        world.switch_on(dead);
        world.run_for(secs(60));
    }
}

#[test]
fn a_partition_heals() {
    let mut scene = Scene::public(86);
    scene.await_ping();
    scene.world.partition(&[scene.alice]);
    scene.world.run_for(secs(20 * 60));
    assert!(!scene.world.is_online(scene.alice));

    scene.world.heal();

    scene.world.run_until(secs(10), |world| world.is_online(scene.alice)).unwrap();
    scene.await_ping();
}

/// The host is told of every change of the way to a peer, and of nothing else.
#[test]
fn the_host_learns_when_a_peer_becomes_direct() {
    let mut scene = Scene::public(87);
    scene.await_ping();
    scene.world.run_for(secs(10));

    let bob = scene.world.address_of(scene.bob);
    let path = scene.world.path(scene.alice, scene.bob);
    let told = scene.world.events(scene.alice).iter().rev().find_map(|(_, event)| match event {
        Event::Peer { address, path } if *address == bob => Some(*path),
        _ => None,
    });
    assert!(path.is_some_and(|path| matches!(path.ip(), IpAddr::V4(_))));
    assert_eq!(told, Some(path));
}
