//! `batch`: one commit for many callers, and each gets its own answer.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kv::{Db, Error, Options};
use pagefile_std::sim::{Call, Fault, Plan, SimDisk};

use crate::stores::{Fragile, dump_of_bytes, file, in_memory};

const CALLERS: usize = 16;

#[derive(Debug)]
enum Failure {
    Mine(usize),
    Kv(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Kv(error)
    }
}

fn with_bucket() -> Db {
    let (db, _) = in_memory(&Options::new());
    db.update(|tx| tx.create_bucket("b").map(|_| ())).unwrap();
    db
}

/// Runs `call` in as many threads as there are callers while another writer keeps them waiting, so that they queue.
fn together<T: Send>(db: &Db, call: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let call = &call;
    let writer = db.begin_write().unwrap();
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|n| scope.spawn(move || call(n))).collect();
        std::thread::sleep(Duration::from_millis(100));
        drop(writer);
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    })
}

#[test]
fn many_callers_share_a_commit_and_each_gets_its_result() {
    let db = with_bucket();
    let before = db.stats().tx.commits;
    let results = together(&db, |n| {
        db.batch(move |tx| {
            let mut bucket = tx.bucket_mut("b")?;
            bucket.put(format!("{n}"), "v")?;
            Ok(n * 10)
        })
        .unwrap()
    });
    assert_eq!(results, (0..CALLERS).map(|n| n * 10).collect::<Vec<_>>());
    assert_eq!(db.begin_read().bucket("b").unwrap().iter().count(), CALLERS);
    let commits = db.stats().tx.commits - before;
    assert!(commits <= CALLERS as u64 / 2, "{commits} commits for {CALLERS} callers that were waiting");
}

#[test]
fn a_caller_that_fails_harms_nobody_and_gets_its_error() {
    let db = with_bucket();
    let runs = Arc::new(AtomicUsize::new(0));
    let results = together(&db, |n| {
        let runs = Arc::clone(&runs);
        db.try_batch(move |tx| {
            tx.bucket_mut("b")?.put(format!("{n}"), "v")?;
            if n % 4 == 0 {
                runs.fetch_add(1, Ordering::Relaxed);
                return Err(Failure::Mine(n));
            }
            Ok(n)
        })
    });
    for (n, result) in results.into_iter().enumerate() {
        match result {
            Ok(value) => assert!(n % 4 != 0 && value == n),
            Err(Failure::Mine(value)) => assert!(n % 4 == 0 && value == n),
            Err(Failure::Kv(error)) => panic!("{error}"),
        }
    }
    let tx = db.begin_read();
    for n in 0..CALLERS {
        assert_eq!(tx.bucket("b").unwrap().get(format!("{n}")).unwrap().is_some(), n % 4 != 0, "{n}");
    }
    assert!(runs.load(Ordering::Relaxed) > CALLERS / 4, "at least one was in company and had its turn alone");
}

#[test]
fn a_closure_that_fails_only_in_company_succeeds_alone() {
    let db = with_bucket();
    let mut turn = 0;
    let result = db.try_batch(move |tx| {
        turn += 1;
        tx.bucket_mut("b")?.put("k", format!("turn {turn}"))?;
        if turn == 1 { Err(Failure::Mine(turn)) } else { Ok(turn) }
    });
    assert!(matches!(result, Ok(2)));
    assert_eq!(db.begin_read().bucket("b").unwrap().get("k").unwrap(), Some(&b"turn 2"[..]));
}

#[test]
fn a_panic_belongs_to_the_caller_whose_closure_it_is() {
    let db = with_bucket();
    let results = together(&db, |n| {
        catch_unwind(AssertUnwindSafe(|| {
            db.batch(move |tx| {
                tx.bucket_mut("b")?.put(format!("{n}"), "v")?;
                if n == 3 {
                    resume_unwind(Box::new("the third"));
                }
                Ok(n)
            })
        }))
    });
    for (n, result) in results.into_iter().enumerate() {
        match result {
            Ok(value) => assert_eq!(value.unwrap(), n),
            Err(panic) => assert!(n == 3 && panic.downcast_ref() == Some(&"the third")),
        }
    }
    let tx = db.begin_read();
    assert_eq!(tx.bucket("b").unwrap().iter().count(), CALLERS - 1);
    assert_eq!(tx.bucket("b").unwrap().get("3").unwrap(), None);
    // The queue goes on.
    assert_eq!(db.batch(|_| Ok(5)).unwrap(), 5);
}

