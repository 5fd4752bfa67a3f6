//! Fingerprints that were confirmed by other ways than the network, and those that were first.

use std::net::IpAddr;

use zt_protocol::address::NetworkId;
use zt_protocol::error::Rejected;
use zt_protocol::event::{Event, IdentitySource, Standing, StoreKey};
use zt_protocol::fingerprint::{Expected, Fingerprint};
use zt_tests::sim::durations::{millis, minutes, secs};
use zt_tests::sim::{Access, NodeId, World};

use super::scene::Scene;

/// An alarm: what is known, what was offered, and where that came from.
type Alarm = (Expected, Fingerprint, IdentitySource);

fn alarms(world: &World, node: NodeId) -> Vec<Alarm> {
    let alarm = |event: &Event| match *event {
        Event::IdentityConflict { known, offered, source, .. } => Some((known, offered, source)),
        _ => None,
    };
    world.events(node).iter().filter_map(|(_, event)| alarm(event)).collect()
}

/// Alice is on a public network of a root that would rather have her talk to an impostor than to
/// the node she means.
struct Deception {
    world: World,
    root: NodeId,
    controller: NodeId,
    network: NetworkId,
    alice: NodeId,
    holder: NodeId,
    impostor: NodeId,
}

impl Deception {
    fn new(seed: u64) -> Self {
        let mut world = World::seeded(seed);
        world.latency(millis(10)..=millis(40));
        let root = world.root();
        let controller = world.controller();
        let network = world.network(controller, Access::Public);
        let alice = world.member();
        let (holder, impostor) = world.doubles();
        Self { world, root, controller, network, alice, holder, impostor }
    }

    fn join(&mut self, members: &[NodeId]) {
        let network = self.network;
        self.world.join(network, members);
        self.world.run_until(secs(15), |world| world.are_up(network, members)).unwrap();
    }

    /// Returns the address of `member` that leads to its node without asking anybody.
    fn sixplane(&self, member: NodeId) -> IpAddr {
        let addresses = self.world.addresses(self.network, member);
        let is_sixplane = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.octets()[0] == 0xfc);
        addresses.into_iter().find(is_sixplane).unwrap()
    }

    /// Lets alice ping `ip` for a while; returns how many pings were answered.
    fn pongs_from(&mut self, ip: IpAddr) -> usize {
        let before = self.world.pongs(self.alice);
        for _ in 0..10 {
            self.world.ping_address(self.alice, self.network, ip);
            self.world.run_for(secs(1));
        }
        self.world.pongs(self.alice) - before
    }
}

/// Nothing but the pin tells the two apart: without it, the impostor is taken for granted.
#[test]
fn a_hostile_root_cannot_pass_somebody_off_for_a_newcomer_that_is_pinned() {
    for is_pinned in [false, true] {
        let mut lie = Deception::new(400);
        lie.world.keep_off(lie.holder);
        if is_pinned {
            lie.world.pin(lie.alice, lie.holder);
        }
        lie.join(&[lie.alice, lie.impostor]);
        let ip = lie.sixplane(lie.impostor);

        let answered = lie.pongs_from(ip);
        lie.world.run_for(minutes(10));

        assert_eq!(answered > 0, !is_pinned);
        assert_eq!(lie.world.peer(lie.alice, lie.impostor).is_none(), is_pinned);
        let [known, offered] =
            [lie.holder, lie.impostor].map(|node| lie.world.fingerprint_of(node));
        let source = IdentitySource::Whois(lie.world.address_of(lie.root));
        let once = vec![(Expected::Full(known), offered, source)];
        assert_eq!(alarms(&lie.world, lie.alice), if is_pinned { once } else { vec![] });
    }
}

/// Alice has met the other before; root and controller know the impostor only.
#[test]
fn an_impostor_that_greets_whoever_knows_better_is_refused_and_told_of() {
    let mut lie = Deception::new(408);
    lie.world.acquaint(lie.alice, lie.holder);
    lie.world.keep_off(lie.holder);
    lie.join(&[lie.alice, lie.impostor]);

    lie.world.ping_every(secs(1), lie.impostor, lie.alice);
    lie.world.run_for(minutes(3));

    assert_eq!(lie.world.pongs(lie.impostor), 0);
    let alarms = alarms(&lie.world, lie.alice);
    assert!(matches!(alarms[..], [(_, _, IdentitySource::Hello(_))]), "{alarms:?}");
    assert_eq!(alarms[0].1, lie.world.fingerprint_of(lie.impostor));
    assert!(lie.world.dropped(lie.alice, Rejected::IdentityCollision) > 1);
}

