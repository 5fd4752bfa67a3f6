//! The physical world: who is attached where, and what becomes of a datagram on its way.
//!
//! There is one Internet and any number of LANs, each behind a translator. All LANs use the same
//! private addresses, as those of most homes do, so an address means something only where one is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use zt_protocol::endpoint::{Path, SocketId};
use zt_protocol::rng::Rng;
use zt_protocol::time::Instant;

use super::NodeId;
use super::link::Link;
use super::nat::{Nat, Translator};

/// The port every node is bound to.
pub(super) const PORT: u16 = 9993;

/// Names a LAN and the translator it is behind.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LanId(usize);

/// What an address is valid in.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Segment {
    Internet,
    Lan(LanId),
}

/// A datagram under way.
#[derive(Clone, Debug)]
pub(super) struct Datagram {
    /// Who sent it, however its source was translated.
    pub(super) from: NodeId,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) segment: Segment,
    pub(super) bytes: Vec<u8>,
}

/// A site whose hosts share a router.
struct Lan {
    router: Translator,
    /// How many private addresses were given out.
    hosts: u8,
}

/// The cables, the routers and who is plugged in where.
pub(super) struct Internet {
    /// How datagrams fare from one site to another.
    pub(super) wide: Link,
    /// How they fare inside a LAN.
    pub(super) local: Link,
    /// Pairs that cannot reach each other, each in both orders.
    pub(super) blocked: BTreeSet<(NodeId, NodeId)>,
    /// How many datagrams arrived from one node at another.
    pub(super) arrived: BTreeMap<(NodeId, NodeId), u64>,
    /// Where each node's sockets are: `SocketId(n)` is the n-th.
    attached: BTreeMap<NodeId, Vec<(Segment, SocketAddr)>>,
    /// The same the other way round.
    sockets: BTreeMap<(Segment, SocketAddr), (NodeId, SocketId)>,
    lans: Vec<Lan>,
    /// How many addresses of the Internet were given out.
    sites: u16,
    seed: u64,
}

