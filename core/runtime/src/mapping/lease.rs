//! A mapping that was granted, and how long it can be relied on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use zt_protocol::time::{Instant, UnixMillis};

use super::gateway::Site;
use super::status::{MappedPort, MappingMethod};
use super::upnp::Igd;
use crate::limits::{MAPPING_LIFETIME, MAPPING_RENEWAL, MAPPING_RETRY_FIRST, MAPPING_RETRY_MAX};

/// A mapping in force.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) means: Means,
    pub(super) site: Site,
    pub(super) internal: SocketAddr,
    pub(super) external: SocketAddr,
    pub(super) term: Term,
    /// Until when by the wall clock.
    pub(super) expires: Option<UnixMillis>,
}

/// How a mapping was asked for, with what it takes to ask again.
#[derive(Clone, Debug)]
pub(super) enum Means {
    Pcp,
    NatPmp,
    Upnp(Arc<Igd>),
}

impl Lease {
    /// Returns what a host is told.
    pub(super) fn as_mapped(&self) -> MappedPort {
        let gateway = match &self.means {
            Means::Upnp(igd) => igd.address(),
            // Nobody is asked so without a known gateway.
            Means::Pcp | Means::NatPmp => self.site.gateway.unwrap_or(self.site.local).into(),
        };
        MappedPort {
            method: self.method(),
            gateway,
            internal: self.internal,
            external: self.external,
            expires: self.expires,
        }
    }

    pub(super) const fn method(&self) -> MappingMethod {
        match self.means {
            Means::Pcp => MappingMethod::Pcp,
            Means::NatPmp => MappingMethod::NatPmp,
            Means::Upnp(_) => MappingMethod::Upnp,
        }
    }
}

/// For how long a mapping was granted, and since when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Term {
    pub(super) granted: Instant,
    /// `None` if for ever.
    pub(super) lifetime: Option<Duration>,
    /// How long the gateway had known what it knew when it was last heard; `None` if the protocol
    /// does not tell.
    pub(super) up: Option<Up>,
}

impl Term {
    /// Returns when to ask anew: half way, or earlier, as a gateway that restarts tells nobody.
    pub(super) fn renewal(&self) -> Instant {
        let half = self.lifetime.map_or(MAPPING_RENEWAL, |lifetime| lifetime / 2);
        self.granted + half.min(MAPPING_RENEWAL)
    }

    /// Returns when the mapping ends, or is not to be believed in any more if it was not renewed.
    pub(super) fn end(&self) -> Instant {
        self.granted + self.lifetime.unwrap_or(MAPPING_LIFETIME)
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.end()
    }
}

/// A gateway's count of the seconds since it last forgot its mappings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Up {
    pub(super) seconds: Duration,
    pub(super) heard: Instant,
}

impl Up {
    /// Returns whether the gateway, which now says `seconds`, still remembers what it did at this
    /// count (RFC 6886 §3.6, RFC 6887 §8.5).
    pub(super) fn goes_on(&self, now: Instant, seconds: Duration) -> bool {
        /// How far the clocks may be apart besides going at different rates, for rounding.
        const SLACK: Duration = Duration::from_secs(2);

        // A sixteenth for clocks that go wrong. To be mistaken costs no more than a request.
        let passed = now.since(self.heard);
        let least = self.seconds + passed - passed / 16;
        let most = self.seconds + passed + passed / 16;
        (least.saturating_sub(SLACK)..=most + SLACK).contains(&seconds)
    }
}

/// Returns how long to wait after so many failures in a row, of which there was one at least.
pub(super) fn retry_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (MAPPING_RETRY_FIRST * (1 << doublings)).min(MAPPING_RETRY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn term(lifetime: Option<Duration>) -> Term {
        Term { granted: Instant::ZERO, lifetime, up: None }
    }

    #[test]
    fn a_mapping_is_renewed_half_way_and_every_five_minutes_at_least() {
        let at = |seconds| Instant::ZERO + secs(seconds);

        assert_eq!(term(Some(secs(120))).renewal(), at(60));
        assert_eq!(term(Some(secs(u32::MAX.into()))).renewal(), at(300));
        assert_eq!(term(None).renewal(), at(300));
        assert!(!term(Some(secs(120))).is_over(at(119)));
        assert!(term(Some(secs(120))).is_over(at(120)));
        assert!(!term(None).is_over(at(599)));
        assert!(term(None).is_over(at(600)));
    }

    #[test]
    fn a_gateway_has_restarted_if_its_count_does_not_follow_the_time() {
        let up = Up { seconds: secs(1_000), heard: Instant::ZERO };
        let after = |passed, says| up.goes_on(Instant::ZERO + secs(passed), secs(says));

        assert!(after(60, 1_060));
        assert!(after(60, 1_055) && after(60, 1_065), "clocks go at different rates");
        assert!(after(0, 999), "and round");
        assert!(!after(60, 1_054));
        assert!(!after(60, 0));
        assert!(!after(60, 2_000), "a count that jumps is another count");
    }

    #[test]
    fn who_fails_waits_longer_each_time_up_to_a_bound() {
        assert_eq!(retry_after(1), MAPPING_RETRY_FIRST);
        assert_eq!(retry_after(2), 2 * MAPPING_RETRY_FIRST);
        assert_eq!(retry_after(u32::MAX), MAPPING_RETRY_MAX);
    }
}
