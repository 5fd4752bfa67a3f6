//! The machine's physical interfaces: which addresses they have, and word of it when that changes.
//!
//! | system       | changes are told by                                                  |
//! |--------------|----------------------------------------------------------------------|
//! | Linux        | the kernel, by route netlink (`netlink.rs`)                          |
//! | phones       | the host alone: [`Handle::network_changed`](crate::Handle::network_changed) |
//! | other        | nobody, so they are looked up again and again (`interval.rs`)        |

mod local;
#[cfg_attr(target_os = "linux", path = "netlink.rs")]
#[cfg_attr(not(target_os = "linux"), path = "interval.rs")]
mod source;

pub(crate) use local::{Addresses, Avoided, Foreign, look_up};
pub(crate) use source::Changes;
