//! From a link to a checked page: the only way from the tree to bytes.

use freelist_core::PageId;
use pagefile_std::{StoreError, View};

use super::heads::below;
use super::{DirtyNode, Heads, Link, ResidentView};
use crate::error::{Error, Result};
use crate::format::{Branch, Header, Leaf, LeafEntry, Malformed, Meta, Node, SECTOR};

/// The pages that one transaction sees: those of its snapshot, and those it has changed itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pages<'t> {
    view: &'t View<'t>,
    changed: &'t [DirtyNode],
    page_size: u32,
    high_water: u64,
    /// Where the pages of the snapshot end; the transaction has written those behind them.
    snapshot_end: u64,
    /// What is remembered of the snapshot's pages, if this transaction makes use of it.
    heads: Option<&'t Heads>,
    /// Pages of the snapshot that the file does not have yet, where commits leave them in memory.
    resident: Option<&'t ResidentView<'t>>,
}

/// A node and the link that led to it, so that damage is reported with its page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageRef<'t> {
    pub(crate) link: Link,
    pub(crate) node: Node<'t>,
}

impl<'t> Pages<'t> {
    pub(crate) const fn new(view: &'t View<'t>, changed: &'t [DirtyNode], page_size: u32, high_water: u64) -> Self {
        Self { view, changed, page_size, high_water, snapshot_end: high_water, heads: None, resident: None }
    }

    /// The same pages, of which the snapshot has those before `end`.
    pub(crate) const fn over_snapshot(mut self, end: u64) -> Self {
        assert!(end <= self.high_water, "the snapshot ends where the transaction's own pages begin");
        self.snapshot_end = end;
        self
    }

    /// A page of the snapshot, and the header of a bucket, cannot name a page that the transaction has written itself.
    ///
    /// # Errors
    /// `Corrupt` if the page at `holder` does.
    #[inline]
    pub(crate) fn check_named(&self, holder: Link, link: Link) -> Result<()> {
        let own = |link: Link| !link.in_memory() && link.page_id().get() >= self.snapshot_end;
        let trusted = self.snapshot_end == self.high_water || holder.in_memory() || own(holder) || !own(link);
        if trusted { Ok(()) } else { Err(corrupt(holder, BEYOND)) }
    }

    /// `raw`, the root in a bucket's header in the page that `holder` leads to, as a link.
    pub(crate) fn bucket_root(&self, holder: Link, raw: u64) -> Result<Link> {
        let root = bucket_root(holder, raw)?;
        let own = self.snapshot_end..self.high_water;
        if own.contains(&raw) { Err(corrupt(holder, BEYOND)) } else { Ok(root) }
    }

    /// The same pages, searched with the help of `heads`.
    pub(crate) const fn with_heads(mut self, heads: &'t Heads) -> Self {
        self.heads = Some(heads);
        self
    }

    /// The same pages, of which `resident` has some in place of the file.
    pub(crate) const fn with_resident(mut self, resident: Option<&'t ResidentView<'t>>) -> Self {
        self.resident = resident;
        self
    }

    /// The same pages, searched by themselves.
    pub(crate) const fn without_heads(mut self) -> Self {
        self.heads = None;
        self
    }

    /// Whether a way may be a guess, by what is remembered of pages.
    #[inline]
    pub(crate) const fn guesses(&self) -> bool {
        self.heads.is_some()
    }

