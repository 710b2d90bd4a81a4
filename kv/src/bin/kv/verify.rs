//! `kv verify`: is everything what it was when it was digested?

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::digest::parse;
use crate::failure::{Failure, Result};
use crate::terminal::Terminal;
use crate::{open, progress};

/// Compare everything in the database with a digest that `kv digest` made of it
///
/// Prints OK, or a line for each difference with the bucket and the keys between which it lies; the exit code is then 1.
#[derive(Debug, Args)]
#[command(after_help = "\
A difference is what was changed on purpose since, or damage. `kv check` tells of damage to the structure; a flipped bit
in a value is told here alone. To repair it, take the named keys from another copy.

Example:
  kv verify monday.db --digest monday.digest")]
pub(crate) struct Verify {
    /// The database
    pub(crate) file: PathBuf,

    /// The side file that `kv digest` made
    #[arg(long, value_name = "SIDE")]
    digest: PathBuf,

    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> Result<()> {
        let text = fs::read_to_string(&self.digest).map_err(|error| Failure::refused("read", &self.digest, error))?;
        let chunks = parse(&text)?;
        let db = open::to_read(&self.file, terminal)?;
        let busy = progress::busy("verifying");
        let differences = db.begin_read()?.verify(&chunks)?;
        busy.finish_and_clear();
        if self.json {
            let list: Vec<String> = differences.iter().map(ToString::to_string).collect();
            terminal.json(&json!({"ok": list.is_empty(), "differences": list}))?;
        } else {
            differences.iter().try_for_each(|difference| writeln!(terminal.out, "{difference}"))?;
            match differences.len() {
                0 => writeln!(terminal.out, "OK")?,
                count => writeln!(terminal.out, "{count} differences found")?,
            }
        }
        if differences.is_empty() { Ok(()) } else { Err(Failure::Reported) }
    }
}
