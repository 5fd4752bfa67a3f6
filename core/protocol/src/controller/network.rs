//! A network as its controller keeps it.
//!
//! The record is the reference's own: what its controller wrote can be taken over, and given back.
//!
//! Source: spec 04 §6.1.

use core::fmt;
use core::net::IpAddr;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::addresses::network_part;
use super::json::{self, Fields};
use crate::address::{Address, NetworkId};
use crate::config::Route;
use crate::limits::{NETWORK_MTU_DEFAULT, NETWORK_MTU_MAX, NETWORK_MTU_MIN};
use crate::memory;
use crate::rules::{self, Rule};
use crate::time::UnixMillis;

/// Keys that say how things stood when somebody looked; they are not kept.
const TRANSIENT: &[&str] =
    &["clock", "authorizedMemberCount", "activeMemberCount", "totalMemberCount", "lastModified"];

/// Why a text is no record.
#[derive(Clone, Copy, Debug, Eq, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum RecordError {
    /// The text is not a JSON object.
    #[error("the record is not a JSON object")]
    NotAnObject,
    /// The record does not say what it is a record of.
    #[error("the record's `id` is missing or malformed")]
    NoId,
}

/// One network of this controller.
#[derive(Clone, PartialEq)]
pub struct NetworkRecord {
    id: NetworkId,
    /// What people call it; the first 127 bytes reach members.
    pub name: String,
    /// Whether members have to be authorized.
    pub private: bool,
    /// Whether members may send broadcasts.
    pub broadcast: bool,
    /// Most recipients of a multicast; 0 disables multicast.
    pub multicast_limit: u32,
    /// MTU of the members' ports, in bytes.
    pub mtu: u16,
    /// When it was created.
    pub created: UnixMillis,
    /// How often it was changed. Only [`Controller`](super::Controller) counts.
    pub revision: u64,
    /// Whether members get an IPv4 address from the pools.
    pub v4_pools: bool,
    /// How members get IPv6 addresses.
    pub v6: V6Modes,
    /// Where addresses are taken from, in order of preference.
    pub pools: Vec<Pool>,
    /// Routes members are asked to install, host bits zero.
    pub routes: Vec<Route>,
    /// Name servers members are asked to use.
    pub dns: NameServers,
    /// What the network lets through; nothing, if empty.
    pub rules: Vec<Rule>,
    /// The text `rules` were compiled from, for the operator's tools.
    pub rules_source: String,
    /// Rules members can be given, by ID.
    pub capabilities: BTreeMap<u32, CapabilityRecord>,
    /// Tags members can be given, by ID, with the value that those get who have none.
    pub tags: BTreeMap<u32, Option<u32>>,
    /// Tokens that authorize whoever shows one, and until when (0: for ever).
    pub tokens: BTreeMap<String, u64>,
    /// Who is sent diagnostics, by members that have no target of their own.
    pub trace_target: Option<Address>,
    /// How many diagnostics.
    pub trace_level: u64,
    /// Whether members have to log in.
    pub sso_enabled: bool,
    /// OpenID Connect client.
    pub client_id: String,
    /// OpenID Connect endpoint.
    pub authorization_endpoint: String,
    /// How far apart credentials may be that agree, in milliseconds, if not as usual (spec 04 §3.3).
    pub certificate_window: Option<u64>,
    /// Keys this version knows nothing about.
    unknown: Map<String, Value>,
}

/// How members get IPv6 addresses; any combination is possible.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct V6Modes {
    /// From the pools.
    pub pools: bool,
    /// The /88 address of [`NetworkId::rfc4193`].
    pub rfc4193: bool,
    /// The /40 address of [`NetworkId::six_plane`].
    pub six_plane: bool,
}

/// A range of addresses of one family, both ends included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pool {
    /// The first address.
    pub start: IpAddr,
    /// The last address. A pool that ends before it starts is empty.
    pub end: IpAddr,
}

/// Name servers as the operator wrote them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NameServers {
    /// The domain they serve.
    pub domain: String,
    /// Their addresses. Texts that are none take a place but are not sent.
    pub servers: Vec<String>,
}

/// Rules a member can be given.
#[derive(Clone, Debug, PartialEq)]
pub struct CapabilityRecord {
    /// Whether members get it that join without having been known before.
    pub default: bool,
    /// The rules.
    pub rules: Vec<Rule>,
}

