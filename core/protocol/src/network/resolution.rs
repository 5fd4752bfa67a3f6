//! Address resolution for L3 ports: the questions and answers around [`Neighbors`], and the
//! packets that waited for them.
//!
//! Source: spec 03 §10.2.
//!
//! [`Neighbors`]: crate::neighbor::Neighbors

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Network;
use crate::address::{Address, Mac, MulticastGroup};
use crate::error::Rejected;
use crate::fastpath::next_hop::link_local_bits;
use crate::fastpath::tables::{Admission, same_subnet};
use crate::limits::{LINK_LOCALS_MAX, NEIGHBORS_ASKED_ANEW_MAX};
use crate::neighbor::arp::{self, Arp};
use crate::neighbor::ndp::{self, Ndp};
use crate::neighbor::{Lapse, Lookup};
use crate::outbox::{Ctx, OwnedFrame};
use crate::transmit::{Frame, PortMode};
use crate::wire::ethernet::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6};

impl Network {
    /// Sends `packet` to `next_hop` if it can be told where that is, else finds out and holds the
    /// packet until then.
    pub(super) fn resolve(
        &mut self,
        ctx: &mut Ctx<'_>,
        next_hop: IpAddr,
        packet: &[u8],
    ) -> Result<(), Rejected> {
        if self.admission() == Admission::Nobody {
            return Err(Rejected::NotAMember);
        }
        if let Some(mac) = self.compute(ctx.me.address(), next_hop) {
            self.settle(ctx, next_hop, mac)?;
            self.send_ip(ctx, mac, packet.to_vec());
            return Ok(());
        }

        if ctx.is_full && !self.neighbors.contains(next_hop) {
            return Err(Rejected::Full);
        }
        let sent = match self.neighbors.lookup(ctx.now, next_hop)? {
            Lookup::Known(mac) => {
                self.send_ip(ctx, mac, packet.to_vec());
                Ok(())
            }
            Lookup::Stale { mac, ask } => {
                if ask {
                    self.ask(ctx, next_hop, Some(mac))?;
                }
                self.send_ip(ctx, mac, packet.to_vec());
                Ok(())
            }
            Lookup::Unknown { ask } => {
                if ask {
                    self.ask(ctx, next_hop, None)?;
                }
                self.neighbors.hold(ctx.now, next_hop, packet)
            }
        };
        self.wake_for_neighbors();
        sent
    }

    /// Returns the MAC `ip` can only have: this node's own, or that of the member whose address it
    /// contains.
    fn compute(&self, me: Address, ip: IpAddr) -> Option<Mac> {
        let config = self.config.as_ref()?;
        if self.has_address(ip) {
            return Some(self.mac);
        }
        let IpAddr::V6(ip) = ip else { return None };
        let (member, _) = ndp::embedded_member(self.id, &config.addresses, ip)
            .filter(|_| config.ndp_emulation())
            .filter(|&(member, _)| member != Address::NULL && member != me)?;
        Some(Mac::of_member(member, self.id))
    }

    /// Asks everybody who has `ip`, or its last known holder whether it still does.
    ///
    /// While nobody is known who could be asked, one question waits for whoever is heard of.
    fn ask(&self, ctx: &mut Ctx<'_>, ip: IpAddr, holder: Option<Mac>) -> Result<(), Rejected> {
        let group = MulticastGroup::resolving(ip);
        if holder.is_none() && self.groups.is_sought(ctx.now, group) {
            return Ok(());
        }
        let (destination, ethertype, payload) = match ip {
            IpAddr::V4(target) => {
                let own = self.own_address(ip).ok_or(Rejected::NoRoute)?;
                let payload = arp::request(self.mac, own, target);
                (holder.unwrap_or(Mac::BROADCAST), ETHERTYPE_ARP, payload)
            }
            IpAddr::V6(target) => {
                let own = self.own_address(ip).unwrap_or_else(|| self.mac.link_local());
                match holder {
                    Some(mac) => (mac, ETHERTYPE_IPV6, ndp::probe(self.mac, own, target)),
                    None => {
                        let (group, payload) = ndp::solicitation(self.mac, own, target);
                        (group, ETHERTYPE_IPV6, payload)
                    }
                }
            }
        };
        self.send_frame(ctx, destination, ethertype, payload);
        Ok(())
    }

