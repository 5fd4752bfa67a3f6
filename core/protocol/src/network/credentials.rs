//! Showing credentials to other members, and taking in theirs.
//!
//! Source: spec 03 §6.2, §6.3, §6.5.

use super::members::{Attribute, Outcome};
use super::{Network, Push};
use crate::address::Address;
use crate::credential::{Membership, Revocation};
use crate::error::Rejected;
use crate::fastpath::tables::Admission;
use crate::identity::Directory;
use crate::limits::{CREDENTIAL_PACKET_DISTANCE, CREDENTIAL_PACKETS_WAITING_MAX};
use crate::outbox::Ctx;
use crate::time::Instant;
use crate::verb::{ErrorCode, Verb};
use crate::wire::{credentials as wire, reply};

/// What became of the credentials in a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Credentials {
    /// All were judged; `true` if at least one holds, which establishes trust in the sender.
    Accepted(bool),
    /// At least one cannot be judged before this node's identity is known. Handle the packet
    /// again then.
    NeedIdentity(Address),
}

impl Credentials {
    /// Returns what became of these credentials and another one.
    pub(super) const fn and(self, outcome: Outcome) -> Self {
        match (self, outcome) {
            (Self::NeedIdentity(address), _) => Self::NeedIdentity(address),
            (Self::Accepted(_), Outcome::NeedsIdentity(address)) => Self::NeedIdentity(address),
            (Self::Accepted(any), outcome) => Self::Accepted(any || outcome.is_accepted()),
        }
    }
}

impl Network {
    /// Returns whether `peer` may exchange frames on the network. If it may, our multicast groups
    /// are announced to it if they are due.
    ///
    /// # Errors
    ///
    /// [`Rejected::NotAMember`] if it may not.
    pub(super) fn gate(&mut self, ctx: &mut Ctx<'_>, peer: Address) -> Result<(), Rejected> {
        let admitted = match self.admission() {
            Admission::Nobody => false,
            Admission::Everybody => true,
            Admission::Members => self.members.get(peer).is_some_and(|member| member.admitted),
        };
        if !admitted {
            return Err(Rejected::NotAMember);
        }
        self.announce_to(ctx, peer);
        Ok(())
    }

    /// Works out anew which members are admitted.
    pub(super) fn judge_all(&mut self, ctx: &mut Ctx<'_>, directory: &dyn Directory) {
        let own = self.config.as_ref().and_then(|config| config.membership.as_ref());
        self.members.judge_all(own, directory);
        self.expose(ctx);
    }

    /// Works out anew whether `member` is admitted.
    pub(super) fn judge(&mut self, ctx: &mut Ctx<'_>, directory: &dyn Directory, member: Address) {
        let own = self.config.as_ref().and_then(|config| config.membership.as_ref());
        self.members.judge(member, own, directory);
        self.expose_member(ctx, member);
    }

    /// Makes the data plane see what is known of `member`, and forget whom this node has forgotten.
    pub(super) fn expose_member(&mut self, ctx: &mut Ctx<'_>, member: Address) {
        self.conceal_forgotten(ctx);
        if let (Some(view), Some(record)) =
            (ctx.tables.network_mut(self.id), self.members.get(member))
        {
            view.members.insert(member, record.view());
        }
    }

    /// Makes the data plane forget whom this node has forgotten.
    pub(super) fn conceal_forgotten(&mut self, ctx: &mut Ctx<'_>) {
        let Some(view) = ctx.tables.network_mut(self.id) else { return };
        for member in self.members.take_forgotten() {
            view.members.remove(&member);
        }
    }

    /// Takes in a certificate of membership.
    pub(super) fn add_membership(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        membership: Membership,
    ) -> Outcome {
        let holder = membership.issued_to();
        if holder == ctx.me.address() {
            return Outcome::Redundant;
        }
        let outcome = self.members.add_membership(ctx, membership, directory);
        if outcome == Outcome::New {
            self.judge(ctx, directory, holder);
            self.wake_to_announce(ctx.now);
        }
        outcome
    }

    /// Takes in a tag, capability or certificate of ownership.
    pub(super) fn add_attribute(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        attribute: impl Attribute,
    ) -> Outcome {
        let holder = attribute.issued_to();
        if holder == ctx.me.address() {
            return Outcome::Redundant;
        }
        let outcome = self.members.add(ctx, attribute, directory);
        if outcome == Outcome::New {
            self.weigh(ctx, holder);
        }
        outcome
    }

