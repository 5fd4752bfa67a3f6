//! Address resolution for hosts on IP, and in place of others for hosts on Ethernet (spec 03 §10).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;
use zt_protocol::address::{Address, Mac, MulticastGroup, NetworkId};
use zt_protocol::transmit::{Frame, PortMode};
use zt_protocol::wire::ethernet::{ETHERTYPE_ARP, ETHERTYPE_IPV6};

use crate::fields::{array, bytes, cases, hex_number, list, name, number, text};
use crate::member::Member;
use crate::report::Report;

/// The payload of whoever wants to know where its next hop is.
const PACKET: &[u8] = &[0x45; 28];

/// arp.json
pub(crate) fn arp(file: &Value, report: &mut Report) {
    // The steps share what was learned before; nodes and network are those of the other files.
    let mut member = Member::new(&names(), "a");
    member.join(PortMode::L3);
    let mut config = member.config();
    config.addresses = vec![("10.147.17.5".parse().unwrap(), 24)];
    member.configure(&config);

    for case in cases(file) {
        report.case(name(case), || match text(case, "kind") {
            "query" => query(&mut member, case),
            _ => incoming(&mut member, case),
        });
    }
}

/// Who is who in `arp.json`, which names nobody.
fn names() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/rfc4193_6plane.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn query(member: &mut Member, case: &Value) {
    let target = Ipv4Addr::from(array::<4>(case, "target_ip"));
    let network = member.network;

    // That the packet had to wait is for the counters.
    let _ =
        member.call(|networks, ctx, _| networks.resolve(ctx, network, IpAddr::V4(target), PACKET));

    let (questions, packets): (Vec<_>, Vec<_>) =
        member.frames().into_iter().partition(|frame| frame.ethertype == ETHERTYPE_ARP);
    let question = questions.first().map(|frame| {
        assert_eq!(frame.source.to_bytes(), array(case, "local_mac"));
        (frame.payload.clone(), frame.destination)
    });
    let nobody = (Vec::new(), Mac::ZERO);
    let expected = (bytes(case, "request"), Mac::from(array(case, "request_dest_mac")));
    assert_eq!(question.unwrap_or(nobody), expected);
    let resolved = packets.first().map_or(Mac::ZERO, |frame| frame.destination);
    assert_eq!(resolved.to_bytes(), array(case, "resolved_mac"));
}

fn incoming(member: &mut Member, case: &Value) {
    let payload = bytes(case, "arp");
    let (network, mine) = (member.network, Mac::of_member(member.me(), member.network));
    let sender = payload[8..14].first_chunk::<6>().map_or(Mac::ZERO, |&mac| Mac::from(mac));
    let frame =
        Frame { destination: mine, source: sender, ethertype: ETHERTYPE_ARP, payload: &payload };
    let known = |member: &Member| member.tables.network(network).unwrap().neighbors.clone();
    let before = known(member);

    // What is ignored is counted.
    let _ = member.call(|networks, ctx, _| networks.handle_neighbor(ctx, network, frame));

    let learned = known(member).into_keys().find(|ip| !before.contains_key(ip));
    let learned = learned.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    assert_eq!(learned, IpAddr::V4(Ipv4Addr::from(array::<4>(case, "learned_ip"))));
    let answer = member.frames().into_iter().find(|frame| frame.ethertype == ETHERTYPE_ARP);
    let answer = answer.map(|frame| (frame.payload, frame.destination));
    let expected = (bytes(case, "response"), Mac::from(array(case, "response_dest_mac")));
    assert_eq!(answer.unwrap_or((Vec::new(), Mac::ZERO)), expected);
}

/// rfc4193_6plane.json
pub(crate) fn computable(file: &Value, report: &mut Report) {
    for case in list(file, "ndp_emulation") {
        report.case(name(case), || emulation(file, case));
    }
    for case in cases(file) {
        let (network, node) = (text(case, "network_id"), text(case, "address"));
        report.case(&format!("{node} on {network}"), || derived(case));
    }
}

fn emulation(file: &Value, case: &Value) {
    let mut member = Member::new(file, "a");
    let (network, me) = (member.network, member.me());
    member.join(PortMode::L2);
    let mut config = member.config();
    config.flags = hex_number(case, "flags");
    config.addresses = vec![(network.rfc4193(me).into(), 88), (network.six_plane(me).into(), 40)];
    member.configure(&config);

    let payload = bytes(case, "solicitation_frame");
    let frame = Frame {
        destination: Mac::from(array(case, "solicitation_dest_mac")),
        source: Mac::of_member(me, network),
        ethertype: ETHERTYPE_IPV6,
        payload: &payload,
    };
    member.call(|networks, ctx, _| networks.send_multicast(ctx, network, frame)).unwrap();

    let sent = member.sent().into_iter().map(|packet| (packet.verb as u64, packet.to.to_string()));
    let expected = list(case, "packets_sent").iter();
    let expected = expected.map(|it| (number(it, "verb"), text(it, "to").to_owned()));
    assert_eq!(sent.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    let delivered = member.delivered();
    let expected = list(case, "frames_injected_locally");
    assert_eq!(delivered.len(), expected.len());
    for (frame, expected) in delivered.iter().zip(expected) {
        assert_eq!(frame.source.to_bytes(), array(expected, "source_mac"));
        assert_eq!(frame.destination.to_bytes(), array(expected, "dest_mac"));
        assert_eq!(u64::from(frame.ethertype), number(expected, "ethertype"));
        assert_eq!(hex::encode(&frame.payload), text(expected, "frame"));
    }
}

fn derived(case: &Value) {
    let network: NetworkId = text(case, "network_id").parse().unwrap();
    let node: Address = text(case, "address").parse().unwrap();
    let mac = Mac::of_member(node, network);

    assert_eq!(network.rfc4193(node).octets(), array(case, "rfc4193"));
    assert_eq!(network.six_plane(node).octets(), array(case, "6plane"));
    assert_eq!(mac.to_bytes(), array(case, "mac"));
    assert_eq!(mac.to_member(network), Some(node));
    assert_eq!(mac.link_local().octets(), array(case, "link_local_helper"));
    for (ip, field) in [
        (network.rfc4193(node), "resolution_group_rfc4193"),
        (network.six_plane(node), "resolution_group_6plane"),
    ] {
        let group = MulticastGroup::resolving(Ipv6Addr::into(ip));
        assert_eq!((group.mac.to_bytes(), group.adi), (array(case, field), 0));
    }
}
