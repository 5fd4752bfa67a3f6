//! What was stored, and what others store, as the node takes it in.
//!
//! Nothing is read here by the driver's own task: a disk may take its time, and so may a program that
//! keeps the state itself.

use std::sync::Arc;

use zt_protocol::bonding::Bonding;
use zt_protocol::command::Command;
use zt_protocol::event::StoreKey;
use zt_protocol::time::Instant;

use super::Running;
use crate::store::{Change, Changed, Records};

impl Running {
    /// Gives the node what was saved.
    pub(super) async fn load(&mut self, bonding: Bonding) {
        let now = self.clock.now();
        self.look_around(now);
        self.surroundings.set_online(now, false);
        self.command(now, Command::TcpRelay(self.tcp_relay.usage()));
        self.command(now, Command::Bonding(bonding));

        let records = Arc::clone(&self.records);
        let controller = self.controller;
        let reading = tokio::task::spawn_blocking(move || {
            let wanted = records.home().wanted_moons().unwrap_or_default();
            (wanted, records.home().peers(), list(&records, controller))
        });
        // Nothing in it panics but a storage of the program's.
        let (wanted, peers, keys) = reading.await.unwrap_or_default();
        for (moon, seeds) in wanted {
            for seed in seeds {
                self.command(now, Command::Orbit { moon, seed: Some(seed), definition: None });
            }
        }
        for peer in peers {
            self.command(now, Command::LoadPeer(peer));
            self.make_room().await;
        }
        self.reader.read(keys);
        while let Some(changed) = self.reader.next().await {
            self.take_all_in(now, changed);
        }
    }

    pub(super) fn take_all_in(&mut self, now: Instant, changed: Vec<Changed>) {
        for changed in changed {
            self.take_in(now, changed);
        }
    }

    /// Takes in what others have written, unless something later was read since.
    pub(super) fn take_in(&mut self, now: Instant, changed: Changed) {
        if !self.records.take(&changed) {
            return;
        }
        match changed.change {
            Change::Settings { network, settings } => {
                let change = self.plans.allow(network, settings);
                self.replan(network, change);
            }
            Change::Record { key, json } => self.load_record(now, key, json),
        }
    }

    fn load_record(&mut self, now: Instant, key: StoreKey, json: Vec<u8>) {
        let command = match key {
            StoreKey::ControllerNetwork(network) => {
                Command::LoadControllerNetwork { network, json }
            }
            StoreKey::ControllerMember(network, member) => {
                Command::LoadControllerMember { network, member, json }
            }
            // Nobody but the node writes these, or they are no business of the node's.
            StoreKey::Planet
            | StoreKey::Moon(_)
            | StoreKey::WantedMoon(_)
            | StoreKey::Network(_)
            | StoreKey::NetworkSettings(_)
            | StoreKey::Epoch
            | StoreKey::Peer(_)
            | StoreKey::Pin(_)
            | StoreKey::FirstSeen(_)
            | StoreKey::RequirePinned => return,
        };
        if let Err(error) = self.try_command(now, command) {
            let file = self.records.home().path(key);
            log::warn!(file:? = file, error:%; "a record is ignored and left as it is");
        }
    }
}

fn list(records: &Records, controller: bool) -> Vec<StoreKey> {
    if !controller {
        return Vec::new();
    }
    records.list().unwrap_or_else(|error| {
        log::error!(error:%; "the controller's networks cannot be read");
        Vec::new()
    })
}
