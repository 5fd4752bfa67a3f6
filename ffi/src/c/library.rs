//! The library itself: its version, what it says, and what it makes without a node.

use std::ffi::c_char;

use super::boundary::{boundary, patience};
use super::node::ZT_SECRET_IDENTITY_LEN;
use super::result::{Failure, zt_result};
use super::structs::{
    Growing, ZT_NAME_LEN, output, read_text, text, write_slice, write_struct, write_text,
};
use crate::facade::{
    LogLevel, PlanetRoot, generate_identity, make_planet, set_log_level, take_log_record,
    wait_for_log_record,
};

/// The version of this interface. It rises when something is added; what is there stays as it is.
pub const ZT_ABI_VERSION: u32 = 1;

/// Nothing is said.
pub const ZT_LOG_OFF: u32 = 0;
/// What stops a node is.
pub const ZT_LOG_ERROR: u32 = 1;
/// And what an operator should look at.
pub const ZT_LOG_WARN: u32 = 2;
/// And what a user would notice.
pub const ZT_LOG_INFO: u32 = 3;
/// And decisions. Shows physical addresses.
pub const ZT_LOG_DEBUG: u32 = 4;
/// And each packet.
pub const ZT_LOG_TRACE: u32 = 5;

/// Longest text of the log, with its end; longer ones are cut.
pub const ZT_LOG_LEN: usize = 512;

/// Room for a planet file, in bytes.
pub const ZT_PLANET_LEN: usize = 4_096;

/// Something the library said.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_log_record {
    /// `sizeof(zt_log_record)`.
    pub struct_size: u32,
    /// One of `ZT_LOG_*`.
    pub level: u32,
    /// The module that says it.
    pub target: [c_char; ZT_NAME_LEN],
    /// What it says, with its values.
    pub message: [c_char; ZT_LOG_LEN],
}

// SAFETY: integers and arrays of them only, the first of which is the size.
unsafe impl Growing for zt_log_record {
    const NAME: &'static str = "zt_log_record";
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// Returns the version of the interface of the library that was loaded. A program compiled for a later
/// one, `ZT_ABI_VERSION`, asks for what this library may not have.
///
/// Thread-safe. Does not wait.
#[unsafe(no_mangle)]
pub extern "C" fn zt_abi_version() -> u32 {
    ZT_ABI_VERSION
}

/// Sets how much is said from now on, in all nodes of the process: one of `ZT_LOG_*`. Nothing is,
/// unless this is called.
///
/// Thread-safe. Does not wait.
#[unsafe(no_mangle)]
pub extern "C" fn zt_log_set_level(level: u32) -> zt_result {
    boundary(|| {
        let level = match level {
            ZT_LOG_OFF => LogLevel::Off,
            ZT_LOG_ERROR => LogLevel::Error,
            ZT_LOG_WARN => LogLevel::Warn,
            ZT_LOG_INFO => LogLevel::Info,
            ZT_LOG_DEBUG => LogLevel::Debug,
            ZT_LOG_TRACE => LogLevel::Trace,
            _ => return Err(Failure::argument(format!("{level} is no level"))),
        };
        Ok(set_log_level(level)?)
    })
}

/// Takes the next thing said. Of more than 1024 that nobody takes the oldest are forgotten.
/// `ZT_ERROR_TIMEOUT` if there is none.
///
/// Thread-safe. Waits at most `timeout_ms`; negative is as long as a number can say.
///
/// # Safety
///
/// `out` is null or points to a `zt_log_record` whose `struct_size` is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_log_next(timeout_ms: i32, out: *mut zt_log_record) -> zt_result {
    boundary(|| {
        let waited = match patience(timeout_ms) {
            Some(patience) if patience.is_zero() => take_log_record(),
            Some(patience) => wait_for_log_record(patience),
            None => wait_for_log_record(std::time::Duration::from_millis(u32::MAX.into())),
        };
        let none = || Failure::new(zt_result::ZT_ERROR_TIMEOUT, "nothing was said");
        let record = waited.ok_or_else(none)?;
        let record = zt_log_record {
            struct_size: 0,
            level: match record.level {
                LogLevel::Off => ZT_LOG_OFF,
                LogLevel::Error => ZT_LOG_ERROR,
                LogLevel::Warn => ZT_LOG_WARN,
                LogLevel::Info => ZT_LOG_INFO,
                LogLevel::Debug => ZT_LOG_DEBUG,
                LogLevel::Trace => ZT_LOG_TRACE,
            },
            target: text(&record.target),
            message: text(&record.message),
        };
        // SAFETY: as the caller promises.
        unsafe { write_struct(out, &record) }
    })
}

/// Makes an identity and writes it with its private key, as text. Whoever has this is the node.
///
/// Thread-safe. Takes a second or two.
///
/// # Safety
///
/// `buffer` is null or has room for `capacity` bytes; `ZT_SECRET_IDENTITY_LEN` are enough.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_identity_generate(buffer: *mut c_char, capacity: usize) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let buffer = unsafe { write_slice(buffer, capacity, "buffer") }?;
        if capacity < ZT_SECRET_IDENTITY_LEN {
            let message = format!("an identity needs {ZT_SECRET_IDENTITY_LEN} bytes");
            return Err(Failure::new(zt_result::ZT_ERROR_BUFFER_TOO_SMALL, message));
        }
        let secret = zeroize::Zeroizing::new(generate_identity()?.secret.unwrap_or_default());
        write_text(&secret, buffer)
    })
}

/// Makes a planet of one root, of this identity and at this endpoint (`192.0.2.1:9993`), and writes it as
/// a planet file; `*len` is its length. Nobody can make a later revision of it: for that there is
/// `zt planet` of the command-line program.
///
/// Thread-safe. Takes some milliseconds.
///
/// # Safety
///
/// `identity` and `endpoint` are null or texts; `buffer` is null or has room for `capacity` bytes,
/// `ZT_PLANET_LEN` are enough; `len` is null or points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_planet_make(
    id: u64,
    identity: *const c_char,
    endpoint: *const c_char,
    buffer: *mut u8,
    capacity: usize,
    len: *mut usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises.
        let (identity, endpoint, buffer, len) = unsafe {
            (
                read_text(identity, "identity")?,
                read_text(endpoint, "endpoint")?,
                write_slice(buffer, capacity, "buffer")?,
                output(len, "len")?,
            )
        };
        let wrong = |_| Failure::argument(format!("{endpoint:?} is no address and port"));
        let endpoints = vec![endpoint.parse().map_err(wrong)?];
        let root = PlanetRoot { identity: identity.to_owned(), endpoints };
        let planet = make_planet(id, vec![root], None)?.planet;
        let Some(room) = buffer.get_mut(..planet.len()) else {
            let message = format!("the planet needs {} bytes", planet.len());
            return Err(Failure::new(zt_result::ZT_ERROR_BUFFER_TOO_SMALL, message));
        };
        room.copy_from_slice(&planet);
        *len = planet.len();
        Ok(())
    })
}
