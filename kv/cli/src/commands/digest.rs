//! `kv digest`: hashes to keep beside the file.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use kv::digest::Chunk;
use sha2::{Digest as _, Sha256};

use crate::failure::{At, Result};
use crate::files::open;
use crate::terminal::Terminal;
use crate::terminal::progress;

/// The first line of a side file.
pub(crate) const FIRST_LINE: &str = "kv digest 1 sha256";

/// Print hashes of everything in the database, which `kv verify` compares with it later
///
/// bbolt's format has no checksums on its data: a bit that flips in a value is not found by `kv check`. Keep the digest
/// of a file that does not change any more, such as a backup, beside it or in another place; make a new one after a
/// change.
#[derive(Debug, Args)]
#[command(after_help = "\
One line for each chunk of at least 64 KiB of a bucket, or what is left of it, in hex:
  kv digest 1 sha256
  PATH LAST-KEY SHA256     PATH is /NAME/NAME, / for the list of buckets;
                           LAST-KEY is - if the bucket is empty
  end COUNT SHA256         of the lines before
The same content has the same digest wherever it lies: in a copy, a compaction, or a file that bbolt wrote.

Examples:
  kv backup -o monday.db FILE && kv digest -o monday.digest monday.db
  kv verify monday.db --digest monday.digest")]
pub(crate) struct Digest {
    /// The database
    pub(crate) file: PathBuf,

    /// The side file, which must not exist; standard output if none is given
    #[arg(short, long, value_name = "SIDE")]
    output: Option<PathBuf>,
}

impl Digest {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> Result<()> {
        let db = open::to_read(&self.file, terminal)?;
        let tx = db.begin_read();
        let count = progress::count("chunks digested");
        let mut side = Side::new();
        tx.digest(|chunk| {
            count.inc(1);
            side.add(&chunk);
            Ok(())
        })?;
        count.finish_and_clear();
        let text = side.finish();
        match &self.output {
            None => Ok(terminal.out.write_all(text.as_bytes())?),
            Some(path) => pagefile_std::create_whole(path, &mut |file| file.write_all(text.as_bytes())).at(path),
        }
    }
}

/// The text of a side file.
struct Side {
    text: String,
    count: u64,
}

impl Side {
    fn new() -> Self {
        Self { text: format!("{FIRST_LINE}\n"), count: 0 }
    }

    fn add(&mut self, chunk: &Chunk) {
        let path: Vec<String> = chunk.bucket.iter().map(hex::encode).collect();
        let last = if chunk.last.is_empty() { "-".into() } else { hex::encode(&chunk.last) };
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "/{} {last} {}", path.join("/"), hex::encode(chunk.sha256));
        self.count += 1;
    }

    fn finish(self) -> String {
        let sum = hex::encode(Sha256::digest(&self.text));
        format!("{}end {} {sum}\n", self.text, self.count)
    }
}

/// Reads a side file.
///
/// # Errors
/// What is wrong with it, and in which line.
pub(crate) fn parse(side: &[u8]) -> Result<Vec<Chunk>, String> {
    let wrong = |what: &str| format!("is damaged: {what}");
    let text = str::from_utf8(side).ok().filter(|text| text.lines().next() == Some(FIRST_LINE));
    let text = text.ok_or("is no digest of `kv digest`")?;
    let Some(end) = text.rfind("end ") else { return Err(wrong("its end is missing")) };
    let (body, last) = text.split_at(end);
    let chunks: Vec<Chunk> = (1..)
        .zip(body.lines())
        .skip(1)
        .map(|(number, line)| chunk(line).ok_or_else(|| wrong(&format!("line {number} cannot be read"))))
        .collect::<Result<_, _>>()?;
    if last != format!("end {} {}\n", chunks.len(), hex::encode(Sha256::digest(body))) {
        return Err(wrong("its last line does not fit the others"));
    }
    Ok(chunks)
}

fn chunk(line: &str) -> Option<Chunk> {
    let mut words = line.split(' ');
    let (path, last, sum) = (words.next()?.strip_prefix('/')?, words.next()?, words.next()?);
    let names = path.split('/').filter(|name| !name.is_empty());
    let bucket = names.map(|name| hex::decode(name).ok()).collect::<Option<_>>()?;
    let last = if last == "-" { Vec::new() } else { hex::decode(last).ok()? };
    Some(Chunk { bucket, last, sha256: hex::decode(sum).ok()?.try_into().ok()? })
}
