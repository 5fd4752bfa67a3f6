//! The machine's own physical addresses: what peers are told to try.

use std::io;
use std::net::{IpAddr, Ipv6Addr};

use getifaddrs::{Interface, InterfaceFlags};
use zt_protocol::endpoint::Scope;
use zt_protocol::path_rules::PathRules;
use zt_protocol::prefix::Prefix;

/// Interfaces that lead into a tunnel, and so to somebody we might be carrying ourselves.
const TUNNEL_PREFIXES: [&str; 4] = ["tun", "tap", "utun", "zt"];

/// What is not the machine's own, or not asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Foreign<'a> {
    /// The node's own interfaces, by name.
    pub(crate) interfaces: &'a [&'a str],
    /// The subnets of networks the node is on: an address there leads back through the node.
    pub(crate) subnets: &'a [Prefix],
    /// The only interface to look at, if the host has named one.
    pub(crate) all_but: Option<&'a str>,
    /// Where the user wants no socket.
    pub(crate) avoided: Option<&'a Avoided>,
    /// Whether loopback addresses count as reachable: in a laboratory on one machine.
    pub(crate) allow_loopback: bool,
}

/// Where the user wants no socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Avoided {
    /// At addresses of interfaces whose names begin so.
    pub(crate) interfaces: Vec<String>,
    /// At addresses these blacklist.
    pub(crate) rules: PathRules,
}

impl Avoided {
    fn contains(&self, interface: &Interface, ip: IpAddr) -> bool {
        self.interfaces.iter().any(|prefix| interface.name.starts_with(prefix))
            || self.rules.is_blacklisted(ip)
    }
}

/// What the machine's interfaces say.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// Every address of the machine.
    pub(crate) all: Vec<IpAddr>,
    /// Those at which peers may reach it, in ascending order (spec 02 §9.1).
    pub(crate) reachable: Vec<IpAddr>,
    /// Whether peers could reach it at more, which the user wants avoided.
    pub(crate) is_avoiding: bool,
}

/// Looks up the machine's addresses. Nothing `foreign` is reachable.
///
/// Of interfaces that are down or have no carrier, none is: nothing arrives there.
pub(crate) fn look_up(foreign: Foreign<'_>) -> io::Result<Addresses> {
    let unstable = unstable_addresses();
    let mut addresses = Addresses::default();

    for interface in getifaddrs::getifaddrs()? {
        let Some(ip) = interface.address.ip_addr() else { continue };
        addresses.all.push(ip);
        let is_usable = Scope::of(ip).is_usable() || foreign.allow_loopback && ip.is_loopback();
        if !foreign.allows(&interface, ip) || !is_usable || unstable.contains(&ip) {
            continue;
        }
        if foreign.avoided.is_some_and(|avoided| avoided.contains(&interface, ip)) {
            addresses.is_avoiding = true;
        } else {
            addresses.reachable.push(ip);
        }
    }

    addresses.reachable.sort_unstable();
    addresses.reachable.dedup();
    Ok(addresses)
}

impl Foreign<'_> {
    fn allows(&self, interface: &Interface, ip: IpAddr) -> bool {
        let (name, flags) = (interface.name.as_str(), interface.flags);

        flags.contains(InterfaceFlags::UP | InterfaceFlags::RUNNING)
            && (self.allow_loopback || !flags.contains(InterfaceFlags::LOOPBACK))
            && self.all_but.is_none_or(|only| only == name)
            && !self.interfaces.contains(&name)
            && !TUNNEL_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            && !self.subnets.iter().any(|subnet| subnet.contains(ip))
    }
}

/// Returns the IPv6 addresses that are temporary (RFC 8981) or not usable yet or any more.
fn unstable_addresses() -> Vec<IpAddr> {
    // The only place an unprivileged process finds the flags; elsewhere no address is left out.
    std::fs::read_to_string("/proc/net/if_inet6")
        .map_or_else(|_| Vec::new(), |table| table.lines().filter_map(unstable_address).collect())
}

/// Returns the address in a line of `/proc/net/if_inet6` if its flags say it will not last.
fn unstable_address(line: &str) -> Option<IpAddr> {
    // IFA_F_TEMPORARY, IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE of linux/if_addr.h.
    const UNSTABLE: u32 = 0x01 | 0x08 | 0x20 | 0x40;

    let mut columns = line.split_ascii_whitespace();
    let address = u128::from_str_radix(columns.next()?, 16).ok()?;
    let flags = u32::from_str_radix(columns.nth(3)?, 16).ok()?;

    (flags & UNSTABLE != 0).then(|| Ipv6Addr::from_bits(address).into())
}

#[cfg(test)]
mod tests {
    use zt_protocol::path_rules::PhysicalRule;

    use super::*;

    #[test]
    fn temporary_addresses_are_told_from_lasting_ones() {
        let lasting = "20010db8000000000000000000000001 02 40 00 80     eth0";
        let temporary = "20010db8000000000000000000000002 02 40 00 01     eth0";

        assert_eq!(unstable_address(lasting), None);
        assert_eq!(unstable_address(temporary), Some("2001:db8::2".parse().unwrap()));
        assert_eq!(unstable_address("not a line"), None);
    }

    #[test]
    fn loopback_is_no_address_for_peers_but_in_a_laboratory() {
        let addresses = look_up(Foreign::default()).unwrap();
        assert!(addresses.reachable.iter().all(|ip| !ip.is_loopback()), "{addresses:?}");

        let addresses = look_up(Foreign { allow_loopback: true, ..Foreign::default() }).unwrap();
        assert!(addresses.reachable.iter().any(IpAddr::is_loopback), "{addresses:?}");
    }

    #[test]
    fn interfaces_and_subnets_of_virtual_networks_and_unwanted_interfaces_do_not_count() {
        let lab = Foreign { allow_loopback: true, ..Foreign::default() };
        let subnets: Vec<Prefix> = ["127.0.0.0/8", "::1/128"].map(|p| p.parse().unwrap()).into();
        let loopback =
            |foreign| look_up(foreign).unwrap().reachable.iter().any(IpAddr::is_loopback);

        assert!(loopback(Foreign { all_but: Some("lo"), ..lab }));
        assert!(!loopback(Foreign { all_but: Some("eth77"), ..lab }));
        assert!(!loopback(Foreign { interfaces: &["lo"], ..lab }));
        assert!(!loopback(Foreign { subnets: &subnets, ..lab }));
    }

    #[test]
    fn what_the_user_avoids_is_not_reachable() {
        let mut rules = PathRules::default();
        let blacklist = PhysicalRule { blacklisted: true, ..PhysicalRule::default() };
        rules.set("127.0.0.0/8".parse().unwrap(), blacklist).unwrap();
        let loopback = |avoided: &Avoided| {
            let lab = Foreign { allow_loopback: true, ..Foreign::default() };
            let addresses = look_up(Foreign { avoided: Some(avoided), ..lab }).unwrap();
            let is_reachable = |ip: [u8; 4]| addresses.reachable.contains(&ip.into());
            (is_reachable([127, 0, 0, 1]), addresses.is_avoiding)
        };

        assert_eq!(loopback(&Avoided::default()), (true, false));
        assert_eq!(loopback(&Avoided { rules, ..Avoided::default() }), (false, true));
        let interfaces = vec!["l".to_owned()];
        assert_eq!(loopback(&Avoided { interfaces, ..Avoided::default() }), (false, true));
    }
}
