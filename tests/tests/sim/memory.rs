//! What a node takes in memory, by its own account and by the allocator's, and what it gives back.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use zt_protocol::address::{Address, Mac, MulticastGroup, NetworkId};
use zt_protocol::credential::Membership;
use zt_protocol::endpoint::{Path, SocketId};
use zt_protocol::error::Rejected;
use zt_protocol::identity::{Identity, SecretIdentity};
use zt_protocol::limits::{CONFIG_LEN_MAX, LIKES_PER_MEMBER_MAX, MEMORY_BUDGET_MIN};
use zt_protocol::memory::MemoryUse;
use zt_protocol::node::{Command, Node};
use zt_protocol::rng::Rng;
use zt_protocol::time::{Instant, UnixMillis};
use zt_protocol::transmit::{Cut, Frame, FrameSink, Transmit};
use zt_protocol::verb::Verb;
use zt_protocol::wire::credentials::Credentials;
use zt_protocol::wire::ethernet::ETHERTYPE_IPV4;
use zt_protocol::wire::frame::PlainFrame;
use zt_protocol::wire::multicast::write_likes;
use zt_tests::packet::{Key, Packet};
use zt_tests::persona::{Hello, Persona};
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{Access, World};
use zt_tests::{identities, memory};

use super::scene::Scene;

/// Some time within the window of whatever the controller issues in a story.
const NOW: UnixMillis = UnixMillis(1_700_000_010_000);

/// As much of a configuration as fits a packet.
const CHUNK: usize = 9_700;

/// Somebody alice hears from.
struct Voice {
    persona: Persona,
    key: Key,
    at: SocketAddr,
}

/// Where what alice sends and delivers goes: it is counted.
#[derive(Default)]
struct Counter {
    lent: Vec<u8>,
    datagrams: usize,
    frames: usize,
}

impl Transmit for Counter {
    fn reserve(&mut self, _: Path, cut: Cut) -> Option<&mut [u8]> {
        self.datagrams += cut.count;
        self.lent.get_mut(..cut.total_len)
    }

    fn send_short_lived(&mut self, _: Path, _: u8, _: &[u8]) {}
}

impl FrameSink for Counter {
    fn deliver(&mut self, _: NetworkId, _: Frame<'_>) {
        self.frames += 1;
    }
}

/// Alice, a member of a public network, alone with what is made up for her to hear. All that is
/// allocated while she listens is hers.
struct Alone {
    node: Node,
    me: Persona,
    now: Instant,
    network: NetworkId,
    own: IpAddr,
    bob: Voice,
    bob_ip: IpAddr,
    controller: Voice,
    signer: SecretIdentity,
    rng: Rng,
    out: Counter,
    sink: Counter,
    /// The most the allocator counted after any call.
    most_held: isize,
}

impl Alone {
    fn with_budget(seed: u64, budget: Option<usize>) -> Self {
        let mut scene = Scene::with(
            seed,
            Access::Public,
            |world| {
                let alice = world.member();
                if let Some(budget) = budget {
                    world.set_memory_budget(alice, budget);
                }
                alice
            },
            World::member,
        );
        scene.await_ping();
        scene.world.run_for(secs(2));
        let Scene { mut world, controller, network, alice, bob, .. } = scene;
        let me = Persona::from_text(&world.identity_of(alice).to_text());
        let signer = world.identity_of(controller);
        let voice = |node| {
            let persona = Persona::from_text(&world.identity_of(node).to_text());
            let key = persona.key_with(&me);
            Voice { persona, key, at: world.sockets_of(node)[0] }
        };
        let (bob_voice, controller) = (voice(bob), voice(controller));
        let ip_of = |node| *world.addresses(network, node).iter().find(|ip| ip.is_ipv4()).unwrap();
        let (own, bob_ip) = (ip_of(alice), ip_of(bob));
        let (node, now) = world.take_out(alice);
        let lent = vec![0; 1 << 16];
        Self {
            node,
            me,
            now,
            network,
            own,
            bob: bob_voice,
            bob_ip,
            controller,
            signer,
            rng: Rng::from_seed([1; 32]),
            out: Counter { lent, ..Counter::default() },
            sink: Counter::default(),
            most_held: 0,
        }
    }

