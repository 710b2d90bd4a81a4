//! `Db::peek` beside programs that write: each look shows one whole state, whatever the writer does meanwhile, and also
//! where it is killed.
//!
//! The writers are two bbolts (`peers/busy.go`), this library in another process, and etcd ([`etcd`]).
//!
//! ```sh
//! KV_BUDGET=nightly KV_LIVE_SECONDS=600 cargo test --release -p kv-bbolt --test compat live -- --nocapture --test-threads=1
//! ```

mod etcd;

use std::env;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kv::{Db, Durability, Error, ReadTx};
use kv_testkit::Random;
use kv_testkit::budget::number;
use kv_testkit::peer::Peer;

/// How long each writer is looked at.
fn seconds() -> Duration {
    Duration::from_secs(number("KV_LIVE_SECONDS", 3))
}

const KEYS: u64 = 128;
const STEP: u64 = 37;

/// What commit `n` puts under its key, or that it deletes the key.
fn value(n: u64) -> Option<Vec<u8>> {
    let padding = usize::try_from(n * STEP % 2500).expect("a length");
    (!n.is_multiple_of(5)).then(|| [n.to_string().as_bytes(), &b"x".repeat(padding)].concat())
}

/// What `key`, the number of a key, has after commit `last`: the newest commit that chose it decides.
fn expected(key: u64, last: u64) -> Option<Vec<u8>> {
    let chosen = |n: &u64| n * STEP % KEYS == key;
    (last.saturating_sub(KEYS - 1).max(1)..=last).rev().find(chosen).and_then(value)
}

/// The large value after commit `last`.
fn expected_big(last: u64) -> Option<Vec<u8>> {
    let put = (last - 1) / 500 * 500 + 1;
    (last >= 1 && last < put + 19).then(|| put.to_string().repeat(50_000).into_bytes())
}

fn name(key: u64) -> String {
    format!("{key:03}")
}

/// The number of the newest commit in this state; `None` in a file that has nothing yet.
fn last(tx: &ReadTx<'_>) -> Result<Option<u64>, Error> {
    let Some(bucket) = tx.get_bucket("live")? else { return Ok(None) };
    let last = bucket.get("last")?.expect("each commit says its number");
    Ok(Some(std::str::from_utf8(last).expect("digits").parse().expect("a number")))
}

/// A few keys of one state, with the number of its commit.
type Sample = (u64, Vec<(u64, Option<Vec<u8>>)>, Option<Vec<u8>>);

fn sample(tx: &ReadTx<'_>, keys: &[u64]) -> Result<Option<Sample>, Error> {
    let Some(last) = last(tx)? else { return Ok(None) };
    let bucket = tx.bucket("live")?;
    let read = |key: &u64| Ok((*key, bucket.get(name(*key))?.map(<[u8]>::to_vec)));
    let values = keys.iter().map(read).collect::<Result<_, Error>>()?;
    Ok(Some((last, values, bucket.get("big")?.map(<[u8]>::to_vec))))
}

/// All pairs of one state, with the number of its commit.
type Whole = (u64, Vec<(Vec<u8>, Vec<u8>)>);

fn whole(tx: &ReadTx<'_>) -> Result<Option<Whole>, Error> {
    let Some(last) = last(tx)? else { return Ok(None) };
    let bucket = tx.bucket("live")?;
    let pairs = bucket.iter().map(|pair| pair.map(|(key, value)| (key.to_vec(), value.to_vec())));
    Ok(Some((last, pairs.collect::<Result<_, Error>>()?)))
}

fn expected_whole(last: u64) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pair = |key| Some((name(key).into_bytes(), expected(key, last)?));
    let mut pairs: Vec<_> = (0..KEYS).filter_map(pair).collect();
    pairs.extend(expected_big(last).map(|big| (b"big".to_vec(), big)));
    pairs.push((b"last".to_vec(), last.to_string().into_bytes()));
    pairs
}

/// Looks into the file that the process of `writer` writes, which is killed and started again now and then.
fn look(path: &Path, writer: &mut Command, label: &str) {
    let start = |writer: &mut Command| writer.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the writer");
    let mut child = Killed(start(writer));
    while !path.exists() {
        thread::sleep(Duration::from_millis(1));
    }
    let peek = Db::peek(path).expect("the file is there").patience(Duration::from_secs(60));
    let (began, mut random) = (Instant::now(), Random::new(1));
    let (mut newest, mut first, mut samples, mut wholes, mut kills, mut tries) = (0, None, 0u64, 0u64, 0u64, 0u64);
    while began.elapsed() < seconds() || wholes == 0 {
        let keys: Vec<u64> = (0..5).map(|_| random.below_u64(KEYS)).collect();
        let seen = if samples % 8 == 7 {
            let answer = peek.view(|tx| {
                tries += 1;
                whole(tx)
            });
            answer.expect("a whole state").map(|(last, pairs)| {
                assert!(pairs == expected_whole(last), "{label}: the pairs of commit {last}");
                wholes += 1;
                last
            })
        } else {
            let answer = peek.view(|tx| {
                tries += 1;
                sample(tx, &keys)
            });
            answer.expect("a few keys").map(|(last, values, big)| {
                for (key, value) in values {
                    assert!(value == expected(key, last), "{label}: key {key} of commit {last}");
                }
                assert!(big == expected_big(last), "{label}: the large value of commit {last}");
                last
            })
        };
        samples += 1;
        let Some(seen) = seen else { continue };
        assert!(seen >= newest, "{label}: commit {seen} after {newest}");
        newest = seen;
        first.get_or_insert(seen);
        if samples.is_multiple_of(400) {
            drop(child);
            kills += 1;
            let (left, _) = peek.view(whole).expect("what a kill leaves").expect("there were commits");
            assert!(left >= newest, "{label}: commit {left} after {newest}");
            child = Killed(start(writer));
        }
    }
    let commits = newest - first.unwrap_or(0);
    let per_second = commits * 1000 / u64::try_from(began.elapsed().as_millis()).expect("a time").max(1);
    println!(
        "looks beside {label}: {samples} answers of one state each, {wholes} of all pairs, in {tries} tries; {per_second} commits/s, {kills} kills"
    );
    assert!(commits > 0, "{label} has written meanwhile");
}

