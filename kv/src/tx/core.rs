//! What all transactions of one open database share.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};

use freelist_core::{PageId, Span};
use pagefile_std::PageStore;

use super::changes::{ChangeLog, Listeners};
use super::commit::close;
use super::published::Published;
use super::readers::Readers;
use super::redo::{
    Background, CheckpointFailure as Failure, Checkpointer, LogQueue, LogSink, Redo, RedoSettings, Residents,
};
use super::writer_lock::WriterLock;
use super::{Counters, Snapshot, WalkProgress, Writer};
use crate::error::Error;
use crate::store::sync::Mutex;
use crate::store::{Carry, EarlyWriting, FreelistOrigin, Generation, Heads, ResidentView, WriteSet};

/// How commits behave.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "switches that have nothing to do with each other")]
pub(crate) struct Settings {
    pub(crate) read_only: bool,
    /// What commits carry of the free space.
    pub(crate) carry: Carry,
    /// Check the whole new state before each commit becomes visible.
    pub(crate) strict: bool,
    /// Commits return before they are durable.
    pub(crate) no_sync: bool,
    /// Pages that each commit moves from the end of a file that could be shorter; 0 for none.
    pub(crate) shrink: u64,
    /// Bytes that the file keeps whatever it holds.
    pub(crate) initial_size: u64,
    /// Bytes of changed nodes in memory from which on a transaction writes them before its commit.
    pub(crate) write_memory: usize,
    /// Bytes of memory for what readers remember of pages; 0 for nothing.
    pub(crate) read_cache: usize,
    /// Commits go by a redo log, if they do.
    pub(crate) redo: Option<RedoSettings>,
}

/// An open database, below its handle.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) store: Arc<dyn PageStore>,
    /// The file, unless the store is of another kind.
    pub(crate) path: Option<PathBuf>,
    pub(crate) page_size: u32,
    pub(crate) settings: Settings,
    /// As in the settings at first; may be changed while the database is open.
    pub(crate) no_sync: AtomicBool,
    pub(crate) readers: Readers,
    pub(crate) published: Arc<Published>,
    pub(crate) writer_lock: WriterLock,
    pub(crate) counters: Arc<Counters>,
    pub(crate) listeners: Arc<Listeners>,
    /// What readers remember of the pages that they have searched, if they do.
    pub(crate) heads: Option<Heads>,
    /// The commits that wait for the redo log.
    pub(crate) log: Arc<LogQueue>,
    /// What every thread needs that may write them.
    pub(crate) sink: Arc<LogSink>,
    /// Who writes them, if commits do not wait for that.
    pub(crate) background: Option<Background>,
    /// Who makes checkpoints beside commits, if commits go by a redo log.
    pub(crate) checkpointer: Option<Checkpointer>,
    /// The memory for pages that the file does not have yet, if commits go by a redo log.
    pub(crate) generations: Option<[Arc<Generation>; 2]>,
    /// The pages of the redo log that the file has now.
    log_span: Mutex<Option<Span>>,
    /// How the free pages were found when the database was opened, and how many pages were lost to the list in the file.
    pub(crate) freelist: (FreelistOrigin, u64),
    /// The meta page whose state is shown, if the other one is as good and names another state.
    pub(crate) contested: Option<PageId>,
    /// Who is told how far a walk over everything is.
    pub(crate) walk_progress: WalkProgress,
}

impl Core {
    /// `writer` is none for a database that is read-only.
    pub(crate) fn new(
        store: Arc<dyn PageStore>,
        path: Option<PathBuf>,
        page_size: u32,
        settings: Settings,
        snapshot: Snapshot,
        mut writer: Option<Writer>,
    ) -> Self {
        assert!(page_size.is_power_of_two(), "offsets of pages are multiples of a power of two");
        assert!(settings.read_only || writer.is_some(), "a database that is open for writing has a writer");
        let counters = Arc::<Counters>::default();
        let freelist = writer.as_ref().map_or_else(Default::default, |writer| writer.free_space.origin());
        if let Some(writer) = &mut writer {
            writer.shrink.set_along(settings.shrink > 0);
            let visible = Snapshot { resident: snapshot.resident, ..Snapshot::from(&writer.visible) };
            assert_eq!(visible, snapshot, "readers and the writer begin at one state");
            counters.note_free_space(&writer.free_space);
        }
        let (published, listeners) = (Arc::new(Published::new(snapshot)), Arc::<Listeners>::default());
        let log = Arc::new(LogQueue::new());
        let sink = LogSink::new(&store, &published, &counters, &listeners);
        Self {
            store,
            path,
            page_size,
            settings,
            no_sync: AtomicBool::new(settings.no_sync),
            readers: Readers::new(),
            published,
            writer_lock: WriterLock::new(writer),
            counters,
            listeners,
            heads: Heads::new(settings.read_cache),
            log,
            sink: Arc::new(sink),
            background: None,
            checkpointer: None,
            generations: None,
            log_span: Mutex::new(None),
            freelist,
            contested: None,
            walk_progress: WalkProgress::default(),
        }
    }

