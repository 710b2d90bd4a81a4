//! Meta pages, valid and invalid.

use pagefile_std::PageStore;

use crate::error::Result;
use crate::format::{Extension, META_BYTES, MarkedMeta, Meta, MetaError, SECTOR};

/// The fields of a meta page. [`RawFile::meta`](super::RawFile::meta) returns them.
///
/// ```
/// # let store = std::sync::Arc::new(kv::MemStore::new());
/// # drop(kv::Options::new().open_store(Box::new(store.clone()))?);
/// let file = kv::surgery::RawFile::new(store, None)?;
/// let meta: kv::surgery::RawMeta = file.meta(1)?;
/// assert_eq!((meta.page_size, meta.root_page, meta.high_water, meta.tx), (4096, 3, 4, 1));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RawMeta {
    /// The page size in bytes.
    pub page_size: u32,
    /// Flags without a meaning: 0, unless a repair tool has set some.
    pub flags: u32,
    /// The root page of the root bucket.
    pub root_page: u64,
    /// The counter of the root bucket, which nothing uses.
    pub root_sequence: u64,
    /// The first page of the list of free pages, or [`NO_FREELIST`](super::NO_FREELIST).
    pub freelist_page: u64,
    /// The high-water mark: the first page number that was never used.
    pub high_water: u64,
    /// The id of the transaction that committed this state.
    pub tx: u64,
}

/// The reason why a meta page is not valid.
///
/// ```
/// # let store = std::sync::Arc::new(kv::MemStore::new());
/// # drop(kv::Options::new().open_store(Box::new(store.clone()))?);
/// use kv::PageStore as _;
/// use kv::surgery::{MetaFault, RawFile};
///
/// // A byte of the high-water mark in meta page 0 flips.
/// store.write_at(56, &[std::io::IoSlice::new(&[0xFF])])?;
/// assert_eq!(RawFile::new(store, None)?.meta(0), Err(MetaFault::Checksum));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetaFault {
    /// The magic number is wrong: this is no meta page, or it was overwritten.
    #[error("it is no meta page (wrong magic number)")]
    NotAMeta,
    /// A machine of the other byte order wrote it.
    #[error("it was written on a machine of the other byte order")]
    ByteSwapped,
    /// The format has another version.
    #[error("it has format version {found}, not 2")]
    Version {
        /// The version found.
        found: u32,
    },
    /// The checksum does not match the fields.
    #[error("its checksum is wrong")]
    Checksum,
    /// The checksum is right, but the page size is invalid.
    #[error("its page size, {found} bytes, is invalid")]
    PageSize {
        /// The size found.
        found: u32,
    },
}

impl From<MetaError> for MetaFault {
    fn from(error: MetaError) -> Self {
        match error {
            MetaError::NotAMeta => Self::NotAMeta,
            MetaError::ByteSwapped => Self::ByteSwapped,
            MetaError::Version(found) => Self::Version { found },
            MetaError::Checksum => Self::Checksum,
            MetaError::PageSize(found) => Self::PageSize { found },
        }
    }
}

impl From<Meta> for RawMeta {
    fn from(meta: Meta) -> Self {
        let Meta { page_size, flags, root, root_sequence, freelist, high_water, tx, extension: _ } = meta;
        Self { page_size, flags, root_page: root, root_sequence, freelist_page: freelist, high_water, tx }
    }
}

impl From<RawMeta> for Meta {
    fn from(meta: RawMeta) -> Self {
        let RawMeta { page_size, flags, root_page, root_sequence, freelist_page, high_water, tx } = meta;
        // An extension is bound to the meta that it was written with. An edited meta has none.
        let extension = Extension::NONE;
        let (root, freelist) = (root_page, freelist_page);
        Self { page_size, flags, root, root_sequence, freelist, high_water, tx, extension }
    }
}

/// The first sector of a meta page, or less where the file ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct MetaBytes {
    bytes: [u8; SECTOR],
    len: usize,
}

impl MetaBytes {
    /// Reads what the file has of the sector at byte `at`. A meta that is cut off counts as missing.
    pub(super) fn read(store: &dyn PageStore, at: u64) -> Result<Self> {
        let (len, mut bytes) = (Meta::readable(at, store.len()), [0; SECTOR]);
        assert!(len == 0 || (META_BYTES..=SECTOR).contains(&len), "a meta is read whole or not at all");
        if let Some(sector) = bytes.get_mut(..len).filter(|sector| !sector.is_empty()) {
            store.read_at(at, sector)?;
        }
        Ok(Self { bytes, len })
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(super) fn judged(&self) -> Result<Meta, MetaFault> {
        Meta::parse(self.bytes()).map_err(MetaFault::from)
    }

    /// The meta of a checkpoint, if it is one.
    pub(super) fn marked(&self) -> Option<MarkedMeta> {
        MarkedMeta::parse(self.bytes())
    }

    pub(super) fn fields(&self) -> Option<Meta> {
        Meta::fields(self.bytes())
    }

    pub(super) fn checksum(&self) -> Option<u64> {
        Meta::stored_checksum(self.bytes())
    }

    /// The same bytes with these fields, magic number, version and checksum, and with the extension of `meta`.
    pub(super) fn with(&self, slot: u64, meta: &Meta) -> Vec<u8> {
        let mut sector = self.bytes.to_vec();
        meta.write(slot, &mut sector);
        sector.truncate(self.len.max(META_BYTES));
        sector
    }
}
