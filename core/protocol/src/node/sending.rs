//! How what the subsystems said gets out.
//!
//! Source: spec 02 §4.6.

use crate::address::Address;
use crate::endpoint::{Path, SocketId};
use crate::error::Rejected;
use crate::fastpath::outbound::{self, Envelope};
use crate::limits::{DISPATCH_STEPS_MAX, HEADER_LEN};
use crate::node::control::Control;
use crate::outbox::{Outgoing, Received, Route, Seal};
use crate::path_rules::Way;
use crate::suite;
use crate::time::Instant;
use crate::transmit::{FrameSink, Transmit};
use crate::verb::Verb;
use crate::wire::header::Cipher;
use crate::wire::hello;

/// How far the datagram gets that opens this side's NAT (spec 02 §2.6).
const PUNCH_HOPS: u8 = 2;

/// The packet ID of what a node asks itself (spec 04 §2.7).
const LOOPED_BACK: u64 = u64::MAX;

impl Control {
    /// Acts on the outbox until it is empty.
    pub(super) fn drain(
        &mut self,
        now: Instant,
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) {
        for _ in 0..DISPATCH_STEPS_MAX {
            let out = &mut self.shared.out;
            let outcome = if self.peers.is_parked() && out.discard_next() {
                Err(Rejected::Offline)
            } else if let Some(packet) = out.packets.pop_front() {
                self.send(now, packet, transmit, sink)
            } else if let Some(address) = out.whois.pop_front() {
                if self.knows(now, address) { Ok(()) } else { self.ask_who_is(now, address) }
            } else if let Some(address) = out.impostors.pop_front() {
                self.networks.find_impostor(&mut self.shared.ctx(now), address);
                Ok(())
            } else if let Some(frame) = out.frames.pop_front() {
                self.send_frame(now, frame.network, frame.as_frame(), transmit)
            } else if let Some(frame) = out.deliveries.pop_front() {
                sink.deliver(frame.network, frame.as_frame());
                Ok(())
            } else if let Some(refused) = out.refused.pop_front() {
                Err(refused)
            } else if let Some(path) = out.punches.pop_front() {
                transmit.send_short_lived(path, PUNCH_HOPS, &self.shared.rng.bytes::<4>());
                Ok(())
            } else if !self.peers.is_parked()
                && self.whois.has_outgoing()
                && self.flush_waiting(now, transmit)
            {
                Ok(())
            } else {
                return;
            };
            if let Err(rejected) = outcome {
                self.count(rejected);
            }
        }
    }

    /// Sends a packet the way it says, or keeps it until there is one.
    fn send(
        &mut self,
        now: Instant,
        packet: Outgoing,
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) -> Result<(), Rejected> {
        self.has_grown = true;
        if packet.to == self.shared.me.address() {
            return self.loop_back(now, &packet, transmit, sink);
        }
        match packet.route {
            Route::Best => {}
            Route::Direct(path) => return self.send_direct(packet, path, transmit),
            Route::Back(path) => return self.answer(now, packet, path, transmit),
        }
        let known = self.knows(now, packet.to);
        match self.way_to(now, packet.to, packet.verb) {
            Some(path) if known => self.seal_and_send(packet, path, transmit),
            _ => {
                if !known {
                    self.ask_who_is(now, packet.to)?;
                }
                let displaced = self.whois.hold_outgoing(now, self.shared.is_full, packet);
                displaced.map_or(Ok(()), |_| Err(Rejected::NoPath))
            }
        }
    }

    /// Sends a packet on a path, and if that is from all sockets, through the TCP relay as well while
    /// it stands in for them.
    fn send_direct(
        &mut self,
        packet: Outgoing,
        path: Path,
        transmit: &mut impl Transmit,
    ) -> Result<(), Rejected> {
        let tables = &self.shared.tables;
        let is_from_all = path.local == SocketId::ALL;
        if is_from_all && tables.uses_tcp_relay && tables.is_tcp_relayable(path.remote) {
            let relayed = Path::through_tcp_relay(path.remote);
            self.seal_and_send(packet.clone(), relayed, transmit)?;
        }
        self.seal_and_send(packet, path, transmit)
    }

    /// Sends a packet back where one came from, as far as that has earned it.
    ///
    /// What has not been earned goes the best way instead, which is one that was proven, and so does
    /// what came through a TCP relay that is no longer needed: others shall leave it, too. A HELLO that
    /// asks for a path to be confirmed has to go there, and is cut down to an ECHO, the answer to
    /// which confirms as well.
    fn answer(
        &mut self,
        now: Instant,
        mut packet: Outgoing,
        path: Path,
        transmit: &mut impl Transmit,
    ) -> Result<(), Rejected> {
        let (tables, relayed) = (&self.shared.tables, self.at_hand_relayed);
        if path.is_through_tcp_relay() && !tables.uses_tcp_relay {
            return self.answer_elsewhere(now, packet, transmit);
        }
        if self.peers.is_proven(tables, packet.to, path, relayed) {
            return self.seal_and_send(packet, path, transmit);
        }
        if self.allowances.spend(now, path, HEADER_LEN + packet.body.len()) {
            return self.seal_and_send(packet, path, transmit);
        }
        if packet.verb != Verb::Hello {
            return self.answer_elsewhere(now, packet, transmit);
        }
        if !self.peers.takes_echo(packet.to) || !self.allowances.spend(now, path, HEADER_LEN) {
            return Err(Rejected::Unproven);
        }
        (packet.verb, packet.body) = (Verb::Echo, Vec::new());
        self.seal_and_send(packet, path, transmit)
    }

