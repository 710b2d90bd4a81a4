//! What a commit writes of the log: first a draft, which says how many pages it needs and which it gives up; then, when
//! the free space has given them, the pages and the extension.

use std::collections::BTreeSet;

use freelist_core::Span;

use super::super::NO_CEILING;
use super::stale::{INDEX, Unit};
use super::{PAGES_MAX, SpaceLog, WrittenLog, pages_of, single};
use crate::error::Result;
use crate::format::{LogPage, LogRoot, PageSum, RegionIndex, SpaceChange, SpaceChanges};
use crate::store::page_span;

/// Units that one commit writes in order to bring the log below a ceiling.
const MOVED_AT_ONCE: usize = 8;

/// A commit's part of the log, before its pages have numbers.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The changes of the trees' pages.
    changes: Vec<SpaceChange>,
    /// Regions to be written, and whether they get a page: where nothing is free they need none.
    regions: Vec<(Unit, bool)>,
    /// Pages of a new index, if it gets one.
    index: Option<u64>,
    /// How many log pages are written; the first is the newest so far, written anew, unless that is given up.
    log_pages: u64,
    /// The changes so far are still needed, from this log page on.
    keep_from: Option<u64>,
    /// Every page that the log gives up.
    pub(crate) freed: Vec<Span>,
}

impl Draft {
    /// How many pages each part needs.
    pub(crate) fn lengths(&self) -> Vec<u64> {
        let regions = self.regions.iter().filter(|(_, page)| *page).map(|_| 1);
        let index = self.index.filter(|&pages| pages > 0);
        index.into_iter().chain(regions).chain((0..self.log_pages).map(|_| 1)).collect()
    }

    /// Whether the bits of a region get a page, in which they are as they will be after the commit.
    fn writes(&self, region: Unit) -> bool {
        self.regions.binary_search(&(region, true)).is_ok()
    }

    /// Whether nothing but the extension is written.
    fn is_brief(&self) -> bool {
        self.regions.is_empty() && self.index.is_none() && self.log_pages == 0
    }
}

impl SpaceLog {
    /// What a commit has to write that makes `changes`, so that its trees' pages lie below `high_water`. From `ceiling` on
    /// no part of the log is to lie.
    ///
    /// From here on this is the log of the new state. If the commit does not come to be, it is of no use any more.
    pub(crate) fn draft(&mut self, changes: Vec<SpaceChange>, high_water: u64, ceiling: u64) -> Result<Draft> {
        let mut encoded = Vec::new();
        for &change in &changes {
            change.append(&mut encoded);
            self.apply(change)?;
        }
        let bytes = self.recent.len().saturating_add(encoded.len());
        let current = self.current();
        for &change in &changes {
            self.mark(change, current, |_| false);
        }
        let mut draft =
            Draft { changes, regions: Vec::new(), index: None, log_pages: 0, keep_from: Some(0), freed: Vec::new() };
        let mut units = self.past_the_end(high_water);
        units.extend(self.above(ceiling));
        if self.begins {
            units.extend(self.stale.iter().map(|(_, unit)| unit));
        } else if bytes > LogRoot::ROOM || !units.is_empty() {
            units.extend(self.stale.iter().take(self.turn(bytes)).map(|(_, unit)| unit));
        } else {
            return Ok(draft);
        }
        draft.keep_from = self.stale.iter().find(|(_, unit)| !units.contains(unit)).map(|(page, _)| page);
        let index = units.remove(&INDEX);
        draft.regions = units.into_iter().map(|region| (region, self.regions.any_free(region))).collect();
        if index {
            draft.index = Some(self.index_pages(&draft));
        }
        self.give_up(&mut draft);
        // At the beginning every bit is written, with the pages that the log takes.
        draft.log_pages = if self.begins { 0 } else { self.log_pages(&draft, bytes, high_water) };
        if draft.log_pages > 0 && draft.keep_from.is_some() {
            // Written anew, with the new changes.
            draft.freed.extend(self.newest.and_then(|newest| single(newest.page)));
        }
        Ok(draft)
    }

    /// Regions that a file of `high_water` pages does not have. They give up their pages of bits at once: whoever reads the
    /// log looks at no bits past the end, and the file may become longer again.
    fn past_the_end(&self, high_water: u64) -> BTreeSet<Unit> {
        if high_water >= self.end {
            return BTreeSet::new();
        }
        let past = self.regions.count_below(high_water)..self.regions.len();
        past.filter(|&region| self.regions.stored(region).is_some() || self.stale.has(region)).collect()
    }

    /// What is to be written so that the log gets below `ceiling`: a few units of those that lie above it, and if it has a
    /// log page there, of those that keep the oldest log page.
    fn above(&self, ceiling: u64) -> Vec<Unit> {
        if ceiling == NO_CEILING {
            return Vec::new();
        }
        let regions = (0..).zip(self.regions.all_stored());
        let regions = regions.filter(|(_, stored)| stored.is_some_and(|stored| stored.page >= ceiling));
        let index = self.index.filter(|(span, _)| span.end().get() > ceiling).map(|_| INDEX);
        let oldest = if self.pages.iter().any(|&page| page >= ceiling) { MOVED_AT_ONCE } else { 0 };
        let oldest = self.stale.iter().take(oldest).map(|(_, unit)| unit);
        regions.map(|(region, _)| region).take(MOVED_AT_ONCE).chain(index).chain(oldest).collect()
    }

