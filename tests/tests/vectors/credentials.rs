//! Certificates of membership, tags, capabilities, certificates of ownership, revocations
//! (spec 03 §7).

use std::net::IpAddr;

use serde_json::Value;
use zt_protocol::address::{Address, Mac};
use zt_protocol::credential::ownership::Thing;
use zt_protocol::credential::{
    Capability, CredentialError, Membership, Ownership, Revocation, Tag,
};
use zt_protocol::error::Malformed;
use zt_protocol::identity::{Directory, Identity, SecretIdentity};

use crate::fields::{array, bytes, cases, flag, hex_number, list, name, number, text};
use crate::member::Member;
use crate::records;
use crate::report::Report;

/// Whose identities a case's verifier knows.
struct Known(Vec<Identity>);

impl Directory for Known {
    fn identity(&self, address: Address) -> Option<&Identity> {
        self.0.iter().find(|identity| identity.address() == address)
    }
}

impl Known {
    /// Everybody, or everybody but the signer that a case withholds: the last one in the custody
    /// of a capability, the controller of any other credential.
    fn of(file: &Value, case: &Value) -> Self {
        let all = file["identities"].as_object().unwrap().values();
        let all = all.map(|member| text(member, "public").parse::<Identity>().unwrap());
        let withheld = (text(case, "result") == "waiting_for_whois").then(|| withheld(file, case));
        Self(all.filter(|identity| Some(identity.address()) != withheld).collect())
    }
}

fn withheld(file: &Value, case: &Value) -> Address {
    let unknown = if flag(case, "verifier_knows_controller") {
        text(list(case, "custody").last().unwrap(), "from")
    } else {
        text(&file["identities"]["controller"], "address")
    };
    unknown.parse().unwrap()
}

fn controller(file: &Value) -> SecretIdentity {
    SecretIdentity::from_text(text(&file["identities"]["controller"], "secret")).unwrap()
}

/// Compares a verdict with the reference's.
fn compare_verdict(case: &Value, verdict: Result<(), CredentialError>) {
    let expected = match verdict {
        Ok(()) => "ok",
        Err(CredentialError::UnknownSigner(_)) => "waiting_for_whois",
        Err(_) => "invalid",
    };
    assert_eq!(expected, text(case, "result"), "{verdict:?}");
}

/// Compares what came of reading with the reference's `ok, N bytes consumed …` or an error.
fn compare_reading<T>(case: &Value, read: Result<(T, usize), Malformed>) {
    let result = text(case, "result");
    let expected = result.strip_prefix("ok, ").map(|rest| rest.split(' ').next().unwrap());
    let len = read.ok().map(|(_, len)| len.to_string());
    assert_eq!(len.as_deref(), expected, "{result}");
}

/// Compares what became of a credential offered to the record of its holder.
fn compare_record(member: &mut Member, file: &Value, case: &Value) {
    let accepted = records::step(member, file, case);
    assert_eq!(accepted, text(case, "result").starts_with("accepted"));
}

/// Returns what `write` appends.
fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    hex::encode(out)
}

/// com.json
pub(crate) fn com(file: &Value, report: &mut Report) {
    let mut member = records::private(file);
    for case in cases(file) {
        match text(case, "kind") {
            "verify" => report.case(name(case), || verify_membership(file, case)),
            "parse" => report.case(name(case), || {
                compare_reading(case, Membership::read_prefix(&bytes(case, "serialized")));
            }),
            "agree" => report.case(name(case), || {
                let read = |field| Membership::read_prefix(&bytes(case, field)).unwrap().0;
                let holder = text(case, "remote_identity").parse().unwrap();
                let agrees = read("local").agrees_with(&read("remote"), &holder);
                assert_eq!(agrees, flag(case, "agrees"));
            }),
            _ => report.case(name(case), || {
                compare_record(&mut member, file, case);
                let view = member.tables.network(member.network).unwrap();
                let b = text(&file["identities"]["b"], "address").parse().unwrap();
                assert_eq!(view.admits(b), flag(case, "allowed_after"));
            }),
        }
    }
}

