//! What the looks inside tell agrees: page map, check, structure and figures.

use kv::{BucketStructure, FreelistSync, Options, PageId, PageKind, ReadTx};
use kv_testkit::Random;

use crate::stores::{dump, file, with_bytes};

fn states() -> Vec<Vec<u8>> {
    [1024, 4096]
        .into_iter()
        .map(|page_size| {
            file(&Options::new().page_size(page_size).freelist_sync(FreelistSync::OnClose), |db| {
                let mut random = Random::new(20);
                for _ in 0..12 {
                    db.update(|tx| {
                        let mut bucket = tx.create_bucket_if_absent(format!("bucket {}", random.below(4)))?;
                        for _ in 0..60 {
                            bucket.put(format!("key {}", random.below(400)), vec![1; random.below(90)])?;
                            bucket.delete(format!("key {}", random.below(400)))?;
                        }
                        bucket.put("large", vec![2; random.below(9000)])?;
                        let mut nested = bucket.create_bucket_if_absent(format!("nested {}", random.below(3)))?;
                        nested.put(format!("key {}", random.below(50)), vec![3; random.below(200)])?;
                        nested.create_bucket_if_absent("inline")?.put("k", "v")
                    })
                    .unwrap();
                }
            })
        })
        .collect()
}

fn each_state(look: impl Fn(&ReadTx<'_>)) {
    for bytes in states() {
        let db = with_bytes(&bytes, &Options::new().preload_freelist(true).read_only(true)).unwrap();
        look(&db.begin_read());
    }
}

#[test]
fn every_page_is_in_the_map_once() {
    each_state(|tx| {
        assert_eq!(tx.check().unwrap(), []);
        let mut next = 0;
        for info in tx.page_map().unwrap() {
            assert_eq!(info.id.get(), next);
            next += 1 + info.overflow;
            for page in info.id.get()..next {
                assert_eq!(tx.page(PageId::new(page)).unwrap(), Some(info), "within a run too");
            }
        }
        assert_eq!(tx.page(PageId::new(next)).unwrap(), None);
        assert_eq!(tx.page(PageId::new(u64::MAX)).unwrap(), None);
    });
}

#[test]
fn the_figures_are_the_sums_of_the_map() {
    each_state(|tx| {
        let map = tx.page_map().unwrap();
        let count = |kind: PageKind| {
            let of_kind = map.iter().filter(|info| info.kind == kind);
            of_kind.fold((0, 0), |(pages, overflow), info| (pages + 1, overflow + info.overflow))
        };
        let stats = tx.root().stats().unwrap();
        assert_eq!(count(PageKind::Branch), (stats.branch_pages, stats.branch_overflow_pages));
        assert_eq!(count(PageKind::Leaf), (stats.leaf_pages, stats.leaf_overflow_pages));
        assert_eq!((count(PageKind::Meta), count(PageKind::Freelist).0), ((2, 0), 1));
        let listed = map.iter().find(|info| info.kind == PageKind::Freelist).unwrap().count;
        assert_eq!(count(PageKind::Free), (listed, 0));
        assert!(stats.branch_bytes_used <= stats.branch_bytes && stats.leaf_bytes_used <= stats.leaf_bytes);
        assert!(stats.inline_buckets > 0 && stats.depth >= 2 && stats.branch_pages > 0);
    });
}

#[test]
fn the_structure_counts_what_a_walk_finds() {
    fn sum(structure: &BucketStructure) -> (u64, u64) {
        let inside = structure.children.iter().map(sum);
        inside.fold((structure.keys, 1), |(keys, buckets), (k, b)| (keys + k, buckets + b))
    }
    each_state(|tx| {
        let structure = tx.inspect().unwrap();
        assert_eq!(structure.name, b"root");
        let (keys, buckets) = sum(&structure);
        let stats = tx.root().stats().unwrap();
        assert_eq!((keys + buckets - 1, buckets), (stats.items, stats.buckets));
        assert_eq!(keys + buckets, dump(tx).len() as u64);
    });
}

#[test]
fn check_can_begin_at_any_node() {
    each_state(|tx| {
        for info in tx.page_map().unwrap() {
            let problems = tx.check_from(info.id).unwrap();
            let node = matches!(info.kind, PageKind::Branch | PageKind::Leaf);
            // A free page keeps what it had, so it may well be a sound node.
            assert!(problems.is_empty() == node || info.kind == PageKind::Free, "{info:?}: {problems:?}");
        }
    });
}

#[test]
fn a_write_transaction_looks_at_its_own_changes() {
    for bytes in states() {
        let db = with_bytes(&bytes, &Options::new()).unwrap();
        let mut tx = db.begin_write().unwrap();
        let before = tx.root().stats().unwrap();
        let mut bucket = tx.create_bucket("new").unwrap();
        for n in 0..500 {
            bucket.put(format!("{n}"), "value").unwrap();
        }
        let after = tx.root().stats().unwrap();
        assert_eq!((after.items, after.buckets), (before.items + 501, before.buckets + 1));
        assert_eq!(tx.inspect().unwrap().children.last().unwrap().keys, 500);
        tx.commit().unwrap();
        let committed = db.begin_read().root().stats().unwrap();
        assert_eq!((committed.items, committed.buckets), (after.items, after.buckets));
    }
}

#[test]
fn transactions_are_counted() {
    let (db, _) = crate::stores::in_memory(&Options::new());
    // So that nothing counts from 0.
    db.update(|tx| tx.create_bucket("earlier").map(drop)).unwrap();
    drop(db.begin_read());
    let before = db.stats();
    db.update(|tx| tx.create_bucket("b")?.put("k", vec![1; 5000])).unwrap();
    let tx = db.begin_read();
    let done = db.stats().tx.since(&before.tx);
    assert_eq!((done.commits, db.stats().read_tx_open), (1, 1));
    assert!(done.nodes >= 2 && done.pages >= 3 && done.writes >= 1 && done.bytes >= 4 * 4096, "{done:?}");
    drop(tx);
    assert_eq!((db.stats().read_tx_begun, db.stats().read_tx_open), (before.read_tx_begun + 1, 0));

    let (now, since) = (db.stats(), db.stats().since(&before));
    assert_eq!((since.tx, since.read_tx_begun), (now.tx.since(&before.tx), 1));
    assert_eq!((since.free_pages, since.freelist_bytes), (now.free_pages, now.freelist_bytes));
    // Swapped, there is nothing.
    assert_eq!((before.since(&now).tx, before.since(&now).read_tx_begun), (kv::TxStats::default(), 0));
}

#[test]
fn levels_are_counted_through_the_buckets() {
    let (db, _) = crate::stores::in_memory(&Options::new());
    db.update(|tx| {
        let mut top = tx.create_bucket("top")?;
        (0..500u32).try_for_each(|n| top.put(format!("{n:04}"), [0; 20]))?;
        let mut nested = top.create_bucket("nested")?;
        (0..500u32).try_for_each(|n| nested.put(format!("{n:04}"), [0; 20]))?;
        nested.create_bucket("inline")?.put("k", "v")?;
        tx.create_bucket("flat")?.put("k", "v")
    })
    .unwrap();
    let tx = db.begin_read();
    let depth = |name: &str| tx.bucket(name).unwrap().stats().unwrap().depth;
    // Two levels, two more in the nested bucket, and the inline one's.
    assert_eq!((depth("top"), depth("flat")), (5, 1));
    assert_eq!(tx.root().stats().unwrap().depth, 6);
}

#[test]
fn a_cursor_tells_its_bucket() {
    let (db, _) = crate::stores::in_memory(&Options::new());
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        bucket.set_sequence(7)?;
        bucket.put("k", "v")?;
        assert_eq!(bucket.cursor_mut().bucket().sequence(), 7);
        assert_eq!(bucket.cursor().bucket().get("k")?, Some(&b"v"[..]));
        assert_eq!(tx.cursor().bucket().items(..).count(), 1);
        Ok(())
    })
    .unwrap();
}
