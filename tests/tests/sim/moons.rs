//! Moons: several at once, learned, updated, given up, and what they are good for.

use zt_protocol::address::MoonId;
use zt_protocol::event::{Event, StoreKey};
use zt_protocol::node::{Role, WorldsStatus};
use zt_protocol::rng::Rng;
use zt_protocol::status::Contact;
use zt_protocol::world::{World as Definition, WorldKey, WorldRefused};
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{NodeId, Route, World};

use super::scene::Scene;

fn key(seed: u8) -> WorldKey {
    WorldKey::generate(&mut Rng::from_seed([seed; 32]))
}

/// Returns the revisions of the moons in force at `node`.
fn revisions(world: &World, node: NodeId) -> Vec<u64> {
    world.worlds(node).moons.iter().map(|moon| moon.timestamp.0).collect()
}

fn all_answer(worlds: &WorldsStatus) -> bool {
    let roots = worlds.moons.iter().flat_map(|moon| &moon.roots);
    roots.into_iter().all(|root| matches!(root.contact, Contact::Answers(Some(_))))
}

/// A scene, and a moon whose only root has its file.
fn scene_with_moon(seed: u64) -> (Scene, NodeId, Definition) {
    let mut scene = Scene::public(seed);
    let moon_root = scene.world.member();
    let moon = scene.world.moon(&[moon_root], 1, &key(1));
    scene.world.orbit_moon(moon_root, &moon);
    // Whoever wants the moon finds its root through the planet's.
    scene.world.run_for(secs(1));
    (scene, moon_root, moon)
}

#[test]
fn a_moon_is_learned_from_its_root_as_soon_as_it_is_wanted() {
    let (mut scene, moon_root, moon) = scene_with_moon(300);
    let (alice, id) = (scene.alice, MoonId(moon.id));

    scene.world.orbit(alice, moon_root);
    assert_eq!(scene.world.worlds(alice).wanted[0].id, id);

    let took = scene.world.run_until(secs(5), |world| revisions(world, alice) == [1]).unwrap();
    assert!(took < secs(1), "{took:?}");
    scene.world.run_until(secs(5), |world| all_answer(&world.worlds(alice))).unwrap();
    assert_eq!(scene.world.peer(alice, moon_root).unwrap().role, Role::Moon);
    assert_eq!(scene.world.stored(alice, StoreKey::Moon(id)), Some(&moon.to_bytes()[..]));
    assert_eq!(scene.world.stored(alice, StoreKey::WantedMoon(id)), None);
    assert!(scene.world.events(alice).iter().any(|(_, event)| *event == Event::Worlds));
}

#[test]
fn several_moons_are_orbited_at_once() {
    let mut scene = Scene::public(301);
    let alice = scene.alice;
    let moon_roots: Vec<NodeId> = (0..6).map(|_| scene.world.member()).collect();
    for (pair, seed) in moon_roots.chunks(2).zip(1..) {
        let moon = scene.world.moon(pair, 1, &key(seed));
        for &moon_root in pair {
            scene.world.orbit_moon(moon_root, &moon);
        }
    }
    scene.world.run_for(secs(1));

    for pair in moon_roots.chunks(2) {
        // Any root of a moon may be asked for it.
        scene.world.orbit_from(alice, pair[0], pair[1]);
    }

    let is_there =
        |world: &World| revisions(world, alice) == [1, 1, 1] && all_answer(&world.worlds(alice));
    scene.world.run_until(secs(10), is_there).unwrap();
    scene.world.restart(alice);
    scene.world.run_until(secs(10), is_there).unwrap();
}

#[test]
fn a_moon_is_updated_by_whoever_has_its_key_and_nobody_else() {
    let (mut scene, moon_root, _) = scene_with_moon(302);
    let alice = scene.alice;
    scene.world.orbit(alice, moon_root);
    scene.world.run_until(secs(5), |world| revisions(world, alice) == [1]).unwrap();

    let second = scene.world.member();
    scene.world.run_for(secs(1));
    let update = scene.world.moon(&[moon_root, second], 2, &key(1));
    scene.world.orbit_moon(moon_root, &update);

    // HELLO, which says how recent a moon is, goes to every root once a minute.
    scene.world.run_until(secs(70), |world| revisions(world, alice) == [2]).unwrap();
    assert_eq!(scene.world.worlds(alice).moons[0].roots.len(), 2);

    // The root's operator takes in a file signed by another key, which a file may be.
    let forged = scene.world.moon(&[moon_root], 3, &key(2));
    scene.world.deorbit(moon_root, moon_root);
    scene.world.orbit_moon(moon_root, &forged);
    scene.world.run_for(secs(130));

    assert_eq!(revisions(&scene.world, alice), [2]);
    let refused = scene.world.worlds(alice).moons[0].refused.unwrap();
    assert_eq!(refused.why, WorldRefused::BadSignature);
    assert_eq!(refused.from, Some(scene.world.address_of(moon_root)));
}

