//! The data plane: what happens to a packet, per packet.
pub mod tables;
