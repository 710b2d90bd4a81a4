//! The link from a parent to its child: a page of the file, or a node in the memory of a write transaction.

use freelist_core::PageId;

/// The bit that no page number of a file can have: a file would be 2^63 pages long.
const IN_MEMORY: u64 = 1 << 63;

/// The address of a child in a branch element or a bucket header.
///
/// In the file it is always a page number. In the nodes that a write transaction has changed it may also be a
/// [`Slot`]; the commit turns those into page numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Link(u64);

/// The index of a changed node in its transaction's [`WriteSet`](super::WriteSet).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Slot(u32);

impl Slot {
    /// The slot with this index.
    #[allow(clippy::expect_used, reason = "2^32 nodes of the smallest page are 4 TiB of memory")]
    pub(crate) fn at(index: usize) -> Self {
        Self(u32::try_from(index).expect("2^32 nodes do not fit into memory"))
    }

    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl Link {
    pub(crate) const fn page(id: PageId) -> Self {
        Self(id.get() & !IN_MEMORY)
    }

    pub(crate) const fn to_slot(slot: Slot) -> Self {
        Self(slot.0 as u64 | IN_MEMORY)
    }

    pub(crate) const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    pub(crate) const fn raw(self) -> u64 {
        self.0
    }

    /// The slot, if this names a node in memory.
    #[inline]
    pub(crate) fn slot(self) -> Option<Slot> {
        if self.0 & IN_MEMORY == 0 { None } else { u32::try_from(self.0 & !IN_MEMORY).ok().map(Slot) }
    }

    #[inline]
    pub(crate) const fn in_memory(self) -> bool {
        self.0 & IN_MEMORY != 0
    }

    /// The page number for messages; 0 for a node that has none yet.
    pub(crate) const fn page_id(self) -> PageId {
        PageId::new(if self.in_memory() { 0 } else { self.0 })
    }
}
