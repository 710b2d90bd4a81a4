//! `kill -9` at any moment, also while the file is created, opened, closed, copied and compacted: every acknowledged
//! commit is there with every value, and nothing else but, at most, the one that was under way.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant};

use kv::{Db, Durability, FreelistKind, FreelistSync, Options};
use kv_testkit::Random;
use kv_testkit::budget::seed;
use kv_testkit::figure::print;

use crate::budget::goals;
use crate::child::{command, say, start, work};
use crate::workload::{Expected, assert_whole, last};

/// Bytes that each transaction adds.
const BALLAST: usize = 100;

const TEST: &str = "kill::acknowledged_commits_survive";

/// Which transaction is the child's first.
const FIRST: &str = "KV_FAULTS_FIRST";

/// Kills on one file, before a new one is begun.
const LIVES: u64 = 20;

fn options(choice: u64) -> Options {
    Options::new()
        .page_size(if choice & 4 == 0 { 1024 } else { 4096 })
        .freelist(if choice & 1 == 0 { FreelistKind::SpanMaps } else { FreelistKind::SortedArray })
        .freelist_sync(
            [FreelistSync::OnClose, FreelistSync::Log, FreelistSync::Every]
                [usize::try_from(choice / 2 % 3).expect("0 to 2")],
        )
        .durability(if choice & 8 == 0 { Durability::TwoSync } else { Durability::Log })
        .log_size(if choice & 16 == 0 { 0 } else { 1 << 20 })
}

#[test]
fn acknowledged_commits_survive() {
    if let Some(dir) = work() {
        let first = std::env::var(FIRST).unwrap().parse().unwrap();
        write_until_killed(Path::new(&dir), first);
    }
    let (began, mut random) = (Instant::now(), Random::new(seed()));
    let (kills, mut commits) = (goals().kills, 0);
    for round in 0..kills.div_ceil(LIVES) {
        let dir = tempfile::tempdir().unwrap();
        let mut expected = Expected::nothing(seed(), BALLAST);
        for _ in 0..LIVES.min(kills - round * LIVES) {
            let before = expected.number;
            let acknowledged = one_life(dir.path(), before, &mut random);
            after(dir.path(), &mut expected, acknowledged);
            commits += acknowledged - before;
        }
    }
    print("kills", kills, &format!(", {commits} acknowledged commits"), seed(), began);
}

/// The child: commits, opens, closes, copies and compacts without end, and says what it has done.
fn write_until_killed(dir: &Path, first: u64) -> ! {
    let file = dir.join("db");
    let mut made = Expected::after(seed(), first - 1, BALLAST);
    let mut random = Random::of(seed(), first);
    loop {
        let db = options(random.next_u64()).open(&file).unwrap();
        say("opened");
        for _ in 0..=random.below_u64(6) {
            made.commit_next(&db).unwrap();
            say(made.number);
        }
        let done = made.number;
        match random.below_u64(4) {
            0 => _ = db.begin_read().copy_file(dir.join(format!("copy-{done}"))).unwrap(),
            1 => {
                let dense = Db::open(dir.join(format!("dense-{done}"))).unwrap();
                kv::compact(&db, &dense, 2000).unwrap();
                dense.close().unwrap();
            }
            2 => db.close().unwrap(),
            _ => drop(db),
        }
        say("closed");
    }
}

/// Starts a child, kills it, and returns the last transaction that it has acknowledged.
fn one_life(dir: &Path, before: u64, random: &mut Random) -> u64 {
    let mut command = command(&["env"], TEST, dir.as_os_str());
    command.env(FIRST, (before + 1).to_string());
    let mut child = start(command);
    let mut lines = Vec::new();
    // Some are killed while they start, the others around one of the things they say.
    if random.below_u64(4) > 0 {
        let wanted = 1 + random.below_u64(12);
        lines.extend((0..wanted).map_while(|_| child.line()));
        std::thread::sleep(Duration::from_micros(random.below_u64(4000)));
    } else {
        std::thread::sleep(Duration::from_micros(random.below_u64(30_000)));
    }
    child.kill();
    let (rest, status) = child.end();
    lines.extend(rest);
    assert_eq!(status.signal(), Some(9), "it works until it is killed: {}", lines.join("\n"));
    lines.iter().filter_map(|line| line.parse().ok()).max().unwrap_or(before)
}

/// Looks at everything that is there, and leaves only the file.
fn after(dir: &Path, expected: &mut Expected, acknowledged: u64) {
    let file = dir.join("db");
    if !file.exists() {
        assert_eq!(acknowledged, 0, "the file is there before anything is acknowledged");
        return;
    }
    let found = assert_whole(&file, &options(acknowledged), expected, &[acknowledged, acknowledged + 1]);
    for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| *path != file) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if let Some(number) = name.strip_prefix("copy-") {
            let number = number.parse().unwrap();
            assert!(number <= found);
            // A copy is there as a whole or not at all.
            let mut copied = Expected::after(seed(), number, BALLAST);
            assert_eq!(assert_whole(&path, &Options::new(), &mut copied, &[number]), number);
        } else if name.starts_with("dense-") {
            // A compaction that was killed has copied a part, of which nothing is damaged.
            let db = Db::open(&path).unwrap();
            let tx = db.begin_read();
            assert_eq!(tx.check().unwrap(), []);
            assert!(tx.get_bucket("ledger").unwrap().is_none() || last(&tx) <= found);
        }
        fs::remove_file(path).unwrap();
    }
}
