//! Which packets were lately sent or received.

use core::hash::Hash;
use std::collections::{HashSet, VecDeque};

use foldhash::fast::FixedState;

/// The last so many things of a kind.
///
/// Of packets sent it says which answers to believe (spec 02 §2.0); an answer does not use its
/// packet up, for one HELLO sent from several sockets is answered several times. Of frames
/// received it says which are repeated.
pub(super) struct Recent<T> {
    members: HashSet<T, FixedState>,
    order: VecDeque<T>,
    max: usize,
}

impl<T: Copy + Eq + Hash> Recent<T> {
    /// Remembers nothing yet, and `max` things at most; `seed` keys the hash table.
    pub(super) fn new(seed: u64, max: usize) -> Self {
        let members = HashSet::with_hasher(FixedState::with_seed(seed));
        Self { members, order: VecDeque::new(), max }
    }

    /// Remembers `thing`; returns whether it was not remembered already.
    pub(super) fn insert(&mut self, thing: T) -> bool {
        if !self.members.insert(thing) {
            return false;
        }
        self.order.push_back(thing);
        if self.order.len() > self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.members.remove(&oldest);
        }
        true
    }

    /// Returns whether `thing` is remembered.
    pub(super) fn contains(&self, thing: T) -> bool {
        self.members.contains(&thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_first() {
        let mut recent = Recent::new(1, 3);

        for id in 0..4 {
            assert!(recent.insert(id));
        }

        assert!(!recent.contains(0));
        assert!(recent.contains(1) && recent.contains(3));
    }

    #[test]
    fn what_is_repeated_is_told_and_not_kept_twice() {
        let mut recent = Recent::new(1, 2);

        assert!(recent.insert(7));
        assert!(!recent.insert(7));
        assert!(recent.insert(8));

        assert!(recent.contains(7), "the repetition displaced nothing");
    }
}
