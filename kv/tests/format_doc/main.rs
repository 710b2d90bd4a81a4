//! `docs/FORMAT.md` held against the library, and both against Go's bbolt.

#[macro_use]
extern crate kv_testkit;

mod reader;
mod redo_log;
mod space_log;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;

use kv::{Bucket, Durability, Error, FreelistSync, Options, PageId, PageKind};
use pagefile_std::MemStore;

use crate::reader::{NO_FREELIST, Reader};
use kv_testkit::bbolt::Bbolt;

const DOCUMENT: &str = include_str!("../../docs/FORMAT.md");

/// What the library says that a bucket holds, as [`Reader::content`] has it.
fn content(bucket: Bucket<'_>, path: &str, lines: &mut Vec<String>) -> Result<(), Error> {
    for item in bucket.items(..) {
        let (key, value) = item?;
        let name = format!("{path}/{}", key.escape_ascii());
        if let Some(value) = value {
            lines.push(format!("{name} = {}", value.escape_ascii()));
        } else {
            let nested = bucket.bucket(key)?;
            lines.push(format!("{name} sequence {}", nested.sequence()));
            content(nested, &name, lines)?;
        }
    }
    Ok(())
}

/// Where the lines begin that show bytes of the worked log.
const LOG: &str = "## A worked log";

/// Where the lines begin that show bytes of the worked redo log.
const REDO_LOG: &str = "## A worked redo log";

/// The lines of the document that show bytes of the worked file.
fn worked_lines() -> Vec<&'static str> {
    lines_of_bytes(DOCUMENT.split(LOG).next().unwrap())
}

