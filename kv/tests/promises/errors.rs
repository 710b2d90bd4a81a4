//! Every error that a user can meet says what is wrong and what to do about it.

use std::io;

use kv::{Db, Error, Options};

use crate::stores::{Field, Fragile, file, in_memory, newest_meta, set_field, with_bytes};

/// The error, after a look at its text and those of its causes: they contain `cause` and `remedy`.
fn says<T: std::fmt::Debug>(result: Result<T, Error>, cause: &str, remedy: &str) -> Error {
    let error = result.expect_err("an error was planted");
    let text = chain(&error);
    assert!(text.contains(cause), "no {cause:?} in {text:?}");
    assert!(text.contains(remedy), "no {remedy:?} in {text:?}");
    assert!(!text.contains("`kv ") && !text.contains("--"), "a command line in {text:?}");
    error
}

/// The texts of an error and of its causes: `a: b: c`. None repeats another.
fn chain(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    match error.source() {
        None => text,
        Some(cause) => {
            assert!(!text.contains(&cause.to_string()), "{text:?} repeats {cause}");
            format!("{text}: {}", chain(cause))
        }
    }
}

fn small() -> Vec<u8> {
    file(&Options::new(), |db| db.update(|tx| tx.create_bucket("b")?.put("k", vec![1; 3000])).unwrap())
}

#[test]
fn of_names_and_keys() {
    let (db, _) = in_memory(&Options::new());
    let mut tx = db.begin_write().unwrap();
    let mut bucket = tx.create_bucket("b").unwrap();
    bucket.put("key", "v").unwrap();
    bucket.create_bucket("nested").unwrap();

    assert!(matches!(says(bucket.put("", ""), "at least one byte", "needs"), Error::KeyRequired));
    assert!(matches!(says(bucket.put(vec![0; 40_000], ""), "40000 bytes", "at most 32768"), Error::KeyTooLarge { .. }));
    assert!(matches!(
        says(bucket.create_bucket(vec![0; 40_000]), "a bucket name of 40000 bytes", "at most 32768"),
        Error::BucketNameTooLarge { .. }
    ));
    assert!(matches!(
        says(bucket.put("nested", "v"), "\"nested\" is a bucket", "another name"),
        Error::IncompatibleValue { is_bucket: true, .. }
    ));
    assert!(matches!(
        says(bucket.delete("nested"), "\"nested\" is a bucket", "another name"),
        Error::IncompatibleValue { is_bucket: true, .. }
    ));
    for result in [
        bucket.bucket("key").map(|_| ()),
        bucket.bucket_mut("key").map(|_| ()),
        bucket.create_bucket("key").map(|_| ()),
        bucket.create_bucket_if_absent("key").map(|_| ()),
        bucket.delete_bucket("key"),
    ] {
        let error = says(result, "\"key\" is a key, not a bucket", "delete it first");
        assert!(matches!(error, Error::IncompatibleValue { is_bucket: false, .. }));
    }
    assert!(matches!(says(tx.create_bucket(""), "name", "at least one byte"), Error::BucketNameRequired));
    assert!(matches!(
        says(tx.create_bucket("b"), "\"b\" exists", "create_bucket_if_absent"),
        Error::BucketExists { .. }
    ));
    assert!(matches!(says(tx.bucket("c"), "no bucket \"c\"", "create it first"), Error::BucketNotFound { .. }));
    assert!(matches!(says(tx.bucket_mut([0xFF]), "no bucket 0xff", "create it"), Error::BucketNotFound { .. }));
    assert!(matches!(says(tx.delete_bucket("x".repeat(99)), "xx\"... (99 bytes)", ""), Error::BucketNotFound { .. }));
    let stale = tx.bucket_mut("b").unwrap().bucket_mut("nested").unwrap().handle();
    tx.bucket_mut("b").unwrap().delete_bucket("nested").unwrap();
    let deleted = says(tx.put(stale, "k", "v"), "was deleted in this transaction", "the bucket that is there now");
    assert!(matches!(deleted, Error::StaleHandle { deleted: true }));
    tx.bucket_mut("b").unwrap().create_bucket("nested").unwrap();
    let (another, _) = in_memory(&Options::new());
    let foreign = says(another.begin_write().unwrap().put(stale, "k", "v"), "another transaction", "take its handle");
    assert!(matches!(foreign, Error::StaleHandle { deleted: false }));
    let into_itself: [&[u8]; 2] = [b"b", b"nested"];
    for to in [&into_itself[..0], &into_itself[..1], &into_itself] {
        assert!(matches!(says(tx.move_bucket("b", &[], to), "the same bucket", "inside"), Error::SameBuckets));
    }
    assert!(matches!(tx.move_bucket("key", &[b"b"], &[]), Err(Error::IncompatibleValue { is_bucket: false, .. })));
}

