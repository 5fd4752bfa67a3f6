//! A controller: the node that says who is a member of its networks, and with what.
//!
//! ```text
//!  request ──> session: asks too often? ──> decision: let in? ──> issue: configuration ──> reply
//!                                               │                     │
//!                                               └──── store: record ──┘──> Event::Store
//!  record changed ──> push to whom it concerns, or revoke
//! ```
//!
//! Everything is held in memory. The driver loads the records at start and keeps what
//! [`Event::Store`](crate::event::Event::Store) says; to change something it loads the changed
//! record.
//!
//! Source: spec 04 §1 to §8.

mod addresses;
mod decision;
mod issue;
mod json;
pub mod member;
pub mod network;
mod revocations;
mod session;
mod store;
#[cfg(test)]
mod tests;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use self::decision::Refusal;
pub use self::member::{Authority, ClientVersion, MemberRecord};
pub use self::network::{CapabilityRecord, NameServers, NetworkRecord, Pool, RecordError, V6Modes};
use self::revocations::Revocations;
use self::session::{Asked, Metadata};
use self::store::{Cause, Hosted};
use crate::address::{Address, NetworkId};
use crate::command::CommandError;
use crate::config::NetworkConfig;
use crate::dictionary::{Dictionary, DictionaryWriter};
use crate::error::Rejected;
use crate::limits::{
    CONTROLLER_MEMBERS_MAX, CONTROLLER_NETWORKS_MAX, CONTROLLER_PUSH_PAUSE,
    CONTROLLER_PUSHES_AT_ONCE, REQUEST_METADATA_LEN_MAX,
};
use crate::memory;
use crate::outbox::{Ctx, Directory, Received};
use crate::time::Instant;
use crate::verb::{ErrorCode, Verb};
use crate::wire::cursor::Put as _;
use crate::wire::netconf::{self, Request};
use crate::wire::reply;

/// The networks this node controls.
#[derive(Debug, Default)]
pub struct Controller {
    networks: BTreeMap<NetworkId, Hosted>,
    /// How many members they have together.
    members: usize,
    /// Members whose configuration may have changed.
    unpushed: BTreeSet<(NetworkId, Address)>,
    next_push: Instant,
    revocations: Revocations,
}

impl Controller {
    /// Returns a controller of no networks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a network's record. If that is known and this one says something else, whatever
    /// its revision, it is stored and every member that is online is sent its configuration.
    ///
    /// # Errors
    ///
    /// [`CommandError`] if the network is another controller's, the record is none, or there are
    /// too many.
    pub fn load_network(
        &mut self,
        ctx: &mut Ctx<'_>,
        network: NetworkId,
        json: &[u8],
    ) -> Result<(), CommandError> {
        if network.controller() != ctx.me.address() {
            return Err(CommandError::NotController(network));
        }
        let record = NetworkRecord::parse(json)
            .ok()
            .filter(|record| record.id() == network)
            .ok_or(CommandError::Malformed("network record"))?;

        let room = self.networks.len() < CONTROLLER_NETWORKS_MAX;
        match self.networks.entry(network) {
            Entry::Vacant(_) if !room => return Err(CommandError::TooMany("networks")),
            Entry::Vacant(entry) => {
                entry.insert(Hosted::new(record));
            }
            Entry::Occupied(mut entry) => {
                let hosted = entry.get_mut();
                if hosted.store_network(ctx, record) {
                    let online = hosted.online(ctx.now).map(|member| (network, member));
                    self.unpushed.extend(online);
                    self.push_due(ctx);
                }
            }
        }
        Ok(())
    }

    /// Takes in the record of a member. If that is known and this one says something else,
    /// whatever its revision, it is stored; who is no longer authorized is revoked and told, and
    /// anybody else is sent their configuration if they are online and may have it. When a bridge
    /// comes or goes, everybody is.
    ///
    /// # Errors
    ///
    /// [`CommandError`] if the network is not loaded, the record is none, or there are too many.
    pub fn load_member(
        &mut self,
        ctx: &mut Ctx<'_>,
        network: NetworkId,
        member: Address,
        json: &[u8],
    ) -> Result<(), CommandError> {
        let hosted = self.networks.get_mut(&network).ok_or(CommandError::NotController(network))?;
        let record = MemberRecord::parse(network, json)
            .ok()
            .filter(|record| record.address() == member)
            .ok_or(CommandError::Malformed("member record"))?;

        match hosted.member(member) {
            None if self.members >= CONTROLLER_MEMBERS_MAX => {
                return Err(CommandError::TooMany("members"));
            }
            None => {
                hosted.load_member(record);
                self.members += 1;
            }
            Some(known) if !record.differs_from(known) => {}
            Some(known) => {
                let is_dismissed = known.is_authorized() && !record.is_authorized();
                // Nobody takes a bridge's frames before its own configuration says that it is one.
                if known.active_bridge != record.active_bridge {
                    let online = hosted.online(ctx.now).map(|member| (network, member));
                    self.unpushed.extend(online);
                }
                hosted.store_member(ctx, record);
                if is_dismissed {
                    self.dismiss(ctx, network, member);
                } else {
                    self.unpushed.insert((network, member));
                    self.push_due(ctx);
                }
            }
        }
        Ok(())
    }

