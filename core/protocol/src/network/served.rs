//! Groups of networks this node is not on. Roots and controllers keep them, to tell members about
//! each other.
//!
//! Source: spec 03 §9.2, §9.7.

use core::time::Duration;
use std::collections::BTreeMap;

use super::groups::Groups;
use crate::address::{Address, MulticastGroup, NetworkId};
use crate::error::Rejected;
use crate::limits::{SERVED_LIKES_MAX, SERVED_LIKES_PER_MEMBER_MAX, SWEEP_PERIOD};
use crate::memory;
use crate::rng::Rng;
use crate::time::Instant;

/// Who is subscribed to what, on whichever network.
#[derive(Debug, Default)]
pub(super) struct Served {
    networks: BTreeMap<NetworkId, Groups>,
    /// How many subscriptions each member has, and all together.
    likes_of: BTreeMap<Address, usize>,
    likes: usize,
    /// How many members there are on each network, summed up.
    places: usize,
    next_sweep: Instant,
}

impl Served {
    /// Remembers that `member` is subscribed to `group` of `network`.
    ///
    /// # Errors
    ///
    /// [`Rejected::Full`] if too much is remembered, of this member or of all.
    pub(super) fn like(
        &mut self,
        now: Instant,
        network: NetworkId,
        group: MulticastGroup,
        member: Address,
    ) -> Result<(), Rejected> {
        let of_member = self.likes_of.get(&member).copied().unwrap_or_default();
        let groups = self.networks.entry(network).or_default();
        let known = groups.contains(group, member);
        if !known && (self.likes >= SERVED_LIKES_MAX || of_member >= SERVED_LIKES_PER_MEMBER_MAX) {
            return Err(Rejected::Full);
        }

        // Nobody sends to these groups from here, so nothing waits for their members.
        groups.like(now, group, member)?;
        if !known {
            self.places += usize::from(groups.likes_by(member) == 1);
            self.likes += 1;
            self.likes_of.insert(member, of_member + 1);
        }
        Ok(())
    }

    /// Returns whether it is known that `member` is subscribed to `group` of `network`.
    pub(super) fn contains(
        &self,
        network: NetworkId,
        group: MulticastGroup,
        member: Address,
    ) -> bool {
        self.networks.get(&network).is_some_and(|groups| groups.contains(group, member))
    }

    /// Forgets subscriptions that were not renewed for so long.
    pub(super) fn give_back(&mut self, now: Instant, age: Duration) {
        self.networks.retain(|_, groups| {
            groups.forget_stale(now, age);
            !groups.is_empty()
        });
        self.recount();
    }

    /// Returns who is subscribed to `group` of `network`, in random order.
    pub(super) fn members(
        &self,
        network: NetworkId,
        group: MulticastGroup,
        rng: &mut Rng,
    ) -> Vec<Address> {
        let groups = self.networks.get(&network);
        groups.map(|groups| groups.members(group, rng)).unwrap_or_default()
    }

    /// Forgets what has expired.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.next_sweep > now {
            return;
        }
        self.next_sweep = now + SWEEP_PERIOD;
        self.networks.retain(|_, groups| {
            groups.sweep(now);
            !groups.is_empty()
        });
        self.recount();
    }

    fn recount(&mut self) {
        self.likes_of.clear();
        for (member, count) in self.networks.values().flat_map(Groups::likes_of) {
            *self.likes_of.entry(member).or_default() += count;
        }
        self.likes = self.likes_of.values().sum();
        self.places = self.networks.values().map(|groups| groups.likes_of().count()).sum();
    }

    /// Returns what they take, in bytes.
    pub(super) fn footprint(&self) -> usize {
        let groups = Groups::footprint_of(self.networks.len(), self.likes, self.places);
        groups + memory::of_tree(&self.networks) + memory::of_tree(&self.likes_of)
    }

    /// Returns when something may have expired.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        (!self.networks.is_empty()).then_some(self.next_sweep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Mac;

    fn group(adi: u32) -> MulticastGroup {
        MulticastGroup { mac: Mac::BROADCAST, adi }
    }

    fn at(secs: u64) -> Instant {
        Instant::from_millis(secs * 1_000)
    }

    #[test]
    fn one_member_cannot_keep_the_others_out_with_networks_it_makes_up() {
        let mut served = Served::default();
        let (greedy, modest) = (Address::from_u64(1), Address::from_u64(2));

        let accepted = (0..2 * SERVED_LIKES_PER_MEMBER_MAX as u64)
            .filter(|&n| served.like(at(0), NetworkId(n), group(0), greedy).is_ok())
            .count();

        assert_eq!(accepted, SERVED_LIKES_PER_MEMBER_MAX);
        assert!(served.like(at(0), NetworkId(0), group(0), modest).is_ok());
        assert!(served.like(at(1), NetworkId(0), group(0), greedy).is_ok(), "renewed");
    }

    #[test]
    fn what_has_expired_makes_room_again() {
        let mut served = Served::default();
        let member = Address::from_u64(1);
        for n in 0..SERVED_LIKES_PER_MEMBER_MAX as u64 {
            served.like(at(0), NetworkId(n), group(0), member).unwrap();
        }
        served.like(at(300), NetworkId(0), group(0), member).unwrap();

        served.handle_timeout(at(600));

        assert_eq!((served.networks.len(), served.likes), (1, 1));
        assert!(served.like(at(600), NetworkId(1), group(0), member).is_ok());
        served.handle_timeout(at(1_200));
        assert_eq!((served.poll_timeout(), served.likes), (None, 0));
    }
}