    /// Asks `member`, which has refused to hear us, for what packets wait for and it was asked.
    ///
    /// Anybody can say that it lacks our certificate. Whom we look for only those learn whom the
    /// question was for.
    pub(super) fn ask_anew(&self, ctx: &mut Ctx<'_>, member: Address) {
        let mac = Mac::of_member(member, self.id);
        let was_asked = |&ip: &IpAddr| self.groups.contains(MulticastGroup::resolving(ip), member);
        for ip in self.neighbors.wanted().filter(was_asked).take(NEIGHBORS_ASKED_ANEW_MAX) {
            // Without an own address nothing was asked before either.
            let _ = self.ask(ctx, ip, Some(mac));
        }
    }

    /// Returns the own address to speak to `peer` from: one in its subnet if there is one.
    fn own_address<A: OfFamily>(&self, peer: IpAddr) -> Option<A> {
        let managed = || self.config.iter().flat_map(|config| &config.addresses).copied();
        let link_local = || {
            let latest_first = self.link_locals.iter().rev();
            latest_first.filter_map(|&own| Some((own, link_local_bits(own)?)))
        };
        let addresses = || managed().chain(link_local());
        let near = addresses().filter(|&(own, bits)| same_subnet(own, peer, bits));
        near.chain(addresses()).find_map(|(own, _)| A::of_family(own))
    }

    /// Takes in that the host sends from `ip`, a link-local address it has given itself. From here
    /// on this node is asked for it, and answers.
    pub(super) fn note_link_local(&mut self, ctx: &mut Ctx<'_>, ip: IpAddr) {
        if self.mode != PortMode::L3 || self.has_address(ip) {
            return;
        }
        if self.link_locals.len() >= LINK_LOCALS_MAX {
            self.link_locals.pop_front();
        }
        self.link_locals.push_back(ip);
        self.resubscribe(ctx);
    }

    /// Takes in a frame of address resolution.
    pub(super) fn handle_neighbor(
        &mut self,
        ctx: &mut Ctx<'_>,
        frame: Frame<'_>,
    ) -> Result<(), Rejected> {
        match frame.ethertype {
            ETHERTYPE_ARP => self.handle_arp(ctx, Arp::read(frame.payload)?),
            ETHERTYPE_IPV6 => {
                let ndp = Ndp::read(frame.payload)?.ok_or(Rejected::NotIp)?;
                self.handle_ndp(ctx, frame.source, ndp)
            }
            _ => Err(Rejected::NotIp),
        }
    }

    fn handle_arp(&mut self, ctx: &mut Ctx<'_>, arp: Arp) -> Result<(), Rejected> {
        match arp {
            Arp::Request { sender, target } => {
                if self.has_address(target.into()) && sender.0.is_station() {
                    let reply = arp::reply(self.mac, target, sender);
                    self.send_frame(ctx, sender.0, ETHERTYPE_ARP, reply);
                }
                Ok(())
            }
            Arp::Reply { sender: (mac, ip) } => self.handle_answer(ctx, ip.into(), mac),
        }
    }

    fn handle_ndp(&mut self, ctx: &mut Ctx<'_>, source: Mac, ndp: Ndp) -> Result<(), Rejected> {
        match ndp {
            Ndp::Solicitation { asker, target } => {
                if self.has_address(target.into()) {
                    let answer = ndp::advertisement(self.mac, target, asker);
                    self.send_frame(ctx, source, ETHERTYPE_IPV6, answer);
                }
                Ok(())
            }
            Ndp::Advertisement { target, mac } => {
                self.handle_answer(ctx, target.into(), mac.unwrap_or(source))
            }
        }
    }

