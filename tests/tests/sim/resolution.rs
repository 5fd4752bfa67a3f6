//! How members find each other on a network.

use std::net::IpAddr;

use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{Access, World};

use super::scene::Scene;

/// Members that join in the same instant cannot have heard of each other's groups when the first
/// of them asks, nor can those it asks. It asks them once more before its host does.
#[test]
fn the_first_ping_between_members_that_join_together_is_answered_soon() {
    for seed in 620..632 {
        let mut world = World::seeded(seed);
        world.latency(millis(10)..=millis(120));
        world.root();
        let controller = world.controller();
        let network = world.network(controller, Access::Private);
        let (alice, bob) = (world.member(), world.member());
        for member in [alice, bob] {
            world.allow(network, member);
        }
        world.join(network, &[alice, bob]);
        world.run_until(secs(15), |world| world.are_up(network, &[alice, bob])).unwrap();

        world.ping(alice, bob);

        let took = world.run_until(secs(5), |world| world.pongs(alice) == 1).unwrap();
        assert!(took < millis(1_500), "seed {seed}: {took:?}");
    }
}

/// And with the question the certificate of whoever asks.
#[test]
fn a_question_that_is_lost_costs_the_first_ping_less_than_a_second() {
    let mut scene = Scene::private(630);
    let (alice, bob) = (scene.alice, scene.bob);

    scene.world.partition(&[bob]);
    scene.world.ping(alice, bob);
    scene.world.run_for(millis(200));
    scene.world.heal();

    let took = scene.world.run_until(secs(5), |world| world.pongs(alice) == 1).unwrap();
    assert!(took < millis(800), "{took:?} after the loss");
}

/// Kernels give each interface with IPv6 an address of fe80::/10 and speak from it at once; some
/// give themselves one of 169.254.0.0/16. Nobody but the host knows of them.
#[test]
fn hosts_reach_each_other_at_addresses_they_have_given_themselves() {
    let pairs = [["fe80::a11c:e", "fe80::b0:b"], ["169.254.10.1", "169.254.11.1"]];
    for (seed, pair) in (640..).zip(pairs) {
        let mut scene = Scene::private(seed);
        scene.await_ping();
        let (alice, bob, network) = (scene.alice, scene.bob, scene.network);
        let [alices, bobs] = pair.map(|address| address.parse::<IpAddr>().unwrap());
        scene.world.add_address(alice, alices);
        scene.world.add_address(bob, bobs);

        // As kernels do: solicit a router, of whom there is none.
        let routers = if bobs.is_ipv6() { "ff02::2" } else { "224.0.0.2" }.parse().unwrap();
        scene.world.ping_from(bob, network, bobs, routers);
        let before = scene.world.pongs(alice);
        scene.world.ping_from(alice, network, alices, bobs);
        scene.world.run_until(secs(3), |world| world.pongs(alice) > before).unwrap();
        let before = scene.world.pongs(bob);
        scene.world.ping_from(bob, network, bobs, alices);
        scene.world.run_until(secs(3), |world| world.pongs(bob) > before).unwrap();
    }
}
