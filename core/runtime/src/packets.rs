//! IP packets, or Ethernet frames, exchanged with a network by a host that has no interface for it.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::limits::{BATCH_PACKETS_MAX, SPARE_BATCHES_MAX};

/// Up to 64 IP packets or Ethernet frames, back to back.
#[derive(Clone, Debug, Default)]
pub struct PacketBatch {
    memory: Memory,
    /// Where its memory goes when it is dropped.
    spares: Option<Arc<Spares>>,
}

/// What a batch is kept in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Memory {
    bytes: Vec<u8>,
    /// Where each packet ends.
    ends: Vec<usize>,
}

/// Memory of batches of one network that were dropped, for those to come.
///
/// Fresh memory of that size is cold, and much of it comes from the kernel page by page: it costs a
/// batch several times what copying the packets into it does.
#[derive(Debug, Default)]
pub(crate) struct Spares(Mutex<Vec<Memory>>);

/// A network as a pair of channels of IP packets.
///
/// The two ends may be used by different tasks. Both are bounded: a host that sends faster than
/// the network takes waits or loses packets, as it chooses, and one that does not receive loses
/// the newest.
#[derive(Debug)]
pub struct Packets {
    /// Packets the host sends.
    pub sender: PacketSender,
    /// Packets for the host.
    pub receiver: PacketReceiver,
}

/// Sends IP packets into a network.
#[derive(Clone, Debug)]
pub struct PacketSender {
    queue: mpsc::Sender<PacketBatch>,
    spares: Arc<Spares>,
}

/// Receives IP packets from a network.
#[derive(Debug)]
pub struct PacketReceiver(mpsc::Receiver<PacketBatch>);

/// Why packets were not sent.
#[derive(Clone, Copy, Debug, Eq, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum SendError {
    /// The node is busy with those it has.
    #[error("the node does not take packets that fast")]
    Full,
    /// The network was left, or the node has stopped.
    #[error("the network was left")]
    Closed,
}

/// The driver's ends of the channels.
pub(crate) struct HostChannels {
    pub(crate) from_host: mpsc::Receiver<PacketBatch>,
    pub(crate) to_host: mpsc::Sender<PacketBatch>,
    pub(crate) spares: Arc<Spares>,
}

/// Returns a pair of channels that hold up to `batches` batches each way.
pub(crate) fn channels(batches: usize) -> (Packets, HostChannels) {
    let (queue, from_host) = mpsc::channel(batches);
    let (to_host, receiver) = mpsc::channel(batches);
    let spares = Arc::new(Spares::default());
    let sender = PacketSender { queue, spares: Arc::clone(&spares) };
    let packets = Packets { sender, receiver: PacketReceiver(receiver) };
    (packets, HostChannels { from_host, to_host, spares })
}

impl PacketBatch {
    /// How many packets a batch has room for.
    pub const PACKETS_MAX: usize = BATCH_PACKETS_MAX;

    /// Returns a batch of no packets, with no memory yet. [`PacketSender::batch`] has some.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a packet, IPv4 or IPv6 header first. Returns whether there was room.
    #[inline]
    pub fn push(&mut self, packet: &[u8]) -> bool {
        self.push_parts(&[packet])
    }

    /// Appends a packet that is not in one piece. Returns whether there was room.
    #[inline]
    pub(crate) fn push_parts(&mut self, parts: &[&[u8]]) -> bool {
        if self.is_full() {
            return false;
        }
        let Memory { bytes, ends } = &mut self.memory;
        for part in parts {
            bytes.extend_from_slice(part);
        }
        ends.push(bytes.len());
        true
    }

    /// Appends packets that lie back to back at the start of `packets`, each of the length that comes
    /// next, by one copy. Stops at one there is no room for, or that `packets` has no end of. Returns
    /// how many bytes were taken.
    #[inline]
    pub fn append(&mut self, packets: &[u8], lengths: impl Iterator<Item = usize>) -> usize {
        let Memory { bytes, ends } = &mut self.memory;
        let (before, mut taken) = (bytes.len(), 0_usize);
        for length in lengths.take(BATCH_PACKETS_MAX - ends.len()) {
            match taken.checked_add(length) {
                Some(end) if end <= packets.len() => taken = end,
                _ => break,
            }
            ends.push(before + taken);
        }
        bytes.extend_from_slice(&packets[..taken]);
        taken
    }

    /// Makes room for `bytes` bytes of packets at once.
    pub fn reserve(&mut self, bytes: usize) {
        self.memory.bytes.reserve(bytes);
        self.memory.ends.reserve(BATCH_PACKETS_MAX);
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.memory.clear();
    }

    /// Returns how many packets are in the batch.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.memory.ends.len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.memory.ends.is_empty()
    }

    /// Returns whether no more go in.
    #[inline]
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.memory.ends.len() == BATCH_PACKETS_MAX
    }

    /// Returns packet number `index`, counted from 0.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.memory.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.memory.ends[index - 1] };
        Some(&self.memory.bytes[start..end])
    }

    /// Returns the packets in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl Drop for PacketBatch {
    fn drop(&mut self) {
        if let Some(spares) = self.spares.take() {
            spares.put(mem::take(&mut self.memory));
        }
    }
}

