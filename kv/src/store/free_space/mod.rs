//! The free space of the file: which pages are free, where the file keeps the list of them, and where new pages come
//! from.
//!
//! ```text
//!   load         the list in the file if its seal fits; else a walk over all trees, which judges the list if there is one
//!   retire       pages that no pinned state uses become free
//!   free, place  what a commit gives up and what it takes: free pages first, then the end of the file
//!   write        the list, or the next part of the log, as pages of this commit, where the commit carries one
//!   commit       the plan of this transaction is durable;  rollback  it never happened
//! ```
//!
//! **Invariant:** only this room knows where the list or the log of free pages lies in the file. A page is free, pending (a pinned
//! state may use it) or in use, and never two of these.

mod ceiling;
mod file_end;
mod list;
mod log;
mod low_first;
mod origin;
mod written;

use std::fmt;

use freelist_core::{AllocError, FreeSpans, Freelist, FreelistError, PageAllocator, PageId, Request, Span, TxId};

pub(crate) use self::ceiling::NO_CEILING;
use self::file_end::FileEnd;
pub(crate) use self::list::StoredList;
use self::list::{list_bytes, list_pages};
pub(crate) use self::log::SpaceLog;
use self::low_first::LowFirst;
use self::origin::Verdict;
pub use self::origin::{FreelistFault, FreelistOrigin};
use self::written::LogTurn;
pub(crate) use self::written::{Carry, Written};
use super::{PageSet, Pages, page_span};
use crate::error::{Error, Result};
use crate::format::{Extension, ListSeal, Meta, NO_FREELIST, SpaceChange};

/// A set of free spans of either kind.
pub(crate) type AnySpans = Box<dyn FreeSpans + Send>;

/// The free space of the newest state, and what the transaction in progress changes of it.
pub(crate) struct FreeSpace {
    allocator: PageAllocator<FileEnd, LowFirst>,
    /// The pages that hold the list in the file, while the newest meta names one; or those of a log that cannot be carried
    /// on.
    stored: Vec<Span>,
    /// The log that the newest meta names. During a commit it is ahead, as `log_turn` says.
    log: Option<SpaceLog>,
    log_turn: LogTurn,
    /// What the transaction in progress has freed and taken, in this order, as far as the log does not have it.
    changes: Vec<SpaceChange>,
    /// Pages that no tree uses and that are not free: a redo log.
    reserved: Option<Span>,
    /// What was reserved before the transaction in progress.
    reserved_before: Option<Span>,
    origin: FreelistOrigin,
    /// Pages that neither the list in the file nor a tree had.
    reclaimed: u64,
    /// The list or the log in the file is of no use, and no commit has replaced it.
    outdated: bool,
    /// The high-water mark of the newest state. The allocator is ahead of it during a commit.
    high_water: u64,
    /// The transaction whose changes here are neither committed nor rolled back.
    in_progress: Option<TxId>,
    page_size: u32,
    max_bytes: Option<u64>,
}

/// The list of free pages as a commit writes it.
#[derive(Debug)]
pub(crate) struct WrittenList {
    pub(crate) span: Span,
    pub(crate) bytes: Vec<u8>,
    seal: ListSeal,
}

/// How the free pages of a state were found.
#[derive(Clone, Copy)]
struct Found {
    stored: Option<Span>,
    origin: FreelistOrigin,
    reclaimed: u64,
}

impl Found {
    /// What the trees do not use is free, whatever the list says, but for the pages of the list itself, which become used.
    fn by_walk(list: Option<&StoredList<'_>>, pages: Pages<'_>, meta: &Meta, used: &mut PageSet) -> Self {
        if meta.freelist == NO_FREELIST {
            return Self { stored: None, origin: FreelistOrigin::Walked, reclaimed: 0 };
        }
        let Verdict { fault, missing } = Verdict::of(list, used, pages);
        let origin = fault.map_or(FreelistOrigin::Checked, FreelistOrigin::Rebuilt);
        let apart = |span: &Span| span.pages().all(|page| !used.has(page.get()));
        let stored = list.map(|list| list.span).filter(apart);
        assert!(fault.is_some() || stored.is_some(), "a list that is right has pages of its own");
        stored.into_iter().flat_map(Span::pages).for_each(|page| _ = used.add(page.get()));
        Self { stored, origin, reclaimed: missing }
    }
}

