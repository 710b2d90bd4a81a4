//! The pages that one write transaction changes: copies in memory, until the commit gives them page numbers.

use freelist_core::{PageId, Span};
use pagefile_std::View;

use super::early::{EarlyPages, EarlyWriting};
use super::freed::FreedPages;
use super::pages::{BEYOND, SHARED, corrupt};
use super::{DirtyNode, Link, NodeKind, Pages, ResidentView, Slot};
use crate::error::Result;
use crate::format::{Malformed, Node};

/// Copy on write: the snapshot that the transaction began with, and its changed nodes.
///
/// **Invariant:** no page of the snapshot is ever written; a changed page is copied here and its number noted in
/// `freed`. Dropping the write set is the rollback.
#[derive(Debug)]
pub(crate) struct WriteSet {
    pub(super) view: View<'static>,
    /// Pages of the snapshot that are in memory and not in the file.
    resident: Option<ResidentView<'static>>,
    pub(super) page_size: u32,
    high_water: u64,
    nodes: Vec<DirtyNode>,
    vacant: Vec<Slot>,
    buffers: Vec<Vec<u8>>,
    freed: FreedPages,
    pub(super) early: EarlyPages,
    /// All nodes have their pages: none may be added.
    frozen: bool,
    shape: u64,
    /// Some node lost an element: there may be something to merge.
    pub(crate) any_shrunk: bool,
    /// Nodes split so far.
    pub(crate) splits: u64,
    /// Nodes merged or removed so far.
    pub(crate) merges: u64,
}

impl WriteSet {
    /// `buffers` are used again for the nodes.
    pub(crate) fn new(early: EarlyWriting, page_size: u32, high_water: u64, buffers: Vec<Vec<u8>>) -> Self {
        Self {
            view: early.store.view_owned(),
            resident: None,
            page_size,
            high_water,
            nodes: Vec::new(),
            vacant: Vec::new(),
            buffers,
            freed: FreedPages::default(),
            early: EarlyPages::new(early, high_water),
            frozen: false,
            shape: 0,
            any_shrunk: false,
            splits: 0,
            merges: 0,
        }
    }

    /// The same over a snapshot of which `resident` has some pages.
    pub(crate) fn with_resident(mut self, resident: Option<ResidentView<'static>>) -> Self {
        self.resident = resident;
        self
    }

