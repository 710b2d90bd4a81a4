//! A list of free pages that this library did not write is not believed: a walk over the trees judges it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kv::{Db, Error, FreelistFault, FreelistOrigin, FreelistSync, Options, PageId, PageInfo, PageKind};
use pagefile_std::MemStore;

use crate::stores::{dump_of, file, newest_meta, with_bytes};

const PAGE: usize = 1024;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
const META: u16 = 4;
const LIST: u16 = 16;

/// Pages of a file, made by hand (FORMAT.md).
struct Pages(Vec<u8>);

impl Pages {
    fn set(&mut self, page: usize, at: usize, bytes: &[u8]) {
        self.0[page * PAGE + at..][..bytes.len()].copy_from_slice(bytes);
    }

    fn header(&mut self, page: usize, flags: u16, count: usize, overflow: u32) {
        self.set(page, 0, &(page as u64).to_le_bytes());
        self.set(page, 8, &flags.to_le_bytes());
        self.set(page, 10, &(count as u16).to_le_bytes());
        self.set(page, 12, &overflow.to_le_bytes());
    }

    /// A leaf of these items, whose keys are one byte long.
    fn leaf(&mut self, page: usize, flags: u32, items: &[(u8, &[u8])]) {
        self.header(page, LEAF, items.len(), 0);
        let mut data = 16 + 16 * items.len();
        for (at, (key, value)) in (16..).step_by(16).zip(items) {
            for (word, offset) in [flags, (data - at) as u32, 1, value.len() as u32].into_iter().zip((at..).step_by(4))
            {
                self.set(page, offset, &word.to_le_bytes());
            }
            self.set(page, data, &[*key]);
            self.set(page, data + 1, value);
            data += 1 + value.len();
        }
    }

    fn list(&mut self, page: usize, ids: &[u64]) {
        self.header(page, LIST, ids.len(), 0);
        ids.iter().zip((16..).step_by(8)).for_each(|(id, at)| self.set(page, at, &id.to_le_bytes()));
    }

    fn metas(&mut self, freelist: u64) {
        for slot in [0u64, 1] {
            let page = slot as usize;
            self.header(page, META, 0, 0);
            let fields = [0xED0C_DAED | 2 << 32, PAGE as u64, 3, 0, freelist, 8, slot];
            fields.iter().zip((16..).step_by(8)).for_each(|(field, at)| self.set(page, at, &field.to_le_bytes()));
            let sum = self.0[page * PAGE + 16..][..56]
                .iter()
                .fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
            self.set(page, 72, &sum.to_le_bytes());
        }
    }

    /// Eight pages: the root bucket in 3 holds the bucket `b`, a branch in 4 over the leaves 5 and 6. Page 2 lists `ids`;
    /// only page 7 is free.
    fn with_list(ids: &[u64]) -> Self {
        let mut pages = Self(vec![0; 8 * PAGE]);
        pages.metas(2);
        pages.list(2, ids);
        pages.leaf(3, 1, &[(b'b', &[4u64.to_le_bytes(), [0; 8]].concat())]);
        pages.header(4, BRANCH, 2, 0);
        for (at, key, child) in [(16, b'a', 5u64), (32, b'm', 6)] {
            let element = [u64::from(48 - at as u32 + u32::from(key == b'm')) | 1 << 32, child];
            element.iter().zip((at..).step_by(8)).for_each(|(word, at)| pages.set(4, at, &word.to_le_bytes()));
        }
        pages.set(4, 48, b"am");
        pages.leaf(5, 0, &[(b'a', b"leaf 5"), (b'c', b"leaf 5")]);
        pages.leaf(6, 0, &[(b'm', b"leaf 6"), (b'z', b"leaf 6")]);
        pages
    }
}

fn values(db: &Db) -> Vec<Vec<u8>> {
    let tx = db.begin_read();
    let bucket = tx.bucket("b").unwrap();
    ["a", "c", "m", "z"].iter().map(|key| bucket.get(key).unwrap().unwrap_or_default().to_vec()).collect()
}

/// Writes the list on closing.
fn on_close() -> Options {
    Options::new().page_size(1024).freelist_sync(FreelistSync::OnClose)
}

/// Opens the file, which finds the list to be as `origin` says, with so many lost pages, and commits to both leaves; then
/// the file has a list with a seal, or a log.
fn heals(bytes: &[u8], origin: FreelistOrigin, reclaimed: u64) {
    let left = [(FreelistSync::OnClose, FreelistOrigin::Sealed), (FreelistSync::Log, FreelistOrigin::Logged)];
    for (sync, left) in left {
        heals_with(bytes, sync, (origin, reclaimed), left);
    }
}

