//! Rules as the controller's API and files have them.
//!
//! ```json
//! { "type": "MATCH_IP_DEST_PORT_RANGE", "not": false, "or": false, "start": 80, "end": 80 }
//! ```
//!
//! Reading is as lenient as the reference, which takes texts and booleans for numbers and keeps
//! as many low bits as the field has. Writing prints exactly the keys of the type.
//!
//! Source: spec 04 §5, §7.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use serde_json::{Map, Value, json};

use super::{Forward, Kind, Prefix, Range, Rule, Tagged};
use crate::address::{Address, Mac};

/// Reads a rule; `None` if its type is unknown, or it is not a rule at all.
///
/// The reference answers a `mask` that is neither number nor text by failing the whole request;
/// here such a rule is none.
#[must_use]
pub fn read(value: &Value) -> Option<Rule> {
    let fields = value.as_object()?;
    let kind = read_kind(text(fields, "type")?, fields)?;
    Some(Rule { not: bool(fields, "not"), or: bool(fields, "or"), kind })
}

/// Writes a rule; null if it has no form in JSON, which only rules from the wire can lack.
#[must_use]
pub fn write(rule: &Rule) -> Value {
    let Some((name, value)) = write_kind(&rule.kind) else { return Value::Null };
    let Value::Object(mut fields) = value else { return Value::Null };
    if name.starts_with("MATCH_") {
        fields.insert("not".to_owned(), json!(rule.not));
        fields.insert("or".to_owned(), json!(rule.or));
    }
    fields.insert("type".to_owned(), json!(name));
    Value::Object(fields)
}

fn read_kind(name: &str, of: &Map<String, Value>) -> Option<Kind> {
    Some(match name {
        "ACTION_DROP" => Kind::Drop,
        "ACTION_ACCEPT" => Kind::Accept,
        "ACTION_TEE" => Kind::Tee(forward(of, int(of, "length") as u16)),
        "ACTION_WATCH" => Kind::Watch(forward(of, int(of, "length") as u16)),
        "ACTION_REDIRECT" => Kind::Redirect(forward(of, 0)),
        "ACTION_BREAK" => Kind::Break,
        "MATCH_SOURCE_ZEROTIER_ADDRESS" => Kind::SourceAddress(address(of, "zt")),
        "MATCH_DEST_ZEROTIER_ADDRESS" => Kind::DestinationAddress(address(of, "zt")),
        "MATCH_VLAN_ID" => Kind::VlanId(int(of, "vlanId") as u16),
        "MATCH_VLAN_PCP" => Kind::VlanPcp(int(of, "vlanPcp") as u8),
        "MATCH_VLAN_DEI" => Kind::VlanDei(int(of, "vlanDei") as u8),
        "MATCH_MAC_SOURCE" => Kind::SourceMac(mac(of)),
        "MATCH_MAC_DEST" => Kind::DestinationMac(mac(of)),
        "MATCH_IPV4_SOURCE" => Kind::SourceIpv4(v4(of)?),
        "MATCH_IPV4_DEST" => Kind::DestinationIpv4(v4(of)?),
        "MATCH_IPV6_SOURCE" => Kind::SourceIpv6(v6(of)?),
        "MATCH_IPV6_DEST" => Kind::DestinationIpv6(v6(of)?),
        "MATCH_IP_TOS" => Kind::TypeOfService {
            mask: int(of, "mask") as u8,
            range: Range { start: int(of, "start") as u8, end: int(of, "end") as u8 },
        },
        "MATCH_IP_PROTOCOL" => Kind::IpProtocol(int(of, "ipProtocol") as u8),
        "MATCH_ETHERTYPE" => Kind::Ethertype(int(of, "etherType") as u16),
        "MATCH_ICMP" => icmp(of),
        "MATCH_IP_SOURCE_PORT_RANGE" => Kind::SourcePort(range(of)),
        "MATCH_IP_DEST_PORT_RANGE" => Kind::DestinationPort(range(of)),
        "MATCH_CHARACTERISTICS" => Kind::Characteristics(mask(of)?),
        "MATCH_FRAME_SIZE_RANGE" => Kind::FrameSize(range(of)),
        "MATCH_RANDOM" => Kind::Random(int(of, "probability") as u32),
        "MATCH_TAGS_DIFFERENCE" => Kind::TagsDifference(tagged(of)),
        "MATCH_TAGS_BITWISE_AND" => Kind::TagsAnd(tagged(of)),
        "MATCH_TAGS_BITWISE_OR" => Kind::TagsOr(tagged(of)),
        "MATCH_TAGS_BITWISE_XOR" => Kind::TagsXor(tagged(of)),
        "MATCH_TAGS_EQUAL" => Kind::TagsEqual(tagged(of)),
        "MATCH_TAG_SENDER" => Kind::TagSender(tagged(of)),
        "MATCH_TAG_RECEIVER" => Kind::TagReceiver(tagged(of)),
        _ => return None,
    })
}

