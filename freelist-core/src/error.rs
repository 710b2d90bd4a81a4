//! What can go wrong: the page concerned, and what to do about it.

use core::fmt;

use crate::page::{PageId, TxId};

/// Why a free list refused a call. Unless a method says otherwise, nothing has changed then.
///
/// ```
/// use freelist_core::{FreeSpans, FreelistError, PageId, Span, SpanMaps};
///
/// let mut free = SpanMaps::new();
/// free.release(Span::new(PageId::new(10), 5)?)?;
/// let error = free.release(Span::new(PageId::new(8), 4)?).unwrap_err();
/// assert_eq!(error, FreelistError::DoubleFree { page: PageId::new(10) });
/// assert!(error.to_string().contains("page 10"));
/// # Ok::<(), FreelistError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FreelistError {
    /// A span of 0 pages, or one that reaches beyond page `u64::MAX - 1`.
    InvalidSpan {
        /// Its first page.
        start: PageId,
        /// Its length in pages.
        len: u64,
    },
    /// A request for 0 pages.
    EmptyRequest,
    /// An alignment that is not a power of two.
    InvalidAlignment {
        /// The alignment, in pages.
        pages: u64,
    },
    /// The page is already free or pending.
    DoubleFree {
        /// The first such page of the span.
        page: PageId,
    },
    /// The page is in use, but only free pages can be taken.
    NotFree {
        /// The first page of the span that is in use.
        page: PageId,
    },
    /// The transaction gives back a page that it did not allocate.
    NotAllocated {
        /// The first such page of the span.
        page: PageId,
        /// The transaction.
        tx: TxId,
    },
    /// There is no memory left for the free list itself.
    OutOfMemory,
    /// A page source supplied a span against its contract: one that the allocator already has, or one
    /// that does not meet the request.
    BadSource {
        /// The first page of that span that is wrong.
        page: PageId,
    },
    /// The bytes of a saved image are cut short, damaged, or something else.
    #[cfg(feature = "image")]
    BadImage {
        /// The number of good bytes.
        offset: usize,
        /// What is wrong after them.
        what: &'static str,
    },
}

impl fmt::Display for FreelistError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::InvalidSpan { start, len } => write!(
                out,
                "a span of {len} pages cannot start at page {start}: it needs at least 1 page and must end by page {}",
                u64::MAX - 1
            ),
            Self::EmptyRequest => out.write_str("0 pages requested: ask for at least 1"),
            Self::InvalidAlignment { pages } => {
                write!(out, "{pages} pages is not a valid alignment: use a power of two")
            }
            Self::DoubleFree { page } => {
                write!(out, "page {page} is already free or pending: it was released twice, or is listed twice")
            }
            Self::NotFree { page } => write!(out, "page {page} is in use: only free pages can be taken"),
            Self::NotAllocated { page, tx } => {
                write!(out, "transaction {tx} did not allocate page {page}: free the page instead of giving it back")
            }
            Self::OutOfMemory => {
                out.write_str("out of memory for the free list: release memory and try again, or reserve ahead")
            }
            Self::BadSource { page } => {
                write!(out, "the page source must not supply page {page} now: run the conformance suite on the source")
            }
            #[cfg(feature = "image")]
            Self::BadImage { offset, what } => {
                write!(out, "the saved free list is damaged at byte {offset}: {what}; rebuild it from the pages in use")
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
