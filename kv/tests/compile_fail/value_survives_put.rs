//! A value borrowed from a bucket that can change does not survive a change.

fn value(bucket: &mut kv::BucketMut<'_>) -> kv::Result<()> {
    let value = bucket.get("key")?;
    bucket.put("key", "another")?; //~ E0502
    println!("{value:?}");
    Ok(())
}

fn main() {}
