//! What is asked of a database.

use crate::failure::Result;

/// The names of a bucket and of those around it, outermost first; empty for the root.
pub(super) type Path = Vec<Vec<u8>>;

/// A key of a bucket, or a bucket in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Item {
    pub(super) key: Vec<u8>,
    /// The bytes of the value; none for a bucket.
    pub(super) len: Option<usize>,
}

impl Item {
    pub(super) const fn is_bucket(&self) -> bool {
        self.len.is_none()
    }
}

/// A place among the items of a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place<'k> {
    First,
    Last,
    After(&'k [u8]),
    Before(&'k [u8]),
    /// At this key, or the first one after it.
    From(&'k [u8]),
}

/// A change that was confirmed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    Put { path: Path, key: Vec<u8>, value: Vec<u8> },
    Delete { path: Path, key: Vec<u8> },
    NewBucket { path: Path, name: Vec<u8> },
    DeleteBucket { path: Path, name: Vec<u8> },
}

/// A page on the way from a bucket's root to a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PageFacts {
    pub(super) page: u64,
    pub(super) kind: &'static str,
    pub(super) items: usize,
    /// Bytes in use, and bytes of the page with its overflow pages.
    pub(super) used: usize,
    pub(super) bytes: usize,
}

/// The use of the pages of the file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Map {
    /// A letter for a stretch of pages, as `kv map` draws it. None if the file is too large to be looked through.
    pub(super) letters: Vec<char>,
    /// The pages of a stretch.
    pub(super) each: u64,
}

/// A database, as far as it is looked at.
pub(crate) trait Items {
    /// The item at a place in the bucket at `path`, among those whose keys begin with `prefix`.
    fn item(&self, path: &Path, place: Place<'_>, prefix: &[u8]) -> Result<Option<Item>>;

    /// The value of a key; at most the first `limit` bytes.
    fn value(&self, path: &Path, key: &[u8], limit: usize) -> Result<Option<Vec<u8>>>;

    /// Looks at the items after `key`, at most `limit` of them, for one whose key contains `text`. The item that was found,
    /// or the key to go on from; neither at the end of the bucket.
    fn search(&self, path: &Path, key: Option<&[u8]>, text: &[u8], limit: usize) -> Result<Found>;

    /// The pages on the way to a key, the root of its bucket's tree first. In a bucket that lies inline, those on the way to
    /// the bucket's name.
    fn pages(&self, path: &Path, key: &[u8]) -> Result<Vec<PageFacts>>;

    /// The map of the file in at most `cells` letters.
    fn map(&self, cells: usize) -> Result<Map>;

    /// What can be said of a bucket without walking over it.
    fn bucket(&self, path: &Path) -> Result<Vec<String>>;

    /// Makes a change, in one transaction.
    fn change(&self, change: &Change) -> Result<()>;

    /// Whether changes can be made.
    fn writable(&self) -> bool;
}

/// How a search went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    Item(Item),
    NotYet(Vec<u8>),
    Nowhere,
}
