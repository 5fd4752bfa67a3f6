//! Networks of many, all of whom want something at once.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::json;
use zt_protocol::address::NetworkId;
use zt_protocol::error::Rejected;
use zt_protocol::time::Instant;
use zt_protocol::verb::Verb;
use zt_tests::memory;
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{NodeId, World};

/// How many members there are.
const MEMBERS: usize = 1_000;

/// Whom each member talks to: those so far down the line.
const FRIENDS: [usize; 3] = [1, 7, 31];

/// How many of the last members nobody talks to.
const BYSTANDERS: usize = 50;

/// The first address of the network, a /22, and how many there are for hosts.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 147, 0, 1);
const ADDRESSES: u32 = 1_022;

/// A private network of many, all up. The first knows everybody, the others know their friends.
struct Crowd {
    world: World,
    root: NodeId,
    network: NetworkId,
    members: Vec<NodeId>,
}

impl Crowd {
    fn assembled(seed: u64) -> Self {
        let mut world = World::seeded(seed);
        world.latency(millis(10)..=millis(40));
        let root = world.root();
        let controller = world.controller();
        let members = world.crowd(MEMBERS);
        let network = network(&mut world, controller);
        for (at, &member) in members.iter().enumerate() {
            world.allow(network, member);
            world.acquaint(member, root);
            world.acquaint(member, controller);
            if at > 0 {
                world.acquaint(members[0], member);
            }
            for friend in friends(&members, at) {
                world.acquaint(member, friend);
            }
        }
        world.join(network, &members);
        world.run_for(secs(5));
        assert!(world.are_up(network, &members), "seed {seed}");
        world.run_for(secs(20));
        Self { world, root, network, members }
    }

    /// Returns how many datagrams each member has got so far.
    fn arrivals(&self) -> Vec<u64> {
        self.members.iter().map(|&member| self.world.arrivals(member)).collect()
    }

    /// Returns how many datagrams `member` has got from other members.
    fn heard_from_members(&self, member: NodeId) -> u64 {
        self.members.iter().map(|&from| self.world.datagrams(from, member)).sum()
    }
}

/// Makes a network with pools of addresses that say nothing about their nodes, so that all of them
/// have to be asked for.
pub(super) fn network(world: &mut World, controller: NodeId) -> NetworkId {
    let last = Ipv4Addr::from_bits(FIRST.to_bits() + ADDRESSES - 1);
    let settings = json!({
        "v6AssignMode": { "zt": true, "rfc4193": false, "6plane": false },
        "ipAssignmentPools": [
            { "ipRangeStart": FIRST.to_string(), "ipRangeEnd": last.to_string() },
            { "ipRangeStart": "fd00::1:1", "ipRangeEnd": "fd00::1:ffff" },
        ],
        "routes": [
            { "target": "10.147.0.0/22", "via": null },
            { "target": "fd00::/64", "via": null },
        ],
    });
    world.network_with(controller, settings)
}

/// Returns whom the member at `at` talks to.
fn friends(members: &[NodeId], at: usize) -> impl Iterator<Item = NodeId> {
    let talkative = members.len() - BYSTANDERS;
    let friends = FRIENDS.map(|further| members[(at + further) % talkative]);
    friends.into_iter().filter(move |_| at < talkative)
}

/// Everybody asks for three others at once, by ARP and by neighbour discovery. All are answered,
/// nobody hears more than what concerns it, and those nobody asks for hear nothing.
#[test]
fn a_thousand_members_resolve_each_other_at_once() {
    let mut crowd = Crowd::assembled(600);
    let before = crowd.arrivals();
    let bystanders = crowd.members[MEMBERS - BYSTANDERS..].to_vec();
    let overheard: Vec<_> = bystanders.iter().map(|&by| crowd.heard_from_members(by)).collect();

    for (at, &member) in crowd.members.iter().enumerate() {
        for friend in friends(&crowd.members, at) {
            crowd.world.ping(member, friend);
            crowd.world.ping_v6(member, friend);
        }
    }
    crowd.world.run_for(secs(5));

    let talkative = &crowd.members[..MEMBERS - BYSTANDERS];
    let silent = talkative.iter().filter(|&&at| crowd.world.pongs(at) < 2 * FRIENDS.len());
    assert_eq!(silent.count(), 0);
    // Each talks to six. With each it exchanges HELLOs, certificates, and two questions, answers,
    // pings and pongs; and the root and the controller tell it who is in which group.
    let heard = crowd.arrivals().into_iter().zip(before).map(|(now, before)| now - before);
    let most = heard.max().unwrap();
    assert!(most <= 250, "a member got {most} datagrams");
    for (&by, before) in bystanders.iter().zip(overheard) {
        assert_eq!(crowd.heard_from_members(by), before);
    }
}

