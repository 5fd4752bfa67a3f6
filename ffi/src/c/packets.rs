//! Packets a program passes in and takes out itself, many at once.
//!
//! Packets lie back to back in a slab, and their lengths in an array beside it. Nothing is kept of
//! either after a call.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use zt_protocol::address::NetworkId;

use super::boundary::{boundary, patience};
use super::handles::Handles;
use super::networks::port_mode;
use super::node::{wait, zt_node};
use super::result::{Failure, zt_result};
use super::structs::{output, read_slice, write_slice};
use crate::facade::{PacketChannel, ZtError};

/// The packets of a network, exchanged with this program. 0 is none.
pub type zt_packets = u64;

/// Called with a packet that came out of a network. The packet is the library's, and there during the
/// call only.
pub type zt_packet_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, packet: *const u8, len: usize)>;

/// How long the thread of a callback waits for packets before it looks whether it is still wanted.
const CALLBACK_PATIENCE: Duration = Duration::from_millis(500);

/// What a handle stands for.
struct Packets {
    channel: Arc<PacketChannel>,
    caller: Mutex<Option<Caller>>,
}

/// The thread that calls a callback.
struct Caller {
    wanted: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// A callback, and what it is called with.
struct Callback {
    function: unsafe extern "C" fn(*mut c_void, *const u8, usize),
    user_data: *mut c_void,
}

// SAFETY: whoever sets a callback promises that it may be called, with this, on another thread.
unsafe impl Send for Callback {}

static PACKETS: Handles<Packets> = Handles::new(2);

/// Joins a network, or attaches another port to one that is joined, so that this program exchanges its
/// packets; `*out` is a handle, which `zt_packets_close` takes back. Opened again, an earlier handle
/// gets `ZT_ERROR_STOPPED`, as it does once the network is left or the node stops.
///
/// `mode` is one of `ZT_MODE_*`.
///
/// Thread-safe. Waits for the node, which takes microseconds.
///
/// # Safety
///
/// `out` is null or points to a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_packets_open(
    node: zt_node,
    network: u64,
    mode: u32,
    out: *mut zt_packets,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { output(out, "out") }?;
        let mode = port_mode(mode)?;
        let channel =
            wait(node, |node| async move { node.packets(NetworkId(network), mode).await })?;
        let channel = Arc::new(channel);
        *out = PACKETS.insert(Arc::new(Packets { channel, caller: Mutex::new(None) }))?;
        Ok(())
    })
}

/// Passes `count` packets into the network; `*taken` is how many there was room for. The others are
/// the caller's, to pass in again or to drop. They lie back to back in `slab`, their lengths in
/// `lengths`. All of it is copied.
///
/// `ZT_ERROR_WOULD_BLOCK` if there was room for none, `ZT_ERROR_STOPPED` once the queue has ended.
///
/// Thread-safe. Does not wait.
///
/// # Safety
///
/// `slab` is null or has `slab_len` bytes, `lengths` is null or has `count` numbers, `taken` is null or
/// points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_packets_in(
    packets: zt_packets,
    slab: *const u8,
    slab_len: usize,
    lengths: *const u32,
    count: usize,
    taken: *mut usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (slab, lengths, taken) = unsafe {
            (
                read_slice(slab, slab_len, "slab")?,
                read_slice(lengths, count, "lengths")?,
                output(taken, "taken")?,
            )
        };
        *taken = PACKETS.get(packets)?.channel.pass_in(slab, lengths)?;
        Ok(())
    })
}

/// Passes one packet into the network. It is copied.
///
/// `ZT_ERROR_WOULD_BLOCK` if there is no room, `ZT_ERROR_STOPPED` once the queue has ended.
///
/// Thread-safe. Does not wait.
///
/// # Safety
///
/// `packet` is null or has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_packet_in(
    packets: zt_packets,
    packet: *const u8,
    len: usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let packet = unsafe { read_slice(packet, len, "packet") }?;
        let len = u32::try_from(len).map_err(|_| Failure::argument("no packet is that long"))?;
        PACKETS.get(packets)?.channel.pass_in(packet, &[len])?;
        Ok(())
    })
}

/// Takes packets out of the network, back to back into `slab` and their lengths into `lengths`, until
/// there are `capacity`, or the next has no room, or there is none; `*count` is how many.
///
/// `ZT_ERROR_TIMEOUT` if there are none, `ZT_ERROR_STOPPED` once the queue has ended,
/// `ZT_ERROR_BUFFER_TOO_SMALL` if not even the next has room: 10240 bytes are enough for any.
///
/// Thread-safe. Waits at most `timeout_ms` for the first: not at all if 0, for ever if negative.
///
/// # Safety
///
/// `slab` is null or has room for `slab_len` bytes, `lengths` is null or has room for `capacity`
/// numbers, `count` is null or points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_packets_out(
    packets: zt_packets,
    timeout_ms: i32,
    slab: *mut u8,
    slab_len: usize,
    lengths: *mut u32,
    capacity: usize,
    count: *mut usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (slab, lengths, count) = unsafe {
            (
                write_slice(slab, slab_len, "slab")?,
                write_slice(lengths, capacity, "lengths")?,
                output(count, "count")?,
            )
        };
        let (mut used, mut taken) = (0, 0);
        PACKETS.get(packets)?.channel.take_out(patience(timeout_ms), |packet| {
            let end = used + packet.len();
            let (Some(room), Some(length)) = (slab.get_mut(used..end), lengths.get_mut(taken))
            else {
                return false;
            };
            room.copy_from_slice(packet);
            *length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
            (used, taken) = (end, taken + 1);
            true
        })?;
        if taken == 0 {
            let message = "the next packet has no room: 10240 bytes are enough for any";
            return Err(Failure::new(zt_result::ZT_ERROR_BUFFER_TOO_SMALL, message));
        }
        *count = taken;
        Ok(())
    })
}