/// The root and the controller go over to the impostor once alice has met the other.
#[test]
fn who_was_there_first_is_not_replaced_even_after_everything_else_is_forgotten() {
    let mut lie = Deception::new(401);
    lie.world.keep_off(lie.impostor);
    for node in [lie.root, lie.controller, lie.alice] {
        lie.world.acquaint(node, lie.holder);
    }
    lie.join(&[lie.alice, lie.holder]);
    let ip = lie.sixplane(lie.holder);
    assert!(lie.pongs_from(ip) > 0);
    let address = lie.world.address_of(lie.holder);
    assert!(lie.world.stored(lie.alice, StoreKey::FirstSeen(address)).is_some());

    lie.world.switch_off(lie.holder);
    lie.world.switch_off(lie.alice);
    lie.world.forget_peer(lie.alice, lie.holder);
    lie.world.wipe(lie.root);
    lie.world.switch_on(lie.impostor);
    lie.world.switch_on(lie.alice);
    lie.world.run_for(secs(30));

    assert_eq!(lie.pongs_from(ip), 0);
    assert!(lie.world.peer(lie.alice, lie.impostor).is_none());
    let offered = lie.world.fingerprint_of(lie.impostor);
    assert_eq!(alarms(&lie.world, lie.alice).iter().filter(|alarm| alarm.1 == offered).count(), 1);

    // Whoever knows better says so, and then it is as if the other had never been there.
    lie.world.pin(lie.alice, lie.impostor);
    lie.world.run_for(secs(10));
    lie.world.ping_address(lie.alice, lie.network, ip);
    let (alice, impostor) = (lie.alice, lie.impostor);
    lie.world.run_until(secs(5), |world| world.peer(alice, impostor).is_some()).unwrap();
    assert!(lie.world.stored(alice, StoreKey::FirstSeen(address)).is_none());
}

/// Bob is the impostor here, as far as anybody told alice.
#[test]
fn an_impostor_is_cut_off_as_soon_as_the_right_fingerprint_is_pinned_and_stays_so() {
    let mut scene = Scene::private(402);
    let (alice, bob) = (scene.alice, scene.bob);
    scene.await_ping();
    let address = scene.world.address_of(bob);
    let right = Fingerprint([7; 48]).short().parse().unwrap();

    scene.world.pin_as(alice, address, right);

    assert!(scene.world.peer(alice, bob).is_none());
    assert!(scene.world.stored(alice, StoreKey::Peer(address)).is_none());
    let told = vec![(right, scene.world.fingerprint_of(bob), IdentitySource::Known)];
    assert_eq!(alarms(&scene.world, alice), told);
    assert_eq!(scene.count_pings(10), 0);
    scene.world.ping(bob, alice);
    scene.world.run_for(minutes(5));
    assert_eq!(alarms(&scene.world, alice), told);

    scene.world.restart(alice);
    scene.world.run_until(secs(15), |world| world.are_up(scene.network, &[alice])).unwrap();
    assert_eq!(scene.count_pings(10), 0);
    assert_eq!(scene.world.pongs(bob), 0);

    // It was the pin that was wrong.
    scene.world.unpin(alice, bob);
    scene.await_ping();
}

#[test]
fn whoever_requires_pins_talks_to_roots_and_pinned_peers_only() {
    let mut scene = Scene::public(403);
    let (alice, bob, network) = (scene.alice, scene.bob, scene.network);
    let carol = scene.world.member();
    scene.world.join(network, &[carol]);
    scene.world.run_until(secs(15), |world| world.are_up(network, &[carol])).unwrap();
    scene.world.ping_every(secs(1), carol, alice);
    scene.world.run_until(secs(10), |world| world.pongs(carol) > 0).unwrap();
    scene.await_ping();

    scene.world.pin(alice, scene.controller);
    scene.world.pin(alice, bob);
    scene.world.require_pinned(alice, true);
    scene.world.run_for(secs(5));
    for _ in 0..2 {
        let answered = scene.world.pongs(carol);
        scene.world.run_for(minutes(3));

        assert!(scene.world.peer(alice, carol).is_none());
        assert_eq!(scene.world.pongs(carol), answered);
        assert!(scene.world.is_online(alice));
        assert!(scene.world.are_up(network, &[alice]));
        scene.await_ping();
        assert!(alarms(&scene.world, alice).is_empty());
        scene.world.restart(alice);
    }

    scene.world.require_pinned(alice, false);
    let answered = scene.world.pongs(carol);
    scene.world.run_until(minutes(3), |world| world.pongs(carol) > answered).unwrap();
}

