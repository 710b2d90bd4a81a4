//! Tables: keys sort as their values do, forms are those of the documentation, indexes have what the rows have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::ops::Bound;
use std::time::{Duration, UNIX_EPOCH};

use kv::table::{AsKey, Index, Key, Table};
use kv::{Db, Error, Options};
use kv_testkit::Random;

use crate::stores::in_memory;

fn form<K>(key: &(impl AsKey<K> + ?Sized), last: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    key.encode(last, &mut bytes);
    bytes
}

/// Each key comes back, also with something behind it, and any two compare as their forms do.
fn sorts<K: Key + Ord + Debug>(mut keys: Vec<K>) {
    keys.sort();
    for last in [true, false] {
        for key in &keys {
            let mut bytes = form::<K>(key, last);
            let rest = if last { &[][..] } else { &[0, 0xFF, 1] };
            bytes.extend_from_slice(rest);
            let mut left = &bytes[..];
            assert_eq!(K::decode(&mut left, last).as_ref(), Some(key));
            assert_eq!(left, rest, "after {key:?}");
        }
        for (one, two) in keys.iter().flat_map(|one| keys.iter().map(move |two| (one, two))) {
            assert_eq!(form::<K>(one, last).cmp(&form::<K>(two, last)), one.cmp(two), "{one:?} and {two:?}");
        }
    }
}

#[test]
fn keys_sort_as_their_values_do() {
    let mut random = Random::new(1);
    let strings = |random: &mut Random| -> Vec<Vec<u8>> {
        let bytes = [0, 1, 2, b'a', 0xFE, 0xFF];
        (0..60).map(|_| (0..random.below(4)).map(|_| bytes[random.below(bytes.len())]).collect()).collect()
    };
    sorts((0..=u8::MAX).collect());
    sorts((i8::MIN..=i8::MAX).collect());
    sorts(vec![0, 1, 255, 256, 65535, 65536, u64::MAX - 1, u64::MAX]);
    sorts(vec![i64::MIN, i64::MIN + 1, -256, -255, -1, 0, 1, 255, 256, i64::MAX]);
    sorts(vec![i128::MIN, -1, 0, 1, i128::MAX]);
    sorts(vec![false, true]);
    sorts(vec!['\0', 'a', '\u{FFFF}', '\u{10FFFF}']);
    sorts(strings(&mut random));
    sorts(["", "a", "a\0", "a\0b", "ab", "b", "\u{E9}"].map(str::to_owned).into());
    sorts(strings(&mut random).into_iter().zip(strings(&mut random)).collect::<Vec<(Vec<u8>, Vec<u8>)>>());
    let mut options: Vec<Option<Vec<u8>>> = strings(&mut random).into_iter().map(Some).collect();
    options.push(None);
    sorts(options);
    sorts(strings(&mut random).chunks(2).map(|pair| [pair[0].clone(), pair[1].clone()]).collect());
    sorts(
        strings(&mut random).into_iter().map(|s| (i32::try_from(s.len()).unwrap() - 2, s, Some(true), 7_u8)).collect(),
    );
    sorts(vec![Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(1500), Duration::MAX]);
    let moments = [-3_000_000_001_i64, -3_000_000_000, -1, 0, 1, 999_999_999, 1_000_000_000, 1 << 60];
    sorts(
        moments
            .map(|n| {
                let apart = Duration::from_nanos(n.unsigned_abs());
                if n < 0 { UNIX_EPOCH - apart } else { UNIX_EPOCH + apart }
            })
            .into(),
    );
}

#[cfg(feature = "uuid")]
#[test]
fn uuids_are_keys() {
    sorts([0, 1, 1 << 64, u128::MAX].map(uuid::Uuid::from_u128).into());
}

