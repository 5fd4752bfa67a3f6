//! The virtual networks this node has joined.
//!
//! ```text
//!  join ──> request ──> chunks ──> configuration ──> tables: who may, which addresses, which MTU
//!                                        └──> groups announced, credentials due
//!  credentials ──> members ──> tables: who is admitted
//!  multicast frame ──> groups ──> copies to members;  few known? ──> gather ──> more copies
//!  packet to an unknown next hop ──> resolution ──> question;  answer ──> waiting packets leave
//! ```
//!
//! Frames between two members that know each other never come here: the data plane reads
//! [`NetworkView`], which this module keeps true.
//!
//! Source: spec 03, except §8.

mod adhoc;
mod bridge;
mod chunks;
mod configuration;
mod credentials;
mod groups;
mod holdings;
mod members;
mod memory;
mod multicast;
mod rate;
mod resolution;
mod served;
mod verbs;

use core::net::IpAddr;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use foldhash::fast::FixedState;

use self::bridge::{BridgedGroups, Stations};
use self::chunks::Reassembly;
use self::configuration::Failure;
pub use self::credentials::Credentials;
use self::groups::Groups;
use self::members::Members;
use self::rate::RateLimit;
use self::served::Served;
use crate::address::{Address, Mac, MulticastGroup, NetworkId};
use crate::command::CommandError;
use crate::config::{NetworkConfig, Sso};
use crate::error::Rejected;
use crate::event::{Event, NetworkStatus, StoreKey};
use crate::fastpath::tables::{Admission, NetworkView};
use crate::identity::Directory;
use crate::limits::{CREDENTIAL_ACCEPT_PERIOD, NETWORK_MTU_DEFAULT, NETWORKS_MAX, SWEEP_PERIOD};
use crate::neighbor::Neighbors;
use crate::outbox::Ctx;
use crate::rules::{Filter, Holdings};
use crate::time::Instant;
use crate::transmit::{Frame, PortMode};

/// What the reference stores for a network that was joined and never configured.
const PLACEHOLDER: &[u8] = b"\n";

/// The networks this node has joined, and those whose multicast groups it keeps for others.
pub struct Networks {
    platform: &'static str,
    joined: BTreeMap<NetworkId, Network>,
    served: Served,
    pushes: RateLimit,
    refusals: RateLimit,
    /// Whether the user wants little to be sent.
    low_bandwidth: bool,
}

/// One network.
struct Network {
    id: NetworkId,
    mode: PortMode,
    low_bandwidth: bool,
    mac: Mac,
    config: Option<NetworkConfig>,
    /// What it takes, in bytes, with what the data plane was told of it.
    config_bytes: usize,
    /// How long it is as a dictionary, in bytes.
    config_len: usize,
    /// Why the controller does not (or not any more) configure this member.
    failure: Option<Failure>,
    /// Whether the controller has said unasked that it refuses, and not yet in answer to a request.
    doubted: bool,
    /// When a configuration was last taken over from the controller.
    updated: Option<Instant>,
    /// When one was last asked for, by which packet, and how often in vain.
    requested: Option<Instant>,
    asked: Option<u64>,
    /// When the user has to log in anew, if the configuration says and it is yet to come.
    login_ends: Option<Instant>,
    attempts: usize,
    chunks: Reassembly,
    members: Members,
    /// Credentials on their way, which have to keep their distance.
    pushes: VecDeque<Push>,
    /// Who is subscribed to what.
    groups: Groups,
    /// What this node is subscribed to: because of its addresses, because its host says so, and
    /// for the devices behind it.
    own_groups: BTreeSet<MulticastGroup>,
    host_groups: BTreeSet<MulticastGroup>,
    bridged_groups: BridgedGroups,
    /// Which bridges devices elsewhere are behind.
    stations: Stations,
    /// When all these were last announced to those who are asked for members.
    announced: Option<Instant>,
    /// Until when others are likely to be joining as well.
    settled: Instant,
    neighbors: Neighbors,
    /// Link-local addresses the host of an L3 port was seen to use, the latest last.
    link_locals: VecDeque<IpAddr>,
    /// What the host was last told.
    reported: Option<NetworkStatus>,
    next_announcement: Instant,
    next_sweep: Instant,
    wakeup: Instant,
}

/// A packet of credentials that leaves later.
struct Push {
    at: Instant,
    to: Address,
    body: Vec<u8>,
}

impl Networks {
    /// Returns a node's networks, of which there are none yet.
    ///
    /// `platform` is `platform/arch`, as controllers are told (spec 03 §2.2).
    #[must_use]
    pub fn new(platform: &'static str) -> Self {
        Self {
            platform,
            joined: BTreeMap::new(),
            served: Served::default(),
            pushes: RateLimit::new(CREDENTIAL_ACCEPT_PERIOD),
            refusals: RateLimit::new(CREDENTIAL_ACCEPT_PERIOD),
            low_bandwidth: false,
        }
    }

