//! Repairs: bytes and their offset, and the copy that receives them.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use freelist_core::PageId;
use pagefile_std::{NewFile, Operation, StoreError};

use super::file::RawFile;
use super::meta::{MetaBytes, RawMeta};
use super::page::{RawItem, RawPage};
use crate::error::{Error, Result};
use crate::format::{
    BUCKET_FLAG, Extension, Header, Kind, META_BYTES, Meta, MetaError, NO_FREELIST, NODE_BYTES_MAX, Node, SECTOR,
    set_header,
};
use crate::store::{DirtyNode, NodeKind};

/// A repair: bytes that replace others at one offset of a file. [`RawFile::write_copy`] applies it to a copy.
///
/// ```
/// # let store = std::sync::Arc::new(kv::MemStore::new());
/// # drop(kv::Options::new().open_store(Box::new(store.clone()))?);
/// use kv::surgery::{Edit, RawFile, RawMeta};
///
/// # let directory = tempfile::tempdir()?;
/// let file = RawFile::new(store, None)?;
/// let meta = RawMeta { tx: 100, ..file.meta(0)? };
/// let edit: Edit = file.edit_meta(0, &meta)?;
/// let copy = directory.path().join("copy.db");
/// file.write_copy(&copy, &[edit], |_bytes| ())?;
/// assert_eq!(kv::Db::open(&copy)?.begin_read().id(), kv::TxId::new(100));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    offset: u64,
    bytes: Vec<u8>,
}

/// The outcome of [`RawFile::clear_elements`].
///
/// ```
/// # let store = std::sync::Arc::new(kv::MemStore::new());
/// # let db = kv::Options::new().open_store(Box::new(store.clone()))?;
/// # db.update(|tx| ["a", "b"].iter().try_for_each(|name| tx.create_bucket(name).map(drop)))?;
/// # let root = db.begin_read().root_page();
/// # drop(db);
/// let file = kv::surgery::RawFile::new(store, None)?;
/// let cleared: kv::surgery::Cleared = file.clear_elements(root, 1, None)?;
/// assert_eq!((cleared.elements, cleared.leaves_orphans), (1, false));
/// # Ok::<_, kv::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Cleared {
    /// The repair.
    pub edit: Edit,
    /// The number of elements that the repair drops.
    pub elements: usize,
    /// Whether there may be pages below the dropped elements. The trees then no longer use these pages, and the list of
    /// free pages does not have them.
    pub leaves_orphans: bool,
}

impl Edit {
    /// `bytes` in place of those at `offset`.
    pub(super) const fn new(offset: u64, bytes: Vec<u8>) -> Self {
        Self { offset, bytes }
    }
}

impl RawFile {
    /// Returns the repair that gives meta page `slot`, 0 or 1, these fields and the checksum of them. O(1).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for another slot.
    pub fn edit_meta(&self, slot: usize, fields: &RawMeta) -> Result<Edit> {
        let page = slot as u64;
        let meta = self.metas.get(slot).ok_or_else(|| no_meta(slot))?;
        let bytes = meta.with(page, &(*fields).into());
        assert_eq!(Meta::fields(&bytes).map(RawMeta::from), Some(*fields), "a meta is read as it was edited");
        assert_ne!(Meta::parse(&bytes), Err(MetaError::Checksum), "an edited meta has the checksum of its fields");
        let page_size = u64::from(self.page_size);
        assert!(bytes.len() as u64 <= page_size, "a meta lies within its page");
        Ok(Edit { offset: page.saturating_mul(page_size), bytes })
    }

    /// Returns the repair that undoes the last transaction: it replaces the newer meta page by the older. O(1).
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a meta page is not valid: then there is no older state.
    pub fn revert_meta(&self) -> Result<Edit> {
        let newest = self.newest_slot().unwrap_or(0);
        let other = usize::from(newest == 0);
        let older = self.meta(other).map_err(|_| invalid(other))?;
        let newer = self.meta(newest).map_err(|_| invalid(newest))?;
        assert!(older.tx <= newer.tx, "the state before has no larger transaction id");
        self.edit_meta(newest, &older)
    }

