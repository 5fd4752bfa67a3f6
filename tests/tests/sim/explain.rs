//! What a node says of why a peer is reached the way it is.

use zt_protocol::node::{Mapping, NamedBy, Outcome, PathExplanation, Reason};
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{
    ADDRESS_RESTRICTED_CONE, Access, Nat, PORT_RESTRICTED_CONE, SEQUENTIAL, SYMMETRIC, World,
};

use super::scene::Scene;

/// Returns what alice says of bob.
fn explain(scene: &Scene) -> PathExplanation {
    let bob = scene.world.address_of(scene.bob);
    let alice = scene.world.node(scene.alice);
    alice.explain(scene.world.now(), bob).expect("alice knows bob")
}

/// Two members behind translators, with two roots to see their ports.
fn between(seed: u64, alice: Nat, bob: Nat) -> Scene {
    let mut world = World::seeded(seed);
    let roots = [world.root(), world.root()];
    let controller = world.controller();
    let network = world.network(controller, Access::Public);
    let alice = world.node_behind(alice);
    let bob = world.node_behind(bob);
    let mut scene = Scene { world, root: roots[0], controller, network, alice, bob };
    scene.world.join(network, &[alice, bob]);
    scene.await_up();
    scene
}

#[test]
fn a_direct_path_is_explained_by_itself() {
    let mut scene = Scene::public(8_000);
    scene.world.ping_every(millis(500), scene.alice, scene.bob);
    scene.world.run_for(secs(70));

    let explained = explain(&scene);

    let path = scene.world.path(scene.alice, scene.bob).unwrap();
    assert_eq!(explained.reason, Reason::Direct);
    let used = explained.candidates.iter().find(|known| known.endpoint == path).unwrap();
    let Outcome::Answers(Some(round_trip)) = used.outcome else { panic!("{used:?}") };
    assert!((millis(20)..=millis(80)).contains(&round_trip), "{round_trip:?}");
    assert!(explained.next_try.is_some_and(|next| next <= secs(14)));
}

#[test]
fn a_peer_nobody_has_named_is_relayed_for_want_of_candidates() {
    let mut scene = Scene::public(8_001);
    let unknown = scene.world.node(scene.alice);
    assert_eq!(unknown.explain(scene.world.now(), scene.world.address_of(scene.bob)), None);

    scene.world.ping(scene.alice, scene.bob);
    let bob = scene.world.address_of(scene.bob);
    scene
        .world
        .run_until(secs(1), |world| world.node(scene.alice).explain(world.now(), bob).is_some())
        .unwrap();

    let explained = explain(&scene);
    assert_eq!((explained.reason, explained.candidates.len()), (Reason::NoCandidates, 0));
    let (relay, endpoint) = explained.relay.unwrap();
    assert_eq!(relay, scene.world.address_of(scene.root));
    assert_eq!(endpoint, scene.world.path(scene.alice, scene.root).unwrap());
}

/// As behind a firewall that lets a node talk to its root alone.
#[test]
fn a_blocked_pair_is_being_tried_at_first_and_then_unanswered() {
    let mut scene = Scene::public(8_002);
    let path = scene.world.path(scene.root, scene.bob).unwrap();
    scene.world.block(scene.alice, scene.bob);
    scene.world.ping_every(millis(500), scene.alice, scene.bob);
    scene.world.run_for(secs(1));

    let fresh = explain(&scene);
    scene.world.run_for(secs(25));
    let later = explain(&scene);

    assert_eq!((fresh.reason, later.reason), (Reason::Trying, Reason::NoAnswer));
    let awaited = fresh.candidates.iter().find(|known| known.endpoint == path).unwrap();
    assert_eq!((awaited.named_by, awaited.outcome), (NamedBy::Root, Outcome::Awaited));
    assert!(fresh.next_try.is_some_and(|next| next <= secs(1)));
    let silent = later.candidates.iter().find(|known| known.endpoint == path).unwrap();
    assert!(matches!(silent.outcome, Outcome::Silent(1..=3)), "{silent:?}");
    assert!(silent.probed.is_some());
}

#[test]
fn a_path_that_dies_is_lost() {
    let mut scene = Scene::public(8_003);
    scene.world.ping_every(millis(100), scene.alice, scene.bob);
    scene.world.run_for(secs(30));

    scene.world.block(scene.alice, scene.bob);
    scene.world.run_for(secs(10));

    assert_eq!(explain(&scene).reason, Reason::PathLost);
}

#[test]
fn without_a_root_nothing_is_relayed() {
    let mut scene = Scene::public(8_004);
    scene.world.ping_every(millis(100), scene.alice, scene.bob);
    scene.world.run_for(secs(30));

    scene.world.partition(&[scene.alice]);
    scene.world.run_for(secs(60));

    assert_eq!(explain(&scene).reason, Reason::NoRoot);
}

#[test]
fn what_is_between_a_node_and_the_internet_shows() {
    let cases = [
        (PORT_RESTRICTED_CONE, Mapping::Same, Reason::NoAnswer),
        (ADDRESS_RESTRICTED_CONE, Mapping::Same, Reason::Direct),
        (SEQUENTIAL, Mapping::Sequential, Reason::Unpredictable),
        (SYMMETRIC, Mapping::Random, Reason::Unpredictable),
    ];
    for (seed, (nat, mapping, reason)) in (8_010..).zip(cases) {
        let mut scene = between(seed, nat, SYMMETRIC);
        scene.world.ping_every(millis(500), scene.alice, scene.bob);
        scene.world.run_for(secs(40));

        let explained = explain(&scene);

        assert_eq!(explained.mapping, [mapping, Mapping::Unknown], "seed {seed}");
        assert_eq!(explained.reason, reason, "seed {seed}");
    }
}
