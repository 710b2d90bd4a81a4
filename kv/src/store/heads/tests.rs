//! What is remembered beside the page itself.
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking, and the numbers here are small"
)]

use std::collections::BTreeSet;

use kv_testkit::Random;

use super::*;
use crate::format::Header;
use crate::store::{DirtyNode, NodeKind};

const ROOM: usize = 1 << 20;

/// Keys that share a prefix and differ in what comes after it, some only in zeros at the end or behind the head.
fn keys(random: &mut Random, count: usize) -> Vec<Vec<u8>> {
    let shared = [0, 1, 3, 4, 5, 30, 60, 300][random.below(8)];
    let prefix = random.bytes(shared);
    let (letters, longest) = (random.within(1, 255), random.within(1, 12));
    let mut keys = BTreeSet::new();
    for _ in 0..count * 4 {
        let rest = (0..random.below(longest + 1)).map(|_| random.below(letters + 1) as u8);
        keys.insert(prefix.iter().copied().chain(rest).collect());
        if keys.len() == count {
            break;
        }
    }
    keys.into_iter().collect()
}

fn child(index: usize) -> u64 {
    1000 + index as u64 * 7
}

fn node_of(keys: &[Vec<u8>], kind: NodeKind) -> DirtyNode {
    let branch = kind == NodeKind::Branch;
    let mut node = DirtyNode::empty(kind, Vec::new());
    for (index, key) in keys.iter().enumerate() {
        if branch { node.insert_branch(index, key, child(index)) } else { node.insert_leaf(index, 0, key, b"value") }
    }
    node
}

fn parsed(node: &DirtyNode) -> Node<'_> {
    Node::parse(node.bytes(), Header::parse(node.bytes()).unwrap()).unwrap()
}

/// A key of the page, one beside it, or any other.
fn sought(random: &mut Random, keys: &[Vec<u8>]) -> Vec<u8> {
    let mut key = keys[random.below(keys.len())].clone();
    match random.below(6) {
        0 => key.push(0),
        1 => _ = key.pop(),
        2 => key = random.bytes(5),
        3 => key.extend(random.bytes(2)),
        _ => {}
    }
    key
}

/// Everything that `narrowed` says of `key`, which the page has, is so.
fn assert_true(narrowed: &Narrowed, key: &[u8], keys: &[Vec<u8>], node: &Node<'_>) {
    assert!(narrowed.low <= narrowed.high && narrowed.high <= keys.len(), "a range of the page's elements");
    assert_eq!(narrowed.header.count as usize, keys.len());
    let Ok(index) = keys.binary_search_by(|other| other.as_slice().cmp(key)) else { return };
    assert!(narrowed.low <= index, "an element before the range is not less");
    if let Some(page) = narrowed.child {
        assert_eq!(page, child(index), "the child is another");
    } else {
        assert!(narrowed.high > index, "an element behind the range is not greater");
    }
    if let Node::Leaf(leaf) = node
        && narrowed.data.0 > 0
    {
        assert_eq!(Some(narrowed.data.0), leaf.key_at(narrowed.low), "the key begins elsewhere");
    }
}

#[test]
fn what_is_remembered_is_what_the_page_says() {
    let mut random = Random::new(1);
    let (mut remembered, mut decided, mut asked, mut children, mut branches) = (0, 0, 0, 0, 0);
    for round in 0..2_000u64 {
        let most = [10, 30, 120, 300][random.below(4)];
        let count = random.within(1, most);
        let (keys, branch) = (keys(&mut random, count), random.one_in(2));
        let node = node_of(&keys, if branch { NodeKind::Branch } else { NodeKind::Leaf });
        let node = parsed(&node);
        let heads = Heads::new(ROOM).unwrap();
        let page = PageId::new(2 + round * 31);
        heads.remember(page, 1, &node, |_| Below::Leaves);
        for _ in 0..20 {
            let key = sought(&mut random, &keys);
            let Some(narrowed) = heads.narrow(page, &key, Below::Unknown) else { continue };
            assert_true(&narrowed, &key, &keys, &node);
            assert_eq!(narrowed.header.kind, if branch { Kind::Branch } else { Kind::Leaf });
            assert_eq!(narrowed.below, if branch { Below::Leaves } else { Below::Unknown });
            asked += 1;
            decided += usize::from(narrowed.high - narrowed.low <= 1);
            if let Node::Branch(_) = node {
                let at = random.below(keys.len() + 1);
                let found = heads.child(page, at);
                (children, branches) = (children + usize::from(found.is_some()), branches + 1);
                assert!(found.is_none_or(|found| at < keys.len() && found == child(at)), "child {at} is another");
            }
        }
        remembered += usize::from(heads.knows(page.get()));
    }
    // The others share a prefix that is longer than the frame has room for.
    assert!(remembered > 1_400, "{remembered} of 2,000 pages");
    assert!(children * 10 > branches * 3, "{children} of {branches} children");
    assert!(decided * 10 > asked * 6, "{decided} of {asked} searches");
}

