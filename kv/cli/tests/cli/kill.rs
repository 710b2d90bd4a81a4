//! `kill -9` at any moment of a command that makes a file: the file is whole or absent, and nothing else is left.

use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use kv::Db;
use kv_testkit::Random;
use kv_testkit::budget::{Budget, seed};
use kv_testkit::figure::print;

use crate::tool::Bench;

/// Kills of each command, by budget.
const KILLS: [u64; 4] = [6, 60, 1000, 10_000];

const COMMANDS: [&[&str]; 6] = [
    &["backup", "-o", "made", "db"],
    &["compact", "--tx-max-size", "2000", "-o", "made", "db"],
    &["import", "made", "lines"],
    &["surgery", "freelist", "abandon", "--output", "made", "db"],
    &["surgery", "freelist", "rebuild", "--output", "made", "abandoned"],
    &["surgery", "revert-meta-page", "--output", "made", "db"],
];

fn prepared() -> Bench {
    let bench = Bench::new();
    let db = Db::options().no_sync(true).open(bench.path("db")).unwrap();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..4000u32).try_for_each(|n| bucket.put(n.to_string(), vec![1; 300]))
    })
    .unwrap();
    db.close().unwrap();
    bench.kv(&["surgery", "freelist", "abandon", "--output", "abandoned", "db"]).ok();
    let lines = bench.kv(&["export", "db"]).ok();
    std::fs::write(bench.path("lines"), lines).unwrap();
    bench
}

/// Old kernels, and some file systems of containers, have no files without a name.
fn has_nameless_files(bench: &Bench) -> bool {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).custom_flags(libc::O_TMPFILE).open(bench.path(".")).is_ok()
}

/// How long the command takes when nobody kills it.
fn whole_run(bench: &Bench, command: &[&str]) -> Duration {
    let began = Instant::now();
    bench.kv(command).ok();
    let took = began.elapsed();
    std::fs::remove_file(bench.path("made")).unwrap();
    took
}

#[test]
fn a_killed_command_leaves_nothing_unfinished() {
    let (began, bench, mut random) = (Instant::now(), prepared(), Random::new(seed()));
    let (kills, before) = (*Budget::of_this_run().of(&KILLS), bench.files());
    let (nameless, mut made) = (has_nameless_files(&bench), 0);
    for command in COMMANDS {
        let longest = u64::try_from(whole_run(&bench, command).as_micros()).unwrap();
        for _ in 0..kills {
            let mut child = bench.command(command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_micros(random.below_u64(longest)));
            child.kill().unwrap();
            child.wait().unwrap();
            if bench.path("made").exists() {
                assert_eq!(bench.kv(&["check", "made"]).ok(), "OK\n", "{command:?}");
                std::fs::remove_file(bench.path("made")).unwrap();
                made += 1;
            }
            if nameless {
                assert_eq!(bench.files(), before, "{command:?}");
            }
        }
    }
    // Elsewhere the next command that makes a file removes what is left.
    whole_run(&bench, COMMANDS[0]);
    assert_eq!(bench.files(), before);
    let count = kills * COMMANDS.len() as u64;
    print("kills of the command", count, &format!(", {made} of them after its file was there"), seed(), began);
}
