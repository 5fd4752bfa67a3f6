//! Questions any peer may ask, and the answers of roots.
//!
//! Source: spec 02 §2.3–§2.5, §2.7.

use core::time::Duration;

use crate::address::Address;
use crate::error::Rejected;
use crate::event::IdentitySource;
use crate::identity::Identity;
use crate::limits::{HEADER_LEN, PACKET_LEN_MAX, WHOIS_ANSWERS_MAX};
use crate::outbox::{Ctx, Directory as _, Received};
use crate::peer::Peers;
use crate::roots::Roots;
use crate::verb::Verb;
use crate::wire::{reply, whois};

/// How often a peer may ask a node that is no root for identities.
const WHOIS_INTERVAL: Duration = Duration::from_millis(100);

impl Peers {
    /// Gives an ECHO its payload back, on the path it came by.
    ///
    /// # Errors
    ///
    /// [`Rejected::RateLimited`], [`Rejected::TooLong`].
    pub fn handle_echo(&mut self, ctx: &mut Ctx<'_>, rx: &Received<'_>) -> Result<(), Rejected> {
        if !self.echoes.pass(ctx.now, rx.path) {
            return Err(Rejected::RateLimited);
        }
        let mut body = reply::ok(Verb::Echo, rx.packet_id);
        body.extend_from_slice(rx.body);
        if HEADER_LEN + body.len() > PACKET_LEN_MAX {
            return Err(Rejected::TooLong);
        }
        ctx.out.answer_on(rx.path, rx.from, Verb::Ok, body);
        Ok(())
    }

    /// Answers a WHOIS with the identities known here and asks a root for the others.
    ///
    /// # Errors
    ///
    /// [`Rejected::RateLimited`] unless this node is a root.
    pub fn handle_whois(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        rx: &Received<'_>,
    ) -> Result<(), Rejected> {
        if !roots.lists_me() {
            let peer = self.peers.get_mut(&rx.from).ok_or(Rejected::UnknownSender)?;
            if !ctx.now.is_due(peer.asked_whois, WHOIS_INTERVAL) {
                return Err(Rejected::RateLimited);
            }
            peer.asked_whois = Some(ctx.now);
        }
        let mut found: Vec<&Identity> = Vec::new();
        for address in whois::read(rx.body).take(WHOIS_ANSWERS_MAX) {
            let me = (address == ctx.me.address()).then_some(ctx.me.public());
            match me.or_else(|| self.identity(address)) {
                Some(identity) => found.push(identity),
                None => ctx.out.whois.push_back(address),
            }
        }
        if !found.is_empty() {
            let body = whois::write_reply(rx.packet_id, found);
            ctx.out.answer_on(rx.path, rx.from, Verb::Ok, body);
        }
        Ok(())
    }

    /// Takes in the identity a root answers a WHOIS with; returns whose it is.
    ///
    /// `rx.body` is what follows the OK's header. Like the reference, reads one identity. Unlike
    /// it, checks that the address is derived from the keys: a root can then keep an answer from
    /// us, but not make one up.
    ///
    /// # Errors
    ///
    /// [`Rejected::Malformed`], [`Rejected::InvalidIdentity`], [`Rejected::RateLimited`], and
    /// what [`learn`](Self::learn) refuses.
    pub fn handle_ok_whois(
        &mut self,
        ctx: &mut Ctx<'_>,
        roots: &Roots,
        rx: &Received<'_>,
    ) -> Result<Vec<Address>, Rejected> {
        let first = whois::read_reply(rx.body).next();
        let (true, Some(identity)) = (roots.is_upstream(rx.from), first) else {
            return Ok(Vec::new());
        };
        let identity = identity?;
        let known = self.knows(ctx, &identity);
        if known == Err(Rejected::IdentityCollision) {
            self.refused(ctx, &identity, IdentitySource::Whois(rx.from));
        }
        if !known? {
            if !self.answers.spend(ctx.now) {
                return Err(Rejected::RateLimited);
            }
            if !identity.is_valid() {
                return Err(Rejected::InvalidIdentity);
            }
            self.learn(ctx, &identity)?;
            if roots.seeds().any(|seed| seed == identity.address()) {
                self.ask_seed(ctx, roots, identity.address());
            }
        }
        Ok(vec![identity.address()])
    }
}
