//! The commands, one a file.

pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod buckets;
pub(crate) mod check;
pub(crate) mod compact;
pub(crate) mod completions;
pub(crate) mod create;
pub(crate) mod del;
pub(crate) mod digest;
pub(crate) mod dump;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod inspect;
pub(crate) mod keys;
pub(crate) mod map;
pub(crate) mod page;
pub(crate) mod page_item;
pub(crate) mod pages;
pub(crate) mod put;
pub(crate) mod shrink;
pub(crate) mod stats;
pub(crate) mod surgery;
pub(crate) mod verify;
pub(crate) mod version;
