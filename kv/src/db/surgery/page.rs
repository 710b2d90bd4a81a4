//! One page, decoded as far as its bytes allow.

use freelist_core::PageId;

use crate::db::PageKind;
use crate::error::{Error, Result};
use crate::format::{BucketHeader, FreelistPage, Header, Kind, Malformed, Node};

/// A page of a file with its overflow pages: header and items.
#[derive(Clone, Debug)]
pub struct RawPage {
    pub(super) at: PageId,
    pub(super) header: Header,
    pub(super) bytes: Vec<u8>,
}

/// An item of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RawItem<'p> {
    /// Of a branch: a child page, and the first key below it.
    Child {
        /// The key.
        key: &'p [u8],
        /// The child.
        page: PageId,
    },
    /// Of a leaf: a key and its value.
    Value {
        /// The key.
        key: &'p [u8],
        /// The value.
        value: &'p [u8],
    },
    /// Of a leaf: a nested bucket.
    Bucket {
        /// Its name.
        key: &'p [u8],
        /// The page that it starts at; 0 if it lies inline, in `value`.
        root_page: PageId,
        /// Its counter.
        sequence: u64,
        /// Its header of 16 bytes, and its page if it is inline.
        value: &'p [u8],
    },
    /// Of the freelist: a free page.
    Free {
        /// The page.
        page: PageId,
    },
}

impl<'p> RawItem<'p> {
    /// The key, unless this is of a freelist.
    #[must_use]
    pub const fn key(&self) -> Option<&'p [u8]> {
        match self {
            Self::Child { key, .. } | Self::Value { key, .. } | Self::Bucket { key, .. } => Some(key),
            Self::Free { .. } => None,
        }
    }
}

impl RawPage {
    /// The page that it says it is: in a sound file the one that was asked for.
    #[must_use]
    pub const fn id(&self) -> PageId {
        PageId::new(self.header.id)
    }

    /// What it is used for.
    #[must_use]
    pub const fn kind(&self) -> PageKind {
        match self.header.kind {
            Kind::Meta => PageKind::Meta,
            Kind::Branch => PageKind::Branch,
            Kind::Leaf => PageKind::Leaf,
            Kind::Freelist => PageKind::Freelist,
        }
    }

    /// How many more pages belong to it.
    #[must_use]
    pub const fn overflow(&self) -> u64 {
        self.header.overflow as u64
    }

    /// Its bytes, overflow pages included.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many items it has; none for a meta page.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it says more than fit.
    pub fn count(&self) -> Result<usize> {
        Ok(match self.header.kind {
            Kind::Meta => 0,
            Kind::Freelist => self.freelist()?.ids().len(),
            Kind::Branch | Kind::Leaf => self.node()?.count(),
        })
    }

    /// Item `index`: none at or beyond [`count`](Self::count).
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the item's bytes lie outside the page.
    pub fn item(&self, index: usize) -> Result<Option<RawItem<'_>>> {
        if index >= self.count()? {
            return Ok(None);
        }
        if self.header.kind == Kind::Freelist {
            return Ok(self.freelist()?.ids().nth(index).map(|page| RawItem::Free { page: PageId::new(page) }));
        }
        let node = self.node()?;
        self.located(item(&node, index)).map(Some)
    }

    /// All items in the order in which they stand. One whose bytes lie outside the page is an error; the others follow.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the page says that it has more items than fit.
    pub fn items(&self) -> Result<Box<dyn Iterator<Item = Result<RawItem<'_>>> + '_>> {
        Ok(match self.header.kind {
            Kind::Meta => Box::new(std::iter::empty()),
            Kind::Freelist => {
                Box::new(self.freelist()?.ids().map(|page| Ok(RawItem::Free { page: PageId::new(page) })))
            }
            Kind::Branch | Kind::Leaf => {
                let node = self.node()?;
                Box::new((0..node.count()).map(move |index| self.located(item(&node, index))))
            }
        })
    }

    fn node(&self) -> Result<Node<'_>> {
        self.located(Node::parse(&self.bytes, self.header))
    }

    fn freelist(&self) -> Result<FreelistPage<'_>> {
        self.located(FreelistPage::parse(&self.bytes, self.header))
    }

    fn located<T>(&self, result: std::result::Result<T, Malformed>) -> Result<T> {
        result.map_err(|Malformed(what)| Error::Corrupt { page: self.at, what })
    }
}

fn item<'p>(node: &Node<'p>, index: usize) -> std::result::Result<RawItem<'p>, Malformed> {
    match node {
        Node::Branch(branch) => Ok(RawItem::Child { key: branch.key(index)?, page: PageId::new(branch.child(index)?) }),
        Node::Leaf(leaf) => {
            let entry = leaf.entry(index)?;
            let (key, value) = (entry.key, entry.value);
            if !entry.is_bucket() {
                return Ok(RawItem::Value { key, value });
            }
            let BucketHeader { root, sequence } = BucketHeader::parse(value)?;
            Ok(RawItem::Bucket { key, root_page: PageId::new(root), sequence, value })
        }
    }
}
