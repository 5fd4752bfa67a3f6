//! Gateways that answer right, wrong, late, too much or not at all.

mod datagrams;
mod device;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use zt_protocol::prefix::Prefix;

use super::exchange::Patience;
use super::*;
use datagrams::{DatagramGateway, Manners};
use device::{Device, Mood};

const ME: Address = Address::from_u64(0x80_56c2_e21c);
const PORT: u16 = 40_993;
const EXTERNAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(5, 2, 0, 1)), PORT);

#[tokio::test]
async fn a_port_is_mapped_by_pcp_and_given_back() {
    let gateway = DatagramGateway::start(Manners { pcp: true, ..Manners::default() }).await;
    let mut mapping = ask(gateway.port(), nobody().await);

    let mapped = mapped(&mut mapping).await;
    assert_eq!((mapped.method, mapped.external), (MappingMethod::Pcp, EXTERNAL));
    assert_eq!(mapped.internal, SocketAddr::from(([127, 0, 0, 1], PORT)));
    assert!(mapped.expires.is_some());
    assert_eq!(gateway.mapped(), Some(PORT));

    mapping.finish().await;
    assert_eq!(gateway.mapped(), None);
}

#[tokio::test]
async fn a_gateway_that_knows_nat_pmp_alone_is_asked_by_that() {
    let gateway = DatagramGateway::start(Manners { nat_pmp: true, ..Manners::default() }).await;
    let mut mapping = ask(gateway.port(), nobody().await);

    let mapped = mapped(&mut mapping).await;
    assert_eq!((mapped.method, mapped.external), (MappingMethod::NatPmp, EXTERNAL));

    mapping.finish().await;
    assert_eq!(gateway.mapped(), None);
}

#[tokio::test]
async fn a_gateway_that_is_deaf_to_pcp_is_asked_by_nat_pmp() {
    let manners = Manners { nat_pmp: true, is_deaf_to_pcp: true, ..Manners::default() };
    let gateway = DatagramGateway::start(manners).await;
    let mut mapping = ask(gateway.port(), nobody().await);

    assert_eq!(mapped(&mut mapping).await.method, MappingMethod::NatPmp);
}

#[tokio::test]
async fn another_port_than_the_one_asked_for_will_do() {
    for (pcp, nat_pmp) in [(true, false), (false, true)] {
        let manners = Manners { pcp, nat_pmp, other_port: Some(1_234), ..Manners::default() };
        let gateway = DatagramGateway::start(manners).await;
        let mut mapping = ask(gateway.port(), nobody().await);

        assert_eq!(mapped(&mut mapping).await.external.port(), 1_234);
    }
}

