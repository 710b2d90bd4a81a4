//! What a commit writes of the free space: nothing, the list, or its part of the log.

use std::mem;

use freelist_core::{FreeSpans, PageId, Span, TxId};

use super::log::{SpaceLog, WrittenLog};
use super::{FreeSpace, LowFirst, NO_CEILING, WrittenList};
use crate::error::{Error, Result};
use crate::format::{Extension, NO_FREELIST, SpaceChange};
use crate::store::page_span;

/// What commits are to carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Carry {
    Nothing,
    List,
    Log,
}

/// What a commit carries.
#[derive(Debug)]
pub(crate) enum Written {
    Nothing,
    List(WrittenList),
    Log(Box<WrittenLog>),
}

impl Written {
    /// What a meta has in its field `freelist`.
    pub(crate) fn field(&self) -> u64 {
        match self {
            Self::List(list) => list.span.start().get(),
            Self::Nothing | Self::Log(_) => NO_FREELIST,
        }
    }

    /// The extension of a meta: the seal of the list, or the root of the log.
    pub(crate) fn extension(&self) -> Extension {
        match self {
            Self::Nothing => Extension::NONE,
            Self::List(list) => list.extension(),
            Self::Log(log) => log.extension,
        }
    }

    /// The pages to be written: first page and bytes, ascending.
    pub(crate) fn images(&self) -> Vec<(u64, &[u8])> {
        match self {
            Self::Nothing => Vec::new(),
            Self::List(list) => vec![(list.span.start().get(), &list.bytes)],
            Self::Log(log) => log.images.iter().map(|(page, bytes)| (*page, &**bytes)).collect(),
        }
    }

    /// Bytes of the pages.
    pub(crate) fn bytes(&self) -> u64 {
        self.images().iter().map(|(_, bytes)| bytes.len() as u64).fold(0, u64::saturating_add)
    }
}

/// How far the log of a commit in progress has come.
#[derive(PartialEq, Eq, Default, Debug)]
pub(super) enum LogTurn {
    /// It is as the newest meta has it.
    #[default]
    Untouched,
    /// It has the changes of the state to come, and the pages of the state before.
    Drafted,
    /// It is that of the state to come: these of its pages came, and these went.
    Written { came: Vec<u64>, went: Vec<Span> },
    /// The commit gives it up.
    GivenUp,
}

/// Free pages below a ceiling from which on the log moves there: it takes a few at once, and gives up as many.
const ROOM_FOR_LOG: u64 = 8;

impl FreeSpace {
    /// Writes what transaction `tx` is to carry of the free space: after it has freed and taken all that its trees do.
    ///
    /// # Errors
    /// Those of an allocation, or a list that does not fit into memory.
    pub(crate) fn write(&mut self, tx: TxId, carry: Carry) -> Result<Written> {
        self.begin(tx);
        if carry == Carry::Log {
            return self.write_log(tx);
        }
        self.give_up_log(tx)?;
        match carry {
            Carry::List => Ok(Written::List(self.write_list(tx)?)),
            Carry::Nothing | Carry::Log => Ok(Written::Nothing),
        }
    }

    /// Carries the log on, or begins one. If there is no room for its pages in a file that may not grow, the commit does
    /// without a log.
    fn write_log(&mut self, tx: TxId) -> Result<Written> {
        let (high_water, ceiling) = (self.planned_high_water(), self.log_ceiling());
        let (page_size, list) = (self.page_size, self.allocator.list());
        let mut changes = mem::take(&mut self.changes);
        let log = match &mut self.log {
            Some(log) => {
                changes = changes_since(changes, list.spans(), log.end(), high_water);
                log
            }
            // Where the log begins, the bits have them.
            none => {
                changes.clear();
                none.insert(SpaceLog::begin(page_size, high_water, |visit| list.for_each_span(visit)))
            }
        };
        self.log_turn = LogTurn::Drafted;
        let draft = log.draft(changes, high_water, ceiling)?;
        let lengths = draft.lengths();
        let placed = match if lengths.is_empty() { Ok(Vec::new()) } else { self.place(tx, &lengths) } {
            Ok(placed) => placed,
            Err(Error::MaxSizeReached { .. }) => return self.do_without_log(tx),
            Err(error) => return Err(error),
        };
        for span in &draft.freed {
            self.free_span(tx, *span)?;
        }
        let now = self.planned_high_water();
        let own = changes_since(mem::take(&mut self.changes), self.allocator.list().spans(), high_water, now);
        let Some(log) = &mut self.log else { unreachable!("there is a log by now") };
        let written = log.write(&draft, &placed, &own, now)?;
        self.log_turn = LogTurn::Written { came: placed, went: draft.freed };
        Ok(Written::Log(Box::new(written)))
    }