impl fmt::Debug for NetworkRecord {
    /// Names the network only: the record may hold tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkRecord")
            .field("id", &self.id)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl NetworkRecord {
    /// Returns a private network that lets everything through and assigns no addresses.
    #[must_use]
    pub fn new(id: NetworkId, now: UnixMillis) -> Self {
        Self {
            created: now,
            rules: vec![Rule::accept()],
            ..Self::from_fields(id, Fields::default())
        }
    }

    /// Reads a stored record.
    ///
    /// # Errors
    ///
    /// [`RecordError`] if it is no record at all. Fields that make no sense count as missing,
    /// entries of lists that make no sense are left out.
    pub fn parse(json: &[u8]) -> Result<Self, RecordError> {
        let mut fields = Fields::parse(json).ok_or(RecordError::NotAnObject)?;
        let id = fields.text("id").parse().map_err(|_| RecordError::NoId)?;
        Ok(Self::from_fields(id, fields))
    }

    fn from_fields(id: NetworkId, mut fields: Fields) -> Self {
        fields.take("nwid");
        fields.take("objtype");
        let mtu = fields.int("mtu", NETWORK_MTU_DEFAULT.into());
        Self {
            id,
            name: fields.text("name"),
            private: fields.bool("private", true, true),
            broadcast: fields.bool("enableBroadcast", true, false),
            multicast_limit: saturate(fields.int("multicastLimit", 32)),
            mtu: clamp_mtu(mtu),
            created: UnixMillis(fields.int("creationTime", 0)),
            revision: fields.int("revision", 0),
            v4_pools: fields.take("v4AssignMode").is_some_and(|modes| has_mode(&modes, "zt")),
            v6: fields.take("v6AssignMode").map(|modes| V6Modes::read(&modes)).unwrap_or_default(),
            pools: fields.list("ipAssignmentPools", Pool::read),
            routes: fields.list("routes", read_route),
            dns: fields.take("dns").map(|dns| NameServers::read(&dns)).unwrap_or_default(),
            rules: fields.list("rules", rules::json::read),
            rules_source: fields.text("rulesSource"),
            capabilities: fields.list("capabilities", CapabilityRecord::read).into_iter().collect(),
            tags: fields.list("tags", read_tag).into_iter().collect(),
            tokens: fields
                .take("authTokens")
                .map(|tokens| read_tokens(&tokens))
                .unwrap_or_default(),
            trace_target: read_trace_target(&mut fields),
            trace_level: fields.int("remoteTraceLevel", 0),
            sso_enabled: fields.bool("ssoEnabled", false, false),
            client_id: fields.text("clientId"),
            authorization_endpoint: fields.text("authorizationEndpoint"),
            certificate_window: fields
                .take("certificateTimeoutWindowSize")
                .and_then(|window| json::int(&window)),
            unknown: fields.rest(TRANSIENT),
        }
    }

    /// Returns the record as it is stored: compact JSON, keys in alphabetical order.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut fields = self.unknown.clone();
        let id = self.id.to_string();
        let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
        put("id", json!(id));
        put("nwid", json!(id));
        put("objtype", json!("network"));
        put("name", json!(self.name));
        put("private", json!(self.private));
        put("enableBroadcast", json!(self.broadcast));
        put("multicastLimit", json!(self.multicast_limit));
        put("mtu", json!(self.mtu));
        put("creationTime", json!(self.created.0));
        put("revision", json!(self.revision));
        put("v4AssignMode", json!({ "zt": self.v4_pools }));
        put("v6AssignMode", self.v6.to_json());
        put("ipAssignmentPools", self.pools.iter().copied().map(Pool::to_json).collect());
        put("routes", self.routes.iter().map(route_to_json).collect());
        put("dns", self.dns.to_json());
        put("rules", self.rules.iter().map(rules::json::write).collect());
        put("rulesSource", json!(self.rules_source));
        put("capabilities", self.capabilities.iter().map(CapabilityRecord::to_json).collect());
        put(
            "tags",
            self.tags.iter().map(|(id, default)| json!({ "id": id, "default": default })).collect(),
        );
        put("authTokens", json!(self.tokens));
        put("remoteTraceTarget", json!(self.trace_target.map(|target| target.to_string())));
        put("remoteTraceLevel", json!(self.trace_level));
        put("ssoEnabled", json!(self.sso_enabled));
        put("clientId", json!(self.client_id));
        put("authorizationEndpoint", json!(self.authorization_endpoint));
        if let Some(window) = self.certificate_window {
            put("certificateTimeoutWindowSize", json!(window));
        }
        Value::Object(fields).to_string().into_bytes()
    }

