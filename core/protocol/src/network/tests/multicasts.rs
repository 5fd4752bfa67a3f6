//! Groups, and frames to them.

use super::*;

fn likes(host: &mut Host) -> Vec<Address> {
    let like = |(to, verb)| (verb == Verb::MulticastLike).then_some(to);
    host.sent().into_iter().filter_map(like).collect()
}

fn arp_request(host: &mut Host, target: &str) -> Result<(), Rejected> {
    let target: Ipv4Addr = target.parse().unwrap();
    let mac = Mac::of_member(host.me.address(), NETWORK);
    let payload = arp::request(mac, Ipv4Addr::new(10, 147, 17, 5), target);
    let frame = Frame {
        destination: Mac::BROADCAST,
        source: mac,
        ethertype: ETHERTYPE_ARP,
        payload: &payload,
    };
    host.call(|networks, ctx, _| networks.send_multicast(ctx, NETWORK, frame))
}

fn gathered(host: &mut Host, group: MulticastGroup, members: &[Address]) {
    let answer = Gathered { network: NETWORK, group, total: 9, members }.write(1);
    let from = host.controller.address();
    host.receive(from, Verb::Ok, &answer[9..], |networks, ctx, _, rx| {
        networks.handle_ok_gather(ctx, rx)
    })
    .unwrap();
}

#[test]
fn groups_are_announced_to_the_controller_each_minute_and_new_ones_at_once() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let controller = host.controller.address();

    host.pass(secs(59));
    assert_eq!(likes(&mut host), []);
    host.pass(secs(60));
    assert_eq!(likes(&mut host), [controller]);
    let group = MulticastGroup::of_mac(Mac::of_ipv4_group(Ipv4Addr::new(239, 1, 2, 3)));
    for expected in [vec![controller], vec![]] {
        host.call(|networks, ctx, _| networks.subscribe(ctx, NETWORK, group)).unwrap();
        assert_eq!(likes(&mut host), expected);
    }
}

#[test]
fn with_low_bandwidth_groups_are_announced_and_a_configuration_asked_for_less_often() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let controller = host.controller.address();
    host.call(|networks, _, _| networks.set_low_bandwidth(true));
    host.sent();

    host.pass(secs(149));
    assert_eq!(host.sent(), []);
    host.pass(secs(151));
    let sent = host.sent();
    assert!(sent.contains(&(controller, Verb::MulticastLike)), "{sent:?}");
    assert!(sent.contains(&(controller, Verb::NetworkConfigRequest)), "{sent:?}");

    host.call(|networks, _, _| networks.set_low_bandwidth(false));
    host.pass(secs(209));
    assert_eq!(likes(&mut host), []);
    host.pass(secs(221));
    assert_eq!(likes(&mut host), [controller]);
}

#[test]
fn a_member_that_is_heard_learns_our_groups_until_it_falls_silent() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let b = host.b.address();

    host.call(|networks, ctx, _| networks.announce(ctx, NETWORK, b));
    assert_eq!(likes(&mut host), [b]);
    host.call(|networks, ctx, _| networks.announce(ctx, NETWORK, b));
    assert_eq!(likes(&mut host), []);
    host.pass(secs(2_000));

    let again = likes(&mut host).iter().filter(|to| **to == b).count();
    assert!((7..=9).contains(&again), "{again}");
}

/// The reference does the same, to the byte: `multicast.json`.
#[test]
fn a_multicast_waits_for_members_that_become_known_in_time() {
    let mut host = Host::on(PortMode::L2, |_| {});
    let (me, controller, b) = (host.me.address(), host.controller.address(), host.b.address());
    let group = MulticastGroup::resolving(ip("10.147.17.6"));

    arp_request(&mut host, "10.147.17.6").unwrap();
    assert_eq!(host.sent(), [(controller, Verb::MulticastGather)]);
    host.now = secs(4);
    gathered(&mut host, group, &[b, me]);
    assert_eq!(host.sent(), [(b, Verb::MulticastFrame)]);
    gathered(&mut host, group, &[b]);
    assert_eq!(host.sent(), []);

    host.now = secs(5);
    arp_request(&mut host, "10.147.17.6").unwrap();
    assert_eq!(host.sent(), [(b, Verb::MulticastFrame)]);
}

#[test]
fn a_multicast_reaches_no_more_members_than_the_network_allows() {
    let mut host = Host::on(PortMode::L2, |config| config.multicast_limit = 2);
    let group = MulticastGroup::resolving(ip("10.147.17.6"));
    let members: Vec<_> = (1..9).map(Address::from_u64).collect();

    arp_request(&mut host, "10.147.17.6").unwrap();
    host.sent();
    gathered(&mut host, group, &members);
    assert_eq!(host.sent().len(), 2);
    arp_request(&mut host, "10.147.17.6").unwrap();
    assert_eq!(host.sent().len(), 2);
}

