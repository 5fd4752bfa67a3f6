//! Credentials of every kind in every order, genuine and not, and what a member makes of them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::json;
use zt_protocol::address::{Mac, NetworkId};
use zt_protocol::config::NetworkConfig;
use zt_protocol::credential::ownership::Thing;
use zt_protocol::credential::revocation::CredentialKind;
use zt_protocol::credential::{Capability, Membership, Ownership, Revocation, Tag};
use zt_protocol::event::StoreKey;
use zt_protocol::identity::{Identity, SecretIdentity};
use zt_protocol::rng::Rng;
use zt_protocol::rules::{Direction, Kind, Rule, Tagged, json as rule_json};
use zt_protocol::time::UnixMillis;
use zt_protocol::transmit::Frame;
use zt_protocol::verb::Verb;
use zt_protocol::wire::credentials::Credentials;
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{NodeId, World};

/// Which seeds are run, unless the environment variable `ZT_CREDENTIAL_SEEDS` names others.
const SEEDS: &str = "660..668";

/// How many credentials are shown in a world.
const SHOWN: usize = 60;

/// How many different tags, capabilities and certificates of ownership there are.
const IDS: usize = 3;

/// The kinds, as the oracle numbers them.
const MEMBERSHIP: usize = 0;
const TAG: usize = 1;
const CAPABILITY: usize = 2;
const OWNERSHIP: usize = 3;

/// Carol, who is not on the network and says nothing by herself, shows alice credentials: old and
/// new ones, in the window and outside, revoked ones, some of another network or another member,
/// some signed by mallory, some altered. After each, alice believes what the oracle believes.
#[test]
fn a_member_believes_what_the_specification_says_of_any_credentials() {
    let seeds = std::env::var("ZT_CREDENTIAL_SEEDS").unwrap_or_else(|_| SEEDS.to_owned());
    let (from, to) = seeds.split_once("..").unwrap();
    let mut counted = [0; 4];
    for seed in from.parse().unwrap()..to.parse().unwrap() {
        let mut stage = Stage::set(seed);
        for number in 0..SHOWN {
            let told = stage.show();
            let (seen, expected) = (stage.seen(), stage.oracle.belief(&stage.config()));
            assert_eq!(seen, expected, "seed {seed}, credential {number}: {told}");
            let any = [
                seen.admitted,
                seen.tags.iter().any(Option::is_some),
                seen.capabilities.contains(&true),
                seen.owns.contains(&true),
            ];
            for (count, any) in counted.iter_mut().zip(any) {
                *count += usize::from(any);
            }
        }
    }
    // Nobody is tested by being shown what never counts.
    assert!(counted.iter().all(|&count| count > SHOWN / 4), "{counted:?}");
}

/// What is believed of carol. Only of members is there more to know.
#[derive(Debug, Default, Eq, PartialEq)]
struct Belief {
    admitted: bool,
    tags: [Option<u32>; IDS],
    capabilities: [bool; IDS],
    owns: [bool; IDS],
}

/// What carol holds, by the specification (spec 03 §6.4, §6.5, §7).
#[derive(Default)]
struct Oracle {
    /// The timestamp and value of each credential held, by kind and ID. The value is whether a
    /// certificate of membership is for carol's key, and what a tag says.
    held: BTreeMap<(usize, u32), (u64, u32)>,
    /// The time up to which each is revoked.
    revoked: BTreeMap<(usize, u32), u64>,
}

impl Oracle {
    /// A genuine credential of carol's on this network.
    fn show(&mut self, of: (usize, u32), timestamp: u64, value: u32) {
        let newer = self.held.get(&of).is_some_and(|&(held, _)| held > timestamp);
        if !newer && timestamp > self.threshold(of) {
            self.held.insert(of, (timestamp, value));
        }
    }

    fn revoke(&mut self, of: (usize, u32), threshold: u64) {
        let held = self.revoked.entry(of).or_default();
        *held = threshold.max(*held);
    }

