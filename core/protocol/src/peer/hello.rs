//! Getting to know each other: HELLO and the OK that answers it.
//!
//! Source: spec 01 §11.3, spec 02 §2.1, §2.2.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::sync::Arc;

use crate::address::Address;
use crate::endpoint::{Path, Scope};
use crate::error::Rejected;
use crate::event::IdentitySource;
use crate::identity::{Directory, Identity};
use crate::limits::{
    AMPLIFICATION_MAX, HEADER_LEN, MOONS_MAX, PACKET_LEN_MAX, PHYSICAL_MTU, PROTOCOL_VERSION_MIN,
};
use crate::memory;
use crate::outbox::{Ctx, Received};
use crate::peer::surroundings::Pace;
use crate::peer::{Peers, is_usable_path};
use crate::roots::Roots;
use crate::suite;
use crate::surface::Surface;
use crate::time::UnixMillis;
use crate::verb::{ErrorCode, Verb};
use crate::wire::header::Header;
use crate::wire::hello::{Hello, HelloReply, Version, WorldRevision, read_moons};
use crate::wire::reply;
use crate::world::World;

/// Most bytes of worlds an OK(HELLO) has room for, as a packet is at most so long.
const WORLDS_LEN_MAX: usize = PACKET_LEN_MAX - HEADER_LEN - 43;

/// Sends HELLO to the physical address `remote`, from all sockets: which of them reaches it is
/// what a HELLO finds out.
pub(super) fn greet(ctx: &mut Ctx<'_>, roots: &Roots, to: Address, remote: SocketAddr) {
    greet_on(ctx, roots, to, Path::from_all(remote));
}

/// Sends HELLO on one path.
pub(super) fn greet_on(ctx: &mut Ctx<'_>, roots: &Roots, to: Address, path: Path) {
    let body = write(ctx, roots, path.remote);
    ctx.out.send_on(path, to, Verb::Hello, body);
}

/// Sends HELLO to the far end of `path`: from all sockets, unless the path is through the TCP relay,
/// on whose word nothing shall be sent by UDP.
pub(super) fn greet_along(ctx: &mut Ctx<'_>, roots: &Roots, to: Address, path: Path) {
    if path.is_through_tcp_relay() {
        let body = write(ctx, roots, path.remote);
        ctx.out.send_on(path, to, Verb::Hello, body);
    } else {
        greet(ctx, roots, to, path.remote);
    }
}

/// Returns the body of a HELLO to `remote`.
pub(super) fn write(ctx: &Ctx<'_>, roots: &Roots, remote: SocketAddr) -> Vec<u8> {
    let planet = roots.planet();
    let hello = Hello {
        version: Version::OURS,
        timestamp: ctx.unix,
        identity: *ctx.me.public(),
        sent_to: Some(remote),
        planet: Some(WorldRevision { id: planet.id, timestamp: planet.timestamp }),
    };
    hello.write(&roots.announced_moons()).0
}

impl Peers {
    /// Takes in a HELLO under suite 0, as it came in the datagram, and counts it as received.
    ///
    /// A stranger becomes a peer here, if nobody else holds the address and the identity is
    /// valid. To find that out costs much, so everything that costs little is checked before, and
    /// the neighbourhood of the source and all strangers together may ask only so often.
    ///
    /// # Errors
    ///
    /// [`Rejected`] says which check failed, in the order of spec 01 §11.3.
    pub fn handle_hello(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        surface: &mut Surface,
        path: Path,
        packet: &mut [u8],
    ) -> Result<(), Rejected> {
        let (header, body) = Header::split(packet)?;
        let (hello, tail_at) = Hello::read(body)?;
        check_claim(&hello, header.source)?;
        let (from, hops, packet_id) = (header.source, header.hops(), header.id.get());
        self.recall(ctx, from)?;

        match self.knows(ctx, &hello.identity) {
            Ok(true) => {
                let view = ctx.tables.peer(from).ok_or(Rejected::FromSelf)?;
                suite::open(&view.keys, packet)?;
            }
            Ok(false) => self.admit(ctx, path, &hello.identity, packet)?,
            Err(Rejected::IdentityCollision) => {
                let keys = self.agree_with_stranger(ctx, path, &hello.identity, packet)?;
                let body = reply::error(Verb::Hello, packet_id, ErrorCode::IdentityCollision, None);
                ctx.out.answer_newcomer(path, from, keys, Verb::Error, body);
                self.refused(ctx, &hello.identity, IdentitySource::Hello(path.remote));
                return Err(Rejected::IdentityCollision);
            }
            Err(rejected) => return Err(rejected),
        }

        let body = packet.get(HEADER_LEN..).unwrap_or_default();
        let rx = Received { from, path, hops, verb: Verb::Hello, packet_id, body };
        self.answer_hello(ctx, roots, surface, &rx, &hello, tail_at)?;
        self.received(ctx, roots, surface, &rx, false);
        Ok(())
    }

