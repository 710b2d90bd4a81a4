//! Every store of this crate keeps the contract, on each of its ways to map.
#![cfg(feature = "conformance")]

use std::sync::Arc;

use pagefile_std::conformance::page_store;
use pagefile_std::{FileOptions, MemStore, PageFile, PageStore};

/// Runs the suite on files with this much address space reserved.
fn files(reserve: Option<u64>) {
    let dir = tempfile::tempdir().unwrap();
    let options = FileOptions { reserve, ..FileOptions::default() };
    let mut count = 0;
    page_store(|| {
        count += 1;
        let path = dir.path().join(format!("{count}"));
        PageFile::open_or_create(&path, &options, &mut || vec![7; 4096]).unwrap()
    });
}

#[test]
fn a_file_whose_map_never_moves() {
    files(None);
}

#[test]
fn a_file_whose_map_moves_with_each_growth() {
    files(Some(0));
}

#[test]
fn a_file_that_outgrows_its_reservation() {
    files(Some(100_000));
}

#[test]
fn memory() {
    page_store(MemStore::new);
    page_store(|| MemStore::with_bytes(&[7; 5000]));
}

#[test]
fn memory_that_outgrows_its_capacity() {
    page_store(|| MemStore::with_capacity(0));
    page_store(|| MemStore::with_capacity(100_000));
}

#[test]
fn stores_behind_pointers() {
    page_store(|| Box::new(MemStore::new()) as Box<dyn PageStore>);
    page_store(|| Arc::new(MemStore::new()));
}
