//! Leaving a path soon after it has died.
//!
//! Heartbeats are for paths nobody uses and notice a dead one after half a minute. A path that
//! carries frames is watched while it does: if nothing is heard on it for a moment, the peer is
//! asked for a sign of life, and if none comes, frames go the next best way or through a root,
//! which introduces the two again.
//!
//! | since the peer was last heard on the path | what happens                        |
//! |-------------------------------------------|-------------------------------------|
//! | [`SILENCE`]                               | it is probed, each [`PATIENCE`]     |
//! | one `PATIENCE` more                       | a rival port may take its place     |
//! | six `PATIENCE` more                       | it is given up until it is heard    |
//!
//! A peer that moves proves a path from where it is by then. If it does so while frames are sent to
//! it, every other path is probed at once, and those that stay silent are given up together: a host
//! has several sockets, and whatever led to its old address is as dead as the path in use.
//!
//! The watch costs a frame one store, and a wakeup for as long as frames flow.

use core::time::Duration;
use std::collections::BTreeSet;

use crate::address::Address;
use crate::endpoint::Path;
use crate::outbox::Ctx;
use crate::peer::path::PATIENCE;
use crate::peer::{Peers, hello};
use crate::roots::Roots;
use crate::time::Instant;
use crate::verb::Verb;

/// How long a path that carries frames may be silent before the peer is asked about it.
const SILENCE: Duration = Duration::from_millis(1_200);

/// Probes that may stay unanswered. So many, because on a bad link one in three round trips fails.
const PROBES_MAX: u32 = 6;

/// Why a path in use is looked at. There is at most one watch of each kind over it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Cause {
    /// Frames leave on it, the first of them at this time.
    Frames(Instant),
    /// Something speaks against it.
    Evidence,
    /// Others stand by to take over (`bond`).
    Bond,
    /// The peer has proven another one.
    Move,
}

/// When paths in use are looked at, and why.
#[derive(Debug)]
pub(super) struct Watches(pub(super) BTreeSet<(Instant, Address, Cause)>);

impl Watches {
    pub(super) const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Returns when a path is to be looked at next.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.0.first().map(|&(at, ..)| at)
    }

    fn take_due(&mut self, now: Instant) -> Option<(Address, Cause)> {
        let first = *self.0.first().filter(|(at, ..)| *at <= now)?;
        self.0.remove(&first);
        Some((first.1, first.2))
    }
}

/// What speaks against the path in use, besides silence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    /// Since when. Whatever is heard on the path later refutes it.
    at: Instant,
    /// The port of the same host the peer sends from instead; `None` if it sends through a root, as
    /// if it had given the path up.
    rival: Option<Path>,
    /// Whether the path is looked at because of it.
    is_watched: bool,
}

impl Peers {
    /// Takes note that a frame leaves on the direct path of a peer whom nobody watches.
    pub fn watch(&mut self, now: Instant, address: Address) {
        self.watches.0.insert((now + SILENCE, address, Cause::Frames(now)));
    }

    /// Takes note that a peer does not send on the path in use but on `rival`, another port of the
    /// same host, or through a root.
    ///
    /// A peer that uses several ways is not asked while it is heard on the one in use.
    pub(super) fn suspect(&mut self, now: Instant, address: Address, rival: Option<Path>) {
        let Some(peer) = self.peers.get_mut(&address) else { return };
        let Some(known) = peer.selected.and_then(|path| peer.paths.find(path)) else { return };
        if rival.is_some_and(|rival| !known.path().is_rival(rival)) {
            return;
        }
        let is_silent = known.silence(now) >= SILENCE;
        let is_watched = peer.evidence.is_some_and(|evidence| evidence.is_watched);
        if is_silent && !is_watched {
            self.watches.0.insert((now, address, Cause::Evidence));
        }
        if is_silent || rival.is_some() {
            let is_watched = is_silent || is_watched;
            peer.evidence = Some(Evidence { at: now, rival, is_watched });
        }
    }