fn verify_membership(file: &Value, case: &Value) {
    let (certificate, _) = Membership::read_prefix(&bytes(case, "serialized")).unwrap();

    assert_eq!(written(|out| certificate.write(out)), text(case, "serialized"));
    assert_eq!(certificate.timestamp().0, number(case, "timestamp"));
    assert_eq!(certificate.network().to_string(), text(case, "network_id"));
    assert_eq!(certificate.issued_to().to_string(), text(case, "issued_to"));
    assert_eq!(certificate.signer().to_string(), text(case, "signed_by"));
    assert_eq!(certificate.qualifiers().len(), list(case, "qualifiers").len());
    for (qualifier, expected) in certificate.qualifiers().iter().zip(list(case, "qualifiers")) {
        assert_eq!(qualifier.id, number(expected, "id"));
        assert_eq!(qualifier.value, hex_number(expected, "value"));
        assert_eq!(qualifier.max_delta, hex_number(expected, "max_delta"));
    }
    compare_verdict(case, certificate.verify(&Known::of(file, case)));

    // What is valid and has all seven qualifiers is what we would have issued.
    if text(case, "result") == "ok" && certificate.qualifiers().len() == 7 {
        let known = Known::of(file, case);
        let issued = Membership::issue(
            &controller(file),
            certificate.network(),
            known.identity(certificate.issued_to()).unwrap(),
            certificate.timestamp(),
            certificate.qualifiers()[0].max_delta,
        );
        assert_eq!(issued, certificate);
    }
}

/// tag.json
pub(crate) fn tag(file: &Value, report: &mut Report) {
    let mut member = records::private(file);
    for case in cases(file) {
        match text(case, "kind") {
            "verify" => report.case(name(case), || verify_tag(file, case)),
            "parse" => report.case(name(case), || {
                compare_reading(case, Tag::read_prefix(&bytes(case, "serialized")));
            }),
            _ => report.case(name(case), || {
                records::at_time(&mut member, case);
                compare_record(&mut member, file, case);
                let (tag, _) = Tag::read_prefix(&bytes(case, "serialized")).unwrap();
                let usable = records::tag_of_b(&member, file, tag.id).map(u64::from);
                assert_eq!(usable, case["usable_value_after"].as_u64());
            }),
        }
    }
}

fn verify_tag(file: &Value, case: &Value) {
    let (tag, _) = Tag::read_prefix(&bytes(case, "serialized")).unwrap();

    assert_eq!(written(|out| tag.write(out)), text(case, "serialized"));
    assert_eq!(tag.network.to_string(), text(case, "network_id"));
    assert_eq!(tag.timestamp.0, number(case, "timestamp"));
    assert_eq!(u64::from(tag.id), number(case, "id"));
    assert_eq!(u64::from(tag.value), number(case, "value"));
    assert_eq!(tag.issued_to.to_string(), text(case, "issued_to"));
    assert_eq!(tag.signer.to_string(), text(case, "signed_by"));
    compare_verdict(case, tag.verify(&Known::of(file, case)));

    if text(case, "result") == "ok" {
        let controller = controller(file);
        let (network, member, at) = (tag.network, tag.issued_to, tag.timestamp);
        assert_eq!(Tag::issue(&controller, network, member, at, tag.id, tag.value), tag);
    }
}

/// capability.json
pub(crate) fn capability(file: &Value, report: &mut Report) {
    let mut member = records::private(file);
    for case in cases(file) {
        match text(case, "kind") {
            "verify" => report.case(name(case), || verify_capability(file, case)),
            "parse" => report.case(name(case), || {
                compare_reading(case, Capability::read_prefix(&bytes(case, "serialized")));
            }),
            _ => report.case(name(case), || compare_record(&mut member, file, case)),
        }
    }
}

fn verify_capability(file: &Value, case: &Value) {
    let (capability, _) = Capability::read_prefix(&bytes(case, "serialized")).unwrap();

    assert_eq!(written(|out| capability.write(out)), text(case, "serialized"));
    assert_eq!(capability.network.to_string(), text(case, "network_id"));
    assert_eq!(capability.timestamp.0, number(case, "timestamp"));
    assert_eq!(u64::from(capability.id), number(case, "id"));
    assert_eq!(capability.rules.len() as u64, number(case, "rule_count"));
    assert_eq!(u64::from(capability.max_custody), number(case, "max_custody_chain_length"));
    assert_eq!(capability.issued_to().to_string(), text(case, "issued_to"));
    assert_eq!(capability.custody.len(), list(case, "custody").len());
    for (custody, expected) in capability.custody.iter().zip(list(case, "custody")) {
        assert_eq!(custody.to.to_string(), text(expected, "to"));
        assert_eq!(custody.from.to_string(), text(expected, "from"));
        assert_eq!(hex::encode(custody.signature.unwrap()), text(expected, "signature"));
    }
    compare_verdict(case, capability.verify(&Known::of(file, case)));

    if text(case, "result") == "ok" && capability.max_custody == 1 {
        let reissued = Capability::issue(
            &controller(file),
            capability.network,
            capability.issued_to(),
            capability.timestamp,
            capability.id,
            capability.rules.clone(),
        );
        assert_eq!(reissued, capability);
    }
}

