//! The log of commits that a crash has left, or that a program has open.

use freelist_core::PageId;

use super::edit::Edit;
use super::file::RawFile;
use super::meta::{MetaBytes, RawMeta};
use crate::db::settle::checkpoint;
use crate::error::{Error, Result};
use crate::format::{LogStart, MarkedMeta, Meta, RedoRecord, SECTOR};
use crate::store::read_units;

/// The log of commits of a file that is open with [`Durability::Log`](crate::Durability::Log), or that a crash has left so:
/// where it lies, and what the trees lack. [`RawFile::redo_log`] returns it.
///
/// ```
/// use kv::surgery::RawFile;
///
/// # let store = std::sync::Arc::new(kv::MemStore::new());
/// let db = kv::Options::new().durability(kv::Durability::Log).open_store(Box::new(store.clone()))?;
/// db.update(|tx| tx.create_bucket("b").map(drop))?;
/// let log = RawFile::new(store.clone(), None)?.redo_log()?.expect("the commit is in the log");
/// assert_eq!((log.units, log.transactions), (1, 1));
/// assert!(log.newest > log.checkpoint.tx && log.bytes == 16 << 20);
/// db.close()?;
/// assert_eq!(RawFile::new(store, None)?.redo_log()?, None);
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct RedoLog {
    /// The meta of the newest checkpoint: the state that the trees of the file have. Its freelist field is
    /// [`NO_FREELIST`](super::NO_FREELIST).
    pub checkpoint: RawMeta,
    /// The first page of the log.
    pub first_page: PageId,
    /// The pages of the log.
    pub pages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whole units that follow the checkpoint. One durable write brought each.
    pub units: u64,
    /// Transactions in these units.
    pub transactions: u64,
    /// Bytes of these units, filled up as they are in the file.
    pub bytes_used: u64,
    /// The id of the newest transaction: the last one in the log, or that of the checkpoint.
    pub newest: u64,
}

impl RawFile {
    /// Returns the pages of the log of commits, the first and how many; `None` if the newest meta page names none, as in every
    /// file that was closed in good order. Whether the log is whole is not looked at. O(1).
    #[must_use]
    pub fn redo_log_pages(&self) -> Option<(PageId, u64)> {
        self.newest_marked().map(|MarkedMeta { log, .. }| (PageId::new(log.first_page), log.pages))
    }

    /// Returns the log of commits; `None` if the newest meta page names none. Its units are read, and what they say is not
    /// done. O(bytes of the log).
    ///
    /// # Errors
    /// - [`Error::Corrupt`] if the log is damaged, [`Error::Truncated`] if the file is cut off.
    /// - [`Error::TwoStates`] if both meta pages name a log and are of one transaction.
    /// - [`Error::Store`] if the store cannot be read.
    pub fn redo_log(&self) -> Result<Option<RedoLog>> {
        if self.newest_marked().is_none() {
            return Ok(None);
        }
        let (MarkedMeta { meta, log }, _) = checkpoint(&*self.store)?;
        let LogStart { first_page, pages, .. } = log;
        let mut told = RedoLog {
            checkpoint: meta.into(),
            first_page: PageId::new(first_page),
            pages,
            bytes: pages.saturating_mul(meta.page_size.into()),
            newest: meta.tx,
            ..RedoLog::default()
        };
        told.bytes_used = read_units(&*self.store, log, meta.page_size, |records| {
            told.units = told.units.saturating_add(1);
            for record in RedoRecord::all(records) {
                let record = record
                    .map_err(|malformed| Error::Corrupt { page: PageId::new(first_page), what: malformed.0.into() })?;
                told.transactions = told.transactions.saturating_add(1);
                told.newest = told.newest.max(record.tx);
            }
            Ok(())
        })?;
        assert!(told.bytes_used <= told.bytes, "no unit lies on one that is needed");
        Ok(Some(told))
    }

    /// Returns the repairs that give up the log of commits: both meta pages become those of a file without one, with the state
    /// of the newest checkpoint. What the log says is lost; opening the file for writing does it, where the log is whole. O(1).
    ///
    /// ```
    /// use kv::surgery::RawFile;
    ///
    /// # let store = std::sync::Arc::new(kv::MemStore::new());
    /// # let directory = tempfile::tempdir()?;
    /// let db = kv::Options::new().durability(kv::Durability::Log).open_store(Box::new(store.clone()))?;
    /// db.update(|tx| tx.create_bucket("in the log").map(drop))?;
    /// let (file, copy) = (RawFile::new(store, None)?, directory.path().join("copy.db"));
    /// file.write_copy(&copy, &file.abandon_log()?, |_bytes| ())?;
    /// assert_eq!(kv::Db::open(&copy)?.begin_read().buckets().count(), 0);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the newest meta page names no log, [`Error::TwoStates`] if both do and are of one transaction.
    pub fn abandon_log(&self) -> Result<Vec<Edit>> {
        if self.newest_marked().is_none() {
            return Err(Error::Corrupt { page: PageId::new(0), what: "no meta page names a log of commits".into() });
        }
        let (MarkedMeta { meta, .. }, _) = checkpoint(&*self.store)?;
        // The state has two numbers, each of which fits its page.
        let newest = meta.tx | 1;
        let edit = |slot: u64| {
            let mut sector = vec![0; SECTOR];
            let meta = Meta { tx: newest.saturating_sub(1).saturating_add(slot), ..meta };
            meta.write(slot, &mut sector);
            assert_eq!(Meta::parse(&sector), Ok(meta), "a meta is read as it was written");
            Edit::new(slot.saturating_mul(meta.page_size.into()), sector)
        };
        Ok(vec![edit(0), edit(1)])
    }

    /// Returns the fields of meta page `slot`, 0 or 1, if it is that of a checkpoint, after which commits are in a log. `None`
    /// for every other meta page, and if its checksum is wrong. O(1).
    #[must_use]
    pub fn checkpoint_meta(&self, slot: usize) -> Option<RawMeta> {
        self.metas.get(slot)?.marked().map(|marked| marked.meta.into())
    }

    /// Returns the meta of the newest checkpoint, after which commits are in a log; `None` if the newest meta page is another. Its
    /// high-water mark is where the pages of the file end that mean something. O(1).
    #[must_use]
    pub fn newest_checkpoint(&self) -> Option<RawMeta> {
        self.newest_marked().map(|marked| marked.meta.into())
    }

    /// The newest marked meta, unless there is a plain one: then nothing is in a log.
    fn newest_marked(&self) -> Option<MarkedMeta> {
        let marked = self.metas.iter().filter_map(MetaBytes::marked).max_by_key(|marked| marked.meta.tx);
        let newest = marked.filter(|_| self.newest_slot().is_none());
        debug_assert!(newest.is_none_or(|newest| newest.log.pages > 0), "a log has pages");
        newest
    }
}
