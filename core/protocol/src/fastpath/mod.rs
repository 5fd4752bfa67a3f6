//! The data plane: what happens to a packet, per packet.
//!
//! ```text
//! datagram ─► inbound (reassemble, open) ─► deliver ─► filter ─► host
//!                   └► relay ─► datagram
//! host ─► next_hop ─► filter ─► outbound (cut, seal) ─► datagram
//! ```
//!
//! Knows [`tables`] and what it is lent, nothing else, so that it can run on other cores than the
//! rest.

pub(crate) mod deliver;
pub(crate) mod filter;
pub(crate) mod inbound;
pub(crate) mod next_hop;
pub(crate) mod outbound;
pub(crate) mod reassembly;
pub(crate) mod relay;
pub mod tables;
