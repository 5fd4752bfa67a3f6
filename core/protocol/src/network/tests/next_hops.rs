//! Next hops of L3 ports.

use super::*;

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

    assert_eq!(host.frames().len(), 3);
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
