//! Devices that are no members and take part by a bridge: behind which bridge each is, and which
//! groups those behind this node are in.
//!
//! A network is a full mesh, and a node sends nothing back to it that came from it. So frames
//! cannot circle on it however many bridges there are, and learning needs no more than the last
//! frame of each device: where it came from is where its answers go.
//!
//! Source: spec 03 §9.3 step 5, §9.4, §9.5 step 4, §12.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::Network;
use crate::address::{Address, Mac, MulticastGroup};
use crate::fastpath::tables::StationView;
use crate::limits::{
    BRIDGED_GROUP_TIMEOUT, BRIDGED_GROUPS_ANNOUNCED_MAX, BRIDGED_GROUPS_MAX, NETWORK_CHECK_PERIOD,
    STATION_RENEWAL_PERIOD, STATION_TIMEOUT, STATIONS_MAX, STATIONS_PER_BRIDGE_MAX,
};
use crate::memory;
use crate::outbox::Ctx;
use crate::time::Instant;

/// Behind which bridge each device was last heard.
///
/// When a bridge has as many as one may have, or all together as many as a network may, the device
/// longest unheard makes room: of that bridge, or else of the one that has most. So a bridge that
/// makes devices up pushes out those of no bridge that has fewer.
#[derive(Debug, Default)]
pub(super) struct Stations {
    stations: BTreeMap<Mac, Station>,
    /// The same by bridge, those longest unheard first.
    of_bridge: BTreeMap<Address, BTreeSet<(Instant, Mac)>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Station {
    bridge: Address,
    heard: Instant,
}

impl Stations {
    /// Remembers that `mac` was heard from `bridge`; the last word counts.
    ///
    /// Returns the device that made room for it, if one had to. While memory `is_full`, that is one
    /// behind the same bridge.
    fn learn(&mut self, now: Instant, is_full: bool, mac: Mac, bridge: Address) -> Option<Mac> {
        let is_new = self.forget(mac);
        let crowded = if is_full && is_new { Some(bridge) } else { self.crowded(bridge) };
        let displaced = crowded.and_then(|crowded| self.oldest_of(crowded));
        if let Some(displaced) = displaced {
            self.forget(displaced);
        }
        self.stations.insert(mac, Station { bridge, heard: now });
        self.of_bridge.entry(bridge).or_default().insert((now, mac));
        displaced
    }

    /// Returns what they take, in bytes. Each device is in two tables.
    pub(super) fn footprint(&self) -> usize {
        let of_bridges =
            memory::of_trees::<(Instant, Mac), ()>(self.of_bridge.len(), self.stations.len());
        memory::of_tree(&self.stations) + memory::of_tree(&self.of_bridge) + of_bridges
    }

    /// Forgets those not heard for so long; returns them.
    fn expire(&mut self, now: Instant, timeout: Duration) -> Vec<Mac> {
        let oldest_first = self
            .of_bridge
            .values()
            .flat_map(|macs| macs.iter().take_while(|(heard, _)| now.since(*heard) >= timeout));
        let expired: Vec<_> = oldest_first.map(|&(_, mac)| mac).collect();
        for &mac in &expired {
            self.forget(mac);
        }
        expired
    }

    /// Forgets those behind nodes that are none of `bridges`; returns them.
    fn retain(&mut self, bridges: &BTreeSet<Address>) -> Vec<Mac> {
        let stale = self.of_bridge.extract_if(.., |bridge, _| !bridges.contains(bridge));
        let orphans: Vec<_> = stale.flat_map(|(_, macs)| macs).map(|(_, mac)| mac).collect();
        for mac in &orphans {
            self.stations.remove(mac);
        }
        orphans
    }

    /// Returns whose devices have to make room for another one of `bridge`.
    fn crowded(&self, bridge: Address) -> Option<Address> {
        if self.count(bridge) >= STATIONS_PER_BRIDGE_MAX {
            return Some(bridge);
        }
        if self.stations.len() < STATIONS_MAX {
            return None;
        }
        let by_size =
            |(address, macs): &(&Address, &BTreeSet<_>)| (macs.len(), **address == bridge);
        self.of_bridge.iter().max_by_key(by_size).map(|(&address, _)| address)
    }

    fn count(&self, bridge: Address) -> usize {
        self.of_bridge.get(&bridge).map_or(0, BTreeSet::len)
    }

    fn oldest_of(&self, bridge: Address) -> Option<Mac> {
        self.of_bridge.get(&bridge)?.first().map(|&(_, mac)| mac)
    }

