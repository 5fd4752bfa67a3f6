//! Signatures, key agreement and key derivation (spec 01 §3, §4).

use serde_json::Value;
use zt_protocol::address::Address;
use zt_protocol::identity::{Identity, SecretIdentity};

use crate::fields::{array, bytes, cases, flag, has, name, number, text};
use crate::report::Report;

/// Returns the identity of the keys in a case, whose address plays no part.
fn identity(case: &Value, public_key: &str) -> Identity {
    Identity::from_parts(Address::from([1; 5]), array(case, public_key))
}

/// Returns the secret identity of the keys in a case.
fn secret(case: &Value, address: &str, private_key: &str) -> SecretIdentity {
    let private: [u8; 64] = array(case, private_key);
    let [x25519, ed25519] = [0, 32].map(|at| private[at..at + 32].try_into().unwrap());
    let public = [zt_crypto::x25519_public(&x25519), zt_crypto::ed25519_public(&ed25519)].concat();
    let text =
        format!("{}:0:{}:{}", text(case, address), hex::encode(public), text(case, private_key));
    SecretIdentity::from_text(&text).unwrap()
}

/// signatures.json
pub(crate) fn signatures(file: &Value, report: &mut Report) {
    for case in cases(file) {
        let verify = || {
            identity(case, "public_key")
                .verify(&[&bytes(case, "message")], &bytes(case, "signature"))
        };
        if name(case).starts_with("quirk-") && flag(case, "valid") {
            let reason = "only an attacker or a broken signer makes it";
            report.stricter(name(case), reason, || assert!(!verify()));
            continue;
        }
        report.case(name(case), || {
            assert_eq!(verify(), flag(case, "valid"));
            if has(case, "private_key") {
                let signature =
                    secret(case, "address", "private_key").sign(&[&bytes(case, "message")]);
                assert_eq!(hex::encode(signature), text(case, "signature"));
            }
        });
    }
}

/// agreement.json
pub(crate) fn agreement(file: &Value, report: &mut Report) {
    for case in cases(file) {
        report.case(name(case), || {
            let mine = secret(case, "my_address", "my_private_key");
            let theirs = identity(case, "their_public_key");

            let key = mine.agree(&theirs).unwrap();

            assert_eq!(hex::encode(key.as_bytes()), text(case, "derived_48_peer_key"));
        });
    }
}

/// kbkdf.json
pub(crate) fn kbkdf(file: &Value, report: &mut Report) {
    for (index, case) in cases(file).iter().enumerate() {
        report.case(&format!("{index}: label {}", text(case, "label")), || {
            let small = |field| u8::try_from(number(case, field)).unwrap();
            let iteration = u32::try_from(number(case, "iteration")).unwrap();

            let key = zt_crypto::kbkdf(
                &array(case, "key_48"),
                small("label_byte"),
                small("context_byte"),
                iteration,
            );

            assert_eq!(hex::encode(key), text(case, "output_48"));
        });
    }
}
