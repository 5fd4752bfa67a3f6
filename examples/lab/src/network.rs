//! The four nodes of the laboratory, and what makes them a network.
//!
//! ```text
//!                root                 knows who is where, relays until members are introduced
//!            /    |    \
//!   controller  alice  bob            says who is a member; members, each with a stack of its own
//! ```

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use zt_protocol::address::{Address, NetworkId};
use zt_protocol::event::{NetworkStatus, Route, Standing};
use zt_protocol::identity::{Identity, SecretIdentity};
use zt_protocol::rng::Rng;
use zt_protocol::time::UnixMillis;
use zt_protocol::world::{Root, World, WorldKey, WorldKind};
use zt_runtime::controller::NetworkSettings;
use zt_runtime::store::Home;
use zt_runtime::{Builder, Event, Handle, Port, RequestError, StartError};

use crate::capture::Tap;
use crate::report::{MemberReport, Millis, NodeReport};
use crate::stack::Stack;

/// Whatever can go wrong in a step; it is only ever shown.
pub(crate) type AnyError = Box<dyn Error + Send + Sync>;

/// All a node needs to start: a home directory with an identity in it, and a socket.
pub(crate) struct Site {
    pub(crate) name: &'static str,
    home: PathBuf,
    identity: Identity,
    socket: UdpSocket,
}

/// What a node is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// It is on the planet, and needs to be told no more than that.
    Root,
    /// It serves networks.
    Controller,
    /// It joins them.
    Member,
}

/// A running node.
pub(crate) struct LabNode {
    pub(crate) name: &'static str,
    pub(crate) handle: Handle,
    started: Instant,
    /// From its start until a root answered.
    online: Option<Duration>,
}

/// A node on the network, and the TCP/IP it uses there.
pub(crate) struct Member {
    pub(crate) node: LabNode,
    pub(crate) stack: Stack,
    pub(crate) v4: IpAddr,
    pub(crate) v6: IpAddr,
    /// From the node's start until it was on the network.
    network_ok: Duration,
    /// From the node's start until a member that was there before answered its first ping.
    pub(crate) first_reply: Option<Duration>,
}

/// Which of a member's addresses is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Site {
    /// Makes an identity, which takes a good part of a second, and opens a socket.
    pub(crate) fn make(name: &'static str, home: &Path) -> Result<Self, AnyError> {
        let secret = SecretIdentity::generate(&mut rng()?);
        Home::new(home).save_identity(&secret)?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self { name, home: home.to_owned(), identity: *secret.public(), socket })
    }

    /// Returns the node's address.
    pub(crate) fn address(&self) -> Address {
        self.identity.address()
    }

    /// Starts the node.
    pub(crate) async fn start(self, planet: &World, role: Role) -> Result<LabNode, StartError> {
        let started = Instant::now();
        let handle = Builder::new(self.home)
            .planet(planet.clone())
            .sockets([self.socket])
            .allow_loopback(true)
            .controller(role == Role::Controller)
            .start()
            .await?;
        Ok(LabNode { name: self.name, handle, started, online: None })
    }
}

impl LabNode {
    /// Returns how long ago the node was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns where the node's socket is bound.
    pub(crate) fn endpoint(&self) -> SocketAddr {
        self.handle.bound()[0]
    }

    /// Waits until a root has answered; returns how long that took from the node's start.
    pub(crate) async fn online(&mut self) -> Result<Duration, RequestError> {
        self.wait(|event| matches!(event, Event::Online(true)).then_some(())).await?;
        Ok(*self.online.insert(self.age()))
    }

    /// Waits until a network stands as it should.
    pub(crate) async fn standing(
        &self,
        network: NetworkId,
        standing: Standing,
    ) -> Result<NetworkStatus, RequestError> {
        self.wait(|event| match event {
            Event::Network(status) if status.id == network && status.standing == standing => {
                Some(*status)
            }
            _ => None,
        })
        .await
    }

    /// Joins a network with packets that come to this program.
    pub(crate) async fn join(&self, network: NetworkId) -> Result<(), RequestError> {
        self.handle.join(network, Port::Packets).await
    }

    /// Returns where packets to a peer are sent; `None` if roots relay them.
    pub(crate) async fn path_to(&self, peer: Address) -> Result<Option<SocketAddr>, RequestError> {
        let peers = self.handle.peers().await?;
        Ok(peers.iter().find(|status| status.address == peer).and_then(|status| status.path))
    }

    /// Returns how the node did.
    pub(crate) async fn report(&self) -> Result<NodeReport, RequestError> {
        let statistics = self.handle.statistics().await?;
        Ok(NodeReport {
            name: self.name,
            address: self.handle.address().to_string(),
            endpoint: self.endpoint(),
            online_ms: self.online.map(Millis::from),
            member: None,
            drops: NodeReport::drops(&statistics.drops, statistics.losses),
        })
    }

    async fn wait<T>(&self, mut pick: impl FnMut(Event) -> Option<T>) -> Result<T, RequestError> {
        while let Some(event) = self.handle.next_event().await {
            if let Some(picked) = pick(event) {
                return Ok(picked);
            }
        }
        Err(RequestError::Stopped)
    }
}

impl Member {
    /// Gives a node that is on a network, as `status` says, a stack to use it with.
    pub(crate) async fn new(
        node: LabNode,
        status: &NetworkStatus,
        tap: Option<Tap>,
    ) -> Result<Self, AnyError> {
        let network_ok = node.age();
        let mut addresses = status.addresses.iter().map(|&(ip, _)| ip);
        let (Some(v4), Some(v6)) =
            (addresses.clone().find(IpAddr::is_ipv4), addresses.find(IpAddr::is_ipv6))
        else {
            return Err("the network has not assigned an address of each family".into());
        };
        let stack = Stack::new(status, node.handle.packets(status.id).await?, tap);
        Ok(Self { node, stack, v4, v6, network_ok, first_reply: None })
    }

    /// Returns the member's address of one family.
    pub(crate) const fn address(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }

    /// Returns how the member did.
    pub(crate) async fn report(&self) -> Result<NodeReport, RequestError> {
        let counts = self.stack.counts();
        let member = MemberReport {
            virtual_addresses: [self.v4, self.v6],
            network_ok_ms: self.network_ok.into(),
            first_reply_ms: self.first_reply.map(Millis::from),
            packets_sent: counts.sent,
            packets_received: counts.received,
        };
        Ok(NodeReport { member: Some(member), ..self.node.report().await? })
    }
}

/// Returns a planet with only this root, and forgets the key that could change it.
pub(crate) fn planet_of(root: &Site) -> Result<World, AnyError> {
    let key = WorldKey::generate(&mut rng()?);
    let id = root.address().to_u64();
    let endpoints = vec![root.socket.local_addr()?];
    let roots = vec![Root { identity: root.identity, endpoints }];
    Ok(World::sign(WorldKind::Planet, id, wall_clock(), roots, &key, key.public())?)
}

/// Returns a private network of two families of addresses.
pub(crate) fn settings() -> NetworkSettings {
    let ip = |last| Ipv4Addr::new(10, 76, 0, last).into();
    NetworkSettings {
        name: "lab".to_owned(),
        private: true,
        pools: vec![(ip(1), ip(254))],
        routes: vec![Route { target: ip(0), bits: 24, via: None }],
        six_plane: true,
        rfc4193: false,
    }
}

fn wall_clock() -> UnixMillis {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
}

fn rng() -> Result<Rng, getrandom::Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(Rng::from_seed(seed))
}