    /// How many units are written with `bytes` of changes: so many that all of them are, and the log pages of before can go,
    /// by the time that the log is as long as it may be.
    fn turn(&self, bytes: usize) -> usize {
        let units = self.regions.len().saturating_add(1);
        let longest = units.min(PAGES_MAX).saturating_mul(LogPage::room(self.page_size) as u64);
        let turn = units.saturating_mul(bytes as u64).div_ceil(longest.max(1));
        usize::try_from(turn).unwrap_or(usize::MAX).min(self.stale.len())
    }

    /// Pages of the index that this draft writes; none if no region has a page.
    fn index_pages(&self, draft: &Draft) -> u64 {
        let written = |unit: Unit| draft.regions.iter().find(|(region, _)| *region == unit).map(|(_, page)| *page);
        let any = (0..self.regions.len()).any(|unit| written(unit).unwrap_or(self.regions.stored(unit).is_some()));
        if any { RegionIndex::pages(self.regions.len(), self.page_size) } else { 0 }
    }

    /// Notes the pages that the log no longer needs.
    fn give_up(&self, draft: &mut Draft) {
        let regions = draft.regions.iter().filter_map(|&(unit, _)| self.regions.stored(unit));
        draft.freed.extend(regions.filter_map(|stored| single(stored.page)));
        if draft.index.is_some() {
            draft.freed.extend(self.index.map(|(span, _)| span));
        }
        let dropped = draft.keep_from.map_or(self.pages.len(), |from| self.older_than(from));
        draft.freed.extend(self.pages.iter().take(dropped).copied().filter_map(single));
    }

    /// How many log pages have a smaller number than `page`.
    fn older_than(&self, page: u64) -> usize {
        usize::try_from(page.saturating_sub(self.oldest)).unwrap_or(usize::MAX).min(self.pages.len())
    }

    /// How many log pages hold the changes so far, if they are kept, and those of the log's own pages: enough for whatever
    /// numbers its pages get. None if the extension has room for all of them.
    fn log_pages(&self, draft: &Draft, bytes: usize, high_water: u64) -> u64 {
        let parts = draft.freed.len().saturating_add(draft.regions.len()).saturating_add(1);
        // Each log page adds one that comes and at most one that goes.
        let own = |log_pages: usize| {
            let longest = SpaceChange::bytes_max(high_water.saturating_add(1 << 32));
            parts
                .saturating_add(draft.regions.len())
                .saturating_add(log_pages.saturating_mul(2))
                .saturating_mul(longest)
        };
        if draft.keep_from.is_none() && own(0) <= LogRoot::ROOM {
            return 0;
        }
        let kept = if draft.keep_from.is_some() { self.tail.len().saturating_add(bytes) } else { 0 };
        let longest = SpaceChange::bytes_max(u64::MAX);
        let room = LogPage::room(self.page_size).saturating_sub(longest);
        let mut pages = 1;
        while room.saturating_mul(pages) < kept.saturating_add(own(pages)) {
            pages = pages.saturating_add(1);
        }
        pages as u64
    }

    /// The pages and the extension of `draft`, whose parts have got the pages `placed`, in a state that ends
    /// at page `end`. `own` are the changes of pages of the log itself.
    pub(crate) fn write(&mut self, draft: &Draft, placed: &[u64], own: &[SpaceChange], end: u64) -> Result<WrittenLog> {
        self.end = end;
        self.begins = false;
        if draft.is_brief() {
            assert!(own.is_empty() && placed.is_empty(), "what only the extension tells needs no page");
            draft.changes.iter().for_each(|change| change.append(&mut self.recent));
            return Ok(WrittenLog { images: Vec::new(), extension: self.extension() });
        }
        for &change in own {
            self.apply(change)?;
        }
        let mut placed = placed.iter().copied();
        let index = draft.index.filter(|&pages| pages > 0).and_then(|pages| Some((placed.next()?, pages)));
        let mut images = Vec::new();
        let mut moved = Vec::new();
        for &(region, page) in &draft.regions {
            let page = if page { placed.next() } else { None };
            let image = self.regions.store(region, page);
            images.extend(page.zip(image));
            self.stale.clear(region);
            moved.push(SpaceChange::Moved { region, to: self.regions.stored(region) });
        }
        if draft.index.is_some() {
            self.write_index(index, &mut images)?;
        }
        let first = self.drop_pages(draft);
        for &change in own {
            self.mark(change, first, |region| draft.writes(region));
        }
        if draft.index.is_none() && !moved.is_empty() {
            self.stale.mark(INDEX, first);
        }
        let log_pages: Vec<u64> = placed.collect();
        assert_eq!(log_pages.len() as u64, draft.log_pages, "each part of the log has its pages");
        let changes = self.changes_to_keep(draft, own, &moved);
        self.recent.clear();
        if log_pages.is_empty() {
            assert!(self.pages.is_empty(), "without log pages nothing older is needed");
            for change in changes {
                change.append(&mut self.recent);
            }
            assert!(self.recent.len() <= LogRoot::ROOM, "the draft saw to it that there is room");
        } else {
            self.write_log_pages(&log_pages, &changes, &mut images);
        }
        self.regions.truncate(end);
        images.sort_unstable_by_key(|(page, _)| *page);
        Ok(WrittenLog { images, extension: self.extension() })
    }