#[test]
fn bytes_in_the_middle_that_all_keys_share_take_no_room() {
    let heads = Heads::new(ROOM).unwrap();
    let keys: Vec<Vec<u8>> =
        (0..2u8).flat_map(|a| (0..30).map(move |b| [&[a][..], &[0xFF; 8], &[b]].concat())).collect();
    let node = node_of(&keys, NodeKind::Leaf);
    heads.remember(PageId::new(2), 1, &parsed(&node), |_| Below::Unknown);
    for (index, key) in keys.iter().enumerate() {
        let narrowed = heads.narrow(PageId::new(2), key, Below::Unknown).unwrap();
        assert!(narrowed.low <= index && index < narrowed.high && narrowed.high <= narrowed.low + 4, "{narrowed:?}");
    }
}

#[test]
fn a_page_is_forgotten_alone() {
    let heads = Heads::new(ROOM).unwrap();
    let keys: Vec<Vec<u8>> = (0..9u8).map(|byte| vec![byte]).collect();
    for kind in [NodeKind::Leaf, NodeKind::Branch] {
        let node = node_of(&keys, kind);
        for page in 2..40 {
            heads.remember(PageId::new(page), 1, &parsed(&node), |_| Below::Unknown);
        }
        heads.forget(17);
        let known: Vec<u64> =
            (2..40).filter(|&page| heads.narrow(PageId::new(page), &[4], Below::Unknown).is_some()).collect();
        assert_eq!(known, (2..40).filter(|&page| page != 17).collect::<Vec<_>>());
    }
}

#[test]
fn memory_is_taken_as_it_is_needed_and_bounded() {
    let keys: Vec<Vec<u8>> = (0..9u8).map(|byte| vec![byte]).collect();
    let (leaf, branch) = (node_of(&keys, NodeKind::Leaf), node_of(&keys, NodeKind::Branch));
    for bytes in [0, 1, 10_000, 300_000, 2 << 20] {
        let Some(heads) = Heads::new(bytes) else {
            assert!(bytes < 100_000, "there is room for some pages in {bytes} bytes");
            continue;
        };
        assert_eq!(heads.used(), 0);
        for page in 2..100_000 {
            heads.remember(PageId::new(page), 1, &parsed(if page % 64 == 0 { &branch } else { &leaf }), |_| {
                Below::Leaves
            });
        }
        assert!(heads.used() <= bytes, "{} of {bytes} bytes", heads.used());
        assert!(heads.used() * 4 >= bytes * 3 || bytes < 100_000, "{} of {bytes} bytes", heads.used());
    }
}

/// Two pages share a frame; whatever a reader finds is the whole of one of them.
#[test]
fn nobody_sees_half_of_a_page() {
    let pool: Pool<LEAF_WORDS, LEAF_CONTENT, 1> = Pool::new(64 * 128).unwrap();
    let pages = [5u64, 5 + 64];
    let sets = [7, 11].map(|step: u8| (0..9).map(|index| vec![step, index * step]).collect::<Vec<_>>());
    let nodes = [0, 1].map(|which: usize| node_of(&sets[which], NodeKind::Leaf));
    std::thread::scope(|scope| {
        for which in [0, 1] {
            let (pool, sets, nodes) = (&pool, &sets, &nodes);
            scope.spawn(move || {
                let (node, mut random) = (parsed(&nodes[which]), Random::new(which as u64));
                for _ in 0..20_000 {
                    let Node::Leaf(leaf) = node else { unreachable!("a leaf was made") };
                    pool.remember(pages[which], || leaf::summarize(&leaf, 1));
                    let key = sought(&mut random, &sets[which]);
                    let narrow = |shape, content: &_| leaf::search(shape, content, pages[which], &key);
                    if let Some(narrowed) = pool.read(pages[which], narrow) {
                        assert_true(&narrowed, &key, &sets[which], &node);
                    }
                    if random.one_in(8) {
                        pool.forget(pages[which]);
                    }
                }
            });
        }
    });
}
