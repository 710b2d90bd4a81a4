//! The logical content of a file, read through the library, one line an item in
//! the text form of `fixtures/README.md`.

use std::fmt::Write as _;
use std::path::Path;

use kv::{Bucket, Db, Error, ReadTx};

use crate::text::{hex_text, path_text, value_text};

/// Opens a file read-only and dumps it.
pub(crate) fn dump_file(path: &Path) -> Result<String, Error> {
    let db = Db::options().read_only(true).open(path)?;
    db.view(dump)
}

/// Dumps what a transaction sees.
pub(crate) fn dump(tx: &ReadTx<'_>) -> Result<String, Error> {
    let mut text = String::new();
    for item in tx.root() {
        let (name, _) = item?;
        dump_bucket(&mut vec![name], &tx.bucket(name)?, &mut text)?;
    }
    Ok(text)
}

fn dump_bucket<'t>(path: &mut Vec<&'t [u8]>, bucket: &Bucket<'t>, text: &mut String) -> Result<(), Error> {
    let shown = path_text(path);
    let (mut keys, mut buckets) = (0_u64, 0_u64);
    let _ = writeln!(text, "bucket {shown} seq {}", bucket.sequence());
    for item in *bucket {
        let (key, value) = item?;
        if let Some(value) = value {
            keys += 1;
            let _ = writeln!(text, "kv {shown} {} {}", hex_text(key), value_text(value));
        } else {
            buckets += 1;
            path.push(key);
            dump_bucket(path, &bucket.bucket(key)?, text)?;
            path.pop();
        }
    }
    let _ = writeln!(text, "end {shown} keys {keys} buckets {buckets}");
    Ok(())
}
