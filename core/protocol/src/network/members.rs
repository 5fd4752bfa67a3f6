//! What is known of the other members of a network: their credentials, what bars them, and when
//! they were last told things.
//!
//! Source: spec 03 §6.1, §6.2, §6.4, §7.5.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::holdings;
use crate::address::Address;
use crate::config::NetworkConfig;
use crate::credential::revocation::CredentialKind;
use crate::credential::{Capability, CredentialError, Membership, Ownership, Revocation, Tag};
use crate::error::Rejected;
use crate::fastpath::tables::MemberView;
use crate::identity::Directory;
use crate::limits::{
    CONFIG_CAPABILITIES_MAX, CONFIG_OWNERSHIPS_MAX, CONFIG_TAGS_MAX, CREDENTIAL_DEMAND_PERIOD,
    CREDENTIAL_PUSH_PERIOD, CREDENTIAL_WINDOW_MAX_MS, MEMBERS_MAX, REVOCATIONS_MAX,
};
use crate::memory;
use crate::outbox::Ctx;
use crate::rules::Holdings;
use crate::time::{Instant, UnixMillis};

/// The members of one network that something is known of.
#[derive(Debug, Default)]
pub(super) struct Members {
    records: BTreeMap<Address, Member>,
    /// Who had to make room or was swept out, until the data plane is told.
    forgotten: Vec<Address>,
    /// What all members hold, in bytes.
    held: usize,
}

/// What is known of one member.
#[derive(Debug)]
pub(super) struct Member {
    membership: Option<Membership>,
    /// Certificates of membership up to this time count for nothing.
    barred_until: u64,
    /// The same for other credentials.
    revoked_until: BTreeMap<(CredentialKind, u32), u64>,
    tags: BTreeMap<u32, Tag>,
    capabilities: BTreeMap<u32, Capability>,
    ownerships: BTreeMap<u32, Ownership>,
    /// Whether it passes the gate of a private network.
    pub(super) admitted: bool,
    /// Which of its credentials count for rules; `None` if none does.
    holdings: Option<Arc<Holdings>>,
    /// Whether that could not be judged for want of its identity.
    unidentified: bool,
    /// When a frame or a credential of it was last accepted.
    pub(super) heard: Instant,
    /// From when on credentials are due to be pushed to it if it is sent to.
    push_due: Instant,
    /// When they were last pushed to it because it asked for them.
    answered: Option<Instant>,
    /// From when on all multicast groups are due to be announced to it.
    announce_due: Instant,
    /// When it was last asked for a certificate later than the one revoked.
    demanded: Option<Instant>,
}

/// What became of a credential that arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// It was stored.
    New,
    /// It was stored before.
    Redundant,
    /// It is not believed, or there is no room for it.
    Refused(Rejected),
    /// It cannot be judged before this node's identity is known.
    NeedsIdentity(Address),
}

impl Outcome {
    /// Returns whether the credential vouches for whoever it is about.
    pub(super) const fn is_accepted(self) -> bool {
        matches!(self, Self::New | Self::Redundant)
    }

    /// Returns why the credential is not believed, if that is so.
    pub(super) const fn refusal(self) -> Option<Rejected> {
        match self {
            Self::Refused(rejected) => Some(rejected),
            Self::New | Self::Redundant | Self::NeedsIdentity(_) => None,
        }
    }
}

impl From<CredentialError> for Outcome {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::UnknownSigner(address) => Self::NeedsIdentity(address),
            CredentialError::WrongSigner(_) => Self::Refused(Rejected::WrongSigner),
            CredentialError::BrokenCustody => Self::Refused(Rejected::BrokenCustody),
            CredentialError::BadSignature => Self::Refused(Rejected::BadSignature),
        }
    }
}

/// What tags, capabilities and certificates of ownership have in common: a member has one of each
/// ID, and a newer one replaces an older.
pub(super) trait Attribute: PartialEq + Sized {
    /// How revocations call it.
    const KIND: CredentialKind;

