//! The forward map and the backward map: where free spans begin and end.

use crate::bits::{from, highest, locate, lowest, mask, number_at, up_to};
use crate::error::FreelistError;
use crate::number_set::{Blocks, NumberSet, reserve_lasting};
use crate::page_hash::PageMap;

/// Which end of a free span.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Edge {
    /// At its first page: an entry of the forward map.
    Start,
    /// At the page just behind it: an entry of the backward map.
    End,
}

/// The entries of both maps for 512 pages, a bit each.
///
/// Both maps' bits for a page share a cache line, and both maps share a hash map, since every
/// release asks both about neighbouring pages.
#[derive(Clone, Copy, Debug, Default)]
struct EdgeBlock([EdgeWord; 8]);

#[derive(Clone, Copy, Debug, Default)]
struct EdgeWord {
    forward: u64,
    backward: u64,
}

impl EdgeWord {
    const fn both(self) -> u64 {
        self.forward | self.backward
    }

    const fn edge(self, bit: usize) -> Edge {
        if self.forward & mask(bit) != 0 { Edge::Start } else { Edge::End }
    }

    const fn bits(&mut self, edge: Edge) -> &mut u64 {
        match edge {
            Edge::Start => &mut self.forward,
            Edge::End => &mut self.backward,
        }
    }
}

impl EdgeBlock {
    fn is_empty(&self) -> bool {
        self.0.iter().fold(0, |all, word| all | word.both()) == 0
    }

    fn next(&self, bit: usize) -> Option<(usize, Edge)> {
        let mut wanted = from(bit);
        for index in bit / 64..8 {
            let word = self.0[index];
            let found = word.both() & wanted;
            if found != 0 {
                return Some((index * 64 + lowest(found), word.edge(lowest(found))));
            }
            wanted = u64::MAX;
        }
        None
    }

    fn prev(&self, bit: usize) -> Option<(usize, Edge)> {
        let mut wanted = up_to(bit);
        for index in (0..=bit / 64).rev() {
            let word = self.0[index];
            let found = word.both() & wanted;
            if found != 0 {
                return Some((index * 64 + highest(found), word.edge(highest(found))));
            }
            wanted = u64::MAX;
        }
        None
    }
}

/// Every edge of every free span, in page order.
///
/// Invariants: edges alternate, a start first; no page has both, since two spans that touch would
/// have been merged. So whether a page is free, which span it lies in and what its neighbours are
/// all follows from the next edge behind it, and no map of the pages inside spans is needed.
#[derive(Debug)]
pub(crate) struct Edges {
    blocks: PageMap<u64, EdgeBlock>,
    /// The numbers of the blocks, in order.
    numbers: NumberSet,
    number_blocks: Blocks,
}

impl Edges {
    pub(crate) fn new() -> Self {
        Self { blocks: PageMap::default(), numbers: NumberSet::new(0), number_blocks: Blocks::default() }
    }

    /// Puts an edge in.
    pub(crate) fn mark(&mut self, page: u64, edge: Edge) -> Result<(), FreelistError> {
        let (number, bit) = locate(page);
        if let Some(block) = self.blocks.get_mut(&number) {
            *block.0[bit / 64].bits(edge) |= mask(bit);
            return Ok(());
        }
        self.blocks.try_reserve(1)?;
        self.numbers.insert(&mut self.number_blocks, number)?;
        let mut block = EdgeBlock::default();
        *block.0[bit / 64].bits(edge) |= mask(bit);
        self.blocks.insert(number, block);
        Ok(())
    }

    /// Takes an edge out.
    pub(crate) fn unmark(&mut self, page: u64, edge: Edge) {
        let (number, bit) = locate(page);
        let Some(block) = self.blocks.get_mut(&number) else { return };
        *block.0[bit / 64].bits(edge) &= !mask(bit);
        if block.is_empty() {
            self.blocks.remove(&number);
            self.numbers.remove(&mut self.number_blocks, number);
        }
    }

    /// Whether `edge` is at `page`.
    pub(crate) fn has(&self, page: u64, edge: Edge) -> bool {
        let (number, bit) = locate(page);
        self.blocks.get(&number).is_some_and(|block| {
            let mut word = block.0[bit / 64];
            *word.bits(edge) & mask(bit) != 0
        })
    }

    /// The first edge at or behind `page`.
    pub(crate) fn next(&self, page: u64) -> Option<(u64, Edge)> {
        let (number, bit) = locate(page);
        if let Some((bit, edge)) = self.blocks.get(&number).and_then(|block| block.next(bit)) {
            return Some((number_at(number, bit), edge));
        }
        let number = self.numbers.next(&self.number_blocks, number + 1)?;
        let (bit, edge) = self.blocks.get(&number)?.next(0)?;
        Some((number_at(number, bit), edge))
    }

    /// The last edge at or before `page`.
    pub(crate) fn prev(&self, page: u64) -> Option<(u64, Edge)> {
        let (number, bit) = locate(page);
        if let Some((bit, edge)) = self.blocks.get(&number).and_then(|block| block.prev(bit)) {
            return Some((number_at(number, bit), edge));
        }
        let number = self.numbers.prev(&self.number_blocks, number.checked_sub(1)?)?;
        let (bit, edge) = self.blocks.get(&number)?.prev(511)?;
        Some((number_at(number, bit), edge))
    }

    pub(crate) fn reserve(&mut self, blocks: usize, number_blocks: usize) -> Result<(), FreelistError> {
        reserve_lasting(&mut self.blocks, blocks)?;
        self.number_blocks.reserve(number_blocks)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.blocks.allocation_size() + self.number_blocks.memory_bytes()
    }
}
