//! The UDP sockets of a node: one for each of the machine's addresses and each of the node's ports,
//! or for each address asked for.
//!
//! ```text
//!   Bind::Everywhere   primary, secondary and further ports × the addresses of `interfaces`, as
//!                      they come and go; on phones, and while there are none, × 0.0.0.0 and ::,
//!                      but none while the user wants all there are avoided
//!   Bind::At, ::On     what was asked for, for good
//! ```
//!
//! A path is between two addresses: whoever wrote to one of ours expects the answer from it. So
//! each local address has a [`SocketId`] of its own, on a wildcard socket as well, and what is sent
//! on that ID leaves from that address. The ID goes with the address, and is never another's.
//!
//! Sockets are bound to addresses, not to devices: several nodes on one machine reach each other by
//! any of its addresses, and where a datagram leaves is a matter of routing.

mod batch;
mod gso;
mod outfit;
pub(crate) mod ports;
mod socket;
mod sources;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use zt_protocol::endpoint::{Path, SocketId};

use crate::interfaces::Addresses;
use crate::limits::SOCKETS_MAX;

pub(crate) use batch::ReceiveBatch;
pub(crate) use gso::GsoQueue;
pub(crate) use outfit::{Outfit, Protect};
use socket::Socket;
pub(crate) use socket::mark;
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

impl BindError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse(address),
            _ => Self::Refused { address, source },
        }
    }
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
    /// Those of the first port first.
    sockets: Vec<Socket>,
    /// The ports bound at every address, the primary first; `None` if addresses were asked for.
    ports: Option<Vec<u16>>,
    outfit: Outfit,
    ids: Ids,
    sources: Sources,
    /// Addresses this node has on virtual networks, at which no physical datagram can arrive.
    virtual_addresses: Vec<IpAddr>,
    /// Which socket is asked first whether it has something, so that none starves the others.
    next: usize,
    dropped: u64,
}

/// Gives out IDs, none of them twice.
#[derive(Debug, Default)]
struct Ids(u32);

impl Ids {
    fn next(&mut self) -> SocketId {
        let id = SocketId(self.0);
        // The last two stand for all sockets and for the TCP relay.
        self.0 = (self.0 + 1) % SocketId::TCP_RELAY.0;
        id
    }
}

impl Sockets {
    /// Opens the sockets; at every address, those of the primary port.
    ///
    /// # Errors
    ///
    /// [`BindError`] if an address asked for cannot be had, the port asked for is in use at any
    /// of the machine's, or none of these can be had.
    pub(crate) fn bind(
        bind: Bind,
        outfit: Outfit,
        addresses: &Addresses,
    ) -> Result<Self, BindError> {
        let mut sockets = Self {
            sockets: Vec::new(),
            ports: None,
            outfit,
            ids: Ids::default(),
            sources: Sources::default(),
            virtual_addresses: Vec::new(),
            next: 0,
            dropped: 0,
        };
        match bind {
            Bind::Everywhere(port) => {
                let port = if port == 0 { sockets.bind_any(addresses)? } else { port };
                let failures = sockets.bind_port(port, addresses);
                let is_deaf = sockets.sockets.is_empty();
                // With a port at some addresses only, it would be chance who reaches the node.
                let matters =
                    |error: &BindError| is_deaf || matches!(error, BindError::PortInUse(_));
                if let Some(error) = failures.into_iter().find(matters) {
                    return Err(error);
                }
                sockets.ports = Some(vec![port]);
            }
            Bind::At(addresses) => {
                for address in addresses {
                    let socket = Socket::open(sockets.ids.next(), address, &sockets.outfit);
                    sockets.sockets.push(socket.map_err(|e| BindError::new(address, e))?);
                }
            }
            Bind::On(bound) => {
                for socket in bound {
                    let socket = Socket::adopt(sockets.ids.next(), socket, &sockets.outfit)?;
                    sockets.sockets.push(socket);
                }
            }
        }
        Ok(sockets)
    }

