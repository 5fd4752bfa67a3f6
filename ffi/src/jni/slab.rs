//! How packets lie in a buffer the JVM and the library share.
//!
//! ```text
//!  0        2              2 + n
//!  +--------+---------------+--------+----------
//!  | n      | packet        | m      | packet ..
//!  +--------+---------------+--------+----------
//! ```
//!
//! Lengths are big-endian, as Java's buffers are unless told otherwise.

use zt_runtime::packets::PacketBatch;

/// The length in front of each packet, in bytes.
const LENGTH_LEN: usize = size_of::<u16>();

/// The slab is not a sequence of packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the slab does not end where a packet does")]
pub(super) struct Truncated;

/// Moves packets from the start of `slab` into `batch` until either is at its end. Returns how many
/// bytes of the slab they are.
pub(super) fn read(slab: &[u8], batch: &mut PacketBatch) -> Result<usize, Truncated> {
    let mut rest = slab;
    while !rest.is_empty() && !batch.is_full() {
        let (length, packets) = rest.split_first_chunk().ok_or(Truncated)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (packet, others) = packets.split_at_checked(length).ok_or(Truncated)?;
        batch.push(packet);
        rest = others;
    }
    Ok(slab.len() - rest.len())
}

/// Writes `packet` to the start of `slab`. Returns how many bytes it takes there; `None` if there is
/// no room for it.
pub(super) fn write(packet: &[u8], slab: &mut [u8]) -> Option<usize> {
    let length = u16::try_from(packet.len()).ok()?;
    let (before, after) = slab.split_first_chunk_mut()?;
    after.get_mut(..packet.len())?.copy_from_slice(packet);
    *before = length.to_be_bytes();
    Some(LENGTH_LEN + packet.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: [u8; 9] = *b"\0\x03one\0\x02ab";

    #[test]
    fn packets_are_read_in_order() {
        let mut batch = PacketBatch::new();

        assert_eq!(read(&TWO, &mut batch), Ok(TWO.len()));

        assert_eq!(batch.iter().collect::<Vec<_>>(), [&b"one"[..], b"ab"]);
    }

    #[test]
    fn a_slab_that_ends_within_a_packet_is_refused() {
        for end in (0..TWO.len()).filter(|end| ![0, 5].contains(end)) {
            assert_eq!(read(&TWO[..end], &mut PacketBatch::new()), Err(Truncated), "{end}");
        }
    }

    #[test]
    fn reading_stops_when_the_batch_is_full() {
        let mut batch = PacketBatch::new();

        let taken = read(&[0; 1000], &mut batch).unwrap();

        assert!(batch.is_full());
        assert_eq!(taken, batch.len() * LENGTH_LEN);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut slab = [0xff; TWO.len()];
        let mut end = 0;

        for packet in [&b"one"[..], b"ab"] {
            end += write(packet, &mut slab[end..]).unwrap();
        }

        assert_eq!(slab, TWO);
    }

    #[test]
    fn a_packet_without_room_is_not_written() {
        for len in 0..5 {
            let mut slab = vec![0xff; len];

            assert_eq!(write(b"one", &mut slab), None);

            assert!(slab.iter().all(|&byte| byte == 0xff));
        }
    }
}
