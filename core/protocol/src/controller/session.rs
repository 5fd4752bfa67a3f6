//! What a controller remembers of a member between two requests, and forgets when it restarts.
//!
//! Source: spec 04 §1, §2.1.

use core::time::Duration;

use super::member::ClientVersion;
use crate::dictionary::Dictionary;
use crate::identity::Identity;
use crate::limits::{CONTROLLER_REQUEST_INTERVAL, JOIN_TOKEN_LEN_MAX};
use crate::time::Instant;

/// How long after its last request a member counts as online: twice the period of its requests.
const ONLINE: Duration = Duration::from_secs(120);

/// How long after it was sent a configuration a member may use this node for multicast.
const SERVED: Duration = Duration::from_secs(180);

/// One member's session.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    last_request: Option<Instant>,
    last_config: Option<Instant>,
    asked: Option<Asked>,
    /// Whether the next request is served however soon it comes.
    is_invited: bool,
}

/// Who asked for a configuration, and what for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Who.
    pub(super) identity: Identity,
    /// What the request said about it.
    pub(super) metadata: Metadata,
}

impl Session {
    /// Returns whether a request made now is served, and if so counts it as the last.
    pub(super) fn admit_request(&mut self, now: Instant) -> bool {
        let is_due = core::mem::take(&mut self.is_invited)
            || self.last_request.is_none_or(|last| now.since(last) > CONTROLLER_REQUEST_INTERVAL);
        if is_due {
            self.last_request = Some(now);
        }
        is_due
    }

    /// Has the next request served however soon it comes: the member is told something that makes
    /// it ask.
    pub(super) const fn invite(&mut self) {
        self.is_invited = true;
    }

    /// Remembers who asked just now, to answer again when something changes.
    pub(super) fn remember(&mut self, now: Instant, asked: Asked) {
        self.last_request = Some(now);
        self.asked = Some(asked);
    }

    /// Remembers that a configuration was sent.
    pub(super) const fn sent_config(&mut self, now: Instant) {
        self.last_config = Some(now);
    }

    /// Returns whether the member asked lately.
    pub(super) fn is_online(&self, now: Instant) -> bool {
        self.last_request.is_some_and(|last| now.since(last) < ONLINE)
    }

    /// Returns whether the member was sent a configuration lately.
    pub(super) fn is_served(&self, now: Instant) -> bool {
        self.last_config.is_some_and(|last| now.since(last) < SERVED)
    }

    /// Forgets who asked, if they are not online.
    pub(super) fn give_back(&mut self, now: Instant) {
        if self.listener(now).is_none() {
            self.asked = None;
        }
    }

    /// Returns what it holds, in bytes.
    pub(super) fn footprint(&self) -> usize {
        let token = self.asked.as_ref().and_then(|asked| asked.metadata.token.as_ref());
        token.map_or(0, String::capacity)
    }

    /// Returns who asked last, if they are online.
    pub(super) fn listener(&self, now: Instant) -> Option<&Asked> {
        self.asked.as_ref().filter(|_| self.is_online(now))
    }
}

/// What a request says about who makes it (spec 03 §2.2).
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Metadata {
    /// Version of the rules it evaluates; 0 if it evaluates none.
    pub(super) rules_engine: u64,
    /// What it runs.
    pub(super) client: ClientVersion,
    /// A token that may authorize it.
    pub(super) token: Option<String>,
}

impl core::fmt::Debug for Metadata {
    /// Leaves out the token.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Metadata")
            .field("rules_engine", &self.rules_engine)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Metadata {
    /// Reads a request's dictionary. Missing numbers are 0.
    pub(super) fn read(metadata: Dictionary<'_>) -> Self {
        let number = |key| {
            let number = metadata.hex(key).unwrap_or(0);
            i64::try_from(number).unwrap_or(i64::MAX)
        };
        let token = metadata.text("a").filter(|auth| auth.len() <= JOIN_TOKEN_LEN_MAX);
        Self {
            rules_engine: metadata.hex("revr").unwrap_or(0),
            client: ClientVersion {
                major: number("majv"),
                minor: number("minv"),
                revision: number("revv"),
                protocol: number("pv"),
            },
            token: token
                .and_then(|auth| auth.strip_prefix("token:").map(str::to_owned))
                .filter(|token| !token.is_empty()),
        }
    }
}