    /// Binds one more port at every address, the first free one from `start` on, and returns it.
    /// `None` if addresses were asked for, or none is free.
    pub(crate) fn add_port(&mut self, start: u16, addresses: &Addresses) -> Option<u16> {
        self.ports.as_ref()?;
        let port = self.bind_one_of(ports::from(start), addresses)?;
        self.ports.get_or_insert_default().push(port);
        Some(port)
    }

    /// Binds this port too at every address, where it is free.
    pub(crate) fn add_exact_port(&mut self, port: u16, addresses: &Addresses) {
        if self.ports.is_some() {
            for error in self.bind_port(port, addresses) {
                log::warn!(error:%; "a further port is not used everywhere");
            }
            self.ports.get_or_insert_default().push(port);
        }
    }

    /// Gives up a port for another one, the first free from `start` on; returns that one, and the
    /// sockets that are gone.
    pub(crate) fn exchange_port(
        &mut self,
        old: u16,
        start: u16,
        addresses: &Addresses,
    ) -> (Option<u16>, Vec<SocketId>) {
        let Some(index) = self.ports.iter().flatten().position(|&port| port == old) else {
            return (None, Vec::new());
        };
        let Some(new) = self.bind_one_of(ports::from(start), addresses) else {
            return (None, Vec::new());
        };
        if let Some(port) = self.ports.iter_mut().flatten().nth(index) {
            *port = new;
        }
        (Some(new), self.close(|socket| socket.bound.port() == old))
    }

    /// Binds a port that is free at every address, and returns it.
    fn bind_any(&mut self, addresses: &Addresses) -> Result<u16, BindError> {
        let start = ports::random();
        let nowhere = (Ipv4Addr::UNSPECIFIED, start).into();
        self.bind_one_of(ports::from(start), addresses).ok_or(BindError::PortInUse(nowhere))
    }

    /// Binds the first of these ports that is free at every address.
    fn bind_one_of(
        &mut self,
        candidates: impl IntoIterator<Item = u16>,
        addresses: &Addresses,
    ) -> Option<u16> {
        for port in candidates {
            let before = self.sockets.len();
            let failures = self.bind_port(port, addresses);
            let in_use = failures.iter().any(|error| matches!(error, BindError::PortInUse(_)));
            if !in_use {
                return Some(port);
            }
            self.sockets.truncate(before);
        }
        None
    }

    /// Opens what is missing of the sockets of one port; returns what could not be opened.
    fn bind_port(&mut self, port: u16, addresses: &Addresses) -> Vec<BindError> {
        let mut failures = Vec::new();
        for ip in places(addresses) {
            let address = SocketAddr::new(ip, port);
            let is_bound = self.sockets.iter().any(|socket| socket.bound == address);
            if is_bound || self.sockets.len() >= SOCKETS_MAX {
                continue;
            }
            match Socket::open(self.ids.next(), address, &self.outfit) {
                Ok(socket) => self.sockets.push(socket),
                Err(source) => {
                    log::debug!(address:?, source:%; "a socket cannot be opened");
                    failures.push(BindError::new(address, source));
                }
            }
        }
        failures
    }

    /// Goes by the machine's addresses as they are by now: closes sockets at those that are gone
    /// and opens what is missing. Returns the IDs that stand for nothing any more.
    pub(crate) fn follow(&mut self, addresses: &Addresses) -> Vec<SocketId> {
        let mut closed = Vec::new();
        if let Some(ports) = self.ports.clone() {
            let places = places(addresses);
            closed = self.close(|socket| !places.contains(&socket.bound.ip()));
            for port in ports {
                self.bind_port(port, addresses);
            }
        }
        let lost = self.sources.keep(&addresses.all);
        if !lost.is_empty() {
            // Sending from an address that is gone fails as sending segments does where that is
            // not supported, so segmentation may have been given up without cause.
            self.sockets.iter_mut().for_each(Socket::retry_offload);
        }
        closed.extend(lost);
        closed
    }