#[test]
fn where_multicast_or_broadcast_is_off_it_is_off() {
    let mut none = Host::on(PortMode::L2, |config| config.multicast_limit = 0);
    assert_eq!(arp_request(&mut none, "10.147.17.6"), Err(Rejected::Filtered));

    let mut quiet = Host::on(PortMode::L2, |config| config.flags = 0);
    assert_eq!(arp_request(&mut quiet, "10.147.17.6"), Ok(()));
    let frame = Frame {
        destination: Mac::BROADCAST,
        source: Mac::of_member(quiet.me.address(), NETWORK),
        ethertype: ETHERTYPE_IPV4,
        payload: &[0x45; 28],
    };
    let sent = quiet.call(|networks, ctx, _| networks.send_multicast(ctx, NETWORK, frame));
    assert_eq!(sent, Err(Rejected::Filtered));
}

/// Roots are on no network and keep everybody's groups; others keep nobody's.
#[test]
fn a_root_tells_members_of_a_network_it_is_not_on_about_each_other() {
    let mut host = Host::new();
    let (b, c) = (host.b.address(), host.c.address());
    let group = MulticastGroup::BROADCAST;
    let like = |host: &mut Host, serve: bool| {
        let body = wire_multicast::write_likes(&[(NETWORK, group)]).next().unwrap();
        host.receive(b, Verb::MulticastLike, &body, |networks, ctx, _, rx| {
            networks.handle_like(ctx, rx, &|_| serve)
        })
    };
    let gather = |host: &mut Host, serve: bool| {
        let body = Gather { network: NETWORK, group, limit: 10, membership: None }.write();
        host.receive(c, Verb::MulticastGather, &body, |networks, ctx, known, rx| {
            networks.handle_gather(ctx, known, rx, &|_| serve)
        })
    };

    assert_eq!(like(&mut host, false), Err(Rejected::NotAMember));
    assert_eq!(gather(&mut host, false), Err(Rejected::NotAMember));
    like(&mut host, true).unwrap();
    gather(&mut host, true).unwrap();
    let answer = host.out.packets.pop_front().unwrap();
    assert_eq!((answer.to, answer.verb), (c, Verb::Ok));
    assert_eq!(Gathered::read(&answer.body[9..]).unwrap().members, [b]);

    host.pass(secs(700));
    gather(&mut host, true).unwrap();
    assert_eq!(host.sent(), []);
    assert_eq!(host.networks.poll_timeout(), None);
}

#[test]
fn a_multicast_frame_is_for_the_host_and_address_resolution_is_not() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let b = host.b.address();
    let bs = Mac::of_member(b, NETWORK);
    let receive = |host: &mut Host, ethertype, payload: &[u8]| {
        let message = MulticastFrame {
            network: NETWORK,
            membership: None,
            gather_limit: 0,
            source: None,
            replicate: false,
            group: MulticastGroup::BROADCAST,
            ethertype,
            payload,
        };
        let body = message.write();
        host.receive(b, Verb::MulticastFrame, &body, |networks, ctx, known, rx| {
            networks.handle_multicast_frame(ctx, known, rx)
        })
    };

    receive(&mut host, ETHERTYPE_IPV4, b"packet").unwrap();
    let delivered = host.out.deliveries.pop_front().unwrap();
    assert_eq!((delivered.source, delivered.payload.as_slice()), (bs, b"packet".as_slice()));
    assert_eq!(receive(&mut host, 0x88cc, b"lldp"), Err(Rejected::NotIp));

    let asker = (bs, Ipv4Addr::new(10, 147, 17, 6));
    let question = arp::request(asker.0, asker.1, Ipv4Addr::new(10, 147, 17, 5));
    receive(&mut host, ETHERTYPE_ARP, &question).unwrap();
    let answer = host.frames().pop().unwrap();
    assert_eq!((answer.destination, answer.ethertype), (bs, ETHERTYPE_ARP));
    assert!(host.out.deliveries.is_empty());
}

#[test]
fn a_private_networks_multicasts_are_for_members_alone() {
    let mut host = Host::on_private();
    let b = host.b.address();
    let message = MulticastFrame {
        network: NETWORK,
        membership: None,
        gather_limit: 9,
        source: None,
        replicate: false,
        group: MulticastGroup::BROADCAST,
        ethertype: ETHERTYPE_IPV4,
        payload: b"packet",
    };
    let receive = |host: &mut Host, body: &[u8]| {
        host.receive(b, Verb::MulticastFrame, body, |networks, ctx, known, rx| {
            networks.handle_multicast_frame(ctx, known, rx)
        })
    };

    assert_eq!(receive(&mut host, &message.write()), Err(Rejected::NotAMember));
    assert_eq!(host.sent(), [(b, Verb::Error)]);
    let membership = Some(host.certificate(host.b.public(), UNIX));
    let with_certificate = MulticastFrame { membership, ..message }.write();
    assert_eq!(receive(&mut host, &with_certificate), Ok(()));
    assert_eq!(host.out.deliveries.len(), 1);
}
