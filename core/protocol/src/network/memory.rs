//! What networks take, and what of them the node can do without when memory is short.

use core::time::Duration;
use std::collections::BTreeMap;

use super::{Network, Networks, Push};
use crate::address::Address;
use crate::event::NetworkStatus;
use crate::fastpath::tables::Tables;
use crate::limits::CONFIG_REFRESH_PERIOD;
use crate::memory;
use crate::outbox::Ctx;
use crate::time::Instant;

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

/// Who was not heard in this time, or has not renewed what it renews each minute, or each 150 s with
/// low bandwidth, can be done without.
const SILENT: Duration = Duration::from_secs(300);

/// The same of a device behind a bridge, which is noted as heard each 10 s.
const STATION_SILENT: Duration = Duration::from_secs(60);

/// How many subscriptions each member keeps while memory is short, tried one after the other. Few
/// have more than a handful.
const LIKES_KEPT: [usize; 5] = [512, 256, 128, 64, 32];

impl Networks {
    /// Returns whom to keep in contact with so that the networks go on: their controllers.
    pub fn controllers(&self) -> impl Iterator<Item = Address> {
        self.joined.keys().map(|id| id.controller())
    }

    /// Forgets what is too old to limit anybody, and what nobody waits for any more.
    pub fn lapse(&mut self, now: Instant) {
        self.pushes.lapse(now);
        self.refusals.lapse(now);
        for network in self.joined.values_mut() {
            network.groups.sweep(now);
            network.chunks.give_back(now, CONFIG_REFRESH_PERIOD);
        }
    }

    /// Forgets who is in groups of networks this node is not on, unless they have said so lately.
    pub fn give_back_served(&mut self, now: Instant) {
        self.served.give_back(now, SILENT);
    }

    /// Forgets who is in groups of joined networks: those who have not said so lately, and then, for
    /// as long as more than so many bytes are to be given back, whoever is in too many.
    pub fn give_back_likes(&mut self, now: Instant, surplus: usize) {
        let footprint = |networks: &BTreeMap<_, Network>| -> usize {
            networks.values().map(|network| network.groups.footprint()).sum()
        };
        let goal = footprint(&self.joined).saturating_sub(surplus);
        for network in self.joined.values_mut() {
            network.groups.forget_stale(now, SILENT);
        }
        for kept in LIKES_KEPT {
            if footprint(&self.joined) <= goal {
                return;
            }
            for network in self.joined.values_mut() {
                network.groups.thin_out(kept);
            }
        }
    }

    /// Forgets members and devices that were not heard lately, until so many bytes are given back.
    pub fn give_back_members(&mut self, ctx: &mut Ctx<'_>, mut surplus: usize) {
        for network in self.joined.values_mut() {
            let before = network.members.footprint();
            network.members.give_back(ctx.now, SILENT, surplus);
            surplus = surplus.saturating_sub(before.saturating_sub(network.members.footprint()));
            network.conceal_forgotten(ctx);
            network.forget_stations(ctx, STATION_SILENT);
        }
    }

    /// Gives back the room that tables have grown and do not need.
    pub fn shrink(&mut self, tables: &mut Tables) {
        for (id, network) in &mut self.joined {
            network.pushes.shrink_to_fit();
            network.groups.shrink();
            if let Some(view) = tables.network_mut(*id) {
                view.shrink();
            }
        }
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
