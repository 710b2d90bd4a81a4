//! A table in the eyes of a program in Go, which knows the documented form of keys and bbolt, and nothing else.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kv::Db;
use kv::table::Table;
use kv_testkit::Random;
use kv_testkit::peer::Peer;
use kv_testkit::text::hex;

beside_each_bbolt!(a_program_in_go_reads_a_table);

const READINGS: Table<(i64, String, u16), u64> = Table::new("readings");

fn a_program_in_go_reads_a_table(peer: &mut Peer) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("readings.db");
    let mut random = Random::new(1);
    let mut rows = BTreeMap::new();
    for n in 0..200 {
        let at = *[i64::MIN, -1, 0, 1, i64::MAX].get(n).unwrap_or(&random.next_u64().cast_signed());
        // A byte of 0 has a form of its own within a key.
        let place = *random.pick(&["", "a", "ab", "a\0b", "\0", "\0\0", "a\0\u{1}", "\u{1}", "caf\u{e9}"]);
        rows.insert((at, place.to_owned(), u16::from(random.bytes(1)[0]) << 7), random.next_u64());
    }
    let db = Db::open(&file).expect("kv makes a file");
    db.update(|tx| {
        let readings = READINGS.open(tx)?;
        rows.iter().try_for_each(|(key, value)| readings.put(tx, key, value))
    })
    .expect("kv writes");
    db.close().expect("kv closes the file");
    let mut expected = String::new();
    for ((at, place, sensor), value) in &rows {
        writeln!(expected, "{at} {} {sensor} {value}", hex(place.as_bytes())).expect("memory");
    }
    assert_eq!(peer.table(&file).expect("Go reads it"), expected, "in the order of the keys");
}
