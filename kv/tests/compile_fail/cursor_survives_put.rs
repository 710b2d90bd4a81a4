//! Nor does a cursor that only reads.

fn walk(bucket: &mut kv::BucketMut<'_>) -> kv::Result<()> {
    let mut cursor = bucket.cursor();
    while let Some((key, _)) = cursor.next()? {
        bucket.delete(key)?; //~ E0502
    }
    Ok(())
}

fn main() {}
