//! Commands that show what is in a file.

use serde_json::{Value, json};

use crate::tool::{Bench, FIXTURES};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_facts_of_a_file() {
    let bench = Bench::with("etcd34-small-array");
    let info = bench.kv(&["info", "db"]).ok();
    assert!(info.starts_with("Page Size: 4096\nTransaction: 19\n"), "{info}");
    assert_eq!(
        json(&bench.kv(&["info", "--json", "db"]).ok()),
        json!({
            "page_size": 4096, "transaction": 19, "root_page": 17, "freelist_page": null, "free_pages": null,
            "high_water_mark": 52, "bytes_used": 212_992, "bytes_in_file": 212_992, "contested_meta": null,
            "space_log": false,
        })
    );
    let synced = Bench::with("etcd34-small-array.synced");
    let facts = json(&synced.kv(&["info", "--json", "db"]).ok());
    assert!(facts["free_pages"].as_u64().unwrap() > 0 && facts["freelist_page"].as_u64().unwrap() > 1, "{facts}");
}

/// Info needs a meta page, nothing else.
#[test]
fn the_facts_of_a_file_that_is_damaged_or_cut_off() {
    let bench = Bench::with("etcd34-small-array");
    let facts = json(&bench.kv(&["info", "--json", "db"]).ok());
    let sound = bench.read("db");
    let mut bytes = sound.clone();
    let root = usize::try_from(facts["root_page"].as_u64().unwrap()).unwrap() * 4096;
    bytes[root..root + 4096].fill(0xEE);
    std::fs::write(bench.path("db"), &bytes).unwrap();
    bench.kv(&["buckets", "db"]).failed(1);
    assert_eq!(json(&bench.kv(&["info", "--json", "db"]).ok()), facts);
    std::fs::write(bench.path("db"), &sound[..3 * 4096]).unwrap();
    let info = bench.kv(&["info", "db"]).ok();
    assert!(info.contains("High-water mark: page 52, 212992 bytes\nFile: 12288 bytes, cut off\n"), "{info}");
}

#[test]
fn json_has_its_fields_in_the_order_of_their_meaning() {
    let bench = Bench::with("etcd34-small-map");
    bench.kv(&["digest", "-o", "side", "db"]).ok();
    for (args, fields) in [
        (&["info", "--json", "db"][..], &["page_size", "transaction", "root_page", "bytes_in_file"][..]),
        (&["stats", "--json", "db"], &["top_level_buckets", "branch_pages", "leaf_pages", "keys", "depth", "buckets"]),
        (
            &["map", "--json", "db"],
            &["page_size", "transaction", "pages", "meta", "leaf", "free_runs_by_length", "from"],
        ),
        (&["pages", "--json", "db"], &["id", "type", "items", "overflow"]),
        (&["check", "--json", "db"], &["ok", "problems"]),
        (&["verify", "--json", "--digest", "side", "db"], &["ok", "differences"]),
        (&["compact", "--json", "-o", "copy", "db"], &["buckets", "keys", "bytes_before", "bytes_after"]),
        (&["shrink", "--json", "db"], &["bytes_before", "bytes_after", "pages_moved", "pages_left"]),
        (&["surgery", "meta", "validate", "--json", "db"], &["ok", "metas", "page", "valid", "what"]),
    ] {
        let text = bench.kv(args).ok();
        json(&text);
        let places: Vec<_> = fields.iter().map(|field| text.find(&format!("\"{field}\":"))).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{args:?} {fields:?}: {text}");
    }
}

#[test]
fn names_in_json_cannot_be_taken_for_others() {
    let bench = Bench::new();
    bench.kv(&["create", "--bucket-format", "hex", "db", "00ff"]).ok();
    bench.kv(&["create", "db", "00ff", "inner"]).ok();
    bench.kv(&["put", "db", "00ff", "c3a9", "text"]).ok();
    bench.kv(&["put", "--parse-format", "hex", "db", "00ff", "c3a9", "e acute"]).ok();
    bench.kv(&["put", "--parse-format", "hex", "db", "00ff", "ff", "no text"]).ok();
    assert_eq!(bench.kv(&["buckets", "db"]).ok(), "hex:00ff\n00ff\n");
    let listed = |args: &[&str]| json(&bench.kv(args).ok());
    assert_eq!(listed(&["buckets", "--json", "db"]), json!([{"base64": "AP8="}, "00ff"]));
    assert_eq!(listed(&["keys", "--json", "db", "00ff"]), json!(["c3a9", "inner", "\u{e9}", {"base64": "/w=="}]));
    assert_eq!(listed(&["keys", "--json", "db", "00ff", "inner"]), json!([]));
    let tree = listed(&["inspect", "db"]);
    assert_eq!(
        (&tree["buckets"][0]["name"], &tree["buckets"][1]["name"]),
        (&json!({"base64": "AP8="}), &json!("00ff"))
    );
}

