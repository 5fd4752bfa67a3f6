//! A network's configuration, as its controller writes it for one member.
//!
//! It travels as a [dictionary](crate::dictionary) of numbers, texts and a few binary values:
//!
//! | keys | what |
//! |---|---|
//! | `v` `nwid` `id` `ts` `r` `ctmd` | version, network, member, time, revision, window |
//! | `f` `ml` `t` `n` `mtu` `tt` `tl` | how the network behaves |
//! | `C` `CAP` `TAG` `COO` | the member's credentials |
//! | `S` `RT` `I` `R` `DNS` | special members, routes, addresses, rules, name servers |
//! | `ssov` `ssoe` … | what the user needs to log in |
//!
//! Source: spec 03 §5, spec 04 §3.

use core::net::IpAddr;

use crate::address::{Address, NetworkId};
use crate::credential::{Capability, Membership, Ownership, Tag};
use crate::dictionary::{Dictionary, DictionaryWriter};
use crate::error::Malformed;
use crate::limits::{
    CONFIG_ADDRESSES_MAX, CONFIG_CAPABILITIES_MAX, CONFIG_DNS_SERVERS_MAX, CONFIG_OWNERSHIPS_MAX,
    CONFIG_ROUTES_MAX, CONFIG_RULES_MAX, CONFIG_SPECIALISTS_MAX, CONFIG_TAGS_MAX,
    CONFIG_TEXT_LEN_MAX, NETWORK_MTU_DEFAULT, NETWORK_MTU_MAX, NETWORK_MTU_MIN, SSO_NONCE_LEN_MAX,
    SSO_PROVIDER_LEN_MAX, SSO_STATE_LEN_MAX, SSO_URL_LEN_MAX,
};
use crate::memory;
use crate::rules::{self, Rule};
use crate::time::UnixMillis;
use crate::wire::cursor::{Put, Reader};
use crate::wire::inet;

/// Version that is written.
const VERSION: u64 = 7;

/// Oldest version that is read; what came before had other keys.
const VERSION_MIN: u64 = 6;

/// Room for the DNS domain, of which the last byte is always 0.
const DOMAIN_LEN: usize = CONFIG_TEXT_LEN_MAX + 1;

/// One member's configuration of one network.
///
/// Its credentials are not verified: the member shows them to others, and they do that.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkConfig {
    /// The network.
    pub network: NetworkId,
    /// When it was written, by the controller's clock.
    pub timestamp: UnixMillis,
    /// How far from `timestamp` the timestamps of other members' credentials may be, in ms.
    pub credential_window_ms: u64,
    /// The controller's revision of the network.
    pub revision: u64,
    /// The member.
    pub issued_to: Address,
    /// Who wants to be told what happens to frames, [`Address::NULL`] if nobody.
    pub trace_target: Address,
    /// How much they want to be told.
    pub trace_level: u64,
    /// Flags, such as [`BROADCAST`](Self::BROADCAST).
    pub flags: u64,
    /// Most recipients of a multicast; 0 forbids multicast.
    pub multicast_limit: u32,
    /// Everybody is a member.
    pub public: bool,
    /// The network's name, at most 127 bytes.
    pub name: String,
    /// The MTU of its port in bytes, 1280 to 10000 if it was read.
    pub mtu: u16,
    /// The member's certificate of membership.
    pub membership: Option<Membership>,
    /// The member's capabilities by ascending ID, at most 128.
    pub capabilities: Vec<Capability>,
    /// The member's tags by ascending ID, at most 128.
    pub tags: Vec<Tag>,
    /// What the member owns, at most 4 certificates.
    pub ownerships: Vec<Ownership>,
    /// Members with special roles, at most 256.
    pub specialists: Vec<Specialist>,
    /// Routes for the host, at most 128.
    pub routes: Vec<Route>,
    /// The member's addresses and prefix lengths, at most 32.
    pub addresses: Vec<(IpAddr, u8)>,
    /// The network's rules, at most 1024; none drop every frame.
    pub rules: Vec<Rule>,
    /// The network's name servers.
    pub dns: Dns,
    /// What the user needs to log in.
    pub sso: Sso,
}

