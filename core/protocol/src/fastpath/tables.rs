//! What the data plane reads: peers' keys and routes, networks' members and neighbours.
//!
//! Written only by the control plane, between packets. Kept apart from the subsystems' own state
//! so that it can be published to shards on other cores as a value.

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::address::{Address, Mac, NetworkId};
use crate::config::Route;
use crate::endpoint::{Path, Scope};
use crate::memory;
use crate::path_rules::{PathRules, Way};
use crate::rules::{Direction, Filter, Holdings, Party, Passage};
use crate::suite::{Expansions, PeerKeys};
use crate::time::Instant;
use crate::transmit::{Frame, PortMode};
use crate::wire::header::Cipher;

/// Peers and networks as the data plane sees them.
pub struct Tables {
    /// This node.
    pub me: Address,
    /// Whether paths to this machine's own loopback addresses are used; only in a laboratory.
    pub allow_loopback: bool,
    /// Whether the TCP relay stands in for UDP.
    pub uses_tcp_relay: bool,
    /// What the user says about physical addresses.
    pub path_rules: PathRules,
    /// Whether this node is a root of a world it knows, and so relays for anybody.
    pub is_upstream: bool,
    /// Whether a root answers, or this node is one.
    pub is_online: bool,
    /// Where packets go for whom there is no direct path: the best root and the way to it.
    pub upstream: Option<(Address, Path)>,
    /// Every root of every world in force but this node, by ascending address.
    pub upstreams: Vec<Address>,
    /// How many peers' keys are kept expanded.
    pub expansions: Expansions,
    peers: HashMap<Address, PeerView, FixedState>,
    networks: HashMap<NetworkId, NetworkView, FixedState>,
}

/// A peer as the data plane sees it.
pub struct PeerView {
    /// Its keys; they never change.
    pub keys: Arc<PeerKeys>,
    /// Whether the peer announced a protocol that takes suite 3.
    pub takes_aes: bool,
    /// The direct path to use, if there is an unexpired one.
    pub path: Option<Path>,
    /// When a frame was last sent on `path`; `None` while nobody watches whether it is alive.
    pub relied_on: Option<Instant>,
}

impl PeerView {
    /// Returns what is seen of a peer of whom only the keys are known.
    #[must_use]
    pub const fn new(keys: Arc<PeerKeys>) -> Self {
        Self { keys, takes_aes: false, path: None, relied_on: None }
    }

    /// Gives back the room that expanded keys take, until they are used much again.
    pub fn fold_keys(&mut self) {
        self.keys = Arc::new(self.keys.folded());
    }

    /// Returns the suite to encrypt with (spec 01 §6).
    #[must_use]
    pub const fn cipher(&self) -> Cipher {
        if self.takes_aes { Cipher::AesGmacSiv } else { Cipher::Salsa }
    }
}

/// Which peers may exchange frames with this node on a network (spec 03 §6.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// No configuration: nobody, in neither direction.
    Nobody,
    /// A public network: everybody.
    Everybody,
    /// A private network: those whose certificate agrees with this node's.
    Members,
}

/// A network as the data plane sees it.
pub struct NetworkView {
    /// Who may exchange frames.
    pub admission: Admission,
    /// What the network's rules let through.
    pub filter: Filter,
    /// What this node holds that rules look at.
    pub own: Holdings,
    /// What others hold of whom nothing is known.
    pub strangers: Holdings,
    /// What the host's port exchanges.
    pub mode: PortMode,
    /// This node's MAC.
    pub mac: Mac,
    /// Longest payload the port takes, in bytes.
    pub mtu: u16,
    /// Most recipients of a multicast; 0 disables multicast.
    pub multicast_limit: u32,
    /// Whether frames to ff:ff:ff:ff:ff:ff other than ARP are allowed.
    pub broadcast: bool,
    /// Members that may send frames of devices behind them.
    pub bridges: BTreeSet<Address>,
    /// Devices behind other nodes than this, and which of `bridges` each was last heard from.
    pub stations: HashMap<Mac, StationView, FixedState>,
    /// What is known of other members, admitted or not.
    pub members: HashMap<Address, MemberView, FixedState>,
    /// This node's managed addresses, with prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Managed routes, most specific first.
    pub routes: Vec<Route>,
    /// Resolved next hops of an L3 port.
    pub neighbors: HashMap<IpAddr, Mac, FixedState>,
}

