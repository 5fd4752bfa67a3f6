//! Rules (spec 03 §8, spec 04 §7).

use std::net::IpAddr;

use serde_json::Value;
use zt_protocol::address::{Mac, NetworkId};
use zt_protocol::config::NetworkConfig;
use zt_protocol::rules::{
    Decision, Direction, Filter, Grant, Holdings, Party, Passage, codec, json,
};
use zt_protocol::time::UnixMillis;
use zt_protocol::transmit::Frame;
use zt_protocol::verb::Verb;
use zt_protocol::wire::frame::ExtFrame;

use crate::fields::{array, bytes, cases, flag, has, hex_number, list, name, number, text};
use crate::report::Report;

/// rules_json.json
pub(crate) fn rules_json(file: &Value, report: &mut Report) {
    for case in list(file, "rules") {
        let label = text(case, "label");
        if has(case, "exception") {
            // The reference fails the whole request; what comes of it here is up to the API.
            report.case(label, || assert_eq!(json::read(&case["input"]), None));
            continue;
        }
        report.case(label, || {
            let rule = json::read(&case["input"]);
            assert_eq!(rule.is_some(), flag(case, "accepted"));
            let Some(rule) = rule else { return };

            let mut binary = Vec::new();
            codec::write(&rule, &mut binary);
            assert_eq!(hex::encode(&binary), text(case, "binary"));
            assert_eq!(u64::from(binary[0]), number(case, "type_byte"));
            assert_eq!(codec::read_list(&binary, 1), Ok(vec![rule.clone()]));
            assert_eq!(json::write(&rule), case["rendered"]);
        });
    }
}

/// rules.json
pub(crate) fn rules(file: &Value, report: &mut Report) {
    for case in cases(file) {
        report.case(name(case), || judge(file, case));
    }
}

fn judge(file: &Value, case: &Value) {
    let network: NetworkId = text(file, "network_id").parse().unwrap();
    let base = codec::read_list(&bytes(case, "rules"), 1_024).unwrap();
    let filter = Filter::new(&base, hex_number(case, "network_flags") & 0x08 != 0);
    let (local, remote) = (holdings(file, case, "local"), holdings(file, case, "remote"));
    let party = |node, holdings| Party { address: text(case, node).parse().unwrap(), holdings };
    let (direction, sender, receiver) = match text(case, "direction") {
        "outbound" => (Direction::Outbound, party("source_zt", &local), party("dest_zt", &remote)),
        _ => (Direction::Inbound, party("source_zt", &remote), party("dest_zt", &local)),
    };
    let payload = bytes(case, "frame");
    let frame = Frame {
        destination: Mac::from(array::<6>(case, "dest_mac")),
        source: Mac::from(array::<6>(case, "source_mac")),
        ethertype: u16::try_from(number(case, "ethertype")).unwrap(),
        payload: &payload,
    };
    assert_eq!(number(case, "vlan_id"), 0);
    if has(case, "qos_bucket") {
        assert_eq!(number(case, "qos_bucket"), 0);
    }
    let passage = Passage { direction, sender, receiver, frame };

    let explanation = filter.explain(&passage, &mut || u32::MAX);
    let mut verdict = filter.judge(&passage, &mut || u32::MAX);

    assert_eq!(explanation.verdict, verdict);
    assert_eq!(
        match verdict.decision {
            Decision::Drop | Decision::Redirect => "drop",
            // The reference does not tell the two apart on the way out.
            Decision::SuperAccept if direction == Direction::Inbound => "super_accept",
            Decision::Accept | Decision::SuperAccept => "accept",
        },
        text(case, "verdict")
    );
    if has(case, "no_tee") {
        verdict = verdict.without_tees();
    }
    let emitted = list(case, "emitted");
    assert_eq!(verdict.copies.len(), emitted.len());
    for (copy, expected) in verdict.copies.iter().zip(emitted) {
        let header = ExtFrame::copy_header(network, direction, copy.purpose, &frame);
        let body = [&header, &payload[..copy.len]].concat();
        assert_eq!(copy.to.to_string(), text(expected, "to"));
        assert_eq!(Verb::ExtFrame as u64, number(expected, "verb"));
        assert_eq!(hex::encode(body), text(expected, "payload"));
    }
}

/// Returns what the `local` or `remote` node of a case holds.
fn holdings(file: &Value, case: &Value, whose: &str) -> Holdings {
    let field = |name: &str| format!("{whose}_{name}");
    let u32_of = |value: &Value, name: &str| u32::try_from(number(value, name)).unwrap();

    let age = case[field("tag_age_ms")].as_u64().unwrap_or_default();
    let tags = list(case, &field("tags")).iter();
    let tags = tags.filter(|_| is_timely(file, age));
    let tags = tags.map(|tag| (u32_of(tag, "id"), u32_of(tag, "value")));
    let grants = list(case, &field("capabilities")).iter().map(|capability| {
        let rules = codec::read_list(&bytes(capability, "rules"), 64).unwrap();
        Grant { id: u32_of(capability, "id"), rules }
    });
    let ip = has(case, &field("owned_ip")).then(|| match bytes(case, &field("owned_ip")).len() {
        4 => IpAddr::from(array::<4>(case, &field("owned_ip"))),
        _ => IpAddr::from(array::<16>(case, &field("owned_ip"))),
    });
    let mac = case[field("owns_its_mac")].as_bool().unwrap_or_default();
    let mac = mac.then(|| Mac::from(array::<6>(case, "source_mac")));
    Holdings::default().with_tags(tags).with_grants(grants).with_addresses(ip).with_macs(mac)
}

/// Returns whether what was signed `age_ms` before the configuration counts.
fn is_timely(file: &Value, age_ms: u64) -> bool {
    let (timestamp, window) =
        (number(file, "config_timestamp"), number(file, "credential_time_max_delta"));
    let (network, member) = (text(file, "network_id"), text(file, "a"));
    let dictionary =
        format!("v=7\nnwid={network}\nid={member}\nts={timestamp:x}\nctmd={window:x}\n");
    let config = NetworkConfig::from_dictionary(dictionary.as_bytes()).unwrap();
    config.is_timely(UnixMillis(timestamp - age_ms))
}