impl FreeSpace {
    /// The free space of the state of `meta`: from the list in the file if its seal fits, otherwise from `walk`, which
    /// finds the pages that all trees use. O(free pages), or what the walk costs.
    ///
    /// A wrong list stays where it is until a commit gives up its pages: if a power cut takes that commit, the meta before
    /// must not name a page that is no list, or bbolt does not open the file.
    ///
    /// # Errors
    /// Those of the walk, or out of memory.
    pub(crate) fn load(
        empty: AnySpans,
        pages: Pages<'_>,
        meta: &Meta,
        max_bytes: Option<u64>,
        walk: impl FnOnce() -> Result<PageSet>,
    ) -> Result<Self> {
        let logged = SpaceLog::read(pages, meta);
        if let Ok(Some(log)) = logged {
            let found = Found { stored: None, origin: FreelistOrigin::Logged, reclaimed: 0 };
            let space = Self::new(empty, meta, max_bytes, found, log.words())?;
            return Ok(Self { log: Some(log), ..space });
        }
        let stored = StoredList::find(pages, meta.freelist).ok().flatten().filter(StoredList::is_list);
        if let Some((span, free)) = stored.as_ref().and_then(|list| Some((list.span, list.sealed(meta)?))) {
            let found = Found { stored: Some(span), origin: FreelistOrigin::Sealed, reclaimed: 0 };
            return Self::new(empty, meta, max_bytes, found, free.words());
        }
        let mut used = walk()?;
        let mut found = Found::by_walk(stored.as_ref(), pages, meta, &mut used);
        if let Err(page) = logged {
            found.origin = FreelistOrigin::LogLost(page);
        }
        Self::new(empty, meta, max_bytes, found, used.absent())
    }

