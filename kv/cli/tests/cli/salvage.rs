//! Damage inside pages that can be read: nothing is left out of a copy or an export in silence.

use std::ops::Range;

use kv::{Db, Options, PageKind};

use crate::tool::Bench;

const PAGE: usize = 4096;

/// Keys of the bucket `b`, in a few leaves below a branch.
const KEYS: usize = 300;

/// The file `db` in a directory of its own, and its bytes.
struct Lying {
    bench: Bench,
    bytes: Vec<u8>,
}

impl Lying {
    fn new() -> Self {
        let bench = Bench::new();
        let db = Db::open(bench.path("db")).unwrap();
        db.update(|tx| {
            let mut b = tx.create_bucket("b")?;
            (0..KEYS).try_for_each(|n| b.put(format!("key-{n:04}"), [b'v'; 20]))?;
            for name in ["nest-1", "nest-2", "nest-3"] {
                b.create_bucket(name)?.put("small", "inline")?;
            }
            tx.create_bucket("other")?.put("large", [b'v'; 2000])
        })
        .unwrap();
        db.close().unwrap();
        Self { bytes: bench.read("db"), bench }
    }

    /// The pages of bucket `b` of this kind, by their first keys.
    fn pages(&self, kind: PageKind) -> Vec<usize> {
        let db = Options::new().read_only(true).open(self.bench.path("db")).unwrap();
        let map = db.begin_read().page_map().unwrap();
        let mut pages: Vec<usize> =
            map.iter().filter(|info| info.kind == kind).map(|info| usize::try_from(info.id.get()).unwrap()).collect();
        pages.retain(|&page| self.key(page, 0).starts_with(b"key-"));
        pages.sort_by_key(|&page| self.key(page, 0).to_vec());
        pages
    }

    fn leaf(&self, index: usize) -> usize {
        self.pages(PageKind::Leaf)[index]
    }

    fn number(&self, at: usize, len: usize) -> usize {
        self.bytes[at..at + len].iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte))
    }

    /// Where in the file the keys of a page are.
    fn keys(&self, page: usize) -> Vec<Range<usize>> {
        let start = page * PAGE;
        let pos_at = if self.number(start + 8, 2) == 1 { 0 } else { 4 };
        let elements = (0..self.number(start + 10, 2)).map(|index| start + 16 + index * 16);
        elements
            .map(|at| {
                let key = at + self.number(at + pos_at, 4);
                key..key + self.number(at + pos_at + 4, 4)
            })
            .collect()
    }

    fn key(&self, page: usize, index: usize) -> &[u8] {
        self.keys(page).get(index).map_or(&[], |key| &self.bytes[key.clone()])
    }

    /// A page of bucket `b` in which the keys at `one` and `other` change places.
    fn swap(&mut self, page: usize, one: usize, other: usize) {
        let keys = self.keys(page);
        for (one, other) in keys[one].clone().zip(keys[other].clone()) {
            self.bytes.swap(one, other);
        }
    }

    /// The first pair's key in a leaf becomes part of its value.
    fn empty_key(&mut self, page: usize) {
        let element = page * PAGE + 16;
        let (key, value) = (self.number(element + 8, 4), self.number(element + 12, 4));
        self.bytes[element + 8..element + 12].fill(0);
        self.bytes[element + 12..element + 16].copy_from_slice(&u32::try_from(key + value).unwrap().to_le_bytes());
    }

    fn write(&self) {
        std::fs::write(self.bench.path("db"), &self.bytes).unwrap();
    }
}

/// A lie: its name, what it does to the file, the page that is named. Then what is left out, and how many keys of `b` are
/// copied.
type Lie = (&'static str, fn(&mut Lying) -> usize, &'static str, usize);

