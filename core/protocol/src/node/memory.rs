//! How much memory the node's tables take, what of it is given back, and when.

use crate::controller::Controller;
use crate::memory::MemoryUse;
use crate::node::control::Control;

impl Control {
    /// Returns how much memory the tables take, in bytes.
    pub(super) fn memory(&self) -> MemoryUse {
        let tables = &self.shared.tables;
        MemoryUse {
            budget: self.memory_budget,
            peers: tables.peers_footprint() + self.peers.footprint() + self.surface.footprint(),
            networks: self.networks.footprint(tables),
            packets: self.whois.footprint()
                + self.allowances.footprint()
                + self.expected.footprint()
                + self.shared.out.footprint(),
            replays: self.replays.footprint(),
            controller: self.controller.as_ref().map_or(0, Controller::footprint),
        }
    }
}
