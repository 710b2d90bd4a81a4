//! Damaged files: an error or a shorter answer, never a panic, never an endless run, never a wrong word about success.

use kv_testkit::Random;

use crate::tool::{Bench, FIXTURES, fixture};

/// What is run on each damaged file.
const COMMANDS: [&[&str]; 13] = [
    &["info", "db"],
    &["check", "db"],
    &["stats", "db"],
    &["pages", "db"],
    &["page", "--all", "db"],
    &["dump", "db", "0", "5"],
    &["inspect", "db"],
    &["export", "db"],
    &["map", "db"],
    &["compact", "-o", "compacted", "db"],
    &["surgery", "meta", "validate", "db"],
    &["surgery", "revert-meta-page", "--output", "reverted", "db"],
    &["surgery", "freelist", "abandon", "--output", "abandoned", "db"],
];

/// Runs everything on `bytes`; every answer must be one of the codes that the help lists.
fn survive(bytes: &[u8], what: &str) {
    let bench = Bench::new();
    std::fs::write(bench.path("db"), bytes).unwrap();
    for command in COMMANDS {
        let answer = bench.kv(command);
        assert!((0..=3).contains(&answer.code), "{what} {command:?}: {}", answer.err);
        assert!(answer.err.lines().count() <= 1, "{what} {command:?}: {}", answer.err);
        assert!(bench.read("db") == bytes, "{what} {command:?}: the file is as it was");
    }
    assert!(bench.path("compacted").exists() == (bench.kv(&["export", "db"]).code == 0), "{what}");
}

/// The fuzz targets run the library and `export` in one process; this is the tool itself.
#[test]
fn what_fuzzers_have_kept() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for target in ["any_bytes", "tool"] {
        let mut kept: Vec<_> =
            std::fs::read_dir(corpus.join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!kept.is_empty(), "{target} has kept something");
        kept.sort();
        for path in kept {
            survive(&std::fs::read(&path).unwrap(), &path.display().to_string());
        }
    }
}

#[test]
fn random_bytes_in_pages_and_metas() {
    for (name, seed) in FIXTURES.into_iter().zip(1u64..) {
        let sound = std::fs::read(fixture(&format!("{name}.db"))).unwrap();
        let mut random = Random::new(seed);
        for round in 0..8 {
            let mut bytes = sound.clone();
            for _ in 0..=round * 4 {
                // The first bytes of a page are where most lies can be told.
                let page = random.below(bytes.len() / 4096);
                let at = page * 4096 + random.below(if round % 2 == 0 { 64 } else { 4096 });
                bytes[at] = u8::try_from(random.below(256)).unwrap();
            }
            survive(&bytes, &format!("{name}, seed {seed}, round {round}"));
        }
    }
}

#[test]
fn truncated_files() {
    let sound = std::fs::read(fixture("bbolt-inline-hashmap.db")).unwrap();
    for len in [1, 79, 80, 4095, 4096, 4175, 4176, 8192, 3 * 4096 + 5, 100 * 4096] {
        survive(&sound[..len], &format!("cut to {len}"));
    }
}

#[test]
fn damage_is_found_and_reported_with_its_page() {
    let bench = Bench::with("etcd34-small-array");
    let mut bytes = bench.read("db");
    // Page 5 is the branch of the bucket `key`.
    bytes[5 * 4096 + 8] = 0x77;
    std::fs::write(bench.path("db"), &bytes).unwrap();
    let answer = bench.kv(&["check", "db"]);
    assert_eq!(answer.code, 1);
    assert!(String::from_utf8(answer.out).unwrap().starts_with("page 5: "));
    for command in [&["export", "db"][..], &["keys", "db", "key"], &["stats", "db"], &["pages", "db"]] {
        let error = bench.kv(command).failed(1);
        assert!(error.starts_with("kv: db: page 5 is damaged: "), "{command:?}: {error}");
    }
    let all = bench.kv(&["page", "--all", "db"]);
    assert_eq!(all.code, 1);
    assert!(String::from_utf8(all.out).unwrap().contains("Printing page 5 failed: "));
    assert_eq!(bench.kv(&["keys", "db", "cluster"]).ok(), "clusterVersion\n", "the rest can be read");
}

/// A bucket that contains itself: every walk over buckets must end.
#[test]
fn a_bucket_inside_itself() {
    let bench = Bench::new();
    let db = kv::Db::open(bench.path("db")).unwrap();
    db.update(|tx| {
        let mut outer = tx.create_bucket("outer")?;
        outer.put("large", vec![1; 2000])?;
        outer.create_bucket("inner")?.put("large", vec![2; 2000])
    })
    .unwrap();
    let page = |names: &[&str]| {
        db.view(|tx| {
            names.iter().try_fold(tx.root(), |bucket, name| bucket.bucket(name)).map(|bucket| bucket.root_page())
        })
    };
    let (outer, inner) = (page(&["outer"]).unwrap().get(), page(&["outer", "inner"]).unwrap().get());
    drop(db);
    let mut bytes = bench.read("db");
    let (start, header) = (usize::try_from(outer).unwrap() * 4096, inner.to_le_bytes());
    let at = (start..start + 4096).find(|&at| bytes[at..].starts_with(&header)).unwrap();
    bytes[at..at + 8].copy_from_slice(&outer.to_le_bytes());
    survive(&bytes, "a bucket inside itself");
    std::fs::write(bench.path("db"), &bytes).unwrap();
    assert_eq!(bench.kv(&["check", "db"]).code, 1);
    assert!(bench.kv(&["export", "db"]).failed(1).contains("used in two places"));
}
