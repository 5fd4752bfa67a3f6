//! Where an IP packet of an L3 port goes next.
//!
//! Source: spec 03 §10.2 item 2.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::address::Mac;
use crate::error::Rejected;
use crate::fastpath::tables::{NetworkView, same_subnet};
use crate::wire::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6};

/// The last address of 169.254.0.0/16.
const LINK_LOCAL_BROADCAST: Ipv4Addr = Ipv4Addr::new(169, 254, 255, 255);

/// Where an IP packet goes next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NextHop {
    /// To a device whose MAC is known, or to a group.
    Mac(Mac),
    /// To a device whose MAC has to be found out.
    Resolve(IpAddr),
}

/// Returns the ethertype and destination of an IP packet.
///
/// # Errors
///
/// [`Rejected::NotIp`], [`Rejected::TooShort`].
pub(crate) fn destination(packet: &[u8]) -> Result<(u16, IpAddr), Rejected> {
    match packet.first().map(|first| first >> 4) {
        Some(4) => {
            let octets = packet.get(16..20).and_then(|slice| <[u8; 4]>::try_from(slice).ok());
            let octets = octets.ok_or(Rejected::TooShort)?;
            Ok((ETHERTYPE_IPV4, Ipv4Addr::from(octets).into()))
        }
        Some(6) => {
            let octets = packet.get(24..40).and_then(|slice| <[u8; 16]>::try_from(slice).ok());
            let octets = octets.ok_or(Rejected::TooShort)?;
            Ok((ETHERTYPE_IPV6, Ipv6Addr::from(octets).into()))
        }
        _ => Err(Rejected::NotIp),
    }
}

/// Returns the source of an IP packet, if the host has given it to itself and uses it on this link
/// alone.
pub(crate) fn link_local_source(packet: &[u8]) -> Option<IpAddr> {
    let source = match packet.first()? >> 4 {
        4 => IpAddr::from(*packet.get(12..)?.first_chunk::<4>()?),
        6 => IpAddr::from(*packet.get(8..)?.first_chunk::<16>()?),
        _ => return None,
    };
    link_local_bits(source).map(|_| source)
}

/// Returns the length of the prefix that is on every link, if `ip` is in it: 169.254.0.0/16 or
/// fe80::/10.
pub(crate) const fn link_local_bits(ip: IpAddr) -> Option<u8> {
    match ip {
        IpAddr::V4(v4) if v4.is_link_local() => Some(16),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some(10),
        _ => None,
    }
}

/// Returns where a packet to `destination` goes next on this network.
///
/// # Errors
///
/// [`Rejected::NoRoute`] if it is neither on the network's links nor behind one of its gateways.
pub(crate) fn next_hop(view: &NetworkView, destination: IpAddr) -> Result<NextHop, Rejected> {
    match destination {
        IpAddr::V4(v4) if v4.is_broadcast() => return Ok(NextHop::Mac(Mac::BROADCAST)),
        IpAddr::V4(v4) if v4.is_multicast() => return Ok(NextHop::Mac(Mac::of_ipv4_group(v4))),
        IpAddr::V6(v6) if v6.is_multicast() => return Ok(NextHop::Mac(Mac::of_ipv6_group(v6))),
        _ => {}
    }
    if is_directed_broadcast(view, destination) {
        return Ok(NextHop::Mac(Mac::BROADCAST));
    }
    let hop = gateway_or_link(view, destination)?;
    Ok(view.neighbors.get(&hop).map_or(NextHop::Resolve(hop), |&mac| NextHop::Mac(mac)))
}

/// Returns the device to hand the packet to: the destination itself if it is on the link, else
/// the gateway of the most specific route. A host that is the gateway itself needs none.
fn gateway_or_link(view: &NetworkView, destination: IpAddr) -> Result<IpAddr, Rejected> {
    let own = view.addresses.iter().filter(|(ip, bits)| same_subnet(*ip, destination, *bits));
    let on_link = own.map(|(_, bits)| *bits).chain(link_local_bits(destination)).max();
    let is_own = |via: IpAddr| view.addresses.iter().any(|&(own, _)| own == via);
    let route = view
        .routes
        .iter()
        .filter(|route| same_subnet(route.target, destination, route.bits))
        .filter(|route| !route.via.is_some_and(is_own))
        .max_by_key(|route| route.bits);

    match (on_link, route) {
        (None, None) => Err(Rejected::NoRoute),
        (Some(bits), Some(route)) if route.bits > bits => Ok(route.via.unwrap_or(destination)),
        (Some(_), _) => Ok(destination),
        (None, Some(route)) => Ok(route.via.unwrap_or(destination)),
    }
}

/// Returns whether `destination` is the last address of the prefix of one of our own, or of the
/// one that is on every link.
fn is_directed_broadcast(view: &NetworkView, destination: IpAddr) -> bool {
    let IpAddr::V4(destination) = destination else { return false };
    if destination == LINK_LOCAL_BROADCAST {
        return true;
    }
    view.addresses.iter().any(|&(ip, bits)| match ip {
        IpAddr::V4(own) if bits < 31 => own.to_bits() | (u32::MAX >> bits) == destination.to_bits(),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_destination_of_truncated_packets_is_refused() {
        assert_eq!(destination(&[]), Err(Rejected::NotIp));
        assert_eq!(destination(&[0x45; 19]), Err(Rejected::TooShort));
        assert_eq!(destination(&[0x60; 39]), Err(Rejected::TooShort));
        assert_eq!(destination(&[0x50; 60]), Err(Rejected::NotIp));
    }
}