const LIES: [Lie; 8] = [
    (
        "keys in disorder",
        |file| {
            let page = file.leaf(1);
            file.swap(page, 3, 4);
            page
        },
        "keys do not ascend; in the bucket \"b\", nothing is left out",
        KEYS,
    ),
    (
        "a key twice",
        |file| {
            let (page, keys) = (file.leaf(1), file.keys(file.leaf(1)));
            file.bytes.copy_within(keys[3].clone(), keys[4].start);
            page
        },
        "key comes twice; in the bucket \"b\", 1 item is left out: \"key-0",
        KEYS - 1,
    ),
    (
        "an empty key",
        |file| {
            let page = file.leaf(0);
            file.empty_key(page);
            page
        },
        "key is empty; in the bucket \"b\", 1 item is left out: \"\"",
        KEYS - 1,
    ),
    (
        "a key that belongs before its page",
        |file| {
            let (page, at) = (file.leaf(1), file.keys(file.leaf(1))[0].start);
            file.bytes[at] = b'a';
            page
        },
        "first key is less than its parent says; in the bucket \"b\", nothing is left out",
        KEYS,
    ),
    (
        "a key that is in the next page, too",
        |file| {
            let (page, last) = (file.leaf(1), file.keys(file.leaf(1)).pop().unwrap());
            let next = file.keys(file.leaf(2))[0].clone();
            file.bytes.copy_within(next, last.start);
            page
        },
        "key comes twice; in the bucket \"b\", 1 item is left out: \"key-0",
        KEYS - 1,
    ),
    (
        "a page twice",
        |file| {
            let (branch, first) = (file.pages(PageKind::Branch)[0], file.leaf(0));
            let child = branch * PAGE + 16 + 16 + 8;
            file.bytes[child..child + 8].copy_from_slice(&(first as u64).to_le_bytes());
            first
        },
        "everything below it is left out, which had the keys from \"key-0",
        usize::MAX,
    ),
    (
        "a page that is none",
        |file| {
            let page = file.leaf(1);
            file.bytes[page * PAGE + 8] = 0x77;
            page
        },
        "in the bucket \"b\", everything below it is left out, which had the keys from \"key-0",
        usize::MAX,
    ),
    (
        "a bucket that is not found by its name",
        |file| {
            let page = *file.pages(PageKind::Leaf).last().unwrap();
            let last = file.keys(page).len() - 1;
            file.swap(page, last, last - 20);
            page
        },
        "keys do not ascend; in the bucket \"b\", nothing is left out",
        KEYS,
    ),
];

/// The file with a lie, the page, and how many keys of `b` can be copied.
fn lying((_, lie, _, copied): &Lie) -> (Lying, usize, usize) {
    let mut file = Lying::new();
    let second = file.keys(file.leaf(1)).len();
    let page = lie(&mut file);
    file.write();
    (file, page, if *copied == usize::MAX { KEYS - second } else { *copied })
}

#[test]
fn what_is_damaged_is_neither_copied_nor_exported_as_if_it_were_sound() {
    for lie in LIES {
        let (file, page, _) = lying(&lie);
        let what = lie.0;
        for command in [&["compact", "-o", "copy", "db"][..], &["export", "db"], &["export", "--format", "dump", "db"]]
        {
            let error = file.bench.kv(command).failed(1);
            assert!(error.contains(&format!("db: page {page} is damaged: ")), "{what}, {command:?}: {error}");
            assert!(error.contains("--salvage"), "{what}, {command:?}: {error}");
        }
        assert!(!file.bench.path("copy").exists(), "{what}");
        assert_eq!(file.bench.kv(&["export", "db", "other"]).ok().lines().count(), 2, "{what}: the rest can be read");
    }
}

#[test]
fn a_salvage_names_everything_that_it_leaves_out() {
    for lie in LIES {
        let (file, page, copied) = lying(&lie);
        let (what, _, left_out, _) = lie;
        let bench = &file.bench;
        let compacted = bench.kv(&["compact", "--salvage", "-o", "copy", "db"]);
        assert_eq!(compacted.code, 1, "{what}: {}", compacted.err);
        let named = format!("kv: db: page {page} is damaged: ");
        assert!(compacted.err.lines().all(|line| line.starts_with(&named)), "{what}: {}", compacted.err);
        assert!(compacted.err.contains(left_out), "{what}: {}", compacted.err);
        assert_eq!(bench.kv(&["check", "copy"]).ok(), "OK\n", "{what}");
        let keys = bench.kv(&["keys", "copy", "b"]).ok();
        assert_eq!(keys.lines().filter(|key| !key.starts_with("nest")).count(), copied, "{what}");

        let exported = bench.kv(&["export", "--salvage", "db"]);
        assert_eq!((exported.code, &exported.err), (1, &compacted.err), "{what}");
        bench.kv_reading(&["import", "imported"], &exported.out).ok();
        let content = |name| bench.kv(&["export", name]).ok();
        assert!(content("imported") == content("copy"), "{what}: an export and a copy leave out the same");
    }
}

