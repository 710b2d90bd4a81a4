//! A walk over everything in a bucket that leaves nothing out in silence, also in a damaged file.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::{fmt, vec};

use freelist_core::PageId;

use super::damage::{Damage, Lost};
use crate::error::{Error, Result};
use crate::format::{Leaf, LeafEntry, Node};
use crate::store::{PageRef, PageSet, SHARED};
use crate::tree::{Root, Visit, Walk, disorder, find, unfit, with_places};
use crate::tx::Bucket;

/// What [`Contents`] meets.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Step<'t> {
    /// A nested bucket begins: what follows, up to its [`Leave`](Self::Leave), is in it.
    Enter {
        /// Its name.
        name: &'t [u8],
        /// The bucket.
        bucket: Bucket<'t>,
    },
    /// A key and its value.
    Pair {
        /// The key.
        key: &'t [u8],
        /// The value.
        value: &'t [u8],
    },
    /// The innermost of the buckets that have begun ends.
    Leave,
}

/// An iterator over everything in a bucket, nested buckets included. [`Bucket::contents`] returns it.
///
/// In a sound file the items come in key order, and a nested bucket comes in the place of its name. An error is
/// [`Damage`]: it says what the walk leaves out, and the walk goes on after it. So a caller who ends at the first error
/// has passed over nothing, and one who goes on knows of everything that is missing. Each page is read once; of two items
/// with one key, one is returned: the one that [`Bucket::get`] finds, if it finds one.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| tx.create_bucket("zoo")?.create_bucket("cats")?.put("tom", "grey"))?;
/// let (mut depth, mut keys) = (0, Vec::new());
/// for step in db.begin_read().root().contents() {
///     match step {
///         Ok(kv::Step::Enter { .. }) => depth += 1,
///         Ok(kv::Step::Pair { key, .. }) => keys.push((depth, key.to_vec())),
///         Ok(kv::Step::Leave) => depth -= 1,
///         Ok(_) => {}
///         Err(damage) => panic!("{damage}"),
///     }
/// }
/// assert_eq!(keys, [(2, b"tom".to_vec())]);
/// # Ok::<_, kv::Error>(())
/// ```
pub struct Contents<'t> {
    top: Bucket<'t>,
    /// The buckets that the walk is in, the innermost last.
    levels: Vec<Level<'t>>,
    used: PageSet,
    /// Pages that have been visited.
    visited: u64,
    /// Damage that is still to be returned.
    met: VecDeque<Damage>,
    /// A page in two places has been met: looking for the places of each would take a walk each.
    shared: bool,
}

impl fmt::Debug for Contents<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents").field("depth", &self.levels.len()).finish_non_exhaustive()
    }
}

struct Level<'t> {
    name: &'t [u8],
    bucket: Bucket<'t>,
    walk: Walk<'t>,
    items: Items<'t>,
    /// A branch was in disorder, so a search may not find what is in the leaves.
    suspect: bool,
    /// Keys that have been returned, although a search does not find them.
    misplaced: BTreeSet<&'t [u8]>,
}

/// What is left of a leaf.
enum Items<'t> {
    /// A leaf in order.
    Sound(PageRef<'t>, Leaf<'t>, usize),
    /// Those items of a leaf that are not left out.
    Chosen(PageRef<'t>, vec::IntoIter<LeafEntry<'t>>),
    None,
}

impl<'t> Items<'t> {
    fn next(&mut self) -> Option<(PageRef<'t>, LeafEntry<'t>)> {
        match self {
            Self::Sound(page, leaf, at) if *at < leaf.count() => {
                let entry = leaf.entry(*at).ok();
                assert!(entry.is_some(), "every item of a leaf in order has been read before");
                *at = at.saturating_add(1);
                entry.map(|entry| (*page, entry))
            }
            Self::Chosen(page, entries) => entries.next().map(|entry| (*page, entry)),
            _ => None,
        }
    }
}

