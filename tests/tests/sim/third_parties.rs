//! What peers and roots can make a node send to others by naming addresses: little, seldom, and
//! nothing at all where no peer can be.
//!
//! Those who are named are the addresses of 9.0.0.0/8, where nobody is.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use zt_protocol::limits::{PROBES_AT_ONCE, PROBES_PER_SECOND};
use zt_protocol::verb::Verb;
use zt_protocol::wire::push_paths;
use zt_protocol::wire::rendezvous::Rendezvous;
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{NodeId, World};

use super::scene::Scene;

/// Bytes of the probe of an address: an ECHO without contents.
const PROBE: usize = 28;

/// Lets a root say that `peer` is at `endpoint`.
fn introduce(world: &mut World, root: NodeId, to: NodeId, peer: NodeId, endpoint: SocketAddr) {
    let peer = world.address_of(peer);
    world.say(root, to, Verb::Rendezvous, &Rendezvous { peer, endpoint }.write());
}

/// Lets `from` say that it is at these addresses.
fn push(world: &mut World, from: NodeId, to: NodeId, endpoints: &[SocketAddr]) {
    world.say(from, to, Verb::PushDirectPaths, &push_paths::write(endpoints));
}

/// Returns how many third parties were sent something.
fn bothered(world: &World) -> u32 {
    let is_third = |at: &SocketAddr| matches!(at.ip(), IpAddr::V4(ip) if ip.octets()[0] == 9);
    u32::try_from(world.destinations().filter(is_third).count()).unwrap()
}

/// Returns how many probes are sent in so long at most.
fn most_probes(time: Duration) -> u32 {
    PROBES_AT_ONCE + PROBES_PER_SECOND * u32::try_from(time.as_secs()).unwrap() + 1
}

/// Returns a world with a member whom sixty others know and mean ill.
fn sixty_against_one(seed: u64) -> (World, NodeId, Vec<NodeId>) {
    let mut world = World::seeded(seed);
    let root = world.root();
    let victim = world.member();
    let hostile = world.crowd(60);
    for &peer in &hostile {
        world.acquaint(victim, peer);
        world.acquaint(peer, root);
    }
    world.run_for(secs(10));
    for &peer in &hostile {
        world.say(peer, victim, Verb::Hello, &[]);
    }
    world.run_for(secs(10));
    (world, victim, hostile)
}

/// Each names eight addresses a second, and each time others.
#[test]
fn peers_that_push_many_addresses_have_only_so_many_probed_by_all_of_them_together() {
    let (mut world, victim, hostile) = sixty_against_one(191);

    for second in 0..8 {
        for (number, &peer) in hostile.iter().enumerate() {
            let at = |last| format!("9.{second}.{number}.{last}:1000").parse().unwrap();
            push(&mut world, peer, victim, &[1, 2, 3, 4, 5, 6, 7, 8].map(at));
        }
        let most = most_probes(secs(second));
        let bothered = bothered(&world);
        assert!(bothered <= most, "{bothered} addresses were probed after {second} s");
        assert!(bothered + 1 >= most.min(480), "{bothered} of {most} were probed");
        world.run_for(secs(1));
    }
}

/// A root names a thousand addresses a second for one who is nowhere.
#[test]
fn a_root_that_names_many_addresses_has_only_so_many_probed() {
    let mut scene = Scene::public(192);
    scene.await_ping();
    scene.world.switch_off(scene.bob);
    scene.world.run_for(secs(10));
    let (world, root) = (&mut scene.world, scene.root);

    for tenth in 0..50 {
        for last in 0..100 {
            let endpoint = format!("9.1.{tenth}.{last}:1000").parse().unwrap();
            introduce(world, root, scene.alice, scene.bob, endpoint);
        }
        world.run_for(millis(100));
    }

    let (bothered, most) = (bothered(world), most_probes(secs(5)));
    assert!((100..=most).contains(&bothered), "{bothered} addresses were sent something");
}

