//! What hosts say about their networks: none, a costly one, another one.

use zt_protocol::command::Conditions;
use zt_protocol::error::Rejected;
use zt_protocol::event::Event;
use zt_tests::sim::durations::{millis, minutes, secs};
use zt_tests::sim::{PORT_RESTRICTED_CONE, Route};

use super::scene::Scene;

const OFFLINE: Conditions = Conditions { metered: false, expensive: false, offline: true };
const METERED: Conditions = Conditions { metered: true, expensive: false, offline: false };

#[test]
fn a_node_without_a_network_neither_wakes_nor_sends_and_is_back_within_two_seconds() {
    let mut scene = Scene::private(230);
    let (alice, bob) = (scene.alice, scene.bob);
    scene.await_ping();
    scene.world.set_conditions(alice, OFFLINE);
    scene.world.run_for(secs(1));
    assert!(!scene.world.is_online(alice));
    scene.world.forget_wakeups(alice);
    let before = scene.world.datagrams_from(alice);

    scene.world.run_for(minutes(60));
    scene.world.ping(alice, bob);
    scene.world.run_for(secs(1));

    assert_eq!(scene.world.wakeups(alice), []);
    assert_eq!(scene.world.datagrams_from(alice), before);
    assert!(scene.world.drops(alice).of(Rejected::Offline) > 0);

    scene.world.set_conditions(alice, Conditions::default());
    scene.world.run_until(secs(2), |world| world.is_online(alice)).unwrap();
    scene.world.ping_every(millis(200), alice, bob);
    let pongs = scene.world.pongs(alice);
    scene.world.run_until(secs(5), |world| world.pongs(alice) > pongs).unwrap();
}

/// A root that was heard before says nothing about whether it is reached afterwards.
#[test]
fn a_node_whose_network_is_back_is_online_only_when_a_root_has_answered() {
    let mut scene = Scene::private(231);
    let (alice, root) = (scene.alice, scene.root);
    scene.await_ping();
    scene.world.set_conditions(alice, OFFLINE);
    scene.world.run_for(secs(10));
    scene.world.block(alice, root);

    scene.world.set_conditions(alice, Conditions::default());
    scene.world.run_for(secs(10));
    assert!(!scene.world.is_online(alice));

    scene.world.unblock(alice, root);
    scene.world.run_until(secs(6), |world| world.is_online(alice)).unwrap();
    let online = scene.world.events(alice).iter().filter_map(|(_, event)| match event {
        Event::Online(online) => Some(*online),
        _ => None,
    });
    assert_eq!(online.collect::<Vec<_>>(), [true, false, true]);
}

/// The root's path is all it takes to be reached; what else is kept open is for comfort.
#[test]
fn a_member_in_a_metered_network_looks_after_paths_less_than_half_as_often_and_is_reached() {
    let idle = |conditions| {
        let mut scene = Scene::behind(232, Some(PORT_RESTRICTED_CONE), None);
        let (alice, bob) = (scene.alice, scene.bob);
        scene.await_ping();
        scene.world.set_conditions(alice, conditions);
        scene.world.run_for(minutes(2));
        scene.world.forget_wakeups(alice);
        let before = scene.world.datagrams_from(alice);
        scene.world.run_for(minutes(6));
        let wakeups = scene.world.wakeups(alice).into_iter();
        let wakeups: u64 = wakeups.filter(|(why, _)| *why != "network").map(|(_, n)| n).sum();
        let datagrams = scene.world.datagrams_from(alice) - before;

        let pongs = scene.world.pongs(bob);
        scene.world.ping_every(millis(500), bob, alice);
        scene.world.run_until(secs(2), |world| world.pongs(bob) > pongs).unwrap();
        (wakeups, datagrams)
    };

    let (usual, metered) = (idle(Conditions::default()), idle(METERED));
    let expensive = idle(Conditions { metered: false, expensive: true, offline: false });

    assert!(2 * metered.0 < usual.0 && metered.1 < usual.1, "{usual:?} {metered:?}");
    assert_eq!(metered, expensive);
}

#[test]
fn a_member_told_that_its_network_changed_is_back_on_a_direct_path_within_a_second() {
    let mut scene = Scene::public(233);
    let (alice, bob) = (scene.alice, scene.bob);
    scene.await_ping();
    scene.world.ping_every(millis(100), alice, bob);
    scene.world.run_for(secs(20));
    scene.world.move_silently(alice);

    scene.world.hint_change(alice);

    let pongs = scene.world.pongs(alice);
    scene.world.run_for(secs(2));
    // Bob gives up the path to where alice was half a second after she has shown him another.
    assert_eq!(scene.world.route(alice, bob), Route::Direct);
    assert!((12..=20).contains(&(scene.world.pongs(alice) - pongs)));
}