    /// How many of them a member may have.
    const MAX: usize;

    fn issued_to(&self) -> Address;
    fn id(&self) -> u32;
    fn timestamp(&self) -> UnixMillis;
    fn verify(&self, directory: &dyn Directory) -> Result<(), CredentialError>;

    /// Where a member's are kept.
    fn shelf(member: &mut Member) -> &mut BTreeMap<u32, Self>;
}

impl Members {
    /// Returns what is known of the member at `address`.
    pub(super) fn get(&self, address: Address) -> Option<&Member> {
        self.records.get(&address)
    }

    /// Returns every member's address, ascending.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Address> + '_ {
        self.records.keys().copied()
    }

    /// Returns who could not be judged because nobody knew who they are.
    pub(super) fn unidentified(&self) -> Vec<Address> {
        let unidentified = self.iter().filter(|(_, member)| member.unidentified);
        unidentified.map(|(address, _)| address).collect()
    }

    /// Returns every member, by ascending address.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Address, &Member)> + '_ {
        self.records.iter().map(|(&address, member)| (address, member))
    }

    /// Returns every member, by ascending address, to change them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Address, &mut Member)> + '_ {
        self.records.iter_mut().map(|(&address, member)| (address, member))
    }

    /// Returns the record of the member at `address`, which is made if there is none.
    ///
    /// # Errors
    ///
    /// [`Rejected::Full`] if there are too many and every one of them is barred by a revocation,
    /// which must not be forgotten, or if memory is short.
    pub(super) fn record(
        &mut self,
        ctx: &Ctx<'_>,
        address: Address,
    ) -> Result<&mut Member, Rejected> {
        if ctx.is_full && !self.records.contains_key(&address) {
            return Err(Rejected::Full);
        }
        self.record_among(ctx.now, address, MEMBERS_MAX)
    }

    /// As [`record`](Self::record), for somebody to be barred: while memory is short, another makes
    /// room. Who fills the memory of others shall not keep a revocation from them.
    fn record_of_barred(
        &mut self,
        ctx: &Ctx<'_>,
        address: Address,
    ) -> Result<&mut Member, Rejected> {
        let most = if ctx.is_full { self.records.len().clamp(1, MEMBERS_MAX) } else { MEMBERS_MAX };
        self.record_among(ctx.now, address, most)
    }

    /// Returns the record of the member at `address`. If there is none it is made, and if there are
    /// `most` already, it takes the place of whoever was not heard for longest.
    fn record_among(
        &mut self,
        now: Instant,
        address: Address,
        most: usize,
    ) -> Result<&mut Member, Rejected> {
        if !self.records.contains_key(&address) && self.records.len() >= most {
            let forgettable = self.records.iter().filter(|(_, member)| !member.is_barred());
            let oldest = forgettable.min_by_key(|(_, member)| member.heard);
            let oldest = *oldest.ok_or(Rejected::Full)?.0;
            self.forget(oldest);
        }
        Ok(self.records.entry(address).or_insert_with(|| Member::new(now)))
    }

    /// Returns what they take, in bytes.
    pub(super) fn footprint(&self) -> usize {
        memory::of_tree(&self.records) + self.held
    }

    /// Forgets members not heard for so long, until so many bytes are given back: those who are not
    /// admitted before those who are, those longest unheard first. Those barred by a revocation stay.
    pub(super) fn give_back(&mut self, now: Instant, silence: Duration, surplus: usize) {
        let may_go = |member: &Member| !member.is_barred() && now.since(member.heard) >= silence;
        let silent = self.records.iter().filter(|(_, member)| may_go(member));
        let mut silent: Vec<(bool, Instant, Address)> =
            silent.map(|(&address, member)| (member.admitted, member.heard, address)).collect();
        silent.sort_unstable();
        let goal = self.footprint().saturating_sub(surplus);
        for (_, _, address) in silent {
            if self.footprint() <= goal {
                break;
            }
            self.forget(address);
        }
    }

    /// Returns what all members hold, in bytes, as it was counted.
    #[cfg(test)]
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    fn forget(&mut self, address: Address) {
        let forgotten = self.records.remove(&address);
        self.held -= forgotten.map_or(0, |member| member.footprint());
        self.forgotten.push(address);
    }

    /// Changes what is known of a member in a way that may change what it holds.
    fn change(&mut self, address: Address, change: impl FnOnce(&mut Member)) {
        if let Some(member) = self.records.get_mut(&address) {
            let before = member.footprint();
            change(member);
            self.held = self.held - before + member.footprint();
        }
    }

    /// Counts anew what all members hold.
    fn recount(&mut self) {
        self.held = self.records.values().map(Member::footprint).sum();
    }

    /// Takes in a certificate of membership of this network.
    pub(super) fn add_membership(
        &mut self,
        ctx: &Ctx<'_>,
        membership: Membership,
        directory: &dyn Directory,
    ) -> Outcome {
        let holder = membership.issued_to();
        if let Some(member) = self.get(holder) {
            let timestamp = membership.timestamp();
            let held = member.membership.as_ref();
            if timestamp.0 <= member.barred_until
                || held.is_some_and(|held| timestamp < held.timestamp())
            {
                return Outcome::Refused(Rejected::Stale);
            }
            if held == Some(&membership) {
                return Outcome::Redundant;
            }
        }
        if let Err(error) = membership.verify(directory) {
            return error.into();
        }
        match self.record(ctx, holder) {
            Ok(member) => {
                member.membership = Some(membership);
                member.heard = ctx.now;
                Outcome::New
            }
            Err(rejected) => Outcome::Refused(rejected),
        }
    }

    /// Takes in a tag, capability or certificate of ownership of this network.
    pub(super) fn add<A: Attribute>(
        &mut self,
        ctx: &Ctx<'_>,
        attribute: A,
        directory: &dyn Directory,
    ) -> Outcome {
        let (holder, id, timestamp) =
            (attribute.issued_to(), attribute.id(), attribute.timestamp());
        if let Some(member) = self.records.get_mut(&holder) {
            let shelf = A::shelf(member);
            let full = ctx.is_full || shelf.len() >= A::MAX;
            match shelf.get(&id) {
                Some(held) if held.timestamp() > timestamp => {
                    return Outcome::Refused(Rejected::Stale);
                }
                Some(held) if *held == attribute => return Outcome::Redundant,
                None if full => return Outcome::Refused(Rejected::Full),
                Some(_) | None => {}
            }
            if member.threshold(A::KIND, id) >= timestamp.0 {
                return Outcome::Refused(Rejected::Stale);
            }
        }
        if let Err(error) = attribute.verify(directory) {
            return error.into();
        }
        match self.record(ctx, holder) {
            Ok(_) => {
                self.change(holder, |member| {
                    A::shelf(member).insert(id, attribute);
                    member.heard = ctx.now;
                });
                Outcome::New
            }
            Err(rejected) => Outcome::Refused(rejected),
        }
    }

    /// Takes in a revocation in this network.
    pub(super) fn revoke(
        &mut self,
        ctx: &Ctx<'_>,
        revocation: &Revocation,
        directory: &dyn Directory,
    ) -> Outcome {
        let &Revocation { kind, credential_id, threshold, target, .. } = revocation;
        if matches!(kind, CredentialKind::Other(_)) {
            return Outcome::Refused(Rejected::Malformed);
        }
        if self.get(target).is_some_and(|member| member.threshold(kind, credential_id) >= threshold)
        {
            // Nothing would change, so it does not matter whether it is genuine.
            return Outcome::Redundant;
        }
        if let Err(error) = revocation.verify(directory) {
            return error.into();
        }
        match self.record_of_barred(ctx, target) {
            Ok(_) => {
                self.change(target, |member| member.bar(kind, credential_id, threshold));
                Outcome::New
            }
            Err(rejected) => Outcome::Refused(rejected),
        }
    }

    /// Forgets that whoever was known as `address` was certified. Revocations stay.
    pub(super) fn disown(&mut self, address: Address) {
        if let Some(member) = self.records.get_mut(&address) {
            member.membership = None;
            member.admitted = false;
        }
    }

    /// Works out anew which members pass the gate of a private network (spec 03 §6.2).
    pub(super) fn judge_all(&mut self, own: Option<&Membership>, directory: &dyn Directory) {
        for (address, member) in self.iter_mut() {
            member.judge(address, own, directory);
        }
    }

    /// Works out anew whether `address` passes the gate of a private network.
    pub(super) fn judge(
        &mut self,
        address: Address,
        own: Option<&Membership>,
        directory: &dyn Directory,
    ) {
        if let Some(member) = self.records.get_mut(&address) {
            member.judge(address, own, directory);
        }
    }

    /// Works out anew which credentials of `address` count under `config`. Whatever it holds, it
    /// holds besides what `strangers` do.
    pub(super) fn weigh(&mut self, address: Address, config: &NetworkConfig, strangers: &Holdings) {
        self.change(address, |member| member.weigh(config, strangers));
    }

    /// As [`weigh`](Self::weigh), for every member.
    pub(super) fn weigh_all(&mut self, config: &NetworkConfig, strangers: &Holdings) {
        for (_, member) in self.iter_mut() {
            member.weigh(config, strangers);
        }
        self.recount();
    }

    /// Returns whether the member at `address` is due to be asked for a later certificate, and
    /// counts that as done.
    pub(super) fn take_demand(&mut self, now: Instant, address: Address) -> bool {
        let member = self.records.get_mut(&address);
        let due = member.filter(|member| now.is_due(member.demanded, CREDENTIAL_DEMAND_PERIOD));
        due.is_some_and(|member| {
            member.demanded = Some(now);
            true
        })
    }

    /// Forgets credentials that cannot count any more under `config`, and members of whom nothing
    /// is left to know.
    ///
    /// The reference forgets nothing; its cleanup is never called (spec 03 §6.4).
    pub(super) fn sweep(&mut self, config: &NetworkConfig, directory: &dyn Directory) {
        self.records.retain(|&address, member| {
            member.purge(config);
            let keep = !member.is_empty() || directory.identity(address).is_some();
            if !keep {
                self.forgotten.push(address);
            }
            keep
        });
        self.recount();
    }

    /// Takes who was forgotten since this was last asked.
    pub(super) fn take_forgotten(&mut self) -> Vec<Address> {
        core::mem::take(&mut self.forgotten)
    }
}