    /// The page from which on none of the log's pages is to lie: the ceiling, if there is room below it.
    fn log_ceiling(&self) -> u64 {
        let spans = self.allocator.list().spans();
        if spans.room_below().0 >= ROOM_FOR_LOG { spans.ceiling().get() } else { NO_CEILING }
    }

    /// Pages of the log above the ceiling; none while the log does not move. O(regions).
    pub(crate) fn log_above_ceiling(&self) -> u64 {
        let ceiling = self.log_ceiling();
        let own = self.log.as_ref().filter(|_| ceiling != NO_CEILING).map_or_else(Vec::new, SpaceLog::own_pages);
        own.iter().filter(|span| span.end().get() > ceiling).map(|span| span.len()).fold(0, u64::saturating_add)
    }

    /// Gives back what the log has got so far, and its pages.
    fn do_without_log(&mut self, tx: TxId) -> Result<Written> {
        for change in mem::take(&mut self.changes) {
            if let SpaceChange::Used { first, pages } = change {
                self.allocator.list_mut().give_back(tx, page_span(first, pages)?)?;
            }
        }
        self.give_up_log(tx)?;
        Ok(Written::Nothing)
    }

    /// The commit names no log: the pages of the one so far become free.
    fn give_up_log(&mut self, tx: TxId) -> Result<()> {
        for span in self.log.as_ref().map_or_else(Vec::new, SpaceLog::own_pages) {
            self.free_span(tx, span)?;
        }
        self.log_turn = LogTurn::GivenUp;
        Ok(())
    }

    /// The commit has become visible.
    pub(super) fn commit_log(&mut self) {
        if mem::take(&mut self.log_turn) == LogTurn::GivenUp {
            self.log = None;
        }
        self.changes.clear();
    }

    /// The commit did not come to be. A log that was ahead is of no use: the next commit begins another, and gives up the
    /// pages of this one.
    pub(super) fn rollback_log(&mut self) {
        self.changes.clear();
        let (came, went) = match mem::take(&mut self.log_turn) {
            LogTurn::Untouched | LogTurn::GivenUp => return,
            LogTurn::Drafted => (Vec::new(), Vec::new()),
            LogTurn::Written { came, went } => (came, went),
        };
        let mut named = self.log.take().map_or_else(Vec::new, |log| log.own_pages());
        named.retain(|span| !came.contains(&span.start().get()));
        named.extend(went);
        if !named.is_empty() {
            assert!(self.stored.is_empty(), "the newest meta names a list or a log");
            self.stored = named;
            self.outdated = true;
        }
    }
}

/// The changes, as the log tells them, since the high-water mark was `before`: pages after the mark are in use without being
/// told, so those that are free there now have become free, and none comes into use. Free pages at the end that were given
/// back come into use.
fn changes_since(changes: Vec<SpaceChange>, free: &LowFirst, before: u64, now: u64) -> Vec<SpaceChange> {
    let told = |change| match change {
        SpaceChange::Used { first, pages } => {
            let pages = pages.min(before.saturating_sub(first));
            (pages > 0).then_some(SpaceChange::Used { first, pages })
        }
        other => Some(other),
    };
    let mut told: Vec<_> = changes.into_iter().filter_map(told).collect();
    let grown = Span::between(PageId::new(before), PageId::new(now));
    let mut rest = grown;
    while let Some(span) = rest.and_then(|rest| free.next_span(rest.start())?.intersection(rest)) {
        told.push(SpaceChange::Free { first: span.start().get(), pages: span.len() });
        rest = Span::between(span.end(), PageId::new(now));
    }
    if let Some(cut) = Span::between(PageId::new(now), PageId::new(before)) {
        told.push(SpaceChange::Used { first: now, pages: cut.len() });
    }
    told
}
