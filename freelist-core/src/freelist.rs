//! The free list of a copy-on-write store: pages change hands by transaction.

use alloc::vec::Vec;

use crate::allocations::Allocations;
use crate::changes::ChangeLog;
use crate::error::FreelistError;
use crate::free_spans::FreeSpans;
use crate::page::{PageId, TxId};
use crate::pending::{Pending, PendingSpans};
use crate::request::Request;
use crate::span::Span;

/// Free pages under transactions and snapshot readers, over either set of free spans.
///
/// ```text
///               allocate                   free                  release_unseen
///     free  --------------->  in use  ------------->  pending  ------------------>  free
///       ^                        |                       |     (no reader sees it)
///       |       give_back        |                       |
///       +------------------------+ <---------------------+
///           rollback, give_back         rollback
/// ```
///
/// The readers of the states `A` to `F - 1` see a page that transaction `A` allocated and transaction
/// `F` freed. The page becomes free when none of them is open any more, even while older or newer
/// readers are.
///
/// Transactions write one at a time, in the order of their numbers. Only [`load`](Self::load), [`load_bits`](Self::load_bits),
/// [`for_each_span`](Self::for_each_span), [`clear`](Self::clear) and dropping the list cost O(free pages).
///
/// ```
/// use freelist_core::{Freelist, PageId, Span, SpanMaps, TxId};
///
/// let mut list = Freelist::new(SpanMaps::new());
/// list.load([Span::new(PageId::new(10), 5)?])?;
///
/// let tx = TxId::new(7);
/// list.release_unseen(&[])?;
/// let mine = list.allocate(tx, 2)?.unwrap();
/// assert_eq!(mine, Span::new(PageId::new(10), 2)?);
/// list.free(tx, Span::single(PageId::new(3))?)?; // replaced by a page of `mine`
/// list.commit(tx);
///
/// // A reader of state 6 still needs page 3; one of state 7 does not.
/// assert_eq!(list.release_unseen(&[TxId::new(6), TxId::new(7)])?, 0);
/// assert_eq!(list.release_unseen(&[TxId::new(7)])?, 1);
/// assert!(list.is_free(PageId::new(3)));
/// # Ok::<(), freelist_core::FreelistError>(())
/// ```
#[derive(Debug, Default)]
pub struct Freelist<S> {
    free: S,
    pending: PendingSpans,
    allocations: Allocations,
    changes: ChangeLog,
}

impl<S: FreeSpans> Freelist<S> {
    /// A free list with the pages of `free`, and nothing pending.
    #[must_use]
    pub fn new(free: S) -> Self {
        Self {
            free,
            pending: PendingSpans::default(),
            allocations: Allocations::default(),
            changes: ChangeLog::default(),
        }
    }

    /// Allocates `pages` contiguous pages for `tx`; `None` if no free span is long enough. O(1) over
    /// [`SpanMaps`](crate::SpanMaps).
    ///
    /// # Errors
    /// [`FreelistError::EmptyRequest`] for 0 pages, or [`FreelistError::OutOfMemory`]. Nothing has changed then.
    pub fn allocate(&mut self, tx: TxId, pages: u64) -> Result<Option<Span>, FreelistError> {
        self.allocate_where(tx, Request::new(pages))
    }

    /// Allocates what `request` asks for; `None` if no free span can give it.
    ///
    /// # Errors
    /// [`FreelistError::EmptyRequest`], [`FreelistError::InvalidAlignment`] or [`FreelistError::OutOfMemory`]. Nothing
    /// has changed then.
    pub fn allocate_where(&mut self, tx: TxId, request: Request) -> Result<Option<Span>, FreelistError> {
        let Some(span) = self.free.find(request)? else {
            return Ok(None);
        };
        self.changes.of(tx)?;
        self.allocations.record(tx, span)?;
        if let Err(error) = self.free.take(span) {
            self.allocations.unrecord(tx, span);
            return Err(error);
        }
        debug_assert_eq!(self.free.first_free(span), None, "an allocated page is not free");
        debug_assert_eq!(self.pending.first_pending(span), None, "a pending page is not allocated");
        Ok(Some(span))
    }

