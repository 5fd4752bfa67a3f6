use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::credential::Revocation;
use crate::endpoint::Path;
use crate::event::{Event, StoreKey};
use crate::fastpath::tables::Tables;
use crate::identity::{Identity, SecretIdentity};
use crate::limits::CONTROLLER_UNAUTHORIZED_MAX;
use crate::outbox::Outbox;
// Both of these globs have one.
use crate::rng::Rng;
use crate::rules::Rule;
use crate::time::UnixMillis;
use crate::wire::credentials::Credentials;
use crate::wire::cursor::Reader;
use crate::wire::netconf::Chunk;

/// The throwaway key of controller_cases.json.
const ME: &str = "0e18de4792:0:ee3e982a7041ff9655b0d445a5a2ce2e6dbadfab1d40129a58bc40ce45e45e40cd75410f77c7b9c23e16569b0a9484cb7a27c3cf3253afa48ed87b8e7d3739c3:ea968b1ffbbb3c0b46ff0c7f1fd7bc6b7f0db0a4b7c053105c12a669568a6949bda3ea1357e13c0d493539e05009d4eb4781a059632692bf365855c096754664";
const NETWORK: NetworkId = NetworkId(0x0e18_de47_9200_0001);
const ALICE: Address = Address::from_u64(0x01_0000_00a1);
const BOB: Address = Address::from_u64(0x01_0000_00b0);
const PACKET_ID: u64 = 0x1122_3344_5566_7788;

/// A controller that controls one network, and whoever asks it.
struct World {
    controller: Controller,
    me: SecretIdentity,
    rng: Rng,
    tables: Tables,
    now: Instant,
    unix: UnixMillis,
}

/// What the controller did in one call.
#[derive(Debug, Default, PartialEq)]
struct Said {
    /// What it sent, in order.
    sent: Vec<(Address, Sent)>,
    /// What it stored.
    stored: Vec<(StoreKey, Option<Value>)>,
}

#[derive(Debug, PartialEq)]
enum Sent {
    /// A configuration in reply to a packet or, if `None`, unasked.
    Config(Option<u64>, Box<NetworkConfig>),
    /// An ERROR about a network, in reply to a packet.
    Refusal(NetworkId, u64, ErrorCode),
    /// Whose certificates no longer count.
    Revocations(Vec<Address>),
}

/// Knows these identities.
struct Known(BTreeMap<Address, Identity>);

impl Directory for Known {
    fn identity(&self, address: Address) -> Option<&Identity> {
        self.0.get(&address)
    }
}

fn identity(address: Address) -> Identity {
    Identity::from_parts(address, [0x11; 64])
}

impl World {
    fn empty() -> Self {
        let me = SecretIdentity::from_text(ME).unwrap();
        let tables = Tables::new(me.address(), 0);
        Self {
            controller: Controller::new(),
            me,
            rng: Rng::from_seed([7; 32]),
            tables,
            now: Instant::from_millis(1_000_000),
            unix: UnixMillis(1_800_000_000_000),
        }
    }

    fn with(change: impl FnOnce(&mut NetworkRecord)) -> Self {
        let mut world = Self::empty();
        let mut record = NetworkRecord::new(NETWORK, world.unix);
        change(&mut record);
        assert_eq!(world.load_network(&record), Said::default());
        world
    }

    fn public() -> Self {
        Self::with(|network| network.private = false)
    }

    fn private() -> Self {
        Self::with(|_| {})
    }

    fn pass(&mut self, millis: u64) {
        let duration = core::time::Duration::from_millis(millis);
        self.now = self.now + duration;
        self.unix = self.unix + duration;
    }

