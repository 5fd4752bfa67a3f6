//! The scene most stories begin with: a root, a controller, a network and two members of it.

use zt_protocol::address::NetworkId;
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{Access, Nat, NodeId, World};

/// A world with a network of two.
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) root: NodeId,
    pub(super) controller: NodeId,
    pub(super) network: NetworkId,
    pub(super) alice: NodeId,
    pub(super) bob: NodeId,
}

impl Scene {
    /// Two members with public addresses on a public network, both up.
    pub(super) fn public(seed: u64) -> Self {
        Self::with(seed, Access::Public, World::member, World::member)
    }

    /// Two members on a public network, each behind a translator of its own or none, both up.
    pub(super) fn behind(seed: u64, alice: Option<Nat>, bob: Option<Nat>) -> Self {
        let add = |nat: Option<Nat>| {
            move |world: &mut World| match nat {
                None => world.member(),
                Some(nat) => world.node_behind(nat),
            }
        };
        Self::with(seed, Access::Public, add(alice), add(bob))
    }

    /// Two members on a private network that admits both, both up.
    pub(super) fn private(seed: u64) -> Self {
        Self::with(seed, Access::Private, World::member, World::member)
    }

    /// Two members on a network, added by these functions, both up.
    pub(super) fn with(
        seed: u64,
        access: Access,
        add_alice: impl FnOnce(&mut World) -> NodeId,
        add_bob: impl FnOnce(&mut World) -> NodeId,
    ) -> Self {
        let mut world = World::seeded(seed);
        world.latency(millis(10)..=millis(40));
        let root = world.root();
        let controller = world.controller();
        let network = world.network(controller, access);
        let alice = add_alice(&mut world);
        let bob = add_bob(&mut world);

        let mut scene = Self { world, root, controller, network, alice, bob };
        if access == Access::Private {
            scene.world.allow(network, alice);
            scene.world.allow(network, bob);
        }
        scene.world.join(network, &[alice, bob]);
        scene.await_up();
        scene
    }

    /// Lets time pass until both members are up.
    pub(super) fn await_up(&mut self) {
        let members = [self.alice, self.bob];
        let network = self.network;
        let up = self.world.run_until(secs(15), |world| world.are_up(network, &members));
        up.expect("members come up within seconds");
    }

    /// Pings from alice to bob once a second until one is answered.
    pub(super) fn await_ping(&mut self) {
        let before = self.world.pongs(self.alice);
        for _ in 0..10 {
            self.world.ping(self.alice, self.bob);
            let alice = self.alice;
            if self.world.run_until(secs(1), |world| world.pongs(alice) > before).is_ok() {
                return;
            }
        }
        panic!("no ping was answered in 10 s");
    }

    /// Sends `count` pings from alice to bob, one each 100 ms; returns how many are answered.
    pub(super) fn count_pings(&mut self, count: usize) -> usize {
        let before = self.world.pongs(self.alice);
        for _ in 0..count {
            self.world.ping(self.alice, self.bob);
            self.world.run_for(millis(100));
        }
        self.world.run_for(secs(1));
        self.world.pongs(self.alice) - before
    }
}
