//! `local.conf`: what the user says about this machine's place in the physical network.
//!
//! A JSON object the reference reads too (spec 02 §14, spec 04 §11.2). Of its keys these have an
//! effect here; all others are passed over.
//!
//! ```text
//! { "physical": { "10.0.0.0/8": { "blacklist": false, "trustedPathId": 7, "mtu": 1400 } },
//!   "virtual":  { "8056c2e21c": { "try": ["192.0.2.1/9993"], "blacklist": ["10.0.0.0/8"] } },
//!   "settings": { "primaryPort": 9993, "secondaryPort": 0, "allowSecondaryPort": true,
//!                 "tertiaryPort": 0, "portMappingEnabled": true,
//!                 "bind": ["192.0.2.1"], "interfacePrefixBlacklist": ["docker"],
//!                 "allowTcpFallbackRelay": true, "tcpFallbackRelay": "192.0.2.2/443",
//!                 "forceTcpRelay": false, "lowBandwidthMode": false,
//!                 "defaultBondingPolicy": "none",
//!                 "policies": { "quick": { "basePolicy": "active-backup", "failoverInterval": 1000 } },
//!                 "peerSpecificBonds": { "8056c2e21c": "quick" } } }
//! ```
//!
//! Trusted paths may also be in a file `trustedpaths` beside it, as they were once, in lines such as
//! `7=10.0.0.0/8`. Of a network both name holds what `local.conf` says.
//!
//! What cannot be understood is told by its key. Where doing without it would use what the user
//! wants avoided, such as a blacklist, the node does not start; all else is as if it were not there.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use serde_json::{Map, Value};
use zt_protocol::address::Address;
use zt_protocol::bonding::{Bonding, Policy};
use zt_protocol::limits::{PATH_MTU_MAX, PATH_MTU_MIN};
use zt_protocol::path_rules::{PathRules, PeerRule, PhysicalRule, TrustedPathId};
use zt_protocol::prefix::Prefix;

use super::HomeError;

/// What `local.conf` says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LocalConf {
    /// Which physical addresses are avoided, trusted, tried, and how long datagrams are there.
    pub path_rules: PathRules,
    /// The UDP port; 0 is any free one.
    pub primary_port: Option<u16>,
    /// A second UDP port; 0 is one of the node's own choice.
    pub secondary_port: Option<u16>,
    /// Whether there is a second UDP port.
    pub secondary_port_allowed: Option<bool>,
    /// The UDP port a gateway is to map; 0 is one of the node's own choice.
    pub tertiary_port: Option<u16>,
    /// What the names of interfaces begin with that are not used.
    pub avoided_interfaces: Vec<String>,
    /// The addresses to use and no others; all if empty.
    pub bind: Vec<IpAddr>,
    /// Whether a gateway is asked to let datagrams through.
    pub map_ports: Option<bool>,
    /// Whether a TCP relay may be used, which takes saying so.
    pub tcp_relay_allowed: bool,
    /// Whether it is used in place of UDP.
    pub tcp_relay_forced: bool,
    /// Where it is, if not where the reference's is.
    pub tcp_relay: Option<SocketAddr>,
    /// Whether paths are kept open with as little as can be.
    pub low_bandwidth: bool,
    /// How several paths to one peer are used. Asking for a policy there is not is as if nothing
    /// were asked for, and the shortest interval of those in use is that of all.
    pub bonding: Bonding,
    /// What was passed over because it cannot be understood.
    pub problems: Vec<Problem>,
}

/// A value that cannot be understood.
#[derive(Clone, Debug, Eq, thiserror::Error, PartialEq)]
#[error("{key} is not {expected}")]
pub struct Problem {
    /// Where it is, such as `physical.10.0.0.0/8.mtu`.
    pub key: String,
    /// What should be there.
    pub expected: String,
}

impl Problem {
    fn new(key: impl Into<String>, expected: impl ToString) -> Self {
        Self { key: key.into(), expected: expected.to_string() }
    }
}