    /// Returns which network this is.
    #[must_use]
    pub const fn id(&self) -> NetworkId {
        self.id
    }

    /// Returns what it holds, in bytes.
    pub(super) fn footprint(&self) -> usize {
        let Self { name, pools, routes, dns, rules_source, capabilities, tags, tokens, .. } = self;
        let servers = dns.servers.iter().map(String::capacity).sum::<usize>();
        let rules = capabilities.values().map(|record| rules::footprint(&record.rules));
        let texts =
            [name, &dns.domain, rules_source, &self.client_id, &self.authorization_endpoint];
        texts.map(String::capacity).iter().sum::<usize>()
            + memory::of_list(pools)
            + memory::of_list(routes)
            + memory::of_list(&dns.servers)
            + servers
            + rules::footprint(&self.rules)
            + memory::of_tree(capabilities)
            + rules.sum::<usize>()
            + memory::of_tree(tags)
            + memory::of_tree(tokens)
            + tokens.keys().map(String::capacity).sum::<usize>()
            + json::footprint(&self.unknown)
    }

    /// Returns whether the two say different things, whatever their revisions.
    pub(super) fn differs_from(&self, other: &Self) -> bool {
        *self != Self { revision: self.revision, ..other.clone() }
    }
}

fn saturate(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn clamp_mtu(mtu: u64) -> u16 {
    u16::try_from(mtu).unwrap_or(u16::MAX).clamp(NETWORK_MTU_MIN, NETWORK_MTU_MAX)
}

/// Returns whether `modes`, an object of truth values or a comma-separated list, contains `mode`.
fn has_mode(modes: &Value, mode: &str) -> bool {
    match modes {
        Value::Object(modes) => modes.get(mode).and_then(json::bool).unwrap_or(false),
        Value::String(list) => list.split(',').any(|entry| entry == mode),
        _ => false,
    }
}

impl V6Modes {
    fn read(modes: &Value) -> Self {
        Self {
            pools: has_mode(modes, "zt"),
            rfc4193: has_mode(modes, "rfc4193"),
            six_plane: has_mode(modes, "6plane"),
        }
    }

    fn to_json(self) -> Value {
        json!({ "zt": self.pools, "rfc4193": self.rfc4193, "6plane": self.six_plane })
    }
}

impl Pool {
    fn read(value: &Value) -> Option<Self> {
        let pool = Self {
            start: json::ip(value.get("ipRangeStart")?)?,
            end: json::ip(value.get("ipRangeEnd")?)?,
        };
        (pool.start.is_ipv4() == pool.end.is_ipv4()).then_some(pool)
    }

    fn to_json(self) -> Value {
        json!({ "ipRangeStart": self.start.to_string(), "ipRangeEnd": self.end.to_string() })
    }
}

/// Reads a route; a gateway of the other family counts as none.
fn read_route(value: &Value) -> Option<Route> {
    let (target, bits) = json::prefix(value.get("target")?)?;
    let via = value.get("via").and_then(json::ip).filter(|via| via.is_ipv4() == target.is_ipv4());
    Some(Route { target: network_part(target, bits), bits, via })
}

fn route_to_json(route: &Route) -> Value {
    json!({
        "target": format!("{}/{}", route.target, route.bits),
        "via": route.via.map(|via| via.to_string()),
    })
}

impl NameServers {
    fn read(value: &Value) -> Self {
        let servers = value.get("servers").and_then(Value::as_array);
        Self {
            domain: value.get("domain").and_then(json::text).unwrap_or_default(),
            servers: servers.into_iter().flatten().filter_map(json::text).collect(),
        }
    }

    fn to_json(&self) -> Value {
        if self.domain.is_empty() && self.servers.is_empty() {
            return json!({});
        }
        json!({ "domain": self.domain, "servers": self.servers })
    }
}

impl CapabilityRecord {
    fn read(value: &Value) -> Option<(u32, Self)> {
        let capability = value.as_object()?;
        let rules = capability.get("rules").and_then(Value::as_array);
        let record = Self {
            default: capability.get("default").and_then(json::bool).unwrap_or(false),
            rules: rules.into_iter().flatten().filter_map(rules::json::read).collect(),
        };
        Some((read_id(capability), record))
    }

    fn to_json((id, capability): (&u32, &Self)) -> Value {
        let rules: Value = capability.rules.iter().map(rules::json::write).collect();
        json!({ "id": id, "default": capability.default, "rules": rules })
    }
}

fn read_tag(value: &Value) -> Option<(u32, Option<u32>)> {
    let tag = value.as_object()?;
    let default = tag.get("default").filter(|default| default.is_number()).and_then(json::int32);
    Some((read_id(tag), default))
}

/// Reads the ID of a tag or capability; none is 0.
fn read_id(fields: &Map<String, Value>) -> u32 {
    fields.get("id").and_then(json::int32).unwrap_or(0)
}

fn read_tokens(value: &Value) -> BTreeMap<String, u64> {
    let tokens = value.as_object().into_iter().flatten();
    tokens.filter_map(|(token, expiry)| Some((token.clone(), expiry.as_u64()?))).collect()
}

/// Takes out who is sent diagnostics.
pub(super) fn read_trace_target(fields: &mut Fields) -> Option<Address> {
    fields.optional_text("remoteTraceTarget")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: NetworkId = NetworkId(0x0e18_de47_9282_9f02);

    /// What the reference answered to POST /controller/network with `{}` (spec 04 §9.2).
    const REFERENCE: &str = concat!(
        r#"{"authTokens":[null],"authorizationEndpoint":"","capabilities":[],"clientId":"","#,
        r#""creationTime":1795344415411,"dns":[],"enableBroadcast":true,"id":"0e18de4792829f02","#,
        r#""ipAssignmentPools":[],"mtu":2800,"multicastLimit":32,"name":"","#,
        r#""nwid":"0e18de4792829f02","objtype":"network","private":true,"remoteTraceLevel":0,"#,
        r#""remoteTraceTarget":null,"revision":1,"routes":[],"#,
        r#""rules":[{"not":false,"or":false,"type":"ACTION_ACCEPT"}],"rulesSource":"","#,
        r#""ssoEnabled":false,"tags":[],"v4AssignMode":{"zt":false},"#,
        r#""v6AssignMode":{"6plane":false,"rfc4193":false,"zt":false}}"#,
    );

    fn parse(json: &Value) -> NetworkRecord {
        NetworkRecord::parse(json.to_string().as_bytes()).unwrap()
    }

    fn written(record: &NetworkRecord) -> Value {
        serde_json::from_slice(&record.to_json()).unwrap()
    }

    #[test]
    fn a_new_network_is_what_the_reference_makes() {
        let created = UnixMillis(1_795_344_415_411);
        let record = NetworkRecord { revision: 1, ..NetworkRecord::new(ID, created) };

        assert_eq!(NetworkRecord::parse(REFERENCE.as_bytes()), Ok(record.clone()));
        // Two fields are empty in a way of their own there, and actions need no `not`.
        let expected = REFERENCE
            .replace(r#""authTokens":[null]"#, r#""authTokens":{}"#)
            .replace(r#""dns":[]"#, r#""dns":{}"#)
            .replace(r#""not":false,"or":false,"#, "");
        assert_eq!(String::from_utf8(record.to_json()), Ok(expected));
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        let stored = json!({
            "authTokens": { "open sesame": 0, "later": 4_102_444_800_000_u64 },
            "authorizationEndpoint": "https://login.example",
            "capabilities": [{ "default": true, "id": 5, "rules": [{ "type": "ACTION_ACCEPT" }] }],
            "certificateTimeoutWindowSize": 600_000,
            "clientId": "c",
            "creationTime": 1,
            "dns": { "domain": "lan.example", "servers": ["10.0.0.1", "bad"] },
            "enableBroadcast": false,
            "id": ID.to_string(),
            "ipAssignmentPools": [{ "ipRangeEnd": "10.1.0.9", "ipRangeStart": "10.1.0.1" }],
            "mtu": 1400,
            "multicastLimit": 0,
            "name": "näme",
            "nwid": ID.to_string(),
            "objtype": "network",
            "private": false,
            "remoteTraceLevel": 3,
            "remoteTraceTarget": "0123456789",
            "revision": 7,
            "routes": [
                { "target": "10.1.0.0/24", "via": null },
                { "target": "fd00::/8", "via": "fd00::1" },
            ],
            "rules": [{ "type": "ACTION_DROP" }],
            "rulesSource": "drop;",
            "ssoEnabled": true,
            "tags": [{ "default": 10, "id": 1 }, { "default": null, "id": 2 }],
            "v4AssignMode": { "zt": true },
            "v6AssignMode": { "6plane": true, "rfc4193": false, "zt": true },
            "a key of a later version": { "kept": [1, 2, 3] },
        });

        assert_eq!(written(&parse(&stored)), stored);
    }

    #[test]
    fn entries_that_make_no_sense_are_left_out() {
        let record = parse(&json!({
            "id": ID.to_string(),
            "ipAssignmentPools": [
                { "ipRangeStart": "10.0.0.1", "ipRangeEnd": "fd00::1" },
                { "ipRangeStart": "10.0.0.1" },
                "10.0.0.0/8",
            ],
            "routes": [
                { "target": "10.0.0.0/33" },
                { "target": "moon.example.org/9" },
                { "target": "10.0.0.7/24", "via": "fd00::1" },
            ],
            "rules": [{ "type": "MATCH_NOTHING" }, null],
            "tags": [{ "id": 1, "default": "x" }, 2],
            "authTokens": { "minus": -1, "text": "0" },
            "remoteTraceTarget": "short",
            "clock": 12,
        }));

        let route = Route { target: [10, 0, 0, 0].into(), bits: 24, via: None };
        let expected = NetworkRecord {
            routes: vec![route],
            rules: Vec::new(),
            tags: [(1, None)].into(),
            ..NetworkRecord::new(ID, UnixMillis(0))
        };
        assert_eq!(record, expected);
    }

    #[test]
    fn fields_that_are_junk_have_their_own_defaults() {
        let record = parse(&json!({
            "id": ID.to_string(), "private": null, "enableBroadcast": {}, "mtu": 1, "multicastLimit": [],
        }));

        assert!(record.private && !record.broadcast);
        assert_eq!((record.mtu, record.multicast_limit), (1_280, 32));
    }

    #[test]
    fn modes_may_be_lists_of_names() {
        let record = parse(&json!({
            "id": ID.to_string(), "v4AssignMode": "zt", "v6AssignMode": "rfc4193,6plane",
        }));

        assert!(record.v4_pools);
        assert_eq!(record.v6, V6Modes { pools: false, rfc4193: true, six_plane: true });
    }

    #[test]
    fn what_names_no_network_is_no_record() {
        assert_eq!(NetworkRecord::parse(b""), Err(RecordError::NotAnObject));
        assert_eq!(NetworkRecord::parse(b"[]"), Err(RecordError::NotAnObject));
        assert_eq!(NetworkRecord::parse(b"{}"), Err(RecordError::NoId));
        assert_eq!(NetworkRecord::parse(br#"{"id":"0e18de4792"}"#), Err(RecordError::NoId));
    }

    proptest! {
        #[test]
        fn no_input_panics(json: Vec<u8>) {
            let _ = NetworkRecord::parse(&json);
        }

        #[test]
        fn every_field_takes_any_value(fields in prop::collection::btree_map(
            prop::sample::select(vec![
                "name", "private", "mtu", "multicastLimit", "revision", "v4AssignMode", "v6AssignMode",
                "ipAssignmentPools", "routes", "dns", "rules", "capabilities", "tags", "authTokens",
                "remoteTraceTarget", "certificateTimeoutWindowSize",
            ]),
            prop::sample::select(vec![
                json!(null), json!(true), json!(-1), json!(1e300), json!("x"), json!("1"), json!([]),
                json!([null, 1, "x", [], {}]), json!({}), json!({ "zt": 1, "x": -1, "servers": [1] }),
            ]),
            0..8,
        )) {
            let mut record = json!(fields);
            record["id"] = json!(ID.to_string());

            let once = parse(&record);

            prop_assert_eq!(NetworkRecord::parse(&once.to_json()), Ok(once));
        }
    }
}
