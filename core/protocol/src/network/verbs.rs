//! What each verb about networks asks for: every packet finds its network here.
//!
//! Source: spec 03 §2.3, §2.4, §6.2, §6.5, §9.2, §9.6, §9.7.

use super::configuration::Failure;
use super::credentials::Credentials;
use super::members::Outcome;
use super::{Networks, multicast};
use crate::address::{Address, MulticastGroup, NetworkId};
use crate::credential::Membership;
use crate::error::Rejected;
use crate::identity::Directory;
use crate::limits::{HEADER_LEN, PHYSICAL_MTU};
use crate::outbox::{Ctx, Received};
use crate::verb::{ErrorCode, Verb};
use crate::wire::credentials::Credentials as ShownCredentials;
use crate::wire::cursor::Reader;
use crate::wire::multicast::{self as wire_multicast, Gather, Gathered, MulticastFrame};
use crate::wire::netconf::{Chunk, Request};
use crate::wire::reply;

/// Configurations, errors and credentials.
impl Networks {
    /// Takes in a chunk of a configuration, which came in a NETWORK_CONFIG or in the OK to a
    /// request of ours. Returns of which network.
    ///
    /// # Errors
    ///
    /// Why it was ignored. [`Rejected::UnknownSender`] if the controller has to be asked for
    /// first, which the outbox says.
    pub fn handle_config(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        rx: &Received<'_>,
        bytes: &[u8],
    ) -> Result<NetworkId, Rejected> {
        let chunk = Chunk::read(bytes, rx.packet_id)?;
        self.network(chunk.network)?.handle_chunk(ctx, directory, rx, (&chunk, bytes), None)?;
        Ok(chunk.network)
    }

    /// Takes in a chunk of a configuration that answers the request `in_re`; `rx.body` is what
    /// follows the OK's header.
    ///
    /// # Errors
    ///
    /// As [`handle_config`](Self::handle_config).
    pub fn handle_ok_config(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        rx: &Received<'_>,
        in_re: u64,
    ) -> Result<NetworkId, Rejected> {
        let chunk = Chunk::read(rx.body, rx.packet_id)?;
        let network = self.network(chunk.network)?;
        network.handle_chunk(ctx, directory, rx, (&chunk, rx.body), Some(in_re))?;
        Ok(chunk.network)
    }

    /// Takes note of the ID under which a request for a configuration was sent.
    pub fn asked(&mut self, request: &[u8], packet_id: u64) {
        if let Ok(request) = Request::read(request)
            && let Some(network) = self.joined.get_mut(&request.network)
        {
            network.asked = Some(packet_id);
        }
    }

    /// Takes in that a controller refuses this member without having been asked; `rx.body` begins
    /// after the code.
    ///
    /// It may have dismissed the member just now, or somebody may repeat what it said long ago. It
    /// is asked, and its answer counts: a few requests for one packet of the controller's, which no
    /// stranger can make.
    ///
    /// # Errors
    ///
    /// [`Rejected::UnexpectedReply`] if it is not this network's controller.
    pub fn handle_dismissal(
        &mut self,
        ctx: &mut Ctx<'_>,
        rx: &Received<'_>,
    ) -> Result<(), Rejected> {
        let id = Reader::new("ERROR about a network", rx.body).network()?;
        let platform = self.platform;
        let network = self.network(id)?;
        if rx.from != id.controller() {
            return Err(Rejected::UnexpectedReply);
        }
        network.doubt(ctx, platform);
        Ok(())
    }

    /// Takes in an ERROR about a network, in answer to the packet `in_re.1`; `rx.body` begins after
    /// the code.
    ///
    /// # Errors
    ///
    /// [`Rejected::UnexpectedReply`] if whoever sent it has no say in the matter.
    pub fn handle_error(
        &mut self,
        ctx: &mut Ctx<'_>,
        rx: &Received<'_>,
        in_re: (Verb, u64),
        code: ErrorCode,
    ) -> Result<(), Rejected> {
        let mut reader = Reader::new("ERROR about a network", rx.body);
        let id = reader.network()?;
        let by_controller = rx.from == id.controller();
        let to_request = in_re.0 == Verb::NetworkConfigRequest;
        let network = self.network(id)?;
        if by_controller && to_request && network.asked == Some(in_re.1) {
            network.doubted = false;
        }
        match code {
            ErrorCode::ObjectNotFound | ErrorCode::UnsupportedOperation
                if by_controller && to_request =>
            {
                network.fail(ctx, Failure::NotFound);
            }
            ErrorCode::NetworkAccessDenied if by_controller => {
                network.fail(ctx, Failure::AccessDenied);
            }
            ErrorCode::NetworkAuthenticationRequired if by_controller => {
                network.handle_authentication_required(ctx, rx.body)?;
            }
            ErrorCode::NeedMembershipCertificate => network.push_on_demand(ctx, rx.from),
            ErrorCode::UnwantedMulticast => {
                network.gate(ctx, rx.from)?;
                let group = MulticastGroup { mac: reader.mac()?, adi: reader.u32()? };
                network.groups.unlike(group, rx.from);
            }
            ErrorCode::ObjectNotFound
            | ErrorCode::UnsupportedOperation
            | ErrorCode::NetworkAccessDenied
            | ErrorCode::NetworkAuthenticationRequired
            | ErrorCode::InvalidRequest
            | ErrorCode::BadProtocolVersion
            | ErrorCode::IdentityCollision => return Err(Rejected::UnexpectedReply),
        }
        Ok(())
    }

