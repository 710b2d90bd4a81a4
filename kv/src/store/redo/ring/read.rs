//! Reading a log that a crash has left, a unit at a time.

use freelist_core::PageId;
use pagefile_std::PageStore;

use super::Ring;
use crate::error::{Error, Result};
use crate::format::{LogStart, UNIT_HEAD, UnitHead};

/// Reads the units from `start` on, up to the first that is not whole, and passes the records of each to `each`, in order.
/// Returns their bytes, filled up. O(bytes of the log); memory for one unit.
///
/// # Errors
/// - `Corrupt` if a unit does not follow the one before it, or one is newer than the end: what was durable is damaged, and the
///   log does not end there.
/// - Those of `each`, and of the store.
pub(crate) fn read_units(
    store: &dyn PageStore,
    start: LogStart,
    page_size: u32,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<u64> {
    let ring = Ring::new(start, page_size);
    let damaged = |what: &'static str| Error::Corrupt { page: PageId::new(start.first_page), what: what.into() };
    let (mut position, mut chain, mut looked_again) = (start.position, start.chain, false);
    let limit = start.position.saturating_add(ring.bytes());
    loop {
        let begin = position;
        while position < limit {
            let Some((head, unit)) = ring.read_unit(store, position, |head| head.position == position)? else { break };
            if head.chain != chain {
                return Err(damaged("a unit of the log does not follow the one before it"));
            }
            each(unit.get(UNIT_HEAD..).unwrap_or_default())?;
            chain = head.next_chain();
            position = position.saturating_add(head.len.div_ceil(ring.block()).saturating_mul(ring.block()));
        }
        if !ring.has_newer(store, position)? {
            return Ok(position.saturating_sub(start.position));
        }
        // Beside a program that writes, the unit at the end may have become whole since, and the newer one was written after
        // it. Otherwise nothing has come since the last look.
        if position == begin && looked_again {
            return Err(damaged("a unit of the log or a checkpoint is damaged, and newer units are there"));
        }
        looked_again = true;
    }
}

impl Ring {
    /// Whether there is a unit that was written after the one at `position`, where none is whole.
    ///
    /// One unit is written at a time, so none is newer than one that was not written whole. A whole lap newer is one after a
    /// checkpoint whose meta is damaged.
    fn has_newer(&self, store: &dyn PageStore, position: u64) -> Result<bool> {
        for place in (0..self.bytes()).step_by(usize::try_from(self.block()).unwrap_or(usize::MAX)) {
            let newer = |head: &UnitHead| head.position > position && self.place(head.position) == place;
            if self.read_unit(store, place, newer)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The head of the unit at `position` and its bytes, if it is a whole one of this epoch that is `wanted`.
    fn read_unit(
        &self,
        store: &dyn PageStore,
        position: u64,
        wanted: impl Fn(&UnitHead) -> bool,
    ) -> Result<Option<(UnitHead, Vec<u8>)>> {
        let mut bytes = vec![0; UNIT_HEAD];
        self.read_at(store, position, &mut bytes)?;
        let Some(head) = UnitHead::parse(&bytes).filter(wanted) else { return Ok(None) };
        if head.epoch != self.head.epoch || head.len < UNIT_HEAD as u64 || head.len > self.longest_unit() {
            return Ok(None);
        }
        bytes.resize(usize::try_from(head.len).unwrap_or(0), 0);
        self.read_at(store, position, &mut bytes)?;
        Ok(head.is_whole(&bytes).then_some((head, bytes)))
    }

    /// Reads from `position` on, at the end of the log from its beginning on.
    fn read_at(&self, store: &dyn PageStore, position: u64, into: &mut [u8]) -> Result<()> {
        let (begin, place) = (self.head.first_page.saturating_mul(self.page_size.into()), self.place(position));
        let cut = usize::try_from(self.bytes().saturating_sub(place)).unwrap_or(usize::MAX).min(into.len());
        let (first, rest) = into.split_at_mut(cut);
        debug_assert!(!first.is_empty(), "a unit begins inside the log");
        store.read_at(begin.saturating_add(place), first)?;
        if !rest.is_empty() {
            store.read_at(begin, rest)?;
        }
        Ok(())
    }
}
