//! Strong hashes of a database's content, to keep next to the file. They find the flipped bits that the format does not.
//!
//! The format has checksums on its two meta pages only. A digest hashes every bucket in chunks of neighbouring keys. It
//! depends on the content and not on the layout: a copy, a backup, a compacted file and a file that Go's bbolt wrote have
//! the same digest if they have the same content.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! let db = kv::Db::open(dir.path().join("letters.db"))?;
//! db.update(|tx| tx.create_bucket("letters")?.put("a", "alpha"))?;
//! let mut chunks = Vec::new();
//! db.view(|tx| {
//!     tx.digest(|chunk| {
//!         chunks.push(chunk);
//!         Ok(())
//!     })
//! })?;
//! assert_eq!(db.view(|tx| tx.verify(&chunks))?, []);
//!
//! db.update(|tx| tx.bucket_mut("letters")?.put("a", "Alpha"))?;
//! let differences = db.view(|tx| tx.verify(&chunks))?;
//! assert_eq!(differences[0].to_string(), "letters: everything in it is not what was digested");
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod verify;

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::bucket_roots::BucketRoots;
use crate::error::Result;
use crate::tx::{Bucket, ReadTx};

/// The names on the way to a bucket, the outermost first; empty for the root bucket.
///
/// ```
/// let path: kv::digest::BucketPath = vec![b"archive".to_vec(), b"2026".to_vec()];
/// let missing = kv::digest::Difference::Missing { bucket: path };
/// assert!(missing.to_string().starts_with("archive/2026"));
/// ```
pub type BucketPath = Vec<Vec<u8>>;

/// A chunk ends with the item that brings it to this many bytes of keys and values.
const CHUNK_BYTES: u64 = 64 * 1024;

/// A run of neighbouring items of one bucket, and their hash. Every bucket has at least one chunk.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| tx.create_bucket("letters")?.put("a", "alpha"))?;
/// let mut chunks: Vec<kv::digest::Chunk> = Vec::new();
/// db.begin_read().digest(|chunk| {
///     chunks.push(chunk);
///     Ok(())
/// })?;
/// assert_eq!(chunks[0].depth, 0, "the root bucket");
/// assert_eq!((chunks[1].depth, &chunks[1].name[..], &chunks[1].last[..]), (1, &b"letters"[..], &b"a"[..]));
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// How many buckets are around the bucket: 0 for the root bucket. One of depth n + 1 is inside the bucket of depth n
    /// that came last before it.
    pub depth: usize,
    /// The name of the bucket. Empty for the root bucket.
    pub name: Vec<u8>,
    /// The last key, or name of a nested bucket, in the chunk. The chunk begins after the last key of the chunk before.
    /// Empty if the bucket is empty.
    pub last: Vec<u8>,
    /// SHA-256 of a hash of the bucket's path, and of its counter, and of the keys and values of the chunk, each after its length.
    pub sha256: [u8; 32],
}

/// A difference between a state and a digest. [`ReadTx::verify`] returns it.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// use kv::digest::Difference;
///
/// db.update(|tx| tx.create_bucket("letters").map(drop))?;
/// let differences = db.begin_read().verify(&[])?;
/// assert!(differences.contains(&Difference::Added { bucket: vec![b"letters".to_vec()] }));
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Difference {
    /// The keys, the values or the counter of the bucket differ.
    Changed {
        /// The bucket.
        bucket: BucketPath,
        /// The difference lies after this key; `None` for the bucket's beginning.
        after: Option<Vec<u8>>,
        /// The difference lies at or before this key; `None` for the bucket's end.
        to: Option<Vec<u8>>,
    },
    /// The digest has the bucket and the state does not, or the bucket cannot be reached.
    Missing {
        /// The bucket.
        bucket: BucketPath,
    },
    /// The state has the bucket and the digest does not.
    Added {
        /// The bucket.
        bucket: BucketPath,
    },
    /// A part of the bucket cannot be read.
    Unreadable {
        /// The bucket.
        bucket: BucketPath,
        /// The damage.
        why: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Changed { bucket, .. }
        | Self::Missing { bucket }
        | Self::Added { bucket }
        | Self::Unreadable { bucket, .. }) = self;
        write!(f, "{}: ", Names(bucket))?;
        match self {
            Self::Changed { after, to, .. } => {
                match (after, to) {
                    (None, None) => f.write_str("everything in it"),
                    (None, Some(to)) => write!(f, "what is at or before {}", Name(to)),
                    (Some(after), None) => write!(f, "what is after {}", Name(after)),
                    (Some(after), Some(to)) => write!(f, "what is after {}, up to {}", Name(after), Name(to)),
                }?;
                f.write_str(" is not what was digested")
            }
            Self::Missing { .. } => f.write_str("was digested and is not there"),
            Self::Added { .. } => f.write_str("is there and was not digested"),
            Self::Unreadable { why, .. } => f.write_str(why),
        }
    }
}

/// A path in a message.
struct Names<'a>(&'a [Vec<u8>]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the list of buckets");
        }
        for (at, name) in self.0.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { "/" }, Name(name))?;
        }
        Ok(())
    }
}