impl LocalConf {
    /// Reads the file's text.
    ///
    /// # Errors
    ///
    /// The first [`Problem`] without whose solution something would be used that the user wants
    /// avoided.
    pub fn parse(text: &[u8]) -> Result<Self, Problem> {
        let mut conf = Self::default();
        conf.read(text)?;
        Ok(conf)
    }

    fn read(&mut self, text: &[u8]) -> Result<(), Problem> {
        const OBJECT: &str = "a JSON object";
        let Ok(Value::Object(file)) = serde_json::from_slice(text) else {
            return Err(Problem::new("the file", OBJECT));
        };
        for (section, read) in [
            ("physical", Self::read_physical as fn(&mut Self, &Map<String, Value>) -> _),
            ("virtual", Self::read_virtual),
            ("settings", Self::read_settings),
        ] {
            match file.get(section) {
                None | Some(Value::Null) => {}
                Some(Value::Object(object)) => read(self, object)?,
                Some(_) => return Err(Problem::new(section, OBJECT)),
            }
        }
        Ok(())
    }

    fn read_physical(&mut self, networks: &Map<String, Value>) -> Result<(), Problem> {
        for (network, said) in networks {
            let key = |name: &str| format!("physical.{network}.{name}");
            let blacklisted = match said.get("blacklist") {
                None => false,
                Some(value) => {
                    bool(value).ok_or_else(|| Problem::new(key("blacklist"), "true or false"))?
                }
            };
            let Ok(prefix) = network.parse::<Prefix>() else {
                let problem = Problem::new(format!("physical.{network}"), NETWORK);
                if blacklisted {
                    return Err(problem);
                }
                self.problems.push(problem);
                continue;
            };
            // What is refused of a network leaves the rest of what is said about it.
            let mut rule = PhysicalRule { blacklisted, ..PhysicalRule::default() };
            let blacklist = self.path_rules.set(prefix, rule);
            if blacklisted {
                blacklist.map_err(|why| Problem::new(key("blacklist"), why))?;
            }
            if let Some(value) = said.get("trustedPathId").filter(|value| int(value) != Some(0)) {
                rule.trusted = int(value).and_then(TrustedPathId::new);
                let refused = match rule.trusted {
                    Some(_) => self.path_rules.set(prefix, rule).err().map(|why| why.to_string()),
                    None => Some("a positive number".to_owned()),
                };
                if let Some(why) = refused {
                    self.problems.push(Problem::new(key("trustedPathId"), why));
                    rule.trusted = None;
                }
            }
            if let Some(value) = said.get("mtu").filter(|value| int(value) != Some(0)) {
                rule.mtu = int(value).and_then(|mtu| u16::try_from(mtu).ok());
                if rule.mtu.is_none() || self.path_rules.set(prefix, rule).is_err() {
                    let expected = format!("between {PATH_MTU_MIN} and {PATH_MTU_MAX} bytes");
                    self.problems.push(Problem::new(key("mtu"), expected));
                }
            }
        }
        Ok(())
    }

    fn read_virtual(&mut self, peers: &Map<String, Value>) -> Result<(), Problem> {
        for (peer, said) in peers {
            let key = |name: &str| format!("virtual.{peer}.{name}");
            let mut rule = PeerRule::default();
            if let Some(listed) = said.get("blacklist") {
                rule.blacklist = list(listed, |entry| entry.parse().ok())
                    .ok_or_else(|| Problem::new(key("blacklist"), LIST_OF_NETWORKS))?;
            }
            if let Some(listed) = said.get("try") {
                match list(listed, endpoint) {
                    Some(endpoints) => rule.endpoints = endpoints,
                    None => self.problems.push(Problem::new(key("try"), LIST_OF_ENDPOINTS)),
                }
            }
            let avoids = !rule.blacklist.is_empty();
            let set = match peer.parse::<Address>() {
                Ok(address) => {
                    self.path_rules.set_peer(address, rule).map_err(|why| why.to_string())
                }
                Err(_) => Err("the address of a node, ten hexadecimal digits".to_owned()),
            };
            if let Err(expected) = set {
                let problem = Problem::new(format!("virtual.{peer}"), expected);
                if avoids {
                    return Err(problem);
                }
                self.problems.push(problem);
            }
        }
        Ok(())
    }

