//! Reading the keys of a range at a revision.

use std::cmp::Ordering;
use std::sync::RwLock;

use kv::Bucket;

use super::error::Result;
use super::index::{Found, Index};
use super::interval::Interval;
use super::layout::{KEY, damaged};
use super::locked;
use super::request::{RangeRequest, SortOrder, SortTarget};
use super::response::RangeResponse;
use super::revision::Revision;
use super::row::{KeyValue, Row};

/// A walk over the index lets writers in after so many leaves.
const LEAVES: usize = 64;

/// Keys of `interval` that are live at `at`, as `each` takes them: the index is locked for a few leaves at a time.
fn visit(index: &RwLock<Index>, interval: &Interval, at: i64, mut each: impl FnMut(&[u8], Found)) {
    let mut from: Option<Box<[u8]>> = (!interval.is_empty()).then(|| interval.start[..].into());
    while let Some(start) = from {
        from = locked::read(index).visit(&start, interval, LEAVES, |part| {
            part.live(at).for_each(|(key, found)| each(key, found));
        });
    }
}

/// How many keys of `interval` are live at `at`.
pub(super) fn count(index: &RwLock<Index>, interval: &Interval, at: i64) -> u64 {
    let mut count = 0;
    let mut from: Option<Box<[u8]>> = (!interval.is_empty()).then(|| interval.start[..].into());
    while let Some(start) = from {
        from = locked::read(index).visit(&start, interval, LEAVES, |part| count += part.count(at) as u64);
    }
    count
}

/// Keys with what the index knows of them.
pub(super) fn keys(index: &RwLock<Index>, interval: &Interval, at: i64) -> Vec<(bytes::Bytes, Found)> {
    let mut keys = Vec::new();
    visit(index, interval, at, |key, found| keys.push((bytes::Bytes::copy_from_slice(key), found)));
    debug_assert!(keys.is_sorted_by(|(one, _), (next, _)| one < next), "each key once, in order");
    keys
}

/// The first `limit` keys of `interval`, without the rest of the walk.
fn first(index: &RwLock<Index>, interval: &Interval, at: i64, limit: usize) -> Vec<Found> {
    let mut found = Vec::new();
    let mut from: Option<Box<[u8]>> = (!interval.is_empty()).then(|| interval.start[..].into());
    while let Some(start) = from.filter(|_| found.len() < limit) {
        let leaves = (limit - found.len()).div_ceil(32).clamp(1, LEAVES);
        from = locked::read(index).visit(&start, interval, leaves, |part| {
            found.extend(part.live(at).map(|(_, found)| found).take(limit - found.len()));
        });
    }
    debug_assert!(found.len() <= limit, "no more than was asked for");
    found
}

/// Answers a read at `at`, which the caller has checked. `revision` of the answer is left 0.
///
/// # Errors
/// A damaged row, or what the page store answers.
pub(super) fn range(
    index: &RwLock<Index>,
    rows: &Bucket<'_>,
    request: &RangeRequest,
    at: i64,
) -> Result<RangeResponse> {
    let interval = Interval::new(&request.key, &request.range_end);
    if request.count_only {
        let count = count(index, &interval, at).cast_signed();
        return Ok(RangeResponse { count, ..RangeResponse::default() });
    }
    let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    let count = if request.range_end.is_empty() {
        found.extend(locked::read(index).get(&request.key, at));
        found.len() as u64
    } else if request.is_plain() && limit < usize::MAX {
        found = first(index, &interval, at, limit);
        if found.len() < limit { found.len() as u64 } else { count(index, &interval, at) }
    } else {
        visit(index, &interval, at, |_, one| found.push(one));
        found.len() as u64
    };
    debug_assert!(found.iter().all(|one| one.revision.main <= at), "a read sees nothing newer");
    debug_assert!(found.len() as u64 <= count, "every key is counted");
    if request.sort_order == SortOrder::None && request.bounds() == [0; 4] {
        // Asked for no order, etcd stops behind the limit, and then orders what it has all the same.
        found.truncate(limit.saturating_add(1));
    }
    found.retain(|one| request.admits(one));
    let admitted = if request.is_plain() { count } else { found.len() as u64 };
    let kvs = if request.sort_target == SortTarget::Value {
        let mut kvs = get_all(rows, &found, false)?;
        kvs.sort_by(|a, b| request.direct(a.value.cmp(&b.value)));
        kvs.truncate(limit);
        if request.keys_only {
            kvs.iter_mut().for_each(KeyValue::clear_value);
        }
        kvs
    } else {
        request.sort(&mut found);
        found.truncate(limit);
        get_all(rows, &found, request.keys_only)?
    };
    debug_assert!(kvs.len() <= limit && kvs.len() as u64 <= admitted, "no more than was asked for");
    let more = (kvs.len() as u64) < admitted;
    Ok(RangeResponse { revision: 0, kvs, more, count: count.cast_signed() })
}

