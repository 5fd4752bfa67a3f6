//! Two uplinks: which of them is used, and what becomes of traffic when it fails.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use zt_protocol::bonding::{Bonding, Policy};
use zt_protocol::error::Rejected;
use zt_protocol::event::Event;
use zt_protocol::verb::Verb;
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{Access, NodeId, Route, World};

use super::scene::Scene;

/// Two members of whom alice has two uplinks, both of a mind about bonding.
fn two_uplinks(seed: u64, bonding: &Bonding) -> Scene {
    let with_two = |world: &mut World| {
        let member = world.member();
        world.add_uplink(member);
        member
    };
    let mut scene = Scene::with(seed, Access::Public, with_two, World::member);
    for node in [scene.alice, scene.bob] {
        scene.world.set_bonding(node, bonding.clone());
    }
    scene.world.ping_every(millis(100), scene.alice, scene.bob);
    scene.world.run_for(secs(60));
    assert_eq!(scene.world.route(scene.alice, scene.bob), Route::Direct);
    scene
}

fn active_backup(failover: Duration) -> Bonding {
    Bonding { failover, ..Bonding::new(Policy::ActiveBackup) }
}

/// Returns where bob sends to alice.
fn uplink(scene: &Scene) -> SocketAddr {
    scene.world.path(scene.bob, scene.alice).unwrap()
}

/// Returns how often the hosts of both were told that the way to the other has changed.
fn changes(scene: &Scene) -> usize {
    let pairs = [(scene.alice, scene.bob), (scene.bob, scene.alice)];
    let of = |(host, peer): (NodeId, NodeId)| {
        let peer = scene.world.address_of(peer);
        let events = scene.world.events(host).iter();
        let is_change =
            |event: &&Event| matches!(event, Event::Peer { address, .. } if *address == peer);
        events.map(|(_, event)| event).filter(is_change).count()
    };
    pairs.into_iter().map(of).sum()
}

#[test]
fn the_other_uplink_takes_over_within_the_failover_interval_and_stays() {
    for (seed, failover, lost_max) in [
        (900, secs(5), 56),
        (901, secs(5), 56),
        (902, millis(500), 9),
        (903, millis(500), 9),
        (904, millis(1_500), 19),
    ] {
        let mut scene = two_uplinks(seed, &active_backup(failover));
        let used = uplink(&scene);
        let before = scene.world.pongs(scene.alice);

        scene.world.cut_uplink(used);
        scene.world.run_for(secs(20));

        let lost = 200 - (scene.world.pongs(scene.alice) - before);
        assert!(lost <= lost_max, "seed {seed}: {lost} of 200 lost in {failover:?}");
        let other = uplink(&scene);
        assert_ne!(other, used, "seed {seed}");

        let (changed, before) = (changes(&scene), scene.world.pongs(scene.alice));
        scene.world.mend_uplink(used);
        scene.world.run_for(secs(300));

        assert_eq!(uplink(&scene), other, "seed {seed}");
        assert_eq!(changes(&scene), changed, "seed {seed}");
        assert!(scene.world.pongs(scene.alice) >= before + 2_999, "seed {seed}");

        // The first is watched all the while, and takes over in turn.
        let before = scene.world.pongs(scene.alice);
        scene.world.cut_uplink(other);
        scene.world.run_for(secs(20));
        let lost = 200 - (scene.world.pongs(scene.alice) - before);
        assert!(lost <= lost_max, "seed {seed}: {lost} of 200 lost in {failover:?}");
        assert_eq!(uplink(&scene), used, "seed {seed}");
    }
}

#[test]
fn an_uplink_that_comes_and_goes_costs_nothing_while_the_other_is_in_use() {
    let mut scene = two_uplinks(905, &active_backup(secs(1)));
    let used = uplink(&scene);
    let idle = *scene.world.sockets_of(scene.alice).iter().find(|&&at| at != used).unwrap();
    let (changed, before) = (changes(&scene), scene.world.pongs(scene.alice));

    for _ in 0..30 {
        scene.world.cut_uplink(idle);
        scene.world.run_for(secs(7));
        scene.world.mend_uplink(idle);
        scene.world.run_for(secs(3));
    }

    assert_eq!(changes(&scene), changed);
    assert!(scene.world.pongs(scene.alice) >= before + 2_999);
}