#[test]
fn a_network_is_configured_by_the_controller_it_was_joined_with_or_not_at_all() {
    let mut world = World::seeded(404);
    let root = world.root();
    let controller = world.controller();
    let network = world.network(controller, Access::Public);
    let alice = world.member();
    world.pin_as(alice, network.controller(), Fingerprint([7; 48]).into());

    world.join(network, &[alice]);
    world.run_for(minutes(5));

    assert_eq!(world.standing(network, alice), Some(Standing::IdentityConflict));
    let told = alarms(&world, alice);
    let offered = world.fingerprint_of(controller);
    let source = IdentitySource::Whois(world.address_of(root));
    assert_eq!(told, [(Expected::Full(Fingerprint([7; 48])), offered, source)]);

    // Another of its networks, which is joined when the alarm was raised already.
    let other = world.network(controller, Access::Public);
    world.join(other, &[alice]);
    world.run_for(minutes(1));
    assert_eq!(world.standing(other, alice), Some(Standing::IdentityConflict));

    world.pin_as(alice, network.controller(), Fingerprint([8; 48]).into());
    assert_eq!(world.standing(network, alice), Some(Standing::RequestingConfiguration));
    world.run_for(secs(15));
    assert_eq!(world.standing(network, alice), Some(Standing::IdentityConflict));

    world.pin(alice, controller);
    assert_eq!(world.standing(network, alice), Some(Standing::RequestingConfiguration));
    for network in [network, other] {
        world.run_until(secs(15), |world| world.are_up(network, &[alice])).unwrap();
    }
}

/// What it configured goes with it, and does not come back from the disk.
#[test]
fn a_controller_that_turns_out_an_impostor_configures_nothing_any_more() {
    let mut scene = Scene::public(405);
    let (alice, network) = (scene.alice, scene.network);
    let address = scene.world.address_of(scene.controller);
    let seen = scene.world.stored(alice, StoreKey::FirstSeen(address)).unwrap();
    assert_eq!(
        seen.trim_ascii(),
        scene.world.fingerprint_of(scene.controller).to_string().as_bytes()
    );

    scene.world.pin_as(alice, address, Fingerprint([7; 48]).into());

    for _ in 0..2 {
        let standing = scene.world.standing(network, alice);
        assert_eq!(standing, Some(Standing::IdentityConflict));
        scene.world.restart(alice);
        scene.world.run_for(minutes(2));
    }
}

/// A planet that lists somebody under a pinned address is a planet without this root.
#[test]
fn a_root_is_pinned_like_anybody_else() {
    let mut scene = Scene::public(407);
    let (alice, root) = (scene.alice, scene.root);
    let address = scene.world.address_of(root);

    scene.world.pin_as(alice, address, Fingerprint([7; 48]).into());
    scene.world.run_for(secs(30));
    assert!(!scene.world.is_online(alice));
    scene.world.restart(alice);
    scene.world.run_for(minutes(5));

    assert!(!scene.world.is_online(alice));
    assert!(scene.world.peer(alice, root).is_none());
    let sources = alarms(&scene.world, alice).into_iter().map(|(_, _, source)| source);
    assert_eq!(sources.collect::<Vec<_>>(), [IdentitySource::Known, IdentitySource::World]);

    scene.world.unpin(alice, root);
    scene.world.run_until(secs(10), |world| world.is_online(alice)).unwrap();
}

/// Alice has saved somebody as a peer whom her user has pinned to another key meanwhile.
#[test]
fn what_was_saved_of_an_impostor_is_removed() {
    let mut lie = Deception::new(406);
    lie.world.acquaint(lie.alice, lie.impostor);
    lie.world.pin_on_disk(lie.alice, lie.holder);
    lie.world.run_for(secs(5));
    let address = lie.world.address_of(lie.holder);

    assert!(lie.world.stored(lie.alice, StoreKey::Peer(address)).is_none());
    let sources = alarms(&lie.world, lie.alice).into_iter().map(|(_, _, source)| source);
    assert_eq!(sources.collect::<Vec<_>>(), [IdentitySource::Saved]);
    assert!(lie.world.peer(lie.alice, lie.impostor).is_none());
}
