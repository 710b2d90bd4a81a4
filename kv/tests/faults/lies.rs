//! Lies made by hand, each with what is worst about it: circles, shared pages, wild numbers. The check finds each, and
//! every operation ends.

use kv::{Options, ReadTx};
use pagefile_std::MemStore;
use std::sync::Arc;

use crate::bodies::any_bytes::{Outcome, run, with_valid_metas};
use crate::child::{Watched, cases, work};
use crate::flips::everything;

const PAGE_SIZE: usize = 1024;

/// Bytes of a database, and where things are in it.
struct File {
    bytes: Vec<u8>,
}

impl File {
    fn view<T>(&self, look: impl FnOnce(&ReadTx<'_>) -> T) -> T {
        let db = Options::new().read_only(true).open_store(Box::new(MemStore::with_bytes(&self.bytes))).unwrap();
        look(&db.begin_read())
    }

    /// The page that a bucket starts at.
    fn root(&self, names: &[&str]) -> u64 {
        self.view(|tx| names.iter().try_fold(tx.root(), |bucket, name| bucket.bucket(name)).unwrap().root_page().get())
    }

    /// The first page of a kind.
    fn first(&self, kind: kv::PageKind) -> u64 {
        self.view(|tx| tx.page_map().unwrap().into_iter().find(|info| info.kind == kind).unwrap().id.get())
    }

    fn word(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap())
    }

    fn set(&mut self, page: u64, at: usize, bytes: &[u8]) {
        let start = page as usize * PAGE_SIZE + at;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
    }

    /// Sets a field of both metas, and their checksums.
    fn set_meta(&mut self, field: usize, value: u64) {
        for slot in [0, 1] {
            self.set(slot, field, &value.to_le_bytes());
        }
        self.bytes = with_valid_metas(&self.bytes);
    }

    /// Lets every bucket header in `page` that names the page `from` name the page `to`.
    fn redirect(&mut self, page: u64, from: u64, to: u64) {
        let start = page as usize * PAGE_SIZE;
        let places: Vec<usize> = (16..PAGE_SIZE - 8).filter(|at| self.word(start + at) == from).collect();
        assert!(!places.is_empty());
        for at in places {
            self.set(page, at, &to.to_le_bytes());
        }
    }
}

