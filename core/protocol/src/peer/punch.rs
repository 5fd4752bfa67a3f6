//! Finding direct paths: addresses that roots and peers name, and those this node names.
//!
//! A named address is somewhere a stranger may want this node to send to. So it is probed a few
//! times at most, within a budget, and used only after the peer has answered from there.
//!
//! Source: spec 02 §2.6, §2.8, §4.4, §4.8.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::endpoint::{Path, Scope, is_usable_endpoint};
use crate::error::Rejected;
use crate::limits::{HEADER_LEN, PROBES_PER_PUSH_MAX};
use crate::outbox::{Ctx, Received};
use crate::peer::surroundings::Pace;
use crate::peer::{Peer, Peers, hello, is_usable};
use crate::roots::Roots;
use crate::status::NamedBy;
use crate::surface::Surface;
use crate::time::Instant;
use crate::verb::Verb;
use crate::wire::hello::Version;
use crate::wire::push_paths;
use crate::wire::rendezvous::Rendezvous;

/// How often addresses are pushed to a peer that is reached only through a root.
const PUSH_RELAYED: Duration = Duration::from_secs(15);

/// Packets of pushed addresses stay below this length, in bytes.
const PUSH_LEN_MAX: usize = 1_200;

/// The longest record of a pushed address, in bytes, and one to spare.
const RECORD_LEN_MAX: usize = 24;

impl Peer {
    /// Returns whether the peer, heard after so many hops, is to be told where this node is.
    pub(super) fn is_due_a_push(&self, now: Instant, pace: Pace, hops: u8) -> bool {
        let interval = if hops == 0 { pace.push } else { PUSH_RELAYED };
        now.is_due(self.told, interval) && self.is_trusted(now)
    }
}

impl Peers {
    /// Takes in a root's word that a peer may be reached at an address; returns the peer if it is not
    /// known yet but `is_expected`, so that this is to be taken in again once it is.
    ///
    /// A peer is expected if it has been heard or is to be spoken to, and a root was asked who it is.
    /// This node's translator is opened for it at once: it has been told the same, and sends; and a
    /// translator that hears from it first may have taken the port the root has named for a flow of
    /// its own, as Linux does that masquerades and filters nothing. Who is neither known nor expected
    /// is left alone (spec 02 §2.6).
    ///
    /// # Errors
    ///
    /// [`Rejected::Malformed`]. What is well-formed but not to be acted upon is passed over.
    pub fn handle_rendezvous(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        rx: &Received<'_>,
        is_expected: impl Fn(Address) -> bool,
    ) -> Result<Option<Address>, Rejected> {
        let Rendezvous { peer, endpoint } = Rendezvous::read(rx.body)?;
        let is_known = self.peers.contains_key(&peer);
        let is_meant = roots.is_upstream(rx.from)
            && (is_known || is_expected(peer))
            && endpoint.port() != 0
            && is_usable(ctx.tables, roots, peer, endpoint.ip());
        if !is_meant {
            return Ok(None);
        }
        let mut path = Path { local: rx.path.local, remote: endpoint };
        let opens_translator = !path.is_through_tcp_relay();
        if !opens_translator && !ctx.tables.is_tcp_relayable(endpoint) {
            path = Path::from_all(endpoint);
        }
        let is_heeded = if is_known {
            self.follow(ctx, roots, peer, path, NamedBy::Root)
        } else {
            self.may_probe(ctx.now, peer, endpoint, NamedBy::Root).is_some()
        };
        if is_heeded && opens_translator {
            ctx.out.punches.push_back(path);
        }
        Ok((!is_known).then_some(peer))
    }

    /// Takes in the addresses a peer says it may be reached at, and probes those that are new.
    ///
    /// The flag that asks to use an address at once (spec 02 §4.7) is not obeyed: it would let a
    /// peer direct this node's traffic at anybody.
    ///
    /// # Errors
    ///
    /// [`Rejected::Malformed`]; addresses before the fault have been probed.
    pub fn handle_push_direct_paths(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        rx: &Received<'_>,
    ) -> Result<(), Rejected> {
        let pushed = push_paths::read(rx.body)?;
        let peer = self.peers.get_mut(&rx.from).ok_or(Rejected::UnknownSender)?;
        if !peer.pushes.pass(ctx.now) {
            return Ok(());
        }
        let current = peer.paths.unexpired(ctx.now).map(|known| known.path().remote);
        let current: Vec<SocketAddr> = current.collect();
        let mut probed: BTreeMap<(Scope, bool), usize> = BTreeMap::new();
        for pushed in pushed {
            let pushed = pushed?;
            let ip = pushed.endpoint.ip();
            let is_place = pushed.endpoint.port() != 0 && !pushed.forget;
            let is_new = is_place && !current.contains(&pushed.endpoint);
            if !is_new || !is_usable(ctx.tables, roots, rx.from, ip) {
                continue;
            }
            let probed = probed.entry((Scope::of(ip), ip.is_ipv6())).or_default();
            if *probed < PROBES_PER_PUSH_MAX {
                *probed += 1;
                let path = Path::from_all(pushed.endpoint);
                self.follow(ctx, roots, rx.from, path, NamedBy::Peer);
            }
        }
        Ok(())
    }