/// As text if it can be printed, else in hex.
struct Name<'a>(&'a [u8]);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(self.0) {
            Ok(text) if !text.is_empty() && !text.contains(char::is_control) => f.write_str(text),
            _ => self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

/// A hash that items are added to.
struct Hashing {
    sha256: Sha256,
    items: u64,
    bytes: u64,
}

impl Hashing {
    fn new(entered: &Entered<'_>) -> Self {
        let sha256 = Sha256::new().chain_update(entered.way).chain_update(entered.bucket.sequence().to_le_bytes());
        Self { sha256, items: 0, bytes: 0 }
    }

    fn add(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.items = self.items.saturating_add(1);
        self.sha256.update([u8::from(value.is_some())]);
        self.add_bytes(key);
        if let Some(value) = value {
            self.add_bytes(value);
        }
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        self.sha256.update((bytes.len() as u64).to_le_bytes());
        self.sha256.update(bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
    }

    fn finish(self) -> [u8; 32] {
        self.sha256.finalize().into()
    }
}

impl ReadTx<'_> {
    /// Hashes all buckets and passes each chunk to `each`. A chunk has at least 64 KiB of keys and values, except for the
    /// last of a bucket. The chunks of a bucket come in key order, before those of the buckets inside it. O(bytes of keys
    /// and values).
    ///
    /// # Errors
    /// - [`Error::Corrupt`](crate::Error::Corrupt) if a page is damaged.
    /// - The errors of `each`, which end the walk.
    pub fn digest(&self, mut each: impl FnMut(Chunk) -> Result<()>) -> Result<()> {
        let (core, pages) = (self.core(), self.pages().high_water());
        let mut walk = Walk::new(self.root());
        let mut bytes = 0u64;
        while let Some(entered) = walk.next() {
            walk.enter(&entered)?;
            let Entered { depth, name, bucket, .. } = entered;
            let chunk = |last: &[u8], sha256| Chunk { depth, name: name.to_vec(), last: last.to_vec(), sha256 };
            let (mut hashing, mut last): (_, &[u8]) = (Hashing::new(&entered), &[]);
            let (mut whole, mut chunks) = (false, 0u64);
            for item in bucket.items(..) {
                let (key, value) = item?;
                hashing.add(key, value);
                last = key;
                whole = hashing.bytes >= CHUNK_BYTES;
                if whole {
                    let full = std::mem::replace(&mut hashing, Hashing::new(&entered));
                    chunks = chunks.saturating_add(1);
                    bytes = bytes.saturating_add(full.bytes);
                    core.walk_progress.report(bytes.checked_div(core.page_size.into()).unwrap_or(0), pages);
                    each(chunk(last, full.finish()))?;
                }
            }
            assert_eq!(whole, hashing.items == 0 && chunks > 0, "a chunk without items is that of an empty bucket");
            if !whole {
                each(chunk(last, hashing.finish()))?;
            }
        }
        Ok(())
    }
}

/// A walk over all buckets, those around others first, each once.
struct Walk<'t> {
    waiting: Vec<Entered<'t>>,
    roots: BucketRoots,
    /// The names on the way to the bucket that was entered last.
    way: Vec<&'t [u8]>,
}

/// A bucket that a walk comes to.
#[derive(Clone, Copy)]
struct Entered<'t> {
    depth: usize,
    name: &'t [u8],
    /// SHA-256 of the way to the bucket around it, and of its name: names cost the same at any depth.
    way: [u8; 32],
    bucket: Bucket<'t>,
}

impl<'t> Walk<'t> {
    fn new(top: Bucket<'t>) -> Self {
        let entered = Entered { depth: 0, name: &[], way: [0; 32], bucket: top };
        Self { roots: BucketRoots::new(&top), waiting: vec![entered], way: Vec::new() }
    }

    /// The next bucket. It is to be entered before another is taken.
    fn next(&mut self) -> Option<Entered<'t>> {
        let entered = self.waiting.pop()?;
        self.way.truncate(entered.depth.saturating_sub(1));
        if entered.depth > 0 {
            self.way.push(entered.name);
        }
        assert_eq!(self.way.len(), entered.depth, "a walk goes down one level at a time");
        Some(entered)
    }

    /// Lets the buckets inside this one be next, in the order of their names; before damage, those before it.
    fn enter(&mut self, entered: &Entered<'t>) -> Result<()> {
        self.roots.enter(&entered.bucket)?;
        let first = self.waiting.len();
        let listed = entered.bucket.buckets().try_for_each(|nested| {
            let (name, bucket) = nested?;
            let way = Sha256::new().chain_update(entered.way).chain_update(name).finalize().into();
            self.waiting.push(Entered { depth: entered.depth.saturating_add(1), name, way, bucket });
            Ok(())
        });
        if let Some(inside) = self.waiting.get_mut(first..) {
            inside.reverse();
        }
        listed
    }

    /// The path of the bucket that was entered last.
    fn path(&self) -> BucketPath {
        self.way.iter().map(|name| name.to_vec()).collect()
    }
}
