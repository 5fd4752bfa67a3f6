//! Packets a program passes in and takes out itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use zt_protocol::address::NetworkId;
use zt_runtime::packets::{PacketBatch, PacketReceiver, PacketSender};

use super::error::ZtError;
use super::node::Node;
use super::ports::{Port, PortMode};
use super::runtime::Runtime;

/// A network as a pair of bounded queues of packets, for a program that has no interface for it.
///
/// It may be used by many threads at once, and ends when it is [closed](Self::close), another port is
/// attached to the network, the network is left or the node stops.
#[derive(Debug)]
pub struct PacketChannel {
    sender: PacketSender,
    /// Whoever waits for packets has it; others wait for their turn.
    receiving: Mutex<Receiving>,
    closed: watch::Sender<bool>,
    runtime: Arc<Runtime>,
}

/// The end packets come out of.
#[derive(Debug)]
struct Receiving {
    receiver: PacketReceiver,
    batch: PacketBatch,
    /// Which packet of the batch is next.
    next: usize,
}

impl Node {
    /// Joins a network, or attaches another port to one that is joined, so that this program
    /// exchanges its packets; returns them.
    ///
    /// # Errors
    ///
    /// As of [`join`](Self::join).
    pub async fn packets(
        &self,
        network: NetworkId,
        mode: PortMode,
    ) -> Result<PacketChannel, ZtError> {
        match self.attach(network, Port::Packets { mode }).await {
            Err(ZtError::NotJoined(_)) => self.join(network, Port::Packets { mode }, None).await?,
            attached => attached?,
        }
        let packets = self.handle.packets(network).await?;
        let (batch, next) = Default::default();
        Ok(PacketChannel {
            sender: packets.sender,
            receiving: Mutex::new(Receiving { receiver: packets.receiver, batch, next }),
            closed: watch::Sender::new(false),
            runtime: Arc::clone(&self.runtime),
        })
    }
}

impl PacketChannel {
    /// Passes in the packets that lie back to back in `slab`, as long as `lengths` says, as many as
    /// there is room for; returns how many. The others are the caller's, to pass in again or to drop.
    ///
    /// # Errors
    ///
    /// [`ZtError::InvalidArgument`] if the lengths add up to more than the slab has,
    /// [`ZtError::WouldBlock`] if there is no room for any, [`ZtError::Stopped`] once it has ended.
    pub fn pass_in(&self, slab: &[u8], lengths: &[u32]) -> Result<usize, ZtError> {
        let total = lengths.iter().try_fold(0_usize, |sum, &len| sum.checked_add(len as usize));
        if total.is_none_or(|total| total > slab.len()) {
            let text = "the lengths add up to more than the slab has".to_owned();
            return Err(ZtError::InvalidArgument(text));
        }
        let (mut rest, mut taken) = (slab, 0);
        while taken < lengths.len() {
            if *self.closed.borrow() {
                return Err(ZtError::Stopped);
            }
            let mut batch = self.sender.batch();
            let bytes = batch.append(rest, lengths[taken..].iter().map(|&len| len as usize));
            let packets = batch.len();
            match self.sender.try_send(batch) {
                Ok(()) => (taken, rest) = (taken + packets, &rest[bytes..]),
                Err(_) if taken > 0 => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(taken)
    }

    /// Takes packets out: `take` is called with one after the other until it returns false, which
    /// leaves the packet where it is. Waits for the first at most `patience`; without, for ever.
    ///
    /// # Errors
    ///
    /// [`ZtError::Timeout`], [`ZtError::WouldDeadlock`] if it had to wait on a thread that must not,
    /// and [`ZtError::Stopped`] once it has ended.
    pub fn take_out(
        &self,
        patience: Option<Duration>,
        mut take: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), ZtError> {
        if *self.closed.borrow() {
            return Err(ZtError::Stopped);
        }
        if let Ok(mut receiving) = self.receiving.try_lock()
            && receiving.hand_out(&mut take)
        {
            return Ok(());
        }
        if patience == Some(Duration::ZERO) {
            let has_ended = self.sender.is_closed();
            return Err(if has_ended { ZtError::Stopped } else { ZtError::Timeout });
        }
        let waited = self.unless_closed(async {
            let mut receiving = self.receiving.lock().await;
            if receiving.hand_out(&mut take) {
                return Ok(());
            }
            receiving.batch = receiving.receiver.recv().await.ok_or(ZtError::Stopped)?;
            receiving.next = 0;
            receiving.hand_out(&mut take);
            Ok(())
        });
        match patience {
            None => self.runtime.block_on(waited)?,
            Some(patience) => {
                let waited = async { tokio::time::timeout(patience, waited).await };
                self.runtime.block_on(waited)?.map_err(|_| ZtError::Timeout)?
            }
        }
    }

    /// Waits until there are packets to take out, which somebody else may do first.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`] once it has ended.
    pub async fn readable(&self) -> Result<(), ZtError> {
        self.unless_closed(async {
            let mut receiving = self.receiving.lock().await;
            // Looks, and takes nothing.
            if !receiving.hand_out(&mut |_| false) {
                receiving.batch = receiving.receiver.recv().await.ok_or(ZtError::Stopped)?;
                receiving.next = 0;
            }
            Ok(())
        })
        .await
    }

    /// Waits until there is room to pass packets in, which somebody else may take first.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`] once it has ended.
    pub async fn writable(&self) -> Result<(), ZtError> {
        self.unless_closed(async { Ok(self.sender.ready().await?) }).await
    }

    async fn unless_closed<T>(
        &self,
        future: impl Future<Output = Result<T, ZtError>>,
    ) -> Result<T, ZtError> {
        let mut closed = self.closed.subscribe();
        tokio::select! {
            output = future => output,
            _ = closed.wait_for(|closed| *closed) => Err(ZtError::Stopped),
        }
    }

    /// Ends it, for everybody who waits as well.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }
}

impl Receiving {
    /// Hands out what is there, and returns whether there was anything.
    fn hand_out(&mut self, take: &mut impl FnMut(&[u8]) -> bool) -> bool {
        let mut had_any = false;
        loop {
            while let Some(packet) = self.batch.get(self.next) {
                had_any = true;
                if !take(packet) {
                    return true;
                }
                self.next += 1;
            }
            let Some(batch) = self.receiver.try_recv() else { return had_any };
            (self.batch, self.next) = (batch, 0);
        }
    }
}