impl Member {
    fn new(now: Instant) -> Self {
        Self {
            membership: None,
            barred_until: 0,
            revoked_until: BTreeMap::new(),
            tags: BTreeMap::new(),
            capabilities: BTreeMap::new(),
            ownerships: BTreeMap::new(),
            admitted: false,
            holdings: None,
            unidentified: false,
            heard: now,
            push_due: Instant::ZERO,
            answered: None,
            announce_due: Instant::ZERO,
            demanded: None,
        }
    }

    /// Returns what it holds, in bytes, with what the data plane shares.
    pub(super) fn footprint(&self) -> usize {
        let capabilities = self.capabilities.values().map(Capability::footprint);
        let ownerships = self.ownerships.values().map(Ownership::footprint);
        let holdings = self.holdings.as_ref().map_or(0, |holdings| {
            size_of::<Holdings>() + 2 * size_of::<usize>() + holdings.footprint()
        });
        memory::of_tree(&self.revoked_until)
            + memory::of_tree(&self.tags)
            + memory::of_tree(&self.capabilities)
            + memory::of_tree(&self.ownerships)
            + capabilities.chain(ownerships).sum::<usize>()
            + holdings
    }

    /// Returns what the data plane needs to know.
    pub(super) fn view(&self) -> MemberView {
        MemberView {
            admitted: self.admitted,
            revoked: self.is_revoked(),
            holdings: self.holdings.clone(),
            push_due: self.push_due,
            announce_due: self.announce_due,
        }
    }

