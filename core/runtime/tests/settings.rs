//! What the user allows a network, from a file or a request to what follows for the machine.
//!
//! The network is an ad-hoc one, which configures itself: no root and no controller is needed.
#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as its tests may")]

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use zt_protocol::address::{Mac, MulticastGroup, NetworkId};
use zt_protocol::event::{Standing, StoreKey};
use zt_protocol::plan::{PlanChange, TunPlan};
use zt_protocol::rules::{Decision, Direction};
use zt_protocol::settings::{Managed, Settings};
use zt_protocol::transmit::Frame;
use zt_runtime::store::Home;
use zt_runtime::{Builder, Event, Handle, Port, RequestError};

/// Gives every member an address in 8.0.0.0/8, which is not its own to give, and one in fc00::/7.
const NETWORK: NetworkId = NetworkId(0xff08_0000_0000_0001);

/// Long enough for a busy machine; what is waited for takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

const GLOBAL: Settings =
    Settings { managed: Managed::All, global: true, default_route: false, dns: false };

#[tokio::test]
async fn settings_take_effect_at_once_and_last_until_the_network_is_left() {
    let dir = TempDir::new().unwrap();
    let node = start(dir.path()).await;
    node.join(NETWORK, Port::Packets).await.unwrap();
    assert_eq!(node.settings(NETWORK).await.unwrap(), Settings::default());
    assert!(!has_ipv4(&node.plan(NETWORK).await.unwrap()));

    node.set_settings(NETWORK, GLOBAL).await.unwrap();
    assert!(has_ipv4(&node.plan(NETWORK).await.unwrap()));
    node.shutdown().await;

    let node = start(dir.path()).await;
    node.join(NETWORK, Port::Packets).await.unwrap();
    assert_eq!(node.settings(NETWORK).await.unwrap(), GLOBAL);
    assert!(has_ipv4(&node.plan(NETWORK).await.unwrap()));

    node.subscribe(NETWORK, MulticastGroup::of_mac(Mac::BROADCAST)).await.unwrap();
    node.leave(NETWORK).await.unwrap();
    let error = node.plan(NETWORK).await.unwrap_err();
    assert!(matches!(error, RequestError::Refused(_)), "{error}");
    node.shutdown().await;
    assert_eq!(fs::read_dir(dir.path().join("networks.d")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_host_is_told_what_is_news() {
    let dir = TempDir::new().unwrap();
    let node = start(dir.path()).await;
    node.join(NETWORK, Port::Packets).await.unwrap();
    let (first, change) = next_plan(&node).await;
    assert_eq!((has_ipv4(&first), change), (false, PlanChange::Reestablish));

    // Nothing follows from the first of the two.
    let dns = Settings { dns: true, ..Settings::default() };
    node.set_settings(NETWORK, dns).await.unwrap();
    node.set_settings(NETWORK, GLOBAL).await.unwrap();

    let (second, change) = next_plan(&node).await;
    assert_eq!((has_ipv4(&second), change), (true, PlanChange::Reestablish));
    assert_eq!(second, node.plan(NETWORK).await.unwrap());
    node.shutdown().await;
}

#[tokio::test]
async fn settings_made_before_the_network_is_joined_count() {
    let dir = TempDir::new().unwrap();
    let node = start(dir.path()).await;

    node.set_settings(NETWORK, GLOBAL).await.unwrap();
    assert_eq!(node.settings(NETWORK).await.unwrap(), GLOBAL);
    node.join(NETWORK, Port::Packets).await.unwrap();

    assert!(has_ipv4(&node.plan(NETWORK).await.unwrap()));
    node.shutdown().await;
}

/// Method: another process edits the file, as `zt network set` does, then removes it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_edited_file_takes_effect() {
    let dir = TempDir::new().unwrap();
    let home = Home::new(dir.path());
    let node = start(dir.path()).await;
    node.join(NETWORK, Port::Packets).await.unwrap();
    assert!(!has_ipv4(&next_plan(&node).await.0));

    home.save_settings(NETWORK, &GLOBAL).unwrap();
    assert!(has_ipv4(&next_plan(&node).await.0));

    home.save(StoreKey::NetworkSettings(NETWORK), None).unwrap();
    assert!(!has_ipv4(&next_plan(&node).await.0));
    node.shutdown().await;
}

#[tokio::test]
async fn a_file_that_is_not_understood_allows_nothing_and_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let key = StoreKey::NetworkSettings(NETWORK);
    let home = Home::new(dir.path());
    let wrong = b"# lab\nallowManaged=10.1.0.0/16;10.2.0.0/16\n";
    home.save(key, Some(wrong)).unwrap();

    let node = start(dir.path()).await;
    node.join(NETWORK, Port::Packets).await.unwrap();
    assert_eq!(node.settings(NETWORK).await.unwrap(), Settings::nothing());
    assert_eq!(node.plan(NETWORK).await.unwrap().addresses, []);
    assert_eq!(home.load(key).unwrap().unwrap(), wrong);

    node.set_settings(NETWORK, GLOBAL).await.unwrap();
    assert_eq!(home.settings(NETWORK).unwrap(), GLOBAL);
    assert!(home.load(key).unwrap().unwrap().ends_with(b"# lab\n"));
    node.shutdown().await;
}

#[tokio::test]
async fn a_network_whose_interface_cannot_be_had_says_so() {
    let dir = TempDir::new().unwrap();
    let node = start(dir.path()).await;
    let standing = async || node.networks().await.unwrap()[0].standing;
    let impossible = || Port::Tun { name: Some("not/a/name".to_owned()) };
    assert!(node.join(NETWORK, impossible()).await.is_err());
    assert_eq!(node.networks().await.unwrap(), []);
    node.join(NETWORK, Port::Packets).await.unwrap();
    assert_eq!(standing().await, Standing::Ok);

    assert!(node.join(NETWORK, impossible()).await.is_err());
    assert_eq!(standing().await, Standing::PortError);
    node.join(NETWORK, Port::Packets).await.unwrap();
    assert_eq!(standing().await, Standing::Ok);

    node.shutdown().await;
    let mut reported = Vec::new();
    while let Some(event) = node.next_event().await {
        if let Event::Network(status) = event {
            reported.push(status.standing);
        }
    }
    assert!(reported.ends_with(&[Standing::PortError, Standing::Ok]), "{reported:?}");
}

/// Method: an ad-hoc network of TCP port 80 and IPv6 only, which says so in 14 rules.
#[tokio::test]
async fn an_app_can_ask_why_a_frame_would_be_dropped() {
    let dir = TempDir::new().unwrap();
    let node = start(dir.path()).await;
    let network = NetworkId(0xff00_5000_5000_0000);
    node.join(network, Port::Packets).await.unwrap();
    let ask = async |ethertype| {
        let frame =
            Frame { destination: Mac::ZERO, source: Mac::ZERO, ethertype, payload: &[0; 40] };
        node.would_allow(network, node.address(), frame, Direction::Outbound).await
    };

    let ipv4 = ask(0x0800).await.unwrap();

    assert_eq!(ipv4.verdict.decision, Decision::Drop);
    assert_eq!(ipv4.decided_by.unwrap().index, 1);
    node.leave(network).await.unwrap();
    assert!(matches!(ask(0x0800).await, Err(RequestError::Rejected(_))));
    node.shutdown().await;
}

async fn start(home: &Path) -> Handle {
    Builder::new(home).bind([([127, 0, 0, 1], 0).into()]).start().await.unwrap()
}

async fn next_plan(node: &Handle) -> (TunPlan, PlanChange) {
    let plan = async {
        loop {
            if let Event::Plan { plan, change, .. } = node.next_event().await.unwrap() {
                return (*plan, change);
            }
        }
    };
    tokio::time::timeout(PATIENCE, plan).await.expect("no plan comes")
}

fn has_ipv4(plan: &TunPlan) -> bool {
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) =
        plan.addresses.iter().map(|(ip, _)| ip).partition(|ip| ip.is_ipv4());
    assert!(!v6.is_empty());
    !v4.is_empty()
}
