//! Commands that change a file or make one.

use kv::Db;

use crate::tool::{Bench, FIXTURES};

#[test]
fn values_come_back_in_every_notation() {
    let bench = Bench::new();
    assert_eq!(bench.kv(&["create", "db", "outer", "inner"]).ok(), "");
    bench.kv(&["put", "db", "outer", "inner", "key", "tea pot"]).ok();
    assert_eq!(bench.kv(&["get", "db", "outer", "inner", "key"]).ok(), "tea pot\n");
    let hex = ["put", "--parse-format", "hex", "--value-format", "base64", "db", "outer", "00ff", "AAEC"];
    bench.kv(&hex).ok();
    for (format, expected) in [
        ("auto", "hex:000102\n"),
        ("ascii-encoded", "\"\\x00\\x01\\x02\"\n"),
        ("hex", "000102\n"),
        ("base64", "AAEC\n"),
        ("bytes", "\x00\x01\x02"),
        ("redacted", "<redacted len:3 sha256:ae4b3280e56e2faf83f414a6e3dabe9d5fbe18976544c05fed121accb85b53fc>\n"),
    ] {
        let got = bench.kv(&["get", "--format", format, "--parse-format", "base64", "db", "outer", "AP8="]).ok();
        assert_eq!(got, expected, "{format}");
    }
    assert_eq!(bench.kv(&["keys", "db", "outer"]).ok(), "hex:00ff\ninner\n");
    assert_eq!(bench.kv(&["keys", "--bucket-format", "hex", "db", "6f75746572"]).ok(), "hex:00ff\ninner\n");
    assert_eq!(bench.kv(&["buckets", "db"]).ok(), "outer\n");
    assert_eq!(bench.kv(&["buckets", "--format", "hex", "db", "outer"]).ok(), "696e6e6572\n");
}

#[test]
fn a_value_may_come_from_a_file_or_a_pipe() {
    let bench = Bench::new();
    bench.kv(&["create", "db", "b"]).ok();
    let large: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(bench.path("large"), &large).unwrap();
    bench.kv(&["put", "--value-from", "large", "db", "b", "file"]).ok();
    bench.kv_reading(&["put", "--value-from", "-", "db", "b", "pipe"], &large[..7]).ok();
    assert!(bench.kv(&["get", "--format", "bytes", "db", "b", "file"]).out == large);
    assert!(bench.kv(&["get", "-f", "bytes", "db", "b", "pipe"]).out == large[..7]);
    assert_eq!(bench.kv(&["check", "db"]).ok(), "OK\n");
}

#[test]
fn what_is_deleted_is_gone_and_a_put_is_one_transaction() {
    let bench = Bench::with("etcd34-small-array");
    let tx = |bench: &Bench| Db::open(bench.path("db")).unwrap().begin_read().id().get();
    bench.kv(&["create", "db", "notes"]).ok();
    bench.kv(&["create", "db", "notes", "old"]).ok();
    let before = tx(&bench);
    bench.kv(&["put", "db", "notes", "a", "1"]).ok();
    assert_eq!(tx(&bench), before + 1);
    bench.kv(&["del", "db", "notes", "a"]).ok();
    assert!(bench.kv(&["get", "db", "notes", "a"]).failed(1).contains("no key \"a\" in bucket \"notes\""));
    assert!(bench.kv(&["del", "db", "notes", "a"]).failed(1).contains("db: there is no key"));
    assert_eq!(tx(&bench), before + 2, "a command that fails changes nothing");
    bench.kv(&["del", "--bucket", "db", "notes", "old"]).ok();
    assert!(bench.kv(&["del", "--bucket", "db", "notes", "old"]).failed(1).contains("no bucket \"old\""));
    bench.kv(&["del", "--bucket", "db", "notes"]).ok();
    let untouched = Bench::with("etcd34-small-array").kv(&["export", "db"]).ok();
    assert_eq!(bench.kv(&["export", "db"]).ok(), untouched);
}

