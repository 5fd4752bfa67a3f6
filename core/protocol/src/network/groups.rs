//! Who is subscribed to a network's multicast groups, as far as this node has heard, and what
//! waits until it has heard more.
//!
//! Source: spec 03 §9.2, §9.5, §9.7.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::address::{Address, MulticastGroup};
use crate::error::Rejected;
use crate::limits::{
    GATHER_PERIOD, GATHER_RETRY_DELAYS, GROUPS_MAX, LIKE_TIMEOUT, LIKES_MAX, LIKES_PER_MEMBER_MAX,
    NEIGHBOR_ASK_PERIOD, PENDING_MULTICAST_BYTES_MAX, PENDING_MULTICAST_TIMEOUT,
    PENDING_MULTICASTS_MAX, PENDING_MULTICASTS_PER_GROUP,
};
use crate::memory;
use crate::rng::Rng;
use crate::time::Instant;

/// The multicast groups of one network.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// When each member was last said to be subscribed. One table for all groups, since most have
    /// one member: each address of a network has a group in which it is asked for.
    likes: BTreeMap<(MulticastGroup, Address), Instant>,
    /// How many of `likes` are of each member.
    likes_of: BTreeMap<Address, usize>,
    /// When the members of a group were last asked for.
    gathered: BTreeMap<MulticastGroup, Instant>,
    /// Oldest first.
    pending: VecDeque<Pending>,
    pending_bytes: usize,
    /// When groups nobody is known of are asked for again, and for the how manieth time.
    retries: BTreeMap<MulticastGroup, (Instant, usize)>,
}

/// A multicast that has reached fewer than it may.
#[derive(Debug)]
pub(super) struct Pending {
    /// Which group it is for.
    pub(super) group: MulticastGroup,
    /// Since when it waits.
    pub(super) since: Instant,
    /// The MULTICAST_FRAME's body.
    pub(super) body: Vec<u8>,
    /// Who has it.
    pub(super) reached: BTreeSet<Address>,
    /// How many more may get it.
    pub(super) remaining: usize,
}

impl Pending {
    /// Returns what it takes in the queue, in bytes.
    fn footprint(&self) -> usize {
        memory::of_list(&self.body) + memory::of_tree_set(&self.reached)
    }
}

impl Groups {
    /// Remembers that `member` is subscribed to `group`.
    ///
    /// Returns the multicasts that have been waiting for it, to be sent to it.
    ///
    /// # Errors
    ///
    /// [`Rejected::Full`] if too much is remembered already.
    pub(super) fn like(
        &mut self,
        now: Instant,
        group: MulticastGroup,
        member: Address,
    ) -> Result<Vec<Vec<u8>>, Rejected> {
        if let Some(heard) = self.likes.get_mut(&(group, member)) {
            *heard = now;
            return Ok(Vec::new());
        }

        let of_member = self.likes_of.get(&member).copied().unwrap_or_default();
        if of_member >= LIKES_PER_MEMBER_MAX || self.likes.len() >= LIKES_MAX {
            return Err(Rejected::Full);
        }
        self.likes.insert((group, member), now);
        self.likes_of.insert(member, of_member + 1);
        self.retries.remove(&group);
        Ok(self.take_pending(now, group, member))
    }

    /// Forgets that `member` is subscribed to `group`.
    pub(super) fn unlike(&mut self, group: MulticastGroup, member: Address) {
        if self.likes.remove(&(group, member)).is_some() {
            self.uncount(member);
        }
    }

    /// Returns who is subscribed to `group`, in random order.
    pub(super) fn members(&self, group: MulticastGroup, rng: &mut Rng) -> Vec<Address> {
        let likes = self.likes.range((group, Address::NULL)..);
        let likes = likes.take_while(|((liked, _), _)| *liked == group);
        let mut members: Vec<_> = likes.map(|(&(_, member), _)| member).collect();
        rng.shuffle(&mut members);
        members
    }

    /// Returns whether the members of `group`, of whom `known` are known, should be asked for, and
    /// counts that as done.
    ///
    /// # Errors
    ///
    /// [`Rejected::Full`] if too many groups are being used.
    pub(super) fn gather_due(
        &mut self,
        now: Instant,
        group: MulticastGroup,
        known: usize,
    ) -> Result<bool, Rejected> {
        let gathered = self.gathered.get(&group).copied();
        if gathered.is_none() && self.gathered.len() >= GROUPS_MAX {
            return Err(Rejected::Full);
        }
        let due = known == 0 || now.is_due(gathered, GATHER_PERIOD);
        if due {
            self.gathered.insert(group, now);
        }
        Ok(due)
    }

