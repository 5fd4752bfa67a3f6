//! Placeholder.
mod clock;
mod limits;
pub mod udp;
