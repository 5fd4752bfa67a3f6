//! Default routes through virtual networks, and this node's own packets beside them.
//!
//! A default route that swallowed the node's own datagrams would cut the branch it sits on. So
//! default routes do not go into the main table but into one of our own ([`TABLE`]), and three
//! policy rules (`ip rule`) per address family lead there whatever has no better way:
//!
//! ```text
//! 32501  ipproto udp sport PORT  lookup main                          (for each of our ports)
//! 32502  not fwmark MARK         lookup main suppress_prefixlength 0
//! 32503  not fwmark MARK         lookup TABLE
//! ```
//!
//! - The node's sockets carry the mark [`MARK`], so the last two do not concern them: they see the
//!   main table as if there were no virtual network, whatever changes in it.
//! - For everything else, routes of the main table that are more specific than a default route go
//!   first, so that the local network stays reachable, whenever it may have been added.
//! - The first is for the way in. A strict reverse-path filter (`rp_filter=1`) drops a datagram
//!   unless the way back to its sender leads out where it came in, and asks without the mark (but
//!   for `src_valid_mark`). It does ask with the ports exchanged, so that for datagrams to our
//!   ports it finds the physical way. Only later fragments have no ports; the protocol's datagrams
//!   fit Ethernet unfragmented.
//!
//! Chosen over two halves (0.0.0.0/1 and 128.0.0.0/1) in the main table, which spec 03 §11 reports
//! of the reference: those would have to be pierced by a route for the address of each peer, as it
//! comes and goes; a physical route of the same lengths would compete with them; and no rule of a
//! firewall could tell our datagrams from the host's.
//!
//! The routes vanish with their interface, whatever happens to the process. What remains of it
//! then, rules that lead to an empty table, does nothing, and is taken away at the next start.

use std::collections::BTreeSet;
use std::io;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::route::{RouteHeader, RouteProtocol};
use netlink_packet_route::rule::{
    RuleAction, RuleAttribute, RuleFlags, RuleHeader, RuleMessage, RulePortRange,
};
use netlink_packet_route::{AddressFamily, IpProtocol};

use crate::netlink::{Netlink, PROTOCOL};

/// The mark on this node's own datagrams (`SO_MARK`).
///
/// Below the bits that container and VPN software gives a meaning of its own.
pub(crate) const MARK: u32 = 9_993;

/// The routing table of default routes through virtual networks.
pub(crate) const TABLE: u32 = 9_993;

/// Where the rules stand: behind an administrator's own and before the main table's, 32766.
const OWN_PORTS: u32 = 32_501;
const MORE_SPECIFIC: u32 = 32_502;
const DEFAULT_ROUTES: u32 = 32_503;

/// Rules of one priority and family that are taken away in one go: one for each of our ports.
const RULES_MAX: usize = 64;

/// The rules.
#[derive(Debug)]
pub(super) struct Policy {
    /// Our UDP ports.
    ports: Vec<u16>,
}

impl Policy {
    pub(super) fn new(mut ports: Vec<u16>) -> Self {
        ports.truncate(RULES_MAX);
        Self { ports }
    }

    /// Takes in which ports are ours by now, and puts rules for those that are new in place for
    /// `families`. Rules for others stay until all are taken away: they concern nobody.
    pub(super) fn follow_ports(
        &mut self,
        ports: &BTreeSet<u16>,
        families: &[AddressFamily],
    ) -> io::Result<()> {
        let new: Vec<u16> =
            ports.iter().copied().filter(|port| !self.ports.contains(port)).collect();
        for &port in &new {
            if self.ports.len() >= RULES_MAX {
                self.ports.retain(|port| ports.contains(port));
            }
            self.ports.push(port);
        }
        if new.is_empty() || families.is_empty() {
            return Ok(());
        }
        let mut netlink = Netlink::open()?;
        for &family in families {
            new.iter().try_for_each(|&port| add_rule(&mut netlink, &own_port(family, port)))?;
        }
        Ok(())
    }

    /// Puts the rules of `family` in place.
    ///
    /// # Errors
    ///
    /// Of kind [`io::ErrorKind::AlreadyExists`] if there are such rules, in which case nothing was
    /// changed; others if the kernel refuses, in which case some rules may be in place.
    pub(super) fn add(&self, family: AddressFamily) -> io::Result<()> {
        let mut netlink = Netlink::open()?;
        // Those that every node has alike come first: they tell whether somebody else was here.
        for rule in [more_specific(family), default_routes(family)] {
            add_rule(&mut netlink, &rule)?;
        }
        self.ports.iter().try_for_each(|&port| add_rule(&mut netlink, &own_port(family, port)))
    }
}

