//! A set of page numbers, a bit for each page.

/// Pages that one block of bits covers: 1 KiB of bits.
const BLOCK_PAGES: u64 = 1 << 13;

/// Words of one block.
const BLOCK_WORDS: usize = (BLOCK_PAGES / 64) as usize;

const _: () = assert!(BLOCK_WORDS as u64 * 64 == BLOCK_PAGES, "a block has a bit for each of its pages");

/// Pages of one file. Memory follows the parts of the file that have members: a walk over a small bucket of a large
/// file costs little.
#[derive(Debug)]
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
    pub(crate) fn add_all(&mut self, first: u64, pages: u64) -> Option<u64> {
        let mut found = None;
        for page in first..first.saturating_add(pages) {
            if !self.add(page) {
                found = found.or(Some(page));
            }
        }
        found
    }
}

/// Block, word in it and bit in that.
fn position(page: u64) -> (usize, usize, u64) {
    let block = usize::try_from(page / BLOCK_PAGES).unwrap_or(usize::MAX);
    (block, (page % BLOCK_PAGES / 64) as usize, 1 << (page % 64))
}

#[cfg(test)]
mod tests {
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
}
