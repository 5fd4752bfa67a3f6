//! Members at sites that let no UDP pass.

use zt_protocol::event::Event;
use zt_protocol::node::TcpRelayUse;
use zt_protocol::status::{Reason, TcpRelayStatus};
use zt_protocol::verb::Verb;
use zt_tests::sim::durations::{minutes, secs};
use zt_tests::sim::{Access, NodeId, PORT_RESTRICTED_CONE, Route, World};

use super::scene::Scene;

/// Two members who are up, the first of whom may use a TCP relay.
fn scene(seed: u64, usage: TcpRelayUse) -> Scene {
    let add_alice = |world: &mut World| {
        let alice = world.node_behind(PORT_RESTRICTED_CONE);
        world.use_tcp_relay(alice, usage);
        alice
    };
    Scene::with(seed, Access::Private, add_alice, World::member)
}

/// Returns how often `node` has begun and ceased to want a connection to the relay.
fn changes(world: &World, node: NodeId) -> usize {
    let events = world.events(node).iter();
    events.filter(|(_, event)| matches!(event, Event::TcpRelay(_))).count()
}

/// Returns why packets get from `from` to `to` the way they do, as `from` sees it.
fn explained(world: &World, from: NodeId, to: NodeId) -> Option<Reason> {
    let explanation = world.node(from).explain(world.now(), world.address_of(to));
    explanation.map(|explanation| explanation.reason)
}

#[test]
fn while_udp_gets_through_no_relay_is_asked_for() {
    let mut scene = scene(900, TcpRelayUse::Fallback);
    scene.world.ping_every(secs(1), scene.alice, scene.bob);

    scene.world.run_for(minutes(30));

    assert_eq!(scene.world.tcp_relay(scene.alice), TcpRelayStatus::Standby);
    assert_eq!(changes(&scene.world, scene.alice), 0);
}

/// UDP fails under traffic: after a minute frames go through the relay, first by way of the root,
/// then straight. When UDP gets through again, the node is back on it within a minute.
#[test]
fn a_member_whose_udp_fails_goes_through_the_relay_and_comes_back() {
    for seed in 901..906 {
        let mut scene = scene(seed, TcpRelayUse::Fallback);
        let (alice, bob) = (scene.alice, scene.bob);
        scene.world.ping_every(secs(1), alice, bob);
        scene.world.run_for(minutes(1));

        scene.world.block_udp(alice);
        let in_use = |world: &World| world.tcp_relay(alice) == TcpRelayStatus::InUse;
        let took = scene.world.run_until(secs(80), in_use).unwrap();
        assert!(took >= secs(45), "seed {seed}: {took:?}");
        scene.world.run_for(secs(5));
        let before = scene.world.pongs(alice);
        scene.world.run_for(minutes(2));

        let answered = scene.world.pongs(alice) - before;
        assert!(answered >= 118, "seed {seed}: {answered} in 120 s");
        assert!(scene.world.is_online(alice));
        assert_eq!(explained(&scene.world, alice, bob), Some(Reason::TcpRelay), "seed {seed}");
        assert_eq!(explained(&scene.world, bob, alice), Some(Reason::Direct), "seed {seed}");

        scene.world.unblock_udp(alice);
        let on_standby = |world: &World| world.tcp_relay(alice) == TcpRelayStatus::Standby;
        scene.world.run_until(secs(61), on_standby).unwrap();
        let before = scene.world.pongs(alice);
        scene.world.run_for(minutes(2));

        let answered = scene.world.pongs(alice) - before;
        assert!(answered >= 118, "seed {seed}: {answered} in 120 s");
        assert_eq!(explained(&scene.world, alice, bob), Some(Reason::Direct), "seed {seed}");
        assert_eq!(scene.world.route(alice, bob), Route::Direct);
        assert_eq!(changes(&scene.world, alice), 2, "seed {seed}");
    }
}

#[test]
fn a_member_that_starts_without_udp_comes_up_after_a_minute() {
    let mut world = World::seeded(910);
    world.root();
    let controller = world.controller();
    let network = world.network(controller, Access::Public);
    let member = world.member();
    world.use_tcp_relay(member, TcpRelayUse::Fallback);
    world.block_udp(member);

    world.join(network, &[member]);

    let took = world.run_until(secs(90), |world| world.are_up(network, &[member])).unwrap();
    assert!(took >= secs(60), "{took:?}");
}

