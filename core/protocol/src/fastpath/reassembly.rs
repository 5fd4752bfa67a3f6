//! Putting the datagrams of one packet back together.
//!
//! Parts may come in any order, by any path, and with any lengths; only their numbers count
//! (spec 01 §10.3). A packet's parts are laid down one after the other as they arrive, so that
//! the common case, arrival in order, needs no second copy.

use std::net::SocketAddr;

use arrayvec::ArrayVec;

use crate::endpoint::Path;
use crate::error::Rejected;
use crate::limits::{
    FRAGMENTS_MAX, PACKET_LEN_MAX, REASSEMBLY_SLOTS, REASSEMBLY_SLOTS_PER_SOURCE,
    REASSEMBLY_TIMEOUT,
};
use crate::time::Instant;
use crate::wire::fragment::FragmentHeader;
use crate::wire::header::Header;

/// One datagram of a packet that was cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    /// The packet's ID, which all its parts carry.
    pub packet_id: u64,
    /// Which part this is; the head is 0.
    pub number: usize,
    /// How many parts there are. The head does not say.
    pub total: Option<usize>,
    /// The part's share of the packet: for the head all of the datagram, header included.
    pub bytes: &'a [u8],
}

impl<'a> Part<'a> {
    /// Returns the part a fragment for this node carries.
    pub(crate) fn of_fragment(header: &FragmentHeader, data: &'a [u8]) -> Result<Self, Rejected> {
        let part = header.part()?;
        Ok(Self {
            packet_id: header.packet_id.get(),
            number: usize::from(part.number),
            total: Some(usize::from(part.total)),
            bytes: data,
        })
    }

    /// Returns the part that `datagram`, which begins with `header`, is as a head.
    pub(crate) const fn of_head(header: &Header, datagram: &'a [u8]) -> Self {
        Self { packet_id: header.id.get(), number: 0, total: None, bytes: datagram }
    }
}

/// Packets that wait for their missing parts, bounded in number and per source.
pub(crate) struct Reassembly {
    slots: Vec<Slot>,
}

/// One such packet. Its buffer is kept when the packet is done, for the next one.
struct Slot {
    /// `None` while the slot is free.
    packet: Option<Pending>,
    buffer: Vec<u8>,
}

struct Pending {
    id: u64,
    since: Instant,
    /// Who sent the first part to arrive; its quota is charged.
    source: SocketAddr,
    /// The head's path, which counts as the packet's.
    path: Path,
    total: usize,
    /// Where each part lies in the buffer.
    parts: [Option<Extent>; FRAGMENTS_MAX],
}

#[derive(Clone, Copy)]
struct Extent {
    start: usize,
    len: usize,
}

