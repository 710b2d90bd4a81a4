//! What goes from one write transaction to the next.

use std::fmt;

use freelist_core::{FreeSpans, Freelist, Span};

use crate::format::Meta;

/// A freelist of either kind.
pub(crate) type AnyFreelist = Freelist<Box<dyn FreeSpans + Send>>;

/// The state that goes from one write transaction to the next.
pub(crate) struct Writer {
    /// The last meta that is durable.
    pub(crate) meta: Meta,
    pub(crate) freelist: AnyFreelist,
    /// The pages that hold the freelist in the file, if it is there.
    pub(crate) stored: Option<Span>,
    /// Page buffers to use again.
    pub(crate) buffers: Vec<Vec<u8>>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("meta", &self.meta).field("stored", &self.stored).finish_non_exhaustive()
    }
}