    fn read_settings(&mut self, settings: &Map<String, Value>) -> Result<(), Problem> {
        self.read_restrictions(settings)?;
        let problems = &mut self.problems;
        for (name, port) in [
            ("primaryPort", &mut self.primary_port),
            ("secondaryPort", &mut self.secondary_port),
            ("tertiaryPort", &mut self.tertiary_port),
        ] {
            let Some(value) = settings.get(name) else { continue };
            *port = int(value).and_then(|port| u16::try_from(port).ok());
            if port.is_none() {
                problems.push(Problem::new(format!("settings.{name}"), "a port"));
            }
        }
        let mut flag = |name: &str| {
            let value = settings.get(name)?;
            Some(bool(value).unwrap_or_else(|| {
                let expected = "true or false, so it counts as false";
                problems.push(Problem::new(format!("settings.{name}"), expected));
                false
            }))
        };
        self.secondary_port_allowed = flag("allowSecondaryPort");
        self.map_ports = flag("portMappingEnabled");
        self.tcp_relay_allowed = flag("allowTcpFallbackRelay").unwrap_or(false);
        self.low_bandwidth = flag("lowBandwidthMode").unwrap_or(false);
        Ok(())
    }

    /// Reads the settings without which the node would speak with or by somebody it should not.
    fn read_restrictions(&mut self, settings: &Map<String, Value>) -> Result<(), Problem> {
        let refused = |name: &str, expected| Problem::new(format!("settings.{name}"), expected);
        if let Some(value) = settings.get("bind") {
            self.bind = list(value, |entry| entry.parse().ok())
                .ok_or_else(|| refused("bind", "a list of addresses"))?;
        }
        if let Some(value) = settings.get("interfacePrefixBlacklist") {
            // Every name begins with nothing.
            let prefix = |entry: &str| (!entry.is_empty()).then(|| entry.to_owned());
            let expected = "a list of what names of interfaces begin with";
            self.avoided_interfaces =
                list(value, prefix).ok_or_else(|| refused("interfacePrefixBlacklist", expected))?;
        }
        if let Some(value) = settings.get("forceTcpRelay") {
            self.tcp_relay_forced =
                bool(value).ok_or_else(|| refused("forceTcpRelay", "true or false"))?;
        }
        if let Some(value) = settings.get("tcpFallbackRelay") {
            let relay = value.as_str().and_then(endpoint);
            let expected = "an endpoint, such as 192.0.2.1/443";
            self.tcp_relay = Some(relay.ok_or_else(|| refused("tcpFallbackRelay", expected))?);
        }
        self.read_bonding(settings);
        Ok(())
    }