    /// Returns the repair that makes the state of meta page `slot`, 0 or 1, that of the file: it replaces the other meta page
    /// by this one. For a file whose two meta pages [disagree](Self::metas_disagree). O(1).
    ///
    /// ```
    /// # let store = std::sync::Arc::new(kv::MemStore::new());
    /// # drop(kv::Options::new().open_store(Box::new(store.clone()))?);
    /// # let directory = tempfile::tempdir()?;
    /// use kv::surgery::RawFile;
    ///
    /// let file = RawFile::new(store, None)?;
    /// let copy = directory.path().join("copy.db");
    /// file.write_copy(&copy, &[file.choose_meta(0)?], |_bytes| ())?;
    /// assert_eq!(kv::Db::open(&copy)?.begin_read().id(), kv::TxId::new(0));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - [`Error::InvalidOption`] for another slot.
    /// - [`Error::Corrupt`] if the meta page is not valid.
    pub fn choose_meta(&self, slot: usize) -> Result<Edit> {
        let other = match slot {
            0 => 1,
            1 => 0,
            _ => return Err(no_meta(slot)),
        };
        let chosen = self.meta(slot).map_err(|_| invalid(slot))?;
        let edit = self.edit_meta(other, &chosen)?;
        assert_eq!(Meta::parse(&edit.bytes).map(RawMeta::from), Ok(chosen), "both metas are the chosen one");
        Ok(edit)
    }

    /// Returns the repairs that remove the freelist from each valid meta page. Opening the file then finds the free pages
    /// by a walk over all trees. O(1).
    ///
    /// # Errors
    /// [`Error::Corrupt`] if no meta page is valid.
    pub fn abandon_freelist(&self) -> Result<Vec<Edit>> {
        let valid = (0..2).filter_map(|slot| Some((slot, self.meta(slot).ok()?)));
        let edits: Vec<Edit> = valid
            .map(|(slot, meta)| self.edit_meta(slot, &RawMeta { freelist_page: NO_FREELIST, ..meta }))
            .collect::<Result<_>>()?;
        assert!(
            edits.iter().all(|edit| Meta::parse(&edit.bytes).is_ok()),
            "a valid meta stays valid without a freelist"
        );
        if edits.is_empty() { Err(invalid(0)) } else { Ok(edits) }
    }

    /// Returns the repair that copies page `from` with its overflow pages over page `to` and as many pages after it.
    /// O(bytes of the pages).
    ///
    /// # Errors
    /// - [`Error::Corrupt`] if `from` has no valid header, or the pages reach beyond the end of the file.
    /// - [`Error::Store`] if the store cannot be read.
    pub fn copy_page(&self, from: PageId, to: PageId) -> Result<Edit> {
        let RawPage { header, mut bytes, .. } = self.page(from)?;
        let header = Header { id: to.get(), ..header };
        set_header(&mut bytes, header);
        assert_eq!(Header::parse(&bytes), Ok(header), "the copy says its own number");
        self.edit_pages(to, bytes)
    }

