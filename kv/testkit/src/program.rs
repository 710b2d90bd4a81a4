//! Programs: what an engine is made to do, and its text form.

use std::fmt;

use kv::{Durability, FreelistKind, FreelistSync, Options};

use crate::text::{expand, hex_text};

/// The names of the buckets from the top; empty for the root bucket.
pub type BucketPath = Vec<Vec<u8>>;

/// A path of names in a text: `path("a/b")`.
#[must_use]
pub fn path(names: &str) -> BucketPath {
    names.split('/').filter(|name| !name.is_empty()).map(|name| name.as_bytes().to_vec()).collect()
}

/// A value as the program spells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// These bytes.
    Plain(Vec<u8>),
    /// `#len:seed`, see [`expand`].
    Expanded {
        /// Bytes.
        len: usize,
        /// The seed of the bytes.
        seed: u64,
    },
}

impl Value {
    /// Bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub const fn len(&self) -> usize {
        match self {
            Self::Plain(bytes) => bytes.len(),
            Self::Expanded { len, .. } => *len,
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Plain(bytes) => bytes.clone(),
            Self::Expanded { len, seed } => expand(*len, *seed),
        }
    }
}

/// Keys from this many bytes on are spelled by their length.
pub const LONG_KEY: usize = 100;

/// The long key of a length.
#[must_use]
pub fn long_key(len: usize) -> Vec<u8> {
    expand(len, len as u64)
}

/// What happens to the bucket at the path of a [`Command`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Creates it.
    Create,
    /// Creates it unless it exists.
    CreateIfAbsent,
    /// Deletes it.
    DeleteBucket,
    /// Moves it into the bucket at this path. bbolt 1.3 cannot.
    Move(BucketPath),
    /// Puts a value at a key of it.
    Put(Vec<u8>, Value),
    /// Deletes a key of it.
    Delete(Vec<u8>),
    /// Deletes with a cursor: up to this many keys, from the first one not below the given key on, and no further than a
    /// bucket.
    Sweep(Vec<u8>, usize),
    /// Walks over it with a cursor, and deletes the keys whose number is a multiple of this. The other engines cannot.
    Thin(usize),
    /// Deletes the items from the first key on and below the second one, nested buckets too; an empty second key is no
    /// bound. The other engines cannot.
    DeleteRange(Vec<u8>, Vec<u8>),
    /// Deletes everything in it. The other engines cannot.
    Clear,
    /// Keeps the pairs whose number is no multiple of this. The other engines cannot.
    Retain(usize),
    /// Sets its sequence.
    SetSequence(u64),
    /// Increments its sequence.
    NextSequence,
    /// Gets the value of a key.
    Get(Vec<u8>),
    /// Seeks the first key not below this one.
    Seek(Vec<u8>),
    /// Reads every item in order.
    Scan,
}

/// One operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Command {
    /// Of the bucket that the action is about.
    pub path: BucketPath,
    /// What happens to it.
    pub action: Action,
}

impl Command {
    /// An action on the bucket at a path.
    #[must_use]
    pub const fn new(path: BucketPath, action: Action) -> Self {
        Self { path, action }
    }
}

/// Commands in one write transaction.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// One after the other.
    pub commands: Vec<Command>,
    /// Or it is rolled back.
    pub commits: bool,
}

/// A step of a program.
#[derive(Clone, Debug)]
pub enum Step {
    /// A transaction from begin to end.
    Transaction(Transaction),
    /// Close the file and open it again.
    Reopen,
}

/// How an engine opens the file. None of the choices is in the file.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Bytes; only a new file takes it.
    pub page_size: u32,
    /// The span maps (bbolt's `hashmap`), or the sorted array.
    pub span_maps: bool,
    /// What goes into the file of the free pages. bbolt has two of the choices: with every commit, or not.
    pub freelist_sync: FreelistSync,
    /// How commits become durable. Only this library has a choice.
    pub durability: Durability,
}

/// Every choice of what goes into the file of the free pages.
pub const FREELIST_SYNC: [FreelistSync; 3] = [FreelistSync::Every, FreelistSync::OnClose, FreelistSync::Log];

impl Settings {
    /// Commits by two syncs.
    #[must_use]
    pub const fn new(page_size: u32, span_maps: bool, freelist_sync: FreelistSync) -> Self {
        Self { page_size, span_maps, freelist_sync, durability: Durability::TwoSync }
    }

