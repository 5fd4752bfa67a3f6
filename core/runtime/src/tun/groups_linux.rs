//! Which multicast groups this machine listens to on an interface, as the kernel lists them.
//!
//! ```text
//!  dev_mcast   4    eth0            1     0     333300000001
//!              index, name, users, global users, MAC
//!
//!  igmp        4    eth0      :     1      V3
//!                                  010000E0     1 0:00000000          0
//!              index, name, how many groups; then a line for each: the address as this machine
//!              stores it, read as a number
//!
//!  igmp6       4    eth0            ff020000000000000000000000000001     1 0000000C 0
//!              index, name, address, users, flags, timer
//! ```
//!
//! An interface for frames has a list of MACs, which joining an IP group adds to. One for packets
//! has no MACs; its IP groups say which it would have.
//!
//! A bridge needs nothing more: it is sent all multicasts that have few receivers, and a bridge of
//! the kernel makes its ports promiscuous by itself (spec 03 §12).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, Ipv6Addr};

use zt_protocol::address::{Mac, MulticastGroup};
use zt_protocol::limits::SUBSCRIPTIONS_MAX;
use zt_protocol::transmit::PortMode;

use super::interface::Interface;
use crate::limits::GROUP_LIST_LEN_MAX;

/// Least scope of an IPv6 group whose packets leave the machine: the link's (RFC 4291 §2.7).
const LINK_LOCAL: u8 = 2;

impl Interface {
    /// Returns the groups the machine listens to on the interface.
    ///
    /// No more than a node may be subscribed to; which of them is up to their order.
    ///
    /// # Errors
    ///
    /// The lists cannot be read: /proc is not mounted.
    pub(super) fn groups(&self, mode: PortMode) -> io::Result<BTreeSet<MulticastGroup>> {
        let macs = match mode {
            PortMode::L2 => macs(&read("dev_mcast")?, self.name()),
            PortMode::L3 => {
                // Without IPv6 in the kernel there is no list of its groups.
                let ipv6 = read("igmp6").unwrap_or_default();
                let ipv4 = ipv4_groups(&read("igmp")?, self.name());
                let ipv4 = ipv4.into_iter().map(Mac::of_ipv4_group);
                ipv4.chain(ipv6_groups(&ipv6, self.name()).into_iter().map(Mac::of_ipv6_group))
                    .collect()
            }
        };
        let groups: BTreeSet<_> = macs.into_iter().map(MulticastGroup::of_mac).collect();
        Ok(groups.into_iter().take(SUBSCRIPTIONS_MAX).collect())
    }
}

/// Reads a list of the network namespace this process is in.
fn read(list: &str) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(format!("/proc/self/net/{list}"))?;
    file.take(GROUP_LIST_LEN_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Returns the MACs that `dev_mcast` lists for an interface.
fn macs(list: &str, interface: &str) -> Vec<Mac> {
    let read = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let of_interface = fields.nth(1)? == interface;
        let bytes = hex(fields.nth(2)?)?;
        of_interface.then_some(Mac::from(bytes))
    };
    list.lines().filter_map(read).collect()
}

/// Returns the groups that `igmp` lists for an interface.
fn ipv4_groups(list: &str, interface: &str) -> Vec<Ipv4Addr> {
    let mut of_interface = false;
    let mut groups = Vec::new();
    for line in list.lines() {
        let mut fields = line.split_ascii_whitespace();
        let Some(first) = fields.next() else { continue };
        if !line.starts_with(char::is_whitespace) {
            let name = fields.next().map(|name| name.trim_end_matches(':'));
            of_interface = name == Some(interface);
        } else if let (true, Ok(group)) = (of_interface, u32::from_str_radix(first, 16)) {
            groups.push(Ipv4Addr::from(group.to_ne_bytes()));
        }
    }
    groups
}

/// Returns the groups that `igmp6` lists for an interface and that are not the machine's own.
fn ipv6_groups(list: &str, interface: &str) -> Vec<Ipv6Addr> {
    let read = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let of_interface = fields.nth(1)? == interface;
        let octets: [u8; 16] = hex(fields.next()?)?;
        let leaves = octets[1] & 0x0f >= LINK_LOCAL;
        (of_interface && leaves).then_some(Ipv6Addr::from(octets))
    };
    list.lines().filter_map(read).collect()
}

/// Reads `N` bytes in hexadecimal digits, and no more.
fn hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEV_MCAST: &str = "\
2    ifb0            1     0     333300000001
4    eth0            1     0     333300000001
4    eth0            1     0     01005e000001
4    eth0            1     0     3333ff000002
";

    /// On a little-endian machine.
    const IGMP: &str = "\
Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter
1\tlo        :     1      V3
\t\t\t\t010000E0     1 0:00000000\t\t0
4\teth0      :     2      V3
\t\t\t\tFB0000E0     1 0:00000000\t\t0
\t\t\t\t010000E0     1 0:00000000\t\t0
5\tzt-lab-of-15-ch:     1      V3
\t\t\t\t040302EF     1 0:00000000\t\t0
";

    const IGMP6: &str = "\
1    lo              ff020000000000000000000000000001     1 0000000C 0
4    eth0            ff0200000000000000000001ff000002     1 00000004 0
4    eth0            ff020000000000000000000000000001     1 0000000C 0
4    eth0            ff010000000000000000000000000001     1 00000008 0
";

    #[test]
    fn an_interface_for_frames_listens_to_macs() {
        let listed: Vec<_> = macs(DEV_MCAST, "eth0").iter().map(Mac::to_string).collect();

        assert_eq!(listed, ["33:33:00:00:00:01", "01:00:5e:00:00:01", "33:33:ff:00:00:02"]);
        assert_eq!(macs(DEV_MCAST, "eth"), []);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn an_interface_for_packets_listens_to_ip_groups() {
        let v4 = |name| ipv4_groups(IGMP, name).iter().map(Ipv4Addr::to_string).collect::<Vec<_>>();
        let v6 = ipv6_groups(IGMP6, "eth0");

        assert_eq!(v4("eth0"), ["224.0.0.251", "224.0.0.1"]);
        assert_eq!(v4("zt-lab-of-15-ch"), ["239.2.3.4"]);
        assert_eq!(v4("eth1"), [""; 0]);
        assert_eq!(v6, ["ff02::1:ff00:2", "ff02::1"].map(|ip| ip.parse::<Ipv6Addr>().unwrap()));
    }

    #[test]
    fn the_lists_of_this_machine_are_where_they_are_looked_for() {
        assert!(read("igmp").unwrap().starts_with("Idx"));
        assert!(read("dev_mcast").is_ok());
    }

    proptest! {
        #[test]
        fn no_list_panics(list in "[0-9a-f \t\n]{0,80}") {
            macs(&list, "0");
            ipv4_groups(&list, "0");
            ipv6_groups(&list, "0");
        }
    }
}
