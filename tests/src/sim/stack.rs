//! The little IP host behind a node's port: answers pings, sends some, and counts what it gets.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use zt_protocol::address::{Mac, NetworkId};
use zt_protocol::event::NetworkStatus;
use zt_protocol::outbox::OwnedFrame;
use zt_protocol::time::Instant;
use zt_protocol::transmit::PortMode;

use super::ip::{self, ARP, IPV4, IPV6, Message};

/// An answer to a ping.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pong {
    /// Who answered.
    pub from: IpAddr,
    /// When.
    pub at: Instant,
    /// How long it took.
    pub took: Duration,
}

/// A host's addresses and what it has heard.
pub(super) struct Stack {
    pub(super) mode: PortMode,
    /// What the node told its host of each network.
    pub(super) networks: BTreeMap<NetworkId, NetworkStatus>,
    /// Addresses the host has given itself on every network.
    pub(super) own: Vec<IpAddr>,
    /// Answers to this host's pings, in order.
    pub(super) pongs: Vec<Pong>,
    /// Numbers of the data that arrived undamaged, with how often.
    pub(super) data: BTreeMap<u64, u32>,
    /// Frames that carried nothing hosts here send: damaged ones, or not for this host.
    pub(super) strange: u64,
    /// Every frame that arrived, once they are to be kept.
    pub(super) kept: Option<Vec<OwnedFrame>>,
    pings: BTreeMap<u16, Instant>,
    arp: BTreeMap<(NetworkId, Ipv4Addr), Mac>,
    unresolved: Vec<(NetworkId, Ipv4Addr, Vec<u8>)>,
}

impl Stack {
    pub(super) const fn new(mode: PortMode) -> Self {
        Self {
            mode,
            networks: BTreeMap::new(),
            own: Vec::new(),
            pongs: Vec::new(),
            data: BTreeMap::new(),
            strange: 0,
            kept: None,
            pings: BTreeMap::new(),
            arp: BTreeMap::new(),
            unresolved: Vec::new(),
        }
    }

    /// Returns what to send so that `destination` is pinged from `source`.
    pub(super) fn ping(
        &mut self,
        now: Instant,
        network: NetworkId,
        source: IpAddr,
        destination: IpAddr,
    ) -> Vec<OwnedFrame> {
        let next = self.pings.keys().next_back().map_or(1, |last| last + 1);
        self.pings.insert(next, now);
        self.send(network, source, destination, Message::Ping { sequence: next })
    }

    /// Returns what to send so that `destination` gets `message`.
    pub(super) fn send(
        &mut self,
        network: NetworkId,
        source: IpAddr,
        destination: IpAddr,
        message: Message,
    ) -> Vec<OwnedFrame> {
        let packet = ip::packet(source, destination, message);
        match (self.mode, destination) {
            (PortMode::L3, _) => vec![self.frame(network, Mac::ZERO, ethertype(source), packet)],
            (PortMode::L2, IpAddr::V4(destination)) => self.resolve(network, destination, packet),
            (PortMode::L2, IpAddr::V6(_)) => panic!("hosts on Ethernet speak IPv4 only"),
        }
    }

    /// Keeps a frame from the node, if frames are to be kept.
    pub(super) fn keep(&mut self, frame: &OwnedFrame) {
        if let Some(kept) = &mut self.kept {
            kept.push(frame.clone());
        }
    }

    /// Takes in a frame from the node and returns those that answer it.
    pub(super) fn receive(&mut self, now: Instant, frame: &OwnedFrame) -> Vec<OwnedFrame> {
        if frame.ethertype == ARP {
            return self.receive_arp(frame);
        }
        let Some((from, to, message)) = ip::read(&frame.payload) else {
            self.strange += 1;
            return Vec::new();
        };
        let status = self.networks.get(&frame.network);
        let managed = status.iter().flat_map(|status| &status.addresses).map(|&(own, _)| own);
        if !managed.chain(self.own.iter().copied()).any(|own| own == to) {
            self.strange += 1;
            return Vec::new();
        }
        match message {
            Message::Ping { sequence } => {
                self.send(frame.network, to, from, Message::Pong { sequence })
            }
            Message::Pong { sequence } => {
                if let Some(sent) = self.pings.get(&sequence) {
                    self.pongs.push(Pong { from, at: now, took: now.since(*sent) });
                }
                Vec::new()
            }
            Message::Data { number, .. } => {
                *self.data.entry(number).or_default() += 1;
                Vec::new()
            }
        }
    }

