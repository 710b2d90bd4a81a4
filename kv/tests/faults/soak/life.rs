//! The child: writers, readers and long readers at one file, until somebody kills it or the file may not grow.
//!
//! | it says | |
//! | --- | --- |
//! | `done WRITER NUMBER` | the commit has returned |
//! | `refused WRITER NUMBER` | the commit certainly did not happen: the file may not grow |
//! | `snapshot`, `held` | one more was verified, once or at the begin and the end of a long time |
//! | `shrunk PAGES` | pages that were moved from the end of the file |
//! | `written BYTES LENGTH` | bytes that all commits have written, and the file's length |

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Scope, scope, sleep};
use std::time::{Duration, Instant};

use kv::{Db, Durability, Error, FreelistKind, FreelistSync, Options, ReadTx, Result, Shrunk};
use kv_testkit::Random;
use kv_testkit::budget::{number, seed};

use super::content::{make, read_all};
use super::oracle::{Oracle, Tally};
use crate::child::say;

/// Writers; the first ones commit alone, the others in batches.
pub(super) const WRITERS: u8 = 6;
const ALONE: u8 = 2;

/// One life in so many has a redo log.
const LIVES_A_LOG: u64 = 3;

const SHORT_READERS: u64 = 2;
const LONG_READERS: u64 = 2;

/// The longest that a reader holds its snapshot.
const HELD_MAX_MS: u64 = 8000;

/// The number of the life, the last transaction of each writer before it, and whether the file may not grow for ever.
pub(super) const LIFE: &str = "KV_SOAK_LIFE";
pub(super) const BEFORE: &str = "KV_SOAK_BEFORE";
pub(super) const LIMITED: &str = "KV_SOAK_LIMITED";

/// What a writer of this life has done.
struct Progress {
    acknowledged: AtomicU64,
    /// What each of its transactions leaves, from the last one before this life on: recorded before the commit.
    begun: Mutex<Vec<(u64, Tally)>>,
}

struct Life {
    db: Db,
    number: u64,
    may_fill: bool,
    writers: Vec<Progress>,
    full: AtomicBool,
}

/// Lives until it is killed; returns if the file may not grow.
pub(super) fn live(path: &Path) {
    die_with_the_first_panic();
    let life = number(LIFE, 0);
    let oracles: Vec<Oracle> = std::env::var(BEFORE)
        .unwrap()
        .split(',')
        .zip(0..)
        .map(|(number, writer)| Oracle::after(seed(), writer, number.parse().unwrap()))
        .collect();
    let may_fill = number(LIMITED, 0) == 1;
    // A file with a redo log needs room to open.
    let has_log = !may_fill && life % LIVES_A_LOG == LIVES_A_LOG - 1;
    let options = options(&mut Random::of(seed(), life), has_log);
    let started = |oracle: &Oracle| Progress {
        acknowledged: oracle.number.into(),
        begun: Mutex::new(vec![(oracle.number, oracle.tally)]),
    };
    let life = Life {
        db: options.open(path).expect("it opens, however it was left"),
        number: life,
        may_fill,
        writers: oracles.iter().map(started).collect(),
        full: AtomicBool::new(false),
    };
    life.verify(&life.db.begin_read());
    scope(|scope| life.work(scope, oracles));
    life.reopen(path, &options);
}

/// One thread alone cannot end the process otherwise.
fn die_with_the_first_panic() {
    std::panic::set_hook(Box::new(|panic| {
        say(panic);
        std::process::exit(101);
    }));
}

/// What opens the file differs from life to life.
fn options(random: &mut Random, has_log: bool) -> Options {
    let options = Options::new()
        .freelist(*random.pick(&[FreelistKind::SpanMaps, FreelistKind::SortedArray]))
        .freelist_sync(*random.pick(&[FreelistSync::OnClose, FreelistSync::Every, FreelistSync::Log]))
        .shrink(*random.pick(&[0, 4, 64]))
        // A kill does not lose what the kernel has, synced or not.
        .no_sync(random.one_in(3));
    // Without memory transactions write pages before their commit.
    let options = if random.one_in(3) { options.write_memory(64 << 10) } else { options };
    // Without a reserve the map moves as the file grows.
    let options = if random.one_in(3) { options.reserve(0) } else { options };
    if has_log {
        // So small that there are checkpoints all the time.
        options.durability(Durability::Log).log_size(256 << 10).log_memory(2 << 20).shrink(0).no_sync(false)
    } else {
        options
    }
}

