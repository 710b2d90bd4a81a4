//! Lists of a file whose writer commits more often than all of it can be read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use kv::Db;

use crate::tool::{Answer, Bench};

const KEYS: u64 = 60_000;

fn key(n: u64) -> String {
    format!("{:06}", n % KEYS)
}

/// Looks at the file `db`, of whose keys each transaction sets one to its number, all in turn.
fn beside_a_writer(look: impl FnOnce(&Bench)) {
    let bench = Bench::new();
    let db = Db::options().no_sync(true).open(bench.path("db")).unwrap();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..KEYS).try_for_each(|n| bucket.put(key(n), n.to_string()))
    })
    .unwrap();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let (db, ended) = (&db, &ended);
        scope.spawn(move || {
            for n in (KEYS..).take_while(|_| !ended.load(Ordering::Relaxed)) {
                db.update(|tx| tx.bucket_mut("b")?.put(key(n), n.to_string())).unwrap();
                thread::sleep(Duration::from_micros(200));
            }
        });
        // Also if the look panics: the scope waits for the writer.
        let _end = End(ended);
        look(&bench);
    });
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Standard output of a look that went on in newer states, and says so once.
#[track_caller]
fn mixed(answer: Answer) -> String {
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert_eq!(answer.err.lines().count(), 1, "{}", answer.err);
    assert!(answer.err.starts_with("kv: db: another program commits: what follows \""), "{}", answer.err);
    assert!(answer.err.contains(" is of newer states, transaction "), "{}", answer.err);
    String::from_utf8(answer.out).unwrap()
}

#[test]
fn a_list_goes_on_in_newer_states_and_says_so() {
    beside_a_writer(|bench| {
        let scanned = mixed(bench.kv(&["scan", "--live", "--across-commits", "db", "b"]));
        let mut next = 0;
        for line in scanned.lines() {
            let (listed, value) = line.split_once('\t').unwrap();
            let put: u64 = value.parse().unwrap();
            assert_eq!([listed, listed], [key(next), key(put)], "each key once, with a value that was put");
            next += 1;
        }
        assert_eq!(next, KEYS);
        let all: Vec<_> = (0..KEYS).map(key).collect();
        let backwards = mixed(bench.kv(&["keys", "--live", "--across-commits", "--reverse", "db", "b"]));
        assert!(backwards.lines().eq(all.iter().rev()), "all keys, the last first");
        let json = mixed(bench.kv(&["keys", "--live", "--across-commits", "--json", "--limit", "50000", "db", "b"]));
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), all[..50_000]);
    });
}

/// What a list of one state says that finds no time between two commits. Where the writer had to wait that long itself, for its
/// disk or for a processor, the list is of one state indeed, and there is another try.
fn busy(bench: &Bench) -> String {
    loop {
        let answer = bench.kv(&["scan", "--live", "--lock-timeout", "0.3", "db", "b"]);
        if answer.code != 0 {
            return answer.failed(3);
        }
        let listed = answer.ok();
        let values: Vec<u64> = listed.lines().map(|line| line.split_once('\t').unwrap().1.parse().unwrap()).collect();
        let newest = *values.iter().max().unwrap();
        // The newest number is of some key; the keys behind it still have the numbers of the turn before.
        let expected = (0..KEYS).map(|n| newest - (newest + KEYS - n) % KEYS);
        assert!(values.iter().copied().eq(expected), "the keys are of one state");
    }
}

#[test]
fn a_list_of_one_state_is_not_mixed() {
    beside_a_writer(|bench| {
        let error = busy(bench);
        assert!(error.contains("db: another program committed during each of"), "{error}");
        assert!(error.contains("with `kv keys` or `kv scan` and --across-commits"), "{error}");
        let few = ["keys", "--live", "--lock-timeout", "20", "--limit", "3", "db", "b"];
        assert_eq!(bench.kv(&few).ok(), "000000\n000001\n000002\n");
        let error = bench.kv(&["keys", "--live", "--across-commits", "db", "absent"]).failed(1);
        assert!(error.contains("there is no bucket \"absent\""), "{error}");
    });
    let bench = Bench::with("etcd34-small-array");
    let without = ["keys", "--across-commits", "db", "key"];
    assert!(bench.kv(&without).failed(2).contains("--across-commits is for looks into a file in use: add --live"));
    let at_rest = bench.kv(&["keys", "--live", "--across-commits", "db", "key"]).ok();
    assert_eq!(at_rest, bench.kv(&["keys", "db", "key"]).ok());
}
