//! A node on a bench: fed datagrams by hand, heard with an independent ear.
//!
//! The test plays everybody else. It holds the secrets of all identities, seals what they say and
//! opens what the node says to them with [`crate::packet`], which shares no code with the node.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use zt_protocol::address::{Address, NetworkId};
use zt_protocol::endpoint::{Path, SocketId};
use zt_protocol::error::Rejected;
use zt_protocol::event::{Event, StoreKey};
use zt_protocol::identity::SecretIdentity;
use zt_protocol::node::{Command, CommandError, Config, Node, PeerStatus, WorldsStatus};
use zt_protocol::outbox::OwnedFrame;
use zt_protocol::path_rules::PathRules;
use zt_protocol::pins::Pins;
use zt_protocol::time::{Instant, UnixMillis};
use zt_protocol::transmit::Frame;
use zt_protocol::world::World as Planet;

use crate::packet::{Key, Packet, is_fragment, reassemble};
use crate::persona::{Hello, Persona, ok_hello};
use crate::wires::{Port, Sent, Wires};

/// The wall clock's time when every node on a bench starts, as in the vectors.
pub const START_MS: u64 = 1_700_000_000_000;

/// The socket datagrams arrive on, which the vectors call 1.
pub const SOCKET: SocketId = SocketId(1);

/// How long those who are met take to answer.
const ROUND_TRIP: Duration = Duration::from_millis(10);

/// Verbs the test speaks itself.
pub mod verbs {
    /// Announces an identity.
    pub const HELLO: u8 = 0x01;
    /// Refuses.
    pub const ERROR: u8 = 0x02;
    /// Answers.
    pub const OK: u8 = 0x03;
    /// Asks for identities.
    pub const WHOIS: u8 = 0x04;
    /// Asks for its payload back.
    pub const ECHO: u8 = 0x08;
    /// Carries credentials.
    pub const CREDENTIALS: u8 = 0x0a;
    /// Asks a controller for a configuration.
    pub const CONFIG_REQUEST: u8 = 0x0b;
    /// Says nothing.
    pub const NOP: u8 = 0x00;
}

/// A whole packet the node has sent, or a datagram it has relayed.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Where it left from and went to.
    pub path: Path,
    /// How many routers it shall get past, if not all.
    pub ttl: Option<u8>,
    /// Its bytes, datagrams put together.
    pub bytes: Vec<u8>,
    /// The packet in it, if it is the node's own.
    pub packet: Option<Packet>,
}

/// A node on a bench.
pub struct VectorNode {
    /// The node.
    pub node: Node,
    /// Its identity.
    pub me: Persona,
    /// Where it is.
    pub endpoint: SocketAddr,
    /// Whom the test plays.
    pub others: BTreeMap<Address, Persona>,
    /// Everything the node told its host, besides what to store.
    pub events: Vec<Event>,
    /// What the node stored.
    pub stored: BTreeMap<StoreKey, Vec<u8>>,
    /// IDs of its last HELLO to each.
    pub last_hello: BTreeMap<Address, [u8; 8]>,
    /// IDs of its last request for a configuration from each.
    pub last_request: BTreeMap<Address, [u8; 8]>,
    /// Frames for the host since they were last taken.
    pub port: Port,
    /// Where those are who answer HELLO, ECHO and WHOIS while time passes, and their protocol.
    answering: BTreeMap<SocketAddr, (Address, u8)>,
    planet: (u64, u64),
    now: Instant,
    packets_made: u64,
    wires: Wires,
}

impl VectorNode {
    /// Starts a node with the identity `me` in its text form, at `endpoint`.
    ///
    /// # Panics
    ///
    /// If `me` is no identity.
    #[must_use]
    pub fn new(me: &str, endpoint: SocketAddr, planet: Planet) -> Self {
        let platform = "linux/x86_64";
        let config = Config {
            planet,
            moons: Vec::new(),
            pins: Pins::new(),
            path_rules: PathRules::default(),
            low_bandwidth: false,
            controller: false,
            epoch: None,
            platform,
            memory_budget: None,
            allow_loopback: false,
        };
        Self::with_config(me, endpoint, config)
    }

