//! Reading the log of a state: every page as the one that names it says, down from the meta's extension.

use freelist_core::{PageId, Span};

use super::stale::INDEX;
use super::{SpaceLog, pages_of};
use crate::format::{LogPage, LogRoot, Meta, NO_FREELIST, PageSum, RegionIndex, RegionPage, SpaceChange, SpaceChanges};
use crate::store::{PageSet, Pages, page_span};

/// The page that is not what it must be.
type Wrong = PageId;

impl SpaceLog {
    /// The log that `meta` names; none if it names none. O(pages / 64 + changes).
    ///
    /// # Errors
    /// The page that is not the one that the meta means, or says what cannot be. Nothing of the log is of use then.
    pub(crate) fn read(pages: Pages<'_>, meta: &Meta) -> Result<Option<Self>, Wrong> {
        let Some(root) = LogRoot::find(&meta.extension).filter(|_| meta.freelist == NO_FREELIST) else {
            return Ok(None);
        };
        let mut log = Self::empty(pages.page_size());
        if let Some(index) = root.index {
            log.read_index(pages, index)?;
        }
        let chain = log.read_log_pages(pages, &root)?;
        let recent = PageId::new(meta.slot());
        log.recent = root.changes.to_vec();
        let mut changes = Vec::new();
        for (number, (page, bytes)) in (0..).zip(chain.iter().copied()) {
            log.note(pages, (page, bytes, number), &mut changes)?;
        }
        let current = log.current();
        log.note(pages, (recent, root.changes, current), &mut changes)?;
        log.read_regions(pages)?;
        for (page, change) in changes {
            log.replay(pages, change).ok_or(page)?;
        }
        log.judge(pages, meta)?;
        Ok(Some(log))
    }

    fn read_index(&mut self, pages: Pages<'_>, index: PageSum) -> Result<(), Wrong> {
        let (image, span) = read(pages, index)?;
        self.index = Some((span, index.checksum));
        let end = regions_below(pages);
        for (region, stored) in (0..).zip(RegionIndex::entries(image)) {
            if stored.is_some() && region >= end {
                return Err(span.start());
            }
            self.regions.note(region, stored);
        }
        Ok(())
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
    fn note(
        &mut self,
        pages: Pages<'_>,
        (page, bytes, number): (PageId, &[u8], u64),
        changes: &mut Vec<(PageId, SpaceChange)>,
    ) -> Result<(), Wrong> {
        let end = regions_below(pages);
        for change in SpaceChanges(bytes) {
            let change = change.map_err(|_| page)?;
            if let SpaceChange::Moved { region, to } = change {
                if region >= end {
                    return Err(page);
                }
                self.regions.note(region, to);
                self.stale.clear(region);
                self.stale.mark(INDEX, number);
            } else {
                let change = clipped(change, pages.high_water());
                if let Some(change) = change {
                    self.mark(change, number, |_| false);
                    changes.push((page, change));
                }
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
    fn replay(&mut self, pages: Pages<'_>, change: SpaceChange) -> Option<()> {
        let (first, count, free) = pages_of(change)?;
        let span = page_span(first, count).ok()?;
        if first < 2 || span.end().get() > pages.high_water() {
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

/// The part of a change below the high-water mark: the file has been longer.
fn clipped(change: SpaceChange, high_water: u64) -> Option<SpaceChange> {
    let (first, pages, free) = pages_of(change)?;
    let pages = pages.min(high_water.saturating_sub(first));
    let whole = if free { SpaceChange::Free { first, pages } } else { SpaceChange::Used { first, pages } };
    (pages > 0).then_some(whole)
}

/// How many regions the file has.
fn regions_below(pages: Pages<'_>) -> u64 {
    pages.high_water().div_ceil(RegionPage::pages(pages.page_size()).max(1))
}

/// The page, or pages, that `sum` means.
fn read(pages: Pages<'_>, sum: PageSum) -> Result<(&[u8], Span), Wrong> {
    let page = PageId::new(sum.page);
    let (header, image) = pages.page(page).map_err(|_| page)?;
    let span = page_span(sum.page, header.pages()).map_err(|_| page)?;
    if PageSum::of(sum.page, image) == sum { Ok((image, span)) } else { Err(page) }
}