    /// Opens every socket anew where it is; returns the IDs of those that cannot be.
    pub(crate) fn rebind(&mut self) -> Vec<SocketId> {
        let mut lost = Vec::new();
        for socket in std::mem::take(&mut self.sockets) {
            match socket.reopen(&self.outfit) {
                Ok(socket) => self.sockets.push(socket),
                Err(id) => lost.push(id),
            }
        }
        lost.extend(self.sources.close(&lost));
        lost
    }

    /// Has the host protect every socket from here on, those there are included; returns the IDs of
    /// those it refuses, which are closed.
    pub(crate) fn set_protect(&mut self, protect: Protect) -> Vec<SocketId> {
        self.outfit.protect = Some(protect);
        let outfit = self.outfit.clone();
        self.close(|socket| {
            outfit.check(socket.as_raw_fd()).is_err_and(|error| {
                log::warn!(error:%; "a socket is closed");
                true
            })
        })
    }

    /// Uses this interface only, or all of them. Sockets there are have to be bound again.
    pub(crate) fn set_interface(&mut self, interface: Option<String>) {
        self.outfit.interface = interface;
    }

    /// Returns what the host wants of sockets.
    pub(crate) const fn outfit(&self) -> &Outfit {
        &self.outfit
    }

    /// Returns the only interface that is used, if the host has named one.
    pub(crate) fn interface(&self) -> Option<&str> {
        self.outfit.interface.as_deref()
    }

    /// Closes sockets; returns the IDs that stand for nothing any more.
    fn close(&mut self, is_over: impl Fn(&Socket) -> bool) -> Vec<SocketId> {
        let over = self.sockets.extract_if(.., |socket| is_over(socket));
        let mut closed: Vec<_> = over.map(|socket| socket.id).collect();
        closed.extend(self.sources.close(&closed));
        closed
    }

    /// Returns where the sockets are bound, at the primary port first.
    pub(crate) fn bound(&self) -> Vec<SocketAddr> {
        let ports = self.ports.as_deref().unwrap_or_default();
        let mut bound: Vec<_> = self.sockets.iter().map(|socket| socket.bound).collect();
        bound.sort_by_key(|at| ports.iter().position(|&port| port == at.port()));
        bound
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

    /// Returns where peers may reach the sockets, given the machine's addresses.
    pub(crate) fn reachable_at(&self, addresses: &Addresses) -> Vec<SocketAddr> {
        self.sockets.iter().flat_map(|socket| socket.reachable_at(&addresses.reachable)).collect()
    }

    /// Waits until a socket has datagrams; returns which.
    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        for turn in 0..self.sockets.len() {
            let index = (self.next + turn) % self.sockets.len();
            if self.sockets[index].poll_readable(cx) {
                self.next = index + 1;
                return Poll::Ready(index);
            }
        }
        Poll::Pending
    }

    /// Reads what socket `index` has into `batch`, which is empty if it has nothing.
    pub(crate) fn receive(&mut self, index: usize, batch: &mut ReceiveBatch) {
        let Self { sockets, sources, virtual_addresses, ids, dropped, .. } = self;
        let socket = &sockets[index];
        socket.receive(batch);
        batch.label(|remote, local_ip| {
            if local_ip.is_some_and(|ip| virtual_addresses.contains(&ip)) {
                *dropped += 1;
                return None;
            }
            let local = match local_ip.filter(|_| socket.is_wildcard()) {
                Some(ip) => sources.id(ids, socket.id, ip),
                None => socket.id,
            };
            Some(Path { local, remote })
        });
    }

    /// Sends everything in `queue` but what is for the TCP relay, and empties it.
    pub(crate) async fn send(&mut self, queue: &mut GsoQueue) {
        let by_udp = |(run, _): &(gso::Run, &[u8])| !run.path.is_through_tcp_relay();
        for (run, bytes) in queue.runs().filter(by_udp) {
            let (only, source) = self.leaves_from(run.path.local);
            for socket in &self.sockets {
                if only.is_some_and(|id| id != socket.id)
                    || socket.bound.is_ipv4() != run.path.remote.is_ipv4()
                {
                    continue;
                }
                if let Err(error) = socket.send(&run, source, bytes).await {
                    self.dropped += 1;
                    log::trace!(path:? = run.path, error:%; "cannot send");
                }
            }
        }
        queue.clear();
    }

