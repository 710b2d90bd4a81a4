//! How to open a file.

use std::time::Duration;

/// How to open a [`PageFile`](crate::PageFile).
///
/// ```
/// use pagefile_std::FileOptions;
/// use std::time::Duration;
///
/// let options = FileOptions {
///     read_only: true,
///     lock_timeout: Some(Duration::from_secs(1)),
///     ..FileOptions::default()
/// };
/// # assert!(!options.no_sync);
/// ```
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "four switches that have nothing to do with each other")]
pub struct FileOptions {
    /// Open for reading only, under a lock that is shared with other readers. The file must exist.
    pub read_only: bool,
    /// How long to wait for the lock: `None` for ever, zero to try once.
    pub lock_timeout: Option<Duration>,
    /// Sync nothing: neither when the file is created, nor when it grows, nor in
    /// [`sync`](crate::PageStore::sync), which returns at once. A power cut may then leave
    /// anything. For loads that are done again if they fail.
    pub no_sync: bool,
    /// Do not sync growth by itself. A power cut may then leave a file that is shorter than what a
    /// synced write has put into it, on file systems that do not order the two.
    pub no_grow_sync: bool,
    /// Keep the file's bytes in main memory (`mlock`), so that no read waits for the disk. Unix
    /// only.
    pub mlock: bool,
    /// Bytes of address space to reserve for the map, so that growth does not move it: by default
    /// 64 GiB or eight times the file's length, whichever is more. Zero reserves nothing: each
    /// growth then makes a new map. Only 64-bit Unix can reserve; elsewhere this has no effect.
    pub reserve: Option<u64>,
    /// Permissions of a new file on Unix, less those that the process's umask takes: by default
    /// 0o600, its owner alone. A file that is there keeps those it has.
    pub mode: Option<u32>,
}

impl FileOptions {
    /// How much room the map of a file of `len` bytes is to have.
    pub(crate) fn room(&self, len: u64) -> u64 {
        const RESERVE_MIN: u64 = 64 << 30;
        let wanted = self.reserve.unwrap_or(len.saturating_mul(8).max(RESERVE_MIN));
        wanted.max(len)
    }
}
