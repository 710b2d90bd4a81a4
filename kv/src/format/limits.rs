//! The limits of the format and of this engine.

use std::ops::RangeInclusive;

/// The longest key, or name of a new bucket, in bytes: 32 KiB.
///
/// A key or a name has at least one byte.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| {
///     let mut bucket = tx.create_bucket("b")?;
///     bucket.put([b'k'; kv::MAX_KEY_SIZE], "the longest key")?;
///     assert!(matches!(bucket.put([b'k'; kv::MAX_KEY_SIZE + 1], "too long"), Err(kv::Error::KeyTooLarge { .. })));
///     Ok(())
/// })?;
/// # Ok::<_, kv::Error>(())
/// ```
pub const MAX_KEY_SIZE: usize = 32_768;

/// The longest value in bytes: 2 GiB less two bytes. A value may be empty.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// let value = [0; 100];
/// assert!(value.len() <= kv::MAX_VALUE_SIZE);
/// db.update(|tx| tx.create_bucket("b")?.put("key", value))?;
/// # Ok::<_, kv::Error>(())
/// ```
pub const MAX_VALUE_SIZE: usize = (1 << 31) - 2;

/// The page sizes in bytes that this engine creates; powers of two.
pub(crate) const PAGE_SIZES_CREATED: RangeInclusive<u32> = 1024..=65536;

/// The page sizes in bytes that this engine opens; powers of two. bbolt looks for no larger one when the first meta
/// page is damaged.
pub(crate) const PAGE_SIZES_OPENED: RangeInclusive<u32> = 512..=1024 << 14;

/// Most bytes of a node with its overflow pages: positions within it have 32 bits.
pub(crate) const NODE_BYTES_MAX: usize = u32::MAX as usize;

/// The deepest tree that this engine follows, in levels. A tree whose branches have two children each, with 2^63 pages, is
/// not deeper: page numbers that lead deeper lead in a circle.
pub(crate) const DEPTH_MAX: usize = 64;

/// Most elements in a page: bbolt treats a count of 65,535 as overflow.
pub(crate) const ELEMENTS_MAX: usize = 0xFFFE;

/// The largest transaction id of a sound file: 4 billion commits are left. No writer reaches it.
pub(crate) const TX_SOUND_MAX: u64 = u64::MAX - (1 << 32);
