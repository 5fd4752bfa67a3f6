//! What counts only for a time, and what is taken back.

use serde_json::json;
use zt_protocol::credential::Tag;
use zt_protocol::error::Rejected;
use zt_protocol::time::UnixMillis;
use zt_protocol::verb::Verb;
use zt_protocol::wire::credentials::Credentials;
use zt_tests::sim::durations::{millis, minutes, secs};

use super::scene::Scene;

/// Lets bob hear nothing of the controller, while alice does.
fn cut_off(scene: &mut Scene) {
    scene.world.block(scene.bob, scene.controller);
    scene.world.block(scene.root, scene.controller);
}

fn pings_both_ways(scene: &mut Scene, count: usize) -> [usize; 2] {
    let ends = [scene.alice, scene.bob];
    let before = ends.map(|node| scene.world.pongs(node));
    for _ in 0..count {
        scene.world.ping(scene.alice, scene.bob);
        scene.world.ping(scene.bob, scene.alice);
        scene.world.run_for(secs(1));
    }
    let [alices, bobs] = ends.map(|node| scene.world.pongs(node));
    [alices - before[0], bobs - before[1]]
}

/// Certificates agree for half an hour. Bob's is not renewed: neither lets the other's frames in
/// until it is.
#[test]
fn a_member_whose_certificate_is_outside_the_window_exchanges_nothing() {
    let mut scene = Scene::private(700);
    scene.await_ping();
    cut_off(&mut scene);
    scene.world.run_for(minutes(28));
    assert_eq!(pings_both_ways(&mut scene, 3), [3, 3]);
    scene.world.run_for(minutes(4));
    let ends = [scene.alice, scene.bob];
    let refused = ends.map(|node| scene.world.dropped(node, Rejected::NotAMember));

    assert_eq!(pings_both_ways(&mut scene, 10), [0, 0]);
    for (node, before) in ends.into_iter().zip(refused) {
        assert!(scene.world.dropped(node, Rejected::NotAMember) > before);
    }

    scene.world.heal();
    scene.world.run_for(secs(90));
    scene.await_ping();
    assert_eq!(pings_both_ways(&mut scene, 5), [5, 5]);
}

/// The same for tags, on a network that asks for nothing else.
#[test]
fn a_tag_outside_the_window_counts_as_absent() {
    let mut scene = Scene::public(701);
    let (network, ends) = (scene.network, [scene.alice, scene.bob]);
    for member in ends {
        scene.world.edit_member(network, member, json!({ "tags": [[7, 1]] }));
    }
    let rules = json!([
        { "type": "MATCH_ETHERTYPE", "etherType": 0x0806 },
        { "type": "ACTION_ACCEPT" },
        { "type": "MATCH_TAGS_EQUAL", "id": 7, "value": 1 },
        { "type": "ACTION_ACCEPT" },
    ]);
    scene.world.edit_network(network, json!({ "rules": rules }));
    scene.world.run_for(secs(5));
    scene.await_ping();
    cut_off(&mut scene);
    scene.world.run_for(minutes(32));
    let refused = ends.map(|node| scene.world.dropped(node, Rejected::Filtered));

    assert_eq!(pings_both_ways(&mut scene, 10), [0, 0]);
    for (node, before) in ends.into_iter().zip(refused) {
        assert!(scene.world.dropped(node, Rejected::Filtered) > before);
    }

    scene.world.heal();
    scene.world.run_for(secs(90));
    scene.await_ping();
    assert_eq!(pings_both_ways(&mut scene, 5), [5, 5]);
}

/// A controller whose clock was ten years ahead for a moment has signed what nobody would ever
/// take anything newer for. It is forgotten, and what it signs since counts.
#[test]
fn a_credential_from_the_far_future_does_not_stand_in_the_way_for_ever() {
    let mut scene = Scene::public(702);
    let (network, alice, bob) = (scene.network, scene.alice, scene.bob);
    let rules = json!([
        { "type": "MATCH_ETHERTYPE", "etherType": 0x0806 },
        { "type": "ACTION_ACCEPT" },
        { "type": "MATCH_TAG_SENDER", "id": 7, "value": 1 },
        { "type": "ACTION_ACCEPT" },
    ]);
    let signer = scene.world.identity_of(scene.controller);
    let to = scene.world.address_of(bob);
    let tag = Tag::issue(&signer, network, to, UnixMillis(2_000_000_000_000), 7, 1);
    let shown = Credentials { tags: vec![tag], ..Credentials::default() };
    scene.world.say(bob, alice, Verb::NetworkCredentials, &shown.write()[0]);
    for member in [alice, bob] {
        scene.world.edit_member(network, member, json!({ "tags": [[7, 1]] }));
    }
    scene.world.edit_network(network, json!({ "rules": rules }));
    scene.world.run_for(secs(5));
    assert_eq!(pings_both_ways(&mut scene, 3), [0, 0]);

    scene.world.run_for(minutes(3));
    pings_both_ways(&mut scene, 3);

    assert_eq!(pings_both_ways(&mut scene, 3), [3, 3]);
}

/// The controller cannot reach carol. Alice can, and tells her.
#[test]
fn a_revocation_reaches_those_the_controller_does_not() {
    for seed in 703..707 {
        let mut scene = Scene::private(seed);
        let carol = scene.world.member();
        scene.world.allow(scene.network, carol);
        scene.world.join(scene.network, &[carol]);
        let (network, alice, bob) = (scene.network, scene.alice, scene.bob);
        scene.world.run_until(secs(15), |world| world.are_up(network, &[carol])).unwrap();
        for (from, to) in [(alice, bob), (alice, carol), (bob, carol)] {
            let before = scene.world.pongs(from);
            for _ in 0..5 {
                scene.world.ping(from, to);
                scene.world.run_for(secs(1));
            }
            assert!(scene.world.pongs(from) > before, "seed {seed}");
        }
        scene.world.block(scene.controller, carol);
        scene.world.ping_every(millis(50), bob, carol);
        scene.world.run_for(secs(1));

        scene.world.deny(network, bob);
        scene.world.run_for(secs(2));
        let before = scene.world.pongs(bob);
        scene.world.run_for(secs(30));

        assert_eq!(scene.world.pongs(bob), before, "seed {seed}");
    }
}
