//! Export and import.

use serde_json::{Value, json};

use crate::tool::{Bench, FIXTURES, fixture};

#[test]
fn every_fixture_is_dumped_as_bbolt_itself_dumps_it() {
    for name in FIXTURES {
        let expected = std::fs::read(fixture(&format!("{name}.dump.txt"))).unwrap();
        let bench = Bench::with(name);
        let answer = bench.kv(&["export", "--format", "dump", "db"]);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{name}");
        assert!(answer.out == expected, "{name}: the dumps differ");
    }
}

#[test]
fn what_is_exported_is_imported() {
    for name in FIXTURES {
        for encoding in ["text", "hex", "base64"] {
            let bench = Bench::with(name);
            let lines = bench.kv(&["export", "--encoding", encoding, "db"]).ok();
            assert!(lines.lines().all(|line| line.starts_with('{')));
            let said = bench.kv_reading(&["import", "--tx-max-size", "5000", "copy"], lines.as_bytes()).ok();
            assert_eq!(said, format!("{} lines imported\n", lines.lines().count()));
            assert_eq!(dump(&bench, "copy"), dump(&bench, "db"), "{name} {encoding}");
            assert_eq!(bench.kv(&["check", "copy"]).ok(), "OK\n");
        }
    }
}

fn dump(bench: &Bench, file: &str) -> String {
    bench.kv(&["export", "--format", "dump", file]).ok()
}

#[test]
fn text_stays_text_and_bytes_name_their_notation() {
    let bench = Bench::new();
    let lines = concat!(
        r#"{"bucket":["b"],"sequence":7}"#,
        "\n",
        r#"{"bucket":["b"],"key":"k","value":"t\u00e9 \"x\"\n"}"#,
        "\n\n",
        r#"{"bucket":["b",{"hex":"ff"}],"key":{"base64":"AP8="},"value":{"hex":""}}"#,
    );
    assert_eq!(bench.kv_reading(&["import", "db"], lines.as_bytes()).ok(), "3 lines imported\n");
    let exported = bench.kv(&["export", "db"]).ok();
    assert_eq!(
        exported.lines().collect::<Vec<_>>(),
        [
            r#"{"bucket":["b"],"sequence":7}"#,
            "{\"bucket\":[\"b\"],\"key\":\"k\",\"value\":\"t\u{e9} \\\"x\\\"\\n\"}",
            r#"{"bucket":["b",{"base64":"/w=="}],"sequence":0}"#,
            r#"{"bucket":["b",{"base64":"/w=="}],"key":{"base64":"AP8="},"value":""}"#,
        ]
    );
    // One bucket alone, with all that is inside it.
    let inner = bench.kv(&["export", "--bucket-format", "hex", "--format", "dump", "db", "62", "ff"]).ok();
    assert_eq!(inner, "bucket 62/ff seq 0\nkv 62/ff 00ff -\nend 62/ff keys 1 buckets 0\n");
}