/// Without a bond the second path is looked at every 14 s, with one every failover interval / 3.
#[test]
fn only_bonded_paths_are_watched_closely() {
    let idle_datagrams = |bonding: &Bonding| {
        let mut scene = two_uplinks(906, bonding);
        let used = uplink(&scene);
        scene.world.stop_pings();
        scene.world.start_recording();
        scene.world.run_for(secs(60));
        let heard = scene.world.last_datagrams(usize::MAX);
        let bob = scene.bob;
        let from_idle = |(to, source, _): &&(NodeId, SocketAddr, Vec<u8>)| {
            *to == bob && scene.world.sockets_of(scene.alice).contains(source) && *source != used
        };
        heard.iter().filter(from_idle).count()
    };

    let (off, on) = (idle_datagrams(&Bonding::default()), idle_datagrams(&active_backup(secs(5))));

    assert!(off <= 14, "{off}");
    assert!((60..=90).contains(&on), "{on}");
}

/// A peer that starts again chooses anew, and may use another path than its peer. Then the two
/// agree on one.
#[test]
fn two_who_use_different_paths_agree_on_one() {
    let mut settled = 0;
    for seed in 910..920 {
        let mut scene = two_uplinks(seed, &active_backup(secs(1)));
        let first = uplink(&scene);
        scene.world.cut_uplink(first);
        scene.world.run_for(secs(20));
        let second = uplink(&scene);
        scene.world.mend_uplink(first);
        scene.world.run_for(secs(60));
        assert_eq!(uplink(&scene), second, "seed {seed}");

        scene.world.restart(scene.bob);
        scene.world.start_recording();
        scene.world.run_for(secs(90));

        let heard = scene.world.last_datagrams(usize::MAX);
        let asks = |(to, _, bytes): &(NodeId, SocketAddr, Vec<u8>)| {
            *to == scene.alice
                && bytes.len() == 30
                && bytes[27] == Verb::PathNegotiationRequest as u8
        };
        settled += usize::from(heard.iter().any(asks));
        // Pings are longer than ECHO and shorter than HELLO.
        let last = scene.world.last_datagrams(60);
        let is_ping = |(to, _, bytes): &&(NodeId, SocketAddr, Vec<u8>)| {
            *to == scene.bob && (50..=110).contains(&bytes.len())
        };
        let sources = last.iter().filter(is_ping).map(|(_, source, _)| *source);
        let sources = BTreeSet::from_iter(sources);
        assert_eq!(sources, BTreeSet::from([uplink(&scene)]), "seed {seed}");
    }
    assert!(settled >= 3, "{settled} of 10 pairs had to agree");
}

#[test]
fn what_bonding_peers_say_is_dropped_unless_there_is_a_bond() {
    for (seed, bonding, served) in
        [(920, Bonding::default(), false), (921, active_backup(secs(5)), true)]
    {
        let mut scene = two_uplinks(seed, &bonding);
        let (alice, bob) = (scene.alice, scene.bob);
        let said: [(Verb, &[u8]); 4] = [
            (Verb::Ack, &[0; 4]),
            (Verb::QosMeasurement, &[0; 10]),
            (Verb::PathNegotiationRequest, &[0; 2]),
            (Verb::PathNegotiationRequest, &[0; 3]),
        ];

        for (verb, body) in said {
            scene.world.say(bob, alice, verb, body);
        }

        let dropped = |reason| scene.world.dropped(alice, reason);
        let expected = if served { (0, 1) } else { (4, 0) };
        assert_eq!((dropped(Rejected::NotServed), dropped(Rejected::Malformed)), expected);
    }
}

#[test]
fn who_negotiates_without_end_is_held_back() {
    let mut scene = two_uplinks(922, &active_backup(secs(5)));
    let (alice, bob) = (scene.alice, scene.bob);

    for _ in 0..200 {
        scene.world.say(bob, alice, Verb::PathNegotiationRequest, &[0x80, 0]);
        scene.world.say(bob, alice, Verb::QosMeasurement, &[0; 20]);
    }

    assert_eq!(scene.world.dropped(alice, Rejected::RateLimited), 2 * (200 - 128));
}