impl Life {
    fn work<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, oracles: Vec<Oracle>) {
        let writers: Vec<_> = oracles.into_iter().map(|oracle| scope.spawn(move || self.write(oracle))).collect();
        for reader in 0..SHORT_READERS {
            scope.spawn(move || self.read_shortly(self.random(100 + reader)));
        }
        for reader in 0..LONG_READERS {
            scope.spawn(move || self.read_long(self.random(200 + reader)));
        }
        scope.spawn(move || self.shrink(self.random(300)));
        scope.spawn(|| self.report());
        for writer in writers {
            writer.join().expect("a panic ends the process");
        }
        self.full.store(true, Ordering::Relaxed);
    }

    /// The random numbers of one of the threads of this life.
    fn random(&self, thread: u64) -> Random {
        Random::of(seed() ^ thread << 32, self.number)
    }

    /// Commits without end, or until the file may not grow.
    fn write(&self, mut oracle: Oracle) {
        let (writer, progress) = (oracle.writer, &self.writers[usize::from(oracle.writer)]);
        loop {
            let changes = oracle.next_changes();
            let number = oracle.number;
            progress.begun.lock().unwrap().push((number, oracle.tally));
            let committed: Result<()> = if writer < ALONE {
                self.db.update(|tx| make(tx, seed(), writer, number, &changes))
            } else {
                self.db.batch(move |tx| make(tx, seed(), writer, number, &changes))
            };
            match committed {
                Ok(()) => progress.acknowledged.store(number, Ordering::SeqCst),
                Err(Error::NotCommitted { .. } | Error::Poisoned) if self.may_fill => {
                    return say(format!("refused {writer} {number}"));
                }
                Err(error) => panic!("transaction {number} of writer {writer}: {error}"),
            }
            say(format!("done {writer} {number}"));
        }
    }

    fn read_shortly(&self, mut random: Random) {
        let mut newest = vec![0; self.writers.len()];
        while !self.full.load(Ordering::Relaxed) {
            let found = self.begin_and_verify().1;
            assert!(found.iter().zip(&newest).all(|(now, before)| now >= before), "{newest:?}, and then {found:?}");
            newest = found;
            say("snapshot");
            sleep(Duration::from_millis(random.below_u64(20)));
        }
    }

    fn read_long(&self, mut random: Random) {
        while !self.full.load(Ordering::Relaxed) {
            let (tx, at_first) = self.begin_and_verify();
            // More of them are held for a short while than for a long one.
            let held_ms = random.below_u64(HELD_MAX_MS);
            let end = Instant::now() + Duration::from_millis(random.below_u64(held_ms));
            while Instant::now() < end && !self.full.load(Ordering::Relaxed) {
                sleep(Duration::from_millis(10));
            }
            assert_eq!(self.verify(&tx), at_first, "a snapshot is what it was");
            say("held");
        }
    }

    /// Makes the file shorter, now and then.
    fn shrink(&self, mut random: Random) {
        while !self.full.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(random.below_u64(400)));
            let enough = |_: &Shrunk| {
                if self.full.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            match self.db.shrink(enough) {
                Ok(shrunk) => say(format!("shrunk {}", shrunk.pages_moved)),
                Err(Error::NotCommitted { .. } | Error::Poisoned) if self.may_fill => return,
                Err(error) => panic!("shrinking: {error}"),
            }
        }
    }

    /// A new reader sees what was acknowledged before it began, and nothing that was not begun.
    fn begin_and_verify(&self) -> (ReadTx<'_>, Vec<u64>) {
        let acknowledged = self.writers.iter().map(|writer| writer.acknowledged.load(Ordering::SeqCst));
        let acknowledged: Vec<u64> = acknowledged.collect();
        let tx = self.db.begin_read();
        let found = self.verify(&tx);
        assert!(found.iter().zip(&acknowledged).all(|(found, least)| found >= least), "{found:?}: {acknowledged:?}");
        (tx, found)
    }

    /// Reads the whole snapshot; every writer's keys are those after one of its transactions, which it returns.
    fn verify(&self, tx: &ReadTx<'_>) -> Vec<u64> {
        let found = read_all(tx, seed(), WRITERS);
        for ((number, tally), (writer, progress)) in found.iter().zip(self.writers.iter().enumerate()) {
            let begun = progress.begun.lock().unwrap();
            let known = number.checked_sub(begun[0].0).and_then(|after| begun.get(after as usize));
            let Some((_, expected)) = known else {
                panic!("writer {writer} is seen at {number}, and has begun {:?}", begun.last());
            };
            assert_eq!(tally, expected, "writer {writer}, transaction {number}");
        }
        found.into_iter().map(|(number, _)| number).collect()
    }

    fn report(&self) {
        while !self.full.load(Ordering::Relaxed) {
            say(format!("written {} {}", self.db.stats().tx.bytes, self.db.file_len()));
            sleep(Duration::from_millis(50));
        }
    }

    /// Reads went on, and it opens again, full as the disk still is.
    fn reopen(self, path: &Path, options: &Options) {
        let acknowledged: Vec<u64> =
            self.writers.iter().map(|writer| writer.acknowledged.load(Ordering::SeqCst)).collect();
        assert_eq!(self.verify(&self.db.begin_read()), acknowledged);
        let Self { db, writers, .. } = self;
        drop(db);
        let db = options.open(path).expect("it opens, full as the disk is");
        let again = Self { db, number: 0, may_fill: true, writers, full: AtomicBool::new(true) };
        assert_eq!(again.verify(&again.db.begin_read()), acknowledged);
        assert_eq!(again.db.begin_read().check().unwrap(), []);
    }
}
