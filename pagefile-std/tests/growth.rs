//! Growth that cannot be.

#[macro_use]
extern crate kv_testkit;

use std::fs;

use pagefile_std::{FileOptions, PageFile, PageStore, StoreError};

#[test]
fn a_growth_that_this_machine_cannot_map_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pages");
    fs::write(&path, [7; 4096]).unwrap();
    let store = PageFile::open(&path, &FileOptions::default()).unwrap();
    // Of slices, and so of maps, the longest has `isize::MAX` bytes: 2 GiB less one with 32 bits.
    for len in [isize::MAX as u64 + 1, u64::MAX] {
        let error = store.grow(len).unwrap_err();
        assert!(matches!(error, StoreError::AddressSpace { .. }), "{error}");
        assert!(error.to_string().contains("use a 64-bit program"), "{error}");
        assert!(!store.poisoned(), "nothing is uncertain");
        assert_eq!((store.len(), fs::metadata(&path).unwrap().len()), (4096, 4096), "it opens again");
    }
}
