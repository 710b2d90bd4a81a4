//! The free maps: for each span length, where the free spans of that length begin.

use crate::error::FreelistError;
use crate::number_set::{Blocks, NumberSet, reserve_lasting};
use crate::page::{PageId, Span};
use crate::page_hash::PageMap;
use crate::recency::Recency;

/// The name of the set of lengths among the sets of starts, which are named by their length.
const LENGTHS: u64 = 0;

/// Free spans by length, and within a length by page.
#[derive(Debug)]
pub(crate) struct Freemaps {
    /// From each length to the first pages of the spans of that length; never an empty set.
    by_len: PageMap<u64, NumberSet>,
    /// The size index: every length that `by_len` has.
    lengths: NumberSet,
    blocks: Blocks,
    /// The order of release, if the policy asks for it.
    recency: Option<Recency>,
}

impl Freemaps {
    pub(crate) fn new(recency: Option<Recency>) -> Self {
        Self { by_len: PageMap::default(), lengths: NumberSet::new(LENGTHS), blocks: Blocks::default(), recency }
    }

    /// An empty one that chooses alike.
    pub(crate) fn emptied(&self) -> Self {
        Self::new(self.recency.as_ref().map(|_| Recency::default()))
    }

    /// Adds a span that is not in.
    pub(crate) fn insert(&mut self, span: Span) -> Result<(), FreelistError> {
        let (start, len) = (span.start().get(), span.len());
        if let Some(recency) = &mut self.recency {
            recency.reserve_one()?;
        }
        if let Some(starts) = self.by_len.get_mut(&len) {
            starts.insert(&mut self.blocks, start)?;
        } else {
            self.by_len.try_reserve(1)?;
            self.lengths.insert(&mut self.blocks, len)?;
            let mut starts = NumberSet::new(len);
            starts.insert(&mut self.blocks, start)?; // the first needs no memory
            self.by_len.insert(len, starts);
        }
        if let Some(recency) = &mut self.recency {
            recency.push(span);
        }
        Ok(())
    }

    /// Removes a span that is in.
    pub(crate) fn remove(&mut self, span: Span) {
        let len = span.len();
        if let Some(recency) = &mut self.recency {
            recency.remove(span);
        }
        let Some(starts) = self.by_len.get_mut(&len) else { return };
        starts.remove(&mut self.blocks, span.start().get());
        if starts.len() == 0 {
            self.by_len.remove(&len);
            self.lengths.remove(&mut self.blocks, len);
        }
    }

    /// The tightest span of at least `pages` pages; among equals the lowest, or the latest.
    pub(crate) fn best_fit(&self, pages: u64) -> Option<Span> {
        let len = self.lengths.next(&self.blocks, pages)?;
        let start = match &self.recency {
            Some(recency) => recency.latest(len)?,
            None => self.by_len.get(&len)?.first(&self.blocks)?,
        };
        Span::new(PageId::new(start), len).ok()
    }

    /// The spans of `pages` to `longest` pages, the shortest first, among equals in page order.
    pub(crate) fn tightest(&self, pages: u64, longest: u64) -> impl Iterator<Item = Span> {
        self.lengths_from(pages).take_while(move |len| *len <= longest).flat_map(move |len| {
            let mut from = Some(0);
            core::iter::from_fn(move || {
                let start = self.by_len.get(&len)?.next(&self.blocks, from?)?;
                from = start.checked_add(1);
                Span::new(PageId::new(start), len).ok()
            })
        })
    }

    /// Every length, the shortest first, and how many spans have it.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (u64, u64)> {
        self.lengths_from(1).filter_map(|len| Some((len, self.by_len.get(&len)?.len())))
    }

    /// The longest length; 0 when there is none.
    pub(crate) fn largest(&self) -> u64 {
        self.lengths.last(&self.blocks).unwrap_or(0)
    }

    fn lengths_from(&self, pages: u64) -> impl Iterator<Item = u64> {
        let mut from = Some(pages);
        core::iter::from_fn(move || {
            let len = self.lengths.next(&self.blocks, from?)?;
            from = len.checked_add(1);
            Some(len)
        })
    }

    pub(crate) fn reserve(&mut self, spans: usize, lengths: usize, blocks: usize) -> Result<(), FreelistError> {
        if let Some(recency) = &mut self.recency {
            recency.reserve(spans, lengths)?;
        }
        reserve_lasting(&mut self.by_len, lengths)?;
        self.blocks.reserve(blocks)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let recency = self.recency.as_ref().map_or(0, Recency::memory_bytes);
        self.by_len.allocation_size() + self.blocks.memory_bytes() + recency
    }
}
