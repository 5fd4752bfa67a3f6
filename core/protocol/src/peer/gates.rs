//! How often others may make this node work.
//!
//! A gate holds back what one source asks too often, a budget what all of them ask together.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::memory;
use crate::time::Instant;

/// Lets each key pass once per period.
///
/// Two generations of keys, of which the older is forgotten once it is a period old: what was let
/// through is remembered long enough, and the table never needs sweeping.
#[derive(Debug)]
pub struct Gate<K> {
    period: Duration,
    keys_max: usize,
    turned: Instant,
    current: BTreeMap<K, Instant>,
    previous: BTreeMap<K, Instant>,
}

impl<K: Copy + Ord> Gate<K> {
    /// Makes a gate for at most `keys_max` different keys per `period`; more are held back.
    #[must_use]
    pub const fn new(period: Duration, keys_max: usize) -> Self {
        Self {
            period,
            keys_max,
            turned: Instant::ZERO,
            current: BTreeMap::new(),
            previous: BTreeMap::new(),
        }
    }

    /// Lets at most so many different keys pass per period from here on.
    pub const fn narrow(&mut self, keys_max: usize) {
        self.keys_max = keys_max;
    }

    /// Returns whether `key` may pass, and if so, keeps it from passing again for a period.
    pub fn pass(&mut self, now: Instant, key: K) -> bool {
        if now.since(self.turned) >= self.period {
            self.previous = core::mem::take(&mut self.current);
            self.turned = now;
        }
        let full = self.current.len() >= self.keys_max && !self.current.contains_key(&key);
        if full || self.has_passed(now, key) {
            return false;
        }
        self.current.insert(key, now);
        true
    }

    /// Forgets keys that may pass again anyway.
    pub fn lapse(&mut self, now: Instant) {
        let age = now.since(self.turned);
        if age >= 2 * self.period {
            self.current.clear();
        }
        if age >= self.period {
            self.previous = core::mem::take(&mut self.current);
            self.turned = now;
        }
    }

    /// Returns what it takes, in bytes.
    pub fn footprint(&self) -> usize {
        memory::of_tree(&self.current) + memory::of_tree(&self.previous)
    }

    /// Returns whether `key` has passed within the last period.
    pub fn has_passed(&self, now: Instant, key: K) -> bool {
        let last = self.current.get(&key).or_else(|| self.previous.get(&key)).copied();
        !now.is_due(last, self.period)
    }
}

/// So many of something per second, and after a pause so many at once.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    each: Duration,
    at_once: Duration,
    /// When all that was spent will have been earned again.
    repaid: Instant,
}

impl Budget {
    /// Makes a budget of `per_second` that saves up to `at_once`.
    #[must_use]
    pub const fn new(per_second: u32, at_once: u32) -> Self {
        let each = Duration::from_secs(1).checked_div(per_second);
        let each = each.expect("a budget of nothing is no budget");
        Self { each, at_once: each.saturating_mul(at_once), repaid: Instant::ZERO }
    }

    /// Returns whether there is nothing left to spend.
    #[must_use]
    pub fn is_spent(mut self, now: Instant) -> bool {
        !self.spend(now)
    }

    /// Returns whether there is something left to spend, and spends it.
    pub fn spend(&mut self, now: Instant) -> bool {
        let repaid = self.repaid.max(now) + self.each;
        if repaid.since(now) > self.at_once {
            return false;
        }
        self.repaid = repaid;
        true
    }
}

/// Gives each key a [`Budget`] of its own.
///
/// Forgets keys as a [`Gate`] does, no earlier than their budgets are full again.
#[derive(Debug)]
pub struct Budgets<K> {
    full: Budget,
    keys_max: usize,
    turned: Instant,
    current: BTreeMap<K, Budget>,
    previous: BTreeMap<K, Budget>,
}

impl<K: Copy + Ord> Budgets<K> {
    /// Gives at most `keys_max` keys a budget like `full` each. More are not told apart, and what
    /// all of them may ask together is for another budget to say: were they refused, a crowd of
    /// made-up keys would keep everybody else out.
    #[must_use]
    pub const fn new(full: Budget, keys_max: usize) -> Self {
        Self {
            full,
            keys_max,
            turned: Instant::ZERO,
            current: BTreeMap::new(),
            previous: BTreeMap::new(),
        }
    }

    /// Forgets keys whose budgets are full again.
    pub fn lapse(&mut self, now: Instant) {
        let age = now.since(self.turned);
        if age >= 2 * self.full.at_once {
            self.current.clear();
        }
        if age >= self.full.at_once {
            self.previous = core::mem::take(&mut self.current);
            self.turned = now;
        }
    }

    /// Returns what they take, in bytes.
    pub fn footprint(&self) -> usize {
        memory::of_tree(&self.current) + memory::of_tree(&self.previous)
    }

    /// Returns whether `key` has something left to spend, and spends it.
    pub fn spend(&mut self, now: Instant, key: K) -> bool {
        if now.since(self.turned) >= self.full.at_once {
            self.previous = core::mem::take(&mut self.current);
            self.turned = now;
        }
        if self.current.len() >= self.keys_max && !self.current.contains_key(&key) {
            return true;
        }
        let start = self.previous.get(&key).copied().unwrap_or(self.full);
        self.current.entry(key).or_insert(start).spend(now)
    }
}