impl RangeRequest {
    /// Whether the answer is the first keys of the range as they lie.
    fn is_plain(&self) -> bool {
        self.bounds() == [0; 4] && self.sort_target == SortTarget::Key && self.sort_order != SortOrder::Descend
    }

    fn bounds(&self) -> [i64; 4] {
        [self.min_mod_revision, self.max_mod_revision, self.min_create_revision, self.max_create_revision]
    }

    fn admits(&self, found: &Found) -> bool {
        let within = |min, max, revision| (min == 0 || min <= revision) && (max == 0 || revision <= max);
        within(self.min_mod_revision, self.max_mod_revision, found.revision.main)
            && within(self.min_create_revision, self.max_create_revision, found.created)
    }

    fn direct(&self, order: Ordering) -> Ordering {
        if self.sort_order == SortOrder::Descend { order.reverse() } else { order }
    }

    /// Orders keys that lie in their order by what the index knows.
    fn sort(&self, found: &mut [Found]) {
        match self.sort_target {
            SortTarget::Key if self.sort_order == SortOrder::Descend => found.reverse(),
            SortTarget::Key => {}
            SortTarget::Version => found.sort_by(|a, b| self.direct(a.version.cmp(&b.version))),
            SortTarget::Create => found.sort_by(|a, b| self.direct(a.created.cmp(&b.created))),
            SortTarget::Mod => found.sort_by(|a, b| self.direct(a.revision.main.cmp(&b.revision.main))),
            SortTarget::Value => unreachable!("the index knows no values"),
        }
    }
}

fn get_all(rows: &Bucket<'_>, found: &[Found], keys_only: bool) -> Result<Vec<KeyValue>> {
    found.iter().map(|found| get(rows, found.revision, keys_only)).collect()
}

/// The row of a put that must be there.
///
/// # Errors
/// A damaged row, or what the page store answers.
pub(super) fn get(rows: &Bucket<'_>, revision: Revision, keys_only: bool) -> Result<KeyValue> {
    debug_assert!(revision.main < i64::MAX, "a revision of the index");
    let key = revision.row_key(false);
    let row = rows.get(key)?.ok_or_else(|| damaged(KEY, key.as_ref(), "it is gone"))?;
    let row = Row::parse(row).map_err(|what| damaged(KEY, key.as_ref(), what))?;
    Ok(row.to_key_value(keys_only))
}

/// The row of a put, if no compaction has removed it.
///
/// # Errors
/// A damaged row, or what the page store answers.
pub(super) fn get_if_there(rows: &Bucket<'_>, revision: Revision) -> Result<Option<KeyValue>> {
    let key = revision.row_key(false);
    let Some(row) = rows.get(key)? else { return Ok(None) };
    let row = Row::parse(row).map_err(|what| damaged(KEY, key.as_ref(), what))?;
    Ok(Some(row.to_key_value(false)))
}
