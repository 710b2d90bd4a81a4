//! The same work on kv and on other engines.
//!
//! Each engine runs in a process of its own, which a [`Task`] reaches by a pipe and which [answers](Reply) with its own
//! wall and processor time. So engines written in Go take part like those in Rust, what an engine does in the background
//! counts for it and no other, its memory can be told from that of others, and one that fails takes nobody with it. The
//! [contest](contest::Contest) gives all of them the same task in turn and compares what they read with an
//! [oracle](oracle::Oracle); the [journal](journal::Journal) keeps each figure as soon as it is there.
//!
//! A new engine is a file in `engines` and a line in [`engines::PEERS`].
#![forbid(unsafe_code)]

pub mod child;
pub mod contest;
mod engine;
pub mod engines;
pub mod flatness;
pub mod journal;
pub mod oracle;
mod pairs;
mod reply;
pub mod report;
pub mod server;
mod task;
pub mod work;

pub use engine::{Durability, Engine, Result};
pub use pairs::{Keys, Pairs, Shape, kept, range};
pub use reply::Reply;
pub use task::{Operation, Task};
