//! Identities (spec 01 §2).

use serde_json::Value;
use zt_crypto::derivation;
use zt_protocol::identity::{Identity, SecretIdentity};

use crate::fields::{bytes, cases, flag, has, name, number, text};
use crate::report::Report;

/// identity.json
pub(crate) fn run(file: &Value, report: &mut Report) {
    for case in cases(file) {
        match text(case, "operation") {
            "full" => report.case(name(case), || whole(case)),
            "parse_string_then_validate" => parse_text(case, report),
            "parse_binary_then_validate" => report.case(name(case), || parse_binary(case)),
            other => panic!("unknown operation {other}"),
        }
    }
}

/// Every form of an identity, and every step from its keys to its address.
fn whole(case: &Value) {
    let secret = SecretIdentity::from_text(text(case, "secret_string")).unwrap();
    let public = *secret.public();

    assert_eq!(secret.address().to_string(), text(case, "address"));
    assert_eq!(secret.to_text().as_str(), text(case, "secret_string"));
    assert_eq!(public.to_string(), text(case, "public_string"));
    assert_eq!(text(case, "public_string").parse(), Ok(public));
    assert_eq!(hex::encode(public.public_key()), text(case, "public_key"));
    assert_eq!(hex::encode(public.to_bytes()), text(case, "binary_public"));
    assert_eq!(Identity::read_prefix(&bytes(case, "binary_public")), Ok((public, 71)));
    assert_eq!(Identity::read_prefix(&bytes(case, "binary_with_private")), Ok((public, 135)));
    assert_eq!(public.fingerprint().to_string(), text(case, "sha384_of_address_and_public_key"));
    assert_eq!(public.is_valid(), flag(case, "locally_validate_ok"));
    compare_digest(case, &public);
}

fn parse_text(case: &Value, report: &mut Report) {
    let input = text(case, "input_string");
    let is_lenient = name(case).starts_with("lenient-") || name(case).starts_with("quirk-");
    if is_lenient && input.parse::<Identity>().is_err() {
        let reason = "only 10 and 128 hexadecimal digits are an address and a key";
        report.stricter(name(case), reason, || assert!(flag(case, "string_parse_ok")));
        return;
    }
    report.case(name(case), || {
        let parsed = input.parse::<Identity>();
        assert_eq!(parsed.is_ok(), flag(case, "string_parse_ok"));
        let Ok(identity) = parsed else { return };

        assert_eq!(identity.address().to_string(), text(case, "parsed_address"));
        assert_eq!(hex::encode(identity.public_key()), text(case, "parsed_public_key"));
        assert_eq!(identity.to_string(), text(case, "reserialized_public_string"));
        assert_eq!(identity.is_valid(), flag(case, "locally_validate_ok"));
        let has_private = SecretIdentity::from_text(input).is_ok();
        assert_eq!(has_private, flag(case, "parsed_has_private"));
    });
}

fn parse_binary(case: &Value) {
    let parsed = Identity::read_prefix(&bytes(case, "input_binary"));
    assert_eq!(parsed.is_ok(), flag(case, "binary_parse_ok"));
    let Ok((identity, len)) = parsed else { return };

    assert_eq!(len as u64, number(case, "bytes_consumed"));
    assert_eq!(identity.address().to_string(), text(case, "parsed_address"));
    assert_eq!(identity.is_valid(), flag(case, "locally_validate_ok"));
    if has(case, "final_digest") {
        compare_digest(case, &identity);
    }
}

fn compare_digest(case: &Value, identity: &Identity) {
    let digest = derivation::derive(identity.public_key());
    assert_eq!(hex::encode(digest), text(case, "final_digest"));
}
