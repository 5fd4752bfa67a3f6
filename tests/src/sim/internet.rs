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

/// Where the TCP relay is.
const TCP_RELAY: Ipv4Addr = Ipv4Addr::new(204, 80, 128, 1);

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

/// A site whose hosts share a router for each family.
#[derive(Default)]
struct Lan {
    routers: Vec<Router>,
    /// How many private addresses were given out.
    hosts: u8,
}

/// Where a site ends.
struct Router {
    translator: Translator,
    /// What it is plugged into.
    beyond: Segment,
}

/// Where a node is put.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// What is between its IPv4 address and everybody else. A firewall that lets the same in is
    /// between them and its IPv6 address.
    pub nat: Option<Nat>,
    /// What is between that translator and the Internet.
    pub carrier: Option<Nat>,
    /// Which addresses it has.
    pub families: Families,
}

/// Which addresses a node has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Families {
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
    /// Both.
    Both,
}

/// The cables, the routers and who is plugged in where.
pub(super) struct Internet {
    /// How datagrams fare from one site to another.
    pub(super) wide: Link,
    /// How they fare inside a LAN.
    pub(super) local: Link,
    /// Pairs that cannot reach each other, each in both orders.
    pub(super) blocked: BTreeSet<(NodeId, NodeId)>,
    /// Addresses whose uplinks are cut.
    pub(super) cut: BTreeSet<IpAddr>,
    /// Nodes whose sites let no UDP pass.
    pub(super) without_udp: BTreeSet<NodeId>,
    /// Where the TCP relay stands for each node that has a connection to it.
    pub(super) tcp_relays: BTreeMap<NodeId, SocketAddr>,
    /// Of whom it says that they are where they are not.
    pub(super) tcp_relay_lies: BTreeMap<SocketAddr, SocketAddr>,
    /// How many ports it has opened so far: a connection is given a port of its own.
    tcp_relay_ports: u16,
    /// How many datagrams arrived from one node at another.
    pub(super) arrived: BTreeMap<(NodeId, NodeId), u64>,
    /// Where each node's sockets are: `SocketId(n)` is the n-th, `None` if it is closed.
    attached: BTreeMap<NodeId, Vec<Option<(Segment, SocketAddr)>>>,
    /// The same the other way round.
    sockets: BTreeMap<(Segment, SocketAddr), (NodeId, SocketId)>,
    lans: Vec<Lan>,
    /// Which LAN the router at an address leads to.
    routers: BTreeMap<(Segment, IpAddr), LanId>,
    /// How many addresses of the Internet were given out.
    sites: u32,
    seed: u64,
}

