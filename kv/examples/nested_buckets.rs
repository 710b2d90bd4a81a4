//! Nested buckets: a directory of departments. A bucket moves and goes with everything in it.
//!
//! ```sh
//! cargo run -p kv-examples --bin nested_buckets
//! ```

use kv::{Db, Error};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let db = Db::open(directory.path().join("company.db"))?;

    db.update(|tx| {
        let mut company = tx.create_bucket("company")?;
        company.put("name", "Teapots & Sons")?;
        let mut sales = company.create_bucket("sales")?;
        sales.put("ada", "head")?;
        sales.create_bucket("north")?.put("alan", "clerk")?;
        company.create_bucket("archive")?;
        Ok(())
    })?;

    // Keys and buckets share one name space: a key cannot replace a bucket, nor a bucket a key.
    let refused = db.update(|tx| tx.bucket_mut("company")?.put("sales", "a value?"));
    assert!(matches!(refused, Err(Error::IncompatibleValue { .. })));

    // Moving a bucket with everything in it costs O(log n).
    db.update(|tx| tx.move_bucket("north", &[b"company", b"sales"], &[b"company", b"archive"]))?;

    db.view(|tx| {
        let company = tx.bucket("company")?;
        let names: Vec<_> = company.buckets().map(|bucket| bucket.map(|(name, _)| name)).collect::<Result<_, _>>()?;
        assert_eq!(names, [&b"archive"[..], b"sales"]);
        let north = company.bucket("archive")?.bucket("north")?;
        assert_eq!(north.get("alan")?, Some(&b"clerk"[..]));
        assert!(company.bucket("sales")?.get_bucket("north")?.is_none());
        println!("{:#?}", company.stats()?);
        Ok(())
    })?;

    db.update(|tx| tx.bucket_mut("company")?.delete_bucket("archive"))?;
    assert_eq!(db.begin_read().bucket("company")?.buckets().count(), 1);
    Ok(())
}
