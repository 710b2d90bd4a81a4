//! `kv check`: is everything in order?

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv::PageId;
use serde::Serialize;

use crate::failure::{Failure, Result};
use crate::files::open;
use crate::terminal::Terminal;
use crate::terminal::progress;

/// Check that every page is used once or free, and every key in order
///
/// Prints OK, or a line for each problem; the exit code is then 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Problems:
  reachable freed       in use, and also on the freelist
  unreachable unfreed   neither in use nor on the freelist: lost space
  multiple references   used in two places
  others say what is wrong with the bytes of their page

What to do: restore a backup, or work on a copy with `kv surgery`.

Examples:
  kv check FILE
  kv check --from-page 42 FILE    only what hangs below page 42, a branch or leaf")]
pub(crate) struct Check {
    /// The database
    pub(crate) file: PathBuf,

    /// Check only what hangs below this page; 0 for everything
    #[arg(long, value_name = "PAGE", default_value_t = 0)]
    from_page: u64,

    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Answer<'p> {
    ok: bool,
    problems: Vec<Found<'p>>,
}

#[derive(Debug, Serialize)]
struct Found<'p> {
    page: u64,
    what: &'p str,
}

impl Check {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> Result<()> {
        let db = open::to_read(&self.file, terminal)?;
        let tx = db.begin_read();
        let busy = progress::busy("checking");
        let problems = match self.from_page {
            0 => tx.check()?,
            page => tx.check_from(PageId::new(page))?,
        };
        busy.finish_and_clear();
        if self.json {
            let list = problems.iter().map(|problem| Found { page: problem.page.get(), what: problem.what });
            terminal.json(&Answer { ok: problems.is_empty(), problems: list.collect() })?;
        } else {
            problems.iter().try_for_each(|problem| writeln!(terminal.out, "{problem}"))?;
            match problems.len() {
                0 => writeln!(terminal.out, "OK")?,
                count => writeln!(terminal.out, "{count} errors found")?,
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Failure::Reported) }
    }
}
