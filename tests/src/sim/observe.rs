//! What a test can see of a world.

use std::fmt;
use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use zt_protocol::address::{Address, NetworkId};
use zt_protocol::error::{Drops, Rejected};
use zt_protocol::event::{Event, Standing, StoreKey};
use zt_protocol::identity::SecretIdentity;
use zt_protocol::node::{Node, PeerStatus};
use zt_protocol::time::Instant;

use super::stack::Pong;
use super::trace;
use super::world::{NodeId, World};

/// How packets get from one node to another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// On a path of their own.
    Direct,
    /// By way of a root.
    Relayed,
}

/// A world did not come to where a test wanted it in time.
pub struct Unsettled {
    /// What to start from to see it again.
    pub seed: u64,
    /// How long it was given.
    pub limit: Duration,
    /// Which node is woken next, when and why, if any is.
    pub waiting_for: Option<(String, Instant, &'static str)>,
}

impl fmt::Debug for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: not settled after {:?}; ", self.seed, self.limit)?;
        match &self.waiting_for {
            Some((name, at, why)) => write!(f, "next, {name} is woken for {why} at {at:?}"),
            None => write!(f, "nobody waits for anything"),
        }
    }
}

impl World {
    /// Returns the seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Returns a hash of everything every node has sent so far, where to and when.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// Returns the address of `node`.
    #[must_use]
    pub fn address_of(&self, node: NodeId) -> Address {
        self.hosts[node.0].address
    }

    /// Returns the identity of `node`, private keys included.
    #[must_use]
    pub fn identity_of(&self, node: NodeId) -> SecretIdentity {
        self.hosts[node.0].identity()
    }

    /// Returns the node itself.
    ///
    /// # Panics
    ///
    /// If it is switched off.
    #[must_use]
    pub fn node(&self, node: NodeId) -> &Node {
        self.hosts[node.0].node.as_ref().expect("the node is switched on")
    }

    /// Returns whether `node` says it is online.
    #[must_use]
    pub fn is_online(&self, node: NodeId) -> bool {
        self.node(node).status(self.now).online
    }

    /// Returns where `network` stands at `member`; `None` if it has not joined.
    #[must_use]
    pub fn standing(&self, network: NetworkId, member: NodeId) -> Option<Standing> {
        let networks = self.node(member).networks();
        networks.iter().find(|status| status.id == network).map(|status| status.standing)
    }

    /// Returns whether all `members` are configured on `network` and have addresses.
    #[must_use]
    pub fn are_up(&self, network: NetworkId, members: &[NodeId]) -> bool {
        members.iter().all(|&member| {
            self.standing(network, member) == Some(Standing::Ok)
                && !self.addresses(network, member).is_empty()
        })
    }

    /// Returns the managed addresses of `member` on `network`.
    #[must_use]
    pub fn addresses(&self, network: NetworkId, member: NodeId) -> Vec<IpAddr> {
        let status = self.hosts[member.0].stack.networks.get(&network);
        status.map_or_else(Vec::new, |status| status.addresses.iter().map(|&(ip, _)| ip).collect())
    }

    /// Returns what `a` knows of `b`.
    #[must_use]
    pub fn peer(&self, a: NodeId, b: NodeId) -> Option<PeerStatus> {
        let address = self.address_of(b);
        self.node(a).peers(self.now).into_iter().find(|peer| peer.address == address)
    }

    /// Returns the path on which `a` sends to `b`.
    #[must_use]
    pub fn path(&self, a: NodeId, b: NodeId) -> Option<SocketAddr> {
        self.peer(a, b)?.path
    }

    /// Returns to how many others `node` has a path.
    #[must_use]
    pub fn path_count(&self, node: NodeId) -> usize {
        self.node(node).peers(self.now).iter().filter(|peer| peer.path.is_some()).count()
    }

    /// Returns how packets of `a` get to `b`.
    #[must_use]
    pub fn route(&self, a: NodeId, b: NodeId) -> Route {
        if self.path(a, b).is_some() { Route::Direct } else { Route::Relayed }
    }

