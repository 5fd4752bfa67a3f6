//! Placeholder.
mod clock;
mod limits;
pub mod store;
pub mod tun;
pub mod udp;
