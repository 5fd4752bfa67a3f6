//! Passing on what is for somebody else.
//!
//! Needs no keys: the three hop bits are rewritten and the datagram goes on as it is (spec 01 §12,
//! spec 02 §6.1).

use crate::address::Address;
use crate::endpoint::Path;
use crate::error::Rejected;
use crate::fastpath::tables::Tables;
use crate::limits::RELAY_HOPS_MAX;
use crate::transmit::{Cut, Transmit};

/// What was passed on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Relayed {
    /// Who the packet says it is from; `None` for a fragment, which does not say.
    pub source: Option<Address>,
    /// Who it is for.
    pub destination: Address,
    /// Whether it went to the destination itself, not to another root.
    pub direct: bool,
}

/// Passes `datagram` on, whose hop count is at `hops` in it.
///
/// Only roots relay. The reference's leaves also relay for those they share a network with, which
/// nobody relies on and which would let members spend each other's traffic.
///
/// # Errors
///
/// [`Rejected::NotRelayed`], [`Rejected::TooManyHops`], [`Rejected::NoRoute`],
/// [`Rejected::TransmitFull`].
pub(crate) fn relay(
    tables: &Tables,
    source: Option<Address>,
    destination: Address,
    hops: Hops<'_>,
    transmit: &mut impl Transmit,
) -> Result<Relayed, Rejected> {
    if !tables.is_upstream {
        return Err(Rejected::NotRelayed);
    }
    let (path, direct) = match tables.peer(destination).and_then(|peer| peer.path) {
        Some(path) => (path, true),
        None => (next_root(tables, source)?, false),
    };
    let datagram = hops.incremented()?;
    let room = transmit.reserve(path, Cut::whole(datagram.len())).ok_or(Rejected::TransmitFull)?;
    room.copy_from_slice(datagram);
    Ok(Relayed { source, destination, direct })
}

/// Returns the way to the root that may know more, unless the packet came from it.
fn next_root(tables: &Tables, source: Option<Address>) -> Result<Path, Rejected> {
    match tables.upstream {
        Some((root, path)) if Some(root) != source => Ok(path),
        _ => Err(Rejected::NoRoute),
    }
}

/// A datagram and where its hop count is.
pub(crate) enum Hops<'a> {
    /// A packet or its head: the low three bits of byte 18.
    Packet(&'a mut [u8]),
    /// A fragment: byte 15.
    Fragment(&'a mut [u8]),
}

impl<'a> Hops<'a> {
    /// Counts one more hop and returns the datagram.
    fn incremented(self) -> Result<&'a [u8], Rejected> {
        let (datagram, at, mask) = match self {
            Self::Packet(datagram) => (datagram, 18, 0b111),
            Self::Fragment(datagram) => (datagram, 15, 0xff),
        };
        let byte = datagram.get_mut(at).ok_or(Rejected::TooShort)?;
        if *byte & mask >= RELAY_HOPS_MAX {
            return Err(Rejected::TooManyHops);
        }
        *byte = (*byte & !0b111) | ((*byte & 0b111) + 1);
        Ok(datagram)
    }
}
