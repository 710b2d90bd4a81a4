//! `kv import`: an export, into a database.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;

use clap::Args;
use kv::{Db, WriteTx};

use crate::bucket_path::create;
use crate::failure::{Failure, Result};
use crate::record::Record;
use crate::terminal::Terminal;
use crate::{open, progress};

/// Read what `kv export` printed into a database, which is made if it is not there
///
/// Buckets are made where they are missing; keys that are there already get the new value. The work is done in
/// transactions of bounded size: after an error those before it stay. With `--tx-max-size 0` it is all or nothing.
#[derive(Debug, Args)]
#[command(
    after_help = r#"Each line is a JSON object: `kv export --help` shows them. A name, key or value is a string, {"hex":"..."} or
{"base64":"..."}.

Examples:
  kv import FILE < FILE.jsonl
  kv export old.db | kv import new.db
  echo '{"bucket":["users"],"key":"ada","value":"1815"}' | kv import FILE"#
)]
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

impl Import {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> Result<()> {
        let mut lines = self.lines()?;
        let db = open::one_transaction(terminal).freelist_sync(kv::FreelistSync::OnClose).open(&self.file)?;
        let count = progress::count("lines imported");
        let mut total = 0;
        loop {
            let done = self.transaction(&db, &mut lines)?;
            total += done.records;
            count.set_position(total);
            if done.ended {
                break;
            }
        }
        count.finish_and_clear();
        db.close()?;
        Ok(writeln!(terminal.out, "{total} lines imported")?)
    }

    fn lines(&self) -> Result<Lines> {
        let (input, name): (Box<dyn BufRead>, _) = match &self.input {
            Some(path) => {
                let file = File::open(path).map_err(|error| Failure::refused("open", path, error))?;
                (Box::new(BufReader::new(file)), path.display().to_string())
            }
            None => (Box::new(BufReader::new(std::io::stdin())), "standard input".to_owned()),
        };
        Ok(Lines { input, number: 0, line: Vec::new(), name })
    }

    /// Imports as many lines as one transaction takes.
    fn transaction(&self, db: &Db, lines: &mut Lines) -> Result<Done> {
        let mut done = Done { records: 0, ended: false };
        let mut bytes = 0;
        db.update(|tx| {
            while self.tx_max_size == 0 || bytes < self.tx_max_size {
                let Some(record) = lines.next()? else {
                    done.ended = true;
                    break;
                };
                bytes += lines.line.len() as u64;
                apply(tx, &record).map_err(|failure| lines.located(failure))?;
                done.records += 1;
            }
            Ok::<_, Failure>(())
        })?;
        Ok(done)
    }
}

struct Done {
    records: u64,
    ended: bool,
}

impl Lines {
    fn next(&mut self) -> Result<Option<Record>> {
        loop {
            self.line.clear();
            self.number += 1;
            let read = self.input.by_ref().read_until(b'\n', &mut self.line);
            if read.map_err(|error| Failure::Refused(format!("cannot read {}: {error}", self.name)))? == 0 {
                return Ok(None);
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        serde_json::from_slice(&self.line).map(Some).map_err(|error| self.problem(&error.to_string()))
    }

    fn problem(&self, what: &str) -> Failure {
        Failure::Problem(format!("line {} of {} is not what `kv export` prints: {what}", self.number, self.name))
    }

    /// Puts the line's number to what is wrong with it.
    fn located(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Usage(what) => self.problem(&what),
            Failure::Database { path: None, error } => self.problem(&error.to_string()),
            other => other,
        }
    }
}

fn apply(tx: &mut WriteTx<'_>, record: &Record) -> Result<()> {
    let path = record.bucket.iter().map(crate::record::Text::bytes).collect::<Result<Vec<_>>>()?;
    let mut bucket = create(tx, &path)?;
    if let Some(sequence) = record.sequence {
        bucket.set_sequence(sequence)?;
    }
    match (&record.key, &record.value) {
        (Some(key), Some(value)) => Ok(bucket.put(key.bytes()?, value.bytes()?)?),
        (None, None) => Ok(()),
        _ => Err(Failure::Usage("a key needs a value, and a value a key".into())),
    }
}
