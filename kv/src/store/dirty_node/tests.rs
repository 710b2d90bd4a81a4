//! Edits beside the plainest model: a vector of elements.

use proptest::prelude::*;

use super::*;
use crate::format::Header;

#[derive(Clone, Debug, PartialEq)]
struct Element {
    flags: u32,
    key: Vec<u8>,
    value: Vec<u8>,
    child: u64,
}

fn elements(dirty: &DirtyNode) -> Vec<Element> {
    let bytes = dirty.bytes();
    let node = Node::parse(bytes, Header::parse(bytes).unwrap());
    let node = match node {
        Err(_) if dirty.is_branch() && dirty.count() == 0 => return Vec::new(),
        node => node.unwrap(),
    };
    (0..node.count())
        .map(|index| match &node {
            Node::Branch(branch) => Element {
                flags: 0,
                key: branch.key(index).unwrap().to_vec(),
                value: Vec::new(),
                child: branch.child(index).unwrap(),
            },
            Node::Leaf(leaf) => {
                let entry = leaf.entry(index).unwrap();
                Element { flags: entry.flags, key: entry.key.to_vec(), value: entry.value.to_vec(), child: 0 }
            }
        })
        .collect()
}

/// The packed form, computed from scratch.
fn packed_size(model: &[Element]) -> usize {
    PAGE_HEADER + model.iter().map(|e| ELEMENT + e.key.len() + e.value.len()).sum::<usize>()
}

fn same(dirty: &DirtyNode, model: &[Element]) {
    assert_eq!(elements(dirty), model);
    assert_eq!(dirty.size(), packed_size(model));
    assert_eq!(dirty.count(), model.len());
    for (index, element) in model.iter().enumerate() {
        assert_eq!(dirty.key(index), element.key);
    }
    if model.is_empty() {
        return;
    }
    // Read back and packed, it has nothing else; and if it is packed already, nothing changes.
    let node = Node::parse(dirty.bytes(), Header::parse(dirty.bytes()).unwrap()).unwrap();
    let again = DirtyNode::from_node(&node, dirty.size(), Vec::new()).unwrap();
    assert_eq!(again.bytes().len(), packed_size(model));
    assert_eq!(elements(&again), model);
    assert!(!dirty.is_packed() || again.bytes() == dirty.bytes());
}

/// The same node in packed form.
fn packed(dirty: &mut DirtyNode) -> &mut DirtyNode {
    dirty.pack(vec![9; 5]);
    dirty
}

fn insert(dirty: &mut DirtyNode, model: &mut Vec<Element>, index: usize, element: Element) {
    if dirty.is_branch() {
        dirty.insert_branch(index, &element.key, element.child);
    } else {
        dirty.insert_leaf(index, element.flags, &element.key, &element.value);
    }
    model.insert(index, element);
}

fn element(branch: bool) -> impl Strategy<Value = Element> {
    (0..2u32, prop::collection::vec(any::<u8>(), 0..9), prop::collection::vec(any::<u8>(), 0..20), any::<u64>())
        .prop_map(move |(flags, key, value, child)| {
            if branch {
                Element { flags: 0, key, value: Vec::new(), child }
            } else {
                Element { flags, key, value, child: 0 }
            }
        })
}

