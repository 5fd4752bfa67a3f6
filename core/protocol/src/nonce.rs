//! Where packet IDs come from.
//!
//! A packet's ID is its nonce under keys that never change, so none may be used twice: with the
//! Salsa20 suites two packets of one ID would give away each other's text. Eight random bytes
//! would do so after some billions of packets (spec 01 §5.1). So packets are counted, across every
//! start of the node, and what others see of the count is a [`Permutation`] of it, which looks as
//! random.
//!
//! ```text
//!  63                          35 34                            3 2    0
//!  +-----------------------------+-------------------------------+------+
//!  | epoch                       | count                         | free |
//!  +-----------------------------+-------------------------------+------+
//!  |<----------------- permuted by a key of the identity ------->| chance
//! ```
//!
//! The mask of a HELLO's tail leaves the three low bits out (spec 01 §7.5), so they do not count.

use zt_crypto::permutation::{BITS, LANES, Permutation};

use crate::identity::SecretIdentity;
use crate::rng::Rng;
use crate::time::UnixMillis;

/// Bits that count packets within an epoch.
const COUNT_BITS: u32 = 32;

/// Bits that the mask of a HELLO leaves out.
const FREE_BITS: u32 = 64 - BITS;

const EPOCHS: u32 = 1 << (BITS - COUNT_BITS);

/// Four billion packet IDs, which belong to one run of one node.
///
/// Whatever keeps a node's state hands out each but once: [`after`](Self::after) says which is the
/// next, and its [successor](Self::successor) is written down before the node starts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Epoch(u32);

impl Epoch {
    /// Returns the epoch to start with if `stored` is what was written down.
    ///
    /// It is never before the wall clock's, in units of 16 s: should the state be lost or go back,
    /// as that of a machine that is restored from a snapshot does, no epoch is used again all the
    /// same.
    #[must_use]
    pub fn after(stored: Option<&[u8]>, unix: UnixMillis) -> Self {
        let stored = stored.and_then(|text| str::from_utf8(text).ok()?.trim().parse().ok());
        let clock = u32::try_from(unix.0 / 16_000).unwrap_or(0);
        Self(stored.unwrap_or(0).max(clock) % EPOCHS)
    }

    /// Returns the epoch that follows.
    #[must_use]
    pub const fn successor(self) -> Self {
        Self((self.0 + 1) % EPOCHS)
    }

    /// Returns what to write down: the number as a text.
    #[must_use]
    pub fn to_text(self) -> String {
        self.0.to_string()
    }
}

/// A node's source of packet IDs.
pub struct Nonces {
    permutation: Permutation,
    /// The number to be permuted next, and those that have been and were not used.
    next: u64,
    ready: [u64; LANES],
    unused: usize,
    /// Whether epochs are written down at all.
    is_kept: bool,
}

impl Nonces {
    /// Begins with `epoch`, or somewhere at random if nothing is ever written down: two runs then
    /// meet only if they begin within so many packets of each other, of 2^61.
    #[must_use]
    pub fn new(me: &SecretIdentity, epoch: Option<Epoch>, rng: &mut Rng) -> Self {
        let start = epoch.map_or_else(
            || rng.u64() >> FREE_BITS & !(LANES as u64 - 1),
            |epoch| u64::from(epoch.0) << COUNT_BITS,
        );
        Self {
            permutation: Permutation::new(&me.derive(b"packet IDs")),
            next: start,
            ready: [0; LANES],
            unused: 0,
            is_kept: epoch.is_some(),
        }
    }

    /// Returns an ID that was never used.
    pub fn draw(&mut self, rng: &mut Rng) -> u64 {
        if self.unused == 0 {
            let first = self.next;
            self.ready = self.permutation.permute(core::array::from_fn(|lane| first + lane as u64));
            self.next = (first + LANES as u64) % (1 << BITS);
            self.unused = LANES;
        }
        self.unused -= 1;
        let chance = u64::from(rng.u32()) >> (32 - FREE_BITS);
        self.ready[self.unused] << FREE_BITS | chance
    }

    /// Returns the epoch to be written down, if that is due: half an epoch before the next begins,
    /// which leaves two billion packets' time.
    pub fn take_reservation(&self) -> Option<Epoch> {
        let is_half = self.next % (1 << COUNT_BITS) == 1 << (COUNT_BITS - 1);
        let is_due = self.is_kept && is_half && self.unused == LANES - 1;
        let epoch = Epoch((self.next >> COUNT_BITS) as u32);
        is_due.then(|| epoch.successor().successor())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn nonces(epoch: Option<Epoch>, seed: u8) -> impl FnMut() -> u64 {
        let me = SecretIdentity::generate(&mut Rng::from_seed([1; 32]));
        let mut rng = Rng::from_seed([seed; 32]);
        let mut nonces = Nonces::new(&me, epoch, &mut rng);
        move || nonces.draw(&mut rng)
    }

    /// Without the bits a HELLO's mask leaves out: in one run, in the next, and in one that could
    /// not write anything down.
    #[test]
    fn no_id_is_used_twice_in_any_run() {
        let first = Epoch::after(None, UnixMillis(1_700_000_000_000));
        let mut seen = BTreeSet::new();

        for (epoch, seed) in [(Some(first), 1), (Some(first.successor()), 1), (None, 1), (None, 2)]
        {
            let mut draw = nonces(epoch, seed);
            assert!((0..50_000).all(|_| seen.insert(draw() >> 3)));
        }
    }

    #[test]
    fn an_epoch_is_never_before_what_was_written_down_nor_before_the_clock() {
        let now = UnixMillis(1_700_000_000_000);
        let clock = Epoch::after(None, now);
        let later = clock.successor().successor();

        assert_eq!(Epoch::after(Some(later.to_text().as_bytes()), now), later);
        assert_eq!(Epoch::after(Some(b"5"), now), clock);
        assert_eq!(Epoch::after(Some(b"what is this"), now), clock);
        assert_eq!(Epoch::after(Some(b"5\n"), UnixMillis(0)), Epoch(5));
        assert!(Epoch(EPOCHS - 1).successor() == Epoch(0));
    }

    #[test]
    fn the_epoch_after_the_next_is_written_down_long_before_the_next() {
        let me = SecretIdentity::generate(&mut Rng::from_seed([1; 32]));
        let mut rng = Rng::from_seed([2; 32]);
        for (epoch, reserved) in [(Some(Epoch(7)), vec![Epoch(9)]), (None, vec![])] {
            let mut nonces = Nonces::new(&me, epoch, &mut rng);
            nonces.next = (7 << COUNT_BITS) + (1 << 31) - 64;

            let due = (0..200).filter_map(|_| {
                nonces.draw(&mut rng);
                nonces.take_reservation()
            });

            assert_eq!(due.collect::<Vec<_>>(), reserved);
        }
    }
}
