//! A look into a file that another process holds and writes to.
//!
//! Copy on write makes it possible without a lock. The pages of a state are written over only after the next state's meta
//! has been written. So a page that was read belongs to a state if that state was still the newest one when its metas were
//! read *afterwards*; otherwise the page is thrown away. Nothing of it is shown, no error and no "not found" follows from
//! it, and the look begins again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pagefile_std::{LiveFile, PageStore, StoreError};

use super::db::Db;
use super::open::{Found, disagree, readable_meta, winner};
use super::options::Options;
use super::settle::newest as newest_marked;
use crate::error::{Error, Result};
use crate::format::{MarkedMeta, Meta, SECTOR};
use crate::tx::ReadTx;

/// A way to look into a database file that another process has open, also for writing: bbolt, etcd, or this library. It
/// takes no lock and writes nothing, so the other process does not notice.
///
/// Each answer is from one whole state of the database, the newest one when the look began: a page counts only if its state
/// was still the newest one after the page was read. A commit of the other process meanwhile makes [`view`](Self::view) begin
/// again. So what can be read between two commits can be read for sure: some hundred pages beside a program that commits a
/// thousand times a second, everything beside one that rests.
///
/// Beside a program with [`Durability::Log`](crate::Durability::Log) a look does in memory what the log says, and shows the
/// newest commit whose record it has found whole there, all commits before it, and nothing of later ones. It begins at
/// O(the log, and the pages that have changed since the last checkpoint), in time and memory. Later commits do not overtake
/// it then: only a checkpoint does. As with any other commit, a crash of the system may still take one that was seen while
/// the other process waited for the disk.
///
/// Pages are copied into private memory as they are read. A clone
/// shares the file and what [`is_overtaken`](Self::is_overtaken) says.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("busy.db");
/// let held = kv::Db::open(&path)?;
/// held.update(|tx| tx.create_bucket("b")?.put("key", "value"))?;
///
/// let peek = kv::Db::peek(&path)?;
/// let value = peek.view(|tx| Ok::<_, kv::Error>(tx.bucket("b")?.get("key")?.map(<[u8]>::to_vec)))?;
/// assert_eq!(value.as_deref(), Some(&b"value"[..]));
/// held.update(|tx| tx.bucket_mut("b")?.put("key", "later"))?;
/// let value = peek.view(|tx| Ok::<_, kv::Error>(tx.bucket("b")?.get("key")?.map(<[u8]>::to_vec)))?;
/// assert_eq!(value.as_deref(), Some(&b"later"[..]));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Peek {
    path: PathBuf,
    file: Arc<LiveFile>,
    patience: Duration,
    /// Set when a look that began here has met a commit.
    overtaken: Arc<AtomicBool>,
}

/// How often the metas are read before it is said that none is valid: each may be in the middle of being written.
const META_TRIES: usize = 10;
const META_PAUSE: Duration = Duration::from_millis(1);

impl Db {
    /// Opens the file at `path` for looking into it while another process has it open and writes to it. No lock is taken,
    /// and nothing is written. See [`Peek`]. O(1).
    ///
    /// # Errors
    /// [`Error::Store`] if there is no such file, the system refuses, or the file is on a network file system, where nothing
    /// says that what is read is what was written.
    pub fn peek(path: impl AsRef<Path>) -> Result<Peek> {
        let path = path.as_ref();
        let file = Arc::new(LiveFile::open(path)?);
        Ok(Peek { path: path.to_path_buf(), file, patience: Duration::from_secs(5), overtaken: Arc::default() })
    }
}

