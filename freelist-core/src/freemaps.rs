//! `freemaps`: for each span length, the first pages of the free spans of that length.

use core::array;

use crate::bits::{locate, number_at};
use crate::edges::Edges;
use crate::error::FreelistError;
use crate::number_set::{Blocks, NumberSet, reserve_lasting};
use crate::page::PageId;
use crate::page_block::{PageBlock, SHORT, index_of};
use crate::page_hash::PageMap;
use crate::room::Room;
use crate::span::Span;

/// The name of the set of lengths among the sets of starts, which are named by their length.
const LENGTHS: u64 = 0;

/// Free spans by length, and within a length by page.
///
/// For each length of more than 16 pages there is the set of first pages. Spans of up to 16 pages, the
/// bulk of every fragmented store, are found by their edges instead: for each such length there is
/// only the set of the blocks of 512 pages in which one begins. That takes a tenth of the memory.
#[derive(Debug)]
pub(crate) struct Freemaps {
    /// For lengths 1 to 16.
    short: [ShortMap; SHORT],
    short_blocks: Blocks,
    /// From each longer length to the first pages of the spans of that length; never an empty set.
    by_len: PageMap<u64, NumberSet>,
    /// The size index: every length that `by_len` has.
    lengths: NumberSet,
    blocks: Blocks,
}

/// The spans of one short length.
#[derive(Debug)]
struct ShortMap {
    spans: u64,
    /// The blocks in which they begin.
    numbers: NumberSet,
}

impl Freemaps {
    pub(crate) fn new() -> Self {
        Self {
            short: array::from_fn(|index| ShortMap { spans: 0, numbers: NumberSet::new(index as u64) }),
            short_blocks: Blocks::default(),
            by_len: PageMap::default(),
            lengths: NumberSet::new(LENGTHS),
            blocks: Blocks::default(),
        }
    }

    /// Adds a span. `block` is the one in which it begins.
    #[inline]
    pub(crate) fn add(&mut self, span: Span, block: &mut PageBlock) -> Result<(), FreelistError> {
        debug_assert_eq!(block.number(), locate(span.start().get()).0, "{span} is counted where it begins");
        if index_of(span.len()) < SHORT { self.add_short(span.len(), 1, block) } else { self.add_long(span) }
    }

    /// Adds `spans` spans of a short length, which begin in `block`.
    #[inline]
    pub(crate) fn add_short(&mut self, len: u64, spans: u16, block: &mut PageBlock) -> Result<(), FreelistError> {
        debug_assert!(index_of(len) < SHORT && spans > 0, "short spans are counted by block");
        let Some(short) = self.short.get_mut(index_of(len)) else { return Ok(()) };
        if block.count(len) == 0 {
            short.numbers.insert(&mut self.short_blocks, block.number())?;
        }
        block.add(len, spans);
        short.spans += u64::from(spans);
        debug_assert!(short.numbers.len() <= short.spans, "each block listed for a length has a span of it");
        Ok(())
    }

    fn add_long(&mut self, span: Span) -> Result<(), FreelistError> {
        let (start, len) = (span.start().get(), span.len());
        if let Some(starts) = self.by_len.get_mut(&len) {
            return starts.insert(&mut self.blocks, start);
        }
        self.by_len.try_reserve(1)?;
        self.lengths.insert(&mut self.blocks, len)?;
        let mut starts = NumberSet::new(len);
        starts.insert(&mut self.blocks, start)?; // the first needs no memory
        self.by_len.insert(len, starts);
        assert_eq!(self.by_len.len() as u64, self.lengths.len(), "the size index has each long length once");
        Ok(())
    }

    /// Deletes a span. `block` is the one in which it begins.
    #[inline]
    pub(crate) fn del(&mut self, span: Span, block: &mut PageBlock) {
        debug_assert_eq!(block.number(), locate(span.start().get()).0, "{span} was counted where it begins");
        let Some(short) = self.short.get_mut(index_of(span.len())) else {
            return self.del_long(span);
        };
        short.spans -= 1;
        if block.sub_one(span.len()) == 0 {
            short.numbers.remove(&mut self.short_blocks, block.number());
        }
        debug_assert!(short.numbers.len() <= short.spans, "each block listed for a length has a span of it");
    }

