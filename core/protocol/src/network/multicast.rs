//! Multicast: which groups this node is in, and how a frame reaches the members of one.
//!
//! Source: spec 03 §9.2, §9.5 to §9.7, §10.2 item 1, §10.3.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::collections::BTreeSet;

use super::Network;
use super::groups::Pending;
use crate::address::{Address, Mac, MulticastGroup};
use crate::config::Specialist;
use crate::error::Rejected;
use crate::fastpath::filter::{self, Crossing};
use crate::fastpath::tables::Admission;
use crate::identity::Directory;
use crate::limits::{
    ANNOUNCE_PERIOD, ANNOUNCE_SILENT_TIMEOUT, BODY_LEN_SENT_MAX, GATHER_TARGETS_MAX,
    LOW_BANDWIDTH_PERIOD, NETWORK_CHECK_PERIOD, SUBSCRIPTIONS_MAX,
};
use crate::neighbor::{arp, ndp};
use crate::outbox::{Ctx, OwnedFrame, Received};
use crate::rules::Direction;
use crate::time::Instant;
use crate::transmit::{Frame, PortMode};
use crate::verb::Verb;
use crate::wire::ethernet::{self, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use crate::wire::multicast::{Gather, Gathered, MulticastFrame, write_likes};

/// Groups every IP host is in.
const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// A frame on its way to a group.
#[derive(Clone, Copy)]
struct Cast<'a> {
    group: MulticastGroup,
    /// Who it is from, if not this node.
    source: Option<Mac>,
    ethertype: u16,
    payload: &'a [u8],
    /// Who has it already, because it asked for it to be distributed.
    origin: Option<Address>,
}

/// Subscriptions.
impl Network {
    /// Works out which groups the configuration puts this node in, and announces those it was not
    /// in before.
    pub(super) fn resubscribe(&mut self, ctx: &mut Ctx<'_>) {
        let Some(config) = &self.config else { return };
        let addresses = config.addresses.iter().map(|&(ip, _)| ip);
        let addresses = addresses.chain(self.link_locals.iter().copied());
        let mut groups: BTreeSet<_> = addresses.map(MulticastGroup::resolving).collect();
        if self.mode == PortMode::L3 {
            groups.insert(MulticastGroup::of_mac(Mac::of_ipv4_group(ALL_HOSTS)));
            groups.insert(MulticastGroup::of_mac(Mac::of_ipv6_group(ALL_NODES)));
        }
        let new: Vec<_> = groups.difference(&self.own_groups).copied().collect();
        self.own_groups = groups;
        // The first announcement is of all groups and comes by itself.
        if self.announced.is_some() {
            self.announce_new(ctx, &new);
        }
    }

    /// Subscribes the host to `group`. Nothing happens if it is.
    ///
    /// # Errors
    ///
    /// [`Rejected::Full`] if the host is in too many groups.
    pub(super) fn subscribe(
        &mut self,
        ctx: &mut Ctx<'_>,
        group: MulticastGroup,
    ) -> Result<(), Rejected> {
        if self.host_groups.len() >= SUBSCRIPTIONS_MAX && !self.host_groups.contains(&group) {
            return Err(Rejected::Full);
        }
        if self.host_groups.insert(group) && !self.own_groups.contains(&group) {
            self.announce_new(ctx, &[group]);
        }
        Ok(())
    }

    /// Ends the host's subscription to `group`. Nobody is told; the others forget by themselves.
    pub(super) fn unsubscribe(&mut self, group: MulticastGroup) {
        self.host_groups.remove(&group);
    }

    /// Returns every group this node is subscribed to.
    pub(super) fn all_groups(&self) -> BTreeSet<MulticastGroup> {
        let broadcasts = self.config.as_ref().is_some_and(|config| config.broadcast());
        let implicit = broadcasts.then_some(MulticastGroup::BROADCAST);
        let explicit = self.own_groups.iter().chain(&self.host_groups);
        explicit.chain(self.bridged_groups.iter()).copied().chain(implicit).collect()
    }

    /// Returns who is told of all groups because others ask it for members: the controller, the
    /// roots, anchors and replicators.
    fn registrars(&self, ctx: &Ctx<'_>) -> BTreeSet<Address> {
        let specialists =
            self.with_role(|member| Specialist::is_anchor(member) || member.is_replicator());
        let all = [self.id.controller()].into_iter().chain(ctx.tables.upstreams.iter().copied());
        all.chain(specialists)
            .filter(|&node| node != ctx.me.address() && !node.is_reserved())
            .collect()
    }