impl Reassembly {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new() }
    }

    /// Takes in one part that came by `path`. Returns the whole packet and its path if this
    /// completed it.
    ///
    /// # Errors
    ///
    /// [`Rejected::DuplicateFragment`], [`Rejected::TooLong`], [`Rejected::BadFragment`] if the
    /// parts' numbers contradict each other, [`Rejected::ReassemblyOverflow`] if another
    /// incomplete packet had to be given up for this one (the part itself is kept).
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        path: Path,
        part: Part<'_>,
    ) -> Result<Option<(Path, &mut [u8])>, Rejected> {
        let (index, displaced) = self.slot_for(now, path, part.packet_id);
        let slot = &mut self.slots[index];
        let complete = slot.insert(path, part);
        match complete {
            Err(rejected) => {
                if rejected != Rejected::DuplicateFragment {
                    slot.packet = None;
                }
                Err(rejected)
            }
            Ok(false) if displaced => Err(Rejected::ReassemblyOverflow),
            Ok(false) => Ok(None),
            Ok(true) => Ok(self.slots[index].take()),
        }
    }

    /// Gives up packets that have waited too long; returns how many.
    pub(crate) fn expire(&mut self, now: Instant) -> usize {
        let mut expired = 0;
        for slot in &mut self.slots {
            let late = |pending: &Pending| now.since(pending.since) >= REASSEMBLY_TIMEOUT;
            if slot.packet.as_ref().is_some_and(late) {
                slot.packet = None;
                expired += 1;
            }
        }
        expired
    }

    /// Returns when [`expire`](Self::expire) next has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let pending = self.slots.iter().filter_map(|slot| slot.packet.as_ref());
        pending.map(|pending| pending.since + REASSEMBLY_TIMEOUT).min()
    }

    /// Returns the slot of packet `id`, making one if needed, and whether that displaced another
    /// packet: the source's own oldest if it has used up its quota, else the oldest of all.
    fn slot_for(&mut self, now: Instant, path: Path, id: u64) -> (usize, bool) {
        let of_packet = |slot: &Slot| slot.packet.as_ref().is_some_and(|p| p.id == id);
        if let Some(index) = self.slots.iter().position(of_packet) {
            return (index, false);
        }

        let from_source = |pending: &Pending| pending.source == path.remote;
        let pending = self.slots.iter().filter_map(|slot| slot.packet.as_ref());
        let greedy = pending.filter(|p| from_source(p)).count() >= REASSEMBLY_SLOTS_PER_SOURCE;
        let free = self.slots.iter().position(|slot| slot.packet.is_none());
        let (index, displaced) = match free {
            Some(index) if !greedy => (index, false),
            None if !greedy && self.slots.len() < REASSEMBLY_SLOTS => {
                self.slots.push(Slot { packet: None, buffer: Vec::new() });
                (self.slots.len() - 1, false)
            }
            _ => (self.oldest(|pending| !greedy || from_source(pending)), true),
        };
        self.slots[index].begin(now, path, id);
        (index, displaced)
    }

    /// Returns the slot of the packet that has waited longest among those `of`.
    fn oldest(&self, of: impl Fn(&Pending) -> bool) -> usize {
        let candidates = self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let pending = slot.packet.as_ref().filter(|pending| of(pending))?;
            Some((pending.since, index))
        });
        candidates.min().map_or(0, |(_, index)| index)
    }
}

impl Slot {
    fn begin(&mut self, now: Instant, path: Path, id: u64) {
        self.buffer.clear();
        // Once per slot: a packet can never outgrow its buffer, so no later part allocates.
        self.buffer.reserve_exact(PACKET_LEN_MAX);
        let (since, source) = (now, path.remote);
        let parts = [None; FRAGMENTS_MAX];
        self.packet = Some(Pending { id, since, source, path, total: 0, parts });
    }

    /// Returns whether the packet is complete.
    fn insert(&mut self, path: Path, part: Part<'_>) -> Result<bool, Rejected> {
        let pending = self.packet.as_mut().ok_or(Rejected::BadFragment)?;
        let place = pending.parts.get_mut(part.number).ok_or(Rejected::BadFragment)?;
        if place.is_some() {
            return Err(Rejected::DuplicateFragment);
        }
        if self.buffer.len() + part.bytes.len() > PACKET_LEN_MAX {
            return Err(Rejected::TooLong);
        }

        *place = Some(Extent { start: self.buffer.len(), len: part.bytes.len() });
        self.buffer.extend_from_slice(part.bytes);
        if part.number == 0 {
            pending.path = path;
        }
        // The latest fragment is believed, as the reference does.
        pending.total = part.total.unwrap_or(pending.total);
        let present = pending.parts.iter().flatten().count();
        let leading = pending.parts.iter().take_while(|part| part.is_some()).count();
        if present == pending.total && leading != present {
            return Err(Rejected::BadFragment);
        }
        Ok(present == pending.total)
    }

