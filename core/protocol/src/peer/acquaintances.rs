//! Nodes whose identities were validated once and that are no peers at the moment.
//!
//! To validate an identity costs some ten milliseconds and is done at a limited rate; to remember
//! one costs a hundred bytes. So those who were forgotten as peers, and those loaded at start, are
//! peers again as soon as a packet from them or for them needs it. What was saved is trusted as it
//! is, as the reference does: whoever can write there can replace this node's own identity too.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::error::Rejected;
use crate::identity::Identity;
use crate::limits::{ACQUAINTANCES_MAX, ACQUAINTANCES_MAX_ROOT};
use crate::memory;
use crate::outbox::Ctx;
use crate::peer::Peers;

/// Who is remembered, at most [`ACQUAINTANCES_MAX`], or [`ACQUAINTANCES_MAX_ROOT`] by a root.
#[derive(Debug, Default)]
pub(super) struct Acquaintances(BTreeMap<Address, Identity>);

impl Acquaintances {
    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Remembers somebody if there is room.
    pub(super) fn add(&mut self, identity: Identity, is_root: bool) {
        let max = if is_root { ACQUAINTANCES_MAX_ROOT } else { ACQUAINTANCES_MAX };
        if self.0.len() < max {
            self.0.insert(identity.address(), identity);
        }
    }

    /// Forgets some, until at most so many bytes are taken.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let each = memory::of_trees::<Address, Identity>(1, 1_000) / 1_000;
        while self.0.len() > bytes / each && self.0.pop_last().is_some() {}
    }

    /// Returns what they take, in bytes.
    pub(super) fn footprint(&self) -> usize {
        memory::of_tree(&self.0)
    }

    pub(super) fn get(&self, address: Address) -> Option<&Identity> {
        self.0.get(&address)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Identity> {
        self.0.values()
    }

    pub(super) fn remove(&mut self, address: Address) {
        self.0.remove(&address);
    }
}

impl Peers {
    /// Makes a peer of whoever is remembered under `address`; returns whether somebody was.
    ///
    /// # Errors
    ///
    /// As [`learn`](Self::learn).
    pub fn recall(&mut self, ctx: &mut Ctx<'_>, address: Address) -> Result<bool, Rejected> {
        let Some(&identity) = self.acquaintances.get(address) else { return Ok(false) };
        self.learn(ctx, &identity).map(|()| true)
    }
}
