//! Writing one member's configuration, credentials included.
//!
//! Source: spec 04 §3.

use core::net::IpAddr;
use std::collections::BTreeMap;

use super::addresses::{assign_v4, assign_v6, prefix_length};
use super::member::MemberRecord;
use super::network::{NameServers, NetworkRecord};
use super::session::Asked;
use super::store::Hosted;
use crate::address::Address;
use crate::config::{Dns, NetworkConfig, Route, Specialist, Sso};
use crate::credential::ownership::Thing;
use crate::credential::{Capability, Membership, Ownership, Tag};
use crate::limits::{
    CONFIG_ADDRESSES_MAX, CONFIG_CAPABILITIES_MAX, CONFIG_DNS_SERVERS_MAX, CONFIG_ROUTES_MAX,
    CONFIG_RULES_MAX, CONFIG_SPECIALISTS_MAX, CONFIG_TAGS_MAX, CONFIG_TEXT_LEN_MAX,
    RULES_PER_CAPABILITY_MAX, THINGS_PER_OWNERSHIP_MAX,
};
use crate::outbox::Ctx;
use crate::rules::Rule;

/// How far apart credentials may be that agree, in milliseconds, unless the network says otherwise.
const WINDOW_DEFAULT: u64 = 1_800_000;
const WINDOW_MIN: u64 = 300_000;
const WINDOW_MAX: u64 = 7_200_000;

/// Returns the configuration of the member that `asked`, signed now.
///
/// What the member is given for good is added to its `record`: addresses from pools, tags that
/// have a default and, if the member is new, the capabilities that new members get.
pub(super) fn configuration(
    ctx: &mut Ctx<'_>,
    hosted: &Hosted,
    record: &mut MemberRecord,
    asked: &Asked,
    is_new: bool,
) -> NetworkConfig {
    let network = hosted.record();
    let routes = &network.routes[..network.routes.len().min(CONFIG_ROUTES_MAX)];
    let window = network.certificate_window.unwrap_or(WINDOW_DEFAULT).clamp(WINDOW_MIN, WINDOW_MAX);
    let (rules, capabilities, tags) = if asked.metadata.rules_engine == 0 {
        (vec![Rule::accept()], Vec::new(), Vec::new())
    } else {
        if is_new {
            give_default_capabilities(network, record);
        }
        give_default_tags(network, record);
        let rules = network.rules.iter().take(CONFIG_RULES_MAX).cloned().collect();
        (rules, capabilities(ctx, network, record), tags(ctx, record))
    };
    let addresses = addresses(ctx, hosted, routes, record);
    let (trace_target, trace_level) = match record.trace_target {
        Some(target) => (target, record.trace_level),
        None => (network.trace_target.unwrap_or_default(), network.trace_level),
    };

    NetworkConfig {
        network: network.id(),
        timestamp: ctx.unix,
        credential_window_ms: window,
        revision: network.revision,
        issued_to: record.address(),
        trace_target,
        trace_level,
        flags: flags(network, record),
        multicast_limit: network.multicast_limit,
        public: !network.private,
        name: cut(&network.name),
        mtu: network.mtu,
        membership: Some(Membership::issue(
            ctx.me,
            network.id(),
            &asked.identity,
            ctx.unix,
            window,
        )),
        capabilities,
        tags,
        ownerships: ownerships(ctx, record, &addresses),
        specialists: specialists(hosted),
        routes: routes.to_vec(),
        addresses,
        rules,
        dns: dns(&network.dns),
        sso: sso(network, record),
    }
}

/// Returns the start of `text` that fits.
fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(CONFIG_TEXT_LEN_MAX)].to_owned()
}

fn flags(network: &NetworkRecord, member: &MemberRecord) -> u64 {
    let computed = network.v6.rfc4193 || network.v6.six_plane;
    let mut flags = 0;
    if network.broadcast {
        flags |= NetworkConfig::BROADCAST;
    }
    if computed && !member.no_auto_assign {
        flags |= NetworkConfig::NDP_EMULATION;
    }
    flags
}

/// Adds to a new member's capabilities those that new members get.
fn give_default_capabilities(network: &NetworkRecord, record: &mut MemberRecord) {
    for (&id, capability) in &network.capabilities {
        if capability.default && !record.capabilities.contains(&id) {
            record.capabilities.push(id);
        }
    }
}

/// Adds to a member's tags the defaults of those it has none of, which stay with it even if the
/// network's default changes.
fn give_default_tags(network: &NetworkRecord, record: &mut MemberRecord) {
    for (&id, &default) in &network.tags {
        if let Some(value) = default
            && !record.tags.iter().any(|&(tag, _)| tag == id)
        {
            record.tags.push((id, value));
        }
    }
}

