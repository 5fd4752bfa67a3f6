//! What a network's configuration means for this machine.
//!
//! ```text
//!  NetworkStatus   what the controller asks for ┐
//!                                               ├──> TunPlan ──> an interface, a VPN service …
//!  Settings        what the user allows         ┘
//! ```
//!
//! A plan is a value: whoever makes interfaces carries it out, and asks [`TunPlan::diff`] how much
//! of it is news.
//!
//! Source: spec 03 §11.

use core::net::IpAddr;

use crate::endpoint::Scope;
use crate::event::{Dns, NetworkStatus, Route, Standing};
use crate::prefix::Prefix;
use crate::settings::{Managed, Settings};

/// The state a network's interface should be in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TunPlan {
    /// MTU, in bytes.
    pub mtu: u16,
    /// This node's addresses and the lengths of their prefixes, each of which is on the link.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Routes through the interface, those without gateway first.
    pub routes: Vec<PlannedRoute>,
    /// Name servers and the domain they are for.
    pub dns: Option<Dns>,
}

/// A route through a network's interface.
///
/// A default route is one of no bits: how it is installed so that this node's own datagrams do not
/// take it is the host's business.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PlannedRoute {
    /// Destination, host bits zero.
    pub target: IpAddr,
    /// Its prefix length.
    pub bits: u8,
    /// Gateway; `None` if on-link.
    pub via: Option<IpAddr>,
    /// The address packets are sent from: of this node's own the one closest to `target`.
    pub source: IpAddr,
}

/// How much of a plan is news.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PlanChange {
    /// Nothing.
    Nothing,
    /// Only the name servers.
    Dns,
    /// MTU, addresses or routes: a host that cannot change those of an interface needs another.
    Reestablish,
}

impl TunPlan {
    /// Works out what a network asks for and the user allows.
    #[must_use]
    pub fn new(status: &NetworkStatus, settings: &Settings) -> Self {
        let is_allowed = |prefix| is_allowed(prefix, settings);
        let mut addresses = status.addresses.clone();
        addresses.retain(|&(address, bits)| {
            // A short prefix puts more on the link than the network the address is of.
            let prefix = Prefix { address, bits };
            is_allowed(prefix) && is_allowed(prefix.network())
        });

        let mut routes: Vec<_> = status
            .routes
            .iter()
            .map(|&Route { target, bits, via }| (Prefix { address: target, bits }.network(), via))
            .filter(|&(target, _)| is_allowed(target))
            .filter_map(|(target, via)| plan_route(target, via, &addresses))
            .collect();
        routes.sort_by_key(|route| route.via.is_some());

        let dns = status.dns.clone().filter(|dns| settings.dns && !dns.is_empty());
        let plan = Self { mtu: status.mtu, addresses, routes, dns };
        match status.standing {
            Standing::RequestingConfiguration | Standing::Ok | Standing::PortError => plan,
            // What belongs to the network may wait for the controller to change its mind. This
            // machine's way to the Internet, and to names, may not.
            Standing::AccessDenied
            | Standing::NotFound
            | Standing::AuthenticationRequired
            | Standing::IdentityConflict => Self { dns: None, ..plan.without_default_routes() },
        }
    }

    /// Returns the plan without its default routes, which count only while the node is online:
    /// offline they would lead nowhere.
    #[must_use]
    pub fn without_default_routes(&self) -> Self {
        let mut plan = self.clone();
        plan.routes.retain(|route| !route.is_default());
        plan
    }

    /// Returns how much of this plan is news to a host that has carried out `old`.
    #[must_use]
    pub fn diff(&self, old: &Self) -> PlanChange {
        let Self { mtu, addresses, routes, dns } = self;
        if (mtu, addresses, routes) != (&old.mtu, &old.addresses, &old.routes) {
            PlanChange::Reestablish
        } else if *dns != old.dns {
            PlanChange::Dns
        } else {
            PlanChange::Nothing
        }
    }
}

impl PlannedRoute {
    /// Returns whether it leads to everything its family has.
    #[must_use]
    pub const fn is_default(&self) -> bool {
        self.bits == 0
    }
}

/// Plans a route whose target is allowed; `None` if it is of no use.
fn plan_route(
    target: Prefix,
    via: Option<IpAddr>,
    addresses: &[(IpAddr, u8)],
) -> Option<PlannedRoute> {
    let is_ours = |via| addresses.iter().any(|&(ip, _)| ip == via);
    let is_foreign = |via: IpAddr| via.is_ipv4() != target.address.is_ipv4();
    let is_implied = addresses.iter().any(|&(ip, bits)| bits == target.bits && target.contains(ip));
    if is_implied || via.is_some_and(|via| is_ours(via) || is_foreign(via)) {
        return None;
    }

    let (source, _) = addresses
        .iter()
        .filter(|(ip, _)| ip.is_ipv4() == target.address.is_ipv4())
        .max_by_key(|&&(ip, _)| common_bits(ip, target.address))?;
    let Prefix { address, bits } = target;
    Some(PlannedRoute { target: address, bits, via, source: *source })
}

