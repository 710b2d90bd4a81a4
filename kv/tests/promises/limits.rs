//! Keys of 1 to 32,768 bytes, names too; values to 2^31 - 2 bytes; pages of 1 to 64 KiB.

use kv::{Error, MAX_KEY_SIZE, Options};

use crate::stores::{Field, dump_of, dump_of_bytes, file, in_memory, set_field, with_bytes};

#[test]
fn a_key_has_1_to_32768_bytes() {
    for page_size in [1024, 4096, 65536] {
        let (db, _) = in_memory(&Options::new().page_size(page_size).strict(true));
        db.update(|tx| {
            let mut bucket = tx.create_bucket("b")?;
            for len in [1, MAX_KEY_SIZE - 1, MAX_KEY_SIZE] {
                bucket.put(vec![b'k'; len], len.to_string())?;
            }
            assert!(matches!(bucket.put("", "v"), Err(Error::KeyRequired)));
            assert!(matches!(bucket.put(vec![0; 32_769], "v"), Err(Error::KeyTooLarge { len: 32_769 })));
            assert_eq!(bucket.iter().count(), 3, "a refused key leaves nothing");
            Ok(())
        })
        .unwrap();
        let tx = db.begin_read();
        let bucket = tx.bucket("b").unwrap();
        assert_eq!(bucket.get(vec![b'k'; MAX_KEY_SIZE]).unwrap(), Some(&b"32768"[..]));
        // Looking for what cannot be there finds nothing.
        assert_eq!(bucket.get("").unwrap(), None);
        assert_eq!(bucket.get(vec![b'k'; MAX_KEY_SIZE + 1]).unwrap(), None);
    }
}

#[test]
fn a_name_has_1_to_32768_bytes() {
    let (db, _) = in_memory(&Options::new().strict(true));
    let longest = vec![b'n'; MAX_KEY_SIZE];
    db.update(|tx| {
        assert!(matches!(tx.create_bucket(""), Err(Error::BucketNameRequired)));
        assert!(matches!(tx.create_bucket_if_absent(""), Err(Error::BucketNameRequired)));
        assert!(matches!(tx.create_bucket(vec![0; 32_769]), Err(Error::BucketNameTooLarge { len: 32_769 })));
        tx.create_bucket("n")?;
        let mut top = tx.create_bucket(&longest)?;
        assert!(matches!(top.create_bucket(""), Err(Error::BucketNameRequired)));
        assert!(matches!(top.create_bucket_if_absent(vec![0; 32_769]), Err(Error::BucketNameTooLarge { len: 32_769 })));
        top.create_bucket(&longest)?.put("k", "v")
    })
    .unwrap();
    let tx = db.begin_read();
    assert_eq!(tx.buckets().count(), 2);
    assert_eq!(tx.bucket(&longest).unwrap().bucket(&longest).unwrap().get("k").unwrap(), Some(&b"v"[..]));
}

#[test]
fn a_longer_name_that_a_file_has_already_is_copied() {
    let bytes = file(&Options::new().strict(true), |db| {
        db.update(|tx| {
            assert!(matches!(tx.import_bucket(""), Err(Error::BucketNameRequired)));
            tx.import_bucket(vec![b'n'; 40_000])?.import_bucket(vec![b'm'; 70_000])?.put("k", "v")?;
            // What is there can be opened and deleted by its name.
            assert_eq!(tx.import_bucket(vec![b'n'; 40_000])?.items(..).count(), 1);
            tx.import_bucket(vec![b'o'; 40_000])?;
            tx.delete_bucket(vec![b'o'; 40_000])
        })
        .unwrap();
    });
    let (source, (target, _)) = (with_bytes(&bytes, &Options::new()).unwrap(), in_memory(&Options::new()));
    kv::compact(&source, &target, 1).unwrap();
    assert_eq!(dump_of(&target), dump_of_bytes(&bytes));
}

#[test]
#[cfg(target_pointer_width = "64")]
fn a_value_has_at_most_2147483646_bytes() {
    let (db, _) = in_memory(&Options::new());
    // Zeroed memory that nobody touches is not taken from the machine.
    let too_long = vec![0; kv::MAX_VALUE_SIZE + 1];
    let refused = db.update(|tx| tx.create_bucket("b")?.put("k", &too_long));
    assert!(matches!(refused, Err(Error::ValueTooLarge { len: 2_147_483_647 })), "{refused:?}");
    assert!(db.begin_read().get_bucket("b").unwrap().is_none());
    // What is wrong with the longest is the key.
    let refused = db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        bucket.create_bucket("nested")?;
        bucket.put("nested", &too_long[1..])
    });
    assert!(matches!(refused, Err(Error::IncompatibleValue { .. })), "{refused:?}");
}

#[test]
fn values_of_no_bytes_and_of_many_pages_come_back() {
    for page_size in [1024, 65536] {
        let large: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
        let bytes = file(&Options::new().page_size(page_size).strict(true), |db| {
            db.update(|tx| {
                let mut bucket = tx.create_bucket("b")?;
                bucket.put("large", &large)?;
                bucket.put("none", "")
            })
            .unwrap();
            // A small neighbour does not disturb it.
            db.update(|tx| tx.bucket_mut("b")?.put("after", "x")).unwrap();
        });
        let db = with_bytes(&bytes, &Options::new()).unwrap();
        let tx = db.begin_read();
        assert_eq!(tx.bucket("b").unwrap().get("large").unwrap(), Some(large.as_slice()));
        assert_eq!(tx.bucket("b").unwrap().get("none").unwrap(), Some(&[][..]));
    }
}

