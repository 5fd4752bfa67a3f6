//! Putting configurations together that come in chunks.
//!
//! Source: spec 03 §3.2.

use core::time::Duration;

use crate::error::Rejected;
use crate::identity::Identity;
use crate::limits::{CONFIG_CHUNKS_MAX, CONFIG_LEN_MAX, CONFIG_SLOTS};
use crate::memory;
use crate::time::Instant;
use crate::wire::netconf::{Chunk, Signed};

/// The configurations of one network that are being put together.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    slots: [Slot; CONFIG_SLOTS],
}

/// One configuration. A slot that is complete keeps the names of its chunks, so that an update
/// that is sent again is recognised.
#[derive(Debug, Default)]
struct Slot {
    update_id: Option<u64>,
    /// How many chunks the slot ever took in, for whatever configuration. Not reset when it is
    /// reused, as the reference does not: slots take turns.
    uses: u64,
    chunk_ids: Vec<u64>,
    received: usize,
    dictionary: Vec<u8>,
    /// When the latest chunk came.
    heard: Instant,
}

impl Reassembly {
    /// Takes in a signed chunk that was [checked](check) to be new and genuine.
    ///
    /// Returns the dictionary it completes. Memory is allocated here and nowhere before, so that
    /// it takes the controller's signature to make this node allocate.
    ///
    /// # Errors
    ///
    /// [`Rejected::Full`] if the configuration came in too many pieces.
    pub(super) fn insert(
        &mut self,
        now: Instant,
        chunk: &Chunk<'_>,
        signed: &Signed<'_>,
    ) -> Result<Option<Vec<u8>>, Rejected> {
        let slot = self.slot_for(chunk.update_id);
        slot.heard = now;
        if slot.chunk_ids.len() >= CONFIG_CHUNKS_MAX {
            return Err(Rejected::Full);
        }
        let total = chunk.total_len as usize;
        if slot.chunk_ids.is_empty() {
            slot.dictionary = vec![0; total];
        }

        slot.uses += 1;
        slot.chunk_ids.push(signed.chunk_id());
        // Chunks of one update that disagree on its length, or come after it was complete, have
        // nowhere to go.
        let place = (chunk.index as usize)..(chunk.index as usize + chunk.data.len());
        let place = slot.dictionary.get_mut(place).ok_or(Rejected::Malformed)?;
        place.copy_from_slice(chunk.data);
        slot.received += chunk.data.len();

        let complete = slot.received == total && slot.dictionary.len() == total;
        Ok(complete.then(|| core::mem::take(&mut slot.dictionary)))
    }

    /// Returns the slot of the update, which takes the place of the one used least if it is new.
    fn slot_for(&mut self, update_id: u64) -> &mut Slot {
        let known = self.slots.iter().position(|slot| slot.update_id == Some(update_id));
        let index = known.unwrap_or_else(|| {
            let uses = |index: &usize| self.slots[*index].uses;
            (0..CONFIG_SLOTS).min_by_key(uses).unwrap_or_default()
        });

        let slot = &mut self.slots[index];
        if known.is_none() {
            *slot = Slot { update_id: Some(update_id), uses: slot.uses, ..Slot::default() };
        }
        slot
    }

    /// Gives up what nothing was added to for so long.
    pub(super) fn give_back(&mut self, now: Instant, silence: Duration) {
        for slot in self.slots.iter_mut().filter(|slot| now.since(slot.heard) >= silence) {
            *slot = Slot { uses: slot.uses, ..Slot::default() };
        }
    }

    /// Returns what they take, in bytes.
    pub(super) fn footprint(&self) -> usize {
        let each =
            |slot: &Slot| memory::of_list(&slot.chunk_ids) + memory::of_list(&slot.dictionary);
        self.slots.iter().map(each).sum()
    }

