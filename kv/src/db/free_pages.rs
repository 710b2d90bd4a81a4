//! Which pages are free: as the file lists them, or by walking everything that is used.

use freelist_core::{PageId, Span};

use crate::error::Result;
use crate::format::{FreelistPage, Meta, NO_FREELIST};
use crate::store::{Link, Pages, page_span};
use crate::tree::Forest;

/// The pages of the file's freelist, and the spans that it lists. None if the file has no list, or one that cannot be
/// right; then the pages are found by a walk.
pub(super) fn stored(pages: Pages<'_>, meta: &Meta) -> Option<(Span, Vec<Span>)> {
    if meta.freelist == NO_FREELIST {
        return None;
    }
    let (header, bytes) = pages.page(PageId::new(meta.freelist)).ok()?;
    let list = FreelistPage::parse(bytes, header).ok()?;
    let own = page_span(meta.freelist, u64::from(header.overflow) + 1).ok()?;
    let mut ids: Vec<u64> = list.ids().collect();
    if !ids.is_sorted() {
        ids.sort_unstable();
    }
    let spans = spans_of(ids.iter().copied()).ok()?;
    let root = PageId::new(meta.root);
    let inside = |span: &Span| {
        span.start().get() >= 2 && span.end().get() <= meta.high_water && !span.contains(root) && !span.overlaps(own)
    };
    spans.iter().all(inside).then_some((own, spans))
}

/// All pages below the high-water mark that nothing uses. O(pages): every page is looked at, its header at least.
pub(super) fn unused(pages: Pages<'_>, meta: &Meta) -> Result<Vec<Span>> {
    let mut forest = Forest::new(pages, Link::page(PageId::new(meta.root)));
    forest.try_for_each(|visit| visit.map(drop))?;
    let used = forest.into_used();
    spans_of((2..meta.high_water).filter(|&page| !used.has(page)))
}

/// Ascending page numbers as spans. A number that comes twice makes two spans, which no freelist takes.
fn spans_of(ids: impl Iterator<Item = u64>) -> Result<Vec<Span>> {
    let mut spans = Vec::new();
    let mut run: Option<(u64, u64)> = None;
    for id in ids {
        run = Some(match run {
            Some((start, len)) if start.checked_add(len) == Some(id) => (start, len + 1),
            Some((start, len)) => {
                spans.push(page_span(start, len)?);
                (id, 1)
            }
            None => (id, 1),
        });
    }
    if let Some((start, len)) = run {
        spans.push(page_span(start, len)?);
    }
    Ok(spans)
}
