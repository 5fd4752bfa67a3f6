//! The node without sockets, clock, threads or disk, for programs with a loop of their own.

use std::ffi::c_char;
use std::mem::offset_of;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zt_protocol::address::NetworkId;

use super::boundary::boundary;
use super::events::{translate, zt_event};
use super::handles::Handles;
use super::networks::port_mode;
use super::result::{Failure, zt_result};
use super::structs::{
    Growing, ZT_ENDPOINT_LEN, check_struct, endpoint, output, read_slice, read_struct, read_text,
    text, write_slice, write_struct,
};
use crate::facade::{Engine, EngineConfig};

/// An engine. 0 is none.
pub type zt_engine = u64;

/// Room for the name of a piece of state, with its end.
pub const ZT_STORE_NAME_LEN: usize = 80;

/// How an engine shall be. All of it is the caller's, and read during the call only.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_engine_config {
    /// `sizeof(zt_engine_config)`.
    pub struct_size: u32,
    /// `ZT_CONFIG_ALLOW_LOOPBACK`, or 0.
    pub flags: u32,
    /// The identity with its private key, as text.
    pub identity: *const c_char,
    /// The planet, as in a planet file; null for that of Earth.
    pub planet: *const u8,
    /// Its length, in bytes.
    pub planet_len: usize,
    /// What was saved last under the name `epoch`; null the first time. A program that keeps the
    /// identity has to keep this as well, before it sends anything: packet IDs follow from it.
    pub epoch: *const u8,
    /// Its length, in bytes.
    pub epoch_len: usize,
    /// Random bytes, never used before.
    pub seed: [u8; 32],
    /// The time of the program's clock, in us since whenever. It has to count while the machine sleeps.
    pub now_us: u64,
    /// The wall clock's time, in ms since the Unix epoch.
    pub unix_ms: u64,
    /// How many bytes the node's tables may take, `ZT_MEMORY_BUDGET_MIN` at least. If 0, whatever their own
    /// limits allow.
    pub memory_budget: u64,
}

// SAFETY: integers, arrays of them and raw pointers only, the first of which is the size.
unsafe impl Growing for zt_engine_config {
    const NAME: &'static str = "zt_engine_config";
    const FIRST_SIZE: usize = offset_of!(Self, memory_budget);
}

static ENGINES: Handles<Mutex<Engine>> = Handles::new(3);

/// Does something with an engine, which only one thread does at a time.
fn with<T>(
    handle: zt_engine,
    what: impl FnOnce(&mut Engine) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let engine = ENGINES.get(handle)?;
    what(&mut lock(&engine))
}

fn lock(engine: &Mutex<Engine>) -> MutexGuard<'_, Engine> {
    // After a panic an engine may be of no use, but it is a value as before.
    engine.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a node without anything around it; `*out` is its handle, which `zt_engine_free` takes back.
///
/// After each call that passes something in, take out what there is: datagrams to send
/// (`zt_engine_datagram_out`), frames for the host (`zt_engine_frame_out`), events
/// (`zt_engine_next_event`), state to save (`zt_engine_store_out`), and when to call `zt_engine_timeout`
/// (`zt_engine_next_deadline`). Nothing waits, ever.
///
/// Thread-safe, but one thread at a time uses an engine; others wait for it.
///
/// # Safety
///
/// `config` is null or points to a `zt_engine_config` whose members are as described; `out` is null or
/// points to a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_engine_new(
    config: *const zt_engine_config,
    out: *mut zt_engine,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (out, config) = unsafe { (output(out, "out")?, read_struct(config)?) };
        // SAFETY: as the caller promises.
        let (identity, planet, epoch) = unsafe {
            (
                read_text(config.identity, "zt_engine_config.identity")?,
                read_slice(config.planet, config.planet_len, "zt_engine_config.planet")?,
                read_slice(config.epoch, config.epoch_len, "zt_engine_config.epoch")?,
            )
        };
        let engine = Engine::new(EngineConfig {
            identity,
            planet: (!planet.is_empty()).then_some(planet),
            epoch: (!epoch.is_empty()).then_some(epoch),
            seed: config.seed,
            allow_loopback: config.flags & super::config::ZT_CONFIG_ALLOW_LOOPBACK != 0,
            now_us: config.now_us,
            unix_ms: config.unix_ms,
            memory_budget: (config.memory_budget != 0).then_some(config.memory_budget),
        })?;
        *out = ENGINES.insert(Arc::new(Mutex::new(engine)))?;
        Ok(())
    })
}

/// Takes a handle back; nothing of the engine is left. With 0 it does nothing. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn zt_engine_free(engine: zt_engine) -> zt_result {
    boundary(|| if engine == 0 { Ok(()) } else { ENGINES.remove(engine).map(drop) })
}

