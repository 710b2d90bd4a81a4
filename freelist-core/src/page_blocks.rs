//! All page blocks, by number.

use alloc::vec::Vec;

use hashbrown::HashTable;

use crate::error::FreelistError;
use crate::number_set::lasting;
use crate::page_block::PageBlock;
use crate::page_hash::hash;

/// No slot.
const NONE: u32 = u32::MAX;

/// Page blocks in slots, found by a hash table of slots.
///
/// The number under which a slot is found is in the block itself, beside what the caller wants from
/// it. So the table stays small enough for a cache, and a release that misses the caches waits for
/// memory once instead of twice.
///
/// The slot of the latest block in focus is remembered: an allocation of one page takes 25 ns instead
/// of 33.
#[derive(Debug)]
pub(crate) struct PageBlocks {
    slots: HashTable<u32>,
    blocks: Vec<PageBlock>,
    /// The first vacant slot; the number of a vacant block is that of the next such slot.
    vacant: u32,
    /// The number in focus and its slot, which is [`NONE`] if there is no block of that number.
    recent: (u64, u32),
}

impl PageBlocks {
    pub(crate) fn new() -> Self {
        Self { slots: HashTable::new(), blocks: Vec::new(), vacant: NONE, recent: (0, NONE) }
    }

    /// Remembers where the block is: the next calls will concern it.
    #[inline]
    pub(crate) fn focus(&mut self, number: u64) {
        if self.recent.0 != number {
            self.recent = (number, self.find(number));
        }
    }

    #[inline]
    pub(crate) fn get(&self, number: u64) -> Option<&PageBlock> {
        self.blocks.get(self.slot(number) as usize)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut PageBlock> {
        let slot = self.slot(number);
        self.blocks.get_mut(slot as usize)
    }

    #[inline]
    fn slot(&self, number: u64) -> u32 {
        if self.recent.0 == number {
            debug_assert_eq!(self.recent.1, self.find(number), "the table agrees with the slot in focus");
            return self.recent.1;
        }
        self.find(number)
    }

    #[inline]
    fn find(&self, number: u64) -> u32 {
        let found = self.slots.find(hash(number), |slot| number_in(&self.blocks, *slot) == number);
        found.copied().unwrap_or(NONE)
    }

    /// Makes sure that [`insert`](Self::insert) needs no memory.
    pub(crate) fn reserve_one(&mut self) -> Result<(), FreelistError> {
        let blocks = &self.blocks;
        self.slots.try_reserve(1, |slot| hash(number_in(blocks, *slot)))?;
        if self.vacant == NONE {
            if self.blocks.len() >= NONE as usize {
                return Err(FreelistError::OutOfMemory);
            }
            self.blocks.try_reserve(1)?;
        }
        Ok(())
    }

    /// Adds an empty block that is not there. Room is reserved.
    pub(crate) fn insert(&mut self, number: u64) {
        debug_assert_eq!(self.find(number), NONE, "block {number} is not there yet");
        let mut slot = self.vacant;
        if let Some(block) = self.blocks.get_mut(slot as usize) {
            self.vacant = u32::try_from(block.number()).unwrap_or(NONE);
            *block = PageBlock::empty(number);
        } else {
            slot = u32::try_from(self.blocks.len()).unwrap_or(NONE);
            self.blocks.push(PageBlock::empty(number));
        }
        assert!(slot != NONE, "there was a slot left when room was reserved");
        let blocks = &self.blocks;
        self.slots.insert_unique(hash(number), slot, |slot| hash(number_in(blocks, *slot)));
        self.recent = (number, slot);
        assert!(self.slots.len() <= self.blocks.len(), "no two blocks share a slot");
    }

    /// Removes a block, which exists.
    pub(crate) fn remove(&mut self, number: u64) {
        let blocks = &self.blocks;
        let found = self.slots.find_entry(hash(number), |slot| number_in(blocks, *slot) == number);
        debug_assert!(found.is_ok(), "block {number} is there");
        let Ok(entry) = found else { return };
        let (slot, _) = entry.remove();
        if let Some(block) = self.blocks.get_mut(slot as usize) {
            *block = PageBlock::empty(u64::from(self.vacant));
            self.vacant = slot;
        }
        if self.recent.0 == number {
            self.recent.1 = NONE;
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.slots.len() as u64
    }

    /// Makes room for `count` blocks in all: until there are more, no call needs memory.
    pub(crate) fn reserve(&mut self, count: usize) -> Result<(), FreelistError> {
        let blocks = &self.blocks;
        let more = lasting(count)?.saturating_sub(self.slots.len());
        self.slots.try_reserve(more, |slot| hash(number_in(blocks, *slot)))?;
        Ok(self.blocks.try_reserve_exact(count.saturating_sub(self.blocks.len()))?)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.slots.allocation_size() + self.blocks.capacity() * size_of::<PageBlock>()
    }
}

/// The number of the block in a slot that the table has.
fn number_in(blocks: &[PageBlock], slot: u32) -> u64 {
    blocks.get(slot as usize).map_or(u64::MAX, PageBlock::number)
}
