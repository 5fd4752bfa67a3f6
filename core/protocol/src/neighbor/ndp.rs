//! IPv6 neighbour discovery: solicitations and advertisements in ICMPv6, ethertype 0x86dd.
//!
//! ```text
//!  0        6    7    8        24            40   41   42        44      48       64
//!  +--------+----+----+--------+-------------+----+----+---------+-------+--------+--------
//!  | ..     | 58 | 255| source | destination |type| 0  | checksum| flags | target | options
//!  +--------+----+----+--------+-------------+----+----+---------+-------+--------+--------
//!   IPv6 header                               135: who has target?  136: target is here
//! ```
//!
//! Source: RFC 4861, spec 03 §10.2, §10.3.

use core::net::{IpAddr, Ipv6Addr};

use crate::address::{Address, Mac, MulticastGroup, NetworkId};
use crate::error::Malformed;
use crate::wire::cursor::{Put as _, Reader};

/// ICMPv6 as an IPv6 next header.
const ICMPV6: u8 = 58;

/// Who asks.
const SOLICITATION: u8 = 135;

/// Who answers.
const ADVERTISEMENT: u8 = 136;

/// The option that carries the MAC of whoever solicits.
const SOURCE_MAC: u8 = 1;

/// The option that carries the MAC of whoever advertises.
const TARGET_MAC: u8 = 2;

/// The advertisement answers a solicitation, and replaces what was known.
const SOLICITED_OVERRIDE: [u8; 4] = [0x60, 0, 0, 0];

/// The advertisement replaces what was known, and answers nobody in particular.
const OVERRIDE: [u8; 4] = [0x20, 0, 0, 0];

/// What a neighbour discovery packet says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ndp {
    /// Who has `target`?
    Solicitation {
        /// Who asks; unspecified if it wants to know whether it may use the address itself.
        asker: Ipv6Addr,
        /// Whose MAC is wanted.
        target: Ipv6Addr,
    },
    /// `target` is here.
    Advertisement {
        /// Whose MAC is told.
        target: Ipv6Addr,
        /// The MAC, if it is not that of the frame itself.
        mac: Option<Mac>,
    },
}

impl Ndp {
    /// Reads a solicitation or an advertisement; `None` if the packet is neither and is none of
    /// the node's business.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if it is one of the two but truncated, its checksum is wrong, or it has
    /// crossed a router.
    pub fn read(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let (Some(&ICMPV6), Some(&kind @ (SOLICITATION | ADVERTISEMENT))) =
            (payload.get(6), payload.get(40))
        else {
            return Ok(None);
        };

        let mut reader = Reader::new("neighbour discovery packet", payload);
        let _version_class_flow = reader.array::<4>()?;
        let len = reader.u16()?;
        let _next_header = reader.u8()?;
        let hop_limit = reader.u8()?;
        let source = Ipv6Addr::from(*reader.array()?);
        let destination = Ipv6Addr::from(*reader.array()?);
        let message = reader.bytes(usize::from(len))?;
        if hop_limit != 255 || checksum(source, destination, message) != 0 {
            return Err(Malformed::Inconsistent { what: "hop limit or checksum" });
        }

        let mut reader = Reader::new("neighbour discovery message", message);
        let _kind_code_checksum_flags = reader.array::<8>()?;
        let target = Ipv6Addr::from(*reader.array()?);
        Ok(Some(if kind == SOLICITATION {
            Self::Solicitation { asker: source, target }
        } else {
            Self::Advertisement { target, mac: target_mac(reader)? }
        }))
    }
}

/// Looks through the options for the MAC of the advertised address.
fn target_mac(mut options: Reader<'_>) -> Result<Option<Mac>, Malformed> {
    while !options.is_empty() {
        let kind = options.u8()?;
        let eights = options.u8()?;
        // An option's length counts its own two bytes, in units of eight; none has length 0.
        let len = (usize::from(eights) * 8)
            .checked_sub(2)
            .ok_or(Malformed::Inconsistent { what: "option length" })?;
        let value = options.bytes(len)?;
        if let (TARGET_MAC, Some(mac)) = (kind, value.first_chunk::<6>()) {
            return Ok(Some(Mac::from(*mac)));
        }
    }
    Ok(None)
}

