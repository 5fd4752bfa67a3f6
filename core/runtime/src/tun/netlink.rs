//! Addresses and routes of an interface, set by route netlink (`rtnetlink(7)`).

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use zt_protocol::plan::PlannedRoute;

/// Room for the kernel's answer: an error and the message it is about.
const ANSWER_LEN: usize = 4_096;

/// An interface of this machine, by its index.
pub(super) struct Link {
    index: u32,
    socket: Socket,
}

impl Link {
    /// Returns the interface with this index.
    pub(super) fn open(index: u32) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { index, socket })
    }

    /// Gives the interface an address; that it has it already is no error.
    pub(super) fn add_address(&mut self, ip: IpAddr, bits: u8) -> io::Result<()> {
        let message = RouteNetlinkMessage::NewAddress(self.address(ip, bits));
        self.request(message, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Takes an address from the interface.
    pub(super) fn remove_address(&mut self, ip: IpAddr, bits: u8) -> io::Result<()> {
        let message = RouteNetlinkMessage::DelAddress(self.address(ip, bits));
        self.request(message, 0)
    }

    /// Leads packets to a destination through the interface, unless a route leads them elsewhere.
    pub(super) fn add_route(&mut self, route: &PlannedRoute) -> io::Result<()> {
        let message = RouteNetlinkMessage::NewRoute(self.route(route));
        self.request(message, NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Takes a route away.
    pub(super) fn remove_route(&mut self, route: &PlannedRoute) -> io::Result<()> {
        let message = RouteNetlinkMessage::DelRoute(self.route(route));
        self.request(message, 0)
    }

    fn address(&self, ip: IpAddr, bits: u8) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.family = family(ip);
        message.header.prefix_len = bits;
        message.header.index = self.index;
        // The controller gives each address out once: there is nothing to detect, and waiting for
        // it would cost the first packets a second.
        message.header.flags = AddressHeaderFlags::Nodad;
        message.attributes = vec![AddressAttribute::Local(ip), AddressAttribute::Address(ip)];
        message
    }

    fn route(&self, route: &PlannedRoute) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header.address_family = family(route.target);
        message.header.destination_prefix_length = route.bits;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.kind = RouteType::Unicast;
        message.header.scope = match route.via {
            Some(_) => RouteScope::Universe,
            None => RouteScope::Link,
        };
        message.attributes = vec![
            RouteAttribute::Destination(route.target.into()),
            RouteAttribute::PrefSource(route.source.into()),
            RouteAttribute::Oif(self.index),
        ];
        message.attributes.extend(route.via.map(|via| RouteAttribute::Gateway(via.into())));
        message
    }

    /// Sends one request and waits for the kernel's answer, which comes at once.
    fn request(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;

        let mut answer = Vec::with_capacity(ANSWER_LEN);
        self.socket.recv(&mut answer, 0)?;
        let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer);
        match answer.map_err(io::Error::other)?.payload {
            NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
            _ => Ok(()),
        }
    }
}

fn family(ip: IpAddr) -> AddressFamily {
    match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}
