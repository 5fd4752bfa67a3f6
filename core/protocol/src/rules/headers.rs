//! What rules see of the headers in a frame.
//!
//! Every frame can be looked at, however short: what is not there has no value.
//!
//! Source: spec 03 §8.1, §8.4.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::transmit::Frame;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;
const UDP_LITE: u8 = 136;

/// The extension headers that are passed over: hop-by-hop, routing, destination options, mobility.
const EXTENSIONS: [u8; 4] = [0, 43, 60, 135];

const NEIGHBOR_SOLICITATION: u8 = 135;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;

/// Length of the shortest IPv4 header and of every IPv6 header, in bytes.
const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;

/// Length of an ARP message about IPv4, in bytes.
const ARP_LEN: usize = 28;

/// Length of a neighbour solicitation or advertisement right behind an IPv6 header, in bytes.
const NEIGHBOR_LEN: usize = 64;

/// An IP packet, as far as rules look into it.
pub(super) struct Ip<'a> {
    packet: &'a [u8],
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// IPv4's type of service or IPv6's traffic class.
    pub(super) service: u8,
    /// What the packet carries; `None` if IPv6's extension headers lead out of it.
    pub(super) transport: Option<Transport>,
}

/// What an IP packet carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Transport {
    /// The protocol's number.
    pub(super) protocol: u8,
    /// Where it begins in the packet, in bytes; perhaps behind the end.
    at: usize,
}

/// Whose IP address the sender of a frame claims to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Claim {
    /// Nobody's.
    None,
    /// This one.
    Address(IpAddr),
    /// It only asks for a neighbour, which is above suspicion.
    Question,
}

/// Which of two ports.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Port {
    Source,
    Destination,
}

impl<'a> Ip<'a> {
    /// Reads the headers in a frame; `None` if it carries no IP packet with a whole header.
    pub(super) fn read(frame: &Frame<'a>) -> Option<Self> {
        match frame.ethertype {
            ETHERTYPE_IPV4 => Self::read_v4(frame.payload),
            ETHERTYPE_IPV6 => Self::read_v6(frame.payload),
            _ => None,
        }
    }

    fn read_v4(packet: &'a [u8]) -> Option<Self> {
        let header = packet.first_chunk::<IPV4_LEN>()?;
        let at = usize::from(header[0] & 0x0f) * 4;
        Some(Self {
            packet,
            source: v4(&header[12..]),
            destination: v4(&header[16..]),
            service: header[1],
            transport: Some(Transport { protocol: header[9], at }),
        })
    }

    fn read_v6(packet: &'a [u8]) -> Option<Self> {
        let header = packet.first_chunk::<IPV6_LEN>()?;
        Some(Self {
            packet,
            source: v6(&header[8..]),
            destination: v6(&header[24..]),
            service: header[0] << 4 | header[1] >> 4,
            transport: behind_extensions(packet, header[6]),
        })
    }

    /// Returns the type and code of the ICMP message the packet carries.
    pub(super) fn icmp(&self) -> Option<(u8, u8)> {
        let expected = if self.source.is_ipv4() { ICMP } else { ICMPV6 };
        let transport = self.transport.filter(|transport| transport.protocol == expected)?;
        let &[kind, code] = self.packet.get(transport.at..)?.first_chunk()?;
        Some((kind, code))
    }

    /// Returns a port of a protocol that has ports. There is no port 0 in IPv6.
    pub(super) fn port(&self, which: Port) -> Option<u16> {
        let Transport { protocol, at } = self.transport?;
        if !matches!(protocol, TCP | UDP | SCTP | UDP_LITE) {
            return None;
        }
        // A byte behind the ports has to be there, as the reference has it.
        let &[a, b, c, d, _] = self.packet.get(at..)?.first_chunk()?;
        let port = match which {
            Port::Source => u16::from_be_bytes([a, b]),
            Port::Destination => u16::from_be_bytes([c, d]),
        };
        (port > 0 || self.source.is_ipv4()).then_some(port)
    }

