//! What a node holds that rules look at.
//!
//! Source: spec 03 §6.4, §8.3, §8.6.

use core::net::{IpAddr, Ipv6Addr};

use super::{Prefix, Rule};
use crate::address::Mac;
use crate::memory;

/// What a node holds: tags, capabilities and addresses, only those that count.
///
/// For this node that is what its configuration says; for others, what their credentials say that
/// are neither revoked nor out of the window of time.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Holdings {
    /// Values by ID, ascending.
    tags: Vec<(u32, u32)>,
    /// By ascending ID.
    grants: Vec<Grant>,
    addresses: Vec<IpAddr>,
    prefixes: Vec<Prefix<Ipv6Addr>>,
    macs: Vec<Mac>,
}

/// The rules of a capability.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grant {
    /// The capability's ID.
    pub id: u32,
    /// What it lets through.
    pub rules: Vec<Rule>,
}

impl Holdings {
    /// Adds tags, as IDs and values. Of several with one ID, the first counts.
    #[must_use]
    pub fn with_tags(mut self, tags: impl IntoIterator<Item = (u32, u32)>) -> Self {
        self.tags.extend(tags);
        self.tags.sort_by_key(|&(id, _)| id);
        self
    }

    /// Adds capabilities.
    #[must_use]
    pub fn with_grants(mut self, grants: impl IntoIterator<Item = Grant>) -> Self {
        self.grants.extend(grants);
        self.grants.sort_by_key(|grant| grant.id);
        self
    }

    /// Adds IP addresses the node owns.
    #[must_use]
    pub fn with_addresses(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.addresses.extend(addresses);
        self
    }

    /// Adds prefixes all of whose addresses the node counts as the owner of.
    #[must_use]
    pub fn with_prefixes(mut self, prefixes: impl IntoIterator<Item = Prefix<Ipv6Addr>>) -> Self {
        self.prefixes.extend(prefixes);
        self
    }

    /// Adds MAC addresses the node owns.
    #[must_use]
    pub fn with_macs(mut self, macs: impl IntoIterator<Item = Mac>) -> Self {
        self.macs.extend(macs);
        self
    }

    /// Returns what they take, in bytes.
    pub(crate) fn footprint(&self) -> usize {
        let rules = self.grants.iter().map(|grant| super::footprint(&grant.rules));
        memory::of_list(&self.tags)
            + memory::of_list(&self.grants)
            + rules.sum::<usize>()
            + memory::of_list(&self.addresses)
            + memory::of_list(&self.prefixes)
            + memory::of_list(&self.macs)
    }

    /// Returns the value of a tag.
    #[must_use]
    pub fn tag(&self, id: u32) -> Option<u32> {
        let at = self.tags.partition_point(|&(other, _)| other < id);
        self.tags.get(at).filter(|&&(found, _)| found == id).map(|&(_, value)| value)
    }

    /// Returns the capabilities, by ascending ID.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// Returns whether the node owns an IP address.
    #[must_use]
    pub fn owns_ip(&self, ip: IpAddr) -> bool {
        let in_prefix = match ip {
            IpAddr::V4(_) => false,
            IpAddr::V6(v6) => self.prefixes.iter().any(|prefix| prefix.contains(v6)),
        };
        in_prefix || self.addresses.contains(&ip)
    }

    /// Returns whether the node owns a MAC address.
    #[must_use]
    pub fn owns_mac(&self, mac: Mac) -> bool {
        self.macs.contains(&mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_by_their_ids() {
        let holdings = Holdings::default().with_tags([(7, 1), (3, 2), (7, 3)]);

        assert_eq!(holdings.tag(3), Some(2));
        assert_eq!(holdings.tag(7), Some(1));
        assert_eq!(holdings.tag(5), None);
        assert_eq!(Holdings::default().tag(3), None);
    }

    #[test]
    fn addresses_are_owned_one_by_one_or_by_prefix() {
        let prefix = Prefix { address: "fd00::1".parse().unwrap(), bits: 88 };
        let holdings = Holdings::default()
            .with_addresses(["10.0.0.1".parse().unwrap()])
            .with_prefixes([prefix]);
        let owns = |ip: &str| holdings.owns_ip(ip.parse().unwrap());

        assert!(owns("10.0.0.1"));
        assert!(owns("fd00::ff:ffff"));
        assert!(!owns("10.0.0.2"));
        assert!(!owns("fd00::100:0:0"));
    }
}
