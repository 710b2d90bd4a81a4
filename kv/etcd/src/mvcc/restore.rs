//! From the rows of a file to the index, on two threads: one reads and sorts, the other builds.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use bytes::Bytes;
use kv::{Db, ReadTx};

use super::error::{Error, Result};
use super::index::Index;
use super::layout::{KEY, LEASE, Meta, damaged, key_bucket};
use super::lease::{Lease, Lessor};
use super::options::Options;
use super::revision::{MAIN_MAX, Revision, from_big_endian};
use super::row::{LeaseRow, Row};

/// What a file says.
pub(super) struct Restored {
    pub(super) index: Index,
    pub(super) lessor: Lessor,
    /// The newest revision.
    pub(super) current: i64,
    /// -1 if there was no compaction.
    pub(super) compacted: i64,
    /// A compaction that was not finished.
    pub(super) unfinished: Option<i64>,
    pub(super) meta: Meta,
}

/// Rows that are sorted at once.
const CHUNK: usize = 1 << 17;

/// Part of the rows, sorted by key and then revision: the index then finds neighbours one after the other.
#[derive(Default)]
struct Chunk {
    keys: Vec<u8>,
    rows: Vec<IndexRow>,
    /// The last row's revision.
    last: i64,
}

/// What of a row goes into the index.
#[derive(Clone, Copy)]
struct IndexRow {
    /// The first bytes of the key as a number: it decides most comparisons.
    head: u64,
    start: u32,
    len: u32,
    revision: Revision,
    tombstone: bool,
    created: i64,
    version: i64,
    lease: i64,
}

impl Chunk {
    fn key(&self, row: &IndexRow) -> &[u8] {
        &self.keys[row.start as usize..][..row.len as usize]
    }

    fn push(&mut self, revision: Revision, tombstone: bool, row: &Row<'_>) {
        let mut head = [0; 8];
        let shared = row.key.len().min(head.len());
        head[..shared].copy_from_slice(&row.key[..shared]);
        let head = from_big_endian(&head);
        let start = u32::try_from(self.keys.len()).expect("a chunk ends before");
        let len = u32::try_from(row.key.len()).expect("a value of the page store is shorter");
        self.keys.extend_from_slice(row.key);
        let (created, version, lease) = (row.create_revision, row.version, row.lease);
        self.rows.push(IndexRow { head, start, len, revision, tombstone, created, version, lease });
        self.last = revision.main;
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= CHUNK || self.keys.len() >= 64 << 20
    }

    fn sort(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_unstable_by(|a, b| {
            let order = a.head.cmp(&b.head).then_with(|| self.key(a).cmp(self.key(b)));
            order.then_with(|| a.revision.cmp(&b.revision))
        });
        self.rows = rows;
        debug_assert!(
            self.rows.is_sorted_by(|a, b| (self.key(a), a.revision) < (self.key(b), b.revision)),
            "neighbours of the index are neighbours here"
        );
    }
}

/// Reads a whole file.
///
/// # Errors
/// [`Error::NotAStore`], a damaged row, or what the page store answers.
pub(super) fn restore(db: &Db, options: &Options) -> Result<Restored> {
    let tx = db.begin_read();
    let meta = Meta::read(&tx)?;
    let mut lessor = leases(&tx)?;
    let mut index = Index::new();
    let (send, receive) = sync_channel(2);
    let last = thread::scope(|scope| {
        let reader = scope.spawn(|| read(&tx, options, |chunk| drop(send.send(chunk))).map(|()| drop(send)));
        let last = build(receive, &mut index, &mut lessor, options);
        reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok::<_, Error>(last)
    })?;
    debug_assert!(last.is_none_or(|last| last >= 0), "a revision is read as a number from 0");
    let finished = meta.finished.unwrap_or(-1);
    let scheduled = meta.scheduled.unwrap_or(-1);
    let compacted = finished.max(scheduled);
    Ok(Restored {
        index,
        lessor,
        current: last.unwrap_or(1).max(1).max(compacted),
        compacted,
        unfinished: (scheduled > finished).then_some(scheduled),
        meta,
    })
}

fn leases(tx: &ReadTx<'_>) -> Result<Lessor> {
    let mut lessor = Lessor::default();
    let Some(bucket) = tx.get_bucket(LEASE)? else { return Ok(lessor) };
    for item in bucket {
        let (key, value) = item?;
        let row = LeaseRow::parse(value).map_err(|what| damaged(LEASE, key, what))?;
        if key.len() != 8 || from_big_endian(key).cast_signed() != row.id {
            return Err(damaged(LEASE, key, "it is not the id of its lease"));
        }
        lessor.insert(row.id, Lease::new(row.ttl, row.remaining_ttl));
    }
    Ok(lessor)
}

/// Reads all rows in the order of their revisions, and hands on chunks that are sorted in themselves.
fn read(tx: &ReadTx<'_>, options: &Options, mut each: impl FnMut(Chunk)) -> Result<()> {
    let mut chunk = Chunk::default();
    let (mut rows, mut before) = (0, None);
    for item in key_bucket(tx)?.items(..) {
        let (key, value) = item?;
        let (revision, tombstone) = Revision::parse(key).map_err(|what| damaged(KEY, key, what))?;
        if revision.main > MAIN_MAX {
            return Err(damaged(KEY, key, "its revision is too large"));
        }
        if before == Some(revision) {
            return Err(damaged(KEY, key, "its revision is there twice"));
        }
        debug_assert!(before.is_none_or(|before| before < revision), "rows lie in the order of their revisions");
        before = Some(revision);
        let value = value.ok_or_else(|| damaged(KEY, key, "it is a bucket"))?;
        let row = Row::parse(value).map_err(|what| damaged(KEY, key, what))?;
        chunk.push(revision, tombstone, &row);
        rows += 1;
        if chunk.is_full() {
            chunk.sort();
            each(std::mem::take(&mut chunk));
            options.progress.report(rows);
        }
    }
    debug_assert!(chunk.rows.len() < CHUNK, "a full chunk was handed on");
    chunk.sort();
    each(chunk);
    options.progress.report(rows);
    Ok(())
}

/// Builds the index from chunks. Returns the last revision.
fn build(chunks: Receiver<Chunk>, index: &mut Index, lessor: &mut Lessor, options: &Options) -> Option<i64> {
    let mut last = None;
    for chunk in chunks {
        for row in &chunk.rows {
            let key = chunk.key(row);
            if row.tombstone {
                index.restore_delete(key, row.revision, options.tombstones);
            } else {
                index.restore_put(key, row.revision, row.created, row.version);
            }
            let lease = if row.tombstone { 0 } else { row.lease };
            if lease != 0 || lessor.has_items() {
                lessor.attach(&Bytes::copy_from_slice(key), lease);
            }
        }
        debug_assert!(last.is_none_or(|last| chunk.rows.is_empty() || last <= chunk.last), "chunks come in order");
        if !chunk.rows.is_empty() {
            last = Some(chunk.last);
        }
    }
    last
}
