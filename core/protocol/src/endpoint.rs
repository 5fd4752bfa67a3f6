//! Physical addresses: where datagrams go, and how good such a place is.
//!
//! Source: spec 01 §18.2, §18.3.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Names one of the driver's bound UDP sockets.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SocketId(pub u32);

impl SocketId {
    /// Every socket that can reach the address family: the driver sends the datagram once from each.
    pub const ALL: Self = Self(u32::MAX);

    /// The connection to the TCP relay, which is no UDP socket: see
    /// [`TcpRelayUse`](crate::command::TcpRelayUse).
    pub const TCP_RELAY: Self = Self(u32::MAX - 1);
}

/// A local socket and a remote address: one way to a peer.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Path {
    /// The socket datagrams arrive on and leave from.
    pub local: SocketId,
    /// The other end.
    pub remote: SocketAddr,
}

impl Path {
    /// Returns the path to `remote` from every socket at once.
    #[must_use]
    pub const fn from_all(remote: SocketAddr) -> Self {
        Self { local: SocketId::ALL, remote }
    }

    /// Returns the path to `remote` through the TCP relay.
    #[must_use]
    pub const fn through_tcp_relay(remote: SocketAddr) -> Self {
        Self { local: SocketId::TCP_RELAY, remote }
    }

    /// Returns whether datagrams take it through the TCP relay.
    #[must_use]
    pub fn is_through_tcp_relay(self) -> bool {
        self.local == SocketId::TCP_RELAY
    }

    /// Returns whether `other` leads to another port of the same host.
    #[must_use]
    pub fn is_rival(self, other: Self) -> bool {
        let is_same_host = self.local == other.local && self.remote.ip() == other.remote.ip();
        is_same_host && self.remote.port() != other.remote.port()
    }
}

/// How far an address reaches, in ascending order of preference for paths.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Scope {
    /// Not an address of anything.
    None = 0,
    /// A group.
    Multicast = 1,
    /// This machine.
    Loopback = 2,
    /// Globally assigned, but commonly used as if private.
    PseudoPrivate = 3,
    /// The Internet.
    Global = 4,
    /// One link.
    LinkLocal = 5,
    /// Reserved; no address has it.
    Shared = 6,
    /// A site's own network.
    Private = 7,
}

impl Scope {
    /// Returns the scope of `ip`.
    #[must_use]
    pub const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => Self::of_v6(v6),
        }
    }

    const fn of_v4(ip: Ipv4Addr) -> Self {
        match ip.octets() {
            [0 | 255, ..] => Self::None,
            [6 | 11 | 21 | 22 | 25 | 26 | 28 | 29 | 30 | 51 | 55 | 56, ..] => Self::PseudoPrivate,
            [10, ..] | [192, 168, ..] | [192, 0, 2, _] | [198, 18 | 19, ..] => Self::Private,
            [198, 51, 100, _] | [203, 0, 113, _] => Self::Private,
            [100, b, ..] if b & 0xc0 == 64 => Self::Private,
            [172, b, ..] if b & 0xf0 == 16 => Self::Private,
            [127, ..] => Self::Loopback,
            [169, 254, ..] => Self::LinkLocal,
            [224..=239, ..] => Self::Multicast,
            [240..=254, ..] => Self::PseudoPrivate,
            _ => Self::Global,
        }
    }

    const fn of_v6(ip: Ipv6Addr) -> Self {
        match ip.octets() {
            [0xff, ..] => Self::Multicast,
            [0xfe, b, rest @ ..] if b & 0xc0 == 0x80 => match rest {
                [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] => Self::Loopback,
                _ => Self::LinkLocal,
            },
            [0xfc | 0xfd, ..] => Self::Private,
            // The reference does not look at byte 9 of an IPv4-mapped loopback address.
            [0, 0, 0, 0, 0, 0, 0, 0, 0, _, 0xff, 0xff, 0x7f, ..] => Self::Loopback,
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] => Self::Loopback,
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] => Self::None,
            _ => Self::Global,
        }
    }

    /// Returns whether datagrams may be sent to an address of this scope.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::PseudoPrivate | Self::Global | Self::Shared | Self::Private)
    }
}

/// Returns whether `ip` may be the far end of a path at all, for any peer (spec 01 §18.3).
#[must_use]
pub const fn is_usable_endpoint(ip: IpAddr) -> bool {
    // he.net tunnels: a path through one is a path through somebody else's relay.
    let tunnelled = match ip {
        IpAddr::V6(v6) => matches!(v6.octets(), [0x20, 0x01, 0x04, 0x70, ..]),
        IpAddr::V4(_) => false,
    };
    Scope::of(ip).is_usable() && !tunnelled
}
