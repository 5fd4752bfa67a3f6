//! What the users of machines say there about the network around them.

use std::net::SocketAddr;

use zt_protocol::bonding::Bonding;
use zt_protocol::node::{Command, Node};
use zt_protocol::path_rules::PathRules;
use zt_protocol::time::Instant;

use super::host::Power;
use super::world::{NodeId, World};

impl World {
    /// Lets `node` go by these rules for physical addresses, from now on and after each start.
    pub fn set_path_rules(&mut self, node: NodeId, rules: PathRules) {
        self.hosts[node.0].path_rules.clone_from(&rules);
        if self.hosts[node.0].power == Power::On {
            self.command(node, Command::PathRules(rules));
        }
    }

    /// Lets `node` send as little as it can, from now on and after each start.
    pub fn save_bandwidth(&mut self, node: NodeId) {
        self.hosts[node.0].low_bandwidth = true;
        if self.hosts[node.0].power == Power::On {
            self.command(node, Command::LowBandwidth(true));
        }
    }

    /// Lets the tables of `node` take so many bytes. Before it starts only.
    pub fn set_memory_budget(&mut self, node: NodeId, bytes: usize) {
        assert_eq!(self.hosts[node.0].power, Power::New, "a budget is for all of a node's life");
        self.hosts[node.0].memory_budget = Some(bytes);
    }

    /// Has `node` give back the memory it can do without.
    pub fn trim_memory(&mut self, node: NodeId) {
        self.command(node, Command::TrimMemory);
    }

    /// Takes the node of a machine out of the world, which goes on as if it were switched off; returns
    /// what time it is for it.
    pub fn take_out(&mut self, node: NodeId) -> (Node, Instant) {
        let host = &mut self.hosts[node.0];
        host.power = Power::Off;
        (host.node.take().expect("the node is switched on"), self.now)
    }

    /// Lets `node` use several paths to one peer so, from now on and after each start.
    pub fn set_bonding(&mut self, node: NodeId, bonding: Bonding) {
        self.hosts[node.0].bonding.clone_from(&bonding);
        if self.hosts[node.0].power == Power::On {
            self.command(node, Command::Bonding(bonding));
        }
    }

    /// Gives `node` a second uplink, with a public address and a socket of its own. Before it starts
    /// only.
    pub fn add_uplink(&mut self, node: NodeId) {
        assert_eq!(self.hosts[node.0].power, Power::New, "addresses are chosen before the start");
        self.internet.attach_again(node);
    }

    /// Lets nothing pass by the uplink that has this address.
    pub fn cut_uplink(&mut self, address: SocketAddr) {
        self.internet.cut.insert(address.ip());
    }

    /// Undoes [`cut_uplink`](Self::cut_uplink).
    pub fn mend_uplink(&mut self, address: SocketAddr) {
        self.internet.cut.remove(&address.ip());
    }

    /// Returns where the sockets of `node` are, as it knows them itself.
    #[must_use]
    pub fn sockets_of(&self, node: NodeId) -> Vec<SocketAddr> {
        self.internet.addresses(node)
    }

    /// Returns every datagram recorded from `from` to `to`, relayed ones included only on their last
    /// leg.
    #[must_use]
    pub fn datagrams_between(&self, from: NodeId, to: NodeId) -> Vec<Vec<u8>> {
        let recorded = self.recording.iter().flatten();
        let between = recorded.filter(|heard| (heard.datagram.from, heard.to) == (from, to));
        between.map(|heard| heard.datagram.bytes.clone()).collect()
    }
}
