//! Telling the members of a network who is no longer one.
//!
//! A member takes in one NETWORK_CREDENTIALS a second from any one peer and ignores the rest
//! (spec 03 §6.5). So revocations wait for each other and travel together.
//!
//! Source: spec 04 §2.6.

use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};

use crate::address::{Address, NetworkId};
use crate::credential::Revocation;
use crate::credential::revocation::CredentialKind;
use crate::memory;
use crate::outbox::Ctx;
use crate::time::{Instant, UnixMillis};
use crate::verb::Verb;
use crate::wire::credentials::Credentials;

/// How long to wait between two packets: members' second, and room for jitter on the way.
const INTERVAL: Duration = Duration::from_millis(1_200);

/// How many revocations, of 152 bytes each, go into one packet. One more would not fit.
const PER_PACKET: usize = 63;

/// Revocations that wait to be sent.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    queue: VecDeque<Bulletin>,
    last_sent: Option<Instant>,
}

/// Those of one network.
#[derive(Debug)]
struct Bulletin {
    network: NetworkId,
    audience: BTreeSet<Address>,
    targets: VecDeque<(Address, UnixMillis)>,
}

impl Revocations {
    /// Has `audience` told that what `target` was issued on `network` up to now does not count.
    pub(super) fn add(
        &mut self,
        ctx: &Ctx<'_>,
        network: NetworkId,
        targets: impl IntoIterator<Item = Address>,
        audience: impl IntoIterator<Item = Address>,
    ) {
        let targets = targets.into_iter().map(|target| (target, ctx.unix));
        match self.queue.iter_mut().find(|bulletin| bulletin.network == network) {
            Some(bulletin) => {
                bulletin.targets.extend(targets);
                bulletin.audience.extend(audience);
            }
            None => self.queue.push_back(Bulletin {
                network,
                audience: audience.into_iter().collect(),
                targets: targets.collect(),
            }),
        }
    }

    /// Returns what they take, in bytes.
    pub(super) fn footprint(&self) -> usize {
        let each = |bulletin: &Bulletin| {
            memory::of_tree_set(&bulletin.audience) + memory::of_queue(&bulletin.targets)
        };
        memory::of_queue(&self.queue) + self.queue.iter().map(each).sum::<usize>()
    }

    /// Sends what may be sent now.
    pub(super) fn send_due(&mut self, ctx: &mut Ctx<'_>) {
        if !ctx.now.is_due(self.last_sent, INTERVAL) {
            return;
        }
        let Some(mut bulletin) = self.queue.pop_front() else { return };
        for body in bulletin.next(ctx).write() {
            for &member in &bulletin.audience {
                ctx.out.send(member, Verb::NetworkCredentials, body.clone());
            }
        }
        self.last_sent = Some(ctx.now);
        if !bulletin.targets.is_empty() {
            self.queue.push_back(bulletin);
        }
    }

    /// Returns when there is something to send.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.queue.front()?;
        Some(self.last_sent.map_or(Instant::ZERO, |last| last + INTERVAL))
    }
}

impl Bulletin {
    /// Signs as many revocations as one packet takes.
    fn next(&mut self, ctx: &mut Ctx<'_>) -> Credentials {
        let targets = self.targets.drain(..self.targets.len().min(PER_PACKET));
        let revocations = targets.map(|(target, threshold)| {
            let what = (CredentialKind::Membership, 0);
            Revocation::issue(ctx.me, self.network, target, what, ctx.rng.u32(), threshold.0)
        });
        Credentials { revocations: revocations.collect(), ..Credentials::default() }
    }
}