/// A member as the data plane sees it.
#[derive(Clone, Debug)]
pub struct MemberView {
    /// Whether its certificate agrees with ours. Irrelevant on public networks.
    pub admitted: bool,
    /// Whether its certificate was revoked and it has shown no later one.
    pub revoked: bool,
    /// What it holds that rules look at; `None` if no more than strangers do.
    pub holdings: Option<Arc<Holdings>>,
    /// From when on our credentials are due to be pushed before the next frame to it.
    pub push_due: Instant,
    /// From when on our multicast groups are due to be announced when it is heard.
    pub announce_due: Instant,
}

/// A device behind a bridge as the data plane sees it.
#[derive(Clone, Copy, Debug)]
pub struct StationView {
    /// The bridge it was last heard from.
    pub bridge: Address,
    /// From when on hearing it again has to be noted.
    pub renew_due: Instant,
}

impl Tables {
    /// Returns the tables of node `me`, which knows nobody. `seed` keys the hash tables.
    #[must_use]
    pub fn new(me: Address, seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        Self {
            me,
            allow_loopback: false,
            uses_tcp_relay: false,
            path_rules: PathRules::default(),
            is_upstream: false,
            is_online: false,
            upstream: None,
            upstreams: Vec::new(),
            expansions: Expansions::within(usize::MAX),
            peers: HashMap::with_hasher(hasher.clone()),
            networks: HashMap::with_hasher(hasher),
        }
    }

    /// Returns whether `ip` is on the Internet, as opposed to this site.
    #[must_use]
    pub fn is_outside(&self, ip: IpAddr) -> bool {
        let scope = Scope::of(ip);
        scope == Scope::Global || self.allow_loopback && scope == Scope::Loopback
    }

    /// Returns whether the TCP relay passes datagrams on to `remote` (spec 02 §9.4).
    #[must_use]
    pub fn is_tcp_relayable(&self, remote: SocketAddr) -> bool {
        remote.is_ipv4() && self.is_outside(remote.ip())
    }

    /// Returns the peer at `address`.
    #[must_use]
    pub fn peer(&self, address: Address) -> Option<&PeerView> {
        self.peers.get(&address)
    }

    /// Returns the peer at `address`, to change it.
    pub fn peer_mut(&mut self, address: Address) -> Option<&mut PeerView> {
        self.peers.get_mut(&address)
    }

    /// Returns how packets to `peer` go on `path`; `None` if none may.
    ///
    /// What is relayed is sealed even if the path to the relay is trusted: nobody knows the rest of
    /// its way.
    #[must_use]
    pub fn way(&self, peer: &PeerView, path: Path) -> Option<Way> {
        let way = self.path_rules.way(path)?;
        Some(if peer.path == Some(path) { way } else { way.sealed() })
    }

    /// Returns every peer that is reached directly, by ascending address.
    #[must_use]
    pub fn reached_directly(&self) -> Vec<Address> {
        let reached = self.peers.iter().filter(|(_, peer)| peer.path.is_some());
        let mut reached: Vec<Address> = reached.map(|(&address, _)| address).collect();
        reached.sort_unstable();
        reached
    }

    /// Makes `view` what the data plane sees of the peer at `address`.
    pub fn insert_peer(&mut self, address: Address, view: PeerView) {
        self.peers.insert(address, view);
    }

    /// Forgets the peer at `address`.
    pub fn remove_peer(&mut self, address: Address) {
        self.peers.remove(&address);
    }

    /// Returns what the table of peers takes, in bytes.
    #[must_use]
    pub fn peers_footprint(&self) -> usize {
        memory::of_map(&self.peers)
            + self.peers.len() * PeerKeys::FOOTPRINT
            + self.expansions.footprint()
    }

    /// Gives back the room the table of peers has grown and does not need.
    pub fn shrink_peers(&mut self) {
        self.peers.shrink_to_fit();
    }

    /// Returns the network `id`.
    #[must_use]
    pub fn network(&self, id: NetworkId) -> Option<&NetworkView> {
        self.networks.get(&id)
    }

    /// Returns the network `id`, to change it.
    pub fn network_mut(&mut self, id: NetworkId) -> Option<&mut NetworkView> {
        self.networks.get_mut(&id)
    }