    /// Lets time pass.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(wakeup) = self.node.poll_timeout().filter(|wakeup| wakeup.at <= end) {
            self.now = self.now.max(wakeup.at);
            self.node.handle_timeout(self.now, &mut self.out, &mut self.sink);
            self.settle();
        }
        self.now = end;
    }

    fn settle(&mut self) {
        while self.node.poll_event().is_some() {}
        self.most_held = self.most_held.max(memory::held());
    }

    fn command(&mut self, command: Command) {
        self.node.handle_command(self.now, command, &mut self.out, &mut self.sink).unwrap();
        self.settle();
    }

    fn hear(&mut self, voice: &Voice, verb: Verb, body: &[u8]) -> Result<(), Rejected> {
        let id = self.rng.bytes();
        let hello = Hello {
            protocol: 12,
            timestamp: NOW.0 + self.now.as_micros() / 1_000,
            sent_to: "5.0.0.1:9993".parse().unwrap(),
            planet: (0x5eed, 0),
        };
        let is_hello = verb == Verb::Hello;
        let payload =
            if is_hello { hello.payload(&voice.persona, id, &voice.key) } else { body.to_vec() };
        let packet = Packet {
            id,
            to: self.me.address,
            from: voice.persona.address,
            cipher: u8::from(!is_hello),
            hops: 0,
            verb: verb as u8,
            compressed: false,
            payload,
        };
        let mut datagram = packet.seal(&voice.key);
        drop(packet);
        let path = Path { local: SocketId(0), remote: voice.at };
        let heard =
            self.node.handle_datagram(self.now, path, &mut datagram, &mut self.out, &mut self.sink);
        drop(datagram);
        self.settle();
        heard
    }

    /// Somebody whose identity alice has been told is valid.
    fn acquaintance(&mut self, number: usize) -> Voice {
        let identity = identities::unproven(number);
        self.command(Command::LoadPeer(record(identity.public())));
        let persona = Persona::from_text(&identity.to_text());
        let key = persona.key_with(&self.me);
        let number = u32::try_from(number).unwrap();
        Voice { persona, key, at: SocketAddr::from((0x0900_0000_u32.to_be_bytes(), 9_993)) }
            .moved(number)
    }

    /// Has a peer say that it is in so many groups nobody else is in.
    fn like(&mut self, voice: &Voice, groups: usize) {
        let [.., c, d, e] = voice.persona.address.to_bytes();
        let groups = (0..groups).map(|adi| MulticastGroup {
            mac: Mac::from([0x33, 0x33, 0xff, c, d, e]),
            adi: u32::try_from(adi).unwrap(),
        });
        let network = self.network;
        let likes: Vec<_> = groups.map(|group| (network, group)).collect();
        for body in write_likes(&likes) {
            let _ = self.hear(voice, Verb::MulticastLike, &body);
        }
    }

    /// Has a peer show alice certificates of these, who are made up.
    fn certify(&mut self, voice: &Voice, members: Range<usize>) {
        let memberships = members.map(|number| {
            let member = identities::unproven(number);
            Membership::issue(&self.signer, self.network, member.public(), NOW, 1)
        });
        let all = Credentials { memberships: memberships.collect(), ..Credentials::default() };
        for body in all.write() {
            let _ = self.hear(voice, Verb::NetworkCredentials, &body);
        }
    }

    /// Has the controller begin a configuration as long as there can be, and not finish it.
    fn begin_configuration(&mut self, update: u64) {
        let mut chunk = self.network.0.to_be_bytes().to_vec();
        chunk.extend(u16::try_from(CHUNK).unwrap().to_be_bytes());
        chunk.extend([b'x'; CHUNK]);
        chunk.push(0);
        chunk.extend(update.to_be_bytes());
        chunk.extend(u32::try_from(CONFIG_LEN_MAX - 1).unwrap().to_be_bytes());
        chunk.extend(0_u32.to_be_bytes());
        let signature = self.signer.sign(&[&chunk]);
        chunk.extend([1, 0, 96]);
        chunk.extend(signature);
        let controller = Voice { persona: self.controller.persona.clone(), ..self.controller };
        let _ = self.hear(&controller, Verb::NetworkConfig, &chunk);
    }

    /// Exchanges a packet with bob each way; returns whether both got through.
    fn exchange(&mut self) -> bool {
        let (sent, delivered) = (self.out.datagrams, self.sink.frames);
        let packet = ip_packet(self.own, self.bob_ip);
        let gone =
            self.node.handle_packet(self.now, self.network, &packet, &mut self.out, &mut self.sink);
        let packet = ip_packet(self.bob_ip, self.own);
        let body = [&PlainFrame::header(self.network, ETHERTYPE_IPV4)[..], &packet].concat();
        let bob = Voice { persona: self.bob.persona.clone(), ..self.bob };
        let come = self.hear(&bob, Verb::Frame, &body);
        drop((packet, body, bob));
        self.settle();
        gone.is_ok()
            && come.is_ok()
            && self.out.datagrams > sent
            && self.sink.frames == delivered + 1
    }

    fn dropped(&self, reason: Rejected) -> u64 {
        self.node.drops().of(reason)
    }

    /// Ends the node; returns what it took by its own account and by the allocator's, and the most it
    /// ever took by that, in bytes.
    fn end(self) -> (MemoryUse, usize, usize) {
        let account = self.node.memory();
        let before = memory::held();
        drop(self.node);
        let held = before - memory::held();
        let most = self.most_held - before + held;
        (account, held.unsigned_abs(), most.unsigned_abs())
    }
}

