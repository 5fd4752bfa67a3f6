//! Rules as configurations and capabilities carry them.
//!
//! ```text
//!  0        1     2
//!  +--------+-----+----------+
//!  | type   | n   | value .. |
//!  +--------+-----+----------+
//!    `- not:1 or:1 code:6
//! ```
//!
//! Rules follow one another without a separator. Values that are longer than their type's layout
//! are read as far as the layout goes and written back without the rest, as the reference does;
//! shorter ones are refused. Types of later versions keep their bytes, for they may be signed.
//!
//! Source: spec 03 §8.1.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{Forward, Kind, Prefix, Range, Rule, Tagged};
use crate::error::Malformed;
use crate::wire::cursor::{Put, Reader};

/// Set in the type byte if the result is inverted.
const NOT: u8 = 0x80;

/// Set in the type byte if the match widens.
const OR: u8 = 0x40;

/// Reads the rules that make up all of `bytes`, at most `max` of them; what follows is not read.
///
/// # Errors
///
/// [`Malformed`] if a rule ends early or is too short for its type.
pub fn read_list(bytes: &[u8], max: usize) -> Result<Vec<Rule>, Malformed> {
    let mut reader = Reader::new("rules", bytes);
    let mut rules = Vec::new();
    while !reader.is_empty() && rules.len() < max {
        rules.push(read(&mut reader)?);
    }
    Ok(rules)
}

/// Reads one rule.
///
/// # Errors
///
/// [`Malformed`] if it ends early or is too short for its type.
pub fn read(reader: &mut Reader<'_>) -> Result<Rule, Malformed> {
    let kind = reader.u8()?;
    let len = reader.u8()?;
    let value = reader.bytes(usize::from(len))?;
    let (not, or) = (kind & NOT != 0, kind & OR != 0);
    Ok(Rule { not, or, kind: read_value(kind & !(NOT | OR), value)? })
}

/// Writes `rule`.
pub fn write(rule: &Rule, out: &mut Vec<u8>) {
    let not = if rule.not { NOT } else { 0 };
    let or = if rule.or { OR } else { 0 };
    out.put_u8(not | or | code(&rule.kind));

    let len_at = out.len();
    out.put_u8(0);
    write_value(&rule.kind, out);
    // The longest layout is 19 bytes; values of unknown types came with a length of one byte.
    out[len_at] = (out.len() - len_at - 1) as u8;
}

/// Returns the code of an action or match, below 64.
#[must_use]
pub const fn code(kind: &Kind) -> u8 {
    match kind {
        Kind::Drop => 0,
        Kind::Accept => 1,
        Kind::Tee(_) => 2,
        Kind::Watch(_) => 3,
        Kind::Redirect(_) => 4,
        Kind::Break => 5,
        Kind::Priority => 6,
        Kind::SourceAddress(_) => 24,
        Kind::DestinationAddress(_) => 25,
        Kind::VlanId(_) => 26,
        Kind::VlanPcp(_) => 27,
        Kind::VlanDei(_) => 28,
        Kind::SourceMac(_) => 29,
        Kind::DestinationMac(_) => 30,
        Kind::SourceIpv4(_) => 31,
        Kind::DestinationIpv4(_) => 32,
        Kind::SourceIpv6(_) => 33,
        Kind::DestinationIpv6(_) => 34,
        Kind::TypeOfService { .. } => 35,
        Kind::IpProtocol(_) => 36,
        Kind::Ethertype(_) => 37,
        Kind::Icmp { .. } => 38,
        Kind::SourcePort(_) => 39,
        Kind::DestinationPort(_) => 40,
        Kind::Characteristics(_) => 41,
        Kind::FrameSize(_) => 42,
        Kind::Random(_) => 43,
        Kind::TagsDifference(_) => 44,
        Kind::TagsAnd(_) => 45,
        Kind::TagsOr(_) => 46,
        Kind::TagsXor(_) => 47,
        Kind::TagsEqual(_) => 48,
        Kind::TagSender(_) => 49,
        Kind::TagReceiver(_) => 50,
        Kind::Integer { .. } => 51,
        Kind::Unknown { code, .. } => *code,
    }
}

