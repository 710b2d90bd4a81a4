//! Commits by a redo log: one durable write for all that wait for it, and a checkpoint now and then.
//!
//! ```text
//!   enter --> append, append, append, checkpoint, append, ... --> leave
//!     |          |                        |                          |
//!     v          v                        v                          v
//!   both      a record is queued for   the pages in memory are     both metas are bbolt's
//!   metas     the log; the pages       written and synced, then    again
//!   marked    stay in memory           a marked meta
//! ```
//! A checkpoint of the newest state begins when half of the log or of the memory is filled, and is made [beside](self::beside)
//! the commits that follow. A transaction that does not fit into the log, or for whose pages there is no memory, or whose large
//! values would only be written twice, is a checkpoint itself: a commit by two syncs that takes the pages in memory along. It waits for the commits that are queued.
//!
//! **Invariant:** while the log may have a unit that no checkpoint has made needless, both metas are marked. The pages of
//! the last checkpoint are pinned, as if a reader had it open, those of the one that is being made, and the span of the log.

mod background;
mod beside;
mod checkpoint;
mod checkpointer;
mod queue;
mod record;
mod replay;
mod sink;

use std::sync::Arc;
use std::time::Duration;

use self::checkpoint::checkpoint;
use self::record::record_of;
use super::changes::ChangeLog;
use super::core::Core;
use super::persist::{check, reach_to, take_over};
use super::plan::Plan;
use super::writer::{Checkpoint, Writer};
use crate::error::{Error, Result};
use crate::store::{Generation, Resident, Ring, SLOTS_MAX, WriteSet};
pub(crate) use background::Background;
pub(super) use beside::{begin as begin_checkpoint, settle as settle_beside, tend};
pub(crate) use checkpoint::{enter, leave, leave_with};
pub(crate) use checkpointer::{Checkpointer, Failure as CheckpointFailure};
use freelist_core::TxId;
#[cfg(all(test, loom))]
pub(crate) use queue::Sink;
pub(crate) use queue::{Commit, LogQueue, News};
pub(super) use replay::keep;
pub(crate) use replay::{replay_in_memory, settle};
pub(crate) use sink::LogSink;

/// What `Options::durability` asks for, with what belongs to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RedoSettings {
    /// Bytes of the log.
    pub(crate) log_size: u64,
    /// Bytes of changed pages in memory between two checkpoints.
    pub(crate) memory: usize,
    /// A thread makes checkpoints beside commits; the transactions do so if not.
    pub(crate) thread: bool,
    /// Commits return at once and are durable after this time at the latest; none where they return when they are durable.
    pub(crate) period: Option<Duration>,
}

/// Bytes of changes whose record takes about as long to write as a second sync.
const LONG_RECORD: u64 = 256 << 10;

/// What a commit is there for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Aim {
    /// To make changes durable, by the log if they fit.
    Commit,
    /// To have nothing in the log.
    Checkpoint,
    /// To begin with a log.
    Enter,
    /// To end with the log: the file is bbolt's again.
    Leave,
}

/// The log of a database that is open, and what is in memory.
#[derive(Debug)]
pub(crate) struct Redo {
    /// Bytes of records that one unit can have.
    longest_record: usize,
    /// The page, 0 or 1, of the newest durable meta.
    slot: u64,
    /// The generation that commits fill, by its number.
    filling: Option<(usize, Resident)>,
    /// The generation that a checkpoint is made of, by its number, and the state of the checkpoint.
    frozen: Option<(usize, TxId)>,
    /// Of each generation the first state that does not need it any more.
    ended: [TxId; 2],
    /// The high-water mark when a checkpoint was last made beside commits, or the log began.
    high_water: u64,
}

/// Which of a core's generations have pages of a state, counted from 1; 0 for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Residents {
    newest: u64,
    /// What the newest has is in place of what this one has.
    older: u64,
}

impl Residents {
    /// For a snapshot.
    pub(crate) const fn to_word(self) -> u64 {
        self.newest | self.older << 2
    }

    #[inline]
    pub(crate) const fn from_word(word: u64) -> Self {
        Self { newest: word & 3, older: word >> 2 }
    }

    /// The newest, and the older one, of `generations`.
    #[inline]
    pub(crate) fn of<T>(self, generations: &[T; 2]) -> Option<(&T, Option<&T>)> {
        let [first, second] = generations;
        let numbered = |number| match number {
            0 => None,
            1 => Some(first),
            _ => Some(second),
        };
        Some((numbered(self.newest)?, numbered(self.older)))
    }
}

impl Redo {
    /// With nothing in memory: a log that begins, or one that a crash has left, in a file of `high_water` pages.
    pub(crate) fn new(ring: &Ring, slot: u64, high_water: u64) -> Self {
        assert!(slot < 2, "there are two metas");
        let ended = [TxId::new(0); 2];
        Self { longest_record: ring.longest_record(), slot, filling: None, frozen: None, ended, high_water }
    }