    /// Returns the socket and the address that `id` stands for: every socket if it is
    /// [`SocketId::ALL`] or stands for nothing any more (spec 02 §9.1), any address if that is the
    /// kernel's choice.
    fn leaves_from(&self, id: SocketId) -> (Option<SocketId>, Option<IpAddr>) {
        if let Some(source) = self.sources.of(id) {
            return (Some(source.socket), Some(source.ip));
        }
        (self.sockets.iter().any(|socket| socket.id == id).then_some(id), None)
    }
}

/// Returns where to bind the node's ports.
///
/// Phones move between networks all the time, tell programs little about interfaces, and say
/// themselves which network a socket uses. Everywhere else each address has a socket of its own,
/// and wildcards only wait for the first address to come.
fn places(addresses: &Addresses) -> Vec<IpAddr> {
    const IS_PHONE: bool = cfg!(any(target_os = "android", target_os = "ios"));

    if IS_PHONE || addresses.reachable.is_empty() && !addresses.is_avoiding {
        return vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    }
    addresses.reachable.clone()
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::net::UdpSocket;
    use zt_protocol::transmit::{Cut, Transmit as _};

    use super::*;

    const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    #[tokio::test]
    async fn what_is_queued_arrives_as_it_was_cut() {
        let mut sender = sockets(Bind::At(vec![LOOPBACK])).unwrap();
        let mut receiver = sockets(Bind::At(vec![LOOPBACK])).unwrap();
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
        let Ok(mut sender) = sockets(Bind::At(vec![LOOPBACK, v6])) else { return };
        let mut receiver = sockets(Bind::At(vec![v6])).unwrap();
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
        let mut server = sockets(Bind::Everywhere(0)).unwrap();
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
        let mut server = sockets(Bind::Everywhere(0)).unwrap();
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
        let first = sockets(Bind::Everywhere(0)).unwrap();
        let port = first.bound()[0].port();

        let Err(error) = sockets(Bind::Everywhere(port)) else { panic!("bound twice") };

        assert_eq!(
            error.to_string(),
            format!("UDP port {port} is in use: stop the other program or choose another port")
        );
    }

    const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 21));
    const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 22));

    #[tokio::test]
    async fn addresses_come_and_go_and_an_id_is_never_anothers() {
        let mut sockets = bind_everywhere(&[FIRST], Outfit::default());
        let port = sockets.bound()[0].port();
        let first = sockets.sockets[0].id;

        assert_eq!(sockets.follow(&machine(&[FIRST, SECOND])), []);
        assert_eq!(sockets.bound(), [(FIRST, port).into(), (SECOND, port).into()]);

        assert_eq!(sockets.follow(&machine(&[SECOND])), [first]);
        assert_eq!(sockets.bound(), [(SECOND, port).into()]);

        sockets.follow(&machine(&[FIRST, SECOND]));
        assert!(sockets.sockets.iter().all(|socket| socket.id != first));
    }

    #[tokio::test]
    async fn without_any_address_wildcards_wait_for_the_first() {
        let mut sockets = bind_everywhere(&[], Outfit::default());
        let port = sockets.bound()[0].port();
        assert!(sockets.bound().iter().all(|bound| bound.ip().is_unspecified()));

        sockets.follow(&machine(&[FIRST]));
        assert_eq!(sockets.bound(), [(FIRST, port).into()]);
    }

    #[tokio::test]
    async fn with_every_address_avoided_there_is_no_socket_not_even_a_wildcard() {
        let mut sockets = bind_everywhere(&[FIRST], Outfit::default());

        sockets.follow(&Addresses { is_avoiding: true, ..machine(&[]) });
        assert_eq!(sockets.bound(), []);

        sockets.follow(&machine(&[SECOND]));
        assert_eq!(sockets.bound().len(), 1);
    }

    #[tokio::test]
    async fn further_ports_are_bound_at_every_address_and_can_be_exchanged() {
        let mut sockets = bind_everywhere(&[FIRST], Outfit::default());
        let primary = sockets.bound()[0].port();
        let secondary = sockets.add_port(20_000, &machine(&[FIRST])).unwrap();
        sockets.follow(&machine(&[FIRST, SECOND]));
        assert_eq!(sockets.bound().len(), 4);
        assert_eq!(sockets.bound()[0].port(), primary);

        let (new, closed) = sockets.exchange_port(secondary, 40_000, &machine(&[FIRST, SECOND]));

        assert_eq!(closed.len(), 2);
        assert!(sockets.bound().iter().all(|bound| bound.port() != secondary));
        assert_eq!(sockets.bound()[3].port(), new.unwrap());
    }

    #[tokio::test]
    async fn a_port_somebody_has_at_one_address_is_passed_over() {
        let taken = std::net::UdpSocket::bind((SECOND, 0)).unwrap();
        let start = taken.local_addr().unwrap().port().clamp(20_000, 65_499);
        let mut sockets = bind_everywhere(&[FIRST, SECOND], Outfit::default());

        let port = sockets.add_port(start, &machine(&[FIRST, SECOND])).unwrap();

        assert_ne!(port, taken.local_addr().unwrap().port());
        assert_eq!(sockets.bound().iter().filter(|bound| bound.port() == port).count(), 2);
    }

    #[tokio::test]
    async fn a_socket_the_host_does_not_protect_is_not_used() {
        let refuse: Protect = Arc::new(|_| false);
        for bind in [Bind::At(vec![LOOPBACK]), Bind::Everywhere(0), Bind::Everywhere(39_994)] {
            let outfit = Outfit { protect: Some(Arc::clone(&refuse)), interface: None };
            let error = Sockets::bind(bind, outfit, &machine(&[FIRST])).err().unwrap();
            assert!(matches!(error, BindError::Refused { .. }), "{error}");
        }

        let mut sockets = bind_everywhere(&[FIRST], Outfit::default());
        let ids: Vec<_> = sockets.sockets.iter().map(|socket| socket.id).collect();
        assert_eq!(sockets.set_protect(refuse), ids);
        sockets.follow(&machine(&[FIRST]));
        assert_eq!(sockets.bound(), []);
    }

    #[tokio::test]
    async fn every_socket_is_shown_to_the_host_before_it_is_used_and_when_it_is_made_anew() {
        let shown = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&shown);
        let protect: Protect = Arc::new(move |_| count.fetch_add(1, Ordering::Relaxed) < 100);
        let outfit = Outfit { protect: Some(protect), interface: None };
        let mut sockets = bind_everywhere(&[FIRST, SECOND], outfit);
        assert_eq!(shown.load(Ordering::Relaxed), 2);
        let before = (sockets.bound(), sockets.sockets[0].id);

        assert_eq!(sockets.rebind(), []);

        assert_eq!((sockets.bound(), sockets.sockets[0].id), before);
        assert_eq!(shown.load(Ordering::Relaxed), 4);
    }

    #[tokio::test]
    async fn an_interface_that_is_not_there_leaves_no_socket() {
        let outfit = Outfit { protect: None, interface: Some("no-such-if".to_owned()) };

        let bound = Sockets::bind(Bind::Everywhere(39_993), outfit, &machine(&[FIRST]));

        assert!(bound.is_err());
    }

    fn machine(addresses: &[IpAddr]) -> Addresses {
        let addresses = addresses.to_vec();
        Addresses { all: addresses.clone(), reachable: addresses, is_avoiding: false }
    }

    fn bind_everywhere(addresses: &[IpAddr], outfit: Outfit) -> Sockets {
        Sockets::bind(Bind::Everywhere(0), outfit, &machine(addresses)).unwrap()
    }

    fn sockets(bind: Bind) -> Result<Sockets, BindError> {
        Sockets::bind(bind, Outfit::default(), &Addresses::default())
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
