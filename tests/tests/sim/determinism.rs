//! A run can be run again.

use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{Access, PORT_RESTRICTED_CONE, World};

/// Returns the trace of a minute in which much happens that depends on chance.
fn eventful_minute(seed: u64) -> u64 {
    let mut world = World::seeded(seed);
    world.latency(millis(10)..=millis(80));
    world.jitter(millis(10));
    world.lose(50);
    world.duplicate(50);
    world.reorder(50);
    world.root();
    let controller = world.controller();
    let network = world.network(controller, Access::Private);
    let alice = world.node_behind(PORT_RESTRICTED_CONE);
    let bob = world.member();
    world.allow(network, alice);
    world.allow(network, bob);
    world.join(network, &[alice, bob]);
    let up = world.run_until(secs(60), |world| world.are_up(network, &[alice, bob]));
    up.expect("members come up within a minute");
    world.ping_every(millis(100), alice, bob);
    world.run_for(secs(30));
    world.restart(bob);
    world.run_for(secs(30));

    world.trace()
}

#[test]
fn the_same_seed_gives_the_same_run_to_the_last_byte() {
    assert_eq!(eventful_minute(200), eventful_minute(200));
}

#[test]
fn another_seed_gives_another_run() {
    assert_ne!(eventful_minute(200), eventful_minute(201));
}
