//! Adding pages that are given as bits, block by block: what is marked are the edges of whole words at once, and single
//! pages, the bulk of a fragmented store, are counted and not looked at.

use core::array;

use crate::bits::number_at;
use crate::edges::Edges;
use crate::error::FreelistError;
use crate::freemaps::Freemaps;
use crate::page::PageId;
use crate::page_block::{Edge, EdgeWord, PageBlock, WORDS, ones};
use crate::span::Span;

/// Fills empty maps, with the pages of a row of words from the first page on.
pub(crate) struct BitLoader<'a> {
    freemaps: &'a mut Freemaps,
    edges: &'a mut Edges,
    /// Where the span begins that reaches into the next block.
    open: Option<PageId>,
    /// The pages so far, and the spans that have ended.
    pub(crate) pages: u64,
    pub(crate) spans: u64,
}

impl<'a> BitLoader<'a> {
    pub(crate) fn new(freemaps: &'a mut Freemaps, edges: &'a mut Edges) -> Self {
        Self { freemaps, edges, open: None, pages: 0, spans: 0 }
    }

    /// Adds the pages of all `words`. After an error the maps are of no use.
    pub(crate) fn add_all(&mut self, words: &mut dyn Iterator<Item = u64>) -> Result<(), FreelistError> {
        for number in 0.. {
            let mut any = false;
            let block = array::from_fn(|_| {
                let word = words.next();
                any |= word.is_some();
                word.unwrap_or(0)
            });
            // A span may reach to the last bit: it ends in a block after it.
            if !any && self.open.is_none() {
                break;
            }
            self.add(number, block)?;
        }
        assert!(self.spans <= self.pages, "every free span has at least one page");
        Ok(())
    }

    /// Adds the pages of block `number`.
    fn add(&mut self, number: u64, words: [u64; WORDS]) -> Result<(), FreelistError> {
        let mut last = u64::from(self.open.is_some());
        let edges = words.map(|word| {
            let before = word << 1 | last;
            last = word >> 63;
            EdgeWord { forward: word & !before, backward: before & !word }
        });
        self.pages += words.iter().map(|word| u64::from(word.count_ones())).sum::<u64>();
        if edges.iter().all(|word| word.both() == 0) {
            return Ok(());
        }
        let mut block = self.edges.open(number)?.with_edges(edges);
        if let (Some(start), Some((end, Edge::End))) = (self.open, block.next(0)) {
            let end = PageId::new(number_at(number, end));
            if let Some(span) = Span::between(start, end) {
                self.freemaps.add(span, self.edges.block_of_start(span))?;
                self.spans += 1;
            }
        }
        self.open = self.count(&mut block)?.map(|start| PageId::new(number_at(number, start)));
        self.edges.close(number, block);
        Ok(())
    }

    /// Counts the spans that begin in `block`, but for one that ends in a later block: returns where that begins.
    fn count(&mut self, block: &mut PageBlock) -> Result<Option<usize>, FreelistError> {
        let number = block.number();
        let mut single = 0_u16;
        for index in 0..WORDS {
            let (singles, mut longer) = block.starts(index);
            single += ones(singles);
            while longer != 0 {
                let start = index * 64 + longer.trailing_zeros() as usize;
                longer &= longer - 1;
                let Some((end, edge)) = block.next(start + 1) else {
                    self.count_single(single, block)?;
                    return Ok(Some(start));
                };
                debug_assert!(edge == Edge::End, "a span that begins ends before the next one begins");
                let page = |bit| PageId::new(number_at(number, bit));
                if let Some(span) = Span::between(page(start), page(end)) {
                    self.freemaps.add(span, block)?;
                    self.spans += 1;
                }
            }
        }
        self.count_single(single, block)?;
        Ok(None)
    }

    fn count_single(&mut self, spans: u16, block: &mut PageBlock) -> Result<(), FreelistError> {
        self.spans += u64::from(spans);
        if spans > 0 { self.freemaps.add_short(1, spans, block) } else { Ok(()) }
    }
}
