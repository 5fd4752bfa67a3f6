//! How packets lie in a buffer the JVM and the library share.
//!
//! ```text
//!  0                                                  capacity - 4    capacity - 2
//!  +----------+----------+-- .. --+------- .. -------+---------------+---------------+
//!  | packet 0 | packet 1 |        |                  | n of packet 1 | n of packet 0 |
//!  +----------+----------+-- .. --+------- .. -------+---------------+---------------+
//! ```
//!
//! Packets are back to back, so that they are copied all at once; their lengths grow towards them from
//! the end, so that either may be as many as there is room for. Lengths are big-endian, as Java's
//! buffers are unless told otherwise.

use zt_runtime::packets::PacketBatch;

/// The length of a packet's length, in bytes.
const LENGTH_LEN: usize = size_of::<u16>();

/// Packets in a slab.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    /// Back to back, and what is behind the last.
    packets: &'a [u8],
    /// That of the first packet is the last.
    lengths: &'a [[u8; LENGTH_LEN]],
}

/// A slab that packets are put in.
pub(super) struct Writer<'a> {
    slab: &'a mut [u8],
    /// How many bytes the packets have.
    end: usize,
    count: usize,
}

impl<'a> Reader<'a> {
    /// Reads `count` packets of a slab, beginning with number `first`, which is at `start`; `None` if
    /// they are not there.
    pub(super) fn new(slab: &'a [u8], first: usize, start: usize, count: usize) -> Option<Self> {
        let read = first.checked_mul(LENGTH_LEN)?;
        let lengths = count.checked_mul(LENGTH_LEN)?;
        let (slab, _) = slab.split_at_checked(slab.len().checked_sub(read)?)?;
        let (packets, lengths) = slab.split_at_checked(slab.len().checked_sub(lengths)?)?;
        let (lengths, _) = lengths.as_chunks();
        let reader = Self { packets: packets.get(start..)?, lengths };
        (reader.lengths().sum::<usize>() <= reader.packets.len()).then_some(reader)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Copies packets into `batch` until either is at its end. Returns those that are left.
    pub(super) fn fill(self, batch: &mut PacketBatch) -> Self {
        let before = batch.len();
        let taken = batch.append(self.packets, self.lengths());
        let left = self.lengths.len() - (batch.len() - before);
        Self { packets: &self.packets[taken..], lengths: &self.lengths[..left] }
    }

    fn lengths(&self) -> impl Iterator<Item = usize> {
        self.lengths.iter().rev().map(|&length| usize::from(u16::from_be_bytes(length)))
    }
}

impl<'a> Writer<'a> {
    pub(super) const fn new(slab: &'a mut [u8]) -> Self {
        Self { slab, end: 0, count: 0 }
    }

    /// Returns how many packets were put in.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Puts a packet in. Returns whether there was room.
    pub(super) fn put(&mut self, packet: &[u8]) -> bool {
        let end = self.end + packet.len();
        let lengths = self.slab.len().checked_sub(LENGTH_LEN * (self.count + 1));
        let (Some(length_at), Ok(length)) = (lengths, u16::try_from(packet.len())) else {
            return false;
        };
        if end > length_at {
            return false;
        }
        self.slab[self.end..end].copy_from_slice(packet);
        self.slab[length_at..length_at + LENGTH_LEN].copy_from_slice(&length.to_be_bytes());
        (self.end, self.count) = (end, self.count + 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: [u8; 10] = *b"oneab?\0\x02\0\x03";

    #[test]
    fn packets_are_read_in_order() {
        let mut batch = PacketBatch::new();

        let left = Reader::new(&TWO, 0, 0, 2).unwrap().fill(&mut batch);

        assert!(left.is_empty());
        assert_eq!(batch.iter().collect::<Vec<_>>(), [&b"one"[..], b"ab"]);
    }

    #[test]
    fn packets_that_were_read_are_left_out() {
        let mut batch = PacketBatch::new();

        Reader::new(&TWO, 1, 3, 1).unwrap().fill(&mut batch);

        assert_eq!(batch.iter().collect::<Vec<_>>(), [b"ab"]);
    }

    #[test]
    fn packets_that_are_not_in_the_slab_are_refused() {
        for (first, start, count) in [(0, 2, 2), (0, 0, 3), (0, 11, 0), (5, 0, 1), (6, 0, 0)] {
            assert!(Reader::new(&TWO, first, start, count).is_none(), "{first} {start} {count}");
        }
        assert!(Reader::new(&TWO, usize::MAX, 0, 1).is_none());
        assert!(Reader::new(&TWO, 0, 0, usize::MAX).is_none());
    }

    #[test]
    fn reading_stops_when_the_batch_is_full() {
        let slab = [0; 1000];
        let mut batch = PacketBatch::new();

        let left = Reader::new(&slab, 0, 0, 500).unwrap().fill(&mut batch);

        assert!(batch.is_full());
        assert_eq!(left.lengths.len(), 500 - batch.len());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut slab = [b'?'; TWO.len()];
        let mut writer = Writer::new(&mut slab);

        assert!(writer.put(b"one") && writer.put(b"ab"));

        assert_eq!(writer.count(), 2);
        assert_eq!(slab, TWO);
    }

    #[test]
    fn a_packet_without_room_is_not_written() {
        for len in 0..5 {
            let mut slab = vec![0xff; len];

            assert!(!Writer::new(&mut slab).put(b"one"));

            assert!(slab.iter().all(|&byte| byte == 0xff));
        }
    }

    #[test]
    fn a_packet_that_is_no_packet_is_not_written() {
        let mut slab = vec![0; 100_000];

        assert!(!Writer::new(&mut slab).put(&[0; 65_536]));
        assert!(Writer::new(&mut slab).put(&[0; 65_535]));
    }
}