/// Counts what follows each other closely: so many in a row pass, then none until a pause.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowGate {
    last: Option<Instant>,
    in_a_row: u32,
}

impl RowGate {
    /// Makes a gate nothing has passed.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: None, in_a_row: 0 }
    }

    /// Returns whether what comes now passes, if `max` in a row do between pauses longer than
    /// `interval`.
    pub fn pass(&mut self, now: Instant, interval: Duration, max: u32) -> bool {
        let close = self.last.is_some_and(|last| now.since(last) <= interval);
        self.in_a_row = if close { self.in_a_row.saturating_add(1) } else { 1 };
        self.last = Some(now);
        self.in_a_row <= max
    }
}

/// Counts a peer's pushes that follow each other closely (spec 02 §2.8).
///
/// Eight in a row pass: a pushed address costs a probe to a place somebody else has named.
#[derive(Clone, Copy, Debug, Default)]
pub struct PushGate(RowGate);

impl PushGate {
    const INTERVAL: Duration = Duration::from_secs(30);
    const IN_A_ROW_MAX: u32 = 8;

    /// Returns whether a push that arrives now is acted upon.
    pub fn pass(&mut self, now: Instant) -> bool {
        self.0.pass(now, Self::INTERVAL, Self::IN_A_ROW_MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_key_passes_once_per_period() {
        let mut gate = Gate::new(Duration::from_millis(166), 10);

        assert!(gate.pass(at(1_000), 'a'));
        assert!(!gate.pass(at(1_165), 'a'));
        assert!(gate.pass(at(1_165), 'b'));
        assert!(gate.pass(at(1_166), 'a'));
        assert!(!gate.pass(at(1_330), 'b'));
        assert!(gate.pass(at(1_331), 'b'));
    }

    #[test]
    fn what_was_held_back_does_not_count() {
        let mut gate = Gate::new(Duration::from_millis(100), 10);

        let passed = (0..10).filter(|i| gate.pass(at(1_000 + 50 * i), ())).count();

        assert_eq!(passed, 5);
    }

    #[test]
    fn a_full_gate_holds_strangers_back_and_recovers() {
        let mut gate = Gate::new(Duration::from_secs(2), 3);

        let passed = (0..100).filter(|&key| gate.pass(at(5_000), key)).count();

        assert_eq!(passed, 3);
        assert!(gate.pass(at(7_000), 99));
        assert!(gate.current.len() + gate.previous.len() <= 6);
    }

    #[test]
    fn what_one_key_spends_another_still_has() {
        let mut budgets = Budgets::new(Budget::new(2, 4), 10);
        let mut spent = |key, millis| (0..100).filter(|_| budgets.spend(at(millis), key)).count();

        assert_eq!((spent('a', 60_000), spent('b', 60_000)), (4, 4));
        // Two are earned per second, also across the turn of generations.
        assert_eq!((spent('a', 61_000), spent('b', 61_500), spent('a', 62_000)), (2, 3, 2));
        assert_eq!(spent('a', 99_000), 4);
    }

    #[test]
    fn keys_beyond_the_bound_are_neither_remembered_nor_kept_out() {
        let mut budgets = Budgets::new(Budget::new(2, 4), 3);

        let spent = (0..100).filter(|&key| budgets.spend(at(5_000), key)).count();

        assert_eq!(spent, 100);
        assert_eq!(budgets.current.len(), 3);
        assert_eq!((0..10).filter(|_| budgets.spend(at(5_000), 0)).count(), 3);
    }

    #[test]
    fn a_budget_saves_up_and_no_further() {
        let mut budget = Budget::new(4, 8);

        let at_once = (0..100).filter(|_| budget.spend(at(60_000))).count();
        let later = (0..100).filter(|_| budget.spend(at(61_000))).count();

        assert_eq!((at_once, later), (8, 4));
    }

    proptest! {
        /// Whoever may pass is the same whether what has lapsed is given back in between or not.
        #[test]
        fn giving_back_what_has_lapsed_lets_nobody_pass(
            steps in proptest::collection::vec((0_u64..300, 0_u8..4, any::<bool>()), 0..60),
        ) {
            let period = Duration::from_millis(250);
            let (mut gate, mut tidy) = (Gate::new(period, 3), Gate::new(period, 3));
            let full = Budget::new(8, 2);
            let (mut budgets, mut tidy_budgets) = (Budgets::new(full, 3), Budgets::new(full, 3));
            let mut now = at(10_000);
            for (pause, key, lapses) in steps {
                now = now + Duration::from_millis(pause);
                if lapses {
                    tidy.lapse(now);
                    tidy_budgets.lapse(now);
                }
                prop_assert_eq!(gate.pass(now, key), tidy.pass(now, key));
                prop_assert_eq!(budgets.spend(now, key), tidy_budgets.spend(now, key));
            }
        }
    }

    /// The burst of push_direct_paths.json: ten pushes a second apart, then one after 31 s.
    #[test]
    fn eight_pushes_in_a_row_pass() {
        let mut gate = PushGate::default();

        let passed: Vec<bool> = (1..=10).map(|i| gate.pass(at(i * 1_000))).collect();

        assert_eq!(passed.iter().position(|&passed| !passed), Some(8));
        assert!(!gate.pass(at(40_000)));
        assert!(gate.pass(at(71_000)));
    }
}