/// A member with special roles.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Specialist {
    /// The member.
    pub address: Address,
    /// Its roles, such as [`ACTIVE_BRIDGE`](Self::ACTIVE_BRIDGE); the low 40 bits are 0.
    pub roles: u64,
}

/// A route the network asks the host to install.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    /// Destination network address, host bits zero.
    pub target: IpAddr,
    /// Prefix length of `target`.
    pub bits: u8,
    /// The gateway; `None` if on-link.
    pub via: Option<IpAddr>,
}

/// The network's name servers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Dns {
    /// The domain they are for, at most 127 bytes.
    pub domain: String,
    /// The servers, at most 4.
    pub servers: Vec<IpAddr>,
}

/// What the user needs to log in, by OpenID Connect.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sso {
    /// Logging in is required.
    pub enabled: bool,
    /// Which of the fields below are used: 0 or 1.
    pub version: u64,
    /// Where to log in.
    pub authentication_url: String,
    /// When the log-in ends, in ms since the Unix epoch (version 0).
    pub expiry_ms: i64,
    /// The issuer (version 1).
    pub issuer_url: String,
    /// The hosted service's endpoint (version 1).
    pub central_url: String,
    /// The nonce (version 1).
    pub nonce: String,
    /// The state (version 1).
    pub state: String,
    /// The client's ID (version 1).
    pub client_id: String,
    /// The provider (version 1).
    pub provider: String,
}

impl NetworkConfig {
    /// Flag: frames to ff:ff:ff:ff:ff:ff may be sent.
    pub const BROADCAST: u64 = 0x02;

    /// Flag: members answer neighbour solicitations for computed IPv6 addresses themselves.
    pub const NDP_EMULATION: u64 = 0x04;

    /// Flag: a match of a type that a member does not know is true.
    pub const UNKNOWN_MATCH_IS_TRUE: u64 = 0x08;

    /// Flag: multicast frames are not compressed.
    pub const NO_MULTICAST_COMPRESSION: u64 = 0x10;

    /// Returns what it holds, in bytes.
    pub(crate) fn footprint(&self) -> usize {
        let Self { capabilities, tags, ownerships, specialists, .. } = self;
        let Self { name, routes, addresses, rules, dns, sso, .. } = self;
        memory::of_list(capabilities)
            + capabilities.iter().map(Capability::footprint).sum::<usize>()
            + memory::of_list(tags)
            + memory::of_list(ownerships)
            + ownerships.iter().map(Ownership::footprint).sum::<usize>()
            + memory::of_list(specialists)
            + memory::of_list(routes)
            + memory::of_list(addresses)
            + rules::footprint(rules)
            + memory::of_list(&dns.servers)
            + name.capacity()
            + dns.domain.capacity()
            + sso.footprint()
    }

    /// Reads a dictionary of version 6 or 7.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the version is older, the network's or member's ID is missing, or a binary
    /// value is malformed. Capabilities and tags are an exception: of those, what comes before
    /// the malformed one is kept.
    pub fn from_dictionary(bytes: &[u8]) -> Result<Self, Malformed> {
        let from = Dictionary::new(bytes);
        let number = |key| from.hex(key).unwrap_or(0);
        let address = |key| Address::from_u64(number(key));
        let binary = |key| from.bytes(key).unwrap_or_default();

        let version = number("v");
        if version < VERSION_MIN {
            return Err(Malformed::Undefined { field: "configuration version", value: version });
        }
        let (network, issued_to) = (NetworkId(number("nwid")), address("id"));
        if network.0 == 0 || issued_to == Address::NULL {
            return Err(Malformed::Inconsistent { what: "the network's or the member's ID" });
        }

        Ok(Self {
            network,
            timestamp: UnixMillis(number("ts")),
            credential_window_ms: number("ctmd"),
            revision: number("r"),
            issued_to,
            trace_target: address("tt"),
            trace_level: number("tl"),
            flags: number("f"),
            multicast_limit: number("ml") as u32,
            public: number("t") == 1,
            name: text(&from, "n", CONFIG_TEXT_LEN_MAX),
            mtu: read_mtu(from.hex("mtu")),
            membership: from.bytes("C").map(|bytes| read_membership(&bytes)).transpose()?,
            capabilities: read_capabilities(&binary("CAP")),
            tags: read_tags(&binary("TAG")),
            ownerships: read_ownerships(&binary("COO"))?,
            specialists: read_specialists(&binary("S")),
            routes: read_routes(&binary("RT"))?,
            addresses: read_addresses(&binary("I"))?,
            rules: rules::codec::read_list(&binary("R"), CONFIG_RULES_MAX)?,
            dns: from.bytes("DNS").map(|bytes| Dns::read(&bytes)).transpose()?.unwrap_or_default(),
            sso: Sso::from_dictionary(&from),
        })
    }