    fn write_index(&mut self, index: Option<(u64, u64)>, images: &mut Vec<(u64, Vec<u8>)>) -> Result<()> {
        self.stale.clear(INDEX);
        self.index = None;
        let Some((page, pages)) = index else { return Ok(()) };
        let span = page_span(page, pages)?;
        let overflow = u32::try_from(pages.saturating_sub(1)).unwrap_or(u32::MAX);
        let len = usize::try_from(pages).unwrap_or(usize::MAX).saturating_mul(self.page_size as usize);
        let image = RegionIndex::image(page, overflow, len, self.regions.all_stored());
        self.index = Some((span, PageSum::of(page, &image).checksum));
        images.push((page, image));
        Ok(())
    }

    /// The changes that are not in the log pages, nor in the bits of the regions, nor in the index, as they are in the file
    /// now. While older changes are kept, all that this commit made must follow them.
    fn changes_to_keep(&self, draft: &Draft, own: &[SpaceChange], moved: &[SpaceChange]) -> Vec<SpaceChange> {
        let kept = draft.keep_from.is_some();
        let mut changes = Vec::new();
        if kept {
            changes.extend(SpaceChanges(&self.recent).map_while(std::result::Result::ok));
            changes.extend_from_slice(&draft.changes);
        }
        changes
            .extend(own.iter().filter(|&&change| kept || self.regions_of(change).any(|region| !draft.writes(region))));
        if kept || draft.index.is_none() {
            changes.extend_from_slice(moved);
        }
        changes
    }

    /// Takes out the log pages that are no longer needed, and the newest, if it is written anew. The number of the log page
    /// that the changes go to.
    fn drop_pages(&mut self, draft: &Draft) -> u64 {
        let dropped = draft.keep_from.map_or(self.pages.len(), |from| self.older_than(from));
        self.pages.drain(..dropped);
        self.oldest = self.oldest.saturating_add(dropped as u64);
        if self.pages.is_empty() {
            self.tail.clear();
            (self.newest, self.before_newest) = (None, None);
        } else if draft.log_pages > 0 {
            self.pages.pop_back();
            self.newest = None;
        }
        if self.pages.is_empty() {
            self.before_newest = None;
        }
        self.oldest.saturating_add(self.pages.len() as u64)
    }

    /// Fills `log_pages` with the changes in the tail and then these.
    fn write_log_pages(&mut self, log_pages: &[u64], changes: &[SpaceChange], images: &mut Vec<(u64, Vec<u8>)>) {
        let room = LogPage::room(self.page_size);
        let mut changes = changes.iter().peekable();
        let mut bytes = std::mem::take(&mut self.tail);
        let mut next = Vec::new();
        for (at, &page) in (1..).zip(log_pages) {
            while let Some(change) = changes.peek() {
                let len = bytes.len();
                change.append(&mut bytes);
                if bytes.len() > room {
                    next = bytes.split_off(len);
                    changes.next();
                    break;
                }
                changes.next();
            }
            let image = LogPage { before: self.before_newest, changes: &bytes }.image(page, self.page_size);
            let sum = PageSum::of(page, &image);
            images.push((page, image));
            self.pages.push_back(page);
            self.newest = Some(sum);
            if at < log_pages.len() {
                self.before_newest = Some(sum);
                bytes = std::mem::take(&mut next);
            }
        }
        assert!(changes.next().is_none() && next.is_empty(), "the draft asked for enough log pages");
        self.tail = bytes;
    }

    /// Notes a change of pages in the bits.
    fn apply(&mut self, change: SpaceChange) -> Result<()> {
        if let Some((first, pages, free)) = pages_of(change) {
            let changed = self.regions.set(page_span(first, pages)?, free);
            assert!(changed, "a page that becomes free was in use, and one that comes into use was free");
        }
        Ok(())
    }

    /// The regions of a change, which is in log page number `page`, are no longer as the file has them, but for those that
    /// are `written` just now.
    pub(super) fn mark(&mut self, change: SpaceChange, page: u64, written: impl Fn(u64) -> bool) {
        for region in self.regions_of(change).filter(|&region| !written(region)) {
            self.stale.mark(region, page);
        }
    }

    fn regions_of(&self, change: SpaceChange) -> impl Iterator<Item = u64> + use<> {
        let span = pages_of(change).and_then(|(first, pages, _)| page_span(first, pages).ok());
        let regions = span.map(|span| self.regions.of(span));
        regions.into_iter().flatten()
    }
}