    fn del_long(&mut self, span: Span) {
        let starts = self.by_len.get_mut(&span.len()).expect("a long free span is listed under its length");
        starts.remove(&mut self.blocks, span.start().get());
        if starts.len() == 0 {
            self.by_len.remove(&span.len());
            self.lengths.remove(&mut self.blocks, span.len());
            assert_eq!(self.by_len.len() as u64, self.lengths.len(), "the size index has each long length once");
        }
    }

    /// The tightest span of at least `pages` pages; among equals the lowest.
    pub(crate) fn best_fit(&self, edges: &Edges, pages: u64) -> Option<Span> {
        let len = self.next_len(pages)?;
        assert!(len >= pages, "the tightest length is not too short");
        let start = self.first_start(edges, len);
        debug_assert!(start.is_some(), "some free span has {len} pages, as the size index says");
        Span::new(PageId::new(start?), len).ok()
    }

    /// The spans of `pages` to `longest` pages, the shortest first, among equals in page order.
    pub(crate) fn tightest(&self, edges: &Edges, pages: u64, longest: u64) -> impl Iterator<Item = Span> {
        self.lengths_from(pages).take_while(move |len| *len <= longest).flat_map(move |len| {
            let mut from = Some(0);
            core::iter::from_fn(move || {
                let start = self.next_start(edges, len, from?)?;
                assert!(Some(start) >= from, "a walk in page order never turns back");
                from = start.checked_add(1);
                Span::new(PageId::new(start), len).ok()
            })
        })
    }

    /// Every length, the shortest first, and how many spans have it.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (u64, u64)> {
        self.lengths_from(1).filter_map(|len| {
            let spans = match self.short.get(index_of(len)) {
                Some(short) => short.spans,
                None => self.by_len.get(&len)?.len(),
            };
            assert!(spans > 0, "a length without spans is not listed");
            Some((len, spans))
        })
    }

    /// The longest length; 0 when there is none.
    pub(crate) fn largest(&self) -> u64 {
        self.lengths.last(&self.blocks).unwrap_or_else(|| {
            let longest = self.short.iter().rposition(|short| short.spans > 0);
            longest.map_or(0, |index| index as u64 + 1)
        })
    }

    /// The shortest length of at least `pages` that some span has.
    fn next_len(&self, pages: u64) -> Option<u64> {
        let short = self.short.iter().enumerate().skip(index_of(pages));
        match short.into_iter().find(|(_, short)| short.spans > 0) {
            Some((index, _)) => Some(index as u64 + 1),
            None => self.lengths.next(&self.blocks, pages),
        }
    }

    /// Whether the span is listed under its length.
    pub(crate) fn contains(&self, edges: &Edges, span: Span) -> bool {
        self.next_start(edges, span.len(), span.start().get()) == Some(span.start().get())
    }

    /// The lowest start of a span of this length.
    fn first_start(&self, edges: &Edges, len: u64) -> Option<u64> {
        let Some(short) = self.short.get(index_of(len)) else {
            return self.by_len.get(&len)?.first();
        };
        edges.next_of_len(len, number_at(short.numbers.first()?, 0))
    }

    /// The first start from `page` on of a span of this length.
    fn next_start(&self, edges: &Edges, len: u64, page: u64) -> Option<u64> {
        let Some(short) = self.short.get(index_of(len)) else {
            return self.by_len.get(&len)?.next(&self.blocks, page);
        };
        let (here, _) = locate(page);
        let number = short.numbers.next(&self.short_blocks, here)?;
        let found = edges.next_of_len(len, number_at(number, 0).max(page));
        if found.is_some() || number > here {
            return found;
        }
        let number = short.numbers.next(&self.short_blocks, here + 1)?;
        edges.next_of_len(len, number_at(number, 0))
    }

    fn lengths_from(&self, pages: u64) -> impl Iterator<Item = u64> {
        let mut from = Some(pages);
        core::iter::from_fn(move || {
            let len = self.next_len(from?)?;
            assert!(Some(len) >= from, "a walk over the lengths never turns back");
            from = len.checked_add(1);
            Some(len)
        })
    }

    pub(crate) fn reserve(&mut self, room: &Room) -> Result<(), FreelistError> {
        reserve_lasting(&mut self.by_len, room.lengths)?;
        self.short_blocks.reserve(room.short_blocks, room.height)?;
        self.blocks.reserve(room.freemap_blocks, room.height)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.by_len.allocation_size() + self.blocks.memory_bytes() + self.short_blocks.memory_bytes()
    }
}
