//! Entering spans in page order: what makes loading fast.

use crate::bits::locate;
use crate::edges::Edges;
use crate::error::FreelistError;
use crate::freemaps::Freemaps;
use crate::page_block::{Edge, PageBlock};
use crate::span::Span;

/// Enters spans behind all others, with the block they begin in at hand.
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

    /// Enters a span that lies behind all others and touches none.
    pub(crate) fn add(&mut self, span: Span) -> Result<(), FreelistError> {
        let (first, start) = locate(span.start().get());
        let (last, end) = locate(span.end().get());
        self.turn_to(first)?;
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
    /// Also after an error: what was entered is in the maps then.
    fn drop(&mut self) {
        self.edges.close(self.number, self.block);
    }
}
