//! Translators and firewalls between members.

use std::net::{IpAddr, Ipv4Addr};

use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{
    Access, FULL_CONE, MASQUERADE, Nat, NodeId, PORT_RESTRICTED_CONE, Route, SYMMETRIC, World,
};

use super::scene::Scene;

/// Two nodes that each sit behind a port-restricted cone find a direct path.
///
/// Method: only the root is reachable, so the first ping is relayed. The root then introduces
/// the two, both send into the other's translator, and the second packet of each gets through.
#[test]
fn cone_nats_are_punched() {
    let cone = Some(PORT_RESTRICTED_CONE);
    let mut scene = Scene::behind(60, cone, cone);

    scene.world.ping(scene.alice, scene.bob);

    scene.world.run_until(secs(10), |world| world.pongs(scene.alice) == 1).unwrap();
    scene
        .world
        .run_until(secs(30), |world| world.route(scene.alice, scene.bob) == Route::Direct)
        .unwrap();
}

/// Whoever sends to such a router before anything was sent from there has taken the port that the root
/// has named, so that the answer comes from another. So each opens its router as soon as the root has
/// told it, though it may not know yet whom for. An introduction that overtakes the relayed packet it
/// follows is about nobody the node expects, and is lost.
#[test]
fn members_whose_routers_masquerade_and_filter_nothing_meet_within_seconds() {
    for seed in 640..670 {
        let mut scene = Scene::behind(seed, Some(MASQUERADE), Some(MASQUERADE));
        // The way by the root is longer than the straight one.
        let latency = millis(seed - 630);
        scene.world.latency(latency..=latency);
        let (alice, bob) = (scene.alice, scene.bob);

        scene.world.ping_every(millis(100), alice, bob);

        scene.world.run_until(secs(1), |world| world.pongs(alice) > 0).unwrap();
        let routes = |world: &World| [world.route(alice, bob), world.route(bob, alice)];
        scene.world.run_until(secs(4), |world| routes(world) == [Route::Direct; 2]).unwrap();
    }
}

/// Every ping arrives all the same.
#[test]
fn symmetric_nats_stay_relayed() {
    let mut scene = Scene::behind(61, Some(SYMMETRIC), Some(SYMMETRIC));
    scene.await_ping();

    assert_eq!(scene.count_pings(600), 600);

    assert_eq!(scene.world.route(scene.alice, scene.bob), Route::Relayed);
    assert_eq!(scene.world.datagrams(scene.alice, scene.bob), 0);
}

/// Returns a scene whose alice is where `place` puts her, and a third member that is there too.
fn neighbours(seed: u64, mut place: impl FnMut(&mut World) -> NodeId) -> (Scene, NodeId) {
    let mut carol = None;
    let place_both = |world: &mut World| {
        let alice = place(world);
        carol = Some(place(world));
        alice
    };
    let mut scene = Scene::with(seed, Access::Public, place_both, World::member);
    let carol = carol.unwrap();
    scene.world.join(scene.network, &[carol]);
    scene.world.run_until(secs(15), |world| world.are_up(scene.network, &[carol])).unwrap();
    (scene, carol)
}

/// The two learn their private addresses from each other and prefer them to the outside ones,
/// whether or not their router turns round what is sent to those.
#[test]
fn members_of_one_lan_use_their_private_addresses() {
    for (seed, hairpin) in [(62, true), (67, false)] {
        let mut lan = None;
        let (mut scene, carol) = neighbours(seed, |world| {
            let nat = Nat { hairpin, ..PORT_RESTRICTED_CONE };
            let home = *lan.get_or_insert_with(|| world.lan(nat));
            world.node_in(home)
        });

        scene.world.ping_every(millis(500), scene.alice, carol);
        scene.world.run_for(secs(60));

        let path = scene.world.path(scene.alice, carol).unwrap();
        assert!(matches!(path.ip(), IpAddr::V4(ip) if ip.is_private()), "{path}");
        let took = scene.world.last_pong(scene.alice).unwrap().took;
        assert!(took < millis(2), "{took:?}");
    }
}

