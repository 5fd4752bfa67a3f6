//! A frame between two nodes, as rules see it.

use super::Holdings;
use crate::address::Address;
use crate::transmit::Frame;

/// Which way a frame goes, seen from this node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From another node to this one.
    Inbound,
    /// From this node to another.
    Outbound,
}

/// One of the two nodes a frame goes between.
#[derive(Clone, Copy, Debug)]
pub struct Party<'a> {
    /// The node; [`Address::NULL`] as long as a frame to a group or to a device behind a bridge is
    /// judged for all who may receive it.
    pub address: Address,
    /// What it holds.
    pub holdings: &'a Holdings,
}

/// A frame on its way between two nodes, one of which is this one.
#[derive(Clone, Copy, Debug)]
pub struct Passage<'a> {
    /// Which way it goes.
    pub direction: Direction,
    /// Who sends it: this node if it goes out.
    pub sender: Party<'a>,
    /// Who receives it: this node if it comes in.
    pub receiver: Party<'a>,
    /// The frame, whose MACs need not be the two nodes' own.
    pub frame: Frame<'a>,
}

impl<'a> Passage<'a> {
    /// Returns this node.
    #[must_use]
    pub const fn local(&self) -> &Party<'a> {
        match self.direction {
            Direction::Inbound => &self.receiver,
            Direction::Outbound => &self.sender,
        }
    }

    /// Returns the other node.
    #[must_use]
    pub const fn remote(&self) -> &Party<'a> {
        match self.direction {
            Direction::Inbound => &self.sender,
            Direction::Outbound => &self.receiver,
        }
    }
}