    /// Asks for configurations and announces groups less often from here on, or as often as usual.
    pub fn set_low_bandwidth(&mut self, low: bool) {
        self.low_bandwidth = low;
        for network in self.joined.values_mut() {
            network.low_bandwidth = low;
            network.next_announcement = Instant::ZERO;
            network.wakeup = Instant::ZERO;
        }
    }

    /// Joins a network, starting from the configuration that was saved, if one was. Joining twice
    /// changes only the mode.
    ///
    /// The first request leaves at once (spec 03 §2.1 allows it).
    ///
    /// # Errors
    ///
    /// [`CommandError::InvalidNetwork`] if nobody can be the controller of the network, and
    /// [`CommandError::TooMany`].
    pub fn join(
        &mut self,
        ctx: &mut Ctx<'_>,
        id: NetworkId,
        mode: PortMode,
        cached: Option<&[u8]>,
    ) -> Result<(), CommandError> {
        if id.controller().is_reserved() && !id.is_ad_hoc() {
            return Err(CommandError::InvalidNetwork(id));
        }
        let room = self.joined.len() < NETWORKS_MAX;
        match self.joined.entry(id) {
            Entry::Occupied(mut entry) => entry.get_mut().set_mode(ctx, mode),
            Entry::Vacant(_) if !room => return Err(CommandError::TooMany("networks")),
            Entry::Vacant(entry) => {
                let low_bandwidth = self.low_bandwidth;
                let network = Network { low_bandwidth, ..Network::new(ctx, id, mode) };
                let network = entry.insert(network);
                match cached {
                    Some(cached) => network.restore(ctx, cached),
                    None => network.store_placeholder(ctx),
                }
                network.request(ctx, self.platform);
                // Once, though an ad-hoc network has configured itself by now.
                network.report(ctx);
                network.schedule();
            }
        }
        Ok(())
    }

    /// Leaves a network and forgets everything about it. Nobody is told; the others forget by themselves.
    ///
    /// # Errors
    ///
    /// [`CommandError::NotJoined`].
    pub fn leave(&mut self, ctx: &mut Ctx<'_>, id: NetworkId) -> Result<(), CommandError> {
        self.joined.remove(&id).ok_or(CommandError::NotJoined(id))?;
        ctx.tables.remove_network(id);
        for key in [StoreKey::Network(id), StoreKey::NetworkSettings(id)] {
            ctx.out.events.push_back(Event::Store { key, value: None });
        }
        ctx.out.events.push_back(Event::NetworkLeft(id));
        Ok(())
    }

    /// Takes in that whoever was known as `address` was an impostor: what was certified to them
    /// counts for nothing, and networks they have configured start anew.
    pub fn disown(&mut self, ctx: &mut Ctx<'_>, address: Address) {
        for (&id, network) in &mut self.joined {
            if id.controller() == address && !id.is_ad_hoc() {
                let host_groups = core::mem::take(&mut network.host_groups);
                let low_bandwidth = self.low_bandwidth;
                let new = Network::new(ctx, id, network.mode);
                *network = Network { host_groups, low_bandwidth, ..new };
                network.store_placeholder(ctx);
                network.request(ctx, self.platform);
                network.report(ctx);
                network.schedule();
            } else {
                network.members.disown(address);
                network.expose_member(ctx, address);
            }
        }
    }

    /// Takes in that whoever is found at `address` is not who should be there.
    pub fn find_impostor(&mut self, ctx: &mut Ctx<'_>, address: Address) {
        for network in self.controlled_by(address) {
            network.find_impostor(ctx);
        }
    }

    /// Takes in that who should be at `address` is another by now, or anybody.
    pub fn look_again(&mut self, ctx: &mut Ctx<'_>, address: Address) {
        let platform = self.platform;
        for network in self.controlled_by(address) {
            network.look_again(ctx, platform);
            network.schedule();
        }
    }

    /// Returns the networks whose configuration is to come from the controller at `address`.
    fn controlled_by(&mut self, address: Address) -> impl Iterator<Item = &mut Network> {
        let controller = move |id: &NetworkId| id.controller() == address && !id.is_ad_hoc();
        self.joined.iter_mut().filter(move |(id, _)| controller(id)).map(|(_, network)| network)
    }

    /// Subscribes the host to a multicast group. The groups its managed addresses are resolved in,
    /// and on L3 ports those every host is in, need no subscription.
    ///
    /// # Errors
    ///
    /// [`CommandError::NotJoined`], and [`CommandError::TooMany`] if the host is in too many groups.
    pub fn subscribe(
        &mut self,
        ctx: &mut Ctx<'_>,
        id: NetworkId,
        group: MulticastGroup,
    ) -> Result<(), CommandError> {
        let network = self.joined.get_mut(&id).ok_or(CommandError::NotJoined(id))?;
        network.subscribe(ctx, group).map_err(|_| CommandError::TooMany("multicast groups"))
    }

