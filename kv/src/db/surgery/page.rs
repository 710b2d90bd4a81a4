//! One page, decoded as far as its bytes allow.

use freelist_core::PageId;

use crate::db::PageKind;
use crate::error::{Error, Result};
use crate::format::{BucketHeader, ELEMENT, FreelistPage, Header, Kind, Malformed, Node};

/// A page of a file with its overflow pages: header and items. [`RawFile::page`](super::RawFile::page) returns it.
///
/// ```
/// # let store = std::sync::Arc::new(kv::MemStore::new());
/// # let db = kv::Options::new().open_store(Box::new(store.clone()))?;
/// # db.update(|tx| tx.create_bucket("b")?.put("key", "value"))?;
/// # let root = db.begin_read().root_page();
/// # drop(db);
/// let file = kv::surgery::RawFile::new(store, None)?;
/// let page: kv::surgery::RawPage = file.page(root)?;
/// assert_eq!((page.id(), page.kind(), page.count()?), (root, kv::PageKind::Leaf, 1));
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RawPage {
    pub(super) at: PageId,
    pub(super) header: Header,
    pub(super) bytes: Vec<u8>,
}

/// An item of a page. [`RawPage::item`] and [`RawPage::items`] return it.
///
/// ```
/// # let store = std::sync::Arc::new(kv::MemStore::new());
/// # let db = kv::Options::new().open_store(Box::new(store.clone()))?;
/// # db.update(|tx| tx.create_bucket("b")?.put("key", "value"))?;
/// # let root = db.begin_read().root_page();
/// # drop(db);
/// use kv::surgery::{RawFile, RawItem};
///
/// let page = RawFile::new(store, None)?.page(root)?;
/// assert!(matches!(page.item(0)?, Some(RawItem::Bucket { key: b"b", .. })));
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RawItem<'p> {
    /// An item of a branch: a child page, and the first key below it.
    Child {
        /// The key.
        key: &'p [u8],
        /// The child page.
        page: PageId,
    },
    /// An item of a leaf: a key and its value.
    Value {
        /// The key.
        key: &'p [u8],
        /// The value.
        value: &'p [u8],
    },
    /// An item of a leaf: a nested bucket.
    Bucket {
        /// The name of the bucket.
        key: &'p [u8],
        /// The root page of the bucket's tree; 0 if the bucket lies inline, in `value`.
        root_page: PageId,
        /// The counter of the bucket.
        sequence: u64,
        /// The bucket header of 16 bytes, followed by the page of an inline bucket.
        value: &'p [u8],
    },
    /// An item of the freelist: a free page.
    Free {
        /// The page.
        page: PageId,
    },
}

impl<'p> RawItem<'p> {
    /// Returns the key, or `None` for an item of the freelist. O(1).
    #[must_use]
    pub const fn key(&self) -> Option<&'p [u8]> {
        match self {
            Self::Child { key, .. } | Self::Value { key, .. } | Self::Bucket { key, .. } => Some(key),
            Self::Free { .. } => None,
        }
    }
}

impl RawItem<'_> {
    /// Bytes that the item takes in a branch or leaf: its element, and its key and value.
    pub(super) fn packed_len(&self) -> usize {
        let data = match self {
            Self::Child { key, .. } => key.len(),
            Self::Value { key, value } | Self::Bucket { key, value, .. } => key.len().saturating_add(value.len()),
            Self::Free { .. } => 0,
        };
        ELEMENT.saturating_add(data)
    }
}

impl RawPage {
    /// Returns the page number in the header. In a sound file it is the number that was asked for. O(1).
    #[must_use]
    pub const fn id(&self) -> PageId {
        PageId::new(self.header.id)
    }

    /// Returns the use of the page. O(1).
    #[must_use]
    pub const fn kind(&self) -> PageKind {
        match self.header.kind {
            Kind::Meta => PageKind::Meta,
            Kind::Branch => PageKind::Branch,
            Kind::Leaf => PageKind::Leaf,
            Kind::Freelist => PageKind::Freelist,
            Kind::SpaceLog => PageKind::SpaceLog,
        }
    }

    /// Returns the number of overflow pages. O(1).
    #[must_use]
    pub const fn overflow(&self) -> u64 {
        self.header.overflow as u64
    }

    /// Returns all bytes, overflow pages included. O(1).
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the number of items; 0 for a meta page or one of the free-space log. O(1).
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the header claims more items than fit.
    pub fn count(&self) -> Result<usize> {
        let count = match self.header.kind {
            Kind::Meta | Kind::SpaceLog => 0,
            Kind::Freelist => self.freelist()?.ids().len(),
            Kind::Branch | Kind::Leaf => self.node()?.count(),
        };
        assert!(count <= self.bytes.len(), "items that fit have a byte at least");
        Ok(count)
    }

    /// Returns item `index`, or `None` at or beyond [`count`](Self::count). O(1).
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the header claims more items than fit, or the item's bytes lie outside the page.
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

    /// Iterates over all items in the order of the page. An item whose bytes lie outside the page is an error; the
    /// iterator then goes on with the next item. O(1) for each item.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the header claims more items than fit.
    pub fn items(&self) -> Result<Box<dyn Iterator<Item = Result<RawItem<'_>>> + '_>> {
        Ok(match self.header.kind {
            Kind::Meta | Kind::SpaceLog => Box::new(std::iter::empty()),
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
        result.map_err(|Malformed(what)| Error::Corrupt { page: self.at, what: what.into() })
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
