//! Newcomers whose address is somebody else's, and roots that only say so.

use zt_protocol::address::NetworkId;
use zt_protocol::event::Event;
use zt_protocol::status::Contact;
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{Access, NodeId, World};

/// Two members of a network, the first of whom starts last.
struct Newcomer {
    world: World,
    roots: Vec<NodeId>,
    network: NetworkId,
    alice: NodeId,
    bob: NodeId,
}

impl Newcomer {
    /// `disputing` of `roots` roots know another identity under alice's address.
    fn among(seed: u64, roots: usize, disputing: usize) -> Self {
        let mut world = World::seeded(seed);
        world.latency(millis(10)..=millis(40));
        let roots: Vec<NodeId> = (0..roots).map(|_| world.root()).collect();
        let controller = world.controller();
        let network = world.network(controller, Access::Public);
        let [alice, bob] = [world.member(), world.member()];
        for &root in &roots[..disputing] {
            world.give_address_away(root, alice);
        }
        world.join(network, &[alice, bob]);
        Self { world, roots, network, alice, bob }
    }

    /// Returns what alice was told of a collision: whether it is confirmed.
    fn told(&self) -> Vec<bool> {
        let events = self.world.events(self.alice).iter();
        events
            .filter_map(|(_, event)| match event {
                Event::IdentityCollision { is_confirmed } => Some(*is_confirmed),
                _ => None,
            })
            .collect()
    }

    fn pings_bob(&mut self) {
        let (network, members) = (self.network, [self.alice, self.bob]);
        self.world.run_until(secs(15), |world| world.are_up(network, &members)).unwrap();
        self.world.ping_every(secs(1), self.alice, self.bob);
        let alice = self.alice;
        self.world.run_until(secs(10), |world| world.pongs(alice) > 3).unwrap();
    }
}

/// The node is told within two round trips, makes another identity as its runtime would, and goes
/// on with its networks.
#[test]
fn a_newcomer_whose_address_is_taken_goes_on_under_another() {
    let mut newcomer = Newcomer::among(320, 2, 2);

    newcomer.world.run_for(millis(200));
    assert_eq!(newcomer.told(), [true]);
    assert!(!newcomer.world.is_online(newcomer.alice));
    newcomer.world.renew_identity(newcomer.alice);

    newcomer.pings_bob();
    assert_eq!(newcomer.told(), [true]);
}

/// The one root that says otherwise weighs as much, and is enough to go on with.
#[test]
fn a_lying_root_costs_nobody_an_address_that_another_root_knows() {
    let mut newcomer = Newcomer::among(321, 2, 1);
    let alice = newcomer.alice;

    newcomer.pings_bob();
    newcomer.world.run_for(secs(600));

    assert!(newcomer.told().is_empty());
    assert!(newcomer.world.is_online(alice));
    let contacts = newcomer.world.worlds(alice).planet.roots;
    let contact = |root| {
        let address = newcomer.world.address_of(root);
        contacts.iter().find(|root| root.identity.address() == address).unwrap().contact
    };
    assert_eq!(contact(newcomer.roots[0]), Contact::Disputes);
    assert!(matches!(contact(newcomer.roots[1]), Contact::Answers(_)));
}

/// Two roots that lie, or were lied to, are believed only against fewer.
#[test]
fn as_many_roots_for_as_against_keep_the_address() {
    let mut newcomer = Newcomer::among(322, 4, 2);

    newcomer.pings_bob();
    newcomer.world.run_for(secs(120));

    assert!(newcomer.told().is_empty());
}

/// Whether to believe the only root there is, is for the host to decide. The node asks on, no more
/// often than a root that does not answer, and is back as soon as the root knows better.
#[test]
fn the_only_root_leaves_the_address_in_doubt() {
    let mut newcomer = Newcomer::among(323, 1, 1);
    let (alice, root) = (newcomer.alice, newcomer.roots[0]);

    newcomer.world.run_for(secs(300));
    assert_eq!(newcomer.told(), [false]);
    assert!(!newcomer.world.is_online(alice));
    let asked = newcomer.world.datagrams(alice, root);
    assert!((50..=80).contains(&asked), "{asked}");

    newcomer.world.wipe(root);
    newcomer.world.run_until(secs(10), |world| world.is_online(alice)).unwrap();
    newcomer.pings_bob();
}

/// The second root is down when the first disputes the address, and says so too when it is up.
#[test]
fn a_dispute_is_confirmed_by_whoever_answers_later() {
    let mut newcomer = Newcomer::among(324, 2, 2);
    let (alice, second) = (newcomer.alice, newcomer.roots[1]);
    newcomer.world.block(alice, second);
    newcomer.world.run_for(secs(60));
    assert_eq!(newcomer.told(), [false]);

    newcomer.world.unblock(alice, second);
    newcomer.world.run_for(secs(60));

    assert_eq!(newcomer.told(), [false, true]);
}