    /// Ends a subscription. Nobody is told; the others forget by themselves.
    ///
    /// # Errors
    ///
    /// [`CommandError::NotJoined`].
    pub fn unsubscribe(
        &mut self,
        id: NetworkId,
        group: MulticastGroup,
    ) -> Result<(), CommandError> {
        let network = self.joined.get_mut(&id).ok_or(CommandError::NotJoined(id))?;
        network.unsubscribe(group);
        Ok(())
    }

    /// Returns every joined network, by ascending ID.
    #[must_use]
    pub fn statuses(&self) -> Vec<NetworkStatus> {
        self.joined.values().map(Network::status).collect()
    }

    /// Returns how the user logs in to a network that stands at `AuthenticationRequired`.
    #[must_use]
    pub fn login(&self, id: NetworkId) -> Option<&Sso> {
        self.joined.get(&id)?.login()
    }

    /// Returns the configuration a network works with.
    #[must_use]
    pub fn config(&self, id: NetworkId) -> Option<&NetworkConfig> {
        self.joined.get(&id)?.config.as_ref()
    }

    /// Returns who has to stay in contact: anchors and replicators (spec 03 §11).
    #[must_use]
    pub fn always_contact(&self) -> Vec<Address> {
        let specialists = self.joined.values().flat_map(|network| {
            network.with_role(|member| member.is_anchor() || member.is_replicator())
        });
        specialists.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn network(&mut self, id: NetworkId) -> Result<&mut Network, Rejected> {
        self.joined.get_mut(&id).ok_or(Rejected::UnknownNetwork)
    }
}

/// What the data plane and the host need of a network.
impl Networks {
    /// Asks a member whose certificate was revoked for a later one, because something was to be
    /// sent to it: it may have been let in again.
    pub fn demand_certificate(&mut self, ctx: &mut Ctx<'_>, id: NetworkId, member: Address) {
        if let Ok(network) = self.network(id) {
            network.demand_certificate(ctx, member);
        }
    }

    /// Shows our credentials to `to` if they are due, before a frame is sent to it.
    ///
    /// Due for whoever the data plane knows no [`MemberView`] of, and from `push_due` on.
    ///
    /// [`MemberView`]: crate::fastpath::tables::MemberView
    pub fn push_credentials(&mut self, ctx: &mut Ctx<'_>, id: NetworkId, to: Address) {
        if let Ok(network) = self.network(id) {
            network.push_if_due(ctx, to);
        }
    }

    /// Takes in that the device `mac` was heard from `bridge`, which is one.
    ///
    /// Needed when [`NetworkView::is_news`] says so.
    pub fn learn_station(&mut self, ctx: &mut Ctx<'_>, id: NetworkId, mac: Mac, bridge: Address) {
        if let Ok(network) = self.network(id) {
            network.learn_station(ctx, mac, bridge);
        }
    }

    /// Announces our multicast groups to `to` if they are due, after a frame of it was accepted.
    ///
    /// Due for whoever the data plane knows no [`MemberView`] of, and from `announce_due` on.
    ///
    /// [`MemberView`]: crate::fastpath::tables::MemberView
    pub fn announce(&mut self, ctx: &mut Ctx<'_>, id: NetworkId, to: Address) {
        if let Ok(network) = self.network(id) {
            network.heard(ctx, to);
        }
    }

    /// Sends a frame of the host's to the multicast group it is addressed to, or answers it in the
    /// place of a member whose address says it all.
    ///
    /// # Errors
    ///
    /// Why it was dropped.
    pub fn send_multicast(
        &mut self,
        ctx: &mut Ctx<'_>,
        id: NetworkId,
        frame: Frame<'_>,
    ) -> Result<(), Rejected> {
        self.network(id)?.send_multicast(ctx, frame)
    }

    /// Takes in a frame of address resolution that came by an L3 port's network.
    ///
    /// # Errors
    ///
    /// Why it was ignored.
    pub fn handle_neighbor(
        &mut self,
        ctx: &mut Ctx<'_>,
        id: NetworkId,
        frame: Frame<'_>,
    ) -> Result<(), Rejected> {
        self.network(id)?.handle_neighbor(ctx, frame)
    }

    /// Takes in that the host of an L3 port sends from a link-local address of its own choice.
    pub fn note_link_local(&mut self, ctx: &mut Ctx<'_>, id: NetworkId, ip: IpAddr) {
        if let Ok(network) = self.network(id) {
            network.note_link_local(ctx, ip);
        }
    }

