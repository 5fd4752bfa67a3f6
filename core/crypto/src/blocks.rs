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
