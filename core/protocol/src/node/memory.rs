//! How much memory the node's tables take, what of it is given back, and when.
//!
//! There is one way to give back, by steps, from what costs least to lose to what costs most, until
//! enough is given back. A host asks for [all of it](crate::command::Command::TrimMemory); a node
//! with a budget sees to it itself whenever a table has grown. What limits others is never given back
//! before its time, nor is anything or anybody in use.
//!
//! While there is nothing left to give back and the budget is used up, nobody new is taken in and
//! nothing new remembered: what would have to be is refused as `full`, as it is by a full table.

use core::time::Duration;
use std::collections::BTreeSet;

use crate::address::Address;
use crate::controller::Controller;
use crate::limits::MEMORY_RESERVE;
use crate::memory::MemoryUse;
use crate::node::Node;
use crate::node::control::Control;
use crate::time::Instant;

/// What is given back beyond what has to be, as a share of the budget, so that it need not be done
/// for each entry: looking for what can be spared takes a look at everything.
const MARGIN: usize = 16;

/// How long to wait before it is tried again to give something back when there was not enough.
const RETRY: Duration = Duration::from_secs(1);

/// A way to give something back: at least so many bytes, if it can.
type Step = fn(&mut Control, Instant, usize);

/// All of them, in this order.
const STEPS: [Step; 8] = [
    |control, now, _| control.lapse(now),
    |control, _, surplus| control.peers.give_back_acquaintances(surplus),
    |control, now, _| control.peers.fold_idle(&mut control.shared.ctx(now)),
    |control, now, _| control.networks.give_back_served(now),
    |control, now, surplus| control.give_back_peers(now, surplus),
    |control, now, surplus| control.networks.give_back_likes(now, surplus),
    |control, now, surplus| {
        control.networks.give_back_members(&mut control.shared.ctx(now), surplus);
    },
    |control, now, _| control.controller.iter_mut().for_each(|served| served.give_back(now)),
];

impl Node {
    /// Returns how much memory the node's tables take.
    #[must_use]
    pub fn memory(&self) -> MemoryUse {
        let mut memory = self.control.memory();
        memory.packets += self.intake.footprint();
        memory
    }

    /// Gives something back if a table has grown and all together take more than the budget allows.
    pub(super) fn keep_to_budget(&mut self, now: Instant) {
        let Some(budget) = self.control.memory_budget else { return };
        if !core::mem::take(&mut self.control.has_grown) {
            return;
        }
        let most = budget - MEMORY_RESERVE;
        let is_exceeded = self.memory().total() > most;
        let is_retried = !self.control.shared.is_full || now >= self.control.next_retry;
        if is_exceeded && is_retried {
            self.control.next_retry = now + RETRY;
            self.give_back(now, most - budget / MARGIN);
            self.control.shared.is_full = self.memory().total() > most;
        } else if !is_exceeded {
            self.control.shared.is_full = false;
        }
    }

    /// Gives back what can be done without, until all tables together take no more than `goal` bytes
    /// or nothing is left that may go.
    pub(super) fn give_back(&mut self, now: Instant, goal: usize) {
        self.intake.give_back();
        for step in STEPS {
            let surplus = self.memory().total().saturating_sub(goal);
            if surplus == 0 {
                return;
            }
            step(&mut self.control, now, surplus);
            self.control.shrink();
        }
    }
}

impl Control {
    /// Returns how much memory the tables take, in bytes, but for those of the intake.
    fn memory(&self) -> MemoryUse {
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

    /// Forgets what is too old to count, which limits nobody.
    fn lapse(&mut self, now: Instant) {
        self.peers.lapse(now);
        self.networks.lapse(now);
        self.allowances.lapse(now);
        self.replays.lapse(now);
    }

    /// Forgets peers that are silent and without whom no network ends.
    fn give_back_peers(&mut self, now: Instant, surplus: usize) {
        let networks = self.networks.controllers().chain(self.networks.always_contact());
        let kept: BTreeSet<Address> = networks.chain(self.roots.seeds()).collect();
        self.peers.give_back_silent(&mut self.shared.ctx(now), &kept, surplus);
    }

    /// Gives back the room that tables have grown and do not need.
    fn shrink(&mut self) {
        self.networks.shrink(&mut self.shared.tables);
        self.whois.shrink();
        self.expected.shrink();
        self.shared.out.shrink();
    }
}