impl PartialEq for PacketBatch {
    fn eq(&self, other: &Self) -> bool {
        self.memory == other.memory
    }
}

impl Eq for PacketBatch {}

impl Memory {
    /// Forgets the packets and keeps the room.
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

impl Spares {
    /// Returns an empty batch in spare memory if there is any, whose memory comes back.
    pub(crate) fn batch(self: &Arc<Self>) -> PacketBatch {
        let memory = self.try_lock().and_then(|mut spares| spares.pop()).unwrap_or_default();
        PacketBatch { memory, spares: Some(Arc::clone(self)) }
    }

    /// Frees what is not in use.
    pub(crate) fn free(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Vec::new();
    }

    fn put(&self, mut memory: Memory) {
        memory.clear();
        if let Some(mut spares) = self.try_lock()
            && spares.len() < SPARE_BATCHES_MAX
        {
            spares.push(memory);
        }
    }

    /// Whoever would have to wait does without: that costs less.
    fn try_lock(&self) -> Option<MutexGuard<'_, Vec<Memory>>> {
        self.0.try_lock().ok()
    }
}

impl PacketSender {
    /// Returns an empty batch, in memory of one that was dropped if there is any. Its memory comes
    /// back to be used again, so it need not be reserved anew.
    #[must_use]
    pub fn batch(&self) -> PacketBatch {
        self.spares.batch()
    }

    /// Sends `batch` as soon as there is room for it.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`].
    pub async fn send(&self, batch: PacketBatch) -> Result<(), SendError> {
        self.queue.send(batch).await.map_err(|_| SendError::Closed)
    }

    /// Waits until there is room for a batch. Whoever else sends may take it first.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`].
    pub async fn ready(&self) -> Result<(), SendError> {
        self.queue.reserve().await.map(drop).map_err(|_| SendError::Closed)
    }

    /// Returns whether nobody takes packets any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Sends `batch` if there is room for it.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the packets are lost, as packets are.
    pub fn try_send(&self, batch: PacketBatch) -> Result<(), SendError> {
        self.queue.try_send(batch).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Full,
            mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        })
    }
}

impl PacketReceiver {
    /// Waits for packets; `None` once the network was left or the node has stopped.
    pub async fn recv(&mut self) -> Option<PacketBatch> {
        self.0.recv().await
    }

    /// Returns packets that are there already.
    pub fn try_recv(&mut self) -> Option<PacketBatch> {
        self.0.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_of_a_batch_as_they_went_in() {
        let mut batch = PacketBatch::new();

        assert!(batch.push(b"one") && batch.push(b"") && batch.push(b"three"));

        assert_eq!(batch.iter().collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        batch.clear();
        assert_eq!(batch.iter().count(), 0);
    }

    #[test]
    fn packets_that_lie_back_to_back_are_appended_as_they_are() {
        let mut batch = PacketBatch::new();
        batch.push(b"zero");

        assert_eq!(batch.append(b"onethree, and more", [3, 0, 5].into_iter()), 8);

        assert_eq!(batch.iter().collect::<Vec<_>>(), [&b"zero"[..], b"one", b"", b"three"]);
    }

    #[test]
    fn packets_are_appended_up_to_one_that_is_not_all_there() {
        let mut batch = PacketBatch::new();

        assert_eq!(batch.append(b"onet", [3, 3, 1].into_iter()), 3);
        assert_eq!(batch.append(b"t", [1, usize::MAX].into_iter()), 1);

        assert_eq!(batch.iter().collect::<Vec<_>>(), [&b"one"[..], b"t"]);
    }

    #[test]
    fn packets_are_appended_while_the_batch_has_room() {
        let mut batch = PacketBatch::new();
        batch.push(b"packet");

        assert_eq!(batch.append(&[0; 100], std::iter::repeat_n(1, 100)), BATCH_PACKETS_MAX - 1);

        assert!(batch.is_full());
    }

    #[test]
    fn a_batch_has_the_memory_of_one_that_was_dropped() {
        let (packets, _driver) = channels(1);
        let mut batch = packets.sender.batch();
        batch.push(&[1; 1400]);
        let memory = batch.memory.bytes.as_ptr();
        drop(batch);

        let mut batch = packets.sender.batch();
        assert!(batch.is_empty());
        batch.push(&[2; 1400]);

        assert_eq!(batch.memory.bytes.as_ptr(), memory);
        assert_eq!(batch.iter().collect::<Vec<_>>(), [[2; 1400]]);
    }

    #[test]
    fn spare_memory_is_bounded_and_given_back() {
        let (packets, driver) = channels(1);
        let batches: Vec<_> = (0..2 * SPARE_BATCHES_MAX).map(|_| packets.sender.batch()).collect();

        drop(batches);
        let kept = |spares: &Spares| spares.try_lock().unwrap().len();
        assert_eq!(kept(&driver.spares), SPARE_BATCHES_MAX);

        driver.spares.free();
        assert_eq!(kept(&driver.spares), 0);
    }

    #[test]
    fn a_full_batch_takes_no_more() {
        let mut batch = PacketBatch::new();

        while batch.push(b"packet") {}

        assert_eq!(batch.len(), BATCH_PACKETS_MAX);
    }
}
