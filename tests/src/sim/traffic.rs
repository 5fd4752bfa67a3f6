//! What hosts send each other over virtual networks.

use std::net::IpAddr;
use std::time::Duration;

use zt_protocol::address::NetworkId;
use zt_protocol::outbox::OwnedFrame;

use super::ip::Message;
use super::world::{Happening, NodeId, Series, World};

impl World {
    /// Sends one ping from the host of `from` to the host of `to`, over IPv4, on the first
    /// network on which both have addresses.
    pub fn ping(&mut self, from: NodeId, to: NodeId) {
        let (network, source, destination) = self.ends(from, to, IpAddr::is_ipv4);
        let frames = self.hosts[from.0].stack.ping(self.now, network, source, destination);
        self.send_frames(from, frames);
    }

    /// Sends one ping over IPv6.
    pub fn ping_v6(&mut self, from: NodeId, to: NodeId) {
        let (network, source, destination) = self.ends(from, to, IpAddr::is_ipv6);
        let frames = self.hosts[from.0].stack.ping(self.now, network, source, destination);
        self.send_frames(from, frames);
    }

    /// Sends one ping to an address that need not be anybody's.
    pub fn ping_address(&mut self, from: NodeId, network: NetworkId, destination: IpAddr) {
        let own = self.addresses(network, from);
        let source = own.into_iter().find(|own| own.is_ipv4() == destination.is_ipv4());
        let source = source.expect("the host that pings has an address");
        let frames = self.hosts[from.0].stack.ping(self.now, network, source, destination);
        self.send_frames(from, frames);
    }

    /// Lets the host of `node` give itself `address`, beside those that are managed.
    pub fn add_address(&mut self, node: NodeId, address: IpAddr) {
        self.hosts[node.0].stack.own.push(address);
    }

    /// Sends one ping from an address the host has given itself to another.
    pub fn ping_from(
        &mut self,
        from: NodeId,
        network: NetworkId,
        source: IpAddr,
        destination: IpAddr,
    ) {
        let frames = self.hosts[from.0].stack.ping(self.now, network, source, destination);
        self.send_frames(from, frames);
    }

    /// Sends pings from `from` to `to` from now on, one each `period`.
    pub fn ping_every(&mut self, period: Duration, from: NodeId, to: NodeId) {
        self.series.push(Series { from, to, period, goes_on: true });
        self.queue(self.now, Happening::Ping(self.series.len() - 1));
    }

    /// Ends every series of pings.
    pub fn stop_pings(&mut self) {
        for series in &mut self.series {
            series.goes_on = false;
        }
    }

    /// Sends `len` bytes of payload by UDP that are made from `number` and checked on arrival.
    pub fn send_data(&mut self, from: NodeId, to: NodeId, number: u64, len: usize) {
        let (network, source, destination) = self.ends(from, to, IpAddr::is_ipv4);
        let message = Message::Data { number, len };
        let frames = self.hosts[from.0].stack.send(network, source, destination, message);
        self.send_frames(from, frames);
    }

    /// Sends an Ethernet frame with a payload that hosts need not understand.
    pub fn send_frame(&mut self, from: NodeId, frame: OwnedFrame) {
        self.send_frames(from, vec![frame]);
    }

    /// Returns the frames that have reached the host of `node` since this was last asked; none the
    /// first time.
    pub fn take_frames(&mut self, node: NodeId) -> Vec<OwnedFrame> {
        self.hosts[node.0].stack.kept.replace(Vec::new()).unwrap_or_default()
    }

    pub(super) fn ping_in_series(&mut self, index: usize) {
        let Series { from, to, period, goes_on } = self.series[index];
        if goes_on {
            self.ping(from, to);
            self.queue(self.now + period, Happening::Ping(index));
        }
    }

    pub(super) fn send_frames(&mut self, from: NodeId, frames: Vec<OwnedFrame>) {
        let sent = self.hosts[from.0].frames(self.now, frames);
        self.send(from, sent);
    }

    /// Returns a network on which both nodes have addresses of a kind, and these.
    fn ends(
        &self,
        from: NodeId,
        to: NodeId,
        kind: fn(&IpAddr) -> bool,
    ) -> (NetworkId, IpAddr, IpAddr) {
        let ends = self.hosts[from.0].stack.networks.keys().find_map(|&network| {
            let source = self.addresses(network, from).into_iter().find(kind)?;
            let destination = self.addresses(network, to).into_iter().find(kind)?;
            Some((network, source, destination))
        });
        ends.unwrap_or_else(|| {
            panic!("seed {}: {from:?} and {to:?} have no network in common yet", self.seed)
        })
    }
}