/// Writes the node's address.
///
/// # Safety
///
/// `out` is null or points to an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_engine_address(engine: zt_engine, out: *mut u64) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { output(out, "out") }?;
        *out = with(engine, |engine| Ok(engine.address().to_u64()))?;
        Ok(())
    })
}

/// Joins a network, in a `ZT_MODE_*`. `cached` is what was saved last under its name
/// (`networks.d/<16 hexadecimal digits>.conf`), or null.
///
/// # Safety
///
/// `cached` is null or has `cached_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_engine_join(
    engine: zt_engine,
    now_us: u64,
    network: u64,
    mode: u32,
    cached: *const u8,
    cached_len: usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let cached = unsafe { read_slice(cached, cached_len, "cached") }?;
        let cached = (!cached.is_empty()).then(|| cached.to_vec());
        let mode = port_mode(mode)?;
        with(engine, |engine| Ok(engine.join(now_us, NetworkId(network), mode, cached)?))
    })
}

/// Leaves a network.
#[unsafe(no_mangle)]
pub extern "C" fn zt_engine_leave(engine: zt_engine, now_us: u64, network: u64) -> zt_result {
    boundary(|| with(engine, |engine| Ok(engine.leave(now_us, NetworkId(network))?)))
}

/// Names this machine's own physical addresses, as texts with the port peers reach them at
/// (`192.0.2.1:9993`).
///
/// # Safety
///
/// `addresses` is null or has `count` texts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_engine_set_local_addresses(
    engine: zt_engine,
    now_us: u64,
    addresses: *const *const c_char,
    count: usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let addresses = unsafe { read_slice(addresses, count, "addresses") }?;
        // SAFETY: as the caller promises.
        let read = |&text: &*const c_char| parse(unsafe { read_text(text, "addresses") }?);
        let addresses = addresses.iter().map(read).collect::<Result<_, _>>()?;
        with(engine, |engine| Ok(engine.set_local_addresses(now_us, addresses)?))
    })
}

/// Tells the wall clock's time after it has jumped.
#[unsafe(no_mangle)]
pub extern "C" fn zt_engine_set_unix_time(
    engine: zt_engine,
    now_us: u64,
    unix_ms: u64,
) -> zt_result {
    boundary(|| {
        with(engine, |engine| {
            engine.set_unix_time(now_us, unix_ms);
            Ok(())
        })
    })
}

/// Passes in a datagram that arrived from `remote`, a text. It is decrypted in place, so it is
/// clobbered. `ZT_ERROR_REJECTED` if it was dropped, which is nobody's fault here.
///
/// # Safety
///
/// `remote` is null or a text; `datagram` is null or has `len` bytes that may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_engine_datagram_in(
    engine: zt_engine,
    now_us: u64,
    remote: *const c_char,
    datagram: *mut u8,
    len: usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (remote, datagram) = unsafe {
            (parse(read_text(remote, "remote")?)?, write_slice(datagram, len, "datagram")?)
        };
        with(engine, |engine| Ok(engine.datagram_in(now_us, remote, datagram)?))
    })
}

/// Takes out the next datagram to send, and where to, as text. `ZT_ERROR_WOULD_BLOCK` if there is none,
/// `ZT_ERROR_BUFFER_TOO_SMALL` if it has no room: 10240 bytes are enough.
///
/// # Safety
///
/// `buffer` is null or has room for `capacity` bytes; `len` is null or points to a number; `remote` is
/// null or has room for `ZT_ENDPOINT_LEN` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_engine_datagram_out(
    engine: zt_engine,
    buffer: *mut u8,
    capacity: usize,
    len: *mut usize,
    remote: *mut [c_char; ZT_ENDPOINT_LEN],
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (buffer, len, remote) = unsafe {
            (
                write_slice(buffer, capacity, "buffer")?,
                output(len, "len")?,
                output(remote, "remote")?,
            )
        };
        let taken = with(engine, |engine| {
            Ok(engine.datagram_out(|to, datagram| {
                let is_taken = copy(datagram, buffer, len);
                if is_taken {
                    *remote = endpoint(Some(to));
                }
                is_taken
            }))
        })?;
        was_taken(taken)
    })
}

/// Passes in what the host sends to a network: an IP packet or an Ethernet frame, as it was joined.
/// `ZT_ERROR_REJECTED` if it was dropped.
///
/// # Safety
///
/// `frame` is null or has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_engine_frame_in(
    engine: zt_engine,
    now_us: u64,
    network: u64,
    frame: *const u8,
    len: usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let frame = unsafe { read_slice(frame, len, "frame") }?;
        with(engine, |engine| Ok(engine.frame_in(now_us, NetworkId(network), frame)?))
    })
}

