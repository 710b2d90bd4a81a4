//! Making the file shorter while it is in use, at once.

use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use super::db::Db;
use super::open::new_epoch;
use crate::error::Result;
use crate::store::NO_CEILING;
use crate::tx::{self, Core, Ends, RedoSettings, Writer};

/// Pages that one commit moves: a few hundred KiB, written and synced in about a millisecond.
const PAGES: u64 = 64;

/// Passes over the whole tree. What others write during a pass may lie at the end again, or have kept free what was needed;
/// and a pass that leaves room for runs that found none is followed by one that leaves half as much.
const PASSES: u32 = 8;

/// A pass that can make the file shorter by less than such a share of it is not worth its walk.
const WORTH: u64 = 32;

/// Commits without anything to move after which the file is as short as it gets: two give both metas the lower mark, and
/// the pages that the last moves have left need one before.
const IDLE: u32 = 4;

/// How far [`Db::shrink`] has come.
///
/// ```
/// use std::ops::ControlFlow;
///
/// let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| tx.create_bucket("b")?.put("large", vec![7; 1 << 20]))?;
/// db.update(|tx| tx.bucket_mut("b")?.delete("large").map(drop))?;
/// let shrunk = db.shrink(|_| ControlFlow::Continue(()))?;
/// assert!(shrunk.bytes_before > 1 << 20 && shrunk.bytes < 100_000 && shrunk.pages_left == 0);
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Shrunk {
    /// Length of the file before, in bytes.
    pub bytes_before: u64,
    /// Its length now, in bytes.
    pub bytes: u64,
    /// Pages that were moved.
    pub pages_moved: u64,
    /// Pages that lie where the file is to end before, as far as is known: still to be moved, or to be given up by a reader,
    /// or longer than any free space before them.
    pub pages_left: u64,
}

impl Db {
    /// Makes the file as short as its content allows, or nearly so, while it is in use: moves the pages at its end into the
    /// free space before them, and truncates it.
    ///
    /// It works in small commits of its own, each of at most 64 pages and two waits for the disk, and pauses as long after each
    /// as that took. Readers and writers go on beside it; a write transaction waits for one such commit at most. `progress` is
    /// called after each, and can end it. A crash at any point loses nothing. bbolt opens the file at every point.
    ///
    /// The file ends a few percent behind the pages in use. It stays longer while a reader that began earlier is open, and
    /// where a large value fits nowhere else; call it again later. It also stays longer with [`Options::no_sync`], and on
    /// Windows, which does not truncate a file that is open. [`Options::shrink`] does a little with each commit instead.
    /// O(pages), and O(free pages at the end of the file).
    ///
    /// With [`Durability::Log`](crate::Durability::Log) it ends the log first, so that the file is one without a log meanwhile,
    /// and commits beside it wait for two syncs; afterwards it begins a log again, at the lowest place that has room for
    /// it, or at the end of the file. If it fails in between, commits go on by two syncs until the next call, or the next opening.
    ///
    /// [`Options::no_sync`]: crate::Options::no_sync
    /// [`Options::shrink`]: crate::Options::shrink
    ///
    /// # Errors
    /// - Those of [`begin_write`](Self::begin_write) and of [`WriteTx::commit`](crate::WriteTx::commit).
    /// - [`Error::MaxSizeReached`](crate::Error::MaxSizeReached), in [`Error::NotCommitted`](crate::Error::NotCommitted), if
    ///   there is no room for the log afterwards.
    /// - [`Error::Corrupt`](crate::Error::Corrupt) if a page on the way is damaged. The steps before it are done.
    /// - [`Error::Store`](crate::Error::Store) if the system does not truncate the file; the content is as it was.
    pub fn shrink(&self, mut progress: impl FnMut(&Shrunk) -> ControlFlow<()>) -> Result<Shrunk> {
        let mut work = Work { core: self.core(), shrunk: Shrunk::default() };
        work.shrunk.bytes_before = work.core.store.len();
        let done = work.passes(&mut progress);
        let ended = work.end();
        let entered = work.core.settings.redo.map_or(Ok(()), |log| work.enter_log(log));
        work.shrunk.bytes = work.core.store.len();
        assert!(!work.core.writer_lock.is_held_here(), "the writer lock is given back after each step");
        done.and(ended).and(entered).map(|()| work.shrunk)
    }
}

struct Work<'db> {
    core: &'db Core,
    shrunk: Shrunk,
}

