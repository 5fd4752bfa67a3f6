//! A controller's decisions (spec 04 §2.2, §3, §4).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use zt_protocol::address::{Address, NetworkId};
use zt_protocol::config::NetworkConfig;
use zt_protocol::controller::{Controller, NetworkRecord};
use zt_protocol::credential::Revocation;
use zt_protocol::dictionary::{Dictionary, DictionaryWriter};
use zt_protocol::endpoint::Path;
use zt_protocol::error::Rejected;
use zt_protocol::event::{Event, StoreKey};
use zt_protocol::fastpath::tables::Tables;
use zt_protocol::identity::{Identity, SecretIdentity};
use zt_protocol::outbox::{Ctx, Directory, Outbox, Received};
use zt_protocol::rng::Rng;
use zt_protocol::time::{Instant, UnixMillis};
use zt_protocol::verb::{ErrorCode, Verb};
use zt_protocol::wire::netconf::{Chunk, Request};
use zt_protocol::wire::reply;

use crate::fields::{bytes, cases, has, list, number, text};
use crate::report::Report;

/// A controller, the clocks it is told, and what it stored.
pub(crate) struct Office {
    pub(crate) controller: Controller,
    pub(crate) me: SecretIdentity,
    rng: Rng,
    tables: Tables,
    pub(crate) now: Instant,
    pub(crate) unix: UnixMillis,
    stored: BTreeMap<StoreKey, Value>,
}

/// A packet the controller sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) to: Address,
    pub(crate) verb: Verb,
    pub(crate) body: Vec<u8>,
}

/// Knows one identity.
struct Only(Identity);

impl Directory for Only {
    fn identity(&self, address: Address) -> Option<&Identity> {
        (self.0.address() == address).then_some(&self.0)
    }
}

impl Office {
    pub(crate) fn new(identity: &str) -> Self {
        let me = SecretIdentity::from_text(identity).unwrap();
        Self {
            controller: Controller::new(),
            tables: Tables::new(me.address(), 0),
            me,
            rng: Rng::from_seed([0x5e; 32]),
            now: Instant::from_millis(1_000_000),
            unix: UnixMillis(1),
            stored: BTreeMap::new(),
        }
    }

    /// Calls the controller; returns what it sent, and keeps what it stored.
    pub(crate) fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Controller, &mut Ctx<'_>) -> T,
    ) -> (T, Vec<Sent>) {
        let mut out = Outbox::default();
        let mut ctx = Ctx {
            now: self.now,
            unix: self.unix,
            rng: &mut self.rng,
            me: &self.me,
            is_full: false,
            tables: &mut self.tables,
            out: &mut out,
        };
        let result = call(&mut self.controller, &mut ctx);
        for event in out.events {
            match event {
                Event::Store { key, value: Some(json) } => {
                    self.stored.insert(key, serde_json::from_slice(&json).unwrap());
                }
                Event::Store { key, value: None } => drop(self.stored.remove(&key)),
                other => panic!("said {other:?}"),
            }
        }
        let packets = out.packets.into_iter();
        let sent =
            packets.map(|packet| Sent { to: packet.to, verb: packet.verb, body: packet.body });
        (result, sent.collect())
    }

    pub(crate) fn load_network(&mut self, record: &Value) -> Vec<Sent> {
        let network = text(record, "id").parse().unwrap();
        let json = record.to_string().into_bytes();
        let (result, sent) =
            self.call(|controller, ctx| controller.load_network(ctx, network, &json));
        result.unwrap();
        sent
    }

    pub(crate) fn load_member(&mut self, record: &Value) -> Vec<Sent> {
        let network = text(record, "nwid").parse().unwrap();
        let member = text(record, "id").parse().unwrap();
        let json = record.to_string().into_bytes();
        let (result, sent) =
            self.call(|controller, ctx| controller.load_member(ctx, network, member, &json));
        result.unwrap();
        sent
    }

    /// Has a NETWORK_CONFIG_REQUEST arrive.
    pub(crate) fn receive(
        &mut self,
        from: Identity,
        packet_id: u64,
        body: &[u8],
    ) -> (Result<(), Rejected>, Vec<Sent>) {
        let path = Path::from_all("192.0.2.1:9993".parse().unwrap());
        let verb = Verb::NetworkConfigRequest;
        let rx = Received { from: from.address(), path, hops: 0, verb, packet_id, body };
        self.call(|controller, ctx| controller.handle_request(ctx, &Only(from), &rx))
    }

    /// Returns the dictionary that `chunks` add up to, each of them signed.
    pub(crate) fn assemble<'a>(&self, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut dictionary = Vec::new();
        let mut total = 0;
        for bytes in chunks {
            let chunk = Chunk::read(bytes, 0).unwrap();
            let signed = chunk.signed.unwrap();
            assert!(self.me.public().verify(&[signed.message], signed.signature));
            assert!(!chunk.fast_propagate && chunk.update_id != 0);
            assert_eq!(chunk.index as usize, dictionary.len());
            dictionary.extend_from_slice(chunk.data);
            total = chunk.total_len as usize;
        }
        assert_eq!(dictionary.len(), total);
        dictionary
    }

    pub(crate) fn load_record(&mut self, record: &NetworkRecord) -> Vec<Sent> {
        self.load_network(&serde_json::from_slice(&record.to_json()).unwrap())
    }

    pub(crate) fn verify(&self, revocation: &Revocation) {
        revocation.verify(&Only(*self.me.public())).unwrap();
    }

    pub(crate) fn stored(&self, network: NetworkId, member: Address) -> Option<&Value> {
        self.stored.get(&StoreKey::ControllerMember(network, member))
    }
}

