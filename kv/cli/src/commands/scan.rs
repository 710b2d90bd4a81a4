//! `kv scan`: the pairs of a bucket.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::arguments::bounds::Bounds;
use crate::arguments::bucket_path::{BucketFormat, bucket};
use crate::failure::{Failure, Result};
use crate::files::walk::walk;
use crate::notation::{ETCD_ROWS, Encoding, EtcdRow, Format, Record, quoted_or_hex};
use crate::terminal::Terminal;

/// List the keys of a bucket with their values, all or those of a range
///
/// One pair a line, with a tab between key and value. Nested buckets are not listed: see `kv keys` and `kv buckets`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kv scan FILE users
  kv scan FILE users --prefix a --limit 10
  kv scan FILE users --from m --to p --keys
  kv scan FILE log --reverse --limit 1                 the last pair
  kv scan FILE users --json | kv import OTHER          lines as `kv export` prints them
  kv scan --etcd member/snap/db --from 100 --limit 20  etcd's changes from revision 100 on

What is shown as hex:... is taken back by every command: kv get FILE raw hex:00ff")]
pub(crate) struct Scan {
    /// The database
    pub(crate) file: PathBuf,

    /// The bucket, outermost first; with --etcd, `key` if none is given
    #[arg(required_unless_present = "etcd", value_name = "BUCKET")]
    path: Vec<String>,

    #[command(flatten)]
    pub(crate) bounds: Bounds,

    /// Only the keys
    #[arg(long)]
    keys: bool,

    /// Decode etcd's rows: revision, then `put` with key and value, or `delete` with the key. Bounds are revisions
    #[arg(long, conflicts_with = "prefix")]
    etcd: bool,

    /// How keys and values are shown
    #[arg(short, long, value_enum, default_value_t)]
    format: Format,

    /// One JSON object a line
    #[arg(long, conflicts_with_all = ["format", "keys"])]
    json: bool,

    #[command(flatten)]
    names: BucketFormat,
}

impl Scan {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let mut path = self.names.names(&self.path)?;
        if path.is_empty() {
            path.push(ETCD_ROWS.into());
        }
        let mut rest = if self.etcd { self.bounds.revisions()? } else { self.bounds.keys()? };
        walk(&self.file, self.bounds.across_commits, &mut rest, terminal, |tx, rest, out| {
            for pair in rest.choose(bucket(tx, &path)?.range(rest.range())) {
                let (key, value) = pair?;
                if self.etcd {
                    self.row(key, value, out)?;
                } else {
                    self.pair(&path, key, value, out)?;
                }
                rest.passed(key);
            }
            Ok(())
        })
    }

    fn pair(&self, path: &[Vec<u8>], key: &[u8], value: &[u8], out: &mut impl Write) -> Result<()> {
        if self.json {
            let names = path.iter().map(Vec::as_slice);
            return Ok(Record::pair(Encoding::Text, names, key, value).writeln(out)?);
        }
        self.format.write(out, key)?;
        if !self.keys {
            out.write_all(b"\t")?;
            self.format.write(out, value)?;
        }
        Ok(out.write_all(b"\n")?)
    }

    fn row(&self, key: &[u8], value: &[u8], out: &mut impl Write) -> Result<()> {
        let row = EtcdRow::decode(key, value).map_err(|what| {
            Failure::Problem(format!("{} is no row of etcd's: {what}; scan it without --etcd", quoted_or_hex(key)))
        })?;
        if self.json {
            serde_json::to_writer(&mut *out, &row.json())?;
            return Ok(out.write_all(b"\n")?);
        }
        let verb = if row.delete { "delete" } else { "put" };
        write!(out, "{}.{}\t{verb}\t", row.revision.main, row.revision.sub)?;
        self.format.write(out, &row.kv.key)?;
        if !self.keys && !row.delete {
            out.write_all(b"\t")?;
            self.format.write(out, &row.kv.value)?;
        }
        Ok(out.write_all(b"\n")?)
    }
}