#[cfg(feature = "jiff")]
#[test]
fn times_and_dates_are_keys() {
    use std::time::SystemTime;

    use jiff::Timestamp;
    use jiff::civil::Date;

    let times = [i128::MIN, -1_500_000_000, -1_000_000_000, -999_999_999, -1, 0, 1, 999_999_999, i128::MAX];
    let (least, greatest) = (Timestamp::MIN.as_nanosecond(), Timestamp::MAX.as_nanosecond());
    let times = times.map(|time| Timestamp::from_nanosecond(time.clamp(least, greatest)).unwrap());
    sorts(times.into());
    assert_eq!(Timestamp::name(), SystemTime::name());
    // Windows has no time before 1601.
    for time in times.into_iter().filter(|time| cfg!(unix) || time.as_second() > -2) {
        assert_eq!(form::<Timestamp>(&time, true), form::<SystemTime>(&SystemTime::try_from(time).unwrap(), true));
    }
    sorts(vec![Date::MIN, Date::constant(-1, 12, 31), Date::constant(0, 1, 1), Date::constant(2026, 2, 3), Date::MAX]);
    assert_eq!(form::<Date>(&Date::constant(2026, 2, 3), true), [0x87, 0xEA, 2, 3]);
    for (bytes, why) in [([0x87, 0xEA, 2, 30], "no such day"), ([0x87, 0xEA, 13, 1], "no such month")] {
        assert_eq!(Date::decode(&mut &bytes[..], true), None, "{why}");
    }
    assert_eq!(Timestamp::decode(&mut &form::<(i64, u32)>(&(i64::MAX, 0), true)[..], true), None);
    assert_eq!(Timestamp::decode(&mut &form::<(i64, u32)>(&(0, 1_000_000_000), true)[..], true), None);
}

/// The bytes that the documentation promises to programs in other languages.
#[test]
fn the_form_of_keys_is_the_documented_one() {
    assert_eq!(form::<u32>(&258, true), [0, 0, 1, 2]);
    assert_eq!(form::<i16>(&-1, true), [0x7F, 0xFF]);
    assert_eq!(form::<i16>(&0, true), [0x80, 0]);
    assert_eq!(form::<bool>(&true, true), [1]);
    assert_eq!(form::<char>(&'a', true), [0, 0, 0, b'a']);
    assert_eq!(form::<String>("a\0b", true), b"a\0b");
    assert_eq!(form::<(String, u8)>(&("a\0b", 7), true), b"a\0\xFFb\0\x01\x07");
    assert_eq!(form::<(u8, String)>(&(7, "ab"), true), b"\x07ab");
    assert_eq!(form::<[u8; 3]>(&[1, 2, 3], true), [1, 2, 3]);
    assert_eq!(form::<Option<u8>>(&None::<u8>, true), [0]);
    assert_eq!(form::<Option<u8>>(&Some(9), true), [1, 9]);
    assert_eq!(form::<Duration>(&Duration::new(1, 2), true), [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2]);
}

#[test]
fn what_is_no_key_is_refused() {
    fn refused<K: Key + Debug>(bytes: &[u8]) {
        let mut left = bytes;
        let key = K::decode(&mut left, true);
        assert!(key.is_none() || !left.is_empty(), "{bytes:?} is {key:?}");
    }
    refused::<u32>(&[1, 2, 3]);
    refused::<u32>(&[1, 2, 3, 4, 5]);
    refused::<bool>(&[2]);
    refused::<char>(&[0, 0, 0xD8, 0]);
    refused::<String>(&[0xFF]);
    refused::<(String, u8)>(b"a");
    refused::<(String, u8)>(b"a\0");
    refused::<(String, u8)>(b"a\0\x02\x07");
    refused::<Option<u8>>(&[]);
    refused::<Duration>(&[0, 0, 0, 0, 0, 0, 0, 1, 0xFF, 0, 0, 2]);
}

fn db() -> Db {
    in_memory(&Options::new().page_size(1024)).0
}

/// Rows: a city and a number of fans; the index has the city, and each of its letters.
const BANDS: Table<u32, String> = Table::new("bands").indexed(&[&BY_CITY, &BY_NAME]);
const BY_CITY: Index<u32, String, String> =
    Index::new("bands by city", |band| band.split('/').take(1).map(str::to_owned).collect());
const BY_NAME: Index<u32, String, String> =
    Index::unique("bands by name", |band| band.split('/').skip(1).map(str::to_owned).collect());

