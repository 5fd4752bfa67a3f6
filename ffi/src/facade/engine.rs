//! A node without sockets, clock, threads or disk, for programs with a loop of their own.
//!
//! What a [runtime's node](super::Node) does by itself, the program does here: it passes in datagrams,
//! packets and the time, and then takes out what there is to send, to deliver and to save, and when to
//! come back.

use std::collections::VecDeque;
use std::net::SocketAddr;

use zeroize::Zeroizing;
use zt_protocol::address::{Address, Mac, NetworkId};
use zt_protocol::command::Command;
use zt_protocol::endpoint::{Path, SocketId};
use zt_protocol::event::{Event as NodeEvent, StoreKey};
use zt_protocol::identity::SecretIdentity;
use zt_protocol::node::{Config, Node};
use zt_protocol::nonce::Epoch;
use zt_protocol::path_rules::PathRules;
use zt_protocol::pins::Pins;
use zt_protocol::time::{Instant, UnixMillis};
use zt_protocol::transmit::{Cut, Frame, FrameSink, Transmit};
use zt_protocol::world::{World, WorldKind};
use zt_runtime::store::name_of;

use super::error::ZtError;
use super::events::Event;
use super::node::memory_budget;
use super::ports::PortMode;
use super::worlds::read_world;

/// Packets that wait to be sent, or frames that wait to be taken, at most; further ones are lost.
const WAITING_MAX: usize = 1_024;

/// Events and pieces of state that wait to be taken, at most; the oldest are forgotten.
const NEWS_MAX: usize = 1_024;

/// The length of the Ethernet header that stands in front of frames of L2, in bytes.
const ETHERNET_HEADER_LEN: usize = 14;

/// How an engine shall be.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig<'a> {
    /// The identity with its private key, as text.
    pub identity: &'a str,
    /// The planet, as in a planet file; that of Earth if `None`.
    pub planet: Option<&'a [u8]>,
    /// What was saved last under the name `epoch`; `None` the first time. A program that keeps the
    /// identity has to keep this as well, before it sends anything: packet IDs follow from it.
    pub epoch: Option<&'a [u8]>,
    /// Random bytes, never used before.
    pub seed: [u8; 32],
    /// Whether peers may be reached at loopback addresses.
    pub allow_loopback: bool,
    /// The time of the program's clock, in µs since whenever.
    pub now_us: u64,
    /// The wall clock's time, in ms since the Unix epoch.
    pub unix_ms: u64,
    /// How many bytes the node's tables may take; as much as their own limits allow if `None`.
    pub memory_budget: Option<u64>,
}

/// A node as a value.
pub struct Engine {
    node: Node,
    out: Outgoing,
    frames: Incoming,
    events: VecDeque<Event>,
    stores: VecDeque<Stored>,
    networks: Vec<(NetworkId, PortMode)>,
}

/// Something to save.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// Its name: the path of a file within a home directory.
    pub name: String,
    /// What to keep; `None` to forget what was kept.
    pub bytes: Option<Vec<u8>>,
}

/// Packets cut into datagrams.
#[derive(Default)]
struct Outgoing {
    packets: VecDeque<Packet>,
}

struct Packet {
    remote: SocketAddr,
    datagram_len: usize,
    /// Where the next datagram begins.
    next: usize,
    bytes: Vec<u8>,
}

/// Frames for the host, as it wants them.
#[derive(Default)]
struct Incoming {
    frames: VecDeque<(NetworkId, Vec<u8>)>,
    l2: Vec<NetworkId>,
}

impl Engine {
    /// Makes a node.
    ///
    /// # Errors
    ///
    /// [`ZtError::InvalidArgument`] for the identity and a memory budget no node can do with,
    /// [`ZtError::World`] for the planet.
    pub fn new(config: EngineConfig<'_>) -> Result<Self, ZtError> {
        let identity = SecretIdentity::from_text(config.identity.trim())
            .map_err(|why| ZtError::InvalidArgument(why.to_string()))?;
        let planet = match config.planet {
            Some(bytes) => read_world(bytes, WorldKind::Planet)?,
            None => World::default_planet(),
        };
        let (now, unix) = (Instant::from_micros(config.now_us), UnixMillis(config.unix_ms));
        let epoch = Epoch::after(config.epoch, unix);
        let seed = Zeroizing::new(config.seed);
        let config = Config {
            planet,
            moons: Vec::new(),
            pins: Pins::new(),
            controller: false,
            epoch: Some(epoch),
            platform: "embedded/unknown",
            path_rules: PathRules::default(),
            low_bandwidth: false,
            memory_budget: config.memory_budget.map(memory_budget).transpose()?,
            allow_loopback: config.allow_loopback,
        };
        let mut engine = Self {
            node: Node::new(identity, config, *seed, now, unix),
            out: Outgoing::default(),
            frames: Incoming::default(),
            events: VecDeque::new(),
            stores: VecDeque::new(),
            networks: Vec::new(),
        };
        engine.store(StoreKey::Epoch, Some(epoch.successor().to_text().into_bytes()));
        engine.drain();
        Ok(engine)
    }

