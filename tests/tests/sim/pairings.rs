//! Every kind of place a member can be in, with every other: whether the two meet.

use std::time::Duration;

use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{
    ADDRESS_RESTRICTED_CONE, Access, FULL_CONE, Families, Nat, PORT_RESTRICTED_CONE, Route,
    SEQUENTIAL, SYMMETRIC, Site, World,
};

/// What is between a member and the Internet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Nothing,
    FullCone,
    AddressRestricted,
    PortRestricted,
    /// A home router behind that of a provider, both as most are.
    Carrier,
    /// A port for every far end, each the one after the last.
    Sequential,
    /// A port for every far end that nobody can foretell.
    Symmetric,
}

use Kind::{AddressRestricted, Carrier, FullCone, Nothing, PortRestricted, Sequential, Symmetric};

pub(super) const KINDS: [Kind; 7] =
    [Nothing, FullCone, AddressRestricted, PortRestricted, Carrier, Sequential, Symmetric];

impl Kind {
    pub(super) fn site(self, families: Families) -> Site {
        let (nat, carrier): (Option<Nat>, Option<Nat>) = match self {
            Nothing => (None, None),
            FullCone => (Some(FULL_CONE), None),
            AddressRestricted => (Some(ADDRESS_RESTRICTED_CONE), None),
            PortRestricted => (Some(PORT_RESTRICTED_CONE), None),
            Carrier => (Some(PORT_RESTRICTED_CONE), Some(PORT_RESTRICTED_CONE)),
            Sequential => (Some(SEQUENTIAL), None),
            Symmetric => (Some(SYMMETRIC), None),
        };
        Site { nat, carrier, families }
    }
}

/// The best route there can be, worked out from what each kind is, without any code of the node.
///
/// IPv6 is not translated, so each side knows where the other is. By IPv4, one whose port differs
/// for every far end is met by those who let in whoever is at an address they have sent to. Those
/// who look at the port must have sent to it before, so they have to foretell it; and two who must
/// each foretell the other's change their own by trying.
pub(super) fn best(a: Kind, b: Kind, families: Families) -> Route {
    let looks_at_port = |kind| matches!(kind, PortRestricted | Carrier | Sequential | Symmetric);
    let is_known = |kind| !matches!(kind, Sequential | Symmetric);
    let can_foretell = |kind, by| kind == Sequential && is_known(by);
    let lets_in = |near, far| !looks_at_port(near) || is_known(far) || can_foretell(far, near);
    match families {
        Families::V6 | Families::Both => Route::Direct,
        Families::V4 if lets_in(a, b) && lets_in(b, a) => Route::Direct,
        Families::V4 => Route::Relayed,
    }
}

/// How a pair fares: after how long the first ping was answered, after how long both use a direct
/// path if they ever do.
struct Outcome {
    first: Duration,
    direct: Option<Duration>,
}

fn pair(seed: u64, a: Kind, b: Kind, families: Families, expected: Route) -> Outcome {
    let mut world = World::seeded(seed);
    world.latency(millis(10)..=millis(40));
    for root in [world.root(), world.root()] {
        world.use_ipv6(root);
    }
    let controller = world.controller();
    world.use_ipv6(controller);
    let network = world.network(controller, Access::Public);
    let alice = world.node_at(a.site(families));
    let bob = world.node_at(b.site(families));
    world.join(network, &[alice, bob]);
    world.run_until(secs(15), |world| world.are_up(network, &[alice, bob])).unwrap();
    world.run_for(secs(3));

    world.ping_every(millis(100), alice, bob);
    let first = world.run_until(secs(10), |world| world.pongs(alice) > 0).unwrap();
    let routes = |world: &World| [world.route(alice, bob), world.route(bob, alice)];
    let begin = world.now();
    let patience = if expected == Route::Direct { secs(60) } else { secs(20) };
    while routes(&world) != [Route::Direct; 2] && world.now().since(begin) < patience {
        world.run_for(millis(50));
    }
    let took = world.now().since(begin);
    let direct = (took < patience).then_some(took);
    if direct.is_some() {
        // It is of use, and stays.
        world.run_for(secs(2));
        let before = (world.datagrams(alice, bob), world.pongs(alice));
        world.run_for(secs(5));
        assert_eq!(routes(&world), [Route::Direct; 2], "seed {seed}: {a:?} {b:?} {families:?}");
        assert!(world.datagrams(alice, bob) >= before.0 + 49);
        assert!(world.pongs(alice) >= before.1 + 49);
    }
    Outcome { first, direct: direct.map(|took| first + took) }
}

/// Has every kind meet every kind, and says so if any fares worse than it could.
fn all_meet(first_seed: u64, families: Families) {
    let pairs = KINDS.iter().flat_map(|&a| KINDS.iter().map(move |&b| (a, b)));
    let mut slowest = Vec::new();
    for (seed, (a, b)) in (first_seed..).zip(pairs) {
        let expected = best(a, b, families);

        let Outcome { first, direct } = pair(seed, a, b, families, expected);

        let what = format!("seed {seed}: {a:?} to {b:?} by {families:?}");
        let route = if direct.is_some() { Route::Direct } else { Route::Relayed };
        assert_eq!(route, expected, "{what}");
        assert!(first <= secs(1), "{what}: the first answer took {first:?}");
        slowest.extend(direct.map(|took| (took, what)));
    }
    slowest.sort();
    // Of so few, 99 in 100 are all.
    let (took, what) = slowest.last().unwrap();
    assert!(*took <= secs(5), "{what}: {took:?}");
}

#[test]
fn by_ipv4_members_meet_directly_within_seconds_exactly_where_translators_let_them() {
    all_meet(7_000, Families::V4);
}

#[test]
fn by_ipv6_members_meet_directly_within_seconds_whatever_firewalls_they_have() {
    all_meet(7_100, Families::V6);
}

#[test]
fn members_with_both_families_meet_directly_within_seconds_in_one_of_them() {
    all_meet(7_200, Families::Both);
}