    /// The pages that the file is to have when a checkpoint is made of a state with this high-water mark: as many more as were
    /// added since the last one, for the commits beside it.
    fn room(&mut self, high_water: u64) -> u64 {
        let added = high_water.saturating_sub(self.high_water);
        self.high_water = high_water;
        let room = high_water.saturating_add(added);
        assert!(room >= high_water, "a file has room for its own pages at least");
        room
    }

    /// Whether a transaction with so many bytes of changes, and so many bytes of pages, is done sooner by two syncs. What it
    /// changes is then written once, and not to the log first. In turn it waits for a second sync, and until its pages are
    /// written with those in memory: only where the pages are hardly more than the changes, as with large values, and
    /// memory has no more than a few times as much.
    fn is_better_written_once(&self, core: &Core, changes: u64, pages: u64) -> bool {
        let waits = core.settings.redo.is_some_and(|settings| settings.period.is_none());
        let beside = self.filling.as_ref().map_or(0, |(_, resident)| resident.bytes());
        let few = pages <= changes.saturating_add(changes.div_euclid(2)) && beside <= changes.saturating_mul(4);
        waits && changes >= LONG_RECORD && few && self.frozen.is_none()
    }

    /// The most bytes of changes that a transaction is asked to remember for its record: more than fit.
    pub(super) const fn remembered(&self) -> usize {
        self.longest_record.saturating_mul(4)
    }

    /// The generations that have pages of the newest state.
    pub(super) fn residents(&self) -> Residents {
        let counted = |number: Option<usize>| number.map_or(0, |number| (number as u64).saturating_add(1));
        let filling = counted(self.filling.as_ref().map(|&(number, _)| number));
        let frozen = counted(self.frozen.map(|(number, _)| number));
        assert!(filling == 0 || filling != frozen, "nothing is taken into what is frozen");
        if filling == 0 { Residents { newest: frozen, older: 0 } } else { Residents { newest: filling, older: frozen } }
    }

    /// The state that a checkpoint is made of at this time.
    pub(super) fn in_the_making(&self) -> Option<TxId> {
        self.frozen.map(|(_, state)| state)
    }

    /// The number of a generation that no reader is in, or may begin in, and that no checkpoint is made of.
    fn next_generation(&self, core: &Core) -> Option<usize> {
        // Before the table: a reader that is not in it yet begins at this state, or at one that is published later.
        let (oldest, _) = core.published.read();
        let mut seen = vec![TxId::new(oldest.tx)];
        core.readers.seen(&mut seen);
        let oldest = seen.into_iter().min();
        let in_use = |number: usize| {
            self.frozen.is_some_and(|(frozen, _)| frozen == number)
                || self.filling.as_ref().is_some_and(|&(filling, _)| filling == number)
        };
        let left = |&(number, ended): &(usize, &TxId)| !in_use(number) && oldest.is_none_or(|oldest| oldest >= *ended);
        self.ended.iter().enumerate().find(left).map(|(number, _)| number)
    }

    /// A generation to fill, begun now; none if readers are in both.
    fn next(&self, core: &Core) -> Option<(usize, Resident)> {
        let number = self.next_generation(core)?;
        let generation = core.generations.as_ref()?.get(number)?;
        Some((number, Resident::begin(Arc::clone(generation))))
    }

    /// What commits fill: begun now if nothing is; none if readers are in both.
    fn filling(&mut self, core: &Core) -> Option<&mut Resident> {
        if self.filling.is_none() {
            self.filling = Some(self.next(core)?);
        }
        self.filling.as_mut().map(|(_, resident)| resident)
    }

    /// The pages in memory are in the file: `tx` is the first state that does not need them.
    fn end_generation(&mut self, tx: TxId) {
        assert!(self.frozen.is_none(), "one checkpoint is made at a time");
        if let Some((number, _)) = self.filling.take() {
            self.end(number, tx);
        }
    }

    /// `tx` is the first state that does not need generation `number`.
    fn end(&mut self, number: usize, tx: TxId) {
        if let Some(ended) = self.ended.get_mut(number) {
            assert!(*ended < tx, "a generation ends after it has begun");
            *ended = tx;
        }
    }
}

/// Two generations, for `memory` bytes of changed pages each.
///
/// # Errors
/// Out of memory.
pub(crate) fn generations(memory: usize, page_size: u32) -> Result<[Arc<Generation>; 2]> {
    const { assert!(SLOTS_MIN < SLOTS_MAX, "there is room for the fewest pages") };
    let slots = u32::try_from((memory as u64).div_ceil(page_size.into())).unwrap_or(u32::MAX);
    let slots = slots.clamp(SLOTS_MIN, SLOTS_MAX);
    assert!(page_size.is_power_of_two(), "places of the arena are pages");
    Ok([Arc::new(Generation::new(slots, page_size)?), Arc::new(Generation::new(slots, page_size)?)])
}

/// Pages that a generation has room for at least.
const SLOTS_MIN: u32 = 64;

