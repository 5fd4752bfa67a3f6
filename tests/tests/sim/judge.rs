//! The world itself: what it notices, and what it says when a test fails.

use std::panic::{AssertUnwindSafe, catch_unwind};

use zt_tests::sim::World;
use zt_tests::sim::durations::{millis, secs};

use super::scene::Scene;

/// Without this a node could complain for ever and no test would know.
#[test]
fn a_line_logged_as_an_error_fails_the_run() {
    let mut world = World::seeded(220);
    world.root();
    world.member();
    world.run_for(secs(1));

    log::error!("this node cannot go on");

    assert!(catch_unwind(AssertUnwindSafe(|| world.run_for(secs(10)))).is_err());
}

#[test]
fn a_run_that_never_settles_says_its_seed_and_who_waits_for_what() {
    let mut world = World::seeded(222);
    world.root();
    let alice = world.member();

    let unsettled = world.run_until(secs(5), |world| world.pongs(alice) > 0).unwrap_err();

    assert_eq!(unsettled.seed, 222);
    let (name, at, why) = unsettled.waiting_for.clone().unwrap();
    assert!(!name.is_empty() && !why.is_empty() && at >= world.now());
    assert!(format!("{unsettled:?}").contains(why));
}

/// The delays a test asks for are the delays it gets.
#[test]
fn a_ping_takes_as_long_as_its_link() {
    let mut scene = Scene::public(223);
    scene.world.latency(millis(30)..=millis(30));
    scene.await_ping();
    scene.world.run_for(secs(10));

    scene.world.ping(scene.alice, scene.bob);
    scene.world.run_for(secs(1));

    assert_eq!(scene.world.last_pong(scene.alice).unwrap().took, millis(60));
}
