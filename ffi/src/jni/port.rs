//! The packets of one network, moved to and from slabs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use zt_runtime::packets::{PacketBatch, PacketReceiver, PacketSender, Packets, SendError};

use super::slab;
use crate::facade::{Runtime, ZtError};

/// Room made for the packets of a batch at once, in bytes: a batch of the usual size.
const BATCH_LEN: usize = 64 * 1500;

/// Sends and receives packets for one network.
///
/// Two threads may use it at once, one for each direction; more take turns.
pub(super) struct SlabPort {
    runtime: Arc<Runtime>,
    sender: PacketSender,
    incoming: Mutex<Incoming>,
    /// Whether nobody is to wait any more.
    is_shut: watch::Sender<bool>,
}

/// Packets received.
struct Incoming {
    receiver: PacketReceiver,
    batch: PacketBatch,
    /// The first packet of the batch that is still to be given to the host.
    next: usize,
}

impl SlabPort {
    pub(super) fn new(packets: Packets, runtime: Arc<Runtime>) -> Self {
        let Packets { sender, receiver } = packets;
        let incoming = Incoming { receiver, batch: PacketBatch::new(), next: 0 };
        let (is_shut, _) = watch::channel(false);
        Self { runtime, sender, incoming: Mutex::new(incoming), is_shut }
    }

    /// Sends the packets in `slab`, as far as the node has room for them, or all of them if the
    /// thread `waits` for it. Returns how many bytes of the slab were sent.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`] if the network was left or the port shut; [`ZtError::InvalidArgument`]
    /// if the slab is not a sequence of packets. Those before the fault are sent.
    pub(super) fn send(&self, slab: &[u8], waits: bool) -> Result<usize, ZtError> {
        let mut taken = 0;
        while taken < slab.len() {
            let (batch, end) = batch_at(slab, taken)?;
            match self.sender.try_send(batch) {
                Ok(()) => {}
                Err(SendError::Full) if !waits => break,
                Err(SendError::Full) => {
                    let (batch, _) = batch_at(slab, taken)?;
                    self.unless_shut(None, self.sender.send(batch))??;
                }
                Err(error) => return Err(error.into()),
            }
            taken = end;
        }
        Ok(taken)
    }

    /// Fills `slab` with packets that were received, and waits up to `patience` for the first of
    /// them, for any length of time if `None`. Returns how many bytes of it they take.
    ///
    /// # Errors
    ///
    /// [`ZtError::Timeout`] if nothing came; [`ZtError::Stopped`] if the network was left or the
    /// port shut; [`ZtError::InvalidArgument`] if the slab has no room for the packet that is next.
    pub(super) fn receive(
        &self,
        slab: &mut [u8],
        patience: Option<Duration>,
    ) -> Result<usize, ZtError> {
        let mut incoming = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        let incoming = &mut *incoming;
        if !incoming.is_ready() {
            let received = self.unless_shut(patience, incoming.receiver.recv())?;
            incoming.start(received.ok_or(ZtError::Stopped)?);
        }
        let written = incoming.write(slab);
        if written == 0 {
            let text = "the slab has no room for the next packet".to_owned();
            return Err(ZtError::InvalidArgument(text));
        }
        Ok(written)
    }

    /// Ends every wait, those to come included.
    pub(super) fn shut(&self) {
        self.is_shut.send_replace(true);
    }

    /// Waits for `future` on this thread, for at most `patience`, and only until the port is shut.
    fn unless_shut<T>(
        &self,
        patience: Option<Duration>,
        future: impl Future<Output = T>,
    ) -> Result<T, ZtError> {
        let mut is_shut = self.is_shut.subscribe();
        self.runtime.block_on(async {
            let elapsed = async {
                match patience {
                    Some(patience) => tokio::time::sleep(patience).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                output = future => Ok(output),
                _ = is_shut.wait_for(|is_shut| *is_shut) => Err(ZtError::Stopped),
                () = elapsed => Err(ZtError::Timeout),
            }
        })?
    }
}

impl Incoming {
    /// Returns whether there are packets, without waiting for any.
    fn is_ready(&mut self) -> bool {
        if self.next == self.batch.len()
            && let Some(batch) = self.receiver.try_recv()
        {
            self.start(batch);
        }
        self.next < self.batch.len()
    }

    fn start(&mut self, batch: PacketBatch) {
        (self.batch, self.next) = (batch, 0);
    }

    /// Writes packets into `slab`, as many as are there and fit.
    fn write(&mut self, slab: &mut [u8]) -> usize {
        let mut written = 0;
        while self.is_ready() {
            let Some(packet) = self.batch.get(self.next) else { break };
            let Some(length) = slab::write(packet, &mut slab[written..]) else { break };
            written += length;
            self.next += 1;
        }
        written
    }
}

/// Returns the packets from `start` on that fit a batch, and where they end.
fn batch_at(slab: &[u8], start: usize) -> Result<(PacketBatch, usize), ZtError> {
    let rest = &slab[start..];
    let mut batch = PacketBatch::new();
    batch.reserve(rest.len().min(BATCH_LEN));
    let read = slab::read(rest, &mut batch)
        .map_err(|truncated| ZtError::InvalidArgument(truncated.to_string()))?;
    Ok((batch, start + read))
}
