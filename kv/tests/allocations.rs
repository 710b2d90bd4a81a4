//! What is allocated: nothing by beginning a read, getting and ending it, and little for a small bucket that a transaction
//! changes. A separate test program, because it counts what the whole process allocates.

#[macro_use]
extern crate kv_testkit;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use kv::{Db, Options};

/// The system's allocator, counting the calls of each thread, and the bytes that it holds.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

/// This thread holds `size` bytes in place of `old`.
fn note(old: usize, size: usize) {
    BYTES.set(BYTES.get().wrapping_add(size).wrapping_sub(old));
}

// SAFETY: every call goes to the system's allocator with the arguments as they came. Counting beside it touches a
// thread-local number that needs neither memory nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        note(0, layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(layout.size(), 0);
        // SAFETY: the caller keeps the contract of `dealloc`, and the pointer came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        note(layout.size(), size);
        // SAFETY: the caller keeps the contract of `realloc`, and the pointer came from the system's allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `run` allocates in this thread.
fn allocations(run: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    run();
    CALLS.get() - before
}

fn filled(db: &Db) {
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        for n in 0..10_000 {
            bucket.put(format!("key {n:05}"), format!("value {n}"))?;
        }
        bucket.create_bucket("nested")?.put("k", "v")?;
        bucket.put("large", vec![1; 100_000])
    })
    .unwrap();
}

fn get(db: &Db) {
    let tx = db.begin_read();
    let bucket = tx.bucket("b").unwrap();
    assert_eq!(bucket.get("key 07777").unwrap(), Some(&b"value 7777"[..]));
    assert_eq!(bucket.get("key 07777x").unwrap(), None);
    assert_eq!(bucket.get("large").unwrap().map(<[u8]>::len), Some(100_000));
    assert_eq!(bucket.bucket("nested").unwrap().get("k").unwrap(), Some(&b"v"[..]));
    assert!(bucket.contains("nested").unwrap());
}

#[test]
fn begin_get_and_end_allocate_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let in_file = Db::open(dir.path().join("a.db")).unwrap();
    let in_memory = Options::new().open_store(Box::new(pagefile_std::MemStore::new())).unwrap();
    let forgetful = Options::new().read_cache(0).open(dir.path().join("c.db")).unwrap();
    let moving = Options::new().reserve(0).open(dir.path().join("b.db")).unwrap();
    for db in [in_file, in_memory, moving, forgetful] {
        filled(&db);
        // Warm up: a thread's first transaction finds its place in the table of readers, and remembers pages.
        get(&db);
        for _ in 0..100 {
            assert_eq!(allocations(|| get(&db)), 0);
        }
        assert_eq!(allocations(|| db.view(|tx| tx.bucket("b").map(|_| ())).unwrap()), 0);
        // Other transactions being open or having ended makes no difference.
        let open = db.begin_read();
        assert_eq!(allocations(|| get(&db)), 0);
        drop(open);
        db.update(|tx| tx.bucket_mut("b")?.put("more", vec![2; 3_000_000])).unwrap();
        // The first look at new pages may take memory to remember them.
        get(&db);
        assert_eq!(allocations(|| get(&db)), 0);
    }
}

/// Bytes that this thread holds after `run` and did not hold before it, for each of `BUCKETS`.
fn held(run: impl FnOnce()) -> usize {
    let before = BYTES.get();
    run();
    BYTES.get().wrapping_sub(before) / BUCKETS
}

const BUCKETS: usize = 5_000;

#[test]
fn a_small_bucket_that_is_changed_takes_little_memory() {
    let db = Options::new().open_store(Box::new(pagefile_std::MemStore::new())).unwrap();
    let mut tx = db.begin_write().unwrap();
    let created = held(|| {
        let mut top = tx.create_bucket("top").unwrap();
        for n in 0..BUCKETS {
            top.create_bucket(format!("bucket {n:05}")).unwrap().put("key", "a value of 17 byt").unwrap();
        }
    });
    tx.commit().unwrap();
    let mut tx = db.begin_write().unwrap();
    let touched = held(|| {
        let mut top = tx.bucket_mut("top").unwrap();
        for n in 0..BUCKETS {
            top.bucket_mut(format!("bucket {n:05}")).unwrap().put("key", "another of 17 byt").unwrap();
        }
    });
    // A page's buffer, 5 KiB, would be more than five times as much as bbolt takes for such a bucket.
    assert!((100..500).contains(&created), "{created} bytes for a bucket that is created");
    assert!((100..500).contains(&touched), "{touched} bytes for a bucket that is changed");
}

#[test]
fn a_large_transaction_takes_no_more_memory_than_it_may() {
    const ALLOWED: usize = 1 << 20;
    let dir = tempfile::tempdir().unwrap();
    let db = Options::new().write_memory(ALLOWED).open(dir.path().join("large.db")).unwrap();
    let (mut most, before) = (0, BYTES.get());
    let mut tx = db.begin_write().unwrap();
    tx.create_bucket("b").unwrap();
    for n in 0..100_000_u32 {
        // 20 MiB, half of them in random order.
        let key = if n % 2 == 0 { n } else { n.wrapping_mul(0x9E37_79B9) };
        tx.bucket_mut("b").unwrap().put(format!("{key:010}"), [7; 200]).unwrap();
        most = most.max(BYTES.get().wrapping_sub(before));
    }
    assert!(tx.stats().pages_early > 10_000);
    tx.commit().unwrap();
    assert!(most < 2 * ALLOWED, "{most} bytes");
}

#[test]
fn the_count_counts() {
    assert_eq!(allocations(|| ()), 0);
    assert!(allocations(|| drop(std::hint::black_box(vec![1; 100]))) >= 1);
}
