//! Changed pages in memory, from the commit that made them to the checkpoint that writes them to the file.
//!
//! A *generation* is the memory of all commits between two checkpoints: an arena of page images, and an index from page numbers
//! to places in the arena, which readers search without a lock. There are two. Commits fill one. A checkpoint freezes it and
//! writes its pages, while commits fill the other; states of that time have pages in both. When the checkpoint is there, new
//! states need the frozen one no longer. Readers that began before stay with it, so it is filled again only when the last
//! of them has left.
//!
//! **Invariant:** bytes of the arena that a reader may reach are not written. A page's image is replaced only when its
//! number is used again, and then no reader sees the page that had it.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagefile_std::{MemStore, PageStore, StoreError, View};

use crate::error::Result;
use crate::store::sync::Words;

/// Bits of an index word that are the place in the arena; the page number has the others.
const SLOT_BITS: u32 = 24;

/// Pages that an arena can have at most.
pub(crate) const SLOTS_MAX: u32 = (1 << SLOT_BITS) - 1;

/// The place of a page that is not in memory any more.
const GONE: u64 = 0;

/// The memory of the commits between two checkpoints.
#[derive(Debug)]
pub(crate) struct Generation {
    /// A hash table with linear probing: page number and place, or 0. Places begin at 1.
    index: Words,
    /// A power of two less one.
    mask: u64,
    arena: MemStore,
    page_size: u32,
    slots: u32,
}

impl Generation {
    /// For `slots` pages. The memory comes as it is used.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn new(slots: u32, page_size: u32) -> Result<Self> {
        assert!(slots > 0 && slots <= SLOTS_MAX, "each place has a number");
        let words = u64::from(slots).saturating_mul(2).next_power_of_two();
        let no_memory =
            |source| StoreError::AddressSpace { path: "memory".into(), len: words.saturating_mul(8), source };
        let index = Words::new(usize::try_from(words).unwrap_or(usize::MAX)).map_err(no_memory)?;
        let bytes = u64::from(slots).saturating_add(1).saturating_mul(page_size.into());
        // Growth rounds the length up, by less than this, and must not move what readers look at.
        let arena = MemStore::with_capacity(bytes.saturating_add(16 << 20));
        arena.grow(bytes)?;
        Ok(Self { index, mask: words.wrapping_sub(1), arena, page_size, slots })
    }

    /// The place of page `page` in the arena, in bytes; none if the page is not in memory.
    #[inline]
    fn find(&self, page: u64) -> Option<u64> {
        let words = self.index.as_slice();
        let mut at = self.first(page);
        loop {
            let word = words.get(usize::try_from(at).ok()?)?.load(Ordering::Acquire);
            if word == 0 {
                return None;
            }
            if word >> SLOT_BITS == page {
                let slot = word & u64::from(SLOTS_MAX);
                return if slot == GONE { None } else { Some(slot.wrapping_mul(self.page_size.into())) };
            }
            at = at.wrapping_add(1) & self.mask;
        }
    }

    /// Where the search for a page begins. Spread by the golden ratio (Knuth, volume 3, 6.4).
    #[inline]
    const fn first(&self, page: u64) -> u64 {
        let spread = page.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (spread ^ (spread >> 32)) & self.mask
    }

    /// Notes where page `page` is. Whether the index has not had this number before.
    fn set(&self, page: u64, slot: u64) -> bool {
        let words = self.index.as_slice();
        let mut at = self.first(page);
        loop {
            let Some(place) = usize::try_from(at).ok().and_then(|at| words.get(at)) else { return false };
            let word = place.load(Ordering::Relaxed);
            if word == 0 || word >> SLOT_BITS == page {
                // Release: whoever finds the page here finds its bytes.
                place.store((page << SLOT_BITS) | slot, Ordering::Release);
                return word == 0;
            }
            at = at.wrapping_add(1) & self.mask;
        }
    }

    fn clear(&self) {
        self.index.as_slice().iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }
}

/// A share of a generation, or a reference to it.
#[derive(Debug)]
enum Held<'g> {
    Borrowed(&'g Generation),
    Shared(Arc<Generation>),
}