    /// Returns whether nobody is known to be in `group`, and it was asked a moment ago who is.
    pub(super) fn is_sought(&self, now: Instant, group: MulticastGroup) -> bool {
        let mut from_it_on = self.likes.range((group, Address::NULL)..);
        let is_known = from_it_on.next().is_some_and(|((liked, _), _)| *liked == group);
        let gathered = self.gathered.get(&group).copied();
        !is_known && !now.is_due(gathered, NEIGHBOR_ASK_PERIOD)
    }

    /// Plans to ask for the members of `group` again, of whom none is known, for the `nth` time;
    /// the first time is 0.
    ///
    /// Groups for which that is planned already are left alone.
    pub(super) fn plan_retry(&mut self, now: Instant, group: MulticastGroup, nth: usize) {
        if let Some(&delay) = GATHER_RETRY_DELAYS.get(nth) {
            self.retries.entry(group).or_insert((now + delay, nth));
        }
    }

    /// Returns the groups that are to be asked for again, because multicasts wait and nobody is
    /// known to be in them.
    pub(super) fn take_retries(&mut self, now: Instant) -> Vec<MulticastGroup> {
        self.give_up_late(now);
        let due: Vec<_> = self.retries.extract_if(.., |_, (at, _)| *at <= now).collect();
        let mut groups = Vec::with_capacity(due.len());
        for (group, (_, nth)) in due {
            if self.pending.iter().any(|pending| pending.group == group) {
                self.plan_retry(now, group, nth + 1);
                groups.push(group);
            }
        }
        groups
    }

