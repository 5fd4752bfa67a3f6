//! From a packet to its datagrams: one copy, sealed where the kernel reads.

use arrayvec::ArrayVec;
use zerocopy::IntoBytes as _;

use crate::address::Address;
use crate::error::Rejected;
use crate::limits::{FRAGMENT_HEADER_LEN, FRAGMENTS_MAX, HEADER_LEN, PACKET_LEN_MAX};
use crate::path_rules::Way;
use crate::suite::{self, PeerKeys};
use crate::transmit::{Cut, Transmit};
use crate::verb::Verb;
use crate::wire::fragment::{FragmentHeader, Part};
use crate::wire::header::{Cipher, Header};

/// What the header of an outgoing packet says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope {
    /// A nonce that was never used. Suite 3 puts another ID on the wire.
    pub nonce: u64,
    /// Who it is for.
    pub destination: Address,
    /// Who it is from.
    pub source: Address,
    /// How it is protected, unless the way is trusted.
    pub cipher: Cipher,
    /// What it asks.
    pub verb: Verb,
}

/// Seals a packet straight into the bytes `transmit` lends, evenly cut, and returns its ID as it
/// appears on the wire.
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
    way: Way,
    transmit: &mut impl Transmit,
) -> Result<u64, Rejected> {
    let packet_len = HEADER_LEN + body.iter().map(|piece| piece.len()).sum::<usize>();
    if packet_len > PACKET_LEN_MAX {
        return Err(Rejected::TooLong);
    }
    let cut = Cut::even(packet_len, way.mtu).ok_or(Rejected::TooLong)?;
    let room = transmit.reserve(way.path, cut).ok_or(Rejected::TransmitFull)?;

    let (head, tail) = room.split_at_mut(cut.datagram_len.min(cut.total_len));
    let Envelope { nonce, destination, source, cipher, verb } = envelope;
    let cipher = if way.trusted.is_some() { Cipher::TrustedPath } else { cipher };
    let mut header = Header::new(nonce, destination, source, cipher, verb);
    header.mac = way.trusted.map_or([0; 8], |id| id.get().to_be_bytes());
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zt_crypto::PeerKey;

    use super::*;
    use crate::endpoint::{Path, SocketId};
    use crate::fastpath::reassembly::{Part as Piece, Reassembly};
    use crate::limits::PHYSICAL_MTU;
    use crate::time::Instant;

    /// Keeps what it is lent.
    #[derive(Default)]
    struct Wire {
        cut: Option<Cut>,
        bytes: Vec<u8>,
    }

    impl Transmit for Wire {
        fn reserve(&mut self, _: Path, cut: Cut) -> Option<&mut [u8]> {
            self.cut = Some(cut);
            self.bytes = vec![0; cut.total_len];
            Some(&mut self.bytes)
        }

        fn send_short_lived(&mut self, _: Path, _: u8, _: &[u8]) {}
    }

    fn way() -> Way {
        let path = Path { local: SocketId(0), remote: ([192, 0, 2, 1], 9993).into() };
        Way { path, mtu: PHYSICAL_MTU, trusted: None }
    }

    proptest! {
        /// Any packet, sealed into its datagrams and put together again, opens to what went in.
        #[test]
        fn what_is_cut_is_put_together(
            body in prop::collection::vec(any::<u8>(), 0..=9_900),
            pieces in 1_usize..4,
            cipher in prop::sample::select(vec![Cipher::Salsa, Cipher::AesGmacSiv]),
        ) {
            let keys = PeerKeys::new(PeerKey::from_bytes([7; 48]));
            let destination = Address::from([1, 2, 3, 4, 5]);
            let source = Address::from([6, 7, 8, 9, 10]);
            let envelope = Envelope { nonce: 99, destination, source, cipher, verb: Verb::Echo };
            let gathered: Vec<&[u8]> = body.chunks(body.len() / pieces + 1).collect();
            let mut wire = Wire::default();

            let wire_id = send(&keys, envelope, &gathered, way(), &mut wire).unwrap();

            let cut = wire.cut.unwrap();
            let mut reassembly = Reassembly::new();
            let mut whole = None;
            for (index, datagram) in wire.bytes.chunks(cut.datagram_len).enumerate() {
                let part = if index == 0 {
                    let (header, _) = Header::split(datagram).unwrap();
                    prop_assert_eq!(header.is_fragmented(), cut.count > 1);
                    prop_assert_eq!(header.id.get(), wire_id);
                    Piece::of_head(header, datagram)
                } else {
                    let (header, data) = FragmentHeader::split(datagram).unwrap();
                    Piece::of_fragment(header, data).unwrap()
                };
                if cut.count == 1 {
                    whole = Some(datagram.to_vec());
                } else if let Some(complete) =
                    reassembly.insert(Instant::ZERO, way().path, part).unwrap()
                {
                    let choice = complete.choices().next().unwrap();
                    reassembly.assemble(&complete, choice, whole.insert(Vec::new()));
                }
            }
            let mut packet = whole.unwrap();
            suite::open(&keys, &mut packet).unwrap();
            prop_assert_eq!(&packet[HEADER_LEN..], body);
        }
    }

    #[test]
    fn a_packet_no_receiver_takes_is_not_sent() {
        let keys = PeerKeys::new(PeerKey::from_bytes([7; 48]));
        let (destination, source) = (Address::from([1; 5]), Address::from([2; 5]));
        let (cipher, verb) = (Cipher::Salsa, Verb::Echo);
        let envelope = Envelope { nonce: 1, destination, source, cipher, verb };

        let sent = send(&keys, envelope, &[&[0; 9_901]], way(), &mut Wire::default());

        assert_eq!(sent, Err(Rejected::TooLong));
    }
}