    pub(super) const fn heads(&self) -> Option<&'t Heads> {
        self.heads
    }

    pub(crate) const fn page_size(&self) -> u32 {
        self.page_size
    }

    /// The first page number that this transaction's state never uses.
    pub(crate) const fn high_water(&self) -> u64 {
        self.high_water
    }

    /// The node that `link` leads to.
    #[inline]
    pub(crate) fn node(&self, link: Link) -> Result<PageRef<'t>> {
        if let Some(slot) = link.slot() {
            let node = self.changed.get(slot.index()).ok_or_else(|| corrupt(link, "page number is not a page's"))?;
            return parse(link, node.bytes());
        }
        let (header, bytes) = self.page(link.page_id())?;
        let node = Node::parse(bytes, header).map_err(|Malformed(what)| corrupt(link, what))?;
        Ok(PageRef { link, node })
    }

    /// The two metas, as far as they are valid: those of this state, or of states that were committed since.
    pub(crate) fn metas(&self) -> [Option<Meta>; 2] {
        [0, self.page_size].map(|at| Meta::parse(self.view.read(at.into(), SECTOR).ok()?).ok())
    }

    /// How many slots there are for nodes in memory.
    pub(crate) const fn changed(&self) -> u64 {
        self.changed.len() as u64
    }

    /// How many nodes there can be at most: the file's pages and those in memory.
    pub(crate) fn nodes(&self) -> u64 {
        self.high_water.saturating_add(self.changed.len() as u64)
    }

    /// How many pages of the file the node takes that `link` leads to: none while it is in memory.
    pub(crate) fn extent(&self, link: Link) -> Result<u64> {
        if link.in_memory() {
            return Ok(0);
        }
        Ok(self.page(link.page_id())?.0.pages())
    }

    /// Reads the first cache lines of some pages of the file, where headers and the first elements are. These reads do not
    /// wait for each other, as those of a walk do that looks into one page after the other.
    pub(crate) fn touch(&self, pages: &[u64]) {
        const LINES: [usize; 4] = [0, 64, 128, 192];
        let touched = |page: &u64| {
            // Past the mark the file may end at any moment.
            if *page >= self.high_water {
                return None;
            }
            let (view, at) = self.place(*page)?;
            let head = view.at_hand(at, 256)?;
            Some(LINES.iter().fold(0, |seen, &line| seen ^ head.get(line).copied().unwrap_or(0)))
        };
        std::hint::black_box(pages.iter().filter_map(touched).fold(0, |seen, byte| seen ^ byte));
    }

    /// The first page of the node at `link`, as it is; empty if it is not in the file, or would have to be read first.
    #[inline]
    pub(crate) fn page_bytes(&self, link: Link) -> &'t [u8] {
        let place = if link.in_memory() { None } else { self.place(link.page_id().get()) };
        place.and_then(|(view, at)| view.at_hand(at, self.page_size as usize)).unwrap_or(&[])
    }

    /// The bytes that have page `id`, and where in them it begins: memory or the file. None beyond what a file can hold.
    #[inline]
    fn place(&self, id: u64) -> Option<(&'t View<'t>, u64)> {
        if let Some(found) = self.resident.and_then(|resident| resident.find(id)) {
            return Some(found);
        }
        Some((self.view, id.checked_mul(self.page_size.into())?))
    }

    /// Whether there are pages of the snapshot in memory and not in the file.
    pub(crate) const fn has_resident(&self) -> bool {
        self.resident.is_some()
    }

    /// Whether page `id` is in memory and not in the file.
    pub(crate) fn is_resident(&self, id: u64) -> bool {
        self.resident.is_some_and(|resident| resident.find(id).is_some())
    }

    /// Header and all bytes, overflow included, of page `id` of the file: within the high-water mark, within the
    /// file, and saying itself that it is page `id`.
    #[inline]
    pub(crate) fn page(&self, id: PageId) -> Result<(Header, &'t [u8])> {
        let wrong = |what| corrupt(Link::page(id), what);
        if id.get() < 2 || id.get() >= self.high_water {
            return Err(wrong("page number is beyond the high-water mark"));
        }
        let size = self.page_size as usize;
        let (view, at) = self.place(id.get()).ok_or_else(|| wrong(OUTSIDE))?;
        let first = view.read(at, size).map_err(|error| unreadable(id, error))?;
        let header = Header::parse(first).map_err(|Malformed(what)| wrong(what))?;
        if header.id != id.get() {
            return Err(wrong("page says it is another page"));
        }
        if header.overflow == 0 {
            return Ok((header, first));
        }
        Ok((header, self.run_of(id, header)?))
    }

    /// Remembers the page at `link`, which has just been searched, where there is a place for it.
    #[cold]
    pub(super) fn remember(&self, link: Link) {
        let (Some(heads), Ok((header, bytes))) = (self.heads, self.page(link.page_id())) else { return };
        let kind_of = |child| below(self.page(PageId::new(child)).ok().map(|(header, _)| header.kind));
        if let Ok(node) = Node::parse(bytes, header) {
            heads.remember(link.page_id(), header.pages(), &node, kind_of);
        }
    }

    /// The bytes of the page at `link`, whose header is known.
    #[inline]
    pub(super) fn run(&self, link: Link, header: Header) -> Result<&'t [u8]> {
        assert_eq!(header.id, link.page_id().get(), "what is remembered is of this page");
        self.run_of(link.page_id(), header)
    }

    /// All bytes of page `id`, overflow included: within the high-water mark and within the file.
    #[inline]
    fn run_of(&self, id: PageId, header: Header) -> Result<&'t [u8]> {
        let wrong = |what| corrupt(Link::page(id), what);
        let (size, pages) = (self.page_size as usize, header.pages());
        let (view, at) = self.place(id.get()).ok_or_else(|| wrong(OUTSIDE))?;
        if id.get().checked_add(pages).is_none_or(|end| end > self.high_water) {
            return Err(wrong("overflow pages run beyond the high-water mark"));
        }
        let len = usize::try_from(pages).ok().and_then(|pages| pages.checked_mul(size));
        let len = len.ok_or_else(|| wrong(OUTSIDE))?;
        let bytes = view.read(at, len).map_err(|error| unreadable(id, error))?;
        debug_assert!(bytes.len() >= size, "a run of pages has the bytes of one page at least");
        Ok(bytes)
    }
}

