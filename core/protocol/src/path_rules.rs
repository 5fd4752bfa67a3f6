//! What the user says about physical addresses: which are not used, which to try, how long
//! datagrams may be there, and where nobody listens in.
//!
//! | rule            | where        | effect                                                        |
//! |-----------------|--------------|---------------------------------------------------------------|
//! | blacklist       | a prefix     | nothing goes there, and what comes from there is dropped      |
//! | MTU             | a prefix     | packets are cut into datagrams of so many bytes               |
//! | trusted path    | a prefix     | packets that go straight there are not encrypted              |
//! | blacklist       | one peer     | the peer is not reached there, and not heard straight from it |
//! | addresses       | one peer     | tried as long as nobody knows a better way to the peer        |
//!
//! Several prefixes may contain an address. One that is blacklisted is enough; else the longest
//! that says something about a matter settles it.
//!
//! A trusted path trusts the whole prefix: whoever can send from an address in it can pass for any
//! peer. So no public prefix is ever trusted, and what was relayed never came by a trusted path.
//!
//! Source: spec 01 §7.6, §10.1, spec 02 §4.2, §4.4, §14.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::num::NonZeroU64;
use std::collections::BTreeMap;

use crate::address::Address;
use crate::endpoint::Path;
use crate::limits::{
    PATH_MTU_MAX, PATH_MTU_MIN, PEER_RULES_MAX, PHYSICAL_MTU, PHYSICAL_RULES_MAX,
    RULES_PER_PEER_MAX,
};
use crate::prefix::Prefix;

/// What both ends of a trusted path call it.
pub type TrustedPathId = NonZeroU64;

/// What holds for physical addresses in a prefix.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PhysicalRule {
    /// They are not used.
    pub blacklisted: bool,
    /// Packets to and from there are not encrypted, and bear this ID.
    pub trusted: Option<TrustedPathId>,
    /// The longest UDP payload, in bytes, [`PATH_MTU_MIN`] to [`PATH_MTU_MAX`];
    /// [`PHYSICAL_MTU`] if `None`.
    pub mtu: Option<u16>,
}

/// What holds for one peer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PeerRule {
    /// Where to try it, at most [`RULES_PER_PEER_MAX`].
    pub endpoints: Vec<SocketAddr>,
    /// Where it is not reached, at most [`RULES_PER_PEER_MAX`].
    pub blacklist: Vec<Prefix>,
}

/// Why a rule is refused.
#[derive(Clone, Copy, Debug, Eq, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum PathRuleError {
    /// Others than the user have addresses in the prefix.
    #[error("{0} is not a private network, where alone a path may be trusted")]
    PublicTrustedPath(Prefix),
    /// Datagrams are not cut so short or left so long.
    #[error("an MTU of {0} is not between {PATH_MTU_MIN} and {PATH_MTU_MAX} bytes")]
    Mtu(u16),
    /// There are too many rules.
    #[error("there are more than {0} rules")]
    TooMany(usize),
}

/// All of these.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PathRules {
    /// The longest prefixes first.
    physical: Vec<(Prefix, PhysicalRule)>,
    peers: BTreeMap<Address, PeerRule>,
}

/// A path, and how packets go on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Way {
    /// The path.
    pub path: Path,
    /// The longest datagram, in bytes.
    pub mtu: usize,
    /// The packet is not sealed, but bears this ID.
    pub trusted: Option<TrustedPathId>,
}

impl Way {
    /// Returns the way for packets that are sealed wherever they go.
    #[must_use]
    pub const fn sealed(self) -> Self {
        Self { trusted: None, ..self }
    }
}

impl PathRules {
    /// Says what holds for a prefix. What was said of it before holds no longer.
    ///
    /// # Errors
    ///
    /// [`PathRuleError`]; nothing has changed.
    pub fn set(&mut self, prefix: Prefix, rule: PhysicalRule) -> Result<(), PathRuleError> {
        let prefix = prefix.network();
        if rule.trusted.is_some() && !is_private(prefix) {
            return Err(PathRuleError::PublicTrustedPath(prefix));
        }
        if let Some(mtu) = rule.mtu.filter(|mtu| !(PATH_MTU_MIN..=PATH_MTU_MAX).contains(mtu)) {
            return Err(PathRuleError::Mtu(mtu));
        }
        self.physical.retain(|(known, _)| *known != prefix);
        if self.physical.len() >= PHYSICAL_RULES_MAX {
            return Err(PathRuleError::TooMany(PHYSICAL_RULES_MAX));
        }
        let at = self.physical.partition_point(|(known, _)| known.bits > prefix.bits);
        self.physical.insert(at, (prefix, rule));
        Ok(())
    }

