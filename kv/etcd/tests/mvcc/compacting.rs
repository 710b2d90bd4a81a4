//! A compaction takes what nobody needs any more, and nothing else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kv_etcd::mvcc::{
    CompactRequest, Error, Options, PutRequest, RangeRequest, RequestOp, Store, Tombstones, TxnRequest,
};

use crate::{Bench, delete, get, put};

/// Keys of one transaction. A walk over so many lets a compaction in between several times.
const KEYS: usize = 10_000;

/// Puts every key anew, in one revision, which it returns.
fn put_all(store: &Store) -> i64 {
    let put = |n| RequestOp::Put(PutRequest::new(format!("{n:05}"), "v"));
    let txn = TxnRequest { success: (0..KEYS).map(put).collect(), ..TxnRequest::default() };
    store.txn(txn).expect("a transaction").revision
}

/// A read at a revision finds all that was there, or is refused because the revision is compacted: never a part.
#[test]
fn a_read_is_whole_or_refused_while_its_revision_is_compacted() {
    let bench = Bench::with(Options::new().max_txn_ops(KEYS).compaction_pause(Duration::ZERO));
    let store = bench.open();
    put_all(&store);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = || {
            let mut whole = 0;
            while !done.load(Ordering::Acquire) {
                // The one that is about to be compacted.
                let revision = store.status().revision.max(3) - 1;
                let request = RangeRequest { revision, count_only: true, ..RangeRequest::prefix("") };
                match store.range(request) {
                    Ok(answer) => {
                        assert_eq!(answer.count, KEYS as i64, "at revision {revision}");
                        whole += 1;
                    }
                    Err(Error::Compacted | Error::FutureRevision) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            whole
        };
        let readers: Vec<_> = (0..2).map(|_| scope.spawn(reader)).collect();
        for _ in 0..20 {
            let revision = put_all(&store);
            store.compact(CompactRequest { revision, physical: true }).expect("a compaction");
        }
        done.store(true, Ordering::Release);
        let whole: u32 = readers.into_iter().map(|reader| reader.join().expect("a reader")).sum();
        assert!(whole > 0, "some reads were in time");
    });
}

/// A compaction can take the newest row of the file. Its revision is not given to another write all the same.
#[test]
fn the_revision_of_a_row_that_is_gone_is_not_used_again() {
    for tombstones in [Tombstones::KeepAtCompactRev, Tombstones::DropAtCompactRev] {
        let bench = Bench::with(Options::new().tombstones(tombstones));
        let store = bench.open();
        put(&store, "a", "1");
        let deleted = delete(&store, "a");
        store.compact(CompactRequest { revision: deleted, physical: true }).expect("a compaction");
        let rows = store.begin_read().bucket("key").expect("a bucket").iter().count();
        assert_eq!(rows, usize::from(tombstones == Tombstones::KeepAtCompactRev));
        store.close().expect("it closes");
        let store = bench.open();
        assert_eq!((store.status().revision, store.compact_revision()), (deleted, deleted));
        assert_eq!(put(&store, "b", "2"), deleted + 1);
        assert_eq!((get(&store, "a", 0), get(&store, "b", 0).as_deref()), (None, Some("2")));
    }
}
