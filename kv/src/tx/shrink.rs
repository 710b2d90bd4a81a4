//! A file that becomes shorter while it is in use, a little with each commit.
//!
//! ```text
//!   resting --> lowering --> moving --> resting
//!               the ceiling  a walk finds the nodes that lie at the end of the file; the transaction copies
//!               of the free  them and what is above them, and its commit finds them pages below the ceiling
//!               space
//! ```
//! Beside it, and as long as it is on, each transaction begins by giving back the free pages at the end of the file, so its
//! commit has a lower high-water mark; and each commit truncates the file to what every state needs that somebody may
//! still look at: those of readers, and those of both metas.
//!
//! Every part is bounded: so many free spans, leaves, pages and bytes for each commit. A crash at any point finds a state
//! that was committed, since nodes are moved by a commit like any other.

use std::mem;

use freelist_core::{PageId, TxId};
use pagefile_std::StoreError;

use super::core::Core;
use super::open_buckets::OpenBuckets;
use super::writer::{Checkpoint, Writer};
use crate::error::Result;
use crate::store::{FreeSpace, Link, NO_CEILING, WriteSet};
use crate::tree::{Next, Place, TailWalk};

/// Free spans that the ceiling passes in one commit: some 0.1 ms.
const SPANS: usize = 1024;

/// Leaves to look at for each page that may be moved. More, and a commit that finds nothing to move takes long; fewer, and
/// it takes many commits to pass what need not move.
const LOOK: usize = 4;

/// Room that is left for the branches above the nodes that move.
const ABOVE: u64 = 8;

/// A pass takes one commit in so many, and the others rest: where a pass achieves nothing, it costs little.
const REST: u64 = 8;

/// Commits of rest at least.
const REST_MIN: u64 = 32;

/// Bytes by which one commit shortens the file. The system drops them from its cache and its tables meanwhile.
const CUT_MAX: u64 = 32 << 20;

/// How far the file has come on its way to being shorter.
#[derive(Debug, Default)]
pub(crate) struct Shrink {
    /// With every commit, as [`Options::shrink`](crate::Options::shrink) says.
    along: bool,
    /// At this moment, for [`Db::shrink`](crate::Db::shrink).
    at_once: bool,
    phase: Phase,
    /// Pages of nodes for which there was no run of free pages below the ceiling. The next pass ends so much later, behind a
    /// run as long.
    unfit: u64,
    /// The error of a truncation that nobody has heard of.
    refused: Option<StoreError>,
}

#[derive(Debug)]
enum Phase {
    /// Nothing to do for so many commits.
    Resting { commits: u64 },
    /// The ceiling is on its way to this page.
    Lowering { to: u64, commits: u64 },
    /// Whatever lies from page `to` on is being moved.
    Moving { to: u64, place: Place, unfit: u64, commits: u64 },
    /// A node to be moved is damaged.
    Damaged,
}

impl Default for Phase {
    fn default() -> Self {
        Self::Resting { commits: 0 }
    }
}

impl Shrink {
    pub(super) fn set_along(&mut self, along: bool) {
        self.along = along;
    }

    /// Begins to shrink the file at once, or ends that.
    pub(crate) fn set_at_once(&mut self, at_once: bool) {
        self.at_once = at_once;
        self.phase = Phase::default();
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.along || self.at_once
    }

    /// Whether nodes are being moved, or are about to be.
    pub(crate) const fn is_under_way(&self) -> bool {
        matches!(self.phase, Phase::Lowering { .. } | Phase::Moving { .. })
    }

    /// What did not fit is tried again: since then pages may have become free.
    pub(crate) fn forget_unfit(&mut self) {
        self.unfit = 0;
    }

    /// Pages by which the next pass ends later, for nodes that the last ones have found no room for; 0 if there were none.
    pub(crate) const fn unfit(&self) -> u64 {
        self.unfit
    }

    pub(crate) fn take_refusal(&mut self) -> Option<StoreError> {
        self.refused.take()
    }

    /// Begins a pass if the file could be shorter by `share` of its length then, as (numerator, denominator).
    pub(crate) fn begin(&mut self, free_space: &FreeSpace, (part, of): (u64, u64)) {
        let occupied = free_space.occupied_pages();
        // Room for what each commit copies.
        let to = occupied.saturating_add(occupied.div_euclid(32)).saturating_add(8).saturating_add(self.unfit);
        let gain = free_space.planned_high_water().saturating_sub(to);
        assert!(of > 0, "a share is a part of something");
        if gain > 0 && gain.saturating_mul(of) >= free_space.planned_high_water().saturating_mul(part) {
            self.phase = Phase::Lowering { to, commits: 0 };
        }
    }

    /// Counts a commit of rest; after the last one a pass begins, if a quarter of the file could go.
    fn wake(&mut self, free_space: &mut FreeSpace) {
        let Phase::Resting { commits } = &mut self.phase else { return };
        if *commits > 0 {
            *commits = commits.saturating_sub(1);
            return;
        }
        self.begin(free_space, (1, 4));
        if !self.is_under_way() {
            // Without memory for it the ceiling stays where it is, which is never wrong.
            let _ = free_space.move_ceiling(NO_CEILING, SPANS);
        }
    }
}

