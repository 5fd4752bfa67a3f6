//! The packets of one network, moved to and from slabs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use zt_runtime::packets::{PacketBatch, PacketReceiver, PacketSender, Packets, SendError};

use super::slab::{Reader, Writer};
use crate::facade::{Runtime, ZtError};

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

    /// Sends `packets`, as far as the node has room for them, or all of them if the thread `waits`
    /// for it. Returns how many were sent.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`] if the network was left or the port shut.
    pub(super) fn send(&self, mut packets: Reader<'_>, waits: bool) -> Result<usize, ZtError> {
        let mut sent = 0;
        while !packets.is_empty() {
            let (batch, left) = self.first_of(packets);
            let count = batch.len();
            match self.sender.try_send(batch) {
                Ok(()) => {}
                Err(SendError::Full) if !waits => break,
                Err(SendError::Full) => {
                    let (batch, _) = self.first_of(packets);
                    self.unless_shut(None, self.sender.send(batch))??;
                }
                Err(error) => return Err(error.into()),
            }
            (sent, packets) = (sent + count, left);
        }
        Ok(sent)
    }

    /// Fills `slab` with packets that were received, and waits up to `patience` for the first of
    /// them, for any length of time if `None`. Returns how many they are.
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
        let mut slab = Writer::new(slab);
        incoming.write(&mut slab);
        if slab.count() == 0 {
            let text = "the slab has no room for the next packet".to_owned();
            return Err(ZtError::InvalidArgument(text));
        }
        Ok(slab.count())
    }

    /// Ends every wait, those to come included.
    pub(super) fn shut(&self) {
        self.is_shut.send_replace(true);
    }

    /// Returns as many of `packets` as fit a batch, and those that are left.
    fn first_of<'a>(&self, packets: Reader<'a>) -> (PacketBatch, Reader<'a>) {
        let mut batch = self.sender.batch();
        let left = packets.fill(&mut batch);
        (batch, left)
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

    /// Puts packets into `slab`, as many as are there and fit.
    fn write(&mut self, slab: &mut Writer<'_>) {
        while self.is_ready()
            && let Some(packet) = self.batch.get(self.next)
            && slab.put(packet)
        {
            self.next += 1;
        }
    }
}
