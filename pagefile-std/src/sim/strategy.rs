//! How far to go through the outcomes of a power cut.

use std::ops::Range;

/// How far to go through the outcomes of a power cut.
///
/// For each length that the disk may have:
///
/// 1. At most [`exhaustive_max`](Strategy::exhaustive_max) sectors in flight: every subset of them,
///    which is every outcome there is. Otherwise at most so many pages: every subset of them.
///    Otherwise none, all, each page missing, each page alone, each prefix in the order written and
///    in page order, each pair missing, and random subsets.
/// 2. Each page torn at each sector boundary, either end kept, with the rest present and absent.
/// 3. Random subsets of sectors.
/// 4. Pages in the range written in place: every subset of their sectors, and a cut after every
///    byte that changes, with the rest present and absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strategy {
    /// Size of a page, in bytes: the unit of 1.
    pub page_size: usize,
    /// Bytes that are written in place and are cut after every byte, such as those of the metas.
    pub in_place: Range<u64>,
    /// Up to how many sectors, and pages, to take every subset of: 12 is 4,096 outcomes.
    pub exhaustive_max: usize,
    /// How many random subsets to take where not all are taken.
    pub random: usize,
    /// What the random ones depend on.
    pub seed: u64,
    /// Whether bytes past the durable length may also read as garbage.
    pub garbage: bool,
}

impl Strategy {
    /// All of the above for pages of this size, of which the first two are written in place.
    #[must_use]
    pub fn for_pages(page_size: usize) -> Strategy {
        Strategy {
            page_size: page_size.max(1),
            in_place: 0..2 * page_size as u64,
            exhaustive_max: 12,
            random: 1000,
            seed: 0,
            garbage: true,
        }
    }

    /// The same with no bytes written in place: no outcome is finer than sectors.
    #[must_use]
    pub fn without_in_place(self) -> Strategy {
        Strategy { in_place: 0..0, ..self }
    }
}
