//! What an Ethernet frame's payload is.
//!
//! Source: RFC 7042 for the numbers; spec 03 §10.2, §10.3.

/// IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;

/// ARP, which finds the MAC of an IPv4 address.
pub const ETHERTYPE_ARP: u16 = 0x0806;

/// IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;

/// Where an IPv6 packet says what follows its header, and that it is ICMPv6.
const NEXT_HEADER_AT: usize = 6;
const ICMPV6: u8 = 58;

/// Where the type of an ICMPv6 message is that directly follows the IPv6 header.
const ICMPV6_TYPE_AT: usize = 40;
const NEIGHBOR_SOLICITATION: u8 = 135;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;

/// Returns whether the IPv6 `packet` asks for the MAC of an address, or tells it.
///
/// Looks at two bytes only: whoever handles the packet checks the others.
#[must_use]
pub fn is_neighbor_discovery(packet: &[u8]) -> bool {
    packet.get(NEXT_HEADER_AT) == Some(&ICMPV6)
        && matches!(
            packet.get(ICMPV6_TYPE_AT),
            Some(&(NEIGHBOR_SOLICITATION | NEIGHBOR_ADVERTISEMENT))
        )
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    /// From rfc4193_6plane.json, "rfc4193 target of b", up to the type.
    #[test]
    fn a_solicitation_is_neighbor_discovery_and_a_ping_is_not() {
        let solicitation = hex!(
            "6000000000203aff"                 // IPv6, 32 bytes of ICMPv6, hop limit 255
            "fe80000000000000006e43fffef147f7" // source
            "ff0200000000000000000001ffcbb587" // destination
            "87"                               // solicitation
        );
        let mut ping = solicitation;
        ping[40] = 128;
        let mut tcp = solicitation;
        tcp[6] = 6;

        assert!(is_neighbor_discovery(&solicitation));
        assert!(!is_neighbor_discovery(&ping));
        assert!(!is_neighbor_discovery(&tcp));
        for len in 0..solicitation.len() {
            assert!(!is_neighbor_discovery(&solicitation[..len]), "{len}");
        }
    }
}
