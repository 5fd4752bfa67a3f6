//! The world and what can be done to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};
use zt_protocol::address::{Address, NetworkId};
use zt_protocol::command::Conditions;
use zt_protocol::endpoint::{Path, SocketId};
use zt_protocol::event::StoreKey;
use zt_protocol::identity::SecretIdentity;
use zt_protocol::node::Command;
use zt_protocol::rng::Rng;
use zt_protocol::time::Instant;
use zt_protocol::transmit::PortMode;
use zt_protocol::world::{Root, World as Planet, WorldKind};

use super::host::{EPOCH, Host, Power};
use super::internet::{Datagram, Internet, LanId, Site};
use super::nat::Nat;
use super::recording::Overheard;
use super::trace::{self, Fnv};
use crate::identities;
use crate::packet::Key;

/// Names a node of a world.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(pub(super) usize);

/// Who may join a network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Those whom [`World::allow`] named.
    Private,
}

/// Something that happens at a certain time.
pub(super) enum Happening {
    /// A datagram arrives where it was sent to.
    Arrival(Datagram),
    /// The next ping of a series is due.
    Ping(usize),
    /// A node has a connection to the TCP relay.
    TcpRelayConnected(NodeId),
}

/// A host that pings another again and again.
#[derive(Clone, Copy)]
pub(super) struct Series {
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) period: Duration,
    pub(super) goes_on: bool,
}

/// A world: nodes, what is between them, and the time.
pub struct World {
    pub(super) seed: u64,
    pub(super) now: Instant,
    pub(super) hosts: Vec<Host>,
    pub(super) internet: Internet,
    pub(super) trace: Fnv,
    pub(super) rng: Rng,
    pub(super) queue: BTreeMap<(Instant, u64), Happening>,
    /// Who wants to be woken when, and why.
    pub(super) wakeups: BTreeMap<(Instant, NodeId), &'static str>,
    /// How many happenings were ever queued; orders those of one instant.
    queued: u64,
    /// Everything that arrived since it was to be recorded.
    pub(super) recording: Option<Vec<Overheard>>,
    /// How many bytes were sent to each address by UDP.
    pub(super) sent_to: BTreeMap<SocketAddr, usize>,
    pub(super) series: Vec<Series>,
    /// What nodes in whose mouths packets were put share with those who got them.
    pub(super) keys: BTreeMap<(NodeId, NodeId), Key>,
    roots: Vec<NodeId>,
    /// Fixed when the first node starts.
    planet: Option<Planet>,
    networks: u32,
    /// How often nodes were woken since the time last changed.
    pub(super) wakeups_at_once: usize,
}