    /// Returns the node's address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.node.identity().address()
    }

    /// Tells the wall clock's time, at the start and whenever it has jumped.
    pub fn set_unix_time(&mut self, now_us: u64, unix_ms: u64) {
        self.node.set_unix_time(Instant::from_micros(now_us), UnixMillis(unix_ms));
    }

    /// Names this machine's own physical addresses, with the port peers reach them at.
    ///
    /// # Errors
    ///
    /// None that a program could cause.
    pub fn set_local_addresses(
        &mut self,
        now_us: u64,
        addresses: Vec<SocketAddr>,
    ) -> Result<(), ZtError> {
        self.command(now_us, Command::LocalAddresses(addresses))
    }

    /// Joins a network; `cached` is what was saved last under its name.
    ///
    /// # Errors
    ///
    /// [`ZtError::InvalidNetwork`], [`ZtError::TooMany`].
    pub fn join(
        &mut self,
        now_us: u64,
        network: NetworkId,
        mode: PortMode,
        cached: Option<Vec<u8>>,
    ) -> Result<(), ZtError> {
        self.command(now_us, Command::Join { network, mode: mode.into(), cached })?;
        self.networks.retain(|&(joined, _)| joined != network);
        self.networks.push((network, mode));
        let l2 = self.networks.iter().filter(|(_, mode)| *mode == PortMode::L2);
        self.frames.l2 = l2.map(|&(network, _)| network).collect();
        Ok(())
    }

    /// Leaves a network.
    ///
    /// # Errors
    ///
    /// [`ZtError::NotJoined`].
    pub fn leave(&mut self, now_us: u64, network: NetworkId) -> Result<(), ZtError> {
        self.command(now_us, Command::Leave(network))?;
        self.networks.retain(|&(joined, _)| joined != network);
        Ok(())
    }

    /// Takes in a datagram from `remote`. It is decrypted in place, so it is clobbered.
    ///
    /// # Errors
    ///
    /// [`ZtError::Rejected`] says why it was dropped, which is nobody's fault here.
    pub fn datagram_in(
        &mut self,
        now_us: u64,
        remote: SocketAddr,
        datagram: &mut [u8],
    ) -> Result<(), ZtError> {
        let path = Path { local: SocketId(0), remote };
        let (now, out, frames) = (Instant::from_micros(now_us), &mut self.out, &mut self.frames);
        let taken = self.node.handle_datagram(now, path, datagram, out, frames);
        self.drain();
        Ok(taken?)
    }

    /// Takes out the next datagram to send: `take` is told where to, and is lent it.
    ///
    /// Returns what `take` says; `None` if there is nothing to send. If it says false, the datagram
    /// stays.
    pub fn datagram_out(&mut self, take: impl FnOnce(SocketAddr, &[u8]) -> bool) -> Option<bool> {
        let packet = self.out.packets.front_mut()?;
        let end = packet.bytes.len().min(packet.next + packet.datagram_len);
        let is_taken = take(packet.remote, &packet.bytes[packet.next..end]);
        if is_taken {
            packet.next = end;
            if end == packet.bytes.len() {
                self.out.packets.pop_front();
            }
        }
        Some(is_taken)
    }

    /// Takes in what the host sends to a network: an IP packet, or an Ethernet frame, as it was joined.
    ///
    /// # Errors
    ///
    /// [`ZtError::NotJoined`], and [`ZtError::Rejected`], which says why it was dropped.
    pub fn frame_in(
        &mut self,
        now_us: u64,
        network: NetworkId,
        bytes: &[u8],
    ) -> Result<(), ZtError> {
        let joined = self.networks.iter().find(|&&(joined, _)| joined == network);
        let &(_, mode) = joined.ok_or(ZtError::NotJoined(network))?;
        let (now, out, frames) = (Instant::from_micros(now_us), &mut self.out, &mut self.frames);
        let taken = match mode {
            PortMode::L3 => self.node.handle_packet(now, network, bytes, out, frames),
            PortMode::L2 => {
                let frame = parse_frame(bytes).ok_or_else(|| {
                    ZtError::InvalidArgument("this is no Ethernet frame".to_owned())
                })?;
                self.node.handle_frame(now, network, frame, out, frames)
            }
        };
        self.drain();
        Ok(taken?)
    }

    /// Takes out the next frame for the host, as [`datagram_out`](Self::datagram_out).
    pub fn frame_out(&mut self, take: impl FnOnce(NetworkId, &[u8]) -> bool) -> Option<bool> {
        let (network, bytes) = self.frames.frames.front()?;
        let is_taken = take(*network, bytes);
        if is_taken {
            self.frames.frames.pop_front();
        }
        Some(is_taken)
    }

    /// Lets time pass. Calling early is harmless; calling late delays what was due.
    pub fn timeout(&mut self, now_us: u64) {
        let now = Instant::from_micros(now_us);
        self.node.handle_timeout(now, &mut self.out, &mut self.frames);
        self.drain();
    }

    /// Gives back the memory that the node can do without; connections in use go on.
    ///
    /// # Errors
    ///
    /// None that a program could cause.
    pub fn trim_memory(&mut self, now_us: u64) -> Result<(), ZtError> {
        let trimmed = self.command(now_us, Command::TrimMemory);
        self.out.packets.shrink_to_fit();
        self.frames.frames.shrink_to_fit();
        self.events.shrink_to_fit();
        self.stores.shrink_to_fit();
        trimmed
    }

    /// Returns when to let time pass next, in µs of the program's clock; `None` if only a datagram, a
    /// frame or a command can change anything.
    #[must_use]
    pub fn next_deadline_us(&self) -> Option<u64> {
        self.node.poll_timeout().map(|wakeup| wakeup.at.as_micros())
    }

    /// Takes out the next event.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes out the next piece of state to save: `take` is lent it, as by
    /// [`datagram_out`](Self::datagram_out).
    pub fn store_out(&mut self, take: impl FnOnce(&Stored) -> bool) -> Option<bool> {
        let is_taken = take(self.stores.front()?);
        if is_taken {
            self.stores.pop_front();
        }
        Some(is_taken)
    }

    fn command(&mut self, now_us: u64, command: Command) -> Result<(), ZtError> {
        let now = Instant::from_micros(now_us);
        let done = self.node.handle_command(now, command, &mut self.out, &mut self.frames);
        self.drain();
        Ok(done?)
    }

    fn drain(&mut self) {
        while let Some(event) = self.node.poll_event() {
            match event {
                NodeEvent::Store { key, value } => self.store(key, value),
                event => self.events.extend(Event::of_node(event)),
            }
        }
        while self.events.len() > NEWS_MAX {
            self.events.pop_front();
        }
    }

    fn store(&mut self, key: StoreKey, bytes: Option<Vec<u8>>) {
        let name = name_of(key);
        // Of each piece only the latest value counts.
        self.stores.retain(|stored| stored.name != name);
        if self.stores.len() >= NEWS_MAX {
            self.stores.pop_front();
        }
        self.stores.push_back(Stored { name, bytes });
    }
}

