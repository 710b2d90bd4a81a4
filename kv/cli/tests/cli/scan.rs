//! Ranges of keys and pairs, and names that are pasted from one command into the next.

use serde_json::{Value, json};

use crate::tool::{Bench, FIXTURES};

fn bench() -> Bench {
    let bench = Bench::new();
    let lines = ["ada", "alan", "bob", "hex:", "zoe"]
        .map(|key| format!("{{\"bucket\":[\"b\"],\"key\":\"{key}\",\"value\":\"of {key}\"}}\n"))
        .concat();
    bench.kv_reading(&["import", "db"], lines.as_bytes()).ok();
    bench.kv(&["put", "db", "b", "hex:00ff", "raw"]).ok();
    bench.kv(&["create", "db", "b", "inner"]).ok();
    bench
}

#[test]
fn pairs_and_keys_of_a_range() {
    let bench = bench();
    for (bounds, keys) in [
        (&[][..], &["hex:00ff", "ada", "alan", "bob", "hex:6865783a", "inner", "zoe"][..]),
        (&["--prefix", "a"], &["ada", "alan"]),
        (&["--from", "alan", "--to", "zoe"], &["alan", "bob", "hex:6865783a", "inner"]),
        (&["--reverse", "--limit", "2"], &["zoe", "inner"]),
        (&["--prefix", "a", "--from", "b"], &[]),
        (&["--to", "hex:01"], &["hex:00ff"]),
        (&["--to", "ada", "--from", "zoe"], &[]),
        (&["--prefix", "a", "--reverse"], &["alan", "ada"]),
    ] {
        let listed = bench.kv(&[&["keys", "db", "b"], bounds].concat()).ok();
        assert_eq!(listed.lines().collect::<Vec<_>>(), keys, "{bounds:?}");
        let pairs: Vec<_> = keys.iter().filter(|key| **key != "inner").collect();
        // A limit counts what is listed, and a nested bucket is no pair.
        if !bounds.contains(&"--limit") {
            let scanned = bench.kv(&[&["scan", "--keys", "db", "b"], bounds].concat()).ok();
            assert_eq!(
                scanned.lines().collect::<Vec<_>>(),
                pairs.into_iter().copied().collect::<Vec<_>>(),
                "{bounds:?}"
            );
        }
    }
    assert_eq!(bench.kv(&["scan", "db", "b", "--prefix", "a"]).ok(), "ada\tof ada\nalan\tof alan\n");
}

/// Every name of every fixture: what one command shows, the next takes.
#[test]
fn what_is_shown_is_taken_back() {
    for name in FIXTURES {
        let bench = Bench::with(name);
        for bucket in bench.kv(&["buckets", "db"]).ok().lines() {
            for key in bench.kv(&["scan", "--keys", "--limit", "3", "db", bucket]).ok().lines() {
                let value = bench.kv(&["get", "db", bucket, "--", key]).ok();
                let pair = bench.kv(&["scan", "--limit", "1", "--from", key, "db", bucket]).ok();
                assert_eq!(pair, format!("{key}\t{value}"), "{name} {bucket}");
            }
        }
    }
    let bench = bench();
    assert_eq!(bench.kv(&["get", "db", "b", "hex:00ff"]).ok(), "raw\n");
    assert_eq!(bench.kv(&["get", "db", "b", "hex:6865783a"]).ok(), "of hex:\n");
    let error = bench.kv(&["get", "db", "b", "00ff"]).failed(1);
    assert!(
        error.contains("there is no key \"00ff\" in bucket \"b\": these digits are text; there is \"hex:00ff\""),
        "{error}"
    );
    let error = bench.kv(&["del", "db", "b", "00ff"]).failed(1);
    assert!(error.contains("there is \"hex:00ff\""), "{error}");
    assert!(bench.kv(&["get", "db", "b", "hex:0"]).failed(2).contains("take the format `text`"));
    assert_eq!(bench.kv(&["get", "--parse-format", "text", "db", "b", "hex:"]).ok(), "of hex:\n");
}

#[test]
fn a_pair_has_one_json_form() {
    let bench = bench();
    let got = bench.kv(&["get", "--json", "db", "b", "hex:00ff"]).ok();
    assert_eq!(got, "{\"bucket\":[\"b\"],\"key\":{\"base64\":\"AP8=\"},\"value\":\"raw\"}\n");
    assert_eq!(bench.kv(&["scan", "--json", "--to", "a", "db", "b"]).ok(), got);
    assert!(bench.kv(&["export", "db"]).ok().contains(&got));
    let scanned = bench.kv(&["scan", "--json", "db", "b"]).ok();
    bench.kv_reading(&["import", "copy"], scanned.as_bytes()).ok();
    assert_eq!(bench.kv(&["scan", "copy", "b"]).ok(), bench.kv(&["scan", "db", "b"]).ok());
    let listed: Value = serde_json::from_str(&bench.kv(&["keys", "--json", "--limit", "2", "db", "b"]).ok()).unwrap();
    assert_eq!(listed, json!([{"base64": "AP8="}, "ada"]));
}

#[test]
fn rows_of_etcd_are_decoded() {
    let bench = Bench::with("etcd34-small-array");
    let all = bench.kv(&["scan", "--etcd", "db"]).ok();
    assert_eq!(all, bench.kv(&["scan", "--etcd", "db", "key"]).ok());
    assert_eq!(all.lines().count(), bench.kv(&["keys", "db", "key"]).ok().lines().count());
    let revision = |line: &str| line.split('.').next().unwrap().parse::<u64>().unwrap();
    assert!(all.lines().map(revision).is_sorted());
    let last = all.lines().last().unwrap();
    assert_eq!(bench.kv(&["scan", "--etcd", "--reverse", "--limit", "1", "db"]).ok().trim_end(), last);
    let middle = (revision(last) / 2).to_string();
    let expected: Vec<_> = all.lines().filter(|line| revision(line) >= revision(last) / 2).collect();
    assert_eq!(bench.kv(&["scan", "--etcd", "--from", &middle, "db"]).ok().lines().collect::<Vec<_>>(), expected);
    // What `kv etcd` says of the same keys.
    for line in bench.kv(&["scan", "--etcd", "--json", "db"]).ok().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        assert!(row["put"]["mod_revision"] == row["revision"] || row["delete"].is_string(), "{line}");
    }
    let error = bench.kv(&["scan", "--etcd", "db", "meta"]).failed(1);
    assert!(error.contains("is no row of etcd's: a revision has 17 or 18 bytes; scan it without --etcd"), "{error}");
    assert!(bench.kv(&["scan", "--etcd", "--from", "x", "db"]).failed(2).contains("bounds are numbers"));
}

#[test]
fn a_prefix_that_matches_no_bucket_is_said() {
    let bench = bench();
    let error = bench.kv(&["stats", "db", "nob"]).failed(1);
    assert!(error.contains("there is no bucket at the top level whose name begins with \"nob\""), "{error}");
    assert!(bench.kv(&["stats", "db", "b"]).ok().starts_with("Aggregate statistics for 1 buckets"));
    Bench::new().kv(&["create", "empty"]).ok();
}

#[test]
fn messages_name_no_part_of_the_program() {
    let bench = Bench::new();
    let error = bench.kv_reading(&["import", "db"], br#"{"bucket":[7],"sequence":1}"#).failed(1);
    assert!(error.contains("a name, key or value is a string, {\"hex\":\"...\"} or {\"base64\":\"...\"}"), "{error}");
    assert!(!error.contains("untagged") && !error.contains("enum"), "{error}");
}
