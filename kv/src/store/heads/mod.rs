//! What readers remember of the pages that they have searched: the heads of the keys, and the children.
//!
//! A search in a page waits for memory about five times: for the page's header, for its element table and for the keys
//! that the search compares. The *head* of a key, its first four bytes after the prefix that all keys of the page share,
//! decides nearly every comparison. Packed beside each other, the heads of a page lie in one or two cache lines, and
//! with the children beside them a branch page need not be touched at all.
//!
//! **Why it is never wrong.** The pages of a state do not change while a reader has it open. So what is remembered of a
//! page stays true until the page's number is used again, and then nobody reads the page any more. The commit
//! [forgets](Heads::forget) each page that it writes, before it writes the page.
//!
//! **Why nobody waits.** Each [`Frame`] is a sequence lock. A reader that finds a frame in change searches the page
//! itself. One that would fill a frame in change leaves it.

mod frame;
#[cfg(loom)]
mod interleavings;
mod pool;
mod summary;

pub(crate) use frame::{Below, Narrowed};
use freelist_core::PageId;
use pool::Pool;
use summary::summarize;

use crate::format::{Kind, Node};

/// Words of a branch's frame: with 24 bytes before them 1 KiB. Up to 125 children fit, with their page numbers.
const BRANCH_WORDS: usize = 250;

/// Words of a leaf's frame: with 24 bytes before them two cache lines, which processors fetch in pairs.
const LEAF_WORDS: usize = 26;

/// One part in so many of the memory is for branches. A branch has as many children as a frame has place for about, but
/// few of the page numbers between those of branches are branches.
const BRANCHES: usize = 8;

/// The heads of the pages of one database, shared by its readers.
#[derive(Debug)]
pub(crate) struct Heads {
    /// Few pages of the file are branches: their numbers are spread by a hash, and four pages share a set.
    branches: Pool<BRANCH_WORDS, 4>,
    /// Most pages of the file are leaves: with enough frames for the file each has its own.
    leaves: Pool<LEAF_WORDS, 1>,
}

impl Heads {
    /// Takes at most `bytes` of memory, as pages are searched.
    pub(crate) fn new(bytes: usize) -> Self {
        let for_branches = bytes.checked_div(BRANCHES).unwrap_or(0);
        let heads = Self { branches: Pool::new(for_branches), leaves: Pool::new(bytes.saturating_sub(for_branches)) };
        debug_assert!(heads.capacity() <= bytes, "no more memory than allowed");
        heads
    }

    /// What is remembered of where `key` is in `page`. `below` is what its parent says of its kind.
    #[inline]
    pub(crate) fn narrow(&self, page: PageId, key: &[u8], below: Below) -> Option<Narrowed> {
        let branch = if below == Below::Leaves { None } else { self.branches.narrow(page.get(), key) };
        if branch.is_some() || below == Below::Branches { branch } else { self.leaves.narrow(page.get(), key) }
    }

    /// Touches what is remembered of `page`, so that it is near when it is needed.
    #[inline]
    pub(crate) fn touch_leaf(&self, page: PageId) -> u64 {
        self.leaves.touch(page.get())
    }

    /// Remembers `node`, which is `page` and takes `pages` pages. `below` tells whether its children are leaves.
    pub(crate) fn remember(&self, page: PageId, pages: u64, node: &Node<'_>, below: impl FnOnce(u64) -> Below) {
        assert!(page.get() >= 2, "the metas have no heads");
        match node {
            Node::Branch(_) => self.branches.remember(page.get(), || summarize(node, pages, below)),
            Node::Leaf(_) => self.leaves.remember(page.get(), || summarize(node, pages, below)),
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