    /// Allocates up to `pages` contiguous pages for `tx`, or the longest span when none is long
    /// enough; `None` when nothing is free.
    ///
    /// # Errors
    /// [`FreelistError::EmptyRequest`] for 0 pages, or [`FreelistError::OutOfMemory`]. Nothing has changed then.
    pub fn allocate_up_to(&mut self, tx: TxId, pages: u64) -> Result<Option<Span>, FreelistError> {
        match pages.min(self.free.largest()) {
            0 if pages > 0 => Ok(None),
            pages => self.allocate(tx, pages),
        }
    }

    /// Frees pages that `tx` allocated itself, before its commit. No reader has ever seen them, so they
    /// are free at once.
    ///
    /// # Errors
    /// [`FreelistError::NotAllocated`] with the first page that `tx` did not allocate, or has
    /// committed; or [`FreelistError::OutOfMemory`]. Nothing has changed then.
    pub fn give_back(&mut self, tx: TxId, span: Span) -> Result<(), FreelistError> {
        if self.changes.uncommitted(tx).is_none() {
            return Err(FreelistError::NotAllocated { page: span.start(), tx });
        }
        if let Some(page) = self.allocations.first_not_of(tx, span) {
            return Err(FreelistError::NotAllocated { page, tx });
        }
        debug_assert_eq!(self.pending.first_pending(span), None, "a page in use is not pending");
        self.make_free(span)
    }

    /// Frees pages that `tx` no longer uses. Readers of older states may still see them, so they become
    /// pending. O(records of allocations in `span`).
    ///
    /// # Errors
    /// [`FreelistError::DoubleFree`] with the first page that is free or pending already, or
    /// [`FreelistError::OutOfMemory`]. Nothing has changed then.
    pub fn free(&mut self, tx: TxId, span: Span) -> Result<(), FreelistError> {
        self.check_in_use(span)?;
        let pending_before = self.pending.pages();
        let freed = &mut self.changes.of(tx)?.freed;
        let before = freed.len();
        self.allocations.isolate(span)?;
        let mut rest = Some(span);
        while let Some(part) = rest {
            let (part, allocated_by) = self.allocations.front_part(part);
            let added = freed.try_reserve(1).map_err(FreelistError::from);
            if let Err(error) = added.and_then(|()| self.pending.insert(part)) {
                freed.drain(before..).for_each(|undone| self.pending.remove(undone.span));
                return Err(error);
            }
            freed.push(Pending { span: part, allocated_by, freed_by: tx });
            rest = Span::between(part.end(), span.end());
        }
        self.allocations.forget_within(span);
        debug_assert_eq!(self.pending.pages(), pending_before + span.len(), "each freed page is pending");
        debug_assert_eq!(self.free.first_free(span), None, "a pending page is not free");
        Ok(())
    }

    /// Makes the pending pages free that no open reader sees. Returns how many. Call it at the start of a
    /// write transaction, when all before it are committed or rolled back.
    ///
    /// `readers` are the states that readers have open, in any order, repeated or not. A pending page
    /// that `A` allocated (0 if that is not known) and `F` freed stays pending while a reader of a state
    /// `r` is open with `A <= r < F`. O(changes since the last call, and spans whose reader has closed).
    ///
    /// # Errors
    /// [`FreelistError::OutOfMemory`]. The pages released by then stay free; the next call releases the rest.
    pub fn release_unseen(&mut self, readers: &[TxId]) -> Result<u64, FreelistError> {
        let mut sorted = Vec::new();
        sorted.try_reserve_exact(readers.len())?;
        sorted.extend_from_slice(readers);
        sorted.sort_unstable();
        while let Some(changes) = self.changes.latest() {
            self.pending.look_at(&mut changes.freed)?;
            self.changes.forget_latest();
        }
        match sorted.first() {
            Some(oldest) => self.allocations.forget_up_to(*oldest),
            None => self.allocations = Allocations::default(),
        }
        let free = &mut self.free;
        self.pending.release_unseen(&sorted, &mut |span| free.release(span))
    }