/// Where the relay is always used, nothing waits for UDP to fail, and a connection that is lost is
/// missed for no longer than it takes to make another.
#[test]
fn a_lost_connection_is_made_again() {
    let mut scene = scene(911, TcpRelayUse::Always);
    let alice = scene.alice;
    scene.world.block_udp(alice);
    scene.world.ping_every(secs(1), alice, scene.bob);
    scene.world.run_for(secs(30));
    assert_eq!(scene.world.tcp_relay(alice), TcpRelayStatus::InUse);

    for _ in 0..5 {
        scene.world.cut_tcp_relay(alice);
        scene.world.run_for(secs(3));
        let before = scene.world.pongs(alice);
        scene.world.run_for(secs(20));
        let answered = scene.world.pongs(alice) - before;
        assert!(answered >= 19, "{answered} in 20 s");
    }
    assert!(scene.world.is_online(alice));
}

/// Nothing sent there by UDP would be taken in, and where a user forces everything through the relay,
/// peers need not know where its machine is.
#[test]
fn who_always_uses_the_relay_tells_nobody_its_own_addresses() {
    for (seed, usage) in [(915, TcpRelayUse::Always), (916, TcpRelayUse::Fallback)] {
        let mut scene = scene(seed, usage);
        let (alice, bob) = (scene.alice, scene.bob);
        if usage == TcpRelayUse::Always {
            scene.world.block_udp(alice);
        }
        scene.world.start_recording();
        scene.world.ping_every(secs(1), alice, bob);
        scene.world.run_for(minutes(5));

        let said = scene.world.packets(alice, bob);
        let is_push = |verb: u8| verb == Verb::PushDirectPaths as u8;
        let pushes = said.iter().filter(|(_, packet)| is_push(packet.verb)).count();
        assert!(said.len() > 200, "{}", said.len());
        assert_eq!(pushes == 0, usage == TcpRelayUse::Always, "{usage:?}: {pushes}");
    }
}

/// A device that wakes has heard nobody for an hour. That says nothing about UDP.
#[test]
fn a_device_that_slept_tries_udp_before_the_relay() {
    let mut scene = scene(912, TcpRelayUse::Fallback);
    let alice = scene.alice;
    scene.world.run_for(minutes(1));

    scene.world.sleep(alice);
    scene.world.run_for(minutes(60));
    scene.world.wake(alice);
    scene.world.run_for(minutes(5));

    assert_eq!(changes(&scene.world, alice), 0);
    assert!(scene.world.is_online(alice));
}

/// A relay may say that a peer is anywhere. Nobody gets a datagram by UDP for that, not even once the
/// node has left the relay.
#[test]
fn a_relay_that_lies_directs_nothing_at_others() {
    let mut scene = scene(914, TcpRelayUse::Fallback);
    let (alice, victim) = (scene.alice, "5.200.200.1:9993".parse().unwrap());
    scene.world.let_tcp_relay_lie(scene.bob, victim);
    scene.world.ping_every(secs(1), alice, scene.bob);
    scene.world.block_udp(alice);

    let in_use = |world: &World| world.tcp_relay(alice) == TcpRelayStatus::InUse;
    scene.world.run_until(secs(80), in_use).unwrap();
    let is_believed = |world: &World| {
        let peers = world.node(alice).peers(world.now());
        peers.iter().any(|peer| peer.paths.contains(&victim))
    };
    scene.world.run_until(secs(30), is_believed).unwrap();
    scene.world.run_for(minutes(5));
    scene.world.unblock_udp(alice);
    scene.world.run_for(minutes(5));

    assert_eq!(scene.world.tcp_relay(alice), TcpRelayStatus::Standby);
    assert_eq!(scene.world.bytes_to(victim), 0);
}

#[test]
fn without_a_relay_configured_none_is_asked_for() {
    let mut scene = scene(913, TcpRelayUse::Never);

    scene.world.block_udp(scene.alice);
    scene.world.run_for(minutes(15));

    assert_eq!(changes(&scene.world, scene.alice), 0);
    assert_eq!(scene.world.tcp_relay(scene.alice), TcpRelayStatus::Off);
    assert!(!scene.world.is_online(scene.alice));
}
