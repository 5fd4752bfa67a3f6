//! Asking who holds an address, and what waits for the answer.
//!
//! Source: spec 02 §3.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use crate::address::Address;
use crate::endpoint::Path;
use crate::limits::{WAITING_LIFETIME, WAITING_PACKETS_MAX, WHOIS_ASKED_MAX, WHOIS_INTERVAL};
use crate::memory;
use crate::outbox::{Ctx, Outgoing, Received};
use crate::time::Instant;
use crate::verb::Verb;

/// How long an address that was asked for is remembered after the last question.
const ASKED_LIFETIME: Duration = Duration::from_secs(1);

/// A received packet that nothing can be done with before an identity is known.
#[derive(Debug)]
pub(crate) struct WaitingPacket {
    /// Whose identity it waits for: its sender's, or that of a credential's signer.
    pub needs: Address,
    /// The path it came by.
    pub path: Path,
    /// The packet.
    pub content: Content,
}

/// How a packet waits.
#[derive(Debug)]
pub(crate) enum Content {
    /// As it came, because its sender is not known.
    Sealed(Vec<u8>),
    /// Authentic, because what it carries was signed by somebody who is not known.
    Opened {
        /// Who sealed it.
        from: Address,
        /// How often it was relayed.
        hops: u8,
        /// What it asks.
        verb: Verb,
        /// Its ID as on the wire.
        packet_id: u64,
        /// What follows the verb byte.
        body: Vec<u8>,
    },
}

impl Content {
    fn footprint(&self) -> usize {
        match self {
            Self::Sealed(packet) => memory::of_list(packet),
            Self::Opened { body, .. } => memory::of_list(body),
        }
    }
}

impl WaitingPacket {
    /// Returns a copy of an authentic packet, to wait for the identity of `needs`.
    pub(crate) fn opened(needs: Address, rx: &Received<'_>) -> Self {
        let Received { from, path, hops, verb, packet_id, body } = *rx;
        let content = Content::Opened { from, hops, verb, packet_id, body: body.to_vec() };
        Self { needs, path, content }
    }
}

/// Questions under way and packets that wait.
pub(crate) struct Whois {
    /// When each address was last asked for.
    asked: BTreeMap<Address, Instant>,
    /// Packets for peers without identity or path, oldest first.
    outgoing: VecDeque<(Instant, Outgoing)>,
    /// Packets from strangers, oldest first.
    incoming: VecDeque<(Instant, WaitingPacket)>,
    /// When packets that wait are next tried.
    tick: Option<Instant>,
}

impl Whois {
    pub(crate) const fn new() -> Self {
        Self {
            asked: BTreeMap::new(),
            outgoing: VecDeque::new(),
            incoming: VecDeque::new(),
            tick: None,
        }
    }

    /// Asks the best root who holds `address`, unless it was asked a moment ago.
    pub(crate) fn request(&mut self, ctx: &mut Ctx<'_>, address: Address) {
        let Some((root, _)) = ctx.tables.upstream else { return };
        let asked = self.asked.get(&address).copied();
        let known = address == ctx.me.address() || address.is_reserved();
        if known || !ctx.now.is_due(asked, WHOIS_INTERVAL) {
            return;
        }
        if asked.is_none() && self.asked.len() >= WHOIS_ASKED_MAX {
            return;
        }
        self.asked.insert(address, ctx.now);
        self.wake(ctx.now);
        ctx.out.send(root, Verb::Whois, address.to_bytes().to_vec());
    }

    /// Returns whether it was asked, and not answered yet, who holds `address`.
    pub(crate) fn is_asked(&self, address: Address) -> bool {
        self.asked.contains_key(&address)
    }

    /// Keeps a packet until its recipient can be reached; returns the one displaced, if any. While
    /// memory `is_full`, each displaces another, or is not kept.
    pub(crate) fn hold_outgoing(
        &mut self,
        now: Instant,
        is_full: bool,
        packet: Outgoing,
    ) -> Option<Outgoing> {
        self.wake(now);
        self.outgoing.push_back((now, packet));
        let full = is_full || self.outgoing.len() > WAITING_PACKETS_MAX;
        if full { self.outgoing.pop_front().map(|(_, packet)| packet) } else { None }
    }

    /// Keeps a received packet until an identity is known; returns whether one was displaced, as
    /// [above](Self::hold_outgoing).
    pub(crate) fn hold_incoming(
        &mut self,
        now: Instant,
        is_full: bool,
        packet: WaitingPacket,
    ) -> bool {
        self.wake(now);
        self.incoming.push_back((now, packet));
        let full = is_full || self.incoming.len() > WAITING_PACKETS_MAX;
        if full {
            self.incoming.pop_front();
        }
        full
    }

    /// Takes out what waited for `address` to become known.
    pub(crate) fn arrived(&mut self, address: Address) -> Vec<WaitingPacket> {
        self.asked.remove(&address);
        let (ready, waiting) =
            self.incoming.drain(..).partition(|(_, packet)| packet.needs == address);
        self.incoming = waiting;
        let ready: VecDeque<(Instant, WaitingPacket)> = ready;
        ready.into_iter().map(|(_, packet)| packet).collect()
    }

