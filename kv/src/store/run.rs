//! Writing: images that are neighbours in the file leave in one gathered write.

use std::io::IoSlice;

use pagefile_std::PageStore;

use crate::error::Result;

/// Writes `pages`, pairs of page number and whole pages of bytes in ascending order, as few writes as there are gaps.
/// Returns how many writes that took.
pub(crate) fn write_runs<'a>(
    store: &dyn PageStore,
    page_size: u32,
    pages: impl Iterator<Item = (u64, &'a [u8])>,
) -> Result<u64> {
    let size = u64::from(page_size);
    let (mut start, mut end, mut writes) = (0u64, 0u64, 0u64);
    let mut run: Vec<IoSlice<'a>> = Vec::new();
    for (id, bytes) in pages {
        debug_assert!(id >= end, "images come in page order and do not overlap");
        if id != end && !run.is_empty() {
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
