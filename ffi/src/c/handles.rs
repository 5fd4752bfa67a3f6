//! Handles: numbers that stand for things of the library.
//!
//! A handle is no pointer, so nothing a host does with one can crash: it is looked up. It says which
//! kind it is of, which slot of that kind it means, and in which of the slot's lives, so that one that
//! was freed is not taken for what has the slot since.
//!
//! ```text
//!  63     56 55                    24 23           0
//!  +--------+------------------------+--------------+
//!  | kind   | generation, never 0    | slot         |
//!  +--------+------------------------+--------------+
//! ```

use std::sync::{Arc, PoisonError, RwLock};

use super::result::{Failure, zt_result};

/// Things of one kind at most. A handle has room for 2²⁴ slots.
const SLOTS_MAX: usize = 65_536;

const SLOT_BITS: u32 = 24;
const KIND_SHIFT: u32 = 56;

/// All things of one kind.
pub(super) struct Handles<T> {
    kind: u8,
    slots: RwLock<Vec<Slot<T>>>,
}

struct Slot<T> {
    generation: u32,
    value: Option<Arc<T>>,
}

impl<T> Handles<T> {
    /// Returns none of a kind, which no other kind may share.
    pub(super) const fn new(kind: u8) -> Self {
        Self { kind, slots: RwLock::new(Vec::new()) }
    }

    /// Gives a thing a handle.
    pub(super) fn insert(&self, value: Arc<T>) -> Result<u64, Failure> {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let free = slots.iter().position(|slot| slot.value.is_none());
        let index = match free {
            Some(index) => index,
            None if slots.len() < SLOTS_MAX => {
                slots.push(Slot { generation: 0, value: None });
                slots.len() - 1
            }
            None => {
                let message = format!("there are {SLOTS_MAX} handles of this kind");
                return Err(Failure::new(zt_result::ZT_ERROR_TOO_MANY, message));
            }
        };
        let slot = &mut slots[index];
        slot.generation = slot.generation.wrapping_add(1).max(1);
        slot.value = Some(value);
        Ok(self.handle(index, slot.generation))
    }

    /// Returns what a handle stands for. It stays there as long as the caller holds it, whoever frees
    /// the handle meanwhile.
    pub(super) fn get(&self, handle: u64) -> Result<Arc<T>, Failure> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let slot = self.index(handle).and_then(|index| Some((index, slots.get(index)?)));
        match slot {
            Some((index, Slot { generation, value: Some(value) }))
                if self.handle(index, *generation) == handle =>
            {
                Ok(Arc::clone(value))
            }
            _ => Err(invalid(handle)),
        }
    }

    /// Takes a handle back; returns what it stood for.
    pub(super) fn remove(&self, handle: u64) -> Result<Arc<T>, Failure> {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let slot = self.index(handle).and_then(|index| Some((index, slots.get_mut(index)?)));
        match slot {
            Some((index, slot)) if self.handle(index, slot.generation) == handle => {
                slot.value.take().ok_or_else(|| invalid(handle))
            }
            _ => Err(invalid(handle)),
        }
    }

    fn handle(&self, index: usize, generation: u32) -> u64 {
        u64::from(self.kind) << KIND_SHIFT | u64::from(generation) << SLOT_BITS | index as u64
    }

    fn index(&self, handle: u64) -> Option<usize> {
        usize::try_from(handle & ((1 << SLOT_BITS) - 1)).ok()
    }
}

fn invalid(handle: u64) -> Failure {
    let message = format!("{handle:#x} is no handle of this kind, or has been freed");
    Failure::new(zt_result::ZT_ERROR_INVALID_HANDLE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_stands_for_one_thing_and_never_for_another() {
        let (these, those) = (Handles::new(1), Handles::new(2));
        let first = these.insert(Arc::new("first")).unwrap();
        let other = those.insert(Arc::new("other")).unwrap();

        assert_eq!(*these.get(first).unwrap(), "first");
        for wrong in [0, 1, other, first + 1, !first, u64::MAX] {
            assert!(these.get(wrong).is_err() && these.remove(wrong).is_err(), "{wrong:#x}");
        }

        assert_eq!(*these.remove(first).unwrap(), "first");
        let second = these.insert(Arc::new("second")).unwrap();
        assert_ne!(first, second);
        assert!(these.get(first).is_err() && these.remove(first).is_err());
        assert_eq!(*these.get(second).unwrap(), "second");
    }
}
