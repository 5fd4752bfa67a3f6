//! Where the packets of a network go.

use std::os::fd::{AsRawFd as _, BorrowedFd, IntoRawFd as _, OwnedFd};

use socket2::{Domain, Socket, Type};
use zt_protocol::address::NetworkId;
use zt_protocol::transmit;
use zt_runtime::Descriptor;

use super::error::ZtError;
use super::node::Node;

/// Room asked for in each direction of a packet socket, in bytes: some hundred full packets, which
/// is what a program of one thread is behind at most. The system may give less.
const SOCKET_BUFFER_LEN: usize = 1024 * 1024;

/// How a host takes part in a network.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[non_exhaustive]
pub enum Port {
    /// As a member only: packets for the host are dropped, until something is attached.
    None,
    /// By an interface for IP packets, which the node creates and configures. Needs rights.
    Tun {
        /// Its name; one derived from the network's ID if `None`.
        name: Option<String>,
    },
    /// By an interface for Ethernet frames, likewise.
    Tap {
        /// Its name; one derived from the network's ID if `None`.
        name: Option<String>,
    },
    /// By a descriptor of the host's, each read and write of which is one packet: a TUN device, or
    /// one end of a socket pair. The node uses a duplicate of it, so the host may close it at once;
    /// both are non-blocking from then on.
    Descriptor {
        /// The descriptor.
        fd: i32,
        /// What is exchanged.
        mode: PortMode,
        /// What stands in front of each packet.
        framing: Framing,
    },
    /// By packets the program passes in and takes out itself, in Rust, C or over JNI.
    Packets {
        /// What is exchanged.
        mode: PortMode,
    },
}

/// What is exchanged.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum PortMode {
    /// IP packets. The node resolves addresses itself.
    #[default]
    L3,
    /// Ethernet frames with their 14-byte headers. The host does its own address resolution.
    L2,
}

/// What stands in front of each packet on a descriptor.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Framing {
    /// Nothing.
    #[default]
    Plain,
    /// 4 bytes of address family, as on utun devices of Apple's systems.
    AddressFamily,
    /// 10 bytes of `struct virtio_net_hdr`, as on Linux devices with `IFF_VNET_HDR`. Offloads have
    /// to be off.
    Virtio,
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Node {
    /// Gives a joined network another port.
    ///
    /// A descriptor takes the place of another without loss: what the host has put into the old one
    /// is sent before it is closed.
    ///
    /// # Errors
    ///
    /// [`ZtError::NotJoined`], [`ZtError::InvalidDescriptor`], and what is wrong with the interface.
    pub async fn attach(&self, network: NetworkId, port: Port) -> Result<(), ZtError> {
        let port = port.open()?;
        Ok(self.handle.attach(network, port).await?)
    }

    /// Attaches a socket to a joined network and returns its other end, from which each read gives,
    /// and to which each write takes, one packet. The caller closes it.
    ///
    /// A host that does not read loses packets, as on any link; one that writes faster than the node
    /// sends has to wait until it is writable.
    ///
    /// # Errors
    ///
    /// [`ZtError::NotJoined`].
    pub async fn packet_socket(&self, network: NetworkId, mode: PortMode) -> Result<i32, ZtError> {
        let (ours, theirs) = pair()?;
        let framing = zt_runtime::Framing::Plain;
        let descriptor = Descriptor { fd: ours, mode: mode.into(), framing };
        self.handle.attach(network, zt_runtime::Port::Descriptor(descriptor)).await?;
        Ok(theirs.into_raw_fd())
    }
}

/// Makes a pair of sockets that keep packets apart; nothing is inherited by other programs.
fn pair() -> Result<(OwnedFd, OwnedFd), ZtError> {
    // One that also says when the other end is closed, where there is such a thing.
    let kind = if cfg!(target_vendor = "apple") { Type::DGRAM } else { Type::SEQPACKET };
    let failed = |error: std::io::Error| ZtError::OutOfResources(error.to_string());
    let (ours, theirs) = Socket::pair(Domain::UNIX, kind, None).map_err(failed)?;
    for socket in [&ours, &theirs] {
        // Less is enough to work with.
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_LEN);
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_LEN);
    }
    Ok((ours.into(), theirs.into()))
}

impl Port {
    /// Opens what the runtime is to use.
    pub(super) fn open(self) -> Result<zt_runtime::Port, ZtError> {
        Ok(match self {
            Self::None => zt_runtime::Port::None,
            Self::Tun { name } => zt_runtime::Port::Tun { name },
            Self::Tap { name } => zt_runtime::Port::Tap { name },
            Self::Packets { mode: PortMode::L3 } => zt_runtime::Port::Packets,
            Self::Packets { mode: PortMode::L2 } => zt_runtime::Port::Frames,
            Self::Descriptor { fd, mode, framing } => {
                let (fd, mode, framing) = (duplicate(fd)?, mode.into(), framing.into());
                zt_runtime::Port::Descriptor(Descriptor { fd, mode, framing })
            }
        })
    }
}

/// Returns another descriptor of what the host's `fd` stands for.
fn duplicate(fd: i32) -> Result<OwnedFd, ZtError> {
    if fd < 0 {
        return Err(ZtError::InvalidDescriptor(format!("{fd} is none")));
    }
    // SAFETY: the descriptor is not negative, and it is used for nothing but asking the system for a
    // duplicate, which refuses if it is not open. That it stays the host's during the call is what
    // the host promises by passing it.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    let failed = |error| ZtError::InvalidDescriptor(format!("{}: {error}", borrowed.as_raw_fd()));
    borrowed.try_clone_to_owned().map_err(failed)
}

impl From<PortMode> for transmit::PortMode {
    fn from(mode: PortMode) -> Self {
        match mode {
            PortMode::L3 => Self::L3,
            PortMode::L2 => Self::L2,
        }
    }
}

impl From<Framing> for zt_runtime::Framing {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::Plain => Self::Plain,
            Framing::AddressFamily => Self::AddressFamily,
            Framing::Virtio => Self::Virtio,
        }
    }
}