    /// Returns the flags of a TCP segment, reserved bits first: 12 bits.
    pub(super) fn tcp_flags(&self) -> u16 {
        let tcp = self.transport.filter(|transport| transport.protocol == TCP);
        let Some(segment) = tcp.and_then(|tcp| self.packet.get(tcp.at..)) else { return 0 };
        // Over IPv6 a byte behind the flags has to be there, as the reference has it.
        let least = if self.source.is_ipv4() { 14 } else { 15 };
        match segment.get(12..14) {
            Some(&[high, low]) if segment.len() >= least => u16::from_be_bytes([high & 0x0f, low]),
            _ => 0,
        }
    }

    fn claim(&self) -> Claim {
        let of_neighbor =
            self.source.is_ipv6() && self.packet.len() >= NEIGHBOR_LEN && self.packet[6] == ICMPV6;
        match self.packet.get(IPV6_LEN) {
            Some(&NEIGHBOR_SOLICITATION) if of_neighbor => Claim::Question,
            Some(&NEIGHBOR_ADVERTISEMENT) if of_neighbor => Claim::Address(v6(&self.packet[48..])),
            _ => Claim::Address(self.source),
        }
    }
}

/// Returns whose address the sender of a frame claims to be; `ip` is what the frame carries.
pub(super) fn claim(frame: &Frame<'_>, ip: Option<&Ip<'_>>) -> Claim {
    match (ip, frame.payload.first_chunk::<ARP_LEN>()) {
        (Some(ip), _) => ip.claim(),
        (None, Some(arp)) if frame.ethertype == ETHERTYPE_ARP => Claim::Address(v4(&arp[14..])),
        (None, _) => Claim::None,
    }
}

/// Finds what follows the extension headers of an IPv6 packet, of which `protocol` is the first.
///
/// Every step goes on by at least 8 bytes, so there is an end.
fn behind_extensions(packet: &[u8], mut protocol: u8) -> Option<Transport> {
    let mut at = IPV6_LEN;
    while EXTENSIONS.contains(&protocol) {
        let &[next, len, ..] = packet.get(at..)?.first_chunk::<8>()?;
        protocol = next;
        at += 8 + 8 * usize::from(len);
    }
    (at <= packet.len()).then_some(Transport { protocol, at })
}

/// Returns the IPv4 address that `bytes` begin with, of which there are enough.
fn v4(bytes: &[u8]) -> IpAddr {
    let octets = *bytes.first_chunk().expect("the caller looked at the length");
    Ipv4Addr::from_octets(octets).into()
}