    /// Returns when [`take_retries`](Self::take_retries) may return something.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.retries.values().map(|&(at, _)| at).min()
    }

    /// Keeps a multicast for members that will be heard of within a few seconds.
    pub(super) fn hold(&mut self, pending: Pending) {
        self.give_up_late(pending.since);
        let in_group = self.pending.iter().filter(|other| other.group == pending.group).count();
        if in_group >= PENDING_MULTICASTS_PER_GROUP {
            let oldest = self.pending.iter().position(|other| other.group == pending.group);
            let oldest = oldest.and_then(|index| self.pending.remove(index));
            self.pending_bytes -= oldest.map_or(0, |oldest| oldest.footprint());
        } else if self.pending.len() >= PENDING_MULTICASTS_MAX {
            self.give_up_oldest();
        }
        self.pending_bytes += pending.footprint();
        self.pending.push_back(pending);
        while self.pending_bytes > PENDING_MULTICAST_BYTES_MAX {
            self.give_up_oldest();
        }
    }

    /// Forgets what has expired.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.give_up_late(now);
        self.gathered.retain(|_, gathered| now.since(*gathered) < GATHER_PERIOD);
        self.forget_stale(now, LIKE_TIMEOUT);
    }

    /// Forgets subscriptions that were not renewed for so long.
    pub(super) fn forget_stale(&mut self, now: Instant, age: Duration) {
        self.forget_likes(|_, heard| now.since(heard) >= age);
    }

    /// Forgets what each member is subscribed to beyond so many groups.
    pub(super) fn thin_out(&mut self, of_each: usize) {
        let mut seen = BTreeMap::<Address, usize>::new();
        self.forget_likes(|member, _| {
            let count = seen.entry(member).or_default();
            *count += 1;
            *count > of_each
        });
    }

    /// Forgets subscriptions of which `is_unwanted` is true, given who is subscribed and since when.
    fn forget_likes(&mut self, mut is_unwanted: impl FnMut(Address, Instant) -> bool) {
        let is_unwanted =
            |&(_, member): &(_, Address), heard: &mut Instant| is_unwanted(member, *heard);
        let forgotten: Vec<_> = self.likes.extract_if(.., is_unwanted).collect();
        for ((_, member), _) in forgotten {
            self.uncount(member);
        }
    }

    /// Gives back the room its queue has grown and does not need.
    pub(super) fn shrink(&mut self) {
        self.pending.shrink_to_fit();
    }

    /// Returns whether it is known that `member` is subscribed to `group`.
    pub(super) fn contains(&self, group: MulticastGroup, member: Address) -> bool {
        self.likes.contains_key(&(group, member))
    }

    /// Returns how many subscriptions each member has.
    pub(super) fn likes_of(&self) -> impl Iterator<Item = (Address, usize)> + '_ {
        self.likes_of.iter().map(|(&member, &count)| (member, count))
    }

    /// Returns what the groups of so many networks take, in bytes, with so many subscriptions of so
    /// many members among them and nothing besides.
    pub(super) fn footprint_of(networks: usize, likes: usize, members: usize) -> usize {
        memory::of_trees::<(MulticastGroup, Address), Instant>(networks, likes)
            + memory::of_trees::<Address, usize>(networks, members)
    }

    /// Returns how many subscriptions `member` has.
    pub(super) fn likes_by(&self, member: Address) -> usize {
        self.likes_of.get(&member).copied().unwrap_or_default()
    }

    /// Returns what they take, in bytes, multicasts that wait included.
    pub(super) fn footprint(&self) -> usize {
        memory::of_tree(&self.likes)
            + memory::of_tree(&self.likes_of)
            + memory::of_tree(&self.gathered)
            + memory::of_tree(&self.retries)
            + memory::of_queue(&self.pending)
            + self.pending_bytes
    }

    /// Returns whether nothing is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.likes.is_empty() && self.gathered.is_empty() && self.pending.is_empty()
    }

    fn take_pending(
        &mut self,
        now: Instant,
        group: MulticastGroup,
        member: Address,
    ) -> Vec<Vec<u8>> {
        self.give_up_late(now);
        let mut bodies = Vec::new();
        for pending in self.pending.iter_mut().filter(|pending| pending.group == group) {
            let before = pending.footprint();
            if pending.reached.insert(member) {
                self.pending_bytes = self.pending_bytes - before + pending.footprint();
                pending.remaining = pending.remaining.saturating_sub(1);
                bodies.push(pending.body.clone());
            }
        }
        self.pending.retain(|pending| {
            let keep = pending.remaining > 0;
            if !keep {
                self.pending_bytes -= pending.footprint();
            }
            keep
        });
        bodies
    }

    fn give_up_late(&mut self, now: Instant) {
        while let Some(oldest) = self.pending.front()
            && now.since(oldest.since) >= PENDING_MULTICAST_TIMEOUT
        {
            self.give_up_oldest();
        }
    }

    fn give_up_oldest(&mut self) {
        self.pending_bytes -= self.pending.pop_front().map_or(0, |oldest| oldest.footprint());
    }

    fn uncount(&mut self, member: Address) {
        if let Some(count) = self.likes_of.get_mut(&member) {
            *count -= 1;
            if *count == 0 {
                self.likes_of.remove(&member);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::address::Mac;
    use crate::rng::Rng;

    fn group(n: u32) -> MulticastGroup {
        MulticastGroup { mac: Mac::BROADCAST, adi: n }
    }

    fn member(n: u64) -> Address {
        Address::from_u64(n)
    }

    fn at(secs: u64) -> Instant {
        Instant::from_millis(secs * 1_000)
    }

    fn pending(since: Instant, remaining: usize) -> Pending {
        let reached = BTreeSet::from([member(1)]);
        Pending { group: group(1), since, body: vec![7], reached, remaining }
    }

    #[test]
    fn a_multicast_reaches_whoever_becomes_known_in_time_and_has_not_got_it() {
        let mut groups = Groups::default();
        groups.hold(pending(at(0), 10));

        assert_eq!(groups.like(at(1), group(2), member(2)), Ok(vec![]));
        assert_eq!(groups.like(at(1), group(1), member(1)), Ok(vec![]));
        assert_eq!(groups.like(at(1), group(1), member(2)), Ok(vec![vec![7]]));
        assert_eq!(groups.like(at(2), group(1), member(2)), Ok(vec![]));
        assert_eq!(groups.like(at(4), group(1), member(3)), Ok(vec![vec![7]]));
        assert_eq!(groups.like(at(5), group(1), member(4)), Ok(vec![]));
    }

    #[test]
    fn a_multicast_reaches_no_more_than_it_may() {
        let mut groups = Groups::default();
        groups.hold(pending(at(0), 1));

        assert_eq!(groups.like(at(1), group(1), member(2)), Ok(vec![vec![7]]));
        assert_eq!(groups.like(at(1), group(1), member(3)), Ok(vec![]));
    }

    #[test]
    fn the_oldest_multicasts_of_a_group_make_room() {
        let mut groups = Groups::default();
        for n in 0..PENDING_MULTICASTS_PER_GROUP + 3 {
            let body = vec![u8::try_from(n).unwrap()];
            groups.hold(Pending { body, ..pending(at(0), 10) });
        }

        let bodies = groups.like(at(1), group(1), member(2)).unwrap();

        assert_eq!(bodies.len(), PENDING_MULTICASTS_PER_GROUP);
        assert_eq!(bodies[0], [3]);
    }

    #[test]
    fn what_waits_is_bounded_in_bytes() {
        let mut groups = Groups::default();
        for n in 0..1_000 {
            let body = vec![0; 10_000];
            groups.hold(Pending { group: group(n), body, ..pending(at(0), 10) });
        }

        let each = groups.pending[0].footprint();
        assert_eq!(groups.pending.len(), PENDING_MULTICAST_BYTES_MAX / each);
        assert_eq!(groups.like(at(1), group(999), member(2)).unwrap().len(), 1);
        groups.sweep(at(5));
        assert_eq!((groups.pending.len(), groups.pending_bytes), (0, 0));
    }

    #[test]
    fn a_group_nobody_is_known_of_is_asked_for_again_while_a_multicast_waits() {
        let mut groups = Groups::default();
        let again = |groups: &mut Groups, millis| groups.take_retries(Instant::from_millis(millis));
        groups.hold(pending(at(0), 10));
        groups.plan_retry(at(0), group(1), 0);
        groups.plan_retry(at(0), group(2), 0);

        assert_eq!(groups.next_retry(), Some(Instant::from_millis(250)));
        assert_eq!(again(&mut groups, 249), []);
        assert_eq!(again(&mut groups, 250), [group(1)]);
        assert_eq!(again(&mut groups, 750), [group(1)]);
        assert_eq!(again(&mut groups, 1_500), [group(1)]);
        assert_eq!(groups.next_retry(), None);

        groups.plan_retry(at(2), group(1), 0);
        groups.like(at(2), group(1), member(2)).unwrap();
        assert_eq!(groups.next_retry(), None);
    }

    #[test]
    fn members_are_gathered_when_nobody_is_known_and_once_a_minute() {
        let mut groups = Groups::default();

        assert_eq!(groups.gather_due(at(0), group(1), 0), Ok(true));
        assert_eq!(groups.gather_due(at(1), group(1), 0), Ok(true));
        assert_eq!(groups.gather_due(at(2), group(1), 1), Ok(false));
        assert_eq!(groups.gather_due(at(61), group(1), 1), Ok(true));
    }

    #[test]
    fn a_group_is_sought_for_two_seconds_or_until_somebody_is_known_to_be_in_it() {
        let mut groups = Groups::default();
        assert!(!groups.is_sought(at(0), group(1)));

        groups.gather_due(at(0), group(1), 0).unwrap();
        groups.like(at(0), group(2), member(1)).unwrap();
        assert!(groups.is_sought(at(1), group(1)));
        assert!(!groups.is_sought(at(2), group(1)));

        groups.like(at(1), group(1), member(1)).unwrap();
        assert!(!groups.is_sought(at(1), group(1)));
    }

    #[test]
    fn a_subscription_that_is_not_renewed_expires() {
        let mut groups = Groups::default();
        groups.like(at(0), group(1), member(1)).unwrap();
        groups.like(at(0), group(1), member(2)).unwrap();
        groups.like(at(500), group(1), member(2)).unwrap();

        groups.sweep(at(600));

        let mut rng = Rng::from_seed([0; 32]);
        assert_eq!(groups.members(group(1), &mut rng), [member(2)]);
        groups.sweep(at(1_100));
        assert!(groups.is_empty());
        assert!(groups.likes_of.is_empty());
    }

    #[test]
    fn one_member_cannot_keep_the_others_out() {
        let mut groups = Groups::default();

        let accepted = (0..).take(2 * LIKES_PER_MEMBER_MAX);
        let accepted = accepted.filter(|&n| groups.like(at(0), group(n), member(1)).is_ok());

        assert_eq!(accepted.count(), LIKES_PER_MEMBER_MAX);
        assert!(groups.like(at(0), group(1), member(2)).is_ok());
    }

    #[test]
    fn whoever_is_in_many_groups_gives_back_first() {
        let mut groups = Groups::default();
        for n in 0..500 {
            groups.like(at(0), group(n), member(1)).unwrap();
        }
        groups.like(at(0), group(600), member(2)).unwrap();
        let before = groups.footprint();

        groups.thin_out(32);

        assert_eq!((groups.likes_by(member(1)), groups.likes_by(member(2))), (32, 1));
        assert!(groups.footprint() < before / 10);
        groups.like(at(300), group(600), member(2)).unwrap();
        groups.forget_stale(at(400), Duration::from_secs(300));
        assert_eq!((groups.likes_by(member(1)), groups.likes_by(member(2))), (0, 1));
    }

    proptest! {
        #[test]
        fn the_books_balance(steps in proptest::collection::vec((0_u8..6, 0_u32..3, 0_u64..3, 0_u64..300), 0..80)) {
            let mut groups = Groups::default();
            let mut now = at(0);
            for (step, g, m, pause) in steps {
                now = now + Duration::from_secs(pause);
                match step {
                    0 => drop(groups.like(now, group(g), member(m))),
                    1 => groups.unlike(group(g), member(m)),
                    2 => drop(groups.gather_due(now, group(g), 1)),
                    3 => groups.hold(Pending { group: group(g), ..pending(now, 2) }),
                    4 => groups.thin_out(1),
                    _ => groups.sweep(now),
                }
                prop_assert_eq!(groups.likes.len(), groups.likes_of.values().sum::<usize>());
                let waiting: usize = groups.pending.iter().map(Pending::footprint).sum();
                prop_assert_eq!(groups.pending_bytes, waiting);
            }
        }
    }
}
