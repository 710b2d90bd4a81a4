//! No bucket of a transaction is in use when it is committed.

fn under(mut tx: kv::WriteTx<'_>) -> kv::Result<()> {
    let mut bucket = tx.bucket_mut("b")?;
    tx.commit()?; //~ E0505
    bucket.put("key", "value")
}

fn main() {}
