//! JSON objects read as leniently as the reference reads them.
//!
//! Source: spec 04 §5.

use core::net::IpAddr;

use serde_json::{Map, Value};

use crate::limits::CONTROLLER_LIST_MAX;
use crate::memory;

/// An object whose known keys are taken out one by one; what remains is not ours to judge.
#[derive(Default)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads `json`, `None` if it is not one object.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        match serde_json::from_slice(json) {
            Ok(Value::Object(fields)) => Some(Self(fields)),
            _ => None,
        }
    }

    /// Takes `key` out.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }

    /// Takes an integer out.
    pub(super) fn int(&mut self, key: &str, default: u64) -> u64 {
        self.take(key).map_or(default, |value| int(&value).unwrap_or(default))
    }

    /// Takes an integer out that may be negative.
    pub(super) fn signed(&mut self, key: &str, default: i64) -> i64 {
        self.int(key, default.cast_unsigned()).cast_signed()
    }

    /// Takes a truth value out; `junk` stands for what is none.
    pub(super) fn bool(&mut self, key: &str, missing: bool, junk: bool) -> bool {
        self.take(key).map_or(missing, |value| bool(&value).unwrap_or(junk))
    }

    /// Takes a text out, empty if there is none.
    pub(super) fn text(&mut self, key: &str) -> String {
        self.optional_text(key).unwrap_or_default()
    }

    /// Takes a text out that may be missing or null.
    pub(super) fn optional_text(&mut self, key: &str) -> Option<String> {
        self.take(key).and_then(|value| text(&value))
    }

    /// Takes a list out: what `read` makes of its entries, without those it cannot read.
    pub(super) fn list<T>(&mut self, key: &str, read: impl Fn(&Value) -> Option<T>) -> Vec<T> {
        match self.take(key) {
            Some(Value::Array(list)) => {
                list.iter().take(CONTROLLER_LIST_MAX).filter_map(read).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Returns what was not taken, without `transient` keys.
    pub(super) fn rest(mut self, transient: &[&str]) -> Map<String, Value> {
        for key in transient {
            self.0.remove(*key);
        }
        self.0
    }
}

/// Reads an integer: numbers are truncated, negative ones wrap, texts count as far as they go.
pub(super) fn int(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number
            .as_u64()
            .or_else(|| number.as_i64().map(i64::cast_unsigned))
            .or_else(|| number.as_f64().map(|float| float as u64)),
        Value::String(text) => {
            let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
            Some(text[..end].parse().unwrap_or(0))
        }
        Value::Bool(bool) => Some(u64::from(*bool)),
        _ => None,
    }
}

/// Reads an integer and keeps its low 32 bits.
pub(super) fn int32(value: &Value) -> Option<u32> {
    int(value).map(|int| (int & 0xffff_ffff) as u32)
}

/// Reads a truth value.
pub(super) fn bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(bool) => Some(*bool),
        Value::Number(_) => int(value).map(|int| int > 0),
        Value::String(text) => Some(text.starts_with(['t', 'T', '1'])),
        _ => None,
    }
}

/// Reads a text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) => int(value).map(|int| int.to_string()),
        Value::Bool(bool) => Some(u8::from(*bool).to_string()),
        _ => None,
    }
}

/// Reads an IP address, without the prefix length that may follow it.
pub(super) fn ip(value: &Value) -> Option<IpAddr> {
    prefix(value).map(|(ip, _)| ip)
}

/// Reads `address/bits`; without bits, all of the address counts.
pub(super) fn prefix(value: &Value) -> Option<(IpAddr, u8)> {
    let text = value.as_str()?;
    let (ip, bits) = match text.split_once('/') {
        Some((ip, bits)) => (ip, Some(bits)),
        None => (text, None),
    };
    let ip: IpAddr = ip.parse().ok()?;
    let width = if ip.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(width), |bits| bits.parse().ok())?;
    (bits <= width).then_some((ip, bits))
}

/// Returns what an object holds, in bytes.
pub(super) fn footprint(object: &Map<String, Value>) -> usize {
    let entries = memory::of_trees::<String, Value>(usize::from(!object.is_empty()), object.len());
    let held = object.iter().map(|(key, value)| key.capacity() + of_value(value));
    entries + held.sum::<usize>()
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.capacity(),
        Value::Array(list) => memory::of_list(list) + list.iter().map(of_value).sum::<usize>(),
        Value::Object(object) => footprint(object),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn integers_are_made_of_whatever_is_there() {
        let cases = [
            (json!(7), Some(7)),
            (json!(-1), Some(u64::MAX)),
            (json!(7.9), Some(7)),
            (json!("12ab"), Some(12)),
            (json!("junk"), Some(0)),
            (json!(true), Some(1)),
            (json!(null), None),
            (json!([]), None),
        ];
        for (value, expected) in cases {
            assert_eq!(int(&value), expected, "{value}");
        }
    }

    #[test]
    fn truth_is_made_of_whatever_is_there() {
        let cases = [
            (json!(true), Some(true)),
            (json!(0), Some(false)),
            (json!(-3), Some(true)),
            (json!("True"), Some(true)),
            (json!("1"), Some(true)),
            (json!("yes"), Some(false)),
            (json!(null), None),
            (json!({}), None),
        ];
        for (value, expected) in cases {
            assert_eq!(bool(&value), expected, "{value}");
        }
    }

    #[test]
    fn an_address_may_carry_a_prefix_length_that_fits() {
        assert_eq!(prefix(&json!("10.0.0.1/24")), Some(([10, 0, 0, 1].into(), 24)));
        assert_eq!(prefix(&json!("10.0.0.1")), Some(([10, 0, 0, 1].into(), 32)));
        assert_eq!(prefix(&json!("10.0.0.1/33")), None);
        assert_eq!(prefix(&json!("moon.example.org/9993")), None);
        assert_eq!(prefix(&json!(5)), None);
    }
}
