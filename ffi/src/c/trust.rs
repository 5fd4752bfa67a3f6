//! Whom a node trusts: pins, rules, planets and moons.

use std::ffi::c_char;

use zt_protocol::address::{MoonId, NetworkId};

use super::boundary::boundary;
use super::hosting::address;
use super::node::{wait, zt_node};
use super::result::{Failure, zt_result};
use super::structs::{
    Growing, ZT_ENDPOINT_LEN, ZT_FINGERPRINT_LEN, endpoint, fill, output, read_slice, read_text,
    text, write_slice, write_struct, write_text,
};
use crate::facade::{Contact, Direction, Pin, WorldStatus};

/// A packet from another node to this one.
pub const ZT_INBOUND: u32 = 0;
/// A packet from this node to another.
pub const ZT_OUTBOUND: u32 = 1;

/// The root is this node.
pub const ZT_CONTACT_ME: u32 = 0;
/// The root answers.
pub const ZT_CONTACT_ANSWERS: u32 = 1;
/// The root has not answered yet, or not for a while.
pub const ZT_CONTACT_SILENT: u32 = 2;
/// The root says that another node has this node's address.
pub const ZT_CONTACT_DISPUTES: u32 = 3;

/// Roots of a world at most.
pub const ZT_ROOTS_MAX: usize = 4;

/// An address and the fingerprint of its one holder. Elements of an array, so it never grows.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_pin {
    /// The address.
    pub address: u64,
    /// 1 if it was pinned, 0 if this is who was there first.
    pub is_pinned: u32,
    /// The fingerprint, in full or in short, as it was told.
    pub fingerprint: [c_char; ZT_FINGERPRINT_LEN],
}

/// Whether the rules of a network let a packet pass, and why.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_verdict {
    /// `sizeof(zt_verdict)`.
    pub struct_size: u32,
    /// 1 if it passes, else 0.
    pub passes: u32,
    /// To whom it is sent instead; 0 if rules do not say so.
    pub redirected_to: u64,
    /// The place of the rule that decided, from 0; -1 if none did, which drops the packet.
    pub rule: i32,
    /// 1 if that rule belongs to the sender's capability `capability`, 0 if to the network.
    pub by_capability: u32,
    /// Which capability.
    pub capability: u32,
}

// SAFETY: integers only, the first of which is the size.
unsafe impl Growing for zt_verdict {
    const NAME: &'static str = "zt_verdict";
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// A root of a world.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_root {
    /// Its address.
    pub address: u64,
    /// One of `ZT_CONTACT_*`.
    pub contact: u32,
    /// The path on which it answers; empty if there is none of its own.
    pub path: [c_char; ZT_ENDPOINT_LEN],
}

/// A planet or moon in force.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_world {
    /// `sizeof(zt_world)`.
    pub struct_size: u32,
    /// How many roots it has.
    pub root_count: u32,
    /// Its ID.
    pub id: u64,
    /// Its revision: when it was made, in ms since the Unix epoch.
    pub timestamp: u64,
    /// Its roots.
    pub roots: [zt_root; ZT_ROOTS_MAX],
}

// SAFETY: integers and arrays of such only, the first of which is the size.
unsafe impl Growing for zt_world {
    const NAME: &'static str = "zt_world";
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// Writes the fingerprint of whoever is known at an address, this node included, in full.
/// `ZT_ERROR_NOT_FOUND` if nobody is.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `buffer` is null or has room for `capacity` bytes; `ZT_FINGERPRINT_LEN` are enough.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_peer_fingerprint(
    node: zt_node,
    peer: u64,
    buffer: *mut c_char,
    capacity: usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let buffer = unsafe { write_slice(buffer, capacity, "buffer") }?;
        let peer = address(peer)?;
        let fingerprint = wait(node, |node| async move { node.fingerprint(peer).await })?;
        let unknown = || Failure::new(zt_result::ZT_ERROR_NOT_FOUND, "nobody is known there");
        write_text(&fingerprint.ok_or_else(unknown)?, buffer)
    })
}

/// Lets only the identity of this fingerprint, in any form people write it, hold an address.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `fingerprint` is null or a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_peer_pin(
    node: zt_node,
    peer: u64,
    fingerprint: *const c_char,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let fingerprint = unsafe { read_text(fingerprint, "fingerprint") }?.to_owned();
        let peer = address(peer)?;
        wait(node, |node| async move { node.pin(peer, fingerprint).await })
    })
}

/// Takes a pin back, or forgets who was first seen at an address.
///
/// Thread-safe. Waits for the node, which takes microseconds.
#[unsafe(no_mangle)]
pub extern "C" fn zt_peer_unpin(node: zt_node, peer: u64) -> zt_result {
    boundary(|| {
        let peer = address(peer)?;
        wait(node, |node| async move { node.unpin(peer).await })
    })
}

/// Has nobody but roots for a peer who is not pinned (`required` not 0), or anybody again (0).
///
/// Thread-safe. Waits for the node, which takes microseconds.
#[unsafe(no_mangle)]
pub extern "C" fn zt_node_require_pinned(node: zt_node, required: u32) -> zt_result {
    boundary(|| wait(node, |node| async move { node.require_pinned(required != 0).await }))
}

