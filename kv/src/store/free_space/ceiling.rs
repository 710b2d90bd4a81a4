//! What a file that shrinks asks of the free space: pages below a ceiling first, and the end of the file given back.

use freelist_core::{AllocError, PageId};

use super::FreeSpace;
use crate::error::Result;

/// A ceiling above every page: none.
pub(crate) const NO_CEILING: u64 = u64::MAX;

impl FreeSpace {
    /// The pages that are not free: those of states, pending ones, and the metas. O(1).
    pub(crate) fn occupied_pages(&self) -> u64 {
        let (planned, free) = (self.planned_high_water(), self.free_pages());
        assert!(free < planned, "the metas are not free");
        planned.saturating_sub(free)
    }

    /// Moves the ceiling towards page `to`, past at most `spans` free spans. Whether it is there. Pages below it are handed
    /// out first; long runs of pages only if there are none as long.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn move_ceiling(&mut self, to: u64, spans: usize) -> Result<bool> {
        Ok(self.allocator.list_mut().spans_mut().move_ceiling(PageId::new(to), spans)?)
    }

    pub(super) fn has_ceiling(&self) -> bool {
        self.allocator.list().spans().ceiling().get() != NO_CEILING
    }

    /// Free pages below the ceiling, and the longest span of them. O(1).
    pub(crate) fn room_below_ceiling(&self) -> (u64, u64) {
        self.allocator.list().spans().room_below()
    }

    /// Pages from the ceiling on that are not free: what has to move before the file can end at the ceiling. O(1).
    pub(crate) fn occupied_above_ceiling(&self) -> u64 {
        let spans = self.allocator.list().spans();
        let above = self.planned_high_water().saturating_sub(spans.ceiling().get());
        assert!(spans.free_above() <= above, "free pages lie below the high-water mark");
        above.saturating_sub(spans.free_above())
    }

    /// Takes the free pages at the end of the file out of the free space, so that the next commit has a lower high-water
    /// mark. To be called between transactions. O(1) for each span.
    ///
    /// What is free is used by no pinned state. The metas in the file still have their marks, and the file its length.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn give_back_end(&mut self) -> Result<()> {
        assert!(self.in_progress.is_none(), "the end of the file moves between transactions");
        match self.allocator.shrink() {
            Ok(_) => {}
            Err(AllocError::Freelist(error)) => return Err(error.into()),
            Err(AllocError::Source(never)) => match never {},
        }
        assert!(self.planned_high_water() <= self.high_water, "giving back pages lowers the mark");
        self.high_water = self.planned_high_water();
        Ok(())
    }
}
