//! The table of readers: which states are being read. Each entry takes a cache line or two; readers take and leave entries
//! without a lock.
//!
//! A reader takes an entry, writes there the transaction it sees, and then makes sure that this is still the newest one;
//! the writer publishes a state first and looks at the table afterwards. With a full fence between the two steps on
//! both sides, either the reader notices that it is late and begins again, or the writer sees it. So a page is handed
//! out again only if no reader can see it.
#![allow(clippy::indexing_slicing, reason = "a ticket names an entry of the table that gave it out")]

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use freelist_core::TxId;

use super::published::{Published, Snapshot};
use crate::store::sync::{AtomicU64, fence};

const VACANT: u64 = u64::MAX;

/// The newest state that an entry can name. Only damage has a later one, after which no commit is possible.
const NEWEST: u64 = VACANT - 1;

/// Taken, but what its reader sees is not known yet: the writer takes it for the oldest state there is.
const ARRIVING: u64 = 0;

/// Entries in the first chunk; each further chunk has twice as many as the one before. In a model one, so that threads
/// meet there.
const FIRST: usize = if cfg!(loom) { 1 } else { 64 };

/// With 24 chunks there are a billion entries: more than a process can have transactions.
const CHUNKS: usize = 24;

/// One reader's entry, alone on its cache lines (two: processors fetch them in pairs).
#[repr(align(128))]
#[derive(Debug)]
struct Entry {
    sees: AtomicU64,
    /// How many transactions began here. Counted where no other processor writes.
    begun: AtomicU64,
}

/// Which entry a read transaction has taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    chunk: usize,
    index: usize,
}

/// The table. Begin and end are a few atomic operations on an entry that threads do not share.
#[derive(Debug)]
pub(crate) struct Readers {
    chunks: [OnceLock<Box<[Entry]>>; CHUNKS],
}

thread_local! {
    /// Where this thread looks first, so that threads keep out of each other's cache lines.
    static PREFERRED: Cell<usize> = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Cell::new(NEXT.fetch_add(1, Ordering::Relaxed))
    };
}

impl Readers {
    pub(crate) fn new() -> Self {
        let readers = Self { chunks: [const { OnceLock::new() }; CHUNKS] };
        readers.chunk(0);
        readers
    }

    /// Registers a reader of the newest published state, and returns that state.
    #[inline]
    pub(crate) fn enter(&self, published: &Published) -> (Ticket, Snapshot) {
        self.enter_around(published, || ())
    }

    /// [`enter`](Self::enter); `between` runs between the two looks at the published state. A test commits there.
    #[inline]
    fn enter_around(&self, published: &Published, mut between: impl FnMut()) -> (Ticket, Snapshot) {
        let ticket = self.take();
        let entry = self.entry(ticket);
        loop {
            let (snapshot, sequence) = published.read();
            entry.sees.store(snapshot.tx.min(NEWEST), Ordering::Relaxed);
            fence(Ordering::SeqCst);
            between();
            if published.unchanged(sequence) {
                debug_assert_ne!(entry.sees.load(Ordering::Relaxed), VACANT, "a reader is in the register");
                entry.begun.fetch_add(1, Ordering::Relaxed);
                return (ticket, snapshot);
            }
        }
    }

    /// The reader has ended.
    #[inline]
    pub(crate) fn leave(&self, ticket: Ticket) {
        let sees = &self.entry(ticket).sees;
        assert_ne!(sees.load(Ordering::Relaxed), VACANT, "a reader leaves once");
        sees.store(VACANT, Ordering::Release);
    }

    /// The states that are being read, for the writer, after it has published its last commit. In no order.
    pub(crate) fn seen(&self, into: &mut Vec<TxId>) {
        into.clear();
        fence(Ordering::SeqCst);
        for entry in self.entries() {
            // Acquire: what a reader that has left did with its pages comes before they are used again.
            let sees = entry.sees.load(Ordering::Acquire);
            if sees != VACANT {
                into.push(TxId::new(sees));
            }
        }
    }

    /// Read transactions begun so far, and open now.
    pub(crate) fn counts(&self) -> (u64, u64) {
        self.entries().fold((0u64, 0u64), |(begun, open), entry| {
            let occupied = entry.sees.load(Ordering::Relaxed) != VACANT;
            (begun.wrapping_add(entry.begun.load(Ordering::Relaxed)), open.saturating_add(occupied.into()))
        })
    }

