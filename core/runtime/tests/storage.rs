//! Nodes without a home directory, whose state the program keeps.
#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as its tests may")]

mod lab;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, ThreadId};

use tempfile::TempDir;
use zt_protocol::address::NetworkId;
use zt_protocol::event::Standing;
use zt_protocol::settings::Settings;
use zt_runtime::store::{HomeError, Storage, StorageError, StorageKey};
use zt_runtime::{Builder, StartError};

use lab::{PATIENCE, address, exchange, join, start_root, wait_for};

/// A whole network whose nodes keep nothing on any disk: who restarts is who it was, and on the
/// network again. What is secret of it is sealed.
///
/// Method: the nodes run on this thread, so a call on it would be one by a node's own task.
#[tokio::test]
async fn a_network_is_hosted_and_joined_without_any_file() {
    let (elsewhere, here) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (_root, planet) = start_root(&elsewhere.path().join("root")).await;
    std::env::set_current_dir(here.path()).unwrap();
    let [controller, alice, bob] = [(); 3].map(|()| Arc::new(Memory::new()));
    let on = |memory: &Arc<Memory>| on(memory).planet(planet.clone());
    let controller = on(&controller).controller(true).start().await.unwrap();
    let member = || on(&alice).storage_key(StorageKey::from_bytes(&[7; 32]).unwrap());
    let (node, bob) = (member().start().await.unwrap(), on(&bob).start().await.unwrap());

    let network = controller.create_network(lab::settings()).await.unwrap();
    let (mut to_alice, mut to_bob) = (join(&node, network).await, join(&bob, network).await);
    controller.allow(network, node.address()).await.unwrap();
    controller.allow(network, bob.address()).await.unwrap();
    let alice_ip = address(&wait_for(&node, |status| status.standing == Standing::Ok).await);
    let bob_ip = address(&wait_for(&bob, |status| status.standing == Standing::Ok).await);
    exchange(&mut to_alice, alice_ip, &mut to_bob, bob_ip).await;
    let allowed = Settings { dns: true, ..Settings::default() };
    node.set_settings(network, allowed.clone()).await.unwrap();
    let identity = *node.identity();
    node.shutdown().await;

    assert!(alice.get("identity.secret").starts_with(b"ztsealed"));
    let refused = on(&alice).start().await.unwrap_err();
    assert!(matches!(refused, StartError::Home(HomeError::Sealed { .. })), "{refused}");
    let node = member().start().await.unwrap();
    assert_eq!(*node.identity(), identity);
    assert_eq!(node.memberships().await.unwrap(), [network]);
    assert_eq!(node.settings(network).await.unwrap(), allowed);
    let _packets = join(&node, network).await;
    wait_for(&node, |status| status.standing == Standing::Ok).await;
    for node in [node, bob, controller] {
        node.shutdown().await;
    }

    let left: Vec<_> = std::fs::read_dir(here.path()).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_program_that_cannot_read_its_storage_starts_no_node() {
    let memory = Arc::new(Memory::new());
    memory.refuse("epoch");

    let refused = on(&memory).start().await.unwrap_err();

    let StartError::Home(HomeError::Storage { action, name, why }) = refused else {
        panic!("{refused}")
    };
    assert_eq!(
        (action, name.as_str(), why.0.as_str()),
        ("read", "epoch", "the key store is locked")
    );
}

/// While a write takes for ever, the node answers; it stops once the write is done.
#[tokio::test]
async fn a_storage_that_hangs_holds_up_nobody() {
    let memory = Arc::new(Memory::new());
    let node = on(&memory).start().await.unwrap();
    let network = NetworkId(0x8056_c2e2_1c00_0001);

    memory.hang(true);
    let _packets = join(&node, network).await;
    let status = tokio::time::timeout(PATIENCE, node.status()).await.unwrap();
    assert!(!status.unwrap().online);
    let stopping = tokio::spawn({
        let node = node.clone();
        async move { node.shutdown().await }
    });
    memory.hang(false);
    tokio::time::timeout(PATIENCE, stopping).await.unwrap().unwrap();

    assert!(!memory.get("networks.d/8056c2e21c000001.conf").is_empty());
}

/// Returns a node on loopback that keeps its state there.
fn on(memory: &Arc<Memory>) -> Builder {
    let storage: Arc<dyn Storage> = memory.clone();
    Builder::in_storage(storage).allow_loopback(true).bind([([127, 0, 0, 1], 0).into()])
}

/// A storage that forgets everything with the program.
struct Memory {
    records: Mutex<BTreeMap<String, Vec<u8>>>,
    refused: Mutex<Option<&'static str>>,
    hangs: Mutex<bool>,
    goes_on: Condvar,
    /// The thread all nodes run on.
    nodes: ThreadId,
}

impl Memory {
    fn new() -> Self {
        Self {
            records: Mutex::default(),
            refused: Mutex::default(),
            hangs: Mutex::default(),
            goes_on: Condvar::new(),
            nodes: thread::current().id(),
        }
    }

    fn get(&self, name: &str) -> Vec<u8> {
        self.records.lock().unwrap()[name].clone()
    }

    fn refuse(&self, name: &'static str) {
        *self.refused.lock().unwrap() = Some(name);
    }

    fn hang(&self, hangs: bool) {
        *self.hangs.lock().unwrap() = hangs;
        self.goes_on.notify_all();
    }

    fn check(&self, name: &str) -> Result<(), StorageError> {
        assert_ne!(thread::current().id(), self.nodes, "{name} is asked for by a node's own task");
        match *self.refused.lock().unwrap() {
            Some(refused) if refused == name => {
                Err(StorageError("the key store is locked".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

impl Storage for Memory {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        self.check(name)?;
        Ok(self.records.lock().unwrap().get(name).cloned())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        self.check(name)?;
        let hangs = self.hangs.lock().unwrap();
        drop(self.goes_on.wait_while(hangs, |hangs| *hangs).unwrap());
        self.records.lock().unwrap().insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), StorageError> {
        self.check(name)?;
        self.records.lock().unwrap().remove(name);
        Ok(())
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        self.check(prefix)?;
        let records = self.records.lock().unwrap();
        Ok(records.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }
}