/// Neither sees the other's router but from outside, where the provider's has to turn it round.
#[test]
fn customers_of_one_provider_meet_if_its_translator_hairpins() {
    for (seed, hairpin, expected) in [(68, true, Route::Direct), (69, false, Route::Relayed)] {
        let mut carrier = None;
        let (mut scene, carol) = neighbours(seed, |world| {
            let nat = Nat { hairpin, ..PORT_RESTRICTED_CONE };
            let carrier = *carrier.get_or_insert_with(|| world.lan(nat));
            let home = world.lan_in(carrier, PORT_RESTRICTED_CONE);
            world.node_in(home)
        });

        scene.world.ping_every(millis(500), scene.alice, carol);
        scene.world.run_for(secs(20));

        let routes = [scene.world.route(scene.alice, carol), scene.world.route(carol, scene.alice)];
        assert_eq!(routes, [expected; 2], "hairpin: {hairpin}");
        assert!(scene.world.pongs(scene.alice) >= 38);
    }
}

/// Both LANs use the same private addresses, so what one pushes, the other has itself.
#[test]
fn equal_private_addresses_in_two_lans_confuse_nobody() {
    let cone = Some(PORT_RESTRICTED_CONE);
    let mut scene = Scene::behind(63, cone, cone);

    scene.world.ping_every(millis(500), scene.alice, scene.bob);
    scene.world.run_for(secs(60));

    let path = scene.world.path(scene.alice, scene.bob).unwrap();
    assert!(matches!(path.ip(), IpAddr::V4(ip) if ip.octets()[0] == 5), "{path}");
}

/// Keepalives are frequent enough for the mappings of ordinary translators.
#[test]
fn a_direct_path_outlasts_half_an_hour_of_silence_of_the_user() {
    let cone = Some(Nat { expiry: secs(30), ..PORT_RESTRICTED_CONE });
    let mut scene = Scene::behind(64, cone, cone);
    scene.world.ping_every(secs(60), scene.alice, scene.bob);
    scene.world.run_for(secs(120));
    assert_eq!(scene.world.route(scene.alice, scene.bob), Route::Direct);

    for _ in 0..30 {
        scene.world.run_for(secs(60));

        assert_eq!(scene.world.route(scene.alice, scene.bob), Route::Direct);
        assert!(scene.world.last_pong(scene.alice).unwrap().took < millis(100));
    }
}

/// The router has another mapping for each of its nodes afterwards, as after a power failure. The
/// path through the old one is given up after a few unanswered probes; until then packets are lost.
#[test]
fn a_router_that_forgets_its_mappings_is_survived() {
    let mut lan = None;
    let mut scene = Scene::with(
        65,
        Access::Public,
        |world| {
            let home = *lan.insert(world.lan(PORT_RESTRICTED_CONE));
            world.node_in(home)
        },
        |world| world.node_behind(PORT_RESTRICTED_CONE),
    );
    scene.world.ping_every(secs(1), scene.alice, scene.bob);
    scene.world.run_for(secs(60));

    scene.world.restart_router(lan.unwrap());
    scene.world.run_for(secs(60));

    let before = scene.world.pongs(scene.alice);
    scene.world.run_for(secs(20));
    assert!(scene.world.pongs(scene.alice) >= before + 19);
    assert_eq!(scene.world.route(scene.alice, scene.bob), Route::Direct);
}

/// A member that nobody can send to first is reached by the address the root sees.
#[test]
fn a_root_sees_the_outside_of_a_translator() {
    let scene = Scene::behind(66, Some(FULL_CONE), None);

    let path = scene.world.path(scene.root, scene.alice).unwrap();

    assert_ne!(path.ip(), IpAddr::V4(Ipv4Addr::new(192, 168, 1, 10)));
    assert!(path.port() > 50_000, "{path}");
}
