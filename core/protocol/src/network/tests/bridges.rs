//! Bridges: this node as one, and others.

use super::*;
use crate::wire::multicast::MulticastFrame;

const DEVICE: Mac = Mac::of_ipv6_group(core::net::Ipv6Addr::LOCALHOST);

fn device(n: u8) -> Mac {
    Mac::from([0x0a, 0, 0, 0, 0, n])
}

fn bridges(nodes: &[Address]) -> Vec<Specialist> {
    let bridge = |&address| Specialist { address, roles: Specialist::ACTIVE_BRIDGE };
    nodes.iter().map(bridge).collect()
}

/// The host sends a frame of `source` to the group of `ip`.
fn multicast(host: &mut Host, source: Mac, ip: Ipv4Addr) -> Result<(), Rejected> {
    let destination = Mac::of_ipv4_group(ip);
    let frame = Frame { destination, source, ethertype: ETHERTYPE_IPV4, payload: &[0x45; 28] };
    host.call(|networks, ctx, _| networks.send_multicast(ctx, NETWORK, frame))
}

/// Node `from` sends a multicast of `source`.
fn hear(host: &mut Host, from: Address, source: Mac) -> Result<(), Rejected> {
    let body = MulticastFrame {
        network: NETWORK,
        membership: None,
        gather_limit: 0,
        source: Some(source),
        replicate: false,
        group: MulticastGroup::BROADCAST,
        ethertype: ETHERTYPE_IPV4,
        payload: &[0x45; 28],
    };
    let body = body.write();
    host.receive(from, Verb::MulticastFrame, &body, |networks, ctx, known, rx| {
        networks.handle_multicast_frame(ctx, known, rx)
    })
}

/// Returns which node the data plane believes a device to be behind.
fn bridge_of(host: &Host, mac: Mac) -> Option<Address> {
    host.view().stations.get(&mac).map(|station| station.bridge)
}

#[test]
fn a_device_is_behind_the_bridge_that_spoke_for_it_last() {
    let (b, c) = (secret("b").address(), secret("c").address());
    let mut host = Host::on(PortMode::L2, |config| config.specialists = bridges(&[b, c]));

    for bridge in [b, c] {
        assert_eq!(hear(&mut host, bridge, device(1)), Ok(()));
        assert_eq!(bridge_of(&host, device(1)), Some(bridge));
    }

    let mut config = host.networks.config(NETWORK).cloned().unwrap();
    config.specialists = bridges(&[b]);
    host.configure(&config).unwrap();
    assert_eq!(bridge_of(&host, device(1)), None);
    assert_eq!(hear(&mut host, c, device(1)), Err(Rejected::ForeignSource));
    assert_eq!(bridge_of(&host, device(1)), None);
}

#[test]
fn a_device_that_falls_silent_is_forgotten() {
    let b = secret("b").address();
    let mut host = Host::on(PortMode::L2, |config| config.specialists = bridges(&[b]));
    hear(&mut host, b, device(1)).unwrap();
    host.pass(secs(200));
    hear(&mut host, b, device(2)).unwrap();

    host.pass(secs(400));

    assert_eq!(bridge_of(&host, device(1)), None);
    assert_eq!(bridge_of(&host, device(2)), Some(b));
}

/// Groups, members and the node itself send to themselves; nothing has to be learned of them.
#[test]
fn no_bridge_speaks_for_groups_members_or_this_node() {
    let (b, c) = (secret("b").address(), secret("c").address());
    let mut host = Host::on(PortMode::L2, |config| config.specialists = bridges(&[b]));
    let own = Mac::of_member(host.me.address(), NETWORK);

    for source in [Mac::ZERO, DEVICE, own] {
        assert_eq!(hear(&mut host, b, source), Err(Rejected::BadFrameAddress));
    }
    assert_eq!(hear(&mut host, b, Mac::of_member(c, NETWORK)), Ok(()));
    assert!(host.view().stations.is_empty());
}

#[test]
fn a_bridge_is_in_the_groups_its_devices_send_to_for_twenty_minutes() {
    let me = secret("a").address();
    let mut host = Host::on(PortMode::L2, |config| config.specialists = bridges(&[me]));
    let (controller, b) = (host.controller.address(), host.b.address());
    let group = Ipv4Addr::new(239, 1, 2, 3);
    let knows = |host: &mut Host| {
        let group = MulticastGroup::of_mac(Mac::of_ipv4_group(group));
        let body = Gather { network: NETWORK, group, limit: 9, membership: None }.write();
        host.sent();
        host.receive(b, Verb::MulticastGather, &body, |networks, ctx, known, rx| {
            networks.handle_gather(ctx, known, rx, &|_| false)
        })
        .unwrap();
        host.sent().contains(&(b, Verb::Ok))
    };

    assert!(!knows(&mut host));
    multicast(&mut host, device(1), group).unwrap();
    let told = host.sent();
    assert!(told.contains(&(controller, Verb::MulticastLike)), "{told:?}");
    multicast(&mut host, device(2), group).unwrap();
    assert!(!host.sent().contains(&(controller, Verb::MulticastLike)));

    host.pass(secs(1_100));
    assert!(knows(&mut host));
    host.pass(secs(1_300));
    assert!(!knows(&mut host));
}

#[test]
fn a_node_that_is_no_bridge_speaks_for_itself_only() {
    let mut host = Host::on(PortMode::L2, |_| {});
    let group = Ipv4Addr::new(239, 1, 2, 3);

    assert_eq!(multicast(&mut host, device(1), group), Err(Rejected::ForeignSource));
    assert_eq!(host.sent(), []);
}