    /// Sends an IP packet of an L3 port's host to a next hop the data plane does not know, now or
    /// when it is known where that is.
    ///
    /// # Errors
    ///
    /// Why the packet, or an older one in its place, was dropped.
    pub fn resolve(
        &mut self,
        ctx: &mut Ctx<'_>,
        id: NetworkId,
        next_hop: IpAddr,
        packet: &[u8],
    ) -> Result<(), Rejected> {
        self.network(id)?.resolve(ctx, next_hop, packet)
    }
}

/// Time.
impl Networks {
    /// Lets time pass. Calling early or twice is harmless.
    pub fn handle_timeout(&mut self, ctx: &mut Ctx<'_>, directory: &dyn Directory) {
        for network in self.joined.values_mut() {
            network.handle_timeout(ctx, directory, self.platform);
        }
        self.served.handle_timeout(ctx.now);
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let networks = self.joined.values().map(|network| (network.wakeup, "network"));
        let networks = networks.filter(|(at, _)| *at < Instant::FAR_FUTURE);
        let served = self.served.poll_timeout().map(|at| (at, "served_groups"));
        networks.chain(served).min()
    }
}

impl Network {
    fn new(ctx: &mut Ctx<'_>, id: NetworkId, mode: PortMode) -> Self {
        let mac = Mac::of_member(ctx.me.address(), id);
        let hasher = FixedState::with_seed(ctx.rng.u64());
        let view = NetworkView {
            admission: Admission::Nobody,
            filter: Filter::default(),
            own: Holdings::default(),
            strangers: Holdings::default(),
            mode,
            mac,
            mtu: NETWORK_MTU_DEFAULT,
            multicast_limit: 0,
            broadcast: false,
            bridges: BTreeSet::new(),
            stations: HashMap::with_hasher(hasher.clone()),
            members: HashMap::with_hasher(hasher.clone()),
            addresses: Vec::new(),
            routes: Vec::new(),
            neighbors: HashMap::with_hasher(hasher),
        };
        ctx.tables.insert_network(id, view);
        Self {
            id,
            mode,
            low_bandwidth: false,
            mac,
            config: None,
            config_bytes: 0,
            config_len: 0,
            failure: None,
            doubted: false,
            updated: None,
            requested: None,
            asked: None,
            login_ends: None,
            attempts: 0,
            chunks: Reassembly::default(),
            members: Members::default(),
            pushes: VecDeque::new(),
            groups: Groups::default(),
            own_groups: BTreeSet::new(),
            host_groups: BTreeSet::new(),
            bridged_groups: BridgedGroups::default(),
            stations: Stations::default(),
            announced: None,
            settled: Instant::ZERO,
            neighbors: Neighbors::default(),
            link_locals: VecDeque::new(),
            reported: None,
            next_announcement: Instant::ZERO,
            next_sweep: ctx.now + SWEEP_PERIOD,
            wakeup: Instant::ZERO,
        }
    }

    fn set_mode(&mut self, ctx: &mut Ctx<'_>, mode: PortMode) {
        self.mode = mode;
        self.link_locals.clear();
        self.expose(ctx);
        self.resubscribe(ctx);
    }

    fn handle_timeout(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        platform: &'static str,
    ) {
        if self.wakeup > ctx.now {
            return;
        }
        if self.request_due() <= ctx.now {
            self.request(ctx, platform);
        }
        for member in self.members.unidentified() {
            self.judge(ctx, directory, member);
        }
        self.send_due_pushes(ctx);
        self.announce_due(ctx, directory);
        self.gather_again(ctx);
        self.age_neighbors(ctx);
        self.sweep(ctx, directory);
        self.schedule();
    }

    /// Forgets what is of no use any more.
    ///
    /// Waits for something else to wake the node: there is always a request or an announcement
    /// within minutes.
    fn sweep(&mut self, ctx: &mut Ctx<'_>, directory: &dyn Directory) {
        if self.next_sweep > ctx.now {
            return;
        }
        self.next_sweep = ctx.now + SWEEP_PERIOD;
        self.groups.sweep(ctx.now);
        self.age_bridged(ctx);
        let Some(config) = &self.config else { return };
        self.members.sweep(config, directory);
        self.conceal_forgotten(ctx);
    }

    /// Makes sure that [`handle_timeout`](Self::handle_timeout) is called by `at`.
    fn wake_by(&mut self, at: Instant) {
        self.wakeup = self.wakeup.min(at);
    }

    /// Works out when there is something to do next.
    fn schedule(&mut self) {
        let announcement =
            (self.admission() != Admission::Nobody).then_some(self.next_announcement);
        let gather = self.groups.next_retry();
        let due = [announcement, self.next_push(), gather, self.neighbors.poll_timeout()];
        let due = due.into_iter().flatten().chain([self.request_due()]);
        self.wakeup = due.min().unwrap_or(Instant::FAR_FUTURE);
    }
}

#[cfg(test)]
mod tests;
