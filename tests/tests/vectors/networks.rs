//! How a member gets its configuration (spec 03 §2 to §4).

use serde_json::Value;
use zt_protocol::address::{Address, NetworkId};
use zt_protocol::error::Rejected;
use zt_protocol::transmit::PortMode;
use zt_protocol::verb::Verb;
use zt_protocol::wire::reply;

use crate::config::compare;
use crate::fields::{bytes, cases, flag, hex_number, list, name, number, text};
use crate::member::Member;
use crate::report::Report;

/// network_requests.json
pub(crate) fn requests(file: &Value, report: &mut Report) {
    for case in cases(file) {
        report.case(name(case), || match text(case, "kind") {
            "request" => request(file, case),
            _ => error(file, case),
        });
    }
}

fn request(file: &Value, case: &Value) {
    let mut member = Member::new(file, "a");
    let network = member.network;
    if text(case, "status") == "OK" {
        let mut held = member.config();
        held.revision = 0x1122;
        let saved = held.to_dictionary();
        member
            .call(|networks, ctx, _| networks.join(ctx, network, PortMode::L2, Some(&saved)))
            .unwrap();
    } else {
        member.join(PortMode::L2);
    }

    let sent = member.sent();

    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].to.to_string(), text(case, "to"));
    assert_eq!(sent[0].verb as u64, number(case, "verb"));
    assert_eq!(hex::encode(&sent[0].body), text(case, "payload"));
    assert_eq!(member.networks.statuses()[0].standing.name(), text(case, "status"));
}

fn error(file: &Value, case: &Value) {
    let mut member = Member::new(file, "a");
    member.join(PortMode::L2);
    let had_config = flag(case, "had_config");
    if had_config {
        member.configure(&member.config());
    }

    let payload = bytes(case, "payload");
    let (in_re, code, rest) = reply::read_error(&payload).unwrap();
    let from = text(case, "from").parse().unwrap();
    let _ = member.receive((from, Verb::Error, 1), rest, |networks, ctx, _, rx| {
        networks.handle_error(ctx, rx, (in_re.verb.unwrap(), in_re.packet_id), code.unwrap())
    });

    assert_eq!(member.networks.statuses()[0].standing.name(), text(case, "status_after"));
    assert_eq!(member.networks.config(member.network).is_some(), had_config);
    let login = member.networks.login(member.network).cloned().unwrap_or_default();
    assert_eq!(login.enabled, flag(case, "sso_enabled"));
    assert_eq!(login.version, number(case, "sso_version"));
    assert_eq!(login.authentication_url, text(case, "authentication_url"));
    assert_eq!(login.issuer_url, text(case, "issuer_url"));
    assert_eq!(login.central_url, text(case, "central_auth_url"));
    assert_eq!(login.nonce, text(case, "sso_nonce"));
    assert_eq!(login.state, text(case, "sso_state"));
    assert_eq!(login.client_id, text(case, "sso_client_id"));
    assert_eq!(login.provider, text(case, "sso_provider"));
}

/// adhoc.json
pub(crate) fn adhoc(file: &Value, report: &mut Report) {
    for case in cases(file) {
        let case_name = format!("{} of {}", text(case, "network_id"), text(case, "node"));
        report.case(&case_name, || {
            let node = text(case, "node");
            let nodes = file["identities"].as_object().unwrap();
            let (letter, _) = nodes.iter().find(|(_, it)| text(it, "address") == node).unwrap();
            let mut member = Member::new(file, letter);
            let network: NetworkId = text(case, "network_id").parse().unwrap();

            member
                .call(|networks, ctx, _| networks.join(ctx, network, PortMode::L2, None))
                .unwrap();

            let status = &member.networks.statuses()[0];
            assert_eq!(hex::encode(status.mac.to_bytes()), text(case, "mac"));
            assert_eq!(status.standing.name(), text(case, "status"));
            let config = member.networks.config(network).cloned();
            assert_eq!(config.is_some(), flag(case, "has_config"));
            if let Some(config) = config {
                compare(&config, &case["config"]);
            }
            assert_eq!(member.sent().len() as u64, number(case, "packets_sent"));
        });
    }
}

/// config_chunks.json
pub(crate) fn chunks(file: &Value, report: &mut Report) {
    for case in cases(file) {
        report.case(name(case), || {
            // A member on a bench knows b and c, as the reference's does.
            let mut member = Member::new(file, "a");
            member.join(PortMode::L2);
            member.show_certificate(file, "b", 0);
            member.show_certificate(file, "c", 0);
            member.sent();
            for step in list(case, "steps") {
                chunk_step(&mut member, file, step);
            }
        });
    }
    for packet in list(file, "reference_sender_packets") {
        report.case(&format!("as sent with verb {}", number(packet, "verb")), || {
            let mut member = Member::new(file, "a");
            member.join(PortMode::L2);
            let payload = bytes(packet, "payload");
            let (verb, chunk) = match number(packet, "verb") {
                3 => (Verb::Ok, reply::read_ok(&payload).unwrap().1),
                _ => (Verb::NetworkConfig, payload.as_slice()),
            };

            let from = text(&file["identities"]["controller"], "address").parse().unwrap();
            let taken = take_chunk(&mut member, (from, verb, 1), chunk);

            assert_eq!(taken, Ok(()));
            assert!(member.networks.config(member.network).is_some());
        });
    }
}

fn take_chunk(
    member: &mut Member,
    packet: (Address, Verb, u64),
    chunk: &[u8],
) -> Result<(), Rejected> {
    member.receive(packet, chunk, |networks, ctx, known, rx| {
        networks.handle_config(ctx, known, rx, rx.body).map(drop)
    })
}

fn chunk_step(member: &mut Member, file: &Value, step: &Value) {
    let payload = match step["chunk_index_in_chunks"].as_u64() {
        Some(index) => hex::decode(file["chunks"][index as usize].as_str().unwrap()).unwrap(),
        None => bytes(step, "payload"),
    };
    let from = text(step, "from").parse().unwrap();
    let packet_id = 0x0102_0304_0506_0708;

    // What a step refuses it refuses silently, but for our counters.
    let _ = take_chunk(member, (from, Verb::NetworkConfig, packet_id), &payload);

    let has_config = member.networks.config(member.network).is_some();
    assert_eq!(has_config, flag(step, "network_has_config_after"));
    let (acks, others): (Vec<_>, Vec<_>) =
        member.sent().into_iter().partition(|packet| packet.verb == Verb::Ok);
    let mut forwarded: Vec<_> =
        others.iter().filter(|packet| packet.verb == Verb::NetworkConfig).collect();
    forwarded.sort_by_key(|packet| packet.to);
    let mut expected: Vec<_> = list(step, "forwarded").iter().map(|it| text(it, "to")).collect();
    expected.sort_unstable();
    assert_eq!(forwarded.iter().map(|it| it.to.to_string()).collect::<Vec<_>>(), expected);
    assert!(forwarded.iter().all(|packet| packet.body == payload));

    let acknowledged = acks.first().map_or(0, |ack| {
        let (in_re, body) = reply::read_ok(&ack.body).unwrap();
        assert_eq!((in_re.verb, in_re.packet_id), (Some(Verb::Echo), packet_id));
        u64::from_be_bytes(*body.last_chunk().unwrap())
    });
    assert_eq!(acknowledged, hex_number(step, "result_update_id"));
}
