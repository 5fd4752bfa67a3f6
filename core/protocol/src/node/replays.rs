//! Which packets each peer has sent lately, so that none of them is acted upon twice.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

use crate::address::Address;
use crate::limits::{REPLAY_PACKETS_MAX, REPLAY_PACKETS_MIN, REPLAY_PERIOD};
use crate::memory;
use crate::time::Instant;

/// The packet IDs every peer has used lately.
///
/// A packet is told by sender and ID alone: the tag follows from the ID and what is sealed, so an
/// authentic packet that bears an ID a second time is the same one, or one whose sender has reused
/// a nonce and so gives itself away.
///
/// Each sender has two generations of its own, of which the older is forgotten when the younger is
/// [full](REPLAY_PACKETS_MAX) or [old](REPLAY_PERIOD): what one sends displaces nothing of another.
pub(super) struct Replays {
    hasher: FixedState,
    /// How many packets of all senders together are remembered, unless that leaves less to each than
    /// [`REPLAY_PACKETS_MIN`].
    total_max: usize,
    senders: HashMap<Address, Window, FixedState>,
    swept: Instant,
    /// What the sets of all senders take, in bytes.
    held: usize,
}

/// What is remembered of one sender.
struct Window {
    turned: Instant,
    current: PacketIds,
    previous: PacketIds,
    /// What both take, in bytes.
    held: usize,
}

/// A set of packet IDs that takes little room for the few that an idle peer sends.
enum PacketIds {
    /// At most [`FEW`], in any order.
    Few(Vec<u64>),
    #[expect(clippy::box_collection, reason = "there is room for two in the window of every peer")]
    Many(Box<HashSet<u64, FixedState>>),
}

/// How many IDs are looked through one by one.
const FEW: usize = 32;

impl Replays {
    /// Remembers nothing yet, and of all senders together about `total_max` packets; `seed` keys the
    /// hash tables.
    pub(super) fn new(seed: u64, total_max: usize) -> Self {
        let hasher = FixedState::with_seed(seed);
        let senders = HashMap::with_hasher(hasher.clone());
        Self { hasher, total_max, senders, swept: Instant::ZERO, held: 0 }
    }

    /// Remembers a packet; returns whether it is the first time.
    pub(super) fn is_first(&mut self, now: Instant, from: Address, packet_id: u64) -> bool {
        let share = self.total_max / 2 / self.senders.len().max(1);
        let max = share.clamp(REPLAY_PACKETS_MIN, REPLAY_PACKETS_MAX);
        if let Some(window) = self.senders.get_mut(&from) {
            let has_turned = window.turn(now, max);
            let room = window.current.room();
            let is_first = !window.previous.contains(packet_id)
                && window.current.insert(packet_id, &self.hasher);
            if has_turned || window.current.room() != room {
                self.held -= window.held;
                self.held += window.weigh();
            }
            return is_first;
        }

        self.sweep(now);
        let mut window =
            Window { turned: now, current: PacketIds::new(), previous: PacketIds::new(), held: 0 };
        window.current.insert(packet_id, &self.hasher);
        self.held += window.weigh();
        self.senders.insert(from, window);
        true
    }

    /// Returns what it takes, in bytes.
    pub(super) fn footprint(&self) -> usize {
        memory::of_map(&self.senders) + self.held
    }

    /// Forgets what is too old to count, and gives back the room it took.
    pub(super) fn lapse(&mut self, now: Instant) {
        self.senders.retain(|_, window| now.since(window.turned) < 2 * REPLAY_PERIOD);
        for window in self.senders.values_mut() {
            window.turn(now, usize::MAX);
            window.current.shrink();
            window.previous.shrink();
        }
        self.senders.shrink_to_fit();
        self.held = self.senders.values_mut().map(Window::weigh).sum();
    }

    /// Forgets senders of whom nothing is left in the window.
    fn sweep(&mut self, now: Instant) {
        if now.since(self.swept) >= REPLAY_PERIOD {
            self.swept = now;
            self.senders.retain(|_, window| now.since(window.turned) < 2 * REPLAY_PERIOD);
            self.held = self.senders.values().map(|window| window.held).sum();
        }
    }
}

impl Window {
    /// Returns what both generations take, in bytes, and notes it.
    fn weigh(&mut self) -> usize {
        self.held = self.current.footprint() + self.previous.footprint();
        self.held
    }

    /// Forgets the older generation when the younger has had its time; returns whether it has.
    fn turn(&mut self, now: Instant, max: usize) -> bool {
        let age = now.since(self.turned);
        if age < REPLAY_PERIOD && self.current.len() < max {
            return false;
        }
        core::mem::swap(&mut self.current, &mut self.previous);
        if age >= REPLAY_PERIOD {
            // Whoever has slowed down does not keep the room it took.
            self.current = PacketIds::new();
        } else {
            self.current.clear();
        }
        if age >= 2 * REPLAY_PERIOD {
            self.previous = PacketIds::new();
        }
        self.turned = now;
        true
    }
}

impl PacketIds {
    const fn new() -> Self {
        Self::Few(Vec::new())
    }

    fn contains(&self, packet_id: u64) -> bool {
        match self {
            Self::Few(ids) => ids.contains(&packet_id),
            Self::Many(ids) => ids.contains(&packet_id),
        }
    }

