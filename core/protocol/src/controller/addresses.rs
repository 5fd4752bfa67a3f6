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
use crate::config::Route;
use crate::limits::CONTROLLER_POOL_TRIES;
use crate::memory;
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

    /// Returns what they take, in bytes.
    pub(super) fn footprint(&self) -> usize {
        memory::of_tree(&self.0)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    // Both of these globs have one.
    use crate::rng::Rng;

    fn v4(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    fn pool(start: &str, end: &str) -> Pool {
        Pool { start: start.parse().unwrap(), end: end.parse().unwrap() }
    }

    fn route(target: &str, bits: u8) -> Route {
        Route { target: target.parse().unwrap(), bits, via: None }
    }

    fn in_use(addresses: &[IpAddr]) -> InUse {
        let mut in_use = InUse::default();
        in_use.add(addresses);
        in_use
    }

    fn member(address: u64) -> Address {
        Address::from_u64(address)
    }

    #[test]
    fn an_address_held_twice_is_free_only_when_given_up_twice() {
        let ip = IpAddr::from([10, 0, 0, 1]);
        let mut in_use = in_use(&[ip, ip]);

        in_use.remove(&[ip]);
        assert!(in_use.contains(ip));

        in_use.remove(&[ip]);
        assert!(!in_use.contains(ip));
    }

    #[test]
    fn the_most_specific_route_gives_the_prefix_length() {
        let routes = [route("0.0.0.0", 0), route("10.0.0.0", 8), route("10.1.0.9", 24)];

        assert_eq!(prefix_length(&routes, v4("10.1.0.77").into()), Some(24));
        assert_eq!(prefix_length(&routes, v4("10.9.0.77").into()), Some(8));
        assert_eq!(prefix_length(&routes, v4("11.0.0.1").into()), None);
        assert_eq!(prefix_length(&routes, "fd00::1".parse().unwrap()), None);
    }

    /// From controller_cases.json, "v4: start point is address low 32 bits modulo range length".
    #[test]
    fn the_first_choice_follows_from_the_members_address() {
        let pools = [pool("10.1.0.1", "10.1.0.254")];
        let routes = [route("10.1.0.0", 24)];
        let choice =
            |address, used: &[IpAddr]| assign_v4(&pools, &routes, &in_use(used), member(address));

        assert_eq!(choice(0x11_2233_4455, &[]), Some(v4("10.1.0.149")));
        assert_eq!(choice(0x01_0000_0000, &[]), Some(v4("10.1.0.1")));
        assert_eq!(choice(0x01_0000_00fd, &[v4("10.1.0.1").into()]), Some(v4("10.1.0.2")));
    }

    #[test]
    fn the_last_address_of_a_pool_and_those_ending_in_255_are_given_last() {
        let pools = [pool("10.1.0.254", "10.1.1.0")];
        let routes = [route("10.1.0.0", 16)];
        let mut in_use = InUse::default();
        let mut given = Vec::new();

        while let Some(ip) = assign_v4(&pools, &routes, &in_use, member(0x01_0000_0000)) {
            in_use.add(&[ip.into()]);
            given.push(ip);
        }

        assert_eq!(given, [v4("10.1.0.254"), v4("10.1.1.0"), v4("10.1.0.255")]);
    }

    #[test]
    fn a_subnets_own_and_broadcast_addresses_are_not_given() {
        let pools = [pool("10.1.0.0", "10.1.0.3")];
        let choice = |bits| {
            let ip = v4("10.1.0.0").into();
            let routes = [Route { target: ip, bits, via: None }];
            assign_v4(&pools, &routes, &InUse::default(), member(0x01_0000_0000))
        };

        assert_eq!(choice(30), Some(v4("10.1.0.1")));
        assert_eq!(choice(31), Some(v4("10.1.0.0")), "both ends of a point-to-point link");
    }

    #[test]
    fn a_pool_that_ends_before_it_starts_or_is_not_routed_gives_nothing() {
        let routes = [route("10.1.0.0", 24), route("fd00::", 64)];
        let reversed = [pool("10.1.0.9", "10.1.0.1"), pool("fd00::9", "fd00::1")];
        let unrouted = [pool("10.2.0.1", "10.2.0.9"), pool("fd01::1", "fd01::9")];
        let mut rng = Rng::from_seed([1; 32]);

        for pools in [reversed, unrouted] {
            let free = InUse::default();
            assert_eq!(assign_v4(&pools, &routes, &free, member(1)), None);
            assert_eq!(assign_v6(&pools, &routes, &free, member(1), &mut rng), None);
        }
    }

    /// From controller_cases.json, "v6: pool with 40 bits of room …".
    #[test]
    fn a_wide_pool_has_an_address_for_every_member() {
        let pools = [pool("fd00:1::", "fd00:1::ffff:ffff:ffff:ffff")];
        let routes = [route("fd00:1::", 64)];
        let mut rng = Rng::from_seed([1; 32]);

        let first = assign_v6(&pools, &routes, &InUse::default(), member(0x11_2233_4455), &mut rng);
        assert_eq!(first, Some("fd00:1::11:2233:4455".parse().unwrap()));

        let taken = in_use(&[first.unwrap().into()]);
        let second = assign_v6(&pools, &routes, &taken, member(0x11_2233_4455), &mut rng);
        assert!(second.is_some_and(|ip| Some(ip) != first));
    }

    #[test]
    fn a_small_pool_is_given_away_to_the_last_address() {
        let pools = [pool("fd00::1", "fd00::3e8")];
        let routes = [route("fd00::", 64)];
        let mut rng = Rng::from_seed([2; 32]);
        let mut in_use = InUse::default();

        for _ in 0..1_000 {
            let ip = assign_v6(&pools, &routes, &in_use, member(1), &mut rng).unwrap();
            in_use.add(&[ip.into()]);
        }

        assert_eq!(assign_v6(&pools, &routes, &in_use, member(1), &mut rng), None);
    }

    /// What spec 04 §4.2 says the reference gives, but for addresses no host may have.
    fn reference_choice(
        (start, end): (u32, u32),
        routes: &[(u32, u8)],
        used: &[u32],
        address: u64,
    ) -> Option<u32> {
        let length = end - start;
        let mut counter = address as u32;
        for _ in 0..=length.min(999) {
            let ip = if length > 0 { start + counter % length } else { start };
            counter = counter.wrapping_add(1);
            let covering: Vec<u8> = routes
                .iter()
                .filter(|(target, bits)| ip >> (32 - bits) == target >> (32 - bits))
                .map(|&(_, bits)| bits)
                .collect();
            let Some(&bits) = covering.iter().max() else { continue };
            let size = 1_u32 << (32 - bits);
            let is_end_of_subnet = bits < 31 && (ip % size == 0 || ip % size == size - 1);
            if ip % 256 != 255 && !is_end_of_subnet && !used.contains(&ip) {
                return Some(ip);
            }
        }
        None
    }

    proptest! {
        #[test]
        fn the_first_choice_is_the_references_and_no_address_is_forgotten(
            start in 0_u32..700,
            length in 0_u32..400,
            routes in prop::collection::vec((0_u32..1_024, 22_u8..=32), 0..4),
            used in prop::collection::vec(0_u32..1_024, 0..600),
            address in 0_u64..1 << 40,
        ) {
            const BASE: u32 = 0x0a00_0000;
            let (start, end) = (BASE + start, BASE + start + length);
            let ips: Vec<u32> = used.iter().map(|offset| BASE + offset).collect();
            let raw: Vec<(u32, u8)> =
                routes.iter().map(|&(offset, bits)| (BASE + offset, bits)).collect();

            let pools = [Pool {
                start: Ipv4Addr::from_bits(start).into(),
                end: Ipv4Addr::from_bits(end).into(),
            }];
            let routes: Vec<Route> = raw
                .iter()
                .map(|&(ip, bits)| Route { target: Ipv4Addr::from_bits(ip).into(), bits, via: None })
                .collect();
            let taken: Vec<IpAddr> =
                ips.iter().map(|&ip| Ipv4Addr::from_bits(ip).into()).collect();
            let choice = assign_v4(&pools, &routes, &in_use(&taken), member(address));

            let expected = reference_choice((start, end), &raw, &ips, address);
            match (choice.map(Ipv4Addr::to_bits), expected) {
                (Some(ours), Some(theirs)) => prop_assert_eq!(ours, theirs),
                (None, Some(_)) => prop_assert!(false, "the reference finds one"),
                // Those the reference forgets: the pool's end, and addresses ending in 255.
                (Some(ours), None) => {
                    prop_assert!(ours == end || ours % 256 == 255);
                    prop_assert!((start..=end).contains(&ours) && !ips.contains(&ours));
                }
                (None, None) => {
                    for ip in start..=end {
                        let alone = reference_choice((ip, ip), &raw, &ips, address);
                        prop_assert!(alone.is_none(), "{} is free", Ipv4Addr::from_bits(ip));
                    }
                }
            }
        }

        #[test]
        fn an_ipv6_address_is_within_its_pool_routed_and_free(
            start: u128,
            length: u128,
            seed: [u8; 32],
            address in 0_u64..1 << 40,
        ) {
            let end = start.saturating_add(length);
            let pools = [Pool {
                start: Ipv6Addr::from_bits(start).into(),
                end: Ipv6Addr::from_bits(end).into(),
            }];
            let routes = [route("::", 1), route("8000::", 1)];
            let mut rng = Rng::from_seed(seed);

            let ip = assign_v6(&pools, &routes, &InUse::default(), member(address), &mut rng);

            prop_assert!(ip.is_some_and(|ip| (start..=end).contains(&ip.to_bits())));
        }
    }
}