impl Deref for Held<'_> {
    type Target = Generation;

    #[inline]
    fn deref(&self) -> &Generation {
        match self {
            Self::Borrowed(generation) => generation,
            Self::Shared(generation) => generation,
        }
    }
}

/// A generation that a transaction looks into.
#[derive(Debug)]
struct Layer<'g> {
    generation: Held<'g>,
    arena: View<'g>,
}

/// The pages in memory as a transaction sees them.
#[derive(Debug)]
pub(crate) struct ResidentView<'g> {
    newest: Layer<'g>,
    /// What a checkpoint is about to write, or was when the state was made. What the newest has is in place of it.
    older: Option<Layer<'g>>,
}

impl<'g> ResidentView<'g> {
    #[inline]
    pub(crate) fn of(newest: &'g Generation, older: Option<&'g Generation>) -> Self {
        let layer = |generation: &'g Generation| Layer {
            arena: generation.arena.view(),
            generation: Held::Borrowed(generation),
        };
        Self { newest: layer(newest), older: older.map(layer) }
    }
}

impl ResidentView<'static> {
    pub(crate) fn shared(newest: Arc<Generation>, older: Option<Arc<Generation>>) -> Self {
        let layer = |generation: Arc<Generation>| Layer {
            arena: generation.arena.view_owned(),
            generation: Held::Shared(generation),
        };
        Self { newest: layer(newest), older: older.map(layer) }
    }
}

impl ResidentView<'_> {
    /// The memory that has page `page`, and where in it, in bytes; none if the page is to be read from the file.
    #[inline]
    pub(crate) fn find(&self, page: u64) -> Option<(&View<'_>, u64)> {
        self.newest.find(page).or_else(|| self.older.as_ref()?.find(page))
    }
}

impl Layer<'_> {
    #[inline]
    fn find(&self, page: u64) -> Option<(&View<'_>, u64)> {
        self.generation.find(page).map(|at| (&self.arena, at))
    }
}

/// An image in the arena.
#[derive(Clone, Copy, Debug)]
struct Image {
    slot: u32,
    pages: u32,
}

impl Image {
    fn bytes<'v>(self, arena: &'v View<'_>, page_size: u32) -> Option<&'v [u8]> {
        let size = u64::from(page_size);
        let len = usize::try_from(u64::from(self.pages).saturating_mul(size)).ok()?;
        arena.bytes(u64::from(self.slot).saturating_mul(size), len)
    }
}

/// The images of a generation that a checkpoint is to write, in page order.
#[derive(Debug)]
pub(crate) struct Frozen {
    generation: Arc<Generation>,
    images: Vec<(u64, Image)>,
}

impl Frozen {
    pub(crate) const fn len(&self) -> usize {
        self.images.len()
    }

    /// First page and bytes of up to `count` images, from number `from` on.
    pub(crate) fn part<'v>(&self, arena: &'v View<'_>, from: usize, count: usize) -> Vec<(u64, &'v [u8])> {
        let part = self.images.iter().skip(from).take(count);
        let images: Vec<_> = part
            .clone()
            .filter_map(|(page, image)| Some((*page, image.bytes(arena, self.generation.page_size)?)))
            .collect();
        assert_eq!(images.len(), part.len(), "the arena has what is noted to be in it");
        images
    }

    /// The arena, for [`part`](Self::part).
    pub(crate) fn view(&self) -> View<'static> {
        self.generation.arena.view_owned()
    }
}

/// What the writer knows of the generation that commits fill.
#[derive(Debug)]
pub(crate) struct Resident {
    generation: Arc<Generation>,
    /// By first page. No two overlap.
    images: BTreeMap<u64, Image>,
    /// The first place that was never used.
    next: u32,
    /// Places of single pages to be used again.
    free: Vec<u32>,
    /// Page numbers that the index has ever had: it never forgets one.
    numbers: u32,
}

impl Resident {
    /// Begins to fill a generation that no reader is in.
    pub(crate) fn begin(generation: Arc<Generation>) -> Self {
        generation.clear();
        Self { generation, images: BTreeMap::new(), next: 1, free: Vec::new(), numbers: 0 }
    }

