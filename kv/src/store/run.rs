//! Writing: pages that are neighbours in the file are written in one gathered write.

use std::io::IoSlice;

use pagefile_std::PageStore;

use crate::error::Result;

/// Bytes after which a run of neighbours is cut.
///
/// Larger writes gain nothing, and cost those that follow: Linux keeps a large write in equally large folios of the page
/// cache, and ext4 then goes through all blocks of a folio for each page written into it. Measured on Linux 6.18: a
/// commit of one pair takes 50 us of processor time after a load in one-megabyte writes, 17 us after one in writes of
/// 64 KiB; the load itself takes the same.
const WRITE_MAX: u64 = 64 * 1024;

/// Writes `pages`, pairs of page number and whole pages of bytes, in ascending order. Neighbours share a write. Returns
/// how many writes that took.
#[allow(clippy::arithmetic_side_effects, reason = "page numbers below a high-water mark whose byte offset is checked")]
pub(crate) fn write_runs<'a>(
    store: &dyn PageStore,
    page_size: u32,
    pages: impl Iterator<Item = (u64, &'a [u8])>,
) -> Result<u64> {
    let size = u64::from(page_size);
    let (mut start, mut end, mut writes) = (0u64, 0u64, 0u64);
    let mut run: Vec<IoSlice<'a>> = Vec::new();
    for (id, bytes) in pages {
        assert!(id >= end.max(2), "pages come in order, do not overlap and are not the metas'");
        assert!(!bytes.is_empty() && (bytes.len() as u64).is_multiple_of(size), "only whole pages are written");
        let full = (end - start) * size >= WRITE_MAX;
        if (id != end || full) && !run.is_empty() {
            store.write_at(start * size, &run)?;
            writes += 1;
            run.clear();
        }
        if run.is_empty() {
            start = id;
        }
        run.push(IoSlice::new(bytes));
        end = id + bytes.len() as u64 / size;
    }
    if !run.is_empty() {
        store.write_at(start * size, &run)?;
        writes += 1;
    }
    Ok(writes)
}
