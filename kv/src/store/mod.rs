//! Pages: page number to checked page, and the pages that a write transaction changes in memory.
//!
//! **Invariant:** nothing here knows what a key means or which tree a page belongs to.

mod draft;
mod image;
mod link;
mod pages;
mod run;

pub(crate) use draft::{Draft, page_span};
pub(crate) use image::{Image, ImageKind, NODE_BYTES_MAX, share_of};
pub(crate) use link::{Link, Slot};
pub(crate) use pages::{PageRef, Pages, bucket_root, corrupt};
pub(crate) use run::write_runs;
