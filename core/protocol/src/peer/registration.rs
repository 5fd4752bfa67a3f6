//! Whether the roots take this node for the holder of its address.
//!
//! There is no separate step: a root that knows nobody else under the address takes a HELLO for the
//! registration, and answers OK. One that knows another identity answers ERROR. As any root may
//! lie, or have been lied to, the others are asked at once, and when they have answered, or had
//! time to:
//!
//! | dispute it | contradict | the address is |
//! |---|---|---|
//! | several | fewer | lost: the node is of no use before it has another identity |
//! | one | nobody | in doubt: the only root there is says so, or the only one that answers |
//! | any | as many or more | kept |
//!
//! Whoever disputes it goes on being asked, as if it did not answer, and is used for nothing else
//! while others are there. The host is told of the first two.
//!
//! Source: spec 01 §11.3, spec 02 §2.3, §10.

use core::time::Duration;
use std::collections::BTreeSet;

use crate::address::Address;
use crate::error::Rejected;
use crate::event::Event;
use crate::outbox::{Ctx, Received};
use crate::peer::Peers;
use crate::roots::Roots;
use crate::time::Instant;

/// How long the other roots have to answer once one disputes the address: time for a HELLO to each
/// and a repetition.
const HEARING: Duration = Duration::from_secs(5);

/// What the roots say; at most one entry for each.
#[derive(Debug, Default)]
pub(super) struct Registration {
    disputed_by: BTreeSet<Address>,
    /// Roots that have said otherwise since the dispute began.
    vouched_by: BTreeSet<Address>,
    /// When to decide, whoever has answered by then.
    due: Option<Instant>,
    /// What the host was told last: whether the loss is confirmed.
    told: Option<bool>,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Kept,
    InDoubt,
    Lost,
}

impl Registration {
    pub(super) const fn new() -> Self {
        Self { disputed_by: BTreeSet::new(), vouched_by: BTreeSet::new(), due: None, told: None }
    }

    /// Returns whether the root at `address` says that the address is somebody else's.
    pub(super) fn is_disputed_by(&self, address: Address) -> bool {
        self.disputed_by.contains(&address)
    }

    /// Forgets what those said who are no roots any more.
    pub(super) fn keep(&mut self, is_root: impl Fn(Address) -> bool) {
        self.disputed_by.retain(|&address| is_root(address));
        self.vouched_by.retain(|&address| is_root(address));
        self.end_if_undisputed();
    }

    /// Returns when to decide.
    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Takes note that a root disputes the address; returns whether it did not before.
    fn disputed(&mut self, now: Instant, root: Address) -> bool {
        self.vouched_by.remove(&root);
        let is_news = self.disputed_by.insert(root);
        if is_news {
            self.due = Some(now + HEARING);
        }
        is_news
    }

    /// Takes note that a root takes this node for who it is.
    fn vouched(&mut self, root: Address) {
        self.disputed_by.remove(&root);
        if !self.disputed_by.is_empty() {
            self.vouched_by.insert(root);
        }
        self.end_if_undisputed();
    }

    fn end_if_undisputed(&mut self) {
        if self.disputed_by.is_empty() {
            *self = Self::new();
        }
    }

    /// Returns whether each of so many roots has answered, or had time to.
    fn is_heard(&self, now: Instant, roots: usize) -> bool {
        let answered = self.disputed_by.len() + self.vouched_by.len();
        answered >= roots || self.due.is_none_or(|due| due <= now)
    }

    fn verdict(&self) -> Verdict {
        match (self.disputed_by.len(), self.vouched_by.len()) {
            (disputed, vouched) if disputed <= vouched => Verdict::Kept,
            (1, _) => Verdict::InDoubt,
            _ => Verdict::Lost,
        }
    }
}