    fn announce(&self, ctx: &mut Ctx<'_>, to: Address, groups: &[MulticastGroup]) {
        let likes: Vec<_> = groups.iter().map(|&group| (self.id, group)).collect();
        for body in write_likes(&likes) {
            ctx.out.send(to, Verb::MulticastLike, body);
        }
    }

    /// Tells everybody who should know of groups this node was not in before.
    pub(super) fn announce_new(&self, ctx: &mut Ctx<'_>, groups: &[MulticastGroup]) {
        if groups.is_empty() || self.admission() == Admission::Nobody {
            return;
        }
        let registrars = self.registrars(ctx);
        let public = self.admission() == Admission::Everybody;
        let members = self.members.iter().filter(|(_, member)| public || member.admitted);
        let members = members.map(|(address, _)| address);
        let others = members.filter(|to| !registrars.contains(to) && *to != ctx.me.address());
        for &to in registrars.iter().chain(&others.collect::<Vec<_>>()) {
            self.announce(ctx, to, groups);
        }
    }

    /// Announces all groups to `to`, which passes the gate, unless it was told lately.
    pub(super) fn announce_to(&mut self, ctx: &mut Ctx<'_>, to: Address) {
        if self.config.is_none() || to == ctx.me.address() {
            return;
        }
        let period = self.announce_period();
        let Ok(member) = self.members.record(ctx, to) else { return };
        if member.announce_due() > ctx.now {
            return;
        }
        member.note_announcement(ctx.now + period);
        self.expose_member(ctx, to);
        // Announcements count only from those who have shown that they are members. The reference
        // announces first and is not heard for a minute.
        self.push_if_due(ctx, to);
        let groups: Vec<_> = self.all_groups().into_iter().collect();
        self.announce(ctx, to, &groups);
        self.wake_to_announce(ctx.now);
    }

    /// Takes in that a frame of `from`, which passes the gate, has arrived.
    pub(super) fn heard(&mut self, ctx: &mut Ctx<'_>, from: Address) {
        if let Ok(member) = self.members.record(ctx, from) {
            member.heard = ctx.now;
        }
        self.announce_to(ctx, from);
    }

    /// Returns how often groups are announced to whoever should know.
    const fn announce_period(&self) -> Duration {
        if self.low_bandwidth { LOW_BANDWIDTH_PERIOD } else { ANNOUNCE_PERIOD }
    }

    /// Announces all groups to everybody who should know and has not been told lately.
    pub(super) fn announce_due(&mut self, ctx: &mut Ctx<'_>, directory: &dyn Directory) {
        if self.admission() == Admission::Nobody || self.next_announcement > ctx.now {
            return;
        }
        let groups: Vec<_> = self.all_groups().into_iter().collect();
        let registrars = self.registrars(ctx);
        let period = self.announce_period();
        if ctx.now.is_due(self.announced, period) {
            self.announced = Some(ctx.now);
            for &to in &registrars {
                self.announce(ctx, to, &groups);
            }
        }

        let public = self.admission() == Admission::Everybody;
        let mut told = Vec::new();
        let mut next = self.announced.map_or(ctx.now, |announced| announced + period);
        for (address, member) in self.members.iter_mut() {
            let passes = public || member.admitted;
            let silent = ctx.now.since(member.heard) >= ANNOUNCE_SILENT_TIMEOUT;
            let known = directory.identity(address).is_some();
            if !passes || silent || !known || registrars.contains(&address) {
                continue;
            }
            if member.announce_due() <= ctx.now {
                member.note_announcement(ctx.now + period);
                told.push(address);
            }
            next = next.min(member.announce_due());
        }
        for to in told {
            self.expose_member(ctx, to);
            self.announce(ctx, to, &groups);
        }
        self.next_announcement = next.max(ctx.now + NETWORK_CHECK_PERIOD);
    }

    /// Lets [`announce_due`](Self::announce_due) look within the period of checks.
    pub(super) fn wake_to_announce(&mut self, now: Instant) {
        self.next_announcement = self.next_announcement.min(now + NETWORK_CHECK_PERIOD);
        self.wake_by(self.next_announcement);
    }
}

