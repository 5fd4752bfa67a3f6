//! Members of the vectors' network as whole nodes, and the configurations the test gives them.
//!
//! The files share one network and four identities: its controller, and members a, b and c.

use std::net::SocketAddr;

use serde_json::Value;
use zt_protocol::address::{Address, MulticastGroup, NetworkId};
use zt_protocol::event::Standing;
use zt_protocol::node::Command;
use zt_protocol::transmit::PortMode;
use zt_protocol::world::World;
use zt_tests::persona::Persona;
use zt_tests::vector_node::{Reply, START_MS, VectorNode, verbs};

use crate::bench::endpoint;
use crate::fields::text;

/// How far certificates of the vectors may be apart, in milliseconds.
const WINDOW: u64 = 7_200_000;

/// Longest slice of a configuration in one packet (spec 04 §2.3).
const CHUNK_LEN_MAX: usize = 9_740;

/// The role of an active bridge and of a multicast replicator (spec 03 §5.3).
pub(crate) const BRIDGE: u64 = 0x0000_0200_0000_0000;
pub(crate) const REPLICATOR: u64 = 0x0000_0800_0000_0000;

/// A member on a bench.
pub(crate) struct Member {
    pub(crate) bench: VectorNode,
    pub(crate) network: NetworkId,
    pub(crate) controller: Persona,
    /// How many configurations it was given.
    given: u64,
}

/// What a configuration says besides what all have in common.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Setting {
    pub(crate) timestamp: u64,
    pub(crate) revision: u64,
    pub(crate) public: bool,
    /// 0x02 broadcast, 0x04 NDP emulation.
    pub(crate) flags: u64,
    pub(crate) multicast_limit: u64,
    /// Members with roles, each with the bits of its roles.
    pub(crate) specialists: Vec<(Address, u64)>,
    /// The network's rules, serialized.
    pub(crate) rules: Vec<u8>,
    /// Further entries, such as credentials: key and value.
    pub(crate) entries: Vec<(&'static str, Vec<u8>)>,
}

impl Setting {
    /// A public network as most cases have it, whose one rule is to accept.
    pub(crate) fn public() -> Self {
        Self {
            timestamp: START_MS,
            revision: 1,
            public: true,
            flags: 6,
            multicast_limit: 32,
            specialists: Vec::new(),
            rules: vec![1, 0],
            entries: Vec::new(),
        }
    }

    /// A private one; each member gets its certificate with it.
    pub(crate) fn private() -> Self {
        Self { public: false, ..Self::public() }
    }

    /// Returns the configuration of `member` as a dictionary.
    pub(crate) fn dictionary(&self, network: NetworkId, member: Address) -> Vec<u8> {
        let mut dictionary = format!(
            "v=7\nnwid={network}\nts={:x}\nctmd={WINDOW:x}\nr={:x}\nid={member}\nf={:x}\nml={:x}\nt={:x}\nn=test\nmtu=af0\n",
            self.timestamp,
            self.revision,
            self.flags,
            self.multicast_limit,
            u8::from(self.public),
        )
        .into_bytes();
        let specialists = self.specialists.iter();
        let specialists: Vec<u8> = specialists
            .flat_map(|(address, roles)| (address.to_u64() | roles).to_be_bytes())
            .collect();
        let entries = self.entries.iter().map(|(key, value)| (*key, &value[..]));
        let own = [("S", &specialists[..]), ("R", &self.rules)];
        for (key, value) in own.into_iter().chain(entries) {
            if value.is_empty() {
                continue;
            }
            dictionary.extend(key.as_bytes());
            dictionary.push(b'=');
            dictionary.extend(escaped(value));
            dictionary.push(b'\n');
        }
        dictionary
    }
}

/// Escapes a value for a dictionary (spec 01 §17).
fn escaped(value: &[u8]) -> Vec<u8> {
    let escaped = value.iter().map(|byte| match byte {
        0 => &b"\\0"[..],
        b'\n' => b"\\n",
        b'\r' => b"\\r",
        b'=' => b"\\e",
        b'\\' => b"\\\\",
        other => std::slice::from_ref(other),
    });
    escaped.collect::<Vec<_>>().concat()
}

