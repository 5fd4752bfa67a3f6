//! The UDP sockets: one per address family, or one per address asked for.
//!
//! A wildcard socket stands for all addresses of the machine, but a path is between two addresses:
//! whoever wrote to one of ours expects the answer from it. So each local address a datagram
//! arrives at gets a [`SocketId`] of its own, and what is sent on that ID leaves from that address.

mod batch;
mod gso;
mod local;
mod sources;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use quinn_udp::{UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use zt_protocol::endpoint::Path;

use crate::limits::{SEND_PATIENCE, SOCKET_BUFFER_LEN};

pub(crate) use batch::ReceiveBatch;
pub(crate) use gso::GsoQueue;
use gso::Run;
use sources::Sources;

/// Why no socket could be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody else has the port.
    #[error("UDP port {} is in use: stop the other program or choose another port", .0.port())]
    PortInUse(SocketAddr),
    /// The address cannot be bound.
    #[error("cannot open a UDP socket at {address}: {source}")]
    Refused {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// Where a node listens.
#[derive(Debug)]
pub(crate) enum Bind {
    /// At every address of the machine, IPv4 and IPv6, on this port; any free one if 0.
    Everywhere(u16),
    /// At these addresses and no others.
    At(Vec<SocketAddr>),
    /// On these sockets, which are bound already.
    On(Vec<std::net::UdpSocket>),
}

/// The sockets of one node.
pub(crate) struct Sockets {
    sockets: Vec<Socket>,
    sources: Sources,
    /// Addresses this node has on virtual networks, at which no physical datagram can arrive.
    virtual_addresses: Vec<IpAddr>,
    /// Which socket is asked first whether it has something, so that none starves the others.
    next: usize,
    dropped: u64,
}

struct Socket {
    io: UdpSocket,
    offload: UdpSocketState,
    bound: SocketAddr,
}

impl Sockets {
    /// Opens the sockets.
    ///
    /// # Errors
    ///
    /// [`BindError`] if an address asked for cannot be had, or neither family can.
    pub(crate) fn bind(bind: Bind) -> Result<Self, BindError> {
        let sockets = match bind {
            Bind::Everywhere(port) => Self::bind_everywhere(port)?,
            Bind::At(addresses) => {
                addresses.into_iter().map(Socket::bind).collect::<Result<_, _>>()?
            }
            Bind::On(sockets) => {
                sockets.into_iter().map(Socket::adopt).collect::<Result<_, _>>()?
            }
        };
        let sources = Sources::new(sockets.iter().map(|socket| socket.bound.ip()));

        Ok(Self { sockets, sources, virtual_addresses: Vec::new(), next: 0, dropped: 0 })
    }

    /// Opens a socket per address family, on one port. A host without one of them does with the
    /// other.
    fn bind_everywhere(port: u16) -> Result<Vec<Socket>, BindError> {
        let v4 = Socket::bind((Ipv4Addr::UNSPECIFIED, port).into());
        if let Err(BindError::PortInUse(_)) = v4 {
            return Ok(vec![v4?]);
        }

        let port = v4.as_ref().map_or(port, |socket| socket.bound.port());
        match (v4, Socket::bind((Ipv6Addr::UNSPECIFIED, port).into())) {
            (Ok(v4), Ok(v6)) => Ok(vec![v4, v6]),
            (Ok(one), Err(error)) | (Err(error), Ok(one)) => {
                log::info!(error:%; "one address family is not available");
                Ok(vec![one])
            }
            (Err(error), Err(_)) => Err(error),
        }
    }

    /// Returns where the sockets are bound.
    pub(crate) fn bound(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|socket| socket.bound).collect()
    }

    /// Returns how many datagrams could not be sent or did not come from outside.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Says which addresses this node has on virtual networks.
    ///
    /// A path to a peer's virtual address would lead through the network it is to carry.
    pub(crate) fn set_virtual_addresses(&mut self, addresses: Vec<IpAddr>) {
        self.virtual_addresses = addresses;
    }

    /// Looks up the machine's addresses; returns those at which peers may reach this node.
    ///
    /// `ours` names the node's own interfaces.
    pub(crate) fn refresh(&mut self, ours: &[&str]) -> Vec<SocketAddr> {
        let addresses = local::look_up(ours).unwrap_or_else(|error| {
            log::warn!(error:%; "cannot look up the machine's addresses");
            local::Addresses::default()
        });

        if self.sources.keep(&addresses.all) {
            // Sending from an address that is gone fails as sending segments does where that is
            // not supported, so segmentation may have been given up without cause.
            self.sockets.iter_mut().for_each(Socket::retry_offload);
        }
        self.sockets.iter().flat_map(|socket| socket.reachable_at(&addresses.reachable)).collect()
    }

    /// Waits until a socket has datagrams; returns which.
    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        for turn in 0..self.sockets.len() {
            let index = (self.next + turn) % self.sockets.len();
            // An error is reported by the read that follows.
            if self.sockets[index].io.poll_recv_ready(cx).is_ready() {
                self.next = index + 1;
                return Poll::Ready(index);
            }
        }
        Poll::Pending
    }

