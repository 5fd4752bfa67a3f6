//! Whatever happened to a world, it works again when nothing more happens to it.

use zt_protocol::address::NetworkId;
use zt_protocol::rng::Rng;
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{
    Access, FIREWALL, FULL_CONE, Nat, NodeId, PORT_RESTRICTED_CONE, SYMMETRIC, World,
};

/// How many misfortunes a world has to bear.
const MISFORTUNES: usize = 25;

/// How long a world may take to recover from them all.
const RECOVERY: u64 = 60;

const PLACES: [Option<Nat>; 5] =
    [None, Some(FIREWALL), Some(FULL_CONE), Some(PORT_RESTRICTED_CONE), Some(SYMMETRIC)];

/// How many histories there are, unless the environment variable ZT_CHAOS_SEEDS names the seeds of
/// others, as in `240..244`.
const HISTORIES: u64 = 500;

/// How many tests share them, which run beside each other.
const SHARES: u64 = 5;

/// Machines fail, sleep, move and lose their disks, links break and lose datagrams, and once all
/// is well again, all members of a private network ping each other.
fn a_world_recovers_from_whatever_happened_to_it(share: u64) {
    let (from, to) = match std::env::var("ZT_CHAOS_SEEDS") {
        Ok(seeds) => {
            let (from, to) = seeds.split_once("..").unwrap();
            (from.parse().unwrap(), to.parse().unwrap())
        }
        Err(_) => (0, HISTORIES),
    };
    for seed in (from..to).filter(|seed| seed % SHARES == share) {
        Ordeal::new(seed).run();
    }
}

macro_rules! shares {
    ($($name:ident: $share:literal),*) => {
        $(
            #[test]
            fn $name() {
                a_world_recovers_from_whatever_happened_to_it($share);
            }
        )*
    };
}

shares! {
    a_world_recovers_from_a_first_hundred_histories: 0,
    a_world_recovers_from_a_second_hundred_histories: 1,
    a_world_recovers_from_a_third_hundred_histories: 2,
    a_world_recovers_from_a_fourth_hundred_histories: 3,
    a_world_recovers_from_a_fifth_hundred_histories: 4
}

struct Ordeal {
    world: World,
    chance: Rng,
    network: NetworkId,
    /// The root, the controller and the members.
    nodes: Vec<NodeId>,
    members: Vec<NodeId>,
    /// Nodes that are switched off or asleep.
    off: Vec<NodeId>,
    asleep: Vec<NodeId>,
    log: Vec<String>,
}

impl Ordeal {
    fn new(seed: u64) -> Self {
        let mut world = World::seeded(seed);
        world.latency(millis(5)..=millis(120));
        let mut chance =
            Rng::from_seed([seed.to_be_bytes(); 4].concat().try_into().expect("32 bytes"));
        let root = world.root();
        let controller = world.controller();
        let network = world.network(controller, Access::Private);
        let members: Vec<_> = (0..3)
            .map(|_| match PLACES[chance.below(PLACES.len())] {
                None => world.member(),
                Some(nat) => world.node_behind(nat),
            })
            .collect();
        for &member in &members {
            world.allow(network, member);
        }
        world.join(network, &members);
        let nodes = [vec![root, controller], members.clone()].concat();
        Self { world, chance, network, nodes, members, off: vec![], asleep: vec![], log: vec![] }
    }

    fn run(mut self) {
        for _ in 0..MISFORTUNES {
            self.misfortune();
            let pause = 1 + self.chance.below(60) as u64;
            self.world.run_for(secs(pause));
        }
        self.repair();
        self.assert_recovers();
    }

    fn misfortune(&mut self) {
        let node = self.nodes[self.chance.below(self.nodes.len())];
        let member = self.members[self.chance.below(self.members.len())];
        let other = self.nodes[self.chance.below(self.nodes.len())];
        let is_running = !self.off.contains(&node) && !self.asleep.contains(&node);
        let member_runs = !self.off.contains(&member) && !self.asleep.contains(&member);
        let kind = self.chance.below(11);
        self.log.push(format!("{:?}: {kind} {node:?} {member:?} {other:?}", self.world.now()));
        match kind {
            0 if is_running => self.world.restart(node),
            1 if is_running => {
                self.world.switch_off(node);
                self.off.push(node);
            }
            2 => self.switch_on(),
            3 if is_running => {
                self.world.sleep(node);
                self.asleep.push(node);
            }
            4 => self.wake(),
            5 if member_runs => {
                self.world.wipe(member);
                self.world.join(self.network, &[member]);
            }
            6 if node != other => self.world.block(node, other),
            7 => self.world.heal(),
            8 => self.world.lose(u32::try_from(self.chance.below(300)).unwrap_or(0)),
            9 if member_runs => self.roam(member),
            10 if member_runs && !self.off.contains(&other) && !self.asleep.contains(&other) => {
                self.world.reorder(100);
                self.world.duplicate(100);
            }
            _ => {}
        }
    }

    fn roam(&mut self, member: NodeId) {
        match PLACES[self.chance.below(PLACES.len())] {
            None => self.world.roam(member),
            Some(nat) => self.world.roam_behind(member, nat),
        }
    }

    fn switch_on(&mut self) {
        for node in std::mem::take(&mut self.off) {
            self.world.switch_on(node);
        }
    }

    fn wake(&mut self) {
        for node in std::mem::take(&mut self.asleep) {
            self.world.wake(node);
        }
    }

    fn repair(&mut self) {
        self.switch_on();
        self.wake();
        self.world.heal();
        self.world.lose(0);
        self.world.reorder(0);
        self.world.duplicate(0);
    }

    fn assert_recovers(mut self) {
        let (network, members) = (self.network, self.members.clone());
        let up = self.world.run_until(secs(RECOVERY), |world| world.are_up(network, &members));
        up.unwrap_or_else(|unsettled| panic!("{unsettled:?}\n{}", self.log.join("\n")));
        self.world.run_for(secs(RECOVERY));
        for &from in &members {
            for &to in members.iter().filter(|&&to| to != from) {
                let before = self.world.pongs(from);
                for _ in 0..3 {
                    self.world.ping(from, to);
                    self.world.run_for(secs(2));
                }
                let pongs = self.world.pongs(from) - before;
                let seed = self.world.seed();
                assert!(
                    pongs >= 2,
                    "seed {seed}: {from:?} to {to:?}: {pongs} of 3\n{}",
                    self.log.join("\n")
                );
            }
        }
    }
}
