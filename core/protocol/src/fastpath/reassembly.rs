//! Putting the datagrams of one packet back together.
//!
//! Parts may come in any order and with any lengths; only their numbers count (spec 01 §10.3).
//!
//! Nobody vouches for a part before the whole packet is opened, so two that bear the same number
//! but differ are both kept, and a packet that does not open is tried again with the other one. A
//! forger who gets in first thus spoils nothing.

use arrayvec::ArrayVec;

use crate::endpoint::Path;
use crate::error::Rejected;
use crate::limits::{
    FRAGMENT_ALTERNATIVES_MAX, FRAGMENTS_MAX, PACKET_LEN_MAX, REASSEMBLY_SLOT_LEN_MAX,
    REASSEMBLY_SLOTS, REASSEMBLY_SLOTS_PER_PATH, REASSEMBLY_TIMEOUT,
};
use crate::memory;
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

/// Packets that wait for their missing parts, bounded in number and per path.
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
    /// The path by which all its parts come.
    path: Path,
    /// How many slots the path had when this one was begun, itself included.
    rank: usize,
    /// It was complete once, but did not open.
    is_tried: bool,
    /// The first copy of each part, by number.
    first: [Option<Copy>; FRAGMENTS_MAX],
    /// Copies that differ from the first of their number.
    others: ArrayVec<Copy, FRAGMENT_ALTERNATIVES_MAX>,
}

/// What some datagram gave for a part, and where it lies in the buffer.
#[derive(Clone, Copy)]
struct Copy {
    number: usize,
    total: Option<usize>,
    start: usize,
    len: usize,
}

/// Ways to make a whole packet of the parts that are there: each says, by a bit, which of the
/// alternatives to take.
type Choices = ArrayVec<usize, { 1 << FRAGMENT_ALTERNATIVES_MAX }>;

/// A packet of which every part is there, in one way or several.
pub(crate) struct Complete {
    slot: usize,
    choices: Choices,
}

impl Complete {
    /// Returns the ways to put it together that were not possible before, likeliest first.
    pub(crate) fn choices(&self) -> impl Iterator<Item = usize> {
        self.choices.clone().into_iter()
    }
}

impl Reassembly {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new() }
    }

    /// Takes in one part that came by `path`. Returns the packet if this completed it, or if it
    /// was complete already and this is another copy of a part.
    ///
    /// Whoever opens the packet says so with [`release`](Self::release).
    ///
    /// # Errors
    ///
    /// [`Rejected::DuplicateFragment`], [`Rejected::TooLong`], [`Rejected::BadFragment`] if the
    /// number is impossible, [`Rejected::ReassemblyOverflow`] if another incomplete packet had to
    /// be given up for this one (the part itself is kept).
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        path: Path,
        part: Part<'_>,
    ) -> Result<Option<Complete>, Rejected> {
        let (index, displaced) = self.slot_for(now, path, part.packet_id);
        let choices = self.slots[index].insert(part)?;
        if !choices.is_empty() {
            return Ok(Some(Complete { slot: index, choices }));
        }
        if displaced { Err(Rejected::ReassemblyOverflow) } else { Ok(None) }
    }

    /// Writes a packet into `whole`, put together in one of its ways.
    pub(crate) fn assemble(&self, complete: &Complete, choice: usize, whole: &mut Vec<u8>) {
        let Slot { packet, buffer } = &self.slots[complete.slot];
        whole.clear();
        for copy in packet.iter().filter_map(|pending| pending.select(choice)).flatten() {
            whole.extend_from_slice(&buffer[copy.start..copy.start + copy.len]);
        }
    }

    /// Frees the slot of a packet that was opened.
    pub(crate) fn release(&mut self, complete: &Complete) {
        self.slots[complete.slot].packet = None;
    }

    /// Gives up packets that have waited too long; returns how many of them were never complete.
    pub(crate) fn expire(&mut self, now: Instant) -> usize {
        let mut expired = 0;
        for slot in &mut self.slots {
            let late = |pending: &mut Pending| now.since(pending.since) >= REASSEMBLY_TIMEOUT;
            if let Some(pending) = slot.packet.take_if(late) {
                expired += usize::from(!pending.is_tried);
            }
        }
        expired
    }

    /// Returns when [`expire`](Self::expire) next has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let pending = self.slots.iter().filter_map(|slot| slot.packet.as_ref());
        pending.map(|pending| pending.since + REASSEMBLY_TIMEOUT).min()
    }

    /// Gives back the buffers in which nothing waits.
    pub(crate) fn give_back(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.packet.is_none()) {
            slot.buffer = Vec::new();
        }
    }

    /// Returns what the slots take, in bytes.
    pub(crate) fn footprint(&self) -> usize {
        let buffers = self.slots.iter().map(|slot| memory::of_list(&slot.buffer));
        memory::of_list(&self.slots) + buffers.sum::<usize>()
    }

    /// Returns the slot of packet `id`, making one if needed, and whether that displaced another
    /// packet: the path's own oldest if it has used up its quota, else the oldest of those whose
    /// paths had most slots.
    fn slot_for(&mut self, now: Instant, path: Path, id: u64) -> (usize, bool) {
        let is_it = |pending: &Pending| pending.id == id && pending.path == path;
        let of_packet = |slot: &Slot| slot.packet.as_ref().is_some_and(is_it);
        if let Some(index) = self.slots.iter().position(of_packet) {
            return (index, false);
        }

        let pending = self.slots.iter().filter_map(|slot| slot.packet.as_ref());
        let held = pending.filter(|pending| pending.path == path).count();
        let greedy = held >= REASSEMBLY_SLOTS_PER_PATH;
        let free = self.slots.iter().position(|slot| slot.packet.is_none());
        let (index, displaced) = match free {
            Some(index) if !greedy => (index, false),
            None if !greedy && self.slots.len() < REASSEMBLY_SLOTS => {
                self.slots.push(Slot { packet: None, buffer: Vec::new() });
                (self.slots.len() - 1, false)
            }
            _ => (self.most_dispensable(greedy.then_some(path)), true),
        };
        self.slots[index].begin(now, path, id, held + 1);
        (index, displaced)
    }

    /// Returns the slot of the packet that has waited longest among those of `path`, or if that is
    /// `None`, among those whose paths had most slots when they came.
    fn most_dispensable(&self, path: Option<Path>) -> usize {
        let candidates = self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let pending = slot.packet.as_ref()?;
            match path {
                Some(path) => (pending.path == path).then_some((0, pending.since, index)),
                None => Some((REASSEMBLY_SLOTS - pending.rank, pending.since, index)),
            }
        });
        candidates.min().map_or(0, |(_, _, index)| index)
    }
}

