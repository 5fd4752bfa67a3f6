//! A member that sends nothing by UDP, and the TCP relay that does so for it.
#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as its tests may")]

mod lab;

use std::net::{Ipv4Addr, SocketAddr};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use zt_protocol::event::Standing;
use zt_protocol::status::{Reason, TcpRelayStatus};

use lab::{PATIENCE, address, builder, exchange, join, start_root, wait_for};

/// Alice joins a network and exchanges packets with bob, though all that leaves her is one TCP
/// connection. The relay closes it now and then.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_udp_exchanges_packets_through_the_relay() {
    let dir = TempDir::new().unwrap();
    let (_root, planet) = start_root(&dir.path().join("root")).await;
    let controller = builder(&dir.path().join("controller"), &planet).controller(true);
    let controller = controller.start().await.unwrap();
    let network = controller.create_network(lab::settings()).await.unwrap();
    let (relay, mut relayed) = Relay::start().await;
    let alice = builder(&dir.path().join("alice"), &planet).tcp_relay(Some(relay.at), true);
    let alice = alice.start().await.unwrap();
    let bob = builder(&dir.path().join("bob"), &planet).start().await.unwrap();
    for member in [&alice, &bob] {
        controller.allow(network, member.address()).await.unwrap();
    }

    let (mut to_alice, mut to_bob) = (join(&alice, network).await, join(&bob, network).await);
    let alice_ip = address(&wait_for(&alice, |status| status.standing == Standing::Ok).await);
    let bob_ip = address(&wait_for(&bob, |status| status.standing == Standing::Ok).await);
    exchange(&mut to_alice, alice_ip, &mut to_bob, bob_ip).await;

    assert_eq!(alice.status().await.unwrap().tcp_relay, TcpRelayStatus::InUse);
    let explained = tokio::time::timeout(PATIENCE, async {
        loop {
            let explanation = alice.explain(bob.address()).await.unwrap();
            if explanation.is_some_and(|explanation| explanation.reason == Reason::TcpRelay) {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    explained.await.expect("the two meet straight through the relay");
    // Nobody has heard alice from where she is.
    let bound = alice.bound()[0];
    let seen: Vec<_> =
        bob.peers().await.unwrap().iter().flat_map(|peer| peer.paths.clone()).collect();
    assert!(!seen.contains(&bound), "{seen:?} has {bound}");

    relayed.recv().await.unwrap().abort();
    exchange(&mut to_alice, alice_ip, &mut to_bob, bob_ip).await;
    assert!(relayed.recv().await.is_some(), "there is a second connection");
}

/// A server that is none of this protocol's costs the node a connection now and then.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_talks_nonsense_is_left_and_tried_again() {
    let dir = TempDir::new().unwrap();
    let (_root, planet) = start_root(&dir.path().join("root")).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let alice = builder(&dir.path().join("alice"), &planet).tcp_relay(Some(at), true);
    let alice = alice.start().await.unwrap();

    for _ in 0..2 {
        let accepted = tokio::time::timeout(PATIENCE, listener.accept());
        let (mut stream, _) = accepted.await.unwrap().unwrap();
        let mut greeting = [0; 9];
        stream.read_exact(&mut greeting).await.unwrap();
        assert_eq!(greeting, [0x17, 3, 3, 0, 4, 1, 14, 0, 1]);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let mut rest = Vec::new();
        // A reset, where something was still under way, is as good as an end.
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest));
        let _ = ended.await.expect("the node closes the connection");
    }

    let status = alice.status().await.unwrap();
    assert!(!status.online);
    assert_eq!(status.tcp_relay, TcpRelayStatus::Connecting);
}

/// A relay as spec 02 §9.4 says servers are, but for the idle timeout.
struct Relay {
    at: SocketAddr,
}

impl Relay {
    /// Starts a relay; also returns where the task of each connection is handed over.
    async fn start() -> (Self, mpsc::UnboundedReceiver<tokio::task::AbortHandle>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (connections, accepted) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = connections.send(tokio::spawn(serve(stream)).abort_handle());
            }
        });
        (Self { at }, accepted)
    }
}

async fn serve(stream: TcpStream) {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (reader, writer) = stream.into_split();
    tokio::select! {
        () = forward(reader, &udp) => {}
        () = bring_back(writer, &udp) => {}
    }
}

/// Sends what the client wants sent.
async fn forward(mut reader: OwnedReadHalf, udp: &UdpSocket) {
    let mut is_greeted = false;
    loop {
        let mut prefix = [0; 5];
        if reader.read_exact(&mut prefix).await.is_err() {
            return;
        }
        assert_eq!(prefix[..3], [0x17, 3, 3]);
        let mut carried = vec![0; usize::from(u16::from_be_bytes([prefix[3], prefix[4]]))];
        if reader.read_exact(&mut carried).await.is_err() {
            return;
        }
        if !std::mem::replace(&mut is_greeted, true) {
            assert_eq!(carried.len(), 4, "the first record is a greeting");
            continue;
        }
        let (address, datagram) = carried.split_first_chunk::<7>().unwrap();
        let [4, a, b, c, d, high, low] = *address else { panic!("clients send IPv4 addresses") };
        let port = u16::from_be_bytes([high, low]);
        if datagram.len() >= 16 && port > 1_024 {
            udp.send_to(datagram, (Ipv4Addr::new(a, b, c, d), port)).await.unwrap();
        }
    }
}

/// Tells the client what comes for it.
async fn bring_back(mut writer: OwnedWriteHalf, udp: &UdpSocket) {
    let mut datagram = [0; 2_048];
    loop {
        let (len, from) = udp.recv_from(&mut datagram).await.unwrap();
        let SocketAddr::V4(from) = from else { panic!("the socket is an IPv4 one") };
        let mut record = vec![0x17, 3, 3];
        record.extend(u16::try_from(len + 7).unwrap().to_be_bytes());
        record.push(4);
        record.extend(from.ip().octets());
        record.extend(from.port().to_be_bytes());
        record.extend(&datagram[..len]);
        if writer.write_all(&record).await.is_err() {
            return;
        }
    }
}
