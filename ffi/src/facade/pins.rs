//! Who holds which address, and what rules let pass.

use zt_protocol::address::{Address, Mac, NetworkId};
use zt_protocol::fingerprint::Expected;
use zt_protocol::rules::{self, Decision, List};
use zt_protocol::transmit::Frame;

use super::error::ZtError;
use super::node::Node;

/// What is settled about who holds which address.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct PinsStatus {
    /// Whether nobody but roots may be a peer who is not pinned.
    pub required: bool,
    /// What was pinned, by ascending address.
    pub pinned: Vec<Pin>,
    /// Who was there first at other addresses, likewise.
    pub first_seen: Vec<Pin>,
}

/// An address and the fingerprint of its one holder.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Pin {
    /// The address.
    pub address: Address,
    /// The fingerprint, in full or in short, as it was told.
    pub fingerprint: String,
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Direction {
    /// From another node to this one.
    Inbound,
    /// From this node to another.
    Outbound,
}

/// Whether the rules of a network let a packet pass, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Verdict {
    /// Whether it passes.
    pub passes: bool,
    /// To whom it is sent instead, if rules say so.
    pub redirected_to: Option<Address>,
    /// The rule that decided; `None` if none did, which drops the packet.
    pub decided_by: Option<DecidedBy>,
    /// The tags that were looked at.
    pub tags: Vec<TagValues>,
}

/// A rule that decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct DecidedBy {
    /// The sender's capability it belongs to; `None` if to the network's own rules.
    pub capability: Option<u32>,
    /// Its place there, from 0.
    pub index: u32,
}

/// The values of a tag that this node knows of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct TagValues {
    /// Which tag.
    pub id: u32,
    /// The sender's, if it has one and has shown it.
    pub sender: Option<u32>,
    /// The receiver's, likewise.
    pub receiver: Option<u32>,
}

#[cfg_attr(feature = "uniffi", uniffi::export)]
impl Node {
    /// Returns the fingerprint of whoever is known at an address, this node included, in full.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn fingerprint(&self, address: Address) -> Result<Option<String>, ZtError> {
        let fingerprint = self.handle.fingerprint(address).await?;
        Ok(fingerprint.map(|fingerprint| fingerprint.to_string()))
    }

    /// Lets only the identity of this fingerprint, in any form people write it, hold an address.
    ///
    /// # Errors
    ///
    /// [`ZtError::InvalidArgument`], [`ZtError::WrongPeer`], [`ZtError::TooMany`].
    pub async fn pin(&self, address: Address, fingerprint: String) -> Result<(), ZtError> {
        Ok(self.handle.pin(address, parse_fingerprint(&fingerprint)?).await?)
    }

    /// Takes a pin back, or forgets who was first seen at an address.
    ///
    /// # Errors
    ///
    /// [`ZtError::NotFound`].
    pub async fn unpin(&self, address: Address) -> Result<(), ZtError> {
        Ok(self.handle.unpin(address).await?)
    }

    /// Has nobody but roots for a peer who is not pinned, or anybody again. Controllers are to be
    /// pinned as well then.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn require_pinned(&self, required: bool) -> Result<(), ZtError> {
        Ok(self.handle.require_pinned(required).await?)
    }

    /// Returns what is pinned, who was first seen at other addresses, and whether pins are required.
    ///
    /// # Errors
    ///
    /// [`ZtError::Stopped`].
    pub async fn pins(&self) -> Result<PinsStatus, ZtError> {
        let pins = self.handle.pins().await?;
        let pin = |address, fingerprint: String| Pin { address, fingerprint };
        Ok(PinsStatus {
            required: pins.is_required(),
            pinned: pins.pinned().map(|(address, held)| pin(address, held.to_string())).collect(),
            first_seen: pins
                .first_seen()
                .map(|(address, held)| pin(address, held.to_string()))
                .collect(),
        })
    }

    /// Returns whether the rules of a network let an IP packet pass between this node and `peer`, and
    /// why, without sending anything.
    ///
    /// # Errors
    ///
    /// [`ZtError::Rejected`] if rules are not even asked.
    pub async fn would_allow(
        &self,
        network: NetworkId,
        peer: Address,
        packet: Vec<u8>,
        direction: Direction,
    ) -> Result<Verdict, ZtError> {
        let (this, that) = (Mac::of_member(self.address(), network), Mac::of_member(peer, network));
        let (source, destination) = match direction {
            Direction::Inbound => (that, this),
            Direction::Outbound => (this, that),
        };
        let ethertype = match packet.first().map(|first| first >> 4) {
            Some(4) => 0x0800,
            Some(6) => 0x86dd,
            _ => return Err(ZtError::InvalidArgument("this is no IP packet".to_owned())),
        };
        let frame = Frame { source, destination, ethertype, payload: &packet };
        Ok(self.handle.would_allow(network, peer, frame, direction.into()).await?.into())
    }
}

/// Reads a fingerprint in any form people write it.
pub(super) fn parse_fingerprint(text: &str) -> Result<Expected, ZtError> {
    let wrong = |why: zt_protocol::fingerprint::FingerprintError| why.to_string();
    text.parse().map_err(|why| ZtError::InvalidArgument(wrong(why)))
}

impl From<Direction> for rules::Direction {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Inbound => Self::Inbound,
            Direction::Outbound => Self::Outbound,
        }
    }
}

impl From<rules::Explanation> for Verdict {
    fn from(explanation: rules::Explanation) -> Self {
        let (passes, redirected_to) = match explanation.verdict.decision {
            Decision::Accept | Decision::SuperAccept => (true, None),
            Decision::Drop => (false, None),
            Decision::Redirect => (false, explanation.verdict.copies.last().map(|copy| copy.to)),
        };
        let tag = |tag: rules::TagValues| TagValues {
            id: tag.id,
            sender: tag.sender,
            receiver: tag.receiver,
        };
        Self {
            passes,
            redirected_to,
            decided_by: explanation.decided_by.map(DecidedBy::from),
            tags: explanation.tags.into_iter().map(tag).collect(),
        }
    }
}

impl From<rules::DecidedBy> for DecidedBy {
    fn from(rules::DecidedBy { list, index }: rules::DecidedBy) -> Self {
        let capability = match list {
            List::Base => None,
            List::Capability(id) => Some(id),
        };
        Self { capability, index: u32::try_from(index).unwrap_or(u32::MAX) }
    }
}
