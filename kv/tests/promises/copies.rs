//! Backups and compaction: the copy equals the state it was made of, and the source is not touched.

use std::fs;

use kv::{Db, Error, Options, compact};
use kv_testkit::Random;

use crate::stores::{dump, dump_of, dump_of_bytes, in_memory, with_bytes};

fn fill(db: &Db) {
    let mut random = Random::new(30);
    for _ in 0..10 {
        db.update(|tx| {
            for _ in 0..40 {
                let mut bucket = tx.create_bucket_if_absent(format!("bucket {}", random.below(5)))?;
                bucket
                    .put(format!("key {:03}", random.below(300)), vec![random.below(256) as u8; random.below(500)])?;
                bucket.set_sequence(random.next_u64())?;
                let mut nested = bucket.create_bucket_if_absent("nested")?;
                nested.put(format!("{}", random.below(30)), vec![7; random.below(3000)])?;
                nested.next_sequence()?;
                nested.create_bucket_if_absent(format!("deep {}", random.below(3)))?.put("k", "v")?;
            }
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_copy_is_the_state_that_its_transaction_sees() {
    let (db, _) = in_memory(&Options::new().page_size(1024));
    fill(&db);
    let tx = db.begin_read();
    let lines = dump(&tx);
    // The writer goes on meanwhile, and uses free pages.
    for n in 0..50 {
        db.update(|tx| tx.bucket_mut("bucket 1")?.put(format!("later {n}"), vec![1; 2000])).unwrap();
    }
    let mut copy = Vec::new();
    let len = tx.write_to(&mut copy).unwrap();
    assert_eq!((copy.len() as u64, tx.size()), (len, len));
    assert_eq!(dump_of_bytes(&copy), lines);
    // It is a database like any other.
    let again = with_bytes(&copy, &Options::new().strict(true)).unwrap();
    again.update(|tx| tx.bucket_mut("bucket 1")?.put("after", "v")).unwrap();
    assert_eq!(dump_of(&again).len(), lines.len() + 1);
}

#[test]
fn a_copied_file_is_new_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (dir.path().join("source.db"), dir.path().join("target.db"));
    let db = Db::open(&source).unwrap();
    fill(&db);
    let before = fs::read(&source).unwrap();
    let tx = db.begin_read();
    let len = tx.copy_file(&target).unwrap();
    assert_eq!(fs::metadata(&target).unwrap().len(), len);
    assert_eq!(fs::read(&source).unwrap(), before, "the source is not touched");
    assert_eq!(dump_of(&Options::new().read_only(true).open(&target).unwrap()), dump(&tx));

    // What is there already stays, be it a database, a text, or the source itself.
    fs::write(dir.path().join("text"), "precious").unwrap();
    for taken in ["target.db", "text", "source.db"] {
        let path = dir.path().join(taken);
        let was = fs::read(&path).unwrap();
        let error = tx.copy_file(&path).unwrap_err();
        assert!(matches!(error, Error::Store(_)) && error.to_string().contains(taken), "{error}");
        assert_eq!(fs::read(&path).unwrap(), was);
    }
    assert!(tx.copy_file(dir.path().join("no such directory").join("target.db")).is_err());
    let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["source.db", "target.db", "text"], "nothing half-made is left");
}

/// Pages of branches and leaves.
fn live_pages(db: &Db) -> u64 {
    let stats = db.begin_read().root().stats().unwrap();
    (stats.branch_bytes + stats.leaf_bytes) / u64::from(db.page_size())
}

#[test]
#[cfg(unix)]
fn a_copied_file_has_the_permissions_of_its_source() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source.db");
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let db = Options::new().mode(0o600).open(&source).unwrap();
    for allowed in [0o640, 0o400, 0o600] {
        fs::set_permissions(&source, fs::Permissions::from_mode(allowed)).unwrap();
        let copy = dir.path().join(format!("{allowed:o}"));
        db.begin_read().copy_file(&copy).unwrap();
        assert_eq!(mode(copy), allowed);
    }
}

#[test]
fn a_compacted_file_has_everything_and_nothing_else() {
    let (db, store) = in_memory(&Options::new().page_size(1024));
    fill(&db);
    // Most of the file becomes free.
    db.update(|tx| {
        tx.delete_bucket("bucket 0")?;
        tx.delete_bucket("bucket 2")
    })
    .unwrap();
    let (lines, before) = (dump_of(&db), store.snapshot());
    for tx_max_bytes in [0, 1, 100, 10_000, u64::MAX] {
        for page_size in [1024, 16384] {
            let (target, _) = in_memory(&Options::new().page_size(page_size));
            let report = compact(&db, &target, tx_max_bytes).unwrap();
            assert_eq!(dump_of(&target), lines);
            assert_eq!(report.keys + report.buckets + 1, lines.len() as u64);
            assert_eq!(target.begin_read().check().unwrap(), []);
            if tx_max_bytes == 0 {
                assert_eq!(report.transactions, 1);
            }
            if page_size == 1024 && tx_max_bytes != 1 {
                let (dense, live) = (live_pages(&target), live_pages(&db));
                assert!(dense <= live, "{dense} pages in use, {live} in the source");
            }
        }
    }
    assert_eq!(store.snapshot(), before, "the source is not touched");
}

#[test]
fn compaction_reads_a_database_that_is_read_only() {
    let (db, store) = in_memory(&Options::new());
    fill(&db);
    let source = with_bytes(&store.snapshot(), &Options::new().read_only(true)).unwrap();
    let (target, _) = in_memory(&Options::new());
    compact(&source, &target, 4096).unwrap();
    assert_eq!(dump_of(&target), dump_of(&db));
    assert!(matches!(compact(&db, &source, 0), Err(Error::ReadOnly)));
}
