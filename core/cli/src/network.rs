//! `zt network`: the networks of a controller, and what networks may do to this machine.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use zt_protocol::address::{Address, NetworkId};
use zt_protocol::event::Route;
use zt_protocol::settings::{Managed, Settings, SettingsError};
use zt_runtime::controller::{self, ControllerError, NetworkSettings};
use zt_runtime::store::Home;

use crate::failure::Failure;

/// Make networks of a controller, decide who is on them, and what networks may do to this machine.
#[derive(Debug, Subcommand)]
pub(crate) enum Network {
    /// Make a network and print its ID.
    Create {
        /// The controller's home directory.
        #[arg(long, value_name = "DIR")]
        home: PathBuf,
        /// What people call it.
        #[arg(long, default_value = "")]
        name: String,
        /// Let nobody on who is not allowed one by one.
        #[arg(long)]
        private: bool,
        /// Give members addresses from this range, first and last; may be repeated.
        #[arg(long = "pool", value_name = "A-B", value_parser = parse_pool)]
        pools: Vec<(IpAddr, IpAddr)>,
        /// Lead members to this destination; may be repeated. A pool needs one that contains it.
        #[arg(long = "route", value_name = "CIDR[,via IP]", value_parser = parse_route)]
        routes: Vec<Route>,
        /// Give members IPv6 addresses that follow from their own.
        #[arg(long, value_delimiter = ',')]
        v6: Vec<V6>,
    },
    /// Let a member onto a network. A running controller notices at once.
    Allow(Member),
    /// Take a member off a network. A running controller notices at once.
    Deny(Member),
    /// Show or change what a network may do to this machine. A running node notices at once.
    ///
    /// KEY is allowManaged (addresses and routes; 1, 0, or the prefixes within which they are
    /// allowed, such as 10.1.0.0/16,fd00::/8), allowGlobal (those of the public Internet),
    /// allowDefault (default routes) or allowDNS (name servers; 1 or 0 all three).
    Set {
        /// The node's home directory.
        #[arg(long, value_name = "DIR")]
        home: PathBuf,
        /// The network's ID.
        #[arg(value_name = "NWID")]
        network: NetworkId,
        /// What to change; nothing to only show it.
        #[arg(value_name = "KEY=VALUE", value_parser = parse_setting)]
        changes: Vec<Setting>,
    },
}

/// One thing a network may do, or may not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Setting {
    Managed(Managed),
    Global(bool),
    DefaultRoute(bool),
    Dns(bool),
}

/// A member of a network of a controller.
#[derive(Debug, clap::Args)]
pub(crate) struct Member {
    /// The controller's home directory.
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// The network's ID.
    #[arg(value_name = "NWID")]
    network: NetworkId,
    /// The member's address.
    address: Address,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum V6 {
    /// An address with a /80 for each member.
    #[value(name = "6plane")]
    SixPlane,
    /// An address in a /88 of the network.
    #[value(name = "rfc4193")]
    Rfc4193,
}

impl Network {
    pub(crate) fn run(self) -> Result<String, Failure> {
        match self {
            Self::Create { home, name, private, pools, routes, v6 } => {
                check_routed(&pools, &routes)?;
                let settings = NetworkSettings {
                    name,
                    private,
                    pools,
                    routes,
                    six_plane: v6.contains(&V6::SixPlane),
                    rfc4193: v6.contains(&V6::Rfc4193),
                };
                let home = Home::new(home);
                let me = home.existing_identity()?.address();
                Ok(format!("{}\n", controller::create_network(&home, me, &settings)?))
            }
            Self::Allow(member) => {
                let home = member.home()?;
                controller::allow(&home, member.network, member.address)?;
                Ok(format!("{} is allowed on {}\n", member.address, member.network))
            }
            Self::Deny(member) => {
                let home = member.home()?;
                controller::deny(&home, member.network, member.address)?;
                Ok(format!("{} is not allowed on {}\n", member.address, member.network))
            }
            Self::Set { home, network, changes } => {
                let home = Home::new(home);
                let mut settings = home.settings(network)?;
                if !changes.is_empty() {
                    changes.into_iter().for_each(|change| change.apply(&mut settings));
                    home.save_settings(network, &settings)?;
                }
                Ok(settings.to_text())
            }
        }
    }
}

impl Member {
    /// Returns the home directory of the network's controller.
    fn home(&self) -> Result<Home, Failure> {
        let home = Home::new(self.home.clone());
        let me = home.existing_identity()?.address();
        if self.network.controller() != me {
            return Err(ControllerError::NotOurs { network: self.network, me }.into());
        }
        Ok(home)
    }
}

impl Setting {
    fn apply(self, settings: &mut Settings) {
        match self {
            Self::Managed(managed) => settings.managed = managed,
            Self::Global(allowed) => settings.global = allowed,
            Self::DefaultRoute(allowed) => settings.default_route = allowed,
            Self::Dns(allowed) => settings.dns = allowed,
        }
    }
}

fn parse_setting(text: &str) -> Result<Setting, String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as allowGlobal=1")?;
    let flag = || match value {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(format!("{key} is 1 or 0")),
    };
    match key {
        "allowManaged" if value.contains('/') => {
            value.parse().map(Setting::Managed).map_err(|error: SettingsError| error.to_string())
        }
        "allowManaged" => match flag() {
            Ok(true) => Ok(Setting::Managed(Managed::All)),
            Ok(false) => Ok(Setting::Managed(Managed::No)),
            Err(_) => Err(format!("{key} is 1, 0 or a list such as 10.1.0.0/16,fd00::/8")),
        },
        "allowGlobal" => flag().map(Setting::Global),
        "allowDefault" => flag().map(Setting::DefaultRoute),
        "allowDNS" => flag().map(Setting::Dns),
        _ => Err("expected allowManaged, allowGlobal, allowDefault or allowDNS".to_owned()),
    }
}

