//! Reading the log of a state: every page as the one that names it says, down from the meta's extension.

use std::collections::BTreeMap;

use freelist_core::{PageId, Span};

use super::stale::INDEX;
use super::{SpaceLog, pages_of};
use crate::format::{LogPage, LogRoot, Meta, NO_FREELIST, PageSum, RegionIndex, SpaceChange, SpaceChanges};
use crate::store::{PageSet, Pages, page_span};

/// The page that is not what it must be.
type Wrong = PageId;

/// What the log says, in its order, as far as it is to be done once all of it has been read.
#[derive(Default)]
struct Told {
    /// The changes of pages, with the page that says so.
    changes: Vec<(PageId, SpaceChange)>,
    /// Regions past the end of the file that have a page of bits so far, with the page that says so. A commit that cuts
    /// them off the file says that they have none.
    past: BTreeMap<u64, PageId>,
}

impl SpaceLog {
    /// The log that `meta` names; none if it names none. O(pages / 64 + changes).
    ///
    /// # Errors
    /// The page that is not the one that the meta means, or says what cannot be. Nothing of the log is of use then.
    pub(crate) fn read(pages: Pages<'_>, meta: &Meta) -> Result<Option<Self>, Wrong> {
        let Some(root) = LogRoot::find(&meta.extension).filter(|_| meta.freelist == NO_FREELIST) else {
            return Ok(None);
        };
        let mut log = Self::empty(pages.page_size(), pages.high_water());
        let mut told = Told::default();
        if let Some(index) = root.index {
            log.read_index(pages, index, &mut told)?;
        }
        let chain = log.read_log_pages(pages, &root)?;
        let recent = PageId::new(meta.slot());
        log.recent = root.changes.to_vec();
        for (number, (page, bytes)) in (0..).zip(chain.iter().copied()) {
            log.note((page, bytes, number), &mut told)?;
        }
        let current = log.current();
        log.note((recent, root.changes, current), &mut told)?;
        if let Some((_, &page)) = told.past.first_key_value() {
            return Err(page);
        }
        log.read_regions(pages)?;
        for (page, change) in told.changes {
            log.replay(change).ok_or(page)?;
        }
        log.judge(pages, meta)?;
        Ok(Some(log))
    }

    fn read_index(&mut self, pages: Pages<'_>, index: PageSum, told: &mut Told) -> Result<(), Wrong> {
        let (image, span) = read(pages, index)?;
        self.index = Some((span, index.checksum));
        for (region, stored) in (0..).zip(RegionIndex::entries(image)) {
            self.note_region(region, stored, span.start(), told);
        }
        Ok(())
    }

    /// Page `page` says where the bits of a region lie.
    fn note_region(&mut self, region: u64, stored: Option<PageSum>, page: PageId, told: &mut Told) {
        if region < self.regions.count_below(self.end) {
            self.regions.note(region, stored);
        } else if stored.is_some() {
            told.past.insert(region, page);
        } else {
            told.past.remove(&region);
        }
    }

    /// The log pages and the changes in them, the oldest first.
    fn read_log_pages<'p>(&mut self, pages: Pages<'p>, root: &LogRoot<'_>) -> Result<Vec<(PageId, &'p [u8])>, Wrong> {
        let mut chain = Vec::new();
        let mut next = root.newest;
        self.newest = root.newest;
        for _ in 0..root.pages.min(pages.high_water()) {
            let Some(sum) = next else { break };
            let (image, span) = read(pages, sum)?;
            let page = LogPage::parse(image).map_err(|_| span.start())?;
            if span.len() != 1 {
                return Err(span.start());
            }
            if chain.is_empty() {
                self.before_newest = page.before;
                self.tail = page.changes.to_vec();
            }
            next = page.before;
            chain.push((span.start(), page.changes));
        }
        if chain.len() as u64 != root.pages {
            return Err(PageId::new(root.newest.map_or(0, |newest| newest.page)));
        }
        chain.reverse();
        self.pages = chain.iter().map(|(page, _)| page.get()).collect();
        if self.pages.len() == 1 {
            self.before_newest = None;
        }
        Ok(chain)
    }

    /// Notes what the changes in log page number `number` make stale, and where they say that regions lie.
    fn note(&mut self, (page, bytes, number): (PageId, &[u8], u64), told: &mut Told) -> Result<(), Wrong> {
        for change in SpaceChanges(bytes) {
            let change = change.map_err(|_| page)?;
            if let SpaceChange::Moved { region, to } = change {
                self.note_region(region, to, page, told);
                self.stale.clear(region);
                self.stale.mark(INDEX, number);
            } else if let Some(change) = clipped(change, self.regions.end_of(self.end)) {
                self.mark(change, number, |_| false);
                told.changes.push((page, change));
            }
        }
        Ok(())
    }

    fn read_regions(&mut self, pages: Pages<'_>) -> Result<(), Wrong> {
        let stored: Vec<_> = (0..).zip(self.regions.all_stored()).collect();
        for (region, stored) in stored {
            let Some(stored) = stored else { continue };
            let (image, span) = read(pages, stored)?;
            if span.len() != 1 {
                return Err(span.start());
            }
            self.regions.load(region, image);
        }
        Ok(())
    }

    /// Does what a change says; none where it cannot be.
    fn replay(&mut self, change: SpaceChange) -> Option<()> {
        let (first, count, free) = pages_of(change)?;
        let span = page_span(first, count).ok()?;
        if first < 2 {
            return None;
        }
        // The bits may be newer than the change.
        let _ = self.regions.set(span, free);
        Some(())
    }

    /// Whether the log can be right for the state of `meta`: what it says is free is neither a page of the log nor the
    /// root, and lies in the file; the log has each of its pages once.
    fn judge(&self, pages: Pages<'_>, meta: &Meta) -> Result<(), Wrong> {
        let root = Span::single(PageId::new(meta.root)).ok();
        let mut own = PageSet::new(pages.high_water());
        for span in self.own_pages() {
            if own.add_run(span.start().get(), span.len()).is_some() || own.has(meta.root) {
                return Err(span.start());
            }
        }
        let free = |span: &Span| !self.regions.all_used(*span);
        if let Some(span) = self.own_pages().into_iter().chain(root).find(free) {
            return Err(span.start());
        }
        let beyond = self.regions.first_free_from(pages.high_water());
        let meta_page = self.regions.first_free_from(0).filter(|&page| page < 2);
        match meta_page.or(beyond) {
            Some(page) => Err(PageId::new(page)),
            None => Ok(()),
        }
    }
}

/// The part of a change that lies in the regions of the file, which end at page `end`: the file has been longer.
fn clipped(change: SpaceChange, end: u64) -> Option<SpaceChange> {
    let (first, pages, free) = pages_of(change)?;
    let pages = pages.min(end.saturating_sub(first));
    let whole = if free { SpaceChange::Free { first, pages } } else { SpaceChange::Used { first, pages } };
    (pages > 0).then_some(whole)
}

/// The page, or pages, that `sum` means.
fn read(pages: Pages<'_>, sum: PageSum) -> Result<(&[u8], Span), Wrong> {
    let page = PageId::new(sum.page);
    let (header, image) = pages.page(page).map_err(|_| page)?;
    let span = page_span(sum.page, header.pages()).map_err(|_| page)?;
    if PageSum::of(sum.page, image) == sum { Ok((image, span)) } else { Err(page) }
}
