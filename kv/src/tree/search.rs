//! From a root and a key to the leaf that has the key, or would have it.

use super::TOO_DEEP;
use crate::error::{Error, Result};
use crate::format::{DEPTH_MAX, Leaf, LeafEntry, Node};
use crate::store::{Below, Candidates, LeafRef, Link, PageRef, Pages, Turn, corrupt};

/// Where a tree starts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Root<'t> {
    /// At a page, or a node in memory.
    Link(Link),
    /// The tree is one leaf inside the page `home` of its parent's tree.
    Inline { leaf: Leaf<'t>, home: Link },
}

impl<'t> Root<'t> {
    #[inline]
    pub(crate) fn open(&self, pages: &Pages<'t>) -> Result<PageRef<'t>> {
        match *self {
            Self::Link(link) => pages.node(link),
            Self::Inline { leaf, home } => Ok(PageRef { link: home, node: Node::Leaf(leaf) }),
        }
    }
}

/// How far the search for a key has come.
#[derive(Clone, Debug)]
pub(super) enum Search<'t> {
    /// To this page, of which it is known whether it is a leaf.
    Above(Link, Below),
    /// To the elements of a leaf among which the key is or would be.
    Among(Candidates<'t>),
}

impl<'t> Search<'t> {
    pub(super) const fn new(root: Root<'t>) -> Self {
        match root {
            Root::Link(link) => Self::Above(link, Below::Unknown),
            Root::Inline { leaf, home } => Self::Among(Candidates::all(LeafRef { link: home, leaf })),
        }
    }

    /// Goes down to the elements of a leaf, or with `stop` at a page that is known to be a leaf, before it is searched.
    /// `down` is told each branch on the way and the index of the child taken.
    #[inline]
    pub(super) fn descend(
        self,
        pages: &Pages<'t>,
        key: &[u8],
        stop: bool,
        mut down: impl FnMut(Link, usize),
    ) -> Result<Self> {
        let Self::Above(mut link, mut below) = self else { return Ok(self) };
        for _ in 0..DEPTH_MAX {
            if stop && below == Below::Leaves {
                return Ok(Self::Above(link, below));
            }
            match pages.turn(link, key, below)? {
                Turn::Here(candidates) => return Ok(Self::Among(candidates)),
                Turn::Down { index, child, below: kind } => {
                    down(link, index);
                    (link, below) = (child, kind);
                    if below == Below::Leaves && !stop {
                        pages.prefetch_leaf(link);
                    }
                }
            }
        }
        Err(corrupt(link, TOO_DEEP))
    }

    /// The leaf, and the elements among which the key is or would be, of a search that was not stopped.
    #[inline]
    pub(super) fn arrived(self) -> Result<Candidates<'t>> {
        match self {
            Self::Among(candidates) => Ok(candidates),
            Self::Above(link, _) => Err(corrupt(link, TOO_DEEP)),
        }
    }
}

/// The leaf whose range `key` falls into, and the place of `key` in it. O(log n). `down` is told each branch on the way and
/// the index of the child taken, after `begin` has been called; it may be told of two ways.
///
/// The way by what is remembered of the pages is a guess, which the leaf then shows to be right; it mostly is.
#[inline]
pub(super) fn locate<'t>(
    pages: &Pages<'t>,
    root: Root<'t>,
    key: &[u8],
    mut down: impl FnMut(Option<(Link, usize)>),
) -> Result<(LeafRef<'t>, std::result::Result<usize, usize>)> {
    if pages.guesses() {
        down(None);
        let way = Search::new(root).descend(pages, key, false, |link, index| down(Some((link, index))));
        // A guess may lead to a page that is damaged or gone, and is on no way to the key.
        let guessed = way.and_then(Search::arrived).inspect(Candidates::prefetch_run);
        if let Ok(guessed) = guessed
            && let Ok(Some(place)) = guessed.search_proven(key)
        {
            return Ok((guessed.leaf, place));
        }
    }
    down(None);
    let pages = pages.without_heads();
    debug_assert!(!pages.guesses(), "what reads the pages guesses nothing");
    let found = Search::new(root).descend(&pages, key, false, |link, index| down(Some((link, index))))?.arrived()?;
    Ok((found.leaf, found.search(key)?))
}

/// The item `key`, and the leaf it is in. O(log n), no allocation.
#[inline]
pub(crate) fn find<'t>(pages: &Pages<'t>, root: Root<'t>, key: &[u8]) -> Result<Option<(LeafRef<'t>, LeafEntry<'t>)>> {
    match Search::new(root).descend(pages, key, false, |_, _| ()).and_then(Search::arrived) {
        Ok(candidates) => {
            candidates.prefetch();
            find_in(pages, root, &candidates, key)
        }
        Err(error) => find_by_pages(pages, root, key, error),
    }
}

/// The item `key`, which is among `candidates` if a guess was right.
#[inline]
pub(super) fn find_in<'t>(
    pages: &Pages<'t>,
    root: Root<'t>,
    candidates: &Candidates<'t>,
    key: &[u8],
) -> Result<Option<(LeafRef<'t>, LeafEntry<'t>)>> {
    match candidates.find(key) {
        Ok(Some(entry)) => {
            debug_assert!(entry.key == key, "the item that a search finds has the key");
            Ok(Some((candidates.leaf, entry)))
        }
        Ok(None) => find_absent(pages, root, candidates, key),
        Err(error) => find_by_pages(pages, root, key, error),
    }
}

/// The same for a key that is not among the candidates. It may be elsewhere, if the guess was wrong.
#[inline(never)]
fn find_absent<'t>(
    pages: &Pages<'t>,
    root: Root<'t>,
    candidates: &Candidates<'t>,
    key: &[u8],
) -> Result<Option<(LeafRef<'t>, LeafEntry<'t>)>> {
    if !pages.guesses() || matches!(candidates.search_proven(key), Ok(Some(_))) {
        return Ok(None);
    }
    find_exactly(pages, root, key)
}

/// The same after a search that met damage, which may lie on no way to the key if the search was led by a guess.
#[inline(never)]
fn find_by_pages<'t>(
    pages: &Pages<'t>,
    root: Root<'t>,
    key: &[u8],
    met: Error,
) -> Result<Option<(LeafRef<'t>, LeafEntry<'t>)>> {
    if pages.guesses() { find_exactly(pages, root, key) } else { Err(met) }
}

/// The same by the pages alone.
fn find_exactly<'t>(pages: &Pages<'t>, root: Root<'t>, key: &[u8]) -> Result<Option<(LeafRef<'t>, LeafEntry<'t>)>> {
    let pages = pages.without_heads();
    debug_assert!(!pages.guesses(), "what reads the pages guesses nothing");
    let found = Search::new(root).descend(&pages, key, false, |_, _| ())?.arrived()?;
    let entry = found.find(key)?;
    debug_assert!(entry.is_none_or(|entry| entry.key == key), "the item that a search finds has the key");
    Ok(entry.map(|entry| (found.leaf, entry)))
}
