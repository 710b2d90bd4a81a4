//! The command line: what there is, and where it goes.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::commands::{
    backup, bench, buckets, check, compact, completions, create, del, digest, dump, export, get, import, info, inspect,
    keys, map, page, page_item, pages, put, stats, surgery, verify, version,
};
use crate::failure::Result;
use crate::terminal::Terminal;

const AFTER_HELP: &str = "\
Examples:
  kv create zoo.db animals              make a database with a bucket
  kv put zoo.db animals cat meow        store a value
  kv get zoo.db animals cat             read it
  kv keys zoo.db animals                what is there
  kv info member/snap/db                look at etcd's file (stop etcd first: it holds the lock)
  kv check member/snap/db               is everything in order?
  kv compact -o small.db big.db         a dense copy
  kv export zoo.db | kv import copy.db  through text

A bucket inside another is named by its path, outermost first: kv get FILE OUTER INNER KEY.
Commands that only read take a shared lock, so any number of them can run at once.

Exit codes:
  0    done
  1    a problem in the data: damage, or what was asked for is not there
  2    the command line is wrong
  3    a file could not be opened, read or written: wrong path, no database, locked, disk full
  130  interrupted, by Ctrl-C for example, while a new file was made, which is removed";

/// Create, read, change, check, repair and measure bbolt's and etcd's database files.
#[derive(Debug, Parser)]
#[command(name = "kv", version, after_help = AFTER_HELP, max_term_width = 110)]
pub(crate) struct Cli {
    /// How many seconds to wait while another program holds the file; 0 tries once
    #[arg(long, global = true, display_order = 900, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    lock_timeout: Duration,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Info(info::Info),
    Check(check::Check),
    Digest(digest::Digest),
    Verify(verify::Verify),
    Stats(stats::Stats),
    Buckets(buckets::Buckets),
    Keys(keys::Keys),
    Get(get::Get),
    Put(put::Put),
    Del(del::Del),
    Create(create::Create),
    Export(export::Export),
    Import(import::Import),
    Backup(backup::Backup),
    Compact(compact::Compact),
    Inspect(inspect::Inspect),
    Map(map::Map),
    Pages(pages::Pages),
    Page(page::Page),
    PageItem(page_item::PageItem),
    Dump(dump::Dump),
    Surgery(surgery::Surgery),
    Bench(bench::Bench),
    Completions(completions::Completions),
    Version(version::Version),
}

impl Command {
    /// The file that errors are about unless they name another.
    fn file(&self) -> Option<&Path> {
        Some(match self {
            Self::Info(command) => &command.file,
            Self::Check(command) => &command.file,
            Self::Digest(command) => &command.file,
            Self::Verify(command) => &command.file,
            Self::Stats(command) => &command.file,
            Self::Buckets(command) => &command.file,
            Self::Keys(command) => &command.file,
            Self::Get(command) => &command.file,
            Self::Put(command) => &command.file,
            Self::Del(command) => &command.file,
            Self::Create(command) => &command.file,
            Self::Export(command) => &command.file,
            Self::Import(command) => &command.file,
            Self::Backup(command) => &command.file,
            Self::Compact(command) => &command.file,
            Self::Inspect(command) => &command.file,
            Self::Map(command) => &command.file,
            Self::Pages(command) => &command.file,
            Self::Page(command) => &command.file,
            Self::PageItem(command) => &command.file,
            Self::Dump(command) => &command.file,
            Self::Surgery(command) => command.file(),
            Self::Bench(command) => return command.path.as_deref(),
            Self::Completions(_) | Self::Version(_) => return None,
        })
    }

    fn run(&self, terminal: &mut Terminal) -> Result<()> {
        match self {
            Self::Info(command) => command.run(terminal),
            Self::Check(command) => command.run(terminal),
            Self::Digest(command) => command.run(terminal),
            Self::Verify(command) => command.run(terminal),
            Self::Stats(command) => command.run(terminal),
            Self::Buckets(command) => command.run(terminal),
            Self::Keys(command) => command.run(terminal),
            Self::Get(command) => command.run(terminal),
            Self::Put(command) => command.run(terminal),
            Self::Del(command) => command.run(terminal),
            Self::Create(command) => command.run(terminal),
            Self::Export(command) => command.run(terminal),
            Self::Import(command) => command.run(terminal),
            Self::Backup(command) => command.run(terminal),
            Self::Compact(command) => command.run(terminal),
            Self::Inspect(command) => command.run(terminal),
            Self::Map(command) => command.run(terminal),
            Self::Pages(command) => command.run(terminal),
            Self::Page(command) => command.run(terminal),
            Self::PageItem(command) => command.run(terminal),
            Self::Dump(command) => command.run(terminal),
            Self::Surgery(command) => command.run(terminal),
            Self::Bench(command) => command.run(terminal),
            Self::Completions(command) => command.run(terminal),
            Self::Version(command) => command.run(terminal),
        }
    }
}

/// Runs the command that the process's arguments name, and answers its exit code.
#[must_use]
pub fn run() -> ExitCode {
    let Cli { lock_timeout, command } = Cli::parse();
    let mut terminal = Terminal::new(lock_timeout);
    let done = command.run(&mut terminal).and_then(|()| terminal.flush());
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // What was found before the failure is shown before it.
            let _ = terminal.flush();
            failure.report(command.file())
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