    fn threshold(&self, of: (usize, u32)) -> u64 {
        self.revoked.get(&of).copied().unwrap_or(0)
    }

    fn belief(&self, config: &NetworkConfig) -> Belief {
        let own = config.membership.as_ref().unwrap().qualifiers()[0];
        let counting = |of, now: u64, window| {
            let (timestamp, value) = *self.held.get(&of)?;
            let counts = now.abs_diff(timestamp) <= window && timestamp > self.threshold(of);
            counts.then_some(value)
        };
        let admitted = counting((MEMBERSHIP, 0), own.value, own.max_delta) == Some(1);
        let mut belief = Belief { admitted, ..Belief::default() };
        for id in (0..IDS).filter(|_| belief.admitted) {
            let (now, window) = (config.timestamp.0, config.credential_window_ms);
            let counting = |kind| counting((kind, id as u32), now, window);
            belief.tags[id] = counting(TAG);
            belief.capabilities[id] = counting(CAPABILITY).is_some();
            belief.owns[id] = counting(OWNERSHIP).is_some();
        }
        belief
    }
}

struct Stage {
    world: World,
    chance: Rng,
    network: NetworkId,
    alice: NodeId,
    carol: NodeId,
    controller: SecretIdentity,
    mallory: SecretIdentity,
    oracle: Oracle,
}

impl Stage {
    fn set(seed: u64) -> Self {
        let mut world = World::seeded(seed);
        let chance = Rng::from_seed([seed.to_be_bytes(); 4].concat().try_into().unwrap());
        world.root();
        let controller = world.controller();
        let [alice, carol, mallory] = [(); 3].map(|()| world.member());
        world.acquaint(alice, carol);
        world.acquaint(alice, mallory);
        let rules: Vec<_> = rules().iter().map(rule_json::write).collect();
        let network = world.network_with(controller, json!({ "rules": rules }));
        world.allow(network, alice);
        world.join(network, &[alice]);
        world.run_until(secs(15), |world| world.are_up(network, &[alice])).unwrap();

        let [controller, mallory] = [controller, mallory].map(|node| world.identity_of(node));
        let oracle = Oracle::default();
        Self { world, chance, network, alice, carol, controller, mallory, oracle }
    }

    fn config(&self) -> NetworkConfig {
        let stored = self.world.stored(self.alice, StoreKey::Network(self.network)).unwrap();
        NetworkConfig::from_dictionary(stored).unwrap()
    }

