//! One page in two places of a lying file: no write takes it from either, and what is there can still be read.

use kv::{Db, Error, FreelistSync, Options, WriteTx};

use crate::stores::{Field, NO_FREELIST, dump_of, file, newest_meta, set_field, with_bytes, word};

const PAGE: usize = 1024;

fn number(bytes: &[u8], at: usize, len: usize) -> usize {
    bytes[at..at + len].iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte))
}

/// Buckets `a` and `b` with a page each, `large` with a value over several pages, `tree` with a branch, and so many
/// others that the list of buckets has several leaves, the first of which has `a` and `b`.
fn sound() -> Vec<u8> {
    file(&Options::new().page_size(PAGE as u32).freelist_sync(FreelistSync::OnClose), |db| {
        db.update(|tx| {
            for name in ["a", "b", "z"] {
                tx.create_bucket(name)?.put(name, vec![b'v'; 600])?;
            }
            tx.create_bucket("large")?.put("large", vec![b'v'; 3000])?;
            for n in 0..60 {
                tx.create_bucket(format!("m{n}"))?.put("small", "inline")?;
            }
            let mut tree = tx.create_bucket("tree")?;
            (0..100).try_for_each(|n| tree.put(key(n), [b'v'; 40]))
        })
        .unwrap();
    })
}

fn key(n: u32) -> String {
    format!("key-{n:03}")
}

/// The page at which a bucket begins.
fn root(bytes: &[u8], name: &str) -> usize {
    let db = with_bytes(bytes, &Options::new().read_only(true)).unwrap();
    let tx = db.begin_read();
    usize::try_from(tx.bucket(name).unwrap().root_page().get()).unwrap()
}

/// Lets bucket `name` begin at `page`.
fn redirect(bytes: &mut [u8], name: &str, page: usize) {
    let pattern = [name.as_bytes(), &(root(bytes, name) as u64).to_le_bytes()].concat();
    let places: Vec<usize> = (2 * PAGE..bytes.len() - 16).filter(|&at| bytes[at..].starts_with(&pattern)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at + name.len()..][..8].copy_from_slice(&(page as u64).to_le_bytes());
    }
}

/// Lets the file have no list of free pages: a walk over all trees has to find them.
fn without_list(bytes: &mut [u8]) {
    let newest = newest_meta(bytes, PAGE);
    set_field(bytes, newest, Field::Freelist, NO_FREELIST);
    assert_eq!(word(bytes, newest + Field::Freelist as usize), NO_FREELIST);
}

fn cause(error: Error) -> Error {
    match error {
        Error::NotCommitted { cause } => *cause,
        other => other,
    }
}