    /// Writes the dictionary, keys in the reference's order.
    #[must_use]
    pub fn to_dictionary(&self) -> Vec<u8> {
        let mut to = DictionaryWriter::default();
        to.hex("v", VERSION)
            .hex("nwid", self.network.0)
            .hex("ts", self.timestamp.0)
            .hex("ctmd", self.credential_window_ms)
            .hex("r", self.revision)
            // Unlike other addresses in dictionaries, these two are written as texts.
            .text("id", &self.issued_to.to_string())
            .text("tt", &self.trace_target.to_string())
            .hex("tl", self.trace_level)
            .hex("f", self.flags)
            .hex("ml", u64::from(self.multicast_limit))
            .hex("t", u64::from(self.public))
            .text("n", &self.name)
            .hex("mtu", u64::from(self.mtu));

        let mut unless_empty = |key, value: Vec<u8>| {
            if !value.is_empty() {
                to.bytes(key, &value);
            }
        };
        unless_empty("C", concatenated(&self.membership, Membership::write));
        unless_empty("CAP", concatenated(&self.capabilities, Capability::write));
        unless_empty("TAG", concatenated(&self.tags, Tag::write));
        unless_empty("COO", concatenated(&self.ownerships, Ownership::write));
        unless_empty("S", concatenated(&self.specialists, Specialist::write));
        unless_empty("RT", concatenated(&self.routes, write_route));
        unless_empty("I", concatenated(&self.addresses, write_address));
        unless_empty("R", concatenated(&self.rules, rules::codec::write));

        to.bytes("DNS", &self.dns.to_bytes());
        self.sso.write(&mut to);
        to.finish()
    }

    /// Returns whether frames to ff:ff:ff:ff:ff:ff may be sent.
    #[must_use]
    pub const fn broadcast(&self) -> bool {
        self.flags & Self::BROADCAST != 0
    }

    /// Returns whether members answer neighbour solicitations for computed addresses themselves.
    #[must_use]
    pub const fn ndp_emulation(&self) -> bool {
        self.flags & Self::NDP_EMULATION != 0
    }

    /// Returns whether a match of a type that a member does not know is true.
    #[must_use]
    pub const fn unknown_match_is_true(&self) -> bool {
        self.flags & Self::UNKNOWN_MATCH_IS_TRUE != 0
    }

    /// Returns whether what the controller signed at `timestamp` counts while this configuration
    /// is in force (spec 03 §6.4). Certificates of membership have windows of their own.
    #[must_use]
    pub const fn is_timely(&self, timestamp: UnixMillis) -> bool {
        self.timestamp.0.abs_diff(timestamp.0) <= self.credential_window_ms
    }

    /// Returns whether multicast frames are sent uncompressed.
    #[must_use]
    pub const fn no_multicast_compression(&self) -> bool {
        self.flags & Self::NO_MULTICAST_COMPRESSION != 0
    }
}

impl Specialist {
    /// Role: devices behind it have MACs of their own.
    pub const ACTIVE_BRIDGE: u64 = 0x0000_0200_0000_0000;

