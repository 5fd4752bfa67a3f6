//! IP packets as small hosts send and read them: ICMP echo, and UDP whose payload can be checked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ethertypes of what hosts exchange.
pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86dd;
pub(super) const ARP: u16 = 0x0806;

const ICMP: u8 = 1;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// What a host says to another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Message {
    /// Asks for an answer.
    Ping { sequence: u16 },
    /// Answers.
    Pong { sequence: u16 },
    /// Data of `len` bytes of payload, all made from its number.
    Data { number: u64, len: usize },
}

/// Returns the IP packet that carries `message`.
pub(super) fn packet(source: IpAddr, destination: IpAddr, message: Message) -> Vec<u8> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => ipv4(source, destination, message),
        (IpAddr::V6(source), IpAddr::V6(destination)) => ipv6(source, destination, message),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            panic!("{source} cannot send to {destination}")
        }
    }
}

/// Returns who says what to whom, if `packet` is one that hosts here send, undamaged.
pub(super) fn read(packet: &[u8]) -> Option<(IpAddr, IpAddr, Message)> {
    let (source, destination, protocol, payload) = match packet.first()? >> 4 {
        4 => {
            let header = packet.get(..20)?;
            let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
            if checksum(&[header]) != 0 || len != packet.len() {
                return None;
            }
            let address = |at: usize| -> IpAddr {
                let octets: [u8; 4] = header[at..at + 4].try_into().expect("four bytes were cut");
                octets.into()
            };
            (address(12), address(16), header[9], &packet[20..])
        }
        6 => {
            let header = packet.get(..40)?;
            let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
            if len != packet.len() - 40 {
                return None;
            }
            let address = |at: usize| -> IpAddr {
                let octets: [u8; 16] = header[at..at + 16].try_into().expect("16 bytes were cut");
                octets.into()
            };
            (address(8), address(24), header[6], &packet[40..])
        }
        _ => return None,
    };
    Some((source, destination, read_message(source, destination, protocol, payload)?))
}

fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, message: Message) -> Vec<u8> {
    let (protocol, payload) = write_message(source.into(), destination.into(), message);
    let len = u16::try_from(20 + payload.len()).expect("tests send packets below 64 KiB");
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0];
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet.extend(source.octets());
    packet.extend(destination.octets());
    let sum = checksum(&[&packet]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(payload);
    packet
}

fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, message: Message) -> Vec<u8> {
    let (protocol, payload) = write_message(source.into(), destination.into(), message);
    let len = u16::try_from(payload.len()).expect("tests send packets below 64 KiB");
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, protocol, 64];
    packet[4..6].copy_from_slice(&len.to_be_bytes());
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(payload);
    packet
}

/// Returns the protocol number and the payload that say `message`.
fn write_message(source: IpAddr, destination: IpAddr, message: Message) -> (u8, Vec<u8>) {
    let v4 = source.is_ipv4();
    let echo = |kind: u8, sequence: u16| {
        let mut icmp = vec![kind, 0, 0, 0, 0x7a, 0x74];
        icmp.extend(sequence.to_be_bytes());
        icmp.extend(b"are you there?");
        icmp
    };
    let (protocol, mut payload, sum_at) = match message {
        Message::Ping { sequence } if v4 => (ICMP, echo(8, sequence), 2),
        Message::Pong { sequence } if v4 => (ICMP, echo(0, sequence), 2),
        Message::Ping { sequence } => (ICMPV6, echo(128, sequence), 2),
        Message::Pong { sequence } => (ICMPV6, echo(129, sequence), 2),
        Message::Data { number, len } => (UDP, datagram(number, len), 6),
    };
    let pseudo = pseudo_header(source, destination, protocol, payload.len());
    let sum = match checksum(&[&pseudo, &payload]) {
        // UDP says "no checksum" with zero, and writes a sum of zero as its complement.
        0 if protocol == UDP => u16::MAX,
        sum => sum,
    };
    payload[sum_at..sum_at + 2].copy_from_slice(&sum.to_be_bytes());
    (protocol, payload)
}

fn read_message(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    payload: &[u8],
) -> Option<Message> {
    let pseudo = pseudo_header(source, destination, protocol, payload.len());
    if payload.len() < 8 || checksum(&[&pseudo, payload]) != 0 {
        return None;
    }
    let sequence = u16::from_be_bytes([payload[6], payload[7]]);
    match (protocol, payload[0]) {
        (ICMP, 8) | (ICMPV6, 128) => Some(Message::Ping { sequence }),
        (ICMP, 0) | (ICMPV6, 129) => Some(Message::Pong { sequence }),
        (UDP, _) => {
            let (number, _) = payload[8..].split_first_chunk()?;
            let (number, len) = (u64::from_be_bytes(*number), payload.len() - 8);
            let undamaged = payload[8..] == datagram(number, len)[8..];
            undamaged.then_some(Message::Data { number, len })
        }
        _ => None,
    }
}

/// Returns a UDP datagram without checksum whose payload is made from `number`.
fn datagram(number: u64, len: usize) -> Vec<u8> {
    assert!(len >= 8, "the number alone takes 8 bytes");
    let udp_len = u16::try_from(8 + len).expect("tests send packets below 64 KiB");
    let mut datagram = vec![0x1f, 0x90, 0x1f, 0x90, 0, 0, 0, 0];
    datagram[4..6].copy_from_slice(&udp_len.to_be_bytes());
    datagram.extend(number.to_be_bytes());
    let filling = (8..len).map(|at| (number as usize).wrapping_mul(31).wrapping_add(at) as u8);
    datagram.extend(filling);
    datagram
}

/// Returns what the checksum covers besides the payload. ICMP for IPv4 covers nothing else.
pub(super) fn pseudo_header(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    len: usize,
) -> Vec<u8> {
    let len = u16::try_from(len).expect("tests send packets below 64 KiB").to_be_bytes();
    match (source, destination) {
        _ if protocol == ICMP => Vec::new(),
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            [&source.octets()[..], &destination.octets(), &[0, protocol], &len].concat()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            [&source.octets()[..], &destination.octets(), &[0, 0], &len, &[0, 0, 0, protocol]]
                .concat()
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => Vec::new(),
    }
}

/// Returns the Internet checksum of all `parts`, each but the last of even length.
pub(super) fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u32 = words
        .map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0)))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_damage_is_noticed() {
        let ends: [(IpAddr, IpAddr); 2] = [
            ("10.1.0.1".parse().unwrap(), "10.1.0.2".parse().unwrap()),
            ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap()),
        ];
        let messages = [
            Message::Ping { sequence: 7 },
            Message::Pong { sequence: 8 },
            Message::Data { number: 9, len: 1001 },
        ];

        for (source, destination) in ends {
            for message in messages {
                let mut packet = packet(source, destination, message);
                assert_eq!(read(&packet), Some((source, destination, message)));

                let last = packet.len() - 1;
                packet[last] ^= 1;
                assert_eq!(read(&packet), None);
            }
        }
    }
}
