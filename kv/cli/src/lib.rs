#![doc = include_str!("../README.md")]
//!
//! # How the source is ordered
//!
//! One command is one file in `commands`. What commands share lies in rooms below them, and a room knows only rooms
//! further left:
//!
//! ```text
//! notation <- failure <- terminal <- files <- arguments <- browse <- commands <- command_line
//! ```
//!
//! - `notation`: bytes as text and back; the lines of an export, the text of a digest
//! - `failure`: why a command failed, as one line with a remedy and an exit code
//! - `terminal`: what a command reads from and writes to, and its progress bars
//! - `files`: opening a database, making a new file whole or not at all, signals
//! - `arguments`: the arguments that several commands take
//! - `browse`: looking around in a terminal
//! - `command_line`: all commands, and running the one that was asked for
#![forbid(unsafe_code)]

mod arguments;
mod browse;
mod command_line;
mod commands;
mod failure;
mod files;
mod notation;
mod terminal;

pub use command_line::{run, run_from};
pub use terminal::Streams;