/// Who there is.
impl World {
    /// Returns an empty world in which everything random follows from `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        trace::collect_log();
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        Self {
            seed,
            now: Instant::ZERO,
            hosts: Vec::new(),
            internet: Internet::new(seed),
            trace: Fnv::default(),
            rng: Rng::from_seed(bytes),
            queue: BTreeMap::new(),
            wakeups: BTreeMap::new(),
            queued: 0,
            recording: None,
            sent_to: BTreeMap::new(),
            series: Vec::new(),
            keys: BTreeMap::new(),
            roots: Vec::new(),
            planet: None,
            networks: 0,
            wakeups_at_once: 0,
        }
    }

    /// Adds a root with a public address. All roots come before the first node starts.
    pub fn root(&mut self) -> NodeId {
        assert!(self.planet.is_none(), "the planet is signed before the first node starts");
        let root = self.add("root");
        self.internet.attach(root);
        self.roots.push(root);
        root
    }

    /// Adds a controller with a public address.
    pub fn controller(&mut self) -> NodeId {
        let controller = self.add("controller");
        self.internet.attach(controller);
        self.hosts[controller.0].is_controller = true;
        controller
    }

    /// Adds a node with a public address.
    pub fn member(&mut self) -> NodeId {
        let member = self.add("member");
        self.internet.attach(member);
        member
    }

    /// Adds a node alone behind a translator.
    pub fn node_behind(&mut self, nat: Nat) -> NodeId {
        let lan = self.lan(nat);
        self.node_in(lan)
    }

    /// Adds a node at `site`.
    pub fn node_at(&mut self, site: Site) -> NodeId {
        let member = self.add("member");
        self.internet.settle(member, site);
        member
    }

    /// Adds a LAN behind a translator.
    pub fn lan(&mut self, nat: Nat) -> LanId {
        self.internet.new_lan(nat)
    }

    /// Adds a LAN behind a translator that is itself in the LAN `carrier`.
    pub fn lan_in(&mut self, carrier: LanId, nat: Nat) -> LanId {
        self.internet.new_lan_in(carrier, nat)
    }

    /// Adds a node in `lan`.
    pub fn node_in(&mut self, lan: LanId) -> NodeId {
        let member = self.add("member");
        self.internet.attach_to_lan(member, lan);
        member
    }

    /// Makes `node` exchange Ethernet frames with its host. Before it starts only.
    pub fn use_ethernet(&mut self, node: NodeId) {
        let host = &mut self.hosts[node.0];
        assert_eq!(host.power, Power::New, "a node's mode is chosen before it starts");
        host.stack.mode = PortMode::L2;
    }

    /// Gives `node` a public IPv6 address as well. Before it starts only.
    pub fn use_ipv6(&mut self, node: NodeId) {
        assert_eq!(self.hosts[node.0].power, Power::New, "addresses are chosen before the start");
        self.internet.attach_v6(node);
    }

    /// Sets the wall clock of `node` ahead, or back. Before it starts only.
    pub fn skew_clock(&mut self, node: NodeId, ahead_ms: i64) {
        assert_eq!(self.hosts[node.0].power, Power::New, "clocks are set before the start");
        self.hosts[node.0].clock_skew_ms = ahead_ms;
    }

    /// Adds nodes with public addresses whose identities nobody would believe who did not know
    /// them already: see [`acquaint`](Self::acquaint). There can be thousands.
    pub fn crowd(&mut self, count: usize) -> Vec<NodeId> {
        let first = self.hosts.len();
        let identities = (first..first + count).map(identities::unproven);
        identities.map(|identity| self.newcomer(&identity)).collect()
    }

    /// Adds nodes with public addresses of whom no other node need know beforehand. There can be
    /// [`identities::PROVEN_COUNT`].
    pub fn proven_crowd(&mut self, count: usize) -> Vec<NodeId> {
        (0..count).map(|index| self.newcomer(&identities::proven(index))).collect()
    }

    fn newcomer(&mut self, identity: &SecretIdentity) -> NodeId {
        let node = NodeId(self.hosts.len());
        self.hosts.push(Host::new(format!("member {}", node.0), identity));
        self.internet.attach(node);
        node
    }

    /// Has `node` use another port of its addresses as well. Before it starts only.
    pub fn use_second_port(&mut self, node: NodeId, port: u16) {
        assert_eq!(self.hosts[node.0].power, Power::New, "ports are bound at the start");
        self.internet.add_port(node, port);
    }

    /// Moves `node` to `site`. Before it starts only.
    pub fn settle(&mut self, node: NodeId, site: Site) {
        assert_eq!(self.hosts[node.0].power, Power::New, "places are chosen before the start");
        self.internet.settle(node, site);
    }

    /// Lets `a` and `b` remember each other from before the world began. Before they start only.
    pub fn acquaint(&mut self, a: NodeId, b: NodeId) {
        for (host, peer) in [(a, b), (b, a)] {
            assert_eq!(self.hosts[host.0].power, Power::New, "memories are older than the world");
            let record = self.hosts[peer.0].record();
            let key = StoreKey::Peer(self.hosts[peer.0].address);
            self.hosts[host.0].disk.insert(key, record);
        }
    }

    fn add(&mut self, role: &str) -> NodeId {
        let node = NodeId(self.hosts.len());
        // Different seeds give the same role to different identities.
        let rotation = usize::try_from(self.seed % 7).expect("a number below 7") * 5;
        let identity = identities::identity((node.0 + rotation) % identities::COUNT);
        self.hosts.push(Host::new(format!("{role} {}", node.0), &identity));
        node
    }
}