/// Takes out the next packet or frame for the host, and of which network it is. Results are as of
/// `zt_engine_datagram_out`.
///
/// # Safety
///
/// `buffer` is null or has room for `capacity` bytes; `len` and `network` are null or point to numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_engine_frame_out(
    engine: zt_engine,
    buffer: *mut u8,
    capacity: usize,
    len: *mut usize,
    network: *mut u64,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (buffer, len, network) = unsafe {
            (
                write_slice(buffer, capacity, "buffer")?,
                output(len, "len")?,
                output(network, "network")?,
            )
        };
        let taken = with(engine, |engine| {
            Ok(engine.frame_out(|of, frame| {
                let is_taken = copy(frame, buffer, len);
                if is_taken {
                    *network = of.0;
                }
                is_taken
            }))
        })?;
        was_taken(taken)
    })
}

/// Gives back the memory that the node can do without. Connections in use go on; others are found anew when
/// they are used. Take out what there is afterwards: who is forgotten is to be saved.
#[unsafe(no_mangle)]
pub extern "C" fn zt_engine_trim_memory(engine: zt_engine, now_us: u64) -> zt_result {
    boundary(|| with(engine, |engine| Ok(engine.trim_memory(now_us)?)))
}

/// Lets time pass up to `now_us`. Calling early is harmless; calling late delays what was due.
#[unsafe(no_mangle)]
pub extern "C" fn zt_engine_timeout(engine: zt_engine, now_us: u64) -> zt_result {
    boundary(|| {
        with(engine, |engine| {
            engine.timeout(now_us);
            Ok(())
        })
    })
}

/// Writes when to let time pass next, in us of the program's clock; `UINT64_MAX` if only a datagram, a
/// frame or a call can change anything.
///
/// # Safety
///
/// `out` is null or points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_engine_next_deadline(engine: zt_engine, out: *mut u64) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let out = unsafe { output(out, "out") }?;
        *out = with(engine, |engine| Ok(engine.next_deadline_us().unwrap_or(u64::MAX)))?;
        Ok(())
    })
}

/// Takes out the next event. `ZT_ERROR_WOULD_BLOCK` if there is none.
///
/// # Safety
///
/// `out` is null or points to a `zt_event` whose `struct_size` is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_engine_next_event(engine: zt_engine, out: *mut zt_event) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        unsafe { check_struct(out) }?;
        let event = with(engine, |engine| engine.next_event().ok_or_else(nothing))?;
        // SAFETY: as the caller promises.
        unsafe { write_struct(out, &translate(event)) }
    })
}

/// Takes out the next piece of state to save, and its name: the path of a file within a home directory.
/// `*is_removed` is 1 if what was kept under the name shall be forgotten. Results are as of
/// `zt_engine_datagram_out`; pieces of state have at most 64 KiB.
///
/// # Safety
///
/// `name` is null or has room for `ZT_STORE_NAME_LEN` bytes; `buffer` is null or has room for `capacity`
/// bytes; `len` and `is_removed` are null or point to numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_engine_store_out(
    engine: zt_engine,
    name: *mut [c_char; ZT_STORE_NAME_LEN],
    buffer: *mut u8,
    capacity: usize,
    len: *mut usize,
    is_removed: *mut u32,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (name, buffer, len, is_removed) = unsafe {
            (
                output(name, "name")?,
                write_slice(buffer, capacity, "buffer")?,
                output(len, "len")?,
                output(is_removed, "is_removed")?,
            )
        };
        let taken = with(engine, |engine| {
            Ok(engine.store_out(|stored| {
                let is_taken = copy(stored.bytes.as_deref().unwrap_or_default(), buffer, len);
                if is_taken {
                    *name = text(&stored.name);
                    *is_removed = stored.bytes.is_none().into();
                }
                is_taken
            }))
        })?;
        was_taken(taken)
    })
}

fn parse(text: &str) -> Result<SocketAddr, Failure> {
    text.parse().map_err(|_| Failure::argument(format!("{text:?} is no address and port")))
}

/// Copies if there is room, and says whether there was.
fn copy(from: &[u8], to: &mut [u8], len: &mut usize) -> bool {
    let Some(room) = to.get_mut(..from.len()) else { return false };
    room.copy_from_slice(from);
    *len = from.len();
    true
}

fn was_taken(taken: Option<bool>) -> Result<(), Failure> {
    match taken {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new(
            zt_result::ZT_ERROR_BUFFER_TOO_SMALL,
            "what is next has no room in the buffer",
        )),
        None => Err(nothing()),
    }
}

fn nothing() -> Failure {
    Failure::new(zt_result::ZT_ERROR_WOULD_BLOCK, "there is nothing to take")
}