impl Transmit for Outgoing {
    fn reserve(&mut self, path: Path, cut: Cut) -> Option<&mut [u8]> {
        if self.packets.len() >= WAITING_MAX {
            return None;
        }
        let bytes = vec![0; cut.total_len];
        let (remote, datagram_len) = (path.remote, cut.datagram_len);
        self.packets.push_back(Packet { remote, datagram_len, next: 0, bytes });
        self.packets.back_mut().map(|packet| packet.bytes.as_mut_slice())
    }

    fn send_short_lived(&mut self, path: Path, _hops: u8, datagram: &[u8]) {
        if let Some(room) = self.reserve(path, Cut::whole(datagram.len())) {
            room.copy_from_slice(datagram);
        }
    }
}

impl FrameSink for Incoming {
    fn deliver(&mut self, network: NetworkId, frame: Frame<'_>) {
        if self.frames.len() >= WAITING_MAX {
            return;
        }
        let mut bytes = Vec::with_capacity(ETHERNET_HEADER_LEN + frame.payload.len());
        if self.l2.contains(&network) {
            bytes.extend(frame.destination.to_bytes());
            bytes.extend(frame.source.to_bytes());
            bytes.extend(frame.ethertype.to_be_bytes());
        }
        bytes.extend(frame.payload);
        self.frames.push_back((network, bytes));
    }
}

fn parse_frame(bytes: &[u8]) -> Option<Frame<'_>> {
    let (destination, rest) = bytes.split_first_chunk::<6>()?;
    let (source, rest) = rest.split_first_chunk::<6>()?;
    let (ethertype, payload) = rest.split_first_chunk::<2>()?;
    let ethertype = u16::from_be_bytes(*ethertype);
    Some(Frame {
        destination: Mac::from(*destination),
        source: Mac::from(*source),
        ethertype,
        payload,
    })
}
