#![forbid(unsafe_code)]
//! x
pub mod mvcc;
#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
pub mod server;
