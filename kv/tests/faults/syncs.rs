//! The syncs of commits and growths that each way of turning them off, and on again, makes: counted by `strace`.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;

use kv::{Db, Options};
use kv_testkit::found::found;

use crate::child::{command, kernel_is_left_out, start, work};

const TEST: &str = "syncs::each_way_to_turn_syncs_off_makes_the_calls_that_it_says";

/// Each makes the file grow.
const COMMITS: usize = 12;
const BALLAST: usize = 400_000;

type Open = fn(&Path) -> kv::Result<Db>;

/// How a database is opened, and then told.
const WAYS: [(&str, Open); 6] = [
    ("synced", |path| Db::open(path)),
    ("option", |path| Options::new().no_sync(true).open(path)),
    ("turned off", |path| Db::open(path).inspect(|db| db.set_no_sync(true))),
    ("turned on", |path| Options::new().no_sync(true).open(path).inspect(|db| db.set_no_sync(false))),
    ("off and on", |path| {
        let db = Db::open(path)?;
        db.set_no_sync(true);
        db.set_no_sync(false);
        Ok(db)
    }),
    ("without growth syncs", |path| {
        Options::new().no_sync(true).no_grow_sync(true).open(path).inspect(|db| db.set_no_sync(false))
    }),
];

/// Calls between the two marks.
#[derive(PartialEq, Eq, Debug, Default)]
struct Calls {
    growths: usize,
    syncs_of_growth: usize,
    /// Of their pages; the metas are written durably.
    syncs_of_commits: usize,
    durable_writes: usize,
}

#[test]
fn each_way_to_turn_syncs_off_makes_the_calls_that_it_says() {
    if let Some(path) = work() {
        return commits(Path::new(&path));
    }
    if kernel_is_left_out() || !found("strace", "strace") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let calls = WAYS.map(|(way, _)| calls(&dir.path().join(way)));
    let growths = calls[0].growths;
    assert!(growths > 2, "the file grows: {calls:?}");
    let synced = Calls { growths, syncs_of_growth: growths, syncs_of_commits: COMMITS, durable_writes: COMMITS };
    let without = Calls { growths, ..Calls::default() };
    let [of_synced, of_option, turned_off, turned_on, off_and_on, growth_unsynced] = calls;
    assert_eq!(of_synced, synced);
    assert_eq!(of_option, without);
    assert_eq!(turned_off, without);
    assert_eq!(turned_on, synced);
    assert_eq!(off_and_on, synced);
    assert_eq!(
        growth_unsynced,
        Calls { growths, syncs_of_growth: 0, syncs_of_commits: COMMITS, durable_writes: COMMITS }
    );
}

/// The child: commits between two marks.
fn commits(path: &Path) {
    let way = path.file_name().and_then(|name| name.to_str()).unwrap();
    let open = WAYS.iter().find(|(name, _)| *name == way).unwrap().1;
    let mark = path.with_extension("mark");
    let mark = || fs::write(&mark, "").and_then(|()| fs::remove_file(&mark)).unwrap();
    let db = open(path).unwrap();
    mark();
    for n in 0..COMMITS {
        db.update(|tx| tx.create_bucket_if_absent("b")?.put(n.to_le_bytes(), vec![1; BALLAST])).unwrap();
    }
    mark();
}

fn calls(path: &Path) -> Calls {
    let log = path.with_extension("log");
    let strace = ["strace", "-f", "-qq", "-e", "trace=openat,ftruncate,fsync,fdatasync,pwritev,unlink,unlinkat", "-o"];
    let before = [&strace[..], &[log.to_str().unwrap()]].concat();
    let (said, status) = start(command(&before, TEST, path.as_os_str())).end();
    assert!(status.success(), "{status}: {}", said.join("\n"));
    let log = fs::read_to_string(log).unwrap();
    let marks =
        log.lines().enumerate().filter(|(_, line)| line.contains(".mark") && line.contains("unlink")).map(|(at, _)| at);
    let marks: Vec<usize> = marks.collect();
    let &[from, to] = &marks[..] else { panic!("two marks are made: {log}") };
    let lines: Vec<&str> = log.lines().skip(from).take(to - from).collect();
    let count = |call: &str| lines.iter().filter(|line| line.contains(&format!(" {call}("))).count();
    // Writes to the file as it was opened for those that are durable when they return.
    let opened = log.lines().find(|line| line.contains("O_DSYNC")).and_then(|line| line.rsplit(" = ").next());
    let durable = format!(" pwritev({}, ", opened.expect("the file is opened once more").trim());
    Calls {
        growths: count("ftruncate"),
        syncs_of_growth: count("fsync"),
        syncs_of_commits: count("fdatasync"),
        durable_writes: lines.iter().filter(|line| line.contains(&durable)).count(),
    }
}