#[test]
fn every_fixture_is_in_order() {
    for name in FIXTURES {
        let bench = Bench::with(name);
        assert_eq!(bench.kv(&["check", "db"]).ok(), "OK\n");
        assert_eq!(json(&bench.kv(&["check", "--json", "db"]).ok()), json!({"ok": true, "problems": []}));
    }
    let bench = Bench::with("etcd34-small-array");
    assert_eq!(bench.kv(&["check", "--from-page", "5", "db"]).ok(), "OK\n");
    let answer = bench.kv(&["check", "--from-page", "9999", "db"]);
    assert_eq!(answer.code, 1);
    assert!(String::from_utf8(answer.out).unwrap().ends_with("1 errors found\n"));
}

#[test]
fn figures_and_the_tree_of_buckets() {
    let bench = Bench::with("etcd34-small-array");
    let stats = bench.kv(&["stats", "db"]).ok();
    for line in [
        "Aggregate statistics for 10 buckets",
        "\tNumber of logical leaf pages: 14",
        "\tNumber of keys/value pairs: 260",
        "\tNumber of levels in B+tree: 2",
        "\tTotal number on inlined buckets: 9 (90%)",
    ] {
        assert!(stats.lines().any(|found| found == line), "{line}\n{stats}");
    }
    assert_eq!(json(&bench.kv(&["stats", "--json", "db", "auth"]).ok())["top_level_buckets"], 3);
    let tree = json(&bench.kv(&["inspect", "db"]).ok());
    assert_eq!((&tree["name"], &tree["keyN"]), (&json!("root"), &json!(0)));
    let key = tree["buckets"].as_array().unwrap().iter().find(|bucket| bucket["name"] == "key").unwrap();
    assert_eq!(*key, json!({"name": "key", "keyN": 253}));
}

#[test]
fn the_table_the_map_and_the_picture_agree() {
    for name in FIXTURES {
        let bench = Bench::with(name);
        let table = bench.kv(&["pages", "db"]).ok();
        assert!(table.starts_with("ID       TYPE       ITEMS  OVRFLW\n======== ========== ====== ======\n"));
        let pages = json(&bench.kv(&["pages", "--json", "db"]).ok());
        let pages = pages.as_array().unwrap();
        assert_eq!(table.lines().count(), pages.len() + 2);
        let mut next = 0;
        for page in pages {
            assert_eq!(page["id"], next, "{name}: pages follow each other");
            next += 1 + page["overflow"].as_u64().unwrap();
        }
        let figures = json(&bench.kv(&["map", "--json", "db"]).ok());
        assert_eq!(figures["pages"], next);
        let of_kind = |kind: &str| {
            let of_kind = pages.iter().filter(|page| page["type"] == kind);
            of_kind.map(|page| 1 + page["overflow"].as_u64().unwrap()).sum::<u64>()
        };
        for kind in ["meta", "freelist", "branch", "leaf"] {
            assert_eq!(figures[kind], of_kind(kind), "{name} {kind}");
        }
        let free = figures["free"].as_u64().unwrap() + figures["pending"].as_u64().unwrap();
        assert_eq!(free, of_kind("free"), "{name}");

        let drawn = bench.kv(&["map", "--width", "16", "db"]).ok();
        let picture: String =
            drawn.lines().skip(2).take_while(|line| !line.is_empty()).map(|line| &line[11..]).collect();
        assert_eq!(picture.len() as u64, next, "{drawn}");
        for (letter, kind) in
            [('M', "meta"), ('F', "freelist"), ('B', "branch"), ('L', "leaf"), ('p', "pending"), ('.', "free")]
        {
            assert_eq!(picture.matches(letter).count() as u64, figures[kind].as_u64().unwrap(), "{kind}\n{drawn}");
        }
        assert_eq!(bench.kv(&["map", "--svg", "map.svg", "db"]).ok(), "");
        let svg = String::from_utf8(bench.read("map.svg")).unwrap();
        assert!(
            svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains("<title>pages 0 to 1: meta</title>")
        );
    }
}

