//! Nodes started with a `local.conf` in their home directory, on the loopback interface.
#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as its tests may")]

use std::net::SocketAddr;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::UdpSocket;
use zt_protocol::identity::SecretIdentity;
use zt_protocol::path_rules::{PathRules, PhysicalRule, TrustedPathId};
use zt_protocol::rng::Rng;
use zt_protocol::time::UnixMillis;
use zt_protocol::world::{Root, World, WorldKey, WorldKind};
use zt_runtime::store::HomeError;
use zt_runtime::{Builder, RequestError, StartError};

/// Long enough for a busy machine; what is waited for takes at most some seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns a planet with a root at each of these places. None of them ever answers.
fn planet(roots: &[SocketAddr]) -> World {
    let root = |(&at, seed)| {
        let identity = *SecretIdentity::generate(&mut Rng::from_seed([seed; 32])).public();
        Root { identity, endpoints: vec![at] }
    };
    let roots = roots.iter().zip(1..).map(root).collect();
    let key = WorldKey::generate(&mut Rng::from_seed([7; 32]));
    World::sign(WorldKind::Planet, 1, UnixMillis(1), roots, &key, key.public()).unwrap()
}

fn home(local_conf: &str) -> TempDir {
    let home = TempDir::new().unwrap();
    std::fs::write(home.path().join("local.conf"), local_conf).unwrap();
    home
}

async fn greeting(root: &UdpSocket) {
    let mut datagram = [0; 2_048];
    tokio::time::timeout(PATIENCE, root.recv_from(&mut datagram)).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_goes_by_local_conf_from_the_first_datagram_on() {
    let port = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let usual = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let avoided = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let planet = planet(&[usual.local_addr().unwrap(), avoided.local_addr().unwrap()]);
    let home = home(&format!(
        r#"{{
            "physical": {{ "127.0.0.2/32": {{ "blacklist": true }}, "10.1.0.0/16": {{ "trustedPathId": 7 }} }},
            "settings": {{ "primaryPort": {port}, "bind": ["127.0.0.1"], "portMappingEnabled": false }}
        }}"#
    ));

    let node = Builder::new(home.path()).allow_loopback(true).planet(planet).start().await.unwrap();

    assert_eq!(node.bound(), [([127, 0, 0, 1], port).into()]);
    assert_eq!(node.port_mapping(), None);
    let trusted = ("10.1.0.0/16".parse().unwrap(), TrustedPathId::new(7).unwrap());
    assert_eq!(node.status().await.unwrap().trusted_paths, [trusted]);
    greeting(&usual).await;
    greeting(&usual).await;
    let mut datagram = [0; 2_048];
    assert!(avoided.try_recv_from(&mut datagram).is_err());

    node.set_path_rules(PathRules::default()).await.unwrap();

    greeting(&avoided).await;
    assert_eq!(node.status().await.unwrap().trusted_paths, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_where_local_conf_and_later_rules_allow_them() {
    let root = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let free = UdpSocket::bind("127.0.0.2:0").await.unwrap().local_addr().unwrap().port();
    let home = home(&format!(
        r#"{{
            "physical": {{ "::/0": {{ "blacklist": true }} }},
            "settings": {{
                "primaryPort": {free}, "allowSecondaryPort": false, "portMappingEnabled": false,
                "interfacePrefixBlacklist": ["eth", "en", "wl", "docker", "veth"]
            }}
        }}"#
    ));
    let builder = Builder::new(home.path()).allow_loopback(true);
    let node = builder.planet(planet(&[root.local_addr().unwrap()])).start().await.unwrap();
    let bound = node.bound();
    assert_eq!(node.local_ports(), [free]);
    assert!(bound.contains(&([127, 0, 0, 1], free).into()), "{bound:?}");
    assert!(bound.iter().all(SocketAddr::is_ipv4), "{bound:?}");

    let mut rules = PathRules::default();
    let blacklist = PhysicalRule { blacklisted: true, ..PhysicalRule::default() };
    rules.set("127.0.0.0/8".parse().unwrap(), blacklist).unwrap();
    node.set_path_rules(rules).await.unwrap();

    let bound = node.bound();
    assert!(bound.iter().all(|at| !at.ip().is_loopback() || at.is_ipv6()), "{bound:?}");
}

/// Its ports it keeps, and what cannot be understood leaves everything as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_node_goes_by_local_conf_as_it_is_edited_when_told_to() {
    let home = home("{}");
    let edit = |text: &str| std::fs::write(home.path().join("local.conf"), text).unwrap();
    let node = Builder::new(home.path()).bind(["127.0.0.1:0".parse().unwrap()]).start().await;
    let node = node.unwrap();
    let bound = node.bound();
    let trusted_paths = async || node.status().await.unwrap().trusted_paths;

    edit(
        r#"{
        "physical": { "10.1.0.0/16": { "trustedPathId": 7 } },
        "settings": { "primaryPort": 1000, "lowBandwidthMode": true }
    }"#,
    );
    assert_eq!(trusted_paths().await, []);
    node.reload_local_conf().await.unwrap();

    let trusted = ("10.1.0.0/16".parse().unwrap(), TrustedPathId::new(7).unwrap());
    assert_eq!(trusted_paths().await, [trusted]);
    assert_eq!(node.bound(), bound);

    edit(r#"{ "physical": { "10.1.0.0/99": { "blacklist": true } } }"#);
    let refused = node.reload_local_conf().await.unwrap_err();
    assert!(matches!(refused, RequestError::Home(HomeError::LocalConf { .. })), "{refused}");
    assert_eq!(trusted_paths().await, [trusted]);

    std::fs::remove_file(home.path().join("local.conf")).unwrap();
    node.reload_local_conf().await.unwrap();
    assert_eq!(trusted_paths().await, []);
    node.shutdown().await;
    let stopped = node.reload_local_conf().await.unwrap_err();
    assert!(matches!(stopped, RequestError::Stopped), "{stopped}");
}

/// As at the start, what the program says goes before the file.
#[tokio::test(flavor = "multi_thread")]
async fn rules_that_the_program_has_given_stay_when_the_file_is_edited() {
    let home = home("{}");
    let builder = Builder::new(home.path()).bind(["127.0.0.1:0".parse().unwrap()]);
    let node = builder.path_rules(PathRules::default()).start().await.unwrap();

    let text = r#"{ "physical": { "10.1.0.0/16": { "trustedPathId": 7 } } }"#;
    std::fs::write(home.path().join("local.conf"), text).unwrap();
    node.reload_local_conf().await.unwrap();

    assert_eq!(node.status().await.unwrap().trusted_paths, []);
    node.shutdown().await;
}

#[tokio::test]
async fn a_node_does_not_start_where_it_might_use_what_is_to_be_avoided() {
    let home = home(r#"{ "physical": { "10.0.0.0/8": { "blacklist": true } }"#);

    let refused = Builder::new(home.path()).start().await.map(drop);

    let Err(error @ StartError::Home(HomeError::LocalConf { .. })) = refused else {
        panic!("{refused:?}");
    };
    assert!(error.to_string().starts_with(&home.path().join("local.conf").display().to_string()));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
}