    /// Takes in credentials and revocations.
    ///
    /// # Errors
    ///
    /// [`Rejected::RateLimited`] if the sender showed some less than a second ago, and
    /// [`Rejected::Malformed`]; what was read before the error counts.
    pub fn handle_credentials(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        rx: &Received<'_>,
    ) -> Result<Credentials, Rejected> {
        if !self.pushes.admit(ctx.now, rx.from, rx.packet_id) {
            return Err(Rejected::RateLimited);
        }
        let (shown, whole) = ShownCredentials::read(rx.body);
        let judged = self.judge_shown(ctx, directory, rx.from, shown);
        if matches!(judged, Credentials::NeedIdentity(_)) {
            self.pushes.retry_later(rx.from, rx.packet_id);
        }
        whole?;
        Ok(judged)
    }

    fn judge_shown(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        from: Address,
        shown: ShownCredentials,
    ) -> Credentials {
        let mut outcomes = Vec::new();
        for membership in shown.memberships {
            outcomes.push(self.judge_membership(ctx, directory, membership));
        }
        for capability in shown.capabilities {
            if let Ok(network) = self.network(capability.network) {
                outcomes.push(network.add_attribute(ctx, directory, capability));
            }
        }
        for tag in shown.tags {
            if let Ok(network) = self.network(tag.network) {
                outcomes.push(network.add_attribute(ctx, directory, tag));
            }
        }
        for revocation in shown.revocations {
            if let Ok(network) = self.network(revocation.network) {
                outcomes.push(network.add_revocation(ctx, directory, from, &revocation));
            }
        }
        for ownership in shown.ownerships {
            if let Ok(network) = self.network(ownership.network) {
                outcomes.push(network.add_attribute(ctx, directory, ownership));
            }
        }
        ctx.out.refused.extend(outcomes.iter().filter_map(|outcome| outcome.refusal()));
        outcomes.into_iter().fold(Credentials::Accepted(false), Credentials::and)
    }

    /// Takes in a certificate of membership that old nodes attach to their frames.
    pub fn handle_membership(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        membership: Membership,
    ) -> Credentials {
        Credentials::Accepted(false).and(self.judge_membership(ctx, directory, membership))
    }

    fn judge_membership(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        membership: Membership,
    ) -> Outcome {
        match self.network(membership.network()) {
            Ok(network) => network.add_membership(ctx, directory, membership),
            Err(unknown) => Outcome::Refused(unknown),
        }
    }

    /// Tells the sender of a frame that is not admitted to show its credentials, once a second.
    pub fn refuse(&mut self, ctx: &mut Ctx<'_>, rx: &Received<'_>, id: NetworkId) {
        if self.joined.contains_key(&id) && self.refusals.admit(ctx.now, rx.from, rx.packet_id) {
            let code = ErrorCode::NeedMembershipCertificate;
            answer(ctx, rx, Verb::Error, reply::error(rx.verb, rx.packet_id, code, Some(id)));
        }
    }
}

/// Multicast.
impl Networks {
    /// Takes in which groups the sender is in, on networks where it is admitted and on those that
    /// it `may` have this node `serve`.
    ///
    /// # Errors
    ///
    /// [`Rejected::NotAMember`] if it is neither anywhere, and [`Rejected::Full`].
    pub fn handle_like(
        &mut self,
        ctx: &mut Ctx<'_>,
        rx: &Received<'_>,
        may_serve: &dyn Fn(NetworkId) -> bool,
    ) -> Result<(), Rejected> {
        let mut outcome = Err(Rejected::NotAMember);
        let mut judged = None;
        for (id, group) in wire_multicast::read_likes(rx.body) {
            let place = match judged {
                Some((judged_id, place)) if judged_id == id => place,
                _ => self.place_of(ctx, rx.from, id, may_serve),
            };
            judged = Some((id, place));
            match place {
                Place::Joined => outcome = self.network(id)?.like(ctx, group, rx.from),
                Place::Served if ctx.is_full && !self.served.contains(id, group, rx.from) => {
                    outcome = Err(Rejected::Full);
                }
                Place::Served => outcome = self.served.like(ctx.now, id, group, rx.from),
                Place::None => {}
            }
        }
        outcome
    }

