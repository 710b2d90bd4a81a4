//! `kv shrink`: a shorter file, in place.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use kv::{FreelistSync, Options, Shrunk};
use serde::Serialize;

use crate::failure::{At, Result};
use crate::files::open;
use crate::terminal::Terminal;

/// Make the file shorter, in place
///
/// Moves the pages at the end of the file into the free space before them, in small transactions, and truncates the file.
/// It needs no space beside the file, and may be interrupted or killed at any time: the content stays what it is, and the
/// next run goes on. kv compact makes a denser copy.
///
/// Windows does not truncate a file that is open; there the file keeps its length.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kv shrink big.db && kv check big.db")]
pub(crate) struct Shrink {
    /// The database
    pub(crate) file: PathBuf,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Figures {
    bytes_before: u64,
    bytes_after: u64,
    pages_moved: u64,
    pages_left: u64,
}

impl Shrink {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        // A list of free pages with each of the many commits would cost more than the moves; on closing, whoever opens the
        // file next, bbolt for example, finds one.
        let options = Options::new().freelist_sync(FreelistSync::OnClose).create(false);
        let options = options.lock_timeout(terminal.lock_timeout);
        let db = open::or_create(&self.file, options, terminal.progress)?;
        open::note_wrong_list(&db, &self.file, terminal);
        let bar = terminal.progress.items("moving pages", 0);
        let shrunk = db.shrink(|now| {
            bar.set_length(now.pages_moved.saturating_add(now.pages_left));
            bar.set_position(now.pages_moved);
            ControlFlow::Continue(())
        });
        bar.finish_and_clear();
        let Shrunk { bytes_before, pages_moved, pages_left, .. } = shrunk.at(&self.file)?;
        let bytes_after = db.file_len();
        db.close().at(&self.file)?;
        if self.json {
            return terminal.json(&Figures { bytes_before, bytes_after, pages_moved, pages_left });
        }
        Ok(writeln!(terminal.out, "{bytes_before} -> {bytes_after} bytes ({pages_moved} pages moved)")?)
    }
}
