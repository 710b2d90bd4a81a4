//! What was durable and what was in flight, between two barriers.

use std::ops::Range;
use std::sync::Arc;

/// What ended an epoch; [`Epoch`] shows its use.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Barrier {
    /// A sync, successful or not.
    Sync,
    /// A durable write of these bytes, successful or not.
    Write(Range<u64>),
    /// A growth, successful or not.
    Growth,
    /// Nothing yet: the epoch is still open.
    None,
}

/// One write since the last barrier, or one that a failed sync has left behind.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) offset: u64,
    pub(super) bytes: Arc<[u8]>,
    /// A failed sync has marked it clean: no later sync makes it durable.
    pub(super) forgotten: bool,
}

impl Write {
    pub(super) fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    pub(super) fn range(&self) -> Range<u64> {
        self.offset..self.end()
    }

    /// What it has of a range.
    pub(super) fn within(&self, range: &Range<u64>) -> Option<Write> {
        self.part(self.offset.max(range.start), self.end().min(range.end))
    }

    /// What it has outside of a range: a part before it and a part after it.
    pub(super) fn without(&self, range: &Range<u64>) -> impl Iterator<Item = Write> + use<> {
        let before = self.part(self.offset, self.end().min(range.start));
        let after = self.part(self.offset.max(range.end), self.end());
        before.into_iter().chain(after)
    }

    fn part(&self, start: u64, end: u64) -> Option<Write> {
        assert!(start >= self.offset && end <= self.end(), "a part of a write lies inside of it");
        (start < end).then(|| Write {
            offset: start,
            bytes: self.bytes[index(start - self.offset)..index(end - self.offset)].into(),
            forgotten: self.forgotten,
        })
    }

    pub(super) fn start_index(&self) -> usize {
        index(self.offset)
    }
}

/// An offset as an index: a simulated disk lies wholly in memory.
pub(super) fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a simulated disk is smaller than memory")
}

/// Everything that a power cut may leave, if it happens between two barriers or inside the second
/// one. Cheap to clone.
///
/// It is enough to look at the end of each epoch. A power cut earlier in the epoch leaves nothing
/// that one at the end could not leave too, with the later writes lost.
///
/// [`each_power_cut`](Epoch::each_power_cut) goes through the outcomes, [`image`](Epoch::image)
/// builds the bytes of one.
///
/// ```
/// use pagefile_std::PageStore;
/// use pagefile_std::sim::{Barrier, SimDisk};
/// use std::io::IoSlice;
///
/// let disk = SimDisk::with_bytes(b"old");
/// disk.write_at(0, &[IoSlice::new(b"new")])?;
/// disk.sync()?;
///
/// let [synced, open] = &disk.take_epochs()[..] else { panic!("one barrier makes two epochs") };
/// assert_eq!((synced.ended_by(), synced.durable()), (Barrier::Sync, &b"old"[..]));
/// assert_eq!(synced.in_flight().collect::<Vec<_>>(), [(0, &b"new"[..])]);
/// assert_eq!((open.ended_by(), open.durable()), (Barrier::None, &b"new"[..]));
/// # Ok::<(), pagefile_std::StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Epoch {
    pub(super) durable: Arc<Vec<u8>>,
    pub(super) writes: Vec<Write>,
    /// Lengths set and not yet durable, in order.
    pub(super) lens: Vec<u64>,
    pub(super) ended_by: Barrier,
}

impl Epoch {
    /// The bytes that are certainly on the disk, except where writes are in flight. O(1).
    #[must_use]
    pub fn durable(&self) -> &[u8] {
        &self.durable
    }

    /// What ended it.
    #[must_use]
    pub fn ended_by(&self) -> Barrier {
        self.ended_by.clone()
    }

    /// The writes in flight: offset in bytes, and the bytes.
    pub fn in_flight(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.writes.iter().map(|write| (write.offset, &write.bytes[..]))
    }

    /// How many of the durable bytes every image has. A truncation that is not durable may take those after them.
    pub(super) fn intact_len(&self) -> usize {
        self.lens.iter().map(|len| index(*len)).fold(self.durable.len(), usize::min)
    }

    /// Length of the longest image, in bytes.
    pub(super) fn image_len_max(&self) -> usize {
        self.lens.iter().map(|len| index(*len)).fold(self.durable.len(), usize::max)
    }
}
