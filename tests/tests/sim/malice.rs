//! What a hostile controller and a hostile member can do to a member: nothing that costs it much,
//! and nothing it does not count.

use zt_protocol::address::{Address, NetworkId};
use zt_protocol::credential::capability::Custody;
use zt_protocol::credential::ownership::Thing;
use zt_protocol::credential::revocation::CredentialKind;
use zt_protocol::credential::{Capability, Membership, Ownership, Revocation, Tag};
use zt_protocol::dictionary::DictionaryWriter;
use zt_protocol::error::Rejected;
use zt_protocol::event::{NetworkStatus, Standing};
use zt_protocol::identity::SecretIdentity;
use zt_protocol::limits::{
    CONFIG_ADDRESSES_MAX, CONFIG_CHUNKS_MAX, CONFIG_LEN_MAX, CONFIG_ROUTES_MAX, CONFIG_SLOTS,
};
use zt_protocol::rules::Rule;
use zt_protocol::time::UnixMillis;
use zt_protocol::verb::Verb;
use zt_protocol::wire::credentials::Credentials;
use zt_tests::memory;
use zt_tests::sim::durations::{millis, secs};

use super::scene::Scene;

/// As much as fits a packet.
const CHUNK: usize = 9_700;

/// Some time within the window of whatever the controller issues in a story.
const NOW: UnixMillis = UnixMillis(1_700_000_010_000);

/// How many bytes a node may allocate for each byte of a packet, and besides. Opening a packet,
/// copying it and reading values from it takes a few times its length.
const BYTES_PER_BYTE: usize = 64;
const BYTES_BESIDES: usize = 1 << 20;

impl Scene {
    fn status(&self) -> NetworkStatus {
        self.world.node(self.alice).networks().remove(0)
    }

    fn dropped(&self, reason: Rejected) -> u64 {
        self.world.dropped(self.alice, reason)
    }

    /// Has the controller tell alice `dictionary` in chunks; returns how many bytes were allocated.
    fn configure(&mut self, update: u64, dictionary: &[u8]) -> usize {
        let total = u32::try_from(dictionary.len()).unwrap();
        let before = memory::taken();
        for (index, data) in dictionary.chunks(CHUNK).enumerate() {
            self.chunk(update, total, u32::try_from(index * CHUNK).unwrap(), data);
        }
        memory::taken() - before
    }

    /// Has the controller send alice a chunk it has signed.
    fn chunk(&mut self, update: u64, total: u32, index: u32, data: &[u8]) {
        let mut chunk = self.network.0.to_be_bytes().to_vec();
        chunk.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        chunk.extend(data);
        chunk.push(0);
        chunk.extend(update.to_be_bytes());
        chunk.extend(total.to_be_bytes());
        chunk.extend(index.to_be_bytes());
        let signature = self.world.identity_of(self.controller).sign(&[&chunk]);
        chunk.extend([1, 0, 96]);
        chunk.extend(signature);
        self.world.say(self.controller, self.alice, Verb::NetworkConfig, &chunk);
    }

    /// The start of a dictionary for alice.
    fn dictionary(&self) -> DictionaryWriter {
        let mut dictionary = DictionaryWriter::default();
        dictionary.hex("v", 7).hex("nwid", self.network.0);
        dictionary.text("id", &self.world.address_of(self.alice).to_string());
        dictionary.hex("ts", NOW.0).hex("t", 1).hex("ctmd", 1_800_000);
        dictionary
    }

    /// Has bob show alice credentials.
    fn show(&mut self, body: &[u8]) {
        self.world.say(self.bob, self.alice, Verb::NetworkCredentials, body);
        self.world.run_for(millis(1_100));
    }

    fn signer(&self) -> SecretIdentity {
        self.world.identity_of(self.controller)
    }

