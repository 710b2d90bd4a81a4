//! What an option says is what happens.

use std::sync::Arc;

use kv::{Db, Error, FreelistSync, Options};

use crate::stores::{Fragile, dump_of, dump_of_bytes, file, in_memory};

#[test]
#[cfg(unix)]
fn a_new_file_has_the_mode_that_was_asked_for() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let [plain, shared] = ["plain", "shared"].map(|name| dir.path().join(name));
    drop(Db::open(&plain).unwrap());
    // A bit that no usual umask takes from the owner, and one that the owner lacks by default.
    drop(Options::new().mode(0o700).open(&shared).unwrap());
    assert_eq!((mode(&plain), mode(&shared)), (0o600, 0o700));
    // A file that is there keeps its own.
    drop(Options::new().mode(0o644).open(&plain).unwrap());
    assert_eq!(mode(&plain), 0o600);
}

#[test]
fn max_size_stops_a_commit_and_changes_nothing() {
    const LIMIT: u64 = 64 * 1024;
    for strict in [false, true] {
        let (db, store) = in_memory(&Options::new().page_size(1024).max_size(LIMIT).strict(strict));
        db.update(|tx| tx.create_bucket("b")?.put("first", vec![1; 10_000])).unwrap();
        for _ in 0..3 {
            let (lines, stats) = (dump_of(&db), db.stats());
            let refused = db.update(|tx| tx.bucket_mut("b")?.put("large", vec![2; 60_000])).unwrap_err();
            let Error::NotCommitted { cause } = refused else { panic!("{refused}") };
            let Error::MaxSizeReached { needed, limit } = *cause else { panic!("{cause}") };
            assert!(needed > LIMIT && limit == LIMIT);
            assert_eq!(dump_of(&db), lines);
            assert_eq!(db.stats().free_pages + db.stats().pending_pages, stats.free_pages + stats.pending_pages);
            assert_eq!(dump_of_bytes(&store.snapshot()), lines);
            // A smaller one finds room, and so on for ever: nothing has leaked.
            db.update(|tx| tx.bucket_mut("b")?.put("first", vec![3; 10_000])).unwrap();
        }
        for n in 0..200u8 {
            db.update(|tx| tx.bucket_mut("b")?.put("first", vec![n; 10_000])).unwrap();
        }
        assert!(db.begin_read().size() <= LIMIT);
        assert_eq!(db.begin_read().check().unwrap(), []);
    }
}

#[test]
fn max_size_is_a_limit_to_the_byte() {
    // 4 pages at first; the transaction needs as many as it needs, and that is exactly allowed.
    let fill = |db: &Db| db.update(|tx| tx.create_bucket("b")?.put("k", vec![1; 5000]));
    let options = |sync| Options::new().page_size(1024).freelist_sync(sync);
    let (free, _) = in_memory(&options(FreelistSync::OnClose));
    fill(&free).unwrap();
    let needed = free.begin_read().size();
    // A log of the free space takes no room that the data needs.
    for sync in [FreelistSync::OnClose, FreelistSync::Log] {
        let (db, _) = in_memory(&options(sync).max_size(needed));
        fill(&db).unwrap();
        let (db, _) = in_memory(&options(sync).max_size(needed - 1));
        assert!(matches!(fill(&db), Err(Error::NotCommitted { .. })));
    }
}

#[test]
fn initial_size_makes_the_file_so_long_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let db = Options::new().initial_size(3 << 20).open(&path).unwrap();
    let len = db.file_len();
    assert!(len >= 3 << 20);
    db.update(|tx| tx.create_bucket("b")?.put("k", vec![1; 2 << 20])).unwrap();
    assert_eq!(db.file_len(), len, "so it need not grow");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), len);
    drop(db);
    // A file is never made shorter by it, and read-only it does nothing.
    assert_eq!(Options::new().initial_size(1).open(&path).unwrap().file_len(), len);
    assert_eq!(Options::new().initial_size(1 << 30).read_only(true).open(&path).unwrap().file_len(), len);
}

#[test]
fn no_sync_syncs_when_told_to() {
    let bytes = file(&Options::new(), |db| db.update(|tx| tx.create_bucket("b").map(|_| ())).unwrap());
    let store = Fragile::new(&bytes, 0);
    let db = Options::new().no_sync(true).open_store(Box::new(Arc::clone(&store))).unwrap();
    let put = |value: &str| db.update(|tx| tx.bucket_mut("b")?.put("k", value)).unwrap();
    let syncs = || store.syncs.load(std::sync::atomic::Ordering::Relaxed);
    let opened = syncs();
    put("one");
    assert_eq!(syncs(), opened);
    db.sync().unwrap();
    assert_eq!(syncs(), opened + 1);
    db.set_no_sync(false);
    put("two");
    assert_eq!(syncs(), opened + 3, "pages, and the meta");
    db.set_no_sync(true);
    put("three");
    assert_eq!(syncs(), opened + 3);
    assert_eq!(dump_of_bytes(&store.inner.snapshot()), dump_of(&db));
}

#[test]
fn a_file_without_syncs_is_as_whole_as_any() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let db = Options::new().no_sync(true).no_grow_sync(true).open(&path).unwrap();
    for n in 0..50 {
        db.update(|tx| tx.create_bucket_if_absent("b")?.put(format!("{n}"), vec![1; 20_000])).unwrap();
    }
    let state = dump_of(&db);
    db.close().unwrap();
    assert_eq!(dump_of_bytes(&std::fs::read(&path).unwrap()), state);
}

#[test]
fn create_false_creates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    assert!(Options::new().create(false).open(&path).is_err() && !path.exists());
    Options::new().open(&path).unwrap();
    Options::new().create(false).open(&path).unwrap();
}

#[test]
#[cfg(unix)]
fn mlock_keeps_the_file_in_memory_where_the_system_allows_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    Db::open(&path).unwrap();
    match Options::new().mlock(true).open(&path) {
        Ok(db) => db.update(|tx| tx.create_bucket("b")?.put("k", vec![1; 10_000])).unwrap(),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("lock") && text.contains("or open it without mlock"), "{text}");
        }
    }
}

#[test]
fn strict_finds_nothing_wrong_with_ordinary_work() {
    let (db, _) = in_memory(&Options::new().page_size(1024).strict(true));
    for n in 0..100 {
        db.update(|tx| {
            let mut bucket = tx.create_bucket_if_absent(format!("b{}", n % 7))?;
            bucket.put(format!("{n}"), vec![1; n * 30])?;
            bucket.delete(format!("{}", n.saturating_sub(14))).map(|_| ())
        })
        .unwrap();
    }
}

#[test]
fn a_handle_tells_how_it_was_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let db = Options::new().page_size(2048).open(&path).unwrap();
    assert_eq!((db.path(), db.page_size(), db.is_read_only()), (Some(path.as_path()), 2048, false));
    let (db, _) = in_memory(&Options::new());
    assert_eq!((db.path(), db.page_size()), (None, 4096));
}
