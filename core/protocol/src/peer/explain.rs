//! Why a peer is reached the way it is.
//!
//! Everything here is read, nothing is tried: an explanation says what is known already.

use core::time::Duration;

use crate::address::Address;
use crate::fastpath::tables::Tables;
use crate::peer::leads::Lead;
use crate::peer::path::Known;
use crate::peer::surroundings::Pace;
use crate::peer::{Peer, Peers};
use crate::roots::Roots;
use crate::status::{Candidate, Mapping, NamedBy, Outcome, PathExplanation, Reason};
use crate::surface::Surface;
use crate::time::Instant;

/// How long an answer may take before nobody counts on it any more.
const ANSWER: Duration = Duration::from_secs(2);

/// How long it takes at most to reach a peer that can be reached.
const FRESH: Duration = Duration::from_secs(5);

impl Peers {
    /// Returns why packets get to `address` the way they do; `None` if no such peer is known.
    #[must_use]
    pub fn explain(
        &self,
        now: Instant,
        tables: &Tables,
        roots: &Roots,
        surface: &Surface,
        address: Address,
    ) -> Option<PathExplanation> {
        let peer = self.peers.get(&address)?;
        let mapping = [false, true].map(|is_ipv6| surface.mapping(now, is_ipv6));
        let candidates = peer.candidates(now);
        let reason = peer.reason(now, self.is_online(now, roots), mapping, &candidates);
        let probe = peer.next_heartbeat(now, Pace::of(self.conditions, self.low_bandwidth));
        let retries = peer.leads.iter().filter_map(Lead::next);
        let next_try = retries.chain(probe).filter(|&at| at > now).min();
        Some(PathExplanation {
            address,
            reason,
            relay: tables.upstream.map(|(root, path)| (root, path.remote)),
            mapping,
            candidates,
            next_try: next_try.map(|at| at.since(now)),
        })
    }
}

impl Peer {
    /// Returns everywhere the peer was or may be: paths first.
    fn candidates(&self, now: Instant) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> =
            self.paths.iter().map(|known| self.known_candidate(now, known)).collect();
        for lead in self.leads.iter() {
            let endpoint = lead.path.remote;
            if candidates.iter().all(|known| known.endpoint != endpoint) {
                let elapsed = now.since(lead.probed);
                let is_awaited = elapsed < ANSWER;
                let outcome =
                    if is_awaited { Outcome::Awaited } else { Outcome::Silent(lead.probes) };
                let (named_by, probed) = (lead.named_by, Some(elapsed));
                candidates.push(Candidate { endpoint, named_by, probed, outcome });
            }
        }
        candidates
    }

    fn known_candidate(&self, now: Instant, known: &Known) -> Candidate {
        let endpoint = known.path().remote;
        let lead = self.leads.iter().find(|lead| lead.path.remote == endpoint);
        let outcome = if known.is_failing() || !known.is_unexpired(now) {
            Outcome::Silent(known.unanswered())
        } else {
            Outcome::Answers(known.latency().map(Duration::from_millis))
        };
        Candidate {
            endpoint,
            named_by: lead.map_or(NamedBy::Nobody, |lead| lead.named_by),
            probed: Some(now.since(known.probed())),
            outcome,
        }
    }

    fn reason(
        &self,
        now: Instant,
        is_online: bool,
        [ipv4, _]: [Mapping; 2],
        candidates: &[Candidate],
    ) -> Reason {
        let is_awaited = |candidate: &Candidate| candidate.outcome == Outcome::Awaited;
        // What is tried again and again is always awaited.
        let is_fresh = self.leads.since().is_some_and(|since| now.since(since) < FRESH);
        if let Some(known) = self.preferred(now) {
            if known.path().is_through_tcp_relay() { Reason::TcpRelay } else { Reason::Direct }
        } else if !is_online {
            Reason::NoRoot
        } else if candidates.is_empty() {
            Reason::NoCandidates
        } else if candidates.iter().any(is_awaited) && is_fresh {
            Reason::Trying
        } else if self.paths.iter().next().is_some() {
            Reason::PathLost
        } else if matches!(ipv4, Mapping::Sequential | Mapping::Random) {
            Reason::Unpredictable
        } else {
            Reason::NoAnswer
        }
    }
}
