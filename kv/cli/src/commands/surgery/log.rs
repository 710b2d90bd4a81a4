//! `kv surgery abandon-log`: gives up what a log of commits has, where it is damaged.

use std::io::Write;

use clap::Args;

use super::repair::Files;
use crate::failure::{Failure, Result};
use crate::terminal::Terminal;

/// Give up a damaged redo log: go back to the state of the last checkpoint
///
/// For a file that `Durability::Log` or `Eventual` has left behind after a crash, and whose log cannot be done again. What was
/// committed after the checkpoint is lost in the copy. `kv checkpoint FILE` does a log that is whole.
#[derive(Debug, Args)]
pub(super) struct AbandonLog {
    #[command(flatten)]
    pub(super) files: Files,
}

impl AbandonLog {
    pub(super) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let file = self.files.open(terminal)?;
        let Some(checkpoint) = file.newest_checkpoint() else {
            return Err(Failure::Problem("there is no log of commits: the trees of the file have all of them".into()));
        };
        self.files.write(&file, &file.abandon_log()?, terminal)?;
        writeln!(terminal.out, "The log was abandoned: the copy has the state of transaction {}.", checkpoint.tx)?;
        let lost = match file.redo_log() {
            Ok(Some(log)) if log.transactions == 0 => "Nothing was in it.".to_owned(),
            Ok(Some(log)) => {
                format!("Lost are {} transactions, up to {}; the log is whole.", log.transactions, log.newest)
            }
            _ => "What was committed after it is lost; the log is damaged.".to_owned(),
        };
        Ok(writeln!(terminal.out, "{lost}")?)
    }
}
