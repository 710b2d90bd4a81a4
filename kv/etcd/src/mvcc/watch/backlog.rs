//! Events of the past, from the file.

use std::sync::Arc;

use super::super::error::Result;
use super::super::layout::{KEY, damaged};
use super::super::locked;
use super::super::read;
use super::super::revision::Revision;
use super::super::row::{KeyValue, Row};
use super::super::shared::Shared;
use super::{Event, Events, Wish};

/// Revisions with events that are read at once.
const REVISIONS: usize = 1000;

/// What a look into the past has found.
pub(super) struct Chunk {
    /// None if there was nothing.
    pub(super) events: Option<Arc<Events>>,
    /// Where to go on, if the end was not reached.
    pub(super) next: Option<i64>,
}

/// The events of the revisions from `from` to `to`, as many as are read at once.
///
/// # Errors
/// [`Error::Compacted`](super::super::Error::Compacted), a damaged row, or what the page store answers.
pub(super) fn read(shared: &Shared, wish: &Wish, from: i64, to: i64) -> Result<Chunk> {
    debug_assert!(to <= shared.current(), "what is durable is in the file");
    // What was before the first event is needed, too, if it is still there.
    let pin = shared.pins.pin(from.saturating_sub(1)).or_else(|_| shared.pins.pin(from))?;
    let tx = shared.db.begin_read();
    let rows = tx.bucket(KEY)?;
    // The file's state is fixed now, and the index is asked only below what the pin holds.
    let (mut events, mut revisions, mut last) = (Vec::new(), 0, None);
    let mut next = None;
    for item in rows.range(Revision::new(from.max(0), 0).row_key(false)..) {
        let (key, value) = item?;
        let (revision, tombstone) = Revision::parse(key).map_err(|what| damaged(KEY, key, what))?;
        if revision.main > to {
            break;
        }
        let row = Row::parse(value).map_err(|what| damaged(KEY, key, what))?;
        if row.key.is_empty() || !wish.interval.contains(row.key) || !wish.admits(tombstone) {
            continue;
        }
        if last != Some(revision.main) {
            if revisions == REVISIONS {
                next = Some(revision.main);
                break;
            }
            (revisions, last) = (revisions + 1, Some(revision.main));
        }
        let kv = if tombstone {
            KeyValue { mod_revision: revision.main, ..row.to_key_value(false) }
        } else {
            row.to_key_value(false)
        };
        // Nothing was before a key that this revision creates, even if it has deleted the same key first.
        let created = !tombstone && kv.create_revision == revision.main;
        let wanted = wish.prev_kv && !created && revision.main > pin.revision();
        let prev = if wanted { locked::read(&shared.index).get(row.key, revision.main - 1) } else { None };
        let prev_kv = match prev {
            Some(found) => read::get_if_there(&rows, found.revision)?,
            None => None,
        };
        events.push(Event { is_delete: tombstone, kv, prev_kv });
    }
    debug_assert!(next.is_none_or(|next| from < next && next <= to), "each look goes on");
    let events = (!events.is_empty()).then(|| Arc::new(Events { revision: shared.current(), events }));
    Ok(Chunk { events, next })
}
