//! Stories of one node's peers, with the rest of the world played by the test.

mod hello;
mod memory;

use std::collections::BTreeMap;

use hex_literal::hex;

use super::*;
use crate::address::MoonId;
use crate::endpoint::SocketId;
use crate::event::StoreKey;
use crate::fastpath::tables::Tables;
use crate::identity::SecretIdentity;
use crate::limits::{GREETED_AT_START_MAX, PATHS_PER_PEER_FULL, SILENT_PEERS_MAX};
use crate::outbox::{Outbox, Outgoing, Route, Seal};
use crate::rng::Rng;
use crate::time::UnixMillis;
use crate::vectors;
use crate::wire::hello::{Hello, HelloReply};
use crate::wire::push_paths;
use crate::wire::rendezvous::Rendezvous;
use crate::world::{Root, World, WorldKind};

const NEAR: Address = Address::from_u64(0xd5_b4de_ab9d);
const FAR: Address = Address::from_u64(0xb5_10a9_c2e3);
const BOB: Address = Address::from_u64(0x59_e377_7b55);

const NEAR_AT: &str = "5.1.0.1:9993";
const FAR_AT: &str = "5.1.0.2:9993";
const BOB_AT: &str = "5.3.0.1:9993";

/// The wall clock's time at the start of every story.
const START: u64 = 1_700_000_000_000;

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn secs(secs: u64) -> Instant {
    at(secs * 1_000)
}

fn path(remote: &str) -> Path {
    Path { local: SocketId(1), remote: remote.parse().unwrap() }
}

/// Returns the identity the vectors call `name`.
fn secret(name: &str) -> SecretIdentity {
    let vectors = vectors::load("hello.json");
    SecretIdentity::from_text(vectors["identities_secret"][name].as_str().unwrap()).unwrap()
}

/// A packet that was sent: when, to whom, what, and to which address.
type Sent = (u64, Address, Verb, String);

/// A node's peers, and a world in which those named in `answering` answer at once.
struct Host {
    me: SecretIdentity,
    now: Instant,
    rng: Rng,
    tables: Tables,
    out: Outbox,
    peers: Peers,
    roots: Roots,
    surface: Surface,
    is_full: bool,
    /// Who answers HELLO and ECHO, and the round trip it makes believe.
    answering: BTreeMap<Address, u64>,
    /// Where they see this node.
    seen_at: &'static str,
    sent: Vec<Sent>,
    wakeups: usize,
}

impl Host {
    /// Makes node A of the vectors, whose planet lists two roots.
    fn leaf() -> Self {
        let root = |name: &str, endpoint: &str| Root {
            identity: *secret(name).public(),
            endpoints: vec![endpoint.parse().unwrap()],
        };
        Self::of(secret("A"), vec![root("R", NEAR_AT), root("R2", FAR_AT)])
    }

    /// Makes node R of the vectors, the only root.
    fn root() -> Self {
        let me = secret("R");
        let endpoints = vec![NEAR_AT.parse().unwrap()];
        let root = Root { identity: *me.public(), endpoints };
        Self::of(me, vec![root])
    }

    fn of(me: SecretIdentity, roots: Vec<Root>) -> Self {
        let planet = World {
            kind: WorldKind::Planet,
            id: 1_000_001,
            timestamp: UnixMillis(START),
            updates_signed_by: [0; 64],
            signature: [0; 96],
            roots,
        };
        let roots = Roots::new(me.address(), planet, Vec::new());
        let mut tables = Tables::new(me.address(), 0);
        roots.publish(&mut tables);
        Self {
            me,
            now: Instant::ZERO,
            rng: Rng::from_seed([7; 32]),
            tables,
            out: Outbox::default(),
            peers: Peers::default(),
            roots,
            surface: Surface::new(),
            is_full: false,
            answering: BTreeMap::new(),
            seen_at: "5.2.0.1:9993",
            sent: Vec::new(),
            wakeups: 0,
        }
    }

