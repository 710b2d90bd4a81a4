//! A simulated disk that does everything a real one may do, and shows all of it.
//!
//! # The fault model
//!
//! **Power cut.** Let S be the last sync that has succeeded. Every write before S is on the disk.
//! Each 512-byte sector written since S independently holds its old value or any one of the values
//! written to it since S: writes are reordered, torn within a page, and lost, in any combination. The
//! length is the durable one or any of those set since; bytes past the durable length read as zero,
//! or as garbage if the strategy [asks for it](Strategy::garbage), because a length may reach the
//! disk before the bytes. Nothing outside the written sectors changes (powersafe overwrite). In the
//! range [written in place](Strategy::in_place), a sector may also be torn after any of its bytes: a
//! commit that depends on a few bytes should not depend on the size of a sector.
//!
//! All this is legal because a write only reaches the page cache, and neither the kernel nor the drive
//! promises in which order or in which portions it writes the cache to the disk. `SQLite` states the
//! same assumptions ("Atomic Commit In `SQLite`", section 2).
//!
//! **A durable write** is a write, and then a barrier for its own bytes: what else is in flight stays in flight. The length
//! becomes durable with it only where a power cut could leave one without these bytes.
//!
//! **Growth** is durable when it returns, but says nothing about earlier writes: this is the contract
//! of [`PageStore`](crate::PageStore) and no more. A power cut during growth leaves the old length or
//! the new one. With [`growth_synced`](SimOptions::growth_synced) off, growth is durable with the next
//! sync.
//!
//! **Truncation.** Until the next sync or growth is done, a power cut leaves the length before it with the bytes before it,
//! or the new one. If the file has grown again by then, what was truncated reads as zero or garbage. Not modelled: writes in
//! flight past the new end that reach the disk although the truncation does not.
//!
//! **Kill.** The process dies and the page cache survives: [`SimDisk::reopen`]. The next process can
//! read unsynced writes, and a power cut can still lose them.
//!
//! **Failed sync**, or the second half of a durable write. The call fails once or for ever, and the kernel treats the dirty pages in one of
//! the three ways of real kernels ([`Kernel`]): it keeps them dirty; it marks them clean, so that they
//! can be read but no later sync writes them (ext4, XFS); or it reverts them (Btrfs). Writes that had
//! reached the disk before are there, so an image after the failure is one of the power cut above
//! (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020). Not modelled: a clean
//! page that leaves the cache later, so that a read finds the old bytes on the disk.
//!
//! **Failed call.** The n-th system call fails with an I/O error or a full disk, writes only part of
//! its bytes, or is interrupted, once or from then on ([`Plan`]). System calls fail, not methods of
//! the store: the loop that goes on after a short or interrupted write is the one that real files use.
//!
//! **Not modelled:** bit rot, writes to the wrong place, drives that report a sync before it is done.
//! A format without checksums on its pages cannot survive these.
//!
//! # How to use it
//!
//! Run the code under test on a [`SimDisk`]. It records an [`Epoch`] for every sync and growth: the
//! durable bytes before it, and the writes in flight. [`Epoch::each_power_cut`] goes through the legal
//! outcomes of a power cut during the epoch; [`Images`] makes a store of each, which the test opens,
//! compares and writes to. [`SimDisk::before_write`] watches every write before it happens, together
//! with the durable bytes at that time, for rules such as "never write a page that the last durable
//! root reaches". Where that rule holds, every subset of an epoch's data pages leads back to the old
//! state.
//!
//! To test a power cut during the recovery from a power cut, open a new `SimDisk` on [`Epoch::image`],
//! and go through its epochs.
//!
//! ```
//! use pagefile_std::sim::{Images, SimDisk, Strategy};
//! use pagefile_std::{PageStore, StoreError};
//! use std::io::IoSlice;
//! use std::ops::ControlFlow;
//!
//! /// Page 2 says whether page 0 or page 1 holds the current number. Writes a new one to the other.
//! fn replace(store: &dyn PageStore, number: u8) -> Result<(), StoreError> {
//!     let mut root = [0];
//!     store.read_at(1024, &mut root)?;
//!     let other = 1 - root[0];
//!     store.write_at(u64::from(other) * 512, &[IoSlice::new(&[number; 512])])?;
//!     store.sync()?; // Without this barrier a root may name a page that is not there yet.
//!     store.write_at(1024, &[IoSlice::new(&[other])])?;
//!     store.sync()
//! }
//!
//! fn number(store: &dyn PageStore) -> [u8; 512] {
//!     let (mut root, mut page) = ([0], [0; 512]);
//!     store.read_at(1024, &mut root).unwrap();
//!     store.read_at(u64::from(root[0]) * 512, &mut page).unwrap();
//!     page
//! }
//!
//! let disk = SimDisk::with_bytes(&[0; 1536]);
//! replace(&disk, 7).unwrap();
//!
//! let mut images = Images::new();
//! for epoch in disk.take_epochs() {
//!     let outcomes = epoch.each_power_cut(&Strategy::for_pages(512), |cut| {
//!         let found = number(&images.store(&epoch, cut));
//!         assert!(found == [0; 512] || found == [7; 512], "{cut:?}");
//!         ControlFlow::<()>::Continue(())
//!     });
//!     println!("{:?} outcomes", outcomes);
//! }
//! ```

mod cuts;
mod disk;
mod epoch;
mod flight;
mod images;
mod machine;
mod plan;
mod power_cut;
mod strategy;

pub use disk::{SimDisk, SimOptions};
pub use epoch::{Barrier, Epoch};
pub use flight::SECTOR;
pub use images::{ImageStore, Images};
pub use machine::Ahead;
pub use plan::{Call, Fault, Kernel, Plan};
pub use power_cut::PowerCut;
pub use strategy::Strategy;