/// The first caller leads, so that its closure runs in its own call, with the others behind it.
#[test]
fn a_leader_whose_closure_panics_leads_to_the_end() {
    let db = with_bucket();
    let writer = db.begin_write().unwrap();
    let put = |n: usize| {
        db.batch(move |tx| {
            tx.bucket_mut("b")?.put(format!("{n}"), "v")?;
            if n == 0 {
                resume_unwind(Box::new("the leader's"));
            }
            Ok(n)
        })
    };
    std::thread::scope(|scope| {
        let leader = scope.spawn(|| catch_unwind(AssertUnwindSafe(|| put(0))));
        std::thread::sleep(Duration::from_millis(50));
        let followers: Vec<_> = (1..CALLERS).map(|n| scope.spawn(move || put(n))).collect();
        std::thread::sleep(Duration::from_millis(50));
        drop(writer);
        let panic = leader.join().unwrap().unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"the leader's"));
        for (follower, n) in followers.into_iter().zip(1..) {
            assert_eq!(follower.join().unwrap().unwrap(), n);
        }
    });
    assert_eq!(db.begin_read().bucket("b").unwrap().iter().count(), CALLERS - 1);
    assert_eq!(db.batch(|_| Ok(5)).unwrap(), 5, "the next batch has a leader");
}

/// A store of the user's own panics while the leader commits for all: in the middle of the engine, not of a closure.
#[test]
fn a_leader_that_panics_in_the_commit_leaves_nobody_waiting() {
    let bytes = file(&Options::new(), |db| db.update(|tx| tx.create_bucket("b").map(drop)).unwrap());
    for nth in 1..=4 {
        let store = Fragile::new(&bytes, 0);
        let db = Options::new().open_store(Box::new(Arc::clone(&store))).unwrap();
        store.panic(nth);
        let put = |n: usize| db.batch(move |tx| tx.bucket_mut("b")?.put(format!("{n}"), vec![1; 5000]));
        let results = together(&db, put);
        let unknown = |result: &Result<(), Error>| matches!(result, Err(Error::Unknown { .. }));
        assert!(results.iter().any(unknown), "change {nth}: {results:?}");
        let refused = |result: &Result<(), Error>| unknown(result) || matches!(result, Err(Error::Poisoned));
        assert!(results.iter().all(refused), "change {nth}: {results:?}");
        // What is half done is not built on.
        assert!(matches!(put(CALLERS), Err(Error::Poisoned)), "change {nth}");
        assert_eq!(db.begin_read().bucket("b").unwrap().iter().count(), 0, "change {nth}");
        drop(db);
        let state = dump_of_bytes(&store.inner.snapshot());
        let whole = state.len() == CALLERS + 2;
        assert!(whole || state.len() == 2, "change {nth}: all of the group or nothing: {}", state.len());
    }
}

#[test]
fn calls_of_one_caller_happen_in_their_order_and_see_those_before() {
    let db = with_bucket();
    std::thread::scope(|scope| {
        for caller in 0..4 {
            let db = &db;
            scope.spawn(move || {
                for n in 0..25u64 {
                    let before = db.batch(move |tx| {
                        let mut bucket = tx.bucket_mut("b")?;
                        let key = format!("caller {caller}");
                        let before = bucket.get(&key)?.map(<[u8]>::to_vec);
                        bucket.put(key, n.to_le_bytes())?;
                        bucket.next_sequence()?;
                        Ok(before)
                    });
                    assert_eq!(before.unwrap(), n.checked_sub(1).map(|n| n.to_le_bytes().to_vec()));
                }
            });
        }
    });
    assert_eq!(db.begin_read().bucket("b").unwrap().sequence(), 100, "each ran once in what was committed");
}

