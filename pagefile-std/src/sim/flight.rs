//! The sectors in flight at the end of an epoch, and one outcome for them.

use std::fmt;
use std::sync::Arc;

use super::SECTOR;
use super::epoch::{Epoch, Write, index};

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

/// Everything that is in flight below a length, in the order written: only what would change
/// something.
#[derive(Debug, Default)]
pub(super) struct Flight {
    pub(super) sectors: Vec<Sector>,
    /// The pages they belong to, as ranges of `sectors`: one for each write to a page.
    pub(super) pages: Vec<std::ops::Range<usize>>,
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
                let first = flight.sectors.len();
                while start < page_end {
                    let sector_end = page_end.min((start / SECTOR + 1) * SECTOR);
                    let sector = Sector { write: number, start, len: sector_end - start };
                    if changes_something(epoch, &sector) {
                        flight.sectors.push(sector);
                    }
                    start = sector_end;
                }
                if first < flight.sectors.len() {
                    flight.pages.push(first..flight.sectors.len());
                }
            }
        }
        flight
    }
}

/// Whether it differs from what is durable, or from what an earlier write in flight put there.
fn changes_something(epoch: &Epoch, sector: &Sector) -> bool {
    let new = epoch.bytes_of(sector, sector.len);
    let durable = epoch.durable.get(sector.start..sector.start + sector.len);
    let overlaps =
        |earlier: &Write| earlier.start_index() < sector.start + sector.len && sector.start < index(earlier.end());
    durable != Some(new) || epoch.writes[..sector.write].iter().any(overlaps)
}

/// One outcome of a power cut: the length, and which sectors in flight have reached the disk.
///
/// It belongs to its epoch. Its `Debug` form names the sectors kept by their place, and is the same
/// on every run.
#[derive(Clone)]
pub struct PowerCut {
    pub(super) len: u64,
    pub(super) garbage: bool,
    pub(super) kept: Kept,
    /// The last byte of this sector in flight to reach the disk, as (sector, bytes).
    pub(super) torn: Option<(usize, usize)>,
    pub(super) flight: Arc<Flight>,
}

impl PowerCut {
    /// Length of the image, in bytes.
    #[must_use]
    pub fn image_len(&self) -> u64 {
        self.len
    }

    /// How many sectors of those in flight have reached the disk, whole or torn.
    #[must_use]
    pub fn sectors_kept(&self) -> usize {
        self.kept().count()
    }

    /// The sectors kept, and how many bytes of each.
    pub(super) fn kept(&self) -> impl Iterator<Item = (&Sector, usize)> {
        self.flight.sectors.iter().enumerate().filter_map(|(number, sector)| match self.torn {
            Some((torn, bytes)) if torn == number => Some((sector, bytes)),
            _ => self.kept.has(number).then_some((sector, sector.len)),
        })
    }
}

impl fmt::Debug for PowerCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = if self.garbage { ", garbage past the durable end" } else { "" };
        write!(f, "PowerCut {{ {} bytes{rest}, kept of {}:", self.len, self.flight.sectors.len())?;
        for (sector, bytes) in self.kept() {
            write!(f, " {}+{bytes}", sector.start)?;
        }
        f.write_str(" }")
    }
}

/// A set of sectors in flight, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Kept(Vec<u64>);

impl Kept {
    pub(super) fn none(sectors: usize) -> Kept {
        Kept(vec![0; sectors.div_ceil(64)])
    }

    pub(super) fn has(&self, sector: usize) -> bool {
        self.0[sector / 64] >> (sector % 64) & 1 == 1
    }

    pub(super) fn set(&mut self, sector: usize, kept: bool) {
        let bit = 1 << (sector % 64);
        if kept {
            self.0[sector / 64] |= bit;
        } else {
            self.0[sector / 64] &= !bit;
        }
    }

    pub(super) fn set_all(&mut self, sectors: impl IntoIterator<Item = usize>, kept: bool) {
        for sector in sectors {
            self.set(sector, kept);
        }
    }
}