    /// Says what holds for a peer. What was said of it before holds no longer.
    ///
    /// # Errors
    ///
    /// [`PathRuleError::TooMany`]; nothing has changed.
    pub fn set_peer(&mut self, peer: Address, rule: PeerRule) -> Result<(), PathRuleError> {
        if rule.endpoints.len().max(rule.blacklist.len()) > RULES_PER_PEER_MAX {
            return Err(PathRuleError::TooMany(RULES_PER_PEER_MAX));
        }
        if self.peers.len() >= PEER_RULES_MAX && !self.peers.contains_key(&peer) {
            return Err(PathRuleError::TooMany(PEER_RULES_MAX));
        }
        self.peers.insert(peer, rule);
        Ok(())
    }

    /// Returns whether nothing may go to `ip` or come from it.
    #[must_use]
    pub fn is_blacklisted(&self, ip: IpAddr) -> bool {
        self.of(ip).any(|rule| rule.blacklisted)
    }

    /// Returns whether `peer` may not be reached at `ip`.
    #[must_use]
    pub fn forbids(&self, peer: Address, ip: IpAddr) -> bool {
        let own = self.peers.get(&peer);
        let is_within = |rule: &PeerRule| rule.blacklist.iter().any(|prefix| prefix.contains(ip));
        own.is_some_and(is_within) || self.is_blacklisted(ip)
    }

    /// Returns how packets go on `path`; `None` if none may.
    #[must_use]
    pub fn way(&self, path: Path) -> Option<Way> {
        let ip = path.remote.ip();
        if self.is_blacklisted(ip) {
            return None;
        }
        let mtu = self.of(ip).find_map(|rule| rule.mtu).map_or(PHYSICAL_MTU, usize::from);
        let trusted = self.of(ip).find_map(|rule| rule.trusted);
        Some(Way { path, mtu, trusted })
    }

    /// Returns whether a packet that is not sealed is believed if it came straight from `ip` and
    /// bears `id`.
    #[must_use]
    pub fn trusts(&self, ip: IpAddr, id: u64) -> bool {
        self.of(ip).any(|rule| rule.trusted.is_some_and(|trusted| trusted.get() == id))
    }

    /// Returns where to try `peer`.
    #[must_use]
    pub fn endpoints(&self, peer: Address) -> &[SocketAddr] {
        self.peers.get(&peer).map_or(&[], |rule| &rule.endpoints)
    }

    /// Returns the peers there is something to try for, by ascending address.
    pub fn tried(&self) -> impl Iterator<Item = Address> {
        let named = self.peers.iter().filter(|(_, rule)| !rule.endpoints.is_empty());
        named.map(|(&peer, _)| peer)
    }

    /// Returns the prefixes that are trusted and what the paths there are called.
    pub fn trusted_paths(&self) -> impl Iterator<Item = (Prefix, TrustedPathId)> {
        self.physical.iter().filter_map(|(prefix, rule)| Some((*prefix, rule.trusted?)))
    }

    /// Returns every rule of a prefix that contains `ip`, the longest first.
    fn of(&self, ip: IpAddr) -> impl Iterator<Item = &PhysicalRule> {
        let containing = self.physical.iter().filter(move |(prefix, _)| prefix.contains(ip));
        containing.map(|(_, rule)| rule)
    }
}