    /// Returns from when on credentials are due to be pushed before something is sent to it.
    pub(super) const fn push_due(&self) -> Instant {
        self.push_due
    }

    /// Returns whether credentials may be pushed to it because it asks for them.
    ///
    /// The reference waits for a second also after it has shown them unasked. But whoever asks then
    /// has not got them, or not yet: they were lost, or wait until it knows who we are.
    pub(super) fn may_demand(&self, now: Instant) -> bool {
        self.push_due <= now
            || self.answered.is_none_or(|answered| now.since(answered) > CREDENTIAL_DEMAND_PERIOD)
    }

    /// Remembers that credentials were pushed to it.
    pub(super) fn note_push(&mut self, now: Instant) {
        self.push_due = now + CREDENTIAL_PUSH_PERIOD;
    }

    /// Remembers that it asked for them.
    pub(super) const fn note_answer(&mut self, now: Instant) {
        self.answered = Some(now);
    }

    /// Remembers that this node has other credentials than those it pushed.
    pub(super) const fn expire_push(&mut self) {
        self.push_due = Instant::ZERO;
    }

    /// Returns from when on all multicast groups are due to be announced to it.
    pub(super) const fn announce_due(&self) -> Instant {
        self.announce_due
    }

    /// Remembers that all multicast groups were announced to it, and when that is due again.
    pub(super) const fn note_announcement(&mut self, due: Instant) {
        self.announce_due = due;
    }