/// The damage that `change` is refused for. Nothing is lost by it, and the handle goes on reading.
fn refused(bytes: &[u8], change: impl FnOnce(&mut WriteTx<'_>) -> Result<(), Error>) -> Error {
    let reader = with_bytes(bytes, &Options::new().read_only(true)).unwrap();
    let before = dump_of(&reader);
    let db = match with_bytes(bytes, &Options::new()) {
        Ok(db) => db,
        Err(error) => return error,
    };
    let error = db.update(change).expect_err("a page in two places is not changed");
    assert_eq!(dump_of(&db), before);
    cause(error)
}

#[track_caller]
fn names(error: &Error, page: usize, places: &[&str]) {
    let text = error.to_string();
    assert!(matches!(error, Error::Corrupt { page: found, .. } if found.get() == page as u64), "page {page}: {text}");
    assert!(places.iter().all(|place| text.contains(place)), "{places:?}: {text}");
}

type Change = fn(&mut WriteTx<'_>) -> Result<(), Error>;

#[test]
fn neither_of_two_buckets_with_one_root_is_changed() {
    let mut bytes = sound();
    let page = root(&bytes, "a");
    redirect(&mut bytes, "b", page);
    let changes: [Change; 6] = [
        |tx| tx.bucket_mut("a")?.put("new", "1"),
        |tx| tx.bucket_mut("b")?.put("new", "1"),
        |tx| tx.bucket_mut("a")?.delete("a").map(drop),
        |tx| tx.delete_bucket("b"),
        |tx| tx.move_bucket("a", &[], &[b"z"]),
        |tx| tx.bucket_mut("b")?.set_sequence(7),
    ];
    for change in changes {
        names(&refused(&bytes, change), page, &["\"a\"", "\"b\"", "two places"]);
    }
}

#[test]
fn a_walk_finds_buckets_with_one_root_wherever_they_are() {
    let mut bytes = sound();
    let page = root(&bytes, "a");
    redirect(&mut bytes, "z", page);
    without_list(&mut bytes);
    let changes: [Change; 2] = [|tx| tx.bucket_mut("a")?.put("n", "1"), |tx| tx.bucket_mut("z")?.put("n", "1")];
    for change in changes {
        names(&refused(&bytes, change), page, &["\"a\"", "\"z\"", "two places"]);
    }
}

#[test]
fn a_walk_names_both_branches_of_a_shared_page() {
    let mut bytes = sound();
    let branch = root(&bytes, "tree");
    let child = |index: usize| branch * PAGE + 16 + index * 16 + 8;
    let (first, at) = (number(&bytes, child(0), 8), child(1));
    redirect(&mut bytes, "z", first);
    without_list(&mut bytes);
    let error = refused(&bytes, |tx| tx.bucket_mut("a")?.put("n", "1"));
    names(&error, first, &[&format!("page {branch}"), "the bucket \"z\""]);

    let mut circle = sound();
    circle[at..at + 8].copy_from_slice(&(branch as u64).to_le_bytes());
    without_list(&mut circle);
    let error = with_bytes(&circle, &Options::new()).and_then(|db| db.update(|tx| tx.delete_bucket("a"))).unwrap_err();
    names(&cause(error), branch, &[&format!("by page {branch};"), "the bucket \"tree\""]);
}

/// Bucket `z` begins where something else is, and the transaction changes both; the free pages are listed, so no walk
/// has looked.
#[test]
fn a_transaction_that_meets_a_page_twice_is_refused() {
    let mut one_root = sound();
    let page = root(&one_root, "a");
    redirect(&mut one_root, "z", page);
    for (first, second) in [("a", "z"), ("z", "a")] {
        let error = refused(&one_root, |tx| {
            tx.bucket_mut(first)?.put("n", "1")?;
            // An error that the caller does not heed.
            assert!(matches!(tx.bucket_mut(second), Err(Error::Corrupt { .. })));
            Ok(())
        });
        names(&error, page, &["\"a\"", "\"z\"", "two places"]);
    }
    let error = refused(&one_root, |tx| {
        tx.delete_bucket("a")?;
        tx.bucket_mut("z")?.put("n", "1")
    });
    names(&error, page, &["\"z\"", "deleted"]);

    let mut inside = sound();
    let leaf = number(&inside, root(&inside, "tree") * PAGE + 16 + 8, 8);
    redirect(&mut inside, "z", leaf);
    let changes: [Change; 4] = [
        |tx| {
            tx.bucket_mut("tree")?.put(key(0), "1")?;
            tx.bucket_mut("z")?.put(key(1), "1")
        },
        |tx| {
            tx.bucket_mut("z")?.put(key(1), "1")?;
            tx.bucket_mut("tree")?.put(key(0), "1")
        },
        |tx| {
            tx.bucket_mut("z")?;
            tx.bucket_mut("tree")?.put(key(0), "1")
        },
        |tx| {
            tx.bucket_mut("z")?.put(key(1), "1")?;
            tx.delete_bucket("tree")
        },
    ];
    for change in changes {
        names(&refused(&inside, change), leaf, &["two places"]);
    }

    // An overflow page of a large value that is also a leaf.
    let mut overflow = sound();
    let page = root(&overflow, "large") + 1;
    overflow.copy_within(root(&sound(), "z") * PAGE..(root(&sound(), "z") + 1) * PAGE, page * PAGE);
    overflow[page * PAGE..page * PAGE + 8].copy_from_slice(&(page as u64).to_le_bytes());
    redirect(&mut overflow, "z", page);
    let changes: [Change; 2] = [
        |tx| {
            tx.bucket_mut("large")?.put("large", "small now")?;
            tx.bucket_mut("z")?.put("n", "1")
        },
        |tx| {
            tx.bucket_mut("z")?.put("n", "1")?;
            tx.bucket_mut("large")?.put("large", "small now")
        },
    ];
    for change in changes {
        let error = refused(&overflow, change);
        let Error::Corrupt { page: named, .. } = error else { panic!("{error}") };
        assert!(named.get() == page as u64 || named.get() == page as u64 - 1, "{error}");
    }
}

/// What is beside the shared page can be changed as ever.
#[test]
fn a_sound_file_is_not_suspected() {
    let db: Db = with_bytes(&sound(), &Options::new().strict(true)).unwrap();
    db.update(|tx| {
        for name in ["a", "b", "z", "tree", "large"] {
            tx.bucket_mut(name)?.put("new", vec![1; 500])?;
        }
        tx.delete_bucket("b")?;
        tx.create_bucket("b")?.put("again", vec![1; 500])?;
        tx.move_bucket("a", &[], &[b"tree"])?;
        tx.bucket_mut("tree")?.bucket_mut("a")?.put("moved", "1")
    })
    .unwrap();
    assert_eq!(db.begin_read().check().unwrap(), []);
}