    /// Returns how many probes of `remote` one makes, in a row by that word, that is sent now; `None`
    /// if none is to be sent, to there or to anywhere.
    pub(super) fn may_probe(
        &mut self,
        now: Instant,
        peer: Address,
        remote: SocketAddr,
        named_by: NamedBy,
    ) -> Option<u32> {
        if self.probes.is_spent(now) || self.local_addresses.contains(&remote) {
            return None;
        }
        let probes = self.probed.admit(now, remote, peer, named_by)?;
        self.probes.spend(now).then_some(probes)
    }

    /// Asks a peer to answer on `path`, with the least that it understands: ECHO from the path's
    /// socket, or HELLO from all if it may not know ECHO (spec 02 §4.4).
    pub(super) fn probe(&self, ctx: &mut Ctx<'_>, roots: &Roots, to: Address, path: Path) {
        if self.takes_echo(to) {
            ctx.out.send_on(path, to, Verb::Echo, Vec::new());
        } else {
            hello::greet_along(ctx, roots, to, path);
        }
    }

    /// Returns whether the peer at `address` is known to answer ECHO.
    #[must_use]
    pub fn takes_echo(&self, address: Address) -> bool {
        self.peers.get(&address).and_then(|peer| peer.version).is_some_and(takes_echo)
    }

    /// Tells a peer that shares a network with this node where this node is, if that is due.
    pub(super) fn push_addresses(
        &mut self,
        ctx: &mut Ctx<'_>,
        surface: &Surface,
        rx: &Received<'_>,
    ) {
        let pace = Pace::of(self.conditions, self.low_bandwidth);
        let Some(peer) = self.peers.get_mut(&rx.from) else { return };
        let is_known = peer.paths.iter().any(|known| known.path() == rx.path);
        if !peer.is_due_a_push(ctx.now, pace, rx.hops) || rx.hops == 0 && !is_known {
            return;
        }
        peer.told = Some(ctx.now);
        if !self.fallback.takes_udp() {
            return;
        }
        // Foretold addresses before those seen: behind the translator in question, nobody but who
        // saw one of these can use it, and others try only so many.
        let foretold = surface.foretold(ctx.now);
        let outside = surface.addresses(ctx.now);
        let outside = foretold.iter().chain(&outside);
        let outside = outside.filter(|address| !self.local_addresses.contains(address));
        let addresses = self.local_addresses.iter().chain(outside).copied();
        let addresses = addresses.filter(|own| !ctx.tables.path_rules.is_blacklisted(own.ip()));
        let addresses: Vec<SocketAddr> = addresses.collect();
        let per_packet = (PUSH_LEN_MAX - HEADER_LEN - 2) / RECORD_LEN_MAX;
        for addresses in addresses.chunks(per_packet) {
            let body = push_paths::write(addresses);
            ctx.out.answer_on(rx.path, rx.from, Verb::PushDirectPaths, body);
        }
    }

    /// Replaces the machine's own addresses, with the ports peers reach it at.
    ///
    /// If they differ from before, the machine may have moved, so everybody is greeted again, and
    /// told where it is when heard next.
    pub fn set_local_addresses(&mut self, addresses: Vec<SocketAddr>) {
        let mut addresses = BTreeSet::from_iter(addresses);
        addresses.retain(|address| is_usable_endpoint(address.ip()));
        if self.local_addresses == addresses {
            return;
        }
        self.local_addresses = addresses;
        for peer in self.peers.values_mut() {
            (peer.greeted, peer.told) = (None, None);
        }
        self.schedule.wake_now();
    }
}

/// Returns whether a peer answers ECHO.
const fn takes_echo(version: Version) -> bool {
    // 1.1.0 announced a protocol that has it, and did not have it.
    let is_faulty = matches!(version, Version { major: 1, minor: 1, revision: 0, .. });
    version.protocol >= 5 && !is_faulty
}