    /// Returns whether the certificate it has shown was revoked.
    fn is_revoked(&self) -> bool {
        let shown = self.membership.as_ref().map_or(0, |shown| shown.timestamp().0);
        self.barred_until > 0 && shown <= self.barred_until
    }

    fn judge(&mut self, address: Address, own: Option<&Membership>, directory: &dyn Directory) {
        let holder = directory.identity(address);
        self.unidentified = self.membership.is_some() && holder.is_none();
        self.admitted = match (own, &self.membership, holder) {
            (Some(own), Some(theirs), Some(holder)) => {
                theirs.timestamp().0 > self.barred_until && own.agrees_with(theirs, holder)
            }
            _ => false,
        };
    }

    fn weigh(&mut self, config: &NetworkConfig, strangers: &Holdings) {
        let tags: Vec<_> = self.counting(&self.tags, config).collect();
        let capabilities: Vec<_> = self.counting(&self.capabilities, config).collect();
        let ownerships: Vec<_> = self.counting(&self.ownerships, config).collect();
        let none = tags.is_empty() && capabilities.is_empty() && ownerships.is_empty();
        let holdings =
            || Arc::new(holdings::add(strangers.clone(), tags, capabilities, ownerships));
        self.holdings = (!none).then(holdings);
    }

    /// Returns the credentials on `shelf` that count under `config` (spec 03 §6.4).
    fn counting<'a, A: Attribute>(
        &self,
        shelf: &'a BTreeMap<u32, A>,
        config: &NetworkConfig,
    ) -> impl Iterator<Item = &'a A> {
        shelf.values().filter(|held| {
            config.is_timely(held.timestamp())
                && held.timestamp().0 > self.threshold(A::KIND, held.id())
        })
    }

    /// Returns the time up to which credentials of this kind and ID are revoked.
    fn threshold(&self, kind: CredentialKind, id: u32) -> u64 {
        match kind {
            CredentialKind::Membership => self.barred_until,
            CredentialKind::Capability
            | CredentialKind::Tag
            | CredentialKind::Ownership
            | CredentialKind::Other(_) => {
                self.revoked_until.get(&(kind, id)).copied().unwrap_or_default()
            }
        }
    }

    /// Revokes credentials up to `threshold`.
    ///
    /// Revoking a tag does not bar the member, as it does with the reference: controllers that
    /// take a tag away do not mean to (spec 03 §7.5).
    fn bar(&mut self, kind: CredentialKind, id: u32, threshold: u64) {
        if kind == CredentialKind::Membership {
            self.barred_until = threshold;
            return;
        }
        if self.revoked_until.len() >= REVOCATIONS_MAX {
            let oldest = self.revoked_until.iter().min_by_key(|(_, until)| **until);
            let oldest = oldest.map(|(&key, _)| key);
            oldest.and_then(|key| self.revoked_until.remove(&key));
        }
        self.revoked_until.insert((kind, id), threshold);
    }

    fn is_barred(&self) -> bool {
        self.barred_until > 0 || !self.revoked_until.is_empty()
    }

    fn is_empty(&self) -> bool {
        let Self { membership, tags, capabilities, ownerships, .. } = self;
        membership.is_none()
            && tags.is_empty()
            && capabilities.is_empty()
            && ownerships.is_empty()
            && !self.is_barred()
    }

    /// Forgets what is too far from `config` to count: older, or of a controller whose clock was
    /// wrong and would keep what it issues since from being believed. Revocations bar nothing any
    /// more once whatever they bar is as old.
    fn purge(&mut self, config: &NetworkConfig) {
        let window = config.credential_window_ms.max(CREDENTIAL_WINDOW_MAX_MS);
        let oldest = config.timestamp.0.saturating_sub(window);
        let is_near = |timestamp: UnixMillis| timestamp.0.abs_diff(config.timestamp.0) <= window;
        self.tags.retain(|_, tag| is_near(tag.timestamp));
        self.capabilities.retain(|_, capability| is_near(capability.timestamp));
        self.ownerships.retain(|_, ownership| is_near(ownership.timestamp));
        self.revoked_until.retain(|_, &mut until| until >= oldest);
        if self.barred_until < oldest {
            self.barred_until = 0;
        }
        let useless = self.membership.as_ref().is_some_and(|held| !is_near(held.timestamp()));
        if useless && !self.admitted {
            self.membership = None;
        }
    }
}