    /// Reads the lines of a file `trustedpaths`, each `<hexadecimal ID>=<network>`.
    fn read_trusted_paths(&mut self, text: &[u8]) {
        for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = str::from_utf8(line).map(str::trim).unwrap_or("?");
            if line.is_empty() {
                continue;
            }
            let path = line.split_once('=').and_then(|(id, network)| {
                let id = u64::from_str_radix(id.trim(), 16).ok()?;
                Some((network.trim().parse::<Prefix>().ok()?, TrustedPathId::new(id)?))
            });
            let set = path.ok_or("a trusted path, such as 1f=10.1.0.0/16".to_owned());
            let set = set.and_then(|(network, id)| {
                let rule = PhysicalRule { trusted: Some(id), ..PhysicalRule::default() };
                self.path_rules.set(network, rule).map_err(|why| why.to_string())
            });
            if let Err(expected) = set {
                let key = format!("line {} of trustedpaths", number + 1);
                self.problems.push(Problem::new(key, expected));
            }
        }
    }

    fn read_bonding(&mut self, settings: &Map<String, Value>) {
        let custom = settings.get("policies");
        let mut shortest = None;
        let mut policy = |value: &Value| {
            let name = value.as_str()?;
            let custom = custom.and_then(|policies| policies.get(name));
            let base = custom.map_or(Some(name), |custom| custom.get("basePolicy")?.as_str());
            let policy = match base? {
                "none" => Policy::None,
                "active-backup" => Policy::ActiveBackup,
                _ => return None,
            };
            let interval = custom.and_then(|custom| int(custom.get("failoverInterval")?));
            let interval = interval.map(Duration::from_millis);
            shortest = shortest.into_iter().chain(interval).min();
            Some(policy)
        };
        if let Some(value) = settings.get("defaultBondingPolicy") {
            match policy(value) {
                Some(default) => self.bonding.default = default,
                None => {
                    self.problems.push(Problem::new("settings.defaultBondingPolicy", POLICY));
                }
            }
        }
        let peers = settings.get("peerSpecificBonds").and_then(Value::as_object);
        for (peer, value) in peers.into_iter().flatten() {
            match (peer.parse::<Address>(), policy(value)) {
                (Ok(address), Some(policy)) => drop(self.bonding.peers.insert(address, policy)),
                _ => {
                    let key = format!("settings.peerSpecificBonds.{peer}");
                    self.problems.push(Problem::new(key, POLICY));
                }
            }
        }
        self.bonding.failover = shortest.unwrap_or(self.bonding.failover);
    }
}

impl super::Home {
    /// Reads `trustedpaths` and `local.conf`; what holds without them if there are none.
    ///
    /// # Errors
    ///
    /// [`HomeError::LocalConf`] if going on would use what the user wants avoided.
    pub fn local_conf(&self) -> Result<LocalConf, HomeError> {
        let mut conf = LocalConf::default();
        if let Some(text) = self.place.read("trustedpaths")? {
            conf.read_trusted_paths(&text);
        }
        if let Some(text) = self.place.read("local.conf")? {
            let path = self.place.path("local.conf");
            conf.read(&text).map_err(|why| HomeError::LocalConf { path, why })?;
        }
        Ok(conf)
    }
}

const NETWORK: &str = "a network, such as 10.1.0.0/16";
const LIST_OF_NETWORKS: &str = "a list of networks, such as 10.1.0.0/16";
const LIST_OF_ENDPOINTS: &str = "a list of endpoints, such as 192.0.2.1/9993";

const POLICY: &str = "none, active-backup or a policy based on these, which is all there is here";

/// Reads a truth value as leniently as the reference does.
fn bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Number(number) => Some(number.as_f64()? > 0.0),
        Value::String(text) if text.starts_with(['1', 't', 'T']) => Some(true),
        Value::String(text) if text.starts_with(['0', 'f', 'F']) => Some(false),
        _ => None,
    }
}

/// Reads a whole number, or a text that is one.
fn int(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    }
}

/// Reads `ip/port`.
fn endpoint(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once('/')?;
    Some(SocketAddr::new(ip.parse().ok()?, port.parse().ok()?))
}