    /// Role: it is always kept in contact with, and asked who is in a multicast group.
    pub const ANCHOR: u64 = 0x0000_0400_0000_0000;

    /// Role: it sends others' multicasts on to their recipients.
    pub const REPLICATOR: u64 = 0x0000_0800_0000_0000;

    /// Returns whether devices behind it have MACs of their own.
    #[must_use]
    pub const fn is_active_bridge(&self) -> bool {
        self.roles & Self::ACTIVE_BRIDGE != 0
    }

    /// Returns whether it is always kept in contact with.
    #[must_use]
    pub const fn is_anchor(&self) -> bool {
        self.roles & Self::ANCHOR != 0
    }

    /// Returns whether it sends others' multicasts on.
    #[must_use]
    pub const fn is_replicator(&self) -> bool {
        self.roles & Self::REPLICATOR != 0
    }

    const fn from_u64(value: u64) -> Self {
        let address = Address::from_u64(value);
        Self { address, roles: value ^ address.to_u64() }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.put_u64(self.roles | self.address.to_u64());
    }
}

impl Dns {
    /// Returns whether it says nothing: servers are of use for a domain only.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.domain.is_empty()
    }

    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new("name servers", bytes);
        let domain = &reader.array::<DOMAIN_LEN>()?[..CONFIG_TEXT_LEN_MAX];
        let end = domain.iter().position(|&byte| byte == 0).unwrap_or(domain.len());
        let domain = String::from_utf8_lossy(&domain[..end]).into_owned();

        let mut servers = Vec::with_capacity(CONFIG_DNS_SERVERS_MAX);
        for _ in 0..CONFIG_DNS_SERVERS_MAX {
            servers.extend(inet::read_with_number(&mut reader)?.map(|(ip, _)| ip));
        }
        Ok(Self { domain: cut(domain, CONFIG_TEXT_LEN_MAX), servers })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let domain = &self.domain[..self.domain.floor_char_boundary(CONFIG_TEXT_LEN_MAX)];
        let mut out = domain.as_bytes().to_vec();
        out.resize(DOMAIN_LEN, 0);
        let mut servers = self.servers.iter();
        for _ in 0..CONFIG_DNS_SERVERS_MAX {
            match servers.next() {
                Some(&server) => inet::write_with_number(&mut out, server, 0),
                None => inet::write(&mut out, None),
            }
        }
        out
    }
}

impl Default for Sso {
    fn default() -> Self {
        Self {
            enabled: false,
            version: 0,
            authentication_url: String::new(),
            expiry_ms: 0,
            issuer_url: String::new(),
            central_url: String::new(),
            nonce: String::new(),
            state: String::new(),
            client_id: String::new(),
            provider: "default".to_owned(),
        }
    }
}

impl Sso {
    /// Returns what it holds, in bytes.
    pub(crate) fn footprint(&self) -> usize {
        let Self { authentication_url, issuer_url, central_url, .. } = self;
        let Self { nonce, state, client_id, provider, .. } = self;
        let texts =
            [authentication_url, issuer_url, central_url, nonce, state, client_id, provider];
        texts.map(String::capacity).iter().sum()
    }

    /// Reads the fields of the version, if logging in is required at all.
    fn from_dictionary(from: &Dictionary<'_>) -> Self {
        let mut sso = Self {
            enabled: from.bool("ssoe").unwrap_or(false),
            version: from.hex("ssov").unwrap_or(0),
            ..Self::default()
        };
        if sso.enabled && sso.version <= 1 {
            sso.authentication_url = text(from, "aurl", SSO_URL_LEN_MAX);
        }
        if sso.enabled && sso.version == 0 {
            sso.expiry_ms = from.signed_hex("aexpt").unwrap_or(0);
        }
        if sso.enabled && sso.version == 1 {
            sso.issuer_url = text(from, "iurl", SSO_URL_LEN_MAX);
            sso.central_url = text(from, "ssoce", SSO_URL_LEN_MAX);
            sso.nonce = text(from, "sson", SSO_NONCE_LEN_MAX);
            sso.state = text(from, "ssos", SSO_STATE_LEN_MAX);
            sso.client_id = text(from, "ssocid", SSO_STATE_LEN_MAX);
            if let Some(provider) = from.text("ssop") {
                sso.provider = cut(provider, SSO_PROVIDER_LEN_MAX);
            }
        }
        sso
    }

