//! What a node's tables take, in bytes, and how that is known of a table without looking through it.
//!
//! What is counted is what is on the heap for the sake of entries: by their number, or by how many
//! there is room for, and besides that what entries hold themselves where it is more than a few
//! bytes. Trees do not say how full their nodes are; they are taken to be so in two parts of three,
//! which makes the sum true to within a quarter.

use core::mem::size_of;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

/// How much memory a node's tables take, by what they are for, in bytes.
///
/// That is nearly all a node takes. What is not counted is of a fixed size, a few kilobytes, or
/// handed over before a call returns: events until the host has taken them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MemoryUse {
    /// What all together may take, if that is bounded.
    pub budget: Option<usize>,
    /// Who is known: peers with their paths and keys, those who were peers, pins, and how often
    /// others may make this node work.
    pub peers: usize,
    /// The networks that are joined: configurations, members, multicast groups, next hops and devices
    /// behind bridges; and the groups of networks that are kept for others.
    pub networks: usize,
    /// Packets that wait or are being put together, and what is remembered of those sent.
    pub packets: usize,
    /// Which packets were taken in lately, so that none counts twice.
    pub replays: usize,
    /// The networks this node controls, with their members.
    pub controller: usize,
}

impl MemoryUse {
    /// Returns what all tables take together.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.peers + self.networks + self.packets + self.replays + self.controller
    }
}

/// How many entries a node of a tree has room for, and how many are in it on average.
const TREE_NODE_ROOM: usize = 11;
const TREE_NODE_FILL: usize = 7;

/// What a node of a tree takes besides its entries: its own edges and its share of its parents'.
const TREE_NODE_BESIDES: usize = 32;

/// Returns what a hash table takes that has room for `capacity` entries of `entry` bytes.
const fn of_buckets(capacity: usize, entry: usize) -> usize {
    if capacity == 0 { 0 } else { (capacity * 8 / 7).next_power_of_two() * (entry + 1) }
}

/// Returns what so many trees take, none of them empty, with so many entries among them, without
/// what those hold.
pub(crate) const fn of_trees<K, V>(trees: usize, entries: usize) -> usize {
    let nodes = (entries + (TREE_NODE_FILL - 1) * trees) / TREE_NODE_FILL;
    nodes * (TREE_NODE_ROOM * (size_of::<K>() + size_of::<V>()) + TREE_NODE_BESIDES)
}

/// Returns what a tree takes, without what its entries hold.
pub(crate) fn of_tree<K, V>(tree: &BTreeMap<K, V>) -> usize {
    of_trees::<K, V>(usize::from(!tree.is_empty()), tree.len())
}

/// As [`of_tree`], for a set.
pub(crate) fn of_tree_set<K>(set: &BTreeSet<K>) -> usize {
    of_trees::<K, ()>(usize::from(!set.is_empty()), set.len())
}

/// Returns what a hash table takes, without what its entries hold.
pub(crate) fn of_map<K, V, S>(map: &HashMap<K, V, S>) -> usize {
    of_buckets(map.capacity(), size_of::<(K, V)>())
}

/// As [`of_map`], for a set.
pub(crate) fn of_set<K, S>(set: &HashSet<K, S>) -> usize {
    of_buckets(set.capacity(), size_of::<K>())
}

/// Returns what a list takes, without what its entries hold.
pub(crate) const fn of_list<T>(list: &Vec<T>) -> usize {
    list.capacity() * size_of::<T>()
}

/// As [`of_list`], for a queue.
pub(crate) fn of_queue<T>(queue: &VecDeque<T>) -> usize {
    queue.capacity() * size_of::<T>()
}

#[cfg(test)]
mod tests {
    use foldhash::fast::FixedState;

    use super::*;

    type Map = HashMap<u64, u64, FixedState>;

    #[test]
    fn an_empty_table_takes_nothing_and_trees_take_a_node_each_at_least() {
        assert_eq!(of_tree(&BTreeMap::<u64, u64>::new()), 0);
        assert_eq!(of_map(&Map::default()), 0);
        let one = of_tree(&BTreeMap::from([(1_u64, 1_u64)]));
        assert_eq!(one, 11 * 16 + TREE_NODE_BESIDES);
        assert_eq!(of_trees::<u64, u64>(5, 5), 5 * one);
        assert_eq!(of_trees::<u64, u64>(1, 700), 100 * one);
    }

    #[test]
    fn a_hash_table_is_counted_with_the_room_it_keeps() {
        let mut map: Map = (0..1_000).map(|n| (n, n)).collect();
        let grown = of_map(&map);
        assert!(grown >= 1_000 * 17);

        map.retain(|&n, _| n < 10);
        assert!(of_map(&map) > grown / 2);
        map.shrink_to_fit();
        assert_eq!(of_map(&map), 16 * 17);
    }

    #[test]
    fn the_total_is_of_all_that_is_counted() {
        let part = MemoryUse { budget: Some(99), peers: 1, networks: 20, ..MemoryUse::default() };
        let all = MemoryUse { packets: 300, replays: 4_000, controller: 50_000, ..part };
        assert_eq!(all.total(), 54_321);
    }
}
