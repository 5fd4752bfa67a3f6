//! Next hops of L3 ports.

use super::*;
use crate::event::Route;
use crate::fastpath::next_hop::{NextHop, next_hop};
use crate::limits::LINK_LOCALS_MAX;

const B_AT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 147, 17, 6));

fn resolve(host: &mut Host, hop: IpAddr, packet: &[u8]) -> Result<(), Rejected> {
    host.call(|networks, ctx, _| networks.resolve(ctx, NETWORK, hop, packet))
}

fn neighbor(host: &mut Host, ethertype: u16, source: Mac, payload: &[u8]) -> Result<(), Rejected> {
    let destination = Mac::of_member(host.me.address(), NETWORK);
    let frame = Frame { destination, source, ethertype, payload };
    host.call(|networks, ctx, _| networks.handle_neighbor(ctx, NETWORK, frame))
}

#[test]
fn a_packet_waits_for_its_next_hop_to_answer() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let bs = Mac::of_member(host.b.address(), NETWORK);

    resolve(&mut host, B_AT, b"\x45packet").unwrap();
    let question = host.frames().pop().unwrap();
    assert_eq!((question.destination, question.ethertype), (Mac::BROADCAST, ETHERTYPE_ARP));
    let own = Ipv4Addr::new(10, 147, 17, 5);
    let IpAddr::V4(theirs) = B_AT else { panic!() };
    let answer = arp::reply(bs, theirs, (Mac::of_member(host.me.address(), NETWORK), own));
    neighbor(&mut host, ETHERTYPE_ARP, bs, &answer).unwrap();

    let sent = host.frames().pop().unwrap();
    assert_eq!((sent.destination, sent.ethertype), (bs, ETHERTYPE_IPV4));
    assert_eq!(sent.payload, b"\x45packet");
    assert_eq!(host.view().neighbors[&B_AT], bs);
    host.pass(secs(200));
    assert!(host.view().neighbors.is_empty(), "stale");
    resolve(&mut host, B_AT, b"\x45packet").unwrap();
    let sent: Vec<_> = host.frames().iter().map(|f| (f.destination, f.ethertype)).collect();
    assert_eq!(sent, [(bs, ETHERTYPE_ARP), (bs, ETHERTYPE_IPV4)]);
}

#[test]
fn a_lost_question_is_asked_again() {
    let mut host = Host::on(PortMode::L3, |_| {});

    resolve(&mut host, B_AT, b"\x45packet").unwrap();
    host.pass(secs(10));

    assert_eq!(host.frames().len(), 5);
}

/// It may be the one who has the address, and has not heard the question: it looks at nothing of ours
/// before it has our certificate.
#[test]
fn whoever_lacks_our_certificate_is_asked_again_behind_it() {
    let mut host = Host::on_private();
    let (b, c) = (*host.b.public(), host.c.address());
    host.show_certificate(&b, UNIX);
    let b = b.address();
    let likes = [(NETWORK, MulticastGroup::resolving(B_AT))];
    let like = wire_multicast::write_likes(&likes).next().unwrap();
    host.receive(b, Verb::MulticastLike, &like, |networks, ctx, _, rx| {
        networks.handle_like(ctx, rx, &|_| true)
    })
    .unwrap();
    resolve(&mut host, B_AT, b"\x45packet").unwrap();
    host.settle();
    let lacking = |host: &mut Host, from, millis| {
        host.now = secs(0) + Duration::from_millis(millis);
        host.error(from, Verb::MulticastFrame, ErrorCode::NeedMembershipCertificate).unwrap();
        let asked: Vec<_> = host.frames().iter().map(|f| (f.destination, f.ethertype)).collect();
        (host.sent(), asked)
    };

    let bs = Mac::of_member(b, NETWORK);
    let shown = vec![(b, Verb::NetworkCredentials)];
    assert_eq!(lacking(&mut host, b, 20), (shown, vec![(bs, ETHERTYPE_ARP)]));
    assert_eq!(lacking(&mut host, b, 40), (vec![], vec![]), "at most once a second");
    let shown = vec![(c, Verb::NetworkCredentials)];
    assert_eq!(lacking(&mut host, c, 60), (shown, vec![]), "who was not asked learns nothing");
}

#[test]
fn an_answer_to_no_question_is_not_believed() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let bs = Mac::of_member(host.b.address(), NETWORK);
    let answer = arp::reply(bs, Ipv4Addr::new(10, 147, 17, 6), (bs, Ipv4Addr::BROADCAST));

    let refused = neighbor(&mut host, ETHERTYPE_ARP, bs, &answer);

    assert_eq!(refused, Err(Rejected::UnexpectedReply));
    assert!(host.view().neighbors.is_empty());
}

