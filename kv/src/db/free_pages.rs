//! Which pages are free: as the file lists them, or by walking everything that is used.

use freelist_core::{PageId, Span};

use crate::error::{Error, Result};
use crate::format::{BucketHeader, FreelistPage, Meta, NO_FREELIST, Node};
use crate::store::{Link, Pages, bucket_root, page_span};
use crate::tree::{Root, Walk};
use crate::tx::PageSet;

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
    let mut used = PageSet::new(meta.high_water);
    let mut roots = vec![Link::page(PageId::new(meta.root))];
    while let Some(root) = roots.pop() {
        for visit in Walk::new(pages, Root::Link(root)) {
            let visit = visit?;
            let first = visit.page.link.page_id();
            for page in first.get()..first.get() + visit.pages {
                if !used.add(page) {
                    return Err(Error::Corrupt { page: PageId::new(page), what: "page is used in two places" });
                }
            }
            let Node::Leaf(leaf) = &visit.page.node else { continue };
            for index in (0..leaf.count()).filter(|&index| leaf.is_bucket(index)) {
                let value = visit.page.entry(leaf, index)?.value;
                let header = visit.page.located(BucketHeader::parse(value))?;
                if header.root != 0 {
                    roots.push(bucket_root(visit.page.link, header.root)?);
                }
            }
        }
    }
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
