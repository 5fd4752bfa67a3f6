//! How nodes come to know a root, each other, and an address.

use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{Access, Route, World};

use super::scene::Scene;

#[test]
fn a_node_is_online_as_soon_as_its_root_has_answered() {
    let mut world = World::seeded(1);
    world.latency(millis(30)..=millis(30));
    world.root();
    let alice = world.member();

    let took = world.run_until(secs(10), |world| world.is_online(alice)).unwrap();

    assert!(took <= millis(61), "{took:?}");
}

#[test]
fn a_node_finds_a_root_that_starts_later() {
    let mut world = World::seeded(2);
    let root = world.root();
    let alice = world.member();
    world.switch_off(root);
    world.run_for(secs(60));
    assert!(!world.is_online(alice));

    world.switch_on(root);

    world.run_until(secs(10), |world| world.is_online(alice)).unwrap();
}

/// The first ping waits in a queue while identities are asked for, and is relayed; the answer
/// comes back the same way.
#[test]
fn two_members_join_and_the_first_ping_is_answered() {
    let mut scene = Scene::public(3);

    scene.world.ping(scene.alice, scene.bob);

    scene.world.run_until(secs(2), |world| world.pongs(scene.alice) == 1).unwrap();
}

#[test]
fn members_ping_each_other_over_ipv6_too() {
    let mut scene = Scene::public(4);

    scene.world.ping_v6(scene.alice, scene.bob);

    scene.world.run_until(secs(2), |world| world.pongs(scene.alice) == 1).unwrap();
}

#[test]
fn traffic_begins_relayed_and_goes_on_directly() {
    let mut scene = Scene::public(5);
    assert_eq!(scene.world.route(scene.alice, scene.bob), Route::Relayed);

    scene.world.ping(scene.alice, scene.bob);

    scene
        .world
        .run_until(secs(10), |world| {
            world.pongs(scene.alice) == 1
                && world.route(scene.alice, scene.bob) == Route::Direct
                && world.route(scene.bob, scene.alice) == Route::Direct
        })
        .unwrap();
    let relayed = scene.world.datagrams(scene.alice, scene.root);
    assert_eq!(scene.count_pings(20), 20);
    assert!(scene.world.datagrams(scene.alice, scene.root) < relayed + 10);
}

/// Everybody but the newcomer has been up for a while. The reference needs 0.6 s to 1.2 s, most
/// of which it waits. Ours waits for nothing but answers, of which some ten come one after another.
#[test]
fn a_cold_start_takes_a_few_round_trips_in_a_lan() {
    let mut world = World::seeded(6);
    world.latency(millis(1)..=millis(1));
    world.root();
    let controller = world.controller();
    let network = world.network(controller, Access::Public);
    let bob = world.member();
    world.join(network, &[bob]);
    world.run_until(secs(15), |world| world.are_up(network, &[bob])).unwrap();
    world.run_for(secs(33));
    let begin = world.now();

    let alice = world.member();
    world.join(network, &[alice]);
    world.run_until(secs(5), |world| world.are_up(network, &[alice])).unwrap();
    world.ping(alice, bob);
    world.run_until(secs(5), |world| world.pongs(alice) == 1).unwrap();

    let took = world.now().since(begin);
    assert!(took <= millis(100), "{took:?}");
}

#[test]
fn a_node_that_nobody_answers_stays_quiet_but_for_its_hellos() {
    let mut world = World::seeded(7);
    let root = world.root();
    let alice = world.member();
    world.switch_off(root);

    world.run_for(secs(300));

    // One HELLO each ping check of 5 s, and a few more at the start.
    let sent = world.datagrams(alice, root);
    assert!((60..=66).contains(&sent), "{sent}");
}

/// Every pair has to find each other's identity and address first.
#[test]
fn a_dozen_members_all_ping_each_other() {
    let mut world = World::seeded(8);
    world.latency(millis(5)..=millis(50));
    world.root();
    let controller = world.controller();
    let network = world.network(controller, Access::Private);
    let members: Vec<_> = (0..12).map(|_| world.member()).collect();
    for &member in &members {
        world.allow(network, member);
    }
    world.join(network, &members);
    world.run_until(secs(15), |world| world.are_up(network, &members)).unwrap();

    for &from in &members {
        for &to in members.iter().filter(|&&to| to != from) {
            world.ping(from, to);
        }
    }

    let all = |world: &World| members.iter().all(|&member| world.pongs(member) == 11);
    world.run_until(secs(15), all).unwrap();
}
