//! Which transaction allocated which page. Rollback needs this, and so do pages freed between two readers.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::error::FreelistError;
use crate::intervals::Intervals;
use crate::page::{PageId, TxId};
use crate::span::Span;

/// The pages in use whose allocating transaction is still of interest.
#[derive(Debug, Default)]
pub(crate) struct Allocations {
    /// Every recorded page in use, with the transaction that allocated it.
    spans: Intervals<TxId>,
    /// What each transaction allocated, in the order of transactions. Pages that it or a later
    /// transaction has freed are still listed here, but no longer in `spans`.
    by_tx: VecDeque<(TxId, Vec<Span>)>,
}

impl Allocations {
    /// `tx` uses `span` from now on.
    pub(crate) fn record(&mut self, tx: TxId, span: Span) -> Result<(), FreelistError> {
        let at = self.of_tx(tx)?;
        self.by_tx[at].1.try_reserve(1)?;
        self.spans.insert(span, tx)?;
        self.by_tx[at].1.push(span);
        Ok(())
    }

    /// Undoes the latest [`record`](Self::record) of `tx`, which was of `span`.
    pub(crate) fn unrecord(&mut self, tx: TxId, span: Span) {
        let recorded = self.spans.remove(span.start());
        assert_eq!(recorded, Some((span, tx)), "what is undone is what was recorded");
        let undone = self.find_tx(tx).and_then(|at| self.by_tx[at].1.pop());
        assert_eq!(undone, Some(span), "only the latest record is undone");
    }

    /// Cuts records at both ends of `span`, so that none crosses them. Changes no answer.
    pub(crate) fn isolate(&mut self, span: Span) -> Result<(), FreelistError> {
        self.spans.split_at(span.start())?;
        self.spans.split_at(span.end())
    }

    /// The recorded part that `page` lies in, else the next one after it.
    pub(crate) fn next(&self, page: PageId) -> Option<(Span, TxId)> {
        self.spans.next(page)
    }

    /// The part that starts at `start` is no longer in use.
    pub(crate) fn forget(&mut self, start: PageId) {
        self.spans.remove(start);
    }

    /// The latest span that `tx` allocated, of those not yet passed to
    /// [`forget_latest`](Self::forget_latest).
    pub(crate) fn latest(&self, tx: TxId) -> Option<Span> {
        self.by_tx[self.find_tx(tx)?].1.last().copied()
    }

    /// Drops the entry that [`latest`](Self::latest) names.
    pub(crate) fn forget_latest(&mut self, tx: TxId) {
        if let Some(at) = self.find_tx(tx) {
            self.by_tx[at].1.pop();
            if self.by_tx[at].1.is_empty() {
                self.by_tx.remove(at);
            }
        }
    }

    /// Forgets what transactions up to and with `oldest` allocated: every reader, now and later, sees
    /// all of it. Each record is visited once in its life.
    pub(crate) fn forget_up_to(&mut self, oldest: TxId) {
        while let Some((tx, _)) = self.by_tx.front().filter(|(tx, _)| *tx <= oldest) {
            let tx = *tx;
            let Some((_, spans)) = self.by_tx.pop_front() else { return };
            for span in spans {
                let mut from = span.start();
                while let Some((part, by)) = self.next(from).filter(|(part, _)| span.overlaps(*part)) {
                    if by == tx {
                        self.forget(part.start());
                    }
                    assert!(part.end() > from, "a walk in page order never turns back");
                    from = part.end();
                }
            }
        }
        debug_assert!(self.by_tx.iter().all(|(tx, _)| *tx > oldest), "only later transactions are still recorded");
    }

    /// The first page of `span` that `tx` is not recorded to have allocated.
    pub(crate) fn first_not_of(&self, tx: TxId, span: Span) -> Option<PageId> {
        let mut at = span.start();
        while at < span.end() {
            match self.next(at) {
                Some((part, by)) if by == tx && part.contains(at) => at = part.end(),
                _ => return Some(at),
            }
        }
        None
    }

    /// The first part of `span` that `tx` allocated and that is still in use.
    pub(crate) fn first_of(&self, tx: TxId, span: Span) -> Option<Span> {
        let mut at = span.start();
        while let Some((part, by)) = self.next(at).filter(|(part, _)| part.overlaps(span)) {
            if by == tx {
                return Some(part);
            }
            assert!(part.end() > at, "a walk in page order never turns back");
            at = part.end();
        }
        None
    }

    /// The longest front part of `span` that one transaction allocated, and that transaction; 0: not known.
    pub(crate) fn front_part(&self, span: Span) -> (Span, TxId) {
        let unknown = TxId::new(0);
        let Some((part, by)) = self.next(span.start()).filter(|(part, _)| part.overlaps(span)) else {
            return (span, unknown);
        };
        match Span::between(span.start(), part.start()) {
            Some(gap) => (gap, unknown),
            None => (part.intersection(span).unwrap_or(span), by),
        }
    }

    /// No page of `span`, which was [isolated](Self::isolate), is in use any longer.
    pub(crate) fn forget_within(&mut self, span: Span) {
        while let Some((part, _)) = self.next(span.start()).filter(|(part, _)| part.overlaps(span)) {
            assert!(span.covers(part), "records were cut at both ends of the span");
            self.forget(part.start());
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let lists: usize = self.by_tx.iter().map(|(_, spans)| spans.capacity() * size_of::<Span>()).sum();
        self.spans.memory_bytes() + self.by_tx.capacity() * size_of::<(TxId, Vec<Span>)>() + lists
    }

    fn find_tx(&self, tx: TxId) -> Option<usize> {
        // Nearly always the last.
        self.by_tx.iter().rposition(|(other, _)| *other == tx)
    }

    /// The index of `tx`, which is added if it is not there.
    fn of_tx(&mut self, tx: TxId) -> Result<usize, FreelistError> {
        let later = self.by_tx.iter().rev().take_while(|(other, _)| *other > tx).count();
        let at = self.by_tx.len() - later;
        if at > 0 && self.by_tx[at - 1].0 == tx {
            return Ok(at - 1);
        }
        self.by_tx.try_reserve(1)?;
        self.by_tx.insert(at, (tx, Vec::new()));
        debug_assert!(self.by_tx.iter().is_sorted_by_key(|(tx, _)| *tx), "transactions are recorded in their order");
        Ok(at)
    }
}
