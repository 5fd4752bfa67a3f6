//! Private networks: who is let in, and who is put out.

use serde_json::json;
use zt_protocol::error::Rejected;
use zt_protocol::event::Standing;
use zt_protocol::time::UnixMillis;
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{Access, World};

use super::scene::Scene;

/// What every clock says when a world begins.
const START: UnixMillis = UnixMillis(1_700_000_000_000);

#[test]
fn a_stranger_is_denied_until_it_is_allowed() {
    let mut world = World::seeded(40);
    world.root();
    let controller = world.controller();
    let network = world.network(controller, Access::Private);
    let alice = world.member();
    world.join(network, &[alice]);
    world
        .run_until(secs(5), |world| world.standing(network, alice) == Some(Standing::AccessDenied))
        .unwrap();

    world.allow(network, alice);

    world.run_until(secs(1), |world| world.are_up(network, &[alice])).unwrap();
}

#[test]
fn members_of_a_private_network_show_each_other_certificates_and_ping() {
    let mut scene = Scene::private(41);

    scene.await_ping();

    assert_eq!(scene.count_pings(20), 20);
}

/// The controller floods a revocation, so others drop the member at once and not at their next
/// poll, a minute later.
#[test]
fn a_member_that_is_denied_is_cut_off_at_once() {
    let mut scene = Scene::private(42);
    scene.await_ping();
    scene.world.ping_every(millis(50), scene.alice, scene.bob);
    scene.world.run_for(secs(5));

    scene.world.deny(scene.network, scene.bob);
    scene.world.run_for(millis(200));
    let before = scene.world.pongs(scene.alice);
    scene.world.run_for(millis(800));
    assert_eq!(scene.world.standing(scene.network, scene.bob), Some(Standing::AccessDenied));
    scene.world.run_for(secs(180));

    assert_eq!(scene.world.pongs(scene.alice), before);
    assert_eq!(scene.world.standing(scene.network, scene.bob), Some(Standing::AccessDenied));
    assert_eq!(scene.world.standing(scene.network, scene.alice), Some(Standing::Ok));
}

/// It need not have heard of its revocation, so it is not left to itself whom it hears.
#[test]
fn nothing_is_sent_any_more_to_a_member_that_was_denied() {
    let mut scene = Scene::private(47);
    let (alice, bob) = (scene.alice, scene.bob);
    scene.await_ping();
    scene.world.ping_every(millis(100), alice, bob);
    scene.world.run_for(secs(5));
    scene.world.deny(scene.network, bob);
    scene.world.run_for(secs(2));

    let before = scene.world.datagrams(alice, bob);
    let refused = scene.world.dropped(alice, Rejected::NotAMember);
    scene.world.run_for(secs(10));

    // It is asked for a certificate once a second, and its path is kept open.
    assert!(scene.world.datagrams(alice, bob) <= before + 15);
    assert!(scene.world.dropped(alice, Rejected::NotAMember) >= refused + 99);

    scene.world.allow(scene.network, bob);
    let before = scene.world.pongs(alice);
    scene.world.run_until(secs(10), |world| world.pongs(alice) > before).unwrap();
}

/// The member asks what holds whenever it is told that it is dismissed; the controller has heard it
/// a moment before; and packets overtake each other on the way.
#[test]
fn who_is_denied_or_allowed_right_after_the_opposite_stands_as_was_said_last() {
    let gaps = [0, 1, 2, 5, 20, 50, 120, 300, 900, 1_100];
    for (seed, gap) in (600..).zip(gaps.iter().flat_map(|&gap| [gap; 2])) {
        let mut scene = Scene::private(seed);
        let (network, alice) = (scene.network, scene.world.member());
        scene.world.jitter(millis(60));
        scene.world.join(network, &[alice]);
        let denied = |world: &World| world.standing(network, alice) == Some(Standing::AccessDenied);
        scene.world.run_until(secs(5), denied).unwrap();

        scene.world.allow(network, alice);
        scene.world.run_for(millis(gap));
        scene.world.deny(network, alice);
        scene.world.run_for(secs(3));
        assert!(denied(&scene.world), "seed {seed}: denied {gap} ms after it was allowed");

        scene.world.allow(network, alice);
        scene.world.run_for(millis(gap));
        scene.world.deny(network, alice);
        scene.world.run_for(millis(gap));
        scene.world.allow(network, alice);
        scene.world.run_for(secs(3));
        assert!(scene.world.are_up(network, &[alice]), "seed {seed}: allowed after {gap} ms");
        scene.alice = alice;
        scene.await_ping();
        assert!(scene.count_pings(10) >= 10, "seed {seed}: allowed after {gap} ms");
    }
}