#[test]
fn a_commit_that_fails_fails_for_all_of_its_callers() {
    let bytes = file(&Options::new(), |db| db.update(|tx| tx.create_bucket("b").map(|_| ())).unwrap());
    for nth in 1..=4 {
        let store = Fragile::new(&bytes, 0);
        let db = Options::new().open_store(Box::new(Arc::clone(&store))).unwrap();
        store.fail(nth);
        let results = together(&db, |n| db.batch(move |tx| tx.bucket_mut("b")?.put(format!("{n}"), "v")));
        for result in results {
            let error = result.unwrap_err();
            let told = matches!(error, Error::Unknown { .. } | Error::NotCommitted { .. } | Error::Poisoned);
            assert!(told, "change {nth}: {error}");
        }
        assert_eq!(db.begin_read().bucket("b").unwrap().iter().count(), 0);
        dump_of_bytes(&store.inner.snapshot());
    }
}

/// Another try could do the same once more, so that nobody may make it but the caller.
#[test]
fn a_commit_of_which_it_is_unknown_is_not_tried_again() {
    let bytes = file(&Options::new(), |db| db.update(|tx| tx.create_bucket("b").map(drop)).unwrap());
    let disk = Arc::new(SimDisk::with_bytes(&bytes));
    let db = Options::new().open_store(Box::new(Arc::clone(&disk))).unwrap();
    // The first sync is that of the pages, the second that of the meta.
    disk.plan(Plan { call: Some(Call::Sync), nth: 2, fault: Fault::Io, for_ever: false });
    let runs: [AtomicUsize; CALLERS] = Default::default();
    let runs = Arc::new(runs);
    let results = together(&db, |n| {
        let runs = Arc::clone(&runs);
        db.batch(move |tx| {
            runs[n].fetch_add(1, Ordering::Relaxed);
            tx.bucket_mut("b")?.put(format!("{n}"), "v")
        })
    });
    for (n, result) in results.into_iter().enumerate() {
        let error = result.unwrap_err();
        match runs[n].load(Ordering::Relaxed) {
            // It came after the others: the handle writes no more.
            0 => assert!(matches!(error, Error::Poisoned), "caller {n}: {error}"),
            1 => assert!(matches!(error, Error::Unknown { .. }), "caller {n}: {error}"),
            more => panic!("caller {n} ran {more} times"),
        }
    }
    assert!(runs.iter().any(|runs| runs.load(Ordering::Relaxed) == 1));
    assert_eq!(db.begin_read().bucket("b").unwrap().iter().count(), 0, "nobody sees what may not have happened");
}

#[test]
fn a_transaction_too_large_for_all_is_tried_by_each_alone() {
    let bytes = file(&Options::new(), |db| db.update(|tx| tx.create_bucket("b").map(|_| ())).unwrap());
    let db = crate::stores::with_bytes(&bytes, &Options::new().max_size(400 * 1024)).unwrap();
    let results = together(&db, |n| db.batch(move |tx| tx.bucket_mut("b")?.put(format!("{n}"), vec![1; 60_000])));
    let done = results.iter().filter(|result| result.is_ok()).count();
    assert!((2..7).contains(&done), "as many as fit, not none: {done}");
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(error, Error::NotCommitted { .. }), "{error}");
    }
    assert_eq!(db.begin_read().bucket("b").unwrap().iter().count(), done);
}

#[test]
fn a_hook_that_panics_is_its_callers_own() {
    let db = Options::new().open_store(Box::new(pagefile_std::MemStore::new())).unwrap();
    db.update(|tx| tx.create_bucket("b").map(|_| ())).unwrap();
    let first = catch_unwind(AssertUnwindSafe(|| {
        db.batch(|tx| {
            tx.on_commit(|| panic!("the hook's own panic"));
            tx.bucket_mut("b")?.put("first", "")
        })
    }));
    assert!(first.is_err());
    db.batch(|tx| tx.bucket_mut("b")?.put("second", "")).unwrap();
    db.view(|tx| {
        assert_eq!(tx.bucket("b")?.iter().count(), 2, "both are committed");
        Ok(())
    })
    .unwrap();
}