    /// Checks that a signed chunk is within bounds, was not taken in before, and is `controller`'s.
    ///
    /// Leaves no trace, so a forged chunk does not keep the genuine one out.
    ///
    /// # Errors
    ///
    /// [`Rejected::TooLong`], [`Rejected::Stale`], [`Rejected::UnknownSender`] if the controller's
    /// identity is not known, and [`Rejected::BadSignature`].
    pub(super) fn check(
        &self,
        chunk: &Chunk<'_>,
        signed: &Signed<'_>,
        controller: Option<&Identity>,
    ) -> Result<(), Rejected> {
        if chunk.total_len as usize >= CONFIG_LEN_MAX {
            return Err(Rejected::TooLong);
        }
        let seen = self.slots.iter().any(|slot| {
            slot.update_id == Some(chunk.update_id) && slot.chunk_ids.contains(&signed.chunk_id())
        });
        if seen {
            return Err(Rejected::Stale);
        }
        let controller = controller.ok_or(Rejected::UnknownSender)?;
        if !controller.verify(&[signed.message], signed.signature) {
            return Err(Rejected::BadSignature);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::address::NetworkId;
    use crate::identity::SecretIdentity;
    use crate::rng::Rng;

    const SIGNATURE: [u8; 96] = [7; 96];

    fn chunk(update_id: u64, total_len: u32, index: u32, data: &[u8]) -> Chunk<'_> {
        Chunk {
            network: NetworkId(1),
            data,
            fast_propagate: false,
            update_id,
            total_len,
            index,
            signed: None,
        }
    }

    /// A signature that names the chunk `id`.
    fn signature(id: u8) -> [u8; 96] {
        let mut signature = SIGNATURE;
        signature[0] = id;
        signature
    }

    fn insert(
        reassembly: &mut Reassembly,
        id: u8,
        chunk: &Chunk<'_>,
    ) -> Result<Option<Vec<u8>>, Rejected> {
        let signature = signature(id);
        let signed = Signed { message: &[], signature: &signature };
        match reassembly.check(chunk, &signed, None) {
            Err(Rejected::UnknownSender) => reassembly.insert(Instant::ZERO, chunk, &signed),
            Err(rejected) => Err(rejected),
            Ok(()) => panic!("nobody's signature was accepted"),
        }
    }

    #[test]
    fn chunks_may_come_in_any_order_and_repeatedly() {
        let mut reassembly = Reassembly::default();

        assert_eq!(insert(&mut reassembly, 3, &chunk(5, 6, 4, b"ef")), Ok(None));
        assert_eq!(insert(&mut reassembly, 1, &chunk(5, 6, 0, b"ab")), Ok(None));
        let again = insert(&mut reassembly, 1, &chunk(5, 6, 0, b"ab"));
        assert_eq!(again, Err(Rejected::Stale));
        let whole = insert(&mut reassembly, 2, &chunk(5, 6, 2, b"cd"));
        assert_eq!(whole, Ok(Some(b"abcdef".to_vec())));

        let resent = insert(&mut reassembly, 2, &chunk(5, 6, 2, b"cd"));
        assert_eq!(resent, Err(Rejected::Stale));
    }

    #[test]
    fn updates_may_be_interleaved_and_the_least_used_gives_way() {
        let mut reassembly = Reassembly::default();
        for update in 1..=3 {
            insert(&mut reassembly, 1, &chunk(update, 4, 0, b"ab")).unwrap();
        }
        insert(&mut reassembly, 9, &chunk(1, 4, 0, b"")).unwrap();

        // Of 2 and 3, which took one chunk each, the first makes room for 4.
        insert(&mut reassembly, 1, &chunk(4, 4, 0, b"ab")).unwrap();

        let finish = |reassembly: &mut Reassembly, update| {
            insert(reassembly, 2, &chunk(update, 4, 2, b"cd")).unwrap().is_some()
        };
        assert!(finish(&mut reassembly, 1));
        assert!(finish(&mut reassembly, 3));
        assert!(finish(&mut reassembly, 4));
        assert!(!finish(&mut reassembly, 2));
    }

    #[test]
    fn what_nothing_is_added_to_any_more_is_given_up() {
        let mut reassembly = Reassembly::default();
        insert(&mut reassembly, 1, &chunk(5, 100_000, 0, b"ab")).unwrap();
        let minute = Duration::from_secs(60);

        reassembly.give_back(Instant::from_millis(59_999), minute);
        assert!(reassembly.footprint() >= 100_000);
        reassembly.give_back(Instant::from_millis(60_000), minute);
        assert_eq!(reassembly.footprint(), 0);
        assert_eq!(reassembly.slots[0].uses, 1, "slots take turns as before");
    }

    #[test]
    fn a_configuration_in_too_many_pieces_is_given_up() {
        let mut reassembly = Reassembly::default();
        for id in 0..CONFIG_CHUNKS_MAX {
            let mut signature = SIGNATURE;
            signature[..8].copy_from_slice(&(id as u64).to_be_bytes());
            let signed = Signed { message: &[], signature: &signature };
            reassembly.insert(Instant::ZERO, &chunk(5, 10, 0, b""), &signed).unwrap();
        }

        let signed = Signed { message: &[], signature: &SIGNATURE };
        let one_more = reassembly.insert(Instant::ZERO, &chunk(5, 10, 0, b""), &signed);

        assert_eq!(one_more, Err(Rejected::Full));
    }

    #[test]
    fn only_the_controllers_signature_counts_and_a_forgery_leaves_no_trace() {
        let controller = SecretIdentity::generate(&mut Rng::from_seed([1; 32]));
        let reassembly = Reassembly::default();
        let chunk = chunk(5, 2, 0, b"ab");
        let message = b"what the controller signed";
        let genuine = controller.sign(&[message]);
        let check = |message: &[u8], signature, signer| {
            reassembly.check(&chunk, &Signed { message, signature }, signer)
        };

        let public = Some(controller.public());
        assert_eq!(check(message, &SIGNATURE, public), Err(Rejected::BadSignature));
        assert_eq!(check(b"what it did not", &genuine, public), Err(Rejected::BadSignature));
        assert_eq!(check(message, &genuine, None), Err(Rejected::UnknownSender));
        assert_eq!(check(message, &genuine, public), Ok(()));
    }

    #[test]
    fn nothing_is_allocated_for_a_configuration_that_is_too_long() {
        let mut reassembly = Reassembly::default();

        let huge = insert(&mut reassembly, 1, &chunk(5, 484_520, 0, b"ab"));

        assert_eq!(huge, Err(Rejected::TooLong));
        assert!(insert(&mut reassembly, 1, &chunk(5, 484_519, 0, b"ab")).is_ok());
    }

    proptest! {
        /// Chunks as the wire layer lets them through, in whatever order: nothing panics, and
        /// what comes out is as long as was said.
        #[test]
        fn no_chunk_panics(
            chunks in proptest::collection::vec((0_u64..5, 0_u32..40, 0_u32..40, 0_usize..20), 0..40),
        ) {
            let mut reassembly = Reassembly::default();
            for (id, (update, total, index, len)) in (0..).zip(chunks) {
                let data = vec![1; len];
                if index + len as u32 <= total {
                    let chunk = chunk(update, total, index, &data);
                    if let Ok(Some(dictionary)) = insert(&mut reassembly, id, &chunk) {
                        prop_assert_eq!(dictionary.len(), total as usize);
                    }
                }
            }
        }
    }
}
