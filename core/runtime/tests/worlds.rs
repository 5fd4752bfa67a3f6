//! Moons and registration over real UDP, on the loopback interface and without any rights.
#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as its tests may")]

use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use zt_protocol::address::{MoonId, NetworkId};
use zt_protocol::command::CommandError;
use zt_protocol::event::StoreKey;
use zt_protocol::identity::{Identity, SecretIdentity};
use zt_protocol::rng::Rng;
use zt_protocol::status::Contact;
use zt_protocol::time::UnixMillis;
use zt_protocol::world::{Root, World, WorldKey, WorldKind};
use zt_runtime::store::Home;
use zt_runtime::{Builder, Event, Handle, Port, RequestError};

/// Long enough for a busy machine; what is waited for takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A moon is asked of its root, outlives a restart, and is gone once it is given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_moon_is_learned_kept_and_given_up() {
    let dir = TempDir::new().unwrap();
    let planet = Roots::new(dir.path(), 1);
    let _roots = planet.start().await;
    let moon_root = planet.builder("moon root").start().await.unwrap();
    let key = WorldKey::generate(&mut Rng::from_seed([8; 32]));
    let listed =
        vec![Root { identity: *moon_root.identity(), endpoints: moon_root.bound().to_vec() }];
    let id = MoonId::from(moon_root.address());
    let moon = World::sign(WorldKind::Moon, id.0, UnixMillis(1), listed, &key, key.public());
    moon_root.orbit_moon(moon.unwrap()).await.unwrap();
    wait_for(&moon_root, |event| *event == Event::Online(true)).await;
    let home = Home::new(dir.path().join("alice"));

    let alice = planet.builder("alice").start().await.unwrap();
    let nobody = alice.orbit(id, None).await.unwrap_err();
    assert!(matches!(nobody, RequestError::Refused(CommandError::NobodyToAsk(moon)) if moon == id));
    alice.orbit(id, Some(moon_root.address())).await.unwrap();
    wait_for(&alice, |event| *event == Event::Worlds).await;
    assert_eq!(alice.worlds().await.unwrap().moons[0].id, id.0);
    alice.shutdown().await;

    assert!(home.load(StoreKey::Moon(id)).unwrap().is_some());
    assert!(home.load(StoreKey::WantedMoon(id)).unwrap().is_none());
    let alice = planet.builder("alice").start().await.unwrap();
    let worlds = alice.worlds().await.unwrap();
    assert_eq!((worlds.moons.len(), worlds.wanted.len()), (1, 0));

    alice.deorbit(id).await.unwrap();
    alice.shutdown().await;
    assert!(home.load(StoreKey::Moon(id)).unwrap().is_none());
}

/// A wish survives as a file until it is fulfilled.
#[tokio::test(flavor = "multi_thread")]
async fn a_moon_nobody_has_told_of_is_asked_for_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let planet = Roots::new(dir.path(), 1);
    let (moon, seed) = (MoonId(7), "0102030405".parse().unwrap());

    let alice = planet.builder("alice").start().await.unwrap();
    alice.orbit(moon, Some(seed)).await.unwrap();
    alice.shutdown().await;
    let alice = planet.builder("alice").start().await.unwrap();

    let wanted = alice.worlds().await.unwrap().wanted;
    assert_eq!((wanted[0].id, &wanted[0].seeds[..]), (moon, &[seed][..]));
}

/// Both roots have saved another identity under the newcomer's address.
#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_whose_address_is_taken_makes_another_and_keeps_its_networks() {
    let dir = TempDir::new().unwrap();
    let planet = Roots::new(dir.path(), 2);
    let mine = SecretIdentity::generate(&mut Rng::from_seed([9; 32]));
    let address = mine.address();
    let home = Home::new(dir.path().join("alice"));
    home.save_identity(&mine).unwrap();
    let holder = Identity::from_parts(address, *planet.identities[0].public().public_key());
    let record = [&[2][..], &holder.to_bytes(), &[0; 10]].concat();
    for root in ["root 0", "root 1"] {
        let root = Home::new(dir.path().join(root));
        root.create().unwrap();
        root.save(StoreKey::Peer(address), Some(&record)).unwrap();
    }
    let _roots = planet.start().await;
    let network = NetworkId::new(planet.identities[0].address(), 1);

    let alice = planet.builder("alice").start().await.unwrap();
    alice.join(network, Port::None).await.unwrap();
    wait_for(&alice, |event| *event == Event::IdentityCollision { is_confirmed: true }).await;
    let contacts = alice.worlds().await.unwrap().planet.roots;
    assert!(contacts.iter().all(|root| root.contact == Contact::Disputes));
    alice.shutdown().await;
    let retired = home.retire_identity().unwrap();

    let alice = planet.builder("alice").start().await.unwrap();
    assert_ne!(alice.address(), address);
    wait_for(&alice, |event| *event == Event::Online(true)).await;
    assert_eq!(home.networks().unwrap(), [network]);
    assert!(retired.exists());
}

/// The roots of a planet, which keep their sockets and identities until they start.
struct Roots<'a> {
    dir: &'a Path,
    identities: Vec<SecretIdentity>,
    sockets: Vec<UdpSocket>,
    planet: World,
}

impl<'a> Roots<'a> {
    fn new(dir: &'a Path, count: u8) -> Self {
        let generate = |seed| SecretIdentity::generate(&mut Rng::from_seed([seed; 32]));
        let identities: Vec<_> = (1..=count).map(generate).collect();
        let bind = |_: &_| UdpSocket::bind("127.0.0.1:0").unwrap();
        let sockets: Vec<_> = identities.iter().map(bind).collect();
        let key = WorldKey::generate(&mut Rng::from_seed([7; 32]));
        let roots = identities.iter().zip(&sockets).map(|(identity, socket)| Root {
            identity: *identity.public(),
            endpoints: vec![socket.local_addr().unwrap()],
        });
        let (kind, roots) = (WorldKind::Planet, roots.collect());
        let planet = World::sign(kind, 1, UnixMillis(1), roots, &key, key.public()).unwrap();
        Self { dir, identities, sockets, planet }
    }

    async fn start(&self) -> Vec<Handle> {
        let mut handles = Vec::new();
        for (number, identity) in self.identities.iter().enumerate() {
            let name = format!("root {number}");
            Home::new(self.dir.join(&name)).save_identity(identity).unwrap();
            let socket = self.sockets[number].try_clone().unwrap();
            handles.push(self.builder(&name).sockets([socket]).start().await.unwrap());
        }
        handles
    }

    fn builder(&self, name: &str) -> Builder {
        Builder::new(self.dir.join(name))
            .bind([([127, 0, 0, 1], 0).into()])
            .allow_loopback(true)
            .planet(self.planet.clone())
    }
}

async fn wait_for(node: &Handle, wanted: impl Fn(&Event) -> bool) {
    let event = async { while !wanted(&node.next_event().await.unwrap()) {} };
    tokio::time::timeout(PATIENCE, event).await.expect("the event does not come");
}