/// Sending.
impl Network {
    /// Sends a frame of the host's to the members of the group it is addressed to.
    pub(super) fn send_multicast(
        &mut self,
        ctx: &mut Ctx<'_>,
        frame: Frame<'_>,
    ) -> Result<(), Rejected> {
        let Some(config) = self.config.as_ref().filter(|_| self.admission() != Admission::Nobody)
        else {
            return Err(Rejected::NotAMember);
        };
        let bridged = frame.source != self.mac;
        if bridged && !self.is_bridge(ctx.me.address()) {
            return Err(Rejected::ForeignSource);
        }
        let Frame { destination, ethertype, payload, .. } = frame;
        let asked = if ethertype == ETHERTYPE_ARP { arp::target_of_request(payload) } else { None };
        let group = match asked {
            Some(ip) if destination == Mac::BROADCAST => MulticastGroup::resolving(ip.into()),
            _ if destination == Mac::BROADCAST && !config.broadcast() => {
                return Err(Rejected::Filtered);
            }
            _ => MulticastGroup::of_mac(destination),
        };
        if self.mode == PortMode::L2
            && ethertype == ETHERTYPE_IPV6
            && destination != Mac::BROADCAST
            && config.ndp_emulation()
            && let Some((member, advertisement)) =
                ndp::emulate(self.id, ctx.me.address(), &config.addresses, payload)
        {
            self.deliver_emulated(ctx, member, frame.source, advertisement);
            return Ok(());
        }
        if config.multicast_limit == 0 {
            return Err(Rejected::Filtered);
        }
        if bridged {
            self.learn_bridged_group(ctx, group);
        }

        self.ask_rules(ctx, Direction::Outbound, Address::NULL, frame)?;
        let source = bridged.then_some(frame.source);
        self.distribute(ctx, Cast { group, source, ethertype, payload, origin: None })
    }

    fn deliver_emulated(&self, ctx: &mut Ctx<'_>, source: Mac, destination: Mac, payload: Vec<u8>) {
        let (network, ethertype) = (self.id, ETHERTYPE_IPV6);
        let frame = OwnedFrame { network, destination, source, ethertype, payload };
        ctx.out.deliveries.push_back(frame);
    }

    /// Judges a frame of a group by the network's rules: one of `peer`, one to it, or one to all
    /// who may get it. One to `peer` has been judged for all before.
    fn ask_rules(
        &self,
        ctx: &mut Ctx<'_>,
        direction: Direction,
        peer: Address,
        frame: Frame<'_>,
    ) -> Result<(), Rejected> {
        let copied = direction == Direction::Outbound && peer != Address::NULL;
        let crossing = Crossing { network: self.id, direction, peer, frame, copied };
        filter::judge(ctx.tables, ctx.rng, ctx.out, crossing).map(drop)
    }

    /// Gets `cast` to as many members of its group as may have it: by a replicator if there is
    /// one, else one by one, and those nobody has told us of yet as soon as somebody does.
    fn distribute(&mut self, ctx: &mut Ctx<'_>, cast: Cast<'_>) -> Result<(), Rejected> {
        if self.message(cast, 1).write().len() > BODY_LEN_SENT_MAX {
            return Err(Rejected::FrameTooBig);
        }
        if let Some(replicator) = self.replicator(ctx) {
            let source = Some(cast.source.unwrap_or(self.mac));
            let message = MulticastFrame { source, replicate: true, ..self.message(cast, 0) };
            ctx.out.send(replicator, Verb::MulticastFrame, message.write());
            return Ok(());
        }

        let limit = self.config.as_ref().map_or(0, |config| config.multicast_limit);
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let known = self.groups.members(cast.group, ctx.rng);
        let enough = known.len() >= most;
        let wanted = u32::try_from(known.len())
            .map_or(1, |known| limit.saturating_sub(known).saturating_add(1));
        let nobody = known.is_empty();
        if !enough && self.groups.gather_due(ctx.now, cast.group, known.len())? {
            self.gather(ctx, cast.group, wanted);
            if nobody && ctx.now < self.settled {
                self.groups.plan_retry(ctx.now, cast.group, 0);
                self.wake_for_gathers();
            }
        }

        let bridges: BTreeSet<_> = self.with_role(Specialist::is_active_bridge).collect();
        let others = known.into_iter().filter(|member| !bridges.contains(member));
        let skip = [Some(ctx.me.address()), cast.origin];
        let recipients = bridges.iter().copied().chain(others);
        let recipients: Vec<_> =
            recipients.filter(|&to| !skip.contains(&Some(to))).take(most).collect();
        let body = self.message(cast, if enough { 1 } else { wanted }).write();
        for &to in &recipients {
            self.send_copy(ctx, to, body.clone());
        }

        let remaining = most - recipients.len();
        if !enough && remaining > 0 && ctx.is_full {
            ctx.out.refused.push_back(Rejected::Full);
        } else if !enough && remaining > 0 {
            let reached = recipients.into_iter().chain(skip.into_iter().flatten()).collect();
            let (group, since) = (cast.group, ctx.now);
            self.groups.hold(Pending { group, since, body, reached, remaining });
        }
        Ok(())
    }

