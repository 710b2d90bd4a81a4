//! What goes from one write transaction to the next.

use std::fmt;

use freelist_core::TxId;

use super::marks::Marks;
use super::published::Published;
use super::readers::Readers;
use super::redo::Redo;
use super::shrink::Shrink;
use crate::error::Result;
use crate::format::Meta;
use crate::store::FreeSpace;

/// The newest state, and what the next write transaction needs to build on it.
pub(crate) struct Writer {
    /// The newest state, which the next transaction builds on. New readers see it, unless its commit still waits for the redo
    /// log.
    pub(crate) visible: Meta,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) free_space: FreeSpace,
    /// The redo log, where commits go by one; apart, for most have none.
    pub(crate) redo: Option<Box<Redo>>,
    /// A commit has begun and is not known to have failed or to be visible. So it stays where the disk may have its meta or
    /// not, and where the commit panicked: nothing may build on either state.
    pub(crate) in_doubt: bool,
    /// How far the file has to reach.
    pub(super) marks: Marks,
    pub(crate) shrink: Shrink,
    /// Page buffers to use again.
    pub(crate) buffers: Vec<Vec<u8>>,
}

/// What a power cut leaves of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Checkpoint {
    /// The state of this transaction, whole: its pages and its meta are durable, and no commit writes to its pages. With a
    /// redo log, and what the log says after it.
    At(TxId),
    /// Some state, or a file that does not open: a commit was not synced, so its pages and its meta may reach the disk
    /// in any order.
    Unknown,
}

impl Writer {
    /// Of a file that has just been opened, whose newest meta, `sealed`, is durable.
    pub(crate) fn new(sealed: &Meta, free_space: FreeSpace) -> Self {
        let state = TxId::new(sealed.tx);
        Self {
            visible: *sealed,
            checkpoint: Checkpoint::At(state),
            free_space,
            redo: None,
            in_doubt: false,
            marks: Marks::opened_at(state),
            shrink: Shrink::default(),
            buffers: Vec::new(),
        }
    }

    /// Pages that no pinned state uses become free, and while the file shrinks those at its end leave the free space. To be
    /// called between transactions.
    ///
    /// The pinned states are those that readers have open or may begin at, the checkpoint, and the one that is being made, exactly
    /// as if readers had them open.
    pub(crate) fn retire(&mut self, readers: &Readers, published: &Published) -> Result<()> {
        assert!(!self.in_doubt, "no transaction builds on a state that is in doubt");
        // Before the table: a reader that is not in it yet begins at this state, or at one that is published later.
        let (oldest, _) = published.read();
        let mut pinned = Vec::new();
        readers.seen(&mut pinned);
        let visible = TxId::new(self.visible.tx);
        // Those that wait for the log are published sooner or later. The newest has no page that is about to become free.
        pinned.extend((oldest.tx..self.visible.tx).map(TxId::new));
        assert!(pinned.iter().all(|&state| state <= visible), "no reader sees a state that is not yet visible");
        if let Checkpoint::At(state) = self.checkpoint {
            assert!(state <= visible, "what is durable here is visible");
            pinned.push(state);
        }
        pinned.extend(self.redo.as_deref().and_then(Redo::in_the_making));
        self.free_space.retire(&pinned)?;
        if self.shrink.is_on() { self.free_space.give_back_end() } else { Ok(()) }
    }

    /// The state of `meta` is now the visible one, and `checkpoint` what a power cut leaves.
    pub(super) fn advance(&mut self, meta: &Meta, checkpoint: Checkpoint) {
        assert!(meta.tx > self.visible.tx, "transaction ids only rise");
        self.marks.note(TxId::new(meta.tx), meta.high_water);
        if let (Checkpoint::At(before), Checkpoint::At(now)) = (self.checkpoint, checkpoint) {
            assert!(before < now || (before == now && self.redo.is_some()), "the checkpoint only rises");
        }
        self.visible = *meta;
        self.in_doubt = false;
        self.checkpoint = checkpoint;
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { visible, checkpoint, .. } = self;
        f.debug_struct("Writer").field("visible", visible).field("checkpoint", checkpoint).finish_non_exhaustive()
    }
}