    /// Makes `view` what the data plane sees of network `id`.
    pub fn insert_network(&mut self, id: NetworkId, view: NetworkView) {
        self.networks.insert(id, view);
    }

    /// Forgets network `id`.
    pub fn remove_network(&mut self, id: NetworkId) {
        self.networks.remove(&id);
    }

    /// Returns whether `ip` lies in the subnet of an address some network assigned to this node.
    ///
    /// Such an address is never a physical one: packets to it would travel inside packets to it.
    #[must_use]
    pub fn is_managed(&self, ip: IpAddr) -> bool {
        self.networks
            .values()
            .flat_map(|network| &network.addresses)
            .any(|&(address, bits)| same_subnet(address, ip, bits))
    }
}

impl NetworkView {
    /// Returns what the tables take, in bytes, without what members hold.
    #[must_use]
    pub fn footprint(&self) -> usize {
        memory::of_map(&self.stations)
            + memory::of_map(&self.members)
            + memory::of_map(&self.neighbors)
            + memory::of_tree_set(&self.bridges)
            + memory::of_list(&self.addresses)
            + memory::of_list(&self.routes)
    }

    /// Gives back the room its tables have grown and do not need.
    pub fn shrink(&mut self) {
        self.stations.shrink_to_fit();
        self.members.shrink_to_fit();
        self.neighbors.shrink_to_fit();
    }

    /// Returns whether frames from and to `peer` may pass (spec 03 §6.2).
    #[must_use]
    pub fn admits(&self, peer: Address) -> bool {
        match self.admission {
            Admission::Nobody => false,
            Admission::Everybody => true,
            Admission::Members => self.members.get(&peer).is_some_and(|member| member.admitted),
        }
    }

    /// Returns whether `node` may send frames of devices behind it, and hears frames to any.
    #[must_use]
    pub fn is_bridge(&self, node: Address) -> bool {
        self.bridges.contains(&node)
    }

    /// Returns whether it has to be noted that the device `mac` is heard from `bridge`.
    #[must_use]
    pub fn is_news(&self, now: Instant, mac: Mac, bridge: Address) -> bool {
        let known = self.stations.get(&mac);
        known.is_none_or(|known| known.bridge != bridge || known.renew_due <= now)
    }

    /// Returns whether `peer` was a member of this private network and is none any more.
    ///
    /// The protocol lets a receiver judge for itself whom it hears, but this one may not have heard
    /// of its revocation, and what is sent to it is for members.
    #[must_use]
    pub fn is_revoked(&self, peer: Address) -> bool {
        self.admission == Admission::Members
            && self.members.get(&peer).is_some_and(|member| member.revoked)
    }

    /// Returns how rules see a frame between `me`, this node, and `peer`. That is
    /// [`Address::NULL`] for a frame whose receivers are not known yet.
    #[must_use]
    pub fn passage<'a>(
        &'a self,
        me: Address,
        direction: Direction,
        peer: Address,
        frame: Frame<'a>,
    ) -> Passage<'a> {
        let here = Party { address: me, holdings: &self.own };
        let shown = self.members.get(&peer).and_then(|member| member.holdings.as_deref());
        let there = Party { address: peer, holdings: shown.unwrap_or(&self.strangers) };
        let (sender, receiver) = match direction {
            Direction::Inbound => (there, here),
            Direction::Outbound => (here, there),
        };
        Passage { direction, sender, receiver, frame }
    }
}

/// Returns whether the first `bits` bits of both addresses are equal.
pub(crate) fn same_subnet(a: IpAddr, b: IpAddr, bits: u8) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (a.to_bits() ^ b.to_bits()).leading_zeros() >= u32::from(bits.min(32))
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            (a.to_bits() ^ b.to_bits()).leading_zeros() >= u32::from(bits.min(128))
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_is_its_leading_bits() {
        let same =
            |a: &str, b: &str, bits| same_subnet(a.parse().unwrap(), b.parse().unwrap(), bits);

        assert!(same("10.1.2.3", "10.1.2.200", 24));
        assert!(!same("10.1.2.3", "10.1.3.3", 24));
        assert!(same("10.1.2.3", "192.0.2.1", 0));
        assert!(!same("10.1.2.3", "10.1.2.4", 32));
        assert!(same("fd00::1", "fd00::ffff", 64));
        assert!(!same("fd00::1", "10.1.2.3", 0));
    }
}