    /// Undoes everything that `tx` did: the pages that it freed are in use again, those that it allocated
    /// are free again. Does nothing after its commit. O(changes of `tx`).
    ///
    /// # Errors
    /// [`FreelistError::OutOfMemory`]. Call it again then: it continues where it stopped.
    pub fn rollback(&mut self, tx: TxId) -> Result<(), FreelistError> {
        let Some(changes) = self.changes.uncommitted(tx) else {
            return Ok(());
        };
        while let Some(Pending { span, allocated_by, .. }) = changes.freed.last().copied() {
            if allocated_by > TxId::new(0) {
                self.allocations.record(allocated_by, span)?;
            }
            self.pending.remove(span);
            changes.freed.pop();
        }
        while let Some(span) = self.allocations.latest(tx) {
            while let Some(part) = self.allocations.first_of(tx, span) {
                self.free.release(part)?;
                self.allocations.forget(part.start());
            }
            self.allocations.forget_latest(tx);
        }
        self.changes.forget(tx);
        debug_assert_eq!(self.allocations.latest(tx), None, "nothing that was rolled back is still recorded");
        Ok(())
    }

    /// Notes that `tx` is durable, and forgets what only a rollback would need. O(1).
    pub fn commit(&mut self, tx: TxId) {
        if let Some(changes) = self.changes.uncommitted(tx) {
            changes.committed = true;
        }
    }

    /// Whether the page is free. Pending pages are not. O(1).
    #[must_use]
    pub fn is_free(&self, page: PageId) -> bool {
        self.free.contains(page)
    }

    /// Whether the page was freed and a reader may still see it. O(1).
    #[must_use]
    pub fn is_pending(&self, page: PageId) -> bool {
        self.pending.next_span(page).is_some_and(|span| span.contains(page))
    }

    /// How many pages are free. Pending pages are not. O(1).
    #[must_use]
    pub fn free_pages(&self) -> u64 {
        self.free.free_pages()
    }

    /// How many pages are pending. O(1).
    #[must_use]
    pub fn pending_pages(&self) -> u64 {
        self.pending.pages()
    }

    /// Visits the maximal spans of free and pending pages together, in page order. A file's free list
    /// holds these, since after a restart there are no readers. O(spans).
    pub fn for_each_span(&self, visit: &mut dyn FnMut(Span)) {
        let mut pending = self.pending.next_span(PageId::new(0));
        let mut run: Option<Span> = None;
        let mut join = |next: Span| {
            run = match run {
                Some(before) if before.end() == next.start() => Span::between(before.start(), next.end()),
                before => {
                    debug_assert!(
                        before.is_none_or(|before| before.end() < next.start()),
                        "no page is free and pending"
                    );
                    before.into_iter().for_each(&mut *visit);
                    Some(next)
                }
            };
        };
        // The set walks over its spans itself, which is faster than asking it for each next one.
        self.free.for_each_span(&mut |free| {
            while let Some(span) = pending.filter(|span| span.start() < free.start()) {
                join(span);
                pending = self.pending.next_span(span.end());
            }
            join(free);
        });
        while let Some(span) = pending {
            join(span);
            pending = self.pending.next_span(span.end());
        }
        run.into_iter().for_each(visit);
    }

    /// Replaces everything by these spans, in any order; fastest in page order. Afterwards nothing is
    /// pending, and no transaction can be rolled back. O(spans), old and new.
    ///
    /// # Errors
    /// [`FreelistError::DoubleFree`] with a page that is in two of the spans, or
    /// [`FreelistError::OutOfMemory`]. The list is empty then.
    pub fn load(&mut self, spans: impl IntoIterator<Item = Span>) -> Result<(), FreelistError> {
        self.load_with(|free| free.release_all(&mut spans.into_iter()))
    }

