//! A member of a network as the network's controller keeps it.
//!
//! Source: spec 04 §6.3.

use core::fmt;
use core::net::IpAddr;

use serde_json::{Map, Value, json};

use super::json::{self, Fields};
use super::network::{RecordError, read_trace_target};
use crate::address::{Address, NetworkId};
use crate::memory;
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

    /// Returns what it holds, in bytes.
    pub(super) fn footprint(&self) -> usize {
        let Self { name, identity, credential_kind, credential, .. } = self;
        let texts = [name, identity, credential_kind, credential].map(Option::as_ref);
        texts.into_iter().flatten().map(String::capacity).sum::<usize>()
            + memory::of_list(&self.addresses)
            + memory::of_list(&self.tags)
            + memory::of_list(&self.capabilities)
            + json::footprint(&self.unknown)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NETWORK: NetworkId = NetworkId(0x0e18_de47_92aa_bbcc);
    const MEMBER: Address = Address::from_u64(0xaa_aaaa_aaaa);

    /// What the reference answered to POST …/member/aaaaaaaaaa with `{}` (spec 04 §9.2).
    const REFERENCE: &str = concat!(
        r#"{"activeBridge":false,"address":"aaaaaaaaaa","authenticationExpiryTime":0,"#,
        r#""authorized":false,"capabilities":[],"creationTime":1795344415912,"id":"aaaaaaaaaa","#,
        r#""ipAssignments":[],"lastAuthorizedCredential":null,"#,
        r#""lastAuthorizedCredentialType":null,"lastAuthorizedTime":0,"lastDeauthorizedTime":0,"#,
        r#""noAutoAssignIps":false,"nwid":"0e18de4792aabbcc","objtype":"member","#,
        r#""remoteTraceLevel":0,"remoteTraceTarget":null,"revision":1,"ssoExempt":false,"#,
        r#""tags":[],"vMajor":-1,"vMinor":-1,"vProto":-1,"vRev":-1}"#,
    );

    fn parse(json: &Value) -> MemberRecord {
        MemberRecord::parse(NETWORK, json.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_new_member_is_what_the_reference_makes() {
        let created = UnixMillis(1_795_344_415_912);
        let record = MemberRecord { revision: 1, ..MemberRecord::new(NETWORK, MEMBER, created) };

        assert_eq!(MemberRecord::parse(NETWORK, REFERENCE.as_bytes()), Ok(record.clone()));
        assert_eq!(String::from_utf8(record.to_json()), Ok(REFERENCE.to_owned()));
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        let stored = json!({
            "activeBridge": true,
            "address": "aaaaaaaaaa",
            "authenticationExpiryTime": 4_102_444_800_000_u64,
            "authorized": true,
            "capabilities": [6, 77],
            "creationTime": 5,
            "id": "aaaaaaaaaa",
            "identity": "aaaaaaaaaa:0:11",
            "ipAssignments": ["10.0.0.1", "fd00::1"],
            "lastAuthorizedCredential": "open sesame",
            "lastAuthorizedCredentialType": "token",
            "lastAuthorizedTime": 6,
            "lastDeauthorizedTime": 7,
            "name": "laptop",
            "noAutoAssignIps": true,
            "nwid": NETWORK.to_string(),
            "objtype": "member",
            "remoteTraceLevel": 7,
            "remoteTraceTarget": "0123456789",
            "revision": 8,
            "ssoExempt": true,
            "tags": [[7, 1], [1, 99]],
            "vMajor": 1,
            "vMinor": 14,
            "vProto": 12,
            "vRev": 2,
            "a key of a later version": "kept",
        });

        let written = parse(&stored).to_json();

        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), stored);
    }

    #[test]
    fn entries_that_make_no_sense_are_left_out() {
        let record = parse(&json!({
            "id": "AAAAAAAAAA",
            "ipAssignments": ["10.0.0.1/24", "nowhere", 7],
            "tags": [[1], [1, 2, 3], ["2", 3], 4],
            "capabilities": [1, {}, "5"],
            "identity": "",
            "recentLog": [],
        }));

        let expected = MemberRecord {
            addresses: vec![[10, 0, 0, 1].into()],
            tags: vec![(2, 3)],
            capabilities: vec![1, 5],
            created: None,
            ..MemberRecord::new(NETWORK, MEMBER, UnixMillis(0))
        };
        assert_eq!(record, expected);
    }

    #[test]
    fn authorizing_says_by_what_and_when_and_only_once() {
        let mut member = MemberRecord::new(NETWORK, MEMBER, UnixMillis(1));

        member.authorize(Authority::Token("open sesame"), UnixMillis(2));
        member.authorize(Authority::Operator, UnixMillis(3));

        assert!(member.is_authorized());
        assert_eq!(member.last_authorized, UnixMillis(2));
        assert_eq!(member.credential_kind.as_deref(), Some("token"));
        assert_eq!(member.credential.as_deref(), Some("open sesame"));

        member.deauthorize(UnixMillis(4));
        member.deauthorize(UnixMillis(5));

        assert!(!member.is_authorized());
        assert_eq!(member.last_deauthorized, UnixMillis(4));
    }

    #[test]
    fn a_token_is_not_printed() {
        let mut member = MemberRecord::new(NETWORK, MEMBER, UnixMillis(1));
        member.authorize(Authority::Token("open sesame"), UnixMillis(2));

        assert!(!format!("{member:?}").contains("sesame"));
    }

    proptest! {
        #[test]
        fn no_input_panics(json: Vec<u8>) {
            let _ = MemberRecord::parse(NETWORK, &json);
        }
    }
}
