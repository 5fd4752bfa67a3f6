//! The node's only source of chance.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// A cryptographically strong generator, seeded once by the driver.
///
/// Two nodes with equal seeds and equal inputs behave identically. A real driver draws the seed
/// from the operating system; a simulation counts.
pub struct Rng(ChaCha20Rng);

impl Rng {
    /// Returns a generator whose whole output follows from `seed`.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// Returns 64 uniform bits.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Returns 32 uniform bits.
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Returns `N` uniform bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// Returns a number below `end`, or 0 if `end` is 0.
    ///
    /// The bias is below 2⁻³² for any `end` that fits 32 bits, which is all that is asked of it.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 {
            return 0;
        }
        let scaled = (u128::from(self.0.next_u64()) * end as u128) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }

    /// Puts `items` into a uniformly random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