/// Sends a ping from the first member to `count` addresses from `first` on.
fn scan(crowd: &mut Crowd, first: Ipv4Addr, count: u32) {
    let own = crowd.world.addresses(crowd.network, crowd.members[0]);
    for n in 0..count {
        let target = IpAddr::from(Ipv4Addr::from_bits(first.to_bits() + n));
        if !own.contains(&target) {
            crowd.world.ping_address(crowd.members[0], crowd.network, target);
        }
    }
}

/// Returns how many groups the first member has asked the root for since that is recorded: each at
/// most three times, two seconds apart.
fn groups_asked_for(crowd: &Crowd) -> usize {
    let mut gathers = BTreeMap::<_, Vec<Instant>>::new();
    for (at, packet) in crowd.world.packets(crowd.members[0], crowd.root) {
        if packet.verb == Verb::MulticastGather as u8 {
            gathers.entry(packet.payload[9..19].to_vec()).or_default().push(at);
        }
    }
    for times in gathers.values() {
        assert!(times.len() <= 3, "asked {} times", times.len());
        assert!(times.windows(2).all(|pair| pair[1].since(pair[0]) >= millis(1_900)), "{times:?}");
    }
    gathers.len()
}

/// The same by neighbour discovery, for addresses nobody has: nobody but those who know who is in
/// which group is told anything.
#[test]
fn a_scan_for_ipv6_addresses_nobody_has_bothers_nobody() {
    let mut crowd = Crowd::assembled(603);
    let scanner = crowd.members[0];
    let others = crowd.members[1..].to_vec();
    let heard = |crowd: &Crowd| -> Vec<_> {
        others.iter().map(|&other| crowd.world.datagrams(scanner, other)).collect()
    };
    let before = heard(&crowd);
    crowd.world.start_recording();

    for n in 0..500 {
        let absent = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0x77, n).into();
        crowd.world.ping_address(scanner, crowd.network, absent);
    }
    crowd.world.run_for(secs(10));

    assert_eq!(groups_asked_for(&crowd), 500);
    assert_eq!(heard(&crowd), before);
}

/// A member pings every address of the network at once, also those nobody has. Those who are there
/// answer; each address is asked for once in two seconds, and each member asked for nothing but its
/// own.
#[test]
fn a_scan_of_the_network_stays_bounded() {
    let mut crowd = Crowd::assembled(601);
    let (scanner, root) = (crowd.members[0], crowd.root);
    let before = crowd.arrivals();
    let asked_before = crowd.world.arrivals(root);
    crowd.world.start_recording();

    scan(&mut crowd, FIRST, ADDRESSES);
    crowd.world.run_for(secs(10));

    assert_eq!(crowd.world.pongs(scanner), MEMBERS - 1);
    assert_eq!(groups_asked_for(&crowd), ADDRESSES as usize - 1);
    let asked = crowd.world.arrivals(root) - asked_before;
    assert!(asked <= 20 * u64::from(ADDRESSES), "the root got {asked} datagrams");
    let heard = crowd.arrivals().into_iter().zip(before).skip(1).map(|(now, before)| now - before);
    let most = heard.max().unwrap();
    assert!(most <= 60, "a member got {most} datagrams");
}

/// Whoever scans more than a node keeps track of is told so, and the node stays small.
#[test]
fn a_scan_of_more_addresses_than_can_be_resolved_is_refused() {
    let mut crowd = Crowd::assembled(602);
    let scanner = crowd.members[0];
    crowd.world.edit_network(
        crowd.network,
        json!({ "routes": [{ "target": "10.0.0.0/8", "via": null }] }),
    );
    crowd.world.run_for(secs(5));

    for round in 0..10 {
        scan(&mut crowd, Ipv4Addr::new(10, 1, round, 0), 2_000);
        crowd.world.run_for(secs(1));
    }

    assert!(crowd.world.dropped(scanner, Rejected::Full) > 10_000);
    let before = memory::held();
    crowd.world.switch_off(scanner);
    let size = before - memory::held();
    assert!(size < 16 << 20, "the scanner's node held {size} bytes");
}
