//! A disk that may do everything a real one may do, and shows all of it.
//!
//! # The fault model
//!
//! **Power cut.** Let S be the last sync that has succeeded. Every write before S is on the disk.
//! Of the writes since S, each 512-byte sector independently has any one of the values written to
//! it since S, or its old value: writes are reordered, torn within a page, and lost, in any
//! combination. The length is any of those set since it was last durable, or the old one; bytes
//! past the durable length read as zero, or, in the harsh mode, as garbage, because a length may
//! reach the disk before what lies under it. Nothing outside the written sectors changes (powersafe
//! overwrite). In the range that is named as [written in place](Strategy::in_place), a sector may
//! also be torn after any of its bytes, because a commit that hangs on a few bytes should not hang
//! on the size of a sector.
//!
//! Legal because a write only reaches the page cache, and neither the kernel nor the drive says in
//! which order or in what portions it empties. `SQLite` states the same assumptions ("Atomic Commit
//! In `SQLite`", section 2).
//!
//! **Growth** is durable when it returns, but says nothing about the bytes written before it: the
//! contract of [`PageStore`](crate::PageStore) and no more. A power cut inside it leaves the old
//! length or the new one. With [`growth_synced`](SimOptions::growth_synced) off it is durable with
//! the next sync.
//!
//! **Kill.** The process dies and the page cache lives: [`SimDisk::reopen`]. What was written and
//! not synced is still there to be read, and still lost with a power cut.
//!
//! **Failed sync.** The call fails once or for ever, and the kernel does with the dirty pages one of
//! three things that kernels do ([`Kernel`]): keep them dirty; call them clean, so that they can be
//! read but no later sync writes them (ext4, XFS); take back what was written (Btrfs). Whatever had
//! reached the disk before is there, so an image after it is one of the power cut above (Rebello et
//! al., "Can Applications Recover from fsync Failures?", ATC 2020). Not modelled: a clean page that
//! leaves the cache later and is read again from the disk, old.
//!
//! **Failed call.** The n-th system call fails with an I/O error or a full disk, writes only part of
//! what it was given, or is interrupted, once or from then on ([`Plan`]). Faults are of system
//! calls, not of the store's methods: the loop that carries on after a short or interrupted write is
//! the one that real files use.
//!
//! **Not modelled:** bits that rot, writes that go astray, a drive that says it has synced and has
//! not. A format without checksums on its pages cannot survive these; see what it promises of them.
//!
//! # How to use it
//!
//! Run what is to be tested on a [`SimDisk`]. It records an [`Epoch`] for every sync and growth:
//! what was durable before, and what was in flight. [`Epoch::each_power_cut`] goes through the
//! legal outcomes of a power cut at any time in it; [`Images`] makes a store of each, to be opened,
//! compared and written to. [`SimDisk::before_write`] watches every write before it happens, beside
//! what is durable then, for rules such as "never write a page that the last durable root reaches":
//! where that rule holds, every subset of an epoch's data pages leads back to the old state.
//!
//! A power cut during the recovery from a power cut is the same once more: a new `SimDisk` on
//! [`Epoch::image`], opened, and the epochs of that.
//!
//! ```
//! use pagefile_std::sim::{Images, SimDisk, Strategy};
//! use pagefile_std::{PageStore, StoreError};
//! use std::io::IoSlice;
//! use std::ops::ControlFlow;
//!
//! /// Replaces the number on page 0 or 1, whichever does not hold the one of now, named by page 2.
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
