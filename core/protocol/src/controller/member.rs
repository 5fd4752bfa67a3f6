//! A member of a network as the network's controller keeps it.
//!
//! Source: spec 04 §6.3.

use core::fmt;
use core::net::IpAddr;

use serde_json::{Map, Value, json};

use super::json::{self, Fields};
use super::network::{RecordError, read_trace_target};
use crate::address::{Address, NetworkId};
use crate::time::UnixMillis;

/// Keys that say how things stood when somebody looked; they are not kept.
const TRANSIENT: &[&str] = &[
    "clock",
    "physicalAddr",
    "recentLog",
    "lastModified",
    "lastRequestMetaData",
    "authenticationURL",
    "authenticationClientID",
];

/// One member of one network.
#[derive(Clone, PartialEq)]
pub struct MemberRecord {
    network: NetworkId,
    address: Address,
    /// What people call it. Never sent.
    pub name: Option<String>,
    authorized: bool,
    /// Whether it may send frames of devices behind it.
    pub active_bridge: bool,
    /// Whether it gets only the addresses listed here.
    pub no_auto_assign: bool,
    /// Its addresses, those assigned from pools included.
    pub addresses: Vec<IpAddr>,
    /// Its tags: ID and value. Of several with one ID the last counts.
    pub tags: Vec<(u32, u32)>,
    /// IDs of the capabilities it is given.
    pub capabilities: Vec<u32>,
    /// The text form of the identity that asked first, which nobody else can replace.
    pub identity: Option<String>,
    /// When the record was created.
    pub created: Option<UnixMillis>,
    /// How often it was changed. Only [`Controller`](super::Controller) counts.
    pub revision: u64,
    /// When it was last authorized, 0 if never.
    pub last_authorized: UnixMillis,
    /// When it was last deprived of that, 0 if never.
    pub last_deauthorized: UnixMillis,
    /// What it was authorized by: `api`, `public` or `token`.
    pub credential_kind: Option<String>,
    /// The token it showed.
    pub credential: Option<String>,
    /// What it runs.
    pub client: ClientVersion,
    /// Until when its log-in is good, on a network that asks for one.
    pub authentication_expiry: u64,
    /// Whether it need not log in.
    pub sso_exempt: bool,
    /// Who it sends diagnostics.
    pub trace_target: Option<Address>,
    /// How many.
    pub trace_level: u64,
    /// Keys this version knows nothing about.
    unknown: Map<String, Value>,
}

/// Software and protocol version of a member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClientVersion {
    /// Major version; −1 if it has not said.
    pub major: i64,
    /// Minor version.
    pub minor: i64,
    /// Revision.
    pub revision: i64,
    /// Protocol version.
    pub protocol: i64,
}

impl ClientVersion {
    /// The version of a member that has not said.
    pub const UNKNOWN: Self = Self { major: -1, minor: -1, revision: -1, protocol: -1 };
}

/// What authorizes a member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Authority<'a> {
    /// The operator.
    Operator,
    /// The network, which is public.
    PublicNetwork,
    /// A token it showed.
    Token(&'a str),
}