    /// Does something with the peers, then lets the world answer.
    fn with<T>(
        &mut self,
        act: impl FnOnce(&mut Peers, &mut Ctx<'_>, &mut Roots, &mut Surface) -> T,
    ) -> T {
        let mut ctx = Ctx {
            now: self.now,
            unix: UnixMillis(START + self.now.as_micros() / 1_000),
            rng: &mut self.rng,
            me: &self.me,
            is_full: self.is_full,
            tables: &mut self.tables,
            out: &mut self.out,
        };
        let result = act(&mut self.peers, &mut ctx, &mut self.roots, &mut self.surface);
        self.settle();
        result
    }

    /// Notes what was sent and has it answered.
    fn settle(&mut self) {
        while let Some(packet) = self.out.packets.pop_front() {
            let (Route::Direct(path) | Route::Back(path)) = packet.route else {
                panic!("{packet:?}")
            };
            let time = self.now.as_micros() / 1_000;
            self.sent.push((time, packet.to, packet.verb, path.remote.to_string()));
            let Some(&round_trip) = self.answering.get(&packet.to) else { continue };
            if matches!(packet.verb, Verb::Hello | Verb::Echo) {
                let path = Path { local: SocketId(1), remote: path.remote };
                self.hear_ok(packet.to, path, packet.verb, round_trip);
            }
        }
    }

    /// Receives the OK to a HELLO or ECHO.
    fn hear_ok(&mut self, from: Address, path: Path, in_re: Verb, round_trip: u64) {
        let unix = START + self.now.as_micros() / 1_000;
        let reply = HelloReply {
            timestamp: UnixMillis(unix - round_trip),
            version: Version::OURS,
            seen_at: Some(self.seen_at.parse().unwrap()),
            worlds: &[],
        };
        let body = reply.write(0);
        let body = &body[9..];
        let rx = Received { from, path, hops: 0, verb: Verb::Ok, packet_id: 1, body };
        self.with(|peers, ctx, roots, surface| {
            if in_re == Verb::Hello {
                peers.handle_ok_hello(ctx, roots, surface, &rx).unwrap();
            }
            peers.received(ctx, roots, surface, &rx, false);
        });
    }

    /// Receives a packet nothing but whose arrival matters.
    fn hear(&mut self, from: Address, path: Path, hops: u8, verb: Verb) {
        let rx = Received { from, path, hops, verb, packet_id: 1, body: &[] };
        let trusted = verb == Verb::Frame;
        self.with(|peers, ctx, roots, surface| peers.received(ctx, roots, surface, &rx, trusted));
    }

    /// Makes node B of the vectors known, and reached if it answers.
    fn meet_bob(&mut self) {
        let bob = *secret("B").public();
        self.with(|peers, ctx, _, _| peers.learn(ctx, &bob)).unwrap();
        self.hear_ok(BOB, path(BOB_AT), Verb::Hello, 50);
    }

    /// Lets time pass, waking the peers exactly when they asked to be.
    fn run_until(&mut self, end: Instant) {
        for _ in 0..100_000 {
            let due = self.peers.poll_timeout().map(|(due, _)| due);
            let Some(due) = due.filter(|&due| due <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(due);
            self.wakeups += 1;
            self.with(|peers, ctx, roots, surface| peers.handle_timeout(ctx, roots, surface, &[]));
        }
        panic!("does not settle: {:?}", self.peers.poll_timeout());
    }

    /// Returns when `verb` was sent to `to`, in milliseconds.
    fn times(&self, to: Address, verb: Verb) -> Vec<u64> {
        let matching = self.sent.iter().filter(|sent| (sent.1, sent.2) == (to, verb));
        matching.map(|sent| sent.0).collect()
    }

    fn best_root(&self) -> Option<Address> {
        self.tables.upstream.map(|(address, _)| address)
    }
}

#[test]
fn a_node_greets_every_root_at_once_and_soon_again() {
    let mut host = Host::leaf();

    host.run_until(secs(20));

    assert_eq!(host.times(NEAR, Verb::Hello), [0, 250, 750, 1_750, 3_750, 7_750, 15_000, 20_000]);
    assert_eq!(host.times(FAR, Verb::Hello), host.times(NEAR, Verb::Hello));
    assert_eq!(host.best_root(), None);
}

#[test]
fn the_nearest_root_relays() {
    let mut host = Host::leaf();
    host.answering = BTreeMap::from([(NEAR, 20), (FAR, 90)]);

    host.run_until(secs(1));

    assert_eq!(host.tables.upstream, Some((NEAR, path(NEAR_AT))));
    assert!(host.out.events.contains(&Event::Online(true)));
}

/// Its fellow root is nearer, but would ask it in turn; the planet's roots know everybody.
#[test]
fn a_root_of_a_moon_defers_to_the_planets_roots_while_one_answers() {
    let mut host = Host::leaf();
    let root = |name: &str, endpoint: &str| Root {
        identity: *secret(name).public(),
        endpoints: vec![endpoint.parse().unwrap()],
    };
    let moon = World {
        kind: WorldKind::Moon,
        roots: vec![root("A", "5.2.0.1:9993"), root("B", BOB_AT)],
        ..host.roots.planet().clone()
    };
    let id = MoonId(moon.id);
    host.with(|peers, ctx, roots, _| {
        roots.orbit(ctx, id, None, Some(moon)).unwrap();
        peers.worlds_changed(ctx, roots);
    });
    host.answering = BTreeMap::from([(NEAR, 60), (FAR, 90), (BOB, 5)]);

    host.run_until(secs(1));
    assert_eq!(host.best_root(), Some(NEAR));

    host.answering = BTreeMap::from([(BOB, 5)]);
    host.run_until(secs(200));
    assert_eq!(host.best_root(), Some(BOB));

    host.with(|_, ctx, roots, _| roots.deorbit(ctx, id)).unwrap();
    assert!(!host.tables.is_upstream);
}

/// The reference needs 240 s for this (spec 02 §5.2).
#[test]
fn a_root_that_stops_answering_is_replaced_within_half_a_minute_and_comes_back() {
    let mut host = Host::leaf();
    host.answering = BTreeMap::from([(NEAR, 20), (FAR, 90)]);
    host.run_until(secs(100));

    host.answering.remove(&NEAR);
    host.run_until(secs(130));
    assert_eq!(host.best_root(), Some(FAR));

    host.answering.insert(NEAR, 20);
    host.run_until(secs(170));
    assert_eq!(host.best_root(), Some(NEAR));
}

#[test]
fn a_node_without_roots_that_answer_is_offline_until_one_does() {
    let mut host = Host::leaf();
    host.answering = BTreeMap::from([(NEAR, 20), (FAR, 90)]);
    host.run_until(secs(100));

    host.answering.clear();
    host.run_until(secs(200));
    assert!(!host.peers.is_online(host.now, &host.roots));

    host.answering.insert(FAR, 90);
    host.run_until(secs(206));
    assert!(host.peers.is_online(host.now, &host.roots));
}

#[test]
fn an_idle_node_wakes_for_its_roots_alone() {
    let mut host = Host::leaf();
    host.answering = BTreeMap::from([(NEAR, 20), (FAR, 90)]);
    host.run_until(secs(10));
    host.wakeups = 0;

    host.run_until(secs(610));

    assert!(host.wakeups <= 45, "{}", host.wakeups);
    let [near, far] = [NEAR, FAR].map(|root| host.times(root, Verb::Hello).len());
    assert_eq!((near, far), (11, 11));
    assert!(host.times(FAR, Verb::Echo).is_empty());
}

/// As the reference does in keepalive.json, to the millisecond.
/// However long it sends through a root what could go directly, and answers probes all the same.
#[test]
fn a_peer_that_bypasses_its_path_is_probed_now_and_then_and_stays_direct() {
    let mut host = Host::leaf();
    host.answering = BTreeMap::from([(NEAR, 20), (BOB, 60)]);
    host.run_until(secs(1));
    host.meet_bob();
    host.sent.clear();

    for tenth in 10..1_000 {
        host.run_until(at(tenth * 100));
        let now = host.now;
        if host.tables.peer_mut(BOB).unwrap().relied_on.replace(now).is_none() {
            host.peers.watch(now, BOB);
        }
        host.hear(BOB, path(NEAR_AT), 1, Verb::Frame);

        assert_eq!(host.tables.peer(BOB).unwrap().path, Some(path(BOB_AT)));
        assert!(host.peers.watches.0.len() <= 2, "{:?}", host.peers.watches);
    }
    let echoes = host.times(BOB, Verb::Echo).len();
    assert!((60..=85).contains(&echoes), "{echoes}");
}

#[test]
fn a_peer_in_use_is_kept_alive_by_heartbeats_and_greetings() {
    let mut host = Host::leaf();
    host.answering = BTreeMap::from([(BOB, 60)]);
    host.run_until(at(6_110));
    host.meet_bob();
    host.hear(BOB, path(BOB_AT), 0, Verb::Frame);
    host.sent.clear();

    host.run_until(secs(135));

    assert_eq!(host.times(BOB, Verb::Hello), [10_000, 70_000, 130_000]);
    let echoes = [25_000, 40_000, 55_000, 85_000, 100_000, 115_000];
    assert_eq!(host.times(BOB, Verb::Echo), echoes);
}

/// The reference goes on sending there for 243 s.
#[test]
fn a_direct_path_that_dies_is_given_up_within_half_a_minute_and_taken_up_again() {
    let mut host = Host::leaf();
    host.answering = BTreeMap::from([(BOB, 60)]);
    host.meet_bob();
    host.hear(BOB, path(BOB_AT), 0, Verb::Frame);
    host.run_until(secs(60));
    let path_to_bob = |host: &Host| host.tables.peer(BOB).unwrap().path;

    host.answering.clear();
    host.run_until(secs(90));
    assert_eq!(path_to_bob(&host), None);

    host.answering.insert(BOB, 60);
    host.run_until(secs(110));
    assert_eq!(path_to_bob(&host), Some(path(BOB_AT)));
}

/// Said once, when it is first heard; after that the host learns of changes.
#[test]
fn the_host_is_told_of_a_peer_that_is_only_relayed() {
    let mut host = Host::leaf();
    let bob = *secret("B").public();
    host.with(|peers, ctx, _, _| peers.learn(ctx, &bob)).unwrap();

    host.hear(BOB, path(NEAR_AT), 1, Verb::Frame);
    host.hear(BOB, path(NEAR_AT), 1, Verb::Frame);

    let told = Event::Peer { address: BOB, path: None };
    assert_eq!(host.out.events.iter().filter(|event| **event == told).count(), 1);
}

#[test]
fn a_peer_is_left_alone_until_it_is_in_use() {
    let mut host = Host::leaf();
    host.answering = BTreeMap::from([(BOB, 60)]);
    host.meet_bob();
    host.run_until(secs(101));
    assert_eq!(host.sent.iter().filter(|sent| sent.1 == BOB).count(), 0);

    host.hear(BOB, path(BOB_AT), 0, Verb::Frame);
    host.run_until(secs(120));

    assert_eq!(
        (host.times(BOB, Verb::Hello), host.times(BOB, Verb::Echo)),
        (vec![105_000], vec![120_000])
    );
}

#[test]
fn a_peer_out_of_use_is_let_go_and_saved() {
    let mut host = Host::leaf();
    host.answering = BTreeMap::from([(BOB, 60)]);
    host.meet_bob();
    host.hear(BOB, path(BOB_AT), 0, Verb::Frame);

    host.run_until(secs(749));
    assert!(host.times(BOB, Verb::Echo).iter().all(|&time| time < 500_000));
    assert!(host.tables.peer(BOB).unwrap().path.is_none());

    host.out.events.clear();
    host.run_until(secs(1_010));
    let statuses = host.peers.statuses(host.now, &host.tables, &host.roots);
    assert!(statuses.iter().all(|peer| peer.address != BOB));
    let saved = host.out.events.iter().filter(|event| match event {
        Event::Store { key, value } => *key == StoreKey::Peer(BOB) && value.is_some(),
        _ => false,
    });
    assert_eq!(saved.count(), 1);
}

/// A controller that is away takes its network with it if nobody can verify what it signed.
#[test]
fn a_silent_peer_stays_known_until_too_many_are_silent() {
    let mut host = Host::leaf();
    host.meet_bob();
    host.run_until(secs(3_600));
    assert!(host.peers.identity(BOB).is_some());

    let key = *secret("B").public().public_key();
    for i in 0..SILENT_PEERS_MAX as u64 {
        let stranger = Identity::from_parts(Address::from_u64(i + 1), key);
        host.with(|peers, ctx, _, _| peers.learn(ctx, &stranger)).unwrap();
    }
    host.run_until(secs(4_200));

    assert!(host.tables.peer(BOB).is_none());
    assert!(host.peers.identity(Address::from_u64(1)).is_some());
}

#[test]
fn a_new_source_address_is_asked_for_an_answer_once_a_second() {
    let mut host = Host::leaf();
    host.meet_bob();
    host.sent.clear();

    for millis in [0, 10, 999, 1_000] {
        host.now = at(millis);
        host.hear(BOB, path("5.9.0.1:1"), 0, Verb::Nop);
        host.hear(BOB, path("5.9.0.2:1"), 1, Verb::Nop);
    }

    let hello = |time| (time, BOB, Verb::Hello, "5.9.0.1:1".to_owned());
    assert_eq!(host.sent, [hello(0), hello(1_000)]);
    assert_eq!(host.tables.peer(BOB).unwrap().path, Some(path(BOB_AT)));
}

/// A HELLO that may be a repetition is answered and its path asked to be confirmed, but neither
/// what it announces nor where it sees this node counts. Whoever answers is there all the same.
#[test]
fn a_hello_that_is_not_the_latest_changes_nothing_and_keeps_nobody_out() {
    let mut host = Host::leaf();
    host.meet_bob();
    let bob = *secret("B").public();
    let mut hear = |timestamp, protocol, from: &str, mine: &str| {
        host.sent.clear();
        host.now = host.now + Duration::from_secs(1);
        let hello = Hello {
            version: Version { protocol, ..Version::OURS },
            timestamp: UnixMillis(timestamp),
            identity: bob,
            sent_to: Some(mine.parse().unwrap()),
            planet: None,
        };
        let (body, _) = hello.write(&[]);
        let rx = Received {
            from: BOB,
            path: path(from),
            hops: 0,
            verb: Verb::Hello,
            packet_id: 7,
            body: &body,
        };
        let outcome = host
            .with(|peers, ctx, roots, surface| peers.handle_inner_hello(ctx, roots, surface, &rx));
        let sent: Vec<Verb> = host.sent.iter().map(|sent| sent.2).collect();
        let seen_at = host.surface.addresses(host.now);
        let takes_aes = host.tables.peer(BOB).unwrap().takes_aes;
        (outcome, sent, takes_aes, seen_at.contains(&mine.parse().unwrap()))
    };

    let latest = hear(START + 10, 12, BOB_AT, "5.2.0.7:1");
    assert_eq!(latest, (Ok(()), vec![Verb::Ok], true, true));
    for (timestamp, mine) in [(START + 10, "5.2.0.8:1"), (START + 9, "5.2.0.9:1")] {
        let repeated = hear(timestamp, 11, "5.9.0.1:1", mine);
        assert_eq!(repeated.0, Err(Rejected::Stale));
        assert_eq!(repeated.1, [Verb::Ok, Verb::Hello]);
        assert_eq!((repeated.2, repeated.3), (true, false));
    }
    let latest = hear(START + 11, 11, BOB_AT, "5.2.0.9:1");
    assert_eq!(latest, (Ok(()), vec![Verb::Ok], false, true));

    // Its clock is a year behind; it answers what it is asked on its new path.
    host.hear_ok(BOB, path("5.9.0.2:1"), Verb::Hello, 50);
    assert!(host.peers.peers[&BOB].paths.iter().any(|known| known.path() == path("5.9.0.2:1")));
}

#[test]
fn a_root_introduces_and_a_leaf_punches() {
    let mut host = Host::leaf();
    host.meet_bob();
    let body = Rendezvous { peer: BOB, endpoint: "5.3.0.9:4321".parse().unwrap() }.write();
    let mut heard_from = |from| {
        let rx = Received {
            from,
            path: path(NEAR_AT),
            hops: 0,
            verb: Verb::Rendezvous,
            packet_id: 1,
            body: &body,
        };
        host.sent.clear();
        host.with(|peers, ctx, roots, _| peers.handle_rendezvous(ctx, roots, &rx, |_| false))
            .unwrap();
        (host.out.punches.drain(..).collect::<Vec<_>>(), host.sent.clone())
    };

    let echo = (0, BOB, Verb::Echo, "5.3.0.9:4321".to_owned());
    assert_eq!(heard_from(NEAR), (vec![path("5.3.0.9:4321")], vec![echo]));
    assert_eq!(heard_from(BOB), (vec![], vec![]));
}

/// The peer was told of this node at the same moment, and may send before this node knows who it is.
#[test]
fn a_leaf_punches_for_whom_it_expects_to_know() {
    let mut host = Host::leaf();
    let body = Rendezvous { peer: BOB, endpoint: "5.3.0.9:4321".parse().unwrap() }.write();
    let (from, verb) = (NEAR, Verb::Rendezvous);
    let rx = Received { from, path: path(NEAR_AT), hops: 0, verb, packet_id: 1, body: &body };

    let mut told = |expected: Address| {
        host.with(|peers, ctx, roots, _| {
            peers.handle_rendezvous(ctx, roots, &rx, |peer| peer == expected)
        })
    };

    assert_eq!(told(NEAR), Ok(None));
    assert_eq!(told(BOB), Ok(Some(BOB)));
    assert_eq!(host.out.punches, [path("5.3.0.9:4321")]);
}

#[test]
fn addresses_are_pushed_to_members_of_a_common_network_only() {
    let mut host = Host::leaf();
    host.peers.set_local_addresses(vec!["192.168.1.2:9993".parse().unwrap()]);
    host.meet_bob();
    host.hear(BOB, path(BOB_AT), 0, Verb::Echo);
    assert_eq!(host.times(BOB, Verb::PushDirectPaths), [0; 0]);

    for millis in [1_000, 2_000, 120_999, 121_000] {
        host.now = at(millis);
        host.hear(BOB, path(BOB_AT), 0, Verb::Frame);
    }
    assert_eq!(host.times(BOB, Verb::PushDirectPaths), [1_000, 121_000]);

    for millis in [135_999, 136_000] {
        host.now = at(millis);
        host.hear(BOB, path(NEAR_AT), 1, Verb::Frame);
    }
    assert_eq!(host.sent.last().unwrap(), &(136_000, BOB, Verb::PushDirectPaths, NEAR_AT.into()));
}

#[test]
fn a_push_has_only_so_many_addresses_probed() {
    let mut host = Host::leaf();
    host.meet_bob();
    host.sent.clear();
    let global = (1..=9).map(|i| format!("5.7.0.{i}:1000").parse().unwrap());
    let others = ["192.168.9.9:1000", "127.0.0.1:1000", BOB_AT].map(|at| at.parse().unwrap());
    let body = push_paths::write(&global.chain(others).collect::<Vec<_>>());
    let rx = Received {
        from: BOB,
        path: path(BOB_AT),
        hops: 0,
        verb: Verb::PushDirectPaths,
        packet_id: 1,
        body: &body,
    };

    host.with(|peers, ctx, roots, _| peers.handle_push_direct_paths(ctx, roots, &rx)).unwrap();

    let probed: Vec<&str> = host.sent.iter().map(|sent| sent.3.as_str()).collect();
    assert_eq!(probed.len(), 9);
    assert_eq!(probed.last(), Some(&"192.168.9.9:1000"));
}

/// self_awareness.json, "root reports another IP".
#[test]
fn a_node_that_moved_doubts_its_paths_until_it_hears_on_them() {
    let mut host = Host::leaf();
    host.answering = BTreeMap::from([(NEAR, 20)]);
    host.run_until(secs(1));
    host.meet_bob();
    host.answering.clear();
    host.sent.clear();

    host.seen_at = "5.2.9.9:9993";
    host.hear_ok(NEAR, path(NEAR_AT), Verb::Hello, 20);

    let verbs: Vec<_> = host.sent.iter().map(|sent| (sent.1, sent.2)).collect();
    assert_eq!(verbs, [(BOB, Verb::Echo), (NEAR, Verb::Echo)]);
    assert_eq!(host.tables.peer(BOB).unwrap().path, None);
    host.hear_ok(BOB, path(BOB_AT), Verb::Echo, 0);
    assert_eq!(host.tables.peer(BOB).unwrap().path, Some(path(BOB_AT)));
}

/// The reference believes whatever a root answers (whois.json); here a root can be silent about
/// somebody, but not make somebody up.
#[test]
fn an_identity_is_learned_from_roots_alone_and_only_if_it_is_valid() {
    let genuine = *secret("B").public();
    let made_up = Identity::from_parts(BOB, *secret("A").public().public_key());
    let learns = |from: Address, identity: &Identity| {
        let mut host = Host::leaf();
        host.with(|peers, ctx, roots, _| peers.learn_roots(ctx, roots));
        let body = identity.to_bytes();
        let rx = Received {
            from,
            path: path(NEAR_AT),
            hops: 0,
            verb: Verb::Ok,
            packet_id: 1,
            body: &body,
        };
        let learned = host.with(|peers, ctx, roots, _| peers.handle_ok_whois(ctx, roots, &rx));
        assert_eq!(host.peers.identity(BOB).is_some(), learned == Ok(vec![BOB]));
        learned
    };

    assert_eq!(learns(NEAR, &genuine), Ok(vec![BOB]));
    assert_eq!(learns(BOB, &genuine), Ok(vec![]));
    assert_eq!(learns(NEAR, &made_up), Err(Rejected::InvalidIdentity));
}

#[test]
fn a_leaf_answers_one_whois_per_peer_in_a_tenth_of_a_second_and_a_root_all() {
    let stranger = Address::from_u64(0xda_1bbc_2518);
    let answered = |mut host: Host| {
        host.meet_bob();
        host.sent.clear();
        let mut body = BOB.to_bytes().to_vec();
        body.extend(stranger.to_bytes());
        for millis in [1_000, 1_050, 1_100] {
            host.now = at(millis);
            let rx = Received {
                from: BOB,
                path: path(BOB_AT),
                hops: 0,
                verb: Verb::Whois,
                packet_id: 1,
                body: &body,
            };
            let _ = host.with(|peers, ctx, roots, _| peers.handle_whois(ctx, roots, &rx));
        }
        assert!(host.out.whois.iter().all(|&asked| asked == stranger));
        (host.times(BOB, Verb::Ok), host.out.whois.len())
    };

    assert_eq!(answered(Host::leaf()), (vec![1_000, 1_100], 2));
    assert_eq!(answered(Host::root()), (vec![1_000, 1_050, 1_100], 3));
}

#[test]
fn whoever_is_known_stays() {
    let mut host = Host::leaf();
    host.meet_bob();
    let impostor = Identity::from_parts(BOB, *secret("A").public().public_key());

    let learned = host.with(|peers, ctx, _, _| peers.learn(ctx, &impostor));

    assert_eq!(learned, Err(Rejected::IdentityCollision));
    assert_eq!(host.peers.identity(BOB), Some(secret("B").public()));
}

#[test]
fn who_was_forgotten_is_a_peer_again_without_being_validated() {
    let mut host = Host::root();
    let bob = *secret("B").public();
    let other = Identity::from_parts(BOB, *secret("A").public().public_key());
    host.with(|peers, ctx, _, _| {
        peers.learn(ctx, &bob).unwrap();
        peers.forget(ctx, BOB);
    });
    assert!(host.tables.peer(BOB).is_none());

    assert_eq!(host.peers.identity(BOB), Some(&bob));
    let collided = host.with(|peers, ctx, _, _| peers.learn(ctx, &other));
    assert_eq!(collided, Err(Rejected::IdentityCollision));
    assert_eq!(host.with(|peers, ctx, _, _| peers.recall(ctx, BOB)), Ok(true));

    assert!(host.tables.peer(BOB).is_some());
    assert_eq!(host.with(|peers, ctx, _, _| peers.recall(ctx, FAR)), Ok(false));
}

/// None of the identities would be believed if it were validated.
#[test]
fn of_the_peers_saved_the_first_are_greeted_and_all_are_known() {
    let mut host = Host::leaf();
    let count = GREETED_AT_START_MAX as u64 + 10;
    let address = |number| Address::from_u64(0x77_0000_0000 + number);
    for number in 0..count {
        let mut peer = Peer::new(host.now, Identity::from_parts(address(number), [9; 64]));
        let at = Path { local: SocketId(1), remote: ([5, 9, 0, 1], 9_993).into() };
        peer.paths.arrived(host.now, at, true, false, || true);
        let record = peer.to_record();
        host.with(|peers, ctx, roots, _| peers.load(ctx, roots, &record)).unwrap();
    }

    let greeted = host.sent.iter().filter(|sent| sent.2 == Verb::Hello).count();
    assert_eq!(greeted, GREETED_AT_START_MAX);
    assert!((0..count).all(|number| host.peers.identity(address(number)).is_some()));
    let last = address(count - 1);
    assert_eq!(host.with(|peers, ctx, _, _| peers.recall(ctx, last)), Ok(true));
}

/// The interface of a socket is gone: what was reached by it is tried from all others at once.
#[test]
fn a_socket_that_is_gone_takes_its_paths_along_and_peers_are_found_by_others() {
    let mut host = Host::leaf();
    host.answering = BTreeMap::from([(NEAR, 20)]);
    host.meet_bob();
    host.run_until(secs(1));
    host.sent.clear();
    host.answering.insert(BOB, 50);

    host.with(|peers, ctx, roots, surface| {
        surface.close(&[SocketId(1)]);
        peers.close_sockets(ctx, roots, &[SocketId(1)]);
    });

    // The world answers at once, on whatever socket the story likes.
    for (address, remote) in [(NEAR, NEAR_AT), (BOB, BOB_AT)] {
        assert!(host.sent.contains(&(1_000, address, Verb::Echo, remote.into())));
    }
    assert_eq!(host.tables.peer(BOB).unwrap().path, Some(path(BOB_AT)));
    let lost = Event::Peer { address: BOB, path: None };
    assert!(host.out.events.contains(&lost), "{:?}", host.out.events);
    assert!(host.surface.addresses(host.now).is_empty());
}

#[test]
fn the_sockets_that_stay_keep_their_paths() {
    let mut host = Host::leaf();
    host.meet_bob();
    host.sent.clear();

    host.with(|peers, ctx, roots, _| peers.close_sockets(ctx, roots, &[SocketId(2)]));

    assert_eq!(host.sent, []);
    assert_eq!(host.tables.peer(BOB).unwrap().path, Some(path(BOB_AT)));
}