#[test]
fn a_new_file_has_the_page_size_that_was_asked_for() {
    let bench = Bench::new();
    for size in ["1024", "4096", "65536"] {
        bench.kv(&["create", "--page-size", size, size]).ok();
        assert_eq!(Db::open(bench.path(size)).unwrap().page_size().to_string(), size);
    }
    bench.kv(&["create", "--page-size", "1000", "no"]).failed(2);
    assert!(!bench.path("no").exists());
}

/// Pages of branches and leaves.
fn pages_in_use(bench: &Bench, file: &str) -> u64 {
    let db = Db::options().read_only(true).open(bench.path(file)).unwrap();
    let stats = db.begin_read().root().stats().unwrap();
    (stats.branch_bytes + stats.leaf_bytes) / u64::from(db.page_size())
}

#[test]
fn a_compacted_copy_is_equal_sound_and_without_waste() {
    for name in FIXTURES {
        let bench = Bench::with(name);
        let source = bench.read("db");
        let said = bench.kv(&["compact", "-o", "copy", "--no-sync", "db"]).ok();
        let copy = bench.read("copy");
        assert!(said.starts_with(&format!("{} -> {} bytes (gain=", source.len(), copy.len())), "{said}");
        // No more than the source has in use, and what is free is the few pages that the last transactions freed.
        let live = pages_in_use(&bench, "db");
        assert!(pages_in_use(&bench, "copy") <= live, "{name}");
        let most = live + 6;
        assert!(copy.len() as u64 <= most * 4096, "{name}: {} bytes, {live} pages in use before", copy.len());
        assert!(source == bench.read("db"));
        let dump = |file| bench.kv(&["export", "--format", "dump", file]).ok();
        assert_eq!(dump("copy"), dump("db"));
        assert_eq!(bench.kv(&["check", "copy"]).ok(), "OK\n");
        let tiny = bench.kv(&["compact", "--tx-max-size", "100", "-o", "steps", "db"]).ok();
        assert!(tiny.contains("gain="));
        assert_eq!(dump("steps"), dump("db"));
        assert_eq!(std::fs::read_dir(bench.path(".")).unwrap().count(), 3, "nothing is left behind");
    }
}

#[test]
fn a_name_that_is_too_long_for_a_new_bucket_is_compacted_exported_and_imported() {
    let bench = Bench::new();
    let name = "n".repeat(40_000);
    let error = bench.kv(&["create", "db", &name]).failed(2);
    assert!(error.contains("a bucket name of 40000 bytes is too long"), "{error}");
    let db = Db::open(bench.path("db")).unwrap();
    db.update(|tx| tx.import_bucket(&name)?.import_bucket(&name)?.put("key", "value")).unwrap();
    db.close().unwrap();
    bench.kv(&["compact", "-o", "copy", "db"]).ok();
    let lines = bench.kv(&["export", "db"]).ok();
    bench.kv_reading(&["import", "again"], lines.as_bytes()).ok();
    for file in ["copy", "again"] {
        assert_eq!(bench.kv(&["export", file]).ok(), lines);
        assert_eq!(bench.kv(&["check", file]).ok(), "OK\n");
    }
}

#[test]
#[cfg(unix)]
fn copies_have_the_permissions_of_their_source() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::with("bbolt-inline-hashmap");
    for allowed in [0o640, 0o600, 0o644] {
        std::fs::set_permissions(bench.path("db"), std::fs::Permissions::from_mode(allowed)).unwrap();
        for command in [
            &["compact", "-o", "copy", "db"][..],
            &["backup", "-o", "copy", "db"],
            &["surgery", "revert-meta-page", "--output", "copy", "db"],
            &["surgery", "freelist", "abandon", "--output", "copy", "db"],
        ] {
            bench.kv(command).ok();
            let mode = std::fs::metadata(bench.path("copy")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, allowed, "{command:?}");
            std::fs::remove_file(bench.path("copy")).unwrap();
        }
    }
}

#[test]
fn a_backup_opens_and_is_equal() {
    for name in FIXTURES {
        let bench = Bench::with(name);
        bench.kv(&["backup", "-o", "copy", "db"]).ok();
        let piped = bench.kv(&["backup", "-o", "-", "db"]);
        assert!(piped.code == 0 && piped.out == bench.read("copy"));
        let dump = |file| bench.kv(&["export", "--format", "dump", file]).ok();
        assert_eq!(dump("copy"), dump("db"));
        assert_eq!(bench.kv(&["check", "copy"]).ok(), "OK\n");
    }
}