    /// Sends a packet not back but by the best way, if its recipient is known.
    fn answer_elsewhere(
        &mut self,
        now: Instant,
        packet: Outgoing,
        transmit: &mut impl Transmit,
    ) -> Result<(), Rejected> {
        let known = packet.seal == Seal::Peer;
        let best = self.way_to(now, packet.to, packet.verb).filter(|_| known);
        self.seal_and_send(packet, best.ok_or(Rejected::Unproven)?, transmit)
    }

    /// Sends what waited and can be sent by now; returns whether anything was.
    fn flush_waiting(&mut self, now: Instant, transmit: &mut impl Transmit) -> bool {
        let mut sent = false;
        for (since, packet) in self.whois.take_outgoing() {
            let known = self.knows(now, packet.to);
            match self.way_to(now, packet.to, packet.verb) {
                Some(path) if known => {
                    sent = true;
                    if let Err(rejected) = self.seal_and_send(packet, path, transmit) {
                        self.count(rejected);
                    }
                }
                _ => {
                    if !known {
                        self.whois.request(&mut self.shared.ctx(now), packet.to);
                    }
                    self.whois.hold_again(since, packet);
                }
            }
        }
        sent
    }

    /// Returns where to send a packet for `address`: to itself, else to the best root, else to
    /// where it was last heard.
    pub(super) fn way_to(&mut self, now: Instant, address: Address, verb: Verb) -> Option<Path> {
        if !self.shared.tables.path_rules.endpoints(address).is_empty() {
            self.peers.try_configured(&mut self.shared.ctx(now), &self.roots, address);
        }
        let tables = &mut self.shared.tables;
        let mut peer = tables.peer_mut(address);
        let direct = peer.as_ref().and_then(|peer| peer.path);
        if direct.is_some()
            && is_answered(verb)
            && let Some(peer) = &mut peer
            && peer.relied_on.replace(now).is_none()
        {
            self.peers.watch(now, address);
        }
        let Some((root, relayed)) = tables.upstream else {
            return direct.or_else(|| self.peers.any_path(now, address));
        };
        let path = direct.unwrap_or(relayed);
        if path == relayed {
            self.peers.rely_on(now, root);
        }
        Some(path)
    }

    fn seal_and_send(
        &mut self,
        mut packet: Outgoing,
        path: Path,
        transmit: &mut impl Transmit,
    ) -> Result<(), Rejected> {
        let shared = &mut self.shared;
        let nonce = shared.nonce();
        let peer = shared.tables.peer(packet.to);
        let (keys, encrypted) = match (&packet.seal, peer) {
            (Seal::Newcomer(keys), _) => (keys, Cipher::Salsa),
            (Seal::Peer, Some(peer)) => (&peer.keys, peer.cipher()),
            (Seal::Peer, None) => return Err(Rejected::NoPath),
        };
        let way = match peer {
            // What asks for a path to be proven, and the proof, are sealed on any.
            Some(peer) if packet.route == Route::Best => shared.tables.way(peer, path),
            _ => shared.tables.path_rules.way(path).map(Way::sealed),
        };
        let way = way.ok_or(Rejected::Blacklisted)?;
        let cipher = if is_in_clear(packet.verb) { Cipher::Authenticated } else { encrypted };
        if packet.verb == Verb::Hello
            && let Some(offset) = hello::tail_offset(&packet.body)
            && let Some(tail) = packet.body.get_mut(offset..)
        {
            suite::mask_hello_tail(keys, nonce, tail);
        }
        let (source, destination, verb) = (shared.tables.me, packet.to, packet.verb);
        let envelope = Envelope { nonce, destination, source, cipher, verb };
        let wire_id = outbound::send(keys, envelope, &[&packet.body], way, transmit)?;
        if expects_reply(packet.verb) {
            self.expected.insert(wire_id);
        }
        if packet.verb == Verb::NetworkConfigRequest {
            self.networks.asked(&packet.body, wire_id);
        }
        Ok(())
    }

    /// Takes in what this node says to itself: a controller may be its own member.
    fn loop_back(
        &mut self,
        now: Instant,
        packet: &Outgoing,
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) -> Result<(), Rejected> {
        let nowhere = core::net::SocketAddr::from(([0, 0, 0, 0], 0));
        let rx = Received {
            from: packet.to,
            path: Path::from_all(nowhere),
            hops: 0,
            verb: packet.verb,
            packet_id: LOOPED_BACK,
            body: &packet.body,
        };
        // Only requests a node can serve itself; frames to itself never come this way.
        match packet.verb {
            Verb::NetworkConfigRequest | Verb::NetworkConfig | Verb::Ok | Verb::Error => {
                self.act_on(now, rx, transmit, sink)
            }
            Verb::NetworkCredentials | Verb::MulticastLike => self.act_on(now, rx, transmit, sink),
            _ => Ok(()),
        }
    }
}

/// Returns whether packets of this verb are not encrypted (spec 02 §2.1, §2.12).
const fn is_in_clear(verb: Verb) -> bool {
    matches!(verb, Verb::Hello | Verb::PathNegotiationRequest)
}

/// Returns whether a packet of this verb is most often followed by one from the peer, so that
/// silence after it means something.
const fn is_answered(verb: Verb) -> bool {
    matches!(verb, Verb::Frame | Verb::ExtFrame | Verb::NetworkConfigRequest)
}

/// Returns whether answers to packets of this verb are believed (spec 02 §2.0).
const fn expects_reply(verb: Verb) -> bool {
    !matches!(
        verb,
        Verb::Ok
            | Verb::Error
            | Verb::Rendezvous
            | Verb::PushDirectPaths
            | Verb::PathNegotiationRequest
    )
}
