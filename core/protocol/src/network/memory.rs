//! What networks take, and what of them the node can do without when memory is short.

use super::{Network, Networks, Push};
use crate::event::NetworkStatus;
use crate::fastpath::tables::Tables;
use crate::memory;

impl Networks {
    /// Returns what the networks take, in bytes, with what the data plane keeps of them.
    #[must_use]
    pub fn footprint(&self, tables: &Tables) -> usize {
        let views = self.joined.keys().filter_map(|id| tables.network(*id));
        memory::of_tree(&self.joined)
            + self.joined.values().map(Network::footprint).sum::<usize>()
            + views.map(|view| size_of_val(view) + view.footprint()).sum::<usize>()
            + self.served.footprint()
            + self.pushes.footprint()
            + self.refusals.footprint()
    }
}

impl Network {
    fn footprint(&self) -> usize {
        let pushes = self.pushes.iter().map(|Push { body, .. }| memory::of_list(body));
        self.config_bytes
            + self.chunks.footprint()
            + self.members.footprint()
            + memory::of_queue(&self.pushes)
            + pushes.sum::<usize>()
            + self.groups.footprint()
            + memory::of_tree_set(&self.own_groups)
            + memory::of_tree_set(&self.host_groups)
            + self.bridged_groups.footprint()
            + self.stations.footprint()
            + self.neighbors.footprint()
            + self.reported.as_ref().map_or(0, NetworkStatus::footprint)
    }
}
