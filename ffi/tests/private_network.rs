//! A private network in one process, by nothing but the facade.
#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as its tests may")]

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use zt::facade::{
    Bonding, Config, Event, HostedNetwork, NetworkId, Node, PlanetRoot, Port, PortMode, Prefix,
    Profile, Route, Standing, TcpRelay, TcpRelayStatus, ZtError, generate_identity, make_planet,
};

/// Long enough for a busy machine; what is waited for takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Root, controller and two members: packets written to one member's socket are read from the
/// other's, after another socket has taken the place of the first.
#[test]
fn packets_pass_between_the_sockets_of_two_members() {
    let world = World::start();
    let (alice, bob) = (world.member("alice"), world.member("bob"));
    let [alice_ip, bob_ip] = [&alice, &bob].map(|node| world.admit(node));

    let first = socket(&alice, world.network);
    let to_alice = socket(&alice, world.network);
    let to_bob = socket(&bob, world.network);
    assert!(first.send(b"x").is_err() || first.recv(&mut [0; 10]).is_ok_and(|len| len == 0));

    arrive(&to_alice, alice_ip, &to_bob, bob_ip);
    arrive(&to_bob, bob_ip, &to_alice, alice_ip);

    let plan = alice.block_on(alice.plan(world.network)).unwrap();
    assert_eq!(plan.addresses[0].bits, 24);
    let peers = alice.block_on(alice.peers()).unwrap();
    assert!(peers.iter().any(|peer| peer.address == bob.address() && peer.path.is_some()));
    let packet = udp_packet(alice_ip, bob_ip);
    let outbound = zt::facade::Direction::Outbound;
    let judged = alice.would_allow(world.network, bob.address(), packet, outbound);
    assert!(alice.block_on(judged).unwrap().passes);
}

/// Whoever waits for events while the node is stopped is told, and so is everybody after.
#[test]
fn a_stopped_node_says_so_to_all_who_ask() {
    let dir = TempDir::new().unwrap();
    let node = Node::start_blocking(config(&dir.path().join("node"), &[])).unwrap();

    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            loop {
                if let Err(error) = node.next_event_blocking(Some(PATIENCE)) {
                    return error;
                }
            }
        });
        node.block_on(node.stop()).unwrap();
        assert!(matches!(waiting.join().unwrap(), ZtError::Stopped));
    });

    node.block_on(node.stop()).unwrap();
    assert!(matches!(node.block_on(node.peers()), Err(ZtError::Stopped)));
    let joined = node.join(NetworkId(0x8056_c2e2_1c00_0001), Port::None, None);
    assert!(matches!(node.block_on(joined), Err(ZtError::Stopped)));
    let ended = node.next_event_blocking(Some(Duration::ZERO));
    assert!(matches!(ended, Err(ZtError::Stopped)));
}

#[test]
fn what_is_wrong_is_said_by_kind() {
    let dir = TempDir::new().unwrap();
    let home = dir.path().join("node");
    let node = Node::start_blocking(config(&home, &[])).unwrap();
    let network = NetworkId(0x8056_c2e2_1c00_0001);
    let join = |port| node.block_on(node.join(network, port, None)).map_err(|error| error.code());
    let descriptor = |fd| Port::Descriptor { fd, mode: PortMode::L3, framing: Default::default() };

    assert_eq!(node.block_on(node.attach(network, Port::None)).unwrap_err().code(), 203);
    assert_eq!(join(descriptor(-1)), Err(107));
    assert_eq!(join(descriptor(1_000_000)), Err(107));
    let invalid = node.join(NetworkId(7), Port::None, None);
    assert_eq!(node.block_on(invalid).unwrap_err().code(), 300);
    let mistyped = node.join(network, Port::None, Some("abc".to_owned()));
    assert_eq!(node.block_on(mistyped).unwrap_err().code(), 102);
    assert_eq!(join(Port::None), Ok(()));
    assert_eq!(node.block_on(node.memberships()).unwrap(), [network]);

    let taken = Config { identity: generate_identity().unwrap().secret, ..config(&home, &[]) };
    assert_eq!(Node::start_blocking(taken).unwrap_err().code(), 401);
    let bind = node.bound();
    let busy = Config { bind, ..config(&dir.path().join("other"), &[]) };
    assert_eq!(Node::start_blocking(busy).unwrap_err().code(), 302);
}

