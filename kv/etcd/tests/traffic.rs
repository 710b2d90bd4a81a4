//! What writes of many callers take, and what a compaction beside them costs: `KV_BUDGET=push` compacts a million
//! revisions. Figures are printed and not judged: the machine has other work, too.

#[macro_use]
extern crate kv_testkit;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kv_etcd::mvcc::{CompactRequest, Options, PutRequest, Store};
use kv_testkit::budget::Budget;

const CALLERS: usize = 50;

/// What the puts of all callers took, in microseconds, while `during` ran; and how long that was.
fn beside<T>(store: &Store, during: impl FnOnce() -> T) -> (Vec<u64>, Duration) {
    let (over, all) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (over, all) = (&over, &all);
            scope.spawn(move || {
                let (mut mine, mut n) = (Vec::new(), 0);
                while !over.load(Ordering::Relaxed) {
                    let put = PutRequest::new(format!("traffic/{caller}/{}", n % 1000), vec![7; 256]);
                    let began = Instant::now();
                    store.put(put).expect("a put");
                    mine.push(u64::try_from(began.elapsed().as_micros()).expect("it is soon"));
                    n += 1;
                }
                all.lock().expect("no panic").extend(mine);
            });
        }
        during();
        over.store(true, Ordering::Relaxed);
    });
    let mut all = all.into_inner().expect("no panic");
    all.sort_unstable();
    (all, began.elapsed())
}

fn told(name: &str, (all, time): &(Vec<u64>, Duration), commits: u64) -> String {
    let at = |percent: usize| all[(all.len() * percent / 100).min(all.len() - 1)];
    let rate = u128::try_from(all.len()).expect("small") * 1000 / time.as_millis().max(1);
    format!(
        "{name} {rate} puts/s, p50 {} us, p99 {} us, {} a commit",
        at(50),
        at(99),
        all.len() as u64 / commits.max(1)
    )
}

#[test]
fn a_compaction_beside_traffic() {
    let revisions: u64 = *Budget::of_this_run().of(&[20_000, 1_000_000, 1_000_000, 1_000_000]);
    let seconds = *Budget::of_this_run().of(&[1, 10, 10, 10]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("db");
    let engine = kv::Options::new().no_sync(true);
    let store = Store::open(&path, Options::new().engine(engine).max_waiting(usize::MAX)).expect("it opens");
    let (tell, hear) = channel();
    for n in 0..revisions {
        let tell = (n + 1 == revisions).then(|| tell.clone());
        store.submit(PutRequest::new(format!("old/{}", n % 10_000), vec![5; 100]), move |answer| {
            answer.expect("a put");
            if let Some(tell) = tell {
                tell.send(()).expect("somebody waits");
            }
        });
    }
    hear.recv().expect("the last is done");
    drop(store);

    let store = Arc::new(Store::open(&path, Options::new()).expect("it opens"));
    let commits = || store.status().commits;
    let start = commits();
    let alone = beside(&store, || std::thread::sleep(Duration::from_secs(seconds)));
    let between = commits();
    let revision = store.revision();
    let compacted =
        beside(&store, || store.compact(CompactRequest { revision, physical: true }).expect("a compaction"));
    assert_eq!(store.compact_revision(), revision);
    println!(
        "\netcd layer, {CALLERS} callers: {}; {}; the compaction of {revision} revisions took {:.1} s",
        told("alone", &alone, between - start),
        told("beside a compaction", &compacted, commits() - between),
        compacted.1.as_secs_f64()
    );
}
