//! What members of a network see of it.

use serde_json::json;
use zt_protocol::event::Standing;
use zt_tests::sim::durations::secs;
use zt_tests::sim::{Access, World};

use super::scene::Scene;

#[test]
fn a_host_on_ethernet_and_a_host_on_ip_ping_each_other() {
    let mut scene = Scene::with(20, Access::Public, World::member, |world| {
        let bob = world.member();
        world.use_ethernet(bob);
        bob
    });

    scene.world.ping(scene.alice, scene.bob);
    scene.world.run_until(secs(5), |world| world.pongs(scene.alice) == 1).unwrap();
    scene.world.ping(scene.bob, scene.alice);
    scene.world.run_until(secs(5), |world| world.pongs(scene.bob) == 1).unwrap();
}

#[test]
fn two_hosts_on_ethernet_resolve_and_ping_each_other() {
    let ethernet = |world: &mut World| {
        let member = world.member();
        world.use_ethernet(member);
        member
    };
    let mut scene = Scene::with(21, Access::Public, ethernet, ethernet);

    scene.world.ping(scene.alice, scene.bob);

    scene.world.run_until(secs(5), |world| world.pongs(scene.alice) == 1).unwrap();
}

/// Packets of the network's full MTU are two datagrams each.
#[test]
fn full_frames_arrive_whole() {
    let mut scene = Scene::public(22);
    scene.await_ping();

    for number in 0..50 {
        scene.world.send_data(scene.alice, scene.bob, number, 2800 - 28);
        scene.world.run_for(secs(1));
    }

    assert_eq!(scene.world.data_received(scene.bob), 50);
    assert_eq!(scene.world.strange_frames(scene.bob), 0);
}

#[test]
fn a_member_that_left_gets_no_more_traffic() {
    let mut scene = Scene::public(23);
    scene.await_ping();

    let bob = scene.world.addresses(scene.network, scene.bob)[0];
    scene.world.leave(scene.network, scene.bob);
    let before = scene.world.pongs(scene.alice);
    for _ in 0..5 {
        scene.world.ping_address(scene.alice, scene.network, bob);
        scene.world.run_for(secs(1));
    }

    assert_eq!(scene.world.pongs(scene.alice), before);
    assert_eq!(scene.world.standing(scene.network, scene.bob), None);
}

#[test]
fn a_network_its_controller_does_not_know_is_not_found() {
    let mut scene = Scene::public(24);
    let unknown = zt_protocol::address::NetworkId(scene.network.0 ^ 0xff);

    scene.world.join(unknown, &[scene.alice]);

    scene
        .world
        .run_until(secs(5), |world| {
            world.standing(unknown, scene.alice) == Some(Standing::NotFound)
        })
        .unwrap();
}

#[test]
fn a_network_of_a_node_that_is_no_controller_is_not_found() {
    let mut scene = Scene::public(25);
    let nobodys = zt_protocol::address::NetworkId::new(scene.world.address_of(scene.bob), 1);

    scene.world.join(nobodys, &[scene.alice]);

    scene
        .world
        .run_until(secs(5), |world| {
            world.standing(nobodys, scene.alice) == Some(Standing::NotFound)
        })
        .unwrap();
}

#[test]
fn a_controller_can_be_a_member_of_its_own_network() {
    let mut scene = Scene::public(26);
    let controller = scene.controller;

    scene.world.join(scene.network, &[controller]);
    scene.world.run_until(secs(5), |world| world.are_up(scene.network, &[controller])).unwrap();
    scene.world.ping(controller, scene.alice);

    scene.world.run_until(secs(5), |world| world.pongs(controller) == 1).unwrap();
}

#[test]
fn networks_are_kept_apart() {
    let mut scene = Scene::public(27);
    let other = scene.world.network(scene.controller, Access::Public);
    let carol = scene.world.member();
    scene.world.join(other, &[carol]);
    scene.world.run_until(secs(15), |world| world.are_up(other, &[carol])).unwrap();
    let carols = scene.world.addresses(other, carol)[0];

    for _ in 0..5 {
        scene.world.ping_address(scene.alice, scene.network, carols);
        scene.world.run_for(secs(1));
    }

    assert_eq!(scene.world.pongs(scene.alice), 0);
    assert_eq!(scene.world.strange_frames(carol), 0);
}

/// A changed record reaches members at once, not at their next poll.
#[test]
fn a_changed_network_is_pushed_to_its_members() {
    let mut scene = Scene::public(28);

    scene.world.edit_network(scene.network, json!({ "name": "renamed" }));

    scene
        .world
        .run_until(secs(2), |world| {
            world.node(scene.alice).networks().iter().all(|network| network.name == "renamed")
        })
        .unwrap();
}
