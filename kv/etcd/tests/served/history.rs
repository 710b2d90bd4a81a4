//! 50 clients, and a server that is killed now and then: what they saw is what one store shows that does one thing at a
//! time, and every acknowledged write is there. Porcupine judges it.
//!
//! | variable | |
//! | --- | --- |
//! | `KV_ETCD_KILLS` | how often the server is killed, instead of what the budget says |

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use kv_testkit::Random;
use kv_testkit::budget::{Budget, number, seed};
use kv_testkit::{figure, go};

use crate::process::{Process, free_url};

const CLIENTS: &str = "50";
/// The server's kills, by budget.
const KILLS: [u64; 4] = [3, 30, 300, 3000];
/// A history is judged after so many: what nobody knows the outcome of makes that dear.
const KILLS_OF_A_HISTORY: u64 = 10;
/// The minor version of Go 1 that etcd's library asks for.
const GO_OF_MODULE: u32 = 26;

fn program() -> Option<PathBuf> {
    go::program(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/history"), "etcd-history", GO_OF_MODULE)
}

/// The clients, until their standard input ends.
fn clients(program: &Path, url: &str, seed: u64, bug: &[&str]) -> Child {
    let mut command = Command::new(program);
    command.args([url, CLIENTS, &(seed >> 1).to_string()]).args(bug).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

/// Runs clients while the server is killed so often, and returns what they say about what they saw.
fn history(program: &Path, random: &mut Random, kills: u64, bug: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let (data, url) = (directory.path().join("data"), free_url());
    let mut server = Process::start(&data, &url);
    let clients = clients(program, &url, random.below_u64(u64::MAX), bug);
    let mut live = |most| sleep(Duration::from_millis(300 + random.below_u64(most)));
    for _ in 0..kills {
        live(1200);
        server.kill();
        live(300);
        server = Process::start(&data, &url);
    }
    live(1200);
    // Its standard input is closed, and the judgement begins.
    clients.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn every_history_has_an_order() {
    let Some(program) = program() else { return };
    let kills = number("KV_ETCD_KILLS", *Budget::of_this_run().of(&KILLS));
    let began = Instant::now();
    let (mut random, mut left) = (Random::of(seed(), 0), kills);
    let mut seen = String::new();
    while left > 0 {
        let now = left.min(KILLS_OF_A_HISTORY);
        let output = history(&program, &mut random, now, &[]);
        assert!(output.status.success(), "{}", said(&output));
        seen = said(&output).trim().to_owned();
        left -= now;
    }
    figure::print("kills of a served store", kills, &format!("; the last history: {seen}"), seed(), began);
}

/// The judgement is one that can fail.
#[test]
fn a_stale_read_and_a_lost_write_are_noticed() {
    let Some(program) = program() else { return };
    let mut random = Random::of(seed(), 1);
    for (bug, words) in [("stale-read", "NOT LINEARIZABLE"), ("lost-write", "LOST")] {
        let output = history(&program, &mut random, 0, &[bug]);
        assert!(!output.status.success() && said(&output).contains(words), "{bug}: {}", said(&output));
    }
}
