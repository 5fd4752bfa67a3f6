//! What a call comes back with.

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::ptr;

use crate::facade::ZtError;

/// What a call came back with. Numbers are never used for anything else; more may be added, so treat
/// one you do not know by its hundreds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum zt_result {
    /// It was done.
    ZT_OK = 0,

    /// 1xx are the caller's faults. This one: a pointer that must not be null is null.
    ZT_ERROR_NULL_ARGUMENT = 100,
    /// The handle is none, of another kind, or has been freed.
    ZT_ERROR_INVALID_HANDLE = 101,
    /// An argument means nothing.
    ZT_ERROR_INVALID_ARGUMENT = 102,
    /// `struct_size` is less than the first version of the struct had, or more than this library knows
    /// and what it does not know is not zero.
    ZT_ERROR_STRUCT_SIZE = 103,
    /// What is to be written has no room.
    ZT_ERROR_BUFFER_TOO_SMALL = 104,
    /// A text is not UTF-8.
    ZT_ERROR_UTF8 = 105,
    /// The call waits, and was made on a thread that must not.
    ZT_ERROR_WOULD_DEADLOCK = 106,
    /// The descriptor is not open, or none packets can be exchanged by.
    ZT_ERROR_INVALID_DESCRIPTOR = 107,
    /// This system or this build has no such thing.
    ZT_ERROR_UNSUPPORTED = 108,

    /// 2xx: things are not in the state for it. This one: the node has stopped, or the queue has ended.
    ZT_ERROR_STOPPED = 200,
    /// It took too long. What was begun goes on by itself.
    ZT_ERROR_TIMEOUT = 201,
    /// There is nothing to take, or no room.
    ZT_ERROR_WOULD_BLOCK = 202,
    /// The network is not joined.
    ZT_ERROR_NOT_JOINED = 203,
    /// The network is another controller's.
    ZT_ERROR_NOT_CONTROLLER = 204,
    /// The node controls no such network.
    ZT_ERROR_UNKNOWN_NETWORK = 205,
    /// The network's packets go elsewhere.
    ZT_ERROR_NOT_PACKETS = 206,
    /// There is no such moon, pin or peer.
    ZT_ERROR_NOT_FOUND = 207,
    /// A bounded table is full.
    ZT_ERROR_TOO_MANY = 208,

    /// 3xx: the network and its peers. This one: nobody can be the controller of such a network.
    ZT_ERROR_INVALID_NETWORK = 300,
    /// The packet was dropped, or rules are not even asked about it.
    ZT_ERROR_REJECTED = 301,
    /// The UDP port, or the address, cannot be had.
    ZT_ERROR_BIND = 302,
    /// The planet or moon is not accepted.
    ZT_ERROR_WORLD = 303,
    /// The address or fingerprint cannot be that of the node meant.
    ZT_ERROR_WRONG_PEER = 304,

    /// 4xx: what is stored. This one: it cannot be read or written.
    ZT_ERROR_STORAGE = 400,
    /// The identity stored is none, or another than the one given.
    ZT_ERROR_CORRUPT_IDENTITY = 401,
    /// Something else that is stored cannot be understood.
    ZT_ERROR_CORRUPT_STATE = 402,
    /// A secret is sealed, and there is no storage key, another one, or it is damaged.
    ZT_ERROR_SEALED = 403,

    /// 5xx: the system, and the library. This one: the library has failed, which is a defect of it.
    ZT_ERROR_PANIC = 500,
    /// The system has no more threads, descriptors or random numbers.
    ZT_ERROR_OUT_OF_RESOURCES = 501,
    /// The process lacks the right to make an interface, or the host refused a socket.
    ZT_ERROR_NOT_PERMITTED = 502,
    /// The interface cannot be had.
    ZT_ERROR_INTERFACE = 503,
}

/// Why a call fails, and what is said of it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) result: zt_result,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(result: zt_result, message: impl Into<String>) -> Self {
        Self { result, message: message.into() }
    }

    pub(super) fn null(what: &str) -> Self {
        Self::new(zt_result::ZT_ERROR_NULL_ARGUMENT, format!("{what} is null"))
    }

    pub(super) fn argument(message: impl Into<String>) -> Self {
        Self::new(zt_result::ZT_ERROR_INVALID_ARGUMENT, message)
    }
}

impl From<ZtError> for Failure {
    fn from(error: ZtError) -> Self {
        Self { result: (&error).into(), message: error.to_string() }
    }
}