    fn take(&self) -> Ticket {
        let preferred = PREFERRED.get();
        for chunk in 0..CHUNKS {
            let entries = self.chunk(chunk);
            for probe in 0..entries.len() {
                let index = preferred.wrapping_add(probe).checked_rem(entries.len()).unwrap_or(0);
                let sees = &entries[index].sees;
                let vacant = sees.load(Ordering::Relaxed) == VACANT;
                if vacant && sees.compare_exchange(VACANT, ARRIVING, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                    debug_assert!(index < entries.len(), "the entry is in its chunk");
                    return Ticket { chunk, index };
                }
            }
        }
        unreachable!("a process has fewer than a billion transactions")
    }

    fn chunk(&self, chunk: usize) -> &[Entry] {
        debug_assert!(chunk < CHUNKS, "a ticket names a chunk of the table");
        self.chunks[chunk].get_or_init(|| {
            let vacant = || Entry { sees: AtomicU64::new(VACANT), begun: AtomicU64::new(0) };
            (0..FIRST << chunk).map(|_| vacant()).collect()
        })
    }

    fn entry(&self, ticket: Ticket) -> &Entry {
        &self.chunk(ticket.chunk)[ticket.index]
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.chunks.iter().map_while(OnceLock::get).flatten()
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

    fn at(tx: u64) -> Snapshot {
        Snapshot { tx, root: 3, root_sequence: 0, freelist: 2, high_water: 4, resident: 0 }
    }

    fn seen(readers: &Readers) -> Vec<u64> {
        let mut seen = Vec::new();
        readers.seen(&mut seen);
        let mut seen: Vec<u64> = seen.into_iter().map(TxId::get).collect();
        seen.sort_unstable();
        seen
    }

    #[test]
    fn the_table_knows_who_reads_what() {
        let (readers, published) = (Readers::new(), Published::new(at(5)));
        let (first, _) = readers.enter(&published);
        published.publish(at(6));
        let (second, snapshot) = readers.enter(&published);
        assert_eq!(snapshot.tx, 6);
        assert_eq!(seen(&readers), [5, 6]);
        readers.leave(first);
        assert_eq!(seen(&readers), [6]);
        readers.leave(second);
        assert_eq!(seen(&readers), []);
        assert_eq!(readers.counts(), (2, 0));
    }

    /// Whatever the writer commits while a reader begins, the reader has announced the state that it gets.
    #[test]
    fn a_reader_that_is_late_begins_again() {
        let (readers, published) = (Readers::new(), Published::new(at(5)));
        let (mut commits, mut announced) = (6..8, Vec::new());
        let (ticket, snapshot) = readers.enter_around(&published, || {
            announced.push(seen(&readers));
            commits.next().into_iter().for_each(|tx| published.publish(at(tx)));
        });
        assert_eq!(announced, [[5], [6], [7]]);
        assert_eq!((snapshot.tx, seen(&readers)), (7, vec![7]));
        readers.leave(ticket);
        assert_eq!(readers.counts(), (1, 0));
    }

    #[test]
    fn more_readers_than_places_get_more_places() {
        let (readers, published) = (Readers::new(), Published::new(at(5)));
        let tickets: Vec<Ticket> = (0..FIRST * 4).map(|_| readers.enter(&published).0).collect();
        assert_eq!(seen(&readers).len(), FIRST * 4);
        for ticket in tickets {
            readers.leave(ticket);
        }
        assert_eq!(readers.counts(), (FIRST as u64 * 4, 0));
    }

    /// Threads that begin at once fight for the one entry that is vacant: whoever gets it has it alone.
    #[test]
    fn one_entry_is_one_readers() {
        const FIGHTERS: u64 = 4;
        const TURNS: u64 = 200_000;
        let (readers, published) = (Readers::new(), Published::new(at(5)));
        let others: Vec<Ticket> = (1..FIRST).map(|_| readers.enter(&published).0).collect();
        let taken: Vec<AtomicUsize> = (0..FIRST * 4).map(|_| AtomicUsize::new(0)).collect();
        std::thread::scope(|scope| {
            for _ in 0..FIGHTERS {
                scope.spawn(|| {
                    for _ in 0..TURNS {
                        let (ticket, _) = readers.enter(&published);
                        let taken = &taken[ticket.chunk * FIRST + ticket.index];
                        assert_eq!(taken.fetch_add(1, Ordering::SeqCst), 0, "two readers in {ticket:?}");
                        taken.fetch_sub(1, Ordering::SeqCst);
                        readers.leave(ticket);
                    }
                });
            }
        });
        for ticket in others {
            readers.leave(ticket);
        }
        assert_eq!(readers.counts(), (FIRST as u64 - 1 + FIGHTERS * TURNS, 0));
    }
}
