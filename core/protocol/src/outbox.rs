//! What subsystems hand out: packets to send, frames to inject, state to save, news for the host.
//!
//! A subsystem never calls another and never sends. It pushes here, and `node/dispatch.rs` carries
//! on when the call returns.

use core::fmt;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::address::{Address, Mac, NetworkId};
use crate::endpoint::Path;
use crate::error::Rejected;
use crate::event::Event;
use crate::fastpath::tables::Tables;
pub use crate::identity::Directory;
use crate::identity::SecretIdentity;
use crate::memory;
use crate::rng::Rng;
use crate::suite::PeerKeys;
use crate::time::{Instant, UnixMillis};
use crate::transmit::Frame;
use crate::verb::Verb;

/// What every method of a subsystem is given.
pub struct Ctx<'a> {
    /// The time, read once per call of the node.
    pub now: Instant,
    /// The wall clock's time.
    pub unix: UnixMillis,
    /// Whether memory is short: nobody is taken in who is not known, and nothing new remembered.
    pub is_full: bool,
    /// Chance.
    pub rng: &'a mut Rng,
    /// Who this node is.
    pub me: &'a SecretIdentity,
    /// What the data plane reads.
    pub tables: &'a mut Tables,
    /// What the subsystem says.
    pub out: &'a mut Outbox,
}

/// A packet that was received, opened and is authentic.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Who sealed it.
    pub from: Address,
    /// The path its head came by.
    pub path: Path,
    /// How often it was relayed; `path` leads to the sender only if this is 0.
    pub hops: u8,
    /// What it asks.
    pub verb: Verb,
    /// Its ID as on the wire.
    pub packet_id: u64,
    /// What follows the verb byte, decompressed.
    pub body: &'a [u8],
}

/// A packet that shall be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outgoing {
    /// Who for. The node's own address loops back: the body is dispatched as if received.
    pub to: Address,
    /// What it asks.
    pub verb: Verb,
    /// What follows the verb byte, uncompressed.
    pub body: Vec<u8>,
    /// Which way.
    pub route: Route,
    /// With which keys.
    pub seal: Seal,
}

/// Which keys seal a packet.
#[derive(Clone)]
pub enum Seal {
    /// The recipient's, with the suite it is known to take.
    Peer,
    /// These, with suite 1. For whom nothing but a HELLO is known of: the first OK to a newcomer,
    /// and the ERROR to one whose address is taken (spec 01 §6, §11.3).
    Newcomer(Arc<PeerKeys>),
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// The best path, else relayed, else queued until there is one (spec 02 §4.6).
    Best,
    /// This path and no other, in one datagram if it is at most a packet long.
    Direct(Path),
    /// The path by which the packet at hand came, as far as it has earned an answer: whoever sent
    /// it need not be at the other end.
    Back(Path),
}

/// Everything subsystems have said and nobody has acted on yet.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Packets to send, in order.
    pub packets: VecDeque<Outgoing>,
    /// Ethernet frames that the node itself sends to a network, as if the host had.
    pub frames: VecDeque<OwnedFrame>,
    /// Ethernet frames for the host, as if the network had sent them.
    pub deliveries: VecDeque<OwnedFrame>,
    /// Addresses whose identity somebody needs.
    pub whois: VecDeque<Address>,
    /// Addresses at which somebody else was found than should be there.
    pub impostors: VecDeque<Address>,
    /// Paths on which this side's NAT shall be opened by a datagram that need not arrive.
    pub punches: VecDeque<Path>,
    /// Why parts of a packet were refused whose other parts count.
    pub refused: VecDeque<Rejected>,
    /// News for the host and state to save.
    pub events: VecDeque<Event>,
}

/// A frame that outlives the call it came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnedFrame {
    /// The network it is sent to or came from.
    pub network: NetworkId,
    /// Who it is for.
    pub destination: Mac,
    /// Who it is from.
    pub source: Mac,
    /// What the payload is.
    pub ethertype: u16,
    /// What follows the Ethernet header.
    pub payload: Vec<u8>,
}

impl OwnedFrame {
    /// Copies a frame.
    #[must_use]
    pub fn new(network: NetworkId, frame: Frame<'_>) -> Self {
        Self {
            network,
            destination: frame.destination,
            source: frame.source,
            ethertype: frame.ethertype,
            payload: frame.payload.to_vec(),
        }
    }

    /// Lends the frame.
    #[must_use]
    pub fn as_frame(&self) -> Frame<'_> {
        Frame {
            destination: self.destination,
            source: self.source,
            ethertype: self.ethertype,
            payload: &self.payload,
        }
    }
}

impl Outbox {
    /// Sends `body` to `to` by the best way there is.
    pub fn send(&mut self, to: Address, verb: Verb, body: Vec<u8>) {
        self.packets.push_back(Outgoing { to, verb, body, route: Route::Best, seal: Seal::Peer });
    }

    /// Returns what its queues take, in bytes. What is in them is handed out before a call of the
    /// node ends.
    #[must_use]
    pub fn footprint(&self) -> usize {
        memory::of_queue(&self.packets)
            + memory::of_queue(&self.frames)
            + memory::of_queue(&self.deliveries)
            + memory::of_queue(&self.whois)
            + memory::of_queue(&self.impostors)
            + memory::of_queue(&self.punches)
            + memory::of_queue(&self.refused)
            + memory::of_queue(&self.events)
    }

    /// Gives back the room its queues have grown and do not need.
    pub fn shrink(&mut self) {
        self.packets.shrink_to_fit();
        self.frames.shrink_to_fit();
        self.deliveries.shrink_to_fit();
        self.whois.shrink_to_fit();
        self.punches.shrink_to_fit();
        self.refused.shrink_to_fit();
        self.events.shrink_to_fit();
    }

    /// Drops the next thing that would be sent; returns whether there was any.
    pub fn discard_next(&mut self) -> bool {
        self.packets.pop_front().is_some()
            || self.frames.pop_front().is_some()
            || self.whois.pop_front().is_some()
            || self.punches.pop_front().is_some()
    }

    /// Sends `body` to `to` on `path`.
    pub fn send_on(&mut self, path: Path, to: Address, verb: Verb, body: Vec<u8>) {
        let route = Route::Direct(path);
        self.packets.push_back(Outgoing { to, verb, body, route, seal: Seal::Peer });
    }

    /// Answers `to` with `body` on `path`, by which it was heard.
    pub fn answer_on(&mut self, path: Path, to: Address, verb: Verb, body: Vec<u8>) {
        let route = Route::Back(path);
        self.packets.push_back(Outgoing { to, verb, body, route, seal: Seal::Peer });
    }

    /// Answers with `body` on `path` to `to`, whose keys are `keys` whatever is known of that address.
    pub fn answer_newcomer(
        &mut self,
        path: Path,
        to: Address,
        keys: Arc<PeerKeys>,
        verb: Verb,
        body: Vec<u8>,
    ) {
        let route = Route::Back(path);
        self.packets.push_back(Outgoing { to, verb, body, route, seal: Seal::Newcomer(keys) });
    }
}

impl Eq for Seal {}

impl PartialEq for Seal {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Peer, Self::Peer) => true,
            (Self::Newcomer(keys), Self::Newcomer(others)) => Arc::ptr_eq(keys, others),
            (Self::Peer, Self::Newcomer(_)) | (Self::Newcomer(_), Self::Peer) => false,
        }
    }
}

/// Names the kind of seal; keys are never printed.
impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Peer => "Peer",
            Self::Newcomer(_) => "Newcomer",
        })
    }
}
