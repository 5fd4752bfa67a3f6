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

/// Returns how often the host of alice was told that the way to bob has changed.
fn changes(scene: &Scene) -> usize {
    let bob = scene.world.address_of(scene.bob);
    let events = scene.world.events(scene.alice).iter();
    let is_change =
        |event: &&Event| matches!(event, Event::Peer { address, .. } if *address == bob);
    events.map(|(_, event)| event).filter(is_change).count()
}

/// Nothing tells the two that their path is dead but silence. The reference takes over 20 s.
#[test]
fn a_path_that_dies_is_replaced_by_the_relay_within_five_seconds() {
    for seed in 810..820 {
        let mut scene = Scene::public(seed);
        scene.world.ping_every(millis(100), scene.alice, scene.bob);
        scene.world.run_for(secs(30));
        assert_eq!(scene.world.route(scene.alice, scene.bob), Route::Direct);

        scene.world.block(scene.alice, scene.bob);
        let before = scene.world.pongs(scene.alice);
        scene.world.run_for(secs(20));

        let answered = scene.world.pongs(scene.alice) - before;
        assert!(answered >= 151, "seed {seed}: {answered} in 20 s");
        let changes_before = changes(&scene);
        scene.world.run_for(secs(60));
        assert_eq!(scene.world.route(scene.alice, scene.bob), Route::Relayed);
        assert_eq!(changes(&scene), changes_before);

        scene.world.unblock(scene.alice, scene.bob);
        scene.world.run_for(secs(35));
        assert_eq!(scene.world.route(scene.alice, scene.bob), Route::Direct);
    }
}

/// Whoever only sends hears nothing but answers to probes.
#[test]
fn a_path_that_dies_under_a_one_way_stream_is_replaced_by_the_relay() {
    let mut scene = Scene::public(820);
    let (alice, bob) = (scene.alice, scene.bob);
    scene.world.ping_every(millis(500), alice, bob);
    scene.world.run_for(secs(30));
    scene.world.stop_pings();
    let mut number = 0;
    let mut stream = |scene: &mut Scene| {
        let before = scene.world.data_received(bob);
        for _ in 0..200 {
            number += 1;
            scene.world.send_data(alice, bob, number, 200);
            scene.world.run_for(millis(100));
        }
        scene.world.data_received(bob) - before
    };
    assert!(stream(&mut scene) >= 198);

    scene.world.block(alice, bob);

    let arrived = stream(&mut scene);
    assert!(arrived >= 150, "{arrived}");
}

#[test]
fn a_bad_link_is_no_dead_path() {
    for (seed, period) in [(821, millis(100)), (822, secs(1)), (823, millis(300))] {
        let mut scene = Scene::public(seed);
        scene.world.ping_every(period, scene.alice, scene.bob);
        scene.world.run_for(secs(30));
        let before = changes(&scene);

        scene.world.lose(200);
        scene.world.run_for(secs(600));

        assert_eq!(changes(&scene), before, "a ping each {period:?}");
    }
}

#[test]
fn a_hiccup_of_a_second_is_no_dead_path() {
    let mut scene = Scene::public(824);
    scene.world.ping_every(millis(100), scene.alice, scene.bob);
    scene.world.run_for(secs(30));
    let before = changes(&scene);

    for _ in 0..20 {
        scene.world.block(scene.alice, scene.bob);
        scene.world.run_for(secs(1));
        scene.world.unblock(scene.alice, scene.bob);
        scene.world.run_for(secs(3));
    }

    assert_eq!(changes(&scene), before);
}

/// Another port of a host whose port in use is alive is not learned, but this one is dead.
#[test]
fn a_member_that_starts_again_on_another_port_is_reached_there_at_once() {
    for seed in 825..835 {
        let mut scene = Scene::public(seed);
        scene.world.ping_every(millis(100), scene.alice, scene.bob);
        scene.world.run_for(secs(30));

        scene.world.restart_on(scene.bob, 7_777);
        let before = scene.world.pongs(scene.alice);
        scene.world.run_for(secs(10));

        let answered = scene.world.pongs(scene.alice) - before;
        assert!(answered >= 70, "seed {seed}: {answered} in 10 s");
        assert_eq!(scene.world.path(scene.alice, scene.bob).unwrap().port(), 7_777);
    }
}

/// Two ports and both families: as many paths as it has sockets die at once, each as good as new.
#[test]
fn a_member_that_exchanges_its_addresses_is_reached_at_the_new_ones_within_two_seconds() {
    let with_four_sockets = |world: &mut World| {
        let member = world.member();
        world.use_ipv6(member);
        world.use_second_port(member, 29_993);
        member
    };
    for seed in 93..103 {
        let mut scene = Scene::with(seed, Access::Public, with_four_sockets, with_four_sockets);
        let (alice, bob) = (scene.alice, scene.bob);
        scene.world.ping_every(millis(100), alice, bob);
        scene.world.run_for(secs(60));
        assert!(scene.world.peer(alice, bob).unwrap().paths.len() > 2);

        scene.world.exchange_addresses(bob);
        let before = scene.world.pongs(alice);
        scene.world.run_for(secs(10));

        let answered = scene.world.pongs(alice) - before;
        assert!(answered >= 81, "seed {seed}: {answered} in 10 s");
        let path = scene.world.path(alice, bob).unwrap();
        assert!(scene.world.sockets_of(bob).contains(&path), "seed {seed}: {path}");
    }
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