impl Member {
    /// Returns member `letter` of a file's network, which knows everybody as protocol 12 with
    /// confirmed paths, has joined and has no configuration yet.
    pub(crate) fn new(file: &Value, letter: &str) -> Self {
        let planet = World::default_planet();
        let roots = planet.roots.clone();
        let mut bench = VectorNode::new(secret(file, letter), whereabouts(letter), planet);
        for root in roots {
            let address = bench.play(&root.identity.to_string());
            for endpoint in root.endpoints {
                bench.answer_from(endpoint, address, 12);
            }
        }
        bench.live_until(10);
        for other in ["controller", "a", "b", "c"].into_iter().filter(|&other| other != letter) {
            let address = bench.play(secret(file, other));
            bench.meet(address, whereabouts(other), 12);
        }

        let network = text(file, "network_id").parse().unwrap();
        let controller = Persona::from_text(secret(file, "controller"));
        let mut member = Self { bench, network, controller, given: 0 };
        member.join();
        member
    }

    fn join(&mut self) {
        let join = Command::Join { network: self.network, mode: PortMode::L2, cached: None };
        let sent = self.bench.command(join).unwrap();
        self.bench.answer(sent);
    }

    /// Gives the member a configuration; returns what it sends upon it.
    pub(crate) fn configure(&mut self, setting: &Setting) -> Vec<Reply> {
        self.given += 1;
        let me = self.bench.me.address;
        let mut setting = setting.clone();
        if !setting.public && setting.entries.iter().all(|(key, _)| *key != "C") {
            let own = membership(&self.controller, self.network, &self.bench.me, START_MS);
            setting.entries.push(("C", own));
        }
        let dictionary = setting.dictionary(self.network, me);
        let mut sent = Vec::new();
        for (index, slice) in dictionary.chunks(CHUNK_LEN_MAX).enumerate() {
            let chunk = self.chunk(dictionary.len(), index * CHUNK_LEN_MAX, slice);
            let datagram = self.bench.seal(self.controller.address, 3, 0x0c, &chunk);
            sent.extend(self.bench.feed(whereabouts("controller"), &datagram));
        }
        assert_eq!(self.standing(), Standing::Ok);
        sent
    }

    /// Returns a signed slice of a configuration of `total` bytes, from `index` on (spec 03 §3.1).
    fn chunk(&self, total: usize, index: usize, slice: &[u8]) -> Vec<u8> {
        let mut chunk = self.network.to_bytes().to_vec();
        chunk.extend(u16::try_from(slice.len()).unwrap().to_be_bytes());
        chunk.extend(slice);
        chunk.push(0);
        chunk.extend((0x1111_0000 + self.given).to_be_bytes());
        chunk.extend(u32::try_from(total).unwrap().to_be_bytes());
        chunk.extend(u32::try_from(index).unwrap().to_be_bytes());
        let signature = self.controller.sign(&[&chunk]);
        chunk.extend([1, 0, 96]);
        chunk.extend(signature);
        chunk
    }

    /// Lets the member's host subscribe to a group; returns what the member sends.
    pub(crate) fn subscribe(&mut self, group: MulticastGroup) -> Vec<Reply> {
        self.bench.command(Command::Subscribe { network: self.network, group }).unwrap()
    }

    /// Hands the member a datagram from where `letter` is; returns what it sends.
    pub(crate) fn feed_from(&mut self, letter: &str, datagram: &[u8]) -> Vec<Reply> {
        self.bench.feed(whereabouts(letter), datagram)
    }

    /// Returns where the network stands.
    pub(crate) fn standing(&self) -> Standing {
        let networks = self.bench.node.networks();
        networks.iter().find(|status| status.id == self.network).unwrap().standing
    }
}

/// Returns the identity of `letter` with its private key.
pub(crate) fn secret<'a>(file: &'a Value, letter: &str) -> &'a str {
    text(&file["identities"][letter], "secret")
}

/// Returns the address of `letter`.
pub(crate) fn address(file: &Value, letter: &str) -> Address {
    text(&file["identities"][letter], "address").parse().unwrap()
}

