//! `kv export`: a database as text.

mod walk;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::arguments::bucket_path::{BucketFormat, bucket};
use crate::failure::{Failure, Result};
use crate::files::open;
use crate::notation::sha256;
use crate::notation::{Encoding, Record, Text};
use crate::terminal::Terminal;
use walk::{Step, walk};

/// Print everything, or one bucket, as text that `kv import` reads
///
/// The export of a damaged file ends where the damage is, with exit code 1.
#[derive(Debug, Args)]
#[command(
    after_help = r#"One JSON object a line. First a bucket, then its keys in order; a nested bucket comes in the place of its name:
  {"bucket":["users"],"sequence":7}
  {"bucket":["users"],"key":"ada","value":"1815"}
  {"bucket":["users"],"key":"raw","value":{"base64":"//4="}}
  {"bucket":["users","archive"],"sequence":0}

With --format dump, for comparing databases, not for import. All in hex, `-` for an empty value:
  bucket PATH seq N
  kv PATH KEY VALUE       a value of more than 1024 bytes is #LENGTH:SHA256
  end PATH keys N buckets M

Examples:
  kv export FILE > FILE.jsonl
  kv export FILE users | jq -r .key
  diff <(kv export --format dump a.db) <(kv export --format dump b.db)"#
)]
pub(crate) struct Export {
    /// The database
    pub(crate) file: PathBuf,

    /// Only this bucket, outermost first, and everything in it
    #[arg(value_name = "BUCKET")]
    path: Vec<String>,

    /// JSON lines, or text for comparisons
    #[arg(long, value_enum, default_value_t)]
    format: ExportFormat,

    /// How names, keys and values are written
    #[arg(long, value_enum, default_value_t)]
    encoding: Encoding,

    /// Of a damaged file, print everything that can be read, and on standard error what is left out; exit code 1
    #[arg(long)]
    salvage: bool,

    #[command(flatten)]
    names: BucketFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum ExportFormat {
    /// One JSON object a line
    #[default]
    Jsonl,
    /// One line for each item, in hex; large values as their SHA-256
    Dump,
}

impl Export {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let path = self.names.names(&self.path)?;
        let db = open::to_read(&self.file, terminal)?;
        let tx = db.begin_read();
        let bar = terminal.progress.beside_output("exporting pages", tx.size() / u64::from(db.page_size()));
        let start = path.iter().map(Vec::as_slice).collect();
        let bucket = bucket(&tx, &path)?;
        let mut sound = true;
        let printed = walk(start, bucket, &bar, |step| match (step, self.format) {
            (Step::Damage(damage), _) if self.salvage => {
                sound = false;
                bar.suspend(|| terminal.note(format_args!("kv: {}: {damage}", self.file.display())));
                Ok(())
            }
            (Step::Damage(damage), _) => Err(Failure::salvageable(damage.into())),
            (step, ExportFormat::Jsonl) => self.line(&step, &mut terminal.out),
            (step, ExportFormat::Dump) => dump_line(&step, &mut terminal.out),
        });
        bar.finish_and_clear();
        terminal.verdict(sound, printed)
    }

    fn line(&self, step: &Step<'_, '_>, out: &mut impl Write) -> Result<()> {
        let texts = |path: &[&[u8]]| -> Vec<Text> { path.iter().map(|name| self.encoding.text(name)).collect() };
        let record = match step {
            Step::Enter { path, bucket } => {
                Record { bucket: texts(path), sequence: Some(bucket.sequence()), key: None, value: None }
            }
            Step::Item { path, key, value } => Record::pair(self.encoding, path.iter().copied(), key, value),
            Step::Leave { .. } | Step::Damage(_) => return Ok(()),
        };
        Ok(record.writeln(out)?)
    }
}

fn dump_line(step: &Step<'_, '_>, out: &mut impl Write) -> Result<()> {
    let joined = |path: &[&[u8]]| path.iter().map(hex::encode).collect::<Vec<_>>().join("/");
    match *step {
        Step::Enter { path, bucket } => writeln!(out, "bucket {} seq {}", joined(path), bucket.sequence())?,
        Step::Item { path, key, value } => {
            writeln!(out, "kv {} {} {}", joined(path), hex::encode(key), dump_value(value))?;
        }
        Step::Leave { path, keys, buckets } => {
            writeln!(out, "end {} keys {keys} buckets {buckets}", joined(path))?;
        }
        Step::Damage(_) => {}
    }
    Ok(())
}

fn dump_value(value: &[u8]) -> String {
    const WHOLE_MAX: usize = 1024;
    match value.len() {
        0 => "-".into(),
        len if len > WHOLE_MAX => format!("#{len}:{}", sha256(value)),
        _ => hex::encode(value),
    }
}
