//! Many nodes that want little.

use zt_protocol::address::NetworkId;
use zt_protocol::rng::Rng;
use zt_protocol::world::WorldKey;
use zt_tests::memory;
use zt_tests::sim::durations::{millis, minutes, secs};
use zt_tests::sim::{Families, NodeId, World};

use super::crowd;
use super::pairings::{KINDS, Kind, best};

/// What an idle peer may take its root, in bytes.
const IDLE_PEER_MAX: usize = 2_000;

/// How many members a network has, and how many networks a controller.
const ON_A_NETWORK: usize = 1_000;
const NETWORKS_OF_ONE: usize = 10;

#[test]
fn an_idle_peer_takes_its_root_at_most_two_kilobytes() {
    let each = memory_of_idle_peers(1_000) / 1_000;

    assert!(each <= IDLE_PEER_MAX, "a peer takes {each} bytes");
}

#[test]
#[ignore = "takes ten minutes and 4 GB, nearly all of it for the peers themselves"]
fn a_hundred_thousand_idle_peers_take_their_root_at_most_two_hundred_megabytes() {
    let total = memory_of_idle_peers(100_000);

    println!("{total} bytes");
    assert!(total <= 200_000_000, "they take {total} bytes");
}

/// Returns how many bytes a root holds that has so many peers.
///
/// Each is on a network, keeps its path open, and says each minute which groups it is in.
fn memory_of_idle_peers(count: usize) -> usize {
    let mut world = World::seeded(610);
    world.latency(millis(10)..=millis(40));
    let root = world.root();
    let network_count = count.div_ceil(ON_A_NETWORK);
    let controllers: Vec<NodeId> =
        (0..network_count.div_ceil(NETWORKS_OF_ONE)).map(|_| world.controller()).collect();
    let members = world.crowd(count);
    let networks: Vec<_> = (0..network_count)
        .map(|number| crowd::network(&mut world, controllers[number / NETWORKS_OF_ONE]))
        .collect();
    for (number, &member) in members.iter().enumerate() {
        world.allow(networks[number / ON_A_NETWORK], member);
        world.acquaint(member, root);
        world.acquaint(member, controllers[number / ON_A_NETWORK / NETWORKS_OF_ONE]);
    }
    for (&network, members) in networks.iter().zip(members.chunks(ON_A_NETWORK)) {
        world.join(network, members);
    }
    world.run_for(minutes(4));
    let mut on_each = networks.iter().zip(members.chunks(ON_A_NETWORK));
    assert!(on_each.all(|(&network, members)| world.are_up(network, members)));
    assert_eq!(world.path_count(root), members.len() + controllers.len());

    let before = memory::held();
    world.switch_off(root);
    (before - memory::held()).unsigned_abs()
}

/// How many nodes there are: roots, controllers, members.
const NODES: usize = 10_000;
const ROOTS: usize = 4;
const MOONS: usize = 2;
const NETWORKS: usize = 10;

/// How many pairs are drawn whose nodes have never met.
const PAIRS: usize = 250;

/// Everybody there is on the day after a power cut, and where the members are.
struct Region {
    world: World,
    moons: Vec<NodeId>,
    networks: Vec<NetworkId>,
    /// A pair of members is on one network.
    members: Vec<NodeId>,
}

impl Region {
    /// All start at once with what they had on their disks.
    ///
    /// To make and to validate ten thousand identities takes an hour, and nothing but the ordinary
    /// ways around that is used here. Roots, moons and controllers have validated everybody before
    /// and know them from their disks, as does everybody them. Whoever of the members is drawn is
    /// unknown to the other, and its identity is validated by it like any other that a root names:
    /// it was made beforehand. The addresses of those who are not drawn are made up, which nobody
    /// has reason to check.
    fn started(seed: u64) -> Self {
        let mut world = World::seeded(seed);
        world.latency(millis(10)..=millis(40));
        let mut known: Vec<NodeId> = (0..ROOTS).map(|_| world.root()).collect();
        let moons: Vec<NodeId> = (0..MOONS).map(|_| world.member()).collect();
        let controllers: Vec<NodeId> = (0..NETWORKS / 2).map(|_| world.controller()).collect();
        known.extend(moons.iter().chain(&controllers));
        let networks: Vec<NetworkId> = (0..NETWORKS)
            .map(|number| crowd::network(&mut world, controllers[number % controllers.len()]))
            .collect();
        let mut members = world.proven_crowd(2 * PAIRS);
        members.extend(world.crowd(NODES - known.len() - members.len()));
        for (number, &member) in members.iter().enumerate() {
            world.settle(member, kind(number).site(Families::V4));
            world.allow(networks[network(number)], member);
            for &one in &known {
                world.acquaint(member, one);
            }
        }
        Self { world, moons, networks, members }
    }

    /// Lets every second member orbit one of the moons, and all join their networks.
    fn join(&mut self) {
        let Self { world, moons, networks, members } = self;
        for (number, &root) in moons.iter().enumerate() {
            let key = WorldKey::generate(&mut Rng::from_seed([1 + number as u8; 32]));
            let moon = world.moon(&[root], 1, &key);
            world.orbit_moon(root, &moon);
            for &member in members.iter().skip(2 * number).step_by(2 * moons.len()) {
                world.orbit(member, root);
            }
        }
        for (number, &id) in networks.iter().enumerate() {
            let on_it = members.iter().enumerate().filter(|(index, _)| network(*index) == number);
            let on_it: Vec<NodeId> = on_it.map(|(_, &member)| member).collect();
            world.join(id, &on_it);
        }
    }
}

/// Where member number `number` is: pairs of all kinds come up equally often.
fn kind(number: usize) -> Kind {
    let pair = number / 2;
    KINDS[if number.is_multiple_of(2) { pair } else { pair / KINDS.len() } % KINDS.len()]
}

/// Which network member number `number` is on.
const fn network(number: usize) -> usize {
    number / 2 % NETWORKS
}

/// A power cut has ended: ten thousand nodes start at once. Within a minute all are online and up,
/// and members who have never met reach each other, directly wherever what is between them lets
/// them.
#[test]
fn ten_thousand_nodes_start_at_once_and_any_two_meet() {
    let mut region = Region::started(611);
    region.join();
    region.world.run_for(secs(30));
    let Region { world, networks, members, .. } = &mut region;
    for (number, &member) in members.iter().enumerate() {
        assert!(world.is_online(member), "{member:?}");
        assert!(world.are_up(networks[network(number)], &[member]), "{member:?}");
    }

    let pairs: Vec<[NodeId; 2]> =
        members[..2 * PAIRS].chunks(2).map(|pair| [pair[0], pair[1]]).collect();
    for _ in 0..10 {
        for &[a, b] in &pairs {
            world.ping(a, b);
            world.ping(b, a);
        }
        world.run_for(secs(1));
    }

    for (number, &[a, b]) in pairs.iter().enumerate() {
        let kinds = [2 * number, 2 * number + 1].map(kind);
        assert!(world.pongs(a) > 0 && world.pongs(b) > 0, "{kinds:?}: {a:?} {b:?}");
        let expected = best(kinds[0], kinds[1], Families::V4);
        assert_eq!(world.route(a, b), expected, "{kinds:?}: {a:?} {b:?}");
    }
}
