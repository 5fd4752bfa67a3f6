//! What the host knows of the machine and a node cannot find out.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use super::boundary::boundary;
use super::node::{node, wait, zt_node};
use super::result::{Failure, zt_result};
use super::structs::{Growing, ZT_ENDPOINT_LEN, endpoint, read_optional, text, write_struct};
use crate::facade::{Conditions, SocketProtector};

/// `zt_node_set_conditions`: what is sent costs the user money.
pub const ZT_CONDITION_METERED: u32 = 1;
/// `zt_node_set_conditions`: what is sent costs power or patience more than elsewhere.
pub const ZT_CONDITION_EXPENSIVE: u32 = 2;
/// `zt_node_set_conditions`: there is no network.
pub const ZT_CONDITION_OFFLINE: u32 = 4;

/// Longest text about a port mapping, with its end; longer ones are cut.
pub const ZT_MAPPING_ERROR_LEN: usize = 256;

/// What came of asking the gateway for a port.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_port_mapping {
    /// `sizeof(zt_port_mapping)`.
    pub struct_size: u32,
    /// 1 if a port of the gateway's leads to this node, else 0.
    pub mapped: u32,
    /// How it was asked for: `pcp`, `nat-pmp` or `upnp`.
    pub method: [c_char; 16],
    /// Where it leads, as text.
    pub internal: [c_char; ZT_ENDPOINT_LEN],
    /// Where anybody may reach this node, as text.
    pub external: [c_char; ZT_ENDPOINT_LEN],
    /// Until when it is granted, in ms since the Unix epoch; 0 if for ever. It is renewed before.
    pub expires_ms: u64,
    /// Why the last attempt to get or keep one failed, for people to read; empty if it did not.
    pub error: [c_char; ZT_MAPPING_ERROR_LEN],
}

// SAFETY: integers and arrays of them only, the first of which is the size.
unsafe impl Growing for zt_port_mapping {
    const NAME: &'static str = "zt_port_mapping";
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// Prepares a socket before it is used, as `VpnService.protect` does; 0 has it closed. It must not wait,
/// and must not call the node: a thread of the library runs it.
pub type zt_protect_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, fd: i32) -> i32>;

/// A callback that protects sockets, and what it is called with.
pub(super) struct Protector {
    pub(super) function: unsafe extern "C" fn(*mut c_void, i32) -> i32,
    pub(super) user_data: *mut c_void,
}

// SAFETY: whoever gives the callback promises that it may be called, with this, on any thread.
unsafe impl Send for Protector {}
// SAFETY: likewise.
unsafe impl Sync for Protector {}

impl SocketProtector for Protector {
    fn protect(&self, fd: i32) -> bool {
        // SAFETY: whoever gave the callback promises that it may be called with this.
        unsafe { (self.function)(self.user_data, fd) != 0 }
    }
}

/// Has `protect` look at every socket of the node from here on, before it is used, those there are
/// included. `ZT_ERROR_NOT_PERMITTED` if it refused one of those, which is closed. To have it from the
/// start, set it in `zt_config`.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `protect` is null or may be called with `user_data`, on any thread, until the node has been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_set_protect(
    node: zt_node,
    protect: zt_protect_callback,
    user_data: *mut c_void,
) -> zt_result {
    boundary(|| {
        let function = protect.ok_or_else(|| Failure::null("protect"))?;
        let protector = Arc::new(Protector { function, user_data });
        wait(node, |node| async move { node.set_protector(protector).await })
    })
}

/// Says that the machine may be in another network: sockets are opened anew, all paths and roots tried
/// at once. On phones for each change of the default network; once too often does no harm.
///
/// Thread-safe. Waits for the node, which takes milliseconds.
#[unsafe(no_mangle)]
pub extern "C" fn zt_node_network_changed(node: zt_node) -> zt_result {
    boundary(|| wait(node, |node| async move { node.network_changed().await }))
}

/// Says what the machine's network is like, until told otherwise: `ZT_CONDITION_*`, or-ed.
///
/// Thread-safe. Waits for the node, which takes microseconds.
#[unsafe(no_mangle)]
pub extern "C" fn zt_node_set_conditions(node: zt_node, conditions: u32) -> zt_result {
    boundary(|| {
        let conditions = Conditions {
            metered: conditions & ZT_CONDITION_METERED != 0,
            expensive: conditions & ZT_CONDITION_EXPENSIVE != 0,
            offline: conditions & ZT_CONDITION_OFFLINE != 0,
        };
        wait(node, |node| async move { node.set_conditions(conditions).await })
    })
}

/// Says that the machine is about to sleep: what the node knows is saved, and it does nothing until
/// `zt_node_wake`.
///
/// Thread-safe. Waits for the node, which takes microseconds.
#[unsafe(no_mangle)]
pub extern "C" fn zt_node_sleep(node: zt_node) -> zt_result {
    boundary(|| wait(node, |node| async move { node.sleep().await }))
}

/// Says that the machine is awake again, perhaps in another network.
///
/// Thread-safe. Waits for the node, which takes milliseconds.
#[unsafe(no_mangle)]
pub extern "C" fn zt_node_wake(node: zt_node) -> zt_result {
    boundary(|| wait(node, |node| async move { node.wake().await }))
}

/// Says that the machine is short of memory: the node gives back what it can do without, and the system gets
/// the pages, where the allocator has a call for that. Connections in use go on; others are found anew when
/// they are used. To have a node never take more than so much: `zt_config.memory_budget`.
///
/// Thread-safe. Waits for the node and the allocator, which takes milliseconds.
#[unsafe(no_mangle)]
pub extern "C" fn zt_node_trim_memory(node: zt_node) -> zt_result {
    boundary(|| wait(node, |node| async move { node.trim_memory().await }))
}

/// Uses the interface of this name and no other, or all of them if it is null.
///
/// Thread-safe. Waits for the node, which takes milliseconds.
///
/// # Safety
///
/// `name` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_bind_to_interface(
    node: zt_node,
    name: *const c_char,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let name = unsafe { read_optional(name, "name") }?.map(str::to_owned);
        wait(node, |node| async move { node.bind_to_interface(name).await })
    })
}

/// Writes what came of asking the gateway for a port. `ZT_ERROR_NOT_FOUND` if it is not asked.
///
/// Thread-safe. Does not wait.
///
/// # Safety
///
/// `out` is null or points to a `zt_port_mapping` whose `struct_size` is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_port_mapping(
    node: zt_node,
    out: *mut zt_port_mapping,
) -> zt_result {
    boundary(|| {
        let none = || Failure::new(zt_result::ZT_ERROR_NOT_FOUND, "no gateway is asked for a port");
        let mapping = self::node(node)?.port_mapping().ok_or_else(none)?;
        let mapped = mapping.mapped.as_ref();
        let mapping = zt_port_mapping {
            struct_size: 0,
            mapped: mapped.is_some().into(),
            method: text(mapped.map_or("", |mapped| &mapped.method)),
            internal: endpoint(mapped.map(|mapped| mapped.internal)),
            external: endpoint(mapped.map(|mapped| mapped.external)),
            expires_ms: mapped.and_then(|mapped| mapped.expires_ms).unwrap_or_default(),
            error: text(mapping.error.as_deref().unwrap_or_default()),
        };
        // SAFETY: as the caller promises.
        unsafe { write_struct(out, &mapping) }
    })
}