impl<'t> PageRef<'t> {
    /// Adds this page's number to what is wrong with it.
    #[inline]
    pub(crate) fn located<T>(&self, result: std::result::Result<T, Malformed>) -> Result<T> {
        result.map_err(|Malformed(what)| corrupt(self.link, what))
    }

    /// Child `index` of `branch`, which is this page.
    #[inline]
    pub(crate) fn child(&self, branch: &Branch<'_>, index: usize) -> Result<Link> {
        trusted(self.link, self.located(branch.child(index))?)
    }

    pub(crate) fn entry(&self, leaf: &Leaf<'t>, index: usize) -> Result<LeafEntry<'t>> {
        self.located(leaf.entry(index))
    }

    /// The first key, or none when the page is an empty leaf.
    pub(crate) fn first_key(&self) -> Result<Option<&'t [u8]>> {
        match &self.node {
            Node::Branch(branch) => self.located(branch.key(0)).map(Some),
            Node::Leaf(leaf) if leaf.count() == 0 => Ok(None),
            Node::Leaf(leaf) => self.located(leaf.key(0)).map(Some),
        }
    }
}

/// `raw`, found in the page that `holder` leads to, as a link. A page of the file cannot name a node in memory.
#[inline]
fn trusted(holder: Link, raw: u64) -> Result<Link> {
    let link = Link::from_raw(raw);
    if link.in_memory() && !holder.in_memory() {
        return Err(corrupt(holder, BEYOND));
    }
    Ok(link)
}

/// `raw`, the root in a bucket's header in the page that `holder` leads to, as a link. No header names a node in memory
/// before the commit, so one that seems to came from the file, even if `holder` is in memory by now.
pub(crate) fn bucket_root(holder: Link, raw: u64) -> Result<Link> {
    let link = Link::from_raw(raw);
    if link.in_memory() { Err(corrupt(holder, BEYOND)) } else { Ok(link) }
}

/// What is wrong with a page that two links lead to.
pub(crate) const SHARED: &str = "page is used in two places";

pub(super) const BEYOND: &str = "page number is beyond the high-water mark";

const OUTSIDE: &str = "page lies beyond the end of the file";

#[cold]
fn unreadable(page: PageId, error: StoreError) -> Error {
    match error {
        StoreError::OutOfBounds { .. } => Error::Corrupt { page, what: OUTSIDE.into() },
        error => error.into(),
    }
}

#[cold]
pub(crate) fn corrupt(link: Link, what: &'static str) -> Error {
    Error::Corrupt { page: link.page_id(), what: what.into() }
}

fn parse(link: Link, bytes: &[u8]) -> Result<PageRef<'_>> {
    let located = |Malformed(what)| corrupt(link, what);
    let header = Header::parse(bytes).map_err(located)?;
    let node = Node::parse(bytes, header).map_err(located)?;
    Ok(PageRef { link, node })
}
