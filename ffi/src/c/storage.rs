//! State the host keeps itself, in place of a home directory.

use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;

use super::boundary::boundary;
use super::result::{Failure, zt_result};
use super::structs::{Growing, read_slice};
use crate::facade::{Storage, StorageFailure};

/// What `zt_storage.read` and `zt_storage.list` answer into, by `zt_storage_put`. It is the library's, of
/// use during that call and on its thread only.
pub struct zt_sink {
    /// What was put into it, a piece a call.
    pieces: Vec<Vec<u8>>,
}

/// Writes what is kept under `name` by one `zt_storage_put`, or puts nothing if there is nothing. Returns
/// 0, or any other number if that cannot be told.
pub type zt_storage_read = Option<
    unsafe extern "C" fn(user_data: *mut c_void, name: *const c_char, to: *mut zt_sink) -> i32,
>;

/// Keeps `len` bytes under `name`, in place of what was there, which must not be lost meanwhile. Returns
/// 0, or any other number if what was there is still there.
pub type zt_storage_write = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        name: *const c_char,
        bytes: *const u8,
        len: usize,
    ) -> i32,
>;

/// Keeps nothing under `name` any more; that there was nothing is no error. Returns 0, or any other number
/// if it failed.
pub type zt_storage_remove =
    Option<unsafe extern "C" fn(user_data: *mut c_void, name: *const c_char) -> i32>;

/// Writes each name that begins with `prefix` and under which something is kept, in any order, by a
/// `zt_storage_put` of its own, without an end. Returns 0, or any other number if that cannot be told.
pub type zt_storage_list = Option<
    unsafe extern "C" fn(user_data: *mut c_void, prefix: *const c_char, to: *mut zt_sink) -> i32,
>;

/// Keeps what outlives a node, in place of a home directory. The struct is read during `zt_node_start`
/// only; the functions may be called until the node has been freed.
///
/// Names are those of the files there would be (`identity.secret`, `networks.d/….conf`): letters, digits,
/// dots and slashes. Whatever is written has to be read back, by this node and the next. No two nodes
/// share a storage.
///
/// Calls come one at a time, on threads of the library that may wait. They must not call the node. What
/// they are given is the library's, during the call only.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct zt_storage {
    /// `sizeof(zt_storage)`.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// What the functions are called with.
    pub user_data: *mut c_void,
    /// None of the functions may be null; what each does is said where its type is.
    pub read: zt_storage_read,
    /// Likewise.
    pub write: zt_storage_write,
    /// Likewise.
    pub remove: zt_storage_remove,
    /// Likewise.
    pub list: zt_storage_list,
}

// SAFETY: integers, a raw pointer and functions that may be null only, the first of which is the size.
unsafe impl Growing for zt_storage {
    const NAME: &'static str = "zt_storage";
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// Answers a `zt_storage.read` or `zt_storage.list`: the content, or one name.
///
/// To be called within those only, on their thread. Does not wait.
///
/// # Safety
///
/// `to` is null or what the callback was given; `bytes` is null or points to `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zt_storage_put(
    to: *mut zt_sink,
    bytes: *const c_void,
    len: usize,
) -> zt_result {
    boundary(|| {
        // SAFETY: as the caller promises; nobody else uses a sink while a callback has it.
        let (sink, bytes) = unsafe { (to.as_mut(), read_slice(bytes.cast::<u8>(), len, "bytes")?) };
        sink.ok_or_else(|| Failure::null("to"))?.pieces.push(bytes.to_vec());
        Ok(())
    })
}

/// The functions of a [`zt_storage`], none of which is null.
struct Functions {
    user_data: *mut c_void,
    read: unsafe extern "C" fn(*mut c_void, *const c_char, *mut zt_sink) -> i32,
    write: unsafe extern "C" fn(*mut c_void, *const c_char, *const u8, usize) -> i32,
    remove: unsafe extern "C" fn(*mut c_void, *const c_char) -> i32,
    list: unsafe extern "C" fn(*mut c_void, *const c_char, *mut zt_sink) -> i32,
}

// SAFETY: whoever gives the functions promises that they may be called, with this, on any thread.
unsafe impl Send for Functions {}
// SAFETY: likewise.
unsafe impl Sync for Functions {}

impl zt_storage {
    /// Returns a storage that calls the functions.
    pub(super) fn to_storage(self) -> Result<Arc<dyn Storage>, Failure> {
        let functions = (self.read, self.write, self.remove, self.list);
        let (Some(read), Some(write), Some(remove), Some(list)) = functions else {
            return Err(Failure::null("a function of zt_storage"));
        };
        let user_data = self.user_data;
        Ok(Arc::new(Functions { user_data, read, write, remove, list }))
    }
}

impl Storage for Functions {
    fn read(&self, name: String) -> Result<Option<Vec<u8>>, StorageFailure> {
        let (name, mut sink) = (terminated(name), zt_sink { pieces: Vec::new() });
        // SAFETY: whoever gave the function promises that it may be called with this; the name and the
        // sink outlive the call.
        done(unsafe { (self.read)(self.user_data, name.as_ptr(), &raw mut sink) })?;
        match sink.pieces.len() {
            0 | 1 => Ok(sink.pieces.pop()),
            _ => Err(failed("more than one content was put")),
        }
    }

    fn write(&self, name: String, bytes: Vec<u8>) -> Result<(), StorageFailure> {
        let name = terminated(name);
        // SAFETY: as above; `bytes` outlives the call.
        let code =
            unsafe { (self.write)(self.user_data, name.as_ptr(), bytes.as_ptr(), bytes.len()) };
        done(code)
    }

    fn remove(&self, name: String) -> Result<(), StorageFailure> {
        let name = terminated(name);
        // SAFETY: as above.
        done(unsafe { (self.remove)(self.user_data, name.as_ptr()) })
    }

    fn list(&self, prefix: String) -> Result<Vec<String>, StorageFailure> {
        let (prefix, mut sink) = (terminated(prefix), zt_sink { pieces: Vec::new() });
        // SAFETY: as above.
        done(unsafe { (self.list)(self.user_data, prefix.as_ptr(), &raw mut sink) })?;
        let names = sink.pieces.into_iter().map(String::from_utf8);
        names.map(|name| name.map_err(|_| failed("a name is not UTF-8"))).collect()
    }
}

fn terminated(name: String) -> CString {
    CString::new(name).expect("names are letters, digits, dots and slashes")
}

fn done(code: i32) -> Result<(), StorageFailure> {
    if code == 0 { Ok(()) } else { Err(failed(&format!("it returned {code}"))) }
}

fn failed(reason: &str) -> StorageFailure {
    StorageFailure::Failed { reason: reason.to_owned() }
}