/// Returns whose address this is.
pub(crate) fn letter<'a>(file: &'a Value, address: &str) -> &'a str {
    let identities = file["identities"].as_object().unwrap();
    let found = identities.iter().find(|(_, identity)| identity["address"] == address);
    found.unwrap_or_else(|| panic!("nobody is {address}")).0
}

/// Returns where `letter` is.
pub(crate) fn whereabouts(letter: &str) -> SocketAddr {
    endpoint(match letter {
        "controller" => "5.9.0.1/9993",
        "a" => "5.2.0.1/9993",
        "b" => "5.3.0.1/9993",
        "c" => "5.4.0.1/9993",
        other => panic!("nobody says where {other} is"),
    })
}

/// Issues a certificate of membership (spec 03 §7.1).
pub(crate) fn membership(
    controller: &Persona,
    network: NetworkId,
    member: &Persona,
    timestamp: u64,
) -> Vec<u8> {
    let hash = zt_crypto::sha384(&[&member.address.to_bytes(), &member.public]);
    let mut qualifiers: Vec<[u64; 3]> =
        vec![[0, timestamp, WINDOW], [1, network.0, 0], [2, member.address.to_u64(), u64::MAX]];
    let (words, _) = hash.as_chunks::<8>();
    qualifiers
        .extend((3..7).zip(words).map(|(id, word)| [id, u64::from_be_bytes(*word), u64::MAX]));
    let message: Vec<u8> = qualifiers.iter().flatten().flat_map(|n| n.to_be_bytes()).collect();

    let mut certificate = vec![1, 0, 7];
    certificate.extend(&message);
    certificate.extend(controller.address.to_bytes());
    certificate.extend(controller.sign(&[&message]));
    certificate
}

/// Tells the length of the credential some bytes begin with.
type LenOf = fn(&[u8]) -> usize;

/// Returns the entries of a configuration from which a node makes this NETWORK_CREDENTIALS payload
/// (spec 03 §6.5, §7).
pub(crate) fn entries_of_push(payload: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let certificates_len = if payload[0] == 1 { 272 } else { 0 };
    let (certificates, rest) = payload.split_at(certificates_len);
    let (end_mark, mut rest) = rest.split_at(1);
    assert_eq!(end_mark, [0]);

    let mut entries = vec![("C", certificates.to_vec())];
    let lens: [(&str, LenOf); 4] = [
        ("CAP", capability_len),
        ("TAG", |_| 135),
        ("revocations are not in configurations", |_| 152),
        ("COO", |bytes| 141 + 17 * usize::from(u16_at(bytes, 28))),
    ];
    for (key, credential_len) in lens {
        let count = u16_at(rest, 0);
        rest = &rest[2..];
        let section = rest;
        for _ in 0..count {
            rest = &rest[credential_len(rest)..];
        }
        entries.push((key, section[..section.len() - rest.len()].to_vec()));
    }
    entries.retain(|(_, value)| !value.is_empty());
    entries
}

/// Returns the length of the capability `bytes` begin with (spec 03 §7.3).
fn capability_len(bytes: &[u8]) -> usize {
    let mut at = 22;
    for _ in 0..u16_at(bytes, 20) {
        at += 2 + usize::from(bytes[at + 1]);
    }
    // The longest chain there may be, then who holds it until nobody does.
    at += 1;
    while bytes[at..at + 5] != [0; 5] {
        at += 5 + 5 + 99;
    }
    at + 5 + 2
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Returns the packets among `replies` of verbs that the files list, as receiver, verb and payload.
pub(crate) fn listed(replies: &[Reply], listed: &[u8]) -> Vec<(String, u8, String)> {
    let packets = replies.iter().filter_map(|reply| reply.packet.as_ref());
    packets
        .filter(|packet| listed.contains(&packet.verb))
        .map(|packet| (packet.to.to_string(), packet.verb, hex::encode(&packet.payload)))
        .collect()
}

/// Returns the packets a list in a file names, in the same form.
pub(crate) fn expected(list: &[Value]) -> Vec<(String, u8, String)> {
    list.iter()
        .map(|packet| {
            let verb = packet["verb"].as_u64().map_or(verbs::CREDENTIALS, |verb| verb as u8);
            (text(packet, "to").to_owned(), verb, text(packet, "payload").to_owned())
        })
        .collect()
}
