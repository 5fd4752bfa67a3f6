//! What a stranger can make a root send to an address it does not have: three bytes for each of
//! its own at most, whatever it says, in whatever order and pieces.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use zt_protocol::address::Address;
use zt_tests::identities;
use zt_tests::packet::{Key, Packet};
use zt_tests::persona::{Hello, Persona};
use zt_tests::sim::durations::millis;
use zt_tests::sim::{NodeId, World};

/// How many bytes an address is sent for each that came from it.
const FACTOR: usize = 3;

/// Who speaks.
#[derive(Clone, Copy, Debug)]
enum Who {
    /// One the root knows, who has proven another address to be its own.
    Known,
    /// One whom anybody who validates it believes.
    New(usize),
    /// One whose address is not derived from its keys.
    MadeUp(usize),
}

/// What becomes of the packet before it is sent.
#[derive(Clone, Copy, Debug)]
enum Handling {
    Whole,
    /// One bit, in so many thousandths of its length, is changed.
    Damaged(usize),
    /// It ends after so many thousandths of its length.
    CutShort(usize),
    /// It says that it was relayed so often.
    Relayed(u8),
    /// It is for somebody else.
    ForSomebodyElse,
    /// It comes in so many fragments.
    InFragments(usize),
    /// The same, but for the last of them, which comes from another address.
    InFragmentsOfTwo(usize),
    /// It comes so often.
    Repeated(usize),
}

/// One thing a stranger does.
#[derive(Clone, Debug)]
enum Act {
    Say {
        who: Who,
        verb: u8,
        body: Vec<u8>,
        planet: u64,
        handling: Handling,
    },
    Junk(Vec<u8>),
    /// Sends again what was sent so many acts ago, maybe from elsewhere.
    Replay(usize),
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        Just(Who::Known),
        (0..4_usize).prop_map(Who::New),
        (0..4_usize).prop_map(Who::MadeUp)
    ]
}

fn handling() -> impl Strategy<Value = Handling> {
    prop_oneof![
        5 => Just(Handling::Whole),
        1 => (0..1_000_usize).prop_map(Handling::Damaged),
        1 => (0..1_000_usize).prop_map(Handling::CutShort),
        1 => (1..8_u8).prop_map(Handling::Relayed),
        1 => Just(Handling::ForSomebodyElse),
        1 => (2..5_usize).prop_map(Handling::InFragments),
        1 => (2..5_usize).prop_map(Handling::InFragmentsOfTwo),
        1 => (2..9_usize).prop_map(Handling::Repeated),
    ]
}

/// HELLO, WHOIS and ECHO are said most often; what can be asked for is mostly in their contents.
fn say() -> impl Strategy<Value = Act> {
    let verb = prop_oneof![Just(1_u8), Just(4), Just(8), 0..=31_u8];
    let addresses = prop_oneof![Just(5_usize), Just(50), Just(500)].prop_map(|len| vec![0; len]);
    let body = prop_oneof![addresses, prop::collection::vec(any::<u8>(), 0..1_380)];
    let planet = prop_oneof![Just(0), Just(u64::MAX)];
    (who(), verb, body, planet, handling()).prop_map(|(who, verb, body, planet, handling)| {
        Act::Say { who, verb, body, planet, handling }
    })
}

/// What is done, as if from which of three addresses, and how long before the next, in ms.
fn acts() -> impl Strategy<Value = Vec<(Act, usize, u64)>> {
    let junk = prop::collection::vec(any::<u8>(), 0..1_500).prop_map(Act::Junk);
    let act = prop_oneof![6 => say(), 1 => junk, 1 => (1..8_usize).prop_map(Act::Replay)];
    let pause = prop_oneof![3 => Just(0_u64), 2 => 1..2_000_u64, 1 => 2_000..90_000_u64];
    prop::collection::vec((act, 0..3_usize, pause), 1..40)
}

/// A root, one it knows, and the strangers.
struct Stage {
    world: World,
    root: NodeId,
    known: Persona,
    root_persona: Persona,
    /// What was sent to the root, the last at the end.
    sent: Vec<Vec<u8>>,
    /// How much came from each address.
    received: BTreeMap<SocketAddr, usize>,
    keys: BTreeMap<Address, Key>,
}

impl Stage {
    fn new(seed: u64) -> Self {
        let mut world = World::seeded(seed);
        let root = world.root();
        let known = world.member();
        world.run_for(millis(5_000));
        let persona = |node| Persona::from_text(&world.identity_of(node).to_text());
        let (known, root_persona) = (persona(known), persona(root));
        let (sent, received, keys) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        Self { world, root, known, root_persona, sent, received, keys }
    }

    fn persona(&self, who: Who) -> Persona {
        match who {
            Who::Known => self.known.clone(),
            Who::New(index) => Persona::from_text(&identities::proven(index).to_text()),
            Who::MadeUp(index) => Persona::from_text(&identities::unproven(index).to_text()),
        }
    }

