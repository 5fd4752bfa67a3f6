//! What the tests of libzt share: the simulated world, and a node on a bench.
//!
//! - [`sim`]: a whole network of nodes in simulated time,
//! - [`vector_node`]: one node, fed datagrams by hand,
//! - [`packet`], [`persona`]: packets and identities from the specification, sharing no code with
//!   the node,
//! - [`rules`]: a second judgement of frames by rules, and rules to try it on,
//! - [`wires`]: where a node under test puts what it sends,
//! - [`identities`]: identities made beforehand,
//! - [`memory`]: how much memory a test takes,
//! - [`fuzz_entry`]: what fuzzers feed.

pub mod fuzz_entry;
pub mod identities;
pub mod memory;
pub mod packet;
pub mod persona;
pub mod rules;
pub mod sim;
pub mod vector_node;
pub mod wires;