fn heals_with(bytes: &[u8], sync: FreelistSync, (origin, reclaimed): (FreelistOrigin, u64), left: FreelistOrigin) {
    let store = Arc::new(MemStore::with_bytes(bytes));
    let db = Options::new().freelist_sync(sync).open_store(Box::new(Arc::clone(&store))).unwrap();
    let stats = db.stats();
    assert_eq!((stats.freelist, stats.reclaimed_pages), (origin, reclaimed));
    for (key, now) in [("z", ["leaf 5", "leaf 5", "leaf 6", "new"]), ("a", ["new", "leaf 5", "leaf 6", "new"])] {
        db.update(|tx| tx.bucket_mut("b")?.put(key, "new")).unwrap();
        assert_eq!(values(&db), now.map(|value| value.as_bytes().to_vec()), "{origin:?}");
    }
    db.close().unwrap();
    let db = with_bytes(&store.snapshot(), &Options::new()).unwrap();
    assert_eq!((db.stats().freelist, db.stats().reclaimed_pages), (left, 0));
    assert_eq!(db.begin_read().check().unwrap(), []);
}

/// Leaves 5 and 6 hold keys, the list says 5 and 7. A writer that believes it puts a page of its own over leaf 5 when it
/// changes leaf 6: the keys of leaf 5 are gone, and nothing says so. bbolt does that.
#[test]
fn a_page_in_use_on_the_list_is_not_written_over() {
    heals(&Pages::with_list(&[5, 7]).0, FreelistOrigin::Rebuilt(FreelistFault::InUse(PageId::new(5))), 0);
}

#[test]
fn every_other_fault_of_a_list_is_found_too() {
    let rebuilt = |fault: fn(PageId) -> FreelistFault, page| FreelistOrigin::Rebuilt(fault(PageId::new(page)));
    for (ids, origin, reclaimed) in [
        (&[7][..], FreelistOrigin::Checked, 0),
        (&[7, 7], rebuilt(FreelistFault::Twice, 7), 0),
        (&[0, 7], rebuilt(FreelistFault::Outside, 0), 0),
        (&[2, 7], rebuilt(FreelistFault::Outside, 2), 0),
        (&[7, 8], rebuilt(FreelistFault::Outside, 8), 0),
        (&[7, u64::MAX], rebuilt(FreelistFault::Outside, u64::MAX), 0),
        (&[6, 7, 7, 4, 9], rebuilt(FreelistFault::InUse, 4), 0),
        (&[], rebuilt(FreelistFault::Missing, 7), 1),
        (&[5], rebuilt(FreelistFault::InUse, 5), 1),
    ] {
        heals(&Pages::with_list(ids).0, origin, reclaimed);
    }
    let unreadable = FreelistOrigin::Rebuilt(FreelistFault::Unreadable);
    let mut longer_than_its_page = Pages::with_list(&[7]);
    longer_than_its_page.header(2, LIST, 1000, 0);
    heals(&longer_than_its_page.0, unreadable, 0);
    let mut in_a_leaf = Pages::with_list(&[7]);
    in_a_leaf.metas(6);
    heals(&in_a_leaf.0, unreadable, 0);
    // The second page of a leaf looks like a list.
    let mut in_use = Pages::with_list(&[]);
    in_use.set(6, 12, &1u32.to_le_bytes());
    in_use.metas(7);
    in_use.list(7, &[2]);
    heals(&in_use.0, rebuilt(FreelistFault::OwnPage, 7), 0);
}

#[test]
fn closing_writes_a_right_list_over_a_wrong_one_even_without_a_commit() {
    for (ids, sealed) in [(&[5, 7][..], true), (&[7], false)] {
        let store = Arc::new(MemStore::with_bytes(&Pages::with_list(ids).0));
        on_close().open_store(Box::new(Arc::clone(&store))).unwrap().close().unwrap();
        let origin = with_bytes(&store.snapshot(), &Options::new()).unwrap().stats().freelist;
        assert_eq!(origin == FreelistOrigin::Sealed, sealed, "a list that is right stays as it is");
    }
}

#[test]
fn damage_that_the_walk_meets_refuses_writing_and_not_reading() {
    let mut bytes = Pages::with_list(&[7]).0;
    bytes[5 * PAGE] ^= 1;
    let error = with_bytes(&bytes, &Options::new()).unwrap_err();
    assert!(matches!(error, Error::Corrupt { page, .. } if page == PageId::new(5)), "{error}");
    let db = with_bytes(&bytes, &Options::new().read_only(true)).unwrap();
    assert_eq!(db.begin_read().bucket("b").unwrap().get("m").unwrap(), Some(&b"leaf 6"[..]));
}

/// How often opening says how far its walk is.
fn walks(bytes: &[u8], options: Options) -> u64 {
    let reports = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&reports);
    let options = options.walk_progress(move |_, _| _ = counted.fetch_add(1, Ordering::Relaxed));
    drop(with_bytes(bytes, &options).unwrap());
    reports.load(Ordering::Relaxed)
}