/// What was kept from others in a database stays so in its copies.
#[cfg(unix)]
#[test]
fn a_new_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let bench = Bench::with("bbolt-inline-hashmap");
    std::fs::set_permissions(bench.path("db"), std::fs::Permissions::from_mode(0o600)).unwrap();
    bench.kv(&["create", "created", "b"]).ok();
    bench.kv(&["backup", "-o", "backup", "db"]).ok();
    bench.kv(&["compact", "-o", "compacted", "db"]).ok();
    bench.kv(&["surgery", "freelist", "abandon", "--output", "abandoned", "db"]).ok();
    bench.kv(&["surgery", "freelist", "rebuild", "--output", "rebuilt", "abandoned"]).ok();
    for name in ["created", "backup", "compacted", "abandoned", "rebuilt"] {
        let mode = std::fs::metadata(bench.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn nothing_overwrites_a_file_that_is_there() {
    let bench = Bench::with("bbolt-inline-hashmap");
    std::fs::write(bench.path("precious"), "precious").unwrap();
    for args in [
        &["compact", "-o", "precious", "db"][..],
        &["backup", "-o", "precious", "db"],
        &["map", "--svg", "precious", "db"],
        &["surgery", "revert-meta-page", "--output", "precious", "db"],
        &["surgery", "freelist", "abandon", "--output", "precious", "db"],
        &["bench", "--path", "precious"],
        &["create", "precious"],
    ] {
        let error = bench.kv(args).failed(3);
        assert!(error.contains("precious: there is a file of this name already"), "{args:?}: {error}");
        assert_eq!(bench.read("precious"), b"precious", "{args:?}");
    }
    // Not even where source and target are one.
    let source = bench.read("db");
    bench.kv(&["compact", "-o", "db", "db"]).failed(3);
    assert!(bench.read("db") == source);
}

#[test]
fn a_file_becomes_shorter_in_place() {
    let bench = Bench::new();
    let db = Db::open(bench.path("db")).unwrap();
    db.update(|tx| {
        let mut bucket = tx.create_bucket("b")?;
        (0..20_000u32).try_for_each(|n| bucket.put(format!("{n:05}"), [7; 200]))
    })
    .unwrap();
    db.update(|tx| tx.bucket_mut("b")?.delete_range("00100".."19900").map(drop)).unwrap();
    db.close().unwrap();
    let (before, content) = (bench.read("db").len(), bench.kv(&["export", "db"]).ok());
    let said = bench.kv(&["shrink", "db"]).ok();
    let after = bench.read("db").len();
    assert!(said.starts_with(&format!("{before} -> {after} bytes (")), "{said}");
    assert!(cfg!(windows) || after * 10 < before, "{said}");
    assert_eq!(bench.kv(&["check", "db"]).ok(), "OK\n");
    assert_eq!(bench.kv(&["export", "db"]).ok(), content);
}

/// A file with a checkpoint, and two transactions after it that are in the log alone.
fn with_a_log(bench: &Bench) -> Vec<u8> {
    let store = std::sync::Arc::new(kv::MemStore::new());
    let options = kv::Options::new().durability(kv::Durability::Log).log_size(0);
    let db = options.open_store(Box::new(std::sync::Arc::clone(&store))).unwrap();
    db.update(|tx| tx.create_bucket("b").map(drop)).unwrap();
    db.checkpoint().unwrap();
    for key in ["one", "two"] {
        db.update(|tx| tx.bucket_mut("b")?.put(key, "value")).unwrap();
    }
    let left = store.snapshot();
    std::fs::write(bench.path("db"), &left).unwrap();
    left
}

#[test]
fn a_damaged_log_is_given_up_in_a_copy() {
    let bench = Bench::new();
    let left = with_a_log(&bench);
    let said = bench.kv(&["surgery", "abandon-log", "--output", "whole", "db"]).ok();
    assert!(said.contains("Lost are 2 transactions, up to ") && said.contains("the log is whole"), "{said}");
    // The first of two units: what follows it is there, so it is no end.
    let at = left.windows(3).rposition(|window| window == b"one").unwrap();
    let mut damaged = left;
    damaged[at] ^= 1;
    std::fs::write(bench.path("db"), &damaged).unwrap();
    let told = bench.kv(&["keys", "db", "b"]).failed(1);
    assert!(told.contains("kv surgery abandon-log"), "{told}");
    let said = bench.kv(&["surgery", "abandon-log", "--output", "out", "db"]).ok();
    assert!(said.contains("What was committed after it is lost"), "{said}");
    for copy in ["whole", "out"] {
        assert_eq!(bench.kv(&["check", copy]).ok(), "OK\n");
        assert_eq!(bench.kv(&["keys", copy, "b"]).ok(), "");
        bench.kv(&["put", copy, "b", "new", "value"]).ok();
        assert_eq!(bench.kv(&["check", copy]).ok(), "OK\n");
    }
    assert_eq!(bench.read("db"), damaged, "the source is only read");
    let none = bench.kv(&["surgery", "abandon-log", "--output", "none", "out"]).failed(1);
    assert!(none.contains("there is no log of commits"), "{none}");
}

#[test]
fn what_a_crash_leaves_in_a_log_is_shown_by_all_that_read_and_stays_there() {
    let bench = Bench::new();
    let left = with_a_log(&bench);
    let then = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    std::fs::File::options().write(true).open(bench.path("db")).unwrap().set_modified(then).unwrap();
    for live in [&[][..], &["--live"]] {
        let kv = |args: &[&str]| bench.kv(&[args, live].concat()).ok();
        assert_eq!(kv(&["keys", "db", "b"]), "one\ntwo\n");
        assert_eq!(kv(&["get", "db", "b", "two"]), "value\n");
        assert_eq!(kv(&["scan", "db", "b"]), "one\tvalue\ntwo\tvalue\n");
        assert_eq!(kv(&["check", "db"]), "OK\n");
        assert!(kv(&["stats", "db"]).contains("Number of keys/value pairs: 2"));
        assert!(kv(&["export", "db"]).contains("\"two\""));
        assert!(kv(&["map", "db"]).contains("R redo log"));
        assert!(kv(&["map", "db", "--json"]).contains("\"redo_log\": 8"));
        let pages = kv(&["pages", "db"]);
        assert!(pages.lines().any(|line| line.contains("redo log") && line.trim_end().ends_with(" 7")), "{pages}");
        assert!(kv(&["page", "db", "--all"]).contains("Page Type:  redo log, pages "));
        assert!(kv(&["page", "db", "0", "1"]).contains("of a checkpoint"));
        kv(&["inspect", "db"]);
        kv(&["buckets", "db"]);
    }
    bench.kv(&["backup", "db", "--output", "copy"]).ok();
    bench.kv(&["compact", "db", "--output", "dense"]).ok();
    for copy in ["copy", "dense"] {
        assert_eq!(bench.kv(&["keys", copy, "b"]).ok(), "one\ntwo\n");
        assert_eq!(bench.kv(&["digest", copy]).ok(), bench.kv(&["digest", "db"]).ok());
        assert!(!bench.kv(&["info", copy]).ok().contains("Redo log"));
    }
    assert!(bench.read("db") == left, "nothing has changed");
    assert_eq!(bench.path("db").metadata().unwrap().modified().unwrap(), then);
}

#[test]
fn info_tells_what_is_in_a_log() {
    let bench = Bench::new();
    let left = with_a_log(&bench);
    for live in [&[][..], &["--live"]] {
        let said = bench.kv(&[&["info", "db"], live].concat()).ok();
        for part in [
            "Redo log: pages ",
            " 32768 bytes\n",
            "In the log: 2 transactions, up to ",
            " in 2 whole units of 8192 bytes, after the checkpoint of transaction ",
            "bbolt and etcd refuse the file",
            "kv checkpoint FILE",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let told: serde_json::Value =
            serde_json::from_str(&bench.kv(&[&["info", "--json", "db"], live].concat()).ok()).unwrap();
        let log = &told["redo_log"];
        assert_eq!((&log["units"], &log["transactions"], &log["bytes_used"]), (&2.into(), &2.into(), &8192.into()));
        assert_eq!((&log["bytes"], &log["pages"], &log["damage"]), (&32768.into(), &8.into(), &().into()));
        assert_eq!(told["transaction"], log["checkpoint_transaction"]);
        assert_eq!(log["newest_transaction"].as_u64(), log["checkpoint_transaction"].as_u64().map(|tx| tx + 2));
    }
    let told: serde_json::Value = serde_json::from_str(&bench.kv(&["info", "--json", "db"]).ok()).unwrap();
    let first = usize::try_from(told["redo_log"]["first_page"].as_u64().unwrap()).unwrap() * 4096;
    let mut damaged = left;
    let unit = (first..).step_by(4096).find(|&at| damaged[at + 60..at + 70].windows(3).any(|w| w == b"one"));
    damaged[unit.unwrap() + 60] ^= 1;
    std::fs::write(bench.path("db"), &damaged).unwrap();
    let answer = bench.kv(&["info", "db"]);
    let said = String::from_utf8(answer.out).unwrap();
    assert!(answer.code == 1 && said.contains("In the log: damaged"), "{said}");
    let error = bench.kv(&["keys", "db", "b"]).failed(1);
    assert!(error.contains("is damaged: a unit of the log"), "{error}");
}

#[test]
fn a_checkpoint_brings_a_log_into_the_trees_and_so_does_whoever_writes() {
    let bench = Bench::new();
    let left = with_a_log(&bench);
    assert!(bench.kv(&["checkpoint", "db"]).ok().starts_with("everything is in the trees, up to transaction "));
    assert_eq!(bench.kv(&["keys", "db", "b"]).ok(), "one\ntwo\n");
    assert_eq!(bench.kv(&["check", "db"]).ok(), "OK\n");
    assert_eq!(bench.kv(&["checkpoint", "db"]).ok(), "there is nothing in a log\n");
    // Any command that writes does it, too.
    for writes in [&["put", "db", "b", "three", "value"][..], &["shrink", "db"]] {
        std::fs::write(bench.path("db"), &left).unwrap();
        bench.kv(writes).ok();
        assert!(bench.kv(&["keys", "db", "b"]).ok().ends_with("two\n"));
        assert!(!bench.kv(&["info", "db"]).ok().contains("Redo log"));
    }
    assert!(bench.read("db").len() < left.len(), "the pages of the log are gone");
}

#[test]
fn every_write_and_read_mode_is_measured() {
    let bench = Bench::new();
    for write in ["seq", "rnd", "seq-nest", "rnd-nest", "seq-del"] {
        let args = ["bench", "--no-sync", "--count", "200", "--batch-size", "50", "--write-mode", write];
        let said = bench.kv(&[&args[..], &["--read-mode", "rnd", "--work", "--path", write]].concat());
        assert!(said.err.starts_with(&format!("work: {write}\n")), "{}", said.err);
        let said = said.ok();
        assert!(said.starts_with("# Write\t200(ops)\t") && said.contains("\n# Read\t"), "{said}");
        let db = Db::open(bench.path(write)).unwrap();
        let keys = db.begin_read().inspect().unwrap();
        let (deepest, counts) = match &keys.children[..] {
            [top] if top.children.is_empty() => (top, top.keys),
            [top] => (top, top.children.iter().map(|bucket| bucket.keys).sum()),
            other => panic!("{other:?}"),
        };
        assert_eq!(deepest.name, b"bench");
        assert_eq!(counts, if write == "seq-del" { 200 - 3 * 5 } else { 200 }, "{write}");
    }
    let said = bench.kv(&["bench", "--count", "100", "--gobench-output", "--path", "gone"]).ok();
    assert!(said.contains("BenchmarkWrite\t") && said.contains(" ns/op\n"), "{said}");
    assert!(!bench.path("gone").exists());
    bench.kv(&["bench", "--count", "10", "--batch-size", "3"]).failed(2);
}