/// What only `local.conf` and the configuration can ask for is in force, and said to be.
#[test]
fn relay_and_trusted_paths_are_part_of_the_status() {
    let dir = TempDir::new().unwrap();
    let conf = r#"{"physical": {"10.20.0.0/16": {"trustedPathId": 7}}}"#;
    std::fs::write(dir.path().join("local.conf"), conf).unwrap();
    let node = Node::start_blocking(Config {
        tcp_relay: Some(TcpRelay { address: free_address(), forced: false }),
        bonding: Some(Bonding::ActiveBackup),
        map_ports: Some(true),
        secondary_port: Some(0),
        ..config(dir.path(), &[])
    });
    let node = node.unwrap();

    let status = node.block_on(node.status()).unwrap();

    assert_eq!(status.tcp_relay, TcpRelayStatus::Standby);
    let trusted: Vec<_> = status.trusted_paths.iter().map(|path| (path.prefix, path.id)).collect();
    assert_eq!(trusted, [(Prefix { address: [10, 20, 0, 0].into(), bits: 16 }, 7)]);
    // No gateway leads to what is bound to loopback.
    assert_eq!(node.port_mapping(), None);
}

/// The network stands so until somebody pins the right fingerprint, and then it is as if none were wrong.
#[test]
fn a_wrong_fingerprint_is_where_the_network_stands() {
    let world = World::start();
    let alice = world.member("alice");
    world.controller.block_on(world.controller.allow(world.network, alice.address())).unwrap();
    let wrong = Some("7".repeat(96));
    alice.block_on(alice.join(world.network, Port::None, wrong)).unwrap();
    stands(&alice, Standing::IdentityConflict);

    let controller = world.controller.address();
    let right = world.controller.block_on(world.controller.fingerprint(controller)).unwrap();
    alice.block_on(alice.pin(controller, right.unwrap())).unwrap();

    stands(&alice, Standing::Ok);
}

/// Waits until the one network of a node stands so.
fn stands(node: &Node, expected: Standing) {
    loop {
        let event = node.next_event_blocking(Some(PATIENCE)).unwrap();
        if matches!(event, Event::Network { status } if status.standing == expected) {
            return;
        }
    }
}

/// Problems that matter leave the node as it was; others are passed over, and the rest counts.
#[test]
fn local_conf_is_read_again_when_the_host_says_so() {
    let dir = TempDir::new().unwrap();
    let edit = |text: &str| std::fs::write(dir.path().join("local.conf"), text).unwrap();
    let node = Node::start_blocking(config(dir.path(), &[])).unwrap();
    let reload = || node.block_on(node.reload_local_conf()).map_err(|error| error.code());
    let trusted = || {
        let paths = node.block_on(node.status()).unwrap().trusted_paths;
        paths.iter().map(|path| path.id).collect::<Vec<_>>()
    };

    edit(
        r#"{
        "physical": { "10.20.0.0/16": { "trustedPathId": 7 }, "10.21.0.0/16": { "mtu": "short" } },
        "settings": { "primaryPort": 1000 }
    }"#,
    );
    assert_eq!((reload(), trusted()), (Ok(()), vec![7]));
    for unclear in ["not JSON", r#"{ "physical": { "10.1.0.0/99": { "blacklist": true } } }"#] {
        edit(unclear);
        assert_eq!((reload(), trusted()), (Err(402), vec![7]));
    }
    std::fs::remove_file(dir.path().join("local.conf")).unwrap();
    assert_eq!((reload(), trusted()), (Ok(()), vec![]));
    std::fs::create_dir(dir.path().join("local.conf")).unwrap();
    assert_eq!(reload(), Err(400));
    node.block_on(node.stop()).unwrap();
    assert_eq!(reload(), Err(200));
}

