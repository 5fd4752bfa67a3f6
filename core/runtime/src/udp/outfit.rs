//! What every socket is given before it is used.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::Arc;

/// Lets the host keep a socket out of its own VPN; returns whether that worked.
pub(crate) type Protect = Arc<dyn Fn(RawFd) -> bool + Send + Sync>;

/// What the host wants of sockets.
#[derive(Clone, Default)]
pub(crate) struct Outfit {
    /// Asked about every socket before it is used. One that it refuses is not used.
    pub(crate) protect: Option<Protect>,
    /// The only interface sockets send and receive by.
    pub(crate) interface: Option<String>,
}

impl fmt::Debug for Outfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protect = self.protect.as_ref().map(|_| "..");
        f.debug_struct("Outfit")
            .field("protect", &protect)
            .field("interface", &self.interface)
            .finish()
    }
}

impl Outfit {
    /// Does to a socket what the host wants.
    ///
    /// # Errors
    ///
    /// Something of it cannot be had, and the socket must not be used.
    pub(crate) fn put_on(&self, socket: &socket2::Socket, address: SocketAddr) -> io::Result<()> {
        if let Some(interface) = &self.interface {
            bind_to_interface(socket, address, interface)?;
        }
        self.check(socket.as_raw_fd())
    }

    /// Has the host protect a socket.
    pub(super) fn check(&self, socket: RawFd) -> io::Result<()> {
        match &self.protect {
            Some(protect) if !protect(socket) => {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, "the host does not protect it"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Lets what the socket sends leave by this interface only, and nothing else arrive.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn bind_to_interface(
    socket: &socket2::Socket,
    _address: SocketAddr,
    interface: &str,
) -> io::Result<()> {
    socket.bind_device(Some(interface.as_bytes()))
}

#[cfg(any(target_os = "macos", target_os = "ios"))]
fn bind_to_interface(
    socket: &socket2::Socket,
    address: SocketAddr,
    interface: &str,
) -> io::Result<()> {
    let name = std::ffi::CString::new(interface)?;
    // SAFETY: the name is a C string that outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    let index = std::num::NonZeroU32::new(index).ok_or_else(io::Error::last_os_error)?;
    if address.is_ipv4() {
        socket.bind_device_by_index_v4(Some(index))
    } else {
        socket.bind_device_by_index_v6(Some(index))
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "ios"
)))]
fn bind_to_interface(
    _socket: &socket2::Socket,
    _address: SocketAddr,
    _interface: &str,
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
