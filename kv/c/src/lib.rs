//! The C interface of `kv`: `include/kv.h` is generated from these sources, and says how it is used.
//!
//! Databases and transactions are pointers that C owns; buckets and scans are numbers within their transaction, which end
//! with it, so that none of them can dangle. Nothing unwinds into C: a panic is the code `KV_PANIC`.
#![allow(non_camel_case_types, reason = "the names are those of the header")]
#![allow(clippy::missing_safety_doc, reason = "the rules for all functions are at the head of the header")]

#[cfg(test)]
#[macro_use]
extern crate kv_testkit;

mod bucket;
mod code;
mod database;
mod pairs;
mod pointers;
mod scan;
mod transaction;

pub use bucket::*;
pub use code::{kv_code, kv_error_message};
pub use database::*;
pub use pairs::*;
pub use pointers::{kv_bytes, kv_text};
pub use scan::*;
pub use transaction::{kv_begin_read, kv_begin_write, kv_check, kv_commit, kv_copy, kv_end, kv_tx};
