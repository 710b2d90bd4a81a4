//! Damage by chance: single flipped bits of four files, and every truncation of a small one with everything in it. No
//! panic, no endless run, no memory without bound; and what passes the check can be read and written.

use std::fs;
use std::path::Path;
use std::time::Instant;

use kv::{FreelistSync, Options};
use kv_testkit::Random;
use kv_testkit::budget::seed;
use kv_testkit::figure::print;
use pagefile_std::MemStore;
use std::sync::Arc;

use crate::bodies::any_bytes::{Outcome, run, with_valid_metas};
use crate::budget::goals;
use crate::child::{Watched, cases, say, work};

const PAGE_SIZE: usize = 1024;

/// A file with branches, leaves, overflow pages, inline, nested and empty buckets, and free pages.
pub(crate) fn everything() -> Vec<u8> {
    let store = Arc::new(MemStore::new());
    let options = Options::new().page_size(PAGE_SIZE as u32).freelist_sync(FreelistSync::Every);
    let db = options.open_store(Box::new(Arc::clone(&store))).unwrap();
    db.update(|tx| {
        let mut outer = tx.create_bucket("outer")?;
        outer.set_sequence(7)?;
        (0..40).try_for_each(|n| outer.put(format!("key {n:03}"), vec![n; 60]))?;
        outer.put("large", vec![1; 3000])?;
        outer.create_bucket("inline")?.put("a", "1")?;
        let mut inner = outer.create_bucket("inner")?;
        (0..60).try_for_each(|n| inner.put(format!("{n:0>150}"), [n; 20]))?;
        inner.create_bucket("deep")?.put("large", vec![2; 1500])?;
        tx.create_bucket("gone")?.put("large", vec![3; 5000])?;
        tx.create_bucket("empty").map(|_| ())
    })
    .unwrap();
    db.update(|tx| tx.delete_bucket("gone")).unwrap();
    db.update(|tx| tx.bucket_mut("outer")?.put("last", "value")).unwrap();
    let len = db.begin_read().size();
    drop(db);
    let mut bytes = store.snapshot();
    bytes.truncate(usize::try_from(len).unwrap());
    assert_eq!(run(&bytes), Outcome::Sound);
    bytes
}

/// Counts what comes of inputs.
#[derive(Default)]
struct Outcomes([u64; 3]);

impl Outcomes {
    fn add(&mut self, outcome: Outcome) {
        self.0[outcome as usize] += 1;
    }

    fn say(&self, what: &str) {
        let [refused, damaged, sound] = self.0;
        say(format!("{what}: {refused} refused, {damaged} found damaged, {sound} with nothing that the format shows"));
    }
}

/// Files of other writers and another page size, from `kv/tests/fixtures`.
fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

#[test]
fn bits_of_everything() {
    flip_bits("flips::bits_of_everything", "1 KiB pages", &everything());
}

/// A child of a branch becomes a branch among leaves, and the two were once merged.
#[test]
fn a_bit_that_mattered() {
    flipped(&everything(), 13_336 * 8 + 1);
}

#[test]
fn bits_of_4k_pages() {
    flip_bits("flips::bits_of_4k_pages", "4 KiB pages", &fixture("foreign-x86_64-4k.db"));
}

#[test]
fn bits_of_etcd() {
    flip_bits("flips::bits_of_etcd", "etcd", &fixture("etcd34-small-map.db"));
}

#[test]
fn bits_of_bbolt() {
    flip_bits("flips::bits_of_bbolt", "bbolt", &fixture("bbolt-single-array-nofreelist.db"));
}

fn flip_bits(test: &str, name: &str, bytes: &[u8]) {
    let bits = bytes.len() as u64 * 8;
    let goal = goals().flips.min(bits);
    if work().is_some() {
        assert_eq!(run(bytes), Outcome::Sound);
        let (mut random, mut outcomes) = (Random::new(seed()), Outcomes::default());
        let mut watched = Watched::after_something_sound();
        for number in 0..goal {
            let bit = if goal == bits { number } else { random.below_u64(bits) };
            watched.case(format_args!("bit {} of byte {}", bit % 8, bit / 8));
            outcomes.add(flipped(bytes, bit));
        }
        outcomes.say("flips");
        return watched.end_of_case();
    }
    let began = Instant::now();
    let said = cases(test, "flips".as_ref());
    print("bit flips", goal, &format!(" of {bits}, {name}; {}", said.join(", ")), seed(), began);
}

/// Runs the file with one bit flipped; in a meta page also with the checksum made to fit.
fn flipped(bytes: &[u8], bit: u64) -> Outcome {
    let (byte, mask) = (usize::try_from(bit / 8).unwrap(), 1 << (bit % 8));
    let mut bytes = bytes.to_vec();
    bytes[byte] ^= mask;
    let outcome = run(&bytes);
    if byte < 2 * 4096 {
        let mended = with_valid_metas(&bytes);
        if mended != bytes {
            run(&mended);
        }
    }
    outcome
}

#[test]
fn every_truncation() {
    let bytes = everything();
    if work().is_some() {
        run(&bytes);
        let (mut outcomes, mut watched) = (Outcomes::default(), Watched::after_something_sound());
        for len in 0..bytes.len() {
            watched.case(format_args!("{len} bytes"));
            outcomes.add(run(&bytes[..len]));
            if goals().every_fault || len.is_multiple_of(16) {
                // There may be other bytes where the file should end.
                outcomes.add(run(&[&bytes[..len], &[0xA5; 5000]].concat()));
            }
        }
        outcomes.say("truncations");
        return watched.end_of_case();
    }
    let began = Instant::now();
    let said = cases("flips::every_truncation", "truncations".as_ref());
    print("truncations", bytes.len() as u64, &format!("; {}", said.join(", ")), seed(), began);
}