impl fmt::Debug for MemberRecord {
    /// Names the member only: the record may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberRecord")
            .field("network", &self.network)
            .field("address", &self.address)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl MemberRecord {
    /// Returns the record of a member nothing is known about, which is not authorized.
    #[must_use]
    pub fn new(network: NetworkId, address: Address, now: UnixMillis) -> Self {
        let created = Some(now);
        Self { created, ..Self::from_fields(network, address, Fields::default()) }
    }

    /// Reads a stored record of a member of `network`.
    ///
    /// # Errors
    ///
    /// [`RecordError`] if it is no record at all. Fields that make no sense count as missing,
    /// entries of lists that make no sense are left out.
    pub fn parse(network: NetworkId, json: &[u8]) -> Result<Self, RecordError> {
        let mut fields = Fields::parse(json).ok_or(RecordError::NotAnObject)?;
        let address = fields.text("id").parse().map_err(|_| RecordError::NoId)?;
        Ok(Self::from_fields(network, address, fields))
    }

    fn from_fields(network: NetworkId, address: Address, mut fields: Fields) -> Self {
        for key in ["address", "nwid", "objtype"] {
            fields.take(key);
        }
        Self {
            network,
            address,
            name: fields.optional_text("name"),
            authorized: fields.bool("authorized", false, false),
            active_bridge: fields.bool("activeBridge", false, false),
            no_auto_assign: fields.bool("noAutoAssignIps", false, false),
            addresses: fields.list("ipAssignments", json::ip),
            tags: fields.list("tags", read_tag),
            capabilities: fields.list("capabilities", json::int32),
            identity: fields.optional_text("identity").filter(|identity| !identity.is_empty()),
            created: fields.take("creationTime").and_then(|time| json::int(&time)).map(UnixMillis),
            revision: fields.int("revision", 0),
            last_authorized: UnixMillis(fields.int("lastAuthorizedTime", 0)),
            last_deauthorized: UnixMillis(fields.int("lastDeauthorizedTime", 0)),
            credential_kind: fields.optional_text("lastAuthorizedCredentialType"),
            credential: fields.optional_text("lastAuthorizedCredential"),
            client: ClientVersion {
                major: fields.signed("vMajor", -1),
                minor: fields.signed("vMinor", -1),
                revision: fields.signed("vRev", -1),
                protocol: fields.signed("vProto", -1),
            },
            authentication_expiry: fields.int("authenticationExpiryTime", 0),
            sso_exempt: fields.bool("ssoExempt", false, false),
            trace_target: read_trace_target(&mut fields),
            trace_level: fields.int("remoteTraceLevel", 0),
            unknown: fields.rest(TRANSIENT),
        }
    }

    /// Returns the record as it is stored: compact JSON, keys in alphabetical order.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut fields = self.unknown.clone();
        let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
        put("id", json!(self.address.to_string()));
        put("address", json!(self.address.to_string()));
        put("nwid", json!(self.network.to_string()));
        put("objtype", json!("member"));
        put("authorized", json!(self.authorized));
        put("activeBridge", json!(self.active_bridge));
        put("noAutoAssignIps", json!(self.no_auto_assign));
        put("ipAssignments", self.addresses.iter().map(IpAddr::to_string).collect());
        put("tags", json!(self.tags));
        put("capabilities", json!(self.capabilities));
        put("revision", json!(self.revision));
        put("lastAuthorizedTime", json!(self.last_authorized.0));
        put("lastDeauthorizedTime", json!(self.last_deauthorized.0));
        put("lastAuthorizedCredentialType", json!(self.credential_kind));
        put("lastAuthorizedCredential", json!(self.credential));
        put("vMajor", json!(self.client.major));
        put("vMinor", json!(self.client.minor));
        put("vRev", json!(self.client.revision));
        put("vProto", json!(self.client.protocol));
        put("authenticationExpiryTime", json!(self.authentication_expiry));
        put("ssoExempt", json!(self.sso_exempt));
        put("remoteTraceTarget", json!(self.trace_target.map(|target| target.to_string())));
        put("remoteTraceLevel", json!(self.trace_level));
        if let Some(name) = &self.name {
            put("name", json!(name));
        }
        if let Some(identity) = &self.identity {
            put("identity", json!(identity));
        }
        if let Some(created) = self.created {
            put("creationTime", json!(created.0));
        }
        Value::Object(fields).to_string().into_bytes()
    }

    /// Returns the network the member is one of.
    #[must_use]
    pub const fn network(&self) -> NetworkId {
        self.network
    }

    /// Returns who the member is.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Returns whether the member is let onto a private network.
    #[must_use]
    pub const fn is_authorized(&self) -> bool {
        self.authorized
    }

    /// Lets the member onto the network, unless it is.
    pub fn authorize(&mut self, authority: Authority<'_>, now: UnixMillis) {
        if self.authorized {
            return;
        }
        let (kind, credential) = match authority {
            Authority::Operator => ("api", None),
            Authority::PublicNetwork => ("public", None),
            Authority::Token(token) => ("token", Some(token.to_owned())),
        };
        self.authorized = true;
        self.last_authorized = now;
        self.credential_kind = Some(kind.to_owned());
        self.credential = credential;
    }

    /// Takes the member off the network, if it is on it.
    pub fn deauthorize(&mut self, now: UnixMillis) {
        if self.authorized {
            self.authorized = false;
            self.last_deauthorized = now;
        }
    }

    /// Returns whether the two say different things, whatever their revisions.
    pub(super) fn differs_from(&self, other: &Self) -> bool {
        *self != Self { revision: self.revision, ..other.clone() }
    }
}

fn read_tag(value: &Value) -> Option<(u32, u32)> {
    match value.as_array()?.as_slice() {
        [id, tag] => Some((json::int32(id)?, json::int32(tag)?)),
        _ => None,
    }
}