#[test]
fn of_files_that_are_no_databases() {
    let bytes = small();
    let open = |change: fn(&mut [u8])| {
        let mut bytes = bytes.clone();
        change(&mut bytes[..4096]);
        change(&mut bytes[4096..8192]);
        with_bytes(&bytes, &Options::new())
    };
    assert!(matches!(says(open(|meta| meta[16] ^= 1), "no bbolt database", "check the path"), Error::NotADatabase));
    let swapped = open(|meta| meta[16..80].chunks_exact_mut(4).for_each(<[u8]>::reverse));
    assert!(matches!(says(swapped, "other byte order", "copy its keys and values"), Error::ByteSwapped));
    let newer = says(open(|meta| meta[20] = 3), "version 3", "program that wrote it");
    assert!(matches!(newer, Error::VersionMismatch { found: 3 }));
    let sum = says(open(|meta| meta[72] ^= 1), "checksum", "restore a backup");
    assert!(matches!(sum, Error::ChecksumMismatch));
    let cut = says(with_bytes(&bytes[..3 * 4096], &Options::new()), "truncated", "lengthen a copy");
    assert!(
        matches!(cut, Error::Truncated { found: 12288, expected, older_fits: false } if expected as usize == bytes.len())
    );
    // Where the last transaction has made the file longer, the state before it may be whole.
    let mut older = bytes[..3 * 4096].to_vec();
    let newest = newest_meta(&bytes, 4096);
    set_field(&mut older, 4096 - newest, Field::HighWater, 3);
    set_field(&mut older, 4096 - newest, Field::Root, 2);
    let cut = says(with_bytes(&older, &Options::new()), "truncated", "RawFile::revert_meta");
    assert!(matches!(cut, Error::Truncated { older_fits: true, .. }));
    let root = says(open(|meta| set_field(meta, 0, Field::Root, 1 << 40)), "root page", "restore a backup");
    assert!(matches!(root, Error::Corrupt { page, .. } if page.get() < 2));
}

#[test]
fn of_damaged_pages() {
    let mut bytes = small();
    let page = {
        let db = with_bytes(&bytes, &Options::new().read_only(true)).unwrap();
        db.begin_read().bucket("b").unwrap().root_page()
    };
    bytes[page.get() as usize * 4096 + 8] = 0x40;
    let db = with_bytes(&bytes, &Options::new()).unwrap();
    let tx = db.begin_read();
    let error = says(tx.bucket("b").unwrap().get("k"), "flags name no kind", "restore a backup");
    assert!(matches!(error, Error::Corrupt { page: found, .. } if found == page));
    assert!(error.to_string().contains(&format!("page {page}")));
    // The rest of the file can be read and written.
    db.update(|tx| tx.create_bucket("other")?.put("k", "v")).unwrap();
}

#[test]
fn of_options_and_modes() {
    let option = says(Options::new().page_size(1000).open("never"), "`page_size` cannot be 1000", "power of two");
    assert!(matches!(option, Error::InvalidOption { .. }));

    let db = with_bytes(&small(), &Options::new().read_only(true)).unwrap();
    assert!(db.is_read_only());
    assert!(matches!(says(db.begin_write(), "read-only", "without `read_only`"), Error::ReadOnly));
    let batch: Result<(), Error> = db.batch(|_| Ok(()));
    assert!(matches!(says(batch, "read-only", "without `read_only`"), Error::ReadOnly));
    db.close().unwrap();

    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing.db");
    let error = says(Options::new().create(false).open(&missing), "missing.db does not exist", "check the path");
    assert!(matches!(error, Error::Store(_)) && !missing.exists());
    assert!(Options::new().read_only(true).open(&missing).is_err() && !missing.exists());
    says(Db::open(dir.path()), "cannot open", "");
}

#[test]
fn of_commits_that_cannot_be() {
    let (db, _) = in_memory(&Options::new().max_size(64 * 1024));
    let refused = says(
        db.update(|tx| tx.create_bucket("b")?.put("k", vec![0; 100_000])),
        "the limit is 65536",
        "raise `max_size`",
    );
    assert!(
        matches!(refused, Error::NotCommitted { cause } if matches!(*cause, Error::MaxSizeReached { limit: 65536, .. }))
    );

    // Two keys out of order in a page that the transaction does not change: a strict commit notices before anybody sees
    // the new state.
    let mut bytes = file(&Options::new(), |db| {
        let value = vec![1; 1500];
        db.update(|tx| {
            let mut bucket = tx.create_bucket("b")?;
            bucket.put("k", &value)?;
            bucket.put("l", &value)
        })
        .unwrap();
    });
    let leaf =
        with_bytes(&bytes, &Options::new().read_only(true)).unwrap().begin_read().bucket("b").unwrap().root_page();
    bytes[leaf.get() as usize * 4096 + 16 + 2 * 16] = b'z';
    let db = with_bytes(&bytes, &Options::new().strict(true)).unwrap();
    let refused = says(db.update(|tx| tx.create_bucket("d").map(|_| ())), "inconsistent", "report");
    assert!(matches!(refused, Error::NotCommitted { cause } if matches!(*cause, Error::Inconsistent { .. })));
    assert!(db.begin_read().get_bucket("d").unwrap().is_none());
}

/// A failed commit hands on what failed, down to what the disk said.
#[test]
fn of_a_disk_that_fails() {
    let store = Fragile::new(&small(), 0);
    let db = Options::new().open_store(Box::new(std::sync::Arc::clone(&store))).unwrap();
    store.fail(1);
    let error =
        says(db.update(|tx| tx.create_bucket("c").map(|_| ())), "not committed, the database is unchanged: ", "");
    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    let last = causes.last().unwrap();
    assert!(last.is::<io::Error>() && last.to_string().contains("planted"), "{last}");
}

#[test]
fn of_copies() {
    struct Full(usize);
    impl io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let db = with_bytes(&small(), &Options::new()).unwrap();
    for room in [0, 4096, 10_000] {
        let error = says(db.begin_read().write_to(&mut Full(room)), "cannot write the copy: ", "");
        assert!(std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<io::Error>));
        assert!(matches!(error, Error::Stream { source, .. } if source.kind() == io::ErrorKind::StorageFull));
    }
}
