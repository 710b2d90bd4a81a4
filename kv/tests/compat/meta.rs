//! The two meta pages and the freelist as they lie in a file, read without the
//! library.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
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
    [0, page_size(path)].map(|page| Meta {
        freelist: u64_at(path, page + 48),
        high_water: u64_at(path, page + 56),
        txid: u64_at(path, page + 64),
    })
}

/// The one with the higher transaction id.
pub(crate) fn newest(path: &Path) -> Meta {
    let [first, second] = metas(path);
    if second.txid > first.txid { second } else { first }
}

/// How many page numbers the stored freelist has. From 65,535 on they are counted
/// in the first eight bytes of the list, and the page's header says 65,535.
pub(crate) fn freelist_len(path: &Path) -> u64 {
    let page = newest(path).freelist * page_size(path);
    match (u64_at(path, page + 8) >> 16) & 0xffff {
        0xffff => u64_at(path, page + 16),
        short => short,
    }
}

fn page_size(path: &Path) -> u64 {
    u64_at(path, 24) & 0xffff_ffff
}

fn u64_at(path: &Path, offset: u64) -> u64 {
    let mut bytes = [0; 8];
    let mut file = File::open(path).expect("the file is there");
    file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(&mut bytes)).expect("the file is so long");
    u64::from_le_bytes(bytes)
}
