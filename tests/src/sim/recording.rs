//! Packets overheard between nodes, opened with an independent ear, and packets put in a node's
//! mouth.

use std::net::SocketAddr;

use zt_protocol::time::Instant;
use zt_protocol::verb::Verb;

use super::internet::Datagram;
use super::world::{NodeId, World};
use crate::packet::{Packet, is_fragment};
use crate::persona::Persona;

/// A datagram that arrived.
pub(super) struct Overheard {
    pub(super) at: Instant,
    pub(super) to: NodeId,
    pub(super) datagram: Datagram,
}

impl World {
    /// Keeps every datagram that arrives from now on.
    pub fn start_recording(&mut self) {
        self.recording.get_or_insert_default();
    }

    /// Forgets what was kept and keeps nothing from now on.
    pub fn stop_recording(&mut self) {
        self.recording = None;
    }

    /// Returns the packets of one datagram that `from` has sent `to` by themselves while they
    /// were recorded, and when each arrived.
    #[must_use]
    pub fn packets(&self, from: NodeId, to: NodeId) -> Vec<(Instant, Packet)> {
        let [sender, receiver] = [from, to].map(|node| self.persona(node));
        let key = sender.key_with(&receiver);
        self.recording
            .iter()
            .flatten()
            .filter(|overheard| (overheard.datagram.from, overheard.to) == (from, to))
            .filter(|overheard| is_between(&overheard.datagram.bytes, &sender, &receiver))
            .filter_map(|Overheard { at, datagram, .. }| {
                Some((*at, Packet::open(&key, &datagram.bytes).ok()?))
            })
            .collect()
    }

    /// Returns the last `count` datagrams recorded: at whom they arrived, from where, with what.
    #[must_use]
    pub fn last_datagrams(&self, count: usize) -> Vec<(NodeId, SocketAddr, Vec<u8>)> {
        let recorded = self.recording.as_deref().unwrap_or_default();
        recorded[recorded.len().saturating_sub(count)..]
            .iter()
            .map(|Overheard { to, datagram, .. }| (*to, datagram.source, datagram.bytes.clone()))
            .collect()
    }

    /// Lets a packet arrive at `to` that `from` never sent but might have.
    pub fn say(&mut self, from: NodeId, to: NodeId, verb: Verb, body: &[u8]) {
        let keys = &self.keys;
        let key = keys.get(&(from, to)).copied().unwrap_or_else(|| {
            let [sender, receiver] = [from, to].map(|node| self.persona(node));
            sender.key_with(&receiver)
        });
        self.keys.insert((from, to), key);
        let packet = Packet {
            id: self.rng.bytes(),
            to: self.address_of(to),
            from: self.address_of(from),
            cipher: 1,
            hops: 0,
            verb: verb as u8,
            compressed: false,
            payload: body.to_vec(),
        };
        let source = self.internet.addresses(from)[0];
        self.inject(to, source, &packet.seal(&key));
    }

    fn persona(&self, node: NodeId) -> Persona {
        Persona::from_text(&self.identity_of(node).to_text())
    }
}

/// Returns whether a datagram is the whole of a packet between these two, not one that is relayed.
fn is_between(datagram: &[u8], sender: &Persona, receiver: &Persona) -> bool {
    datagram.len() >= 28
        && !is_fragment(datagram)
        && datagram[18] & 0x40 == 0
        && datagram[8..13] == receiver.address.to_bytes()
        && datagram[13..18] == sender.address.to_bytes()
}
