//! One outcome of a power cut, and the bytes that it leaves.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::epoch::{Epoch, index};
use super::flight::{Flight, Sector};

/// One outcome of a power cut: the length, and which sectors in flight have reached the disk.
///
/// It belongs to its epoch. Its `Debug` form names the sectors kept by their offset, and is the same
/// on every run.
///
/// ```
/// use pagefile_std::PageStore;
/// use pagefile_std::sim::{SECTOR, SimDisk, Strategy};
/// use std::io::IoSlice;
/// use std::ops::ControlFlow;
///
/// let disk = SimDisk::with_bytes(&[0; 2 * SECTOR]);
/// disk.write_at(0, &[IoSlice::new(&[1; 2 * SECTOR])]).unwrap();
/// let epoch = disk.take_epochs().remove(0);
/// let strategy = Strategy::for_pages(1024).without_in_place();
/// let found = epoch.each_power_cut(&strategy, |cut| {
///     assert_eq!(cut.image_len(), 1024);
///     if cut.sectors_kept() == 1 { ControlFlow::Break(format!("{cut:?}")) } else { ControlFlow::Continue(()) }
/// });
/// assert_eq!(found, ControlFlow::Break("PowerCut { 1024 bytes, kept of 2: 0+512 }".into()));
/// ```
#[derive(Clone)]
pub struct PowerCut {
    pub(super) len: u64,
    /// How many of the durable bytes are there, if the image is that long; past them it has zeros or garbage.
    pub(super) intact: usize,
    pub(super) garbage: bool,
    pub(super) kept: Kept,
    /// The sector in flight that reached the disk in part, if any, as (sector, bytes kept).
    pub(super) torn: Option<(usize, usize)>,
    pub(super) flight: Arc<Flight>,
}

impl PowerCut {
    /// Length of the image, in bytes.
    #[must_use]
    pub fn image_len(&self) -> u64 {
        self.len
    }

    /// How many of the sectors in flight have reached the disk, whole or torn. O(sectors in flight).
    #[must_use]
    pub fn sectors_kept(&self) -> usize {
        self.kept().count()
    }

    /// The sectors kept, and how many bytes of each.
    fn kept(&self) -> impl Iterator<Item = (&Sector, usize)> {
        self.flight.sectors.iter().enumerate().filter_map(|(number, sector)| match self.torn {
            Some((torn, bytes)) if torn == number => Some((sector, bytes)),
            _ => self.kept.has(number).then_some((sector, sector.len)),
        })
    }
}

impl fmt::Debug for PowerCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = if self.garbage { ", garbage in what is new" } else { "" };
        write!(f, "PowerCut {{ {} bytes{rest}, kept of {}:", self.len, self.flight.sectors.len())?;
        for (sector, bytes) in self.kept() {
            write!(f, " {}+{bytes}", sector.start)?;
        }
        f.write_str(" }")
    }
}

impl Epoch {
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
    pub(super) fn changes<'a>(&'a self, cut: &'a PowerCut) -> impl Iterator<Item = (usize, Cow<'a, [u8]>)> {
        let end = index(cut.len);
        let new: Cow<'_, [u8]> = if cut.garbage {
            (cut.intact..end).map(garbage_at).collect::<Vec<u8>>().into()
        } else {
            // Zeros are there already past the durable end.
            vec![0; end.min(self.durable.len()).saturating_sub(cut.intact)].into()
        };
        let new = (!new.is_empty()).then_some((cut.intact, new));
        let kept = cut.kept().map(|(sector, len)| (sector.start, sector.bytes(self, len).into()));
        new.into_iter().chain(kept)
    }
}

/// What a sector that was never written may hold.
fn garbage_at(place: usize) -> u8 {
    0xa5 ^ place.to_le_bytes()[0].wrapping_mul(29) ^ place.to_le_bytes()[1]
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
