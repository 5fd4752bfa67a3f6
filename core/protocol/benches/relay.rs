//! What a root pays for a packet that it passes on.
//!
//! Budgets are for one core of an x86-64 server.

use core::net::SocketAddr;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use zt_protocol::address::{Address, NetworkId};
use zt_protocol::endpoint::{Path, SocketId};
use zt_protocol::identity::SecretIdentity;
use zt_protocol::node::{Config, Node};
use zt_protocol::path_rules::PathRules;
use zt_protocol::pins::Pins;
use zt_protocol::rng::Rng;
use zt_protocol::time::{Instant, UnixMillis};
use zt_protocol::transmit::{Cut, Frame, FrameSink, Transmit};
use zt_protocol::world::{Root, World};

/// Where the root and its two peers are.
const PLACES: [&str; 3] = ["5.2.0.1:9993", "5.2.0.2:9993", "5.2.0.3:9993"];

/// How often the three are given time to get to know each other.
const ROUNDS: u64 = 20;

const LENS: [usize; 2] = [64, 1_400];

fn main() {
    divan::main();
}

/// Keeps what is sent.
#[derive(Default)]
struct Sent(Vec<(SocketAddr, Vec<u8>)>);

impl Transmit for Sent {
    fn reserve(&mut self, path: Path, cut: Cut) -> Option<&mut [u8]> {
        self.0.push((path.remote, vec![0; cut.total_len]));
        self.0.last_mut().map(|(_, bytes)| bytes.as_mut_slice())
    }

    fn send_short_lived(&mut self, _: Path, _: u8, _: &[u8]) {}
}

/// Forgets what is sent and keeps the room, as a socket's buffer does.
struct Socket(Vec<u8>);

impl Transmit for Socket {
    fn reserve(&mut self, _: Path, cut: Cut) -> Option<&mut [u8]> {
        self.0.resize(cut.total_len, 0);
        Some(&mut self.0)
    }

    fn send_short_lived(&mut self, _: Path, _: u8, _: &[u8]) {}
}

struct NoHost;

impl FrameSink for NoHost {
    fn deliver(&mut self, _: NetworkId, _: Frame<'_>) {}
}

fn from(place: usize) -> Path {
    Path { local: SocketId(0), remote: PLACES[place].parse().expect("it is an address") }
}

/// Returns a root that two peers have come to, and their addresses.
fn root_with_two_peers() -> (Node, [Address; 2]) {
    let identities =
        [1, 2, 3].map(|seed| SecretIdentity::generate(&mut Rng::from_seed([seed; 32])));
    let endpoints = vec![from(0).remote];
    let root = Root { identity: *identities[0].public(), endpoints };
    let planet = World { roots: vec![root], ..World::default_planet() };
    let [_, alice, bob] = [0, 1, 2].map(|place| identities[place].address());
    let mut nodes = identities.map(|identity| {
        let config = Config {
            planet: planet.clone(),
            moons: Vec::new(),
            pins: Pins::new(),
            path_rules: PathRules::default(),
            low_bandwidth: false,
            controller: false,
            epoch: None,
            platform: "bench/none",
            memory_budget: None,
            allow_loopback: false,
        };
        Node::new(identity, config, [4; 32], Instant::ZERO, UnixMillis(1))
    });

    for round in 0..ROUNDS {
        let now = Instant::from_millis(round * 250);
        for here in 0..nodes.len() {
            let mut sent = Sent::default();
            nodes[here].handle_timeout(now, &mut sent, &mut NoHost);
            pass_on(&mut nodes, now, here, sent);
        }
    }
    let [root, _, _] = nodes;
    (root, [alice, bob])
}

/// Hands datagrams to whoever they are for, and what they answer with likewise.
fn pass_on(nodes: &mut [Node], now: Instant, here: usize, sent: Sent) {
    for (to, mut bytes) in sent.0 {
        let Some(there) = (0..PLACES.len()).find(|&place| from(place).remote == to) else {
            continue;
        };
        let mut answers = Sent::default();
        // What is refused is not answered.
        let _ =
            nodes[there].handle_datagram(now, from(here), &mut bytes, &mut answers, &mut NoHost);
        pass_on(nodes, now, there, answers);
    }
}

/// Passes packets between two peers on, one by one.
///
/// Budget: 5 µs, without the system's share of it, which is 200,000 packets a second.
#[divan::bench(args = LENS)]
fn pass_packets_on(bencher: Bencher<'_, '_>, len: usize) {
    let (mut root, [alice, bob]) = root_with_two_peers();
    let mut packet = Rng::from_seed([5; 32]).bytes::<8>().to_vec();
    packet.extend(bob.to_bytes());
    packet.extend(alice.to_bytes());
    packet.resize(len, 0x18);
    let now = Instant::from_millis(ROUNDS * 250);
    let mut socket = Socket(Vec::new());

    let mut pass_on = || {
        packet[18] &= !0b111;
        root.handle_datagram(now, from(1), &mut packet, &mut socket, &mut NoHost)
            .expect("both are known");
        socket.0.len()
    };

    // With the first the two are introduced to each other.
    pass_on();
    assert_eq!(pass_on(), len);
    bencher.counter(ItemsCount::new(1_usize)).counter(BytesCount::new(len)).bench_local(pass_on);
}
