//! Networks with rules nobody would write.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use zt_protocol::address::{Address, Mac, NetworkId};
use zt_protocol::outbox::OwnedFrame;
use zt_protocol::rules::{Decision, Direction, Kind, Rule, Verdict, codec, json as rule_json};
use zt_protocol::transmit::Frame;
use zt_tests::rules::oracle::{self, Case, Fate, Holds};
use zt_tests::rules::random;
use zt_tests::sim::durations::{millis, secs};
use zt_tests::sim::{Access, NodeId, World};

use super::scene::Scene;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Two members with tags and capabilities of their own send each other frames. What either
    /// would do with each, and what becomes of it, is what the oracle says.
    #[test]
    fn what_passes_is_what_the_specification_says(
        seed in 0_u64..1_000,
        rules in random::rules(12),
        alices in random::holds(),
        bobs in random::holds(),
        frames in vec((any::<bool>(), random::ethernet()), 8),
    ) {
        let mut stage = Stage::set(seed, &rules, [alices, bobs]);
        for (from_alice, (ethertype, payload)) in frames {
            if !payload.is_empty() {
                stage.send(from_alice, ethertype, payload)?;
            }
        }
    }
}

/// A network of two with random rules.
struct Stage {
    world: World,
    network: NetworkId,
    rules: Vec<u8>,
    /// Alice and bob, and what they hold.
    members: [(NodeId, Holds); 2],
}

impl Stage {
    fn set(seed: u64, rules: &[u8], holds: [Holds; 2]) -> Self {
        let on_ethernet = |world: &mut World| {
            let member = world.member();
            world.use_ethernet(member);
            member
        };
        let scene = Scene::with(seed, Access::Public, on_ethernet, on_ethernet);
        let Scene { mut world, root, controller, network, alice, bob } = scene;
        // Copies go to nodes that are not on the network and ignore them.
        let names = random::NODES.into_iter().chain(random::OTHERS);
        let nodes = [alice, bob, root, controller].map(|node| world.address_of(node));
        let names: BTreeMap<u64, Address> = names.zip(nodes).collect();

        let no_v6 = json!({ "zt": false, "rfc4193": false, "6plane": false });
        world.edit_network(network, json!({ "v6AssignMode": no_v6 }));
        let mut capabilities = Vec::new();
        let mut members = [alice, bob].into_iter().zip(holds).collect::<Vec<_>>();
        for (index, (node, held)) in members.iter_mut().enumerate() {
            let tags: Vec<_> = held.tags.iter().map(|(id, value)| json!([id, value])).collect();
            for (id, rules) in std::mem::take(&mut held.capabilities) {
                // Everybody's are defined in one place.
                let id = id + 100 * index as u32;
                let (json, rules) = playable(&rules, &names);
                capabilities.push(json!({ "id": id, "default": false, "rules": json }));
                held.capabilities.insert(id, rules);
            }
            let ids: Vec<_> = held.capabilities.keys().collect();
            world.edit_member(network, *node, json!({ "tags": tags, "capabilities": ids }));
            held.macs.clear();
        }
        world.edit_network(network, json!({ "capabilities": capabilities }));
        world.run_for(secs(3));

        // While everything passes, they find paths and show each other what they hold.
        for (from, to) in [(alice, bob), (bob, alice)] {
            world.ping(from, to);
            world.run_for(secs(2));
            assert_eq!(world.pongs(from), 1);
        }
        for (node, held) in &mut members {
            // The controller certifies the addresses that it has given.
            held.ips = world.addresses(network, *node).into_iter().map(octets).collect();
            world.take_frames(*node);
        }
        let (json, rules) = playable(rules, &names);
        world.edit_network(network, json!({ "rules": json }));
        world.run_for(secs(3));
        let members = members.try_into().unwrap_or_else(|_| unreachable!("there are two"));
        Self { world, network, rules, members }
    }

    /// Has alice or bob send the other a frame.
    fn send(
        &mut self,
        from_alice: bool,
        ethertype: u16,
        payload: Vec<u8>,
    ) -> Result<(), TestCaseError> {
        let (sender, receiver) = if from_alice { (0, 1) } else { (1, 0) };
        let [from, to] = [sender, receiver].map(|index| self.members[index].0);
        let [source, destination] =
            [from, to].map(|node| Mac::of_member(self.world.address_of(node), self.network));
        let mut passes = true;
        for (at, direction) in [(from, Direction::Outbound), (to, Direction::Inbound)] {
            let inbound = direction == Direction::Inbound;
            let (local, remote) = if inbound { (receiver, sender) } else { (sender, receiver) };
            let peer = self.world.address_of(self.members[remote].0);
            let frame = Frame { destination, source, ethertype, payload: &payload };
            let told = self.world.node(at).would_allow(self.network, peer, frame, direction);
            let case = Case {
                inbound,
                sender: self.world.address_of(from).to_u64(),
                receiver: self.world.address_of(to).to_u64(),
                local: self.members[local].1.clone(),
                remote: self.members[remote].1.clone(),
                to: destination.to_bytes(),
                from: source.to_bytes(),
                ethertype,
                frame: payload.clone(),
                unknown_is_true: false,
                chance: Vec::new(),
            };
            let (fate, copies) = oracle::judge(&case, &self.rules);

            let verdict = told.unwrap().verdict;
            prop_assert_eq!(fate, fate_of(&verdict), "{:?} {:?}", direction, case);
            prop_assert_eq!(verdict.copies.len(), copies.len());
            passes &= matches!(fate, Fate::Accepted | Fate::SuperAccepted);
        }

        let network = self.network;
        let frame = OwnedFrame { network, destination, source, ethertype, payload };
        self.world.send_frame(from, frame.clone());
        self.world.run_for(millis(300));
        let arrived = self.world.take_frames(to);
        let arrived = arrived.iter().filter(|other| **other == frame).count();
        prop_assert_eq!(arrived, usize::from(passes));
        Ok(())
    }
}

/// Returns those of the serialized `rules` that a controller's operator can write and that leave
/// nothing to chance, about the nodes of a world: in JSON and serialized.
fn playable(rules: &[u8], names: &BTreeMap<u64, Address>) -> (Vec<Value>, Vec<u8>) {
    let rules = codec::read_list(rules, 1_024).unwrap();
    let rules = rules.into_iter().filter(|rule| !matches!(rule.kind, Kind::Random(_)));
    let json = rules.map(|rule| rule_json::write(&renamed(rule, names)));
    let json: Vec<_> = json.filter(|value| !value.is_null()).collect();
    let mut bytes = Vec::new();
    for value in &json {
        codec::write(&rule_json::read(value).unwrap(), &mut bytes);
    }
    (json, bytes)
}

fn renamed(mut rule: Rule, names: &BTreeMap<u64, Address>) -> Rule {
    match &mut rule.kind {
        Kind::SourceAddress(node) | Kind::DestinationAddress(node) => *node = names[&node.to_u64()],
        Kind::Tee(to) | Kind::Watch(to) | Kind::Redirect(to) => {
            to.target = names[&to.target].to_u64()
        }
        _ => {}
    }
    rule
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

const fn fate_of(verdict: &Verdict) -> Fate {
    match verdict.decision {
        Decision::Drop => Fate::Dropped,
        Decision::Redirect => Fate::Redirected,
        Decision::Accept => Fate::Accepted,
        Decision::SuperAccept => Fate::SuperAccepted,
    }
}
