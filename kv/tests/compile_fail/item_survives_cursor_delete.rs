//! What a deleting cursor lends is gone with the deletion.

fn sweep(bucket: &mut kv::BucketMut<'_>) -> kv::Result<()> {
    let mut cursor = bucket.cursor_mut();
    if let Some((key, _)) = cursor.first()? {
        cursor.delete()?; //~ E0499
        println!("{key:?}");
    }
    Ok(())
}

fn main() {}