impl Peers {
    /// Takes in an ERROR that answers a HELLO of ours: another identity holds this node's address.
    ///
    /// # Errors
    ///
    /// [`Rejected::IdentityCollision`] always: a root that says so has not answered.
    pub fn handle_collision(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        rx: &Received<'_>,
    ) -> Result<(), Rejected> {
        if roots.is_upstream(rx.from) && self.registration.disputed(ctx.now, rx.from) {
            log::warn!("root {} says that another node has this node's address", rx.from);
            let others = roots.upstreams().iter().filter(|(root, _)| **root != rx.from);
            for (&root, endpoints) in others {
                if let Some(peer) = self.peers.get_mut(&root) {
                    peer.greeted = None;
                }
                self.contact_root(ctx, roots, root, endpoints);
            }
            self.decide(ctx, roots);
            self.refresh_upstreams(ctx, roots);
        }
        Err(Rejected::IdentityCollision)
    }

    /// Takes note that a root has answered a HELLO with OK.
    pub(super) fn vouched(&mut self, ctx: &mut Ctx<'_>, roots: &Roots, root: Address) {
        self.registration.vouched(root);
        self.decide(ctx, roots);
    }

    /// Tells the host what to make of a dispute, once all are heard and if that has changed.
    pub(super) fn decide(&mut self, ctx: &mut Ctx<'_>, roots: &Roots) {
        let registration = &mut self.registration;
        let is_disputed = !registration.disputed_by.is_empty();
        if !is_disputed || !registration.is_heard(ctx.now, roots.upstreams().len()) {
            return;
        }
        registration.due = None;
        let told = match registration.verdict() {
            Verdict::Kept => None,
            Verdict::InDoubt => Some(false),
            Verdict::Lost => Some(true),
        };
        if registration.told != told {
            registration.told = told;
            if let Some(is_confirmed) = told {
                ctx.out.events.push_back(Event::IdentityCollision { is_confirmed });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOTS: [Address; 4] =
        [Address::from_u64(1), Address::from_u64(2), Address::from_u64(3), Address::from_u64(4)];

    fn after(disputed: usize, vouched: usize) -> Registration {
        let mut registration = Registration::new();
        for &root in &ROOTS[..disputed] {
            registration.disputed(Instant::ZERO, root);
        }
        for &root in &ROOTS[disputed..disputed + vouched] {
            registration.vouched(root);
        }
        registration
    }

    #[test]
    fn the_address_is_lost_only_if_several_say_so_and_fewer_contradict() {
        let verdict = |disputed, vouched| after(disputed, vouched).verdict();

        assert_eq!(verdict(1, 0), Verdict::InDoubt);
        assert_eq!(verdict(1, 1), Verdict::Kept);
        assert_eq!(verdict(1, 3), Verdict::Kept);
        assert_eq!(verdict(2, 0), Verdict::Lost);
        assert_eq!(verdict(2, 1), Verdict::Lost);
        assert_eq!(verdict(2, 2), Verdict::Kept);
        assert_eq!(verdict(4, 0), Verdict::Lost);
    }

    #[test]
    fn everybody_is_heard_before_it_is_decided_but_not_waited_for_for_ever() {
        let registration = after(1, 1);

        assert!(registration.is_heard(Instant::ZERO, 2));
        assert!(!registration.is_heard(Instant::ZERO, 3));
        assert!(registration.is_heard(Instant::ZERO + HEARING, 3));
    }

    #[test]
    fn a_root_that_changes_its_mind_ends_the_dispute() {
        let mut registration = after(1, 2);

        registration.vouched(ROOTS[0]);

        assert!(!registration.is_disputed_by(ROOTS[0]));
        assert!(registration.vouched_by.is_empty());
        assert_eq!(registration.poll_timeout(), None);
    }

    #[test]
    fn who_is_no_root_any_more_has_no_say() {
        let mut registration = after(2, 1);

        registration.keep(|root| root != ROOTS[0]);

        assert_eq!(registration.verdict(), Verdict::Kept);
    }
}
