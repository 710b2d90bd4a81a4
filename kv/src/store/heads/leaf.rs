//! What is remembered of a leaf: the heads of its keys, and where in the page they begin.
//!
//! The content is the columns of the heads, the heads, and the *places*: where the keys begin, if there is room for that.

use super::columns::{Columns, head_of};
use super::frame::Shape;
use super::lanes::Lanes;
use super::{Below, LEAF_CONTENT, Narrowed};
use crate::format::{Kind, Leaf};
use crate::store::sync::AtomicU64;

type Heads = Lanes<16>;

const BITS: u32 = 15;
const COLUMN_WORDS: usize = 1;

/// Words for heads and places: one half for each if both fit into that.
const ROOM: usize = LEAF_CONTENT - COLUMN_WORDS;
const HALF: usize = ROOM / 2;

/// Where `key` is in the leaf `page`.
#[inline]
pub(super) fn search(shape: Shape, content: &[AtomicU64; LEAF_CONTENT], page: u64, key: &[u8]) -> Option<Narrowed> {
    let (columns, rest) = content.split_first_chunk::<COLUMN_WORDS>()?;
    let (room, _) = rest.split_first_chunk::<ROOM>()?;
    let (heads, places) = room.split_first_chunk::<HALF>()?;
    let head = head_of::<BITS>(shape, columns, key);
    let less = if shape.places { Heads::less(heads, head) } else { Heads::less(room, head) };
    let less = less.min(shape.heads());
    let (low, high) = shape.range(less, Heads::end_of_equals(room, less, shape.heads(), head));
    #[allow(clippy::cast_possible_truncation, reason = "a lane has 16 bits")]
    let place = |index| Heads::get(places, index) as usize;
    let data = if shape.places { (place(low), place(low.wrapping_add(1))) } else { (0, 0) };
    Some(Narrowed { low, high, header: shape.header(page, Kind::Leaf), child: None, data, below: Below::Unknown })
}

/// What to remember of `leaf`, which takes `pages` pages; none if it is empty, damaged or too large.
pub(super) fn summarize(leaf: &Leaf<'_>, pages: u64) -> Option<(Shape, [u64; LEAF_CONTENT])> {
    let count = leaf.count();
    let places = count <= HALF.saturating_mul(Heads::IN_WORD);
    let stride = if places { 1 } else { count.div_ceil(ROOM.saturating_mul(Heads::IN_WORD)) };
    // First, since a page that is too large is met here at each search.
    let strides = u8::try_from(stride).ok()?;
    let columns = Columns::<BITS, COLUMN_WORDS>::of((0..count).map(|index| leaf.key(index).ok()), false)?;
    let mut content = [0; LEAF_CONTENT];
    let (of_columns, rest) = content.split_at_mut_checked(COLUMN_WORDS)?;
    of_columns.copy_from_slice(&columns.words);
    let (of_heads, of_places) = rest.split_at_mut_checked(if places { HALF } else { ROOM })?;
    Heads::pack(of_heads, columns.ascending((0..count).step_by(stride).map(|index| leaf.key(index).ok())))?;
    let key_at = |index| u16::try_from(leaf.key_at(index)?).ok().map(u64::from);
    if places {
        Heads::pack(of_places, (0..count).map(key_at))?;
    }
    debug_assert!(stride >= 1 && stride <= count, "the first element has its head in the frame");
    let shape = Shape {
        count: u16::try_from(count).ok()?,
        overflow: u16::try_from(pages.checked_sub(1)?).ok()?,
        stride: strides,
        prefix: columns.prefix,
        run: columns.run,
        places,
        ..Shape::default()
    };
    Some((shape, content))
}
