//! Reading the fields of a case. Whatever is not as expected panics, which fails the case.

use serde_json::Value;

/// Returns the cases of a file.
pub(crate) fn cases(file: &Value) -> &[Value] {
    list(file, "cases")
}

/// Returns a list.
pub(crate) fn list<'a>(case: &'a Value, field: &str) -> &'a [Value] {
    case[field].as_array().unwrap_or_else(|| panic!("{field} is not a list"))
}

/// Returns the case's name.
pub(crate) fn name(case: &Value) -> &str {
    text(case, "name")
}

/// Returns a text.
pub(crate) fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{field} is not a text"))
}

/// Returns whether the field is there and not null.
pub(crate) fn has(case: &Value, field: &str) -> bool {
    !case[field].is_null()
}

/// Returns a boolean.
pub(crate) fn flag(case: &Value, field: &str) -> bool {
    case[field].as_bool().unwrap_or_else(|| panic!("{field} is not a boolean"))
}

/// Returns a number.
pub(crate) fn number(case: &Value, field: &str) -> u64 {
    case[field].as_u64().unwrap_or_else(|| panic!("{field} is not a number"))
}

/// Returns a number given in hexadecimal digits.
pub(crate) fn hex_number(case: &Value, field: &str) -> u64 {
    u64::from_str_radix(text(case, field), 16).unwrap()
}

/// Returns the bytes given in hexadecimal digits.
pub(crate) fn bytes(case: &Value, field: &str) -> Vec<u8> {
    hex::decode(text(case, field)).unwrap_or_else(|error| panic!("{field}: {error}"))
}

/// As [`bytes`], exactly `N` of them.
pub(crate) fn array<const N: usize>(case: &Value, field: &str) -> [u8; N] {
    bytes(case, field).try_into().unwrap_or_else(|_| panic!("{field} is not {N} bytes"))
}
