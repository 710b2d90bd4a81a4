//! The order in which spans of each length became free.

use crate::error::FreelistError;
use crate::number_set::reserve_lasting;
use crate::page::Span;
use crate::page_hash::PageMap;

/// For each length a list of its spans, the latest first. About 60 bytes per span.
#[derive(Debug, Default)]
pub(crate) struct Recency {
    /// From each length to the start of its latest span.
    latest: PageMap<u64, u64>,
    links: PageMap<Span, Link>,
}

/// The neighbours of a span in the list of its length, by their starts.
#[derive(Clone, Copy, Debug)]
struct Link {
    later: Option<u64>,
    earlier: Option<u64>,
}

impl Recency {
    /// Makes sure that one [`push`](Self::push) needs no memory.
    pub(crate) fn reserve_one(&mut self) -> Result<(), FreelistError> {
        self.latest.try_reserve(1)?;
        Ok(self.links.try_reserve(1)?)
    }

    /// Adds a span as the latest of its length. Room is reserved.
    pub(crate) fn push(&mut self, span: Span) {
        let start = span.start().get();
        let earlier = self.latest.insert(span.len(), start);
        if let Some(link) = self.link_mut(span.len(), earlier) {
            link.later = Some(start);
        }
        self.links.insert(span, Link { later: None, earlier });
    }

    pub(crate) fn remove(&mut self, span: Span) {
        let Some(Link { later, earlier }) = self.links.remove(&span) else { return };
        if let Some(link) = self.link_mut(span.len(), earlier) {
            link.later = later;
        }
        if let Some(link) = self.link_mut(span.len(), later) {
            link.earlier = earlier;
        } else if let Some(earlier) = earlier {
            // Not `insert`: that may ask for memory also where the key is present.
            if let Some(latest) = self.latest.get_mut(&span.len()) {
                *latest = earlier;
            }
        } else {
            self.latest.remove(&span.len());
        }
    }

    /// The start of the latest span of this length.
    pub(crate) fn latest(&self, len: u64) -> Option<u64> {
        self.latest.get(&len).copied()
    }

    fn link_mut(&mut self, len: u64, start: Option<u64>) -> Option<&mut Link> {
        let span = Span::new(start?.into(), len).ok()?;
        self.links.get_mut(&span)
    }

    pub(crate) fn reserve(&mut self, spans: usize, lengths: usize) -> Result<(), FreelistError> {
        reserve_lasting(&mut self.latest, lengths)?;
        reserve_lasting(&mut self.links, spans)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.latest.allocation_size() + self.links.allocation_size()
    }
}