    fn pages(&self, bytes: &[u8]) -> u32 {
        let pages = (bytes.len() as u64).div_ceil(self.generation.page_size.into());
        u32::try_from(pages).unwrap_or(u32::MAX)
    }

    /// Whether there is memory for these images, whatever is in it now.
    pub(crate) fn has_room<'a>(&self, images: impl Iterator<Item = (u64, &'a [u8])>) -> bool {
        let (mut singles, mut runs, mut numbers) = (0u32, 0u32, self.numbers);
        for (page, bytes) in images {
            if page >> (u64::BITS.saturating_sub(SLOT_BITS)) != 0 {
                return false;
            }
            numbers = numbers.saturating_add(1);
            match self.pages(bytes) {
                1 => singles = singles.saturating_add(1),
                pages => runs = runs.saturating_add(pages),
            }
        }
        let fresh = self.generation.slots.saturating_add(1).saturating_sub(self.next);
        let free = u32::try_from(self.free.len()).unwrap_or(u32::MAX);
        runs <= fresh
            && singles <= free.saturating_add(fresh.saturating_sub(runs))
            && u64::from(numbers) <= self.generation.mask.saturating_mul(3).div_euclid(4)
    }

    /// Takes in the image of page `page`, `bytes`. Whatever memory had of the pages that it covers is out of date and goes:
    /// their numbers are used again, so nobody sees it.
    ///
    /// # Errors
    /// None while there is [room](Self::has_room).
    pub(crate) fn insert(&mut self, page: u64, bytes: &[u8]) -> Result<()> {
        let pages = self.pages(bytes);
        let kept = self.images.get(&page).filter(|image| image.pages == pages).copied();
        let slot = if let Some(image) = kept {
            image.slot
        } else {
            self.forget(page, pages.into());
            self.place(pages)
        };
        assert!(slot > 0 && slot.saturating_add(pages) <= self.generation.slots.saturating_add(1), "there is room");
        let at = u64::from(slot).saturating_mul(self.generation.page_size.into());
        self.generation.arena.write_at(at, &[IoSlice::new(bytes)])?;
        self.images.insert(page, Image { slot, pages });
        let new = self.generation.set(page, slot.into());
        self.numbers = self.numbers.saturating_add(new.into());
        debug_assert_eq!(self.generation.find(page), Some(at), "what is taken in is found");
        Ok(())
    }

    fn place(&mut self, pages: u32) -> u32 {
        if let Some(slot) = self.free.pop_if(|_| pages == 1) {
            return slot;
        }
        let slot = self.next;
        self.next = self.next.saturating_add(pages);
        slot
    }

    /// Memory no longer has anything of the `pages` pages from `page` on. No state that somebody may see has them.
    pub(crate) fn forget(&mut self, page: u64, pages: u64) {
        let end = page.saturating_add(pages);
        while let Some((&first, &image)) = self.images.range(..end).next_back() {
            if first.saturating_add(image.pages.into()) <= page {
                break;
            }
            self.images.remove(&first);
            self.generation.set(first, GONE);
            self.free.extend(image.slot..image.slot.saturating_add(image.pages));
            debug_assert_eq!(self.generation.find(first), None, "what has gone is not found");
        }
    }

    /// First page and bytes of each image of which `is_in_use` says that the newest state has it, in page order.
    pub(crate) fn in_use<'v>(
        &self,
        view: &'v View<'_>,
        is_in_use: impl Fn(u64) -> bool,
    ) -> impl Iterator<Item = (u64, &'v [u8])> {
        let size = self.generation.page_size;
        let in_use = self.images.iter().filter(move |(page, _)| is_in_use(**page));
        in_use.filter_map(move |(&page, image)| Some((page, image.bytes(view, size)?)))
    }

    /// Bytes of memory in use, also for images that nobody needs any more.
    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.next.saturating_sub(1)).saturating_mul(self.generation.page_size.into())
    }

    /// Whether `parts` of `of` equal parts of the memory are in use, or of the numbers that the index has room for.
    pub(crate) fn is_filled(&self, parts: u64, of: u64) -> bool {
        // Places that are free again are for single pages alone.
        let used = u64::from(self.next.saturating_sub(1));
        let numbers = self.generation.mask.saturating_mul(3).div_euclid(4);
        let filled = |used: u64, all: u64| used.saturating_mul(of) >= all.saturating_mul(parts);
        filled(used, self.generation.slots.into()) || filled(self.numbers.into(), numbers)
    }

    /// Nothing is taken in any more. What is left are the images of which `is_in_use` says that the newest state has them.
    pub(crate) fn freeze(self, is_in_use: impl Fn(u64) -> bool) -> Frozen {
        let images = self.images.into_iter().filter(|&(page, _)| is_in_use(page)).collect();
        Frozen { generation: self.generation, images }
    }

    /// The arena, for [`in_use`](Self::in_use).
    pub(crate) fn view(&self) -> View<'static> {
        self.generation.arena.view_owned()
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail by panicking"
)]
mod tests {
    use kv_testkit::Random;

