//! Virtual interfaces: what a network looks like to this machine.

mod descriptor;
mod device;
#[cfg(target_os = "linux")]
mod groups_linux;
#[cfg_attr(target_os = "linux", path = "interface_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "interface_other.rs")]
mod interface;
#[cfg(target_os = "linux")]
mod link;

pub(crate) use descriptor::DescriptorPort;
pub use descriptor::{Descriptor, Framing};
pub use device::PortError;
pub(crate) use device::{Device, ReadBatch, ethernet_header, parse_ethernet};