    /// Forgets a device; returns whether it was not known.
    fn forget(&mut self, mac: Mac) -> bool {
        let Some(Station { bridge, heard }) = self.stations.remove(&mac) else { return true };
        if let Some(macs) = self.of_bridge.get_mut(&bridge) {
            macs.remove(&(heard, mac));
            if macs.is_empty() {
                self.of_bridge.remove(&bridge);
            }
        }
        false
    }
}

/// The groups that devices behind this node have sent to, by which they count as being in them.
///
/// A device can name as many as it likes: one that asks by ARP for every address of a subnet sends
/// to a group for each. So there is a bound to how many are kept, and to how fast they are announced.
#[derive(Debug, Default)]
pub(super) struct BridgedGroups {
    /// When each was last sent to.
    heard: BTreeMap<MulticastGroup, Instant>,
    /// How many were announced since when.
    announced: usize,
    since: Instant,
}

impl BridgedGroups {
    /// Remembers that a device is in `group`, if there is room; returns whether to announce it at
    /// once.
    fn learn(&mut self, now: Instant, group: MulticastGroup) -> bool {
        if let Some(heard) = self.heard.get_mut(&group) {
            *heard = now;
            return false;
        }
        if self.heard.len() >= BRIDGED_GROUPS_MAX {
            return false;
        }
        self.heard.insert(group, now);
        if now.since(self.since) >= NETWORK_CHECK_PERIOD {
            (self.since, self.announced) = (now, 0);
        }
        let announce = self.announced < BRIDGED_GROUPS_ANNOUNCED_MAX;
        self.announced += usize::from(announce);
        announce
    }

    /// Returns what they take, in bytes.
    pub(super) fn footprint(&self) -> usize {
        memory::of_tree(&self.heard)
    }

    fn expire(&mut self, now: Instant) {
        self.heard.retain(|_, heard| now.since(*heard) < BRIDGED_GROUP_TIMEOUT);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &MulticastGroup> {
        self.heard.keys()
    }
}

impl Network {
    /// Takes in that the device `mac` was heard from `bridge`.
    pub(super) fn learn_station(&mut self, ctx: &mut Ctx<'_>, mac: Mac, bridge: Address) {
        // A member's MAC says by itself where frames to it go.
        if mac.to_member(self.id).is_some() {
            return;
        }
        let displaced = self.stations.learn(ctx.now, ctx.is_full, mac, bridge);
        let Some(view) = ctx.tables.network_mut(self.id) else { return };
        if let Some(displaced) = displaced {
            view.stations.remove(&displaced);
        }
        let renew_due = ctx.now + STATION_RENEWAL_PERIOD;
        view.stations.insert(mac, StationView { bridge, renew_due });
    }

    /// Takes in that a device behind this node, which is a bridge, is in `group`.
    pub(super) fn learn_bridged_group(&mut self, ctx: &mut Ctx<'_>, group: MulticastGroup) {
        if self.bridged_groups.learn(ctx.now, group) {
            self.announce_new(ctx, &[group]);
        }
    }

    /// Forgets devices, and groups of devices, that were not heard for long.
    pub(super) fn age_bridged(&mut self, ctx: &mut Ctx<'_>) {
        self.bridged_groups.expire(ctx.now);
        self.forget_stations(ctx, STATION_TIMEOUT);
    }

    /// Forgets devices that were not heard for so long.
    pub(super) fn forget_stations(&mut self, ctx: &mut Ctx<'_>, timeout: Duration) {
        let expired = self.stations.expire(ctx.now, timeout);
        self.hide_stations(ctx, &expired);
    }

    /// Forgets what the configuration has made untrue: bridges that are none any more, this node
    /// perhaps among them.
    pub(super) fn follow_bridges(&mut self, ctx: &mut Ctx<'_>) {
        let Some(view) = ctx.tables.network(self.id) else { return };
        let orphans = self.stations.retain(&view.bridges);
        if !view.is_bridge(ctx.me.address()) {
            self.bridged_groups = BridgedGroups::default();
        }
        self.hide_stations(ctx, &orphans);
    }