#[test]
fn an_address_that_contains_its_node_needs_no_question() {
    let six_plane = |config: &mut NetworkConfig| {
        config.addresses = vec![(NETWORK.six_plane(config.issued_to).into(), 40)];
    };
    let mut host = Host::on(PortMode::L3, six_plane);
    let b = host.b.address();

    resolve(&mut host, NETWORK.six_plane(b).into(), b"\x60packet").unwrap();

    let frames = host.frames();
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].destination, Mac::of_member(b, NETWORK));
    assert_eq!(frames[0].ethertype, ETHERTYPE_IPV6);
}

#[test]
fn neighbour_discovery_is_asked_and_answered() {
    let own = ip("fd00::5");
    let mut host = Host::on(PortMode::L3, |config| config.addresses = vec![(own, 64)]);
    let mine = Mac::of_member(host.me.address(), NETWORK);
    let bs = Mac::of_member(host.b.address(), NETWORK);
    let (IpAddr::V6(own), IpAddr::V6(theirs)) = (own, ip("fd00::6")) else { panic!() };

    resolve(&mut host, theirs.into(), b"\x60packet").unwrap();
    let question = host.frames().pop().unwrap();
    let (group, expected) = ndp::solicitation(mine, own, theirs);
    assert_eq!((question.destination, question.payload), (group, expected));
    let answer = ndp::advertisement(bs, theirs, own);
    neighbor(&mut host, ETHERTYPE_IPV6, bs, &answer).unwrap();
    assert_eq!(host.frames()[0].payload, b"\x60packet");

    let (_, question) = ndp::solicitation(bs, theirs, own);
    neighbor(&mut host, ETHERTYPE_IPV6, bs, &question).unwrap();
    let answer = host.frames().pop().unwrap();
    assert_eq!(answer.destination, bs);
    assert_eq!(answer.payload, ndp::advertisement(mine, own, theirs));
}

#[test]
fn what_was_resolved_is_forgotten_when_the_addresses_change() {
    let mut host = Host::on(PortMode::L3, |_| {});
    resolve(&mut host, B_AT, b"\x45packet").unwrap();
    let bs = Mac::of_member(host.b.address(), NETWORK);
    let answer = arp::reply(bs, Ipv4Addr::new(10, 147, 17, 6), (bs, Ipv4Addr::BROADCAST));
    neighbor(&mut host, ETHERTYPE_ARP, bs, &answer).unwrap();

    let mut config = host.config();
    config.addresses = vec![(ip("10.9.9.9"), 8)];
    host.configure(&config).unwrap();

    assert!(host.view().neighbors.is_empty());
}

/// Where the data plane sends a packet to `destination`.
fn next(host: &Host, destination: &str) -> Result<NextHop, Rejected> {
    next_hop(host.view(), ip(destination))
}

fn route(target: &str, bits: u8, via: Option<&str>) -> Route {
    Route { target: ip(target), bits, via: via.map(ip) }
}

#[test]
fn the_most_specific_route_wins_and_its_gateway_may_be_off_the_link() {
    let host = Host::on(PortMode::L3, |config| {
        config.addresses = vec![(ip("10.147.17.5"), 24), (ip("fd00::5"), 64)];
        config.routes = vec![
            route("0.0.0.0", 0, Some("10.147.17.1")),
            route("10.147.17.0", 24, Some("10.147.17.66")),
            route("10.147.17.128", 25, Some("10.147.17.2")),
            route("192.168.0.0", 16, Some("10.147.17.3")),
            route("192.168.7.0", 24, Some("172.30.0.1")),
            route("192.168.8.0", 24, None),
            route("2001:db8::", 32, Some("fd00::1")),
        ];
    });

    for (destination, hop) in [
        ("10.147.17.9", "10.147.17.9"),
        ("10.147.17.200", "10.147.17.2"),
        ("192.168.1.1", "10.147.17.3"),
        ("192.168.7.1", "172.30.0.1"),
        ("192.168.8.1", "192.168.8.1"),
        ("8.8.8.8", "10.147.17.1"),
        ("2001:db8::1", "fd00::1"),
        ("fd00::77", "fd00::77"),
    ] {
        assert_eq!(next(&host, destination), Ok(NextHop::Resolve(ip(hop))), "{destination}");
    }
    assert_eq!(next(&host, "2001:db9::1"), Err(Rejected::NoRoute));
}

#[test]
fn what_is_behind_the_host_itself_has_no_next_hop() {
    let host = Host::on(PortMode::L3, |config| {
        config.addresses = vec![(ip("10.147.17.5"), 24)];
        config.routes = vec![
            route("192.168.0.0", 16, Some("10.147.17.5")),
            route("0.0.0.0", 0, Some("10.147.17.1")),
        ];
    });

    assert_eq!(next(&host, "192.168.1.1"), Ok(NextHop::Resolve(ip("10.147.17.1"))));
}

