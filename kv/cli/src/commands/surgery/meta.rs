//! `kv surgery revert-meta-page`, `meta validate`, `meta update` and `meta choose`: judge and change meta pages.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Subcommand};
use kv::Error;
use kv::surgery::RawMeta;
use serde::Serialize;

use super::repair::Files;
use crate::arguments::raw_pages::RawOptions;
use crate::failure::{Failure, Result};
use crate::terminal::Terminal;

/// Undo the last transaction: put the older meta page in place of the newer
///
/// The previous state is complete only until another transaction follows.
#[derive(Debug, Args)]
pub(super) struct Revert {
    #[command(flatten)]
    pub(super) files: Files,
}

/// Look at the meta pages, or change their fields
#[derive(Debug, Args)]
pub(super) struct Meta {
    #[command(subcommand)]
    operation: Operation,
}

#[derive(Debug, Subcommand)]
enum Operation {
    Validate(Validate),
    Update(Update),
    Choose(Choose),
}

/// Say whether each meta page is valid; the exit code is 1 if one is not
#[derive(Debug, Args)]
struct Validate {
    /// The database
    file: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    raw: RawOptions,
}

#[derive(Debug, Serialize)]
struct Answer {
    ok: bool,
    metas: Vec<Judged>,
}

#[derive(Debug, Serialize)]
struct Judged {
    page: usize,
    valid: bool,
    what: Option<String>,
}

/// Change fields of a meta page, and make it valid
#[derive(Debug, Args)]
#[command(after_help = "\
Fields are pageSize, root, freelist and pgid (the high-water mark). Magic number, version and checksum are corrected.

Example:
  kv surgery meta update --fields root:16,pgid:128 --meta-page 1 --output FIXED FILE")]
struct Update {
    #[command(flatten)]
    files: Files,

    /// Fields and their new values, for example root:16,freelist:8
    #[arg(long, value_name = "FIELD:VALUE", value_delimiter = ',')]
    fields: Vec<Field>,

    /// Which meta page, 0 or 1
    #[arg(long, value_name = "PAGE", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=1))]
    meta_page: u8,
}

/// Keep the state of one meta page: put it in place of the other too
///
/// For a file whose meta pages name different states of one transaction. It cannot be written to before: nothing in it says
/// which state is right, and other programs may show the other one.
#[derive(Debug, Args)]
#[command(after_help = "\
Both states, each in its own file, to compare them and check them:
  kv surgery meta choose --meta-page 0 --output A FILE && kv check A
  kv surgery meta choose --meta-page 1 --output B FILE && kv check B")]
struct Choose {
    #[command(flatten)]
    files: Files,

    /// Which meta page, 0 or 1
    #[arg(long, value_name = "PAGE", value_parser = clap::value_parser!(u8).range(0..=1))]
    meta_page: u8,
}

/// A field and its new value.
#[derive(Clone, Copy, Debug)]
enum Field {
    PageSize(u32),
    Root(u64),
    Freelist(u64),
    HighWater(u64),
}

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or("a field and its value are written FIELD:VALUE")?;
        let number: u64 = value.parse().map_err(|_| format!("{value:?} is not a number"))?;
        match name {
            "pageSize" => u32::try_from(number).map(Self::PageSize).map_err(|_| format!("{number} is too large")),
            "root" => Ok(Self::Root(number)),
            "freelist" => Ok(Self::Freelist(number)),
            "pgid" => Ok(Self::HighWater(number)),
            _ => Err(format!("there is no field {name:?}: choose pageSize, root, freelist or pgid")),
        }
    }
}

impl Revert {
    pub(super) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let file = self.files.open(terminal)?;
        self.files.write(&file, &[file.revert_meta()?], terminal)?;
        Ok(writeln!(terminal.out, "The meta page is reverted.")?)
    }
}

impl Meta {
    pub(super) fn file(&self) -> &Path {
        match &self.operation {
            Operation::Validate(operation) => &operation.file,
            Operation::Update(operation) => &operation.files.file,
            Operation::Choose(operation) => &operation.files.file,
        }
    }

    pub(super) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        match &self.operation {
            Operation::Validate(operation) => operation.run(terminal),
            Operation::Update(operation) => operation.run(terminal),
            Operation::Choose(operation) => operation.run(terminal),
        }
    }
}

impl Validate {
    fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let file = match self.raw.open(&self.file, terminal) {
            // If neither meta page tells the page size, the second is expected after a page of the usual size.
            Err(Failure::Database {
                error: Error::PageSizeUnknown | Error::ByteSwapped | Error::VersionMismatch { .. },
                ..
            }) => RawOptions::usual().open(&self.file, terminal),
            opened => opened,
        }?;
        let judged = |page| {
            let what = file.meta(page).err().map(|fault| fault.to_string());
            Judged { page, valid: what.is_none(), what }
        };
        let metas: Vec<Judged> = (0..2).map(judged).collect();
        let ok = metas.iter().all(|meta| meta.valid);
        let printed = self.print(Answer { ok, metas }, terminal);
        terminal.verdict(ok, printed)
    }

    fn print(&self, answer: Answer, terminal: &mut Terminal<'_>) -> Result<()> {
        if self.json {
            return terminal.json(&answer);
        }
        for Judged { page, what, .. } in answer.metas {
            match what {
                None => writeln!(terminal.out, "The meta page {page} is valid!")?,
                Some(fault) => writeln!(terminal.out, "WARNING: The meta page {page} isn't valid: {fault}!")?,
            }
        }
        Ok(())
    }
}

impl Choose {
    fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let file = self.files.open(terminal)?;
        self.files.write(&file, &[file.choose_meta(self.meta_page.into())?], terminal)?;
        Ok(writeln!(terminal.out, "Both meta pages are now meta page {}.", self.meta_page)?)
    }
}

impl Update {
    fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let file = self.files.open(terminal)?;
        let slot = usize::from(self.meta_page);
        let before = file.meta_as_it_is(slot).map(|(meta, _)| meta).unwrap_or_default();
        let mut meta = before;
        for field in &self.fields {
            set(&mut meta, *field);
        }
        let changed = meta != before || file.meta(slot).is_err();
        let edits = if changed { vec![file.edit_meta(slot, &meta)?] } else { Vec::new() };
        self.files.write(&file, &edits, terminal)?;
        if !changed {
            return Ok(writeln!(terminal.out, "Nothing changed!")?);
        }
        if meta.page_size != file.page_size() {
            writeln!(
                terminal.out,
                "WARNING: The page size ({}) in meta page {slot} is not the file's ({})",
                meta.page_size,
                file.page_size()
            )?;
        }
        Ok(writeln!(terminal.out, "The meta page {slot} has been updated!")?)
    }
}

fn set(meta: &mut RawMeta, field: Field) {
    match field {
        Field::PageSize(value) => meta.page_size = value,
        Field::Root(value) => (meta.root_page, meta.root_sequence) = (value, 0),
        Field::Freelist(value) => meta.freelist_page = value,
        Field::HighWater(value) => meta.high_water = value,
    }
}
