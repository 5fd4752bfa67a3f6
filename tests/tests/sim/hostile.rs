//! Input nobody means well with.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use zt_protocol::address::{Address, NetworkId};
use zt_protocol::error::Rejected;
use zt_protocol::rng::Rng;
use zt_protocol::verb::Verb;
use zt_tests::packet::Packet;
use zt_tests::persona::{Hello, Persona};
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{NodeId, World};

use super::scene::Scene;

/// Frames are captured on their way and repeated from elsewhere twenty seconds later,
/// while another member sends more than one table for all would remember.
#[test]
fn no_frame_is_delivered_twice_however_much_another_member_sends() {
    let mut scene = Scene::private(182);
    let carol = scene.world.member();
    scene.world.allow(scene.network, carol);
    scene.world.join(scene.network, &[carol]);
    let (network, bob, alice) = (scene.network, scene.bob, scene.alice);
    scene.world.run_until(secs(15), |world| world.are_up(network, &[carol])).unwrap();
    scene.await_ping();
    scene.world.send_data(carol, bob, 0, 100);
    scene.world.run_for(secs(5));

    scene.world.start_recording();
    for number in 1..=100 {
        scene.world.send_data(alice, bob, number, 600);
    }
    scene.world.run_for(secs(1));
    let captured = scene.world.last_datagrams(1_000);
    let captured: Vec<_> =
        captured.into_iter().filter(|(to, _, bytes)| *to == bob && bytes.len() > 600).collect();
    assert_eq!(captured.len(), 100);
    scene.world.stop_recording();
    for number in 0..20_000 {
        scene.world.send_data(carol, bob, 1_000 + number, 40);
        if number % 100 == 0 {
            scene.world.run_for(millis(100));
        }
    }
    scene.world.run_for(secs(1));

    scene.world.take_frames(bob);
    let before = scene.world.dropped(bob, Rejected::Replayed);
    for (to, _, bytes) in &captured {
        scene.world.inject(*to, "7.7.7.7:9993".parse().unwrap(), bytes);
    }
    assert_eq!(scene.world.take_frames(bob), []);
    assert_eq!(scene.world.dropped(bob, Rejected::Replayed), before + 100);
}

/// HELLOs from made-up identities, ten thousand a second and each in another's name, while one
/// member pings another and a third comes along.
///
/// What it costs is counted: 25 ms for each identity that is validated, 0.07 ms for each key that
/// is agreed on. The ECHOs that are asked for go to whoever was named, and none comes back.
#[test]
fn a_flood_of_made_up_identities_costs_a_tenth_of_a_core_and_keeps_nobody_out() {
    let mut scene = Scene::private(188);
    let (alice, network) = (scene.alice, scene.network);
    scene.await_ping();
    scene.world.ping_every(millis(50), alice, scene.bob);
    let carol = scene.world.member();
    scene.world.allow(network, carol);
    let mut rng = Rng::from_seed([11; 32]);
    let victims = [scene.root, scene.bob];
    let before = victims.map(|node| cost_of_strangers(&scene.world, node));
    let pongs = scene.world.pongs(alice);

    scene.world.join(network, &[carol]);
    for round in 0..5_000 {
        for victim in victims {
            let source = format!("7.{}.{}.1:9993", rng.below(256), rng.below(256));
            let hello = made_up_hello(&scene.world, victim, &mut rng);
            scene.world.inject(victim, source.parse().unwrap(), &hello);
        }
        if round % 10 == 0 {
            scene.world.run_for(millis(1));
        }
    }

    let secs_of_flood = 0.5;
    for (node, before) in victims.into_iter().zip(before) {
        let spent = cost_of_strangers(&scene.world, node) - before;
        let saved_up = 0.025 * 16.0 + 0.000_07 * 300.0;
        assert!(
            spent <= saved_up + 0.1 * secs_of_flood,
            "{spent} s: {:?}",
            scene.world.drops(node)
        );
    }
    scene.world.run_for(millis(500));
    let answered = scene.world.pongs(alice) - pongs;
    assert!(answered >= 16, "{answered} pings of 20 were answered");
    scene.world.run_until(secs(60), |world| world.are_up(network, &[carol])).unwrap();
}

