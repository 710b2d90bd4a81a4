//! All pages that a state uses: the walk that finds the free pages, as fast as the pages can be read.
//!
//! It goes level by level: the pages of one level, of all trees at once, in page order, so that a disk reads ahead and
//! neighbours share what the processor fetches. Threads share a large level. It reads headers, the page numbers in
//! branches and the flags of leaf elements, and no key but that of a bucket. [`Forest`](super::Forest) visits the same
//! pages one by one in key order, and knows what lies between their keys.

use std::borrow::Cow;
use std::mem;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use freelist_core::PageId;

use super::{MORE_LINKS, TOO_DEEP};
use crate::error::{Error, Result};
use crate::format::{BucketHeader, DEPTH_MAX, Malformed, Node};
use crate::store::{Link, PageRef, PageSet, Pages, SHARED, bucket_root};

/// Pages that a thread takes at a time.
const SHARE: usize = 1 << 10;

/// Pages of a level from which on another thread is worth its start: some 10 us, or 100 pages.
const PAGES_PER_THREAD: usize = 4 * SHARE;

/// Pages of a level that are touched before the first of them is read.
const AHEAD: usize = 16;

const _: () = assert!(SHARE.is_multiple_of(AHEAD), "no share ends with a few pages that are touched alone");

/// The pages that the tree at `root` and the trees of all buckets inside it use. `progress` gets the number of pages
/// visited so far, now and then and on any thread. O(pages), and memory for a page number for each page of a level.
///
/// # Errors
/// `Corrupt` with the first page of a level that is damaged or used in two places.
pub(crate) fn reach(pages: Pages<'_>, root: PageId, progress: &(dyn Fn(u64) + Sync)) -> Result<PageSet> {
    assert_eq!(pages.changed(), 0, "a state in the file is walked, and no transaction");
    let mut walk = Walk { pages, progress, used: PageSet::new(pages.high_water()), visited: 0 };
    let mut roots = vec![root.get()];
    while !roots.is_empty() {
        let mut level = mem::take(&mut roots);
        let mut depth = 0;
        while let Some(&first) = level.first() {
            if depth == DEPTH_MAX {
                return Err(Error::Corrupt { page: PageId::new(first), what: TOO_DEEP.into() });
            }
            level = walk.level(level, &mut roots)?;
            depth = depth.saturating_add(1);
        }
    }
    Ok(walk.used)
}

struct Walk<'w> {
    pages: Pages<'w>,
    progress: &'w (dyn Fn(u64) + Sync),
    used: PageSet,
    /// Pages of all levels so far. Each is another, or it is an error.
    visited: usize,
}