impl Voice {
    /// Returns the same voice from another address.
    fn moved(self, host: u32) -> Self {
        let at = SocketAddr::from(((0x0900_0001 + host).to_be_bytes(), 9_993));
        Self { at, ..self }
    }
}

/// Returns what is saved of a peer that was never reached (spec 02 §12).
fn record(identity: &Identity) -> Vec<u8> {
    let announced = [0, 12, 0, 1, 0, 14, 0, 1, 0, 0];
    [&[2][..], &identity.to_bytes(), &announced].concat()
}

fn ip_packet(source: IpAddr, destination: IpAddr) -> Vec<u8> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) else {
        panic!("the story is one of IPv4");
    };
    let mut packet = vec![0x45, 0, 0, 100, 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.resize(100, 0);
    packet
}

/// Checks that what a node says it takes is true to within a quarter.
fn assert_true(account: MemoryUse, held: usize, what: &str) {
    let total = account.total();
    assert!(4 * total.abs_diff(held) <= held, "{what}: {total} instead of {held}, {account:?}");
}

#[test]
fn a_node_knows_what_thousands_of_peers_take() {
    let mut alice = Alone::with_budget(900, None);
    for number in 0..2_000 {
        let peer = alice.acquaintance(number);
        alice.hear(&peer, Verb::Hello, &[]).unwrap();
        for _ in 0..if number < 200 { 40 } else { 2 } {
            alice.hear(&peer, Verb::Nop, &[]).unwrap();
        }
    }
    for number in 2_000..8_000 {
        alice.acquaintance(number);
    }

    let (account, held, _) = alice.end();
    assert!(account.peers > 2_000_000, "{account:?}");
    assert_true(account, held, "peers");
}

#[test]
fn a_node_knows_what_subscriptions_of_members_take() {
    let mut alice = Alone::with_budget(901, None);
    for number in 0..40 {
        let member = alice.acquaintance(number);
        alice.hear(&member, Verb::Hello, &[]).unwrap();
        alice.like(&member, 900);
    }

    let (account, held, _) = alice.end();
    assert!(account.networks > 1_500_000, "{account:?}");
    assert_true(account, held, "subscriptions");
}

#[test]
fn a_node_knows_what_members_it_was_told_of_take() {
    let mut alice = Alone::with_budget(902, None);
    for round in 0..100 {
        let member = alice.acquaintance(10_000 + round);
        alice.hear(&member, Verb::Hello, &[]).unwrap();
        alice.certify(&member, 20 * round..20 * round + 20);
    }

    let (account, held, _) = alice.end();
    assert!(account.networks > 1_000_000, "{account:?}");
    assert_true(account, held, "members");
}