    use super::*;

    const PAGE: u32 = 1024;

    fn bytes(pages: usize, fill: u8) -> Vec<u8> {
        vec![fill; pages * PAGE as usize]
    }

    /// What a reader finds of a page, by its first byte.
    fn found(view: &ResidentView<'_>, page: u64) -> Option<u8> {
        view.find(page).map(|(arena, at)| arena.bytes(at, 1).unwrap()[0])
    }

    #[test]
    fn beside_a_map() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let generation = Arc::new(Generation::new(64, PAGE).unwrap());
            let mut resident = Resident::begin(Arc::clone(&generation));
            let view = ResidentView::of(&generation, None);
            // By first page: how many there are, and what is in them.
            let mut model: BTreeMap<u64, (usize, u8)> = BTreeMap::new();
            for step in 0..100u8 {
                let page = 2 + random.below_u64(40);
                let pages = if random.one_in(4) { 2 + random.below(3) } else { 1 };
                let image = bytes(pages, step);
                let end = page + pages as u64;
                let forgets = random.one_in(5);
                if !forgets && !resident.has_room([(page, &image[..])].into_iter()) {
                    break;
                }
                model.retain(|&first, (len, _)| first >= end || first + *len as u64 <= page);
                if forgets {
                    resident.forget(page, pages as u64);
                } else {
                    resident.insert(page, &image).unwrap();
                    model.insert(page, (pages, step));
                }
                for page in 0..50 {
                    assert_eq!(found(&view, page), model.get(&page).map(|(_, fill)| *fill), "seed {seed}, page {page}");
                }
                let arena = resident.view();
                let all: Vec<_> =
                    resident.in_use(&arena, |_| true).map(|(page, image)| (page, image.to_vec())).collect();
                let expected = model.iter().map(|(&page, &(len, fill))| (page, bytes(len, fill)));
                assert_eq!(all, expected.collect::<Vec<_>>(), "seed {seed}");
            }
        }
    }

    #[test]
    fn a_page_that_a_longer_run_covers_leaves_memory() {
        let generation = Arc::new(Generation::new(64, PAGE).unwrap());
        let mut resident = Resident::begin(Arc::clone(&generation));
        resident.insert(11, &bytes(1, 1)).unwrap();
        resident.insert(10, &bytes(3, 2)).unwrap();
        let arena = resident.view();
        let all: Vec<u64> = resident.in_use(&arena, |_| true).map(|(page, _)| page).collect();
        assert_eq!(all, [10], "a checkpoint writes the run, and nothing over it");
        assert_eq!(found(&ResidentView::of(&generation, None), 11), None);
    }

    #[test]
    fn a_full_arena_has_no_room() {
        let generation = Arc::new(Generation::new(64, PAGE).unwrap());
        let mut resident = Resident::begin(generation);
        let image = bytes(1, 1);
        for page in 2..66 {
            assert!(resident.has_room([(page, &image[..])].into_iter()), "page {page}");
            resident.insert(page, &image).unwrap();
        }
        assert!(!resident.has_room([(70, &image[..])].into_iter()));
        assert!(!resident.has_room([(1 << 41, &image[..])].into_iter()), "a number that the index has no room for");
        resident.forget(5, 1);
        assert!(resident.has_room([(70, &image[..])].into_iter()));
        assert!(!resident.has_room([(70, &bytes(2, 1)[..])].into_iter()), "places of single pages are no run");
    }
}
