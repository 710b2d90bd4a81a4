//! What is remembered of a branch: the heads of its keys, and the children.
//!
//! The content is the columns of the heads; the *samples*, every eighth head; the heads; and the page numbers of the
//! children. The samples lead to the half of a cache line that has the head. If there are more children than have a place,
//! only some have their heads, and none its page number.

use super::columns::{Columns, head_of};
use super::frame::Shape;
use super::lanes::Lanes;
use super::{BRANCH_CONTENT, Below, Narrowed};
use crate::format::{Branch, Kind};
use crate::store::sync::AtomicU64;

type Heads = Lanes<32>;

const BITS: u32 = 31;
const COLUMN_WORDS: usize = 2;

/// Heads between a sample and the next, and the words that they take.
const GROUP: usize = 8;
const GROUP_WORDS: usize = GROUP / Heads::IN_WORD;

/// Words of heads, as many for children, and those of a sample for each group.
const HEAD_WORDS: usize = 14 * GROUP_WORDS;
const SAMPLE_WORDS: usize = HEAD_WORDS / GROUP_WORDS / Heads::IN_WORD;
const HEADS: usize = HEAD_WORDS * Heads::IN_WORD;

/// Where `key` is in the branch `page`.
#[inline]
pub(super) fn search(shape: Shape, content: &[AtomicU64; BRANCH_CONTENT], page: u64, key: &[u8]) -> Option<Narrowed> {
    let (columns, rest) = content.split_first_chunk::<COLUMN_WORDS>()?;
    let (samples, rest) = rest.split_first_chunk::<SAMPLE_WORDS>()?;
    let (heads, children) = rest.split_first_chunk::<HEAD_WORDS>()?;
    let head = head_of::<BITS>(shape, columns, key);
    let group = Heads::less(samples, head).saturating_sub(1);
    let words = heads.as_chunks::<GROUP_WORDS>().0.get(group)?;
    let less = group.wrapping_mul(GROUP).wrapping_add(Heads::less(words, head)).min(shape.heads());
    let (low, high) = shape.range(less, Heads::end_of_equals(heads, less, shape.heads(), head));
    let child = (shape.places && low == high).then(|| Heads::get(children, low.saturating_sub(1)));
    Some(Narrowed { low, high, header: shape.header(page, Kind::Branch), child, data: (0, 0), below: shape.below() })
}

/// Child `index`, if there is one and the children are here.
#[inline]
pub(super) fn child(shape: Shape, content: &[AtomicU64; BRANCH_CONTENT], index: usize) -> Option<u64> {
    let children = content.get(COLUMN_WORDS + SAMPLE_WORDS + HEAD_WORDS..)?;
    (shape.places && index < usize::from(shape.count)).then(|| Heads::get(children, index))
}

/// What to remember of `branch`, which takes `pages` pages; `below` tells of what kind a child is. None if it is damaged or too large.
pub(super) fn summarize(
    branch: &Branch<'_>,
    pages: u64,
    below: impl FnOnce(u64) -> Below,
) -> Option<(Shape, [u64; BRANCH_CONTENT])> {
    let count = branch.count();
    let stride = count.div_ceil(HEADS);
    // First, since a page that is too large is met here at each search.
    let strides = u8::try_from(stride).ok()?;
    let columns = Columns::<BITS, COLUMN_WORDS>::of((0..count).map(|index| branch.key(index).ok()), true)?;
    let mut content = [0; BRANCH_CONTENT];
    let (of_columns, rest) = content.split_at_mut_checked(COLUMN_WORDS)?;
    of_columns.copy_from_slice(&columns.words);
    let (of_samples, rest) = rest.split_at_mut_checked(SAMPLE_WORDS)?;
    let (of_heads, of_children) = rest.split_at_mut_checked(HEAD_WORDS)?;
    let head_at = |index| branch.key(index).ok().map(|key| columns.head(key));
    Heads::pack(of_samples, (0..count).step_by(stride.saturating_mul(GROUP)).map(head_at))?;
    Heads::pack(of_heads, columns.ascending((0..count).step_by(stride).map(|index| branch.key(index).ok())))?;
    let child = |index| u32::try_from(branch.child(index).ok()?).ok().map(u64::from);
    let places = stride == 1 && Heads::pack(of_children, (0..count).map(child)).is_some();
    let below = below(branch.child(0).ok()?);
    debug_assert!(stride >= 1 && stride <= count, "the first element has its head in the frame");
    let shape = Shape {
        count: u16::try_from(count).ok()?,
        overflow: u16::try_from(pages.checked_sub(1)?).ok()?,
        stride: strides,
        prefix: columns.prefix,
        run: columns.run,
        places,
        below: (below == Below::Leaves, below == Below::Branches),
    };
    Some((shape, content))
}
