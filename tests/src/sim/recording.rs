//! Packets overheard between nodes, opened with an independent ear, and packets put in a node's
//! mouth.

use std::net::SocketAddr;

use zt_protocol::time::Instant;
use zt_protocol::verb::Verb;

use super::host::EPOCH;
use super::internet::Datagram;
use super::world::{NodeId, World};
use crate::packet::{Packet, is_fragment};
use crate::persona::{Hello, Persona};

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
        let source = self.internet.addresses(from)[0];
        self.say_as_if_at(source, from, to, verb, body);
    }

    /// As [`say`](Self::say), as if `from` were at `source`; returns how long the packet is.
    ///
    /// A HELLO says what a node of this world would, whatever its `body`.
    pub fn say_as_if_at(
        &mut self,
        source: SocketAddr,
        from: NodeId,
        to: NodeId,
        verb: Verb,
        body: &[u8],
    ) -> usize {
        let sender = self.persona(from);
        let known = self.keys.get(&(from, to)).copied();
        let key = known.unwrap_or_else(|| sender.key_with(&self.persona(to)));
        self.keys.insert((from, to), key);
        let id = self.rng.bytes();
        let hello = Hello {
            protocol: 12,
            timestamp: EPOCH.0 + self.now.as_micros() / 1_000,
            sent_to: self.internet.addresses(to)[0],
            planet: (0x5eed, 0),
        };
        let is_hello = verb == Verb::Hello;
        let packet = Packet {
            id,
            to: self.address_of(to),
            from: sender.address,
            cipher: if is_hello { 0 } else { 1 },
            hops: 0,
            verb: verb as u8,
            compressed: false,
            payload: if is_hello { hello.payload(&sender, id, &key) } else { body.to_vec() },
        };
        let datagram = packet.seal(&key);
        self.inject(to, source, &datagram);
        datagram.len()
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