/// It is named once a second for two minutes.
#[test]
fn an_address_a_root_names_without_end_is_left_alone_for_longer_and_longer() {
    let mut scene = Scene::public(193);
    scene.await_ping();
    scene.world.switch_off(scene.bob);
    scene.world.run_for(secs(10));
    let (world, named) = (&mut scene.world, "9.1.1.1:1000".parse().unwrap());

    let mut probes = Vec::new();
    for _ in 0..120 {
        introduce(world, scene.root, scene.alice, scene.bob, named);
        world.run_for(secs(1));
        probes.push(world.bytes_to(named) / PROBE);
    }

    // Three at a time, after 5 s, 10 s and 20 s, and with each maybe a datagram of four bytes.
    assert!((3..=4).contains(&probes[4]), "{probes:?}");
    assert!((6..=7).contains(&probes[14]), "{probes:?}");
    assert!((18..=24).contains(&probes[119]), "{probes:?}");
}

/// All of them name it once, within four seconds.
#[test]
fn an_address_that_many_peers_name_is_probed_thrice_for_all_of_them() {
    let (mut world, victim, hostile) = sixty_against_one(196);
    let named = "9.1.1.1:1000".parse().unwrap();

    for &peer in &hostile {
        push(&mut world, peer, victim, &[named]);
        world.run_for(millis(66));
    }

    assert_eq!(world.bytes_to(named), 3 * PROBE);
}

/// A peer names it ten times a second for a minute, and is heard for the first second.
#[test]
fn an_address_a_peer_names_without_end_is_probed_once() {
    let mut scene = Scene::public(194);
    scene.await_ping();
    let (world, named) = (&mut scene.world, "9.1.1.1:1000".parse().unwrap());

    for _ in 0..600 {
        push(world, scene.bob, scene.alice, &[named]);
        world.run_for(millis(100));
    }

    assert_eq!(world.bytes_to(named), PROBE);
}

/// Overlay, multicast, broadcast, loopback, link-local and unspecified addresses, those of IPv4 also
/// in the guise of IPv6, the node's own, and no port.
#[test]
fn nothing_is_sent_where_no_peer_can_be_whoever_names_it() {
    let mut scene = Scene::public(195);
    scene.await_ping();
    let (world, alice) = (&mut scene.world, scene.alice);
    let mut forbidden: Vec<SocketAddr> = world
        .addresses(scene.network, alice)
        .into_iter()
        .chain(world.addresses(scene.network, scene.bob))
        .chain(
            ["127.0.0.1", "127.9.9.9", "224.0.0.1", "239.1.2.3", "255.255.255.255", "0.0.0.0"]
                .into_iter()
                .chain(["::", "::1", "ff02::1", "ff0e::1234", "fe80::1", "169.254.1.1"])
                .map(|ip| ip.parse().unwrap()),
        )
        .flat_map(|ip: IpAddr| match ip {
            IpAddr::V4(v4) => vec![ip, v4.to_ipv6_mapped().into()],
            IpAddr::V6(_) => vec![ip],
        })
        .map(|ip| SocketAddr::new(ip, 1_000))
        .collect();
    forbidden.push(world.peer(scene.bob, alice).unwrap().path.unwrap());
    forbidden.push("9.9.9.9:0".parse().unwrap());
    let before: Vec<usize> = forbidden.iter().map(|&at| world.bytes_to(at)).collect();

    for (number, &endpoint) in forbidden.iter().enumerate() {
        let fine = format!("9.1.1.{number}:1000").parse().unwrap();
        push(world, scene.bob, alice, &[endpoint, fine]);
        introduce(world, scene.root, alice, scene.bob, endpoint);
        world.run_for(secs(31));
        assert_eq!(world.bytes_to(fine), PROBE, "what was named beside {endpoint} is probed");
    }

    let own = forbidden.len() - 2;
    for (index, (&endpoint, before)) in forbidden.iter().zip(before).enumerate() {
        if index != own {
            assert_eq!(world.bytes_to(endpoint), before, "something was sent to {endpoint}");
        }
    }
    assert_eq!(world.datagrams(alice, alice), 0, "the node spoke to itself");
}
