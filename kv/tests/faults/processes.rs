//! Several processes at one file: writers one after the other, readers together, nobody sees anything half done.

use std::path::Path;
use std::time::{Duration, Instant};

use kv::{Db, Options};
use kv_testkit::budget::seed;
use kv_testkit::figure::print;

use crate::child::{command, say, start, work};

const TEST: &str = "processes::writers_take_turns_and_readers_share";
const ROLE: &str = "KV_FAULTS_ROLE";
const WRITERS: u64 = 4;
const READERS: u64 = 3;
const TURNS: u64 = 12;

#[test]
fn writers_take_turns_and_readers_share() {
    if let Some(path) = work() {
        let role = std::env::var(ROLE).unwrap();
        return match role.strip_prefix("writer ") {
            Some(writer) => write(Path::new(&path), writer),
            None => read(Path::new(&path)),
        };
    }
    let began = Instant::now();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    // The first to come creates it, also while others try the same.
    let roles = (0..WRITERS).map(|n| format!("writer {n}")).chain((0..READERS).map(|_| "reader".into()));
    let running: Vec<_> = roles
        .map(|role| {
            let mut command = command(&["env"], TEST, path.as_os_str());
            command.env(ROLE, role);
            start(command)
        })
        .collect();
    for child in running {
        let (said, status) = child.end();
        assert!(status.success(), "{status}: {}", said.join("\n"));
    }
    let db = Db::open(&path).unwrap();
    assert_eq!(counted(&db), WRITERS * TURNS, "no turn is lost");
    print("turns of processes", WRITERS * TURNS, &format!(", {WRITERS} writers, {READERS} readers"), seed(), began);
}

/// Opens, reads the count, writes the next and who it was, closes; so often.
fn write(path: &Path, writer: &str) {
    for turn in 0..TURNS {
        let db = Options::new().page_size(1024).lock_timeout(Duration::MAX).open(path).unwrap();
        let count = counted(&db);
        db.update(|tx| {
            tx.create_bucket_if_absent("turns")?.put(format!("{count:06}"), format!("{writer} {turn}").repeat(20))?;
            tx.create_bucket_if_absent("count")?.set_sequence(count + 1)
        })
        .unwrap();
        say("turn");
    }
}

/// Opens beside other readers until everything has been written.
fn read(path: &Path) {
    let mut seen = 0;
    while seen < WRITERS * TURNS {
        let Ok(db) = Options::new().read_only(true).open(path) else {
            // Not created yet.
            std::thread::yield_now();
            continue;
        };
        let count = counted(&db);
        assert!(count >= seen, "what was there is there");
        seen = count;
        // Writers come to their turn while nobody reads.
        drop(db);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How many turns there were; the check finds nothing, and there is an entry for each.
fn counted(db: &Db) -> u64 {
    let tx = db.begin_read();
    assert_eq!(tx.check().unwrap(), []);
    let count = tx.get_bucket("count").unwrap().map_or(0, |bucket| bucket.sequence());
    let turns = tx.get_bucket("turns").unwrap().map_or(0, |bucket| bucket.iter().count());
    assert_eq!(turns as u64, count, "a commit is there as a whole");
    count
}