/// Networks whose addresses nobody has on the Internet: those for private use (RFC 1918, RFC 4193),
/// for documentation and for benchmarks (RFC 5737, RFC 2544). Those that carriers share among their
/// customers (RFC 6598) are none of them.
const PRIVATE: [Prefix; 8] = [
    v4([10, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    v4([192, 0, 2, 0], 24),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([198, 18, 0, 0], 15),
    Prefix { address: IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), bits: 7 },
];

const fn v4([a, b, c, d]: [u8; 4], bits: u8) -> Prefix {
    Prefix { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
}

/// Returns whether every address in `prefix` is private.
fn is_private(prefix: Prefix) -> bool {
    PRIVATE.iter().any(|range| range.bits <= prefix.bits && range.contains(prefix.address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn trusted(id: u64) -> PhysicalRule {
        PhysicalRule { trusted: TrustedPathId::new(id), ..PhysicalRule::default() }
    }

    fn rules(rules: &[(&str, PhysicalRule)]) -> PathRules {
        let mut all = PathRules::default();
        for (text, rule) in rules {
            all.set(prefix(text), *rule).unwrap();
        }
        all
    }

    fn way(rules: &PathRules, to: &str) -> Option<Way> {
        rules.way(Path::from_all((ip(to), 9_993).into()))
    }

    #[test]
    fn without_rules_everything_is_as_usual() {
        let rules = PathRules::default();

        let way = way(&rules, "10.1.2.3").unwrap();

        assert_eq!((way.mtu, way.trusted), (PHYSICAL_MTU, None));
        assert!(!rules.forbids(Address::from_u64(1), ip("10.1.2.3")));
        assert!(!rules.trusts(ip("10.1.2.3"), 0));
    }

    #[test]
    fn the_longest_prefix_that_says_something_settles_it() {
        let mtu = |mtu| PhysicalRule { mtu: Some(mtu), ..PhysicalRule::default() };
        let rules = rules(&[
            ("10.0.0.0/8", PhysicalRule { mtu: Some(1_400), ..trusted(1) }),
            ("10.1.2.0/24", mtu(9_000)),
            ("10.1.0.0/16", PhysicalRule { mtu: Some(1_500), ..trusted(2) }),
        ]);
        let there = |to| way(&rules, to).map(|way| (way.mtu, way.trusted.map(NonZeroU64::get)));

        assert_eq!(there("10.1.2.3"), Some((9_000, Some(2))));
        assert_eq!(there("10.1.3.3"), Some((1_500, Some(2))));
        assert_eq!(there("10.2.3.3"), Some((1_400, Some(1))));
        assert_eq!(there("192.168.1.1"), Some((PHYSICAL_MTU, None)));
    }

    #[test]
    fn a_blacklisted_prefix_has_no_exceptions() {
        let blacklisted = PhysicalRule { blacklisted: true, ..PhysicalRule::default() };
        let rules = rules(&[("10.0.0.0/8", blacklisted), ("10.1.0.0/16", trusted(1))]);

        assert_eq!(way(&rules, "10.1.2.3"), None);
        assert_eq!(way(&rules, "10.2.2.3"), None);
        assert!(way(&rules, "11.2.2.3").is_some());
    }

    #[test]
    fn a_peers_blacklist_is_no_other_peers() {
        let mut rules = PathRules::default();
        let [a, b] = [1, 2].map(Address::from_u64);
        let blacklist = vec![prefix("10.0.0.0/8")];
        rules.set_peer(a, PeerRule { blacklist, ..PeerRule::default() }).unwrap();

        assert!(rules.forbids(a, ip("10.1.2.3")));
        assert!(!rules.forbids(a, ip("192.168.1.1")));
        assert!(!rules.forbids(b, ip("10.1.2.3")));
    }

    #[test]
    fn an_id_is_believed_only_from_a_prefix_that_has_it() {
        let rules = rules(&[("10.0.0.0/8", trusted(1)), ("10.1.0.0/16", trusted(2))]);

        assert!(rules.trusts(ip("10.1.2.3"), 1));
        assert!(rules.trusts(ip("10.1.2.3"), 2));
        assert!(!rules.trusts(ip("10.2.2.3"), 2));
        assert!(!rules.trusts(ip("10.2.2.3"), 0));
        assert!(!rules.trusts(ip("192.168.1.1"), 1));
    }

    #[test]
    fn no_public_prefix_is_trusted() {
        for text in ["0.0.0.0/0", "5.2.0.0/16", "172.0.0.0/8", "192.168.0.0/15", "100.64.0.0/10"] {
            let refused = PathRules::default().set(prefix(text), trusted(1));
            assert_eq!(refused, Err(PathRuleError::PublicTrustedPath(prefix(text).network())));
        }
        for text in ["::/0", "2000::/3", "fe80::/10", "::ffff:10.0.0.0/104"] {
            assert!(PathRules::default().set(prefix(text), trusted(1)).is_err(), "{text}");
        }
        for text in ["10.0.0.0/8", "172.31.0.0/16", "192.168.7.0/24", "fd12::/16", "fc00::/7"] {
            assert_eq!(PathRules::default().set(prefix(text), trusted(1)), Ok(()), "{text}");
        }
    }

    #[test]
    fn rules_are_bounded_and_replaced() {
        let mut rules = PathRules::default();
        for third in 0..PHYSICAL_RULES_MAX {
            rules.set(prefix(&format!("10.1.{third}.0/24")), trusted(1)).unwrap();
        }

        let max = PathRuleError::TooMany(PHYSICAL_RULES_MAX);
        assert_eq!(rules.set(prefix("10.2.0.0/24"), trusted(1)), Err(max));
        assert_eq!(rules.set(prefix("10.1.1.7/24"), trusted(9)), Ok(()));
        assert_eq!(way(&rules, "10.1.1.1").unwrap().trusted, TrustedPathId::new(9));
        assert_eq!(rules.trusted_paths().count(), PHYSICAL_RULES_MAX);
        for mtu in [0, PATH_MTU_MIN - 1, PATH_MTU_MAX + 1] {
            let rule = PhysicalRule { mtu: Some(mtu), ..PhysicalRule::default() };
            assert_eq!(rules.set(prefix("10.1.1.0/24"), rule), Err(PathRuleError::Mtu(mtu)));
        }
        let endpoints = vec![([192, 0, 2, 1], 1).into(); RULES_PER_PEER_MAX + 1];
        let rule = PeerRule { endpoints, ..PeerRule::default() };
        let max = PathRuleError::TooMany(RULES_PER_PEER_MAX);
        assert_eq!(rules.set_peer(Address::from_u64(1), rule), Err(max));
    }
}