    /// Takes out every outgoing packet; those that still cannot be sent are held again with
    /// [`hold_again`](Self::hold_again), which keeps their age.
    pub(crate) fn take_outgoing(&mut self) -> VecDeque<(Instant, Outgoing)> {
        core::mem::take(&mut self.outgoing)
    }

    /// Keeps a packet that has waited since `since` a while longer.
    pub(crate) fn hold_again(&mut self, since: Instant, packet: Outgoing) {
        self.outgoing.push_back((since, packet));
    }

    /// Returns whether any packet waits to be sent.
    pub(crate) fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Gives up what has waited too long and asks again for the rest; returns how many packets
    /// were given up.
    pub(crate) fn handle_timeout(&mut self, ctx: &mut Ctx<'_>) -> usize {
        if self.tick.is_none_or(|tick| tick > ctx.now) {
            return 0;
        }
        let now = ctx.now;
        let before = self.outgoing.len() + self.incoming.len();
        self.outgoing.retain(|(since, _)| now.since(*since) < WAITING_LIFETIME);
        self.incoming.retain(|(since, _)| now.since(*since) < WAITING_LIFETIME);
        self.asked.retain(|_, asked| now.since(*asked) < ASKED_LIFETIME);
        let given_up = before - self.outgoing.len() - self.incoming.len();

        self.tick = None;
        let unknown = self.outgoing.iter().map(|(_, packet)| packet.to);
        let unknown = unknown.filter(|to| ctx.tables.peer(*to).is_none());
        let mut wanted: Vec<Address> =
            unknown.chain(self.incoming.iter().map(|(_, packet)| packet.needs)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        for address in wanted {
            self.request(ctx, address);
        }
        if !self.outgoing.is_empty() || !self.incoming.is_empty() {
            self.wake(now);
        }
        given_up
    }

    /// Gives back the room its queues have grown and do not need.
    pub(crate) fn shrink(&mut self) {
        self.outgoing.shrink_to_fit();
        self.incoming.shrink_to_fit();
    }

    /// Returns what it takes, in bytes.
    pub(crate) fn footprint(&self) -> usize {
        let outgoing = self.outgoing.iter().map(|(_, packet)| memory::of_list(&packet.body));
        let incoming = self.incoming.iter().map(|(_, packet)| packet.content.footprint());
        memory::of_tree(&self.asked)
            + memory::of_queue(&self.outgoing)
            + memory::of_queue(&self.incoming)
            + outgoing.chain(incoming).sum::<usize>()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) next has something to do.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.tick
    }

    /// Has what waits tried again one interval from `now`, or sooner if that is under way.
    fn wake(&mut self, now: Instant) {
        self.tick.get_or_insert(now + WHOIS_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::SocketId;

    const SIGNER: Address = Address::from_u64(0x01_0203_0405);

    fn credentials(packet_id: u64) -> WaitingPacket {
        let path = Path { local: SocketId(0), remote: ([192, 0, 2, 1], 9993).into() };
        let (from, verb) = (Address::from_u64(0x05_0403_0201), Verb::NetworkCredentials);
        let rx = Received { from, path, hops: 0, verb, packet_id, body: b"shown" };
        WaitingPacket::opened(SIGNER, &rx)
    }

    #[test]
    fn what_waits_for_a_signer_is_handed_out_once_and_in_order() {
        let mut whois = Whois::new();
        whois.hold_incoming(Instant::ZERO, false, credentials(1));
        whois.hold_incoming(Instant::ZERO, false, credentials(2));

        assert!(whois.arrived(Address::from_u64(7)).is_empty());
        let ready = whois.arrived(SIGNER).into_iter().map(|packet| match packet.content {
            Content::Opened { packet_id, body, .. } => (packet_id, body),
            Content::Sealed(_) => panic!("it was opened"),
        });

        assert_eq!(ready.collect::<Vec<_>>(), [(1, b"shown".to_vec()), (2, b"shown".to_vec())]);
        assert!(whois.arrived(SIGNER).is_empty());
    }

    #[test]
    fn the_oldest_of_too_many_is_given_up() {
        let mut whois = Whois::new();
        let displaced = (0..=WAITING_PACKETS_MAX as u64)
            .filter(|&n| whois.hold_incoming(Instant::ZERO, false, credentials(n)))
            .count();

        assert_eq!(displaced, 1);
        assert_eq!(whois.arrived(SIGNER).len(), WAITING_PACKETS_MAX);
    }

    #[test]
    fn nothing_further_waits_while_memory_is_short() {
        let mut whois = Whois::new();
        assert!(!whois.hold_incoming(Instant::ZERO, false, credentials(1)));
        let before = whois.footprint();

        assert!(whois.hold_incoming(Instant::ZERO, true, credentials(2)));
        assert_eq!(whois.footprint(), before);
        assert_eq!(whois.arrived(SIGNER).len(), 1);
        assert!(whois.hold_incoming(Instant::ZERO, true, credentials(3)));
        assert!(whois.arrived(SIGNER).is_empty());
    }
}
