//! What strangers may cost this node before it knows that they are who they say.
//!
//! A HELLO from a made-up identity is cheap to make, and dear to see through: agreeing on the key
//! that its tag is checked with takes some 0.1 ms, deriving the address some 25. So there is so
//! much work for all strangers together, fairly shared among their neighbourhoods, and whatever
//! was found false once is not looked at again.
//!
//! While all is quiet, a stranger is validated at once. When many come, it first has to show that
//! it is where it seems to be, by giving back a secret that an ECHO brings it. Whoever sends in
//! others' names never gets that far, and competes with nobody who does. The reference answers an
//! ECHO of any node whose identity it knows, and whom it greets it knows.

use core::net::IpAddr;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::address::Address;
use crate::endpoint::Path;
use crate::error::Rejected;
use crate::identity::Identity;
use crate::limits::{
    AGREEMENTS_AT_ONCE, AGREEMENTS_PER_SECOND, CANDIDATE_LIFETIME, CANDIDATES_MAX, GATE_KEYS_MAX,
    NEIGHBORHOOD_VALIDATIONS_AT_ONCE, NEIGHBORHOOD_VALIDATIONS_PER_SECOND, PHYSICAL_MTU,
    PROVEN_VALIDATIONS_AT_ONCE, PROVEN_VALIDATIONS_PER_SECOND, REFUTED_MAX, VALIDATIONS_AT_ONCE,
    VALIDATIONS_PER_SECOND,
};
use crate::memory;
use crate::outbox::Ctx;
use crate::peer::gates::{Budget, Budgets};
use crate::peer::{Peers, check_room};
use crate::roots::Roots;
use crate::suite::{self, PeerKeys};
use crate::surface::Surface;
use crate::time::Instant;
use crate::verb::Verb;
use crate::wire::header::Header;
use crate::wire::reply;

/// The network a datagram came from, for limiting what its neighbourhood may cost this node: the
/// first three bytes of an IPv4 address, the first six of an IPv6 one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum SourcePrefix {
    V4([u8; 3]),
    V6([u8; 6]),
}

impl SourcePrefix {
    fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, ..] = v6.octets();
                Self::V6([a, b, c, d, e, f])
            }
        }
    }
}

/// What is left to spend on strangers, and who among them has been asked.
pub(super) struct Strangers {
    neighbourhoods: Budgets<SourcePrefix>,
    agreements: Budget,
    validations: Budget,
    proven_validations: Budget,
    refuted: Refuted,
    /// Oldest first.
    candidates: VecDeque<Candidate>,
}

/// A stranger that was sent an ECHO.
struct Candidate {
    since: Instant,
    identity: Identity,
    keys: Arc<PeerKeys>,
    path: Path,
    secret: [u8; 8],
    /// It has given the secret back, and there was nothing left to validate it with.
    is_proven: bool,
    /// Its HELLO, which is answered when it has proven itself.
    hello: Vec<u8>,
}

impl Strangers {
    pub(super) const fn new() -> Self {
        let each =
            Budget::new(NEIGHBORHOOD_VALIDATIONS_PER_SECOND, NEIGHBORHOOD_VALIDATIONS_AT_ONCE);
        Self {
            neighbourhoods: Budgets::new(each, GATE_KEYS_MAX),
            agreements: Budget::new(AGREEMENTS_PER_SECOND, AGREEMENTS_AT_ONCE),
            validations: Budget::new(VALIDATIONS_PER_SECOND, VALIDATIONS_AT_ONCE),
            proven_validations: Budget::new(
                PROVEN_VALIDATIONS_PER_SECOND,
                PROVEN_VALIDATIONS_AT_ONCE,
            ),
            refuted: Refuted::new(),
            candidates: VecDeque::new(),
        }
    }

    /// Forgets what is too old to count.
    pub(super) fn lapse(&mut self, now: Instant) {
        self.expire(now);
        self.candidates.shrink_to_fit();
        self.neighbourhoods.lapse(now);
    }

