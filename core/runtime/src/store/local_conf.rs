//! `local.conf`: what the user says about this machine's place in the physical network.
//!
//! A JSON object the reference reads too (spec 02 §14, spec 04 §11.2). Of its keys these have an
//! effect here; all others are passed over.
//!
//! ```text
//! { "physical": { "10.0.0.0/8": { "blacklist": false, "trustedPathId": 7, "mtu": 1400 } },
//!   "virtual":  { "8056c2e21c": { "try": ["192.0.2.1/9993"], "blacklist": ["10.0.0.0/8"] } },
//!   "settings": { "primaryPort": 9993, "bind": ["192.0.2.1"], "portMappingEnabled": true,
//!                 "allowTcpFallbackRelay": true, "tcpFallbackRelay": "192.0.2.2/443",
//!                 "forceTcpRelay": false, "lowBandwidthMode": false } }
//! ```
//!
//! What cannot be understood is told by its key. Where doing without it would use what the user
//! wants avoided, such as a blacklist, the node does not start; all else is as if it were not there.

use core::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value};
use zt_protocol::address::Address;
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
        const OBJECT: &str = "a JSON object";
        let Ok(Value::Object(file)) = serde_json::from_slice(text) else {
            return Err(Problem::new("the file", OBJECT));
        };
        let mut conf = Self::default();
        for (section, read) in [
            ("physical", Self::read_physical as fn(&mut Self, &Map<String, Value>) -> _),
            ("virtual", Self::read_virtual),
            ("settings", Self::read_settings),
        ] {
            match file.get(section) {
                None | Some(Value::Null) => {}
                Some(Value::Object(object)) => read(&mut conf, object)?,
                Some(_) => return Err(Problem::new(section, OBJECT)),
            }
        }
        Ok(conf)
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
        let key = |name: &str| format!("settings.{name}");
        let flag = |name: &str| settings.get(name).map(|value| (name.to_owned(), bool(value)));
        if let Some(value) = settings.get("bind") {
            self.bind = list(value, |entry| entry.parse().ok())
                .ok_or_else(|| Problem::new(key("bind"), "a list of addresses"))?;
        }
        if let Some((_, forced)) = flag("forceTcpRelay") {
            let unclear = || Problem::new(key("forceTcpRelay"), "true or false");
            self.tcp_relay_forced = forced.ok_or_else(unclear)?;
        }
        if let Some(value) = settings.get("primaryPort") {
            self.primary_port = int(value).and_then(|port| u16::try_from(port).ok());
            if self.primary_port.is_none() {
                self.problems.push(Problem::new(key("primaryPort"), "a port"));
            }
        }
        if let Some((_, mapped)) = flag("portMappingEnabled") {
            self.map_ports = Some(mapped.unwrap_or(false));
        }
        if let Some((_, allowed)) = flag("allowTcpFallbackRelay") {
            self.tcp_relay_allowed = allowed.unwrap_or(false);
        }
        if let Some((_, low)) = flag("lowBandwidthMode") {
            self.low_bandwidth = low.unwrap_or(false);
        }
        for name in ["portMappingEnabled", "allowTcpFallbackRelay", "lowBandwidthMode"] {
            if flag(name).is_some_and(|(_, value)| value.is_none()) {
                self.problems.push(Problem::new(key(name), "true or false, so it counts as false"));
            }
        }
        if let Some(value) = settings.get("tcpFallbackRelay") {
            self.tcp_relay = value.as_str().and_then(endpoint);
            if self.tcp_relay.is_none() {
                let problem = Problem::new(key("tcpFallbackRelay"), "an endpoint, 192.0.2.1/443");
                return Err(problem);
            }
        }
        Ok(())
    }
}

impl super::Home {
    /// Reads `local.conf`; what holds without one if there is none.
    ///
    /// # Errors
    ///
    /// [`HomeError::LocalConf`] if going on would use what the user wants avoided.
    pub fn local_conf(&self) -> Result<LocalConf, HomeError> {
        let path = self.dir().join("local.conf");
        let Some(text) = super::read(&path)? else { return Ok(LocalConf::default()) };
        LocalConf::parse(&text).map_err(|why| HomeError::LocalConf { path, why })
    }
}

const NETWORK: &str = "a network, such as 10.1.0.0/16";
const LIST_OF_NETWORKS: &str = "a list of networks, such as 10.1.0.0/16";
const LIST_OF_ENDPOINTS: &str = "a list of endpoints, such as 192.0.2.1/9993";

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
        assert_eq!(conf.bind, [ip("192.0.2.7")]);
        assert!(conf.low_bandwidth);
        assert!(conf.tcp_relay_allowed && !conf.tcp_relay_forced);
        assert_eq!(conf.tcp_relay, Some("192.0.2.9:443".parse().unwrap()));
        assert_eq!(parse("{}"), Ok(LocalConf::default()));
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
}