/// Returns the IPv6 address that `bytes` begin with, of which there are enough.
fn v6(bytes: &[u8]) -> IpAddr {
    let octets = *bytes.first_chunk().expect("the caller looked at the length");
    Ipv6Addr::from_octets(octets).into()
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;
    use crate::address::Mac;

    /// From rules.json: IPv4, no options, TCP from port 40000 to 22 with SYN set.
    const SYN: [u8; 40] = hex!(
        "4500002800010000400600000a9311050a931106" // IPv4
        "9c40001600000001000000005002040000000000" // TCP
    );

    /// An IPv6 header of which the first extension is `next`.
    fn ipv6(next: u8) -> Vec<u8> {
        let mut packet = vec![0; IPV6_LEN];
        packet[6] = next;
        packet[8] = 0xfd;
        packet
    }

    const fn frame(ethertype: u16, payload: &[u8]) -> Frame<'_> {
        Frame { destination: Mac::ZERO, source: Mac::ZERO, ethertype, payload }
    }

    #[test]
    fn a_packets_headers_are_read() {
        let ip = Ip::read(&frame(ETHERTYPE_IPV4, &SYN)).unwrap();

        assert_eq!(ip.source.to_string(), "10.147.17.5");
        assert_eq!(ip.destination.to_string(), "10.147.17.6");
        assert_eq!(ip.transport, Some(Transport { protocol: TCP, at: 20 }));
        assert_eq!(ip.port(Port::Source), Some(40_000));
        assert_eq!(ip.port(Port::Destination), Some(22));
        assert_eq!(ip.tcp_flags(), 0x002);
        assert_eq!(ip.icmp(), None);
    }

    /// Every length has the parts that are wholly in it and no others.
    #[test]
    fn what_a_short_packet_lacks_has_no_value() {
        for len in 0..SYN.len() {
            let ip = Ip::read(&frame(ETHERTYPE_IPV4, &SYN[..len]));

            assert_eq!(ip.is_some(), len >= 20, "{len}");
            let Some(ip) = ip else { continue };
            assert_eq!(ip.port(Port::Destination), (len >= 25).then_some(22), "{len}");
            assert_eq!(ip.tcp_flags(), if len >= 34 { 2 } else { 0 }, "{len}");
        }
    }

    /// The reference reads behind the end of the packet here (spec 03 §8.4).
    #[test]
    fn a_header_length_that_points_out_of_the_packet_finds_nothing() {
        let mut packet = SYN;
        packet[0] = 0x4f;

        let ip = Ip::read(&frame(ETHERTYPE_IPV4, &packet)).unwrap();

        assert_eq!(ip.tcp_flags(), 0);
        assert_eq!(ip.port(Port::Source), None);
    }

    #[test]
    fn extension_headers_are_passed_over_as_long_as_they_lie_in_the_packet() {
        let mut packet = ipv6(0);
        packet.extend(hex!("2b00000000000000")); // hop-by-hop, then routing
        packet.extend(hex!("060100000000000000000000000000000000")); // routing of 16 bytes, then TCP
        let transport = |packet: &[u8]| Ip::read(&frame(ETHERTYPE_IPV6, packet)).unwrap().transport;

        assert_eq!(transport(&packet), Some(Transport { protocol: TCP, at: 64 }));
        assert_eq!(transport(&packet[..64]), Some(Transport { protocol: TCP, at: 64 }));
        for len in 40..64 {
            assert_eq!(transport(&packet[..len]), None, "{len}");
        }
        assert_eq!(transport(&ipv6(44)), Some(Transport { protocol: 44, at: 40 }));
    }

    #[test]
    fn a_sender_claims_the_address_it_sends_from_or_speaks_for() {
        let of = |ethertype, payload: &[u8]| {
            let frame = frame(ethertype, payload);
            claim(&frame, Ip::read(&frame).as_ref())
        };
        let arp = hex!("00010800060400010202020202020a9311060000000000000a931105");
        let mut neighbor = ipv6(ICMPV6);
        neighbor.extend([NEIGHBOR_ADVERTISEMENT, 0, 0, 0, 0, 0, 0, 0]);
        neighbor.extend([0xfc; 16]);
        let address = |text: &str| Claim::Address(text.parse().unwrap());

        assert_eq!(of(ETHERTYPE_IPV4, &SYN), address("10.147.17.5"));
        assert_eq!(of(ETHERTYPE_ARP, &arp), address("10.147.17.6"));
        assert_eq!(of(ETHERTYPE_ARP, &arp[..27]), Claim::None);
        assert_eq!(of(ETHERTYPE_IPV6, &neighbor), Claim::Address([0xfc; 16].into()));
        assert_eq!(of(ETHERTYPE_IPV6, &neighbor[..63]), address("fd00::"));
        neighbor[40] = NEIGHBOR_SOLICITATION;
        assert_eq!(of(ETHERTYPE_IPV6, &neighbor), Claim::Question);
        assert_eq!(of(0x88cc, &SYN), Claim::None);
    }

    proptest! {
        #[test]
        fn no_frame_panics(v6: bool, payload in proptest::collection::vec(0_u8..140, 0..160)) {
            let ethertype = if v6 { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 };
            let frame = frame(ethertype, &payload);
            if let Some(ip) = Ip::read(&frame) {
                let _ = (ip.icmp(), ip.port(Port::Source), ip.tcp_flags(), claim(&frame, Some(&ip)));
            }
        }
    }
}