/// Where we differ from the reference on purpose: which value of which request, and what it is here.
struct Difference {
    case: &'static str,
    request: usize,
    pointer: &'static str,
    ours: fn() -> Value,
}

const LAST_ADDRESS: &str =
    "v4: three-address pool, last address of the range is never reached; third member gets none";
const SECOND_POOL: &str = "v4: second pool when the first is full";
const FIRST_ROUTE: &str = "v4: prefix length comes from the first matching route";
const LAST_ROUTE: &str = "v6: prefix length comes from the last matching route";
const TRACE_LEVEL: &str = "member trace target overrides; member level is always zero";
const DNS_SLOTS: &str = "dns: at most four servers, bad entries become nil slots";
const PUSH: &str = "push (no packet id) to a member on record does not touch version fields";

/// Why those differences are there; spec 04 §14.2 asks for all but the last.
const REASONS: &[(&str, &str)] = &[
    (LAST_ADDRESS, "the last address of a pool is given, after all others"),
    (SECOND_POOL, "the last address of a pool is given before the next pool is used"),
    (FIRST_ROUTE, "the prefix length is that of the most specific route, now and for ever"),
    (LAST_ROUTE, "the prefix length is that of the most specific route, now and for ever"),
    (TRACE_LEVEL, "a member's trace level is not reset"),
    (DNS_SLOTS, "the slot that is empty is the last one, which members cannot tell"),
];

const DIFFERENCES: &[Difference] = &[
    Difference {
        case: LAST_ADDRESS,
        request: 2,
        pointer: "/replies/0/static_ips",
        ours: || json!(["10.1.0.3/24"]),
    },
    Difference {
        case: LAST_ADDRESS,
        request: 2,
        pointer: "/member_after/ipAssignments",
        ours: || json!(["10.1.0.3"]),
    },
    Difference {
        case: SECOND_POOL,
        request: 1,
        pointer: "/replies/0/static_ips",
        ours: || json!(["10.1.0.2/24"]),
    },
    Difference {
        case: SECOND_POOL,
        request: 1,
        pointer: "/member_after/ipAssignments",
        ours: || json!(["10.1.0.2"]),
    },
    Difference {
        case: FIRST_ROUTE,
        request: 0,
        pointer: "/replies/0/static_ips",
        ours: || json!(["10.1.0.2/24"]),
    },
    Difference {
        case: LAST_ROUTE,
        request: 0,
        pointer: "/replies/0/static_ips",
        ours: || json!(["fd00:1::11:2233:4455/64"]),
    },
    Difference {
        case: TRACE_LEVEL,
        request: 0,
        pointer: "/replies/0/dictionary_decoded/tl",
        ours: || json!("0000000000000007"),
    },
    Difference {
        case: TRACE_LEVEL,
        request: 0,
        pointer: "/member_after/remoteTraceLevel",
        ours: || json!(7),
    },
    Difference {
        case: DNS_SLOTS,
        request: 0,
        pointer: "/replies/0/dictionary_decoded/DNS/hex",
        ours: || {
            let domain = "6c616e2e6578616d706c65";
            let servers = "040a000001000006fd0000000000000000000000000000010000040a000002000000";
            json!(format!("{domain:0<256}{servers}"))
        },
    },
];

/// controller_cases.json
pub(crate) fn run(file: &Value, report: &mut Report) {
    let identity = text(file, "controller_identity");
    for case in cases(file) {
        let label = text(case, "label");
        let reason = REASONS.iter().find(|(case, _)| *case == label).map(|(_, reason)| *reason);
        match reason {
            Some(reason) => report.stricter(label, reason, || decide(identity, case)),
            None if label == PUSH => {
                report.not_run(label, "nobody is pushed a configuration who never asked for one");
            }
            None => report.case(label, || decide(identity, case)),
        }
    }
}

/// Makes the requests of a case and compares replies and records.
fn decide(identity: &str, case: &Value) {
    let mut office = Office::new(identity);
    office.load_network(&case["network"]);
    let members = case["members_before"].as_array().into_iter().flatten();
    for member in members {
        assert!(office.load_member(member).is_empty());
    }

    for (index, request) in list(case, "requests").iter().enumerate() {
        let mut expected = request.clone();
        let label = text(case, "label");
        let differences = DIFFERENCES.iter();
        for difference in differences.filter(|it| it.case == label && it.request == index) {
            *expected.pointer_mut(difference.pointer).unwrap() = (difference.ours)();
        }
        ask(&mut office, &case["network"], &expected, request);
    }
}

