//! A device that is no member: a machine on the LAN that the Ethernet port of a node is bridged to.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use zt_protocol::address::{Mac, NetworkId};
use zt_protocol::outbox::OwnedFrame;

use super::ip::{self, ARP, IPV4, IPV6, Message};
use super::stack::{arp, read_arp};
use super::world::{NodeId, World};

const ASK: u8 = 1;
const ANSWER: u8 = 2;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const ICMPV6: u8 = 58;

/// A little IP host with a MAC of its own, to whom every address is on the link.
pub(super) struct Device {
    network: NetworkId,
    mac: Mac,
    addresses: Vec<IpAddr>,
    neighbors: BTreeMap<IpAddr, Mac>,
    /// Packets for whom the next hop's MAC is not known yet.
    unresolved: Vec<(IpAddr, Vec<u8>)>,
    pings: u16,
    pongs: usize,
}

impl World {
    /// Plugs a device with these addresses into the LAN behind the port of `node`, which has to use
    /// Ethernet.
    pub fn plug(&mut self, node: NodeId, network: NetworkId, mac: Mac, addresses: &[&str]) {
        let addresses = addresses.iter().map(|ip| ip.parse().expect("an IP address")).collect();
        let (neighbors, unresolved) = (BTreeMap::new(), Vec::new());
        let device = Device { network, mac, addresses, neighbors, unresolved, pings: 0, pongs: 0 };
        self.hosts[node.0].devices.push(device);
    }

    /// Moves a device from the LAN behind one node to that behind another. It does not say so.
    pub fn replug(&mut self, mac: Mac, from: NodeId, to: NodeId) {
        let devices = &mut self.hosts[from.0].devices;
        let at = devices.iter().position(|device| device.mac == mac);
        let device = devices.remove(at.expect("the device is behind this node"));
        self.hosts[to.0].devices.push(device);
    }

    /// Lets the device `mac` behind `node` ping an address.
    pub fn ping_from_device(&mut self, node: NodeId, mac: Mac, destination: &str) {
        let destination = destination.parse().expect("an IP address");
        let frames = self.device(node, mac).ping(destination);
        self.send_frames(node, frames);
    }

    /// Returns how many pings of the device `mac` behind `node` were answered.
    pub fn pongs_of_device(&mut self, node: NodeId, mac: Mac) -> usize {
        self.device(node, mac).pongs
    }

    fn device(&mut self, node: NodeId, mac: Mac) -> &mut Device {
        let mut devices = self.hosts[node.0].devices.iter_mut();
        devices.find(|device| device.mac == mac).expect("the device is behind this node")
    }
}

impl Device {
    fn ping(&mut self, destination: IpAddr) -> Vec<OwnedFrame> {
        self.pings += 1;
        self.say(destination, Message::Ping { sequence: self.pings })
    }

