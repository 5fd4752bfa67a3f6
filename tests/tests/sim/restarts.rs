//! Machines that restart, and disks that are lost.

use std::collections::BTreeSet;

use zt_protocol::event::{Standing, StoreKey};
use zt_tests::sim::durations::secs;

use super::scene::Scene;

#[test]
fn a_controller_that_restarts_knows_its_networks_and_members() {
    let mut scene = Scene::private(120);
    scene.await_ping();
    let addresses = scene.world.addresses(scene.network, scene.alice);

    scene.world.restart(scene.controller);
    scene.world.run_for(secs(180));
    let carol = scene.world.member();
    scene.world.allow(scene.network, carol);
    scene.world.join(scene.network, &[carol]);

    scene.world.run_until(secs(15), |world| world.are_up(scene.network, &[carol])).unwrap();
    assert_eq!(scene.world.addresses(scene.network, scene.alice), addresses);
    assert!(!addresses.contains(&scene.world.addresses(scene.network, carol)[0]));
    assert_eq!(scene.count_pings(10), 10);
}

/// Packets of a suite whose ID is the nonce, sent by a node that is restarted and switched off
/// again and again, also when its disk, but for the identity, is lost: no ID comes twice, not even
/// without the bits that the mask of a HELLO leaves out.
#[test]
fn no_packet_id_is_used_twice_across_restarts() {
    let mut scene = Scene::private(122);
    scene.world.start_recording();
    let mut epochs = Vec::new();
    for round in 0..9 {
        scene.world.run_for(secs(20));
        let epoch = scene.world.stored(scene.alice, StoreKey::Epoch).unwrap().to_vec();
        epochs.push(String::from_utf8(epoch).unwrap().parse::<u32>().unwrap());
        match round % 3 {
            0 => scene.world.restart(scene.alice),
            1 => {
                scene.world.switch_off(scene.alice);
                scene.world.switch_on(scene.alice);
            }
            _ => scene.world.wipe(scene.alice),
        }
    }
    scene.world.run_for(secs(20));

    assert!(epochs.is_sorted_by(|earlier, later| earlier < later), "{epochs:?}");
    let sent = scene.world.packets(scene.alice, scene.root);
    let nonces = sent.iter().filter(|(_, packet)| packet.cipher < 3);
    let nonces: Vec<u64> = nonces.map(|(_, packet)| u64::from_be_bytes(packet.id) >> 3).collect();
    assert!(nonces.len() >= 10, "{nonces:?}");
    assert_eq!(BTreeSet::from_iter(&nonces).len(), nonces.len());
}

#[test]
fn a_member_denied_while_it_was_off_does_not_come_back() {
    let mut scene = Scene::private(121);
    scene.await_ping();
    scene.world.switch_off(scene.bob);
    scene.world.run_for(secs(10));

    scene.world.deny(scene.network, scene.bob);
    scene.world.run_for(secs(10));
    scene.world.switch_on(scene.bob);
    scene.world.run_for(secs(30));

    assert_eq!(scene.world.standing(scene.network, scene.bob), Some(Standing::AccessDenied));
}

/// Both still know each other, and the root learns of them when they next say HELLO.
#[test]
fn a_root_that_restarts_is_used_again() {
    let mut scene = Scene::public(122);
    scene.world.block(scene.alice, scene.bob);
    scene.await_ping();
    scene.world.ping_every(secs(1), scene.alice, scene.bob);

    scene.world.restart(scene.root);
    scene.world.run_for(secs(30));

    let before = scene.world.pongs(scene.alice);
    scene.world.run_for(secs(20));
    assert!(scene.world.pongs(scene.alice) >= before + 19);
}

/// A root that lost its disk has lost nothing it cannot learn again.
#[test]
fn a_root_that_lost_its_disk_is_used_again() {
    let mut scene = Scene::public(123);
    scene.world.block(scene.alice, scene.bob);
    scene.await_ping();

    scene.world.wipe(scene.root);
    scene.world.run_for(secs(30));

    assert_eq!(scene.count_pings(10), 10);
}

/// The cached configuration serves until the controller answers.
#[test]
fn a_member_that_restarts_has_its_addresses_at_once() {
    let mut scene = Scene::private(124);
    scene.await_ping();
    let addresses = scene.world.addresses(scene.network, scene.alice);
    scene.world.switch_off(scene.controller);

    scene.world.restart(scene.alice);

    assert_eq!(scene.world.addresses(scene.network, scene.alice), addresses);
    scene.await_ping();
}

#[test]
fn a_member_that_restarts_is_reached_by_others() {
    let mut scene = Scene::private(125);
    scene.await_ping();
    scene.world.run_for(secs(10));

    scene.world.restart(scene.bob);

    scene.await_ping();
}

#[test]
fn a_member_that_is_switched_off_and_on_comes_back() {
    let mut scene = Scene::private(126);
    scene.await_ping();
    scene.world.switch_off(scene.alice);
    scene.world.run_for(secs(600));

    scene.world.switch_on(scene.alice);

    scene.await_up();
    scene.await_ping();
}

/// It has its identity, so it joins again, and the controller gives it what it had.
#[test]
fn a_member_that_lost_its_disk_joins_again_with_the_same_addresses() {
    let mut scene = Scene::private(127);
    scene.await_ping();
    let addresses = scene.world.addresses(scene.network, scene.alice);

    scene.world.wipe(scene.alice);
    assert_eq!(scene.world.standing(scene.network, scene.alice), None);
    scene.world.join(scene.network, &[scene.alice]);

    scene.await_up();
    scene.await_ping();
    assert_eq!(scene.world.addresses(scene.network, scene.alice), addresses);
}

#[test]
fn a_network_joined_in_vain_is_still_joined_after_a_restart() {
    let mut scene = Scene::public(128);
    scene.world.switch_off(scene.controller);
    let carol = scene.world.member();
    scene.world.join(scene.network, &[carol]);
    scene.world.run_for(secs(10));

    scene.world.restart(carol);
    scene.world.switch_on(scene.controller);

    scene.world.run_until(secs(30), |world| world.are_up(scene.network, &[carol])).unwrap();
}

#[test]
fn a_network_that_was_left_is_not_joined_after_a_restart() {
    let mut scene = Scene::public(129);
    scene.world.leave(scene.network, scene.alice);
    scene.world.run_for(secs(1));

    scene.world.restart(scene.alice);
    scene.world.run_for(secs(30));

    assert_eq!(scene.world.standing(scene.network, scene.alice), None);
    assert_eq!(scene.world.stored(scene.alice, StoreKey::Network(scene.network)), None);
}

/// The seed of this protocol demands it: who is connected needs no root.
#[test]
fn two_members_that_have_met_find_each_other_without_any_root_or_controller() {
    for mut scene in [Scene::public(120), Scene::private(121)] {
        let (alice, bob) = (scene.alice, scene.bob);
        scene.await_ping();
        scene.world.run_for(secs(30));
        for node in [scene.root, scene.controller, alice, bob] {
            scene.world.switch_off(node);
        }
        scene.world.run_for(secs(60));

        scene.world.switch_on(alice);
        scene.world.run_for(secs(5));
        scene.world.switch_on(bob);
        let before = scene.world.pongs(alice);
        scene.world.ping_every(secs(1), alice, bob);

        scene.world.run_until(secs(10), |world| world.pongs(alice) > before).unwrap();
        scene.world.run_for(secs(1_200));
        let before = scene.world.pongs(alice);
        scene.world.run_for(secs(20));
        assert!(scene.world.pongs(alice) >= before + 19);
    }
}
