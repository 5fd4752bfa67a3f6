//! What nodes hold that rules look at, as far as it counts.
//!
//! Source: spec 03 §6.4, §7.4, §8.3.

use core::net::IpAddr;

use crate::address::Address;
use crate::config::NetworkConfig;
use crate::credential::ownership::Thing;
use crate::credential::{Capability, Ownership, Tag};
use crate::rules::{Grant, Holdings, Prefix};

/// Returns what this node holds: all that its configuration says.
pub(super) fn own(config: &NetworkConfig) -> Holdings {
    add(Holdings::default(), &config.tags, &config.capabilities, &config.ownerships)
}

/// Returns what others hold on the network of `me` of whom nothing is known.
///
/// Where neighbours are not asked for their addresses, every member counts as the owner of the
/// addresses that contain a member's, whosever.
pub(super) fn strangers(config: &NetworkConfig, me: Address) -> Holdings {
    let network = config.network;
    let computed = [(network.six_plane(me), 40), (network.rfc4193(me), 88)];
    let emulated = computed.into_iter().filter(|&(own, _)| {
        let mut addresses = config.addresses.iter();
        config.ndp_emulation() && addresses.any(|&(address, _)| address == IpAddr::V6(own))
    });
    Holdings::default().with_prefixes(emulated.map(|(address, bits)| Prefix { address, bits }))
}

/// Adds credentials to `holdings`.
pub(super) fn add<'a>(
    holdings: Holdings,
    tags: impl IntoIterator<Item = &'a Tag>,
    capabilities: impl IntoIterator<Item = &'a Capability>,
    ownerships: impl IntoIterator<Item = &'a Ownership>,
) -> Holdings {
    let grants = capabilities.into_iter();
    let grants = grants.map(|held| Grant { id: held.id, rules: held.rules.clone() });
    let things: Vec<&Thing> = ownerships.into_iter().flat_map(|held| &held.things).collect();
    let ips = things.iter().filter_map(|thing| match thing {
        Thing::Ip(ip) => Some(*ip),
        Thing::Mac(_) | Thing::Unknown { .. } => None,
    });
    let macs = things.iter().filter_map(|thing| match thing {
        Thing::Mac(mac) => Some(*mac),
        Thing::Ip(_) | Thing::Unknown { .. } => None,
    });
    holdings
        .with_tags(tags.into_iter().map(|tag| (tag.id, tag.value)))
        .with_grants(grants)
        .with_addresses(ips)
        .with_macs(macs)
}
