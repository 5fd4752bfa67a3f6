//! Datagrams, by UDP or by what stands in for it.

use zt_protocol::command::Command;
use zt_protocol::time::Instant;

use super::Running;
use crate::events::Event;
use crate::tcp_relay::News;

impl Running {
    /// Sends everything the node has queued.
    pub(super) async fn transmit(&mut self) {
        self.tcp_relay.send(&self.out);
        if self.tcp_relay.replaces_udp() {
            self.out.clear();
        } else {
            self.sockets.send(&mut self.out).await;
        }
    }

    /// Takes in what a socket has.
    pub(super) async fn take_datagrams(&mut self, now: Instant, socket: usize) {
        self.sockets.receive(socket, &mut self.received);
        while let Some((path, datagram)) = self.received.next() {
            let (out, ports) = (&mut self.out, &mut self.ports);
            if let Err(rejected) = self.node.handle_datagram(now, path, datagram, out, ports) {
                log::trace!(rejected:%; "dropped a datagram");
            }
            self.make_room().await;
        }
    }

    /// Makes a connection to the TCP relay and keeps it up, or ends it.
    pub(super) fn want_tcp_relay(&mut self, is_wanted: bool) {
        if !is_wanted && self.tcp_relay.is_connected() {
            self.events.push(Event::TcpRelay(false));
        }
        self.tcp_relay.want(is_wanted);
    }

    /// Takes in what has become of the connection to the TCP relay, and what it has brought.
    pub(super) async fn follow_tcp_relay(&mut self, now: Instant, news: News) {
        let is_connected = match news {
            News::Connected => Some(true),
            News::Lost => Some(false),
            News::Readable => None,
        };
        if let Some(is_connected) = is_connected {
            self.events.push(Event::TcpRelay(is_connected));
            self.command(now, Command::TcpRelayConnected(is_connected));
        }
        while let Some((path, datagram)) = self.tcp_relay.next() {
            let (out, ports) = (&mut self.out, &mut self.ports);
            if let Err(rejected) = self.node.handle_datagram(now, path, datagram, out, ports) {
                log::trace!(rejected:%; "dropped a datagram");
            }
            self.make_room().await;
        }
    }

    /// Sends and delivers early if a batch gives much to send and deliver.
    pub(super) async fn make_room(&mut self) {
        if self.out.is_filling() {
            self.transmit().await;
        }
        if self.ports.is_filling() {
            self.ports.flush().await;
        }
    }
}
