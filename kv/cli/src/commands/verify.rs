//! `kv verify`: compares a database with a digest made earlier.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv::digest::Difference;
use serde::Serialize;

use crate::failure::{Failure, Result};
use crate::files::open;
use crate::notation::{Encoding, Text, parse};
use crate::terminal::Terminal;

/// Compare everything in the database with a digest that `kv digest` made of it
///
/// Prints OK, or one line for each difference, with its bucket and the keys around it, and exit code 1.
#[derive(Debug, Args)]
#[command(after_help = "\
A difference is a change made since the digest, or damage. Only this command finds a flipped bit in a value; `kv check` \
finds damage to the structure. To repair a difference, take the named keys from another copy.

Example:
  kv verify monday.db --digest monday.digest")]
pub(crate) struct Verify {
    /// The database
    pub(crate) file: PathBuf,

    /// The side file from `kv digest`
    #[arg(long, value_name = "SIDE")]
    digest: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Answer {
    ok: bool,
    differences: Vec<Found>,
}

/// A difference for scripts: its place in fields, and the text that people read.
#[derive(Debug, Serialize)]
struct Found {
    /// Outermost first; empty for the list of buckets.
    bucket: Vec<Text>,
    difference: &'static str,
    /// The difference lies after the key `after`, and at or before the key `to`.
    after: Option<Text>,
    to: Option<Text>,
    what: String,
}

impl From<&Difference> for Found {
    fn from(found: &Difference) -> Self {
        let (bucket, difference, range) = match found {
            Difference::Changed { bucket, after, to } => (&bucket[..], "changed", [after.as_ref(), to.as_ref()]),
            Difference::Missing { bucket } => (&bucket[..], "missing", [None; 2]),
            Difference::Added { bucket } => (&bucket[..], "added", [None; 2]),
            Difference::Unreadable { bucket, .. } => (&bucket[..], "unreadable", [None; 2]),
            _ => (&[][..], "other", [None; 2]),
        };
        let text = |bytes: &Vec<u8>| Encoding::Text.text(bytes);
        let [after, to] = range.map(|key| key.map(text));
        Self { bucket: bucket.iter().map(text).collect(), difference, after, to, what: found.to_string() }
    }
}

impl Verify {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let side = fs::read(&self.digest).map_err(|error| Failure::refused("read", &self.digest, &error))?;
        let chunks = parse(&side).map_err(|what| {
            Failure::Problem(format!("{} {what}; make a new one from a good copy", self.digest.display()))
        })?;
        let db = open::to_read(&self.file, terminal)?;
        let busy = terminal.progress.busy("verifying");
        let differences = db.begin_read().verify(&chunks)?;
        busy.finish_and_clear();
        let printed = self.print(&differences, terminal);
        terminal.verdict(differences.is_empty(), printed)
    }

    fn print(&self, differences: &[Difference], terminal: &mut Terminal<'_>) -> Result<()> {
        if self.json {
            let list = differences.iter().map(Found::from).collect();
            return terminal.json(&Answer { ok: differences.is_empty(), differences: list });
        }
        differences.iter().try_for_each(|difference| writeln!(terminal.out, "{difference}"))?;
        match differences.len() {
            0 => writeln!(terminal.out, "OK")?,
            count => writeln!(terminal.out, "{count} differences found")?,
        }
        Ok(())
    }
}
