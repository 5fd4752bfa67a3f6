//! One machine: a node, its disk, and the IP host behind its port.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use zt_protocol::address::Address;
use zt_protocol::bonding::Bonding;
use zt_protocol::endpoint::Path;
use zt_protocol::event::{Event, StoreKey};
use zt_protocol::fingerprint::Expected;
use zt_protocol::identity::{Identity, SecretIdentity};
use zt_protocol::node::{Command, CommandError, Config, Node, TcpRelayUse, Wakeup};
use zt_protocol::nonce::Epoch;
use zt_protocol::outbox::OwnedFrame;
use zt_protocol::path_rules::PathRules;
use zt_protocol::pins::Pins;
use zt_protocol::time::{Instant, UnixMillis};
use zt_protocol::transmit::{Frame, PortMode};
use zt_protocol::world::World as Planet;

use super::device::Device;
use super::stack::Stack;
use crate::wires::{Port, Sent, Wires};

/// The wall clock's time when a world begins.
pub(super) const EPOCH: UnixMillis = UnixMillis(1_700_000_000_000);

/// Most frames a node and its host may pass each other before either must wait.
const FRAMES_AT_ONCE: usize = 1_000;

/// What state a machine is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Power {
    /// Not started yet; it starts with the world.
    New,
    /// Running.
    On,
    /// Suspended: nothing runs, nothing arrives, the clock goes on.
    Asleep,
    /// Switched off.
    Off,
}

/// A machine.
pub(super) struct Host {
    pub(super) name: String,
    pub(super) address: Address,
    pub(super) power: Power,
    pub(super) node: Option<Node>,
    /// What the node asked to keep.
    pub(super) disk: BTreeMap<StoreKey, Vec<u8>>,
    pub(super) stack: Stack,
    /// What else is on the LAN that the port is bridged to.
    pub(super) devices: Vec<Device>,
    /// How often the node was woken by a timer, by the timer's name.
    pub(super) wakeups: BTreeMap<&'static str, u64>,
    /// What the node told its host, besides what to store.
    pub(super) events: Vec<(Instant, Event)>,
    pub(super) is_controller: bool,
    pub(super) tcp_relay: TcpRelayUse,
    /// Whether the node wants a connection to the TCP relay.
    pub(super) wants_tcp_relay: bool,
    /// How far the wall clock is ahead of the world's, in milliseconds.
    pub(super) clock_skew_ms: i64,
    /// What its user says about physical addresses, and whether to send little.
    pub(super) path_rules: PathRules,
    pub(super) low_bandwidth: bool,
    /// How much memory its node may take, in bytes.
    pub(super) memory_budget: Option<usize>,
    pub(super) bonding: Bonding,
    /// When the world will wake the node.
    pub(super) scheduled: Option<Instant>,
    identity: SecretIdentityText,
    public: Identity,
    wires: Wires,
    port: Port,
}

/// The text of an identity, private key included, which survives the disk.
type SecretIdentityText = String;

impl Host {
    pub(super) fn new(name: String, identity: &SecretIdentity) -> Self {
        Self {
            name,
            address: identity.address(),
            power: Power::New,
            node: None,
            disk: BTreeMap::new(),
            stack: Stack::new(PortMode::L3),
            devices: Vec::new(),
            wakeups: BTreeMap::new(),
            events: Vec::new(),
            is_controller: false,
            tcp_relay: TcpRelayUse::Never,
            wants_tcp_relay: false,
            clock_skew_ms: 0,
            path_rules: PathRules::default(),
            low_bandwidth: false,
            memory_budget: None,
            bonding: Bonding::default(),
            scheduled: None,
            identity: identity.to_text().to_string(),
            public: *identity.public(),
            wires: Wires::default(),
            port: Port::default(),
        }
    }

    /// Returns what others have saved of this node as a peer (spec 02 §12), without any address.
    pub(super) fn record(&self) -> Vec<u8> {
        let mut record = vec![2];
        record.extend(self.public.to_bytes());
        record.extend([0, 12, 0, 1, 0, 14, 0, 1, 0, 0]);
        record
    }

    /// Returns the node's identity.
    pub(super) fn identity(&self) -> SecretIdentity {
        SecretIdentity::from_text(&self.identity).expect("it was written as a text before")
    }

    /// Gives the machine another identity, which its node has from the next start on.
    pub(super) fn renew(&mut self, identity: &SecretIdentity) {
        self.address = identity.address();
        self.public = *identity.public();
        self.identity = identity.to_text().to_string();
    }