    /// Adds an ID; returns whether it was not there.
    fn insert(&mut self, packet_id: u64, hasher: &FixedState) -> bool {
        match self {
            Self::Few(ids) if ids.contains(&packet_id) => false,
            Self::Few(ids) if ids.len() < FEW => {
                ids.push(packet_id);
                true
            }
            Self::Few(ids) => {
                let mut many = HashSet::with_capacity_and_hasher(2 * FEW, hasher.clone());
                many.extend(ids.iter().copied().chain([packet_id]));
                *self = Self::Many(Box::new(many));
                true
            }
            Self::Many(ids) => ids.insert(packet_id),
        }
    }

    /// Removes all, and keeps the room they took.
    fn clear(&mut self) {
        match self {
            Self::Few(ids) => ids.clear(),
            Self::Many(ids) => ids.clear(),
        }
    }

    fn shrink(&mut self) {
        match self {
            Self::Few(ids) => ids.shrink_to_fit(),
            Self::Many(ids) => ids.shrink_to_fit(),
        }
    }

    /// Returns how many there is room for.
    fn room(&self) -> usize {
        match self {
            Self::Few(ids) => ids.capacity(),
            Self::Many(ids) => ids.capacity(),
        }
    }

    fn footprint(&self) -> usize {
        match self {
            Self::Few(ids) => memory::of_list(ids),
            Self::Many(ids) => size_of::<HashSet<u64, FixedState>>() + memory::of_set(ids),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Few(ids) => ids.len(),
            Self::Many(ids) => ids.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::limits::REPLAY_TOTAL_MAX;

    const ALICE: Address = Address::from_u64(1);
    const BOB: Address = Address::from_u64(2);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_packet_is_new_once_and_its_id_is_free_to_others() {
        let mut replays = Replays::new(1, REPLAY_TOTAL_MAX);

        assert!(replays.is_first(at(0), ALICE, 7));
        assert!(!replays.is_first(at(1), ALICE, 7));
        assert!(replays.is_first(at(1), BOB, 7));
    }

    #[test]
    fn whoever_sends_much_displaces_only_its_own() {
        let mut replays = Replays::new(1, REPLAY_TOTAL_MAX);
        replays.is_first(at(0), ALICE, 7);

        let packets = 3 * REPLAY_PACKETS_MAX as u64;
        assert!((0..packets).all(|id| replays.is_first(at(1), BOB, id)));

        assert!(!replays.is_first(at(2), ALICE, 7));
        assert!(replays.is_first(at(2), BOB, 0));
        let lately = packets - REPLAY_PACKETS_MAX as u64;
        assert!((lately..packets).all(|id| !replays.is_first(at(2), BOB, id)));
    }

    #[test]
    fn a_packet_is_remembered_for_at_least_a_period() {
        for sent in (0..200).map(Duration::from_secs) {
            let mut replays = Replays::new(1, REPLAY_TOTAL_MAX);
            for now in (0..200).map(Duration::from_secs) {
                replays.is_first(at(0) + now, ALICE, now.as_secs());
                if now >= sent && now - sent <= REPLAY_PERIOD {
                    assert!(!replays.is_first(at(0) + now, ALICE, sent.as_secs()));
                }
            }
        }
    }

    #[test]
    fn the_silent_are_forgotten_and_all_together_are_bounded() {
        let mut replays = Replays::new(1, REPLAY_TOTAL_MAX);
        for round in 0..3 {
            for sender in 0..2_000 {
                for id in 0..1_000 {
                    let from = Address::from_u64(1 + sender);
                    replays.is_first(at(round), from, 1_000 * round + id);
                }
            }
        }

        let held = replays.senders.values().map(|w| w.current.len() + w.previous.len());
        let held: usize = held.sum();
        assert!(held <= REPLAY_TOTAL_MAX + REPLAY_TOTAL_MAX / 2, "{held}");
        replays.is_first(at(0) + 3 * REPLAY_PERIOD, Address::from_u64(9_999), 1);
        assert_eq!(replays.senders.len(), 1);
    }

    #[test]
    fn what_counts_is_remembered_whatever_is_given_back() {
        let mut replays = Replays::new(1, REPLAY_TOTAL_MAX);
        for id in 0..5_000 {
            replays.is_first(at(0), ALICE, id);
        }
        replays.is_first(at(0) + REPLAY_PERIOD, BOB, 1);

        let before = replays.footprint();
        replays.lapse(at(0) + REPLAY_PERIOD);
        assert!((0..5_000).all(|id| !replays.is_first(at(0) + REPLAY_PERIOD, ALICE, id)));
        replays.lapse(at(0) + 2 * REPLAY_PERIOD);
        assert!(!replays.is_first(at(0) + 2 * REPLAY_PERIOD, BOB, 1));
        assert!(replays.footprint() < before / 10, "{}", replays.footprint());
    }

    #[test]
    fn what_the_senders_take_is_known_whatever_they_send() {
        let mut replays = Replays::new(1, 10_000);
        for step in 0..50_000_u64 {
            let from = Address::from_u64(1 + step % 7 * (step % 11));
            replays.is_first(at(step * 20), from, step / 2);
        }

        let held: usize = replays.senders.values_mut().map(Window::weigh).sum();
        assert_eq!(replays.held, held);
    }
}