    /// Takes in a HELLO that came encrypted, from a known peer.
    ///
    /// # Errors
    ///
    /// As [`handle_hello`](Self::handle_hello).
    pub fn handle_inner_hello(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        surface: &mut Surface,
        rx: &Received<'_>,
    ) -> Result<(), Rejected> {
        let (hello, tail_at) = Hello::read(rx.body)?;
        check_claim(&hello, rx.from)?;
        if !self.knows(ctx, &hello.identity)? {
            return Err(Rejected::UnknownSender);
        }
        self.answer_hello(ctx, roots, surface, rx, &hello, tail_at)
    }

    /// Answers an authentic HELLO and takes note of what it says, if it proves anything.
    ///
    /// A HELLO that was not written after every earlier one may be a repetition: it is answered,
    /// and a path it came by is asked to be confirmed, but it changes nothing and does not count as
    /// received. A peer whose clock was set back loses nothing: it answers what it is asked, and
    /// those answers count.
    ///
    /// # Errors
    ///
    /// [`Rejected::Stale`] if that is so, [`Rejected::Malformed`].
    fn answer_hello(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        surface: &mut Surface,
        rx: &Received<'_>,
        hello: &Hello,
        tail_at: usize,
    ) -> Result<(), Rejected> {
        let view = ctx.tables.peer(rx.from).ok_or(Rejected::UnknownSender)?;
        let mut tail = rx.body.get(tail_at..).unwrap_or_default().to_vec();
        suite::mask_hello_tail(&view.keys, rx.packet_id, &mut tail);
        let moons = read_moons(&tail)?.take(MOONS_MAX).collect();
        let asked = Asked { packet_id: rx.packet_id, hello: *hello, moons };
        let mut body = asked.answer(rx.path.remote, &newer_worlds(roots, &asked));
        // Half of what an address that has proven nothing has earned; the rest is for asking it to.
        let earned = AMPLIFICATION_MAX * (HEADER_LEN + rx.body.len()) / 2;
        let too_long = HEADER_LEN + body.len() > earned.min(PHYSICAL_MTU);
        if too_long && !self.is_proven(ctx.tables, rx.from, rx.path, rx.hops > 0) {
            body = asked.answer(rx.path.remote, &[]);
            if let Some(peer) = self.peers.get_mut(&rx.from) {
                peer.owed_worlds = Some(Box::new(asked));
                self.weigh(rx.from);
            }
        }
        // Sealed for what was known before this HELLO: to a newcomer with suite 1.
        if view.takes_aes {
            ctx.out.answer_on(rx.path, rx.from, Verb::Ok, body);
        } else {
            let keys = Arc::clone(&view.keys);
            ctx.out.answer_newcomer(rx.path, rx.from, keys, Verb::Ok, body);
        }
        if !self.is_latest(rx.from, hello.timestamp) {
            self.ask_back(ctx, roots, rx);
            return Err(Rejected::Stale);
        }
        if let Some(mine) = hello.sent_to {
            self.seen_at(ctx, roots, surface, rx, mine);
        }
        self.announced(ctx, rx.from, hello.version);
        // Once a minute, then, in which an idle peer's keys are used too little to be kept expanded.
        let pace = Pace::of(self.conditions, self.low_bandwidth);
        let is_active = self.peers.get(&rx.from).is_some_and(|peer| peer.is_active(ctx.now, pace));
        if !is_active && let Some(view) = ctx.tables.peer_mut(rx.from) {
            view.fold_keys();
        }
        Ok(())
    }

    /// Sends a peer the worlds that were too long for its HELLO's answer before it had proven its
    /// path.
    pub(super) fn pay_worlds(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, rx: &Received<'_>) {
        let owed = self.peers.get_mut(&rx.from).and_then(|peer| peer.owed_worlds.take());
        if let Some(asked) = owed {
            let body = asked.answer(rx.path.remote, &newer_worlds(roots, &asked));
            ctx.out.answer_on(rx.path, rx.from, Verb::Ok, body);
        }
    }

    /// Returns whether a HELLO was written after every earlier one of the same peer.
    fn is_latest(&mut self, from: Address, written: UnixMillis) -> bool {
        self.peers.get_mut(&from).is_some_and(|peer| {
            let is_latest = peer.hello_at.is_none_or(|latest| written > latest);
            if is_latest {
                peer.hello_at = Some(written);
            }
            is_latest
        })
    }

    /// Asks a peer to confirm a path that something came by that need not be recent.
    fn ask_back(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, rx: &Received<'_>) {
        let Some(peer) = self.peers.get(&rx.from) else { return };
        let is_known = peer.paths.iter().any(|known| known.path() == rx.path);
        let is_usable = || is_usable_path(ctx.tables, roots, rx.from, rx.path);
        if rx.hops == 0 && !is_known && is_usable() {
            self.confirm(ctx, roots, rx);
        }
    }