/// Returns the name of a type and the fields that it alone has.
fn write_kind(kind: &Kind) -> Option<(&'static str, Value)> {
    let zt = |address: &Address| json!({ "zt": address.to_string() });
    let mac = |mac: &Mac| json!({ "mac": mac.to_string() });
    let v4 =
        |prefix: &Prefix<Ipv4Addr>| json!({ "ip": format!("{}/{}", prefix.address, prefix.bits) });
    let v6 =
        |prefix: &Prefix<Ipv6Addr>| json!({ "ip": format!("{}/{}", prefix.address, prefix.bits) });
    let range = |range: &Range<u16>| json!({ "start": range.start, "end": range.end });
    let tagged = |tag: &Tagged| json!({ "id": tag.id, "value": tag.value });

    Some(match kind {
        Kind::Drop => ("ACTION_DROP", json!({})),
        Kind::Accept => ("ACTION_ACCEPT", json!({})),
        Kind::Tee(to) => ("ACTION_TEE", copied(to)),
        Kind::Watch(to) => ("ACTION_WATCH", copied(to)),
        Kind::Redirect(to) => {
            ("ACTION_REDIRECT", json!({ "address": node(to.target), "flags": to.flags }))
        }
        Kind::Break => ("ACTION_BREAK", json!({})),
        Kind::SourceAddress(node) => ("MATCH_SOURCE_ZEROTIER_ADDRESS", zt(node)),
        Kind::DestinationAddress(node) => ("MATCH_DEST_ZEROTIER_ADDRESS", zt(node)),
        Kind::VlanId(id) => ("MATCH_VLAN_ID", json!({ "vlanId": id })),
        Kind::VlanPcp(pcp) => ("MATCH_VLAN_PCP", json!({ "vlanPcp": pcp })),
        Kind::VlanDei(dei) => ("MATCH_VLAN_DEI", json!({ "vlanDei": dei })),
        Kind::SourceMac(source) => ("MATCH_MAC_SOURCE", mac(source)),
        Kind::DestinationMac(destination) => ("MATCH_MAC_DEST", mac(destination)),
        Kind::SourceIpv4(prefix) => ("MATCH_IPV4_SOURCE", v4(prefix)),
        Kind::DestinationIpv4(prefix) => ("MATCH_IPV4_DEST", v4(prefix)),
        Kind::SourceIpv6(prefix) => ("MATCH_IPV6_SOURCE", v6(prefix)),
        Kind::DestinationIpv6(prefix) => ("MATCH_IPV6_DEST", v6(prefix)),
        Kind::TypeOfService { mask, range: Range { start, end } } => {
            ("MATCH_IP_TOS", json!({ "mask": mask, "start": start, "end": end }))
        }
        Kind::IpProtocol(protocol) => ("MATCH_IP_PROTOCOL", json!({ "ipProtocol": protocol })),
        Kind::Ethertype(ethertype) => ("MATCH_ETHERTYPE", json!({ "etherType": ethertype })),
        Kind::Icmp { kind, code, flags } => {
            let code = (flags & CODE_COUNTS != 0).then_some(*code);
            ("MATCH_ICMP", json!({ "icmpType": kind, "icmpCode": code }))
        }
        Kind::SourcePort(ports) => ("MATCH_IP_SOURCE_PORT_RANGE", range(ports)),
        Kind::DestinationPort(ports) => ("MATCH_IP_DEST_PORT_RANGE", range(ports)),
        Kind::Characteristics(mask) => {
            ("MATCH_CHARACTERISTICS", json!({ "mask": format!("{mask:016x}") }))
        }
        Kind::FrameSize(sizes) => ("MATCH_FRAME_SIZE_RANGE", range(sizes)),
        Kind::Random(at_most) => ("MATCH_RANDOM", json!({ "probability": at_most })),
        Kind::TagsDifference(tag) => ("MATCH_TAGS_DIFFERENCE", tagged(tag)),
        Kind::TagsAnd(tag) => ("MATCH_TAGS_BITWISE_AND", tagged(tag)),
        Kind::TagsOr(tag) => ("MATCH_TAGS_BITWISE_OR", tagged(tag)),
        Kind::TagsXor(tag) => ("MATCH_TAGS_BITWISE_XOR", tagged(tag)),
        Kind::TagsEqual(tag) => ("MATCH_TAGS_EQUAL", tagged(tag)),
        Kind::TagSender(tag) => ("MATCH_TAG_SENDER", tagged(tag)),
        Kind::TagReceiver(tag) => ("MATCH_TAG_RECEIVER", tagged(tag)),
        Kind::Priority | Kind::Integer { .. } | Kind::Unknown { .. } => return None,
    })
}

