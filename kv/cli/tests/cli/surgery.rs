//! Repairs: a new file that opens, and a source that is as it was.

use kv::Db;

use crate::tool::Bench;

/// Runs a repair of `db` into `out`, and looks that the source is untouched.
fn operate(bench: &Bench, args: &[&str]) -> String {
    let before = bench.read("db");
    let _ = std::fs::remove_file(bench.path("out"));
    let said = bench.kv(&[&["surgery"], args, &["--output", "out", "db"]].concat()).ok();
    assert!(bench.read("db") == before, "{args:?}: the source is untouched");
    said
}

fn dump(bench: &Bench, file: &str) -> String {
    bench.kv(&["export", "--format", "dump", file]).ok()
}

/// A database with the buckets `one` and `two`, each of 300 keys, and its dump before the last transaction.
fn two_buckets() -> (Bench, String) {
    let bench = Bench::new();
    let db = Db::options().freelist_sync(kv::FreelistSync::Every).open(bench.path("db")).unwrap();
    let fill = |name: &str| {
        db.update(|tx| {
            let mut bucket = tx.create_bucket(name)?;
            (0..300).try_for_each(|n| bucket.put(format!("key {n:03}"), vec![b'v'; 50]))
        })
    };
    fill("one").unwrap();
    db.update(|tx| tx.bucket_mut("one")?.put("again", "")).unwrap();
    fill("two").unwrap();
    db.close().unwrap();
    let db = Db::open(bench.path("db")).unwrap();
    let one = db.view(|tx| Ok(tx.bucket("one")?.root_page())).unwrap();
    drop(db);
    (bench, one.to_string())
}

#[test]
fn reverting_takes_back_one_transaction() {
    let (bench, _) = two_buckets();
    assert_eq!(operate(&bench, &["revert-meta-page"]), "The meta page is reverted.\n");
    assert_eq!(bench.kv(&["buckets", "out"]).ok(), "one\n");
    assert_eq!(bench.kv(&["keys", "out", "one"]).ok().lines().count(), 301);
    assert_eq!(bench.kv(&["check", "out"]).ok(), "OK\n");
    // And it takes changes again.
    bench.kv(&["put", "out", "one", "new", "value"]).ok();
    assert_eq!(bench.kv(&["check", "out"]).ok(), "OK\n");
}

#[test]
fn a_cleared_page_is_an_empty_leaf() {
    let (bench, root) = two_buckets();
    let said = operate(&bench, &["clear-page", "--pageId", &root]);
    assert!(said.contains("surgery freelist abandon") && said.ends_with("was cleared\n"), "{said}");
    assert_eq!(bench.kv(&["keys", "out", "one"]).ok(), "");
    assert_eq!(bench.kv(&["keys", "out", "two"]).ok().lines().count(), 300);
    let answer = bench.kv(&["check", "out"]);
    assert_eq!(answer.code, 1);
    assert!(String::from_utf8(answer.out).unwrap().contains("unreachable unfreed"));
    // What hung below it becomes free.
    std::fs::rename(bench.path("out"), bench.path("db")).unwrap();
    operate(&bench, &["freelist", "abandon"]);
    assert_eq!(bench.kv(&["check", "out"]).ok(), "OK\n");
    std::fs::rename(bench.path("out"), bench.path("db")).unwrap();
    assert_eq!(operate(&bench, &["freelist", "rebuild"]), "The freelist was successfully rebuilt.\n");
    assert_eq!(bench.kv(&["check", "out"]).ok(), "OK\n");
    assert_eq!(bench.kv(&["keys", "out", "two"]).ok().lines().count(), 300);
}

#[test]
fn elements_are_cleared_by_range() {
    let (bench, root) = two_buckets();
    let keys = bench.kv(&["keys", "db", "one"]).ok();
    let first_child = bench.kv(&["page", "db", &root]).ok();
    let leaf = first_child.split("<pgid=").nth(1).unwrap().split('>').next().unwrap().to_owned();
    operate(&bench, &["clear-page-elements", "--pageId", &leaf, "--from-index", "1", "--to-index", "4"]);
    let left = bench.kv(&["keys", "out", "one"]).ok();
    let expected: Vec<_> = keys.lines().enumerate().filter(|(n, _)| !(1..4).contains(n)).map(|(_, key)| key).collect();
    assert_eq!(left.lines().collect::<Vec<_>>(), expected);
    assert_eq!(bench.kv(&["check", "out"]).ok(), "OK\n");
    operate(&bench, &["clear-page-elements", "--pageId", &leaf, "--from-index", "2", "--to-index", "-1"]);
    let item = bench.kv(&["page", "out", &leaf]).ok();
    assert!(item.contains("Item Count: 2\n"), "{item}");
    for (from, to) in [("4", "4"), ("5", "3"), ("0", "9999"), ("9999", "-1")] {
        let args = ["surgery", "clear-page-elements", "--pageId", &leaf, "--from-index", from, "--to-index", to];
        bench.kv(&[&args[..], &["--output", "none", "db"]].concat()).failed(2);
        assert!(!bench.path("none").exists());
    }
}