    /// As [`load`](Self::load), with the pages whose bits are set in a row of words: bit `b` of word `n` stands for page
    /// `64 n + b`. O(words), and O(spans) old and new. Single pages cost a fraction of what they cost in `load`.
    ///
    /// ```
    /// use freelist_core::{Freelist, SpanMaps};
    ///
    /// let mut list = Freelist::new(SpanMaps::new());
    /// list.load_bits([0b1101_0000, 1])?; // pages 4, 6, 7 and 64
    /// let mut spans = Vec::new();
    /// list.for_each_span(&mut |span| spans.push((span.start().get(), span.len())));
    /// assert_eq!(spans, [(4, 1), (6, 2), (64, 1)]);
    /// # Ok::<(), freelist_core::FreelistError>(())
    /// ```
    ///
    /// # Errors
    /// [`FreelistError::OutOfMemory`]. The list is empty then.
    pub fn load_bits(&mut self, words: impl IntoIterator<Item = u64>) -> Result<(), FreelistError> {
        self.load_with(|free| free.release_bits(&mut words.into_iter()))
    }

    fn load_with(&mut self, add: impl FnOnce(&mut S) -> Result<(), FreelistError>) -> Result<(), FreelistError> {
        self.clear();
        let loaded = add(&mut self.free);
        if loaded.is_err() {
            self.free.clear();
        }
        debug_assert_eq!(self.free.statistics().free_pages, self.free.free_pages(), "the count is that of all spans");
        debug_assert_eq!(self.pending.pages(), 0, "after a load nothing is pending");
        loaded
    }

    /// Makes room ahead in the set of free spans, like [`FreeSpans::reserve`], but not for the records of
    /// transactions.
    ///
    /// # Errors
    /// [`FreelistError::OutOfMemory`].
    pub fn reserve(&mut self, spans: u64, window: Span) -> Result<(), FreelistError> {
        self.free.reserve(spans, window)
    }

    /// Forgets all free and pending pages and all transactions. O(spans).
    pub fn clear(&mut self) {
        self.free.clear();
        self.pending = PendingSpans::default();
        self.allocations = Allocations::default();
        self.changes = ChangeLog::default();
    }

    /// The set of free pages.
    #[must_use]
    pub const fn spans(&self) -> &S {
        &self.free
    }

    /// Heap memory held, in bytes. O(transactions remembered).
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.free.memory_bytes()
            + self.pending.memory_bytes()
            + self.allocations.memory_bytes()
            + self.changes.memory_bytes()
    }

    /// The set of free pages, for what it can do beyond [`FreeSpans`]. The same pages must be free afterwards: what is
    /// taken or released here is of no transaction, and no rollback knows of it.
    pub const fn spans_mut(&mut self) -> &mut S {
        &mut self.free
    }

    /// Makes pages free without a transaction.
    pub(crate) fn release(&mut self, span: Span) -> Result<(), FreelistError> {
        match self.pending.first_pending(span) {
            Some(page) => Err(FreelistError::DoubleFree { page }),
            None => self.make_free(span),
        }
    }

    /// Moves pages from in use to free, and forgets who allocated them.
    fn make_free(&mut self, span: Span) -> Result<(), FreelistError> {
        self.allocations.isolate(span)?;
        self.free.release(span)?;
        self.allocations.forget_within(span);
        Ok(())
    }

    fn check_in_use(&self, span: Span) -> Result<(), FreelistError> {
        let free = self.free.first_free(span).into_iter();
        match free.chain(self.pending.first_pending(span)).min() {
            Some(page) => Err(FreelistError::DoubleFree { page }),
            None => Ok(()),
        }
    }
}
