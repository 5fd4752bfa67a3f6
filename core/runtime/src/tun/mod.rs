//! Virtual interfaces: what a network looks like to this machine.

mod device;
mod host;
#[cfg_attr(target_os = "linux", path = "link_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "link_other.rs")]
mod link;

pub use device::PortError;
pub(crate) use device::{Device, ReadBatch, parse_ethernet};