    /// Returns the repair that drops the elements `from..to` of page `id`, a branch or leaf. `None` as `to` means all from
    /// `from` on. O(bytes of the pages).
    ///
    /// Only the elements that stay must be sound. The page keeps its overflow pages. A branch that loses all elements becomes
    /// an empty leaf. A page with an invalid header, or with the header of another page, also becomes an empty leaf if all
    /// elements go; it then loses its overflow pages.
    ///
    /// # Errors
    /// - [`Error::InvalidOption`] if the range is empty, or the page has no such elements.
    /// - [`Error::Corrupt`] if the page is of another kind, lies beyond the end of the file, or has damage in its header or
    ///   in an element that stays.
    /// - [`Error::Store`] if the store cannot be read.
    pub fn clear_elements(&self, id: PageId, from: usize, to: Option<usize>) -> Result<Cleared> {
        let page = match self.page(id) {
            // Such a header cannot be trusted, not even about its overflow pages.
            Ok(RawPage { header, .. }) if from == 0 && to.is_none() && header.id != id.get() => {
                return self.emptied(id);
            }
            Err(Error::Corrupt { .. }) if from == 0 && to.is_none() => return self.emptied(id),
            page => page?,
        };
        let Header { kind, count, .. } = page.header;
        if !matches!(kind, Kind::Branch | Kind::Leaf) {
            return Err(Error::Corrupt { page: id, what: "only branch and leaf pages have elements to clear".into() });
        }
        let count = usize::from(count);
        let end = to.unwrap_or(count);
        let whole = from == 0 && end == count;
        if from > end || end > count || (from == end && !whole) {
            let (option, value) = if from >= count { ("first element", from) } else { ("last element", end) };
            let expected = "one of the page's elements, numbered from 0, and not before the first to clear";
            return Err(Error::InvalidOption { option, value: value as u64, expected });
        }
        let leaves_orphans = kind == Kind::Branch || (from..end).any(|index| has_pages(&page, index));
        let edit = self.edit_pages(id, without(&page, from, end)?)?;
        assert_eq!(edit.bytes.len(), page.bytes.len(), "a repair of a page changes no other page");
        Ok(Cleared { edit, elements: end.saturating_sub(from), leaves_orphans })
    }

    /// The edits that take the extension from each meta page that has one: what it says of pages may not be true of a
    /// repaired copy.
    fn without_extensions(&self) -> Vec<Edit> {
        // That of a checkpoint has the place of its log there.
        let extended = |meta: &MetaBytes| {
            meta.marked().is_none() && meta.fields().is_some_and(|meta| meta.extension != Extension::NONE)
        };
        let offsets = (META_BYTES as u64..).step_by(self.page_size as usize);
        let extensions = offsets.zip(&self.metas).filter(|(_, meta)| extended(meta));
        extensions.map(|(offset, _)| Edit { offset, bytes: vec![0; SECTOR.saturating_sub(META_BYTES)] }).collect()
    }

    /// The repair that makes page `id` an empty leaf.
    fn emptied(&self, id: PageId) -> Result<Cleared> {
        let header = Header { id: id.get(), kind: Kind::Leaf, count: 0, overflow: 0 };
        let blank = RawPage { at: id, header, bytes: self.bytes(id)? };
        let edit = self.edit_pages(id, without(&blank, 0, 0)?)?;
        Ok(Cleared { edit, elements: 0, leaves_orphans: true })
    }

    /// The repair that makes `bytes` the page `id` with its overflow pages.
    fn edit_pages(&self, id: PageId, bytes: Vec<u8>) -> Result<Edit> {
        let (len, page_size) = (bytes.len() as u64, u64::from(self.page_size));
        assert!(len > 0 && len.is_multiple_of(page_size), "a repair of pages replaces whole pages");
        Ok(Edit { offset: self.offset(id, len.div_euclid(page_size))?, bytes })
    }

    /// Writes a copy of the file with these repairs to a new file at `path`. The copy's list of free pages has no seal, since
    /// a repair may change what is free: opening the copy for writing checks the list by a walk. The new file is durable when this returns, and
    /// after a crash it is whole or absent. `progress` gets the number of bytes copied so far. O(bytes of the file).
    ///
    /// # Errors
    /// [`Error::Store`] if a file of this name exists, or reading or writing fails; then there is no new file.
    pub fn write_copy(&self, path: impl AsRef<Path>, edits: &[Edit], progress: impl FnMut(u64)) -> Result<()> {
        let path = path.as_ref();
        let mut new = NewFile::beside(path)?;
        self.write_to(new.file(), edits, progress).map_err(|error| match error {
            Error::Stream { source, .. } => {
                let (operation, path) = (Operation::Create, path.to_path_buf());
                Error::Store(StoreError::Io { operation, path, offset: None, source })
            }
            error => error,
        })?;
        Ok(new.finish(true)?)
    }