/// How a commit persists.
pub(super) enum Persisted {
    /// It is durable. A power cut leaves this from now on.
    Durable(Checkpoint),
    /// Its pages are in memory, and this is its record for the log.
    Logged(Vec<u8>),
}

/// Prepares `plan` for the log, or makes it durable by two syncs when all that is queued is durable. `changes` are those of the
/// transaction, if they are known.
///
/// # Errors
/// As those of a commit by two syncs.
pub(super) fn persist(
    core: &Core,
    writer: &mut Writer,
    write_set: &WriteSet,
    changes: Option<&ChangeLog>,
    plan: &mut Plan,
    aim: Aim,
) -> Result<Persisted> {
    assert!(writer.in_doubt, "nothing builds on a state before it is durable or queued");
    core.log.check().map_err(not_committed)?;
    let reached = core.store.check_name().map_err(Error::from).and_then(|()| reach_to(core, plan.meta.high_water));
    reached.map_err(not_committed)?;
    if aim == Aim::Commit
        && let Some(record) = append(core, writer, write_set, changes, plan)?
    {
        return Ok(Persisted::Logged(record));
    }
    beside::settle(core, writer)?;
    // What comes of those that are queued is theirs to tell; this commit has not begun.
    core.log.drain(&*core.sink).map_err(|_| not_committed(Error::Poisoned))?;
    assert_eq!(
        core.published.read().0.tx,
        writer.visible.tx,
        "a checkpoint has everything that was committed before it"
    );
    checkpoint(core, writer, write_set, plan, aim).map(Persisted::Durable)
}

/// Takes the pages of `plan` into memory and returns its record; none, and nothing has happened, if memory or the log has no room.
fn append(
    core: &Core,
    writer: &mut Writer,
    write_set: &WriteSet,
    changes: Option<&ChangeLog>,
    plan: &mut Plan,
) -> Result<Option<Vec<u8>>> {
    let changes = changes.and_then(|changes| Some((changes.complete()?, changes.pair_bytes())));
    let (Some(redo), Some((changes, size))) = (&mut writer.redo, changes) else { return Ok(None) };
    assert!(plan.meta.tx > writer.visible.tx, "a commit makes a new state");
    // Pages that were written before the commit are not durable, and the record does not have them.
    if write_set.early_written().pages > 0 {
        return Ok(None);
    }
    let images = plan.images(write_set);
    let bytes = images.iter().map(|(_, bytes)| bytes.len() as u64).fold(0, u64::saturating_add);
    if redo.is_better_written_once(core, size as u64, bytes) {
        return Ok(None);
    }
    let record = record_of(redo.longest_record, plan.tx(), changes);
    let Some(record) = record.filter(|record| core.log.has_room(record.len())) else { return Ok(None) };
    assert!(
        redo.filling.is_some() || redo.frozen.is_some() || !core.log.has_units(),
        "what the log has is in memory, until a checkpoint ends both"
    );
    let Some(resident) = redo.filling(core) else { return Ok(None) };
    if !resident.has_room(images.iter().copied()) {
        return Ok(None);
    }
    let taken = images.iter().try_for_each(|&(page, bytes)| resident.insert(page, bytes));
    let seen = core.view(redo.residents());
    take_over(core, writer, write_set, &images);
    let checked = taken.and_then(|()| {
        if core.settings.strict { check(core, writer, plan, (seen.as_ref(), seen.as_ref()), write_set) } else { Ok(()) }
    });
    if let Err(cause) = checked {
        forget(writer, &images, core.page_size);
        return Err(not_committed(cause));
    }
    plan.count(record.len() as u64, 0);
    Ok(Some(record))
}

/// Waits until transaction `tx`, and all before it, are durable and what new readers see. Where commits become durable later, it
/// waits while more is queued than the log is to keep back.
///
/// # Errors
/// [`Error::Unknown`] or [`Error::NotCommitted`] if that will not be.
pub(crate) fn wait(core: &Core, tx: u64) -> Result<()> {
    match core.settings.redo {
        None => Ok(()),
        Some(RedoSettings { period: None, .. }) => core.log.wait(tx, &*core.sink),
        Some(_) => core.log.wait_for_room(&*core.sink),
    }
}

/// Waits until everything that is queued is durable.
///
/// # Errors
/// Those of a commit whose write fails.
pub(crate) fn drain(core: &Core) -> Result<()> {
    core.log.drain(&*core.sink)
}

/// The images of a commit that did not come to be leave memory.
fn forget(writer: &mut Writer, images: &[(u64, &[u8])], page_size: u32) {
    let Some((_, resident)) = writer.redo.as_mut().and_then(|redo| redo.filling.as_mut()) else { return };
    for &(page, bytes) in images {
        resident.forget(page, (bytes.len() as u64).div_ceil(page_size.into()));
    }
}

fn not_committed(cause: Error) -> Error {
    Error::NotCommitted { cause: Box::new(cause) }
}
