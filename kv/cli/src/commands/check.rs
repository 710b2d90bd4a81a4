//! `kv check`: looks for damage.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv::{PageId, Problem};
use serde::Serialize;

use crate::failure::Result;
use crate::files::open;
use crate::terminal::Terminal;

/// Check that every page is used once or free, and every key in order
///
/// Prints OK, or one line for each problem with exit code 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Problems:
  reachable freed       a page is in use and also on the freelist
  unreachable unfreed   a page is neither in use nor on the freelist: lost space
  multiple references   a page is used in two places
  All others say what is wrong with the bytes of their page.

What to do: restore a backup, or repair a copy with `kv surgery`.

Examples:
  kv check FILE
  kv check --from-page 42 FILE    only the pages below page 42, a branch or leaf")]
pub(crate) struct Check {
    /// The database
    pub(crate) file: PathBuf,

    /// Check only this page and those below it; 0 for everything
    #[arg(long, value_name = "PAGE", default_value_t = 0)]
    from_page: u64,

    /// Print JSON
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
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let (db, bar) = open::to_walk(&self.file, "checking pages", terminal)?;
        let tx = db.begin_read();
        let problems = match self.from_page {
            0 => tx.check()?,
            page => tx.check_from(PageId::new(page))?,
        };
        bar.finish_and_clear();
        let printed = self.print(&problems, terminal);
        terminal.verdict(problems.is_empty(), printed)
    }

    fn print(&self, problems: &[Problem], terminal: &mut Terminal<'_>) -> Result<()> {
        if self.json {
            let list = problems.iter().map(|problem| Found { page: problem.page.get(), what: problem.what });
            return terminal.json(&Answer { ok: problems.is_empty(), problems: list.collect() });
        }
        problems.iter().try_for_each(|problem| writeln!(terminal.out, "{problem}"))?;
        match problems.len() {
            0 => writeln!(terminal.out, "OK")?,
            count => writeln!(terminal.out, "{count} errors found")?,
        }
        Ok(())
    }
}