/// A process that is killed when this is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

beside_each_bbolt!(a_look_beside_bbolt);

fn a_look_beside_bbolt(peer: &mut Peer) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("file.db");
    look(&path, Command::new(peer.program).arg("busy").arg(&path), &format!("bbolt {}", peer.version));
    peer.check(&path).expect("looking has changed nothing");
}

const FILE: &str = "KV_LIVE_FILE";
const SYNCED: &str = "KV_LIVE_SYNCED";
const LOGGED: &str = "KV_LIVE_LOGGED";

#[test]
fn a_look_beside_this_library() {
    beside_this_library(|writer| writer, "this library, not synced");
}

/// Pages of older states are written over well before the next meta is: it waits for the disk.
#[test]
fn a_look_beside_this_library_that_syncs() {
    beside_this_library(|writer| writer.env(SYNCED, "1"), "this library, synced");
}

/// The newest commits are in the log, which goes round while it is read, and checkpoints come all the time.
#[test]
fn a_look_beside_this_library_with_a_log() {
    beside_this_library(|writer| writer.env(LOGGED, "1"), "this library, with a log");
}

/// What the newest checkpoint no longer uses is written over while the next one is made, before its meta tells.
#[test]
fn a_look_beside_this_library_ends_with_the_checkpoint_that_it_shows() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("file.db");
    let db = Db::options().durability(Durability::Log).open(&path).expect("a file to write");
    let put = |value: &str| {
        let all = |tx: &mut kv::WriteTx<'_>| {
            let mut bucket = tx.create_bucket_if_absent("live")?;
            (0..2000).try_for_each(|key| bucket.put(name(key), value))
        };
        db.update(all).expect("a commit");
    };
    put("before");
    db.checkpoint().expect("a checkpoint");
    let peek = Db::peek(&path).expect("the file is there");
    let look = peek.now().expect("a look");
    let get = |key| look.view(|tx| Ok(tx.bucket("live")?.get(name(key))?.map(<[u8]>::to_vec)));
    put("after");
    assert_eq!(get(0).expect("commits to the log leave it alone"), Some(b"before".to_vec()));
    db.checkpoint().expect("another checkpoint");
    assert_eq!(get(0).expect("what was read before stays right"), Some(b"before".to_vec()));
    assert!(matches!(get(1999), Err(Error::Overtaken { .. })), "{:?}", get(1999));
    assert!(peek.is_overtaken());
}

fn beside_this_library(mode: impl FnOnce(&mut Command) -> &mut Command, label: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("file.db");
    let mut writer = Command::new(env::current_exe().expect("a test program has a path"));
    mode(writer.args(["--exact", "live::the_writer"]).env(FILE, &path));
    look(&path, &mut writer, label);
    kv_testkit::engine::check(&path).expect("the file is sound");
}

/// The process beside these tests; nothing where it is run without a file.
#[test]
fn the_writer() {
    let Some(path) = env::var_os(FILE) else { return };
    let options = if env::var_os(LOGGED).is_some() {
        Db::options().durability(Durability::Log).log_size(256 << 10)
    } else {
        Db::options().no_sync(env::var_os(SYNCED).is_none()).shrink(16)
    };
    let db = options.open(path).expect("a file to write");
    loop {
        db.update(commit_next).expect("a commit");
        thread::sleep(Duration::from_micros(100));
    }
}

fn commit_next(tx: &mut kv::WriteTx<'_>) -> Result<(), Error> {
    let mut bucket = tx.create_bucket_if_absent("live")?;
    let last =
        bucket.get("last")?.map_or(0, |last| std::str::from_utf8(last).expect("digits").parse().expect("a number"));
    let n: u64 = last + 1;
    let key = name(n * STEP % KEYS);
    match value(n) {
        Some(value) => bucket.put(key, value)?,
        None => bucket.delete(key).map(drop)?,
    }
    match n % 500 {
        1 => bucket.put("big", n.to_string().repeat(50_000))?,
        20 => bucket.delete("big").map(drop)?,
        _ => {}
    }
    bucket.put("last", n.to_string())
}
