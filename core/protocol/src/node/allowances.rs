//! How much is said to addresses that have not shown that they are whose they seem.
//!
//! Anybody can send a datagram in another's name and have the answer hit the other. So an address
//! from which nobody has answered anything gets at most [three bytes](AMPLIFICATION_MAX) for each
//! it sent, and never a longer packet than one datagram.

use std::collections::BTreeMap;

use crate::endpoint::Path;
use crate::limits::{ALLOWANCE_PERIOD, AMPLIFICATION_MAX, PACKET_LEN_MAX, PHYSICAL_MTU};
use crate::memory;
use crate::time::Instant;

/// What such addresses may still be sent.
#[derive(Debug)]
pub(super) struct Allowances {
    paths_max: usize,
    turned: Instant,
    /// Bytes left, by path, as what a TCP relay names for a source proves nothing about UDP; the older generation is forgotten when it is a period old.
    current: BTreeMap<Path, usize>,
    previous: BTreeMap<Path, usize>,
    /// What came last, as long as nothing was said to it.
    at_hand: Option<(Path, usize)>,
}

impl Allowances {
    /// Remembers at most `paths_max` paths per period.
    pub(super) const fn new(paths_max: usize) -> Self {
        Self {
            paths_max,
            turned: Instant::ZERO,
            current: BTreeMap::new(),
            previous: BTreeMap::new(),
            at_hand: None,
        }
    }

    /// Forgets those that are too old to count.
    pub(super) fn lapse(&mut self, now: Instant) {
        let age = now.since(self.turned);
        if age >= 2 * ALLOWANCE_PERIOD {
            self.current.clear();
        }
        if age >= ALLOWANCE_PERIOD {
            self.previous = core::mem::take(&mut self.current);
            self.turned = now;
        }
    }

    /// Returns what they take, in bytes.
    pub(super) fn footprint(&self) -> usize {
        memory::of_tree(&self.current) + memory::of_tree(&self.previous)
    }

    /// Takes note of `len` bytes that came by `path`.
    ///
    /// What came before and was not answered is forgotten, so that nothing is written down for
    /// whom nothing is said to.
    pub(super) const fn earn(&mut self, path: Path, len: usize) {
        self.at_hand = Some((path, len));
    }

    /// Returns whether a packet of `len` bytes may be sent back by `path`, and if so, spends them.
    pub(super) fn spend(&mut self, now: Instant, path: Path, len: usize) -> bool {
        if now.since(self.turned) >= ALLOWANCE_PERIOD {
            self.previous = core::mem::take(&mut self.current);
            self.turned = now;
        }
        let earned = self.at_hand.take_if(|(from, _)| *from == path).map_or(0, |(_, len)| len);
        let kept = self.current.get(&path).copied();
        let kept = kept.or_else(|| self.previous.remove(&path)).unwrap_or(0);
        let left = (kept + AMPLIFICATION_MAX * earned).min(AMPLIFICATION_MAX * PACKET_LEN_MAX);
        let is_enough = len <= left.min(PHYSICAL_MTU);
        let left = if is_enough { left - len } else { left };
        // Whoever finds the table full has what it sent just before, and for one answer only.
        if self.current.len() < self.paths_max || self.current.contains_key(&path) {
            self.current.insert(path, left);
        }
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::endpoint::SocketId;
    use crate::limits::ALLOWANCES_MAX;

    fn remote(number: u64) -> Path {
        let remote = ([192, 0, (number >> 8) as u8, number as u8], 9993).into();
        Path { local: SocketId(0), remote }
    }

    #[test]
    fn what_was_not_spent_is_left_for_the_next_answer() {
        let mut allowances = Allowances::new(ALLOWANCES_MAX);

        allowances.earn(remote(1), 100);
        assert!(allowances.spend(Instant::ZERO, remote(1), 100));
        assert!(!allowances.spend(Instant::ZERO, remote(1), 201));
        assert!(allowances.spend(Instant::ZERO, remote(1), 200));
        assert!(!allowances.spend(Instant::ZERO, remote(1), 1));
        assert!(!allowances.spend(Instant::ZERO, remote(2), 1));
    }

    #[test]
    fn a_packet_of_several_datagrams_is_never_allowed() {
        let mut allowances = Allowances::new(ALLOWANCES_MAX);
        allowances.earn(remote(1), PACKET_LEN_MAX);

        assert!(!allowances.spend(Instant::ZERO, remote(1), PHYSICAL_MTU + 1));
        assert!(allowances.spend(Instant::ZERO, remote(1), PHYSICAL_MTU));
    }

    proptest! {
        /// Whatever is received and said, in whatever order: nobody gets more than three times
        /// what it sent, and the table stays bounded.
        #[test]
        fn nobody_gets_more_than_its_due(
            steps in prop::collection::vec((0_u64..20, 1_usize..1_500, any::<bool>(), 0_u64..9), 0..400),
            crowd in prop::sample::select(vec![0, ALLOWANCES_MAX as u64 + 10]),
        ) {
            let mut allowances = Allowances::new(ALLOWANCES_MAX);
            let mut now = Instant::ZERO;
            for number in 0..crowd {
                allowances.earn(remote(1_000 + number), 50);
                allowances.spend(now, remote(1_000 + number), 1);
            }
            let mut account = BTreeMap::<u64, (usize, usize)>::new();
            for (number, len, is_earned, secs) in steps {
                now = now + core::time::Duration::from_secs(secs);
                let (earned, spent) = account.entry(number).or_default();
                if is_earned {
                    allowances.earn(remote(number), len);
                    *earned += len;
                } else if allowances.spend(now, remote(number), len) {
                    *spent += len;
                }
                prop_assert!(*spent <= 3 * *earned);
                prop_assert!(allowances.current.len() <= ALLOWANCES_MAX);
            }
        }
    }

    #[test]
    fn what_has_lapsed_takes_no_room_and_what_has_not_stays() {
        let mut allowances = Allowances::new(ALLOWANCES_MAX);
        let start = Instant::ZERO + 10 * ALLOWANCE_PERIOD;
        allowances.earn(remote(1), 100);
        assert!(allowances.spend(start, remote(1), 100));

        allowances.lapse(start + ALLOWANCE_PERIOD);
        assert!(allowances.spend(start + ALLOWANCE_PERIOD, remote(1), 200));
        assert!(!allowances.spend(start + ALLOWANCE_PERIOD, remote(1), 1));
        allowances.lapse(start + 3 * ALLOWANCE_PERIOD);
        assert_eq!(allowances.footprint(), 0);
    }
}
