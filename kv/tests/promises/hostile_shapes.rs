//! Files whose parts are each well-formed and together make no sense: circles, shared pages, numbers at their extremes.

use kv::{Error, FreelistSync, Options, PageInfo, PageKind};
use pagefile_std::MemStore;

use crate::hostile::{PAGE, each_case, zoo};
use crate::stores::{Field, file, newest_meta, set_field, with_bytes, word};

const EXTREMES: [u64; 12] = [0, 1, 2, 15, 16, 1023, 1024, 0xFFFF, 0xFFFF_FFF0, 0xFFFF_FFFF, u64::MAX - 1, u64::MAX];

fn clean() -> (Vec<u8>, Vec<PageInfo>) {
    let bytes = zoo(&Options::new().page_size(PAGE as u32).freelist_sync(FreelistSync::OnClose));
    let db = with_bytes(&bytes, &Options::new().read_only(true)).unwrap();
    let map = db.begin_read().page_map().unwrap();
    (bytes, map)
}

/// A change to a file: so many bytes of a number, at a place.
struct Lie {
    what: &'static str,
    at: usize,
    len: usize,
    value: u64,
}

fn each_lie(bytes: &[u8], lies: &[Lie]) {
    each_case(lies.len(), |case| {
        let Lie { what, at, len, value } = lies[case];
        let mut bytes = bytes.to_vec();
        bytes[at..at + len].copy_from_slice(&value.to_le_bytes()[..len]);
        (format!("{what} at byte {at} is {value:#x}"), bytes)
    });
}

#[test]
fn page_headers_that_lie() {
    let (bytes, map) = clean();
    let mut lies = Vec::new();
    for page in map.iter().map(|info| info.id.get() as usize * PAGE) {
        lies.extend([0, 1, 2, 3, 4, 0x10, 0x12, 0xFFFF].map(|value| Lie {
            what: "flags",
            at: page + 8,
            len: 2,
            value,
        }));
        lies.extend([0, 1, 2, 63, 64, 0xFFFE, 0xFFFF].map(|value| Lie { what: "count", at: page + 10, len: 2, value }));
        lies.extend(EXTREMES[..10].iter().map(|&value| Lie { what: "overflow", at: page + 12, len: 4, value }));
        lies.extend(EXTREMES.map(|value| Lie { what: "page number", at: page, len: 8, value }));
    }
    each_lie(&bytes, &lies);
}

#[test]
fn elements_that_lie() {
    let (bytes, map) = clean();
    let mut lies = Vec::new();
    for info in map.iter().filter(|info| matches!(info.kind, PageKind::Leaf | PageKind::Branch)) {
        for index in (0..info.count as usize).filter(|index| *index < 2 || *index + 2 > info.count as usize) {
            let element = info.id.get() as usize * PAGE + 16 + index * 16;
            for at in (element..element + 16).step_by(4) {
                lies.extend(EXTREMES[..10].iter().map(|&value| Lie { what: "element", at, len: 4, value }));
            }
        }
    }
    each_lie(&bytes, &lies);
}

/// Numbers to write in place of a page number: pages of all kinds, the end, what looks like a node in memory.
fn page_numbers(map: &[PageInfo]) -> Vec<u64> {
    let high_water = map.last().map_or(0, |info| info.id.get() + info.overflow + 1);
    let in_memory = [0, 1, 2, 5, 1 << 20, 1 << 31, u64::MAX >> 1].map(|slot| 1 << 63 | slot);
    (0..=high_water + 1).chain(EXTREMES).chain(in_memory).collect()
}

#[test]
fn branches_that_lead_anywhere() {
    let (bytes, map) = clean();
    let mut lies = Vec::new();
    for info in map.iter().filter(|info| info.kind == PageKind::Branch) {
        for index in 0..info.count as usize {
            let at = info.id.get() as usize * PAGE + 16 + index * 16 + 8;
            lies.extend(page_numbers(&map).into_iter().map(|value| Lie { what: "child", at, len: 8, value }));
        }
    }
    assert!(!lies.is_empty());
    each_lie(&bytes, &lies);
}

