//! What readers remember of the pages that they have searched: the heads of the keys, and the children.
//!
//! A search in a page waits for memory about five times: for the page's header, for its element table and for the keys
//! that the search compares. The *head* of a key, a few of its bits after the prefix that all keys of the page share,
//! decides nearly every comparison. Packed beside each other, the heads of a leaf lie in one or two cache lines, and
//! with the children beside them a branch page need not be touched at all.
//!
//! **Why it is never wrong.** The pages of a state do not change while a reader has it open. So what is remembered of a
//! page stays true until the page's number is used again, and then nobody reads the page any more. The commit
//! [forgets](Heads::forget) each page that it writes, before it writes the page.
//!
//! **Why nobody waits.** Each [`Frame`] is a sequence lock. A reader that finds a frame in change searches the page
//! itself. One that would fill a frame in change leaves it.

mod branch;
mod columns;
mod frame;
#[cfg(loom)]
mod interleavings;
mod lanes;
mod leaf;
mod pool;

use freelist_core::PageId;
use pool::Pool;

use crate::format::{Header, Kind, Node};

/// Words of a branch's frame: 1 KiB. Up to 112 children fit, with their page numbers.
const BRANCH_WORDS: usize = 128;

/// Words of a leaf's frame: two cache lines. Up to 24 elements fit, with their places.
const LEAF_WORDS: usize = 16;

/// Words of a frame that are for what is remembered.
const BRANCH_CONTENT: usize = BRANCH_WORDS - frame::HEADER;
const LEAF_CONTENT: usize = LEAF_WORDS - frame::HEADER;

/// One part in so many of the memory is for branches. A branch has as many children as a frame has place for about, but
/// few of the page numbers between those of branches are branches.
const BRANCHES: usize = 8;

/// The kind of the pages below a branch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Below {
    Unknown,
    Branches,
    Leaves,
}

/// Where a key is in a page: behind all elements before `low`, and before all from `high` on. Of a leaf this is so only if
/// the key shares the prefix that all keys of the leaf share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Narrowed {
    pub(crate) low: usize,
    pub(crate) high: usize,
    /// The header of the page.
    pub(crate) header: Header,
    /// The page of the child that the key leads to, where that is remembered.
    pub(crate) child: Option<u64>,
    /// Where in a leaf the key and the value of element `low` are, where that is remembered; else empty.
    pub(crate) data: (usize, usize),
    pub(crate) below: Below,
}

/// The heads of the pages of one database, shared by its readers.
#[derive(Debug)]
pub(crate) struct Heads {
    /// Few pages of the file are branches: their numbers are spread by a hash, and four pages share a set.
    branches: Pool<BRANCH_WORDS, BRANCH_CONTENT, 4>,
    /// Most pages of the file are leaves: with enough frames for the file each has its own.
    leaves: Pool<LEAF_WORDS, LEAF_CONTENT, 1>,
}

impl Heads {
    /// Takes at most `bytes` of memory, as pages are searched. None if there is no room for one page, or no memory.
    pub(crate) fn new(bytes: usize) -> Option<Self> {
        let for_branches = bytes.checked_div(BRANCHES)?;
        let heads = Self { branches: Pool::new(for_branches)?, leaves: Pool::new(bytes.saturating_sub(for_branches))? };
        debug_assert!(heads.capacity() <= bytes, "no more memory than allowed");
        Some(heads)
    }

    /// What is remembered of where `key` is in `page`. `below` is what its parent says of its kind.
    #[inline]
    pub(crate) fn narrow(&self, page: PageId, key: &[u8], below: Below) -> Option<Narrowed> {
        if below != Below::Leaves {
            let branch =
                self.branches.read(page.get(), |shape, content| branch::search(shape, content, page.get(), key));
            if branch.is_some() || below == Below::Branches {
                return branch;
            }
        }
        self.leaves.read(page.get(), |shape, content| leaf::search(shape, content, page.get(), key))
    }

    /// Child `index` of the branch `page`, if it is remembered that there is one.
    #[inline]
    pub(crate) fn child(&self, page: PageId, index: usize) -> Option<u64> {
        self.branches.read(page.get(), |shape, content| branch::child(shape, content, index))
    }

    /// Reads what is remembered of the leaf `page`, one word of each cache line.
    #[inline]
    pub(crate) fn touch_leaf(&self, page: PageId) -> u64 {
        self.leaves.touch(page.get())
    }

    /// Has what is remembered of the leaf `page` brought near.
    #[inline]
    pub(crate) fn prefetch_leaf(&self, page: PageId) {
        self.leaves.prefetch(page.get());
    }

    /// Remembers `node`, which is `page` and takes `pages` pages. `below` tells whether its children are leaves.
    pub(crate) fn remember(&self, page: PageId, pages: u64, node: &Node<'_>, below: impl FnOnce(u64) -> Below) {
        assert!(page.get() >= 2, "the metas have no heads");
        match node {
            Node::Branch(branch) => self.branches.remember(page.get(), || branch::summarize(branch, pages, below)),
            Node::Leaf(leaf) => self.leaves.remember(page.get(), || leaf::summarize(leaf, pages)),
        }
    }

    /// Forgets `page`, whose number is about to be used again. No reader may see the page any more. O(1).
    pub(crate) fn forget(&self, page: u64) {
        self.branches.forget(page);
        self.leaves.forget(page);
        debug_assert!(!self.knows(page), "what is forgotten is not remembered");
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> usize {
        self.branches.used().saturating_add(self.leaves.used())
    }

    fn capacity(&self) -> usize {
        self.branches.capacity().saturating_add(self.leaves.capacity())
    }

    fn knows(&self, page: u64) -> bool {
        self.branches.knows(page) || self.leaves.knows(page)
    }
}

/// Whether a page of this kind has leaves below it, or is one.
pub(crate) const fn below(kind: Option<Kind>) -> Below {
    match kind {
        Some(Kind::Leaf) => Below::Leaves,
        Some(Kind::Branch) => Below::Branches,
        _ => Below::Unknown,
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