/// A phone's node has a budget unless it says otherwise, others if they ask for one.
#[test]
fn memory_is_bounded_as_asked_for_and_given_back() {
    let dir = TempDir::new().unwrap();
    let start = |profile, memory_budget| {
        let config = Config { profile, memory_budget, ..config(dir.path(), &[]) };
        Node::start_blocking(config).map_err(|error| (error.code(), error.to_string()))
    };
    let budget = |profile, memory_budget| {
        let node = start(profile, memory_budget).unwrap();
        let memory = node.block_on(node.statistics()).unwrap().memory;
        let parts = [memory.peers, memory.networks, memory.packets, memory.replays];
        assert_eq!(memory.total, parts.iter().sum::<u64>() + memory.controller);
        node.block_on(node.trim_memory()).unwrap();
        node.block_on(node.stop()).unwrap();
        let stopped = node.block_on(node.trim_memory());
        assert!(matches!(stopped, Err(ZtError::Stopped)), "{stopped:?}");
        memory.budget
    };
    const MIB: u64 = 1024 * 1024;

    assert_eq!(budget(Profile::Phone, None), Some(16 * MIB));
    assert_eq!(budget(Profile::Phone, Some(5 * MIB)), Some(5 * MIB));
    assert_eq!(budget(Profile::Server, None), None);
    assert_eq!(budget(Profile::Desktop, Some(u64::MAX)), Some(u64::MAX));
    let (code, why) = start(Profile::Phone, Some(4 * MIB - 1)).unwrap_err();
    assert_eq!((code, &*why), (102, "a memory budget is at least 4194304 bytes"));
}

/// A root, and a controller with one network.
struct World {
    dir: TempDir,
    planet: Vec<u8>,
    _root: Arc<Node>,
    controller: Arc<Node>,
    network: NetworkId,
}

impl World {
    fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let identity = generate_identity().unwrap();
        let endpoint = free_address();
        let root = PlanetRoot { identity: identity.public, endpoints: vec![endpoint] };
        let planet = make_planet(1, vec![root], None).unwrap().planet;
        let root = Node::start_blocking(Config {
            identity: identity.secret,
            bind: vec![endpoint],
            ..config(&dir.path().join("root"), &planet)
        });
        let controller = Node::start_blocking(Config {
            controller: true,
            ..config(&dir.path().join("controller"), &planet)
        });
        let controller = controller.unwrap();
        let lab = HostedNetwork {
            name: "lab".to_owned(),
            private: true,
            pools: vec!["10.1.0.1-10.1.0.99".to_owned()],
            routes: vec![Route { target: [10, 1, 0, 0].into(), bits: 24, via: None }],
            ..HostedNetwork::default()
        };
        let network = controller.block_on(controller.create_network(lab)).unwrap();
        Self { dir, planet, _root: root.unwrap(), controller, network }
    }

    fn member(&self, name: &str) -> Arc<Node> {
        Node::start_blocking(config(&self.dir.path().join(name), &self.planet)).unwrap()
    }

    /// Lets a member onto the network; returns its address there.
    fn admit(&self, node: &Node) -> [u8; 4] {
        node.block_on(node.join(self.network, Port::None, None)).unwrap();
        self.controller.block_on(self.controller.allow(self.network, node.address())).unwrap();
        loop {
            let event = node.next_event_blocking(Some(PATIENCE)).unwrap();
            if let Event::Network { status } = event
                && status.standing == Standing::Ok
                && let Some(std::net::IpAddr::V4(ip)) = status.addresses.first().map(|p| p.address)
            {
                return ip.octets();
            }
        }
    }
}

fn config(home: &Path, planet: &[u8]) -> Config {
    Config {
        planet: (!planet.is_empty()).then(|| planet.to_vec()),
        bind: vec![([127, 0, 0, 1], 0).into()],
        allow_loopback: true,
        ..Config::new(home.to_str().unwrap())
    }
}

fn free_address() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn socket(node: &Node, network: NetworkId) -> UnixDatagram {
    let fd = node.block_on(node.packet_socket(network, PortMode::L3)).unwrap();
    // SAFETY: the descriptor is open, and nobody else's.
    let socket = UnixDatagram::from(unsafe { OwnedFd::from_raw_fd(fd) });
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    socket
}

fn arrive(from: &UnixDatagram, source: [u8; 4], to: &UnixDatagram, destination: [u8; 4]) {
    let packet = udp_packet(source, destination);
    for _ in 0..100 {
        from.send(&packet).unwrap();
        let mut arrived = [0; 100];
        if to.recv(&mut arrived).is_ok_and(|len| arrived[..len] == packet) {
            return;
        }
    }
    panic!("no packet arrives");
}

/// An IPv4 packet that carries an empty UDP datagram.
fn udp_packet(source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0];
    packet.extend(source);
    packet.extend(destination);
    packet.extend([0x13, 0x88, 0x13, 0x88, 0, 8, 0, 0]);
    packet
}
