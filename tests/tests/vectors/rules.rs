//! Rules (spec 03 §8, spec 04 §7).

use serde_json::Value;
use zt_protocol::rules::{Filter, codec, json};

use crate::fields::{bytes, cases, flag, has, list, name, number, text};
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
        let rules = codec::read_list(&bytes(case, "rules"), 1_024).unwrap();
        if Filter::of(&rules) == Filter::AcceptAll {
            report.case(name(case), || assert_eq!(text(case, "verdict"), "accept"));
        } else {
            report.not_run(name(case), "such rules are not evaluated yet: nothing passes");
        }
    }
}