    /// Returns how many datagrams arrived at `b` from `a` by themselves, not relayed.
    #[must_use]
    pub fn datagrams(&self, a: NodeId, b: NodeId) -> u64 {
        self.internet.arrived.get(&(a, b)).copied().unwrap_or(0)
    }

    /// Returns how many datagrams of `node` arrived anywhere.
    #[must_use]
    pub fn datagrams_from(&self, node: NodeId) -> u64 {
        let arrived = self.internet.arrived.iter();
        arrived.filter(|((from, _), _)| *from == node).map(|(_, count)| count).sum()
    }

    /// Returns how many datagrams arrived at `node`, whoever sent them.
    #[must_use]
    pub fn arrivals(&self, node: NodeId) -> u64 {
        let arrived = self.internet.arrived.iter();
        arrived.filter(|((_, to), _)| *to == node).map(|(_, count)| count).sum()
    }

    /// Returns how many bytes all nodes have sent to an address.
    #[must_use]
    pub fn bytes_to(&self, address: SocketAddr) -> usize {
        self.sent_to.get(&address).copied().unwrap_or(0)
    }

    /// Returns the addresses some node has sent anything to by UDP.
    pub fn destinations(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.sent_to.keys().copied()
    }

    /// Returns how many pings of `node` were answered.
    #[must_use]
    pub fn pongs(&self, node: NodeId) -> usize {
        self.hosts[node.0].stack.pongs.len()
    }

    /// Returns the last answer to a ping of `node`.
    #[must_use]
    pub fn last_pong(&self, node: NodeId) -> Option<Pong> {
        self.hosts[node.0].stack.pongs.last().copied()
    }

    /// Returns how many different data arrived at `node`.
    #[must_use]
    pub fn data_received(&self, node: NodeId) -> usize {
        self.hosts[node.0].stack.data.len()
    }

    /// Returns how many frames reached the host of `node` damaged, or not meant for it.
    #[must_use]
    pub fn strange_frames(&self, node: NodeId) -> u64 {
        self.hosts[node.0].stack.strange
    }

    /// Returns how often `node` was woken for the timer named `why`.
    #[must_use]
    pub fn wakeups(&self, node: NodeId) -> Vec<(&'static str, u64)> {
        self.hosts[node.0].wakeups.iter().map(|(&why, &count)| (why, count)).collect()
    }

    /// Forgets how often `node` was woken so far.
    pub fn forget_wakeups(&mut self, node: NodeId) {
        self.hosts[node.0].wakeups.clear();
    }

    /// Returns what `node` told its host, besides what to store, and when.
    #[must_use]
    pub fn events(&self, node: NodeId) -> &[(Instant, Event)] {
        &self.hosts[node.0].events
    }

    /// Returns what `node` has stored under `key`.
    #[must_use]
    pub fn stored(&self, node: NodeId, key: StoreKey) -> Option<&[u8]> {
        self.hosts[node.0].disk.get(&key).map(Vec::as_slice)
    }

    /// Returns what `node` dropped.
    #[must_use]
    pub fn drops(&self, node: NodeId) -> &Drops {
        self.node(node).drops()
    }

    /// Returns how often `node` dropped something for `reason`.
    #[must_use]
    pub fn dropped(&self, node: NodeId, reason: Rejected) -> u64 {
        self.drops(node).of(reason)
    }

    /// Returns what is told when a world did not settle.
    pub(super) fn unsettled(&self, limit: Duration) -> Unsettled {
        let waiting_for = self
            .earliest_wakeup()
            .map(|(node, wakeup)| (self.hosts[node.0].name.clone(), wakeup.at, wakeup.why));
        Unsettled { seed: self.seed, limit, waiting_for }
    }
}

/// Says where a failed test stood.
impl Drop for World {
    #[expect(clippy::print_stderr, reason = "this is what a failing test prints")]
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        eprintln!("world of seed {} at {:?}", self.seed, self.now);
        for host in &self.hosts {
            let drops = host.node.as_ref().map(Node::drops);
            eprintln!("{} {}: {:?}, dropped {drops:?}", host.name, host.address, host.power);
        }
        for line in trace::last_lines() {
            eprintln!("  {line}");
        }
    }
}
