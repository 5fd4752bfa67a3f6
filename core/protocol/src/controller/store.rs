//! A network with its members, indexed so that no request has to look at all of them.
//!
//! Source: spec 04 §6.5, §8.2.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::addresses::InUse;
use super::decision::{Refusal, decide};
use super::issue;
use super::member::MemberRecord;
use super::network::NetworkRecord;
use super::session::{Asked, Session};
use crate::address::Address;
use crate::config::NetworkConfig;
use crate::event::{Event, StoreKey};
use crate::limits::CONTROLLER_UNAUTHORIZED_MAX;
use crate::memory;
use crate::outbox::Ctx;
use crate::time::{Instant, UnixMillis};

/// A network this node controls.
#[derive(Debug)]
pub(super) struct Hosted {
    record: NetworkRecord,
    members: BTreeMap<Address, Member>,
    authorized: usize,
    bridges: BTreeSet<Address>,
    in_use: InUse,
    /// What was issued up to then does not count for whoever was dismissed last.
    dismissed: UnixMillis,
    /// What the network's record and those of its members hold, in bytes.
    held: usize,
}

#[derive(Debug)]
struct Member {
    record: MemberRecord,
    session: Session,
}

/// What is issued in the same millisecond as a revocation is revoked by it (spec 03 §6.2). So who is
/// dismissed and at once let in again needs credentials that are a little younger than that.
const REVOCATION_GRAIN: Duration = Duration::from_millis(1);

/// Why a configuration is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cause {
    /// The member asked.
    Request,
    /// Something changed.
    Change,
}

impl Hosted {
    pub(super) fn new(record: NetworkRecord) -> Self {
        Self {
            held: record.footprint(),
            record,
            members: BTreeMap::new(),
            authorized: 0,
            bridges: BTreeSet::new(),
            in_use: InUse::default(),
            dismissed: UnixMillis(0),
        }
    }

    /// Has whatever is issued from here on count although a member was dismissed just now.
    pub(super) fn note_dismissal(&mut self, now: UnixMillis) {
        self.dismissed = self.dismissed.max(now);
    }

    pub(super) const fn record(&self) -> &NetworkRecord {
        &self.record
    }

    /// Forgets who asked for members that are not online.
    pub(super) fn give_back(&mut self, now: Instant) {
        for member in self.members.values_mut() {
            let before = member.session.footprint();
            member.session.give_back(now);
            self.held = self.held - before + member.session.footprint();
        }
    }

    /// Returns what the network and its members take, in bytes.
    pub(super) fn footprint(&self) -> usize {
        memory::of_tree(&self.members)
            + memory::of_tree_set(&self.bridges)
            + self.in_use.footprint()
            + self.held
    }

    /// Members that may send frames of devices behind them, whether authorized or not.
    pub(super) const fn bridges(&self) -> &BTreeSet<Address> {
        &self.bridges
    }

    /// Addresses that belong to some member.
    pub(super) const fn in_use(&self) -> &InUse {
        &self.in_use
    }

    pub(super) fn member(&self, member: Address) -> Option<&MemberRecord> {
        self.members.get(&member).map(|member| &member.record)
    }

    pub(super) fn session(&mut self, member: Address) -> Option<&mut Session> {
        self.members.get_mut(&member).map(|member| &mut member.session)
    }

    /// Returns whether `member` was sent a configuration lately.
    pub(super) fn is_served(&self, member: Address, now: Instant) -> bool {
        self.members.get(&member).is_some_and(|member| member.session.is_served(now))
    }

    /// Returns how many members there are.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Returns whether somebody not known yet may be remembered. On a private network such members
    /// wait to be authorized, and not all of them can.
    pub(super) fn takes_strangers(&self) -> bool {
        let waiting = self.members.len() - self.authorized;
        !self.record.private || waiting < CONTROLLER_UNAUTHORIZED_MAX
    }

