//! The database: open and recover, the handle, check, compact, back up, look inside.

mod backup;
mod bucket_roots;
mod compact;
#[cfg(feature = "digest")]
pub mod digest;
mod free_pages;
mod handle;
mod inspect;
mod open;
mod options;
mod page_info;
mod stats;
pub mod surgery;

pub use compact::{CompactReport, compact};
pub use handle::Db;
pub use inspect::BucketStructure;
pub use options::{FreelistKind, FreelistSync, Options};
pub use page_info::{PageInfo, PageKind};
pub use stats::{BucketStats, Stats};
