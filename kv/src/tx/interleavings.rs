//! Readers, the writer and batches: every order that the memory model allows for the steps of a few threads, as long as
//! a thread is not interrupted more than two or three times where it need not be. That is enough to show nearly every
//! known bug (Musuvathi and Qadeer, "Iterative context bounding", PLDI 2007). `cargo interleavings` runs it; with
//! `KV_BUDGET=nightly` the two largest models, of millions of orders, are interrupted once more, too.
//!
//! Here the content of a page is an atomic, read and written without any memory order, so that only the order which the
//! code under test makes keeps a reader from seeing the wrong thing.
#![cfg(test)]

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use loom::model::Builder;
use loom::thread;

use super::published::{Published, Snapshot};
use super::readers::Readers;
use super::redo::{Commit, LogQueue, Sink};
use crate::format::LogStart;
use crate::store::sync::AtomicU64;
use crate::store::{Ring, Unit};
use crate::{Db, Error, Options};

/// Runs `program` in every order with so many preemptions, and says how many those were.
fn model(preemptions: usize, program: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    let orders = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&orders);
    builder.check(move || {
        count.fetch_add(1, Relaxed);
        program();
    });
    println!("{} orders, at most {preemptions} preemptions", orders.load(Relaxed));
}

/// `preemptions` if there is time, and one less on a push.
fn in_time(preemptions: usize) -> usize {
    let budget = std::env::var("KV_BUDGET").unwrap_or_default();
    if ["nightly", "release"].contains(&&*budget) { preemptions } else { preemptions - 1 }
}

/// A thread of the model with a stack that the engine fits into.
fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::Builder::new().stack_size(1 << 17).spawn(work).expect("a thread of the model is no thread of the system")
}

fn at(tx: u64) -> Snapshot {
    Snapshot { tx, root: tx * 3, root_sequence: tx * 5, freelist: tx * 7, high_water: tx * 11, resident: tx % 3 }
}

/// A database of two pages: states take turns in them, each beginning where the state before the last one was.
struct Pages {
    readers: Readers,
    published: Published,
    pages: [AtomicU64; 2],
}

const OVERWRITTEN: u64 = u64::MAX;

impl Pages {
    fn new() -> Arc<Self> {
        let pages = [AtomicU64::new(OVERWRITTEN), AtomicU64::new(1)];
        let (readers, published) = (Readers::new(), Published::new(at(1)));
        // The table grows by std's `OnceLock`, whose order the model does not see: so it is long enough from the start.
        for (ticket, _) in [0, 1].map(|_| readers.enter(&published)) {
            readers.leave(ticket);
        }
        Arc::new(Self { readers, published, pages })
    }

    fn page(&self, tx: u64) -> &AtomicU64 {
        &self.pages[usize::try_from(tx % 2).unwrap()]
    }

    /// Reads one page of the newest state, and returns that state.
    fn read(&self) -> u64 {
        let (ticket, snapshot) = self.readers.enter(&self.published);
        assert_eq!(snapshot, at(snapshot.tx), "a mixture of states");
        assert_eq!(self.page(snapshot.tx).load(Relaxed), snapshot.tx, "a page that is not of the state");
        thread::yield_now();
        assert_eq!(self.page(snapshot.tx).load(Relaxed), snapshot.tx, "a page was used again under its reader");
        self.readers.leave(ticket);
        snapshot.tx
    }

    /// Commits state `tx`, then uses the page of the state before again if nobody sees that any more.
    fn commit(&self, tx: u64) -> bool {
        self.page(tx).store(tx, Relaxed);
        self.published.publish(at(tx));
        let mut seen = Vec::new();
        self.readers.seen(&mut seen);
        let free = seen.iter().all(|seen| seen.get() >= tx);
        if free {
            self.page(tx - 1).store(OVERWRITTEN, Relaxed);
        }
        free
    }
}

#[test]
fn no_page_is_used_again_under_a_reader() {
    model(3, || {
        let pages = Pages::new();
        let reader = spawn({
            let pages = Arc::clone(&pages);
            move || pages.read()
        });
        pages.commit(2);
        reader.join().unwrap();
        assert_eq!(pages.readers.counts(), (3, 0));
    });
}

#[test]
fn time_does_not_run_backwards() {
    model(in_time(2), || {
        let pages = Pages::new();
        let reader = spawn({
            let pages = Arc::clone(&pages);
            move || (pages.read(), pages.read())
        });
        if pages.commit(2) {
            pages.commit(3);
        }
        let (first, second) = reader.join().unwrap();
        assert!(first <= second);
    });
}

#[test]
fn readers_that_want_one_place_get_two() {
    model(3, || {
        let pages = Pages::new();
        let readers = [0, 1].map(|_| {
            let pages = Arc::clone(&pages);
            spawn(move || pages.read())
        });
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 1);
        }
        assert!(pages.commit(2), "an entry is still taken");
        assert_eq!(pages.readers.counts(), (4, 0));
    });
}

/// What commits that share writes have done: who writes takes a unit, and nobody else does meanwhile.
struct Written {
    log: LogQueue,
    published: Published,
    writing: AtomicU64,
    /// The newest transaction on the disk.
    durable: AtomicU64,
}

impl Sink for Written {
    fn write(&self, _: &Unit) -> crate::Result<()> {
        assert_eq!(self.writing.fetch_add(1, Relaxed), 0, "two units are written at once");
        thread::yield_now();
        self.writing.fetch_sub(1, Relaxed);
        Ok(())
    }