    /// Returns what is kept of them, in bytes.
    pub(super) fn footprint(&self) -> usize {
        let each = |one: &Candidate| memory::of_list(&one.hello) + PeerKeys::FOOTPRINT;
        self.neighbourhoods.footprint()
            + memory::of_tree_set(&self.refuted.current)
            + memory::of_tree_set(&self.refuted.previous)
            + memory::of_queue(&self.candidates)
            + self.candidates.iter().map(each).sum::<usize>()
    }

    /// Forgets who took too long.
    fn expire(&mut self, now: Instant) {
        self.candidates.retain(|candidate| now.since(candidate.since) < CANDIDATE_LIFETIME);
    }
}

impl Candidate {
    /// Returns whether `packet`, which is sealed, gives the secret back.
    fn is_given_back(&self, packet: &[u8]) -> bool {
        let mut packet = packet.to_vec();
        if suite::open(&self.keys, &mut packet).is_err() {
            return false;
        }
        let Ok((header, body)) = Header::split(&packet) else { return false };
        let Ok((in_re, secret)) = reply::read_ok(body) else { return false };
        header.verb() == Some(Verb::Ok)
            && !header.is_compressed()
            && in_re.verb == Some(Verb::Echo)
            && secret == self.secret
    }
}

/// Identities that were found false, by their keys: two generations, of which the older is
/// forgotten when the younger is full.
struct Refuted {
    current: BTreeSet<[u8; 64]>,
    previous: BTreeSet<[u8; 64]>,
}

impl Refuted {
    const fn new() -> Self {
        Self { current: BTreeSet::new(), previous: BTreeSet::new() }
    }

    fn contains(&self, identity: &Identity) -> bool {
        let key = identity.public_key();
        self.current.contains(key) || self.previous.contains(key)
    }

    fn insert(&mut self, identity: &Identity) {
        if self.current.len() >= REFUTED_MAX {
            self.previous = core::mem::take(&mut self.current);
        }
        self.current.insert(*identity.public_key());
    }
}

impl Peers {
    /// Makes a stranger a peer if the HELLO in `packet` is authentic and its identity valid, or
    /// asks it to prove where it is.
    ///
    /// # Errors
    ///
    /// [`Rejected::Unproven`] if it was asked, [`Rejected::InvalidIdentity`],
    /// [`Rejected::RateLimited`], [`Rejected::NotAuthentic`], [`Rejected::Full`].
    pub(super) fn admit(
        &mut self,
        ctx: &mut Ctx<'_>,
        path: Path,
        identity: &Identity,
        packet: &mut [u8],
    ) -> Result<(), Rejected> {
        if self.strangers.refuted.contains(identity) {
            return Err(Rejected::InvalidIdentity);
        }
        check_room(ctx, identity.address())?;
        self.strangers.expire(ctx.now);
        let is_it = |one: &Candidate| one.identity == *identity && one.path == path;
        if let Some(index) = self.strangers.candidates.iter().position(is_it) {
            return self.admit_candidate(ctx, index, packet);
        }
        let keys = self.agree_with_stranger(ctx, path, identity, packet)?;
        if self.strangers.validations.spend(ctx.now) {
            return self.validate(ctx, identity, keys);
        }
        if packet.len() > PHYSICAL_MTU {
            return Err(Rejected::RateLimited);
        }
        if self.strangers.candidates.len() >= CANDIDATES_MAX {
            self.strangers.candidates.pop_front();
        }
        let secret = ctx.rng.bytes();
        let to = identity.address();
        ctx.out.answer_newcomer(path, to, Arc::clone(&keys), Verb::Echo, secret.to_vec());
        let (since, hello) = (ctx.now, packet.to_vec());
        let (identity, is_proven) = (*identity, false);
        let candidate = Candidate { since, identity, keys, path, secret, is_proven, hello };
        self.strangers.candidates.push_back(candidate);
        Err(Rejected::Unproven)
    }

