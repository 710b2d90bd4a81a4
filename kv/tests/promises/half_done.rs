//! Changes and commits that fail in the middle: what is built on them afterwards.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use kv::{Db, Error, Options};

use crate::stores::{Fragile, dump_of_bytes, file, with_bytes};

const PAGE: usize = 1024;

fn options() -> Options {
    Options::new().page_size(PAGE as u32)
}

fn fill(db: &Db) {
    db.update(|tx| {
        let mut outer = tx.create_bucket("A")?;
        for name in ["a", "z"] {
            let mut nested = outer.create_bucket(name)?;
            for n in 0..300_u32 {
                nested.put(n.to_le_bytes(), [7; 100])?;
            }
        }
        tx.create_bucket("B")?.put("k", "v")
    })
    .unwrap();
}

/// A file in which the last leaf of the bucket A/a says that it is no page.
fn damaged() -> Vec<u8> {
    let mut root = 0;
    let mut bytes = file(&options(), |db| {
        fill(db);
        root = db.view(|tx| Ok(tx.bucket("A")?.bucket("a")?.root_page().get() as usize)).unwrap();
    });
    let at = root * PAGE;
    let count = usize::from(u16::from_le_bytes([bytes[at + 10], bytes[at + 11]]));
    let child = at + 16 + (count - 1) * 16 + 8;
    let child = u64::from_le_bytes(bytes[child..child + 8].try_into().unwrap()) as usize;
    bytes[child * PAGE + 8] = 0xEE;
    bytes
}

#[test]
fn a_transaction_whose_change_met_damage_is_not_committed() {
    let bytes = damaged();
    let db = with_bytes(&bytes, &options()).unwrap();
    let mut tx = db.begin_write().unwrap();
    let mut outer = tx.bucket_mut("A").unwrap();
    outer.bucket_mut("a").unwrap().put(0_u32.to_le_bytes(), "x").unwrap();
    outer.bucket_mut("z").unwrap().put(0_u32.to_le_bytes(), "x").unwrap();
    assert!(matches!(tx.delete_bucket("A"), Err(Error::Corrupt { .. })));
    let cause = match tx.commit() {
        Err(Error::NotCommitted { cause }) => *cause,
        other => panic!("committed by half: {other:?}"),
    };
    assert!(matches!(cause, Error::Corrupt { .. }), "{cause}");

    // The transaction after it does not meet the damage, and is as good as any.
    db.update(|tx| tx.bucket_mut("B")?.put("k", vec![1; 5000])).unwrap();
    let tx = db.begin_read();
    assert_eq!(tx.bucket("A").unwrap().bucket("z").unwrap().iter().count(), 300);
    assert_eq!(tx.bucket("B").unwrap().get("k").unwrap(), Some(&[1; 5000][..]));
}

#[test]
fn closing_after_another_transaction_failed_writes_nothing() {
    let bytes = file(&options(), fill);
    // A commit grows the file, writes, syncs, writes its meta and syncs: each of these fails once, then none.
    for nth in 1..10 {
        let store = Fragile::new(&bytes, 0);
        let db = options().open_store(Box::new(Arc::clone(&store))).unwrap();
        db.update(|tx| tx.bucket_mut("B")?.put("k", "w")).unwrap();
        let mut tx = db.begin_write_owned().unwrap();
        for n in 0..300_u32 {
            tx.bucket_mut("B").unwrap().put(n.to_le_bytes(), [7; 100]).unwrap();
        }
        let closer = thread::spawn(move || db.close());
        // Time for the other thread to begin to wait; without it the test shows less, and does not fail.
        thread::sleep(Duration::from_millis(20));
        store.fail(nth);
        let committed = tx.commit();
        let closed = closer.join().expect("closing does not panic");
        // Of the two the first one that fails poisons the store.
        assert!(committed.is_ok() || closed.is_ok(), "{committed:?} {closed:?}");
        let state = dump_of_bytes(&store.inner.snapshot());
        assert!(committed.is_err() || state.len() > 900, "{nth}: what was committed is there");
    }
}