/// ownership.json
pub(crate) fn ownership(file: &Value, report: &mut Report) {
    for case in cases(file) {
        match text(case, "kind") {
            "verify" => report.case(name(case), || verify_ownership(file, case)),
            "parse" => report.case(name(case), || {
                compare_reading(case, Ownership::read_prefix(&bytes(case, "serialized")));
            }),
            "owns" => report.case(name(case), || {
                let (certificate, _) = Ownership::read_prefix(&bytes(case, "serialized")).unwrap();
                let owns = match text(case, "query").parse::<IpAddr>() {
                    Ok(ip) => certificate.owns_ip(ip),
                    Err(_) => certificate.owns_mac(Mac::from(array::<6>(case, "query"))),
                };
                assert_eq!(owns, flag(case, "owns"));
            }),
            kind => panic!("unknown kind {kind}"),
        }
    }
}

fn verify_ownership(file: &Value, case: &Value) {
    let (certificate, _) = Ownership::read_prefix(&bytes(case, "serialized")).unwrap();

    assert_eq!(written(|out| certificate.write(out)), text(case, "serialized"));
    assert_eq!(certificate.network.to_string(), text(case, "network_id"));
    assert_eq!(certificate.timestamp.0, number(case, "timestamp"));
    assert_eq!(certificate.flags, hex_number(case, "flags"));
    assert_eq!(u64::from(certificate.id), number(case, "id"));
    assert_eq!(certificate.issued_to.to_string(), text(case, "issued_to"));
    assert_eq!(certificate.signer.to_string(), text(case, "signed_by"));
    assert_eq!(certificate.things.len(), list(case, "things").len());
    for (thing, expected) in certificate.things.iter().zip(list(case, "things")) {
        let value = match thing {
            Thing::Mac(mac) => hex::encode(mac.to_bytes()),
            Thing::Ip(IpAddr::V4(v4)) => hex::encode(v4.octets()),
            Thing::Ip(IpAddr::V6(v6)) => hex::encode(v6.octets()),
            Thing::Unknown { .. } => panic!("{thing:?}"),
        };
        assert!(text(expected, "value").starts_with(&value));
    }
    compare_verdict(case, certificate.verify(&Known::of(file, case)));

    if text(case, "result") == "ok" {
        let reissued = Ownership::issue(
            &controller(file),
            certificate.network,
            certificate.issued_to,
            certificate.timestamp,
            certificate.id,
            certificate.things.clone(),
        );
        assert_eq!(reissued, certificate);
    }
}

/// revocation.json
pub(crate) fn revocation(file: &Value, report: &mut Report) {
    let mut member = records::private(file);
    for case in cases(file) {
        match text(case, "kind") {
            "verify" => report.case(name(case), || verify_revocation(file, case)),
            "parse" => report.case(name(case), || {
                compare_reading(case, Revocation::read_prefix(&bytes(case, "serialized")));
            }),
            _ => report.case(name(case), || records::revoke_step(&mut member, file, case)),
        }
    }
}

fn verify_revocation(file: &Value, case: &Value) {
    let (revocation, _) = Revocation::read_prefix(&bytes(case, "serialized")).unwrap();

    assert_eq!(written(|out| revocation.write(out)), text(case, "serialized"));
    assert_eq!(u64::from(revocation.id), number(case, "id"));
    assert_eq!(revocation.network.to_string(), text(case, "network_id"));
    assert_eq!(u64::from(revocation.credential_id), number(case, "credential_id"));
    assert_eq!(revocation.threshold, number(case, "threshold"));
    assert_eq!(revocation.flags, hex_number(case, "flags"));
    assert_eq!(revocation.propagates(), flag(case, "fast_propagate"));
    assert_eq!(revocation.target.to_string(), text(case, "target"));
    assert_eq!(revocation.signer.to_string(), text(case, "signed_by"));
    compare_verdict(case, revocation.verify(&Known::of(file, case)));

    let fast = revocation.flags == Revocation::FAST_PROPAGATE;
    if text(case, "result") == "ok" && fast {
        let reissued = Revocation::issue(
            &controller(file),
            revocation.network,
            revocation.target,
            (revocation.kind, revocation.credential_id),
            revocation.id,
            revocation.threshold,
        );
        assert_eq!(reissued, revocation);
    }
}