    /// Tells the sender who is in a group.
    ///
    /// # Errors
    ///
    /// [`Rejected::NotAMember`] if it is neither admitted nor served, which it is not told.
    pub fn handle_gather(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        rx: &Received<'_>,
        may_serve: &dyn Fn(NetworkId) -> bool,
    ) -> Result<(), Rejected> {
        let gather = Gather::read(rx.body)?;
        let (id, group) = (gather.network, gather.group);
        if let Some(membership) = gather.membership {
            self.handle_membership(ctx, directory, membership);
        }
        let place = self.place_of(ctx, rx.from, id, may_serve);
        let (total, members) = match (place, self.joined.get(&id)) {
            (Place::None, _) => return Err(Rejected::NotAMember),
            (_, Some(network)) => network.gathered(ctx, group, rx.from, gather.limit),
            (_, None) => {
                let known = self.served.members(id, group, ctx.rng);
                multicast::gathered(None, known, rx.from, gather.limit)
            }
        };
        if !members.is_empty() {
            let gathered = Gathered { network: id, group, total, members: &members };
            answer(ctx, rx, Verb::Ok, gathered.write(rx.packet_id));
        }
        Ok(())
    }

    /// Takes in the answer to a gather of ours.
    ///
    /// # Errors
    ///
    /// [`Rejected::UnknownNetwork`], and [`Rejected::Full`].
    pub fn handle_ok_gather(
        &mut self,
        ctx: &mut Ctx<'_>,
        rx: &Received<'_>,
    ) -> Result<(), Rejected> {
        let gathered = Gathered::read(rx.body)?;
        self.network(gathered.network)?.handle_gathered(ctx, &gathered)
    }

    /// Takes in the answer to a multicast frame of ours.
    ///
    /// # Errors
    ///
    /// [`Rejected::UnknownNetwork`], and [`Rejected::Full`].
    pub fn handle_ok_multicast_frame(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        rx: &Received<'_>,
    ) -> Result<(), Rejected> {
        let (gathered, membership) = Gathered::read_from_frame(rx.body)?;
        let network = self.network(gathered.network)?;
        if let Some(membership) = membership {
            network.add_membership(ctx, directory, membership);
        }
        network.handle_gathered(ctx, &gathered)
    }

    /// Takes in a multicast frame, for the host and, if asked to, for other members.
    ///
    /// # Errors
    ///
    /// [`Rejected::NotAMember`] if the sender is not admitted, which it is told, and why a frame
    /// of one who is was dropped.
    pub fn handle_multicast_frame(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        rx: &Received<'_>,
    ) -> Result<(), Rejected> {
        let message = MulticastFrame::read(rx.body)?;
        let id = message.network;
        let network = self.network(id)?;
        if let Some(membership) = &message.membership {
            network.add_membership(ctx, directory, membership.clone());
        }
        if let Err(rejected) = network.gate(ctx, rx.from) {
            self.refuse(ctx, rx, id);
            return Err(rejected);
        }
        network.heard(ctx, rx.from);
        network.handle_multicast_frame(ctx, rx, &message)
    }

    /// Decides where groups of network `id` are kept for `peer`.
    fn place_of(
        &mut self,
        ctx: &mut Ctx<'_>,
        peer: Address,
        id: NetworkId,
        may_serve: &dyn Fn(NetworkId) -> bool,
    ) -> Place {
        let joined = self.joined.get_mut(&id);
        let place = if joined.is_some() { Place::Joined } else { Place::Served };
        let admitted = joined.is_some_and(|network| network.gate(ctx, peer).is_ok());
        if admitted || may_serve(id) { place } else { Place::None }
    }
}

/// Where the groups of a network are kept for a peer.
#[derive(Clone, Copy)]
enum Place {
    /// With the network, which is joined.
    Joined,
    /// With those of networks this node is not on.
    Served,
    /// Nowhere.
    None,
}

/// Answers `rx` the way it came. What is too long for one datagram goes the best way instead,
/// where it is cut.
pub(super) fn answer(ctx: &mut Ctx<'_>, rx: &Received<'_>, verb: Verb, body: Vec<u8>) {
    if rx.from == ctx.me.address() || HEADER_LEN + body.len() > PHYSICAL_MTU {
        ctx.out.send(rx.from, verb, body);
    } else {
        ctx.out.answer_on(rx.path, rx.from, verb, body);
    }
}
