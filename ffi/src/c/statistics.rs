//! What a node has dropped, why it woke, and what it takes of memory.

use std::ffi::c_char;
use std::mem::offset_of;

use super::boundary::boundary;
use super::node::{wait, zt_node};
use super::result::zt_result;
use super::structs::{Growing, fill, output, text, write_slice, write_struct};
use crate::facade::TimerCount;

/// Longest name of a reason, with its end.
pub const ZT_REASON_LEN: usize = 32;

/// How often something was dropped for a reason. Elements of an array, so it never grows.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_drop {
    /// The reason's name, for instance `not_authentic`.
    pub reason: [c_char; ZT_REASON_LEN],
    /// How often.
    pub count: u64,
}

/// How often a timer has woken a node. Elements of an array, so it never grows.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_timer {
    /// What for, for instance `peer_probe`.
    pub reason: [c_char; ZT_REASON_LEN],
    /// How often.
    pub count: u64,
}

/// What was lost around the node since it started, what has woken it, and what it takes of memory.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_statistics {
    /// `sizeof(zt_statistics)`.
    pub struct_size: u32,
    /// How many reasons to drop something there were (`zt_node_drops`).
    pub reasons: u32,
    /// Packets and frames dropped, for whatever reason.
    pub dropped: u64,
    /// Datagrams the system did not send, and those that came in from a virtual network.
    pub lost_datagrams: u64,
    /// Frames the host did not take.
    pub lost_frames: u64,
    /// Events nobody took.
    pub lost_events: u64,
    /// How often the node was woken by a timer of its own (`zt_node_timers`). On a phone each time costs
    /// power.
    pub woken_by_timers: u64,
    /// By datagrams.
    pub woken_by_datagrams: u64,
    /// Because the host has sent to a network.
    pub woken_by_frames: u64,
    /// Because the host asked something.
    pub woken_by_requests: u64,
    /// Because interfaces, the gateway or files changed.
    pub woken_by_changes: u64,
    /// What the node's tables may take of memory, in bytes; 0 if only their own limits bound them.
    pub memory_budget: u64,
    /// What they take, all together. Buffers for packets on their way, of a fixed size, and the code come
    /// on top.
    pub memory_total: u64,
    /// Of that, who is known: peers with their paths and keys, and pins.
    pub memory_peers: u64,
    /// The networks that are joined: configurations, members, multicast groups.
    pub memory_networks: u64,
    /// Packets that wait or are being put together.
    pub memory_packets: u64,
    /// Which packets were taken in lately, so that none counts twice.
    pub memory_replays: u64,
    /// The networks this node controls, with their members.
    pub memory_controller: u64,
}

// SAFETY: integers only, the first of which is the size.
unsafe impl Growing for zt_statistics {
    const NAME: &'static str = "zt_statistics";
    const FIRST_SIZE: usize = offset_of!(Self, memory_budget);
}

/// Writes what was lost since the node started, what has woken it, and what it takes of memory.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `out` is null or points to a `zt_statistics` whose `struct_size` is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_statistics(node: zt_node, out: *mut zt_statistics) -> zt_result {
    boundary(|| {
        let statistics = wait(node, |node| async move { node.statistics().await })?;
        let sum = |counts: &mut dyn Iterator<Item = u64>| counts.fold(0, u64::saturating_add);
        let (wakeups, memory) = (&statistics.wakeups, statistics.memory);
        let statistics = zt_statistics {
            struct_size: 0,
            reasons: u32::try_from(statistics.drops.len()).unwrap_or(u32::MAX),
            dropped: sum(&mut statistics.drops.iter().map(|drop| drop.count)),
            lost_datagrams: statistics.lost_datagrams,
            lost_frames: statistics.lost_frames,
            lost_events: statistics.lost_events,
            woken_by_timers: sum(&mut wakeups.timers.iter().map(|timer| timer.count)),
            woken_by_datagrams: wakeups.datagrams,
            woken_by_frames: wakeups.frames,
            woken_by_requests: wakeups.requests,
            woken_by_changes: wakeups.changes,
            memory_budget: memory.budget.unwrap_or_default(),
            memory_total: memory.total,
            memory_peers: memory.peers,
            memory_networks: memory.networks,
            memory_packets: memory.packets,
            memory_replays: memory.replays,
            memory_controller: memory.controller,
        };
        // SAFETY: as the caller promises.
        unsafe { write_struct(out, &statistics) }
    })
}

/// Writes how often what was dropped for which reason, `capacity` of them at most; `*count` is how many
/// reasons there were.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `drops` is null or has room for `capacity` of them; `count` is null or points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_drops(
    node: zt_node,
    drops: *mut zt_drop,
    capacity: usize,
    count: *mut usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (drops, count) =
            unsafe { (write_slice(drops, capacity, "drops")?, output(count, "count")?) };
        let statistics = wait(node, |node| async move { node.statistics().await })?;
        let all: Vec<_> = statistics
            .drops
            .iter()
            .map(|drop| zt_drop { reason: text(&drop.reason), count: drop.count })
            .collect();
        *count = fill(&all, drops);
        Ok(())
    })
}

/// Writes how often which timer has woken the node, `capacity` of them at most; `*count` is how many have.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `timers` is null or has room for `capacity` of them; `count` is null or points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_node_timers(
    node: zt_node,
    timers: *mut zt_timer,
    capacity: usize,
    count: *mut usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (timers, count) =
            unsafe { (write_slice(timers, capacity, "timers")?, output(count, "count")?) };
        let statistics = wait(node, |node| async move { node.statistics().await })?;
        let timer =
            |timer: &TimerCount| zt_timer { reason: text(&timer.reason), count: timer.count };
        *count = fill(&statistics.wakeups.timers.iter().map(timer).collect::<Vec<_>>(), timers);
        Ok(())
    })
}
