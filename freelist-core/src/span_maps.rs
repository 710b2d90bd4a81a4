//! The span maps.

use crate::error::FreelistError;
use crate::free_spans::FreeSpans;
use crate::page::{PageId, Span};
use crate::request::Request;
use crate::sorted_array::SortedArray;

/// Free spans, by length and by either end.
#[derive(Debug, Default)]
pub struct SpanMaps(SortedArray);

impl SpanMaps {
    /// An empty set. Allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(SortedArray::new())
    }
}

impl FreeSpans for SpanMaps {
    fn find(&self, request: Request) -> Result<Option<Span>, FreelistError> {
        self.0.find(request)
    }
    fn take(&mut self, span: Span) -> Result<(), FreelistError> {
        self.0.take(span)
    }
    fn release(&mut self, span: Span) -> Result<(), FreelistError> {
        self.0.release(span)
    }
    fn next_span(&self, page: PageId) -> Option<Span> {
        self.0.next_span(page)
    }
    fn free_pages(&self) -> u64 {
        self.0.free_pages()
    }
    fn free_spans(&self) -> u64 {
        self.0.free_spans()
    }
    fn largest(&self) -> u64 {
        self.0.largest()
    }
    fn clear(&mut self) {
        self.0.clear();
    }
    fn reserve(&mut self, spans: u64, window: Span) -> Result<(), FreelistError> {
        self.0.reserve(spans, window)
    }
    fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}
