//! The database: open and recover, the handle, check, compact, back up, look inside.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]
#![allow(clippy::missing_panics_doc, reason = "a broken assertion is a defect here, and no caller can cause it")]

mod backup;
mod batch;
mod bucket_roots;
mod compact;
mod contents;
mod damage;
#[allow(clippy::module_inception, reason = "the handle gives the room its name")]
mod db;
#[cfg(feature = "digest")]
pub mod digest;
mod inspect;
mod open;
mod options;
mod page_info;
mod peek;
mod replayed;
mod settle;
mod shrink;
mod stats;
pub mod surgery;

pub use compact::{CompactReport, compact, salvage};
pub use contents::{Contents, Step};
pub use damage::{Damage, Lost};
pub use db::Db;
pub use inspect::BucketStructure;
pub use options::{Durability, FreelistKind, FreelistSync, Options};
pub use page_info::{PageInfo, PageKind};
pub use peek::Peek;
pub use shrink::Shrunk;
pub use stats::{BucketStats, Stats};
