#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod arguments;
mod command_line;
mod commands;
mod failure;
mod files;
mod notation;
mod terminal;

pub use command_line::run;