    /// Writes a copy of the file with these repairs to `target`. `progress` gets the number of bytes copied so far. O(bytes
    /// of the file).
    ///
    /// # Errors
    /// - [`Error::Stream`] if `target` fails.
    /// - [`Error::Store`] if the file cannot be read.
    pub fn write_to(
        &self,
        target: &mut (impl Write + Seek),
        edits: &[Edit],
        mut progress: impl FnMut(u64),
    ) -> Result<()> {
        const PIECE: u64 = 1 << 20;
        let written = |source| Error::Stream { what: "write the copy", source };
        let (mut at, mut piece) = (0u64, Vec::new());
        let len = self.store.len();
        while at < len {
            let left = PIECE.min(len.saturating_sub(at));
            piece.resize(usize::try_from(left).unwrap_or(0), 0);
            assert!(!piece.is_empty(), "each piece brings the copy nearer to its end");
            self.store.read_at(at, &mut piece)?;
            target.write_all(&piece).map_err(written)?;
            at = at.saturating_add(piece.len() as u64);
            progress(at);
        }
        assert_eq!(at, len, "a copy ends where the file does");
        let unsealed = self.without_extensions();
        for edit in unsealed.iter().chain(edits) {
            let placed = target.seek(SeekFrom::Start(edit.offset)).and_then(|_at| target.write_all(&edit.bytes));
            placed.map_err(written)?;
        }
        Ok(())
    }
}

/// Whether a leaf's element is a bucket with pages, or is damaged so that it may be one.
fn has_pages(page: &RawPage, index: usize) -> bool {
    match page.item(index) {
        Ok(Some(RawItem::Bucket { root_page, .. })) => root_page.get() != 0,
        Ok(item) => item.is_none(),
        Err(_) => true,
    }
}

/// The bytes of the page without the elements `from..to`, packed.
///
/// The elements that stay keep their order, which may be wrong: the page may be damaged. So this node is never sealed.
fn without(page: &RawPage, from: usize, to: usize) -> Result<Vec<u8>> {
    let Header { kind, count, overflow, .. } = page.header;
    let id = page.at.get();
    assert!(from <= to && to <= usize::from(count), "the elements to drop are on the page");
    let kept = (0..from).chain(to..usize::from(count));
    let kind = if kept.clone().next().is_none() { Kind::Leaf } else { kind };
    let mut node = DirtyNode::empty(if kind == Kind::Branch { NodeKind::Branch } else { NodeKind::Leaf }, Vec::new());
    for (at, index) in kept.enumerate() {
        let Some(item) = page.item(index)? else { unreachable!("a page has as many elements as its header says") };
        let len = item.packed_len();
        if node.size().saturating_add(len) > page.bytes.len().min(NODE_BYTES_MAX) {
            return Err(Error::Corrupt { page: page.at, what: "elements overlap".into() });
        }
        let before = node.size();
        match item {
            RawItem::Child { key, page } => node.insert_branch(at, key, page.get()),
            RawItem::Value { key, value } => node.insert_leaf(at, 0, key, value),
            RawItem::Bucket { key, value, .. } => node.insert_leaf(at, BUCKET_FLAG, key, value),
            RawItem::Free { .. } => unreachable!("neither a branch nor a leaf has free pages"),
        }
        assert_eq!(node.size().checked_sub(before), Some(len), "an element takes the room that was measured");
    }
    let count = u16::try_from(node.count()).unwrap_or(u16::MAX);
    let header = Header { id, kind, count, overflow };
    let mut bytes = node.into_buffer();
    bytes.resize(page.bytes.len(), 0);
    set_header(&mut bytes, header);
    assert!(Node::parse(&bytes, header).is_ok_and(|kept| kept.count() == usize::from(count)), "what stays is a node");
    Ok(bytes)
}

fn no_meta(slot: usize) -> Error {
    Error::InvalidOption { option: "meta page", value: slot as u64, expected: "0 or 1" }
}

fn invalid(slot: usize) -> Error {
    Error::Corrupt { page: PageId::new(slot as u64), what: "meta page is not valid".into() }
}
