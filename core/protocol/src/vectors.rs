//! The reference's vectors, for this crate's own tests.

use std::path::Path;

use serde_json::Value;

/// Returns what `tests/vectors/<name>` holds.
pub(crate) fn load(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Returns the bytes written as hexadecimal digits in `value`.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

/// Returns the case of this name in `vectors`.
pub(crate) fn case<'a>(vectors: &'a Value, name: &str) -> &'a Value {
    let cases = vectors["cases"].as_array().unwrap();
    cases.iter().find(|case| case["name"] == name).unwrap()
}
