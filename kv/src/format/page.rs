//! The 16-byte page header, and the two kinds of page that make a tree.
//!
//! ```text
//! 0 id u64 | 8 flags u16 | 10 count u16 | 12 overflow u32
//! ```

use super::bytes::{put, u16_at, u32_at, u64_at};
use super::leaf::word;
use super::{Branch, ELEMENT, Leaf, Malformed, element_at};

/// Bytes of a page header.
pub(crate) const PAGE_HEADER: usize = 16;

const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const META: u16 = 0x04;
const FREELIST: u16 = 0x10;
const SPACE_LOG: u16 = 0x20;

/// What a page holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Branch,
    Leaf,
    Meta,
    Freelist,
    /// A page of the free-space log: no other library reads it, and to others it is a free page.
    SpaceLog,
}

impl Kind {
    const fn flags(self) -> u16 {
        match self {
            Self::Branch => BRANCH,
            Self::Leaf => LEAF,
            Self::Meta => META,
            Self::Freelist => FREELIST,
            Self::SpaceLog => SPACE_LOG,
        }
    }

    const fn from_flags(flags: u16) -> Option<Self> {
        match flags {
            BRANCH => Some(Self::Branch),
            LEAF => Some(Self::Leaf),
            META => Some(Self::Meta),
            FREELIST => Some(Self::Freelist),
            SPACE_LOG => Some(Self::SpaceLog),
            _ => None,
        }
    }
}

/// A page header, of which only the flags have been checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    pub(crate) count: u16,
    /// How many more contiguous pages belong to this one.
    pub(crate) overflow: u32,
}

impl Header {
    /// How many pages the node takes.
    #[inline]
    pub(crate) fn pages(self) -> u64 {
        u64::from(self.overflow).saturating_add(1)
    }

    #[inline]
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        const SHORT: Malformed = Malformed("page is shorter than its header");
        let flags = u16_at(bytes, 8).ok_or(SHORT)?;
        Ok(Self {
            id: u64_at(bytes, 0).ok_or(SHORT)?,
            kind: Kind::from_flags(flags).ok_or(Malformed("page flags name no kind of page"))?,
            count: u16_at(bytes, 10).ok_or(SHORT)?,
            overflow: u32_at(bytes, 12).ok_or(SHORT)?,
        })
    }
}

/// The 16 bytes of a header.
pub(crate) fn header_bytes(header: Header) -> [u8; PAGE_HEADER] {
    let mut bytes = [0; PAGE_HEADER];
    set_header(&mut bytes, header);
    bytes
}

/// Writes a header at the start of `page`.
pub(crate) fn set_header(page: &mut [u8], header: Header) {
    let fits = put(page, 0, &header.id.to_le_bytes())
        && put(page, 8, &header.kind.flags().to_le_bytes())
        && put(page, 10, &header.count.to_le_bytes())
        && put(page, 12, &header.overflow.to_le_bytes());
    debug_assert!(fits, "a page image is never shorter than its header");
}

/// Overwrites only the element count.
pub(crate) fn set_count(page: &mut [u8], count: u16) {
    let fits = put(page, 10, &count.to_le_bytes());
    debug_assert!(fits, "a page image is never shorter than its header");
}

/// A page of a tree whose element table lies inside it. Its elements are checked as they are read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node<'a> {
    Branch(Branch<'a>),
    Leaf(Leaf<'a>),
}

impl<'a> Node<'a> {
    /// The bytes of header, elements and data, if the data lie in element order with nothing between, as every library
    /// writes them; none if they lie otherwise.
    pub(crate) fn packed(&self) -> Option<&'a [u8]> {
        let bytes = match self {
            Self::Branch(branch) => branch.bytes(),
            Self::Leaf(leaf) => leaf.bytes(),
        };
        let table = element_at(self.count());
        let (mut element_at, mut end) = (PAGE_HEADER as u64, table as u64);
        for element in bytes.get(PAGE_HEADER..table)?.as_chunks::<ELEMENT>().0 {
            let (pos, len) = match self {
                Self::Branch(_) => (word(element, 0), u64::from(word(element, 4))),
                Self::Leaf(_) => {
                    (word(element, 4), u64::from(word(element, 8)).saturating_add(word(element, 12).into()))
                }
            };
            if element_at.saturating_add(pos.into()) != end {
                return None;
            }
            element_at = element_at.saturating_add(ELEMENT as u64);
            end = end.saturating_add(len);
        }
        bytes.get(..usize::try_from(end).ok()?)
    }

    /// Reads `bytes`, the whole page with its overflow, as branch or leaf.
    #[inline]
    pub(crate) fn parse(bytes: &'a [u8], header: Header) -> Result<Self, Malformed> {
        match header.kind {
            Kind::Branch => Branch::parse(bytes, header.count).map(Self::Branch),
            Kind::Leaf => Leaf::parse(bytes, header.count).map(Self::Leaf),
            Kind::Meta | Kind::Freelist | Kind::SpaceLog => {
                Err(Malformed("a tree leads to a page that is neither branch nor leaf"))
            }
        }
    }

    /// The bytes of the page, or pages, that this node was read from.
    pub(crate) const fn page_len(&self) -> usize {
        match self {
            Self::Branch(branch) => branch.bytes().len(),
            Self::Leaf(leaf) => leaf.bytes().len(),
        }
    }

    /// The bytes that this node takes when nothing lies between its elements.
    pub(crate) fn packed_size(&self) -> Result<usize, Malformed> {
        let mut size = element_at(self.count());
        for index in 0..self.count() {
            let data = match self {
                Self::Branch(branch) => branch.key(index)?.len(),
                Self::Leaf(leaf) => {
                    let entry = leaf.entry(index)?;
                    entry.key.len().saturating_add(entry.value.len())
                }
            };
            size = size.saturating_add(data);
        }
        Ok(size)
    }

    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Branch(branch) => branch.count(),
            Self::Leaf(leaf) => leaf.count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_its_bytes() {
        for kind in [Kind::Branch, Kind::Leaf, Kind::Meta, Kind::Freelist] {
            let header = Header { id: 0x0102_0304_0506_0708, kind, count: 0xABCD, overflow: 0xDEAD_BEEF };
            assert_eq!(Header::parse(&header_bytes(header)), Ok(header));
        }
    }

    #[test]
    fn exactly_one_flag_names_a_kind() {
        for flags in 0..=u16::MAX {
            let mut bytes = [0; PAGE_HEADER];
            assert!(put(&mut bytes, 8, &flags.to_le_bytes()));
            assert_eq!(Header::parse(&bytes).is_ok(), matches!(flags, 1 | 2 | 4 | 16 | 32), "{flags:#x}");
        }
    }

    #[test]
    fn short_bytes_are_refused() {
        let bytes = header_bytes(Header { id: 3, kind: Kind::Leaf, count: 0, overflow: 0 });
        for len in 0..PAGE_HEADER {
            assert!(Header::parse(bytes.get(..len).unwrap_or_default()).is_err());
        }
    }
}
