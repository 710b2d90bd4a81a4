//! A freelist of 65,535 page numbers or more has another form than a shorter one.
//! Each engine takes it over that border, under the other's eyes.

use std::ops::Range;
use std::path::Path;

use kv_testkit::engine::{self, dump_file};
use kv_testkit::peer::Peer;
use kv_testkit::program::{Action, Command, Settings, Step, Transaction, Value};

use crate::meta::{freelist_len, newest};

/// The shortest list in the long form.
const BORDER: u64 = 65_535;
const PAGE_SIZE: u32 = 1024;
/// With the span maps the file would become shorter, and the list with it.
const SETTINGS: Settings = Settings::new(PAGE_SIZE, false, kv::FreelistSync::Every);

/// Buckets by number. What is deleted with a bucket of one value are its pages and
/// next to nothing else.
const LARGE: Range<u16> = 0..66;
const MIDDLE: Range<u16> = 100..150;
const SMALL: Range<u16> = 200..240;

fn transaction(buckets: Range<u16>, actions: impl Fn(u16) -> Vec<Action>) -> Step {
    let commands = buckets.flat_map(|n| {
        let path = vec![n.to_le_bytes().to_vec()];
        actions(n).into_iter().map(move |action| Command { path: path.clone(), action })
    });
    Step::Transaction(Transaction { commands: commands.collect(), commits: true })
}

/// Buckets with one value of so many pages in each.
fn fill(buckets: Range<u16>, pages: usize) -> Step {
    let len = pages * PAGE_SIZE as usize - 100;
    transaction(buckets, |n| {
        let value = Value::Expanded { len, seed: n.into() };
        vec![Action::Create, Action::Put(b"key".to_vec(), value)]
    })
}

fn delete(buckets: Range<u16>) -> Step {
    transaction(buckets, |_| vec![Action::DeleteBucket])
}

/// Frees pages, in ever smaller steps, until the list is over the border. `run` is
/// the engine that writes.
fn cross_the_border(path: &Path, peer: &mut Peer, mut run: impl FnMut(&mut Peer, &[Step])) {
    run(peer, &[fill(LARGE, 1000), fill(MIDDLE, 50), fill(SMALL, 8), delete(0..63)]);
    let (mut large, mut middle, mut small) = (63..LARGE.end, MIDDLE, SMALL);
    let mut lengths = vec![freelist_len(path)];
    let mut len = lengths[0];
    while len < BORDER + 20 {
        let next = match BORDER.saturating_sub(len) {
            1100.. => large.next(),
            60.. => middle.next(),
            _ => small.next(),
        };
        let n = next.expect("there is enough to free");
        run(peer, &[delete(n..n + 1)]);
        len = freelist_len(path);
        lengths.push(len);
        if len + 60 > BORDER {
            peer.check(path).expect("bbolt's check");
            engine::check(path).expect("kv's check");
            assert_eq!(peer.dump(path).expect("bbolt's dump"), dump_file(path).expect("kv's dump"));
        }
    }
    let short = lengths.iter().any(|len| (BORDER - 60..BORDER).contains(len));
    assert!(short, "the list was looked at shortly before the border: {lengths:?}");
}

/// Takes most of the pages that are free.
fn refill() -> Vec<Step> {
    vec![fill(0..50, 1000)]
}

beside_each_bbolt!(kv_writes_a_long_freelist, kv_reads_a_long_freelist);

fn kv_writes_a_long_freelist(peer: &mut Peer) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("file.db");
    cross_the_border(&path, peer, |_, program| {
        engine::run(&path, SETTINGS, program).expect("kv runs it");
    });
    let high_water = newest(&path).high_water;
    peer.run(&path, SETTINGS, &refill()).expect("bbolt runs it");
    peer.check(&path).expect("bbolt's check");
    assert!(newest(&path).high_water < high_water + 1000, "bbolt takes what kv lists as free");
}

fn kv_reads_a_long_freelist(peer: &mut Peer) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("file.db");
    cross_the_border(&path, peer, |peer, program| {
        peer.run(&path, SETTINGS, program).expect("bbolt runs it");
    });
    let high_water = newest(&path).high_water;
    engine::run(&path, SETTINGS, &refill()).expect("kv runs it");
    peer.check(&path).expect("bbolt's check");
    assert!(newest(&path).high_water < high_water + 1000, "kv takes what bbolt lists as free");
}
