//! What a member remembers of the others' credentials (spec 03 §6), as far as it shows: who is
//! admitted, what is passed on, and what is shown to whom.

use std::collections::BTreeSet;

use serde_json::Value;
use zt_protocol::address::Address;
use zt_protocol::credential::revocation::CredentialKind;
use zt_protocol::credential::{Revocation, Tag};
use zt_protocol::error::Rejected;
use zt_protocol::network::Credentials;
use zt_protocol::time::UnixMillis;
use zt_protocol::transmit::PortMode;
use zt_protocol::verb::Verb;
use zt_protocol::wire::credentials::Credentials as Shown;
use zt_tests::vector_node::START_MS;

use crate::fields::{bytes, cases, flag, has, list, name, number, text};
use crate::member::Member;
use crate::report::Report;

/// How much later than the member's own the certificates of the others were issued.
const LATER_MS: u64 = 1_000;

/// Returns node a on the file's network, which is private.
pub(crate) fn private(file: &Value) -> Member {
    let mut member = Member::new(file, "a");
    member.join(PortMode::L2);
    let mut config = member.config();
    config.public = false;
    config.membership = Some(member.certificate(file, "a", 0));
    member.configure(&config);
    member
}

/// One step of the story of b's record, of which every certificate file tells a part. Returns
/// whether a credential was accepted.
pub(crate) fn step(member: &mut Member, file: &Value, case: &Value) -> bool {
    let (section, credential) = match text(case, "kind") {
        _ if has(case, "revocation") => (3, bytes(case, "revocation")),
        "membership_add_sequence_for_b" => (0, bytes(case, "serialized")),
        _ if text(file, "description").contains("apabilit") => (1, bytes(case, "serialized")),
        _ => (2, bytes(case, "serialized")),
    };
    let mut body = Vec::new();
    if section == 0 {
        body.extend(&credential);
    }
    body.push(0);
    for number in 1..=4 {
        let here = number == section;
        body.extend([0, u8::from(here)]);
        body.extend(if here { credential.as_slice() } else { &[] });
    }
    let b = address(file, "b");
    show(member, b, &body) == Ok(Credentials::Accepted(true))
}

/// Gives the member a configuration of the time and window of the case.
pub(crate) fn at_time(member: &mut Member, case: &Value) {
    let mut config = member.networks.config(member.network).cloned().unwrap();
    config.timestamp = UnixMillis(number(case, "local_config_timestamp"));
    config.credential_window_ms = number(case, "credential_time_max_delta");
    member.configure(&config);
}

/// Returns the value that rules see of a tag of b.
pub(crate) fn tag_of_b(member: &Member, file: &Value, id: u32) -> Option<u32> {
    let view = member.tables.network(member.network).unwrap();
    view.members.get(&address(file, "b"))?.holdings.as_ref()?.tag(id)
}

/// One step of the story of how b's tag 1000 is revoked, which its name tells.
///
/// Unlike the reference, we do not let the revocation of a tag bar the member (spec 03 §7.5).
pub(crate) fn revoke_step(member: &mut Member, file: &Value, case: &Value) {
    const TAG: u32 = 1_000;
    let at = |later: i64| START_MS.strict_add_signed(later);
    let membership = (CredentialKind::Membership, 0);
    let tag = (CredentialKind::Tag, TAG);
    let accepted = match name(case) {
        "add tag 1000 at T0" => offer_tag(member, file, TAG, at(0)),
        name if name.starts_with("re-adding") => offer_tag(member, file, TAG, at(0)),
        "newer tag after threshold" => offer_tag(member, file, TAG, at(1)),
        "tag at threshold offered to a fresh membership holding the revocation" => {
            let mut fresh = private(file);
            offer_revocation(&mut fresh, file, tag, at(0));
            offer_tag(&mut fresh, file, TAG, at(0))
        }
        name if name.contains("threshold T0-1") => offer_revocation(member, file, tag, at(-1)),
        name if name.contains("older threshold") => offer_revocation(member, file, tag, at(-2)),
        "COM revocation T0+10" => offer_revocation(member, file, membership, at(10)),
        name if name.contains("far in the past") => offer_revocation(member, file, membership, 1),
        name if name.contains("type 6") => {
            offer_revocation(member, file, (CredentialKind::Other(6), TAG), at(20))
        }
        _ => offer_revocation(member, file, tag, at(0)),
    };

    assert_eq!(accepted, text(case, "result").starts_with("accepted"));
    if has(case, "tag_1000_usable_after") {
        let usable = tag_of_b(member, file, TAG).is_some();
        assert_eq!(usable, flag(case, "tag_1000_usable_after"));
    }
}

fn offer_tag(member: &mut Member, file: &Value, id: u32, timestamp: u64) -> bool {
    let (controller, b) = (member.controller(), address(file, "b"));
    let tag = Tag::issue(&controller, member.network, b, UnixMillis(timestamp), id, 7);
    offer(member, b, &Shown { tags: vec![tag], ..Shown::default() })
}

fn offer_revocation(
    member: &mut Member,
    file: &Value,
    what: (CredentialKind, u32),
    threshold: u64,
) -> bool {
    let (controller, b) = (member.controller(), address(file, "b"));
    let revocation = Revocation::issue(&controller, member.network, b, what, 1, threshold);
    let shown = Shown { revocations: vec![revocation], ..Shown::default() };
    offer(member, address(file, "c"), &shown)
}