    /// Forgets a member and its record. If it was authorized, it is revoked and told.
    ///
    /// # Errors
    ///
    /// [`CommandError::NotController`] if the network is not loaded.
    pub fn remove_member(
        &mut self,
        ctx: &mut Ctx<'_>,
        network: NetworkId,
        member: Address,
    ) -> Result<(), CommandError> {
        let hosted = self.networks.get(&network).ok_or(CommandError::NotController(network))?;
        if hosted.member(member).is_some_and(MemberRecord::is_authorized) {
            self.dismiss(ctx, network, member);
        }
        if let Some(hosted) = self.networks.get_mut(&network)
            && hosted.remove_member(ctx, member)
        {
            self.members -= 1;
        }
        Ok(())
    }

    /// Forgets a network, its members and their records. Every member is revoked.
    ///
    /// # Errors
    ///
    /// [`CommandError::NotController`] if the network is not loaded.
    pub fn remove_network(
        &mut self,
        ctx: &mut Ctx<'_>,
        network: NetworkId,
    ) -> Result<(), CommandError> {
        let hosted = self.networks.remove(&network).ok_or(CommandError::NotController(network))?;
        self.revocations.add(ctx, network, hosted.addresses(), hosted.online(ctx.now));
        self.revocations.send_due(ctx);
        self.members -= hosted.len();
        hosted.remove(ctx);
        Ok(())
    }

    /// Answers a NETWORK_CONFIG_REQUEST.
    ///
    /// A network this node has no record of is answered without remembering anything, so that
    /// strangers cannot fill memory with made-up networks; nor are they given more than they sent.
    ///
    /// # Errors
    ///
    /// - [`Rejected::Malformed`]: the body is no request.
    /// - [`Rejected::NotServed`]: the network is another controller's.
    /// - [`Rejected::UnknownSender`]: the directory does not know who asks.
    /// - [`Rejected::RateLimited`]: the member asked less than a second ago.
    /// - [`Rejected::Full`]: there is no room for another member, who is told it may not join.
    pub fn handle_request(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        rx: &Received<'_>,
    ) -> Result<(), Rejected> {
        let request = Request::read(rx.body)?;
        let network = request.network;
        if network.controller() != ctx.me.address() {
            return Err(Rejected::NotServed);
        }
        let Some(hosted) = self.networks.get_mut(&network) else {
            send_error(ctx, rx.from, rx.packet_id, ErrorCode::ObjectNotFound, network);
            return Ok(());
        };
        let identity = if rx.from == ctx.me.address() {
            *ctx.me.public()
        } else {
            *directory.identity(rx.from).ok_or(Rejected::UnknownSender)?
        };

        if hosted.session(rx.from).is_some_and(|session| !session.admit_request(ctx.now)) {
            return Err(Rejected::RateLimited);
        }
        let is_new = hosted.member(rx.from).is_none();
        let has_room =
            !ctx.is_full && self.members < CONTROLLER_MEMBERS_MAX && hosted.takes_strangers();
        if is_new && !has_room {
            send_error(ctx, rx.from, rx.packet_id, ErrorCode::NetworkAccessDenied, network);
            return Err(Rejected::Full);
        }

        let metadata = &request.metadata[..request.metadata.len().min(REQUEST_METADATA_LEN_MAX)];
        let asked = Asked { identity, metadata: Metadata::read(Dictionary::new(metadata)) };
        self.members += usize::from(is_new);
        match hosted.serve(ctx, asked, Cause::Request) {
            Ok(config) => send_config(ctx, &config, Some(rx.packet_id)),
            Err(refusal) => send_refusal(ctx, rx.from, rx.packet_id, refusal, network),
        }
        Ok(())
    }

    /// Returns whether `member` was sent a configuration of `network` within the last 180 s, so
    /// that this node, though no member itself, serves it multicast (spec 04 §2.7).
    #[must_use]
    pub fn issued_recently(&self, now: Instant, network: NetworkId, member: Address) -> bool {
        self.networks.get(&network).is_some_and(|hosted| hosted.is_served(member, now))
    }

    /// Sends what had to wait. Calling early is harmless.
    pub fn handle_timeout(&mut self, ctx: &mut Ctx<'_>) {
        self.push_due(ctx);
        self.revocations.send_due(ctx);
    }

