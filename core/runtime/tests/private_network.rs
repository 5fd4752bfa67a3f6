//! A private network over real UDP, on the loopback interface and without any rights.
#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as its tests may")]

mod lab;

use std::net::UdpSocket;

use tempfile::TempDir;
use zt_protocol::event::{Standing, StoreKey};
use zt_protocol::fingerprint::{Fingerprint, Invitation};
use zt_runtime::store::Home;
use zt_runtime::{Builder, Event, Handle, Port};

use lab::{PATIENCE, address, builder, exchange, join, start_root, wait_for};

/// A root, a controller and two members: who is allowed exchanges packets, who is denied does not,
/// and who restarts is back without being asked.
#[tokio::test(flavor = "multi_thread")]
async fn allowed_members_exchange_packets_and_come_back_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let (root, planet) = start_root(&dir.path().join("root")).await;
    let controller = builder(&dir.path().join("controller"), &planet).controller(true);
    let controller = controller.start().await.unwrap();
    let network = controller.create_network(lab::settings()).await.unwrap();
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
    let alice =
        builder(home.dir().unwrap(), &planet).bind(alice.bound().to_vec()).start().await.unwrap();
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
    let controller = builder(home.dir().unwrap(), &planet).controller(true).start().await.unwrap();
    let alice = builder(&dir.path().join("alice"), &planet).start().await.unwrap();

    let network =
        zt_runtime::controller::create_network(&home, controller.address(), &lab::settings())
            .unwrap();
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
    let network = controller.create_network(lab::settings()).await.unwrap();
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
    wait_for(&alice, |status| status.standing == Standing::IdentityConflict).await;

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

async fn drain(node: &Handle) -> Option<Event> {
    while node.next_event().await.is_some() {}
    None
}
