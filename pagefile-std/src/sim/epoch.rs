//! What was durable and what was in flight, between two barriers.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::cuts::{self, Strategy};
use super::flight::{PowerCut, Sector};

/// What ended an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Barrier {
    /// A sync, successful or not.
    Sync,
    /// A growth, successful or not.
    Growth,
    /// Nothing yet: it is the epoch of now.
    None,
}

/// One write since the last barrier, or one that a failed sync has left behind.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) offset: u64,
    pub(super) bytes: Arc<[u8]>,
    /// Called clean by a failed sync: no later sync makes it durable.
    pub(super) forgotten: bool,
}

impl Write {
    pub(super) fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    pub(super) fn start_index(&self) -> usize {
        index(self.offset)
    }
}

/// A place in a simulated disk, which is all in memory.
pub(super) fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a simulated disk is smaller than memory")
}

/// What a power cut may leave: all outcomes of one that happens between two barriers, or inside the
/// second one. Cheap to clone.
///
/// One at an earlier moment of the epoch leaves what one at its end may leave too, namely nothing of
/// the later writes; so the end of each epoch is the only moment to look at.
#[derive(Clone, Debug)]
pub struct Epoch {
    pub(super) durable: Arc<Vec<u8>>,
    pub(super) writes: Vec<Write>,
    /// Lengths set and not yet durable, in order.
    pub(super) lens: Vec<u64>,
    pub(super) ended_by: Barrier,
}

impl Epoch {
    /// What surely was on the disk, except where writes are in flight.
    #[must_use]
    pub fn durable(&self) -> &[u8] {
        &self.durable
    }

    /// What ended it.
    #[must_use]
    pub fn ended_by(&self) -> Barrier {
        self.ended_by
    }

    /// The writes in flight: offset in bytes, and the bytes.
    pub fn in_flight(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.writes.iter().map(|write| (write.offset, &write.bytes[..]))
    }

    /// Goes through the outcomes that `strategy` asks for, each once, until `each` breaks; returns
    /// how many there were.
    ///
    /// ```
    /// use pagefile_std::sim::{SimDisk, Strategy};
    /// use pagefile_std::PageStore;
    /// use std::io::IoSlice;
    /// use std::ops::ControlFlow;
    ///
    /// let disk = SimDisk::with_bytes(&[0; 2048]);
    /// disk.write_at(0, &[IoSlice::new(&[1; 2048])]).unwrap();
    /// let [epoch] = &disk.take_epochs()[..] else { panic!("no barrier yet") };
    /// let every_subset_of_four_sectors = epoch
    ///     .each_power_cut(&Strategy::for_pages(1024).without_in_place(), |_| ControlFlow::<()>::Continue(()));
    /// assert_eq!(every_subset_of_four_sectors, ControlFlow::Continue(16));
    /// ```
    pub fn each_power_cut<B>(
        &self,
        strategy: &Strategy,
        each: impl FnMut(&PowerCut) -> ControlFlow<B>,
    ) -> ControlFlow<B, u64> {
        cuts::each(self, strategy, each)
    }

    /// The bytes that this outcome leaves. O(length); [`Images`](super::Images) is faster.
    #[must_use]
    pub fn image(&self, cut: &PowerCut) -> Vec<u8> {
        let mut image = self.durable.to_vec();
        image.resize(index(cut.len), 0);
        for (start, bytes) in self.changes(cut) {
            image[start..start + bytes.len()].copy_from_slice(&bytes);
        }
        image
    }

    /// Where and how the image differs from the durable bytes, in the order to be applied.
    pub(super) fn changes<'a>(
        &'a self,
        cut: &'a PowerCut,
    ) -> impl Iterator<Item = (usize, std::borrow::Cow<'a, [u8]>)> {
        let garbage = cut.garbage.then(|| {
            let range = self.durable.len()..index(cut.len);
            (range.start, range.map(garbage_at).collect::<Vec<u8>>().into())
        });
        let kept = cut.kept().map(|(sector, len)| (sector.start, self.bytes_of(sector, len).into()));
        garbage.into_iter().chain(kept)
    }

    /// The first `len` bytes of a sector in flight.
    pub(super) fn bytes_of(&self, sector: &Sector, len: usize) -> &[u8] {
        let write = &self.writes[sector.write];
        let start = sector.start - write.start_index();
        &write.bytes[start..start + len]
    }
}

/// What a sector that was never written may hold.
fn garbage_at(place: usize) -> u8 {
    0xa5 ^ place.to_le_bytes()[0].wrapping_mul(29) ^ place.to_le_bytes()[1]
}