fn parse_pool(text: &str) -> Result<(IpAddr, IpAddr), String> {
    let ends = text.split_once('-').and_then(|(start, end)| {
        Some((start.parse::<IpAddr>().ok()?, end.parse::<IpAddr>().ok()?))
    });
    let (start, end) =
        ends.ok_or("expected the first and the last address, such as 10.1.0.1-10.1.0.99")?;

    if start.is_ipv4() != end.is_ipv4() {
        return Err("both ends must be of one family".to_owned());
    }
    if start > end {
        return Err("the last address comes before the first".to_owned());
    }
    Ok((start, end))
}

fn parse_route(text: &str) -> Result<Route, String> {
    let (target, via) = match text.split_once(',') {
        Some((target, via)) => (target, Some(via.trim().trim_start_matches("via").trim())),
        None => (text, None),
    };
    let (target, bits) = parse_cidr(target)
        .ok_or("expected a destination such as 10.1.0.0/16, and maybe `,via 10.1.0.1`")?;
    let via = via.map(|via| via.parse().map_err(|_| format!("`{via}` is no gateway")));
    let route = Route { target, bits, via: via.transpose()? };

    if route.via.is_some_and(|via: IpAddr| via.is_ipv4() != target.is_ipv4()) {
        return Err("the gateway must be of the destination's family".to_owned());
    }
    let network = network_part(target, bits);
    if network != target {
        return Err(format!("{target} is not the first address of a /{bits}: {network} is"));
    }
    Ok(route)
}

fn parse_cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (ip, bits) = text.trim().split_once('/')?;
    let (ip, bits): (IpAddr, u8) = (ip.parse().ok()?, bits.parse().ok()?);
    let bits_max = if ip.is_ipv4() { 32 } else { 128 };
    (bits <= bits_max).then_some((ip, bits))
}

/// Returns `ip` with all but its first `bits` bits cleared.
fn network_part(ip: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match ip {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

/// Refuses pools no route leads to: a controller assigns no address from them (spec 04 §4.2).
fn check_routed(pools: &[(IpAddr, IpAddr)], routes: &[Route]) -> Result<(), Failure> {
    let holds = |route: &Route, ip: IpAddr| {
        route.bits > 0
            && route.target.is_ipv4() == ip.is_ipv4()
            && network_part(ip, route.bits) == route.target
    };
    for &(start, end) in pools {
        if !routes.iter().any(|route| holds(route, start) && holds(route, end)) {
            let bits = if start.is_ipv4() { 24 } else { 64 };
            let example = format!("{}/{bits}", network_part(start, bits));
            return Err(Failure::Unrouted(format!("{start}-{end}"), example));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_with_and_without_gateway() {
        let direct = parse_route("10.1.0.0/16").unwrap();
        let through = parse_route("10.2.0.0/16,via 10.1.0.1").unwrap();

        assert_eq!((direct.bits, direct.via), (16, None));
        assert_eq!(through.via, Some("10.1.0.1".parse().unwrap()));
        assert_eq!(parse_route("::/0,via fd00::1").unwrap().bits, 0);
    }

    #[test]
    fn routes_that_make_no_sense_are_refused() {
        for text in ["10.1.0.0", "10.1.0.0/33", "10.1.0.1/16", "10.1.0.0/16,via fd00::1", "x/8"] {
            assert!(parse_route(text).is_err(), "{text}");
        }
    }

    #[test]
    fn settings_are_read_and_others_refused() {
        let listed = Managed::Only(vec!["10.1.0.0/16".parse().unwrap()]);
        assert_eq!(parse_setting("allowManaged=10.1.0.0/16"), Ok(Setting::Managed(listed)));
        assert_eq!(parse_setting("allowManaged=0"), Ok(Setting::Managed(Managed::No)));
        assert_eq!(parse_setting("allowDefault=true"), Ok(Setting::DefaultRoute(true)));
        for text in ["allowGlobal", "allowGlobal=yes", "allowManaged=10.1.0.0", "allowdns=1", "=1"]
        {
            assert!(parse_setting(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pools_have_two_ends_of_one_family_in_order() {
        assert!(parse_pool("10.1.0.1-10.1.0.99").is_ok());
        for text in ["10.1.0.1", "10.1.0.9-10.1.0.1", "10.1.0.1-fd00::1"] {
            assert!(parse_pool(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pool_without_a_route_is_refused() {
        let pool = parse_pool("10.1.0.1-10.1.0.99").unwrap();

        assert!(check_routed(&[pool], &[parse_route("10.1.0.0/24").unwrap()]).is_ok());
        let error = check_routed(&[pool], &[parse_route("10.1.0.0/28").unwrap()]).unwrap_err();
        assert!(error.to_string().contains("--route 10.1.0.0/24"), "{error}");
    }
}
