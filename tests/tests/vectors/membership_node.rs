//! Asking for configurations, getting them in chunks, and what members show each other
//! (spec 03 §2, §3, §6).

use std::time::Duration;

use serde_json::Value;
use zt_protocol::event::Standing;
use zt_tests::vector_node::{Reply, START_MS, verbs};

use crate::fields::{bytes, cases, flag, list, name, text};
use crate::member_node::{
    self, Member, Setting, entries_of_push, expected, letter, listed, membership,
};
use crate::report::Report;

/// credentials.json
///
/// The cases that receive end in one story; each of the others is one of its own.
pub(crate) fn credentials(file: &Value, report: &mut Report) {
    let mut story = Member::new(file, "a");
    story.configure(&Setting::private());
    for case in cases(file) {
        match text(case, "kind") {
            "push" => report.case(name(case), || push(file, case)),
            "receive" => report.case(name(case), || {
                // The file starts afresh until it revokes something; what follows is one story.
                if list(case, "memberships_after").len() < 2 || name(case).starts_with("two COMs") {
                    story = Member::new(file, "a");
                    story.configure(&Setting::private());
                }
                receive(file, case, &mut story);
            }),
            _ => report.case(name(case), || rate_limit(file, case)),
        }
    }
}

/// Member a has the credentials of the case in its configuration and is told that b lacks them.
fn push(file: &Value, case: &Value) {
    let mut a = Member::new(file, "a");
    let packets = list(case, "packets").iter().map(|packet| bytes(packet, "payload"));
    let credentials = all_credentials(packets);
    let is_public = credentials.is_empty();
    a.configure(&Setting { public: is_public, entries: credentials.clone(), ..Setting::public() });
    a.bench.live_for(Duration::from_secs(2));
    let b = member_node::address(file, "b");
    let mut lacks = vec![0x06, 1, 2, 3, 4, 5, 6, 7, 8, 0x06];
    lacks.extend(a.network.to_bytes());
    let error = a.bench.seal(b, 3, 0x02, &lacks);

    let mut sent = a.feed_from("b", &error);
    assert!(listed(&sent, &[verbs::CREDENTIALS]).len() <= 1, "the second is dropped within 1 s");
    sent.extend(a.bench.pass_until(a.bench.now_ms() + 3_000));

    // How a set is split is the sender's choice; that the certificate comes first is not.
    let sent = listed(&sent, &[verbs::CREDENTIALS]);
    assert_eq!(sent.len(), list(case, "packets").len());
    assert!(sent.iter().all(|(to, ..)| *to == b.to_string()));
    let payloads: Vec<_> = sent.iter().map(|(.., payload)| hex::decode(payload).unwrap()).collect();
    let leading: Vec<_> = payloads.iter().map(|payload| payload[0]).collect();
    assert!(leading.is_empty() || leading[0] == 1 && leading[1..].iter().all(|&byte| byte == 0));
    assert_eq!(all_credentials(payloads), credentials);
}