impl Internet {
    /// Returns an Internet without anybody.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            wide: Link::new(Duration::from_millis(20)..=Duration::from_millis(20)),
            local: Link::new(Duration::from_micros(300)..=Duration::from_micros(300)),
            blocked: BTreeSet::new(),
            cut: BTreeSet::new(),
            without_udp: BTreeSet::new(),
            tcp_relays: BTreeMap::new(),
            tcp_relay_lies: BTreeMap::new(),
            tcp_relay_ports: 0,
            arrived: BTreeMap::new(),
            attached: BTreeMap::new(),
            sockets: BTreeMap::new(),
            lans: Vec::new(),
            routers: BTreeMap::new(),
            sites: 0,
            seed,
        }
    }

    /// Returns an address of the Internet nobody has.
    fn new_site(&mut self) -> Ipv4Addr {
        self.sites += 1;
        let [_, more, high, low] = self.sites.to_be_bytes();
        Ipv4Addr::new(5 + more, low, high, 1)
    }

    /// Makes a LAN behind a translator of kind `nat`.
    pub(super) fn new_lan(&mut self, nat: Nat) -> LanId {
        let outside = self.new_site();
        let lan = self.empty_lan();
        self.add_router(lan, nat, outside.into(), Segment::Internet);
        lan
    }

    /// Makes a LAN behind a translator of kind `nat` that is itself in the LAN `carrier`.
    pub(super) fn new_lan_in(&mut self, carrier: LanId, nat: Nat) -> LanId {
        let outside = self.customer(carrier);
        let lan = self.empty_lan();
        self.add_router(lan, nat, outside.into(), Segment::Lan(carrier));
        lan
    }

    /// Returns an address that providers give customers who share one.
    fn customer(&mut self, carrier: LanId) -> Ipv4Addr {
        let hosts = &mut self.lans[carrier.0].hosts;
        *hosts += 1;
        Ipv4Addr::new(100, 64, 0, 9 + *hosts)
    }

    fn empty_lan(&mut self) -> LanId {
        self.lans.push(Lan::default());
        LanId(self.lans.len() - 1)
    }

    fn add_router(&mut self, lan: LanId, nat: Nat, outside: IpAddr, beyond: Segment) {
        let translator = Translator::new(nat, outside);
        self.lans[lan.0].routers.push(Router { translator, beyond });
        self.routers.insert((beyond, outside), lan);
    }

    /// Puts `node` where `site` says.
    pub(super) fn settle(&mut self, node: NodeId, site: Site) {
        let Some(nat) = site.nat else {
            if site.families != Families::V6 {
                self.attach(node);
            }
            if site.families != Families::V4 {
                self.attach_v6(node);
            }
            return;
        };
        let lan = self.empty_lan();
        if site.families != Families::V6 {
            let (outside, beyond) = match site.carrier {
                None => (self.new_site(), Segment::Internet),
                Some(carrier) => {
                    let between = self.new_lan(carrier);
                    (self.customer(between), Segment::Lan(between))
                }
            };
            self.add_router(lan, nat, outside.into(), beyond);
            self.attach_to_lan(node, lan);
        }
        if site.families != Families::V4 {
            let address = self.new_site_v6();
            let firewall = Nat { mapping: None, ..nat };
            self.add_router(lan, firewall, address.ip(), Segment::Internet);
            self.open(node, (Segment::Lan(lan), address));
        }
    }

    /// Attaches `node` to the Internet in place of wherever it was.
    pub(super) fn attach(&mut self, node: NodeId) {
        let address = SocketAddr::new(self.new_site().into(), PORT);
        self.plug_in(node, (Segment::Internet, address));
    }

    /// Attaches `node` to `lan` in place of wherever it was.
    pub(super) fn attach_to_lan(&mut self, node: NodeId, lan: LanId) {
        let Lan { routers, hosts } = &mut self.lans[lan.0];
        let router = routers.iter().find(|router| router.translator.outside().is_ipv4());
        let translator = &router.expect("hosts of this LAN have IPv4").translator;
        let address = if translator.is_transparent() {
            translator.outside()
        } else {
            *hosts += 1;
            Ipv4Addr::new(192, 168, 1, 9 + *hosts).into()
        };
        self.plug_in(node, (Segment::Lan(lan), SocketAddr::new(address, PORT)));
    }

    /// Gives `node` another IPv4 address of the Internet as well, and a socket for it.
    pub(super) fn attach_again(&mut self, node: NodeId) {
        let address = SocketAddr::new(self.new_site().into(), PORT);
        self.open(node, (Segment::Internet, address));
    }

    /// Gives `node` an IPv6 address of the Internet as well, and a socket for it.
    pub(super) fn attach_v6(&mut self, node: NodeId) {
        let address = self.new_site_v6();
        self.open(node, (Segment::Internet, address));
    }

    /// Returns an IPv6 address nobody has, and the port nodes are bound to.
    fn new_site_v6(&mut self) -> SocketAddr {
        let [_, site, ..] = self.new_site().octets();
        format!("[2a05:{site:x}::1]:{PORT}").parse().expect("this is an endpoint")
    }

    /// Binds every socket of `node` to another port.
    pub(super) fn rebind(&mut self, node: NodeId, port: u16) {
        for old in self.attached.remove(&node).unwrap_or_default().into_iter().flatten() {
            self.sockets.remove(&old);
            let (segment, address) = old;
            self.open(node, (segment, SocketAddr::new(address.ip(), port)));
        }
    }

    /// Binds another port of every address of `node` as well.
    pub(super) fn add_port(&mut self, node: NodeId, port: u16) {
        for (segment, address) in self.attached[&node].clone().into_iter().flatten() {
            self.open(node, (segment, SocketAddr::new(address.ip(), port)));
        }
    }

    /// Gives `node` other addresses of the Internet for those it has, with sockets at the same ports.
    /// Returns the sockets that are closed.
    pub(super) fn exchange_addresses(&mut self, node: NodeId) -> Vec<SocketId> {
        let (v4, v6) = (IpAddr::from(self.new_site()), self.new_site_v6().ip());
        let before = self.attached[&node].len();
        let mut closed = Vec::new();
        for index in 0..before {
            let sockets = self.attached.get_mut(&node).expect("the node is attached");
            let Some(old) = sockets[index].take() else { continue };
            self.sockets.remove(&old);
            let new = if old.1.is_ipv4() { v4 } else { v6 };
            self.open(node, (Segment::Internet, SocketAddr::new(new, old.1.port())));
            closed.push(SocketId(u32::try_from(index).expect("a node has few sockets")));
        }
        closed
    }

    /// Gives `node` one socket in place of those it had.
    fn plug_in(&mut self, node: NodeId, socket: (Segment, SocketAddr)) {
        for old in self.attached.remove(&node).unwrap_or_default().into_iter().flatten() {
            self.sockets.remove(&old);
        }
        self.open(node, socket);
    }

    fn open(&mut self, node: NodeId, socket: (Segment, SocketAddr)) {
        let sockets = self.attached.entry(node).or_default();
        let id = SocketId(u32::try_from(sockets.len()).expect("a node has few sockets"));
        sockets.push(Some(socket));
        self.sockets.insert(socket, (node, id));
    }

    /// Returns the addresses of `node`, as it knows them itself.
    pub(super) fn addresses(&self, node: NodeId) -> Vec<SocketAddr> {
        self.attached[&node].iter().flatten().map(|&(_, address)| address).collect()
    }

    /// Lets the translator of `lan` forget every mapping.
    pub(super) fn reset_translator(&mut self, lan: LanId) {
        for router in &mut self.lans[lan.0].routers {
            router.translator.reset();
        }
    }

    /// Lets the TCP relay stand for `node` at a port of its own.
    pub(super) fn open_tcp_relay(&mut self, node: NodeId) {
        let address = SocketAddr::new(TCP_RELAY.into(), 40_000 + self.tcp_relay_ports);
        self.tcp_relay_ports += 1;
        self.tcp_relays.insert(node, address);
        self.sockets.insert((Segment::Internet, address), (node, SocketId::TCP_RELAY));
    }

    /// Lets it stand for `node` no more.
    pub(super) fn close_tcp_relay(&mut self, node: NodeId) {
        if let Some(address) = self.tcp_relays.remove(&node) {
            self.sockets.remove(&(Segment::Internet, address));
        }
    }

    /// Returns the path by which a node is told that something came that came on `path`.
    pub(super) fn as_told(&self, path: Path) -> Path {
        let lie = self.tcp_relay_lies.get(&path.remote).filter(|_| path.is_through_tcp_relay());
        Path { remote: lie.copied().unwrap_or(path.remote), ..path }
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
        if socket != SocketId::TCP_RELAY && self.without_udp.contains(&node) {
            return None;
        }
        if self.blocked.contains(&(datagram.from, node)) {
            return None;
        }
        if [destination, datagram.source].iter().any(|end| self.cut.contains(&end.ip())) {
            return None;
        }
        *self.arrived.entry((datagram.from, node)).or_default() += 1;
        Some((node, socket))
    }

    /// Returns the sockets a datagram leaves from: the one named, else all of the family. One that
    /// is closed names nothing.
    fn sources(&self, node: NodeId, path: Path) -> Vec<(Segment, SocketAddr)> {
        if path.is_through_tcp_relay() {
            let relay = self.tcp_relays.get(&node);
            return relay.map(|&relay| (Segment::Internet, relay)).into_iter().collect();
        }
        if self.without_udp.contains(&node) {
            return Vec::new();
        }
        let sockets = &self.attached[&node];
        let named =
            usize::try_from(path.local.0).ok().and_then(|index| sockets.get(index)?.as_ref());
        let fits = |at: &&(Segment, SocketAddr)| at.1.is_ipv4() == path.remote.is_ipv4();
        match named {
            Some(named) => Some(named).filter(fits).copied().into_iter().collect(),
            None => sockets.iter().flatten().filter(fits).copied().collect(),
        }
    }

    /// Takes a datagram past the routers of its sender; returns where it goes on, from whom.
    fn leave(
        &mut self,
        now: Instant,
        mut segment: Segment,
        mut source: SocketAddr,
        destination: SocketAddr,
    ) -> Option<(Segment, SocketAddr)> {
        while let Segment::Lan(lan) = segment {
            if self.is_in(lan, destination.ip()) {
                break;
            }
            let is_ipv4 = source.is_ipv4();
            let mut routers = self.lans[lan.0].routers.iter_mut();
            let Router { translator, beyond } =
                routers.find(|router| router.translator.outside().is_ipv4() == is_ipv4)?;
            source = translator.outward(now, source, destination);
            if destination.ip() == translator.outside() && !translator.hairpins() {
                return None;
            }
            segment = *beyond;
        }
        Some((segment, source))
    }

    /// Takes a datagram past the routers of its destination; returns where it is for.
    fn enter(&mut self, now: Instant, datagram: &Datagram) -> Option<(Segment, SocketAddr)> {
        let Datagram { source, mut destination, mut segment, .. } = *datagram;
        while let Some((lan, translator)) = self.router_at(segment, destination.ip()) {
            destination = translator.inward(now, source, destination)?;
            segment = Segment::Lan(lan);
        }
        Some((segment, destination))
    }

    /// Returns the router that has the address `ip` in `segment`, and the site it leads to.
    fn router_at(&mut self, segment: Segment, ip: IpAddr) -> Option<(LanId, &mut Translator)> {
        let lan = *self.routers.get(&(segment, ip))?;
        let mut routers = self.lans[lan.0].routers.iter_mut();
        let router = routers.find(|router| router.translator.outside() == ip)?;
        Some((lan, &mut router.translator))
    }

    fn is_in(&self, lan: LanId, ip: IpAddr) -> bool {
        let [first, last] =
            [0, u16::MAX].map(|port| (Segment::Lan(lan), SocketAddr::new(ip, port)));
        self.sockets.range(first..=last).next().is_some()
    }
}