/// Set in the flags of an ICMP match whose code counts.
const CODE_COUNTS: u8 = 0x01;

fn icmp(of: &Map<String, Value>) -> Kind {
    let kind = int(of, "icmpType") as u8;
    match of.get("icmpCode") {
        None | Some(Value::Null) => Kind::Icmp { kind, code: 0, flags: 0 },
        Some(_) => Kind::Icmp { kind, code: int(of, "icmpCode") as u8, flags: CODE_COUNTS },
    }
}

fn forward(of: &Map<String, Value>, len: u16) -> Forward {
    Forward { target: address(of, "address").to_u64(), flags: int(of, "flags") as u32, len }
}

fn copied(to: &Forward) -> Value {
    json!({ "address": node(to.target), "flags": to.flags, "length": to.len })
}

fn node(target: u64) -> String {
    Address::from_u64(target).to_string()
}

fn tagged(of: &Map<String, Value>) -> Tagged {
    Tagged { id: int(of, "id") as u32, value: int(of, "value") as u32 }
}

/// Reads `start` and `end`, which is `start` if it is missing.
fn range(of: &Map<String, Value>) -> Range<u16> {
    let start = int(of, "start") as u16;
    let end = if of.contains_key("end") { int(of, "end") as u16 } else { start };
    Range { start, end }
}

/// Reads the digits of `mac`, whatever separates them; missing ones are zero.
fn mac(of: &Map<String, Value>) -> Mac {
    let digits = text(of, "mac").unwrap_or_default().chars().filter_map(|c| c.to_digit(16));
    let mut octets = [0_u8; 6];
    for (index, digit) in digits.take(12).enumerate() {
        octets[index / 2] |= (digit as u8) << if index % 2 == 0 { 4 } else { 0 };
    }
    Mac::from(octets)
}

fn v4(of: &Map<String, Value>) -> Option<Prefix<Ipv4Addr>> {
    prefix(of, 32)
}

fn v6(of: &Map<String, Value>) -> Option<Prefix<Ipv6Addr>> {
    prefix(of, 128)
}

/// Reads `ip` as `address/bits`; without bits, none count.
fn prefix<A: FromStr>(of: &Map<String, Value>, width: u8) -> Option<Prefix<A>> {
    let text = text(of, "ip")?;
    let (address, bits) = text.split_once('/').unwrap_or((text, "0"));
    let bits = decimal(bits).min(u64::from(width)) as u8;
    Some(Prefix { address: address.parse().ok()?, bits })
}

/// Reads `mask`, in hexadecimal digits or as a number; `None` if it is neither.
fn mask(of: &Map<String, Value>) -> Option<u64> {
    match of.get("mask") {
        None => Some(0),
        Some(Value::String(digits)) => Some(hexadecimal(digits)),
        Some(Value::Number(_)) => Some(int(of, "mask")),
        Some(_) => None,
    }
}