impl Peek {
    /// How long [`view`](Self::view) and [`retry`](Self::retry) begin again before they give up. One try is made in any case.
    /// Default: 5 seconds.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs `f` in a read transaction of the newest state, and again in a newer one whenever the other process commits before
    /// `f` has returned. Whatever `f` returned then is dropped, errors too: so `f` must have no other effects.
    ///
    /// # Errors
    /// - The errors of `f`, and those of [`Options::open`] for a file that is damaged or no database.
    /// - [`Error::TooBusy`] if the other process committed during each try, until the [`patience`](Self::patience) ended.
    pub fn view<T, E: From<Error>>(&self, mut f: impl FnMut(&ReadTx<'_>) -> Result<T, E>) -> Result<T, E> {
        self.retry(|peek| f(&peek.now()?.begin_read()))
    }

    /// Runs `f`, and again whenever the other process has committed while `f` looked through the [`Peek`] that it is given.
    /// [`view`](Self::view) is the simple form.
    ///
    /// # Errors
    /// As [`view`](Self::view).
    pub fn retry<T, E: From<Error>>(&self, mut f: impl FnMut(&Self) -> Result<T, E>) -> Result<T, E> {
        let (began, mut tries) = (Instant::now(), 0u64);
        loop {
            let once = self.once()?;
            let answer = f(&once);
            tries = tries.saturating_add(1);
            debug_assert!(tries > 0, "one try is made in any case");
            if !once.is_overtaken() {
                return answer;
            }
            let waited = began.elapsed();
            if waited >= self.patience {
                return Err(Error::TooBusy { path: self.path.clone(), tries, waited }.into());
            }
        }
    }

    /// Returns a read-only database of the newest state, which stays what it shows. Its methods fail with
    /// [`Error::Overtaken`] when they need a page that they have not read before the other process committed; what was read
    /// before stays right. O(1); with a log of commits, as [`Peek`] says.
    ///
    /// # Errors
    /// - [`Error::Overtaken`] if the other process commits meanwhile.
    /// - Those of [`Options::open`] for a file that is damaged or no database.
    pub fn now(&self) -> Result<Db> {
        Options::new().read_only(true).read_cache(0).open_store(Box::new(self.pages()?))
    }

    /// Returns the bytes of the file in its newest state, for [`RawFile`](crate::surgery::RawFile) and whatever else reads a
    /// store: each read fails once the other process has committed. O(1).
    ///
    /// # Errors
    /// Those of [`Options::open`] for a file without a valid meta page, and [`Error::Store`].
    pub fn pages(&self) -> Result<impl PageStore + use<>> {
        let shown = self.newest()?;
        // Looked at after the meta: the file is as long as this state needs before its meta is there.
        let len = self.file.file_len()?;
        let (file, overtaken) = (Arc::clone(&self.file), Arc::clone(&self.overtaken));
        let confirm = move || {
            let newest = is_newest(&file, &shown)?;
            if !newest {
                overtaken.store(true, Ordering::Relaxed);
            }
            Ok(newest)
        };
        let look = self.file.look(len, confirm)?;
        debug_assert_eq!(look.len(), len, "a look has all bytes of the file");
        Ok(look)
    }

    /// Returns whether the other process has committed since a look through this `Peek` began, and that look needed a page
    /// after it. O(1).
    #[must_use]
    pub fn is_overtaken(&self) -> bool {
        self.overtaken.load(Ordering::Relaxed)
    }

    /// Returns the path of the file. O(1).
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For one try, of the file that the path names now: etcd's defragmentation puts another one there.
    fn once(&self) -> Result<Self> {
        let file = if self.file.is_named()? { Arc::clone(&self.file) } else { Arc::new(LiveFile::open(&self.path)?) };
        Ok(Self { path: self.path.clone(), file, patience: self.patience, overtaken: Arc::default() })
    }

    fn newest(&self) -> Result<Shown> {
        let mut found = newest(&self.file);
        for _ in 1..META_TRIES {
            if found.is_ok() {
                break;
            }
            std::thread::sleep(META_PAUSE);
            found = newest(&self.file);
        }
        found
    }
}

/// The state that a look shows, by its meta.
#[derive(Clone, Copy, Debug)]
struct Shown {
    meta: AnyMeta,
    /// The page of the meta.
    slot: u64,
}

/// A meta of either kind.
#[derive(Clone, Copy, Debug)]
enum AnyMeta {
    Plain(Meta),
    /// Of a checkpoint. Its pages stay as they are until the next one, and so do the units that follow it in the log, of
    /// which more and more come.
    Marked(MarkedMeta),
}

impl AnyMeta {
    fn parse(sector: &[u8]) -> Option<Self> {
        let plain = Meta::parse(sector).ok().map(Self::Plain);
        plain.or_else(|| MarkedMeta::parse(sector).map(Self::Marked))
    }

    const fn meta(&self) -> &Meta {
        match self {
            Self::Plain(meta) | Self::Marked(MarkedMeta { meta, .. }) => meta,
        }
    }

