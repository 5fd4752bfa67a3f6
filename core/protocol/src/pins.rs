//! Which key holds an address, as far as that is settled on this node.
//!
//! | settled by | from | until |
//! |---|---|---|
//! | a pin | whoever runs the node was told a fingerprint by other ways than the network | it is taken back |
//! | first use | the first key that took part in one of the node's networks, or configured it | a pin says otherwise |
//!
//! An address that is settled accepts its one key and no other, from whatever source. Strangers
//! that only pass by, at a root for instance, settle nothing.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::error::Rejected;
use crate::fingerprint::{Expected, Fingerprint};
use crate::identity::Identity;
use crate::limits::{FIRST_SEEN_MAX, PINS_MAX};
use crate::memory;

/// Everything that is settled.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pins {
    required: bool,
    pinned: BTreeMap<Address, Expected>,
    first_seen: BTreeMap<Address, Fingerprint>,
}

impl Pins {
    /// Settles nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { required: false, pinned: BTreeMap::new(), first_seen: BTreeMap::new() }
    }

    /// Pins an address, or pins it anew, whatever was seen of it; returns whether there was room.
    pub fn pin(&mut self, address: Address, expected: Expected) -> bool {
        if self.pinned.len() >= PINS_MAX && !self.pinned.contains_key(&address) {
            return false;
        }
        self.pinned.insert(address, expected);
        self.first_seen.remove(&address);
        true
    }

    /// Settles an address by first use, unless it is settled; returns whether it was not and there
    /// was room.
    ///
    /// Whoever came first stays: a crowd of others displaces nobody.
    pub fn see(&mut self, address: Address, fingerprint: Fingerprint) -> bool {
        let is_full = self.first_seen.len() >= FIRST_SEEN_MAX;
        if is_full || self.expected(address).is_some() {
            return false;
        }
        self.first_seen.insert(address, fingerprint);
        true
    }

    /// Makes an address unsettled; returns whether it was settled.
    pub fn remove(&mut self, address: Address) -> bool {
        let pinned = self.pinned.remove(&address).is_some();
        self.first_seen.remove(&address).is_some() || pinned
    }

    /// Sets whether nobody but roots may be a peer who is not pinned.
    pub const fn require(&mut self, required: bool) {
        self.required = required;
    }

    /// Returns whether nobody but roots may be a peer who is not pinned.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.required
    }

    /// Returns which fingerprint the holder of `address` has to have, if that is settled.
    #[must_use]
    pub fn expected(&self, address: Address) -> Option<Expected> {
        let pinned = self.pinned.get(&address).copied();
        pinned.or_else(|| self.seen(address).map(Expected::Full))
    }

    /// Returns whether `address` is pinned.
    #[must_use]
    pub fn is_pinned(&self, address: Address) -> bool {
        self.pinned.contains_key(&address)
    }

    /// Returns who was seen first at `address`, if it is settled so.
    #[must_use]
    pub fn seen(&self, address: Address) -> Option<Fingerprint> {
        self.first_seen.get(&address).copied()
    }

    /// Returns the addresses that are pinned, ascending.
    pub fn pinned(&self) -> impl Iterator<Item = (Address, Expected)> + '_ {
        self.pinned.iter().map(|(&address, &expected)| (address, expected))
    }

    /// Returns the addresses settled by first use, ascending.
    pub fn first_seen(&self) -> impl Iterator<Item = (Address, Fingerprint)> + '_ {
        self.first_seen.iter().map(|(&address, &fingerprint)| (address, fingerprint))
    }

    /// Returns what they take, in bytes.
    pub(crate) fn footprint(&self) -> usize {
        memory::of_tree(&self.pinned) + memory::of_tree(&self.first_seen)
    }

    /// Checks that whoever claims to be `identity` may be.
    ///
    /// # Errors
    ///
    /// [`Rejected::IdentityCollision`] if the address is settled and another's,
    /// [`Rejected::NotPinned`] if the node wants to know pinned peers only.
    pub fn check(&self, identity: &Identity, is_root: bool) -> Result<(), Rejected> {
        let address = identity.address();
        match self.expected(address) {
            Some(expected) if !expected.matches(&identity.fingerprint()) => {
                Err(Rejected::IdentityCollision)
            }
            Some(_) | None if self.may_meet(address, is_root) => Ok(()),
            Some(_) | None => Err(Rejected::NotPinned),
        }
    }

    /// Returns whether somebody at `address` may be a peer at all.
    #[must_use]
    pub fn may_meet(&self, address: Address, is_root: bool) -> bool {
        !self.required || is_root || self.is_pinned(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Address = Address::from_u64(1);

    fn identity(key: u8) -> Identity {
        Identity::from_parts(ALICE, [key; 64])
    }

    #[test]
    fn the_first_key_stays_until_a_pin_says_otherwise() {
        let [first, second] = [identity(1), identity(2)];
        let mut pins = Pins::new();
        assert_eq!(pins.check(&first, false), Ok(()));

        assert!(pins.see(ALICE, first.fingerprint()));
        assert!(!pins.see(ALICE, second.fingerprint()));
        assert_eq!(pins.check(&second, true), Err(Rejected::IdentityCollision));
        assert_eq!(pins.check(&first, false), Ok(()));

        assert!(pins.pin(ALICE, second.fingerprint().short().parse().unwrap()));
        assert_eq!(pins.check(&first, false), Err(Rejected::IdentityCollision));
        assert_eq!(pins.check(&second, false), Ok(()));
        assert!(!pins.see(ALICE, first.fingerprint()));

        assert!(pins.remove(ALICE) && !pins.remove(ALICE));
        assert_eq!(pins.check(&first, false), Ok(()));
    }

    #[test]
    fn only_roots_and_pinned_peers_may_be_met_if_that_is_required() {
        let alice = identity(1);
        let mut pins = Pins::new();
        pins.see(ALICE, alice.fingerprint());
        pins.require(true);

        assert_eq!(pins.check(&alice, false), Err(Rejected::NotPinned));
        assert_eq!(pins.check(&alice, true), Ok(()));
        pins.pin(ALICE, alice.fingerprint().into());
        assert_eq!(pins.check(&alice, false), Ok(()));
    }

    #[test]
    fn a_crowd_displaces_nobody() {
        let mut pins = Pins::new();
        let see = |pins: &mut Pins, number: u64| {
            pins.see(Address::from_u64(number), identity(1).fingerprint())
        };
        let room = FIRST_SEEN_MAX as u64;

        assert!((0..room).all(|number| see(&mut pins, number)));

        assert!(!see(&mut pins, room));
        assert!(pins.expected(Address::from_u64(0)).is_some());
        assert!(pins.pin(Address::from_u64(room), identity(1).fingerprint().into()));
    }
}
