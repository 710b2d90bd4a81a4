//! How much memory the index takes, as the system counts it, and how long opening takes: `KV_BUDGET=push` is a million
//! keys, `nightly` ten.
#![cfg(target_os = "linux")]

#[macro_use]
extern crate kv_testkit;

use std::fs;
use std::process::Command;
use std::time::Instant;

use kv_etcd::mvcc::{Options, PutRequest, Store};
use kv_testkit::Random;
use kv_testkit::budget::{Budget, seed};

/// Bytes of anonymous memory that are resident.
fn anonymous() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says it");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("it has the line");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024
}

/// Processor time that this process has taken, in milliseconds.
fn processor() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux says it");
    let behind_name = stat.rsplit(") ").next().expect("the name is in parentheses");
    let ticks = behind_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number"));
    // Hundredths of a second, on every Linux there is.
    ticks.sum::<u64>() * 10
}

fn key(n: u64) -> String {
    // 36 bytes, of which neighbours share what neighbours of real keys share.
    format!("/registry/pods/default/{:013x}", Random::of(seed(), n).next_u64() >> 12)
}

const CHILD: &str = "KV_ETCD_CHILD";

fn options() -> Options {
    let engine = kv::Options::new().no_sync(true).read_cache(0);
    Options::new().engine(engine).max_waiting(usize::MAX)
}

/// Not a test of its own: opens the store in a process that has done nothing else, and says what that took.
#[test]
fn child() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let (before, busy, began) = (anonymous(), processor(), Instant::now());
    let store = Store::open(path, options()).expect("it opens");
    let milliseconds = began.elapsed().as_millis();
    println!("\nOPENED {} {} {milliseconds} {}", store.status().keys, anonymous() - before, processor() - busy);
}

#[test]
fn a_key_takes_little_memory() {
    let keys: u64 = *Budget::of_this_run().of(&[200_000, 1_000_000, 10_000_000, 10_000_000]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("db");
    let before = anonymous();
    let store = Store::open(&path, options()).expect("it opens");
    let began = Instant::now();
    for n in 0..keys {
        let put = PutRequest::new(key(n), "value");
        assert_eq!(put.key.len(), 36);
        if n % 4096 == 4095 || n + 1 == keys {
            store.put(put).expect("a put");
        } else {
            store.submit(put, |answer| drop(answer.expect("a put")));
        }
    }
    let filled = began.elapsed().as_secs_f64();
    let live = (anonymous() - before) / keys;
    drop(store);
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, &path)
        .output()
        .expect("it starts");
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = output.lines().find_map(|line| line.strip_prefix("OPENED ")).unwrap_or_else(|| panic!("{output}"));
    let numbers: Vec<u64> = line.split(' ').map(|number| number.parse().expect("a number")).collect();
    let [found, bytes, milliseconds, busy] = numbers[..] else { panic!("{line}") };
    assert_eq!(found, keys);
    println!(
        "\netcd layer: {keys} keys of 36 bytes, {} bytes of anonymous memory each after opening, {live} after the puts; \
         opened in {milliseconds} ms with {busy} ms of processors, filled in {filled:.1} s",
        bytes / keys
    );
    assert!(bytes / keys <= 110 && live <= 110, "{} and {live} bytes for each key", bytes / keys);
}
