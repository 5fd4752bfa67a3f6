//! A private network in one process, over the loopback interface.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use zt_protocol::address::NetworkId;
use zt_protocol::event::{NetworkStatus, Route};
use zt_protocol::identity::SecretIdentity;
use zt_protocol::rng::Rng;
use zt_protocol::time::UnixMillis;
use zt_protocol::world::{Root, World, WorldKey, WorldKind};
use zt_runtime::controller::NetworkSettings;
use zt_runtime::packets::{PacketBatch, Packets};
use zt_runtime::store::Home;
use zt_runtime::{Builder, Event, Handle, Port};

/// Long enough for a busy machine; what is waited for takes milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Returns what the lab's network is like.
pub(super) fn settings() -> NetworkSettings {
    NetworkSettings {
        name: "lab".to_owned(),
        private: true,
        pools: vec![([10, 1, 0, 1].into(), [10, 1, 0, 99].into())],
        routes: vec![Route { target: [10, 1, 0, 0].into(), bits: 24, via: None }],
        ..NetworkSettings::default()
    }
}

pub(super) fn builder(home: &Path, planet: &World) -> Builder {
    Builder::new(home)
        .bind([([127, 0, 0, 1], 0).into()])
        .allow_loopback(true)
        .planet(planet.clone())
}

/// Starts the root of a new planet.
pub(super) async fn start_root(home: &Path) -> (Handle, World) {
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

pub(super) async fn join(node: &Handle, network: NetworkId) -> Packets {
    node.join(network, Port::Packets).await.unwrap();
    node.packets(network).await.unwrap()
}

/// Waits until a network of `node` is as `wanted`.
pub(super) async fn wait_for(
    node: &Handle,
    wanted: impl Fn(&NetworkStatus) -> bool,
) -> NetworkStatus {
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

pub(super) fn address(status: &NetworkStatus) -> Ipv4Addr {
    let v4 = status.addresses.iter().find_map(|(ip, _)| match ip {
        std::net::IpAddr::V4(v4) => Some(*v4),
        std::net::IpAddr::V6(_) => None,
    });
    v4.unwrap()
}

/// Sends packets from one host to the other until one arrives, and back.
pub(super) async fn exchange(a: &mut Packets, a_ip: Ipv4Addr, b: &mut Packets, b_ip: Ipv4Addr) {
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
