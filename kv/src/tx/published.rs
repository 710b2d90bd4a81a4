//! The committed state that new readers begin with: one writer replaces it, any number read it without a lock.
//!
//! A sequence lock. The writer makes the sequence odd, stores the words, makes it even again; a reader that sees an
//! odd or a changed sequence reads once more. See Boehm, "Can seqlocks get along with programming language memory
//! models?" (MSPC 2012), for why the fences are where they are.

use std::sync::atomic::Ordering;

use crate::format::Meta;
use crate::store::sync::{AtomicU64, fence, spin_loop};

/// What a transaction needs to know of the state it sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Snapshot {
    pub(crate) tx: u64,
    pub(crate) root: u64,
    pub(crate) root_sequence: u64,
    pub(crate) freelist: u64,
    pub(crate) high_water: u64,
    /// Which memory has pages of this state that the file does not have yet, counted from 1; 0 for none.
    pub(crate) resident: u64,
}

impl From<&Meta> for Snapshot {
    fn from(meta: &Meta) -> Self {
        Self {
            tx: meta.tx,
            root: meta.root,
            root_sequence: meta.root_sequence,
            freelist: meta.freelist,
            high_water: meta.high_water,
            resident: 0,
        }
    }
}

/// The published snapshot.
#[derive(Debug)]
pub(crate) struct Published {
    sequence: AtomicU64,
    words: [AtomicU64; 6],
}

impl Published {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self { sequence: AtomicU64::new(0), words: words(snapshot).map(AtomicU64::new) }
    }

    /// The newest published snapshot, and the sequence it was published under.
    #[inline]
    pub(crate) fn read(&self) -> (Snapshot, u64) {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            let [tx, root, root_sequence, freelist, high_water, resident] =
                self.words.each_ref().map(|word| word.load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if before & 1 == 0 && self.sequence.load(Ordering::Relaxed) == before {
                return (Snapshot { tx, root, root_sequence, freelist, high_water, resident }, before);
            }
            spin_loop();
        }
    }

    /// Whether nothing has been published since `sequence` was read.
    #[inline]
    pub(crate) fn unchanged(&self, sequence: u64) -> bool {
        self.sequence.load(Ordering::Relaxed) == sequence
    }

    /// Replaces the snapshot. Only one may call this at a time: who writes a unit of the redo log, or the holder of the writer
    /// lock when no commit waits for the log.
    pub(crate) fn publish(&self, snapshot: Snapshot) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        assert_eq!(sequence & 1, 0, "one state is published at a time");
        let [tx, ..] = &self.words;
        assert!(tx.load(Ordering::Relaxed) < snapshot.tx, "readers see states in the order of the transactions");
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        for (word, value) in self.words.iter().zip(words(snapshot)) {
            word.store(value, Ordering::Relaxed);
        }
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }
}

const fn words(s: Snapshot) -> [u64; 6] {
    [s.tx, s.root, s.root_sequence, s.freelist, s.high_water, s.resident]
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test may fail by panicking")]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn readers_never_see_a_mixture() {
        // A reader that is late, or waits for a processor, is to meet many states all the same; but not for ever.
        const STATES: u32 = 20_000;
        const PATIENCE: Duration = Duration::from_secs(1);
        let at = |n: u64| Snapshot {
            tx: n,
            root: n * 3,
            root_sequence: n * 5,
            freelist: n * 7,
            high_water: n * 11,
            resident: n % 3,
        };
        let published = Published::new(at(0));
        std::thread::scope(|scope| {
            let reader = || {
                let (began, mut newest, mut states) = (Instant::now(), 0, 0);
                while states < STATES && began.elapsed() < PATIENCE {
                    let (seen, _) = published.read();
                    assert_eq!(seen, at(seen.tx));
                    assert!(seen.tx >= newest, "time runs backwards");
                    states += u32::from(seen.tx > newest);
                    newest = seen.tx;
                }
            };
            let readers = [scope.spawn(reader), scope.spawn(reader)];
            for n in 1.. {
                published.publish(at(n));
                if readers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                    break;
                }
            }
        });
    }
}
