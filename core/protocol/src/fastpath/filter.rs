//! Rules at work: which frames pass, and what others are sent because of them.
//!
//! Source: spec 03 §8.5 to §8.7.

use crate::address::{Address, NetworkId};
use crate::error::Rejected;
use crate::fastpath::tables::Tables;
use crate::outbox::Outbox;
use crate::rng::Rng;
use crate::rules::{Decision, Direction};
use crate::transmit::Frame;
use crate::verb::Verb;
use crate::wire::frame::ExtFrame;

/// A frame on its way in or out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crossing<'a> {
    /// The network it is on.
    pub network: NetworkId,
    /// Which way it goes.
    pub direction: Direction,
    /// The other node, or [`Address::NULL`] while the frame is judged for all who may get it.
    pub peer: Address,
    /// The frame.
    pub frame: Frame<'a>,
    /// Whether it has been judged for all who may get it, and been copied then.
    pub copied: bool,
}

/// Judges a frame by its network's rules, and has the copies sent that they ask for.
///
/// Returns whether it is accepted plainly or whatever its MACs.
///
/// # Errors
///
/// [`Rejected::Filtered`] if it does not pass or goes to somebody else instead,
/// [`Rejected::NotAMember`] if it is for somebody whose certificate was revoked, and
/// [`Rejected::UnknownNetwork`].
pub(crate) fn judge(
    tables: &Tables,
    rng: &mut Rng,
    out: &mut Outbox,
    crossing: Crossing<'_>,
) -> Result<Decision, Rejected> {
    let Crossing { network, direction, peer, frame, copied } = crossing;
    let view = tables.network(network).ok_or(Rejected::UnknownNetwork)?;
    if direction == Direction::Outbound && view.is_revoked(peer) {
        return Err(Rejected::NotAMember);
    }
    if view.filter.accepts_all() {
        return Ok(Decision::Accept);
    }

    let passage = view.passage(tables.me, direction, peer, frame);
    let mut verdict = view.filter.judge(&passage, &mut || rng.u32());
    if copied {
        verdict = verdict.without_tees();
    }
    for copy in verdict.copies.iter().filter(|copy| !copy.to.is_reserved()) {
        let header = ExtFrame::copy_header(network, direction, copy.purpose, &frame);
        let body = [&header, &frame.payload[..copy.len]].concat();
        out.send(copy.to, Verb::ExtFrame, body);
    }
    if verdict.passes() { Ok(verdict.decision) } else { Err(Rejected::Filtered) }
}