/// Where in the file the header of the bucket `name` is.
fn header_of(bytes: &[u8], name: &[u8]) -> usize {
    let found = |at: &usize| bytes[*at..].starts_with(name) && bytes[at + name.len()..].len() >= 16;
    // The last copy: earlier ones may lie in free pages.
    let all: Vec<usize> = (2 * PAGE..bytes.len() - name.len()).filter(found).collect();
    all.last().unwrap() + name.len()
}

#[test]
fn buckets_that_start_anywhere() {
    let (bytes, map) = clean();
    let mut lies = Vec::new();
    for name in [&b"tree"[..], b"nested", b"deeper", b"inline", b"empty"] {
        for at in (2 * PAGE..bytes.len() - 32).filter(|&at| bytes[at..].starts_with(name)).map(|at| at + name.len()) {
            lies.extend(page_numbers(&map).into_iter().map(|value| Lie { what: "bucket root", at, len: 8, value }));
        }
    }
    each_lie(&bytes, &lies);
}

#[test]
fn freelists_that_lie() {
    let (bytes, map) = clean();
    let list = map.iter().find(|info| info.kind == PageKind::Freelist).unwrap();
    let page = list.id.get() as usize * PAGE;
    let mut lies = Vec::new();
    for index in 0..list.count as usize {
        let at = page + 16 + index * 8;
        lies.extend(page_numbers(&map).into_iter().map(|value| Lie { what: "free page", at, len: 8, value }));
    }
    each_lie(&bytes, &lies);

    // The long form, with counts that no page holds; and a list of everything, in any order.
    each_case(EXTREMES.len(), |case| {
        let mut bytes = bytes.clone();
        bytes[page + 10..page + 12].fill(0xFF);
        bytes[page + 16..page + 24].copy_from_slice(&EXTREMES[case].to_le_bytes());
        (format!("freelist with a count of {}", EXTREMES[case]), bytes)
    });
    each_case(2, |case| {
        let mut bytes = bytes.clone();
        let mut ids: Vec<u64> = (0..20).collect();
        if case == 1 {
            ids.reverse();
        }
        bytes[page + 10..page + 12].copy_from_slice(&20u16.to_le_bytes());
        for (at, id) in (page + 16..).step_by(8).zip(ids) {
            bytes[at..at + 8].copy_from_slice(&id.to_le_bytes());
        }
        (format!("freelist of all pages, {case}"), bytes)
    });
}

#[test]
fn metas_that_lie_under_a_right_checksum() {
    let (bytes, map) = clean();
    let mut lies = Vec::new();
    for field in [Field::Root, Field::Freelist, Field::HighWater, Field::Tx] {
        lies.extend(page_numbers(&map).into_iter().map(|value| (field, value)));
    }
    lies.extend((0..32).map(|shift| (Field::PageSize, 1 << shift)));
    lies.extend([0, 1, 1000, 1025, 3 << 9, u64::MAX].map(|value| (Field::PageSize, value)));
    each_case(lies.len() * 3, |case| {
        let (field, value) = lies[case / 3];
        let newest = newest_meta(&bytes, PAGE);
        let mut bytes = bytes.clone();
        // The newest, the other, or both.
        for at in [[newest; 2], [PAGE - newest; 2], [0, PAGE]][case % 3] {
            set_field(&mut bytes, at, field, value);
        }
        (format!("meta field at {} is {value:#x}, {}", field as usize, case % 3), bytes)
    });
}

/// Buckets inside buckets, a page each: `levels` pages from page 3 on, each with the bucket `b` that starts in the next.
fn nested(levels: u64) -> Vec<u8> {
    let mut bytes = file(&Options::new().page_size(PAGE as u32), |_| ());
    bytes.resize((3 + levels as usize) * PAGE, 0);
    for id in 3..3 + levels {
        let page = id as usize * PAGE;
        let last = id + 1 == 3 + levels;
        // A leaf; its element: a bucket whose name follows the element, and then the header of 16 bytes.
        bytes[page..page + 8].copy_from_slice(&id.to_le_bytes());
        bytes[page + 8..page + 12].copy_from_slice(&[2, 0, u8::from(!last), 0]);
        if !last {
            for (at, word) in [(16, 1u32), (20, 16), (24, 1), (28, 16)] {
                bytes[page + at..page + at + 4].copy_from_slice(&word.to_le_bytes());
            }
            bytes[page + 32] = b'b';
            bytes[page + 33..page + 41].copy_from_slice(&(id + 1).to_le_bytes());
        }
    }
    for meta in [0, PAGE] {
        set_field(&mut bytes, meta, Field::Root, 3);
        set_field(&mut bytes, meta, Field::HighWater, 3 + levels);
        set_field(&mut bytes, meta, Field::Freelist, u64::MAX);
    }
    bytes
}