/// What is between them.
impl World {
    /// Gives every pair of sites a delay in this range, the same both ways.
    pub fn latency(&mut self, range: RangeInclusive<Duration>) {
        self.internet.wide.latency = range;
    }

    /// Lets every datagram between sites take up to `jitter` longer.
    pub fn jitter(&mut self, jitter: Duration) {
        self.internet.wide.jitter = jitter;
    }

    /// Loses so many datagrams in a thousand between sites.
    pub fn lose(&mut self, per_thousand: u32) {
        self.internet.wide.lost = per_thousand;
    }

    /// Delivers so many datagrams in a thousand between sites twice.
    pub fn duplicate(&mut self, per_thousand: u32) {
        self.internet.wide.duplicated = per_thousand;
    }

    /// Lets so many datagrams in a thousand between sites be overtaken by later ones.
    pub fn reorder(&mut self, per_thousand: u32) {
        self.internet.wide.reordered = per_thousand;
    }

    /// Lets no datagram pass between `a` and `b`, in either direction.
    pub fn block(&mut self, a: NodeId, b: NodeId) {
        self.internet.blocked.extend([(a, b), (b, a)]);
    }

    /// Undoes [`block`](Self::block).
    pub fn unblock(&mut self, a: NodeId, b: NodeId) {
        for pair in [(a, b), (b, a)] {
            self.internet.blocked.remove(&pair);
        }
    }

    /// Lets no datagram pass between anybody in `here` and anybody else.
    pub fn partition(&mut self, here: &[NodeId]) {
        let there = (0..self.hosts.len()).map(NodeId).filter(|node| !here.contains(node));
        for far in there.collect::<Vec<_>>() {
            for &near in here {
                self.block(near, far);
            }
        }
    }

    /// Undoes every [`block`](Self::block) and [`partition`](Self::partition).
    pub fn heal(&mut self) {
        self.internet.blocked.clear();
    }

    /// Lets the translator of `lan` forget its mappings.
    pub fn restart_router(&mut self, lan: LanId) {
        self.internet.reset_translator(lan);
    }

    /// Moves `node` to another public address.
    pub fn roam(&mut self, node: NodeId) {
        self.internet.attach(node);
        self.tell_addresses(node);
    }

    /// Moves `node` to another public address without telling it.
    pub fn move_silently(&mut self, node: NodeId) {
        self.internet.attach(node);
    }

    /// Gives `node` other public addresses for those it has, and tells it so as a host does that
    /// follows its interfaces.
    pub fn exchange_addresses(&mut self, node: NodeId) {
        let closed = self.internet.exchange_addresses(node);
        self.tell_addresses(node);
        self.command(node, Command::SocketsClosed(closed));
    }

    /// Moves `node` behind a translator of its own.
    pub fn roam_behind(&mut self, node: NodeId, nat: Nat) {
        let lan = self.internet.new_lan(nat);
        self.internet.attach_to_lan(node, lan);
        self.tell_addresses(node);
    }

    /// Tells `node` what its network is like; does nothing else to it.
    pub fn set_conditions(&mut self, node: NodeId, conditions: Conditions) {
        self.command(node, Command::SetConditions(conditions));
    }

    /// Tells `node` that it may be in another network.
    pub fn hint_change(&mut self, node: NodeId) {
        self.command(node, Command::NetworkChanged);
    }

    fn tell_addresses(&mut self, node: NodeId) {
        let addresses = self.internet.addresses(node);
        if self.hosts[node.0].power == Power::On {
            self.command(node, Command::LocalAddresses(addresses));
        }
    }

    /// Lets `bytes` arrive at `node` from wherever `source` is.
    pub fn inject(&mut self, node: NodeId, source: SocketAddr, bytes: &[u8]) {
        self.start();
        let path = Path { local: SocketId(0), remote: source };
        let sent = self.hosts[node.0].datagram(self.now, path, bytes.to_vec());
        self.send(node, sent);
    }
}