impl From<&ZtError> for zt_result {
    fn from(error: &ZtError) -> Self {
        match error {
            ZtError::InvalidArgument(_) => Self::ZT_ERROR_INVALID_ARGUMENT,
            ZtError::WouldDeadlock => Self::ZT_ERROR_WOULD_DEADLOCK,
            ZtError::InvalidDescriptor(_) => Self::ZT_ERROR_INVALID_DESCRIPTOR,
            ZtError::Unsupported(_) => Self::ZT_ERROR_UNSUPPORTED,
            ZtError::Stopped => Self::ZT_ERROR_STOPPED,
            ZtError::Timeout => Self::ZT_ERROR_TIMEOUT,
            ZtError::WouldBlock => Self::ZT_ERROR_WOULD_BLOCK,
            ZtError::NotJoined(_) => Self::ZT_ERROR_NOT_JOINED,
            ZtError::NotController { .. } => Self::ZT_ERROR_NOT_CONTROLLER,
            ZtError::UnknownNetwork(_) => Self::ZT_ERROR_UNKNOWN_NETWORK,
            ZtError::NotPackets(_) => Self::ZT_ERROR_NOT_PACKETS,
            ZtError::NotFound(_) => Self::ZT_ERROR_NOT_FOUND,
            ZtError::TooMany(_) => Self::ZT_ERROR_TOO_MANY,
            ZtError::InvalidNetwork(_) => Self::ZT_ERROR_INVALID_NETWORK,
            ZtError::Rejected(_) => Self::ZT_ERROR_REJECTED,
            ZtError::Bind(_) => Self::ZT_ERROR_BIND,
            ZtError::World(_) => Self::ZT_ERROR_WORLD,
            ZtError::WrongPeer(_) => Self::ZT_ERROR_WRONG_PEER,
            ZtError::Storage(_) => Self::ZT_ERROR_STORAGE,
            ZtError::CorruptIdentity(_) => Self::ZT_ERROR_CORRUPT_IDENTITY,
            ZtError::CorruptState(_) => Self::ZT_ERROR_CORRUPT_STATE,
            ZtError::Sealed(_) => Self::ZT_ERROR_SEALED,
            ZtError::Panic => Self::ZT_ERROR_PANIC,
            ZtError::OutOfResources(_) => Self::ZT_ERROR_OUT_OF_RESOURCES,
            ZtError::NotPermitted(_) => Self::ZT_ERROR_NOT_PERMITTED,
            ZtError::Interface(_) => Self::ZT_ERROR_INTERFACE,
        }
    }
}

thread_local! {
    /// What was wrong with the last call of this thread that failed.
    static MESSAGE: RefCell<Option<CString>> = const { RefCell::new(None) };
}

/// Keeps what is said of a failure for the thread that caused it.
pub(super) fn remember(failure: &Failure) {
    let text = failure.message.replace('\0', " ");
    // A thread that is ending keeps nothing.
    let _ = MESSAGE.try_with(|message| *message.borrow_mut() = CString::new(text).ok());
}

/// Returns what was wrong with the last call of this thread that failed, for people to read: who is at
/// fault, and what to do. Null if none has failed.
///
/// The text is the library's, and there until the next call of this thread that fails.
///
/// Thread-safe. Does not wait.
#[unsafe(no_mangle)]
pub extern "C" fn zt_error_message() -> *const c_char {
    let message = MESSAGE.try_with(|message| message.borrow().as_ref().map(|text| text.as_ptr()));
    message.ok().flatten().unwrap_or(ptr::null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_facade() {
        let network = zt_protocol::address::NetworkId(1);
        let me = zt_protocol::address::Address::NULL;
        let text = String::new;
        for error in [
            ZtError::InvalidArgument(text()),
            ZtError::WouldDeadlock,
            ZtError::InvalidDescriptor(text()),
            ZtError::Unsupported(text()),
            ZtError::Stopped,
            ZtError::Timeout,
            ZtError::WouldBlock,
            ZtError::NotJoined(network),
            ZtError::NotController { network, me },
            ZtError::UnknownNetwork(network),
            ZtError::NotPackets(network),
            ZtError::NotFound(text()),
            ZtError::TooMany(text()),
            ZtError::InvalidNetwork(network),
            ZtError::Rejected("malformed"),
            ZtError::Bind(text()),
            ZtError::World(text()),
            ZtError::WrongPeer(text()),
            ZtError::Storage(text()),
            ZtError::CorruptIdentity(text()),
            ZtError::CorruptState(text()),
            ZtError::Sealed(text()),
            ZtError::Panic,
            ZtError::OutOfResources(text()),
            ZtError::NotPermitted(text()),
            ZtError::Interface(text()),
        ] {
            assert_eq!(zt_result::from(&error) as i32, error.code(), "{error:?}");
        }
    }
}