/// Returns the credentials in these payloads together, as entries of a configuration.
fn all_credentials(payloads: impl IntoIterator<Item = Vec<u8>>) -> Vec<(&'static str, Vec<u8>)> {
    let mut all: Vec<(&'static str, Vec<u8>)> = Vec::new();
    for (key, more) in payloads.into_iter().flat_map(|payload| entries_of_push(&payload)) {
        match all.iter_mut().find(|(of, _)| *of == key) {
            Some((_, value)) => value.extend(more),
            None => all.push((key, more)),
        }
    }
    all.sort();
    all
}

/// Member a gets a packet of credentials.
fn receive(file: &Value, case: &Value, a: &mut Member) {
    if name(case).starts_with("fast-propagated") {
        // b and c have shown their certificates before.
        let shown = cases(file).iter().find(|case| name(case).starts_with("two COMs")).unwrap();
        a.bench.live_for(Duration::from_secs(2));
        show(file, a, shown);
    }
    a.bench.live_for(Duration::from_secs(2));

    let sent = show(file, a, case);

    assert_same(
        expected(list(case, "credentials_packets_sent")),
        listed(&sent, &[verbs::CREDENTIALS]),
    );
    for member in list(case, "memberships_after") {
        let of = text(member, "member");
        assert_eq!(is_admitted(file, a, of), flag(member, "allowed"), "{of}");
    }
}

/// Hands member a the credentials of a case; returns what it sends.
fn show(file: &Value, a: &mut Member, case: &Value) -> Vec<Reply> {
    let from = letter(file, text(case, "from"));
    let sender = member_node::address(file, from);
    let datagram = a.bench.seal(sender, 3, verbs::CREDENTIALS, &bytes(case, "payload"));
    a.feed_from(from, &datagram)
}

/// Returns whether a takes frames of the member at this address.
fn is_admitted(file: &Value, a: &mut Member, address: &str) -> bool {
    let from = letter(file, address);
    let mut frame = a.network.to_bytes().to_vec();
    frame.extend([0x08, 0x00, 0x45]);
    let datagram = a.bench.seal(member_node::address(file, from), 3, 0x06, &frame);
    a.bench.take_delivered();

    a.feed_from(from, &datagram);

    !a.bench.take_delivered().is_empty()
}

/// The second of two packets within a second says that b is a member, and is not heard.
fn rate_limit(file: &Value, case: &Value) {
    let mut a = Member::new(file, "a");
    a.configure(&Setting::private());
    a.bench.live_for(Duration::from_secs(2));
    let b = member_node::address(file, "b");
    let persona = a.bench.others[&b].clone();
    let mut shows = membership(&a.controller, a.network, &persona, START_MS);
    shows.push(0);
    for payload in [&[0][..], &shows] {
        let datagram = a.bench.seal(b, 3, verbs::CREDENTIALS, payload);
        a.feed_from("b", &datagram);
    }

    assert!(!is_admitted(file, &mut a, &b.to_string()));
    assert_eq!(case["member_records_after"], 0);
}

/// config_chunks.json
pub(crate) fn config_chunks(file: &Value, report: &mut Report) {
    for (index, packet) in list(file, "reference_sender_packets").iter().enumerate() {
        report.case(&format!("packet {index} of the reference's controller"), || {
            let mut a = Member::new(file, "a");
            let mut chunk = bytes(packet, "payload");
            if packet["verb"] == verbs::OK {
                // Which request it answers.
                chunk.drain(..9);
            }
            feed_chunk(file, &mut a, "controller", &chunk);
            assert_ne!(a.standing(), Standing::RequestingConfiguration);
        });
    }
    for case in cases(file) {
        report.case(name(case), || {
            let mut a = Member::new(file, "a");
            for letter in ["b", "c"] {
                let persona = a.bench.others[&member_node::address(file, letter)].clone();
                let mut shows = membership(&a.controller, a.network, &persona, START_MS);
                shows.push(0);
                let datagram = a.bench.seal(persona.address, 3, verbs::CREDENTIALS, &shows);
                a.feed_from(letter, &datagram);
            }
            for step in list(case, "steps") {
                chunk_arrives(file, &mut a, step);
            }
        });
    }
}

fn chunk_arrives(file: &Value, a: &mut Member, step: &Value) {
    let chunk = match step["chunk_index_in_chunks"].as_u64() {
        Some(index) => hex::decode(list(file, "chunks")[index as usize].as_str().unwrap()).unwrap(),
        None => bytes(step, "payload"),
    };
    let from = letter(file, text(step, "from"));

    let (packet_id, sent) = feed_chunk(file, a, from, &chunk);

    let has_config = a.standing() != Standing::RequestingConfiguration;
    assert_eq!(has_config, flag(step, "network_has_config_after"));

    // An unsigned chunk has no update ID and is named by its packet, 0102030405060708 in the file.
    let update = match text(step, "result_update_id") {
        "0102030405060708" => packet_id,
        update => update.to_owned(),
    };
    let answers = listed(&sent, &[verbs::OK]).into_iter();
    let answers: Vec<_> = answers.map(|(to, _, payload)| (to, payload[18..].to_owned())).collect();
    let acknowledged = (update != "0000000000000000")
        .then(|| (text(step, "from").to_owned(), format!("{}{update}", a.network)));
    assert_eq!(answers, acknowledged.into_iter().collect::<Vec<_>>());

    let forwarded = list(step, "forwarded").iter();
    let forwarded: Vec<_> = forwarded
        .map(|packet| (text(packet, "to").to_owned(), 0x0c, hex::encode(&chunk)))
        .collect();
    assert_same(forwarded, listed(&sent, &[0x0c]));
}

/// Holds what was sent to a list, in any order.
fn assert_same(mut listed: Vec<(String, u8, String)>, mut sent: Vec<(String, u8, String)>) {
    listed.sort();
    sent.sort();
    assert_eq!(sent, listed);
}

/// Hands member a a chunk; returns the ID of the packet it came in and what a sends.
fn feed_chunk(file: &Value, a: &mut Member, from: &str, chunk: &[u8]) -> (String, Vec<Reply>) {
    let datagram = a.bench.seal(member_node::address(file, from), 3, 0x0c, chunk);
    (hex::encode(&datagram[..8]), a.feed_from(from, &datagram))
}

/// network_requests.json
pub(crate) fn network_requests(file: &Value, report: &mut Report) {
    for case in cases(file) {
        report.case(name(case), || match text(case, "kind") {
            "request" => request(file, case),
            _ => refused(file, case),
        });
    }
}

/// The request goes out when a network is joined, and each minute.
fn request(file: &Value, case: &Value) {
    let mut a = Member::new(file, "a");
    let revision = u64::from_be_bytes(
        *bytes(case, "payload").last_chunk::<16>().unwrap().first_chunk().unwrap(),
    );
    let sent = if revision == 0 {
        a.bench.pass_until(a.bench.now_ms() + 10_000)
    } else {
        a.configure(&Setting { timestamp: START_MS, revision, ..Setting::public() });
        a.bench.pass_until(a.bench.now_ms() + 70_000)
    };

    let requests = listed(&sent, &[0x0b]);

    let expected = (text(case, "to").to_owned(), 0x0b, text(case, "payload").to_owned());
    assert_eq!(requests.first(), Some(&expected));
    assert_eq!(a.standing().name(), text(case, "status"));
}

/// An ERROR arrives that may or may not concern the network.
fn refused(file: &Value, case: &Value) {
    let mut a = Member::new(file, "a");
    if flag(case, "had_config") {
        a.configure(&Setting::public());
    }
    let from = letter(file, text(case, "from"));
    let mut payload = bytes(case, "payload");
    if payload[0] == verbs::CONFIG_REQUEST {
        // Only what answers a request that was made counts.
        let controller = member_node::address(file, "controller");
        payload[1..9].copy_from_slice(&a.bench.last_request[&controller]);
    }
    let error = a.bench.seal(member_node::address(file, from), 3, verbs::ERROR, &payload);

    a.feed_from(from, &error);

    assert_eq!(a.standing().name(), text(case, "status_after"));
}
