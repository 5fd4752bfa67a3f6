//! One UDP socket.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd as _, RawFd};
use std::task::Context;

use quinn_udp::{UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use zt_protocol::endpoint::SocketId;

use crate::limits::{SEND_PATIENCE, SOCKET_BUFFER_LEN};
use crate::udp::gso::Run;
use crate::udp::outfit::Outfit;
use crate::udp::{BindError, ReceiveBatch};

/// A UDP socket and what the node calls it.
pub(super) struct Socket {
    pub(super) id: SocketId,
    pub(super) bound: SocketAddr,
    io: UdpSocket,
    offload: UdpSocketState,
    /// The host made it, so it cannot be made again.
    is_adopted: bool,
}

impl Socket {
    /// Opens a socket at `address`.
    pub(super) fn open(id: SocketId, address: SocketAddr, outfit: &Outfit) -> io::Result<Self> {
        let socket =
            socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        outfit.put_on(&socket, address)?;
        socket.bind(&address.into())?;
        Self::over(id, socket, address, false)
    }

    /// Takes over a socket that is bound already, and prepared by whoever did that.
    pub(super) fn adopt(
        id: SocketId,
        socket: std::net::UdpSocket,
        outfit: &Outfit,
    ) -> Result<Self, BindError> {
        let address = socket.local_addr().unwrap_or(SocketAddr::from(([0; 4], 0)));
        let adopted = outfit
            .check(socket.as_raw_fd())
            .and_then(|()| Self::over(id, socket.into(), address, true));
        adopted.map_err(|source| BindError::new(address, source))
    }

    /// Opens the socket anew, under the same ID and at the same address, unless it was adopted.
    pub(super) fn reopen(self, outfit: &Outfit) -> Result<Self, SocketId> {
        if self.is_adopted {
            return Ok(self);
        }
        let (id, address) = (self.id, self.bound);
        drop(self);
        Self::open(id, address, outfit).map_err(|error| {
            log::warn!(address:?, error:%; "a socket cannot be opened again");
            id
        })
    }

    fn over(
        id: SocketId,
        socket: socket2::Socket,
        address: SocketAddr,
        is_adopted: bool,
    ) -> io::Result<Self> {
        // Larger than some systems allow; what they give will do.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_LEN);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_LEN);
        socket.set_nonblocking(true)?;

        let offload = UdpSocketState::new(UdpSockRef::from(&socket))?;
        allow_fragmentation(&socket, address);
        mark(&socket);
        let io = UdpSocket::from_std(socket.into())?;
        let bound = io.local_addr()?;

        Ok(Self { id, io, offload, bound, is_adopted })
    }

    /// Returns whether the socket stands for every address of its family.
    pub(super) const fn is_wildcard(&self) -> bool {
        self.bound.ip().is_unspecified()
    }

    /// Waits until there are datagrams. An error is reported by the read that follows.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> bool {
        self.io.poll_recv_ready(cx).is_ready()
    }

    /// Reads what there is into `batch`, which is empty if there is nothing.
    pub(super) fn receive(&self, batch: &mut ReceiveBatch) {
        let read = self.io.try_io(Interest::READABLE, || {
            batch.fill(|buffers, meta| self.offload.recv((&self.io).into(), buffers, meta))
        });
        if let Err(error) = read
            && error.kind() != io::ErrorKind::WouldBlock
        {
            log::debug!(error:%; "a socket reports an error");
        }
    }

    /// Returns the socket itself, for the host to look at.
    pub(super) fn as_raw_fd(&self) -> RawFd {
        self.io.as_raw_fd()
    }

    /// Tries segmentation again if it was given up.
    pub(super) fn retry_offload(&mut self) {
        match UdpSocketState::new(UdpSockRef::from(&self.io)) {
            Ok(offload) => {
                self.offload = offload;
                allow_fragmentation(&self.io, self.bound);
            }
            Err(error) => log::debug!(error:%; "a socket keeps its settings"),
        }
    }

    /// Returns where peers may reach this socket, given the machine's addresses.
    pub(super) fn reachable_at(&self, physical: &[IpAddr]) -> Vec<SocketAddr> {
        if !self.bound.ip().is_unspecified() {
            return vec![self.bound];
        }
        let same_family = |ip: &&IpAddr| ip.is_ipv4() == self.bound.is_ipv4();
        physical.iter().filter(same_family).map(|&ip| (ip, self.bound.port()).into()).collect()
    }

    /// Sends `bytes`, one run, from `source`.
    pub(super) async fn send(
        &self,
        run: &Run,
        source: Option<IpAddr>,
        bytes: &[u8],
    ) -> io::Result<()> {
        if let Some(hops) = run.hops {
            return self.send_short_lived(run, hops, bytes);
        }

        let mut rest = bytes;
        let mut waited = false;
        while !rest.is_empty() {
            let len = rest.len().min(run.datagram_len * self.offload.max_gso_segments());
            let segments = self.offload.max_gso_segments();
            match self.try_send(run, source, &rest[..len]) {
                Ok(()) => rest = &rest[len..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !waited => {
                    waited = true;
                    let _ = tokio::time::timeout(SEND_PATIENCE, self.io.writable()).await;
                }
                // The interface cannot segment: the same bytes again, datagram by datagram.
                Err(_) if self.offload.max_gso_segments() < segments => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn try_send(&self, run: &Run, source: Option<IpAddr>, contents: &[u8]) -> io::Result<()> {
        let transmit = quinn_udp::Transmit {
            destination: run.path.remote,
            ecn: None,
            contents,
            segment_size: (contents.len() > run.datagram_len).then_some(run.datagram_len),
            src_ip: source,
        };
        self.io.try_io(Interest::WRITABLE, || self.offload.try_send((&self.io).into(), &transmit))
    }

    /// Sends one datagram that passes at most `hops` routers.
    fn send_short_lived(&self, run: &Run, hops: u8, datagram: &[u8]) -> io::Result<()> {
        let socket = SockRef::from(&self.io);
        // The option is the socket's, not the datagram's, so it is set for the length of one call.
        if self.bound.is_ipv4() {
            let usual = socket.ttl_v4()?;
            socket.set_ttl_v4(u32::from(hops))?;
            let sent = self.io.try_send_to(datagram, run.path.remote);
            socket.set_ttl_v4(usual)?;
            sent.map(drop)
        } else {
            let usual = socket.unicast_hops_v6()?;
            socket.set_unicast_hops_v6(u32::from(hops))?;
            let sent = self.io.try_send_to(datagram, run.path.remote);
            socket.set_unicast_hops_v6(usual)?;
            sent.map(drop)
        }
    }
}

/// Marks what the socket sends as this node's own, so that no default route through a network takes
/// it (see [`policy`](crate::host::policy)).
#[cfg(target_os = "linux")]
pub(crate) fn mark(socket: &socket2::Socket) {
    // Whoever has marked the socket already had a reason.
    let is_marked = socket.mark().is_ok_and(|mark| mark != 0);
    if !is_marked && let Err(error) = socket.set_mark(crate::host::policy::MARK) {
        // It takes the same right to make an interface, without which there are no such routes.
        log::debug!(error:%; "datagrams are not marked");
    }
}

/// Elsewhere this version sets no routes.
#[cfg(not(target_os = "linux"))]
pub(crate) fn mark(_socket: &socket2::Socket) {}

/// Lets the system fragment datagrams that are too long for a link.
///
/// Peers announce no MTU and nobody searches for one; a datagram of the protocol's usual length
/// must get through links that are narrower than Ethernet (PPPoE, mobile networks, tunnels).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn allow_fragmentation(socket: &impl std::os::fd::AsFd, bound: SocketAddr) {
    let options: &[(libc::c_int, libc::c_int, libc::c_int)] = if bound.is_ipv4() {
        &[(libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DONT)]
    } else {
        &[
            (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_DONT),
            (libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG, 0),
        ]
    };

    for &(level, name, value) in options {
        if let Err(error) = set_option(socket, level, name, value) {
            log::debug!(error:%; "long datagrams may not pass narrow links");
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn allow_fragmentation(_socket: &impl std::os::fd::AsFd, _bound: SocketAddr) {}

/// Sets an integer socket option that `socket2` has no name for.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_option(
    socket: &impl std::os::fd::AsFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;

    const VALUE_LEN: libc::socklen_t = size_of::<libc::c_int>() as libc::socklen_t;

    // SAFETY: the descriptor is borrowed from `socket` and thus open; the kernel reads `VALUE_LEN`
    // bytes from a pointer to a value that is as long and outlives the call.
    let result = unsafe {
        let fd = socket.as_fd().as_raw_fd();
        libc::setsockopt(fd, level, name, (&raw const value).cast(), VALUE_LEN)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