    fn show(&self, _: &Unit, commits: Vec<Commit>) {
        for commit in commits {
            assert_eq!(self.durable.fetch_add(1, Relaxed) + 1, commit.tx, "a commit is passed over");
            self.published.publish(at(commit.tx));
        }
    }
}

impl Written {
    fn new() -> Arc<Self> {
        let start = LogStart { first_page: 2, pages: 32, epoch: 5, position: 0, chain: 5 };
        let (writing, durable) = (AtomicU64::new(0), AtomicU64::new(1));
        let written = Self { log: LogQueue::new(), published: Published::new(at(1)), writing, durable };
        written.log.begin(Ring::new(start, 1024));
        Arc::new(written)
    }

    /// Queues the next commit, and does `then` before another one can. Returns its number.
    fn push(&self, writer: &loom::sync::Mutex<u64>, then: impl FnOnce()) -> u64 {
        let mut next = writer.lock().unwrap();
        self.log.push(&[1; 20], Commit { tx: *next, bytes: 20, news: None }).unwrap();
        then();
        *next += 1;
        *next - 1
    }

    fn wait(&self, tx: u64) {
        self.log.wait(tx, self).unwrap();
        assert!(self.durable.load(Relaxed) >= tx, "it returned before it was durable");
        assert!(self.published.read().0.tx >= tx, "it returned before it was visible");
    }
}

/// Each of these commits waits for itself, and none waits for ever.
#[test]
fn commits_that_share_a_write_return_when_it_is_done() {
    model(3, || {
        let (written, writer) = (Written::new(), Arc::new(loom::sync::Mutex::new(2)));
        let threads = [0, 1].map(|_| {
            let (written, writer) = (Arc::clone(&written), Arc::clone(&writer));
            spawn(move || {
                let tx = written.push(&writer, || ());
                written.wait(tx);
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(written.durable.load(Relaxed), 3);
        assert!(written.log.drain(&*written).is_ok(), "nothing waits");
    });
}

/// A checkpoint that begins behind one commit, while another thread commits before it or after it.
#[test]
fn a_checkpoint_ends_in_the_log_where_its_state_does() {
    model(3, || {
        let (written, writer) = (Written::new(), Arc::new(loom::sync::Mutex::new(2)));
        let other = spawn({
            let (written, writer) = (Arc::clone(&written), Arc::clone(&writer));
            move || {
                let tx = written.push(&writer, || ());
                written.wait(tx);
            }
        });
        let state = written.push(&writer, || written.log.mark());
        written.wait(state);
        written.log.wait_for_write().unwrap();
        assert!(written.log.marked().is_some(), "what is durable has its end in the log");
        written.log.release_marked();
        other.join().unwrap();
        assert_eq!(written.log.has_units(), state == 2, "what came later is left in the log, and nothing else");
    });
}

/// A model of the engine, on a thread with a stack that is large enough.
fn engine(preemptions: usize, program: fn(Arc<Db>)) {
    model(preemptions, move || spawn(move || program(Arc::new(store()))).join().unwrap());
}

fn store() -> Db {
    // What readers remember of pages has a model of its own, in `store::heads`.
    let options = Options::new().page_size(1024).read_cache(0).clone();
    let db = options.open_store(Box::new(pagefile_std::MemStore::new())).unwrap();
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    db
}

fn numbers(db: &Db) -> Vec<u8> {
    db.view(|tx| {
        let bucket = tx.bucket("b")?;
        let mut found = Vec::new();
        for item in bucket.iter() {
            found.push(item?.0[0]);
        }
        Ok(found)
    })
    .unwrap()
}

#[test]
fn everyone_in_a_batch_is_served_once() {
    engine(2, |db| {
        let callers = [1_u8, 2, 3].map(|number| {
            let db = Arc::clone(&db);
            spawn(move || {
                db.batch(move |tx| {
                    let mut bucket = tx.bucket_mut("b")?;
                    assert!(bucket.get([number])?.is_none(), "a batch ran twice");
                    bucket.put([number], [])?;
                    Ok(number)
                })
            })
        });
        let answers = callers.map(|caller| caller.join().unwrap().unwrap());
        assert_eq!(answers, [1, 2, 3]);
        assert_eq!(numbers(&db), [1, 2, 3]);
    });
}

#[test]
fn one_that_fails_in_a_batch_fails_alone() {
    engine(2, |db| {
        let callers = [1_u8, 2].map(|number| {
            let db = Arc::clone(&db);
            spawn(move || {
                db.batch(move |tx| {
                    tx.bucket_mut("b")?.put([number], [])?;
                    if number == 1 { Err(Error::KeyRequired) } else { Ok(()) }
                })
            })
        });
        let [failed, went_through] = callers.map(|caller| caller.join().unwrap());
        assert!(matches!(failed, Err(Error::KeyRequired)));
        went_through.unwrap();
        assert_eq!(numbers(&db), [2]);
    });
}

#[test]
fn a_reader_beside_the_writer_sees_whole_states() {
    engine(in_time(2), |db| {
        let reader = spawn({
            let db = Arc::clone(&db);
            move || numbers(&db)
        });
        for pair in [[1_u8, 2], [3, 4]] {
            db.update(|tx| {
                let mut bucket = tx.bucket_mut("b")?;
                pair.iter().try_for_each(|number| bucket.put([*number], [0; 300]))
            })
            .unwrap();
        }
        let seen = reader.join().unwrap();
        assert!([&[][..], &[1, 2], &[1, 2, 3, 4]].contains(&&*seen), "half a commit: {seen:?}");
    });
}
