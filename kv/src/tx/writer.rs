//! What goes from one write transaction to the next.

use std::fmt;

use freelist_core::TxId;

use super::marks::Marks;
use super::readers::Readers;
use super::shrink::Shrink;
use crate::error::Result;
use crate::format::Meta;
use crate::store::FreeSpace;

/// The newest state, and what the next write transaction needs to build on it.
pub(crate) struct Writer {
    /// The state that new readers see.
    pub(crate) visible: Meta,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) free_space: FreeSpace,
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
    /// The state of this transaction, whole: its pages and its meta are durable, and no commit writes to its pages.
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
            in_doubt: false,
            marks: Marks::opened_at(state),
            shrink: Shrink::default(),
            buffers: Vec::new(),
        }
    }

    /// Pages that no pinned state uses become free, and while the file shrinks those at its end leave the free space. To be
    /// called between transactions.
    ///
    /// The pinned states are those that readers have open, and the checkpoint, exactly as if a reader had it open.
    pub(crate) fn retire(&mut self, readers: &Readers) -> Result<()> {
        assert!(!self.in_doubt, "no transaction builds on a state that is in doubt");
        let mut pinned = Vec::new();
        readers.seen(&mut pinned);
        let visible = TxId::new(self.visible.tx);
        assert!(pinned.iter().all(|&state| state <= visible), "no reader sees a state that is not yet visible");
        if let Checkpoint::At(state) = self.checkpoint {
            assert!(state <= visible, "what is durable here is visible");
            pinned.push(state);
        }
        self.free_space.retire(&pinned)?;
        if self.shrink.is_on() { self.free_space.give_back_end() } else { Ok(()) }
    }

    /// The state of `meta` is now the visible one, and `checkpoint` what a power cut leaves.
    pub(super) fn advance(&mut self, meta: &Meta, checkpoint: Checkpoint) {
        assert!(meta.tx > self.visible.tx, "transaction ids only rise");
        self.marks.note(TxId::new(meta.tx), meta.high_water);
        if let (Checkpoint::At(before), Checkpoint::At(now)) = (self.checkpoint, checkpoint) {
            assert!(before < now, "the checkpoint only rises");
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
