//! `kv checkpoint`: what a crash has left in a log, brought into the trees.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv::Options;

use crate::failure::{At, Result};
use crate::files::open;
use crate::terminal::Terminal;

/// Bring the commits of a log into the trees, after a crash
///
/// A program that commits by a log and ends in good order leaves a file like any other. After a crash the
/// last commits are in the log alone: commands that only read find them there, and bbolt and etcd refuse the file. This command
/// does what the log says, and the file is bbolt's again. It changes nothing else, and may be interrupted or killed at any time.
/// A file without such a log stays as it is; `kv info` says whether there is one.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kv checkpoint app.db && kv check app.db")]
pub(crate) struct Checkpoint {
    /// The database
    pub(crate) file: PathBuf,
}

impl Checkpoint {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let options = Options::new().create(false).lock_timeout(terminal.lock_timeout);
        let raw = open::raw(&self.file, None, terminal);
        let log = raw.as_ref().is_ok_and(|file| file.redo_log_pages().is_some());
        // Its lock would be in the way.
        drop(raw);
        if !log {
            open::or_create(&self.file, options.read_only(true), terminal.progress)?;
            return Ok(writeln!(terminal.out, "there is nothing in a log")?);
        }
        let db = open::or_create(&self.file, options, terminal.progress)?;
        let transaction = db.begin_read().id();
        db.close().at(&self.file)?;
        Ok(writeln!(terminal.out, "everything is in the trees, up to transaction {transaction}")?)
    }
}