    /// As [`new`](Self::new), with more to say about the node.
    ///
    /// # Panics
    ///
    /// If `me` is no identity.
    #[must_use]
    pub fn with_config(me: &str, endpoint: SocketAddr, config: Config) -> Self {
        let identity = SecretIdentity::from_text(me).expect("vectors hold identities");
        let (now, unix) = (Instant::ZERO, UnixMillis(START_MS));
        let revision = (config.planet.id, config.planet.timestamp.0);
        Self {
            node: Node::new(identity, config, [3; 32], now, unix),
            me: Persona::from_text(me),
            endpoint,
            others: BTreeMap::new(),
            events: Vec::new(),
            stored: BTreeMap::new(),
            last_hello: BTreeMap::new(),
            last_request: BTreeMap::new(),
            port: Port::default(),
            answering: BTreeMap::new(),
            planet: revision,
            now,
            packets_made: 0,
            wires: Wires::default(),
        }
    }

    /// Lets the test play the identity `text`.
    pub fn play(&mut self, text: &str) -> Address {
        let persona = Persona::from_text(text);
        let address = persona.address;
        self.others.insert(address, persona);
        address
    }

    /// Returns what the node knows of `other`.
    #[must_use]
    pub fn peer(&self, other: Address) -> Option<PeerStatus> {
        self.node.peers(self.now).into_iter().find(|peer| peer.address == other)
    }

    /// Returns the key the node shares with `other`.
    #[must_use]
    pub fn key(&self, other: Address) -> Key {
        self.me.key_with(&self.others[&other])
    }

    /// Returns the worlds the node goes by.
    #[must_use]
    pub fn worlds(&self) -> WorldsStatus {
        self.node.worlds(self.now)
    }

    /// Returns the time since the start, in milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now.as_micros() / 1000
    }

    /// Returns the wall clock's time, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn unix_ms(&self) -> u64 {
        START_MS + self.now_ms()
    }
}

/// What happens to the node.
impl VectorNode {
    /// Hands the node a datagram; returns what it sends at once.
    pub fn feed(&mut self, from: SocketAddr, datagram: &[u8]) -> Vec<Reply> {
        // Rejections are the node's to count.
        let _ = self.offer(from, datagram);
        self.take()
    }

    /// Hands the node a datagram and returns whether it was taken; [`take`](Self::take) what
    /// it sends.
    ///
    /// # Errors
    ///
    /// Why the node dropped it.
    pub fn offer(&mut self, from: SocketAddr, datagram: &[u8]) -> Result<(), Rejected> {
        let path = Path { local: SOCKET, remote: from };
        let mut bytes = datagram.to_vec();
        self.node.handle_datagram(self.now, path, &mut bytes, &mut self.wires, &mut self.port)
    }

    /// Gives the node a command; returns what it sends at once.
    ///
    /// # Errors
    ///
    /// Why the command was refused.
    pub fn command(&mut self, command: Command) -> Result<Vec<Reply>, CommandError> {
        self.node.handle_command(self.now, command, &mut self.wires, &mut self.port)?;
        Ok(self.take())
    }

    /// Lets the host send an Ethernet frame; returns what the node sends at once.
    pub fn send_frame(&mut self, network: NetworkId, frame: Frame<'_>) -> Vec<Reply> {
        // Rejections are the node's to count.
        let _ = self.node.handle_frame(self.now, network, frame, &mut self.wires, &mut self.port);
        self.take()
    }

    /// Wakes the node whenever it wants to be until `end_ms` after the start; returns what it
    /// sends. Nobody answers.
    pub fn pass_until(&mut self, end_ms: u64) -> Vec<Reply> {
        let end = Instant::from_millis(end_ms);
        let mut replies = Vec::new();
        while let Some(wakeup) = self.node.poll_timeout().filter(|wakeup| wakeup.at <= end) {
            self.now = self.now.max(wakeup.at);
            self.node.handle_timeout(self.now, &mut self.wires, &mut self.port);
            replies.extend(self.take());
            assert!(replies.len() < 100_000, "the node is woken for {} for ever", wakeup.why);
        }
        self.now = self.now.max(end);
        replies
    }