    fn write(&self, to: &mut DictionaryWriter) {
        to.hex("ssov", self.version).bool("ssoe", self.enabled);
        if self.version == 0 && self.enabled {
            if !self.authentication_url.is_empty() {
                to.text("aurl", &self.authentication_url);
            }
            // The reference loses the sign, so there is none to write.
            to.hex("aexpt", self.expiry_ms.unsigned_abs());
        }
        if self.version == 1 {
            to.text("iurl", &self.issuer_url)
                .text("ssoce", &self.central_url)
                .text("sson", &self.nonce)
                .text("ssos", &self.state)
                .text("ssocid", &self.client_id)
                .text("ssop", &self.provider);
        }
    }
}

/// Returns what `write` makes of `items`, one after the other.
fn concatenated<'a, T: 'a>(
    items: impl IntoIterator<Item = &'a T>,
    write: impl Fn(&T, &mut Vec<u8>),
) -> Vec<u8> {
    let mut out = Vec::new();
    for item in items {
        write(item, &mut out);
    }
    out
}

/// Returns the text of a key, cut to `max` bytes, empty if there is none.
fn text(from: &Dictionary<'_>, key: &str, max: usize) -> String {
    cut(from.text(key).unwrap_or_default(), max)
}

fn cut(mut text: String, max: usize) -> String {
    text.truncate(text.floor_char_boundary(max));
    text
}

fn read_mtu(mtu: Option<u64>) -> u16 {
    let mtu = mtu.unwrap_or(u64::from(NETWORK_MTU_DEFAULT));
    u16::try_from(mtu).unwrap_or(u16::MAX).clamp(NETWORK_MTU_MIN, NETWORK_MTU_MAX)
}

fn read_membership(bytes: &[u8]) -> Result<Membership, Malformed> {
    Membership::read_prefix(bytes).map(|(membership, _)| membership)
}

/// Reads values one after the other until one is malformed or there are `max`.
fn read_while_well_formed<T>(
    bytes: &[u8],
    max: usize,
    read_prefix: impl Fn(&[u8]) -> Result<(T, usize), Malformed>,
) -> Vec<T> {
    let mut reader = Reader::new("configuration", bytes);
    let mut values = Vec::new();
    while !reader.is_empty() && values.len() < max {
        let Ok(value) = reader.value(&read_prefix) else { break };
        values.push(value);
    }
    values
}

fn read_capabilities(bytes: &[u8]) -> Vec<Capability> {
    let mut capabilities =
        read_while_well_formed(bytes, CONFIG_CAPABILITIES_MAX, Capability::read_prefix);
    capabilities.sort_by_key(|capability| capability.id);
    capabilities
}

fn read_tags(bytes: &[u8]) -> Vec<Tag> {
    let mut tags = read_while_well_formed(bytes, CONFIG_TAGS_MAX, Tag::read_prefix);
    tags.sort_by_key(|tag| tag.id);
    tags
}

fn read_ownerships(bytes: &[u8]) -> Result<Vec<Ownership>, Malformed> {
    let mut reader = Reader::new("certificates of ownership", bytes);
    let mut ownerships = Vec::new();
    while !reader.is_empty() {
        let ownership = reader.value(Ownership::read_prefix)?;
        if ownerships.len() < CONFIG_OWNERSHIPS_MAX {
            ownerships.push(ownership);
        }
    }
    Ok(ownerships)
}

fn read_specialists(bytes: &[u8]) -> Vec<Specialist> {
    let (values, _) = bytes.as_chunks();
    let specialists = values.iter().map(|&value| Specialist::from_u64(u64::from_be_bytes(value)));
    specialists.take(CONFIG_SPECIALISTS_MAX).collect()
}

