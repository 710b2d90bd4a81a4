//! The side file of `kv digest`: one line for each chunk of a bucket, and a last line with a hash of those before it.

use std::fmt::Write as _;

use kv::digest::Chunk;
use sha2::{Digest as _, Sha256};

/// The first line of a side file.
const FIRST_LINE: &str = "kv digest 1 sha256";

/// The text of a side file, as far as it is written.
pub(crate) struct SideFile {
    text: String,
    count: u64,
}

impl SideFile {
    pub(crate) fn new() -> Self {
        Self { text: format!("{FIRST_LINE}\n"), count: 0 }
    }

    pub(crate) fn add(&mut self, chunk: &Chunk) {
        let Chunk { depth, name, last, sha256 } = chunk;
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{depth} {} {} {}", word(name), word(last), hex::encode(sha256));
        self.count += 1;
    }

    pub(crate) fn finish(self) -> String {
        let sum = hex::encode(Sha256::digest(&self.text));
        format!("{}end {} {sum}\n", self.text, self.count)
    }
}

/// The chunks of a side file, or what is wrong with it, and in which line.
pub(crate) fn parse(side: &[u8]) -> Result<Vec<Chunk>, String> {
    let wrong = |what: &str| format!("is damaged: {what}");
    let text = str::from_utf8(side).ok().filter(|text| text.lines().next() == Some(FIRST_LINE));
    let text = text.ok_or("is not a digest of `kv digest`")?;
    let Some(end) = text.rfind("end ") else { return Err(wrong("its end is missing")) };
    let (body, last) = text.split_at(end);
    let chunks: Vec<Chunk> = (1..)
        .zip(body.lines())
        .skip(1)
        .map(|(number, line)| chunk(line).ok_or_else(|| wrong(&format!("line {number} cannot be read"))))
        .collect::<Result<_, _>>()?;
    if last != format!("end {} {}\n", chunks.len(), hex::encode(Sha256::digest(body))) {
        return Err(wrong("its last line is not the hash of the others"));
    }
    Ok(chunks)
}

fn chunk(line: &str) -> Option<Chunk> {
    let mut words = line.split(' ');
    let (depth, name, last, sum) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let bytes = |word: &str| if word == "-" { Some(Vec::new()) } else { hex::decode(word).ok() };
    let sha256 = hex::decode(sum).ok()?.try_into().ok()?;
    Some(Chunk { depth: depth.parse().ok()?, name: bytes(name)?, last: bytes(last)?, sha256 })
}

fn word(bytes: &[u8]) -> String {
    if bytes.is_empty() { "-".into() } else { hex::encode(bytes) }
}