#[test]
fn a_line_that_is_wrong_is_named_and_its_transaction_undone() {
    let bench = Bench::new();
    bench.kv(&["create", "db"]).ok();
    let good = r#"{"bucket":["b"],"key":"k","value":"v"}"#;
    for bad in [
        "nonsense",
        r#"{"bucket":["b"],"key":"k"}"#,
        r#"{"bucket":[],"sequence":1}"#,
        r#"{"bucket":["b"],"key":{"hex":"0"},"value":""}"#,
        r#"{"bucket":["b"],"key":"","value":""}"#,
        r#"{"bucket":["b","k"],"sequence":1}"#,
        r#"{"bucket":["b"],"typo":1}"#,
    ] {
        let lines = format!("{good}\n\n{bad}\n");
        let error = bench.kv_reading(&["import", "db"], lines.as_bytes()).failed(1);
        assert!(error.contains("db: line 3 of standard input"), "{bad}: {error}");
        assert!(!error.contains("line 1"), "{bad}: the parser's own lines are not the input's: {error}");
        assert_eq!(dump(&bench, "db"), "", "{bad}: nothing was imported");
    }
    // What is wrong with the line is told from what does not fit the database, and from what is wrong with that.
    let said = |line: &str| bench.kv_reading(&["import", "db"], line.as_bytes()).failed(1);
    assert!(said("nonsense").contains("line 1 of standard input is not what `kv export` prints: expected"));
    bench.kv_reading(&["import", "db"], good.as_bytes()).ok();
    assert!(said(r#"{"bucket":["b","k"]}"#).contains("line 1 of standard input does not fit: \"k\" is a key"));
    let mut bytes = bench.read("db");
    bytes[2 * 4096..].fill(0xEE);
    std::fs::write(bench.path("db"), bytes).unwrap();
    let error = said(good);
    assert!(error.contains("db: page ") && error.contains(" is damaged") && !error.contains("line 1"), "{error}");
    assert!(bench.kv(&["import", "db", "absent.jsonl"]).failed(3).contains("absent.jsonl"));
}

#[test]
fn an_import_that_cannot_begin_makes_no_file() {
    let bench = Bench::new();
    for lines in ["nonsense", "{\"bucket\":[\"b\"],\"key\":{\"hex\":\"0\"},\"value\":\"\"}"] {
        bench.kv_reading(&["import", "new"], lines.as_bytes()).failed(1);
        assert!(!bench.path("new").exists(), "{lines}");
    }
    // Nothing to import is a database with nothing in it.
    assert_eq!(bench.kv_reading(&["import", "new"], b"").ok(), "0 lines imported\n");
    assert_eq!(dump(&bench, "new"), "");
}

#[test]
fn a_digest_tells_what_was_changed() {
    let bench = Bench::new();
    let lines = concat!(
        r#"{"bucket":["b"],"key":"ada","value":"1815"}"#,
        "\n",
        r#"{"bucket":["b"],"key":{"hex":"ff"},"value":"alpha"}"#,
        "\n",
        r#"{"bucket":["gone"],"sequence":0}"#
    );
    bench.kv_reading(&["import", "db"], lines.as_bytes()).ok();
    bench.kv(&["digest", "-o", "side", "db"]).ok();
    assert_eq!(bench.kv(&["verify", "--digest", "side", "db"]).ok(), "OK\n");
    bench.kv(&["put", "db", "b", "ada", "1816"]).ok();
    bench.kv(&["del", "--bucket", "db", "gone"]).ok();
    let answer = bench.kv(&["verify", "--json", "--digest", "side", "db"]);
    assert_eq!(answer.code, 1);
    let found: Value = serde_json::from_slice(&answer.out).unwrap();
    assert_eq!(found["ok"], false);
    let differences = found["differences"].as_array().unwrap();
    let of = |kind: &str, bucket: Value| {
        let mut of = differences.iter().filter(|found| found["difference"] == kind && found["bucket"] == bucket);
        of.next().unwrap_or_else(|| panic!("{kind} {bucket} in {differences:#?}"))
    };
    let changed = of("changed", json!(["b"]));
    assert_eq!((&changed["after"], &changed["to"]), (&Value::Null, &Value::Null));
    assert_eq!(changed["what"], "b: everything in it is not what was digested");
    of("missing", json!(["gone"]));

    // Anything else is not taken for a digest, and a damaged one not for damage of the database.
    let error = bench.kv(&["verify", "--digest", "db", "db"]).failed(1);
    assert!(error.contains("db: db is not a digest of `kv digest`"), "{error}");
    std::fs::write(bench.path("other"), "end of a text\n").unwrap();
    let error = bench.kv(&["verify", "--digest", "other", "db"]).failed(1);
    assert!(error.contains("db: other is not a digest of `kv digest`"), "{error}");
    let mut side = bench.read("side");
    side[30] ^= 1;
    std::fs::write(bench.path("side"), side).unwrap();
    let error = bench.kv(&["verify", "--digest", "side", "db"]).failed(1);
    assert!(error.contains("db: side is damaged: ") && error.contains("make a new one"), "{error}");
}
