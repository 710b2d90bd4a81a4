//! How much is put.

use std::ops::RangeInclusive;

/// A size of the benchmark.
#[derive(Debug)]
pub(crate) struct Size {
    pub(crate) name: &'static str,
    /// What is measured, one after the other on a store of its own.
    pub(crate) loads: [Load; 2],
}

/// Puts of values of some size.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) name: &'static str,
    /// Bytes of a value.
    pub(crate) bytes: RangeInclusive<usize>,
    pub(crate) puts: u64,
    /// They go to so many keys, at random.
    pub(crate) keys: u64,
    /// Everything but the newest revisions is compacted after so many puts.
    pub(crate) compact_every: u64,
    /// Before: puts of about a page each, of which every other one is compacted.
    pub(crate) fill: u64,
}

/// Bytes of a value that takes a page alone.
pub(crate) const FILLING: usize = 3000;

const fn load(large: bool, puts: u64, fill: u64) -> Load {
    let (name, bytes) = if large { ("20-30 KB", 20_000..=30_000) } else { ("256 B", 256..=256) };
    Load { name, bytes, puts, keys: puts / 4, compact_every: puts / 4, fill }
}

impl Size {
    pub(crate) const SMALL: Self = Self { name: "small", loads: [load(false, 20_000, 0), load(true, 4_000, 0)] };
    pub(crate) const PUBLISHED: Self =
        Self { name: "published", loads: [load(false, 1_000_000, 0), load(true, 1_000_000, 0)] };
    pub(crate) const FRAGMENTED: Self =
        Self { name: "fragmented", loads: [load(false, 40_000, 300_000), load(true, 8_000, 300_000)] };
}
