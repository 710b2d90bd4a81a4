//! `kv import`: reads an export into a database.

use std::fs::{File, Metadata};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;

use clap::Args;
use kv::{BucketMut, Error, WriteTx};

use crate::failure::explain;
use crate::failure::{Failure, Result};
use crate::files::open;
use crate::notation::{BadNotation, Record, Text};
use crate::terminal::Terminal;

/// Read the output of `kv export` into a database, which is made if it is missing
///
/// Each line is a JSON object, as `kv export --help` shows. A name, key or value is a string, {"hex":"..."} or
/// {"base64":"..."}.
///
/// Missing buckets are made; existing keys get the new value. The import takes several transactions of limited size, and
/// an error undoes only the one in which it occurs. With `--tx-max-size 0` there is one transaction: all or nothing.
#[derive(Debug, Args)]
#[command(after_help = r#"Examples:
  kv import FILE < FILE.jsonl
  kv export old.db | kv import new.db
  echo '{"bucket":["users"],"key":"ada","value":"1815"}' | kv import FILE"#)]
pub(crate) struct Import {
    /// The database
    pub(crate) file: PathBuf,

    /// The file to read [default: standard input]
    input: Option<PathBuf>,

    /// Bytes of lines in one transaction: limits the memory used; 0 for all in one
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20)]
    tx_max_size: u64,
}

/// The lines of the input.
struct Lines<'i> {
    input: Box<dyn BufRead + 'i>,
    number: u64,
    line: Vec<u8>,
    /// Bytes that have been read, and bytes there are if that is known.
    read: u64,
    len: Option<u64>,
    /// What the input is called in messages.
    name: String,
}

/// A line after parsing.
struct Line {
    number: u64,
    path: Vec<Vec<u8>>,
    sequence: Option<u64>,
    item: Option<(Vec<u8>, Vec<u8>)>,
}

impl Import {
    pub(crate) fn run(&self, terminal: &mut Terminal<'_>) -> Result<()> {
        let options = open::one_transaction(terminal).freelist_sync(kv::FreelistSync::OnClose);
        let mut lines = self.lines(&mut terminal.input)?;
        // Before the file is made, so that input that is wrong from the start makes no file.
        let mut batch = lines.batch(self.tx_max_size)?;
        let db = open::or_create(&self.file, options, terminal.progress)?;
        let bar = match lines.len {
            Some(len) => terminal.progress.bytes("importing", len),
            None => terminal.progress.count("bytes imported"),
        };
        let mut total = 0;
        while !batch.is_empty() {
            db.try_update(|tx| {
                batch.iter().try_for_each(|line| line.apply(tx).map_err(|error| lines.refused(line, error)))
            })?;
            total += batch.len();
            bar.set_position(lines.read);
            batch = lines.batch(self.tx_max_size)?;
        }
        bar.finish_and_clear();
        // The reader of lines borrows the terminal's input.
        drop(lines);
        open::note_wrong_list(&db, &self.file, terminal);
        db.close()?;
        Ok(writeln!(terminal.out, "{total} lines imported")?)
    }

    fn lines<'i>(&self, standard_input: &'i mut dyn BufRead) -> Result<Lines<'i>> {
        let (input, name, len): (Box<dyn BufRead>, _, _) = match &self.input {
            Some(path) => {
                let file = File::open(path).map_err(|error| Failure::refused("read", path, &error))?;
                let len = file.metadata().ok().filter(Metadata::is_file).map(|metadata| metadata.len());
                (Box::new(BufReader::new(file)), path.display().to_string(), len)
            }
            None => (Box::new(standard_input), "standard input".to_owned(), None),
        };
        Ok(Lines { input, number: 0, line: Vec::new(), read: 0, len, name })
    }
}

impl Lines<'_> {
    /// The lines of the next transaction; none at the end.
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
            let read = self.input.read_until(b'\n', &mut self.line);
            let refused = |error| Failure::Refused(format!("cannot read {}: {}", self.name, explain(&error)));
            let bytes = read.map_err(refused)? as u64;
            if bytes == 0 {
                return Ok(None);
            }
            self.read += bytes;
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        // The parser sees one line at a time, and numbers each 1.
        let record = serde_json::from_slice(self.line.trim_ascii())
            .map_err(|error| error.to_string().replace(" at line 1 column ", " at column "));
        record.and_then(|record| Line::new(self.number, &record)).map(Some).map_err(|what| {
            Failure::Problem(format!("line {} of {} is not what `kv export` prints: {what}", self.number, self.name))
        })
    }

    /// The database refused this line, or failed for a reason that has nothing to do with the line.
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
        let wrong = |error: BadNotation| error.to_string();
        let path = record.bucket.iter().map(Text::bytes).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let item = match (&record.key, &record.value) {
            (Some(key), Some(value)) => Some((key.bytes().map_err(wrong)?, value.bytes().map_err(wrong)?)),
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

/// The bucket at `path`. Makes it and the buckets around it if they are missing. Another engine may have given them names
/// longer than new buckets may have.
fn imported<'t>(tx: &'t mut WriteTx<'_>, path: &[Vec<u8>]) -> kv::Result<BucketMut<'t>> {
    let (first, rest) = path.split_first().ok_or(Error::BucketNameRequired)?;
    let mut bucket = tx.import_bucket(first)?;
    for name in rest {
        bucket.import_bucket(name)?;
        bucket = bucket.into_bucket_mut(name)?;
    }
    Ok(bucket)
}