    /// Reads what socket `index` has into `batch`, which is empty if it has nothing.
    pub(crate) fn receive(&mut self, index: usize, batch: &mut ReceiveBatch) {
        let socket = &self.sockets[index];
        let read = socket.io.try_io(Interest::READABLE, || {
            batch.fill(|buffers, meta| socket.offload.recv((&socket.io).into(), buffers, meta))
        });
        if let Err(error) = read
            && error.kind() != io::ErrorKind::WouldBlock
        {
            log::debug!(error:%; "a socket reports an error");
        }

        let Self { sources, virtual_addresses, dropped, .. } = self;
        batch.label(|remote, local_ip| {
            if local_ip.is_some_and(|ip| virtual_addresses.contains(&ip)) {
                *dropped += 1;
                return None;
            }
            Some(Path { local: sources.id(index, local_ip), remote })
        });
    }

    /// Sends everything in `queue` but what is for the TCP relay, and empties it.
    pub(crate) async fn send(&mut self, queue: &mut GsoQueue) {
        let by_udp = |(run, _): &(Run, &[u8])| !run.path.is_through_tcp_relay();
        for (run, bytes) in queue.runs().filter(by_udp) {
            for source in self.sources.of(run.path.local) {
                let socket = &self.sockets[source.socket];
                if socket.bound.is_ipv4() != run.path.remote.is_ipv4() {
                    continue;
                }
                if let Err(error) = socket.send(&run, source.ip, bytes).await {
                    self.dropped += 1;
                    log::trace!(path:? = run.path, error:%; "cannot send");
                }
            }
        }
        queue.clear();
    }
}

