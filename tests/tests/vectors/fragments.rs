//! Packets in several datagrams (spec 01 §10).

use serde_json::Value;
use zerocopy::IntoBytes as _;
use zt_protocol::address::Address;
use zt_protocol::suite;
use zt_protocol::transmit::Cut;
use zt_protocol::wire::fragment::{FragmentHeader, Part};

use crate::fields::{bytes, cases, flag, has, list, name, number, text};
use crate::packets::keys;
use crate::report::Report;

/// Where a packet's fields begin (spec 01 §5).
const FLAGS: usize = 18;
const VERB: usize = 27;

/// Length of a fragment's header, in bytes.
const FRAGMENT_HEADER: usize = 16;

/// fragments.json
pub(crate) fn run(file: &Value, report: &mut Report) {
    for case in cases(file) {
        report.case(name(case), || cut(case));
    }
    for (index, case) in list(file, "running_node_cases").iter().enumerate() {
        report.case(&format!("running node, message {index}"), || {
            let mut packet = joined(&datagrams(case));
            suite::open(&keys(file, "running_node_key_48"), &mut packet).unwrap();
            assert_eq!(u64::from(packet[VERB] & 0x1f), number(case, "verb"));
            let message = &packet[VERB + 1 + 8..];
            assert_eq!(hex::encode(message), text(case, "message"));
            assert_eq!(message.len() as u64, number(case, "user_message_length"));
        });
    }
}

/// As many datagrams as the reference sends, with the same headers, though of other lengths.
fn cut(case: &Value) {
    let (size, mtu) = (number(case, "size") as usize, number(case, "mtu") as usize);
    let count = number(case, "datagram_count") as usize;

    let ours = Cut::even(size, mtu).map(|cut| cut.count);
    // What receivers do not support is not sent.
    assert_eq!(ours, flag(case, "supported_by_receiver").then_some(count));
    if ours.is_some() {
        compare_headers(case, count);
    }

    if has(case, "plaintext_packet") && has(case, "armored_packet_whole") {
        let armored = bytes(case, "armored_packet_whole");
        let mut packet = bytes(case, "plaintext_packet");
        packet[FLAGS] = armored[FLAGS];
        suite::seal(&keys(case, "key_48"), &mut packet, Default::default()).unwrap();
        assert_eq!(hex::encode(&packet), hex::encode(&armored));
    }
    if has(case, "datagrams") {
        let whole = zt_crypto::sha512(&[&joined(&datagrams(case))]);
        assert_eq!(hex::encode(whole), text(case, "armored_packet_whole_sha512"));
    }
}

fn compare_headers(case: &Value, count: usize) {
    let prefixes = list(case, "datagram_header_prefixes").iter();
    let prefixes: Vec<_> =
        prefixes.map(|prefix| hex::decode(prefix.as_str().unwrap()).unwrap()).collect();
    let head = &prefixes[0];
    let packet_id = u64::from_be_bytes(*head.first_chunk().unwrap());
    let destination = Address::from(<[u8; 5]>::try_from(&head[8..13]).unwrap());

    assert_eq!(prefixes.len(), count);
    for (number, prefix) in prefixes.iter().enumerate().skip(1) {
        let part = Part { number: number as u8, total: count as u8 };
        let header = FragmentHeader::new(packet_id, destination, part);
        assert_eq!(hex::encode(header.as_bytes()), hex::encode(prefix));
    }
}

fn datagrams(case: &Value) -> Vec<Vec<u8>> {
    list(case, "datagrams")
        .iter()
        .map(|datagram| hex::decode(datagram.as_str().unwrap()).unwrap())
        .collect()
}

/// Returns the packet whose head and fragments, in order, are these datagrams.
fn joined(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let (head, fragments) = datagrams.split_first().unwrap();
    let mut packet = head.clone();
    for (index, datagram) in fragments.iter().enumerate() {
        let (header, data) = FragmentHeader::split(datagram).unwrap();
        let part = header.part().unwrap();
        assert_eq!(usize::from(part.number), index + 1);
        assert_eq!(usize::from(part.total), datagrams.len());
        assert_eq!(data.len(), datagram.len() - FRAGMENT_HEADER);
        packet.extend(data);
    }
    packet
}
