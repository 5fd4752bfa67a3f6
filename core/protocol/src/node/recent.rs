//! Which packets were lately sent.

use std::collections::{HashSet, VecDeque};

use foldhash::fast::FixedState;

use crate::memory;

/// The IDs of the last so many packets sent: they say which answers to believe (spec 02 §2.0).
///
/// An answer does not use its packet up, for one HELLO sent from several sockets is answered
/// several times.
pub(super) struct Recent {
    members: HashSet<u64, FixedState>,
    order: VecDeque<u64>,
    max: usize,
}

impl Recent {
    /// Remembers nothing yet, and `max` packets at most; `seed` keys the hash table.
    pub(super) fn new(seed: u64, max: usize) -> Self {
        let members = HashSet::with_hasher(FixedState::with_seed(seed));
        Self { members, order: VecDeque::new(), max }
    }

    /// Remembers a packet.
    pub(super) fn insert(&mut self, packet_id: u64) {
        if !self.members.insert(packet_id) {
            return;
        }
        self.order.push_back(packet_id);
        if self.order.len() > self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.members.remove(&oldest);
        }
    }

    /// Gives back the room it has grown and does not need.
    pub(super) fn shrink(&mut self) {
        self.members.shrink_to_fit();
        self.order.shrink_to_fit();
    }

    /// Returns what it takes, in bytes.
    pub(super) fn footprint(&self) -> usize {
        memory::of_set(&self.members) + memory::of_queue(&self.order)
    }

    /// Returns whether a packet is remembered.
    pub(super) fn contains(&self, packet_id: u64) -> bool {
        self.members.contains(&packet_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_first_and_none_is_kept_twice() {
        let mut recent = Recent::new(1, 3);

        for packet_id in [0, 1, 2, 2, 1] {
            recent.insert(packet_id);
        }
        assert!(recent.contains(0), "repetitions displaced nothing");
        recent.insert(3);

        assert!(!recent.contains(0));
        assert!(recent.contains(1) && recent.contains(3));
    }
}