#[test]
fn groups_and_broadcasts_have_macs_of_their_own() {
    let host = Host::on(PortMode::L3, |config| {
        config.addresses = vec![(ip("10.147.17.5"), 24), (ip("10.9.0.1"), 31)];
    });

    for (destination, mac) in [
        ("255.255.255.255", [0xff; 6]),
        ("10.147.17.255", [0xff; 6]),
        ("169.254.255.255", [0xff; 6]),
        ("224.0.0.251", [0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb]),
        ("239.255.255.250", [0x01, 0x00, 0x5e, 0x7f, 0xff, 0xfa]),
        ("ff02::fb", [0x33, 0x33, 0, 0, 0, 0xfb]),
        ("ff02::1:ff12:3456", [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]),
    ] {
        assert_eq!(next(&host, destination), Ok(NextHop::Mac(mac.into())), "{destination}");
    }
    // A link of two has no broadcast address.
    assert_eq!(next(&host, "10.9.0.0"), Ok(NextHop::Resolve(ip("10.9.0.0"))));
}

#[test]
fn link_local_addresses_are_on_the_link() {
    let host = Host::on(PortMode::L3, |config| {
        config.addresses = vec![(ip("10.147.17.5"), 24)];
        config.routes = vec![
            route("0.0.0.0", 0, Some("10.147.17.1")),
            route("169.254.169.254", 32, Some("10.147.17.2")),
        ];
    });

    for destination in ["fe80::1", "febf::1", "169.254.1.1"] {
        assert_eq!(next(&host, destination), Ok(NextHop::Resolve(ip(destination))));
    }
    assert_eq!(next(&host, "169.254.169.254"), Ok(NextHop::Resolve(ip("10.147.17.2"))));
    assert_eq!(next(&host, "fec0::1"), Err(Rejected::NoRoute));
}

#[test]
fn the_host_is_answered_for_at_the_link_local_addresses_it_uses() {
    let mut host = Host::on(PortMode::L3, |_| {});
    let mine = Mac::of_member(host.me.address(), NETWORK);
    let bs = Mac::of_member(host.b.address(), NETWORK);
    let (IpAddr::V6(own), IpAddr::V6(theirs)) = (ip("fe80::a"), ip("fe80::b")) else { panic!() };
    let (_, solicitation) = ndp::solicitation(bs, theirs, own);
    let (IpAddr::V4(own4), IpAddr::V4(theirs4)) = (ip("169.254.1.1"), ip("169.254.2.2")) else {
        panic!()
    };
    let request = arp::request(bs, theirs4, own4);
    let ask = |host: &mut Host| {
        neighbor(host, ETHERTYPE_IPV6, bs, &solicitation).unwrap();
        neighbor(host, ETHERTYPE_ARP, bs, &request).unwrap();
        host.frames()
    };
    assert!(ask(&mut host).is_empty());

    for own in [own.into(), own4.into()] {
        host.call(|networks, ctx, _| networks.note_link_local(ctx, NETWORK, own));
    }

    let answers = ask(&mut host);
    assert_eq!(answers[0].payload, ndp::advertisement(mine, own, theirs));
    assert_eq!(answers[1].payload, arp::reply(mine, own4, (bs, theirs4)));
    // It also asks from there.
    resolve(&mut host, theirs4.into(), b"\x45packet").unwrap();
    assert_eq!(host.frames().pop().unwrap().payload, arp::request(mine, own4, theirs4));
    resolve(&mut host, theirs.into(), b"\x60packet").unwrap();
    assert_eq!(host.frames().pop().unwrap().payload, ndp::solicitation(mine, own, theirs).1);
}

#[test]
fn a_host_that_makes_up_link_local_addresses_is_answered_for_at_the_last_few() {
    let mut host = Host::on(PortMode::L3, |_| {});

    for n in 0..100 {
        let own = IpAddr::from(Ipv4Addr::new(169, 254, 1, n));
        host.call(|networks, ctx, _| networks.note_link_local(ctx, NETWORK, own));
    }

    let bs = Mac::of_member(host.b.address(), NETWORK);
    for n in 0..100 {
        let asker = Ipv4Addr::new(169, 254, 2, 2);
        let request = arp::request(bs, asker, Ipv4Addr::new(169, 254, 1, n));
        neighbor(&mut host, ETHERTYPE_ARP, bs, &request).unwrap();
    }
    assert_eq!(host.frames().len(), LINK_LOCALS_MAX);
}

/// Without emulation a computed address is an address like any other.
#[test]
fn an_address_that_contains_its_node_is_asked_for_if_the_network_says_so() {
    let mut host = Host::on(PortMode::L3, |config| {
        config.flags = NetworkConfig::BROADCAST;
        config.addresses = vec![(NETWORK.rfc4193(config.issued_to).into(), 88)];
    });

    let theirs = NETWORK.rfc4193(host.b.address());
    resolve(&mut host, theirs.into(), b"\x60packet").unwrap();

    let frames = host.frames();
    assert_eq!(frames.len(), 1);
    assert!(frames[0].destination.is_multicast());
}
