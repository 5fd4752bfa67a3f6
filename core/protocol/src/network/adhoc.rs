//! Networks without a controller, which configure themselves from their own IDs.
//!
//! Source: spec 03 §4.

use core::net::{IpAddr, Ipv4Addr};

use crate::address::{Address, NetworkId};
use crate::config::{Dns, NetworkConfig, Specialist, Sso};
use crate::limits::NETWORK_MTU_DEFAULT;
use crate::rules::{Kind, Range, Rule};
use crate::time::UnixMillis;

/// How far credentials may be apart in time. There are none, but it is part of the configuration.
const WINDOW_MS: u64 = 7_200_000;

/// Most recipients of a multicast on a network of the IPv4 form.
const MULTICAST_LIMIT: u32 = 1_024;

/// The numbers the rules of the port-range form are about.
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ICMPV6: u8 = 58;
const UDP: u8 = 17;
const TCP: u8 = 6;
const TCP_SYN: u64 = 0x02;
const TCP_ACK: u64 = 0x10;

/// What an ad-hoc network's ID says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum AdHoc {
    /// A configuration.
    Configured(Box<NetworkConfig>),
    /// A range of ports that ends before it begins: there is no such network.
    NotFound,
    /// Nothing that is defined.
    Undefined,
}

/// Works out the configuration of the ad-hoc network `network` for `member`.
pub(super) fn configure(network: NetworkId, member: Address, now: UnixMillis) -> AdHoc {
    match network.to_bytes() {
        [_, s, t, e, f, 0, 0, 0] => {
            let (start, end) = (u16::from_be_bytes([s, t]), u16::from_be_bytes([e, f]));
            if end < start {
                return AdHoc::NotFound;
            }
            AdHoc::Configured(Box::new(NetworkConfig {
                name: format!("adhoc-{start:04x}-{end:04x}"),
                rules: port_range_rules(Range { start, end }),
                ..common(network, member, now)
            }))
        }
        [_, first_octet, h @ .., 1] => {
            let [.., b, c, d] = member.to_bytes();
            let ip = Ipv4Addr::new(first_octet, b, c, d);
            let mut config = common(network, member, now);
            config.name = format!("adhoc-{first_octet}.0.0.0");
            config.multicast_limit = MULTICAST_LIMIT;
            config.addresses.push((IpAddr::V4(ip), 8));
            config.rules = vec![Rule::accept()];
            let hub = Address::from(h);
            if hub != Address::NULL {
                // Without any role the hub has no effect, as with the reference.
                config.specialists.push(Specialist { address: hub, roles: 0 });
            }
            AdHoc::Configured(Box::new(config))
        }
        _ => AdHoc::Undefined,
    }
}

fn common(network: NetworkId, member: Address, now: UnixMillis) -> NetworkConfig {
    NetworkConfig {
        network,
        timestamp: now,
        credential_window_ms: WINDOW_MS,
        revision: 1,
        issued_to: member,
        trace_target: Address::NULL,
        trace_level: 0,
        flags: NetworkConfig::NDP_EMULATION,
        multicast_limit: 0,
        public: true,
        name: String::new(),
        mtu: NETWORK_MTU_DEFAULT,
        membership: None,
        capabilities: Vec::new(),
        tags: Vec::new(),
        ownerships: Vec::new(),
        specialists: Vec::new(),
        routes: Vec::new(),
        addresses: vec![(IpAddr::V6(network.six_plane(member)), 40)],
        rules: Vec::new(),
        dns: Dns::default(),
        sso: Sso::default(),
    }
}

/// Lets IPv6 pass to `ports`, and back from them.
///
/// The rule on connections that are not being opened lets everything but TCP pass as well. That
/// is how the reference means it.
fn port_range_rules(ports: Range<u16>) -> Vec<Rule> {
    let not = |kind| Rule { not: true, ..Rule::from(kind) };
    let or = |kind| Rule { or: true, ..Rule::from(kind) };
    vec![
        not(Kind::Ethertype(ETHERTYPE_IPV6)),
        Kind::Drop.into(),
        Kind::IpProtocol(ICMPV6).into(),
        Kind::Accept.into(),
        Kind::IpProtocol(UDP).into(),
        or(Kind::IpProtocol(TCP)),
        Kind::DestinationPort(ports).into(),
        Kind::Accept.into(),
        not(Kind::Characteristics(TCP_SYN)),
        Kind::Accept.into(),
        Kind::Characteristics(TCP_SYN).into(),
        Kind::Characteristics(TCP_ACK).into(),
        Kind::Accept.into(),
        Kind::Drop.into(),
    ]
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;
    use crate::rules::codec;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn member() -> Address {
        Address::from_u64(0x6e_43f1_a85f)
    }

    fn configured(network: u64) -> NetworkConfig {
        match configure(NetworkId(network), member(), NOW) {
            AdHoc::Configured(config) => *config,
            other => panic!("{other:?}"),
        }
    }

    /// The first case of `adhoc.json`.
    #[test]
    fn a_port_range_is_a_network() {
        let config = configured(0xff00_1600_1600_0000);
        let mut rules = Vec::new();
        for rule in &config.rules {
            codec::write(rule, &mut rules);
        }

        assert_eq!(config.name, "adhoc-0016-0016");
        assert_eq!(config.addresses, [("fce9:16:6e:43f1:a85f::1".parse().unwrap(), 40)]);
        assert_eq!(config.multicast_limit, 0);
        assert_eq!(
            rules,
            hex!(
                "a50286dd 0000" "24013a 0100" "240111 640106 280400160016 0100"
                "a9080000000000000002 0100" "29080000000000000002 29080000000000000010 0100" "0000"
            )
        );
    }

    #[test]
    fn an_ipv4_network_is_one_whose_members_have_their_addresses_in_it() {
        let config = configured(0xff0a_7e3f_6ea8_ef01);

        assert_eq!(config.name, "adhoc-10.0.0.0");
        assert_eq!(config.addresses[1], ("10.241.168.95".parse().unwrap(), 8));
        assert_eq!(config.rules, [Rule::accept()]);
        let hub = Specialist { address: Address::from_u64(0x7e_3f6e_a8ef), roles: 0 };
        assert_eq!(config.specialists, [hub]);
        assert_eq!(configured(0xff0a_0000_0000_0001).specialists, []);
    }

    #[test]
    fn other_numbers_mean_nothing() {
        let configure = |network| configure(NetworkId(network), member(), NOW);

        assert_eq!(configure(0xff00_2000_1000_0000), AdHoc::NotFound);
        assert_eq!(configure(0xff0a_7e3f_6ea8_ef02), AdHoc::Undefined);
    }
}