#[test]
fn pages_freed_by_the_last_transaction_are_pending() {
    let bench = Bench::new();
    bench.kv(&["create", "db", "b"]).ok();
    bench.kv_reading(&["put", "--value-from", "-", "db", "b", "large"], &vec![7; 40_000]).ok();
    bench.kv(&["del", "db", "b", "large"]).ok();
    let figures = json(&bench.kv(&["map", "--json", "db"]).ok());
    assert!(figures["pending"].as_u64().unwrap() >= 10, "{figures}");
    bench.kv(&["put", "db", "b", "small", "1"]).ok();
    let after = json(&bench.kv(&["map", "--json", "db"]).ok());
    assert!(after["pending"].as_u64().unwrap() < 10 && after["free"].as_u64().unwrap() >= 5, "{after}");
}

#[test]
fn pages_are_shown_decoded_and_in_hex() {
    let bench = Bench::with("bbolt-inline-hashmap");
    let meta = bench.kv(&["page", "db", "0"]).ok();
    for line in ["Page ID:    0", "Page Type:  meta", "Page Size:  4096 bytes", "Version:    2"] {
        assert!(meta.lines().any(|found| found == line), "{line}\n{meta}");
    }
    let pages = json(&bench.kv(&["pages", "--json", "db"]).ok());
    let first = |kind: &str| {
        let page = pages.as_array().unwrap().iter().find(|page| page["type"] == kind && page["items"] != 0).unwrap();
        (page["id"].to_string(), page["items"].as_u64().unwrap())
    };
    for kind in ["leaf", "branch", "freelist"] {
        let (id, items) = first(kind);
        let text = bench.kv(&["page", "--format-value", "redacted", "db", &id]).ok();
        assert!(text.contains(&format!("Page Type:  {kind}\n")) && text.contains(&format!("Item Count: {items}\n")));
        let shown = text.split("\n\n").nth(1).unwrap().lines().count() as u64;
        assert_eq!(shown, items, "{text}");
    }
    let (leaf, items) = first("leaf");
    let item = bench.kv(&["page-item", "--format", "hex", "db", &leaf, "0"]).ok();
    let key = bench.kv(&["page-item", "--format", "hex", "--key-only", "db", &leaf, "0"]).ok();
    let value = bench.kv(&["page-item", "--format", "hex", "--value-only", "db", &leaf, "0"]).ok();
    assert_eq!(item, key + &value);
    let error = bench.kv(&["page-item", "db", &leaf, &items.to_string()]).failed(2);
    assert!(error.contains(&format!("page {leaf} has {items} items")), "{error}");
    bench.kv(&["page-item", "db", "0", "0"]).failed(2);

    let dump = bench.kv(&["dump", "db", "1", "2"]).ok();
    assert!(dump.starts_with("0001000 0100 0000 0000 0000 0400 0000 0000 0000\n"), "{dump}");
    assert!(dump.contains("===============================================\n0002000 0200 "), "{dump}");
    let all = bench.kv(&["page", "--all", "db"]).ok();
    assert_eq!(all.matches("Page ID:").count(), pages.as_array().unwrap().len());
}

#[test]
fn help_teaches_and_completions_are_there() {
    let bench = Bench::new();
    let help = bench.kv(&["--help"]).ok();
    assert!(help.contains("Exit codes:") && help.contains("Examples:"));
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let mut count = 0;
    for command in commands.filter_map(|line| line.split_whitespace().next()).filter(|command| *command != "help") {
        assert!(bench.kv(&[command, "--help"]).ok().contains("Usage: kv"), "{command}");
        count += 1;
    }
    assert_eq!(count, 30);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(bench.kv(&["completions", shell]).ok().contains("surgery"), "{shell}");
    }
    assert!(bench.kv(&["version"]).ok().contains(env!("CARGO_PKG_VERSION")));
}

/// A line that was too long for the terminal, then one that ends early: broken for a width that nobody has.
#[test]
fn help_is_wrapped_once() {
    let bench = Bench::new();
    let help = bench.kv(&["--help"]).ok();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    for command in commands.filter_map(|line| line.split_whitespace().next()).filter(|command| *command != "help") {
        let text = bench.kv(&[command, "--help"]).ok();
        let lines: Vec<&str> = text.lines().collect();
        for three in
            lines.windows(3).filter(|three| three.iter().all(|line| !line.is_empty() && !line.starts_with(' ')))
        {
            let fits = |line: &str, next: &str| line.len() + 1 + next.split(' ').next().unwrap().len() <= 100;
            let twice = !fits(three[0], three[1]) && fits(three[1], three[2]);
            assert!(!twice, "{command}: {three:#?}");
        }
    }
}