impl Work<'_> {
    /// Begins a redo log again, for commits that go by one, at the lowest place that has room for it.
    fn enter_log(&self, log: RedoSettings) -> Result<()> {
        self.with_writer(|core, writer| {
            writer.shrink.set_at_once(false);
            // Another call of this kind may have ended before.
            if writer.redo.is_some() { Ok(()) } else { tx::enter(core, writer, log, new_epoch()) }
        })
    }

    fn passes(&mut self, progress: &mut dyn FnMut(&Shrunk) -> ControlFlow<()>) -> Result<()> {
        self.with_writer(|_, writer| {
            writer.shrink.forget_unfit();
            Ok(())
        })?;
        let mut reached = false;
        for _ in 0..PASSES {
            let begun = self.begin_pass()?;
            let moved_before = self.shrunk.pages_moved;
            if self.pass(progress)?.is_break() {
                break;
            }
            if reached && self.shrunk.pages_left > 0 {
                // The file ends where the pass before let it end: before that, some runs find no room.
                self.shrunk.pages_left = 0;
                break;
            }
            reached = self.shrunk.pages_left == 0;
            let moved = self.shrunk.pages_moved > moved_before;
            if !begun || !self.another_is_worth_it(moved)? {
                break;
            }
        }
        Ok(())
    }

    /// Whether there is something for a pass to do.
    fn begin_pass(&self) -> Result<bool> {
        self.with_writer(|core, writer| {
            // Before anything moves: the file ends where its two metas say, and with a log they are older than commits.
            tx::leave(core, writer)?;
            writer.shrink.set_at_once(true);
            writer.retire(&core.readers, &core.published)?;
            writer.shrink.begin(&writer.free_space, (0, 1));
            Ok(writer.shrink.is_under_way())
        })
    }

    /// Whether another pass may let the file end earlier: a pass that got there has left room that it did not need, and one
    /// that has not got there has moved pages, or the next one leaves more room.
    fn another_is_worth_it(&self, moved: bool) -> Result<bool> {
        let left = self.shrunk.pages_left;
        self.with_writer(|_, writer| {
            let (allowed, pages) = (writer.shrink.unfit(), writer.visible.high_water);
            Ok(if left == 0 { allowed > pages.div_euclid(WORTH) } else { moved || allowed > 0 })
        })
    }

    /// One pass, and the commits after it that let the file end earlier.
    fn pass(&mut self, progress: &mut dyn FnMut(&Shrunk) -> ControlFlow<()>) -> Result<ControlFlow<()>> {
        let (mut idle, mut log_left) = (0, u64::MAX);
        const { assert!(IDLE > 2, "both metas get the lower mark") };
        while idle < IDLE {
            let began = Instant::now();
            let len = self.core.store.len();
            let (under_way, log) = self.step()?;
            let shorter = self.core.store.len() < len;
            // The log of the free space follows the nodes, a few pages with each commit.
            let log_moves = log > 0 && log < log_left;
            log_left = log_left.min(log);
            idle = if under_way || shorter || log_moves { 0 } else { idle.saturating_add(1) };
            if progress(&self.shrunk).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            // Whoever waits for the writer lock gets it now.
            thread::sleep(began.elapsed().max(Duration::from_micros(20)));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// One commit. Whether there are more nodes to move, and how many pages of the log of the free space.
    fn step(&mut self) -> Result<(bool, u64)> {
        let (moved, left, under_way, log) = self.with_writer(|core, writer| {
            // Another call of this kind may have ended, and begun a log again.
            tx::leave(core, writer)?;
            let under_way = writer.shrink.is_under_way();
            let before = writer.visible.tx;
            let moved = tx::shrink_step(core, writer, PAGES, !under_way)?;
            assert!(moved == 0 || writer.visible.tx > before, "what has moved is committed");
            assert!(under_way || moved == 0, "nothing moves outside a pass");
            let log = writer.free_space.log_above_ceiling();
            Ok((moved, writer.free_space.occupied_above_ceiling(), under_way, log))
        })?;
        self.shrunk.pages_moved = self.shrunk.pages_moved.saturating_add(moved);
        self.shrunk.pages_left = left;
        self.shrunk.bytes = self.core.store.len();
        assert!(self.shrunk.bytes >= self.core.page_size.into(), "the metas stay");
        Ok((under_way, log))
    }

    /// From here on free pages are handed out wherever they are.
    fn end(&mut self) -> Result<()> {
        self.with_writer(|_, writer| {
            writer.shrink.set_at_once(false);
            Ok(())
        })?;
        while !self.with_writer(|_, writer| writer.free_space.move_ceiling(NO_CEILING, 1024))? {}
        Ok(())
    }

    fn with_writer<T>(&self, work: impl FnOnce(&Core, &mut Writer) -> Result<T>) -> Result<T> {
        let mut writer = tx::take_writer(self.core, Ends::Here)?;
        debug_assert!(!self.core.settings.read_only, "only a database that can be written has a writer");
        work(self.core, &mut writer)
    }
}