type Lie = (&'static str, fn(&mut File));

const LIES: [Lie; 22] = [
    ("a bucket contains itself", |file| {
        let (outer, inner) = (file.root(&["outer"]), file.root(&["outer", "inner"]));
        let holder = leaf_with(file, outer, inner);
        file.redirect(holder, inner, outer);
    }),
    ("a bucket contains the bucket of all buckets", |file| {
        let (outer, inner) = (file.root(&["outer"]), file.root(&["outer", "inner"]));
        let (holder, top) = (leaf_with(file, outer, inner), file.view(|tx| tx.root_page().get()));
        file.redirect(holder, inner, top);
    }),
    ("a branch is its own child", |file| {
        let branch = file.first(kv::PageKind::Branch);
        file.set(branch, 16 + 8, &branch.to_le_bytes());
    }),
    ("two children are one", |file| {
        let branch = file.first(kv::PageKind::Branch);
        let first = file.word(branch as usize * PAGE_SIZE + 16 + 8);
        file.set(branch, 32 + 8, &first.to_le_bytes());
    }),
    ("all children are one", |file| {
        let branch = file.first(kv::PageKind::Branch);
        let (start, count) = (branch as usize * PAGE_SIZE, count(file, branch));
        let first = file.word(start + 16 + 8);
        (1..count).for_each(|child| file.set(branch, 16 + 16 * child + 8, &first.to_le_bytes()));
    }),
    ("a child is a meta page", |file| {
        let branch = file.first(kv::PageKind::Branch);
        file.set(branch, 16 + 8, &0u64.to_le_bytes());
    }),
    ("a child is a number that means a node in memory", |file| {
        let branch = file.first(kv::PageKind::Branch);
        file.set(branch, 16 + 8, &(1u64 << 63).to_le_bytes());
    }),
    ("a branch has more children than fit", |file| {
        let branch = file.first(kv::PageKind::Branch);
        file.set(branch, 10, &u16::MAX.to_le_bytes());
    }),
    ("a branch has no children", |file| {
        let branch = file.first(kv::PageKind::Branch);
        file.set(branch, 10, &0u16.to_le_bytes());
    }),
    ("a leaf has more items than fit", |file| {
        let leaf = file.first(kv::PageKind::Leaf);
        file.set(leaf, 10, &u16::MAX.to_le_bytes());
    }),
    ("a page has overflow pages without end", |file| {
        let leaf = file.first(kv::PageKind::Leaf);
        file.set(leaf, 12, &u32::MAX.to_le_bytes());
    }),
    ("a key of four gigabytes", |file| {
        let leaf = file.first(kv::PageKind::Leaf);
        file.set(leaf, 16 + 8, &u32::MAX.to_le_bytes());
    }),
    ("a value of four gigabytes, far away", |file| {
        let leaf = file.first(kv::PageKind::Leaf);
        file.set(leaf, 16 + 4, &[0xFF; 4]);
        file.set(leaf, 16 + 12, &[0xFF; 4]);
    }),
    ("a page is of two kinds", |file| {
        let leaf = file.first(kv::PageKind::Leaf);
        file.set(leaf, 8, &3u16.to_le_bytes());
    }),
    ("the freelist is longer than its page", |file| {
        let list = file.first(kv::PageKind::Freelist);
        file.set(list, 10, &0xFFFEu16.to_le_bytes());
    }),
    ("the freelist is as long as numbers go", |file| {
        let list = file.first(kv::PageKind::Freelist);
        file.set(list, 10, &u16::MAX.to_le_bytes());
        file.set(list, 16, &u64::MAX.to_le_bytes());
    }),
    ("a page in use is free", |file| {
        let (list, outer) = (file.first(kv::PageKind::Freelist), file.root(&["outer"]));
        file.set(list, 16, &outer.to_le_bytes());
    }),
    ("the freelist lists itself", |file| {
        let list = file.first(kv::PageKind::Freelist);
        file.set(list, 16, &list.to_le_bytes());
    }),
    ("the freelist is a leaf", |file| {
        let leaf = file.root(&["outer"]);
        file.set_meta(48, leaf);
    }),
    ("the root is the freelist", |file| {
        let list = file.first(kv::PageKind::Freelist);
        file.set_meta(32, list);
    }),
    ("the root is a bucket's branch", |file| {
        let inner = file.root(&["outer", "inner"]);
        file.set_meta(32, inner);
    }),
    ("a bucket starts at its neighbour's second page", |file| {
        let (outer, inner) = (file.root(&["outer"]), file.root(&["outer", "inner"]));
        let holder = leaf_with(file, outer, inner);
        file.redirect(holder, inner, inner + 1);
    }),
];

fn count(file: &File, page: u64) -> usize {
    let at = page as usize * PAGE_SIZE + 10;
    u16::from_le_bytes([file.bytes[at], file.bytes[at + 1]]).into()
}

/// The page below or at `branch` that has the header of the bucket which starts at `root`.
fn leaf_with(file: &File, branch: u64, root: u64) -> u64 {
    let children = (0..count(file, branch)).map(|child| file.word(branch as usize * PAGE_SIZE + 16 + 16 * child + 8));
    let holds = |page: u64| {
        let start = page as usize * PAGE_SIZE;
        (16..PAGE_SIZE - 8).any(|at| file.word(start + at) == root)
    };
    children.chain([branch]).find(|&page| (page as usize) * PAGE_SIZE < file.bytes.len() && holds(page)).unwrap()
}

#[test]
fn the_check_finds_each_and_everything_ends() {
    if work().is_some() {
        let sound = everything();
        run(&sound);
        let mut watched = Watched::after_something_sound();
        for (what, lie) in LIES {
            let mut file = File { bytes: sound.clone() };
            lie(&mut file);
            watched.case(what);
            assert_ne!(run(&file.bytes), Outcome::Sound, "{what}");
        }
        return watched.end_of_case();
    }
    cases("lies::the_check_finds_each_and_everything_ends", "lies".as_ref());
}

/// Buckets one in the other, each of which seems to be there twice: as a tree they are more than anyone can count.
fn doubled(levels: usize) -> Vec<u8> {
    let store = Arc::new(MemStore::new());
    let db = Options::new().page_size(PAGE_SIZE as u32).open_store(Box::new(Arc::clone(&store))).unwrap();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("level")?;
        for level in 0..levels {
            bucket.put("large", vec![level as u8; 600])?;
            bucket.create_bucket("right")?.put("large", vec![level as u8; 600])?;
            bucket.create_bucket("left")?;
            bucket = bucket.into_bucket_mut("left")?;
        }
        bucket.put("large", vec![0; 600])
    })
    .unwrap();
    db.close().unwrap();
    let mut file = File { bytes: store.snapshot() };
    let mut edits = Vec::new();
    let mut names = vec!["level"];
    for _ in 0..levels {
        let [holder, left, right] = ["", "left", "right"]
            .map(|name| file.root(&[&names[..], &[name][..usize::from(!name.is_empty())]].concat()));
        edits.push((holder, right, left));
        names.push("left");
    }
    for (holder, right, left) in edits {
        file.redirect(holder, right, left);
    }
    file.bytes
}

#[test]
fn shared_buckets_are_not_counted_without_end() {
    if work().is_some() {
        run(&everything());
        let mut watched = Watched::after_something_sound();
        for levels in [1, 3, 40] {
            let bytes = doubled(levels);
            watched.case(format_args!("{levels} levels"));
            assert_ne!(run(&bytes), Outcome::Sound);
        }
        return watched.end_of_case();
    }
    cases("lies::shared_buckets_are_not_counted_without_end", "shared".as_ref());
}