#[test]
fn a_sealed_list_costs_no_walk_and_reading_never_does() {
    let bytes = file(&on_close(), |db| db.update(|tx| tx.create_bucket("b").map(drop)).unwrap());
    assert_eq!(walks(&bytes, Options::new()), 0);
    let mut unsealed = bytes.clone();
    unsealed[newest_meta(&bytes, PAGE) + 80] ^= 1;
    assert!(walks(&unsealed, Options::new()) > 0);
    assert_eq!(walks(&unsealed, Options::new().read_only(true)), 0);
    assert_eq!(
        with_bytes(&unsealed, &Options::new().read_only(true)).unwrap().stats().freelist,
        FreelistOrigin::NotLoaded
    );
}

#[test]
fn backups_and_repaired_copies_have_no_seal_and_compacted_ones_have_their_own() {
    let bytes = file(&on_close(), |db| db.update(|tx| tx.create_bucket("b").map(drop)).unwrap());
    let origin = |bytes: &[u8]| with_bytes(bytes, &Options::new()).unwrap().stats().freelist;
    assert_eq!(origin(&bytes), FreelistOrigin::Sealed);
    let db = with_bytes(&bytes, &Options::new().read_only(true)).unwrap();
    let mut backup = Vec::new();
    db.begin_read().write_to(&mut backup).unwrap();
    assert_eq!(origin(&backup), FreelistOrigin::Checked);
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy.db");
    kv::surgery::RawFile::new(MemStore::with_bytes(&bytes), None).unwrap().write_copy(&copy, &[], |_| ()).unwrap();
    assert_eq!(origin(&std::fs::read(copy).unwrap()), FreelistOrigin::Checked);
    let store = Arc::new(MemStore::new());
    let compacted = on_close().open_store(Box::new(Arc::clone(&store))).unwrap();
    kv::compact(&db, &compacted, 0).unwrap();
    compacted.close().unwrap();
    assert_eq!(origin(&store.snapshot()), FreelistOrigin::Sealed);
    assert_eq!(dump_of(&with_bytes(&store.snapshot(), &Options::new()).unwrap()), dump_of(&db));
}

/// Enough pages for several threads, so that they, too, find what one would.
#[test]
fn a_large_tree_is_walked_by_threads_to_the_same_end() {
    let bytes = file(&on_close(), |db| {
        db.update(|tx| {
            let mut bucket = tx.create_bucket("b")?;
            (0..60_000u32).try_for_each(|key| bucket.put(format!("{key:05}"), vec![7; 150]))?;
            (0..60_000u32).step_by(700).try_for_each(|key| bucket.delete(format!("{key:05}")).map(drop))?;
            let mut outer = tx.create_bucket("nested")?;
            (0..300u32).try_for_each(|name| outer.create_bucket(format!("{name:05}"))?.put("large", vec![1; 900]))
        })
        .unwrap();
        db.update(|tx| tx.delete_bucket("nested")).unwrap();
    });
    let sealed = with_bytes(&bytes, &on_close()).unwrap().stats();
    assert_eq!(sealed.freelist, FreelistOrigin::Sealed);
    let mut unsealed = bytes.clone();
    unsealed[newest_meta(&bytes, PAGE) + 80] ^= 1;
    let checked = with_bytes(&unsealed, &Options::new()).unwrap().stats();
    assert_eq!((checked.freelist, checked.free_pages), (FreelistOrigin::Checked, sealed.free_pages));
    // Of several damaged pages the first is named, whichever thread finds it.
    let db = with_bytes(&unsealed, &Options::new().read_only(true)).unwrap();
    let (tx, root) = (db.begin_read(), db.begin_read().root_page());
    let is_leaf = |page: &PageInfo| page.kind == PageKind::Leaf && page.id != root;
    let leaves: Vec<usize> =
        tx.page_map().unwrap().iter().filter(|page| is_leaf(page)).map(|page| page.id.get() as usize).collect();
    for _ in 0..5 {
        let mut damaged = unsealed.clone();
        for leaf in [leaves[100], leaves[leaves.len() / 2], leaves[leaves.len() - 3]] {
            damaged[leaf * PAGE + 10] = 0xFF;
            damaged[leaf * PAGE + 11] = 0xFF;
        }
        let error = with_bytes(&damaged, &Options::new()).unwrap_err();
        assert!(matches!(error, Error::Corrupt { page, .. } if page.get() == leaves[100] as u64), "{error}");
    }
}

#[test]
fn a_fault_of_a_list_names_its_page() {
    let faults = [
        FreelistFault::InUse,
        FreelistFault::Twice,
        FreelistFault::Outside,
        FreelistFault::OwnPage,
        FreelistFault::Missing,
    ];
    let said = faults.map(|fault| fault(PageId::new(4711)).to_string());
    assert!(said.iter().all(|said| said.contains("page 4711")), "{said:?}");
    assert!(said.iter().collect::<std::collections::BTreeSet<_>>().len() == said.len(), "{said:?}");
    assert_eq!(FreelistFault::Unreadable.to_string(), "it cannot be read");
}
