//! What the commands `check` and `surgery` do with a file, through the library's functions.

use std::path::Path;

use kv::surgery::{RawFile, RawItem};
use kv::{Options, PageId};
use pagefile_std::{FileOptions, MemStore, PageFile};

/// Looks at these bytes as a file of pages of a size that they tell, or that cannot be told, and repairs copies in `dir`.
///
/// # Panics
/// If the library panics.
pub fn run(bytes: &[u8], dir: &Path) {
    for page_size in [None, Some(1024), Some(512)] {
        if let Ok(file) = RawFile::new(MemStore::with_bytes(bytes), page_size) {
            look(&file);
            repair(&file, &dir.join("copy"));
        }
    }
    if let Ok(db) = Options::new().read_only(true).open_store(Box::new(MemStore::with_bytes(bytes))) {
        let tx = db.begin_read();
        for page in 0..tx.size() / u64::from(db.page_size()) + 2 {
            // Damage is what the answer is about.
            let _ = (tx.check_from(PageId::new(page)), tx.page(PageId::new(page)));
        }
    }
}

fn look(file: &RawFile) {
    let _ = (file.newest(), file.newest_slot(), file.meta_as_it_is(0), file.meta_as_it_is(1), file.meta(2));
    for page in (0..file.pages() + 2).chain([u64::MAX]).map(PageId::new) {
        let _ = file.bytes(page);
        let Ok(page) = file.page(page) else { continue };
        let (_, count) = (page.bytes(), page.count().unwrap_or(0));
        for index in (0..=count.min(1000)).chain([usize::MAX]) {
            if let Ok(Some(RawItem::Bucket { key, value, .. })) = page.item(index) {
                assert!(key.len() + value.len() <= page.bytes().len());
            }
        }
        let _ = page.items().map(|items| items.take(70_000).flatten().count());
    }
}

fn repair(file: &RawFile, copy: &Path) {
    if file.file_len() == 0 {
        // There is nothing to copy, which is a separate error.
        return;
    }
    let mut edits = Vec::new();
    edits.extend(file.revert_meta());
    edits.extend(file.abandon_freelist().unwrap_or_default());
    edits.extend(file.newest().and_then(|meta| file.edit_meta(0, &meta).ok()));
    for page in (2..file.pages()).take(64).map(PageId::new) {
        edits.extend(file.copy_page(page, PageId::new(2)));
        for (from, to) in [(0, None), (1, None), (0, Some(1)), (1, Some(3)), (7, Some(2))] {
            edits.extend(file.clear_elements(page, from, to).map(|cleared| cleared.edit));
        }
    }
    file.write_copy(copy, &edits, |_| ()).expect("the directory takes a file");
    let copied = std::fs::metadata(copy).expect("it is there").len();
    assert_eq!(copied, file.file_len(), "a repair stays within the file");
    // A repair of a damaged file need not be a database, but it can be found out.
    let opened = PageFile::open(copy, &FileOptions { read_only: true, ..FileOptions::default() });
    drop(opened.map(|pages| RawFile::new(pages, None).map(|file| file.newest())));
    std::fs::remove_file(copy).expect("it is there");
}
