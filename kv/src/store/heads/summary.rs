//! From a page to what is remembered of it.

use super::frame::{Below, Shape};
use crate::format::{Node, head};

/// The heads of `node`, and the places of its elements if there is room for them. `below` tells of what kind a child
/// is. None for a page that is damaged, empty, or whose keys share a prefix that takes half of the room or more.
pub(super) fn summarize<const WORDS: usize>(
    node: &Node<'_>,
    pages: u64,
    below: impl FnOnce(u64) -> Below,
) -> Option<(Shape, [u32; WORDS])> {
    let count = node.count();
    let (first, last) = (node.key(0).ok()?, node.key(count.checked_sub(1)?).ok()?);
    let prefix = first.iter().zip(last).take_while(|(a, b)| a == b).count();
    let mut shape = Shape {
        count: u16::try_from(count).ok()?,
        overflow: u16::try_from(pages.checked_sub(1)?).ok()?,
        prefix: u8::try_from(prefix).ok()?,
        ..Shape::default()
    };
    let mut words = [0; WORDS];
    let room = WORDS.checked_sub(shape.prefix_words()).filter(|&room| room > WORDS / 2)?;
    let mut next = words.iter_mut();
    for at in (0..prefix).step_by(4) {
        *next.next()? = head(first.get(..prefix)?, at);
    }
    let place_words = match node {
        Node::Branch(branch) => {
            shape.branch = true;
            let below = below(branch.child(0).ok()?);
            shape.below = (below == Below::Leaves, below == Below::Branches);
            count
        }
        Node::Leaf(_) => count.div_ceil(2),
    };
    shape.places = count.saturating_add(place_words) <= room;
    let stride = if shape.places { 1 } else { count.div_ceil(room) };
    shape.stride = u16::try_from(stride).ok()?;
    let mut before = 0;
    for index in (0..count).step_by(stride) {
        let head = head(node.key(index).ok()?, prefix);
        if head < before {
            // A page that is out of order is searched as it is.
            return None;
        }
        before = head;
        *next.next()? = head;
    }
    if shape.places {
        shape.places = places(node, next).is_some();
    }
    debug_assert!(stride >= 1 && stride <= count, "the first element has its head in the frame");
    Some((shape, words))
}

/// Puts the places of all elements into `words`; none if one of them is too large a number.
fn places<'w>(node: &Node<'_>, mut words: impl Iterator<Item = &'w mut u32>) -> Option<()> {
    match node {
        Node::Branch(branch) => {
            for index in 0..branch.count() {
                *words.next()? = u32::try_from(branch.child(index).ok()?).ok()?;
            }
        }
        Node::Leaf(leaf) => {
            for index in (0..leaf.count()).step_by(2) {
                let at = |index| u16::try_from(leaf.key_at(index)?).ok();
                // An odd number of elements leaves half a word.
                let odd = at(index.saturating_add(1)).unwrap_or(0);
                *words.next()? = u32::from(at(index)?) | u32::from(odd) << 16;
            }
        }
    }
    Some(())
}