impl<'t> Level<'t> {
    fn new(name: &'t [u8], bucket: Bucket<'t>) -> Self {
        let (pages, root) = bucket.tree();
        let (walk, misplaced) = (Walk::new(pages, root), BTreeSet::new());
        Self { name, bucket, walk, items: Items::None, suspect: false, misplaced }
    }

    /// Why an item of a leaf in disorder is left out, if it is.
    fn refuse(&mut self, entry: &LeafEntry<'t>) -> Option<&'static str> {
        if let Some(what) = unfit(entry.key, entry.value, entry.is_bucket()) {
            return Some(what);
        }
        let (pages, root) = self.bucket.tree();
        let first = match find(&pages, root, entry.key) {
            Ok(Some((_, found))) => found.key.as_ptr() == entry.key.as_ptr(),
            // A search does not find it. Of several such, the first is returned.
            _ => self.misplaced.insert(entry.key),
        };
        if first { None } else { Some("key comes twice") }
    }

    /// The items of a leaf in disorder that are returned; for each reason in `wrong`, what is left out for it.
    fn choose(&mut self, page: PageRef<'t>, leaf: &Leaf<'t>, wrong: &mut Vec<(Cow<'static, str>, Lost)>) {
        let mut chosen = Vec::new();
        for index in 0..leaf.count() {
            let (what, key) = match page.entry(leaf, index) {
                Ok(entry) => match self.refuse(&entry) {
                    None => {
                        chosen.push(entry);
                        continue;
                    }
                    Some(what) => (what.into(), entry.key),
                },
                Err(Error::Corrupt { what, .. }) => (what, &b""[..]),
                Err(_) => continue,
            };
            if let Some((_, lost)) = wrong.iter_mut().find(|(reason, _)| *reason == what) {
                lost.add(key);
            } else {
                let mut lost = Lost::Nothing;
                lost.add(key);
                wrong.push((what, lost));
            }
        }
        assert!(chosen.len() <= leaf.count(), "a leaf has no more items than it counts");
        self.items = Items::Chosen(page, chosen.into_iter());
    }
}

impl<'t> Contents<'t> {
    fn new(top: Bucket<'t>) -> Self {
        let used = PageSet::new(top.tree().0.high_water());
        Self { top, levels: vec![Level::new(&[], top)], used, visited: 0, met: VecDeque::new(), shared: false }
    }

    /// Returns the number of pages visited so far, overflow pages included: how far the iterator is on its way through a
    /// file of at most [`ReadTx::size`](crate::ReadTx::size) bytes. O(1).
    ///
    /// ```
    /// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
    /// db.update(|tx| tx.create_bucket("zoo")?.put("tom", vec![0; 10_000]))?;
    /// let tx = db.begin_read();
    /// let mut contents = tx.root().contents();
    /// assert_eq!(contents.by_ref().count(), 3, "the bucket begins, a key, the bucket ends");
    /// assert_eq!(contents.pages_visited(), 4, "the root, and a leaf with two overflow pages");
    /// # Ok::<_, kv::Error>(())
    /// ```
    #[must_use]
    pub const fn pages_visited(&self) -> u64 {
        self.visited
    }

    /// Notes damage in the innermost bucket.
    fn damage(&mut self, page: PageId, what: Cow<'static, str>, lost: Lost) {
        assert!(!self.levels.is_empty(), "damage is met in a bucket");
        let bucket = self.levels.iter().skip(1).map(|level| level.name.to_vec()).collect();
        self.met.push_back(Damage { bucket, page, what, lost });
    }

    /// The node that the walk of the innermost bucket has come to.
    fn visit(&mut self, visit: Result<Visit<'t>>) {
        let Some(level) = self.levels.last_mut() else { return };
        let lost = Lost::between(level.walk.bounds());
        let visit = match visit.and_then(|visit| claim(&mut self.used, visit)) {
            Ok(visit) => visit,
            Err(error) => {
                if matches!(&error, Error::Corrupt { what, .. } if what == SHARED) {
                    level.walk.skip_children();
                }
                return self.unread(error, lost);
            }
        };
        let page = visit.page;
        self.visited = self.visited.saturating_add(visit.pages);
        let mut wrong: Vec<(Cow<'static, str>, Lost)> = Vec::new();
        let read = disorder(&visit, &mut |what| {
            if wrong.iter().all(|(reason, _)| reason != what) {
                wrong.push((what.into(), Lost::Nothing));
            }
        });
        let sound = read.is_ok() && wrong.is_empty();
        assert!(wrong.iter().all(|(_, lost)| *lost == Lost::Nothing), "nothing is left out before items are chosen");
        match page.node {
            Node::Branch(_) => level.suspect |= !sound,
            Node::Leaf(leaf) if sound && !level.suspect => level.items = Items::Sound(page, leaf, 0),
            Node::Leaf(leaf) => level.choose(page, &leaf, &mut wrong),
        }
        for (what, lost) in wrong {
            self.damage(page.link.page_id(), what, lost);
        }
    }

    /// Notes that a page cannot be read, or not again.
    fn unread(&mut self, error: Error, lost: Lost) {
        let (pages, root) = self.top.tree();
        let shared = matches!(&error, Error::Corrupt { what, .. } if what == SHARED);
        let first = shared && !self.shared;
        self.shared |= shared;
        let error = match root {
            Root::Link(root) if first => with_places(pages, root, error),
            _ => error,
        };
        match error {
            Error::Corrupt { page, what } => self.damage(page, what, lost),
            other => self.damage(PageId::new(0), other.to_string().into(), lost),
        }
    }

    /// The nested bucket that is the item `entry` of `page`.
    fn enter(&mut self, page: PageRef<'t>, entry: &LeafEntry<'t>) -> Option<Step<'t>> {
        assert!(entry.is_bucket(), "only a bucket is entered");
        let level = self.levels.last()?;
        match level.bucket.nested(page, entry) {
            Ok(bucket) => {
                self.levels.push(Level::new(entry.key, bucket));
                assert!(self.levels.len() > 1, "an entered bucket lies in another");
                Some(Step::Enter { name: entry.key, bucket })
            }
            Err(error) => {
                let mut lost = Lost::Nothing;
                lost.add(entry.key);
                self.unread(error, lost);
                None
            }
        }
    }
}

/// Each page is visited once.
fn claim<'t>(used: &mut PageSet, visit: Visit<'t>) -> Result<Visit<'t>> {
    match used.add_run(visit.page.link.page_id().get(), visit.pages) {
        Some(page) => Err(Error::Corrupt { page: PageId::new(page), what: SHARED.into() }),
        None => Ok(visit),
    }
}

impl<'t> Iterator for Contents<'t> {
    type Item = Result<Step<'t>, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(damage) = self.met.pop_front() {
                return Some(Err(damage));
            }
            let level = self.levels.last_mut()?;
            if let Some((page, entry)) = level.items.next() {
                let step = match entry {
                    entry if entry.is_bucket() => self.enter(page, &entry),
                    LeafEntry { key, value, .. } => Some(Step::Pair { key, value }),
                };
                match step {
                    Some(step) => return Some(Ok(step)),
                    None => continue,
                }
            }
            if let Some(visit) = level.walk.next() {
                self.visit(visit);
                continue;
            }
            let left = self.levels.pop();
            assert!(left.is_none_or(|mut level| level.items.next().is_none()), "a bucket is left when all is returned");
            return (!self.levels.is_empty()).then_some(Ok(Step::Leave));
        }
    }
}

impl<'t> Bucket<'t> {
    /// Iterates over everything in this bucket, nested buckets included, and says what is damaged: see [`Contents`].
    /// O(bytes of keys) in all, and a bit of memory for each page.
    #[must_use]
    pub fn contents(&self) -> Contents<'t> {
        Contents::new(*self)
    }
}
