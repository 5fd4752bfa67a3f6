//! IP packets, or Ethernet frames, exchanged with a network by a host that has no interface for it.

use tokio::sync::mpsc;

use crate::limits::BATCH_PACKETS_MAX;

/// Up to 64 IP packets or Ethernet frames, back to back.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PacketBatch {
    bytes: Vec<u8>,
    /// Where each packet ends.
    ends: Vec<usize>,
}

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
pub struct PacketSender(mpsc::Sender<PacketBatch>);

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
}

/// Returns a pair of channels that hold up to `batches` batches each way.
pub(crate) fn channels(batches: usize) -> (Packets, HostChannels) {
    let (sender, from_host) = mpsc::channel(batches);
    let (to_host, receiver) = mpsc::channel(batches);
    let packets = Packets { sender: PacketSender(sender), receiver: PacketReceiver(receiver) };
    (packets, HostChannels { from_host, to_host })
}

impl PacketBatch {
    /// How many packets a batch has room for.
    pub const PACKETS_MAX: usize = BATCH_PACKETS_MAX;

    /// Returns a batch of no packets.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a packet, IPv4 or IPv6 header first. Returns whether there was room.
    pub fn push(&mut self, packet: &[u8]) -> bool {
        self.push_parts(&[packet])
    }

    /// Appends a packet that is not in one piece. Returns whether there was room.
    pub(crate) fn push_parts(&mut self, parts: &[&[u8]]) -> bool {
        if self.is_full() {
            return false;
        }
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.ends.push(self.bytes.len());
        true
    }

    /// Makes room for `bytes` bytes of packets at once.
    pub fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
        self.ends.reserve(BATCH_PACKETS_MAX);
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Returns how many packets are in the batch.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns whether no more go in.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.ends.len() == BATCH_PACKETS_MAX
    }

    /// Returns packet number `index`, counted from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.bytes[start..end])
    }

    /// Returns the packets in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl PacketSender {
    /// Sends `batch` as soon as there is room for it.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`].
    pub async fn send(&self, batch: PacketBatch) -> Result<(), SendError> {
        self.0.send(batch).await.map_err(|_| SendError::Closed)
    }

    /// Waits until there is room for a batch. Whoever else sends may take it first.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`].
    pub async fn ready(&self) -> Result<(), SendError> {
        self.0.reserve().await.map(drop).map_err(|_| SendError::Closed)
    }

    /// Returns whether nobody takes packets any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Sends `batch` if there is room for it.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the packets are lost, as packets are.
    pub fn try_send(&self, batch: PacketBatch) -> Result<(), SendError> {
        self.0.try_send(batch).map_err(|error| match error {
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
    fn a_full_batch_takes_no_more() {
        let mut batch = PacketBatch::new();

        while batch.push(b"packet") {}

        assert_eq!(batch.len(), BATCH_PACKETS_MAX);
    }
}