/// The wish survives a restart, unlike the reference's.
#[test]
fn a_moon_wanted_while_its_root_is_down_is_learned_once_it_is_up() {
    let (mut scene, moon_root, _) = scene_with_moon(303);
    let alice = scene.alice;
    scene.world.switch_off(moon_root);
    scene.world.orbit(alice, moon_root);
    scene.world.run_for(secs(60));
    assert_eq!(scene.world.worlds(alice).wanted.len(), 1);

    scene.world.restart(alice);
    scene.world.run_for(secs(10));
    assert_eq!(scene.world.worlds(alice).wanted.len(), 1);
    scene.world.switch_on(moon_root);

    scene.world.run_until(secs(60), |world| revisions(world, alice) == [1]).unwrap();
}

#[test]
fn a_moon_given_up_is_gone_for_good() {
    let (mut scene, moon_root, moon) = scene_with_moon(304);
    let alice = scene.alice;
    scene.world.orbit(alice, moon_root);
    scene.world.run_until(secs(5), |world| revisions(world, alice) == [1]).unwrap();

    scene.world.deorbit(alice, moon_root);

    assert!(scene.world.worlds(alice).moons.is_empty());
    assert_eq!(scene.world.stored(alice, StoreKey::Moon(MoonId(moon.id))), None);
    assert_eq!(scene.world.peer(alice, moon_root).unwrap().role, Role::Leaf);
    scene.world.run_for(secs(130));
    scene.world.restart(alice);
    scene.world.run_for(secs(130));
    assert!(scene.world.worlds(alice).moons.is_empty());
    assert!(scene.world.is_online(alice));
}

/// Another node under the moon's name, which the planet's root has the file of, is not believed:
/// only the root that was named may bring the first copy.
#[test]
fn the_first_copy_of_a_moon_comes_from_the_root_that_was_named() {
    let mut scene = Scene::public(305);
    let (alice, seed, liar) = (scene.alice, scene.world.member(), scene.root);
    let forged = scene.world.moon(&[seed, liar], 9, &key(2));
    scene.world.orbit_moon(liar, &forged);
    scene.world.run_for(secs(1));

    scene.world.orbit(alice, seed);
    scene.world.run_for(secs(90));

    let worlds = scene.world.worlds(alice);
    assert!(worlds.moons.is_empty());
    assert_eq!(worlds.wanted[0].refused.unwrap().why, WorldRefused::NotFromSeed);
}

/// The two cannot reach each other directly, so that everything goes through a root.
#[test]
fn members_whose_planet_is_gone_go_on_through_their_moon() {
    let (mut scene, moon_root, _) = scene_with_moon(306);
    let (alice, bob) = (scene.alice, scene.bob);
    scene.world.block(alice, bob);
    for member in [alice, bob, scene.controller] {
        scene.world.orbit(member, moon_root);
    }
    scene.world.run_until(secs(10), |world| revisions(world, bob) == [1]).unwrap();
    scene.await_ping();

    scene.world.switch_off(scene.root);
    scene.world.run_for(secs(600));

    assert!(scene.world.is_online(alice));
    assert_eq!(scene.count_pings(20), 20);
    assert_eq!(scene.world.route(alice, bob), Route::Relayed);
    scene.world.restart(alice);
    scene.await_ping();
    let planet = scene.world.worlds(alice).planet;
    assert_eq!(planet.roots[0].contact, Contact::Silent);
}

/// Two roots of moons that know the address not would ask each other for ever.
#[test]
fn a_moon_asks_the_planet_for_addresses_it_does_not_know() {
    let mut scene = Scene::public(307);
    scene.world.latency(millis(10)..=millis(12));
    let alice = scene.alice;
    let pair = [scene.world.member(), scene.world.member()];
    let moon = scene.world.moon(&pair, 1, &key(1));
    for moon_root in pair {
        scene.world.orbit_moon(moon_root, &moon);
    }
    scene.world.run_for(secs(1));
    scene.world.orbit(alice, pair[0]);
    scene.world.run_until(secs(10), |world| revisions(world, alice) == [1]).unwrap();
    scene.world.run_for(secs(5));

    scene.world.block(alice, scene.root);
    scene.world.run_for(secs(60));
    let carol = scene.world.member();
    scene.world.join(scene.network, &[carol]);
    scene.world.run_until(secs(10), |world| world.are_up(scene.network, &[carol])).unwrap();
    assert!(
        scene.world.peer(pair[0], carol).is_none() && scene.world.peer(pair[1], carol).is_none()
    );
    scene.world.ping_every(secs(1), carol, alice);

    scene.world.run_until(secs(30), |world| world.peer(alice, carol).is_some()).unwrap();
}
