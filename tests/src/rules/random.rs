//! Rules and frames at random, of few enough different values that they often meet.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::oracle::{Case, Holds};

/// This node and the one it talks to.
pub const NODES: [u64; 2] = [0x0a_0000_0001, 0x0a_0000_0002];

/// Others that rules send copies to.
pub const OTHERS: [u64; 2] = [0x0a_0000_0003, 0x0a_0000_0004];

const MACS: [[u8; 6]; 4] =
    [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2], [0x33, 0x33, 0, 0, 0, 1], [255; 6]];

const V4: [[u8; 4]; 3] = [[10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 1, 1]];

/// Serialized rules, up to `max` of them; often only one match and ACCEPT, so that it decides.
pub fn rules(max: usize) -> impl Strategy<Value = Vec<u8>> {
    let any = vec(rule(), 0..max).prop_map(|rules| rules.concat());
    let one = rule().prop_map(|rule| [&rule[..], &[1, 0]].concat());
    prop_oneof![any, one]
}

/// A frame between the two [`NODES`], or from this one to nobody yet.
pub fn case() -> impl Strategy<Value = Case> {
    let nodes = (any::<bool>(), 0..8_u8);
    let macs = (prop::sample::select(&MACS), prop::sample::select(&MACS));
    let chance = vec(any::<u32>(), 0..6);
    (nodes, holds(), holds(), macs, ethernet(), any::<bool>(), chance).prop_map(
        |((inbound, kind), local, remote, (to, from), (ethertype, frame), unknown, chance)| {
            let [here, there] = NODES;
            let nobody = !inbound && kind == 0;
            let (sender, receiver) = if inbound { (there, here) } else { (here, there) };
            Case {
                inbound,
                sender,
                receiver: if nobody { 0 } else { receiver },
                local,
                remote: if nobody { Holds::default() } else { remote },
                to,
                from,
                ethertype,
                frame,
                unknown_is_true: unknown,
                chance,
            }
        },
    )
}

/// What a node holds.
pub fn holds() -> impl Strategy<Value = Holds> {
    let tags = btree_map(1_u32..4, 0_u32..4, 0..4);
    let capabilities = btree_map(1_u32..9, rules(6), 0..3);
    let ips = prop::sample::subsequence(vec![V4[0].to_vec(), V4[1].to_vec(), v6(1), v6(2)], 0..4);
    let macs = prop::sample::subsequence(MACS.to_vec(), 0..3);
    (tags, capabilities, ips, macs).prop_map(|(tags, capabilities, ips, macs)| {
        let capabilities: BTreeMap<_, _> = capabilities;
        Holds { tags, capabilities, ips, macs }
    })
}

/// One serialized rule.
fn rule() -> impl Strategy<Value = Vec<u8>> {
    let bits = prop::sample::select(vec![0_u8, 0, 0, 0x80, 0x40, 0xc0]);
    (bits, prop_oneof![action(), matching()]).prop_map(|(bits, (number, value))| {
        let len = u8::try_from(value.len()).expect("values are short");
        [&[bits | number, len], &value[..]].concat()
    })
}

/// An action's number and value.
fn action() -> BoxedStrategy<(u8, Vec<u8>)> {
    let target = prop::sample::select([NODES, OTHERS].concat());
    let len = prop::sample::select(vec![0_u16, 8, 50, 1_000]);
    let forward = (2_u8..=4, target, len).prop_map(|(number, target, len)| {
        (number, [&target.to_be_bytes()[..], &[0; 4], &len.to_be_bytes()].concat())
    });
    let plain = prop::sample::select(vec![0_u8, 0, 1, 1, 5, 6, 9]);
    prop_oneof![plain.prop_map(|number| (number, Vec::new())), forward].boxed()
}

/// A match's number and value.
fn matching() -> BoxedStrategy<(u8, Vec<u8>)> {
    let node = prop::sample::select(&NODES).prop_map(|node| node.to_be_bytes()[3..].to_vec());
    let mac = prop::sample::select(&MACS).prop_map(|mac| mac.to_vec());
    let v4_prefix = (prop::sample::select(&V4), 0_u8..40)
        .prop_map(|(address, bits)| [&address[..], &[bits]].concat());
    let v6_prefix = (0_u8..4, prop::sample::select(vec![0_u8, 8, 64, 127, 128, 200]))
        .prop_map(|(last, bits)| [v6(last), vec![bits]].concat());
    let few = || prop::sample::select(vec![0_u8, 1, 2, 4, 6, 8, 17, 58, 128, 132, 255]);
    let ports = (0_u16..6, 0_u16..6).prop_map(|(a, b)| [a.to_be_bytes(), b.to_be_bytes()].concat());
    let sizes = (0_u16..130, 0_u16..130);
    let sizes = sizes.prop_map(|(a, b)| [a.to_be_bytes(), b.to_be_bytes()].concat());
    let ethertype = prop::sample::select(vec![0x0800_u16, 0x0806, 0x86dd, 0x88cc]);
    let characteristics =
        prop::sample::subsequence((0..12).chain(58..64).collect::<Vec<_>>(), 1..4)
            .prop_map(|bits| bits.iter().fold(0_u64, |mask, bit| mask | 1 << bit));
    let tag = (1_u32..4, 0_u32..4)
        .prop_map(|(id, value)| [id.to_be_bytes(), value.to_be_bytes()].concat());
    let integer = (0_u64..300, 0_u64..300, any::<bool>(), 0_u16..70, any::<u8>());
    let integer = integer.prop_map(|(start, end, far, index, format)| {
        let end = if far { end + (1 << 40) } else { end };
        [&start.to_be_bytes()[..], &end.to_be_bytes(), &index.to_be_bytes(), &[format]].concat()
    });
    let unknown = prop::sample::select(vec![16_u8, 23, 52, 63]);

    let of_frame = prop_oneof![
        (24_u8..=25, node),
        (Just(26), any::<bool>().prop_map(|other| vec![0, u8::from(other)])),
        (27_u8..=28, any::<bool>().prop_map(|other| vec![u8::from(other)])),
        (29_u8..=30, mac),
        (31_u8..=32, v4_prefix),
        (33_u8..=34, v6_prefix),
        (Just(35), vec(few(), 3)),
        (Just(36), vec(few(), 1)),
        (Just(37), ethertype.prop_map(|ethertype| ethertype.to_be_bytes().to_vec())),
        (
            Just(38),
            vec(0_u8..2, 3).prop_map(|mut icmp| {
                icmp[0] *= 8;
                icmp
            })
        ),
        (39_u8..=40, ports),
        (Just(41), characteristics.prop_map(|mask| mask.to_be_bytes().to_vec())),
        (Just(42), sizes),
        (Just(43), any::<u32>().prop_map(|most| most.to_be_bytes().to_vec())),
        (Just(51), integer),
        (unknown, vec(any::<u8>(), 0..5)),
    ];
    prop_oneof![3 => of_frame, 1 => (44_u8..=50, tag)].boxed()
}

