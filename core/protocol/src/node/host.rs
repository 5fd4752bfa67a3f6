//! From the host to the network.
//!
//! Source: spec 03 §9.3, §10.2.

use crate::address::{Address, NetworkId};
use crate::error::Rejected;
use crate::fastpath::filter::{self, Crossing};
use crate::fastpath::next_hop::{self, NextHop};
use crate::fastpath::outbound::{self, Envelope};
use crate::fastpath::tables::{Admission, NetworkView, StationView};
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
        self.open_port(network, packet)?;
        if let Some(source) = next_hop::link_local_source(packet) {
            self.networks.note_link_local(&mut self.shared.ctx(now), network, source);
        }
        let view = self.shared.tables.network(network).ok_or(Rejected::UnknownNetwork)?;
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
                self.has_grown = true;
                self.networks.resolve(&mut self.shared.ctx(now), network, address, packet)
            }
        }
    }

    /// Sends an Ethernet frame the host wrote to an L2 port.
    ///
    /// What counts is the MACs and the payload's length. A VLAN tag is part of the payload: it says
    /// nothing about who may send, and leaves the tagged packet four bytes less than the MTU, as it
    /// does in the reference. Frames need no minimal length; one without payload has nothing to say.
    pub(super) fn host_frame(
        &mut self,
        now: Instant,
        network: NetworkId,
        frame: Frame<'_>,
        transmit: &mut impl Transmit,
    ) -> Result<(), Rejected> {
        let view = self.open_port(network, frame.payload)?;
        if frame.payload.is_empty() {
            return Err(Rejected::TooShort);
        }
        if frame.source != view.mac {
            if !view.is_bridge(self.shared.tables.me) {
                return Err(Rejected::ForeignSource);
            }
            if !frame.source.is_station() {
                return Err(Rejected::BadFrameAddress);
            }
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

    /// Sends a frame of this node, or of a device it is a bridge for, to whoever its destination
    /// names.
    pub(super) fn send_frame(
        &mut self,
        now: Instant,
        network: NetworkId,
        frame: Frame<'_>,
        transmit: &mut impl Transmit,
    ) -> Result<(), Rejected> {
        let view = self.shared.tables.network(network).ok_or(Rejected::UnknownNetwork)?;
        if frame.destination.is_multicast() {
            self.has_grown = true;
            return self.networks.send_multicast(&mut self.shared.ctx(now), network, frame);
        }
        if frame.destination == view.mac {
            self.shared.out.deliveries.push_back(OwnedFrame::new(network, frame));
            return Ok(());
        }
        match frame.destination.to_member(network) {
            Some(member) => {
                self.ask_rules(now, network, member, frame, false)?;
                self.send_to_member(now, network, member, frame, transmit)
            }
            None => self.send_towards_device(now, network, frame, transmit),
        }
    }

    /// Judges a frame to `receiver`, or to nobody in particular, by the network's rules. It may
    /// have been `copied` already.
    fn ask_rules(
        &mut self,
        now: Instant,
        network: NetworkId,
        receiver: Address,
        frame: Frame<'_>,
        copied: bool,
    ) -> Result<(), Rejected> {
        let Shared { tables, rng, out, .. } = &mut self.shared;
        let direction = Direction::Outbound;
        let crossing = Crossing { network, direction, peer: receiver, frame, copied };
        let judged = filter::judge(tables, rng, out, crossing).map(drop);
        if judged == Err(Rejected::NotAMember) {
            self.networks.demand_certificate(&mut self.shared.ctx(now), network, receiver);
        }
        judged
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
        let bridged = frame.source != view.mac;
        if view.members.get(&member).is_none_or(|known| known.push_due <= now) {
            self.networks.push_credentials(&mut self.shared.ctx(now), network, member);
        }
        if bridged {
            return self.send_extended(now, network, member, frame, transmit);
        }
        let header = PlainFrame::header(network, frame.ethertype);
        self.send_packet(now, member, Verb::Frame, [&header, frame.payload], transmit)
    }

    /// Sends a frame for a device that is no member to the bridge it is behind, or, while that is
    /// not known, to all it may be behind.
    fn send_towards_device(
        &mut self,
        now: Instant,
        network: NetworkId,
        frame: Frame<'_>,
        transmit: &mut impl Transmit,
    ) -> Result<(), Rejected> {
        self.ask_rules(now, network, Address::NULL, frame, false)?;
        let Shared { tables, rng, .. } = &mut self.shared;
        let view = tables.network(network).ok_or(Rejected::UnknownNetwork)?;
        if let Some(&StationView { bridge, .. }) = view.stations.get(&frame.destination) {
            return self.send_to_bridge(now, network, bridge, frame, transmit);
        }
        let others = view.bridges.iter().copied().filter(|&bridge| bridge != tables.me);
        let mut bridges: Vec<Address> = others.collect();
        if bridges.len() > BRIDGE_RECIPIENTS_MAX {
            rng.shuffle(&mut bridges);
            bridges.truncate(BRIDGE_RECIPIENTS_MAX);
        }
        let mut outcome = Err(Rejected::NoRoute);
        for bridge in bridges {
            let sent = self.send_to_bridge(now, network, bridge, frame, transmit);
            outcome = if outcome.is_ok() { outcome } else { sent };
        }
        outcome
    }

    fn send_to_bridge(
        &mut self,
        now: Instant,
        network: NetworkId,
        bridge: Address,
        frame: Frame<'_>,
        transmit: &mut impl Transmit,
    ) -> Result<(), Rejected> {
        self.ask_rules(now, network, bridge, frame, true)?;
        self.send_extended(now, network, bridge, frame, transmit)
    }

    /// Sends a frame together with its MACs, at least one of which is not a member's.
    fn send_extended(
        &mut self,
        now: Instant,
        network: NetworkId,
        to: Address,
        frame: Frame<'_>,
        transmit: &mut impl Transmit,
    ) -> Result<(), Rejected> {
        let Frame { destination, source, ethertype, payload } = frame;
        let header = ExtFrame::header(network, destination, source, ethertype);
        self.send_packet(now, to, Verb::ExtFrame, [&header, payload], transmit)
    }

    /// Seals a frame into the driver's buffer, if there is a way to send it and nothing that has to
    /// go first.
    fn send_packet(
        &mut self,
        now: Instant,
        to: Address,
        verb: Verb,
        body: [&[u8]; 2],
        transmit: &mut impl Transmit,
    ) -> Result<(), Rejected> {
        let waiting = !self.shared.out.packets.is_empty();
        let path = self.way_to(now, to, verb);
        let (nonce, source) = (self.shared.nonce(), self.shared.tables.me);
        let tables = &self.shared.tables;
        if let (false, Some(path), Some(peer)) = (waiting, path, tables.peer(to)) {
            let way = tables.way(peer, path).ok_or(Rejected::Blacklisted)?;
            let envelope = Envelope { nonce, destination: to, source, cipher: peer.cipher(), verb };
            return outbound::send(&peer.keys, envelope, &body, way, transmit).map(|_| ());
        }
        // Behind the credentials, or until there is a path.
        self.shared.out.send(to, verb, body.concat());
        Ok(())
    }
}