/// Takes away all rules of `family` that this program has made, in this life or another.
///
/// # Errors
///
/// The kernel refuses; some rules may still be in place.
pub(super) fn remove(family: AddressFamily) -> io::Result<()> {
    let mut netlink = Netlink::open()?;
    for priority in [DEFAULT_ROUTES, MORE_SPECIFIC, OWN_PORTS] {
        for _ in 0..RULES_MAX {
            let any = rule(family, RuleAction::Unspec, priority);
            match netlink.request(libc::RTM_DELRULE, &any, 0) {
                Ok(()) => {}
                Err(error) if is_none_left(&error) => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn is_none_left(error: &io::Error) -> bool {
    // The kernel may know no IPv6.
    const NO_SUCH_FAMILY: [i32; 2] = [libc::EAFNOSUPPORT, libc::EOPNOTSUPP];
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error().is_some_and(|code| NO_SUCH_FAMILY.contains(&code))
}

fn add_rule(netlink: &mut Netlink, rule: &RuleMessage) -> io::Result<()> {
    netlink.request(libc::RTM_NEWRULE, rule, NLM_F_CREATE | NLM_F_EXCL)
}

/// The physical way for what leaves from `port`, and for answers to what arrives there.
fn own_port(family: AddressFamily, port: u16) -> RuleMessage {
    let mut message = rule(family, RuleAction::ToTable, OWN_PORTS);
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    // It would be nice to say `iif lo` for what this machine sends, but then the kernel thinks that
    // it need not look for ports in what arrives (`fib_rule_requires_fldissect`).
    message.attributes.extend([
        RuleAttribute::IpProtocol(IpProtocol::Udp),
        RuleAttribute::SourcePortRange(RulePortRange { start: port, end: port }),
    ]);
    message
}

/// The main table but for its default route, for all but our own datagrams.
fn more_specific(family: AddressFamily) -> RuleMessage {
    let mut message = unmarked(family, MORE_SPECIFIC);
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.attributes.push(RuleAttribute::SuppressPrefixLen(0));
    message
}

/// Default routes through virtual networks, for all but our own datagrams.
fn default_routes(family: AddressFamily) -> RuleMessage {
    let mut message = unmarked(family, DEFAULT_ROUTES);
    message.attributes.push(RuleAttribute::Table(TABLE));
    message
}

fn unmarked(family: AddressFamily, priority: u32) -> RuleMessage {
    let mut message = rule(family, RuleAction::ToTable, priority);
    message.header.flags = RuleFlags::Invert;
    message.attributes.push(RuleAttribute::FwMark(MARK));
    message
}

fn rule(family: AddressFamily, action: RuleAction, priority: u32) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header = RuleHeader { family, action, ..RuleHeader::default() };
    message.attributes = vec![
        RuleAttribute::Priority(priority),
        RuleAttribute::Protocol(RouteProtocol::Other(PROTOCOL)),
    ];
    message
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::Emitable as _;

    use super::*;

    /// By `linux/fib_rules.h` and `linux/netlink.h`.
    #[test]
    fn the_rule_for_default_routes_is_what_the_kernel_expects() {
        let rule = default_routes(AddressFamily::Inet);

        let mut bytes = vec![0; rule.buffer_len()];
        rule.emit(&mut bytes);

        #[rustfmt::skip]
        let expected = [
            2, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0,        // AF_INET, FR_ACT_TO_TBL, FIB_RULE_INVERT
            8, 0, 6, 0, 0xf7, 0x7e, 0, 0,              // FRA_PRIORITY
            5, 0, 21, 0, 93, 0, 0, 0,                  // FRA_PROTOCOL
            8, 0, 10, 0, 0x09, 0x27, 0, 0,             // FRA_FWMARK
            8, 0, 15, 0, 0x09, 0x27, 0, 0,             // FRA_TABLE
        ];
        if cfg!(target_endian = "little") {
            assert_eq!(bytes, expected);
        }
    }

    #[test]
    fn no_rule_but_the_one_for_our_ports_concerns_our_own_datagrams() {
        for rule in [more_specific(AddressFamily::Inet6), default_routes(AddressFamily::Inet6)] {
            assert_eq!(rule.header.flags, RuleFlags::Invert);
            assert!(rule.attributes.contains(&RuleAttribute::FwMark(MARK)));
        }
    }
}
