//! Programs: what the engines are made to do, and its text form for the peer.

use std::fmt;

use crate::text::{expand, hex_text};

pub(crate) type BucketPath = Vec<Vec<u8>>;

/// A value as the program spells it.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Plain(Vec<u8>),
    /// `#len:seed`, see [`expand`].
    Expanded {
        len: usize,
        seed: u64,
    },
}

impl Value {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Plain(bytes) => bytes.clone(),
            Self::Expanded { len, seed } => expand(*len, *seed),
        }
    }
}

/// A key or name of a program. A long one is made by [`long_key`], so its length
/// spells it.
fn key_text(key: &[u8]) -> String {
    if key.len() >= LONG_KEY && *key == long_key(key.len()) { format!("#{0}:{0}", key.len()) } else { hex_text(key) }
}

/// From so many bytes on keys are spelled by their length.
pub(crate) const LONG_KEY: usize = 100;

/// The long key of a length.
pub(crate) fn long_key(len: usize) -> Vec<u8> {
    expand(len, len as u64)
}

/// What happens to the bucket at the path of a [`Command`].
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Create,
    CreateIfAbsent,
    DeleteBucket,
    Put(Vec<u8>, Value),
    Delete(Vec<u8>),
    Get(Vec<u8>),
    Seek(Vec<u8>),
    /// Every item in order, as counts and a hash.
    Scan,
    /// Delete up to so many keys from the first one not below the given key; a
    /// bucket ends it.
    Sweep(Vec<u8>, usize),
    SetSequence(u64),
    NextSequence,
}

#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) path: BucketPath,
    pub(crate) action: Action,
}

/// Commands in one write transaction.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) commands: Vec<Command>,
    pub(crate) commits: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Transaction(Transaction),
    /// Close the file and open it again.
    Reopen,
}

/// How an engine opens the file. Both engines have the same choices under other
/// names, and none of them is in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Bytes; only a new file takes it.
    pub(crate) page_size: u32,
    /// The span maps (`hashmap`) instead of the sorted array.
    pub(crate) span_maps: bool,
    /// The freelist goes into the file with every commit.
    pub(crate) freelist_each_commit: bool,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(bytes) => f.write_str(&hex_text(bytes)),
            Self::Expanded { len, seed } => write!(f, "#{len}:{seed}"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.path.iter().map(|name| key_text(name)).collect();
        let path = names.join("/");
        match &self.action {
            Action::Create => write!(f, "create {path}"),
            Action::CreateIfAbsent => write!(f, "create-if-absent {path}"),
            Action::DeleteBucket => write!(f, "delete-bucket {path}"),
            Action::Put(key, value) => write!(f, "put {path} {} {value}", key_text(key)),
            Action::Delete(key) => write!(f, "del {path} {}", key_text(key)),
            Action::Get(key) => write!(f, "get {path} {}", key_text(key)),
            Action::Seek(key) => write!(f, "seek {path} {}", key_text(key)),
            Action::Scan => write!(f, "scan {path}"),
            Action::Sweep(from, limit) => write!(f, "sweep {path} {} {limit}", key_text(from)),
            Action::SetSequence(n) => write!(f, "set-seq {path} {n}"),
            Action::NextSequence => write!(f, "next-seq {path}"),
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let freelist = if self.span_maps { "hashmap" } else { "array" };
        let stored = if self.freelist_each_commit { "each-commit" } else { "on-close" };
        write!(f, "{} {freelist} {stored}", self.page_size)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Transaction(transaction) = self else {
            return writeln!(f, "reopen");
        };
        writeln!(f, "begin")?;
        for command in &transaction.commands {
            writeln!(f, "{command}")?;
        }
        writeln!(f, "{}", if transaction.commits { "commit" } else { "rollback" })
    }
}

/// The lines of a program, each ended.
pub(crate) fn program_text(program: &[Step]) -> String {
    program.iter().map(Step::to_string).collect()
}