    /// Takes in that `ip` is said to be at `mac`, if that was asked.
    fn handle_answer(&mut self, ctx: &mut Ctx<'_>, ip: IpAddr, mac: Mac) -> Result<(), Rejected> {
        if !mac.is_station() || mac == self.mac {
            return Err(Rejected::BadFrameAddress);
        }
        let answered = self.neighbors.answered(ctx.now, ip, mac);
        let waiting = answered.ok_or(Rejected::UnexpectedReply)?;
        self.reveal(ctx, ip, mac, waiting);
        Ok(())
    }

    /// Takes in that `ip` is at `mac`, whoever says so.
    fn settle(&mut self, ctx: &mut Ctx<'_>, ip: IpAddr, mac: Mac) -> Result<(), Rejected> {
        let waiting = self.neighbors.settle(ctx.now, ip, mac)?;
        self.reveal(ctx, ip, mac, waiting);
        Ok(())
    }

    /// Lets the data plane use a next hop, and what waited for it leave.
    fn reveal(
        &mut self,
        ctx: &mut Ctx<'_>,
        ip: IpAddr,
        mac: Mac,
        waiting: impl IntoIterator<Item = Vec<u8>>,
    ) {
        if let Some(view) = ctx.tables.network_mut(self.id) {
            view.neighbors.insert(ip, mac);
        }
        for packet in waiting {
            self.send_ip(ctx, mac, packet);
        }
        self.wake_for_neighbors();
    }

    /// Lets time pass for the next hops.
    pub(super) fn age_neighbors(&mut self, ctx: &mut Ctx<'_>) {
        for lapse in self.neighbors.handle_timeout(ctx.now) {
            match lapse {
                Lapse::Hide(ip) => {
                    if let Some(view) = ctx.tables.network_mut(self.id) {
                        view.neighbors.remove(&ip);
                    }
                }
                Lapse::Ask(ip) => {
                    // Without an own address there is nobody to ask for; the packets time out.
                    let _ = self.ask(ctx, ip, None);
                }
                Lapse::GiveUp(ip) => {
                    log::debug!(network:% = self.id, ip:%; "next hop does not answer");
                }
            }
        }
    }

    fn wake_for_neighbors(&mut self) {
        if let Some(due) = self.neighbors.poll_timeout() {
            self.wake_by(due);
        }
    }

    fn has_address(&self, ip: IpAddr) -> bool {
        let mut managed = self.config.iter().flat_map(|config| &config.addresses);
        managed.any(|&(own, _)| own == ip) || self.link_locals.contains(&ip)
    }

    fn send_ip(&self, ctx: &mut Ctx<'_>, destination: Mac, packet: Vec<u8>) {
        let is_v6 = packet.first().is_some_and(|first| first >> 4 == 6);
        let ethertype = if is_v6 { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 };
        self.send_frame(ctx, destination, ethertype, packet);
    }

    fn send_frame(&self, ctx: &mut Ctx<'_>, destination: Mac, ethertype: u16, payload: Vec<u8>) {
        let (network, source) = (self.id, self.mac);
        let frame = OwnedFrame { network, destination, source, ethertype, payload };
        ctx.out.frames.push_back(frame);
    }
}

/// An address of one of the two families.
trait OfFamily: Sized {
    fn of_family(ip: IpAddr) -> Option<Self>;
}

impl OfFamily for Ipv4Addr {
    fn of_family(ip: IpAddr) -> Option<Self> {
        match ip {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        }
    }
}

impl OfFamily for Ipv6Addr {
    fn of_family(ip: IpAddr) -> Option<Self> {
        match ip {
            IpAddr::V4(_) => None,
            IpAddr::V6(v6) => Some(v6),
        }
    }
}
