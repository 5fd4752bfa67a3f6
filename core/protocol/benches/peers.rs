//! What a root that starts again pays for everybody it knew.
//!
//! Budgets are for one core of an x86-64 server with VAES and no flags for the native CPU.

use divan::Bencher;
use divan::counter::ItemsCount;
use zt_protocol::address::{Address, NetworkId};
use zt_protocol::endpoint::Path;
use zt_protocol::identity::{Identity, SecretIdentity};
use zt_protocol::node::{Command, Config, Node};
use zt_protocol::path_rules::PathRules;
use zt_protocol::pins::Pins;
use zt_protocol::rng::Rng;
use zt_protocol::time::{Instant, UnixMillis};
use zt_protocol::transmit::{Cut, Frame, FrameSink, Transmit};
use zt_protocol::world::{Root, World};

/// How many peers the root knew.
const PEERS: u64 = 10_000;

fn main() {
    divan::main();
}

/// Takes what is sent and forgets it.
struct Nowhere(Vec<u8>);

impl Transmit for Nowhere {
    fn reserve(&mut self, _: Path, cut: Cut) -> Option<&mut [u8]> {
        self.0.resize(cut.total_len, 0);
        Some(&mut self.0)
    }

    fn send_short_lived(&mut self, _: Path, _: u8, _: &[u8]) {}
}

impl FrameSink for Nowhere {
    fn deliver(&mut self, _: NetworkId, _: Frame<'_>) {}
}

/// Returns the record of a peer at one address. Its own is not derived from its keys, which nobody
/// checks of what was saved.
fn record(number: u64, rng: &mut Rng) -> Vec<u8> {
    let address = Address::from_u64(0x77_0000_0000 + number);
    let [a, b, c, d] = u32::try_from(number).unwrap_or_default().to_be_bytes();
    // Half of all numbers are points of the curve, and any is of its twist.
    let identity = Identity::from_parts(address, rng.bytes());
    let mut record = vec![2];
    record.extend(identity.to_bytes());
    record.extend([0, 12, 0, 1, 0, 14, 0, 1, 0, 1]);
    record.extend([4, 5 + a, b, c, d, 0x27, 0x09]);
    record
}

fn root() -> Node {
    let identity = SecretIdentity::generate(&mut Rng::from_seed([1; 32]));
    let root = Root { identity: *identity.public(), endpoints: Vec::new() };
    let config = Config {
        planet: World { roots: vec![root], ..World::default_planet() },
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
    Node::new(identity, config, [2; 32], Instant::ZERO, UnixMillis(1))
}

/// Loads ten thousand peers, agrees on a key with each and greets it.
///
/// Budget: one second.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn load_ten_thousand(bencher: Bencher<'_, '_>) {
    let mut rng = Rng::from_seed([3; 32]);
    let records: Vec<_> = (0..PEERS).map(|number| record(number, &mut rng)).collect();

    bencher
        .counter(ItemsCount::new(PEERS))
        .with_inputs(|| (root(), Nowhere(Vec::new())))
        .bench_local_values(|(mut root, mut transmit)| {
            let mut sink = Nowhere(Vec::new());
            for record in &records {
                let command = Command::LoadPeer(record.clone());
                let loaded = root.handle_command(Instant::ZERO, command, &mut transmit, &mut sink);
                loaded.expect("the record is one");
            }
            assert_eq!(root.peers(Instant::ZERO).len() as u64, PEERS);
            root
        });
}
