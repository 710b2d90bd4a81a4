//! What the tests of this workspace share: one random generator, one model of nested buckets with the programs that run
//! beside it, one budget, and a time limit for each test.
//!
//! | module | |
//! | --- | --- |
//! | [`random`] | the generator of everything random |
//! | [`budget`], [`figure`] | how much to do, and the line that says how much was done |
//! | [`FIXTURES`] | the names of the files that bbolt and etcd wrote |
//! | [`found`] | other programs that tests need, and may be missing |
//! | [`TimeLimit`] | a test that does not end fails, with its name |
//! | [`program`] | operations on nested buckets, as values and as text |
//! | [`model`] | what a database should hold: sorted maps that run programs |
//! | [`engine`] | the library runs the same programs |
//! | [`generate`], [`shrink`], [`parse`] | programs at random, made smaller, read back from their text |
//! | [`bbolt`], [`peer`], [`etcd`] | Go's bbolt runs them too; a real etcd serves from a file |
//! | [`etcd_release`] | which etcd |
//! | [`go`], [`packages`] | programs in Go are built, packages of Python and npm installed |
//!
//! A line at the root of a test program gives each of its tests the time limit:
//!
//! ```ignore
//! #[macro_use]
//! extern crate kv_testkit;
//! ```
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate self as kv_testkit;

pub mod bbolt;
pub mod budget;
pub mod figure;
mod fixtures;
pub mod found;
pub mod go;
mod kept;
pub mod packages;
pub mod random;
mod time_limit;

#[cfg(feature = "kv")]
pub mod bbolt_leak;
#[cfg(feature = "kv")]
pub mod case;
#[cfg(feature = "kv")]
pub mod engine;
#[cfg(feature = "kv")]
pub mod etcd;
#[cfg(feature = "kv")]
pub mod etcd_release;
#[cfg(feature = "kv")]
pub mod generate;
#[cfg(feature = "kv")]
pub mod model;
#[cfg(feature = "kv")]
pub mod outcome;
#[cfg(feature = "kv")]
pub mod parse;
#[cfg(feature = "kv")]
pub mod peer;
#[cfg(feature = "kv")]
pub mod program;
#[cfg(feature = "kv")]
pub mod shrink;
#[cfg(feature = "kv")]
pub mod text;

pub use fixtures::FIXTURES;
pub use kv_timed_test::test;
pub use random::Random;
pub use time_limit::TimeLimit;