/// More than are validated at once come together: the others are asked to show where they are
/// first, and a repeated HELLO is asked for nothing.
#[test]
fn a_crowd_of_newcomers_is_asked_to_show_where_it_is_and_let_in() {
    let mut world = World::seeded(189);
    world.latency(millis(10)..=millis(40));
    let root = world.root();
    let newcomers: Vec<NodeId> = (0..24).map(|_| world.member()).collect();

    let all_online = |world: &World| newcomers.iter().all(|&node| world.is_online(node));
    world.run_until(secs(5), all_online).unwrap();

    assert!(world.dropped(root, Rejected::Unproven) >= 8);
}

/// Seconds of a core that were spent on strangers who turned out to be nobody.
fn cost_of_strangers(world: &World, node: NodeId) -> f64 {
    let drops = world.drops(node);
    let validated = drops.of(Rejected::InvalidIdentity) as f64;
    let agreed = validated + drops.of(Rejected::Unproven) as f64;
    0.025 * validated + 0.000_07 * agreed
}

/// Returns a HELLO to `victim` from an identity whose address is not derived from its keys, sealed
/// as it should be.
fn made_up_hello(world: &World, victim: NodeId, rng: &mut Rng) -> Vec<u8> {
    let secret: [u8; 64] = rng.bytes();
    let [x, ed] = [0, 32].map(|at| <[u8; 32]>::try_from(&secret[at..at + 32]).unwrap());
    let public = [zt_crypto::x25519_public(&x), zt_crypto::ed25519_public(&ed)].concat();
    let address = Address::from_u64(1 + rng.u64() % 0xfe_ffff_ffff);
    let [public, secret] = [public, secret.to_vec()].map(hex::encode);
    let nobody = Persona::from_text(&format!("{address}:0:{public}:{secret}"));
    let victim = Persona::from_text(&world.identity_of(victim).to_text());
    let (id, key) = (rng.bytes(), nobody.key_with(&victim));
    let hello = Hello {
        protocol: 12,
        timestamp: 1_700_000_000_000,
        sent_to: "5.1.0.1:9993".parse().unwrap(),
        planet: (0x5eed, 0),
    };
    let payload = hello.payload(&nobody, id, &key);
    let (to, from, verb) = (victim.address, nobody.address, Verb::Hello as u8);
    let packet = Packet { id, to, from, cipher: 0, hops: 0, verb, compressed: false, payload };
    packet.seal(&key)
}

/// A member in good standing says everything that is answered, in the name of others' addresses:
/// none of them gets more than three bytes for each, nor a packet of several datagrams.
///
/// What it says, to whom and as if from where, is random. Its HELLOs ask for a planet it lacks.
#[test]
fn nobody_is_flooded_in_anothers_name() {
    let mut rng = Rng::from_seed([10; 32]);
    for seed in 183..187 {
        let mut scene = Scene::private(seed);
        scene.await_ping();
        let everybody = [scene.root, scene.controller, scene.alice, scene.bob];
        let addresses = everybody.map(|node| scene.world.address_of(node).to_bytes());
        let mut spoofed = BTreeMap::<SocketAddr, usize>::new();
        for round in 0..600 {
            let target = [scene.root, scene.controller, scene.alice][rng.below(3)];
            let victim: SocketAddr =
                format!("7.1.{}.1:{}", rng.below(4), 1000 + rng.below(3)).parse().unwrap();
            let (verb, body) = match rng.below(6) {
                0 => (Verb::Hello, vec![]),
                1 => (Verb::Echo, vec![7; rng.below(1_400)]),
                2 => (Verb::Whois, addresses[rng.below(4)].to_vec()),
                3 => (Verb::Whois, addresses.concat().repeat(1 + rng.below(5))),
                4 => (Verb::Nop, vec![]),
                _ => (Verb::MulticastGather, gather(scene.network)),
            };
            let len = scene.world.say_as_if_at(victim, scene.bob, target, verb, &body);
            *spoofed.entry(victim).or_default() += len;
            if round % 3 == 0 {
                scene.world.run_for(millis(rng.below(2_000) as u64));
            }
            for (&victim, &len) in &spoofed {
                let sent = scene.world.bytes_to(victim);
                assert!(sent <= 3 * len, "seed {seed}: {sent} bytes to {victim} for {len}");
            }
        }
        let sent: usize = spoofed.keys().map(|&victim| scene.world.bytes_to(victim)).sum();
        assert!(sent > 10_000, "seed {seed}: {sent} bytes are no answer at all");
        let unproven =
            everybody.map(|node| scene.world.dropped(node, Rejected::Unproven)).iter().sum::<u64>();
        assert!(unproven > 0, "seed {seed}: the limit was never reached");
    }
}

