//! Where the free space of a state comes from, and what is wrong with the list that the file has of it.

use std::fmt;

use freelist_core::{BitSpans, PageId};

use super::list::StoredList;
use crate::store::{PageSet, Pages};

/// How opening a database found its free pages. [`Stats::freelist`](crate::Stats::freelist) has it.
///
/// ```
/// use kv::{FreelistOrigin, MemStore, Options};
///
/// let store = std::sync::Arc::new(MemStore::new());
/// drop(Options::new().open_store(Box::new(store.clone()))?);
/// let db = Options::new().open_store(Box::new(store.clone()))?;
/// assert_eq!(db.stats().freelist, FreelistOrigin::Checked, "nobody has sealed the list of a new file");
/// db.update(|tx| tx.create_bucket("b").map(drop))?;
/// db.close()?;
/// let db = Options::new().open_store(Box::new(store))?;
/// assert_eq!(db.stats().freelist, FreelistOrigin::Logged, "each commit has written what it changed");
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum FreelistOrigin {
    /// They were not looked for: the database is open read-only.
    #[default]
    NotLoaded,
    /// From the log that this library writes with each commit ([`FreelistSync::Log`](crate::FreelistSync::Log)).
    Logged,
    /// By a walk over all trees: the log is not as it was written. This page of it is another one now: bbolt, to which it is
    /// free, has written over it in a commit that was lost, or the disk has damaged it.
    LogLost(PageId),
    /// From the list in the file, which has the seal that this library writes with each list.
    Sealed,
    /// From the list in the file, which has no seal that fits, and which a walk over all trees found right: the list of
    /// bbolt, of etcd, of a new file or of a backup.
    Checked,
    /// By a walk over all trees: the file has no list, after a crash for example.
    Walked,
    /// By a walk over all trees: the list in the file is wrong.
    Rebuilt(FreelistFault),
}

/// What is wrong with a list of free pages.
///
/// ```
/// let fault = kv::FreelistFault::InUse(kv::PageId::new(5));
/// assert_eq!(fault.to_string(), "page 5 is on it and in use");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FreelistFault {
    /// The page that should hold the list does not, or the list is longer than its pages.
    Unreadable,
    /// The list has this page, and a tree uses it: a commit would have written over it.
    InUse(PageId),
    /// The list has this page more than once.
    Twice(PageId),
    /// The list has this page, which cannot be free: a meta page, a page of the list, or beyond the high-water mark.
    Outside(PageId),
    /// A tree uses this page, which holds the list.
    OwnPage(PageId),
    /// The list does not have this page, and no tree uses it; nor the others that
    /// [`Stats::reclaimed_pages`](crate::Stats::reclaimed_pages) counts.
    Missing(PageId),
}

impl fmt::Display for FreelistFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("it cannot be read"),
            Self::InUse(page) => write!(f, "page {page} is on it and in use"),
            Self::Twice(page) => write!(f, "page {page} is on it twice"),
            Self::Outside(page) => write!(f, "page {page} is on it and cannot be free"),
            Self::OwnPage(page) => write!(f, "page {page}, which holds it, is in use"),
            Self::Missing(page) => write!(f, "page {page} is neither on it nor in use"),
        }
    }
}

/// What a walk says of a list.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Verdict {
    /// The worst that is wrong.
    pub(super) fault: Option<FreelistFault>,
    /// Pages that neither the list nor a tree has.
    pub(super) missing: u64,
}

impl Verdict {
    /// Compares `list` with the pages that the trees use. O(pages / 64 + free pages).
    pub(super) fn of(list: Option<&StoredList<'_>>, used: &PageSet, pages: Pages<'_>) -> Self {
        let unreadable = Self { fault: Some(FreelistFault::Unreadable), missing: 0 };
        let Some(list) = list else { return unreadable };
        let Ok(ids) = list.ids() else { return unreadable };
        let mut accounted = PageSet::new(pages.high_water());
        let mut fault = Worst(list.span.pages().find(|page| used.has(page.get())).map(FreelistFault::OwnPage));
        list.span.pages().for_each(|page| _ = accounted.add(page.get()));
        for page in ids.map(PageId::new) {
            if used.has(page.get()) {
                fault.note(FreelistFault::InUse(page));
            } else if page.get() < 2 || page.get() >= pages.high_water() || list.span.contains(page) {
                fault.note(FreelistFault::Outside(page));
            } else if !accounted.add(page.get()) {
                fault.note(FreelistFault::Twice(page));
            }
        }
        // What is in both is a fault that has been noted.
        let _ = accounted.add_all(used.clone());
        if let Some(first) = BitSpans::new(accounted.absent()).next() {
            fault.note(FreelistFault::Missing(first.start()));
        }
        let missing = accounted.absent().map(|word| u64::from(word.count_ones())).fold(0, u64::saturating_add);
        assert!(fault.0.is_some() || missing == 0, "a list that lacks pages is wrong");
        Self { fault: fault.0, missing }
    }
}

/// The worst fault so far, and of equally bad ones that with the first page.
struct Worst(Option<FreelistFault>);

impl Worst {
    fn note(&mut self, fault: FreelistFault) {
        if self.0.is_none_or(|other| rank(fault) < rank(other)) {
            self.0 = Some(fault);
        }
    }
}

/// Orders faults: what would have lost data comes first.
fn rank(fault: FreelistFault) -> (u8, u64) {
    match fault {
        FreelistFault::InUse(page) => (0, page.get()),
        FreelistFault::OwnPage(page) => (1, page.get()),
        FreelistFault::Twice(page) => (2, page.get()),
        FreelistFault::Outside(page) => (3, page.get()),
        FreelistFault::Unreadable => (4, 0),
        FreelistFault::Missing(page) => (5, page.get()),
    }
}
