//! A private network over real UDP, on the loopback interface and without any rights.
#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as its tests may")]

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use zt_protocol::address::NetworkId;
use zt_protocol::event::{NetworkStatus, Route, Standing, StoreKey};
use zt_protocol::fingerprint::{Fingerprint, Invitation};
use zt_protocol::identity::SecretIdentity;
use zt_protocol::rng::Rng;
use zt_protocol::time::UnixMillis;
use zt_protocol::world::{Root, World, WorldKey, WorldKind};
use zt_runtime::controller::NetworkSettings;
use zt_runtime::packets::{PacketBatch, Packets};
use zt_runtime::store::Home;
use zt_runtime::{Builder, Event, Handle, Port};

/// Long enough for a busy machine; what is waited for takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A root, a controller and two members: who is allowed exchanges packets, who is denied does not,
/// and who restarts is back without being asked.
#[tokio::test(flavor = "multi_thread")]
async fn allowed_members_exchange_packets_and_come_back_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let (root, planet) = start_root(&dir.path().join("root")).await;
    let controller = builder(&dir.path().join("controller"), &planet).controller(true);
    let controller = controller.start().await.unwrap();
    let network = controller.create_network(lab()).await.unwrap();
    let alice = builder(&dir.path().join("alice"), &planet).start().await.unwrap();
    let bob = builder(&dir.path().join("bob"), &planet).start().await.unwrap();

    let (mut to_alice, mut to_bob) = (join(&alice, network).await, join(&bob, network).await);
    wait_for(&alice, |status| status.standing == Standing::AccessDenied).await;
    controller.allow(network, alice.address()).await.unwrap();
    controller.allow(network, bob.address()).await.unwrap();
    let alice_ip = address(&wait_for(&alice, |status| status.standing == Standing::Ok).await);
    let bob_ip = address(&wait_for(&bob, |status| status.standing == Standing::Ok).await);

    exchange(&mut to_alice, alice_ip, &mut to_bob, bob_ip).await;

    alice.shutdown().await;
    assert_eq!(drain(&alice).await, None);
    let home = Home::new(dir.path().join("alice"));
    assert_eq!(home.networks().unwrap(), [network]);
    assert!(home.load(StoreKey::Peer(bob.address())).unwrap().is_some());
    // On the port it had, for peers go on using a port until it has been silent for 19 s.
    let alice = builder(home.dir(), &planet).bind(alice.bound().to_vec()).start().await.unwrap();
    let mut to_alice = join(&alice, network).await;
    wait_for(&alice, |status| status.standing == Standing::Ok).await;
    exchange(&mut to_alice, alice_ip, &mut to_bob, bob_ip).await;

    controller.deny(network, alice.address()).await.unwrap();
    wait_for(&alice, |status| status.standing == Standing::AccessDenied).await;

    for node in [&alice, &bob, &controller, &root] {
        node.shutdown().await;
    }
}

/// What an operator writes into the home directory of a running controller takes effect at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_edited_by_another_process_takes_effect() {
    let dir = TempDir::new().unwrap();
    let (_root, planet) = start_root(&dir.path().join("root")).await;
    let home = Home::new(dir.path().join("controller"));
    let controller = builder(home.dir(), &planet).controller(true).start().await.unwrap();
    let alice = builder(&dir.path().join("alice"), &planet).start().await.unwrap();

    let network =
        zt_runtime::controller::create_network(&home, controller.address(), &lab()).unwrap();
    let _packets = join(&alice, network).await;
    wait_for(&alice, |status| status.standing == Standing::AccessDenied).await;
    zt_runtime::controller::allow(&home, network, alice.address()).unwrap();

    wait_for(&alice, |status| status.standing == Standing::Ok).await;
}

/// Alice was told the fingerprint of another controller, and corrects it.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_joined_with_the_fingerprint_of_its_controller() {
    let dir = TempDir::new().unwrap();
    let (_root, planet) = start_root(&dir.path().join("root")).await;
    let controller = builder(&dir.path().join("controller"), &planet).controller(true);
    let controller = controller.start().await.unwrap();
    let network = controller.create_network(lab()).await.unwrap();
    let alice = builder(&dir.path().join("alice"), &planet).start().await.unwrap();
    controller.allow(network, alice.address()).await.unwrap();
    let right = controller.identity().fingerprint();
    let wrong = alice.fingerprint(alice.address()).await.unwrap().unwrap();
    let invited = |told: Fingerprint| Invitation { network, controller: Some(told.into()) };

    alice.join(invited(wrong), Port::Packets).await.unwrap();
    let alarm = async {
        loop {
            if let Event::IdentityConflict { address, known, offered, .. } =
                alice.next_event().await.unwrap()
            {
                return (address, known, offered);
            }
        }
    };
    let alarm = tokio::time::timeout(PATIENCE, alarm).await.unwrap();
    assert_eq!(alarm, (controller.address(), wrong.into(), right));
    assert_eq!(alice.networks().await.unwrap()[0].standing, Standing::RequestingConfiguration);

    alice.join(invited(right), Port::Packets).await.unwrap();
    wait_for(&alice, |status| status.standing == Standing::Ok).await;
    alice.require_pinned(true).await.unwrap();
    alice.shutdown().await;
    let alice = builder(&dir.path().join("alice"), &planet).start().await.unwrap();
    let pins = alice.pins().await.unwrap();
    assert!(pins.is_required());
    assert_eq!(pins.expected(controller.address()), Some(right.into()));
    alice.unpin(controller.address()).await.unwrap();
    assert!(alice.unpin(controller.address()).await.is_err());
}

