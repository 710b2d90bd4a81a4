#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod backup;
mod bench;
mod bucket_path;
mod buckets;
mod check;
mod cli;
mod compact;
mod completions;
mod create;
mod del;
mod digest;
mod dump;
mod export;
mod failure;
mod get;
mod import;
mod info;
mod inspect;
mod interrupt;
mod keys;
mod listing;
mod map;
mod notation;
mod open;
mod output;
mod page;
mod page_item;
mod pages;
mod progress;
mod put;
mod record;
mod remedy;
mod stats;
mod surgery;
mod terminal;
mod verify;
mod version;
mod walk;

pub use cli::run;
