//! How several paths to one peer are used, as the user says.
//!
//! Source: spec 02 §13, §14.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::address::Address;

/// How several paths to one peer are used.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Policy {
    /// Packets go on the best, whichever that is at the moment; the others are looked at now and
    /// then.
    #[default]
    None,
    /// Packets go on one as long as it is well, and all are watched closely, so that another can
    /// take over.
    ActiveBackup,
}

/// Which policy there is for which peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bonding {
    /// For whoever is not in `peers`.
    pub default: Policy,
    /// For these, at most [`PEER_RULES_MAX`](crate::limits::PEER_RULES_MAX).
    pub peers: BTreeMap<Address, Policy>,
    /// How long the path in use may be silent before another takes over. What is outside of
    /// [`FAILOVER_MIN`](Self::FAILOVER_MIN) and [`FAILOVER_MAX`](Self::FAILOVER_MAX) counts as the
    /// nearer of these.
    pub failover: Duration,
}

impl Bonding {
    /// The least time until another path takes over.
    pub const FAILOVER_MIN: Duration = Duration::from_millis(500);

    /// The longest time, beyond which paths of peers that bond are as good as unwatched.
    pub const FAILOVER_MAX: Duration = Duration::from_secs(30);

    /// Returns this policy for everybody, with the interval of the reference.
    #[must_use]
    pub const fn new(default: Policy) -> Self {
        Self { default, peers: BTreeMap::new(), failover: Duration::from_secs(5) }
    }

    /// Returns the policy for a peer.
    #[must_use]
    pub fn policy(&self, peer: Address) -> Policy {
        self.peers.get(&peer).copied().unwrap_or(self.default)
    }
}

impl Default for Bonding {
    fn default() -> Self {
        Self::new(Policy::None)
    }
}