/// Returns the question who has `target`, by the holder of `mac` and `ip`, and the MAC it goes to.
#[must_use]
pub fn solicitation(mac: Mac, ip: Ipv6Addr, target: Ipv6Addr) -> (Mac, Vec<u8>) {
    let [.., a, b, c] = target.octets();
    let group = Ipv6Addr::from_octets([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
    let to = MulticastGroup::resolving(target.into()).mac;

    (to, packet(SOLICITATION, [0; 4], (ip, group), target, (SOURCE_MAC, mac)))
}

/// Returns the question to `target` itself, whose MAC was known lately, whether it is still there.
#[must_use]
pub fn probe(mac: Mac, ip: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    packet(SOLICITATION, [0; 4], (ip, target), target, (SOURCE_MAC, mac))
}

/// Returns the answer to `asker` that `target` is at `mac`.
///
/// If the asker has no address yet it is told together with everybody, as RFC 4861 §7.2.4 has it.
#[must_use]
pub fn advertisement(mac: Mac, target: Ipv6Addr, asker: Ipv6Addr) -> Vec<u8> {
    let (to, flags) = if asker.is_unspecified() {
        (Ipv6Addr::from_octets([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), OVERRIDE)
    } else {
        (asker, SOLICITED_OVERRIDE)
    };
    packet(ADVERTISEMENT, flags, (target, to), target, (TARGET_MAC, mac))
}

fn packet(
    kind: u8,
    flags: [u8; 4],
    (source, destination): (Ipv6Addr, Ipv6Addr),
    target: Ipv6Addr,
    (option, mac): (u8, Mac),
) -> Vec<u8> {
    let mut message = Vec::with_capacity(32);
    message.put(&[kind, 0, 0, 0]);
    message.put(&flags);
    message.put(&target.octets());
    message.put(&[option, 1]);
    message.put_mac(mac);
    let sum = checksum(source, destination, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());

    let mut out = Vec::with_capacity(72);
    out.put(&[0x60, 0, 0, 0, 0, 32, ICMPV6, 255]);
    out.put(&source.octets());
    out.put(&destination.octets());
    out.put(&message);
    out
}

/// Returns the ICMPv6 checksum of `message`: what belongs into its zeroed checksum field, or 0 if
/// the one in it is right.
fn checksum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let words = |bytes: &[u8]| -> u64 {
        bytes
            .chunks(2)
            .map(|pair| match *pair {
                [high, low] => u64::from(u16::from_be_bytes([high, low])),
                [high] => u64::from(high) << 8,
                _ => 0,
            })
            .sum()
    };
    let mut sum = words(&source.octets())
        + words(&destination.octets())
        + words(message)
        + message.len() as u64
        + u64::from(ICMPV6);
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Returns the member whose address `target` can only be, and the own address that says so.
///
/// In the RFC 4193 and 6PLANE schemes addresses contain the address of their node, so there is
/// nobody to ask. Only the schemes this node has an address of count.
#[must_use]
pub fn embedded_member(
    network: NetworkId,
    addresses: &[(IpAddr, u8)],
    target: Ipv6Addr,
) -> Option<(Address, Ipv6Addr)> {
    let plane = network.six_plane_prefix();
    let wanted = target.octets();

    addresses.iter().find_map(|&(own, bits)| {
        let IpAddr::V6(own) = own else { return None };
        let prefix = own.octets();
        let member = match (prefix, bits) {
            ([0xfd, _, _, _, _, _, _, _, _, 0x99, 0x93, ..], 88)
                if prefix[..11] == wanted[..11] =>
            {
                wanted[11..].first_chunk::<5>()
            }
            ([0xfc, ..], 40) if prefix[1..5] == plane && prefix[..5] == wanted[..5] => {
                wanted[5..].first_chunk::<5>()
            }
            _ => None,
        };
        member.map(|&member| (Address::from(member), own))
    })
}

/// Answers a solicitation the host sends, on behalf of a member whose address says it all.
///
/// Returns the member's MAC and the advertisement it might have sent, or `None` if the packet is
/// no solicitation or its target has to be asked. Spec 03 §10.3.
#[must_use]
pub fn emulate(
    network: NetworkId,
    me: Address,
    addresses: &[(IpAddr, u8)],
    payload: &[u8],
) -> Option<(Mac, Vec<u8>)> {
    let packet = payload.first_chunk::<64>()?;
    if (packet[6], packet[40]) != (ICMPV6, SOLICITATION) {
        return None;
    }
    let target = Ipv6Addr::from(*packet.last_chunk::<16>()?);
    let (member, own) = embedded_member(network, addresses, target)?;
    if member == Address::NULL || member == me {
        return None;
    }

    let mac = Mac::of_member(member, network);
    // To the own managed address, which need not be the one the host asked from.
    Some((mac, advertisement(mac, target, own)))
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// From `rfc4193_6plane.json`, "6plane target of b".
    const SOLICITED: [u8; 72] = hex!(
        "60000000 0020 3a ff"              // 32 bytes of ICMPv6, hop limit 255
        "fe80000000000000006e43fffef147f7" // from
        "ff0200000000000000000001ff000001" // to
        "8700 0000 00000000"               // solicitation, checksum left out
        "fc3f6ea8eec602cbb587000000000001" // target
        "0101 026e43f147f7"                // asker's MAC
    );
    const EMULATED: [u8; 72] = hex!(
        "60000000 0020 3a ff"
        "fc3f6ea8eec602cbb587000000000001"
        "fc3f6ea8ee6e43f1a85f000000000001"
        "8800 4c34 60000000"
        "fc3f6ea8eec602cbb587000000000001"
        "0201 02c602cb5a2f"
    );

    fn network() -> NetworkId {
        NetworkId(0x3f6e_a8ef_0000_0001)
    }

    fn node_a() -> Address {
        Address::from_u64(0x6e_43f1_a85f)
    }

    fn node_b() -> Address {
        Address::from_u64(0xc6_02cb_b587)
    }

    #[test]
    fn a_solicitation_for_a_computable_address_is_answered_without_asking() {
        let own = [(network().six_plane(node_a()).into(), 40)];

        let (mac, packet) = emulate(network(), node_a(), &own, &SOLICITED).unwrap();

        assert_eq!(mac, Mac::of_member(node_b(), network()));
        assert_eq!(packet, EMULATED);
        assert_eq!(
            Ndp::read(&packet),
            Ok(Some(Ndp::Advertisement { target: network().six_plane(node_b()), mac: Some(mac) }))
        );
    }

    #[test]
    fn nobody_is_emulated_who_is_not_on_an_own_prefix() {
        let other = NetworkId(0x3f6e_a8ef_0000_0002);
        let foreign = [(other.six_plane(node_a()).into(), 40)];
        let shorter = [(network().six_plane(node_a()).into(), 39)];
        let itself = [(network().six_plane(node_b()).into(), 40)];

        assert_eq!(emulate(network(), node_a(), &foreign, &SOLICITED), None);
        assert_eq!(emulate(network(), node_a(), &shorter, &SOLICITED), None);
        assert_eq!(emulate(network(), node_b(), &itself, &SOLICITED), None);
    }

    #[test]
    fn a_question_reaches_the_group_of_its_target() {
        let mac = Mac::of_member(node_a(), network());
        let (ip, target) = (network().rfc4193(node_a()), "fd00::12:3456".parse().unwrap());

        let (to, packet) = solicitation(mac, ip, target);

        assert_eq!(to.to_string(), "33:33:ff:12:34:56");
        assert_eq!(&packet[24..40], &hex!("ff0200000000000000000001ff123456"));
        assert_eq!(Ndp::read(&packet), Ok(Some(Ndp::Solicitation { asker: ip, target })));
    }

    #[test]
    fn whoever_has_no_address_yet_is_told_together_with_everybody() {
        let mac = Mac::of_member(node_a(), network());

        let packet = advertisement(mac, network().rfc4193(node_a()), Ipv6Addr::UNSPECIFIED);

        assert_eq!(&packet[24..40], &hex!("ff020000000000000000000000000001"));
        assert_eq!(packet[44], 0x20);
        assert!(Ndp::read(&packet).is_ok());
    }

    #[test]
    fn what_crossed_a_router_or_was_altered_is_refused() {
        for at in [4, 7, 8, 24, 42, 50, 70] {
            let mut packet = EMULATED;
            packet[at] ^= 0x01;

            assert!(Ndp::read(&packet).is_err(), "byte {at}");
        }
        assert!(Ndp::read(&EMULATED).is_ok());
    }

    #[test]
    fn every_prefix_is_refused() {
        for len in 0..EMULATED.len() {
            assert!(!matches!(Ndp::read(&EMULATED[..len]), Ok(Some(_))), "{len}");
        }
    }

    proptest! {
        #[test]
        fn no_packet_panics(payload: Vec<u8>, kind in 134_u8..138) {
            let _ = Ndp::read(&payload);

            let mut packet = vec![0_u8; 40];
            packet[4..6].copy_from_slice(&u16::try_from(payload.len() + 1).unwrap().to_be_bytes());
            packet[6..8].copy_from_slice(&[58, 255]);
            packet.push(kind);
            packet.extend(payload);
            let _ = Ndp::read(&packet);
            let _ = emulate(NetworkId(1), Address::NULL, &[], &packet);
        }
    }
}
