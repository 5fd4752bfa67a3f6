//! MAC addresses, and the IPv6 addresses derived from network and node (spec 01 §1).

use serde_json::Value;
use zt_protocol::address::{Address, Mac, NetworkId};

use crate::fields::{array, cases, flag, has, list, number, text};
use crate::report::Report;

/// mac.json
pub(crate) fn mac(file: &Value, report: &mut Report) {
    for case in cases(file) {
        let network: NetworkId = text(case, "network_id").parse().unwrap();
        report.case(&format!("{} on {network}", text(case, "mac")), || {
            if has(case, "address") {
                derived_mac(case, network);
            } else {
                reversed_mac(case, network);
            }
        });
    }
    for case in list(file, "derived_ipv6") {
        let network: NetworkId = text(case, "network_id").parse().unwrap();
        let member: Address = text(case, "address").parse().unwrap();
        report.case(&format!("IPv6 of {member} on {network}"), || {
            let ips = [
                (network.rfc4193(member), "rfc4193_bytes"),
                (network.six_plane(member), "sixplane_bytes"),
                (Mac::of_member(member, network).link_local(), "ipv6_link_local_bytes"),
            ];
            for (ip, expected) in ips {
                assert_eq!(ip.octets(), array(case, expected));
            }
        });
    }
}

fn derived_mac(case: &Value, network: NetworkId) {
    let member: Address = text(case, "address").parse().unwrap();

    let mac = Mac::of_member(member, network);

    assert_eq!(mac.to_string(), text(case, "mac"));
    assert_eq!(mac.to_bytes(), array(case, "mac_bytes"));
    assert_eq!(u64::from(mac.to_bytes()[0]), number(case, "first_octet"));
    assert_eq!(mac.to_member(network), Some(member));
    assert_eq!(member.to_string(), text(case, "reverse_address"));
    assert_eq!(mac.is_multicast(), flag(case, "is_multicast"));
}

fn reversed_mac(case: &Value, network: NetworkId) {
    let octets = hex::decode(text(case, "mac").replace(':', "")).unwrap();
    let mac = Mac::from(<[u8; 6]>::try_from(octets).unwrap());

    let member = mac.to_member_unchecked(network);

    assert_eq!(member.to_string(), text(case, "reverse_address"));
    let expected = flag(case, "first_octet_matches_network").then_some(member);
    assert_eq!(mac.to_member(network), expected);
    assert_eq!(mac.is_multicast(), flag(case, "is_multicast"));
    assert_eq!(mac == Mac::BROADCAST, flag(case, "is_broadcast"));
}
