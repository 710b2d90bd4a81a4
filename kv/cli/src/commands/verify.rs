//! `kv verify`: is everything what it was when it was digested?

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv::digest::Difference;
use serde::Serialize;

use crate::commands::digest::parse;
use crate::failure::{Failure, Result};
use crate::files::open;
use crate::notation::record::{Encoding, Text};
use crate::terminal::Terminal;
use crate::terminal::progress;

/// Compare everything in the database with a digest that `kv digest` made of it
///
/// Prints OK, or a line for each difference with the bucket and the keys between which it lies; the exit code is then 1.
#[derive(Debug, Args)]
#[command(after_help = "\
A difference is what was changed on purpose since, or damage. `kv check` tells of damage to the structure; a flipped \
bit in a value is told here alone. To repair it, take the named keys from another copy.

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

#[derive(Debug, Serialize)]
struct Answer {
    ok: bool,
    differences: Vec<Found>,
}

/// A difference for scripts: where it is by itself, and what people read.
#[derive(Debug, Serialize)]
struct Found {
    /// From the outermost; none for the list of buckets.
    bucket: Vec<Text>,
    difference: &'static str,
    /// It lies after this key and at or before that.
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
    pub(crate) fn run(&self, terminal: &mut Terminal) -> Result<()> {
        let side = fs::read(&self.digest).map_err(|error| Failure::refused("read", &self.digest, &error))?;
        let chunks = parse(&side).map_err(|what| {
            Failure::Problem(format!("{} {what}; make a new one of a good copy", self.digest.display()))
        })?;
        let db = open::to_read(&self.file, terminal)?;
        let busy = progress::busy("verifying");
        let differences = db.begin_read().verify(&chunks)?;
        busy.finish_and_clear();
        if self.json {
            let list = differences.iter().map(Found::from).collect();
            terminal.json(&Answer { ok: differences.is_empty(), differences: list })?;
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