    /// Takes in a frame that reached the LAN and returns those that answer it.
    pub(super) fn receive(&mut self, frame: &OwnedFrame) -> Vec<OwnedFrame> {
        let for_us = frame.destination == self.mac || frame.destination.is_multicast();
        if !for_us || frame.network != self.network {
            return Vec::new();
        }
        if let Some((operation, mac, sender, target)) =
            (frame.ethertype == ARP).then(|| read_arp(&frame.payload)).flatten()
        {
            let (asks, sender) = (operation == ASK, IpAddr::from(sender));
            return self.meet(sender, mac, asks.then_some(target.into()));
        }
        if let Some((kind, sender, target, mac)) = read_discovery(&frame.payload) {
            let asks = kind == SOLICITATION;
            let about = if asks { sender } else { target };
            return self.meet(about.into(), mac, asks.then_some(target.into()));
        }
        match ip::read(&frame.payload) {
            Some((from, to, Message::Ping { sequence })) if self.addresses.contains(&to) => {
                self.say(from, Message::Pong { sequence })
            }
            Some((_, to, Message::Pong { .. })) if self.addresses.contains(&to) => {
                self.pongs += 1;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Takes in who has `ip`, who may have asked for `wanted`.
    fn meet(&mut self, ip: IpAddr, mac: Mac, wanted: Option<IpAddr>) -> Vec<OwnedFrame> {
        self.neighbors.insert(ip, mac);
        let answer =
            wanted.filter(|wanted| self.addresses.contains(wanted)).map(|own| match (own, ip) {
                (IpAddr::V4(own), IpAddr::V4(asker)) => {
                    let reply = arp(ANSWER, self.mac, own.octets(), mac, asker.octets());
                    self.frame(mac, ARP, reply)
                }
                (IpAddr::V6(own), IpAddr::V6(asker)) => {
                    self.frame(mac, IPV6, discovery(ADVERTISEMENT, (own, asker), own, self.mac))
                }
                _ => panic!("questions and answers are of one family"),
            });
        let waited: Vec<_> = self.unresolved.extract_if(.., |(next, _)| *next == ip).collect();
        let waited = waited.into_iter().map(|(_, packet)| self.packet(mac, packet));
        answer.into_iter().chain(waited).collect()
    }

    /// Sends `message`, or asks for the destination's MAC first.
    fn say(&mut self, destination: IpAddr, message: Message) -> Vec<OwnedFrame> {
        let own = self.addresses.iter().find(|own| own.is_ipv4() == destination.is_ipv4());
        let own = *own.expect("a device has an address of each family it uses");
        let packet = ip::packet(own, destination, message);
        if let Some(&mac) = self.neighbors.get(&destination) {
            return vec![self.packet(mac, packet)];
        }
        self.unresolved.push((destination, packet));
        vec![match (own, destination) {
            (IpAddr::V4(own), IpAddr::V4(target)) => {
                let request = arp(ASK, self.mac, own.octets(), Mac::ZERO, target.octets());
                self.frame(Mac::BROADCAST, ARP, request)
            }
            (IpAddr::V6(own), IpAddr::V6(target)) => {
                let [.., a, b, c] = target.octets();
                let group = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
                let ask = discovery(SOLICITATION, (own, group), target, self.mac);
                self.frame(Mac::of_ipv6_group(group), IPV6, ask)
            }
            _ => panic!("packets are of one family"),
        }]
    }

    fn packet(&self, destination: Mac, packet: Vec<u8>) -> OwnedFrame {
        let ethertype = if packet[0] >> 4 == 4 { IPV4 } else { IPV6 };
        self.frame(destination, ethertype, packet)
    }

    fn frame(&self, destination: Mac, ethertype: u16, payload: Vec<u8>) -> OwnedFrame {
        OwnedFrame { network: self.network, destination, source: self.mac, ethertype, payload }
    }
}

/// Returns a neighbour solicitation or advertisement about `target` that tells the sender's MAC
/// (RFC 4861 §4.3, §4.4).
fn discovery(
    kind: u8,
    (source, destination): (Ipv6Addr, Ipv6Addr),
    target: Ipv6Addr,
    mac: Mac,
) -> Vec<u8> {
    let (flags, option) = if kind == ADVERTISEMENT { (0x60, 2) } else { (0, 1) };
    let mut icmp = vec![kind, 0, 0, 0, flags, 0, 0, 0];
    icmp.extend(target.octets());
    icmp.extend([option, 1]);
    icmp.extend(mac.to_bytes());
    let pseudo = ip::pseudo_header(source.into(), destination.into(), ICMPV6, icmp.len());
    let sum = ip::checksum(&[&pseudo, &icmp]);
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());

    let mut packet = vec![0x60, 0, 0, 0, 0, 32, ICMPV6, 255];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(icmp);
    packet
}

/// Returns kind, sender, target and the MAC told.
fn read_discovery(packet: &[u8]) -> Option<(u8, Ipv6Addr, Ipv6Addr, Mac)> {
    let address = |at: usize| {
        let octets: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
        Some(Ipv6Addr::from(octets))
    };
    let (source, destination, target) = (address(8)?, address(24)?, address(48)?);
    let icmp = packet.get(40..72)?;
    let pseudo = ip::pseudo_header(source.into(), destination.into(), ICMPV6, icmp.len());
    let is_discovery = packet[6] == ICMPV6 && matches!(icmp[0], SOLICITATION | ADVERTISEMENT);
    if !is_discovery || packet.len() != 72 || ip::checksum(&[&pseudo, icmp]) != 0 {
        return None;
    }
    let mac: [u8; 6] = icmp[26..32].try_into().ok()?;
    Some((icmp[0], source, target, mac.into()))
}