    /// Everything that the transaction sees.
    #[inline]
    pub(crate) fn pages(&self) -> Pages<'_> {
        let pages = Pages::new(&self.view, &self.nodes, self.page_size, self.early.end());
        pages.over_snapshot(self.high_water).with_resident(self.resident.as_ref())
    }

    /// What the transaction began with, without its changes.
    pub(crate) fn snapshot(&self) -> Pages<'_> {
        Pages::new(&self.view, &[], self.page_size, self.high_water).with_resident(self.resident.as_ref())
    }

    pub(crate) const fn page_size(&self) -> usize {
        self.page_size as usize
    }

    pub(crate) const fn high_water(&self) -> u64 {
        self.high_water
    }

    #[allow(clippy::indexing_slicing, reason = "a slot is the index of a node, and the list never becomes shorter")]
    pub(crate) fn dirty(&self, slot: Slot) -> &DirtyNode {
        &self.nodes[slot.index()]
    }

    #[allow(clippy::indexing_slicing, reason = "a slot is the index of a node, and the list never becomes shorter")]
    pub(crate) fn dirty_mut(&mut self, slot: Slot) -> &mut DirtyNode {
        &mut self.nodes[slot.index()]
    }

    /// The node at `slot` in packed form, which every edit but an insertion wants. O(1) if it is packed, O(its bytes) if not.
    pub(crate) fn packed(&mut self, slot: Slot) -> &mut DirtyNode {
        if !self.dirty(slot).is_packed() {
            self.pack(slot);
        }
        self.dirty_mut(slot)
    }

    fn pack(&mut self, slot: Slot) {
        let node = self.dirty(slot);
        let (size, before) = (node.size(), node.capacity());
        // A small node does not get the buffer of a page.
        let scratch = if before < self.buffer_size() { Vec::with_capacity(size) } else { self.buffer() };
        let buffer = self.dirty_mut(slot).pack(scratch);
        let after = self.dirty(slot).capacity();
        self.early.note(after, before);
        self.keep(buffer);
    }

    /// A number that changes when a node leaves memory, is replaced or cut: a path through the nodes holds as long as it
    /// stays.
    pub(crate) const fn shape(&self) -> u64 {
        self.shape
    }

    /// A new, empty leaf. Its buffer grows with it: most new buckets stay small, and there may be very many.
    pub(crate) fn create_leaf(&mut self) -> Slot {
        self.insert(DirtyNode::empty(NodeKind::Leaf, Vec::new()))
    }

    /// A copy of `node`, the `len` bytes of an inline bucket, in a buffer of that size.
    pub(crate) fn copy_inline(&mut self, node: &Node<'_>, len: usize) -> Result<Slot, Malformed> {
        let node = copied(node, len, Vec::with_capacity(len))?;
        Ok(self.insert(node))
    }

    /// Makes room for `added` bytes more in a node. The buffer of a small node doubles; beyond half a page it becomes a
    /// page's, which would otherwise end up twice as large as it has to be.
    pub(crate) fn make_room(&mut self, slot: Slot, added: usize) {
        let (half, whole) = (self.page_size() / 2, self.buffer_size());
        let node = self.dirty_mut(slot);
        let before = node.capacity();
        if node.size().saturating_add(added) > half {
            node.reserve(whole, added);
        }
        let after = node.capacity();
        self.early.note(after, before);
    }

    /// The node that `link` leads to, changeable: copied here and its page freed, unless it is here already.
    pub(crate) fn touch(&mut self, link: Link) -> Result<Slot> {
        self.touch_if(link, |_, _| Ok(()))
    }

    /// As [`touch`](Self::touch), if the copy passes `check`; nothing has happened if it does not.
    #[inline]
    pub(crate) fn touch_if(
        &mut self,
        link: Link,
        check: impl FnOnce(&Self, &DirtyNode) -> Result<(), Malformed>,
    ) -> Result<Slot> {
        if let Some(slot) = link.slot() {
            assert!(slot.index() < self.nodes.len(), "a link to memory leads to a node of this transaction");
            return Ok(slot);
        }
        let buffer = self.buffer();
        let pages = self.pages();
        let (header, bytes) = pages.page(link.page_id())?;
        let node = Node::parse(bytes, header)
            .and_then(|node| copied(&node, bytes.len(), buffer))
            .and_then(|node| self.check_children(link, node))
            .and_then(|node| check(self, &node).map(|()| node))
            .map_err(|Malformed(what)| corrupt(link, what))?;
        self.free_pages(link, header.pages())?;
        Ok(self.insert(node))
    }

    /// The node that `link` leads to is no longer part of any tree.
    pub(crate) fn discard(&mut self, link: Link) -> Result<()> {
        if let Some(slot) = link.slot() {
            self.vacate(slot);
            return Ok(());
        }
        let (header, _) = self.pages().page(link.page_id())?;
        self.free_pages(link, header.pages())
    }

    /// Takes a node out of memory; its slot is used again.
    pub(crate) fn vacate(&mut self, slot: Slot) {
        let node = self.take(slot);
        self.recycle(node);
        self.vacant.push(slot);
    }

    /// Moves what is in `from` to `to`, whose old content is dropped.
    pub(crate) fn replace(&mut self, to: Slot, from: Slot) {
        assert_ne!(to, from, "a node replaces another");
        let node = self.take(from);
        let old = std::mem::replace(self.dirty_mut(to), node);
        self.recycle(old);
        self.vacant.push(from);
    }

    /// Moves the content of `slot` to another slot and leaves an empty branch in its place: a root that gets a level.
    pub(crate) fn push_down(&mut self, slot: Slot) -> Slot {
        self.reshape();
        let branch = DirtyNode::empty(NodeKind::Branch, self.buffer());
        let node = std::mem::replace(self.dirty_mut(slot), branch);
        self.insert(node)
    }

    /// Cuts a node before element `index`.
    pub(crate) fn split(&mut self, slot: Slot, index: usize) -> Slot {
        self.reshape();
        let buffer = self.buffer();
        let at_end = self.dirty(slot).grew_at_end();
        self.early.note_cut(at_end);
        let upper = self.packed(slot).split_off(index, buffer);
        let lower = self.dirty(slot);
        assert!(lower.count().min(upper.count()) >= lower.fewest(), "a split leaves both halves enough elements");
        self.splits = self.splits.saturating_add(1);
        self.insert(upper)
    }

    /// Appends the elements of `right` to `left` and vacates `right`.
    pub(crate) fn merge(&mut self, left: Slot, right: Slot) {
        self.packed(right);
        let gone = self.take(right);
        let kept = self.dirty(left);
        assert!(
            kept.count().checked_sub(1).is_none_or(|last| gone.count() == 0 || kept.key(last) < gone.key(0)),
            "the keys of the node that is appended are greater"
        );
        self.packed(left).append(&gone);
        self.recycle(gone);
        self.vacant.push(right);
        self.note_merge();
    }

    /// Counts a node that was merged or removed.
    pub(crate) fn note_merge(&mut self) {
        self.merges = self.merges.saturating_add(1);
    }

    /// All nodes have their pages. From here on a node may change in place, and none may be added.
    pub(crate) fn freeze(&mut self) {
        assert!(!self.frozen, "nodes get their pages once");
        self.frozen = true;
    }

    /// The pages of the snapshot that this transaction no longer uses, ascending. O(n log n).
    pub(crate) fn freed(&self) -> Vec<Span> {
        self.freed.ascending()
    }

    /// How many pages of the snapshot this transaction no longer uses.
    pub(crate) fn pages_freed(&self) -> u64 {
        self.freed.pages()
    }

    /// Whether the page that `link` leads to is one that this transaction no longer uses.
    pub(crate) fn has_freed(&self, link: Link) -> bool {
        !link.in_memory() && self.freed.has(link.page_id())
    }

    /// The buffers, for the next transaction: those that this one has used, up to a limit, and half of those that it has left
    /// alone. So a row of large transactions finds its memory again, and small ones after them give it back.
    pub(crate) fn take_buffers(&mut self) -> Vec<Vec<u8>> {
        const KEPT: usize = 64 << 20;
        let kept = KEPT.div_euclid(self.buffer_size());
        let mut buffers = std::mem::take(&mut self.buffers);
        let (whole, large) = (self.buffer_size(), self.page_size().saturating_mul(2));
        let used = std::mem::take(&mut self.nodes).into_iter().map(DirtyNode::into_buffer);
        let used = used.filter(|buffer| (whole..=large).contains(&buffer.capacity()));
        // Those that were used last come last, and are taken first.
        let unused = buffers.len().div_ceil(2);
        buffers.drain(..unused);
        buffers.extend(used.take(kept.saturating_sub(buffers.len())));
        buffers
    }

    /// How many nodes are in memory.
    pub(crate) fn nodes(&self) -> usize {
        assert!(self.vacant.len() <= self.nodes.len(), "a slot is vacant once");
        self.nodes.len().saturating_sub(self.vacant.len())
    }

    /// How many slots there are, vacant ones included.
    pub(crate) fn slots(&self) -> usize {
        self.nodes.len()
    }

    /// A page of the snapshot cannot name a page that this transaction has written: that number is beyond its end.
    fn check_children(&self, link: Link, node: DirtyNode) -> Result<DirtyNode, Malformed> {
        let own = self.early_range();
        if own.is_empty() || own.contains(&link.page_id().get()) || !node.is_branch() {
            return Ok(node);
        }
        let names_own = (0..node.count()).any(|index| own.contains(&node.child(index)));
        if names_own { Err(Malformed(BEYOND)) } else { Ok(node) }
    }

    fn free_pages(&mut self, link: Link, pages: u64) -> Result<()> {
        let span = Span::new(link.page_id(), pages)?;
        assert!(!self.frozen, "no page is freed after nodes have got theirs");
        if self.early.has(span.start()) {
            return if self.early.give_up(span) { Ok(()) } else { Err(corrupt(link, SHARED)) };
        }
        assert!(
            span.start().get() >= 2 && span.end().get() <= self.high_water,
            "a freed page is one of the snapshot's"
        );
        // A page is copied or discarded once. If trees lead to it twice, the second change would be made to another copy.
        if self.freed.add(span) { Ok(()) } else { Err(corrupt(link, SHARED)) }
    }

    fn reshape(&mut self) {
        self.shape = self.shape.wrapping_add(1);
    }

    fn take(&mut self, slot: Slot) -> DirtyNode {
        self.reshape();
        let node = std::mem::take(self.dirty_mut(slot));
        assert!(node.size() > 0, "a slot that is vacant already has no node to take");
        self.early.note(0, node.capacity());
        node
    }

    /// Takes a node in.
    pub(crate) fn insert(&mut self, node: DirtyNode) -> Slot {
        assert!(!self.frozen, "no node is added after the others have got their pages");
        self.early.note(node.capacity(), 0);
        if let Some(slot) = self.vacant.pop() {
            let vacant = std::mem::replace(self.dirty_mut(slot), node);
            assert_eq!(vacant.size(), 0, "a slot that is used again was vacant");
            return slot;
        }
        let slot = Slot::at(self.nodes.len());
        self.nodes.push(node);
        slot
    }

    fn buffer(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_else(|| Vec::with_capacity(self.buffer_size()))
    }

    /// Bytes of a page's buffer: room for one element more than a page, so that the insertion that splits a node does not
    /// move it.
    fn buffer_size(&self) -> usize {
        self.page_size().saturating_mul(5) / 4
    }

    /// Keeps the buffer of a node that is gone, if it is large enough for a page.
    fn recycle(&mut self, gone: DirtyNode) {
        self.keep(gone.into_buffer());
    }

    fn keep(&mut self, buffer: Vec<u8>) {
        if (self.buffer_size()..=self.page_size().saturating_mul(2)).contains(&buffer.capacity()) {
            self.buffers.push(buffer);
        }
    }
}

/// A copy of `node`, which has been checked as a whole: every edit relies on its order.
fn copied(node: &Node<'_>, len: usize, buffer: Vec<u8>) -> Result<DirtyNode, Malformed> {
    let copy = DirtyNode::from_node(node, len, buffer)?;
    if !copy.ascends() {
        return Err(Malformed("keys do not ascend"));
    }
    // Of ascending keys only the first can be empty.
    if copy.count() > 0 && copy.key(0).is_empty() { Err(Malformed("key is empty")) } else { Ok(copy) }
}

/// Page `id` as a span of `pages` pages.
pub(crate) fn page_span(id: u64, pages: u64) -> Result<Span> {
    Ok(Span::new(PageId::new(id), pages)?)
}