fn read_value(code: u8, value: &[u8]) -> Result<Kind, Malformed> {
    let mut reader = Reader::new("rule", value);
    let from = &mut reader;
    Ok(match code {
        0 => Kind::Drop,
        1 => Kind::Accept,
        2 => Kind::Tee(read_forward(from)?),
        3 => Kind::Watch(read_forward(from)?),
        4 => Kind::Redirect(read_forward(from)?),
        5 => Kind::Break,
        6 => Kind::Priority,
        24 => Kind::SourceAddress(from.address()?),
        25 => Kind::DestinationAddress(from.address()?),
        26 => Kind::VlanId(from.u16()?),
        27 => Kind::VlanPcp(from.u8()?),
        28 => Kind::VlanDei(from.u8()?),
        29 => Kind::SourceMac(from.mac()?),
        30 => Kind::DestinationMac(from.mac()?),
        31 => Kind::SourceIpv4(read_v4(from)?),
        32 => Kind::DestinationIpv4(read_v4(from)?),
        33 => Kind::SourceIpv6(read_v6(from)?),
        34 => Kind::DestinationIpv6(read_v6(from)?),
        35 => Kind::TypeOfService {
            mask: from.u8()?,
            range: Range { start: from.u8()?, end: from.u8()? },
        },
        36 => Kind::IpProtocol(from.u8()?),
        37 => Kind::Ethertype(from.u16()?),
        38 => Kind::Icmp { kind: from.u8()?, code: from.u8()?, flags: from.u8()? },
        39 => Kind::SourcePort(read_range(from)?),
        40 => Kind::DestinationPort(read_range(from)?),
        41 => Kind::Characteristics(from.u64()?),
        42 => Kind::FrameSize(read_range(from)?),
        43 => Kind::Random(from.u32()?),
        44 => Kind::TagsDifference(read_tagged(from)?),
        45 => Kind::TagsAnd(read_tagged(from)?),
        46 => Kind::TagsOr(read_tagged(from)?),
        47 => Kind::TagsXor(read_tagged(from)?),
        48 => Kind::TagsEqual(read_tagged(from)?),
        49 => Kind::TagSender(read_tagged(from)?),
        50 => Kind::TagReceiver(read_tagged(from)?),
        51 => Kind::Integer {
            range: Range { start: from.u64()?, end: from.u64()? },
            index: from.u16()?,
            format: from.u8()?,
        },
        code => Kind::Unknown { code, value: value.to_vec() },
    })
}

fn write_value(kind: &Kind, out: &mut Vec<u8>) {
    match kind {
        Kind::Drop | Kind::Accept | Kind::Break | Kind::Priority => {}
        Kind::Tee(forward) | Kind::Watch(forward) | Kind::Redirect(forward) => {
            out.put_u64(forward.target);
            out.put_u32(forward.flags);
            out.put_u16(forward.len);
        }
        Kind::SourceAddress(address) | Kind::DestinationAddress(address) => {
            out.put_address(*address);
        }
        Kind::VlanId(number) | Kind::Ethertype(number) => out.put_u16(*number),
        Kind::VlanPcp(number) | Kind::VlanDei(number) | Kind::IpProtocol(number) => {
            out.put_u8(*number);
        }
        Kind::SourceMac(mac) | Kind::DestinationMac(mac) => out.put_mac(*mac),
        Kind::SourceIpv4(prefix) | Kind::DestinationIpv4(prefix) => {
            out.put(&prefix.address.octets());
            out.put_u8(prefix.bits);
        }
        Kind::SourceIpv6(prefix) | Kind::DestinationIpv6(prefix) => {
            out.put(&prefix.address.octets());
            out.put_u8(prefix.bits);
        }
        Kind::TypeOfService { mask, range } => out.put(&[*mask, range.start, range.end]),
        Kind::Icmp { kind, code, flags } => out.put(&[*kind, *code, *flags]),
        Kind::SourcePort(range) | Kind::DestinationPort(range) | Kind::FrameSize(range) => {
            out.put_u16(range.start);
            out.put_u16(range.end);
        }
        Kind::Characteristics(mask) => out.put_u64(*mask),
        Kind::Random(at_most) => out.put_u32(*at_most),
        Kind::TagsDifference(tag)
        | Kind::TagsAnd(tag)
        | Kind::TagsOr(tag)
        | Kind::TagsXor(tag)
        | Kind::TagsEqual(tag)
        | Kind::TagSender(tag)
        | Kind::TagReceiver(tag) => {
            out.put_u32(tag.id);
            out.put_u32(tag.value);
        }
        Kind::Integer { range, index, format } => {
            out.put_u64(range.start);
            out.put_u64(range.end);
            out.put_u16(*index);
            out.put_u8(*format);
        }
        Kind::Unknown { value, .. } => out.put(value),
    }
}