    /// Wraps `packet` for `destination`, or asks for its MAC first.
    fn resolve(
        &mut self,
        network: NetworkId,
        destination: Ipv4Addr,
        packet: Vec<u8>,
    ) -> Vec<OwnedFrame> {
        if let Some(&mac) = self.arp.get(&(network, destination)) {
            return vec![self.frame(network, mac, IPV4, packet)];
        }
        let source = packet[12..16].try_into().expect("an IPv4 packet has a source");
        let request = arp(1, self.mac(network), source, Mac::ZERO, destination.octets());
        self.unresolved.push((network, destination, packet));
        vec![self.frame(network, Mac::BROADCAST, ARP, request)]
    }

    /// Answers requests for own addresses, and sends what waited for an answer.
    fn receive_arp(&mut self, frame: &OwnedFrame) -> Vec<OwnedFrame> {
        let Some((operation, mac, sender, target)) = read_arp(&frame.payload) else {
            self.strange += 1;
            return Vec::new();
        };
        let network = frame.network;
        self.arp.insert((network, sender.into()), mac);

        let own = |(ip, _): &(IpAddr, u8)| *ip == IpAddr::V4(target.into());
        let is_own = self.networks.get(&network).is_some_and(|net| net.addresses.iter().any(own));
        if operation == 1 && is_own {
            let reply = arp(2, self.mac(network), target, mac, sender);
            return vec![self.frame(network, mac, ARP, reply)];
        }
        let waited = |entry: &mut (NetworkId, Ipv4Addr, Vec<u8>)| {
            entry.0 == network && entry.1 == Ipv4Addr::from(sender)
        };
        let packets: Vec<_> = self.unresolved.extract_if(.., waited).collect();
        packets.into_iter().map(|(.., packet)| self.frame(network, mac, IPV4, packet)).collect()
    }

    pub(super) fn mac(&self, network: NetworkId) -> Mac {
        self.networks.get(&network).map_or(Mac::ZERO, |status| status.mac)
    }

    fn frame(
        &self,
        network: NetworkId,
        destination: Mac,
        ethertype: u16,
        payload: Vec<u8>,
    ) -> OwnedFrame {
        OwnedFrame { network, destination, source: self.mac(network), ethertype, payload }
    }
}

const fn ethertype(address: IpAddr) -> u16 {
    match address {
        IpAddr::V4(_) => IPV4,
        IpAddr::V6(_) => IPV6,
    }
}

/// Returns an ARP packet for IPv4 over Ethernet: 1 asks, 2 answers.
pub(super) fn arp(operation: u8, mac: Mac, ip: [u8; 4], to_mac: Mac, to_ip: [u8; 4]) -> Vec<u8> {
    let mut packet = vec![0, 1, 8, 0, 6, 4, 0, operation];
    packet.extend(mac.to_bytes());
    packet.extend(ip);
    packet.extend(to_mac.to_bytes());
    packet.extend(to_ip);
    packet
}

/// Returns operation, sender's MAC, sender's address and target address.
pub(super) fn read_arp(packet: &[u8]) -> Option<(u8, Mac, [u8; 4], [u8; 4])> {
    let &[0, 1, 8, 0, 6, 4, 0, operation, ref rest @ ..] = packet else {
        return None;
    };
    let mac: [u8; 6] = rest.get(..6)?.try_into().ok()?;
    let sender = rest.get(6..10)?.try_into().ok()?;
    let target = rest.get(16..20)?.try_into().ok()?;
    Some((operation, mac.into(), sender, target))
}