impl Socket {
    fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::open(address).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::PortInUse(address),
            _ => BindError::Refused { address, source },
        })
    }

    /// Takes over a socket that is bound already.
    fn adopt(socket: std::net::UdpSocket) -> Result<Self, BindError> {
        let address = socket.local_addr().unwrap_or(SocketAddr::from(([0; 4], 0)));
        Self::over(socket.into(), address).map_err(|source| BindError::Refused { address, source })
    }

    fn open(address: SocketAddr) -> io::Result<Self> {
        let socket =
            socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        Self::over(socket, address)
    }

    fn over(socket: socket2::Socket, address: SocketAddr) -> io::Result<Self> {
        // Larger than some systems allow; what they give will do.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_LEN);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_LEN);
        socket.set_nonblocking(true)?;

        let offload = UdpSocketState::new(UdpSockRef::from(&socket))?;
        allow_fragmentation(&socket, address);
        mark(&socket);
        let io = UdpSocket::from_std(socket.into())?;
        let bound = io.local_addr()?;

        Ok(Self { io, offload, bound })
    }

    /// Tries segmentation again if it was given up.
    fn retry_offload(&mut self) {
        match UdpSocketState::new(UdpSockRef::from(&self.io)) {
            Ok(offload) => {
                self.offload = offload;
                allow_fragmentation(&self.io, self.bound);
            }
            Err(error) => log::debug!(error:%; "a socket keeps its settings"),
        }
    }

    /// Returns where peers may reach this socket, given the machine's addresses.
    fn reachable_at(&self, physical: &[IpAddr]) -> Vec<SocketAddr> {
        if !self.bound.ip().is_unspecified() {
            return vec![self.bound];
        }
        let same_family = |ip: &&IpAddr| ip.is_ipv4() == self.bound.is_ipv4();
        physical.iter().filter(same_family).map(|&ip| (ip, self.bound.port()).into()).collect()
    }

    /// Sends `bytes`, one run, from `source`.
    async fn send(&self, run: &Run, source: Option<IpAddr>, bytes: &[u8]) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use zt_protocol::endpoint::SocketId;
    use zt_protocol::transmit::{Cut, Transmit as _};

    use super::*;

    const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    #[tokio::test]
    async fn what_is_queued_arrives_as_it_was_cut() {
        let mut sender = Sockets::bind(Bind::At(vec![LOOPBACK])).unwrap();
        let mut receiver = Sockets::bind(Bind::At(vec![LOOPBACK])).unwrap();
        let path = Path { local: SocketId(0), remote: receiver.bound()[0] };
        let mut queue = GsoQueue::default();
        let mut expected = Vec::new();
        for tag in 0..20 {
            let cut = Cut::even(2_838, 1_432).unwrap();
            queue.reserve(path, cut).unwrap().fill(tag);
            expected.extend([vec![tag; 1_427], vec![tag; 1_427]]);
        }
        queue.send_short_lived(path, 1, b"short-lived");
        expected.push(b"short-lived".to_vec());

        sender.send(&mut queue).await;

        let from = sender.bound()[0];
        let received = receive(&mut receiver, expected.len()).await;
        assert!(received.iter().all(|(path, _)| path.remote == from));
        let datagrams: Vec<_> = received.into_iter().map(|(_, datagram)| datagram).collect();
        assert_eq!(datagrams, expected);
        assert_eq!(queue.runs().count(), 0);
    }

    #[tokio::test]
    async fn a_path_on_all_sockets_uses_those_of_its_family() {
        let v6 = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0);
        // A machine without IPv6 has nothing to show here.
        let Ok(mut sender) = Sockets::bind(Bind::At(vec![LOOPBACK, v6])) else { return };
        let mut receiver = Sockets::bind(Bind::At(vec![v6])).unwrap();
        let mut queue = GsoQueue::default();

        queue
            .reserve(Path::from_all(receiver.bound()[0]), Cut::whole(3))
            .unwrap()
            .copy_from_slice(b"all");
        sender.send(&mut queue).await;

        let received = receive(&mut receiver, 1).await;
        assert_eq!(received[0].0.remote, sender.bound()[1]);
        assert_eq!(sender.dropped(), 0);
    }

    #[tokio::test]
    async fn a_wildcard_socket_answers_from_the_address_it_was_asked_at() {
        let mut server = Sockets::bind(Bind::Everywhere(0)).unwrap();
        let asked_at = SocketAddr::new([127, 0, 0, 2].into(), server.bound()[0].port());
        let client = UdpSocket::bind(LOOPBACK).await.unwrap();

        client.send_to(b"question", asked_at).await.unwrap();
        let received = receive(&mut server, 1).await;
        let mut queue = GsoQueue::default();
        queue.reserve(received[0].0, Cut::whole(6)).unwrap().copy_from_slice(b"answer");
        server.send(&mut queue).await;

        let mut answer = [0; 16];
        let (_, from) = client.recv_from(&mut answer).await.unwrap();
        assert_eq!(from, asked_at);
    }

    #[tokio::test]
    async fn datagrams_to_a_virtual_address_are_not_taken_for_physical_ones() {
        let mut server = Sockets::bind(Bind::Everywhere(0)).unwrap();
        let port = server.bound()[0].port();
        let client = UdpSocket::bind(LOOPBACK).await.unwrap();
        server.set_virtual_addresses(vec![IpAddr::from([127, 0, 0, 2])]);

        client.send_to(b"inside", SocketAddr::from(([127, 0, 0, 2], port))).await.unwrap();
        client.send_to(b"outside", SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap();
        let received = receive(&mut server, 1).await;

        assert_eq!(received[0].1, b"outside");
        assert_eq!(server.dropped(), 1);
    }

    #[tokio::test]
    async fn a_port_in_use_is_named() {
        let first = Sockets::bind(Bind::Everywhere(0)).unwrap();
        let port = first.bound()[0].port();

        let Err(error) = Sockets::bind(Bind::Everywhere(port)) else { panic!("bound twice") };

        assert_eq!(
            error.to_string(),
            format!("UDP port {port} is in use: stop the other program or choose another port")
        );
    }

    /// Receives until `count` datagrams have come.
    async fn receive(sockets: &mut Sockets, count: usize) -> Vec<(Path, Vec<u8>)> {
        let mut batch = ReceiveBatch::new();
        let mut received = Vec::new();
        while received.len() < count {
            let readable = poll_fn(|cx| sockets.poll_readable(cx));
            let index = tokio::time::timeout(Duration::from_secs(10), readable).await.unwrap();
            sockets.receive(index, &mut batch);
            while let Some((path, datagram)) = batch.next() {
                received.push((path, datagram.to_vec()));
            }
        }
        received
    }
}
