//! The memory-hard hash that ties a node's address to its public key (spec 01 §2.2).
//!
//! The address is 40 bits of a digest that takes 2 MiB and milliseconds to compute and that must
//! begin with a small byte. Making an address takes about fifteen attempts; checking one takes
//! one. It is far too expensive to do for every stranger that asks: authenticate first, and limit
//! the rate.

use salsa20::Salsa20;
use salsa20::cipher::{KeyIvInit, StreamCipher};

use crate::hash::sha512;

/// First bytes of a digest below this are a proof of work.
pub const THRESHOLD: u8 = 17;

/// Words of 8 bytes in the table: 2 MiB.
const TABLE_WORDS: usize = 2 * 1024 * 1024 / 8;

/// Words of 8 bytes in a digest and in a block of Salsa20.
const BLOCK_WORDS: usize = 8;

/// Blocks of keystream made at a time: one page.
const BATCH_BLOCKS: usize = 64;

// Both walks use up every batch of keystream.
const _: () = assert!(TABLE_WORDS.is_multiple_of(2 * BATCH_BLOCKS * BLOCK_WORDS));

/// Returns the digest of `public_key`, both its X25519 and its Ed25519 half.
///
/// Takes 2 MiB of heap for as long as it runs.
#[must_use]
pub fn derive(public_key: &[u8; 64]) -> [u8; 64] {
    let seed = sha512(&[public_key]);
    let mut keystream = Keystream::new(&seed);

    let mut table = vec![0; TABLE_WORDS];
    fill(&mut table, &mut keystream);
    let mut digest = words(&seed);
    mix(&mut digest, &mut table, &mut keystream);

    bytes(&digest)
}

/// Returns whether enough work went into the key with this digest for it to have an address.
#[must_use]
pub fn is_proof_of_work(digest: &[u8; 64]) -> bool {
    digest[0] < THRESHOLD
}

/// Returns the node address in `digest`. It may be one of the reserved addresses.
#[must_use]
pub fn address(digest: &[u8; 64]) -> [u8; 5] {
    let [.., a, b, c, d, e] = *digest;
    [a, b, c, d, e]
}

/// Eight words of digest, table or keystream.
///
/// Words are read big-endian throughout. They are only moved and XORed, for which the order does
/// not matter, and used as indices, which the protocol reads big-endian.
type Block = [u64; BLOCK_WORDS];

/// Makes every block of the table the XOR of all keystream up to there.
fn fill(table: &mut [u64], keystream: &mut Keystream) {
    let mut sum = [0; BLOCK_WORDS];
    let (blocks, _) = table.as_chunks_mut::<BLOCK_WORDS>();
    for batch in blocks.chunks_mut(BATCH_BLOCKS) {
        for (block, key) in batch.iter_mut().zip(keystream.next_batch()) {
            xor(&mut sum, &words(key));
            *block = sum;
        }
    }
}

/// Walks the table once, two words at a time: the first names a word of the digest, the second a
/// word of the table, and these two change places.
fn mix(digest: &mut Block, table: &mut [u64], keystream: &mut Keystream) {
    for batch in (0..TABLE_WORDS).step_by(2 * BATCH_BLOCKS) {
        for (i, key) in (batch..).step_by(2).zip(keystream.next_batch()) {
            let p = table[i] as usize % BLOCK_WORDS;
            let q = table[i + 1] as usize % TABLE_WORDS;
            core::mem::swap(&mut digest[p], &mut table[q]);
            xor(digest, &words(key));
        }
    }
}

/// The keystream of Salsa20 with all 20 rounds, a batch of blocks at a time.
struct Keystream {
    cipher: Salsa20,
    batch: [u8; BATCH_BLOCKS * 64],
}

impl Keystream {
    /// Takes key and nonce from the front of `seed`.
    fn new(seed: &[u8; 64]) -> Self {
        let cipher = Salsa20::new_from_slices(&seed[..32], &seed[32..40])
            .expect("Salsa20 takes a key of 32 bytes and a nonce of 8");
        Self { cipher, batch: [0; BATCH_BLOCKS * 64] }
    }

    fn next_batch(&mut self) -> &[[u8; 64]] {
        self.cipher.write_keystream(&mut self.batch);
        let (blocks, _) = self.batch.as_chunks();
        blocks
    }
}

fn xor(block: &mut Block, other: &Block) {
    for (word, other) in block.iter_mut().zip(other) {
        *word ^= other;
    }
}

fn words(bytes: &[u8; 64]) -> Block {
    let (chunks, _) = bytes.as_chunks();
    core::array::from_fn(|i| u64::from_be_bytes(chunks[i]))
}

fn bytes(words: &Block) -> [u8; 64] {
    let mut bytes = [0; 64];
    let (chunks, _) = bytes.as_chunks_mut();
    for (chunk, word) in chunks.iter_mut().zip(words) {
        *chunk = word.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    // From vectors/identity.json, valid-0.
    const PUBLIC: [u8; 64] = hex!(
        "ac3d46abe0c21f3cfe7a6c8d6a85cfcffcb82fbd55af6a4d6350657c68200843"
        "fa2e16f9418bbd9702cae365f2af5fb4c420908b803a681d4daef6114d78a2d7"
    );
    const DIGEST: [u8; 64] = hex!(
        "10b1afd388c4c1561f184ed54cd5bd012a1c8edf5a5975200bb15608dba0b5eb"
        "b9faa360a0c6bf99cf684e015bf5bda9d347a4867a5515fa48c6c58e4df28b72"
    );

    #[test]
    fn an_address_is_derived_as_the_reference_does() {
        let digest = derive(&PUBLIC);

        assert_eq!(digest, DIGEST);
        assert!(is_proof_of_work(&digest));
        assert_eq!(address(&digest), hex!("8e4df28b72"));
    }

    #[test]
    fn the_table_goes_through_the_states_the_reference_goes_through() {
        let seed = sha512(&[&PUBLIC]);
        let mut keystream = Keystream::new(&seed);
        let mut table = vec![0; TABLE_WORDS];

        fill(&mut table, &mut keystream);
        assert_eq!(
            hash_of(&table),
            hex!(
                "745d2d8457237009886e31a0df5ce049ce64d71909b2f5a43c069774519de97b"
                "89d75ee1f2d6e26bfe6e45bd617574f501a9b758f75488d4de9183126cebd5a2"
            )
        );

        mix(&mut words(&seed), &mut table, &mut keystream);
        assert_eq!(
            hash_of(&table),
            hex!(
                "f8128a758a83a3d8ea282b52eeed92b34a92a69c27309d78e5ba1f6666126728"
                "23e69ed26f34c27a7b602beafab0bee5e381bcc08b8308d1d6f691928965b8fd"
            )
        );
    }

    /// From vectors/identity.json, corrupt-ed25519-key: the last digit of [`PUBLIC`] is changed.
    #[test]
    fn another_key_has_another_address() {
        let mut public = PUBLIC;
        public[63] = 0xd0;

        assert_ne!(address(&derive(&public)), address(&DIGEST));
    }

    #[test]
    fn sixteen_is_the_largest_first_byte_that_proves_work() {
        let mut digest = DIGEST;
        for first in 0..=u8::MAX {
            digest[0] = first;
            assert_eq!(is_proof_of_work(&digest), first <= 16, "first byte {first}");
        }
    }

    fn hash_of(table: &[u64]) -> [u8; 64] {
        let raw: Vec<u8> = table.iter().flat_map(|word| word.to_be_bytes()).collect();
        sha512(&[&raw])
    }
}
