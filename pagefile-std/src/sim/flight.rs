//! The sectors in flight at the end of an epoch.

use std::ops::Range;

use super::epoch::{Epoch, Write, index};

/// What a disk writes as a whole, in bytes: the unit that a power cut keeps or loses.
pub const SECTOR: usize = 512;

/// What one write would do to one sector, or to the part of it that it covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sector {
    /// Which write of the epoch.
    pub(super) write: usize,
    /// First byte, in the disk.
    pub(super) start: usize,
    /// Bytes, at most [`SECTOR`].
    pub(super) len: usize,
}

impl Sector {
    /// The first `len` bytes that the write puts here.
    pub(super) fn bytes<'e>(&self, epoch: &'e Epoch, len: usize) -> &'e [u8] {
        assert!(len <= self.len, "a sector in flight has no more bytes than its write covers");
        let write = &epoch.writes[self.write];
        let start = self.start - write.start_index();
        &write.bytes[start..start + len]
    }

    /// Whether it differs from what is durable, or from what an earlier write in flight put there.
    fn changes_something(&self, epoch: &Epoch) -> bool {
        let end = self.start + self.len;
        let overlaps = |earlier: &Write| earlier.start_index() < end && self.start < index(earlier.end());
        epoch.durable().get(self.start..end) != Some(self.bytes(epoch, self.len))
            || epoch.writes[..self.write].iter().any(overlaps)
    }
}

/// Everything in flight below a length, in the order written, without what would change nothing.
#[derive(Debug, Default)]
pub(super) struct Flight {
    pub(super) sectors: Vec<Sector>,
    /// The pages they belong to, as ranges of `sectors`: one for each write to a page.
    pub(super) pages: Vec<Range<usize>>,
}

impl Flight {
    pub(super) fn of(epoch: &Epoch, len: u64, page_size: usize) -> Flight {
        let len = index(len);
        let mut flight = Flight::default();
        for (number, write) in epoch.writes.iter().enumerate() {
            let end = index(write.end()).min(len);
            let mut start = write.start_index();
            while start < end {
                let page_end = end.min((start / page_size + 1) * page_size);
                flight.add_page(epoch, number, start..page_end);
                start = page_end;
            }
        }
        flight
    }

    /// Adds what a write does to these bytes of one page.
    fn add_page(&mut self, epoch: &Epoch, write: usize, bytes: Range<usize>) {
        let first = self.sectors.len();
        let mut start = bytes.start;
        while start < bytes.end {
            let end = bytes.end.min((start / SECTOR + 1) * SECTOR);
            assert!(start < end && end - start <= SECTOR, "a write is cut at every sector boundary");
            let sector = Sector { write, start, len: end - start };
            if sector.changes_something(epoch) {
                self.sectors.push(sector);
            }
            start = end;
        }
        if first < self.sectors.len() {
            self.pages.push(first..self.sectors.len());
        }
    }
}