#[test]
fn buckets_nest_as_deep_as_the_file_has_pages() {
    for levels in [1_501, 60_000] {
        let bytes = nested(levels);
        let db = with_bytes(&bytes, &Options::new().read_only(true)).unwrap();
        let tx = db.begin_read();
        assert_eq!(tx.root().stats().unwrap().buckets, levels);
        let structure = tx.inspect().unwrap();
        let mut way = vec![&structure];
        while let Some(inside) = way[way.len() - 1].children.first() {
            way.push(inside);
        }
        assert_eq!(way.len() as u64, levels);
        assert_eq!(way[0].name, b"root");
        assert!(way[1..].iter().all(|bucket| bucket.name == b"b" && bucket.keys == 0 && bucket.children.len() < 2));
    }
    // The innermost bucket is the one around all others but the root.
    let mut bytes = nested(1_501);
    let deepest = (3 + 1_499) * PAGE + 33;
    bytes[deepest..deepest + 8].copy_from_slice(&4u64.to_le_bytes());
    let db = with_bytes(&bytes, &Options::new().read_only(true)).unwrap();
    let found = db.begin_read().inspect();
    assert!(matches!(found, Err(Error::Corrupt { page, .. }) if page.get() == 4), "{found:?}");
}

/// A bucket inside itself.
fn circle() -> Vec<u8> {
    let mut bytes = file(&Options::new().page_size(PAGE as u32), |db| {
        db.update(|tx| {
            let mut outer = tx.create_bucket("outer")?;
            outer.put("large", vec![b'x'; 600])?;
            outer.create_bucket("inner")?.put("large", vec![b'x'; 600])
        })
        .unwrap();
    });
    let (outer, inner) = (header_of(&bytes, b"outer"), header_of(&bytes, b"inner"));
    assert!(word(&bytes, outer) > 1 && word(&bytes, inner) > 1, "both have pages");
    bytes.copy_within(outer..outer + 8, inner);
    bytes
}

#[test]
fn a_walk_of_everything_reports_a_bucket_inside_itself() {
    let bytes = circle();
    let corrupt = |result: Result<(), Error>| assert!(matches!(result, Err(Error::Corrupt { .. })), "{result:?}");
    let db = with_bytes(&bytes, &Options::new().read_only(true)).unwrap();
    let tx = db.begin_read();
    assert!(!tx.check().unwrap().is_empty());
    corrupt(tx.page_map().map(|_| ()));
    corrupt(tx.inspect().map(|_| ()));
    corrupt(tx.root().stats().map(|_| ()));
    let target = Options::new().open_store(Box::new(MemStore::new())).unwrap();
    corrupt(kv::compact(&db, &target, 0).map(|_| ()));
    // Reading by key goes as far as one likes.
    let path = (0..20).try_fold(tx.bucket("outer").unwrap(), |bucket, _| bucket.bucket("inner"));
    assert_eq!(path.unwrap().get("large").unwrap().map(<[u8]>::len), Some(600));

    let db = with_bytes(&bytes, &Options::new()).unwrap();
    corrupt(db.update(|tx| tx.delete_bucket("outer")));
    corrupt(
        db.update(|tx| {
            let mut outer = tx.bucket_mut("outer")?;
            outer.put("one", "here")?;
            outer.bucket_mut("inner")?.put("two", "there")
        })
        .map_err(|error| match error {
            Error::NotCommitted { cause } => *cause,
            other => other,
        }),
    );
    assert_eq!(db.begin_read().bucket("outer").unwrap().get("one").unwrap(), None);
}