#[test]
fn a_member_that_has_just_restarted_is_told_that_it_is_denied() {
    let mut scene = Scene::private(48);
    let (network, alice) = (scene.network, scene.alice);
    scene.await_ping();
    scene.world.restart(alice);
    scene.await_ping();

    scene.world.deny(network, alice);

    let denied = |world: &World| world.standing(network, alice) == Some(Standing::AccessDenied);
    scene.world.run_until(secs(5), denied).unwrap();
}

#[test]
fn a_member_that_was_denied_can_be_allowed_again() {
    let mut scene = Scene::private(43);
    scene.await_ping();
    scene.world.deny(scene.network, scene.bob);
    scene.world.run_for(secs(20));

    scene.world.allow(scene.network, scene.bob);

    scene.await_up();
    scene.await_ping();
}

/// Carol joined after the revocation was flooded and so has never seen it. What keeps bob from her
/// is the age of its certificate: half an hour is all it gets out of the delay (spec 04 §2.6).
#[test]
fn a_member_that_was_denied_stays_out_for_those_who_join_later() {
    let mut scene = Scene::private(44);
    scene.await_ping();
    let carol = scene.world.member();
    scene.world.deny(scene.network, scene.bob);
    scene.world.run_for(secs(31 * 60));

    scene.world.allow(scene.network, carol);
    scene.world.join(scene.network, &[carol]);
    scene.world.run_until(secs(10), |world| world.are_up(scene.network, &[carol])).unwrap();
    for _ in 0..10 {
        for address in scene.world.addresses(scene.network, scene.bob) {
            scene.world.ping_address(carol, scene.network, address);
        }
        scene.world.run_for(secs(1));
    }

    assert_eq!(scene.world.pongs(carol), 0);
    let alices = scene.world.addresses(scene.network, scene.alice)[0];
    scene.world.ping_address(carol, scene.network, alices);
    scene.world.run_until(secs(5), |world| world.pongs(carol) == 1).unwrap();
}

/// Traffic needs no controller: certificates are good until they fall out of the window.
#[test]
fn members_ping_on_while_their_controller_is_away() {
    let mut scene = Scene::private(45);
    scene.await_ping();

    scene.world.switch_off(scene.controller);
    scene.world.run_for(secs(20 * 60));

    assert_eq!(scene.count_pings(10), 10);
}

/// Credentials and configurations are renewed for hours without anybody noticing.
#[test]
fn a_private_network_holds_for_hours() {
    let mut scene = Scene::private(46);
    scene.await_ping();

    for _ in 0..6 {
        scene.world.run_for(secs(30 * 60));
        assert!(scene.count_pings(5) >= 4);
    }
    assert!(scene.world.are_up(scene.network, &[scene.alice, scene.bob]));
}

/// Members compare the controller's timestamps with each other, never with their own clocks.
#[test]
fn clocks_that_are_wrong_by_days_do_not_matter() {
    let member_off_by = |ahead_ms: i64| {
        move |world: &mut World| {
            let member = world.member();
            world.skew_clock(member, ahead_ms);
            member
        }
    };
    let day = 24 * 60 * 60 * 1000;

    let mut scene = Scene::with(47, Access::Private, member_off_by(3 * day), member_off_by(-day));

    scene.await_ping();
}

/// Method: the controller takes the user for logged in for 40 s, as a log-in service would have it
/// write. The member is told when that ends, long before its next poll.
#[test]
fn a_user_is_asked_to_log_in_at_first_and_when_the_log_in_ends() {
    let mut world = World::seeded(48);
    world.root();
    let controller = world.controller();
    let network = world.network_with(controller, json!({ "private": true, "ssoEnabled": true }));
    let alice = world.member();
    let stands_at =
        |standing| move |world: &World| world.standing(network, alice) == Some(standing);
    world.join(network, &[alice]);
    let elapsed = world.run_until(secs(5), stands_at(Standing::AuthenticationRequired)).unwrap();

    let expiry = START + elapsed + secs(40);
    let logged_in = json!({ "authorized": true, "authenticationExpiryTime": expiry.0 });
    world.edit_member(network, alice, logged_in);

    world.run_until(secs(6), stands_at(Standing::Ok)).unwrap();
    world.run_for(secs(30));
    assert_eq!(world.standing(network, alice), Some(Standing::Ok));
    world.run_until(secs(12), stands_at(Standing::AuthenticationRequired)).unwrap();
}
