//! A TCP relay, and sites that let nothing else out.

use std::net::SocketAddr;
use std::time::Duration;

use zt_protocol::node::{Command, TcpRelayUse};
use zt_protocol::status::TcpRelayStatus;

use super::host::Power;
use super::world::{Happening, NodeId, World};

/// How long it takes to connect to the relay.
const CONNECTING: Duration = Duration::from_millis(60);

impl World {
    /// Configures a TCP relay for `node`. Before it starts only.
    pub fn use_tcp_relay(&mut self, node: NodeId, usage: TcpRelayUse) {
        let host = &mut self.hosts[node.0];
        assert_eq!(host.power, Power::New, "a node is configured before it starts");
        host.tcp_relay = usage;
    }

    /// Lets no UDP pass to or from `node`.
    pub fn block_udp(&mut self, node: NodeId) {
        self.internet.without_udp.insert(node);
    }

    /// Undoes [`block_udp`](Self::block_udp).
    pub fn unblock_udp(&mut self, node: NodeId) {
        self.internet.without_udp.remove(&node);
    }

    /// Cuts the connection of `node` to the relay, which it makes again at once.
    pub fn cut_tcp_relay(&mut self, node: NodeId) {
        self.internet.close_tcp_relay(node);
        self.command(node, Command::TcpRelayConnected(false));
    }

    /// Lets the relay say that what `node` sends comes from `victim`.
    pub fn let_tcp_relay_lie(&mut self, node: NodeId, victim: SocketAddr) {
        for truth in self.internet.addresses(node) {
            self.internet.tcp_relay_lies.insert(truth, victim);
        }
    }

    /// Returns whether the TCP relay stands in for UDP at `node`.
    #[must_use]
    pub fn tcp_relay(&self, node: NodeId) -> TcpRelayStatus {
        self.node(node).status(self.now).tcp_relay
    }

    /// Makes or ends the connection of `node` as it wants.
    pub(super) fn follow_tcp_relay(&mut self, node: NodeId) {
        let is_connected = self.internet.tcp_relays.contains_key(&node);
        match (self.hosts[node.0].wants_tcp_relay, is_connected) {
            (true, false) => {
                self.internet.open_tcp_relay(node);
                self.queue(self.now + CONNECTING, Happening::TcpRelayConnected(node));
            }
            (false, true) => self.internet.close_tcp_relay(node),
            (true, true) | (false, false) => {}
        }
    }

    /// Tells `node` that its connection is made, if it still wants it.
    pub(super) fn tcp_relay_connected(&mut self, node: NodeId) {
        if self.hosts[node.0].wants_tcp_relay && self.hosts[node.0].power == Power::On {
            self.command(node, Command::TcpRelayConnected(true));
        }
    }
}
