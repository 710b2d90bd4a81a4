//! Export and import.

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
        assert_eq!(dump(&bench, "db"), "", "{bad}: nothing was imported");
    }
    assert!(bench.kv(&["import", "db", "absent.jsonl"]).failed(3).contains("absent.jsonl"));
}
