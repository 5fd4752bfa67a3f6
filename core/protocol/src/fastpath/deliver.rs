//! From a FRAME or EXT_FRAME to the host.
//!
//! Source: spec 03 §9.4.

use crate::address::{Address, Mac, NetworkId};
use crate::credential::Membership;
use crate::error::Rejected;
use crate::fastpath::filter::{self, Crossing};
use crate::fastpath::tables::{NetworkView, Tables};
use crate::outbox::{Outbox, Received};
use crate::rng::Rng;
use crate::rules::{Decision, Direction};
use crate::transmit::{Frame, FrameSink, PortMode};
use crate::verb::Verb;
use crate::wire::ethernet::{self, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use crate::wire::frame::{ExtFrame, PlainFrame};

/// A frame of somebody who may send frames.
pub(crate) struct Admitted<'a> {
    /// The network it came by.
    pub network: NetworkId,
    /// The frame; its payload is borrowed from the packet.
    pub frame: Frame<'a>,
    /// Whether the sender asked for an OK.
    pub wants_ack: bool,
}

/// Why a frame is not even looked at.
pub(crate) enum Refused {
    /// Count it.
    Rejected(Rejected),
    /// The sender has not shown that it is a member: tell it to.
    NotAMember(NetworkId),
}

impl<E: Into<Rejected>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Rejected(error.into())
    }
}

/// Returns the certificate of membership that old nodes attach to an EXT_FRAME.
pub(crate) fn attached_membership(rx: &Received<'_>) -> Option<Membership> {
    if rx.verb != Verb::ExtFrame {
        return None;
    }
    ExtFrame::read(rx.body).ok()?.membership
}

/// Reads a FRAME or EXT_FRAME and checks that its sender passes the gate.
pub(crate) fn admit<'a>(tables: &Tables, rx: &Received<'a>) -> Result<Admitted<'a>, Refused> {
    if rx.verb == Verb::Frame {
        let plain = PlainFrame::read(rx.body)?;
        let view = admitting(tables, plain.network, rx)?;
        let frame = Frame {
            destination: view.mac,
            source: Mac::of_member(rx.from, plain.network),
            ethertype: plain.ethertype,
            payload: plain.payload,
        };
        return Ok(Admitted { network: plain.network, frame, wants_ack: false });
    }
    let ext = ExtFrame::read(rx.body)?;
    admitting(tables, ext.network, rx)?;
    let frame = Frame {
        destination: ext.destination,
        source: ext.source,
        ethertype: ext.ethertype,
        payload: ext.payload,
    };
    Ok(Admitted { network: ext.network, frame, wants_ack: ext.wants_ack() })
}

/// Returns the network if it lets the sender in.
fn admitting<'t>(
    tables: &'t Tables,
    network: NetworkId,
    rx: &Received<'_>,
) -> Result<&'t NetworkView, Refused> {
    let view = tables.network(network).ok_or(Rejected::UnknownNetwork)?;
    if view.admits(rx.from) { Ok(view) } else { Err(Refused::NotAMember(network)) }
}

/// Whose frame a peer has sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Speaker {
    /// Its own, or one that passes whatever its MACs.
    Sender,
    /// That of a device behind it; it is a bridge.
    Device,
}

/// Checks that the rules let a frame of `from` pass, that `from` may speak for its source and this
/// node hear its destination; returns whose it is.
///
/// # Errors
///
/// [`Rejected::Filtered`], [`Rejected::ForeignSource`], [`Rejected::BadFrameAddress`], and
/// [`Rejected::TooShort`] for frames without payload.
pub(crate) fn check(
    tables: &Tables,
    rng: &mut Rng,
    out: &mut Outbox,
    network: NetworkId,
    from: Address,
    frame: Frame<'_>,
) -> Result<Speaker, Rejected> {
    let view = tables.network(network).ok_or(Rejected::UnknownNetwork)?;
    if frame.payload.is_empty() {
        return Err(Rejected::TooShort);
    }
    if !frame.source.is_station() || frame.source == view.mac {
        return Err(Rejected::BadFrameAddress);
    }
    let direction = Direction::Inbound;
    let crossing = Crossing { network, direction, peer: from, frame, copied: false };
    if filter::judge(tables, rng, out, crossing)? == Decision::SuperAccept {
        return Ok(Speaker::Sender);
    }

    let own_source = frame.source.to_member(network) == Some(from);
    if !own_source && !view.is_bridge(from) {
        return Err(Rejected::ForeignSource);
    }
    if !hears(view, tables.me, own_source, frame.destination) {
        return Err(Rejected::BadFrameAddress);
    }
    Ok(if own_source { Speaker::Sender } else { Speaker::Device })
}

/// Returns whether frames to `destination` are for this node or for devices behind it.
///
/// Behind an L3 port there are none, and its host would take what is not its own for something to
/// forward.
fn hears(view: &NetworkView, me: Address, own_source: bool, destination: Mac) -> bool {
    if destination == view.mac {
        return true;
    }
    if destination.is_multicast() {
        return !own_source || view.multicast_limit > 0;
    }
    view.mode == PortMode::L2 && (!own_source || view.is_bridge(me))
}

/// What becomes of a frame that may be delivered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Delivery {
    /// The host has it.
    Delivered,
    /// It is address resolution, which this node does for an L3 port itself.
    Neighbor,
}

/// Hands a frame to the host, or says that it is address resolution.
///
/// # Errors
///
/// [`Rejected::NotIp`] for what an L3 port cannot take, [`Rejected::FrameTooBig`].
pub(crate) fn deliver(
    view: &NetworkView,
    network: NetworkId,
    frame: Frame<'_>,
    sink: &mut impl FrameSink,
) -> Result<Delivery, Rejected> {
    if view.mode == PortMode::L3 {
        match frame.ethertype {
            ETHERTYPE_ARP => return Ok(Delivery::Neighbor),
            ETHERTYPE_IPV6 if ethernet::is_neighbor_discovery(frame.payload) => {
                return Ok(Delivery::Neighbor);
            }
            ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => {}
            _ => return Err(Rejected::NotIp),
        }
    }
    if frame.payload.len() > usize::from(view.mtu) {
        return Err(Rejected::FrameTooBig);
    }
    sink.deliver(network, frame);
    Ok(Delivery::Delivered)
}
