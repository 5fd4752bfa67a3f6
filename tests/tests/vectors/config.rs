//! Network configurations (spec 03 §5).

use serde_json::Value;
use zt_protocol::config::NetworkConfig;
use zt_protocol::rules::{Kind, codec};

use crate::fields::{bytes, cases, flag, hex_number, list, name, number, text};
use crate::report::Report;

/// network_config.json
pub(crate) fn run(file: &Value, report: &mut Report) {
    for case in cases(file) {
        report.case(name(case), || {
            let dictionary = bytes(case, "dictionary");
            let read = NetworkConfig::from_dictionary(&dictionary);
            assert_eq!(read.is_ok(), flag(case, "decode_ok"), "{read:?}");
            let Ok(mut config) = read else { return };

            compare(&config, &case["parsed"]);
            if text(case, "kind") == "encode_decode" {
                // What the reference wrote before its reader put it within bounds.
                if name(case).starts_with("mtu") {
                    config.mtu = written_mtu(&dictionary);
                }
                let written = config.to_dictionary();
                assert_eq!(written.len() as u64, number(case, "dictionary_size"));
                assert_eq!(hex::encode(written), text(case, "dictionary"));
            }
        });
    }
}

fn written_mtu(dictionary: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(dictionary);
    let line = text.lines().find_map(|line| line.strip_prefix("mtu=")).unwrap();
    u16::from_str_radix(&line[12..], 16).unwrap()
}

/// Holds a configuration to what the reference understands by it.
pub(crate) fn compare(config: &NetworkConfig, parsed: &Value) {
    assert_eq!(config.network.to_string(), text(parsed, "network_id"));
    assert_eq!(config.timestamp.0, number(parsed, "timestamp"));
    assert_eq!(config.credential_window_ms, number(parsed, "credential_time_max_delta"));
    assert_eq!(config.revision, number(parsed, "revision"));
    assert_eq!(config.issued_to.to_string(), text(parsed, "issued_to"));
    assert_eq!(config.trace_target.to_string(), text(parsed, "remote_trace_target"));
    assert_eq!(config.trace_level, number(parsed, "remote_trace_level"));
    assert_eq!(config.flags, hex_number(parsed, "flags"));
    assert_eq!(u64::from(config.mtu), number(parsed, "mtu"));
    assert_eq!(u64::from(config.multicast_limit), number(parsed, "multicast_limit"));
    assert_eq!(config.public, text(parsed, "type") == "public");
    assert_eq!(config.name, text(parsed, "name"));
    assert_eq!(config.membership.is_some(), flag(parsed, "has_com"));
    compare_lists(config, parsed);
    compare_rules(config, parsed);

    let sso = &config.sso;
    assert_eq!(sso.enabled, flag(parsed, "sso_enabled"));
    assert_eq!(sso.version, number(parsed, "sso_version"));
    assert_eq!(sso.authentication_url, text(parsed, "authentication_url"));
    assert_eq!(Some(sso.expiry_ms), parsed["authentication_expiry_time"].as_i64());
    assert_eq!(sso.issuer_url, text(parsed, "issuer_url"));
    assert_eq!(sso.central_url, text(parsed, "central_auth_url"));
    assert_eq!(sso.nonce, text(parsed, "sso_nonce"));
    assert_eq!(sso.state, text(parsed, "sso_state"));
    assert_eq!(sso.client_id, text(parsed, "sso_client_id"));
    assert_eq!(sso.provider, text(parsed, "sso_provider"));
}

fn compare_lists(config: &NetworkConfig, parsed: &Value) {
    let addresses = config.addresses.iter().map(|(ip, bits)| format!("{ip}/{bits}"));
    let expected = list(parsed, "static_ips").iter().map(|ip| ip.as_str().unwrap());
    assert_eq!(addresses.collect::<Vec<_>>(), expected.collect::<Vec<_>>());

    let dns = &parsed["dns"];
    assert_eq!(config.dns.domain, text(dns, "domain"));
    let servers = list(dns, "servers").iter().filter(|server| *server != "");
    assert_eq!(config.dns.servers.len(), servers.count());

    assert_eq!(config.specialists.len(), list(parsed, "specialists").len());
    assert_eq!(config.routes.len(), list(parsed, "routes").len());
    assert_eq!(config.capabilities.len(), list(parsed, "capabilities").len());
    assert_eq!(config.tags.len(), list(parsed, "tags").len());
    assert_eq!(config.ownerships.len(), list(parsed, "certificates_of_ownership").len());
}

fn compare_rules(config: &NetworkConfig, parsed: &Value) {
    assert_eq!(config.rules.len() as u64, number(parsed, "rule_count"));
    let mut written = Vec::new();
    for rule in &config.rules {
        let mut rule = rule.clone();
        // The reference loses what it does not know; we keep it, for it may be signed.
        if let Kind::Unknown { value, .. } = &mut rule.kind {
            assert!(!value.is_empty());
            value.clear();
        }
        codec::write(&rule, &mut written);
    }
    assert_eq!(hex::encode(written), text(parsed, "rules_reserialized"));
}
