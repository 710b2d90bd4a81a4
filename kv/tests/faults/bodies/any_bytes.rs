//! Any bytes as a database: opened, checked, walked, read, written to.

use std::collections::HashSet;
use std::sync::Arc;

use kv::{Db, Error, FreelistKind, Options, ReadTx, Result, compact};
use pagefile_std::MemStore;

/// How far the bytes led.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// They are no database.
    Refused,
    /// They open, and are damaged: the check says so, or something could not be read.
    Damaged,
    /// Nothing is wrong with them that the format can show.
    Sound,
}

/// Does with these bytes whatever the library offers.
///
/// # Panics
/// If the library breaks a promise, or panics itself.
pub fn run(bytes: &[u8]) -> Outcome {
    let Ok(db) = Options::new().read_only(true).open_store(Box::new(MemStore::with_bytes(bytes))) else {
        assert!(bytes.is_empty() || writable(FreelistKind::SpanMaps, bytes).is_err(), "opens for writing only");
        return Outcome::Refused;
    };
    let sound = look(&db);
    drop(db);
    let loads =
        Options::new().read_only(true).preload_freelist(true).open_store(Box::new(MemStore::with_bytes(bytes))).is_ok();
    for kind in [FreelistKind::SpanMaps, FreelistKind::SortedArray] {
        let opened = writable(kind, bytes);
        assert_eq!(opened.is_ok(), loads, "the same free pages are read for writing and for reading");
        if let Ok((db, store)) = opened {
            let changed = change(&db);
            drop(db);
            // Damage may spread, but what becomes of a sound file is sound.
            let again = Options::new().read_only(true).open_store(Box::new(store));
            if sound {
                assert!(
                    changed.as_ref().err().is_none_or(is_beyond_the_check),
                    "a sound file takes changes: {changed:?}"
                );
                let again = again.expect("a sound file opens again");
                assert!(look(&again) || only_ids_are_short(&again), "a sound file stays sound");
            }
        }
    }
    if sound { Outcome::Sound } else { Outcome::Damaged }
}

/// The same bytes with magic number, version and checksum of both metas made right, for otherwise nearly everything is
/// refused at once. A page size is taken from the first meta.
#[must_use]
pub fn with_valid_metas(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let size = bytes.get(24..28).and_then(|size| size.try_into().ok()).map_or(0, u32::from_le_bytes);
    for at in [0, size as usize] {
        let Some(meta) = bytes.get_mut(at..).and_then(|page| page.get_mut(..80)) else { continue };
        meta[16..24].copy_from_slice(&[0xED, 0xDA, 0x0C, 0xED, 2, 0, 0, 0]);
        // FNV-1a, 64 bits.
        let sum = meta[16..72]
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |sum: u64, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        meta[72..].copy_from_slice(&sum.to_le_bytes());
    }
    bytes
}

fn writable(kind: FreelistKind, bytes: &[u8]) -> Result<(Db, Arc<MemStore>)> {
    let store = Arc::new(MemStore::with_bytes(bytes));
    let options = Options::new().page_size(1024).freelist(kind).max_size(bytes.len() as u64 + (1 << 20));
    Ok((options.open_store(Box::new(Arc::clone(&store)))?, store))
}

/// Whether it is an answer to what the check does not look at: names that no caller may use, such as a key too long.
fn is_beyond_the_check(error: &Error) -> bool {
    match error {
        Error::IncompatibleValue { .. }
        | Error::KeyRequired
        | Error::BucketNameRequired
        | Error::KeyTooLarge { .. } => true,
        Error::NotCommitted { cause } => is_beyond_the_check(cause),
        _ => false,
    }
}

/// Everything that only reads. True if the check has found nothing; then everything must go well.
fn look(db: &Db) -> bool {
    let tx = db.begin_read();
    let sound = tx.check().is_ok_and(|problems| problems.is_empty());
    let read = [
        ("the items", items(&tx, sound)),
        ("the buckets", tx.inspect().map(|_| ())),
        ("the figures", tx.root().stats().map(|_| ())),
        ("the pages", tx.page_map().map(|_| ())),
        ("a backup", tx.write_to(&mut std::io::sink()).map(|_| ())),
        ("a dense copy", dense_copy(db, tx.size())),
    ];
    for (what, read) in read {
        assert!(
            !sound || read.as_ref().err().is_none_or(is_beyond_the_check),
            "the check found nothing, but {what}: {read:?}"
        );
    }
    sound
}

/// Whether nothing is wrong but that the changes have used up the last transaction ids which the check allows.
fn only_ids_are_short(db: &Db) -> bool {
    let problems = db.begin_read().check();
    problems.is_ok_and(|problems| problems.iter().all(|problem| problem.what == "transaction ids are nearly used up"))
}

/// Into memory, and not without a limit: damage may make more of a file than there is in it.
fn dense_copy(db: &Db, size: u64) -> Result<()> {
    let options = Options::new().page_size(1024).max_size(8 * size + (1 << 20));
    compact(db, &options.open_store(Box::new(MemStore::new()))?, 1 << 16).map(|_| ())
}

/// Reads every key and value from both ends, and looks for each. Ends where a bucket comes again.
fn items(tx: &ReadTx<'_>, sound: bool) -> Result<()> {
    let (mut seen, mut waiting) = (HashSet::new(), vec![tx.root()]);
    while let Some(bucket) = waiting.pop() {
        if bucket.root_page().get() != 0 && !seen.insert(bucket.root_page()) {
            return Err(Error::Corrupt { page: bucket.root_page(), what: "the bucket comes again".into() });
        }
        let forward: Vec<_> = bucket.items(..).collect::<Result<_>>()?;
        let backward: Vec<_> = bucket.items(..).rev().collect::<Result<_>>()?;
        assert!(!sound || forward.iter().eq(backward.iter().rev()), "both directions lead past the same items");
        for (key, value) in forward {
            let found = bucket.get(key)?;
            assert!(!sound || found == value, "what a cursor shows is found by its key");
            if value.is_none() {
                waiting.extend(bucket.get_bucket(key)?);
            }
        }
    }
    Ok(())
}

/// Changes of every kind, a transaction each; the first error of them.
fn change(db: &Db) -> Result<()> {
    let mut first = db.update(|tx| {
        let mut bucket = tx.create_bucket_if_absent("~ added")?;
        (0..20).try_for_each(|n| bucket.put(format!("key {n}"), vec![n; 100]))
    });
    let names: Vec<Vec<u8>> = db.view(|tx| {
        let buckets = tx.buckets().map_while(Result::ok);
        Ok(buckets.map(|(name, _)| name.to_vec()).take(64).collect())
    })?;
    for name in names {
        let replaced = db.update(|tx| {
            let mut bucket = tx.bucket_mut(&name)?;
            let keys = bucket.iter().map_while(Result::ok);
            let keys: Vec<Vec<u8>> = keys.map(|(key, _)| key.to_vec()).take(20).collect();
            bucket.put("another", vec![7; 700])?;
            keys.iter().try_for_each(|key| bucket.delete(key).map(|_| ()))
        });
        let deleted = db.update(|tx| tx.delete_bucket(&name));
        first = first.and(replaced).and(deleted);
    }
    first
}
