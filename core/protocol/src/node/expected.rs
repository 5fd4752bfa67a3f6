//! Which replies were asked for.
//!
//! Source: spec 02 §2.0.

use std::collections::{HashSet, VecDeque};

use foldhash::fast::FixedState;

use crate::limits::EXPECTED_REPLIES_MAX;

/// The IDs of the packets last sent, so that only answers to them are believed.
///
/// An answer does not use its ID up: one HELLO sent from several sockets is answered several
/// times.
pub(super) struct Expected {
    ids: HashSet<u64, FixedState>,
    order: VecDeque<u64>,
}

impl Expected {
    pub(super) fn new(seed: u64) -> Self {
        let ids = HashSet::with_hasher(FixedState::with_seed(seed));
        Self { ids, order: VecDeque::new() }
    }

    /// Remembers a packet by its ID as it appeared on the wire.
    pub(super) fn insert(&mut self, packet_id: u64) {
        if self.ids.insert(packet_id) {
            self.order.push_back(packet_id);
        }
        if self.order.len() > EXPECTED_REPLIES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }

    /// Returns whether a packet of this ID was sent.
    pub(super) fn contains(&self, packet_id: u64) -> bool {
        self.ids.contains(&packet_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_packets_are_forgotten_first() {
        let mut expected = Expected::new(1);

        for id in 0..=EXPECTED_REPLIES_MAX as u64 {
            expected.insert(id);
        }

        assert!(!expected.contains(0));
        assert!(expected.contains(1));
        assert!(expected.contains(EXPECTED_REPLIES_MAX as u64));
    }
}