    /// Returns a packet to the root, sealed.
    fn packet(&mut self, who: Who, verb: u8, body: &[u8], planet: u64) -> Vec<u8> {
        let speaker = self.persona(who);
        let agree = || speaker.key_with(&self.root_persona);
        let key = *self.keys.entry(speaker.address).or_insert_with(agree);
        let id = (1 + self.sent.len() as u64).to_be_bytes();
        let is_hello = verb == 1;
        let hello = Hello {
            protocol: 12,
            timestamp: 1_700_000_000_000 + self.world.now().as_micros() / 1_000,
            sent_to: "5.1.0.1:9993".parse().unwrap(),
            planet: (0x5eed, planet),
        };
        let mut payload = body.to_vec();
        if verb == 4 {
            // WHOIS of somebody known, many times over.
            let known = self.known.address.to_bytes();
            payload.iter_mut().zip(known.iter().cycle()).for_each(|(byte, of)| *byte = *of);
        }
        if is_hello {
            payload = hello.payload(&speaker, id, &key);
        }
        let (to, from) = (self.root_persona.address, speaker.address);
        let cipher = u8::from(!is_hello);
        Packet { id, to, from, cipher, hops: 0, verb, compressed: false, payload }.seal(&key)
    }

    fn inject(&mut self, source: SocketAddr, bytes: &[u8]) {
        *self.received.entry(source).or_default() += bytes.len();
        self.world.inject(self.root, source, bytes);
        self.sent.push(bytes.to_vec());
    }

    fn act(&mut self, act: Act, source: SocketAddr, other: SocketAddr) {
        match act {
            Act::Junk(bytes) => self.inject(source, &bytes),
            Act::Replay(ago) => {
                let again = self.sent.iter().rev().nth(ago - 1).cloned();
                again.into_iter().for_each(|bytes| self.inject(source, &bytes));
            }
            Act::Say { who, verb, body, planet, handling } => {
                let packet = self.packet(who, verb, &body, planet);
                self.handle(packet, handling, source, other);
            }
        }
    }

    fn handle(
        &mut self,
        mut packet: Vec<u8>,
        handling: Handling,
        source: SocketAddr,
        other: SocketAddr,
    ) {
        let share = |thousandth: usize| packet.len() * thousandth / 1_000;
        let (mut pieces, mut last) = (1, source);
        match handling {
            Handling::Whole => {}
            Handling::Damaged(thousandth) => {
                let at = share(thousandth);
                packet[at] ^= 1;
            }
            Handling::CutShort(thousandth) => packet.truncate(share(thousandth)),
            Handling::Relayed(hops) => packet[18] |= hops,
            Handling::ForSomebodyElse => packet[12] ^= 1,
            Handling::Repeated(times) => {
                (1..times).for_each(|_| self.inject(source, &packet));
            }
            Handling::InFragments(count) => pieces = count,
            Handling::InFragmentsOfTwo(count) => (pieces, last) = (count, other),
        }
        let mut datagrams = fragments(packet, pieces);
        let end = datagrams.pop();
        datagrams.iter().for_each(|datagram| self.inject(source, datagram));
        end.into_iter().for_each(|datagram| self.inject(last, &datagram));
    }

    /// Checks every address.
    fn check(&self) -> Result<(), TestCaseError> {
        for (&source, &received) in &self.received {
            let sent = self.world.bytes_to(source);
            prop_assert!(sent <= FACTOR * received, "{sent} bytes to {source} for {received}");
        }
        Ok(())
    }
}

/// Cuts a packet into so many datagrams of about the same length.
fn fragments(mut packet: Vec<u8>, count: usize) -> Vec<Vec<u8>> {
    if count == 1 {
        return vec![packet];
    }
    packet[18] |= 0x40;
    let len = packet.len().div_ceil(count).max(28);
    let count = packet.len().div_ceil(len);
    let cut = packet.chunks(len).enumerate().map(|(number, piece)| match number {
        0 => piece.to_vec(),
        _ => {
            let counts = (count << 4 | number) as u8;
            [&packet[..13], &[0xff, counts, 0], piece].concat()
        }
    });
    cut.collect()
}

#[test]
fn whatever_a_stranger_says_an_unproven_address_is_sent_three_bytes_for_each_at_most() {
    let sources = ["7.1.0.1:1000", "7.1.0.2:1000", "7.2.0.1:2000"].map(|at| at.parse().unwrap());
    let answered = Cell::new(0);
    let cases =
        Config { cases: 64, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    let result = TestRunner::new(cases).run(&(0..1_000_u64, acts()), |(seed, acts)| {
        let mut stage = Stage::new(seed);
        for (act, from, pause) in acts {
            stage.act(act, sources[from], sources[(from + 1) % 3]);
            stage.check()?;
            stage.world.run_for(millis(pause));
            stage.check()?;
        }
        let bytes: usize = sources.iter().map(|&source| stage.world.bytes_to(source)).sum();
        answered.set(answered.get() + bytes);
        Ok(())
    });
    result.unwrap();
    assert!(answered.get() > 20_000, "{} bytes are no answer at all", answered.get());
}
