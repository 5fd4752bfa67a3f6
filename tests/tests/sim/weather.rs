//! Links that lose, repeat and reorder.

use zt_protocol::error::Rejected;
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{Access, PORT_RESTRICTED_CONE, Route, World};

#[test]
fn a_network_comes_up_and_carries_data_over_bad_links() {
    for seed in 140..144 {
        let mut world = World::seeded(seed);
        world.latency(millis(10)..=millis(150));
        world.jitter(millis(30));
        world.lose(100);
        world.duplicate(50);
        world.reorder(100);
        world.root();
        let controller = world.controller();
        let network = world.network(controller, Access::Private);
        let alice = world.node_behind(PORT_RESTRICTED_CONE);
        let bob = world.node_behind(PORT_RESTRICTED_CONE);
        world.allow(network, alice);
        world.allow(network, bob);

        world.join(network, &[alice, bob]);
        world.run_until(secs(60), |world| world.are_up(network, &[alice, bob])).unwrap();
        world.ping_every(millis(500), alice, bob);
        let settled =
            |world: &World| world.route(alice, bob) == Route::Direct && world.pongs(alice) >= 3;
        world.run_until(secs(120), settled).unwrap();
        for number in 0..200 {
            world.send_data(alice, bob, number, 2000);
            world.run_for(millis(50));
        }

        // Each is two datagrams, of which one in ten is lost: 162 on average, give or take 6.
        let received = world.data_received(bob);
        assert!((140..=185).contains(&received), "seed {seed}: {received} of 200");
        assert_eq!(world.strange_frames(bob), 0, "seed {seed}");
    }
}

/// A packet is the same packet when it comes twice: its frame is delivered once and the repetition
/// counted.
#[test]
fn a_world_where_everything_comes_twice_works() {
    let mut world = World::seeded(150);
    world.duplicate(1000);
    world.jitter(millis(20));
    world.root();
    let controller = world.controller();
    let network = world.network(controller, Access::Private);
    let [alice, bob] = [world.member(), world.member()];
    world.allow(network, alice);
    world.allow(network, bob);
    world.join(network, &[alice, bob]);
    world.run_until(secs(15), |world| world.are_up(network, &[alice, bob])).unwrap();

    world.ping(alice, bob);

    world.run_until(secs(10), |world| world.pongs(alice) >= 1).unwrap();
    world.run_for(secs(10));
    assert_eq!(world.pongs(alice), 1);
    assert!(world.drops(bob).of(Rejected::Replayed) > 0);
}
