//! From a packet to its datagrams: one copy, sealed where the kernel reads.

use arrayvec::ArrayVec;
use zerocopy::IntoBytes as _;

use crate::address::Address;
use crate::endpoint::Path;
use crate::error::Rejected;
use crate::limits::{FRAGMENT_HEADER_LEN, FRAGMENTS_MAX, HEADER_LEN, PACKET_LEN_MAX, PHYSICAL_MTU};
use crate::suite::{self, PeerKeys};
use crate::transmit::{Cut, Transmit};
use crate::verb::Verb;
use crate::wire::fragment::{FragmentHeader, Part};
use crate::wire::header::{Cipher, Header};

/// What the header of an outgoing packet says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope {
    /// A fresh nonce. Suite 3 puts another ID on the wire.
    pub nonce: u64,
    /// Who it is for.
    pub destination: Address,
    /// Who it is from.
    pub source: Address,
    /// How it is protected.
    pub cipher: Cipher,
    /// What it asks.
    pub verb: Verb,
}

/// Seals a packet for `path` straight into the bytes `transmit` lends, evenly cut, and returns its
/// ID as it appears on the wire.
///
/// The body is given in consecutive pieces, so that a frame need not be joined with its header
/// beforehand.
///
/// # Errors
///
/// [`Rejected::TooLong`] if no receiver could put the packet together, [`Rejected::TransmitFull`].
pub(crate) fn send(
    keys: &PeerKeys,
    envelope: Envelope,
    body: &[&[u8]],
    path: Path,
    transmit: &mut impl Transmit,
) -> Result<u64, Rejected> {
    let packet_len = HEADER_LEN + body.iter().map(|piece| piece.len()).sum::<usize>();
    if packet_len > PACKET_LEN_MAX {
        return Err(Rejected::TooLong);
    }
    let cut = Cut::even(packet_len, PHYSICAL_MTU).ok_or(Rejected::TooLong)?;
    let room = transmit.reserve(path, cut).ok_or(Rejected::TransmitFull)?;

    let (head, tail) = room.split_at_mut(cut.datagram_len.min(cut.total_len));
    let Envelope { nonce, destination, source, cipher, verb } = envelope;
    let mut header = Header::new(nonce, destination, source, cipher, verb);
    header.set_fragmented(cut.count > 1);
    head[..HEADER_LEN].copy_from_slice(header.as_bytes());
    let mut parts: ArrayVec<&mut [u8], FRAGMENTS_MAX> =
        tail.chunks_mut(cut.datagram_len).map(|chunk| &mut chunk[FRAGMENT_HEADER_LEN..]).collect();
    fill(&mut head[HEADER_LEN..], &mut parts, body);
    let wire_id = suite::seal(keys, head, parts)?;

    let total = cut.count as u8;
    for (number, fragment) in (1..total).zip(tail.chunks_mut(cut.datagram_len)) {
        let header = FragmentHeader::new(wire_id, destination, Part { number, total });
        fragment[..FRAGMENT_HEADER_LEN].copy_from_slice(header.as_bytes());
    }
    Ok(wire_id)
}

/// Copies `body` into `first` and then `parts`, which together are exactly as long.
fn fill(first: &mut [u8], parts: &mut [&mut [u8]], body: &[&[u8]]) {
    let mut places = core::iter::once(first).chain(parts.iter_mut().map(|part| &mut **part));
    let mut place = places.next().unwrap_or_default();
    for piece in body {
        let mut piece = *piece;
        while !piece.is_empty() {
            if place.is_empty() {
                let Some(next) = places.next() else { return };
                place = next;
                continue;
            }
            let (now, later) = piece.split_at(piece.len().min(place.len()));
            let (filled, free) = place.split_at_mut(now.len());
            filled.copy_from_slice(now);
            (piece, place) = (later, free);
        }
    }
}