    /// Starts the node from what is on the disk; returns what it sends at once.
    pub(super) fn boot(
        &mut self,
        now: Instant,
        planet: &Planet,
        seed: [u8; 32],
        addresses: Vec<SocketAddr>,
    ) -> Vec<Sent> {
        let elapsed = EPOCH + now.since(Instant::ZERO);
        let unix = UnixMillis(elapsed.0.saturating_add_signed(self.clock_skew_ms));
        let stored = self.disk.get(&StoreKey::Epoch).map(Vec::as_slice);
        let epoch = Epoch::after(stored, unix);
        self.disk.insert(StoreKey::Epoch, epoch.successor().to_text().into_bytes());
        let config = Config {
            planet: self.planet_on_disk().unwrap_or_else(|| planet.clone()),
            moons: self.moons_on_disk(),
            pins: self.pins_on_disk(),
            path_rules: self.path_rules.clone(),
            low_bandwidth: self.low_bandwidth,
            controller: self.is_controller,
            epoch: Some(epoch),
            platform: "sim/none",
            memory_budget: self.memory_budget,
            allow_loopback: false,
        };
        self.node = Some(Node::new(self.identity(), config, seed, now, unix));
        self.power = Power::On;
        self.stack.networks.clear();

        // What a node controls comes before what it joins, and a network before its members.
        let rank = |key: &StoreKey| match key {
            StoreKey::ControllerNetwork(_) => 0,
            StoreKey::ControllerMember(..) => 1,
            StoreKey::Planet
            | StoreKey::Moon(_)
            | StoreKey::WantedMoon(_)
            | StoreKey::Epoch
            | StoreKey::Peer(_)
            | StoreKey::Network(_)
            | StoreKey::NetworkSettings(_)
            | StoreKey::Pin(_)
            | StoreKey::FirstSeen(_)
            | StoreKey::RequirePinned => 2,
        };
        let mut stored: Vec<_> = self.disk.iter().collect();
        stored.sort_by_key(|(key, _)| rank(key));
        let mut commands = vec![
            Command::LocalAddresses(addresses),
            Command::TcpRelay(self.tcp_relay),
            Command::Bonding(self.bonding.clone()),
        ];
        commands
            .extend(stored.iter().filter_map(|(key, value)| load(**key, value, self.stack.mode)));
        let sent = commands.into_iter().map(|command| {
            self.command(now, command).expect("what a node has stored can be loaded again")
        });
        sent.collect::<Vec<_>>().concat()
    }

    /// Switches the machine off; `orderly` lets the node save what it wants to.
    pub(super) fn shut_down(&mut self, now: Instant, orderly: bool) {
        if orderly && self.node.is_some() {
            self.command(now, Command::Flush).expect("flushing cannot be refused");
        }
        self.node = None;
        self.power = Power::Off;
    }

    /// Gives the node `command`; returns what it sends.
    pub(super) fn command(
        &mut self,
        now: Instant,
        command: Command,
    ) -> Result<Vec<Sent>, CommandError> {
        let node = self.node.as_mut().expect("only a running node is given commands");
        node.handle_command(now, command, &mut self.wires, &mut self.port)?;
        Ok(self.settle(now))
    }

    /// Hands the node a datagram; returns what it sends.
    pub(super) fn datagram(&mut self, now: Instant, path: Path, mut bytes: Vec<u8>) -> Vec<Sent> {
        if let Some(node) = &mut self.node {
            // Rejections are the node's to count.
            let _ = node.handle_datagram(now, path, &mut bytes, &mut self.wires, &mut self.port);
        }
        self.settle(now)
    }

    /// Wakes the node for the reason it gave; returns what it sends.
    pub(super) fn timeout(&mut self, now: Instant, why: &'static str) -> Vec<Sent> {
        *self.wakeups.entry(why).or_default() += 1;
        if let Some(node) = &mut self.node {
            node.handle_timeout(now, &mut self.wires, &mut self.port);
        }
        self.settle(now)
    }

    /// Lets the host send `frames`; returns what the node sends.
    pub(super) fn frames(&mut self, now: Instant, frames: Vec<OwnedFrame>) -> Vec<Sent> {
        for frame in frames {
            self.hand_over(now, &frame);
        }
        self.settle(now)
    }

    /// Returns when the node wants to be woken, if it runs.
    pub(super) fn wakeup(&self) -> Option<Wakeup> {
        match self.power {
            Power::On => self.node.as_ref()?.poll_timeout(),
            Power::New | Power::Asleep | Power::Off => None,
        }
    }