impl Slot {
    fn begin(&mut self, now: Instant, path: Path, id: u64, rank: usize) {
        self.buffer.clear();
        // Once per slot: only alternatives can outgrow it, and they grow it by as much as they
        // need.
        self.buffer.reserve_exact(PACKET_LEN_MAX);
        let (first, others) = ([None; FRAGMENTS_MAX], ArrayVec::new());
        self.packet = Some(Pending { id, since: now, path, rank, is_tried: false, first, others });
    }

    /// Returns the ways to make a whole packet that are possible with this part and were not
    /// without.
    fn insert(&mut self, part: Part<'_>) -> Result<Choices, Rejected> {
        let Self { packet, buffer } = self;
        let pending = packet.as_mut().ok_or(Rejected::BadFragment)?;
        let (number, total) = (part.number, part.total);
        let same = |copy: &Copy| {
            copy.number == number
                && copy.total == total
                && buffer[copy.start..copy.start + copy.len] == *part.bytes
        };
        let is_known = pending.first.iter().flatten().chain(&pending.others).any(same);
        let first = pending.first.get_mut(number).ok_or(Rejected::BadFragment)?;
        let is_other = first.is_some();
        if is_known || is_other && pending.others.is_full() {
            return Err(Rejected::DuplicateFragment);
        }
        if buffer.len() + part.bytes.len() > REASSEMBLY_SLOT_LEN_MAX {
            return Err(Rejected::TooLong);
        }

        let copy = Copy { number, total, start: buffer.len(), len: part.bytes.len() };
        buffer.reserve_exact(part.bytes.len());
        buffer.extend_from_slice(part.bytes);
        let mut required = 0;
        if is_other {
            required = 1 << pending.others.len();
            pending.others.push(copy);
        } else {
            *first = Some(copy);
        }

        let is_new = |choice: &usize| choice & required == required;
        let ways = (0..1 << pending.others.len()).filter(is_new);
        let choices: Choices = ways.filter(|&choice| pending.select(choice).is_some()).collect();
        pending.is_tried |= !choices.is_empty();
        Ok(choices)
    }
}

impl Pending {
    /// Returns the parts in order if `choice` makes a whole packet of them.
    ///
    /// Part 1, which every packet has that was cut, says how many there are; the reference goes by
    /// the fragment that came last. Genuine ones agree.
    fn select(&self, choice: usize) -> Option<ArrayVec<Copy, FRAGMENTS_MAX>> {
        let mut parts = self.first;
        for (bit, other) in self.others.iter().enumerate() {
            if choice >> bit & 1 == 1 {
                parts[other.number] = Some(*other);
            }
        }
        let total = parts[1]?.total?;
        let chosen: ArrayVec<Copy, FRAGMENTS_MAX> =
            parts.into_iter().take(total).map_while(|part| part).collect();
        let len: usize = chosen.iter().map(|part| part.len).sum();
        (chosen.len() == total && len <= PACKET_LEN_MAX).then_some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::endpoint::SocketId;

    fn path(last: u8) -> Path {
        Path { local: SocketId(0), remote: SocketAddr::from(([192, 0, 2, last], 9993)) }
    }

    fn part(packet_id: u64, number: usize, total: usize, bytes: &[u8]) -> Part<'_> {
        Part { packet_id, number, total: (number > 0).then_some(total), bytes }
    }

