//! `kv import`: an export, into a database.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;

use clap::Args;
use kv::{BucketMut, Error, WriteTx};

use crate::failure::explain;
use crate::failure::{Failure, Result};
use crate::files::open;
use crate::notation::record::{Record, Text};
use crate::terminal::Terminal;
use crate::terminal::progress;

/// Read what `kv export` printed into a database, which is made if it is not there
///
/// Each line is a JSON object: `kv export --help` shows them. A name, key or value is a string, {"hex":"..."} or
/// {"base64":"..."}.
///
/// Buckets are made where they are missing; keys that are there already get the new value. The work is done in
/// transactions of bounded size: after an error those before it stay. With `--tx-max-size 0` it is all or nothing.
#[derive(Debug, Args)]
#[command(after_help = r#"Examples:
  kv import FILE < FILE.jsonl
  kv export old.db | kv import new.db
  echo '{"bucket":["users"],"key":"ada","value":"1815"}' | kv import FILE"#)]
pub(crate) struct Import {
    /// The database
    pub(crate) file: PathBuf,

    /// The lines; standard input if none is given
    input: Option<PathBuf>,

    /// Bytes of lines in one transaction, which bounds the memory; 0 for all in one
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20)]
    tx_max_size: u64,
}

/// Lines, and where they come from.
struct Lines {
    input: Box<dyn BufRead>,
    number: u64,
    line: Vec<u8>,
    name: String,
}

/// A line, understood.
struct Line {
    number: u64,
    path: Vec<Vec<u8>>,
    sequence: Option<u64>,
    item: Option<(Vec<u8>, Vec<u8>)>,
}

impl Import {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> Result<()> {
        let mut lines = self.lines()?;
        // The file is made when there is something to put into it.
        let mut batch = lines.batch(self.tx_max_size)?;
        let options = open::one_transaction(terminal).freelist_sync(kv::FreelistSync::OnClose);
        let db = open::or_create(&self.file, &options)?;
        let count = progress::count("lines imported");
        let mut total = 0;
        while !batch.is_empty() {
            db.update(|tx| {
                batch.iter().try_for_each(|line| line.apply(tx).map_err(|error| lines.refused(line, error)))
            })?;
            total += batch.len();
            count.set_position(total as u64);
            batch = lines.batch(self.tx_max_size)?;
        }
        count.finish_and_clear();
        db.close()?;
        Ok(writeln!(terminal.out, "{total} lines imported")?)
    }

    fn lines(&self) -> Result<Lines> {
        let (input, name): (Box<dyn BufRead>, _) = match &self.input {
            Some(path) => {
                let file = File::open(path).map_err(|error| Failure::refused("read", path, &error))?;
                (Box::new(BufReader::new(file)), path.display().to_string())
            }
            None => (Box::new(BufReader::new(std::io::stdin())), "standard input".to_owned()),
        };
        Ok(Lines { input, number: 0, line: Vec::new(), name })
    }
}

impl Lines {
    /// What one transaction takes; nothing at the end.
    fn batch(&mut self, max_bytes: u64) -> Result<Vec<Line>> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while max_bytes == 0 || bytes < max_bytes {
            let Some(line) = self.next()? else { break };
            bytes += self.line.len() as u64;
            batch.push(line);
        }
        Ok(batch)
    }

    fn next(&mut self) -> Result<Option<Line>> {
        loop {
            self.line.clear();
            self.number += 1;
            let read = self.input.by_ref().read_until(b'\n', &mut self.line);
            if read.map_err(|error| Failure::Refused(format!("cannot read {}: {}", self.name, explain(&error))))? == 0 {
                return Ok(None);
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        // Each line is one of its own to the parser, and its first.
        let record = serde_json::from_slice(self.line.trim_ascii())
            .map_err(|error| error.to_string().replace(" at line 1 column ", " at column "));
        record.and_then(|record| Line::new(self.number, &record)).map(Some).map_err(|what| {
            Failure::Problem(format!("line {} of {} is not what `kv export` prints: {what}", self.number, self.name))
        })
    }

    /// For a line that the database does not take; an error of the database itself has nothing to do with the line.
    fn refused(&self, line: &Line, error: Error) -> Failure {
        match error {
            Error::IncompatibleValue { .. }
            | Error::KeyRequired
            | Error::BucketNameRequired
            | Error::KeyTooLarge { .. }
            | Error::ValueTooLarge { .. } => {
                Failure::Problem(format!("line {} of {} does not fit: {error}", line.number, self.name))
            }
            other => other.into(),
        }
    }
}

impl Line {
    fn new(number: u64, record: &Record) -> Result<Self, String> {
        let path = record.bucket.iter().map(Text::bytes).collect::<Result<Vec<_>, _>>()?;
        let item = match (&record.key, &record.value) {
            (Some(key), Some(value)) => Some((key.bytes()?, value.bytes()?)),
            (None, None) => None,
            _ => return Err("a key needs a value, and a value a key".into()),
        };
        if path.is_empty() {
            return Err("the bucket has no name".into());
        }
        Ok(Self { number, path, sequence: record.sequence, item })
    }

    fn apply(&self, tx: &mut WriteTx<'_>) -> kv::Result<()> {
        let mut bucket = imported(tx, &self.path)?;
        if let Some(sequence) = self.sequence {
            bucket.set_sequence(sequence)?;
        }
        self.item.as_ref().map_or(Ok(()), |(key, value)| bucket.put(key, value))
    }
}

/// The bucket at `path`, made with those around it where they are not there, however long another engine let their
/// names be.
fn imported<'t>(tx: &'t mut WriteTx<'_>, path: &[Vec<u8>]) -> kv::Result<BucketMut<'t>> {
    let (first, rest) = path.split_first().ok_or(Error::BucketNameRequired)?;
    let mut bucket = tx.import_bucket(first)?;
    for name in rest {
        bucket.import_bucket(name)?;
        bucket = bucket.into_bucket_mut(name)?;
    }
    Ok(bucket)
}
