//! A second open file for writes that are durable when they return.
//!
//! One call with `O_DSYNC` waits for the bytes that it writes, and not for whatever else of the file is on its way to the
//! disk, as a sync does. The file is opened once more, and not duplicated: the system reports a failed write-back once for
//! each *open file*, so a durable write that shared one with a sync could take the error that the sync has to see, and the
//! other way round. Whichever of the two meets an error poisons the store.

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::{position, sys};

/// The open file. Held locked through a write: two at a time would have one error between them.
#[derive(Debug)]
pub(crate) struct DurableFile(Mutex<File>);

impl DurableFile {
    /// Opens `file`, which is at `path`, once more. None where the system does not promise such writes: a write and a sync
    /// do the same there.
    pub(crate) fn of(file: &File, path: &Path) -> Option<DurableFile> {
        let again = sys::open_durable(file)?;
        let identity = |file| sys::identity(file, path).ok();
        assert_eq!(identity(&again), identity(file), "it is the same file");
        Some(DurableFile(Mutex::new(again)))
    }

    /// Writes all of `bufs` from `offset` on, durably. An error comes with the offset that was reached.
    pub(crate) fn write_all_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), (u64, io::Error)> {
        let file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        position::write_all_at(&file, offset, bufs)
    }
}