impl Walk<'_> {
    /// Visits the pages of `level`. Returns their children; the roots of the buckets in them go to `roots`.
    fn level(&mut self, mut level: Vec<u64>, roots: &mut Vec<u64>) -> Result<Vec<u64>> {
        assert!(!level.is_empty(), "a level has a page");
        level.sort_unstable();
        let found = self.visit(&level)?;
        self.visited = self.visited.saturating_add(level.len());
        assert!(self.visited as u64 <= self.pages.high_water(), "no page is visited twice");
        let mut children = Vec::new();
        for Found { children: below, roots: nested, .. } in found {
            append(&mut children, below);
            append(roots, nested);
        }
        Ok(children)
    }

    /// Visits the pages of a level, ascending, and counts them as used.
    fn visit(&mut self, level: &[u64]) -> Result<Vec<Found>> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut found = Found::new(self.pages);
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(share) = level.chunks(SHARE).nth(at) else { return found };
                found.visit(self.pages, share);
                (self.progress)(self.visited.saturating_add(at.saturating_mul(SHARE)) as u64);
            }
        };
        let mut found = Vec::new();
        thread::scope(|scope| {
            let more = threads(level.len());
            // What no thread can be had for, this one does.
            let helpers: Vec<_> =
                (0..more).map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
            found.push(work());
            for helper in helpers {
                match helper.join() {
                    Ok(part) => found.push(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        assert!(next.into_inner() >= level.len().div_ceil(SHARE), "somebody has taken each share");
        let mut damage: Option<Damage> = None;
        for part in &mut found {
            let shared = self.used.add_all(mem::replace(&mut part.used, PageSet::new(0)));
            let shared = shared.map(|page| Damage { page, what: SHARED.into() });
            damage = damage.into_iter().chain(part.damage.take()).chain(shared).min_by_key(|damage| damage.page);
        }
        match damage {
            Some(Damage { page, what }) => Err(Error::Corrupt { page: PageId::new(page), what }),
            None => Ok(found),
        }
    }
}

/// How many more threads than this one a level of so many pages is worth.
fn threads(pages: usize) -> usize {
    let worth = pages.div_euclid(PAGES_PER_THREAD);
    if worth == 0 {
        return 0;
    }
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    worth.min(processors.saturating_sub(1))
}

/// Adds the numbers of `more`; a level of one thread's findings moves no number.
fn append(to: &mut Vec<u64>, mut more: Vec<u64>) {
    if to.is_empty() {
        *to = more;
    } else {
        to.append(&mut more);
    }
}

/// What is wrong with which page.
struct Damage {
    page: u64,
    what: Cow<'static, str>,
}

/// What a thread has found in its part of a level.
struct Found {
    used: PageSet,
    children: Vec<u64>,
    /// Roots of buckets.
    roots: Vec<u64>,
    /// Of what is wrong, that with the smallest page number: the same however threads share the pages.
    damage: Option<Damage>,
}

impl Found {
    fn new(pages: Pages<'_>) -> Self {
        Self { used: PageSet::new(pages.high_water()), children: Vec::new(), roots: Vec::new(), damage: None }
    }

    fn visit(&mut self, pages: Pages<'_>, share: &[u64]) {
        for pages_ahead in share.chunks(AHEAD) {
            pages.touch(pages_ahead);
            for &page in pages_ahead {
                if let Err(damage) = self.page(pages, PageId::new(page)) {
                    self.note(damage);
                }
            }
        }
    }

    fn note(&mut self, damage: Damage) {
        if self.damage.as_ref().is_none_or(|other| damage.page < other.page) {
            self.damage = Some(damage);
        }
    }

    fn page(&mut self, pages: Pages<'_>, id: PageId) -> Result<(), Damage> {
        let (header, bytes) = pages.page(id).map_err(|error| damage(id, &error))?;
        let first = id.get();
        debug_assert!(header.id == first && header.pages() > 0, "a page that was read says its own number");
        for page in first..first.saturating_add(header.pages()) {
            if !self.used.add(page) {
                self.note(Damage { page, what: SHARED.into() });
            }
        }
        let node = Node::parse(bytes, header).map_err(|Malformed(what)| Damage { page: first, what: what.into() })?;
        self.links(&PageRef { link: Link::page(id), node }, pages.high_water()).map_err(|error| damage(id, &error))
    }

    /// The pages that a node leads to.
    fn links(&mut self, page: &PageRef<'_>, limit: u64) -> Result<()> {
        match &page.node {
            Node::Branch(branch) => {
                for index in 0..branch.count() {
                    self.children.push(page.child(branch, index)?.page_id().get());
                }
            }
            Node::Leaf(leaf) => {
                for index in leaf.buckets() {
                    let header = page.located(BucketHeader::parse(page.entry(leaf, index)?.value))?;
                    if header.root != 0 {
                        self.roots.push(bucket_root(page.link, header.root)?.page_id().get());
                    }
                }
            }
        }
        if self.children.len() as u64 > limit || self.roots.len() as u64 > limit {
            return Err(Error::Corrupt { page: page.link.page_id(), what: MORE_LINKS.into() });
        }
        Ok(())
    }
}

/// What is wrong with page `id`, of which `error` tells.
fn damage(id: PageId, error: &Error) -> Damage {
    match error {
        Error::Corrupt { page, what } => Damage { page: page.get(), what: what.clone() },
        _ => Damage { page: id.get(), what: "page cannot be read".into() },
    }
}
