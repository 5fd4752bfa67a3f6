//! Nodes: how they start and stop.

use std::ffi::c_char;
use std::os::fd::IntoRawFd as _;
use std::sync::Arc;

use super::boundary::boundary;
use super::config::zt_config;
use super::handles::Handles;
use super::result::{Failure, zt_result};
use super::structs::{
    Growing, ZT_ENDPOINT_LEN, endpoint, fill, output, read_struct, write_slice, write_struct,
    write_text, zt_ip,
};
use crate::facade::{Node, TcpRelayStatus, TrustedPath, ZtError};

/// A node. 0 is none.
pub type zt_node = u64;

/// Room for an identity without its private key, as text, with its end.
pub const ZT_IDENTITY_LEN: usize = 144;

/// Room for an identity with its private key, as text, with its end.
pub const ZT_SECRET_IDENTITY_LEN: usize = 272;

/// `zt_status.tcp_relay`: none is configured.
pub const ZT_TCP_RELAY_OFF: u32 = 0;
/// `zt_status.tcp_relay`: there is one, but UDP does.
pub const ZT_TCP_RELAY_STANDBY: u32 = 1;
/// `zt_status.tcp_relay`: no root answers by UDP, and there is no connection to the relay yet.
pub const ZT_TCP_RELAY_CONNECTING: u32 = 2;
/// `zt_status.tcp_relay`: it stands in for UDP.
pub const ZT_TCP_RELAY_IN_USE: u32 = 3;

/// How a node is doing.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_status {
    /// `sizeof(zt_status)`.
    pub struct_size: u32,
    /// 1 if a root was heard recently or the node is one, else 0.
    pub online: u32,
    /// The node's address.
    pub address: u64,
    /// The ID of the planet in force.
    pub planet_id: u64,
    /// Its revision: when it was made, in ms since the Unix epoch.
    pub planet_timestamp: u64,
    /// One of `ZT_TCP_RELAY_*`.
    pub tcp_relay: u32,
    /// How many physical networks packets go through in clear (`zt_node_trusted_paths`).
    pub trusted_paths: u32,
}

// SAFETY: integers only, the first of which is the size.
unsafe impl Growing for zt_status {
    const NAME: &'static str = "zt_status";
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// A physical network packets go through in clear, because the user's `local.conf` trusts whoever has an
/// address there. Elements of an array, so it never grows.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_trusted_path {
    /// The network.
    pub prefix: zt_ip,
    /// What both ends call it.
    pub id: u64,
}

static NODES: Handles<Node> = Handles::new(1);

/// Returns the node a handle stands for.
pub(super) fn node(handle: zt_node) -> Result<Arc<Node>, Failure> {
    NODES.get(handle)
}

/// Does something with a node and waits for it.
pub(super) fn wait<T, F>(handle: zt_node, ask: impl FnOnce(Arc<Node>) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, ZtError>>,
{
    let node = node(handle)?;
    Ok(node.block_on(ask(Arc::clone(&node)))?)
}

/// Starts a node; `*out` is its handle, which `zt_node_free` takes back.
///
/// A node without an identity makes one, which takes a second or two. Any number of nodes may run in
/// a process, each with a home directory of its own.
///
/// Thread-safe. Waits for the disk, and for a new identity.
///
/// # Safety
///
/// `config` is null or points to a `zt_config` whose members are as described; `out` is null or
/// points to a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_start(config: *const zt_config, out: *mut zt_node) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (out, given) = unsafe { (output(out, "out")?, read_struct(config)?) };
        // SAFETY: as the caller promises.
        let config = unsafe { given.read() }?;
        // SAFETY: as the caller promises.
        let hooks = unsafe { given.hooks() }?;
        *out = NODES.insert(Node::start_blocking_with(config, hooks)?)?;
        Ok(())
    })
}

/// Stops a node and waits until its state is saved and its interfaces are gone. Whoever waits for it
/// is told `ZT_ERROR_STOPPED`. Once it has stopped, this does nothing. The handle stays.
///
/// Thread-safe. Waits for at most 10 s, then returns `ZT_ERROR_TIMEOUT`, and the node goes on stopping.
#[unsafe(no_mangle)]
pub extern "C" fn zt_node_stop(node: zt_node) -> zt_result {
    boundary(|| wait(node, |node| async move { node.stop().await }))
}

/// Takes a handle back and stops the node as `zt_node_stop` does. Nobody can use the handle from then
/// on; whoever waits with it is told `ZT_ERROR_STOPPED`.
///
/// With 0 it does nothing. May be called on any thread, from a callback of the library as well.
///
/// Thread-safe. Waits as `zt_node_stop` does, but the handle is taken back in any case.
#[unsafe(no_mangle)]
pub extern "C" fn zt_node_free(node: zt_node) -> zt_result {
    boundary(|| {
        if node == 0 {
            return Ok(());
        }
        let node = NODES.remove(node)?;
        Ok(node.block_on(node.stop())?)
    })
}

