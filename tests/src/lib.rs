//! What the tests of libzt share: the simulated world, and a node on a bench.
//!
//! - [`sim`]: a whole network of nodes in simulated time,
//! - [`wires`]: where a node under test puts what it sends,
//! - [`identities`]: identities made beforehand.

pub mod identities;
pub mod sim;
pub mod wires;