    /// One credential of each kind of bob's, signed by `signer`.
    fn credentials(&self, signer: &SecretIdentity) -> [Credentials; 5] {
        let (network, bob) = (self.network, self.world.identity_of(self.bob));
        let to = bob.address();
        let things = vec![Thing::Ip([10, 0, 0, 1].into())];
        let about = (CredentialKind::Tag, 9);
        [
            Credentials {
                memberships: vec![Membership::issue(signer, network, bob.public(), NOW, 1)],
                ..Credentials::default()
            },
            Credentials {
                capabilities: vec![Capability::issue(
                    signer,
                    network,
                    to,
                    NOW,
                    1,
                    vec![Rule::accept()],
                )],
                ..Credentials::default()
            },
            Credentials {
                tags: vec![Tag::issue(signer, network, to, NOW, 1, 1)],
                ..Credentials::default()
            },
            Credentials {
                revocations: vec![Revocation::issue(signer, network, to, about, 1, 1)],
                ..Credentials::default()
            },
            Credentials {
                ownerships: vec![Ownership::issue(signer, network, to, NOW, 1, things)],
                ..Credentials::default()
            },
        ]
    }
}

/// Two members who know each other and have nothing more to say.
fn calm(seed: u64) -> Scene {
    let mut scene = Scene::public(seed);
    scene.await_ping();
    scene.world.run_for(secs(2));
    scene
}

#[test]
fn truncated_credentials_of_each_kind_are_malformed() {
    let mut scene = calm(720);
    let mut cut = 0;
    let before = scene.dropped(Rejected::Malformed);

    for credentials in scene.credentials(&scene.signer()) {
        let body = credentials.write().remove(0);
        // All of them end within the credential: the last sections are empty and two bytes each.
        for len in [2, body.len() / 3, body.len() / 2, body.len() - 10] {
            scene.show(&body[..len]);
            cut += 1;
        }
    }

    assert_eq!(scene.dropped(Rejected::Malformed) - before, cut);
    assert_eq!(scene.count_pings(5), 5);
}

#[test]
fn credentials_by_anybody_but_the_controller_are_refused() {
    let mut scene = calm(721);

    let forged = scene.credentials(&scene.world.identity_of(scene.bob));
    for (count, credentials) in (1..).zip(forged) {
        scene.show(&credentials.write()[0]);
        assert_eq!(scene.dropped(Rejected::WrongSigner), count, "{credentials:?}");
    }

    let mut altered = scene.credentials(&scene.signer());
    altered[1].capabilities[0].id ^= 1;
    altered[2].tags[0].value ^= 1;
    altered[3].revocations[0].threshold ^= 4;
    altered[4].ownerships[0].id ^= 1;
    for (count, credentials) in (1..).zip(&altered[1..]) {
        scene.show(&credentials.write()[0]);
        assert_eq!(scene.dropped(Rejected::BadSignature), count, "{credentials:?}");
    }
}

/// Hands `capability` on.
fn hand_on(capability: &mut Capability, from: &SecretIdentity, to: Address) {
    let mut body = Vec::new();
    Capability { custody: Vec::new(), ..capability.clone() }.write(&mut body);
    // Without the end of the chain and the length of what follows.
    body.truncate(body.len() - 7);
    let mark = [0x7f; 8];
    let signature = Some(from.sign(&[&mark, &body, &[0, 0], &mark]));
    capability.custody.push(Custody { to, from: from.address(), signature });
}

