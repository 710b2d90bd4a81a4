//! Power cuts while the log of the free space moves on: many small commits in a file with many free pages, so that
//! changes go from the meta to log pages, bits and index are written in their turn, and old log pages are used again.

use std::sync::Arc;

use kv::{Db, FreelistOrigin, FreelistSync, PageId, PageKind};
use kv_testkit::Random;
use kv_testkit::budget::seed;
use kv_testkit::figure::Figure;
use kv_testkit::program::Settings;
use pagefile_std::MemStore;
use pagefile_std::sim::SimOptions;

use crate::budget::Goals;
use crate::config::{Base, CONFIGS, Changes, PAGE_SIZE, deletes, filled, puts};
use crate::judge::{Judge, strategy};
use crate::run::Run;

fn config() -> Settings {
    let log = |config: &&Settings| config.freelist_sync == FreelistSync::Log;
    *CONFIGS.iter().find(log).expect("one writes a log")
}

/// A file of which every other leaf is free, if it is not in one piece.
fn fragmented(keys: usize) -> Base {
    let thinned: Vec<Changes> = (0..keys).step_by(2).map(|key| deletes("a", key, 1)).collect();
    Base::of(config(), &[vec![filled(keys, 700)], vec![thinned.concat()]].concat(), false)
}

#[test]
fn the_log_is_whole_wherever_it_is_cut() {
    let goal = Goals::of_this_run().second_order / 4;
    let figure = Figure::new("states of the free-space log opened", goal);
    let base = fragmented(96);
    figure.each(Judge::new, |judge, number| {
        let before = judge.opened;
        let mut random = Random::of(seed(), number);
        let mut run = Run::on(config(), &base, SimOptions::default());
        run.open().expect("a whole file opens");
        let strategy = strategy(4, 4, seed() ^ number);
        for commit in 0..100 {
            if random.one_in(12) {
                run.close().expect("nothing fails");
                run.kill();
                run.open().expect("a whole file opens");
            }
            let (key, len) = (random.below(96), [20, 700, 1500][random.below(3)]);
            let count = if random.one_in(3) { 12.min(96 - key) } else { 1 };
            // A value that is there already changes nothing.
            let changes = if random.one_in(3) { deletes("a", key, count) } else { puts("a", key, count, len + commit) };
            let moments = run.step(|run| run.commit(&changes).expect("nothing fails")).1;
            for moment in moments {
                let judged = judge.some(config(), &moment, &strategy, 2);
                judged.unwrap_or_else(|wrong| panic!("an image after commit {commit} {wrong}"));
            }
            match random.below(12) {
                0 => run.hold(),
                1 => run.release(),
                _ => {}
            }
        }
        run.release();
        run.close().expect("nothing fails");
        judge.opened - before
    });
    figure.tell("");
}

/// A page of the log that holds something else now: the page that was there before, as if the disk had lost the write, or
/// the page of another time, or a flipped bit. Nothing is lost by it, and the next commit begins a log.
#[test]
fn a_page_of_the_log_that_is_another_loses_nothing() {
    let store = Arc::new(MemStore::with_bytes(&fragmented(96).bytes));
    let open = |store: Arc<MemStore>| config().options().open_store(Box::new(store)).expect("it opens");
    let db = open(Arc::clone(&store));
    let (mut older, page) = (Vec::new(), PAGE_SIZE as usize);
    let commit = |db: &Db, number: u8| {
        db.update(|tx| tx.bucket_mut("a")?.put([b'n', number % 16], [number; 700])).expect("memory does not fail");
    };
    for number in 0..120_u8 {
        commit(&db, number);
        if number % 10 == 0 {
            older.push(store.snapshot());
        }
    }
    let bytes = store.snapshot();
    let content = dump(&db.begin_read());
    let map = db.begin_read().page_map().expect("it is whole");
    let log: Vec<usize> = map.iter().filter(|info| info.kind == PageKind::SpaceLog).map(|info| at(info.id)).collect();
    assert!(log.len() > 2, "index, bits and changes");
    drop(db);
    for number in log {
        let place = number * page..(number + 1) * page;
        let other = older.iter().map(|older| older[place.clone()].to_vec());
        let flipped = (0..page).step_by(41).map(|at| {
            let mut flipped = bytes[place.clone()].to_vec();
            flipped[at] ^= 1;
            flipped
        });
        for image in other.chain(flipped).filter(|image| *image != bytes[place.clone()]) {
            let mut wrong = bytes.clone();
            wrong[place.clone()].copy_from_slice(&image);
            let store = Arc::new(MemStore::with_bytes(&wrong));
            let db = open(Arc::clone(&store));
            assert!(matches!(db.stats().freelist, FreelistOrigin::LogLost(_)), "page {number}");
            (0..30).for_each(|number| commit(&db, 100 + number % 20));
            drop(db);
            let db = open(store);
            assert_eq!(db.stats().freelist, FreelistOrigin::Logged, "page {number}");
            assert_eq!(db.begin_read().check().expect("no error"), [], "page {number}");
            let kept = dump(&db.begin_read());
            let same = |line: &&String| !line.starts_with('n');
            assert!(kept.iter().filter(same).eq(content.iter().filter(same)), "page {number}");
        }
    }
}

fn at(page: PageId) -> usize {
    usize::try_from(page.get()).expect("a page of a file in memory")
}

/// Keys and values of the bucket, a line each.
fn dump(tx: &kv::ReadTx<'_>) -> Vec<String> {
    let line = |item: kv::Result<(&[u8], &[u8])>| {
        let (key, value) = item.expect("it is whole");
        format!("{} = {:?}", key.escape_ascii(), value)
    };
    tx.bucket("a").expect("it is there").iter().map(line).collect()
}
