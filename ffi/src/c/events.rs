//! What a node tells its host.

use std::ffi::c_char;

use super::boundary::{boundary, patience};
use super::networks::{change, standing};
use super::node::{node, zt_node};
use super::result::{Failure, zt_result};
use super::structs::{
    Growing, ZT_ENDPOINT_LEN, ZT_FINGERPRINT_LEN, ZT_NAME_LEN, check_struct, endpoint, text,
    write_struct,
};
use crate::facade::Event;

/// `zt_event.kind`: a root answered (`flag` 1), or none has for a while (0).
pub const ZT_EVENT_ONLINE: u32 = 1;
/// A network's status changed: `network`, `standing`; `zt_network_status` says all.
pub const ZT_EVENT_NETWORK: u32 = 2;
/// What a network means for this machine changed: `network`, `change`; `zt_network_plan` says all.
pub const ZT_EVENT_PLAN: u32 = 3;
/// `network` was left.
pub const ZT_EVENT_NETWORK_LEFT: u32 = 4;
/// The way to the peer `address` changed: `path`, empty if packets are relayed.
pub const ZT_EVENT_PEER: u32 = 5;
/// The roots in force changed.
pub const ZT_EVENT_WORLDS: u32 = 6;
/// Another node has this node's address, say roots. If that is confirmed (`flag` 1), this node is of no
/// use before it has another identity.
pub const ZT_EVENT_IDENTITY_COLLISION: u32 = 7;
/// Somebody showed a valid identity whose `address` is another's, and was refused: `known` and `offered`
/// are the two fingerprints, `text` says where it came from.
pub const ZT_EVENT_IDENTITY_CONFLICT: u32 = 8;
/// The interface or descriptor of `network` is gone.
pub const ZT_EVENT_INTERFACE_LOST: u32 = 9;

/// Something a host may want to know. What a kind does not use is zero. A host ignores kinds it does
/// not know.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_event {
    /// `sizeof(zt_event)`.
    pub struct_size: u32,
    /// One of `ZT_EVENT_*`.
    pub kind: u32,
    /// The network concerned.
    pub network: u64,
    /// The node concerned.
    pub address: u64,
    /// One of `ZT_STANDING_*`.
    pub standing: u32,
    /// One of `ZT_CHANGE_*`.
    pub change: u32,
    /// Yes or no.
    pub flag: u32,
    /// A path.
    pub path: [c_char; ZT_ENDPOINT_LEN],
    /// A fingerprint.
    pub known: [c_char; ZT_FINGERPRINT_LEN],
    /// Another.
    pub offered: [c_char; ZT_FINGERPRINT_LEN],
    /// A text for people to read.
    pub text: [c_char; ZT_NAME_LEN],
}

// SAFETY: integers and arrays of them only, the first of which is the size.
unsafe impl Growing for zt_event {
    const NAME: &'static str = "zt_event";
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// Takes the next event. Each is given to one caller; of more than 1024 that nobody takes the oldest
/// are forgotten, and counted in `zt_statistics`.
///
/// `ZT_ERROR_TIMEOUT` if there is none, `ZT_ERROR_STOPPED` once there will be none any more.
///
/// Thread-safe. Waits at most `timeout_ms`: not at all if 0, for ever if negative.
///
/// # Safety
///
/// `out` is null or points to a `zt_event` whose `struct_size` is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_next_event(
    node: zt_node,
    timeout_ms: i32,
    out: *mut zt_event,
) -> zt_result {
    boundary(|| {
        // An event taken that cannot be written would be lost.
        // SAFETY: as the caller promises.
        unsafe { check_struct(out) }?;
        let event = next(node, timeout_ms)?;
        // SAFETY: as the caller promises.
        unsafe { write_struct(out, &translate(event)) }
    })
}

fn next(handle: zt_node, timeout_ms: i32) -> Result<Event, Failure> {
    Ok(node(handle)?.next_event_blocking(patience(timeout_ms))?)
}

pub(super) fn translate(event: Event) -> zt_event {
    // SAFETY: of integers and arrays of them zeroes are a value.
    let nothing: zt_event = unsafe { std::mem::zeroed() };
    match event {
        Event::Online { online } => {
            zt_event { kind: ZT_EVENT_ONLINE, flag: online.into(), ..nothing }
        }
        Event::Network { status } => zt_event {
            kind: ZT_EVENT_NETWORK,
            network: status.id.0,
            standing: standing(status.standing),
            ..nothing
        },
        Event::Plan { network, change: news, .. } => {
            zt_event { kind: ZT_EVENT_PLAN, network: network.0, change: change(news), ..nothing }
        }
        Event::NetworkLeft { network } => {
            zt_event { kind: ZT_EVENT_NETWORK_LEFT, network: network.0, ..nothing }
        }
        Event::Peer { address, path } => zt_event {
            kind: ZT_EVENT_PEER,
            address: address.to_u64(),
            path: endpoint(path),
            ..nothing
        },
        Event::Worlds => zt_event { kind: ZT_EVENT_WORLDS, ..nothing },
        Event::IdentityCollision { is_confirmed } => {
            zt_event { kind: ZT_EVENT_IDENTITY_COLLISION, flag: is_confirmed.into(), ..nothing }
        }
        Event::IdentityConflict { address, known, offered, source } => zt_event {
            kind: ZT_EVENT_IDENTITY_CONFLICT,
            address: address.to_u64(),
            known: text(&known),
            offered: text(&offered),
            text: text(&source),
            ..nothing
        },
        Event::InterfaceLost { network } => {
            zt_event { kind: ZT_EVENT_INTERFACE_LOST, network: network.0, ..nothing }
        }
    }
}