/// A little with the commit of a transaction that has changed something. Damage ends it for as long as the file is open:
/// the content is none of its business, and whoever reads what is damaged is told.
pub(super) fn along(core: &Core, writer: &mut Writer, (write_set, buckets): (&mut WriteSet, &mut OpenBuckets)) {
    assert!(core.settings.shrink > 0, "each commit moves pages only if it is asked to");
    writer.shrink.wake(&mut writer.free_space);
    if step(writer, (write_set, buckets), core.settings.shrink).is_err() {
        writer.shrink.phase = Phase::Damaged;
    }
}

/// One part of a pass, as part of a transaction that is about to be committed: it copies nodes of up to `pages` pages, or of
/// one node that has more. Returns how many.
///
/// # Errors
/// `Corrupt` where a node on the way is damaged; what was copied until then can be committed. Out of memory.
pub(super) fn step(
    writer: &mut Writer,
    (write_set, buckets): (&mut WriteSet, &mut OpenBuckets),
    pages: u64,
) -> Result<u64> {
    let Writer { visible, free_space, shrink, .. } = writer;
    assert_eq!(write_set.high_water(), visible.high_water, "the walk sees the newest state");
    assert!(free_space.planned_high_water() <= visible.high_water, "nothing has been allocated yet");
    match mem::take(&mut shrink.phase) {
        Phase::Lowering { to, commits } => {
            let commits = commits.saturating_add(1);
            let there = free_space.move_ceiling(to, SPANS)?;
            let moving = Phase::Moving { to, place: Place::default(), unfit: 0, commits };
            shrink.phase = if there { moving } else { Phase::Lowering { to, commits } };
            Ok(0)
        }
        Phase::Moving { to, mut place, unfit: before, commits } => {
            let root = Link::page(PageId::new(visible.root));
            let Found { places, pages, unfit, end } = find(free_space, write_set, root, to, &mut place, pages)?;
            for Place { path, key } in places {
                buckets.copy_way(write_set, &path, &key)?;
            }
            let (commits, unfit) = (commits.saturating_add(1), before.saturating_add(unfit));
            if end {
                shrink.unfit = if unfit > 0 { shrink.unfit.saturating_add(unfit) } else { shrink.unfit.div_euclid(2) };
                shrink.phase = Phase::Resting { commits: commits.saturating_mul(REST).saturating_add(REST_MIN) };
            } else {
                shrink.phase = Phase::Moving { to, place, unfit, commits };
            }
            Ok(pages)
        }
        other => {
            shrink.phase = other;
            Ok(0)
        }
    }
}

/// Nodes to be moved.
struct Found {
    places: Vec<Place>,
    pages: u64,
    /// Pages of nodes that find no room.
    unfit: u64,
    /// The walk has seen all nodes.
    end: bool,
}

/// Goes on with the walk, to nodes of up to `pages` pages from page `to` on for which there is room below it.
fn find(
    free_space: &FreeSpace,
    write_set: &WriteSet,
    root: Link,
    to: u64,
    place: &mut Place,
    pages: u64,
) -> Result<Found> {
    let (free, longest) = free_space.room_below_ceiling();
    // The transaction's own nodes come first, and each node that moves takes some above it along.
    let spare = free.saturating_sub(write_set.nodes() as u64).saturating_sub(ABOVE);
    let (mut places, mut taken, mut long, mut unfit) = (Vec::new(), 0u64, 0u64, 0u64);
    let look = usize::try_from(pages).unwrap_or(usize::MAX).saturating_mul(LOOK).saturating_add(LOOK);
    let walk = TailWalk::new(write_set.snapshot(), root, to, look, |place, node| {
        let (taken_then, long_then) =
            (taken.saturating_add(node), long.saturating_add(if node > 1 { node } else { 0 }));
        if taken > 0 && taken_then > pages {
            return Next::Stop;
        }
        // What finds no room stays where it is, and the file ends behind it.
        if taken_then <= spare && long_then <= longest {
            (taken, long) = (taken_then, long_then);
            places.push(place.clone());
        } else {
            unfit = unfit.saturating_add(node);
        }
        Next::GoOn
    });
    let end = walk.go_on(place)?;
    assert!(places.len() as u64 <= taken, "a node has a page at least");
    assert!(taken <= free, "nodes move to where there is room for them");
    Ok(Found { places, pages: taken, unfit, end })
}

/// Truncates the file to what is needed, by a bounded part of it. To be called after a commit.
///
/// The file has to reach as far as every state that somebody may look at: those that readers have open, and those of both
/// metas, of which the older one is the state before. Its tail may then be taken from under the map: nobody follows a link
/// past the high-water mark of the state that it sees, and new readers see the newest state.
///
/// Without a sync the disk may have any of the last metas, so nothing is truncated then.
pub(super) fn cut_file(core: &Core, writer: &mut Writer) {
    let Checkpoint::At(checkpoint) = writer.checkpoint else { return };
    assert!(writer.redo.is_none(), "with a log the metas are older than the commits, and name more of the file");
    let mut readers = Vec::new();
    core.readers.seen(&mut readers);
    let before = TxId::new(writer.visible.tx.saturating_sub(1));
    let oldest = readers.into_iter().fold(before.min(checkpoint), TxId::min);
    let needed = writer.marks.needed_from(oldest).saturating_mul(core.page_size.into());
    assert!(needed >= writer.visible.high_water.saturating_mul(core.page_size.into()), "the newest state is needed");
    let len = core.store.len();
    assert!(oldest.get() <= writer.visible.tx, "nobody looks at a state that is not yet visible");
    let keep = needed.max(core.settings.initial_size).max(len.saturating_sub(CUT_MAX));
    if keep < len {
        writer.shrink.refused = core.store.truncate(keep).err();
    }
}
