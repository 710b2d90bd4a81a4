//! The tool `kv`, run as a person or a script runs it: what it prints, what it writes, what it answers.

#[macro_use]
extern crate kv_testkit;

mod across_commits;
#[cfg(unix)]
mod browse;
mod damaged;
mod digest;
mod etcd;
mod failures;
#[cfg(unix)]
mod interrupt;
#[cfg(target_os = "linux")]
mod kill;
mod library;
#[cfg(unix)]
mod lies;
mod looking;
mod salvage;
mod scan;
#[cfg(unix)]
mod serve;
mod surgery;
#[cfg(unix)]
mod terminal;
mod text;
mod tool;
#[cfg(unix)]
mod tty;
mod writing;