/// Takes one packet out of the network; `*len` is its length.
///
/// Results, and how long it waits, are as of `zt_network_packets_out`.
///
/// Thread-safe.
///
/// # Safety
///
/// `buffer` is null or has room for `capacity` bytes, `len` is null or points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_packet_out(
    packets: zt_packets,
    timeout_ms: i32,
    buffer: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> zt_result {
    let (mut length, mut count) = (0, 0);
    if len.is_null() {
        return boundary(|| Err(Failure::null("len")));
    }
    // SAFETY: the buffer is as the caller promises, the other outputs are our own.
    let result = unsafe {
        let (length, count) = (&raw mut length, &raw mut count);
        zt_network_packets_out(packets, timeout_ms, buffer, capacity, length, 1, count)
    };
    if result == zt_result::ZT_OK {
        // SAFETY: it is not null, and the caller promises that it is a number's place.
        unsafe { *len = length as usize };
    }
    result
}

/// Has packets that come out of the network handed to `callback`, one at a time, on a thread the
/// library makes for it; or no more, if it is null. Takes the place of a callback set before.
///
/// The callback may call anything in this library, on this handle as well, and must not unwind. When
/// this returns, an earlier callback is not running and will not run again, so that what it was given
/// can be freed; only a callback that calls this itself is, of course, still running.
///
/// Thread-safe. Waits for an earlier callback to return.
///
/// # Safety
///
/// `callback` is null or may be called with `user_data`, on another thread, until this is called again
/// or the handle is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_network_packets_callback(
    packets: zt_packets,
    callback: zt_packet_callback,
    user_data: *mut c_void,
) -> zt_result {
    boundary(|| {
        let packets = PACKETS.get(packets)?;
        packets.end_caller();
        let Some(function) = callback else { return Ok(()) };
        let (wanted, callback) =
            (Arc::new(AtomicBool::new(true)), Callback { function, user_data });
        let (channel, still_wanted) = (Arc::clone(&packets.channel), Arc::clone(&wanted));
        let thread = std::thread::Builder::new()
            .name("zt-packets".to_owned())
            .spawn(move || hand_out(&channel, &still_wanted, &callback))
            .map_err(|error| ZtError::OutOfResources(error.to_string()))?;
        let caller = Caller { wanted, thread };
        let displaced =
            packets.caller.lock().unwrap_or_else(PoisonError::into_inner).replace(caller);
        // Somebody else has set another at the same time: the later one stays.
        if let Some(displaced) = displaced {
            displaced.end();
        }
        Ok(())
    })
}

/// Takes a handle back. Whoever waits with it is told `ZT_ERROR_STOPPED`, and a callback ends as by
/// `zt_network_packets_callback`. The network stays joined, and its packets are dropped.
///
/// With 0 it does nothing. Thread-safe. Waits for a callback to return, unless called from it.
#[unsafe(no_mangle)]
pub extern "C" fn zt_packets_close(packets: zt_packets) -> zt_result {
    boundary(|| {
        if packets == 0 {
            return Ok(());
        }
        let packets = PACKETS.remove(packets)?;
        packets.channel.close();
        packets.end_caller();
        Ok(())
    })
}

/// Gives packets a handle, which the functions above take until [`zt_packets_close`].
#[cfg(feature = "uniffi")]
pub(crate) fn share(channel: Arc<PacketChannel>) -> Result<zt_packets, ZtError> {
    let packets = Packets { channel, caller: Mutex::new(None) };
    PACKETS.insert(Arc::new(packets)).map_err(|failure| ZtError::TooMany(failure.message))
}

/// Hands packets to a callback until that is not wanted any more.
fn hand_out(channel: &PacketChannel, wanted: &AtomicBool, callback: &Callback) {
    while wanted.load(Ordering::Acquire) {
        let mut packet = None;
        let taken = channel.take_out(Some(CALLBACK_PATIENCE), |next| {
            let is_first = packet.is_none();
            packet.get_or_insert_with(|| next.to_vec());
            is_first
        });
        match taken {
            Ok(()) | Err(ZtError::Timeout) => {}
            Err(_) => return,
        }
        // It is called without holding anything, so that it may call back.
        if let Some(packet) = packet.filter(|_| wanted.load(Ordering::Acquire)) {
            // SAFETY: whoever set the callback promises that it may be called with this here.
            unsafe { (callback.function)(callback.user_data, packet.as_ptr(), packet.len()) };
        }
    }
}

impl Packets {
    fn end_caller(&self) {
        let caller = self.caller.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(caller) = caller {
            caller.end();
        }
    }
}

impl Caller {
    /// Sees to it that the callback is not called any more.
    fn end(self) {
        self.wanted.store(false, Ordering::Release);
        if self.thread.thread().id() != std::thread::current().id() {
            // The thread panics only if a callback unwinds, which ends the process.
            let _ = self.thread.join();
        }
    }
}