    /// Forgets who asked for members that are not online: what changes is not sent to those.
    pub fn give_back(&mut self, now: Instant) {
        for hosted in self.networks.values_mut() {
            hosted.give_back(now);
        }
    }

    /// Returns what the networks, their members and what waits to be sent to those take, in bytes.
    #[must_use]
    pub fn footprint(&self) -> usize {
        memory::of_tree(&self.networks)
            + self.networks.values().map(Hosted::footprint).sum::<usize>()
            + memory::of_tree_set(&self.unpushed)
            + self.revocations.footprint()
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), if anything waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let push = (!self.unpushed.is_empty()).then_some((self.next_push, "controller_push"));
        let revoke = self.revocations.poll_timeout().map(|at| (at, "controller_revoke"));
        push.into_iter().chain(revoke).min()
    }

    /// Has everybody told that `member` is no longer one, the member included.
    fn dismiss(&mut self, ctx: &mut Ctx<'_>, network: NetworkId, member: Address) {
        let Some(hosted) = self.networks.get_mut(&network) else { return };
        hosted.note_dismissal(ctx.unix);
        self.revocations.add(ctx, network, [member], hosted.online(ctx.now));
        self.revocations.send_due(ctx);
        if let Some(session) = hosted.session(member).filter(|session| session.is_online(ctx.now)) {
            session.invite();
            send_error(ctx, member, 0, ErrorCode::NetworkAccessDenied, network);
        }
    }

    /// Sends configurations to some of those whose configuration may have changed.
    ///
    /// Each costs several signatures, so many are spread over time, with the node's other work
    /// between them.
    fn push_due(&mut self, ctx: &mut Ctx<'_>) {
        if ctx.now < self.next_push {
            return;
        }
        for _ in 0..CONTROLLER_PUSHES_AT_ONCE {
            let Some((network, member)) = self.unpushed.pop_first() else { return };
            self.push(ctx, network, member);
        }
        self.next_push = ctx.now + CONTROLLER_PUSH_PAUSE;
    }

    /// Sends `member` its configuration unasked, if it is online and may have one.
    fn push(&mut self, ctx: &mut Ctx<'_>, network: NetworkId, member: Address) {
        let Some(hosted) = self.networks.get_mut(&network) else { return };
        let listener = hosted.session(member).and_then(|session| session.listener(ctx.now));
        let Some(asked) = listener.cloned() else { return };
        // A refusal is not sent: nobody asked.
        if let Ok(config) = hosted.serve(ctx, asked, Cause::Change) {
            send_config(ctx, &config, None);
        }
    }
}

/// Sends `config` to its member, in answer to the request `in_reply_to` or unasked.
fn send_config(ctx: &mut Ctx<'_>, config: &NetworkConfig, in_reply_to: Option<u64>) {
    let update_id = ctx.rng.u64().max(1);
    let dictionary = config.to_dictionary();
    let me = ctx.me;
    let sign = |message: &[u8]| me.sign(&[message]);
    for chunk in netconf::write_chunks(config.network, update_id, &dictionary, sign) {
        let (verb, body) = match in_reply_to {
            Some(packet_id) => {
                let mut body = reply::ok(Verb::NetworkConfigRequest, packet_id);
                body.put(&chunk);
                (Verb::Ok, body)
            }
            None => (Verb::NetworkConfig, chunk),
        };
        ctx.out.send(config.issued_to, verb, body);
    }
}

/// Answers the request `packet_id` with the reason why there is no configuration.
fn send_refusal(
    ctx: &mut Ctx<'_>,
    to: Address,
    packet_id: u64,
    refusal: Refusal,
    network: NetworkId,
) {
    match refusal {
        Refusal::NotAuthorized | Refusal::WrongIdentity => {
            send_error(ctx, to, packet_id, ErrorCode::NetworkAccessDenied, network);
        }
        Refusal::LoginRequired => send_login_required(ctx, to, packet_id, network),
    }
}

/// Says that the user has to log in. Where, this controller cannot say: it has no log-in service.
fn send_login_required(ctx: &mut Ctx<'_>, to: Address, packet_id: u64, network: NetworkId) {
    let mut login = DictionaryWriter::default();
    login.hex("aV", 0).text("aU", "");
    let login = login.finish();
    let code = ErrorCode::NetworkAuthenticationRequired;
    let mut body = reply::error(Verb::NetworkConfigRequest, packet_id, code, Some(network));
    body.put_u16(login.len() as u16);
    body.put(&login);
    ctx.out.send(to, Verb::Error, body);
}

/// Answers the request `packet_id` with an ERROR that says no more than its code.
fn send_error(ctx: &mut Ctx<'_>, to: Address, packet_id: u64, code: ErrorCode, network: NetworkId) {
    let body = reply::error(Verb::NetworkConfigRequest, packet_id, code, Some(network));
    ctx.out.send(to, Verb::Error, body);
}