#[tokio::test]
async fn answers_to_others_and_garbage_before_the_answer_are_ignored_and_counted() {
    for (pcp, nat_pmp) in [(true, false), (false, true)] {
        let manners = Manners { pcp, nat_pmp, babbles: true, ..Manners::default() };
        let gateway = DatagramGateway::start(manners).await;
        let mut mapping = ask(gateway.port(), nobody().await);

        mapped(&mut mapping).await;
        let ignored = mapping.status.borrow().ignored;
        assert!(ignored.malformed >= 1 && ignored.unexpected >= 1, "{ignored:?}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_late_is_an_answer() {
    let late = Duration::from_millis(150);
    let manners = Manners { pcp: true, late, ..Manners::default() };
    let gateway = DatagramGateway::start(manners).await;
    let mut mapping = ask(gateway.port(), nobody().await);

    assert_eq!(mapped(&mut mapping).await.method, MappingMethod::Pcp);
}

#[tokio::test]
async fn a_gateway_that_only_babbles_is_given_up() {
    let gateway = DatagramGateway::start(Manners { babbles: true, ..Manners::default() }).await;
    let mut mapping = ask(gateway.port(), nobody().await);

    assert_eq!(error(&mut mapping).await, MappingError::NoAnswer);
    assert_eq!(mapping.external(), None);
}

#[tokio::test]
async fn nothing_is_mapped_where_nobody_answers() {
    let (port, ssdp) = (nobody().await.port(), nobody().await);
    let mut mapping = ask(port, ssdp);

    assert_eq!(error(&mut mapping).await, MappingError::NoAnswer);
}

#[tokio::test]
async fn a_refusal_is_reported() {
    let manners = Manners { pcp: true, refuses: Some(2), ..Manners::default() };
    let gateway = DatagramGateway::start(manners).await;
    let mut mapping = ask(gateway.port(), nobody().await);

    let refused = MappingError::Refused { method: MappingMethod::Pcp, code: 2 };
    assert_eq!(error(&mut mapping).await, refused);
}

#[tokio::test]
async fn a_lease_that_ends_at_once_is_none() {
    for (pcp, nat_pmp) in [(true, false), (false, true)] {
        let lifetime = Duration::ZERO;
        let manners = Manners { pcp, nat_pmp, lifetime, ..Manners::default() };
        let gateway = DatagramGateway::start(manners).await;
        let mut mapping = ask(gateway.port(), nobody().await);

        let error = error(&mut mapping).await;
        assert!(matches!(error, MappingError::TooShort { .. }), "{error}");
    }
}

#[tokio::test]
async fn addresses_that_are_not_public_are_not_believed_nor_kept() {
    for ip in ["192.168.1.1", "100.64.0.1", "127.0.0.1", "0.0.0.0", "224.0.0.1", "169.254.0.1"] {
        for (pcp, nat_pmp) in [(true, false), (false, true)] {
            let external = ip.parse().unwrap();
            let manners = Manners { pcp, nat_pmp, external, ..Manners::default() };
            let gateway = DatagramGateway::start(manners).await;
            let mut mapping = ask(gateway.port(), nobody().await);

            assert_eq!(error(&mut mapping).await, MappingError::NotPublic(external.into()));
            assert_eq!(mapping.external(), None);
            assert_eq!(gateway.mapped(), None, "{ip} is of no use and should have been given back");
        }
    }
}

#[tokio::test]
async fn an_address_inside_a_virtual_network_is_not_believed_from_then_on() {
    let gateway = DatagramGateway::start(Manners { pcp: true, ..Manners::default() }).await;
    let mut mapping = ask(gateway.port(), nobody().await);
    mapped(&mut mapping).await;

    mapping.set_networks(vec![Prefix { address: [5, 2, 7, 7].into(), bits: 16 }]);

    assert_eq!(error(&mut mapping).await, MappingError::NotPublic(EXTERNAL.ip()));
    assert_eq!(mapping.external(), None);
}

/// A gateway that restarts has forgotten the mapping, and is found out by its count of seconds.
#[tokio::test]
async fn a_gateway_that_has_forgotten_is_asked_again() {
    for (pcp, nat_pmp) in [(true, false), (false, true)] {
        let gateway = DatagramGateway::start(Manners { pcp, nat_pmp, ..Manners::default() }).await;
        let mut mapping = ask(gateway.port(), nobody().await);
        mapped(&mut mapping).await;

        gateway.restart();

        eventually(|| gateway.mapped() == Some(PORT)).await;
        assert_eq!(mapping.external(), Some(EXTERNAL));
    }
}

#[tokio::test]
async fn what_is_announced_follows_the_gateways_address() {
    let gateway = DatagramGateway::start(Manners { nat_pmp: true, ..Manners::default() }).await;
    let mut mapping = ask(gateway.port(), nobody().await);
    mapped(&mut mapping).await;

    gateway.change(|manners| manners.external = Ipv4Addr::new(5, 2, 0, 9));

    let moved = SocketAddr::from(([5, 2, 0, 9], PORT));
    mapping
        .status
        .wait_for(|status| status.mapped.is_some_and(|m| m.external == moved))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_not_renewed_during_a_pause_is_announced_until_it_ends() {
    let lifetime = Duration::from_secs(120);
    let gateway =
        DatagramGateway::start(Manners { pcp: true, lifetime, ..Manners::default() }).await;
    let mut mapping = ask(gateway.port(), nobody().await);
    mapped(&mut mapping).await;
    std::future::poll_fn(|cx| mapping.poll_changed(cx)).await;

    mapping.pause(true);
    tokio::time::pause();

    tokio::time::sleep(lifetime - Duration::from_secs(10)).await;
    assert_eq!(mapping.external(), Some(EXTERNAL));
    std::future::poll_fn(|cx| mapping.poll_changed(cx)).await;
    assert_eq!(mapping.external(), None);
}

#[tokio::test]
async fn the_driver_is_woken_when_the_mapping_changes() {
    let gateway = DatagramGateway::start(Manners { pcp: true, ..Manners::default() }).await;
    let mut mapping = ask(gateway.port(), nobody().await);

    let woken = std::future::poll_fn(|cx| mapping.poll_changed(cx));
    tokio::time::timeout(Duration::from_secs(10), woken).await.unwrap();

    assert_eq!(mapping.external(), Some(EXTERNAL));
}

#[tokio::test]
async fn a_port_is_mapped_by_upnp_and_given_back() {
    let device = Device::start(Mood::Obliging).await;
    let mut mapping = ask(nobody().await.port(), device.ssdp());

    let mapped = mapped(&mut mapping).await;
    assert_eq!((mapped.method, mapped.external), (MappingMethod::Upnp, EXTERNAL));
    assert!(mapped.expires.is_some());
    assert_eq!(device.mapped(), [PORT]);

    mapping.finish().await;
    assert_eq!(device.mapped(), [0; 0]);
}

#[tokio::test]
async fn a_device_that_maps_only_for_ever_is_obeyed() {
    let device = Device::start(Mood::PermanentOnly).await;
    let mut mapping = ask(nobody().await.port(), device.ssdp());

    assert_eq!(mapped(&mut mapping).await.expires, None);
}

#[tokio::test]
async fn a_port_that_is_somebody_elses_is_left_to_them() {
    let device = Device::start(Mood::Taken(PORT)).await;
    let mut mapping = ask(nobody().await.port(), device.ssdp());

    assert_eq!(mapped(&mut mapping).await.external.port(), PORT + 1);
}

/// Their documents are nested, flat, longer than allowed, endless, or none.
#[tokio::test]
async fn devices_that_talk_nonsense_harm_nobody() {
    for mood in [Mood::Garbage, Mood::Deep, Mood::Flat, Mood::Endless, Mood::Elsewhere] {
        let device = Device::start(mood).await;
        let mut mapping = ask(nobody().await.port(), device.ssdp());

        assert_eq!(error(&mut mapping).await, MappingError::NoAnswer, "{mood:?}");
    }
}

#[tokio::test]
async fn a_devices_refusal_is_reported_without_its_words() {
    let device = Device::start(Mood::Refusing(501)).await;
    let mut mapping = ask(nobody().await.port(), device.ssdp());

    let refused = MappingError::Refused { method: MappingMethod::Upnp, code: 501 };
    assert_eq!(error(&mut mapping).await, refused);
}

#[tokio::test]
async fn a_device_on_a_private_address_is_of_no_use() {
    let device = Device::start(Mood::Private).await;
    let mut mapping = ask(nobody().await.port(), device.ssdp());

    assert_eq!(error(&mut mapping).await, MappingError::NotPublic([192, 168, 7, 1].into()));
    assert_eq!(device.mapped(), [0; 0]);
}

/// Starts to ask a gateway on this machine, impatiently.
fn ask(port: u16, ssdp: SocketAddr) -> Mapping {
    let inquiry = Inquiry {
        gateway: Some(Ipv4Addr::LOCALHOST),
        port,
        ssdp,
        patience: Patience { first: Duration::from_millis(100), tries: 2 },
        search: Duration::from_millis(500),
        check: Duration::from_millis(20),
    };
    Mapping::by(inquiry, ME, PORT, Arc::default()).unwrap()
}

/// Returns an address at which nobody answers.
async fn nobody() -> SocketAddr {
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.local_addr().unwrap()
}

async fn mapped(mapping: &mut Mapping) -> MappedPort {
    let mapped = mapping.status.wait_for(|status| status.mapped.is_some());
    let status = tokio::time::timeout(Duration::from_secs(20), mapped).await.unwrap().unwrap();
    assert_eq!(status.error, None);
    status.mapped.unwrap()
}

async fn error(mapping: &mut Mapping) -> MappingError {
    let failed = mapping.status.wait_for(|status| status.error.is_some());
    let status = tokio::time::timeout(Duration::from_secs(20), failed).await.unwrap().unwrap();
    status.error.unwrap()
}

async fn eventually(holds: impl Fn() -> bool) {
    let mut tries = 0;
    while !holds() {
        tries += 1;
        assert!(tries < 1_000, "not within ten seconds");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