#[test]
fn indexes_have_what_the_rows_have() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let db = db();
        let mut rows: BTreeMap<u32, String> = BTreeMap::new();
        for _ in 0..5 {
            let mut tx = db.begin_write().unwrap();
            let bands = BANDS.open(&mut tx).unwrap();
            for _ in 0..random.below(60) {
                let key = random.below(30) as u32;
                if random.one_in(40) {
                    let end = key + random.below(5) as u32;
                    let inside = rows.range(key..end).count() as u64;
                    assert_eq!(bands.remove_range(&mut tx, key..end).unwrap(), inside);
                    rows.retain(|row, _| !(key..end).contains(row));
                    continue;
                }
                if random.one_in(4) {
                    assert_eq!(bands.remove(&mut tx, &key).unwrap(), rows.remove(&key).is_some());
                    continue;
                }
                let city = ["ulm", "ulma", "\0", ""][random.below(4)];
                let name = if random.one_in(5) { String::new() } else { format!("/{}", random.below(40)) };
                let row = format!("{city}{name}");
                let taken = !name.is_empty() && rows.iter().any(|(other, band)| *other != key && band.ends_with(&name));
                match bands.put(&mut tx, &key, &row) {
                    Ok(()) => {
                        assert!(!taken, "{row} is there already");
                        rows.insert(key, row);
                    }
                    Err(Error::NotUnique { index, .. }) => assert!(taken && index == "bands by name"),
                    Err(error) => panic!("{error}"),
                }
            }
            tx.commit().unwrap();
            compare(&db, &rows);
        }
        assert_eq!(db.begin_read().check().unwrap(), []);
    }
}

fn compare(db: &Db, rows: &BTreeMap<u32, String>) {
    let tx = db.begin_read();
    let found = BANDS.read(&tx).unwrap();
    assert!(found.iter().map(|row| row.unwrap()).eq(rows.iter().map(|(key, row)| (*key, row.as_str()))));
    assert_eq!(found.len().unwrap(), rows.len() as u64);
    let cities: BTreeSet<(String, u32)> =
        rows.iter().map(|(key, row)| (row.split('/').next().unwrap().to_owned(), *key)).collect();
    let by_city = BY_CITY.read(&tx).unwrap();
    assert!(by_city.range(..).map(|entry| entry.unwrap()).eq(cities.iter().cloned()));
    for city in ["ulm", "ulma", "\0", "", "nowhere"] {
        let expected = cities.iter().filter(|(of, _)| of == city).map(|(_, key)| *key);
        assert!(by_city.all(city).map(|entry| entry.unwrap().1).eq(expected.clone()), "{city:?}");
        assert_eq!(by_city.first(city).unwrap(), expected.min());
        for bounds in [
            (Bound::Included(city), Bound::Unbounded),
            (Bound::Excluded(city), Bound::Unbounded),
            (Bound::Unbounded, Bound::Included(city)),
            (Bound::Unbounded, Bound::Excluded(city)),
        ] {
            let inside = |of: &str| std::ops::RangeBounds::<str>::contains(&bounds, of);
            let expected = cities.iter().filter(|(of, _)| inside(of)).cloned();
            assert!(by_city.range(bounds).map(|entry| entry.unwrap()).eq(expected), "{bounds:?}");
        }
    }
    let names: BTreeMap<String, u32> =
        rows.iter().filter_map(|(key, row)| Some((row.split('/').nth(1)?.to_owned(), *key))).collect();
    let by_name = BY_NAME.read(&tx).unwrap();
    assert!(by_name.range(..).map(|entry| entry.unwrap()).eq(names.clone()));
    for (name, key) in &names {
        assert_eq!(by_name.first(name).unwrap(), Some(*key));
    }
}

#[test]
fn an_index_that_is_new_is_filled() {
    const PLAIN: Table<u32, String> = Table::new("bands");
    let db = db();
    let rows: BTreeMap<u32, String> = (0..200).map(|n| (n, format!("ulm/{n}"))).collect();
    db.update(|tx| {
        let plain = PLAIN.open(tx)?;
        rows.iter().try_for_each(|(key, row)| plain.put(tx, key, row))
    })
    .unwrap();
    db.update(|tx| BANDS.open(tx).map(drop)).unwrap();
    compare(&db, &rows);
    // Two rows with one name: the index cannot be made, and nothing changes.
    let db = self::db();
    db.update(|tx| {
        let plain = PLAIN.open(tx)?;
        plain.put(tx, &1, "ulm/a")?;
        plain.put(tx, &2, "ulm/a")
    })
    .unwrap();
    assert!(matches!(db.update(|tx| BANDS.open(tx).map(drop)), Err(Error::NotUnique { .. })));
    assert!(db.begin_read().get_bucket("bands by city").unwrap().is_none());
}

