//! What hosts say about their networks, with real sockets on the loopback interface.
#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as its tests may")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::UdpSocket;
use zt_protocol::identity::SecretIdentity;
use zt_protocol::rng::Rng;
use zt_protocol::time::UnixMillis;
use zt_protocol::world::{Root, World, WorldKey, WorldKind};
use zt_runtime::{Builder, Conditions, Handle, RequestError};

/// Long enough for a busy machine; what is waited for takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node that greets a root which never answers, and so has reason to wake again and again.
struct Greeter {
    _home: TempDir,
    node: Handle,
    root: UdpSocket,
}

impl Greeter {
    async fn start(adapt: impl FnOnce(Builder) -> Builder) -> Self {
        let home = TempDir::new().unwrap();
        let root = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let identity = *SecretIdentity::generate(&mut Rng::from_seed([5; 32])).public();
        let endpoints = vec![root.local_addr().unwrap()];
        let key = WorldKey::generate(&mut Rng::from_seed([7; 32]));
        let roots = vec![Root { identity, endpoints }];
        let planet = World::sign(WorldKind::Planet, 1, UnixMillis(1), roots, &key, key.public());
        let builder = Builder::new(home.path()).planet(planet.unwrap()).allow_loopback(true);
        let builder = builder.bind([([127, 0, 0, 1], 0).into()]).map_ports(false);
        let node = adapt(builder).start().await.unwrap();
        Self { _home: home, node, root }
    }

    /// Waits until the root is greeted.
    async fn greeting(&self) {
        let mut datagram = [0; 2_048];
        tokio::time::timeout(PATIENCE, self.root.recv_from(&mut datagram)).await.unwrap().unwrap();
    }

    /// Forgets greetings that have arrived.
    fn forget_greetings(&self) -> usize {
        let mut datagram = [0; 2_048];
        std::iter::from_fn(|| self.root.try_recv_from(&mut datagram).ok()).count()
    }
}

/// A root that is silent is greeted each 5 s at least, and more often at first: six times in the
/// time that is waited here. That a node does nothing can only be seen by waiting.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_network_sets_no_timer_and_sends_nothing_until_there_is_one() {
    let greeter = Greeter::start(|builder| builder).await;
    greeter.greeting().await;
    let offline = Conditions { offline: true, ..Conditions::default() };
    greeter.node.set_conditions(offline).await.unwrap();
    let before = greeter.node.statistics().await.unwrap().wakeups;
    assert!(before.timers.get("peer_probe").is_some_and(|&times| times > 0), "{before:?}");
    greeter.forget_greetings();

    tokio::time::sleep(Duration::from_secs(6)).await;

    assert_eq!(greeter.forget_greetings(), 0);
    let after = greeter.node.statistics().await.unwrap().wakeups;
    assert_eq!((after.timers, after.datagrams), (before.timers, before.datagrams));
    assert_eq!(after.requests, before.requests + 1);

    greeter.node.set_conditions(Conditions::default()).await.unwrap();
    greeter.greeting().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sleeping_node_is_silent_whatever_its_network_is_like_until_it_wakes() {
    let greeter = Greeter::start(|builder| builder).await;
    greeter.greeting().await;
    greeter.node.sleep().await.unwrap();
    greeter.node.set_conditions(Conditions::default()).await.unwrap();
    greeter.node.network_changed().await.unwrap();
    assert!(!greeter.node.status().await.unwrap().online);
    greeter.forget_greetings();
    let before = greeter.node.statistics().await.unwrap().wakeups;

    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(greeter.forget_greetings(), 0);
    assert_eq!(greeter.node.statistics().await.unwrap().wakeups.timers, before.timers);

    greeter.node.wake().await.unwrap();
    greeter.greeting().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_network_has_every_socket_shown_to_the_host_anew_and_the_root_greeted() {
    let shown = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&shown);
    let protect = move |_| count.fetch_add(1, Ordering::Relaxed) < usize::MAX;
    let greeter = Greeter::start(|builder| builder.protect(protect)).await;
    greeter.greeting().await;
    let bound = greeter.node.bound();
    assert_eq!(shown.load(Ordering::Relaxed), 1);

    greeter.node.network_changed().await.unwrap();

    assert_eq!(shown.load(Ordering::Relaxed), 2);
    assert_eq!(greeter.node.bound(), bound);
    greeter.forget_greetings();
    greeter.greeting().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_refuses_a_socket_late_has_it_closed() {
    let greeter = Greeter::start(|builder| builder).await;
    assert_eq!(greeter.node.bound().len(), 1);

    let refused = greeter.node.set_protect(|_| false).await;

    assert!(matches!(refused, Err(RequestError::Unprotected)), "{refused:?}");
    assert_eq!(greeter.node.bound(), []);
}
