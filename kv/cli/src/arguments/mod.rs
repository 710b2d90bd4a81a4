//! What commands have in common on their command lines.

pub(crate) mod bucket_path;
pub(crate) mod listing;
