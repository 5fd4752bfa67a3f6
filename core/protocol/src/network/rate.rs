//! At most one of something per peer and period.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::address::Address;
use crate::limits::RATE_LIMITED_PEERS_MAX;
use crate::memory;
use crate::time::Instant;

/// When each peer last was let do something.
#[derive(Debug)]
pub(super) struct RateLimit {
    period: Duration,
    last: BTreeMap<Address, Last>,
}

#[derive(Debug)]
struct Last {
    at: Instant,
    /// The packet it did it with, if that is to be tried again.
    retry: Option<u64>,
}

impl RateLimit {
    /// Returns a limit of once per `period`.
    pub(super) const fn new(period: Duration) -> Self {
        Self { period, last: BTreeMap::new() }
    }

    /// Returns whether `peer` may, and if so counts it as done.
    ///
    /// A packet that [is to be tried again](Self::retry_later) may once more.
    pub(super) fn admit(&mut self, now: Instant, peer: Address, packet_id: u64) -> bool {
        if let Some(last) = self.last.get_mut(&peer) {
            if last.retry.take_if(|retry| *retry == packet_id).is_some() {
                return true;
            }
            if now.since(last.at) < self.period {
                return false;
            }
        } else if self.last.len() >= RATE_LIMITED_PEERS_MAX {
            self.last.retain(|_, last| now.since(last.at) < self.period);
            if self.last.len() >= RATE_LIMITED_PEERS_MAX {
                return false;
            }
        }
        self.last.insert(peer, Last { at: now, retry: None });
        true
    }

    /// Forgets who may again.
    pub(super) fn lapse(&mut self, now: Instant) {
        self.last.retain(|_, last| now.since(last.at) < self.period);
    }

    /// Returns what it takes, in bytes.
    pub(super) fn footprint(&self) -> usize {
        memory::of_tree(&self.last)
    }

    /// Lets `peer` try again what it did last with the packet `packet_id`.
    pub(super) fn retry_later(&mut self, peer: Address, packet_id: u64) {
        if let Some(last) = self.last.get_mut(&peer) {
            last.retry = Some(packet_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u64) -> Address {
        Address::from_u64(n)
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_peer_may_once_per_period_and_others_do_not_matter() {
        let mut limit = RateLimit::new(Duration::from_secs(1));

        assert!(limit.admit(at(0), peer(1), 10));
        assert!(!limit.admit(at(999), peer(1), 11));
        assert!(limit.admit(at(999), peer(2), 12));
        assert!(limit.admit(at(1_000), peer(1), 13));
    }

    #[test]
    fn a_packet_that_was_put_off_may_once_more() {
        let mut limit = RateLimit::new(Duration::from_secs(1));
        assert!(limit.admit(at(0), peer(1), 10));
        limit.retry_later(peer(1), 10);

        assert!(!limit.admit(at(100), peer(1), 11));
        assert!(limit.admit(at(200), peer(1), 10));
        assert!(!limit.admit(at(300), peer(1), 10));
    }

    #[test]
    fn strangers_without_number_do_not_fill_memory() {
        let mut limit = RateLimit::new(Duration::from_secs(1));
        let admitted = (0..).take(RATE_LIMITED_PEERS_MAX + 10);
        let admitted = admitted.filter(|&n| limit.admit(at(0), peer(n), n)).count();

        assert_eq!(admitted, RATE_LIMITED_PEERS_MAX);
        assert!(limit.admit(at(1_000), peer(u64::MAX), 0));
    }
}