#[test]
fn a_salvage_of_a_sound_file_is_a_copy() {
    let file = Lying::new();
    let content = file.bench.kv(&["export", "db"]).ok();
    let compacted = file.bench.kv(&["compact", "--salvage", "-o", "copy", "db"]);
    assert_eq!((compacted.code, &*compacted.err), (0, ""));
    assert!(file.bench.kv(&["export", "--salvage", "db"]).ok() == content);
    assert!(file.bench.kv(&["export", "copy"]).ok() == content);
}

#[test]
fn a_bucket_that_disorder_hides_is_damage() {
    let (file, page, _) = lying(&LIES[7]);
    let bench = &file.bench;
    for command in [&["inspect", "db"][..], &["stats", "db"], &["digest", "db"], &["compact", "-o", "copy", "db"]] {
        let error = bench.kv(command).failed(1);
        assert!(error.contains(&format!("page {page} is damaged: ")), "{command:?}: {error}");
    }
}

/// Every command, on a file with an empty key, which bbolt would accept; each with its answer. What only reads has nothing to
/// complain of; what judges, copies or changes it ends with code 1. The code for wrong arguments, 2, is for the key that a
/// person gives.
#[test]
fn an_empty_key_and_every_command() {
    let mut file = Lying::new();
    let page = file.leaf(0);
    file.bench.kv(&["digest", "-o", "sound.digest", "db"]).ok();
    file.empty_key(page);
    let (id, bench) = (page.to_string(), &file.bench);
    let words = |words: &str| -> Vec<String> { words.replace("PAGE", &id).split(' ').map(str::to_owned).collect() };
    let commands: [(i32, &str); 32] = [
        (1, "check db"),
        (1, "check --from-page PAGE db"),
        (1, "compact -o compacted db"),
        (1, "compact --salvage -o salvaged db"),
        (1, "export db"),
        (1, "export db b"),
        (1, "export --format dump db"),
        (1, "export --salvage db"),
        (1, "verify --digest sound.digest db"),
        (1, "put db b key-0001 changed"),
        (1, "del db b key-0001"),
        (1, "del db b "),
        (0, "export db other"),
        (0, "info db"),
        (0, "inspect db"),
        (0, "stats db"),
        (0, "get db b "),
        (0, "get db b key-0001"),
        (0, "keys db b"),
        (0, "buckets db"),
        (0, "digest db"),
        (0, "map db"),
        (0, "pages db"),
        (0, "page db PAGE"),
        (0, "page-item db PAGE 0"),
        (0, "dump db PAGE"),
        (0, "backup -o backup db"),
        (0, "surgery meta validate db"),
        (0, "surgery clear-page-elements --output cleared --pageId PAGE --from-index 0 --to-index 1 db"),
        (0, "surgery clear-page --output emptied --pageId PAGE db"),
        (0, "surgery freelist abandon --output abandoned db"),
        (0, "surgery freelist rebuild --output rebuilt abandoned"),
    ];
    file.write();
    for (code, command) in commands {
        let words = words(command);
        let answer = bench.kv(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let out = String::from_utf8_lossy(&answer.out);
        assert_eq!(answer.code, code, "{command}: {out} {}", answer.err);
        let named = if command.starts_with("verify") { "b: ".to_owned() } else { format!("page {page}") };
        assert!(code == 0 || (out + &*answer.err).contains(&named), "{command}: {}", answer.err);
        assert!(code == 1 || answer.err.is_empty(), "{command}: {}", answer.err);
        assert!(bench.read("db") == file.bytes, "{command}: the file is as it was");
    }
    assert!(bench.kv(&["put", "db", "b", "", "value"]).failed(2).contains("a key needs at least one byte"));
}

/// A bucket of one leaf, and one inside its parent's leaf: no parent says which keys they may have.
#[test]
fn an_empty_key_is_not_copied_by_a_change() {
    for (command, key) in
        [(&["put", "db", "other", "key", "v"][..], &b"large"[..]), (&["put", "db", "b", "nest-3", "k", "v"], b"small")]
    {
        let mut file = Lying::new();
        let at = file.bytes.windows(key.len()).rposition(|bytes| bytes == key).unwrap();
        // The element before the key: its key becomes part of its value.
        let element = at - 16;
        let (len, value) = (file.number(element + 8, 4), file.number(element + 12, 4));
        assert_eq!(len, key.len());
        file.bytes[element + 8..element + 12].fill(0);
        file.bytes[element + 12..element + 16].copy_from_slice(&u32::try_from(len + value).unwrap().to_le_bytes());
        file.write();
        let error = file.bench.kv(command).failed(1);
        assert!(error.contains("key is empty"), "{error}");
        assert!(file.bench.read("db") == file.bytes);
    }
}
