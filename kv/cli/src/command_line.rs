//! The command line: all commands, and running the one that the arguments name.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};
use kv::Db;

use crate::commands::{
    backup, bench, browse, buckets, check, checkpoint, compact, completions, create, del, digest, dump, etcd, export,
    get, import, info, inspect, keys, map, page, page_item, pages, put, scan, shrink, stats, surgery, verify, version,
};
use crate::failure::{At, Failure, Result};
use crate::files::{interrupt, size_limit};
use crate::terminal::{Printed, Streams, Terminal};

const AFTER_HELP: &str = "\
Examples:
  kv create zoo.db animals              make a database with a bucket
  kv put zoo.db animals cat meow        store a value
  kv get zoo.db animals cat             read it
  kv keys zoo.db animals                list the keys
  kv scan zoo.db animals --prefix c     list keys and values
  kv browse zoo.db                      look around in a terminal
  kv keys --live member/snap/db key     look into etcd's file while etcd runs
  kv check member/snap/db               look for damage
  kv etcd serve --data-dir node.etcd    serve etcd's API on one node
  kv checkpoint app.db                  make a file whole that a crash has left with a log
  kv compact -o small.db big.db         make a dense copy
  kv shrink big.db                      make the file shorter, in place
  kv export zoo.db | kv import copy.db  copy as text

A bucket inside another is named by its path, outermost first: kv get FILE OUTER INNER KEY.
Commands that only read take a shared lock, so several of them can run at once. With --live they take none, and read a
file that another program holds.

Exit codes:
  0    done
  1    a problem in the data: damage, or no such key or bucket
  2    the command line is wrong
  3    a file could not be opened, read or written: wrong path, no database, locked, disk full
  130  interrupted, by Ctrl-C for example, while making a new file, which is removed";

/// Create, read, change, check, repair and measure bbolt's and etcd's database files.
#[derive(Debug, Parser)]
#[command(name = "kv", version, after_help = AFTER_HELP, max_term_width = 110)]
struct Cli {
    /// How many seconds to wait while another program holds the file; 0 tries once
    #[arg(long, global = true, display_order = 900, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    lock_timeout: Duration,

    /// Read a file that another program holds and writes to, without its lock. The output is of one state; a commit of the
    /// other program meanwhile begins the command again, for as long as --lock-timeout says. For commands that only read;
    /// their output is kept in memory until it is complete. See also --across-commits of `keys` and `scan`
    #[arg(long, global = true, display_order = 901)]
    live: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Info(info::Info),
    Check(check::Check),
    Checkpoint(checkpoint::Checkpoint),
    Digest(digest::Digest),
    Verify(verify::Verify),
    Stats(stats::Stats),
    Buckets(buckets::Buckets),
    Keys(keys::Keys),
    Scan(scan::Scan),
    Browse(browse::Browse),
    Get(get::Get),
    Put(put::Put),
    Del(del::Del),
    Create(create::Create),
    Export(export::Export),
    Import(import::Import),
    Backup(backup::Backup),
    Compact(compact::Compact),
    Shrink(shrink::Shrink),
    Inspect(inspect::Inspect),
    Map(map::Map),
    Pages(pages::Pages),
    Page(page::Page),
    PageItem(page_item::PageItem),
    Dump(dump::Dump),
    Surgery(surgery::Surgery),
    Bench(bench::Bench),
    Etcd(etcd::Etcd),
    Completions(completions::Completions),
    Version(version::Version),
}

impl Command {
    /// The file that an error is about unless it names another.
    fn file(&self) -> Option<&Path> {
        Some(match self {
            Self::Info(command) => &command.file,
            Self::Check(command) => &command.file,
            Self::Checkpoint(command) => &command.file,
            Self::Digest(command) => &command.file,
            Self::Verify(command) => &command.file,
            Self::Stats(command) => &command.file,
            Self::Buckets(command) => &command.file,
            Self::Keys(command) => &command.file,
            Self::Scan(command) => &command.file,
            Self::Browse(command) => &command.file,
            Self::Get(command) => &command.file,
            Self::Put(command) => &command.file,
            Self::Del(command) => &command.file,
            Self::Create(command) => &command.file,
            Self::Export(command) => &command.file,
            Self::Import(command) => &command.file,
            Self::Backup(command) => &command.file,
            Self::Compact(command) => &command.file,
            Self::Shrink(command) => &command.file,
            Self::Inspect(command) => &command.file,
            Self::Map(command) => &command.file,
            Self::Pages(command) => &command.file,
            Self::Page(command) => &command.file,
            Self::PageItem(command) => &command.file,
            Self::Dump(command) => &command.file,
            Self::Surgery(command) => command.file(),
            Self::Bench(command) => return command.path.as_deref(),
            Self::Etcd(command) => return command.file(),
            Self::Completions(_) | Self::Version(_) => return None,
        })
    }

    /// Whether the command only reads its file.
    fn reads(&self) -> bool {
        match self {
            Self::Etcd(command) => command.reads(),
            Self::Browse(command) => !command.writes(),
            Self::Put(_) | Self::Del(_) | Self::Create(_) | Self::Import(_) | Self::Shrink(_) | Self::Checkpoint(_) => {
                false
            }
            _ => !matches!(self, Self::Surgery(_) | Self::Bench(_) | Self::Completions(_) | Self::Version(_)),
        }
    }