    /// Every choice for one page size.
    #[must_use]
    pub fn all(page_size: u32) -> [Self; 6] {
        let [every, on_close, log] = FREELIST_SYNC;
        let choices = [(true, every), (true, on_close), (true, log), (false, every), (false, on_close), (false, log)];
        choices.map(|(span_maps, freelist_sync)| Self::new(page_size, span_maps, freelist_sync))
    }

    /// Two choices with a redo log, for one page size: as small a log and as little memory as can be.
    #[must_use]
    pub fn logged(page_size: u32) -> [Self; 2] {
        let [_, on_close, log] = FREELIST_SYNC;
        let logged = |plain| Self { durability: Durability::Log, ..plain };
        [logged(Self::new(page_size, true, on_close)), logged(Self::new(page_size, false, log))]
    }

    /// The library's options. With the span maps the file also becomes shorter along the way, as soon as it can.
    pub fn options(self) -> Options {
        let kind = if self.span_maps { FreelistKind::SpanMaps } else { FreelistKind::SortedArray };
        let options = Options::new().page_size(self.page_size).freelist(kind).freelist_sync(self.freelist_sync);
        let logged = self.durability != Durability::TwoSync;
        let options = options.shrink(if self.span_maps && !logged { 4 } else { 0 });
        let options = if logged {
            options.durability(self.durability).log_size(0).log_memory(0).checkpoint_thread(false)
        } else {
            options
        };
        // A cache for few pages: a test opens many files, and small ones, and pages take each other's place.
        let options = options.read_cache(64 << 10);
        match (self.writes_early(), logged && !self.span_maps) {
            (true, _) => options.write_memory(2048),
            (false, true) => options.write_memory(8192),
            (false, false) => options,
        }
    }

    /// Whether a transaction writes nearly every change before its commit: so does one half of all choices. With a redo log
    /// it would not use the log then; there one half writes before the commit what is large.
    #[must_use]
    pub fn writes_early(self) -> bool {
        self.durability == Durability::TwoSync && self.span_maps == (self.freelist_sync == FreelistSync::OnClose)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(bytes) => f.write_str(&hex_text(bytes)),
            Self::Expanded { len, seed } => write!(f, "#{len}:{seed}"),
        }
    }
}

/// A key or name of a program. A long one is made by [`long_key`], so its length spells it.
fn key_text(key: &[u8]) -> String {
    if key.len() >= LONG_KEY && *key == long_key(key.len()) { format!("#{0}:{0}", key.len()) } else { hex_text(key) }
}

/// The text of the root bucket's path, where one is asked for.
pub(crate) const ROOT_TEXT: &str = ".";

fn path_text(path: &[Vec<u8>]) -> String {
    let names: Vec<String> = path.iter().map(|name| key_text(name)).collect();
    if names.is_empty() { ROOT_TEXT.into() } else { names.join("/") }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = path_text(&self.path);
        match &self.action {
            Action::Create => write!(f, "create {path}"),
            Action::CreateIfAbsent => write!(f, "create-if-absent {path}"),
            Action::DeleteBucket => write!(f, "delete-bucket {path}"),
            Action::Move(to) => write!(f, "move {path} {}", path_text(to)),
            Action::Put(key, value) => write!(f, "put {path} {} {value}", key_text(key)),
            Action::Delete(key) => write!(f, "del {path} {}", key_text(key)),
            Action::Sweep(from, limit) => write!(f, "sweep {path} {} {limit}", key_text(from)),
            Action::Thin(share) => write!(f, "thin {path} {share}"),
            Action::DeleteRange(from, below) => {
                write!(f, "delete-range {path} {} {}", key_text(from), key_text(below))
            }
            Action::Clear => write!(f, "clear {path}"),
            Action::Retain(share) => write!(f, "retain {path} {share}"),
            Action::SetSequence(n) => write!(f, "set-seq {path} {n}"),
            Action::NextSequence => write!(f, "next-seq {path}"),
            Action::Get(key) => write!(f, "get {path} {}", key_text(key)),
            Action::Seek(key) => write!(f, "seek {path} {}", key_text(key)),
            Action::Scan => write!(f, "scan {path}"),
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let freelist = if self.span_maps { "hashmap" } else { "array" };
        let stored = match self.freelist_sync {
            FreelistSync::Every => "each-commit",
            FreelistSync::OnClose => "on-close",
            FreelistSync::Log => "log",
        };
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
#[must_use]
pub fn program_text(program: &[Step]) -> String {
    program.iter().map(Step::to_string).collect()
}
