//! What the fuzz targets of `kv/fuzz` do with their input, and what `kv/tests/faults` does with kept inputs, damaged
//! files and hand-made lies: one body for both, so that what a fuzzer finds is a test as it is.
//!
//! A body returns if everything went as promised: damage is answered by an error, never by a panic, an endless run or
//! memory without bound. The first two of these are the caller's to notice.
#![allow(unreachable_pub, reason = "a module of a library too: kv/fuzz")]

pub mod any_bytes;
pub mod crash_plan;
pub mod operations;
pub mod tool;
