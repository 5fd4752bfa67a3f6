//! A member's own TCP/IP: smoltcp on the network's channels of packets.
//!
//! It stands in for the operating system, which would want a virtual interface and the right to
//! make one. What members do with it is in [`traffic`](crate::traffic).

use std::time::Duration;

use smoltcp::iface::{Config, Context, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::socket::AnySocket;
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpCidr};
use zt_protocol::event::NetworkStatus;
use zt_runtime::packets::{PacketBatch, PacketReceiver, PacketSender, Packets};

use crate::capture::{Direction, Tap};

/// The network was left, or the node has stopped.
#[derive(Debug, thiserror::Error)]
#[error("the node stopped while packets were exchanged")]
pub(crate) struct Closed;

/// A TCP/IP stack on a virtual network. It does nothing unless [`until`](Self::until) is awaited.
pub(crate) struct Stack {
    interface: Interface,
    sockets: SocketSet<'static>,
    port: PacketPort,
}

/// How many packets passed a stack's port.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PacketCounts {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

impl Stack {
    /// Returns a stack with the addresses and the MTU of a network.
    pub(crate) fn new(network: &NetworkStatus, packets: Packets, tap: Option<Tap>) -> Self {
        let mut port = PacketPort::new(packets, usize::from(network.mtu), tap);
        let config = Config::new(HardwareAddress::Ip);
        let mut interface = Interface::new(config, &mut port, Instant::now());
        interface.update_ip_addrs(|addresses| {
            for &(ip, bits) in &network.addresses {
                // There is room for as many as the lab's network assigns: one of each family.
                let _ = addresses.push(IpCidr::new(ip.into(), bits));
            }
        });
        Self { interface, sockets: SocketSet::new(Vec::new()), port }
    }

    /// Returns how many packets the stack has sent and received.
    pub(crate) const fn counts(&self) -> PacketCounts {
        self.port.counts
    }

    /// Adds a socket.
    pub(crate) fn add<T: AnySocket<'static>>(&mut self, socket: T) -> SocketHandle {
        self.sockets.add(socket)
    }

    /// Removes a socket.
    pub(crate) fn remove(&mut self, socket: SocketHandle) {
        self.sockets.remove(socket);
    }

    /// Returns a socket, and what it needs to open a connection.
    pub(crate) fn socket<T: AnySocket<'static>>(
        &mut self,
        socket: SocketHandle,
    ) -> (&mut T, &mut Context) {
        (self.sockets.get_mut(socket), self.interface.context())
    }

    /// Exchanges packets until `done`, which is asked whenever something may have changed, has a
    /// result. Who gives up waiting loses the packets that were about to leave, as packets are.
    pub(crate) async fn until<T>(
        &mut self,
        mut done: impl FnMut(&mut SocketSet<'static>) -> Option<T>,
    ) -> Result<T, Closed> {
        loop {
            self.interface.poll(Instant::now(), &mut self.port, &mut self.sockets);
            let result = done(&mut self.sockets);
            // What `done` has put into the sockets leaves at once.
            let now = Instant::now();
            self.interface.poll(now, &mut self.port, &mut self.sockets);

            let is_blocked = self.port.outgoing.batch.is_full();
            self.port.flush().await?;
            if let Some(result) = result {
                return Ok(result);
            }
            if !is_blocked {
                let wait = self.interface.poll_delay(now, &self.sockets);
                self.port.wait(wait.map(Duration::from)).await?;
            }
        }
    }
}

/// A network's channels of packets, as the device smoltcp expects.
struct PacketPort {
    receiver: PacketReceiver,
    sender: PacketSender,
    /// Received, of which smoltcp has taken the first `taken`.
    incoming: PacketBatch,
    taken: usize,
    outgoing: Outgoing,
    tap: Option<Tap>,
    counts: PacketCounts,
    mtu: usize,
}

/// Packets smoltcp has made since the last flush.
struct Outgoing {
    batch: PacketBatch,
    /// Where the next is made.
    packet: Vec<u8>,
}

impl PacketPort {
    fn new(packets: Packets, mtu: usize, tap: Option<Tap>) -> Self {
        Self {
            receiver: packets.receiver,
            sender: packets.sender,
            incoming: PacketBatch::new(),
            taken: 0,
            outgoing: Outgoing { batch: PacketBatch::new(), packet: vec![0; mtu] },
            tap,
            counts: PacketCounts::default(),
            mtu,
        }
    }

    /// Hands the node what smoltcp has made.
    async fn flush(&mut self) -> Result<(), Closed> {
        if self.outgoing.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.outgoing.batch);
        self.counts.sent += batch.len() as u64;
        self.record(Direction::Out, &batch);
        self.sender.send(batch).await.map_err(|_| Closed)
    }

    /// Waits for packets, but not longer than smoltcp wants to sleep.
    async fn wait(&mut self, at_most: Option<Duration>) -> Result<(), Closed> {
        if self.taken < self.incoming.len() {
            return Ok(());
        }
        let received = match at_most {
            Some(at_most) => tokio::time::timeout(at_most, self.receiver.recv()).await,
            None => Ok(self.receiver.recv().await),
        };
        match received {
            Ok(Some(batch)) => self.take_in(batch),
            Ok(None) => return Err(Closed),
            Err(_elapsed) => {}
        }
        Ok(())
    }

    fn take_in(&mut self, batch: PacketBatch) {
        self.counts.received += batch.len() as u64;
        self.record(Direction::In, &batch);
        self.incoming = batch;
        self.taken = 0;
    }

    fn record(&self, direction: Direction, batch: &PacketBatch) {
        if let Some(tap) = &self.tap {
            batch.iter().for_each(|packet| tap.packet(direction, packet));
        }
    }
}

impl Device for PacketPort {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = &'a mut Outgoing;

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }

    fn receive(&mut self, now: Instant) -> Option<(Received<'_>, &mut Outgoing)> {
        // Every packet may be answered, so none is taken in while there is no room for an answer.
        self.transmit(now)?;
        if self.taken == self.incoming.len() {
            let batch = self.receiver.try_recv()?;
            self.take_in(batch);
        }
        self.taken += 1;
        Some((Received(self.incoming.get(self.taken - 1)?), &mut self.outgoing))
    }

    fn transmit(&mut self, _now: Instant) -> Option<&mut Outgoing> {
        (!self.outgoing.batch.is_full()).then_some(&mut self.outgoing)
    }
}

/// A packet for smoltcp to look at.
pub(crate) struct Received<'a>(&'a [u8]);

impl phy::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

impl phy::TxToken for &mut Outgoing {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        self.packet.resize(len, 0);
        let result = write(&mut self.packet);
        self.batch.push(&self.packet);
        result
    }
}
