//! The redo log's place in the file: a span of pages, written round and round.
//!
//! ```text
//!   |  units that a checkpoint has made needless  |  units to be replayed  |  to be written next  |
//!   0                                             tail                     head                    length of the span
//! ```
//! Positions only rise; the remainder by the span's length is the place. A unit that reaches the end of the span goes on at its
//! beginning. What is between tail and head is never written over.

mod read;

use std::io::IoSlice;

use pagefile_std::PageStore;

use crate::error::Result;
use crate::format::{LogStart, UNIT_HEAD, seal_unit};
pub(crate) use read::read_units;

/// Units of the smallest size that a log has room for at least.
const LOG_UNITS_MIN: u64 = 8;

/// Bytes of a log at most: so much has to be read after a crash.
const LOG_MAX: u64 = 1 << 30;

/// Bytes that a unit is filled up to a multiple of, where pages are smaller: disks and page caches write no less.
const BLOCK: u64 = 4096;

/// The share of the log that one unit may take.
const UNIT_SHARE: u64 = 4;

/// The log of an open file.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    /// Where the next unit goes, and what it is chained to.
    head: LogStart,
    tail: u64,
    page_size: u32,
}

/// A unit, ready to be written.
#[derive(Debug)]
pub(crate) struct Unit {
    bytes: Vec<u8>,
    /// The two places that it goes to, in bytes of the file, and where the second part begins.
    at: u64,
    rest_at: u64,
    cut: usize,
    next: LogStart,
}

impl Ring {
    /// A log of which everything before `start` is in a checkpoint.
    pub(crate) fn new(start: LogStart, page_size: u32) -> Self {
        assert!(Self::can_be(start, page_size), "a log has room for a few units, which are whole blocks");
        Self { head: start, tail: start.position, page_size }
    }

    /// Whether a log can lie where `start` says, which a file may have made up.
    pub(crate) const fn can_be(start: LogStart, page_size: u32) -> bool {
        let (block, len) = (block(page_size), length(start, page_size));
        let whole = len.is_multiple_of(block) && start.position.is_multiple_of(block);
        whole && len >= block.saturating_mul(LOG_UNITS_MIN) && len <= LOG_MAX
    }

    /// The bytes that a log takes which is to have `wanted`.
    pub(crate) fn bytes_for(wanted: u64, page_size: u32) -> u64 {
        let block = block(page_size);
        wanted.clamp(block.saturating_mul(LOG_UNITS_MIN), LOG_MAX).div_ceil(block).saturating_mul(block)
    }

    const fn block(&self) -> u64 {
        block(self.page_size)
    }

    /// Where in the log `position` lies.
    fn place(&self, position: u64) -> u64 {
        position.checked_rem(self.bytes()).unwrap_or(0)
    }

    fn bytes(&self) -> u64 {
        length(self.head, self.page_size)
    }

    /// Where the next unit goes: what the meta of a checkpoint says that has everything so far.
    pub(crate) const fn head(&self) -> LogStart {
        self.head
    }