fn offer(member: &mut Member, from: Address, shown: &Shown) -> bool {
    show(member, from, &shown.write()[0]) == Ok(Credentials::Accepted(true))
}

fn address(file: &Value, name: &str) -> Address {
    text(&file["identities"][name], "address").parse().unwrap()
}

/// Has `from` show credentials, more than a second after the last.
fn show(member: &mut Member, from: Address, body: &[u8]) -> Result<Credentials, Rejected> {
    member.pass(1_001);
    member.sent();
    member.receive((from, Verb::NetworkCredentials, 1), body, |networks, ctx, known, rx| {
        networks.handle_credentials(ctx, known, rx)
    })
}

/// credentials.json
pub(crate) fn credentials(file: &Value, report: &mut Report) {
    // From the first revocation on the cases are one story.
    let mut story: Option<Member> = None;
    for case in cases(file) {
        if name(case).starts_with("fast-propagated") {
            let mut member = private(file);
            for other in ["b", "c"] {
                member.show_certificate(file, other, LATER_MS);
            }
            story = Some(member);
        }
        report.case(name(case), || match text(case, "kind") {
            "push" => push(file, case),
            "rate_limit" => rate_limit(file, case),
            _ => match &mut story {
                Some(member) => receive(member, case),
                None => receive(&mut private(file), case),
            },
        });
    }
}

/// Has the member hold what the reference pushes, and compares what it pushes itself.
fn push(file: &Value, case: &Value) {
    let expected: Vec<_> = list(case, "packets").iter().map(|it| bytes(it, "payload")).collect();
    let mut member = private(file);
    let mut config = member.networks.config(member.network).cloned().unwrap();
    config.membership = None;
    config.revision += 1;
    for body in &expected {
        let (shown, whole) = Shown::read(body);
        whole.unwrap();
        config.membership = config.membership.or(shown.memberships.first().cloned());
        config.capabilities.extend(shown.capabilities);
        config.tags.extend(shown.tags);
        config.ownerships.extend(shown.ownerships);
    }
    member.configure(&config);

    let (network, b) = (member.network, text(&file["identities"]["b"], "address"));
    member.call(|networks, ctx, _| networks.push_credentials(ctx, network, b.parse().unwrap()));
    for _ in 0..expected.len() {
        member.pass(1_100);
    }

    let sent = member.sent().into_iter();
    let sent = sent.filter(|packet| packet.verb == Verb::NetworkCredentials);
    let sent: Vec<_> = sent.inspect(|packet| assert_eq!(packet.to.to_string(), b)).collect();
    let bodies: Vec<_> = sent.into_iter().map(|packet| packet.body).collect();
    assert_eq!(bodies.len(), expected.len());
    if expected.len() <= 1 {
        assert_eq!(bodies, expected);
    } else {
        // The reference leaves room for how large things are in its memory; we fill packets.
        assert_eq!(contents(&bodies), contents(&expected));
    }
}

/// Returns what packets show, whichever packet shows it.
fn contents(bodies: &[Vec<u8>]) -> Vec<BTreeSet<Vec<u8>>> {
    let mut contents = vec![BTreeSet::new(); 4];
    for body in bodies {
        let shown = Shown::read(body).0;
        contents[0].extend(shown.memberships.iter().map(|it| written(|out| it.write(out))));
        contents[1].extend(shown.capabilities.iter().map(|it| written(|out| it.write(out))));
        contents[2].extend(shown.tags.iter().map(|it| written(|out| it.write(out))));
        contents[3].extend(shown.ownerships.iter().map(|it| written(|out| it.write(out))));
    }
    contents
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

fn receive(member: &mut Member, case: &Value) {
    // That a packet ends early is counted; what came before its end is used.
    let _ = show(member, text(case, "from").parse().unwrap(), &bytes(case, "payload"));

    let sent: BTreeSet<_> = member
        .sent()
        .into_iter()
        .filter(|packet| packet.verb == Verb::NetworkCredentials)
        .map(|packet| (packet.to.to_string(), hex::encode(packet.body)))
        .collect();
    let expected = list(case, "credentials_packets_sent").iter();
    let expected = expected.map(|it| (text(it, "to").to_owned(), text(it, "payload").to_owned()));
    assert_eq!(sent, expected.collect());
    let view = member.tables.network(member.network).unwrap();
    for record in list(case, "memberships_after") {
        let other = text(record, "member").parse().unwrap();
        assert!(view.members.contains_key(&other), "{other}");
        assert_eq!(view.admits(other), flag(record, "allowed"), "{other}");
    }
}

fn rate_limit(file: &Value, case: &Value) {
    let mut member = private(file);
    let certificates = ["b", "c"].map(|other| member.certificate(file, other, LATER_MS));
    let b = address(file, "b");
    let bodies = certificates.map(|certificate| {
        Shown { memberships: vec![certificate], ..Shown::default() }.write().remove(0)
    });

    show(&mut member, b, &bodies[0]).unwrap();
    member.pass(999);
    let again =
        member.receive((b, Verb::NetworkCredentials, 2), &bodies[1], |networks, ctx, known, rx| {
            networks.handle_credentials(ctx, known, rx)
        });

    assert_eq!(again, Err(Rejected::RateLimited));
    let view = member.tables.network(member.network).unwrap();
    let c = address(file, "c");
    assert_eq!(u64::from(view.members.contains_key(&c)), number(case, "member_records_after"));
}
