//! The free space beside a set of page numbers.

use std::collections::BTreeSet;

use freelist_core::SpanMaps;
use proptest::prelude::*;

use super::*;
use crate::format::Extension;

const PAGE: u32 = 1024;

fn meta(high_water: u64) -> Meta {
    let extension = Extension::NONE;
    Meta { page_size: PAGE, flags: 0, root: 3, root_sequence: 0, freelist: NO_FREELIST, high_water, tx: 0, extension }
}

/// The free space of a file of `high_water` pages, of which `free` are free.
fn free_space(high_water: u64, free: &BTreeSet<u64>, max_bytes: Option<u64>) -> FreeSpace {
    let store = pagefile_std::MemStore::new();
    let view = pagefile_std::PageStore::view(&store);
    let pages = Pages::new(&view, &[], PAGE, high_water);
    let walk = || {
        let mut used = PageSet::new(high_water);
        (2..high_water).filter(|page| !free.contains(page)).for_each(|page| _ = used.add(page));
        Ok(used)
    };
    FreeSpace::load(Box::new(SpanMaps::new()), pages, &meta(high_water), max_bytes, walk).unwrap()
}

/// Free and pending pages.
fn listed(space: &FreeSpace) -> BTreeSet<u64> {
    let mut pages = BTreeSet::new();
    space.for_each_span(&mut |span| pages.extend(span.pages().map(PageId::get)));
    pages
}

proptest! {
    #[test]
    fn nodes_get_pages_of_their_own_and_a_rollback_gives_them_back(
        free in prop::collection::btree_set(4u64..40, 0..20),
        lengths in prop::collection::vec(1u64..6, 1..12),
    ) {
        let mut space = free_space(40, &free, None);
        let tx = TxId::new(1);
        let placed = space.place(tx, &lengths).unwrap();
        let mut taken = BTreeSet::new();
        for (&first, &pages) in placed.iter().zip(&lengths) {
            for page in first..first + pages {
                prop_assert!(free.contains(&page) || page >= 40, "page {} was in use", page);
                prop_assert!(taken.insert(page), "page {} was given twice", page);
            }
        }
        prop_assert!(taken.iter().all(|&page| page < space.planned_high_water()));
        prop_assert!(taken.is_disjoint(&listed(&space)));

        let list = space.write_list(tx).unwrap();
        let own: BTreeSet<u64> = list.span.pages().map(PageId::get).collect();
        prop_assert!(own.is_disjoint(&taken) && own.is_disjoint(&listed(&space)));

        space.rollback(tx).unwrap();
        prop_assert_eq!(space.planned_high_water(), 40);
        prop_assert_eq!(listed(&space), free);
    }
}

#[test]
fn freed_pages_wait_for_the_states_that_use_them() {
    let mut space = free_space(8, &BTreeSet::new(), None);
    let tx = TxId::new(1);
    space.free(tx, &[page_span(4, 2).unwrap()]).unwrap();
    assert_eq!(space.place(tx, &[1]).unwrap(), [8], "the state before still uses pages 4 and 5");
    space.commit(tx, &Written::Nothing);
    space.retire(&[TxId::new(0), tx]).unwrap();
    assert_eq!((space.free_pages(), space.pending_pages()), (0, 2));
    space.retire(&[tx]).unwrap();
    assert_eq!((space.free_pages(), space.pending_pages()), (2, 0));
    assert_eq!(space.place(TxId::new(2), &[2]).unwrap(), [4]);
}

#[test]
fn a_page_that_two_parts_of_a_tree_share_is_corrupt() {
    let mut space = free_space(8, &BTreeSet::from([6]), None);
    let tx = TxId::new(1);
    for shared in [page_span(6, 1), page_span(5, 2)] {
        let error = space.free(tx, &[shared.unwrap()]).unwrap_err();
        assert!(matches!(error, Error::Corrupt { page, .. } if page == PageId::new(6)), "{error}");
    }
}

#[test]
fn the_limit_of_the_file_counts_free_pages_at_its_end() {
    let ten_pages = Some(10 * u64::from(PAGE));
    let mut space = free_space(8, &BTreeSet::from([7]), ten_pages);
    let error = space.place(TxId::new(1), &[4]).unwrap_err();
    assert!(matches!(error, Error::MaxSizeReached { limit: 10_240, .. }), "{error}");
    assert_eq!(space.place(TxId::new(1), &[3]).unwrap(), [7]);
}

#[test]
fn what_a_transaction_left_unfinished_is_undone_before_the_next() {
    let free = BTreeSet::from([5, 6]);
    let mut space = free_space(8, &free, None);
    let tx = TxId::new(1);
    space.free(tx, &[page_span(4, 1).unwrap()]).unwrap();
    space.place(tx, &[3, 2]).unwrap();
    assert_ne!(space.planned_high_water(), 8);
    // Neither committed nor rolled back: a panic was here, say.
    space.retire(&[TxId::new(0)]).unwrap();
    assert_eq!((listed(&space), space.planned_high_water()), (free, 8));
}