proptest! {
    #[test]
    fn edits_equal_the_model(
        branch in any::<bool>(),
        steps in prop::collection::vec((0..7u8, any::<prop::sample::Index>(), element(false), 0..1u64 << 63), 1..60),
    ) {
        let kind = if branch { NodeKind::Branch } else { NodeKind::Leaf };
        let mut dirty = DirtyNode::empty(kind, vec![7; 3]);
        let mut model: Vec<Element> = Vec::new();
        for (step, place, mut new, child) in steps {
            if branch {
                new = Element { flags: 0, value: Vec::new(), child, ..new };
            }
            let inside = (!model.is_empty()).then(|| place.index(model.len().max(1)));
            match (step, inside) {
                (0..=2, _) => {
                    let index = place.index(model.len() + 1);
                    insert(&mut dirty, &mut model, index, new);
                }
                (3, Some(index)) => {
                    packed(&mut dirty).remove(index);
                    model.remove(index);
                }
                (4, Some(index)) if branch => {
                    packed(&mut dirty).replace_key(index, &new.key);
                    model[index].key = new.key;
                    dirty.set_child(index, child);
                    model[index].child = child;
                    prop_assert_eq!(dirty.child(index), child);
                }
                (4, Some(index)) => {
                    // In place, or with all behind it moved.
                    if child % 2 == 0 {
                        new.value = vec![child as u8; model[index].value.len()];
                        dirty.replace_value(index, new.flags, &new.value);
                    } else {
                        packed(&mut dirty).replace_value(index, new.flags, &new.value);
                    }
                    model[index].flags = new.flags;
                    model[index].value = new.value;
                }
                (6, _) => {
                    packed(&mut dirty);
                    prop_assert!(dirty.is_packed());
                }
                (5, Some(index)) => {
                    let upper = packed(&mut dirty).split_off(index, vec![1, 2, 3]);
                    let rest = model.split_off(index);
                    same(&upper, &rest);
                    same(&dirty, &model);
                    packed(&mut dirty).append(&upper);
                    model.extend(rest);
                }
                _ => {}
            }
            same(&dirty, &model);
        }
    }

    /// Keys that share prefixes and go on with zeros; a node that is searched often has heads, which every edit keeps.
    #[test]
    fn a_search_finds_what_a_sorted_list_has(
        branch in any::<bool>(),
        steps in prop::collection::vec((0..8u8, prop::collection::vec(0..3u8, 1..8), 0..3u8), 1..120),
    ) {
        let mut dirty = DirtyNode::empty(if branch { NodeKind::Branch } else { NodeKind::Leaf }, Vec::new());
        let mut model: Vec<Vec<u8>> = Vec::new();
        for (step, rest, prefix) in steps {
            let key = [vec![7; usize::from(prefix) * 3], rest].concat();
            let found = model.binary_search(&key);
            prop_assert_eq!(dirty.seek(&key), found);
            prop_assert_eq!(dirty.search(&key), found);
            match (step, found) {
                (0..=4, Err(index)) => {
                    if branch {
                        dirty.insert_branch(index, &key, 3);
                    } else {
                        dirty.insert_leaf(index, 0, &key, b"value");
                    }
                    model.insert(index, key);
                }
                (5, Ok(index)) => {
                    packed(&mut dirty).remove(index);
                    model.remove(index);
                }
                (6, Err(index) | Ok(index)) if index > 0 && index < model.len() => {
                    let mut upper = packed(&mut dirty).split_off(index, Vec::new());
                    for (at, key) in model[index..].iter().enumerate() {
                        prop_assert_eq!(upper.seek(key), Ok(at));
                    }
                    prop_assert_eq!(dirty.seek(&key), if found == Ok(index) { Err(index) } else { found });
                    packed(&mut dirty).append(&upper);
                }
                (7, Err(0)) if branch && !model.is_empty() => {
                    packed(&mut dirty).replace_key(0, &key);
                    model[0] = key;
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_cut_leaves_something_on_both_sides(
        branch in any::<bool>(),
        fill in prop::option::of(0.0..=1.0f64),
        last in any::<bool>(),
        sizes in prop::collection::vec(0..200usize, 4..60),
    ) {
        let kind = if branch { NodeKind::Branch } else { NodeKind::Leaf };
        let mut dirty = DirtyNode::empty(kind, Vec::new());
        for (index, size) in sizes.iter().enumerate() {
            if branch {
                dirty.insert_branch(index, &vec![1; *size], 5);
            } else {
                dirty.insert_leaf(index, 0, b"k", &vec![1; *size]);
            }
        }
        let least = if branch { 2 } else { 1 };
        let cut = packed(&mut dirty).split_point(1024, fill, last);
        prop_assert!(cut >= least && cut <= sizes.len() - least);
    }
}

#[test]
fn nodes_filled_in_order_stay_full_and_others_are_halved() {
    let fill = |order: &[usize], last| {
        let mut dirty = DirtyNode::empty(NodeKind::Leaf, Vec::new());
        for &index in order {
            dirty.insert_leaf(index, 0, b"key", &[0; 45]);
        }
        packed(&mut dirty).split_point(1024, None, last)
    };
    let ascending: Vec<usize> = (0..16).collect();
    assert_eq!(fill(&ascending, false), 15);
    assert_eq!(fill(&ascending, true), 15);
    assert_eq!(fill(&[0; 16], false), 8);
    // A run in the middle: what is greater than the run leaves.
    let middle: Vec<usize> = [0, 0, 0].into_iter().chain(1..14).collect();
    assert_eq!(fill(&middle, false), 14);
}

#[test]
fn a_node_that_grew_in_order_and_then_from_within_is_halved() {
    // As a bucket of small buckets does when they are spilled into it.
    let mut dirty = DirtyNode::empty(NodeKind::Leaf, Vec::new());
    for index in 0..16 {
        dirty.insert_leaf(index, 0, b"key", &[0; 16]);
    }
    packed(&mut dirty).replace_value(7, 0, &[0; 500]);
    for last in [false, true] {
        assert_eq!(packed(&mut dirty).split_point(1024, None, last), 8);
    }
    packed(&mut dirty).remove(15);
    assert_eq!(packed(&mut dirty).split_point(1024, None, false), 7);
}

#[test]
fn a_sealed_node_is_whole_pages() {
    let mut dirty = DirtyNode::empty(NodeKind::Leaf, Vec::new());
    dirty.insert_leaf(0, 0, b"key", &[9; 2000]);
    packed(&mut dirty).seal(77, 1024);
    assert_eq!(dirty.bytes().len(), 2048);
    let header = Header::parse(dirty.bytes()).unwrap();
    assert_eq!((header.id, header.count, header.overflow), (77, 1, 1));
}

#[test]
fn overlapping_elements_do_not_multiply() {
    // Forty elements that all claim the same kilobyte.
    let mut bytes = vec![0xAA; 4096];
    let mut dirty = DirtyNode::empty(NodeKind::Leaf, Vec::new());
    for _ in 0..40 {
        dirty.insert_leaf(0, 0, b"", b"");
    }
    let size = dirty.size();
    bytes[..size].copy_from_slice(packed(&mut dirty).bytes());
    for index in 0..40 {
        let at = element_at(index);
        bytes[at..at + 16].copy_from_slice(&leaf_element(0, 3000 - at, 500, 500));
    }
    let node = Node::parse(&bytes, Header::parse(&bytes).unwrap()).unwrap();
    assert_eq!(DirtyNode::from_node(&node, bytes.len(), Vec::new()).err(), Some(Malformed("elements overlap")));
}

#[test]
fn a_page_in_any_order_is_packed_when_it_is_read() {
    // Two elements whose data lie the other way round, with a gap between.
    let mut bytes = vec![0; 200];
    let mut dirty = DirtyNode::empty(NodeKind::Leaf, Vec::new());
    dirty.insert_leaf(0, 0, b"a", b"first");
    dirty.insert_leaf(1, 0, b"b", b"second");
    let packed = dirty.bytes().to_vec();
    bytes[..element_at(2)].copy_from_slice(&packed[..element_at(2)]);
    for (index, at, data) in [(0, 150, &b"afirst"[..]), (1, 100, b"bsecond")] {
        let element = element_at(index);
        bytes[element..element + 16].copy_from_slice(&leaf_element(0, at - element, 1, data.len() - 1));
        bytes[at..at + data.len()].copy_from_slice(data);
    }
    let node = Node::parse(&bytes, Header::parse(&bytes).unwrap()).unwrap();
    assert_eq!(node.packed(), None);
    assert_eq!(DirtyNode::from_node(&node, bytes.len(), Vec::new()).unwrap().bytes(), packed);
    // It may fill its page to the last byte, and no more.
    assert!(DirtyNode::from_node(&node, packed.len(), Vec::new()).is_ok());
    assert!(DirtyNode::from_node(&node, packed.len() - 1, Vec::new()).is_err());
}
