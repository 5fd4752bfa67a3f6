//! Packets for languages that can call C: uniffi says when, C moves them.
//!
//! A call of uniffi's costs microseconds, which is nothing for a wait and too much for a packet.

use std::sync::Arc;

use tokio::sync::Notify;
use zt_protocol::address::NetworkId;

use crate::c::packets::{share, zt_packets, zt_packets_close};
use crate::facade::{Node, PacketChannel, PortMode, ZtError};

/// The packets of a network, exchanged with this program.
///
/// They are passed in and taken out by `zt_network_packets_in` and `zt_network_packets_out`, which take
/// [`c_handle`](Self::c_handle) and are not to wait; this waits for them.
#[derive(Debug, uniffi::Object)]
pub struct PacketQueue {
    channel: Arc<PacketChannel>,
    handle: zt_packets,
    /// Wakes who waits to read, and who waits to write, whatever there is.
    nudges: [Notify; 2],
}

#[uniffi::export]
impl Node {
    /// Joins a network, or attaches another port to one that is joined, so that this program exchanges
    /// its packets. Opened again, an earlier queue ends.
    ///
    /// # Errors
    ///
    /// As of [`join`](Self::join).
    pub async fn open_packets(
        &self,
        network: NetworkId,
        mode: PortMode,
    ) -> Result<Arc<PacketQueue>, ZtError> {
        let channel = Arc::new(self.packets(network, mode).await?);
        let handle = share(Arc::clone(&channel))?;
        Ok(Arc::new(PacketQueue { channel, handle, nudges: Default::default() }))
    }
}

#[uniffi::export]
impl PacketQueue {
    /// Returns the handle C takes, which is good as long as this is there.
    pub fn c_handle(&self) -> u64 {
        self.handle
    }

    /// Waits until there are packets to take out, or for no reason.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`] once the queue has ended.
    pub async fn readable(&self) -> Result<(), ZtError> {
        tokio::select! {
            readable = self.channel.readable() => readable,
            () = self.nudges[0].notified() => Ok(()),
        }
    }

    /// Waits until there is room to pass packets in, or for no reason.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`] once the queue has ended.
    pub async fn writable(&self) -> Result<(), ZtError> {
        tokio::select! {
            writable = self.channel.writable() => writable,
            () = self.nudges[1].notified() => Ok(()),
        }
    }

    /// Has those who wait, or will be the next to, look again: languages cannot cancel them otherwise.
    pub fn nudge(&self) {
        for nudge in &self.nudges {
            nudge.notify_one();
        }
    }

    /// Ends the queue, for everybody who waits as well. The network stays joined.
    pub fn end(&self) {
        self.channel.close();
    }
}

impl Drop for PacketQueue {
    fn drop(&mut self) {
        // The handle is this queue's own, so there is nothing that could be wrong with it.
        let _ = zt_packets_close(self.handle);
    }
}
