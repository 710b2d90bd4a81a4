//! How far to go through the outcomes of a power cut.

use std::ops::Range;

/// Which outcomes of a power cut to go through.
///
/// For each length that the disk may have:
///
/// 1. If at most [`exhaustive_max`](Strategy::exhaustive_max) sectors are in flight: every subset of
///    them, which is every outcome there is. If at most so many pages are: every subset of pages.
///    Otherwise none, all, each page missing, each page alone, each prefix in the order written and
///    in page order, each pair missing, and random subsets.
/// 2. Each page torn at each sector boundary, either end kept, with the rest present and absent.
/// 3. Random subsets of sectors.
/// 4. Pages in the range written in place: every subset of their sectors, and a tear after every
///    byte that changes, with the rest present and absent.
///
/// ```
/// use pagefile_std::sim::Strategy;
///
/// // Fewer random outcomes; the first two pages, 8 KiB, are written in place.
/// let strategy = Strategy { random: 100, ..Strategy::for_pages(4096) };
/// assert_eq!((strategy.in_place.clone(), strategy.exhaustive_max), (0..8192, 12));
/// assert!(strategy.without_in_place().in_place.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strategy {
    /// Size of a page, in bytes: the unit of 1.
    pub page_size: usize,
    /// The range, in bytes, that is written in place and may be torn after every byte: the metas.
    pub in_place: Range<u64>,
    /// The most sectors, and the most pages, to take every subset of: 12 are 4,096 outcomes.
    pub exhaustive_max: usize,
    /// How many random subsets to take where not all are taken.
    pub random: usize,
    /// Determines the random subsets.
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
