//! The hash that all members of a cluster have to agree on.

use super::error::{Error, Result};
use super::index::Index;
use super::interval::Interval;
use super::layout::{KEY, damaged};
use super::locked;
use super::options::Tombstones;
use super::response::HashKv;
use super::revision::Revision;
use super::shared::Shared;

/// CRC-32C over the rows that a read at `revision` or later could need, as etcd takes it.
///
/// # Errors
/// [`Error::Compacted`], [`Error::FutureRevision`], a damaged row, or what the page store answers.
pub(super) fn hash_kv(shared: &Shared, revision: i64) -> Result<HashKv> {
    let current = shared.current();
    // Older releases refuse the compacted revision only to those who name it.
    let named = revision != 0;
    let revision = if named { revision } else { current };
    if revision > current {
        return Err(Error::FutureRevision);
    }
    if revision < 0 {
        // Before all rows, compacted or not.
        let (hash, compact_revision) = (crc32c::crc32c(KEY.as_bytes()), shared.pins.compacted());
        return Ok(HashKv { revision: current, hash, compact_revision, hash_revision: revision });
    }
    // Held to the end: a compaction beyond it would take away what the index knows.
    let _pin = shared.pins.pin(revision)?;
    let tx = shared.db.begin_read();
    // Asked after the file's state is fixed, which then lacks no row that this compacted revision does not leave out.
    let compacted = shared.pins.compacted();
    let refused = named && shared.options.tombstones == Tombstones::DropAtCompactRev;
    if revision < compacted || revision == compacted && refused {
        return Err(Error::Compacted);
    }
    let (kept, nothing_kept) = kept(&shared.index, revision, compacted);
    debug_assert!(!nothing_kept || kept.is_empty(), "nothing is nothing");
    let mut kept = kept.into_iter().peekable();
    let mut hash = crc32c::crc32c(KEY.as_bytes());
    for item in tx.bucket(KEY)? {
        let (key, value) = item?;
        let (row, tombstone) = Revision::parse(key).map_err(|what| damaged(KEY, key, what))?;
        if row.main > revision {
            break;
        }
        if row.main <= compacted && !nothing_kept {
            while kept.next_if(|kept| *kept < row).is_some() {}
            if kept.peek() != Some(&row) {
                continue;
            }
        }
        if row.main == compacted && tombstone && shared.options.tombstones == Tombstones::KeepAtCompactRev {
            continue;
        }
        hash = crc32c::crc32c_append(hash, key);
        hash = crc32c::crc32c_append(hash, value);
    }
    Ok(HashKv { revision: current, hash, compact_revision: compacted, hash_revision: revision })
}

/// Of the puts that a read at `revision` sees, those up to `compacted`, in the order of their rows; and whether a read at
/// `revision` sees none at all.
fn kept(index: &std::sync::RwLock<Index>, revision: i64, compacted: i64) -> (Vec<Revision>, bool) {
    let (mut kept, mut nothing) = (Vec::new(), true);
    if compacted <= 0 {
        return (kept, nothing);
    }
    let mut from = Some(Box::default());
    while let Some(start) = from {
        from = locked::read(index).visit(&start, &Interval::all(), 64, |part| {
            for (_, found) in part.live(revision) {
                nothing = false;
                kept.extend((found.revision.main <= compacted).then_some(found.revision));
            }
        });
    }
    kept.sort_unstable();
    debug_assert!(kept.windows(2).all(|pair| pair[0] < pair[1]), "each key has a row of its own");
    debug_assert!(kept.last().is_none_or(|last| last.main <= compacted), "newer rows all count");
    (kept, nothing)
}