    /// Frees the slot and lends the packet it held, its parts in order.
    fn take(&mut self) -> Option<(Path, &mut [u8])> {
        let pending = self.packet.take()?;
        let extents: ArrayVec<Extent, FRAGMENTS_MAX> =
            pending.parts.into_iter().flatten().collect();
        if !extents.is_sorted_by_key(|extent| extent.start) {
            let mut ordered = Vec::with_capacity(PACKET_LEN_MAX);
            for extent in extents {
                ordered.extend_from_slice(&self.buffer[extent.start..extent.start + extent.len]);
            }
            self.buffer = ordered;
        }
        Some((pending.path, &mut self.buffer))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::endpoint::SocketId;

    fn path(last: u8) -> Path {
        Path { local: SocketId(0), remote: SocketAddr::from(([192, 0, 2, last], 9993)) }
    }

    fn part(packet_id: u64, number: usize, total: usize, bytes: &[u8]) -> Part<'_> {
        Part { packet_id, number, total: (number > 0).then_some(total), bytes }
    }

    #[test]
    fn a_packet_is_complete_when_its_last_part_arrives() {
        let mut reassembly = Reassembly::new();

        let first = reassembly.insert(Instant::ZERO, path(1), part(7, 1, 2, b"tail"));
        assert_eq!(first.map(|whole| whole.is_some()), Ok(false));
        let (by, whole) =
            reassembly.insert(Instant::ZERO, path(2), part(7, 0, 2, b"head")).unwrap().unwrap();

        assert_eq!(whole, b"headtail");
        assert_eq!(by, path(2), "the head's path counts");
    }

    #[test]
    fn a_second_copy_of_a_part_is_ignored() {
        let mut reassembly = Reassembly::new();
        reassembly.insert(Instant::ZERO, path(1), part(7, 1, 2, b"one")).unwrap();

        let again = reassembly.insert(Instant::ZERO, path(1), part(7, 1, 2, b"two"));

        assert_eq!(again.map(|_| ()), Err(Rejected::DuplicateFragment));
        let (_, whole) =
            reassembly.insert(Instant::ZERO, path(1), part(7, 0, 2, b"head")).unwrap().unwrap();
        assert_eq!(whole, b"headone");
    }

    /// One source opens more packets than it may; the packet of another survives.
    #[test]
    fn a_flood_of_fragments_displaces_only_its_own() {
        let mut reassembly = Reassembly::new();
        reassembly.insert(Instant::ZERO, path(1), part(1, 1, 2, b"tail")).unwrap();

        for id in 0..1_000 {
            let _ = reassembly.insert(Instant::ZERO, path(2), part(1_000 + id, 1, 2, b"junk"));
        }

        let whole = reassembly.insert(Instant::ZERO, path(1), part(1, 0, 2, b"head")).unwrap();
        assert!(whole.is_some());
    }

    #[test]
    fn incomplete_packets_are_given_up_in_time() {
        let mut reassembly = Reassembly::new();
        reassembly.insert(Instant::ZERO, path(1), part(7, 1, 2, b"tail")).unwrap();

        let late = reassembly.poll_timeout().unwrap();

        assert_eq!(late, Instant::ZERO + REASSEMBLY_TIMEOUT);
        assert_eq!(reassembly.expire(late), 1);
        assert_eq!(reassembly.poll_timeout(), None);
    }

    proptest! {
        #[test]
        fn any_order_of_any_cut_gives_the_packet_back(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 2..=7),
            seed: u64,
        ) {
            let mut order: Vec<usize> = (0..parts.len()).collect();
            crate::rng::Rng::from_seed([seed as u8; 32]).shuffle(&mut order);
            let mut reassembly = Reassembly::new();

            let mut whole = None;
            for number in order {
                let part = part(9, number, parts.len(), &parts[number]);
                whole = reassembly
                    .insert(Instant::ZERO, path(1), part)
                    .unwrap()
                    .map(|(_, bytes)| bytes.to_vec());
            }

            prop_assert_eq!(whole, Some(parts.concat()));
        }
    }
}