fn read_forward(from: &mut Reader<'_>) -> Result<Forward, Malformed> {
    Ok(Forward { target: from.u64()?, flags: from.u32()?, len: from.u16()? })
}

fn read_v4(from: &mut Reader<'_>) -> Result<Prefix<Ipv4Addr>, Malformed> {
    Ok(Prefix { address: Ipv4Addr::from(*from.array::<4>()?), bits: from.u8()? })
}

fn read_v6(from: &mut Reader<'_>) -> Result<Prefix<Ipv6Addr>, Malformed> {
    Ok(Prefix { address: Ipv6Addr::from(*from.array::<16>()?), bits: from.u8()? })
}

fn read_range(from: &mut Reader<'_>) -> Result<Range<u16>, Malformed> {
    Ok(Range { start: from.u16()?, end: from.u16()? })
}

fn read_tagged(from: &mut Reader<'_>) -> Result<Tagged, Malformed> {
    Ok(Tagged { id: from.u32()?, value: from.u32()? })
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    fn written(rules: &[Rule]) -> Vec<u8> {
        let mut out = Vec::new();
        for rule in rules {
            write(rule, &mut out);
        }
        out
    }

    /// The controller's usual default: whatever is neither IPv4, ARP nor IPv6 is dropped.
    #[test]
    fn the_usual_default_is_read_and_written() {
        let bytes = hex!("a5020800 a5020806 a50286dd 0000 0100");

        let rules = read_list(&bytes, 10).unwrap();

        let unlike = |ethertype| Rule { not: true, or: false, kind: Kind::Ethertype(ethertype) };
        let drop = Rule::from(Kind::Drop);
        let expected = [unlike(0x0800), unlike(0x0806), unlike(0x86dd), drop, Rule::accept()];
        assert_eq!(rules, expected);
        assert_eq!(written(&rules), bytes);
    }

    /// Every type with a value of its own length: read, written back, and refused if shorter.
    #[test]
    fn every_type_is_read_back_and_none_may_be_cut() {
        let lens = |code: u8| match code {
            2..=4 => 14,
            24 | 25 | 31 | 32 => 5,
            26 | 37 => 2,
            27 | 28 | 36 => 1,
            29 | 30 => 6,
            33 | 34 => 17,
            35 | 38 => 3,
            39 | 40 | 42 | 43 => 4,
            41 | 44..=50 => 8,
            51 => 19,
            _ => 0,
        };
        for code in 0..64 {
            let len = lens(code);
            let bytes: Vec<u8> = [code | NOT, len].into_iter().chain(1..=len).collect();

            let rule = read_list(&bytes, 1).unwrap();
            assert_eq!(written(&rule), bytes, "type {code}");

            for end in 1..bytes.len() {
                assert!(read_list(&bytes[..end], 1).is_err(), "type {code}, {end} bytes");
            }
            if len > 0 {
                let short: Vec<u8> = [code, len - 1].into_iter().chain(1..len).collect();
                assert!(read_list(&short, 1).is_err(), "type {code} with a value too short");
            }
        }
    }

    #[test]
    fn a_type_of_a_later_version_keeps_its_bytes() {
        let bytes = hex!("7f03616263 0100");

        let rules = read_list(&bytes, 10).unwrap();

        assert_eq!(rules[0].kind, Kind::Unknown { code: 63, value: b"abc".to_vec() });
        assert!(rules[0].or);
        assert_eq!(written(&rules), bytes);
    }

    #[test]
    fn what_a_layout_does_not_know_is_left_out() {
        let rules = read_list(&hex!("250308 00ff 0100"), 10).unwrap();

        assert_eq!(written(&rules), hex!("25020800 0100"));
    }

    #[test]
    fn no_more_rules_are_read_than_asked_for() {
        assert_eq!(read_list(&hex!("0000 0100 01"), 2).map(|rules| rules.len()), Ok(2));
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_read_back(bytes: Vec<u8>) {
            if let Ok(rules) = read_list(&bytes, 100) {
                prop_assert_eq!(read_list(&written(&rules), 100), Ok(rules));
            }
        }
    }
}