/// Writes who holds which address, `capacity` of them at most; `*count` is how many there are, and
/// `*required` 1 if peers have to be pinned.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `pins` is null or has room for `capacity` pins; `count` and `required` are null or point to numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_pins(
    node: zt_node,
    pins: *mut zt_pin,
    capacity: usize,
    count: *mut usize,
    required: *mut u32,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (pins, count, required) = unsafe {
            (
                write_slice(pins, capacity, "pins")?,
                output(count, "count")?,
                output(required, "required")?,
            )
        };
        let known = wait(node, |node| async move { node.pins().await })?;
        let pin = |is_pinned: u32| {
            move |pin: &Pin| zt_pin {
                address: pin.address.to_u64(),
                is_pinned,
                fingerprint: text(&pin.fingerprint),
            }
        };
        let all: Vec<_> =
            known.pinned.iter().map(pin(1)).chain(known.first_seen.iter().map(pin(0))).collect();
        *count = fill(&all, pins);
        *required = known.required.into();
        Ok(())
    })
}

/// Writes whether the rules of a network let an IP packet pass between this node and `peer`, and why,
/// without sending anything. `ZT_ERROR_REJECTED` if rules are not even asked. `direction` is
/// `ZT_INBOUND` or `ZT_OUTBOUND`.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `packet` is null or has `len` bytes; `out` is null or points to a `zt_verdict` whose `struct_size` is
/// set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_would_allow(
    node: zt_node,
    network: u64,
    peer: u64,
    packet: *const u8,
    len: usize,
    direction: u32,
    out: *mut zt_verdict,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let packet = unsafe { read_slice(packet, len, "packet") }?.to_vec();
        let direction = match direction {
            ZT_INBOUND => Direction::Inbound,
            ZT_OUTBOUND => Direction::Outbound,
            _ => return Err(Failure::argument(format!("{direction} is no direction"))),
        };
        let peer = address(peer)?;
        let verdict = wait(node, |node| async move {
            node.would_allow(NetworkId(network), peer, packet, direction).await
        })?;
        let rule = verdict.decided_by;
        let capability = rule.and_then(|rule| rule.capability);
        let verdict = zt_verdict {
            struct_size: 0,
            passes: verdict.passes.into(),
            redirected_to: verdict.redirected_to.map_or(0, |to| to.to_u64()),
            rule: rule.and_then(|rule| i32::try_from(rule.index).ok()).unwrap_or(-1),
            by_capability: capability.is_some().into(),
            capability: capability.unwrap_or(0),
        };
        // SAFETY: as the caller promises.
        unsafe { write_struct(out, &verdict) }
    })
}

/// Uses the roots of a moon beside those of the planet; asks `seed`, one of its roots, for it. `seed`
/// may be 0 if the moon is known already.
///
/// Returns at once; when the seed has answered, `ZT_EVENT_WORLDS` follows.
///
/// Thread-safe. Waits for the disk.
#[unsafe(no_mangle)]
pub extern "C" fn zt_node_orbit(node: zt_node, moon: u64, seed: u64) -> zt_result {
    boundary(|| {
        let seed = if seed == 0 { None } else { Some(address(seed)?) };
        wait(node, |node| async move { node.orbit(MoonId(moon), seed).await })
    })
}

/// Uses the roots of the moon in a moon file.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `file` is null or has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_orbit_file(
    node: zt_node,
    file: *const u8,
    len: usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let file = unsafe { read_slice(file, len, "file") }?.to_vec();
        wait(node, |node| async move { node.orbit_file(file).await })
    })
}

/// Does without a moon, or no longer asks for it.
///
/// Thread-safe. Waits for the node, which takes microseconds.
#[unsafe(no_mangle)]
pub extern "C" fn zt_node_deorbit(node: zt_node, moon: u64) -> zt_result {
    boundary(|| wait(node, |node| async move { node.deorbit(MoonId(moon)).await }))
}

/// Writes the planet in force (`index` 0) or one of the moons, from 1, by ascending ID.
/// `ZT_ERROR_NOT_FOUND` if there are not so many.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `out` is null or points to a `zt_world` whose `struct_size` is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_world(
    node: zt_node,
    index: usize,
    out: *mut zt_world,
) -> zt_result {
    boundary(|| {
        let worlds = wait(node, |node| async move { node.worlds().await })?;
        let mut all = std::iter::once(&worlds.planet).chain(&worlds.moons);
        let none = || Failure::new(zt_result::ZT_ERROR_NOT_FOUND, "there are not so many worlds");
        let world = zt_world::from(all.nth(index).ok_or_else(none)?);
        // SAFETY: as the caller promises.
        unsafe { write_struct(out, &world) }
    })
}

impl From<&WorldStatus> for zt_world {
    fn from(world: &WorldStatus) -> Self {
        let none = zt_root { address: 0, contact: ZT_CONTACT_SILENT, path: [0; ZT_ENDPOINT_LEN] };
        let known: Vec<_> = world
            .roots
            .iter()
            .map(|root| zt_root {
                address: root.address.to_u64(),
                contact: match root.contact {
                    Contact::Me => ZT_CONTACT_ME,
                    Contact::Answers => ZT_CONTACT_ANSWERS,
                    Contact::Silent => ZT_CONTACT_SILENT,
                    Contact::Disputes => ZT_CONTACT_DISPUTES,
                },
                path: endpoint(root.path),
            })
            .collect();
        let mut roots = [none; ZT_ROOTS_MAX];
        let count = fill(&known, &mut roots).min(ZT_ROOTS_MAX);
        let root_count = u32::try_from(count).unwrap_or(0);
        Self { struct_size: 0, root_count, id: world.id, timestamp: world.timestamp, roots }
    }
}
