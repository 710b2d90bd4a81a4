//! One bucket of a transaction can be changed at a time.

fn both(tx: &mut kv::WriteTx<'_>) -> kv::Result<()> {
    let mut one = tx.bucket_mut("one")?;
    tx.bucket_mut("two")?.put("key", "value")?; //~ E0499
    one.put("key", "value")
}

fn main() {}