    /// Whether an earlier write has failed: nothing may be written any more.
    pub(crate) fn refuses_writes(&self) -> bool {
        self.store.poisoned()
            || (self.settings.redo.is_some() && self.log.has_failed())
            || self.checkpointer.as_ref().is_some_and(Checkpointer::has_failed)
    }

    /// Why nothing may be written any more, if an earlier write has failed. Where nobody waits for a write, the first who asks is
    /// told how it failed.
    pub(crate) fn refusal(&self) -> Option<Error> {
        // Looked at once: what fails while this looks is for the next who asks.
        let poisoned = self.store.poisoned();
        let checkpoint = self.checkpointer.as_ref().and_then(|checkpointer| {
            if poisoned {
                // The store knows of it before the checkpoint does, which is not over yet.
                checkpointer.wait();
            }
            checkpointer.take_failure()
        });
        if self.background.is_some() {
            if poisoned || checkpoint.is_some() {
                // The same of the log; and what is queued will not be written.
                let _ = self.log.drain(&*self.sink);
            }
            let log = self.log.take_failure();
            return match checkpoint {
                Some(Failure::New(cause)) => Some(Error::Unknown { cause: Box::new(cause) }),
                Some(Failure::Told) => Some(log.unwrap_or(Error::Poisoned)),
                None => log.or_else(|| poisoned.then_some(Error::Poisoned)),
            };
        }
        match checkpoint {
            // What has returned is in the log.
            Some(Failure::New(cause)) => Some(Error::NotCommitted { cause: Box::new(cause) }),
            Some(Failure::Told) => Some(Error::Poisoned),
            None => (poisoned || self.settings.redo.is_some() && self.log.has_failed()).then_some(Error::Poisoned),
        }
    }

    /// Notes where the redo log lies from now on; none if there is none.
    pub(crate) fn set_log_span(&self, span: Option<Span>) {
        assert!(span.is_none_or(|span| span.start().get() >= 2), "the metas are no part of the log");
        *self.log_span.lock().unwrap_or_else(PoisonError::into_inner) = span;
    }

    /// The pages of the redo log that the file has now, if it has one.
    pub(crate) fn log_span(&self) -> Option<Span> {
        *self.log_span.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty write set over the newest state.
    pub(crate) fn write_set(&self, writer: &Writer, buffers: Vec<Vec<u8>>) -> WriteSet {
        // What is not to be written stays in memory, as where the file may not become longer.
        let limit = if self.settings.read_only { writer.visible.high_water } else { writer.free_space.limit() };
        let memory = self.settings.write_memory;
        let early = EarlyWriting { store: Arc::clone(&self.store), memory, limit };
        let resident = writer.redo.as_ref().and_then(|redo| self.view(redo.residents()));
        WriteSet::new(early, self.page_size, writer.visible.high_water, buffers).with_resident(resident)
    }

    /// For a transaction that begins: where its changes are noted, if anybody is to know them.
    pub(crate) fn change_log(&self, writer: &Writer) -> Option<ChangeLog> {
        self.listeners.log(writer.redo.as_deref().map_or(0, Redo::remembered))
    }

    /// The pages in memory of the state of `snapshot`.
    #[inline]
    pub(super) fn resident(&self, snapshot: &Snapshot) -> Option<ResidentView<'_>> {
        let (newest, older) = Residents::from_word(snapshot.resident).of(self.generations.as_ref()?)?;
        Some(ResidentView::of(newest, older.map(|older| &**older)))
    }

    /// The same, with a share of the memory.
    pub(super) fn resident_owned(&self, snapshot: &Snapshot) -> Option<ResidentView<'static>> {
        self.view(Residents::from_word(snapshot.resident))
    }

    /// The pages in memory of these generations, with a share of it.
    pub(super) fn view(&self, residents: Residents) -> Option<ResidentView<'static>> {
        let (newest, older) = residents.of(self.generations.as_ref()?)?;
        Some(ResidentView::shared(Arc::clone(newest), older.map(Arc::clone)))
    }
}

impl Drop for Core {
    /// The last owner, a handle or a transaction, has gone. A log that is still there ends, so that the file is bbolt's again.
    fn drop(&mut self) {
        if self.generations.is_none() || std::thread::panicking() {
            return;
        }
        if self.refuses_writes() {
            // What is queued may go into the log still, where a checkpoint has failed and the store has not.
            let _ = self.log.drain(&*self.sink);
            return;
        }
        if let Some(mut writer) = self.writer_lock.try_take()
            && writer.redo.is_some()
            && !writer.in_doubt
        {
            // Committed transactions are in the log; without an end, the next opening does what it says again.
            let _ = close(self, &mut writer);
        }
    }
}

/// How a transaction holds its database: by reference, which costs nothing, or by a share of it.
#[derive(Clone, Debug)]
pub(crate) enum Handle<'db> {
    Borrowed(&'db Core),
    Shared(Arc<Core>),
}

impl Deref for Handle<'_> {
    type Target = Core;

    #[inline]
    fn deref(&self) -> &Core {
        match self {
            Self::Borrowed(core) => core,
            Self::Shared(core) => core,
        }
    }
}
