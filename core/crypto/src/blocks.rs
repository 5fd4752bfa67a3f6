//! A message in pieces, seen by a hash that eats blocks of 16 bytes.

use ghash::universal_hash::{UniversalHash, array::Array, consts::U16};

/// Length of a block in bytes.
pub(crate) const BLOCK_LEN: usize = 16;

/// A block of GHASH and of Poly1305.
pub(crate) type Block = Array<u8, U16>;

/// What a message leaves over after its last whole block.
pub(crate) struct Tail {
    block: Block,
    len: usize,
}

impl Tail {
    /// Returns the bytes left over, fewer than a block.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.block[..self.len]
    }
}

/// Feeds `hash` the whole blocks of the message made of `pieces`, and returns the rest.
///
/// A block may begin in one piece and end in another; only those are copied.
pub(crate) fn absorb<H>(hash: &mut H, pieces: &[&mut [u8]]) -> Tail
where
    H: UniversalHash<BlockSize = U16>,
{
    let mut tail = Tail { block: Block::default(), len: 0 };

    for piece in pieces {
        let mut piece: &[u8] = piece;

        if tail.len > 0 {
            let (head, rest) = piece.split_at(piece.len().min(BLOCK_LEN - tail.len));
            tail.block[tail.len..][..head.len()].copy_from_slice(head);
            tail.len += head.len();
            piece = rest;
            if tail.len < BLOCK_LEN {
                continue;
            }
            hash.update(core::slice::from_ref(&tail.block));
        }

        let (blocks, rest) = Block::slice_as_chunks(piece);
        hash.update(blocks);
        tail.block[..rest.len()].copy_from_slice(rest);
        tail.len = rest.len();
    }

    tail
}

/// Messages cut at random, for tests that show that cuts change nothing.
#[cfg(test)]
pub(crate) mod cuts {
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Any message of up to a few hundred bytes, with the lengths to cut it into.
    pub(crate) fn any_cut_message() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
        (vec(any::<u8>(), 0..400), vec(0_usize..80, 0..12))
    }

    /// Cuts `message` into pieces of these lengths, as far as it goes, and the rest.
    pub(crate) fn cut<'a>(mut message: &'a mut [u8], lens: &[usize]) -> Vec<&'a mut [u8]> {
        let mut pieces = Vec::new();
        for len in lens {
            let (piece, rest) = message.split_at_mut(message.len().min(*len));
            pieces.push(piece);
            message = rest;
        }
        pieces.push(message);
        pieces
    }
}

#[cfg(test)]
mod tests {
    use ghash::GHash;
    use poly1305::Poly1305;
    use poly1305::universal_hash::KeyInit;
    use proptest::prelude::*;

    use super::cuts::{any_cut_message, cut};
    use super::*;

    proptest! {
        /// Compares with what the hashes make of the whole message by themselves.
        #[test]
        fn cuts_do_not_change_a_hash((mut message, lens) in any_cut_message()) {
            let poly1305 = Poly1305::new(&[7; 32].into());
            let ghash = GHash::new(&[7; 16].into());
            let whole_poly1305 = poly1305.clone().compute_unpadded(&message);
            let mut whole_ghash = ghash.clone();
            whole_ghash.update_padded(&message);
            let pieces = cut(&mut message, &lens);

            let mut cut_poly1305 = poly1305;
            let tail = absorb(&mut cut_poly1305, &pieces);
            prop_assert_eq!(cut_poly1305.compute_unpadded(tail.as_bytes()), whole_poly1305);

            let mut cut_ghash = ghash;
            let tail = absorb(&mut cut_ghash, &pieces);
            cut_ghash.update_padded(tail.as_bytes());
            prop_assert_eq!(cut_ghash.finalize(), whole_ghash.finalize());
        }
    }
}