    /// Whether a file that has both shows this one: while there is a plain one, nothing is in a log.
    const fn wins_over(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain(_), Self::Marked(_)) => true,
            (Self::Marked(_), Self::Plain(_)) => false,
            _ => self.meta().tx > other.meta().tx,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain(one), Self::Plain(two)) => one.tx == two.tx && !disagree(one, two),
            (Self::Marked(one), Self::Marked(two)) => one == two,
            _ => false,
        }
    }
}

/// The meta of the newest state of the file, or of the checkpoint that its log goes on from.
fn newest(file: &LiveFile) -> Result<Shown> {
    let len = file.file_len()?;
    match winner(|at| Ok(readable_meta(at, len, |at, bytes| file.read_at(at, bytes))?)) {
        Ok(Found { meta, slot, .. }) => Ok(Shown { meta: AnyMeta::Plain(meta), slot }),
        Err(Error::Unsettled) => {
            let (meta, slot) = newest_marked(len, |at, bytes| file.read_at(at, bytes))?;
            Ok(Shown { meta: AnyMeta::Marked(meta), slot })
        }
        Err(error) => Err(error),
    }
}

/// Whether the state of `shown` is still the newest one, or the checkpoint that the log goes on from.
///
/// The meta of the next state goes to the other page, so that page is read first. If it holds no newer meta then, and the
/// meta of this state is in its place afterwards, the state after the next one had not been begun when the first was read. In
/// the opposite order a torn page could be the meta of the third state after this one.
fn is_newest(file: &LiveFile, shown: &Shown) -> Result<bool, StoreError> {
    let (ours, other) = (shown.slot, shown.slot ^ 1);
    assert!(ours < 2 && other < 2, "there are two metas");
    let meta_of = |slot: u64| {
        let mut bytes = [0; SECTOR];
        file.read_at(slot.saturating_mul(shown.meta.meta().page_size.into()), &mut bytes)?;
        Ok::<_, StoreError>(AnyMeta::parse(&bytes))
    };
    if meta_of(other)?.is_some_and(|meta| meta.wins_over(&shown.meta)) {
        return Ok(false);
    }
    Ok(meta_of(ours)?.is_some_and(|meta| meta.is_same(&shown.meta)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

    /// A file whose metas are of these transactions; `None` is a meta in the middle of being written.
    fn metas(metas: [Option<u64>; 2]) -> (tempfile::TempDir, LiveFile) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metas");
        let mut bytes = vec![0; 4 * 4096];
        for (slot, page) in (0..).zip(bytes.chunks_mut(4096).take(2)) {
            let tx = metas.get(usize::try_from(slot).unwrap()).copied().unwrap();
            meta(tx.unwrap_or(9)).write(slot, page);
            if tx.is_none() {
                page.get_mut(30..70).unwrap().fill(0);
            }
        }
        std::fs::write(&path, bytes).unwrap();
        let file = LiveFile::open(&path).unwrap();
        (directory, file)
    }

    fn meta(tx: u64) -> Meta {
        Meta {
            page_size: 4096,
            flags: 0,
            root: 3,
            root_sequence: tx,
            freelist: 2,
            high_water: 4,
            tx,
            extension: crate::format::Extension::NONE,
        }
    }

    #[test]
    fn a_state_is_the_newest_until_another_meta_says_otherwise() {
        let shown = Shown { meta: AnyMeta::Plain(meta(6)), slot: 0 };
        for (now, newest) in [
            ([Some(6), Some(5)], true),
            ([Some(6), None], true),
            ([Some(6), Some(7)], false),
            ([None, Some(7)], false),
            ([Some(8), Some(7)], false),
            ([None, Some(5)], false),
            ([Some(8), None], false),
        ] {
            let (_directory, file) = metas(now);
            assert_eq!(is_newest(&file, &shown).unwrap(), newest, "{now:?}");
        }
    }

    #[test]
    fn another_state_of_the_same_transaction_is_not_this_one() {
        let (_directory, file) = metas([Some(6), Some(5)]);
        let shown = Shown { meta: AnyMeta::Plain(Meta { root: 2, ..meta(6) }), slot: 0 };
        assert!(!is_newest(&file, &shown).unwrap());
    }
}