/// Dropping the last handle ends the node as well: its port can be used again.
#[tokio::test]
async fn a_node_without_handles_stops() {
    let dir = TempDir::new().unwrap();
    let node = Builder::new(dir.path()).bind([([127, 0, 0, 1], 0).into()]).start().await.unwrap();
    let bound = node.bound()[0];
    assert!(UdpSocket::bind(bound).is_err());

    drop(node);

    let free = async {
        while UdpSocket::bind(bound).is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, free).await.unwrap();
}

fn lab() -> NetworkSettings {
    NetworkSettings {
        name: "lab".to_owned(),
        private: true,
        pools: vec![([10, 1, 0, 1].into(), [10, 1, 0, 99].into())],
        routes: vec![Route { target: [10, 1, 0, 0].into(), bits: 24, via: None }],
        ..NetworkSettings::default()
    }
}

fn builder(home: &Path, planet: &World) -> Builder {
    Builder::new(home)
        .bind([([127, 0, 0, 1], 0).into()])
        .allow_loopback(true)
        .planet(planet.clone())
}

/// Starts the root of a new planet.
async fn start_root(home: &Path) -> (Handle, World) {
    let mut rng = Rng::from_seed([7; 32]);
    let identity = SecretIdentity::generate(&mut rng);
    Home::new(home).save_identity(&identity).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let endpoints = vec![socket.local_addr().unwrap()];

    let key = WorldKey::generate(&mut rng);
    let roots = vec![Root { identity: *identity.public(), endpoints }];
    let planet =
        World::sign(WorldKind::Planet, 1, UnixMillis(1), roots, &key, key.public()).unwrap();
    let root = builder(home, &planet).sockets([socket]).start().await.unwrap();
    (root, planet)
}

async fn join(node: &Handle, network: NetworkId) -> Packets {
    node.join(network, Port::Packets).await.unwrap();
    node.packets(network).await.unwrap()
}

/// Waits until a network of `node` is as `wanted`.
async fn wait_for(node: &Handle, wanted: impl Fn(&NetworkStatus) -> bool) -> NetworkStatus {
    let status = async {
        if let Some(status) = node.networks().await.unwrap().into_iter().find(&wanted) {
            return status;
        }
        loop {
            match node.next_event().await.unwrap() {
                Event::Network(status) if wanted(&status) => return *status,
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, status).await.expect("the network does not get there")
}

async fn drain(node: &Handle) -> Option<Event> {
    while node.next_event().await.is_some() {}
    None
}

fn address(status: &NetworkStatus) -> Ipv4Addr {
    let v4 = status.addresses.iter().find_map(|(ip, _)| match ip {
        std::net::IpAddr::V4(v4) => Some(*v4),
        std::net::IpAddr::V6(_) => None,
    });
    v4.unwrap()
}

/// Sends packets from one host to the other until one arrives, and back.
async fn exchange(a: &mut Packets, a_ip: Ipv4Addr, b: &mut Packets, b_ip: Ipv4Addr) {
    arrive(a, a_ip, b, b_ip).await;
    arrive(b, b_ip, a, a_ip).await;
}

async fn arrive(from: &Packets, source: Ipv4Addr, to: &mut Packets, destination: Ipv4Addr) {
    let packet = udp_packet(source, destination);
    let arrival = async {
        loop {
            let mut batch = PacketBatch::new();
            batch.push(&packet);
            from.sender.send(batch).await.unwrap();
            let answer = tokio::time::timeout(Duration::from_millis(200), to.receiver.recv());
            if let Ok(batch) = answer.await
                && batch.unwrap().iter().any(|arrived| arrived == packet)
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, arrival).await.expect("no packet arrives");
}

/// An IPv4 packet that carries an empty UDP datagram.
fn udp_packet(source: Ipv4Addr, destination: Ipv4Addr) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend([0x13, 0x88, 0x13, 0x88, 0, 8, 0, 0]);
    packet
}
