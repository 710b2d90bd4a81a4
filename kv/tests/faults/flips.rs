//! Damage by chance: single flipped bits and every truncation of a small file with everything in it. No panic, no
//! endless run, no memory without bound; and what passes the check can be read and written.

use std::time::Instant;

use kv::{FreelistSync, Options};
use pagefile_std::MemStore;
use std::sync::Arc;

use crate::bodies::any_bytes::{Outcome, run, with_valid_metas};
use crate::bodies::changes::Numbers;
use crate::budget::{budget, seed, tell};
use crate::child::{cases, peak_memory_kib, say, work};

const PAGE_SIZE: usize = 1024;

/// Memory that no damage may make the library take beyond what it takes for the sound file.
const MEMORY_MAX_KIB: u64 = 16 * 1024;

/// A file with branches, leaves, overflow pages, inline, nested and empty buckets, and free pages.
pub(crate) fn fixture() -> Vec<u8> {
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
    let len = db.begin_read().unwrap().size();
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

#[test]
fn single_bits() {
    let bytes = fixture();
    let bits = bytes.len() as u64 * 8;
    let goal = budget().flips.min(bits);
    if work().is_some() {
        let sound = peak_memory_kib();
        let (mut numbers, mut outcomes) = (Numbers(seed()), Outcomes::default());
        for number in 0..goal {
            let bit = if goal == bits { number } else { numbers.below(bits) };
            say(format!("case bit {} of byte {}", bit % 8, bit / 8));
            outcomes.add(flipped(&bytes, bit));
        }
        outcomes.say("flips");
        let peak = peak_memory_kib();
        assert!(peak < sound + MEMORY_MAX_KIB, "{sound} KiB were enough, and then it was {peak}");
        return;
    }
    let began = Instant::now();
    let said = cases("flips::single_bits", "flips".as_ref());
    tell("bit flips", goal, &format!(" of {bits}; {}", said.join(", ")), began);
}

/// Runs the file with one bit flipped; in a meta page also with the checksum made to fit.
fn flipped(bytes: &[u8], bit: u64) -> Outcome {
    let (byte, mask) = (usize::try_from(bit / 8).unwrap(), 1 << (bit % 8));
    let mut bytes = bytes.to_vec();
    bytes[byte] ^= mask;
    let outcome = run(&bytes);
    if byte < 2 * PAGE_SIZE {
        let mended = with_valid_metas(&bytes);
        if mended != bytes {
            run(&mended);
        }
    }
    outcome
}

#[test]
fn every_truncation() {
    let bytes = fixture();
    if work().is_some() {
        let mut outcomes = Outcomes::default();
        for len in 0..bytes.len() {
            say(format!("case {len} bytes"));
            outcomes.add(run(&bytes[..len]));
            if len.is_multiple_of(16) {
                // Something else may stand where the file should end.
                outcomes.add(run(&[&bytes[..len], &[0xA5; 5000]].concat()));
            }
        }
        return outcomes.say("truncations");
    }
    let began = Instant::now();
    let said = cases("flips::every_truncation", "truncations".as_ref());
    tell("truncations", bytes.len() as u64, &format!("; {}", said.join(", ")), began);
}
