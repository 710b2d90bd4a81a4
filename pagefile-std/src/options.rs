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
#[allow(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct FileOptions {
    /// Open for reading only, under a lock that is shared with other readers. The file must exist.
    pub read_only: bool,
    /// How long to wait for the lock: `None` waits for ever, zero tries once.
    pub lock_timeout: Option<Duration>,
    /// Sync nothing: neither when the file is created, nor when it grows, nor in
    /// [`sync`](crate::PageStore::sync), which returns at once. A power cut may then leave
    /// anything. For bulk loads that can be repeated.
    pub no_sync: bool,
    /// Do not sync after growth. On file systems that do not order the new length before the data, a
    /// power cut may then leave a file that ends before bytes that a later sync made durable.
    pub no_grow_sync: bool,
    /// Keep the file's bytes in main memory (`mlock`), so that no read waits for the disk. Unix
    /// only; elsewhere opening fails with [`StoreError::LockedMemory`](crate::StoreError).
    pub mlock: bool,
    /// Reserves this many bytes of address space for the map, so that growth does not move it. The
    /// default is 64 GiB or eight times the file's length, whichever is more. With zero, each growth
    /// makes a new map. Only 64-bit Unix can reserve; elsewhere this has no effect.
    pub reserve: Option<u64>,
    /// Do not map the file: copy what is read, in blocks of 4 KiB, into private memory. If another program truncates
    /// the file, or the disk fails, a read is then an error ([`View::read`](crate::View::read)) and not a fatal signal.
    /// The first read of a block is a system call, and the block's memory stays in use until the store is dropped: in
    /// the end as much as the file is long.
    pub private_reads: bool,
    /// Do not look whether the path still names the file, in [`check_name`](crate::PageStore::check_name). For files
    /// that are meant to lose their name, and for programs that change their root directory.
    pub allow_moved: bool,
    /// Permissions of a new file on Unix, less those that the process's umask removes. The default
    /// is 0o600: only the owner. An existing file keeps its permissions.
    pub mode: Option<u32>,
}

impl FileOptions {
    /// How many bytes of address space to reserve for the map of a file of `len` bytes.
    pub(crate) fn room(&self, len: u64) -> u64 {
        const RESERVE_MIN: u64 = 64 << 30;
        let wanted = self.reserve.unwrap_or(len.saturating_mul(8).max(RESERVE_MIN));
        wanted.max(len)
    }
}
