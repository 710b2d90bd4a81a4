//! `kv inspect`: the tree of buckets.

use std::path::PathBuf;

use clap::Args;
use kv::BucketStructure;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use std::io::Write;

use crate::failure::Result;
use crate::files::open;
use crate::notation::Encoding;
use crate::terminal::Terminal;

/// Print the tree of buckets and how many keys each has, as JSON
///
/// Names are strings; those that are not text are {"base64":"..."}.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The database
    pub(crate) file: PathBuf,
}

/// Spaces for each level of the JSON, as bbolt prints it.
const INDENT: usize = 4;

/// The buckets that are being printed, the outermost first, each with those inside it that are still to print.
///
/// A list and no recursion: buckets nest as deep as the file says, and a thread's stack does not.
struct Printing<'b>(Vec<std::slice::Iter<'b, BucketStructure>>);

impl<'b> Printing<'b> {
    /// Begins a line inside the innermost bucket, or inside its list of buckets.
    fn line(&self, out: &mut dyn Write, inside_list: bool) -> Result<()> {
        let levels = 2 * self.0.len() - usize::from(!inside_list);
        Ok(write!(out, "\n{:width$}", "", width = levels * INDENT)?)
    }

    /// Prints the bucket up to the buckets inside it, and enters it.
    fn enter(&mut self, bucket: &'b BucketStructure, out: &mut dyn Write) -> Result<()> {
        self.0.push(bucket.children.iter());
        write!(out, "{{")?;
        self.line(out, false)?;
        write!(out, "\"name\": ")?;
        for (at, line) in pretty(&bucket.name)?.lines().enumerate() {
            if at > 0 {
                self.line(out, false)?;
            }
            write!(out, "{line}")?;
        }
        write!(out, ",")?;
        self.line(out, false)?;
        write!(out, "\"keyN\": {}", bucket.keys)?;
        if !bucket.children.is_empty() {
            write!(out, ",")?;
            self.line(out, false)?;
            write!(out, "\"buckets\": [")?;
        }
        Ok(())
    }
}

/// A name as JSON, in lines.
fn pretty(name: &[u8]) -> Result<String> {
    let mut json = Vec::new();
    let formatter = PrettyFormatter::with_indent(b"    ");
    Encoding::Text.text(name).serialize(&mut Serializer::with_formatter(&mut json, formatter))?;
    Ok(String::from_utf8_lossy(&json).into_owned())
}

fn print(root: &BucketStructure, out: &mut dyn Write) -> Result<()> {
    let mut printing = Printing(Vec::new());
    printing.enter(root, out)?;
    let mut first = true;
    while let Some(inside) = printing.0.last_mut() {
        if let Some(bucket) = inside.next() {
            write!(out, "{}", if first { "" } else { "," })?;
            printing.line(out, true)?;
            printing.enter(bucket, out)?;
            first = true;
            continue;
        }
        if !first {
            printing.line(out, false)?;
            write!(out, "]")?;
        }
        printing.0.pop();
        first = false;
        write!(out, "\n{:width$}}}", "", width = 2 * printing.0.len() * INDENT)?;
    }
    Ok(writeln!(out)?)
}

impl Inspect {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let db = open::to_read(&self.file, terminal)?;
        let busy = terminal.progress.busy("counting keys");
        let structure = db.begin_read().inspect()?;
        busy.finish_and_clear();
        print(&structure, &mut terminal.out)
    }
}
