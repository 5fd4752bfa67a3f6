//! Who is told of what arrived.
//!
//! The one place where a verb meets the subsystem that understands it.

use crate::address::Address;
use crate::error::Rejected;
use crate::fastpath::deliver::{self, Admitted, Delivery, Refused, Speaker};
use crate::fastpath::inbound::Inbound;
use crate::network::Credentials;
use crate::node::control::{Control, Known, Shared};
use crate::outbox::Received;
use crate::time::Instant;
use crate::transmit::{FrameSink, Transmit};
use crate::verb::{ErrorCode, Verb};
use crate::whois::{Content, WaitingPacket};
use crate::wire::header::Header;
use crate::wire::netconf::Request;
use crate::wire::{frame, reply};

impl Control {
    /// Carries what arrived to whom it concerns.
    pub(super) fn dispatch(
        &mut self,
        now: Instant,
        inbound: Inbound<'_>,
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) -> Result<(), Rejected> {
        // Frames of those who are known, which is nearly all there is, say for themselves.
        self.has_grown |= matches!(inbound, Inbound::Hello { .. } | Inbound::FromStranger { .. });
        match inbound {
            Inbound::Incomplete => Ok(()),
            Inbound::Relayed(relayed) => {
                if let (Some(source), true) = (relayed.source, relayed.direct) {
                    let ctx = &mut self.shared.ctx(now);
                    self.peers.introduce(ctx, source, relayed.destination);
                }
                Ok(())
            }
            Inbound::Hello { path, packet } => {
                let (header, _) = Header::split(packet)?;
                let source = header.source;
                self.at_hand_relayed = header.hops() > 0;
                let ctx = &mut self.shared.ctx(now);
                let known = ctx.tables.peer(source).is_some();
                self.peers.handle_hello(ctx, &self.roots, &mut self.surface, path, packet)?;
                if !known {
                    self.identity_arrived(source);
                }
                Ok(())
            }
            Inbound::FromStranger { source, path, packet } => {
                let ctx = &mut self.shared.ctx(now);
                let (roots, surface) = (&self.roots, &mut self.surface);
                if self.peers.handle_proof(ctx, roots, surface, (source, path), packet)? {
                    self.identity_arrived(source);
                    return Ok(());
                }
                let content = Content::Sealed(packet.to_vec());
                let packet = WaitingPacket { needs: source, path, content };
                if self.knows(now, source) {
                    self.ready.push_back(packet);
                    return Ok(());
                }
                self.ask_who_is(now, source)?;
                self.hold(now, packet)
            }
            Inbound::Opened(rx) => self.opened(now, rx, transmit, sink),
        }
    }

    /// Acts on an authentic packet, unless it has been acted upon.
    fn opened(
        &mut self,
        now: Instant,
        rx: Received<'_>,
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) -> Result<(), Rejected> {
        if counts_once(rx.verb) && !self.replays.is_first(now, rx.from, rx.packet_id) {
            return Err(Rejected::Replayed);
        }
        self.act_on(now, rx, transmit, sink)
    }

    /// Carries an authentic packet to the subsystem its verb belongs to, then counts its sender as
    /// heard.
    pub(super) fn act_on(
        &mut self,
        now: Instant,
        rx: Received<'_>,
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) -> Result<(), Rejected> {
        self.at_hand_relayed = rx.hops > 0;
        self.has_grown |= !matches!(rx.verb, Verb::Frame | Verb::ExtFrame);
        let outcome = match rx.verb {
            Verb::Frame | Verb::ExtFrame => self.frame(now, &rx, transmit, sink).map(|()| true),
            Verb::Ok => self.ok(now, &rx).map(|()| false),
            Verb::Error => self.error(now, &rx).map(|()| false),
            Verb::MulticastFrame
            | Verb::MulticastLike
            | Verb::MulticastGather
            | Verb::NetworkCredentials
            | Verb::NetworkConfigRequest
            | Verb::NetworkConfig => self.network_verb(now, &rx),
            _ => self.peer_verb(now, &rx).map(|()| false),
        };
        let trusted = match outcome {
            // Rules drop frames of members, who are members all the same.
            Err(Rejected::Filtered) => true,
            outcome => outcome?,
        };
        if rx.from != self.shared.me.address() {
            let ctx = &mut self.shared.ctx(now);
            self.peers.received(ctx, &self.roots, &self.surface, &rx, trusted);
        }
        outcome.map(drop)
    }

