//! Nor can it leave the closure in which its transaction lives.

fn value(db: &kv::Db) -> kv::Result<()> {
    let mut kept: Option<&[u8]> = None;
    kept.take();
    db.view(|tx| {
        kept = tx.bucket("b")?.get("key")?; //~ E0521
        Ok(())
    })?;
    println!("{kept:?}");
    Ok(())
}

fn main() {}