    /// Lets time pass until `end_ms` after the start while those who are met answer.
    ///
    /// # Panics
    ///
    /// If node and answers go on without end.
    pub fn live_until(&mut self, end_ms: u64) {
        let end = Instant::from_millis(end_ms);
        for _ in 0..100_000 {
            let replies = match self.node.poll_timeout() {
                Some(wakeup) if wakeup.at <= end => {
                    let at = wakeup.at.since(Instant::ZERO).as_micros().div_ceil(1000);
                    self.pass_until(u64::try_from(at).expect("a simulation is short").min(end_ms))
                }
                Some(_) | None => {
                    self.now = self.now.max(end);
                    return;
                }
            };
            self.answer_by(end, replies);
        }
        panic!("the node does not come to rest");
    }

    /// As [`live_until`](Self::live_until), for so long.
    pub fn live_for(&mut self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).expect("a simulation is short");
        self.live_until(self.now_ms() + millis);
    }

    /// Takes frames delivered to the host since the last call.
    pub fn take_delivered(&mut self) -> Vec<OwnedFrame> {
        self.port.take()
    }

    /// Takes what the node has sent since the last call.
    pub fn take(&mut self) -> Vec<Reply> {
        while let Some(event) = self.node.poll_event() {
            match event {
                Event::Store { key, value: Some(value) } => {
                    self.stored.insert(key, value);
                }
                Event::Store { key, value: None } => {
                    self.stored.remove(&key);
                }
                other => self.events.push(other),
            }
        }
        let sent = self.wires.take();
        let replies = self.replies(sent);
        let packets = replies.iter().filter_map(|reply| reply.packet.as_ref());
        for packet in packets {
            match packet.verb {
                verbs::HELLO => self.last_hello.insert(packet.to, packet.id),
                verbs::CONFIG_REQUEST => self.last_request.insert(packet.to, packet.id),
                _ => None,
            };
        }
        replies
    }

    /// Puts datagrams together and opens what the node sealed.
    fn replies(&self, sent: Vec<Sent>) -> Vec<Reply> {
        let mut replies = Vec::new();
        let mut sent = sent.into_iter().peekable();
        while let Some(Sent { path, hops, bytes }) = sent.next() {
            let mut datagrams = vec![bytes];
            let is_own = self.is_own(&datagrams[0]);
            while let Some(next) = sent.next_if(|next| {
                is_own
                    && next.path == path
                    && is_fragment(&next.bytes)
                    && same_id(next, &datagrams[0])
            }) {
                datagrams.push(next.bytes);
            }
            let bytes = if is_own { reassemble(&datagrams).concat() } else { datagrams.concat() };
            let packet = is_own.then(|| self.open(&bytes)).flatten();
            replies.push(Reply { path, ttl: hops, bytes, packet });
        }
        replies
    }

    /// Returns whether a datagram is the head of a packet the node made.
    fn is_own(&self, datagram: &[u8]) -> bool {
        datagram.len() >= 28 && datagram[13..18] == self.me.address.to_bytes()
    }

    /// Opens a packet of the node with the key of whom it is for.
    fn open(&self, packet: &[u8]) -> Option<Packet> {
        let to: [u8; 5] = packet[8..13].try_into().ok()?;
        let other = self.others.get(&Address::from(to))?;
        Packet::open(&self.me.key_with(other), packet).ok()
    }
}

/// What the test says.
impl VectorNode {
    /// Seals a packet of `from` for the node.
    pub fn seal(&mut self, from: Address, cipher: u8, verb: u8, payload: &[u8]) -> Vec<u8> {
        let packet = self.packet(from, cipher, verb, payload);
        packet.seal(&self.key(from))
    }

    /// Seals a packet of `from` for the node that was relayed once.
    pub fn seal_relayed(&mut self, from: Address, cipher: u8, verb: u8, payload: &[u8]) -> Vec<u8> {
        let packet = Packet { hops: 1, ..self.packet(from, cipher, verb, payload) };
        packet.seal(&self.key(from))
    }

