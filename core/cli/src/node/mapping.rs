//! How the port mapping stands, for programs and for people.

use serde_json::{Value, json};
use zt_runtime::PortMapping;
use zt_service::peers::endpoint;

/// Returns the object that programs are told.
pub(super) fn to_json(mapping: &PortMapping) -> Value {
    let mapped = mapping.mapped.map(|mapped| {
        json!({
            "method": mapped.method.name(),
            "gateway": mapped.gateway.to_string(),
            "internal": endpoint(mapped.internal),
            "external": endpoint(mapped.external),
            "expires": mapped.expires.map(|at| at.0),
        })
    });
    json!({
        "event": "port mapping",
        "mapped": mapped,
        "error": mapping.error.map(|error| error.to_string()),
        "ignored": {
            "malformed": mapping.ignored.malformed,
            "unexpected": mapping.ignored.unexpected,
        },
    })
}

/// Tells people.
pub(super) fn log(mapping: &PortMapping) {
    match (mapping.mapped, mapping.error) {
        (Some(mapped), None) => {
            log::info!("the gateway maps a port to this node by {}", mapped.method);
            log::debug!(external:% = endpoint(mapped.external); "a port is mapped");
        }
        (Some(_), Some(error)) => log::warn!("the mapped port may be lost: {error}"),
        (None, Some(error)) => log::info!("no port is mapped to this node: {error}"),
        (None, None) => log::info!("no port is mapped to this node any more"),
    }
}

#[cfg(test)]
mod tests {
    use zt_protocol::time::UnixMillis;
    use zt_runtime::{IgnoredAnswers, MappedPort, MappingError, MappingMethod};

    use super::*;

    #[test]
    fn programs_are_told_where_how_and_until_when() {
        let mapped = MappedPort {
            method: MappingMethod::NatPmp,
            gateway: [192, 168, 1, 1].into(),
            internal: ([192, 168, 1, 2], 9_993).into(),
            external: ([5, 2, 0, 1], 40_000).into(),
            expires: Some(UnixMillis(1_700_000_000_000)),
        };
        let ignored = IgnoredAnswers { malformed: 1, unexpected: 0 };
        let object = to_json(&PortMapping { mapped: Some(mapped), error: None, ignored });

        assert_eq!(object["event"], "port mapping");
        assert_eq!(object["mapped"]["method"], "nat-pmp");
        assert_eq!(object["mapped"]["external"], "5.2.0.1/40000");
        assert_eq!(object["mapped"]["expires"], 1_700_000_000_000_u64);
        assert_eq!(object["error"], Value::Null);
        assert_eq!(object["ignored"]["malformed"], 1);
    }

    #[test]
    fn programs_are_told_why_not() {
        let error = Some(MappingError::NotPublic([100, 64, 0, 1].into()));
        let object = to_json(&PortMapping { error, ..PortMapping::default() });

        assert_eq!(object["mapped"], Value::Null);
        assert!(object["error"].as_str().unwrap().contains("100.64.0.1"));
    }
}