    /// Has carol show a credential, and the oracle see it; returns what was shown.
    fn show(&mut self) -> String {
        let config = self.config();
        let window = config.credential_window_ms.cast_signed();
        let offsets = [0, 1, -1, 5_000, -5_000, window, -window, window + 90_000, -window - 1];
        let offset = offsets[self.chance.below(offsets.len())];
        let timestamp = UnixMillis(config.timestamp.0.saturating_add_signed(offset));
        let (kind, id) = (self.chance.below(4), self.chance.below(IDS) as u32);
        let id = if kind == MEMBERSHIP { 0 } else { id };
        let value = self.chance.below(2) as u32;

        // Revocations are of what is past, or soon nothing would be left.
        let revokes = self.chance.below(6) == 0;
        let past = UnixMillis(config.timestamp.0 - 5_000);
        let timestamp = if revokes { timestamp.min(past) } else { timestamp };
        let [by_mallory, elsewhere, anothers, altered] =
            [(); 4].map(|()| self.chance.below(8) == 0);
        let signer = if by_mallory { &self.mallory } else { &self.controller };
        let network = if elsewhere { NetworkId(self.network.0 ^ 1) } else { self.network };
        let carols = *self.world.identity_of(self.carol).public();
        let holder = if anothers { *self.mallory.public() } else { carols };
        let change = UnixMillis(timestamp.0 ^ u64::from(altered));

        let mut shown = Credentials::default();
        let (to, mallorys) = (holder.address(), *self.mallory.public().public_key());
        if revokes {
            let revoked = [
                CredentialKind::Membership,
                CredentialKind::Tag,
                CredentialKind::Capability,
                CredentialKind::Ownership,
            ];
            let (about, until) = ((revoked[kind], id), timestamp.0);
            let mut revocation = Revocation::issue(signer, network, to, about, 7, until);
            revocation.threshold = change.0;
            shown.revocations.push(revocation);
        } else if kind == MEMBERSHIP {
            let impostor = Identity::from_parts(to, mallorys);
            let whose = if value == 1 { holder } else { impostor };
            let window = config.credential_window_ms;
            let certificate = Membership::issue(signer, network, &whose, timestamp, window);
            shown.memberships.push(redated(&certificate, change));
        } else if kind == TAG {
            let mut tag = Tag::issue(signer, network, to, timestamp, id, value);
            tag.timestamp = change;
            shown.tags.push(tag);
        } else if kind == CAPABILITY {
            let rules = vec![Kind::Ethertype(0x9000 + id as u16).into(), Rule::accept()];
            let mut held = Capability::issue(signer, network, to, timestamp, id, rules);
            held.timestamp = change;
            shown.capabilities.push(held);
        } else {
            let things = vec![Thing::Ip(owned(id).into())];
            let mut held = Ownership::issue(signer, network, to, timestamp, id, things);
            held.timestamp = change;
            shown.ownerships.push(held);
        }
        let genuine = !by_mallory && !elsewhere && !anothers && !altered;
        if genuine && revokes {
            self.oracle.revoke((kind, id), timestamp.0);
        } else if genuine {
            self.oracle.show((kind, id), timestamp.0, value);
        }

        let told = format!("{offset} {shown:?}");
        for body in shown.write() {
            self.world.say(self.carol, self.alice, Verb::NetworkCredentials, &body);
        }
        self.world.run_for(millis(1_050));
        told
    }

    /// Returns what alice believes of carol.
    fn seen(&self) -> Belief {
        let [alice, carol] = [self.alice, self.carol].map(|node| self.world.address_of(node));
        let told = |ethertype, payload: &[u8]| {
            let destination = Mac::of_member(alice, self.network);
            let source = Mac::of_member(carol, self.network);
            let frame = Frame { destination, source, ethertype, payload };
            let node = self.world.node(self.alice);
            node.would_allow(self.network, carol, frame, Direction::Inbound)
        };
        let Ok(explained) = told(0x8000, b"frame") else { return Belief::default() };
        let mut belief = Belief { admitted: true, ..Belief::default() };
        for id in 0..IDS {
            let tag = explained.tags.iter().find(|tag| tag.id as usize == id);
            belief.tags[id] = tag.and_then(|tag| tag.sender);
            let passes = told(0x9000 + id as u16, b"frame").unwrap().verdict.passes();
            belief.capabilities[id] = passes;
            let mut packet = vec![0x45, 0, 0, 20, 0, 0, 0, 0, 64, 1, 0, 0];
            packet.extend(owned(id as u32).octets());
            packet.extend([10, 147, 1, 1]);
            belief.owns[id] = told(0x0800, &packet).unwrap().verdict.passes();
        }
        belief
    }
}

/// Rules that ask for every tag, let a member's own addresses pass and leave the rest to
/// capabilities.
fn rules() -> Vec<Rule> {
    let ids = 0..IDS as u32;
    let asked = ids.flat_map(|id| [Kind::TagSender(Tagged { id, value: u32::MAX }), Kind::Drop]);
    let authenticated = Kind::Characteristics(1 << 60);
    let own = [Kind::Ethertype(0x0800), authenticated, Kind::Accept];
    asked.chain(own).map(Rule::from).collect()
}

fn owned(id: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0ac8_0000 + id)
}

/// Returns `certificate` with another timestamp.
fn redated(certificate: &Membership, timestamp: UnixMillis) -> Membership {
    let mut bytes = Vec::new();
    certificate.write(&mut bytes);
    bytes[11..19].copy_from_slice(&timestamp.0.to_be_bytes());
    Membership::read_prefix(&bytes).unwrap().0
}