#[test]
fn other_types_are_refused_with_both_names() {
    const RIGHT: Table<(i32, String), u64> = Table::new("t");
    const WRONG: Table<(i32, String), Vec<u8>> = Table::new("t");
    let db = db();
    db.update(|tx| RIGHT.open(tx)?.put(tx, &(-5, "a"), &7)).unwrap();
    for refused in [db.update(|tx| WRONG.open(tx).map(drop)), db.view(|tx| WRONG.read(tx).map(drop))] {
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("(i32, string) -> u64") && text.contains("(i32, string) -> bytes"), "{text}");
    }
    let tx = db.begin_read();
    assert_eq!(RIGHT.read(&tx).unwrap().get(&(-5, "a")).unwrap(), Some(7));
    assert_eq!(tx.bucket("kv.tables").unwrap().get("t").unwrap(), Some(&b"(i32, string) -> u64"[..]));
}

#[test]
fn a_bucket_that_others_fill_is_a_table_and_its_wrong_rows_are_named() {
    const NUMBERS: Table<String, u16> = Table::new("numbers");
    let db = db();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("numbers")?;
        bucket.put("seven", [0, 7])?;
        bucket.put("wrong", [7])
    })
    .unwrap();
    let tx = db.begin_read();
    let numbers = NUMBERS.read(&tx).unwrap();
    assert_eq!(numbers.get("seven").unwrap(), Some(7));
    let wrong = numbers.get("wrong").unwrap_err();
    assert!(wrong.to_string().contains("\"wrong\" in table \"numbers\" is no u16"), "{wrong}");
    assert!(matches!(numbers.last(), Err(Error::Undecodable { key, .. }) if key == b"wrong"));
}

#[test]
fn a_table_of_another_transaction_is_refused() {
    const T: Table<u8, u8> = Table::new("t");
    let db = db();
    let mut tx = db.begin_write().unwrap();
    let table = T.open(&mut tx).unwrap();
    tx.commit().unwrap();
    let mut tx = db.begin_write().unwrap();
    assert!(matches!(table.put(&mut tx, &1, &1), Err(Error::StaleHandle { deleted: false })));
}

#[cfg(feature = "serde")]
#[test]
fn types_of_serde_are_values() {
    use kv::table::{Codec, Serde};

    /// A codec that writes nothing but what it is told to refuse.
    #[derive(Debug)]
    struct Never;
    impl Codec for Never {
        const NAME: &'static str = "never";
        fn encode<T: serde::Serialize>(_: &T) -> Result<Vec<u8>, String> {
            Err("as told".into())
        }
        fn decode<T: serde::de::DeserializeOwned>(_: &[u8]) -> Option<T> {
            None
        }
    }
    type List = (Vec<u32>, Option<String>);
    const LISTS: Table<String, Serde<List>> = Table::new("lists");
    const OTHER: Table<String, Serde<List, Never>> = Table::new("others");
    let db = db();
    let value = (vec![1, 300], Some("x".to_owned()));
    db.update(|tx| LISTS.open(tx)?.put(tx, "a", &value)).unwrap();
    assert_eq!(db.view(|tx| LISTS.read(tx)?.get("a")).unwrap(), Some(value.clone()));
    db.update(|tx| tx.bucket_mut("lists")?.put("b", [9])).unwrap();
    let wrong = db.view(|tx| LISTS.read(tx)?.get("b")).unwrap_err();
    assert!(wrong.to_string().contains("is no postcard"), "{wrong}");
    let refused = db.update(|tx| OTHER.open(tx)?.put(tx, "a", &value)).unwrap_err();
    assert!(refused.to_string().contains("never cannot write this value: as told"), "{refused}");
}
