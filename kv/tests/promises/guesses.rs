//! Ways that are guessed by what is remembered of pages, where the guesses are often wrong.

use std::collections::BTreeMap;

use kv::{MemStore, Options};
use kv_testkit::Random;

/// Keys like each other, of which a few differ where the first keys of the pages do not.
fn key(random: &mut Random) -> Vec<u8> {
    let number = random.below(30_000);
    let mut key =
        format!("/registry/{}/{number:06}", ["pods", "pods", "pods", "secrets"][random.below(4)]).into_bytes();
    match random.below(40) {
        0 => key[3] = b'a' + u8::try_from(random.below(26)).unwrap(),
        1 => key[17 - random.below(3)] ^= 0x80,
        2 => key.truncate(15),
        3 => key.extend_from_slice(b"\0\0"),
        _ => {}
    }
    key
}

#[test]
fn a_wrong_guess_is_noticed() {
    let mut random = Random::new(11);
    let db = Options::new().page_size(1024).open_store(Box::new(MemStore::new())).unwrap();
    let model: BTreeMap<_, _> = (0..20_000u32).map(|n| (key(&mut random), n.to_le_bytes())).collect();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        model.iter().try_for_each(|(key, value)| bucket.put(key, value))
    })
    .unwrap();
    let tx = db.begin_read();
    let bucket = tx.bucket("b").unwrap();
    // The first time the pages are searched, then what is remembered of them.
    for _ in 0..2 {
        let sought: Vec<Vec<u8>> = model.keys().cloned().chain((0..20_000).map(|_| key(&mut random))).collect();
        let many = bucket.get_many(&sought).unwrap();
        for (key, of_many) in sought.iter().zip(many) {
            let value = model.get(key).map(<[u8; 4]>::as_slice);
            assert_eq!(bucket.get(key).unwrap(), value);
            assert_eq!(of_many, value);
            let next = model.range(key.clone()..).next().map(|(key, _)| key.as_slice());
            assert_eq!(bucket.range(key.as_slice()..).next().transpose().unwrap().map(|(key, _)| key), next);
            let before = model.range(..key.clone()).next_back().map(|(key, _)| key.as_slice());
            assert_eq!(bucket.range(..key.as_slice()).next_back().transpose().unwrap().map(|(key, _)| key), before);
        }
    }
}
