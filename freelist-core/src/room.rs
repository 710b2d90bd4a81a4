//! The most memory that the span maps can need.

use crate::bits::BLOCK_SHIFT;
use crate::error::FreelistError;
use crate::number_set::{FEW, height_of};
use crate::page_block::SHORT;
use crate::span::Span;

/// The most entries that the maps can have while a given number of spans lie in one window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Room {
    /// The most levels of a set of numbers in the window.
    pub(crate) height: u32,
    pub(crate) lengths: usize,
    pub(crate) freemap_blocks: usize,
    pub(crate) short_blocks: usize,
    pub(crate) edge_blocks: usize,
    pub(crate) edge_number_blocks: usize,
}

/// The most different lengths of long spans that begin in the same 512 pages: 17 to 34 fill 459 pages,
/// and one more may reach beyond.
const LENGTHS_PER_BLOCK: u64 = 20;

impl Room {
    pub(crate) fn new(spans: u64, window: Span) -> Result<Self, FreelistError> {
        let pages = window.len();
        // While spans are replaced, up to two more are in.
        let spans = spans.min(pages / 2 + 1).saturating_add(2);
        let height = height_of(window.end().get());
        let blocks_at = |level: u32| blocks_of(pages, level);
        let edge_blocks = spans.saturating_mul(2).min(blocks_at(0));

        // This many different lengths, the shortest that there are, fill the window.
        let lengths = spans.min(pages.saturating_mul(2).isqrt() + 2);
        let long = spans.min(pages / SHORT as u64 + 2);
        let mut starts = long.min(blocks_at(0).saturating_mul(LENGTHS_PER_BLOCK));
        let (mut freemap_blocks, mut short_blocks, mut edge_number_blocks) = (0_u64, 0_u64, 0_u64);
        for level in 0..height {
            starts = starts.min(lengths.saturating_mul(blocks_at(level)));
            freemap_blocks = freemap_blocks.saturating_add(starts).saturating_add(lengths.min(blocks_at(level)));
            // Level 0 of a set of block numbers is like level 1 of a set of pages.
            let numbers = spans.min((SHORT as u64).saturating_mul(blocks_at(level + 1)));
            short_blocks = short_blocks.saturating_add(numbers);
            edge_number_blocks = edge_number_blocks.saturating_add(edge_blocks.min(blocks_at(level + 1)));
        }
        // A set of up to FEW numbers has no blocks.
        if blocks_at(0) <= FEW as u64 {
            (short_blocks, edge_number_blocks) = (0, 0);
        }
        assert!(lengths <= spans && long <= spans, "each length, and each long span, is of a span");
        assert!(edge_blocks <= spans.saturating_mul(2), "each block has one of the two edges of a span");
        let count = |entries: u64| usize::try_from(entries).map_err(|_| FreelistError::OutOfMemory);
        Ok(Self {
            height,
            lengths: count(lengths)?,
            freemap_blocks: count(freemap_blocks)?,
            short_blocks: count(short_blocks)?,
            edge_blocks: count(edge_blocks)?,
            edge_number_blocks: count(edge_number_blocks)?,
        })
    }
}

/// The most blocks of a level in which `pages` contiguous pages lie.
fn blocks_of(pages: u64, level: u32) -> u64 {
    pages.checked_shr((level + 1) * BLOCK_SHIFT).unwrap_or(0) + 2
}