/// What becomes of machines.
impl World {
    /// Shuts `node` down in order and starts it again at once.
    pub fn restart(&mut self, node: NodeId) {
        self.start();
        self.hosts[node.0].shut_down(self.now, true);
        self.boot(node);
    }

    /// Shuts `node` down without warning and starts it again at once, on another port of the same
    /// addresses.
    pub fn restart_on(&mut self, node: NodeId, port: u16) {
        self.switch_off(node);
        self.internet.rebind(node, port);
        self.boot(node);
    }

    /// Takes the disk of `node`, all but its identity, and starts it again at once.
    pub fn wipe(&mut self, node: NodeId) {
        self.start();
        self.hosts[node.0].shut_down(self.now, false);
        self.hosts[node.0].disk.clear();
        self.boot(node);
    }

    /// Switches `node` off without warning.
    pub fn switch_off(&mut self, node: NodeId) {
        self.start();
        self.hosts[node.0].shut_down(self.now, false);
        self.reschedule(node);
    }

    /// Switches `node` on again.
    pub fn switch_on(&mut self, node: NodeId) {
        self.start();
        self.boot(node);
    }

    /// Suspends `node`.
    pub fn sleep(&mut self, node: NodeId) {
        self.start();
        self.hosts[node.0].power = Power::Asleep;
        self.reschedule(node);
    }

    /// Resumes `node`; its timers are late by as long as it slept.
    pub fn wake(&mut self, node: NodeId) {
        self.hosts[node.0].power = Power::On;
        self.reschedule(node);
    }

    /// Starts every node that has not been started yet.
    pub(super) fn start(&mut self) {
        for index in 0..self.hosts.len() {
            if self.hosts[index].power == Power::New {
                self.boot(NodeId(index));
            }
        }
    }

    fn boot(&mut self, node: NodeId) {
        let planet = self.planet();
        let seed = self.rng.bytes();
        let addresses = self.internet.addresses(node);
        let sent = self.hosts[node.0].boot(self.now, &planet, seed, addresses);
        self.send(node, sent);
    }

    /// Returns the planet, which lists every root there was when it was first asked for.
    fn planet(&mut self) -> Planet {
        let root = |&root: &NodeId| Root {
            identity: *self.hosts[root.0].identity().public(),
            endpoints: self.internet.addresses(root),
        };
        let roots = self.roots.iter().map(root).collect();
        let planet = self.planet.get_or_insert(Planet {
            kind: WorldKind::Planet,
            id: 0x5eed,
            timestamp: EPOCH,
            updates_signed_by: [0; 64],
            // The planet a node is given is trusted as it is (spec 02 §1.4).
            signature: [0; 96],
            roots,
        });
        planet.clone()
    }
}

/// Networks and their members.
impl World {
    /// Makes a network at `controller`, with addresses from 10.147.n.0/24 and both kinds of
    /// derived IPv6 addresses.
    pub fn network(&mut self, controller: NodeId, access: Access) -> NetworkId {
        self.network_with(controller, json!({ "private": access == Access::Private }))
    }

    /// Makes a network whose record has the fields of `differs` in place of the usual ones.
    pub fn network_with(&mut self, controller: NodeId, differs: Value) -> NetworkId {
        self.networks += 1;
        let number = self.networks;
        let id = NetworkId::new(self.hosts[controller.0].address, number);
        let mut record = json!({
            "id": id.to_string(),
            "nwid": id.to_string(),
            "objtype": "network",
            "name": format!("network {number}"),
            "private": true,
            "enableBroadcast": true,
            "multicastLimit": 32,
            "mtu": 2800,
            "creationTime": EPOCH.0,
            "revision": 1,
            "v4AssignMode": { "zt": true },
            "v6AssignMode": { "zt": false, "rfc4193": true, "6plane": true },
            "ipAssignmentPools": [{
                "ipRangeStart": format!("10.147.{number}.1"),
                "ipRangeEnd": format!("10.147.{number}.254"),
            }],
            "routes": [{ "target": format!("10.147.{number}.0/24"), "via": null }],
            "rules": [{ "type": "ACTION_ACCEPT", "not": false, "or": false }],
        });
        merge(&mut record, differs);
        self.store(controller, StoreKey::ControllerNetwork(id), &record);
        id
    }