    /// Fills the log with zeros: the blocks are there then, and a durable write has nothing else to wait for.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn clear(&self, store: &dyn PageStore) -> Result<()> {
        // No larger, as all writes: see `write_runs`.
        const PIECE: u64 = 64 << 10;
        let zeros = vec![0; usize::try_from(self.bytes().min(PIECE)).unwrap_or(0)];
        let (mut at, begin) = (0u64, self.head.first_page.saturating_mul(self.page_size.into()));
        while at < self.bytes() {
            let len = PIECE.min(self.bytes().saturating_sub(at));
            let piece = zeros.get(..usize::try_from(len).unwrap_or(0)).unwrap_or_default();
            assert!(!piece.is_empty(), "each piece brings the end nearer");
            store.write_at(begin.saturating_add(at), &[IoSlice::new(piece)])?;
            at = at.saturating_add(len);
        }
        Ok(())
    }

    /// Whether there are units that no checkpoint has made needless.
    pub(crate) const fn has_units(&self) -> bool {
        self.head.position > self.tail
    }

    /// Bytes that one unit can take, filled up.
    fn longest_unit(&self) -> u64 {
        self.bytes().div_euclid(self.block().saturating_mul(UNIT_SHARE)).saturating_mul(self.block())
    }

    /// Bytes of records that one unit can have.
    pub(crate) fn longest_record(&self) -> usize {
        usize::try_from(self.longest_unit()).unwrap_or(usize::MAX).saturating_sub(UNIT_HEAD)
    }

    /// Bytes of the log that a unit of `len` bytes takes, head and records.
    pub(crate) const fn filled(&self, len: u64) -> u64 {
        len.div_ceil(self.block()).saturating_mul(self.block())
    }

    /// Whether units that take `bytes` together go behind those that are there, before the next checkpoint.
    pub(crate) const fn has_room(&self, bytes: u64) -> bool {
        let used = self.head.position.saturating_sub(self.tail);
        used.saturating_add(bytes) <= length(self.head, self.page_size)
    }

    /// Whether units that take `bytes` together, and those that are there, take `parts` of `of` equal parts of the log.
    pub(crate) const fn is_filled(&self, bytes: u64, parts: u64, of: u64) -> bool {
        let used = self.head.position.saturating_sub(self.tail).saturating_add(bytes);
        used.saturating_mul(of) >= length(self.head, self.page_size).saturating_mul(parts)
    }

    /// The buffer of a unit: its records come behind what is there.
    pub(crate) fn begin_unit() -> Vec<u8> {
        vec![0; UNIT_HEAD]
    }

    /// The unit whose records stand in `bytes`; none if the log has no room for it before the next checkpoint.
    pub(crate) fn unit(&self, mut bytes: Vec<u8>) -> Option<Unit> {
        if bytes.len().saturating_sub(UNIT_HEAD) > self.longest_record() {
            return None;
        }
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let len = self.filled(bytes.len() as u64);
        let end = self.head.position.checked_add(len)?;
        if !self.has_room(len) {
            return None;
        }
        let chain = seal_unit(&mut bytes, self.head);
        bytes.resize(usize::try_from(len).ok()?, 0);
        let offset = self.place(self.head.position);
        let cut = usize::try_from(self.bytes().saturating_sub(offset).min(len)).ok()?;
        let rest_at = self.head.first_page.saturating_mul(self.page_size.into());
        let next = LogStart { position: end, chain, ..self.head };
        Some(Unit { bytes, at: rest_at.saturating_add(offset), rest_at, cut, next })
    }

    /// The unit is durable.
    pub(crate) fn advance(&mut self, unit: &Unit) {
        assert!(unit.next.position > self.head.position, "positions only rise");
        assert_eq!(unit.next.epoch, self.head.epoch, "a log is of one life of its file");
        self.head = unit.next;
        assert!(self.head.position.saturating_sub(self.tail) <= self.bytes(), "no unit lies on one that is needed");
    }

    /// A checkpoint with everything before `position` is durable.
    pub(crate) fn release(&mut self, position: u64) {
        assert!(position <= self.head.position, "a checkpoint has no more than was written");
        assert!(self.tail <= position, "a checkpoint has more than the one before it");
        self.tail = position;
    }
}

impl Unit {
    /// The parts, each with its place in the file: one, or two where it goes on at the beginning of the log.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let (first, rest) = self.bytes.split_at_checked(self.cut).unwrap_or((&self.bytes, &[]));
        debug_assert!(!first.is_empty(), "a unit begins inside the log");
        [(self.at, first), (self.rest_at, rest)].into_iter().filter(|(_, part)| !part.is_empty())
    }

    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// Bytes of the log's span.
const fn length(start: LogStart, page_size: u32) -> u64 {
    start.pages.saturating_mul(page_size as u64)
}

/// The bytes of which a unit is a multiple.
const fn block(page_size: u32) -> u64 {
    if BLOCK > page_size as u64 { BLOCK } else { page_size as u64 }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may fail by panicking"
)]
mod tests;