fn lines_of_bytes(text: &str) -> Vec<&str> {
    let shows_bytes = |line: &&str| {
        let offset = line.split("  ").next().unwrap_or_default();
        offset.len() == 4 && offset.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    text.lines().filter(shows_bytes).collect()
}

/// The worked file: the bytes that the document shows, zeros between them.
fn worked_file() -> Vec<u8> {
    let mut file = vec![0; 7 * 1024];
    for line in worked_lines() {
        let at = usize::from_str_radix(&line[..4], 16).unwrap();
        for (byte, hex) in line[6..30].split_whitespace().enumerate() {
            file[at + byte] = u8::from_str_radix(hex, 16).unwrap();
        }
    }
    file
}

/// The program that the document shows.
fn zoo(store: Arc<MemStore>) -> Result<(), Error> {
    let options = Options::new().page_size(1024).freelist_sync(FreelistSync::Every);
    let db = options.open_store(Box::new(store))?;
    db.update(|tx| {
        let mut zoo = tx.create_bucket("zoo")?;
        zoo.put("cat", "meow")?;
        let mut dogs = zoo.create_bucket("dogs")?;
        dogs.set_sequence(7)?;
        dogs.put("rex", "woof")
    })?;
    db.close()
}

#[test]
fn the_library_writes_the_worked_file() {
    let store = Arc::new(MemStore::new());
    zoo(Arc::clone(&store)).unwrap();
    let (written, file) = (store.snapshot(), worked_file());
    // Transaction 2 wrote over nothing, so the state before it can be read as well.
    let mut lines = [0, 1].map(|slot| Reader::read(&written, slot).1.fields).concat();
    lines.sort();
    let lines: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
    assert!(worked_lines() == lines, "the document should say:\n{}", lines.join("\n"));
    assert_eq!(&written[..file.len()], file, "and every other byte is zero");
    assert!(written[file.len()..].iter().all(|&byte| byte == 0), "as is what the file has grown ahead");
}

/// The program of the worked log.
fn zoo_log(store: Arc<MemStore>) -> Result<(), Error> {
    let options = Options::new().page_size(1024).freelist_sync(FreelistSync::Log);
    let db = options.open_store(Box::new(store))?;
    db.update(|tx| tx.create_bucket("zoo")?.put("cat", "meow"))?;
    db.update(|tx| tx.bucket_mut("zoo")?.put("dog", "woof"))?;
    db.close()
}

#[test]
fn the_library_writes_the_worked_log() {
    let store = Arc::new(MemStore::new());
    zoo_log(Arc::clone(&store)).unwrap();
    let file = store.snapshot();
    let (_, reader) = Reader::read(&file, 1);
    let lines: Vec<&str> = reader.log_fields.iter().map(|(_, line)| line.as_str()).collect();
    let shown = lines_of_bytes(DOCUMENT.split(LOG).nth(1).unwrap().split(REDO_LOG).next().unwrap());
    assert!(shown == lines, "the document should say:\n{}", lines.join("\n"));
}

/// The file that the program of the worked redo log leaves if it ends before it closes the database.
fn zoo_redo_log() -> Vec<u8> {
    let store = Arc::new(MemStore::new());
    let options = Options::new().page_size(1024).durability(Durability::Log).log_size(32 * 1024);
    let db = options.open_store(Box::new(Arc::clone(&store))).unwrap();
    db.update(|tx| tx.create_bucket("zoo")?.put("cat", "meow")).unwrap();
    db.update(|tx| {
        let mut zoo = tx.bucket_mut("zoo")?;
        zoo.delete("cat")?;
        zoo.set_sequence(7)
    })
    .unwrap();
    store.snapshot()
}

/// What its log says.
const SAID: [&str; 8] = [
    "transaction 4",
    "bucket zoo",
    "create",
    "put cat = meow",
    "transaction 5",
    "bucket zoo",
    "delete cat",
    "sequence 7",
];

/// Each file has an epoch of its own, and with it chains and checksums; everything else is as the document shows it.
#[test]
fn the_library_writes_the_worked_redo_log() {
    let file = zoo_redo_log();
    let mut reader = Reader::beside(&file, 1024);
    assert_eq!(reader.redo_log(1), SAID);
    let lines: Vec<&str> = reader.fields.iter().map(|(_, line)| line.as_str()).collect();
    let shown = lines_of_bytes(DOCUMENT.split(REDO_LOG).nth(1).unwrap_or_default());
    let common = |lines: &[&str]| -> Vec<String> {
        lines.iter().filter(|line| !redo_log::is_of_one_life(line)).map(|line| (*line).to_owned()).collect()
    };
    assert!(common(&shown) == common(&lines), "the document should say:\n{}", lines.join("\n"));
}

/// With the document's own epoch, chains and checksums.
#[test]
fn the_library_reads_the_worked_redo_log() {
    let mut file = zoo_redo_log();
    for line in lines_of_bytes(DOCUMENT.split(REDO_LOG).nth(1).unwrap_or_default()) {
        let at = usize::from_str_radix(&line[..4], 16).unwrap();
        for (byte, hex) in line[6..30].split_whitespace().enumerate() {
            file[at + byte] = u8::from_str_radix(hex, 16).unwrap();
        }
    }
    // The other meta is of another epoch now, and older.
    file[..1024].fill(0);
    assert_eq!(Reader::beside(&file, 1024).redo_log(1), SAID);
    let db = Options::new().open_store(Box::new(MemStore::with_bytes(&file))).unwrap();
    let mut lines = Vec::new();
    content(db.begin_read().root(), "", &mut lines).unwrap();
    assert_eq!(lines, ["/zoo sequence 7"]);
    assert_eq!(db.begin_read().check().unwrap(), []);
}

#[test]
fn the_library_reads_the_worked_file() {
    let file = worked_file();
    let (meta, reader) = Reader::read(&file, 0);
    let store = Arc::new(MemStore::with_bytes(&file));
    let db = Options::new().open_store(Box::new(Arc::clone(&store))).unwrap();
    let tx = db.begin_read();
    assert_eq!(tx.check().unwrap(), []);
    assert_eq!((tx.id().get(), tx.root_page().get(), db.page_size()), (meta.tx, meta.root, 1024));
    assert_eq!(tx.size(), meta.high_water * 1024);
    assert_eq!(tx.page(PageId::new(meta.freelist)).unwrap().unwrap().kind, PageKind::Freelist);
    let mut lines = Vec::new();
    content(tx.root(), "", &mut lines).unwrap();
    assert_eq!(lines, ["/zoo sequence 0", "/zoo/cat = meow", "/zoo/dogs sequence 7", "/zoo/dogs/rex = woof"]);
    assert_eq!(lines, reader.content);
    assert_eq!(store.snapshot(), file, "opening it changes nothing");
}

/// The checksum is over the bytes that the document says, and the other meta takes over when it is wrong.
#[test]
fn a_torn_meta_gives_the_state_before() {
    for at in 16..80 {
        let mut file = worked_file();
        file[at] ^= 0x10;
        let db = Options::new().open_store(Box::new(MemStore::with_bytes(&file))).unwrap();
        let tx = db.begin_read();
        assert_eq!((tx.id().get(), tx.buckets().count()), (1, 0), "byte {at}");
    }
}

/// What the worked file is too small to show.
#[test]
fn larger_files_keep_every_rule() {
    for sync in [FreelistSync::Every, FreelistSync::OnClose, FreelistSync::Log] {
        let store = Arc::new(MemStore::new());
        let options = Options::new().page_size(1024).freelist_sync(sync);
        let db = options.open_store(Box::new(Arc::clone(&store))).unwrap();
        db.update(|tx| tx.create_bucket("gone")?.put("big", vec![1; 66_000 * 1024])).unwrap();
        for round in 0..6usize {
            db.update(|tx| {
                let mut many = tx.create_bucket_if_absent("many")?;
                for n in 0..400usize {
                    let key = format!("{:04}{}", n * 7919 % 1000, "k".repeat(n % 97));
                    let value = vec![b'v'; if n % 50 == 7 { 3000 } else { n % 60 }];
                    if n % 5 == round % 5 { many.delete(key).map(drop) } else { many.put(key, value) }?;
                }
                let mut nested = many.create_bucket_if_absent(format!("nested {round}"))?;
                // From 235 to 285 bytes: some fit into a quarter of a page, others have a page of their own.
                nested.put("few", vec![b'b'; 200 + 10 * round])?;
                nested.set_sequence(round as u64)
            })
            .unwrap();
        }
        db.update(|tx| tx.delete_bucket("gone")).unwrap();
        let file = store.snapshot();
        let tx_at = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap());
        let newest = usize::from(tx_at(1024 + 64) > tx_at(64));
        let (meta, reader) = Reader::read(&file, newest);
        let tx = db.begin_read();
        let mut lines = Vec::new();
        content(tx.root(), "", &mut lines).unwrap();
        assert_eq!(reader.content, lines);
        assert_eq!(meta.tx, tx.id().get());
        let mut expected = BTreeSet::from(["branch", "inline bucket", "overflow"]);
        if sync == FreelistSync::Every {
            expected.extend(["long freelist", "seal"]);
        }
        if sync == FreelistSync::Log {
            expected.extend(["index", "region moved", "log page"]);
        }
        assert_eq!(reader.seen, expected);
        assert_eq!(meta.freelist == NO_FREELIST, sync != FreelistSync::Every);
    }
}

#[test]
fn bbolt_1_5_reads_the_worked_file() {
    reads_the_worked_file(Bbolt::Module);
}

#[test]
fn bbolt_1_3_reads_the_worked_file() {
    reads_the_worked_file(Bbolt::Debian);
}

fn reads_the_worked_file(bbolt: Bbolt) {
    let Some(program) = bbolt.program() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zoo.db");
    std::fs::write(&path, worked_file()).unwrap();
    let ask = |command: &str| {
        let output = Command::new(program).arg(command).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(ask("check"), "");
    let expected = "bucket 7a6f6f seq 0
kv 7a6f6f 636174 6d656f77
\
                    bucket 7a6f6f/646f6773 seq 7
kv 7a6f6f/646f6773 726578 776f6f66
\
                    end 7a6f6f/646f6773 keys 1 buckets 0
end 7a6f6f keys 1 buckets 1
";
    assert_eq!(ask("dump"), expected);
}
