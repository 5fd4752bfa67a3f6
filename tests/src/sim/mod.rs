//! The simulated world: whole networks of nodes in one thread, in time that is only counted.
//!
//! A [`World`] has a seed. It draws every delay, every loss and every node's own randomness from it,
//! so a run can be run again: same seed, same [`World::trace`]. Whatever a test sees go wrong comes
//! with the seed it went wrong with.
//!
//! ```text
//!  World ── who does what, when         (world, observe)
//!    ├── Internet, Lan, Nat, Link       what becomes of a datagram
//!    └── Host                           one machine:
//!          ├── Node                     the thing under test
//!          ├── disk                     what it asked to store
//!          ├── Stack                    a little IP host behind its port
//!          └── Device                   others on the LAN the port is bridged to
//! ```
//!
//! Any line a node logs at level error fails the run.

mod device;
mod host;
mod internet;
mod ip;
mod link;
mod local;
mod moons;
mod nat;
mod observe;
mod pins;
mod recording;
mod run;
mod stack;
mod tcp_relay;
mod trace;
mod traffic;
mod world;

pub use internet::{Families, LanId, Site};
pub use nat::{
    ADDRESS_RESTRICTED_CONE, Allocation, Dependence, FIREWALL, FULL_CONE, MASQUERADE, Nat,
    PORT_RESTRICTED_CONE, SEQUENTIAL, SYMMETRIC,
};
pub use observe::{Route, Unsettled};
pub use stack::Pong;
pub use world::{Access, NodeId, World};

/// Shorthands for durations.
pub mod durations {
    use std::time::Duration;

    /// Returns `n` milliseconds.
    #[must_use]
    pub const fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Returns `n` seconds.
    #[must_use]
    pub const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Returns `n` minutes.
    #[must_use]
    pub const fn minutes(n: u64) -> Duration {
        Duration::from_secs(60 * n)
    }
}
