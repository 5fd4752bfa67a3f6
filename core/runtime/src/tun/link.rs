//! Addresses and routes of an interface.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use zt_protocol::plan::PlannedRoute;

use crate::host::policy::TABLE;
use crate::netlink::{Netlink, PROTOCOL, family};

/// What is added to an interface's index to make the metric of its routes.
///
/// Higher than what is usual for physical interfaces, so that where two routes have one
/// destination the physical one is taken; different for each interface, so that of two networks
/// with one destination that of the first interface is taken, and the other's when it goes.
const METRIC: u32 = 9_993;

/// An interface of this machine, by its index.
pub(super) struct Link {
    index: u32,
    netlink: Netlink,
}

impl Link {
    /// Returns the interface with this index.
    pub(super) fn open(index: u32) -> io::Result<Self> {
        Ok(Self { index, netlink: Netlink::open()? })
    }

    /// Returns the interface's index.
    pub(super) const fn index(&self) -> u32 {
        self.index
    }

    /// Gives the interface an address; that it has it already is no error.
    pub(super) fn set_address(&mut self, ip: IpAddr, bits: u8) -> io::Result<()> {
        let message = self.address(ip, bits);
        self.netlink.request(libc::RTM_NEWADDR, &message, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Takes an address from the interface; that it has none such is no error.
    pub(super) fn remove_address(&mut self, ip: IpAddr, bits: u8) -> io::Result<()> {
        let message = self.address(ip, bits);
        unless_gone(self.netlink.request(libc::RTM_DELADDR, &message, 0))
    }

    /// Leads packets to a destination through the interface, in place of another way through it.
    pub(super) fn set_route(&mut self, route: &PlannedRoute) -> io::Result<()> {
        let message = self.route(route);
        self.netlink.request(libc::RTM_NEWROUTE, &message, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Takes a route away; that there is none such is no error.
    pub(super) fn remove_route(&mut self, route: &PlannedRoute) -> io::Result<()> {
        let message = self.route(route);
        unless_gone(self.netlink.request(libc::RTM_DELROUTE, &message, 0))
    }

    fn metric(&self) -> u32 {
        METRIC.saturating_add(self.index)
    }

    fn address(&self, ip: IpAddr, bits: u8) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.family = family(ip);
        message.header.prefix_len = bits;
        message.header.index = self.index;
        // The controller gives each address out once: there is nothing to detect, and waiting for
        // it would cost the first packets a second.
        message.header.flags = AddressHeaderFlags::Nodad;
        message.attributes = vec![
            AddressAttribute::Local(ip),
            AddressAttribute::Address(ip),
            // Of the route to the prefix, which comes with the address.
            AddressAttribute::RoutePriority(self.metric()),
        ];
        message
    }

    fn route(&self, route: &PlannedRoute) -> RouteMessage {
        let table = if route.is_default() { TABLE } else { RouteHeader::RT_TABLE_MAIN.into() };

        let mut message = RouteMessage::default();
        message.header.address_family = family(route.target);
        message.header.destination_prefix_length = route.bits;
        message.header.protocol = RouteProtocol::Other(PROTOCOL);
        message.header.kind = RouteType::Unicast;
        message.header.scope = match route.via {
            Some(_) => RouteScope::Universe,
            None => RouteScope::Link,
        };
        message.attributes = vec![
            RouteAttribute::Table(table),
            RouteAttribute::Destination(route.target.into()),
            RouteAttribute::PrefSource(route.source.into()),
            RouteAttribute::Oif(self.index),
            RouteAttribute::Priority(self.metric()),
        ];
        message.attributes.extend(route.via.map(|via| RouteAttribute::Gateway(via.into())));
        message
    }
}

/// Takes it for success if what was to be removed was gone already.
fn unless_gone(result: io::Result<()>) -> io::Result<()> {
    const GONE: [i32; 2] = [libc::ESRCH, libc::EADDRNOTAVAIL];
    match result {
        Err(error) if error.raw_os_error().is_some_and(|code| GONE.contains(&code)) => Ok(()),
        result => result,
    }
}
