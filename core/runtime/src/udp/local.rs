//! The machine's own physical addresses: what peers are told to try.

use std::io;
use std::net::{IpAddr, Ipv6Addr};

use getifaddrs::{Interface, InterfaceFlags};
use zt_protocol::endpoint::Scope;

/// Interfaces that lead into a tunnel, and so to somebody we might be carrying ourselves.
const TUNNEL_PREFIXES: [&str; 4] = ["tun", "tap", "utun", "zt"];

/// What the machine's interfaces say.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// Every address of the machine.
    pub(crate) all: Vec<IpAddr>,
    /// Those at which peers may reach it, in ascending order (spec 02 §9.1).
    pub(crate) reachable: Vec<IpAddr>,
}

/// Looks up the machine's addresses. Those of the interfaces called `ours` are not reachable.
pub(crate) fn look_up(ours: &[&str]) -> io::Result<Addresses> {
    let unstable = unstable_addresses();
    let mut addresses = Addresses::default();

    for interface in getifaddrs::getifaddrs()? {
        let Some(ip) = interface.address.ip_addr() else { continue };
        addresses.all.push(ip);
        if is_physical(&interface, ours) && Scope::of(ip).is_usable() && !unstable.contains(&ip) {
            addresses.reachable.push(ip);
        }
    }

    addresses.reachable.sort_unstable();
    addresses.reachable.dedup();
    Ok(addresses)
}

fn is_physical(interface: &Interface, ours: &[&str]) -> bool {
    let name = interface.name.as_str();

    interface.flags.contains(InterfaceFlags::UP)
        && !interface.flags.contains(InterfaceFlags::LOOPBACK)
        && !ours.contains(&name)
        && !TUNNEL_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
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
    fn loopback_is_no_address_for_peers() {
        let addresses = look_up(&[]).unwrap();

        assert!(addresses.reachable.iter().all(|ip| !ip.is_loopback()), "{addresses:?}");
    }
}