/// Returns those of the member's capabilities that the network defines.
fn capabilities(ctx: &Ctx<'_>, network: &NetworkRecord, record: &MemberRecord) -> Vec<Capability> {
    let defined =
        record.capabilities.iter().filter_map(|id| network.capabilities.get_key_value(id));
    defined
        .take(CONFIG_CAPABILITIES_MAX)
        .map(|(&id, capability)| {
            let rules = capability.rules.iter().take(RULES_PER_CAPABILITY_MAX).cloned().collect();
            Capability::issue(ctx.me, network.id(), record.address(), ctx.unix, id, rules)
        })
        .collect()
}

/// Returns the member's tags by ascending ID, one for each; of several values the last counts.
fn tags(ctx: &Ctx<'_>, record: &MemberRecord) -> Vec<Tag> {
    let values: BTreeMap<u32, u32> = record.tags.iter().copied().collect();
    let issue =
        |(id, value)| Tag::issue(ctx.me, record.network(), record.address(), ctx.unix, id, value);
    values.into_iter().take(CONFIG_TAGS_MAX).map(issue).collect()
}

/// Returns what shows that the member owns `addresses`: one certificate, or two if they are many.
fn ownerships(ctx: &Ctx<'_>, record: &MemberRecord, addresses: &[(IpAddr, u8)]) -> Vec<Ownership> {
    let groups = (1..).zip(addresses.chunks(THINGS_PER_OWNERSHIP_MAX));
    groups
        .map(|(id, group)| {
            let things = group.iter().map(|&(ip, _)| Thing::Ip(ip)).collect();
            Ownership::issue(ctx.me, record.network(), record.address(), ctx.unix, id, things)
        })
        .collect()
}

fn specialists(hosted: &Hosted) -> Vec<Specialist> {
    let bridge = |&address: &Address| Specialist { address, roles: Specialist::ACTIVE_BRIDGE };
    hosted.bridges().iter().take(CONFIG_SPECIALISTS_MAX).map(bridge).collect()
}

/// Returns until when the member's log-in is good. There is no log-in service to say more about.
fn sso(network: &NetworkRecord, record: &MemberRecord) -> Sso {
    if !network.sso_enabled {
        return Sso::default();
    }
    let expiry_ms = i64::try_from(record.authentication_expiry).unwrap_or(i64::MAX);
    Sso { enabled: true, expiry_ms, ..Sso::default() }
}

fn dns(servers: &NameServers) -> Dns {
    let places = servers.servers.iter().take(CONFIG_DNS_SERVERS_MAX);
    Dns {
        domain: cut(&servers.domain),
        servers: places.filter_map(|server| server.parse().ok()).collect(),
    }
}

/// Returns the member's addresses with their prefix lengths (spec 04 §4.1): first those computed
/// from its own, then those on record, then new ones from pools, which are put on record.
fn addresses(
    ctx: &mut Ctx<'_>,
    hosted: &Hosted,
    routes: &[Route],
    record: &mut MemberRecord,
) -> Vec<(IpAddr, u8)> {
    let network = hosted.record();
    let member = record.address();
    let auto = !record.no_auto_assign;
    let mut addresses = Vec::new();
    if auto && network.v6.rfc4193 {
        addresses.push((network.id().rfc4193(member).into(), 88));
    }
    if auto && network.v6.six_plane {
        addresses.push((network.id().six_plane(member).into(), 40));
    }

    let computed = addresses.len();
    let routed = |&ip: &IpAddr| prefix_length(routes, ip).map(|bits| (ip, bits));
    addresses.extend(record.addresses.iter().filter_map(routed));
    addresses.truncate(CONFIG_ADDRESSES_MAX);
    let has =
        |is_family: fn(&IpAddr) -> bool| addresses[computed..].iter().any(|(ip, _)| is_family(ip));
    let wants_v6 = auto && network.v6.pools && !has(IpAddr::is_ipv6);
    let wants_v4 = auto && network.v4_pools && !has(IpAddr::is_ipv4);

    let v6 = wants_v6
        .then(|| assign_v6(&network.pools, routes, hosted.in_use(), member, ctx.rng))
        .flatten();
    let v4 = wants_v4.then(|| assign_v4(&network.pools, routes, hosted.in_use(), member)).flatten();
    let assigned = v6.map(IpAddr::from).into_iter().chain(v4.map(IpAddr::from));
    for ip in assigned.take(CONFIG_ADDRESSES_MAX - addresses.len()) {
        record.addresses.push(ip);
        addresses.extend(routed(&ip));
    }
    addresses
}
