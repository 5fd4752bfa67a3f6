//! A keyed permutation of 61-bit numbers: counters that look random and never repeat.
//!
//! An alternating Feistel network over halves of 31 and 30 bits with AES-256 as the round function,
//! ten rounds of it: the structure of FF1 (NIST SP 800-38G) for a domain of bits, where additions
//! are XORs. Whatever the round function does, each round can be undone, so that different numbers
//! give different numbers; that they do not show their order is what ten rounds are for.
//!
//! ```text
//!  left (31 bits) ‖ right (30 bits) = number
//!  rounds 0, 2, 4 …   left  ^= AES(key, round ‖ right)
//!  rounds 1, 3, 5 …   right ^= AES(key, round ‖ left)
//! ```

use core::fmt;

use aes::Aes256Enc;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

use crate::blocks::{BLOCK_LEN, Block};

/// Bits of the numbers that are permuted.
pub const BITS: u32 = 61;

/// How many numbers are permuted together, so that the AES of one hides behind that of the others.
pub const LANES: usize = 8;

const ROUNDS: u8 = 10;
const RIGHT_BITS: u32 = 30;
const LEFT_MASK: u32 = (1 << (BITS - RIGHT_BITS)) - 1;
const RIGHT_MASK: u32 = (1 << RIGHT_BITS) - 1;

/// One permutation of all numbers below 2^61.
pub struct Permutation(Aes256Enc);

impl Permutation {
    /// Returns the permutation that belongs to `key`.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Enc::new_from_slice(key).expect("an AES-256 key has 32 bytes"))
    }

    /// Returns where the permutation takes each of `numbers`, whose bits from 61 up are ignored.
    #[must_use]
    pub fn permute(&self, numbers: [u64; LANES]) -> [u64; LANES] {
        let mut left = numbers.map(|number| (number >> RIGHT_BITS) as u32 & LEFT_MASK);
        let mut right = numbers.map(|number| number as u32 & RIGHT_MASK);
        for round in 0..ROUNDS {
            let (from, to, mask) = if round % 2 == 0 {
                (&right, &mut left, LEFT_MASK)
            } else {
                (&left, &mut right, RIGHT_MASK)
            };
            for (to, mixed) in to.iter_mut().zip(self.round(round, from)) {
                *to ^= mixed & mask;
            }
        }
        core::array::from_fn(|lane| u64::from(left[lane]) << RIGHT_BITS | u64::from(right[lane]))
    }

    fn round(&self, round: u8, halves: &[u32; LANES]) -> [u32; LANES] {
        let mut blocks = halves.map(|half| {
            let mut block = Block::default();
            block[0] = round;
            block[BLOCK_LEN - 4..].copy_from_slice(&half.to_be_bytes());
            block
        });
        self.0.encrypt_blocks(&mut blocks);
        blocks.map(|block| {
            u32::from_be_bytes(*block.first_chunk().expect("a block begins with 4 bytes"))
        })
    }
}

/// Shows no key.
impl fmt::Debug for Permutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permutation").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Takes the rounds back, last first.
    fn restore(permutation: &Permutation, number: u64) -> u64 {
        let mut left = (number >> RIGHT_BITS) as u32;
        let mut right = number as u32 & RIGHT_MASK;
        for round in (0..ROUNDS).rev() {
            if round % 2 == 0 {
                left ^= permutation.round(round, &[right; LANES])[0] & LEFT_MASK;
            } else {
                right ^= permutation.round(round, &[left; LANES])[0] & RIGHT_MASK;
            }
        }
        u64::from(left) << RIGHT_BITS | u64::from(right)
    }

    proptest! {
        #[test]
        fn every_number_is_permuted_alike_in_every_lane_and_can_be_restored(
            key: [u8; 32],
            number in 0_u64..1 << BITS,
        ) {
            let permutation = Permutation::new(&key);

            let permuted = permutation.permute([number; LANES]);

            prop_assert!(permuted.iter().all(|&lane| lane == permuted[0]));
            prop_assert!(permuted[0] < 1 << BITS);
            prop_assert_eq!(restore(&permutation, permuted[0]), number);
        }
    }

    #[test]
    fn numbers_in_a_row_never_meet_and_look_like_chance() {
        let permutation = Permutation::new(&[7; 32]);
        let count = 1 << 17;
        let mut seen = BTreeSet::new();
        let mut ones = [0_u32; BITS as usize];
        for first in (0..count).step_by(LANES) {
            for number in permutation.permute(core::array::from_fn(|lane| first + lane as u64)) {
                assert!(seen.insert(number));
                for (bit, ones) in ones.iter_mut().enumerate() {
                    *ones += (number >> bit & 1) as u32;
                }
            }
        }

        // Six standard deviations of a fair coin.
        let (mean, six_sigma) = (count as f64 / 2.0, 3.0 * (count as f64).sqrt());
        assert!(ones.iter().all(|&ones| (f64::from(ones) - mean).abs() < six_sigma), "{ones:?}");
    }

    #[test]
    fn another_key_is_another_permutation() {
        let numbers = core::array::from_fn(|lane| lane as u64);
        let permuted = [[1; 32], [2; 32]].map(|key| Permutation::new(&key).permute(numbers));

        assert!(permuted[0].iter().all(|number| !permuted[1].contains(number)));
    }
}
