//! Which addresses a member gets.
//!
//! The first choice is the reference's, so that a member keeps its address when its network moves
//! from one controller to the other. Where the reference would go wrong or give up early, this
//! goes on: spec 04 §14.2 says which of its quirks not to copy.
//!
//! Source: spec 04 §4.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;

use super::network::Pool;
use crate::address::Address;
use crate::event::Route;
use crate::limits::CONTROLLER_POOL_TRIES;
use crate::rng::Rng;

/// The addresses stored with any member of a network, and with how many of them.
#[derive(Debug, Default)]
pub(super) struct InUse(BTreeMap<IpAddr, usize>);

impl InUse {
    /// Counts `addresses` in.
    pub(super) fn add(&mut self, addresses: &[IpAddr]) {
        for &address in addresses {
            *self.0.entry(address).or_default() += 1;
        }
    }

    /// Counts `addresses` out, which were counted in.
    pub(super) fn remove(&mut self, addresses: &[IpAddr]) {
        for address in addresses {
            if let Some(holders) = self.0.get_mut(address) {
                *holders -= 1;
                if *holders == 0 {
                    self.0.remove(address);
                }
            }
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.contains_key(&address)
    }
}

/// Returns `ip` with all but its first `bits` bits cleared.
pub(super) fn network_part(ip: IpAddr, bits: u8) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

/// Returns whether `route` leads to `ip`. A default route leads to everything and says nothing
/// about what is on the network, so it does not count.
fn covers(route: &Route, ip: IpAddr) -> bool {
    route.bits > 0
        && route.target.is_ipv4() == ip.is_ipv4()
        && network_part(ip, route.bits) == network_part(route.target, route.bits)
}

/// Returns the prefix length `ip` is used with: that of the most specific route that covers it.
pub(super) fn prefix_length(routes: &[Route], ip: IpAddr) -> Option<u8> {
    routes.iter().filter(|route| covers(route, ip)).map(|route| route.bits).max()
}

/// Returns the IPv4 address `member` gets from `pools`, if they have one left (spec 04 §4.2).
pub(super) fn assign_v4(
    pools: &[Pool],
    routes: &[Route],
    in_use: &InUse,
    member: Address,
) -> Option<Ipv4Addr> {
    let is_free = |ip: &Ipv4Addr| {
        !in_use.contains((*ip).into())
            && prefix_length(routes, (*ip).into()).is_some_and(|bits| is_host(*ip, bits))
    };
    pools.iter().find_map(|pool| match (pool.start, pool.end) {
        (IpAddr::V4(start), IpAddr::V4(end)) if !start.is_unspecified() && start <= end => {
            v4_candidates(start, end, member).find(is_free)
        }
        _ => None,
    })
}

/// Returns a pool's addresses in the order in which they are offered to `member`.
///
/// The reference starts at a place that follows from the member's address and goes round, but
/// passes over addresses that end in 255 and never reaches the pool's end. Those come last here.
fn v4_candidates(
    start: Ipv4Addr,
    end: Ipv4Addr,
    member: Address,
) -> impl Iterator<Item = Ipv4Addr> {
    let (first, last) = (start.to_bits(), end.to_bits());
    let length = last - first;
    let seed = (member.to_u64() & 0xffff_ffff) as u32;
    let round = move || {
        (0..CONTROLLER_POOL_TRIES.min(length))
            .map(move |step| Ipv4Addr::from_bits(first + seed.wrapping_add(step) % length))
    };
    let ends_in_255 = |ip: &Ipv4Addr| ip.octets()[3] == 255;
    round().filter(move |ip| !ends_in_255(ip)).chain([end]).chain(round().filter(ends_in_255))
}

/// Returns whether a host may have `ip` on a subnet of `bits`: it is neither the subnet's own
/// address nor its broadcast address, which exist where there is room for hosts between them.
const fn is_host(ip: Ipv4Addr, bits: u8) -> bool {
    if bits > 30 {
        return true;
    }
    let host_mask = u32::MAX >> bits;
    let host = ip.to_bits() & host_mask;
    host != 0 && host != host_mask
}

/// Returns the IPv6 address `member` gets from `pools`, if they have one left (spec 04 §4.3).
pub(super) fn assign_v6(
    pools: &[Pool],
    routes: &[Route],
    in_use: &InUse,
    member: Address,
    rng: &mut Rng,
) -> Option<Ipv6Addr> {
    let is_free = |ip: &Ipv6Addr| {
        let ip = (*ip).into();
        !in_use.contains(ip) && routes.iter().any(|route| route.via.is_none() && covers(route, ip))
    };
    pools.iter().find_map(|pool| match (pool.start, pool.end) {
        (IpAddr::V6(start), IpAddr::V6(end)) if start <= end => stable_v6(start, end, member)
            .filter(is_free)
            .or_else(|| random_v6(start, end, rng).find(is_free)),
        _ => None,
    })
}

/// Returns the address in the pool that follows from the member's, if the pool has room for
/// every member's in its lower half.
fn stable_v6(start: Ipv6Addr, end: Ipv6Addr, member: Address) -> Option<Ipv6Addr> {
    let lower = |ip: Ipv6Addr| (ip.to_bits() & u128::from(u64::MAX)) as u64;
    let room = lower(end).checked_sub(lower(start))?;
    (room >= 0xff_ffff_ffff)
        .then(|| Ipv6Addr::from_bits(start.to_bits() + u128::from(member.to_u64())))
}

/// Returns addresses of the pool: all of them, from a random one on, if they are few, else random ones.
fn random_v6(start: Ipv6Addr, end: Ipv6Addr, rng: &mut Rng) -> impl Iterator<Item = Ipv6Addr> {
    let first = start.to_bits();
    let last_offset = end.to_bits() - first;
    let is_small = last_offset < u128::from(CONTROLLER_POOL_TRIES);
    let within = move |number: u128| match last_offset.checked_add(1) {
        Some(size) => number % size,
        None => number,
    };
    let mut draw = move || within(u128::from(rng.u64()) << 64 | u128::from(rng.u64()));
    let from = draw();
    (0..CONTROLLER_POOL_TRIES).map(move |step| {
        let offset = if is_small { within(from + u128::from(step)) } else { draw() };
        Ipv6Addr::from_bits(first + offset)
    })
}