/// Asks for as many subscribers of the broadcast group as there are.
fn gather(network: NetworkId) -> Vec<u8> {
    let mut body = network.to_bytes().to_vec();
    body.push(0);
    body.extend([0xff; 6]);
    body.extend([0; 4]);
    body.extend(1_000_u32.to_be_bytes());
    body
}

/// What a node knows, without what counts or measures.
fn knowledge(world: &World, node: NodeId) -> String {
    let (now, node) = (world.now(), world.node(node));
    let peers = node.peers(now).into_iter().map(|peer| (peer.address, peer.role, peer.version));
    format!("{:?} {:?} {:?}", node.status(now), node.networks(), peers.collect::<Vec<_>>())
}

fn total_drops(world: &World, node: NodeId) -> u64 {
    world.drops(node).iter().map(|(_, count)| count).sum()
}

/// Junk from addresses all over the Internet, some of it shaped like packets and fragments.
#[test]
fn a_flood_of_junk_changes_nothing_but_counters() {
    let mut scene = Scene::public(180);
    scene.await_ping();
    let mut rng = Rng::from_seed([8; 32]);
    let victims = [scene.root, scene.controller, scene.alice];
    let before = victims.map(|node| knowledge(&scene.world, node));
    let dropped = victims.map(|node| total_drops(&scene.world, node));

    for round in 0..3_000 {
        for victim in victims {
            let mut junk: [u8; 1500] = rng.bytes();
            let len = rng.below(junk.len());
            let to = scene.world.address_of(victim).to_bytes();
            match round % 4 {
                0 => {}
                // A packet for the victim.
                1 => junk[8..13].copy_from_slice(&to),
                // A HELLO for the victim.
                2 => {
                    junk[8..13].copy_from_slice(&to);
                    junk[18] = 0;
                    junk[27] = 1;
                }
                // A fragment for the victim.
                _ => {
                    junk[8..13].copy_from_slice(&to);
                    junk[13] = 0xff;
                    junk[14] = 0x21;
                }
            }
            let source = format!("7.{}.{}.1:9993", round % 250, rng.below(250)).parse().unwrap();
            scene.world.inject(victim, source, &junk[..len]);
        }
    }
    scene.world.run_for(secs(10));

    assert_eq!(victims.map(|node| knowledge(&scene.world, node)), before);
    for (victim, before) in victims.into_iter().zip(dropped) {
        let drops = scene.world.drops(victim);
        assert!(total_drops(&scene.world, victim) > before + 2_000, "{drops:?}");
        assert!(drops.of(Rejected::TransmitFull) == 0, "{drops:?}");
    }
    assert_eq!(scene.count_pings(20), 20);
}

/// Genuine datagrams, each with one bit changed, cut short or repeated.
#[test]
fn damaged_and_repeated_datagrams_change_nothing_but_counters() {
    let mut scene = Scene::private(181);
    scene.world.start_recording();
    scene.world.ping_every(millis(200), scene.alice, scene.bob);
    scene.world.run_for(secs(30));
    scene.world.stop_pings();
    scene.world.run_for(secs(5));
    let mut rng = Rng::from_seed([9; 32]);
    let nodes = [scene.root, scene.controller, scene.alice, scene.bob];
    let before = nodes.map(|node| knowledge(&scene.world, node));

    let genuine = scene.world.last_datagrams(256);
    assert_eq!(genuine.len(), 256);
    for (node, source, bytes) in genuine {
        let mut flipped = bytes.clone();
        let at = rng.below(flipped.len());
        flipped[at] ^= 1 << rng.below(8);
        let cut = &bytes[..rng.below(bytes.len())];
        for damaged in [&flipped[..], cut, &bytes, &bytes] {
            scene.world.inject(node, source, damaged);
        }
    }
    scene.world.run_for(secs(10));

    assert_eq!(nodes.map(|node| knowledge(&scene.world, node)), before);
    assert_eq!(scene.count_pings(20), 20);
}
