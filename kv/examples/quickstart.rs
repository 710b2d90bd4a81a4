//! Creates a store, fills it, reads it back and lists its buckets. With the path of a file of bbolt or etcd, it lists the
//! buckets of that file.
//!
//! ```sh
//! cargo run -p kv-examples --bin quickstart
//! cargo run -p kv-examples --bin quickstart -- member/snap/db
//! ```

use std::path::Path;
use std::time::Duration;

use kv::{BucketStructure, Db};

const PEOPLE: [(&str, &str, &str); 4] =
    [("gb", "ada", "1815"), ("gb", "alan", "1912"), ("fr", "blaise", "1623"), ("us", "grace", "1906")];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args_os().nth(1) {
        Some(path) => show(Path::new(&path)),
        None => make_fill_read(),
    }
}

fn make_fill_read() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("people.db");
    let db = Db::open(&path)?;

    // One transaction. It is durable when `update` returns.
    db.update(|tx| {
        let mut people = tx.create_bucket("people")?;
        for (country, name, born) in PEOPLE {
            people.create_bucket_if_absent(country)?.put(name, born)?;
        }
        Ok(())
    })?;

    // A reader sees one consistent state until it ends, and blocks nobody.
    let before = db.begin_read();
    db.update(|tx| tx.bucket_mut("people")?.bucket_mut("us")?.put("katherine", "1918"))?;
    let now = db.begin_read();
    assert_eq!(before.bucket("people")?.bucket("us")?.iter().count(), 1);
    assert_eq!(now.bucket("people")?.bucket("us")?.iter().count(), 2);

    let mut found = 0;
    for bucket in now.bucket("people")?.buckets() {
        let (country, people) = bucket?;
        for item in people {
            let (name, born) = item?;
            println!("{}  {:<10} {}", text(country), text(name), text(born));
            found += 1;
        }
    }
    assert_eq!(found, PEOPLE.len() + 1);
    assert_eq!(now.check()?, [], "every page is used once or free");
    drop((before, now));
    db.close()?;

    println!();
    show(&path)
}

/// Prints the buckets of a file, each with its number of keys.
fn show(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let db = Db::options().read_only(true).lock_timeout(Duration::from_secs(2)).open(path)?;
    let tx = db.begin_read();
    println!("{}: transaction {}, {} bytes in use", path.display(), tx.id(), tx.size());
    for bucket in &tx.inspect()?.children {
        print(bucket, 1);
    }
    Ok(())
}

fn print(bucket: &BucketStructure, level: usize) {
    let keys = if bucket.keys == 1 { "key" } else { "keys" };
    println!("{:level$}{}: {} {keys}", "", text(&bucket.name), bucket.keys, level = level * 2);
    bucket.children.iter().for_each(|inner| print(inner, level + 1));
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
