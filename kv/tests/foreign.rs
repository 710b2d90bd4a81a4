//! A file written on any machine opens on every other.
//!
//! `fixtures/foreign-*.db` were written by `write` below on machines of other byte orders, widths, page sizes and
//! systems. Every target reads all of them, and goes on writing in a copy. `.ci/cross` has each target write the files
//! once more, into the directory that `KV_FOREIGN_WRITE` names, and compares them byte by byte.

#[macro_use]
extern crate kv_testkit;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kv::{Bucket, Error, Options};

/// Who wrote the fixtures.
const WRITERS: [&str; 6] = ["aarch64-16k", "armv7", "i686", "s390x", "windows", "x86_64"];
/// Bytes of a page, and how a file's name says it.
const PAGE_SIZES: [(u32, &str); 2] = [(1024, "1k"), (4096, "4k")];

const SEQUENCE: u64 = 0x0102_0304_0506_0708;

/// Of every bucket, by its path: sequence, keys and values.
type Content = BTreeMap<Vec<Vec<u8>>, (u64, BTreeMap<Vec<u8>, Vec<u8>>)>;

/// Keys whose bytes would sort otherwise as signed numbers, or as numbers of either byte order.
fn key(n: u64) -> [u8; 8] {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()
}

fn value(n: u64) -> String {
    "value ".repeat(usize::try_from(n % 7).unwrap()) + &n.to_string()
}

/// As many numbers as fill some leaves.
fn count(page_size: u32) -> u64 {
    u64::from(page_size / 40)
}

/// A value of two pages.
fn large(page_size: u32) -> Vec<u8> {
    (0..page_size + page_size / 2).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

/// Branches and leaves, an inline bucket, a value of several pages, free pages: in three transactions.
fn write(path: &Path, page_size: u32) -> Result<(), Error> {
    let db = Options::new().page_size(page_size).strict(true).open(path)?;
    db.update(|tx| {
        let mut numbers = tx.create_bucket("numbers")?;
        (0..count(page_size)).try_for_each(|n| numbers.put(key(n), value(n)))?;
        tx.create_bucket("gone")?.put("large", large(page_size))?;
        tx.create_bucket("kept")?.put("large", large(page_size))
    })?;
    db.update(|tx| {
        tx.delete_bucket("gone")?;
        let mut kept = tx.bucket_mut("kept")?;
        let mut inner = kept.create_bucket("inner")?;
        inner.set_sequence(SEQUENCE)?;
        inner.put("empty", "")
    })?;
    db.update(|tx| {
        let mut numbers = tx.bucket_mut("numbers")?;
        (0..count(page_size)).step_by(3).try_for_each(|n| numbers.delete(key(n)).map(drop))?;
        numbers.next_sequence().map(drop)
    })?;
    db.close()
}

fn expected(page_size: u32) -> Content {
    let numbers =
        (0..count(page_size)).filter(|n| n % 3 != 0).map(|n| (key(n).to_vec(), value(n).into_bytes())).collect();
    Content::from([
        (vec![], (0, BTreeMap::new())),
        (vec![b"numbers".to_vec()], (1, numbers)),
        (vec![b"kept".to_vec()], (0, BTreeMap::from([(b"large".to_vec(), large(page_size))]))),
        (vec![b"kept".to_vec(), b"inner".to_vec()], (SEQUENCE, BTreeMap::from([(b"empty".to_vec(), vec![])]))),
    ])
}

fn collect(bucket: &Bucket<'_>, path: &[Vec<u8>], content: &mut Content) -> Result<(), Error> {
    let mut pairs = BTreeMap::new();
    for item in bucket.items(..) {
        let (key, value) = item?;
        match value {
            Some(value) => assert!(pairs.insert(key.to_vec(), value.to_vec()).is_none(), "a key twice"),
            None => collect(&bucket.bucket(key)?, &[path, &[key.to_vec()]].concat(), content)?,
        }
        if value.is_some() {
            assert_eq!(bucket.get(key)?, value, "what the cursor shows is found");
        }
    }
    content.insert(path.to_vec(), (bucket.sequence(), pairs));
    Ok(())
}

/// Everything in the file, after its check.
fn read(path: &Path) -> Content {
    let db = Options::new().read_only(true).preload_freelist(true).open(path).unwrap();
    let tx = db.begin_read();
    assert_eq!(tx.check().unwrap(), [], "{}", path.display());
    let mut content = Content::new();
    collect(&tx.root(), &[], &mut content).unwrap();
    content
}

fn fixture(writer: &str, page: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("foreign-{writer}-{page}.db"))
}