    /// Calls the controller and reads what it says.
    fn call<T>(&mut self, call: impl FnOnce(&mut Controller, &mut Ctx<'_>) -> T) -> (T, Said) {
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
        let members = self.controller.networks.values().map(Hosted::len).sum::<usize>();
        assert_eq!(self.controller.members, members);
        (result, self.read(out))
    }

    fn read(&self, out: Outbox) -> Said {
        let sent = out.packets.iter().map(|packet| {
            let body = &packet.body[..];
            let sent = match packet.verb {
                Verb::Ok => {
                    let (in_reply_to, chunk) = reply::read_ok(body).unwrap();
                    assert_eq!(in_reply_to.verb, Some(Verb::NetworkConfigRequest));
                    Sent::Config(Some(in_reply_to.packet_id), self.read_config(chunk))
                }
                Verb::NetworkConfig => Sent::Config(None, self.read_config(body)),
                Verb::Error => {
                    let (in_reply_to, code, rest) = reply::read_error(body).unwrap();
                    let network = Reader::new("network", rest).network().unwrap();
                    Sent::Refusal(network, in_reply_to.packet_id, code.unwrap())
                }
                Verb::NetworkCredentials => Sent::Revocations(self.read_revocations(body)),
                other => panic!("sent {other:?}"),
            };
            (packet.to, sent)
        });
        let sent = sent.collect();
        let stored = out.events.into_iter().map(|event| match event {
            Event::Store { key, value } => {
                (key, value.map(|json| serde_json::from_slice(&json).unwrap()))
            }
            other => panic!("said {other:?}"),
        });
        Said { sent, stored: stored.collect() }
    }

    fn read_config(&self, chunk: &[u8]) -> Box<NetworkConfig> {
        let chunk = Chunk::read(chunk, 0).unwrap();
        let signed = chunk.signed.unwrap();
        assert!(self.me.public().verify(&[signed.message], signed.signature));
        assert_ne!(chunk.update_id, 0);
        Box::new(NetworkConfig::from_dictionary(chunk.data).unwrap())
    }

    fn read_revocations(&self, body: &[u8]) -> Vec<Address> {
        let (credentials, whole) = Credentials::read(body);
        whole.unwrap();
        let revocations = credentials.revocations.clone();
        assert_eq!(credentials, Credentials { revocations, ..Credentials::default() });
        let directory = Known([(self.me.address(), *self.me.public())].into());
        let targets = credentials.revocations.iter().map(|revocation| {
            revocation.verify(&directory).unwrap();
            assert_eq!(revocation.flags, Revocation::FAST_PROPAGATE);
            revocation.target
        });
        targets.collect()
    }

    fn load_network(&mut self, record: &NetworkRecord) -> Said {
        let json = record.to_json();
        let (result, said) =
            self.call(|controller, ctx| controller.load_network(ctx, record.id(), &json));
        result.unwrap();
        said
    }

    fn load_member(&mut self, record: &MemberRecord) -> Said {
        let (network, member, json) = (record.network(), record.address(), record.to_json());
        let (result, said) =
            self.call(|controller, ctx| controller.load_member(ctx, network, member, &json));
        result.unwrap();
        said
    }

    /// Changes a record as an operator does who edits the file.
    fn edit(&mut self, member: Address, edit: impl FnOnce(&mut MemberRecord)) -> Said {
        let mut record = self.record(member).unwrap();
        edit(&mut record);
        self.load_member(&record)
    }

    fn edit_network(&mut self, edit: impl FnOnce(&mut NetworkRecord)) -> Said {
        let mut record = self.controller.networks[&NETWORK].record().clone();
        edit(&mut record);
        self.load_network(&record)
    }

    /// Lets time pass until nothing waits to be sent.
    fn settle(&mut self) {
        while let Some((at, _)) = self.controller.poll_timeout() {
            self.now = self.now.max(at);
            self.call(Controller::handle_timeout);
        }
    }

    fn record(&self, member: Address) -> Option<MemberRecord> {
        self.controller.networks[&NETWORK].member(member).cloned()
    }

    /// Has `body` arrive from `from`, whose identity is `identity`.
    fn receive(
        &mut self,
        from: Address,
        identity: Option<Identity>,
        body: &[u8],
    ) -> (Result<(), Rejected>, Said) {
        let directory = Known(identity.map(|identity| (from, identity)).into_iter().collect());
        let path = Path::from_all("192.0.2.1:9993".parse().unwrap());
        let verb = Verb::NetworkConfigRequest;
        let rx = Received { from, path, hops: 0, verb, packet_id: PACKET_ID, body };
        self.call(|controller, ctx| controller.handle_request(ctx, &directory, &rx))
    }

    fn try_ask(&mut self, member: Address) -> (Result<(), Rejected>, Said) {
        self.receive(member, Some(identity(member)), &request(NETWORK))
    }

    fn ask(&mut self, member: Address) -> Said {
        let (result, said) = self.try_ask(member);
        result.unwrap();
        said
    }
}

fn request(network: NetworkId) -> Vec<u8> {
    let mut metadata = DictionaryWriter::default();
    metadata.hex("v", 7).hex("revr", 1).hex("majv", 1).hex("minv", 14).hex("revv", 2).hex("pv", 12);
    let metadata = metadata.finish();
    Request { network, metadata: &metadata, revision: 0, timestamp: 0 }.write()
}

impl Said {
    /// Returns the configuration that is all that was sent.
    #[track_caller]
    fn config(&self, to: Address, in_reply_to: Option<u64>) -> &NetworkConfig {
        match self.sent.as_slice() {
            [(member, Sent::Config(packet_id, config))]
                if (*member, *packet_id) == (to, in_reply_to) =>
            {
                config
            }
            other => panic!("sent {other:?}"),
        }
    }