    /// Takes in the answer to a HELLO; `rx.body` is what follows the OK's header.
    ///
    /// # Errors
    ///
    /// [`Rejected::Malformed`], also if a world in it is, [`Rejected::OldProtocol`].
    pub fn handle_ok_hello(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &mut Roots,
        surface: &mut Surface,
        rx: &Received<'_>,
    ) -> Result<(), Rejected> {
        let reply = HelloReply::read(rx.body)?;
        if reply.version.protocol < PROTOCOL_VERSION_MIN {
            return Err(Rejected::OldProtocol);
        }
        if roots.may_offer(rx.from) {
            self.take_worlds(ctx, roots, rx.from, reply.worlds)?;
        }
        self.announced(ctx, rx.from, reply.version);
        if roots.is_upstream(rx.from) {
            self.vouched(ctx, roots, rx.from);
        }
        if rx.hops == 0 {
            self.arrived(ctx, roots, rx);
            if let Some(round_trip) = ctx.unix.0.checked_sub(reply.timestamp.0)
                && let Some(peer) = self.peers.get_mut(&rx.from)
            {
                peer.paths.measured(rx.path, Duration::from_millis(round_trip));
            }
        }
        if let Some(mine) = reply.seen_at {
            self.seen_at(ctx, roots, surface, rx, mine);
        }
        Ok(())
    }

    /// Offers each of the worlds, which lie one after the other, and learns the roots of those
    /// taken into force.
    fn take_worlds(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &mut Roots,
        from: Address,
        mut worlds: &[u8],
    ) -> Result<(), Rejected> {
        if worlds.is_empty() {
            return Ok(());
        }
        while !worlds.is_empty() {
            let (world, len) = World::read_prefix(worlds)?;
            worlds = worlds.get(len..).unwrap_or_default();
            let id = world.id;
            let is_valid = |root: &Identity| self.identity(root.address()) == Some(root);
            match roots.offer(ctx, from, world, is_valid) {
                Ok(()) => log::info!("world {id:016x} updated by {from}"),
                Err(refused) => log::debug!("world {id:016x} from {from} refused: {refused}"),
            }
        }
        self.worlds_changed(ctx, roots);
        Ok(())
    }

    /// Takes note of where a peer says this node is; doubts every path like it if that means that
    /// this node has moved (spec 02 §8).
    fn seen_at(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        surface: &mut Surface,
        rx: &Received<'_>,
        mine: SocketAddr,
    ) {
        if rx.path.is_through_tcp_relay() {
            // That is where the relay is.
            return;
        }
        let is_trusted = roots.is_upstream(rx.from);
        let has_moved = rx.hops == 0 && surface.report(ctx.now, rx.from, rx.path, mine, is_trusted);
        // Roots do not move: the worlds say where they are.
        if !has_moved || roots.lists_me() {
            return;
        }
        let is_like =
            |ip: IpAddr| ip.is_ipv6() == mine.is_ipv6() && Scope::of(ip) == Scope::of(mine.ip());
        let mut doubtful = Vec::new();
        for (&address, peer) in &mut self.peers {
            doubtful.extend(peer.paths.doubt(is_like).into_iter().map(|path| (address, path)));
        }
        for (address, path) in doubtful {
            if self.probes.spend(ctx.now) {
                self.probe(ctx, roots, address, path);
            }
            self.refresh(ctx, roots, address);
        }
    }
}

/// Checks what a HELLO can be told by without keys.
fn check_claim(hello: &Hello, source: Address) -> Result<(), Rejected> {
    if hello.version.protocol < PROTOCOL_VERSION_MIN {
        return Err(Rejected::OldProtocol);
    }
    if hello.identity.address() != source {
        return Err(Rejected::InvalidIdentity);
    }
    Ok(())
}

/// A HELLO, as far as its answer depends on it.
#[derive(Debug)]
pub(super) struct Asked {
    packet_id: u64,
    hello: Hello,
    moons: Vec<WorldRevision>,
}

impl Asked {
    /// Returns what it takes, in bytes.
    pub(super) fn footprint(&self) -> usize {
        size_of::<Self>() + memory::of_list(&self.moons)
    }

    /// Returns the body of the OK to a HELLO that came from `remote`.
    fn answer(&self, remote: SocketAddr, worlds: &[u8]) -> Vec<u8> {
        // Peers of these versions do not expect to be told their port.
        let port = if self.hello.version.protocol < 5 { 0 } else { remote.port() };
        let reply = HelloReply {
            timestamp: self.hello.timestamp,
            version: Version::OURS,
            seen_at: Some(SocketAddr::new(remote.ip(), port)),
            worlds,
        };
        reply.write(self.packet_id)
    }
}

/// Returns the worlds in force here of which a peer has an earlier revision, one after the other.
///
/// Only the planet in force and moons the peer names are told.
fn newer_worlds(roots: &Roots, asked: &Asked) -> Vec<u8> {
    let is_newer = |world: &World, theirs: WorldRevision| {
        world.id == theirs.id && world.timestamp > theirs.timestamp
    };
    let planet =
        asked.hello.planet.filter(|&theirs| theirs.id != 0 && is_newer(roots.planet(), theirs));
    let moons =
        roots.moons().filter(|moon| asked.moons.iter().any(|&theirs| is_newer(moon, theirs)));

    let mut worlds = Vec::new();
    for world in planet.map(|_| roots.planet()).into_iter().chain(moons) {
        let world = world.to_bytes();
        if worlds.len() + world.len() <= WORLDS_LEN_MAX {
            worlds.extend(world);
        }
    }
    worlds
}