#[test]
fn chains_of_custody_that_loop_or_break_are_refused() {
    let mut scene = calm(722);
    let [controller, alice, bob] =
        [scene.controller, scene.alice, scene.bob].map(|node| scene.world.identity_of(node));
    let rules = vec![Rule::accept()];
    let capability = |handovers: &[(&SecretIdentity, &SecretIdentity)]| {
        let (network, to) = (scene.network, bob.address());
        let mut made = Capability::issue(&controller, network, to, NOW, 1, rules.clone());
        made.custody.clear();
        made.max_custody = 7;
        for (from, to) in handovers {
            hand_on(&mut made, from, to.address());
        }
        Credentials { capabilities: vec![made], ..Credentials::default() }.write().remove(0)
    };
    let first = (&controller, &bob);
    let broken = [
        capability(&[first, (&bob, &bob)]),
        capability(&[first, (&bob, &alice), (&alice, &bob)]),
        capability(&[first, (&alice, &bob)]),
        capability(&[]),
    ];
    let mut too_long = capability(&[first]);
    let sound = [capability(&[first]), capability(&[(&controller, &alice), (&alice, &bob)])];

    for (count, body) in (1..).zip(broken) {
        scene.show(&body);
        assert_eq!(scene.dropped(Rejected::BrokenCustody), count);
    }
    // The longest chain is said in the byte before the first handover.
    let at = too_long.windows(5).position(|five| five == bob.address().to_bytes()).unwrap() - 1;
    for most in [0, 8, 255] {
        too_long[at] = most;
        let before = scene.dropped(Rejected::Malformed);
        scene.show(&too_long);
        assert_eq!(scene.dropped(Rejected::Malformed), before + 1, "{most}");
    }
    let refused = [Rejected::BrokenCustody, Rejected::BadSignature, Rejected::Malformed];
    let before = refused.map(|reason| scene.dropped(reason));
    for body in sound {
        scene.show(&body);
    }
    assert_eq!(refused.map(|reason| scene.dropped(reason)), before);
}

/// Ten thousand of everything there may be a few of.
#[test]
fn lists_of_a_configuration_are_cut_to_what_is_allowed() {
    let many = 10_000;
    let route = [4, 10, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0];
    let address = [4, 10, 1, 0, 1, 0, 24];
    let mut scene = Scene::public(723);
    let tag = {
        let (signer, to) = (scene.signer(), scene.world.address_of(scene.alice));
        let mut bytes = Vec::new();
        Tag::issue(&signer, scene.network, to, NOW, 1, 1).write(&mut bytes);
        bytes
    };

    for (number, (key, value)) in [
        ("RT", route.repeat(many)),
        ("I", address.repeat(many)),
        ("S", [0, 0, 2, 1, 2, 3, 4, 5].repeat(many)),
        ("R", [1, 0].repeat(many)),
        ("TAG", tag.repeat(2_000)),
    ]
    .into_iter()
    .enumerate()
    {
        let mut dictionary = scene.dictionary();
        dictionary.hex("r", 100 + number as u64).bytes(key, &value);
        let dictionary = dictionary.finish();
        let taken = scene.configure(1_000 + number as u64, &dictionary);

        let status = scene.status();
        assert_eq!(status.standing, Standing::Ok);
        assert_eq!(status.routes.len(), if key == "RT" { CONFIG_ROUTES_MAX } else { 0 });
        assert_eq!(status.addresses.len(), if key == "I" { CONFIG_ADDRESSES_MAX } else { 0 });
        assert!(taken < BYTES_PER_BYTE * dictionary.len() + BYTES_BESIDES, "{key}: {taken}");
    }
    // Were it not for the limits, the next announcement would be of ten thousand groups.
    scene.world.run_for(secs(120));
}

#[test]
fn configurations_are_at_most_as_long_as_the_reference_takes_them() {
    let mut scene = Scene::public(724);
    let filled = |scene: &Scene, len: usize| {
        let mut dictionary = scene.dictionary();
        dictionary.text("n", "as long as may be");
        let mut dictionary = dictionary.finish();
        dictionary.extend(b"\nfiller=");
        dictionary.resize(len, b'x');
        dictionary
    };
    let longest = filled(&scene, CONFIG_LEN_MAX - 1);
    let too_long = filled(&scene, CONFIG_LEN_MAX);
    let before = scene.dropped(Rejected::TooLong);

    scene.configure(1, &too_long);
    assert_eq!(scene.dropped(Rejected::TooLong) - before, too_long.chunks(CHUNK).count() as u64);
    assert_ne!(scene.status().name, "as long as may be");

    let taken = scene.configure(2, &longest);
    assert_eq!(scene.status().name, "as long as may be");
    assert!(taken < BYTES_PER_BYTE * longest.len() + BYTES_BESIDES, "{taken}");
}

