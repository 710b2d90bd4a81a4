//! What all transactions of one open database share.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use freelist_core::PageId;
use pagefile_std::PageStore;

use super::changes::Listeners;
use super::published::Published;
use super::readers::Readers;
use super::writer_lock::WriterLock;
use super::{Counters, Snapshot, WalkProgress, Writer};
use crate::store::{Carry, EarlyWriting, FreelistOrigin, Heads, WriteSet};

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
    pub(crate) published: Published,
    pub(crate) writer_lock: WriterLock,
    pub(crate) counters: Counters,
    pub(crate) listeners: Listeners,
    /// What readers remember of the pages that they have searched, if they do.
    pub(crate) heads: Option<Heads>,
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
        store: Box<dyn PageStore>,
        path: Option<PathBuf>,
        page_size: u32,
        settings: Settings,
        snapshot: Snapshot,
        mut writer: Option<Writer>,
    ) -> Self {
        assert!(page_size.is_power_of_two(), "offsets of pages are multiples of a power of two");
        assert!(settings.read_only || writer.is_some(), "a database that is open for writing has a writer");
        let counters = Counters::default();
        let freelist = writer.as_ref().map_or_else(Default::default, |writer| writer.free_space.origin());
        if let Some(writer) = &mut writer {
            writer.shrink.set_along(settings.shrink > 0);
            assert_eq!(Snapshot::from(&writer.visible), snapshot, "readers and the writer begin at one state");
            counters.note_free_space(&writer.free_space);
        }
        Self {
            store: Arc::from(store),
            path,
            page_size,
            settings,
            no_sync: AtomicBool::new(settings.no_sync),
            readers: Readers::new(),
            published: Published::new(snapshot),
            writer_lock: WriterLock::new(writer),
            counters,
            listeners: Listeners::default(),
            heads: Heads::new(settings.read_cache),
            freelist,
            contested: None,
            walk_progress: WalkProgress::default(),
        }
    }

    /// An empty write set over the newest state.
    pub(crate) fn write_set(&self, writer: &Writer, buffers: Vec<Vec<u8>>) -> WriteSet {
        let (memory, limit) = (self.settings.write_memory, writer.free_space.limit());
        let early = EarlyWriting { store: Arc::clone(&self.store), memory, limit };
        WriteSet::new(early, self.page_size, writer.visible.high_water, buffers)
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
