//! Which pages are free, found by walking everything that is used.

use freelist_core::{PageId, Span};

use crate::error::{Error, Result};
use crate::format::{BucketHeader, Meta, Node};
use crate::store::{Link, Pages, bucket_root, spans_of};
use crate::tree::{Root, Walk};
use crate::tx::PageSet;

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