    /// Carries what concerns nodes and paths.
    fn peer_verb(&mut self, now: Instant, rx: &Received<'_>) -> Result<(), Rejected> {
        let ctx = &mut self.shared.ctx(now);
        let roots = &self.roots;
        match rx.verb {
            Verb::Hello => self.peers.handle_inner_hello(ctx, roots, &mut self.surface, rx),
            Verb::Whois => self.peers.handle_whois(ctx, roots, rx),
            Verb::Echo => self.peers.handle_echo(ctx, rx),
            Verb::Rendezvous => {
                let is_expected = |peer| self.whois.is_asked(peer);
                match self.peers.handle_rendezvous(ctx, roots, rx, is_expected)? {
                    Some(stranger) => self.hold(now, WaitingPacket::opened(stranger, rx)),
                    None => Ok(()),
                }
            }
            Verb::PushDirectPaths => self.peers.handle_push_direct_paths(ctx, roots, rx),
            Verb::Ack | Verb::QosMeasurement | Verb::PathNegotiationRequest => {
                self.peers.handle_bond(ctx, roots, rx)
            }
            _ => Ok(()),
        }
    }

    /// Carries what concerns virtual networks; returns whether it shows that the sender shares one
    /// with this node.
    fn network_verb(&mut self, now: Instant, rx: &Received<'_>) -> Result<bool, Rejected> {
        let (from, is_root) = (rx.from, self.shared.tables.is_upstream);
        let me = *self.shared.me.public();
        let ctx = &mut self.shared.ctx(now);
        let known = &Known { me: &me, peers: &self.peers };
        let controller = self.controller.as_ref();
        let may_serve = |network| {
            is_root || controller.is_some_and(|served| served.issued_recently(now, network, from))
        };
        match rx.verb {
            Verb::MulticastFrame => {
                self.networks.handle_multicast_frame(ctx, known, rx).map(|()| true)
            }
            Verb::MulticastLike => self.networks.handle_like(ctx, rx, &may_serve).map(|()| false),
            Verb::MulticastGather => {
                self.networks.handle_gather(ctx, known, rx, &may_serve).map(|()| false)
            }
            Verb::NetworkConfig => {
                let network = self.networks.handle_config(ctx, known, rx, rx.body)?;
                self.peers.remember(ctx, network.controller());
                Ok(false)
            }
            Verb::NetworkConfigRequest => match &mut self.controller {
                Some(controller) => controller.handle_request(ctx, known, rx).map(|()| false),
                None => {
                    let network = Request::read(rx.body)?.network;
                    let code = ErrorCode::UnsupportedOperation;
                    let body = reply::error(rx.verb, rx.packet_id, code, Some(network));
                    ctx.out.send(rx.from, Verb::Error, body);
                    Ok(false)
                }
            },
            _ => match self.networks.handle_credentials(ctx, known, rx)? {
                Credentials::Accepted(trusted) => Ok(trusted),
                Credentials::NeedIdentity(signer) => {
                    self.ask_who_is(now, signer)?;
                    self.hold(now, WaitingPacket::opened(signer, rx)).map(|()| false)
                }
            },
        }
    }

    /// Carries an answer to whoever asked.
    fn ok(&mut self, now: Instant, rx: &Received<'_>) -> Result<(), Rejected> {
        let (in_re, body) = reply::read_ok(rx.body)?;
        let looped_back = rx.from == self.shared.me.address();
        if !looped_back && !self.expected.contains(in_re.packet_id) {
            return Err(Rejected::UnexpectedReply);
        }
        let rx = &Received { body, ..*rx };
        let me = *self.shared.me.public();
        let ctx = &mut self.shared.ctx(now);
        let known = &Known { me: &me, peers: &self.peers };
        match in_re.verb {
            Some(Verb::Hello) => {
                let (roots, surface) = (&mut self.roots, &mut self.surface);
                self.peers.handle_ok_hello(ctx, roots, surface, rx)
            }
            Some(Verb::Whois) => {
                for address in self.peers.handle_ok_whois(ctx, &self.roots, rx)? {
                    self.identity_arrived(address);
                }
                Ok(())
            }
            Some(Verb::NetworkConfigRequest) => {
                let network = self.networks.handle_ok_config(ctx, known, rx, in_re.packet_id)?;
                self.peers.remember(ctx, network.controller());
                Ok(())
            }
            Some(Verb::MulticastGather) => self.networks.handle_ok_gather(ctx, rx),
            Some(Verb::MulticastFrame) => self.networks.handle_ok_multicast_frame(ctx, known, rx),
            _ => Ok(()),
        }
    }

    /// Carries a refusal to whoever was refused.
    ///
    /// What may cost this node its address or a network counts only in answer to a packet that was
    /// sent. Frames are not kept book of: what is answered to those concerns the sender alone.
    fn error(&mut self, now: Instant, rx: &Received<'_>) -> Result<(), Rejected> {
        let (in_re, code, body) = reply::read_error(rx.body)?;
        let rx = &Received { body, ..*rx };
        let looped_back = rx.from == self.shared.me.address();
        let is_expected = looped_back || self.expected.contains(in_re.packet_id);
        let ctx = &mut self.shared.ctx(now);
        match (in_re.verb, code) {
            (Some(Verb::Hello), Some(ErrorCode::IdentityCollision)) if is_expected => {
                self.peers.handle_collision(ctx, &self.roots, rx)
            }
            (_, Some(ErrorCode::IdentityCollision)) => Err(Rejected::UnexpectedReply),
            (Some(Verb::NetworkConfigRequest), Some(ErrorCode::NetworkAccessDenied))
                if !is_expected =>
            {
                self.networks.handle_dismissal(ctx, rx)
            }
            (Some(Verb::NetworkConfigRequest), _) if !is_expected => Err(Rejected::UnexpectedReply),
            (Some(verb), Some(code)) => {
                self.networks.handle_error(ctx, rx, (verb, in_re.packet_id), code)
            }
            _ => Ok(()),
        }
    }

