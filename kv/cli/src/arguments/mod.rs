//! Arguments that several commands take.

pub(crate) mod bounds;
pub(crate) mod bucket_path;
pub(crate) mod listing;
pub(crate) mod raw_pages;
