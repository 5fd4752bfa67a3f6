//! From the host to the network.
//!
//! Source: spec 03 §9.3, §10.2.

use crate::address::{Address, NetworkId};
use crate::error::Rejected;
use crate::fastpath::filter::{self, Crossing};
use crate::fastpath::next_hop::{self, NextHop};
use crate::fastpath::outbound::{self, Envelope};
use crate::fastpath::tables::{Admission, NetworkView};
use crate::limits::BRIDGE_RECIPIENTS_MAX;
use crate::node::control::{Control, Shared};
use crate::outbox::OwnedFrame;
use crate::rules::Direction;
use crate::time::Instant;
use crate::transmit::{Frame, Transmit};
use crate::verb::Verb;
use crate::wire::frame::{ExtFrame, PlainFrame};

impl Control {
    /// Sends an IP packet the host wrote to an L3 port.
    pub(super) fn host_packet(
        &mut self,
        now: Instant,
        network: NetworkId,
        packet: &[u8],
        transmit: &mut impl Transmit,
    ) -> Result<(), Rejected> {
        let view = self.open_port(network, packet)?;
        let (ethertype, destination) = next_hop::destination(packet)?;
        let own = view.addresses.iter().any(|(address, _)| *address == destination);
        let hop = if own { NextHop::Mac(view.mac) } else { next_hop::next_hop(view, destination)? };
        match hop {
            NextHop::Mac(mac) => {
                let frame =
                    Frame { destination: mac, source: view.mac, ethertype, payload: packet };
                self.send_frame(now, network, frame, transmit)
            }
            NextHop::Resolve(address) => {
                self.networks.resolve(&mut self.shared.ctx(now), network, address, packet)
            }
        }
    }

    /// Sends an Ethernet frame the host wrote to an L2 port.
    pub(super) fn host_frame(
        &mut self,
        now: Instant,
        network: NetworkId,
        frame: Frame<'_>,
        transmit: &mut impl Transmit,
    ) -> Result<(), Rejected> {
        let view = self.open_port(network, frame.payload)?;
        // Only bridges may send for devices behind them, and this node is none.
        if frame.source != view.mac {
            return Err(Rejected::BadFrameAddress);
        }
        self.send_frame(now, network, frame, transmit)
    }

    /// Returns the network, if its port is open and takes a payload of this length.
    fn open_port(&self, network: NetworkId, payload: &[u8]) -> Result<&NetworkView, Rejected> {
        let view = self.shared.tables.network(network).ok_or(Rejected::UnknownNetwork)?;
        if view.admission == Admission::Nobody {
            return Err(Rejected::NotAMember);
        }
        if payload.len() > usize::from(view.mtu) {
            return Err(Rejected::FrameTooBig);
        }
        Ok(view)
    }

    /// Sends a frame from this node's own MAC to whoever its destination names.
    pub(super) fn send_frame(
        &mut self,
        now: Instant,
        network: NetworkId,
        frame: Frame<'_>,
        transmit: &mut impl Transmit,
    ) -> Result<(), Rejected> {
        let view = self.shared.tables.network(network).ok_or(Rejected::UnknownNetwork)?;
        if frame.destination.is_multicast() {
            return self.networks.send_multicast(&mut self.shared.ctx(now), network, frame);
        }
        if frame.destination == view.mac {
            self.shared.out.deliveries.push_back(OwnedFrame::new(network, frame));
            return Ok(());
        }
        match frame.destination.to_member(network) {
            Some(member) => {
                self.ask_rules(network, member, frame, false)?;
                self.send_to_member(now, network, member, frame, transmit)
            }
            None => self.send_to_bridges(network, frame),
        }
    }

    /// Judges a frame to `receiver`, or to nobody in particular, by the network's rules. It may
    /// have been `copied` already.
    fn ask_rules(
        &mut self,
        network: NetworkId,
        receiver: Address,
        frame: Frame<'_>,
        copied: bool,
    ) -> Result<(), Rejected> {
        let Shared { tables, rng, out, .. } = &mut self.shared;
        let direction = Direction::Outbound;
        let crossing = Crossing { network, direction, peer: receiver, frame, copied };
        filter::judge(tables, rng, out, crossing).map(drop)
    }

    /// Sends a frame to a member, our credentials first if it may not have them.
    fn send_to_member(
        &mut self,
        now: Instant,
        network: NetworkId,
        member: Address,
        frame: Frame<'_>,
        transmit: &mut impl Transmit,
    ) -> Result<(), Rejected> {
        let view = self.shared.tables.network(network).ok_or(Rejected::UnknownNetwork)?;
        if view.members.get(&member).is_none_or(|known| known.push_due <= now) {
            self.networks.push_credentials(&mut self.shared.ctx(now), network, member);
        }
        let header = PlainFrame::header(network, frame.ethertype);
        let waiting = !self.shared.out.packets.is_empty();
        let path = self.way_to(now, member);
        if let (false, Some(path), Some(peer)) = (waiting, path, self.shared.tables.peer(member)) {
            let (nonce, source) = (self.shared.rng.u64(), self.shared.tables.me);
            let (cipher, verb) = (peer.cipher(), Verb::Frame);
            let envelope = Envelope { nonce, destination: member, source, cipher, verb };
            let body: &[&[u8]] = &[&header, frame.payload];
            return outbound::send(&peer.keys, envelope, body, path, transmit).map(|_| ());
        }
        // Behind the credentials, or until there is a path.
        let body = [&header, frame.payload].concat();
        self.shared.out.send(member, Verb::Frame, body);
        Ok(())
    }

    /// Sends a frame for a device that is no member to the bridges it may be behind.
    fn send_to_bridges(&mut self, network: NetworkId, frame: Frame<'_>) -> Result<(), Rejected> {
        self.ask_rules(network, Address::NULL, frame, false)?;
        let view = self.shared.tables.network(network).ok_or(Rejected::UnknownNetwork)?;
        let me = self.shared.tables.me;
        let bridges = view.bridges.iter().copied().filter(|&bridge| bridge != me);
        let bridges: Vec<Address> = bridges.take(BRIDGE_RECIPIENTS_MAX).collect();
        if bridges.is_empty() {
            return Err(Rejected::NoRoute);
        }
        let Frame { destination, source, ethertype, payload } = frame;
        let header = ExtFrame::header(network, destination, source, ethertype);
        let body = [&header, payload].concat();
        for bridge in bridges {
            if self.ask_rules(network, bridge, frame, true).is_err() {
                continue;
            }
            self.shared.out.send(bridge, Verb::ExtFrame, body.clone());
        }
        Ok(())
    }
}

impl OwnedFrame {
    /// Copies a frame.
    pub(crate) fn new(network: NetworkId, frame: Frame<'_>) -> Self {
        Self {
            network,
            destination: frame.destination,
            source: frame.source,
            ethertype: frame.ethertype,
            payload: frame.payload.to_vec(),
        }
    }
}