    fn message<'a>(&self, cast: Cast<'a>, gather_limit: u32) -> MulticastFrame<'a> {
        let Cast { group, source, ethertype, payload, .. } = cast;
        MulticastFrame {
            network: self.id,
            membership: None,
            gather_limit,
            source,
            replicate: false,
            group,
            ethertype,
            payload,
        }
    }

    /// Sends a MULTICAST_FRAME to `to`, unless rules keep the frame from it in particular.
    fn send_copy(&mut self, ctx: &mut Ctx<'_>, to: Address, body: Vec<u8>) {
        let Ok(message) = MulticastFrame::read(&body) else { return };
        let frame = message.frame(self.mac);
        match self.ask_rules(ctx, Direction::Outbound, to, frame) {
            Ok(()) => {}
            Err(Rejected::NotAMember) => return self.demand_certificate(ctx, to),
            Err(_) => return,
        }
        self.push_if_due(ctx, to);
        ctx.out.send(to, Verb::MulticastFrame, body);
    }

    /// Returns a node to leave the work to, if there is one that is reached directly.
    fn replicator(&self, ctx: &Ctx<'_>) -> Option<Address> {
        let me = ctx.me.address();
        if self.is_bridge(me) || self.is_replicator(me) {
            return None;
        }
        let reached =
            |node: &Address| ctx.tables.peer(*node).is_some_and(|peer| peer.path.is_some());
        self.with_role(Specialist::is_replicator).find(reached)
    }

    /// Asks again for the members of groups that nobody was known to be in.
    pub(super) fn gather_again(&mut self, ctx: &mut Ctx<'_>) {
        let limit = self.config.as_ref().map_or(0, |config| config.multicast_limit);
        for group in self.groups.take_retries(ctx.now) {
            self.gather(ctx, group, limit.saturating_add(1));
        }
    }

    fn wake_for_gathers(&mut self) {
        if let Some(due) = self.groups.next_retry() {
            self.wake_by(due);
        }
    }

    /// Asks those who might know for members of `group`.
    ///
    /// Without any root that is whoever is reached directly: members answer for themselves, so that
    /// those who have met before find each other again. Others ignore the question; that they
    /// learn of the network is the price of not depending on roots.
    fn gather(&self, ctx: &mut Ctx<'_>, group: MulticastGroup, limit: u32) {
        let membership = self.config.as_ref().and_then(|config| config.membership.clone());
        let body = Gather { network: self.id, group, limit, membership }.write();

        // While no root has been heard, any is as good as another.
        let best = ctx.tables.upstream.map(|(root, _)| root);
        let root = best.or_else(|| ctx.tables.upstreams.last().copied());
        let specialists = self.with_role(Specialist::is_anchor);
        let specialists = specialists.chain(self.with_role(Specialist::is_replicator));
        let mut acquaintances = Vec::new();
        if !ctx.tables.is_online {
            acquaintances = ctx.tables.reached_directly();
            ctx.rng.shuffle(&mut acquaintances);
        }
        let likely = root.into_iter().chain([self.id.controller()]).chain(specialists);
        let mut asked = BTreeSet::from([ctx.me.address()]);
        for to in likely.chain(acquaintances) {
            if asked.len() <= GATHER_TARGETS_MAX && !to.is_reserved() && asked.insert(to) {
                ctx.out.send(to, Verb::MulticastGather, body.clone());
            }
        }
    }

    /// Remembers that `member` is in `group`, and sends it what has been waiting for it.
    pub(super) fn like(
        &mut self,
        ctx: &mut Ctx<'_>,
        group: MulticastGroup,
        member: Address,
    ) -> Result<(), Rejected> {
        if ctx.is_full && !self.groups.contains(group, member) {
            return Err(Rejected::Full);
        }
        for body in self.groups.like(ctx.now, group, member)? {
            self.send_copy(ctx, member, body);
        }
        Ok(())
    }

    /// Takes in what somebody knows of the members of a group.
    pub(super) fn handle_gathered(
        &mut self,
        ctx: &mut Ctx<'_>,
        gathered: &Gathered<'_>,
    ) -> Result<(), Rejected> {
        for &member in gathered.members {
            if member != ctx.me.address() && !member.is_reserved() {
                self.like(ctx, gathered.group, member)?;
            }
        }
        Ok(())
    }

    fn is_bridge(&self, node: Address) -> bool {
        self.with_role(Specialist::is_active_bridge).any(|bridge| bridge == node)
    }

    fn is_replicator(&self, node: Address) -> bool {
        self.with_role(Specialist::is_replicator).any(|replicator| replicator == node)
    }
}