    /// A free space without a free page, whatever is free in the state of `meta`: new pages lie behind that state.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn behind(empty: AnySpans, meta: &Meta) -> Result<Self> {
        let found = Found { stored: None, origin: FreelistOrigin::Walked, reclaimed: 0 };
        let space = Self::new(empty, meta, None, found, std::iter::empty())?;
        assert_eq!(space.free_pages(), 0, "nothing that the file has is handed out");
        Ok(space)
    }

    /// The free space whose free pages are `free`, as bits: bit `b` of word `n` is of page `64 n + b`.
    fn new(
        empty: AnySpans,
        meta: &Meta,
        max_bytes: Option<u64>,
        found: Found,
        free: impl Iterator<Item = u64>,
    ) -> Result<Self> {
        let mut list = Freelist::new(LowFirst::new(empty));
        list.load_bits(free)?;
        let allocator = PageAllocator::with_list(list, FileEnd::new(meta.high_water, meta.page_size, max_bytes));
        Ok(Self {
            allocator,
            stored: found.stored.into_iter().collect(),
            log: None,
            log_turn: LogTurn::default(),
            changes: Vec::new(),
            reserved: None,
            reserved_before: None,
            origin: found.origin,
            reclaimed: found.reclaimed,
            outdated: matches!(found.origin, FreelistOrigin::Rebuilt(_)),
            high_water: meta.high_water,
            in_progress: None,
            page_size: meta.page_size,
            max_bytes,
        })
    }

    /// Pages that none of the states `pinned` uses become free. To be called between transactions.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn retire(&mut self, pinned: &[TxId]) -> Result<()> {
        if let Some(tx) = self.in_progress {
            // Its rollback ran out of memory, or a panic left it behind.
            self.rollback(tx)?;
        }
        assert_eq!(self.planned_high_water(), self.high_water, "no transaction is in progress");
        self.allocator.list_mut().release_unseen(pinned)?;
        Ok(())
    }

    /// Transaction `tx` no longer uses the pages `freed`, nor the list that is in the file.
    ///
    /// # Errors
    /// `Corrupt` where a page is free already, or comes twice: two parts of a damaged tree share it.
    pub(crate) fn free(&mut self, tx: TxId, freed: &[Span]) -> Result<()> {
        self.begin(tx);
        for span in freed.iter().chain(&self.stored.clone()) {
            self.free_span(tx, *span)?;
        }
        Ok(())
    }

    fn free_span(&mut self, tx: TxId, span: Span) -> Result<()> {
        // Not an assertion: a damaged tree or list can name any page.
        self.allocator.list_mut().free(tx, span).map_err(shared_page)?;
        self.changes.push(SpaceChange::Free { first: span.start().get(), pages: span.len() });
        Ok(())
    }

    fn note_taken(&mut self, span: Span) {
        self.assert_new(span);
        self.changes.push(SpaceChange::Used { first: span.start().get(), pages: span.len() });
    }

    /// Transaction `tx` has the pages `spans`, which lie behind the newest state: it has written them already. What lies
    /// between them is free.
    ///
    /// # Errors
    /// Out of memory, or [`Error::MaxSizeReached`].
    pub(crate) fn claim(&mut self, tx: TxId, spans: &[Span]) -> Result<()> {
        self.begin(tx);
        for &span in spans {
            assert!(
                span.start().get() >= self.high_water,
                "what is written before a commit lies behind the newest state"
            );
            let request = Request::new(span.len()).within(span);
            let claimed = match self.allocator.allocate_where_for(tx, request) {
                Ok(claimed) => claimed.ok_or_else(|| self.full(span.len()))?,
                Err(AllocError::Freelist(error)) => return Err(error.into()),
                Err(AllocError::Source(never)) => match never {},
            };
            assert_eq!(claimed, span, "nobody else has pages behind the newest state");
            self.note_taken(span);
        }
        Ok(())
    }

    /// Takes `pages` contiguous pages for transaction `tx`, which no tree uses: a redo log.
    ///
    /// # Errors
    /// As [`place`](Self::place).
    pub(crate) fn reserve(&mut self, tx: TxId, pages: u64) -> Result<Span> {
        self.begin(tx);
        let span = self.allocate(tx, pages)?;
        self.reserved = Some(span);
        Ok(span)
    }

    /// These pages, which no tree uses, are taken already.
    pub(crate) const fn set_reserved(&mut self, span: Span) {
        self.reserved = Some(span);
    }

    /// What was reserved is free, at once: no state has ever had it. To be called between transactions.
    ///
    /// # Errors
    /// Out of memory. Then nobody has these pages until the file is opened again.
    pub(crate) fn release_reserved(&mut self) -> Result<()> {
        assert!(self.in_progress.is_none(), "no transaction is in progress");
        let Some(span) = self.reserved.take() else { return Ok(()) };
        Ok(self.allocator.release(span)?)
    }

    /// Whether some part of the newest state has page `page`, once the transaction in progress commits.
    pub(crate) fn is_in_use(&self, page: u64) -> bool {
        let (page, list) = (PageId::new(page), self.allocator.list());
        !list.is_free(page) && !list.is_pending(page)
    }

    /// The first page number that the file may not have.
    pub(crate) fn limit(&self) -> u64 {
        self.allocator.source().limit().get()
    }

    /// Gives each of some nodes, whose lengths in pages are `lengths`, its first page. One run for all of them if there
    /// is one, so that they leave in one write, in the order in which they are given; else runs for the long ones, and
    /// for the others single pages in page order.
    ///
    /// # Errors
    /// [`Error::MaxSizeReached`], or out of memory.
    pub(crate) fn place(&mut self, tx: TxId, lengths: &[u64]) -> Result<Vec<u64>> {
        self.begin(tx);
        let total = lengths.iter().fold(0u64, |total, pages| total.saturating_add(*pages));
        let run = self.allocator.list().spans().request_below(total);
        let Some(span) = self.allocator.list_mut().allocate_where(tx, run)? else {
            return self.place_apart(tx, lengths);
        };
        self.note_taken(span);
        let mut next = span.start().get();
        let place = |pages: &u64| {
            let first = next;
            next = next.saturating_add(*pages);
            first
        };
        let placed = lengths.iter().map(place).collect();
        assert_eq!(next, span.end().get(), "the nodes fill their run");
        Ok(placed)
    }

    fn place_apart(&mut self, tx: TxId, lengths: &[u64]) -> Result<Vec<u64>> {
        let mut placed = vec![0; lengths.len()];
        let mut singles = 0u64;
        for (first, &pages) in placed.iter_mut().zip(lengths) {
            assert!(pages > 0, "a node takes a page at least");
            if pages > 1 {
                *first = self.allocate(tx, pages)?.start().get();
            } else {
                singles = singles.saturating_add(1);
            }
        }
        let spans = self.allocate_singles(tx, singles)?;
        let mut pages = spans.into_iter().flat_map(Span::pages);
        for first in placed.iter_mut().filter(|first| **first == 0) {
            let page = pages.next();
            assert!(page.is_some(), "there is a page for each node");
            *first = page.map_or(0, PageId::get);
        }
        Ok(placed)
    }

    /// `pages` single pages, ascending, in as few runs as there are.
    fn allocate_singles(&mut self, tx: TxId, pages: u64) -> Result<Vec<Span>> {
        let mut spans = Vec::new();
        let mut missing = pages;
        while missing > 0 {
            let span = match self.allocator.list_mut().allocate_up_to(tx, missing)? {
                Some(span) => {
                    self.note_taken(span);
                    span
                }
                None => self.allocate(tx, missing)?,
            };
            assert!(span.len() <= missing, "no more pages than were asked for");
            missing = missing.saturating_sub(span.len());
            spans.push(span);
        }
        spans.sort_unstable_by_key(|span| span.start());
        Ok(spans)
    }

    /// `pages` contiguous pages, free ones or from the end of the file.
    fn allocate(&mut self, tx: TxId, pages: u64) -> Result<Span> {
        let mut allocated = self.allocator.allocate_for(tx, pages);
        if matches!(allocated, Ok(None)) && self.has_ceiling() {
            // Free pages on both sides of the ceiling may be enough together.
            self.move_ceiling(NO_CEILING, usize::MAX)?;
            allocated = self.allocator.allocate_for(tx, pages);
        }
        match allocated {
            Ok(Some(span)) => {
                self.note_taken(span);
                Ok(span)
            }
            Ok(None) => Err(self.full(pages)),
            Err(AllocError::Freelist(error)) => Err(error.into()),
            Err(AllocError::Source(never)) => match never {},
        }
    }

    /// What a transaction takes is not what a pinned state may use, nor a meta page.
    fn assert_new(&self, span: Span) {
        assert!(span.start().get() >= 2, "the meta pages are never allocated");
        assert!(span.end() <= self.allocator.source().high_water(), "allocated pages lie below the high-water mark");
        let list = self.allocator.list();
        debug_assert!(
            span.pages().all(|page| !list.is_free(page) && !list.is_pending(page)),
            "an allocated page is neither free nor pending"
        );
    }

    /// A commit writes whole pages that it has taken: none that is free, and none that a pinned state may use.
    pub(crate) fn assert_writable(&self, page: u64, bytes: usize) {
        let bytes = bytes as u64;
        let page_size = u64::from(self.page_size);
        assert!(bytes > 0 && bytes.is_multiple_of(page_size), "a commit writes whole pages");
        match page_span(page, bytes.div_euclid(page_size)) {
            Ok(span) => self.assert_new(span),
            Err(error) => unreachable!("a page that was allocated has a number: {error}"),
        }
    }

    /// The error for a file that may not have `pages` more pages.
    fn full(&self, pages: u64) -> Error {
        let high_water = self.allocator.source().high_water();
        let end = high_water.get().saturating_add(pages);
        let needed = end.saturating_mul(self.page_size.into());
        match self.max_bytes {
            Some(limit) => Error::MaxSizeReached { needed, limit },
            None => Error::Corrupt { page: high_water, what: "high-water mark is beyond what a file can hold".into() },
        }
    }

    /// The list of all pages that are free or pending after transaction `tx`, with pages for it. O(free pages).
    ///
    /// # Errors
    /// Those of an allocation, or a list that does not fit into memory.
    fn write_list(&mut self, tx: TxId) -> Result<WrittenList> {
        self.begin(tx);
        // Taking pages for the list makes it shorter, never longer.
        let pages = list_pages(self.listed_pages(), self.page_size);
        let span = self.allocate(tx, pages)?;
        let list = self.allocator.list();
        let count = self.listed_pages();
        let bytes = list_bytes(span, self.page_size, count, |visit| list.for_each_span(visit))?;
        Ok(WrittenList { span, seal: ListSeal::of(span.start().get(), count, &bytes), bytes })
    }

    fn listed_pages(&self) -> u64 {
        self.free_pages().saturating_add(self.pending_pages())
    }

    /// Transaction `tx`, which carries `written`, is visible.
    pub(crate) fn commit(&mut self, tx: TxId, written: &Written) {
        let high_water = self.planned_high_water();
        assert!(high_water >= self.high_water, "the high-water mark only rises");
        assert_eq!(self.in_progress, Some(tx), "a commit ends the transaction in progress");
        self.in_progress = None;
        self.allocator.list_mut().commit(tx);
        self.commit_log();
        self.stored = if let Written::List(list) = written { vec![list.span] } else { Vec::new() };
        self.outdated = false;
        self.high_water = high_water;
    }

    /// Undoes what transaction `tx` freed and took; the end of the file is where it was.
    ///
    /// # Errors
    /// Out of memory. The next [`retire`](Self::retire) goes on with it.
    pub(crate) fn rollback(&mut self, tx: TxId) -> Result<()> {
        self.allocator.list_mut().rollback(tx)?;
        self.rollback_log();
        match self.allocator.shrink_to(PageId::new(self.high_water)) {
            Ok(_) => {}
            Err(AllocError::Freelist(error)) => return Err(error.into()),
            Err(AllocError::Source(never)) => match never {},
        }
        assert_eq!(self.planned_high_water(), self.high_water, "a rollback gives the end of the file back");
        if self.in_progress.take().is_some() {
            self.reserved = self.reserved_before;
        }
        Ok(())
    }

    /// Notes that transaction `tx` changes the free space.
    fn begin(&mut self, tx: TxId) {
        assert!(self.in_progress.is_none_or(|other| other == tx), "one transaction at a time changes the free space");
        if self.in_progress.replace(tx).is_none() {
            self.reserved_before = self.reserved;
        }
    }

    /// The high-water mark once the transaction in progress commits.
    pub(crate) fn planned_high_water(&self) -> u64 {
        self.allocator.source().high_water().get()
    }

    /// Whether the file has the list or the log of the newest state, and it is right.
    pub(crate) fn is_stored(&self) -> bool {
        self.log.is_some() || !self.stored.is_empty() && !self.outdated
    }

    /// The pages that hold the list or the log, as they will be after the transaction in progress, which carries
    /// `written`. O(regions).
    pub(crate) fn own_pages(&self, written: &Written) -> Vec<Span> {
        match written {
            Written::Nothing => self.reserved.into_iter().collect(),
            Written::List(list) => vec![list.span],
            Written::Log(_) => self.log.as_ref().map_or_else(Vec::new, SpaceLog::own_pages),
        }
    }

    /// How the free space was found, and how many pages neither the list in the file nor a tree had.
    pub(crate) const fn origin(&self) -> (FreelistOrigin, u64) {
        (self.origin, self.reclaimed)
    }

    /// Pages that the next transaction can use. O(1).
    pub(crate) fn free_pages(&self) -> u64 {
        self.allocator.list().free_pages()
    }

    /// Pages that become free when no pinned state uses them. O(1).
    pub(crate) fn pending_pages(&self) -> u64 {
        self.allocator.list().pending_pages()
    }

    /// Pages that hold the log; none without one. O(1).
    pub(crate) fn log_pages(&self) -> u64 {
        self.log.as_ref().map_or(0, SpaceLog::own_pages_count)
    }

    /// Visits the spans of free and pending pages, in page order.
    pub(crate) fn for_each_span(&self, visit: &mut dyn FnMut(Span)) {
        self.allocator.list().for_each_span(visit);
    }
}

impl fmt::Debug for FreeSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (free, pending, stored) = (self.free_pages(), self.pending_pages(), &self.stored);
        let mut shown = f.debug_struct("FreeSpace");
        shown.field("free", &free).field("pending", &pending).field("stored", stored).finish_non_exhaustive()
    }
}

impl WrittenList {
    /// The extension of a meta with this list: the seal.
    pub(crate) fn extension(&self) -> Extension {
        self.seal.extension()
    }
}

/// A page that is freed twice, or is free and in use: two parts of the tree share it.
fn shared_page(error: FreelistError) -> Error {
    match error {
        FreelistError::DoubleFree { page } => {
            Error::Corrupt { page, what: "page is used in two places, or is also on the freelist".into() }
        }
        other => other.into(),
    }
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a test may fail by panicking"
)]
mod tests;