/// Returns whether a network may set `prefix`: an address of this node, or the target of a route.
fn is_allowed(prefix: Prefix, settings: &Settings) -> bool {
    let is_managed = match &settings.managed {
        Managed::No => false,
        Managed::All => true,
        Managed::Only(list) => list
            .iter()
            .any(|allowed| allowed.bits <= prefix.bits && allowed.contains(prefix.address)),
    };
    let is_default = prefix.bits == 0 && prefix.address.is_unspecified();

    is_managed
        && match Scope::of(prefix.address) {
            _ if is_default => settings.default_route,
            Scope::None | Scope::Multicast | Scope::Loopback | Scope::LinkLocal => false,
            Scope::Global => settings.global,
            Scope::Private | Scope::Shared | Scope::PseudoPrivate => true,
        }
}

/// Returns how many leading bits two addresses of one family share.
fn common_bits(a: IpAddr, b: IpAddr) -> u32 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::address::{Mac, NetworkId};
    use crate::event::NetworkKind;

    #[test]
    fn addresses_and_routes_of_private_networks_are_taken() {
        let status = status(
            &["10.1.0.5/24", "fd00::5/88"],
            &[("10.2.0.0/16", Some("10.1.0.1")), ("10.3.0.0/16", None)],
        );

        let plan = TunPlan::new(&status, &Settings::default());

        assert_eq!(plan.mtu, 2_800);
        assert_eq!(plan.addresses, status.addresses);
        // On-link first, for a gateway may have to be reached through it.
        assert_eq!(
            plan.routes,
            [
                route("10.3.0.0/16", None, "10.1.0.5"),
                route("10.2.0.0/16", Some("10.1.0.1"), "10.1.0.5")
            ]
        );
    }

    #[test]
    fn the_machines_own_ways_are_not_taken_over_unless_the_user_allows_it() {
        let status = status(
            &["8.8.8.8/24", "10.1.0.5/24"],
            &[("0.0.0.0/0", Some("10.1.0.1")), ("8.8.4.0/24", Some("10.1.0.1"))],
        );
        let plan = |settings| TunPlan::new(&status, &settings);

        let by_default = plan(Settings::default());
        assert_eq!(by_default.addresses, addresses(&["10.1.0.5/24"]));
        assert_eq!(by_default.routes, []);

        let global = plan(Settings { global: true, ..Settings::default() });
        assert_eq!(global.addresses, addresses(&["8.8.8.8/24", "10.1.0.5/24"]));
        assert_eq!(global.routes, [route("8.8.4.0/24", Some("10.1.0.1"), "8.8.8.8")]);

        let default_route = plan(Settings { default_route: true, ..Settings::default() });
        assert_eq!(default_route.addresses, addresses(&["10.1.0.5/24"]));
        assert_eq!(default_route.routes, [route("0.0.0.0/0", Some("10.1.0.1"), "10.1.0.5")]);
        assert_eq!(default_route.without_default_routes(), by_default);
    }

    #[test]
    fn a_network_that_turns_this_node_away_does_not_take_the_internet_along() {
        let settings = Settings { default_route: true, dns: true, ..Settings::default() };
        let mut status = status(&["10.1.0.5/24"], &[("0.0.0.0/0", None), ("10.2.0.0/16", None)]);
        status.dns = Some(Dns { domain: "lab".to_owned(), servers: vec![[10; 4].into()] });
        assert_eq!(TunPlan::new(&status, &settings).routes.len(), 2);

        status.standing = Standing::AccessDenied;
        let plan = TunPlan::new(&status, &settings);

        assert_eq!(plan.addresses, addresses(&["10.1.0.5/24"]));
        assert_eq!(plan.routes, [route("10.2.0.0/16", None, "10.1.0.5")]);
        assert_eq!(plan.dns, None);
    }

    #[test]
    fn what_no_interface_has_is_never_taken() {
        let all = Settings { global: true, default_route: true, ..Settings::default() };
        let never = ["0.1.2.3/24", "224.0.0.1/24", "127.0.0.5/8", "169.254.1.1/16", "fe80::1/64"];
        let routes = [("127.0.0.0/8", None), ("fe80::/64", None), ("224.0.0.0/4", None)];

        let plan = TunPlan::new(&status(&never, &routes), &all);

        assert_eq!((plan.addresses, plan.routes), (vec![], vec![]));
    }

    #[test]
    fn a_prefix_that_reaches_beyond_its_network_counts_as_what_it_reaches() {
        let status = status(
            &["10.1.0.5/24", "10.1.0.6/0", "10.1.0.7/1", "100.64.0.1/8"],
            &[("10.1.0.9/0", Some("10.1.0.1")), ("172.16.0.0/4", Some("10.1.0.1"))],
        );

        let plan = TunPlan::new(&status, &Settings::default());

        assert_eq!(plan.addresses, addresses(&["10.1.0.5/24"]));
        assert_eq!(plan.routes, []);
    }

    #[test]
    fn nothing_is_taken_from_a_network_that_may_set_nothing() {
        let status = status(&["10.1.0.5/24"], &[("10.2.0.0/16", None)]);

        let plan = TunPlan::new(&status, &Settings::nothing());

        assert_eq!(plan, TunPlan { mtu: 2_800, ..TunPlan::default() });
    }

    #[test]
    fn only_what_lies_within_a_listed_prefix_is_taken() {
        let status = status(
            &["10.1.0.5/24", "10.2.0.5/24", "10.1.0.6/8", "fd00::5/88"],
            &[("10.1.9.0/24", None), ("10.0.0.0/8", None), ("0.0.0.0/0", None)],
        );
        let plan = |listed: &[&str]| {
            let listed = listed.iter().map(|prefix| prefix.parse().unwrap()).collect();
            let managed = Managed::Only(listed);
            TunPlan::new(&status, &Settings { managed, default_route: true, ..Settings::default() })
        };

        let some = plan(&["10.1.0.0/16"]);
        assert_eq!(some.addresses, addresses(&["10.1.0.5/24"]));
        assert_eq!(some.routes, [route("10.1.9.0/24", None, "10.1.0.5")]);

        // Every list of this family's addresses is within /0, and its default route.
        let all = plan(&["0.0.0.0/0"]);
        assert_eq!(all.addresses, addresses(&["10.1.0.5/24", "10.2.0.5/24", "10.1.0.6/8"]));
        assert!(all.routes.iter().any(PlannedRoute::is_default));
        assert_eq!(plan(&[]), TunPlan { mtu: 2_800, ..TunPlan::default() });
    }

    #[test]
    fn routes_that_lead_nowhere_or_are_there_already_are_left_out() {
        let status = status(
            &["10.1.0.5/24"],
            &[
                ("10.1.0.0/24", None),
                ("10.4.0.0/16", Some("10.1.0.5")),
                ("10.5.0.0/16", Some("fd00::1")),
                ("fd00:1::/64", None),
            ],
        );

        assert_eq!(TunPlan::new(&status, &Settings::default()).routes, []);
    }

    #[test]
    fn packets_leave_from_the_address_closest_to_their_destination() {
        let status =
            status(&["10.1.0.5/24", "192.168.7.5/24"], &[("192.168.9.0/24", Some("192.168.7.1"))]);

        let plan = TunPlan::new(&status, &Settings::default());

        assert_eq!(plan.routes, [route("192.168.9.0/24", Some("192.168.7.1"), "192.168.7.5")]);
    }

    #[test]
    fn name_servers_are_taken_if_the_user_allows_it_and_they_are_for_a_domain() {
        let allowed = Settings { dns: true, ..Settings::default() };
        let mut status = status(&[], &[]);
        let dns = |domain: &str| Dns { domain: domain.to_owned(), servers: vec![[10; 4].into()] };

        assert_eq!(TunPlan::new(&status, &allowed).dns, None);
        status.dns = Some(dns("lab"));
        assert_eq!(TunPlan::new(&status, &allowed).dns, Some(dns("lab")));
        assert_eq!(TunPlan::new(&status, &Settings::default()).dns, None);
        status.dns = Some(dns(""));
        assert_eq!(TunPlan::new(&status, &allowed).dns, None);
    }

    #[test]
    fn name_servers_alone_can_be_changed_in_place() {
        let old = TunPlan::new(&status(&["10.1.0.5/24"], &[]), &Settings::default());
        let changed = |change: fn(&mut TunPlan)| {
            let mut new = old.clone();
            change(&mut new);
            new.diff(&old)
        };

        assert_eq!(changed(|_| ()), PlanChange::Nothing);
        assert_eq!(changed(|plan| plan.dns = Some(Dns::default())), PlanChange::Dns);
        assert_eq!(changed(|plan| plan.mtu = 1_400), PlanChange::Reestablish);
        assert_eq!(changed(|plan| plan.addresses.clear()), PlanChange::Reestablish);
        let more = |plan: &mut TunPlan| plan.routes.push(route("10.2.0.0/16", None, "10.1.0.5"));
        assert_eq!(changed(more), PlanChange::Reestablish);
    }

    fn any_prefix() -> impl Strategy<Value = Prefix> {
        let special = prop_oneof![
            Just([10, 0, 0, 0]),
            Just([0; 4]),
            Just([127, 0, 0, 1]),
            Just([169, 254, 0, 0]),
            Just([192, 168, 0, 0]),
        ];
        let v4 = (prop_oneof![special, any::<[u8; 4]>()], 0..=32_u8)
            .prop_map(|(octets, bits)| Prefix { address: octets.into(), bits });
        let v6 = (prop_oneof![Just(0xfd), Just(0xfe), any::<u8>()], any::<[u8; 15]>(), 0..=128_u8)
            .prop_map(|(first, rest, bits)| {
                let mut octets = [first; 16];
                octets[1..].copy_from_slice(&rest);
                Prefix { address: octets.into(), bits }
            });
        prop_oneof![v4, v6]
    }

    fn any_settings() -> impl Strategy<Value = Settings> {
        let managed = prop_oneof![
            Just(Managed::No),
            Just(Managed::All),
            proptest::collection::vec(any_prefix(), 0..4).prop_map(Managed::Only),
        ];
        (managed, any::<[bool; 3]>()).prop_map(|(managed, [global, default_route, dns])| Settings {
            managed,
            global,
            default_route,
            dns,
        })
    }

    proptest! {
        /// Method: what is forbidden is said anew, by what no plan may reach.
        #[test]
        fn no_plan_contains_what_the_settings_forbid(
            ips in proptest::collection::vec(any_prefix(), 0..8),
            targets in proptest::collection::vec(any_prefix(), 0..8),
            settings in any_settings(),
        ) {
            let mut status = status(&[], &[]);
            status.addresses = ips.iter().map(|ip| (ip.address, ip.bits)).collect();
            status.routes = targets
                .iter()
                .map(|target| Route { target: target.address, bits: target.bits, via: None })
                .collect();

            let plan = TunPlan::new(&status, &settings);

            let targets = plan.routes.iter().map(|route| (route.target, route.bits));
            for (ip, bits) in plan.addresses.iter().copied().chain(targets) {
                match &settings.managed {
                    Managed::No => prop_assert!(false, "{ip}/{bits}"),
                    Managed::All => {}
                    Managed::Only(list) => prop_assert!(
                        list.iter().any(|entry| entry.bits <= bits && entry.contains(ip))
                    ),
                }
                let first = Prefix { address: ip, bits }.network().address;
                prop_assert!(settings.global || Scope::of(first) != Scope::Global);
                prop_assert!(settings.global || Scope::of(ip) != Scope::Global);
                prop_assert!(settings.default_route || bits > 0);
                prop_assert!(bits == 0 || Scope::of(ip).is_usable());
            }
            for route in &plan.routes {
                prop_assert!(plan.addresses.iter().any(|&(ip, _)| ip == route.source));
            }
        }
    }

    fn addresses(prefixes: &[&str]) -> Vec<(IpAddr, u8)> {
        let prefixes = prefixes.iter().map(|prefix| prefix.parse::<Prefix>().unwrap());
        prefixes.map(|prefix| (prefix.address, prefix.bits)).collect()
    }

    fn route(target: &str, via: Option<&str>, source: &str) -> PlannedRoute {
        let Prefix { address, bits } = target.parse().unwrap();
        let via = via.map(|via| via.parse().unwrap());
        PlannedRoute { target: address, bits, via, source: source.parse().unwrap() }
    }

    fn status(ips: &[&str], routes: &[(&str, Option<&str>)]) -> NetworkStatus {
        let routes = routes.iter().map(|(target, via)| {
            let Prefix { address, bits } = target.parse().unwrap();
            Route { target: address, bits, via: via.map(|via| via.parse().unwrap()) }
        });
        NetworkStatus {
            id: NetworkId(1),
            standing: Standing::Ok,
            kind: NetworkKind::Private,
            name: String::new(),
            revision: 1,
            mac: Mac::ZERO,
            mtu: 2_800,
            bridge: false,
            broadcast: true,
            addresses: addresses(ips),
            routes: routes.collect(),
            dns: None,
            login: None,
            groups: Vec::new(),
        }
    }
}
