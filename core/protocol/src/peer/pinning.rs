//! Who may hold an address: pins, first use, and what contradicts them.
//!
//! Whatever an identity is learned from, it passes [`Pins::check`] in [`Peers::knows`], so peers
//! and acquaintances agree with the pins at any time.

use crate::address::Address;
use crate::command::CommandError;
use crate::error::Rejected;
use crate::event::{Event, IdentitySource, StoreKey};
use crate::fingerprint::{Expected, Fingerprint};
use crate::identity::Identity;
use crate::outbox::{Ctx, Directory as _};
use crate::peer::Peers;
use crate::pins::Pins;
use crate::roots::Roots;

impl Peers {
    /// Returns what is settled about addresses.
    #[must_use]
    pub const fn pins(&self) -> &Pins {
        &self.pins
    }

    /// Pins an address. Whoever is known under it and is another is forgotten, keys and all;
    /// returns whether that was so.
    ///
    /// # Errors
    ///
    /// [`CommandError::ReservedAddress`], [`CommandError::WrongFingerprint`] if it is this node's own
    /// and another's, [`CommandError::TooMany`].
    pub fn pin(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        address: Address,
        expected: Expected,
    ) -> Result<bool, CommandError> {
        if address.is_reserved() {
            return Err(CommandError::ReservedAddress(address));
        }
        if address == ctx.me.address() && !expected.matches(&ctx.me.public().fingerprint()) {
            return Err(CommandError::WrongFingerprint(address));
        }
        let seen = self.pins.seen(address);
        if !self.pins.pin(address, expected) {
            return Err(CommandError::TooMany("pins"));
        }
        store(ctx, StoreKey::Pin(address), Some(expected.to_string()));
        if seen.is_some() {
            store(ctx, StoreKey::FirstSeen(address), None);
        }

        let known = self.identity(address).map(Identity::fingerprint);
        let impostor = known.or(seen).filter(|known| !expected.matches(known));
        if let Some(impostor) = impostor {
            self.cut_off(ctx, address);
            let key = StoreKey::Peer(address);
            ctx.out.events.push_back(Event::Store { key, value: None });
            self.alarm(ctx, address, expected, impostor, IdentitySource::Known);
        }
        // A root may have gone by that, or may come back.
        self.worlds_changed(ctx, roots);
        Ok(impostor.is_some())
    }

    /// Takes a pin back, or forgets who was seen first.
    ///
    /// # Errors
    ///
    /// [`CommandError::NotPinned`] if there is neither.
    pub fn unpin(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        address: Address,
    ) -> Result<(), CommandError> {
        let is_pinned = self.pins.is_pinned(address);
        if !self.pins.remove(address) {
            return Err(CommandError::NotPinned(address));
        }
        let key = if is_pinned { StoreKey::Pin(address) } else { StoreKey::FirstSeen(address) };
        store(ctx, key, None);
        self.worlds_changed(ctx, roots);
        Ok(())
    }

    /// Sets whether nobody but roots may be a peer who is not pinned.
    pub fn require_pinned(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, required: bool) {
        self.pins.require(required);
        store(ctx, StoreKey::RequirePinned, required.then(String::new));
        self.worlds_changed(ctx, roots);
    }

    /// Settles by first use who holds `address`: its holder has taken part in a network of this
    /// node, or configured one.
    pub fn see(&mut self, ctx: &mut Ctx<'_>, address: Address) {
        let Some(peer) = self.peers.get(&address) else { return };
        let fingerprint = peer.identity.fingerprint();
        if self.pins.see(address, fingerprint) {
            store(ctx, StoreKey::FirstSeen(address), Some(fingerprint.to_string()));
        }
    }

    /// Returns whether it is worth finding out who is at `address`.
    #[must_use]
    pub fn may_meet(&self, roots: &Roots, address: Address) -> bool {
        self.pins.may_meet(address, roots.is_upstream(address))
    }

    /// Forgets everybody who may not be a peer.
    pub(super) fn cut_off_unpinned(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        if !self.pins.is_required() {
            return;
        }
        let may_stay = |identity: &Identity| self.may_meet(roots, identity.address());
        let identities = self.peers.values().map(|peer| &peer.identity);
        let unpinned = identities.chain(self.acquaintances.iter());
        let unpinned: Vec<Address> =
            unpinned.filter(|known| !may_stay(known)).map(Identity::address).collect();
        for address in unpinned {
            self.cut_off(ctx, address);
        }
    }

    /// Forgets a peer, keys and all, without remembering it.
    fn cut_off(&mut self, ctx: &mut Ctx<'_>, address: Address) {
        self.acquaintances.remove(address);
        ctx.tables.remove_peer(address);
        let Some(peer) = self.peers.remove(&address) else { return };
        self.held -= peer.held;
        if peer.selected.is_some() {
            ctx.out.events.push_back(Event::Peer { address, path: None });
        }
    }

    /// Takes note that `offered` was refused because its address is another's.
    ///
    /// Anybody can claim an address. It is an alarm only if the identity is valid, which nobody
    /// comes by without effort, or if it was found where only valid ones are.
    pub(super) fn refused(
        &mut self,
        ctx: &mut Ctx<'_>,
        offered: &Identity,
        source: IdentitySource,
    ) {
        let address = offered.address();
        let known = self.identity(address).map(|known| Expected::Full(known.fingerprint()));
        let Some(known) = self.pins.expected(address).or(known) else { return };
        if self.alarms.has_passed(ctx.now, offered.fingerprint()) {
            // The host knows; a network that was joined since does not.
            ctx.out.impostors.push_back(address);
            return;
        }
        let is_valid = match source {
            IdentitySource::Hello(_) => self.is_genuine_double(ctx.now, offered),
            IdentitySource::Whois(_) => self.answers.spend(ctx.now) && offered.is_valid(),
            IdentitySource::World | IdentitySource::Saved | IdentitySource::Known => true,
        };
        if is_valid {
            self.alarm(ctx, address, known, offered.fingerprint(), source);
        }
    }

    /// Raises the alarm, once in a while for each identity that is not what it should be.
    fn alarm(
        &mut self,
        ctx: &mut Ctx<'_>,
        address: Address,
        known: Expected,
        offered: Fingerprint,
        source: IdentitySource,
    ) {
        ctx.out.impostors.push_back(address);
        if self.alarms.pass(ctx.now, offered) {
            log::warn!("another identity than the one known claims to be {address}");
            ctx.out.events.push_back(Event::IdentityConflict { address, known, offered, source });
        }
    }

    /// As [`learn`](Self::learn), of an identity that need not be validated; raises the alarm if
    /// its address is another's.
    ///
    /// # Errors
    ///
    /// As [`learn`](Self::learn).
    pub(super) fn learn_from(
        &mut self,
        ctx: &mut Ctx<'_>,
        identity: &Identity,
        source: IdentitySource,
    ) -> Result<(), Rejected> {
        let learned = self.learn(ctx, identity);
        if learned == Err(Rejected::IdentityCollision) {
            self.refused(ctx, identity, source);
        }
        learned
    }
}

fn store(ctx: &mut Ctx<'_>, key: StoreKey, text: Option<String>) {
    let value = text.map(|text| format!("{text}\n").into_bytes());
    ctx.out.events.push_back(Event::Store { key, value });
}