/// Reads routes; those without a target are left out.
fn read_routes(bytes: &[u8]) -> Result<Vec<Route>, Malformed> {
    let mut reader = Reader::new("routes", bytes);
    let mut routes = Vec::new();
    while !reader.is_empty() && routes.len() < CONFIG_ROUTES_MAX {
        let target = inet::read_with_number(&mut reader)?;
        let via = inet::read_with_number(&mut reader)?.map(|(ip, _)| ip);
        let _flags = reader.u16()?;
        let _metric = reader.u16()?;
        routes.extend(target.map(|(target, bits)| {
            let bits = prefix_len(target, bits);
            Route { target, bits, via }
        }));
    }
    Ok(routes)
}

fn write_route(route: &Route, out: &mut Vec<u8>) {
    inet::write_with_number(out, route.target, u16::from(route.bits));
    match route.via {
        Some(via) => inet::write_with_number(out, via, 0),
        None => inet::write(out, None),
    }
    out.put(&[0; 4]);
}

/// Reads the member's addresses; empty places are left out.
fn read_addresses(bytes: &[u8]) -> Result<Vec<(IpAddr, u8)>, Malformed> {
    let mut reader = Reader::new("addresses", bytes);
    let mut addresses = Vec::new();
    while !reader.is_empty() && addresses.len() < CONFIG_ADDRESSES_MAX {
        let address = inet::read_with_number(&mut reader)?;
        addresses.extend(address.map(|(ip, bits)| (ip, prefix_len(ip, bits))));
    }
    Ok(addresses)
}

fn write_address(&(ip, bits): &(IpAddr, u8), out: &mut Vec<u8>) {
    inet::write_with_number(out, ip, u16::from(bits));
}

