//! What a network's configuration means for this machine (spec 03 §11).

use std::net::IpAddr;

use zt_protocol::endpoint::Scope;
use zt_protocol::event::{NetworkStatus, Route};

/// The state a network's interface should be in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Plan {
    /// MTU, in bytes.
    pub(super) mtu: u16,
    /// Addresses with prefix lengths.
    pub(super) addresses: Vec<(IpAddr, u8)>,
    /// Routes through the interface, those without gateway first.
    pub(super) routes: Vec<PlannedRoute>,
}

/// A route through a network's interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct PlannedRoute {
    /// Destination.
    pub(super) target: IpAddr,
    /// Its prefix length.
    pub(super) bits: u8,
    /// Gateway; `None` if on-link.
    pub(super) via: Option<IpAddr>,
    /// The address packets are sent from.
    pub(super) source: IpAddr,
}

impl Plan {
    /// Works out what `status` asks for and this machine allows.
    ///
    /// Addresses and routes in public ranges and default routes are refused: a controller does
    /// not get to take over this machine's way to the Internet.
    pub(super) fn of(status: &NetworkStatus) -> Self {
        let addresses: Vec<_> =
            status.addresses.iter().copied().filter(|&(ip, _)| is_allowed(ip)).collect();
        let mut routes: Vec<_> =
            status.routes.iter().filter_map(|route| plan_route(route, &addresses)).collect();
        routes.sort_by_key(|route| route.via.is_some());

        Self { mtu: status.mtu, addresses, routes }
    }
}

fn plan_route(route: &Route, addresses: &[(IpAddr, u8)]) -> Option<PlannedRoute> {
    let Route { target, bits, via } = *route;
    let is_default = bits == 0;
    let is_ours = via.is_some_and(|via| addresses.iter().any(|&(ip, _)| ip == via));
    let is_implied = addresses.iter().any(|&(ip, len)| len == bits && contains(target, bits, ip));
    if is_default || is_ours || is_implied || !is_allowed(target) {
        return None;
    }

    let same_family = |&&(ip, _): &&(IpAddr, u8)| ip.is_ipv4() == target.is_ipv4();
    let (source, _) =
        addresses.iter().filter(same_family).max_by_key(|&&(ip, _)| common_bits(ip, target))?;
    Some(PlannedRoute { target, bits, via, source: *source })
}

/// Returns whether a controller may give out `ip` (without the policies a user can set).
fn is_allowed(ip: IpAddr) -> bool {
    match Scope::of(ip) {
        Scope::Private | Scope::Shared | Scope::PseudoPrivate => true,
        Scope::None | Scope::Multicast | Scope::Loopback | Scope::LinkLocal | Scope::Global => {
            false
        }
    }
}

/// Returns whether the network `target`/`bits` contains `ip`.
fn contains(target: IpAddr, bits: u8, ip: IpAddr) -> bool {
    target.is_ipv4() == ip.is_ipv4() && common_bits(target, ip) >= u32::from(bits)
}

/// Returns how many leading bits two addresses of one family share.
fn common_bits(a: IpAddr, b: IpAddr) -> u32 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use zt_protocol::address::{Mac, NetworkId};
    use zt_protocol::event::Standing;

    use super::*;

    #[test]
    fn addresses_and_routes_of_private_networks_are_taken() {
        let plan = Plan::of(&status(
            &[("10.1.0.5", 24), ("fd00::5", 88)],
            &[("10.2.0.0", 16, Some("10.1.0.1")), ("10.3.0.0", 16, None)],
        ));

        assert_eq!(plan.mtu, 2_800);
        assert_eq!(plan.addresses.len(), 2);
        // On-link first, for a gateway may have to be reached through it.
        assert_eq!(
            plan.routes,
            [
                route("10.3.0.0", 16, None, "10.1.0.5"),
                route("10.2.0.0", 16, Some("10.1.0.1"), "10.1.0.5")
            ]
        );
    }

    #[test]
    fn the_machines_own_ways_are_not_taken_over() {
        let plan = Plan::of(&status(
            &[("8.8.8.8", 24), ("127.0.0.5", 8), ("10.1.0.5", 24)],
            &[("0.0.0.0", 0, Some("10.1.0.1")), ("8.8.4.0", 24, Some("10.1.0.1"))],
        ));

        assert_eq!(plan.addresses, [("10.1.0.5".parse().unwrap(), 24)]);
        assert_eq!(plan.routes, []);
    }

    #[test]
    fn routes_that_lead_nowhere_or_are_there_already_are_left_out() {
        let plan = Plan::of(&status(
            &[("10.1.0.5", 24)],
            &[("10.1.0.0", 24, None), ("10.4.0.0", 16, Some("10.1.0.5")), ("fd00:1::", 64, None)],
        ));

        assert_eq!(plan.routes, []);
    }

    #[test]
    fn packets_leave_from_the_address_closest_to_their_destination() {
        let plan = Plan::of(&status(
            &[("10.1.0.5", 24), ("192.168.7.5", 24)],
            &[("192.168.9.0", 24, Some("192.168.7.1"))],
        ));

        assert_eq!(plan.routes[0].source, "192.168.7.5".parse::<IpAddr>().unwrap());
    }

    fn route(target: &str, bits: u8, via: Option<&str>, source: &str) -> PlannedRoute {
        PlannedRoute {
            target: target.parse().unwrap(),
            bits,
            via: via.map(|via| via.parse().unwrap()),
            source: source.parse().unwrap(),
        }
    }

    fn status(addresses: &[(&str, u8)], routes: &[(&str, u8, Option<&str>)]) -> NetworkStatus {
        NetworkStatus {
            id: NetworkId(1),
            standing: Standing::Ok,
            name: String::new(),
            mac: Mac::ZERO,
            mtu: 2_800,
            addresses: addresses.iter().map(|&(ip, bits)| (ip.parse().unwrap(), bits)).collect(),
            routes: routes
                .iter()
                .map(|&(target, bits, via)| Route {
                    target: target.parse().unwrap(),
                    bits,
                    via: via.map(|via| via.parse().unwrap()),
                })
                .collect(),
        }
    }
}
