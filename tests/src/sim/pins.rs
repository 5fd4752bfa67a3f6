//! Pins, and two nodes of one address.

use zt_protocol::address::Address;
use zt_protocol::event::StoreKey;
use zt_protocol::fingerprint::{Expected, Fingerprint};
use zt_protocol::node::Command;

use super::host::{Host, Power};
use super::world::{NodeId, World};
use crate::identities;

impl World {
    /// Adds two nodes with public addresses that have one node address, as somebody can bring about
    /// who spends ten thousand core-years: the one it belongs to and an impostor.
    ///
    /// The impostor's identity is valid. That of the other is not, so nobody believes it who is not
    /// [acquainted](World::acquaint) with it; whoever is knows no difference.
    pub fn doubles(&mut self) -> (NodeId, NodeId) {
        let impostor = self.member();
        let holder = NodeId(self.hosts.len());
        let identity = identities::double_of(&self.identity_of(impostor));
        self.hosts.push(Host::new(format!("member {}", holder.0), &identity));
        self.internet.attach(holder);
        (holder, impostor)
    }

    /// Leaves `node` switched off when the world begins.
    pub fn keep_off(&mut self, node: NodeId) {
        assert_eq!(self.hosts[node.0].power, Power::New, "it has not been started");
        self.hosts[node.0].power = Power::Off;
    }

    /// Lets `node` forget what it has saved of `other` as a peer, as it does after a month. While
    /// it is switched off only.
    pub fn forget_peer(&mut self, node: NodeId, other: NodeId) {
        assert_ne!(self.hosts[node.0].power, Power::On, "a running node remembers");
        let key = StoreKey::Peer(self.address_of(other));
        self.hosts[node.0].disk.remove(&key);
    }

    /// Returns the fingerprint of `node`.
    #[must_use]
    pub fn fingerprint_of(&self, node: NodeId) -> Fingerprint {
        self.hosts[node.0].identity().public().fingerprint()
    }

    /// Lets `node` pin `other`.
    pub fn pin(&mut self, node: NodeId, other: NodeId) {
        let expected = self.fingerprint_of(other).into();
        self.pin_as(node, self.address_of(other), expected);
    }

    /// Lets `node` pin an address to this fingerprint.
    pub fn pin_as(&mut self, node: NodeId, address: Address, expected: Expected) {
        self.start();
        self.command(node, Command::Pin { address, expected });
    }

    /// Writes a pin to the disk of `node`, as its user may before it starts.
    pub fn pin_on_disk(&mut self, node: NodeId, other: NodeId) {
        assert_eq!(self.hosts[node.0].power, Power::New, "a running node pins by itself");
        let key = StoreKey::Pin(self.address_of(other));
        let text = self.fingerprint_of(other).to_string();
        self.hosts[node.0].disk.insert(key, text.into_bytes());
    }

    /// Lets `node` take back what it has pinned about `other`.
    pub fn unpin(&mut self, node: NodeId, other: NodeId) {
        self.command(node, Command::Unpin(self.address_of(other)));
    }

    /// Sets whether `node` talks to nobody but roots and whom it has pinned.
    pub fn require_pinned(&mut self, node: NodeId, required: bool) {
        self.start();
        self.command(node, Command::RequirePinned(required));
    }
}