    /// Takes note that a peer to whom frames are sent has just proven a path that was not known: it
    /// may have moved, so it is asked at once whether the others still lead anywhere.
    pub(super) fn suspect_move(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, address: Address) {
        let is_used = ctx.tables.peer(address).is_some_and(|view| view.relied_on.is_some());
        let Some(peer) = self.peers.get_mut(&address).filter(|_| is_used) else { return };
        if peer.moved.is_some() {
            return;
        }
        let asked = peer.paths.ask_silent(ctx.now);
        if asked.is_empty() {
            return;
        }
        peer.moved = Some(ctx.now);
        self.watches.0.insert((ctx.now + PATIENCE, address, Cause::Move));
        for path in asked {
            self.probe(ctx, roots, address, path);
        }
    }

    /// Does without every path on which a peer that may have moved was not heard since. There is no
    /// next look.
    fn follow_move(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        address: Address,
    ) -> Option<Instant> {
        let peer = self.peers.get_mut(&address)?;
        peer.paths.give_up_silent(peer.moved.take()?);
        self.refresh(ctx, roots, address);
        None
    }

    /// Looks at every path that is due.
    pub(super) fn look_at_paths(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        while let Some((address, cause)) = self.watches.take_due(ctx.now) {
            let next = match cause {
                Cause::Bond => self.look_after_bond(ctx, roots, address),
                Cause::Move => self.follow_move(ctx, roots, address),
                Cause::Frames(_) | Cause::Evidence => self.look_at_path(ctx, roots, address, cause),
            };
            if let Some(next) = next {
                self.watches.0.insert((next, address, cause));
            } else {
                self.unwatch(ctx, address, cause);
            }
        }
    }

    /// Looks at the path in use to a peer; returns when to look again, or `None` if it is alive, was
    /// given up, or nobody waits for an answer.
    fn look_at_path(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        address: Address,
        cause: Cause,
    ) -> Option<Instant> {
        let now = ctx.now;
        let relied_on = ctx.tables.peer(address)?.relied_on;
        let peer = self.peers.get_mut(&address)?;
        let known = peer.paths.find(peer.selected?)?;
        let heard = known.heard()?;
        let evidence = peer.evidence.filter(|evidence| evidence.at > heard);
        let asked = relied_on.max(evidence.map(|evidence| evidence.at))?;
        if heard >= asked {
            return None;
        }
        let silent_since = if let Cause::Frames(since) = cause { heard.max(since) } else { heard };
        if now.since(silent_since) < SILENCE {
            return Some(silent_since + SILENCE);
        }
        let awaited_until = known.awaited_until();
        if let Some(until) = awaited_until.filter(|&until| until > now) {
            return Some(until);
        }
        let path = known.path();
        let evidence = evidence.filter(|_| awaited_until.is_some());
        let is_bypassed = evidence.is_some_and(|evidence| evidence.rival.is_none());
        if is_bypassed || known.unanswered() >= PROBES_MAX {
            peer.paths.give_up(path);
            self.refresh(ctx, roots, address);
            return None;
        }
        peer.paths.ask(now, path);
        self.probe(ctx, roots, address, path);
        if let Some(rival) = evidence.and_then(|evidence| evidence.rival)
            && self.confirmations.pass(now, rival)
        {
            let body = hello::write(ctx, roots, rival.remote);
            ctx.out.answer_on(rival, address, Verb::Hello, body);
        }
        Some(now + PATIENCE)
    }

    /// Ends a watch over a peer's path; the next frame or the next evidence begins another.
    fn unwatch(&mut self, ctx: &mut Ctx<'_>, address: Address, cause: Cause) {
        match cause {
            Cause::Frames(_) => {
                if let Some(view) = ctx.tables.peer_mut(address) {
                    view.relied_on = None;
                }
            }
            Cause::Move => {}
            Cause::Evidence => {
                if let Some(peer) = self.peers.get_mut(&address) {
                    peer.evidence = None;
                }
            }
            Cause::Bond => {
                if let Some(peer) = self.peers.get_mut(&address) {
                    peer.bond = None;
                }
            }
        }
    }
}