/// An ethertype and what follows, often cut short.
pub fn ethernet() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let whole = prop_oneof![
        4 => ipv4().prop_map(|packet| (0x0800, packet)),
        4 => ipv6().prop_map(|packet| (0x86dd, packet)),
        1 => neighbor().prop_map(|packet| (0x86dd, packet)),
        1 => arp().prop_map(|packet| (0x0806, packet)),
        1 => vec(any::<u8>(), 0..80).prop_map(|noise| (0x88cc, noise)),
    ];
    let cut = prop_oneof![3 => Just(usize::MAX), 1 => 0..90_usize];
    (whole, cut).prop_map(|((ethertype, mut packet), cut)| {
        packet.truncate(cut);
        (ethertype, packet)
    })
}

/// What IP carries, of a length at which something begins or ends: small ports, which are also an
/// ICMP type and code, and TCP's flags.
fn transport() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop::sample::select(vec![0_u8, 8, 135, 136]);
    let len = prop::sample::select(vec![0_usize, 1, 2, 4, 5, 13, 14, 15, 24, 40]);
    (kind, 0_u8..2, 0_u16..6, vec(0_u8..4, 36), len).prop_map(|(kind, code, port, rest, len)| {
        let mut transport = [&[kind, code][..], &port.to_be_bytes(), &rest].concat();
        transport.truncate(len);
        transport
    })
}

fn ipv4() -> impl Strategy<Value = Vec<u8>> {
    let ends = (prop::sample::select(&V4), prop::sample::select(&V4));
    let protocol = prop::sample::select(vec![1_u8, 6, 6, 17, 58, 132, 136]);
    let ihl = prop::sample::select(vec![5_u8, 5, 5, 0, 6, 15]);
    (ends, protocol, ihl, any::<u8>(), transport()).prop_map(
        |((source, destination), protocol, ihl, tos, transport)| {
            let mut packet = vec![0x40 | ihl, tos, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
            packet.extend(source);
            packet.extend(destination);
            packet.extend(vec![0; usize::from(ihl.saturating_sub(5)) * 4]);
            packet.extend(transport);
            packet
        },
    )
}

fn ipv6() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![0_u8, 43, 60, 135, 44]);
    let extensions = prop_oneof![3 => Just(Vec::new()), 1 => vec((known, 0_u8..3), 0..4)];
    let protocol = prop::sample::select(vec![1_u8, 6, 6, 17, 58, 58, 132, 136]);
    (0_u8..4, 0_u8..4, any::<u16>(), extensions, protocol, transport()).prop_map(
        |(source, destination, class, extensions, protocol, transport)| {
            let mut nexts: Vec<_> = extensions.iter().map(|&(kind, _)| kind).collect();
            nexts.push(protocol);
            let class = class.to_be_bytes();
            let mut packet = vec![0x60 | (class[0] % 16), class[1], 0, 0, 0, 0, nexts[0], 64];
            packet.extend(v6(source));
            packet.extend(v6(destination));
            for (next, (_, len)) in nexts[1..].iter().zip(&extensions) {
                packet.extend([*next, *len]);
                packet.extend(vec![0; 6 + 8 * usize::from(*len)]);
            }
            packet.extend(transport);
            packet
        },
    )
}

/// A neighbour solicitation or advertisement, or what looks like one.
fn neighbor() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop::sample::select(vec![128_u8, 135, 136]);
    let protocol = prop::sample::select(vec![17_u8, 58, 58]);
    (protocol, kind, 0_u8..4, 0_u8..4).prop_map(|(protocol, kind, source, target)| {
        let head = [0x60, 0, 0, 0, 0, 32, protocol, 255];
        let message = [kind, 0, 0, 0, 0, 0, 0, 0];
        [&head[..], &v6(source), &v6(0), &message, &v6(target), &[2, 1, 2, 0, 0, 0, 0, 1]].concat()
    })
}

fn arp() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(&V4).prop_map(|sender| {
        let head = [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2];
        [&head[..], &sender, &[0; 6], &V4[0]].concat()
    })
}

/// One of a few IPv6 addresses; number 0 has no host bits.
fn v6(last: u8) -> Vec<u8> {
    let mut address = vec![0; 16];
    address[0] = 0xfd;
    address[15] = last;
    address
}
