//! How members find each other on a network.

use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{Access, World};

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