    /// Carries a frame to the host, or to address resolution.
    fn frame(
        &mut self,
        now: Instant,
        rx: &Received<'_>,
        transmit: &mut impl Transmit,
        sink: &mut impl FrameSink,
    ) -> Result<(), Rejected> {
        if let Some(membership) = deliver::attached_membership(rx) {
            self.has_grown = true;
            let me = *self.shared.me.public();
            let ctx = &mut self.shared.ctx(now);
            // Whether it was believed shows in whether the frame is admitted.
            let known = &Known { me: &me, peers: &self.peers };
            let _ = self.networks.handle_membership(ctx, known, membership);
        }
        let Admitted { network, frame, wants_ack } = match deliver::admit(self.tables(), rx) {
            Ok(admitted) => admitted,
            Err(Refused::Rejected(rejected)) => return Err(rejected),
            Err(Refused::NotAMember(network)) => {
                self.has_grown = true;
                self.networks.refuse(&mut self.shared.ctx(now), rx, network);
                return Err(Rejected::NotAMember);
            }
        };
        let Shared { tables, rng, out, .. } = &mut self.shared;
        let view = tables.network(network).ok_or(Rejected::UnknownNetwork)?;
        let announce_due =
            view.members.get(&rx.from).is_none_or(|member| member.announce_due <= now);
        let checked = deliver::check(tables, rng, out, network, rx.from, frame);
        let bridged = checked == Ok(Speaker::Device);
        let learned = bridged && view.is_news(now, frame.source, rx.from);
        let delivery = checked.and_then(|_| deliver::deliver(view, network, frame, sink));
        self.has_grown |= announce_due || learned || delivery == Ok(Delivery::Neighbor);

        let ctx = &mut self.shared.ctx(now);
        if learned {
            self.networks.learn_station(ctx, network, frame.source, rx.from);
        }
        let delivery = match delivery {
            Ok(Delivery::Neighbor) => self.networks.handle_neighbor(ctx, network, frame),
            delivery => delivery.map(drop),
        };
        if announce_due {
            self.networks.announce(ctx, network, rx.from);
        }
        // A sender that misuses addresses gets no answer.
        let misused = matches!(delivery, Err(Rejected::BadFrameAddress | Rejected::ForeignSource));
        if wants_ack && !misused {
            ctx.out.send(rx.from, Verb::Ok, frame::acknowledge(rx.packet_id, network));
        }
        self.drain(now, transmit, sink);
        delivery
    }

    /// Returns whether the node at `address` is a peer, or can be made one from memory.
    pub(super) fn knows(&mut self, now: Instant, address: Address) -> bool {
        let ctx = &mut self.shared.ctx(now);
        if ctx.tables.peer(address).is_some() {
            return true;
        }
        match self.peers.recall(ctx, address) {
            Ok(is_recalled) => {
                if is_recalled {
                    self.identity_arrived(address);
                }
                is_recalled
            }
            Err(rejected) => {
                self.count(rejected);
                false
            }
        }
    }

    /// Asks a root who holds `address`.
    ///
    /// # Errors
    ///
    /// [`Rejected::NotPinned`] if nobody at this address may be a peer.
    pub(super) fn ask_who_is(&mut self, now: Instant, address: Address) -> Result<(), Rejected> {
        if !self.peers.may_meet(&self.roots, address) {
            return Err(Rejected::NotPinned);
        }
        self.whois.request(&mut self.shared.ctx(now), address);
        Ok(())
    }

    /// Keeps a packet until an identity is known.
    fn hold(&mut self, now: Instant, packet: WaitingPacket) -> Result<(), Rejected> {
        let is_full = self.shared.is_full;
        if self.whois.hold_incoming(now, is_full, packet) {
            Err(Rejected::UnknownSender)
        } else {
            Ok(())
        }
    }

    /// Has tried again what waited for `address` to become known.
    fn identity_arrived(&mut self, address: Address) {
        self.ready.extend(self.whois.arrived(address));
    }
}

/// Returns whether a packet of this verb is acted upon but once.
///
/// HELLO and ECHO are sent from several sockets and meant to be answered to each. An OK counts
/// only as long as what it answers is remembered.
const fn counts_once(verb: Verb) -> bool {
    !matches!(verb, Verb::Hello | Verb::Echo | Verb::Ok | Verb::Nop)
}