#[test]
fn a_damaged_page_is_replaced_by_a_sound_one() {
    let (bench, root) = two_buckets();
    let sound = dump(&bench, "db");
    // The page is copied to the end of the file, damaged in its place, and copied back.
    let spare = bench.read("db").len() / 4096 - 1;
    operate(&bench, &["copy-page", "--from-page", &root, "--to-page", &spare.to_string()]);
    let mut bytes = bench.read("out");
    assert_eq!(bytes[spare * 4096..][..8], (spare as u64).to_le_bytes(), "the copy says its own number");
    let at = root.parse::<usize>().unwrap() * 4096;
    bytes[at..at + 4096].fill(0xEE);
    std::fs::write(bench.path("db"), bytes).unwrap();
    bench.kv(&["export", "db"]).failed(1);
    let spare_id = bench.read("db").len() / 4096 - 1;
    let said = operate(&bench, &["copy-page", "--from-page", &spare_id.to_string(), "--to-page", &root]);
    assert!(said.ends_with(&format!("copied to page {root}\n")), "{said}");
    assert_eq!(dump(&bench, "out"), sound);
    let args = ["surgery", "copy-page", "--from-page", "3", "--to-page", "3", "--output", "none", "db"];
    bench.kv(&args).failed(2);
}

#[test]
fn the_freelist_is_abandoned_and_rebuilt() {
    for name in ["bbolt-inline-hashmap", "etcd34-small-array.synced"] {
        let bench = Bench::with(name);
        let logical = dump(&bench, "db");
        let error = bench.kv(&["surgery", "freelist", "rebuild", "--output", "out", "db"]).failed(1);
        assert!(error.contains("there is a freelist already"), "{error}");
        operate(&bench, &["freelist", "abandon"]);
        assert!(bench.kv(&["info", "out"]).ok().contains("Freelist: not stored"));
        std::fs::rename(bench.path("out"), bench.path("db")).unwrap();
        operate(&bench, &["freelist", "rebuild"]);
        assert!(bench.kv(&["info", "out"]).ok().contains("Freelist: page "));
        assert_eq!(bench.kv(&["check", "out"]).ok(), "OK\n");
        assert_eq!(dump(&bench, "out"), logical);
    }
}

#[test]
fn meta_pages_are_judged_and_mended() {
    let bench = Bench::with("etcd34-small-array");
    let logical = dump(&bench, "db");
    let validate = |file: &str| bench.kv(&["surgery", "meta", "validate", file]);
    assert_eq!(validate("db").ok(), "The meta page 0 is valid!\nThe meta page 1 is valid!\n");
    // Both checksums wrong: no engine opens it.
    let mut bytes = bench.read("db");
    bytes[72] ^= 1;
    bytes[4096 + 72] ^= 1;
    std::fs::write(bench.path("db"), &bytes).unwrap();
    assert!(bench.kv(&["info", "db"]).failed(1).contains("checksum"));
    let judged = validate("db");
    assert_eq!(judged.code, 1);
    assert_eq!(String::from_utf8(judged.out).unwrap().matches("checksum is wrong").count(), 2);
    // The fields are right, so a new checksum is enough.
    assert_eq!(operate(&bench, &["meta", "update", "--meta-page", "1"]), "The meta page 1 has been updated!\n");
    assert_eq!(dump(&bench, "out"), logical);
    assert_eq!(bench.kv(&["check", "out"]).ok(), "OK\n");

    let bench = Bench::with("etcd34-small-array");
    assert_eq!(operate(&bench, &["meta", "update"]), "Nothing changed!\n");
    operate(&bench, &["meta", "update", "--meta-page", "1", "--fields", "root:5,freelist:7", "--fields", "pgid:50"]);
    let page = bench.kv(&["page", "out", "1"]).ok();
    for line in ["Root:       <pgid=5>", "Freelist:   <pgid=7>", "HWM:        <pgid=50>"] {
        assert!(page.lines().any(|found| found == line), "{page}");
    }
    for bad in ["root", "root:x", "magic:1", "pageSize:99999999999"] {
        let args = ["surgery", "meta", "update", "--fields", bad, "--output", "none", "db"];
        assert_eq!(bench.kv(&args).code, 2, "{bad}");
    }
}