/// Reads a list of texts; `None` if it is none or there is one in it that cannot be read.
fn list<T>(value: &Value, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(|entry| read(entry.as_str()?)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse(text: &str) -> Result<LocalConf, String> {
        LocalConf::parse(text.as_bytes()).map_err(|problem| problem.to_string())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn everything_that_has_an_effect_is_read() {
        let conf = parse(
            r#"{
                "physical": {
                    "10.0.0.0/8": { "blacklist": true },
                    "192.168.0.0/16": { "trustedPathId": "4660", "mtu": 9000 }
                },
                "virtual": {
                    "8056c2e21c": { "try": ["192.0.2.1/9993"], "blacklist": ["fd00::/8"] }
                },
                "settings": {
                    "primaryPort": 7000, "bind": ["192.0.2.7"], "portMappingEnabled": false,
                    "secondaryPort": 7001, "tertiaryPort": "7002", "allowSecondaryPort": "false",
                    "interfacePrefixBlacklist": ["docker", "veth"],
                    "allowTcpFallbackRelay": 1, "tcpFallbackRelay": "192.0.2.9/443",
                    "softwareUpdate": "disable", "lowBandwidthMode": true
                },
                "unknown": []
            }"#,
        )
        .unwrap();

        let peer: Address = "8056c2e21c".parse().unwrap();
        assert_eq!(conf.problems, []);
        assert!(conf.path_rules.is_blacklisted(ip("10.1.2.3")));
        assert!(conf.path_rules.trusts(ip("192.168.1.1"), 0x1234));
        assert!(conf.path_rules.forbids(peer, ip("fd00::1")));
        assert_eq!(conf.path_rules.endpoints(peer), ["192.0.2.1:9993".parse().unwrap()]);
        assert_eq!((conf.primary_port, conf.map_ports), (Some(7_000), Some(false)));
        assert_eq!((conf.secondary_port, conf.tertiary_port), (Some(7_001), Some(7_002)));
        assert_eq!(conf.secondary_port_allowed, Some(false));
        assert_eq!(conf.avoided_interfaces, ["docker", "veth"]);
        assert_eq!(conf.bind, [ip("192.0.2.7")]);
        assert!(conf.low_bandwidth);
        assert!(conf.tcp_relay_allowed && !conf.tcp_relay_forced);
        assert_eq!(conf.tcp_relay, Some("192.0.2.9:443".parse().unwrap()));
        assert_eq!(parse("{}"), Ok(LocalConf::default()));
    }

    #[test]
    fn policies_for_several_paths_are_those_there_are_or_based_on_them() {
        let conf = parse(
            r#"{ "settings": {
                "defaultBondingPolicy": "quick",
                "policies": {
                    "quick": { "basePolicy": "active-backup", "failoverInterval": 1000 },
                    "spread": { "basePolicy": "balance-rr", "failoverInterval": 600 }
                },
                "peerSpecificBonds": {
                    "8056c2e21c": "none", "8056c2e21d": "active-backup", "8056c2e21e": "spread",
                    "everybody": "none"
                }
            } }"#,
        )
        .unwrap();

        let policy = |peer: &str| conf.bonding.policy(peer.parse().unwrap());
        assert_eq!(policy("8056c2e21c"), Policy::None);
        assert_eq!(policy("8056c2e21d"), Policy::ActiveBackup);
        assert_eq!(policy("8056c2e21e"), Policy::ActiveBackup);
        assert_eq!(conf.bonding.failover, Duration::from_secs(1));
        let keys: Vec<_> = conf.problems.iter().map(|problem| problem.key.as_str()).collect();
        let bonds = ["8056c2e21e", "everybody"];
        assert_eq!(keys, bonds.map(|peer| format!("settings.peerSpecificBonds.{peer}")));
    }

    #[test]
    fn a_blacklist_that_cannot_be_understood_keeps_the_node_from_starting() {
        for (text, key) in [
            ("", "the file"),
            ("[]", "the file"),
            (r#"{"physical": []}"#, "physical"),
            (r#"{"physical": {"10/8": {"blacklist": true}}}"#, "physical.10/8"),
            (r#"{"physical": {"10.0.0.0/8": {"blacklist": []}}}"#, "physical.10.0.0.0/8.blacklist"),
            (
                r#"{"virtual": {"8056c2e21c": {"blacklist": ["x"]}}}"#,
                "virtual.8056c2e21c.blacklist",
            ),
            (r#"{"virtual": {"me": {"blacklist": ["10.0.0.0/8"]}}}"#, "virtual.me"),
            (r#"{"settings": {"bind": ["eth0"]}}"#, "settings.bind"),
            (r#"{"settings": {"forceTcpRelay": "x"}}"#, "settings.forceTcpRelay"),
            (r#"{"settings": {"tcpFallbackRelay": "x:1"}}"#, "settings.tcpFallbackRelay"),
            (
                r#"{"settings": {"interfacePrefixBlacklist": [""]}}"#,
                "settings.interfacePrefixBlacklist",
            ),
        ] {
            let refused = parse(text).unwrap_err();
            assert!(refused.starts_with(&format!("{key} is not ")), "{text}: {refused}");
        }
    }

    #[test]
    fn all_else_that_cannot_be_understood_is_told_and_costs_nothing_else() {
        let conf = parse(
            r#"{
                "physical": {
                    "5.0.0.0/8": { "trustedPathId": 1, "mtu": 1500 },
                    "10.0.0.0/8": { "trustedPathId": 1, "mtu": 20000 },
                    "everywhere": { "mtu": 1400 }
                },
                "virtual": { "8056c2e21c": { "try": ["192.0.2.1:9993"] }, "x": {} },
                "settings": { "primaryPort": 70000, "portMappingEnabled": "yes" }
            }"#,
        )
        .unwrap();

        let keys: Vec<_> = conf.problems.iter().map(|problem| problem.key.as_str()).collect();
        let expected = [
            "physical.10.0.0.0/8.mtu",
            "physical.5.0.0.0/8.trustedPathId",
            "physical.everywhere",
            "virtual.8056c2e21c.try",
            "virtual.x",
            "settings.primaryPort",
            "settings.portMappingEnabled",
        ];
        assert_eq!(keys, expected);
        assert!(conf.path_rules.trusts(ip("10.1.2.3"), 1));
        assert!(!conf.path_rules.trusts(ip("5.1.2.3"), 1));
        assert_eq!(conf.map_ports, Some(false));
    }

    #[test]
    fn trusted_paths_of_the_old_file_are_read_line_by_line() {
        let mut conf = LocalConf::default();

        conf.read_trusted_paths(b"1f=10.1.0.0/16\r\n\n0=10.2.0.0/16\nnone\n2=5.0.0.0/8\n\xff");

        assert!(conf.path_rules.trusts(ip("10.1.2.3"), 0x1f));
        assert_eq!(conf.path_rules.trusted_paths().count(), 1);
        let keys: Vec<_> = conf.problems.iter().map(|problem| problem.key.as_str()).collect();
        let lines = [3, 4, 5, 6].map(|line| format!("line {line} of trustedpaths"));
        assert_eq!(keys, lines);
    }

    #[test]
    fn a_blacklist_of_local_conf_goes_before_trust_of_the_old_file() {
        let mut conf = LocalConf::default();
        conf.read_trusted_paths(b"1=10.0.0.0/8");

        conf.read(br#"{"physical": {"10.0.0.0/8": {"blacklist": true}}}"#).unwrap();

        assert!(conf.path_rules.is_blacklisted(ip("10.1.2.3")));
        assert!(!conf.path_rules.trusts(ip("10.1.2.3"), 1));
    }

    /// Some JSON value.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            prop_oneof!["[0-9a-f.:/]{0,20}", ".{0,6}", Just("10.0.0.0/8".to_owned())]
                .prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 4, |inner| {
            let name = prop_oneof![
                Just("blacklist"),
                Just("trustedPathId"),
                Just("mtu"),
                Just("try"),
                Just("bind"),
                Just("primaryPort"),
                Just("tcpFallbackRelay"),
                Just("10.0.0.0/8"),
                Just("::/0"),
                Just("8056c2e21c"),
            ];
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                vec((name, inner), 0..4).prop_map(|members| {
                    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(text in vec(any::<u8>(), 0..200)) {
            let _ = LocalConf::parse(&text);
            LocalConf::default().read_trusted_paths(&text);
        }

        #[test]
        fn no_values_make_the_parser_panic(
            physical in value(), peers in value(), settings in value(),
        ) {
            let file = json!({ "physical": physical, "virtual": peers, "settings": settings });
            let _ = LocalConf::parse(file.to_string().as_bytes());
        }
    }
}
