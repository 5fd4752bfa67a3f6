//! How often an address is probed on whose word, whoever else has named it.
//!
//! Anybody's address may be named as a peer's, by as many peers as like to. So it is left alone after
//! a row of probes, three by the word of roots and three by that of peers, for longer and longer if
//! it is named all the same. In one row each peer is believed once, lest one that names another's
//! address use up what that one's own word is good for.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use crate::address::Address;
use crate::limits::{
    PROBED_ADDRESSES_MAX, PROBES_AT_ONCE, PROBES_PER_ADDRESS_MAX, PROBES_PER_SECOND,
};
use crate::memory;
use crate::status::NamedBy;
use crate::time::Instant;

/// How long after its last probe an address that is named again may be probed as if for the first
/// time. Doubles whenever it was named more often in between than it was probed.
const PAUSE: Duration = Duration::from_secs(5);

/// The longest such pause: shorter than what is between two introductions by the same root, so that
/// each of an honest one is heeded.
const PAUSE_MAX: Duration = Duration::from_secs(20);

// Whatever is full of rows that are not over yet has been sent all the probes there may be.
const _: () = {
    let probes = PROBES_AT_ONCE as u64 + PROBES_PER_SECOND as u64 * PAUSE_MAX.as_secs();
    assert!(probes <= PROBED_ADDRESSES_MAX as u64);
};

/// The latest row of probes of each address.
#[derive(Debug)]
pub(super) struct Probed(BTreeMap<SocketAddr, Row>);

/// Probes of one address that follow each other.
#[derive(Debug)]
struct Row {
    last: Instant,
    /// How many were sent because a root named the address, or nobody did.
    by_roots: u32,
    /// Which peers had one sent.
    by_peers: Vec<Address>,
    /// Whether further ones were asked for.
    is_exceeded: bool,
    /// How long the address is left alone before the next row.
    pause: Duration,
}

impl Probed {
    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Returns what they take, in bytes, if as many peers as can be have named each address.
    pub(super) fn footprint(&self) -> usize {
        let named_by = self.0.len() * PROBES_PER_ADDRESS_MAX as usize * size_of::<Address>();
        memory::of_tree(&self.0) + named_by
    }

    /// Takes a probe of `remote`, where `peer` is said to be, as sent; returns how many it makes in
    /// a row by that word. `None` if it is not to be sent.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        peer: Address,
        named_by: NamedBy,
    ) -> Option<u32> {
        if self.0.len() >= PROBED_ADDRESSES_MAX && !self.0.contains_key(&remote) {
            self.0.retain(|_, row| !row.is_over(now));
            if self.0.len() >= PROBED_ADDRESSES_MAX {
                return None;
            }
        }
        let row = self.0.entry(remote).or_insert_with(|| Row::new(now, PAUSE));
        if row.is_over(now) {
            let longer = if row.is_exceeded { 2 * row.pause } else { row.pause };
            *row = Row::new(now, longer.min(PAUSE_MAX));
        }
        let probes = row.admit(peer, named_by);
        match probes {
            Some(_) => row.last = now,
            None => row.is_exceeded = true,
        }
        probes
    }
}

impl Row {
    const fn new(now: Instant, pause: Duration) -> Self {
        Self { last: now, by_roots: 0, by_peers: Vec::new(), is_exceeded: false, pause }
    }

    fn is_over(&self, now: Instant) -> bool {
        now.since(self.last) >= self.pause
    }

    fn admit(&mut self, peer: Address, named_by: NamedBy) -> Option<u32> {
        match named_by {
            NamedBy::Root | NamedBy::Nobody if self.by_roots < PROBES_PER_ADDRESS_MAX => {
                self.by_roots += 1;
                Some(self.by_roots)
            }
            NamedBy::Peer | NamedBy::User
                if self.by_peers.len() < PROBES_PER_ADDRESS_MAX as usize
                    && !self.by_peers.contains(&peer) =>
            {
                self.by_peers.push(peer);
                Some(1)
            }
            NamedBy::Root | NamedBy::Nobody | NamedBy::Peer | NamedBy::User => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Instant {
        Instant::from_millis(1_000 * secs)
    }

    fn peer(number: u64) -> Address {
        Address::from_u64(number)
    }

    fn place(last: usize) -> SocketAddr {
        format!("9.0.{}.{}:9993", last / 256, last % 256).parse().unwrap()
    }

    /// Returns at which of 90 seconds an address is probed that is named in each.
    fn probed(named_by: NamedBy) -> Vec<u64> {
        let mut probed = Probed::new();
        let named = |secs: &u64| probed.admit(at(*secs), place(1), peer(1), named_by).is_some();
        (0..90).filter(named).collect()
    }

    #[test]
    fn an_address_that_is_named_again_and_again_is_left_alone_for_longer_and_longer() {
        // It is 5 s, 10 s, and 20 s from then on.
        let rows = [0, 7, 19, 41, 63, 85];
        assert_eq!(probed(NamedBy::Root), rows.map(|start| [start, start + 1, start + 2]).concat());
        assert_eq!(probed(NamedBy::Peer), [0, 5, 15, 35, 55, 75]);
    }

    #[test]
    fn an_address_that_is_named_seldom_is_probed_each_time() {
        let mut probed = Probed::new();
        for secs in (0..150).step_by(15) {
            assert_eq!(probed.admit(at(secs), place(1), peer(1), NamedBy::Peer), Some(1));
        }
    }

    #[test]
    fn three_probes_are_all_that_any_number_of_peers_have_sent() {
        let mut probed = Probed::new();
        let mut names = |by| probed.admit(at(0), place(1), peer(by), NamedBy::Peer).is_some();

        let believed: Vec<u64> = (1..100).chain(1..100).filter(|&by| names(by)).collect();

        assert_eq!(believed, [1, 2, 3]);
    }

    #[test]
    fn what_peers_name_takes_nothing_from_what_roots_name() {
        let mut probed = Probed::new();
        for by in 1..10 {
            probed.admit(at(0), place(1), peer(by), NamedBy::Peer);
        }

        let by_root = [(); 4].map(|()| probed.admit(at(0), place(1), peer(1), NamedBy::Root));

        assert_eq!(by_root, [Some(1), Some(2), Some(3), None]);
    }

    #[test]
    fn the_table_is_bounded_and_has_room_again_once_rows_are_over() {
        let mut probed = Probed::new();
        for last in 0..PROBED_ADDRESSES_MAX {
            assert_eq!(probed.admit(at(0), place(last), peer(1), NamedBy::Peer), Some(1));
        }

        let another = place(PROBED_ADDRESSES_MAX);
        assert_eq!(probed.admit(at(1), another, peer(1), NamedBy::Peer), None);
        assert_eq!(probed.admit(at(5), another, peer(1), NamedBy::Peer), Some(1));
        assert_eq!(probed.0.len(), 1);
    }
}