#[test]
fn a_file_whose_meta_pages_are_lost_can_still_be_looked_at() {
    let bench = Bench::with("etcd34-small-array");
    let page = bench.kv(&["page", "db", "2"]).ok();
    let mut bytes = bench.read("db");
    bytes[..8192].fill(0);
    std::fs::write(bench.path("db"), &bytes).unwrap();
    assert!(bench.kv(&["page", "db", "2"]).failed(3).contains("no bbolt database"));
    assert_eq!(bench.kv(&["page", "--page-size", "4096", "db", "2"]).ok(), page);
    bench.kv(&["dump", "--page-size", "4096", "db", "0"]).ok();
    bench.kv(&["dump", "--page-size", "1000", "db", "0"]).failed(2);
    assert!(bench.kv(&["page", "db", "2"]).failed(3).contains("--page-size"));

    // Of another version, or byte order, is not the same as lost. Either way each meta page is judged.
    let judged = |bytes: &[u8]| {
        std::fs::write(bench.path("db"), bytes).unwrap();
        let answer = bench.kv(&["surgery", "meta", "validate", "db"]);
        assert_eq!((answer.code, answer.err.as_str()), (1, ""));
        let said = String::from_utf8(answer.out).unwrap();
        assert!(said.lines().count() == 2 && said.contains("meta page 0") && said.contains("meta page 1"), "{said}");
        said
    };
    assert_eq!(judged(&bytes).matches("it is no meta page").count(), 2);
    let mut bytes = Bench::with("etcd34-small-array").read("db");
    (bytes[20], bytes[4096 + 20]) = (3, 3);
    assert_eq!(judged(&bytes).matches("format version 3").count(), 2);
    assert!(bench.kv(&["page", "db", "2"]).failed(3).contains("format version 3"));
    (bytes[20], bytes[4096 + 20]) = (2, 2);
    for at in [16, 4096 + 16] {
        bytes[at..at + 64].chunks_exact_mut(4).for_each(<[u8]>::reverse);
    }
    assert_eq!(judged(&bytes).matches("other byte order").count(), 2);
    assert!(bench.kv(&["page", "db", "2"]).failed(3).contains("other byte order"));
}

/// A page of nothing but rubbish, such as zeros where a disk lost it: the rest is rescued.
#[test]
fn a_page_whose_header_is_lost_is_cleared_and_the_rest_rescued() {
    let another: &[u8] = &[99, 0, 0, 0, 0, 0, 0, 0, 2, 0, 5, 0, 3, 0, 0, 0];
    for rubbish in [&[0x00; 4096], &[0xEE; 4096], another] {
        let bench = Bench::with("etcd34-small-array");
        let all = bench.kv(&["export", "db"]).ok().lines().count();
        let branch = bench.kv(&["page", "db", "5"]).ok();
        let leaf: usize = branch.split("<pgid=").nth(2).unwrap().split('>').next().unwrap().parse().unwrap();
        let mut bytes = bench.read("db");
        let page = leaf * 4096..(leaf + 1) * 4096;
        bytes[page.clone()][..rubbish.len()].copy_from_slice(rubbish);
        std::fs::write(bench.path("db"), bytes).unwrap();
        bench.kv(&["export", "db"]).failed(1);
        let shown = bench.kv(&["page", "db", &leaf.to_string()]);
        let said = String::from_utf8(shown.out).unwrap();
        assert!(shown.code == 1 && said.contains("`kv dump` shows its bytes. Continuing..."), "{said}");
        operate(&bench, &["clear-page", "--pageId", &leaf.to_string()]);
        let (before, after) = (bench.read("db"), bench.read("out"));
        assert!(before[..page.start] == after[..page.start] && before[page.end..] == after[page.end..], "no neighbour");
        bench.kv(&["compact", "-o", "rescued", "out"]).ok();
        assert_eq!(bench.kv(&["check", "rescued"]).ok(), "OK\n");
        let left = bench.kv(&["export", "rescued"]).ok().lines().count();
        assert!(left < all && left + 40 > all, "{left} of {all}");
    }
    // The way that the message about a file that is cut off shows.
    let bench = Bench::with("etcd34-small-array");
    std::fs::write(bench.path("db"), &bench.read("db")[..50 * 4096]).unwrap();
    assert!(bench.kv(&["check", "db"]).failed(1).contains("lengthen a copy (truncate -s 212992 COPY)"));
    std::fs::File::options().write(true).open(bench.path("db")).unwrap().set_len(212_992).unwrap();
    assert_ne!(bench.kv(&["check", "db"]).code, 3);
}