    /// Makes a stranger that was asked already a peer, if it has answered.
    fn admit_candidate(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: usize,
        packet: &mut [u8],
    ) -> Result<(), Rejected> {
        let candidate = &self.strangers.candidates[index];
        if !candidate.is_proven {
            return Err(Rejected::Unproven);
        }
        suite::open(&candidate.keys, packet)?;
        if !self.strangers.proven_validations.spend(ctx.now) {
            return Err(Rejected::RateLimited);
        }
        let (identity, keys) = (candidate.identity, Arc::clone(&candidate.keys));
        self.strangers.candidates.remove(index);
        self.validate(ctx, &identity, keys)
    }

    /// Takes in a packet of a stranger that was asked to prove where it is; returns whether that
    /// has made it a peer.
    ///
    /// # Errors
    ///
    /// As for its HELLO.
    pub fn handle_proof(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        surface: &mut Surface,
        (source, path): (Address, Path),
        packet: &[u8],
    ) -> Result<bool, Rejected> {
        self.strangers.expire(ctx.now);
        let gives_back = |one: &Candidate| {
            one.identity.address() == source
                && one.path.remote == path.remote
                && one.is_given_back(packet)
        };
        let Some(index) = self.strangers.candidates.iter().position(gives_back) else {
            return Ok(false);
        };
        if !self.strangers.proven_validations.spend(ctx.now) {
            self.strangers.candidates[index].is_proven = true;
            return Err(Rejected::RateLimited);
        }
        let Some(candidate) = self.strangers.candidates.remove(index) else { return Ok(false) };
        let Candidate { identity, keys, path, mut hello, .. } = candidate;
        self.validate(ctx, &identity, keys)?;
        self.handle_hello(ctx, roots, surface, path, &mut hello)?;
        Ok(true)
    }

    /// Returns whether an identity is valid whose address is another's. If there is nothing left to
    /// find out with, it is taken not to be.
    pub(super) fn is_genuine_double(&mut self, now: Instant, identity: &Identity) -> bool {
        if self.strangers.refuted.contains(identity) || !self.strangers.validations.spend(now) {
            return false;
        }
        let is_valid = identity.is_valid();
        if !is_valid {
            self.strangers.refuted.insert(identity);
        }
        is_valid
    }

    /// Makes a stranger a peer if its identity is valid.
    fn validate(
        &mut self,
        ctx: &mut Ctx<'_>,
        identity: &Identity,
        keys: Arc<PeerKeys>,
    ) -> Result<(), Rejected> {
        // Somebody else may have come by the address since the stranger was asked for proof.
        if self.knows(ctx, identity)? {
            return Ok(());
        }
        if !identity.is_valid() {
            self.strangers.refuted.insert(identity);
            return Err(Rejected::InvalidIdentity);
        }
        self.insert(ctx, identity, keys)
    }

    /// Returns the keys shared with whoever claims `identity`, if `packet` was sealed with them.
    ///
    /// # Errors
    ///
    /// [`Rejected::RateLimited`], [`Rejected::InvalidIdentity`] if no key can be agreed on,
    /// [`Rejected::NotAuthentic`].
    pub(super) fn agree_with_stranger(
        &mut self,
        ctx: &Ctx<'_>,
        path: Path,
        identity: &Identity,
        packet: &mut [u8],
    ) -> Result<Arc<PeerKeys>, Rejected> {
        let neighbourhood = SourcePrefix::of(path.remote.ip());
        let is_fair = self.strangers.neighbourhoods.spend(ctx.now, neighbourhood);
        if !is_fair || !self.strangers.agreements.spend(ctx.now) {
            return Err(Rejected::RateLimited);
        }
        let key = ctx.me.agree(identity).ok_or(Rejected::InvalidIdentity)?;
        let keys = PeerKeys::counted(key, &ctx.tables.expansions);
        suite::open(&keys, packet)?;
        Ok(Arc::new(keys))
    }
}