    fn packet(&mut self, from: Address, cipher: u8, verb: u8, payload: &[u8]) -> Packet {
        self.packets_made += 1;
        Packet {
            id: (0x7e57_0000_0000_0000 + self.packets_made * 8).to_be_bytes(),
            to: self.me.address,
            from,
            cipher,
            hops: 0,
            verb,
            compressed: false,
            payload: payload.to_vec(),
        }
    }

    /// Seals a HELLO of `from`, which says it speaks `protocol`.
    pub fn hello(&mut self, from: Address, protocol: u8) -> Vec<u8> {
        let key = self.key(from);
        let hello = Hello {
            protocol,
            timestamp: self.unix_ms(),
            sent_to: self.endpoint,
            planet: self.planet,
        };
        let mut packet = self.packet(from, 0, verbs::HELLO, &[]);
        packet.payload = hello.payload(&self.others[&from], packet.id, &key);
        packet.seal(&key)
    }

    /// Lets `who` say HELLO from `endpoint` and answer from there from now on, so that the node
    /// knows it with this protocol and has confirmed the path.
    pub fn meet(&mut self, who: Address, endpoint: SocketAddr, protocol: u8) {
        self.answering.insert(endpoint, (who, protocol));
        let hello = self.hello(who, protocol);
        let replies = self.feed(endpoint, &hello);
        self.answer(replies);
    }

    /// Lets `who` answer from `endpoint` from now on, without saying anything first.
    pub fn answer_from(&mut self, endpoint: SocketAddr, who: Address, protocol: u8) {
        self.answering.insert(endpoint, (who, protocol));
    }

    /// Lets whoever answers at `endpoint` fall silent.
    pub fn silence(&mut self, endpoint: SocketAddr) {
        self.answering.remove(&endpoint);
    }

    /// Makes the node know `who` by WHOIS alone: by its identity, not its version, nor a path.
    pub fn learn_by_whois(&mut self, root: SocketAddr, who: Address) {
        let datagram = self.seal_relayed(who, 1, verbs::NOP, &[]);
        let replies = self.feed(root, &datagram);
        self.answer(replies);
        self.live_for(Duration::from_secs(1));
    }

    /// Answers `replies` as those who are met would, and what comes of it.
    pub fn answer(&mut self, replies: Vec<Reply>) {
        self.answer_by(Instant::FAR_FUTURE, replies);
    }

    /// As [`answer`](Self::answer); each answer takes its time, but no longer than until `end`.
    fn answer_by(&mut self, end: Instant, replies: Vec<Reply>) {
        let mut open = replies;
        for _ in 0..1_000 {
            if open.is_empty() {
                return;
            }
            let answers: Vec<_> = open.iter().filter_map(|reply| self.answer_to(reply)).collect();
            if !answers.is_empty() {
                self.now = self.now.max(end.min(self.now + ROUND_TRIP));
            }
            open = answers
                .into_iter()
                .flat_map(|(endpoint, datagram)| self.feed(endpoint, &datagram))
                .collect();
        }
        panic!("the node and the test answer each other without end");
    }

    /// Returns what whoever is met at a reply's destination answers, and from where.
    fn answer_to(&mut self, reply: &Reply) -> Option<(SocketAddr, Vec<u8>)> {
        let endpoint = reply.path.remote;
        let packet = reply.packet.as_ref()?;
        let &(who, protocol) = self.answering.get(&endpoint)?;
        if packet.to != who {
            return None;
        }
        let payload = match packet.verb {
            verbs::HELLO => {
                ok_hello(packet.id, packet.payload.get(5..13)?, protocol, self.endpoint)
            }
            verbs::ECHO => [&[verbs::ECHO], &packet.id[..], &packet.payload].concat(),
            verbs::WHOIS => {
                let asked = Address::from(*packet.payload.first_chunk()?);
                let identity = self.others.get(&asked)?.binary();
                [&[verbs::WHOIS], &packet.id[..], &identity].concat()
            }
            _ => return None,
        };
        let cipher = if protocol >= 12 { 3 } else { 1 };
        Some((endpoint, self.seal(who, cipher, verbs::OK, &payload)))
    }
}

/// Returns whether a datagram carries the same packet ID as another.
fn same_id(sent: &Sent, head: &[u8]) -> bool {
    sent.bytes[..8] == head[..8]
}
