//! The two meta pages as they lie in a file, read without the library.

use std::fs;
use std::path::Path;

/// In place of the freelist's page: no freelist is stored.
pub(crate) const NO_FREELIST: u64 = u64::MAX;

pub(crate) struct Meta {
    pub(crate) freelist: u64,
    /// The first page number never allocated.
    pub(crate) high_water: u64,
    pub(crate) txid: u64,
}

/// The metas of pages 0 and 1 of a file that has been closed properly, or copied
/// between commits: both are whole.
pub(crate) fn metas(path: &Path) -> [Meta; 2] {
    let bytes = fs::read(path).expect("the file is there");
    let u64_at = |offset: usize| {
        let field: [u8; 8] = bytes[offset..offset + 8].try_into().expect("eight bytes");
        u64::from_le_bytes(field)
    };
    let page_size = usize::try_from(u64_at(24) & 0xffff_ffff).expect("a page size");
    [0, page_size].map(|page| Meta {
        freelist: u64_at(page + 48),
        high_water: u64_at(page + 56),
        txid: u64_at(page + 64),
    })
}

/// The one with the higher transaction id.
pub(crate) fn newest(path: &Path) -> Meta {
    let [first, second] = metas(path);
    if second.txid > first.txid { second } else { first }
}