/// Makes one request. `expected` is what the reference did, `request`, but for our differences.
fn ask(office: &mut Office, network: &Value, expected: &Value, request: &Value) {
    let identity: Identity = text(request, "identity").parse().unwrap();
    let network: NetworkId = text(network, "id").parse().unwrap();
    let [reply] = list(expected, "replies") else { panic!("more than one reply") };
    let after = &expected["member_after"];
    let created = number(after, "creationTime");
    office.unix = UnixMillis(reply["timestamp"].as_u64().unwrap_or(office.unix.0.max(created)));
    office.now = office.now + Duration::from_secs(2);

    let (result, sent) = office.receive(identity, 77, &request_body(network, &request["meta"]));
    assert_eq!(result, Ok(()));
    assert!(sent.iter().all(|packet| packet.to == identity.address()));
    match text(reply, "kind") {
        "config" => {
            let is_as_given = expected["replies"] == request["replies"];
            compare_config(office, &sent, reply, is_as_given);
        }
        "error" => compare_error(&sent, network, reply),
        other => panic!("a reply of kind {other}"),
    }
    assert_eq!(office.stored(network, identity.address()), Some(after));
}

fn request_body(network: NetworkId, meta: &Value) -> Vec<u8> {
    let mut metadata = DictionaryWriter::default();
    for (key, value) in meta.as_object().unwrap() {
        metadata.text(key, value.as_str().unwrap());
    }
    let metadata = metadata.finish();
    Request { network, metadata: &metadata, revision: 0, timestamp: 0 }.write()
}

/// Compares a configuration. Signatures are deterministic, so nothing but the update ID differs;
/// unless something differs on purpose (`!is_as_given`), then what depends on it is left out.
fn compare_config(office: &Office, sent: &[Sent], reply: &Value, is_as_given: bool) {
    let chunks = sent.iter().map(|packet| {
        assert_eq!(packet.verb, Verb::Ok);
        let (in_reply_to, chunk) = reply::read_ok(&packet.body).unwrap();
        assert_eq!(
            (in_reply_to.verb, in_reply_to.packet_id),
            (Some(Verb::NetworkConfigRequest), 77)
        );
        chunk
    });
    let bytes = office.assemble(chunks);
    let config = NetworkConfig::from_dictionary(&bytes).unwrap();

    let addresses: Vec<String> =
        config.addresses.iter().map(|(ip, bits)| format!("{ip}/{bits}")).collect();
    assert_eq!(json!(addresses), reply["static_ips"]);
    let tags: Vec<_> = config.tags.iter().map(|tag| (tag.id, tag.value)).collect();
    assert_eq!(json!(tags), reply["tags"]);

    let depend_on_addresses = ["I", "COO"];
    let ours = Dictionary::new(&bytes);
    for (key, value) in reply["dictionary_decoded"].as_object().unwrap() {
        if value.get("hex_omitted_length").is_some() {
            let len = number(value, "hex_omitted_length") as usize;
            assert_eq!(ours.bytes(key).unwrap().len(), len, "{key}");
        } else if is_as_given || !depend_on_addresses.contains(&key.as_str()) {
            assert_eq!(ours.bytes(key), Some(dictionary_value(value)), "{key}");
        }
    }
    if is_as_given {
        assert_eq!(keys(&bytes), reply["dictionary_decoded"].as_object().unwrap().len());
    }
    for ownership in &config.ownerships {
        ownership.verify(&Only(*office.me.public())).unwrap();
    }
}

/// Returns how many keys a dictionary has.
fn keys(dictionary: &[u8]) -> usize {
    dictionary.split(|&byte| byte == b'\n').count()
}

/// Returns the bytes of a value, given as text or, if it is binary, as hexadecimal digits.
fn dictionary_value(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        binary => bytes(binary, "hex"),
    }
}

fn compare_error(sent: &[Sent], network: NetworkId, reply: &Value) {
    let [packet] = sent else { panic!("sent {sent:?}") };
    assert_eq!(packet.verb, Verb::Error);
    let (in_reply_to, code, rest) = reply::read_error(&packet.body).unwrap();
    assert_eq!((in_reply_to.verb, in_reply_to.packet_id), (Some(Verb::NetworkConfigRequest), 77));
    let expected = match text(reply, "code_name") {
        "ACCESS_DENIED" => ErrorCode::NetworkAccessDenied,
        "AUTHENTICATION_REQUIRED" => ErrorCode::NetworkAuthenticationRequired,
        other => panic!("an error {other}"),
    };
    assert_eq!(code, Some(expected));

    let mut body = network.to_bytes().to_vec();
    if has(reply, "data") {
        let data = bytes(reply, "data");
        body.extend((data.len() as u16).to_be_bytes());
        body.extend(data);
    }
    assert_eq!(rest, body);
}
