//! A set of page numbers, a bit for each page.

use std::iter;

/// Pages that one block of bits covers: 1 KiB of bits.
const BLOCK_PAGES: u64 = 1 << 13;

/// Words of one block.
const BLOCK_WORDS: usize = (BLOCK_PAGES / 64) as usize;

const _: () = assert!(BLOCK_WORDS as u64 * 64 == BLOCK_PAGES, "a block has a bit for each of its pages");

/// Pages of one file. Memory follows the parts of the file that have members: a walk over a small bucket of a large
/// file costs little.
#[derive(Clone, Debug)]
pub(crate) struct PageSet {
    blocks: Vec<Option<Box<[u64; BLOCK_WORDS]>>>,
    end: u64,
}

impl PageSet {
    /// An empty set, for page numbers below `end`.
    pub(crate) fn new(end: u64) -> Self {
        let mut blocks = Vec::new();
        blocks.resize_with(usize::try_from(end.div_ceil(BLOCK_PAGES)).unwrap_or(0), || None);
        Self { blocks, end }
    }

    pub(crate) fn has(&self, page: u64) -> bool {
        let (block, word, bit) = position(page);
        let block = self.blocks.get(block).and_then(Option::as_ref);
        block.and_then(|block| block.get(word)).is_some_and(|word| word & bit != 0)
    }

    /// Adds a page; false if it was there already, or is not below the end.
    pub(crate) fn add(&mut self, page: u64) -> bool {
        if page >= self.end {
            return false;
        }
        let (block, word, bit) = position(page);
        let Some(block) = self.blocks.get_mut(block) else { return false };
        let Some(word) = block.get_or_insert_with(|| Box::new([0; BLOCK_WORDS])).get_mut(word) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Adds `pages` pages from `first` on; the first of them that was there already, or is not below the end.
    pub(crate) fn add_run(&mut self, first: u64, pages: u64) -> Option<u64> {
        let mut found = None;
        for page in first..first.saturating_add(pages) {
            if !self.add(page) {
                found = found.or(Some(page));
            }
        }
        found
    }

    /// Adds the pages of `other`, a set of the same file. Returns the first page that was there already, if any was.
    /// O(blocks).
    pub(crate) fn add_all(&mut self, other: Self) -> Option<u64> {
        assert_eq!(self.end, other.end, "both are sets of one file's pages");
        let mut shared = None;
        for (at, (mine, block)) in (0..).zip(self.blocks.iter_mut().zip(other.blocks)) {
            let Some(block) = block else { continue };
            let Some(mine) = mine else {
                *mine = Some(block);
                continue;
            };
            for (word, (mine, new)) in (0..).zip(mine.iter_mut().zip(*block)) {
                if shared.is_none() && *mine & new != 0 {
                    shared = Some(page_at(at, word, (*mine & new).trailing_zeros()));
                }
                *mine |= new;
            }
        }
        shared
    }

    /// The members as bits: bit `b` of word `n` is of page `64 n + b`.
    pub(crate) fn words(&self) -> impl Iterator<Item = u64> {
        let words = |block: &Option<Box<[u64; BLOCK_WORDS]>>| block.as_ref().map_or([0; BLOCK_WORDS], |block| **block);
        self.blocks.iter().flat_map(words)
    }

    /// The pages from 2 on that are not in the set, as bits: bit `b` of word `n` is of page `64 n + b`.
    pub(crate) fn absent(&self) -> impl Iterator<Item = u64> {
        let whole = usize::try_from(self.end / 64).unwrap_or(usize::MAX);
        let part = (1_u64 << (self.end % 64)).saturating_sub(1);
        let below = iter::repeat_n(u64::MAX, whole).chain([part]);
        let metas = iter::once(3).chain(iter::repeat(0));
        self.words().zip(below).zip(metas).map(|((word, below), metas)| below & !word & !metas)
    }
}

/// The page of a bit of a word of a block.
fn page_at(block: u64, word: u64, bit: u32) -> u64 {
    block.saturating_mul(BLOCK_PAGES).saturating_add(word.saturating_mul(64)).saturating_add(bit.into())
}

/// Block, word in it and bit in that.
fn position(page: u64) -> (usize, usize, u64) {
    let block = usize::try_from(page / BLOCK_PAGES).unwrap_or(usize::MAX);
    (block, (page % BLOCK_PAGES / 64) as usize, 1 << (page % 64))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may fail by panicking")]
mod tests {
    use std::collections::BTreeSet;

    use freelist_core::{BitSpans, PageId, Span};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_is_added_once_and_only_below_the_end() {
        let mut set = PageSet::new(3 * BLOCK_PAGES + 5);
        let pages = [0, 1, 63, 64, BLOCK_PAGES - 1, BLOCK_PAGES, 3 * BLOCK_PAGES + 4];
        for page in pages {
            assert!(!set.has(page) && set.add(page) && set.has(page) && !set.add(page), "{page}");
        }
        let members = (0..4 * BLOCK_PAGES).filter(|&page| set.has(page));
        assert!(members.eq(pages));
        for page in [3 * BLOCK_PAGES + 5, 4 * BLOCK_PAGES, u64::MAX] {
            assert!(!set.add(page) && !set.has(page), "{page}");
        }
        assert!(!PageSet::new(0).add(0));
    }

    proptest! {
        /// Beside a set of numbers, with members near the edges of words and blocks.
        #[test]
        fn absent_pages_and_unions_are_those_of_a_set_of_numbers(
            end in 0..4 * BLOCK_PAGES,
            (one, two) in (members(), members()),
        ) {
            let [one, two] = [one, two].map(|set| set.into_iter().filter(|&page| page < end).collect::<BTreeSet<u64>>());
            let [mut first, second] = [&one, &two].map(|pages| {
                let mut set = PageSet::new(end);
                for &page in pages {
                    set.add(page);
                }
                set
            });
            prop_assert_eq!(first.add_all(second), one.intersection(&two).next().copied());
            let both: BTreeSet<u64> = one.union(&two).copied().collect();
            prop_assert!((0..end).all(|page| first.has(page) == both.contains(&page)));
            let pages = |words: Vec<u64>| -> BTreeSet<u64> {
                BitSpans::new(words).flat_map(Span::pages).map(PageId::get).collect()
            };
            prop_assert_eq!(pages(first.absent().collect()), (2..end).filter(|page| !both.contains(page)).collect());
            prop_assert_eq!(pages(first.words().collect()), both);
        }
    }

    fn members() -> impl Strategy<Value = BTreeSet<u64>> {
        let edge = (0..=4u64, prop::sample::select(vec![0, 64, 128, BLOCK_PAGES - 64]), 0..6u64);
        let near = edge.prop_map(|(block, word, bit)| (block * BLOCK_PAGES + word + bit).saturating_sub(3));
        let run = (0..4 * BLOCK_PAGES, 1..300u64).prop_map(|(start, len)| (start..start + len).collect::<Vec<u64>>());
        let some = prop_oneof![near.prop_map(|page| vec![page]), run];
        prop::collection::vec(some, 0..20).prop_map(|runs| runs.into_iter().flatten().collect())
    }
}
