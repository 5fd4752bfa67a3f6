//! What nodes do when nobody wants anything.

use zt_tests::sim::durations::{minutes, secs};

use super::scene::Scene;

/// Wakeups drain phones. The shortest period the protocol needs is the ping check of 5 s
/// (spec 02 §11); nothing else may add more than its own period does.
#[test]
fn an_idle_member_wakes_only_for_named_timers_and_rarely() {
    let mut scene = Scene::private(160);
    scene.await_ping();
    scene.world.run_for(minutes(20));
    scene.world.forget_wakeups(scene.alice);

    scene.world.run_for(minutes(10));

    let wakeups = scene.world.wakeups(scene.alice);
    let total: u64 = wakeups.iter().map(|(_, count)| count).sum();
    assert!(wakeups.iter().all(|(why, _)| !why.is_empty()), "{wakeups:?}");
    // 120 ping checks would be allowed, and what runs each 30 s or 60 s beside them.
    assert!((20..=150).contains(&total), "{wakeups:?}");
}

/// Keepalives between members end when they have not used each other for 500 s; those with the
/// root do not.
#[test]
fn idle_members_fall_silent_but_stay_online() {
    let mut scene = Scene::public(161);
    scene.await_ping();
    scene.world.run_for(minutes(15));
    let before = scene.world.datagrams(scene.alice, scene.bob);

    scene.world.run_for(minutes(10));

    // Nothing but the multicast groups, which members tell each other each minute.
    assert!(scene.world.datagrams(scene.alice, scene.bob) <= before + 10);
    assert!(scene.world.is_online(scene.alice));
    scene.await_ping();
}

/// What an idle member costs its root: the advice is a probe each 15 s to 25 s and a HELLO each
/// 60 s; the reference asks WHOIS each 5 s (spec 02 §5.1).
#[test]
fn an_idle_member_sends_its_root_little() {
    let mut scene = Scene::public(162);
    scene.world.run_for(minutes(20));
    let before = scene.world.datagrams(scene.alice, scene.root);

    scene.world.run_for(secs(600));

    let sent = scene.world.datagrams(scene.alice, scene.root) - before;
    assert!((24..=140).contains(&sent), "{sent}");
}