/// Receiving.
impl Network {
    /// Takes in a multicast frame of a peer that passed the gate.
    pub(super) fn handle_multicast_frame(
        &mut self,
        ctx: &mut Ctx<'_>,
        rx: &Received<'_>,
        message: &MulticastFrame<'_>,
    ) -> Result<(), Rejected> {
        let limit = self.config.as_ref().map_or(0, |config| config.multicast_limit);
        if limit == 0 {
            return Err(Rejected::Filtered);
        }
        let delivered = match message.payload {
            [] => Ok(()),
            payload => self.take_frame(ctx, rx, message, payload),
        };
        // A sender that misuses addresses gets no answer.
        if let Err(Rejected::BadFrameAddress | Rejected::ForeignSource) = delivered {
            return delivered;
        }
        if message.gather_limit > 0 {
            let (total, members) = self.gathered(ctx, message.group, rx.from, message.gather_limit);
            if !members.is_empty() {
                let (network, group) = (self.id, message.group);
                let answer = Gathered { network, group, total, members: &members };
                super::verbs::answer(ctx, rx, Verb::Ok, answer.write_to_frame(rx.packet_id));
            }
        }
        delivered
    }

    fn take_frame(
        &mut self,
        ctx: &mut Ctx<'_>,
        rx: &Received<'_>,
        message: &MulticastFrame<'_>,
        payload: &[u8],
    ) -> Result<(), Rejected> {
        let senders = Mac::of_member(rx.from, self.id);
        let source = message.source.unwrap_or(senders);
        let group = message.group;
        let ethertype = message.ethertype;
        if !group.mac.is_multicast() || !source.is_station() || source == self.mac {
            return Err(Rejected::BadFrameAddress);
        }

        let distributed = if message.replicate && self.is_replicator(ctx.me.address()) {
            let (source, origin) = (Some(source), Some(rx.from));
            self.distribute(ctx, Cast { group, source, ethertype, payload, origin })
        } else {
            Ok(())
        };
        if source != senders {
            if !self.is_bridge(rx.from) {
                return Err(Rejected::ForeignSource);
            }
            self.learn_station(ctx, source, rx.from);
        }
        let frame = message.frame(senders);
        self.ask_rules(ctx, Direction::Inbound, rx.from, frame)?;
        self.deliver(ctx, frame)?;
        distributed
    }

    /// Hands a frame from the network to the host, or keeps it if it is address resolution that
    /// the host leaves to this node.
    fn deliver(&mut self, ctx: &mut Ctx<'_>, frame: Frame<'_>) -> Result<(), Rejected> {
        if self.mode == PortMode::L3 {
            match frame.ethertype {
                ETHERTYPE_ARP => return self.handle_neighbor(ctx, frame),
                ETHERTYPE_IPV6 if ethernet::is_neighbor_discovery(frame.payload) => {
                    return self.handle_neighbor(ctx, frame);
                }
                ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => {}
                _ => return Err(Rejected::NotIp),
            }
        }
        let mtu = self.config.as_ref().map_or(0, |config| usize::from(config.mtu));
        if frame.payload.len() > mtu {
            return Err(Rejected::FrameTooBig);
        }
        ctx.out.deliveries.push_back(OwnedFrame::new(self.id, frame));
        Ok(())
    }

    /// Returns how many members of `group` are known, this node and `requester` included, and up
    /// to `limit` of them without `requester`: this node first, the others in random order.
    pub(super) fn gathered(
        &self,
        ctx: &mut Ctx<'_>,
        group: MulticastGroup,
        requester: Address,
        limit: u32,
    ) -> (u32, Vec<Address>) {
        let me = self.all_groups().contains(&group).then_some(ctx.me.address());
        gathered(me, self.groups.members(group, ctx.rng), requester, limit)
    }
}

/// Returns how many members there are in all, and up to `limit` of them but `requester`.
pub(super) fn gathered(
    me: Option<Address>,
    members: Vec<Address>,
    requester: Address,
    limit: u32,
) -> (u32, Vec<Address>) {
    let total = members.len() + usize::from(me.is_some());
    let limit = usize::try_from(limit).map_or(usize::MAX, |limit| limit.min(Gathered::MEMBERS_MAX));
    let others = members.into_iter().filter(|&member| member != requester);
    (u32::try_from(total).unwrap_or(u32::MAX), me.into_iter().chain(others).take(limit).collect())
}