/// Every fixture and the size of its pages.
fn fixtures() -> impl Iterator<Item = (PathBuf, u32)> {
    WRITERS.iter().flat_map(|writer| PAGE_SIZES.map(|(page_size, page)| (fixture(writer, page), page_size)))
}

#[test]
fn every_file_reads_the_same() {
    for (file, page_size) in fixtures() {
        let before = fs::read(&file).unwrap();
        assert_eq!(read(&file), expected(page_size), "{}", file.display());
        assert!(fs::read(&file).unwrap() == before, "{}: reading has changed the file", file.display());
    }
}

#[test]
fn all_machines_wrote_the_same_bytes() {
    for (_, page) in PAGE_SIZES {
        let [first, others @ ..] = WRITERS.map(|writer| fs::read(fixture(writer, page)).unwrap());
        assert!(others.iter().all(|bytes| *bytes == first), "pages of {page}");
    }
}

#[test]
fn every_file_can_be_written_on() {
    let directory = tempfile::tempdir().unwrap();
    for (file, page_size) in fixtures() {
        let copy = directory.path().join(file.file_name().unwrap());
        fs::copy(&file, &copy).unwrap();
        let db = Options::new().strict(true).open(&copy).unwrap();
        db.update(|tx| tx.bucket_mut("numbers")?.put("added", large(page_size))).unwrap();
        db.close().unwrap();

        let mut expected = expected(page_size);
        expected.get_mut(&vec![b"numbers".to_vec()]).unwrap().1.insert(b"added".to_vec(), large(page_size));
        assert_eq!(read(&copy), expected, "{}", file.display());
    }
}

#[test]
fn this_machine_writes_the_same_bytes_twice() {
    let directory = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("KV_FOREIGN_WRITE").map(PathBuf::from);
    for (page_size, page) in PAGE_SIZES {
        let paths = ["first", "second"].map(|name| directory.path().join(format!("{name}-{page}.db")));
        for path in &paths {
            write(path, page_size).unwrap();
            assert_eq!(read(path), expected(page_size));
        }
        let [first, second] = paths.map(|path| fs::read(path).unwrap());
        assert!(first == second, "pages of {page}");
        if let Some(kept) = &kept {
            fs::write(kept.join(format!("{page}.db")), first).unwrap();
        }
    }
}

/// A program of 32 bits cannot map a file of 2 GiB and more. It must say so, and must not have made the file longer
/// than it can open again.
#[test]
#[cfg(any(unix, target_pointer_width = "32"))] // Windows allocates what other systems leave as a hole.
fn a_file_over_2_gib_opens_or_is_refused_with_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("long.db");
    write(&path, 4096).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(3 << 30).unwrap();
    drop(file);
    match Options::new().open(&path) {
        Ok(db) => {
            assert_eq!(usize::BITS, 64);
            db.update(|tx| tx.bucket_mut("numbers")?.put("added", "")).unwrap();
        }
        Err(error) => {
            assert_eq!(usize::BITS, 32, "{error}");
            assert!(matches!(error, Error::Store(_)), "{error}");
            assert!(error.to_string().contains("use a 64-bit program"), "{error}");
        }
    }
}

#[test]
#[cfg(target_pointer_width = "32")]
fn a_growth_over_2_gib_is_refused_and_leaves_the_file_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("long.db");
    write(&path, 4096).unwrap();
    let len = fs::metadata(&path).unwrap().len();
    let error = Options::new().initial_size(3 << 30).open(&path).unwrap_err();
    assert!(error.to_string().contains("use a 64-bit program"), "{error}");
    assert_eq!(fs::metadata(&path).unwrap().len(), len);
    assert_eq!(read(&path), expected(4096));
}