    /// Works out anew which credentials of `member` rules can count on.
    fn weigh(&mut self, ctx: &mut Ctx<'_>, member: Address) {
        if let (Some(config), Some(view)) = (&self.config, ctx.tables.network(self.id)) {
            self.members.weigh(member, config, &view.strangers);
        }
        self.expose_member(ctx, member);
    }

    /// Takes in a revocation that `from` passed on, and passes it on if it says so.
    ///
    /// Whoever knows it already does not, which is how the flood ends.
    pub(super) fn add_revocation(
        &mut self,
        ctx: &mut Ctx<'_>,
        directory: &dyn Directory,
        from: Address,
        revocation: &Revocation,
    ) -> Outcome {
        let outcome = self.members.revoke(ctx, revocation, directory);
        if outcome != Outcome::New {
            return outcome;
        }
        self.judge(ctx, directory, revocation.target);
        self.weigh(ctx, revocation.target);
        if revocation.propagates() {
            let alone = wire::Credentials {
                revocations: vec![revocation.clone()],
                ..wire::Credentials::default()
            };
            let skip = [from, revocation.signer, ctx.me.address()];
            for body in alone.write() {
                for member in self.members.addresses().filter(|member| !skip.contains(member)) {
                    ctx.out.send(member, Verb::NetworkCredentials, body.clone());
                }
            }
        }
        outcome
    }

    /// Shows our credentials to `to` if they are due, because something is about to be sent to it.
    pub(super) fn push_if_due(&mut self, ctx: &mut Ctx<'_>, to: Address) {
        let due = self.members.get(to).is_none_or(|member| member.push_due() <= ctx.now);
        if due {
            self.push(ctx, to);
        }
    }

    /// Asks a member whose certificate was revoked for a later one, once a second at most.
    pub(super) fn demand_certificate(&mut self, ctx: &mut Ctx<'_>, member: Address) {
        if self.members.take_demand(ctx.now, member) {
            let code = ErrorCode::NeedMembershipCertificate;
            // An answer to nothing: whoever is asked looks at the network alone (spec 03 §2.4).
            let body = reply::error(Verb::Nop, 0, code, Some(self.id));
            ctx.out.send(member, Verb::Error, body);
        }
    }

    /// Shows our credentials to `to`, which asks for them, unless it did so just before, and repeats
    /// behind them what it was asked in vain.
    pub(super) fn push_on_demand(&mut self, ctx: &mut Ctx<'_>, to: Address) {
        let certified = self.config.as_ref().is_some_and(|config| config.membership.is_some());
        let may = self.members.get(to).is_none_or(|member| member.may_demand(ctx.now));
        if certified && may {
            self.push(ctx, to);
            if let Ok(member) = self.members.record(ctx, to) {
                member.note_answer(ctx.now);
            }
            self.ask_anew(ctx, to);
        }
    }

    fn push(&mut self, ctx: &mut Ctx<'_>, to: Address) {
        let Some(config) = self.config.as_ref().filter(|_| to != ctx.me.address()) else { return };
        let Ok(member) = self.members.record(ctx, to) else { return };
        member.note_push(ctx.now);

        let own = wire::Credentials {
            memberships: config.membership.iter().cloned().collect(),
            capabilities: config.capabilities.clone(),
            tags: config.tags.clone(),
            revocations: Vec::new(),
            ownerships: config.ownerships.clone(),
        };
        let mut at = ctx.now;
        for body in own.write() {
            if at == ctx.now {
                ctx.out.send(to, Verb::NetworkCredentials, body);
            } else if !ctx.is_full && self.pushes.len() < CREDENTIAL_PACKETS_WAITING_MAX {
                self.pushes.push_back(Push { at, to, body });
                self.wake_by(at);
            }
            at = at + CREDENTIAL_PACKET_DISTANCE;
        }
        self.expose_member(ctx, to);
    }

    /// Sends the credentials that have kept their distance.
    pub(super) fn send_due_pushes(&mut self, ctx: &mut Ctx<'_>) {
        let (due, later) =
            core::mem::take(&mut self.pushes).into_iter().partition(|push| push.at <= ctx.now);
        self.pushes = later;
        for Push { to, body, .. } in due {
            ctx.out.send(to, Verb::NetworkCredentials, body);
        }
    }

    /// Returns when [`send_due_pushes`](Self::send_due_pushes) has something to send.
    pub(super) fn next_push(&self) -> Option<Instant> {
        self.pushes.iter().map(|push| push.at).min()
    }
}
