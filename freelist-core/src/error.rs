//! What can go wrong, with the page concerned and what to do about it.

use core::fmt;

use crate::page::{PageId, TxId};

/// Why a free list refused a call. Unless a method says otherwise, nothing has changed then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FreelistError {
    /// A span of no pages, or one that reaches beyond page `u64::MAX - 1`.
    InvalidSpan {
        /// Its first page.
        start: PageId,
        /// Its length in pages.
        len: u64,
    },
    /// A request for no pages.
    EmptyRequest,
    /// An alignment that is not a power of two.
    InvalidAlignment {
        /// The alignment asked for, in pages.
        pages: u64,
    },
    /// The page is free already, or waits to become free.
    DoubleFree {
        /// The first page of the span that is.
        page: PageId,
    },
    /// The page should be free and is not.
    NotFree {
        /// The first page of the span that is not.
        page: PageId,
    },
    /// The transaction gives back a page that it did not allocate.
    NotAllocated {
        /// The first page of the span that it did not.
        page: PageId,
        /// The transaction.
        tx: TxId,
    },
    /// Memory for the free list itself is out.
    OutOfMemory,
    /// A page source handed out a span that it must not.
    BadSource {
        /// The first page of that span.
        page: PageId,
    },
    /// Saved bytes that are cut short, damaged or of another kind.
    BadImage {
        /// How many bytes were good.
        offset: usize,
        /// What is wrong with the next.
        what: &'static str,
    },
}

impl fmt::Display for FreelistError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::InvalidSpan { start, len } => write!(
                out,
                "a span of {len} pages cannot start at page {start}: ask for at least 1 page, ending before page {}",
                u64::MAX
            ),
            Self::EmptyRequest => out.write_str("0 pages requested: ask for at least 1"),
            Self::InvalidAlignment { pages } => {
                write!(out, "alignment of {pages} pages: use a power of two")
            }
            Self::DoubleFree { page } => {
                write!(out, "page {page} is free already: it was released twice, or is listed twice")
            }
            Self::NotFree { page } => {
                write!(out, "page {page} is in use: only free pages can be taken")
            }
            Self::NotAllocated { page, tx } => {
                write!(out, "transaction {tx} did not allocate page {page}: free it instead of giving it back")
            }
            Self::OutOfMemory => out.write_str(
                "out of memory for the free list: nothing was changed; release memory and try again, or reserve ahead",
            ),
            Self::BadSource { page } => {
                write!(out, "the page source handed out page {page} wrongly: run the conformance suite on it")
            }
            Self::BadImage { offset, what } => {
                write!(out, "saved free list is damaged at byte {offset}: {what}; rebuild it from the pages in use")
            }
        }
    }
}

impl core::error::Error for FreelistError {}

impl From<alloc::collections::TryReserveError> for FreelistError {
    fn from(_: alloc::collections::TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

impl From<hashbrown::TryReserveError> for FreelistError {
    fn from(_: hashbrown::TryReserveError) -> Self {
        Self::OutOfMemory
    }
}