#[test]
fn pages_have_1_to_64_kib() {
    for page_size in [1024, 2048, 4096, 8192, 16384, 32768, 65536] {
        let bytes = file(&Options::new().page_size(page_size).strict(true), |db| {
            assert_eq!(db.page_size(), page_size);
            db.update(|tx| {
                let mut bucket = tx.create_bucket("b")?;
                (0..5000u32).try_for_each(|n| bucket.put(format!("{n:04}"), format!("value {n}")))
            })
            .unwrap();
        });
        assert_eq!(dump_of_bytes(&bytes).len(), 5002);
        // The size a file was made with stays, whatever the options say.
        assert_eq!(with_bytes(&bytes, &Options::new().page_size(4096)).unwrap().page_size(), page_size);
    }
    for page_size in [0, 1, 512, 1023, 1025, 1536, 65535, 131_072, 1 << 31, u32::MAX] {
        let refused = Options::new().page_size(page_size).open_store(Box::new(pagefile_std::MemStore::new()));
        assert!(
            matches!(refused, Err(Error::InvalidOption { option: "page_size", value, .. }) if value == page_size.into())
        );
        let path = tempfile::tempdir().unwrap().path().join("never");
        assert!(Options::new().page_size(page_size).open(&path).is_err() && !path.exists());
    }
}

#[test]
fn buckets_nest_as_deep_as_one_likes() {
    const DEPTH: usize = 20_000;
    let db = Options::new().open_store(Box::new(pagefile_std::MemStore::new())).unwrap();
    let mut tx = db.begin_write().unwrap();
    let top = tx.create_bucket("b").unwrap();
    (1..DEPTH).fold(top, |mut bucket, _| {
        bucket.create_bucket("b").unwrap();
        bucket.into_bucket_mut("b").unwrap()
    });
    tx.delete_bucket("b").unwrap();
    tx.commit().unwrap();
    assert_eq!(db.begin_read().buckets().count(), 0);
}

/// A file with these large pages, which this engine opens and does not make: bucket `b` is one leaf of `count` keys, of
/// four digits to the base of 26 letters each.
fn large_pages(page_size: usize, count: usize) -> Vec<u8> {
    const SMALL: usize = 1024;
    let small = file(&Options::new().page_size(SMALL as u32), |db| {
        db.update(|tx| tx.create_bucket("b")?.put("k", [0; SMALL / 2])).unwrap();
    });
    let root =
        with_bytes(&small, &Options::new()).unwrap().begin_read().bucket("b").unwrap().root_page().get() as usize;
    let mut bytes = vec![0; small.len() / SMALL * page_size];
    for (small, large) in small.chunks(SMALL).zip(bytes.chunks_mut(page_size)) {
        large[..SMALL].copy_from_slice(small);
    }
    for at in [0, page_size] {
        set_field(&mut bytes, at, Field::PageSize, page_size as u64);
    }
    let leaf = &mut bytes[root * page_size..][..page_size];
    leaf[10..12].copy_from_slice(&(count as u16).to_le_bytes());
    leaf[12..16].fill(0);
    for index in 0..count {
        let (element, key) = (16 + index * 16, 16 + count * 16 + index * 4);
        for (word, value) in [0, key - element, 4, 0].into_iter().enumerate() {
            leaf[element + word * 4..][..4].copy_from_slice(&(value as u32).to_le_bytes());
        }
        leaf[key..key + 4].copy_from_slice(&short_key(index));
    }
    bytes
}

fn short_key(index: usize) -> [u8; 4] {
    [17_576, 676, 26, 1].map(|place| b'a' + (index / place % 26) as u8)
}

#[test]
fn a_page_has_at_most_65534_elements_however_large_it_is() {
    let count = 65_530;
    let bytes = large_pages(2 << 20, count);
    assert_eq!(dump_of_bytes(&bytes).len(), count + 2);
    // More at the end, at the start, and between.
    let more: Vec<Vec<u8>> =
        (0..8).flat_map(|n| [[b'A', b'a' + n], [b'm', b'A' + n], [b'z', b'a' + n]]).map(Vec::from).collect();
    let store = std::sync::Arc::new(pagefile_std::MemStore::with_bytes(&bytes));
    let db = Options::new().strict(true).open_store(Box::new(std::sync::Arc::clone(&store))).unwrap();
    db.update(|tx| {
        let mut bucket = tx.bucket_mut("b")?;
        more.iter().try_for_each(|key| bucket.put(key, "more"))
    })
    .unwrap();
    let tx = db.begin_read();
    let bucket = tx.bucket("b").unwrap();
    assert_eq!(bucket.iter().count(), count + more.len());
    assert!((0..count).all(|index| bucket.get(short_key(index)).unwrap() == Some(b"")));
    assert!(more.iter().all(|key| bucket.get(key).unwrap() == Some(b"more")));
    assert_eq!(bucket.stats().unwrap().leaf_pages, 2);
}

#[test]
fn pages_that_are_joined_have_at_most_65534_elements() {
    let count = 65_530;
    let db = with_bytes(&large_pages(2 << 20, count), &Options::new().strict(true)).unwrap();
    // Splits the leaf in two; the second transaction leaves little in one of them.
    db.update(|tx| (0..8u8).try_for_each(|n| tx.bucket_mut("b")?.put([b'z', b'a' + n], ""))).unwrap();
    db.update(|tx| {
        let mut bucket = tx.bucket_mut("b")?;
        (0..10).try_for_each(|index| bucket.delete(short_key(index)).map(|_| ()))
    })
    .unwrap();
    assert_eq!(db.begin_read().bucket("b").unwrap().iter().count(), count + 8 - 10);
}
