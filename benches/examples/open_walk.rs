//! Opening a large file for writing, by what the file says of its free pages: nothing, a list that has to be checked, a
//! list with a seal that fits.
//!
//! `cargo run --release -p benches --example open_walk -- FILE [PAGES [VALUE_BYTES]]`
//!
//! FILE is made if it is absent, with about so many pages of 4 KiB (2 million if not given, which take 8 GB of disk and
//! as much page cache), and stays. It is opened a few times; the shortest time counts.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use benches::store::crash;
use cpu_time::ProcessTime;
use kv::{Db, Options};

const ROUNDS: u32 = 5;
const BUCKETS: u64 = 8;

/// A file of at least so many pages: a few buckets of ascending keys, and a hole wherever every 64th key was.
fn make(path: &Path, pages: u64, value: usize) {
    let options = Options::new().no_sync(true);
    let db = options.open(path).expect("a new file");
    let value = vec![7; value];
    let mut number = 0u64;
    while db.begin_read().size() / u64::from(db.page_size()) < pages {
        db.update(|tx| {
            let mut bucket = tx.create_bucket_if_absent((number / 100_000 % BUCKETS).to_string())?;
            for _ in 0..100_000 {
                number += 1;
                bucket.put(format!("a key of a usual length {number:012}"), &value)?;
            }
            Ok(())
        })
        .expect("room for the pairs");
    }
    db.close().expect("room for the list");
}

/// The shortest time of a few opens, and the least processor time of all threads together.
fn time(path: &Path, leave: impl Fn(Db)) -> (Duration, Duration) {
    let once = |_| {
        let (begin, work) = (Instant::now(), ProcessTime::now());
        let db = Options::new().open(path).expect("a sound file");
        let took = (begin.elapsed(), work.elapsed());
        leave(db);
        took
    };
    (0..ROUNDS).map(once).reduce(|least, took| (least.0.min(took.0), least.1.min(took.1))).expect("a few rounds")
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().expect("a file"));
    let pages: u64 = arguments.next().map_or(2_000_000, |pages| pages.parse().expect("a number of pages"));
    let value: usize = arguments.next().map_or(300, |bytes| bytes.parse().expect("a number of bytes"));
    if !path.exists() {
        make(&path, pages, value);
    }
    let report = |what: &str, (took, work): (Duration, Duration)| {
        println!("{what:<40} {:>8.3} s, {:.3} s of processors", took.as_secs_f64(), work.as_secs_f64());
        std::io::stdout().flush().expect("standard output");
    };
    drop(Options::new().open(&path).expect("a sound file"));
    report("a list with its seal", time(&path, drop));
    let db = Options::new().open(&path).expect("a sound file");
    db.update(|tx| tx.create_bucket_if_absent("more")?.put("key", "value")).expect("room for a pair");
    crash(db).expect("the writer");
    report("no list, after a crash", time(&path, |db| crash(db).expect("the writer")));
}
