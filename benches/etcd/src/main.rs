//! What a hundred clients of etcd's API see while a store grows: `cargo etcd-bench -- small`.
//!
//! The same client puts to each set-up in turn, over gRPC, with compactions on the way. Each figure is kept as soon as it
//! is there, and a run that was interrupted goes on. At the end the report is written, in Markdown with pictures.
#![forbid(unsafe_code)]

mod chart;
mod journal;
mod load;
mod process;
mod proxy;
mod redis;
mod report;
mod run;
mod serve;
mod setup;
mod size;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::setup::SETUPS;
use crate::size::Size;

/// Measures what clients of etcd's API see.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// 20,000 puts of 256 bytes and 4,000 of 20 to 30 KB: minutes
    Small(Choice),
    /// A million puts of each: hours, and 60 GB
    Published(Choice),
    /// 48,000 puts to a store in which every other page of a gigabyte is free
    Fragmented(Choice),
    /// Serves a set-up's store; the benchmark starts it
    #[command(hide = true)]
    Serve(serve::Arguments),
}

/// What is measured.
#[derive(Args)]
struct Choice {
    /// Set-ups, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_parser = SETUPS.map(|setup| setup.name))]
    only: Vec<String>,
    /// How often each is measured; the report shows medians
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Clients that put at the same time
    #[arg(long, default_value_t = 100)]
    clients: usize,
    /// Where the stores are made, in a directory that is removed again
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// Where figures and report are kept
    #[arg(long, default_value = "benches/results/etcd")]
    results: PathBuf,
    /// Words about the machine that the report repeats
    #[arg(long, default_value = "")]
    note: String,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Small(choice) => run::run(&Size::SMALL, &choice),
        Command::Published(choice) => run::run(&Size::PUBLISHED, &choice),
        Command::Fragmented(choice) => run::run(&Size::FRAGMENTED, &choice),
        Command::Serve(arguments) => serve::serve(&arguments),
    }
}