    /// Passes frames and events on until both node and host are silent; returns what was sent.
    fn settle(&mut self, now: Instant) -> Vec<Sent> {
        for _ in 0..FRAMES_AT_ONCE {
            self.take_events(now);
            let frames = self.port.take();
            if frames.is_empty() {
                return self.wires.take();
            }
            for frame in &frames {
                for answer in self.receive(now, frame) {
                    self.hand_over(now, &answer);
                }
            }
        }
        panic!("{} and its host answer each other without end", self.name);
    }

    /// Takes in a frame from the node and returns those that answer it.
    fn receive(&mut self, now: Instant, frame: &OwnedFrame) -> Vec<OwnedFrame> {
        self.stack.keep(frame);
        let own = self.stack.mac(frame.network);
        let for_others = frame.destination != own && !frame.destination.is_multicast();
        let mut answers = Vec::new();
        if self.devices.is_empty() || !for_others {
            answers = self.stack.receive(now, frame);
        }
        answers.extend(self.devices.iter_mut().flat_map(|device| device.receive(frame)));
        answers
    }

    /// Gives the node a frame its host sends.
    fn hand_over(&mut self, now: Instant, frame: &OwnedFrame) {
        let Some(node) = &mut self.node else {
            return;
        };
        let OwnedFrame { network, destination, source, ethertype, ref payload } = *frame;
        // Rejections are the node's to count.
        let _ = match self.stack.mode {
            PortMode::L3 => {
                node.handle_packet(now, network, payload, &mut self.wires, &mut self.port)
            }
            PortMode::L2 => {
                let frame = Frame { destination, source, ethertype, payload };
                node.handle_frame(now, network, frame, &mut self.wires, &mut self.port)
            }
        };
    }

    fn take_events(&mut self, now: Instant) {
        while let Some(event) = self.node.as_mut().and_then(Node::poll_event) {
            match event {
                Event::Store { key, value: Some(value) } => {
                    self.disk.insert(key, value);
                }
                Event::Store { key, value: None } => {
                    self.disk.remove(&key);
                }
                Event::Network(ref status) => {
                    self.stack.networks.insert(status.id, status.as_ref().clone());
                    self.events.push((now, event));
                }
                Event::TcpRelay(is_wanted) => {
                    self.wants_tcp_relay = is_wanted;
                    self.events.push((now, event));
                }
                Event::NetworkLeft(network) => {
                    self.stack.networks.remove(&network);
                    self.events.push((now, event));
                }
                other => self.events.push((now, other)),
            }
        }
    }

    fn moons_on_disk(&self) -> Vec<Planet> {
        let moons = self.disk.iter().filter(|(key, _)| matches!(key, StoreKey::Moon(_)));
        moons
            .filter_map(|(_, bytes)| Planet::read_prefix(bytes).ok())
            .map(|(moon, _)| moon)
            .collect()
    }

    fn pins_on_disk(&self) -> Pins {
        let mut pins = Pins::new();
        for (key, value) in &self.disk {
            let expected = || str::from_utf8(value).ok()?.trim().parse().ok();
            match (key, expected()) {
                (StoreKey::Pin(address), Some(expected)) => assert!(pins.pin(*address, expected)),
                (StoreKey::FirstSeen(address), Some(Expected::Full(seen))) => {
                    assert!(pins.see(*address, seen));
                }
                (StoreKey::RequirePinned, _) => pins.require(true),
                _ => {}
            }
        }
        pins
    }

    fn planet_on_disk(&self) -> Option<Planet> {
        let bytes = self.disk.get(&StoreKey::Planet)?;
        Planet::read_prefix(bytes).ok().map(|(planet, _)| planet)
    }
}

/// Returns the command that loads what was stored under `key`.
fn load(key: StoreKey, value: &[u8], mode: PortMode) -> Option<Command> {
    let value = value.to_vec();
    Some(match key {
        StoreKey::Network(network) => Command::Join { network, mode, cached: Some(value) },
        StoreKey::Peer(_) => Command::LoadPeer(value),
        StoreKey::ControllerNetwork(network) => {
            Command::LoadControllerNetwork { network, json: value }
        }
        StoreKey::ControllerMember(network, member) => {
            Command::LoadControllerMember { network, member, json: value }
        }
        StoreKey::WantedMoon(moon) => {
            let line = str::from_utf8(&value).ok()?.lines().next()?;
            Command::Orbit { moon, seed: line.parse().ok(), definition: None }
        }
        StoreKey::Planet
        | StoreKey::Moon(_)
        | StoreKey::NetworkSettings(_)
        | StoreKey::Epoch
        | StoreKey::Pin(_)
        | StoreKey::FirstSeen(_)
        | StoreKey::RequirePinned => return None,
    })
}
