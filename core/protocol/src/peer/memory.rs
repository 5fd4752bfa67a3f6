//! What peers take, and whom the node can do without when memory is short.

use crate::memory;
use crate::peer::{Peer, Peers};

impl Peers {
    /// Returns what is known of peers and kept for their sake takes, in bytes, without what the data
    /// plane keeps of them.
    #[must_use]
    pub fn footprint(&self) -> usize {
        let gates = self.alarms.footprint()
            + self.echoes.footprint()
            + self.confirmations.footprint()
            + self.configured.footprint()
            + self.introductions.footprint();
        let schedules = memory::of_tree_set(&self.watches.0) + self.retries.footprint();
        let peers = memory::of_tree(&self.peers) + self.peers.len() * size_of::<Peer>();
        peers
            + self.acquaintances.footprint()
            + self.pins.footprint()
            + self.probed.footprint()
            + self.strangers.footprint()
            + gates
            + schedules
    }
}
