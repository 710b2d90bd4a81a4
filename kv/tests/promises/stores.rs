//! Databases whose bytes can be looked at and changed, and stores that fail on command.

use std::io::IoSlice;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use kv::{Bucket, Db, Error, Options, ReadTx};
use pagefile_std::{Latch, MemStore, Operation, PageStore, StoreError, View};

/// What the meta carries in place of a freelist's page number.
pub(crate) const NO_FREELIST: u64 = u64::MAX;

/// A database in memory, and its bytes.
pub(crate) fn in_memory(options: &Options) -> (Db, Arc<MemStore>) {
    let store = Arc::new(MemStore::new());
    (options.open_store(Box::new(Arc::clone(&store))).unwrap(), store)
}

/// A database with these bytes.
pub(crate) fn with_bytes(bytes: &[u8], options: &Options) -> Result<Db, Error> {
    options.open_store(Box::new(MemStore::with_bytes(bytes)))
}

/// The file that `fill` leaves behind after a clean close, up to its high-water mark.
pub(crate) fn file(options: &Options, fill: impl FnOnce(&Db)) -> Vec<u8> {
    let (db, store) = in_memory(options);
    fill(&db);
    db.close().unwrap();
    let mut bytes = store.snapshot();
    let used = with_bytes(&bytes, &Options::new().read_only(true)).unwrap().begin_read().size();
    bytes.truncate(used as usize);
    bytes
}

/// Every bucket, sequence, key and value, a line each.
pub(crate) fn dump(tx: &ReadTx<'_>) -> Vec<String> {
    fn add(bucket: &Bucket<'_>, path: &str, lines: &mut Vec<String>) {
        lines.push(format!("{path} sequence {}", bucket.sequence()));
        for item in bucket.items(..) {
            match item.unwrap() {
                (key, Some(value)) => lines.push(format!("{path}/{key:?} = {value:?}")),
                (name, None) => add(&bucket.bucket(name).unwrap(), &format!("{path}/{name:?}"), lines),
            }
        }
    }
    let mut lines = Vec::new();
    add(&tx.root(), "", &mut lines);
    lines
}

pub(crate) fn dump_of(db: &Db) -> Vec<String> {
    dump(&db.begin_read())
}

/// The state in these bytes, which must be consistent.
pub(crate) fn dump_of_bytes(bytes: &[u8]) -> Vec<String> {
    let db = with_bytes(bytes, &Options::new().read_only(true)).unwrap();
    assert_eq!(db.begin_read().check().unwrap(), []);
    dump_of(&db)
}

/// A field of a meta page, by its offset in the page (FORMAT.md).
#[derive(Clone, Copy)]
pub(crate) enum Field {
    PageSize = 24,
    Root = 32,
    Freelist = 48,
    HighWater = 56,
    Tx = 64,
}

pub(crate) fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// FNV-1a, 64 bit, of a meta page's body.
fn checksum(page: &[u8]) -> u64 {
    page[16..72]
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Whether the meta at `at` has the checksum of its content.
pub(crate) fn is_valid(bytes: &[u8], at: usize) -> bool {
    word(bytes, at + 72) == checksum(&bytes[at..])
}

/// The offset of the valid meta with the larger transaction id.
pub(crate) fn newest_meta(bytes: &[u8], page_size: usize) -> usize {
    let valid = [0, page_size].into_iter().filter(|&at| is_valid(bytes, at));
    valid.max_by_key(|&at| word(bytes, at + Field::Tx as usize)).unwrap()
}

/// Sets a field of the meta at `at`, and makes its checksum right again.
pub(crate) fn set_field(bytes: &mut [u8], at: usize, field: Field, value: u64) {
    let len = if matches!(field, Field::PageSize) { 4 } else { 8 };
    bytes[at + field as usize..][..len].copy_from_slice(&value.to_le_bytes()[..len]);
    let sum = checksum(&bytes[at..]);
    bytes[at + 72..at + 80].copy_from_slice(&sum.to_le_bytes());
}

/// A store that counts its calls and whose n-th write, growth or sync fails.
#[derive(Debug)]
pub(crate) struct Fragile {
    pub(crate) inner: MemStore,
    latch: Latch,
    /// Writes that begin in the first two pages of 1 KiB.
    pub(crate) meta_writes: AtomicU64,
    pub(crate) syncs: AtomicU64,
    /// Where it was written.
    writes: Mutex<Vec<Range<u64>>>,
    changes: AtomicU64,
    /// The change that fails, counted from 1; 0 for none.
    fails_at: AtomicU64,
    /// Whether the change that fails panics.
    panics: AtomicBool,
    /// How many bytes of a failing write are written nevertheless.
    torn: usize,
}

impl Fragile {
    pub(crate) fn new(bytes: &[u8], torn: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: MemStore::with_bytes(bytes),
            latch: Latch::new(),
            meta_writes: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            writes: Mutex::default(),
            changes: AtomicU64::new(0),
            fails_at: AtomicU64::new(0),
            panics: AtomicBool::new(false),
            torn,
        })
    }

    /// The n-th change from now on fails.
    pub(crate) fn fail(&self, nth: u64) {
        self.fails_at.store(self.changes.load(Ordering::Relaxed) + nth, Ordering::Relaxed);
    }

    /// The n-th change from now on panics, which poisons no latch.
    pub(crate) fn panic(&self, nth: u64) {
        self.panics.store(true, Ordering::Relaxed);
        self.fail(nth);
    }

    /// Where it was written since the last call.
    pub(crate) fn take_writes(&self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.writes.lock().unwrap())
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    fn change(
        &self,
        operation: Operation,
        instead: impl FnOnce(),
        run: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.latch.run(|| {
            if self.changes.fetch_add(1, Ordering::Relaxed) + 1 != self.fails_at.load(Ordering::Relaxed) {
                return run();
            }
            instead();
            if self.panics.load(Ordering::Relaxed) {
                resume_unwind(Box::new("planted"));
            }
            Err(StoreError::Io {
                operation,
                path: "fragile".into(),
                offset: None,
                source: std::io::Error::other("planted"),
            })
        })
    }
}

impl PageStore for Fragile {
    fn len(&self) -> u64 {
        self.inner.len()
    }
    fn view(&self) -> View<'_> {
        self.inner.view()
    }
    fn view_owned(&self) -> View<'static> {
        self.inner.view_owned()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        self.inner.read_at(offset, buf)
    }
    fn write_at(&self, offset: u64, bufs: &[IoSlice<'_>]) -> Result<(), StoreError> {
        self.meta_writes.fetch_add(u64::from(offset < 2048), Ordering::Relaxed);
        let len: usize = bufs.iter().map(|buf| buf.len()).sum();
        self.writes.lock().unwrap().push(offset..offset + len as u64);
        let torn = || {
            let bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).take(self.torn).collect();
            self.inner.write_at(offset, &[IoSlice::new(&bytes)]).unwrap();
        };
        self.change(Operation::Write, torn, || self.inner.write_at(offset, bufs))
    }
    fn grow(&self, min_len: u64) -> Result<(), StoreError> {
        self.change(Operation::Grow, || {}, || self.inner.grow(min_len))
    }
    fn sync(&self) -> Result<(), StoreError> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.change(Operation::Sync, || {}, || self.inner.sync())
    }
    fn poisoned(&self) -> bool {
        self.latch.poisoned()
    }
}