impl Attribute for Tag {
    const KIND: CredentialKind = CredentialKind::Tag;
    const MAX: usize = CONFIG_TAGS_MAX;

    fn issued_to(&self) -> Address {
        self.issued_to
    }

    fn id(&self) -> u32 {
        self.id
    }

    fn timestamp(&self) -> UnixMillis {
        self.timestamp
    }

    fn verify(&self, directory: &dyn Directory) -> Result<(), CredentialError> {
        self.verify(directory)
    }

    fn shelf(member: &mut Member) -> &mut BTreeMap<u32, Self> {
        &mut member.tags
    }
}

impl Attribute for Capability {
    const KIND: CredentialKind = CredentialKind::Capability;
    const MAX: usize = CONFIG_CAPABILITIES_MAX;

    fn issued_to(&self) -> Address {
        self.issued_to()
    }

    fn id(&self) -> u32 {
        self.id
    }

    fn timestamp(&self) -> UnixMillis {
        self.timestamp
    }

    fn verify(&self, directory: &dyn Directory) -> Result<(), CredentialError> {
        self.verify(directory)
    }

    fn shelf(member: &mut Member) -> &mut BTreeMap<u32, Self> {
        &mut member.capabilities
    }
}

impl Attribute for Ownership {
    const KIND: CredentialKind = CredentialKind::Ownership;
    const MAX: usize = CONFIG_OWNERSHIPS_MAX;

    fn issued_to(&self) -> Address {
        self.issued_to
    }

    fn id(&self) -> u32 {
        self.id
    }

    fn timestamp(&self) -> UnixMillis {
        self.timestamp
    }

    fn verify(&self, directory: &dyn Directory) -> Result<(), CredentialError> {
        self.verify(directory)
    }

    fn shelf(member: &mut Member) -> &mut BTreeMap<u32, Self> {
        &mut member.ownerships
    }
}