/// Writes the node's address.
///
/// Thread-safe. Does not wait.
///
/// # Safety
///
/// `out` is null or points to an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_address(node: zt_node, out: *mut u64) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { output(out, "out") }?;
        *out = self::node(node)?.address().to_u64();
        Ok(())
    })
}

/// Writes the node's identity without its private key, as text.
///
/// Thread-safe. Does not wait.
///
/// # Safety
///
/// `buffer` is null or has room for `capacity` bytes; `ZT_IDENTITY_LEN` are enough.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_identity(
    node: zt_node,
    buffer: *mut c_char,
    capacity: usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let buffer = unsafe { write_slice(buffer, capacity, "buffer") }?;
        write_text(&self::node(node)?.identity(), buffer)
    })
}

/// Writes where the node's sockets are bound, as text, `capacity` of them at most; `*count` is how many
/// there are.
///
/// Thread-safe. Does not wait.
///
/// # Safety
///
/// `endpoints` is null or has room for `capacity` texts of `ZT_ENDPOINT_LEN` bytes; `count` is null or
/// points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_bound(
    node: zt_node,
    endpoints: *mut [c_char; ZT_ENDPOINT_LEN],
    capacity: usize,
    count: *mut usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (endpoints, count) =
            unsafe { (write_slice(endpoints, capacity, "endpoints")?, output(count, "count")?) };
        let bound: Vec<_> = self::node(node)?.bound().into_iter().map(Some).map(endpoint).collect();
        *count = fill(&bound, endpoints);
        Ok(())
    })
}

/// Writes how the node is doing.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `out` is null or points to a `zt_status` whose `struct_size` is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_status(node: zt_node, out: *mut zt_status) -> zt_result {
    boundary(|| {
        let status = wait(node, |node| async move { node.status().await })?;
        let status = zt_status {
            struct_size: 0,
            online: status.online.into(),
            address: status.address.to_u64(),
            planet_id: status.planet_id,
            planet_timestamp: status.planet_timestamp,
            tcp_relay: match status.tcp_relay {
                TcpRelayStatus::Off => ZT_TCP_RELAY_OFF,
                TcpRelayStatus::Standby => ZT_TCP_RELAY_STANDBY,
                TcpRelayStatus::Connecting => ZT_TCP_RELAY_CONNECTING,
                TcpRelayStatus::InUse => ZT_TCP_RELAY_IN_USE,
            },
            trusted_paths: u32::try_from(status.trusted_paths.len()).unwrap_or(u32::MAX),
        };
        // SAFETY: as the caller promises.
        unsafe { write_struct(out, &status) }
    })
}

/// Writes which physical networks packets go through in clear, `capacity` of them at most; `*count` is
/// how many there are.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `paths` is null or has room for `capacity` of them; `count` is null or points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_trusted_paths(
    node: zt_node,
    paths: *mut zt_trusted_path,
    capacity: usize,
    count: *mut usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (paths, count) =
            unsafe { (write_slice(paths, capacity, "paths")?, output(count, "count")?) };
        let status = wait(node, |node| async move { node.status().await })?;
        let path = |trusted: &TrustedPath| zt_trusted_path {
            prefix: zt_ip::new(trusted.prefix.address, trusted.prefix.bits),
            id: trusted.id,
        };
        *count = fill(&status.trusted_paths.iter().map(path).collect::<Vec<_>>(), paths);
        Ok(())
    })
}

/// Reads `local.conf` and `trustedpaths` again, after the user has edited them, and goes by what has
/// changed in them: rules for physical addresses, bonding, low-bandwidth mode.
///
/// What takes effect at the next start only, such as a port, and what cannot be understood, is a warning in
/// the log (`zt_log_next`) that names its key; the rest counts, and the result is `ZT_OK`. What `zt_config`
/// says goes before the files. `ZT_ERROR_CORRUPT_STATE` if `local.conf` is no JSON object, or it is not
/// clear what it wants avoided; `ZT_ERROR_STORAGE` if it cannot be read: the node goes on as before.
///
/// Thread-safe. Waits for the disk and the node, which takes milliseconds.
#[unsafe(no_mangle)]
pub extern "C" fn zt_node_reload_local_conf(node: zt_node) -> zt_result {
    boundary(|| wait(node, |node| async move { node.reload_local_conf().await }))
}

/// Writes a descriptor to wait on, by `poll` for instance: it is readable while there is an event to
/// take, and once the node has stopped. The caller closes it, and must not read from it.
///
/// Thread-safe. Does not wait.
///
/// # Safety
///
/// `out` is null or points to a descriptor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_event_fd(node: zt_node, out: *mut i32) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { output(out, "out") }?;
        *out = self::node(node)?.events_descriptor()?.into_raw_fd();
        Ok(())
    })
}
