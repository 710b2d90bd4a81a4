//! The list of free pages as it lies in the file: bbolt's freelist page.

use freelist_core::{PageId, Span};

use crate::error::Result;
use crate::format::{FreelistPage, FreelistWriter, Kind, ListSeal, Malformed, Meta, NO_FREELIST, freelist_len};
use crate::store::{Link, PageSet, Pages, corrupt, page_span};

/// A list in the file.
#[derive(Debug)]
pub(crate) struct StoredList<'t> {
    /// The pages that hold it.
    pub(crate) span: Span,
    kind: Kind,
    bytes: &'t [u8],
    ids: Result<FreelistPage<'t>, Malformed>,
}

impl<'t> StoredList<'t> {
    /// The list that starts at the page that a meta names in its field `freelist`; none where the meta names none.
    ///
    /// # Errors
    /// `Corrupt` where there is no page that can be read.
    pub(crate) fn find(pages: Pages<'t>, freelist: u64) -> Result<Option<Self>> {
        if freelist == NO_FREELIST {
            return Ok(None);
        }
        let page = PageId::new(freelist);
        let (header, bytes) = pages.page(page)?;
        let span = page_span(freelist, u64::from(header.overflow).saturating_add(1))?;
        assert!(span.end().get() <= pages.high_water(), "a page that was read ends below the high-water mark");
        Ok(Some(Self { span, kind: header.kind, bytes, ids: FreelistPage::parse(bytes, header) }))
    }

    /// Whether the page says that it is a list. In a damaged file the meta can name any page.
    pub(crate) fn is_list(&self) -> bool {
        self.kind == Kind::Freelist
    }

    /// The page numbers in it, in the order in which they are there.
    ///
    /// # Errors
    /// `Corrupt` where the page breaks the format.
    pub(crate) fn ids(&self) -> Result<impl ExactSizeIterator<Item = u64> + use<'t>> {
        match &self.ids {
            Ok(list) => Ok(list.ids()),
            &Err(Malformed(what)) => Err(corrupt(Link::page(self.span.start()), what)),
        }
    }

    /// The free pages of a list that was written together with `meta` and has not changed since: its seal says so. None if
    /// the seal does not, or is forged and the list cannot be right. O(free pages).
    pub(super) fn sealed(&self, meta: &Meta) -> Option<PageSet> {
        let count = self.ids().ok()?.len() as u64;
        let seal = ListSeal::of(self.span.start().get(), count, self.bytes);
        if ListSeal::find(&meta.extension)? != seal {
            return None;
        }
        self.pages(meta)
    }

    /// The free pages, if the list can be right for the state of `meta`: each page once, inside the file, and neither
    /// the root page nor one of the list's own.
    fn pages(&self, meta: &Meta) -> Option<PageSet> {
        let mut pages = PageSet::new(meta.high_water);
        let inside = self.ids().ok()?.all(|page| page >= 2 && pages.add(page));
        let apart = !pages.has(meta.root) && self.span.pages().all(|page| !pages.has(page.get()));
        (inside && apart).then_some(pages)
    }
}

/// How many pages a list of `count` page numbers takes.
pub(super) fn list_pages(count: u64, page_size: u32) -> u64 {
    freelist_len(count).div_ceil(u64::from(page_size))
}

/// The bytes of a list at `span` with the pages of `count` free pages, which `spans` visits in page order.
pub(super) fn list_bytes(
    span: Span,
    page_size: u32,
    count: u64,
    spans: impl FnOnce(&mut dyn FnMut(Span)),
) -> Result<Vec<u8>> {
    let start = Link::page(span.start());
    let too_large = || corrupt(start, "freelist does not fit into memory");
    let bytes = span.len().checked_mul(page_size.into()).ok_or_else(too_large)?;
    let overflow = u32::try_from(span.len().saturating_sub(1)).map_err(|_| too_large())?;
    let mut list = vec![0; usize::try_from(bytes).map_err(|_| too_large())?];
    assert!(freelist_len(count) <= bytes, "the list was given enough pages");
    let mut writer = FreelistWriter::new(&mut list, span.start().get(), overflow, count);
    let mut end = 2;
    spans(&mut |free| {
        assert!(free.start().get() >= end, "free pages come in page order, and the meta pages are not among them");
        assert!(!free.overlaps(span), "the list's own pages are not free");
        end = free.end().get();
        free.pages().for_each(|page| writer.add(page.get()));
    });
    writer.finish();
    Ok(list)
}
