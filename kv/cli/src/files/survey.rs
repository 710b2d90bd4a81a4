//! What each page of a file is used for.

use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

use kv::surgery::{RawFile, RawMeta};
use kv::{Options, PageInfo, PageKind, ReadTx};
use pagefile_std::{PageStore, StoreError, View};
use serde::Serialize;

use super::open;
use crate::failure::{At, Result};
use crate::terminal::Terminal;

/// What a page is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    Meta,
    Freelist,
    /// The log of commits of a file that is open with it, or that a crash has left.
    RedoLog,
    Branch,
    Leaf,
    /// Free in this state, in use in the previous one.
    Pending,
    Free,
}

impl Use {
    pub(crate) const ALL: [Self; 7] =
        [Self::Meta, Self::Freelist, Self::RedoLog, Self::Branch, Self::Leaf, Self::Pending, Self::Free];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Freelist => "freelist",
            Self::RedoLog => "redo log",
            Self::Branch => "branch",
            Self::Leaf => "leaf",
            Self::Pending => "pending",
            Self::Free => "free",
        }
    }

    /// A letter for a map.
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Meta => 'M',
            Self::Freelist => 'F',
            Self::RedoLog => 'R',
            Self::Branch => 'B',
            Self::Leaf => 'L',
            Self::Pending => 'p',
            Self::Free => '.',
        }
    }

    fn of(kind: PageKind) -> Self {
        match kind {
            PageKind::Meta => Self::Meta,
            PageKind::Freelist | PageKind::SpaceLog => Self::Freelist,
            PageKind::RedoLog => Self::RedoLog,
            PageKind::Branch => Self::Branch,
            PageKind::Leaf => Self::Leaf,
            _ => Self::Free,
        }
    }
}

/// The use of most pages; of equal counts the first use, which is the rarer: rare pages stay visible.
pub(crate) fn most(cell: &[Use]) -> Use {
    let count = |used: &Use| cell.iter().filter(|page| *page == used).count();
    Use::ALL.into_iter().rev().max_by_key(count).unwrap_or(Use::Free)
}

/// Every page up to the high-water mark.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) page_size: u32,
    pub(crate) tx: u64,
    pub(crate) pages: Vec<Use>,
}

impl Survey {
    pub(crate) fn of(path: &Path, terminal: &Terminal<'_>) -> Result<Self> {
        let store = open::page_file(path, terminal)?;
        // The bar clears itself when it is dropped.
        let _busy = terminal.progress.busy("reading pages");
        let file = RawFile::new(Arc::clone(&store), None).at(path)?;
        let options = Options::new().read_only(true);
        let db = options.open_store(Box::new(Arc::clone(&store))).at(path)?;
        let tx = db.begin_read();
        let Self { mut pages, .. } = Self::of_state(&tx, db.page_size())?;
        // The previous state may be damaged or partly overwritten; then no page counts as pending.
        if let Some(before) = BeforeLast::new(store, &file)
            && let Ok(db) = options.open_store(Box::new(before))
            && let Ok(map) = db.begin_read().page_map()
        {
            for (page, then) in pages.iter_mut().zip(spread(&map, u64::MAX)) {
                if *page == Use::Free && then != Use::Free {
                    *page = Use::Pending;
                }
            }
        }
        Ok(Self { page_size: db.page_size(), tx: tx.id().get(), pages })
    }
}

impl Survey {
    /// What a state uses, without what only the state before it does. O(pages).
    pub(crate) fn of_state(tx: &ReadTx<'_>, page_size: u32) -> Result<Self> {
        let pages = spread(&tx.page_map()?, tx.size() / u64::from(page_size));
        Ok(Self { page_size, tx: tx.id().get(), pages })
    }
}

/// One entry for each page.
fn spread(map: &[PageInfo], end: u64) -> Vec<Use> {
    let runs = map.iter().flat_map(|page| (0..=page.overflow).map(|_| Use::of(page.kind)));
    runs.take(usize::try_from(end).unwrap_or(usize::MAX)).collect()
}

/// A file before its last transaction: a read of the newer meta page returns the bytes of the older.
#[derive(Debug)]
struct BeforeLast {
    store: Arc<dyn PageStore>,
    /// The offset of the newer meta page, and the bytes of the older.
    hidden: u64,
    older: Vec<u8>,
}

impl BeforeLast {
    fn new(store: Arc<dyn PageStore>, file: &RawFile) -> Option<Self> {
        let newest = file.newest_slot()?;
        let RawMeta { page_size, .. } = file.meta(1 - newest).ok()?;
        let at = |slot: usize| slot as u64 * u64::from(page_size);
        let mut older = vec![0; page_size as usize];
        store.read_at(at(1 - newest), &mut older).ok()?;
        Some(Self { store, hidden: at(newest), older })
    }
}

impl PageStore for BeforeLast {
    fn len(&self) -> u64 {
        self.store.len()
    }

    fn view(&self) -> View<'_> {
        self.store.view()
    }

    fn view_owned(&self) -> View<'static> {
        self.store.view_owned()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        match self.older.get(..buf.len()) {
            Some(older) if offset == self.hidden => {
                buf.copy_from_slice(older);
                Ok(())
            }
            _ => self.store.read_at(offset, buf),
        }
    }

    fn write_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        self.store.write_at(offset, bufs)
    }

    fn grow(&self, min_len: u64) -> Result<(), StoreError> {
        self.store.grow(min_len)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.store.sync()
    }

    fn poisoned(&self) -> bool {
        self.store.poisoned()
    }
}

/// The runs of free and pending pages.
#[derive(Debug, Default)]
pub(crate) struct FreeSpace {
    pub(crate) pages: usize,
    pub(crate) runs: usize,
    pub(crate) longest: usize,
    pub(crate) by_length: Vec<LengthClass>,
}

/// Runs of similar length.
#[derive(Debug, Serialize)]
pub(crate) struct LengthClass {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) runs: usize,
    pub(crate) pages: usize,
}

impl FreeSpace {
    pub(crate) fn of(pages: &[Use]) -> Self {
        let mut space = Self::default();
        let is_free = |page: &Use| matches!(page, Use::Free | Use::Pending);
        for run in pages.chunk_by(|a, b| is_free(a) == is_free(b)).filter(|run| run.first().is_some_and(is_free)) {
            space.add(run.len());
        }
        space.by_length.retain(|class| class.runs > 0);
        space
    }

    /// Classes are 1, 2 to 3, 4 to 7 and so on.
    fn add(&mut self, len: usize) {
        let class = len.ilog2() as usize;
        while self.by_length.len() <= class {
            let from = 1 << self.by_length.len();
            self.by_length.push(LengthClass { from, to: from * 2 - 1, runs: 0, pages: 0 });
        }
        self.by_length[class].runs += 1;
        self.by_length[class].pages += len;
        self.pages += len;
        self.runs += 1;
        self.longest = self.longest.max(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_by_length() {
        use Use::{Free, Leaf, Pending};
        let space = FreeSpace::of(&[Free, Leaf, Free, Pending, Free, Leaf, Leaf, Pending]);
        assert_eq!((space.pages, space.runs, space.longest), (5, 3, 3));
        let classes: Vec<_> = space.by_length.iter().map(|c| (c.from, c.to, c.runs, c.pages)).collect();
        assert_eq!(classes, [(1, 1, 2, 2), (2, 3, 1, 3)]);
        assert_eq!(FreeSpace::of(&[Leaf, Leaf]).runs, 0);
    }
}