/// Three thousand peers come within half a minute and stay; members say that they are in as many
/// groups as they may; the controller begins configurations, and has made-up members certified;
/// packets wait. All that would take thrice the budget.
#[test]
fn a_node_keeps_to_its_budget_whoever_wants_it_to_remember_what() {
    let mut alice = Alone::with_budget(903, Some(MEMORY_BUDGET_MIN));
    assert!(alice.exchange());
    let voices: Vec<Voice> = (0..3_000).map(|number| alice.acquaintance(number)).collect();
    alice.most_held = 0;

    for (number, voice) in voices.iter().enumerate() {
        let _ = alice.hear(voice, Verb::Hello, &[]);
        if number % 40 == 0 {
            alice.like(voice, LIKES_PER_MEMBER_MAX);
            alice.certify(voice, 20_000 + number..20_000 + number + 20);
            alice.begin_configuration(number as u64);
        }
        if number % 40 == 20 {
            let mut stranger = Voice { persona: voice.persona.clone(), ..*voice };
            stranger.persona.address = Address::from_u64(0x99_0000_0000 + number as u64);
            let _ = alice.hear(&stranger, Verb::Echo, &[0; 9_900]);
        }
        if number % 10 == 0 {
            assert!(alice.exchange(), "the packets after {number} peers were lost");
        }
        alice.pass(millis(10));
    }
    assert!(alice.dropped(Rejected::Full) > 0);

    // Those who came are silent by now, and somebody else can come.
    for _ in 0..70 {
        alice.pass(secs(1));
        assert!(alice.exchange());
    }
    let late = alice.acquaintance(30_000);
    alice.hear(&late, Verb::Hello, &[]).unwrap();
    assert!(alice.exchange());

    let (account, held, most) = alice.end();
    drop(voices);
    println!("{held} bytes in the end, {most} at most, {account:?}");
    assert_eq!(account.budget, Some(MEMORY_BUDGET_MIN));
    assert!(most <= MEMORY_BUDGET_MIN, "it took {most} bytes");
}

/// Whoever was silent for a minute is forgotten, and all the room that tables have grown is given
/// back, at least as much as the node says.
#[test]
fn trimming_gives_back_at_least_what_the_node_says() {
    let mut alice = Alone::with_budget(904, None);
    for number in 0..1_000 {
        let peer = alice.acquaintance(number);
        alice.hear(&peer, Verb::Hello, &[]).unwrap();
        alice.hear(&peer, Verb::Nop, &[]).unwrap();
    }
    for number in 1_000..4_000 {
        alice.acquaintance(number);
    }
    for _ in 0..130 {
        alice.pass(secs(1));
        assert!(alice.exchange());
    }

    let (before, held) = (alice.node.memory().total(), memory::held());
    alice.command(Command::TrimMemory);
    let said = before - alice.node.memory().total();
    let given = (held - memory::held()).unsigned_abs();

    println!("{said} bytes by its account, {given} by the allocator's");
    assert!(said > 1_000_000, "{said}");
    assert!(given >= said, "{given} bytes instead of {said}");
    assert!(alice.exchange());
    let (account, left, _) = alice.end();
    assert!(left < 300_000, "{left} bytes are left, {account:?}");
}

/// Memory gets short while two members talk: they notice nothing, and who was forgotten is found
/// again.
#[test]
fn members_that_talk_do_not_notice_that_memory_is_trimmed() {
    for private in [false, true] {
        let mut scene = if private { Scene::private(905) } else { Scene::public(905) };
        let carol = scene.world.member();
        if private {
            scene.world.allow(scene.network, carol);
        }
        scene.world.join(scene.network, &[carol]);
        scene.world.run_for(secs(10));
        scene.await_ping();
        for _ in 0..3 {
            scene.world.ping(carol, scene.alice);
            scene.world.run_for(secs(1));
        }
        scene.world.sleep(carol);

        let mut answered = 0;
        for _ in 0..90 {
            answered += scene.count_pings(1);
            scene.world.trim_memory(scene.alice);
            scene.world.trim_memory(scene.bob);
        }
        assert_eq!(answered, 90);
        let carols = scene.world.address_of(carol);
        let knows = |scene: &Scene| scene.world.node(scene.alice).fingerprint(carols).is_some();
        assert!(!knows(&scene));

        scene.world.wake(carol);
        scene.world.run_for(secs(5));
        let before = scene.world.pongs(carol);
        for _ in 0..10 {
            scene.world.ping(carol, scene.alice);
            scene.world.run_for(secs(1));
        }
        assert!(scene.world.pongs(carol) - before >= 5);
        assert!(knows(&scene));
    }
}