    fn is_refusal(&self, to: Address, code: ErrorCode) -> bool {
        self.sent == [(to, Sent::Refusal(NETWORK, PACKET_ID, code))]
    }

    /// Returns to whom configurations were sent.
    fn recipients(&self) -> Vec<Address> {
        self.sent.iter().map(|(to, _)| *to).collect()
    }
}

#[test]
fn whoever_asks_is_let_onto_a_public_network_and_stored() {
    let mut world = World::public();

    let said = world.ask(ALICE);

    let config = said.config(ALICE, Some(PACKET_ID));
    assert_eq!((config.network, config.issued_to), (NETWORK, ALICE));
    assert_eq!((config.timestamp, config.public), (world.unix, true));
    let [(key, Some(record))] = &said.stored[..] else { panic!("stored {:?}", said.stored) };
    assert_eq!(*key, StoreKey::ControllerMember(NETWORK, ALICE));
    assert_eq!(record["authorized"], json!(true));
    assert_eq!(record["lastAuthorizedCredentialType"], json!("public"));
    assert_eq!(record["identity"], json!(identity(ALICE).to_string()));
    assert_eq!(record["revision"], json!(1));
    assert_eq!([&record["vMajor"], &record["vMinor"], &record["vRev"]], [1, 14, 2]);

    world.pass(60_000);
    assert_eq!(world.ask(ALICE).stored, [], "nothing about it changed");
}

#[test]
fn a_member_is_answered_once_a_second_and_no_stranger_keeps_it_from_that() {
    let mut world = World::public();
    world.ask(ALICE);

    world.pass(1_000);
    assert_eq!(world.try_ask(ALICE), (Err(Rejected::RateLimited), Said::default()));
    world.ask(BOB);
    world.pass(1);
    world.ask(ALICE).config(ALICE, Some(PACKET_ID));
}

#[test]
fn a_stranger_is_refused_and_stored_for_the_operator_to_see() {
    let mut world = World::private();

    let said = world.ask(ALICE);

    assert!(said.is_refusal(ALICE, ErrorCode::NetworkAccessDenied));
    let [(_, Some(record))] = &said.stored[..] else { panic!("stored {:?}", said.stored) };
    assert_eq!((&record["authorized"], &record["vMajor"]), (&json!(false), &json!(-1)));
}

#[test]
fn a_member_is_sent_its_configuration_the_moment_it_is_authorized() {
    let mut world = World::private();
    world.ask(ALICE);
    world.pass(3_000);
    let unix = world.unix;

    let said = world.edit(ALICE, |member| member.authorize(Authority::Operator, unix));

    said.config(ALICE, None);
    let record = world.record(ALICE).unwrap();
    assert_eq!(record.revision, 2);
    assert_eq!(record.client, ClientVersion::UNKNOWN, "only requests that are granted tell");
    assert!(world.controller.issued_recently(world.now, NETWORK, ALICE));
}

#[test]
fn whoever_is_no_longer_authorized_is_revoked_and_told() {
    let mut world = World::public();
    world.ask(ALICE);
    world.ask(BOB);
    world.edit_network(|network| network.private = true);
    let unix = world.unix;

    let said = world.edit(ALICE, |member| member.deauthorize(unix));

    assert_eq!(
        said.sent,
        [
            (ALICE, Sent::Revocations(vec![ALICE])),
            (BOB, Sent::Revocations(vec![ALICE])),
            (ALICE, Sent::Refusal(NETWORK, 0, ErrorCode::NetworkAccessDenied)),
        ]
    );
    world.pass(60_000);
    assert!(world.ask(ALICE).is_refusal(ALICE, ErrorCode::NetworkAccessDenied));
}

#[test]
fn a_member_removed_is_revoked_and_a_stranger_when_it_asks_again() {
    let mut world = World::private();
    world.ask(ALICE);
    let unix = world.unix;
    world.edit(ALICE, |member| member.authorize(Authority::Operator, unix));

    let (result, said) =
        world.call(|controller, ctx| controller.remove_member(ctx, NETWORK, ALICE));

    assert_eq!(result, Ok(()));
    assert_eq!(said.sent[0], (ALICE, Sent::Revocations(vec![ALICE])));
    assert_eq!(said.stored, [(StoreKey::ControllerMember(NETWORK, ALICE), None)]);
    assert!(world.ask(ALICE).is_refusal(ALICE, ErrorCode::NetworkAccessDenied));
}

#[test]
fn a_network_removed_takes_its_members_with_it() {
    let mut world = World::public();
    world.ask(ALICE);
    world.ask(BOB);

    let (result, said) = world.call(|controller, ctx| controller.remove_network(ctx, NETWORK));

    assert_eq!(result, Ok(()));
    let everybody = || Sent::Revocations(vec![ALICE, BOB]);
    assert_eq!(said.sent, [(ALICE, everybody()), (BOB, everybody())]);
    let keys: Vec<_> = said.stored.iter().map(|(key, value)| (*key, value.is_none())).collect();
    assert_eq!(
        keys,
        [
            (StoreKey::ControllerMember(NETWORK, ALICE), true),
            (StoreKey::ControllerMember(NETWORK, BOB), true),
            (StoreKey::ControllerNetwork(NETWORK), true),
        ]
    );
    assert!(world.ask(ALICE).is_refusal(ALICE, ErrorCode::ObjectNotFound));
}

#[test]
fn revocations_wait_for_each_other_since_members_take_one_packet_a_second() {
    let mut world = World::public();
    let members: Vec<Address> = (1..=70).map(Address::from_u64).collect();
    for &member in &members {
        world.ask(member);
    }
    world.edit_network(|network| network.private = true);
    world.settle();
    let unix = world.unix;

    let first = world.edit(members[0], |member| member.deauthorize(unix));
    assert_eq!(first.sent[0].1, Sent::Revocations(vec![members[0]]));
    for &member in &members[1..] {
        let said = world.edit(member, |member| member.deauthorize(unix));
        assert!(said.sent.iter().all(|(_, sent)| matches!(sent, Sent::Refusal(_, 0, _))));
    }

    for targets in [&members[1..64], &members[64..]] {
        assert_eq!(world.call(Controller::handle_timeout).1, Said::default(), "too early");
        let (at, _) = world.controller.poll_timeout().unwrap();
        assert!(at > world.now);
        world.now = at;
        let said = world.call(Controller::handle_timeout).1;
        assert_eq!(said.sent.len(), members.len());
        assert_eq!(said.sent[0].1, Sent::Revocations(targets.to_vec()));
    }
    assert_eq!(world.controller.poll_timeout(), None);
}

#[test]
fn nobody_else_takes_a_members_place_with_an_identity_of_the_same_address() {
    let mut world = World::public();
    world.ask(ALICE);
    let before = world.record(ALICE);
    world.pass(2_000);

    let impostor = Identity::from_parts(ALICE, [0x22; 64]);
    let (_, said) = world.receive(ALICE, Some(impostor), &request(NETWORK));

    assert!(said.is_refusal(ALICE, ErrorCode::NetworkAccessDenied));
    assert_eq!(said.stored, []);
    assert_eq!(world.record(ALICE), before);
}

#[test]
fn only_networks_of_this_controller_are_answered_for() {
    let mut world = World::public();
    let elsewhere = NetworkId(0x8056_c2e2_1c00_0001);
    let unknown = NetworkId::new(world.me.address(), 0xdead);
    let mut ask = |network| world.receive(ALICE, Some(identity(ALICE)), &request(network));

    assert_eq!(ask(elsewhere), (Err(Rejected::NotServed), Said::default()));

    let (result, said) = ask(unknown);
    let not_found = Sent::Refusal(unknown, PACKET_ID, ErrorCode::ObjectNotFound);
    assert_eq!((result, said.sent, said.stored), (Ok(()), vec![(ALICE, not_found)], vec![]));
}

#[test]
fn a_member_whose_identity_is_not_known_has_to_wait_for_it() {
    let mut world = World::public();

    let (result, said) = world.receive(ALICE, None, &request(NETWORK));

    assert_eq!((result, said), (Err(Rejected::UnknownSender), Said::default()));
}

#[test]
fn a_controller_joins_its_own_network_like_anybody() {
    let mut world = World::public();
    let me = world.me.address();

    let (result, said) = world.receive(me, None, &request(NETWORK));

    assert_eq!(result, Ok(()));
    assert_eq!(said.config(me, Some(PACKET_ID)).issued_to, me);
}

#[test]
fn a_record_that_says_nothing_else_changes_nothing_whatever_its_revision() {
    let mut world = World::public();
    world.ask(ALICE);

    assert_eq!(world.edit(ALICE, |member| member.revision = 9), Said::default());
    assert_eq!(world.edit_network(|network| network.revision = 9), Said::default());
    assert_eq!(world.record(ALICE).unwrap().revision, 1);
}

#[test]
fn a_change_of_the_network_reaches_all_who_are_online() {
    let mut world = World::public();
    world.ask(BOB);
    world.pass(119_000);
    world.ask(ALICE);
    world.pass(1_000);

    let said = world.edit_network(|network| network.name = "renamed".to_owned());

    let config = said.config(ALICE, None);
    assert_eq!((config.name.as_str(), config.revision), ("renamed", 1));
    assert_eq!(said.stored.len(), 1);
    assert_eq!(said.stored[0].0, StoreKey::ControllerNetwork(NETWORK));
    assert_eq!(world.controller.poll_timeout(), None);
}

#[test]
fn a_member_that_becomes_a_bridge_is_made_known_to_all_at_once() {
    let mut world = World::public();
    world.ask(BOB);
    world.ask(ALICE);

    let said = world.edit(ALICE, |member| member.active_bridge = true);

    let told: Vec<_> = said.sent.iter().map(|(member, _)| *member).collect();
    assert_eq!(told, [ALICE, BOB]);
    assert!(said.sent.iter().all(|(_, sent)| match sent {
        Sent::Config(None, config) => config.specialists.iter().any(|s| s.address == ALICE),
        _ => false,
    }));
}

#[test]
fn many_configurations_are_spread_over_time() {
    let mut world = World::public();
    let members: Vec<Address> = (1..=40).map(Address::from_u64).collect();
    for &member in &members {
        world.ask(member);
    }

    let said = world.edit_network(|network| network.name = "renamed".to_owned());
    assert_eq!(said.recipients(), members[..CONTROLLER_PUSHES_AT_ONCE]);
    assert_eq!(world.call(Controller::handle_timeout).1, Said::default(), "too early");

    world.now = world.controller.poll_timeout().unwrap().0;
    let said = world.call(Controller::handle_timeout).1;
    assert_eq!(said.recipients(), members[CONTROLLER_PUSHES_AT_ONCE..]);
    assert_eq!(world.controller.poll_timeout(), None);
}

#[test]
fn a_member_is_served_multicast_for_three_minutes_after_its_configuration() {
    let mut world = World::public();
    world.ask(ALICE);
    let served = |world: &World| world.controller.issued_recently(world.now, NETWORK, ALICE);

    assert!(served(&world));
    world.pass(179_999);
    assert!(served(&world));
    world.pass(1);
    assert!(!served(&world));
    assert!(!world.controller.issued_recently(world.now, NETWORK, BOB));
}

#[test]
fn strangers_beyond_the_limit_are_refused_and_forgotten() {
    let mut world = World::private();
    for stranger in 1..=CONTROLLER_UNAUTHORIZED_MAX {
        world.ask(Address::from_u64(stranger as u64));
    }

    let (result, said) = world.try_ask(ALICE);

    assert_eq!(result, Err(Rejected::Full));
    assert!(said.is_refusal(ALICE, ErrorCode::NetworkAccessDenied));
    assert_eq!((said.stored, world.record(ALICE)), (vec![], None));

    let mut record = MemberRecord::new(NETWORK, ALICE, world.unix);
    record.authorize(Authority::Operator, world.unix);
    world.load_member(&record);
    assert_eq!(world.ask(ALICE).config(ALICE, Some(PACKET_ID)).issued_to, ALICE);
}

#[test]
fn what_is_no_record_of_a_network_here_is_not_loaded() {
    let mut world = World::public();
    let json = NetworkRecord::new(NETWORK, world.unix).to_json();
    let elsewhere = NetworkId(0x8056_c2e2_1c00_0001);
    let other = NetworkId(NETWORK.0 + 1);
    let mut load = |network, json: &[u8]| {
        world.call(|controller, ctx| controller.load_network(ctx, network, json)).0
    };

    assert_eq!(load(elsewhere, &json), Err(CommandError::NotController(elsewhere)));
    assert_eq!(load(other, &json), Err(CommandError::Malformed("network record")));
    assert_eq!(load(NETWORK, b"[]"), Err(CommandError::Malformed("network record")));

    let member = MemberRecord::new(NETWORK, ALICE, world.unix).to_json();
    let mut load = |network, member, json: &[u8]| {
        world.call(|controller, ctx| controller.load_member(ctx, network, member, json)).0
    };
    assert_eq!(load(other, ALICE, &member), Err(CommandError::NotController(other)));
    assert_eq!(load(NETWORK, BOB, &member), Err(CommandError::Malformed("member record")));
}

#[test]
fn every_proper_prefix_of_a_request_is_refused_or_says_less() {
    let body = request(NETWORK);
    let metadata_end = body.len() - 16;
    for len in 0..metadata_end {
        let mut world = World::public();
        let (result, said) = world.receive(ALICE, Some(identity(ALICE)), &body[..len]);
        // Up to the length field, the metadata counts as empty.
        let expected = if (8..10).contains(&len) { Ok(()) } else { Err(Rejected::Malformed) };
        assert_eq!(result, expected, "{len}");
        assert_eq!(said.sent.len(), usize::from(result.is_ok()), "{len}");
    }
}

#[test]
fn a_configuration_too_long_for_a_packet_comes_in_signed_pieces() {
    let mut world = World::with(|network| {
        network.private = false;
        network.capabilities = (0..60)
            .map(|id| {
                let rules = vec![Rule::accept(); 64];
                (id, CapabilityRecord { default: true, rules })
            })
            .collect();
    });
    let mut out = Outbox::default();
    let directory = Known([(ALICE, identity(ALICE))].into());
    let path = Path::from_all("192.0.2.1:9993".parse().unwrap());
    let (verb, body) = (Verb::NetworkConfigRequest, request(NETWORK));
    let rx = Received { from: ALICE, path, hops: 0, verb, packet_id: PACKET_ID, body: &body };
    let mut ctx = Ctx {
        now: world.now,
        unix: world.unix,
        rng: &mut world.rng,
        me: &world.me,
        is_full: false,
        tables: &mut world.tables,
        out: &mut out,
    };
    world.controller.handle_request(&mut ctx, &directory, &rx).unwrap();

    let mut dictionary = Vec::new();
    for packet in &out.packets {
        assert!(packet.body.len() <= 10_024 - 28);
        let (_, chunk) = reply::read_ok(&packet.body).unwrap();
        let chunk = Chunk::read(chunk, 0).unwrap();
        let signed = chunk.signed.unwrap();
        assert!(world.me.public().verify(&[signed.message], signed.signature));
        assert_eq!(chunk.index as usize, dictionary.len());
        dictionary.extend_from_slice(chunk.data);
    }
    assert!(out.packets.len() > 1);
    let config = NetworkConfig::from_dictionary(&dictionary).unwrap();
    assert_eq!(config.capabilities.len(), 60);
}

proptest! {
    #[test]
    fn no_request_panics(body: Vec<u8>) {
        let mut world = World::public();
        let mut request = NETWORK.to_bytes().to_vec();
        request.extend(body);
        let _ = world.receive(ALICE, Some(identity(ALICE)), &request);
    }
}
