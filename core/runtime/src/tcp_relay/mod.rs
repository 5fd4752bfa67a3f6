//! The connection to a TCP relay, for sites that let no UDP pass.
//!
//! The node says whether it wants one; here it is made, kept, and made again when it is lost. What
//! the node sends on [`SocketId::TCP_RELAY`](zt_protocol::endpoint::SocketId::TCP_RELAY) goes
//! through it, as far as a relay passes it on.

mod connection;
mod framing;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Sleep, sleep, timeout};
use zt_protocol::command::TcpRelayUse;
use zt_protocol::endpoint::Path;

use crate::limits::{
    TCP_RELAY_CONNECT_PATIENCE, TCP_RELAY_DATAGRAM_LEN_MIN, TCP_RELAY_PAUSE_MAX,
    TCP_RELAY_PAUSE_MIN,
};
use crate::udp::{GsoQueue, Outfit, mark};
use connection::Connection;

/// A TCP relay, and what there is of a connection to it.
pub(crate) struct TcpRelay {
    /// Where it is; `None` if none is configured.
    at: Option<SocketAddr>,
    /// Whether it is used always, and UDP never.
    is_forced: bool,
    outfit: Outfit,
    link: Link,
    /// How long to wait after the next failure.
    pause: Duration,
    dropped: u64,
}

enum Link {
    /// None is wanted.
    Down,
    /// The next attempt is yet to come.
    Paused(Pin<Box<Sleep>>),
    Connecting(Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>),
    Up(Box<Connection>),
}

/// What has become of the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum News {
    /// There is one.
    Connected,
    /// There is none any more.
    Lost,
    /// It has brought something.
    Readable,
}

impl TcpRelay {
    /// Makes a relay that is not connected to.
    pub(crate) const fn new(at: Option<SocketAddr>, is_forced: bool, outfit: Outfit) -> Self {
        let (link, pause) = (Link::Down, TCP_RELAY_PAUSE_MIN);
        Self { at, is_forced, outfit, link, pause, dropped: 0 }
    }

    /// Connects as the host wants it from here on; returns whether a connection was ended for that,
    /// in place of which another is made.
    pub(crate) fn set_outfit(&mut self, outfit: Outfit) -> bool {
        let was_connected = self.is_connected();
        self.outfit = outfit;
        if let (Some(at), Link::Connecting(_) | Link::Up(_)) = (self.at, &self.link) {
            self.link = connect(at, self.outfit.clone());
        }
        was_connected
    }

    /// Returns how the node shall use it.
    pub(crate) const fn usage(&self) -> TcpRelayUse {
        match (self.at, self.is_forced) {
            (None, _) => TcpRelayUse::Never,
            (Some(_), false) => TcpRelayUse::Fallback,
            (Some(_), true) => TcpRelayUse::Always,
        }
    }

    /// Returns whether nothing shall be sent and received by UDP.
    pub(crate) const fn replaces_udp(&self) -> bool {
        self.at.is_some() && self.is_forced
    }

    /// Returns whether there is a connection.
    pub(crate) const fn is_connected(&self) -> bool {
        matches!(self.link, Link::Up(_))
    }

    /// Returns how many datagrams there was no room or no connection for.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Makes a connection and keeps it up, or ends it.
    pub(crate) fn want(&mut self, is_wanted: bool) {
        let is_idle = matches!(self.link, Link::Down);
        match self.at {
            Some(at) if is_wanted && is_idle => self.link = connect(at, self.outfit.clone()),
            _ if !is_wanted => {
                self.link = Link::Down;
                self.pause = TCP_RELAY_PAUSE_MIN;
            }
            _ => {}
        }
    }

    /// Sends those datagrams in `queue` that are for the relay.
    pub(crate) fn send(&mut self, queue: &GsoQueue) {
        let for_relay = queue.runs().filter(|(run, _)| run.path.is_through_tcp_relay());
        for (run, bytes) in for_relay {
            for datagram in bytes.chunks(run.datagram_len) {
                if !self.queue(run.path.remote, datagram) {
                    self.dropped += 1;
                }
            }
        }
        if let Link::Up(connection) = &mut self.link {
            // Whoever polls next finds the same fault.
            let _ = connection.flush();
        }
    }

    /// Queues a datagram; returns whether it will be sent.
    fn queue(&mut self, destination: SocketAddr, datagram: &[u8]) -> bool {
        let (Link::Up(connection), SocketAddr::V4(destination)) = (&mut self.link, destination)
        else {
            return false;
        };
        datagram.len() >= TCP_RELAY_DATAGRAM_LEN_MIN && connection.send(destination, datagram)
    }

    /// Waits for news of the connection, making it again when it is lost.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        let Some(at) = self.at else { return Poll::Pending };
        loop {
            match &mut self.link {
                Link::Down => return Poll::Pending,
                Link::Paused(pause) => {
                    ready!(pause.as_mut().poll(cx));
                    self.link = connect(at, self.outfit.clone());
                }
                Link::Connecting(attempt) => match ready!(attempt.as_mut().poll(cx)) {
                    Ok(stream) => {
                        self.link = Link::Up(Box::new(Connection::new(stream)));
                        return Poll::Ready(News::Connected);
                    }
                    Err(error) => {
                        log::debug!(error:%; "the TCP relay cannot be reached");
                        self.pause();
                    }
                },
                Link::Up(connection) => match ready!(connection.poll(cx)) {
                    Ok(()) => return Poll::Ready(News::Readable),
                    Err(ended) => {
                        log::warn!("{ended}");
                        if connection.has_answered() {
                            self.pause = TCP_RELAY_PAUSE_MIN;
                        }
                        self.pause();
                        return Poll::Ready(News::Lost);
                    }
                },
            }
        }
    }

    /// Returns the next datagram that has come, and the path it came by.
    pub(crate) fn next(&mut self) -> Option<(Path, &mut [u8])> {
        match &mut self.link {
            Link::Up(connection) => connection.take(),
            Link::Down | Link::Paused(_) | Link::Connecting(_) => None,
        }
    }

    /// Waits before the next attempt, each time twice as long.
    fn pause(&mut self) {
        self.link = Link::Paused(Box::pin(sleep(self.pause)));
        self.pause = (self.pause * 2).min(TCP_RELAY_PAUSE_MAX);
    }
}

/// Begins to connect to the relay at `at`.
fn connect(at: SocketAddr, outfit: Outfit) -> Link {
    let attempt = async move {
        let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        mark(&SockRef::from(&socket));
        outfit.put_on(&SockRef::from(&socket), at)?;
        let stream = socket.connect(at).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    Link::Connecting(Box::pin(async move {
        timeout(TCP_RELAY_CONNECT_PATIENCE, attempt)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }))
}