    /// Changes fields of the record of `network`.
    pub fn edit_network(&mut self, network: NetworkId, differs: Value) {
        let controller = self.find(network.controller());
        let key = StoreKey::ControllerNetwork(network);
        let mut record = self.record(controller, key).expect("the network exists");
        merge(&mut record, differs);
        self.store(controller, key, &record);
    }

    /// Lets `members` join `network`.
    pub fn join(&mut self, network: NetworkId, members: &[NodeId]) {
        self.start();
        for &member in members {
            let mode = self.hosts[member.0].stack.mode;
            self.command(member, Command::Join { network, mode, cached: None });
        }
    }

    /// Lets `member` leave `network`.
    pub fn leave(&mut self, network: NetworkId, member: NodeId) {
        self.command(member, Command::Leave(network));
    }

    /// Admits `member` to `network`, as its operator does.
    pub fn allow(&mut self, network: NetworkId, member: NodeId) {
        self.authorize(network, member, true);
    }

    /// Takes the admission of `member` to `network` back.
    pub fn deny(&mut self, network: NetworkId, member: NodeId) {
        self.authorize(network, member, false);
    }

    fn authorize(&mut self, network: NetworkId, member: NodeId, authorized: bool) {
        self.edit_member(network, member, json!({ "authorized": authorized }));
    }

    /// Changes fields of the record of `member` of `network`.
    pub fn edit_member(&mut self, network: NetworkId, member: NodeId, differs: Value) {
        let controller = self.find(network.controller());
        let address = self.hosts[member.0].address;
        let key = StoreKey::ControllerMember(network, address);
        let mut record = self.record(controller, key).unwrap_or_else(|| {
            json!({
                "id": address.to_string(),
                "address": address.to_string(),
                "nwid": network.to_string(),
                "objtype": "member",
            })
        });
        merge(&mut record, differs);
        self.store(controller, key, &record);
    }

    /// Returns the node at `address`.
    fn find(&self, address: Address) -> NodeId {
        let index = self.hosts.iter().position(|host| host.address == address);
        NodeId(index.expect("the address is that of a node of this world"))
    }

    fn record(&self, node: NodeId, key: StoreKey) -> Option<Value> {
        let bytes = self.hosts[node.0].disk.get(&key)?;
        Some(serde_json::from_slice(bytes).expect("controllers store JSON"))
    }

    /// Writes a record to the disk of `controller`, and tells it if it runs.
    fn store(&mut self, controller: NodeId, key: StoreKey, record: &Value) {
        let json = record.to_string().into_bytes();
        let host = &mut self.hosts[controller.0];
        host.disk.insert(key, json.clone());
        if host.power != Power::On {
            return;
        }
        self.command(
            controller,
            match key {
                StoreKey::ControllerNetwork(network) => {
                    Command::LoadControllerNetwork { network, json }
                }
                StoreKey::ControllerMember(network, member) => {
                    Command::LoadControllerMember { network, member, json }
                }
                other => panic!("{other:?} is no record of a controller"),
            },
        );
    }

    /// Lets `happening` happen at `at`.
    pub(super) fn queue(&mut self, at: Instant, happening: Happening) {
        self.queued += 1;
        self.queue.insert((at, self.queued), happening);
    }

    pub(super) fn command(&mut self, node: NodeId, command: Command) {
        let said = format!("{command:?}");
        match self.hosts[node.0].command(self.now, command) {
            Ok(sent) => self.send(node, sent),
            Err(refused) => panic!("seed {}: {said} was refused: {refused}", self.seed),
        }
    }
}

/// Gives `record` the fields of `differs` in place of its own.
fn merge(record: &mut Value, differs: Value) {
    let (Value::Object(record), Value::Object(differs)) = (record, differs) else {
        panic!("records are JSON objects");
    };
    record.extend(differs);
}