/// The first of several values counts, whatever the others are.
#[test]
fn a_key_that_is_repeated_ten_thousand_times_has_its_first_value() {
    let mut scene = Scene::public(725);
    let mut dictionary = scene.dictionary();
    dictionary.text("n", "first");
    for _ in 0..10_000 {
        dictionary.text("n", "another").hex("nwid", 1);
    }
    let dictionary = dictionary.finish();

    let taken = scene.configure(1, &dictionary);

    assert_eq!(scene.status().name, "first");
    assert!(taken < BYTES_PER_BYTE * dictionary.len() + BYTES_BESIDES, "{taken}");
}

/// Totals that are not the chunks' sum, that change, and that end before a chunk does; chunks that
/// overlap; more chunks than there may be. None of it makes a configuration, or room for more.
#[test]
fn chunks_that_lie_come_to_nothing() {
    let mut scene = calm(726);
    let dictionary = scene.dictionary().text("n", "lie").clone().finish();
    let len = dictionary.len() as u32;
    let (name, held) = (scene.status().name, memory::held());

    // More is promised than comes, again and again.
    for update in 1..=100 {
        scene.chunk(update, CONFIG_LEN_MAX as u32 - 1, 0, &dictionary);
    }
    let waiting = memory::held() - held;
    assert!(waiting < (CONFIG_SLOTS * CONFIG_LEN_MAX + BYTES_BESIDES).cast_signed(), "{waiting}");
    // The total changes under way, and chunks overlap: the sum is right and the text is not.
    let malformed = scene.dropped(Rejected::Malformed);
    scene.chunk(200, len, 0, &dictionary[..40]);
    scene.chunk(200, len + 50, len, &[b'x'; 50]);
    scene.chunk(201, len, 20, &dictionary[20..]);
    scene.chunk(201, len, 30, &dictionary[30..50]);
    // A chunk ends behind the end.
    scene.chunk(202, len, 1, &dictionary);
    scene.chunk(203, 10, u32::MAX, b"wrapped");
    assert!(scene.dropped(Rejected::Malformed) >= malformed + 4);
    // Ten thousand chunks of one byte.
    let full = scene.dropped(Rejected::Full);
    for index in 0..10_000 {
        scene.chunk(204, 20_000, index, b"x");
    }
    let refused = scene.dropped(Rejected::Full) - full;
    assert_eq!(refused, 10_000 - CONFIG_CHUNKS_MAX as u64);

    assert_eq!(scene.status().name, name);
    assert_eq!(scene.count_pings(5), 5);
}

/// Nothing a member says of others, of networks that are none and of groups that are too many
/// makes a node remember without bound.
#[test]
fn a_member_that_says_much_is_not_remembered_for_all_of_it() {
    let mut scene = calm(727);
    let held = memory::held();

    for round in 0..200_u32 {
        let mut likes = Vec::new();
        for n in 0..500_u32 {
            likes.extend(scene.network.0.to_be_bytes());
            likes.extend([0x01, 0, 0x5e, 0, 0, 1]);
            likes.extend((round * 500 + n).to_be_bytes());
        }
        scene.world.say(scene.bob, scene.alice, Verb::MulticastLike, &likes);
    }
    for n in 0..2_000 {
        let network = NetworkId(scene.network.0 ^ n);
        let mut gather = network.0.to_be_bytes().to_vec();
        gather.extend([0, 0x01, 0, 0x5e, 0, 0, 1, 0, 0, 0, n as u8, 0xff, 0xff, 0xff, 0xff]);
        scene.world.say(scene.bob, scene.alice, Verb::MulticastGather, &gather);
    }

    let grown = memory::held() - held;
    assert!(scene.dropped(Rejected::Full) > 0);
    assert!(grown < 2 << 20, "{grown}");
    assert_eq!(scene.count_pings(5), 5);
}
