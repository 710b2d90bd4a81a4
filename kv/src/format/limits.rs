//! The limits of the format, and of what this engine writes in it.

use std::ops::RangeInclusive;

/// The longest key, or name of a new bucket, in bytes: 32 KiB.
///
/// The shortest key has one byte, so has the shortest name.
///
/// ```
/// # let db = kv::Options::new().open_store(Box::new(kv::MemStore::new()))?;
/// db.update(|tx| {
///     let mut bucket = tx.create_bucket("b")?;
///     bucket.put([b'k'; kv::MAX_KEY_SIZE], "the longest key")?;
///     assert!(matches!(bucket.put([b'k'; kv::MAX_KEY_SIZE + 1], "too long"), Err(kv::Error::KeyTooLarge { .. })));
///     Ok::<_, kv::Error>(())
/// })?;
/// # Ok::<_, kv::Error>(())
/// ```
pub const MAX_KEY_SIZE: usize = 32_768;

/// The longest value in bytes: 2 GiB less two bytes. A value may be empty.
pub const MAX_VALUE_SIZE: usize = (1 << 31) - 2;

/// The page sizes in bytes that this engine creates; powers of two.
pub(crate) const PAGE_SIZES_CREATED: RangeInclusive<u32> = 1024..=65536;

/// The page sizes in bytes that this engine opens; powers of two. bbolt looks for no larger one when the first meta
/// page is damaged.
pub(crate) const PAGE_SIZES_OPENED: RangeInclusive<u32> = 512..=1024 << 14;

/// Most elements in a page: bbolt treats a count of 65,535 as overflow.
pub(crate) const ELEMENTS_MAX: usize = 0xFFFE;