/// Returns a prefix length that `ip` can have.
fn prefix_len(ip: IpAddr, bits: u16) -> u8 {
    let width = if ip.is_ipv4() { 32 } else { 128 };
    u8::try_from(bits).unwrap_or(width).min(width)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::credential::ownership::Thing;
    use crate::identity::SecretIdentity;
    use crate::rng::Rng;

    const MEMBER: Address = Address::from_u64(0x6e_43f1_a85f);

    fn full() -> NetworkConfig {
        let controller = SecretIdentity::generate(&mut Rng::from_seed([1; 32]));
        let network = NetworkId::new(controller.address(), 1);
        let now = UnixMillis(1_700_000_000_000);
        let ip = IpAddr::from([10, 147, 17, 5]);
        let things = vec![Thing::Ip(ip)];
        let rules = vec![Rule::accept()];
        NetworkConfig {
            network,
            timestamp: now,
            credential_window_ms: 1_800_000,
            revision: 3,
            issued_to: MEMBER,
            trace_target: Address::NULL,
            trace_level: 0,
            flags: NetworkConfig::BROADCAST | NetworkConfig::NDP_EMULATION,
            multicast_limit: 32,
            public: false,
            name: "a=b\nc".to_owned(),
            mtu: 2_800,
            membership: Some(Membership::issue(
                &controller,
                network,
                controller.public(),
                now,
                1_800_000,
            )),
            capabilities: [1, 2]
                .map(|id| Capability::issue(&controller, network, MEMBER, now, id, rules.clone()))
                .to_vec(),
            tags: [3, 4].map(|id| Tag::issue(&controller, network, MEMBER, now, id, 42)).to_vec(),
            ownerships: vec![Ownership::issue(&controller, network, MEMBER, now, 1, things)],
            specialists: vec![Specialist { address: MEMBER, roles: Specialist::ACTIVE_BRIDGE }],
            routes: vec![
                Route { target: [10, 147, 17, 0].into(), bits: 24, via: None },
                Route { target: [0, 0, 0, 0].into(), bits: 0, via: Some(ip) },
            ],
            addresses: vec![(ip, 24), (network.rfc4193(MEMBER).into(), 88)],
            rules,
            dns: Dns { domain: "example.org".to_owned(), servers: vec![ip] },
            sso: Sso::default(),
        }
    }

    /// Returns a dictionary of what must be there, and a binary value.
    fn with(key: &str, value: &[u8]) -> Vec<u8> {
        let mut to = DictionaryWriter::default();
        to.hex("v", 7).hex("nwid", 1).hex("id", 2).bytes(key, value);
        to.finish()
    }

    #[test]
    fn a_configuration_is_read_back() {
        let config = full();

        assert_eq!(NetworkConfig::from_dictionary(&config.to_dictionary()), Ok(config));
    }

    #[test]
    fn version_network_and_member_must_be_there() {
        let read = |text: &str| NetworkConfig::from_dictionary(text.as_bytes()).map(|_| ());

        assert_eq!(read("v=6\nnwid=1\nid=2"), Ok(()));
        assert!(read("nwid=1\nid=2").is_err());
        assert!(read("v=5\nnwid=1\nid=2").is_err());
        assert!(read("v=7\nid=2").is_err());
        assert!(read("v=7\nnwid=1").is_err());
        assert!(read("v=7\nnwid=1\nid=ff0000000000").is_err());
    }

    #[test]
    fn the_mtu_stays_within_its_bounds() {
        let mtu = |text| NetworkConfig::from_dictionary(&with("mtu", text)).unwrap().mtu;

        assert_eq!(mtu(b""), 2_800);
        assert_eq!(mtu(b"1"), 1_280);
        assert_eq!(mtu(b"ffffffff"), 10_000);
    }

    #[test]
    fn credentials_after_a_malformed_one_are_lost_and_the_rest_kept_by_id() {
        let config = full();
        let mut bytes = Vec::new();
        for tag in config.tags.iter().rev() {
            tag.write(&mut bytes);
        }
        bytes.extend([0xff; 20]);

        let read = NetworkConfig::from_dictionary(&with("TAG", &bytes)).unwrap();

        assert_eq!(read.tags, config.tags);
    }

    #[test]
    fn any_other_malformed_value_costs_the_configuration() {
        for key in ["C", "COO", "RT", "I", "R", "DNS"] {
            assert!(NetworkConfig::from_dictionary(&with(key, b"abc")).is_err(), "{key}");
        }
    }

    #[test]
    fn what_is_too_much_is_not_read() {
        let read = |key, value: &[u8], times| {
            NetworkConfig::from_dictionary(&with(key, &value.repeat(times))).unwrap()
        };

        assert_eq!(read("S", &[1; 8], 300).specialists.len(), CONFIG_SPECIALISTS_MAX);
        assert_eq!(read("R", &[1, 0], 2_000).rules.len(), CONFIG_RULES_MAX);
        let address = [4, 10, 0, 0, 1, 0, 24];
        assert_eq!(read("I", &address, 40).addresses.len(), CONFIG_ADDRESSES_MAX);
        let route = [&address[..], &[0; 5]].concat();
        assert_eq!(read("RT", &route, 200).routes.len(), CONFIG_ROUTES_MAX);
        assert_eq!(read("n", b"x", 200).name.len(), CONFIG_TEXT_LEN_MAX);

        let ownership = concatenated(&full().ownerships, Ownership::write);
        assert_eq!(read("COO", &ownership, 9).ownerships.len(), CONFIG_OWNERSHIPS_MAX);
    }

    #[test]
    fn a_prefix_is_no_longer_than_its_address() {
        let addresses = [4, 10, 0, 0, 1, 0xff, 0xff];

        let config = NetworkConfig::from_dictionary(&with("I", &addresses)).unwrap();

        assert_eq!(config.addresses, [([10, 0, 0, 1].into(), 32)]);
    }

    proptest! {
        #[test]
        fn no_input_panics(key in "C|CAP|TAG|COO|S|RT|I|R|DNS", value: Vec<u8>, text: Vec<u8>) {
            let mut bytes = with(&key, &value);
            let _ = NetworkConfig::from_dictionary(&bytes);
            bytes.push(b'\n');
            bytes.extend(text);
            let _ = NetworkConfig::from_dictionary(&bytes);
        }
    }
}