/// Reads an address in hexadecimal digits and keeps its low 40 bits.
fn address(of: &Map<String, Value>, key: &str) -> Address {
    Address::from_u64(hexadecimal(text(of, key).unwrap_or_default()))
}

fn text<'a>(of: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    of.get(key)?.as_str()
}

/// Reads an integer as the reference does: fractions are cut, negative numbers wrap, texts count
/// as far as their digits go, and anything else is 0.
fn int(of: &Map<String, Value>, key: &str) -> u64 {
    match of.get(key) {
        Some(Value::Number(number)) => number
            .as_u64()
            .or_else(|| number.as_i64().map(i64::cast_unsigned))
            .unwrap_or_else(|| number.as_f64().unwrap_or_default() as u64),
        Some(Value::String(digits)) => decimal(digits),
        Some(Value::Bool(set)) => u64::from(*set),
        _ => 0,
    }
}

/// Reads a truth value as the reference does: numbers that are not 0 and texts that begin with
/// `t`, `T` or `1` are true.
fn bool(of: &Map<String, Value>, key: &str) -> bool {
    match of.get(key) {
        Some(Value::Bool(set)) => *set,
        Some(Value::Number(_)) => int(of, key) != 0,
        Some(Value::String(word)) => word.starts_with(['t', 'T', '1']),
        _ => false,
    }
}

/// Returns the number that `text` begins with; too large ones are as large as can be.
fn decimal(text: &str) -> u64 {
    leading(text, 10)
}

/// As [`decimal`], in hexadecimal digits.
fn hexadecimal(text: &str) -> u64 {
    leading(text, 16)
}

fn leading(text: &str, radix: u32) -> u64 {
    text.chars().map_while(|digit| digit.to_digit(radix)).fold(0_u64, |sum, digit| {
        sum.saturating_mul(u64::from(radix)).saturating_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::codec;
    use super::*;

    #[test]
    fn a_match_is_read_and_written() {
        let value = json!({
            "type": "MATCH_IP_DEST_PORT_RANGE", "not": true, "or": false, "start": 80, "end": 90
        });

        let rule = read(&value).unwrap();

        let kind = Kind::DestinationPort(Range { start: 80, end: 90 });
        assert_eq!(rule, Rule { not: true, or: false, kind });
        assert_eq!(write(&rule), value);
    }

    #[test]
    fn what_is_no_rule_is_passed_over() {
        for value in [
            json!(null),
            json!({}),
            json!({ "type": 1 }),
            json!({ "type": "MATCH_NOPE" }),
            json!({ "type": "ACTION_PRIORITY", "qosBucket": 3 }),
            json!({ "type": "MATCH_CHARACTERISTICS", "mask": true }),
            json!({ "type": "MATCH_IPV4_DEST", "ip": "moon.example.org/24" }),
        ] {
            assert_eq!(read(&value), None, "{value}");
        }
    }

    /// Returns whether a prefix is no longer than an address; what is longer is cut to that.
    fn is_possible(kind: &Kind) -> bool {
        match kind {
            Kind::SourceIpv4(prefix) | Kind::DestinationIpv4(prefix) => prefix.bits <= 32,
            Kind::SourceIpv6(prefix) | Kind::DestinationIpv6(prefix) => prefix.bits <= 128,
            _ => true,
        }
    }

    #[test]
    fn a_prefix_longer_than_its_address_is_cut() {
        let too_long = codec::read_list(&[0x1f, 8, 0, 0, 0, 0, 33, 0, 0, 0], 1).unwrap_or_default();

        let read_back = read(&write(&too_long[0])).unwrap();

        assert_eq!(write(&read_back)["ip"], "0.0.0.0/32");
    }

    proptest! {
        #[test]
        fn whatever_has_a_form_in_json_is_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            for rule in codec::read_list(&bytes, 4).unwrap_or_default() {
                let value = write(&rule);
                if let Some(kept) = read(&value).filter(|_| is_possible(&rule.kind)) {
                    prop_assert_eq!(write(&kept), value);
                }
            }
        }
    }
}