    /// Returns every packet that can be made of what is there.
    fn wholes(reassembly: &Reassembly, complete: &Complete) -> Vec<Vec<u8>> {
        let assemble = |choice| {
            let mut whole = Vec::new();
            reassembly.assemble(complete, choice, &mut whole);
            whole
        };
        complete.choices().map(assemble).collect()
    }

    #[test]
    fn a_packet_is_complete_when_its_last_part_arrives() {
        let mut reassembly = Reassembly::new();

        let first = reassembly.insert(Instant::ZERO, path(1), part(7, 1, 2, b"tail")).unwrap();
        assert!(first.is_none());
        let whole =
            reassembly.insert(Instant::ZERO, path(1), part(7, 0, 2, b"head")).unwrap().unwrap();

        assert_eq!(wholes(&reassembly, &whole), [b"headtail"]);
    }

    #[test]
    fn parts_that_came_by_different_paths_are_not_mixed() {
        let mut reassembly = Reassembly::new();

        reassembly.insert(Instant::ZERO, path(1), part(7, 1, 2, b"forged")).unwrap();
        let head = reassembly.insert(Instant::ZERO, path(2), part(7, 0, 2, b"head")).unwrap();
        assert!(head.is_none());
        let whole =
            reassembly.insert(Instant::ZERO, path(2), part(7, 1, 2, b"tail")).unwrap().unwrap();

        assert_eq!(wholes(&reassembly, &whole), [b"headtail"]);
    }

    #[test]
    fn an_equal_copy_of_a_part_is_ignored_and_a_different_one_is_an_alternative() {
        let mut reassembly = Reassembly::new();
        let mut insert = |number, bytes| {
            let complete = reassembly.insert(Instant::ZERO, path(1), part(7, number, 2, bytes))?;
            Ok(complete.map(|complete| wholes(&reassembly, &complete)))
        };

        assert_eq!(insert(1, b"forged"), Ok(None));
        assert_eq!(insert(1, b"forged"), Err(Rejected::DuplicateFragment));
        assert_eq!(insert(0, b"head"), Ok(Some(vec![b"headforged".to_vec()])));
        assert_eq!(insert(1, b"tail"), Ok(Some(vec![b"headtail".to_vec()])));
        let both = vec![b"HEADforged".to_vec(), b"HEADtail".to_vec()];
        assert_eq!(insert(0, b"HEAD"), Ok(Some(both)));
    }

    #[test]
    fn alternatives_are_bounded_in_number_and_bytes() {
        let mut reassembly = Reassembly::new();
        let mut tried = 0;
        let mut insert = |number, bytes: &[u8]| {
            let part = part(7, number, 2, bytes);
            let complete = reassembly.insert(Instant::ZERO, path(1), part)?;
            tried += complete.map_or(0, |complete| complete.choices().count());
            Ok(())
        };

        assert_eq!(insert(1, &[0; 9_000]), Ok(()));
        assert_eq!(insert(1, &[1; 9_000]), Err(Rejected::TooLong));
        for copy in 0..100 {
            let _ = insert(0, &[copy; 40]);
            let _ = insert(1, &[copy; 40]);
        }

        assert_eq!(insert(0, &[101; 40]), Err(Rejected::DuplicateFragment));
        assert!(tried <= 1 << FRAGMENT_ALTERNATIVES_MAX, "{tried}");
        assert!(reassembly.slots[0].buffer.capacity() <= REASSEMBLY_SLOT_LEN_MAX);
    }

    /// A fragment says that there are more parts than there are.
    #[test]
    fn a_forged_count_of_parts_does_not_hold_up_the_packet() {
        let mut reassembly = Reassembly::new();
        reassembly.insert(Instant::ZERO, path(1), part(7, 2, 7, b"forged")).unwrap();
        reassembly.insert(Instant::ZERO, path(1), part(7, 1, 7, b"tail")).unwrap();
        reassembly.insert(Instant::ZERO, path(1), part(7, 0, 2, b"head")).unwrap();

        let whole =
            reassembly.insert(Instant::ZERO, path(1), part(7, 1, 2, b"tail")).unwrap().unwrap();

        assert_eq!(wholes(&reassembly, &whole), [b"headtail"]);
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

    /// Several sources together fill every slot; the packet of one that has few survives.
    #[test]
    fn a_flood_from_several_sources_displaces_its_own_first() {
        let mut reassembly = Reassembly::new();
        reassembly.insert(Instant::ZERO, path(1), part(1, 1, 2, b"tail")).unwrap();

        for id in 0..1_000 {
            let source = path(2 + (id % 8) as u8);
            let _ = reassembly.insert(Instant::ZERO, source, part(1_000 + id, 1, 2, b"junk"));
        }

        let whole = reassembly.insert(Instant::ZERO, path(1), part(1, 0, 2, b"head")).unwrap();
        assert!(whole.is_some());
        assert_eq!(reassembly.slots.len(), REASSEMBLY_SLOTS);
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
                let complete = reassembly.insert(Instant::ZERO, path(1), part).unwrap();
                whole = complete.map(|complete| wholes(&reassembly, &complete));
            }

            prop_assert_eq!(whole, Some(vec![parts.concat()]));
        }
    }
}