impl Internet {
    /// Returns an Internet without anybody.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            wide: Link::new(Duration::from_millis(20)..=Duration::from_millis(20)),
            local: Link::new(Duration::from_micros(300)..=Duration::from_micros(300)),
            blocked: BTreeSet::new(),
            arrived: BTreeMap::new(),
            attached: BTreeMap::new(),
            sockets: BTreeMap::new(),
            lans: Vec::new(),
            sites: 0,
            seed,
        }
    }

    /// Returns an address of the Internet nobody has.
    fn new_site(&mut self) -> Ipv4Addr {
        self.sites += 1;
        let [high, low] = self.sites.to_be_bytes();
        Ipv4Addr::new(5, low, high, 1)
    }

    /// Makes a LAN behind a translator of kind `nat`.
    pub(super) fn new_lan(&mut self, nat: Nat) -> LanId {
        let outside = self.new_site();
        self.lans.push(Lan { router: Translator::new(nat, outside.into()), hosts: 0 });
        LanId(self.lans.len() - 1)
    }

    /// Attaches `node` to the Internet in place of wherever it was.
    pub(super) fn attach(&mut self, node: NodeId) {
        let address = SocketAddr::new(self.new_site().into(), PORT);
        self.plug_in(node, (Segment::Internet, address));
    }

    /// Attaches `node` to `lan` in place of wherever it was.
    pub(super) fn attach_to_lan(&mut self, node: NodeId, lan: LanId) {
        let Lan { router, hosts } = &mut self.lans[lan.0];
        let address = if router.is_transparent() {
            router.outside()
        } else {
            *hosts += 1;
            Ipv4Addr::new(192, 168, 1, 9 + *hosts).into()
        };
        self.plug_in(node, (Segment::Lan(lan), SocketAddr::new(address, PORT)));
    }

    /// Gives `node` an IPv6 address of the Internet as well, and a socket for it.
    pub(super) fn attach_v6(&mut self, node: NodeId) {
        let [_, site, ..] = self.new_site().octets();
        let address = format!("[2a05:{site:x}::1]:{PORT}").parse().expect("this is an endpoint");
        self.open(node, (Segment::Internet, address));
    }

    /// Binds every socket of `node` to another port.
    pub(super) fn rebind(&mut self, node: NodeId, port: u16) {
        for old in self.attached.remove(&node).unwrap_or_default() {
            self.sockets.remove(&old);
            let (segment, address) = old;
            self.open(node, (segment, SocketAddr::new(address.ip(), port)));
        }
    }

    /// Gives `node` one socket in place of those it had.
    fn plug_in(&mut self, node: NodeId, socket: (Segment, SocketAddr)) {
        for old in self.attached.remove(&node).unwrap_or_default() {
            self.sockets.remove(&old);
        }
        self.open(node, socket);
    }

    fn open(&mut self, node: NodeId, socket: (Segment, SocketAddr)) {
        let sockets = self.attached.entry(node).or_default();
        let id = SocketId(u32::try_from(sockets.len()).expect("a node has few sockets"));
        sockets.push(socket);
        self.sockets.insert(socket, (node, id));
    }

    /// Returns the addresses of `node`, as it knows them itself.
    pub(super) fn addresses(&self, node: NodeId) -> Vec<SocketAddr> {
        self.attached[&node].iter().map(|&(_, address)| address).collect()
    }

    /// Lets the translator of `lan` forget every mapping.
    pub(super) fn reset_translator(&mut self, lan: LanId) {
        self.lans[lan.0].router.reset();
    }

    /// Sends `bytes` from `node` on `path` and returns the copies that will arrive, and when.
    ///
    /// A datagram of few `hops` opens its own translator and dies behind it.
    pub(super) fn send(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        node: NodeId,
        path: Path,
        hops: Option<u8>,
        bytes: &[u8],
    ) -> Vec<(Instant, Datagram)> {
        let destination = path.remote;
        let mut arrivals = Vec::new();
        for (segment, source) in self.sources(node, path) {
            let Some((segment, source)) = self.leave(now, segment, source, destination) else {
                continue;
            };
            if segment == Segment::Internet && hops.is_some_and(|hops| hops <= 2) {
                continue;
            }
            let link = if segment == Segment::Internet { &self.wide } else { &self.local };
            for delay in link.copies(rng, self.seed, [source.ip(), destination.ip()]) {
                let bytes = bytes.to_vec();
                let datagram = Datagram { from: node, source, destination, segment, bytes };
                arrivals.push((now + delay, datagram));
            }
        }
        arrivals
    }

    /// Returns who gets `datagram` on which socket, if anybody does.
    pub(super) fn arrive(
        &mut self,
        now: Instant,
        datagram: &Datagram,
    ) -> Option<(NodeId, SocketId)> {
        let (segment, destination) = self.enter(now, datagram)?;
        let (node, socket) = *self.sockets.get(&(segment, destination))?;
        if self.blocked.contains(&(datagram.from, node)) {
            return None;
        }
        *self.arrived.entry((datagram.from, node)).or_default() += 1;
        Some((node, socket))
    }

    /// Returns the sockets a datagram leaves from: the one named, else all of the family.
    fn sources(&self, node: NodeId, path: Path) -> Vec<(Segment, SocketAddr)> {
        let sockets = &self.attached[&node];
        let named = usize::try_from(path.local.0).ok().and_then(|index| sockets.get(index));
        let fits = |at: &&(Segment, SocketAddr)| at.1.is_ipv4() == path.remote.is_ipv4();
        match named {
            Some(named) => Some(named).filter(fits).copied().into_iter().collect(),
            None => sockets.iter().filter(fits).copied().collect(),
        }
    }

    /// Takes a datagram past the router of its segment; returns where it goes on, from whom.
    fn leave(
        &mut self,
        now: Instant,
        segment: Segment,
        source: SocketAddr,
        destination: SocketAddr,
    ) -> Option<(Segment, SocketAddr)> {
        let Segment::Lan(lan) = segment else {
            return Some((segment, source));
        };
        if self.is_in(lan, destination.ip()) {
            return Some((segment, source));
        }
        let translator = &mut self.lans[lan.0].router;
        let translated = translator.outward(now, source, destination);
        let returns = destination.ip() == translator.outside();
        (!returns || translator.hairpins()).then_some((Segment::Internet, translated))
    }

    /// Takes a datagram past the router of its destination; returns where it is for.
    fn enter(&self, now: Instant, datagram: &Datagram) -> Option<(Segment, SocketAddr)> {
        let (source, destination) = (datagram.source, datagram.destination);
        let owner = self.lans.iter().position(|lan| lan.router.outside() == destination.ip());
        match (datagram.segment, owner) {
            (Segment::Internet, Some(lan)) => {
                let inside = self.lans[lan].router.inward(now, source, destination)?;
                Some((Segment::Lan(LanId(lan)), inside))
            }
            (segment, _) => Some((segment, destination)),
        }
    }

    fn is_in(&self, lan: LanId, ip: IpAddr) -> bool {
        self.attached.values().flatten().any(|at| at.0 == Segment::Lan(lan) && at.1.ip() == ip)
    }
}