    /// Whether the command itself begins again, or goes on, when another program commits.
    fn goes_on(&self) -> bool {
        match self {
            // It asks again and again while a person looks.
            Self::Browse(_) => true,
            Self::Keys(command) => command.bounds.across_commits,
            Self::Scan(command) => command.bounds.across_commits,
            _ => false,
        }
    }

    /// Runs the command on its file as it is now, and again whenever another program commits meanwhile; then prints what the
    /// last run has printed.
    fn run_live(&self, terminal: &mut Terminal) -> Result<()> {
        let Some(file) = self.file().filter(|_| self.reads()) else {
            return Err(Failure::Usage("--live is for commands that only read a file: leave it out".into()));
        };
        let peek = Db::peek(file).at(file)?.patience(terminal.lock_timeout);
        if self.goes_on() {
            terminal.live = Some(peek);
            return self.run(terminal);
        }
        let run: kv::Result<(Result<()>, Printed)> = peek.retry(|now| {
            terminal.live = Some(now.clone());
            Ok(terminal.held_back(|terminal| self.run(terminal)))
        });
        let (done, printed) = run.at(file)?;
        let shown = terminal.show(&printed);
        done.and(shown)
    }

    fn run(&self, terminal: &mut Terminal) -> Result<()> {
        match self {
            Self::Info(command) => command.run(terminal),
            Self::Check(command) => command.run(terminal),
            Self::Checkpoint(command) => command.run(terminal),
            Self::Digest(command) => command.run(terminal),
            Self::Verify(command) => command.run(terminal),
            Self::Stats(command) => command.run(terminal),
            Self::Buckets(command) => command.run(terminal),
            Self::Keys(command) => command.run(terminal),
            Self::Scan(command) => command.run(terminal),
            Self::Browse(command) => command.run(terminal),
            Self::Get(command) => command.run(terminal),
            Self::Put(command) => command.run(terminal),
            Self::Del(command) => command.run(terminal),
            Self::Create(command) => command.run(terminal),
            Self::Export(command) => command.run(terminal),
            Self::Import(command) => command.run(terminal),
            Self::Backup(command) => command.run(terminal),
            Self::Compact(command) => command.run(terminal),
            Self::Shrink(command) => command.run(terminal),
            Self::Inspect(command) => command.run(terminal),
            Self::Map(command) => command.run(terminal),
            Self::Pages(command) => command.run(terminal),
            Self::Page(command) => command.run(terminal),
            Self::PageItem(command) => command.run(terminal),
            Self::Dump(command) => command.run(terminal),
            Self::Surgery(command) => command.run(terminal),
            Self::Bench(command) => command.run(terminal),
            Self::Etcd(command) => command.run(terminal),
            Self::Completions(command) => command.run(&mut Cli::command(), terminal),
            Self::Version(command) => command.run(terminal),
        }
    }
}

impl Cli {
    /// Runs the command and returns its exit code. `before_report` runs after the command, before its failure is
    /// printed.
    fn answer(&self, streams: Streams<'_>, before_report: fn()) -> u8 {
        let mut terminal = Terminal::new(streams, self.lock_timeout);
        let run = if self.live { Command::run_live } else { Command::run };
        let done = run(&self.command, &mut terminal).and_then(|()| terminal.flush());
        before_report();
        match done {
            Ok(()) => 0,
            Err(failure) => terminal.report(failure, self.command.file()),
        }
    }
}

/// Runs the command that the process's arguments name, and returns its exit code.
///
/// On Unix, a write beyond the limit on the size of files (`ulimit -f`) is an error from here on; without this call the
/// signal `SIGXFSZ` ends the process.
#[must_use]
pub fn run() -> ExitCode {
    size_limit::becomes_an_error();
    match Cli::try_parse() {
        Ok(cli) => cli.answer(Streams::standard(), interrupt::too_late).into(),
        Err(error) => {
            // In colour, which `run_from` has no terminal for.
            let _ = error.print();
            usage_code(&error).into()
        }
    }
}

/// Runs the command that `args` name, the first of which is the program's name, and returns the exit code that
/// `kv --help` documents. Prints nothing except through `streams`.
///
/// A command that makes a file handles interrupts from then on, as the program does: Ctrl-C removes an unfinished file
/// and ends the process.
///
/// ```
/// use kv_cli::{Streams, run_from};
///
/// let directory = tempfile::tempdir()?;
/// let file = directory.path().join("zoo.db");
/// let args = |command: &'static str| vec!["kv".into(), command.into(), file.clone().into_os_string()];
///
/// let quiet = || Streams::new(std::io::empty(), std::io::sink(), std::io::sink());
/// assert_eq!(run_from(args("create"), quiet()), 0);
/// assert_eq!(run_from(args("create"), quiet()), 3);
///
/// let mut output = Vec::new();
/// assert_eq!(run_from(args("check"), Streams::new(std::io::empty(), &mut output, std::io::sink())), 0);
/// assert_eq!(output, b"OK\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn run_from<I>(args: I, streams: Streams<'_>) -> u8
where
    I: IntoIterator<Item: Into<OsString> + Clone>,
{
    match Cli::try_parse_from(args) {
        Ok(cli) => cli.answer(streams, || ()),
        Err(error) => {
            Terminal::new(streams, Duration::ZERO).usage(&error.render().to_string(), error.use_stderr());
            usage_code(&error)
        }
    }
}

/// 2 for a command line that is wrong, 0 for help.
fn usage_code(error: &clap::Error) -> u8 {
    error.exit_code().try_into().unwrap_or(2)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