    fn hide_stations(&self, ctx: &mut Ctx<'_>, macs: &[Mac]) {
        let Some(view) = ctx.tables.network_mut(self.id) else { return };
        for mac in macs {
            view.stations.remove(mac);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mac(n: usize) -> Mac {
        let [.., a, b, c] = n.to_be_bytes();
        Mac::from([0x0a, 0, 0, a, b, c])
    }

    fn bridge(n: u64) -> Address {
        Address::from_u64(n + 1)
    }

    fn at(secs: u64) -> Instant {
        Instant::from_millis(secs * 1_000)
    }

    #[test]
    fn a_device_is_behind_the_bridge_it_was_last_heard_from() {
        let mut stations = Stations::default();

        stations.learn(at(0), false, mac(1), bridge(0));
        stations.learn(at(1), false, mac(1), bridge(1));

        assert_eq!(stations.stations[&mac(1)], Station { bridge: bridge(1), heard: at(1) });
        assert_eq!((stations.count(bridge(0)), stations.count(bridge(1))), (0, 1));
    }

    #[test]
    fn a_bridge_that_floods_pushes_out_its_own_devices_oldest_first() {
        let mut stations = Stations::default();
        stations.learn(at(0), false, mac(0), bridge(1));

        let displaced: Vec<_> = (1..=STATIONS_PER_BRIDGE_MAX + 2)
            .filter_map(|n| stations.learn(at(n as u64), false, mac(n), bridge(0)))
            .collect();

        assert_eq!(displaced, [mac(1), mac(2)]);
        assert!(stations.stations.contains_key(&mac(0)));
    }

    #[test]
    fn when_all_have_too_many_the_one_with_most_gives_way() {
        let mut stations = Stations::default();
        let bridges = STATIONS_MAX / STATIONS_PER_BRIDGE_MAX;
        for n in 0..STATIONS_MAX {
            let of = bridge((n % bridges) as u64);
            assert_eq!(stations.learn(at(0), false, mac(n), of), None);
        }

        let late = bridge(bridges as u64);
        for n in STATIONS_MAX..STATIONS_MAX + 10 {
            let displaced = stations.learn(at(1), false, mac(n), late);
            assert!(displaced.is_some_and(|displaced| displaced < mac(STATIONS_MAX)));
        }

        assert_eq!(stations.count(late), 10);
        assert_eq!(stations.stations.len(), STATIONS_MAX);
    }

    #[test]
    fn while_memory_is_short_a_bridge_has_no_more_devices_than_before() {
        let mut stations = Stations::default();
        for n in 0..3 {
            stations.learn(at(n), false, mac(n as usize), bridge(0));
        }

        assert_eq!(stations.learn(at(3), true, mac(1), bridge(0)), None, "it is known");
        assert_eq!(stations.learn(at(4), true, mac(9), bridge(0)), Some(mac(0)));
        assert_eq!(stations.learn(at(5), true, mac(10), bridge(1)), None);
        assert_eq!(stations.learn(at(6), true, mac(11), bridge(1)), Some(mac(10)));
        assert_eq!((stations.count(bridge(0)), stations.count(bridge(1))), (3, 1));
    }

    #[test]
    fn a_device_that_is_not_heard_is_forgotten() {
        let mut stations = Stations::default();
        stations.learn(at(0), false, mac(1), bridge(0));
        stations.learn(at(100), false, mac(2), bridge(0));

        assert_eq!(stations.expire(at(299), STATION_TIMEOUT), []);
        assert_eq!(stations.expire(at(300), STATION_TIMEOUT), [mac(1)]);
        assert_eq!(stations.stations.len(), 1);
    }

    fn group(adi: u32) -> MulticastGroup {
        MulticastGroup { adi, ..MulticastGroup::BROADCAST }
    }

    #[test]
    fn groups_behind_this_node_are_news_once_and_until_they_expire() {
        let mut groups = BridgedGroups::default();

        assert!(groups.learn(at(0), group(1)));
        assert!(!groups.learn(at(100), group(1)));
        groups.expire(at(1_299));
        assert!(!groups.learn(at(1_299), group(1)));
        groups.expire(at(2_499));
        assert_eq!(groups.iter().count(), 0);
    }

    #[test]
    fn a_device_that_names_many_groups_has_few_announced_at_once() {
        let mut groups = BridgedGroups::default();
        let mut announced = |secs, named: core::ops::Range<u32>| {
            named.filter(|&adi| groups.learn(at(secs), group(adi))).count()
        };

        assert_eq!(announced(0, 0..500), BRIDGED_GROUPS_ANNOUNCED_MAX);
        assert_eq!(announced(5, 500..510), BRIDGED_GROUPS_ANNOUNCED_MAX);
        assert_eq!(announced(10, 500..510), 0);
        assert_eq!(announced(15, 510..2_000), BRIDGED_GROUPS_ANNOUNCED_MAX);
        assert_eq!(announced(20, 2_000..3_000), 0);
        assert_eq!(groups.iter().count(), BRIDGED_GROUPS_MAX);
    }

    proptest! {
        #[test]
        fn the_books_balance(steps in proptest::collection::vec((0_u8..8, 0_usize..6, 0_u64..3, 0_u64..200), 0..80)) {
            let mut stations = Stations::default();
            let mut now = at(0);
            for (step, m, b, pause) in steps {
                now = now + Duration::from_secs(pause);
                match step {
                    0 => drop(stations.expire(now, STATION_TIMEOUT)),
                    1 => drop(stations.retain(&BTreeSet::from([bridge(b)]))),
                    _ => drop(stations.learn(now, false, mac(m), bridge(b))),
                }
                let listed: Vec<_> = stations
                    .of_bridge
                    .iter()
                    .flat_map(|(&bridge, macs)| macs.iter().map(move |&(heard, mac)| (mac, Station { bridge, heard })))
                    .collect();
                prop_assert!(stations.of_bridge.values().all(|macs| !macs.is_empty()));
                prop_assert_eq!(listed.len(), stations.stations.len());
                prop_assert!(listed.iter().all(|(mac, station)| stations.stations[mac] == *station));
            }
        }
    }
}
