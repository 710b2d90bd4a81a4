//! Every store of this crate keeps the contract, on each of its ways to map.
#![cfg(feature = "conformance")]

#[macro_use]
extern crate kv_testkit;

use std::sync::Arc;

use pagefile_std::conformance::page_store;
use pagefile_std::{FileOptions, MemStore, PageFile, PageStore};

/// Runs the suite on files with this much address space reserved.
fn files(reserve: Option<u64>) {
    files_with(&FileOptions { reserve, ..FileOptions::default() });
    files_with(&FileOptions { reserve, private_reads: true, ..FileOptions::default() });
}

fn files_with(options: &FileOptions) {
    let dir = tempfile::tempdir().unwrap();
    let mut count = 0;
    page_store(|| {
        count += 1;
        let path = dir.path().join(format!("{count}"));
        PageFile::open_or_create(&path, options, &mut || vec![7; 4096]).unwrap()
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

#[cfg(feature = "sim")]
#[test]
fn a_simulated_disk() {
    use pagefile_std::sim::{SimDisk, SimOptions};

    page_store(SimDisk::new);
    page_store(|| SimDisk::with_bytes(&[7; 5000]));
    page_store(|| SimDisk::with_options(&[], SimOptions { growth_synced: false, ..SimOptions::default() }));
}

#[cfg(feature = "sim")]
#[test]
fn an_image_after_a_power_cut() {
    use pagefile_std::sim::{Images, SimDisk, Strategy};
    use std::ops::ControlFlow;

    let disk = SimDisk::with_bytes(&[7; 5000]);
    let [epoch] = &disk.take_epochs()[..] else { panic!("no barrier") };
    let outcomes = epoch.each_power_cut(&Strategy::for_pages(4096), |cut| {
        let mut images = Images::new();
        // Of the memory of the one before, and of fresh memory.
        page_store(|| images.store(epoch, cut));
        page_store(|| Images::new().store(epoch, cut));
        ControlFlow::<()>::Continue(())
    });
    assert_eq!(outcomes, ControlFlow::Continue(1));
}
