//! Meta pages, judged and not.

use crate::format::{META_BYTES, Meta, MetaError};

/// The fields of a meta page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RawMeta {
    /// Bytes of a page.
    pub page_size: u32,
    /// 0, unless a repair tool has set some.
    pub flags: u32,
    /// The page that the root bucket starts at.
    pub root_page: u64,
    /// The root bucket's counter, which nothing uses.
    pub root_sequence: u64,
    /// The page that the list of free pages starts at, or [`NO_FREELIST`](super::NO_FREELIST).
    pub freelist_page: u64,
    /// The first page that was never used.
    pub high_water: u64,
    /// The transaction whose state this is.
    pub tx: u64,
}

/// Why a meta page is not valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetaFault {
    /// The magic number is another: no meta page, or one that was overwritten.
    #[error("it is no meta page (the magic number is another)")]
    NotAMeta,
    /// Written on a machine of the other byte order.
    #[error("it was written on a machine of the other byte order")]
    ByteSwapped,
    /// Another version of the format.
    #[error("it has format version {found}, not 2")]
    Version {
        /// The version found.
        found: u32,
    },
    /// The checksum does not fit the fields.
    #[error("its checksum is wrong")]
    Checksum,
    /// The checksum is right and the page size cannot be.
    #[error("its page size of {found} bytes cannot be")]
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
        let Meta { page_size, flags, root, root_sequence, freelist, high_water, tx } = meta;
        Self { page_size, flags, root_page: root, root_sequence, freelist_page: freelist, high_water, tx }
    }
}

impl From<RawMeta> for Meta {
    fn from(meta: RawMeta) -> Self {
        let RawMeta { page_size, flags, root_page, root_sequence, freelist_page, high_water, tx } = meta;
        Self { page_size, flags, root: root_page, root_sequence, freelist: freelist_page, high_water, tx }
    }
}

/// The bytes of a meta page that mean anything, or fewer where the file ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct MetaBytes {
    bytes: [u8; META_BYTES],
    len: usize,
}

impl MetaBytes {
    /// Of a file that ends before its meta page does.
    pub(super) const MISSING: Self = Self { bytes: [0; META_BYTES], len: 0 };

    pub(super) const fn new(bytes: [u8; META_BYTES]) -> Self {
        Self { bytes, len: META_BYTES }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(super) fn judged(&self) -> Result<Meta, MetaFault> {
        Meta::parse(self.bytes()).map_err(MetaFault::from)
    }

    pub(super) fn fields(&self) -> Option<Meta> {
        Meta::fields(self.bytes())
    }

    pub(super) fn checksum(&self) -> Option<u64> {
        Meta::stored_checksum(self.bytes())
    }

    /// The same bytes with these fields, magic number, version and checksum.
    pub(super) fn with(&self, slot: u64, meta: &Meta) -> Vec<u8> {
        let mut page = self.bytes.to_vec();
        meta.write(slot, &mut page);
        page
    }
}