    /// Returns the members that asked lately, by ascending address.
    pub(super) fn online(&self, now: Instant) -> impl Iterator<Item = Address> + '_ {
        self.members
            .iter()
            .filter(move |(_, member)| member.session.is_online(now))
            .map(|(&address, _)| address)
    }

    /// Returns every member, by ascending address.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Address> + '_ {
        self.members.keys().copied()
    }

    /// Decides about the member that asked and writes its configuration, which may assign it
    /// addresses, tags and capabilities. Its record is stored if that changed it.
    pub(super) fn serve(
        &mut self,
        ctx: &mut Ctx<'_>,
        asked: Asked,
        cause: Cause,
    ) -> Result<NetworkConfig, Refusal> {
        let address = asked.identity.address();
        let known = self.member(address).cloned();
        let is_new = known.is_none();
        let mut record =
            known.unwrap_or_else(|| MemberRecord::new(self.record.id(), address, ctx.unix));

        let decision = decide(&self.record, &mut record, &asked, ctx.unix);
        if decision == Err(Refusal::WrongIdentity) {
            return Err(Refusal::WrongIdentity);
        }
        let outcome = decision.map(|()| {
            if cause == Cause::Request {
                record.client = asked.metadata.client;
            }
            let unix = ctx.unix.max(self.dismissed + REVOCATION_GRAIN);
            let ctx = &mut Ctx { unix, tables: ctx.tables, out: ctx.out, rng: ctx.rng, ..*ctx };
            issue::configuration(ctx, self, &mut record, &asked, is_new)
        });

        let now = ctx.now;
        let session = self.store_member(ctx, record);
        if outcome.is_ok() {
            session.sent_config(now);
        }
        if cause == Cause::Request {
            let before = session.footprint();
            session.remember(now, asked);
            let after = session.footprint();
            self.held = self.held - before + after;
        }
        outcome
    }

    /// Takes in a network record, and stores it if it changed. Returns whether it did.
    pub(super) fn store_network(&mut self, ctx: &mut Ctx<'_>, mut record: NetworkRecord) -> bool {
        if !record.differs_from(&self.record) {
            return false;
        }
        record.revision = record.revision.max(self.record.revision.saturating_add(1));
        let key = StoreKey::ControllerNetwork(record.id());
        ctx.out.events.push_back(Event::Store { key, value: Some(record.to_json()) });
        self.held = self.held - self.record.footprint() + record.footprint();
        self.record = record;
        true
    }

    /// Takes in a member record, and stores it if it is new or changed.
    pub(super) fn store_member(
        &mut self,
        ctx: &mut Ctx<'_>,
        mut record: MemberRecord,
    ) -> &mut Session {
        let address = record.address();
        let known = self.member(address);
        if known.is_none_or(|known| record.differs_from(known)) {
            let revision = known.map_or(0, |known| known.revision).saturating_add(1);
            record.revision = record.revision.max(revision);
            let key = StoreKey::ControllerMember(record.network(), address);
            ctx.out.events.push_back(Event::Store { key, value: Some(record.to_json()) });
            self.load_member(record);
        }
        &mut self.members.get_mut(&address).expect("it is there or was stored").session
    }

    /// Takes in a member record without storing it.
    pub(super) fn load_member(&mut self, record: MemberRecord) {
        let address = record.address();
        let session = match self.members.remove(&address) {
            Some(old) => {
                self.unindex(&old.record);
                old.session
            }
            None => Session::default(),
        };
        self.index(&record);
        self.members.insert(address, Member { record, session });
    }

    /// Forgets a member, in store too. Returns whether there was one.
    pub(super) fn remove_member(&mut self, ctx: &mut Ctx<'_>, member: Address) -> bool {
        let Some(Member { record, session }) = self.members.remove(&member) else { return false };
        self.unindex(&record);
        self.held -= session.footprint();
        let key = StoreKey::ControllerMember(record.network(), member);
        ctx.out.events.push_back(Event::Store { key, value: None });
        true
    }

    /// Removes the network and its members from store.
    pub(super) fn remove(self, ctx: &mut Ctx<'_>) {
        let network = self.record.id();
        let members = self.members.into_keys();
        let keys = members.map(|member| StoreKey::ControllerMember(network, member));
        let removals = keys
            .chain([StoreKey::ControllerNetwork(network)])
            .map(|key| Event::Store { key, value: None });
        ctx.out.events.extend(removals);
    }

    fn index(&mut self, record: &MemberRecord) {
        self.authorized += usize::from(record.is_authorized());
        self.held += record.footprint();
        self.in_use.add(&record.addresses);
        if record.active_bridge {
            self.bridges.insert(record.address());
        }
    }

    fn unindex(&mut self, record: &MemberRecord) {
        self.authorized -= usize::from(record.is_authorized());
        self.held -= record.footprint();
        self.in_use.remove(&record.addresses);
        self.bridges.remove(&record.address());
    }
}
